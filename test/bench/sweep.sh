#!/bin/bash
#
# sweep.sh
#	  100,000 stale jobs among 2,000,000 into a dead-letter queue with its six
#	  indexes, against one statement written by hand; sweeps that find nothing;
#	  heartbeats in both layouts.
#
# Each round of the move is undone and vacuumed away, so that every one finds
# the same tables.  JOBS and STALE make it smaller.
#
set -eu
# shellcheck source=test/bench/measure
. test/bench/measure

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
jobs=${JOBS:-2000000}
stale=${STALE:-100000}
rounds=${ROUNDS:-6}

sql <<SQL
CREATE EXTENSION migmgr;
SELECT FROM migmgr.set_environment('development');
CREATE TABLE qc_jobs (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), status text NOT NULL, file_name text, organisation_id uuid,
  progress integer, started_at timestamptz, last_heartbeat_at timestamptz, completed_at timestamptz, error_message text)
  WITH (autovacuum_enabled = off);
INSERT INTO qc_jobs (status, file_name, organisation_id, started_at, last_heartbeat_at)
SELECT CASE WHEN g % ($jobs / $stale) = 0 THEN 'running' ELSE 'completed' END, 'file ' || g, gen_random_uuid(),
       now() - interval '1 hour', now() - interval '10 minutes' FROM generate_series(1, $jobs) AS g;
CREATE INDEX idx_qc_jobs_running_heartbeat ON qc_jobs (last_heartbeat_at) WHERE status = 'running';
SELECT FROM migmgr.watch('qc_jobs');
VACUUM ANALYZE qc_jobs;
CHECKPOINT;
SQL

cat >"$work/by_hand.sql" <<'SQL'
WITH dead AS (
  UPDATE qc_jobs SET status = 'failed', completed_at = now(), error_message = 'no heartbeat since ' || last_heartbeat_at
   WHERE status = 'running' AND COALESCE(last_heartbeat_at, started_at) < now() - interval '2 minutes' RETURNING *)
INSERT INTO migmgr.job_dlq (job_id, job_type, payload, failure_reason, failure_code, attempt_count, max_retries,
  last_attempt_at, next_retry_at, status, metadata, organisation_id)
SELECT id::text, 'qc_jobs', to_jsonb(dead), 'no heartbeat since ' || last_heartbeat_at, 'HEARTBEAT_TIMEOUT', 1, 3,
       last_heartbeat_at, now() + interval '2 minutes', 'pending', '{"job_table": "public.qc_jobs"}', organisation_id::text FROM dead;
SQL
echo "SELECT * FROM migmgr.sweep('qc_jobs');" >"$work/sweep.sql"

# Time of one of them, then all as it was.
undone() {
  session_ms "$PGDATABASE" "BEGIN;" "$(cat "$1")" "
SELECT 1 / ((SELECT count(*) FROM migmgr.job_dlq) = $stale)::integer AS moved \\gset
ROLLBACK;
VACUUM qc_jobs;
VACUUM migmgr.job_dlq;
CHECKPOINT;"
}
by_hand() { undone "$work/by_hand.sql"; }
by_sweep() { undone "$work/sweep.sql"; }

heading "moving $stale of $jobs jobs" "$rounds"
compare "one statement by hand / sweep()" 1.0 by_hand by_sweep

# Sweeps that find nothing, in one session; the first plans and loads.
empty() { # LABEL LIMIT
  local ms
  ms=$({
    echo "SELECT running FROM migmgr.sweep('qc_jobs') \\gset"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      echo "SELECT clock_timestamp() AS began \\gset"
      echo "SELECT stale FROM migmgr.sweep('qc_jobs') \\gset"
      echo "SELECT extract(epoch FROM clock_timestamp() - :'began') * 1000;"
    done
  } | sql)
  # shellcheck disable=SC2086 # a list of numbers
  low_and_middle $ms | awk -v label="$1" -v limit="$2" '{
    printf "%-44s %10.2f %10.2f %6s%s\n", label, $1, $2, limit, ($1 > limit ? "  OVER" : "")}'
}

# One worker, a commit for each heartbeat.
beats() { # LABEL
  local count=20000
  {
    echo "CREATE TEMP TABLE mine AS SELECT id FROM qc_jobs WHERE status = 'running' LIMIT $count;"
    echo "SELECT pg_stat_reset_single_table_counters('qc_jobs'::regclass) \\gset"
    echo "SELECT count(migmgr.heartbeat('qc_jobs', id)) AS n, clock_timestamp() AS began FROM mine LIMIT 1 \\gset"
    echo "SELECT clock_timestamp() AS began \\gset"
    echo "SELECT count(migmgr.heartbeat('qc_jobs', id)) AS n FROM mine \\gset"
    echo "SELECT round($count / extract(epoch FROM clock_timestamp() - :'began'));"
  } | sql | awk -v label="$1" '{printf "%-44s %10d\n", label, $1}'
}

printf '\n%-44s %10s %10s %6s\n' "ms of a sweep that finds nothing" "least" "median" "limit"
sql -c "UPDATE qc_jobs SET last_heartbeat_at = now() + interval '1 day' WHERE status = 'running'" \
  -c "VACUUM ANALYZE qc_jobs"
empty "$stale running, index on the heartbeat" 10
heartbeat_index=$(beats "index on the heartbeat")

sql -c "DROP INDEX idx_qc_jobs_running_heartbeat" \
  -c "CREATE INDEX qc_jobs_running ON qc_jobs (id) WHERE status = 'running'" \
  -c "ALTER TABLE qc_jobs SET (fillfactor = 70)" -c "VACUUM FULL qc_jobs" \
  -c "UPDATE qc_jobs SET last_heartbeat_at = now() + interval '1 day' WHERE status = 'running'" \
  -c "VACUUM ANALYZE qc_jobs"
empty "$stale running, HOT layout" 80

printf '\n%-44s %10s\n' "heartbeats a second, one worker" ""
echo "$heartbeat_index"
beats "HOT layout"
