-- The way back that is derived from what a script has done.  Described objects
-- are JSON arrays of rows of describe().

CREATE FUNCTION migmgr_internal.image(classids oid[], objids oid[]) RETURNS jsonb
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (SELECT jsonb_agg(to_jsonb(d)) FROM migmgr_internal.describe(classids, objids) AS d);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.image(oid[], oid[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.image(oid[], oid[]) IS 'objects with all their parts, described, as one value';

-- Before a script: what was described then, and of relations that only got new
-- parts what they are now; in both without what the script has made.
CREATE FUNCTION migmgr_internal.image_before(
  taken jsonb, classids oid[], objids oid[], created_classids oid[], created_objids oid[], created_subids integer[]) RETURNS jsonb
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT COALESCE(jsonb_agg(e.value), '[]')
      FROM (-- of two images the first
            SELECT DISTINCT ON (x.value ->> 'kind', x.value ->> 'classid', x.value ->> 'objid', x.value ->> 'objsubid', CASE x.value ->> 'kind' WHEN 'security label' THEN x.value ->> 'identity' END) x.value
              FROM jsonb_array_elements(taken || CASE WHEN classids = '{}' THEN '[]' ELSE COALESCE(migmgr_internal.image(classids, objids), '[]') END) WITH ORDINALITY AS x(value, n)
             ORDER BY x.value ->> 'kind', x.value ->> 'classid', x.value ->> 'objid', x.value ->> 'objsubid', CASE x.value ->> 'kind' WHEN 'security label' THEN x.value ->> 'identity' END, x.n) AS e
     WHERE NOT EXISTS (SELECT FROM unnest(created_classids, created_objids, created_subids) AS c(classid, objid, objsubid)
                        WHERE c.classid = (e.value ->> 'classid')::oid AND c.objid = (e.value ->> 'objid')::oid AND c.objsubid = (e.value ->> 'objsubid')::integer));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.image_before(jsonb, oid[], oid[], oid[], oid[], integer[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.image_before(jsonb, oid[], oid[], oid[], oid[], integer[]) IS 'objects as they were before a script';

-- Takes out rows that a script has put into an older table, as long as they are
-- what it has left and no foreign key (of those given) refers to them: by their
-- primary key, and a hash of columns, those that the script has neither made nor,
-- with before, changed.  With before nothing where it changed a name.
CREATE FUNCTION migmgr_internal.inverse_rows(relid oid, rows tid[], columns smallint[], keys oid[], before jsonb) RETURNS TABLE (sql text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET timezone = 'UTC' SET extra_float_digits = 1 SET bytea_output = 'hex'
  AS $$
DECLARE
  key text[];
  hashed text;
  free text;
BEGIN
  SELECT array_agg(format('t.%I', a.attname) ORDER BY a.attnum) INTO key
    FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::smallint[])
   WHERE i.indrelid = inverse_rows.relid AND i.indisprimary
  HAVING bool_and(a.attnum = ANY (inverse_rows.columns));
  IF key IS NULL OR EXISTS (
       SELECT FROM jsonb_to_recordset(before) AS b(kind text, identity text, objid oid, objsubid integer, facts jsonb)
         LEFT JOIN pg_attribute AS a ON a.attrelid = b.objid AND a.attnum = b.objsubid
        WHERE b.objid = inverse_rows.relid AND (b.kind = 'table' AND b.identity <> b.objid::regclass::text
           OR b.kind = 'table column' AND NOT a.attisdropped AND b.facts ->> 'name' <> quote_ident(a.attname))) THEN
    RETURN;
  END IF;
  SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attnum) INTO hashed
    FROM pg_attribute AS a
   WHERE a.attrelid = inverse_rows.relid AND a.attnum = ANY (inverse_rows.columns) AND a.attgenerated = ''
     AND NOT EXISTS (SELECT FROM jsonb_to_recordset(before) AS b(kind text, objid oid, objsubid integer, facts jsonb)
                      WHERE b.kind = 'table column' AND b.objid = a.attrelid AND b.objsubid = a.attnum
                        AND b.facts ->> 'type' <> format_type(a.atttypid, a.atttypmod));
  SELECT coalesce(string_agg(format(' AND NOT EXISTS (SELECT FROM %s AS r WHERE %s%s)', c.conrelid::regclass,
           (SELECT string_agg(format('r.%I = t.%I', x.attname, y.attname), ' AND ' ORDER BY k.ordinality)
              FROM unnest(c.conkey, c.confkey) WITH ORDINALITY AS k(referencing, referenced, ordinality)
              JOIN pg_attribute AS x ON x.attrelid = c.conrelid AND x.attnum = k.referencing
              JOIN pg_attribute AS y ON y.attrelid = c.confrelid AND y.attnum = k.referenced),
           CASE WHEN c.conrelid = c.confrelid THEN ' AND r.ctid <> t.ctid' END), '' ORDER BY c.conname), '') INTO free
    FROM pg_constraint AS c WHERE c.oid = ANY (inverse_rows.keys) AND c.conparentid = 0;
  -- nor one that is made later, and would take rows along
  free := free || format(' AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE c.confrelid = t.tableoid AND c.contype = ''f'' AND c.confdeltype IN (''c'', ''n'', ''d'') AND c.conname <> ALL (%L))',
    ARRAY(SELECT c.conname::text FROM pg_constraint AS c WHERE c.oid = ANY (inverse_rows.keys)));
  RETURN QUERY EXECUTE format('SELECT format(%L, %s, pg_catalog.md5(pg_catalog.record_send(ROW(%s)))) FROM ONLY %s AS t WHERE t.ctid = ANY ($1) ORDER BY t.ctid DESC',
    format('DELETE FROM ONLY %s AS t WHERE %s AND pg_catalog.md5(pg_catalog.record_send(ROW(%s))) = %%L%s', replace(inverse_rows.relid::regclass::text, '%', '%%'),
      (SELECT string_agg(replace(k, '%', '%%') || ' = %L', ' AND ' ORDER BY o) FROM unnest(key) WITH ORDINALITY AS u(k, o)), replace(hashed, '%', '%%'), replace(free, '%', '%%')),
    array_to_string(key, ', '), hashed, inverse_rows.relid::regclass) USING rows;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.inverse_rows(oid, tid[], smallint[], oid[], jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.inverse_rows(oid, tid[], smallint[], oid[], jsonb) IS 'statements that take out the rows that a script has put into an older table';

-- How what is there differs from what was there: one line for each object.
CREATE FUNCTION migmgr_internal.differences(before jsonb, after jsonb) RETURNS TABLE (kind text, identity text, line text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT COALESCE(b.kind, a.kind), COALESCE(b.identity, a.identity),
           concat(COALESCE(b.kind, a.kind), ' ', COALESCE(b.identity, a.identity),
             CASE WHEN a.kind IS NULL THEN ' would be missing' WHEN b.kind IS NULL THEN ' would be left over' ELSE ' would be different' END)
      FROM (SELECT DISTINCT r.kind, r.identity, r.parent, r.definition
              FROM jsonb_to_recordset(before) AS r(kind text, identity text, parent text, definition text)) AS b
      FULL JOIN (SELECT DISTINCT r.kind, r.identity, r.parent, r.definition
                   FROM jsonb_to_recordset(after) AS r(kind text, identity text, parent text, definition text)) AS a
        ON a.kind = b.kind AND a.identity = b.identity AND a.parent IS NOT DISTINCT FROM b.parent
     WHERE a.definition IS DISTINCT FROM b.definition
     ORDER BY 1, 2;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.differences(jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.differences(jsonb, jsonb) IS 'objects that are missing, left over or different in the second of two descriptions';

-- What a derived way back is about, as its migration left it: a rollback that
-- finds it otherwise does nothing.  Addresses survive a restore.
CREATE TABLE migmgr_internal.made (
  seq      bigint  NOT NULL,
  n        integer NOT NULL,
  kind     text    NOT NULL,
  identity text    NOT NULL,
  hash     text    NOT NULL,
  existed  boolean NOT NULL,
  type     text,
  names    text[],
  args     text[],
  PRIMARY KEY (seq, n)
);
COMMENT ON TABLE migmgr_internal.made IS 'objects that a migration made or changed, as it left them; type, names and args are the address of the whole object';
COMMENT ON COLUMN migmgr_internal.made.existed IS 'it was there before: the way back puts its former definition in place';
CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr_internal.made
  FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard('record');
CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr_internal.made
  FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard('record');
ALTER TABLE migmgr_internal.made ENABLE ALWAYS TRIGGER row_guard;
ALTER TABLE migmgr_internal.made ENABLE ALWAYS TRIGGER row_guard_truncate;
SELECT pg_catalog.pg_extension_config_dump('migmgr_internal.made', '');
GRANT SELECT ON migmgr_internal.made TO pg_database_owner;

-- Of what a rollback drops anyway, owner, grants and comment do not count.
CREATE FUNCTION migmgr_internal.made_hash(definition text, existed boolean) RETURNS text
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (SELECT md5(CASE WHEN existed THEN definition ELSE regexp_replace(definition, '\n  (OWNER|GRANTS|COMMENT) [^\n]*', '', 'g') END));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.made_hash(text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.made_hash(text, boolean) IS 'hash of a definition, as far as it matters to a rollback';

CREATE FUNCTION migmgr_internal.made_keep(entry bigint, before jsonb, after jsonb) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
  AS $$
BEGIN
  INSERT INTO migmgr_internal.made (seq, n, kind, identity, hash, existed, type, names, args)
  SELECT entry, row_number() OVER (ORDER BY a.kind, a.identity), a.kind, a.identity,
         migmgr_internal.made_hash(a.definition, b.kind IS NOT NULL), b.kind IS NOT NULL, w.type, w.object_names, w.object_args
    FROM jsonb_to_recordset(after) AS a(kind text, identity text, parent text, definition text, classid oid, objid oid)
    LEFT JOIN jsonb_to_recordset(before) AS b(kind text, identity text, parent text, definition text)
           ON b.kind = a.kind AND b.identity = a.identity AND b.parent IS NOT DISTINCT FROM a.parent
    LEFT JOIN pg_class AS c ON a.classid = 'pg_class'::regclass AND c.oid = a.objid AND c.relkind = 'c'
   CROSS JOIN LATERAL pg_identify_object_as_address(CASE WHEN c.oid IS NULL THEN a.classid ELSE 'pg_type'::regclass END, COALESCE(c.reltype, a.objid), 0) AS w
   WHERE a.definition IS DISTINCT FROM b.definition;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.made_keep(bigint, jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.made_keep(bigint, jsonb, jsonb) IS 'keep what a migration left';

-- With whom it was: a later version, or somebody outside of migmgr.
CREATE FUNCTION migmgr_internal.made_changed(entry bigint) RETURNS TABLE (line text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  item record;
  address record;
  classids oid[] := '{}';
  objids oid[] := '{}';
  now jsonb;
BEGIN
  FOR item IN SELECT DISTINCT m.type, m.names, m.args FROM migmgr_internal.made AS m WHERE m.seq = entry LOOP
    BEGIN
      SELECT o.classid, o.objid INTO address FROM pg_get_object_address(item.type, item.names, item.args) AS o;
      classids := classids || address.classid;
      objids := objids || address.objid;
    EXCEPTION WHEN undefined_object OR undefined_table OR undefined_column OR undefined_function OR invalid_schema_name OR wrong_object_type OR undefined_parameter THEN
      NULL; -- gone or renamed: it is told below
    END;
  END LOOP;
  now := COALESCE(migmgr_internal.image(classids, objids), '[]');
  RETURN QUERY
    SELECT concat(upper(left(m.kind, 1)), substr(m.kind, 2), ' ', m.identity, CASE WHEN r.kind IS NULL THEN ' is gone or renamed' ELSE ' was changed' END,
             COALESCE((SELECT concat(' by version "', l.version, '"') FROM migmgr_internal.object AS o JOIN migmgr.ledger AS l ON l.seq = o.seq
                        WHERE o.seq > entry AND o.identity = m.identity AND l.event = 'applied' ORDER BY o.seq DESC LIMIT 1),
                      (SELECT concat(' outside of migmgr: ', d.command, ' by ', d.role, ', ', to_char(d.at, 'YYYY-MM-DD HH24:MI:SS TZ'))
                         FROM migmgr_internal.ddl_log AS d WHERE d.at > (SELECT l.at FROM migmgr.ledger AS l WHERE l.seq = entry) AND m.identity IN (d.object, regexp_replace(d.object, '^public\.', ''))
                        ORDER BY d.id DESC LIMIT 1)), '.')
      FROM migmgr_internal.made AS m
      LEFT JOIN jsonb_to_recordset(now) AS r(kind text, identity text, definition text) ON r.kind = m.kind AND r.identity = m.identity
     WHERE m.seq = entry AND (r.kind IS NULL OR migmgr_internal.made_hash(r.definition, m.existed) <> m.hash)
     ORDER BY m.n;
  IF EXISTS (SELECT FROM migmgr_internal.made AS m WHERE m.seq = entry) THEN
    RETURN;
  END IF;
  -- a script that has only made things: nothing was described, the log has to do
  RETURN QUERY
    SELECT format('%s %s was changed outside of migmgr: %s by %s, %s.', upper(left(o.type, 1)) || substr(o.type, 2), o.identity, d.command, d.role,
             to_char(max(d.at), 'YYYY-MM-DD HH24:MI:SS TZ'))
      FROM migmgr_internal.object AS o JOIN migmgr_internal.ddl_log AS d
        ON d.object = regexp_replace(o.identity, '\(.*$', '')
     WHERE o.seq = entry AND o.action IN ('created', 'replaced') AND d.at > (SELECT l.at FROM migmgr.ledger AS l WHERE l.seq = entry)
       AND d.command ~ '^(ALTER|CREATE (FUNCTION|PROCEDURE|VIEW|AGGREGATE))'
     GROUP BY o.n, o.type, o.identity, d.command, d.role
     ORDER BY o.n;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.made_changed(bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.made_changed(bigint) IS 'what is not any more as a migration left it, one line each';

-- SECURITY DEFINER: it counts rows, and shows nothing of them.
CREATE FUNCTION migmgr.rollback_guide(version text) RETURNS text
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  entry migmgr.ledger%ROWTYPE;
  detail jsonb;
  script text;
  item record;
  n bigint;
  lost text := '';
  after text;
BEGIN
  SELECT l.* INTO entry FROM migmgr.ledger AS l
   WHERE l.version = rollback_guide.version AND l.event IN ('applied', 'rolled back', 'baseline', 'marked applied', 'marked reverted')
   ORDER BY l.seq DESC LIMIT 1;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'MG007', MESSAGE = format('version "%s" is not known here', COALESCE(rollback_guide.version, 'null')),
      DETAIL = 'The ledger has no entry for it.', HINT = 'SELECT version, name, status FROM migmgr.history;';
  ELSIF entry.event <> 'applied' THEN
    RETURN format(E'# Rollback guide: %s %s\n\nNothing to take back: it is %s since %s.\n', entry.version, entry.name, entry.event,
      to_char(entry.at, 'YYYY-MM-DD HH24:MI:SS TZ'));
  END IF;
  detail := entry.detail::jsonb;
  SELECT s.text INTO script FROM migmgr_internal.script AS s WHERE s.checksum = COALESCE(detail ->> 'down', detail ->> 'derived');

  FOR item IN
    SELECT o.type, o.identity, c.oid AS relid, NULL::name AS col
      FROM migmgr_internal.object AS o JOIN pg_class AS c ON c.oid = to_regclass(o.identity) AND c.relkind = 'r'
     WHERE o.seq = entry.seq AND o.action = 'created' AND o.type = 'table'
    UNION ALL
    SELECT o.type, o.identity, a.attrelid, a.attname
      FROM migmgr_internal.object AS o JOIN pg_attribute AS a
        ON a.attrelid = to_regclass(regexp_replace(o.identity, '\.("([^"]|"")+"|[^."]+)$', '')) AND NOT a.attisdropped
       AND quote_ident(a.attname) = (regexp_match(o.identity, '\.("(?:[^"]|"")+"|[^."]+)$'))[1]
      JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r'
     WHERE o.seq = entry.seq AND o.action = 'created' AND o.type = 'table column'
     ORDER BY 2
  LOOP
    IF pg_relation_size(item.relid) <= pg_size_bytes('256MB') THEN
      EXECUTE format('SELECT count(%s) FROM ONLY %s', COALESCE(quote_ident(item.col), '*'), item.relid::regclass) INTO n;
      CONTINUE WHEN n = 0;
      lost := lost || format(E'| %s %s | %s %s |\n', item.type, item.identity, n,
        CASE WHEN item.col IS NULL THEN 'row' ELSE 'value' END || CASE n WHEN 1 THEN '' ELSE 's' END);
    ELSE
      lost := lost || format(E'| %s %s | about %s rows |\n', item.type, item.identity, (SELECT c.reltuples::bigint FROM pg_class AS c WHERE c.oid = item.relid));
    END IF;
  END LOOP;
  SELECT string_agg(format('`%s`', h.version), ', ' ORDER BY h.seq DESC) INTO after
    FROM (SELECT DISTINCT ON (l.version) l.version, l.seq, l.event FROM migmgr.ledger AS l
           WHERE l.version IS NOT NULL AND l.event IN ('applied', 'rolled back', 'baseline', 'marked applied', 'marked reverted')
           ORDER BY l.version, l.seq DESC) AS h
   WHERE h.event = 'applied' AND h.seq > entry.seq;

  RETURN concat(format(E'# Rollback guide: %s %s\n\n', entry.version, entry.name),
    format(E'Applied %s by %s in %s. Reversible: %s.\n\n', to_char(entry.at, 'YYYY-MM-DD HH24:MI:SS TZ'), entry.role, detail ->> 'environment', COALESCE(detail ->> 'reversible', 'no')),
    E'## What would be lost now\n\n',
    CASE WHEN lost = '' THEN E'Nothing: there is no row in its tables and no value in its columns.\n\n'
         ELSE concat(E'| what | how much |\n|---|---|\n', lost, E'\n`refuse` stops because of it, `archive` keeps it, `discard` gives it up.\n\n') END,
    E'## What comes after it\n\n',
    CASE WHEN after IS NULL THEN E'Nothing was applied after it.\n\n'
         ELSE format(E'Applied after it: %s. What builds on it has to be taken back first:\n`SELECT * FROM migmgr.rollback_to(%L, ''reason'');` takes back all of them.\n\n', after, entry.version) END,
    E'## How\n\n```sql\n',
    format(E'SELECT * FROM migmgr.rollback(%L, ''reason'', dry_run => true);\nSELECT * FROM migmgr.rollback(%L, ''reason''%s);\nSELECT * FROM migmgr.verify();\n```\n\n',
      entry.version, entry.version, CASE WHEN lost = '' THEN '' ELSE ', on_data => ''archive''' END),
    CASE WHEN detail ? 'down' THEN E'## The way back, as its author wrote it\n\n'
         WHEN detail ? 'derived' THEN E'## The way back, derived from what it did\n\n' ELSE E'## The way back\n\n' END,
    CASE WHEN script IS NULL THEN E'There is none: write it as a new migration.\n' ELSE concat(E'```sql\n', trim(regexp_replace(script, '^\s*-- migmgr:down[^\n]*\n', ''), E'\n'), E'\n```\n') END);
END
$$;
REVOKE ALL ON FUNCTION migmgr.rollback_guide(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.rollback_guide(text) IS 'how to take a version back, and what that would lose now, as Markdown';
