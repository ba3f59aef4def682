-- CREATE EXTENSION as it comes out of the box, and what it does not adopt.
\set SHOW_CONTEXT never
CREATE DATABASE regress_migmgr_install;
\connect regress_migmgr_install
-- somebody got there first
CREATE ROLE regress_migmgr_squatter;
CREATE SCHEMA migmgr AUTHORIZATION regress_migmgr_squatter;
CREATE EXTENSION migmgr;
ALTER SCHEMA migmgr OWNER TO CURRENT_USER;
CREATE FUNCTION migmgr.head() RETURNS text LANGUAGE sql AS 'SELECT ''trap''';
CREATE EXTENSION migmgr;
DROP FUNCTION migmgr.head();
CREATE TABLE migmgr.ledger (seq int);
CREATE EXTENSION migmgr;
DROP TABLE migmgr.ledger;
CREATE EXTENSION migmgr SCHEMA public;
-- traps on the path: nothing of them may run during the installation
CREATE TABLE public.sprung (what text, who name DEFAULT current_user);
CREATE FUNCTION public.spring(text, text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.sprung VALUES ('operator'); RETURN $1; END $$;
CREATE OPERATOR public.|| (FUNCTION = public.spring, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION public.concat(text, text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.sprung VALUES ('concat'); RETURN $1; END $$;
CREATE FUNCTION public.setval(regclass, bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.sprung VALUES ('setval'); RETURN 1; END $$;
CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.sprung VALUES ('clock'); RETURN now(); END $$;
SET search_path = public, pg_temp, pg_catalog;
-- the empty schema that pg_dump makes beforehand is taken
CREATE EXTENSION migmgr;
RESET search_path;
SELECT * FROM public.sprung;
SELECT e.extname, n.nspname, e.extrelocatable FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'migmgr';
SELECT migmgr_internal.ledger_state();
ALTER EXTENSION migmgr SET SCHEMA public;
\connect postgres
DROP DATABASE regress_migmgr_install;
DROP ROLE regress_migmgr_squatter;
