-- Migrations on their way in a background worker.  A row here is about a
-- version that is not done: with the ledger entry that ends it, it goes.

CREATE TABLE migmgr_internal.online_job (
  version      text        PRIMARY KEY,
  ticket       bigint      NOT NULL UNIQUE,
  action       text        NOT NULL,
  name         text,
  file         text,
  checksum     text        NOT NULL,
  note         text,
  options      text        NOT NULL,
  on_data      text        NOT NULL,
  session_role text        NOT NULL,
  role         text        NOT NULL,
  search_path  text        NOT NULL,
  statements   integer     NOT NULL,
  state        text        NOT NULL,
  pid          integer,
  requested_at timestamptz NOT NULL,
  started_at   timestamptz,
  stopped_at   timestamptz,
  sqlstate     text,
  message      text
);
COMMENT ON TABLE migmgr_internal.online_job IS 'migrations that a background worker runs, or ran without coming to their end';

-- What is done of each, in the transaction that did it or right after it.
CREATE TABLE migmgr_internal.online_statement (
  version   text    NOT NULL,
  n         integer NOT NULL,
  line      integer NOT NULL,
  command   text    NOT NULL,
  object    text,
  class     text    NOT NULL,
  rule      text    NOT NULL,
  ms        numeric NOT NULL,
  row_count bigint,
  sql       text    NOT NULL,
  shape     text    NOT NULL,
  notices   text[],
  undo      text,
  loses     text,
  PRIMARY KEY (version, n)
);
COMMENT ON TABLE migmgr_internal.online_statement IS 'finished statements of the migrations in online_job';
COMMENT ON COLUMN migmgr_internal.online_statement.undo IS 'what takes it back; NULL: not known';
COMMENT ON COLUMN migmgr_internal.online_statement.loses IS 'what that does not bring back';

CREATE TABLE migmgr_internal.online_object (
  version  text    NOT NULL,
  n        integer NOT NULL,
  place    integer NOT NULL,
  action   text    NOT NULL,
  type     text    NOT NULL,
  identity text    NOT NULL,
  PRIMARY KEY (version, n, place)
);
COMMENT ON TABLE migmgr_internal.online_object IS 'what those statements created, changed, replaced or dropped';

-- Object numbers mean something in this home only: a restored row has the
-- token of another.
CREATE TABLE migmgr_internal.online_target (
  version  text    NOT NULL,
  n        integer NOT NULL,
  kind     text    NOT NULL,
  relid    oid     NOT NULL,
  identity text,
  home     uuid,
  PRIMARY KEY (version, n, kind, relid)
);
COMMENT ON TABLE migmgr_internal.online_target IS 'indexes and partitions that an unfinished statement leaves behind';

DO $$
DECLARE
  t pg_catalog.text;
BEGIN
  FOREACH t IN ARRAY ARRAY['online_job', 'online_statement', 'online_object', 'online_target'] LOOP
    EXECUTE pg_catalog.format('CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr_internal.%1$I
      FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard(''record'')', t);
    EXECUTE pg_catalog.format('CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr_internal.%1$I
      FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard(''record'')', t);
    EXECUTE pg_catalog.format('ALTER TABLE migmgr_internal.%I ENABLE ALWAYS TRIGGER row_guard', t);
    EXECUTE pg_catalog.format('ALTER TABLE migmgr_internal.%I ENABLE ALWAYS TRIGGER row_guard_truncate', t);
    PERFORM pg_catalog.pg_extension_config_dump(pg_catalog.concat('migmgr_internal.', t)::pg_catalog.regclass, '');
  END LOOP;
END
$$;

GRANT SELECT ON migmgr_internal.online_job, migmgr_internal.online_statement, migmgr_internal.online_object,
  migmgr_internal.online_target TO pg_database_owner;

-- A worker holds a lock of the session as long as it lives, so a job that says
-- it is running and whose worker holds none has been cut off.
CREATE VIEW migmgr_internal.online_state WITH (security_invoker = false) AS
  SELECT j.*, COALESCE(s.done, 0)::integer AS done, w.alive,
         CASE WHEN j.state = 'running' AND w.alive THEN 'running'
              WHEN j.started_at IS NULL AND j.state = 'stopped' AND j.action = 'apply' THEN 'failed'
              WHEN j.started_at IS NULL THEN 'queued'
              WHEN j.action = 'rollback' THEN 'partly rolled back'
              WHEN s.done IS NULL AND NOT EXISTS (SELECT FROM migmgr_internal.online_target AS t JOIN pg_class AS c ON c.oid = t.relid
                                                   WHERE t.version = j.version AND t.kind = 'built') THEN 'failed'
              ELSE 'partly applied' END AS status
    FROM migmgr_internal.online_job AS j
    LEFT JOIN (SELECT o.version, count(*) AS done FROM migmgr_internal.online_statement AS o GROUP BY o.version) AS s ON s.version = j.version
   CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_locks AS k
      WHERE k.locktype = 'object' AND k.granted AND k.classid = 'pg_extension'::regclass AND k.objsubid = 4 AND k.pid = j.pid
        AND k.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())) AS alive) AS w;
COMMENT ON VIEW migmgr_internal.online_state IS 'jobs with what has become of them: queued, running, failed (nothing is done), partly applied or partly rolled back';
