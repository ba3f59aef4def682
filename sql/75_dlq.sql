-- Operations on dead letters, in migmgr.job_dlq and in every queue that a
-- watch names.  With the caller's rights; no search_path is pinned, because
-- triggers of those tables are the user's (the SQL is qualified in C).

CREATE FUNCTION migmgr.dlq_add(
  job_id text, job_type text = NULL, failure_reason text = NULL, failure_code text = 'MANUAL', payload jsonb = NULL,
  failure_stack text = NULL, job_table regclass = NULL, organisation_id text = NULL, max_retries integer = NULL,
  metadata jsonb = '{}', dlq_table regclass = NULL)
  RETURNS uuid
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_dlq_add';
REVOKE ALL ON FUNCTION migmgr.dlq_add(text, text, text, text, jsonb, text, regclass, text, integer, jsonb, regclass) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.dlq_add(text, text, text, text, jsonb, text, regclass, text, integer, jsonb, regclass)
  IS 'add a dead letter; with a watched job_table its job leaves running in the same transaction, and an open letter of the job is opened again';

CREATE FUNCTION migmgr.dlq_retry(id uuid, force boolean = false, dry_run boolean = false, dlq_table regclass = NULL)
  RETURNS TABLE (id uuid, job_id text, job_table text, status text, attempts bigint, environment text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_dlq_retry';
REVOKE ALL ON FUNCTION migmgr.dlq_retry(uuid, boolean, boolean, regclass) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.dlq_retry(uuid, boolean, boolean, regclass)
  IS 'arm the job of a dead letter again (failed to pending), now; force also when it is closed or no retry is left';

CREATE FUNCTION migmgr.dlq_retry_all(
  failure_code text = NULL, job_type text = NULL, job_table regclass = NULL, dlq_table regclass = NULL, max_rows integer = NULL,
  force boolean = false, dry_run boolean = false, now_at timestamptz = now())
  RETURNS TABLE (dlq_table text, matched bigint, retried bigint, abandoned bigint, skipped bigint, environment text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_dlq_retry_all';
REVOKE ALL ON FUNCTION migmgr.dlq_retry_all(text, text, regclass, regclass, integer, boolean, boolean, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.dlq_retry_all(text, text, regclass, regclass, integer, boolean, boolean, timestamptz)
  IS 'retry the pending dead letters that are due (next_retry_at), oldest first; force takes those that are not due, too';

CREATE FUNCTION migmgr.dlq_resolve(id uuid, status text = 'resolved', notes text = NULL, resolved_by text = NULL, dlq_table regclass = NULL)
  RETURNS TABLE (id uuid, job_id text, status text, environment text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_dlq_resolve';
REVOKE ALL ON FUNCTION migmgr.dlq_resolve(uuid, text, text, text, regclass) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.dlq_resolve(uuid, text, text, text, regclass) IS 'close a dead letter: resolved or abandoned, with notes';

CREATE FUNCTION migmgr.dlq_purge(older_than interval = '30 days', dlq_table regclass = NULL, dry_run boolean = false, now_at timestamptz = now())
  RETURNS TABLE (dlq_table text, purged bigint, kept bigint, environment text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_dlq_purge';
REVOKE ALL ON FUNCTION migmgr.dlq_purge(interval, regclass, boolean, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.dlq_purge(interval, regclass, boolean, timestamptz)
  IS 'delete dead letters that were resolved or abandoned so long ago; open ones stay';

CREATE FUNCTION migmgr_internal.dlq_statistics(dlq_table regclass = NULL)
  RETURNS TABLE (dlq_table text, status text, failure_code text, letters bigint, due bigint, oldest timestamptz, newest timestamptz)
  LANGUAGE c STABLE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_dlq_statistics';
REVOKE ALL ON FUNCTION migmgr_internal.dlq_statistics(regclass) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.dlq_statistics(regclass) IS 'dead letters by status and failure code, as the caller may see them';

CREATE VIEW migmgr.dlq_stats AS
  SELECT s.dlq_table, s.status, s.failure_code, s.letters, s.due, s.oldest, s.newest FROM migmgr_internal.dlq_statistics() AS s;
COMMENT ON VIEW migmgr.dlq_stats IS 'dead letters by status and failure code, a total first; due: pending and ready to be retried';
