-- watch(), heartbeat(), sweep(), run_sweeps(): a job leaves running once, with
-- its dead letter, and nothing that is alive, locked or unknown is touched.
\set test watchdog
\set ECHO none
\i test/include/database.sql
\set ECHO all
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = error;
SELECT status FROM migmgr.set_environment('development') AS s(status) \gset ignore_

CREATE TABLE qc_jobs (
  id bigint PRIMARY KEY, status text NOT NULL, file_name text, organisation_id uuid, progress integer,
  started_at timestamptz, last_heartbeat_at timestamptz, completed_at timestamptz, error_message text);
CREATE TYPE job_state AS ENUM ('queued', 'in_progress', 'done', 'broken');
CREATE TABLE "Odd Jobs" (
  key text PRIMARY KEY, state job_state NOT NULL, beat timestamptz, tries integer NOT NULL DEFAULT 0, tries_max integer NOT NULL DEFAULT 3);
-- what a session of a test knows about jobs and letters
CREATE FUNCTION jobs() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(format('%s %s', status, n), ', ' ORDER BY status) FROM (SELECT status, count(*) AS n FROM qc_jobs GROUP BY status) AS s $$;
CREATE FUNCTION fill(n integer) RETURNS void LANGUAGE sql AS $$
  DELETE FROM qc_jobs; DELETE FROM migmgr.job_dlq;
  INSERT INTO qc_jobs SELECT g, 'running', 'file ' || g, md5(g::text)::uuid, 0, '2026-01-01 10:00Z', '2026-01-01 11:00Z' FROM generate_series(1, n) AS g $$;

-- refusals of watch(): SQLSTATE, and nothing was left
CREATE VIEW a_view AS SELECT * FROM qc_jobs;
CREATE TEMP TABLE a_temp (id int, status text, last_heartbeat_at timestamptz);
CREATE TABLE bare (id int);
CREATE TABLE naive (id int, status text, last_heartbeat_at timestamp);
CREATE ROLE regress_migmgr_worker;
CREATE ROLE regress_migmgr_stranger;
SELECT migmgr.grant_access('regress_migmgr_worker', 'operator') \gset ignore_
SELECT migmgr.grant_access('regress_migmgr_stranger', 'operator') \gset ignore_
SELECT public.fingerprint() AS before \gset
CREATE TEMP TABLE bad (n serial, args text);
INSERT INTO bad (args) VALUES
  ($$NULL$$), ($$'nowhere'$$), ($$'a_view'$$), ($$'a_temp'$$), ($$'bare'$$), ($$'naive'$$),
  ($$'migmgr.ledger'$$), ($$'pg_class'$$),
  ($$'qc_jobs', '0 s'$$), ($$'qc_jobs', '-1 minute'$$), ($$'qc_jobs', '1 year'$$), ($$'qc_jobs', NULL$$),
  ($$'qc_jobs', dlq_table => 'qc_jobs'$$), ($$'qc_jobs', dlq_table => 'bare'$$), ($$'qc_jobs', dlq_table => 'a_view'$$),
  ($$'qc_jobs', columns => '{"colour": "red"}'$$), ($$'qc_jobs', columns => '[]'$$), ($$'qc_jobs', columns => '{"id": 5}'$$),
  ($$'qc_jobs', columns => '{"started_at": "begun"}'$$), ($$'qc_jobs', columns => '{"id": null}'$$),
  ($$'qc_jobs', columns => '{"started_at": "file_name"}'$$),
  ($$'qc_jobs', statuses => '{"zombie": "x"}'$$), ($$'qc_jobs', statuses => '{"failed": "running"}'$$),
  ($$'"Odd Jobs"', columns => '{"id": "key", "status": "state", "last_heartbeat_at": "beat"}'$$),
  ($$'qc_jobs', max_retries => -1$$), ($$'qc_jobs', batch_size => 0$$);
SELECT b.args, c.state, regexp_replace(c.message, 'pg_temp_\d+', 'pg_temp') AS message, c.detail, c.hint FROM bad AS b, public.caught('SELECT * FROM migmgr.watch(' || b.args || ')') AS c ORDER BY b.n \gx
-- privileges and row security are the caller's
GRANT SELECT ON qc_jobs TO regress_migmgr_worker;
SET ROLE regress_migmgr_worker;
SELECT * FROM public.caught($$SELECT * FROM migmgr.watch('qc_jobs')$$) \gx
RESET ROLE;
GRANT ALL ON qc_jobs TO regress_migmgr_worker;
REVOKE DELETE ON migmgr.job_dlq FROM regress_migmgr_worker;
SET ROLE regress_migmgr_worker;
SELECT * FROM public.caught($$SELECT * FROM migmgr.watch('qc_jobs')$$) \gx
RESET ROLE;
GRANT DELETE ON migmgr.job_dlq TO regress_migmgr_worker;
ALTER TABLE qc_jobs ENABLE ROW LEVEL SECURITY;
SET ROLE regress_migmgr_worker;
SELECT * FROM public.caught($$SELECT * FROM migmgr.watch('qc_jobs')$$) \gx
RESET ROLE;
ALTER TABLE qc_jobs DISABLE ROW LEVEL SECURITY;
SELECT public.fingerprint() = :'before' AS unchanged, count(*) AS watches FROM migmgr.watches;
SELECT * FROM migmgr.sweep();
SELECT * FROM public.caught($$SELECT * FROM migmgr.sweep('qc_jobs')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.heartbeat('qc_jobs', 1)$$) \gx
SELECT * FROM public.caught($$SELECT * FROM migmgr.unwatch('qc_jobs')$$) \gx

-- watched, again, changed: the ledger has what changed and no more
SELECT * FROM migmgr.watch('qc_jobs') \gx
SELECT status FROM migmgr.watch('qc_jobs');
SELECT status, stale_ms FROM migmgr.watch('qc_jobs', '90 s');
SELECT status FROM migmgr.watch('qc_jobs');
SELECT event, detail::jsonb ->> 'stale_after' AS stale_after FROM migmgr.ledger WHERE event LIKE '%watch' ORDER BY seq;
SELECT job_table, dlq_table, stale_ms, job_type, max_retries, status, last_stale, watched_by = current_user AS mine, columns, statuses FROM migmgr.watches \gx
SELECT state, message FROM public.caught($$UPDATE migmgr_internal.watch SET batch_size = 1$$);
SELECT state, message FROM public.caught($$TRUNCATE migmgr_internal.sweep$$);

-- a sweep: who is stale is a matter of heartbeat, else start, else unknown
SELECT fill(10);
UPDATE qc_jobs SET last_heartbeat_at = '2026-01-01 11:58Z' WHERE id = 2;  -- exactly at the limit: alive
UPDATE qc_jobs SET last_heartbeat_at = '2026-01-01 11:59Z' WHERE id = 3;
UPDATE qc_jobs SET last_heartbeat_at = NULL WHERE id = 4;                 -- started long ago
UPDATE qc_jobs SET last_heartbeat_at = NULL, started_at = '2026-01-01 11:59Z' WHERE id = 5;
UPDATE qc_jobs SET last_heartbeat_at = NULL, started_at = NULL WHERE id = 6;  -- unknown
UPDATE qc_jobs SET started_at = '2026-01-01 11:59Z' WHERE id = 7;         -- started anew, old heartbeat
UPDATE qc_jobs SET last_heartbeat_at = '2026-01-01 13:00Z' WHERE id = 8;  -- a clock ahead
UPDATE qc_jobs SET status = 'completed' WHERE id = 9;
UPDATE qc_jobs SET status = 'pending' WHERE id = 10;
CREATE FUNCTION swept(at timestamptz = '2026-01-01 12:00Z', dry boolean = false) RETURNS TABLE (running bigint, stale bigint, dead_lettered bigint, requeued bigint, skipped bigint, errors bigint)
  LANGUAGE sql AS $$SELECT running, stale, dead_lettered, requeued, skipped, errors FROM migmgr.sweep('qc_jobs', at, dry)$$;
SELECT * FROM swept(dry => true);
SELECT jobs(), (SELECT count(*) FROM migmgr.job_dlq) AS letters;
SELECT * FROM swept();
SELECT id, status, completed_at, error_message FROM qc_jobs ORDER BY id;
SELECT job_id, job_type, failure_reason, failure_code, failure_stack, attempt_count, max_retries, last_attempt_at, next_retry_at, status,
       organisation_id = md5(job_id) ::uuid::text AS organisation, metadata, created_at, payload ->> 'status' AS was, payload ->> 'file_name' AS file
  FROM migmgr.job_dlq ORDER BY job_id \gx
SELECT * FROM swept();
SELECT job_table, running, stale, dead_lettered, requeued, skipped, errors, unjudged, passes, last_error FROM migmgr.sweeps LIMIT 2;
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.sweep('qc_jobs', 'infinity')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.sweep('nowhere')$$);

-- the heartbeat: alive, lost, unknown, in words of other types, with progress
SELECT migmgr.heartbeat('qc_jobs', 3) AS alive, migmgr.heartbeat('qc_jobs', '3') AS text, migmgr.heartbeat('qc_jobs', 1) AS lost,
       migmgr.heartbeat('qc_jobs', 99) AS unknown, migmgr.heartbeat('qc_jobs', NULL::bigint) AS nothing, migmgr.heartbeat('qc_jobs', 3, '42') AS progress;
SELECT progress, last_heartbeat_at > now() - interval '1 minute' AS beaten FROM qc_jobs WHERE id = 3;
SELECT migmgr.heartbeat_many('qc_jobs', '{1,2,3,99}'::text[]) AS lost, migmgr.heartbeat_many('qc_jobs', ARRAY[2, 3]::bigint[]) AS none;
SELECT state, message, detail FROM public.caught($$SELECT migmgr.heartbeat('qc_jobs', 'x')$$);
SELECT state, message, detail FROM public.caught($$SELECT migmgr.heartbeat('qc_jobs', 3, attempt => 1)$$);
SELECT state, message FROM public.caught($$SELECT migmgr.heartbeat(NULL, 3)$$);

-- in batches; a bad row is left alone and named, all others go
SELECT status FROM migmgr.watch('qc_jobs', batch_size => 7);
SELECT fill(100);
ALTER TABLE qc_jobs ADD CONSTRAINT poison CHECK (status <> 'failed' OR id NOT IN (13, 14, 77));
SELECT * FROM swept();
SELECT jobs(), (SELECT count(*) FROM migmgr.job_dlq) AS letters, count(*) FILTER (WHERE d.job_id IS NULL) AS odd
  FROM qc_jobs AS j LEFT JOIN migmgr.job_dlq AS d ON d.job_id = j.id::text WHERE j.status = 'failed';
SELECT stale, dead_lettered, errors, last_error FROM migmgr.sweeps LIMIT 1;
ALTER TABLE qc_jobs DROP CONSTRAINT poison;
SELECT * FROM swept();

-- a queue that swallows a letter keeps its job
CREATE TABLE job_dlq (LIKE migmgr.job_dlq INCLUDING ALL);
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.job_id = ''5'' THEN RETURN NULL; END IF; RETURN NEW; END';
CREATE TRIGGER swallow BEFORE INSERT ON job_dlq FOR EACH ROW EXECUTE FUNCTION swallow();
SELECT status, dlq_table FROM migmgr.watch('qc_jobs', dlq_table => 'job_dlq');
SELECT fill(8);
SELECT * FROM swept();
SELECT jobs(), (SELECT count(*) FROM job_dlq) AS letters, (SELECT count(*) FROM migmgr.job_dlq) AS other;
SELECT last_error FROM migmgr.sweeps LIMIT 1;
DROP TRIGGER swallow ON job_dlq;
-- so does a job table whose trigger has another opinion
CREATE FUNCTION stubborn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.status := ''running''; RETURN NEW; END';
CREATE TRIGGER stubborn BEFORE UPDATE ON qc_jobs FOR EACH ROW EXECUTE FUNCTION stubborn();
SELECT * FROM swept();
SELECT last_error FROM migmgr.sweeps LIMIT 1;
DROP TRIGGER stubborn ON qc_jobs;
-- the caller's search_path is the triggers'
CREATE SCHEMA app;
CREATE TABLE app.audit (job bigint, status text);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit VALUES (NEW.id, NEW.status); RETURN NULL; END';
CREATE TRIGGER audit AFTER UPDATE ON qc_jobs FOR EACH ROW EXECUTE FUNCTION audit();
SET search_path = app, public;
SELECT * FROM swept();
SELECT * FROM audit;
RESET search_path;
DROP TRIGGER audit ON qc_jobs;
SELECT jobs(), (SELECT count(*) FROM job_dlq) AS letters;

-- attempts: back to pending while some are left, the heartbeat forgotten
SELECT * FROM migmgr.watch('"Odd Jobs"', columns => '{"id": "key", "status": "state", "last_heartbeat_at": "beat", "attempts": "tries", "max_attempts": "tries_max"}',
  statuses => '{"running": "in_progress", "failed": "broken", "pending": "queued", "completed": "done"}', dlq_table => 'job_dlq', job_type => 'odd') \gx
INSERT INTO "Odd Jobs" SELECT 'k' || g, 'in_progress', '2026-01-01 11:00Z', g FROM generate_series(0, 4) AS g;
SELECT dead_lettered, requeued FROM migmgr.sweep('"Odd Jobs"', '2026-01-01 12:00Z', true);
SELECT job_table, running, stale, dead_lettered, requeued, skipped, errors FROM migmgr.sweep('"Odd Jobs"', '2026-01-01 12:00Z');
SELECT * FROM "Odd Jobs" ORDER BY key;
SELECT job_id, job_type, payload FROM job_dlq WHERE job_type = 'odd' ORDER BY job_id;
-- the attempt is a fence: a worker of an earlier one is told so
UPDATE "Odd Jobs" SET state = 'in_progress' WHERE key = 'k1';
SELECT migmgr.heartbeat('"Odd Jobs"', 'k1', attempt => 2) AS this, migmgr.heartbeat('"Odd Jobs"', 'k1', attempt => 1) AS earlier;

-- all tables in one call; one that is broken does not stop the others
SELECT fill(3);
SET client_min_messages = error;
ALTER TABLE "Odd Jobs" RENAME COLUMN beat TO pulse;
SET client_min_messages = warning;
SELECT job_table, stale, dead_lettered, errors FROM migmgr.sweep(now_at => '2026-01-01 12:00Z');
SELECT * FROM public.caught($$SELECT * FROM migmgr.sweep('"Odd Jobs"')$$) \gx
SET client_min_messages = error;
ALTER TABLE "Odd Jobs" RENAME COLUMN pulse TO beat;
ALTER TABLE "Odd Jobs" RENAME TO even_jobs;
SET client_min_messages = warning;
SELECT job_table, stale, dead_lettered, errors FROM migmgr.sweep(now_at => '2026-01-01 12:00Z');
SELECT * FROM public.caught($$SELECT * FROM migmgr.sweep('even_jobs')$$) \gx
SELECT job_table, status FROM migmgr.watches;
SELECT check_name, object, status, detail FROM migmgr_internal.watch_checks() WHERE check_name IN ('watched table', 'watch advice');
CALL migmgr.run_sweeps();
SELECT job_table, status, detail FROM migmgr.unwatch('"Odd Jobs"');
SET client_min_messages = error;

-- the procedure commits; it cannot where somebody else would
SELECT fill(20);
CALL migmgr.run_sweeps();
SELECT jobs(), (SELECT count(DISTINCT job_id) FROM job_dlq WHERE job_type = 'qc_jobs' AND status = 'pending') AS letters;
SELECT stale, dead_lettered, errors, passes, finished_at >= started_at AS finished FROM migmgr.sweeps LIMIT 1;
SELECT fill(2);
BEGIN;
CALL migmgr.run_sweeps();
ROLLBACK;
SELECT state, message, hint FROM public.caught('CALL migmgr.run_sweeps()');
SELECT jobs();
CALL migmgr.run_sweeps(-1);
BEGIN READ ONLY;
SELECT * FROM migmgr.sweep();
ROLLBACK;
BEGIN READ ONLY;
SELECT stale, dead_lettered FROM migmgr.sweep(dry_run => true);
ROLLBACK;

-- a deferred constraint counts for its row, not for the batch
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 2 THEN RAISE ''too late''; END IF; RETURN NULL; END';
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON qc_jobs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
CALL migmgr.run_sweeps();
SELECT id, status FROM qc_jobs ORDER BY id;
DROP TRIGGER late ON qc_jobs;

-- who sweeps needs the rights itself
SET ROLE regress_migmgr_stranger;
SELECT * FROM public.caught($$SELECT * FROM migmgr.sweep('qc_jobs')$$) \gx
SELECT job_table, errors FROM migmgr.sweep();
SELECT state, message FROM public.caught($$SELECT migmgr.heartbeat('qc_jobs', 2)$$);
SELECT * FROM public.caught($$SELECT * FROM migmgr.unwatch('qc_jobs')$$) \gx
RESET ROLE;
SELECT jobs();
SET ROLE regress_migmgr_worker;
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.sweep('qc_jobs')$$);
RESET ROLE;
SELECT status FROM migmgr.watch('qc_jobs');
ALTER TABLE qc_jobs OWNER TO regress_migmgr_worker;
ALTER TABLE qc_jobs ENABLE ROW LEVEL SECURITY;
SET ROLE regress_migmgr_worker;
SET row_security = off;
SELECT stale, dead_lettered, errors FROM migmgr.sweep('qc_jobs');
RESET row_security;
RESET ROLE;
SELECT jobs(), (SELECT count(*) FROM migmgr.job_dlq) AS letters;

-- a partitioned table, and ids in both partitions at the same address
CREATE TABLE parts (id int, part int, status text, last_heartbeat_at timestamptz) PARTITION BY LIST (part);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
INSERT INTO parts SELECT g, 1 + g % 2, 'running', '2026-01-01 11:00Z' FROM generate_series(1, 10) AS g;
UPDATE parts SET last_heartbeat_at = '2026-01-01 12:00Z' WHERE id = 4;
SELECT status FROM migmgr.watch('parts', batch_size => 3);
SELECT running, stale, dead_lettered, errors FROM migmgr.sweep('parts', '2026-01-01 12:00Z');
SELECT status, count(*) FROM parts GROUP BY status;
SELECT count(DISTINCT job_id) FROM migmgr.job_dlq WHERE metadata ->> 'job_table' = 'public.parts';
-- what is advised can be run: no CONCURRENTLY on a partitioned table
SELECT topic, advice FROM migmgr_internal.watch_advice('public', 'parts');

-- both ways to look for stale jobs find the same
SELECT status FROM migmgr.unwatch('parts');
SELECT fill(50);
UPDATE qc_jobs SET last_heartbeat_at = NULL WHERE id % 5 = 0;
UPDATE qc_jobs SET last_heartbeat_at = '2026-01-01 12:00Z' WHERE id % 3 = 0;
SELECT * FROM swept(dry => true);
CREATE INDEX beats ON qc_jobs (last_heartbeat_at) WHERE status = 'running';
SELECT * FROM swept(dry => true);
CREATE INDEX beats_2 ON qc_jobs (status, last_heartbeat_at);
DROP INDEX beats;
SELECT * FROM swept(dry => true);
SELECT topic, advice FROM migmgr_internal.watch_advice('public', 'qc_jobs');
DROP INDEX beats_2;
CREATE INDEX ids ON qc_jobs (id) WHERE status = 'running';
ALTER TABLE qc_jobs SET (fillfactor = 70);
SELECT topic, advice FROM migmgr_internal.watch_advice('public', 'qc_jobs');

\connect postgres
SET client_min_messages = warning;
DROP DATABASE :"db";
DROP ROLE regress_migmgr_worker, regress_migmgr_stranger;
