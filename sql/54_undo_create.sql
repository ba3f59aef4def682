-- undo(): the statements that make an object again.

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
    RETURN QUERY SELECT concat('CREATE ', subject, CASE WHEN f ? 'all_tables' THEN ' FOR ALL TABLES' END, ' FOR ' || (SELECT string_agg(regexp_replace(m, '^TABLE ', 'TABLE ONLY '), ', ' ORDER BY o) FROM jsonb_array_elements_text(f -> 'members') WITH ORDINALITY AS x(m, o)), ' WITH (', f ->> 'options', ')'), NULL::text;
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
