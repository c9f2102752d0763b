#!/usr/bin/env python3
"""The long forms: each suite with more rounds, greater sizes and what the short forms leave out, one after the other;
then one table of what they found. What would begin after the time that all of it may take is not begun, and counts as
failed."""
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
SUITE_S = 900  # for one suite; then it is interrupted, and ends what it began
ON_POSTGRES = ["./postgres.sh"]
# What it is called, and the command.
SUITES = [
    ("nodes", ["cluster/nodes.py", "--rounds", "4", "--writes", "300"]),
    ("nodes through PgBouncer", ["cluster/nodes.py", "--pooler", "--rounds", "2", "--writes", "200"]),
    ("failover", ["cluster/failover.py", "--writes", "400", "--away", "70"]),
    ("failover through PgBouncer", ["cluster/failover.py", "--pooler", "--form", "kill", "--form", "standby", "--away", "70"]),
    ("stall", ["cluster/stall.py", "--rounds", "2", "--forgotten", "30"]),
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
# What the end of a name says of the database: where rows are spread, partitions stand in for shards.
ENVIRONMENTS = {
    "on PostgreSQL": {"TENANTRY_TEST_ENGINE": "postgres"},
    "on partitions": {"TENANTRY_TEST_ENGINE": "postgres", "TENANTRY_TEST_CITUS": "stand-in"},
}


def end(process):
    """Ends a suite with all that it started: its servers in order, if they do so in time."""
    for sign, seconds in ((signal.SIGINT, 90), (signal.SIGKILL, 30)):
        try:
            os.killpg(process.pid, sign)
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


def play(command, environment):
    """Runs a suite, with a server of PostgreSQL's where the environment names the engine; what it wrote, and its exit
    code."""
    command = [*(ON_POSTGRES if environment else []), *([sys.executable] if command[0].endswith(".py") else []), *command]
    # A file, not a pipe: what it leaves running keeps nobody waiting.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out:
        process = subprocess.Popen(command, cwd=TESTS, env={**os.environ, **environment}, stdout=out,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code, told = process.wait(SUITE_S), ""
        except subprocess.TimeoutExpired:
            code, told = 124, f"\nnot done within {SUITE_S} s"
        finally:
            end(process)
        out.seek(0)
        return out.read() + told, code


def figures(written):
    """The lines of what a suite wrote that say how it went."""
    lines = written.splitlines()
    found = re.findall(r"^[\w ]+: (\{.*\})$", written, re.MULTILINE)
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
    parser.add_argument("--minutes", type=float, default=30, help="after which nothing more is begun")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="those to run; all unless given")
    options = parser.parse_args()
    begun, table = time.monotonic(), []
    for name, command in SUITES:
        if options.suites and name not in options.suites:
            continue
        if time.monotonic() - begun > options.minutes * 60:
            table.append((name, 0, "not begun", []))
            continue
        print(f"== {name}", flush=True)
        started = time.monotonic()
        environment = next((value for end_of, value in ENVIRONMENTS.items() if name.endswith(end_of)), {})
        written, code = play(command, environment)
        print(written, flush=True)
        table.append((name, time.monotonic() - started, "passed" if code == 0 else f"failed ({code})", figures(written)))
    print(f"\n{'suite':28} {'seconds':>7}  outcome")
    for name, seconds, outcome, shown in table:
        print(f"{name:28} {seconds:7.0f}  {outcome}")
        print("".join(f"{'':37}{line}\n" for line in shown), end="")
    failed = [name for name, _, outcome, _ in table if outcome != "passed"]
    print(f"long: {len(table) - len(failed)} passed, {len(failed)} failed in {(time.monotonic() - begun) / 60:.1f} min")
    return 1 if failed or not table else 0


if __name__ == "__main__":
    sys.exit(main())
