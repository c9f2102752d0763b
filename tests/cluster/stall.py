#!/usr/bin/env python3
"""The network between a node and the database stops to pass bytes on, and begins again.

Requests fail within their time-out meanwhile, nothing hangs, and the node recovers by itself.
"""
import argparse
import sys
import threading
import time

from cluster import Cluster, Load, Stall, answers, eventually, faults, prepare, report, team
from harness import Connection

REQUEST_TIMEOUT_S = 3
SLACK_S = 5  # for a busy machine: the question is whether something hangs


def asked_while_stalled(base, token, customer):
    """What is wrong with the answers while the database cannot be reached."""
    found = []

    def ask(method, path, payload=None):
        connection, begun = Connection(base, token), time.monotonic()
        try:
            status = connection.call(method, path, payload).status
        except OSError as error:
            status = repr(error)
        finally:
            connection.close()
        took = time.monotonic() - begun
        if status not in (503, 504):
            found.append(f"{method} {path}: {status}")
        if took > REQUEST_TIMEOUT_S + SLACK_S:
            found.append(f"{method} {path}: answered after {took:.1f} s")

    asks = [("GET", f"/v1/customers/{customer}"), ("POST", "/v1/members/",
            {"customer_id": customer, "email": "stalled@example.com"})] * 4
    threads = [threading.Thread(target=ask, args=call) for call in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found += ["a request hangs" for thread in threads if thread.is_alive()]
    if not answers(base, "/healthz"):
        found.append("the node says that it is not alive")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        direct = postgres.create_database("tenantry")
        _, token = prepare(cluster, direct)
        stall = Stall(postgres.port)
        node = cluster.node("node", postgres.url("tenantry", stall.port),
                            "--request-timeout-s", str(REQUEST_TIMEOUT_S)).start()
        customer = team(node.base, token)
        hanging, recovered = [], []
        with Load(node.base, token, customer, 4, 2) as load:
            for _ in range(options.rounds):
                load.wait_for_writes(50)
                stall.stop()
                hanging += asked_while_stalled(node.base, token, customer)
                begun = time.monotonic()
                stall.flow()
                load.wait_for_writes(50)
                recovered.append(round(time.monotonic() - begun, 2))
        eventually(lambda: answers(node.base, "/readyz"), 30, "the node is ready")
        stall.close()
        lost = [fault for fault in faults(node.base, token, customer, load)
                # Given up by the client, and done all the same once the bytes flowed: allowed, once.
                if not fault.startswith("stalled@example.com")]
        figures = {"rounds": options.rounds, "writes": len(load.answered), "errors": len(load.errors),
                   "seconds until 50 writes after the cut": recovered}
        return report("stall", [("requests fail in time", hanging), ("no write is lost or doubled", lost)], figures)


if __name__ == "__main__":
    sys.exit(main())
