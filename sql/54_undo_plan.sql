-- undo(): which objects need a statement, and in what order.

CREATE FUNCTION migmgr_internal.undo_pairs(before jsonb, after jsonb, same_oids boolean) RETURNS SETOF migmgr_internal.undo_pair
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    WITH b AS (
      SELECT DISTINCT ON (v ->> 'kind', v ->> 'identity') v, v ->> 'kind' AS kind, (v ->> 'kind') || ' ' || (v ->> 'identity') AS key,
             concat_ws('/', v ->> 'classid', v ->> 'objid', v ->> 'objsubid') AS address FROM jsonb_array_elements(before) AS v
    ), a AS (
      SELECT DISTINCT ON (v ->> 'kind', v ->> 'identity') v, v ->> 'kind' AS kind, (v ->> 'kind') || ' ' || (v ->> 'identity') AS key,
             concat_ws('/', v ->> 'classid', v ->> 'objid', v ->> 'objsubid') AS address FROM jsonb_array_elements(after) AS v
    ), by_address AS (
      SELECT b.key AS before_key, a.key AS after_key FROM b JOIN a ON a.kind = b.kind AND a.address = b.address WHERE same_oids AND a.kind <> 'security label'
    ), by_name AS (
      SELECT b.key AS before_key, a.key AS after_key FROM b JOIN a ON a.key = b.key
       WHERE NOT EXISTS (SELECT FROM by_address AS x WHERE x.before_key = b.key) AND NOT EXISTS (SELECT FROM by_address AS x WHERE x.after_key = a.key)
    ), matched AS (
      SELECT x.before_key, x.after_key, true AS same FROM by_address AS x UNION ALL SELECT x.before_key, x.after_key, false FROM by_name AS x
      UNION ALL SELECT b.key, NULL, false FROM b WHERE NOT EXISTS (SELECT FROM by_address AS x WHERE x.before_key = b.key) AND NOT EXISTS (SELECT FROM by_name AS x WHERE x.before_key = b.key)
      UNION ALL SELECT NULL, a.key, false FROM a WHERE NOT EXISTS (SELECT FROM by_address AS x WHERE x.after_key = a.key) AND NOT EXISTS (SELECT FROM by_name AS x WHERE x.after_key = a.key)
    ), paired AS (
      SELECT m.*, b.v AS b, a.v AS a, CASE WHEN a.v IS NOT NULL AND b.v IS NOT NULL THEN (
               SELECT array_agg(k.key ORDER BY k.key COLLATE "C") FROM jsonb_object_keys((b.v -> 'facts') || (a.v -> 'facts')) AS k(key)
                WHERE k.key NOT IN ('raw', 'position', 'type_storage', 'inherited', 'local') AND b.v -> 'facts' -> k.key IS DISTINCT FROM a.v -> 'facts' -> k.key
                  AND NOT (m.same AND coalesce(b.v -> 'facts' -> 'raw' ? k.key OR a.v -> 'facts' -> 'raw' ? k.key, false)
                           AND b.v -> 'facts' -> 'raw' -> k.key IS NOT DISTINCT FROM a.v -> 'facts' -> 'raw' -> k.key)) END AS changed
        FROM matched AS m LEFT JOIN b ON b.key = m.before_key LEFT JOIN a ON a.key = m.after_key
    )
    SELECT row_number() OVER (ORDER BY coalesce(p.before_key, p.after_key) COLLATE "C")::integer, coalesce(p.b, p.a) ->> 'kind', p.before_key, p.after_key, p.same, p.b, p.a, coalesce(p.changed, '{}'),
           p.b IS NOT NULL AND p.a IS NOT NULL AND p.changed IS NOT NULL AND migmgr_internal.undo_recreates(p.b ->> 'kind', p.b -> 'facts', p.a -> 'facts', p.changed), false, NULL
      FROM paired AS p;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_pairs(jsonb, jsonb, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_pairs(jsonb, jsonb, boolean) IS 'undo(): what was before beside what is after, by OID or by name';

-- Has an enum got a value, and kept those that it had?
CREATE FUNCTION migmgr_internal.undo_has_new_value(p migmgr_internal.undo_pair) RETURNS boolean
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT p.kind = 'type' AND p.same AND p.b -> 'facts' ->> 'type' = 'e' AND 'labels' = ANY (p.changed)
           AND EXISTS (SELECT FROM jsonb_object_keys(p.a -> 'facts' -> 'raw' -> 'labels') AS l WHERE NOT p.b -> 'facts' -> 'raw' -> 'labels' ? l)
           AND NOT EXISTS (SELECT FROM jsonb_object_keys(p.b -> 'facts' -> 'raw' -> 'labels') AS l WHERE NOT p.a -> 'facts' -> 'raw' -> 'labels' ? l));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_has_new_value(migmgr_internal.undo_pair) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_has_new_value(migmgr_internal.undo_pair) IS 'undo(): is this an enum that got a value';

-- What must be dropped and made again because of something that is, or whose
-- type changes; what is dropped last, and what goes under another name till then.
CREATE FUNCTION migmgr_internal.undo_closure(INOUT pairs migmgr_internal.undo_pair[])
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  cause jsonb;
  more integer[];
  i integer;
BEGIN
  -- a type that was made anew: columns go back to the old one
  FOR i IN 1 .. coalesce(cardinality(pairs), 0) LOOP
    IF migmgr_internal.undo_has_new_value(pairs[i]) THEN
      -- a value cannot be removed: the type is made again without it
      pairs[i].swap := 'migmgr_undo_' || i;
    ELSIF pairs[i].kind = 'type' AND NOT pairs[i].same AND pairs[i].changed && '{labels,body,type}'::text[] THEN
      -- the functions of a range type keep their names, so the two cannot be there together
      IF pairs[i].b -> 'facts' ->> 'type' <> 'r' THEN
        pairs[i].swap := 'migmgr_undo_' || i;
      ELSIF NOT EXISTS (SELECT FROM unnest(pairs) AS p WHERE p.a -> 'needs' ? pairs[i].after_key AND p.b IS NOT NULL AND p.kind LIKE '% column') THEN
        pairs[i].recreate := true;
      END IF;
    END IF;
  END LOOP;
  -- so do domains over it, and composite types with it
  LOOP
    SELECT jsonb_object_agg(p.before_key, 1) INTO cause FROM unnest(pairs) AS p WHERE p.swap IS NOT NULL;
    SELECT array_agg(p.id) INTO more FROM unnest(pairs) AS p
     WHERE p.kind = 'type' AND p.same AND p.swap IS NULL AND p.b -> 'facts' ->> 'type' IN ('c', 'd')
       AND EXISTS (SELECT FROM unnest(pairs) AS x, jsonb_array_elements_text(nullif(x.b -> 'needs', 'null')) AS n
                    WHERE (x.id = p.id OR x.b ->> 'parent' = p.before_key) AND cause ? n);
    EXIT WHEN more IS NULL;
    FOREACH i IN ARRAY more LOOP
      pairs[i].swap := 'migmgr_undo_' || i;
    END LOOP;
  END LOOP;
  IF cause IS NOT NULL THEN
    FOR i IN 1 .. cardinality(pairs) LOOP
      IF pairs[i].b IS NOT NULL AND pairs[i].a IS NOT NULL AND pairs[i].swap IS NULL
         AND EXISTS (SELECT FROM jsonb_array_elements_text(nullif(pairs[i].b -> 'needs', 'null')) AS n WHERE cause ? n) THEN
        IF pairs[i].kind IN ('table column', 'foreign table column', 'composite type column') THEN
          pairs[i].changed := pairs[i].changed || '{type}'::text[];
          IF pairs[i].b -> 'facts' ? 'default' THEN
            pairs[i].changed := pairs[i].changed || '{default}'::text[];
          END IF;
        ELSIF pairs[i].kind <> 'table' THEN
          pairs[i].recreate := true;
        END IF;
      END IF;
    END LOOP;
  END IF;
  -- what says the same, but means something else of that name
  SELECT jsonb_object_agg(y.after_key, 1) INTO cause FROM unnest(pairs) AS y JOIN unnest(pairs) AS x ON x.before_key = y.after_key WHERE x.id <> y.id;
  IF cause IS NOT NULL THEN
    FOR i IN 1 .. cardinality(pairs) LOOP
      IF pairs[i].b IS NOT NULL AND pairs[i].a IS NOT NULL AND pairs[i].swap IS NULL AND NOT pairs[i].recreate
         AND EXISTS (SELECT FROM jsonb_array_elements_text(nullif(pairs[i].b -> 'needs', 'null')) AS n WHERE cause ? n AND pairs[i].a -> 'needs' ? n) THEN
        IF pairs[i].kind IN ('table column', 'foreign table column', 'composite type column') THEN
          pairs[i].changed := pairs[i].changed || '{type}'::text[];
          IF pairs[i].b -> 'facts' ? 'default' THEN
            pairs[i].changed := pairs[i].changed || '{default}'::text[];
          END IF;
        ELSIF NOT pairs[i].same AND pairs[i].kind NOT IN ('table', 'foreign table', 'sequence', 'type', 'schema') THEN
          pairs[i].recreate := true;
        END IF;
      END IF;
    END LOOP;
  END IF;
  LOOP
    -- 1: made again, 2: a column with another type
    SELECT jsonb_object_agg(p.after_key, CASE WHEN p.recreate OR migmgr_internal.undo_remakes_column(p.b -> 'facts', p.a -> 'facts', p.changed) THEN 1 ELSE 2 END) INTO cause
      FROM unnest(pairs) AS p
     WHERE p.recreate OR p.b IS NOT NULL AND p.a IS NOT NULL AND p.kind LIKE '% column'
       AND (p.changed && '{type,collation}'::text[] OR migmgr_internal.undo_remakes_column(p.b -> 'facts', p.a -> 'facts', p.changed));
    EXIT WHEN cause IS NULL;
    SELECT array_agg(p.id) INTO more FROM unnest(pairs) AS p
     WHERE p.b IS NOT NULL AND p.a IS NOT NULL AND NOT p.recreate AND p.swap IS NULL
       AND (cause -> (p.a ->> 'parent') = '1'
            OR EXISTS (
              SELECT FROM jsonb_array_elements_text(nullif(p.a -> 'needs', 'null')) AS n
               WHERE cause -> n = '1' AND (p.kind NOT LIKE '% column' OR p.a -> 'facts' ? 'generated') AND p.kind NOT IN ('table', 'foreign table', 'sequence', 'type', 'schema')
                  OR cause -> n = '2' AND (p.kind IN ('view', 'materialized view', 'rule', 'trigger', 'policy', 'publication') OR p.kind = 'table column' AND p.a -> 'facts' ? 'generated'))
            -- columns on both sides, which do not fit in between
            OR p.kind = 'table constraint' AND p.a -> 'facts' ->> 'type' = 'f' AND (SELECT count(*) FROM jsonb_array_elements_text(nullif(p.a -> 'needs', 'null')) AS n WHERE cause -> n = '2') > 1);
    EXIT WHEN more IS NULL;
    FOREACH i IN ARRAY more LOOP
      pairs[i].recreate := true;
    END LOOP;
  END LOOP;
  -- defaults that use a function that is made again
  IF cause IS NOT NULL THEN
    FOR i IN 1 .. cardinality(pairs) LOOP
      IF pairs[i].kind LIKE '% column' AND pairs[i].b IS NOT NULL AND pairs[i].a IS NOT NULL AND pairs[i].a -> 'facts' ? 'default' AND NOT pairs[i].recreate
         AND EXISTS (SELECT FROM jsonb_array_elements_text(nullif(pairs[i].a -> 'needs', 'null')) AS n WHERE cause -> n = '1') THEN
        pairs[i].changed := pairs[i].changed || '{default,neutral}'::text[];
      END IF;
    END LOOP;
  END IF;
  -- the numbers of an identity column go before a sequence of that name is made, and a default before its sequence
  FOR i IN 1 .. coalesce(cardinality(pairs), 0) LOOP
    IF pairs[i].kind = 'table column' AND pairs[i].b IS NOT NULL AND pairs[i].a IS NOT NULL AND NOT pairs[i].recreate THEN
      IF pairs[i].a -> 'facts' ? 'identity' AND NOT pairs[i].b -> 'facts' ? 'identity' THEN
        pairs[i].changed := pairs[i].changed || '{numberless}'::text[];
      ELSIF pairs[i].a -> 'facts' ? 'default' AND pairs[i].b -> 'facts' ? 'identity' THEN
        pairs[i].changed := pairs[i].changed || '{neutral}'::text[];
      END IF;
    END IF;
  END LOOP;
  -- made, and needed by something that is changed back later
  LOOP
    SELECT jsonb_object_agg(n, 1) INTO cause FROM unnest(pairs) AS p, jsonb_array_elements_text(nullif(p.a -> 'needs', 'null')) AS n
     WHERE p.late OR p.b IS NOT NULL AND NOT p.recreate AND p.changed <> '{}' AND NOT (n LIKE 'sequence %' AND p.b -> 'facts' ? 'identity' AND 'neutral' = ANY (p.changed))
        OR p.b IS NULL AND EXISTS (SELECT FROM unnest(pairs) AS w WHERE w.late AND w.after_key = p.a ->> 'parent');
    -- and with a part the whole
    cause := coalesce(cause, '{}') || (SELECT coalesce(jsonb_object_agg(p.a ->> 'parent', 1), '{}') FROM unnest(pairs) AS p WHERE p.late AND p.a ->> 'parent' IS NOT NULL);
    SELECT array_agg(p.id) INTO more FROM unnest(pairs) AS p WHERE p.b IS NULL AND NOT p.late AND cause ? p.after_key;
    EXIT WHEN more IS NULL;
    FOREACH i IN ARRAY more LOOP
      pairs[i].late := true;
    END LOOP;
  END LOOP;
  -- what an attached partition got from its parent stays when it is detached
  FOR i IN 1 .. coalesce(cardinality(pairs), 0) LOOP
    IF pairs[i].b IS NULL AND pairs[i].a -> 'facts' ?| '{inherited,partition_of}'::text[] AND pairs[i].kind IN ('table constraint', 'index')
       AND EXISTS (SELECT FROM unnest(pairs) AS p WHERE p.after_key = pairs[i].a ->> 'parent' AND p.b IS NOT NULL AND p.changed && '{partition_of,inherits}'::text[]) THEN
      pairs[i].late := true;
    END IF;
    IF pairs[i].late AND EXISTS (SELECT FROM unnest(pairs) AS p WHERE p.b ->> 'identity' = pairs[i].a ->> 'identity' AND p.id <> i) THEN
      pairs[i].swap := 'migmgr_undo_' || i;
    END IF;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_closure(migmgr_internal.undo_pair[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_closure(migmgr_internal.undo_pair[]) IS 'undo(): what must be made again, and what is dropped last';

-- Places the keys of steps: after what they need, kinds in their order where nothing is needed.
CREATE FUNCTION migmgr_internal.undo_places(steps migmgr_internal.undo_step[]) RETURNS TABLE(key text, place integer)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  keys text[];
  ranks integer[];
  levels integer[];
  edges integer[];
  moved boolean;
BEGIN
  IF COALESCE(cardinality(steps), 0) = 0 THEN
    RETURN;
  ELSIF cardinality(steps) = 1 THEN
    RETURN QUERY SELECT steps[1].key, 1;
    RETURN;
  END IF;
  SELECT array_agg(k.key ORDER BY k.key COLLATE "C"), array_agg(k.rank ORDER BY k.key COLLATE "C"), array_agg(0)
    INTO keys, ranks, levels
    FROM (SELECT s.key, max(migmgr_internal.undo_rank(s.kind, CASE WHEN s.sql ~ ' FOREIGN KEY ' THEN 'f' END)) AS rank FROM unnest(steps) AS s GROUP BY s.key) AS k;
  SELECT array_agg(ARRAY[s.n, r.n]::integer[]) INTO edges
    FROM (SELECT DISTINCT k.n, need FROM unnest(steps) AS s JOIN unnest(keys) WITH ORDINALITY AS k(key, n) ON k.key = s.key, unnest(s.needs) AS need) AS s
    JOIN unnest(keys) WITH ORDINALITY AS r(key, n) ON r.key = s.need WHERE s.n <> r.n;
  FOR pass IN 1 .. 100 LOOP
    moved := false;
    FOR e IN 1 .. coalesce(array_length(edges, 1), 0) LOOP
      IF ranks[edges[e][1]] < ranks[edges[e][2]] THEN
        ranks[edges[e][1]] := ranks[edges[e][2]];
        levels[edges[e][1]] := levels[edges[e][2]] + 1;
        moved := true;
      ELSIF ranks[edges[e][1]] = ranks[edges[e][2]] AND levels[edges[e][1]] <= levels[edges[e][2]] THEN
        levels[edges[e][1]] := levels[edges[e][2]] + 1;
        moved := true;
      END IF;
    END LOOP;
    EXIT WHEN NOT moved;
  END LOOP;
  RETURN QUERY SELECT keys[i], (rank() OVER (ORDER BY ranks[i], levels[i]))::integer FROM generate_subscripts(keys, 1) AS i;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_places(migmgr_internal.undo_step[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_places(migmgr_internal.undo_step[]) IS 'undo(): the order of what must be made';

CREATE FUNCTION migmgr_internal.undo_needs(v jsonb) RETURNS text[]
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (SELECT array_remove(ARRAY(SELECT jsonb_array_elements_text(nullif(v -> 'needs', 'null'))) || (v ->> 'parent'), NULL));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_needs(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_needs(jsonb) IS 'undo(): what a described row needs, its parent included';

-- The drops of phase 1 and 4.
CREATE FUNCTION migmgr_internal.undo_drops(pairs migmgr_internal.undo_pair[]) RETURNS SETOF migmgr_internal.undo_step
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  p migmgr_internal.undo_pair;
  f jsonb;
  step migmgr_internal.undo_step;
  parents jsonb := (SELECT coalesce(jsonb_object_agg(x.after_key, x.before_key), '{}') FROM unnest(pairs) AS x WHERE x.after_key IS NOT NULL);
  dropped jsonb := (SELECT coalesce(jsonb_object_agg(x.after_key, CASE WHEN x.late THEN 4 ELSE 1 END), '{}') FROM unnest(pairs) AS x WHERE x.a IS NOT NULL AND (x.b IS NULL OR x.recreate));
  schemas jsonb := (SELECT coalesce(jsonb_object_agg(x.a ->> 'identity', x.b ->> 'identity'), '{}') FROM unnest(pairs) AS x WHERE x.kind = 'schema' AND x.same AND x.a ->> 'identity' <> x.b ->> 'identity');
  parent text;
  identity text;
BEGIN
  FOREACH p IN ARRAY pairs LOOP
    f := p.a -> 'facts';
    CONTINUE WHEN p.a IS NULL;
    step.key := p.after_key;
    step.kind := p.kind;
    step.identity := p.a ->> 'identity';
    step.irreversible := NULL;
    IF p.b IS NOT NULL AND NOT p.recreate THEN
      -- a default that stands in the way of what it uses
      IF 'neutral' = ANY (p.changed) THEN
        step.phase := 1;
        step.needs := migmgr_internal.undo_needs(p.a);
        step.sql := format('ALTER %s ALTER COLUMN %s DROP DEFAULT', migmgr_internal.undo_relation(p.a ->> 'parent'), f ->> 'name');
        RETURN NEXT step;
      END IF;
      IF p.kind IN ('table', 'foreign table') AND f ? 'partition_of' AND p.changed && '{partition_of,bound}'::text[] THEN
        step.phase := 1;
        step.needs := migmgr_internal.undo_needs(p.a) || ('table ' || (f ->> 'partition_of'));
        step.sql := format('ALTER TABLE %s DETACH PARTITION %s', f ->> 'partition_of', p.a ->> 'identity');
        RETURN NEXT step;
      END IF;
      IF 'numberless' = ANY (p.changed) THEN
        step.phase := 1;
        step.needs := migmgr_internal.undo_needs(p.a);
        step.sql := format('ALTER %s ALTER COLUMN %s DROP IDENTITY', migmgr_internal.undo_relation(p.a ->> 'parent'), f ->> 'name');
        RETURN NEXT step;
      END IF;
      IF p.kind = 'type' AND p.swap IS NOT NULL THEN
        step.phase := 4;
        step.needs := migmgr_internal.undo_needs(p.a);
        step.sql := format('DROP %s', migmgr_internal.undo_subject(p.kind, (f ->> 'schema') || '.' || p.swap, NULL, f));
        RETURN NEXT step;
      END IF;
      CONTINUE;
    END IF;
    -- the type of a typed table says which columns it has
    CONTINUE WHEN p.kind = 'table column' AND EXISTS (SELECT FROM unnest(pairs) AS x WHERE x.after_key = p.a ->> 'parent' AND x.b -> 'facts' ? 'of_type' AND x.a -> 'facts' ? 'of_type');
    step.phase := CASE WHEN p.late THEN 4 ELSE 1 END;
    step.needs := migmgr_internal.undo_needs(p.a);
    step.sql := NULL;
    IF dropped ? (p.a ->> 'parent') THEN
      -- goes with its parent, unless tables refer to each other
      step.phase := (dropped ->> (p.a ->> 'parent'))::integer;
      IF f ->> 'type' = 'f' AND p.kind = 'table constraint' AND EXISTS (
           SELECT FROM unnest(pairs) AS x WHERE x.kind = 'table constraint' AND x.a -> 'facts' ->> 'type' = 'f' AND x.a ->> 'parent' <> p.a ->> 'parent'
              AND EXISTS (SELECT FROM jsonb_array_elements_text(x.a -> 'needs') AS n WHERE n LIKE 'table constraint % on ' || migmgr_internal.undo_parent(p.a ->> 'parent'))
              AND EXISTS (SELECT FROM jsonb_array_elements_text(p.a -> 'needs') AS n WHERE n LIKE 'table constraint % on ' || migmgr_internal.undo_parent(x.a ->> 'parent'))) THEN
        step.sql := migmgr_internal.undo_drop(p.kind, p.a ->> 'identity', p.a ->> 'parent', f);
        RETURN NEXT step;
      ELSE
        step.needs := ARRAY[p.a ->> 'parent'];
        RETURN NEXT step;
        step.key := p.a ->> 'parent';
        step.kind := split_part(p.a ->> 'parent', ' ', 1);
        step.needs := ARRAY(SELECT n FROM unnest(migmgr_internal.undo_needs(p.a)) AS n
                             WHERE n <> p.a ->> 'parent' AND NOT EXISTS (SELECT FROM unnest(pairs) AS x WHERE x.after_key = n AND x.a ->> 'parent' = p.a ->> 'parent'));
        RETURN NEXT step;
      END IF;
      CONTINUE;
    END IF;
    -- what a parent gave to its children goes with what the parent has
    CONTINUE WHEN NOT p.late AND NOT p.recreate AND (p.kind LIKE '% column' AND f ? 'inherited' AND NOT f ? 'local' OR p.kind = 'table constraint' AND f ->> 'inherited' = 'ONLY'
      OR p.kind = 'index' AND f ? 'partition_of' OR p.kind = 'trigger' AND f ? 'inherited');
    CONTINUE WHEN p.kind = 'sequence' AND EXISTS (SELECT FROM unnest(pairs) AS x WHERE x.b IS NULL AND x.a ->> 'identity' = f ->> 'owned_by' AND x.kind LIKE '% column');
    identity := p.a ->> 'identity';
    parent := p.a ->> 'parent';
    IF p.late THEN
      parent := coalesce(parents ->> parent, parent);
      IF schemas ? (f ->> 'schema') THEN
        identity := (schemas ->> (f ->> 'schema')) || substr(identity, length(f ->> 'schema') + 1);
        f := f || jsonb_build_object('schema', schemas -> (f ->> 'schema'));
      END IF;
      IF p.swap IS NOT NULL THEN
        identity := (f ->> 'schema') || '.' || p.swap || CASE WHEN strpos(identity, '(') > 0 THEN substr(identity, strpos(identity, '(')) ELSE '' END;
        f := f || jsonb_build_object('name', p.swap);
      END IF;
    END IF;
    IF p.kind = 'default acl' THEN
      RETURN QUERY SELECT step.phase, step.key, step.needs, step.kind, step.identity, s, NULL::text FROM migmgr_internal.undo_default_privileges(f, f -> 'privileges', NULL) AS s;
    ELSIF p.kind IN ('view column', 'materialized view column') THEN
      step.phase := 3;
      RETURN QUERY SELECT step.phase, step.key, step.needs, step.kind, step.identity, s.sql, s.irreversible
        FROM (SELECT * FROM migmgr_internal.undo_alter(p.kind, identity, parent, jsonb_build_object('name', f -> 'name'), f, '{default}')
              UNION ALL SELECT * FROM migmgr_internal.undo_tail(p.kind, identity, parent, jsonb_build_object('name', f -> 'name'), f)) AS s WHERE s.sql !~ 'DROP DEFAULT' OR f ? 'default';
    ELSE
      step.sql := migmgr_internal.undo_drop(p.kind, identity, parent, f);
      RETURN NEXT step;
    END IF;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_drops(migmgr_internal.undo_pair[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_drops(migmgr_internal.undo_pair[]) IS 'undo(): statements that drop what was made';

-- Phase 2: names and schemas.
CREATE FUNCTION migmgr_internal.undo_renames(pairs migmgr_internal.undo_pair[]) RETURNS SETOF migmgr_internal.undo_step
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  p migmgr_internal.undo_pair;
  f jsonb;
  step migmgr_internal.undo_step;
  schemas jsonb := (SELECT coalesce(jsonb_object_agg(x.a ->> 'identity', x.b ->> 'identity'), '{}') FROM unnest(pairs) AS x WHERE x.kind = 'schema' AND x.same AND x.a ->> 'identity' <> x.b ->> 'identity');
  parents jsonb := (SELECT coalesce(jsonb_object_agg(x.after_key, x.before_key), '{}') FROM unnest(pairs) AS x WHERE x.after_key IS NOT NULL);
  staying jsonb := (SELECT coalesce(jsonb_object_agg(x.after_key, x.before_key), '{}') FROM unnest(pairs) AS x WHERE x.a IS NOT NULL AND x.b IS NOT NULL AND NOT x.recreate);
  schema text;
  parent text;
  rest text;
BEGIN
  FOREACH p IN ARRAY pairs LOOP
    CONTINUE WHEN p.a IS NULL OR (p.swap IS NULL AND (p.b IS NULL OR p.recreate OR NOT p.changed && '{name,schema}'::text[]));
    f := p.a -> 'facts';
    CONTINUE WHEN p.kind = 'table column' AND EXISTS (SELECT FROM unnest(pairs) AS x WHERE x.after_key = p.a ->> 'parent' AND x.a -> 'facts' ? 'of_type');
    CONTINUE WHEN f ? 'inherited' OR p.kind IN ('view column', 'materialized view column', 'security label', 'default acl');
    step := ROW(NULL, p.after_key, NULL, p.kind, p.a ->> 'identity', NULL, NULL);
    parent := coalesce(parents ->> (p.a ->> 'parent'), p.a ->> 'parent');
    schema := coalesce(schemas ->> (f ->> 'schema'), f ->> 'schema');
    -- what stands after the schema
    rest := substr(p.a ->> 'identity', length(f ->> 'schema') + 1);
    IF p.swap IS NOT NULL THEN
      step.phase := 22;
      step.sql := migmgr_internal.undo_rename(p.kind, schema || rest, parent, f, p.swap);
      RETURN NEXT step;
      -- values go over by their names
      FOR step.sql IN SELECT format('ALTER TYPE %s.%s RENAME VALUE %s TO %s', schema, p.swap, r.value, l.value)
                        FROM jsonb_each_text(f -> 'raw' -> 'labels') AS r JOIN jsonb_each_text(p.b -> 'facts' -> 'raw' -> 'labels') AS l USING (key)
                       WHERE p.same AND r.value <> l.value LOOP
        RETURN NEXT step;
      END LOOP;
      CONTINUE;
    END IF;
    IF p.kind = 'schema' THEN
      step.phase := 21;
      step.sql := migmgr_internal.undo_rename(p.kind, p.a ->> 'identity', NULL, f, p.b -> 'facts' ->> 'name');
      RETURN NEXT step;
      CONTINUE;
    END IF;
    -- its name is still taken by something that gets another one
    IF staying ->> p.before_key IS NOT NULL AND staying ->> p.before_key <> p.before_key AND 'name' = ANY (p.changed) THEN
      step.phase := CASE WHEN p.a ->> 'parent' IS NULL THEN 23 ELSE 25 END;
      step.sql := migmgr_internal.undo_rename(p.kind, schema || rest, parent, f, 'migmgr_undo_' || p.id);
      RETURN NEXT step;
      rest := '.migmgr_undo_' || p.id || CASE WHEN p.kind IN ('function', 'procedure', 'aggregate') THEN substr(rest, strpos(rest, '(')) ELSE '' END;
      f := f || jsonb_build_object('name', 'migmgr_undo_' || p.id);
    END IF;
    IF p.b -> 'facts' ? 'schema' AND schema <> p.b -> 'facts' ->> 'schema' AND p.kind <> 'index' AND NOT (p.b -> 'facts' ? 'owned_by') THEN
      step.phase := 24;
      IF p.kind = 'sequence' AND f ? 'owned_by' THEN
        -- what it was given to keeps it where it is
        step.sql := format('ALTER SEQUENCE %s OWNED BY NONE', schema || rest);
        RETURN NEXT step;
      END IF;
      step.sql := format('ALTER %s SET SCHEMA %s', migmgr_internal.undo_subject(p.kind, CASE p.kind WHEN 'extension' THEN p.a ->> 'identity' ELSE schema || rest END, parent, f), p.b -> 'facts' ->> 'schema');
      RETURN NEXT step;
    END IF;
    IF 'name' = ANY (p.changed) THEN
      step.phase := CASE WHEN p.a ->> 'parent' IS NULL THEN 24 ELSE 26 END;
      step.sql := migmgr_internal.undo_rename(p.kind, coalesce((p.b -> 'facts' ->> 'schema') || rest, p.a ->> 'identity'), parent, f, p.b -> 'facts' ->> 'name');
      RETURN NEXT step;
    END IF;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_renames(migmgr_internal.undo_pair[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_renames(migmgr_internal.undo_pair[]) IS 'undo(): statements that give names and schemas back';

-- Phase 3: what was dropped, and what was changed.
CREATE FUNCTION migmgr_internal.undo_makes(pairs migmgr_internal.undo_pair[]) RETURNS SETOF migmgr_internal.undo_step
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  p migmgr_internal.undo_pair;
  f jsonb;
  columns jsonb;
  owner jsonb;
  step migmgr_internal.undo_step;
  made jsonb := (SELECT coalesce(jsonb_object_agg(x.before_key, x.kind), '{}') FROM unnest(pairs) AS x WHERE x.b IS NOT NULL AND (x.a IS NULL OR x.recreate OR x.kind = 'type' AND x.swap IS NOT NULL
    OR x.kind = 'composite type column' AND EXISTS (SELECT FROM unnest(pairs) AS t WHERE t.before_key = x.b ->> 'parent' AND t.swap IS NOT NULL)));
  parent text;
BEGIN
  FOREACH p IN ARRAY pairs LOOP
    CONTINUE WHEN p.b IS NULL;
    f := p.b -> 'facts';
    parent := p.b ->> 'parent';
    -- that of a column is its table's, and does not change here
    owner := '{}';
    IF p.kind LIKE '% column' THEN
      SELECT jsonb_build_object('owner', x.b -> 'facts' -> 'owner') INTO owner FROM unnest(pairs) AS x WHERE x.before_key = parent;
      owner := coalesce(owner, '{}');
    END IF;
    step := ROW(3, p.before_key, migmgr_internal.undo_needs(p.b), p.kind, p.b ->> 'identity', NULL, NULL);
    IF made ? p.before_key THEN
      IF p.kind = 'schema' THEN
        step.phase := 20;
      ELSIF p.kind IN ('table column', 'foreign table column', 'composite type column') AND made ? parent THEN
        -- in the statement of the table, which needs what it needs
        RETURN NEXT ROW(3, p.before_key, ARRAY[parent], p.kind, NULL, NULL, NULL)::migmgr_internal.undo_step;
        RETURN NEXT ROW(3, parent, ARRAY(SELECT n FROM unnest(step.needs) AS n
          WHERE n <> parent AND NOT EXISTS (SELECT FROM unnest(pairs) AS x WHERE x.before_key = n AND x.b ->> 'parent' = parent)), regexp_replace(p.kind, ' column$|^composite | column$', '', 'g'), NULL, NULL, NULL)::migmgr_internal.undo_step;
        RETURN QUERY SELECT 3, p.before_key, ARRAY[parent], p.kind, step.identity, t.sql, t.irreversible FROM migmgr_internal.undo_tail(p.kind, p.b ->> 'identity', parent, f || owner, owner) AS t;
        CONTINUE;
      ELSIF p.kind LIKE '% column' AND f ? 'inherited' AND NOT f ? 'local' OR p.kind = 'trigger' AND f ? 'inherited'
            OR p.kind = 'table column' AND EXISTS (SELECT FROM unnest(pairs) AS x WHERE x.before_key = parent AND x.b -> 'facts' ? 'of_type' AND x.a -> 'facts' ? 'of_type')
            OR p.kind = 'table constraint' AND f ->> 'inherited' = 'ONLY' AND NOT (made ? parent AND EXISTS (SELECT FROM unnest(pairs) AS x WHERE x.before_key = parent AND x.b -> 'facts' ? 'partition_of')) THEN
        CONTINUE;
      END IF;
      IF p.kind IN ('table', 'foreign table', 'type') THEN
        SELECT jsonb_agg(x.b -> 'facts' ORDER BY (x.b -> 'facts' ->> 'position')::integer) INTO columns
          FROM unnest(pairs) AS x WHERE x.b ->> 'parent' = p.before_key AND x.kind LIKE '% column';
      END IF;
      -- an index of a partition is there before that of the parent, which takes it in
      IF p.kind = 'index' AND f ? 'partition_of' THEN
        step.needs := array_remove(step.needs, 'index ' || (f ->> 'partition_of'));
        RETURN NEXT ROW(3, 'index ' || (f ->> 'partition_of'), ARRAY[p.before_key], 'index', NULL, NULL, NULL)::migmgr_internal.undo_step;
      END IF;
      RETURN QUERY SELECT step.phase, step.key, step.needs, step.kind, step.identity, c.sql,
             concat_ws(', and ', c.irreversible, CASE WHEN p.kind = 'table column' AND c.sql ~ ' ADD COLUMN ' AND EXISTS (
               SELECT FROM unnest(pairs) AS x WHERE x.kind = 'table column' AND x.b ->> 'parent' = parent AND x.a IS NOT NULL AND (x.b -> 'facts' ->> 'position')::integer > (f ->> 'position')::integer)
               THEN CASE WHEN c.irreversible IS NULL THEN format('the place of column %s before others', p.b ->> 'identity') ELSE 'its place before other columns' END END)
        FROM migmgr_internal.undo_create(p.kind, p.b ->> 'identity', parent, f, columns) AS c;
      IF p.kind IN ('table', 'foreign table') AND f ? 'partition_of' THEN
        RETURN NEXT ROW(3, p.before_key || ' attach', ARRAY[p.before_key, 'table ' || (f ->> 'partition_of')] || ARRAY(
          SELECT x.before_key FROM unnest(pairs) AS x WHERE x.b ->> 'parent' = p.before_key AND x.kind IN ('table constraint', 'index')), 'index', step.identity,
          format('ALTER TABLE %s ATTACH PARTITION %s %s', f ->> 'partition_of', p.b ->> 'identity', f ->> 'bound'), NULL)::migmgr_internal.undo_step;
      END IF;
      IF p.kind IN ('table', 'foreign table') THEN
        RETURN QUERY SELECT 3, step.key, step.needs, step.kind, step.identity, v.sql, v.irreversible
          FROM migmgr_internal.undo_alter_relation(p.kind, p.b ->> 'identity', f, f - '{row_security,force_row_security}'::text[], '{row_security,force_row_security}') AS v
         WHERE f ?| '{row_security,force_row_security}'::text[] AND v.sql !~ ' (DISABLE|NO FORCE) ';
      ELSIF p.kind = 'sequence' AND f ? 'owned_by' THEN
        RETURN NEXT ROW(3, p.before_key || ' owned', ARRAY[p.before_key, 'table column ' || (f ->> 'owned_by')], 'table constraint', step.identity,
          format('ALTER SEQUENCE %s OWNED BY %s', p.b ->> 'identity', f ->> 'owned_by'), NULL)::migmgr_internal.undo_step;
      END IF;
      RETURN QUERY SELECT step.phase, step.key, step.needs, step.kind, step.identity, t.sql, t.irreversible
        FROM migmgr_internal.undo_tail(p.kind, p.b ->> 'identity', parent, f || owner, owner) AS t;
    ELSE
      -- another one of the same name
      IF NOT p.same AND p.b ? 'objid' AND p.a ? 'objid' AND p.kind IN ('table', 'table column', 'sequence') AND NOT f ? 'generated' AND NOT f ? 'partition_by' AND NOT (f ? 'inherited' AND p.kind = 'table column') THEN
        step.irreversible := CASE p.kind WHEN 'table' THEN 'the rows that table ' || step.identity || ' had' WHEN 'sequence' THEN 'how far sequence ' || step.identity || ' had come'
          ELSE 'the values that column ' || step.identity || ' had' END;
        RETURN NEXT step;
        step.irreversible := NULL;
      END IF;
      CONTINUE WHEN p.changed = '{}' OR p.swap IS NOT NULL;
      IF p.kind LIKE '% column' AND f ? 'inherited' THEN
        -- comes from the parent; what it has of its own is set after that
        step.needs := step.needs || ARRAY(
          SELECT x.before_key FROM unnest(pairs) AS t, unnest(pairs) AS x
           WHERE t.before_key = parent AND x.kind = p.kind AND x.b -> 'facts' ->> 'name' = f ->> 'name'
             AND (x.b ->> 'parent' = 'table ' || (t.b -> 'facts' ->> 'partition_of') OR t.b -> 'facts' -> 'inherits' ? migmgr_internal.undo_parent(x.b ->> 'parent')));
        p.changed := ARRAY(SELECT c FROM unnest(p.changed) AS c WHERE c NOT IN ('type', 'collation', 'generated', 'virtual'));
      ELSIF p.kind = 'publication' AND p.a -> 'facts' -> 'raw' ? 'members' THEN
        -- members have their former names by now
        p.a := jsonb_set(p.a, '{facts,raw,members}', (
          SELECT coalesce(jsonb_object_agg(coalesce((
                   SELECT 'TABLE ' || (x.b ->> 'identity') || substr(m.key, length('TABLE ' || (x.a ->> 'identity')) + 1) FROM unnest(pairs) AS x
                    WHERE x.kind = 'table' AND x.b IS NOT NULL AND starts_with(m.key || ' ', 'TABLE ' || (x.a ->> 'identity') || ' ')), m.key), m.value), '{}')
            FROM jsonb_each(p.a -> 'facts' -> 'raw' -> 'members') AS m));
      END IF;
      RETURN QUERY SELECT step.phase, step.key, step.needs, step.kind, step.identity, s.sql, s.irreversible
        FROM (SELECT * FROM migmgr_internal.undo_alter(p.kind, p.b ->> 'identity', parent, f, p.a -> 'facts', p.changed)
              UNION ALL SELECT * FROM migmgr_internal.undo_tail(p.kind, p.b ->> 'identity', parent, f || owner, p.a -> 'facts' || owner)) AS s;
      IF p.kind IN ('table', 'foreign table') AND f ? 'partition_of' AND p.changed && '{partition_of,bound}'::text[] THEN
        RETURN NEXT ROW(3, p.before_key || ' attach', ARRAY[p.before_key, 'table ' || (f ->> 'partition_of')] || ARRAY(
          SELECT x.before_key FROM unnest(pairs) AS x WHERE x.b ->> 'parent' = p.before_key AND x.kind IN ('table constraint', 'index')), 'index', step.identity,
          format('ALTER TABLE %s ATTACH PARTITION %s %s', f ->> 'partition_of', p.b ->> 'identity', f ->> 'bound'), NULL)::migmgr_internal.undo_step;
      END IF;
    END IF;
    IF p.kind IN ('table', 'materialized view') AND ('replica_identity' = ANY (p.changed) OR f ? 'replica_identity' AND (made ? p.before_key
         OR EXISTS (SELECT FROM unnest(pairs) AS x WHERE x.recreate AND x.b ->> 'parent' = p.before_key AND f ->> 'replica_identity' = 'USING INDEX ' || (x.b -> 'facts' ->> 'name')))) THEN
      RETURN NEXT ROW(3, p.before_key || ' replica identity', ARRAY[p.before_key] || ARRAY(
        SELECT x.before_key FROM unnest(pairs) AS x WHERE x.b ->> 'parent' = p.before_key AND x.kind IN ('table constraint', 'index')), 'index', step.identity,
        format('ALTER TABLE %s REPLICA IDENTITY %s', p.b ->> 'identity', coalesce(f ->> 'replica_identity', 'DEFAULT')), NULL)::migmgr_internal.undo_step;
    END IF;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_makes(migmgr_internal.undo_pair[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_makes(migmgr_internal.undo_pair[]) IS 'undo(): statements that make again what was dropped, and change back what was changed';

-- What hangs on objects, here and now: the whole objects, as describe() tells them.
CREATE FUNCTION migmgr_internal.undo_dependents(pairs migmgr_internal.undo_pair[]) RETURNS jsonb
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  classids oid[];
  objids oid[];
BEGIN
  WITH cause AS (
    SELECT (p.a ->> 'classid')::oid AS classid, (p.a ->> 'objid')::oid AS objid, (p.a ->> 'objsubid')::integer AS objsubid
      FROM unnest(pairs) AS p
     WHERE p.a IS NOT NULL AND p.b IS NOT NULL AND (p.recreate OR p.swap IS NOT NULL OR p.kind LIKE '% column' AND p.changed && '{type,collation,generated,virtual}'::text[])
  ), spot AS (
    SELECT c.classid, c.objid, c.objsubid FROM cause AS c
    UNION ALL SELECT 'pg_type'::regclass, t.oid, 0 FROM cause AS c JOIN pg_class AS r ON r.oid = c.objid JOIN pg_type AS t ON t.oid = r.reltype OR t.typelem = r.reltype
               WHERE c.classid = 'pg_class'::regclass AND c.objsubid = 0
    UNION ALL SELECT 'pg_type'::regclass, t.typarray, 0 FROM cause AS c JOIN pg_type AS t ON t.oid = c.objid AND t.typarray <> 0 WHERE c.classid = 'pg_type'::regclass
    UNION ALL SELECT 'pg_class'::regclass, k.conindid, 0 FROM cause AS c JOIN pg_constraint AS k ON k.oid = c.objid WHERE c.classid = 'pg_constraint'::regclass AND k.contype IN ('p', 'u', 'x')
  ), found AS (
    SELECT DISTINCT d.classid, d.objid FROM spot AS s
      JOIN pg_depend AS d ON d.refclassid = s.classid AND d.refobjid = s.objid AND (s.objsubid = 0 OR d.refobjsubid = s.objsubid) AND d.deptype IN ('n', 'a')
  )
  SELECT array_agg(f.classid), array_agg(f.objid) INTO classids, objids FROM found AS f;
  IF classids IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN (SELECT jsonb_agg(to_jsonb(d)) FROM migmgr_internal.describe(classids, objids) AS d
           WHERE NOT EXISTS (SELECT FROM unnest(pairs) AS p WHERE p.after_key = concat(d.kind, ' ', d.identity) OR p.after_key = d.parent));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_dependents(migmgr_internal.undo_pair[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_dependents(migmgr_internal.undo_pair[]) IS 'undo(): what did not change, but hangs on what must be made again';

CREATE FUNCTION migmgr_internal.undo(before jsonb, after jsonb, same_oids boolean DEFAULT true)
  RETURNS TABLE(n integer, kind text, identity text, sql text, irreversible text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET jit = off SET plan_cache_mode = force_generic_plan
  AS $$
#variable_conflict use_column
DECLARE
  pairs migmgr_internal.undo_pair[];
  steps migmgr_internal.undo_step[];
  counted integer := 0;
  others jsonb;
BEGIN
  before := coalesce(before, '[]');
  after := coalesce(after, '[]');
  IF NOT same_oids THEN
    before := (SELECT coalesce(jsonb_agg(v - 'objid'), '[]') FROM jsonb_array_elements(before) AS v);
  END IF;
  SELECT array_agg(p ORDER BY p.id) INTO pairs FROM migmgr_internal.undo_pairs(before, after, same_oids) AS p;
  IF pairs IS NULL THEN
    RETURN;
  END IF;
  pairs := migmgr_internal.undo_closure(pairs);
  WHILE same_oids LOOP
    others := migmgr_internal.undo_dependents(pairs);
    EXIT WHEN others IS NULL;
    before := before || others;
    after := after || others;
    SELECT array_agg(p ORDER BY p.id) INTO pairs FROM migmgr_internal.undo_pairs(before, after, same_oids) AS p;
    pairs := migmgr_internal.undo_closure(pairs);
  END LOOP;
  SELECT array_agg(s) INTO steps FROM migmgr_internal.undo_drops(pairs) AS s;
  RETURN QUERY
    SELECT (row_number() OVER (ORDER BY k.place DESC, s.key COLLATE "C", s.ordinality))::integer, s.kind, s.identity, s.sql, s.irreversible
      FROM unnest(steps) WITH ORDINALITY AS s JOIN migmgr_internal.undo_places(ARRAY(SELECT x FROM unnest(steps) AS x WHERE x.phase = 1)) AS k ON k.key = s.key
     WHERE s.phase = 1 AND (s.sql IS NOT NULL OR s.irreversible IS NOT NULL);
  GET DIAGNOSTICS counted = ROW_COUNT;
  steps := ARRAY(SELECT s FROM unnest(steps) AS s WHERE s.phase <> 1) || ARRAY(SELECT s FROM migmgr_internal.undo_renames(pairs) AS s) || ARRAY(SELECT s FROM migmgr_internal.undo_makes(pairs) AS s);
  RETURN QUERY
    SELECT counted + (row_number() OVER (ORDER BY CASE WHEN s.phase >= 20 THEN s.phase ELSE s.phase * 10 END, CASE s.phase WHEN 4 THEN - l.place ELSE k.place END, s.key COLLATE "C", s.ordinality))::integer,
           s.kind, s.identity, s.sql, nullif(s.irreversible, '')
      FROM unnest(steps) WITH ORDINALITY AS s
      LEFT JOIN migmgr_internal.undo_places(ARRAY(SELECT x FROM unnest(steps) AS x WHERE x.phase = 3)) AS k ON k.key = s.key AND s.phase = 3
      LEFT JOIN migmgr_internal.undo_places(ARRAY(SELECT x FROM unnest(steps) AS x WHERE x.phase = 4)) AS l ON l.key = s.key AND s.phase = 4
     WHERE s.sql IS NOT NULL OR nullif(s.irreversible, '') IS NOT NULL;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo(jsonb, jsonb, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo(jsonb, jsonb, boolean) IS 'statements, in order, that lead from one description back to another, and what they cannot bring back';
