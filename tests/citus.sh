#!/usr/bin/env bash
# Runs a command with a temporary Citus cluster of a coordinator and two workers, which stops when the command ends:
#
#   citus.sh COMMAND...
#   TENANTRY_TEST_ENGINE=postgres citus.sh cargo test --workspace --locked --test it
#   TENANTRY_TEST_ENGINE=postgres citus.sh tests/run.sh golden
#
# TENANTRY_TEST_POSTGRES tells the command the URL of the coordinator, TENANTRY_TEST_CITUS the addresses of the workers,
# and TENANTRY_TEST_CITUS_LOCK a file that is locked while a node is added.
# Every test database is created on all three, and its tables are distributed before the test begins. Needs the programs
# of PostgreSQL and the extension Citus. Without the extension it says that it skips the command, and ends with 0, or with
# 69 when CITUS_REQUIRED is set. There,
#
#   TENANTRY_TEST_CITUS=stand-in TENANTRY_TEST_ENGINE=postgres postgres.sh COMMAND...
#
# runs the same with partitions in place of shards. When root runs this, the servers run as the user postgres.
set -euo pipefail

bin="${POSTGRES_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)}"
[ -n "$bin" ] || bin="$(dirname "$(command -v initdb || true)")"
[ -x "$bin/initdb" ] || { echo "PostgreSQL was not found: install it, or set POSTGRES_BIN to the directory of initdb" >&2; exit 69; }
libraries="$("$bin/pg_config" --pkglibdir 2>/dev/null || echo "$(dirname "$bin")/lib")"
if [ ! -e "$libraries/citus.so" ]; then
  echo "skipped, since this PostgreSQL does not have the extension Citus ($libraries/citus.so): $*" >&2
  [ -z "${CITUS_REQUIRED:-}" ] || exit 69
  exit 0
fi

directory="$(mktemp -d "${TMPDIR:-/tmp}/tenantry-citus.XXXXXX")"
as=()
if [ "$(id -u)" -eq 0 ]; then
  chown postgres "$directory"
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups --)
fi

servers=()
finish() {
  local server
  for server in "${servers[@]}"; do kill -INT "$server" 2>/dev/null || true; done
  for server in "${servers[@]}"; do wait "$server" 2>/dev/null || true; done
  rm -rf "$directory"
}
trap finish EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start NAME PORT: starts a server. It has few shards, because every test has its own database, and enough worker
# processes for one background worker in each database.
start() {
  local data="$directory/$1" port="$2" server
  "${as[@]}" "$bin/initdb" -D "$data" -U tenantry --auth=trust -E UTF8 --locale=C.UTF-8 -N >"$data.log" 2>&1 ||
    { cat "$data.log" >&2; exit 1; }
  (cd "$directory" && exec "${as[@]}" "$bin/postgres" -D "$data" -p "$port" -k "$directory" -c listen_addresses=127.0.0.1 \
    -c shared_preload_libraries=citus -c citus.shard_count="${CITUS_SHARDS:-4}" -c citus.node_conninfo=sslmode=prefer \
    -c max_connections=600 -c max_prepared_transactions=600 -c max_worker_processes=200 -c shared_buffers=128MB \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off ${POSTGRES_OPTIONS:-} >>"$data.log" 2>&1) &
  server=$!
  servers+=("$server")
  local deadline=$((SECONDS + 60))
  until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" -d postgres; do
    kill -0 "$server" 2>/dev/null && ((SECONDS < deadline)) ||
      { echo "the PostgreSQL server $1 did not start within 60 s" >&2; cat "$data.log" >&2; exit 1; }
    sleep 0.1
  done
}

coordinator="$(free_port)"; start coordinator "$coordinator"
first="$(free_port)"; start worker1 "$first"
second="$(free_port)"; start worker2 "$second"

export TENANTRY_TEST_POSTGRES="postgres://tenantry@127.0.0.1:$coordinator"
export TENANTRY_TEST_CITUS="127.0.0.1:$first,127.0.0.1:$second"
export TENANTRY_TEST_CITUS_LOCK="$directory/lock"
status=0
"$@" || status=$?
exit "$status"
