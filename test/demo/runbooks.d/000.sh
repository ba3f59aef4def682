# shellcheck shell=bash disable=SC2034,SC2154 # variables of the demo
#
# AlokickFlow: operator instructions for migrations 001 and 002.

runbook 000 "AlokickFlow, operator instructions"

as postgres
database alokickflow_staging staging schema.sql
database alokickflow production schema.sql
export PGDATABASE=alokickflow
run_psql <<<"CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO dba;
SELECT FROM migmgr.grant_access('service_role', 'viewer');
SELECT FROM migmgr.grant_access('lead', 'approver');
SELECT FROM migmgr.grant_access('oncall', 'approver');" >/dev/null
as dba

part "Required approvals (000:10-17)"
line 10 "IMPORTANT: DO NOT RUN WITHOUT APPROVAL"
sql "SELECT migmgr.require_approval('production', 'dev-lead'),
  migmgr.require_approval('production', 'ops-oncall'), migmgr.require_approval('production', 'product-owner');"
check "three approvals are asked for" "SELECT count(*) = 3 FROM migmgr.required_approvals"
say "So that it is more than a request: no DDL by any other way, either."
sql "SELECT migmgr.set_policy('production', 'direct_ddl', 'deny');"
sql "\\set sql \`cat migrations/001_create_job_dlq.sql\`
SELECT * FROM migmgr.apply_file('001_create_job_dlq.sql', :'sql');"
stopped MG250 dev-lead
line 15-17 "[ ] Dev Lead  [ ] Ops On-Call  [ ] Product Owner"
say "An approval is one of a text.  The checksums come from the review."
sql "\\set listing \`cat migrations/checksum.txt\`
SELECT file, version, status FROM migmgr.compare_files(:'listing');"
says "2 files"
as lead
sql "SELECT migmgr.approve('001', 'dev-lead', 'https://git/pull/77');
SELECT migmgr.approve('002', 'dev-lead', 'https://git/pull/77');"
says "dev-lead"
as oncall
sql "SELECT migmgr.approve('001', 'ops-oncall');
SELECT migmgr.approve('002', 'ops-oncall');"
says "ops-oncall"
say "The product owner has no login; the lead says so, with where it is written."
as lead
sql "SELECT migmgr.approve('001', 'product-owner', 'https://tickets/312', on_behalf_of => 'Priya');
SELECT migmgr.approve('002', 'product-owner', 'https://tickets/312', on_behalf_of => 'Priya');"
says "Priya"
as dba
sql "SELECT version, label, state, given_by, on_behalf_of, evidence FROM migmgr.approvals;"
check "all six hold" "SELECT count(*) = 6 AND bool_and(state = 'valid') FROM migmgr.approvals"

part "Prerequisites (000:24-35)"
line 24-25 "Read access to staging; write access to production"
sql "SELECT topic, value FROM migmgr.status WHERE topic = 'you';"
says "dba: admin"
outside 26 "Access to Render/Supabase dashboard" "accounts elsewhere"
outside 29-30 "psql client installed, connection strings at hand" "the operator's machine"
line 33 "Feature flags are OFF in production"
sql "SELECT flag, percent FROM migmgr.flags;"
check "no flag is on" "SELECT NOT EXISTS (SELECT FROM migmgr.flags WHERE percent > 0)"
line 34 "No active QC jobs running (check dashboard)"
say "The jobs of the demo run, and the migrations do not mind them.  What would" \
  "be in the way is a worker that holds the table; a team asks what it means."
sql "SELECT migmgr.add_check('nobody holds qc_jobs', \$\$SELECT a.pid, a.query FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
  WHERE l.relation = 'public.qc_jobs'::regclass AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()\$\$,
  expect => 'no rows', run_at => '{before}');
SELECT check_name, status, value, expected FROM migmgr.run_checks('before');"
says "nobody holds qc_jobs | ok"
line 35 "Recent database backup exists"
sql "SELECT migmgr.set_policy('production', 'max_backup_age', '24 hours');"
says "24 hours"

part "Step 1: pre-migration backup (000:54-65)"
outside 54-56 "Supabase Dashboard: Create Backup" "the dashboard"
line 62 "pg_dump \$DB_PROD_URL > backup.sql"
shell "pg_dump -U dba -d alokickflow --exclude-table-data='cron.*' -f backup_20241212.sql && ls -l backup_20241212.sql | awk '{print \$5, \$9}'"
judge "$([ "$demo_status" = 0 ] && echo t)" "the owner of the database can dump it, ledger and all"
line 57,65 "Note the backup timestamp; verify backup size (should be > 0)"
sql "SELECT migmgr.record_backup('backup_empty.sql', now(), 0);"
stopped MG006 "0 bytes"
sql "\\set size \`wc -c < backup_20241212.sql\`
SELECT migmgr.record_backup('backup_20241212.sql', now(), :size, '/backups', verified => true);
SELECT label, taken_at, size, verified, source FROM migmgr.backups WHERE source = 'recorded';"
says "backup_20241212.sql"

part "Step 2: verify migration checksums (000:73-81)"
outside 73 "cd /path/to/alokickflow" "the shell"
line 76-81 "shasum -a 256 -c migrations/checksum.txt; expected: 001 OK, 002 OK"
shell "shasum -a 256 -c migrations/checksum.txt 2>/dev/null || sha256sum -c migrations/checksum.txt"
say "The server has the sums since the approvals, and takes no other text:"
sql "\\set sql \`sed 's/attempt_count/attempts/' migrations/001_create_job_dlq.sql\`
SELECT * FROM migmgr.apply_file('001_create_job_dlq.sql', :'sql');"
refused MG005 001

part "Step 3: run migrations on STAGING first (000:85-121)"
export PGDATABASE=alokickflow_staging
line 89 "psql \$DB_STAGING_URL"
sql "SELECT topic, value FROM migmgr.status WHERE topic = 'database';"
says "alokickflow_staging, staging" "it is staging"
line 92 "\\i migrations/001_create_job_dlq.sql"
sql "\\set sql \`cat migrations/001_create_job_dlq.sql\`
SELECT version, status, environment, class, ms FROM migmgr.apply_file('001_create_job_dlq.sql', :'sql');"
says "001     | applied | staging" "001 is applied on staging"
line 95 "\\d job_dlq"
sql "SELECT type, identity, state FROM migmgr.objects WHERE version = '001';"
says "public.job_dlq"
line 98 "\\i migrations/002_add_heartbeat_column.sql"
sql "\\set sql \`cat migrations/002_add_heartbeat_column.sql\`
SELECT version, status, environment, class, ms FROM migmgr.apply_file('002_add_heartbeat_column.sql', :'sql');"
says "002     | applied | staging" "002 is applied on staging"
line 101 "\\d qc_jobs | grep heartbeat  (which filters nothing)"
sql "SELECT type, identity, state FROM migmgr.objects WHERE version = '002';"
says "public.qc_jobs.last_heartbeat_at"
line 110-121 "Verification queries: 0 rows, 1 column, 8 indexes"
sql "SELECT migmgr.add_check('DLQ is empty', 'SELECT count(*) FROM public.job_dlq', expect => '0', run_at => '{verify}');
SELECT migmgr.add_check('heartbeat column', 'SELECT count(*) FROM information_schema.columns
  WHERE table_name = ''qc_jobs'' AND column_name = ''last_heartbeat_at''', expect => '1', run_at => '{verify}');
SELECT migmgr.add_check('eight indexes', 'SELECT count(*) FROM pg_indexes WHERE schemaname = ''public''
  AND (indexname LIKE ''%dlq%'' OR indexname LIKE ''%heartbeat%'') AND indexname NOT LIKE ''%pkey''', expect => '8', run_at => '{verify}');
SELECT check_name, status, value, expected FROM migmgr.run_checks('verify');"
says "3 checks         | ok"
demo_receipt_1=$(ask "SELECT migmgr.receipt('001')")
demo_receipt_2=$(ask "SELECT migmgr.receipt('002')")
line 128 "STOP HERE if staging verification failed"
say "Staging hands out a receipt, and production asks for it."
sql "SELECT migmgr.receipt('002');"
says "002"
export PGDATABASE=alokickflow
sql "SELECT migmgr.set_policy('production', 'require_staging', 'on');"
sql "\\set sql \`cat migrations/001_create_job_dlq.sql\`
SELECT * FROM migmgr.apply_file('001_create_job_dlq.sql', :'sql');"
stopped MG253 staging
as oncall
sql "SELECT migmgr.approve('001', 'staging', evidence => \$receipt\$$demo_receipt_1\$receipt\$);
SELECT migmgr.approve('002', 'staging', evidence => \$receipt\$$demo_receipt_2\$receipt\$);"
check "both receipts are accepted" "SELECT count(*) = 2 FROM migmgr.approvals WHERE label = 'staging' AND state = 'valid'"

part "Step 4: run migrations on PRODUCTION (000:132-148)"
as dba
line 252 "[ ] Low-traffic window selected"
sql "SELECT migmgr.set_policy('production', 'window', '2099-12-12 02:00-04:00 UTC');"
sql "\\set sql \`cat migrations/001_create_job_dlq.sql\`
SELECT * FROM migmgr.apply_file('001_create_job_dlq.sql', :'sql');"
stopped MG251 2099
say "Nobody can wait that long; somebody takes responsibility for an hour."
sql "SELECT migmgr.waive('window', 'a demo, nobody works here');"
says "window is waived"
line 248-252 "Checklist: approvals, backup, flags off, checksums, window"
say "One call goes through all of it, and looks at the server besides."
sql "SELECT name, status, left(detail, 86) AS detail FROM migmgr.preflight('001');"
says "preflight           | warning | 0 failed"
line 132-135 "psql \$DB_PROD_URL; \\i migrations/001_create_job_dlq.sql"
sql "\\set sql \`cat migrations/001_create_job_dlq.sql\`
SELECT version, status, environment, class, ms, reversible FROM migmgr.apply_file('001_create_job_dlq.sql', :'sql');"
says "001     | applied | production" "001 is applied"
line 138 "SELECT COUNT(*) FROM job_dlq"
sql "SELECT count(*) FROM job_dlq;"
says "    0"
line 141-145 "\\i migrations/002_add_heartbeat_column.sql; verify"
say "The file has the runbook's query as its verify section: had it not been" \
  "true, nothing would have happened."
sql "\\set sql \`cat migrations/002_add_heartbeat_column.sql\`
SELECT version, status, environment, class, ms, reversible FROM migmgr.apply_file('002_add_heartbeat_column.sql', :'sql');"
says "002     | applied | production" "002 is applied"

part "Step 5: post-migration health check (000:157-165)"
outside 157 "curl https://.../api/health/full" "the application; its database half is health()"
line 159 "Expected: status = healthy"
sql "SELECT h ->> 'status' AS status, h ->> 'environment' AS environment, h -> 'last' ->> 'version' AS last,
  h -> 'guard' ->> 'level' AS guard, h -> 'dead_letters' AS dead_letters FROM migmgr.health() AS h;"
says "production"
check "nothing failed" "SELECT migmgr.health() ->> 'status' IN ('ok', 'warning')"
line 162-165 "DLQ stats: total = 0"
sql "SELECT * FROM migmgr.dlq_stats;"
says "| total  |              |       0" "no dead letters"

part "Step 6: enable feature flags, gradual (000:172-183)"
line 172 "Wait 24 hours after migration before enabling flags"
sql "SELECT migmgr.set_flag('DLQ_ENABLED', 100, 'week 1');"
refused MG274 'Migration 001 was applied'
line 174-178 "Week 1: FEATURE_FLAG_DLQ_ENABLED=true"
say "A demo has no 24 hours, so somebody takes responsibility, once:"
sql "SELECT migmgr.waive('soak', 'a demo', version => '001');
SELECT migmgr.set_flag('DLQ_ENABLED', 100, 'week 1');"
says "is at 100 %"
line 180-183 "Week 2: FEATURE_FLAG_JOB_HEARTBEAT=true"
sql "SELECT migmgr.set_flag('JOB_HEARTBEAT', 100, 'not yet week 2');"
refused MG274 'one at a time'
sql "SELECT flag, percent, state, versions, not_before, because FROM migmgr.flags;"
says "JOB_HEARTBEAT"

part "Rollback procedure (000:189-218)"
line 189 "If issues occur, rollback immediately"
sql "SELECT status, reversible, detail FROM migmgr.rollback('002', 'a trial', dry_run => true);"
says "dry run"
outside 194 "psql \$DB_PROD_URL" "the shell"
line 197-199 "DROP INDEX, DROP INDEX, ALTER TABLE qc_jobs DROP COLUMN"
sql "SELECT version, status, detail FROM migmgr.rollback('002', 'heartbeats cost too much');"
says "rolled back"
line 204-205 "Rollback 001 only if DLQ is empty (check first)"
as postgres
sql "SELECT migmgr.dlq_add('job-1', 'export', 'it failed', dlq_table => 'public.job_dlq') IS NOT NULL AS added;"
as dba
sql "SELECT * FROM migmgr.rollback('001', 'not needed');"
refused MG210 '1 row of table public.job_dlq'
line 207-212 "If count = 0: DROP TRIGGER, FUNCTION, POLICY, POLICY, TABLE"
as postgres
run_psql <<<"DELETE FROM public.job_dlq" >/dev/null
as dba
sql "SELECT version, status, detail FROM migmgr.rollback('001', 'not needed');"
says "rolled back"
check "nothing is left of it" "SELECT to_regclass('public.job_dlq') IS NULL AND to_regproc('public.update_job_dlq_updated_at') IS NULL"
line 215-218 "FEATURE_FLAG_DLQ_ENABLED=false, FEATURE_FLAG_JOB_HEARTBEAT=false"
say "That happened in the rollback's own transaction."
sql "SELECT flag, percent, state, reason FROM migmgr.flags;"
check "both flags are off" "SELECT bool_and(percent = 0) FROM migmgr.flags"

part "Restore from backup (000:225-229)"
line 225 "Only if rollback SQL fails"
say "A rollback that fails leaves everything as it was.  The last backup:"
sql "SELECT label, taken_at, size, location FROM migmgr.backups WHERE source = 'recorded';"
says "backup_20241212.sql"
line 229 "psql \$DB_PROD_URL < backup.sql"
export PGDATABASE=alokickflow_restored
as postgres
PGDATABASE=postgres run_psql -c 'CREATE DATABASE alokickflow_restored OWNER dba' >/dev/null
grep -v pg_cron backup_20241212.sql | grep -vE '^(SELECT pg_catalog.setval|COPY cron|GRANT .* SCHEMA cron|COMMENT ON EXTENSION)' >restored.sql
run_psql -q -f restored.sql >"$SANDBOX/restore.log"
sql "SELECT check_name, object, status, detail FROM migmgr.verify() WHERE check_name IN ('chain', 'home');"
says "failed" "the copy is not taken for the original"
sql "SELECT migmgr.resume('restored from backup_20241212.sql');"
check "and goes on once somebody says so" "SELECT bool_and(status = 'ok') FROM migmgr.verify() WHERE check_name IN ('chain', 'home')"
export PGDATABASE=alokickflow
as dba

part "Contacts (000:238-241)"
outside 238-241 "Whom to call" "people"

part "Checklist summary (000:248-264), read from the ledger"
ticked 248 "[ ] Approvals received (dev-lead, ops-oncall, product-owner)" "each was used by the run that it was for" \
  "SELECT count(*) = 6 AND bool_and(state = 'used') FROM migmgr.approvals WHERE label <> 'staging'"
ticked 249 "[ ] Database backup created" "it is on record" "SELECT EXISTS (SELECT FROM migmgr.backups WHERE verified)"
ticked 250 "[ ] Feature flags verified OFF" "all of them" "SELECT bool_and(percent = 0) FROM migmgr.flags"
ticked 251 "[ ] Checksums verified" "what ran has the sums of checksum.txt" \
  "SELECT count(*) = 2 FROM migmgr.history AS h WHERE h.checksum IN ($(sed "s/^\([0-9a-f]*\).*/'\1'/" migrations/checksum.txt | paste -sd,))"
ticked 255-256 "[ ] Staging migration successful  [ ] Staging verification passed" "the receipts were evidence" \
  "SELECT count(*) = 2 FROM migmgr.approvals WHERE label = 'staging' AND state = 'used'"
ticked 257-258 "[ ] Production migration run  [ ] Production verification passed" "both are in the ledger" \
  "SELECT count(DISTINCT version) = 2 FROM migmgr.ledger WHERE event = 'applied'"
ticked 261 "[ ] Health check passing" "health() does not say failed" "SELECT migmgr.health() ->> 'status' <> 'failed'"
line 262 "[ ] No errors in logs"
sql "SELECT at, version, action, sqlstate, left(message, 60) AS message FROM migmgr.attempts WHERE sqlstate NOT LIKE 'MG%';"
says "(0 rows)" "no run failed but those that were refused above"
ticked 263 "[ ] DLQ stats endpoint working" "it answers" "SELECT bool_and(letters = 0) FROM migmgr.dlq_stats WHERE status = 'total'"
ticked 264 "[ ] Wait 24h before enabling flags" "nobody could but by a waiver, which is on record" \
  "SELECT count(*) = 1 FROM migmgr.waivers WHERE what = 'soak'"
