-- After an apply: versions are observed, a scheduled check that begins to fail
-- advises to go back; health() and metrics say so.
\set test observe
\set ECHO none
\i test/include/database.sql
\set ECHO all
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET client_min_messages = error;
CREATE FUNCTION times(t text) RETURNS text LANGUAGE sql AS
  $$SELECT regexp_replace(t, '\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?(\+00| \w+)', 'TIME', 'g')$$;
CREATE FUNCTION last() RETURNS TABLE (value text, state text, hint text) LANGUAGE sql AS
  $$SELECT public.times(s.value), s.state, s.hint FROM migmgr.status AS s WHERE s.topic = 'last'$$;
CREATE FUNCTION advised() RETURNS TABLE (version text, because text, call text) LANGUAGE sql AS
  $$SELECT a.version, public.times(a.because), a.call FROM migmgr_internal.advice() AS a$$;

-- the team's log table, and the runbook's trigger: more than 1 % errors within five minutes
CREATE TABLE app_log (at timestamptz DEFAULT clock_timestamp(), level text);
INSERT INTO app_log (level) SELECT 'info' FROM generate_series(1, 1000);
SELECT left(migmgr.add_check('error rate', $$SELECT count(*) FILTER (WHERE level = 'error')::numeric / greatest(count(*), 1)
  FROM public.app_log WHERE at > now() - interval '5 minutes'$$, '<= 0.01', '{schedule}'), 17);
SELECT left(migmgr.add_check('old trouble', 'SELECT 1', '0', '{schedule}'), 18);
SELECT status FROM migmgr.run_checks('schedule') WHERE check_name LIKE 'old%';
SELECT version, status FROM migmgr.apply('001', 'first', 'CREATE TABLE one (a integer)', rollback_sql => 'DROP TABLE one');
SELECT version, status FROM migmgr.apply('002', 'second', 'CREATE TABLE two (a integer)', rollback_sql => 'DROP TABLE two');

-- what failed before is none of theirs; what is fine is fine
SELECT check_name, status FROM migmgr.run_checks('schedule');
SELECT * FROM advised();
SELECT version, until - applied_at AS "window", failing FROM migmgr_internal.observed('7 days');
SELECT public.times(value) AS value, state FROM last();

-- two percent
INSERT INTO app_log (level) SELECT 'error' FROM generate_series(1, 20);
SELECT check_name, status FROM migmgr.run_checks('schedule');
SELECT * FROM advised() \gx
SELECT * FROM last() \gx
SELECT h ->> 'status' AS status, h #>> '{rollback_advised,version}' AS version, h #>> '{rollback_advised,call}' AS call FROM migmgr.health() AS h;
SELECT name, labels, value FROM migmgr.metrics WHERE name IN ('check_failing', 'rollback_advised') ORDER BY name, labels::text COLLATE "C";
-- a version that comes while it fails is not the cause
SELECT version, status FROM migmgr.apply('003', 'third', 'CREATE TABLE three (a integer)');
SELECT version FROM advised();
-- outside of its window nothing is said of it
SELECT migmgr.set_policy('production', 'observe', '0');
SELECT * FROM advised();
SELECT migmgr.set_policy('production', 'observe', NULL);
SELECT c.state, c.message FROM unnest('{soon,1 week,"1 day, 2 days"}'::text[]) AS v(value),
  public.caught(format('SELECT migmgr.set_policy(%L, %L, %L)', 'production', 'observe', v.value)) AS c;

-- gone back, or fine again
BEGIN;
SELECT version, status FROM migmgr.rollback('002', 'check error rate fails');
SELECT version FROM advised();
ROLLBACK;
DELETE FROM app_log WHERE level = 'error';
SELECT check_name, status FROM migmgr.run_checks('schedule');
SELECT * FROM advised();
SELECT state FROM last();
-- it begins anew: 003 is the newest now
INSERT INTO app_log (level) SELECT 'error' FROM generate_series(1, 20);
SELECT count(*) > 0 AS ran FROM migmgr.run_checks('schedule');
SELECT version, call FROM advised();
SELECT migmgr.drop_check('error rate') IS NOT NULL AS dropped;
SELECT * FROM advised();

-- health(), whole
SELECT k FROM jsonb_object_keys(migmgr.health()) AS k ORDER BY k COLLATE "C";
SELECT h -> 'guard' ->> 'state' IN ('ok', 'warning') AS guard, h -> 'last' ->> 'version' AS last, h -> 'dead_letters' AS dead_letters,
       h -> 'sweeps' AS sweeps, h ->> 'mode' AS mode FROM migmgr.health() AS h;
CREATE TABLE jobs (id bigint PRIMARY KEY, status text NOT NULL, last_heartbeat_at timestamptz, started_at timestamptz);
INSERT INTO jobs SELECT g, 'running', clock_timestamp() - interval '1 hour' FROM generate_series(1, 12) AS g;
SELECT status FROM migmgr.watch('jobs');
SELECT stale, dead_lettered FROM migmgr.sweep('jobs', clock_timestamp());
SELECT h -> 'dead_letters' AS dead_letters, h #>> '{sweeps,0,job_table}' AS job_table, h #>> '{sweeps,0,stale}' AS stale FROM migmgr.health() AS h;
SELECT name, labels, value FROM migmgr.metrics WHERE name NOT IN ('last_change_seconds', 'sweep_age_seconds', 'sweep_ms', 'status', 'check_failing')
 ORDER BY name COLLATE "C", labels::text COLLATE "C";
SELECT count(*) > 7 AS topics, bool_and(value IN (0, 1, 2)) AS known FROM migmgr.metrics WHERE name = 'status';
-- as a viewer, who may read no table
CREATE ROLE regress_migmgr_monitor;
SELECT levels FROM migmgr.grant_access('regress_migmgr_monitor', 'viewer') \gset ignored_
SET ROLE regress_migmgr_monitor;
SELECT count(*) > 20 AS metrics FROM migmgr.metrics;
SELECT migmgr.health() ? 'status' AS health;
RESET ROLE;
SELECT levels FROM migmgr.revoke_access('regress_migmgr_monitor') \gset ignored_
\connect postgres
DROP DATABASE regress_migmgr_observe;
DROP ROLE regress_migmgr_monitor;
