-- Migrations that run online: each statement by itself, in a worker.
\set test online
\set ECHO none
\i test/include/database.sql
\set ECHO all
\pset format unaligned
CREATE TABLE a (i int);

-- online: refused in a transaction, run by a worker, in the ledger when all is done
CREATE TYPE mood AS ENUM ('sad');
INSERT INTO a SELECT generate_series(1, 100);
SET client_min_messages = warning;
\set sql 'CREATE INDEX CONCURRENTLY ON a (i);\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_two ON a (i, (i + 1));\nALTER TYPE mood ADD VALUE ''glad'';\nCREATE TABLE moods (m mood DEFAULT ''glad'');\nVACUUM (ANALYZE) a;\nREINDEX INDEX CONCURRENTLY a_two;\n-- migmgr:verify\nSELECT count(*) = 2 FROM pg_index WHERE indrelid = ''a''::regclass AND indisvalid;\n-- migmgr:down\nDROP INDEX a_two;\n'
SELECT replace(:'sql', '\n', E'\n') AS text \gset
SELECT * FROM migmgr.apply_file('2_online.sql', :'text');
SELECT * FROM migmgr.apply('2', 'online', 'CREATE INDEX CONCURRENTLY a_i ON a (i)');
SELECT (SELECT count(*) FROM migmgr.attempts WHERE version = '2') AS attempts, (SELECT count(*) FROM migmgr.pending) AS pending;
CALL migmgr.run('2_online.sql', :'text', dry_run => true);
\o /dev/null
CALL migmgr.run('2_online.sql', :'text', note => 'by a worker');
\o
SELECT version, status, class, statements, reversible, note FROM migmgr.history WHERE version = '2';
SELECT n, command, object, class, rows, notices FROM migmgr.statements WHERE version = '2' ORDER BY n;
SELECT action, type, identity FROM migmgr.objects WHERE version = '2' ORDER BY n;
SELECT c.relname, i.indisvalid FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = 'a'::regclass ORDER BY 1;
SELECT count(*) FROM migmgr.ddl_log WHERE command = 'CREATE INDEX';
SELECT count(*) FROM migmgr_internal.online_job;
\o /dev/null
CALL migmgr.run('2_online.sql', :'text');
\o
SELECT count(*) AS entries FROM migmgr.ledger WHERE event = 'applied' AND version = '2';

-- a statement fails: those before it stay, later versions wait, and it goes on
-- where it stopped, with the rest of the text corrected
SET client_min_messages = error;
INSERT INTO a VALUES (1);
CALL migmgr.run('3_half.sql', 'CREATE INDEX CONCURRENTLY a_half ON a (i); CREATE UNIQUE INDEX CONCURRENTLY a_unique ON a (i);');
SELECT migmgr.set_policy('production', 'restrictive', 'allow') IS NOT NULL AS allowed;
CALL migmgr.run('3_half.sql', 'CREATE INDEX CONCURRENTLY a_half ON a (i); CREATE UNIQUE INDEX CONCURRENTLY a_unique ON a (i);');
SELECT version, status, statements, note FROM migmgr.history WHERE version = '3';
SELECT version, status, done, statements, message FROM migmgr.pending;
SELECT object, status, detail, hint FROM migmgr.verify() WHERE check_name = 'online';
SELECT sqlstate, statement, line FROM migmgr.attempts WHERE version = '3';
SELECT * FROM migmgr.apply('4', 'later', 'CREATE TABLE later (i int)');
SELECT * FROM migmgr.apply('3', 'half', 'CREATE TABLE later (i int)');
CALL migmgr.run('3_half.sql', 'CREATE INDEX CONCURRENTLY a_other ON a (i); CREATE INDEX CONCURRENTLY a_unique ON a (i);');
DELETE FROM a WHERE ctid = (SELECT max(ctid) FROM a);
\o /dev/null
CALL migmgr.run('3_half.sql', 'CREATE INDEX CONCURRENTLY a_half ON a (i);  /* as it was */ CREATE UNIQUE INDEX CONCURRENTLY a_unique ON a (i); ANALYZE a;');
\o
SELECT version, status, statements, attempts FROM migmgr.history WHERE version = '3';
SELECT n, command, notices FROM migmgr.statements WHERE version = '3' ORDER BY n;
SELECT c.relname, i.indisvalid FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = 'a'::regclass ORDER BY 1;
SELECT object, status, detail FROM migmgr.verify() WHERE check_name = 'online';

-- a stranger's invalid index is no success and is left alone
SELECT migmgr.set_policy('production', 'destructive', 'allow') IS NOT NULL AS allowed;
DROP INDEX a_unique;
INSERT INTO a VALUES (1), (1);
CREATE UNIQUE INDEX CONCURRENTLY theirs ON a (i);
CALL migmgr.run('4_theirs.sql', 'CREATE INDEX CONCURRENTLY IF NOT EXISTS theirs ON a (i);');
SELECT indisvalid FROM pg_index WHERE indexrelid = 'theirs'::regclass;
DROP INDEX theirs;
\o /dev/null
CALL migmgr.run('4_theirs.sql', 'CREATE INDEX CONCURRENTLY IF NOT EXISTS theirs ON a (i);');
\o
SELECT indisvalid FROM pg_index WHERE indexrelid = 'theirs'::regclass;

-- the guard judges what runs online like anything else
SELECT migmgr.set_policy('production', 'destructive', NULL) IS NOT NULL AS back;
CALL migmgr.run('5_drop.sql', 'DROP INDEX CONCURRENTLY theirs;');
SELECT count(*) FROM migmgr.pending;
SELECT migmgr.waive('destructive', 'for 5', version => '5') IS NOT NULL AS waived;
\o /dev/null
CALL migmgr.run('5_drop.sql', 'DROP INDEX CONCURRENTLY theirs; DROP INDEX CONCURRENTLY a_two;');
\o
SELECT to_regclass('theirs') AS gone, to_regclass('a_two') AS gone_too;
SELECT event, detail::jsonb ->> 'what' AS what FROM migmgr.ledger WHERE event = 'waiver used';
SELECT action, type, identity FROM migmgr_internal.object AS o JOIN migmgr.ledger AS l USING (seq) WHERE l.version = '5' ORDER BY n;

-- settings hold for the statements that follow; another role does not
CREATE SCHEMA s;
\o /dev/null
CALL migmgr.run('6_settings.sql', E'-- migmgr:online\nSET search_path = s;\nCREATE TABLE in_s (i int);\nCREATE INDEX CONCURRENTLY in_s_i ON in_s (i);');
\o
SELECT to_regclass('s.in_s') AS made, to_regclass('s.in_s_i') AS indexed;
CALL migmgr.run('7_role.sql', E'-- migmgr:online\nCREATE TABLE seven (i int);\nSET ROLE pg_monitor;\nCREATE TABLE eight (i int);');
SELECT version, status, statements FROM migmgr.history WHERE version = '7';
SELECT migmgr.withdraw('7');
CALL migmgr.run('7_role.sql', E'-- migmgr:online\nCREATE TABLE seven (i int);\nCREATE TABLE eight (i int, i int);');
\o /dev/null
CALL migmgr.run('7_role.sql', E'-- migmgr:online\nCREATE TABLE seven (i int);\nCREATE TABLE eight (i int);');
\o
SELECT version, status, statements FROM migmgr.history WHERE version = '7';

-- what has failed before anything was done can be withdrawn
CALL migmgr.run('8_fails.sql', E'-- migmgr:online\nSELECT 1/0;');
SELECT version, status, statements FROM migmgr.history WHERE version = '8';
SELECT migmgr.withdraw('8', 'not wanted') > 0 AS withdrawn;
SELECT count(*) FROM migmgr_internal.online_job;

-- what was withdrawn stops nothing
SELECT status FROM migmgr.apply('9', 'nine', 'CREATE TABLE nine (i int)');

SELECT check_name, object, detail FROM migmgr.verify() WHERE status = 'failed' AND check_name <> 'verify';
