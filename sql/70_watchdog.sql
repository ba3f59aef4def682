-- The watchdog: which job tables are watched, heartbeats, sweeps.

CREATE TABLE migmgr_internal.watch (
  job_schema     text        NOT NULL,
  job_table      text        NOT NULL,
  dlq_schema     text        NOT NULL,
  dlq_table      text        NOT NULL,
  stale_after    interval    NOT NULL,
  job_type       text        NOT NULL,
  columns        jsonb       NOT NULL,
  statuses       jsonb       NOT NULL,
  max_retries    integer     NOT NULL,
  batch_size     integer     NOT NULL,
  count_attempts boolean     NOT NULL,
  watched_at     timestamptz NOT NULL,
  watched_by     text        NOT NULL,
  PRIMARY KEY (job_schema, job_table)
);
COMMENT ON TABLE migmgr_internal.watch IS 'watched job tables; by name, so that a watch survives dump and restore';

CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr_internal.watch
  FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard('config');
CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr_internal.watch
  FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard('config');
ALTER TABLE migmgr_internal.watch ENABLE ALWAYS TRIGGER row_guard;
ALTER TABLE migmgr_internal.watch ENABLE ALWAYS TRIGGER row_guard_truncate;
SELECT pg_catalog.pg_extension_config_dump('migmgr_internal.watch', '');

CREATE FUNCTION migmgr_internal.watch_changed() RETURNS trigger
  LANGUAGE c SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_watch_changed';
REVOKE ALL ON FUNCTION migmgr_internal.watch_changed() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.watch_changed() IS 'tells every session that a watch has changed';
CREATE TRIGGER watch_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON migmgr_internal.watch
  FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.watch_changed();
ALTER TABLE migmgr_internal.watch ENABLE ALWAYS TRIGGER watch_changed;

-- One row per table and call; the newest 5,000 are kept.
CREATE TABLE migmgr_internal.sweep (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  started_at    timestamptz NOT NULL,
  finished_at   timestamptz,
  job_table     text        NOT NULL,
  running       bigint      NOT NULL,
  stale         bigint      NOT NULL,
  dead_lettered bigint      NOT NULL,
  requeued      bigint      NOT NULL,
  skipped       bigint      NOT NULL,
  errors        bigint      NOT NULL,
  unjudged      bigint      NOT NULL,
  passes        bigint      NOT NULL,
  ms            bigint      NOT NULL,
  last_error    text,
  role          text        NOT NULL
);
COMMENT ON TABLE migmgr_internal.sweep IS 'what the last sweeps found and did, one row per table and call';
CREATE INDEX sweep_job_table ON migmgr_internal.sweep (job_table, id);

CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr_internal.sweep
  FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard('record');
CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr_internal.sweep
  FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard('record');
ALTER TABLE migmgr_internal.sweep ENABLE ALWAYS TRIGGER row_guard;
ALTER TABLE migmgr_internal.sweep ENABLE ALWAYS TRIGGER row_guard_truncate;
SELECT pg_catalog.setval('migmgr_internal.sweep_id_seq',
  (EXTRACT(epoch FROM pg_catalog.clock_timestamp()) * 1000)::pg_catalog.int8);
SELECT pg_catalog.pg_extension_config_dump('migmgr_internal.sweep', '');
SELECT pg_catalog.pg_extension_config_dump('migmgr_internal.sweep_id_seq', '');

GRANT SELECT ON migmgr_internal.watch, migmgr_internal.sweep TO pg_database_owner;
GRANT SELECT ON SEQUENCE migmgr_internal.sweep_id_seq TO pg_database_owner;

CREATE FUNCTION migmgr_internal.dlq_column_names() RETURNS text[]
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$SELECT ARRAY['id', 'job_id', 'job_type', 'payload', 'failure_reason', 'failure_code', 'failure_stack', 'attempt_count',
    'max_retries', 'last_attempt_at', 'next_retry_at', 'status', 'metadata', 'organisation_id', 'created_by', 'resolved_by',
    'resolved_at', 'resolution_notes', 'created_at', 'updated_at']::pg_catalog.text[]$$;
REVOKE ALL ON FUNCTION migmgr_internal.dlq_column_names() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.dlq_column_names() IS 'the columns that a dead-letter queue has';

-- What would make heartbeats or sweeps of a watched table cheaper.  Looks at
-- the catalog only.
CREATE FUNCTION migmgr_internal.watch_advice(job_schema text, job_table text)
  RETURNS TABLE (topic text, advice text, large boolean)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH w AS (
    SELECT w.columns, w.statuses, c.oid, c.relkind, c.reltuples, c.reloptions,
           format('%I.%I', w.job_schema, w.job_table) AS name,
           (SELECT a.attnum FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = w.columns ->> 'last_heartbeat_at') AS beat,
           (SELECT a.attnum FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = w.columns ->> 'status') AS state,
           (SELECT a.attnum FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = w.columns ->> 'id') AS id,
           d.oid AS dlq, d.relkind AS dlq_kind, format('%I.%I', w.dlq_schema, w.dlq_table) AS dlq_name
      FROM migmgr_internal.watch AS w
      JOIN pg_namespace AS n ON n.nspname = w.job_schema
      JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.job_table
      LEFT JOIN pg_namespace AS dn ON dn.nspname = w.dlq_schema
      LEFT JOIN pg_class AS d ON d.relnamespace = dn.oid AND d.relname = w.dlq_table
     WHERE w.job_schema = $1 AND w.job_table = $2),
  i AS (
    SELECT i.indexrelid::regclass::text AS name, i.indkey, i.indisunique, i.indpred IS NOT NULL AS partial, i.indnkeyatts,
           -- a column in key, INCLUDE, expression or predicate: each of them forbids a HOT update
           EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                      AND d.refobjid = w.oid AND d.refobjsubid = w.beat) AS has_beat,
           i.indkey[0] IN (w.state, w.beat) OR EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
             AND d.objid = i.indexrelid AND d.refobjid = w.oid AND d.refobjsubid = w.state) AS finds_running
      FROM w JOIN pg_index AS i ON i.indrelid = w.oid AND i.indisvalid)
  SELECT 'running index',
         -- a partitioned table has no CONCURRENTLY
         format('no index finds the running jobs: CREATE INDEX %sON %s (%I) WHERE %I = %L',
                CASE w.relkind WHEN 'p' THEN '' ELSE 'CONCURRENTLY ' END, w.name, w.columns ->> 'id', w.columns ->> 'status', w.statuses ->> 'running'),
         w.reltuples > 100000
    FROM w WHERE NOT EXISTS (SELECT FROM i WHERE i.finds_running)
  UNION ALL
  SELECT 'heartbeat index',
         format('every heartbeat also writes index %s: with many workers an index on (%I) WHERE %I = %L and fillfactor 70'
                ' instead let them beat 3 times as fast',
                string_agg(i.name, ', ' ORDER BY i.name), w.columns ->> 'id', w.columns ->> 'status', w.statuses ->> 'running'),
         false
    FROM w JOIN i ON i.has_beat GROUP BY w.columns, w.statuses
  UNION ALL
  SELECT 'fillfactor',
         format('heartbeats find no room on their page: ALTER TABLE %s SET (fillfactor = 70)', w.name), false
    FROM w WHERE w.relkind = 'r' AND NOT EXISTS (SELECT FROM i WHERE i.has_beat)
     AND NOT EXISTS (SELECT FROM unnest(w.reloptions) AS o WHERE o LIKE 'fillfactor=%' AND o <> 'fillfactor=100')
  UNION ALL
  SELECT 'unique id', format('no unique index on %I alone: a heartbeat may count for several jobs', w.columns ->> 'id'), false
    FROM w WHERE NOT EXISTS
     (SELECT FROM i WHERE i.indisunique AND NOT i.partial AND i.indnkeyatts = 1 AND i.indkey[0] = w.id)
  UNION ALL
  SELECT 'dlq index', format('no index on job_id of %s: CREATE INDEX %sON %s (job_id)', w.dlq_name,
                CASE w.dlq_kind WHEN 'p' THEN '' ELSE 'CONCURRENTLY ' END, w.dlq_name), true
    FROM w WHERE w.dlq IS NOT NULL AND NOT EXISTS
     (SELECT FROM pg_index AS x JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
       WHERE x.indrelid = w.dlq AND x.indisvalid AND x.indpred IS NULL AND a.attname = 'job_id')
  $$;
REVOKE ALL ON FUNCTION migmgr_internal.watch_advice(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.watch_advice(text, text) IS 'what would make heartbeats or sweeps of a watched table cheaper';

-- The functions that touch the user's tables pin no search_path: triggers of
-- those tables are the user's, and find their own names.  Their SQL is
-- qualified in C.
CREATE FUNCTION migmgr.watch(
  job_table regclass, stale_after interval = '2 minutes', dlq_table regclass = 'migmgr.job_dlq', job_type text = NULL,
  columns jsonb = '{}', statuses jsonb = '{}', max_retries integer = 3, batch_size integer = 1000, count_attempts boolean = true)
  RETURNS TABLE (job_table text, dlq_table text, stale_ms bigint, status text, environment text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_watch';
REVOKE ALL ON FUNCTION migmgr.watch(regclass, interval, regclass, text, jsonb, jsonb, integer, integer, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.watch(regclass, interval, regclass, text, jsonb, jsonb, integer, integer, boolean)
  IS 'let sweeps look after a job table: jobs running without a heartbeat for stale_after go to the dead-letter queue, or back to pending while attempts are left';

CREATE FUNCTION migmgr.unwatch(job_table text)
  RETURNS TABLE (job_table text, dlq_table text, stale_ms bigint, status text, environment text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_unwatch';
REVOKE ALL ON FUNCTION migmgr.unwatch(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.unwatch(text) IS 'end the watch on a job table, also on one that is gone';

CREATE FUNCTION migmgr.heartbeat(job_table regclass, job_id text, progress jsonb = NULL, attempt integer = NULL) RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_heartbeat';
CREATE FUNCTION migmgr.heartbeat(job_table regclass, job_id uuid, progress jsonb = NULL, attempt integer = NULL) RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_heartbeat';
CREATE FUNCTION migmgr.heartbeat(job_table regclass, job_id bigint, progress jsonb = NULL, attempt integer = NULL) RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_heartbeat';
REVOKE ALL ON FUNCTION migmgr.heartbeat(regclass, text, jsonb, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION migmgr.heartbeat(regclass, uuid, jsonb, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION migmgr.heartbeat(regclass, bigint, jsonb, integer) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.heartbeat(regclass, text, jsonb, integer)
  IS 'say that the job is alive; false: it is not running any more (or not in this attempt), so stop working on it';
COMMENT ON FUNCTION migmgr.heartbeat(regclass, uuid, jsonb, integer) IS 'heartbeat of a job with a uuid';
COMMENT ON FUNCTION migmgr.heartbeat(regclass, bigint, jsonb, integer) IS 'heartbeat of a job with a number';

CREATE FUNCTION migmgr.heartbeat_many(job_table regclass, job_ids text[]) RETURNS text[]
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_heartbeat_many';
CREATE FUNCTION migmgr.heartbeat_many(job_table regclass, job_ids uuid[]) RETURNS text[]
  LANGUAGE sql VOLATILE PARALLEL UNSAFE
  AS 'SELECT migmgr.heartbeat_many($1, $2::pg_catalog.text[])';
CREATE FUNCTION migmgr.heartbeat_many(job_table regclass, job_ids bigint[]) RETURNS text[]
  LANGUAGE sql VOLATILE PARALLEL UNSAFE
  AS 'SELECT migmgr.heartbeat_many($1, $2::pg_catalog.text[])';
REVOKE ALL ON FUNCTION migmgr.heartbeat_many(regclass, text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION migmgr.heartbeat_many(regclass, uuid[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION migmgr.heartbeat_many(regclass, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.heartbeat_many(regclass, text[])
  IS 'heartbeat of many jobs in one statement; returns the ids that are not running any more, an empty array when all are';
COMMENT ON FUNCTION migmgr.heartbeat_many(regclass, uuid[]) IS 'heartbeat of many jobs with uuids';
COMMENT ON FUNCTION migmgr.heartbeat_many(regclass, bigint[]) IS 'heartbeat of many jobs with numbers';

CREATE FUNCTION migmgr.sweep(job_table regclass = NULL, now_at timestamptz = now(), dry_run boolean = false)
  RETURNS TABLE (job_table text, running bigint, stale bigint, dead_lettered bigint, requeued bigint, skipped bigint, errors bigint, ms bigint)
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_sweep';
REVOKE ALL ON FUNCTION migmgr.sweep(regclass, timestamptz, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.sweep(regclass, timestamptz, boolean)
  IS 'move the stale jobs of one watched table, or of all, out of running, in this transaction';

CREATE PROCEDURE migmgr.run_sweeps(seconds integer = 0)
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'migmgr_run_sweeps';
REVOKE ALL ON PROCEDURE migmgr.run_sweeps(integer) FROM PUBLIC;
COMMENT ON PROCEDURE migmgr.run_sweeps(integer)
  IS 'sweep all watched tables, committing batch by batch, every five seconds for so many seconds (0: once); for a scheduler';

CREATE VIEW migmgr.sweeps AS
  SELECT s.started_at, s.job_table, s.running, s.stale, s.dead_lettered, s.requeued, s.skipped, s.errors, s.unjudged,
         s.passes, s.ms, s.finished_at, s.role, s.last_error
    FROM migmgr_internal.sweep AS s ORDER BY s.id DESC;
COMMENT ON VIEW migmgr.sweeps IS 'what the last sweeps found and did, newest first; unjudged: running jobs without heartbeat and start';

CREATE VIEW migmgr.watches AS
  SELECT pg_catalog.format('%I.%I', w.job_schema, w.job_table) AS job_table,
         pg_catalog.format('%I.%I', w.dlq_schema, w.dlq_table) AS dlq_table,
         (EXTRACT(epoch FROM w.stale_after) * 1000)::bigint AS stale_ms,
         w.job_type, w.max_retries,
         CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                                WHERE n.nspname = w.job_schema AND c.relname = w.job_table) THEN 'job table is gone'
              WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                                WHERE n.nspname = w.dlq_schema AND c.relname = w.dlq_table) THEN 'dead-letter queue is gone'
              WHEN f.flags IS NOT NULL THEN 'held back by flag ' || f.flags
              ELSE 'watched' END AS status,
         l.finished_at AS last_sweep_at, l.stale AS last_stale, w.watched_at, w.watched_by,
         w.columns, w.statuses, w.batch_size, w.count_attempts
    FROM migmgr_internal.watch AS w
    LEFT JOIN LATERAL (SELECT s.finished_at, s.stale FROM migmgr_internal.sweep AS s
                        WHERE s.job_table = pg_catalog.format('%I.%I', w.job_schema, w.job_table) AND s.finished_at IS NOT NULL
                        ORDER BY s.id DESC LIMIT 1) AS l ON true
   CROSS JOIN (SELECT pg_catalog.string_agg(f.flag, ', ' ORDER BY f.flag) AS flags
                 FROM (SELECT DISTINCT ON (d.detail ->> 'flag') d.detail ->> 'flag' AS flag, d.detail ->> 'percent' AS percent
                         FROM migmgr.ledger AS l, LATERAL (SELECT l.detail::pg_catalog.jsonb AS detail) AS d
                        WHERE l.event = 'flag' AND l.event NOT IN ('applied', 'rolled back')
                          AND d.detail ->> 'flag' IN ('DLQ_ENABLED', 'JOB_HEARTBEAT')
                        ORDER BY d.detail ->> 'flag', l.seq DESC) AS f
                WHERE f.percent = '0') AS f
   ORDER BY 1;
COMMENT ON VIEW migmgr.watches IS 'the watched job tables';
