-- The SQL that undoes a difference between two descriptions.
--
--   undo(before jsonb, after jsonb, same_oids boolean DEFAULT true)
--     RETURNS TABLE(n integer, kind text, identity text, sql text, irreversible text)
--
-- before and after are arrays of rows of describe(), as jsonb_agg(to_jsonb(d))
-- makes them, of the objects that changed, with all their parts.  The rows are
-- in the order in which they must run.  irreversible says what does not come
-- back; sql is what can be done nevertheless, or NULL.  Run them as somebody
-- who may, with check_function_bodies off.  With same_oids false (another
-- database, or after a restore) renamed objects are not recognized.
--
-- Four phases.  First what was made is dropped, dependents before what they
-- need.  Then names and schemas go back.  Then what was dropped is made again
-- and what was changed is changed back, in the order of what is needed then.
-- Last goes what was made and was needed by something that was changed (the
-- type of a column, the schema of a moved table).  Statements of the first
-- phase use the names of after, those of the others the names of before.
--
-- A definition that cannot be altered is dropped in the first phase and made
-- again in the third, with everything in the schema that hangs on it.
--
-- Here are the words; the statements that change something back are in
-- 54_undo_alter.sql, those that make something in 54_undo_create.sql, and which
-- are needed, in what order, in 54_undo_plan.sql.

CREATE TYPE migmgr_internal.undo_pair AS (
  id integer, kind text, before_key text, after_key text, same boolean, b jsonb, a jsonb, changed text[], recreate boolean, late boolean, swap text);
COMMENT ON TYPE migmgr_internal.undo_pair IS 'undo(): an object before and after; same: with the same OID; swap: the name that its successor gets until it is dropped';

CREATE TYPE migmgr_internal.undo_step AS (
  phase integer, key text, needs text[], kind text, identity text, sql text, irreversible text);
COMMENT ON TYPE migmgr_internal.undo_step IS 'undo(): a statement, and what must come before it';

-- Where a kind stands among others that it has no dependency on.
CREATE FUNCTION migmgr_internal.undo_rank(kind text, type text DEFAULT NULL) RETURNS integer
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT COALESCE(CASE WHEN kind = 'table constraint' AND type = 'f' THEN 34 END, array_position('{schema,extension,language,access method,collation,type,composite type column,domain constraint,
      function,procedure,aggregate,operator,operator family,operator class,cast,conversion,transform,text search parser,text search template,
      text search dictionary,text search configuration,foreign-data wrapper,server,user mapping,sequence,table,foreign table,
      table column,foreign table column,table constraint,index,view,materialized view,
      foreign key,statistics object,view column,materialized view column,rule,trigger,policy,event trigger,publication,subscription,default acl,security label}'::text[], kind), 99));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_rank(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_rank(text, text) IS 'order of kinds: what is made first';

-- The identity in a parent, and the object as COMMENT ON and DROP name it.
CREATE FUNCTION migmgr_internal.undo_parent(parent text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (SELECT regexp_replace(parent, '^(table|view|materialized view|foreign table|type|schema|server) ', ''));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_parent(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_parent(text) IS 'identity of a parent';

CREATE FUNCTION migmgr_internal.undo_relation(parent text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (SELECT upper(substring(parent FROM '^(table|view|materialized view|foreign table|type) ')) || ' ' || migmgr_internal.undo_parent(parent));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_relation(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_relation(text) IS 'a parent as ALTER names it';

CREATE FUNCTION migmgr_internal.undo_subject(kind text, identity text, parent text, facts jsonb) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT CASE
      WHEN kind LIKE '% column' THEN 'COLUMN ' || migmgr_internal.undo_parent(parent) || '.' || (facts ->> 'name')
      WHEN kind IN ('trigger', 'policy', 'rule') THEN upper(kind) || ' ' || (facts ->> 'name') || ' ON ' || migmgr_internal.undo_parent(parent)
      WHEN kind = 'table constraint' THEN 'CONSTRAINT ' || (facts ->> 'name') || ' ON ' || migmgr_internal.undo_parent(parent)
      WHEN kind = 'domain constraint' THEN 'CONSTRAINT ' || (facts ->> 'name') || ' ON DOMAIN ' || migmgr_internal.undo_parent(parent)
      WHEN kind = 'type' AND facts ->> 'type' = 'd' THEN 'DOMAIN ' || identity
      WHEN kind = 'statistics object' THEN 'STATISTICS ' || identity
      WHEN kind = 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER ' || identity
      WHEN kind = 'user mapping' THEN 'USER MAPPING FOR ' || (facts ->> 'role') || ' SERVER ' || migmgr_internal.undo_parent(parent)
      WHEN kind = 'transform' THEN 'TRANSFORM FOR ' || identity
      ELSE upper(kind) || ' ' || identity END);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_subject(text, text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_subject(text, text, text, jsonb) IS 'an object as COMMENT ON and DROP name it';

-- Privileges that come with an object, as grants() writes them.
CREATE FUNCTION migmgr_internal.undo_default_grants(kind text) RETURNS jsonb
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT CASE
      WHEN kind LIKE '% column' THEN '[]'
      WHEN kind IN ('function', 'procedure', 'aggregate') THEN '["EXECUTE TO OWNER", "EXECUTE TO PUBLIC"]'
      WHEN kind IN ('type', 'language') THEN '["USAGE TO OWNER", "USAGE TO PUBLIC"]'
      WHEN kind IN ('foreign-data wrapper', 'server') THEN '["USAGE TO OWNER"]'
      ELSE '["ALL TO OWNER"]' END::jsonb);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_default_grants(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_default_grants(text) IS 'privileges of an object that nobody granted';

-- From one set of privileges to another.  What was granted by somebody else
-- than the owner is granted in his name.
CREATE FUNCTION migmgr_internal.undo_grants(kind text, identity text, parent text, facts jsonb, owner text, now jsonb, wanted jsonb) RETURNS SETOF text
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  line text;
  privilege text;
  grantee text;
  place text;
BEGIN
  now := coalesce(now, migmgr_internal.undo_default_grants(kind));
  wanted := coalesce(wanted, migmgr_internal.undo_default_grants(kind));
  place := CASE WHEN kind LIKE '% column' THEN format(' (%s) ON TABLE %s', facts ->> 'name', migmgr_internal.undo_parent(parent))
    WHEN kind IN ('table', 'view', 'materialized view', 'foreign table') THEN ' ON TABLE ' || identity
    WHEN kind IN ('function', 'procedure', 'aggregate') THEN ' ON ROUTINE ' || replace(identity, '(*)', '()')
    WHEN kind = 'server' THEN ' ON FOREIGN SERVER ' || identity
    WHEN kind = 'type' THEN ' ON TYPE ' || identity
    ELSE ' ON ' || migmgr_internal.undo_subject(kind, identity, parent, facts) END;
  FOR line IN SELECT l FROM jsonb_array_elements_text(now) AS l WHERE NOT wanted ? l LOOP
    privilege := split_part(line, ' TO ', 1);
    grantee := regexp_replace(substr(line, strpos(line, ' TO ') + 4), ' (WITH GRANT OPTION|GRANTED BY .*)', '', 'g');
    RETURN NEXT format('REVOKE %s%s FROM %s', privilege, place, CASE grantee WHEN 'OWNER' THEN owner ELSE grantee END);
  END LOOP;
  FOR line IN SELECT l FROM jsonb_array_elements_text(wanted) AS l WHERE NOT now ? l ORDER BY l LIKE '%GRANTED BY%' LOOP
    privilege := split_part(line, ' TO ', 1);
    grantee := regexp_replace(substr(line, strpos(line, ' TO ') + 4), ' (WITH GRANT OPTION|GRANTED BY .*)', '', 'g');
    IF line LIKE '% GRANTED BY %' THEN
      RETURN NEXT format('SET LOCAL ROLE %s', regexp_replace(line, '^.* GRANTED BY ', ''));
    END IF;
    RETURN NEXT format('GRANT %s%s TO %s%s', privilege, place, CASE grantee WHEN 'OWNER' THEN owner ELSE grantee END,
                       CASE WHEN line LIKE '% WITH GRANT OPTION%' THEN ' WITH GRANT OPTION' END);
    IF line LIKE '% GRANTED BY %' THEN
      RETURN NEXT 'RESET ROLE';
    END IF;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_grants(text, text, text, jsonb, text, jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_grants(text, text, text, jsonb, text, jsonb, jsonb) IS 'GRANT and REVOKE statements from one set of privileges to another';

-- From one list of options to another: options that are there no more, and those to set.
CREATE FUNCTION migmgr_internal.undo_options(now jsonb, wanted jsonb, OUT gone text, OUT new text)
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  gone := (SELECT string_agg(split_part(n, '=', 1), ', ') FROM jsonb_array_elements_text(now) AS n
            WHERE NOT EXISTS (SELECT FROM jsonb_array_elements_text(wanted) AS w WHERE split_part(w, '=', 1) = split_part(n, '=', 1)));
  new := (SELECT string_agg(split_part(w, '=', 1) || ' = ' || quote_literal(substr(w, strpos(w, '=') + 1)), ', ') FROM jsonb_array_elements_text(wanted) AS w
           WHERE now IS NULL OR NOT now ? w);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_options(jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_options(jsonb, jsonb) IS 'what to reset and what to set';

CREATE FUNCTION migmgr_internal.undo_fdw_options(now jsonb, wanted jsonb) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    WITH n AS (SELECT substring(o FROM '^("(?:[^"]|"")*"|\S+) ') AS name, o FROM jsonb_array_elements_text(now) AS o),
         w AS (SELECT substring(o FROM '^("(?:[^"]|"")*"|\S+) ') AS name, o FROM jsonb_array_elements_text(wanted) AS o)
    SELECT string_agg(CASE WHEN w.name IS NULL THEN 'DROP ' || n.name WHEN n.name IS NULL THEN 'ADD ' || w.o ELSE 'SET ' || w.o END, ', ' ORDER BY coalesce(w.name, n.name) COLLATE "C")
      FROM n FULL JOIN w ON w.name = n.name WHERE n.o IS DISTINCT FROM w.o);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_fdw_options(jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_fdw_options(jsonb, jsonb) IS 'the list of ALTER ... OPTIONS from one set of options to another';

-- A column as CREATE TABLE and ADD COLUMN take it.
CREATE FUNCTION migmgr_internal.undo_column(f jsonb) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT concat(f ->> 'name', ' ', f ->> 'type', f ->> 'collation', ' OPTIONS (' || migmgr_internal.joined(f -> 'fdw_options') || ')',
             ' DEFAULT ' || (f ->> 'default'), ' GENERATED ALWAYS AS (' || (f ->> 'generated') || ')' || CASE WHEN f ? 'virtual' THEN ' VIRTUAL' ELSE ' STORED' END,
             ' GENERATED ' || (f ->> 'identity') || ' AS IDENTITY (SEQUENCE NAME ' || (f ->> 'sequence') || ' ' || substr(f ->> 'sequence_options', strpos(f ->> 'sequence_options', ' START ')) || ')',
             CASE WHEN f ? 'not_null' THEN concat(' CONSTRAINT ' || (f ->> 'not_null_name'), ' NOT NULL', f ->> 'not_null_more') END));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_column(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_column(jsonb) IS 'a column as ADD COLUMN takes it';

-- What a column says beyond that, from what it says now.
CREATE FUNCTION migmgr_internal.undo_column_settings(parent text, f jsonb, now jsonb) RETURNS SETOF text
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  head text := format('ALTER %s ALTER COLUMN %s ', migmgr_internal.undo_relation(parent), f ->> 'name');
  option record;
BEGIN
  IF f ->> 'storage' IS DISTINCT FROM now ->> 'storage' THEN
    RETURN NEXT head || 'SET STORAGE ' || coalesce(f ->> 'storage', f ->> 'type_storage');
  END IF;
  IF f ->> 'compression' IS DISTINCT FROM now ->> 'compression' THEN
    RETURN NEXT head || 'SET COMPRESSION ' || coalesce(f ->> 'compression', 'default');
  END IF;
  IF f ->> 'statistics' IS DISTINCT FROM now ->> 'statistics' THEN
    RETURN NEXT head || 'SET STATISTICS ' || coalesce(f ->> 'statistics', '-1');
  END IF;
  SELECT * INTO option FROM migmgr_internal.undo_options(now -> 'options', f -> 'options');
  IF option.gone IS NOT NULL THEN
    RETURN NEXT head || format('RESET (%s)', option.gone);
  END IF;
  IF option.new IS NOT NULL THEN
    RETURN NEXT head || format('SET (%s)', option.new);
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_column_settings(text, jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_column_settings(text, jsonb, jsonb) IS 'statements for storage, compression, statistics and options of a column';

-- Owner, grants and comment, from what the object says now.
CREATE FUNCTION migmgr_internal.undo_tail(kind text, identity text, parent text, f jsonb, now jsonb) RETURNS TABLE(sql text, irreversible text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  subject text := migmgr_internal.undo_subject(kind, identity, parent, f);
  owner text := f ->> 'owner';
BEGIN
  -- an owned sequence goes with its table
  IF owner IS DISTINCT FROM now ->> 'owner' AND NOT (kind = 'sequence' AND f ? 'owned_by' AND now ? 'owned_by') THEN
    IF to_regrole(owner) IS NULL THEN
      RETURN QUERY SELECT NULL::text, format('its owner %s does not exist any more', owner);
      owner := quote_ident(current_user);
    ELSE
      RETURN QUERY SELECT format('ALTER %s OWNER TO %s', subject, owner), NULL::text;
    END IF;
  END IF;
  IF f -> 'grants' IS DISTINCT FROM now -> 'grants' THEN
    RETURN QUERY SELECT g, NULL::text FROM migmgr_internal.undo_grants(kind, identity, parent, f,
      owner,
      now -> 'grants', f -> 'grants') AS g;
  END IF;
  IF f ->> 'comment' IS DISTINCT FROM now ->> 'comment' THEN
    RETURN QUERY SELECT format('COMMENT ON %s IS %s', subject, coalesce(quote_literal(f ->> 'comment'), 'NULL')), NULL::text;
  END IF;
  IF f ->> 'index_comment' IS DISTINCT FROM now ->> 'index_comment' THEN
    RETURN QUERY SELECT format('COMMENT ON INDEX %s.%s IS %s', substring(migmgr_internal.undo_parent(parent) FROM '^("(?:[^"]|"")*"|[^.]*)\.'),
      f ->> 'name', coalesce(quote_literal(f ->> 'index_comment'), 'NULL')), NULL::text;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_tail(text, text, text, jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_tail(text, text, text, jsonb, jsonb) IS 'statements for owner, grants and comments';

CREATE FUNCTION migmgr_internal.undo_drop(kind text, identity text, parent text, f jsonb) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT CASE
      WHEN kind = 'composite type column' THEN format('ALTER %s DROP ATTRIBUTE %s CASCADE', migmgr_internal.undo_relation(parent), f ->> 'name')
      WHEN kind IN ('view column', 'materialized view column') THEN NULL
      WHEN kind LIKE '% column' THEN format('ALTER %s DROP COLUMN %s', migmgr_internal.undo_relation(parent), f ->> 'name')
      WHEN kind = 'table constraint' THEN format('ALTER %s DROP CONSTRAINT %s', migmgr_internal.undo_relation(parent), f ->> 'name')
      WHEN kind = 'domain constraint' THEN format('ALTER DOMAIN %s DROP CONSTRAINT %s', migmgr_internal.undo_parent(parent), f ->> 'name')
      WHEN kind = 'aggregate' THEN 'DROP AGGREGATE ' || replace(identity, '()', '(*)')
      WHEN kind = 'default acl' THEN NULL
      WHEN kind = 'security label' THEN format('SECURITY LABEL FOR %s ON %s %s IS NULL', f ->> 'provider', upper(f ->> 'on_type'), f ->> 'on')
      ELSE 'DROP ' || migmgr_internal.undo_subject(kind, identity, parent, f) END);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_drop(text, text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_drop(text, text, text, jsonb) IS 'statement that drops an object';

CREATE FUNCTION migmgr_internal.undo_rename(kind text, identity text, parent text, f jsonb, name text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT CASE
      WHEN kind = 'composite type column' THEN format('ALTER %s RENAME ATTRIBUTE %s TO %s CASCADE', migmgr_internal.undo_relation(parent), f ->> 'name', name)
      WHEN kind LIKE '% column' THEN format('ALTER %s RENAME COLUMN %s TO %s', migmgr_internal.undo_relation(parent), f ->> 'name', name)
      WHEN kind = 'table constraint' THEN format('ALTER %s RENAME CONSTRAINT %s TO %s', migmgr_internal.undo_relation(parent), f ->> 'name', name)
      WHEN kind = 'domain constraint' THEN format('ALTER DOMAIN %s RENAME CONSTRAINT %s TO %s', migmgr_internal.undo_parent(parent), f ->> 'name', name)
      ELSE format('ALTER %s RENAME TO %s', migmgr_internal.undo_subject(kind, identity, parent, f), name) END);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_rename(text, text, text, jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_rename(text, text, text, jsonb, text) IS 'statement that renames an object';
