-- The way back that nobody wrote: derived, proved, and it leads back.
\set test derive
\set ECHO none
\i test/include/database.sql
DROP ROLE IF EXISTS regress_derive_a, regress_derive_b;
CREATE ROLE regress_derive_a;
CREATE ROLE regress_derive_b;
SELECT migmgr.set_environment('development') \gset
\set ECHO all

CREATE SCHEMA extra;
CREATE TABLE base (id int PRIMARY KEY, name text NOT NULL DEFAULT 'x', amount numeric(10, 2) CHECK (amount > 0), at timestamptz, note varchar(20));
CREATE INDEX base_name ON base (name);
CREATE TABLE other (id int PRIMARY KEY, base int REFERENCES base);
CREATE TABLE parent (id int, v text);
CREATE TABLE child (w int) INHERITS (parent);
CREATE TABLE parts (day date NOT NULL, v int) PARTITION BY RANGE (day);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE loose (day date NOT NULL, v int);
CREATE VIEW shown AS SELECT id, name FROM base;
CREATE VIEW shown_again AS SELECT name FROM shown;
CREATE MATERIALIZED VIEW kept AS SELECT name FROM base;
CREATE FUNCTION calc(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON base FOR EACH ROW EXECUTE FUNCTION touch();
CREATE POLICY mine ON base USING (id = 1);
CREATE RULE quiet AS ON DELETE TO other DO INSTEAD NOTHING;
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE numbers;
CREATE STATISTICS base_both ON name, amount FROM base;
SET client_min_messages = error;
CREATE PUBLICATION news FOR TABLE other (id, base);
RESET client_min_messages;
CREATE TYPE extra.span AS RANGE (subtype = float8);
CREATE OPERATOR FAMILY extra.ops USING btree;
CREATE OPERATOR CLASS extra.c FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
COMMENT ON TABLE base IS 'the base';
GRANT SELECT ON base TO regress_derive_a;

CREATE TEMP TABLE script (n serial PRIMARY KEY, sql text);
INSERT INTO script (sql) VALUES
  ('CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b int REFERENCES base, s serial, u text UNIQUE)'),
  ('CREATE TABLE t (id int PRIMARY KEY); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NEW; END''; CREATE TRIGGER tt BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tf(); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY tp ON t USING (true); COMMENT ON TABLE t IS ''t''; GRANT SELECT ON t TO regress_derive_a'),
  ('CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a); ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b'),
  ('CREATE TABLE t (id int); CREATE FUNCTION dflt() RETURNS int LANGUAGE sql AS ''SELECT 1''; ALTER TABLE t ALTER COLUMN id SET DEFAULT dflt(); CREATE TYPE e AS ENUM (''x''); ALTER TABLE t ADD COLUMN e e'),
  ('CREATE SEQUENCE s; CREATE TABLE t (id int DEFAULT nextval(''s'')); ALTER SEQUENCE s OWNED BY t.id; CREATE VIEW v AS SELECT * FROM t; CREATE MATERIALIZED VIEW mv AS SELECT * FROM v'),
  ('CREATE SCHEMA fresh; CREATE TABLE fresh.t (id int); CREATE DOMAIN fresh.d AS int CHECK (VALUE > 1); CREATE TYPE fresh.c AS (a fresh.d)'),
  ('ALTER TABLE base ADD COLUMN c1 int, ADD COLUMN c2 text DEFAULT ''y'' NOT NULL; CREATE INDEX base_c1 ON base (c1)'),
  ('ALTER TABLE base ADD CONSTRAINT short CHECK (length(name) < 100), ADD UNIQUE (note)'),
  ('CREATE TRIGGER second BEFORE INSERT ON base FOR EACH ROW EXECUTE FUNCTION touch(); CREATE POLICY yours ON base FOR SELECT USING (id = 2); CREATE RULE loud AS ON INSERT TO other DO ALSO NOTHING; CREATE STATISTICS base_two ON id, name FROM base'),
  ('DO $d$BEGIN EXECUTE ''CREATE TABLE hidden (i int)''; EXECUTE ''ALTER TABLE base ADD COLUMN hidden int''; END$d$'),
  ('ALTER TABLE base ALTER COLUMN name DROP NOT NULL, ALTER COLUMN name DROP DEFAULT, ALTER COLUMN at SET DEFAULT now(), ALTER COLUMN at SET NOT NULL'),
  ('ALTER TABLE base ALTER COLUMN amount TYPE numeric(12, 3), ALTER COLUMN note TYPE text'),
  ('ALTER TABLE base RENAME TO basis; ALTER TABLE basis RENAME COLUMN name TO title'),
  ('ALTER TABLE base SET SCHEMA extra; ALTER FUNCTION calc(int) SET SCHEMA extra; ALTER TYPE mood SET SCHEMA extra'),
  ('ALTER TABLE base OWNER TO regress_derive_a; ALTER FUNCTION calc(int) OWNER TO regress_derive_b'),
  ('GRANT INSERT ON base TO regress_derive_b WITH GRANT OPTION; REVOKE SELECT ON base FROM regress_derive_a; GRANT UPDATE (name) ON base TO regress_derive_a'),
  ('COMMENT ON TABLE base IS NULL; COMMENT ON COLUMN base.name IS ''the name''; COMMENT ON FUNCTION calc(int) IS ''adds''; COMMENT ON INDEX base_name IS ''i'''),
  ('ALTER TABLE base ENABLE ROW LEVEL SECURITY; ALTER TABLE base FORCE ROW LEVEL SECURITY; ALTER POLICY mine ON base USING (id = 3)'),
  ('ALTER TABLE base SET (fillfactor = 70, autovacuum_enabled = false); ALTER TABLE base ALTER COLUMN name SET STATISTICS 500; ALTER TABLE base ALTER COLUMN name SET STORAGE EXTERNAL'),
  ('CREATE OR REPLACE FUNCTION calc(a int) RETURNS int LANGUAGE sql AS ''SELECT a + 2''; CREATE OR REPLACE VIEW shown_again AS SELECT name, 1 AS one FROM shown'),
  ('ALTER FUNCTION calc(int) STRICT SECURITY DEFINER SET work_mem = ''1MB''; ALTER FUNCTION touch() RENAME TO touched'),
  ('DROP TRIGGER touch ON base; DROP POLICY mine ON base; DROP INDEX base_name; DROP RULE quiet ON other; DROP STATISTICS base_both'),
  ('DROP VIEW shown_again; DROP VIEW shown; CREATE VIEW shown AS SELECT name FROM base'),
  ('DROP VIEW shown CASCADE; DROP MATERIALIZED VIEW kept; DROP FUNCTION calc(int)'),
  ('DROP POLICY mine ON base; CREATE POLICY mine ON base USING (id = 9); DROP TRIGGER touch ON base; CREATE TRIGGER touch BEFORE UPDATE OF name ON base FOR EACH ROW EXECUTE FUNCTION touch()'),
  ('ALTER TABLE base DISABLE TRIGGER touch; ALTER TABLE other DISABLE RULE quiet'),
  ('ALTER TABLE base DROP CONSTRAINT base_amount_check; ALTER TABLE other DROP CONSTRAINT other_base_fkey; ALTER TABLE other DROP CONSTRAINT other_pkey'),
  ('ALTER TABLE base RENAME CONSTRAINT base_amount_check TO amount_positive; ALTER INDEX base_name RENAME TO base_by_name; ALTER TRIGGER touch ON base RENAME TO feel; ALTER POLICY mine ON base RENAME TO own'),
  ('CREATE UNIQUE INDEX base_at ON base (at); ALTER TABLE base ADD CONSTRAINT base_at UNIQUE USING INDEX base_at; ALTER TABLE base REPLICA IDENTITY FULL'),
  ('ALTER TABLE parent ADD COLUMN added int; ALTER TABLE parent ALTER COLUMN v SET DEFAULT ''v''; ALTER TABLE child NO INHERIT parent'),
  ('CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (''2026-02-01'') TO (''2026-03-01''); CREATE INDEX parts_v ON parts (v); ALTER TABLE parts ADD COLUMN extra int'),
  ('ALTER TABLE parts ATTACH PARTITION loose FOR VALUES FROM (''2026-03-01'') TO (''2026-04-01''); ALTER TABLE parts DETACH PARTITION parts_1'),
  ('ALTER TYPE mood RENAME VALUE ''sad'' TO ''down''; ALTER TYPE pair ADD ATTRIBUTE c int; ALTER TYPE pair RENAME ATTRIBUTE a TO first; ALTER DOMAIN positive DROP CONSTRAINT positive_check; ALTER DOMAIN positive SET DEFAULT 5'),
  ('ALTER TYPE mood ADD VALUE ''angry'''),
  ('ALTER SEQUENCE numbers INCREMENT BY 5 MAXVALUE 1000 CYCLE; ALTER SEQUENCE numbers OWNED BY base.id'),
  ('ALTER SCHEMA extra RENAME TO more; CREATE TABLE more.t (i int)'),
  ('DROP TABLE other; DROP TYPE pair; DROP DOMAIN positive; DROP SEQUENCE numbers'),
  ('ALTER DEFAULT PRIVILEGES IN SCHEMA extra GRANT SELECT ON TABLES TO regress_derive_a'),
  ('CREATE PUBLICATION pub FOR TABLE base; CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS ''BEGIN END''; CREATE EVENT TRIGGER et ON sql_drop EXECUTE FUNCTION seen()'),
  ('CREATE PROCEDURE run_it() LANGUAGE sql AS ''SELECT 1''; CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = 0); CREATE CAST (mood AS positive) WITH INOUT; CREATE COLLATION extra.c FROM "C"; CREATE TEXT SEARCH CONFIGURATION extra.cfg (COPY = simple)'),
  ('CREATE TABLE t (i int); DROP TABLE t; CREATE TABLE t (j int); ALTER TABLE t ADD COLUMN k int; ALTER TABLE t DROP COLUMN j'),
  ('UPDATE base SET name = ''changed'' WHERE id = 1'),
  ('SELECT 1'),
  ('CREATE FUNCTION touch_2() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN OLD; END''; CREATE OR REPLACE TRIGGER touch AFTER UPDATE ON base FOR EACH ROW EXECUTE FUNCTION touch_2()'),
  ('CREATE OR REPLACE RULE quiet AS ON DELETE TO other DO ALSO NOTHING'),
  ('ALTER TABLE other DROP COLUMN base CASCADE'),
  ('DROP OPERATOR FAMILY extra.ops USING btree'),
  ('DROP OPERATOR CLASS extra.c USING btree'),
  ('DROP TYPE extra.span');

INSERT INTO base (id, at) VALUES (1, '2026-01-01'), (2, '2026-01-02');
SET client_min_messages = error;
CREATE FUNCTION pg_temp.both_ways(n int, sql text) RETURNS TABLE (reversible text, back boolean, again boolean, error text) LANGUAGE plpgsql AS $$
DECLARE
  one text := migmgr.schema_fingerprint();
  two text;
BEGIN
  SELECT a.reversible INTO reversible FROM migmgr.apply('9' || lpad(n::text, 3, '0'), 'script', sql, options => '{"skip_failed": true}') AS a;
  two := migmgr.schema_fingerprint();
  PERFORM migmgr.rollback('9' || lpad(n::text, 3, '0'), 'test', on_data => 'discard');
  back := migmgr.schema_fingerprint() = one;
  PERFORM migmgr.apply('9' || lpad(n::text, 3, '0'), 'script', sql, options => '{"skip_failed": true}');
  again := migmgr.schema_fingerprint() = two;
  PERFORM migmgr.rollback('9' || lpad(n::text, 3, '0'), 'test', on_data => 'discard');
  RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
  error := SQLERRM;
  RETURN NEXT;
END $$;
SELECT s.n, split_part(b.reversible, ':', 1) AS reversible, b.back, b.again, b.error FROM script AS s, LATERAL pg_temp.both_ways(s.n, s.sql) AS b ORDER BY s.n;

-- the migrations of the runbook, without their way back
RESET client_min_messages;
SET client_min_messages = warning;
CREATE SCHEMA auth;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid';
CREATE TABLE profiles (id uuid PRIMARY KEY, role text, organisation_id uuid);
CREATE TABLE qc_jobs (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), status text, organisation_id uuid, started_at timestamptz, error_message text, completed_at timestamptz);
INSERT INTO qc_jobs (status) SELECT 'running' FROM generate_series(1, 1000);
SELECT migmgr.set_environment('production') \gset
\set first `sed '/^-- migmgr:down/,$d; s/service_role/regress_derive_a/' test/demo/migrations/001_create_job_dlq.sql`
\set second `sed '/^-- migmgr:down/,$d; s/service_role/regress_derive_a/' test/demo/migrations/002_add_heartbeat_column.sql`
SELECT migmgr.schema_fingerprint() AS before \gset
SELECT status, reversible FROM migmgr.apply_file('001_create_job_dlq.sql', :'first', options => '{"allow_out_of_order": true}');
SELECT status, reversible FROM migmgr.apply_file('002_add_heartbeat_column.sql', :'second', options => '{"allow_out_of_order": true}');
SELECT migmgr.schema_fingerprint() AS after \gset
SELECT s.text FROM migmgr.ledger AS l JOIN migmgr_internal.script AS s ON s.checksum = l.detail::jsonb ->> 'derived' WHERE l.version IN ('001', '002') ORDER BY l.seq;
UPDATE qc_jobs SET last_heartbeat_at = now() WHERE status = 'running';
SELECT state, detail FROM public.caught($$SELECT * FROM migmgr.rollback('002')$$);
SELECT status FROM migmgr.rollback('002', 'not needed', on_data => 'archive');
SELECT status FROM migmgr.rollback('001', 'not needed');
SELECT migmgr.schema_fingerprint() = :'before' AS back;
SELECT status, reversible FROM migmgr.apply_file('001_create_job_dlq.sql', :'first', options => '{"allow_out_of_order": true}');
SELECT status, reversible, split_part(detail, ';', 1) AS detail FROM migmgr.apply_file('002_add_heartbeat_column.sql', :'second', options => '{"allow_out_of_order": true}');
SELECT migmgr.schema_fingerprint() = :'after' AS again;
\connect postgres
DROP DATABASE regress_migmgr_derive;
DROP ROLE regress_derive_a, regress_derive_b;
