#!/bin/bash
#
# snapshot.sh
#	  schema_fingerprint() of 10,000 tables with 100,000 columns and 30,000
#	  indexes against pg_dump --schema-only of the same database, and what
#	  describe() of one table costs in it and in an empty one.
#
# Limit: a tenth of the time of pg_dump.
#
set -eu
# shellcheck source=test/bench/measure
. test/bench/measure

rounds=${ROUNDS:-3}
createdb large
createdb small
for ((i = 0; i < 20; i++)); do
  sql -d large -c "DO 'BEGIN FOR i IN $((i * 500)) .. $((i * 500 + 499)) LOOP EXECUTE format(''CREATE TABLE t%1\$s (id bigint PRIMARY KEY, a int NOT NULL,
    b text DEFAULT ''''x'''', c numeric(10,2) CHECK (c > 0), d timestamptz DEFAULT now(), e jsonb, f uuid, g boolean, h text[], i varchar(20));
    CREATE INDEX ON t%1\$s (a); CREATE INDEX ON t%1\$s (b, c) WHERE g'', i); END LOOP; END'"
done
sql -d small -c 'CREATE TABLE t1 (id bigint PRIMARY KEY, a int NOT NULL, b text, c numeric CHECK (c > 0))'
for database in large small; do
  sql -d "$database" -c 'CREATE EXTENSION migmgr' -c 'VACUUM ANALYZE'
done

dump() {
  local began=$EPOCHREALTIME
  pg_dump --schema-only large >/dev/null
  echo "$began $EPOCHREALTIME" | awk '{print ($2 - $1) * 1000, 0}'
}
fingerprint() { session_ms large "" "SELECT migmgr.schema_fingerprint();" ""; }
heading "the whole schema: pg_dump, schema_fingerprint()" "$rounds"
compare "10,000 tables" 0.1 dump fingerprint

one="SELECT count(*) FROM migmgr_internal.describe(ARRAY['pg_class'::regclass::oid], ARRAY['t1'::regclass::oid]);"
many=$(for ((i = 0; i < 20; i++)); do echo "$one"; done)
in_small() { session_ms small "$one" "$many" ""; }
in_large() { session_ms large "$one" "$many" ""; }
heading "describe() of a table, 20 times: in a small database, in the large one" "$rounds"
compare "one table" '' in_small in_large
dropdb large
dropdb small
