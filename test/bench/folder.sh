#!/bin/bash
#
# folder.sh
#	  A folder of 200 migrations: migmgr-apply against dbmate, node-pg-migrate
#	  and sqitch, each as its manual says, in turn, each time in a new database.
#
# The same statements for all; the whole command counts, from its start to its
# end.  test/peers/provision installs the others; one that is not there is
# named and left out.
#
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
peers=/var/cache/migmgr/peers/node_modules/.bin
rounds=${ROUNDS:-5}
count=200
base='CREATE TABLE base (id bigint PRIMARY KEY, name text)'

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

# The statement of migration number $1, and its way back.
up() {
  case $(($1 % 4)) in
    0) echo "CREATE TABLE t$1 (id bigint PRIMARY KEY, name text NOT NULL, at timestamptz DEFAULT now());" ;;
    1) echo "ALTER TABLE base ADD COLUMN c$1 integer NOT NULL DEFAULT 0;" ;;
    2) echo "CREATE INDEX base_$1 ON base (name, id) WHERE id > $1;" ;;
    3) echo "CREATE VIEW v$1 AS SELECT id, name FROM base;" ;;
  esac
}
down() {
  case $(($1 % 4)) in
    0) echo "DROP TABLE t$1;" ;;
    1) echo "ALTER TABLE base DROP COLUMN c$1;" ;;
    2) echo "DROP INDEX base_$1;" ;;
    3) echo "DROP VIEW v$1;" ;;
  esac
}

mkdir "$work"/{migmgr,dbmate,node,sqitch} "$work"/sqitch/{deploy,revert}
printf '%%syntax-version=1.0.0\n%%project=bench\n\n' >"$work/sqitch/sqitch.plan"
printf '[core]\n\tengine = pg\n[user]\n\tname = Bench\n\temail = bench@example.com\n' >"$work/sqitch/sqitch.conf"
for ((i = 1; i <= count; i++)); do
  version=$((20240101000000 + i))
  printf '%s\n-- migmgr:down\n%s\n' "$(up "$i")" "$(down "$i")" >"$work/migmgr/${version}_m$i.sql"
  printf -- '-- migrate:up\n%s\n\n-- migrate:down\n%s\n' "$(up "$i")" "$(down "$i")" >"$work/dbmate/${version}_m$i.sql"
  printf -- '-- Up Migration\n%s\n\n-- Down Migration\n%s\n' "$(up "$i")" "$(down "$i")" >"$work/node/$((1704067200000 + i))_m$i.sql"
  printf 'BEGIN;\n%s\nCOMMIT;\n' "$(up "$i")" >"$work/sqitch/deploy/m$i.sql"
  printf 'BEGIN;\n%s\nCOMMIT;\n' "$(down "$i")" >"$work/sqitch/revert/m$i.sql"
  printf 'm%d 2024-01-01T00:%02d:%02dZ Bench <bench@example.com> # number %d\n' "$i" $((i / 60)) $((i % 60)) "$i" >>"$work/sqitch/sqitch.plan"
done

createdb plain
createdb managed
sql -d plain -c "$base"
sql -d managed -c 'CREATE EXTENSION migmgr' -c "$base"

# Each applies the folder to database "copy".
url="postgres://$PGUSER@localhost:$PGPORT/copy?host=$PGHOST&sslmode=disable"
run_migmgr() { migmgr-apply --yes -d copy "$work/migmgr"; }
run_dbmate() { "$peers/dbmate" --url "$url" --no-dump-schema --migrations-dir "$work/dbmate" migrate; }
run_node() { DATABASE_URL=$url "$peers/node-pg-migrate" up -m "$work/node"; }
run_node_each() { run_node --no-single-transaction; }
run_sqitch() { (cd "$work/sqitch" && sqitch --quiet deploy "db:pg:copy"); }

# ms of one run, in a new database; fails when not all of it is there.
timed() { # TOOL
  local start end made template=plain
  [ "$1" != migmgr ] || template=managed
  dropdb --if-exists copy 2>/dev/null
  createdb -T "$template" copy
  start=$(date +%s%N)
  "run_$1" >"$work/out" 2>&1 || { tail -n 5 "$work/out" >&2; return 1; }
  end=$(date +%s%N)
  made=$(sql -d copy -c "SELECT count(*) FROM pg_class WHERE relname ~ '^(t|v|base_)[0-9]+$'")
  [ "$made" = $((count * 3 / 4)) ] || { echo "$1 made $made objects" >&2; return 1; }
  echo $(((end - start) / 1000000))
}

tools=(migmgr)
[ -x "$peers/dbmate" ] && tools+=(dbmate) || echo "left out: no dbmate in $peers"
if [ -x "$peers/node-pg-migrate" ]; then tools+=(node node_each); else echo "left out: no node-pg-migrate in $peers"; fi
command -v sqitch >/dev/null && tools+=(sqitch) || echo "left out: sqitch is not installed"

declare -A times
for ((round = 0; round <= rounds; round++)); do
  for tool in "${tools[@]}"; do
    ms=$(timed "$tool") || { echo "$tool failed"; exit 1; }
    # the first round warms up
    [ "$round" = 0 ] || times[$tool]+=" $ms"
  done
done

declare -A labels=(
  [migmgr]="migmgr-apply"
  [dbmate]="dbmate migrate"
  [node]="node-pg-migrate, one transaction"
  [node_each]="node-pg-migrate, one each"
  [sqitch]="sqitch deploy"
)
printf '%-34s %9s %9s %9s %7s\n' "$count migrations, $rounds rounds" "ms" "median" "each" "ratio"
for tool in "${tools[@]}"; do
  # shellcheck disable=SC2086 # a list of numbers
  read -r low middle <<<"$(printf '%s\n' ${times[$tool]} | sort -g | awk '{ v[NR] = $1 } END { print v[1], v[int((NR + 1) / 2)] }')"
  ours=${ours:-$low}
  awk -v label="${labels[$tool]}" -v low="$low" -v middle="$middle" -v ours="$ours" -v count="$count" 'BEGIN {
    printf "%-34s %9d %9d %9.2f %7.2f%s\n", label, low, middle, low / count, low / ours,
      (low < ours ? "  AHEAD OF US" : "") }'
done
