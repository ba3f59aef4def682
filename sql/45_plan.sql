-- Plan: what a script would do, without doing any of it.
--
-- Both run with the caller's search_path, as apply() does: names in the script
-- mean what they would mean then.

CREATE FUNCTION migmgr.plan(sql text, environment text = NULL)
  RETURNS TABLE (statement integer, line integer, command text, object text, class text, lock_mode text, action text, reason text,
                 rule text, blocks_reads boolean, blocks_writes boolean, rewrites boolean, scans boolean, hint text)
  LANGUAGE c STABLE PARALLEL UNSAFE ROWS 10
  AS 'MODULE_PATHNAME', 'migmgr_plan';
REVOKE ALL ON FUNCTION migmgr.plan(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.plan(text, text)
  IS 'what each statement of a script would do and whether policy lets it, as here or in another environment; runs, locks and writes nothing';

CREATE FUNCTION migmgr.assert_safe(sql text, environment text = NULL) RETURNS text
  LANGUAGE c STABLE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_assert_safe';
REVOKE ALL ON FUNCTION migmgr.assert_safe(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.assert_safe(text, text)
  IS 'raise an error that lists every statement of a script that policy would ask about or deny; otherwise say that it is safe';
