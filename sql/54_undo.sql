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

-- The statements that make an object, without owner, grants and comment.
-- columns: facts of the columns of a relation, by position.
CREATE FUNCTION migmgr_internal.undo_create(kind text, identity text, parent text, f jsonb, columns jsonb) RETURNS TABLE(sql text, irreversible text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  subject text := migmgr_internal.undo_subject(kind, identity, parent, f);
  relation text := migmgr_internal.undo_relation(parent);
  body text;
  item jsonb;
BEGIN
  IF kind IN ('table', 'foreign table') THEN
    SELECT string_agg(migmgr_internal.undo_column(c), ', ' ORDER BY o) INTO body FROM jsonb_array_elements(columns) WITH ORDINALITY AS x(c, o)
     WHERE NOT c ? 'inherited' OR c ? 'local' OR f ? 'partition_of';
    RETURN QUERY SELECT concat('CREATE ', CASE WHEN f ? 'unlogged' THEN 'UNLOGGED ' END, subject,
      CASE WHEN f ? 'of_type' THEN ' OF ' || (f ->> 'of_type') ELSE ' (' || coalesce(body, '') || ')' END,
      ' INHERITS (' || migmgr_internal.joined(f -> 'inherits') || ')', ' PARTITION BY ' || (f ->> 'partition_by'), ' USING ' || (f ->> 'access_method'),
      ' SERVER ' || (f ->> 'server'), ' OPTIONS (' || migmgr_internal.joined(f -> 'fdw_options') || ')',
      ' WITH (' || (SELECT string_agg(o, ', ') FROM (
         SELECT jsonb_array_elements_text(f -> 'options') AS o UNION ALL SELECT 'toast.' || jsonb_array_elements_text(f -> 'toast_options')) AS o) || ')',
      ' TABLESPACE ' || (f ->> 'tablespace')),
      CASE WHEN kind = 'table' AND NOT f ? 'partition_by' THEN format('the rows of table %s', identity) END;
    FOR item IN SELECT c FROM jsonb_array_elements(columns) AS c LOOP
      RETURN QUERY SELECT s, NULL::text FROM migmgr_internal.undo_column_settings(kind || ' ' || identity, item, '{}') AS s;
      IF f ? 'of_type' THEN
        IF item ? 'default' THEN
          RETURN QUERY SELECT format('ALTER %s ALTER COLUMN %s SET DEFAULT %s', subject, item ->> 'name', item ->> 'default'), NULL::text;
        END IF;
        IF item ? 'not_null' THEN
          RETURN QUERY SELECT format('ALTER %s ALTER COLUMN %s SET NOT NULL', subject, item ->> 'name'), NULL::text;
        END IF;
      ELSIF item ? 'inherited' AND NOT item ? 'local' AND item ? 'default' AND NOT f ? 'partition_of' THEN
        RETURN QUERY SELECT format('ALTER %s ALTER COLUMN %s SET DEFAULT %s', subject, item ->> 'name', item ->> 'default'), NULL::text;
      END IF;
    END LOOP;
  ELSIF kind = 'composite type column' THEN
    RETURN QUERY SELECT format('ALTER %s ADD ATTRIBUTE %s %s%s CASCADE', relation, f ->> 'name', f ->> 'type', f ->> 'collation'), NULL::text;
  ELSIF kind IN ('view column', 'materialized view column') THEN
    IF f ? 'default' THEN
      RETURN QUERY SELECT format('ALTER %s ALTER COLUMN %s SET DEFAULT %s', relation, f ->> 'name', f ->> 'default'), NULL::text;
    END IF;
    RETURN QUERY SELECT s, NULL::text FROM migmgr_internal.undo_column_settings(parent, f, '{}') AS s;
  ELSIF kind LIKE '% column' THEN
    RETURN QUERY SELECT format('ALTER %s ADD COLUMN %s', relation, migmgr_internal.undo_column(f)),
      CASE WHEN NOT f ? 'generated' AND kind = 'table column' THEN format('the values of column %s', identity) END;
    RETURN QUERY SELECT s, NULL::text FROM migmgr_internal.undo_column_settings(parent, f, '{}') AS s;
  ELSIF kind IN ('table constraint', 'domain constraint') THEN
    body := f ->> 'def';
    IF f ? 'options' THEN
      -- before what may follow the columns
      body := regexp_replace(body, '^((PRIMARY KEY|UNIQUE|EXCLUDE).*?)( WHERE .*| DEFERRABLE.*| NOT DEFERRABLE.*)?$', format('\1 WITH (%s)\3', migmgr_internal.joined(f -> 'options')));
    END IF;
    IF f ? 'tablespace' THEN
      body := regexp_replace(body, '^((PRIMARY KEY|UNIQUE|EXCLUDE).*?)( WHERE .*| DEFERRABLE.*| NOT DEFERRABLE.*)?$', format('\1 USING INDEX TABLESPACE %s\3', f ->> 'tablespace'));
    END IF;
    RETURN QUERY SELECT format('ALTER %s ADD CONSTRAINT %s %s', CASE kind WHEN 'domain constraint' THEN 'DOMAIN ' || migmgr_internal.undo_parent(parent) ELSE relation END, f ->> 'name', body), NULL::text;
    IF f ? 'clustered' THEN
      RETURN QUERY SELECT format('ALTER %s CLUSTER ON %s', relation, f ->> 'name'), NULL::text;
    END IF;
  ELSIF kind = 'index' THEN
    body := regexp_replace(f ->> 'def', '^(.*?) ON ONLY ', '\1 ON ');
    IF f ? 'tablespace' THEN
      body := regexp_replace(body, '^(.*?)( WHERE .*)?$', format('\1 TABLESPACE %s\2', f ->> 'tablespace'));
    END IF;
    RETURN QUERY SELECT body, CASE WHEN f ? 'invalid' THEN format('that index %s is not valid: it is built', identity) END;
    IF f ? 'clustered' THEN
      RETURN QUERY SELECT format('ALTER %s CLUSTER ON %s', relation, f ->> 'name'), NULL::text;
    END IF;
    RETURN QUERY SELECT format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', identity, s.key, s.value), NULL::text FROM jsonb_each_text(f -> 'statistics') AS s;
  ELSIF kind IN ('trigger', 'rule') THEN
    RETURN QUERY SELECT f ->> 'def', NULL::text;
    IF f ? 'mode' THEN
      RETURN QUERY SELECT format('ALTER %s %s %s %s', relation, f ->> 'mode', upper(kind), f ->> 'name'), NULL::text;
    END IF;
  ELSIF kind = 'policy' THEN
    RETURN QUERY SELECT concat('CREATE POLICY ', f ->> 'name', ' ON ', migmgr_internal.undo_parent(parent), CASE WHEN f ? 'restrictive' THEN ' AS RESTRICTIVE' END,
      ' FOR ', f ->> 'command', ' TO ', f ->> 'roles', ' USING (' || (f ->> 'using') || ')', ' WITH CHECK (' || (f ->> 'check') || ')'), NULL::text;
  ELSIF kind IN ('view', 'materialized view') THEN
    RETURN QUERY SELECT concat('CREATE ', subject, ' (' || (SELECT string_agg(substring(c FROM '^("(?:[^"]|"")*"|[^ ]*) '), ', ' ORDER BY o) FROM jsonb_array_elements_text(f -> 'columns') WITH ORDINALITY AS x(c, o)) || ')',
      ' USING ' || (f ->> 'access_method'), ' WITH (' || migmgr_internal.joined(f -> 'options') || ')', ' TABLESPACE ' || (f ->> 'tablespace'), ' AS ', f ->> 'query'), NULL::text;
  ELSIF kind = 'sequence' THEN
    RETURN QUERY SELECT concat('CREATE ', CASE WHEN f ? 'unlogged' THEN 'UNLOGGED ' END, subject, ' ', f ->> 'sequence_options'), format('how far sequence %s had come', identity);
  ELSIF kind = 'type' THEN
    RETURN QUERY SELECT concat('CREATE ', subject, ' ', CASE f ->> 'type'
      WHEN 'e' THEN format('AS ENUM (%s)', coalesce(migmgr_internal.joined(f -> 'labels'), ''))
      WHEN 'c' THEN format('AS (%s)', (SELECT string_agg(concat(c ->> 'name', ' ', c ->> 'type', c ->> 'collation'), ', ' ORDER BY o) FROM jsonb_array_elements(columns) WITH ORDINALITY AS x(c, o)))
      WHEN 'd' THEN CASE WHEN f ? 'not_null' THEN f ->> 'body' ELSE f ->> 'body' END
      ELSE f ->> 'body' END), CASE WHEN f ->> 'type' = 'b' THEN format('type %s: its functions need the type first', identity) END;
  ELSIF kind IN ('function', 'procedure', 'aggregate') THEN
    RETURN QUERY SELECT f ->> 'def', NULL::text;
    IF f ? 'depends' THEN
      RETURN QUERY SELECT format('ALTER %s DEPENDS ON EXTENSION %s', subject, e), NULL::text FROM regexp_split_to_table(f ->> 'depends', ', ') AS e;
    END IF;
  ELSIF kind = 'statistics object' THEN
    RETURN QUERY SELECT f ->> 'def', NULL::text;
    IF f ? 'statistics' THEN
      RETURN QUERY SELECT format('ALTER STATISTICS %s SET STATISTICS %s', identity, f ->> 'statistics'), NULL::text;
    END IF;
  ELSIF kind = 'publication' THEN
    RETURN QUERY SELECT concat('CREATE ', subject, CASE WHEN f ? 'all_tables' THEN ' FOR ALL TABLES' END, ' FOR ' || migmgr_internal.joined(f -> 'members'), ' WITH (', f ->> 'options', ')'), NULL::text;
  ELSIF kind = 'default acl' THEN
    RETURN QUERY SELECT s, NULL::text FROM migmgr_internal.undo_default_privileges(f, NULL, f -> 'privileges') AS s;
  ELSIF kind = 'extension' THEN
    RETURN QUERY SELECT format('CREATE %s WITH SCHEMA %s VERSION %s', subject, f ->> 'schema', f ->> 'version'), format('what the tables of extension %s held', identity);
  ELSIF kind = 'text search configuration' THEN
    RETURN QUERY SELECT concat('CREATE ', subject, ' ', f ->> 'body'), NULL::text;
    RETURN QUERY SELECT format('ALTER %s ADD MAPPING FOR %s', subject, m), NULL::text FROM jsonb_array_elements_text(f -> 'mappings') AS m;
  ELSIF kind = 'operator family' THEN
    RETURN QUERY SELECT 'CREATE ' || subject, NULL::text;
    IF f ? 'items' THEN
      RETURN QUERY SELECT format('ALTER %s ADD %s', subject, migmgr_internal.joined(f -> 'items')), NULL::text;
    END IF;
  ELSIF kind = 'operator' THEN
    RETURN QUERY SELECT format('CREATE OPERATOR %s.%s %s', f ->> 'schema', f ->> 'name', f ->> 'body'), NULL::text;
  ELSIF kind = 'operator class' THEN
    RETURN QUERY SELECT format('CREATE OPERATOR CLASS %s.%s %s', f ->> 'schema', f ->> 'name', f ->> 'body'), NULL::text;
  ELSIF kind = 'user mapping' THEN
    RETURN QUERY SELECT 'CREATE ' || subject, CASE WHEN f ? 'option_names' THEN format('options of the user mapping (%s): their values are not kept', migmgr_internal.joined(f -> 'option_names')) END;
  ELSIF kind = 'subscription' THEN
    RETURN QUERY SELECT NULL::text, format('subscription %s: how it connects is not kept', identity);
  ELSIF kind = 'server' THEN
    RETURN QUERY SELECT concat('CREATE ', subject, f ->> 'head', ' VERSION ' || (f ->> 'server_version'), ' FOREIGN DATA WRAPPER ', f ->> 'wrapper', ' OPTIONS (' || migmgr_internal.joined(f -> 'fdw_options') || ')'), NULL::text;
  ELSIF kind = 'security label' THEN
    RETURN QUERY SELECT format('SECURITY LABEL FOR %s ON %s %s IS %L', f ->> 'provider', upper(f ->> 'on_type'), f ->> 'on', f ->> 'label'), NULL::text;
  ELSIF kind = 'event trigger' THEN
    RETURN QUERY SELECT concat('CREATE ', subject, ' ', f ->> 'body'), NULL::text;
    IF f ? 'mode' THEN
      RETURN QUERY SELECT format('ALTER %s %s', subject, f ->> 'mode'), NULL::text;
    END IF;
  ELSE
    -- schema, wrapper, language, access method, cast, collation, conversion, transform, text search dictionary, parser, template
    RETURN QUERY SELECT concat('CREATE ', CASE WHEN f ? 'is_default' THEN 'DEFAULT ' END, CASE WHEN f ? 'trusted' THEN 'TRUSTED ' END, subject,
      CASE WHEN kind IN ('cast', 'language', 'access method', 'foreign-data wrapper') THEN '' ELSE ' ' END, f ->> 'body', ' OPTIONS (' || migmgr_internal.joined(f -> 'fdw_options') || ')'), NULL::text;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_create(text, text, text, jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_create(text, text, text, jsonb, jsonb) IS 'statements that make an object again';

-- Default privileges from one set to another.
CREATE FUNCTION migmgr_internal.undo_default_privileges(f jsonb, now jsonb, wanted jsonb) RETURNS SETOF text
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    WITH line AS (
      SELECT l, false AS give FROM jsonb_array_elements_text(coalesce(now, f -> 'built_in', '[]')) AS l WHERE NOT coalesce(wanted, f -> 'built_in', '[]') ? l
      UNION ALL
      SELECT l, true FROM jsonb_array_elements_text(coalesce(wanted, f -> 'built_in', '[]')) AS l WHERE NOT coalesce(now, f -> 'built_in', '[]') ? l
    ), part AS (
      SELECT give, split_part(l, ' TO ', 1) AS privilege, regexp_replace(substr(l, strpos(l, ' TO ') + 4), ' (WITH GRANT OPTION|GRANTED BY .*)', '', 'g') AS role, l LIKE '% WITH GRANT OPTION%' AS option FROM line
    )
    SELECT concat('ALTER DEFAULT PRIVILEGES FOR ROLE ', f ->> 'role', ' IN SCHEMA ' || (f ->> 'in_schema'), CASE WHEN p.give THEN ' GRANT ' ELSE ' REVOKE ' END,
             p.privilege, ' ON ', f ->> 'objects', CASE WHEN p.give THEN ' TO ' ELSE ' FROM ' END, CASE p.role WHEN 'OWNER' THEN f ->> 'role' ELSE p.role END,
             CASE WHEN p.give AND p.option THEN ' WITH GRANT OPTION' END)
      FROM part AS p ORDER BY p.give, p.role COLLATE "C", p.privilege COLLATE "C";
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_default_privileges(jsonb, jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_default_privileges(jsonb, jsonb, jsonb) IS 'ALTER DEFAULT PRIVILEGES statements from one set to another';

-- Facts that cannot be altered in place: the object is dropped and made again.
CREATE FUNCTION migmgr_internal.undo_recreates(kind text, b jsonb, a jsonb, changed text[]) RETURNS boolean
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT CASE
      WHEN kind = 'index' THEN 'def' = ANY (changed) AND regexp_replace(b ->> 'def', ' WITH \([^)]*\)', '') IS DISTINCT FROM regexp_replace(a ->> 'def', ' WITH \([^)]*\)', '')
                               OR 'invalid' = ANY (changed) AND a ? 'invalid'
      WHEN kind IN ('table constraint', 'domain constraint') THEN 'def' = ANY (changed) AND NOT (b ->> 'type' = 'f' AND
        regexp_replace(b ->> 'def', '( NOT)? DEFERRABLE| INITIALLY DEFERRED', '', 'g') = regexp_replace(a ->> 'def', '( NOT)? DEFERRABLE| INITIALLY DEFERRED', '', 'g'))
        AND NOT (a ? 'not_valid' AND a ->> 'def' = (b ->> 'def') || ' NOT VALID')
      WHEN kind = 'trigger' THEN 'def' = ANY (changed) AND (b ? 'constraint' OR a ? 'constraint') OR 'constraint' = ANY (changed)
      WHEN kind = 'policy' THEN 'command' = ANY (changed) OR 'restrictive' = ANY (changed) OR (a ? 'using' AND NOT b ? 'using') OR (a ? 'check' AND NOT b ? 'check')
      WHEN kind = 'statistics object' THEN 'def' = ANY (changed)
      WHEN kind = 'view' THEN 'query' = ANY (changed) AND NOT coalesce((
        SELECT bool_and(coalesce(b -> 'columns' ->> (x.o - 1)::integer = x.c, false)) FROM jsonb_array_elements_text(a -> 'columns') WITH ORDINALITY AS x(c, o)), true)
      WHEN kind = 'materialized view' THEN 'query' = ANY (changed) OR 'columns' = ANY (changed)
      WHEN kind IN ('function', 'procedure') THEN 'result' = ANY (changed) OR 'parameters' = ANY (changed)
      WHEN kind = 'aggregate' THEN 'result' = ANY (changed)
      WHEN kind IN ('operator', 'operator class', 'operator family', 'cast', 'collation', 'conversion', 'transform', 'text search parser', 'text search template',
                    'event trigger', 'access method', 'language', 'server') THEN changed && '{body,items,is_default,trusted,head,wrapper}'::text[]
      WHEN kind = 'text search dictionary' THEN 'body' = ANY (changed) AND split_part(b ->> 'body', ',', 1) <> split_part(a ->> 'body', ',', 1)
      WHEN kind = 'text search configuration' THEN 'body' = ANY (changed)
      ELSE false END);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_recreates(text, jsonb, jsonb, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_recreates(text, jsonb, jsonb, text[]) IS 'can this change only be undone by dropping and making again';

-- Does a value of one type become one of the other by a cast of their own?  The
-- text of the value is the way where not.
CREATE FUNCTION migmgr_internal.undo_casts(from_type text, to_type text) RETURNS boolean
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  source oid := to_regtype(from_type);
  target oid := to_regtype(to_type);
BEGIN
  RETURN coalesce(source = target, false) OR EXISTS (SELECT FROM pg_cast AS c WHERE c.castsource = source AND c.casttarget = target)
    OR EXISTS (SELECT FROM pg_type AS t WHERE t.oid IN (source, target) AND t.typcategory = 'S');
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_casts(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_casts(text, text) IS 'is there a cast, other than over the text of a value';

-- A column back to what it was; the values go along.
CREATE FUNCTION migmgr_internal.undo_alter_column(kind text, identity text, parent text, b jsonb, a jsonb, changed text[]) RETURNS TABLE(sql text, irreversible text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  head text := format('ALTER %s ALTER COLUMN %s ', migmgr_internal.undo_relation(parent), b ->> 'name');
  retype boolean := changed && '{type,collation}'::text[];
  options text;
BEGIN
  IF kind = 'composite type column' THEN
    IF retype THEN
      RETURN QUERY SELECT format('ALTER %s ALTER ATTRIBUTE %s SET DATA TYPE %s%s CASCADE', migmgr_internal.undo_relation(parent), b ->> 'name', b ->> 'type', b ->> 'collation'), NULL::text;
    END IF;
    RETURN;
  END IF;
  IF a ? 'generated' AND NOT b ? 'generated' THEN
    RETURN QUERY SELECT head || 'DROP EXPRESSION', NULL::text;
  ELSIF b ? 'generated' AND 'generated' = ANY (changed) OR 'virtual' = ANY (changed) THEN
    IF a ? 'generated' AND current_setting('server_version_num')::integer >= 170000 AND NOT 'virtual' = ANY (changed) THEN
      RETURN QUERY SELECT head || format('SET EXPRESSION AS (%s)', b ->> 'generated'), NULL::text;
    ELSE
      RETURN QUERY SELECT format('ALTER %s DROP COLUMN %s', migmgr_internal.undo_relation(parent), b ->> 'name'), format('the values that column %s has now', identity);
      RETURN QUERY SELECT format('ALTER %s ADD COLUMN %s', migmgr_internal.undo_relation(parent), migmgr_internal.undo_column(b)), NULL::text;
      RETURN QUERY SELECT s, NULL::text FROM migmgr_internal.undo_column_settings(parent, b, '{}') AS s;
      RETURN;
    END IF;
  END IF;
  IF a ? 'identity' AND (NOT b ? 'identity' OR a ->> 'sequence' IS DISTINCT FROM b ->> 'sequence' AND 'sequence' = ANY (changed)) THEN
    RETURN QUERY SELECT head || 'DROP IDENTITY', NULL::text;
    a := a - 'identity';
  END IF;
  IF a ? 'default' AND (retype OR NOT b ? 'default') THEN
    RETURN QUERY SELECT head || 'DROP DEFAULT', NULL::text;
  END IF;
  IF retype THEN
    RETURN QUERY SELECT concat(head, 'TYPE ', b ->> 'type', b ->> 'collation',
      CASE WHEN NOT b ? 'generated' AND kind = 'table column' THEN
        format(' USING %s::%s%s', b ->> 'name', CASE WHEN a ->> 'type' = b ->> 'type' AND 'type' = ANY (changed) OR NOT migmgr_internal.undo_casts(a ->> 'type', b ->> 'type') THEN 'text::' END, b ->> 'type') END), NULL::text;
  END IF;
  IF b ? 'default' AND (retype OR 'default' = ANY (changed)) THEN
    RETURN QUERY SELECT head || 'SET DEFAULT ' || (b ->> 'default'), NULL::text;
  END IF;
  IF 'not_null' = ANY (changed) THEN
    IF b ? 'not_null' AND b ?| '{not_null_name,not_null_more}'::text[] THEN
      RETURN QUERY SELECT concat('ALTER ', migmgr_internal.undo_relation(parent), ' ADD', ' CONSTRAINT ' || (b ->> 'not_null_name'), ' NOT NULL ', b ->> 'name', b ->> 'not_null_more'), NULL::text;
    ELSE
      RETURN QUERY SELECT head || CASE WHEN b ? 'not_null' THEN 'SET NOT NULL' ELSE 'DROP NOT NULL' END, NULL::text;
    END IF;
  ELSIF 'not_null_more' = ANY (changed) AND b ? 'not_null' THEN
    RETURN QUERY SELECT head || 'DROP NOT NULL', NULL::text;
    RETURN QUERY SELECT concat('ALTER ', migmgr_internal.undo_relation(parent), ' ADD', ' CONSTRAINT ' || (b ->> 'not_null_name'), ' NOT NULL ', b ->> 'name', b ->> 'not_null_more'), NULL::text;
  ELSIF 'not_null_name' = ANY (changed) AND a ? 'not_null' AND a -> 'raw' ->> 'not_null_name' <> b -> 'raw' ->> 'not_null_name' THEN
    RETURN QUERY SELECT format('ALTER %s RENAME CONSTRAINT %s TO %s', migmgr_internal.undo_relation(parent), a -> 'raw' ->> 'not_null_name', b -> 'raw' ->> 'not_null_name'), NULL::text;
  END IF;
  IF b ? 'identity' AND NOT a ? 'identity' THEN
    RETURN QUERY SELECT concat(head, 'ADD GENERATED ', b ->> 'identity', ' AS IDENTITY (SEQUENCE NAME ', b ->> 'sequence', ' ',
      substr(b ->> 'sequence_options', strpos(b ->> 'sequence_options', ' START ')), ')'), format('how far the numbers of column %s had come', identity);
  ELSIF b ? 'identity' AND changed && '{identity,sequence_options}'::text[] THEN
    RETURN QUERY SELECT concat(head, 'SET GENERATED ', b ->> 'identity'), NULL::text WHERE 'identity' = ANY (changed);
    RETURN QUERY SELECT format('ALTER SEQUENCE %s %s', b ->> 'sequence', b ->> 'sequence_options'), NULL::text WHERE 'sequence_options' = ANY (changed);
  END IF;
  IF retype THEN
    -- a new type brings its own
    a := a - 'storage';
  END IF;
  RETURN QUERY SELECT s, NULL::text FROM migmgr_internal.undo_column_settings(parent, b, a) AS s;
  options := migmgr_internal.undo_fdw_options(a -> 'fdw_options', b -> 'fdw_options');
  IF options IS NOT NULL THEN
    RETURN QUERY SELECT head || format('OPTIONS (%s)', options), NULL::text;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_alter_column(text, text, text, jsonb, jsonb, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_alter_column(text, text, text, jsonb, jsonb, text[]) IS 'statements that change a column back';

-- Relations, their owner, grants and comment excepted.
CREATE FUNCTION migmgr_internal.undo_alter_relation(kind text, identity text, b jsonb, a jsonb, changed text[]) RETURNS TABLE(sql text, irreversible text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  head text := 'ALTER ' || upper(kind) || ' ' || identity || ' ';
  option record;
  fact text;
BEGIN
  FOREACH fact IN ARRAY '{partition_by,server}'::text[] LOOP
    IF fact = ANY (changed) THEN
      RETURN QUERY SELECT NULL::text, format('%s of %s %s, which was %s', replace(fact, '_by', ' key'), kind, identity, coalesce(b ->> fact, 'none'));
    END IF;
  END LOOP;
  IF a ? 'partition_of' AND changed && '{partition_of,bound}'::text[] THEN
    RETURN QUERY SELECT format('ALTER TABLE %s DETACH PARTITION %s', a ->> 'partition_of', identity), NULL::text;
  END IF;
  IF 'query' = ANY (changed) AND kind = 'view' THEN
    RETURN QUERY SELECT concat('CREATE OR REPLACE VIEW ', identity, ' WITH (' || migmgr_internal.joined(b -> 'options') || ')', ' AS ', b ->> 'query'), NULL::text;
  END IF;
  IF 'of_type' = ANY (changed) THEN
    RETURN QUERY SELECT head || CASE WHEN b ? 'of_type' THEN 'OF ' || (b ->> 'of_type') ELSE 'NOT OF' END, NULL::text;
  END IF;
  IF 'inherits' = ANY (changed) THEN
    RETURN QUERY SELECT head || 'NO INHERIT ' || p, NULL::text FROM jsonb_array_elements_text(a -> 'inherits') AS p WHERE NOT coalesce(b -> 'inherits' ? p, false);
    RETURN QUERY SELECT head || 'INHERIT ' || p, format('that columns and constraints of table %s are only those of %s', identity, p) FROM jsonb_array_elements_text(b -> 'inherits') AS p WHERE NOT coalesce(a -> 'inherits' ? p, false);
  END IF;
  IF 'unlogged' = ANY (changed) THEN
    RETURN QUERY SELECT head || CASE WHEN b ? 'unlogged' THEN 'SET UNLOGGED' ELSE 'SET LOGGED' END, NULL::text;
  END IF;
  IF 'access_method' = ANY (changed) THEN
    RETURN QUERY SELECT head || 'SET ACCESS METHOD ' || coalesce(b ->> 'access_method', 'heap'), NULL::text;
  END IF;
  IF 'tablespace' = ANY (changed) THEN
    RETURN QUERY SELECT head || 'SET TABLESPACE ' || coalesce(b ->> 'tablespace', 'pg_default'), NULL::text;
  END IF;
  SELECT concat_ws(', ', o.gone, (SELECT string_agg('toast.' || g, ', ') FROM regexp_split_to_table(t.gone, ', ') AS g)) AS gone,
         concat_ws(', ', o.new, (SELECT string_agg('toast.' || g, ', ') FROM regexp_split_to_table(t.new, ', ') AS g)) AS new INTO option
    FROM migmgr_internal.undo_options(a -> 'options', b -> 'options') AS o, migmgr_internal.undo_options(a -> 'toast_options', b -> 'toast_options') AS t;
  IF option.gone <> '' THEN
    RETURN QUERY SELECT head || format('RESET (%s)', option.gone), NULL::text;
  END IF;
  IF option.new <> '' THEN
    RETURN QUERY SELECT head || format('SET (%s)', option.new), NULL::text;
  END IF;
  IF 'fdw_options' = ANY (changed) THEN
    RETURN QUERY SELECT head || format('OPTIONS (%s)', migmgr_internal.undo_fdw_options(a -> 'fdw_options', b -> 'fdw_options')), NULL::text;
  END IF;
  IF 'row_security' = ANY (changed) THEN
    RETURN QUERY SELECT head || CASE WHEN b ? 'row_security' THEN 'ENABLE' ELSE 'DISABLE' END || ' ROW LEVEL SECURITY', NULL::text;
  END IF;
  IF 'force_row_security' = ANY (changed) THEN
    RETURN QUERY SELECT head || CASE WHEN b ? 'force_row_security' THEN 'FORCE' ELSE 'NO FORCE' END || ' ROW LEVEL SECURITY', NULL::text;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_alter_relation(text, text, jsonb, jsonb, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_alter_relation(text, text, jsonb, jsonb, text[]) IS 'statements that change a relation back';

-- Everything that is no relation and no column.
CREATE FUNCTION migmgr_internal.undo_alter(kind text, identity text, parent text, b jsonb, a jsonb, changed text[]) RETURNS TABLE(sql text, irreversible text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  subject text := migmgr_internal.undo_subject(kind, identity, parent, b);
  relation text := migmgr_internal.undo_relation(parent);
  option record;
  name text;
BEGIN
  IF kind IN ('table', 'view', 'materialized view', 'foreign table') THEN
    RETURN QUERY SELECT r.sql, r.irreversible FROM migmgr_internal.undo_alter_relation(kind, identity, b, a, changed) AS r;
  ELSIF kind IN ('view column', 'materialized view column') THEN
    IF 'default' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER %s ALTER COLUMN %s %s', relation, coalesce(b ->> 'name', a ->> 'name'), coalesce('SET DEFAULT ' || (b ->> 'default'), 'DROP DEFAULT')), NULL::text;
    END IF;
    RETURN QUERY SELECT s, NULL::text FROM migmgr_internal.undo_column_settings(parent, b, a) AS s;
  ELSIF kind LIKE '% column' THEN
    RETURN QUERY SELECT r.sql, r.irreversible FROM migmgr_internal.undo_alter_column(kind, identity, parent, b, a, changed) AS r;
  ELSIF kind IN ('index', 'table constraint') THEN
    IF kind = 'table constraint' AND 'def' = ANY (changed) THEN
      IF a ? 'not_valid' AND NOT b ? 'not_valid' THEN
        RETURN QUERY SELECT format('ALTER %s VALIDATE CONSTRAINT %s', relation, b ->> 'name'), NULL::text;
      ELSE
        RETURN QUERY SELECT format('ALTER %s ALTER CONSTRAINT %s %s INITIALLY %s', relation, b ->> 'name', CASE WHEN b ? 'deferrable' THEN 'DEFERRABLE' ELSE 'NOT DEFERRABLE' END,
          CASE WHEN b ? 'deferred' THEN 'DEFERRED' ELSE 'IMMEDIATE' END), NULL::text;
      END IF;
    END IF;
    name := CASE kind WHEN 'index' THEN identity ELSE substring(migmgr_internal.undo_parent(parent) FROM '^("(?:[^"]|"")*"|[^.]*)\.') || '.' || (b ->> 'name') END;
    SELECT * INTO option FROM migmgr_internal.undo_options(a -> 'options', b -> 'options');
    IF option.gone IS NOT NULL THEN
      RETURN QUERY SELECT format('ALTER INDEX %s RESET (%s)', name, option.gone), NULL::text;
    END IF;
    IF option.new IS NOT NULL THEN
      RETURN QUERY SELECT format('ALTER INDEX %s SET (%s)', name, option.new), NULL::text;
    END IF;
    IF 'tablespace' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER INDEX %s SET TABLESPACE %s', name, coalesce(b ->> 'tablespace', 'pg_default')), NULL::text;
    END IF;
    IF 'statistics' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', name, k, coalesce(b -> 'statistics' ->> k, '-1')), NULL::text
        FROM jsonb_object_keys(coalesce(a -> 'statistics', '{}') || coalesce(b -> 'statistics', '{}')) AS k
       WHERE a -> 'statistics' -> k IS DISTINCT FROM b -> 'statistics' -> k;
    END IF;
    IF 'clustered' = ANY (changed) AND b ? 'clustered' THEN
      RETURN QUERY SELECT format('ALTER %s CLUSTER ON %s', relation, b ->> 'name'), NULL::text;
    ELSIF 'clustered' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER %s SET WITHOUT CLUSTER', relation), NULL::text;
    END IF;
  ELSIF kind = 'domain constraint' THEN
    IF a ? 'not_valid' THEN
      RETURN QUERY SELECT format('ALTER DOMAIN %s VALIDATE CONSTRAINT %s', migmgr_internal.undo_parent(parent), b ->> 'name'), NULL::text;
    END IF;
  ELSIF kind IN ('trigger', 'rule') THEN
    IF 'def' = ANY (changed) THEN
      RETURN QUERY SELECT regexp_replace(b ->> 'def', '^CREATE (OR REPLACE )?', 'CREATE OR REPLACE '), NULL::text;
    END IF;
    IF 'mode' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER %s %s %s %s', relation, coalesce(b ->> 'mode', 'ENABLE'), upper(kind), b ->> 'name'), NULL::text;
    END IF;
  ELSIF kind = 'policy' THEN
    IF changed && '{roles,using,check}'::text[] THEN
      RETURN QUERY SELECT concat('ALTER ', subject, CASE WHEN 'roles' = ANY (changed) THEN ' TO ' || (b ->> 'roles') END,
        CASE WHEN 'using' = ANY (changed) THEN ' USING (' || (b ->> 'using') || ')' END, CASE WHEN 'check' = ANY (changed) THEN ' WITH CHECK (' || (b ->> 'check') || ')' END), NULL::text;
    END IF;
  ELSIF kind = 'statistics object' THEN
    IF 'statistics' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER STATISTICS %s SET STATISTICS %s', identity, coalesce(b ->> 'statistics', '-1')), NULL::text;
    END IF;
  ELSIF kind = 'sequence' THEN
    IF 'unlogged' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER SEQUENCE %s SET %s', identity, CASE WHEN b ? 'unlogged' THEN 'UNLOGGED' ELSE 'LOGGED' END), NULL::text;
    END IF;
    IF 'sequence_options' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER SEQUENCE %s %s', identity, b ->> 'sequence_options'), NULL::text;
    END IF;
    IF 'owned_by' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER SEQUENCE %s OWNED BY %s', identity, coalesce(b ->> 'owned_by', 'NONE')), NULL::text;
    END IF;
  ELSIF kind = 'type' THEN
    IF b ->> 'type' = 'd' THEN
      IF 'default' = ANY (changed) THEN
        RETURN QUERY SELECT format('ALTER %s %s', subject, coalesce('SET DEFAULT ' || (b ->> 'default'), 'DROP DEFAULT')), NULL::text;
      END IF;
      IF 'not_null' = ANY (changed) THEN
        RETURN QUERY SELECT format('ALTER %s %s NOT NULL', subject, CASE WHEN b ? 'not_null' THEN 'SET' ELSE 'DROP' END), NULL::text;
      END IF;
    ELSIF 'labels' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER TYPE %s RENAME VALUE %s TO %s', identity, r.value, l.value), NULL::text
        FROM jsonb_each_text(a -> 'raw' -> 'labels') AS r JOIN jsonb_each_text(b -> 'raw' -> 'labels') AS l USING (key) WHERE r.value <> l.value;
      RETURN QUERY SELECT NULL::text, format('type %s without the value %s: a value of an enum cannot be removed', identity, r.value)
        FROM jsonb_each_text(a -> 'raw' -> 'labels') AS r WHERE NOT b -> 'raw' -> 'labels' ? r.key;
    ELSIF 'body' = ANY (changed) THEN
      RETURN QUERY SELECT NULL::text, format('type %s as %s: it cannot be altered to that', identity, b ->> 'body');
    END IF;
  ELSIF kind IN ('function', 'procedure', 'aggregate') THEN
    IF 'def' = ANY (changed) THEN
      RETURN QUERY SELECT b ->> 'def', NULL::text;
    END IF;
    IF 'depends' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER %s NO DEPENDS ON EXTENSION %s', subject, e), NULL::text FROM regexp_split_to_table(a ->> 'depends', ', ') AS e;
      RETURN QUERY SELECT format('ALTER %s DEPENDS ON EXTENSION %s', subject, e), NULL::text FROM regexp_split_to_table(b ->> 'depends', ', ') AS e;
    END IF;
  ELSIF kind = 'publication' THEN
    IF 'all_tables' = ANY (changed) THEN
      RETURN QUERY SELECT NULL::text, format('publication %s for %s', identity, CASE WHEN b ? 'all_tables' THEN 'all tables' ELSE 'some tables' END);
    END IF;
    IF 'options' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER %s SET (%s)', subject, b ->> 'options'), NULL::text;
    END IF;
    IF 'members' = ANY (changed) THEN
      -- one that was renamed is the same member
      a := jsonb_build_object('by', coalesce(a -> 'raw' -> 'members', (SELECT jsonb_object_agg(m, m) FROM jsonb_array_elements_text(a -> 'members') AS m), '{}'));
      b := jsonb_build_object('by', coalesce(b -> 'raw' -> 'members', (SELECT jsonb_object_agg(m, m) FROM jsonb_array_elements_text(b -> 'members') AS m), '{}'));
      RETURN QUERY SELECT format('ALTER %s DROP %s', subject, regexp_replace(coalesce(
          (SELECT y.key FROM jsonb_each_text(b -> 'by') AS y WHERE split_part(y.value, '/', 1) = split_part(x.value, '/', 1) LIMIT 1), x.key),
          '^(TABLE ("([^"]|"")*"|[^."])+\.("([^"]|"")*"|[^ "])+).*$', '\1')), NULL::text
        FROM jsonb_each_text(a -> 'by') AS x WHERE NOT EXISTS (SELECT FROM jsonb_each_text(b -> 'by') AS y WHERE y.value = x.value);
      RETURN QUERY SELECT format('ALTER %s ADD %s', subject, y.key), NULL::text
        FROM jsonb_each_text(b -> 'by') AS y WHERE NOT EXISTS (SELECT FROM jsonb_each_text(a -> 'by') AS x WHERE x.value = y.value);
    END IF;
  ELSIF kind = 'default acl' THEN
    RETURN QUERY SELECT s, NULL::text FROM migmgr_internal.undo_default_privileges(coalesce(b, a), a -> 'privileges', b -> 'privileges') AS s;
  ELSIF kind = 'extension' THEN
    IF 'version' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER %s UPDATE TO %s', subject, b ->> 'version'), format('extension %s in version %s, unless it has a script for the way back', identity, b ->> 'version');
    END IF;
  ELSIF kind = 'text search configuration' AND 'mappings' = ANY (changed) THEN
    RETURN QUERY SELECT format('ALTER %s DROP MAPPING FOR %s', subject, split_part(m, ' WITH ', 1)), NULL::text FROM jsonb_array_elements_text(a -> 'mappings') AS m WHERE NOT coalesce(b -> 'mappings' ? m, false);
    RETURN QUERY SELECT format('ALTER %s ADD MAPPING FOR %s', subject, m), NULL::text FROM jsonb_array_elements_text(b -> 'mappings') AS m WHERE NOT coalesce(a -> 'mappings' ? m, false);
  ELSIF kind = 'text search dictionary' THEN
    IF 'options' = ANY (changed) OR 'body' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER %s (%s)', subject, concat_ws(', ', (SELECT string_agg(btrim(split_part(o, '=', 1)), ', ') FROM regexp_split_to_table(a ->> 'options', ', (?=\w+ = )') AS o
        WHERE strpos(coalesce(b ->> 'options', ''), split_part(o, '=', 1)) = 0), b ->> 'options')), NULL::text;
    END IF;
  ELSIF kind = 'event trigger' THEN
    IF 'mode' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER %s %s', subject, coalesce(b ->> 'mode', 'ENABLE')), NULL::text;
    END IF;
  ELSIF kind = 'foreign-data wrapper' THEN
    IF 'body' = ANY (changed) THEN
      RETURN QUERY SELECT format('ALTER %s%s', subject, b ->> 'body'), NULL::text;
    END IF;
  ELSIF kind = 'user mapping' THEN
    RETURN QUERY SELECT NULL::text, format('options of the user mapping of %s: their values are not kept', identity) WHERE 'option_names' = ANY (changed);
  ELSIF kind = 'security label' THEN
    RETURN QUERY SELECT format('SECURITY LABEL FOR %s ON %s %s IS %L', b ->> 'provider', upper(b ->> 'on_type'), b ->> 'on', b ->> 'label'), NULL::text;
  END IF;
  IF kind IN ('foreign-data wrapper', 'server') AND 'fdw_options' = ANY (changed) THEN
    RETURN QUERY SELECT format('ALTER %s OPTIONS (%s)', subject, migmgr_internal.undo_fdw_options(a -> 'fdw_options', b -> 'fdw_options')), NULL::text;
  END IF;
  IF kind = 'server' AND 'server_version' = ANY (changed) THEN
    RETURN QUERY SELECT format('ALTER %s VERSION %s', subject, coalesce(b ->> 'server_version', 'NULL')), NULL::text;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_alter(text, text, text, jsonb, jsonb, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_alter(text, text, text, jsonb, jsonb, text[]) IS 'statements that change an object back, its owner, grants and comment excepted';

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

-- Has an enum got a value, and kept the names of those that it had?
CREATE FUNCTION migmgr_internal.undo_has_new_value(p migmgr_internal.undo_pair) RETURNS boolean
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN (
    SELECT p.kind = 'type' AND p.same AND p.b -> 'facts' ->> 'type' = 'e' AND 'labels' = ANY (p.changed)
           AND EXISTS (SELECT FROM jsonb_object_keys(p.a -> 'facts' -> 'raw' -> 'labels') AS l WHERE NOT p.b -> 'facts' -> 'raw' -> 'labels' ? l)
           AND p.a -> 'facts' -> 'raw' -> 'labels' @> (p.b -> 'facts' -> 'raw' -> 'labels'));
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
    SELECT jsonb_object_agg(p.after_key, CASE WHEN p.recreate THEN 1 ELSE 2 END) INTO cause FROM unnest(pairs) AS p
     WHERE p.recreate OR p.b IS NOT NULL AND p.a IS NOT NULL AND (p.kind LIKE '% column' AND p.changed && '{type,collation}'::text[]);
    EXIT WHEN cause IS NULL;
    SELECT array_agg(p.id) INTO more FROM unnest(pairs) AS p
     WHERE p.b IS NOT NULL AND p.a IS NOT NULL AND NOT p.recreate AND p.swap IS NULL
       AND (cause -> (p.a ->> 'parent') = '1'
            OR EXISTS (
              SELECT FROM jsonb_array_elements_text(nullif(p.a -> 'needs', 'null')) AS n
               WHERE cause -> n = '1' AND (p.kind NOT LIKE '% column' OR p.a -> 'facts' ? 'generated') AND p.kind NOT IN ('table', 'foreign table', 'sequence', 'type', 'schema')
                  OR cause -> n = '2' AND (p.kind IN ('view', 'materialized view', 'rule', 'trigger', 'policy', 'publication') OR p.kind = 'table column' AND p.a -> 'facts' ? 'generated')));
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
  -- made, and needed by something that is changed back later
  LOOP
    SELECT jsonb_object_agg(n, 1) INTO cause FROM unnest(pairs) AS p, jsonb_array_elements_text(nullif(p.a -> 'needs', 'null')) AS n
     WHERE p.late OR p.b IS NOT NULL AND NOT p.recreate AND p.changed <> '{}';
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
     WHERE p.a IS NOT NULL AND p.b IS NOT NULL AND (p.recreate OR p.swap IS NOT NULL OR p.kind LIKE '% column' AND p.changed && '{type,collation}'::text[])
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
