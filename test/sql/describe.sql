-- Objects described by their address: what belongs to them, what they need,
-- and what stays the same when something they mention is renamed.
\set test describe
\set ECHO none
\i test/include/database.sql
SET client_min_messages = error;
SELECT migmgr.set_environment('development') \gset
CREATE ROLE regress_migmgr_describe;
\i test/include/app.sql
CREATE ROLE regress_migmgr_snap_reader;
CREATE ROLE "regress migmgr ""Snap""";
SELECT public.make_app();
CREATE EXTENSION citext;

-- address of an object by its catalog and a condition
CREATE FUNCTION public.oid_of(catalog regclass, condition text) RETURNS oid LANGUAGE plpgsql AS $$
DECLARE
  result oid;
BEGIN
  EXECUTE format('SELECT oid FROM %s WHERE %s', catalog, condition) INTO STRICT result;
  RETURN result;
END
$$;
CREATE FUNCTION public.parts(catalog regclass, condition text) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(d.kind || ' ' || d.identity, ', ' ORDER BY d.kind COLLATE "C", d.identity COLLATE "C")
    FROM migmgr_internal.describe(ARRAY[catalog::oid], ARRAY[public.oid_of(catalog, condition)]) AS d
$$;
\set ECHO all

-- a part stands for what it is part of
CREATE TABLE app.small (a int DEFAULT 1 CONSTRAINT a_positive CHECK (a > 0), b int GENERATED ALWAYS AS IDENTITY, c serial);
CREATE INDEX small_a ON app.small (a);
CREATE TRIGGER small_t BEFORE INSERT ON app.small FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE RULE small_r AS ON DELETE TO app.small DO ALSO NOTHING;
CREATE POLICY small_p ON app.small TO PUBLIC USING (a > 1);
CREATE STATISTICS app.small_s ON a, c FROM app.small;
ALTER PUBLICATION regress_migmgr_pub ADD TABLE app.small;
ALTER OPERATOR FAMILY app.fam USING btree ADD OPERATOR 1 <(int, int8), FUNCTION 1 btint48cmp(int, int8);
SELECT public.parts('pg_class', $$relname = 'small'$$);
SELECT p.catalog, p.condition, public.parts(p.catalog::regclass, p.condition) = public.parts('pg_class', $$relname = 'small'$$) AS the_table
  FROM (VALUES ('pg_class', $$relname = 'small_a'$$), ('pg_class', $$relname = 'small_b_seq'$$), ('pg_constraint', $$conname = 'a_positive'$$),
    ('pg_trigger', $$tgname = 'small_t'$$), ('pg_rewrite', $$rulename = 'small_r'$$), ('pg_policy', $$polname = 'small_p'$$),
    ('pg_statistic_ext', $$stxname = 'small_s'$$), ('pg_attrdef', $$adrelid = 'app.small'::regclass AND adnum = 1$$),
    ('pg_type', $$typname = 'small'$$)) AS p(catalog, condition);
SELECT public.parts('pg_class', $$relname = 'small_c_seq'$$) AS sequence, public.parts('pg_type', $$typname = '_small'$$) AS array;
SELECT public.parts('pg_publication_rel', $$prrelid = 'app.small'::regclass$$) AS publication,
       public.parts('pg_amop', $$amopfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'fam') AND amopstrategy = 1 AND amoprighttype = 'int8'::regtype$$) AS family,
       public.parts('pg_amproc', $$amprocfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'fam') AND amprocrighttype = 'int8'::regtype$$) AS again;
SELECT public.parts('pg_constraint', $$conname = 'positive'$$) AS domain,
       public.parts('pg_class', $$relname = 'comp'$$) AS composite, public.parts('pg_type', $$typname = 'comp'$$) AS again;
-- each once, and what is not there or not ours not at all
SELECT count(*), count(DISTINCT (kind, identity)) FROM migmgr_internal.describe(
  ARRAY['pg_class'::regclass, 'pg_class'::regclass, 'pg_type'::regclass, 'pg_class'::regclass, 'pg_proc'::regclass, 'pg_proc'::regclass, 'pg_authid'::regclass]::oid[],
  ARRAY['app.small'::regclass, 'app.small_a'::regclass, 'app.small'::regtype::oid, 0, 4294967295, 'citextin'::regproc, 10]::oid[]);
SELECT count(*) FROM migmgr_internal.describe('{}', '{}');

-- what is needed: by way of row types, arrays, extensions, views, keys
CREATE FUNCTION app.with_types(app.org, app.mood[], citext) RETURNS SETOF app.v LANGUAGE sql AS 'SELECT NULL::app.v';
CREATE VIEW app.over AS SELECT v.n, f.* FROM app.v AS v, app.f(1, 'y') AS f WHERE v.m = 'ok';
CREATE TABLE app.refers (o bigint REFERENCES app.org (id), s citext, x text DEFAULT app.f(2)::text, w app.over);
CREATE FUNCTION app.body(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT body.a + (SELECT count(*)::int FROM app.small); END;
SELECT d.kind, d.identity, d.needs
  FROM migmgr_internal.describe(
    ARRAY['pg_proc'::regclass, 'pg_proc'::regclass, 'pg_class'::regclass, 'pg_class'::regclass, 'pg_class'::regclass]::oid[],
    ARRAY[public.oid_of('pg_proc', $$proname = 'with_types'$$), public.oid_of('pg_proc', $$proname = 'body'$$), 'app.over'::regclass, 'app.refers'::regclass, 'app.small'::regclass]) AS d
 WHERE d.needs IS NOT NULL ORDER BY d.kind COLLATE "C", d.identity COLLATE "C";

-- types and functions of every kind
CREATE TYPE app.empty AS ENUM ();
CREATE TYPE app.shell;
CREATE SCHEMA "App 2";
CREATE FUNCTION "App 2"."in"(cstring) RETURNS app.shell LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION app.out(app.shell) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE app.shell (INPUT = "App 2"."in", OUTPUT = app.out, LIKE = int, DEFAULT = '7', CATEGORY = 'N', PREFERRED = true, DELIMITER = ';');
CREATE TYPE app.halves;
CREATE FUNCTION app.apart(text, text) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT 1.5';
CREATE OPERATOR CLASS "App 2".toc FOR TYPE text USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 bttextcmp(text, text);
CREATE TYPE app.between AS RANGE (SUBTYPE = text, SUBTYPE_OPCLASS = "App 2".toc, COLLATION = "C", SUBTYPE_DIFF = app.apart, MULTIRANGE_TYPE_NAME = app.betweens);
CREATE DOMAIN app.word AS varchar(9) COLLATE "C" DEFAULT lower('W');
CREATE AGGREGATE app.total(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE AGGREGATE app.moving(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int, MINITCOND = '0', COMBINEFUNC = int4pl, SSPACE = 10, SORTOP = <, PARALLEL = SAFE);
CREATE FUNCTION app.depends(OUT a int, INOUT b text DEFAULT 'q', VARIADIC c int[] DEFAULT '{1}') RETURNS record LANGUAGE sql SET work_mem = '1MB' AS 'SELECT 1, b';
ALTER FUNCTION app.depends DEPENDS ON EXTENSION citext;
REVOKE ALL ON FUNCTION app.depends FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.depends TO regress_migmgr_describe WITH GRANT OPTION;
COMMENT ON TYPE app.comp IS 'row';
\pset format unaligned
SELECT replace(d.definition, current_user, 'ME') AS definition, d.facts - '{owner,def,definition,raw}'::text[] AS facts
  FROM migmgr_internal.describe(
    (SELECT array_agg('pg_type'::regclass::oid) FROM generate_series(1, 7)) || 'pg_type'::regclass::oid || (SELECT array_agg('pg_proc'::regclass::oid) FROM generate_series(1, 3)),
    ARRAY['app.empty'::regtype, 'app.shell'::regtype, 'app.between'::regtype, 'app.betweens'::regtype, 'app.word'::regtype, 'app.comp'::regtype, 'app._empty'::regtype]::oid[] || public.oid_of('pg_type', $$typname = 'halves'$$)
      || ARRAY[public.oid_of('pg_proc', $$proname = 'total'$$), public.oid_of('pg_proc', $$proname = 'moving'$$), public.oid_of('pg_proc', $$proname = 'depends'$$)]) AS d
 ORDER BY d.kind COLLATE "C", d.identity COLLATE "C";
\pset format aligned

-- facts that a change makes differ, and what stays as it is underneath
CREATE FUNCTION public.changes(sql text) RETURNS TABLE (object text, differ text, raw text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  DROP TABLE IF EXISTS before;
  CREATE TEMP TABLE before AS SELECT * FROM migmgr_internal.describe();
  EXECUTE sql;
  RETURN QUERY
    SELECT d.kind || ' ' || d.identity, (SELECT string_agg(k, ', ' ORDER BY k COLLATE "C") FROM jsonb_object_keys(b.facts || d.facts) AS k WHERE k <> 'raw' AND b.facts -> k IS DISTINCT FROM d.facts -> k),
           (SELECT string_agg(k, ', ' ORDER BY k COLLATE "C") FROM jsonb_object_keys(b.facts -> 'raw' || (d.facts -> 'raw')) AS k WHERE b.facts -> 'raw' -> k IS DISTINCT FROM d.facts -> 'raw' -> k)
      FROM before AS b JOIN migmgr_internal.describe() AS d ON (d.classid, d.objid, d.objsubid) = (b.classid, b.objid, b.objsubid)
     WHERE b.facts <> d.facts ORDER BY (d.kind || ' ' || d.identity) COLLATE "C";
END
$$;
CREATE FUNCTION app.f2(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE AGGREGATE app.renamed(int) (SFUNC = app.f2, STYPE = int);
CREATE DOMAIN app.checked AS int CONSTRAINT c CHECK (app.f2(VALUE, 1) > 0) DEFAULT app.f2(1, 2);
SELECT * FROM public.changes('ALTER FUNCTION app.f2 RENAME TO f3');
SELECT * FROM public.changes('ALTER FUNCTION app.touch RENAME TO touched');
SELECT * FROM public.changes('ALTER TABLE app.small RENAME a TO aa');
SELECT * FROM public.changes($$ALTER TYPE app.mood RENAME VALUE 'ok' TO 'good'$$);
SELECT * FROM public.changes($$CREATE OR REPLACE FUNCTION app.f3(int, int) RETURNS int LANGUAGE sql AS 'SELECT $2'$$);
SELECT * FROM public.changes('ALTER FUNCTION app.f3 COST 7');
SELECT * FROM public.changes('ALTER FUNCTION app.f3 SET SCHEMA "App 2"');
SELECT * FROM public.changes('CREATE OR REPLACE AGGREGATE app.renamed(int) (SFUNC = int4pl, STYPE = int)');
SELECT * FROM public.changes('ALTER POLICY small_p ON app.small USING (aa > 2)');
SELECT * FROM public.changes('CREATE OR REPLACE RULE small_r AS ON DELETE TO app.small DO INSTEAD NOTHING');
SELECT * FROM public.changes('CREATE OR REPLACE TRIGGER small_t BEFORE INSERT ON app.small FOR EACH ROW WHEN (NEW.aa > 3) EXECUTE FUNCTION app.touched()');
SELECT * FROM public.changes('ALTER TABLE app.small ENABLE ALWAYS TRIGGER small_t');
SELECT * FROM public.changes('ALTER DOMAIN app.checked SET DEFAULT 3');
SELECT * FROM public.changes('ALTER STATISTICS app.small_s SET STATISTICS 5');
SELECT * FROM public.changes('ALTER EXTENSION citext SET SCHEMA "App 2"');

-- settings are pinned while it lasts, and are as they were afterwards, also when it fails
SET search_path = app, public;
SET datestyle = 'German';
SET quote_all_identifiers = on;
SELECT d.definition FROM migmgr_internal.describe(ARRAY['pg_type'::regclass::oid], ARRAY['app.word'::regtype::oid]) AS d WHERE d.definition LIKE '%"domain"%';
DO $$
BEGIN
  PERFORM migmgr_internal.describe(ARRAY[1::oid, NULL], ARRAY[1::oid, NULL]);
EXCEPTION WHEN null_value_not_allowed THEN
  RAISE WARNING '%', sqlerrm;
END
$$;
SHOW search_path;
SHOW datestyle;
SHOW quote_all_identifiers;
RESET ALL;

-- for some texts the server opens relations: the locks go at once
CREATE TABLE locked (i int, t text);
CREATE VIEW locking AS SELECT i, t FROM locked;
CREATE RULE locking_rule AS ON INSERT TO locking DO INSTEAD INSERT INTO locked VALUES (new.i, new.t);
BEGIN;
SELECT length(migmgr.schema_fingerprint()) AS length;
SELECT relation::regclass, mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN ('locked'::regclass, 'locking'::regclass);
ROLLBACK;
DROP VIEW locking;
DROP TABLE locked;

\set ECHO none
SET client_min_messages = error;
\connect postgres
DROP DATABASE regress_migmgr_describe;
DROP ROLE regress_migmgr_describe, regress_migmgr_snap_reader, "regress migmgr ""Snap""";
