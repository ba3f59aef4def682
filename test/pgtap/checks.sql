-- Named checks that are pgTAP suites: pgTAP keeps its counts in temporary
-- tables, which a check may otherwise not make, and production is read-only.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS migmgr;
CREATE ROLE tap_tenant;
CREATE TABLE notes (id int, owner text);
INSERT INTO notes VALUES (1, 'a'), (2, 'b');
SELECT migmgr.set_environment('development') \gset ignored_
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes TO tap_tenant USING (owner = current_setting('app.owner', true));
GRANT SELECT ON notes TO tap_tenant;

SELECT count(migmgr.add_check(n, s, 'tap', run_as => 'tap_tenant')) FROM (VALUES
  ('passes', $$SET app.owner = 'a';
    SELECT plan(2);
    SELECT is(count(*)::int, 1, 'a tenant sees its own rows') FROM notes;
    SELECT throws_ok('INSERT INTO notes VALUES (3, ''a'')', NULL, NULL, 'and writes none');
    SELECT * FROM finish();$$),
  ('fails', $$SELECT plan(1);
    SELECT is(count(*)::int, 2, 'everybody sees everything') FROM notes;
    SELECT * FROM finish();$$),
  ('no plan', $$SELECT no_plan(); SELECT ok(true); SELECT * FROM finish();$$),
  ('short', $$SELECT plan(3); SELECT ok(true); SELECT * FROM finish();$$),
  ('not its plan', $$SELECT public.plan('sneaky'); SELECT ok(true);$$)) AS v(n, s) \gset ignored_
CREATE FUNCTION public.plan(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN EXECUTE 'CREATE TEMP TABLE sneaky ()'; RETURN 'ok 1'; END$$;

SELECT migmgr.set_environment('production') \gset ignored_
-- before there are counts of this file's own
CREATE TEMP TABLE result AS SELECT * FROM migmgr.run_checks();

SELECT plan(7);
SELECT results_eq($$SELECT status, value FROM result WHERE check_name = 'passes'$$, $$VALUES ('ok', '2 ok, 0 not ok')$$, 'row security as a tenant, by pgTAP, in production');
SELECT results_eq($$SELECT status, value FROM result WHERE check_name = 'no plan'$$, $$VALUES ('ok', '1 ok, 0 not ok')$$, 'a suite without a plan passes');
SELECT results_eq($$SELECT status, value FROM result WHERE check_name = 'fails'$$, $$VALUES ('failed', '0 ok, 1 not ok')$$, 'a failing one fails');
SELECT matches((SELECT detail FROM result WHERE check_name = 'fails'), 'not ok 1 - everybody sees everything', 'and says which test');
SELECT results_eq($$SELECT status, detail FROM result WHERE check_name = 'short'$$, $$VALUES ('failed', '3 tests were planned, 1 ran')$$, 'a short one fails');
SELECT is((SELECT status FROM result WHERE check_name = 'not its plan'), 'error', 'a function that is only called plan() makes no temporary table');
SELECT hasnt_table('sneaky', 'and left none');
SELECT finish();
SELECT migmgr.set_environment('development') \gset ignored_
DROP TABLE notes;
DROP ROLE tap_tenant;
