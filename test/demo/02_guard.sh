# shellcheck shell=bash
#
# Step 2: the guard.

step "what would destroy is refused, for a superuser too"

say "Adding is free; what loses data or holds up the table needs more than a" \
  "typed command.  The guard sits in the server, so it makes no difference" \
  "which tool sends the statement, or which role."

# What must be as it was after every refusal: qc_jobs, its columns and rows.
demo_jobs="SELECT md5(string_agg(j::text, '' ORDER BY id)) || (SELECT string_agg(attname || atttypid, ',' ORDER BY attnum)
  FROM pg_attribute WHERE attrelid = 'public.qc_jobs'::regclass) FROM public.qc_jobs AS j"
demo_before=$(ask "$demo_jobs")

demo_drop_column="ALTER TABLE qc_jobs DROP COLUMN file_name;"
demo_drop_table="DROP TABLE qc_jobs;"
demo_type="ALTER TABLE qc_jobs ALTER COLUMN progress TYPE bigint;"
demo_hidden="DO \$\$BEGIN EXECUTE 'DROP TABLE ' || 'qc_' || 'jobs'; END\$\$;"

for demo_role in dba postgres; do
  as $demo_role
  if [ $demo_role = dba ]; then
    part "By the owner of the table, directly"
  else
    part "By a superuser, directly"
  fi
  sql "$demo_drop_column"
  refused MG101 qc_jobs.file_name
  sql "$demo_drop_table"
  refused MG101 public.qc_jobs
  sql "$demo_type"
  refused MG106 qc_jobs.progress
  sql "$demo_hidden"
  refused MG101 public.qc_jobs

  if [ $demo_role = dba ]; then
    part "By the owner of the table, inside apply"
  else
    part "By a superuser, inside apply"
  fi
  sql "SELECT * FROM migmgr.apply('003', 'drop_file_name', '$demo_drop_column');"
  refused MG101 qc_jobs.file_name
  sql "SELECT * FROM migmgr.apply('003', 'drop_jobs', '$demo_drop_table');"
  refused MG101 public.qc_jobs
  sql "SELECT * FROM migmgr.apply('003', 'progress_bigint', '$demo_type');"
  refused MG106 qc_jobs.progress
  sql "SELECT * FROM migmgr.apply('003', 'hidden_drop', \$sql\$
$demo_hidden
\$sql\$);"
  refused MG101 public.qc_jobs
done

part "All of it at once"
say "A script is judged as a whole, before it starts: every violation is named" \
  "with its line."
sql "SELECT * FROM migmgr.apply('003', 'cleanup', \$sql\$
ALTER TABLE qc_jobs ADD COLUMN severity text;
$demo_drop_column
$demo_type
\$sql\$);"
refused MG101 'line 2'
refused MG101 'line 3'
judge "$([ "$(ask "$demo_jobs")" = "$demo_before" ] && echo t)" \
  "qc_jobs has its columns and all its rows as before"
as dba
