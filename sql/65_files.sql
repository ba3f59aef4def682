-- The files of a repository against what is recorded here.

-- One line as sha256sum, shasum -a 256 and both with --tag print it; NULL for
-- a line without meaning.
CREATE FUNCTION migmgr_internal.listing_line(number integer, content text, OUT file text, OUT checksum text)
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  part text[];
BEGIN
  content := btrim(content, E' \t\r');
  IF content = '' OR content ~ '^(#|--)' THEN
    RETURN;
  END IF;

  part := regexp_match(content, '^\\?([0-9A-Fa-f]+)(?:[ \t]+\*?)(\S.*)$');
  IF part IS NULL THEN
    part := (SELECT ARRAY[m[2], m[1]] FROM regexp_match(content, '^\\?SHA256 \((.+)\) = ([0-9A-Fa-f]+)$') AS m);
  END IF;
  IF part[1] IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG002',
      MESSAGE = format('line %s of the listing is not a checksum and a file', number),
      DETAIL = format('It reads "%s".', left(content, 100)),
      HINT = 'Pass what this prints, or a checksum.txt made with it: sha256sum migrations/*.sql';
  ELSIF length(part[1]) <> 64 THEN
    RAISE EXCEPTION USING ERRCODE = 'MG004',
      MESSAGE = format('line %s of the listing has no sha256 checksum', number),
      DETAIL = format('A sha256 checksum has 64 hexadecimal digits; "%s" has %s%s.', left(part[1], 100), length(part[1]),
        CASE length(part[1]) WHEN 32 THEN ', as an md5 has' WHEN 40 THEN ', as a sha1 has' WHEN 128 THEN ', as a sha512 has' ELSE '' END),
      HINT = 'Pass what this prints, or a checksum.txt made with it: sha256sum migrations/*.sql';
  END IF;

  checksum := lower(part[1]);
  file := part[2];
  -- how sha256sum writes a name with a newline or a backslash in it
  IF left(content, 1) = '\' THEN
    file := replace(replace(replace(file, '\\', chr(1)), '\n', E'\n'), chr(1), '\');
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.listing_line(integer, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.listing_line(integer, text) IS 'file and checksum of one line of a listing; raises MG002 or MG004 with the number of a bad one';

-- A name is taken apart by the function that apply_file() uses; what it would
-- refuse is a problem here.
CREATE FUNCTION migmgr_internal.listed_files(listing text) RETURNS jsonb
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  item record;
  part record;
  problem text;
  found jsonb[] := '{}';
BEGIN
  FOR item IN
    SELECT l.number, i.file, i.checksum, first_value(i.checksum) OVER w AS first_checksum, row_number() OVER w AS place
      FROM string_to_table(ltrim(COALESCE(listing, ''), chr(65279)), E'\n') WITH ORDINALITY AS l(content, number)
     CROSS JOIN LATERAL migmgr_internal.listing_line(l.number::integer, l.content) AS i
     WHERE i.file IS NOT NULL
    WINDOW w AS (PARTITION BY i.file ORDER BY l.number)
     ORDER BY l.number
  LOOP
    IF item.checksum <> item.first_checksum THEN
      RAISE EXCEPTION USING ERRCODE = 'MG002',
        MESSAGE = format('line %s of the listing gives file "%s" a second checksum', item.number, item.file),
        HINT = 'Make the listing anew: sha256sum migrations/*.sql';
    END IF;
    CONTINUE WHEN item.place > 1;

    problem := NULL;
    BEGIN
      SELECT p.version, p.name INTO STRICT part FROM migmgr_internal.file_parts(item.file, 'SELECT 1;') AS p;
    EXCEPTION WHEN OTHERS THEN
      SELECT NULL::text AS version, NULL::text AS name INTO part;
      problem := SQLERRM;
    END;
    found := array_append(found, jsonb_build_object('file', item.file, 'version', part.version,
      'name', part.name, 'checksum', item.checksum, 'problem', problem));
  END LOOP;
  RETURN (SELECT COALESCE(jsonb_object_agg(f.file ->> 'file', f.file), '{}') FROM unnest(found) AS f(file));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.listed_files(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.listed_files(text) IS 'an object of the files of a listing, with the version and name that apply_file() would give them';

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

CREATE FUNCTION migmgr_internal.compare_listed(listed jsonb)
  RETURNS TABLE(rank integer, file text, version text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH f AS (
    SELECT j.*, migmgr_internal.version_key(j.version) COLLATE "C" AS key,
           string_agg(j.file, ', ') OVER w AS files, count(j.version) OVER w AS n
      FROM jsonb_to_recordset(compare_listed.listed) AS j(file text, version text, name text, checksum text, problem text)
    WINDOW w AS (PARTITION BY j.version ORDER BY j.file COLLATE "C" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
  ), h AS (
    SELECT v.*, v.status IN ('applied', 'baseline', 'marked applied') AS done, migmgr_internal.version_key(v.version) COLLATE "C" AS key,
           (SELECT l.detail::jsonb ->> 'received' FROM migmgr.ledger AS l
             WHERE l.version = v.version AND l.event = 'applied' ORDER BY l.seq DESC LIMIT 1) AS received
      FROM migmgr.history AS v
  ), content AS (
    SELECT s.checksum, array_agg(h.version ORDER BY h.key) AS versions
      FROM h CROSS JOIN LATERAL (SELECT h.checksum UNION SELECT h.received) AS s(checksum)
     WHERE h.done AND s.checksum IS NOT NULL GROUP BY s.checksum
  ), baseline AS MATERIALIZED (
    SELECT h.version, h.key FROM h WHERE h.status = 'baseline'
  ), last AS (
    SELECT h.version, h.key FROM h WHERE h.done ORDER BY h.key DESC LIMIT 1
  ), judged AS (
    SELECT f.file, f.version, f.key, f.checksum, f.name, f.problem, f.n > 1 AS twice, f.files, h.status AS was, h.name AS was_name,
           h.checksum AS was_checksum, h.applied_at, h.applied_by, h.note,
           COALESCE(h.done, false) AS done, COALESCE(f.checksum IN (h.checksum, h.received), h.checksum IS NULL) AS equal,
           COALESCE(CASE WHEN c.versions[1] <> f.version THEN c.versions[1] ELSE c.versions[2] END,
                    CASE WHEN f.first_key < f.key THEN f.first_version END) AS same,
           (SELECT b.version FROM baseline AS b WHERE b.key >= f.key ORDER BY b.key LIMIT 1) AS baseline,
           CASE WHEN last.key > f.key THEN last.version END AS later
      FROM (SELECT f.*, first_value(f.key) OVER same AS first_key, first_value(f.version) OVER same AS first_version
              FROM f WINDOW same AS (PARTITION BY f.checksum ORDER BY f.key)) AS f
      LEFT JOIN h ON h.version = f.version
      LEFT JOIN content AS c ON c.checksum = f.checksum
      LEFT JOIN last ON true
  ), result AS (
    SELECT j.*, CASE WHEN j.problem IS NOT NULL OR j.twice THEN 'bad name'
                     WHEN j.done AND NOT j.equal THEN 'changed'
                     WHEN j.done OR j.baseline IS NOT NULL THEN 'applied'
                     WHEN j.same IS NOT NULL THEN 'same content as ' || j.same
                     WHEN j.later IS NOT NULL THEN 'out of order'
                     ELSE 'pending' END AS status
      FROM judged AS j
  )
  SELECT CASE WHEN r.status = 'changed' THEN 1 WHEN r.status = 'bad name' THEN 2 WHEN r.status LIKE 'same content%' THEN 3
              WHEN r.status = 'out of order' THEN 4 WHEN r.status = 'pending' THEN 6 ELSE 7 END,
         r.file, r.version, r.status,
         CASE WHEN r.problem IS NOT NULL THEN r.problem
              WHEN r.twice THEN format('several files have version %s: %s', r.version, r.files)
              WHEN r.status = 'changed' THEN format('applied %s with %s, the file has %s', date_trunc('second', r.applied_at), r.was_checksum, r.checksum)
              WHEN r.status = 'applied' AND NOT r.done THEN format('covered by baseline %s', r.baseline)
              WHEN r.status = 'applied' THEN concat_ws(', ', format('%s %s by %s', r.was, date_trunc('second', r.applied_at), r.applied_by),
                CASE WHEN r.was_checksum IS NULL THEN 'no checksum recorded' END, CASE WHEN r.was_name <> r.name THEN format('recorded as %s', r.was_name) END)
              WHEN r.was = 'failed' THEN format('failed %s: %s', date_trunc('second', r.applied_at), r.note)
              WHEN r.was IS NOT NULL THEN format('%s %s', r.was, date_trunc('second', r.applied_at))
              WHEN r.status = 'out of order' THEN format('version %s is applied already', r.later)
              ELSE 'not applied yet' END,
         CASE WHEN r.status = 'bad name' AND r.twice THEN 'Give one of them another version.'
              WHEN r.status = 'bad name' THEN 'Name it like 001_create_table.sql, or leave it out of the listing.'
              WHEN r.status = 'changed' THEN 'Bring the file back and put the change into a new version.'
              WHEN r.status LIKE 'same content%' THEN 'Was the file renamed?  The same content is not applied twice.'
              WHEN r.status = 'out of order' THEN 'Give it a version after ' || r.later || E', or apply it with options => \'{"allow_out_of_order": true}\'.'
              WHEN r.status = 'pending' THEN format('In psql: \set sql `cat %s` and then SELECT * FROM migmgr.apply_file(%L, :''sql'');', r.file, r.file) END
    FROM result AS r
  UNION ALL
  SELECT 5, NULL, h.version, 'missing file', format('%s (%s) was %s %s by %s, and the listing has no file of that version', h.version, h.name, h.status,
           date_trunc('second', h.applied_at), h.applied_by), 'Is this checkout older than the database, or the listing incomplete?'
    FROM h WHERE h.status IN ('applied', 'marked applied') AND NOT EXISTS (SELECT FROM f WHERE f.version = h.version)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.compare_listed(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.compare_listed(jsonb) IS 'files against history, worst first by rank';

CREATE FUNCTION migmgr.compare_files(listing text, remember boolean DEFAULT true)
  RETURNS TABLE(file text, version text, status text, detail text, hint text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
#variable_conflict use_column
DECLARE
  listed jsonb;
  kept jsonb;
  remembered text;
BEGIN
  listed := migmgr_internal.listed_files(listing);
  IF listed = '{}' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG002',
      MESSAGE = 'the listing is empty',
      DETAIL = 'It has no line with a checksum and a file.',
      HINT = 'In psql: \set listing `cat migrations/checksum.txt` and then SELECT * FROM migmgr.compare_files(:''listing'');';
  END IF;
  listed := jsonb_path_query_array(listed, '$.*');

  IF remember THEN
    SELECT COALESCE(jsonb_agg(l.file - 'problem' ORDER BY migmgr_internal.version_key(l.version) COLLATE "C"), '[]') INTO kept
      FROM (SELECT f.file, f.file ->> 'version' AS version, count(*) OVER (PARTITION BY f.file ->> 'version') AS files
              FROM jsonb_array_elements(listed) AS f(file)) AS l
     WHERE l.version IS NOT NULL AND l.files = 1;
    remembered := ', remembered already';
    IF kept IS DISTINCT FROM
       (SELECT l.detail::jsonb -> 'files' FROM migmgr.ledger AS l WHERE l.event = 'files' ORDER BY l.seq DESC LIMIT 1) THEN
      PERFORM migmgr_internal.ledger_append('files', NULL, jsonb_build_object('files', kept));
      remembered := format(', remembered: apply in database %I refuses other checksums', current_database());
    END IF;
  END IF;

  RETURN QUERY
  WITH row AS MATERIALIZED (
    SELECT r.*, CASE WHEN r.status LIKE 'same content%' THEN 'same content' ELSE r.status END AS kind
      FROM migmgr_internal.compare_listed(listed) AS r
  ), tally AS (
    SELECT r.kind, min(r.rank) AS rank, count(*) AS n FROM row AS r GROUP BY r.kind
  )
  SELECT s.file, s.version, s.status, s.detail, s.hint
    FROM (SELECT 0 AS rank, format('%s files', jsonb_array_length(listed)) AS file, NULL::text AS version,
                 (SELECT t.kind FROM tally AS t ORDER BY t.rank LIMIT 1) AS status,
                 concat((SELECT string_agg(format('%s %s', t.n, t.kind), ', ' ORDER BY t.rank) FROM tally AS t), remembered) AS detail,
                 NULL::text AS hint
          UNION ALL
          SELECT r.rank, r.file, r.version, r.status, r.detail, r.hint FROM row AS r) AS s
   ORDER BY s.rank, migmgr_internal.version_key(s.version) COLLATE "C", s.file COLLATE "C";
END
$$;
REVOKE ALL ON FUNCTION migmgr.compare_files(text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.compare_files(text, boolean) IS 'per file of a sha256sum listing: applied, pending, changed, ...; remembers the checksums so that apply refuses other content';
