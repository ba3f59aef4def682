-- What describes the schema: describe() and schema_fingerprint().
\set test snapshot
\set ECHO none
\i test/include/database.sql
SET client_min_messages = error;
SELECT migmgr.set_environment('development') \gset
CREATE ROLE regress_migmgr_snap_reader;
CREATE ROLE "regress migmgr ""Snap""";
\set ECHO all

CREATE FUNCTION public.make_app() RETURNS void LANGUAGE plpgsql AS $make$
BEGIN
  CREATE SCHEMA app;
  CREATE TYPE app.mood AS ENUM ('sad', 'ok');
  CREATE DOMAIN app.pos AS int DEFAULT 1 NOT NULL CONSTRAINT positive CHECK (VALUE > 0);
  CREATE TYPE app.comp AS (a int, b text COLLATE "C");
  CREATE TYPE app.span AS RANGE (subtype = float8);
  CREATE FUNCTION app.f(a int, b text = 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
  CREATE PROCEDURE app.p() LANGUAGE sql AS '';
  CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE AGGREGATE app.mysum(int) (sfunc = int4pl, stype = int, initcond = '0');
  CREATE SEQUENCE app.s INCREMENT 3;
  CREATE TABLE app.org (id bigint GENERATED ALWAYS AS IDENTITY (START 5) PRIMARY KEY, name text UNIQUE NOT NULL);
  CREATE TABLE app.t (id serial PRIMARY KEY, m app.mood DEFAULT 'ok', p app.pos, c app.comp, org bigint REFERENCES app.org,
    n numeric(10,2) CHECK (n > 0), d date DEFAULT '2026-01-02', w interval DEFAULT '-1 day -2 hours', z timestamptz DEFAULT '2026-01-02 03:04+00',
    g int GENERATED ALWAYS AS (2 * 3) STORED, "Odd ""x" text COLLATE "C") WITH (fillfactor = 70, autovacuum_enabled = off);
  COMMENT ON TABLE app.t IS 'it''s';
  COMMENT ON COLUMN app.t.n IS 'amount';
  GRANT SELECT ON app.t TO regress_migmgr_snap_reader;
  GRANT UPDATE (n) ON app.t TO "regress migmgr ""Snap""" WITH GRANT OPTION;
  ALTER TABLE app.t ALTER COLUMN n SET STATISTICS 50, ALTER COLUMN c SET STORAGE external, ALTER COLUMN n SET (n_distinct = 5);
  ALTER TABLE app.t REPLICA IDENTITY FULL;
  CREATE INDEX t_n ON app.t (n DESC) WHERE n > 3;
  CREATE INDEX t_e ON app.t ((app.f(id)));
  CREATE TRIGGER touch BEFORE UPDATE OF n ON app.t FOR EACH ROW WHEN (OLD.n > 1) EXECUTE FUNCTION app.touch();
  ALTER TABLE app.t DISABLE TRIGGER touch;
  ALTER TABLE app.t ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON app.t FOR SELECT TO regress_migmgr_snap_reader USING (n > 1);
  CREATE VIEW app.v WITH (security_barrier = true) AS SELECT id, n, m FROM app.t;
  CREATE RULE r AS ON INSERT TO app.v DO INSTEAD NOTHING;
  COMMENT ON COLUMN app.v.n IS 'vn';
  CREATE MATERIALIZED VIEW app.mv AS SELECT id FROM app.v;
  CREATE UNIQUE INDEX mv_id ON app.mv (id);
  CREATE STATISTICS app.st ON n, org FROM app.t;
  CREATE TABLE app.part (a int, b text) PARTITION BY RANGE (a);
  CREATE TABLE app.part1 PARTITION OF app.part FOR VALUES FROM (1) TO (10);
  CREATE INDEX part_b ON app.part (b);
  CREATE TABLE app.base (x int CHECK (x > 0));
  CREATE TABLE app.child (y int) INHERITS (app.base);
  CREATE PUBLICATION regress_migmgr_pub FOR TABLE app.t (id, n) WHERE (n > 1);
  CREATE FOREIGN DATA WRAPPER regress_migmgr_wrapper;
  CREATE SERVER regress_migmgr_server FOREIGN DATA WRAPPER regress_migmgr_wrapper OPTIONS (host 'h');
  CREATE USER MAPPING FOR regress_migmgr_snap_reader SERVER regress_migmgr_server OPTIONS (password 'secret');
  CREATE FOREIGN TABLE app.ft (a int OPTIONS (k 'v')) SERVER regress_migmgr_server OPTIONS (z '1');
  CREATE TEXT SEARCH DICTIONARY app.dict (TEMPLATE = simple, stopwords = 'english');
  CREATE TEXT SEARCH CONFIGURATION app.cfg (PARSER = default);
  ALTER TEXT SEARCH CONFIGURATION app.cfg ADD MAPPING FOR word, email WITH app.dict, simple;
  CREATE OPERATOR app.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int);
  CREATE OPERATOR FAMILY app.fam USING btree;
  CREATE OPERATOR CLASS app.oc FOR TYPE int USING btree FAMILY app.fam AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
  CREATE CAST (app.mood AS int) WITH INOUT;
  CREATE COLLATION app.col (LC_COLLATE = 'C', LC_CTYPE = 'POSIX');
  CREATE CONVERSION app.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
  ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO regress_migmgr_snap_reader;
  CREATE FUNCTION app.nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
  CREATE EVENT TRIGGER regress_migmgr_event ON ddl_command_end WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION app.nothing();
END
$make$;
CREATE FUNCTION public.unmake_app() RETURNS void LANGUAGE plpgsql AS $unmake$
BEGIN
  DROP EVENT TRIGGER regress_migmgr_event;
  DROP PUBLICATION regress_migmgr_pub;
  DROP FOREIGN DATA WRAPPER regress_migmgr_wrapper CASCADE;
  DROP SCHEMA app CASCADE;
END
$unmake$;
SELECT migmgr.schema_fingerprint() AS empty \gset
SELECT public.make_app();
SELECT migmgr.schema_fingerprint() AS full_one \gset

-- everything, as text
\pset format unaligned
SELECT regexp_replace(replace(definition, current_user, 'ME'), ' AS\nSELECT .*?(?=\n  OWNER)', ' AS ...') AS definition
  FROM migmgr_internal.describe() WHERE identity ~ 'app\.|^app$|regress' ORDER BY kind COLLATE "C", identity COLLATE "C";
SELECT kind, identity, needs FROM migmgr_internal.describe() WHERE needs IS NOT NULL AND needs <> '{"schema app"}' ORDER BY kind COLLATE "C", identity COLLATE "C";
\pset format aligned

-- the same schema, the same fingerprint
SELECT migmgr.schema_fingerprint() = :'full_one' AS again, :'full_one' <> :'empty' AS not_empty;
SET search_path = app, public;
SET datestyle = 'German';
SET intervalstyle = 'sql_standard';
SET timezone = 'Asia/Kolkata';
SET extra_float_digits = 0;
SET quote_all_identifiers = on;
SELECT migmgr.schema_fingerprint() = :'full_one' AS whatever_the_settings;
RESET ALL;
SET client_min_messages = error;
SELECT public.unmake_app();
SELECT migmgr.schema_fingerprint() = :'empty' AS gone;
SELECT public.make_app();
SELECT migmgr.schema_fingerprint() = :'full_one' AS other_oids;
ALTER TABLE app.org ADD COLUMN extra int;
SELECT migmgr.schema_fingerprint() = :'full_one' AS with_a_column;
ALTER TABLE app.org DROP COLUMN extra;
ALTER TABLE app.org DROP COLUMN name;
ALTER TABLE app.org ADD COLUMN name text UNIQUE NOT NULL;
SELECT migmgr.schema_fingerprint() = :'full_one' AS other_column_numbers;
CREATE TEMP TABLE temporary (a int);
CREATE TEMP VIEW temporary_view AS SELECT 1 AS one;
CREATE EXTENSION IF NOT EXISTS migmgr;
SELECT migmgr.schema_fingerprint() = :'full_one' AS temporary_objects_do_not_count;
GRANT INSERT ON app.t TO PUBLIC;
REVOKE INSERT ON app.t FROM PUBLIC;
GRANT SELECT ON app.org TO PUBLIC;
REVOKE SELECT ON app.org FROM PUBLIC;
SELECT migmgr.schema_fingerprint() = :'full_one' AS default_grants_written_down;

-- left out by schema
CREATE SCHEMA other;
CREATE TABLE other.t (a int);
SELECT migmgr.schema_fingerprint() = :'full_one' AS with_other, migmgr.schema_fingerprint('{other}') = :'full_one' AS without_other;
DROP SCHEMA other CASCADE;

-- each of these is another schema
CREATE FUNCTION public.unseen(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  was text := migmgr.schema_fingerprint();
  now text;
BEGIN
  BEGIN
    EXECUTE sql;
    now := migmgr.schema_fingerprint();
    RAISE EXCEPTION USING ERRCODE = 'MG999';
  EXCEPTION WHEN SQLSTATE 'MG999' THEN
    RETURN CASE WHEN now = was THEN 'the same fingerprint' END;
  WHEN OTHERS THEN
    RETURN SQLERRM;
  END;
END
$$;
CREATE TABLE public.change (n int GENERATED ALWAYS AS IDENTITY, sql text);
\set ECHO none
INSERT INTO public.change (sql) SELECT btrim(s, E' \n') FROM regexp_split_to_table($$
ALTER SCHEMA app OWNER TO regress_migmgr_snap_reader; GRANT USAGE ON SCHEMA app TO PUBLIC; COMMENT ON SCHEMA app IS 'x';
ALTER TABLE app.t OWNER TO regress_migmgr_snap_reader; ALTER TABLE app.t RESET (fillfactor); ALTER TABLE app.base SET UNLOGGED;
ALTER TABLE app.t DISABLE ROW LEVEL SECURITY; ALTER TABLE app.t FORCE ROW LEVEL SECURITY; ALTER TABLE app.t REPLICA IDENTITY USING INDEX t_pkey;
ALTER TABLE app.t RENAME TO t2; ALTER TABLE app.t SET SCHEMA public; ALTER TABLE app.t RENAME n TO n2; ALTER TABLE app.t CLUSTER ON t_e;
ALTER TABLE app.t CLUSTER ON t_pkey; COMMENT ON TABLE app.t IS NULL; COMMENT ON COLUMN app.t.n IS 'other'; GRANT INSERT ON app.t TO PUBLIC;
REVOKE UPDATE (n) ON app.t FROM "regress migmgr ""Snap"""; ALTER TABLE app.t ALTER d DROP DEFAULT; ALTER TABLE app.t ALTER d SET NOT NULL;
ALTER TABLE app.part ALTER b TYPE varchar(9); ALTER TABLE app.t ALTER n SET STATISTICS 60; ALTER TABLE app.t ALTER n RESET (n_distinct);
ALTER TABLE app.t ALTER c SET STORAGE plain; ALTER TABLE app.org ALTER name SET COMPRESSION pglz; ALTER TABLE app.t ALTER g DROP EXPRESSION;
ALTER TABLE app.org ALTER id SET GENERATED BY DEFAULT; ALTER TABLE app.org ALTER id SET INCREMENT 7; ALTER TABLE app.org ALTER id DROP IDENTITY;
ALTER TABLE app.t ADD CONSTRAINT more CHECK (n < 9) NOT VALID; ALTER TABLE app.t DROP CONSTRAINT t_org_fkey; ALTER TABLE app.t RENAME CONSTRAINT t_pkey TO pk;
ALTER TABLE app.t ALTER CONSTRAINT t_org_fkey DEFERRABLE INITIALLY DEFERRED; COMMENT ON CONSTRAINT t_pkey ON app.t IS 'x'; COMMENT ON INDEX app.t_pkey IS 'x';
ALTER INDEX app.t_pkey SET (fillfactor = 50); ALTER INDEX app.t_n SET (fillfactor = 50); ALTER INDEX app.t_n RENAME TO t_nn; DROP INDEX app.t_n; COMMENT ON INDEX app.t_n IS 'x';
ALTER INDEX app.t_e ALTER COLUMN 1 SET STATISTICS 9; ALTER TABLE app.t ENABLE ALWAYS TRIGGER touch; DROP TRIGGER touch ON app.t; COMMENT ON TRIGGER touch ON app.t IS 'x';
CREATE OR REPLACE TRIGGER touch AFTER INSERT ON app.t EXECUTE FUNCTION app.touch(); ALTER POLICY own ON app.t TO PUBLIC; ALTER POLICY own ON app.t USING (true);
ALTER POLICY own ON app.t RENAME TO mine; COMMENT ON POLICY own ON app.t IS 'x'; ALTER VIEW app.v RESET (security_barrier); CREATE OR REPLACE VIEW app.v AS SELECT id, n, m, 1 AS one FROM app.t;
ALTER VIEW app.v ALTER n SET DEFAULT 1; DROP RULE r ON app.v; COMMENT ON RULE r ON app.v IS 'x'; DROP MATERIALIZED VIEW app.mv; ALTER MATERIALIZED VIEW app.mv ALTER id SET STATISTICS 5;
ALTER STATISTICS app.st SET STATISTICS 5; ALTER STATISTICS app.st RENAME TO st2; ALTER TABLE app.part DETACH PARTITION app.part1; ALTER TABLE app.child NO INHERIT app.base;
ALTER TYPE app.mood ADD VALUE 'glad' BEFORE 'sad'; ALTER TYPE app.mood RENAME VALUE 'ok' TO 'fine'; ALTER TYPE app.comp ADD ATTRIBUTE c int; ALTER TYPE app.comp RENAME ATTRIBUTE a TO aa;
ALTER DOMAIN app.pos DROP NOT NULL; ALTER DOMAIN app.pos SET DEFAULT 2; ALTER DOMAIN app.pos DROP CONSTRAINT positive; ALTER DOMAIN app.pos OWNER TO regress_migmgr_snap_reader;
CREATE OR REPLACE FUNCTION app.f(a int, b text = 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2'; ALTER FUNCTION app.f(int, text) COST 7; REVOKE EXECUTE ON FUNCTION app.f(int, text) FROM PUBLIC;
ALTER FUNCTION app.f(int, text) SET work_mem = '1MB'; ALTER PROCEDURE app.p() RENAME TO p2; COMMENT ON FUNCTION app.touch() IS 'x'; COMMENT ON AGGREGATE app.mysum(int) IS 'x';
CREATE OR REPLACE AGGREGATE app.mysum(int) (sfunc = int4pl, stype = int, initcond = '1'); ALTER SEQUENCE app.s INCREMENT 4; ALTER SEQUENCE app.s OWNED BY app.t.n; ALTER SEQUENCE app.t_id_seq OWNED BY NONE;
ALTER PUBLICATION regress_migmgr_pub SET (publish = 'insert'); ALTER PUBLICATION regress_migmgr_pub ADD TABLE app.org; ALTER PUBLICATION regress_migmgr_pub SET TABLE app.t;
ALTER SERVER regress_migmgr_server OPTIONS (SET host 'i'); ALTER FOREIGN DATA WRAPPER regress_migmgr_wrapper OPTIONS (a 'b'); ALTER FOREIGN TABLE app.ft OPTIONS (DROP z); ALTER FOREIGN TABLE app.ft ALTER a OPTIONS (SET k 'w');
ALTER USER MAPPING FOR regress_migmgr_snap_reader SERVER regress_migmgr_server OPTIONS (ADD more 'x'); ALTER TEXT SEARCH CONFIGURATION app.cfg DROP MAPPING FOR email; ALTER TEXT SEARCH DICTIONARY app.dict (stopwords);
COMMENT ON OPERATOR app.=== (int, int) IS 'x'; ALTER OPERATOR FAMILY app.fam USING btree ADD OPERATOR 1 < (int, int2); ALTER OPERATOR CLASS app.oc USING btree RENAME TO oc2; DROP CAST (app.mood AS int);
CREATE CAST (app.comp AS text) WITH INOUT AS ASSIGNMENT; ALTER COLLATION app.col RENAME TO col2; ALTER CONVERSION app.conv RENAME TO conv2; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT INSERT ON TABLES TO PUBLIC; ALTER EVENT TRIGGER regress_migmgr_event DISABLE; ALTER EVENT TRIGGER regress_migmgr_event RENAME TO regress_migmgr_event2
$$, ';') AS s;
\set ECHO all
SELECT c.sql, u.why FROM public.change AS c, public.unseen(c.sql) AS u(why) WHERE u.why IS NOT NULL ORDER BY c.n;
SELECT count(*) > 80 AS many FROM public.change;

-- of named objects: they and their parts, whatever part is named, and nothing else
CREATE FUNCTION public.of(VARIADIC addresses text[]) RETURNS TABLE (kind text, identity text) LANGUAGE sql AS $$
  SELECT d.kind, d.identity
    FROM (SELECT array_agg(a.classid) AS classids, array_agg(a.objid) AS objids
            FROM unnest(addresses) AS t(text), pg_get_object_address(split_part(t.text, ' ', 1), string_to_array(split_part(t.text, ' ', 2), '.'), '{}') AS a) AS a,
         migmgr_internal.describe(a.classids, a.objids) AS d
   ORDER BY d.kind COLLATE "C", d.identity COLLATE "C"
$$;
SELECT * FROM public.of('table app.org');
SELECT * FROM public.of('index app.t_n');
SELECT * FROM public.of('schema app', 'sequence app.s');
SELECT d.kind, d.identity FROM migmgr_internal.describe(ARRAY['pg_type'::regclass::oid, 'pg_type'::regclass], ARRAY['app.pos'::regtype::oid, 'app.comp'::regtype]) AS d ORDER BY d.kind COLLATE "C", d.identity COLLATE "C";
SELECT count(*) FROM migmgr_internal.describe(ARRAY['pg_class'::regclass::oid, 'pg_class'::regclass::oid], ARRAY['migmgr.ledger'::regclass::oid, 4294967295]);
SELECT * FROM public.of('table app.org') EXCEPT SELECT kind, identity FROM migmgr_internal.describe();

-- named or found, described the same
SELECT count(*) > 60 AS many, count(*) FILTER (WHERE n <> 2) AS described_differently
  FROM (SELECT count(*) AS n
          FROM (SELECT d.* FROM migmgr_internal.describe() AS d
                UNION ALL
                SELECT d.* FROM (SELECT array_agg(classid) AS c, array_agg(objid) AS o FROM migmgr_internal.describe()) AS a, migmgr_internal.describe(a.c, a.o) AS d) AS d
         GROUP BY to_jsonb(d)) AS g;

SELECT public.unmake_app();
\connect postgres
DROP DATABASE regress_migmgr_snapshot;
DROP ROLE regress_migmgr_snap_reader, "regress migmgr ""Snap""";
