-- Snapshots: one engine that describes schema objects.  Rollback, drift and
-- the diff of two snapshots are uses of it.
--
--   describe(classids oid[] DEFAULT NULL, objids oid[] DEFAULT NULL)
--     RETURNS TABLE(kind, identity, parent, definition, facts, needs, classid, objid, objsubid)
--
-- One row per object.  NULL, NULL: the whole schema, without system objects,
-- members of extensions, temporary objects, migmgr's own and its archives.
-- With addresses (parallel arrays): those whole objects, whatever part of them
-- was named, with all parts: a relation with its columns, constraints, indexes,
-- triggers, policies, rules, statistics and owned sequences, a domain with its
-- constraints, a publication with its members.  An address that is gone, or
-- nothing of ours, gives no row.  The cost is that of the objects named.
--
--   kind        as pg_identify_object() and the ledger say it: table, table
--               column, table constraint, index, trigger, policy, rule, view,
--               function, type, ...; with its identity it names one object
--   identity    qualified and quoted: no search_path, OID or locale shows in it
--   parent      'kind identity' of the object that takes this one along when it
--               is dropped, or NULL
--   definition  text for people and for the fingerprint: all that counts about
--               the object, owner, grants and comment included
--   facts       the same by name, for undo().  Strings are SQL ready to use.
--               raw: values that stay when a thing mentioned is renamed, so that
--               of one object, equal raw means equal, whatever the text says.
--               position: not part of the definition; a column that was dropped
--               comes back as the last one.
--   needs       'kind identity' of what must be there for this object
--   classid, objid, objsubid  its address here and now; equal before and after
--               with another identity: it was renamed or moved
--
-- A part is no row where it is a fact of another: an identity sequence is one
-- of its column, the index of a constraint of the constraint, a comment,
-- owner or grant of the object, NOT NULL of the column.
--
-- How it is made: one view per catalog, with a column whole, the OID of the
-- whole object that a row is part of.  describe() reads those that count.  The
-- texts are the server's own (pg_get_*def, format_type), with the settings
-- that they depend on pinned.

-- Schemas whose contents are described.
CREATE VIEW migmgr_internal.described_namespace AS
  SELECT n.oid, quote_ident(n.nspname) AS name
    FROM pg_namespace AS n
   WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'migmgr', 'migmgr_internal')
     AND n.nspname NOT LIKE 'migmgr\_archive\_%';
COMMENT ON VIEW migmgr_internal.described_namespace IS 'schemas whose objects are described';

-- What was granted, one privilege a line, NULL where it is what everybody gets
-- by default.  The owner is not named: what he has moves with the ownership.
-- Who has all that an owner has, has ALL: that reads the same on every version.
CREATE FUNCTION migmgr_internal.grants(acl aclitem[], kind "char", owner oid) RETURNS jsonb
  LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN (
    WITH item AS (
      SELECT s.n, x.privilege_type AS privilege,
             concat(CASE x.grantee WHEN 0 THEN 'PUBLIC' WHEN owner THEN 'OWNER' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
               CASE WHEN x.is_grantable AND x.grantee <> owner THEN ' WITH GRANT OPTION' END,
               CASE WHEN x.grantor <> owner THEN ' GRANTED BY ' || quote_ident(pg_get_userbyid(x.grantor)) END) AS role
        FROM (VALUES (1, acl), (2, acldefault(kind, owner))) AS s(n, acl), aclexplode(s.acl) AS x
    ), line AS (
      SELECT i.n, unnest(CASE WHEN count(*) > 1 AND count(*) = (SELECT count(*) FROM item AS o WHERE o.n = 2 AND o.role = 'OWNER') THEN ARRAY['ALL TO ' || i.role]
                              ELSE array_agg(i.privilege || ' TO ' || i.role) END) COLLATE "C" AS text
        FROM item AS i GROUP BY i.n, i.role
    )
    SELECT nullif((SELECT coalesce(jsonb_agg(l.text ORDER BY l.text), '[]') FROM line AS l WHERE l.n = 1),
                  (SELECT coalesce(jsonb_agg(l.text ORDER BY l.text), '[]') FROM line AS l WHERE l.n = 2)));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.grants(aclitem[], "char", oid) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.grants(aclitem[], "char", oid) IS 'privileges as sorted lines, NULL for the default ones';

CREATE FUNCTION migmgr_internal.sorted(list text[]) RETURNS jsonb
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN (
    SELECT jsonb_agg(e ORDER BY e COLLATE "C") FROM unnest(list) AS e);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.sorted(text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.sorted(text[]) IS 'a list in byte order, NULL for an empty one';

-- Options of foreign objects, as OPTIONS (...) takes them.
CREATE FUNCTION migmgr_internal.fdw_options(list text[]) RETURNS jsonb
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN (
    SELECT jsonb_agg(quote_ident(split_part(e, '=', 1)) || ' ' || quote_literal(substr(e, strpos(e, '=') + 1)) ORDER BY e COLLATE "C")
      FROM unnest(list) AS e);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.fdw_options(text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.fdw_options(text[]) IS 'options of a foreign object as SQL, in byte order';

CREATE FUNCTION migmgr_internal.joined(list jsonb, separator text DEFAULT ', ') RETURNS text
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN (
    SELECT string_agg(e.value, separator ORDER BY e.ordinality) FROM jsonb_array_elements_text(list) WITH ORDINALITY AS e);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.joined(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.joined(jsonb, text) IS 'the elements of a JSON array in one text';

-- The end of most definitions.  Inlined.
CREATE FUNCTION migmgr_internal.tail(owner oid, grants jsonb, comment text) RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$SELECT pg_catalog.concat(E'\n  OWNER '::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.quote_ident(pg_catalog.pg_get_userbyid($1)::pg_catalog.text),
    E'\n  GRANTS '::pg_catalog.text OPERATOR(pg_catalog.||) $2::pg_catalog.text,
    E'\n  COMMENT '::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.quote_literal($3))$$;
REVOKE ALL ON FUNCTION migmgr_internal.tail(oid, jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.tail(oid, jsonb, text) IS 'owner, grants and comment as the last lines of a definition';

-- Options of a sequence.  Inlined.
CREATE FUNCTION migmgr_internal.sequence_options(type oid, start bigint, increment bigint, min bigint, max bigint, cache bigint, cycle boolean) RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$SELECT pg_catalog.concat('AS '::pg_catalog.text, pg_catalog.format_type($1, NULL), ' START WITH '::pg_catalog.text, $2,
    ' INCREMENT BY '::pg_catalog.text, $3, ' MINVALUE '::pg_catalog.text, $4, ' MAXVALUE '::pg_catalog.text, $5, ' CACHE '::pg_catalog.text, $6,
    CASE WHEN $7 THEN ' CYCLE'::pg_catalog.text ELSE ' NO CYCLE'::pg_catalog.text END)$$;
REVOKE ALL ON FUNCTION migmgr_internal.sequence_options(oid, bigint, bigint, bigint, bigint, bigint, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.sequence_options(oid, bigint, bigint, bigint, bigint, bigint, boolean) IS 'options of a sequence, as CREATE and ALTER SEQUENCE take them';

CREATE VIEW migmgr_internal.described_schema AS
  SELECT 'schema'::text AS kind, n.name AS identity, NULL::text AS parent,
         concat('CREATE SCHEMA ', n.name, migmgr_internal.tail(s.nspowner, g.grants, d.description)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', n.name, 'owner', quote_ident(pg_get_userbyid(s.nspowner)),
           'grants', g.grants, 'comment', d.description)) AS facts,
         'pg_namespace'::regclass::oid AS classid, s.oid AS objid, 0 AS objsubid, s.oid AS whole
    FROM pg_namespace AS s JOIN migmgr_internal.described_namespace AS n ON n.oid = s.oid
   CROSS JOIN LATERAL (SELECT CASE WHEN s.nspacl IS NOT NULL THEN migmgr_internal.grants(s.nspacl, 'n', s.nspowner) END AS grants) AS g
    LEFT JOIN pg_description AS d ON d.objoid = s.oid AND d.classoid = 'pg_namespace'::regclass AND d.objsubid = 0
   WHERE NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_namespace'::regclass AND e.objid = s.oid AND e.deptype = 'e');
COMMENT ON VIEW migmgr_internal.described_schema IS 'schemas, described';

-- Relations of ours, and what their columns and other parts need of them.
CREATE VIEW migmgr_internal.described_relation AS
  SELECT c.oid, c.relkind, c.relowner, n.name AS schema, c.relname, n.name || '.' || quote_ident(c.relname) AS identity, c.reltype,
         CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence'
           WHEN 'c' THEN 'type' ELSE 'table' END AS kind
    FROM pg_class AS c JOIN migmgr_internal.described_namespace AS n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND c.relpersistence <> 't'
     AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e' AND e.refclassid = 'pg_extension'::regclass)
     AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_type'::regclass AND e.objid = c.reltype AND e.deptype = 'e' AND e.refclassid = 'pg_extension'::regclass);
COMMENT ON VIEW migmgr_internal.described_relation IS 'relations that are described';

CREATE VIEW migmgr_internal.described_table AS
  SELECT r.kind, r.identity, NULL::text AS parent,
         concat('CREATE ', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' END, upper(r.kind), ' ', r.identity,
           ' OF ' || CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END,
           CASE WHEN c.relispartition THEN ' PARTITION OF ' || (i.parents ->> 0) || ' ' || b.bound
                ELSE ' INHERITS (' || migmgr_internal.joined(i.parents) || ')' END,
           ' PARTITION BY ' || p.key, ' SERVER ' || f.server, ' OPTIONS (' || migmgr_internal.joined(f.options) || ')',
           ' USING ' || a.name, ' WITH (' || migmgr_internal.joined(o.options) || ')', ' TABLESPACE ' || t.name,
           E'\n  TOAST (' || migmgr_internal.joined(o.toast) || ')',
           CASE WHEN c.relrowsecurity THEN E'\n  ENABLE ROW LEVEL SECURITY' END, CASE WHEN c.relforcerowsecurity THEN E'\n  FORCE ROW LEVEL SECURITY' END,
           E'\n  REPLICA IDENTITY ' || ri.name,
           E' AS\n' || q.query, migmgr_internal.tail(c.relowner, g.grants, d.description)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(c.relname), 'schema', r.schema, 'owner', quote_ident(pg_get_userbyid(c.relowner)),
           'grants', g.grants, 'comment', d.description,
           'unlogged', CASE WHEN c.relpersistence = 'u' THEN true END, 'of_type', CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END,
           'inherits', CASE WHEN NOT c.relispartition THEN i.parents END, 'partition_of', CASE WHEN c.relispartition THEN i.parents ->> 0 END,
           'bound', b.bound, 'partition_by', p.key, 'server', f.server, 'fdw_options', f.options, 'access_method', a.name, 'options', o.options,
           'toast_options', o.toast, 'tablespace', t.name, 'row_security', CASE WHEN c.relrowsecurity THEN true END,
           'force_row_security', CASE WHEN c.relforcerowsecurity THEN true END, 'replica_identity', ri.name, 'query', q.query,
           'columns', CASE WHEN c.relkind IN ('v', 'm') THEN (
             SELECT jsonb_agg(quote_ident(x.attname) || ' ' || format_type(x.atttypid, x.atttypmod) ||
                    CASE WHEN x.attcollation <> y.typcollation AND x.attcollation <> 0 THEN ' COLLATE ' || x.attcollation::regcollation::text ELSE '' END ORDER BY x.attnum)
               FROM pg_attribute AS x JOIN pg_type AS y ON y.oid = x.atttypid WHERE x.attrelid = c.oid AND x.attnum > 0) END,
           'raw', jsonb_build_object('query', CASE WHEN q.query IS NOT NULL THEN (
               SELECT md5(w.ev_action::text) FROM pg_rewrite AS w WHERE w.ev_class = c.oid AND w.rulename = '_RETURN') END,
             'columns', CASE WHEN c.relkind IN ('v', 'm') THEN (
               SELECT string_agg(concat_ws('/', x.attname, x.atttypid, x.atttypmod, x.attcollation), ',' ORDER BY x.attnum)
                 FROM pg_attribute AS x WHERE x.attrelid = c.oid AND x.attnum > 0) END,
             'partition_of', CASE WHEN c.relispartition THEN i.oids END, 'inherits', i.oids, 'partition_by', CASE WHEN p.key IS NOT NULL THEN 'fixed' END,
             'of_type', nullif(c.reloftype, 0), 'server', f.serverid, 'replica_identity', ri.indexrelid))) AS facts,
         'pg_class'::regclass::oid AS classid, c.oid AS objid, 0 AS objsubid, c.oid AS whole
    FROM pg_class AS c JOIN migmgr_internal.described_relation AS r ON r.oid = c.oid
    LEFT JOIN pg_class AS toast ON toast.oid = c.reltoastrelid
    LEFT JOIN pg_description AS d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
   CROSS JOIN LATERAL (SELECT CASE WHEN c.relacl IS NOT NULL THEN migmgr_internal.grants(c.relacl, 'r', c.relowner) END AS grants) AS g
   CROSS JOIN LATERAL (SELECT CASE WHEN c.reloptions IS NOT NULL THEN migmgr_internal.sorted(c.reloptions) END AS options,
                              CASE WHEN toast.reloptions IS NOT NULL THEN migmgr_internal.sorted(toast.reloptions) END AS toast) AS o
   CROSS JOIN LATERAL (SELECT jsonb_agg(p.oid::regclass::text ORDER BY h.inhseqno) AS parents, string_agg(p.oid::text, ',' ORDER BY h.inhseqno) AS oids
                         FROM pg_inherits AS h JOIN pg_class AS p ON p.oid = h.inhparent WHERE h.inhrelid = c.oid) AS i
   CROSS JOIN LATERAL (SELECT CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS bound) AS b
   CROSS JOIN LATERAL (SELECT CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS key) AS p
   CROSS JOIN LATERAL (SELECT CASE WHEN c.relkind IN ('v', 'm') THEN btrim(pg_get_viewdef(c.oid), E' ;') END AS query) AS q
   CROSS JOIN LATERAL (SELECT CASE WHEN c.relam NOT IN (0, 2) THEN (SELECT quote_ident(m.amname) FROM pg_am AS m WHERE m.oid = c.relam) END AS name) AS a
   CROSS JOIN LATERAL (SELECT CASE WHEN c.reltablespace <> 0 THEN (SELECT quote_ident(s.spcname) FROM pg_tablespace AS s WHERE s.oid = c.reltablespace) END AS name) AS t
    LEFT JOIN LATERAL (SELECT quote_ident(s.srvname) AS server, s.oid AS serverid, migmgr_internal.fdw_options(x.ftoptions) AS options
                         FROM pg_foreign_table AS x JOIN pg_foreign_server AS s ON s.oid = x.ftserver WHERE x.ftrelid = c.oid) AS f ON c.relkind = 'f'
    LEFT JOIN LATERAL (SELECT CASE c.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' WHEN 'i' THEN (
                         SELECT 'USING INDEX ' || quote_ident(k.relname) FROM pg_index AS x JOIN pg_class AS k ON k.oid = x.indexrelid
                          WHERE x.indrelid = c.oid AND x.indisreplident) END AS name,
                       CASE c.relreplident WHEN 'i' THEN (SELECT x.indexrelid FROM pg_index AS x WHERE x.indrelid = c.oid AND x.indisreplident) END AS indexrelid) AS ri
           ON c.relkind IN ('r', 'p', 'm') AND c.relreplident <> 'd'
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f');
COMMENT ON VIEW migmgr_internal.described_table IS 'tables, views, materialized views and foreign tables, described without their columns';

-- From 18 on NOT NULL has a name: it is told where it is not the one that it
-- gets by itself.  Columns of views only where something was said about them; the query says the rest.
CREATE VIEW migmgr_internal.described_column AS
  SELECT CASE r.relkind WHEN 'v' THEN 'view column' WHEN 'm' THEN 'materialized view column' WHEN 'f' THEN 'foreign table column'
           WHEN 'c' THEN 'composite type column' ELSE 'table column' END AS kind,
         r.identity || '.' || quote_ident(a.attname) AS identity, r.kind || ' ' || r.identity AS parent,
         concat(quote_ident(a.attname), ' ', format_type(a.atttypid, a.atttypmod), x.collation,
           CASE WHEN a.attstorage <> t.typstorage THEN ' STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END END,
           CASE a.attcompression WHEN 'p' THEN ' COMPRESSION pglz' WHEN 'l' THEN ' COMPRESSION lz4' END,
           CASE a.attgenerated WHEN '' THEN ' DEFAULT ' || e.expression WHEN 'v' THEN ' GENERATED ALWAYS AS (' || e.expression || ') VIRTUAL'
             ELSE ' GENERATED ALWAYS AS (' || e.expression || ') STORED' END,
           CASE a.attidentity WHEN 'a' THEN ' GENERATED ALWAYS AS IDENTITY ' || s.options WHEN 'd' THEN ' GENERATED BY DEFAULT AS IDENTITY ' || s.options END,
           CASE WHEN a.attnotnull THEN concat(' CONSTRAINT ' || k.name, ' NOT NULL', k.more) END,
           ' STATISTICS ' || nullif(a.attstattarget, -1), ' SET (' || migmgr_internal.joined(x.options) || ')',
           ' OPTIONS (' || migmgr_internal.joined(x.fdw_options) || ')',
           CASE WHEN a.attinhcount > 0 THEN CASE WHEN a.attislocal THEN ' INHERITED AND LOCAL' ELSE ' INHERITED' END END,
           migmgr_internal.tail(NULL, x.grants, d.description)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(a.attname), 'type', format_type(a.atttypid, a.atttypmod), 'collation', x.collation,
           'storage', CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END END,
           'type_storage', CASE t.typstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END,
           'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
           'default', CASE WHEN a.attgenerated = '' THEN e.expression END,
           'generated', CASE WHEN a.attgenerated <> '' THEN e.expression END, 'virtual', CASE WHEN a.attgenerated = 'v' THEN true END,
           'identity', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,
           'sequence', s.identity, 'sequence_options', s.options,
           'not_null', CASE WHEN a.attnotnull THEN true END, 'not_null_name', k.name, 'not_null_more', k.more,
           'statistics', nullif(a.attstattarget, -1), 'options', x.options, 'fdw_options', x.fdw_options,
           'inherited', CASE WHEN a.attinhcount > 0 THEN true END, 'local', CASE WHEN a.attinhcount > 0 AND a.attislocal THEN true END,
           'position', a.attnum, 'grants', x.grants, 'comment', d.description,
           'raw', jsonb_build_object('type', concat(a.atttypid, '/', a.atttypmod), 'default', md5(e.adbin::text), 'generated', md5(e.adbin::text),
             'collation', a.attcollation, 'sequence', s.oid, 'not_null_name', k.conname))) AS facts,
         'pg_class'::regclass::oid AS classid, r.oid AS objid, a.attnum::integer AS objsubid, r.oid AS whole
    FROM pg_attribute AS a
    JOIN migmgr_internal.described_relation AS r ON r.oid = a.attrelid
    JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN (SELECT d.adrelid, d.adnum, d.adbin, pg_get_expr(d.adbin, d.adrelid) AS expression FROM pg_attrdef AS d) AS e
           ON e.adrelid = a.attrelid AND e.adnum = a.attnum AND a.atthasdef
    LEFT JOIN (SELECT x.refobjid, x.refobjsubid, q.seqrelid AS oid, n.name || '.' || quote_ident(c.relname) AS identity,
                      migmgr_internal.sequence_options(q.seqtypid, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, q.seqcycle) AS options
                 FROM pg_depend AS x JOIN pg_sequence AS q ON q.seqrelid = x.objid
                 JOIN pg_class AS c ON c.oid = q.seqrelid JOIN migmgr_internal.described_namespace AS n ON n.oid = c.relnamespace
                WHERE x.classid = 'pg_class'::regclass AND x.refclassid = 'pg_class'::regclass AND x.deptype = 'i') AS s
           ON s.refobjid = a.attrelid AND s.refobjsubid = a.attnum AND a.attidentity <> ''
    LEFT JOIN (SELECT n.conrelid, n.conkey[1] AS attnum, quote_ident(n.conname) AS conname, concat(CASE WHEN n.connoinherit THEN ' NO INHERIT' END, CASE WHEN NOT n.convalidated THEN ' NOT VALID' END) AS more,
                      CASE WHEN n.coninhcount = 0 AND n.conname <> left(concat(c.relname, '_', y.attname, '_not_null'), 63) THEN quote_ident(n.conname) END AS name
                 FROM pg_constraint AS n JOIN pg_class AS c ON c.oid = n.conrelid JOIN pg_attribute AS y ON y.attrelid = n.conrelid AND y.attnum = n.conkey[1]
                WHERE n.contype = 'n') AS k
           ON k.conrelid = a.attrelid AND k.attnum = a.attnum AND a.attnotnull
    LEFT JOIN pg_description AS d ON d.objoid = a.attrelid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
   CROSS JOIN LATERAL (
     SELECT CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0 THEN ' COLLATE ' || (
              SELECT quote_ident(n.nspname) || '.' || quote_ident(l.collname) FROM pg_collation AS l JOIN pg_namespace AS n ON n.oid = l.collnamespace WHERE l.oid = a.attcollation) END AS collation,
            CASE WHEN a.attoptions IS NOT NULL AND NOT (cardinality(a.attoptions) = 1 AND a.attoptions[1] LIKE 'pg\_attver=%') THEN migmgr_internal.sorted(ARRAY(SELECT o FROM unnest(a.attoptions) AS o WHERE o NOT LIKE 'pg\_attver=%')) END AS options,
            CASE WHEN a.attfdwoptions IS NOT NULL THEN migmgr_internal.fdw_options(a.attfdwoptions) END AS fdw_options,
            CASE WHEN a.attacl IS NOT NULL THEN migmgr_internal.grants(a.attacl, 'c', r.relowner) END AS grants) AS x
   WHERE a.attnum > 0 AND NOT a.attisdropped
     AND (r.relkind IN ('r', 'p', 'f', 'c')
          OR r.relkind IN ('v', 'm') AND (a.atthasdef OR a.attacl IS NOT NULL OR d.description IS NOT NULL OR x.options IS NOT NULL
                                          OR nullif(a.attstattarget, -1) IS NOT NULL OR r.relkind = 'm' AND (a.attstorage <> t.typstorage OR a.attcompression <> '')));
COMMENT ON VIEW migmgr_internal.described_column IS 'columns, described';

-- An index that belongs to a constraint is part of it.
CREATE VIEW migmgr_internal.described_constraint AS
  SELECT 'table constraint'::text AS kind, quote_ident(k.conname) || ' on ' || r.identity AS identity, r.kind || ' ' || r.identity AS parent,
         concat('CONSTRAINT ', quote_ident(k.conname), ' ', x.def, ' WITH (' || migmgr_internal.joined(i.options) || ')', ' USING INDEX TABLESPACE ' || i.tablespace,
           CASE WHEN i.clustered THEN ' CLUSTERED' END, ' INHERITED ' || x.inherited,
           migmgr_internal.tail(NULL, NULL, d.description), E'\n  COMMENT ON INDEX ' || quote_literal(i.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(k.conname), 'type', k.contype, 'def', x.def, 'options', i.options, 'tablespace', i.tablespace,
           'clustered', CASE WHEN i.clustered THEN true END, 'index_comment', i.comment, 'inherited', x.inherited, 'comment', d.description,
           'not_valid', CASE WHEN NOT k.convalidated THEN true END, 'deferrable', CASE WHEN k.condeferrable THEN true END,
           'deferred', CASE WHEN k.condeferred THEN true END,
           'raw', jsonb_build_object('def', concat_ws('/', k.convalidated, k.condeferrable, k.condeferred, md5(k.conbin::text), to_jsonb(k) ->> 'conenforced', k.connoinherit)))) AS facts,
         'pg_constraint'::regclass::oid AS classid, k.oid AS objid, 0 AS objsubid, r.oid AS whole
    FROM pg_constraint AS k JOIN migmgr_internal.described_relation AS r ON r.oid = k.conrelid
    LEFT JOIN pg_description AS d ON d.objoid = k.oid AND d.classoid = 'pg_constraint'::regclass AND d.objsubid = 0
    LEFT JOIN LATERAL (
      SELECT CASE WHEN c.reloptions IS NOT NULL THEN migmgr_internal.sorted(c.reloptions) END AS options, n.indisclustered AS clustered,
             CASE WHEN c.reltablespace <> 0 THEN (SELECT quote_ident(s.spcname) FROM pg_tablespace AS s WHERE s.oid = c.reltablespace) END AS tablespace,
             (SELECT y.description FROM pg_description AS y WHERE y.objoid = c.oid AND y.classoid = 'pg_class'::regclass AND y.objsubid = 0) AS comment
        FROM pg_class AS c JOIN pg_index AS n ON n.indexrelid = c.oid WHERE c.oid = k.conindid) AS i ON k.contype IN ('p', 'u', 'x')
   CROSS JOIN LATERAL (SELECT pg_get_constraintdef(k.oid) AS def,
                              CASE WHEN k.coninhcount > 0 THEN CASE WHEN k.conislocal THEN 'AND LOCAL' ELSE 'ONLY' END END AS inherited) AS x
   WHERE k.contype IN ('c', 'p', 'u', 'x', 'f');
COMMENT ON VIEW migmgr_internal.described_constraint IS 'constraints of tables, described';

CREATE VIEW migmgr_internal.described_index AS
  SELECT 'index'::text AS kind, r.schema || '.' || quote_ident(c.relname) AS identity, r.kind || ' ' || r.identity AS parent,
         concat(x.def, ' TABLESPACE ' || x.tablespace, CASE WHEN n.indisclustered THEN ' CLUSTERED' END, CASE WHEN NOT n.indisvalid THEN ' INVALID' END,
           E'\n  PARTITION OF ' || p.parent, E'\n  STATISTICS ' || s.statistics::text,
           migmgr_internal.tail(NULL, NULL, d.description)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(c.relname), 'schema', r.schema, 'def', x.def, 'options', x.options, 'tablespace', x.tablespace,
           'clustered', CASE WHEN n.indisclustered THEN true END, 'invalid', CASE WHEN NOT n.indisvalid THEN true END,
           'partition_of', p.parent, 'statistics', s.statistics, 'comment', d.description,
           'raw', jsonb_build_object('def', 'fixed', 'partition_of', p.oid))) AS facts,
         'pg_class'::regclass::oid AS classid, c.oid AS objid, 0 AS objsubid, r.oid AS whole
    FROM pg_index AS n JOIN migmgr_internal.described_relation AS r ON r.oid = n.indrelid JOIN pg_class AS c ON c.oid = n.indexrelid
    LEFT JOIN pg_constraint AS k ON k.conrelid = n.indrelid AND k.conindid = n.indexrelid AND k.contype IN ('p', 'u', 'x')
    LEFT JOIN pg_description AS d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
    LEFT JOIN LATERAL (SELECT h.inhparent AS oid, h.inhparent::regclass::text AS parent FROM pg_inherits AS h WHERE h.inhrelid = c.oid) AS p ON c.relispartition
    LEFT JOIN LATERAL (SELECT jsonb_object_agg(a.attnum, a.attstattarget) AS statistics FROM pg_attribute AS a
                        WHERE a.attrelid = c.oid AND nullif(a.attstattarget, -1) IS NOT NULL) AS s ON n.indexprs IS NOT NULL
   CROSS JOIN LATERAL (SELECT pg_get_indexdef(c.oid) AS def,
                              CASE WHEN c.reloptions IS NOT NULL THEN migmgr_internal.sorted(c.reloptions) END AS options,
                              CASE WHEN c.reltablespace <> 0 THEN (SELECT quote_ident(s.spcname) FROM pg_tablespace AS s WHERE s.oid = c.reltablespace) END AS tablespace) AS x
   WHERE k.oid IS NULL;
COMMENT ON VIEW migmgr_internal.described_index IS 'indexes that belong to no constraint, described';

CREATE VIEW migmgr_internal.described_trigger AS
  SELECT 'trigger'::text AS kind, quote_ident(t.tgname) || ' on ' || r.identity AS identity, r.kind || ' ' || r.identity AS parent,
         concat(x.def, E'\n  ' || x.mode, CASE WHEN t.tgparentid <> 0 THEN E'\n  INHERITED' END, migmgr_internal.tail(NULL, NULL, d.description)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(t.tgname), 'def', x.def, 'mode', x.mode,
           'constraint', CASE WHEN t.tgconstraint <> 0 THEN true END,
           'inherited', CASE WHEN t.tgparentid <> 0 THEN true END, 'comment', d.description,
           'raw', jsonb_build_object('def', md5(concat_ws('/', t.tgfoid, t.tgtype, t.tgqual, t.tgattr, t.tgargs, t.tgoldtable, t.tgnewtable, t.tgdeferrable, t.tginitdeferred, t.tgconstrrelid))))) AS facts,
         'pg_trigger'::regclass::oid AS classid, t.oid AS objid, 0 AS objsubid, r.oid AS whole
    FROM pg_trigger AS t JOIN migmgr_internal.described_relation AS r ON r.oid = t.tgrelid
    LEFT JOIN pg_description AS d ON d.objoid = t.oid AND d.classoid = 'pg_trigger'::regclass AND d.objsubid = 0
   CROSS JOIN LATERAL (SELECT pg_get_triggerdef(t.oid) AS def,
                              CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' END AS mode) AS x
   WHERE NOT t.tgisinternal;
COMMENT ON VIEW migmgr_internal.described_trigger IS 'triggers, described';

CREATE VIEW migmgr_internal.described_policy AS
  SELECT 'policy'::text AS kind, quote_ident(p.polname) || ' on ' || r.identity AS identity, r.kind || ' ' || r.identity AS parent,
         concat('CREATE POLICY ', quote_ident(p.polname), ' ON ', r.identity, CASE WHEN NOT p.polpermissive THEN ' AS RESTRICTIVE' END,
           ' FOR ', x.command, ' TO ', x.roles, ' USING (' || x.using || ')', ' WITH CHECK (' || x.check || ')',
           migmgr_internal.tail(NULL, NULL, d.description)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(p.polname), 'restrictive', CASE WHEN NOT p.polpermissive THEN true END, 'command', x.command,
           'roles', x.roles, 'using', x.using, 'check', x.check, 'comment', d.description,
           'raw', jsonb_build_object('using', md5(p.polqual::text), 'check', md5(p.polwithcheck::text)))) AS facts,
         'pg_policy'::regclass::oid AS classid, p.oid AS objid, 0 AS objsubid, r.oid AS whole
    FROM pg_policy AS p JOIN migmgr_internal.described_relation AS r ON r.oid = p.polrelid
    LEFT JOIN pg_description AS d ON d.objoid = p.oid AND d.classoid = 'pg_policy'::regclass AND d.objsubid = 0
   CROSS JOIN LATERAL (
     SELECT CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS command,
            (SELECT string_agg(CASE o WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o)) END, ', '
                      ORDER BY CASE o WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(o) END COLLATE "C") FROM unnest(p.polroles) AS o) AS roles,
            pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS check) AS x;
COMMENT ON VIEW migmgr_internal.described_policy IS 'policies, described';

CREATE VIEW migmgr_internal.described_rule AS
  SELECT 'rule'::text AS kind, quote_ident(w.rulename) || ' on ' || r.identity AS identity, r.kind || ' ' || r.identity AS parent,
         concat(x.def, E'\n  ' || x.mode, migmgr_internal.tail(NULL, NULL, d.description)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(w.rulename), 'def', x.def, 'mode', x.mode, 'comment', d.description,
           'raw', jsonb_build_object('def', md5(concat(w.ev_type, w.is_instead, w.ev_qual, w.ev_action))))) AS facts,
         'pg_rewrite'::regclass::oid AS classid, w.oid AS objid, 0 AS objsubid, r.oid AS whole
    FROM pg_rewrite AS w JOIN migmgr_internal.described_relation AS r ON r.oid = w.ev_class
    LEFT JOIN pg_description AS d ON d.objoid = w.oid AND d.classoid = 'pg_rewrite'::regclass AND d.objsubid = 0
   CROSS JOIN LATERAL (SELECT rtrim(pg_get_ruledef(w.oid), ';') AS def,
                              CASE w.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' END AS mode) AS x
   WHERE w.rulename <> '_RETURN';
COMMENT ON VIEW migmgr_internal.described_rule IS 'rules other than those of views, described';

CREATE VIEW migmgr_internal.described_statistics AS
  SELECT 'statistics object'::text AS kind, n.name || '.' || quote_ident(s.stxname) AS identity, r.kind || ' ' || r.identity AS parent,
         concat(x.def, ' STATISTICS ' || nullif(s.stxstattarget, -1), migmgr_internal.tail(s.stxowner, NULL, d.description)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(s.stxname), 'schema', n.name, 'owner', quote_ident(pg_get_userbyid(s.stxowner)), 'def', x.def,
           'statistics', nullif(s.stxstattarget, -1), 'comment', d.description, 'raw', jsonb_build_object('def', 'fixed'))) AS facts,
         'pg_statistic_ext'::regclass::oid AS classid, s.oid AS objid, 0 AS objsubid, r.oid AS whole
    FROM pg_statistic_ext AS s JOIN migmgr_internal.described_relation AS r ON r.oid = s.stxrelid
    JOIN migmgr_internal.described_namespace AS n ON n.oid = s.stxnamespace
    LEFT JOIN pg_description AS d ON d.objoid = s.oid AND d.classoid = 'pg_statistic_ext'::regclass AND d.objsubid = 0
   CROSS JOIN LATERAL (SELECT pg_get_statisticsobjdef(s.oid) AS def) AS x;
COMMENT ON VIEW migmgr_internal.described_statistics IS 'extended statistics, described';

-- Without those of identity columns; where one is owned by a column, also whole is it's table's.
CREATE VIEW migmgr_internal.described_sequence AS
  SELECT 'sequence'::text AS kind, r.identity, NULL::text AS parent,
         concat('CREATE ', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' END, 'SEQUENCE ', r.identity, ' ', x.options, E'\n  OWNED BY ' || x.owned_by,
           migmgr_internal.tail(c.relowner, g.grants, d.description)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(c.relname), 'schema', r.schema, 'owner', quote_ident(pg_get_userbyid(c.relowner)),
           'unlogged', CASE WHEN c.relpersistence = 'u' THEN true END, 'sequence_options', x.options, 'owned_by', x.owned_by, 'grants', g.grants, 'comment', d.description,
           'raw', jsonb_build_object('owned_by', o.refobjid || '/' || o.refobjsubid))) AS facts,
         'pg_class'::regclass::oid AS classid, c.oid AS objid, 0 AS objsubid, c.oid AS whole
    FROM pg_sequence AS s JOIN migmgr_internal.described_relation AS r ON r.oid = s.seqrelid JOIN pg_class AS c ON c.oid = s.seqrelid
    LEFT JOIN pg_depend AS o ON o.classid = 'pg_class'::regclass AND o.objid = c.oid AND o.refclassid = 'pg_class'::regclass AND o.deptype IN ('a', 'i') AND o.refobjsubid > 0
    LEFT JOIN pg_description AS d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
   CROSS JOIN LATERAL (SELECT CASE WHEN c.relacl IS NOT NULL THEN migmgr_internal.grants(c.relacl, 's', c.relowner) END AS grants) AS g
   CROSS JOIN LATERAL (
     SELECT migmgr_internal.sequence_options(s.seqtypid, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle) AS options,
            CASE WHEN o.deptype = 'a' THEN (SELECT w.identity || '.' || quote_ident(a.attname) FROM pg_attribute AS a JOIN migmgr_internal.described_relation AS w ON w.oid = a.attrelid
               WHERE a.attrelid = o.refobjid AND a.attnum = o.refobjsubid) END AS owned_by) AS x
   WHERE o.deptype IS DISTINCT FROM 'i';
COMMENT ON VIEW migmgr_internal.described_sequence IS 'sequences, described; that of an identity column is part of the column';

-- The kinds that are few: each by its catalog.
CREATE FUNCTION migmgr_internal.comment_of(classid oid, objid oid) RETURNS text
  LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN (
    SELECT d.description FROM pg_description AS d WHERE d.objoid = comment_of.objid AND d.classoid = comment_of.classid AND d.objsubid = 0);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.comment_of(oid, oid) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.comment_of(oid, oid) IS 'comment of an object';

CREATE FUNCTION migmgr_internal.is_member(classid oid, objid oid) RETURNS boolean
  LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN (
    SELECT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = is_member.classid AND e.objid = is_member.objid AND e.deptype = 'e'));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.is_member(oid, oid) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.is_member(oid, oid) IS 'does an object belong to an extension';

-- Rows of the kinds that have an SQL text, an owner and a comment, and not much else.
CREATE VIEW migmgr_internal.described_operator AS
  SELECT i.type AS kind, i.identity, NULL::text AS parent, concat('CREATE OPERATOR ', n.name, '.', o.oprname, ' ', x.body, migmgr_internal.tail(o.oprowner, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', o.oprname, 'schema', n.name, 'owner', quote_ident(pg_get_userbyid(o.oprowner)), 'body', x.body, 'comment', x.comment,
           'operands', concat('(', CASE WHEN o.oprleft = 0 THEN 'NONE' ELSE format_type(o.oprleft, NULL) END, ', ', format_type(o.oprright, NULL), ')'),
           'raw', jsonb_build_object('body', concat_ws('/', o.oprcode, o.oprcom, o.oprnegate, o.oprrest, o.oprjoin, o.oprcanmerge, o.oprcanhash)))) AS facts,
         'pg_operator'::regclass::oid AS classid, o.oid AS objid, 0 AS objsubid, o.oid AS whole
    FROM pg_operator AS o JOIN migmgr_internal.described_namespace AS n ON n.oid = o.oprnamespace
   CROSS JOIN LATERAL pg_identify_object('pg_operator'::regclass, o.oid, 0) AS i
   CROSS JOIN LATERAL (
     SELECT concat('(FUNCTION = ', o.oprcode, ', LEFTARG = ' || CASE WHEN o.oprleft <> 0 THEN format_type(o.oprleft, NULL) END,
              ', RIGHTARG = ', format_type(o.oprright, NULL),
              ', COMMUTATOR = ' || (SELECT 'OPERATOR(' || quote_ident(m.nspname) || '.' || c.oprname || ')' FROM pg_operator AS c JOIN pg_namespace AS m ON m.oid = c.oprnamespace WHERE c.oid = o.oprcom),
              ', NEGATOR = ' || (SELECT 'OPERATOR(' || quote_ident(m.nspname) || '.' || c.oprname || ')' FROM pg_operator AS c JOIN pg_namespace AS m ON m.oid = c.oprnamespace WHERE c.oid = o.oprnegate),
              ', RESTRICT = ' || nullif(o.oprrest, 0)::regproc, ', JOIN = ' || nullif(o.oprjoin, 0)::regproc,
              CASE WHEN o.oprcanmerge THEN ', MERGES' END, CASE WHEN o.oprcanhash THEN ', HASHES' END, ')') AS body,
            migmgr_internal.comment_of('pg_operator'::regclass, o.oid) AS comment) AS x
   WHERE o.oprcode <> 0 AND NOT migmgr_internal.is_member('pg_operator'::regclass, o.oid);
COMMENT ON VIEW migmgr_internal.described_operator IS 'operators, described';

-- Operators and functions of a family that belong to no class of it are its own.
CREATE FUNCTION migmgr_internal.family_items(family oid, class oid) RETURNS jsonb
  LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN (
    SELECT jsonb_agg(i.item ORDER BY i.what DESC, i.number, i.item COLLATE "C")
      FROM (SELECT 'o' AS what, m.amopstrategy AS number, format('OPERATOR %s %s%s', m.amopstrategy, m.amopopr::regoperator::text,
                     ' FOR ORDER BY ' || (SELECT quote_ident(n.nspname) || '.' || quote_ident(f.opfname) FROM pg_opfamily AS f JOIN pg_namespace AS n ON n.oid = f.opfnamespace
                                           WHERE f.oid = m.amopsortfamily)) AS item, 'pg_amop'::regclass AS classid, m.oid
              FROM pg_amop AS m WHERE m.amopfamily = family
            UNION ALL
            SELECT 'f', m.amprocnum, format('FUNCTION %s (%s, %s) %s', m.amprocnum, format_type(m.amproclefttype, NULL), format_type(m.amprocrighttype, NULL), m.amproc::regprocedure::text),
                   'pg_amproc'::regclass, m.oid
              FROM pg_amproc AS m WHERE m.amprocfamily = family) AS i(what, number, item, classid, oid)
     WHERE (class IS NULL) <> EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = i.classid AND d.objid = i.oid AND d.refclassid = 'pg_opclass'::regclass
                                         AND d.deptype = 'i' AND (class IS NULL OR d.refobjid = class)));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.family_items(oid, oid) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.family_items(oid, oid) IS 'operators and functions of an operator class, or those of a family that are in no class';

CREATE VIEW migmgr_internal.described_operator_family AS
  SELECT i.type AS kind, i.identity, NULL::text AS parent,
         concat('CREATE OPERATOR FAMILY ', n.name, '.', quote_ident(f.opfname), ' USING ', quote_ident(a.amname), E'\n  ' || migmgr_internal.joined(x.items), migmgr_internal.tail(f.opfowner, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(f.opfname), 'schema', n.name, 'owner', quote_ident(pg_get_userbyid(f.opfowner)), 'method', quote_ident(a.amname),
           'items', x.items, 'comment', x.comment)) AS facts,
         'pg_opfamily'::regclass::oid AS classid, f.oid AS objid, 0 AS objsubid, f.oid AS whole
    FROM pg_opfamily AS f JOIN migmgr_internal.described_namespace AS n ON n.oid = f.opfnamespace JOIN pg_am AS a ON a.oid = f.opfmethod
   CROSS JOIN LATERAL pg_identify_object('pg_opfamily'::regclass, f.oid, 0) AS i
   CROSS JOIN LATERAL (SELECT migmgr_internal.family_items(f.oid, NULL) AS items, migmgr_internal.comment_of('pg_opfamily'::regclass, f.oid) AS comment) AS x
   WHERE NOT migmgr_internal.is_member('pg_opfamily'::regclass, f.oid);
COMMENT ON VIEW migmgr_internal.described_operator_family IS 'operator families, described';

CREATE VIEW migmgr_internal.described_operator_class AS
  SELECT i.type AS kind, i.identity, NULL::text AS parent,
         concat('CREATE OPERATOR CLASS ', n.name, '.', quote_ident(c.opcname), ' ', x.body, migmgr_internal.tail(c.opcowner, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(c.opcname), 'schema', n.name, 'owner', quote_ident(pg_get_userbyid(c.opcowner)), 'method', quote_ident(a.amname),
           'body', x.body, 'comment', x.comment, 'raw', jsonb_build_object('body', concat_ws('/', c.opcmethod, c.opcfamily, c.opcintype, c.opcdefault, c.opckeytype)))) AS facts,
         'pg_opclass'::regclass::oid AS classid, c.oid AS objid, 0 AS objsubid, c.oid AS whole
    FROM pg_opclass AS c JOIN migmgr_internal.described_namespace AS n ON n.oid = c.opcnamespace JOIN pg_am AS a ON a.oid = c.opcmethod
    JOIN pg_opfamily AS f ON f.oid = c.opcfamily JOIN pg_namespace AS fn ON fn.oid = f.opfnamespace
   CROSS JOIN LATERAL pg_identify_object('pg_opclass'::regclass, c.oid, 0) AS i
   CROSS JOIN LATERAL (
     SELECT concat(CASE WHEN c.opcdefault THEN 'DEFAULT ' END, 'FOR TYPE ', format_type(c.opcintype, NULL), ' USING ', quote_ident(a.amname), ' FAMILY ', quote_ident(fn.nspname), '.', quote_ident(f.opfname),
              ' AS ', concat_ws(', ', migmgr_internal.joined(migmgr_internal.family_items(c.opcfamily, c.oid)),
                'STORAGE ' || CASE WHEN c.opckeytype <> 0 THEN format_type(c.opckeytype, NULL) END)) AS body,
            migmgr_internal.comment_of('pg_opclass'::regclass, c.oid) AS comment) AS x
   WHERE NOT migmgr_internal.is_member('pg_opclass'::regclass, c.oid);
COMMENT ON VIEW migmgr_internal.described_operator_class IS 'operator classes, described';

CREATE VIEW migmgr_internal.described_default_privileges AS
  SELECT 'default acl'::text AS kind, concat('for role ', x.role, ' in schema ' || x.schema, ' on ', x.objects) AS identity, 'schema ' || x.schema AS parent,
         concat('ALTER DEFAULT PRIVILEGES FOR ROLE ', x.role, ' IN SCHEMA ' || x.schema, ' ON ', x.objects, E'\n  GRANTS ', x.grants) AS definition,
         jsonb_strip_nulls(jsonb_build_object('role', x.role, 'in_schema', x.schema, 'objects', x.objects, 'privileges', x.grants, 'built_in', x.built_in)) AS facts,
         'pg_default_acl'::regclass::oid AS classid, a.oid AS objid, 0 AS objsubid, a.oid AS whole
    FROM pg_default_acl AS a
   CROSS JOIN LATERAL (
     SELECT quote_ident(pg_get_userbyid(a.defaclrole)) AS role, (SELECT quote_ident(n.nspname) FROM pg_namespace AS n WHERE n.oid = a.defaclnamespace) AS schema,
            CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS objects,
            coalesce(migmgr_internal.grants(a.defaclacl, 'c', a.defaclrole), '[]') AS grants,
            -- where a global entry is not, this is what it says
            CASE WHEN a.defaclnamespace = 0 AND a.defaclobjtype IN ('r', 'S', 'f', 'T', 'n') THEN migmgr_internal.grants(acldefault(CASE a.defaclobjtype WHEN 'S' THEN 's' ELSE a.defaclobjtype END, a.defaclrole), 'c', a.defaclrole) END AS built_in) AS x
   WHERE a.defaclnamespace = 0 OR EXISTS (SELECT FROM migmgr_internal.described_namespace AS n WHERE n.oid = a.defaclnamespace);
COMMENT ON VIEW migmgr_internal.described_default_privileges IS 'default privileges, described';

CREATE VIEW migmgr_internal.described_publication AS
  SELECT 'publication'::text AS kind, quote_ident(p.pubname) AS identity, NULL::text AS parent,
         concat('CREATE PUBLICATION ', quote_ident(p.pubname), CASE WHEN p.puballtables THEN ' FOR ALL TABLES' END, ' WITH (', x.options, ')',
           E'\n  ' || migmgr_internal.joined(x.members, E'\n  '), migmgr_internal.tail(p.pubowner, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(p.pubname), 'owner', quote_ident(pg_get_userbyid(p.pubowner)), 'all_tables', CASE WHEN p.puballtables THEN true END,
           'options', x.options, 'members', x.members, 'comment', x.comment,
           'raw', jsonb_build_object('members', x.by_member))) AS facts,
         'pg_publication'::regclass::oid AS classid, p.oid AS objid, 0 AS objsubid, p.oid AS whole
    FROM pg_publication AS p
   CROSS JOIN LATERAL (
     SELECT concat('publish = ', quote_literal(concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END)),
              ', publish_via_partition_root = ', p.pubviaroot::text, ', publish_generated_columns = ' || CASE to_jsonb(p) ->> 'pubgencols' WHEN 's' THEN 'stored' END) AS options,
            y.by_member, (SELECT jsonb_agg(m ORDER BY m COLLATE "C") FROM jsonb_object_keys(y.by_member) AS m) AS members,
            migmgr_internal.comment_of('pg_publication'::regclass, p.oid) AS comment
       FROM (SELECT jsonb_object_agg(m.text, m.raw) AS by_member FROM (
               SELECT concat('TABLE ', r.prrelid::regclass::text,
                        ' (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE "C") FROM pg_attribute AS a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)) || ')',
                        ' WHERE (' || pg_get_expr(r.prqual, r.prrelid) || ')'), concat_ws('/', r.prrelid, md5(r.prqual::text), r.prattrs)
                 FROM pg_publication_rel AS r WHERE r.prpubid = p.oid
               UNION ALL
               SELECT 'TABLES IN SCHEMA ' || quote_ident(n.nspname), 'schema ' || n.oid FROM pg_publication_namespace AS s JOIN pg_namespace AS n ON n.oid = s.pnnspid WHERE s.pnpubid = p.oid) AS m(text, raw)) AS y) AS x
   WHERE NOT migmgr_internal.is_member('pg_publication'::regclass, p.oid);
COMMENT ON VIEW migmgr_internal.described_publication IS 'publications with their members, described';

CREATE VIEW migmgr_internal.described_subscription AS
  SELECT 'subscription'::text AS kind, quote_ident(s.subname) AS identity, NULL::text AS parent,
         concat('SUBSCRIPTION ', quote_ident(s.subname), migmgr_internal.tail(s.subowner, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(s.subname), 'owner', quote_ident(pg_get_userbyid(s.subowner)), 'comment', x.comment)) AS facts,
         'pg_subscription'::regclass::oid AS classid, s.oid AS objid, 0 AS objsubid, s.oid AS whole
    FROM pg_subscription AS s CROSS JOIN LATERAL (SELECT migmgr_internal.comment_of('pg_subscription'::regclass, s.oid) AS comment) AS x
   WHERE s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
COMMENT ON VIEW migmgr_internal.described_subscription IS 'names of subscriptions';

CREATE VIEW migmgr_internal.described_event_trigger AS
  SELECT 'event trigger'::text AS kind, quote_ident(t.evtname) AS identity, NULL::text AS parent,
         concat('CREATE EVENT TRIGGER ', quote_ident(t.evtname), ' ', x.body, E'\n  ' || x.mode, migmgr_internal.tail(t.evtowner, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(t.evtname), 'owner', quote_ident(pg_get_userbyid(t.evtowner)), 'body', x.body, 'mode', x.mode, 'comment', x.comment,
           'raw', jsonb_build_object('body', concat_ws('/', t.evtevent, t.evtfoid, t.evttags)))) AS facts,
         'pg_event_trigger'::regclass::oid AS classid, t.oid AS objid, 0 AS objsubid, t.oid AS whole
    FROM pg_event_trigger AS t
   CROSS JOIN LATERAL (
     SELECT concat('ON ', t.evtevent, ' WHEN TAG IN (' || (SELECT string_agg(quote_literal(g), ', ' ORDER BY g COLLATE "C") FROM unnest(t.evttags) AS g) || ')', ' EXECUTE FUNCTION ', t.evtfoid::regproc, '()') AS body,
            CASE t.evtenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' END AS mode,
            migmgr_internal.comment_of('pg_event_trigger'::regclass, t.oid) AS comment) AS x
   WHERE NOT migmgr_internal.is_member('pg_event_trigger'::regclass, t.oid)
     AND NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.oid = t.evtfoid AND p.pronamespace = 'migmgr_internal'::regnamespace);
COMMENT ON VIEW migmgr_internal.described_event_trigger IS 'event triggers, described';

CREATE VIEW migmgr_internal.described_wrapper AS
  SELECT 'foreign-data wrapper'::text AS kind, quote_ident(w.fdwname) AS identity, NULL::text AS parent,
         concat('CREATE FOREIGN DATA WRAPPER ', quote_ident(w.fdwname), x.body, ' OPTIONS (' || migmgr_internal.joined(x.options) || ')', migmgr_internal.tail(w.fdwowner, x.grants, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(w.fdwname), 'owner', quote_ident(pg_get_userbyid(w.fdwowner)), 'body', x.body, 'fdw_options', x.options, 'grants', x.grants, 'comment', x.comment)) AS facts,
         'pg_foreign_data_wrapper'::regclass::oid AS classid, w.oid AS objid, 0 AS objsubid, w.oid AS whole
    FROM pg_foreign_data_wrapper AS w
   CROSS JOIN LATERAL (
     SELECT concat(CASE WHEN w.fdwhandler <> 0 THEN ' HANDLER ' || w.fdwhandler::regproc ELSE ' NO HANDLER' END, CASE WHEN w.fdwvalidator <> 0 THEN ' VALIDATOR ' || w.fdwvalidator::regproc ELSE ' NO VALIDATOR' END) AS body,
            migmgr_internal.fdw_options(w.fdwoptions) AS options, CASE WHEN w.fdwacl IS NOT NULL THEN migmgr_internal.grants(w.fdwacl, 'F', w.fdwowner) END AS grants,
            migmgr_internal.comment_of('pg_foreign_data_wrapper'::regclass, w.oid) AS comment) AS x
   WHERE NOT migmgr_internal.is_member('pg_foreign_data_wrapper'::regclass, w.oid);
COMMENT ON VIEW migmgr_internal.described_wrapper IS 'foreign-data wrappers, described';

CREATE VIEW migmgr_internal.described_server AS
  SELECT 'server'::text AS kind, quote_ident(s.srvname) AS identity, NULL::text AS parent,
         concat('CREATE SERVER ', quote_ident(s.srvname), x.head, ' VERSION ' || quote_literal(s.srvversion), ' FOREIGN DATA WRAPPER ', x.wrapper, ' OPTIONS (' || migmgr_internal.joined(x.options) || ')',
           migmgr_internal.tail(s.srvowner, x.grants, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(s.srvname), 'owner', quote_ident(pg_get_userbyid(s.srvowner)), 'head', x.head, 'server_version', quote_literal(s.srvversion), 'wrapper', x.wrapper,
           'fdw_options', x.options, 'grants', x.grants, 'comment', x.comment, 'raw', jsonb_build_object('wrapper', s.srvfdw))) AS facts,
         'pg_foreign_server'::regclass::oid AS classid, s.oid AS objid, 0 AS objsubid, s.oid AS whole
    FROM pg_foreign_server AS s
   CROSS JOIN LATERAL (
     SELECT concat(' TYPE ' || quote_literal(s.srvtype)) AS head, (SELECT quote_ident(w.fdwname) FROM pg_foreign_data_wrapper AS w WHERE w.oid = s.srvfdw) AS wrapper,
            migmgr_internal.fdw_options(s.srvoptions) AS options, CASE WHEN s.srvacl IS NOT NULL THEN migmgr_internal.grants(s.srvacl, 'S', s.srvowner) END AS grants,
            migmgr_internal.comment_of('pg_foreign_server'::regclass, s.oid) AS comment) AS x
   WHERE NOT migmgr_internal.is_member('pg_foreign_server'::regclass, s.oid);
COMMENT ON VIEW migmgr_internal.described_server IS 'foreign servers, described';

-- What a user mapping says may be a secret; only that it says it is described.
CREATE VIEW migmgr_internal.described_user_mapping AS
  SELECT 'user mapping'::text AS kind, concat(x.role, ' on server ', quote_ident(m.srvname)) AS identity, 'server ' || quote_ident(m.srvname) AS parent,
         concat('CREATE USER MAPPING FOR ', x.role, ' SERVER ', quote_ident(m.srvname), ' OPTIONS (' || migmgr_internal.joined(x.names) || ')') AS definition,
         jsonb_strip_nulls(jsonb_build_object('role', x.role, 'server', quote_ident(m.srvname), 'option_names', x.names, 'raw', jsonb_build_object('server', m.srvid))) AS facts,
         'pg_user_mapping'::regclass::oid AS classid, m.umid AS objid, 0 AS objsubid, m.umid AS whole
    FROM pg_user_mappings AS m
   CROSS JOIN LATERAL (SELECT CASE m.umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(m.umuser)) END AS role,
                              migmgr_internal.sorted(ARRAY(SELECT quote_ident(split_part(o, '=', 1)) FROM unnest(m.umoptions) AS o)) AS names) AS x;
COMMENT ON VIEW migmgr_internal.described_user_mapping IS 'user mappings, described without the values of their options';

CREATE VIEW migmgr_internal.described_extension AS
  SELECT 'extension'::text AS kind, quote_ident(e.extname) AS identity, NULL::text AS parent,
         concat('CREATE EXTENSION ', quote_ident(e.extname), ' WITH SCHEMA ', e.extnamespace::regnamespace, ' VERSION ', quote_literal(e.extversion)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(e.extname), 'schema', e.extnamespace::regnamespace::text, 'version', quote_literal(e.extversion))) AS facts,
         'pg_extension'::regclass::oid AS classid, e.oid AS objid, 0 AS objsubid, e.oid AS whole
    FROM pg_extension AS e WHERE e.extname NOT IN ('migmgr', 'plpgsql');
COMMENT ON VIEW migmgr_internal.described_extension IS 'extensions with their version';

CREATE VIEW migmgr_internal.described_ts_config AS
  SELECT 'text search configuration'::text AS kind, n.name || '.' || quote_ident(c.cfgname) AS identity, NULL::text AS parent,
         concat('CREATE TEXT SEARCH CONFIGURATION ', n.name, '.', quote_ident(c.cfgname), ' (PARSER = ', x.parser, ')', E'\n  ' || migmgr_internal.joined(x.mappings, E'\n  '), migmgr_internal.tail(c.cfgowner, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(c.cfgname), 'schema', n.name, 'owner', quote_ident(pg_get_userbyid(c.cfgowner)), 'body', '(PARSER = ' || x.parser || ')', 'mappings', x.mappings, 'comment', x.comment,
           'raw', jsonb_build_object('body', c.cfgparser, 'mappings', (
             SELECT string_agg(concat_ws('/', y.maptokentype, y.mapseqno, y.mapdict), ',' ORDER BY y.maptokentype, y.mapseqno) FROM pg_ts_config_map AS y WHERE y.mapcfg = c.oid)))) AS facts,
         'pg_ts_config'::regclass::oid AS classid, c.oid AS objid, 0 AS objsubid, c.oid AS whole
    FROM pg_ts_config AS c JOIN migmgr_internal.described_namespace AS n ON n.oid = c.cfgnamespace
   CROSS JOIN LATERAL (
     SELECT (SELECT quote_ident(m.nspname) || '.' || quote_ident(p.prsname) FROM pg_ts_parser AS p JOIN pg_namespace AS m ON m.oid = p.prsnamespace WHERE p.oid = c.cfgparser) AS parser,
            (SELECT jsonb_agg(m.line ORDER BY m.token COLLATE "C") FROM (
               SELECT quote_ident(t.alias) AS token, quote_ident(t.alias) || ' WITH ' || string_agg(y.mapdict::regdictionary::text, ', ' ORDER BY y.mapseqno) AS line
                 FROM pg_ts_config_map AS y JOIN ts_token_type(c.cfgparser) AS t ON t.tokid = y.maptokentype WHERE y.mapcfg = c.oid GROUP BY t.alias) AS m) AS mappings,
            migmgr_internal.comment_of('pg_ts_config'::regclass, c.oid) AS comment) AS x
   WHERE NOT migmgr_internal.is_member('pg_ts_config'::regclass, c.oid);
COMMENT ON VIEW migmgr_internal.described_ts_config IS 'text search configurations, described';

CREATE VIEW migmgr_internal.described_ts_dictionary AS
  SELECT 'text search dictionary'::text AS kind, n.name || '.' || quote_ident(d.dictname) AS identity, NULL::text AS parent,
         concat('CREATE TEXT SEARCH DICTIONARY ', n.name, '.', quote_ident(d.dictname), ' ', x.body, migmgr_internal.tail(d.dictowner, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(d.dictname), 'schema', n.name, 'owner', quote_ident(pg_get_userbyid(d.dictowner)), 'body', x.body, 'options', d.dictinitoption, 'comment', x.comment,
           'raw', jsonb_build_object('body', d.dicttemplate || '/' || coalesce(d.dictinitoption, '')))) AS facts,
         'pg_ts_dict'::regclass::oid AS classid, d.oid AS objid, 0 AS objsubid, d.oid AS whole
    FROM pg_ts_dict AS d JOIN migmgr_internal.described_namespace AS n ON n.oid = d.dictnamespace
   CROSS JOIN LATERAL (
     SELECT concat('(TEMPLATE = ', (SELECT quote_ident(m.nspname) || '.' || quote_ident(t.tmplname) FROM pg_ts_template AS t JOIN pg_namespace AS m ON m.oid = t.tmplnamespace WHERE t.oid = d.dicttemplate), ', ' || d.dictinitoption, ')') AS body,
            migmgr_internal.comment_of('pg_ts_dict'::regclass, d.oid) AS comment) AS x
   WHERE NOT migmgr_internal.is_member('pg_ts_dict'::regclass, d.oid);
COMMENT ON VIEW migmgr_internal.described_ts_dictionary IS 'text search dictionaries, described';

CREATE VIEW migmgr_internal.described_ts_parser AS
  SELECT 'text search parser'::text AS kind, n.name || '.' || quote_ident(p.prsname) AS identity, NULL::text AS parent,
         concat('CREATE TEXT SEARCH PARSER ', n.name, '.', quote_ident(p.prsname), ' ', x.body, migmgr_internal.tail(NULL, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(p.prsname), 'schema', n.name, 'body', x.body, 'comment', x.comment)) AS facts,
         'pg_ts_parser'::regclass::oid AS classid, p.oid AS objid, 0 AS objsubid, p.oid AS whole
    FROM pg_ts_parser AS p JOIN migmgr_internal.described_namespace AS n ON n.oid = p.prsnamespace
   CROSS JOIN LATERAL (
     SELECT concat('(START = ', p.prsstart, ', GETTOKEN = ', p.prstoken, ', END = ', p.prsend, ', HEADLINE = ' || nullif(p.prsheadline, 0)::regproc, ', LEXTYPES = ', p.prslextype, ')') AS body,
            migmgr_internal.comment_of('pg_ts_parser'::regclass, p.oid) AS comment) AS x
   WHERE NOT migmgr_internal.is_member('pg_ts_parser'::regclass, p.oid);
COMMENT ON VIEW migmgr_internal.described_ts_parser IS 'text search parsers, described';

CREATE VIEW migmgr_internal.described_ts_template AS
  SELECT 'text search template'::text AS kind, n.name || '.' || quote_ident(p.tmplname) AS identity, NULL::text AS parent,
         concat('CREATE TEXT SEARCH TEMPLATE ', n.name, '.', quote_ident(p.tmplname), ' ', x.body, migmgr_internal.tail(NULL, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(p.tmplname), 'schema', n.name, 'body', x.body, 'comment', x.comment)) AS facts,
         'pg_ts_template'::regclass::oid AS classid, p.oid AS objid, 0 AS objsubid, p.oid AS whole
    FROM pg_ts_template AS p JOIN migmgr_internal.described_namespace AS n ON n.oid = p.tmplnamespace
   CROSS JOIN LATERAL (
     SELECT concat('(INIT = ' || nullif(p.tmplinit, 0)::regproc || ', ', 'LEXIZE = ', p.tmpllexize, ')') AS body, migmgr_internal.comment_of('pg_ts_template'::regclass, p.oid) AS comment) AS x
   WHERE NOT migmgr_internal.is_member('pg_ts_template'::regclass, p.oid);
COMMENT ON VIEW migmgr_internal.described_ts_template IS 'text search templates, described';

CREATE VIEW migmgr_internal.described_cast AS
  SELECT 'cast'::text AS kind, x.identity, NULL::text AS parent, concat('CREATE CAST ', x.identity, x.body, migmgr_internal.tail(NULL, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('body', x.body, 'comment', x.comment, 'raw', jsonb_build_object('body', concat_ws('/', c.castfunc, c.castmethod, c.castcontext)))) AS facts,
         'pg_cast'::regclass::oid AS classid, c.oid AS objid, 0 AS objsubid, c.oid AS whole
    FROM pg_cast AS c
   CROSS JOIN LATERAL (
     SELECT format('(%s AS %s)', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)) AS identity,
            concat(CASE c.castmethod WHEN 'i' THEN ' WITH INOUT' WHEN 'b' THEN ' WITHOUT FUNCTION' ELSE ' WITH FUNCTION ' || c.castfunc::regprocedure END,
              CASE c.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' END) AS body,
            migmgr_internal.comment_of('pg_cast'::regclass, c.oid) AS comment) AS x
   WHERE c.oid >= 16384 AND NOT migmgr_internal.is_member('pg_cast'::regclass, c.oid)
     AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_cast'::regclass AND e.objid = c.oid AND e.deptype = 'i');
COMMENT ON VIEW migmgr_internal.described_cast IS 'casts, described';

CREATE VIEW migmgr_internal.described_collation AS
  SELECT 'collation'::text AS kind, n.name || '.' || quote_ident(c.collname) AS identity, NULL::text AS parent,
         concat('CREATE COLLATION ', n.name, '.', quote_ident(c.collname), ' ', x.body, migmgr_internal.tail(c.collowner, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(c.collname), 'schema', n.name, 'owner', quote_ident(pg_get_userbyid(c.collowner)), 'body', x.body, 'comment', x.comment)) AS facts,
         'pg_collation'::regclass::oid AS classid, c.oid AS objid, 0 AS objsubid, c.oid AS whole
    FROM pg_collation AS c JOIN migmgr_internal.described_namespace AS n ON n.oid = c.collnamespace
   CROSS JOIN LATERAL (
     SELECT concat('(PROVIDER = ', CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
              CASE WHEN c.collprovider IN ('i', 'b') THEN ', LOCALE = ' || quote_literal(coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate))
                   ELSE ', LC_COLLATE = ' || quote_literal(c.collcollate) || ', LC_CTYPE = ' || quote_literal(c.collctype) END,
              ', RULES = ' || quote_literal(to_jsonb(c) ->> 'collicurules'), CASE WHEN NOT c.collisdeterministic THEN ', DETERMINISTIC = false' END, ')') AS body,
            migmgr_internal.comment_of('pg_collation'::regclass, c.oid) AS comment) AS x
   WHERE NOT migmgr_internal.is_member('pg_collation'::regclass, c.oid);
COMMENT ON VIEW migmgr_internal.described_collation IS 'collations, described; their version is the library''s and left out';

CREATE VIEW migmgr_internal.described_conversion AS
  SELECT 'conversion'::text AS kind, n.name || '.' || quote_ident(c.conname) AS identity, NULL::text AS parent,
         concat('CREATE ', CASE WHEN c.condefault THEN 'DEFAULT ' END, 'CONVERSION ', n.name, '.', quote_ident(c.conname), ' ', x.body, migmgr_internal.tail(c.conowner, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(c.conname), 'schema', n.name, 'owner', quote_ident(pg_get_userbyid(c.conowner)), 'is_default', CASE WHEN c.condefault THEN true END, 'body', x.body, 'comment', x.comment)) AS facts,
         'pg_conversion'::regclass::oid AS classid, c.oid AS objid, 0 AS objsubid, c.oid AS whole
    FROM pg_conversion AS c JOIN migmgr_internal.described_namespace AS n ON n.oid = c.connamespace
   CROSS JOIN LATERAL (
     SELECT format('FOR %L TO %L FROM %s', pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding), c.conproc) AS body, migmgr_internal.comment_of('pg_conversion'::regclass, c.oid) AS comment) AS x
   WHERE NOT migmgr_internal.is_member('pg_conversion'::regclass, c.oid);
COMMENT ON VIEW migmgr_internal.described_conversion IS 'conversions, described';

CREATE VIEW migmgr_internal.described_transform AS
  SELECT 'transform'::text AS kind, x.identity, NULL::text AS parent, concat('CREATE TRANSFORM FOR ', x.identity, ' ', x.body, migmgr_internal.tail(NULL, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('body', x.body, 'comment', x.comment)) AS facts,
         'pg_transform'::regclass::oid AS classid, t.oid AS objid, 0 AS objsubid, t.oid AS whole
    FROM pg_transform AS t
   CROSS JOIN LATERAL (
     SELECT format('%s LANGUAGE %I', format_type(t.trftype, NULL), l.lanname) AS identity,
            '(' || concat_ws(', ', 'FROM SQL WITH FUNCTION ' || nullif(t.trffromsql, 0)::regprocedure, 'TO SQL WITH FUNCTION ' || nullif(t.trftosql, 0)::regprocedure) || ')' AS body,
            migmgr_internal.comment_of('pg_transform'::regclass, t.oid) AS comment FROM pg_language AS l WHERE l.oid = t.trflang) AS x
   WHERE NOT migmgr_internal.is_member('pg_transform'::regclass, t.oid);
COMMENT ON VIEW migmgr_internal.described_transform IS 'transforms, described';

CREATE VIEW migmgr_internal.described_language AS
  SELECT 'language'::text AS kind, quote_ident(l.lanname) AS identity, NULL::text AS parent,
         concat('CREATE ', CASE WHEN l.lanpltrusted THEN 'TRUSTED ' END, 'LANGUAGE ', quote_ident(l.lanname), x.body, migmgr_internal.tail(l.lanowner, x.grants, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(l.lanname), 'owner', quote_ident(pg_get_userbyid(l.lanowner)), 'trusted', CASE WHEN l.lanpltrusted THEN true END, 'body', x.body, 'grants', x.grants, 'comment', x.comment)) AS facts,
         'pg_language'::regclass::oid AS classid, l.oid AS objid, 0 AS objsubid, l.oid AS whole
    FROM pg_language AS l
   CROSS JOIN LATERAL (
     SELECT concat(' HANDLER ', l.lanplcallfoid::regproc, ' INLINE ' || nullif(l.laninline, 0)::regproc, ' VALIDATOR ' || nullif(l.lanvalidator, 0)::regproc) AS body,
            CASE WHEN l.lanacl IS NOT NULL THEN migmgr_internal.grants(l.lanacl, 'l', l.lanowner) END AS grants, migmgr_internal.comment_of('pg_language'::regclass, l.oid) AS comment) AS x
   WHERE l.oid >= 16384 AND l.lanispl AND NOT migmgr_internal.is_member('pg_language'::regclass, l.oid);
COMMENT ON VIEW migmgr_internal.described_language IS 'procedural languages, described';

CREATE VIEW migmgr_internal.described_access_method AS
  SELECT 'access method'::text AS kind, quote_ident(m.amname) AS identity, NULL::text AS parent,
         concat('CREATE ACCESS METHOD ', quote_ident(m.amname), x.body, migmgr_internal.tail(NULL, NULL, x.comment)) AS definition,
         jsonb_strip_nulls(jsonb_build_object('name', quote_ident(m.amname), 'body', x.body, 'comment', x.comment)) AS facts,
         'pg_am'::regclass::oid AS classid, m.oid AS objid, 0 AS objsubid, m.oid AS whole
    FROM pg_am AS m
   CROSS JOIN LATERAL (SELECT format(' TYPE %s HANDLER %s', CASE m.amtype WHEN 't' THEN 'TABLE' ELSE 'INDEX' END, m.amhandler) AS body, migmgr_internal.comment_of('pg_am'::regclass, m.oid) AS comment) AS x
   WHERE m.oid >= 16384 AND NOT migmgr_internal.is_member('pg_am'::regclass, m.oid);
COMMENT ON VIEW migmgr_internal.described_access_method IS 'access methods, described';

-- One row per label.  Of labelled parts only columns are part of a whole.
CREATE VIEW migmgr_internal.described_security_label AS
  SELECT 'security label'::text AS kind, format('%I on %s %s', s.provider, i.type, i.identity) AS identity, i.type || ' ' || i.identity AS parent,
         format('SECURITY LABEL FOR %I ON %s %s IS %L', s.provider, i.type, i.identity, s.label) AS definition,
         jsonb_build_object('provider', quote_ident(s.provider), 'label', s.label, 'on_type', i.type, 'on', i.identity) AS facts,
         s.classoid AS classid, s.objoid AS objid, s.objsubid, s.objoid AS whole
    FROM pg_seclabel AS s CROSS JOIN LATERAL pg_identify_object(s.classoid, s.objoid, s.objsubid) AS i
   WHERE s.objoid >= 16384 AND NOT migmgr_internal.is_member(s.classoid, s.objoid)
     AND (i.schema IS NULL OR EXISTS (SELECT FROM migmgr_internal.described_namespace AS n WHERE n.name = i.schema));
COMMENT ON VIEW migmgr_internal.described_security_label IS 'security labels, described';

CREATE FUNCTION migmgr_internal.describe(classids oid[] DEFAULT NULL, objids oid[] DEFAULT NULL)
  RETURNS TABLE(kind text, identity text, parent text, definition text, facts jsonb, needs text[], classid oid, objid oid, objsubid integer)
  LANGUAGE c STABLE
  AS 'MODULE_PATHNAME', 'migmgr_describe';
REVOKE ALL ON FUNCTION migmgr_internal.describe(oid[], oid[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.describe(oid[], oid[]) IS 'objects of the schema, one row each: the named ones with their parts, or all';

-- Is a row about a schema of the list, or something in it?
CREATE FUNCTION migmgr_internal.in_schemas(kind text, identity text, parent text, schemas text[]) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT COALESCE(bool_or(starts_with(t.text, quote_ident(s) || '.') OR (t.text = quote_ident(s) AND (in_schemas.kind = 'schema' OR in_schemas.parent LIKE 'schema %'))), false)
    FROM unnest(schemas) AS s,
         (SELECT regexp_replace(COALESCE(in_schemas.parent, in_schemas.identity), '^(table|view|materialized view|foreign table|type|schema) ', '') AS text) AS t
$$;
REVOKE ALL ON FUNCTION migmgr_internal.in_schemas(text, text, text, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.in_schemas(text, text, text, text[]) IS 'does a described row belong to one of the schemas';

CREATE FUNCTION migmgr.schema_fingerprint(exclude text[] DEFAULT '{}') RETURNS text
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET work_mem = '64MB'
  AS $$
BEGIN
  RETURN (
    SELECT encode(sha256(convert_to(coalesce(string_agg(concat(d.kind, ' ', d.identity, E'\n', length(d.definition), ':', d.definition, E'\n'), ''
                    ORDER BY d.kind COLLATE "C", d.identity COLLATE "C", d.parent COLLATE "C"), ''), 'UTF8')), 'hex')
      FROM migmgr_internal.describe() AS d
     WHERE exclude = '{}' OR NOT migmgr_internal.in_schemas(d.kind, d.identity, d.parent, exclude));
END
$$;
REVOKE ALL ON FUNCTION migmgr.schema_fingerprint(text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.schema_fingerprint(text[]) IS 'sha256 over the definitions of everything in the schema, the schemas to exclude excepted; the same schema has the same, wherever it is';
