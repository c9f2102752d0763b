"""`bench/run --rivals`: Tenantry, reference servers and rivals, measured in turns."""
import json
import sys
import time

import machine
import report
from contenders import REFERENCES, ROWS, SCENARIOS, Ceiling
from rival_servers import RIVAL_SERVERS
from tenantries import TENANTRIES

MANY = 10_000_000
# Connections, rounds, and seconds of one measurement.
FULL = ((32, 3, 2), (256, 2, 2))
QUICK = ((32, 1, 1),)
# Tenantry runs two searches at a time, and refuses one when six of its owner run or wait.
SEARCH_CONNECTIONS = 6


def measured(contenders, load, rounds, seconds, members):
    """The figures of all scenarios with `load` connections.

    Each round begins with the next contender, so that none has a fixed position.
    """
    scenarios = {}
    for scenario in SCENARIOS:
        connections = SEARCH_CONNECTIONS if scenario == "search" else load
        able = [contender for contender in contenders if scenario in contender.plans]
        if scenario == "search" and load > QUICK[0][0]:
            continue  # it has been measured
        taken = {contender.name: [] for contender in able}
        for contender in able:
            # A run to warm up, in which each status is looked at. A failure counts as a failure of the scenario.
            warm_up = contender.measure(scenario, connections, 1, check=True)
            taken[contender.name].append({"per_second": 0, "failures": warm_up["failures"]})
        for turn in range(rounds):
            for step in range(len(able)):
                contender = able[(turn + step) % len(able)]
                taken[contender.name].append(contender.measure(scenario, connections, seconds))
        scenarios[scenario] = {name: summary(rounds) for name, rounds in taken.items()}
        show(scenario, connections, members, scenarios[scenario])
    return {"connections": load, "rounds": rounds, "seconds": seconds, "members": members, "scenarios": scenarios}


def summary(rounds):
    warm_up, *counted = rounds
    figures = report.summary(counted)
    figures["failures"] = warm_up["failures"] or figures["failures"]
    return figures


def show(scenario, connections, members, servers):
    what = f"{scenario}, {connections} connections, {members:,} members"
    print(f"\n{what:<58}", *(f"{head:>10}" for head in report.HEADS))
    for name, figures in servers.items():
        cells = (f"{report.shown(figures[figure]):>10}" for figure in report.FIGURES)
        print(f"  {name:<56}", *cells, figures["failures"] or "", flush=True)


def start(kinds, around, running):
    """Starts contenders; `running` is an ExitStack that stops them."""
    contenders = []
    for kind in kinds:
        began = time.monotonic()
        contender = kind(around)
        running.callback(contender.stop)
        contenders.append(contender)
        print(f"{contender.name}: ready in {time.monotonic() - began:.1f} s", file=sys.stderr)
    return contenders


def compare(around, running, quick, save):
    """Measures everybody, prints and saves the figures. Returns whether Tenantry answered all requests with 2xx."""
    contenders = start((*REFERENCES, *TENANTRIES, *RIVAL_SERVERS), around, running)
    loads = QUICK if quick else FULL
    result = {
        "machine": machine.description(),
        "date": time.strftime("%Y-%m-%d"),
        "versions": {contender.name: contender.version() for contender in contenders},
        "measured": [measured(contenders, *load, ROWS) for load in loads],
    }
    if not quick:
        result["measured"].append(many(contenders))
    if save:
        save.mkdir(parents=True, exist_ok=True)
        (save / "beside.json").write_text(json.dumps(result, indent=2) + "\n")
        (save / "beside.md").write_text(report.markdown(result))
        (save / "beside.svg").write_text(report.chart(result))
    failed = [
        f"{name}: {scenario}: {figures['failures']}"
        for one in result["measured"] for scenario, servers in one["scenarios"].items()
        for name, figures in servers.items() if figures["failures"]
    ]
    print(*failed, sep="\n", file=sys.stderr)
    return not any(line.startswith("Tenantry") for line in failed)


def many(contenders):
    """The figures of Tenantry with MANY members more. The rivals have stopped by then, so that they take no memory."""
    tenantries = [contender for contender in contenders if isinstance(contender, TENANTRIES)]
    for contender in contenders:
        if isinstance(contender, RIVAL_SERVERS):
            contender.stop()
    for contender in tenantries:
        began = time.monotonic()
        contender.add_members(MANY)
        print(f"{contender.name}: {MANY:,} members in {time.monotonic() - began:.0f} s", file=sys.stderr)
    ceiling = [contender for contender in contenders if isinstance(contender, Ceiling)]
    return measured([*ceiling, *tenantries], 32, 2, 2, MANY)
