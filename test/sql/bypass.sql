-- Ways around the guard on a server that does not preload migmgr: what passes
-- is reported, and nothing passes once the library is loaded.
\set test bypass
\set ECHO none
-- Where it is preloaded there is nothing to see here.
SELECT setting ~ 'migmgr' AS preloaded FROM pg_settings WHERE name = 'shared_preload_libraries' \gset
\if :preloaded
\quit
\endif
\i test/include/database.sql
CREATE FUNCTION public.doors() RETURNS TABLE (object text, status text, detail text, hint text) LANGUAGE sql AS $$
  SELECT v.object, v.status, public.mask(v.detail), v.hint FROM migmgr.verify() AS v
   WHERE v.check_name IN ('bypass', 'guard') AND v.status <> 'ok' AND v.object <> 'level'
$$;
SET client_min_messages = warning;
\set ECHO all
SELECT migmgr.set_environment('production') IS NOT NULL AS production;
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t VALUES (1, 'one');
CREATE ROLE regress_migmgr_bypass;

-- the level, and what it cannot see
SELECT status, split_part(detail, ':', 1) AS level, hint ~ 'shared_preload_libraries' AS says_how
  FROM migmgr.verify() WHERE check_name = 'guard' AND object = 'level';
SELECT DISTINCT split_part(value, ';', 1) AS guard FROM migmgr.status WHERE topic = 'guard';
SELECT level, migmgr_internal.guard_blind(level) IS NOT NULL AS told
  FROM unnest('{preloaded,session preload,login guard,event triggers only}'::text[]) AS level;
SELECT libraries, migmgr_internal.names_library(libraries) FROM unnest(ARRAY['', 'migmgr', 'pg_cron, migmgr', '"$libdir/migmgr"',
  'migmgr.so', 'migmgr2', 'my_migmgr', '/usr/lib/migmgr.so,x']) AS libraries;

-- B18: the first statement of a session passes, the second does not
\connect
SET client_min_messages = warning;
TRUNCATE t;
INSERT INTO t VALUES (1, 'one');
CREATE TEMP TABLE loads_it (i int);
SELECT * FROM public.caught('TRUNCATE t');
SELECT state, message FROM public.caught('ALTER EVENT TRIGGER migmgr_guard_start DISABLE');

-- B1: so an event trigger can be disabled, and verify() tells how it comes back
\connect
SET client_min_messages = warning;
ALTER EVENT TRIGGER migmgr_guard_drop DISABLE;
DROP EVENT TRIGGER IF EXISTS nothing;
SELECT * FROM public.doors();
SELECT migmgr.unprotect('repair') IS NOT NULL AS lifted;
ALTER EVENT TRIGGER migmgr_guard_drop ENABLE ALWAYS;
SELECT * FROM public.doors();

-- B2, B3: rights and settings that would switch it off
\connect
GRANT SET ON PARAMETER session_replication_role TO regress_migmgr_bypass;
GRANT SET, ALTER SYSTEM ON PARAMETER session_preload_libraries TO regress_migmgr_bypass WITH GRANT OPTION;
ALTER ROLE regress_migmgr_bypass IN DATABASE regress_migmgr_bypass SET session_replication_role = replica;
SELECT * FROM public.doors();
ALTER ROLE regress_migmgr_bypass IN DATABASE regress_migmgr_bypass RESET session_replication_role;
REVOKE ALL ON PARAMETER session_replication_role, session_preload_libraries FROM regress_migmgr_bypass;
SELECT * FROM public.doors();
-- refused where the library is loaded
SET client_min_messages = warning;
CREATE TEMP TABLE loads_it (i int);
SELECT state, message FROM public.caught('GRANT SET ON PARAMETER session_replication_role TO regress_migmgr_bypass');
SELECT state, message FROM public.caught('ALTER ROLE regress_migmgr_bypass SET session_replication_role = replica');
SELECT state, message FROM public.caught('ALTER DATABASE regress_migmgr_bypass RESET ALL');

-- B8, B9: a function that was taken out or replaced
\connect
SET client_min_messages = warning;
UPDATE pg_proc SET prosrc = 'migmgr_version' WHERE oid = 'migmgr_internal.guard_rewrite()'::regprocedure;
DELETE FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = 'migmgr_internal.guard_end()'::regprocedure AND deptype = 'e';
SELECT object, status, detail FROM public.doors() WHERE object LIKE 'function%';
UPDATE pg_proc SET prosrc = 'migmgr_guard_rewrite' WHERE oid = 'migmgr_internal.guard_rewrite()'::regprocedure;
SELECT migmgr.unprotect('repair') IS NOT NULL AS lifted;
ALTER EXTENSION migmgr ADD FUNCTION migmgr_internal.guard_end();
SELECT object, status, detail FROM public.doors() WHERE object LIKE 'function%';

-- B12: a setting that was made before the library came
\connect
SET client_min_messages = error;
SET ROLE regress_migmgr_bypass;
SET migmgr.small_relation = '1GB';
SET migmgr.protected_databases = '';
CREATE TEMP TABLE loads_it (i int);
SHOW migmgr.small_relation;
SELECT state FROM public.caught('SET migmgr.small_relation = 1');
SELECT state FROM public.caught('SET migmgr.bypass = on');
RESET ROLE;

-- B13: catalogs changed by hand, once the library is there
\connect
SET client_min_messages = warning;
CREATE TEMP TABLE loads_it (i int);
UPDATE pg_class SET relpages = relpages WHERE oid = 't'::regclass;
WITH gone AS (DELETE FROM pg_description WHERE objoid = 't'::regclass RETURNING 1) SELECT count(*) FROM gone;
INSERT INTO t VALUES (2, 'no catalog');
SELECT command, object, class, rule, action FROM migmgr.ddl_log WHERE rule = 'catalog-dml' ORDER BY id;
SELECT object, status FROM public.doors();

-- B28: an event trigger that runs first
\connect
SET client_min_messages = warning;
CREATE FUNCTION does_nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
\connect
SET client_min_messages = warning;
CREATE EVENT TRIGGER aaa ON ddl_command_start EXECUTE FUNCTION does_nothing();
SELECT object, status, detail FROM public.doors() WHERE object LIKE 'event%';
\connect
ALTER EVENT TRIGGER aaa RENAME TO zzz;
SELECT object, status, detail FROM public.doors() WHERE object LIKE 'event%';

-- the login guard asks for a superuser; and before 17 for a newer server
SET ROLE regress_migmgr_bypass;
SELECT state FROM public.caught('SELECT migmgr.enable_login_guard()');
SELECT state FROM public.caught('SELECT migmgr.disable_login_guard()');
RESET ROLE;

\connect postgres
DROP DATABASE regress_migmgr_bypass;
DROP ROLE regress_migmgr_bypass;
