-- Going back further than one version, and what people add to the story.

-- SECURITY INVOKER and without a pinned path, as rollback() itself: the scripts
-- that it runs are the caller's.
CREATE FUNCTION migmgr.rollback_to(
  version_or_tag text, reason text DEFAULT NULL, on_data text DEFAULT 'refuse', dry_run boolean DEFAULT false)
  RETURNS TABLE (version text, name text, status text, environment text, class text, statements integer,
                 ms bigint, reversible text, detail text)
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
  AS $$
#variable_conflict use_column
DECLARE
  target pg_catalog.int8;
  versions pg_catalog.text[];
  one record;
  done pg_catalog.jsonb := '[]';
BEGIN
  SELECT pg_catalog.max(l.seq) INTO target FROM migmgr.ledger AS l
   WHERE l.event OPERATOR(pg_catalog.=) 'tag' AND l.event NOT IN ('applied', 'rolled back')
     AND (l.detail::pg_catalog.jsonb OPERATOR(pg_catalog.->>) 'label') OPERATOR(pg_catalog.=) version_or_tag;
  IF target IS NULL THEN
    SELECT l.seq INTO target
      FROM (SELECT COALESCE((r.detail::pg_catalog.jsonb OPERATOR(pg_catalog.->>) 'origin')::pg_catalog.int8, r.seq) AS seq, r.event FROM migmgr.ledger AS r
             WHERE r.version OPERATOR(pg_catalog.=) version_or_tag AND r.event IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'renamed', 'superseded', 'rolled back', 'marked reverted', 'renamed away')
             ORDER BY r.seq DESC LIMIT 1) AS l
     WHERE l.event NOT IN ('rolled back', 'marked reverted', 'renamed away');
    IF target IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'MG007',
        MESSAGE = pg_catalog.format('there is no applied version and no tag "%s" to go back to', version_or_tag),
        HINT = 'SELECT version, name, status FROM migmgr.history; and for tags: SELECT seq, detail FROM migmgr.ledger WHERE event = ''tag'';';
    END IF;
  END IF;
  SELECT pg_catalog.array_agg(l.version ORDER BY l.seq DESC) INTO versions
    FROM (SELECT DISTINCT ON (r.version) r.version, r.event,
                 COALESCE((r.detail::pg_catalog.jsonb OPERATOR(pg_catalog.->>) 'origin')::pg_catalog.int8, r.seq) AS seq FROM migmgr.ledger AS r
           WHERE r.version IS NOT NULL AND r.event IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'renamed', 'superseded', 'rolled back', 'marked reverted', 'renamed away')
           ORDER BY r.version, r.seq DESC) AS l
   WHERE l.event IN ('applied', 'renamed') AND l.seq OPERATOR(pg_catalog.>) target;

  BEGIN
    FOR i IN 1 .. COALESCE(pg_catalog.cardinality(versions), 0) LOOP
      SELECT r.* INTO STRICT one FROM migmgr.rollback(versions[i], reason, on_data) AS r;
      IF one.status OPERATOR(pg_catalog.=) 'queued' THEN
        RAISE EXCEPTION USING ERRCODE = 'MG235',
          MESSAGE = pg_catalog.format('cannot go back to "%s" in one transaction: version "%s" goes back online', version_or_tag, versions[i]),
          HINT = pg_catalog.format('Take it back by itself first: SELECT * FROM migmgr.rollback(%L, ''reason'');', versions[i]);
      END IF;
      done := done OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_array(pg_catalog.to_jsonb(one));
    END LOOP;
    IF dry_run THEN
      RAISE EXCEPTION USING ERRCODE = 'MG999';
    END IF;
  EXCEPTION WHEN SQLSTATE 'MG999' THEN
    NULL;
  END;

  version := version_or_tag;
  status := CASE WHEN versions IS NULL THEN 'nothing to do' WHEN dry_run THEN 'dry run' ELSE 'rolled back' END;
  environment := migmgr.environment();
  detail := CASE WHEN versions IS NULL THEN 'nothing was applied after it'
                 ELSE pg_catalog.format('%s, newest first: %s%s', pg_catalog.cardinality(versions), pg_catalog.array_to_string(versions, ', '),
                        CASE WHEN dry_run THEN '; nothing was kept' ELSE '' END) END;
  SELECT pg_catalog.sum(d.statements), pg_catalog.sum(d.ms) INTO statements, ms
    FROM pg_catalog.jsonb_to_recordset(done) AS d(statements pg_catalog.int4, ms pg_catalog.int8);
  RETURN NEXT;
  RETURN QUERY
    SELECT d.version, d.name, CASE WHEN dry_run THEN 'dry run' ELSE d.status END, d.environment, d.class, d.statements, d.ms, d.reversible, d.detail
      FROM pg_catalog.jsonb_array_elements(done) WITH ORDINALITY AS e(value, place)
     CROSS JOIN LATERAL pg_catalog.jsonb_to_record(e.value) AS d(version pg_catalog.text, name pg_catalog.text, status pg_catalog.text,
       environment pg_catalog.text, class pg_catalog.text, statements pg_catalog.int4, ms pg_catalog.int8, reversible pg_catalog.text, detail pg_catalog.text)
     ORDER BY e.place;
END
$$;
REVOKE ALL ON FUNCTION migmgr.rollback_to(text, text, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.rollback_to(text, text, text, boolean)
  IS 'take back everything that was applied after a version or a tag, the newest first: all of it or nothing';

CREATE FUNCTION migmgr.tag(label text) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  last text;
BEGIN
  IF label IS NULL OR label !~ '^[[:graph:]]([[:graph:] ]{0,98}[[:graph:]])?$' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = 'a tag is 1 to 100 printable characters',
      HINT = 'For example SELECT migmgr.tag(''release 2026-11'');';
  ELSIF EXISTS (SELECT FROM migmgr.ledger AS l WHERE l.version = label) THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('"%s" is the version of a migration', label),
      HINT = 'Choose another label: rollback_to() takes both.';
  ELSIF EXISTS (SELECT FROM migmgr.ledger AS l WHERE l.event = 'tag' AND l.event NOT IN ('applied', 'rolled back')
                   AND l.detail::jsonb ->> 'label' = label) THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('tag "%s" exists already', label),
      HINT = 'Choose another label: the ledger keeps all of them.';
  END IF;
  SELECT l.version INTO last FROM migmgr.ledger AS l WHERE l.event = 'applied' ORDER BY l.seq DESC LIMIT 1;
  RETURN format('tag "%s" is entry %s, after version %s', label,
    migmgr_internal.ledger_append('tag', NULL, jsonb_build_object('label', label, 'version', last)), COALESCE(last, 'none'));
END
$$;
REVOKE ALL ON FUNCTION migmgr.tag(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.tag(text) IS 'name this moment in the ledger, for rollback_to()';

CREATE FUNCTION migmgr.note(version text, note text) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF note.note IS NULL OR note.note !~ '[[:graph:]]' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = 'the note is empty';
  ELSIF note.version IS NOT NULL AND NOT EXISTS (SELECT FROM migmgr.ledger AS l WHERE l.version = note.version) THEN
    RAISE EXCEPTION USING ERRCODE = 'MG007', MESSAGE = format('version "%s" is not known here', note.version),
      DETAIL = 'The ledger has no entry for it.', HINT = 'SELECT version, name, status FROM migmgr.history;';
  END IF;
  RETURN format('noted as entry %s%s', migmgr_internal.ledger_append('note', note.version, jsonb_build_object('note', note.note)),
                CASE WHEN note.version IS NULL THEN ', about no version' END);
END
$$;
REVOKE ALL ON FUNCTION migmgr.note(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.note(text, text) IS 'add a remark to a version: appended to the ledger, shown by history; NULL: a decision about none, in the ledger';
