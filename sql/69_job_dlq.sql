-- The dead-letter queue that comes with the extension.  A watch may name
-- another table with the same columns.

-- Whose rows a session sees.  The setting is superuser-only, so that a role
-- cannot name itself another's: ALTER ROLE ... SET it, or GRANT SET ON
-- PARAMETER migmgr.organisation_id to the service that speaks for its users.
-- C, so that the library is loaded and the setting defined before it is read.
CREATE FUNCTION migmgr.current_organisation() RETURNS text
  LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'migmgr_current_organisation';
REVOKE ALL ON FUNCTION migmgr.current_organisation() FROM PUBLIC;
COMMENT ON FUNCTION migmgr.current_organisation() IS 'organisation whose dead letters this session may see: the setting migmgr.organisation_id, NULL when it is empty';

CREATE TABLE migmgr.job_dlq (
  id               uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
  job_id           text        NOT NULL,
  job_type         text        NOT NULL,
  payload          jsonb       NOT NULL DEFAULT '{}',
  failure_reason   text        NOT NULL,
  failure_code     text,
  failure_stack    text,
  attempt_count    integer     NOT NULL DEFAULT 1 CHECK (attempt_count >= 0),
  max_retries      integer     NOT NULL DEFAULT 3 CHECK (max_retries >= 0),
  last_attempt_at  timestamptz,
  next_retry_at    timestamptz,
  status           text        NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'retrying', 'resolved', 'abandoned')),
  metadata         jsonb       NOT NULL DEFAULT '{}',
  organisation_id  text,
  created_by       text        DEFAULT CURRENT_USER,
  resolved_by      text,
  resolved_at      timestamptz,
  resolution_notes text,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE migmgr.job_dlq IS 'dead-letter queue: jobs that died, for retry or review';
COMMENT ON COLUMN migmgr.job_dlq.job_id IS 'id of the job in its own table, as text';
COMMENT ON COLUMN migmgr.job_dlq.job_type IS 'kind of job: job_type of the watch';
COMMENT ON COLUMN migmgr.job_dlq.payload IS 'the whole row of the job as it was when it died';
COMMENT ON COLUMN migmgr.job_dlq.failure_code IS 'HEARTBEAT_TIMEOUT, NEVER_BEAT, RETRY_FAILED, MANUAL, or a code of the application';
COMMENT ON COLUMN migmgr.job_dlq.attempt_count IS 'how often the job has failed since it came here first';
COMMENT ON COLUMN migmgr.job_dlq.max_retries IS 'how often it may be retried; then it is abandoned';
COMMENT ON COLUMN migmgr.job_dlq.last_attempt_at IS 'last sign of life of the last attempt';
COMMENT ON COLUMN migmgr.job_dlq.next_retry_at IS 'when dlq_retry_all takes it: 2, 4, 8 ... minutes after a failure, at most an hour';
COMMENT ON COLUMN migmgr.job_dlq.status IS 'pending: to be retried or reviewed; retrying: its job was armed again; resolved; abandoned: no retry left';
COMMENT ON COLUMN migmgr.job_dlq.metadata IS 'job_table, what found it, and history: the failures before the last one';
COMMENT ON COLUMN migmgr.job_dlq.organisation_id IS 'organisation of the job: who may see the row';

CREATE INDEX job_dlq_job_id ON migmgr.job_dlq (job_id);
CREATE INDEX job_dlq_status ON migmgr.job_dlq (status);
CREATE INDEX job_dlq_organisation_id ON migmgr.job_dlq (organisation_id);
CREATE INDEX job_dlq_created_at ON migmgr.job_dlq (created_at DESC);
CREATE INDEX job_dlq_next_retry_at ON migmgr.job_dlq (next_retry_at) WHERE status = 'pending';
CREATE INDEX job_dlq_failure_code ON migmgr.job_dlq (failure_code);

CREATE FUNCTION migmgr_internal.job_dlq_updated_at() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.job_dlq_updated_at() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.job_dlq_updated_at() IS 'trigger: when a dead letter was changed';
CREATE TRIGGER job_dlq_updated_at BEFORE UPDATE ON migmgr.job_dlq
  FOR EACH ROW EXECUTE FUNCTION migmgr_internal.job_dlq_updated_at();

CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr.job_dlq
  FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard('open');
CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr.job_dlq
  FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard('open');
ALTER TABLE migmgr.job_dlq ENABLE ALWAYS TRIGGER row_guard;
ALTER TABLE migmgr.job_dlq ENABLE ALWAYS TRIGGER row_guard_truncate;
SELECT pg_catalog.pg_extension_config_dump('migmgr.job_dlq', '');
-- With row security on, only its owner (or a superuser) can dump it.
ALTER TABLE migmgr.job_dlq OWNER TO pg_database_owner;

-- Users see their own organisation's rows, once they were granted SELECT;
-- whoever was granted DELETE looks after all of them.
ALTER TABLE migmgr.job_dlq ENABLE ROW LEVEL SECURITY;
CREATE POLICY "users see their own organisation" ON migmgr.job_dlq FOR SELECT
  USING (organisation_id = (SELECT migmgr.current_organisation()));
CREATE POLICY "admins manage all" ON migmgr.job_dlq FOR ALL
  USING ((SELECT has_table_privilege('migmgr.job_dlq'::regclass, 'DELETE')))
  WITH CHECK ((SELECT has_table_privilege('migmgr.job_dlq'::regclass, 'DELETE')));
COMMENT ON POLICY "users see their own organisation" ON migmgr.job_dlq IS 'by migmgr.current_organisation()';
COMMENT ON POLICY "admins manage all" ON migmgr.job_dlq IS 'whoever has the DELETE privilege on the table';
