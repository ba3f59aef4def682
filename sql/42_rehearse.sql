-- Before a script runs: who would be in its way, and what it would really do.
-- With the caller's search_path, as apply() has it.

CREATE FUNCTION migmgr.blockers(sql text)
  RETURNS TABLE (statement integer, relation text, lock_mode text, pid integer, username text, application text, state text,
                 holds text, open_ms bigint, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
  AS 'MODULE_PATHNAME', 'migmgr_blockers';
REVOKE ALL ON FUNCTION migmgr.blockers(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.blockers(text)
  IS 'which sessions hold, or queue for, locks that the statements of a script would have to wait for; locks nothing';

-- Rehearse: run for real, measured, and undone.
CREATE FUNCTION migmgr.rehearse(sql text, options jsonb DEFAULT '{}')
  RETURNS TABLE (statement integer, line integer, command text, object text, class text, lock_mode text, action text, reason text,
                 rule text, blocks_reads boolean, blocks_writes boolean, rewrites boolean, scans boolean, hint text,
                 ms bigint, rows bigint, locks text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
  AS 'MODULE_PATHNAME', 'migmgr_rehearse';
REVOKE ALL ON FUNCTION migmgr.rehearse(text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.rehearse(text, jsonb)
  IS 'run a script, measure locks, rewrites, scans and time, and undo it: a summary, then the columns of plan() as they really happened';
