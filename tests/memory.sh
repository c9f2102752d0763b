#!/usr/bin/env bash
# Runs a command with its temporary files in memory, where there is room: memory.sh COMMAND...
# Tests commit thousands of small transactions, and each waits for the disk otherwise. No test needs a disk: a power
# cut is simulated, and `kill -9` loses nothing that the process wrote.
set -euo pipefail

readonly MEMORY=/dev/shm NEEDED_KIB=$((3 * 1024 * 1024))

room="$(df --output=avail -k "$MEMORY" 2>/dev/null | tail -1 || true)"
if [ -n "${TMPDIR:-}" ] || [ ! -w "$MEMORY" ] || [ "${room:-0}" -lt "$NEEDED_KIB" ]; then
  exec "$@"
fi

TMPDIR="$(mktemp -d "$MEMORY/tenantry.XXXXXX")"
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# The server of postgres.sh runs as another user, which must find its folder in here.
chmod 711 "$TMPDIR"
status=0
"$@" || status=$?
exit "$status"
