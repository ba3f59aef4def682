#!/bin/bash
#
# plan.sh
#	  plan() of a script of 500 statements in a database with 10,000 tables,
#	  beyond what the server's parser takes for the same text.
#
# The parser is timed through migmgr_internal.script_statements(), which does
# nothing else.  Limit: 50 ms between the two.
#
set -eu
# shellcheck source=test/bench/measure
. test/bench/measure

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sql -c 'CREATE EXTENSION migmgr'
sql <<'SQL'
CREATE TABLE base (id bigint PRIMARY KEY, name varchar(20), price numeric(8,2), at timestamp, note text CHECK (note <> ''));
INSERT INTO base SELECT g, 'n' || g, g, now(), 'x' FROM generate_series(1, 200000) AS g;
CREATE INDEX ON base (name);
SQL
for ((i = 0; i < 10; i++)); do
  sql -c "DO 'BEGIN FOR i IN $((i * 1000)) .. $((i * 1000 + 999)) LOOP EXECUTE format(''CREATE TABLE t%s (id bigint PRIMARY KEY, base_id bigint REFERENCES base, name text, n int)'', i); END LOOP; END'"
done
sql -c 'VACUUM ANALYZE'

statement() {
  case $(($1 % 10)) in
    0) echo "CREATE TABLE new$1 (id bigint PRIMARY KEY, t_id bigint REFERENCES t$1, name text NOT NULL);" ;;
    1) echo "ALTER TABLE t$1 ADD COLUMN c text NOT NULL DEFAULT 'x', ADD COLUMN d uuid DEFAULT gen_random_uuid();" ;;
    2) echo "CREATE INDEX ON new$((($1 / 10) * 10)) (name);" ;;
    3) echo "ALTER TABLE t$1 ALTER COLUMN n TYPE bigint;" ;;
    4) echo "ALTER TABLE t$1 ADD CONSTRAINT c$1 CHECK (n > 0) NOT VALID;" ;;
    5) echo "ALTER TABLE base ALTER COLUMN name TYPE varchar($((20 + $1)));" ;;
    6) echo "ALTER TABLE t$1 ALTER COLUMN name SET NOT NULL;" ;;
    7) echo "DROP TABLE t$1;" ;;
    8) echo "CREATE OR REPLACE FUNCTION f$1(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'; UPDATE base SET name = 'y' WHERE id = $1;" ;;
    9) echo "CREATE VIEW v$1 AS SELECT id FROM base;" ;;
  esac
}
for ((i = 0; i < 455; i++)); do statement "$i"; done >"$work/script.sql"

query() { # FUNCTION
  printf "\\\\set script \`cat %s\`\n" "$work/script.sql"
  # once to fill the caches of this session, as any second call finds them
  echo "SELECT count(*) FROM $1(:'script') \\gset ignored_"
}
timed() { # FUNCTION
  {
    query "$1"
    echo "SELECT clock_timestamp() AS began \\gset"
    echo "SELECT count(*) FROM $1(:'script') \\gset ignored_"
    echo "SELECT extract(epoch FROM clock_timestamp() - :'began') * 1000;"
  } | sql
}
parse() { timed migmgr_internal.script_statements; }
plan() { timed migmgr.plan; }

echo "statements: $(sql -v "script=$(cat "$work/script.sql")" <<<"SELECT count(*) FROM migmgr.plan(:'script')")"
heading "a plan of 500 statements against its parse" "$rounds"
parse_ms='' plan_ms=''
for ((round = 0; round < rounds; round++)); do
  parse_ms+=" $(parse)"
  plan_ms+=" $(plan)"
done
line "10,000 tables" '' "$parse_ms" "$plan_ms"
# shellcheck disable=SC2086 # lists of numbers
a=$(low_and_middle $parse_ms) b=$(low_and_middle $plan_ms)
echo "$a $b" | awk '{
  printf "beyond the parse: %.1f ms (median %.1f), limit 50%s\n", $3 - $1, $4 - $2, ($3 - $1 > 50 ? "  OVER" : "")}'
