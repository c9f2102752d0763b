#!/usr/bin/env bash
# Runs a command with a PostgreSQL server of its own, which ends with it: postgres.sh COMMAND...
# The command finds the server in TENANTRY_TEST_POSTGRES, a URL without a database. Data is not kept: the
# server does not wait for the disk. Needs PostgreSQL's programs; run by root, the server is the user postgres's.
set -euo pipefail

bin="${POSTGRES_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1 || true)}"
[ -n "$bin" ] || bin="$(dirname "$(command -v initdb || true)")"
[ -x "$bin/initdb" ] || { echo "PostgreSQL is not installed: set POSTGRES_BIN to the folder of initdb" >&2; exit 1; }

directory="$(mktemp -d "${TMPDIR:-/tmp}/tenantry-postgres.XXXXXX")"
as=()
if [ "$(id -u)" -eq 0 ]; then
  chown postgres "$directory"
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups --)
fi

server=
finish() {
  # A fast shutdown: sessions that are still there are ended.
  [ -z "$server" ] || { kill -INT "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -rf "$directory"
}
trap finish EXIT

"${as[@]}" "$bin/initdb" -D "$directory/data" -U tenantry --auth=trust -E UTF8 --locale=C.UTF-8 -N >"$directory/log" 2>&1 ||
  { cat "$directory/log" >&2; exit 1; }
# No port: a socket in the folder, so that any number of servers can run.
(cd "$directory" && exec "${as[@]}" "$bin/postgres" -D "$directory/data" -k "$directory" -c listen_addresses= \
  -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=600 -c shared_buffers=256MB \
  ${POSTGRES_OPTIONS:-} >>"$directory/log" 2>&1) &
server=$!
until "$bin/pg_isready" -q -h "$directory" -d postgres; do
  kill -0 "$server" 2>/dev/null || { cat "$directory/log" >&2; exit 1; }
  sleep 0.1
done

export TENANTRY_TEST_POSTGRES="postgres://tenantry@/?host=${directory//\//%2F}"
status=0
"$@" || status=$?
exit "$status"
