-- Who would be in the way of a script now.  With the caller's search_path, as
-- plan() does.

CREATE FUNCTION migmgr.blockers(sql text)
  RETURNS TABLE (statement integer, relation text, lock_mode text, pid integer, username text, application text, state text,
                 holds text, open_ms bigint, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
  AS 'MODULE_PATHNAME', 'migmgr_blockers';
REVOKE ALL ON FUNCTION migmgr.blockers(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.blockers(text)
  IS 'which sessions hold, or queue for, locks that the statements of a script would have to wait for; locks nothing';
