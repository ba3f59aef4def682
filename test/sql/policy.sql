-- Policy: environment, classes, exemptions, waivers; all of it in the ledger.
\set test policy
\set ECHO none
\i test/include/database.sql
\set ECHO all
CREATE ROLE regress_migmgr_partman;
CREATE TABLE t (id integer PRIMARY KEY, a integer, b text);
INSERT INTO t VALUES (1, 1, 'x');
CREATE SCHEMA parts;
CREATE TABLE parts.p1 (id integer);
INSERT INTO parts.p1 VALUES (1);
CREATE TABLE parts.p2 (LIKE parts.p1);

-- new: nothing has been said, production, and nobody is asked yet
SELECT migmgr.environment(), migmgr_internal.ledger_state();
CREATE UNIQUE INDEX t_a ON t (a);
SELECT * FROM public.caught('DROP TABLE t');
SELECT rule, value FROM migmgr.policy WHERE environment = 'production' AND set_at IS NULL;

-- in force
SELECT migmgr.set_environment('staging');
SELECT migmgr.environment(), migmgr_internal.ledger_state();
ALTER TABLE t DROP COLUMN b;
CREATE UNIQUE INDEX t_a2 ON t (a);
SELECT migmgr.set_environment('development');
CREATE UNIQUE INDEX t_a3 ON t (a);
SELECT migmgr.set_environment('production');
SELECT * FROM public.caught('CREATE UNIQUE INDEX t_a4 ON t (a)');
SELECT * FROM public.caught('GRANT ALL ON t TO PUBLIC');
SELECT relname FROM pg_class WHERE relname LIKE 't\_a%' ORDER BY 1;

-- a setting that was rolled back was not set
BEGIN;
SELECT migmgr.set_environment('development');
SELECT migmgr.environment();
ROLLBACK;
SELECT migmgr.environment();
BEGIN;
SAVEPOINT s;
SELECT migmgr.set_policy('production', 'destructive', 'allow');
ROLLBACK TO s;
SELECT state, message FROM public.caught('DROP TABLE parts.p1');
COMMIT;

-- for a schema, for a role, and back to what is built in
SELECT migmgr.set_policy('production', 'destructive', 'allow', in_schema => 'parts');
SELECT state, message FROM public.caught('DROP TABLE t');
DROP TABLE parts.p1;
SELECT migmgr.set_policy('production', 'destructive', 'deny', for_role => current_user) IS NOT NULL AS set;
SELECT state, message FROM public.caught('DROP TABLE parts.p2');
SELECT migmgr.set_policy('production', 'destructive', 'warn', for_role => current_user, in_schema => 'parts') IS NOT NULL AS set;
DROP TABLE parts.p2;
SELECT environment, rule, value, CASE for_role WHEN current_user THEN 'me' END AS for_role, in_schema, set_by = current_user AS by_me
  FROM migmgr.policy WHERE set_at IS NOT NULL;
SELECT migmgr.set_policy('production', 'destructive', NULL, in_schema => 'parts');
SELECT migmgr.set_policy('production', 'destructive', NULL, for_role => current_user) IS NOT NULL AS set;
SELECT migmgr.set_policy('production', 'destructive', NULL, for_role => current_user, in_schema => 'parts') IS NOT NULL AS set;
SELECT count(*) FROM migmgr.policy WHERE set_at IS NOT NULL;
-- only the role in effect counts
SELECT migmgr.set_policy('production', 'destructive', 'allow', for_role => 'regress_migmgr_partman');
SELECT state FROM public.caught('DROP TABLE t');
ALTER TABLE t OWNER TO CURRENT_USER;
CREATE SCHEMA AUTHORIZATION regress_migmgr_partman CREATE TABLE mine (a integer);
SET ROLE regress_migmgr_partman;
DROP TABLE regress_migmgr_partman.mine;
RESET ROLE;

-- nothing outside migmgr
SELECT migmgr.set_policy('production', 'direct_ddl', 'deny');
SELECT * FROM public.caught('CREATE TABLE u (a integer)');
CREATE TEMP TABLE u (a integer);
SELECT status FROM migmgr.apply('001', 'u', 'CREATE TABLE u (a integer)');
SELECT migmgr.set_policy('production', 'direct_ddl', 'allow', for_role => 'regress_migmgr_partman');
SET ROLE regress_migmgr_partman;
CREATE TABLE regress_migmgr_partman.mine (a integer);
RESET ROLE;
SELECT migmgr.set_policy('production', 'direct_ddl', NULL);

-- waivers
SELECT public.mask(migmgr.waive('restrictive', 'ticket 1'));
CREATE UNIQUE INDEX t_a4 ON t (a);
SELECT state FROM public.caught('DROP TABLE t');
SELECT what, version, reason, active FROM migmgr.waivers;
SELECT public.mask(migmgr.waive('destructive', 'ticket 2', '1 microsecond'));
SELECT state FROM public.caught('DROP TABLE t');
SELECT public.mask(migmgr.waive('destructive', 'ticket 3', version => '002'));
SELECT state FROM public.caught('DROP TABLE t');
SELECT state FROM public.caught('SELECT * FROM migmgr.apply(''003'', ''x'', ''DROP TABLE t'', options => ''{"skip_failed": true}'')');
SELECT status, class FROM migmgr.apply('002', 'x', 'ALTER TABLE t DROP COLUMN a', options => '{"skip_failed": true, "allow_out_of_order": true}');
SELECT state FROM public.caught('DROP TABLE t');
SELECT what, version, reason, active FROM migmgr.waivers;

-- a waiver for a version is good for one run of it that needs it
SELECT migmgr.set_policy('production', 'restrictive', 'deny');
CREATE TABLE w (id integer, a integer);
INSERT INTO w VALUES (1, 1), (2, 2);
SELECT public.mask(migmgr.waive('destructive', 'ticket 3b', version => '003'));
SELECT status FROM migmgr.apply('003', 'spare', 'SELECT 1');
SELECT what, version, active, used_at IS NOT NULL AS used FROM migmgr.waivers WHERE version = '003';
SELECT public.mask(migmgr.waive('destructive', 'ticket 4', version => '004'));
SELECT state FROM public.caught('DROP TABLE w');
SELECT status FROM migmgr.apply('004', 'two drops', 'ALTER TABLE w DROP COLUMN a; DROP TABLE w', dry_run => true, options => '{"skip_failed": true}');
SELECT active FROM migmgr.waivers WHERE version = '004';
SELECT state FROM public.caught($$SELECT migmgr.apply('004', 'fails', 'DROP TABLE w; SELECT 1/0', options => '{"skip_failed": true}')$$);
SELECT active FROM migmgr.waivers WHERE version = '004';
SELECT status FROM migmgr.apply('004', 'two drops', 'ALTER TABLE w DROP COLUMN a; DROP TABLE w', 'CREATE TABLE w (id integer)', options => '{"skip_failed": true}');
SELECT what, version, active, used_at IS NOT NULL AS used FROM migmgr.waivers WHERE version = '004';
SELECT status FROM migmgr.rollback('004');
INSERT INTO w VALUES (1);
SELECT state, message FROM public.caught($$SELECT migmgr.apply('004', 'two drops', 'DROP TABLE w', options => '{"skip_failed": true}')$$);
-- one for anything goes first, and stays
SELECT public.mask(migmgr.waive('destructive', 'ticket 5', version => '005'));
SELECT public.mask(migmgr.waive('destructive', 'ticket 6'));
SELECT status FROM migmgr.apply('005', 'drop', 'DROP TABLE w', options => '{"skip_failed": true}');
SELECT what, version, reason, active, used_at IS NOT NULL AS used FROM migmgr.waivers WHERE reason IN ('ticket 5', 'ticket 6');
-- protection is not to be had by a waiver
SELECT state FROM public.caught('DROP TABLE migmgr.job_dlq');
SELECT migmgr.set_policy('production', 'restrictive', NULL);
-- direct DDL may be warned of, too; upkeep is no DDL
SELECT migmgr.set_policy('production', 'direct_ddl', 'warn');
CREATE TABLE direct (i integer PRIMARY KEY);
SELECT migmgr.set_policy('production', 'direct_ddl', 'deny');
SELECT state, message, detail FROM public.caught('COMMENT ON TABLE direct IS ''x''');
SELECT state FROM public.caught('CREATE FUNCTION f() RETURNS int LANGUAGE sql AS ''SELECT 1''');
REINDEX TABLE direct;
VACUUM FULL direct;
SELECT migmgr.set_policy('production', 'direct_ddl', 'allow', in_schema => 'parts');
CREATE TABLE parts.direct (i integer);
SELECT migmgr.set_policy('production', 'direct_ddl', NULL, in_schema => 'parts');
SELECT migmgr.set_policy('production', 'direct_ddl', NULL);

-- nonsense
SELECT n, c.state, c.message, c.detail FROM (VALUES (1, 'set_environment(NULL)'), (2, 'set_environment(''prod'')'),
    (3, 'set_policy(''production'', ''nosuch'', ''allow'')'), (4, 'set_policy(''production'', ''data'', ''maybe'')'),
    (5, 'set_policy(''x'', ''data'', ''allow'')'), (6, 'set_policy(''production'', ''protected'', ''allow'')'),
    (7, 'set_policy(''production'', ''data'', ''allow'', for_role => ''nobody_of_that_name'')'),
    (8, 'set_policy(NULL, NULL, NULL)'), (9, 'waive(''protected'', ''x'')'), (10, 'waive(''data'', '''')'),
    (11, 'waive(''data'', ''x'', ''-1 hour'')'), (12, 'waive(''data'', ''x'', ''1 year'')'), (13, 'waive(NULL, ''x'')'),
    (14, 'waive(''data'', NULL)'), (15, 'waive(''data'', ''x'', NULL)')) AS v(n, call),
  LATERAL public.caught('SELECT migmgr.' || call) AS c ORDER BY n;

-- every change is an entry
SELECT event, version, detail::jsonb - '{until,for_role}'::text[] AS detail FROM migmgr.ledger
 WHERE event IN ('environment', 'policy', 'waiver', 'waiver used') ORDER BY seq;
-- and nobody may unless it was given to him
SET ROLE regress_migmgr_partman;
SELECT state FROM public.caught('SELECT migmgr.set_environment(''development'')');
SELECT state FROM public.caught('SELECT migmgr.waive(''destructive'', ''x'')');
SELECT state FROM public.caught('SELECT migmgr.unprotect(''x'')');
RESET ROLE;

\connect postgres
DROP DATABASE regress_migmgr_policy;
DROP ROLE regress_migmgr_partman;
