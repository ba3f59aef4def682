#!/bin/bash
#
# guard.sh
#	  What the guard costs a session that does its own DDL, log included.
#
# Without: a database of the same server that has no migmgr, in a session that
# never loaded the library.  In rounds of many transactions, after a first one
# that fills the caches.
#
set -eu
# shellcheck source=test/bench/measure
. test/bench/measure

createdb plain
createdb guarded
sql -d guarded -c 'CREATE EXTENSION migmgr'
# In force, as after the first migration: a new ledger asks for less.
sql -d guarded -o /dev/null -c "SELECT * FROM migmgr.apply('001', 'first', 'CREATE TABLE first (id integer)')"

# Transactions that make a table; each session has names of its own.
ddl() { # COUNT
  local i
  for ((i = 1; i <= $1; i++)); do
    cat <<SQL
BEGIN;
CREATE TABLE t${i}_:pid (id bigint PRIMARY KEY, name text);
ALTER TABLE t${i}_:pid ADD COLUMN at timestamptz;
CREATE INDEX ON t${i}_:pid (name);
COMMIT;
SQL
  done
}

# One by one as a client sends them.
temporary() { # COUNT
  local i
  for ((i = 1; i <= $1; i++)); do
    echo "CREATE TEMPORARY TABLE scratch (id integer, name text);"
    echo "DROP TABLE scratch;"
  done
}

# All in one transaction, with no client and no commit in between.
temporary_only() { # COUNT
  cat <<SQL
DO \$\$
BEGIN
  FOR i IN 1 .. $1 LOOP
    EXECUTE 'CREATE TEMPORARY TABLE scratch (id integer, name text)';
    EXECUTE 'DROP TABLE scratch';
  END LOOP;
END
\$\$;
SQL
}

# The second half of the session counts, when its caches are full.
half_session() { # DATABASE KIND COUNT
  {
    echo "SELECT pg_backend_pid() AS pid \\gset"
    "$2" "$3"
    echo "SELECT pg_backend_pid() || 'x' AS pid, clock_timestamp() AS began \\gset"
    "$2" "$3"
    echo "SELECT extract(epoch FROM clock_timestamp() - :'began') * 1000;"
  } | sql -d "$1"
}
without() { half_session plain $kind $count; }
with() { half_session guarded $kind $count; }

heading "the statements below" "$rounds"
kind=ddl count=100
compare "$count x CREATE TABLE, ALTER, CREATE INDEX" 1.05 without with
kind=temporary count=200
compare "$count x temporary table, by a client" 1.03 without with
kind=temporary_only count=500
compare "$count x temporary table, nothing else" 1.03 without with
dropdb plain
dropdb guarded
