#!/usr/bin/env bash
# Runs a command with a temporary PgBouncer in transaction mode in front of the server of TENANTRY_TEST_POSTGRES:
#
#   postgres.sh ./pgbouncer.sh COMMAND...
#
# TENANTRY_TEST_POOLER tells the command the URL of the PgBouncer, which stops when the command ends.
set -euo pipefail

: "${TENANTRY_TEST_POSTGRES:?run this script with postgres.sh}"
pgbouncer="$(command -v pgbouncer || true)"
[ -n "$pgbouncer" ] || pgbouncer=/usr/sbin/pgbouncer
[ -x "$pgbouncer" ] || { echo "PgBouncer was not found: install pgbouncer" >&2; exit 1; }
host="${TENANTRY_TEST_POSTGRES##*host=}"
directory="$(mktemp -d "${TMPDIR:-/tmp}/tenantry-pgbouncer.XXXXXX")"
as=()
if [ "$(id -u)" -eq 0 ]; then
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups --)
fi

pooler=
finish() {
  [ -z "$pooler" ] || { kill -INT "$pooler" 2>/dev/null || true; wait "$pooler" 2>/dev/null || true; }
  rm -rf "$directory"
}
trap finish EXIT

cat > "$directory/pgbouncer.ini" <<CONFIGURATION
[databases]
* = host=${host//%2F//} user=tenantry
[pgbouncer]
unix_socket_dir = $directory
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 500
CONFIGURATION
[ "$(id -u)" -ne 0 ] || chown -R postgres "$directory"
"${as[@]}" "$pgbouncer" -q "$directory/pgbouncer.ini" 2>"$directory/log" &
pooler=$!
deadline=$((SECONDS + 60))
until [ -S "$directory/.s.PGSQL.6432" ]; do
  kill -0 "$pooler" 2>/dev/null && ((SECONDS < deadline)) ||
    { echo "PgBouncer did not start within 60 s" >&2; cat "$directory/log" >&2; exit 1; }
  sleep 0.1
done

export TENANTRY_TEST_POOLER="postgres://tenantry@/?host=${directory//\//%2F}&port=6432&pooler=transaction"
status=0
"$@" || status=$?
exit "$status"
