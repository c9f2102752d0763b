"""`bench/run --small`: the size of the program, its memory, and the time until it is ready."""
import time
from statistics import median

import machine
from contenders import started
from paced import Verdicts, sampled
from tenantries import TenantryPostgres, TenantrySqlite

MANY, FEW = 10_000_000, 200_000
STARTS = 5


class EmptySqlite(TenantrySqlite):
    name = "empty, SQLite"

    def fill(self):
        pass

    def request_all(self, *_):
        pass


class EmptyPostgres(TenantryPostgres):
    name = "empty, PostgreSQL"
    fill, request_all = EmptySqlite.fill, EmptySqlite.request_all

    def database(self):
        return self.around.postgres.database("empty")


def small(around, running, quick, save):
    verdicts = Verdicts()
    verdicts.add("size of the program", around.tenantry.stat().st_size / 2**20, 25, "MiB")
    for kind in (EmptySqlite, EmptyPostgres):
        with started(kind, around) as server:
            verdicts.add(f"{server.name}: ready after", ready_ms(server), 200, "ms")
            time.sleep(5)  # what the start needs is given back
            verdicts.add(f"{server.name}: resident when idle", machine.resident_mib(server.process.pid), 30, "MiB")
    members = FEW if quick else MANY
    for kind in (TenantrySqlite, TenantryPostgres):
        with started(kind, around) as server:
            filled(server, members, 5 if quick else 30, verdicts)
    return verdicts.finish(save, "small", machine=machine.description(), members=members)


def filled(server, members, seconds, verdicts):
    server.add_members(members)
    what = f"{server.name}, {members:,} members"
    verdicts.add(f"{what}: ready after", ready_ms(server), 500, "ms")
    with sampled(lambda: machine.resident_mib(server.process.pid), 0.2) as uses:
        figures = server.measure("mixed", 64, seconds)
    verdicts.add(f"{what}: resident under load", max(uses), 120, "MiB")
    verdicts.add(f"{what}: failed requests", 1 if figures["failures"] else 0, 0, "")


def ready_ms(server):
    """The median time from the start of the process until it says that it is ready, in milliseconds."""
    times = []
    for _ in range(STARTS):
        server.process.stop()
        began = time.monotonic()
        server.serve()
        times.append((time.monotonic() - began) * 1e3)
    return median(times)
