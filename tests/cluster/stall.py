#!/usr/bin/env python3
"""The network between a node and the database stops to pass bytes on, and begins again.

Once for a moment, and all arrives late; once for longer than a node waits for an answer, and what was open is
forgotten on the way, while new connections work. Requests fail within their time-out meanwhile, nothing hangs, the
node serves again within a bound, and it has no more connections than it says.
"""
import argparse
import sys
import threading
import time
from collections import Counter
from http.client import HTTPException

from cluster import Cluster, Stall, answers, documented_connections, eventually, report, rows_of, takes_writes
from harness import Connection
from load import Load, faults, tenants, write_through

REQUEST_TIMEOUT_S = 18  # longer than a node waits for an answer of the database, as it is by default
SLACK_S = 2  # for a busy machine
LATE_S, FORGOTTEN_S = 3, 22  # how long nothing passes; the latter is longer than a node waits for an answer (15 s)
# How long after a cut requests may still fail. An idle connection that was forgotten is given up 15 s after it is next
# asked, as nothing refuses what it sends; what the node had begun to connect fails within 10 s.
FAILS_YET_S = {False: 5, True: 25}


def asked_while_stalled(node, tenant, limit):
    """What is wrong with the answers while the database cannot be reached."""
    found = []

    def ask(method, path, payload=None):
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
        took = time.monotonic() - begun
        if status not in (503, 504):
            found.append(f"{method} {path}: {status}")
        if took > limit:
            found.append(f"{method} {path}: answered after {took:.1f} s")

    # What is refused changes nothing, whenever it arrives.
    asks = [("GET", f"/v1/customers/{tenant.team}"), ("POST", "/v1/members/", {"customer_id": tenant.id, "email": "no@example.com"})]
    threads = [threading.Thread(target=ask, args=call, daemon=True) for call in asks * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found += ["a request hangs" for thread in threads if thread.is_alive()]
    if not answers(node.base, "/healthz"):
        found.append("the node says that it is not alive")
    return found


def late(failures, limit):
    """What is wrong with requests that failed."""
    for failure in failures:
        if failure.ended - failure.begun > limit or failure.status not in (503, 504):
            yield str(failure)


def serves_again(node, load, begun, bound):
    """Seconds until the node is ready, has written, and has written 50 times; and what fails after it must not."""
    eventually(lambda: takes_writes(node.base), 2 * bound, "the node is ready")
    seconds = [time.monotonic() - begun]
    load.wait_for_writes(1, 2 * bound)
    seconds.append(time.monotonic() - begun)
    load.wait_for_writes(50)
    seconds.append(time.monotonic() - begun)
    eventually(lambda: time.monotonic() - begun > bound, 2 * bound, "it is time")
    late = time.monotonic()
    load.wait_for_writes(50)
    found = [f"{failure.begun - begun:.1f} s after the cut: {failure}" for failure in load.book.failures
             if failure.begun > late]
    return [round(one, 2) for one in seconds], found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--forgotten", type=int, default=FORGOTTEN_S, help="seconds of the longer cut")
    parser.add_argument("--request-timeout", type=int, default=REQUEST_TIMEOUT_S, help="of the node, in seconds")
    options = parser.parse_args()
    limit = options.request_timeout + SLACK_S
    most = documented_connections()
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        direct = postgres.create_database("tenantry")
        stall = Stall(postgres.port)
        node = cluster.node("node", postgres.url("tenantry", stall.port),
                            "--request-timeout-s", str(options.request_timeout)).start()
        stage = tenants(cluster.command_line(direct), node.base)
        hanging, slow, many, recovered, forgotten = [], [], [], [], []
        with Load(node.base, stage, writers=4, readers=2) as load:
            for forget, seconds in [(False, LATE_S), (True, options.forgotten)] * options.rounds:
                load.wait_for_writes(50)
                stall.stop()
                cut = time.monotonic()
                if seconds > limit:
                    hanging += asked_while_stalled(node, stage[0], limit)
                eventually(lambda: time.monotonic() - cut > seconds, seconds + 5, "the cut is over")
                begun = time.monotonic()
                stall.flow(forget)
                try:
                    times, found = serves_again(node, load, begun, FAILS_YET_S[forget])
                    recovered.append(times)
                    slow += found
                except TimeoutError as error:
                    slow.append(str(error))
                slow += write_through(node, stage[0], load.book)
                # For a moment there is, for each that is given up, one more that has the database stop what it was asked.
                if stall.most_open > 2 * most:
                    many.append(f"{stall.most_open} connections at once")
                forgotten.append(stall.notice())
                try:
                    eventually(lambda: postgres.connections() <= most, 30, "the database has no more than these")
                except TimeoutError as error:
                    many.append(f"{error}: {postgres.connections()}")
        hanging += late(load.book.failures, limit)
        found = faults(node.base, stage, load.book, rows_of(postgres))
        stall.close()
        figures = {"cuts": len(recovered), **load.book.figures(),
                   "errors by status": dict(Counter(failure.status for failure in load.book.failures)),
                   "slowest failure, seconds": round(max(
                       (failure.ended - failure.begun for failure in load.book.failures), default=0), 2),
                   "seconds after each cut until ready, one write, 50 writes": recovered,
                   "connections forgotten at each": forgotten, "most connections of the node": stall.most_open}
        return report("stall", [
            ("requests fail in time", hanging),
            ("the node serves again in time", slow),
            ("it has no more connections than it says", many + stall.faults),
            ("no write is lost or doubled", found),
        ], figures)


if __name__ == "__main__":
    sys.exit(main())
