-- How much the guard sees, the login guard, and what would go around it.
-- doc/bypasses.md has the list that these checks answer.

CREATE FUNCTION migmgr_internal.load() RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_load';
REVOKE ALL ON FUNCTION migmgr_internal.load() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.load() IS 'load the library into this session';

-- As the owner, because whoever logs in has no rights here.  An error would
-- keep everybody out, so there is none.
CREATE FUNCTION migmgr_internal.guard_login() RETURNS event_trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM migmgr_internal.load();
EXCEPTION WHEN OTHERS THEN
  RAISE LOG 'migmgr: the login guard could not load the library: %', SQLERRM;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.guard_login() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.guard_login() IS 'loads the library at login, and never fails';

CREATE FUNCTION migmgr.enable_login_guard() RETURNS text
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_enable_login_guard';
REVOKE ALL ON FUNCTION migmgr.enable_login_guard() FROM PUBLIC;
COMMENT ON FUNCTION migmgr.enable_login_guard() IS 'superuser, PostgreSQL 17 and later: load the guard into every session when it logs in, without preload';

CREATE FUNCTION migmgr.disable_login_guard() RETURNS text
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_disable_login_guard';
REVOKE ALL ON FUNCTION migmgr.disable_login_guard() FROM PUBLIC;
COMMENT ON FUNCTION migmgr.disable_login_guard() IS 'superuser: no longer load the guard when a session logs in; recorded in the ledger';

CREATE FUNCTION migmgr_internal.names_library(libraries text) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT COALESCE(bool_or(regexp_replace(btrim(l.library, E' \t\n"'), '^.*/|\.so$', '', 'g') = 'migmgr'), false)
    FROM regexp_split_to_table(libraries, ',') AS l(library)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.names_library(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.names_library(text) IS 'is migmgr one of the libraries in the value of a preload setting';

-- Settings of roles and databases that count in this database.
CREATE FUNCTION migmgr_internal.role_settings() RETURNS TABLE(place text, role text, setting text, value text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT concat_ws(' in ', CASE WHEN s.setrole <> 0 THEN 'role ' || s.setrole::regrole::text END,
                   CASE WHEN s.setdatabase <> 0 THEN format('database %I', d.datname) WHEN s.setrole = 0 THEN 'every database' END),
         CASE WHEN s.setrole <> 0 THEN s.setrole::regrole::text END, split_part(c.line, '=', 1),
         substr(c.line, strpos(c.line, '=') + 1)
    FROM pg_db_role_setting AS s
    LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
   CROSS JOIN LATERAL unnest(s.setconfig) AS c(line)
   WHERE s.setdatabase = 0 OR d.datname = current_database()
$$;
REVOKE ALL ON FUNCTION migmgr_internal.role_settings() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.role_settings() IS 'what ALTER ROLE and ALTER DATABASE set for sessions of this database';

-- What counts is what every session gets, not what this one was started with.
CREATE FUNCTION migmgr_internal.guard_level() RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT CASE
    WHEN migmgr_internal.names_library(current_setting('shared_preload_libraries')) THEN 'preloaded'
    WHEN EXISTS (SELECT FROM migmgr_internal.role_settings() AS s WHERE s.role IS NULL AND s.setting = 'session_preload_libraries'
                    AND migmgr_internal.names_library(s.value))
      OR EXISTS (SELECT FROM pg_settings AS s WHERE s.name = 'session_preload_libraries'
                    AND s.source IN ('configuration file', 'command line') AND migmgr_internal.names_library(s.setting))
      THEN 'session preload'
    WHEN EXISTS (SELECT FROM pg_event_trigger AS t WHERE t.evtevent = 'login' AND t.evtenabled = 'A'
                    AND t.evtfoid = 'migmgr_internal.guard_login()'::regprocedure) THEN 'login guard'
    ELSE 'event triggers only' END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.guard_level() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.guard_level() IS 'preloaded, session preload, login guard or event triggers only';

CREATE FUNCTION migmgr_internal.guard_blind(level text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT CASE level
    WHEN 'preloaded' THEN 'single-user mode'
    WHEN 'session preload' THEN 'single-user mode, sessions that a superuser starts without session_preload_libraries, DROP DATABASE from a database that does not load migmgr'
    WHEN 'login guard' THEN 'single-user mode, background workers before their first DDL, sessions started with event_triggers = off, DROP DATABASE from elsewhere'
    ELSE 'before the first DDL of a session: TRUNCATE, CLUSTER, VACUUM FULL, REINDEX before 17, REASSIGN OWNED, event triggers, roles, settings, changed catalogs; always: DROP DATABASE from elsewhere'
  END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.guard_blind(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.guard_blind(text) IS 'what the guard cannot see at a level';

CREATE FUNCTION migmgr_internal.check_level()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT 'guard', 'level', CASE v.level WHEN 'event triggers only' THEN 'warning' ELSE 'ok' END,
         format('%s: not seen: %s', v.level, migmgr_internal.guard_blind(v.level)),
         CASE WHEN v.level IN ('preloaded', 'session preload') THEN NULL
              ELSE 'Add migmgr to shared_preload_libraries and restart, or to session_preload_libraries of this database'
                   || CASE WHEN current_setting('server_version_num')::integer >= 170000 AND v.level = 'event triggers only'
                        THEN ', or SELECT migmgr.enable_login_guard();' ELSE '.' END END
    FROM (SELECT migmgr_internal.guard_level() AS level) AS v
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_level() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_level() IS 'at which level the guard works, and what it cannot see there';

-- Doors that stand open.  Nothing here is about what a session does; it is
-- about what the next one could do.
CREATE FUNCTION migmgr_internal.check_bypasses()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH guarding(name) AS (
    VALUES ('event_triggers'), ('session_replication_role'), ('session_preload_libraries'), ('shared_preload_libraries')
  ), own AS (
    SELECT p.oid, p.oid::regprocedure::text AS name, p.probin, p.prosrc, l.lanname, p.prorettype = 'event_trigger'::regtype AS event,
           EXISTS (SELECT FROM pg_depend AS d JOIN pg_extension AS x ON x.oid = d.refobjid AND x.extname = 'migmgr'
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e') AS member
      FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
     WHERE p.pronamespace = 'migmgr_internal'::regnamespace
       AND p.proname IN ('guard_start', 'guard_end', 'guard_drop', 'guard_rewrite', 'row_guard')
  ), watcher AS (
    SELECT t.oid, t.evtname::text AS name, t.evtevent::text AS event, p.pronamespace = 'migmgr_internal'::regnamespace AS ours,
           EXISTS (SELECT FROM pg_depend AS d JOIN pg_extension AS x ON x.oid = d.refobjid AND x.extname = 'migmgr'
                    WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e') AS member
      FROM pg_event_trigger AS t JOIN pg_proc AS p ON p.oid = t.evtfoid WHERE t.evtenabled <> 'D'
  ), found(object, status, detail, hint) AS (
    SELECT 'parameter ' || a.parname, 'warning',
           format('%s granted to %s, who can switch the guard off in his own sessions', string_agg(DISTINCT g.privilege_type, ' and '),
             string_agg(DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, ', ')),
           format('REVOKE ALL ON PARAMETER %s FROM %s;', a.parname,
             string_agg(DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, ', '))
      FROM pg_parameter_acl AS a JOIN guarding AS n ON n.name = a.parname CROSS JOIN LATERAL aclexplode(a.paracl) AS g
      LEFT JOIN pg_roles AS r ON r.oid = g.grantee
     WHERE r.rolsuper IS NOT TRUE GROUP BY a.parname
    UNION ALL
    SELECT format('setting %s of %s', s.setting, s.place), CASE s.setting WHEN 'event_triggers' THEN 'failed' ELSE 'warning' END,
           format('%s: %s', s.value, CASE s.setting WHEN 'event_triggers' THEN 'no event trigger fires in its sessions'
             WHEN 'session_replication_role' THEN 'migmgr''s own triggers fire all the same, yours may not'
             ELSE 'its sessions do not load migmgr before their first DDL' END),
           format('ALTER %s RESET %s;', CASE WHEN s.place = 'every database' THEN 'ROLE ALL' ELSE replace(replace(s.place, 'role ', 'ROLE '), 'in database', 'IN DATABASE') END, s.setting)
      FROM migmgr_internal.role_settings() AS s
     WHERE (s.setting = 'event_triggers' AND s.value IN ('off', 'false', 'no', '0'))
        OR (s.setting = 'session_replication_role' AND s.value <> 'origin')
        OR (s.setting = 'session_preload_libraries' AND NOT migmgr_internal.names_library(s.value)
            AND migmgr_internal.guard_level() = 'session preload')
    UNION ALL
    SELECT 'setting ' || s.name, 'failed', format('%s in %s', s.setting, COALESCE(s.sourcefile, s.source)), 'Take it out of the server''s configuration, then SELECT pg_reload_conf();'
      FROM pg_settings AS s WHERE s.name = 'event_triggers' AND s.reset_val = 'off' AND s.source IN ('configuration file', 'command line')
    UNION ALL
    SELECT 'function ' || o.name, 'failed',
           CASE WHEN o.member THEN 'replaced: it does not call the migmgr library any more' ELSE 'no longer a member of extension migmgr: it is dumped and dropped without it' END,
           'As superuser: SELECT migmgr.unprotect(''repair''); then install migmgr again, or restore its function and ALTER EXTENSION migmgr ADD FUNCTION it.'
      FROM own AS o
     WHERE NOT o.member OR o.lanname <> 'c' OR o.probin !~ '(^|/)migmgr(\.so)?$' OR o.prosrc <> 'migmgr_' || split_part(split_part(o.name, '.', 2), '(', 1)
    UNION ALL
    SELECT 'event trigger ' || w.name, 'warning', 'it calls migmgr''s guard, but is no member of the extension: a dump of the extension has it not',
           format('As superuser: SELECT migmgr.unprotect(''repair''); ALTER EXTENSION migmgr ADD EVENT TRIGGER %I;', w.name)
      FROM watcher AS w WHERE w.ours AND NOT w.member
    UNION ALL
    SELECT 'event trigger ' || w.name, 'warning', 'it comes before migmgr''s at ddl_command_start, and what it does runs first',
           format('ALTER EVENT TRIGGER %I RENAME TO a name after migmgr_guard_start, or preload migmgr.', w.name)
      FROM watcher AS w
     WHERE NOT w.ours AND w.event = 'ddl_command_start' AND migmgr_internal.guard_level() = 'event triggers only'
       AND w.name COLLATE "C" < (SELECT min(x.name COLLATE "C") FROM watcher AS x WHERE x.ours AND x.event = w.event)
    UNION ALL
    SELECT 'event trigger migmgr_guard_login', 'warning', 'missing: the ledger says that the login guard is on', 'SELECT migmgr.enable_login_guard();'
      FROM (SELECT (l.detail::jsonb ->> 'enabled')::boolean AS enabled FROM migmgr.ledger AS l
             WHERE l.event = 'login guard' AND l.event NOT IN ('applied', 'rolled back') ORDER BY l.seq DESC LIMIT 1) AS l
     WHERE l.enabled AND NOT EXISTS (SELECT FROM watcher AS w WHERE w.ours AND w.event = 'login')
    UNION ALL
    SELECT 'system catalogs', 'warning',
           format('%s statements changed rows of %s in the last 7 days, the last %s by %s', count(*), string_agg(DISTINCT d.object, ', '),
             date_trunc('second', max(d.at)), (array_agg(d.session_role ORDER BY d.at DESC))[1]),
           'SELECT * FROM migmgr.ddl_log WHERE rule = ''catalog-dml'' ORDER BY at DESC;'
      FROM migmgr_internal.ddl_log AS d WHERE d.rule = 'catalog-dml' AND d.at > now() - interval '7 days' HAVING count(*) > 0
    UNION ALL
    SELECT format('database %I', current_database()), 'warning', 'not in migmgr.protected_databases: it can be dropped from any other database',
           'Name it in migmgr.protected_databases in the server''s configuration file, then SELECT pg_reload_conf();'
     WHERE migmgr_internal.guard_level() = 'preloaded' AND migmgr.environment() = 'production'
       AND current_setting('migmgr.protected_databases', true) <> ''
       AND current_database() <> ALL (regexp_split_to_array(replace(current_setting('migmgr.protected_databases', true), '"', ''), '\s*,\s*'))
  )
  SELECT 'bypass', f.object, f.status, f.detail, f.hint FROM found AS f
  UNION ALL
  SELECT 'bypass', NULL, 'ok', 'no way around the guard stands open', NULL WHERE NOT EXISTS (SELECT FROM found)
  UNION ALL
  SELECT 'bypass', 'other databases', 'ok', format('the guard of this database is not theirs: %s', string_agg(quote_ident(d.datname), ', ' ORDER BY d.datname)),
         'CREATE EXTENSION migmgr in each that needs one; in template1 for those to come.'
    FROM pg_database AS d WHERE d.datallowconn AND NOT d.datistemplate AND d.datname <> current_database() HAVING count(*) > 0
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_bypasses() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_bypasses() IS 'settings, grants, functions and event triggers that would let DDL go around the guard';

-- The file is the host's business; that it is another one than yesterday is ours to show.
CREATE FUNCTION migmgr_internal.check_library()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT 'library', f.path, 'ok', 'sha256 ' || COALESCE(encode(sha256(pg_read_binary_file(f.path, 0, 1000000000, true)), 'hex'), 'unknown: the file cannot be read'), NULL::text
    FROM (SELECT c.setting || '/migmgr.so' AS path FROM pg_config() AS c WHERE c.name = 'PKGLIBDIR') AS f
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_library() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_library() IS 'path and checksum of the library, to compare with those that were installed';
