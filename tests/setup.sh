#!/usr/bin/env bash
# Installs what the suites need under tests/.cache and clients/*/node_modules.
# Does nothing for what is already there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# fresh FOLDER WANTED: whether FOLDER was made from just this.
fresh() { [[ "$(cat "$1/.wanted" 2>/dev/null || true)" == "$2" ]]; }

# environment FOLDER REQUIREMENTS: a Python environment with just these packages.
environment() {
  local venv="$1" requirements="$2" wanted
  wanted="$(python3 --version) $(sha256sum < "$requirements")"
  if ! fresh "$venv" "$wanted"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$requirements"
    "$venv/bin/python" -m pip check --disable-pip-version-check > /dev/null
    printf '%s\n' "$wanted" > "$venv/.wanted"
  fi
}

environment .cache/venv clients/python/requirements.txt
environment .cache/venv_1_0 clients/python_1_0/requirements.txt
environment .cache/venv_schemathesis schemathesis/requirements.txt

# modules FOLDER: the packages of its package-lock.json, none of which runs a script.
modules() {
  local folder="$1" wanted
  wanted="$(node --version) $(cat "$folder/package.json" "$folder/package-lock.json" | sha256sum)"
  if ! fresh "$folder/node_modules" "$wanted"; then
    (cd "$folder" && npm ci --ignore-scripts --silent --no-audit --no-fund)
    printf '%s\n' "$wanted" > "$folder/node_modules/.wanted"
  fi
}

modules clients/node
modules clients/prism
