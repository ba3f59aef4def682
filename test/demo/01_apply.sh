# shellcheck shell=bash disable=SC2154 # variables of the demo
#
# Step 1: files, checksums, order.

step "the two migrations, applied once and in order"

part "What is pending"
say "checksum.txt is what 'shasum -a 256 migrations/*.sql' printed when the" \
  "files were reviewed.  compare_files() says where each of them stands, and" \
  "from now on apply refuses a file that differs from it."
shell "cat migrations/checksum.txt"
sql "\\set listing \`cat migrations/checksum.txt\`
SELECT file, version, status, detail FROM migmgr.compare_files(:'listing');"
says "2 pending"

part "Rehearsed first"
say "dry_run executes all of it, verify SQL included, and undoes it.  The" \
  "runbook's own dry run, psql -v dry_run=true -f, applied the file for real."
sql "\\set sql \`cat migrations/001_create_job_dlq.sql\`
SELECT * FROM migmgr.apply_file('001_create_job_dlq.sql', :'sql', dry_run => true);"
says "dry run"
check "the dry run left nothing behind" \
  "SELECT to_regclass('public.job_dlq') IS NULL AND NOT EXISTS (SELECT FROM migmgr.history)"

part "Applied from psql"
say "psql puts the file into a variable with \\set and backticks; version and" \
  "name come from the file name, the way back and the verify SQL from its" \
  "sections.  Each file is one transaction: it is applied and verified, or" \
  "nothing happened."
sql_file apply.sql
says "add_heartbeat_column | applied" "002 is applied, after 001"
check "job_dlq is there with its 20 columns, six indexes and two policies" \
  "SELECT (SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.job_dlq'::regclass AND attnum > 0) = 20
      AND (SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'idx_job_dlq%') = 6
      AND (SELECT count(*) FROM pg_policies WHERE schemaname = 'public' AND tablename = 'job_dlq') = 2"
check "qc_jobs has the heartbeat column and its two indexes" \
  "SELECT (SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.qc_jobs'::regclass AND attname = 'last_heartbeat_at') = 1
      AND (SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'idx_qc_jobs%heartbeat') = 2"
say "The history has who, when, where and what of it; objects has what each" \
  "version made."
sql "SELECT version, name, status, applied_by, environment, class, statements, reversible
FROM migmgr.history;"
says "create_job_dlq"
sql "SELECT version, action, type, identity, state FROM migmgr.objects;"
says "public.qc_jobs.last_heartbeat_at"
check "the history has both as applied" \
  "SELECT string_agg(version || ' ' || status, ', ') = '001 applied, 002 applied' FROM migmgr.history"

part "Applied again"
say "Running the same script twice is harmless."
sql_file apply.sql
says "already applied"
check "nothing was recorded by the second run" \
  "SELECT count(*) = 2 FROM migmgr.ledger WHERE event = 'applied'"

part "The file is edited afterwards"
say "Somebody adds a column to the file of 001, which is applied."
sed '/failure_stack/a\  severity         text,' migrations/001_create_job_dlq.sql >001_edited.sql
shell "diff migrations/001_create_job_dlq.sql 001_edited.sql"
sql "\\set sql \`cat 001_edited.sql\`
SELECT * FROM migmgr.apply_file('001_create_job_dlq.sql', :'sql');"
demo_sum=$(sha256sum <001_edited.sql)
refused MG201 "${demo_sum%% *}"
demo_sum=$(sha256sum <migrations/001_create_job_dlq.sql)
refused MG201 "${demo_sum%% *}"

part "001 fails, and psql goes on"
say "A copy of the database, staging.  The file of 001 has a table misspelt:" \
  "public.profile.  The script lacks ON_ERROR_STOP, so psql runs the second" \
  "file after the first one failed, and exits with 0."
export PGDATABASE=staging
sed 's/public\.profiles/public.profile/' migrations/001_create_job_dlq.sql >001_misspelt.sql
sed '/ON_ERROR_STOP/d; s,migrations/001_create_job_dlq,001_misspelt,' apply.sql >careless.sql
sql_file careless.sql
judge "$([ "$demo_status" = 0 ] && echo t)" "psql did not stop and exits with 0"
refused MG203 'version "001"'
check "neither left anything behind" \
  "SELECT to_regclass('public.job_dlq') IS NULL AND NOT EXISTS (SELECT FROM pg_attribute WHERE attname = 'last_heartbeat_at')"
say "A failed transaction leaves no trace in its database, so a worker of" \
  "migmgr's own writes down the attempt."
sql "SELECT action, version, sqlstate, statement, line, message FROM migmgr.attempts;"
wait_for 5 "the failed attempt of 001 is in attempts, with statement and line" \
  "SELECT count(*) = 1 FROM migmgr.attempts WHERE version = '001' AND sqlstate = '42P01' AND message LIKE '%public.profile%' AND line > 0"
export PGDATABASE=alokickflow
