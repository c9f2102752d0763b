#!/usr/bin/env python3
"""Loses one of two workers of a Citus under load: tenants on the other one must be served all the while.

kill      The worker is killed, and started again later.
freeze    The worker neither answers nor refuses any more, and goes on later.

The tenants of the lost worker get 503 or 504 meanwhile, /readyz says `degraded` with status 200, and afterwards no
answered write is lost or done twice. Without the extension Citus this says that it is skipped.
"""
import argparse
import sys
import time
from collections import Counter
from contextlib import ExitStack

from cluster import Cluster, eventually, get, report, rows_of, takes_writes
from citus import MISSING, is_installed  # after cluster, which adds the directory lib to the path
from load import Journal, Load, create_tenants, faults

DATABASE = "tenantry"
TENANTS_EACH = 2  # on each worker
WRITERS, READERS = 4, 3  # for the tenants of each worker
# Requests that were under way when the worker was lost may fail on both workers.
DETECTION_S = 1.0
# The longest time in which no write of the other worker's tenants is answered. A statement that waits for a frozen worker
# holds up its connection until it is closed, after 15 s.
GAP_S = {"kill": 3, "freeze": 20}


def tenants_by_worker(commands, citus, base):
    """Creates tenants until each worker has enough, and returns those of each worker."""
    found = [[] for _ in citus.workers]
    while min(map(len, found)) < TENANTS_EACH:
        for tenant in create_tenants(commands, base, 1):
            found[citus.workers.index(citus.worker_of(tenant.id, DATABASE))].append(tenant)
    return found


def merged(journals):
    whole = Journal()
    for journal in journals:
        whole.created |= journal.created
        for name in ("counted", "faults", "failures", "writes"):
            getattr(whole, name).extend(getattr(journal, name))
        whole.reads += journal.reads
        whole.replays += journal.replays
    return whole


def lose(form, citus, node, tenants, options):
    """Loses the last worker under load and brings it back. Returns checks, figures and the journal."""
    worker, checks = citus.workers[-1], []
    with ExitStack() as stack:
        served, stopped = [stack.enter_context(Load(node.base, of_worker, None, WRITERS, READERS))
                           for of_worker in (tenants[0], tenants[-1])]
        for load in (served, stopped):
            load.wait_for_writes(options.writes)
        served.longest_gap = 0.0
        lost = time.monotonic()
        worker.kill() if form == "kill" else worker.freeze()
        answers = []

        def is_over():
            answers.append(get(node.base, "/readyz"))
            return time.monotonic() - lost > options.away
        eventually(is_over, options.away + 30, "the worker was away")
        back = time.monotonic()
        gap = max(served.longest_gap, back - served._last_answer)
        worker.start() if form == "kill" else worker.thaw()
        citus.wait_until_recovered(DATABASE)
        for load in (served, stopped):
            load.wait_for_writes(options.writes)
        recovered = time.monotonic() - back
        eventually(lambda: takes_writes(node.base), 30, "/readyz says ok again")
    failures = [failure for failure in served.journal.failures if failure.begun > lost + DETECTION_S]
    under_way = [failure for failure in served.journal.failures if lost <= failure.begun <= lost + DETECTION_S]
    checks.append((f"{form}: tenants of the other worker are served", list(map(str, failures))
                   + [f"no write was answered for {gap:.1f} s, the bound is {GAP_S[form]} s"] * (gap > GAP_S[form])))
    meanwhile = [failure for failure in stopped.journal.failures if failure.ended > lost + DETECTION_S]
    checks.append((f"{form}: tenants of the lost worker get 503 or 504",
                   [str(failure) for failure in meanwhile if failure.status not in (503, 504)]
                   + ["none of their requests failed"] * (not meanwhile)))
    # The first answers can be older than the loss.
    ready = Counter((answer.status, "degraded" in answer.text) if answer else None for answer in answers[20:])
    checks.append((f"{form}: /readyz is degraded with 200", [] if set(ready) == {(200, True)} else [str(dict(ready))]))
    figures = {"writes of the other tenants": len(served.journal.writes), "reads of theirs": served.journal.reads,
               "failed with the loss": len(under_way), "failed later": len(failures),
               "longest gap between their answered writes, seconds": round(gap, 2),
               "seconds without the worker": round(back - lost, 1),
               "failed meanwhile on the lost worker": dict(Counter(failure.status for failure in meanwhile)),
               "seconds until its tenants were served again": round(recovered, 1)}
    return checks, figures, [served.journal, stopped.journal]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--form", choices=("kill", "freeze"), action="append", help="run only this form; may be repeated")
    parser.add_argument("--writes", type=int, default=80, help="writes before and after the loss")
    parser.add_argument("--away", type=float, default=15, help="seconds without the worker")
    options = parser.parse_args()
    if not is_installed():
        print(f"workers: {MISSING}")
        return 0
    checks, figures = [], {}
    for form in options.form or ("kill", "freeze"):
        with Cluster() as cluster:
            citus = cluster.citus()
            database = citus.create_database(DATABASE)
            commands = cluster.command_line(database)
            commands.run("migrate", "--distribute")
            node = cluster.node("node0", database).start()
            tenants = tenants_by_worker(commands, citus, node.base)
            try:
                found, figures[form], journals = lose(form, citus, node, tenants, options)
                found.append((f"{form}: no write is lost or done twice",
                              faults(node.base, sum(tenants, []), merged(journals), rows_of(citus.coordinator))))
            except (OSError, RuntimeError) as error:
                found = [(f"{form}: it ran to its end", [repr(error), node.log()])]
            checks += found
    return report("workers", checks, figures)


if __name__ == "__main__":
    sys.exit(main())
