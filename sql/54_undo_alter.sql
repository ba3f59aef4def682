-- undo(): the statements that change an object back.

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

-- Must a column be dropped and made again, for its expression?
CREATE FUNCTION migmgr_internal.undo_remakes_column(b jsonb, a jsonb, changed text[]) RETURNS boolean
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT b ? 'generated' AND changed && '{generated,virtual}'::text[]
         AND ('virtual' = ANY (changed) OR NOT a ? 'generated' OR current_setting('server_version_num')::integer < 170000)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_remakes_column(jsonb, jsonb, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_remakes_column(jsonb, jsonb, text[]) IS 'can the expression of a column only be put back by making the column again';

-- Does each value come through a change of its type, there and back?
CREATE FUNCTION migmgr_internal.undo_keeps_values(from_type text, to_type text) RETURNS boolean
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH t AS (
    SELECT regexp_replace(from_type, '\([0-9, ]+\)', '') AS old, regexp_replace(to_type, '\([0-9, ]+\)', '') AS new,
           string_to_array(substring(from_type FROM '\(([0-9, ]+)\)'), ',')::integer[] AS o, string_to_array(substring(to_type FROM '\(([0-9, ]+)\)'), ',')::integer[] AS n
  )
  SELECT CASE
    WHEN from_type = to_type THEN true
    WHEN t.new IN ('text', 'character varying') AND t.n IS NULL THEN true
    WHEN t.old = t.new AND t.n IS NULL THEN true
    WHEN t.old = t.new AND t.o IS NULL THEN false
    WHEN t.old = 'numeric' AND t.new = 'numeric' THEN COALESCE(t.n[2], 0) >= COALESCE(t.o[2], 0) AND t.n[1] - COALESCE(t.n[2], 0) >= t.o[1] - COALESCE(t.o[2], 0)
    WHEN t.old = t.new THEN t.n[1] >= t.o[1]
    WHEN t.n IS NOT NULL THEN false
    ELSE array_position('{smallint,integer,bigint,numeric}'::text[], t.old) < array_position('{smallint,integer,bigint,numeric}'::text[], t.new)
      OR (t.old, t.new) IN (('real', 'double precision'), ('date', 'timestamp without time zone'))
      OR EXISTS (SELECT FROM pg_cast AS c WHERE c.castsource = to_regtype(t.old) AND c.casttarget = to_regtype(t.new) AND c.castmethod = 'b') END
    FROM t
$$;
REVOKE ALL ON FUNCTION migmgr_internal.undo_keeps_values(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.undo_keeps_values(text, text) IS 'does no value lose anything in another type';

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
    IF NOT migmgr_internal.undo_remakes_column(b, a, changed) THEN
      RETURN QUERY SELECT head || format('SET EXPRESSION AS (%s)', b ->> 'generated'), NULL::text;
    ELSE
      RETURN QUERY SELECT format('ALTER %s DROP COLUMN %s', migmgr_internal.undo_relation(parent), b ->> 'name'), format('the values that column %s has now', identity);
      RETURN QUERY SELECT format('ALTER %s ADD COLUMN %s', migmgr_internal.undo_relation(parent), migmgr_internal.undo_column(b)), NULL::text;
      RETURN QUERY SELECT s, NULL::text FROM migmgr_internal.undo_column_settings(parent, b, '{}') AS s;
      RETURN;
    END IF;
  END IF;
  IF a ? 'identity' AND NOT b ? 'identity' AND 'numberless' = ANY (changed) THEN
    a := a - 'identity';
  ELSIF a ? 'identity' AND (NOT b ? 'identity' OR a ->> 'sequence' IS DISTINCT FROM b ->> 'sequence' AND 'sequence' = ANY (changed)) THEN
    RETURN QUERY SELECT head || 'DROP IDENTITY', NULL::text;
    a := a - 'identity';
  END IF;
  IF a ? 'default' AND (retype OR NOT b ? 'default') THEN
    RETURN QUERY SELECT head || 'DROP DEFAULT', NULL::text;
  END IF;
  IF retype THEN
    RETURN QUERY SELECT concat(head, 'TYPE ', b ->> 'type', b ->> 'collation',
      CASE WHEN NOT b ? 'generated' AND kind = 'table column' THEN
        format(' USING %s::%s%s', b ->> 'name', CASE WHEN a ->> 'type' = b ->> 'type' AND 'type' = ANY (changed) OR NOT migmgr_internal.undo_casts(a ->> 'type', b ->> 'type') THEN 'text::' END, b ->> 'type') END),
      CASE WHEN kind = 'table column' AND NOT b ? 'generated' AND NOT COALESCE(migmgr_internal.undo_keeps_values(b ->> 'type', a ->> 'type'), false)
                AND COALESCE(pg_relation_size(to_regclass(migmgr_internal.undo_parent(parent))), 1) > 0
           THEN format('what the values of column %s lost when they became %s', identity, a ->> 'type') END;
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
          '^TABLE (("([^"]|"")*"|[^."])+\.("([^"]|"")*"|[^ "])+).*$', 'TABLE ONLY \1')), NULL::text
        FROM jsonb_each_text(a -> 'by') AS x WHERE NOT EXISTS (SELECT FROM jsonb_each_text(b -> 'by') AS y WHERE y.value = x.value);
      RETURN QUERY SELECT format('ALTER %s ADD %s', subject, regexp_replace(y.key, '^TABLE ', 'TABLE ONLY ')), NULL::text
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
