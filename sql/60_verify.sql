-- verify(): the truth about chain, texts, evidence, guard and schema.  Each
-- check is a function of its own with the same five columns; one that fails
-- to run is a row of the result, never the end of it.

-- One pass in the order of seq; nothing is kept but the row before and the
-- row after.  Every break is a row.
CREATE FUNCTION migmgr_internal.check_chain()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN QUERY
  SELECT 'chain', f.object, 'failed', f.fact, 'Compare with a backup or a dump from before; the server log holds every head.'
    FROM (
      SELECT l.seq, l.event, l.version, l.name, l.prev_hash, l.hash,
             lag(l.seq, 1, 0::bigint) OVER w AS seq_before, lag(l.hash, 1, '') OVER w AS hash_before,
             lead(l.prev_hash) OVER w AS prev_after,
             l.hash = migmgr_internal.ledger_hash(l.prev_hash, l.seq, l.at, l.event, l.version, l.name, l.checksum,
               l.session_role, l.role, l.client, l.application, l.detail) AS whole
        FROM migmgr.ledger AS l WINDOW w AS (ORDER BY l.seq)
    ) AS e
   CROSS JOIN LATERAL (
     SELECT format('entry %s (%s)', e.seq, concat_ws(' ', e.event, e.version, e.name)),
            'edited: its content and its hash do not agree'
      WHERE NOT e.whole
     UNION ALL
     SELECT CASE e.seq - e.seq_before WHEN 2 THEN format('entry %s', e.seq - 1)
                                      ELSE format('entries %s to %s', e.seq_before + 1, e.seq - 1) END,
            'missing: deleted from the chain'
      WHERE e.seq > e.seq_before + 1
     UNION ALL
     SELECT format('entry %s', e.seq), 'inserted: its number is taken or before the first'
      WHERE e.seq <= e.seq_before
     UNION ALL
     SELECT format('entry %s (%s)', e.seq, concat_ws(' ', e.event, e.version, e.name)),
            CASE WHEN e.prev_after = e.hash_before THEN 'inserted or moved: the entry after it continues the one before it'
                 WHEN e.prev_after IS NULL
                   THEN format('inserted, or entry %s was replaced: it does not continue entry %s', e.seq_before, e.seq_before)
                 WHEN e.seq_before = 0 THEN 'inserted, or entries before it are missing: it is not the start of a chain'
                 ELSE format('does not continue entry %s: that one was edited or replaced after this one was written', e.seq_before)
            END
      WHERE e.seq = e.seq_before + 1 AND e.prev_hash <> e.hash_before
   ) AS f(object, fact)
   WHERE (e.whole AND e.seq = e.seq_before + 1 AND e.prev_hash = e.hash_before) IS NOT TRUE
   ORDER BY e.seq;

  IF NOT FOUND THEN
    RETURN QUERY
    SELECT 'chain', NULL::text, 'ok',
           CASE count(*) WHEN 0 THEN 'no entry yet' ELSE format('%s entries, each continues the one before; head %s', count(*), migmgr.head()) END,
           'Keep the head outside this database and hand it to verify(expected_head): only that shows a tail cut off.'
      FROM migmgr.ledger AS l;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_chain() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_chain() IS 'every hash and link of the ledger';

CREATE FUNCTION migmgr_internal.check_head(expected_head text)
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT 'head', check_head.expected_head,
         CASE WHEN l.seq IS NULL THEN 'failed' ELSE 'ok' END,
         CASE WHEN l.seq IS NULL THEN 'not in the ledger: its tail was cut off, or this is another chain'
              ELSE format('it is entry %s; %s entries came after it', l.seq, (SELECT max(m.seq) FROM migmgr.ledger AS m) - l.seq) END,
         CASE WHEN l.seq IS NULL THEN 'Search the server log for "migmgr ledger of database" and this head; restore from a backup taken after it.' END
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (SELECT min(m.seq) AS seq FROM migmgr.ledger AS m WHERE m.hash = check_head.expected_head) AS l ON true
   WHERE check_head.expected_head IS NOT NULL
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_head(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_head(text) IS 'is a head that was kept outside still in the chain';

CREATE FUNCTION migmgr_internal.check_texts()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN QUERY
  WITH used AS (
    SELECT l.seq, l.version, 'script' AS part, l.checksum
      FROM migmgr.ledger AS l WHERE l.event IN ('applied', 'rolled back') AND l.checksum IS NOT NULL
    UNION ALL
    SELECT l.seq, l.version, t.part, t.checksum
      FROM migmgr.ledger AS l CROSS JOIN LATERAL (SELECT l.detail::jsonb OFFSET 0) AS d(detail)
     CROSS JOIN LATERAL (VALUES ('rollback text', d.detail ->> 'down'), ('derived rollback text', d.detail ->> 'derived'), ('verify SQL', d.detail ->> 'verify')) AS t(part, checksum)
     WHERE l.event IN ('applied', 'rolled back') AND l.detail ~ '"(down|derived|verify)"' AND t.checksum IS NOT NULL
  )
  SELECT 'texts', format('version %s, %s', u.version, u.part), 'failed',
         format('entry %s names text %s, which is not stored', u.seq, u.checksum), 'Restore migmgr_internal.script from a backup.'
    FROM used AS u
   WHERE NOT EXISTS (SELECT FROM migmgr_internal.script AS s WHERE s.checksum = u.checksum)
  UNION ALL
  SELECT 'texts', COALESCE((SELECT string_agg(DISTINCT format('version %s, %s', u.version, u.part), '; ')
                              FROM used AS u WHERE u.checksum = s.checksum), format('text %s', s.checksum)), 'failed',
         format('edited: checksum %s, but the stored text has %s', s.stored, s.sum), 'Restore migmgr_internal.script from a backup.'
    FROM (SELECT t.checksum, t.stored, t.redacted, encode(sha256(convert_to(t.text, 'UTF8')), 'hex') AS sum
            FROM migmgr_internal.script AS t) AS s
   WHERE s.sum <> s.stored OR (NOT s.redacted AND s.stored <> s.checksum)
  UNION ALL
  SELECT 'texts', format('text %s', s.checksum), 'failed',
         'edited: no entry names what is stored in place of the text with a password', 'Restore migmgr_internal.script from a backup.'
    FROM migmgr_internal.script AS s
   WHERE s.redacted AND s.stored NOT IN
         (SELECT jsonb_array_elements_text(l.detail::jsonb -> 'stored') FROM migmgr.ledger AS l WHERE l.detail LIKE '%"stored": [%');

  IF NOT FOUND THEN
    RETURN QUERY
    SELECT 'texts', NULL::text, 'ok',
           format('%s texts equal their checksums', count(*)) || CASE WHEN count(*) FILTER (WHERE s.redacted) > 0
             THEN format(' (%s with a password redacted)', count(*) FILTER (WHERE s.redacted)) ELSE '' END, NULL::text
      FROM migmgr_internal.script AS s;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_texts() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_texts() IS 'every text that the ledger names is stored, and has its checksum';

-- What a seal cannot say is which row of its batch was edited; which are
-- missing it can.
CREATE FUNCTION migmgr_internal.check_seals(record text)
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  bad boolean;
  waiting record;
BEGIN
  RETURN QUERY
  WITH seal AS MATERIALIZED (
    SELECT l.seq, (l.detail::jsonb ->> 'ids')::int8multirange AS ids, (l.detail::jsonb ->> 'count')::bigint AS rows,
           l.detail::jsonb ->> 'hash' AS hash
      FROM migmgr.ledger AS l WHERE l.event = 'seal' AND l.detail::jsonb ->> 'table' = check_seals.record
  ), found AS (
    SELECT s.seq, s.ids, s.rows, s.hash, e.rows AS rows_now, e.hash AS hash_now
      FROM seal AS s CROSS JOIN LATERAL (
        SELECT count(*) AS rows, encode(sha256(convert_to(string_agg(v.hash, '' ORDER BY v.id), 'UTF8')), 'hex') AS hash
          FROM unnest(s.ids) AS r JOIN migmgr_internal.evidence AS v
            ON v.record = check_seals.record AND v.id >= lower(r) AND v.id < upper(r)) AS e
  ), piece AS (
    SELECT s.seq, r.r, lag(s.seq) OVER w AS seq_before, lag(upper(r.r)) OVER w AS upper_before
      FROM seal AS s CROSS JOIN LATERAL unnest(s.ids) AS r(r) WINDOW w AS (ORDER BY lower(r.r), s.seq)
  )
  SELECT 'seals', format('%s, entry %s', check_seals.record, f.seq), 'failed',
         CASE WHEN f.rows_now < f.rows THEN format('missing: %s of the %s rows it sealed: id %s', f.rows - f.rows_now, f.rows,
                (SELECT string_agg(m.id::text, ', ' ORDER BY m.id)
                   FROM (SELECT g.id FROM unnest(f.ids) AS r CROSS JOIN LATERAL generate_series(lower(r), upper(r) - 1) AS g(id)
                          WHERE NOT EXISTS (SELECT FROM migmgr_internal.evidence AS v WHERE v.record = check_seals.record AND v.id = g.id)
                          ORDER BY g.id LIMIT 20) AS m))
              WHEN f.rows_now > f.rows THEN format('inserted: %s rows where it sealed %s', f.rows_now, f.rows)
              ELSE format('edited: at least one row of id %s', f.ids) END,
         format('SELECT * FROM migmgr_internal.%s WHERE id <@ %L::int8multirange;', check_seals.record, f.ids)
    FROM found AS f WHERE f.rows_now <> f.rows OR f.hash_now IS DISTINCT FROM f.hash
  UNION ALL
  SELECT 'seals', format('%s, entry %s', check_seals.record, p.seq), 'failed',
         format('id %s is in the seals of entries %s and %s', lower(p.r), p.seq_before, p.seq), NULL::text
    FROM piece AS p WHERE p.upper_before > lower(p.r);
  bad := FOUND;

  SELECT count(*) AS rows, min(u.at) AS at INTO waiting FROM migmgr_internal.unsealed(check_seals.record, 100000) AS u;
  IF waiting.at < now() - interval '1 day' THEN
    RETURN QUERY SELECT 'seals', check_seals.record, 'warning',
      format('%s rows are not under the chain, the oldest since %s', waiting.rows, date_trunc('second', waiting.at)),
      'SELECT * FROM migmgr.seal(); or SELECT * FROM migmgr.schedule(''seal'', ''0 * * * *'');';
  ELSIF NOT bad THEN
    RETURN QUERY SELECT 'seals', check_seals.record, 'ok',
      format('%s seals, %s rows waiting for the next one',
        (SELECT count(*) FROM migmgr.ledger AS l WHERE l.event = 'seal' AND l.detail::jsonb ->> 'table' = check_seals.record), waiting.rows),
      NULL::text;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_seals(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_seals(text) IS 'every row that a seal names is there and unchanged, none is in two, none waits for long';

CREATE FUNCTION migmgr_internal.check_home()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT 'home', current_database()::text,
         CASE s.state WHEN 'restored' THEN 'failed' ELSE 'ok' END,
         CASE s.state
           WHEN 'new' THEN 'new: nothing is recorded yet'
           WHEN 'restored' THEN 'restored or copied: ' || CASE WHEN e.seq IS NULL THEN 'no entry says which database this ledger is of'
             ELSE format('entry %s of %s makes it the ledger of database "%s" elsewhere', e.seq, date_trunc('second', e.at), e.detail::jsonb ->> 'database') END
           ELSE format('in force since entry %s (%s)', e.seq, date_trunc('second', e.at)) END,
         CASE s.state WHEN 'restored' THEN 'If the rest of this is ok: SELECT migmgr.resume(''why this copy goes on''); until then the guard only observes.' END
    FROM (SELECT migmgr_internal.ledger_state() AS state) AS s
    LEFT JOIN LATERAL (SELECT l.seq, l.at, l.detail FROM migmgr.ledger AS l WHERE l.event = 'epoch' ORDER BY l.seq DESC LIMIT 1) AS e ON true
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_home() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_home() IS 'does the ledger belong to this database';

CREATE FUNCTION migmgr_internal.check_guard()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH watcher AS (
    SELECT t.evtname::text, t.evtevent::text, t.evtenabled
      FROM pg_event_trigger AS t JOIN pg_proc AS p ON p.oid = t.evtfoid
     WHERE p.pronamespace = 'migmgr_internal'::regnamespace
  ), event(name, part) AS (
    VALUES ('ddl_command_start', 'start'), ('ddl_command_end', 'end'), ('sql_drop', 'drop'), ('table_rewrite', 'rewrite')
  ), own AS (
    SELECT c.oid, c.oid::regclass::text AS name
      FROM pg_class AS c JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
      JOIN pg_extension AS x ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND x.extname = 'migmgr'
     WHERE c.relkind IN ('r', 'p')
  ), lacking AS (
    SELECT o.name, string_agg(k.trigger || CASE WHEN t.tgenabled IS NULL THEN ' is missing' WHEN t.tgenabled = 'D' THEN ' is disabled'
                                                ELSE ' is not ENABLE ALWAYS' END, ', ' ORDER BY k.trigger) AS fact
      FROM own AS o CROSS JOIN (VALUES ('row_guard'), ('row_guard_truncate')) AS k(trigger)
      LEFT JOIN pg_trigger AS t ON t.tgrelid = o.oid AND t.tgname = k.trigger
       AND t.tgfoid = 'migmgr_internal.row_guard()'::regprocedure
     WHERE t.tgenabled IS DISTINCT FROM 'A' GROUP BY o.name
  )
  SELECT 'guard', 'event trigger ' || e.name, 'failed', 'missing: DDL is not judged at this event',
         format('As superuser: SELECT migmgr.unprotect(''repair''); CREATE EVENT TRIGGER migmgr_guard_%1$s ON %2$s EXECUTE FUNCTION migmgr_internal.guard_%1$s(); ALTER EVENT TRIGGER migmgr_guard_%1$s ENABLE ALWAYS; ALTER EXTENSION migmgr ADD EVENT TRIGGER migmgr_guard_%1$s;', e.part, e.name)
    FROM event AS e WHERE NOT EXISTS (SELECT FROM watcher AS w WHERE w.evtevent = e.name)
  UNION ALL
  SELECT 'guard', 'event trigger ' || w.evtname, 'failed',
         CASE w.evtenabled WHEN 'D' THEN 'disabled: DDL is not judged at this event' ELSE 'not ENABLE ALWAYS: replica mode goes around it' END,
         format('As superuser: SELECT migmgr.unprotect(''repair''); ALTER EVENT TRIGGER %I ENABLE ALWAYS;', w.evtname)
    FROM watcher AS w WHERE w.evtenabled <> 'A'
  UNION ALL
  SELECT 'guard', 'event triggers', 'ok', format('%s event triggers, all ENABLE ALWAYS', count(*)), NULL
    FROM watcher AS w
  HAVING bool_and(w.evtenabled = 'A') AND count(DISTINCT w.evtevent) >= (SELECT count(*) FROM event)
  UNION ALL
  SELECT 'guard', 'table ' || l.name, 'failed', l.fact,
         format('As superuser: SELECT migmgr.unprotect(''repair''); ALTER TABLE %1$s ENABLE ALWAYS TRIGGER row_guard; ALTER TABLE %1$s ENABLE ALWAYS TRIGGER row_guard_truncate;', l.name)
    FROM lacking AS l
  UNION ALL
  SELECT 'guard', 'row triggers', 'ok', format('%s tables of migmgr, row and TRUNCATE triggers all ENABLE ALWAYS', count(*)), NULL
    FROM own HAVING NOT EXISTS (SELECT FROM lacking)
  UNION ALL
  SELECT l.check_name, l.object, l.status, l.detail, l.hint FROM migmgr_internal.check_level() AS l
  UNION ALL
  SELECT 'guard', 'setting event_triggers', 'failed', 'off: no event trigger fires in this session', 'RESET event_triggers; and look where it was set: SELECT * FROM pg_settings WHERE name = ''event_triggers'';'
   WHERE current_setting('event_triggers', true) = 'off'
  UNION ALL
  SELECT 'guard', 'setting session_replication_role', 'warning',
         format('%s in this session: migmgr''s own triggers fire all the same, yours may not', current_setting('session_replication_role')), 'RESET session_replication_role;'
   WHERE current_setting('session_replication_role') <> 'origin'
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_guard() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_guard() IS 'event triggers and row triggers are there and always on, and at which level the guard works';

-- What a grant, or default privileges, opened wider than grant_access() does.
-- PL/pgSQL, because granted() and access() come later in the install script.
CREATE FUNCTION migmgr_internal.check_access()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT 'access', g.object, 'warning',
         'granted: ' || string_agg(format('%s to %s', g.privilege, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END), ', '
           ORDER BY g.privilege, g.grantee::regrole::text),
         'REVOKE it; SELECT * FROM migmgr.grant_access(role, level) gives what a role needs.'
    FROM migmgr_internal.granted() AS g
   WHERE g.grantee = 0
      OR (g.privilege NOT IN ('SELECT', 'EXECUTE', 'USAGE')
          AND NOT EXISTS (SELECT FROM migmgr_internal.access() AS a WHERE a.object = g.object AND a.privilege = g.privilege))
   GROUP BY g.object;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'access', NULL::text, 'ok', 'nothing of migmgr is open to PUBLIC, and no record to writing', NULL::text;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_access() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_access() IS 'no privileges on migmgr beyond those of grant_access()';

-- An index that is being built right now looks like one that was left behind.
CREATE FUNCTION migmgr_internal.check_indexes()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH bad AS (
    SELECT c.oid::regclass::text AS name, format('%I.%I', n.nspname, c.relname) AS full_name, i.indrelid::regclass::text AS on_table,
           c.relkind, i.indisvalid, i.indisready, i.indislive, b.pid
      FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
      LEFT JOIN pg_stat_progress_create_index AS b ON b.index_relid = i.indexrelid AND b.datname = current_database()
     WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_(toast_)?temp_'
  )
  SELECT 'indexes', b.full_name, CASE WHEN b.pid IS NOT NULL OR b.relkind = 'I' THEN 'warning' ELSE 'failed' END,
         CASE WHEN b.pid IS NOT NULL THEN format('being built by process %s', b.pid)
              WHEN b.relkind = 'I' THEN format('not valid: not every partition of %s has its part attached', b.on_table)
              WHEN NOT b.indislive THEN format('left behind by a DROP INDEX CONCURRENTLY on %s', b.on_table)
              ELSE format('invalid: no query uses it, every write to %s %s', b.on_table, CASE WHEN b.indisready THEN 'pays for it' ELSE 'passes it by' END) END,
         CASE WHEN b.pid IS NOT NULL THEN NULL
              WHEN b.relkind = 'I' THEN format('ALTER INDEX %s ATTACH PARTITION ...;', b.full_name)
              WHEN NOT b.indislive THEN format('DROP INDEX CONCURRENTLY %s;', b.full_name)
              ELSE format('REINDEX INDEX CONCURRENTLY %s; or DROP INDEX CONCURRENTLY %s;', b.full_name, b.full_name) END
    FROM bad AS b
  UNION ALL
  SELECT 'indexes', NULL, 'ok', 'no invalid index', NULL WHERE NOT EXISTS (SELECT FROM bad)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_indexes() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_indexes() IS 'indexes that are invalid or were left behind';

-- A worker that was cut off says nothing more, so what it left is looked for.
CREATE FUNCTION migmgr_internal.check_online()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT 'online', 'version ' || o.version, CASE WHEN o.status IN ('running', 'queued') THEN 'warning' ELSE 'failed' END,
         format('%s: %s of %s statements done', o.status, o.done, o.statements)
           || CASE WHEN o.status = 'running' THEN format(', process %s is at it', o.pid)
                   WHEN o.message IS NOT NULL THEN format('; it stopped with: %s', o.message)
                   WHEN o.status <> 'queued' THEN '; its worker was cut off' ELSE '' END
           || COALESCE('; left behind: ' || (SELECT string_agg(DISTINCT c.oid::regclass::text, ', ' ORDER BY c.oid::regclass::text)
                FROM migmgr_internal.online_target AS t JOIN migmgr_internal.home AS h ON h.token = t.home
                JOIN pg_class AS c ON c.oid = t.relid JOIN pg_index AS i ON i.indexrelid = c.oid
               WHERE t.version = o.version AND NOT (i.indisvalid AND i.indisready AND i.indislive)), ''),
         CASE WHEN o.status <> 'running' AND o.action = 'rollback' THEN format('SELECT * FROM migmgr.rollback(%L, ''reason''); goes on with it.', o.version)
              WHEN o.status <> 'running' THEN format('CALL migmgr.run_pending(%1$L); goes on with it; SELECT migmgr.withdraw(%1$L, ''reason''); takes it back.', o.version) END
    FROM migmgr_internal.online_state AS o
  UNION ALL
  SELECT 'online', NULL, 'ok', 'no migration is half-way', NULL WHERE NOT EXISTS (SELECT FROM migmgr_internal.online_job)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_online() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_online() IS 'migrations that run online, or ran and stopped half-way';

-- conenforced is new in 18: read through jsonb, where a column may be absent.
CREATE FUNCTION migmgr_internal.check_constraints()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH bad AS (
    SELECT c.conname, n.nspname, COALESCE(r.relname, t.typname) AS parent, c.contypid <> 0 AS on_domain,
           to_jsonb(c) ->> 'conenforced' = 'false' AS not_enforced
      FROM pg_constraint AS c JOIN pg_namespace AS n ON n.oid = c.connamespace
      LEFT JOIN pg_class AS r ON r.oid = c.conrelid LEFT JOIN pg_type AS t ON t.oid = c.contypid
     WHERE NOT c.convalidated AND c.conparentid = 0 AND c.conislocal
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_(toast_)?temp_'
  )
  SELECT 'constraints', format('%I on %I.%I', b.conname, b.nspname, b.parent), 'warning',
         CASE WHEN b.not_enforced THEN 'not enforced: rows may break it' ELSE 'not validated: older rows may break it' END,
         CASE WHEN NOT COALESCE(b.not_enforced, false) THEN format('ALTER %s %I.%I VALIDATE CONSTRAINT %I;',
                CASE WHEN b.on_domain THEN 'DOMAIN' ELSE 'TABLE' END, b.nspname, b.parent, b.conname) END
    FROM bad AS b
  UNION ALL
  SELECT 'constraints', NULL, 'ok', 'every constraint is validated', NULL WHERE NOT EXISTS (SELECT FROM bad)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_constraints() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_constraints() IS 'constraints that were never validated';

-- In one pass: what is missing one by one, what is there as a number.
CREATE FUNCTION migmgr_internal.check_objects()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH tally AS MATERIALIZED (
    SELECT k.place, k.version, k.action, k.type, k.identity, count(*) FILTER (WHERE o.state = 'there') AS there
      FROM migmgr.objects AS o
      LEFT JOIN LATERAL (SELECT ARRAY[o.seq, o.n] AS place, o.version, o.action, o.type, o.identity WHERE o.state = 'missing') AS k ON true
     GROUP BY k.place, k.version, k.action, k.type, k.identity
  )
  SELECT 'objects', t.type || ' ' || t.identity,
         CASE WHEN t.type IN ('table', 'table column', 'materialized view') THEN 'failed' ELSE 'warning' END,
         format('missing: %s by version %s, and gone without a migration', t.action, t.version),
         'SELECT * FROM migmgr.ddl_log ORDER BY at DESC; shows DDL from outside.'
    FROM (SELECT m.* FROM tally AS m WHERE m.place IS NOT NULL ORDER BY m.place) AS t
  UNION ALL
  SELECT 'objects', NULL, 'ok', format('%s objects that migrations made or changed are there', COALESCE(sum(t.there), 0)), NULL
    FROM tally AS t HAVING count(t.place) = 0
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_objects() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_objects() IS 'what migrations made is still there';

-- Runs one check; if that raises, the error is the result.  It is how a
-- ledger whose JSON was damaged still gets its break named by the others.
CREATE FUNCTION migmgr_internal.run_check(function text, argument text)
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT c.check_name, c.object, c.status, c.detail, c.hint FROM migmgr_internal.%I(%s) AS c',
    function, CASE WHEN argument IS NULL THEN '' ELSE quote_literal(argument) END);
EXCEPTION WHEN OTHERS THEN
  RETURN QUERY SELECT replace(function, 'check_', ''), argument, 'failed', format('the check itself failed: %s (%s)', SQLERRM, SQLSTATE), NULL::text;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.run_check(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.run_check(text, text) IS 'rows of one check, or one row with the error it raised';

-- Without compilation, which takes longer than the checks themselves.
CREATE FUNCTION migmgr.verify(expected_head text DEFAULT NULL)
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
#variable_conflict use_column
DECLARE
  head text := lower(btrim(expected_head));
BEGIN
  IF head !~ '^[0-9a-f]{64}$' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG004',
      MESSAGE = format('expected head "%s" is not a ledger head', left(expected_head, 80)),
      DETAIL = 'A head is 64 hexadecimal digits.',
      HINT = 'SELECT migmgr.head(); prints the present one.';
  END IF;

  RETURN QUERY
  WITH row AS MATERIALIZED (
    SELECT c.place, r.*
      FROM (VALUES (1, 'check_chain', NULL), (2, 'check_head', head), (3, 'check_texts', NULL), (4, 'check_seals', 'attempt'),
                   (5, 'check_seals', 'ddl_log'), (6, 'check_home', NULL), (7, 'check_guard', NULL), (7, 'check_bypasses', NULL), (8, 'check_access', NULL),
                   (9, 'check_indexes', NULL), (10, 'check_constraints', NULL), (11, 'check_objects', NULL), (11, 'check_state', NULL), (11, 'check_drift', NULL), (11, 'check_row_security', NULL), (11, 'check_rows', NULL), (12, 'watch_checks', NULL),
                   (13, 'check_library', NULL), (14, 'check_checks', NULL), (15, 'check_online', NULL)
           ) AS c(place, function, argument)
     CROSS JOIN LATERAL migmgr_internal.run_check(c.function, c.argument) WITH ORDINALITY AS r(check_name, object, status, detail, hint, n)
     WHERE c.function <> 'check_head' OR c.argument IS NOT NULL
  ), total AS (
    SELECT count(*) FILTER (WHERE r.status = 'ok') AS ok, count(*) FILTER (WHERE r.status = 'warning') AS warnings,
           count(*) FILTER (WHERE r.status NOT IN ('ok', 'warning')) AS failed FROM row AS r
  )
  SELECT s.check_name, s.object, s.status, s.detail, s.hint
    FROM (SELECT 0 AS rank, 0 AS place, NULL::bigint AS n, 'verify' AS check_name, NULL::text AS object,
                 CASE WHEN t.failed > 0 THEN 'failed' WHEN t.warnings > 0 THEN 'warning' ELSE 'ok' END AS status,
                 format('%s failed, %s warnings, %s ok', t.failed, t.warnings, t.ok) AS detail, NULL::text AS hint
            FROM total AS t
          UNION ALL
          SELECT CASE r.status WHEN 'ok' THEN 3 WHEN 'warning' THEN 2 ELSE 1 END, r.place, CASE r.check_name WHEN 'chain' THEN r.n END,
                 r.check_name, r.object, r.status, r.detail, r.hint
            FROM row AS r) AS s
   ORDER BY s.rank, s.place, s.n, s.object COLLATE "C";
END
$$;
REVOKE ALL ON FUNCTION migmgr.verify(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.verify(text) IS 'check chain, texts, evidence, guard, schema and watches; give it a head kept outside to prove that nothing was cut off';
