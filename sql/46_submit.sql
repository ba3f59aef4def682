-- Migrations that wait: for review, for their turn, for a worker.  Like
-- apply() these run a caller's script, so they pin no search_path.

CREATE FUNCTION migmgr.submit(file text, sql text, start boolean DEFAULT false, note text DEFAULT NULL)
  RETURNS TABLE (ticket bigint, version text, name text, status text, environment text, statements integer,
                 online boolean, checksum text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  AS 'MODULE_PATHNAME', 'migmgr_submit';
REVOKE ALL ON FUNCTION migmgr.submit(text, text, boolean, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.submit(text, text, boolean, text)
  IS 'store a migration file for review, or (start) queue it for a background worker that runs it as the caller after the commit';

-- The third argument tells the two apart: a boolean is start, a text is the
-- script, as in apply(); or, after the name of a file, the note.
CREATE FUNCTION migmgr.submit(
  version text, name text, sql text, rollback_sql text DEFAULT NULL, verify_sql text DEFAULT NULL, note text DEFAULT NULL,
  start boolean DEFAULT false)
  RETURNS TABLE (ticket bigint, version text, name text, status text, environment text, statements integer,
                 online boolean, checksum text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  AS 'MODULE_PATHNAME', 'migmgr_submit_version';
REVOKE ALL ON FUNCTION migmgr.submit(text, text, text, text, text, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.submit(text, text, text, text, text, text, boolean)
  IS 'the same for a script that is in no file; it is kept as the file VERSION_name.sql';

CREATE FUNCTION migmgr.withdraw(version text, reason text DEFAULT NULL) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_withdraw';
REVOKE ALL ON FUNCTION migmgr.withdraw(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.withdraw(text, text) IS 'take back what was submitted and has not begun';

CREATE FUNCTION migmgr.apply(version text)
  RETURNS TABLE (version text, name text, status text, environment text, class text, statements integer,
                 ms bigint, reversible text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  AS 'MODULE_PATHNAME', 'migmgr_apply_version';
REVOKE ALL ON FUNCTION migmgr.apply(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.apply(text) IS 'apply what was submitted under this version';

CREATE FUNCTION migmgr.apply_pending(to_version text DEFAULT NULL, on_error text DEFAULT 'stop')
  RETURNS TABLE (version text, name text, status text, environment text, class text, statements integer,
                 ms bigint, reversible text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
  AS 'MODULE_PATHNAME', 'migmgr_apply_pending';
REVOKE ALL ON FUNCTION migmgr.apply_pending(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.apply_pending(text, text)
  IS 'apply all that was submitted, in order, up to the first that fails (on_error: stop keeps what came before, raise undoes it)';

CREATE PROCEDURE migmgr.run_pending(
  to_version text DEFAULT NULL, INOUT applied integer DEFAULT NULL, INOUT ms bigint DEFAULT NULL, INOUT detail text DEFAULT NULL)
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'migmgr_run_pending';
REVOKE ALL ON PROCEDURE migmgr.run_pending(text, integer, bigint, text) FROM PUBLIC;
COMMENT ON PROCEDURE migmgr.run_pending(text, integer, bigint, text)
  IS 'apply all that was submitted, in order, each in transactions of its own; waits for those that run online';

-- The checksum is that of the text which will be applied: approvals are of it.
CREATE VIEW migmgr.pending WITH (security_invoker = false) AS
  SELECT s.version, s.name, COALESCE(o.status, 'submitted') AS status, s.at AS submitted_at,
         s.role || CASE WHEN s.session_role <> s.role THEN ' (logged in as ' || s.session_role || ')' ELSE '' END AS submitted_by,
         (s.detail ->> 'statements')::integer AS statements, COALESCE(o.done, 0) AS done,
         (s.detail ->> 'online')::boolean AS online, s.checksum, s.detail ->> 'file' AS file,
         s.detail ->> 'note' AS note, o.message, s.seq AS ticket, k.text AS sql
    FROM (SELECT DISTINCT ON (l.version) l.seq, l.event, l.version, l.name, l.at, l.role, l.session_role, l.checksum, l.detail::jsonb AS detail
            FROM migmgr.ledger AS l WHERE l.event IN ('submitted', 'withdrawn') ORDER BY l.version, l.seq DESC) AS s
    LEFT JOIN migmgr_internal.online_state AS o ON o.version = s.version
    LEFT JOIN migmgr_internal.script AS k ON k.checksum = s.checksum
   WHERE s.event = 'submitted'
     AND NOT EXISTS (SELECT FROM migmgr.ledger AS a WHERE a.version = s.version AND a.seq > s.seq
                        AND a.event IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'renamed', 'superseded'))
   ORDER BY s.detail ->> 'key' COLLATE "C";
COMMENT ON VIEW migmgr.pending IS 'what was submitted and is not applied, in the order of versions';
COMMENT ON COLUMN migmgr.pending.status IS 'submitted, or of one that runs online: queued, running, partly applied';
COMMENT ON COLUMN migmgr.pending.checksum IS 'of the text that will be applied, in canonical form';
COMMENT ON COLUMN migmgr.pending.sql IS 'the text to review: all of the file, down and verify sections too';
COMMENT ON COLUMN migmgr.pending.done IS 'statements of an online migration that are done';
COMMENT ON COLUMN migmgr.pending.message IS 'what stopped it last';

CREATE FUNCTION migmgr.apply_repeatable(name text, sql text, note text DEFAULT NULL, options jsonb DEFAULT '{}')
  RETURNS TABLE (version text, name text, status text, environment text, class text, statements integer,
                 ms bigint, reversible text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  AS 'MODULE_PATHNAME', 'migmgr_apply_repeatable';
REVOKE ALL ON FUNCTION migmgr.apply_repeatable(text, text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.apply_repeatable(text, text, text, jsonb)
  IS 'apply a script that has a name instead of a version, unless this very text ran last under it';

CREATE FUNCTION migmgr.apply_repeatables(scripts jsonb, note text DEFAULT NULL, options jsonb DEFAULT '{}')
  RETURNS TABLE (version text, name text, status text, environment text, class text, statements integer,
                 ms bigint, reversible text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
  AS 'MODULE_PATHNAME', 'migmgr_apply_repeatables';
REVOKE ALL ON FUNCTION migmgr.apply_repeatables(jsonb, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.apply_repeatables(jsonb, text, jsonb)
  IS 'apply_repeatable() for each {"name": "text", ...}, in the order of what they require';

CREATE VIEW migmgr.repeatables WITH (security_invoker = false) AS
  SELECT l.name, l.at AS applied_at, l.role || CASE WHEN l.session_role <> l.role THEN ' (logged in as ' || l.session_role || ')' ELSE '' END AS applied_by,
         l.runs, l.checksum, l.detail ->> 'class' AS class, (l.detail ->> 'statements')::integer AS statements,
         (SELECT string_agg(r.name, ', ') FROM jsonb_array_elements_text(l.detail -> 'requires') AS r(name)) AS requires,
         l.detail ->> 'note' AS note
    FROM (SELECT DISTINCT ON (r.version) r.name, r.at, r.role, r.session_role, r.checksum, r.detail::jsonb AS detail,
                 count(*) OVER (PARTITION BY r.version) AS runs
            FROM migmgr.ledger AS r WHERE r.event = 'repeated' ORDER BY r.version, r.seq DESC) AS l
   ORDER BY l.name COLLATE "C";
COMMENT ON VIEW migmgr.repeatables IS 'scripts with a name instead of a version: what ran last of each';
