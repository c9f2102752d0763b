"""`bench/run --rivals`: Tenantry, reference servers and rivals, measured in turns."""
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import machine
import report
from contenders import REFERENCES, ROWS, SCENARIOS, Ceiling
from rival_servers import RIVAL_SERVERS
from servers import Failed
from tenantries import TENANTRIES, PgbenchStatements

MANY = 10_000_000
# Tenantry runs two searches at a time, and refuses one when six of its owner run or wait.
SEARCH_CONNECTIONS = 6
# Those that are measured with many connections, and with MANY members, on whose number the others do not depend.
OF_CONNECTIONS = ("token_check", "get_by_id", "list", "create", "patch_organization", "mixed")
OF_MEMBERS = ("get_by_id", "get_by_external_id", "list", "create", "mixed")


@dataclass
class Load:
    """How each scenario is measured. Without a warm-up the measured runs look at the status of every answer."""
    connections: int
    rounds: int
    seconds: int
    warm_up: bool = True
    scenarios: tuple = SCENARIOS


# On two processors: 100 s to start, 570 s, 190 s, 150 s to add MANY members, 80 s.
FULL = (Load(32, 3, 2), Load(256, 2, 2, False, OF_CONNECTIONS))
FULL_MANY = Load(32, 2, 2, scenarios=OF_MEMBERS)
QUICK = (Load(32, 1, 1, False),)


def measured(contenders, load, members):
    """The figures of all scenarios.

    Each round begins with the next contender, so that none has a fixed position.
    """
    scenarios = {}
    for scenario in load.scenarios:
        connections = SEARCH_CONNECTIONS if scenario == "search" else load.connections
        able = [contender for contender in contenders if contender.absent or scenario in contender.plans]
        warm_ups, rounds = {}, {contender.name: [] for contender in able}
        for contender in able if load.warm_up else ():
            warm_ups[contender.name] = figures_of(contender, scenario, connections, contender.warm_up, True)
        for turn in range(load.rounds):
            for step in range(len(able)):
                contender = able[(turn + step) % len(able)]
                figures = figures_of(contender, scenario, connections, load.seconds, not load.warm_up)
                rounds[contender.name].append(figures)
        scenarios[scenario] = {name: report.summary(taken) for name, taken in rounds.items()}
        for name, figures in warm_ups.items():
            scenarios[scenario][name]["failures"] = figures["failures"] or scenarios[scenario][name]["failures"]
        show(scenario, connections, members, scenarios[scenario])
    return {
        "connections": load.connections, "rounds": load.rounds, "seconds": load.seconds, "members": members,
        "scenarios": scenarios,
    }


def figures_of(contender, scenario, connections, seconds, check):
    """The figures of one run, or what went wrong."""
    if contender.absent:
        return {"failures": "not measured"}
    try:
        return contender.measure(scenario, connections, seconds, check)
    except Exception as error:  # so that the others are measured
        return {"failures": one_line(error)}


def one_line(error):
    """The beginning and the end of what an error says."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:60]} ... {text[-130:]}"


def show(scenario, connections, members, servers):
    what = f"{scenario}, {connections} connections, {members:,} members"
    print(f"\n{what:<58}", *(f"{head:>10}" for head in report.HEADS))
    for name, figures in servers.items():
        cells = (f"{report.shown(figures[figure]):>10}" for figure in report.FIGURES)
        print(f"  {name:<56}", *cells, figures["failures"] or "", flush=True)


def start(kinds, around, running):
    """Starts contenders; `running` is an ExitStack that stops them. `absent` says why one could not be started."""
    contenders = []
    for kind in kinds:
        contender = kind(around)
        running.callback(contender.stop)
        contenders.append(contender)
        prepare(contender, contender.prepare)
    return contenders


def prepare(contender, step):
    """Does a step of the preparation. A contender that fails is absent from then on."""
    began = time.monotonic()
    try:
        step()
        print(f"{contender.name}: ready in {time.monotonic() - began:.1f} s", file=sys.stderr)
    except Exception as error:  # so that the others are measured
        contender.absent = f"not measured: {one_line(error)}"  # which is shown as its version
        print(f"{contender.name}: {error}", file=sys.stderr)
        contender.stop()


def compare(around, running, quick, save):
    """Measures everybody, prints and saves the figures. Returns whether Tenantry answered all requests with 2xx."""
    contenders = start((*REFERENCES, PgbenchStatements, *TENANTRIES, *RIVAL_SERVERS), around, running)
    versions = {contender.name: contender.absent or version(contender) for contender in contenders}
    everybody = []
    result = {
        "machine": machine.description(), "date": time.strftime("%Y-%m-%d"), "versions": versions,
        "measured": everybody,
    }
    steps = [lambda load=load: measured(contenders, load, ROWS) for load in (QUICK if quick else FULL)]
    for step in steps if quick else (*steps, lambda: many(contenders)):
        everybody.append(step())
        if save:  # after each, so that a run that is ended early has figures
            write(result, save)
    failed = [
        f"{name}: {scenario}: {figures['failures']}"
        for one in everybody for scenario, servers in one["scenarios"].items()
        for name, figures in servers.items() if figures["failures"]
    ]
    print(*failed, sep="\n", file=sys.stderr)
    return not any(line.startswith("Tenantry") for line in failed)


def write(result, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "beside.json").write_text(json.dumps(result, indent=2) + "\n")
    (folder / "beside.md").write_text(report.markdown(result))
    (folder / "beside.svg").write_text(report.chart(result))


def version(contender):
    try:
        return contender.version()
    except (Failed, OSError) as error:
        return one_line(error)


def many(contenders):
    """The figures of Tenantry with MANY members more. The rivals are stopped before, so that they take no memory."""
    for contender in contenders:
        if isinstance(contender, RIVAL_SERVERS):
            contender.stop()
    tenantries = [contender for contender in contenders if isinstance(contender, TENANTRIES)]
    present = [contender for contender in tenantries if not contender.absent]
    with ThreadPoolExecutor() as preparing:
        list(preparing.map(lambda contender: prepare(contender, lambda: contender.add_members(MANY)), present))
    ceiling = [contender for contender in contenders if isinstance(contender, Ceiling)]
    return measured([*ceiling, *tenantries], FULL_MANY, MANY)
