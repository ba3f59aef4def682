# shellcheck shell=bash
#
# Step 5: going back without losing anything unasked.

step "rollback goes back, and loses no data unasked"

part "002 is in use"
as dba
say "The watch reads its heartbeats from the column that would go."
sql "SELECT * FROM migmgr.rollback('002', 'not needed any more');"
refused MG211 'watch on public.qc_jobs'
sql "SELECT * FROM migmgr.unschedule('sweep');"
says "sweep" "the schedule is gone"
check "pg_cron has no job any more" "SELECT NOT EXISTS (SELECT FROM cron.job)"
sql "SELECT * FROM migmgr.unwatch('qc_jobs');"
says "not watched any more" "the watch is gone"

part "002 has data"
say "The watch is gone, but the heartbeats of 599 jobs are kept nowhere else."
sql "SELECT * FROM migmgr.rollback('002', 'not needed any more');"
refused MG210 '599 values of column public.qc_jobs.last_heartbeat_at'
check "nothing happened" "SELECT count(last_heartbeat_at) > 0 FROM public.qc_jobs"
say "Given up on purpose, it runs, and the ledger says so."
sql "SELECT * FROM migmgr.rollback('002', 'not needed any more', on_data => 'discard');"
says "rolled back"
check "column and indexes are gone, the jobs are all there" \
  "SELECT NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'public.qc_jobs'::regclass AND attname = 'last_heartbeat_at')
      AND NOT EXISTS (SELECT FROM pg_indexes WHERE indexname LIKE 'idx_qc_jobs%heartbeat')
      AND (SELECT count(*) FROM public.qc_jobs) = 10000"

part "001 has data"
say "The runbook: only if the DLQ is empty, check first.  Here it checks itself."
sql "SELECT * FROM migmgr.rollback('001', 'not needed any more');"
refused MG210 '200 rows of table public.job_dlq'
say "So the dead letters are settled, and what is settled is purged."
sql "SELECT r.status, count(*) FROM job_dlq AS d,
  migmgr.dlq_resolve(d.id, notes => 'queue is closed', dlq_table => 'public.job_dlq') AS r
WHERE d.status <> 'resolved' GROUP BY r.status;"
says "199" "199 dead letters are resolved"
sql "SELECT * FROM migmgr.dlq_purge(older_than => '0', dlq_table => 'public.job_dlq');"
says "200" "200 dead letters are purged"
check "the dead-letter queue is empty" "SELECT count(*) = 0 FROM public.job_dlq"
sql "SELECT * FROM migmgr.rollback('001', 'not needed any more');"
says "rolled back"
check "nothing is left of 001" \
  "SELECT to_regclass('public.job_dlq') IS NULL AND to_regproc('public.update_job_dlq_updated_at') IS NULL"

part "The history of it"
sql "SELECT version, name, status, applied_by, attempts, note FROM migmgr.history;"
says "rolled back"
sql "SELECT seq, event, version, role, left(hash, 16) AS hash FROM migmgr.ledger ORDER BY seq;"
says "rolled back"
sql "SELECT check_name, status, detail FROM migmgr.verify() WHERE check_name IN ('verify', 'chain', 'objects');"
says "0 failed"
