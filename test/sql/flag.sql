-- Feature flags: bound to a version, raised step by step, off on rollback, and
-- obeyed by the watchdog where they exist.
\set test flag
\set ECHO none
\i test/include/database.sql
\set ECHO all
SET timezone = 'UTC';
SET client_min_messages = error;
CREATE FUNCTION times(t text) RETURNS text LANGUAGE sql AS
  $$SELECT regexp_replace(t, '\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? \w+', 'TIME', 'g')$$;
CREATE FUNCTION says(sql text) RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE sql AS
  $$SELECT c.state, public.times(c.message), public.times(c.detail), c.hint FROM public.caught(sql) AS c$$;
CREATE FUNCTION flags() RETURNS TABLE (flag text, percent integer, state text, versions text, waits boolean, because text) LANGUAGE sql AS
  $$SELECT f.flag, f.percent, f.state, f.versions, f.not_before > now(), public.times(f.because) FROM migmgr.flags AS f$$;
CREATE FUNCTION how_many(flag text) RETURNS bigint LANGUAGE sql AS
  $$SELECT count(*) FILTER (WHERE migmgr.flag_enabled(flag, g::text)) FROM generate_series(1, 10000) AS g$$;

-- what nobody has made is off; a typo is not a new flag
SELECT migmgr.flag_enabled('DLQ_ENABLED'), migmgr.flag_enabled('DLQ_ENABLED', 'x'), migmgr.flag_enabled(NULL, 'x'), migmgr.flag_enabled('', '');
SELECT public.fingerprint() AS before \gset
SELECT c.* FROM unnest(ARRAY[
  $$'DLQ_ENABLED', 5, 'week 1'$$, $$NULL, 5, 'x'$$, $$'', 5, 'x'$$, $$'a b', 5, 'x'$$, $$repeat('x', 64), 5, 'x'$$,
  $$'F', NULL, 'x'$$, $$'F', -1, 'x'$$, $$'F', 101, 'x'$$, $$'F', 0, NULL$$, $$'F', 0, ' '$$]) AS a(args),
  says('SELECT migmgr.set_flag(' || a.args || ')') AS c \gx
SELECT public.fingerprint() = :'before' AS nothing_happened;

-- a flag of nobody's: made at 0, raised as one likes
SELECT migmgr.set_flag('z-dark', 0, 'a flag without a migration');
SELECT migmgr.set_flag('z-dark', 20, 'some');
SELECT how_many('z-dark') BETWEEN 1800 AND 2200 AS a_fifth;
CREATE TABLE first AS SELECT g FROM generate_series(1, 10000) AS g WHERE migmgr.flag_enabled('z-dark', g::text);
SELECT migmgr.set_flag('z-dark', 60, 'more');
SELECT how_many('z-dark') BETWEEN 5700 AND 6300 AS most, (SELECT count(*) FROM first WHERE NOT migmgr.flag_enabled('z-dark', g::text)) AS out_again;
SELECT migmgr.flag_enabled('z-dark') AS without_subject, migmgr.flag_enabled('z-dark', NULL) AS null_subject;
SELECT migmgr.set_flag('z-dark', 100, 'all');
SELECT how_many('z-dark'), migmgr.flag_enabled('z-dark') AS without_subject;
-- another flag has other subjects
SELECT migmgr.set_flag('other', 0, 'a flag'), migmgr.set_flag('other', 50, 'half');
SELECT count(*) BETWEEN 2200 AND 2800 AS independent FROM generate_series(1, 10000) AS g
 WHERE migmgr.flag_enabled('other', g::text) AND abs(hashtext('other' || g)) % 2 = 0;

-- set in a transaction, undone with it, in a subtransaction too
BEGIN;
SELECT migmgr.set_flag('z-dark', 0, 'off');
SELECT migmgr.flag_enabled('z-dark');
SAVEPOINT s;
SELECT migmgr.set_flag('z-dark', 100, 'on');
SELECT migmgr.flag_enabled('z-dark');
ROLLBACK TO s;
SELECT migmgr.flag_enabled('z-dark');
ROLLBACK;
SELECT migmgr.flag_enabled('z-dark');

-- in a parallel query
CREATE TABLE many AS SELECT g::text AS subject FROM generate_series(1, 20000) AS g;
ANALYZE many;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE FUNCTION gathers(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  line text;
  found boolean := false;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
    found := found OR line ~ 'Gather';
  END LOOP;
  RETURN found;
END
$$;
SELECT gathers($$SELECT count(*) FROM many WHERE migmgr.flag_enabled('other', subject)$$);
SELECT count(*) BETWEEN 9500 AND 10500 AS half FROM many WHERE migmgr.flag_enabled('other', subject);
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- a migration brings its flag: off, and it soaks
CREATE TABLE jobs (id bigint PRIMARY KEY, status text NOT NULL, last_heartbeat_at timestamptz, started_at timestamptz);
INSERT INTO jobs SELECT g, 'running', '2026-01-01 11:00Z' FROM generate_series(1, 1000) AS g;
SELECT status FROM migmgr.watch('jobs');
SELECT job_table, status FROM migmgr.watches;
SELECT stale, dead_lettered, skipped FROM migmgr.sweep('jobs', '2026-01-01 12:00Z', dry_run => true);
SELECT version, status FROM migmgr.apply_file('001_dlq.sql', E'-- migmgr:flag DLQ_ENABLED\nCREATE TABLE d1 (a integer);\n-- migmgr:down\nDROP TABLE d1;\n');
SELECT version, status FROM migmgr.apply_file('002_beat.sql', E'-- migmgr:flag JOB_HEARTBEAT\nCREATE TABLE d2 (a integer);\n-- migmgr:down\nDROP TABLE d2;\n');
SELECT * FROM flags();
SELECT migmgr.flag_enabled('DLQ_ENABLED', '1');

-- the watchdog obeys them: it finds, and moves nothing
SELECT job_table, status FROM migmgr.watches;
SELECT stale, dead_lettered, skipped FROM migmgr.sweep('jobs', '2026-01-01 12:00Z');
SELECT stale, dead_lettered, skipped FROM migmgr.sweep('jobs', '2026-01-01 12:00Z', dry_run => true);
SELECT count(*) FROM migmgr.job_dlq;

SELECT public.fingerprint() AS before \gset
SELECT * FROM says($$SELECT migmgr.set_flag('DLQ_ENABLED', 5, 'too early')$$) \gx
SELECT public.fingerprint() = :'before' AS nothing_happened;
SELECT migmgr.set_flag('DLQ_ENABLED', 0, 'off is off, at any time');

-- other times: at once after the apply, seven days between steps
SELECT c.* FROM unnest('{soon,1 fortnight,"24 hours, 7 days, 8 days, 9 days",-1 day,"24 hours;"}'::text[]) AS v(value),
  says(format('SELECT migmgr.set_policy(%L, %L, %L)', 'production', 'soak', v.value)) AS c;
SELECT state, message FROM says($$SELECT migmgr.set_policy('production', 'soak', '0', for_role => 'postgres')$$);
SELECT migmgr.set_policy('production', 'soak', '0, 7 days');
SELECT migmgr.set_flag('DLQ_ENABLED', 5, 'week 1');
SELECT * FROM flags();
SELECT state, message, detail FROM says($$SELECT migmgr.set_flag('DLQ_ENABLED', 100, 'all of it')$$) \gx
SELECT state, message, detail FROM says($$SELECT migmgr.set_flag('JOB_HEARTBEAT', 100, 'this one as well')$$) \gx
-- somebody takes responsibility, for a version
SELECT left(migmgr.waive('soak', 'a test', version => '001'), 14);
SELECT state FROM says($$SELECT migmgr.set_flag('JOB_HEARTBEAT', 100, 'not covered')$$);
SELECT state FROM says($$SELECT migmgr.set_flag('DLQ_ENABLED', 10, 'covered')$$);
SELECT what, version, reason, active, used_at IS NOT NULL AS used FROM migmgr.waivers;
SELECT state FROM says($$SELECT migmgr.set_flag('DLQ_ENABLED', 15, 'covered once')$$);
SELECT migmgr.set_policy('production', 'soak', '0');
SELECT migmgr.set_flag('JOB_HEARTBEAT', 100, 'no soak');

-- a tenth of the jobs: those whose id is in, and the rest stays
SELECT job_table, status FROM migmgr.watches;
SELECT stale, dead_lettered BETWEEN 60 AND 140 AS a_tenth, skipped = stale - dead_lettered AS rest_skipped FROM migmgr.sweep('jobs', '2026-01-01 12:00Z', dry_run => true);
SELECT stale, dead_lettered BETWEEN 60 AND 140 AS a_tenth, skipped = stale - dead_lettered AS rest_skipped FROM migmgr.sweep('jobs', '2026-01-01 12:00Z');
SELECT bool_and(migmgr.flag_enabled('DLQ_ENABLED', job_id)) FROM migmgr.job_dlq;
SELECT bool_or(migmgr.flag_enabled('DLQ_ENABLED', id::text)) FROM jobs WHERE status = 'running';

-- a later migration for the same feature leaves it on, and soaks again
SELECT migmgr.set_policy('production', 'soak', '24 hours');
SELECT version, status FROM migmgr.apply_file('003_dlq.sql', E'-- migmgr:flag DLQ_ENABLED\nCREATE TABLE d3 (a integer);\n-- migmgr:down\nDROP TABLE d3;\n');
SELECT * FROM flags() WHERE flag = 'DLQ_ENABLED';
SELECT state FROM says($$SELECT migmgr.set_flag('DLQ_ENABLED', 100, 'x')$$);

-- a dry run changes no flag; a rollback switches off, in its own transaction
SELECT version, status FROM migmgr.rollback('003', 'a try', dry_run => true);
SELECT percent FROM flags() WHERE flag = 'DLQ_ENABLED';
BEGIN;
SELECT version, status FROM migmgr.rollback('003', 'a mistake');
SELECT migmgr.flag_enabled('DLQ_ENABLED', job_id) FROM migmgr.job_dlq LIMIT 1;
ROLLBACK;
SELECT migmgr.flag_enabled('DLQ_ENABLED', job_id) FROM migmgr.job_dlq LIMIT 1;
SELECT version, status FROM migmgr.rollback('003', 'a mistake');
SELECT version, status FROM migmgr.rollback('001', 'another');
SELECT * FROM flags() WHERE flag = 'DLQ_ENABLED';
SELECT event, version, detail::jsonb - 'environment' - 'ms' - 'undoes' - '{state,counts}'::text[] AS detail FROM migmgr.ledger ORDER BY seq DESC LIMIT 3;
SELECT state, message, detail, hint FROM says($$SELECT migmgr.set_flag('DLQ_ENABLED', 5, 'without its table')$$) \gx
-- that of 002 is on as before, and its rollback that fails leaves it so
INSERT INTO d2 VALUES (1);
SELECT state FROM says($$SELECT migmgr.rollback('002', 'it has data')$$);
SELECT percent FROM flags() WHERE flag = 'JOB_HEARTBEAT';

-- who may: any viewer asks, an operator sets, nobody else does anything
CREATE ROLE regress_migmgr_app;
SELECT levels FROM migmgr.grant_access('regress_migmgr_app', 'viewer');
SET ROLE regress_migmgr_app;
SELECT migmgr.flag_enabled('z-dark', 'me'), count(*) FROM migmgr.flags;
SELECT state FROM public.caught($$SELECT migmgr.set_flag('z-dark', 0, 'x')$$);
SELECT state FROM public.caught($$SELECT migmgr_internal.tell('x', 'y', '{}')$$);
RESET ROLE;
SELECT levels FROM migmgr.revoke_access('regress_migmgr_app');
DROP ROLE regress_migmgr_app;
SELECT object, status FROM migmgr.verify() WHERE check_name = 'chain';
\connect postgres
DROP DATABASE regress_migmgr_flag;
