-- Modes of the whole database: frozen, read only, and how they end.
\set test mode
\set ECHO none
\i test/include/database.sql
\set ECHO all
SET timezone = 'UTC';
SET client_min_messages = error;
CREATE FUNCTION times(t text) RETURNS text LANGUAGE sql AS
  $$SELECT regexp_replace(t, '\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? \w+', 'TIME', 'g')$$;
CREATE FUNCTION says(sql text) RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE sql AS
  $$SELECT c.state, public.times(c.message), public.times(c.detail), c.hint FROM public.caught(sql) AS c$$;
CREATE FUNCTION mode() RETURNS TABLE (value text, state text, hint text) LANGUAGE sql AS
  $$SELECT public.times(s.value), s.state, s.hint FROM migmgr.status AS s WHERE s.topic = 'database'$$;
CREATE TABLE t (a integer);
SELECT version, status FROM migmgr.apply('001', 'first', 'CREATE TABLE one (a integer)', rollback_sql => 'DROP TABLE one');
SELECT * FROM mode();

SELECT public.fingerprint() AS before \gset
SELECT c.* FROM unnest(ARRAY[
  $$NULL, 'x'$$, $$'closed', 'x'$$, $$'frozen', NULL$$, $$'frozen', ' '$$, $$'normal', 'x', now() + interval '1 hour'$$,
  $$'frozen', 'x', '2026-01-01'$$, $$'frozen', 'x', 'infinity'$$, $$'read only', 'x', now() + interval '2 days'$$]) AS a(args),
  says('SELECT * FROM migmgr.set_mode(' || a.args || ')') AS c \gx
SELECT public.fingerprint() = :'before' AS nothing_happened;

-- frozen: no DDL, no migration, no way back
SELECT status, ends_at, environment, not_reached FROM migmgr.set_mode('frozen', 'incident 12');
SELECT * FROM mode();
SELECT migmgr.health() ->> 'status' AS health;
SELECT public.fingerprint() AS before \gset
SELECT * FROM says('CREATE TABLE two (a integer)') \gx
SELECT state, message, hint FROM says($$DO 'BEGIN EXECUTE ''ALTER TABLE t ADD COLUMN b integer''; END'$$);
SELECT state, message FROM says('GRANT SELECT ON t TO PUBLIC');
SELECT * FROM says($$SELECT * FROM migmgr.apply('002', 'second', 'CREATE TABLE two (a integer)')$$) \gx
SELECT state, message, hint FROM says($$SELECT * FROM migmgr.rollback('001', 'back')$$) \gx
SELECT public.fingerprint() = :'before' AS nothing_happened;
-- what is no DDL goes on: rows, what only this session sees, upkeep, a trial
INSERT INTO t VALUES (1);
CREATE TEMP TABLE mine (a integer);
GRANT ALL ON mine TO PUBLIC;
REINDEX TABLE t;
SELECT status FROM migmgr.apply('002', 'second', 'CREATE TABLE two (a integer)', dry_run => true);
SELECT status FROM migmgr.apply('001', 'first', 'CREATE TABLE one (a integer)', rollback_sql => 'DROP TABLE one');
-- a waiver for one version is used up by it, one for anything is not
SELECT left(migmgr.waive('frozen', 'the way out', version => '001'), 16);
SELECT state FROM says($$SELECT * FROM migmgr.apply('002', 'second', 'CREATE TABLE two (a integer)')$$);
SELECT state FROM says('CREATE TABLE two (a integer)');
SELECT version, status FROM migmgr.rollback('001', 'back');
SELECT version, active, used_at IS NOT NULL AS used FROM migmgr.waivers;
SELECT state FROM says($$SELECT * FROM migmgr.apply('001', 'first', 'CREATE TABLE one (a integer)')$$);
SET client_min_messages = warning;
SELECT left(migmgr.waive('frozen', 'all of it'), 16);
CREATE TABLE two (a integer);
SELECT version, status FROM migmgr.apply('002', 'second', 'CREATE TABLE three (a integer)');
SET client_min_messages = error;

-- normal again, undone with its transaction
BEGIN;
SELECT status, ends_at, not_reached FROM migmgr.set_mode('normal', 'over');
CREATE TABLE four (a integer);
ROLLBACK;
SELECT migmgr.resume('x');
SELECT count(*) FROM migmgr.ledger WHERE event = 'mode';
SELECT status FROM migmgr.set_mode('normal', 'over');
CREATE TABLE four (a integer);
SELECT * FROM mode();

-- it ends by itself
CREATE FUNCTION wait() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  WHILE clock_timestamp() < (SELECT (l.detail::jsonb ->> 'until')::timestamptz FROM migmgr.ledger AS l WHERE l.event = 'mode' ORDER BY l.seq DESC LIMIT 1) LOOP
    PERFORM pg_sleep(0.01);
  END LOOP;
  RETURN true;
END
$$;
SELECT status FROM migmgr.set_mode('frozen', 'a moment', clock_timestamp() + interval '500 milliseconds');
SELECT state FROM says('CREATE TABLE five (a integer)');
SELECT wait();
CREATE TABLE five (a integer);
SELECT * FROM mode();

-- read only: for all but operators
CREATE ROLE regress_migmgr_app;
CREATE ROLE regress_migmgr_dba;
GRANT ALL ON ALL TABLES IN SCHEMA public TO regress_migmgr_app, regress_migmgr_dba;
GRANT CREATE ON SCHEMA public TO regress_migmgr_app;
CREATE FUNCTION writes() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO t VALUES (2)';
SELECT levels FROM migmgr.grant_access('regress_migmgr_app', 'viewer') \gset ignored_
SELECT levels FROM migmgr.grant_access('regress_migmgr_dba', 'operator') \gset ignored_
CREATE TABLE jobs (id bigint PRIMARY KEY, status text NOT NULL, last_heartbeat_at timestamptz, started_at timestamptz);
GRANT ALL ON jobs TO regress_migmgr_app;
INSERT INTO jobs VALUES (1, 'running', clock_timestamp() - interval '1 hour');
SELECT status FROM migmgr.watch('jobs');
SELECT status, ends_at - clock_timestamp() BETWEEN '59 minutes' AND '1 hour' AS an_hour, not_reached LIKE 'operators of migmgr and superusers%' AS says_what
  FROM migmgr.set_mode('read only', 'moving to another server') \gx
SELECT * FROM mode();
SELECT public.fingerprint() AS before \gset
SET ROLE regress_migmgr_app;
SELECT * FROM says('INSERT INTO t VALUES (2)') \gx
SELECT c.state, c.message FROM unnest(ARRAY[
  'UPDATE t SET a = 3', 'DELETE FROM t', 'WITH w AS (INSERT INTO t VALUES (2) RETURNING 1) SELECT * FROM w', 'SELECT writes()',
  'CREATE TABLE six (a integer)', 'TRUNCATE t', 'SELECT * FROM t FOR UPDATE',
  $$DO 'BEGIN INSERT INTO public.t VALUES (2); END'$$, $$SELECT migmgr.heartbeat('jobs', 1)$$,
  'MERGE INTO t USING (SELECT 1) AS s ON false WHEN NOT MATCHED THEN INSERT VALUES (2)']) AS a(sql), says(a.sql) AS c;
\set VERBOSITY terse
COPY t FROM stdin;
2
\.
SELECT count(*) FROM t;
COPY t TO stdout;
PREPARE p AS INSERT INTO t VALUES (2);
EXECUTE p;
CREATE TEMP TABLE other (a integer);
INSERT INTO mine VALUES (1);
EXPLAIN (COSTS OFF) INSERT INTO t VALUES (2);
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE;
SELECT count(*) FROM t;
SET TRANSACTION READ WRITE;
ROLLBACK;
SELECT migmgr.flag_enabled('x'), count(*) FROM migmgr.history;
RESET ROLE;
SELECT public.fingerprint() = :'before' AS nothing_happened;
-- and for who has nothing to do with migmgr
CREATE ROLE regress_migmgr_stranger;
GRANT ALL ON t TO regress_migmgr_stranger;
SET ROLE regress_migmgr_stranger;
SELECT count(*) FROM t;
SELECT state FROM says('INSERT INTO t VALUES (2)');
RESET ROLE;
-- operators go on, and nobody is taken for dead who was not let speak
SET ROLE regress_migmgr_dba;
INSERT INTO t VALUES (4);
RESET ROLE;
SELECT stale, dead_lettered, skipped FROM migmgr.sweep('jobs', clock_timestamp());
SELECT status FROM migmgr.set_mode('normal', 'moved');
SELECT stale, dead_lettered, skipped FROM migmgr.sweep('jobs', clock_timestamp());
SET ROLE regress_migmgr_app;
SELECT migmgr.heartbeat('jobs', 1);
INSERT INTO t VALUES (5);
RESET ROLE;
SELECT status FROM migmgr.set_mode('read only', 'a moment', clock_timestamp() + interval '500 milliseconds');
SET ROLE regress_migmgr_app;
SELECT state FROM says('INSERT INTO t VALUES (6)');
RESET ROLE;
SELECT wait();
SET ROLE regress_migmgr_app;
INSERT INTO t VALUES (6);
SELECT state FROM public.caught($$SELECT * FROM migmgr.set_mode('frozen', 'x')$$);
RESET ROLE;
SELECT * FROM t ORDER BY a;
SELECT event, detail::jsonb - 'until' AS detail FROM migmgr.ledger WHERE event = 'mode' ORDER BY seq;
SELECT levels FROM migmgr.revoke_access('regress_migmgr_app');
SELECT levels FROM migmgr.revoke_access('regress_migmgr_dba');
\connect postgres
DROP DATABASE regress_migmgr_mode;
DROP ROLE regress_migmgr_app, regress_migmgr_dba, regress_migmgr_stranger;
