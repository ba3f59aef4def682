#!/bin/bash
#
# verify.sh
#	  verify() on a ledger of 100,000 entries: entries a second, and how much
#	  memory the session needs more than on one of half the size.
#
# The entries are migrations with a text, a statement and an object each, made
# by a superuser as a restore makes them: link by link, before resume().
#
set -eu
# shellcheck source=test/bench/measure
. test/bench/measure

# A database whose ledger has COUNT entries.
make_ledger() { # DATABASE COUNT
  createdb "$1"
  sql -d "$1" -o /dev/null -v count="$2" <<'SQL'
CREATE EXTENSION migmgr;
CREATE TEMPORARY TABLE entry (LIKE migmgr.ledger);
CREATE TEMPORARY TABLE text_of (seq bigint, text text);
INSERT INTO text_of SELECT s, format(E'ALTER TABLE t ADD COLUMN c%s integer;\n', s) FROM generate_series(2, :count) AS s;
SELECT set_config('bench.count', :'count', false);
DO $$
DECLARE
  e migmgr.ledger;
BEGIN
  e.hash := '';
  FOR i IN 1 .. current_setting('bench.count')::integer LOOP
    e.prev_hash := e.hash;
    e.seq := i;
    e.at := clock_timestamp();
    e.session_role := 'postgres';
    e.role := 'postgres';
    e.application := 'psql';
    IF i = 1 THEN
      e.event := 'epoch';
      e.detail := '{"home": "elsewhere"}';
    ELSE
      e.event := 'applied';
      e.version := lpad(i::text, 6, '0');
      e.name := 'number_' || i;
      e.checksum := migmgr.checksum(format(E'ALTER TABLE t ADD COLUMN c%s integer;\n', i));
      e.detail := '{"environment": "production", "class": "additive", "statements": 1, "ms": 3, "attempts": 1, "reversible": "no: no rollback script was given"}';
    END IF;
    e.hash := migmgr_internal.ledger_hash(e.prev_hash, e.seq, e.at, e.event, e.version, e.name, e.checksum,
      e.session_role, e.role, e.client, e.application, e.detail);
    INSERT INTO entry SELECT e.*;
  END LOOP;
END
$$;
INSERT INTO migmgr_internal.script (checksum, text, shape, stored)
  SELECT migmgr.checksum(t.text), t.text, migmgr_internal.shape(t.text), migmgr.checksum(t.text) FROM text_of AS t;
INSERT INTO migmgr_internal.statement (seq, n, line, command, object, class, rule, ms, sql)
  SELECT t.seq, 1, 1, 'ALTER TABLE', 'public.t', 'additive', 'add-column', 3, t.text FROM text_of AS t;
INSERT INTO migmgr_internal.object (seq, n, action, type, identity)
  SELECT t.seq, 1, 'changed', 'table', 'public.t' FROM text_of AS t;
CREATE TABLE t (id bigint);
INSERT INTO migmgr.ledger SELECT e.* FROM entry AS e ORDER BY e.seq;
SELECT migmgr.resume('benchmark');
VACUUM ANALYZE migmgr.ledger, migmgr_internal.script, migmgr_internal.statement, migmgr_internal.object;
SQL
}

# ms, and the most memory of its own that the session has had, in kB.
measure() { # DATABASE
  {
    echo "SELECT pg_backend_pid() AS pid \\gset"
    echo "\\setenv PID :pid"
    echo "\\o /dev/null"
    echo "SELECT clock_timestamp() AS began \\gset"
    echo "SELECT * FROM migmgr.verify();"
    echo "\\o"
    echo "SELECT extract(epoch FROM clock_timestamp() - :'began') * 1000;"
    echo "\\! awk '/VmHWM/ {n = \$2} /RssShmem|RssFile/ {n -= \$2} END {print n}' /proc/\$PID/status"
  } | sql -d "$1" | tr '\n' ' '
}

make_ledger small 50000
make_ledger large 100000
sql -d large -c "SELECT check_name, detail FROM migmgr.verify()
  WHERE check_name IN ('verify', 'chain', 'texts', 'objects')"

small_kb='' large_kb='' large_ms=''
for ((i = 0; i < rounds; i++)); do
  read -r _ kb <<<"$(measure small)"
  small_kb+=" $kb"
  read -r ms kb <<<"$(measure large)"
  large_ms+=" $ms" large_kb+=" $kb"
done

# shellcheck disable=SC2086 # lists of numbers
{
  low_and_middle $large_ms
  low_and_middle $small_kb
  low_and_middle $large_kb
} | awk -v rounds="$rounds" '
  {low[NR] = $1; middle[NR] = $2}
  END {
    printf "%-52s %12s %12s %8s\n", "verify() on 100,000 entries, " rounds " rounds", "best", "median", "limit"
    printf "%-52s %12.0f %12.0f\n", "ms", low[1], middle[1]
    printf "%-52s %12.0f %12.0f %8s%s\n", "entries a second", 1e8 / low[1], 1e8 / middle[1], "50000",
      (1e8 / low[1] < 50000 ? "  UNDER" : "")
    printf "%-52s %12.0f %12.0f\n", "memory of a session, kB, 50,000 entries", low[2], middle[2]
    printf "%-52s %12.0f %12.0f\n", "memory of a session, kB, 100,000 entries", low[3], middle[3]
  }'
dropdb small
dropdb large
