#!/usr/bin/env python3
"""Runs the suites one after the other with more rounds and larger sizes, and prints one table of their figures.

Includes runs that the short forms leave out. A suite that has not begun after `--minutes` is not started and counts as
failed.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SUITE_S = 900  # after which a suite is interrupted
ON_POSTGRES = ["./postgres.sh"]
# The name of each run, and its command.
SUITES = [
    ("nodes", ["cluster/nodes.py", "--rounds", "4", "--writes", "300"]),
    ("nodes through PgBouncer", ["cluster/nodes.py", "--pooler", "--rounds", "2", "--writes", "200"]),
    ("failover", ["cluster/failover.py", "--writes", "400", "--away", "70"]),
    ("failover through PgBouncer", ["cluster/failover.py", "--pooler", "--form", "kill", "--form", "standby", "--away", "70"]),
    ("stall", ["cluster/stall.py", "--rounds", "2", "--long", "30"]),
    ("rolling", ["cluster/rolling.py", "--rounds", "2", "--build-next"]),
    ("move", ["cluster/move.py", "--writes", "400"]),
    ("webhooks", ["cluster/webhooks.py", "--whole-lease"]),
    ("revocation", ["cluster/revocation.py", "--rounds", "8"]),
    ("budgets", ["cluster/budgets.py", "--seconds", "20"]),
    ("races", ["cluster/races.py", "--rounds", "5"]),
    ("storm", ["storm/storm.py", "--requests", "5000", "--kills", "10"]),
    ("storm on PostgreSQL", ["storm/storm.py", "--requests", "3000", "--kills", "6"]),
    ("backup", ["backup/backup.py"]),
    ("schemathesis on PostgreSQL", [".cache/venv_schemathesis/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                                    "schemathesis"]),
    ("HTTP on partitions", ["cargo", "test", "--workspace", "--locked", "--test", "it"]),
]
# The environment by the end of a name. "on partitions" distributes tables, with partitions in place of shards.
ENVIRONMENTS = {
    "on PostgreSQL": {"TENANTRY_TEST_ENGINE": "postgres"},
    "on partitions": {"TENANTRY_TEST_ENGINE": "postgres", "TENANTRY_TEST_CITUS": "stand-in"},
}


def end(process):
    """Stops a suite and everything that it started: first with SIGINT, so that servers shut down, then with SIGKILL."""
    for sign, seconds in ((signal.SIGINT, 90), (signal.SIGKILL, 30)):
        try:
            os.killpg(process.pid, sign)
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


def run(command, environment):
    """Runs a suite, with a PostgreSQL server where the environment asks for that engine. Returns its output and its exit
    status."""
    command = [*(ON_POSTGRES if environment else []), *([sys.executable] if command[0].endswith(".py") else []), *command]
    # A file and not a pipe: a process that the suite leaves behind would keep the pipe open.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out:
        process = subprocess.Popen(command, cwd=TESTS, env={**os.environ, **environment}, stdout=out,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code, note = process.wait(SUITE_S), ""
        except subprocess.TimeoutExpired:
            code, note = 124, f"\nnot finished within {SUITE_S} s"
        finally:
            end(process)
        out.seek(0)
        return out.read() + note, code


def figures(output):
    """Returns the lines for the table: the figures that `report` printed and the failed checks, or the last two lines."""
    lines = output.splitlines()
    found = re.findall(r"^[\w ]+: (\{.*\})$", output, re.MULTILINE)
    if not found:
        return lines[-2:]
    shown = []
    for name, value in json.loads(found[-1]).items():
        if isinstance(value, dict) and any(isinstance(part, (dict, list)) for part in value.values()):
            shown += [f"{name}: {inner}: {json.dumps(part)}" for inner, part in value.items()]
        else:
            shown.append(f"{name}: {json.dumps(value)}")
    return shown + [line.strip() for line in lines if line.strip().startswith("FAILED")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30, help="after which no suite is started")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="run only these, by their name in the table")
    options = parser.parse_args()
    begun, table = time.monotonic(), []
    for name, command in SUITES:
        if options.suites and name not in options.suites:
            continue
        if time.monotonic() - begun > options.minutes * 60:
            table.append((name, 0, "not started", []))
            continue
        print(f"== {name}", flush=True)
        started = time.monotonic()
        environment = next((value for ending, value in ENVIRONMENTS.items() if name.endswith(ending)), {})
        output, code = run(command, environment)
        print(output, flush=True)
        table.append((name, time.monotonic() - started, "passed" if code == 0 else f"failed ({code})", figures(output)))
    print(f"\n{'suite':28} {'seconds':>7}  outcome")
    for name, seconds, outcome, shown in table:
        print(f"{name:28} {seconds:7.0f}  {outcome}")
        print("".join(f"{'':37}{line}\n" for line in shown), end="")
    failed = [name for name, _, outcome, _ in table if outcome != "passed"]
    print(f"long: {len(table) - len(failed)} passed, {len(failed)} failed in {(time.monotonic() - begun) / 60:.1f} min")
    return 1 if failed or not table else 0


if __name__ == "__main__":
    sys.exit(main())
