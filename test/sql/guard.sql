-- The guard at work: what is refused leaves nothing behind, what is free
-- stays free, and a script is judged by its net effect.
\set test guard
\set ECHO none
\i test/include/database.sql
\set ECHO all
CREATE ROLE regress_migmgr_reader;
CREATE TABLE parent (id integer PRIMARY KEY);
CREATE TABLE t (id integer PRIMARY KEY, a integer CHECK (a > 0), b text DEFAULT 'x', ref integer REFERENCES parent);
CREATE INDEX t_b ON t (b);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN price AS integer;
CREATE TABLE typed (id integer, m mood, p price);
CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
REVOKE ALL ON FUNCTION f() FROM PUBLIC;
CREATE TABLE uses_f (id integer, x integer DEFAULT f());
CREATE FUNCTION trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER trg BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION trg();
CREATE VIEW v AS SELECT id FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM parent;
CREATE UNIQUE INDEX mv_id ON mv (id);
CREATE SCHEMA s CREATE TABLE inside (id integer);
CREATE SEQUENCE seq;
CREATE POLICY p ON t USING (a > 1);
CREATE POLICY p2 ON t USING (a > 2);
INSERT INTO parent VALUES (1);
INSERT INTO t VALUES (1, 1, 'x', 1);
INSERT INTO typed VALUES (1, 'sad', 1);
SELECT migmgr.set_environment('production');

-- directly: SQLSTATE, message, and nothing changed
SELECT public.fingerprint() AS before \gset
SELECT n, c.state, c.message FROM (VALUES
    (1, 'ALTER TABLE t DROP COLUMN a'), (2, 'DROP TABLE t'), (3, 'ALTER TABLE t ALTER COLUMN a TYPE bigint'),
    (4, 'DO $$BEGIN EXECUTE ''DROP TABLE '' || ''t''; END$$'), (5, 'DROP TYPE mood CASCADE'), (6, 'DROP DOMAIN price CASCADE'),
    (7, 'DROP FUNCTION f() CASCADE'), (8, 'DROP SCHEMA s CASCADE'), (9, 'DROP OWNED BY CURRENT_USER'), (10, 'TRUNCATE t'),
    (11, 'TRUNCATE parent CASCADE'), (12, 'ALTER TABLE t RENAME TO t2'), (13, 'ALTER TABLE t RENAME COLUMN a TO a2'),
    (14, 'ALTER TABLE t SET SCHEMA s'), (15, 'DROP INDEX t_b'), (16, 'DROP VIEW v'), (17, 'DROP POLICY p ON t'),
    (18, 'DROP TRIGGER trg ON t'), (19, 'ALTER TABLE t DISABLE TRIGGER trg'), (20, 'ALTER TABLE t ADD UNIQUE (a)'),
    (21, 'CREATE UNIQUE INDEX ON t (a)'), (22, 'GRANT SELECT ON t TO PUBLIC'), (23, 'ALTER TABLE t DISABLE ROW LEVEL SECURITY, DROP COLUMN a'),
    (24, 'ALTER TABLE t ADD COLUMN c integer, DROP COLUMN a'), (25, 'DROP SEQUENCE seq'), (26, 'DROP MATERIALIZED VIEW mv'),
    (27, 'ALTER TABLE t DROP CONSTRAINT t_pkey'), (28, 'CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING'),
    (29, 'ALTER TYPE mood RENAME VALUE ''sad'' TO ''blue'''), (30, 'ALTER TABLE t OWNER TO regress_migmgr_reader'),
    (31, 'DROP EXTENSION plpgsql CASCADE')) AS q(n, sql),
  LATERAL public.caught(q.sql) AS c ORDER BY n;
-- the whole of a refusal
SELECT * FROM public.caught('ALTER TABLE t DROP COLUMN a') \gx
SELECT * FROM public.caught('ALTER TABLE t ALTER COLUMN a TYPE bigint') \gx
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT count(*) FROM t;

-- free: what does not exist, is temporary, or is new
DROP TABLE IF EXISTS nosuch;
DROP FUNCTION IF EXISTS nosuch(integer);
DROP POLICY IF EXISTS nosuch ON t;
ALTER TABLE IF EXISTS nosuch DROP COLUMN a;
CREATE TEMP TABLE tmp (id integer, a text);
ALTER TABLE tmp ALTER COLUMN id TYPE bigint;
ALTER TABLE tmp DROP COLUMN a;
TRUNCATE tmp;
DROP TABLE tmp;
CREATE TEMP TABLE tmp (id integer) ON COMMIT DROP;
DISCARD TEMP;
BEGIN;
CREATE TABLE fresh (id serial PRIMARY KEY, a integer);
INSERT INTO fresh (a) VALUES (1);
ALTER TABLE fresh ALTER COLUMN a TYPE bigint;
ALTER TABLE fresh DROP COLUMN a;
TRUNCATE fresh;
CREATE FUNCTION fresh_f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
DROP FUNCTION fresh_f();
CREATE TYPE fresh_t AS ENUM ('a');
ALTER TABLE fresh ADD COLUMN m fresh_t;
DROP TYPE fresh_t CASCADE;
DROP TABLE fresh;
ALTER TABLE t ADD COLUMN c integer;
ALTER TABLE t DROP COLUMN c;
COMMIT;
-- replaced is not new
BEGIN;
CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 2';
SELECT state, message FROM public.caught('DROP FUNCTION f() CASCADE');
ROLLBACK;
-- a savepoint that is rolled back takes what it made with it
BEGIN;
SAVEPOINT a;
CREATE TABLE fresh (id integer);
ROLLBACK TO a;
CREATE TABLE fresh (id integer);
DROP TABLE fresh;
COMMIT;

-- what commits by itself is decided at its start
CREATE INDEX CONCURRENTLY t_a ON t (a);
REINDEX INDEX CONCURRENTLY t_a;
REFRESH MATERIALIZED VIEW CONCURRENTLY mv;
DROP INDEX CONCURRENTLY t_a;
SELECT indexrelid::regclass, indisvalid, indisready FROM pg_index WHERE indexrelid = 't_a'::regclass;
SELECT migmgr.set_policy('production', 'destructive', 'allow', in_schema => 'public') IS NOT NULL AS set;
DROP INDEX CONCURRENTLY t_a;
SELECT migmgr.set_policy('production', 'destructive', NULL, in_schema => 'public') IS NOT NULL AS set;

-- replica mode does not go around it
SET session_replication_role = replica;
SELECT state FROM public.caught('DROP TABLE t');
RESET session_replication_role;

-- allowed in one schema, but the cascade reaches another
CREATE VIEW public.on_inside AS SELECT id FROM s.inside;
SELECT migmgr.set_policy('production', 'destructive', 'allow', in_schema => 's') IS NOT NULL AS set;
SELECT state, message FROM public.caught('DROP TABLE s.inside CASCADE');
DROP VIEW IF EXISTS s.nosuch;
SELECT migmgr.set_policy('production', 'destructive', NULL, in_schema => 's') IS NOT NULL AS set;

-- inside a script: definitions that come back are replaced
SELECT status, class, detail FROM migmgr.apply('01', 'again', $$
DROP TRIGGER IF EXISTS trg ON t;
CREATE TRIGGER trg BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION trg();
DROP POLICY IF EXISTS p ON t;
CREATE POLICY p ON t USING (a > 1);
DROP VIEW v;
CREATE VIEW v AS SELECT id FROM t;
DROP INDEX t_b;
CREATE INDEX t_b ON t (b);
ALTER TABLE t DROP CONSTRAINT t_a_check;
DROP INDEX IF EXISTS nosuch;
$$);
SELECT action, type, identity FROM migmgr.objects WHERE version = '01' ORDER BY n;
SELECT status, class FROM migmgr.apply('02', 'grants kept', $$
DROP VIEW v;
CREATE VIEW v AS SELECT id FROM t;
ALTER TABLE uses_f ALTER COLUMN x DROP DEFAULT;
DROP FUNCTION f();
CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 3';
REVOKE ALL ON FUNCTION f() FROM PUBLIC;
ALTER TABLE uses_f ALTER COLUMN x SET DEFAULT f();
$$);
-- not back, weaker, or only some of them: refused, and nothing is left
SELECT public.fingerprint() AS before \gset
SELECT n, c.state, c.message FROM (VALUES
    (1, 'DROP TRIGGER trg ON t'), (2, 'DROP POLICY p ON t; CREATE POLICY p ON t USING (true)'),
    (3, 'DROP POLICY p ON t; CREATE POLICY p3 ON t USING (a > 1)'),
    (4, 'DROP FUNCTION f() CASCADE; CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS ''SELECT 3'''),
    (5, 'DROP FUNCTION f() CASCADE'), (6, 'DROP VIEW v'), (7, 'DROP TABLE t'), (8, 'ALTER TABLE t DROP COLUMN a'),
    (9, 'DO $x$BEGIN EXECUTE ''DROP TABLE '' || ''t''; END$x$'),
    (10, 'DO $x$BEGIN EXECUTE ''DROP VIEW v''; END$x$'), (11, 'DROP TYPE mood CASCADE; CREATE TYPE mood AS ENUM (''sad'')'),
    (12, 'TRUNCATE t'), (13, 'DELETE FROM t'), (14, 'DELETE FROM t WHERE 1 = 1'), (15, 'DO $x$BEGIN TRUNCATE t; END$x$'),
    (16, 'DROP INDEX t_b'), (17, 'DROP SEQUENCE seq; CREATE SEQUENCE seq'),
    (18, 'ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD COLUMN c integer'),
    (19, 'DROP VIEW v; CREATE VIEW v AS SELECT id FROM t; GRANT SELECT ON v TO PUBLIC')) AS q(n, sql),
  LATERAL public.caught(format('SELECT * FROM migmgr.apply(%L, ''x'', %L, options => %L)', 1000 + n, q.sql, '{"skip_failed": true}')) AS c ORDER BY n;
SELECT public.fingerprint() = :'before' AS unchanged;
-- all violations of a script at once
SELECT * FROM public.caught($q$SELECT * FROM migmgr.apply('1050', 'x', $$ALTER TABLE t ADD COLUMN c integer;
ALTER TABLE t DROP COLUMN a;
ALTER TABLE t ALTER COLUMN b TYPE varchar(3);
DROP TABLE typed;$$, options => '{"skip_failed": true}')$q$) \gx
-- what a DO block undoes did not happen; a table made in the script is free
SELECT status, class, detail FROM migmgr.apply('1100', 'undone', $$
DO $x$BEGIN DROP VIEW v; RAISE EXCEPTION 'no'; EXCEPTION WHEN OTHERS THEN NULL; END$x$;
CREATE TABLE made (id serial PRIMARY KEY, m mood, a integer);
INSERT INTO made (a) VALUES (1);
DELETE FROM made;
ALTER TABLE made ALTER COLUMN a TYPE bigint;
ALTER TABLE made DROP COLUMN m;
CREATE UNIQUE INDEX made_a ON made (a);
GRANT SELECT ON made TO PUBLIC;
CREATE TABLE gone (id integer);
DROP TABLE gone;
ALTER TABLE t ADD COLUMN made integer CHECK (made > 0), ADD COLUMN "Made 2" text NOT NULL DEFAULT '';
COMMENT ON TABLE t IS 'x';
$$, options => '{"skip_failed": true}');
SELECT action, type, identity FROM migmgr.objects WHERE version = '1100' ORDER BY n;

-- a rollback drops what its version made, and says what would be lost
SELECT status FROM migmgr.apply('1200', 'to undo', $$
ALTER TABLE t ADD COLUMN c integer;
CREATE TABLE extra (id serial PRIMARY KEY);
CREATE INDEX extra_i ON extra (id);
$$, 'DROP TABLE extra; ALTER TABLE t DROP COLUMN c', options => '{"skip_failed": true}');
INSERT INTO extra DEFAULT VALUES;
INSERT INTO extra DEFAULT VALUES;
SELECT * FROM public.caught('SELECT * FROM migmgr.rollback(''1200'', ''x'')') \gx
DELETE FROM extra;
SELECT status, class FROM migmgr.rollback('1200', 'x');
-- and nothing else
SELECT status FROM migmgr.apply('1210', 'sly', 'CREATE TABLE extra (id integer)',
  'DO $x$BEGIN EXECUTE ''DROP TABLE '' || ''typed''; END$x$; DROP TABLE extra', options => '{"skip_failed": true}');
SELECT state, message FROM public.caught('SELECT * FROM migmgr.rollback(''1210'', ''x'')');

-- a superuser's direct DDL is on record, and what was refused is not
SELECT command, object, class, rule, action FROM migmgr_internal.ddl_log WHERE at > now() - interval '1 hour'
   AND command IN ('DROP TABLE', 'DROP INDEX', 'ALTER TABLE', 'DROP VIEW') ORDER BY id;
BEGIN;
CREATE TABLE kept (id integer);
SAVEPOINT a;
CREATE TABLE undone (id integer);
ROLLBACK TO a;
COMMIT;
BEGIN;
CREATE TABLE undone (id integer);
ROLLBACK;
SELECT command, object, role = current_user AS me, sql FROM migmgr_internal.ddl_log WHERE object IN ('public.kept', 'public.undone');

-- an ordinary owner, and a role that may use nothing of migmgr
CREATE SCHEMA AUTHORIZATION regress_migmgr_reader;
SET ROLE regress_migmgr_reader;
SET search_path = regress_migmgr_reader;
CREATE TABLE own (id integer);
INSERT INTO own VALUES (1);
SELECT state, message FROM public.caught('DROP TABLE own');
RESET ROLE;
RESET search_path;
SELECT role, command, object FROM migmgr_internal.ddl_log WHERE role = 'regress_migmgr_reader';

\connect postgres
DROP DATABASE regress_migmgr_guard;
DROP ROLE regress_migmgr_reader;
