# shellcheck shell=bash
#
# Step 3: heartbeats, stale jobs, pg_cron, the dead-letter queue.

step "pg_cron moves exactly the 200 stale jobs into the dead-letter queue"

part "A watch on qc_jobs"
say "The columns have the runbook's names, so nothing needs to be mapped.  Dead" \
  "letters go to the table that migration 001 made."
sql "SELECT * FROM migmgr.watch('qc_jobs', dlq_table => 'public.job_dlq');"
says "| watched " "qc_jobs is watched"
say "Both migrations carry a feature flag, and what they brought is off until" \
  "somebody switches it on: 24 hours after the apply, and one at a time.  Until" \
  "then a sweep moves nothing."
sql "SELECT flag, percent, state, versions, not_before, because FROM migmgr.flags;"
says "JOB_HEARTBEAT" "the two flags of the migrations are there"
sql "SELECT migmgr.set_flag('DLQ_ENABLED', 100, 'week 1');"
refused MG274 'Migration 001 was applied'
say "The demo cannot wait, so the DBA takes responsibility."
sql "SELECT migmgr.waive('soak', 'a demo, on a server of its own');
SELECT migmgr.set_flag('DLQ_ENABLED', 100, 'week 1');
SELECT migmgr.set_flag('JOB_HEARTBEAT', 100, 'week 2');"
check "both flags are on" "SELECT count(*) = 2 FROM migmgr.flags WHERE percent = 100"

part "Workers send heartbeats"
say "700 jobs are running, and 500 of them have a worker, which says so every 10" \
  "seconds from here on; true means that the job is still its own."
as service_role
sql "SELECT id, migmgr.heartbeat('qc_jobs', id, progress => '42') FROM qc_jobs
WHERE id = md5('job' || 201)::uuid;"
says "| t" "the job is alive"
demo_beat="SELECT migmgr.heartbeat('qc_jobs', id) AS alive, count(*) FROM qc_jobs
WHERE id IN (SELECT md5('job' || n)::uuid FROM generate_series(201, 700) AS n)
GROUP BY alive;"
sql "$demo_beat"
says "t     |   500" "500 heartbeats, all jobs alive"
# The workers: until the file is gone.
: >"$SANDBOX/workers"
(
  while [ -e "$SANDBOX/workers" ]; do
    psql -Xq -c "$demo_beat" >/dev/null 2>&1
    sleep 10
  done
) &
demo_workers=$!
say "The other 200 began an hour ago.  100 have never sent a heartbeat; for the" \
  "rest the last one was ten minutes ago, which a demo can only pretend."
sql "UPDATE qc_jobs SET last_heartbeat_at = now() - interval '10 minutes'
WHERE id IN (SELECT md5('job' || n)::uuid FROM generate_series(1, 100) AS n);"
says "UPDATE 100"
as dba
say "A sweep would move the others.  dry_run only counts."
sql "SELECT * FROM migmgr.sweep('qc_jobs', dry_run => true);"
says "700 |   200 |" "of 700 running jobs 200 are stale"
check "exactly 200 jobs are stale, and none has been moved yet" \
  "SELECT count(*) FILTER (WHERE status = 'running' AND COALESCE(last_heartbeat_at, started_at) < now() - interval '2 minutes') = 200
      AND NOT EXISTS (SELECT FROM public.job_dlq) FROM public.qc_jobs"

part "The schedule"
say "From here on nobody calls anything: pg_cron does, at the next full minute."
sql "SELECT * FROM migmgr.schedule('sweep', '* * * * *');"
says "sweep" "the sweep is scheduled"
sql "SELECT jobid, schedule, command, username FROM cron.job;"
says "run_sweeps" "pg_cron has the job"
demo_since=$SECONDS
wait_for 70 "within 70 s 200 jobs have left running" \
  "SELECT count(*) = 500 FROM public.qc_jobs WHERE status = 'running'"
say "It took $((SECONDS - demo_since)) s."
wait_for 10 "the run is recorded" \
  "SELECT EXISTS (SELECT FROM cron.job_run_details WHERE status = 'succeeded')"
sql "SELECT jobid, username, command, status, return_message, start_time FROM cron.job_run_details;"
says "succeeded" "pg_cron ran it, and it succeeded"
sql "SELECT * FROM migmgr.schedules;"
says "| scheduled" "migmgr sees the schedule and its last run"
sql "SELECT started_at, job_table, running, stale, dead_lettered, errors, ms, role FROM migmgr.sweeps;"
says "|   200 |           200 |" "one sweep found and moved 200"

part "What it did"
say "Exactly those 200, each failed, each with one dead letter that holds the" \
  "row as it was."
sql "SELECT status, count(*) FROM qc_jobs GROUP BY status ORDER BY status;"
sql "SELECT job_type, failure_code, failure_reason, status, attempt_count, next_retry_at, payload
FROM job_dlq WHERE job_id = md5('job' || 8)::uuid::text \\gx"
says "episode_" "the dead letter holds the job's row"
check "the 200 whose worker died are failed, with a message, and completed_at set" \
  "SELECT count(*) = 200 FROM public.qc_jobs WHERE id IN (SELECT md5('job' || n)::uuid FROM generate_series(1, 200) AS n)
      AND status = 'failed' AND error_message IS NOT NULL AND completed_at IS NOT NULL"
check "the 500 with a worker run on" \
  "SELECT count(*) = 500 FROM public.qc_jobs WHERE id IN (SELECT md5('job' || n)::uuid FROM generate_series(201, 700) AS n)
      AND status = 'running'"
check "nothing else changed: 300 pending, 200 failed before, 8,800 completed" \
  "SELECT count(*) FILTER (WHERE status = 'pending') = 300 AND count(*) FILTER (WHERE status = 'failed') = 400
      AND count(*) FILTER (WHERE status = 'completed') = 8800 FROM public.qc_jobs"
check "one dead letter for each of them, holding its row" \
  "SELECT count(*) = 200 AND count(DISTINCT d.job_id) = 200
      AND bool_and(d.payload ->> 'file_name' = j.file_name AND d.payload ->> 'status' = 'running'
                   AND d.organisation_id = j.organisation_id)
     FROM public.job_dlq AS d JOIN public.qc_jobs AS j ON j.id::text = d.job_id"
say "The worker of such a job, should it come back, is told: false."
as service_role
sql "SELECT migmgr.heartbeat('qc_jobs', md5('job' || 1)::uuid);"
says " f" "the heartbeat of a lost job is refused"
say "The application's users see the dead letters of their own organisation," \
  "by the policies of migration 001."
as postgres
sql "SET ROLE authenticated;
SELECT set_config('request.jwt.claim.sub', md5('person' || '2' || 'member'), false) AS user;
SELECT count(*), count(DISTINCT organisation_id) AS organisations FROM job_dlq;"
says "    40 |             1" "a user sees the 40 of one organisation"

part "The dead-letter queue"
as dba
sql "SELECT * FROM migmgr.dlq_stats;"
says "|     200 |" "200 dead letters"
say "One is tried again: its job goes back to pending, for a worker to take."
sql "SELECT * FROM migmgr.dlq_retry((SELECT id FROM job_dlq WHERE job_id = md5('job' || 7)::uuid::text));"
says "retrying" "the dead letter is being retried"
check "the job is pending again, its dead letter is retrying" \
  "SELECT j.status = 'pending' AND d.status = 'retrying'
     FROM public.qc_jobs AS j JOIN public.job_dlq AS d ON d.job_id = j.id::text WHERE j.id = md5('job' || 7)::uuid"
say "Another is settled by a person."
sql "SELECT * FROM migmgr.dlq_resolve((SELECT id FROM job_dlq WHERE job_id = md5('job' || 8)::uuid::text),
  notes => 'uploaded again by the customer');"
says "resolved" "the dead letter is resolved"
check "it is resolved, with who, when and why" \
  "SELECT status = 'resolved' AND resolved_at IS NOT NULL AND resolution_notes = 'uploaded again by the customer'
     FROM public.job_dlq WHERE job_id = md5('job' || 8)::uuid::text"
sql "SELECT * FROM migmgr.dlq_stats;"
check "198 are pending, one is being retried, one is resolved" \
  "SELECT sum(letters) FILTER (WHERE status = 'pending') = 198 AND sum(letters) FILTER (WHERE status = 'retrying') = 1
      AND sum(letters) FILTER (WHERE status = 'resolved') = 1 FROM migmgr.dlq_stats"
rm "$SANDBOX/workers"
wait "$demo_workers"
