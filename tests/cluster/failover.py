#!/usr/bin/env python3
"""Loses the primary or its synchronous standby under load, and measures the recovery.

kill      The primary is killed and the standby promoted.
freeze    The primary neither answers nor refuses any more, as when its machine or network hangs, and the standby is
          promoted. As with `kill`, each node finds the new primary by itself within a bound.
standby   The standby is killed. Reads continue. Writes wait and fail as documented, and work again once it is back.

No answered write may be lost in any of these.
"""
import argparse
import sys
import threading
import time
from collections import Counter

from cluster import MAX_CONNECTIONS_PER_NODE, Cluster, eventually, report, rows_of, takes_writes
from harness import Connection
from load import Load, create_tenants, faults, write_directly

# Bounds in seconds for the gap between two answered writes, and for each node to be ready and write again. A connection
# to a frozen host is closed 15 s after a statement was sent on it, each connection by itself.
WRITE_GAP_S = {"kill": 20, "freeze": 30}
RECOVERY_S = {"kill": 20, "freeze": 60}
STANDBY_AWAY_S = 40  # longer than a node waits for an answer of the database, and longer than the request timeout
REQUEST_TIMEOUT_S, SLACK_S = 30, 5
NODES = 2


class Deployment:
    """A primary, its standby, two nodes and a balancer; with --pooler, a PgBouncer in front of each database server."""

    def __init__(self, cluster, options, *node_options):
        self.primary = cluster.postgres("primary").create().start()
        self.primary.create_database("tenantry")
        self.standby = cluster.synchronous_standby(self.primary)
        hosts = [self.primary, self.standby]
        if options.pooler:
            hosts = [cluster.pooler(server, f"pooler-{server.port}") for server in hosts]
        database = (f"postgres://tenantry@127.0.0.1:{hosts[0].port},127.0.0.1:{hosts[1].port}/tenantry"
                    f"?target_session_attrs=read-write{'&pooler=transaction' if options.pooler else ''}")
        self.nodes = [cluster.node(f"node{index}", database, *node_options).start() for index in range(NODES)]
        # The connections of a database server come from the nodes, or from its pooler.
        self.max_connections = hosts[0].connections if options.pooler else MAX_CONNECTIONS_PER_NODE * NODES
        self.balancer = cluster.haproxy(self.nodes)
        self.tenants = create_tenants(cluster.command_line(database), self.balancer.base)


def lose_primary(form, options):
    """Loses the primary and promotes the standby. Returns checks and figures."""
    with Cluster() as cluster:
        deployment = Deployment(cluster, options)
        checks, recovered = [], []
        with Load(deployment.balancer.base, deployment.tenants) as load:
            load.wait_for_writes(options.writes)
            load.longest_gap = 0.0
            begun = time.monotonic()
            deployment.primary.kill() if form == "kill" else deployment.primary.freeze()
            deployment.standby.promote()
            promoted = time.monotonic()
            late = []
            for node in deployment.nodes:
                try:
                    eventually(lambda: takes_writes(node.base), RECOVERY_S[form], f"{node.base} is ready")
                    late += write_directly(node, deployment.tenants[0], load.journal)
                except TimeoutError as error:
                    late.append(str(error))
                recovered.append(round(time.monotonic() - begun, 2))
                if recovered[-1] > RECOVERY_S[form]:
                    late.append(f"{node.base} recovered after {recovered[-1]} s, not within {RECOVERY_S[form]} s")
            if not late:
                load.wait_for_writes(options.writes)
            gap = load.longest_gap
            if gap > WRITE_GAP_S[form]:
                late.append(f"no write was answered for {gap:.1f} s, the bound is {WRITE_GAP_S[form]} s")
            connections = deployment.standby.connections()
        checks.append((f"{form}: each node finds the new primary in time", late))
        excess = [f"{connections} connections, the bound is {deployment.max_connections}"]
        checks.append((f"{form}: the number of connections is bounded",
                       excess if connections > deployment.max_connections else []))
        checks.append((f"{form}: no write is lost or done twice",
                       faults(deployment.balancer.base, deployment.tenants, load.journal, rows_of(deployment.standby))))
        return checks, {**load.journal.figures(), "seconds until promoted": round(promoted - begun, 2),
                        "seconds until each node wrote again": recovered,
                        "longest gap between two answered writes, seconds": round(gap, 2),
                        "connections": connections}


class ReadProbe:
    """While the standby is away: reads from each node without a pause, and counts connections to the primary."""

    def __init__(self, deployment):
        self._deployment, self._stop = deployment, threading.Event()
        self.faults, self.reads, self.slowest, self.most_connections = [], 0, 0.0, 0
        self.balancer_statuses = Counter()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(120)
        if self._thread.is_alive():
            self.faults.append("the read probe hangs")

    def _run(self):
        try:
            while not self._stop.wait(0.2):
                for node in self._deployment.nodes:
                    self.slowest = max(self.slowest, self._read(node.base))
                self.balancer_statuses[self._status(self._deployment.balancer.base)] += 1
                self.most_connections = max(self.most_connections, self._deployment.primary.connections())
        except BaseException as error:  # noqa: BLE001: without this, a dead thread would look like one without faults
            self.faults.append(f"the read probe died: {error!r}")

    def _status(self, base):
        tenant = self._deployment.tenants[0]
        connection = Connection(base, tenant.token)
        try:
            return connection.call("GET", f"/v1/customers/{tenant.team}").status
        except OSError as error:
            return repr(error)
        finally:
            connection.close()

    def _read(self, base):
        begun = time.monotonic()
        status, seconds = self._status(base), time.monotonic() - begun
        self.reads += 1
        if status != 200:
            self.faults.append(f"{base}: a read was answered with {status} after {seconds:.1f} s")
        return seconds


def standby_write_faults(journal, killed, restarted, options):
    """Checks the writes while the standby is away: they wait, fail with 503 or 504 in time, and none is answered."""
    failures = [failure for failure in journal.failures if failure.ended > killed]
    found = [str(failure) for failure in failures if failure.description.startswith("GET")]
    found += [str(failure) for failure in failures if failure.status not in (503, 504)
              or failure.ended - failure.begun > REQUEST_TIMEOUT_S + SLACK_S]
    # A write that was in flight when the standby died may still be answered. A later one must not: the standby, which
    # may have to take over, does not have it. An error may show that it was done on the primary alone.
    answered = [write for write in journal.writes if write.sent > killed and write.answered < restarted]
    successes = sum(not write.was_done_before for write in answered)
    if successes:
        found.append(f"{successes} writes were sent and answered while the standby was away")
    statuses = Counter(failure.status for failure in failures)
    if options.away > REQUEST_TIMEOUT_S and not statuses[504]:
        found.append("no write was answered with 504")
    return found, failures, statuses, len(answered) - successes


def lose_standby(_, options):
    """Kills the standby and starts it again later. Returns checks and figures."""
    with Cluster() as cluster:
        # 14 writers wait, more than the 16 requests in flight leave room for beside reads: reads must continue.
        deployment = Deployment(cluster, options, "--max-in-flight", "16")
        with Load(deployment.nodes[0].base, deployment.tenants, writers=14, readers=2) as load:
            journal = load.journal
            load.wait_for_writes(options.writes)
            deployment.standby.kill()
            killed = time.monotonic()
            with ReadProbe(deployment) as probe:
                eventually(lambda: time.monotonic() - killed > options.away, options.away + 60, "the standby was away")
            restarted = time.monotonic()
            deployment.standby.start()
            deployment.primary.wait_for_standby("standby")
            synchronous = time.monotonic()
            load.wait_for_writes(options.writes)
            written = time.monotonic()
            eventually(lambda: all(takes_writes(node.base) for node in deployment.nodes), 30, "each node is ready")
            connection_faults = []
            try:
                eventually(lambda: deployment.primary.connections() <= deployment.max_connections, 30,
                           f"at most {deployment.max_connections} connections")
            except TimeoutError as error:
                connection_faults.append(f"{error}: there are {deployment.primary.connections()}")
        write_faults, failures, statuses, done_before = standby_write_faults(journal, killed, restarted, options)
        # A read that queued behind the waiting writes would take as long as they do, about 15 s.
        quickest = min((failure.ended - failure.begun for failure in failures if failure.status == 504),
                       default=REQUEST_TIMEOUT_S)
        if probe.slowest > quickest / 3:
            probe.faults.append(f"a read took {probe.slowest:.1f} s, the quickest failed write took {quickest:.1f} s")
        if not probe.reads:
            probe.faults.append("nothing was read while the standby was away")
        probe.faults += [f"the balancer answered {count} reads with {status}"
                         for status, count in probe.balancer_statuses.items() if status != 200]
        if probe.most_connections > deployment.max_connections:
            connection_faults.append(f"{probe.most_connections} connections, the bound is {deployment.max_connections}")
        return [
            ("standby: reads continue", probe.faults),
            ("standby: writes wait and fail in time", write_faults),
            ("standby: the number of connections is bounded", connection_faults),
            ("standby: no write is lost or done twice",
             faults(deployment.nodes[0].base, deployment.tenants, journal, rows_of(deployment.primary))),
        ], {**journal.figures(), "seconds without the standby": round(restarted - killed, 1),
            "failed attempts by status": dict(statuses),
            "failed attempts whose repeat showed that they were done": done_before, "reads meanwhile": probe.reads,
            "slowest of them, seconds": round(probe.slowest, 2),
            "quickest write that waited and failed, seconds": round(quickest, 2),
            "reads through the balancer by status": dict(probe.balancer_statuses),
            "most connections": probe.most_connections,
            "seconds until the standby was synchronous": round(synchronous - restarted, 1),
            "seconds from then until writes were answered": round(written - synchronous, 1)}


FORMS = {"kill": lose_primary, "freeze": lose_primary, "standby": lose_standby}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--form", choices=FORMS, action="append", help="run only this form; may be repeated")
    parser.add_argument("--writes", type=int, default=150, help="writes before and after the failure")
    parser.add_argument("--away", type=int, default=STANDBY_AWAY_S, help="seconds without the standby")
    parser.add_argument("--pooler", action="store_true", help="with a PgBouncer in front of each database server")
    options = parser.parse_args()
    checks, figures = [], {}
    for form in options.form or FORMS:
        try:
            found, figures[form] = FORMS[form](form, options)
            checks += found
        except (OSError, RuntimeError) as error:  # the other forms are run all the same
            checks.append((f"{form}: it ran to its end", [repr(error)]))
    return report("failover through PgBouncer" if options.pooler else "failover", checks, figures)


if __name__ == "__main__":
    sys.exit(main())
