# shellcheck shell=bash disable=SC2034,SC2154 # variables of the demo
#
# A production migration: one consolidated file, rows counted before and
# after, a report at the end.

runbook 003 "production migration procedure"

as postgres
database tea production tea/schema.sql
export PGDATABASE=tea
run_psql -c "SELECT FROM migmgr.grant_access('lead', 'approver')" >/dev/null
demo_version=20250906200000
demo_file=${demo_version}_consolidated_baseline.sql

part "Prerequisites (003:10-20)"
as dba
outside 10-13,45-46 "Supabase CLI, login, communication channels" "other programs, people"
line 11,49-53 "Production project access verified; test connection"
sql "SELECT topic, value FROM migmgr.status WHERE topic IN ('database', 'you');"
says "tea, production"
line 17 "[ ] Project maintainer with production access"
say "Row security and a trigger may make statements fail that worked.  In" \
  "production that is asked about, and an approval answers."
sql "\\set sql \`cat tea/$demo_file\`
SELECT statement, line, command, class, action FROM migmgr.plan(:'sql') WHERE action <> 'allow';"
says "restrictive"
sql "\\set listing \`cd tea && sha256sum $demo_file\`
SELECT file, status FROM migmgr.compare_files(:'listing');"
as lead
sql "SELECT migmgr.approve('$demo_version', 'maintainer', 'https://git/pull/12');"
says "maintainer"
as dba
line 12 "[ ] Environment with consolidated migration tested"
sql "\\set sql \`cat tea/$demo_file\`
SELECT version, status, class, statements, reversible FROM migmgr.apply_file('$demo_file', :'sql', dry_run => true);"
says "dry run"
line 14,24 "[ ] Downtime window scheduled; low-traffic period (weekends/evenings)"
sql "SELECT migmgr.set_policy('production', 'window', 'Sat,Sun 00:00-24:00; Mon-Fri 20:00-24:00 Europe/Berlin');"
says "window"
outside 18-19 "[ ] Backup verification  [ ] Emergency contacts" "people; the backup comes at 003:62"
line 20 "[ ] Rollback procedures tested and ready"
say "The way back is a section of the file.  Trying it locks a table for as long" \
  "as it takes, so one asks for that:"
sql "\\set sql \`cat tea/$demo_file\`
SELECT reversible FROM migmgr.apply_file('$demo_file', :'sql', dry_run => true, options => '{\"proof\": \"force\"}');"
says "by script, proved"
outside 25-36 "Timeline T-120 to T+90" "the clock"

part "Phase 1: preparation (003:42-104)"
outside 57-58 "[ ] Post maintenance notification  [ ] Status page" "the application's users"
line 59,320 "[ ] Notify team members of migration start"
sql "SELECT migmgr.set_policy('production', 'tell_start', 'on');"
says "tell_start" "who LISTENs will hear: see 003:110"
line 60,113 "[ ] Set application to maintenance mode"
sql "SELECT status, ends_at IS NOT NULL AS ends_by_itself, environment FROM migmgr.set_mode('read only', 'consolidation', now() + interval '2 hours');"
says "read only"
outside 65-70 "production_backup.sh: full, schema, data, tables" "pg_dump"
line 69 "Schema-only backup"
sql "SELECT * FROM migmgr.accept_drift('*', 'as it was before the consolidation');"
sql "SELECT migmgr.tag('before consolidation'), migmgr.schema_fingerprint();"
demo_before=$(ask "SELECT migmgr.schema_fingerprint()")
judge "$([ ${#demo_before} = 64 ] && echo t)" "the schema has a fingerprint"
line 72-87 "Backup report; every file non-empty"
sql "SELECT migmgr.record_backup('production_migration_20250906', now(), 0, 'backups/');"
stopped MG006 "0 bytes"
line 89-91 "Test critical table data in a test database"
shell "pg_dump -U dba -d tea -t objects -f table_objects_backup.sql && createdb -U postgres tea_test &&
psql -XqU postgres -d tea_test -f table_objects_backup.sql >/dev/null && psql -XAtU postgres -d tea_test -c 'SELECT count(*) FROM objects'"
says "120"
sql "\\set size \`wc -c < table_objects_backup.sql\`
SELECT migmgr.record_backup('production_migration_20250906', now(), :size, 'backups/, restored in tea_test: 120 objects', verified => true);"
says "production_migration_20250906"
line 97 "Check current migration status"
sql "SELECT count(*) AS versions FROM migmgr.history;"
says "0"
outside 100 "git status" "git"
line 103 "Confirm consolidated migration file ready"
sql "\\set sql \`cat tea/$demo_file\`
SELECT statement, line, command, object, class, action FROM migmgr.plan(:'sql');"
says "CREATE INDEX"

part "Phase 2: execution (003:108-143)"
line 110 "Starting production migration at \$(date)"
say "Rows of the five tables, counted before and after by a check of the team's:"
sql "SELECT migmgr.add_check('row counts', \$\$SELECT concat_ws(' ', (SELECT count(*) FROM public.objects), (SELECT count(*) FROM public.media),
  (SELECT count(*) FROM public.accounts), (SELECT count(*) FROM public.chakai), (SELECT count(*) FROM public.local_classes))\$\$,
  expect => '120 80 12 7 9', run_at => '{before,after,verify,schedule}');"
say "The window of 003:24 is closed on most days; the waiver is on record."
sql "SELECT migmgr.waive('window', 'a demo');"
listen
line 116 "Apply the consolidated migration"
sql "\\set sql \`cat tea/$demo_file\`
SELECT version, status, environment, class, statements, ms, reversible FROM migmgr.apply_file('$demo_file', :'sql');"
says "applied | production"
heard
says '"event": "started"' "the team heard of the start, by another transaction than the migration's"
says '"event": "applied"' "and of the end"
line 119-122,128 "Existing tables skipped; indexes, policies, functions idempotent; logs"
sql "SELECT n, command, class, notices[1] AS notice FROM migmgr.statements WHERE version = '$demo_version';"
says "already exists, skipping"
line 131 "tail -f migration_logs.txt | grep -i error"
sql "SELECT count(*) AS failed FROM migmgr.attempts;"
says "0"
line 137 "Check migration status"
sql "SELECT version, name, status, applied_at, applied_by, ms FROM migmgr.history;"
says "consolidated_baseline"
line 140-143 "Dump the schema; compare with expected"
sql "SELECT type, identity, action FROM migmgr.objects WHERE version = '$demo_version';"
says "media_object_id"
sql "SELECT * FROM migmgr.drift() LIMIT 5;"
check "the schema is what migrations and nobody else made of it" "SELECT bool_and(d.drift = 'none') FROM migmgr.drift() AS d"

part "Phase 3: validation (003:148-192)"
line 150-156 "Verify data counts match pre-migration"
as postgres
sql "SELECT run_at, status, value FROM migmgr_internal.check_result WHERE check_name = 'row counts' ORDER BY id;"
says "120 80 12 7 9" "before and after"
as dba
line 158-160 "Check foreign key constraints"
sql "SELECT conname, contype, convalidated FROM pg_constraint WHERE contype = 'f';"
says "media_object_id_fkey"
line 162-164,266-269 "Verify RLS policies"
sql "SELECT type, identity, state FROM migmgr.objects WHERE type = 'policy';"
says "own_account"
line 168-174 "Test critical functions: swap_local_class_sort_order"
say "It writes, so it is rehearsed: run, measured and undone."
sql "SELECT command, action, ms, rows, locks FROM migmgr.rehearse('SELECT public.swap_local_class_sort_order(1, 2)');"
says "SELECT    | allow" "it works"
check "nothing was swapped" "SELECT sort_order = 1 FROM public.local_classes WHERE id = 1"
line 177-178 "Verify triggers are active"
sql "SELECT tgname, tgenabled FROM pg_trigger WHERE tgname LIKE '%local_class%' AND NOT tgisinternal;"
says "local_class_order"
line 183-184 "Remove maintenance mode"
sql "SELECT status, environment FROM migmgr.set_mode('normal', 'validated');"
says "normal"
outside 187-192 "curl /api/health, /api/objects, /api/chakai; authentication" "the application"

part "Phase 4: monitoring (003:197-241)"
outside 198-204,208-212 "API logs, application metrics, user acceptance" "the application and its users"
line 202,310-311 "Check error rates; 24 hours, 72 hours"
say "A version is observed for a time; checks that pg_cron runs meanwhile advise" \
  "to go back when they fail (002:326)."
sql "SELECT environment, rule, value FROM migmgr.policy WHERE rule = 'observe';"
says "7 days"
sql "SELECT check_name, status, value FROM migmgr.run_checks('schedule');"
says "row counts | ok"
check "no rollback is advised" "SELECT migmgr.health() ->> 'rollback_advised' IS NULL"
line 216-237 "Document final status: report with data verification and application status"
sql "SELECT migmgr.note('$demo_version', 'authentication, browsing, admin, media: working') IS NOT NULL AS noted;"
run_psql -At -c "SELECT migmgr.report('$demo_version')"
says "consolidated_baseline" "the report"
outside 239-241,313 "Continue monitoring, archive backups, update documentation" "people"

part "Error handling (003:246-295)"
line 250-261 "Constraint conflict: drop and re-add the constraint"
say "Both in one migration, so that nobody ever sees the table without it."
sql "SELECT migmgr.waive('restrictive', 'the constraint comes back as it was', version => '20250906210000') IS NOT NULL AS waived;
SELECT version, status, class FROM migmgr.apply('20250906210000', 'constraint_again',
  'ALTER TABLE media DROP CONSTRAINT media_object_id_fkey;
   ALTER TABLE media ADD CONSTRAINT media_object_id_fkey FOREIGN KEY (object_id) REFERENCES objects',
  rollback_sql => 'SELECT 1');"
says "applied"
line 273-275 "RLS failure: drop and recreate policy ... USING (true)"
say "USING (true) opens the table to everybody, and is not taken for a repair."
sql "SELECT * FROM migmgr.apply('20250906220000', 'open_policy',
  'DROP POLICY own_account ON accounts; CREATE POLICY own_account ON accounts FOR SELECT USING (true)');"
stopped MG105 own_account
outside 281-289 "Partial rollback: the application only" "the application"
line 291-295 "Full rollback"
say "Going back would open accounts to everybody again: that is asked about, too."
sql "SELECT version, status, detail FROM migmgr.rollback_to('before consolidation', 'emergency');"
stopped MG105 public.accounts
sql "SELECT migmgr.waive('security', 'emergency', valid_for => '10 minutes');
SELECT version, status, detail FROM migmgr.rollback_to('before consolidation', 'emergency');"
says "rolled back"
check "the schema is the one of before" "SELECT migmgr.schema_fingerprint() = '$demo_before'"

part "Success criteria and communication (003:300-325)"
ticked 300-301 "All steps without errors; row counts match" "the check was ok whenever it ran" \
  "SELECT bool_and(status = 'ok') FROM migmgr_internal.check_result WHERE check_name = 'row counts'"
ticked 302-303 "Foreign keys intact; RLS policies functioning" "verify() finds nothing" \
  "SELECT count(*) FILTER (WHERE status = 'failed') = 0 FROM migmgr.verify()"
outside 304-307,318-325 "Application, authentication, performance; updates to channels and users" "the application and people"
