#!/bin/bash
#
# guard.sh
#	  What the guard costs a session that does its own DDL, log included.
#
# Without: a database of the same server that has no migmgr, in a session that
# never loaded the library.
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

# In a copy that is thrown away, because what a file system takes to make files
# depends on the folder.  The second half of the session counts, when its caches
# are full.
resume=
half_session() { # TEMPLATE
  local part
  part=$($kind "$count")
  dropdb --if-exists copy 2>/dev/null
  createdb -T "$1" copy
  session_ms copy "$resume
$part
\\set pid :pid x" "$part" ""
}
without() { resume='' half_session plain; }
with() { resume="SELECT FROM migmgr.resume('copy');" half_session guarded; }

heading "the statements below" "$rounds"
kind=ddl count=50
compare "$count x CREATE TABLE, ALTER, CREATE INDEX" 1.05 without with
kind=temporary count=100
compare "$count x temporary table, by a client" 1.03 without with
kind=temporary_only count=200
compare "$count x temporary table, nothing else" 1.03 without with
dropdb copy
dropdb plain
dropdb guarded
