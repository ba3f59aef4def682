-- apply(): once, in order, judged, recorded; every refusal leaves all as it was.
\set test apply
\set ECHO none
\i test/include/database.sql
\set ECHO all

-- the plain way
SELECT version, name, status, environment, class, statements, reversible, detail
  FROM migmgr.apply('001', 'first', $$
CREATE TABLE a (id int PRIMARY KEY, t text);
INSERT INTO a VALUES (1, 'x'), (2, 'y');
$$, rollback_sql => 'DROP TABLE a', verify_sql => 'SELECT count(*) = 2 FROM a', note => 'a note');
SELECT * FROM a;

-- again: nothing happens, and nothing is written
SELECT public.fingerprint() AS before \gset
SELECT version, name, status, class, statements, reversible, public.mask(detail) AS detail
  FROM migmgr.apply('001', 'first', $$
CREATE TABLE a (id int PRIMARY KEY, t text);
INSERT INTO a VALUES (1, 'x'), (2, 'y');
$$);
-- the text is canonical: CRLF, a BOM, the first and the last newline do not matter
SELECT status FROM migmgr.apply('001', 'first', E'\uFEFFCREATE TABLE a (id int PRIMARY KEY, t text);\r\nINSERT INTO a VALUES (1, ''x''), (2, ''y'');');
SELECT public.fingerprint() = :'before' AS unchanged;

-- another text under the same version is refused; where only a comment differs it says so
SELECT * FROM public.caught($q$SELECT * FROM migmgr.apply('001', 'first', 'CREATE TABLE a (id int)')$q$) \gx
SELECT state, detail FROM public.caught($q$SELECT * FROM migmgr.apply('001', 'first',
  E'-- new comment\nCREATE TABLE a (id int PRIMARY KEY, t text);\nINSERT INTO a VALUES (1, ''x''), (2, ''y'');')$q$) \gx

-- what was recorded
SELECT event, version, name, checksum = migmgr.checksum($$
CREATE TABLE a (id int PRIMARY KEY, t text);
INSERT INTO a VALUES (1, 'x'), (2, 'y');
$$) AS checksum, detail::jsonb - 'ms' - 'down' - 'verify' - '{state,counts}'::text[] AS detail
  FROM migmgr.ledger WHERE event = 'applied';
SELECT version, n, line, command, object, class, rows, sql FROM migmgr.statements;
SELECT version, action, type, identity FROM migmgr.objects;

-- every way to ask for nonsense: the SQLSTATE, and that nothing changed
CREATE TEMP TABLE bad (n serial, args text);
INSERT INTO bad (args) VALUES
  ($q$NULL, 'x', 'SELECT 1'$q$),
  ($q$'', 'x', 'SELECT 1'$q$),
  ($q$' 9', 'x', 'SELECT 1'$q$),
  ($q$'009_x.sql', 'x', 'SELECT 1'$q$),
  ($q$repeat('9', 200), 'x', 'SELECT 1'$q$),
  ($q$'009', NULL, 'SELECT 1'$q$),
  ($q$'009', ' ', 'SELECT 1'$q$),
  ($q$'009', E'a\nb', 'SELECT 1'$q$),
  ($q$'009', repeat('x', 201), 'SELECT 1'$q$),
  ($q$'009', 'x', NULL$q$),
  ($q$'009', 'x', ''$q$),
  ($q$'009', 'x', '  -- only a comment'$q$),
  ($q$'009', 'x', ';;;'$q$),
  ($q$'009', 'x', E'\\i other.sql'$q$),
  ($q$'009', 'x', 'SELECT :id'$q$),
  ($q$'009', 'x', 'COPY a FROM STDIN'$q$),
  ($q$'009', 'x', 'CREATE TABLE b (); COMMIT; CREATE TABLE c ()'$q$),
  ($q$'009', 'x', 'SAVEPOINT s'$q$),
  ($q$'009', 'x', 'VACUUM a'$q$),
  ($q$'009', 'x', 'CREATE INDEX CONCURRENTLY i ON a (t)'$q$),
  ($q$'009', 'x', 'DISCARD ALL'$q$),
  ($q$'009', 'x', 'CREATE TABLE b (); SELEC 1'$q$),
  ($q$'009', 'x', 'SELECT 1', checksum => 'abc'$q$),
  ($q$'009', 'x', 'SELECT 1', checksum => repeat('0', 64)$q$),
  ($q$'009', 'x', 'SELECT 1', options => '{"lock_timeuot": "2s"}'$q$),
  ($q$'009', 'x', 'SELECT 1', options => '{"lock_timeout": "soon"}'$q$),
  ($q$'009', 'x', 'SELECT 1', options => '{"lock_timeout": 0}'$q$),
  ($q$'009', 'x', 'SELECT 1', options => '{"max_retries": -1}'$q$),
  ($q$'009', 'x', 'SELECT 1', options => '{"skip_failed": "maybe"}'$q$),
  ($q$'009', 'x', 'SELECT 1', options => '{"on_error": "ignore"}'$q$),
  ($q$'009', 'x', 'SELECT 1', options => '{"on_error": null}'$q$),
  ($q$'009', 'x', 'SELECT 1', options => '[]'$q$);
SELECT public.fingerprint() AS before \gset
SELECT b.n, c.state, c.message FROM bad b, LATERAL public.caught('SELECT * FROM migmgr.apply(' || b.args || ')') c ORDER BY b.n;
SELECT public.fingerprint() = :'before' AS unchanged;

-- failures of scripts that were understood: undone, told with statement and line
SELECT * FROM public.caught($q$SELECT * FROM migmgr.apply('002', 'second', E'CREATE TABLE b (i int);\n\nINSERT INTO bb VALUES (1);')$q$) \gx
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('002', 'second', 'DO $d$BEGIN RAISE EXCEPTION USING ERRCODE = ''ZZ123'', MESSAGE = ''boom'', DETAIL = ''d''; END$d$')$q$);
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('002', 'second', 'DO $d$BEGIN COMMIT; END$d$')$q$);
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('002', 'second', 'CREATE TYPE e AS ENUM (''a''); ALTER TYPE e ADD VALUE ''b''; SELECT ''c''::e')$q$);
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('002', 'second', 'CREATE TABLE b (i int)', verify_sql => 'SELECT 1; SELECT count(*) = 1 FROM b')$q$);
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('002', 'second', 'CREATE TABLE b (i int)', verify_sql => 'SELECT true WHERE false')$q$);
-- a deferred constraint fails now, not at COMMIT
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('002', 'second',
  'CREATE TABLE b (i int PRIMARY KEY, j int REFERENCES b DEFERRABLE INITIALLY DEFERRED); INSERT INTO b VALUES (1, 2)')$q$);
-- nested
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('002', 'second', 'SELECT * FROM migmgr.apply(''003'', ''x'', ''SELECT 1'')')$q$);
SELECT public.fingerprint() = :'before' AS unchanged;

-- as a row instead of an error: the failure is recorded in this transaction
SELECT version, status, statements, detail FROM migmgr.apply('002', 'second', 'CREATE TABLE b (i int); SELECT 1/0', options => '{"on_error": "report"}');
SELECT to_regclass('b') AS b, (SELECT count(*) FROM migmgr.attempts WHERE version = '002' AND sqlstate = '22012') AS recorded;

-- order: a failed version stops the next one, as does one that is out of order
SELECT * FROM public.caught($q$SELECT * FROM migmgr.apply('003', 'third', 'CREATE TABLE c ()')$q$) \gx
SELECT status FROM migmgr.apply('003', 'third', 'CREATE TABLE c ()', options => '{"skip_failed": true}');
SELECT * FROM public.caught($q$SELECT * FROM migmgr.apply('002', 'second', 'CREATE TABLE b (i int)')$q$) \gx
SELECT status FROM migmgr.apply('002', 'second', 'CREATE TABLE b (i int)', options => '{"allow_out_of_order": true}');
SELECT * FROM public.caught($q$SELECT * FROM migmgr.apply('004', 'fourth', 'CREATE TABLE c ()')$q$) \gx

-- the script's settings and role end with it
SET work_mem = '5MB';
SELECT status FROM migmgr.apply('004', 'fourth', $$
SET lock_timeout = 0; SET work_mem = '9MB'; SET search_path = nowhere; SET ROLE pg_monitor;
SELECT set_config('client_encoding', 'LATIN1', false); RESET ROLE;
SET LOCAL statement_timeout = 0; SET SESSION AUTHORIZATION pg_monitor$$);
SELECT current_setting('work_mem') AS work_mem, current_setting('lock_timeout') AS lock_timeout,
       current_setting('search_path') AS search_path, current_setting('client_encoding') = 'LATIN1' AS latin1,
       current_user = session_user AS same_user, session_user = :'USER' AS same_session;
RESET work_mem;

-- one outer transaction is taken off
SELECT status, statements FROM migmgr.apply('005', 'fifth', 'BEGIN; CREATE TABLE f (i int); COMMIT;');

-- rehearsed: nothing stays
SELECT public.fingerprint() AS before \gset
SELECT status, class, statements, detail FROM migmgr.apply('006', 'sixth', 'CREATE TABLE g (i int); ALTER TABLE a ADD COLUMN n int', dry_run => true);
SELECT public.fingerprint() = :'before' AS unchanged;

-- inside a transaction that is rolled back, to a savepoint or whole
BEGIN;
SAVEPOINT s;
SELECT status FROM migmgr.apply('006', 'sixth', 'CREATE TABLE g (i int)');
ROLLBACK TO s;
SELECT status FROM migmgr.apply('006', 'sixth', 'CREATE TABLE g (i int)');
ROLLBACK;
SELECT to_regclass('g') AS g, (SELECT count(*) FROM migmgr.ledger WHERE version = '006') AS entries;
-- not in a prepared transaction, not read-only
BEGIN;
SELECT status FROM migmgr.apply('006', 'sixth', 'CREATE TABLE g (i int)');
PREPARE TRANSACTION 'p';
ROLLBACK;
BEGIN READ ONLY;
SELECT status FROM migmgr.apply('006', 'sixth', 'CREATE TABLE g (i int)');
ROLLBACK;

-- messages are kept with the statement that raised them
SELECT status FROM migmgr.apply('006', 'sixth', 'CREATE TABLE IF NOT EXISTS a (); DO $d$BEGIN RAISE WARNING ''look''; END$d$; SELECT 1');
SELECT n, notices FROM migmgr.statements WHERE version = '006' ORDER BY n;

-- passwords are not kept
SELECT status FROM migmgr.apply('007', 'seventh', $$CREATE ROLE regress_migmgr_secret PASSWORD 'hunter2'$$);
SELECT count(*) FILTER (WHERE s.text ~ 'hunter2') AS leaked, count(*) FILTER (WHERE s.redacted) AS redacted FROM migmgr_internal.script s;
SELECT sql FROM migmgr.statements WHERE version = '007';
DROP ROLE regress_migmgr_secret;
SELECT status FROM migmgr.verify() WHERE check_name = 'texts';

SELECT version, name, status, class, statements, reversible, attempts > 1 AS failed_before, note FROM migmgr.history;
SELECT status FROM migmgr.verify() WHERE check_name = 'chain';
\connect postgres
DROP DATABASE regress_migmgr_apply;
