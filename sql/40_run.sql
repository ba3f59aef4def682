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
