-- Migrations that wait: submit, withdraw, apply(version), apply_pending,
-- run_pending.
\set test submit
\set ECHO none
\i test/include/database.sql
\set ECHO all

-- submitted, submitted again, another text, applied
SELECT ticket, version, name, status, statements, online, length(checksum) AS checksum FROM migmgr.submit('001_a.sql', 'CREATE TABLE a (i int);');
SELECT ticket, status FROM migmgr.submit('001_a.sql', 'CREATE TABLE a (i int);', 'a note is no new text');
SELECT status FROM migmgr.submit('001_a.sql', E'CREATE TABLE a (i int);\n-- migmgr:down\nDROP TABLE a;', 'with a way back');
SELECT version, name, status, statements, online, checksum = migmgr.checksum(E'CREATE TABLE a (i int);\n-- migmgr:down\nDROP TABLE a;') AS checksum, file, note FROM migmgr.pending;
-- whoever is to approve it can read it, and what it would do
SELECT sql FROM migmgr.pending;
SELECT s.command, s.object, s.action FROM migmgr.pending AS p, migmgr.plan(p.sql) AS s;
SELECT version, status, class, detail FROM migmgr.apply('001');
SELECT version, status FROM migmgr.apply('001');
SELECT count(*) FROM migmgr.pending;
SELECT note FROM migmgr.history WHERE version = '001';
SELECT substring(migmgr.rollback_guide('001') FROM '## The way back.*') AS guide;
-- what is applied is not submitted: same text, other text
SELECT status FROM migmgr.submit('001_a.sql', E'CREATE TABLE a (i int);\n-- migmgr:down\nDROP TABLE a;');
SELECT state, message, detail FROM public.caught($$SELECT status FROM migmgr.submit('001_a.sql', 'CREATE TABLE other (i int);')$$);
-- rolled back, it can be submitted again
SELECT status FROM migmgr.rollback('001', 'again');
SELECT status FROM migmgr.submit('001_a.sql', E'CREATE TABLE a (i int);\n-- migmgr:down\nDROP TABLE a;');

-- what cannot be submitted
SELECT * FROM migmgr.submit(NULL, NULL);
SELECT * FROM migmgr.submit('x.sql', 'SELECT 1');
SELECT * FROM migmgr.submit('009_x.sql', 'CREATE TABLE (');
SELECT * FROM migmgr.submit('009_x.sql', 'CREATE ROLE r PASSWORD ''secret''');
SELECT * FROM migmgr.submit('009_x.sql', E'CREATE INDEX CONCURRENTLY i ON a (i);\nCOMMIT;');
SELECT * FROM migmgr.apply('009');
SELECT migmgr.withdraw('009');
SELECT count(*) FROM migmgr.pending WHERE version = '009';

-- in order, up to the first that fails; natural order of versions
SELECT status FROM migmgr.submit('1.10_late.sql', 'CREATE TABLE late (i int);');
SELECT status FROM migmgr.submit('1.9_early.sql', 'CREATE TABLE early (i int);');
SELECT status FROM migmgr.submit('1.9.5_bad.sql', 'CREATE TABLE more (i int); CREATE TABLE early (i int);');
SELECT version FROM migmgr.pending;
SELECT version, status, statements, detail FROM migmgr.apply_pending(on_error => 'raise');
SELECT to_regclass('early') AS undone, count(*) FROM migmgr.pending;
SELECT version, status, statements, detail FROM migmgr.apply_pending('1.9');
SELECT version, status, statements, detail FROM migmgr.apply_pending();
SELECT to_regclass('late') AS not_yet, version, status, note FROM migmgr.history ORDER BY version;
SELECT version, status FROM migmgr.apply_pending(on_error => 'maybe');
SELECT migmgr.withdraw('1.9.5', 'a mistake') > 0 AS withdrawn;
-- a version that failed stops what comes after it, until it is applied or withdrawn
SELECT status FROM migmgr.submit('1.9.5_good.sql', 'CREATE TABLE more (i int); SELECT 1/0;');
CALL migmgr.run_pending('1.9.5');
SELECT to_regclass('more') AS undone, version, status FROM migmgr.history WHERE status = 'failed';
SELECT status FROM migmgr.submit('1.9.5_good.sql', 'CREATE TABLE more (i int);');
BEGIN;
CALL migmgr.run_pending();
ROLLBACK;
SELECT to_regclass('late') AS not_yet;
CREATE FUNCTION in_a_function() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  a int; m bigint; d text;
BEGIN
  CALL migmgr.run_pending(NULL, a, m, d);
END$$;
SELECT state, message FROM public.caught('SELECT in_a_function()');
\o /dev/null
CALL migmgr.run_pending();
CALL migmgr.run_pending();
\o
-- the third argument tells the two forms apart, typed or not
SELECT version, name, status, statements FROM migmgr.submit('2', 'add_x', 'CREATE TABLE x (i int)');
SELECT version, name, status FROM migmgr.submit(version => '3', name => 'add "y"', sql => 'CREATE TABLE y (i int)', note => 'named');
SELECT version, name, status FROM migmgr.submit('4'::text, 'add_z'::text, 'CREATE TABLE z (i int)'::text, 'DROP TABLE z', 'SELECT count(*) = 0 FROM z');
SELECT version, name, status, checksum = migmgr.checksum('CREATE TABLE v (i int)') AS checksum FROM migmgr.submit('5_add_v.sql', 'CREATE TABLE v (i int)', note => 'a file');
SELECT version, name, status FROM migmgr.submit('6_add_w.sql', 'CREATE TABLE w (i int)', false);
SELECT version, name, status FROM migmgr.submit('7_add_u.sql', 'CREATE TABLE u (i int)', 'a file''s note');
SELECT version, name, file, note FROM migmgr.pending;
SELECT sql FROM migmgr.pending WHERE version = '4';
SELECT c.state, c.message, c.detail FROM (VALUES (1, $$'8', 'a/b', 'SELECT 1'$$), (2, $$'8_x', 'y', 'SELECT 1'$$), (3, $$'8', NULL, 'SELECT 1'$$),
    (4, $$NULL, 'x', 'SELECT 1'$$), (5, $$'8', 'x', ''$$)) AS f(n, args),
  LATERAL public.caught(format('SELECT migmgr.submit(%s)', f.args)) AS c ORDER BY f.n;
SELECT version, name, status, reversible FROM migmgr.apply_pending();
SELECT version, status FROM migmgr.history ORDER BY version;
SELECT event, version, detail::jsonb - 'key' - 'received' AS detail FROM migmgr.ledger WHERE event IN ('submitted', 'withdrawn') ORDER BY seq;


SELECT check_name, object, detail FROM migmgr.verify() WHERE status = 'failed' AND check_name <> 'verify';
