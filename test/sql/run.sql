-- CALL migmgr.run(): the second door, which commits by itself.
\set test run
\i test/include/database.sql
\set VERBOSITY default

CREATE PROCEDURE public.shown(file text, sql text, dry_run boolean DEFAULT false, options jsonb DEFAULT '{}')
  LANGUAGE plpgsql AS $$
DECLARE
  version text; name text; status text; environment text; class text; statements integer; ms bigint;
  reversible text; detail text;
BEGIN
  CALL migmgr.run(file, sql, dry_run, NULL, options, version, name, status, environment, class, statements,
                  ms, reversible, detail);
  RAISE WARNING '% | % | % | % | % | % | % | %', version, name, status, environment, class, statements, reversible,
    public.mask(detail);
END
$$;

-- the row comes back, from a procedure that may commit as well
CALL public.shown('001_orders.sql', E'CREATE TABLE orders (id int);\n-- migmgr:down\nDROP TABLE orders;\n');
CALL public.shown('001_orders.sql', E'CREATE TABLE orders (id int);\n-- migmgr:down\nDROP TABLE orders;\n');
CALL public.shown('002_more.sql', 'ALTER TABLE orders ADD amount int', true);
\set sql 'ALTER TABLE orders ADD amount int'
CALL migmgr.run('002_more.sql', :'sql', note => 'as a person sends it') \gset run_
SELECT :'run_version' AS version, :'run_name' AS name, :'run_status' AS status, :'run_environment' AS environment,
       :'run_class' AS class, :'run_statements' AS statements, :'run_ms'::bigint >= 0 AS ms, :'run_detail' AS detail;
SELECT version, status, note FROM migmgr.history;
SELECT detail::jsonb ->> 'attempts' AS attempts FROM migmgr.ledger WHERE version = '002';

-- it commits: what was applied before an error stays
\set VERBOSITY sqlstate
CALL migmgr.run('003_fails.sql', 'CREATE TABLE gone (i int); SELECT 1/0');
CALL migmgr.run('004_after.sql', 'CREATE TABLE after_it (i int)');
CALL migmgr.run('002_more.sql', 'ALTER TABLE orders ADD amount text');
CALL migmgr.run('003_fails.sql', 'BEGIN; SELECT 1; COMMIT; SELECT 2');
CALL migmgr.run('003_fails.sql', 'DROP TABLE orders; SELECT 2');
CALL migmgr.run('003_fails.sql', 'SELECT 1', options => '{"no": 1}');
CALL migmgr.run('bad name.sql', 'SELECT 1');
CALL migmgr.run('003_fails.sql', NULL);
CALL migmgr.run(NULL, 'SELECT 1');
CALL migmgr.run('003_fails.sql', E'-- migmgr:online\nSELECT 1', dry_run => true);
\set VERBOSITY default
-- the failed one is recorded, without a worker: in the same session, at once
SELECT version, sqlstate, statement FROM migmgr.attempts ORDER BY at;
SELECT to_regclass('gone') AS gone;
CALL public.shown('003_fails.sql', 'SELECT 1/0', options => '{"on_error": "report"}');
SELECT count(*) AS attempts FROM migmgr.attempts;
-- a dry run that fails is no attempt
\set VERBOSITY sqlstate
CALL migmgr.run('003_fails.sql', 'SELECT 1/0', true);
\set VERBOSITY default
SELECT count(*) AS attempts FROM migmgr.attempts;

-- where it cannot commit it says so, and what to do
BEGIN;
CALL migmgr.run('005_x.sql', 'SELECT 1');
ROLLBACK;
SELECT * FROM public.caught($$CALL migmgr.run('005_x.sql', 'SELECT 1')$$);
SELECT 1 AS one \; CALL migmgr.run('005_x.sql', 'SELECT 1');
DO $$
BEGIN
  CALL public.shown('005_x.sql', 'SELECT 1');
EXCEPTION WHEN SQLSTATE 'MG230' THEN
  RAISE WARNING 'in a block with EXCEPTION: %', SQLERRM;
END
$$;
DO $$ BEGIN CALL public.shown('003_fails.sql', 'CREATE TABLE in_do (i int)'); END $$;
\set VERBOSITY sqlstate
CALL migmgr.run('005_x.sql', $$CALL migmgr.run('006_x.sql', 'SELECT 1')$$);
SET default_transaction_read_only = on;
CALL migmgr.run('005_x.sql', 'SELECT 1');
RESET default_transaction_read_only;
\set VERBOSITY default

-- every setting is as before, no lock is left
SELECT count(*) AS locks FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'object';
CALL public.shown('005_settings.sql', 'SET work_mem = ''77MB''; SET search_path = nowhere; SET lock_timeout = 0');
SELECT current_setting('work_mem') AS work_mem, current_setting('search_path') AS search_path, current_setting('lock_timeout') AS lock_timeout;

-- a version that failed is left out once, and for good
\set VERBOSITY sqlstate
CALL migmgr.run('005a_fails.sql', 'SELECT 1/0');
CALL migmgr.run('005b_next.sql', 'CREATE TABLE next (i int)');
\set VERBOSITY default
CALL public.shown('005b_next.sql', 'CREATE TABLE next (i int)', options => '{"skip_failed": true}');
CALL public.shown('005c_last.sql', 'CREATE TABLE last (i int)');

-- rights are the caller's
SELECT check_name, status FROM migmgr.verify() WHERE check_name IN ('chain', 'texts') ORDER BY 1;
CREATE ROLE regress_migmgr_runner;
SET ROLE regress_migmgr_runner;
CALL migmgr.run('006_x.sql', 'SELECT 1');
RESET ROLE;
SELECT levels FROM migmgr.grant_access('regress_migmgr_runner', 'operator');
SET ROLE regress_migmgr_runner;
\set VERBOSITY sqlstate
CALL migmgr.run('006_x.sql', 'ALTER TABLE orders ADD COLUMN x int');
\set VERBOSITY default
RESET ROLE;
SELECT version, sqlstate, role FROM migmgr.attempts WHERE version = '006';

\connect postgres
DROP DATABASE regress_migmgr_run;
DROP ROLE regress_migmgr_runner;
