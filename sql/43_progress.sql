-- What runs now.  Where migmgr is preloaded each process says it in shared
-- memory.  Else it is in pg_stat_activity, and only what holds one of migmgr's
-- own locks is believed, since nobody else can hold those.

CREATE FUNCTION migmgr_internal.progress_slots()
  RETURNS TABLE (pid integer, what text, attempt integer, part text, statement integer, statements integer, text text,
                 started timestamptz, step_started timestamptz)
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_progress_slots';
REVOKE ALL ON FUNCTION migmgr_internal.progress_slots() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.progress_slots() IS 'what the processes of this database say in shared memory; nothing without preload';

CREATE FUNCTION migmgr_internal.progress_rows()
  RETURNS TABLE (pid integer, username text, application text, task text, version text, statement integer, statements integer,
                 sql text, started timestamptz, ms bigint, statement_ms bigint, state text, waiting_for text, server text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  WITH slot AS MATERIALIZED (
    SELECT s.* FROM migmgr_internal.progress_slots() AS s
  ), shown AS (
    SELECT s.pid, s.what, nullif(s.attempt, 0) AS attempt, s.part, nullif(s.statement, 0) AS statement, s.statements,
           CASE WHEN s.statement > 0 THEN s.text END AS sql, CASE WHEN s.statement = 0 THEN s.text END AS state, s.started, s.step_started
      FROM slot AS s
    UNION ALL
    SELECT a.pid, COALESCE(q.part[1], 'a migration'), q.part[2]::integer, q.part[3], q.part[4]::integer, q.part[5]::integer,
           CASE WHEN q.part IS NULL THEN a.query ELSE q.part[6] END, q.part[7], a.query_start, a.state_change
      FROM (SELECT DISTINCT l.pid FROM pg_locks AS l
             WHERE l.locktype = 'object' AND l.granted AND l.classid = 'pg_extension'::regclass
               AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
               AND l.objid = (SELECT x.oid FROM pg_extension AS x WHERE x.extname = 'migmgr')
               AND l.objsubid IN (1, 3, 4, 5)) AS l
      JOIN pg_stat_activity AS a ON a.pid = l.pid
     CROSS JOIN LATERAL regexp_match(a.query,
       '^migmgr: (migration "[^"]*"|rollback of "[^"]*"|(?:"[^"]*"|[^",])*), (?:(?:attempt (\d+), )?((?:verify |way back, )?statement) (\d+) of (\d+): (.*)|(.*))$') AS q (part)
     WHERE (a.query LIKE 'migmgr: %' OR a.state LIKE 'idle in transaction%') AND l.pid NOT IN (SELECT s.pid FROM slot AS s)
  )
  SELECT a.pid, a.usename::text, a.application_name, q.what, substring(q.what FROM '^(?:migration|rollback of) "([^"]*)"$'),
         q.statement, CASE WHEN q.statement IS NOT NULL THEN q.statements END, q.sql, q.started,
         (extract(epoch FROM clock_timestamp() - q.started) * 1000)::bigint,
         CASE WHEN q.statement IS NOT NULL THEN (extract(epoch FROM clock_timestamp() - q.step_started) * 1000)::bigint END,
         concat_ws(', ', CASE WHEN a.state LIKE 'idle%' THEN 'transaction still open: ' || a.state
                              WHEN a.wait_event_type = 'Lock' THEN 'waits for a lock'
                              ELSE COALESCE(q.state, 'runs ' || q.part, 'runs') END,
                   CASE WHEN q.attempt > 1 THEN 'attempt ' || q.attempt END),
         CASE WHEN a.wait_event_type = 'Lock' THEN
           (SELECT string_agg(CASE WHEN b.pid = 0 THEN 'a prepared transaction'
                                   ELSE format('process %s (user %s, application "%s", %s)', b.pid, o.usename, o.application_name, o.state) END, ' and ')
              FROM unnest(pg_blocking_pids(a.pid)) AS b (pid) LEFT JOIN pg_stat_activity AS o ON o.pid = b.pid) END,
         s.said
    FROM shown AS q
    JOIN pg_stat_activity AS a ON a.pid = q.pid
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
$$;
REVOKE ALL ON FUNCTION migmgr_internal.progress_rows() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.progress_rows() IS 'sessions that run a migration, a rehearsal, a rollback or a sweep in this database';

-- The text of a statement is for whom pg_stat_activity shows it, too.
CREATE VIEW migmgr.progress AS
  SELECT p.pid, p.username, p.application, p.task, p.version, p.statement, p.statements,
         CASE WHEN p.sql IS NULL OR pg_has_role('pg_read_all_stats', 'USAGE') OR pg_has_role(p.username, 'USAGE') THEN p.sql
              ELSE '<insufficient privilege>' END AS sql,
         p.started, p.ms, p.statement_ms, p.state, p.waiting_for, p.server
    FROM migmgr_internal.progress_rows() AS p;
REVOKE ALL ON migmgr.progress FROM PUBLIC;
COMMENT ON VIEW migmgr.progress IS 'what migmgr runs now in this database: which statement of how many, since when, and whom it waits for';
