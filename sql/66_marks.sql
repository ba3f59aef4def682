-- Come from elsewhere: what ran before migmgr came, or beside it.  Each of
-- these appends to the ledger; none rewrites.  They run no caller's SQL.

CREATE FUNCTION migmgr_internal.mark_begin(function text, reason text) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_mark_begin';
REVOKE ALL ON FUNCTION migmgr_internal.mark_begin(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.mark_begin(text, text) IS 'raise what forbids to record here, or a missing reason; then hold the lock of apply';

CREATE FUNCTION migmgr_internal.mark(event text, version text, name text, checksum text, detail jsonb) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_mark';
REVOKE ALL ON FUNCTION migmgr_internal.mark(text, text, text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.mark(text, text, text, text, jsonb) IS 'append an entry that says something about a version without a run';

CREATE FUNCTION migmgr_internal.keep_text(sql text) RETURNS text[]
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_keep_text';
REVOKE ALL ON FUNCTION migmgr_internal.keep_text(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.keep_text(text) IS 'keep a script, without its passwords; its checksum and, if that is another one, the checksum of what is kept';

CREATE FUNCTION migmgr_internal.moment(at timestamptz) RETURNS text
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$SELECT to_char(at, 'YYYY-MM-DD HH24:MI:SS TZ')$$;
REVOKE ALL ON FUNCTION migmgr_internal.moment(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.moment(timestamptz) IS 'a time as messages show it, whatever DateStyle is';

-- The last entry that says whether a version counts as applied.
CREATE FUNCTION migmgr_internal.standing(version text)
  RETURNS TABLE(seq bigint, event text, status text, done boolean, name text, checksum text, detail jsonb, at timestamptz, who text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT l.seq, l.event, CASE l.event WHEN 'renamed' THEN d.detail ->> 'status' WHEN 'renamed away' THEN 'renamed' ELSE l.event END,
         l.event NOT IN ('rolled back', 'marked reverted', 'renamed away'), l.name, l.checksum, d.detail,
         COALESCE((d.detail ->> 'applied_at')::timestamptz, l.at), COALESCE(d.detail ->> 'applied_by', l.role)
    FROM migmgr.ledger AS l CROSS JOIN LATERAL (SELECT l.detail::jsonb AS detail) AS d
   WHERE l.version = standing.version
     AND l.event IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'renamed', 'superseded',
                     'rolled back', 'marked reverted', 'renamed away')
   ORDER BY l.seq DESC LIMIT 1
$$;
REVOKE ALL ON FUNCTION migmgr_internal.standing(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.standing(text) IS 'where a version stands: the last entry that says so; no row when nothing does';

-- Every version is checked before the first entry is written.
CREATE FUNCTION migmgr_internal.check_versions(function text, versions text[]) RETURNS text[]
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF COALESCE(cardinality(versions), 0) = 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'MG001',
      MESSAGE = format('%s() needs at least one version', function),
      HINT = format('SELECT * FROM migmgr.%s(ARRAY[''001'', ''002'']%s);', function, CASE WHEN function <> 'export' THEN ', ''reason''' END);
  END IF;
  PERFORM migmgr_internal.check_version(v.version) FROM unnest(versions) AS v(version);
  RETURN (SELECT array_agg(v.version ORDER BY migmgr_internal.version_key(v.version) COLLATE "C")
            FROM (SELECT DISTINCT u.version FROM unnest(versions) AS u(version)) AS v);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_versions(text, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_versions(text, text[]) IS 'the versions in their order, each once; raises MG001 for one that cannot be a version, or none';

CREATE FUNCTION migmgr_internal.unknown_versions(versions text[]) RETURNS void
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  unknown text;
BEGIN
  SELECT string_agg(v.version, ', ' ORDER BY v.n) INTO unknown
    FROM unnest(versions) WITH ORDINALITY AS v(version, n)
   WHERE NOT EXISTS (SELECT FROM migmgr_internal.standing(v.version));
  IF unknown IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG007',
      MESSAGE = format('not known here: %s', left(unknown, 200)),
      DETAIL = 'The ledger has no entry for it.',
      HINT = 'SELECT version, name, status FROM migmgr.history;';
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.unknown_versions(text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.unknown_versions(text[]) IS 'raise MG007 for versions that never were anything here';

CREATE FUNCTION migmgr.mark_applied(versions text[], reason text)
  RETURNS TABLE(version text, status text, environment text, detail text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  item text;
  was record;
  known record;
  rows jsonb[] := '{}';
  marked bigint := 0;
BEGIN
  PERFORM migmgr_internal.mark_begin('mark_applied', reason);
  FOREACH item IN ARRAY migmgr_internal.check_versions('mark_applied', versions) LOOP
    SELECT s.* INTO was FROM migmgr_internal.standing(item) AS s;
    IF was.done THEN
      rows := array_append(rows, jsonb_build_object('version', item, 'status', 'already ' || was.status,
        'detail', format('since %s by %s; nothing was done', migmgr_internal.moment(was.at), was.who)));
      CONTINUE;
    END IF;
    SELECT f.name, f.checksum INTO known FROM migmgr_internal.remembered_files() AS f WHERE f.version = item;
    PERFORM migmgr_internal.mark('marked applied', item, COALESCE(known.name, was.name), known.checksum,
      jsonb_build_object('reason', reason, 'environment', migmgr.environment()));
    marked := marked + 1;
    rows := array_append(rows, jsonb_build_object('version', item, 'status', 'marked applied',
      'detail', CASE WHEN known.checksum IS NULL THEN 'no checksum: any text counts as the one that ran' ELSE 'with the checksum that compare_files() has seen' END));
  END LOOP;
  RETURN QUERY
  SELECT NULL::text, format('%s marked applied', marked), migmgr.environment(), format('in database %s; nothing ran', current_database())
  UNION ALL
  SELECT r.row ->> 'version', r.row ->> 'status', migmgr.environment(), r.row ->> 'detail' FROM unnest(rows) AS r(row);
END
$$;
REVOKE ALL ON FUNCTION migmgr.mark_applied(text[], text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.mark_applied(text[], text) IS 'record that these versions count as applied, without running them';

-- What replaced other versions gives them their standing back.
CREATE FUNCTION migmgr_internal.unreplace(version text, reason text) RETURNS bigint
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  item record;
  n bigint := 0;
BEGIN
  FOR item IN
    SELECT DISTINCT ON (l.version) l.version, l.name, l.checksum, l.detail::jsonb AS detail
      FROM migmgr.ledger AS l
     WHERE l.event = 'superseded' AND l.detail::jsonb ->> 'by' = unreplace.version
     ORDER BY l.version, l.seq DESC
  LOOP
    CONTINUE WHEN (SELECT s.event FROM migmgr_internal.standing(item.version) AS s) <> 'superseded';
    PERFORM migmgr_internal.mark(CASE WHEN item.detail ? 'was' THEN 'marked applied' ELSE 'marked reverted' END, item.version, item.name, item.checksum,
      jsonb_build_object('reason', reason));
    n := n + 1;
  END LOOP;
  RETURN n;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.unreplace(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.unreplace(text, text) IS 'versions that this one has replaced stand by themselves again';

CREATE FUNCTION migmgr.mark_reverted(versions text[], reason text)
  RETURNS TABLE(version text, status text, environment text, detail text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  wanted text[];
  item text;
  was record;
  rows jsonb[] := '{}';
  marked bigint := 0;
  there bigint;
BEGIN
  PERFORM migmgr_internal.mark_begin('mark_reverted', reason);
  wanted := migmgr_internal.check_versions('mark_reverted', versions);
  PERFORM migmgr_internal.unknown_versions(wanted);
  FOREACH item IN ARRAY wanted LOOP
    SELECT s.* INTO was FROM migmgr_internal.standing(item) AS s;
    IF NOT was.done THEN
      rows := array_append(rows, jsonb_build_object('version', item, 'status', 'already ' || was.status,
        'detail', format('since %s by %s; nothing was done', migmgr_internal.moment(was.at), was.who)));
      CONTINUE;
    END IF;
    SELECT count(*) INTO there FROM migmgr_internal.object AS o JOIN migmgr_internal.present AS p ON p.type = o.type AND p.identity = o.identity
     WHERE o.seq = COALESCE((was.detail ->> 'origin')::bigint, was.seq) AND o.action = 'created';
    PERFORM migmgr_internal.mark('marked reverted', item, was.name, was.checksum, jsonb_build_object('reason', reason, 'environment', migmgr.environment()));
    PERFORM migmgr_internal.unreplace(item, reason);
    marked := marked + 1;
    rows := array_append(rows, jsonb_build_object('version', item, 'status', 'marked reverted',
      'detail', CASE WHEN there > 0 THEN format('still there of what it made: %s objects', there) END));
  END LOOP;
  RETURN QUERY
  SELECT NULL::text, format('%s marked reverted', marked), migmgr.environment(), format('in database %s; nothing ran', current_database())
  UNION ALL
  SELECT r.row ->> 'version', r.row ->> 'status', migmgr.environment(), r.row ->> 'detail' FROM unnest(rows) AS r(row);
END
$$;
REVOKE ALL ON FUNCTION migmgr.mark_reverted(text[], text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.mark_reverted(text[], text) IS 'record that these versions no longer count as applied, without running anything';

CREATE FUNCTION migmgr.mark_renamed(old_version text, new_version text, reason text)
  RETURNS TABLE(version text, status text, environment text, detail text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  was record;
  taken record;
  known record;
BEGIN
  PERFORM migmgr_internal.mark_begin('mark_renamed', reason);
  PERFORM migmgr_internal.check_versions('mark_renamed', ARRAY[old_version, new_version]);
  PERFORM migmgr_internal.unknown_versions(ARRAY[old_version]);
  SELECT s.* INTO was FROM migmgr_internal.standing(old_version) AS s;
  SELECT s.* INTO taken FROM migmgr_internal.standing(new_version) AS s;
  IF NOT was.done THEN
    RAISE EXCEPTION USING ERRCODE = 'MG209',
      MESSAGE = format('cannot rename version "%s": it is not applied', old_version),
      DETAIL = format('It was %s %s by %s.', was.status, migmgr_internal.moment(was.at), was.who),
      HINT = 'A version that is not applied is renamed by renaming its file.';
  ELSIF old_version = new_version OR taken.done THEN
    RAISE EXCEPTION USING ERRCODE = 'MG201',
      MESSAGE = format('cannot rename version "%s" to "%s": that version is applied', old_version, new_version),
      DETAIL = CASE WHEN old_version = new_version THEN 'Both are the same.'
                    ELSE format('It was %s %s by %s.', taken.status, migmgr_internal.moment(taken.at), taken.who) END;
  END IF;

  SELECT f.name, f.checksum INTO known FROM migmgr_internal.remembered_files() AS f WHERE f.version = new_version;
  PERFORM migmgr_internal.mark('renamed away', old_version, was.name, was.checksum,
    jsonb_build_object('to', new_version, 'reason', reason, 'note', format('to %s: %s', new_version, reason)));
  PERFORM migmgr_internal.mark('renamed', new_version, COALESCE(known.name, was.name), was.checksum,
    (was.detail - '{file,note}'::text[]) || jsonb_strip_nulls(jsonb_build_object('from', old_version, 'reason', reason,
      'note', format('renamed from %s: %s', old_version, reason), 'status', was.status,
      'origin', COALESCE((was.detail ->> 'origin')::bigint, CASE WHEN was.event IN ('applied', 'captured') THEN was.seq END),
      'applied_at', to_char(was.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'applied_by', was.who)));
  PERFORM migmgr_internal.mark('checksum accepted', new_version, NULL, a.checksum, jsonb_build_object('reason', format('accepted for version %s', old_version)))
    FROM (SELECT DISTINCT l.checksum FROM migmgr.ledger AS l
           WHERE l.event = 'checksum accepted' AND l.version = old_version
             AND l.seq > COALESCE((was.detail ->> 'origin')::bigint, was.seq)) AS a;
  RETURN QUERY SELECT new_version, 'renamed'::text, migmgr.environment(),
    concat_ws('; ', format('from %s, %s %s by %s', old_version, was.status, migmgr_internal.moment(was.at), was.who),
      CASE WHEN known.checksum <> was.checksum THEN 'its file has another checksum: SELECT * FROM migmgr.compare_files(listing);' END);
END
$$;
REVOKE ALL ON FUNCTION migmgr.mark_renamed(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.mark_renamed(text, text, text) IS 'record that an applied version has another version number now';

CREATE FUNCTION migmgr.accept_checksum(version text, checksum text, reason text)
  RETURNS TABLE(accepted_for text, status text, environment text, detail text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  was record;
  wanted text;
  again boolean;
BEGIN
  PERFORM migmgr_internal.mark_begin('accept_checksum', reason);
  PERFORM migmgr_internal.check_versions('accept_checksum', ARRAY[accept_checksum.version]);
  wanted := migmgr_internal.check_checksum(accept_checksum.checksum);
  IF wanted IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG004', MESSAGE = 'accept_checksum() needs a checksum',
      HINT = 'sha256sum FILE prints it; so does SELECT migmgr.checksum(text);';
  END IF;
  PERFORM migmgr_internal.unknown_versions(ARRAY[accept_checksum.version]);
  SELECT s.* INTO was FROM migmgr_internal.standing(accept_checksum.version) AS s;
  IF NOT was.done THEN
    RAISE EXCEPTION USING ERRCODE = 'MG209',
      MESSAGE = format('cannot accept a checksum for version "%s": it is not applied', accept_checksum.version),
      DETAIL = format('It was %s %s by %s.', was.status, migmgr_internal.moment(was.at), was.who),
      HINT = 'What is not applied may have any text.';
  END IF;
  again := wanted IN (was.checksum, was.detail ->> 'received')
    OR EXISTS (SELECT FROM migmgr.ledger AS l WHERE l.event = 'checksum accepted' AND l.version = accept_checksum.version AND l.checksum = wanted
                  AND l.seq > COALESCE((was.detail ->> 'origin')::bigint, was.seq));
  IF NOT COALESCE(again, false) THEN
    PERFORM migmgr_internal.mark('checksum accepted', accept_checksum.version, was.name, wanted, jsonb_build_object('reason', reason, 'environment', migmgr.environment()));
  END IF;
  RETURN QUERY SELECT accept_checksum.version, CASE WHEN again THEN 'already accepted' ELSE 'accepted' END, migmgr.environment(),
    format('%s %s by %s with %s', was.status, migmgr_internal.moment(was.at), was.who, COALESCE(was.checksum, 'no checksum'));
END
$$;
REVOKE ALL ON FUNCTION migmgr.accept_checksum(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.accept_checksum(text, text, text) IS 'record that a file with another checksum is as good as what was applied; the recorded one stays';

CREATE FUNCTION migmgr.baseline(version text, name text)
  RETURNS TABLE(baseline text, status text, environment text, detail text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  was record;
  after text;
  kept record;
  covered bigint;
BEGIN
  PERFORM migmgr_internal.mark_begin('baseline', 'the schema as it is');
  PERFORM migmgr_internal.check_versions('baseline', ARRAY[baseline.version]);
  IF COALESCE(btrim(baseline.name), '') = '' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG001', MESSAGE = 'a baseline needs a name',
      HINT = 'For example SELECT * FROM migmgr.baseline(''20260101000000'', ''production_schema'');';
  END IF;
  SELECT s.* INTO was FROM migmgr_internal.standing(baseline.version) AS s;
  IF was.done THEN
    RAISE EXCEPTION USING ERRCODE = 'MG201',
      MESSAGE = format('cannot make "%s" a baseline: it is %s already', baseline.version, was.status),
      DETAIL = format('That was recorded %s by %s.', migmgr_internal.moment(was.at), was.who),
      HINT = 'Give the new start a version of its own, after all that it covers.';
  END IF;
  SELECT h.version INTO after FROM migmgr.history AS h
   WHERE h.status = 'baseline' AND migmgr_internal.version_key(h.version) > migmgr_internal.version_key(baseline.version) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'MG202',
      MESSAGE = format('cannot make "%s" a baseline: it is covered by baseline "%s"', baseline.version, after),
      HINT = format('Take a later version, or first: SELECT * FROM migmgr.mark_reverted(ARRAY[%L], ''reason'');', after);
  END IF;
  SELECT count(*) INTO covered FROM migmgr.history AS h
   WHERE h.status IN ('applied', 'captured', 'imported', 'marked applied', 'superseded')
     AND migmgr_internal.version_key(h.version) COLLATE "C" <= migmgr_internal.version_key(baseline.version) COLLATE "C";
  SELECT * INTO kept FROM migmgr_internal.state_keep_all();
  PERFORM migmgr_internal.mark('baseline', baseline.version, baseline.name, NULL,
    jsonb_build_object('environment', migmgr.environment(), 'note', 'the schema as it was then', 'fingerprint', migmgr.schema_fingerprint(),
      'objects', kept.objects, 'state', migmgr_internal.state_detail(kept.recording, kept.hash, true)));
  RETURN QUERY SELECT baseline.version, 'baseline'::text, migmgr.environment(),
    format('the schema of database %s as it is, %s objects; what comes before counts as applied, %s versions of it are recorded', current_database(), kept.objects, covered);
END
$$;
REVOKE ALL ON FUNCTION migmgr.baseline(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.baseline(text, text) IS 'record the present schema as the start: versions up to this one count as applied';

-- The text of a version as it is kept, and where it came from.
CREATE FUNCTION migmgr.export(versions text[] DEFAULT NULL)
  RETURNS TABLE(file text, version text, checksum text, sql text, rollback_sql text, detail text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  wanted text[];
BEGIN
  IF versions IS NOT NULL THEN
    wanted := migmgr_internal.check_versions('export', versions);
    PERFORM migmgr_internal.unknown_versions(wanted);
  ELSE
    wanted := (SELECT array_agg(m.version) FROM migmgr_internal.missing_files((SELECT array_agg(f.version) FROM migmgr_internal.remembered_files() AS f)) AS m);
  END IF;
  RETURN QUERY
  SELECT COALESCE(regexp_replace(e.detail ->> 'file', '^.*[/\\]', ''), concat_ws('_', v.version, regexp_replace(COALESCE(e.name, 'migration'), '[^[:alnum:]_.-]+', '_', 'g')) || '.sql'),
         v.version, e.checksum, k.text, a.text,
         CASE WHEN k.text IS NULL THEN format('%s: its text %s', e.event, CASE WHEN e.event = 'applied' THEN 'is missing' ELSE 'was never seen here' END)
              ELSE concat_ws('; ',
                CASE WHEN k.redacted THEN 'passwords in it were redacted, so its checksum is another'
                     WHEN e.checksum IS NULL THEN format('put together from the statements of %s, so not byte for byte the file', e.detail ->> 'source')
                     ELSE 'byte for byte: sha256 of the text is the checksum' END,
                CASE WHEN e.detail ? 'received' THEN 'as it came it had other line ends, or none at the end' END,
                CASE WHEN a.text IS NOT NULL THEN 'rollback_sql was given apart' END) END
    FROM unnest(wanted) WITH ORDINALITY AS v(version, n)
    LEFT JOIN LATERAL (
      SELECT l.event, l.name, l.checksum, j.detail, COALESCE(j.detail ->> 'text', l.checksum) AS sum
        FROM migmgr.ledger AS l CROSS JOIN LATERAL (SELECT l.detail::jsonb AS detail) AS j
       WHERE l.version = v.version
         AND l.event IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'renamed', 'superseded')
       ORDER BY NOT EXISTS (SELECT FROM migmgr_internal.script AS t WHERE t.checksum = COALESCE(j.detail ->> 'text', l.checksum)), l.seq DESC LIMIT 1) AS e ON true
    LEFT JOIN migmgr_internal.script AS k ON k.checksum = e.sum
    LEFT JOIN LATERAL (SELECT d.text FROM migmgr_internal.script AS d
                        WHERE d.checksum = COALESCE(e.detail ->> 'down', e.detail ->> 'down_there') AND position(ltrim(d.text, E'\n') IN k.text) = 0) AS a ON true
   ORDER BY v.n;
END
$$;
REVOKE ALL ON FUNCTION migmgr.export(text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.export(text[]) IS 'migrations as files, byte for byte: those named, or those that the remembered listing lacks';
