#!/bin/bash
#
# derive.sh
#	  What it costs to derive the way back of a migration, and to prove it:
#	  two migrations as the runbooks have them, and one that changes what is
#	  there, applied with and without.
#
# Every round has a database as new as the first's.
#
set -eu
# shellcheck source=test/bench/measure
. test/bench/measure

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=20

createdb managed
sql -d managed -c 'CREATE EXTENSION migmgr'
sql -d managed >/dev/null <<'END'
CREATE TABLE base (id bigint PRIMARY KEY, status text, name text, at timestamptz);
INSERT INTO base SELECT g, 'done', 'name ' || g, now() FROM generate_series(1, 10000) AS g;
END

queue() {
  cat <<END
CREATE TABLE queue_$1 (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), job_id text NOT NULL, job_type text NOT NULL, payload jsonb NOT NULL,
  failure_reason text NOT NULL, attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0), status text NOT NULL DEFAULT 'pending',
  organisation uuid, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX queue_$1_job ON queue_$1 (job_id);
CREATE INDEX queue_$1_status ON queue_$1 (status);
CREATE INDEX queue_$1_created ON queue_$1 (created_at DESC);
CREATE FUNCTION queue_$1_touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON queue_$1 FOR EACH ROW EXECUTE FUNCTION queue_$1_touch();
ALTER TABLE queue_$1 ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON queue_$1 USING (organisation IS NOT NULL);
COMMENT ON TABLE queue_$1 IS 'queue number $1';
END
}
heartbeat() {
  cat <<END
ALTER TABLE base ADD COLUMN beat_$1 timestamptz;
CREATE INDEX base_beat_$1 ON base (beat_$1);
CREATE INDEX base_running_$1 ON base (beat_$1) WHERE status = 'running';
END
}
change() {
  cat <<END
ALTER TABLE base ALTER COLUMN name SET DEFAULT 'name $1';
CREATE INDEX base_name_$1 ON base (name, at);
END
}

# The script runs in a copy, which is thrown away.
in_copy() { # FILE
  dropdb --if-exists copy 2>/dev/null
  createdb -T managed copy
  session_ms copy "SET client_min_messages = error; SELECT migmgr.set_environment('development');" "$(cat "$work/$1.sql")" ""
}
without() { in_copy without; }
derived() { in_copy derived; }
proved() { in_copy proved; }

heading "$count migrations in one session" "$rounds"
# What changes is described before and after: that has no limit, but a price.
for kind in queue heartbeat change; do
  limits=(1.3 2.2)
  [ "$kind" != change ] || limits=('' '')
  for mode in without derived proved; do
    case $mode in
      without) options='{"derive": false}' ;;
      derived) options='{"proof": "off"}' ;;
      proved) options='{"proof": "force"}' ;;
    esac
    for ((i = 1; i <= count; i++)); do
      # shellcheck disable=SC2016 # dollar quotes
      printf 'SELECT * FROM migmgr.apply($$%03d$$, $$number_%d$$, $sql$%s\n$sql$, options => $${"x": 0}$$);\n' \
        "$i" "$i" "$($kind "$i")" | sed "s/{\"x\": 0}/$options/"
    done >"$work/$mode.sql"
  done
  compare "$kind: derived" "${limits[0]}" without derived
  compare "$kind: derived and proved" "${limits[1]}" without proved
done
