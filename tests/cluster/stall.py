#!/usr/bin/env python3
"""Interrupts the network between a node and the database, and restores it.

There are two interruptions: a short one, after which all bytes arrive late, and one that is longer than the node waits
for an answer, after which the open connections are dead while new ones work. Meanwhile requests must fail within their
timeout and nothing may hang. The node must recover within a bound, and never have more connections than documented.
"""
import argparse
import sys
import threading
import time
from collections import Counter
from http.client import HTTPException

from cluster import (MAX_CONNECTIONS_PER_NODE, Cluster, StallableProxy, answers, eventually, report, rows_of,
                     takes_writes)
from harness import Connection
from load import Load, create_tenants, faults, write_directly

REQUEST_TIMEOUT_S = 18  # longer than the 15 s that a node waits for an answer of the database
SLACK_S = 2  # for a busy machine
SHORT_S, LONG_S = 3, 22  # lengths of the interruptions; the long one exceeds the 15 s
# How many seconds after an interruption requests may still fail, by whether the open connections are dead then. A dead
# idle connection is closed 15 s after a statement was sent on it; a connection attempt fails within 10 s.
RECOVERY_S = {False: 5, True: 25}


def stalled_request_faults(node, tenant, limit):
    """Sends requests while the database cannot be reached; each must fail with 503 or 504 within `limit` seconds."""
    found = []

    def send(method, path, payload=None):
        begun, status = time.monotonic(), None
        connection = Connection(node.base, tenant.token)
        try:
            status = connection.call(method, path, payload).status
        except (OSError, HTTPException) as error:
            status = repr(error)
        except BaseException as error:  # noqa: BLE001
            found.append(f"{method} {path}: {error!r}")
        finally:
            connection.close()
        seconds = time.monotonic() - begun
        if status not in (503, 504):
            found.append(f"{method} {path}: {status}, expected 503 or 504")
        if seconds > limit:
            found.append(f"{method} {path}: answered after {seconds:.1f} s")

    # The POST is invalid, so it changes nothing should it reach the database later.
    requests = [("GET", f"/v1/customers/{tenant.team}"),
                ("POST", "/v1/members/", {"customer_id": tenant.id, "email": "no@example.com"})]
    threads = [threading.Thread(target=send, args=request, daemon=True) for request in requests * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found += ["a request hangs" for thread in threads if thread.is_alive()]
    if not answers(node.base, "/healthz"):
        found.append("/healthz is not answered with 200")
    return found


def slow_failures(failures, limit):
    """Yields the failed requests that took too long, or whose status is not 503 or 504."""
    for failure in failures:
        if failure.ended - failure.begun > limit or failure.status not in (503, 504):
            yield str(failure)


def recovery(node, load, begun, bound):
    """Waits until the node has recovered. Returns the seconds until it was ready, one write and 50 writes were answered,
    and the requests that failed after `bound` seconds."""
    eventually(lambda: takes_writes(node.base), 2 * bound, "the node is ready")
    seconds = [time.monotonic() - begun]
    load.wait_for_writes(1, 2 * bound)
    seconds.append(time.monotonic() - begun)
    load.wait_for_writes(50)
    seconds.append(time.monotonic() - begun)
    eventually(lambda: time.monotonic() - begun > bound, 2 * bound, "the recovery time is over")
    recovered = time.monotonic()
    load.wait_for_writes(50)
    found = [f"{failure.begun - begun:.1f} s after the interruption: {failure}" for failure in load.journal.failures
             if failure.begun > recovered]
    return [round(one, 2) for one in seconds], found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1, help="of a short and a long interruption")
    parser.add_argument("--long", type=int, default=LONG_S, help="seconds of the long interruption")
    parser.add_argument("--request-timeout", type=int, default=REQUEST_TIMEOUT_S, help="of the node, in seconds")
    options = parser.parse_args()
    limit = options.request_timeout + SLACK_S
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        direct = postgres.create_database("tenantry")
        proxy = StallableProxy(postgres.port)
        node = cluster.node("node", postgres.url("tenantry", proxy.port),
                            "--request-timeout-s", str(options.request_timeout)).start()
        tenants = create_tenants(cluster.command_line(direct), node.base)
        request_faults, recovery_faults, connection_faults, recoveries, dead = [], [], [], [], []
        with Load(node.base, tenants, writers=4, readers=2) as load:
            for drop_open, seconds in [(False, SHORT_S), (True, options.long)] * options.rounds:
                load.wait_for_writes(50)
                proxy.pause()
                paused = time.monotonic()
                if seconds > limit:
                    request_faults += stalled_request_faults(node, tenants[0], limit)
                eventually(lambda: time.monotonic() - paused > seconds, seconds + 5, "the interruption is over")
                begun = time.monotonic()
                proxy.resume(drop_open)
                try:
                    times, found = recovery(node, load, begun, RECOVERY_S[drop_open])
                    recoveries.append(times)
                    recovery_faults += found
                except TimeoutError as error:
                    recovery_faults.append(str(error))
                recovery_faults += write_directly(node, tenants[0], load.journal)
                # For each connection that the node gives up, it briefly opens one more to cancel the statement.
                if proxy.most_open > 2 * MAX_CONNECTIONS_PER_NODE:
                    connection_faults.append(f"{proxy.most_open} connections at once")
                dead.append(proxy.close_dead())
                try:
                    eventually(lambda: postgres.connections() <= MAX_CONNECTIONS_PER_NODE, 30,
                               f"the database has at most {MAX_CONNECTIONS_PER_NODE} connections")
                except TimeoutError as error:
                    connection_faults.append(f"{error}: there are {postgres.connections()}")
        request_faults += slow_failures(load.journal.failures, limit)
        found = faults(node.base, tenants, load.journal, rows_of(postgres))
        proxy.close()
        figures = {"interruptions": len(recoveries), **load.journal.figures(),
                   "failed attempts by status": dict(Counter(failure.status for failure in load.journal.failures)),
                   "slowest failure, seconds": round(max(
                       (failure.ended - failure.begun for failure in load.journal.failures), default=0), 2),
                   "seconds after each interruption until ready, one write, 50 writes": recoveries,
                   "dead connections after each": dead, "most connections of the node": proxy.most_open}
        return report("stall", [
            ("requests fail in time", request_faults),
            ("the node recovers in time", recovery_faults),
            ("the number of connections is bounded", connection_faults + proxy.faults),
            ("no write is lost or done twice", found),
        ], figures)


if __name__ == "__main__":
    sys.exit(main())
