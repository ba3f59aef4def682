#!/bin/bash
#
# apply.sh
#	  200 small migrations in one psql session, against the same statements
#	  without migmgr, each in a transaction of its own.
#
# Every round has databases as new as the first's: a catalog that grows would
# count as well.  The session loads the library and makes the first entry, too.
#
set -eu
# shellcheck source=test/bench/measure
. test/bench/measure

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=200

createdb plain
createdb managed
sql -d managed -c 'CREATE EXTENSION migmgr'
for database in plain managed; do
  sql -d "$database" -c 'CREATE TABLE base (id bigint PRIMARY KEY, name text)'
done

# The statements of migration number $1.
table() {
  echo "CREATE TABLE t$1 (id bigint PRIMARY KEY, name text NOT NULL, at timestamptz DEFAULT now());"
}
mixed() {
  case $(($1 % 5)) in
    0) table "$1" ;;
    1) echo "ALTER TABLE base ADD COLUMN c$1 integer NOT NULL DEFAULT 0;" ;;
    2) echo "CREATE INDEX base_$1 ON base (name, id) WHERE id > $1;" ;;
    3) echo "CREATE VIEW v$1 AS SELECT id, name FROM base; COMMENT ON VIEW v$1 IS 'number $1';" ;;
    4) echo "CREATE FUNCTION f$1(a integer) RETURNS integer LANGUAGE sql AS 'SELECT a + $1';" ;;
  esac
}
column() { echo "ALTER TABLE base ADD COLUMN c$1 integer;"; }

# What is run in a copy of a database, which is thrown away.
in_copy() { # TEMPLATE FILE
  dropdb --if-exists copy 2>/dev/null
  createdb -T "$1" copy
  session_ms copy "" "$(cat "$2")" ""
}
without() { in_copy plain "$work/without.sql"; }
with() { in_copy managed "$work/with.sql"; }

heading "$count migrations in one session" "$rounds"
for kind in table mixed column; do
  for ((i = 1; i <= count; i++)); do
    printf 'BEGIN;\n%s\nCOMMIT;\n' "$($kind "$i")" >&3
    # shellcheck disable=SC2016 # dollar quotes
    printf 'SELECT * FROM migmgr.apply($$%03d$$, $$number_%d$$, $sql$%s\n$sql$);\n' \
      "$i" "$i" "$($kind "$i")" >&4
  done 3>"$work/without.sql" 4>"$work/with.sql"
  case $kind in
    table) compare "CREATE TABLE" 1.5 without with ;;
    mixed) compare "table, column, index, view, function" 1.5 without with ;;
    column) compare "ADD COLUMN: the least there is" '' without with ;;
  esac
done
dropdb copy
dropdb plain
dropdb managed
