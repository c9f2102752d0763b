#!/usr/bin/env python3
"""A primary with a synchronous standby, and what becomes of the service when one of them goes, under load.

`kill`: the primary is killed and the standby promoted. `freeze`: the primary neither answers nor refuses any more,
as a machine that hangs or a network that drops what is sent, and the standby is promoted. Each node finds the new
primary by itself, within a bound. `standby`: the standby goes. Reads go on, writes wait and fail as documented,
and all is well once it is back. No answered write is lost in any.
"""
import argparse
import sys
import threading
import time
from collections import Counter

from cluster import Cluster, documented_connections, eventually, report, rows_of, takes_writes
from harness import Connection
from load import Load, faults, tenants, write_through

# Until the first write is answered, and until each node says that it is ready and writes: what neither answers nor refuses
# is given up 15 s after it is asked, each connection by itself.
SILENCE_S = {"kill": 20, "freeze": 30}
FOUND_S = {"kill": 20, "freeze": 60}
STANDBY_AWAY_S = 40  # longer than a node waits for an answer of the database, and than a request may last
REQUEST_S, SLACK_S = 30, 5


class Stage:
    def __init__(self, cluster, options, *of_nodes):
        self.primary = cluster.postgres("primary").create().start()
        self.primary.create_database("tenantry")
        self.standby = cluster.postgres("standby").create_standby(self.primary, "standby").start()
        self.primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.primary.sql("SELECT pg_reload_conf()")
        self.primary.wait_for_standby("standby")
        before = [self.primary, self.standby]
        if options.pooler:
            before = [cluster.pooler(server, f"pooler-{server.port}") for server in before]
        ports = [server.port for server in before]
        database = (f"postgres://tenantry@127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/tenantry"
                    f"?target_session_attrs=read-write{'&pooler=transaction' if options.pooler else ''}")
        self.nodes = [cluster.node(f"node{index}", database, *of_nodes).start() for index in range(2)]
        # A server has them from the nodes, or from its pooler.
        self.most = before[0].connections if options.pooler else documented_connections() * len(self.nodes)
        self.balancer = cluster.haproxy(self.nodes)
        self.tenants = tenants(cluster.command_line(database), self.balancer.base)


def lose_primary(form, options):
    """What is wrong, and figures."""
    with Cluster() as cluster:
        stage = Stage(cluster, options)
        checks, served = [], []
        with Load(stage.balancer.base, stage.tenants) as load:
            load.wait_for_writes(options.writes)
            # What begins before is answered by the old primary, or meets its end.
            load.longest_silence = 0.0
            begun = time.monotonic()
            stage.primary.kill() if form == "kill" else stage.primary.freeze()
            stage.standby.promote()
            promoted = time.monotonic()
            late = []
            for node in stage.nodes:
                try:
                    eventually(lambda: takes_writes(node.base), FOUND_S[form], f"{node.base} is ready")
                    late += write_through(node, stage.tenants[0], load.book)
                except TimeoutError as error:
                    late.append(str(error))
                served.append(round(time.monotonic() - begun, 2))
                if served[-1] > FOUND_S[form]:
                    late.append(f"{node.base} served after {served[-1]} s, not within {FOUND_S[form]} s")
            if not late:
                load.wait_for_writes(options.writes)
            silence = load.longest_silence
            if silence > SILENCE_S[form]:
                late.append(f"no write was answered for {silence:.1f} s")
            connections = stage.standby.connections()
        checks.append((f"{form}: each node finds the new primary in time", late))
        if connections > stage.most:
            checks.append((f"{form}: connections are bounded", [f"{connections} connections"]))
        checks.append((f"{form}: no write is lost or doubled",
                       faults(stage.balancer.base, stage.tenants, load.book, rows_of(stage.standby))))
        return checks, {**load.book.figures(), "seconds until promoted": round(promoted - begun, 2),
                        "seconds until each node served again": served,
                        "longest silence between two writes, seconds": round(silence, 2),
                        "connections": connections}


class Watch:
    """While the standby is away: asks a node to read all the time, and counts connections to the primary."""

    def __init__(self, stage):
        self._stage, self._stop = stage, threading.Event()
        self.found, self.reads, self.slowest, self.connections, self.by_balancer = [], 0, 0.0, [], Counter()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(120)
        if self._thread.is_alive():
            self.found.append("the watch hangs")

    def _run(self):
        try:
            while not self._stop.wait(0.2):
                for node in self._stage.nodes:
                    self.slowest = max(self.slowest, self._read(node.base))
                self.by_balancer[self._status(self._stage.balancer.base)] += 1
                self.connections.append(self._stage.primary.connections())
        except BaseException as error:  # noqa: BLE001: a thread that dies would only look content
            self.found.append(f"the watch died: {error!r}")

    def _status(self, base):
        tenant = self._stage.tenants[0]
        connection = Connection(base, tenant.token)
        try:
            return connection.call("GET", f"/v1/customers/{tenant.team}").status
        except OSError as error:
            return repr(error)
        finally:
            connection.close()

    def _read(self, base):
        begun = time.monotonic()
        status, took = self._status(base), time.monotonic() - begun
        self.reads += 1
        if status != 200:
            self.found.append(f"{base}: a read was answered {status} after {took:.1f} s")
        return took


def lose_standby(_, options):
    with Cluster() as cluster:
        # More write than a node has places for: reads go on all the same.
        stage = Stage(cluster, options, "--max-in-flight", "16")
        with Load(stage.nodes[0].base, stage.tenants, writers=14, readers=2) as load:
            book = load.book
            load.wait_for_writes(options.writes)
            stage.standby.kill()
            gone = time.monotonic()
            with Watch(stage) as watch:
                eventually(lambda: time.monotonic() - gone > options.away, options.away + 60, "some time is over")
            back = time.monotonic()
            stage.standby.start()
            stage.primary.wait_for_standby("standby")
            synchronous = time.monotonic()
            load.wait_for_writes(options.writes)
            again = time.monotonic()
            eventually(lambda: all(takes_writes(node.base) for node in stage.nodes), 30, "each node is ready")
            settled = []
            try:
                eventually(lambda: stage.primary.connections() <= stage.most, 30, "connections go back")
            except TimeoutError as error:
                settled.append(f"{error}: {stage.primary.connections()}")
        failed = [failure for failure in book.failures if failure.ended > gone]
        wrong = [str(failure) for failure in failed if failure.what.startswith("GET")]
        wrong += [str(failure) for failure in failed if failure.status not in (503, 504)
                  or failure.ended - failure.begun > REQUEST_S + SLACK_S]
        statuses = Counter(failure.status for failure in failed)
        # What was on its way when the standby went may be answered yet, nothing that came later: the standby, which
        # may have to take over, does not have it.
        alone = Counter(was_done for sent, heard, was_done in book.answered if sent > gone and heard < back)
        if alone[False]:
            wrong.append(f"{alone[False]} writes were sent and answered while the standby was away")
        if options.away > REQUEST_S and not statuses[504]:
            wrong.append("no write was answered 504")
        # Who waited with the writes would take as long as they: 15 s.
        waited = min((failure.ended - failure.begun for failure in failed if failure.status == 504), default=REQUEST_S)
        if watch.slowest > waited / 3:
            watch.found.append(f"a read took {watch.slowest:.1f} s, while the quickest write that failed took {waited:.1f} s")
        watch.found += [f"the balancer answered {count} reads {status}" for status, count in watch.by_balancer.items()
                        if status != 200]
        bounded = settled + [f"{count} connections, {stage.most} at the most" for count in sorted(set(watch.connections))[-1:]
                             if count > stage.most]
        return [
            ("standby: reads go on", watch.found),
            ("standby: writes wait and fail in time", wrong),
            ("standby: connections are bounded", bounded),
            ("standby: no write is lost or doubled",
             faults(stage.nodes[0].base, stage.tenants, book, rows_of(stage.primary))),
        ], {**book.figures(), "seconds without the standby": round(back - gone, 1),
            "failed writes by status": dict(statuses), "failed writes that a refusal showed to be done": alone[True], "reads meanwhile": watch.reads,
            "slowest of them, seconds": round(watch.slowest, 2),
            "quickest write that waited and failed, seconds": round(waited, 2), "reads by the balancer": dict(watch.by_balancer),
            "most connections": max(watch.connections, default=0),
            "seconds until it was synchronous": round(synchronous - back, 1),
            "seconds from there until writes were answered": round(again - synchronous, 1)}


FORMS = {"kill": lose_primary, "freeze": lose_primary, "standby": lose_standby}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--form", choices=FORMS, action="append", help="all of them unless given")
    parser.add_argument("--writes", type=int, default=150, help="writes before and after")
    parser.add_argument("--away", type=int, default=STANDBY_AWAY_S, help="seconds without the standby")
    parser.add_argument("--pooler", action="store_true", help="with a PgBouncer before each of the two")
    options = parser.parse_args()
    checks, figures = [], {}
    for form in options.form or FORMS:
        try:
            found, figures[form] = FORMS[form](form, options)
            checks += found
        except (OSError, RuntimeError) as error:  # the other forms are played all the same
            checks.append((f"{form}: it was played to its end", [repr(error)]))
    return report("failover through PgBouncer" if options.pooler else "failover", checks, figures)


if __name__ == "__main__":
    sys.exit(main())
