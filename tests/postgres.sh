#!/usr/bin/env bash
# Runs a command with a temporary PostgreSQL server, which stops when the command ends: postgres.sh COMMAND...
# TENANTRY_TEST_POSTGRES tells the command the server's URL, without a database. The server does not wait for the disk,
# because its data is thrown away. Needs the programs of PostgreSQL. When root runs this, the server runs as the user
# postgres.
set -euo pipefail

bin="${POSTGRES_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1 || true)}"
[ -n "$bin" ] || bin="$(dirname "$(command -v initdb || true)")"
[ -x "$bin/initdb" ] || { echo "PostgreSQL was not found: install it, or set POSTGRES_BIN to the directory of initdb" >&2; exit 1; }

directory="$(mktemp -d "${TMPDIR:-/tmp}/tenantry-postgres.XXXXXX")"
as=()
if [ "$(id -u)" -eq 0 ]; then
  chown postgres "$directory"
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups --)
fi

server=
finish() {
  # SIGINT is a fast shutdown, which ends the open sessions.
  [ -z "$server" ] || { kill -INT "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -rf "$directory"
}
trap finish EXIT

"${as[@]}" "$bin/initdb" -D "$directory/data" -U tenantry --auth=trust -E UTF8 --locale=C.UTF-8 -N >"$directory/log" 2>&1 ||
  { cat "$directory/log" >&2; exit 1; }
# A Unix socket in the directory and no TCP port, so that any number of servers can run at the same time.
(cd "$directory" && exec "${as[@]}" "$bin/postgres" -D "$directory/data" -k "$directory" -c listen_addresses= \
  -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=600 -c shared_buffers=256MB \
  ${POSTGRES_OPTIONS:-} >>"$directory/log" 2>&1) &
server=$!
deadline=$((SECONDS + 60))
until "$bin/pg_isready" -q -h "$directory" -d postgres; do
  kill -0 "$server" 2>/dev/null && ((SECONDS < deadline)) ||
    { echo "PostgreSQL did not start within 60 s" >&2; cat "$directory/log" >&2; exit 1; }
  sleep 0.1
done

export TENANTRY_TEST_POSTGRES="postgres://tenantry@/?host=${directory//\//%2F}"
status=0
"$@" || status=$?
exit "$status"
