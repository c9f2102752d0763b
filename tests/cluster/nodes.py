#!/usr/bin/env python3
"""Three nodes behind a balancer; each is killed in turn while they are written to and read.

No answered write may be lost or doubled, and only requests that were in flight on the dead node may fail.
"""
import argparse
import sys
import time

from cluster import Cluster, Load, faults, prepare, report, team

WRITERS, READERS = 8, 4
NOTICED_S = 2  # until when the balancer, which asks every 200 ms, has surely turned away from a dead node


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1, help="how often each node is killed")
    parser.add_argument("--writes", type=int, default=200, help="writes between two kills")
    options = parser.parse_args()
    with Cluster() as cluster:
        database = cluster.postgres().create().start().create_database("tenantry")
        _, token = prepare(cluster, database)
        nodes = [cluster.node(f"node{index}", database).start() for index in range(3)]
        base = cluster.haproxy(nodes)
        customer = team(base, token)
        kills, too_many = 0, []
        with Load(base, token, customer, WRITERS, READERS) as load:
            for node in nodes * options.rounds:
                load.wait_for_writes(options.writes)
                before, killed = len(load.errors), time.monotonic()
                node.kill()
                kills += 1
                load.wait_for_writes(options.writes)
                node.start()
                load.wait_for_writes(options.writes)
                errors = load.errors[before:]
                # Each client has one request in flight at the most; its next one may be sent down a connection
                # that the balancer kept open to the node and does not know to be dead yet.
                late = [what for when, what in errors if when > killed + NOTICED_S]
                if late or len(errors) > 2 * (WRITERS + READERS):
                    too_many += [f"{len(errors)} errors after one kill, {len(late)} of them late"]
                    too_many += [f"{when - killed:.3f} s: {what}" for when, what in errors]
        figures = {"kills": kills, "writes": len(load.answered), "reads": load.reads, "errors": len(load.errors)}
        return report("nodes", [("no write is lost or doubled", faults(base, token, customer, load)),
                                ("errors are those of requests in flight", too_many)], figures)


if __name__ == "__main__":
    sys.exit(main())
