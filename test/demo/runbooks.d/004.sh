# shellcheck shell=bash disable=SC2034,SC2154 # variables of the demo
#
# HotDash: the pipeline.  Additive only, nothing automated, approval first.

runbook 004 "HotDash, migration pipeline"

as postgres
database pipeline_ci development pipeline/schema.sql
database pipeline production pipeline/schema.sql
export PGDATABASE=pipeline
run_psql <<<"SELECT FROM migmgr.grant_access('data_agent', 'author');
SELECT FROM migmgr.grant_access('lead', 'approver');
SELECT FROM migmgr.grant_access('monitor', 'viewer');" >/dev/null
demo_file=20251021120000_add_social_posts_table.sql
demo_version=20251021120000

part "Critical rules (004:18-35)"
as dba
line 20-23 "NO automated migrations in deployment; no prisma migrate deploy"
sql "SELECT migmgr.set_policy('production', 'direct_ddl', 'deny');"
as deploy
sql "CREATE TABLE sneaked_in (id integer);"
refused MG110 sneaked_in
as dba
line 25 "Schema changes require CEO approval"
sql "SELECT migmgr.require_approval('production', 'ceo'), migmgr.require_approval('production', 'ci'),
  migmgr.require_approval('production', 'ceo', action => 'rollback');"
check "it is asked for" "SELECT count(*) = 3 FROM migmgr.required_approvals"
line 26-29,331-335 "Data agent creates, DevOps verifies, Manager applies, DevOps verifies"
as postgres
sql "SELECT role, migmgr_internal.levels_of(role::regrole) AS levels FROM unnest('{data_agent,lead,monitor,dba}'::text[]) AS role;"
says "author"
line 31-35 "ADDITIVE ONLY: add yes, remove forbidden, types need approval"
sql "SELECT rule, value FROM migmgr.policy WHERE environment = 'production' AND rule IN ('additive', 'destructive', 'type_change');"
says "destructive | deny"

part "Phase 1: creation (004:43-57)"
outside 45-57 "npx prisma migrate dev; git add, commit, push" "Prisma and git"

part "Phase 2: validation in CI (004:64-75, 310-325)"
export PGDATABASE=pipeline_ci
outside 64,310-315 "Pull request, workflow triggers" "GitHub"
as dba
line 69-70,318 "Validate schema; check breaking changes (fails if found)"
sql "SELECT migmgr.assert_safe('ALTER TABLE users DROP COLUMN email', 'production');"
refused MG101 users.email
sql "\\set sql \`cat pipeline/$demo_file\`
SELECT migmgr.assert_safe(:'sql', 'production');"
says "safe:"
line 71,319 "Dry-run: apply to a test database"
sql "\\set sql \`cat pipeline/$demo_file\`
SELECT version, status, class, statements, ms, reversible FROM migmgr.apply_file('$demo_file', :'sql');"
says "applied"
line 72,324 "Verify: schema matches expected state; schema dump as artifact"
sql "SELECT count(*) AS objects, migmgr.schema_fingerprint() FROM migmgr.objects WHERE state = 'there';"
says "objects"
line 73-75,320-323 "Generate rollback guide; summary; artifact, kept 30 days"
run_psql -At -c "SELECT migmgr.rollback_guide('$demo_version')"
says "$demo_version" "the guide"
outside 325 "Status report of the workflow" "GitHub; report() is its content"

part "Phase 3: review (004:82-87)"
export PGDATABASE=pipeline
as data_agent
line 26 "Data agent hands the file in"
sql "\\set sql \`cat pipeline/$demo_file\`
SELECT version, name, status, detail FROM migmgr.submit('$demo_file', :'sql');"
says "$demo_version"
as lead
line 82-84 "CI passed; additive only; rollback guide generated"
sql "SELECT migmgr.approve('$demo_version', 'ci', 'https://ci/runs/9001');"
says "ci"
outside 85 "Aligned with project requirements" "the reviewer's judgement"
line 87,245 "Manager approves: LGTM"
sql "SELECT migmgr.approve('$demo_version', 'ceo', 'https://git/pull/88#lgtm', on_behalf_of => 'the CEO');"
says "ceo"
sql "SELECT version, label, state, given_by, on_behalf_of, evidence FROM migmgr.approvals;"
says "| valid"

part "Phase 4: application, by hand (004:93-120)"
as dba
line 93 "Manual execution only, never automated"
ticked 93 "(see 004:20)" "nothing else can change the schema" "SELECT value = 'deny' FROM migmgr.policy WHERE environment = 'production' AND rule = 'direct_ddl'"
outside 97-99,106-111 "Open the SQL editor, copy and paste; or psql" "not needed: the text is in the database since it was submitted"
line 100,354 "Review carefully; SQL reviewed one final time"
sql "SELECT version, name, submitted_by, statements, sql FROM migmgr.pending \\gx"
says "CREATE TABLE social_posts" "the very text that was approved"
sql "SELECT p.version, s.command, s.object, s.class, s.action FROM migmgr.pending AS p, migmgr.plan(p.sql) AS s;"
says "additive | allow"
line 101,114,355 "Execute"
sql "SELECT version, status, environment, class, ms, reversible FROM migmgr.apply('$demo_version');"
says "applied | production"
line 102,117,356 "Verify: tables view; \\dt+"
sql "SELECT type, identity, state FROM migmgr.objects WHERE version = '$demo_version';"
says "social_posts"

part "Phase 5: verification (004:130-163)"
as monitor
outside 130-131 "Dashboard: tables view" "the console"
line 138-153,250-251,362 "Tables exist, RLS enabled, columns"
sql "SELECT type, identity, state FROM migmgr.objects WHERE type IN ('table', 'policy');"
says "there"
check "row security is on" "SELECT relrowsecurity FROM pg_class WHERE oid = 'public.social_posts'::regclass"
line 156-161,254 "Report: migration, tables, RLS"
run_psql -At -c "SELECT migmgr.report('$demo_version')"
says "social_posts" "the report"
outside 162-163,253 "Engineer unblocked" "people"

part "Rollback (004:170-225)"
as data_agent
line 170-179 "Scenario 1, not yet applied: simply don't"
sql "SELECT version, status FROM migmgr.submit('20251022090000_mistake.sql', 'CREATE TABLE mistake (id integer)');"
as lead
sql "SELECT migmgr.reject('20251022090000', 'ceo', 'a mistake');"
says "20251022090000"
as dba
sql "SELECT migmgr.withdraw('20251022090000', 'a mistake') AS withdrawn;"
check "it is not pending any more" "SELECT NOT EXISTS (SELECT FROM migmgr.pending WHERE version = '20251022090000')"
line 186 "Scenario 2: coordinate with Manager and CEO before executing"
sql "SELECT * FROM migmgr.rollback('$demo_version', 'wrong columns');"
stopped MG250 ceo
line 188-203 "Step 1-2: identify changes; create rollback SQL"
sql "SELECT action, type, identity FROM migmgr.objects WHERE version = '$demo_version';"
says "social_posts" "what it made"
run_psql -At -c "SELECT migmgr.rollback_guide('$demo_version')"
says "DROP TABLE" "the way back is in the guide"
line 206-212,299 "Step 3: test in dev database first"
export PGDATABASE=pipeline_ci
sql "SELECT version, status, detail FROM migmgr.rollback('$demo_version', 'a test');"
says "rolled back"
export PGDATABASE=pipeline
line 295 "IMMEDIATE: pause new deployments"
sql "SELECT status, environment, not_reached FROM migmgr.set_mode('frozen', 'incident 88');"
says "frozen"
line 296-298 "ASSESS, COORDINATE, PLAN"
sql "SELECT check_name, object, status, detail FROM migmgr.verify() WHERE status <> 'ok' OR check_name = 'verify';"
says "0 failed"
line 214-218,300 "Step 4: apply to production (Manager only)"
as lead
sql "SELECT migmgr.approve('$demo_version', 'ceo', 'telephone', on_behalf_of => 'the CEO', action => 'rollback');"
as dba
sql "SELECT migmgr.waive('frozen', 'incident 88: the way out', version => '$demo_version');
SELECT version, status, detail FROM migmgr.rollback('$demo_version', 'wrong columns');"
says "rolled back"
sql "SELECT status FROM migmgr.set_mode('normal', 'incident 88 is over');"
line 220-225,272-286 "Step 5: update Prisma schema; mismatch between schema and database"
sql "SELECT * FROM migmgr.drift() LIMIT 3;"
check "there is none" "SELECT bool_and(d.drift = 'none') FROM migmgr.drift() AS d"
line 301 "VERIFY: all apps working"
sql "SELECT h ->> 'status' AS status, h ->> 'mode' AS mode, h -> 'last' ->> 'status' AS last FROM migmgr.health() AS h;"
says "rolled back"
line 302 "POST-MORTEM: document what went wrong"
sql "SELECT migmgr.note('$demo_version', 'post-mortem: https://tickets/89') IS NOT NULL AS noted;"
says "t"

part "Checklists (004:233-254, 345-366)"
line 233-238 "Before creating: additive, snake_case, foreign keys, indexes, RLS, defaults"
say "Names are policy; the rest are rules that a team writes down once, as checks:" \
  "whatever breaks them is undone, in CI already."
export PGDATABASE=pipeline_ci
sql "SELECT migmgr.set_policy('development', 'naming', 'snake_case');
SELECT migmgr.add_check('row security everywhere', \$\$SELECT relname FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT relrowsecurity AND relname <> 'users'\$\$, expect => 'no rows', run_at => '{after}') IS NOT NULL AS rls,
  migmgr.add_check('x_id has a foreign key', \$\$SELECT a.attrelid::regclass, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname ~ '_id\$' AND a.attnum > 0
  AND NOT EXISTS (SELECT FROM pg_constraint AS f WHERE f.conrelid = c.oid AND f.contype = 'f' AND a.attnum = ANY (f.conkey))\$\$,
  expect => 'no rows', run_at => '{after}') IS NOT NULL AS keys,
  migmgr.add_check('foreign keys have an index', \$\$SELECT f.conrelid::regclass, f.conname FROM pg_constraint AS f
  WHERE f.contype = 'f' AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = f.conrelid AND i.indkey[0] = f.conkey[1])\$\$,
  expect => 'no rows', run_at => '{after}') IS NOT NULL AS indexes;"
sql "SELECT * FROM migmgr.apply('20251022', 'posts', 'CREATE TABLE \"Posts\" (id integer)');"
stopped MG256 snake_case
sql "SELECT * FROM migmgr.apply('20251022', 'posts', 'CREATE TABLE posts (id integer, user_id integer)');"
refused MG254 'row security everywhere'
check "and nothing of it is there" "SELECT to_regclass('posts') IS NULL"
export PGDATABASE=pipeline
ticked 242-246 "CI passed, dry run, rollback plan, approval, backup" "approvals of both kinds were used" \
  "SELECT count(*) FILTER (WHERE state = 'used' AND action = 'apply') = 2 AND count(*) FILTER (WHERE state = 'used' AND action = 'rollback') = 1 FROM migmgr.approvals"
line 264-268 "Migration fails in CI: error message, fix, test, push"
sql "SELECT * FROM migmgr.apply('20251023', 'broken', E'CREATE TABLE a (id integer);\\nCREATE TABEL b (id integer)', dry_run => true);"
judge "$([[ $demo_output == *'line 2'* ]] && echo t)" "the error names statement and line"
line 345-349 "24 h before: tested in staging, rollback documented, team told, backup, approval"
sql "SELECT migmgr.set_policy('production', 'require_staging', 'on'), migmgr.set_policy('production', 'max_backup_age', '24 hours');"
sql "SELECT * FROM migmgr.apply('20251024', 'next', 'CREATE TABLE next (id integer)');"
stopped MG250 'staging'
line 353-358 "During: maintenance mode, review, execute, verify, test, maintenance off"
ticked 353-358 "(see 004:295, 354, 355, 356)" "each has its entry" \
  "SELECT count(DISTINCT event) = 4 FROM migmgr.ledger WHERE event IN ('mode', 'applied', 'rolled back', 'approved')"
outside 252,357,363,366 "App deployments, app functionality, team notified" "the application and people"
line 364-365 "No error spikes in logs; performance normal"
as postgres
sql "SELECT migmgr.add_check('deadlocks and conflicts', 'SELECT deadlocks + conflicts FROM pg_stat_database WHERE datname = current_database()',
  expect => '0', run_at => '{schedule}');
SELECT migmgr.add_check('no statement for a minute', \$\$SELECT pid, now() - query_start FROM pg_stat_activity
  WHERE datname = current_database() AND state = 'active' AND now() - query_start > interval '1 minute'\$\$, expect => 'no rows', run_at => '{schedule}');
SELECT check_name, status, value, expected FROM migmgr.run_checks('schedule');"
says "2 checks                  | ok"
outside 372-375 "Related documentation" "documents"
