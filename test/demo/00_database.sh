# shellcheck shell=bash disable=SC2154 # variables of the demo
#
# The database as the runbook finds it.

cat <<END
migmgr: the AlokickFlow runbook, migrations 001 and 002
$(psql -XAtc 'SELECT version()')

The server is a throw-away one with pg_cron and migmgr preloaded.  Everything
below is real: the SQL is what is sent, the output is what psql prints, and
the lines [ok] are checks of it.
END

part "The database, before any migration"
say "A DBA role owns the tables and is no superuser.  service_role is what the" \
  "workers log in as, authenticated what the application's users get."
as postgres
sql "CREATE ROLE dba LOGIN;
CREATE ROLE service_role LOGIN BYPASSRLS;
CREATE ROLE authenticated;
CREATE DATABASE alokickflow OWNER dba;"
export PGDATABASE=alokickflow
sql "CREATE EXTENSION pg_cron;
GRANT USAGE ON SCHEMA cron TO dba;
CREATE EXTENSION migmgr;
SELECT migmgr.version();"
says "$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$demo_here/../../migmgr.control")"
say "Nobody may use migmgr before it is granted.  Levels are viewer, author," \
  "operator, approver and admin; workers that send heartbeats need the first."
sql "SELECT * FROM migmgr.grant_access('dba', 'admin');"
says "dba" "the DBA has access"
sql "SELECT * FROM migmgr.grant_access('service_role', 'viewer');"
says "service_role" "the workers have access"

as dba
run_psql -v ON_ERROR_STOP=1 -f schema.sql >"$SANDBOX/schema.log" ||
  cat "$SANDBOX/schema.log"
say "schema.sql made profiles, a stand-in for Supabase's auth.uid(), and qc_jobs:"
sql "SELECT status, count(*) FROM qc_jobs GROUP BY status ORDER BY status;"
check "qc_jobs has 10,000 jobs, 700 of them running" \
  "SELECT count(*) = 10000 AND count(*) FILTER (WHERE status = 'running') = 700 FROM qc_jobs"
sql "SELECT topic, value, state FROM migmgr.status;"
says "alokickflow, production"

# A copy of it, for what goes wrong at the end of step 1.
PGUSER=postgres PGDATABASE=postgres psql -Xq -c "CREATE DATABASE staging OWNER dba" \
  -c '\c staging' -c 'SET client_min_messages = warning; CREATE EXTENSION migmgr' \
  -c "SELECT FROM migmgr.grant_access('dba', 'admin')" >/dev/null
PGDATABASE=staging run_psql -v ON_ERROR_STOP=1 -f schema.sql >"$SANDBOX/schema.log" ||
  cat "$SANDBOX/schema.log"
