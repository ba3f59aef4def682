-- Who may do what.  Levels: viewer < author < operator; approver is a viewer
-- who approves; admin has them all.  This list is the contract: whatever is
-- public in schema migmgr is in it, at the lowest level that gets it.

CREATE FUNCTION migmgr_internal.access() RETURNS TABLE(object text, level text, privilege text)
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $$
  VALUES
    ('migmgr.ledger', 'viewer', 'SELECT'),
    ('migmgr.history', 'viewer', 'SELECT'),
    ('migmgr.attempts', 'viewer', 'SELECT'),
    ('migmgr.statements', 'viewer', 'SELECT'),
    ('migmgr.objects', 'viewer', 'SELECT'),
    ('migmgr_internal.object_size(text,text)', 'viewer', 'EXECUTE'),
    ('migmgr.archives', 'viewer', 'SELECT'),
    ('migmgr.rollback_guide(text)', 'viewer', 'EXECUTE'),
    ('migmgr.ddl_log', 'viewer', 'SELECT'),
    ('migmgr.progress', 'viewer', 'SELECT'),
    ('migmgr_internal.progress_rows()', 'viewer', 'EXECUTE'),
    ('migmgr.watches', 'viewer', 'SELECT'),
    ('migmgr.sweeps', 'viewer', 'SELECT'),
    ('migmgr.schedules', 'viewer', 'SELECT'),
    ('migmgr_internal.cron_status()', 'viewer', 'EXECUTE'),
    ('migmgr.dlq_stats', 'viewer', 'SELECT'),
    ('migmgr_internal.dlq_statistics(regclass)', 'viewer', 'EXECUTE'),
    -- row security shows each reader what is his; DELETE makes an admin of it
    ('migmgr.job_dlq', 'viewer', 'SELECT'),
    ('migmgr.status', 'viewer', 'SELECT'),
    ('migmgr_internal.status_rows(text)', 'viewer', 'EXECUTE'),
    ('migmgr.verify(text)', 'viewer', 'EXECUTE'),
    ('migmgr.health()', 'viewer', 'EXECUTE'),
    ('migmgr.head()', 'viewer', 'EXECUTE'),
    ('migmgr.version()', 'viewer', 'EXECUTE'),
    ('migmgr.checksum(text)', 'viewer', 'EXECUTE'),
    ('migmgr.environment()', 'viewer', 'EXECUTE'),
    ('migmgr.policy', 'viewer', 'SELECT'),
    ('migmgr_internal.policy_rules()', 'viewer', 'EXECUTE'),
    ('migmgr_internal.policy_default(text,text)', 'viewer', 'EXECUTE'),
    ('migmgr_internal.policy_settings()', 'viewer', 'EXECUTE'),
    ('migmgr.waivers', 'viewer', 'SELECT'),
    ('migmgr.checks', 'viewer', 'SELECT'),
    ('migmgr.approvals', 'viewer', 'SELECT'),
    ('migmgr_internal.approval_rows(timestamp with time zone,text)', 'viewer', 'EXECUTE'),
    ('migmgr.required_approvals', 'viewer', 'SELECT'),
    ('migmgr.backups', 'viewer', 'SELECT'),
    ('migmgr_internal.seen_backups()', 'viewer', 'EXECUTE'),
    ('migmgr.receipt(text)', 'viewer', 'EXECUTE'),
    ('migmgr.flags', 'viewer', 'SELECT'),
    ('migmgr.metrics', 'viewer', 'SELECT'),
    ('migmgr_internal.metric_rows()', 'viewer', 'EXECUTE'),
    ('migmgr_internal.flag_list(bigint)', 'viewer', 'EXECUTE'),
    ('migmgr.flag_enabled(text,text)', 'viewer', 'EXECUTE'),
    -- with the caller's rights on the job table, so a worker needs no more
    ('migmgr.heartbeat(regclass,text,jsonb,integer)', 'viewer', 'EXECUTE'),
    ('migmgr.heartbeat(regclass,uuid,jsonb,integer)', 'viewer', 'EXECUTE'),
    ('migmgr.heartbeat(regclass,bigint,jsonb,integer)', 'viewer', 'EXECUTE'),
    ('migmgr.heartbeat_many(regclass,text[])', 'viewer', 'EXECUTE'),
    ('migmgr.heartbeat_many(regclass,uuid[])', 'viewer', 'EXECUTE'),
    ('migmgr.heartbeat_many(regclass,bigint[])', 'viewer', 'EXECUTE'),
    ('migmgr.current_organisation()', 'viewer', 'EXECUTE'),
    ('migmgr.export(text[])', 'viewer', 'EXECUTE'),
    ('migmgr.drift()', 'viewer', 'EXECUTE'),
    ('migmgr.report(text)', 'viewer', 'EXECUTE'),
    ('migmgr.plan(text,text)', 'viewer', 'EXECUTE'),
    ('migmgr.assert_safe(text,text)', 'viewer', 'EXECUTE'),
    ('migmgr.pending', 'viewer', 'SELECT'),
    ('migmgr.repeatables', 'viewer', 'SELECT'),
    ('migmgr.submit(text,text,boolean,text)', 'author', 'EXECUTE'),
    ('migmgr.submit(text,text,text,text,text,text,boolean)', 'author', 'EXECUTE'),
    ('migmgr.withdraw(text,text)', 'author', 'EXECUTE'),
    ('migmgr.schema_fingerprint(text[])', 'viewer', 'EXECUTE'),
    ('migmgr.diff(text,text)', 'viewer', 'EXECUTE'),
    ('migmgr.schema_text(text[])', 'viewer', 'EXECUTE'),
    ('migmgr.snapshot(text,text[])', 'operator', 'EXECUTE'),
    ('migmgr.apply(text,text,text,text,text,text,boolean,text,jsonb)', 'operator', 'EXECUTE'),
    ('migmgr.apply(text)', 'operator', 'EXECUTE'),
    ('migmgr.apply_pending(text,text)', 'operator', 'EXECUTE'),
    ('migmgr.apply_repeatable(text,text,text,jsonb)', 'operator', 'EXECUTE'),
    ('migmgr.apply_repeatables(jsonb,text,jsonb)', 'operator', 'EXECUTE'),
    ('migmgr.run_pending(text,integer,bigint,text)', 'operator', 'EXECUTE'),
    ('migmgr.apply_file(text,text,boolean,text,jsonb)', 'operator', 'EXECUTE'),
    ('migmgr.rehearse(text,jsonb)', 'operator', 'EXECUTE'),
    ('migmgr.blockers(text)', 'operator', 'EXECUTE'),
    ('migmgr.run(text,text,boolean,text,jsonb,text,text,text,text,text,integer,bigint,text,text)', 'operator', 'EXECUTE'),
    ('migmgr.rollback(text,text,text,boolean)', 'operator', 'EXECUTE'),
    ('migmgr.rollback_to(text,text,text,boolean)', 'operator', 'EXECUTE'),
    ('migmgr.tag(text)', 'operator', 'EXECUTE'),
    ('migmgr.note(text,text)', 'operator', 'EXECUTE'),
    ('migmgr.compare_files(text,boolean)', 'operator', 'EXECUTE'),
    ('migmgr.compare_files(jsonb,boolean)', 'operator', 'EXECUTE'),
    ('migmgr.mark_applied(text[],text)', 'operator', 'EXECUTE'),
    ('migmgr.mark_reverted(text[],text)', 'operator', 'EXECUTE'),
    ('migmgr.mark_renamed(text,text,text)', 'operator', 'EXECUTE'),
    ('migmgr.accept_checksum(text,text,text)', 'operator', 'EXECUTE'),
    ('migmgr.baseline(text,text)', 'operator', 'EXECUTE'),
    ('migmgr.import_history(regclass)', 'operator', 'EXECUTE'),
    ('migmgr.accept_drift(text,text)', 'operator', 'EXECUTE'),
    ('migmgr.capture(text,text)', 'operator', 'EXECUTE'),
    ('migmgr.mirror_history(regclass)', 'operator', 'EXECUTE'),
    ('migmgr.set_flag(text,integer,text)', 'operator', 'EXECUTE'),
    ('migmgr.seal()', 'operator', 'EXECUTE'),
    ('migmgr.add_check(text,text,text,text[],text,text[])', 'operator', 'EXECUTE'),
    ('migmgr.run_checks(text)', 'operator', 'EXECUTE'),
    ('migmgr.preflight(text)', 'operator', 'EXECUTE'),
    ('migmgr_internal.preflight_rows(text,text,jsonb,jsonb)', 'operator', 'EXECUTE'),
    ('migmgr_internal.running_jobs()', 'operator', 'EXECUTE'),
    ('migmgr_internal.pending_script(text)', 'operator', 'EXECUTE'),
    ('migmgr.record_backup(text,timestamp with time zone,bigint,text,boolean)', 'operator', 'EXECUTE'),
    ('migmgr.approve(text,text,text,text,text,text,interval)', 'approver', 'EXECUTE'),
    ('migmgr.reject(text,text,text,text)', 'approver', 'EXECUTE'),
    ('migmgr.job_dlq', 'operator', 'INSERT'),
    ('migmgr.job_dlq', 'operator', 'UPDATE'),
    ('migmgr.job_dlq', 'operator', 'DELETE'),
    ('migmgr.watch(regclass,interval,regclass,text,jsonb,jsonb,integer,integer,boolean)', 'operator', 'EXECUTE'),
    ('migmgr.unwatch(text)', 'operator', 'EXECUTE'),
    ('migmgr.schedule(text,text,integer)', 'operator', 'EXECUTE'),
    ('migmgr.unschedule(text)', 'operator', 'EXECUTE'),
    ('migmgr.sweep(regclass,timestamp with time zone,boolean)', 'operator', 'EXECUTE'),
    ('migmgr.run_sweeps(integer)', 'operator', 'EXECUTE'),
    ('migmgr.dlq_add(text,text,text,text,jsonb,text,regclass,text,integer,jsonb,regclass)', 'operator', 'EXECUTE'),
    ('migmgr.dlq_retry(uuid,boolean,boolean,regclass)', 'operator', 'EXECUTE'),
    ('migmgr.dlq_retry_all(text,text,regclass,regclass,integer,boolean,boolean,timestamp with time zone)', 'operator', 'EXECUTE'),
    ('migmgr.dlq_resolve(uuid,text,text,text,regclass)', 'operator', 'EXECUTE'),
    ('migmgr.dlq_purge(interval,regclass,boolean,timestamp with time zone)', 'operator', 'EXECUTE'),
    ('migmgr.purge_archive(text,interval,text)', 'admin', 'EXECUTE'),
    ('migmgr.set_environment(text)', 'admin', 'EXECUTE'),
    ('migmgr.set_policy(text,text,text,text,text)', 'admin', 'EXECUTE'),
    ('migmgr.waive(text,text,interval,text)', 'admin', 'EXECUTE'),
    ('migmgr.set_mode(text,text,timestamp with time zone)', 'admin', 'EXECUTE'),
    ('migmgr.drop_check(text)', 'admin', 'EXECUTE'),
    ('migmgr.require_approval(text,text,text,boolean)', 'admin', 'EXECUTE'),
    -- these ask for a superuser besides
    ('migmgr.enable_login_guard()', 'admin', 'EXECUTE'),
    ('migmgr.disable_login_guard()', 'admin', 'EXECUTE'),
    ('migmgr.unprotect(text,interval)', 'admin', 'EXECUTE'),
    ('migmgr.resume(text)', 'admin', 'EXECUTE'),
    ('migmgr.grant_access(text,text)', 'admin', 'EXECUTE'),
    ('migmgr.revoke_access(text)', 'admin', 'EXECUTE')
$$;
REVOKE ALL ON FUNCTION migmgr_internal.access() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.access() IS 'every privilege that a level gets, at the lowest such level';

CREATE FUNCTION migmgr_internal.level_includes() RETURNS TABLE(level text, includes text[])
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $$
  VALUES ('viewer', '{viewer}'::text[]),
         ('author', '{viewer,author}'),
         ('operator', '{viewer,author,operator}'),
         ('approver', '{viewer,approver}'),
         ('admin', '{viewer,author,operator,approver,admin}')
$$;
REVOKE ALL ON FUNCTION migmgr_internal.level_includes() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.level_includes() IS 'the levels, and which others each has in it';

CREATE FUNCTION migmgr_internal.levels_of(role oid) RETURNS text[]
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT array_agg(l.level ORDER BY array_position('{admin,approver,operator,author,viewer}', l.level))
    FROM (SELECT a.level,
                 bool_and(CASE a.privilege WHEN 'EXECUTE' THEN has_function_privilege(role, to_regprocedure(a.object), a.privilege)
                                           ELSE has_table_privilege(role, to_regclass(a.object), a.privilege) END) AS has
            FROM migmgr_internal.access() AS a
           WHERE has_schema_privilege(role, 'migmgr', 'USAGE')
           GROUP BY a.level) AS l
   WHERE l.has
$$;
REVOKE ALL ON FUNCTION migmgr_internal.levels_of(oid) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.levels_of(oid) IS 'levels whose own rights a role has in full, the highest first';

CREATE FUNCTION migmgr_internal.granted() RETURNS TABLE(kind text, object text, grantee oid, privilege text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH own AS (
    SELECT n.oid, n.nspname, n.nspowner, n.nspacl FROM pg_namespace AS n WHERE n.nspname IN ('migmgr', 'migmgr_internal')
  ), acl AS (
    SELECT 'ROUTINE' AS kind, p.oid::regprocedure::text AS object, p.proowner AS owner, COALESCE(p.proacl, acldefault('f', p.proowner)) AS acl
      FROM pg_proc AS p WHERE p.pronamespace IN (SELECT n.oid FROM own AS n)
    UNION ALL
    SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text, c.relowner, c.relacl
      FROM pg_class AS c WHERE c.relnamespace IN (SELECT n.oid FROM own AS n) AND c.relkind IN ('r', 'v', 'S')
    UNION ALL
    SELECT 'SCHEMA', n.nspname::text, n.nspowner, n.nspacl FROM own AS n
  )
  SELECT a.kind, a.object, x.grantee, x.privilege_type FROM acl AS a CROSS JOIN LATERAL aclexplode(a.acl) AS x WHERE x.grantee <> a.owner
$$;
REVOKE ALL ON FUNCTION migmgr_internal.granted() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.granted() IS 'who but the owner has which privilege on what of migmgr; grantee 0 is PUBLIC';

CREATE FUNCTION migmgr_internal.access_role(role text) RETURNS void
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF role IS NULL OR role = 'public' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006',
      MESSAGE = CASE WHEN role IS NULL THEN 'role must not be null' ELSE 'PUBLIC gets no access to migmgr' END,
      HINT = 'Name a role: SELECT * FROM migmgr.grant_access(''deployer'', ''operator'');';
  ELSIF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role) THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object',
      MESSAGE = format('role "%s" does not exist', role),
      HINT = 'migmgr makes no roles; names are case-sensitive here.';
  ELSIF role LIKE 'pg\_%' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006',
      MESSAGE = format('access of predefined role "%s" cannot be changed', role),
      DETAIL = 'The owner of the database needs what it has to dump the database.';
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.access_role(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.access_role(text) IS 'raises unless access of the role can be changed';

-- Whoever may call this has all levels already, so it hands out nothing that
-- the caller lacks; the grants are the owner's.
CREATE FUNCTION migmgr.grant_access(role text, level text)
  RETURNS TABLE(granted_to text, levels text, detail text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  included text[];
  item record;
  n bigint := 0;
BEGIN
  PERFORM migmgr_internal.access_role(grant_access.role);
  SELECT l.includes INTO included FROM migmgr_internal.level_includes() AS l WHERE l.level = grant_access.level;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006',
      MESSAGE = format('access level "%s" does not exist', COALESCE(grant_access.level, 'null')),
      HINT = 'Levels are viewer, author, operator, approver and admin.';
  END IF;

  EXECUTE format('GRANT USAGE ON SCHEMA migmgr TO %I', grant_access.role);
  FOR item IN
    SELECT a.privilege, string_agg(a.object, ', ') AS objects, count(*) AS n
      FROM migmgr_internal.access() AS a
     WHERE a.level = ANY (included)
       AND CASE a.privilege WHEN 'EXECUTE' THEN to_regprocedure(a.object) IS NOT NULL ELSE to_regclass(a.object) IS NOT NULL END
     GROUP BY a.privilege
  LOOP
    EXECUTE format('GRANT %s ON %s %s TO %I', item.privilege, CASE item.privilege WHEN 'EXECUTE' THEN 'ROUTINE' ELSE 'TABLE' END,
      item.objects, grant_access.role);
    n := n + item.n;
  END LOOP;
  PERFORM migmgr_internal.ledger_append('grant', NULL, jsonb_build_object('role', grant_access.role, 'level', grant_access.level));

  granted_to := grant_access.role;
  levels := array_to_string(migmgr_internal.levels_of((SELECT r.oid FROM pg_roles AS r WHERE r.rolname = grant_access.role)), ', ');
  detail := format('%s has %s privileges on functions and views of migmgr in database %s (%s)', grant_access.role, n, current_database(), migmgr.environment());
  RETURN NEXT;
END
$$;
REVOKE ALL ON FUNCTION migmgr.grant_access(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.grant_access(text, text) IS 'give a role what its level needs: viewer, author, operator, approver or admin; levels add up';

CREATE FUNCTION migmgr.revoke_access(role text)
  RETURNS TABLE(revoked_from text, levels text, detail text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  left_over text[];
  who oid;
  item record;
BEGIN
  PERFORM migmgr_internal.access_role(revoke_access.role);
  SELECT r.oid INTO who FROM pg_roles AS r WHERE r.rolname = revoke_access.role;
  FOR item IN
    SELECT g.kind, string_agg(g.object, ', ') AS objects
      FROM (SELECT DISTINCT p.kind, p.object FROM migmgr_internal.granted() AS p WHERE p.grantee = who) AS g GROUP BY g.kind
  LOOP
    EXECUTE format('REVOKE ALL ON %s %s FROM %I', item.kind, item.objects, revoke_access.role);
  END LOOP;
  PERFORM migmgr_internal.ledger_append('revoke', NULL, jsonb_build_object('role', revoke_access.role));

  left_over := migmgr_internal.levels_of(who);
  revoked_from := revoke_access.role;
  levels := array_to_string(left_over, ', ');
  detail := CASE WHEN left_over IS NULL THEN format('%s has no access to migmgr in database %s (%s)', revoke_access.role, current_database(), migmgr.environment())
                 ELSE format('%s still has access: as superuser, or as member of another role', revoke_access.role) END;
  RETURN NEXT;
END
$$;
REVOKE ALL ON FUNCTION migmgr.revoke_access(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.revoke_access(text) IS 'take everything of migmgr from a role';
