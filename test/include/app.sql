-- A schema with something of every kind, made and unmade.
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
