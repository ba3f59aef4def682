-- plan() and assert_safe(): what a script would do, without doing any of it.
\set test plan
\set ECHO none
\i test/include/database.sql
\set ECHO all

CREATE TABLE org (id bigint PRIMARY KEY, name text);
CREATE TABLE item (id bigint PRIMARY KEY, org_id bigint REFERENCES org, name varchar(20), price numeric(8,2), note text);
CREATE INDEX item_name ON item (name);
CREATE POLICY item_all ON item USING (true);
CREATE VIEW item_view AS SELECT id, name FROM item;
CREATE TABLE empty (id int PRIMARY KEY, a int);
CREATE TABLE part (id int NOT NULL, a int) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part_rest PARTITION OF part DEFAULT;
CREATE TABLE clock (a timestamp, b timestamp);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE FUNCTION pure(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION acts() RETURNS int LANGUAGE plpgsql AS 'BEGIN DROP TABLE item; RETURN 1; END';
INSERT INTO org SELECT g, 'org' FROM generate_series(1, 50000) AS g;
INSERT INTO item SELECT g, g, 'name', g, repeat('n', 400) FROM generate_series(1, 50000) AS g;
VACUUM ANALYZE org, item;

-- what psql shows of a plan; sizes masked
CREATE FUNCTION public.plan_of(sql text, environment text = NULL)
  RETURNS TABLE (n text, command text, object text, class text, lock text, action text, rule text, does text)
  LANGUAGE sql AS $$
  SELECT statement || ':' || line, command, object, class, replace(lock_mode, 'Lock', ''), action, rule,
         concat_ws(' ', CASE blocks_reads WHEN true THEN 'reads' END, CASE blocks_writes WHEN true THEN 'writes' END,
                   CASE rewrites WHEN true THEN 'REWRITES' WHEN false THEN NULL ELSE 'rewrites?' END,
                   CASE scans WHEN true THEN 'SCANS' WHEN false THEN NULL ELSE 'scans?' END)
    FROM migmgr.plan(sql, environment)
$$;
CREATE FUNCTION public.why(sql text) RETURNS TABLE (n integer, reason text, hint text)
  LANGUAGE sql AS $$
  SELECT statement, regexp_replace(reason, '\d+ (kB|MB|bytes)', 'N bytes', 'g'), hint FROM migmgr.plan(sql)
$$;

-- a row for each statement, in the order of the script, with its line
SELECT * FROM plan_of($$
ALTER TABLE item ADD COLUMN status text NOT NULL DEFAULT 'new';
ALTER TABLE item ADD COLUMN token uuid DEFAULT gen_random_uuid();

ALTER TABLE item ALTER COLUMN name TYPE varchar(40);
ALTER TABLE item ALTER COLUMN price TYPE numeric(9,3);
CREATE INDEX ON item (price); CREATE INDEX CONCURRENTLY ON item (price); VACUUM FULL item; DROP INDEX CONCURRENTLY item_name;
CREATE UNIQUE INDEX ON empty (a);
ALTER TABLE item DROP COLUMN note, ADD UNIQUE (name);
DROP TABLE item;
UPDATE item SET price = 0;
UPDATE item SET price = 0 WHERE id = 7;
SELECT 1;
$$);

-- in other environments
SELECT n, action FROM plan_of('CREATE INDEX ON item (price); DROP TABLE item; CREATE TABLE x ()', 'development');
SELECT n, action FROM plan_of('CREATE INDEX ON item (price); DROP TABLE item; CREATE TABLE x ()', 'staging');
SELECT n, action FROM plan_of('CREATE INDEX ON item (price); DROP TABLE item; CREATE TABLE x ()', 'production');

-- other locks, bytes, what is redone and what is lost
SELECT * FROM why('ALTER TABLE item ADD COLUMN token uuid DEFAULT gen_random_uuid()');
SELECT * FROM why('ALTER TABLE item ADD FOREIGN KEY (id) REFERENCES org');
SELECT * FROM why('ALTER TABLE item ALTER COLUMN org_id TYPE text');
SELECT * FROM why('ALTER TABLE item DROP COLUMN org_id');
SELECT * FROM why('ALTER TABLE item DROP COLUMN note, ALTER COLUMN price SET NOT NULL, ADD UNIQUE (name)');
SELECT * FROM why('CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20)');
SELECT * FROM why('DROP TABLE part_1');
SELECT * FROM why('TRUNCATE org CASCADE');
SELECT * FROM why('DROP INDEX item_name');
SELECT * FROM why('CREATE INDEX CONCURRENTLY ON item (price)');
SELECT * FROM why('CREATE INDEX ON nowhere (a); ALTER TABLE nowhere ADD b int; DROP TABLE item; CREATE INDEX ON item (price)');

-- statements see what earlier ones would have done
SELECT * FROM plan_of($$
CREATE TABLE t (id int, a int);
CREATE INDEX t_a ON t (a);
ALTER TABLE t ADD COLUMN b float DEFAULT random(), ALTER COLUMN a TYPE bigint;
INSERT INTO t SELECT 1;
DROP INDEX t_a;
DROP TABLE t;
CREATE TABLE t (id int);
ALTER TABLE item RENAME TO thing;
ALTER TABLE thing DROP COLUMN note;
CREATE TABLE item (id int);
DROP TABLE item;
CREATE SCHEMA app;
SET search_path = app, public;
CREATE TABLE u (id int);
DROP TABLE app.u;
CREATE TEMP TABLE tmp (a int);
DROP TABLE tmp;
$$);
SELECT * FROM plan_of($$
ALTER TABLE item ADD CONSTRAINT named CHECK (price IS NOT NULL) NOT VALID;
ALTER TABLE item VALIDATE CONSTRAINT named;
ALTER TABLE item ALTER COLUMN price SET NOT NULL;
ALTER TABLE item DROP CONSTRAINT named;
ALTER TABLE item ALTER COLUMN price SET NOT NULL;
ALTER TABLE item ADD COLUMN c int;
ALTER TABLE item ALTER COLUMN c SET DEFAULT 3;
ALTER TABLE item DROP COLUMN c;
ALTER TABLE item ALTER COLUMN name TYPE text;
ALTER TABLE item ALTER COLUMN name TYPE varchar(60);
INSERT INTO empty VALUES (1, 1);
CREATE UNIQUE INDEX ON empty (a);
$$);

-- all kinds of objects, made and gone again
SELECT n, class, rule, object FROM plan_of($$
CREATE TYPE colour AS ENUM ('red');
ALTER TYPE colour ADD VALUE 'blue';
CREATE DOMAIN price AS numeric CHECK (VALUE > 0);
ALTER DOMAIN price SET NOT NULL;
ALTER TABLE item ADD COLUMN p price;
DROP DOMAIN price;
DROP TYPE colour;
CREATE FUNCTION f(a int, b text) RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION f(int, text) STRICT;
GRANT EXECUTE ON FUNCTION f(int, text) TO PUBLIC;
DROP FUNCTION f(int, text);
CREATE SEQUENCE s;
ALTER SEQUENCE s RESTART;
ALTER SEQUENCE s OWNER TO CURRENT_USER;
DROP SEQUENCE s;
CREATE VIEW v AS SELECT 1 AS one;
CREATE OR REPLACE VIEW v AS SELECT 2 AS one;
COMMENT ON VIEW v IS 'x';
ALTER VIEW v RENAME TO w;
DROP VIEW w;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;
REFRESH MATERIALIZED VIEW m;
DROP MATERIALIZED VIEW m;
CREATE TABLE q (id int) PARTITION BY RANGE (id);
CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (9);
ALTER TABLE q DETACH PARTITION q1;
ALTER TABLE q ATTACH PARTITION q1 FOR VALUES FROM (0) TO (9);
TRUNCATE q;
GRANT SELECT ON q TO PUBLIC;
ALTER TABLE q SET SCHEMA pg_temp;
DROP TABLE q;
CREATE SCHEMA made CREATE TABLE inside (id int);
ALTER TABLE made.inside ADD COLUMN x int NOT NULL;
DROP SCHEMA made CASCADE;
CREATE EXTENSION IF NOT EXISTS plpgsql;
CREATE STATISTICS st ON id, name FROM item;
DROP STATISTICS st;
CREATE TRIGGER trg BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TRIGGER trg ON item RENAME TO trg2;
DROP TRIGGER trg2 ON item;
CREATE PUBLICATION pub FOR TABLE item;
DROP PUBLICATION pub;
CREATE COLLATION c (locale = 'C');
DROP COLLATION c;
REINDEX TABLE item;
CLUSTER item USING item_pkey;
LOCK TABLE item;
$$);

-- a definition that comes back destroys nothing
SELECT n, class, action, rule FROM plan_of('DROP POLICY item_all ON item; DROP VIEW item_view; DROP FUNCTION pure(int)');
SELECT n, class, action, rule FROM plan_of($$
DROP POLICY IF EXISTS item_all ON item;
CREATE POLICY item_all ON item USING (true);
DROP VIEW item_view;
CREATE VIEW item_view AS SELECT id FROM item;
DROP FUNCTION pure(int);
CREATE FUNCTION pure(int) RETURNS int LANGUAGE sql AS 'SELECT 2';
DROP INDEX item_name;
CREATE INDEX item_name ON item (name, id);
$$);
SELECT reason FROM why('DROP VIEW item_view; CREATE VIEW item_view AS SELECT 1') WHERE n = 1;

-- what needs running is not guessed
SELECT * FROM plan_of($$DO 'BEGIN DROP TABLE item; END'; CALL p(); SELECT acts(); SELECT pure(1); SELECT now(); EXECUTE x; INSERT INTO empty SELECT acts()$$);
SELECT n, reason FROM why($$DO 'BEGIN END'$$);

-- the time zone is the script's
SELECT n, does FROM plan_of($$
SET TimeZone = 'UTC';
ALTER TABLE clock ALTER COLUMN a TYPE timestamptz;
SET TimeZone = 'Europe/Berlin';
ALTER TABLE clock ALTER COLUMN b TYPE timestamptz;
$$);

-- bad input is refused as apply() refuses it
SELECT * FROM caught($$SELECT migmgr.plan('')$$);
SELECT * FROM caught($$SELECT migmgr.plan(NULL)$$);
SELECT * FROM caught($$SELECT migmgr.plan('CREATE TABLE ok ();
CREATE TABEL x ()')$$);
SELECT * FROM caught($$SELECT migmgr.plan('\i other.sql')$$);
SELECT * FROM caught($$SELECT migmgr.plan('DROP TABLE item', 'prod')$$);
SELECT * FROM caught($$SELECT migmgr.plan('CREATE TABLE ok (); COMMIT; SELECT 1')$$);

-- assert_safe() raises everything at once
SELECT migmgr.assert_safe('CREATE TABLE fine (id int); CREATE INDEX ON fine (id)');
SELECT migmgr.assert_safe('DROP TABLE empty', 'development');
SELECT migmgr.assert_safe($$DO 'BEGIN END'$$, 'production');
SELECT migmgr.assert_safe('CREATE INDEX CONCURRENTLY ON item (price)');
SELECT state, message, regexp_replace(detail, '\d+ (kB|MB)', 'N bytes', 'g') AS detail, hint FROM caught($$SELECT migmgr.assert_safe('CREATE TABLE fine (id int);
DROP TABLE empty;
CREATE INDEX ON item (price)', 'production')$$);
SELECT state, message, hint FROM caught($$SELECT migmgr.assert_safe('DROP TABLE migmgr.ledger')$$);

-- a file's way down is not planned with its way up
SELECT n, command FROM plan_of($$
-- migmgr:up
CREATE TABLE fine (id int);
-- migmgr:down
DROP TABLE fine;
$$);

-- a CASCADE that takes very much along is not followed to its end
CREATE TYPE busy AS ENUM ('a');
DO $$BEGIN FOR i IN 1 .. 600 LOOP EXECUTE format('CREATE DOMAIN busy_%s AS busy', i); END LOOP; END$$;
SELECT reason ~ 'with it goes what depends on it: (type busy_\d+, ){7}type busy_\d+ and at least \d+ more' AS bounded
  FROM migmgr.plan('DROP TYPE busy CASCADE');

-- policy entries and waivers count, those of another environment too
SELECT migmgr.set_policy('staging', 'destructive', 'deny');
SELECT action FROM plan_of('DROP TABLE empty', 'staging');
SELECT left(migmgr.waive('destructive', 'test'), 21);
SELECT action FROM plan_of('DROP TABLE empty');
SELECT action FROM plan_of('DROP TABLE empty', 'production');

-- nothing is written, locked or left, in a read-only transaction as well
SELECT fingerprint() AS before \gset
SELECT pg_stat_force_next_flush();
BEGIN TRANSACTION READ ONLY;
SELECT sum(seq_scan) AS scans FROM pg_stat_xact_user_tables WHERE schemaname = 'public' \gset
SELECT count(*) FROM migmgr.plan('ALTER TABLE item ADD COLUMN x float DEFAULT random(), ALTER COLUMN price TYPE text; SET search_path = nowhere; DROP TABLE public.org CASCADE; CREATE TABLE public.x (a int); CREATE UNIQUE INDEX ON public.empty (a)');
SELECT relation::regclass, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation >= 16384
   AND relation IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace);
SELECT pg_current_xact_id_if_assigned();
SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables WHERE relname IN ('empty', 'org', 'item') AND seq_tup_read > 1;
SELECT current_setting('search_path');
SELECT sum(seq_scan) - :scans AS scans FROM pg_stat_xact_user_tables WHERE schemaname = 'public';
COMMIT;
SELECT fingerprint() = :'before' AS unchanged;

\connect postgres
DROP DATABASE regress_migmgr_plan;
