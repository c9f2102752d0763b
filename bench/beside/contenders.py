"""What is measured beside each other: the common part, and the references."""
import random
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from machine import cpu_seconds, first_line, memory_mib
from servers import Postgres, Process, free_port, run
from wrk import ENOUGH_FOR_P999, Plan, Request, ask_json

# Members and customers of everybody.
ROWS = 10_000
# What everybody's `create` says of a new member.
PERSON = {"email": "new-{n}@example.com", "name": "A person", "external_id": "new-{n}"}
# Different ids, external ids and search texts in the requests.
SAMPLE = 500
# One request in ten writes.
MIX = ("get_by_id",) * 4 + ("get_by_external_id",) * 2 + ("list",) * 2 + ("token_check", "create")
SCENARIOS = (
    "token_check", "get_by_id", "get_by_external_id", "list", "search",
    "create", "create_with_key", "patch_organization", "add_account_member", "mixed",
)


@dataclass
class Surroundings:
    """All contenders share these: a folder for data, one for programs, the programs, and one PostgreSQL server."""
    work: Path
    programs: Path
    tenantry: Path
    reference: Path
    postgres: Postgres


def sample(count=ROWS):
    return [str(random.randint(1, count)) for _ in range(SAMPLE)]


class Contender:
    """A server. `plans` has a plan for each scenario that it knows."""
    name = ""
    uses_postgres = True
    # Seconds of the run before a scenario is measured for the first time.
    warm_up = 1

    def __init__(self, around):
        self.around = around
        self.folder = around.work / self.name
        self.port = free_port()
        self.plans = {}
        self.process = None
        self.absent = None  # why it is not measured

    def prepare(self):
        """Starts the server, and plans its requests."""
        self.folder.mkdir()
        self.start()
        if {"get_by_id", "create"} <= self.plans.keys():
            self.plans["mixed"] = self.mixed()

    def start(self):
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def plan(self, scenario, request):
        self.plans[scenario] = Plan(self.port, [request])

    def mixed(self):
        """The requests of the other scenarios, by MIX. One that is missing is replaced by a GET by id."""
        names = [name if name in self.plans else "get_by_id" for name in MIX]
        different = list(dict.fromkeys(names))
        requests = [self.plans[name].requests[0] for name in different]
        create = requests[different.index("create")]
        requests[different.index("create")] = Request(**vars(create) | {"body": create.body.replace("new-", "mixed-")})
        return Plan(self.port, requests, [different.index(name) for name in names])

    def ids(self, request):
        """The ids that the answers to a request have, one for each of its values."""
        asked = (Request(request.method, request.path.replace("{v}", value), headers=request.headers)
                 for value in request.values)
        return [ask_json(self.port, one)["id"] for one in asked]

    def roots(self):
        """The processes whose processor time its requests cost."""
        return [self.process.pid] + ([self.around.postgres.pid] if self.uses_postgres else [])

    def measure(self, scenario, connections, seconds, check=False):
        """The figures of one run. Looks at the status of every answer with `check`."""
        before = cpu_seconds(self.roots())
        figures = self.plans[scenario].measure(self.folder, connections, seconds, check=check)
        used = cpu_seconds(self.roots()) - before
        figures["cpu_us"] = used * 1e6 / figures["answers"] if figures["answers"] else None
        figures["memory_mib"] = memory_mib(self.process.pid)
        return figures

    def stop(self):
        if self.process:
            self.process.stop()


@contextmanager
def started(kind, around):
    """A contender that is stopped at the end of the block."""
    contender = kind(around)
    try:
        contender.prepare()
        yield contender
    finally:
        contender.stop()


class Ceiling(Contender):
    """A constant answer of 330 bytes over HTTP."""
    name = "bare HTTP server"
    uses_postgres = False

    def start(self):
        self.process = Process(self.folder / "log", self.around.reference, "ceiling")
        self.port = listening_port(self.process)
        for scenario in ("token_check", "get_by_id", "create"):
            self.plan(scenario, Request("GET", "/constant"))

    def mixed(self):
        return Plan(self.port, [Request("GET", "/constant")])

    def version(self):
        return "axum, bench/src/reference.rs"


class Prototype(Contender):
    """One SQLite table with the same unique indexes and group commit, without authentication."""
    name = "bare SQLite"
    uses_postgres = False

    def start(self):
        command = [self.around.reference, "prototype", self.folder / "prototype.db", ROWS]
        self.process = Process(self.folder / "log", *command)
        self.port = listening_port(self.process)
        create = Request("POST", "/members/", '{"email":"new-{n}@example.com"}')
        first = Request(create.method, create.path, '{"email":"first@example.com"}')
        self.plan("get_by_id", Request("GET", "/members/" + ask_json(self.port, first)["id"]))
        self.plan("create", create)

    def version(self):
        return "axum and SQLite, bench/src/prototype.rs"


def listening_port(process):
    text = process.wait_until(lambda: re.search(r"^listening on http://.*:(\d+)$", process.log.read_text(), re.M))
    return int(text[1])


class Pgbench(Contender):
    """The same table on PostgreSQL with prepared statements of pgbench, without a server in between."""
    name = "pgbench"
    TABLE = """
        CREATE TABLE members (organization_id uuid NOT NULL, id uuid NOT NULL, customer_id uuid NOT NULL,
            created_at bigint NOT NULL, email text NOT NULL, external_id text, PRIMARY KEY (organization_id, id));
        CREATE UNIQUE INDEX ON members (organization_id, customer_id, email);
        CREATE UNIQUE INDEX ON members (organization_id, customer_id, external_id);
        INSERT INTO members SELECT md5('o')::uuid, md5(i::text)::uuid, md5('c')::uuid, i, 'person-' || i, 'ext-' || i
        FROM generate_series(1, {rows}) AS i"""
    DATABASE = "pgbench"
    # It begins with the time, as the ids of Tenantry.
    ID = "(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || substr(md5(:n::text), 13))::uuid"
    SCRIPTS = {
        "get_by_id": "SELECT * FROM members WHERE organization_id = md5('o')::uuid AND id = md5(:i::text)::uuid;",
        "get_by_external_id": "SELECT * FROM members WHERE organization_id = md5('o')::uuid"
        " AND customer_id = md5('c')::uuid AND external_id = 'ext-' || :i;",
        "create": f"INSERT INTO members VALUES (md5('o')::uuid, {ID}, md5('c')::uuid, 1, 'new-' || :n, 'new-' || :n);",
    }

    def start(self):
        self.process = self.around.postgres.process
        self.around.postgres.database(self.DATABASE)
        self.around.postgres.sql(self.DATABASE, self.TABLE.format(rows=ROWS), "VACUUM ANALYZE")
        for scenario, sql in self.SCRIPTS.items():
            numbers = f"\\set i random(1, {ROWS})\n\\set n random(1, 9000000000000000)\n"
            (self.folder / scenario).write_text(numbers + sql + "\n")
            self.plans[scenario] = sql

    def mixed(self):
        return [f"--file={self.folder / 'get_by_id'}@9", f"--file={self.folder / 'create'}@1"]

    def roots(self):
        return [self.process.pid]

    def version(self):
        return first_line("pgbench", "--version")

    def measure(self, scenario, connections, seconds, check=False):
        scripts = self.plans[scenario] if scenario == "mixed" else [f"--file={self.folder / scenario}"]
        at = ["-h", "127.0.0.1", "-p", self.around.postgres.port, "-U", Postgres.USER, "-n", "-M", "prepared"]
        load = ["-c", connections, "-j", 1, "-T", seconds, "--log", f"--log-prefix={self.folder / 'times'}"]
        before = cpu_seconds(self.roots())
        run("pgbench", *at, *load, *scripts, self.DATABASE, seconds=seconds + 60)
        used = cpu_seconds(self.roots()) - before
        times = []
        for log in self.folder.glob("times.*"):
            times += (int(line.split()[2]) for line in log.read_text().splitlines())
            log.unlink()
        if not times:
            return {"answers": 0, "per_second": 0, "failures": "no answer"}
        times.sort()
        at = {name: times[int(len(times) * part)] / 1e3 for name, part in
              (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999))}
        if len(times) < ENOUGH_FOR_P999:
            at["p999_ms"] = None
        return at | {
            "answers": len(times), "per_second": len(times) / seconds, "failures": None,
            "cpu_us": used * 1e6 / len(times), "memory_mib": None,
        }

    def stop(self):
        pass  # its server is everybody's


REFERENCES = (Ceiling, Prototype, Pgbench)
