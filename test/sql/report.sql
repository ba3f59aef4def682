-- report(): the completion report of a migration; the rows of tables before and after.
\set test report
\set ECHO none
\i test/include/database.sql
\set ECHO all
SET TimeZone = 'UTC';
CREATE FUNCTION public.shown(report text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(l, '[0-9a-f]{64}', 'SUM', 'g'), '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC', 'TIME', 'g'), '\m\d+ ms', 'N ms'), '\| \d+\.\d{3} \|', '| MS |')
    FROM string_to_table(replace(report, 'migmgr ' || migmgr.version(), 'migmgr VERSION'), E'\n') AS l $$;
CREATE TABLE objects (id int);
INSERT INTO objects SELECT generate_series(1, 10);
CREATE TABLE media (id int);
INSERT INTO media SELECT generate_series(1, 3);
CREATE TABLE large (id int, filler text);
INSERT INTO large SELECT g, repeat('x', 100) FROM generate_series(1, 20000) AS g;
ANALYZE large;

SELECT status FROM migmgr.apply('001', 'bad', 'SELECT 1/0', options => '{"on_error": "report"}');
SELECT status FROM migmgr.apply_file('001_objects|and_more.sql', $q$
CREATE TABLE secured (id int PRIMARY KEY);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON secured USING (true);
INSERT INTO secured VALUES (1), (2);
DELETE FROM objects WHERE id > 8;
DO $$BEGIN
  INSERT INTO objects VALUES (11);
  UPDATE media SET id = id + 10 WHERE id > 0;
  DELETE FROM large WHERE id <= 10;
  BEGIN DELETE FROM media WHERE id > 0; RAISE EXCEPTION 'undone'; EXCEPTION WHEN raise_exception THEN NULL; END;
END$$;
DROP TABLE IF EXISTS nothing;
-- migmgr:verify
SELECT count(*) = 9 FROM objects;
-- migmgr:flag new_objects
$q$, note => 'as planned');
SELECT public.shown(migmgr.report('001'));
SELECT check_name, object, status, detail FROM migmgr.verify() WHERE check_name = 'rows';
-- in a transaction with other changes, only the script's own count
BEGIN;
INSERT INTO objects VALUES (12);
SELECT status FROM migmgr.apply('002', 'two', 'INSERT INTO objects VALUES (13), (14); CREATE TABLE empty (id int);');
SELECT status FROM migmgr.apply('003', 'three', 'INSERT INTO objects VALUES (15);', 'DELETE FROM objects WHERE id = 15;');
COMMIT;
SELECT version, detail::jsonb -> 'counts' AS counts FROM migmgr.ledger WHERE version IN ('002', '003') ORDER BY seq;
SELECT check_name, object, status, detail FROM migmgr.verify() WHERE check_name = 'rows';
SELECT migmgr.waive('destructive', 'a test') IS NOT NULL AS waived;
SELECT status FROM migmgr.apply('004', 'four', 'TRUNCATE media; INSERT INTO media VALUES (1); ALTER TABLE large ADD COLUMN b int;');
SELECT detail::jsonb -> 'counts' AS counts FROM migmgr.ledger WHERE version = '004';
SELECT status FROM migmgr.rollback('003', 'one too many');
SELECT detail::jsonb -> 'counts' AS counts FROM migmgr.ledger WHERE event = 'rolled back';
-- how large what it made is
SELECT version, type, identity, state, size > 0 AS sized FROM migmgr.objects WHERE version IN ('001', '004') ORDER BY seq, n;
-- what did not run here has a report, too
SELECT count(*) FROM migmgr.mark_applied('{005}', 'by hand | with psql');
SELECT public.shown(migmgr.report('005'));
SELECT c.* FROM unnest('{nope,NULL}'::text[]) AS v, public.caught(format('SELECT migmgr.report(%L)', v)) AS c;
SELECT class, migmgr_internal.risk(class) FROM unnest('{additive,relaxing,replacing,data,restrictive,blocking,rewriting,type_change,security,destructive,none}'::text[]) AS class;
SELECT check_name, status FROM migmgr.verify() WHERE check_name IN ('chain', 'state');
\connect postgres
DROP DATABASE regress_migmgr_report;
