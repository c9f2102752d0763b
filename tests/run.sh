#!/usr/bin/env bash
# Runs the black-box suites against a built tenantry: run.sh [SUITE]...
# README.md lists the suites. Without an argument, or with `all`, every suite runs except `long`.
# The program is $TENANTRY_BIN, or target/release/tenantry. The exit status is 0 when all suites pass.
set -uo pipefail
tests="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export TENANTRY_BIN="$(realpath -m "${TENANTRY_BIN:-$tests/../target/release/tenantry}")"
export PYTHONDONTWRITEBYTECODE=1
cd "$tests"
./setup.sh || exit 1
python="$tests/.cache/venv/bin/python"

golden() { "$python" -m pytest -q -p no:cacheprovider golden && "$python" golden/replay.py; }
python() { "$python" -m pytest -q -p no:cacheprovider clients/python; }
python10() { "$tests/.cache/venv_1_0/bin/python" -m pytest -q -p no:cacheprovider clients/python_1_0; }
node_tests() { node --test clients/node/*/*.test.mjs; }

# How a screen looks does not depend on the engine, so the surveys of all screens run on SQLite alone. Two files run at a
# time, each with a server and a Chromium of its own.
browser() {
  local left_out=()
  [ "${TENANTRY_TEST_ENGINE:-}" != postgres ] || left_out=(--ignore=browser/test_screens.py --ignore=browser/test_docs.py)
  "$tests/.cache/venv_browser/bin/python" -m pytest -q -p no:cacheprovider -n 2 --dist loadfile "${left_out[@]}" browser
}

schemathesis() { "$tests/.cache/venv_schemathesis/bin/python" -m pytest -q -p no:cacheprovider schemathesis; }
go_tests() { (cd clients/go && go vet ./... && go test -count=1 ./...); }
crash() { "$python" crash/crash.py && "$python" crash/ends.py; }
race() { "$python" crash/race.py; }
storm() { "$python" storm/storm.py; }
backup() { "$python" backup/backup.py; }
moving() { "$python" backup/moving.py; }
metrics() { "$python" metrics/metrics.py; }
tls() { "$tests/.cache/venv_tls/bin/python" tls/tls.py; }
instructions() { "$python" instructions/instructions.py; }
deploy() { "$python" deploy/deploy.py; }

# cluster_scripts NAME...: runs scripts of cluster/ one after the other and prints the output of each when it ends.
cluster_scripts() {
  local script output status=0
  for script; do
    output="$("$python" "cluster/$script.py" 2>&1)" || status=1
    printf '%s\n' "$output"
  done
  return "$status"
}

cluster() {
  local status=0 background
  # These three mostly wait for timeouts, so they run beside the others.
  cluster_scripts failover stall budgets & background=$!
  cluster_scripts nodes rolling move webhooks revocation tls races workers || status=1
  wait "$background" || status=1
  return "$status"
}

long() { "$python" cluster/long.py; }

# Runs the suites that use one server again, with the server on PostgreSQL; some also through PgBouncer.
on_postgres() {
  local suite status=0
  for suite in golden python python10 node go browser metrics crash race storm; do
    TENANTRY_TEST_ENGINE=postgres ./postgres.sh ./run.sh "$suite" || status=1
  done
  TENANTRY_TEST_ENGINE=postgres ./postgres.sh ./pgbouncer.sh ./run.sh golden race || status=1
  return "$status"
}

# Runs the suites that use one server again, with its tables on the shards of a Citus; says so where it is not installed.
on_citus() { TENANTRY_TEST_ENGINE=postgres ./citus.sh ./run.sh golden python python10 node go crash race storm; }

status=0
failed=()
outputs="$(mktemp -d)"
trap 'rm -r "$outputs"' EXIT
# run NAME [FUNCTION]: runs a suite and prints its duration. When it fails, the last lines of its output are printed once
# more at the end of all suites, where a reader looks first.
run() {
  local begun=$SECONDS
  echo "== $1"
  "${2:-$1}" 2>&1 | tee "$outputs/$1" || { status=1; failed+=("$1"); echo "== $1 failed"; }
  echo "== $1 took $((SECONDS - begun)) s"
}

# Runs every suite except `long`. A suite and its server seldom use two processors together, so two rows of suites run
# side by side; the output of the second comes at its end. The cluster suite measures times and runs alone.
all() {
  local background
  (
    trap - EXIT
    status=0
    run postgres on_postgres; run schemathesis; run backup; run metrics; run instructions; run deploy
    printf '%s\n' "${failed[@]}" >"$outputs/failed in the background"
    exit "$status"
  ) >"$outputs/background" 2>&1 & background=$!
  run golden; run python; run python10; run node node_tests; run go go_tests; run browser
  run crash; run race; run storm; run moving; run tls
  wait "$background" || { status=1; mapfile -t -O "${#failed[@]}" failed <"$outputs/failed in the background"; }
  cat "$outputs/background"
  run cluster
  run citus on_citus
}

for suite in "${@:-all}"; do
  case "$suite" in
    golden | python | python10 | browser | schemathesis | crash | race | storm | backup | moving | metrics | tls | instructions | deploy | cluster | long) run "$suite" ;;
    go) run go go_tests ;;
    postgres) run postgres on_postgres ;;
    citus) run citus on_citus ;;
    node) run node node_tests ;;
    all) all ;;
    *) echo "usage: run.sh [golden|python|python10|node|go|browser|schemathesis|crash|race|storm|backup|moving|metrics|tls|instructions|deploy|cluster|postgres|citus|all|long]..." >&2; exit 2 ;;
  esac
done

for suite in "${failed[@]}"; do
  printf '\n== last lines of %s, which failed\n' "$suite"
  tail -n 60 "$outputs/$suite"
done
exit "$status"
