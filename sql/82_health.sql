-- One JSON object for a health endpoint, and figures for monitoring.  Both
-- come from the rows of view status, so they cost what it costs.

CREATE FUNCTION migmgr.health() RETURNS jsonb
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
  WITH s AS MATERIALIZED (
    SELECT r.topic, r.state, r.value, r.hint FROM migmgr_internal.status_rows(SESSION_USER::text) AS r WHERE r.topic <> 'you'
  )
  SELECT jsonb_build_object(
    'status', CASE WHEN bool_or(s.state = 'failed') THEN 'failed' WHEN bool_or(s.state = 'warning') THEN 'warning' ELSE 'ok' END,
    'database', current_database(), 'environment', migmgr.environment(), 'version', migmgr.version(), 'head', migmgr.head(),
    'mode', coalesce((SELECT m.mode FROM migmgr_internal.mode_now() AS m), 'normal'),
    'guard', jsonb_build_object('level', migmgr_internal.guard_level(), 'state', max(s.state) FILTER (WHERE s.topic = 'guard')),
    'last', (SELECT jsonb_build_object('version', h.version, 'name', h.name, 'status', h.status, 'at', h.applied_at, 'by', h.applied_by)
               FROM migmgr.history AS h ORDER BY h.applied_at DESC LIMIT 1),
    'rollback_advised', (SELECT jsonb_build_object('version', a.version, 'because', a.because, 'call', a.call) FROM migmgr_internal.advice() AS a LIMIT 1),
    'dead_letters', (SELECT jsonb_build_object('pending', coalesce(sum(d.letters) FILTER (WHERE d.status = 'pending'), 0),
                              'retrying', coalesce(sum(d.letters) FILTER (WHERE d.status = 'retrying'), 0),
                              'abandoned', coalesce(sum(d.letters) FILTER (WHERE d.status = 'abandoned'), 0))
                       FROM migmgr_internal.dlq_statistics() AS d),
    'sweeps', (SELECT coalesce(jsonb_agg(jsonb_build_object('job_table', w.job_table, 'status', w.status, 'last', w.last_sweep_at, 'stale', w.last_stale)), '[]')
                 FROM migmgr.watches AS w),
    'topics', jsonb_object_agg(s.topic, jsonb_strip_nulls(jsonb_build_object('state', s.state, 'value', s.value,
                'hint', CASE WHEN s.state <> 'ok' THEN s.hint END))))
    FROM s
$$;
REVOKE ALL ON FUNCTION migmgr.health() FROM PUBLIC;
COMMENT ON FUNCTION migmgr.health() IS 'for a health endpoint: status in one word, guard, mode, last migration, dead letters, sweeps, and whether a rollback is advised';

CREATE FUNCTION migmgr_internal.metric_rows()
  RETURNS TABLE(name text, labels jsonb, value double precision)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
  SELECT 'status', jsonb_build_object('topic', s.topic), CASE s.state WHEN 'ok' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END::double precision
    FROM migmgr_internal.status_rows(SESSION_USER::text) AS s WHERE s.topic <> 'you'
  UNION ALL
  SELECT 'versions', jsonb_build_object('status', h.status), count(*) FROM migmgr.history AS h GROUP BY h.status
  UNION ALL
  SELECT 'last_change_seconds', '{}', extract(epoch FROM max(h.applied_at)) FROM migmgr.history AS h HAVING count(*) > 0
  UNION ALL
  SELECT 'failed_attempts', '{}', count(*) FROM migmgr_internal.attempt AS a
  UNION ALL
  SELECT 'ledger_entries', '{}', coalesce(max(l.seq), 0) FROM migmgr.ledger AS l
  UNION ALL
  SELECT 'waivers', '{}', count(*) FROM migmgr.waivers AS w WHERE w.active
  UNION ALL
  SELECT 'mode', jsonb_build_object('mode', v.mode), (v.mode = coalesce((SELECT m.mode FROM migmgr_internal.mode_now() AS m), 'normal'))::integer
    FROM (VALUES ('normal'), ('frozen'), ('read only')) AS v(mode)
  UNION ALL
  SELECT 'flag_percent', jsonb_build_object('flag', f.flag), f.percent FROM migmgr_internal.flag_list() AS f
  UNION ALL
  SELECT 'check_failing', jsonb_build_object('check', c.name), (c.last_status NOT IN ('ok', 'table missing'))::integer FROM migmgr.checks AS c WHERE c.last_status IS NOT NULL
  UNION ALL
  SELECT 'rollback_advised', jsonb_build_object('version', a.version), 1 FROM migmgr_internal.advice() AS a
  UNION ALL
  SELECT 'dead_letters', jsonb_build_object('status', v.status), coalesce((SELECT sum(d.letters) FROM migmgr_internal.dlq_statistics() AS d WHERE d.status = v.status), 0)
    FROM (VALUES ('pending'), ('retrying'), ('resolved'), ('abandoned')) AS v(status)
  UNION ALL
  SELECT v.name, jsonb_build_object('job_table', w.job_table), v.value
    FROM migmgr.watches AS w
   CROSS JOIN LATERAL (SELECT s.* FROM migmgr.sweeps AS s WHERE s.job_table = w.job_table ORDER BY s.started_at DESC LIMIT 1) AS s
   CROSS JOIN LATERAL (VALUES ('jobs_running', s.running::double precision), ('jobs_stale', s.stale), ('sweep_errors', s.errors),
                              ('sweep_ms', s.ms), ('sweep_age_seconds', extract(epoch FROM clock_timestamp() - coalesce(s.finished_at, s.started_at)))) AS v(name, value)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.metric_rows() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.metric_rows() IS 'rows of view metrics';

CREATE VIEW migmgr.metrics WITH (security_invoker = false) AS
  SELECT m.name, m.labels, m.value FROM migmgr_internal.metric_rows() AS m ORDER BY m.name, m.labels::text;
COMMENT ON VIEW migmgr.metrics IS 'figures for monitoring; doc/monitoring has a configuration for postgres_exporter and a dashboard';
COMMENT ON COLUMN migmgr.metrics.value IS 'status: 0 ok, 1 warning, 2 failed; others count, or say 1 for yes';
