#!/usr/bin/env bash
# Runs the black-box suites against a built tenantry: run.sh [golden|python|go|crash|race|all]...
# The program is $TENANTRY_BIN, or target/release/tenantry. Exit status 0 when all pass.
set -uo pipefail
tests="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export TENANTRY_BIN="$(realpath -m "${TENANTRY_BIN:-$tests/../target/release/tenantry}")"
export PYTHONDONTWRITEBYTECODE=1
cd "$tests"
./setup.sh || exit 1
python="$tests/.cache/venv/bin/python"

golden() { "$python" -m pytest -q -p no:cacheprovider golden && "$python" golden/replay.py; }
python() { "$python" -m pytest -q -p no:cacheprovider clients/python; }
go_tests() { (cd clients/go && go vet ./... && go test -count=1 ./...); }
crash() { "$python" crash/crash.py; }
race() { "$python" crash/race.py; }

status=0
run() {
  echo "== $1"
  "${2:-$1}" || { status=1; echo "== $1 failed"; }
}

for suite in "${@:-all}"; do
  case "$suite" in
    golden | python | crash | race) run "$suite" ;;
    go) run go go_tests ;;
    all) run golden; run python; run go go_tests; run crash; run race ;;
    *) echo "usage: run.sh [golden|python|go|crash|race|all]..." >&2; exit 2 ;;
  esac
done
exit "$status"
