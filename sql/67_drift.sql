-- Drift: the schema as it is against the schema as it was recorded.
--
-- The recorded state is kept object by object; the state now is the last row of
-- each.  An apply that has described what it changed, for its way back, records
-- the differences; an accepted drift the objects that it is about; baseline()
-- and accept_drift('*') everything.  Their entries of the ledger hold the hash.
-- All other runs leave it to the names of what they touched: those objects are
-- due, and described when somebody looks or is about to change something.  So
-- keeping the state costs a small migration nothing.

-- The whole object that a name of the ledger is, or is part of.
CREATE FUNCTION migmgr_internal.named_address(kind text, identity text, OUT classid oid, OUT objid oid)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT CASE WHEN kind IN ('function', 'procedure', 'aggregate') THEN 'pg_proc'::regclass WHEN kind = 'type' THEN 'pg_type'::regclass
              WHEN kind = 'schema' THEN 'pg_namespace'::regclass ELSE 'pg_class'::regclass END,
         CASE WHEN kind IN ('function', 'procedure', 'aggregate') THEN to_regprocedure(identity)::oid WHEN kind = 'type' THEN to_regtype(identity)::oid
              WHEN kind = 'schema' THEN to_regnamespace(identity)::oid
              WHEN kind LIKE '% column' THEN to_regclass(regexp_replace(identity, '\.("([^"]|"")+"|[^."]+)$', ''))::oid
              WHEN kind IN ('policy', 'trigger', 'rule', 'table constraint') THEN to_regclass(regexp_replace(identity, '^.* on ', ''))::oid
              WHEN kind IN ('table', 'index', 'view', 'materialized view', 'foreign table', 'sequence') THEN to_regclass(identity)::oid END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.named_address(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.named_address(text, text) IS 'address of an object that an online migration made in a transaction before; objid is NULL when it is not found';

-- Addresses that were recorded before this entry are those of another database;
-- NULL: all are, in a copy that was not resumed.
CREATE FUNCTION migmgr_internal.home_since() RETURNS bigint
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (SELECT max(l.seq) FROM migmgr.ledger AS l WHERE l.event = 'epoch' AND l.event NOT IN ('applied', 'rolled back') AND migmgr_internal.ledger_state() = 'in force');
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.home_since() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.home_since() IS 'the entry since which the ledger is at home in this database';

-- Up to which entry of the ledger everything that runs have touched is recorded.
CREATE FUNCTION migmgr_internal.state_through() RETURNS bigint
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (SELECT COALESCE((SELECT r.through FROM migmgr_internal.recording AS r ORDER BY r.through DESC LIMIT 1), 0));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.state_through() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.state_through() IS 'up to which entry of the ledger everything that runs have touched is recorded';

-- The rows that a recording gets.  now: objects as they are, rows of describe()
-- with keep for those to record; gone: kinds and identities of what went; both
-- without what is recorded so already.  What is gone takes its parts along; what
-- was recorded under the same address with another name was renamed (addresses
-- count only since this ledger has this home).
CREATE FUNCTION migmgr_internal.state_changes(now jsonb, gone jsonb, objids oid[])
  RETURNS TABLE(kind text, identity text, parent text, objid oid, objsubid integer, described jsonb)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    WITH present AS MATERIALIZED (
      SELECT d.*, a.row - 'keep' AS described
        FROM jsonb_array_elements(now) AS a(row)
       CROSS JOIN LATERAL jsonb_to_record(a.row) AS d(kind text, identity text, parent text, definition text, objid oid, objsubid integer, keep boolean)
    ), base AS (
      SELECT g.kind, g.identity FROM jsonb_to_recordset(gone) AS g(kind text, identity text)
      UNION
      -- under the address of something that is there now, or of something that is not described any more (an archived table)
      SELECT s.kind, s.identity
        FROM (SELECT p.objid FROM present AS p UNION SELECT o.objid FROM unnest(objids) AS o(objid)) AS t
        JOIN migmgr_internal.state AS s ON s.objid = t.objid
       WHERE s.objid <> 0 AND s.at > (SELECT l.at FROM migmgr.ledger AS l WHERE l.seq = migmgr_internal.home_since())
    ), away AS (
      SELECT b.kind, b.identity FROM base AS b
      UNION
      SELECT s.kind, s.identity FROM base AS b JOIN migmgr_internal.state AS s ON s.parent = concat(b.kind, ' ', b.identity)
       WHERE NOT EXISTS (SELECT FROM present AS p WHERE p.kind = b.kind AND p.identity = b.identity)
    )
    SELECT r.kind, r.identity, r.parent, r.objid, r.objsubid, r.described
      FROM (SELECT p.kind, p.identity, p.parent, p.objid, p.objsubid, p.described FROM present AS p WHERE p.keep
            UNION ALL
            SELECT a.kind, a.identity, NULL, 0, 0, NULL FROM away AS a
             WHERE NOT EXISTS (SELECT FROM present AS p WHERE p.kind = a.kind AND p.identity = a.identity)) AS r
      LEFT JOIN LATERAL (SELECT s.objid, s.parent, s.described FROM migmgr_internal.state AS s WHERE s.kind = r.kind AND s.identity = r.identity
                          ORDER BY s.recording DESC LIMIT 1) AS l ON true
     WHERE (l.described IS NULL, l.described ->> 'definition', l.parent) IS DISTINCT FROM (r.described IS NULL, r.described ->> 'definition', r.parent)
        OR (r.described IS NOT NULL AND l.objid IS DISTINCT FROM r.objid)
     ORDER BY r.kind COLLATE "C", r.identity COLLATE "C";
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.state_changes(jsonb, jsonb, oid[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.state_changes(jsonb, jsonb, oid[]) IS 'rows of a recording of some objects as they are, and of others as gone';

-- After a run that has described what it touched, before and after.
CREATE FUNCTION migmgr_internal.state_of_run(before jsonb, after jsonb, gone jsonb)
  RETURNS TABLE(kind text, identity text, parent text, objid oid, objsubid integer, described jsonb)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    WITH past AS MATERIALIZED (
      SELECT b.* FROM jsonb_to_recordset(before) AS b(kind text, identity text, definition text)
    ), now AS MATERIALIZED (
      SELECT a.row, d.* FROM jsonb_array_elements(after) AS a(row) CROSS JOIN LATERAL jsonb_to_record(a.row) AS d(kind text, identity text, definition text)
    )
    SELECT c.*
      FROM migmgr_internal.state_changes(
             (SELECT COALESCE(jsonb_agg(n.row || jsonb_build_object('keep', NOT EXISTS (SELECT FROM past AS p WHERE p.kind = n.kind AND p.identity = n.identity
                        AND p.definition IS NOT DISTINCT FROM n.definition))), '[]') FROM now AS n),
             gone || (SELECT COALESCE(jsonb_agg(jsonb_build_object('kind', p.kind, 'identity', p.identity)), '[]') FROM past AS p
                       WHERE NOT EXISTS (SELECT FROM now AS n WHERE n.kind = p.kind AND n.identity = p.identity)), '{}') AS c;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.state_of_run(jsonb, jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.state_of_run(jsonb, jsonb, jsonb) IS 'rows of a recording of what differs between two descriptions';

-- What runs have touched since the last recording of that, described now.  It
-- is as they left it, because whoever changes the schema besides them has it
-- described before.  Where he could not (DROP INDEX CONCURRENTLY, a lock), the
-- DDL log names the object: how the run had left it is not known then, and
-- nothing is recorded.  Where the log names it from before, drift may be there
-- already: recorded is what the run itself has touched, by name.  What is gone,
-- and no run has dropped it, is recorded without a definition.
CREATE FUNCTION migmgr_internal.state_due()
  RETURNS TABLE(kind text, identity text, parent text, objid oid, objsubid integer, described jsonb, at timestamptz)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
  AS $$
#variable_conflict use_column
DECLARE
  through bigint := migmgr_internal.state_through();
  home bigint := migmgr_internal.home_since();
  copied_from timestamptz := (SELECT max(l.at) FROM migmgr.ledger AS l WHERE l.seq < COALESCE(home, 9223372036854775807));
  copied_until timestamptz := COALESCE((SELECT l.at FROM migmgr.ledger AS l WHERE l.seq = home), 'infinity');
  due jsonb;
  classids oid[];
  objids oid[];
  now jsonb;
  gone jsonb;
  lost jsonb;
BEGIN
  IF NOT EXISTS (SELECT FROM migmgr_internal.object AS o WHERE o.seq > through)
     OR (migmgr_internal.policy_value('record_state') = 'off' AND NOT EXISTS (SELECT FROM migmgr_internal.state)) THEN
    RETURN;
  END IF;
  SELECT COALESCE(jsonb_agg(jsonb_build_object('action', o.action, 'kind', o.type, 'identity', o.identity, 'at', l.at,
           'classid', CASE WHEN here.yes THEN o.classid ELSE a.classid END, 'objid', CASE WHEN here.yes THEN o.objid ELSE a.objid END)), '[]'),
         COALESCE(array_agg(CASE WHEN here.yes THEN o.classid ELSE a.classid END) FILTER (WHERE here.yes OR a.objid IS NOT NULL), '{}'),
         COALESCE(array_agg(CASE WHEN here.yes THEN o.objid ELSE a.objid END) FILTER (WHERE here.yes OR a.objid IS NOT NULL), '{}')
    INTO due, classids, objids
    FROM migmgr_internal.object AS o JOIN migmgr.ledger AS l ON l.seq = o.seq
   CROSS JOIN LATERAL (SELECT o.objid IS NOT NULL AND o.seq > home AS yes) AS here
    LEFT JOIN LATERAL migmgr_internal.named_address(o.type, o.identity) AS a ON here.yes IS NOT TRUE AND o.action <> 'dropped'
   WHERE o.seq > through AND NOT (l.detail::jsonb ? 'state');

  WITH touched AS MATERIALIZED (
    SELECT t.* FROM jsonb_to_recordset(due) AS t(action text, kind text, identity text, at timestamptz, classid oid, objid oid)
  ), present AS MATERIALIZED (
    SELECT d.*, COALESCE(d.parent, concat(d.kind, ' ', d.identity)) AS whole, to_jsonb(d) AS row
      FROM migmgr_internal.describe(classids, objids) AS d
  ), named AS MATERIALIZED (
    SELECT p.kind, p.identity, p.whole, max(t.at) AS at,
           bool_or(t.action IN ('created', 'replaced') AND p.parent IS NULL) AS made
      FROM present AS p JOIN touched AS t
        ON (t.kind = p.kind AND t.identity = p.identity) OR (p.parent IS NULL AND t.classid = p.classid AND t.objid = p.objid AND t.kind NOT LIKE '% column')
     GROUP BY p.kind, p.identity, p.whole
  ), logged AS MATERIALIZED (
    -- without the DDL that made this copy of a database
    SELECT replace(COALESCE(g.object, g.command), '"', '') AS object, max(g.at) AS at FROM migmgr_internal.ddl_log AS g
     WHERE (g.at > copied_from AND g.at <= copied_until) IS NOT TRUE GROUP BY 1
  ), whole AS MATERIALIZED (
    SELECT w.whole, w.made, w.logged_at, COALESCE(w.at, (SELECT max(t.at) FROM touched AS t)) AS at,
           (SELECT max(s.at) FROM migmgr_internal.state AS s WHERE s.parent = w.whole) AS parts_at,
           (SELECT max(s.at) FROM migmgr_internal.state AS s WHERE s.kind = w.kind AND s.identity = w.identity) AS recorded_at
      FROM (SELECT p.whole, max(p.kind) FILTER (WHERE p.parent IS NULL) AS kind, max(p.identity) FILTER (WHERE p.parent IS NULL) AS identity,
                   bool_or(n.made) AS made, max(n.at) AS at, max(g.at) AS logged_at
              FROM present AS p
              LEFT JOIN named AS n ON n.kind = p.kind AND n.identity = p.identity AND n.whole = p.whole
              LEFT JOIN logged AS g ON g.object = migmgr_internal.logged_name(p.kind, p.identity)
             GROUP BY p.whole) AS w
  ), judged AS MATERIALIZED (
    SELECT w.*, CASE WHEN w.logged_at > w.at THEN 'not known' WHEN w.made OR w.logged_at IS NULL OR w.logged_at <= GREATEST(w.recorded_at, w.parts_at) THEN 'as it is'
                     ELSE 'what is named' END AS how
      FROM whole AS w
  )
  SELECT (SELECT COALESCE(jsonb_agg(p.row || jsonb_build_object('keep', j.how = 'as it is' OR (j.how = 'what is named' AND n.kind IS NOT NULL))), '[]')
            FROM present AS p JOIN judged AS j ON j.whole = p.whole
            LEFT JOIN named AS n ON n.kind = p.kind AND n.identity = p.identity AND n.whole = p.whole),
         (SELECT COALESCE(jsonb_agg(jsonb_build_object('kind', g.kind, 'identity', g.identity)), '[]')
            FROM (SELECT t.kind, t.identity FROM touched AS t WHERE t.action = 'dropped'
                  UNION
                  SELECT s.kind, s.identity FROM judged AS j JOIN migmgr_internal.state AS s ON s.parent = j.whole WHERE j.how = 'as it is') AS g),
         (SELECT COALESCE(jsonb_agg(jsonb_build_object('kind', t.kind, 'identity', t.identity, 'at', t.at)), '[]')
            FROM touched AS t
            LEFT JOIN logged AS g ON g.object = migmgr_internal.logged_name(t.kind, t.identity) AND g.at > t.at
           WHERE t.action IN ('created', 'replaced') AND t.objid IS NOT NULL
             AND (t.kind IN ('table', 'view', 'materialized view', 'foreign table', 'function', 'procedure', 'aggregate')
                  OR (t.kind IN ('index', 'sequence') AND g.at IS NOT NULL))
             AND (SELECT i.identity FROM pg_identify_object(t.classid, t.objid, 0) AS i) IS NULL
             AND NOT EXISTS (SELECT FROM touched AS d WHERE d.action = 'dropped' AND d.kind = t.kind AND d.at >= t.at
                                AND (d.identity = t.identity OR EXISTS (SELECT FROM touched AS r WHERE r.objid = t.objid AND r.classid = t.classid AND r.identity = d.identity)))
             AND NOT EXISTS (SELECT FROM migmgr_internal.state AS s WHERE s.kind = t.kind AND s.identity = t.identity))
    INTO now, gone, lost;
  RETURN QUERY
    SELECT c.kind, c.identity, c.parent, c.objid, c.objsubid, c.described, clock_timestamp() FROM migmgr_internal.state_changes(now, gone, objids) AS c
    UNION ALL
    SELECT l.kind, l.identity, NULL, 0::oid, 0, jsonb_build_object('kind', l.kind, 'identity', l.identity), l.at
      FROM jsonb_to_recordset(lost) AS l(kind text, identity text, at timestamptz)
     ORDER BY 1, 2;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.state_due() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.state_due() IS 'rows of a recording of what runs have touched and nobody has recorded yet';

-- The last recorded row of each object that is recorded as being there; what
-- is due counts as recorded.
CREATE FUNCTION migmgr_internal.state_now()
  RETURNS TABLE(kind text, identity text, parent text, definition text, facts jsonb, described jsonb, at timestamptz, recording bigint)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT s.kind, s.identity, s.parent, s.described ->> 'definition', s.described -> 'facts', s.described, s.at, s.recording
    FROM (SELECT DISTINCT ON (r.kind, r.identity) r.*
            FROM (SELECT t.kind, t.identity, t.parent, t.described, t.at, t.recording FROM migmgr_internal.state AS t
                  UNION ALL
                  SELECT d.kind, d.identity, d.parent, d.described, d.at, 9223372036854775807 FROM migmgr_internal.state_due() AS d) AS r
           ORDER BY r.kind, r.identity, r.recording DESC) AS s
   WHERE s.described IS NOT NULL
$$;
REVOKE ALL ON FUNCTION migmgr_internal.state_now() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.state_now() IS 'every object as it was recorded last, or as a run has left it since, without those that went';

CREATE FUNCTION migmgr_internal.state_keep_all(OUT recording bigint, OUT hash text, OUT objects bigint)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  recording := migmgr_internal.state_number();
  INSERT INTO migmgr_internal.state (recording, n, kind, identity, parent, objid, objsubid, described)
  WITH now AS MATERIALIZED (
    SELECT d.kind, d.identity, d.parent, d.objid, d.objsubid, to_jsonb(d) AS described FROM migmgr_internal.describe() AS d
  )
  SELECT state_keep_all.recording, row_number() OVER (ORDER BY r.kind COLLATE "C", r.identity COLLATE "C"), r.kind, r.identity, r.parent, r.objid, r.objsubid, r.described
    FROM (SELECT w.* FROM now AS w
          UNION ALL
          SELECT s.kind, s.identity, NULL, 0, 0, NULL FROM migmgr_internal.state_now() AS s
           WHERE NOT EXISTS (SELECT FROM now AS w WHERE w.kind = s.kind AND w.identity = s.identity)) AS r;
  hash := migmgr_internal.state_hash(recording);
  SELECT count(*) INTO objects FROM migmgr_internal.state AS s WHERE s.recording = state_keep_all.recording AND s.described IS NOT NULL;
  INSERT INTO migmgr_internal.recording (id, through) SELECT state_keep_all.recording, COALESCE(max(l.seq), 0) FROM migmgr.ledger AS l;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.state_keep_all() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.state_keep_all() IS 'record the whole schema as it is';

-- Facts of an object that differ.  Where both have a raw value of a fact, that
-- decides: the text of a view changes when a table is renamed, the view does
-- not.
CREATE FUNCTION migmgr_internal.fact_changes(a jsonb, b jsonb) RETURNS text[]
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT array_agg(COALESCE(x.key, y.key) ORDER BY COALESCE(x.key, y.key) COLLATE "C")
      FROM jsonb_each(a - '{raw,position}'::text[]) AS x FULL JOIN jsonb_each(b - '{raw,position}'::text[]) AS y ON y.key = x.key
     WHERE x.value IS DISTINCT FROM y.value AND (a -> 'raw' -> COALESCE(x.key, y.key) = b -> 'raw' -> COALESCE(x.key, y.key)) IS NOT TRUE);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.fact_changes(jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.fact_changes(jsonb, jsonb) IS 'names of facts of a described object that differ; NULL when none does';

CREATE FUNCTION migmgr_internal.parent_identity(parent text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (SELECT regexp_replace(parent, '^(table|view|materialized view|foreign table|type|schema|server) ', ''));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.parent_identity(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.parent_identity(text) IS 'the identity in ''kind identity'' of a parent';

-- An object as the DDL log names it: without arguments and quotes; what it has
-- no name for, by the command that makes it.
CREATE FUNCTION migmgr_internal.logged_name(kind text, identity text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT CASE WHEN kind IN ('function', 'procedure', 'aggregate', 'operator') THEN replace(regexp_replace(identity, '\([^()]*\)$', ''), '"', '')
                WHEN kind = 'cast' THEN 'CREATE CAST' WHEN kind = 'default acl' THEN 'ALTER DEFAULT PRIVILEGES'
                ELSE replace(identity, '"', '') END);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.logged_name(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.logged_name(text, text) IS 'what the DDL log calls an object';

-- Every difference, parts of what is extra or missing included.  Without a
-- recording of everything, an object that nobody recorded is extra only if the
-- DDL log shows that it was made since; otherwise it was there before.  Of what
-- a migration has touched, and DDL from elsewhere right after it, it is not
-- known how the migration had left it.
CREATE FUNCTION migmgr_internal.drift_rows()
  RETURNS TABLE(kind text, identity text, parent text, drift text, changed text[], recorded jsonb, present jsonb, recorded_at timestamptz, whole boolean)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET timezone = 'UTC'
  SET extra_float_digits = 1 SET bytea_output = 'hex' SET quote_all_identifiers = off SET lc_monetary = 'C' SET jit = off
  AS $$
  WITH now AS MATERIALIZED (
    SELECT d.* FROM migmgr_internal.describe() AS d
  ), recorded AS MATERIALIZED (
    SELECT * FROM migmgr_internal.state_now()
  ), complete AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM migmgr.ledger AS l WHERE l.event IN ('baseline', 'drift accepted') AND l.event NOT IN ('applied', 'rolled back')
                      AND l.detail::jsonb -> 'state' ? 'complete') AS yes
  ), logged AS MATERIALIZED (
    -- what a migration has made, and nobody recorded, is not made by hand because it was changed by hand
    SELECT DISTINCT replace(COALESCE(d.object, d.command), '"', '') AS object FROM migmgr_internal.ddl_log AS d
    EXCEPT
    SELECT replace(o.identity, '"', '') FROM migmgr_internal.object AS o WHERE o.action IN ('created', 'replaced')
  ), made AS MATERIALIZED (
    -- by migrations, and not dropped since by one
    SELECT o.kind, o.identity FROM (SELECT DISTINCT ON (b.type, b.identity) b.type AS kind, b.identity, b.action FROM migmgr_internal.version_object AS b ORDER BY b.type, b.identity, b.seq DESC, b.n DESC) AS o
     WHERE o.action <> 'dropped'
  ), paired AS MATERIALIZED (
    SELECT COALESCE(n.kind, r.kind) AS kind, COALESCE(n.identity, r.identity) AS identity, COALESCE(n.parent, r.parent) AS parent,
           r.described AS recorded, r.facts AS recorded_facts, r.at, n.kind IS NOT NULL AS present, n.facts, n.definition, n.needs, n.classid, n.objid, n.objsubid
      FROM now AS n FULL JOIN recorded AS r ON r.kind = n.kind AND r.identity = n.identity
     WHERE n.definition IS DISTINCT FROM r.definition OR n.kind IS NULL
  ), judged AS MATERIALIZED (
    SELECT p.*, CASE WHEN NOT p.present THEN 'missing'
                     WHEN p.recorded IS NOT NULL THEN 'different'
                     WHEN k.identity IS NOT NULL THEN 'not known'
                     WHEN c.yes OR l.object IS NOT NULL OR m.object IS NOT NULL OR o.identity IS NOT NULL THEN 'extra'
                     ELSE 'not recorded' END AS drift,
           CASE WHEN p.present AND p.recorded IS NOT NULL THEN migmgr_internal.fact_changes(p.recorded_facts, p.facts) END AS changed
      FROM paired AS p CROSS JOIN complete AS c
      LEFT JOIN logged AS l ON l.object = migmgr_internal.logged_name(p.kind, p.identity)
      LEFT JOIN logged AS m ON m.object = replace(migmgr_internal.parent_identity(p.parent), '"', '')
      LEFT JOIN recorded AS o ON concat(o.kind, ' ', o.identity) = p.parent
      LEFT JOIN made AS k ON k.kind = p.kind AND k.identity = p.identity
  )
  SELECT j.kind, j.identity, j.parent, j.drift, j.changed, CASE WHEN j.recorded_facts IS NOT NULL THEN j.recorded END,
         CASE WHEN j.present AND j.drift NOT LIKE 'not %'
              THEN jsonb_build_object('kind', j.kind, 'identity', j.identity, 'parent', j.parent, 'definition', j.definition, 'facts', j.facts,
                     'needs', to_jsonb(j.needs), 'classid', j.classid, 'objid', j.objid, 'objsubid', j.objsubid) END,
         j.at, o.identity IS NULL
    FROM judged AS j
    LEFT JOIN judged AS o ON concat(o.kind, ' ', o.identity) = j.parent AND o.drift = j.drift AND o.drift IN ('extra', 'missing')
   WHERE j.drift <> 'different' OR j.changed IS NOT NULL
$$;
REVOKE ALL ON FUNCTION migmgr_internal.drift_rows() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.drift_rows() IS 'what differs between the recorded and the present schema; whole: not a part of something that is extra or missing itself';

-- SQL from the present rows of some objects, with all their parts, back to the
-- recorded ones; or the other way.
CREATE FUNCTION migmgr_internal.drift_sql(recorded jsonb, present jsonb, backward boolean) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT string_agg(concat_ws(E'\n', CASE WHEN backward OR u.sql IS NULL THEN '-- irreversible: ' || replace(u.irreversible, E'\n', ' ') END, u.sql || ';'),
                    E'\n' ORDER BY u.n)
    FROM migmgr_internal.undo(CASE WHEN backward THEN recorded ELSE present END, CASE WHEN backward THEN present ELSE recorded END) AS u
$$;
REVOKE ALL ON FUNCTION migmgr_internal.drift_sql(jsonb, jsonb, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.drift_sql(jsonb, jsonb, boolean) IS 'SQL that undoes drift; or, not backward, that makes it out of what is recorded';

CREATE FUNCTION migmgr.drift()
  RETURNS TABLE(object text, drift text, detail text, recorded text, present text, changed_by text, accept_sql text, undo_sql text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH row AS MATERIALIZED (
    SELECT r.* FROM migmgr_internal.drift_rows() AS r
  ), shown AS MATERIALIZED (
    SELECT r.*, migmgr_internal.logged_name(r.kind, r.identity) AS logged, replace(migmgr_internal.parent_identity(r.parent), '"', '') AS of_what, p.parts, p.recorded_rows, p.present_rows,
           row_number() OVER (ORDER BY concat(r.kind, ' ', r.identity) COLLATE "C") AS place
      FROM row AS r
      JOIN (SELECT CASE WHEN g.whole THEN concat(g.kind, ' ', g.identity) ELSE g.parent END AS object, count(*) - 1 AS parts,
                   jsonb_agg(g.recorded) FILTER (WHERE g.recorded IS NOT NULL) AS recorded_rows, jsonb_agg(g.present) FILTER (WHERE g.present IS NOT NULL) AS present_rows
              FROM row AS g WHERE g.drift NOT LIKE 'not %' GROUP BY 1) AS p ON p.object = concat(r.kind, ' ', r.identity)
     WHERE r.whole AND r.drift NOT LIKE 'not %'
  ), total AS (
    SELECT (SELECT count(*) FROM shown) AS n, (SELECT count(*) FROM row AS r WHERE r.drift = 'not recorded' AND r.parent IS NULL AND r.kind <> 'schema') AS unknown,
           (SELECT count(*) FROM row AS r WHERE r.drift = 'not known') AS unsure,
           (SELECT count(*) FROM migmgr_internal.state_now()) AS known
  )
  SELECT s.object, s.drift, s.detail, s.recorded, s.present, s.changed_by, s.accept_sql, s.undo_sql
    FROM (SELECT 0 AS rank, format('%s objects', t.n) AS object, CASE WHEN t.n = 0 THEN 'none' ELSE (SELECT string_agg(format('%s %s', c.n, c.drift), ', ' ORDER BY c.drift)
                   FROM (SELECT h.drift, count(*) AS n FROM shown AS h GROUP BY h.drift) AS c) END AS drift,
                 concat_ws('; ', CASE WHEN t.known > 0 THEN format('%s recorded', t.known) WHEN migmgr_internal.policy_value('record_state') = 'off' THEN 'nothing is recorded (policy record_state is off)' ELSE 'nothing is recorded yet' END,
                   CASE WHEN t.unknown > 0 THEN format('%s that were there before are not recorded', t.unknown) END,
                   CASE WHEN t.unsure > 0 THEN format('how migrations left %s is not known', t.unsure) END,
                   CASE WHEN t.n > 100 THEN 'undo_sql for the first 100 only' END) AS detail,
                 NULL::text AS recorded, NULL::text AS present, NULL::text AS changed_by,
                 CASE WHEN t.n > 0 OR t.unknown > 0 OR t.unsure > 0 THEN 'SELECT * FROM migmgr.accept_drift(''*'', ''reason'');' END AS accept_sql, NULL::text AS undo_sql
            FROM total AS t
          UNION ALL
          SELECT 1, concat(h.kind, ' ', h.identity), h.drift,
                 CASE h.drift WHEN 'extra' THEN concat('made by hand', CASE WHEN h.parts > 0 THEN format(', parts: %s', h.parts) END)
                              WHEN 'missing' THEN CASE WHEN h.recorded IS NULL THEN 'gone without a migration; how it was is not known'
                                ELSE format('recorded %s, and gone without a migration', migmgr_internal.moment(h.recorded_at)) END
                              ELSE array_to_string(h.changed, ', ') END,
                 h.recorded ->> 'definition', h.present ->> 'definition',
                 (SELECT format('%s by %s, %s', d.command, d.role, migmgr_internal.moment(d.at)) FROM migmgr_internal.ddl_log AS d
                   WHERE replace(COALESCE(d.object, d.command), '"', '') IN (h.logged, h.of_what) AND d.at > COALESCE(h.recorded_at, '-infinity')
                   ORDER BY replace(d.object, '"', '') = h.logged AND h.of_what IS NOT NULL DESC,
                            COALESCE(strpos(lower(d.sql), lower(COALESCE(h.present, h.recorded) -> 'facts' ->> 'name')) > 0, false) DESC, d.id DESC LIMIT 1),
                 format('SELECT * FROM migmgr.accept_drift(%L, ''reason'');', concat(h.kind, ' ', h.identity)),
                 CASE WHEN h.place <= 100 THEN migmgr_internal.drift_sql(h.recorded_rows, h.present_rows, true) END
            FROM shown AS h) AS s
   ORDER BY s.rank, s.object COLLATE "C";
END
$$;
REVOKE ALL ON FUNCTION migmgr.drift() FROM PUBLIC;
COMMENT ON FUNCTION migmgr.drift() IS 'the schema against its recorded state: what is extra, missing or different, who did it, and SQL to accept or undo it';

-- What a run, a baseline or an accepted drift says of the state in its entry.
CREATE FUNCTION migmgr_internal.state_detail(recording bigint, hash text, complete boolean) RETURNS jsonb
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object('recording', recording, 'hash', hash, 'complete', NULLIF(complete, false)))
$$;
REVOKE ALL ON FUNCTION migmgr_internal.state_detail(bigint, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.state_detail(bigint, text, boolean) IS 'how an entry names the recording that belongs to it';

-- The present rows of drift become recorded ones.
CREATE FUNCTION migmgr_internal.state_accept(kind text, identity text, OUT recording bigint, OUT hash text, OUT objects text[])
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  recording := migmgr_internal.state_number();
  WITH taken AS (
    INSERT INTO migmgr_internal.state (recording, n, kind, identity, parent, objid, objsubid, described)
    SELECT state_accept.recording, row_number() OVER (ORDER BY r.kind COLLATE "C", r.identity COLLATE "C"), r.kind, r.identity, r.present ->> 'parent',
           COALESCE((r.present ->> 'objid')::oid, 0), COALESCE((r.present ->> 'objsubid')::integer, 0), r.present
      FROM migmgr_internal.drift_rows() AS r
     WHERE r.drift NOT LIKE 'not %'
       AND (state_accept.kind IS NULL OR (r.kind = state_accept.kind AND r.identity = state_accept.identity)
            OR (r.parent = concat(state_accept.kind, ' ', state_accept.identity) AND NOT r.whole))
    RETURNING state.n, state.kind, state.identity
  )
  SELECT array_agg(concat(t.kind, ' ', t.identity) ORDER BY t.n) INTO objects FROM taken AS t;
  hash := migmgr_internal.state_hash(recording);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.state_accept(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.state_accept(text, text) IS 'record the drift of an object, of all for NULL, as it is';

CREATE FUNCTION migmgr.accept_drift(object text, reason text)
  RETURNS TABLE(accepted text, environment text, detail text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
#variable_conflict use_column
DECLARE
  found_kind text;
  found_identity text;
  matches bigint;
  kept record;
  every record;
BEGIN
  PERFORM migmgr_internal.mark_begin('accept_drift', reason);
  PERFORM migmgr_internal.state_settle();
  IF COALESCE(object, '') = '' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG228', MESSAGE = 'accept_drift() needs an object',
      HINT = 'Take the one that drift() names, for example ''table public.orders'', or ''*'' for the whole schema as it is.';
  ELSIF object = '*' THEN
    SELECT * INTO every FROM migmgr_internal.state_keep_all();
    PERFORM migmgr_internal.ledger_append('drift accepted', NULL, jsonb_build_object('object', '*', 'reason', reason, 'objects', every.objects,
      'environment', migmgr.environment(), 'state', migmgr_internal.state_detail(every.recording, every.hash, true)));
    RETURN QUERY SELECT '*'::text, migmgr.environment(), format('the schema of database %s as it is: %s objects recorded', current_database(), every.objects);
    RETURN;
  END IF;

  SELECT count(*), min(r.kind), min(r.identity) INTO matches, found_kind, found_identity
    FROM migmgr_internal.drift_rows() AS r WHERE r.drift NOT LIKE 'not %' AND object IN (concat(r.kind, ' ', r.identity), r.identity);
  IF matches <> 1 THEN
    RAISE EXCEPTION USING ERRCODE = 'MG228',
      MESSAGE = CASE matches WHEN 0 THEN format('there is no drift of "%s"', object) ELSE format('"%s" names %s objects', object, matches) END,
      HINT = 'SELECT object, drift FROM migmgr.drift(); names them with their kind.';
  END IF;
  SELECT * INTO kept FROM migmgr_internal.state_accept(found_kind, found_identity);
  PERFORM migmgr_internal.ledger_append('drift accepted', NULL, jsonb_build_object('object', concat(found_kind, ' ', found_identity), 'reason', reason,
    'objects', kept.objects, 'environment', migmgr.environment(), 'state', migmgr_internal.state_detail(kept.recording, kept.hash, false)));
  RETURN QUERY SELECT o.object, migmgr.environment(), 'recorded as it is'::text FROM unnest(kept.objects) AS o(object);
END
$$;
REVOKE ALL ON FUNCTION migmgr.accept_drift(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.accept_drift(text, text) IS 'record an object as it is, although no migration made it so; ''*'' records the whole schema';

-- What undo() never needs: values that were added to an enum.
CREATE FUNCTION migmgr_internal.added_labels(identity text, before jsonb, after jsonb) RETURNS text
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT string_agg(concat('ALTER TYPE ', identity, ' ADD VALUE ', a.label, CASE WHEN a.n > 1 THEN concat(' AFTER ', after ->> (a.n::integer - 2)) ELSE concat(' BEFORE ', before ->> 0) END, ';'), E'\n' ORDER BY a.n)
    FROM jsonb_array_elements_text(after) WITH ORDINALITY AS a(label, n)
   WHERE jsonb_array_length(before) > 0 AND NOT before ? a.label
$$;
REVOKE ALL ON FUNCTION migmgr_internal.added_labels(text, jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.added_labels(text, jsonb, jsonb) IS 'SQL that adds the values that an enum has got';

-- A migration out of what was done by hand: it leads from the recorded state
-- to the present one, and back.
CREATE FUNCTION migmgr_internal.capture_text(OUT script text, OUT lacking text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  drifted record;
  up text;
  down text;
  said text;
BEGIN
  SELECT jsonb_agg(r.recorded) FILTER (WHERE r.recorded IS NOT NULL) AS recorded, jsonb_agg(r.present) FILTER (WHERE r.present IS NOT NULL) AS present,
         array_agg(migmgr_internal.logged_name(r.kind, r.identity)) || array_agg(replace(migmgr_internal.parent_identity(r.parent), '"', '')) AS objects,
         jsonb_agg(jsonb_build_object('kind', r.kind, 'identity', r.identity)) FILTER (WHERE r.drift = 'different' AND r.changed <> '{labels}') AS changed,
         string_agg(migmgr_internal.added_labels(r.identity, r.recorded -> 'facts' -> 'labels', r.present -> 'facts' -> 'labels'), E'\n' ORDER BY r.identity) AS labels
    INTO drifted FROM migmgr_internal.drift_rows() AS r
   WHERE r.drift NOT LIKE 'not %';
  up := concat_ws(E'\n', drifted.labels, migmgr_internal.drift_sql(drifted.recorded, drifted.present, false));
  down := migmgr_internal.drift_sql(drifted.recorded, drifted.present, true);
  IF drifted.recorded IS NULL AND drifted.present IS NULL THEN
    RETURN;
  END IF;
  SELECT string_agg(concat(c.kind, ' ', c.identity), ', ' ORDER BY c.kind, c.identity) INTO lacking
    FROM jsonb_to_recordset(drifted.changed) AS c(kind text, identity text)
   WHERE NOT EXISTS (SELECT FROM migmgr_internal.undo(drifted.present, drifted.recorded) AS u WHERE u.kind = c.kind AND u.identity = c.identity AND u.sql IS NOT NULL);
  SELECT string_agg(format('--   %s by %s, %s', concat_ws(' ', d.command, d.object), d.role, migmgr_internal.moment(d.at)), E'\n' ORDER BY d.id) INTO said
    FROM migmgr_internal.ddl_log AS d
   WHERE d.at > (SELECT COALESCE(max(s.at), '-infinity') FROM migmgr_internal.state AS s JOIN migmgr.ledger AS l
                    ON l.event = 'captured' AND (l.detail::jsonb -> 'state' ->> 'recording')::bigint = s.recording)
     AND replace(COALESCE(d.object, d.command), '"', '') = ANY (drifted.objects);
  script := concat(format(E'-- Made by hand in database %s, captured %s.\n', quote_ident(current_database()), migmgr_internal.moment(now())), said || E'\n', '-- Not in this text, add it by hand: ' || lacking || E'\n', up, E'\n\n-- migmgr:down\n' || down || E'\n');
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.capture_text() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.capture_text() IS 'the text of a migration that does what was done by hand, NULL when nothing was; and the objects whose change no SQL was found for';

CREATE FUNCTION migmgr.capture(file text, reason text DEFAULT 'made by hand')
  RETURNS TABLE(version text, status text, environment text, detail text, sql text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
#variable_conflict use_column
DECLARE
  made record;
  part record;
  was record;
  kept record;
  sums text[];
  after text;
BEGIN
  PERFORM migmgr_internal.mark_begin('capture', reason);
  PERFORM migmgr_internal.state_settle();
  SELECT p.version, p.name INTO STRICT part FROM migmgr_internal.file_parts(capture.file, 'SELECT 1;') AS p;
  SELECT s.* INTO was FROM migmgr_internal.standing(part.version) AS s;
  SELECT h.version INTO after FROM migmgr.history AS h
   WHERE h.status IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'superseded')
     AND migmgr_internal.version_key(h.version) COLLATE "C" > migmgr_internal.version_key(part.version) COLLATE "C" LIMIT 1;
  IF was.done THEN
    RAISE EXCEPTION USING ERRCODE = 'MG201', MESSAGE = format('cannot capture into "%s": that version is %s already', part.version, was.status),
      HINT = 'Give the captured changes a version of their own.';
  ELSIF after IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG202', MESSAGE = format('cannot capture into "%s": version "%s", which comes after it, is applied already', part.version, after),
      HINT = 'Give it a later version.';
  END IF;
  SELECT * INTO made FROM migmgr_internal.capture_text();
  IF made.script IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG228', MESSAGE = 'there is nothing to capture: the schema is as it was recorded',
      HINT = 'SELECT * FROM migmgr.drift();';
  END IF;

  SELECT * INTO kept FROM migmgr_internal.state_accept(NULL, NULL);
  sums := migmgr_internal.keep_text(made.script);
  PERFORM migmgr_internal.mark('captured', part.version, part.name, sums[1], jsonb_strip_nulls(jsonb_build_object('reason', reason, 'file', capture.file,
    'environment', migmgr.environment(), 'objects', kept.objects, 'stored', CASE WHEN sums[2] IS NOT NULL THEN jsonb_build_array(sums[2]) END,
    'state', migmgr_internal.state_detail(kept.recording, kept.hash, false))));
  RETURN QUERY SELECT part.version, 'captured'::text, migmgr.environment(),
    concat(format('%s objects, in database %s; put the text into the repository under this name', cardinality(kept.objects), current_database()), '; not in the text: ' || made.lacking),
    (SELECT k.text FROM migmgr_internal.script AS k WHERE k.checksum = sums[1]);
END
$$;
REVOKE ALL ON FUNCTION migmgr.capture(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.capture(text, text) IS 'turn what was done by hand into a migration that counts as applied here, and return its text for the repository';

-- Recordings against the hashes that the chain holds.
CREATE FUNCTION migmgr_internal.check_state()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH named AS (
    SELECT l.seq, (l.detail::jsonb -> 'state' ->> 'recording')::bigint AS recording, l.detail::jsonb -> 'state' ->> 'hash' AS hash
      FROM migmgr.ledger AS l WHERE l.detail LIKE '%"recording":%' AND l.detail::jsonb ? 'state'
  ), bad AS (
    SELECT format('recording %s', n.recording) AS object, format('entry %s names it with another hash: rows were edited, added or removed', n.seq) AS detail
      FROM named AS n WHERE migmgr_internal.state_hash(n.recording) IS DISTINCT FROM n.hash
    UNION ALL
    SELECT format('recording %s', s.recording), 'neither an entry nor a seal is about it' FROM (SELECT DISTINCT r.recording FROM migmgr_internal.state AS r) AS s
     WHERE NOT EXISTS (SELECT FROM named AS n WHERE n.recording = s.recording) AND NOT EXISTS (SELECT FROM migmgr_internal.recording AS r WHERE r.id = s.recording)
  ), seal AS MATERIALIZED (
    SELECT c.* FROM migmgr_internal.check_seals('state') AS c WHERE c.status <> 'ok'
  )
  SELECT 'state', b.object, 'failed', b.detail, 'Restore migmgr_internal.state from a backup.' FROM bad AS b
  UNION ALL
  SELECT 'state', c.object, c.status, c.detail, c.hint FROM seal AS c
  UNION ALL
  SELECT 'state', NULL, 'ok', format('%s recordings of schema objects equal their hashes, %s more wait for a seal', (SELECT count(*) FROM named) + sealed.n, total.n - sealed.n), NULL
    FROM (SELECT count(*) AS n FROM migmgr_internal.recording AS r WHERE NOT EXISTS (SELECT FROM named AS n WHERE n.recording = r.id)) AS total
   CROSS JOIN (SELECT count(*) AS n FROM migmgr_internal.recording AS r WHERE r.id <@ migmgr_internal.sealed_ids('state') AND NOT EXISTS (SELECT FROM named AS n WHERE n.recording = r.id)) AS sealed
   WHERE NOT EXISTS (SELECT FROM bad) AND NOT EXISTS (SELECT FROM seal)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_state() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_state() IS 'what drift() compares with is what was recorded';

-- Row security that a migration turned on, and the rows that the last one left.
CREATE FUNCTION migmgr_internal.check_row_security()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH secured AS MATERIALIZED (
    SELECT s.identity, c.relrowsecurity FROM migmgr_internal.state_now() AS s JOIN pg_class AS c ON c.oid = to_regclass(s.identity)
     WHERE s.kind = 'table' AND s.facts ? 'row_security'
  )
  SELECT 'row security', 'table ' || s.identity, 'failed',
         format('off, and it was on when %s left it', COALESCE((SELECT format('version %s', l.version) FROM migmgr_internal.object AS o JOIN migmgr.ledger AS l ON l.seq = o.seq
           WHERE o.type = 'table' AND o.identity = s.identity AND l.version IS NOT NULL ORDER BY o.seq DESC LIMIT 1), 'somebody')),
         format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', s.identity)
    FROM secured AS s WHERE NOT s.relrowsecurity
  UNION ALL
  SELECT 'row security', NULL, 'ok', format('on for all %s tables that were recorded with it', count(*)), NULL FROM secured AS s HAVING bool_and(s.relrowsecurity) IS NOT FALSE
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_row_security() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_row_security() IS 'row security that was recorded as on is on';

CREATE FUNCTION migmgr_internal.check_rows()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH last AS (
    SELECT l.version, l.detail::jsonb -> 'counts' AS counts FROM migmgr.ledger AS l WHERE l.event = 'applied' ORDER BY l.seq DESC LIMIT 1
  ), counted AS MATERIALIZED (
    SELECT l.version, c.* FROM last AS l CROSS JOIN LATERAL jsonb_to_recordset(l.counts) AS c("table" text, before bigint, after bigint, estimated text)
  )
  SELECT 'rows', 'table ' || c."table", 'warning', format('version %s, the last one, left %s rows of %s', c.version, c.after, c.before),
         format('SELECT migmgr.report(%L); shows what it did.', c.version)
    FROM counted AS c WHERE c.after < c.before AND c.estimated IS NULL
  UNION ALL
  SELECT 'rows', NULL, 'ok', COALESCE(format('version %s, the last one: ', min(c.version)) || string_agg(format('%s %s', c."table", CASE WHEN c.before IS NULL THEN c.after::text
           ELSE format('%s before, %s after', c.before, c.after) END), ', ' ORDER BY c."table") FILTER (WHERE c.n <= 5), 'no rows to compare'), NULL
    FROM (SELECT d.*, row_number() OVER (ORDER BY d."table") AS n FROM counted AS d) AS c HAVING bool_or(c.after < c.before AND c.estimated IS NULL) IS NOT TRUE
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_rows() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_rows() IS 'rows of the tables that the last migration touched, before and after';

-- Objects that are there, and not as they were recorded.
CREATE FUNCTION migmgr_internal.check_drift()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH drifted AS MATERIALIZED (
    SELECT concat(r.kind, ' ', r.identity) AS object, array_to_string(r.changed, ', ') AS changed, row_number() OVER (ORDER BY r.kind, r.identity) AS n
      FROM migmgr_internal.drift_rows() AS r WHERE r.drift = 'different'
  )
  SELECT 'changed', d.object, 'warning', format('not as it was recorded: %s', d.changed), 'SELECT * FROM migmgr.drift(); shows both, who did it, and how to accept or undo it.'
    FROM drifted AS d WHERE d.n <= 20
  UNION ALL
  SELECT 'changed', format('%s more objects', count(*) - 20), 'warning', 'not as they were recorded', 'SELECT * FROM migmgr.drift();' FROM drifted AS d HAVING count(*) > 20
  UNION ALL
  SELECT 'changed', NULL, 'ok', 'every recorded object that is there is as it was recorded', NULL FROM drifted AS d HAVING count(*) = 0
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_drift() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_drift() IS 'objects were changed by nobody but migrations';
