#!/usr/bin/env python3
"""Three nodes behind a balancer; each is killed in turn while they are written to and read.

No answered write may be lost or doubled, and only requests that were in flight on the dead node may fail: those
that the balancer had sent to it, and that no node answered.
"""
import argparse
import sys
import time
from collections import Counter

from cluster import Cluster, report, rows_of
from load import Load, faults, tenants

WRITERS, READERS = 8, 4
# The balancer hears at once that the dead node's connections are closed, and sends what it cannot open to another
# node; a request can still meet the moment in between, on a machine with more to do.
HEARD_S = 0.5


def misplaced(failures, node, killed, servers):
    """Those of the failures after a kill that did not have to be."""
    for failure in failures:
        server, state = servers.get(failure.attempt, ("nobody knows which", ""))
        # Where a client has kept its connection the balancer closes it without a word, and writes nothing down, when
        # the connection to the node broke: the client is to send again.
        is_silent = failure.was_kept and failure.status == 0 and failure.attempt not in servers
        if failure.by_node or failure.begun > killed + HEARD_S or not (is_silent or server == f"node{node}"):
            yield f"{failure.begun - killed:+.3f} s, sent to {server} {state} when node{node} was killed: {failure}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1, help="how often each node is killed")
    parser.add_argument("--writes", type=int, default=150, help="writes between two kills")
    parser.add_argument("--pooler", action="store_true", help="with PgBouncer before the database")
    options = parser.parse_args()
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        database = postgres.create_database("tenantry")
        if options.pooler:
            database = postgres.url("tenantry", cluster.pooler(postgres).port) + "?pooler=transaction"
        nodes = [cluster.node(f"node{index}", database).start() for index in range(3)]
        balancer = cluster.haproxy(nodes)
        stage = tenants(cluster.command_line(database), balancer.base)
        kills, pauses = [], []
        with Load(balancer.base, stage, writers=WRITERS, readers=READERS) as load:
            book = load.book
            for number, node in list(enumerate(nodes)) * options.rounds:
                load.wait_for_writes(options.writes)
                load.longest_silence = 0.0
                node.kill()
                kills.append((number, time.monotonic()))
                load.wait_for_writes(options.writes)
                pauses.append(round(load.longest_silence, 2))
                node.start()
            load.wait_for_writes(options.writes)
        servers = balancer.servers()
        wrong = [f"before a node was killed: {failure}" for failure in book.failures
                 if failure.ended < kills[0][1] - HEARD_S]
        for (node, killed), (_, following) in zip(kills, kills[1:] + [(None, float("inf"))]):
            mine = [failure for failure in book.failures if killed - HEARD_S <= failure.ended < following - HEARD_S]
            wrong += misplaced(mine, node, killed, servers)
            # Each client has one request in flight at the most.
            if len(mine) > WRITERS + READERS:
                wrong.append(f"{len(mine)} errors after one kill")
        states = Counter(servers.get(failure.attempt, ("", "not noted"))[1] for failure in book.failures)
        figures = {"kills": len(kills), **book.figures(), "errors by how the balancer saw them end": dict(states),
                   "longest pause between two writes after each kill, seconds": pauses}
        name = "nodes through PgBouncer" if options.pooler else "nodes"
        return report(name, [("no write is lost or doubled", faults(balancer.base, stage, book, rows_of(postgres))),
                             ("errors are those of requests in flight on the dead node", wrong)], figures)


if __name__ == "__main__":
    sys.exit(main())
