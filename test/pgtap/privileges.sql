-- The privilege contract: every public function, procedure, view and table
-- against every level.  The list is migmgr_internal.access(); something
-- public that is not in it fails here, and so does a line about nothing.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS migmgr;

CREATE TEMP VIEW public_object AS
  SELECT p.oid::regprocedure::text AS object, p.oid, 'EXECUTE' AS privilege FROM pg_proc AS p WHERE p.pronamespace = 'migmgr'::regnamespace
  UNION ALL
  SELECT c.oid::regclass::text, c.oid, p.privilege
    FROM pg_class AS c CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p(privilege)
   WHERE c.relnamespace = 'migmgr'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f');

SELECT plan((12 + 7 * (SELECT count(*) FROM public_object))::integer);

SELECT is_empty('SELECT object FROM public_object EXCEPT SELECT object FROM migmgr_internal.access()', 'everything public has a level');
SELECT is_empty($$SELECT object FROM migmgr_internal.access()
   WHERE CASE privilege WHEN 'EXECUTE' THEN to_regprocedure(object) IS NULL ELSE to_regclass(object) IS NULL END$$, 'everything that has a level is there');
SELECT is_empty('SELECT object FROM migmgr_internal.access() GROUP BY object, privilege HAVING count(*) > 1', 'and has one for each privilege');
SELECT is_empty('SELECT level FROM migmgr_internal.access() EXCEPT SELECT level FROM migmgr_internal.level_includes()', 'every level is known');
-- what views call with the rights of their reader
SELECT set_eq($$SELECT object FROM migmgr_internal.access() WHERE object LIKE 'migmgr\_internal.%'$$,
  $$VALUES ('migmgr_internal.progress_rows()'),
  ('migmgr_internal.approval_rows(timestamp with time zone,text)'), ('migmgr_internal.seen_backups()'), ('migmgr_internal.preflight_rows(text,text,jsonb,jsonb)'), ('migmgr_internal.running_jobs()'), ('migmgr_internal.pending_script(text)'), ('migmgr_internal.status_rows(text)'), ('migmgr_internal.policy_rules()'), ('migmgr_internal.policy_default(text,text)'),
  ('migmgr_internal.policy_settings()'), ('migmgr_internal.flag_list(bigint)'), ('migmgr_internal.metric_rows()'),
  ('migmgr_internal.object_size(text,text)'),
  ('migmgr_internal.dlq_statistics(regclass)'), ('migmgr_internal.cron_status()')$$, 'private functions are granted only where a view calls them');

CREATE ROLE tap_nobody;
CREATE ROLE tap_viewer;
CREATE ROLE tap_author;
CREATE ROLE tap_operator;
CREATE ROLE tap_approver;
CREATE ROLE tap_admin;
CREATE ROLE tap_revoked;
SELECT lives_ok(format('SELECT * FROM migmgr.grant_access(%L, %L)', 'tap_' || l.level, l.level), 'grant_access as ' || l.level) FROM migmgr_internal.level_includes() AS l;
SELECT count(*) FROM migmgr.grant_access('tap_revoked', 'admin') \gset ignored_
SELECT count(*) FROM migmgr.revoke_access('tap_revoked') \gset ignored_

SELECT is(CASE o.privilege WHEN 'EXECUTE' THEN has_function_privilege(r.role, o.oid, 'EXECUTE') ELSE has_table_privilege(r.role, o.oid, o.privilege) END,
          COALESCE(a.level = ANY (r.includes), false), format('%s: %s on %s', r.role, o.privilege, o.object))
  FROM public_object AS o LEFT JOIN migmgr_internal.access() AS a ON a.object = o.object AND a.privilege = o.privilege
 CROSS JOIN (SELECT 'tap_' || l.level AS role, l.includes FROM migmgr_internal.level_includes() AS l
             UNION ALL VALUES ('tap_nobody', '{}'::text[]), ('tap_revoked', '{}')) AS r
 ORDER BY o.object, o.privilege, r.role;

-- nobody gets at the private parts, and of the tables only the queue is written
SELECT is_empty($$SELECT r.rolname, c.oid::regclass FROM pg_roles AS r CROSS JOIN pg_class AS c
   WHERE r.rolname LIKE 'tap\_%' AND c.relnamespace = 'migmgr_internal'::regnamespace AND c.relkind IN ('r', 'v')
     AND has_table_privilege(r.rolname, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
   UNION ALL
   SELECT r.rolname, NULL FROM pg_roles AS r WHERE r.rolname LIKE 'tap\_%' AND has_schema_privilege(r.rolname, 'migmgr_internal', 'USAGE, CREATE')$$,
  'no level may use what is private');
SELECT set_eq($$SELECT DISTINCT object FROM migmgr_internal.access() WHERE privilege NOT IN ('SELECT', 'EXECUTE')$$,
  $$VALUES ('migmgr.job_dlq')$$, 'only the dead-letter queue is written by people');

SELECT finish();
SELECT count(*) FROM pg_roles AS r, migmgr.revoke_access(r.rolname) WHERE r.rolname LIKE 'tap\_%' \gset ignored_
DROP ROLE tap_nobody, tap_viewer, tap_author, tap_operator, tap_approver, tap_admin, tap_revoked;
