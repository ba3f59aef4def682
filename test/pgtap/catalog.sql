-- The catalog contract: what every object of migmgr is like.  A new one that
-- is not has to be put into a list here, where a reader sees it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS migmgr;

CREATE TEMP VIEW member AS
  SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS x ON d.refobjid = x.oid AND x.extname = 'migmgr'
   WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e';
CREATE TEMP VIEW routine AS
  SELECT p.*, p.oid::regprocedure::text AS signature, n.nspname = 'migmgr' AS public, l.lanname
    FROM member AS m JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
    JOIN pg_namespace AS n ON n.oid = p.pronamespace JOIN pg_language AS l ON l.oid = p.prolang;
CREATE TEMP VIEW relation AS
  SELECT c.*, c.oid::regclass::text AS name, n.nspname = 'migmgr' AS public
    FROM member AS m JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace;

SELECT plan(25);

SELECT is_empty($$SELECT signature FROM routine WHERE pronamespace NOT IN ('migmgr'::regnamespace, 'migmgr_internal'::regnamespace)
  UNION ALL SELECT name FROM relation WHERE relnamespace NOT IN ('migmgr'::regnamespace, 'migmgr_internal'::regnamespace)$$,
  'all of it is in schemas migmgr and migmgr_internal');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace IN ('migmgr'::regnamespace, 'migmgr_internal'::regnamespace)
   AND NOT EXISTS (SELECT FROM member AS m WHERE m.objid = p.oid)$$, 'nothing else is in them');

-- They run the caller's SQL, or triggers of the caller's tables, with the
-- caller's search_path; or are inlined; or are C that looks nothing up by name
-- or pins it by itself, which takes less time.
CREATE TEMP TABLE unpinned (signature text);
INSERT INTO unpinned VALUES
  ('migmgr.plan(text,text)'),
  ('migmgr.assert_safe(text,text)'),
  ('migmgr.apply(text,text,text,text,text,text,boolean,text,jsonb)'),
  ('migmgr.apply(text)'),
  ('migmgr.apply_file(text,text,boolean,text,jsonb)'),
  ('migmgr.apply_pending(text,text)'),
  ('migmgr.apply_repeatable(text,text,text,jsonb)'),
  ('migmgr.apply_repeatables(jsonb,text,jsonb)'),
  ('migmgr.run_pending(text,integer,bigint,text)'),
  ('migmgr.submit(text,text,boolean,text)'), ('migmgr.submit(text,text,text,text,text,text,boolean)'),
  ('migmgr.withdraw(text,text)'),
  ('migmgr.rehearse(text,jsonb)'),
  ('migmgr.blockers(text)'),
  ('migmgr.run(text,text,boolean,text,jsonb,text,text,text,text,text,integer,bigint,text,text)'),
  ('migmgr.rollback(text,text,text,boolean)'),
  ('migmgr.rollback_to(text,text,text,boolean)'),
  ('migmgr.watch(regclass,interval,regclass,text,jsonb,jsonb,integer,integer,boolean)'),
  ('migmgr.unwatch(text)'),
  ('migmgr.add_check(text,text,text,text[],text,text[])'),
  ('migmgr.preflight(text)'),
  ('migmgr.heartbeat(regclass,text,jsonb,integer)'),
  ('migmgr.heartbeat(regclass,uuid,jsonb,integer)'),
  ('migmgr.heartbeat(regclass,bigint,jsonb,integer)'),
  ('migmgr.heartbeat_many(regclass,text[])'),
  ('migmgr.heartbeat_many(regclass,uuid[])'),
  ('migmgr.heartbeat_many(regclass,bigint[])'),
  ('migmgr.sweep(regclass,timestamp with time zone,boolean)'),
  ('migmgr.run_sweeps(integer)'),
  ('migmgr_internal.running_jobs()'),
  ('migmgr.dlq_add(text,text,text,text,jsonb,text,regclass,text,integer,jsonb,regclass)'),
  ('migmgr.dlq_retry(uuid,boolean,boolean,regclass)'),
  ('migmgr.dlq_retry_all(text,text,regclass,regclass,integer,boolean,boolean,timestamp with time zone)'),
  ('migmgr.dlq_resolve(uuid,text,text,text,regclass)'),
  ('migmgr.dlq_purge(interval,regclass,boolean,timestamp with time zone)'),
  ('migmgr.current_organisation()'),
  ('migmgr.flag_enabled(text,text)'),
  ('migmgr_internal.dlq_statistics(regclass)'),
  ('migmgr_internal.dlq_column_names()'),
  ('migmgr_internal.classify(text)'),
  ('migmgr_internal.row_guard()'),
  ('migmgr_internal.guard_start()'),
  ('migmgr_internal.guard_end()'),
  ('migmgr_internal.guard_drop()'),
  ('migmgr_internal.guard_rewrite()'),
  ('migmgr_internal.field(text)'),
  ('migmgr_internal.describe(oid[],oid[])'),
  ('migmgr_internal.tail(oid,jsonb,text)'),
  ('migmgr_internal.ledger_hash(text,bigint,timestamp with time zone,text,text,text,text,text,text,text,text,text)'),
  ('migmgr_internal.version_key(text)'),
  ('migmgr_internal.compare_versions(text,text)');
SELECT set_eq($$SELECT signature FROM routine WHERE NOT COALESCE('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)$$,
  'SELECT signature FROM unpinned', 'search_path is pinned to pg_catalog, pg_temp, except where it must not be');
SELECT is_empty($$SELECT signature FROM routine WHERE prosecdef AND signature IN (SELECT signature FROM unpinned)$$,
  'none of the exceptions is SECURITY DEFINER');

CREATE TEMP TABLE definer (signature text);
INSERT INTO definer VALUES
  ('migmgr_internal.progress_rows()'),
  ('migmgr.head()'), ('migmgr.version()'), ('migmgr.verify(text)'), ('migmgr.health()'), ('migmgr.seal()'),
  ('migmgr.compare_files(text,boolean)'), ('migmgr.compare_files(jsonb,boolean)'), ('migmgr.mark_applied(text[],text)'),
  ('migmgr.mark_reverted(text[],text)'), ('migmgr.mark_renamed(text,text,text)'), ('migmgr.accept_checksum(text,text,text)'),
  ('migmgr.baseline(text,text)'), ('migmgr.export(text[])'), ('migmgr_internal.object_size(text,text)'), ('migmgr.drift()'), ('migmgr.accept_drift(text,text)'), ('migmgr.capture(text,text)'), ('migmgr.report(text)'), ('migmgr.set_environment(text)'), ('migmgr.set_policy(text,text,text,text,text)'),
  ('migmgr.tag(text)'), ('migmgr.note(text,text)'), ('migmgr.rollback_guide(text)'), ('migmgr.waive(text,text,interval,text)'), ('migmgr.grant_access(text,text)'), ('migmgr.revoke_access(text)'),
  ('migmgr_internal.metric_rows()'),
  ('migmgr.set_flag(text,integer,text)'), ('migmgr.set_mode(text,text,timestamp with time zone)'), ('migmgr_internal.flag_list(bigint)'),
  ('migmgr.run_checks(text)'),
  ('migmgr.run_checks(text)'), ('migmgr.require_approval(text,text,text,boolean)'),
  ('migmgr.approve(text,text,text,text,text,text,interval)'), ('migmgr.reject(text,text,text,text)'),
  ('migmgr.record_backup(text,timestamp with time zone,bigint,text,boolean)'), ('migmgr.receipt(text)'),
  ('migmgr_internal.approval_rows(timestamp with time zone,text)'), ('migmgr_internal.seen_backups()'),
  ('migmgr_internal.preflight_rows(text,text,jsonb,jsonb)'), ('migmgr_internal.pending_script(text)'),
  ('migmgr_internal.seal_record(text,bigint)'), ('migmgr_internal.seal_batch(bigint)'), ('migmgr_internal.status_rows(text)'),
  ('migmgr_internal.guard_login()'), ('migmgr.schema_fingerprint(text[])'), ('migmgr.snapshot(text,text[])'), ('migmgr.diff(text,text)'), ('migmgr.schema_text(text[])'),
  ('migmgr_internal.cron_status()'), ('migmgr_internal.watch_checks(timestamp with time zone)');
SELECT set_eq('SELECT signature FROM routine WHERE prosecdef', 'SELECT signature FROM definer', 'SECURITY DEFINER is what is known to be');
SELECT is_empty($$SELECT signature FROM routine WHERE prosecdef AND (prosrc ~* '\mEXECUTE\M' AND prosrc !~* 'format\(|EXECUTE \$q\$')$$,
  'no SECURITY DEFINER function executes text that is neither a constant nor made by format()');

SELECT is_empty($$SELECT r.signature FROM routine AS r, aclexplode(COALESCE(r.proacl, acldefault('f', r.proowner))) AS a WHERE a.grantee = 0$$,
  'no function is granted to PUBLIC');
SELECT is_empty($$SELECT r.name, a.privilege_type FROM relation AS r, aclexplode(r.relacl) AS a WHERE a.grantee = 0$$, 'no table, view or sequence is granted to PUBLIC');
SELECT is_empty($$SELECT n.nspname FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE n.nspname LIKE 'migmgr%' AND a.grantee = 0$$, 'no schema is granted to PUBLIC');
SELECT set_eq($$SELECT DISTINCT a.grantee::regrole::text, a.privilege_type FROM relation AS r, aclexplode(r.relacl) AS a WHERE a.grantee <> r.relowner$$,
  $$VALUES ('pg_database_owner', 'SELECT')$$, 'only the owner of the database may read the tables, so that he can dump them');
SELECT is_empty($$SELECT r.signature FROM routine AS r, aclexplode(r.proacl) AS a WHERE a.grantee <> r.proowner$$, 'out of the box nobody may call anything');

SELECT is_empty($$SELECT p.signature FROM routine AS p WHERE obj_description(p.oid, 'pg_proc') IS NULL AND p.public$$, 'every public function has a comment');
SELECT is_empty($$SELECT r.name FROM relation AS r WHERE obj_description(r.oid, 'pg_class') IS NULL AND r.relkind IN ('r', 'v')$$, 'every table and view has a comment');
SELECT is_empty($$SELECT p.signature FROM routine AS p WHERE obj_description(p.oid, 'pg_proc') IS NULL$$, 'every private function has a comment too');

SELECT is_empty($$SELECT r.name FROM relation AS r WHERE r.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = r.oid AND i.indisprimary)$$,
  'every table has a primary key');
SELECT is_empty($$SELECT r.name, k.name FROM relation AS r CROSS JOIN (VALUES ('row_guard', 31), ('row_guard_truncate', 34)) AS k(name, type)
   WHERE r.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = r.oid AND t.tgname = k.name AND t.tgtype = k.type
     AND t.tgenabled = 'A' AND t.tgfoid = 'migmgr_internal.row_guard()'::regprocedure AND t.tgnargs = 1)$$,
  'every table has the pair of row guards, ENABLE ALWAYS');
SELECT is_empty($$SELECT r.name, t.tgname FROM relation AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal AND t.tgenabled <> 'A' AND t.tgname <> 'job_dlq_updated_at'$$,
  'every other trigger on them is ENABLE ALWAYS too');
SELECT set_eq($$SELECT encode(t.tgargs, 'escape'), r.name FROM relation AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid AND t.tgname = 'row_guard'
   WHERE r.name IN ('migmgr.ledger', 'migmgr_internal.script', 'migmgr_internal.statement', 'migmgr_internal.object', 'migmgr_internal.attempt', 'migmgr_internal.ddl_log', 'migmgr_internal.check_result')$$,
  $$SELECT 'record\000', n FROM unnest('{migmgr.ledger,migmgr_internal.script,migmgr_internal.statement,migmgr_internal.object,migmgr_internal.attempt,migmgr_internal.ddl_log,migmgr_internal.check_result}'::text[]) AS n$$,
  'evidence is written by migmgr''s own C code only');
SELECT is_empty($$SELECT t.evtname FROM member AS m JOIN pg_event_trigger AS t ON m.classid = 'pg_event_trigger'::regclass AND t.oid = m.objid
   WHERE t.evtenabled <> 'A' OR t.evttags IS NOT NULL$$, 'every event trigger is ENABLE ALWAYS and without a tag filter');
SELECT set_eq($$SELECT t.evtevent::text FROM member AS m JOIN pg_event_trigger AS t ON m.classid = 'pg_event_trigger'::regclass AND t.oid = m.objid$$,
  $$VALUES ('ddl_command_start'), ('ddl_command_end'), ('sql_drop'), ('table_rewrite')$$, 'there is one for each of the four events');

SELECT set_eq($$SELECT c.oid::regclass::text FROM pg_extension AS x, unnest(x.extconfig) AS c(oid) WHERE x.extname = 'migmgr'$$,
  $$SELECT name FROM relation WHERE relkind IN ('r', 'S')$$, 'every table and sequence is dumped with its rows');
SELECT is((SELECT x.extcondition[array_position(x.extconfig, 'migmgr.ledger'::regclass::oid)] FROM pg_extension AS x WHERE x.extname = 'migmgr'),
  'ORDER BY seq', 'the ledger is dumped in its order');
CREATE TEMP TABLE filled (name text, rows bigint);
DO $$
DECLARE
  t text;
BEGIN
  FOR t IN SELECT name FROM relation WHERE relkind = 'r' LOOP
    EXECUTE format('INSERT INTO filled SELECT %L, count(*) FROM %s', t, t);
  END LOOP;
END
$$;
-- this database has seen DDL since, which the guard has logged
SELECT is_empty($$SELECT * FROM filled WHERE rows > 0 AND name <> 'migmgr_internal.ddl_log'$$, 'the install script leaves no rows, which a restore would collide with');

SELECT is_empty($$SELECT r.name FROM relation AS r WHERE r.relkind = 'v' AND r.reloptions::text ~ 'security_invoker=(true|on|1)'$$,
  'every view reads with its owner''s rights: nobody needs any on the tables below');
SELECT set_eq($$SELECT signature FROM routine WHERE proparallel = 's' AND provolatile = 'v'$$, 'SELECT NULL::text WHERE false', 'nothing VOLATILE is PARALLEL SAFE');

SELECT finish();
