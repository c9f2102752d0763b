#!/usr/bin/env bash
# Installs the packages that the suites need, under tests/.cache and in folders `node_modules`.
# A directory is made anew when the list of its packages, or the version of Python or Node, has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# is_current FOLDER INPUTS: whether FOLDER was made from these inputs.
is_current() { [[ "$(cat "$1/.inputs" 2>/dev/null || true)" == "$2" ]]; }

# python_environment FOLDER REQUIREMENTS: creates a Python environment with exactly these packages.
python_environment() {
  local venv="$1" requirements="$2" inputs
  inputs="$(python3 --version) $(sha256sum < "$requirements")"
  if ! is_current "$venv" "$inputs"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$requirements"
    "$venv/bin/python" -m pip check --disable-pip-version-check > /dev/null
    printf '%s\n' "$inputs" > "$venv/.inputs"
  fi
}

python_environment .cache/venv clients/python/requirements.txt
python_environment .cache/venv_1_0 clients/python_1_0/requirements.txt
python_environment .cache/venv_schemathesis schemathesis/requirements.txt
python_environment .cache/venv_browser browser/requirements.txt
python_environment .cache/venv_tls tls/requirements.txt

# node_modules FOLDER: installs the packages of its package-lock.json without running their install scripts.
node_modules() {
  local folder="$1" inputs
  inputs="$(node --version) $(cat "$folder/package.json" "$folder/package-lock.json" | sha256sum)"
  if ! is_current "$folder/node_modules" "$inputs"; then
    (cd "$folder" && npm ci --ignore-scripts --silent --no-audit --no-fund)
    printf '%s\n' "$inputs" > "$folder/node_modules/.inputs"
  fi
}

node_modules clients/node
node_modules clients/prism
node_modules browser
