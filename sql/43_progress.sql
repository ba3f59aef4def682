-- What runs now.  Only what holds one of migmgr's own locks is believed, and
-- nobody else can hold those; the rest is in pg_stat_activity.

CREATE FUNCTION migmgr_internal.progress_rows()
  RETURNS TABLE (pid integer, username text, application text, task text, version text, statement integer, statements integer,
                 sql text, started timestamptz, ms bigint, statement_ms bigint, state text, waiting_for text, server text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT a.pid, a.usename::text, a.application_name, COALESCE(q.part[1], 'a migration'), COALESCE(q.part[2], q.part[3]),
         q.part[6]::integer, q.part[7]::integer, CASE WHEN q.part IS NULL THEN a.query ELSE q.part[8] END, a.query_start,
         (extract(epoch FROM clock_timestamp() - a.query_start) * 1000)::bigint,
         CASE WHEN q.part[6] IS NOT NULL THEN (extract(epoch FROM clock_timestamp() - a.state_change) * 1000)::bigint END,
         concat_ws(', ', CASE WHEN a.state LIKE 'idle%' THEN 'transaction still open: ' || a.state
                              WHEN a.wait_event_type = 'Lock' THEN 'waits for a lock'
                              ELSE COALESCE(q.part[9], 'runs ' || q.part[5], 'runs') END, 'attempt ' || q.part[4]),
         CASE WHEN a.wait_event_type = 'Lock' THEN
           (SELECT string_agg(CASE WHEN b.pid = 0 THEN 'a prepared transaction'
                                   ELSE format('process %s (user %s, application "%s", %s)', b.pid, o.usename, o.application_name, o.state) END, ' and ')
              FROM unnest(pg_blocking_pids(a.pid)) AS b (pid) LEFT JOIN pg_stat_activity AS o ON o.pid = b.pid) END,
         s.said
    FROM (SELECT DISTINCT l.pid FROM pg_locks AS l
           WHERE l.locktype = 'object' AND l.granted AND l.classid = 'pg_extension'::regclass
             AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
             AND l.objid = (SELECT x.oid FROM pg_extension AS x WHERE x.extname = 'migmgr')
             AND l.objsubid IN (1, 3, 4, 5)) AS l
    JOIN pg_stat_activity AS a ON a.pid = l.pid
   CROSS JOIN LATERAL regexp_match(a.query,
     '^migmgr: (migration "([^"]*)"|rollback of "([^"]*)"|(?:"[^"]*"|[^",])*), (?:(?:attempt (\d+), )?((?:verify )?statement) (\d+) of (\d+): (.*)|(.*))$') AS q (part)
    LEFT JOIN LATERAL (
      SELECT concat_ws(', ', c.command, c.phase, round(100.0 * c.blocks_done / nullif(c.blocks_total, 0)) || ' % of blocks',
                       round(100.0 * c.tuples_done / nullif(c.tuples_total, 0)) || ' % of rows') AS said
        FROM pg_stat_progress_create_index AS c WHERE c.pid = a.pid
      UNION ALL
      SELECT concat_ws(', ', c.command, c.phase, round(100.0 * c.heap_blks_scanned / nullif(c.heap_blks_total, 0)) || ' % of blocks')
        FROM pg_stat_progress_cluster AS c WHERE c.pid = a.pid
      UNION ALL
      SELECT concat_ws(', ', 'VACUUM', c.phase, round(100.0 * c.heap_blks_scanned / nullif(c.heap_blks_total, 0)) || ' % of blocks')
        FROM pg_stat_progress_vacuum AS c WHERE c.pid = a.pid
      UNION ALL
      SELECT concat_ws(', ', c.command, c.tuples_processed || ' rows') FROM pg_stat_progress_copy AS c WHERE c.pid = a.pid
    ) AS s ON true
   WHERE a.query LIKE 'migmgr: %' OR a.state LIKE 'idle in transaction%'
$$;
REVOKE ALL ON FUNCTION migmgr_internal.progress_rows() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.progress_rows() IS 'sessions that run a migration, a rehearsal, a rollback or a sweep in this database';

CREATE VIEW migmgr.progress AS
  SELECT p.* FROM migmgr_internal.progress_rows() AS p;
REVOKE ALL ON migmgr.progress FROM PUBLIC;
COMMENT ON VIEW migmgr.progress IS 'what migmgr runs now in this database: which statement of how many, since when, and whom it waits for';
