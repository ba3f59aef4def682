-- What a derived or a given way back is worth is found out before the migration is kept.
\set test proof
\set ECHO none
\i test/include/database.sql
\set ECHO all

CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, seen int DEFAULT 1);
INSERT INTO customers SELECT g, 'name ' || g FROM generate_series(1, 100) AS g;
CREATE FUNCTION public.tried(version text, sql text, down text DEFAULT NULL, options jsonb DEFAULT '{}') RETURNS TABLE (status text, reversible text, state text, message text, detail text)
  LANGUAGE plpgsql AS $$
BEGIN
  SELECT a.status, a.reversible INTO status, reversible FROM migmgr.apply(version, 'script', sql, down, options => options || '{"skip_failed": true}') AS a;
  RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
  RETURN NEXT;
END $$;

-- the author's own
SELECT status, reversible FROM public.tried('001', 'CREATE TABLE t1 (id int)', 'DROP TABLE t1');
SELECT status, reversible FROM public.tried('002', 'CREATE TABLE t2 (id int); CREATE FUNCTION f2() RETURNS int LANGUAGE sql AS ''SELECT 1''', 'DROP TABLE t2');
SELECT status, reversible FROM public.tried('003', 'CREATE TABLE t3 (id int)', 'DROP TABLE t4');
SELECT status, reversible FROM public.tried('004', 'CREATE TABLE t4 (id int REFERENCES customers)', 'DROP TABLE t4');
SELECT status, reversible FROM public.tried('005', 'CREATE INDEX customers_name ON customers (name)', 'DROP INDEX customers_name');
SELECT status, reversible FROM public.tried('006', 'ALTER TABLE customers ALTER COLUMN seen SET DEFAULT 2', 'ALTER TABLE customers ALTER COLUMN seen SET DEFAULT 3');
SELECT status, reversible FROM public.tried('007', 'ALTER TABLE customers ALTER COLUMN seen SET DEFAULT 4', 'ALTER TABLE customers ALTER COLUMN seen SET DEFAULT 2');
-- drops of just what was made: a single one is not tried, several are; in the wrong order, or another object's, they are no way back
SELECT status, reversible FROM public.tried('007.1', 'ALTER TABLE customers ADD COLUMN added int', 'ALTER TABLE customers DROP COLUMN added');
SELECT status, reversible FROM public.tried('007.2', 'ALTER TABLE t1 ADD CONSTRAINT t1_key UNIQUE (id)', 'ALTER TABLE public.t1 DROP CONSTRAINT t1_key');
SELECT status, reversible FROM public.tried('007.3', 'CREATE TABLE a1 (id serial); CREATE INDEX ON a1 (id); CREATE VIEW v1 AS SELECT id FROM a1', 'DROP VIEW v1; DROP TABLE IF EXISTS a1 CASCADE');
SELECT status, reversible FROM public.tried('007.4', 'CREATE TABLE a2 (id int); CREATE VIEW v2 AS SELECT id FROM a2', 'DROP TABLE a2; DROP VIEW v2');
SELECT status, reversible FROM public.tried('007.5', 'ALTER TABLE t1 ADD COLUMN b int; ALTER TABLE t1 ADD COLUMN c int', 'ALTER TABLE t1 DROP COLUMN c');
SELECT status, reversible FROM public.tried('007.6', 'ALTER TABLE t1 ADD COLUMN d int', 'ALTER TABLE t1 DROP COLUMN b');
SELECT status, reversible FROM public.tried('007.7', 'CREATE TABLE a7 (id int)', 'DROP TABLE a7', '{"proof": "force"}');
SELECT count(*) FROM pg_class WHERE relname IN ('a1', 'v1', 'a2', 'v2', 'a7');
-- none of it has happened
SELECT to_regclass('t1') IS NOT NULL AND to_regclass('t2') IS NOT NULL AND to_regclass('t3') IS NOT NULL AS kept, pg_get_expr(adbin, adrelid) AS default FROM pg_attrdef WHERE adrelid = 'customers'::regclass;

-- what partitions have of their own of a trigger and of a foreign key comes back with it
SET client_min_messages = error;
SELECT migmgr.set_environment('development') \gset
CREATE TABLE parts (a int NOT NULL, b text, UNIQUE (a)) PARTITION BY LIST (a);
CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF parts DEFAULT;
CREATE TABLE refers (a int REFERENCES parts (a));
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER cloned BEFORE INSERT ON parts FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT status, reversible FROM public.tried('007.8', 'DROP TABLE refers; DROP TABLE part2; DROP TRIGGER cloned ON parts');
SELECT migmgr.set_environment('production') \gset
SET client_min_messages = warning;
-- asked for, or not wanted
SELECT * FROM public.tried('008', 'CREATE TABLE t8 (id int)', 'SELECT 1', '{"proof": "force"}') \gx
SELECT * FROM public.tried('008', 'CREATE TABLE t8 (id int)', 'DROP TABLE t9', '{"proof": "force"}') \gx
SELECT to_regclass('t8') AS nothing;
SELECT status, reversible FROM public.tried('008', 'CREATE TABLE t8 (id int REFERENCES customers)', 'DROP TABLE t8', '{"proof": "force"}');
SELECT status, reversible FROM public.tried('009', 'CREATE TABLE t9 (id int)', 'SELECT 1', '{"proof": "off"}');
SELECT status, reversible FROM public.tried('010', 'CREATE TABLE t10 (id int)', NULL, '{"proof": "off"}');
SELECT status, reversible FROM public.tried('011', 'CREATE TABLE t11 (id int)', NULL, '{"derive": false}');
SELECT state, message, detail FROM public.tried('012', 'SELECT 1', NULL, '{"proof": "perhaps"}');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rollback('011')$$);

-- deferred constraints with pending checks do not get in its way, nor does the proof change when they are looked at
CREATE TABLE notes (id int PRIMARY KEY, customer int REFERENCES customers DEFERRABLE INITIALLY DEFERRED);
BEGIN;
INSERT INTO notes VALUES (1, 50);
SELECT status, reversible, message FROM public.tried('013', 'ALTER TABLE customers ADD COLUMN extra int');
COMMIT;
SELECT count(*) FROM notes;

-- nothing that is needed to be there is dropped: later versions, watches, strangers
SELECT status, reversible FROM public.tried('020', 'CREATE TABLE ground (id int PRIMARY KEY)');
SELECT status, reversible FROM public.tried('021', 'ALTER TABLE ground ADD COLUMN house int');
SELECT public.fingerprint() AS before \gset
SELECT state, message, detail FROM public.caught($$SELECT * FROM migmgr.rollback('020')$$) \gx
CREATE VIEW stranger AS SELECT house FROM ground;
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rollback('021')$$);
SELECT migmgr.set_environment('development') \gset
SET client_min_messages = error;
DROP VIEW stranger;
SELECT version, status FROM migmgr.rollback_to('020', 'not wanted');

-- changed by hand since, renamed, or the name taken meanwhile: nothing is done
SELECT status, reversible FROM public.tried('030', 'CREATE FUNCTION hand() RETURNS int LANGUAGE sql AS ''SELECT 1''');
CREATE OR REPLACE FUNCTION hand() RETURNS int LANGUAGE sql AS 'SELECT 2';
SELECT public.fingerprint() AS before \gset
SELECT state, message, detail, hint FROM public.caught($$SELECT * FROM migmgr.rollback('030')$$) \gx
SELECT hand();
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT status, reversible FROM public.tried('031', 'ALTER TABLE customers ALTER COLUMN name DROP NOT NULL', NULL, '{"proof": "force"}');
ALTER TABLE customers RENAME COLUMN name TO title;
SELECT state, message, detail FROM public.caught($$SELECT * FROM migmgr.rollback('031')$$) \gx
ALTER TABLE customers RENAME COLUMN title TO name;
SELECT status FROM migmgr.rollback('031');
SELECT attnotnull FROM pg_attribute WHERE attrelid = 'customers'::regclass AND attname = 'name';
SELECT status, reversible FROM public.tried('032', 'DROP VIEW IF EXISTS none; ALTER TABLE customers RENAME COLUMN seen TO seen_at', NULL, '{"proof": "force"}');
ALTER TABLE customers ADD COLUMN seen text;
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rollback('032')$$);
ALTER TABLE customers DROP COLUMN seen;
SELECT status FROM migmgr.rollback('032');

-- data, in what is dropped by a derived way back
SELECT status, reversible FROM public.tried('040', 'CREATE TABLE filled (id int PRIMARY KEY, v text); ALTER TABLE customers ADD COLUMN filled int');
INSERT INTO filled VALUES (1, 'a'), (2, 'b');
UPDATE customers SET filled = 1 WHERE id < 4;
SELECT state, message, detail FROM public.caught($$SELECT * FROM migmgr.rollback('040')$$) \gx
SELECT status FROM migmgr.rollback('040', on_data => 'archive');
SELECT status, split_part(detail, ';', 1) AS detail FROM migmgr.apply('040', 'script', 'CREATE TABLE filled (id int PRIMARY KEY, v text); ALTER TABLE customers ADD COLUMN filled int', options => '{"skip_failed": true}');
SELECT (SELECT count(*) FROM filled) AS rows, (SELECT count(filled) FROM customers) AS values;

-- the text of it is under the chain
SELECT s.text FROM migmgr.ledger AS l JOIN migmgr_internal.script AS s ON s.checksum = l.detail::jsonb ->> 'derived' WHERE l.version = '040' AND l.event = 'applied' ORDER BY l.seq LIMIT 1;
\t
\a
SELECT regexp_replace(migmgr.rollback_guide('040'), '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+ by \w+', 'TIME by ROLE') AS guide;
\t
\a
SELECT migmgr.rollback_guide('021') LIKE '%Nothing to take back%' AS undone;
SELECT state FROM public.caught($$SELECT migmgr.rollback_guide('nope')$$);
SELECT check_name, status FROM migmgr.verify() WHERE check_name IN ('chain', 'texts');
\connect postgres
DROP DATABASE regress_migmgr_proof;
