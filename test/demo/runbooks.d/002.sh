# shellcheck shell=bash disable=SC2034,SC2154 # variables of the demo
#
# HotDash: a migration apply plan, with drift to settle first.

runbook 002 "HotDash, migration apply plan"

as postgres
database hotdash_staging staging hotdash/schema.sql
database hotdash production hotdash/schema.sql
for PGDATABASE in hotdash_staging hotdash; do
  run_psql -c "SELECT FROM migmgr.grant_access('lead', 'approver')" >/dev/null
done
export PGDATABASE=hotdash
as dba
demo_file=20251101090000_revenue_metrics.sql
demo_version=20251101090000
demo_apply="\\set sql \`cat hotdash/$demo_file\`
SELECT version, status, environment, class, statements, ms, reversible FROM migmgr.apply_file('$demo_file', :'sql');"

part "P0: resolve migration drift (002:15-69)"
line 15-30 "Local 11 files, remote 67 applied, 56+ not in the repository"
sql "SELECT * FROM migmgr.import_history();"
check "67 versions are in the history, as imported" "SELECT count(*) = 67 AND bool_and(status = 'imported') FROM migmgr.history"
say "The repository: 9 files with a time of day, 2 without."
ask "SELECT string_agg(encode(sha256(version::bytea), 'hex') || '  supabase/migrations/' || version || '_' || name || '.sql', E'\n')
  FROM (SELECT version, name FROM migmgr.history ORDER BY version DESC LIMIT 9) AS h" >local.txt
cat >>local.txt <<END
$(printf dash | sha256sum | cut -c1-64)  supabase/migrations/20251015_dashboard_rpc_functions.sql
$(printf tile | sha256sum | cut -c1-64)  supabase/migrations/20251015_dashboard_tile_queries.sql
END
sql "\\set listing \`cat local.txt\`
SELECT file, version, status, detail FROM migmgr.compare_files(:'listing') LIMIT 8;"
says "missing file" "the drift is found, version by version"
line 39-47 "Option A: pull remote migrations to local"
sql "SELECT file, left(sql, 30) AS sql, detail FROM migmgr.export() LIMIT 3;"
says "remote_" "each can be had as a file"
line 49-57 "Option B: mark remote as reverted, 56+ repairs"
sql "BEGIN;
SELECT * FROM migmgr.mark_reverted(ARRAY(SELECT version FROM migmgr.history ORDER BY version LIMIT 58), 'option B') LIMIT 3;
ROLLBACK;"
says "58" "all of them in one call (and undone here)"
line 59-69 "Option C: fresh baseline (recommended); manager decision required"
sql "SELECT * FROM migmgr.baseline('20251031000000', 'october');
SELECT migmgr.note(NULL, 'migration drift: option C, decided by the manager: https://tickets/400') IS NOT NULL AS noted;"
says "baseline"
line 77 "[ ] Migration Drift Resolved"
sql "\\set listing \`cd hotdash && sha256sum $demo_file\`
SELECT file, version, status FROM migmgr.compare_files(:'listing');"
says "pending" "only the new file is pending"

part "Staging: pre-flight checklist (002:78-86)"
export PGDATABASE=hotdash_staging
line 78 "[ ] Staging database backup verified (< 24 hours old)"
sql "SELECT migmgr.set_policy('staging', 'max_backup_age', '24 hours');
SELECT migmgr.record_backup('staging nightly', now() - interval '3 hours', 734003200, 's3://backups', verified => true);"
says "staging nightly"
line 79 "[ ] Staging maintenance window scheduled"
sql "SELECT migmgr.set_policy('staging', 'window', 'Mon-Fri 09:00-17:00 UTC');"
says "09:00-17:00"
line 80 "[ ] DevOps notified of apply window"
say "Who LISTENs hears of the apply when it begins and when it ends; the demo" \
  "waits for no hour, and they hear of that, too."
listen
sql "SELECT migmgr.set_policy('staging', 'tell_start', 'on');
SELECT migmgr.waive('window', 'a demo');"
line 81-83 "[ ] Files valid SQL  [ ] No conflicts  [ ] Order verified"
sql "\\set sql \`cat hotdash/$demo_file\`
SELECT statement, command, object, class, action FROM migmgr.plan(:'sql', 'production');"
says "additive"
sql "\\set sql \`cat hotdash/$demo_file\`
SELECT migmgr.assert_safe(:'sql', 'production');"
says "safe:"
line 84 "[ ] Rollback script prepared and tested"
say "It is a section of the file, and is tried whenever the file is applied: up," \
  "down, and the schema must be what it was."
sql "\\set sql \`cat hotdash/$demo_file\`
SELECT version, status, reversible FROM migmgr.apply_file('$demo_file', :'sql', dry_run => true);"
says "by script"
line 85-86 "[ ] RLS tests passing locally  [ ] Data integrity queries prepared"
as postgres
sql "SELECT migmgr.add_check('facts of one project only', \$\$SELECT count(*) FROM public.facts WHERE project <> 'occ'\$\$,
  expect => '0', run_at => '{after,verify,schedule}', run_as => 'authenticated');
SELECT migmgr.add_check('no orphaned approvals', 'SELECT count(*) FROM public.agent_approvals
  WHERE agent_id NOT IN (SELECT id FROM public.agents)', expect => '0', run_at => '{after,verify,schedule}');
SELECT migmgr.add_check('inventory RPC', 'SELECT public.get_inventory_summary()', expect => '>= 0', run_at => '{after,verify}');
SELECT migmgr.add_check('error rate', \$\$SELECT count(*) FILTER (WHERE level = 'ERROR')::numeric / greatest(count(*), 1)
  FROM public.observability_logs WHERE created_at > now() - interval '5 minutes'\$\$, expect => '<= 0.01', run_at => '{schedule}');
SELECT migmgr.add_check('write smoke test', \$\$INSERT INTO public.product_categories VALUES (99999, 'Test', 'Smoke Test', 100, 30, 'fast')
  RETURNING category_l1\$\$, expect => 'Test', run_at => '{verify}', environments => '{staging}');"
check "five checks" "SELECT count(*) = 5 FROM migmgr.checks"
as dba

part "Staging: apply (002:95-127)"
outside 97-98 "supabase --version" "another program"
line 101 "List pending migrations"
sql "\\set listing \`cd hotdash && sha256sum $demo_file\`
SELECT file, version, status FROM migmgr.compare_files(:'listing');"
says "pending"
line 104 "Check staging database connection"
sql "SELECT topic, value FROM migmgr.status WHERE topic IN ('database', 'you', 'guard');"
says "hotdash_staging, staging"
line 107 "Verify backup timestamp (pg_backup_start_time() is gone since PostgreSQL 15)"
sql "SELECT label, taken_at, verified FROM migmgr.backups WHERE source = 'recorded';"
says "staging nightly"
outside 114 "cd ~/HotDash/hot-dash" "the shell"
line 117-120 "supabase db push; capture output"
sql "$demo_apply"
says "applied | staging"
heard
says '"event": "started", "version": "20251101090000"' "DevOps hears of the start"
says '"event": "applied", "version": "20251101090000"' "and of the end"
line 125-127 "Expected: all applied, no ERROR"
sql "SELECT n, command, object, ms, notices FROM migmgr.statements WHERE version = '$demo_version';"
says "nightly rollup" "the output is kept, NOTICEs and all"

part "Staging: verification and smoke tests (002:133-181)"
line 133 "Verify all migrations applied"
sql "SELECT version, name, status, applied_by FROM migmgr.history WHERE status = 'applied';"
says "revenue_metrics"
line 136-180 "RLS tests, integrity, RPC functions, orphans, read, write and RLS smoke tests"
sql "SELECT check_name, status, value, expected FROM migmgr.run_checks('verify');"
says "write smoke test" "one call runs them all"
check "nothing of the write is left" "SELECT count(*) = 0 FROM public.product_categories"
line 175-181 "Success criteria: 0 errors, tests passing, no orphans, rollback tested"
sql "SELECT check_name, object, status, detail FROM migmgr.verify() WHERE status <> 'ok' OR check_name = 'verify';"
says "0 failed"
demo_receipt=$(ask "SELECT migmgr.receipt('$demo_version')")

part "Production: pre-flight checklist (002:187-199)"
export PGDATABASE=hotdash
line 187-191 "Only proceed if staging completed with 0 errors"
sql "SELECT migmgr.set_policy('production', 'require_staging', 'on');"
as lead
sql "SELECT migmgr.approve('$demo_version', 'staging', evidence => \$receipt\$$demo_receipt\$receipt\$);"
says "staging" "the receipt is accepted"
as dba
line 192 "[ ] Production database backup verified (< 12 hours old)"
sql "SELECT migmgr.set_policy('production', 'max_backup_age', '12 hours');
SELECT migmgr.record_backup('nightly', now() - interval '13 hours', 9663676416, 's3://backups', verified => true);"
sql "$demo_apply"
stopped MG252 '12 hours'
sql "SELECT migmgr.record_backup('before 20251101', now() - interval '10 minutes', 9663676416, 's3://backups', verified => true);"
says "before 20251101"
line 193,205 "[ ] Production maintenance window scheduled (2 AM - 4 AM UTC)"
sql "SELECT migmgr.set_policy('production', 'window', '02:00-04:00 UTC');"
says "02:00-04:00"
line 194 "[ ] Manager approval obtained (document approval timestamp)"
sql "SELECT migmgr.require_approval('production', 'manager'), migmgr.require_approval('production', 'manager', action => 'rollback');"
as lead
sql "SELECT migmgr.approve('$demo_version', 'manager', 'https://tickets/401');
SELECT label, state, given_by, given_at, evidence FROM migmgr.approvals WHERE label = 'manager';"
says "| valid"
as dba
outside 195,199 "[ ] DevOps notified  [ ] Incident response team on standby" "people; LISTEN migmgr tells programs"
line 196 "[ ] Rollback script tested on staging"
PGDATABASE=hotdash_staging sql "SELECT version, status, reversible FROM migmgr.history WHERE version = '$demo_version';"
says "by script"
line 197 "[ ] Rollback decision criteria defined"
as postgres
sql "SELECT migmgr.add_check('error rate', \$\$SELECT count(*) FILTER (WHERE level = 'ERROR')::numeric / greatest(count(*), 1)
  FROM public.observability_logs WHERE created_at > now() - interval '5 minutes'\$\$, expect => '<= 0.01', run_at => '{schedule}');
SELECT migmgr.add_check('facts of one project only', \$\$SELECT count(*) FROM public.facts WHERE project <> 'occ'\$\$,
  expect => '0', run_at => '{after,verify,schedule}', run_as => 'authenticated');
SELECT migmgr.add_check('no orphaned approvals', 'SELECT count(*) FROM public.agent_approvals
  WHERE agent_id NOT IN (SELECT id FROM public.agents)', expect => '0', run_at => '{after,verify,schedule}');
SELECT migmgr.add_check('connections', \$\$SELECT 100.0 * count(*) / current_setting('max_connections')::integer FROM pg_stat_activity\$\$,
  expect => '< 80', run_at => '{before,verify,schedule}');
SELECT migmgr.add_check('no statement for a minute', \$\$SELECT pid, now() - query_start FROM pg_stat_activity
  WHERE state <> 'idle' AND now() - query_start > interval '1 minute'\$\$, expect => 'no rows', run_at => '{before}');"
check "five checks" "SELECT count(*) = 5 FROM migmgr.checks"
as dba
line 198 "[ ] Monitoring dashboards open"
sql "SELECT name, labels, value FROM migmgr.metrics WHERE name IN ('versions', 'check_failing', 'dead_letters') ORDER BY 1, 2;"
says "dead_letters" "the same figures go to Prometheus and Grafana"

part "Production: apply (002:209-255)"
line 211-234 "Backup, state, active connections, database size, long-running queries"
sql "SELECT name, status, left(detail, 86) AS detail FROM migmgr.preflight('$demo_version');"
says "long transactions   | ok" "one call asks them all"
sql "SELECT check_name, status, value, expected FROM migmgr.run_checks('before');"
says "connections"
sql "SELECT pg_size_pretty(pg_database_size(current_database()));"
says "MB"
outside 241 "cd ~/HotDash/hot-dash" "the shell"
line 244 "supabase db push --db-url \$PRODUCTION_DB_URL"
say "The demo may be run at any hour, the runbook not:"
sql "SELECT migmgr.waive('window', 'a demo');"
sql "$demo_apply"
says "applied | production"
line 247-255 "Watch for ERROR, NOTICE, timestamps, success message"
sql "SELECT n, command, ms, notices FROM migmgr.statements WHERE version = '$demo_version' AND notices IS NOT NULL;"
says "nightly rollup"

part "Production: verification (002:261-315)"
line 261-283 "Applied, RLS tests, RPC functions, RLS active, error rates"
sql "SELECT version, status, applied_at, ms, reversible FROM migmgr.history WHERE status = 'applied';"
says "$demo_version"
sql "SELECT check_name, status, value, expected FROM migmgr.run_checks();"
says "error rate"
line 288-303 "pg_stat_statements, connection counts; targets: 500 ms, 80 %"
as postgres
sql "CREATE EXTENSION pg_stat_statements;
SELECT migmgr.add_check('mean time of statements', 'SELECT coalesce(max(mean_exec_time), 0) FROM public.pg_stat_statements WHERE calls > 10',
  expect => '< 500', run_at => '{verify,schedule}');
SELECT check_name, status, value, expected FROM migmgr.run_checks('schedule');"
says "mean time of statements" "beside 'connections' and 'error rate'"
as dba
line 308-315 "Success criteria"
sql "SELECT h ->> 'status' AS status, h -> 'rollback_advised' AS rollback_advised FROM migmgr.health() AS h;"
check "nothing failed, no rollback is advised" "SELECT h ->> 'status' <> 'failed' AND h ->> 'rollback_advised' IS NULL FROM migmgr.health() AS h"

part "When to roll back (002:321-330)"
line 325 "ANY migration ERROR during apply"
say "It is undone as a whole, on staging here; production would not take it" \
  "without a receipt from there."
export PGDATABASE=hotdash_staging
sql "SELECT * FROM migmgr.apply('20251102', 'broken', 'CREATE TABLE a (x integer); CREATE TABLE b (y nonsense)');"
judge "$([[ $demo_state == 42704 && $demo_output == *'failed at statement 2'* ]] && echo t)" "the error is the server's own, with the statement"
check "a failed migration has left nothing" "SELECT to_regclass('public.a') IS NULL"
export PGDATABASE=hotdash
sql "SELECT * FROM migmgr.apply('20251102', 'broken', 'CREATE TABLE a (x integer); CREATE TABLE b (y nonsense)');"
stopped MG250 staging
line 326-330 "RLS tests failing, error rate > 1% for > 5 minutes, RPC or integrity failures"
run_psql <<<"INSERT INTO observability_logs (level) SELECT 'ERROR' FROM generate_series(1, 30);" >/dev/null
sql "SELECT check_name, status, value, expected FROM migmgr.run_checks('schedule');"
says "error rate"
sql "SELECT topic, value, hint FROM migmgr.status WHERE topic = 'last' \\gx"
says "rollback advised for $demo_version" "status advises to go back, with the call"

part "Production rollback (002:342-390)"
line 344 "Production rollback requires Manager approval"
sql "SELECT * FROM migmgr.rollback('$demo_version', 'error rate above 1 %');"
stopped MG250 manager
as lead
sql "SELECT migmgr.approve('$demo_version', 'manager', 'by telephone, 02:40', action => 'rollback');"
says "rollback"
as dba
line 350 "Stop accepting writes"
say "The runbook's ALTER DATABASE reaches new sessions only, and the rollback" \
  "itself would be read only as well."
sql "SELECT * FROM migmgr.set_mode('read only', 'going back to before 20251101', now() + interval '20 minutes') \\gx"
says "read only"
as service_role
sql "INSERT INTO observability_logs (level) VALUES ('INFO');"
stopped MG271 hotdash
as dba
outside 352-355 "Restore from backup via dashboard" "the dashboard; not needed here"
line 364-371 "Run pre-tested rollback script"
sql "SELECT version, status, ms, detail FROM migmgr.rollback('$demo_version', 'error rate above 1 %');"
says "rolled back"
line 358,378 "Verify restore; verify schema state"
sql "SELECT version, status, note FROM migmgr.history WHERE version = '$demo_version';"
says "error rate above 1 %"
line 361 "Re-enable writes"
sql "SELECT status, environment FROM migmgr.set_mode('normal', 'rolled back');"
says "normal"
line 380-384 "Smoke tests, verify no data loss"
sql "SELECT check_name, status, value, expected FROM migmgr.run_checks('verify');"
says "| ok"
check "all rows are there" "SELECT (SELECT count(*) FROM public.customer_segments) = 3 AND (SELECT count(*) FROM public.facts) = 2"
outside 386-389 "Dashboard tiles, approval workflows, customer interactions" "the application"

part "Coordination and communication (002:396-431)"
ticked 398-402 "[ ] Windows  [ ] Backup  [ ] Rollback script  [ ] Dashboards" "windows and backups are on record" \
  "SELECT EXISTS (SELECT FROM migmgr.policy WHERE rule = 'window' AND set_at IS NOT NULL) AND EXISTS (SELECT FROM migmgr.backups WHERE verified)"
ticked 406-409 "[ ] Drift strategy  [ ] Staging reviewed  [ ] Window  [ ] Rollback approved" "the approvals are, too" \
  "SELECT count(*) FILTER (WHERE label = 'staging') > 0 AND count(*) FILTER (WHERE action = 'rollback') > 0 FROM migmgr.approvals"
outside 413-424,430 "Feedback files, screenshots, logs in artifacts/" "documents"
line 428-431 "Notify Manager immediately; document rollback reason; post-mortem"
sql "SELECT migmgr.note('$demo_version', 'post-mortem on Monday: https://tickets/402') IS NOT NULL AS noted;
SELECT event, version, at, role, left(detail, 60) AS detail FROM migmgr.ledger WHERE version = '$demo_version' ORDER BY seq DESC LIMIT 3;"
says "rolled back"

part "Monitoring queries, known issues, success metrics (002:437-520)"
line 437-442 "Query 1: migration apply progress"
sql "SELECT version, name, status, applied_at FROM migmgr.history ORDER BY applied_at DESC LIMIT 3;"
says "revenue_metrics"
ticked 444-480 "Queries 2-5: error rate, performance, pool, table sizes" "thresholds are checks with a history" \
  "SELECT count(*) = 3 FROM migmgr.checks WHERE last_run IS NOT NULL AND name IN ('error rate', 'connections', 'mean time of statements')"
ticked 486-502 "Known issues: drift, missing tables, naming convention" "drift is settled" \
  "SELECT EXISTS (SELECT FROM migmgr.history WHERE status = 'baseline')"
outside 506-551 "Success metrics over 30 days, appendix" "documents"
