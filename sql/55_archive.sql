-- Archives: what a rollback took away and kept.  One schema per rollback, named
-- after the ledger entry that was undone.  A table is moved there as it is on
-- disk, and an empty stand-in is left for the way back to drop; what hangs on
-- the table (indexes, constraints, triggers, rules, policies, publications) is
-- written down and goes with the stand-in.  A column is copied with the primary
-- key of its rows.
--
-- The functions are called by the C code of a run only, between record_begin and
-- record_end: as the owner of migmgr, with the guard standing aside.

CREATE TABLE migmgr_internal.archive (
  seq        bigint      NOT NULL,
  n          integer     NOT NULL,
  version    text        NOT NULL,
  kind       text        NOT NULL,
  identity   text        NOT NULL,
  relation   text,
  columns    text[],
  row_count  bigint,
  last_value bigint,
  is_called  boolean,
  definition text,
  state      text        NOT NULL DEFAULT 'kept',
  at         timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (seq, n)
);
COMMENT ON TABLE migmgr_internal.archive IS 'what each rollback with on_data archive has kept: tables, columns and values of sequences';
COMMENT ON COLUMN migmgr_internal.archive.seq IS 'ledger entry that was undone; the schema is migmgr_archive_<seq>';
COMMENT ON COLUMN migmgr_internal.archive.relation IS 'name in the archive schema';
COMMENT ON COLUMN migmgr_internal.archive.columns IS 'of a table the columns that come back, of a column its primary key and itself, of a sequence the column it belongs to';
COMMENT ON COLUMN migmgr_internal.archive.definition IS 'statements for what hung on the table';
CREATE INDEX archive_kept ON migmgr_internal.archive (version, seq) WHERE state = 'kept';
CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr_internal.archive
  FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard('record');
CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr_internal.archive
  FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard('record');
ALTER TABLE migmgr_internal.archive ENABLE ALWAYS TRIGGER row_guard;
ALTER TABLE migmgr_internal.archive ENABLE ALWAYS TRIGGER row_guard_truncate;
SELECT pg_catalog.pg_extension_config_dump('migmgr_internal.archive', '');
GRANT SELECT ON migmgr_internal.archive TO pg_database_owner;

CREATE FUNCTION migmgr_internal.archive_schema(seq bigint) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$SELECT concat('migmgr_archive_', seq)$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_schema(bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_schema(bigint) IS 'schema of the archive that belongs to a ledger entry';

-- In the order in which they have to be made again.  standin: is it made again
-- for the stand-in, so that a way back which names it finds it?
CREATE FUNCTION migmgr_internal.archive_parts(relid oid)
  RETURNS TABLE (place integer, remove text, make text, standin boolean)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH part(place, name, remove, make, standin) AS (
    SELECT 6, c.conname,
           format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname),
           format('ALTER TABLE %s ADD CONSTRAINT %I %s%s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid),
             CASE WHEN c.convalidated THEN ' NOT VALID' ELSE '' END),
           r.relkind = 'r'
      FROM pg_constraint AS c JOIN pg_class AS r ON r.oid = c.conrelid
     WHERE c.contype = 'f' AND c.confrelid = $1 AND c.conrelid <> $1 AND c.conparentid = 0
    UNION ALL
    SELECT array_position('{p,u,x,c,f}', c.contype::text), c.conname,
           format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname),
           format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)), true
      FROM pg_constraint AS c
     WHERE c.conrelid = $1 AND c.contype IN ('p', 'u', 'x', 'c', 'f') AND c.conparentid = 0
    UNION ALL
    SELECT 7, c.relname, format('DROP INDEX %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid), true
      FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
     WHERE i.indrelid = $1 AND NOT c.relispartition
       AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.conrelid = $1 AND k.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 8, s.stxname, format('DROP STATISTICS %I.%I', s.stxnamespace::regnamespace, s.stxname), pg_get_statisticsobjdef(s.oid), true
      FROM pg_statistic_ext AS s WHERE s.stxrelid = $1
    UNION ALL
    SELECT 9, t.tgname, format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass), pg_get_triggerdef(t.oid), true
      FROM pg_trigger AS t WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL
    SELECT 10, w.rulename, format('DROP RULE %I ON %s', w.rulename, w.ev_class::regclass), pg_get_ruledef(w.oid), true
      FROM pg_rewrite AS w WHERE w.ev_class = $1
    UNION ALL
    SELECT 11, p.polname, format('DROP POLICY %I ON %s', p.polname, p.polrelid::regclass),
           format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, p.polrelid::regclass,
             CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
             CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
             (SELECT string_agg(CASE r.role WHEN 0 THEN 'PUBLIC' ELSE r.role::regrole::text END, ', ') FROM unnest(p.polroles) AS r(role)),
             ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
             ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'), true
      FROM pg_policy AS p WHERE p.polrelid = $1
    UNION ALL
    SELECT 12, b.pubname, format('ALTER PUBLICATION %I DROP TABLE %s', b.pubname, r.prrelid::regclass),
           format('ALTER PUBLICATION %I ADD TABLE ONLY %s', b.pubname, r.prrelid::regclass), true
      FROM pg_publication_rel AS r JOIN pg_publication AS b ON b.oid = r.prpubid
     WHERE r.prrelid = $1
  )
  SELECT p.place, p.remove, p.make, p.standin FROM part AS p ORDER BY p.place, p.name
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_parts(oid) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_parts(oid) IS 'what hangs on a table: how to take it off and how to make it again';

-- Types that go and that archived columns are of.
CREATE FUNCTION migmgr_internal.archive_needed_types(columns jsonb, dropped oid[]) RETURNS SETOF oid
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH RECURSIVE needed(typid) AS (
    SELECT a.atttypid FROM jsonb_to_recordset(columns) AS c(objid oid, objsubid integer)
      JOIN pg_attribute AS a ON a.attrelid = c.objid AND a.attnum > 0 AND NOT a.attisdropped
                            AND (c.objsubid = 0 OR a.attnum = c.objsubid)
    UNION
    SELECT x.typid
      FROM needed AS n JOIN pg_type AS t ON t.oid = n.typid
      CROSS JOIN LATERAL (
        SELECT t.typelem WHERE t.typelem <> 0
        UNION ALL SELECT t.typbasetype WHERE t.typbasetype <> 0
        UNION ALL SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT r.rngsubtype FROM pg_range AS r WHERE r.rngtypid = t.oid
      ) AS x(typid)
  )
  SELECT n.typid FROM needed AS n WHERE n.typid = ANY (dropped)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_needed_types(jsonb, oid[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_needed_types(jsonb, oid[]) IS 'types among the dropped ones that archived columns are made of';

-- A type that archived rows are made of goes with them; one of the same name is
-- left for the way back to drop, and so are functions that take or return it.
CREATE FUNCTION migmgr_internal.archive_type(type oid, home text, dropped oid[]) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  t pg_type%ROWTYPE;
  name text := type::regtype;
  definition text;
  item record;
  again text[] := '{}';
BEGIN
  SELECT y.* INTO STRICT t FROM pg_type AS y WHERE y.oid = type;
  definition := CASE t.typtype
    WHEN 'e' THEN (SELECT format('CREATE TYPE %s AS ENUM (%s)', name, string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder))
                     FROM pg_enum AS e WHERE e.enumtypid = type)
    WHEN 'd' THEN format('CREATE DOMAIN %s AS %s', name, format_type(t.typbasetype, t.typtypmod))
    WHEN 'c' THEN (SELECT format('CREATE TYPE %s AS (%s)', name,
                            string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum))
                     FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
  END;
  IF definition IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG214',
      MESSAGE = format('cannot archive what is of type %s', name),
      DETAIL = 'The type would go, and it is neither an enum nor a domain nor a composite type.',
      HINT = 'Save the data yourself, then give it up with on_data => ''discard''.';
  END IF;
  FOR item IN
    SELECT DISTINCT p.oid, p.prokind, pg_get_functiondef(p.oid) AS definition, p.proowner
      FROM pg_depend AS d JOIN pg_proc AS p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
     WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid IN (type, t.typarray) AND d.deptype = 'n'
       AND p.oid = ANY (dropped) AND p.prokind IN ('f', 'p')
  LOOP
    again := again || item.definition;
    EXECUTE format('DROP ROUTINE %s', item.oid::regprocedure);
  END LOOP;
  EXECUTE format('ALTER TYPE %s SET SCHEMA %I', name, home);
  EXECUTE format('ALTER TYPE %s OWNER TO %I', type::regtype, current_user);
  EXECUTE definition;
  EXECUTE format('ALTER TYPE %s OWNER TO %I', name, t.typowner::regrole::name);
  FOREACH definition IN ARRAY again LOOP
    EXECUTE definition;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_type(oid, text, oid[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_type(oid, text, oid[]) IS 'move a type into an archive and leave a stand-in';

-- Nobody has a privilege on what is kept, but the owner of the database, who
-- dumps it; and no row of it changes.
CREATE FUNCTION migmgr_internal.archive_seal(relid oid) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  item record;
BEGIN
  EXECUTE format('ALTER TABLE %s OWNER TO %I', relid::regclass, current_user);
  FOR item IN
    SELECT DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END AS grantee
      FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS x
     WHERE c.oid = relid AND x.grantee <> c.relowner
  LOOP
    EXECUTE format('REVOKE ALL ON %s FROM %s', relid::regclass, item.grantee);
  END LOOP;
  EXECUTE format('GRANT SELECT ON %s TO pg_database_owner', relid::regclass);
  EXECUTE format('CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON %s
    FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard(''record'')', relid::regclass);
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER row_guard', relid::regclass);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_seal(oid) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_seal(oid) IS 'take a table of an archive from everybody';

-- A name that is free in the archive.
CREATE FUNCTION migmgr_internal.archive_name(home text, name text) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT c.name
    FROM (SELECT 0 AS n, left(archive_name.name, 60) AS name
          UNION ALL SELECT g, left(archive_name.name, 58) || '_' || g FROM generate_series(2, 999) AS g) AS c
   WHERE to_regclass(format('%I.%I', home, c.name)) IS NULL AND to_regtype(format('%I.%I', home, c.name)) IS NULL
   ORDER BY c.n LIMIT 1
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_name(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_name(text, text) IS 'a name for a relation in an archive';

-- Values of the sequences that belong to a table, and of one that goes by itself.
CREATE FUNCTION migmgr_internal.archive_sequence(archive bigint, version text, sequence oid, identity text, of_column text) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  value bigint;
  called boolean;
BEGIN
  EXECUTE format('SELECT s.last_value, s.is_called FROM %s AS s', archive_sequence.sequence::regclass) INTO value, called;
  INSERT INTO migmgr_internal.archive (seq, n, version, kind, identity, columns, last_value, is_called)
    SELECT archive_sequence.archive, COALESCE(max(a.n), 0) + 1, archive_sequence.version, 'sequence', archive_sequence.identity, ARRAY[of_column], value, called
      FROM migmgr_internal.archive AS a WHERE a.seq = archive_sequence.archive;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_sequence(bigint, text, oid, text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_sequence(bigint, text, oid, text, text) IS 'note where a sequence stands';

CREATE FUNCTION migmgr_internal.archive_table(archive bigint, version text, relid oid, dropped oid[]) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  home text := migmgr_internal.archive_schema(archive_table.archive);
  live text := archive_table.relid::regclass;
  rel pg_class%ROWTYPE;
  kept text;
  parent text;
  bound text;
  lost text[] := '{}';
  again text[] := '{}';
  kept_columns text[];
  found bigint;
  item record;
BEGIN
  SELECT c.* INTO STRICT rel FROM pg_class AS c WHERE c.oid = archive_table.relid;
  kept := migmgr_internal.archive_name(home, rel.relname);
  SELECT array_agg(a.attname ORDER BY a.attnum) INTO kept_columns FROM pg_attribute AS a
   WHERE a.attrelid = archive_table.relid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
  -- where the sequences of its columns stand; those of serial columns stay behind
  FOR item IN
    SELECT d.objid AS sequence, a.attname, d.deptype
      FROM pg_depend AS d JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
      JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = archive_table.relid
       AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
  LOOP
    PERFORM migmgr_internal.archive_sequence(archive_table.archive, archive_table.version, item.sequence, live, item.attname);
    IF item.deptype = 'a' THEN
      EXECUTE format('ALTER SEQUENCE %s OWNED BY NONE', item.sequence::regclass);
      again := again || format('ALTER SEQUENCE %s OWNED BY %s.%I', item.sequence::regclass, live, item.attname);
    END IF;
  END LOOP;
  -- views and functions that will go too, bound to the stand-in by their text
  FOR item IN
    SELECT DISTINCT format('CREATE OR REPLACE VIEW %s AS %s', w.ev_class::regclass, pg_get_viewdef(w.ev_class)) AS make
      FROM pg_depend AS d JOIN pg_rewrite AS w ON w.oid = d.objid JOIN pg_class AS c ON c.oid = w.ev_class AND c.relkind = 'v'
     WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = archive_table.relid
       AND w.ev_class = ANY (dropped)
    UNION
    SELECT DISTINCT pg_get_functiondef(p.oid)
      FROM pg_depend AS d JOIN pg_proc AS p ON p.oid = d.objid
     WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = archive_table.relid
       AND p.prosqlbody IS NOT NULL AND p.oid = ANY (dropped)
  LOOP
    again := again || item.make;
  END LOOP;
  IF rel.relispartition THEN
    SELECT i.inhparent::regclass, pg_get_expr(rel.relpartbound, rel.oid) INTO parent, bound
      FROM pg_inherits AS i WHERE i.inhrelid = rel.oid;
    EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', parent, live);
  ELSE
    FOR item IN SELECT i.inhparent::regclass::text AS parent FROM pg_inherits AS i WHERE i.inhrelid = archive_table.relid LOOP
      EXECUTE format('ALTER TABLE %s NO INHERIT %s', live, item.parent);
      lost := lost || format('ALTER TABLE %s INHERIT %s', live, item.parent);
    END LOOP;
  END IF;
  IF rel.reloftype <> 0 THEN
    EXECUTE format('ALTER TABLE %s NOT OF', live);
    lost := lost || format('ALTER TABLE %s OF %s', live, rel.reloftype::regtype);
  END IF;
  FOR item IN SELECT p.* FROM migmgr_internal.archive_parts(archive_table.relid) WITH ORDINALITY AS p ORDER BY p.ordinality DESC LOOP
    EXECUTE item.remove;
    lost := item.make || lost;
    IF item.standin THEN
      again := item.make || again;
    END IF;
  END LOOP;
  IF rel.relrowsecurity THEN
    lost := lost || format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', live);
    EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', live);
  END IF;

  -- counting takes a time that grows with the table: only where it is small
  IF pg_relation_size(archive_table.relid) <= pg_size_bytes(current_setting('migmgr.small_relation')) THEN
    EXECUTE format('SELECT count(*) FROM ONLY %s', live) INTO found;
  ELSE
    found := NULLIF(rel.reltuples, -1)::bigint;
  END IF;
  IF kept <> rel.relname THEN
    EXECUTE format('ALTER TABLE %s RENAME TO %I', live, kept);
  END IF;
  EXECUTE format('ALTER TABLE %s SET SCHEMA %I', archive_table.relid::regclass, home);
  EXECUTE format('CREATE %sTABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING IDENTITY)',
    CASE rel.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END, live, archive_table.relid::regclass);
  EXECUTE format('ALTER TABLE %s OWNER TO %I', live, rel.relowner::regrole::name);
  FOR item IN
    SELECT a.attname, a.attidentity, a.attgenerated, a.atthasdef FROM pg_attribute AS a
     WHERE a.attrelid = archive_table.relid AND a.attnum > 0 AND NOT a.attisdropped
       AND (a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '')
  LOOP
    EXECUTE format(CASE WHEN item.attgenerated = 'v' THEN 'ALTER TABLE %s DROP COLUMN %I'
                        WHEN item.attgenerated = 's' THEN 'ALTER TABLE %s ALTER COLUMN %I DROP EXPRESSION'
                        WHEN item.attidentity <> '' THEN 'ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY'
                        ELSE 'ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT' END,
      archive_table.relid::regclass, item.attname);
  END LOOP;
  -- a domain that stays may become a stricter one again
  FOR item IN
    WITH RECURSIVE base(attname, typid, typmod) AS (
      SELECT a.attname, a.atttypid, a.atttypmod FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid AND t.typtype = 'd'
       WHERE a.attrelid = archive_table.relid AND a.attnum > 0 AND NOT a.attisdropped AND t.oid <> ALL (dropped)
      UNION ALL
      SELECT b.attname, t.typbasetype, t.typtypmod FROM base AS b JOIN pg_type AS t ON t.oid = b.typid AND t.typtype = 'd'
    )
    SELECT b.attname, format_type(b.typid, b.typmod) AS type FROM base AS b JOIN pg_type AS t ON t.oid = b.typid AND t.typtype <> 'd'
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE %s', archive_table.relid::regclass, item.attname, item.type);
  END LOOP;
  FOR i IN 1 .. cardinality(again) LOOP
    EXECUTE again[i];
  END LOOP;
  IF bound IS NOT NULL THEN
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s %s', parent, live, bound);
  END IF;
  PERFORM migmgr_internal.archive_seal(archive_table.relid);
  INSERT INTO migmgr_internal.archive (seq, n, version, kind, identity, relation, columns, row_count, definition)
    SELECT archive_table.archive, COALESCE(max(a.n), 0) + 1, archive_table.version, 'table', live, kept, kept_columns, found,
           NULLIF(array_to_string(lost, E';\n'), '')
      FROM migmgr_internal.archive AS a WHERE a.seq = archive_table.archive;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_table(bigint, text, oid, oid[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_table(bigint, text, oid, oid[]) IS 'move a table into an archive and leave an empty stand-in';

CREATE FUNCTION migmgr_internal.archive_column(archive bigint, version text, relid oid, attnum integer) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  home text := migmgr_internal.archive_schema(archive_column.archive);
  live text := archive_column.relid::regclass;
  key text[];
  col name;
  kept text;
  found bigint;
BEGIN
  SELECT a.attname INTO STRICT col FROM pg_attribute AS a WHERE a.attrelid = archive_column.relid AND a.attnum = archive_column.attnum;
  SELECT array_agg(a.attname ORDER BY k.ordinality) INTO key
    FROM pg_index AS i CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, ordinality)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
   WHERE i.indrelid = archive_column.relid AND i.indisprimary AND k.ordinality <= i.indnkeyatts;
  IF key IS NULL OR col = ANY (key) THEN
    RAISE EXCEPTION USING ERRCODE = 'MG214',
      MESSAGE = format('cannot archive column %s.%I', live, col),
      DETAIL = CASE WHEN key IS NULL THEN format('Table %s has no primary key, so nothing would say which row a value belongs to.', live)
                    ELSE 'It is part of the primary key, so nothing else would say which row a value belongs to.' END,
      HINT = CASE WHEN key IS NULL THEN format('Add a primary key to %s, or save the column yourself and give it up with on_data => ''discard''.', live)
                  ELSE 'Save the column yourself, then give it up with on_data => ''discard''.' END;
  END IF;
  kept := migmgr_internal.archive_name(home, concat((SELECT c.relname FROM pg_class AS c WHERE c.oid = archive_column.relid), '_', col));
  EXECUTE format('CREATE TABLE %I.%I AS SELECT %s, %I FROM ONLY %s WHERE %I IS NOT NULL', home, kept,
    (SELECT string_agg(quote_ident(k.name), ', ' ORDER BY k.ordinality) FROM unnest(key) WITH ORDINALITY AS k(name, ordinality)), col, live, col);
  GET DIAGNOSTICS found = ROW_COUNT;
  PERFORM migmgr_internal.archive_seal(to_regclass(format('%I.%I', home, kept)));
  INSERT INTO migmgr_internal.archive (seq, n, version, kind, identity, relation, columns, row_count)
    SELECT archive_column.archive, COALESCE(max(a.n), 0) + 1, archive_column.version, 'column', format('%s.%I', live, col), kept, key || col::text, found
      FROM migmgr_internal.archive AS a WHERE a.seq = archive_column.archive;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_column(bigint, text, oid, integer) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_column(bigint, text, oid, integer) IS 'copy a column with its primary key into an archive';

-- objects: what the way back drops, tried out before, as a JSON array of
-- {classid, objid, objsubid, rows}.
CREATE FUNCTION migmgr_internal.archive_store(archive bigint, version text, objects jsonb)
  RETURNS TABLE (kind text, identity text, row_count bigint)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  home text := migmgr_internal.archive_schema(archive_store.archive);
  held jsonb;
  dropped oid[];
  item record;
BEGIN
  SELECT array_agg(o.objid) INTO dropped
    FROM jsonb_to_recordset(objects) AS o(classid oid, objid oid, objsubid integer) WHERE o.objsubid = 0;
  SELECT jsonb_agg(jsonb_build_object('objid', o.objid, 'objsubid', o.objsubid) ORDER BY o.objid, o.objsubid) INTO held
    FROM jsonb_to_recordset(objects) AS o(classid oid, objid oid, objsubid integer, rows bigint)
   WHERE o.classid = 'pg_class'::regclass AND o.rows > 0
     AND NOT EXISTS (SELECT FROM jsonb_to_recordset(objects) AS t(classid oid, objid oid, objsubid integer)
                      WHERE t.classid = o.classid AND t.objid = o.objid AND t.objsubid = 0 AND o.objsubid <> 0)
     AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = o.objid AND a.attnum = o.objsubid AND a.attgenerated <> '');
  IF held IS NULL THEN
    RETURN;
  END IF;

  EXECUTE format('CREATE SCHEMA %I', home);
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO pg_database_owner', home);
  EXECUTE format('COMMENT ON SCHEMA %I IS %L', home, format('kept by migmgr when version %s was rolled back; see migmgr.archives', version));
  FOR item IN SELECT DISTINCT h.objid FROM jsonb_to_recordset(held) AS h(objid oid) ORDER BY 1 LOOP
    EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', item.objid::regclass);
  END LOOP;
  FOR item IN SELECT h.objid, h.objsubid FROM jsonb_to_recordset(held) AS h(objid oid, objsubid integer) WHERE h.objsubid <> 0 LOOP
    PERFORM migmgr_internal.archive_column(archive_store.archive, archive_store.version, item.objid, item.objsubid);
  END LOOP;
  FOR item IN
    SELECT o.objid, o.objid::regclass::text AS identity
      FROM jsonb_to_recordset(objects) AS o(classid oid, objid oid, objsubid integer) JOIN pg_class AS c ON c.oid = o.objid AND c.relkind = 'S'
     WHERE o.classid = 'pg_class'::regclass AND o.objsubid = 0
       AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = o.objid
                          AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i'))
  LOOP
    PERFORM migmgr_internal.archive_sequence(archive_store.archive, archive_store.version, item.objid, item.identity, NULL);
  END LOOP;
  FOR item IN SELECT t.typid FROM migmgr_internal.archive_needed_types(held, dropped) AS t(typid) LOOP
    PERFORM migmgr_internal.archive_type(item.typid, home, dropped);
  END LOOP;
  FOR item IN SELECT h.objid FROM jsonb_to_recordset(held) AS h(objid oid, objsubid integer) WHERE h.objsubid = 0 LOOP
    PERFORM migmgr_internal.archive_table(archive_store.archive, archive_store.version, item.objid, dropped);
  END LOOP;
  RETURN QUERY SELECT a.kind, a.identity, a.row_count FROM migmgr_internal.archive AS a
    WHERE a.seq = archive_store.archive AND a.kind <> 'sequence' ORDER BY a.n;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_store(bigint, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_store(bigint, text, jsonb) IS 'keep the data that a way back would drop';

-- After the way back has run nothing outside may hang on the archive any more.
CREATE FUNCTION migmgr_internal.archive_users(archive bigint) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH home(oid) AS (
    SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = migmgr_internal.archive_schema(archive)
  ), own(classid, objid) AS (
    SELECT 'pg_class'::regclass::oid, c.oid FROM pg_class AS c JOIN home AS h ON h.oid = c.relnamespace
    UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type AS t JOIN home AS h ON h.oid = t.typnamespace
  )
  SELECT string_agg(DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid), E'\n')
    FROM pg_depend AS d JOIN own AS o ON o.classid = d.refclassid AND o.objid = d.refobjid
   WHERE NOT EXISTS (SELECT FROM own AS i WHERE i.classid = d.classid AND i.objid = d.objid)
     AND d.deptype IN ('n', 'a')
     AND d.classid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass)
     AND NOT EXISTS (SELECT FROM pg_constraint AS k JOIN own AS r ON r.objid IN (k.conrelid, k.contypid)
                      WHERE d.classid = 'pg_constraint'::regclass AND k.oid = d.objid)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_users(bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_users(bigint) IS 'objects outside that still depend on an archive';

-- How the data of a version comes back: one row per table or column that is
-- there again.  before and after are migmgr's; fill runs as the owner of the
-- table, because it evaluates that owner's constraints and expressions.  What a
-- script puts into a table each time is in the archive already, as it was last;
-- so if the script is the same, that goes, unless other tables refer to it.
CREATE FUNCTION migmgr_internal.archive_plan(version text, checksum text)
  RETURNS TABLE (archive bigint, n integer, kind text, identity text, relid oid, attnum integer, expected bigint,
                 source text, owner oid, before text, fill text, after text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH RECURSIVE kept AS (
    SELECT a.*, r.live::oid AS relid, r.attnum,
           EXISTS (SELECT FROM migmgr.ledger AS l WHERE l.seq = a.seq AND l.checksum = archive_plan.checksum) AS unchanged,
           format('%I.%I', migmgr_internal.archive_schema(a.seq), a.relation) AS source
      FROM migmgr_internal.archive AS a
      CROSS JOIN LATERAL (
        SELECT CASE a.kind WHEN 'table' THEN to_regclass(a.identity)
                           ELSE to_regclass(regexp_replace(a.identity, '\.("([^"]|"")+"|[^."]+)$', '')) END AS live) AS l
      LEFT JOIN pg_attribute AS f ON a.kind = 'column' AND f.attrelid = l.live AND f.attname = a.columns[cardinality(a.columns)]
      CROSS JOIN LATERAL (SELECT l.live, COALESCE(f.attnum, 0)::integer AS attnum) AS r
     WHERE a.version = archive_plan.version AND a.state = 'kept' AND a.kind IN ('table', 'column')
       AND a.seq = (SELECT max(m.seq) FROM migmgr_internal.archive AS m WHERE m.version = archive_plan.version AND m.state = 'kept')
       AND l.live IS NOT NULL AND (a.kind = 'table' OR f.attnum IS NOT NULL)
  ), depth(relid, seen) AS (
    SELECT k.relid, ARRAY[k.relid] FROM kept AS k
    UNION ALL
    SELECT d.relid, d.seen || c.confrelid
      FROM depth AS d JOIN pg_constraint AS c ON c.conrelid = d.seen[cardinality(d.seen)] AND c.contype = 'f'
      JOIN kept AS k ON k.relid = c.confrelid
     WHERE c.confrelid <> ALL (d.seen)
  ), pair AS (
    SELECT k.seq, k.n, c.name, c.ordinality,
           CASE WHEN l.atttypid = s.atttypid THEN format('a.%I', c.name)
                ELSE format('a.%I::text::%s', c.name, format_type(l.atttypid, l.atttypmod)) END AS value
      FROM kept AS k CROSS JOIN LATERAL unnest(k.columns) WITH ORDINALITY AS c(name, ordinality)
      JOIN pg_attribute AS l ON l.attrelid = k.relid AND l.attname = c.name AND NOT l.attisdropped AND l.attgenerated = ''
      JOIN pg_attribute AS s ON s.attrelid = to_regclass(k.source) AND s.attname = c.name AND NOT s.attisdropped
  )
  SELECT k.seq, k.n, k.kind, k.identity, k.relid, k.attnum, k.row_count, k.source, c.relowner,
         concat(g.grants, (SELECT string_agg(format('ALTER TABLE %s DISABLE TRIGGER %I;', k.relid::regclass, t.tgname), '') FROM pg_trigger AS t
                  WHERE t.tgrelid = k.relid AND NOT t.tgisinternal AND t.tgenabled <> 'D'),
                CASE WHEN k.kind = 'table' AND k.unchanged AND NOT EXISTS (SELECT FROM pg_constraint AS f WHERE f.confrelid = k.relid AND f.contype = 'f')
                          AND NOT EXISTS (SELECT FROM pg_rewrite AS w WHERE w.ev_class = k.relid)
                     THEN format('DELETE FROM ONLY %s;', k.relid::regclass) END),
         CASE k.kind
           WHEN 'table' THEN (SELECT format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s AS a ON CONFLICT DO NOTHING', k.relid::regclass,
                                string_agg(quote_ident(p.name), ', ' ORDER BY p.ordinality), string_agg(p.value, ', ' ORDER BY p.ordinality), k.source)
                                FROM pair AS p WHERE p.seq = k.seq AND p.n = k.n)
           ELSE (SELECT format('UPDATE %s AS t SET %I = %s FROM %s AS a WHERE %s', k.relid::regclass, k.columns[cardinality(k.columns)],
                           max(p.value) FILTER (WHERE p.ordinality = cardinality(k.columns)), k.source,
                           string_agg(format('t.%I = %s', p.name, p.value), ' AND ') FILTER (WHERE p.ordinality < cardinality(k.columns)))
                   FROM pair AS p WHERE p.seq = k.seq AND p.n = k.n) END,
         concat((SELECT string_agg(format('ALTER TABLE %s ENABLE %sTRIGGER %I;', k.relid::regclass,
                           CASE t.tgenabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' ELSE '' END, t.tgname), '') FROM pg_trigger AS t
                  WHERE t.tgrelid = k.relid AND NOT t.tgisinternal AND t.tgenabled <> 'D'), g.revokes)
    FROM kept AS k JOIN pg_class AS c ON c.oid = k.relid
    -- a superuser needs none, and a grant to the owner of migmgr is no grant
    CROSS JOIN LATERAL (
      SELECT format('GRANT USAGE ON SCHEMA %1$I TO %2$I;GRANT SELECT ON %3$s TO %2$I;', migmgr_internal.archive_schema(k.seq), c.relowner::regrole::name, k.source) AS grants,
             format('REVOKE SELECT ON %3$s FROM %2$I;REVOKE USAGE ON SCHEMA %1$I FROM %2$I;', migmgr_internal.archive_schema(k.seq), c.relowner::regrole::name, k.source) AS revokes
        FROM pg_roles AS r WHERE r.oid = c.relowner AND NOT r.rolsuper
      UNION ALL SELECT '', '' FROM pg_roles AS r WHERE r.oid = c.relowner AND r.rolsuper) AS g
   ORDER BY (SELECT max(cardinality(d.seen)) FROM depth AS d WHERE d.relid = k.relid), k.n
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_plan(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_plan(text, text) IS 'statements that bring back the data of a version';

-- Of a table of an archive, how many of its rows are not in the table that is
-- there now.
CREATE FUNCTION migmgr_internal.archive_missing(archive bigint, n integer, relid oid) RETURNS bigint
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  a migmgr_internal.archive%ROWTYPE;
  columns text;
  missing bigint;
BEGIN
  SELECT k.* INTO STRICT a FROM migmgr_internal.archive AS k WHERE k.seq = archive_missing.archive AND k.n = archive_missing.n;
  SELECT string_agg(quote_ident(l.attname) || '::text', ', ' ORDER BY l.attnum) INTO columns FROM pg_attribute AS l
   WHERE l.attrelid = archive_missing.relid AND l.attname = ANY (a.columns) AND NOT l.attisdropped AND l.attgenerated = '';
  EXECUTE format('SELECT count(*) FROM (SELECT ROW(%1$s)::text FROM %2$I.%3$I EXCEPT ALL SELECT ROW(%1$s)::text FROM ONLY %4$s) AS m', columns,
    migmgr_internal.archive_schema(a.seq), a.relation, archive_missing.relid::regclass) INTO missing;
  RETURN missing;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_missing(bigint, integer, oid) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_missing(bigint, integer, oid) IS 'rows of an archived table that the new table lacks';

-- done: numbers of the parts whose data is all there again.  Sequences go on
-- where they were.  An archive with nothing left in it goes.
CREATE FUNCTION migmgr_internal.archive_close(archive bigint, done integer[]) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  item record;
  sequence regclass;
BEGIN
  FOR item IN SELECT a.* FROM migmgr_internal.archive AS a WHERE a.seq = archive_close.archive AND a.kind = 'sequence' AND a.state = 'kept' LOOP
    sequence := CASE WHEN item.columns[1] IS NULL THEN to_regclass(item.identity)
                     WHEN EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = to_regclass(item.identity) AND a.attname = item.columns[1])
                       THEN pg_get_serial_sequence(item.identity, item.columns[1])::regclass END;
    IF EXISTS (SELECT FROM pg_class AS c WHERE c.oid = sequence AND c.relkind = 'S') THEN
      PERFORM setval(sequence, item.last_value, item.is_called);
      UPDATE migmgr_internal.archive AS a SET state = 'brought back' WHERE a.seq = item.seq AND a.n = item.n;
    END IF;
  END LOOP;
  UPDATE migmgr_internal.archive AS a SET state = 'brought back' WHERE a.seq = archive_close.archive AND a.n = ANY (done);
  IF EXISTS (SELECT FROM migmgr_internal.archive AS a WHERE a.seq = archive_close.archive AND a.kind <> 'sequence' AND a.state = 'kept') THEN
    RETURN false;
  END IF;
  UPDATE migmgr_internal.archive AS a SET state = 'brought back' WHERE a.seq = archive_close.archive AND a.state = 'kept';
  EXECUTE format('DROP SCHEMA %I CASCADE', migmgr_internal.archive_schema(archive_close.archive));
  RETURN true;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_close(bigint, integer[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_close(bigint, integer[]) IS 'what came back is not archived any more';

CREATE FUNCTION migmgr_internal.archive_purge(archive bigint) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  what text;
BEGIN
  SELECT string_agg(format('%s %s', a.kind, a.identity), ', ' ORDER BY a.n) INTO what
    FROM migmgr_internal.archive AS a WHERE a.seq = archive AND a.state = 'kept' AND a.kind <> 'sequence';
  UPDATE migmgr_internal.archive AS a SET state = 'purged' WHERE a.seq = archive AND a.state = 'kept';
  EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', migmgr_internal.archive_schema(archive));
  RETURN what;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_purge(bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_purge(bigint) IS 'drop an archive; purge_archive() decides which';

CREATE VIEW migmgr.archives WITH (security_invoker = false) AS
  SELECT concat('migmgr_archive_', a.seq) AS archive, a.version, a.kind, a.identity AS object, a.row_count AS rows,
         pg_size_pretty(pg_total_relation_size(c.oid)) AS size,
         CASE WHEN age(clock_timestamp(), a.at) < interval '1 hour' THEN concat(extract(minute FROM age(clock_timestamp(), a.at)), ' min')
              WHEN age(clock_timestamp(), a.at) < interval '1 day' THEN concat(extract(hour FROM age(clock_timestamp(), a.at)), ' h')
              ELSE concat(extract(day FROM clock_timestamp() - a.at), ' days') END AS age,
         CASE WHEN a.state = 'kept' AND c.oid IS NULL THEN 'missing' ELSE a.state END AS state,
         l.role AS archived_by, a.at, a.columns, a.definition, pg_total_relation_size(c.oid) AS bytes
    FROM migmgr_internal.archive AS a
    LEFT JOIN pg_namespace AS s ON s.nspname = concat('migmgr_archive_', a.seq)
    LEFT JOIN pg_class AS c ON c.relnamespace = s.oid AND c.relname = a.relation
    LEFT JOIN LATERAL (SELECT r.role FROM migmgr.ledger AS r
                        WHERE r.version = a.version AND r.event = 'rolled back' AND r.seq > a.seq ORDER BY r.seq LIMIT 1) AS l ON true
   WHERE a.kind <> 'sequence'
   ORDER BY a.state <> 'kept', a.seq DESC, a.n;
COMMENT ON VIEW migmgr.archives IS 'data that rollbacks have kept (on_data => archive), with size and age, and what became of it';
COMMENT ON COLUMN migmgr.archives.rows IS 'counted where the table was no larger than migmgr.small_relation, else as estimated by the server';
COMMENT ON COLUMN migmgr.archives.state IS 'kept, brought back (the version was applied again), purged, or missing';
COMMENT ON COLUMN migmgr.archives.definition IS 'statements for what hung on the table: indexes, constraints, triggers, rules, policies, publications';

CREATE FUNCTION migmgr.purge_archive(archive text DEFAULT NULL, older_than interval DEFAULT NULL, reason text DEFAULT NULL)
  RETURNS TABLE (archive text, status text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_purge_archive';
REVOKE ALL ON FUNCTION migmgr.purge_archive(text, interval, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.purge_archive(text, interval, text) IS 'give up an archive by name, or all that are older than a time; recorded in the ledger';
