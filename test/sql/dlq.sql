-- The dead-letter queue: nothing gets lost on the way there, back, and there again.
\set test dlq
\set ECHO none
\i test/include/database.sql
\set ECHO all
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = error;
SELECT status FROM migmgr.set_environment('development') AS s(status) \gset ignore_

CREATE TABLE qc_jobs (
  id bigint PRIMARY KEY, status text NOT NULL, file_name text, organisation_id uuid,
  started_at timestamptz, last_heartbeat_at timestamptz, completed_at timestamptz, error_message text);
SELECT status FROM migmgr.watch('qc_jobs');
INSERT INTO qc_jobs SELECT g, 'running', 'file ' || g, md5((g % 2)::text)::uuid, now() - interval '1 hour', now() - interval '1 hour' FROM generate_series(1, 6) AS g;
SELECT dead_lettered FROM migmgr.sweep();
CREATE FUNCTION letter(job bigint) RETURNS uuid LANGUAGE sql AS $$SELECT id FROM migmgr.job_dlq WHERE job_id = job::text ORDER BY created_at DESC LIMIT 1$$;
CREATE VIEW letters AS SELECT d.job_id, d.status, d.attempt_count AS attempts, d.failure_code, j.status AS job,
  round(extract(epoch FROM d.next_retry_at - now()) / 60) AS retry_in_min, jsonb_array_length(d.metadata -> 'history') AS history
  FROM migmgr.job_dlq AS d LEFT JOIN qc_jobs AS j ON j.id::text = d.job_id ORDER BY d.job_id::int, d.created_at, d.status;
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS $$
  SELECT md5(concat((SELECT string_agg(d::text, ',' ORDER BY d.id) FROM migmgr.job_dlq AS d), (SELECT string_agg(j::text, ',' ORDER BY j.id) FROM qc_jobs AS j))) $$;

-- its contract: the 20 columns, six indexes beside the key, trigger, row security
SELECT count(*) AS columns FROM pg_attribute WHERE attrelid = 'migmgr.job_dlq'::regclass AND attnum > 0 AND NOT attisdropped;
SELECT indexdef FROM pg_indexes WHERE schemaname = 'migmgr' AND tablename = 'job_dlq' ORDER BY indexname;
SELECT polname, polcmd, pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS with_check FROM pg_policy WHERE polrelid = 'migmgr.job_dlq'::regclass ORDER BY 1 \gx
SELECT status, failure_code, letters, due, oldest IS NOT NULL AS oldest FROM migmgr.dlq_stats;

-- retry: the job is armed again, the letter stays and says so
SELECT * FROM letters;
SELECT job_id, job_table, status, attempts, environment, detail FROM migmgr.dlq_retry(letter(1), dry_run => true);
SELECT * FROM letters WHERE job_id = '1';
SELECT job_id, job_table, status, attempts, environment, detail FROM migmgr.dlq_retry(letter(1));
SELECT * FROM letters WHERE job_id = '1';
SELECT id, status, started_at, last_heartbeat_at, completed_at, error_message FROM qc_jobs WHERE id = 1;
-- refused, and nothing changed: again, unknown, closed, not failed, gone
SELECT state() AS before \gset
SELECT state, regexp_replace(message, '[0-9a-f-]{36}', 'ID') AS message, detail, hint FROM public.caught($$SELECT * FROM migmgr.dlq_retry(letter(1))$$) \gx
SELECT state, message, regexp_replace(detail, 'role ".*"', 'role') AS detail, hint FROM public.caught($$SELECT * FROM migmgr.dlq_retry('00000000-0000-0000-0000-000000000000')$$) \gx
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.dlq_retry(NULL)$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.dlq_retry(letter(2), dlq_table => 'qc_jobs')$$);
SELECT state() = :'before' AS unchanged;
UPDATE qc_jobs SET status = 'completed' WHERE id = 2;
DELETE FROM qc_jobs WHERE id = 3;
SELECT state() AS before \gset
SELECT b.job, c.state, c.detail, regexp_replace(c.hint, '[0-9a-f-]{36}', 'ID') AS hint FROM (VALUES (2), (3)) AS b(job), public.caught(format('SELECT * FROM migmgr.dlq_retry(letter(%s), force => true)', b.job)) AS c \gx
SELECT state() = :'before' AS unchanged;

-- a second failure opens the same letter again; the wait doubles, then there is no retry left
UPDATE qc_jobs SET status = 'running', started_at = now() - interval '1 hour' WHERE id = 1;
SELECT dead_lettered FROM migmgr.sweep();
SELECT * FROM letters WHERE job_id = '1';
SELECT status FROM migmgr.dlq_retry(letter(1));
-- failed by its own worker: the sweep notices
UPDATE qc_jobs SET status = 'failed', error_message = 'disk full' WHERE id = 1;
SELECT dead_lettered FROM migmgr.sweep();
SELECT * FROM letters WHERE job_id = '1';
SELECT failure_reason, payload ->> 'error_message' AS error, metadata -> 'history' -> 1 ->> 'failure_code' AS before FROM migmgr.job_dlq WHERE id = letter(1);
SELECT status FROM migmgr.dlq_retry(letter(1));
UPDATE qc_jobs SET status = 'running', started_at = now() - interval '1 hour' WHERE id = 1;
SELECT dead_lettered FROM migmgr.sweep();
SELECT * FROM letters WHERE job_id = '1';
SELECT state, detail FROM public.caught($$SELECT * FROM migmgr.dlq_retry(letter(1))$$);
SELECT status, attempts FROM migmgr.dlq_retry(letter(1), force => true);
-- completed: the letter closes itself
UPDATE qc_jobs SET status = 'completed' WHERE id = 1;
SELECT stale FROM migmgr.sweep();
SELECT * FROM letters WHERE job_id = '1';
SELECT resolution_notes, resolved_at IS NOT NULL AS resolved FROM migmgr.job_dlq WHERE id = letter(1);
-- at most an hour; used up by hand: abandoned, not retried
UPDATE migmgr.job_dlq SET attempt_count = 9, max_retries = 99 WHERE id = letter(4);
SELECT status FROM migmgr.dlq_retry(letter(4));
UPDATE qc_jobs SET status = 'failed' WHERE id = 4;
SELECT stale FROM migmgr.sweep();
UPDATE migmgr.job_dlq SET attempt_count = 9 WHERE id = letter(5);
SELECT * FROM letters WHERE job_id IN ('4', '5');
SELECT job_id, status, attempts, detail FROM migmgr.dlq_retry(letter(5), dry_run => true);
SELECT job_id, status, attempts, detail FROM migmgr.dlq_retry(letter(5));
SELECT * FROM letters WHERE job_id = '5';

-- all that are due; what cannot be is counted and left
SELECT * FROM migmgr.dlq_retry_all();
SELECT dlq_table, matched, retried, abandoned, skipped FROM migmgr.dlq_retry_all(now_at => now() + interval '3 minutes', dry_run => true);
SELECT dlq_table, matched, retried, abandoned, skipped, regexp_replace(detail, '[0-9a-f-]{36}', 'ID') AS detail FROM migmgr.dlq_retry_all(now_at => now() + interval '3 minutes');
SELECT matched FROM migmgr.dlq_retry_all('NO_SUCH_CODE', force => true);
SELECT matched FROM migmgr.dlq_retry_all(job_type => 'other', force => true);
SELECT matched, retried, skipped FROM migmgr.dlq_retry_all(job_table => 'qc_jobs', max_rows => 1, force => true, dry_run => true);
SELECT * FROM letters;
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.dlq_retry_all(max_rows => 0)$$);

-- resolve
SELECT job_id, status, environment, detail FROM migmgr.dlq_resolve(letter(2), notes => 'done by hand');
SELECT job_id, status, detail FROM migmgr.dlq_resolve(letter(3), 'abandoned', 'its row is gone', 'somebody');
SELECT job_id, status, resolved_by = current_user AS by_me, resolved_at IS NOT NULL AS at, resolution_notes, next_retry_at, metadata ? 'resolved_by_role' AS role
  FROM migmgr.job_dlq WHERE id IN (letter(2), letter(3)) ORDER BY job_id;
SELECT state() AS before \gset
SELECT state, regexp_replace(message, '[0-9a-f-]{36}', 'ID') AS message, detail FROM public.caught($$SELECT * FROM migmgr.dlq_resolve(letter(2))$$);
SELECT state, message, hint FROM public.caught($$SELECT * FROM migmgr.dlq_resolve(letter(4), 'pending')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.dlq_resolve('00000000-0000-0000-0000-000000000000')$$);
SELECT state() = :'before' AS unchanged;

-- purge: closed ones of that age, never an open one
SELECT status, failure_code, letters FROM migmgr.dlq_stats;
SELECT * FROM migmgr.dlq_purge();
SELECT * FROM migmgr.dlq_purge('0 s', dry_run => true);
SELECT * FROM migmgr.dlq_purge(now_at => now() + interval '31 days');
SELECT * FROM letters;
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.dlq_purge('-1 day')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.dlq_purge(NULL)$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.dlq_purge(dlq_table => 'qc_jobs')$$);

-- by hand: of a watched job, which leaves running; or of one that is kept elsewhere
DELETE FROM migmgr.job_dlq;
UPDATE qc_jobs SET status = 'running' WHERE id IN (1, 2);
SELECT migmgr.dlq_add('1', failure_reason => 'checksum of the file is wrong', failure_code => 'BAD_FILE', failure_stack => 'at line 1', job_table => 'qc_jobs') = letter(1) AS added;
SELECT job_id, job_type, failure_reason, failure_code, failure_stack, status, organisation_id IS NOT NULL AS org, payload ->> 'status' AS was, metadata FROM migmgr.job_dlq \gx
SELECT status, error_message FROM qc_jobs WHERE id = 1;
SELECT migmgr.dlq_add('1', failure_reason => 'and again', job_table => 'qc_jobs') = letter(1) AS same;
SELECT * FROM letters;
SELECT migmgr.dlq_add('77', 'mail', 'refused', payload => '{"to": "a@b"}', metadata => '{"host": "x"}') = letter(77) AS added;
SELECT job_type, failure_code, payload, metadata, max_retries FROM migmgr.job_dlq WHERE job_id = '77';
SELECT state() AS before \gset
SELECT b.args, c.state, c.message, c.hint FROM (VALUES ($$NULL, 'x', 'y'$$), ($$'1', 'x', NULL$$), ($$'1', NULL, 'y'$$),
  ($$'99', failure_reason => 'x', job_table => 'qc_jobs'$$), ($$'5', 'x', 'y', max_retries => -1$$), ($$'1', 'x', 'y', job_table => 'pg_class'$$)) AS b(args),
  public.caught(format('SELECT migmgr.dlq_add(%s)', b.args)) AS c \gx
UPDATE qc_jobs SET status = 'completed' WHERE id = 6;
SELECT * FROM public.caught($$SELECT migmgr.dlq_add('6', failure_reason => 'x', job_table => 'qc_jobs')$$) \gx
SELECT state, detail FROM public.caught(format($$SELECT * FROM migmgr.dlq_retry(%L, force => true)$$, letter(77)));

-- a queue of one's own, with other types and a trigger that refuses
CREATE TYPE letter_state AS ENUM ('pending', 'retrying', 'resolved', 'abandoned');
CREATE TABLE job_dlq (id uuid PRIMARY KEY, job_id bigint NOT NULL, job_type varchar(20), payload json, failure_reason varchar(30), failure_code varchar(20), failure_stack text,
  attempt_count smallint, max_retries bigint, last_attempt_at timestamp, next_retry_at timestamptz, status letter_state, metadata json, organisation_id uuid,
  created_by uuid, resolved_by uuid, resolved_at timestamptz, resolution_notes text, created_at timestamptz, updated_at timestamptz);
SELECT status, detail FROM migmgr.watch('qc_jobs', dlq_table => 'job_dlq');
UPDATE qc_jobs SET status = 'running', started_at = now() - interval '1 hour', last_heartbeat_at = NULL;
SELECT dead_lettered, errors FROM migmgr.sweep();
SELECT job_id, job_type, failure_reason, status, organisation_id IS NOT NULL AS org FROM job_dlq ORDER BY 1;
SELECT r.job_id, r.status FROM job_dlq AS d, migmgr.dlq_retry(d.id) AS r WHERE d.job_id = 1;
UPDATE qc_jobs SET status = 'failed' WHERE id = 1;
SELECT errors FROM migmgr.sweep();
SELECT job_id, status, attempt_count, failure_code, json_array_length(metadata -> 'history') AS history FROM job_dlq WHERE job_id = 1;
SELECT dlq_table, matched, retried FROM migmgr.dlq_retry_all(force => true, job_table => 'qc_jobs') ORDER BY 1;
SELECT r.job_id, r.status FROM job_dlq AS d, migmgr.dlq_resolve(d.id, resolved_by => md5('me')::uuid::text) AS r WHERE d.job_id = 2;
SELECT resolved_by = md5('me')::uuid AS by, metadata ->> 'resolved_by_role' = current_user AS role FROM job_dlq WHERE job_id = 2;
UPDATE qc_jobs SET status = 'failed' WHERE id = 4;
SELECT migmgr.dlq_add('4', failure_reason => 'no', job_table => 'qc_jobs') = id AS same FROM job_dlq WHERE job_id = 4;
SELECT dlq_table, purged, kept FROM migmgr.dlq_purge('0 s') ORDER BY 1;
SELECT dlq_table, status, failure_code, letters FROM migmgr.dlq_stats;

-- row security: one's own organisation, by a setting that one cannot set
SELECT count(migmgr.dlq_add(g::text, 'mail', 'x', organisation_id => (g % 3)::text)) FROM generate_series(100, 104) AS g;
CREATE ROLE regress_migmgr_user;
CREATE ROLE regress_migmgr_operator;
SELECT migmgr.grant_access('regress_migmgr_user', 'viewer') \gset ignore_
SELECT migmgr.grant_access('regress_migmgr_operator', 'operator') \gset ignore_
SET ROLE regress_migmgr_user;
SELECT count(*) FROM migmgr.job_dlq;
SET migmgr.organisation_id = '1';
SELECT state, message FROM public.caught($$INSERT INTO migmgr.job_dlq (job_id, job_type, failure_reason, organisation_id) VALUES ('1', 'x', 'y', '1')$$);
RESET ROLE;
GRANT SET ON PARAMETER migmgr.organisation_id TO regress_migmgr_user;
SET ROLE regress_migmgr_user;
SET migmgr.organisation_id = '1';
SELECT migmgr.current_organisation(), count(*), min(organisation_id), max(organisation_id) FROM migmgr.job_dlq;
SELECT dlq_table, status, letters FROM migmgr.dlq_stats WHERE status = 'total';
RESET migmgr.organisation_id;
SET ROLE regress_migmgr_operator;
SELECT count(*) > 4 AS all_of_them FROM migmgr.job_dlq;
RESET ROLE;
REVOKE SET ON PARAMETER migmgr.organisation_id FROM regress_migmgr_user;
-- who set it before the library was loaded has set nothing
\connect
SET client_min_messages = error;
SET ROLE regress_migmgr_user;
-- refused where the library is preloaded, without effect where it is not
DO $$
BEGIN
  SET migmgr.organisation_id = '1';
EXCEPTION WHEN insufficient_privilege THEN NULL;
END
$$;
SELECT migmgr.current_organisation(), count(*) FROM migmgr.job_dlq;

\connect postgres
SET client_min_messages = warning;
DROP DATABASE :"db";
DROP ROLE regress_migmgr_user, regress_migmgr_operator;
