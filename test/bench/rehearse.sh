#!/bin/bash
#
# rehearse.sh
#	  rehearse() against the same statements run and rolled back by hand, in a
#	  database with 500 tables.  Limit: 1.3 times.
#
set -eu
# shellcheck source=test/bench/measure
. test/bench/measure

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sql <<'SQL'
CREATE EXTENSION migmgr;
CREATE TABLE base (id bigint PRIMARY KEY, name text NOT NULL, price numeric(8,2));
INSERT INTO base SELECT g, 'n' || g, g % 1000 FROM generate_series(1, 100000) AS g;
DO 'BEGIN FOR i IN 1 .. 500 LOOP EXECUTE format(''CREATE TABLE t%s (id bigint PRIMARY KEY, name text)'', i); END LOOP; END';
SQL
sql -c 'VACUUM ANALYZE'

cat >"$work/large.sql" <<'SQL'
ALTER TABLE base ADD COLUMN at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX base_name ON base (name);
ALTER TABLE base ADD CONSTRAINT price CHECK (price >= 0);
UPDATE base SET price = price + 1 WHERE id <= 10000;
CREATE TABLE part (id bigint PRIMARY KEY, base_id bigint NOT NULL REFERENCES base);
SQL
for ((i = 1; i <= 50; i++)); do
  echo "CREATE TABLE new$i (id bigint PRIMARY KEY, t_id bigint REFERENCES t$i, name text NOT NULL);"
  echo "ALTER TABLE t$i ADD COLUMN c text NOT NULL DEFAULT 'x';"
  echo "CREATE INDEX ON t$i (name);"
  echo "CREATE VIEW v$i AS SELECT id, name FROM t$i;"
done >"$work/small.sql"

by_hand() { session_ms "$PGDATABASE" "SET client_min_messages = error;" "$(printf 'BEGIN;\n%s\nROLLBACK;\n' "$(cat "$work/$kind.sql")")" ""; }
rehearsed() {
  session_ms "$PGDATABASE" "SET client_min_messages = error;
\\set script \`cat $work/$kind.sql\`" "SELECT * FROM migmgr.rehearse(:'script', '{\"max_size\": \"1GB\"}');" ""
}

heading "a script, undone" "$rounds"
for kind in large small; do
  case $kind in
    large) compare "5 statements on 100,000 rows" 1.3 by_hand rehearsed ;;
    small) compare "200 small statements" 1.3 by_hand rehearsed ;;
  esac
done
