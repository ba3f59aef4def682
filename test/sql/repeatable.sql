-- Scripts with a name instead of a version: they run when their text changes.
\set test repeatable
\set ECHO none
\i test/include/database.sql
\set ECHO all

CREATE TABLE t (a int, b int);
SELECT version, name, status, class, statements, detail FROM migmgr.apply_repeatable('v', 'CREATE OR REPLACE VIEW v AS SELECT a FROM t;', 'first');
SELECT status, statements FROM migmgr.apply_repeatable('v', E'CREATE OR REPLACE VIEW v AS SELECT a FROM t;\r\n');
SELECT status FROM migmgr.apply_repeatable('v', 'CREATE OR REPLACE VIEW v AS SELECT a, b FROM t;');
-- back to the former text: it runs, because it is not what ran last
SELECT status FROM migmgr.apply_repeatable('v', 'DROP VIEW v; CREATE VIEW v AS SELECT a FROM t;');
SELECT status FROM migmgr.apply_repeatable('v', 'CREATE OR REPLACE VIEW v AS SELECT a, b FROM t;');
SELECT name, runs, checksum = migmgr.checksum('CREATE OR REPLACE VIEW v AS SELECT a, b FROM t;') AS checksum, class, statements, requires FROM migmgr.repeatables;
SELECT event, version, name, detail::jsonb ->> 'note' AS note FROM migmgr.ledger WHERE event = 'repeated' ORDER BY seq;
SELECT version, command, object FROM migmgr.statements WHERE event = 'repeated' ORDER BY seq, n;
-- no version, so not in the history, and no version comes after it
SELECT count(*) FROM migmgr.history;
SELECT status FROM migmgr.apply('1', 'one', 'CREATE TABLE one (i int)');

-- a failure leaves all as it was, and is recorded
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply_repeatable('f', 'CREATE VIEW f AS SELECT a FROM t; SELECT 1/0;')$$);
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT action, version, name, sqlstate FROM migmgr.attempts;
SELECT status FROM migmgr.apply('2', 'two', 'CREATE TABLE two (i int)');
SELECT status, detail FROM migmgr.apply_repeatable('f', 'SELECT 1/0;', options => '{"on_error": "report"}');
SELECT status FROM migmgr.apply_repeatable('f', E'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS \'SELECT 1\';\n-- migmgr:verify\nSELECT f() = 1;');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply_repeatable('f', E'CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS \'SELECT 2\';\n-- migmgr:verify\nSELECT f() = 1;')$$);
SELECT f();
-- the guard judges it
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply_repeatable('f', 'DROP TABLE t')$$);

-- after the versions
SELECT status FROM migmgr.submit('3_three.sql', 'CREATE TABLE three (i int);');
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply_repeatable('late', 'CREATE VIEW late AS SELECT i FROM three')$$);
SELECT status FROM migmgr.apply_repeatable('early', 'CREATE VIEW early AS SELECT i FROM two', options => '{"skip_failed": true}');
SELECT status FROM migmgr.apply_pending();
SELECT status FROM migmgr.apply_repeatable('late', 'CREATE VIEW late AS SELECT i FROM three');

-- in the order of what they require; what requires one that ran runs again
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply_repeatable('top', E'-- migmgr:requires base\nCREATE OR REPLACE VIEW top AS SELECT * FROM base')$$);
SELECT version, status FROM migmgr.apply_repeatables(jsonb_object(ARRAY[
  'a_top', E'-- migmgr:requires m_middle\nCREATE OR REPLACE VIEW a_top AS SELECT a FROM m_middle',
  'm_middle', E'-- migmgr:requires z_base\nCREATE OR REPLACE VIEW m_middle AS SELECT a FROM z_base',
  'z_base', 'CREATE OR REPLACE VIEW z_base AS SELECT a FROM t',
  'alone', E'-- migmgr:requires 1\nCREATE OR REPLACE VIEW alone AS SELECT 1 AS i']));
SELECT version, status FROM migmgr.apply_repeatables(jsonb_object(ARRAY[
  'a_top', E'-- migmgr:requires m_middle\nCREATE OR REPLACE VIEW a_top AS SELECT a FROM m_middle',
  'm_middle', E'-- migmgr:requires z_base\nCREATE OR REPLACE VIEW m_middle AS SELECT a FROM z_base',
  'z_base', 'CREATE OR REPLACE VIEW z_base AS SELECT a, b FROM t',
  'alone', E'-- migmgr:requires 1\nCREATE OR REPLACE VIEW alone AS SELECT 1 AS i']));
SELECT name, requires, runs FROM migmgr.repeatables WHERE name LIKE '%\_%';
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply_repeatables(jsonb_object(ARRAY[
  'a', E'-- migmgr:requires b\nSELECT 1', 'b', E'-- migmgr:requires a\nSELECT 1']))$$);

-- what it is not
SELECT state, message FROM public.caught('SELECT * FROM migmgr.apply_repeatable(NULL, ''SELECT 1'')');
SELECT state, message FROM public.caught('SELECT * FROM migmgr.apply_repeatable(''a b'', ''SELECT 1'')');
SELECT state, message FROM public.caught('SELECT * FROM migmgr.apply_repeatable(''a'', NULL)');
SELECT state, message FROM public.caught('SELECT * FROM migmgr.apply_repeatable(''a'', '''')');
SELECT state, message FROM public.caught('SELECT * FROM migmgr.apply_repeatable(''a'', ''CREATE INDEX CONCURRENTLY i ON t (a)'')');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply_repeatable('a', E'SELECT 1;\n-- migmgr:down\nSELECT 2')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply_repeatables('[]')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply_repeatables('{"a": 1}')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply_repeatables(NULL)$$);
SELECT check_name, object, detail FROM migmgr.verify() WHERE status = 'failed' AND check_name <> 'verify';
