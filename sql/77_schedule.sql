-- Recurring tasks through pg_cron, which need not be there.

CREATE TABLE migmgr_internal.schedule (
  task         text        PRIMARY KEY,
  schedule     text        NOT NULL,
  command      text        NOT NULL,
  role         text        NOT NULL,
  jobid        bigint,
  scheduled_at timestamptz NOT NULL
);
COMMENT ON TABLE migmgr_internal.schedule IS 'what migmgr had pg_cron run; pg_cron itself shows a role only its own jobs';

CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr_internal.schedule
  FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard('config');
CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr_internal.schedule
  FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard('config');
ALTER TABLE migmgr_internal.schedule ENABLE ALWAYS TRIGGER row_guard;
ALTER TABLE migmgr_internal.schedule ENABLE ALWAYS TRIGGER row_guard_truncate;
SELECT pg_catalog.pg_extension_config_dump('migmgr_internal.schedule', '');
GRANT SELECT ON migmgr_internal.schedule TO pg_database_owner;

CREATE FUNCTION migmgr.schedule(task text, schedule text, seconds integer = NULL)
  RETURNS TABLE (task text, schedule text, command text, jobid bigint, status text, environment text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_schedule';
REVOKE ALL ON FUNCTION migmgr.schedule(text, text, integer) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.schedule(text, text, integer)
  IS 'have pg_cron run a task (sweep, verify, purge, seal, checks) as the caller; seconds: how long each sweep run goes on, sweeping every five seconds';

CREATE FUNCTION migmgr.unschedule(task text)
  RETURNS TABLE (task text, schedule text, command text, jobid bigint, status text, environment text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_unschedule';
REVOKE ALL ON FUNCTION migmgr.unschedule(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.unschedule(text) IS 'end the schedule of a task; a run that has begun goes on';

-- What pg_cron knows about the tasks, whoever asks; nothing where it is not.
CREATE FUNCTION migmgr_internal.cron_status()
  RETURNS TABLE (task text, jobid bigint, schedule text, active boolean, last_run timestamptz, last_status text, message text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
    RETURN;
  END IF;
  -- as text, so that it can be created and called where pg_cron is not
  RETURN QUERY EXECUTE format($q$
    SELECT substr(j.jobname::text, 8), j.jobid, j.schedule::text, j.active, d.start_time, d.status::text, d.return_message::text
      FROM %1$I.job AS j
      LEFT JOIN LATERAL (SELECT r.start_time, r.status, r.return_message FROM %1$I.job_run_details AS r
                          WHERE r.jobid = j.jobid ORDER BY r.runid DESC LIMIT 1) AS d ON true
     WHERE j.jobname::text LIKE 'migmgr\_%%' AND j.database::text = current_database()::text
     ORDER BY 1, 2$q$, 'cron');
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.cron_status() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.cron_status() IS 'migmgr''s jobs in pg_cron with their last run; no row where pg_cron is not in this database';

CREATE VIEW migmgr.schedules AS
  SELECT COALESCE(s.task, c.task) AS task, COALESCE(c.schedule, s.schedule) AS schedule, s.command, s.role,
         CASE WHEN c.jobid IS NULL THEN 'missing in pg_cron' WHEN NOT c.active THEN 'not active' ELSE 'scheduled' END AS status,
         c.last_run, c.last_status, c.message, COALESCE(c.jobid, s.jobid) AS jobid
    FROM migmgr_internal.schedule AS s FULL JOIN migmgr_internal.cron_status() AS c ON c.task = s.task
   ORDER BY 1;
COMMENT ON VIEW migmgr.schedules IS 'tasks that pg_cron runs for migmgr, and how the last run went';

-- For verify(): is every watched table still fit to be swept, and is it swept?
CREATE FUNCTION migmgr_internal.watch_checks(now_at timestamptz = clock_timestamp())
  RETURNS TABLE (check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH w AS (
    SELECT w.*, format('%I.%I', w.job_schema, w.job_table) AS name, format('%I.%I', w.dlq_schema, w.dlq_table) AS dlq_name,
           (SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = w.job_schema AND c.relname = w.job_table AND c.relkind IN ('r', 'p')) AS job,
           (SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = w.dlq_schema AND c.relname = w.dlq_table AND c.relkind IN ('r', 'p')) AS dlq
      FROM migmgr_internal.watch AS w),
  missing AS (
    SELECT w.name, string_agg(format('%I (%s)', c.value, c.key), ', ' ORDER BY c.key) AS columns
      FROM w CROSS JOIN LATERAL jsonb_each_text(w.columns) AS c
     WHERE w.job IS NOT NULL AND NOT EXISTS
      (SELECT FROM pg_attribute AS a WHERE a.attrelid = w.job AND a.attname = c.value AND a.attnum > 0 AND NOT a.attisdropped)
     GROUP BY w.name),
  dlq_missing AS (
    SELECT w.name, string_agg(c.name, ', ' ORDER BY c.name) AS columns
      FROM w CROSS JOIN LATERAL unnest(migmgr_internal.dlq_column_names()) AS c(name)
     WHERE w.dlq IS NOT NULL AND NOT EXISTS
      (SELECT FROM pg_attribute AS a WHERE a.attrelid = w.dlq AND a.attname = c.name AND a.attnum > 0 AND NOT a.attisdropped)
     GROUP BY w.name),
  advice AS (
    SELECT w.name, string_agg(a.advice, '; ' ORDER BY a.topic) AS advice, bool_or(a.large) AS large
      FROM w CROSS JOIN LATERAL migmgr_internal.watch_advice(w.job_schema, w.job_table) AS a GROUP BY w.name),
  -- how long a minute pattern may leave a table alone; without pg_cron's help ten minutes
  plan AS (
    SELECT s.status, s.last_status, s.message, s.schedule,
           CASE WHEN s.schedule LIKE '%second%' OR s.schedule ~ '^\s*\*\s' THEN interval '3 minutes'
                WHEN s.schedule ~ '^\s*\*/\d+\s' THEN 2 * make_interval(mins => substring(s.schedule, '\*/(\d+)')::integer) + interval '1 minute'
                ELSE interval '2 days' END AS tolerance
      FROM migmgr.schedules AS s WHERE s.task = 'sweep'),
  last AS (
    SELECT w.name, l.*, extract(epoch FROM $1 - l.finished_at)::bigint AS age
      FROM w CROSS JOIN LATERAL (SELECT s.finished_at, s.errors, s.unjudged, s.last_error FROM migmgr_internal.sweep AS s
        WHERE s.job_table = w.name AND s.finished_at IS NOT NULL ORDER BY s.id DESC LIMIT 1) AS l)
  SELECT 'watched table', w.name,
         CASE WHEN w.job IS NULL OR w.dlq IS NULL OR m.columns IS NOT NULL OR d.columns IS NOT NULL THEN 'failed' ELSE 'ok' END,
         CASE WHEN w.job IS NULL THEN 'the table does not exist; a watch goes by name: was it renamed?'
              WHEN m.columns IS NOT NULL THEN format('the table has no column %s', m.columns)
              WHEN w.dlq IS NULL THEN format('its dead-letter queue %s does not exist', w.dlq_name)
              WHEN d.columns IS NOT NULL THEN format('its dead-letter queue %s has no column %s', w.dlq_name, d.columns)
              ELSE format('dead letters go to %s%s', w.dlq_name, (SELECT '; ' || v.status FROM migmgr.watches AS v WHERE v.job_table = w.name AND v.status LIKE 'held back%')) END,
         CASE WHEN w.job IS NULL THEN format('SELECT * FROM migmgr.unwatch(%L); and watch it under its new name', w.name)
              WHEN w.dlq IS NULL OR m.columns IS NOT NULL OR d.columns IS NOT NULL
                THEN format('put it back, or call migmgr.watch(%L, ...) with what is there now', w.name) END
    FROM w LEFT JOIN missing AS m ON m.name = w.name LEFT JOIN dlq_missing AS d ON d.name = w.name
  UNION ALL
  SELECT 'watch advice', w.name, CASE WHEN a.large THEN 'warning' ELSE 'ok' END,
         CASE WHEN a.advice IS NULL THEN 'indexes and fillfactor suit heartbeats and sweeps' ELSE 'heartbeats or sweeps could be cheaper' END, a.advice
    FROM w LEFT JOIN advice AS a ON a.name = w.name WHERE w.job IS NOT NULL
  UNION ALL
  SELECT 'sweep schedule', 'sweep',
         CASE WHEN p.status = 'scheduled' AND p.last_status IS DISTINCT FROM 'failed' THEN 'ok'
              WHEN p.status = 'scheduled' THEN 'warning' WHEN p.status IS NOT NULL THEN 'failed'
              WHEN EXISTS (SELECT FROM last AS l WHERE l.age <= 600) THEN 'ok' ELSE 'warning' END,
         CASE WHEN p.status = 'scheduled' THEN format('pg_cron runs it: %s%s', p.schedule, CASE WHEN p.last_status = 'failed' THEN '; the last run failed: ' || p.message ELSE '' END)
              WHEN p.status IS NOT NULL THEN format('%s: %s', p.status, p.schedule)
              WHEN EXISTS (SELECT FROM last AS l WHERE l.age <= 600) THEN 'not scheduled here; sweeps come from elsewhere'
              ELSE 'nothing runs the sweep' END,
         CASE WHEN p.status = 'scheduled' AND p.last_status IS DISTINCT FROM 'failed' THEN NULL
              ELSE 'SELECT * FROM migmgr.schedule(''sweep'', ''* * * * *'')' END
    FROM (VALUES (1)) AS one(n) LEFT JOIN plan AS p ON true WHERE EXISTS (SELECT FROM w)
  UNION ALL
  SELECT 'last sweep', w.name,
         CASE WHEN l.age IS NULL THEN 'warning'
              WHEN l.age > extract(epoch FROM COALESCE((SELECT p.tolerance FROM plan AS p), interval '10 minutes')) THEN 'failed'
              WHEN l.errors > 0 OR l.unjudged > 0 THEN 'warning' ELSE 'ok' END,
         CASE WHEN l.age IS NULL THEN 'never swept'
              ELSE format('%s s ago%s%s', l.age, CASE WHEN l.errors > 0 THEN format('; %s errors, the last: %s', l.errors, l.last_error) ELSE '' END,
                     CASE WHEN l.unjudged > 0 THEN format('; %s running jobs without heartbeat and start are never swept', l.unjudged) ELSE '' END) END,
         CASE WHEN l.age IS NULL OR l.errors > 0 OR l.age > 600 THEN 'SELECT * FROM migmgr.sweep(); SELECT * FROM migmgr.sweeps' END
    FROM w LEFT JOIN last AS l ON l.name = w.name WHERE w.job IS NOT NULL
  UNION ALL
  SELECT 'watched table', 'none', 'ok', 'no table is watched', NULL WHERE NOT EXISTS (SELECT FROM w)
  $$;
REVOKE ALL ON FUNCTION migmgr_internal.watch_checks(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.watch_checks(timestamptz) IS 'for verify(): watched tables, their columns, queues, indexes, schedule and last sweep';
