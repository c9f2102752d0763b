#!/usr/bin/env bash
# Installs what the suites need under tests/.cache. Does nothing when it is already there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

requirements=clients/python/requirements.txt
venv=.cache/venv
wanted="$(python3 --version) $(sha256sum < "$requirements")"
if [[ "$(cat "$venv/.wanted" 2>/dev/null || true)" != "$wanted" ]]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$requirements"
  "$venv/bin/python" -m pip check --disable-pip-version-check > /dev/null
  printf '%s\n' "$wanted" > "$venv/.wanted"
fi
