-- The files of a repository against what is recorded here.

-- A name is taken apart by what apply_file() uses; what it would refuse is a
-- problem here.
CREATE FUNCTION migmgr_internal.listed_file(file text, checksum text, sql text DEFAULT NULL) RETURNS jsonb
  LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_listed_file';
REVOKE ALL ON FUNCTION migmgr_internal.listed_file(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.listed_file(text, text, text) IS 'a file of a listing, with the version and name that apply_file() would give it, or the problem it would have';

CREATE FUNCTION migmgr_internal.listed_files(listing text) RETURNS jsonb
  LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_listed_files';
REVOKE ALL ON FUNCTION migmgr_internal.listed_files(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.listed_files(text) IS 'an array of the files of a listing of checksums; raises MG002 or MG004 with the number of a bad line';

CREATE FUNCTION migmgr_internal.listed_texts(texts jsonb) RETURNS jsonb
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  bad text;
BEGIN
  IF jsonb_typeof(texts) IS DISTINCT FROM 'object' OR texts = '{}' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG002',
      MESSAGE = CASE WHEN texts = '{}' THEN 'there is no file' ELSE 'the files are not a JSON object' END,
      DETAIL = 'Its keys are the names of the files, its values their texts.',
      HINT = 'This prints it: jq -Rs ''{(input_filename): .}'' migrations/*.sql | jq -s add';
  END IF;
  SELECT min(t.key) INTO bad FROM jsonb_each(texts) AS t WHERE jsonb_typeof(t.value) <> 'string';
  IF bad IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG002', MESSAGE = format('file "%s" has no text', bad),
      DETAIL = format('Its value is of type %s, not a string.', jsonb_typeof(texts -> bad));
  END IF;
  RETURN (SELECT jsonb_agg(migmgr_internal.listed_file(t.key, migmgr.checksum(t.value), t.value)) FROM jsonb_each_text(texts) AS t);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.listed_texts(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.listed_texts(jsonb) IS 'an array of files that were handed in with their texts';

CREATE FUNCTION migmgr_internal.remembered_files()
  RETURNS TABLE(file text, version text, name text, checksum text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT f.file, f.version, f.name, f.checksum
    FROM (SELECT l.detail::jsonb -> 'files' AS files FROM migmgr.ledger AS l
           WHERE l.event = 'files' ORDER BY l.seq DESC LIMIT 1) AS last
   CROSS JOIN LATERAL jsonb_to_recordset(last.files) AS f(file text, version text, name text, checksum text)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.remembered_files() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.remembered_files() IS 'the files that compare_files() saw last; apply refuses what differs';

-- What compare_files() found in dispute, as far as nothing has settled it since:
-- neither an entry about the version, nor a baseline that covers it.
CREATE FUNCTION migmgr_internal.disputed_versions() RETURNS TABLE(version text, kind text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT d.version, d.kind
    FROM (SELECT l.seq, l.detail::jsonb -> 'disputes' AS disputes FROM migmgr.ledger AS l
           WHERE l.event = 'files' ORDER BY l.seq DESC LIMIT 1) AS last
   CROSS JOIN LATERAL jsonb_to_recordset(last.disputes) AS d(version text, kind text, checksum text)
   WHERE NOT EXISTS (SELECT FROM migmgr.ledger AS l
                      WHERE l.version = d.version AND l.seq > last.seq
                        AND (l.event IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'renamed', 'superseded',
                                         'rolled back', 'marked reverted', 'renamed away')
                             OR l.event = 'checksum accepted' AND l.checksum = d.checksum))
     AND NOT (d.kind = 'missing file'
              AND EXISTS (SELECT FROM migmgr.ledger AS l
                           WHERE l.event = 'baseline' AND l.seq > last.seq
                             AND migmgr_internal.version_key(l.version) >= migmgr_internal.version_key(d.version)))
$$;
REVOKE ALL ON FUNCTION migmgr_internal.disputed_versions() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.disputed_versions() IS 'versions whose file is another than what is applied, or missing, and that nobody has settled';

CREATE FUNCTION migmgr_internal.dispute_lines() RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT string_agg(format('%s %s: %s%s.', k.n, k.kind, k.first, CASE WHEN k.n > 3 THEN format(' and %s more', k.n - 3) END), E'\n' ORDER BY k.kind)
    FROM (SELECT d.kind, count(*) AS n,
                 string_agg(d.version, ', ' ORDER BY d.place) FILTER (WHERE d.place <= 3) AS first
            FROM (SELECT v.*, row_number() OVER (PARTITION BY v.kind ORDER BY migmgr_internal.version_key(v.version) COLLATE "C") AS place
                    FROM migmgr_internal.disputed_versions() AS v) AS d
           GROUP BY d.kind) AS k
$$;
REVOKE ALL ON FUNCTION migmgr_internal.dispute_lines() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.dispute_lines() IS 'disputed_versions() in a line per kind; NULL when there are none';

-- Each file with what is recorded about its version.  Nobody knows beforehand
-- how many files a listing has: what is joined by equality is hashed.
CREATE FUNCTION migmgr_internal.judge_listed(listed jsonb)
  RETURNS TABLE(file text, version text, name text, checksum text, problem text, twice text, undated boolean, dated text, was text, was_name text,
                was_checksum text, applied_at timestamptz, applied_by text, note text, done boolean, no_sum boolean, equal boolean, same_shape boolean,
                same text, same_listed boolean, baseline text, later text, later_baseline boolean)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
  AS $$
  WITH f AS (
    SELECT j.*, migmgr_internal.version_key(j.version) COLLATE "C" AS key,
           CASE WHEN count(j.version) OVER w > 1 THEN string_agg(j.file, ', ') OVER w END AS twice,
           j.version ~ '^[12][0-9]{3}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$' AS undated,
           j.version || (119999 + row_number() OVER w) AS dated
      FROM jsonb_to_recordset(judge_listed.listed) AS j(file text, version text, name text, checksum text, problem text, shape text)
    WINDOW w AS (PARTITION BY j.version ORDER BY j.file COLLATE "C" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
  ), h AS MATERIALIZED (
    SELECT v.*, v.status IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'superseded') AS done,
           migmgr_internal.version_key(v.version) COLLATE "C" AS key, e.seq, e.received, e.text
      FROM migmgr.history AS v
      LEFT JOIN LATERAL (SELECT COALESCE((l.detail::jsonb ->> 'origin')::bigint, l.seq) AS seq,
                                l.detail::jsonb ->> 'received' AS received, l.detail::jsonb ->> 'text' AS text
                           FROM migmgr.ledger AS l
                          WHERE l.version = v.version
                            AND l.event IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'renamed', 'superseded')
                          ORDER BY l.seq DESC LIMIT 1) AS e ON true
  ), accepted AS MATERIALIZED (
    SELECT h.version, array_agg(l.checksum) AS checksums
      FROM migmgr.ledger AS l JOIN h ON h.version = l.version AND l.seq > h.seq
     WHERE l.event = 'checksum accepted' GROUP BY h.version
  ), content AS (
    SELECT s.checksum, array_agg(h.version ORDER BY h.key) AS versions
      FROM h CROSS JOIN LATERAL (SELECT h.checksum UNION SELECT h.received) AS s(checksum)
     WHERE h.done AND s.checksum IS NOT NULL GROUP BY s.checksum
  ), baseline AS MATERIALIZED (
    SELECT h.version, h.key FROM h WHERE h.status = 'baseline'
  ), last AS (
    SELECT h.version, h.key, h.status = 'baseline' AS baseline FROM h WHERE h.done ORDER BY h.key DESC LIMIT 1
  ), judged AS (
    SELECT f.*, h.status AS was, h.name AS was_name, h.checksum AS was_checksum, h.applied_at, h.applied_by, h.note,
           COALESCE(h.done, false) AS done, h.checksum IS NULL AND a.checksums IS NULL AS no_sum,
           COALESCE(f.checksum IN (h.checksum, h.received) OR f.checksum = ANY (a.checksums), false)
             OR (h.checksum IS NULL AND a.checksums IS NULL AND COALESCE(f.shape = k.shape, true)) AS equal,
           f.shape = k.shape AS same_shape,
           COALESCE(CASE WHEN c.versions[1] <> f.version THEN c.versions[1] ELSE c.versions[2] END,
                    CASE WHEN f.first_key < f.key THEN f.first_version END) AS same,
           (SELECT b.version FROM baseline AS b WHERE b.key >= f.key ORDER BY b.key LIMIT 1) AS baseline,
           CASE WHEN last.key > f.key THEN last.version END AS later, last.baseline AS later_baseline
      FROM (SELECT f.*, first_value(f.key) OVER same AS first_key, first_value(f.version) OVER same AS first_version
              FROM f WINDOW same AS (PARTITION BY f.checksum ORDER BY f.key)) AS f
      LEFT JOIN h ON h.version = f.version
      LEFT JOIN accepted AS a ON a.version = f.version
      LEFT JOIN migmgr_internal.script AS k ON f.shape IS NOT NULL AND k.checksum = COALESCE(h.checksum, h.text)
      LEFT JOIN content AS c ON c.checksum = f.checksum
      LEFT JOIN last ON true
  )
  SELECT j.file, j.version, j.name, j.checksum, j.problem, j.twice, j.undated, j.dated, j.was, j.was_name, j.was_checksum, j.applied_at, j.applied_by,
         j.note, j.done, j.no_sum, j.equal, j.same_shape, j.same, EXISTS (SELECT FROM f WHERE f.version = j.same), j.baseline, j.later, j.later_baseline
    FROM judged AS j
$$;
REVOKE ALL ON FUNCTION migmgr_internal.judge_listed(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.judge_listed(jsonb) IS 'files, each with what is recorded about its version and its content';

-- Versions that count as applied and have no file; what a baseline covers
-- needs none.
CREATE FUNCTION migmgr_internal.missing_files(listed text[])
  RETURNS TABLE(version text, name text, status text, applied_at timestamptz, applied_by text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
  AS $$
  WITH h AS MATERIALIZED (
    SELECT v.*, migmgr_internal.version_key(v.version) COLLATE "C" AS key FROM migmgr.history AS v
  )
  SELECT h.version, h.name, h.status, h.applied_at, h.applied_by
    FROM h LEFT JOIN unnest(missing_files.listed) AS f(version) ON f.version = h.version
   WHERE h.status IN ('applied', 'captured', 'imported', 'marked applied') AND f.version IS NULL
     AND h.key > COALESCE((SELECT max(b.key) FROM h AS b WHERE b.status = 'baseline'), '')
   ORDER BY h.key
$$;
REVOKE ALL ON FUNCTION migmgr_internal.missing_files(text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.missing_files(text[]) IS 'versions that count as applied, and of which a listing of these versions has no file';

CREATE FUNCTION migmgr_internal.compare_listed(listed jsonb)
  RETURNS TABLE(rank integer, file text, version text, status text, detail text, hint text, checksum text, undated boolean)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH r AS (
    SELECT j.*, CASE WHEN j.problem IS NOT NULL OR j.twice IS NOT NULL THEN 'bad name'
                     WHEN j.done AND NOT j.equal THEN 'changed'
                     WHEN j.done OR j.baseline IS NOT NULL THEN 'applied'
                     WHEN j.same IS NOT NULL THEN 'same content as ' || j.same
                     WHEN j.later IS NOT NULL THEN 'out of order'
                     WHEN j.undated THEN 'bad name'
                     ELSE 'pending' END AS status,
           CASE WHEN j.undated THEN format('timestamp %s has no time of day', j.version) END AS naming,
           format('%s %s by %s', j.was, date_trunc('second', j.applied_at), j.applied_by) AS since
      FROM migmgr_internal.judge_listed(compare_listed.listed) AS j
  ), missing AS MATERIALIZED (
    SELECT m.*, count(*) OVER () AS n
      FROM migmgr_internal.missing_files((SELECT array_agg(f.version) FROM jsonb_to_recordset(compare_listed.listed) AS f(version text))) AS m
  )
  SELECT CASE WHEN r.status = 'changed' THEN 1 WHEN r.status = 'bad name' THEN 2 WHEN r.status LIKE 'same content%' THEN 3
              WHEN r.status = 'out of order' THEN 4 WHEN r.status = 'pending' THEN 6 ELSE 7 END,
         r.file, r.version, r.status,
         CASE WHEN r.problem IS NOT NULL THEN r.problem
              WHEN r.twice IS NOT NULL THEN concat_ws('; ', format('several files have version %s: %s', r.version, r.twice), r.naming)
              WHEN r.status = 'changed' AND r.was_checksum IS NULL AND r.no_sum THEN format('%s; these are not the statements that were recorded', r.since)
              WHEN r.status = 'changed' THEN concat(r.since, ' with ', r.was_checksum, ', the file has ', r.checksum,
                CASE WHEN r.same_shape THEN '; only comments or white space differ' WHEN NOT r.same_shape THEN '; it means something else' END)
              WHEN r.status = 'applied' AND NOT r.done THEN format('covered by baseline %s: it counts as applied', r.baseline)
              WHEN r.status = 'applied' THEN concat_ws(', ', r.since, CASE WHEN r.was = 'superseded' THEN r.note END,
                CASE WHEN r.no_sum AND r.same_shape THEN 'the statements that were recorded' WHEN r.no_sum THEN 'no checksum recorded' END,
                CASE WHEN r.was_name <> r.name THEN format('recorded as %s', r.was_name) END, r.naming)
              WHEN r.was = 'failed' THEN concat_ws('; ', format('failed %s: %s', date_trunc('second', r.applied_at), r.note), r.naming)
              WHEN r.was IS NOT NULL THEN concat_ws('; ', format('%s %s', r.was, date_trunc('second', r.applied_at)), r.naming)
              WHEN r.status = 'out of order' THEN concat_ws('; ', format('version %s is applied already', r.later), r.naming)
              ELSE concat_ws('; ', 'not applied yet', r.naming) END,
         CASE WHEN r.status = 'bad name' AND r.twice IS NOT NULL AND r.undated
                THEN format('Give each a time of day: git mv %s %s', r.file, replace(r.file, r.version || '_', r.dated || '_'))
              WHEN r.status = 'bad name' AND r.twice IS NOT NULL THEN 'Give one of them another version.'
              WHEN r.status = 'bad name' AND r.problem IS NULL
                THEN format('git mv %s %s; or apply it under the name it has.', r.file, replace(r.file, r.version || '_', r.dated || '_'))
              WHEN r.status = 'bad name' THEN 'Name it like 001_create_table.sql, or leave it out of the listing.'
              WHEN r.status = 'changed' AND r.same_shape THEN format('SELECT * FROM migmgr.accept_checksum(%L, %L, ''only comments'');', r.version, r.checksum)
              WHEN r.status = 'changed' THEN format('Bring the file back: SELECT sql FROM migmgr.export(ARRAY[%1$L]); and put the change into a new version.  If it is no change: SELECT * FROM migmgr.accept_checksum(%1$L, %2$L, ''reason'');', r.version, r.checksum)
              WHEN r.status LIKE 'same content%' AND NOT r.same_listed THEN format('Was the file renamed?  SELECT * FROM migmgr.mark_renamed(%L, %L, ''reason'');', r.same, r.version)
              WHEN r.status LIKE 'same content%' THEN 'The same content is not applied twice: drop one of the files.'
              WHEN r.status = 'out of order' AND r.was IS NULL THEN format('Give it a version after %s, or apply it with options => ''{"allow_out_of_order": true}''.  If what it does is there already: SELECT * FROM migmgr.mark_applied(ARRAY[%L], ''reason'');', r.later, r.version)
              WHEN r.status = 'out of order' THEN format('Give it a version after %s, or apply it with options => ''{"allow_out_of_order": true}''.', r.later)
              WHEN r.status = 'pending' THEN format('In psql: \set sql `cat %s` and then SELECT * FROM migmgr.apply_file(%L, :''sql'');', r.file, r.file)
              WHEN r.undated AND r.done THEN format('To rename it: git mv %1$s %2$s and SELECT * FROM migmgr.mark_renamed(%3$L, %4$L, ''time of day added'');',
                r.file, replace(r.file, r.version || '_', r.dated || '_'), r.version, r.dated) END,
         r.checksum, r.undated AND r.status <> 'pending'
    FROM r
  UNION ALL
  SELECT 5, NULL, m.version, 'missing file', format('%s (%s) was %s %s by %s, and the listing has no file of that version', m.version, m.name, m.status,
           date_trunc('second', m.applied_at), m.applied_by),
         format('SELECT * FROM migmgr.export(ARRAY[%1$L]); gives it back.  If it no longer counts: SELECT * FROM migmgr.mark_reverted(ARRAY[%1$L], ''reason'');', m.version),
         NULL, NULL
    FROM missing AS m
$$;
REVOKE ALL ON FUNCTION migmgr_internal.compare_listed(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.compare_listed(jsonb) IS 'files against history, worst first by rank';

-- Remembered is the listing, and what of it is in dispute now; apply reads
-- both.
CREATE FUNCTION migmgr_internal.remember_files(listed jsonb, compared jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  files jsonb;
  disputes jsonb;
  before jsonb;
BEGIN
  SELECT COALESCE(jsonb_agg(l.file - '{problem,shape,replaces}'::text[] ORDER BY migmgr_internal.version_key(l.version) COLLATE "C"), '[]') INTO files
    FROM (SELECT f.file, f.file ->> 'version' AS version, count(*) OVER (PARTITION BY f.file ->> 'version') AS files
            FROM jsonb_array_elements(listed) AS f(file)) AS l
   WHERE l.version IS NOT NULL AND l.files = 1;
  SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('version', r.version, 'kind', r.status, 'checksum', r.checksum))
                   ORDER BY migmgr_internal.version_key(r.version) COLLATE "C") INTO disputes
    FROM jsonb_to_recordset(compared) AS r(version text, status text, checksum text) WHERE r.status IN ('changed', 'missing file');
  SELECT l.detail::jsonb INTO before FROM migmgr.ledger AS l WHERE l.event = 'files' ORDER BY l.seq DESC LIMIT 1;
  IF before -> 'files' = files AND before -> 'disputes' IS NOT DISTINCT FROM disputes THEN
    RETURN ', remembered already';
  END IF;
  PERFORM migmgr_internal.ledger_append('files', NULL, jsonb_strip_nulls(jsonb_build_object('files', files, 'disputes', disputes)));
  RETURN format(', remembered: apply in database %I refuses other checksums', current_database());
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.remember_files(jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.remember_files(jsonb, jsonb) IS 'keep a listing, and what compare_listed() says of it, in the ledger unless it is the one kept last; says which';

-- What a person reads: what is missing in one row where there is much of it,
-- because every version of it can be settled in one way.
CREATE FUNCTION migmgr_internal.compare_rows(listed jsonb, remember boolean)
  RETURNS TABLE(file text, version text, status text, detail text, hint text)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  compared jsonb := (SELECT jsonb_agg(to_jsonb(r)) FROM migmgr_internal.compare_listed(listed) AS r);
  remembered text := CASE WHEN remember THEN migmgr_internal.remember_files(listed, compared) END;
BEGIN
  RETURN QUERY
  WITH row AS MATERIALIZED (
    SELECT r.*, CASE WHEN r.status LIKE 'same content%' THEN 'same content' ELSE r.status END AS kind,
           migmgr_internal.version_key(r.version) COLLATE "C" AS key
      FROM jsonb_to_recordset(compared) AS r(rank integer, file text, version text, status text, detail text, hint text, checksum text, undated boolean)
  ), tally AS (
    SELECT r.kind, min(r.rank) AS rank, count(*) AS n, (array_agg(r.version ORDER BY r.key))[1] AS first, (array_agg(r.version ORDER BY r.key DESC))[1] AS last
      FROM row AS r GROUP BY r.kind
  ), total AS (
    SELECT count(*) AS files, count(*) FILTER (WHERE r.status = 'bad name' OR r.undated) AS misnamed FROM row AS r WHERE r.file IS NOT NULL
  ), missing AS (
    SELECT * FROM tally AS t WHERE t.kind = 'missing file' AND t.n > 10
  )
  SELECT s.file, s.version, s.status, s.detail, s.hint
    FROM (SELECT 0 AS rank, format('%s files', t.files) AS file, NULL::text AS version, NULL::text AS key,
                 (SELECT y.kind FROM tally AS y ORDER BY y.rank LIMIT 1) AS status,
                 concat((SELECT string_agg(format('%s %s', y.n, y.kind), ', ' ORDER BY y.rank) FROM tally AS y),
                   CASE WHEN t.misnamed > 0 THEN format('; %s of %s names are good (%s %%)', t.files - t.misnamed, t.files,
                     100 * (t.files - t.misnamed) / t.files) END,
                   remembered) AS detail,
                 CASE WHEN remember AND migmgr_internal.dispute_lines() IS NOT NULL THEN 'apply refuses until what is changed or missing is settled.' END AS hint
            FROM total AS t
          UNION ALL
          SELECT 5, NULL, concat(m.first, ' ... ', m.last), NULL, 'missing file', format('%s versions are applied here, and the listing has no file of them', m.n),
                 'One of these.  Files from here: SELECT * FROM migmgr.export();  They no longer count: SELECT * FROM migmgr.mark_reverted((SELECT array_agg(version) FROM migmgr.export()), ''reason'');  '
                 || format('A new start: SELECT * FROM migmgr.baseline(%L, ''baseline'');', CASE WHEN m.last ~ '^[0-9]{14}$' THEN (m.last::bigint + 1)::text ELSE m.last || '.1' END)
            FROM missing AS m
          UNION ALL
          SELECT r.rank, r.file, r.version, r.key, r.status, r.detail, r.hint FROM row AS r
           WHERE r.status <> 'missing file' OR NOT EXISTS (SELECT FROM missing)) AS s
   ORDER BY s.rank, s.key, s.file COLLATE "C";
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.compare_rows(jsonb, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.compare_rows(jsonb, boolean) IS 'rows of compare_files()';

CREATE FUNCTION migmgr.compare_files(listing text, remember boolean DEFAULT true)
  RETURNS TABLE(file text, version text, status text, detail text, hint text)
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
  SELECT r.file, r.version, r.status, r.detail, r.hint
    FROM migmgr_internal.compare_rows(migmgr_internal.listed_files(compare_files.listing), compare_files.remember) AS r
$$;
REVOKE ALL ON FUNCTION migmgr.compare_files(text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.compare_files(text, boolean) IS 'per file of a sha256sum listing: applied, pending, changed, ...; remembers the checksums so that apply refuses other content';

CREATE FUNCTION migmgr.compare_files(texts jsonb, remember boolean DEFAULT true)
  RETURNS TABLE(file text, version text, status text, detail text, hint text)
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
  SELECT r.file, r.version, r.status, r.detail, r.hint
    FROM migmgr_internal.compare_rows(migmgr_internal.listed_texts(compare_files.texts), compare_files.remember) AS r
$$;
REVOKE ALL ON FUNCTION migmgr.compare_files(jsonb, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.compare_files(jsonb, boolean) IS 'the same for files with their texts, {"001_name.sql": "text", ...}: tells a changed comment from a changed meaning';
