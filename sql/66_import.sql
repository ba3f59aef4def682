-- Other tools' history tables: read once, or kept in step.
--
-- What reads and writes such a table runs with the caller's rights (it may be
-- a view, and have triggers); src/foreign.c is where the rights change.

-- A row per kind of table.  It is known by its columns, never by its name:
-- five tools call theirs schema_migrations.  In query, what a column is not
-- there for stays out; add and remove get version, name, checksum, text, file
-- and the text's checksum as Flyway has it as $1 to $6.  State is applied, baseline, reverted or failed.
CREATE FUNCTION migmgr_internal.foreign_formats()
  RETURNS TABLE(place integer, tool text, usual text[], columns text[], alone boolean, query text, add text, remove text)
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $formats$
  VALUES
    (1, 'Flyway', '{flyway_schema_history}'::text[],
     '{installed_rank,version,description,type,script,checksum,installed_by,installed_on,success}'::text[], false,
     $q$SELECT DISTINCT ON (t.version) t.version, regexp_replace(btrim(t.description), '\s+', '_', 'g') AS name, 'crc32 ' || t.checksum AS foreign_checksum,
               t.installed_on::timestamptz AS applied_at, t.installed_by AS applied_by,
               CASE WHEN NOT t.success THEN 'failed' WHEN t.type = 'DELETE' OR t.type LIKE 'UNDO%' THEN 'reverted'
                    WHEN t.type LIKE '%BASELINE' THEN 'baseline' ELSE 'applied' END AS state
          FROM {table} AS t WHERE t.version IS NOT NULL ORDER BY t.version, t.installed_rank DESC$q$,
     $q$INSERT INTO {table} (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success)
        SELECT COALESCE(max(t.installed_rank), 0) + 1, $1, left(replace(COALESCE($2, $1), '_', ' '), 200), 'SQL', left(COALESCE($5, concat('V', $1, '__', $2, '.sql')), 1000),
               $6::integer, CURRENT_USER, 0, true FROM {table} AS t$q$,
     $q$DELETE FROM {table} WHERE version = $1$q$),
    (2, 'Liquibase', '{databasechangelog}', '{id,author,filename,dateexecuted,orderexecuted,exectype,md5sum}', false,
     $q$SELECT '0.' || regexp_replace(CASE WHEN count(*) OVER (PARTITION BY t.id) > 1 THEN concat_ws('::', t.filename, t.id, t.author) ELSE t.id END, '\s+', '_', 'g') AS version,
               t.description AS name, t.md5sum AS foreign_checksum, t.dateexecuted::timestamptz AS applied_at, t.author AS applied_by,
               CASE WHEN t.exectype IN ('FAILED', 'SKIPPED') THEN 'failed' ELSE 'applied' END AS state
          FROM {table} AS t ORDER BY t.orderexecuted$q$, NULL, NULL),
    (3, 'Sqitch', '{sqitch.changes}', '{change_id,script_hash,change,project,note,committed_at,committer_name,planned_at}', false,
     $q$SELECT concat(to_char(t.planned_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS'),
                      '.' || NULLIF(row_number() OVER (PARTITION BY date_trunc('second', t.planned_at) ORDER BY t.committed_at, t.change_id), 1)) AS version,
               t.change AS name, 'sha1 ' || t.script_hash AS foreign_checksum, t.committed_at AS applied_at, t.committer_name AS applied_by
          FROM {table} AS t ORDER BY t.committed_at$q$, NULL, NULL),
    (4, 'Supabase', '{supabase_migrations.schema_migrations}', '{version,statements,name}', false,
     $q$SELECT t.version, t.name, j.row ->> 'created_by' AS applied_by,
               (SELECT string_agg(rtrim(s.sql, E' \t\r\n;') || ';', E'\n' ORDER BY s.n) FROM unnest(t.statements) WITH ORDINALITY AS s(sql, n)) AS sql,
               (SELECT string_agg(rtrim(s.sql, E' \t\r\n;') || ';', E'\n' ORDER BY s.n)
                  FROM jsonb_array_elements_text(CASE jsonb_typeof(j.row -> 'rollback') WHEN 'array' THEN j.row -> 'rollback' END) WITH ORDINALITY AS s(sql, n)) AS rollback_sql
          FROM {table} AS t CROSS JOIN LATERAL (SELECT to_jsonb(t) AS row) AS j ORDER BY t.version$q$,
     $q$INSERT INTO {table} (version, name, statements) SELECT $1, $2, CASE WHEN $4 IS NULL THEN '{}' ELSE ARRAY[$4] END$q$,
     $q$DELETE FROM {table} WHERE version = $1$q$),
    (5, 'Prisma', '{_prisma_migrations}', '{id,checksum,finished_at,migration_name,rolled_back_at,started_at,applied_steps_count}', false,
     $q$SELECT DISTINCT ON (t.migration_name) COALESCE(substring(t.migration_name FROM '^[0-9]+'), '0.' || t.migration_name) AS version,
               regexp_replace(t.migration_name, '^[0-9]+_*', '') AS name, lpad(lower(t.checksum), 64, '0') AS checksum, t.finished_at AS applied_at,
               CASE WHEN t.rolled_back_at IS NOT NULL THEN 'reverted' WHEN t.finished_at IS NULL THEN 'failed' ELSE 'applied' END AS state
          FROM {table} AS t ORDER BY t.migration_name, t.started_at DESC$q$,
     $q$INSERT INTO {table} (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
        SELECT gen_random_uuid()::text, COALESCE($3, ''), now(), concat_ws('_', $1, $2), now(), 1$q$,
     $q$UPDATE {table} SET rolled_back_at = now() WHERE substring(migration_name FROM '^[0-9]+') = $1 AND rolled_back_at IS NULL$q$),
    (6, 'golang-migrate', '{schema_migrations}', '{version,dirty}', true,
     $q$SELECT t.version::text AS version, 'all up to here' AS name, CASE WHEN t.dirty THEN 'dirty' ELSE 'baseline' END AS state FROM {table} AS t$q$, NULL, NULL),
    (7, 'goose', '{goose_db_version}', '{id,version_id,is_applied,tstamp}', false,
     $q$SELECT DISTINCT ON (t.version_id) t.version_id::text AS version, t.tstamp::timestamptz AS applied_at,
               CASE WHEN t.is_applied THEN 'applied' ELSE 'reverted' END AS state
          FROM {table} AS t WHERE t.version_id > 0 ORDER BY t.version_id, t.id DESC$q$,
     $q$INSERT INTO {table} (version_id, is_applied, tstamp) SELECT $1::bigint, true, now()$q$,
     $q$DELETE FROM {table} WHERE version_id = $1::bigint$q$),
    (8, 'Alembic', '{alembic_version}', '{version_num}', true,
     $q$SELECT '0.' || t.version_num AS version, 'all up to this revision' AS name FROM {table} AS t$q$, NULL, NULL),
    (9, 'Django', '{django_migrations}', '{id,app,name,applied}', true,
     $q$SELECT concat('0.', t.app, '.', t.name) AS version, t.name, max(t.applied) AS applied_at FROM {table} AS t GROUP BY t.app, t.name ORDER BY max(t.id)$q$, NULL, NULL),
    (10, 'graphile-migrate', '{graphile_migrate.migrations}', '{hash,previous_hash,filename,date}', true,
     $q$SELECT substring(t.filename FROM '^[0-9]+') AS version, regexp_replace(regexp_replace(t.filename, '^[0-9]+[_-]*', ''), '\.sql$', '') AS name,
               t.hash AS foreign_checksum, t.date AS applied_at FROM {table} AS t ORDER BY t.filename$q$, NULL, NULL),
    (11, 'Drizzle', '{drizzle.__drizzle_migrations}', '{id,hash,created_at}', false,
     $q$SELECT to_char(to_timestamp(t.created_at / 1000.0) AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS') AS version, COALESCE(to_jsonb(t) ->> 'name', 'drizzle_' || t.id) AS name,
               t.hash AS checksum, (to_jsonb(t) ->> 'applied_at')::timestamptz AS applied_at FROM {table} AS t ORDER BY t.created_at$q$, NULL, NULL),
    (12, 'Knex', '{knex_migrations}', '{id,name,batch,migration_time}', true,
     $q$SELECT substring(t.name FROM '^[0-9]+') AS version, regexp_replace(regexp_replace(t.name, '^[0-9]+[_-]*', ''), '\.[a-z]+$', '') AS name,
               t.migration_time AS applied_at FROM {table} AS t ORDER BY t.id$q$, NULL, NULL),
    (13, 'node-pg-migrate', '{pgmigrations}', '{id,name,run_on}', true,
     $q$SELECT substring(t.name FROM '^[0-9]+') AS version, regexp_replace(t.name, '^[0-9]+[_-]*', '') AS name, t.run_on::timestamptz AS applied_at
          FROM {table} AS t ORDER BY t.id$q$,
     $q$INSERT INTO {table} (name, run_on) SELECT concat_ws('_', $1, $2), now()$q$,
     $q$DELETE FROM {table} WHERE substring(name FROM '^[0-9]+') = $1$q$),
    (14, 'TypeORM', '{migrations}', '{id,timestamp,name}', true,
     $q$SELECT t.timestamp::text AS version, regexp_replace(t.name, t.timestamp::text || '$', '') AS name,
               to_timestamp(t.timestamp / 1000.0) AS applied_at FROM {table} AS t ORDER BY t.timestamp$q$, NULL, NULL),
    (15, 'Laravel', '{migrations}', '{id,migration,batch}', true,
     $q$SELECT replace(substring(t.migration FROM '^[0-9]{4}_[0-9]{2}_[0-9]{2}_[0-9]{6}'), '_', '') AS version, regexp_replace(t.migration, '^[0-9_]+_', '') AS name
          FROM {table} AS t ORDER BY t.id$q$, NULL, NULL),
    (16, 'sqlx', '{_sqlx_migrations}', '{version,description,installed_on,success,checksum,execution_time}', false,
     $q$SELECT t.version::text AS version, regexp_replace(t.description, '\s+', '_', 'g') AS name, 'sha384 ' || encode(t.checksum, 'hex') AS foreign_checksum,
               t.installed_on AS applied_at, CASE WHEN t.success THEN 'applied' ELSE 'failed' END AS state FROM {table} AS t ORDER BY t.version$q$,
     $q$INSERT INTO {table} (version, description, success, checksum, execution_time, installed_on)
        SELECT $1::bigint, replace(COALESCE($2, $1), '_', ' '), true, sha384(convert_to(COALESCE($4, ''), 'UTF8')), 0, now()$q$,
     $q$DELETE FROM {table} WHERE version = $1::bigint$q$),
    (17, 'Atlas', '{atlas_schema_revisions.atlas_schema_revisions}', '{version,description,type,applied,total,executed_at,hash}', false,
     $q$SELECT t.version, t.description AS name, t.hash AS foreign_checksum, t.executed_at AS applied_at,
               CASE WHEN t.applied < t.total THEN 'failed' WHEN t.type & 1 = 1 THEN 'baseline' ELSE 'applied' END AS state
          FROM {table} AS t WHERE t.version NOT LIKE '.%' ORDER BY t.version$q$, NULL, NULL),
    (18, 'Versioning', '{_v.patches}', '{patch_name,applied_tsz,applied_by}', false,
     $q$SELECT CASE WHEN t.patch_name ~ '^[0-9]' THEN t.patch_name ELSE '0.' || t.patch_name END AS version, t.patch_name AS name,
               t.applied_tsz AS applied_at, t.applied_by FROM {table} AS t ORDER BY t.applied_tsz$q$, NULL, NULL),
    (19, 'Entity Framework', '{"\"__EFMigrationsHistory\""}', '{MigrationId,ProductVersion}', true,
     $q$SELECT substring(t."MigrationId" FROM '^[0-9]+') AS version, regexp_replace(t."MigrationId", '^[0-9]+_*', '') AS name FROM {table} AS t ORDER BY 1$q$, NULL, NULL),
    (20, 'MikroORM', '{mikro_orm_migrations}', '{id,name,executed_at}', true,
     $q$SELECT substring(t.name FROM '[0-9]+') AS version, t.name, t.executed_at AS applied_at FROM {table} AS t ORDER BY t.id$q$, NULL, NULL),
    (21, 'Ecto', '{schema_migrations}', '{version,inserted_at}', true,
     $q$SELECT t.version::text AS version, t.inserted_at::timestamptz AS applied_at FROM {table} AS t ORDER BY t.version$q$,
     $q$INSERT INTO {table} (version, inserted_at) SELECT $1::bigint, now()$q$,
     $q$DELETE FROM {table} WHERE version = $1::bigint$q$),
    (22, 'Sequelize', '{"\"SequelizeMeta\""}', '{name}', true,
     $q$SELECT substring(t.name FROM '^[0-9]+') AS version, regexp_replace(regexp_replace(t.name, '^[0-9]+[_-]*', ''), '\.[a-z]+$', '') AS name FROM {table} AS t ORDER BY t.name$q$, NULL, NULL),
    (23, 'dbmate or Rails', '{schema_migrations}', '{version}', true,
     $q$SELECT t.version::text AS version FROM {table} AS t ORDER BY 1$q$,
     $q$INSERT INTO {table} (version) SELECT $1$q$,
     $q$DELETE FROM {table} WHERE version = $1$q$)
$formats$;
REVOKE ALL ON FUNCTION migmgr_internal.foreign_formats() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.foreign_formats() IS 'history tables of other tools: how to know one, read it, and write to it';

CREATE FUNCTION migmgr_internal.foreign_format(source oid, OUT tool text, OUT source_name text, OUT query text, OUT add text, OUT remove text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  attributes text[];
BEGIN
  SELECT format('%I.%I', n.nspname, c.relname) INTO source_name
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = source;
  SELECT array_agg(a.attname::text ORDER BY a.attname COLLATE "C") INTO attributes FROM pg_attribute AS a
   WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped;
  SELECT f.tool, replace(f.query, '{table}', source_name), replace(f.add, '{table}', source_name), replace(f.remove, '{table}', source_name)
    INTO tool, query, add, remove
    FROM migmgr_internal.foreign_formats() AS f
   WHERE f.columns <@ attributes AND (NOT f.alone OR cardinality(attributes) = cardinality(f.columns))
   ORDER BY f.place LIMIT 1;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'MG227',
      MESSAGE = format('%s is not a history table that migmgr knows', source_name),
      DETAIL = format('Its columns are: %s.', array_to_string(attributes, ', ')),
      HINT = format('Known are those of %s.  What was applied can also be named: SELECT * FROM migmgr.mark_applied(versions, ''reason'');',
        (SELECT string_agg(f.tool, ', ' ORDER BY f.place) FROM migmgr_internal.foreign_formats() AS f));
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.foreign_format(oid) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.foreign_format(oid) IS 'which tool''s history table this is, and the SQL for it; raises MG227 when it is none';

-- The only history table there is, by the names that tools give them.
CREATE FUNCTION migmgr_internal.foreign_table() RETURNS oid
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  tables oid[];
BEGIN
  SELECT array_agg(DISTINCT c.oid) INTO tables
    FROM migmgr_internal.foreign_formats() AS f CROSS JOIN LATERAL unnest(f.usual) AS u(name)
    JOIN pg_namespace AS n ON n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'migmgr', 'migmgr_internal')
    JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
     AND (u.name IN (quote_ident(c.relname), format('%I.%I', n.nspname, c.relname)));
  IF cardinality(tables) = 1 THEN
    RETURN tables[1];
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'MG227',
    MESSAGE = CASE WHEN tables IS NULL THEN 'no history table of another tool was found' ELSE 'there are several history tables' END,
    DETAIL = COALESCE('Found: ' || (SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ' ORDER BY n.nspname, c.relname)
      FROM unnest(tables) AS f(oid) JOIN pg_class AS c ON c.oid = f.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace) || '.',
      'It was looked for by the names that tools give theirs.'),
    HINT = 'Name it: SELECT * FROM migmgr.import_history(''public.schema_migrations'');';
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.foreign_table() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.foreign_table() IS 'the history table of another tool in this database; raises MG227 unless there is exactly one';

-- Rows as the table's query gave them, under the lock of apply.  What was
-- imported is not proven: it is marked so, and a foreign checksum is kept
-- beside, never as the checksum.
CREATE FUNCTION migmgr_internal.import_rows(tool text, source text, rows jsonb)
  RETURNS TABLE(version text, name text, status text, environment text, detail text)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  item record;
  was record;
  result jsonb[] := '{}';
  counts jsonb := '{}';
  kind text;
  says text;
  kept jsonb;
  texts text[];
  downs text[];
  bad text;
BEGIN
  SELECT string_agg(r.version, ', ') INTO bad FROM jsonb_to_recordset(rows) AS r(version text, state text) WHERE r.state = 'dirty';
  IF bad IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG227', MESSAGE = format('%s says that version %s is dirty', source, bad),
      DETAIL = 'Its last migration failed half way.', HINT = 'Mend the database and the table first, as golang-migrate has it: migrate force VERSION';
  END IF;
  SELECT string_agg(DISTINCT COALESCE(r.name, 'null'), ', ') INTO bad FROM jsonb_to_recordset(rows) AS r(version text, name text) WHERE r.version IS NULL;
  IF bad IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG227', MESSAGE = format('%s has rows without a version', source), DETAIL = format('Their names: %s.', left(bad, 200));
  END IF;

  FOR item IN
    SELECT r.* FROM jsonb_to_recordset(rows) AS r(version text, name text, checksum text, foreign_checksum text, applied_at timestamptz, applied_by text,
                                                  sql text, rollback_sql text, state text)
     ORDER BY migmgr_internal.version_key(r.version) COLLATE "C"
  LOOP
    PERFORM migmgr_internal.check_version(item.version);
    SELECT s.* INTO was FROM migmgr_internal.standing(item.version) AS s;
    IF item.state IN ('failed', 'reverted') THEN
      kind := item.state || ' there';
      says := 'not imported';
    ELSIF was.done THEN
      kind := 'already ' || was.status;
      says := format('since %s by %s', migmgr_internal.moment(was.at), was.who);
    ELSE
      texts := CASE WHEN item.sql ~ '[[:graph:]]' THEN migmgr_internal.keep_text(item.sql) END;
      downs := CASE WHEN item.rollback_sql ~ '[[:graph:]]' THEN migmgr_internal.keep_text(item.rollback_sql) END;
      kept := jsonb_strip_nulls(jsonb_build_object('source', format('%s (%s)', source, tool), 'note', format('from %s (%s)', source, tool), 'environment', migmgr.environment(),
        'foreign_checksum', item.foreign_checksum, 'applied_by', item.applied_by,
        'applied_at', to_char(item.applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'text', texts[1], 'down_there', downs[1], 'stored', to_jsonb(NULLIF(array_remove(ARRAY[texts[2], downs[2]], NULL), '{}'))));
      kind := CASE item.state WHEN 'baseline' THEN 'baseline' ELSE 'imported' END;
      says := concat_ws(', ', CASE WHEN item.checksum ~ '^[0-9a-f]{64}$' THEN 'with its sha256' WHEN item.foreign_checksum IS NOT NULL THEN 'foreign checksum ' || item.foreign_checksum END,
        CASE WHEN kept ? 'text' THEN 'with its statements' END, 'applied ' || migmgr_internal.moment(item.applied_at), 'by ' || item.applied_by);
      PERFORM migmgr_internal.mark(kind, item.version, item.name, CASE WHEN item.checksum ~ '^[0-9a-f]{64}$' THEN item.checksum END, kept);
    END IF;
    counts := jsonb_set(counts, ARRAY[kind], to_jsonb(COALESCE((counts ->> kind)::integer, 0) + 1));
    result := array_append(result, jsonb_build_object('version', item.version, 'name', item.name, 'status', kind, 'detail', NULLIF(says, '')));
  END LOOP;

  RETURN QUERY
  SELECT NULL::text, NULL::text, COALESCE((SELECT string_agg(format('%s %s', c.value, c.key), ', ' ORDER BY c.key COLLATE "C") FROM jsonb_each_text(counts) AS c), 'nothing there'),
         migmgr.environment(), format('from %s (%s) into database %s', source, tool, current_database())
  UNION ALL
  SELECT r.row ->> 'version', r.row ->> 'name', r.row ->> 'status', migmgr.environment(), r.row ->> 'detail' FROM unnest(result) AS r(row);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.import_rows(text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.import_rows(text, text, jsonb) IS 'record what another tool has applied';

CREATE FUNCTION migmgr_internal.flyway_checksum(sql text) RETURNS integer
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_flyway_checksum';
REVOKE ALL ON FUNCTION migmgr_internal.flyway_checksum(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.flyway_checksum(text) IS 'checksum of a file as Flyway has it: CRC-32 over its lines without their ends';

CREATE FUNCTION migmgr.import_history(source regclass DEFAULT NULL)
  RETURNS TABLE(version text, name text, status text, environment text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_import_history';
REVOKE ALL ON FUNCTION migmgr.import_history(regclass) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.import_history(regclass) IS 'record what another tool''s history table says is applied, marked as imported';

-- The table that is kept in step, if any.
CREATE FUNCTION migmgr_internal.mirror_table() RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT l.detail::jsonb ->> 'table' FROM migmgr.ledger AS l WHERE l.event = 'mirror' ORDER BY l.seq DESC LIMIT 1
$$;
REVOKE ALL ON FUNCTION migmgr_internal.mirror_table() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.mirror_table() IS 'the history table of another tool that is kept in step; NULL when there is none';

-- Marks since the last run, or since the mirror began.
CREATE FUNCTION migmgr_internal.mirror_is_late() RETURNS boolean
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT EXISTS (SELECT FROM migmgr.ledger AS l
                  WHERE l.event IN ('baseline', 'captured', 'imported', 'marked applied', 'marked reverted', 'renamed', 'renamed away', 'superseded')
                    AND l.seq > (SELECT m.seq FROM migmgr.ledger AS m WHERE m.event IN ('applied', 'rolled back', 'mirror') ORDER BY m.seq DESC LIMIT 1))
$$;
REVOKE ALL ON FUNCTION migmgr_internal.mirror_is_late() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.mirror_is_late() IS 'has anything been marked that a mirrored history table does not say yet';

-- What has to be written so that a table with these versions says what the
-- ledger says.  Versions that the ledger does not know are left alone.
CREATE FUNCTION migmgr_internal.mirror_steps(rows jsonb)
  RETURNS TABLE(version text, name text, checksum text, sql text, file text, done boolean)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT h.version, h.name, h.checksum, k.text, s.detail ->> 'file', h.done
    FROM (SELECT v.version, v.name, v.checksum, v.status IN ('applied', 'captured', 'imported', 'marked applied') AS done,
                 migmgr_internal.version_key(v.version) COLLATE "C" AS key
            FROM migmgr.history AS v WHERE v.status NOT IN ('baseline', 'superseded')) AS h
    LEFT JOIN LATERAL migmgr_internal.standing(h.version) AS s ON true
    LEFT JOIN migmgr_internal.script AS k ON k.checksum = COALESCE(h.checksum, s.detail ->> 'text')
    LEFT JOIN (SELECT r.version FROM jsonb_to_recordset(COALESCE(mirror_steps.rows, '[]')) AS r(version text, state text)
                WHERE COALESCE(r.state, 'applied') IN ('applied', 'baseline')) AS t ON t.version = h.version
   WHERE h.done <> (t.version IS NOT NULL) AND NOT (s.status = 'imported' AND h.version LIKE '0.%')
   ORDER BY h.key
$$;
REVOKE ALL ON FUNCTION migmgr_internal.mirror_steps(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.mirror_steps(jsonb) IS 'rows to add to and to remove from a mirrored history table';

CREATE FUNCTION migmgr.mirror_history(history_table regclass)
  RETURNS TABLE(mirror text, tool text, added integer, removed integer, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_mirror_history';
REVOKE ALL ON FUNCTION migmgr.mirror_history(regclass) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.mirror_history(regclass) IS 'keep another tool''s history table in step with apply and rollback, beginning now; NULL: no longer';
