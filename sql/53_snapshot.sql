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
-- How it is made: in C (src/describe.c), for what a schema has many of from the
-- rows of the catalogs, and for the kinds that are few by a view per catalog, in
-- this file, with a column whole, the OID of the whole object that a row is
-- part of.  The texts are the server's own (pg_get_*def, format_type), with
-- the settings that they depend on pinned.

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
  LANGUAGE c STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_schema_fingerprint';
REVOKE ALL ON FUNCTION migmgr.schema_fingerprint(text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.schema_fingerprint(text[]) IS 'sha256 over the definitions of everything in the schema, the schemas to exclude excepted; the same schema has the same, wherever it is';
