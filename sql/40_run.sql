-- Running migrations.  SECURITY INVOKER: a script has the caller's rights and
-- search_path, never more, so these functions pin no search_path; their C code
-- pins it for everything that is migmgr's own.

CREATE FUNCTION migmgr.apply(
  version text, name text, sql text, rollback_sql text DEFAULT NULL, checksum text DEFAULT NULL,
  verify_sql text DEFAULT NULL, dry_run boolean DEFAULT false, note text DEFAULT NULL, options jsonb DEFAULT '{}')
  RETURNS TABLE (version text, name text, status text, environment text, class text, statements integer,
                 ms bigint, reversible text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  AS 'MODULE_PATHNAME', 'migmgr_apply';
REVOKE ALL ON FUNCTION migmgr.apply(text, text, text, text, text, text, boolean, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.apply(text, text, text, text, text, text, boolean, text, jsonb)
  IS 'apply a migration: once, in order, judged by the guard, recorded; applying it again does nothing';

CREATE FUNCTION migmgr.apply_file(
  file text, sql text, dry_run boolean DEFAULT false, note text DEFAULT NULL, options jsonb DEFAULT '{}')
  RETURNS TABLE (version text, name text, status text, environment text, class text, statements integer,
                 ms bigint, reversible text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  AS 'MODULE_PATHNAME', 'migmgr_apply_file';
REVOKE ALL ON FUNCTION migmgr.apply_file(text, text, boolean, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.apply_file(text, text, boolean, text, jsonb)
  IS 'apply a migration file: version and name come from its name, the way back and the verify SQL from its sections';

-- Later versions that have built on what an entry made, for a rollback that its
-- DROP has refused: one line each, with the last one of them; no row without
-- one.  Walks all of pg_depend, which only an error pays for.
CREATE FUNCTION migmgr_internal.rollback_dependents(seq bigint) RETURNS TABLE (lines text, newest text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH own AS (
    SELECT o.type, o.identity FROM migmgr_internal.object AS o WHERE o.seq = rollback_dependents.seq AND o.action IN ('created', 'replaced')
  ), dependent AS (
    SELECT DISTINCT u.type, u.identity, r.type AS needed_type, r.identity AS needed
      FROM pg_depend AS d
     CROSS JOIN LATERAL pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) AS r
      JOIN own ON own.type = r.type AND own.identity = r.identity OR d.refobjsubid > 0 AND starts_with(r.identity, own.identity || '.')
      LEFT JOIN pg_rewrite AS w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
     CROSS JOIN LATERAL pg_identify_object(CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END, coalesce(w.ev_class, d.objid), d.objsubid) AS u
     WHERE d.refobjid >= 16384 AND d.deptype = 'n'
       AND NOT EXISTS (SELECT FROM own WHERE own.type = u.type AND own.identity = u.identity
                          OR right(u.identity, length(own.identity) + 4) = ' on ' || own.identity)
  ), line AS (
    SELECT DISTINCT ON (u.type, u.identity) u.type, u.identity, u.needed_type, u.needed, l.version, l.seq
      FROM dependent AS u
      JOIN migmgr_internal.object AS o ON o.identity = u.identity OR starts_with(u.identity, o.identity || '.')
        OR right(u.identity, length(o.identity) + 4) = ' on ' || o.identity
      JOIN migmgr.ledger AS l ON l.seq = o.seq
     WHERE o.seq > rollback_dependents.seq AND o.action IN ('created', 'replaced') AND l.event = 'applied'
       AND NOT EXISTS (SELECT FROM migmgr.ledger AS r WHERE r.version = l.version AND r.seq > l.seq
                          AND r.event IN ('rolled back', 'marked reverted', 'renamed away'))
     ORDER BY u.type, u.identity, l.seq DESC, u.needed
  )
  SELECT string_agg(format('Version "%s", applied after it, made %s %s, which needs %s %s.', l.version, l.type, l.identity, l.needed_type, l.needed),
                    E'\n' ORDER BY l.seq, l.type COLLATE "C", l.identity COLLATE "C"),
         (array_agg(l.version ORDER BY l.seq DESC))[1]
    FROM line AS l HAVING count(*) > 0;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.rollback_dependents(bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.rollback_dependents(bigint) IS 'later versions that have built on what an entry made';

CREATE FUNCTION migmgr.rollback(
  version text, reason text DEFAULT NULL, on_data text DEFAULT 'refuse', dry_run boolean DEFAULT false)
  RETURNS TABLE (version text, name text, status text, environment text, class text, statements integer,
                 ms bigint, reversible text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  AS 'MODULE_PATHNAME', 'migmgr_rollback';
REVOKE ALL ON FUNCTION migmgr.rollback(text, text, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.rollback(text, text, text, boolean)
  IS 'take a migration back: drops only what it made, stops when data would be lost (on_data: refuse, discard)';

-- In the order of versions; migmgr_internal.version_key is the script room's.
-- The events after which a version counts as applied: DONE_EVENTS in run.h.
CREATE INDEX ledger_order ON migmgr.ledger (migmgr_internal.version_key(version))
  WHERE event IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'renamed', 'superseded');
CREATE INDEX attempt_order ON migmgr_internal.attempt (migmgr_internal.version_key(version), at DESC) WHERE action = 'apply';
CREATE INDEX ledger_content ON migmgr.ledger (checksum)
  WHERE event IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'renamed', 'superseded') AND checksum IS NOT NULL;
