#!/usr/bin/env python3
"""Kills each of three nodes behind a balancer in turn, under load.

No answered write may be lost or done twice. A request may fail only when the balancer had sent it to the killed node
and no node answered it.
"""
import argparse
import sys
import time
from collections import Counter

from cluster import Cluster, report, rows_of
from load import Load, create_tenants, faults

WRITERS, READERS = 8, 4
# The balancer notices a killed node when its connections close, and then uses another one. On a busy machine this takes
# a moment, in which requests may still fail.
DETECTION_S = 0.5


def avoidable(failures, node, killed, attempts):
    """Yields the failures after a kill that the kill does not explain."""
    for failure in failures:
        server, state = attempts.get(failure.attempt, ("an unknown server", ""))
        # When the connection to the node breaks, HAProxy closes a reused client connection without an answer and
        # without a log line, so that the client sends the request again.
        is_unlogged = failure.was_reused and failure.status == 0 and failure.attempt not in attempts
        if failure.is_by_node or failure.begun > killed + DETECTION_S or not (is_unlogged or server == f"node{node}"):
            yield f"{failure.begun - killed:+.3f} s, sent to {server} {state} when node{node} was killed: {failure}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1, help="how often each node is killed")
    parser.add_argument("--writes", type=int, default=150, help="writes between two kills")
    parser.add_argument("--pooler", action="store_true", help="with a PgBouncer in front of the database")
    options = parser.parse_args()
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        database = postgres.create_database("tenantry")
        if options.pooler:
            database = postgres.url("tenantry", cluster.pooler(postgres).port) + "?pooler=transaction"
        nodes = [cluster.node(f"node{index}", database).start() for index in range(3)]
        balancer = cluster.haproxy(nodes)
        tenants = create_tenants(cluster.command_line(database), balancer.base)
        kills, gaps = [], []
        with Load(balancer.base, tenants, writers=WRITERS, readers=READERS) as load:
            journal = load.journal
            for number, node in list(enumerate(nodes)) * options.rounds:
                load.wait_for_writes(options.writes)
                load.longest_gap = 0.0
                node.kill()
                kills.append((number, time.monotonic()))
                load.wait_for_writes(options.writes)
                gaps.append(round(load.longest_gap, 2))
                node.start()
            load.wait_for_writes(options.writes)
        attempts = balancer.attempts()
        unexplained = [f"before a node was killed: {failure}" for failure in journal.failures
                 if failure.ended < kills[0][1] - DETECTION_S]
        for (node, killed), (_, following) in zip(kills, kills[1:] + [(None, float("inf"))]):
            after_kill = [failure for failure in journal.failures if killed - DETECTION_S <= failure.ended < following - DETECTION_S]
            unexplained += avoidable(after_kill, node, killed, attempts)
            # Each client has at most one request in flight.
            if len(after_kill) > WRITERS + READERS:
                unexplained.append(f"{len(after_kill)} failed attempts after one kill of {WRITERS + READERS} clients")
        states = Counter(attempts.get(failure.attempt, ("", "not logged"))[1] for failure in journal.failures)
        figures = {"kills": len(kills), **journal.figures(), "failed attempts by HAProxy termination state": dict(states),
                   "longest gap between two answered writes after each kill, seconds": gaps}
        name = "nodes through PgBouncer" if options.pooler else "nodes"
        return report(name, [("no write is lost or done twice", faults(balancer.base, tenants, journal, rows_of(postgres))),
                             ("only requests in flight on the killed node fail", unexplained)], figures)


if __name__ == "__main__":
    sys.exit(main())
