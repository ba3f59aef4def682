-- After an apply: for how long a version is observed, and when to go back.

-- A check that is to run on schedule and fails is a trigger.  It points at
-- the version that was applied last before it began to fail, if that one was
-- still observed then and is still there.
CREATE FUNCTION migmgr_internal.observed(observe interval)
  RETURNS TABLE(version text, applied_at timestamptz, until timestamptz, failing text, since timestamptz, detail text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH applied AS (
    SELECT DISTINCT ON (l.version) l.version, l.at, l.event
      FROM migmgr.ledger AS l
     WHERE l.version IS NOT NULL AND l.event IN ('applied', 'rolled back', 'baseline', 'marked applied', 'marked reverted')
     ORDER BY l.version, l.seq DESC
  ), run AS (
    SELECT a.version, a.at, a.at + observe AS until FROM applied AS a WHERE a.event = 'applied'
  ), failing AS (
    SELECT c.name, f.at, f.detail
      FROM migmgr_internal.check_definition AS c
     CROSS JOIN LATERAL (
       SELECT r.at, r.detail FROM migmgr_internal.check_result AS r
        WHERE r.check_name = c.name AND r.status NOT IN ('ok', 'table missing') AND r.run_at IN ('schedule', 'all')
          AND r.id > coalesce((SELECT max(o.id) FROM migmgr_internal.check_result AS o WHERE o.check_name = c.name AND o.status = 'ok'), 0)
        ORDER BY r.id LIMIT 1) AS f
     WHERE 'schedule' = ANY (c.run_at)
  ), blamed AS (
    SELECT f.name, f.at, f.detail,
           (SELECT l.version FROM migmgr.ledger AS l WHERE l.event = 'applied' AND l.at <= f.at ORDER BY l.seq DESC LIMIT 1) AS version
      FROM failing AS f
  )
  SELECT r.version, r.at, r.until, b.name, b.at, b.detail
    FROM run AS r LEFT JOIN blamed AS b ON b.version = r.version AND b.at BETWEEN r.at AND r.until
   WHERE r.until > clock_timestamp() OR b.name IS NOT NULL
   ORDER BY r.at DESC, b.at, b.name
$$;
REVOKE ALL ON FUNCTION migmgr_internal.observed(interval) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.observed(interval) IS 'versions that are observed, with the scheduled checks that began to fail since; the newest first';

CREATE FUNCTION migmgr_internal.advice()
  RETURNS TABLE(version text, because text, since timestamptz, call text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT o.version, string_agg(format('check %s fails since %s: %s', o.failing, to_char(o.since, 'YYYY-MM-DD HH24:MI TZ'), o.detail), '; ' ORDER BY o.since, o.failing),
         min(o.since), format('SELECT * FROM migmgr.rollback(%L, %L);', o.version, 'check ' || min(o.failing) || ' fails')
    FROM migmgr_internal.observed(migmgr_internal.policy_value('observe')::interval) AS o
   WHERE o.failing IS NOT NULL
   GROUP BY o.version, o.applied_at ORDER BY o.applied_at DESC
$$;
REVOKE ALL ON FUNCTION migmgr_internal.advice() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.advice() IS 'versions whose rollback is advised, why, and the call to make';

CREATE FUNCTION migmgr_internal.tell_advice() RETURNS void
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT migmgr_internal.tell('rollback advised', a.version, jsonb_build_object('because', left(a.because, 500), 'call', a.call))
    FROM migmgr_internal.advice() AS a WHERE a.since >= transaction_timestamp()
$$;
REVOKE ALL ON FUNCTION migmgr_internal.tell_advice() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.tell_advice() IS 'tell who listens about advice that is new in this transaction: once for each failure, not once a run';

-- Looking for drift reads the whole schema, so it is done when there was DDL
-- outside of migrations since the last scheduled run of the checks.
CREATE FUNCTION migmgr_internal.tell_drift() RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  looked timestamptz := (SELECT max(r.at) FROM migmgr_internal.check_result AS r
                          WHERE r.run_at IN ('schedule', 'all') AND r.at < transaction_timestamp());
  found record;
BEGIN
  IF EXISTS (SELECT FROM migmgr_internal.ddl_log AS d WHERE d.at > looked) THEN
    SELECT d.object, d.drift INTO found FROM migmgr.drift() AS d LIMIT 1;
    IF found.drift <> 'none' THEN
      PERFORM migmgr_internal.tell('drift found', NULL, jsonb_build_object('objects', found.drift, 'call', 'SELECT * FROM migmgr.drift();'));
    END IF;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.tell_drift() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.tell_drift() IS 'tell who listens about drift that DDL since the last look has made';
