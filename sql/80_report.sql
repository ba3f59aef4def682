-- Where things stand, in ten lines.

CREATE FUNCTION migmgr.version() RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$SELECT x.extversion FROM pg_extension AS x WHERE x.extname = 'migmgr'$$;
REVOKE ALL ON FUNCTION migmgr.version() FROM PUBLIC;
COMMENT ON FUNCTION migmgr.version() IS 'version of migmgr that is installed in this database';

-- One line out of the rows of some checks: the worst decides.
CREATE FUNCTION migmgr_internal.sum_checks(VARIADIC functions text[])
  RETURNS TABLE(state text, value text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT CASE WHEN bool_or(r.status = 'failed') THEN 'failed' WHEN bool_or(r.status = 'warning') THEN 'warning' ELSE 'ok' END,
         COALESCE(string_agg(concat_ws(' ', r.object, r.detail), '; ' ORDER BY r.status, r.place, r.object) FILTER (WHERE r.status <> 'ok' AND r.n <= 2)
           || CASE WHEN max(r.n) FILTER (WHERE r.status <> 'ok') > 2 THEN format(' and %s more', max(r.n) FILTER (WHERE r.status <> 'ok') - 2) ELSE '' END,
           string_agg(r.detail, '; ' ORDER BY r.place, r.object) FILTER (WHERE r.n <= 2), 'none')
    FROM (SELECT c.*, f.place, row_number() OVER (ORDER BY CASE c.status WHEN 'failed' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END, f.place, c.object) AS n
            FROM unnest(functions) WITH ORDINALITY AS f(name, place)
           CROSS JOIN LATERAL migmgr_internal.run_check(f.name, NULL) AS c) AS r
$$;
REVOKE ALL ON FUNCTION migmgr_internal.sum_checks(text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.sum_checks(text[]) IS 'checks in one line, the worst first';

-- Runs as the owner, who sees what a reader may not; the reader's own role
-- comes as an argument.
CREATE FUNCTION migmgr_internal.status_rows(reader text)
  RETURNS TABLE(topic text, value text, state text, hint text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
#variable_conflict use_column
DECLARE
  home text := migmgr_internal.ledger_state();
  level text := migmgr_internal.guard_level();
BEGIN
  RETURN QUERY SELECT 'database', format('%s, %s, %s%s', current_database(), migmgr.environment(), home,
                             ', ' || m.mode || coalesce(' until ' || to_char(m.until, 'YYYY-MM-DD HH24:MI TZ'), '') || ' by ' || m.set_by || ': ' || m.reason),
    CASE WHEN home = 'restored' THEN 'failed' WHEN m.mode IS NOT NULL THEN 'warning' ELSE 'ok' END,
    CASE WHEN home = 'restored' THEN 'SELECT * FROM migmgr.verify(); then SELECT migmgr.resume(''reason'');'
         WHEN m.mode IS NOT NULL THEN 'SELECT * FROM migmgr.set_mode(''normal'', ''reason'');' END
    FROM (SELECT) AS one LEFT JOIN migmgr_internal.mode_now() AS m ON true;

  RETURN QUERY SELECT 'you', format('%s: %s', reader, CASE WHEN r.rolsuper THEN 'superuser' ELSE COALESCE(array_to_string(l.levels, ', '), 'no level') END), 'ok',
    CASE WHEN NOT r.rolsuper AND l.levels IS NULL THEN format('SELECT * FROM migmgr.grant_access(%L, ''viewer'');', reader) END
    FROM pg_roles AS r CROSS JOIN LATERAL (SELECT migmgr_internal.levels_of(r.oid) AS levels) AS l WHERE r.rolname = reader;

  RETURN QUERY SELECT 'guard', CASE c.state WHEN 'failed' THEN c.value ELSE format('%s; not seen: %s', level, migmgr_internal.guard_blind(level)) END,
    CASE WHEN c.state = 'ok' AND home = 'restored' THEN 'warning' ELSE c.state END,
    CASE WHEN c.state <> 'ok' THEN 'SELECT * FROM migmgr.verify();' END
    FROM migmgr_internal.sum_checks('check_guard') AS c;

  RETURN QUERY
  WITH h AS MATERIALIZED (SELECT v.version, v.name, v.status, v.applied_at, v.applied_by FROM migmgr.history AS v),
  f AS (SELECT r.version, r.file FROM migmgr_internal.remembered_files() AS r
         WHERE migmgr_internal.version_key(r.version) COLLATE "C"
               > COALESCE((SELECT max(migmgr_internal.version_key(h.version) COLLATE "C") FROM h WHERE h.status = 'baseline'), '')
           AND NOT EXISTS (SELECT FROM h WHERE h.version = r.version AND h.status IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'superseded')))
  SELECT 'applied', format('%s applied, %s rolled back, %s failed', count(*) FILTER (WHERE h.status IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'superseded')),
           count(*) FILTER (WHERE h.status IN ('rolled back', 'marked reverted', 'renamed')), count(*) FILTER (WHERE h.status = 'failed')),
         CASE WHEN bool_or(h.status = 'failed') THEN 'warning' ELSE 'ok' END,
         CASE WHEN bool_or(h.status = 'failed') THEN 'SELECT * FROM migmgr.attempts;' END
    FROM h
  UNION ALL
  SELECT 'pending', CASE WHEN count(*) > 0 THEN format('%s: %s', count(*), left(string_agg(f.file, ', ' ORDER BY migmgr_internal.version_key(f.version) COLLATE "C"), 80))
                         WHEN EXISTS (SELECT FROM migmgr_internal.remembered_files()) THEN 'none'
                         ELSE 'not known: no listing of files yet' END, 'ok',
         CASE WHEN count(*) = 0 AND NOT EXISTS (SELECT FROM migmgr_internal.remembered_files()) THEN 'SELECT * FROM migmgr.compare_files(listing);' END
    FROM f
  UNION ALL
  SELECT 'last', CASE WHEN a.version IS NOT NULL THEN format('rollback advised for %s: %s', a.version, a.because)
              WHEN l.version IS NULL THEN 'nothing applied yet'
              ELSE format('%s %s %s %s by %s', l.version, l.name, l.status, date_trunc('second', l.applied_at), l.applied_by) END,
         CASE WHEN a.version IS NOT NULL THEN 'failed' WHEN l.status = 'failed' THEN 'warning' ELSE 'ok' END,
         CASE WHEN a.version IS NOT NULL THEN a.call WHEN l.status = 'failed' THEN 'SELECT * FROM migmgr.attempts;' WHEN l.status IS NOT NULL THEN 'SELECT * FROM migmgr.history;' END
    FROM (SELECT) AS one LEFT JOIN LATERAL (SELECT h.* FROM h ORDER BY h.applied_at DESC LIMIT 1) AS l ON true
    LEFT JOIN LATERAL (SELECT v.* FROM migmgr_internal.advice() AS v LIMIT 1) AS a ON true;

  RETURN QUERY SELECT 'problems', CASE c.state WHEN 'ok' THEN 'none found (quick checks only)' ELSE c.value END, c.state, 'SELECT * FROM migmgr.verify();'
    FROM migmgr_internal.sum_checks('check_indexes', 'check_constraints', 'check_objects', 'check_access') AS c;
  RETURN QUERY SELECT 'jobs', c.value, c.state, CASE WHEN c.state <> 'ok' THEN 'SELECT * FROM migmgr.watches; SELECT * FROM migmgr.sweeps;' END
    FROM migmgr_internal.sum_checks('watch_checks') AS c;
  RETURN QUERY SELECT 'dead letters', format('%s pending, %s retrying, %s abandoned', d.pending, d.retrying, d.abandoned),
    CASE WHEN d.pending + d.abandoned > 0 THEN 'warning' ELSE 'ok' END, CASE WHEN d.pending + d.abandoned > 0 THEN 'SELECT * FROM migmgr.dlq_stats;' END
    FROM (SELECT COALESCE(sum(s.letters) FILTER (WHERE s.status = 'pending'), 0) AS pending,
                 COALESCE(sum(s.letters) FILTER (WHERE s.status = 'retrying'), 0) AS retrying,
                 COALESCE(sum(s.letters) FILTER (WHERE s.status = 'abandoned'), 0) AS abandoned
            FROM migmgr_internal.dlq_statistics() AS s) AS d;
  RETURN QUERY SELECT g.topic, g.value, g.state, g.hint FROM migmgr_internal.gate_status() AS g;
  RETURN QUERY SELECT 'ledger', format('%s entries, head %s', COALESCE(max(l.seq), 0), COALESCE(left(migmgr.head(), 16) || '...', 'none')), 'ok', 'SELECT migmgr.head();'
    FROM migmgr.ledger AS l;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.status_rows(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.status_rows(text) IS 'rows of view status for the role that reads it';

CREATE VIEW migmgr.status WITH (security_invoker = false) AS
  SELECT s.topic, s.value, s.state, s.hint FROM migmgr_internal.status_rows(CURRENT_USER::text) AS s;
COMMENT ON VIEW migmgr.status IS 'where am I, who am I here, and what needs attention; quick checks only, verify() has them all';
