-- Snapshots that are kept, and what differs between two of them.
--
-- A snapshot is an event of the ledger with the fingerprint, and its rows are
-- kept once for as long as they stay the same: since and until are numbers of
-- snapshots of the same scope (the schemas left out).  So a snapshot of a
-- schema that did not change costs its entry, and one of a changed schema what
-- changed.  OIDs are not kept: a snapshot means the same after a restore.

CREATE TABLE migmgr_internal.snapshot (
  seq         bigint      PRIMARY KEY,
  label       text        NOT NULL UNIQUE,
  at          timestamptz NOT NULL,
  exclude     text[]      NOT NULL,
  objects     bigint      NOT NULL,
  fingerprint text        NOT NULL
);
COMMENT ON TABLE migmgr_internal.snapshot IS 'kept descriptions of the schema; seq is that of the ledger entry';

CREATE TABLE migmgr_internal.snapshot_object (
  exclude     text[] NOT NULL,
  key         uuid   NOT NULL,
  since       bigint NOT NULL,
  until       bigint,
  kind        text   NOT NULL,
  identity    text   NOT NULL,
  parent      text,
  definition  text   NOT NULL,
  facts       jsonb  NOT NULL,
  needs       text[],
  PRIMARY KEY (exclude, key, since)
);
COMMENT ON TABLE migmgr_internal.snapshot_object IS 'rows of describe() as snapshots since .. until (exclusive) saw them, without OIDs; key is md5 of kind and identity';

DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['snapshot', 'snapshot_object'] LOOP
    EXECUTE format('CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr_internal.%1$I
      FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard(''config'')', t);
    EXECUTE format('CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr_internal.%1$I
      FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard(''config'')', t);
    EXECUTE format('ALTER TABLE migmgr_internal.%I ENABLE ALWAYS TRIGGER row_guard', t);
    EXECUTE format('ALTER TABLE migmgr_internal.%I ENABLE ALWAYS TRIGGER row_guard_truncate', t);
    PERFORM pg_extension_config_dump(concat('migmgr_internal.', t)::regclass, '');
  END LOOP;
END
$$;
GRANT SELECT ON migmgr_internal.snapshot, migmgr_internal.snapshot_object TO pg_database_owner;

-- The schema now, as rows of a snapshot.
CREATE FUNCTION migmgr_internal.snapshot_rows(exclude text[])
  RETURNS TABLE(kind text, identity text, parent text, definition text, facts jsonb, needs text[])
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT d.kind, d.identity, d.parent, d.definition, d.facts - 'raw', d.needs FROM migmgr_internal.describe() AS d
   WHERE exclude = '{}' OR NOT migmgr_internal.in_schemas(d.kind, d.identity, d.parent, exclude)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.snapshot_rows(text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.snapshot_rows(text[]) IS 'the schema as a snapshot keeps it';

CREATE FUNCTION migmgr.snapshot(label text, exclude text[] DEFAULT '{}')
  RETURNS TABLE(snapshot text, fingerprint text, objects bigint, changed bigint, ms bigint)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
#variable_conflict use_variable
DECLARE
  began timestamptz := clock_timestamp();
  entry bigint;
BEGIN
  IF coalesce(label, '') = '' OR label = 'current' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG217', MESSAGE = 'a snapshot needs a label, and "current" is not one',
      HINT = 'SELECT * FROM migmgr.snapshot(''before release 7'');';
  ELSIF EXISTS (SELECT FROM migmgr_internal.snapshot AS s WHERE s.label = label) THEN
    RAISE EXCEPTION USING ERRCODE = 'MG217', MESSAGE = format('there is a snapshot "%s" already', label),
      DETAIL = (SELECT format('It was taken at %s.', to_char(s.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC')) FROM migmgr_internal.snapshot AS s WHERE s.label = label),
      HINT = 'Choose another label; what differs since then: ' || format('SELECT * FROM migmgr.diff(%L);', label);
  END IF;
  exclude := ARRAY(SELECT DISTINCT e COLLATE "C" FROM unnest(exclude) AS e WHERE e IS NOT NULL ORDER BY 1);
  fingerprint := migmgr.schema_fingerprint(exclude);
  -- before the rows are looked at: from here on this transaction has the chain
  entry := migmgr_internal.ledger_append('snapshot', NULL, jsonb_build_object('label', label, 'fingerprint', fingerprint, 'exclude', to_jsonb(exclude)));
  WITH present AS MATERIALIZED (
    SELECT md5(concat(r.kind, ' ', r.identity))::uuid AS key, r.* FROM migmgr_internal.snapshot_rows(exclude) AS r
  ), past AS MATERIALIZED (
    SELECT o.* FROM migmgr_internal.snapshot_object AS o WHERE o.exclude = exclude AND o.until IS NULL
  ), gone AS (
    UPDATE migmgr_internal.snapshot_object AS o SET until = entry
      FROM past AS p LEFT JOIN present AS n ON n.key = p.key AND n.parent IS NOT DISTINCT FROM p.parent AND n.definition = p.definition AND n.facts = p.facts AND n.needs IS NOT DISTINCT FROM p.needs
     WHERE n.key IS NULL AND o.exclude = p.exclude AND o.key = p.key AND o.since = p.since
    RETURNING 1
  ), new AS (
    INSERT INTO migmgr_internal.snapshot_object AS o (exclude, key, since, kind, identity, parent, definition, facts, needs)
    SELECT exclude, n.key, entry, n.kind, n.identity, n.parent, n.definition, n.facts, n.needs
      FROM present AS n LEFT JOIN past AS p ON n.key = p.key AND n.parent IS NOT DISTINCT FROM p.parent AND n.definition = p.definition AND n.facts = p.facts AND n.needs IS NOT DISTINCT FROM p.needs
     WHERE p.key IS NULL
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM present), (SELECT count(*) FROM gone) + (SELECT count(*) FROM new) INTO objects, changed;
  INSERT INTO migmgr_internal.snapshot VALUES (entry, label, clock_timestamp(), exclude, objects, fingerprint);
  snapshot := label;
  ms := (EXTRACT(epoch FROM clock_timestamp() - began) * 1000)::bigint;
  RETURN NEXT;
END
$$;
REVOKE ALL ON FUNCTION migmgr.snapshot(text, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.snapshot(text, text[]) IS 'keep the definitions of everything in the schema under a label; only what changed since the last snapshot takes room';

-- Of a label: its schemas left out, and its rows as jsonb in the form of describe().
CREATE FUNCTION migmgr_internal.snapshot_load(label text, INOUT exclude text[], OUT fingerprint text, OUT objects jsonb)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  entry bigint;
BEGIN
  IF label = 'current' THEN
    fingerprint := migmgr.schema_fingerprint(coalesce(exclude, '{}'));
    objects := (SELECT jsonb_agg(to_jsonb(r)) FROM migmgr_internal.snapshot_rows(coalesce(exclude, '{}')) AS r);
    RETURN;
  END IF;
  SELECT s.seq, s.exclude, s.fingerprint INTO entry, exclude, fingerprint FROM migmgr_internal.snapshot AS s WHERE s.label = label;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'MG217', MESSAGE = format('there is no snapshot "%s"', label),
      DETAIL = coalesce((SELECT 'The last ones: ' || string_agg(l.label, ', ') || '.' FROM (SELECT s.label FROM migmgr_internal.snapshot AS s ORDER BY s.seq DESC LIMIT 5) AS l), 'There is none at all.'),
      HINT = 'SELECT * FROM migmgr.snapshot(''a label''); takes one.';
  END IF;
  objects := (SELECT jsonb_agg(jsonb_build_object('kind', o.kind, 'identity', o.identity, 'parent', o.parent, 'definition', o.definition, 'facts', o.facts, 'needs', to_jsonb(o.needs)))
                FROM migmgr_internal.snapshot_object AS o WHERE o.exclude = exclude AND o.since <= entry AND (o.until IS NULL OR o.until > entry));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.snapshot_load(text, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.snapshot_load(text, text[]) IS 'the rows of a snapshot, or of the schema as it is now';

CREATE FUNCTION migmgr.diff(a text, b text DEFAULT 'current')
  RETURNS TABLE(change text, kind text, identity text, before text, after text, undo text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
#variable_conflict use_column
DECLARE
  one record;
  two record;
  touched text[];
  more text[];
BEGIN
  IF a = 'current' THEN
    SELECT * INTO two FROM migmgr_internal.snapshot_load(b, NULL);
    SELECT * INTO one FROM migmgr_internal.snapshot_load(a, two.exclude);
  ELSE
    SELECT * INTO one FROM migmgr_internal.snapshot_load(a, NULL);
    SELECT * INTO two FROM migmgr_internal.snapshot_load(b, one.exclude);
  END IF;
  IF coalesce(one.exclude, '{}') <> coalesce(two.exclude, '{}') THEN
    RAISE EXCEPTION USING ERRCODE = 'MG217', MESSAGE = format('snapshots "%s" and "%s" leave out different schemas', a, b),
      DETAIL = format('%s; %s.', coalesce(nullif(array_to_string(one.exclude, ', '), ''), 'none'), coalesce(nullif(array_to_string(two.exclude, ', '), ''), 'none')),
      HINT = 'Compare each with current.';
  END IF;
  -- undo() gets what changed with all its parts, and what hangs on that
  touched := ARRAY(
    SELECT DISTINCT t FROM (
      SELECT x, y FROM jsonb_array_elements(one.objects) AS x FULL JOIN jsonb_array_elements(two.objects) AS y ON x ->> 'kind' = y ->> 'kind' AND x ->> 'identity' = y ->> 'identity'
       WHERE x ->> 'definition' IS DISTINCT FROM y ->> 'definition') AS d,
      unnest(ARRAY[concat_ws(' ', x ->> 'kind', x ->> 'identity'), x ->> 'parent', concat_ws(' ', y ->> 'kind', y ->> 'identity'), y ->> 'parent']) AS t WHERE t <> '');
  LOOP
    more := ARRAY(SELECT DISTINCT coalesce(y ->> 'parent', concat(y ->> 'kind', ' ', y ->> 'identity')) FROM jsonb_array_elements(two.objects) AS y
                   WHERE coalesce(y ->> 'parent', concat(y ->> 'kind', ' ', y ->> 'identity')) <> ALL (touched)
                     AND EXISTS (SELECT FROM jsonb_array_elements_text(nullif(y -> 'needs', 'null')) AS n WHERE n = ANY (touched) AND n NOT LIKE 'schema %'));
    EXIT WHEN more = '{}';
    touched := touched || more;
  END LOOP;
  RETURN QUERY
  WITH x AS (
    SELECT v, v ->> 'kind' AS kind, v ->> 'identity' AS identity FROM jsonb_array_elements(one.objects) AS v
  ), y AS (
    SELECT v, v ->> 'kind' AS kind, v ->> 'identity' AS identity FROM jsonb_array_elements(two.objects) AS v
  ), step AS MATERIALIZED (
    SELECT u.n, u.kind, u.identity, concat(u.sql || ';', CASE WHEN u.irreversible IS NOT NULL THEN concat(CASE WHEN u.sql IS NOT NULL THEN '  ' END, '-- does not come back: ', u.irreversible) END) AS line
      FROM migmgr_internal.undo(
        (SELECT jsonb_agg(x.v) FROM x WHERE concat(x.kind, ' ', x.identity) = ANY (touched) OR x.v ->> 'parent' = ANY (touched)),
        (SELECT jsonb_agg(y.v) FROM y WHERE concat(y.kind, ' ', y.identity) = ANY (touched) OR y.v ->> 'parent' = ANY (touched)), false) AS u
  ), changed AS (
    SELECT CASE WHEN x.v IS NULL THEN 'added' WHEN y.v IS NULL THEN 'removed' ELSE 'changed' END AS change, coalesce(x.kind, y.kind) AS kind, coalesce(x.identity, y.identity) AS identity,
           x.v ->> 'definition' AS before, y.v ->> 'definition' AS after
      FROM x FULL JOIN y ON x.kind = y.kind AND x.identity = y.identity WHERE x.v ->> 'definition' IS DISTINCT FROM y.v ->> 'definition'
  )
  SELECT * FROM (
    SELECT CASE WHEN count(*) = 0 THEN 'same' ELSE 'different' END AS change, NULL::text AS kind,
           format('%s added, %s removed, %s changed', count(*) FILTER (WHERE c.change = 'added'), count(*) FILTER (WHERE c.change = 'removed'), count(*) FILTER (WHERE c.change = 'changed')) AS identity,
           one.fingerprint AS before, two.fingerprint AS after, (SELECT string_agg(s.line, E'\n' ORDER BY s.n) FROM step AS s) AS undo
      FROM changed AS c) AS summary
  UNION ALL
  SELECT * FROM (
    SELECT c.change, c.kind, c.identity, c.before, c.after, (SELECT string_agg(s.line, E'\n' ORDER BY s.n) FROM step AS s WHERE s.kind = c.kind AND s.identity = c.identity)
      FROM changed AS c ORDER BY migmgr_internal.undo_rank(c.kind), c.kind COLLATE "C", c.identity COLLATE "C") AS rows;
END
$$;
REVOKE ALL ON FUNCTION migmgr.diff(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.diff(text, text) IS 'what differs between two snapshots, or one and the schema now, and the SQL that would undo it: a summary first, whose SQL is all of it in order';

CREATE FUNCTION migmgr.schema_text(schemas text[] DEFAULT NULL) RETURNS text
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
BEGIN
  RETURN (
    WITH d AS MATERIALIZED (
      SELECT r.*, concat(r.kind, ' ', r.identity) AS key, coalesce(r.parent, concat(r.kind, ' ', r.identity)) AS whole FROM migmgr_internal.describe() AS r
       WHERE schemas IS NULL OR migmgr_internal.in_schemas(r.kind, r.identity, r.parent, schemas)
    )
    SELECT string_agg(concat('-- ', o.key, E'\n', o.text, E'\n'), E'\n' ORDER BY o.rank, o.key COLLATE "C")
      FROM (SELECT w.key, migmgr_internal.undo_rank(w.kind) AS rank, (
              SELECT string_agg(CASE WHEN p.key = w.key THEN p.definition ELSE '  ' || replace(p.definition, E'\n', E'\n  ') END, E'\n'
                       ORDER BY p.key <> w.key, migmgr_internal.undo_rank(p.kind), (p.facts ->> 'position')::integer, p.key COLLATE "C")
                FROM d AS p WHERE p.whole = w.key) AS text
              FROM d AS w WHERE w.whole = w.key OR NOT EXISTS (SELECT FROM d AS x WHERE x.key = w.parent)) AS o);
END
$$;
REVOKE ALL ON FUNCTION migmgr.schema_text(text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.schema_text(text[]) IS 'the definitions of everything in the schema, or in some schemas, as one text for a file that can be compared';
