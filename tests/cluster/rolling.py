#!/usr/bin/env python3
"""Every node is restarted in turn, and the program upgraded with a migration, while they are written to and read.

No request may fail. The restart is of the same program. The upgrade is to one whose schema is newer: `--next PROGRAM`
names it, or `--build-next` makes it from these sources with one migration more; then docs/OPERATIONS.md is followed,
step by step: the new program in the place of the old, `migrate` on one node, one node after the other. Without
either a migration as a later version would bring is made by hand. What knows the older schema alone refuses the
newer one.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster import Cluster, report, rows_of
from harness import Connection, binary
from load import Load, faults, tenants

ROOT = Path(__file__).resolve().parents[2]
# What a later version's step looks like: something is added. It waits for nobody long, and blocks nobody long.
LATER = """ALTER TABLE members ADD COLUMN added_by_a_later_version {{text}};
CREATE INDEX members_of_a_later_version ON members (organization_id, added_by_a_later_version)
    WHERE added_by_a_later_version IS NOT NULL;
CREATE TABLE of_a_later_version (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    CONSTRAINT of_a_later_version_pkey PRIMARY KEY (organization_id, id)
) {{table}};
"""
BY_HAND = f"""BEGIN;
{LATER.replace("{{id}}", "uuid").replace("{{text}}", "text").replace("{{table}}", "")}
INSERT INTO schema_migrations (number, name, applied_at) SELECT max(number) + 1, 'later', 0 FROM schema_migrations;
COMMIT;"""
DRAIN_S = "5"  # as docs/OPERATIONS.md has it


def run(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)


def refuses_newer(cluster, database, program):
    """What is wrong with how a program starts on a schema that is newer than it knows."""
    done = run(program, "serve", "--listen", "127.0.0.1:0", "--database", database, "--secret-key-file", cluster.key)
    if done.returncode == 0 or "this program knows" not in done.stderr:
        return [f"exit {done.returncode}: {done.stderr[-300:]}"]
    return []


def refuses_older(cluster, database, program):
    """What is wrong with how a program that must not migrate starts on a schema that is older than its own."""
    done = run(program, "serve", "--listen", "127.0.0.1:0", "--database", database, "--secret-key-file", cluster.key,
               "--migrate", "off")
    return [] if done.returncode not in (0, None) and "schema" in done.stderr else [f"exit {done.returncode}: {done.stderr[-300:]}"]


def says_what_is_missing(database):
    """What is wrong with how tenants are spread over shards that are not there."""
    done = run(binary(), "migrate", "--distribute", "--database", database)
    if done.returncode == 0 or "CREATE EXTENSION citus" not in done.stderr:
        return [f"exit {done.returncode}: {done.stderr[-300:]}"]
    return []


def next_program(directory):
    """The program of these sources with one migration more: its path."""
    sources = directory / "next"
    sources.mkdir()
    for name in ("Cargo.toml", "Cargo.lock", "clippy.toml"):
        shutil.copy(ROOT / name, sources / name)
    shutil.copytree(ROOT / "crates", sources / "crates")
    folder = sources / "crates" / "store"
    path = folder / "src" / "migrations.rs"
    text = path.read_text("utf-8")
    number = 1 + max(map(int, re.findall(r"Migration \{ number: (\d+),", text)))
    file = f"{number:04}_later.sql"
    (folder / "migrations" / file).write_text(LATER, "utf-8")
    step = f'    Migration {{ number: {number}, name: "later", text: include_str!("../migrations/{file}") }},\n];'
    path.write_text(text.replace("\n];", f"\n{step}", 1), "utf-8")
    # Where the packages that others publish are built already, for the tests. What lies there may be under test.
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built, program, kept = target / "debug" / "tenantry", directory / "tenantry-next", directory / "tenantry-kept"
    if built.exists():
        shutil.copy2(built, kept)
    subprocess.run(["cargo", "build", "--locked", "--workspace", "--bin", "tenantry", "--target-dir", str(target)],
                   cwd=sources, check=True, timeout=1500, stdout=sys.stderr)
    shutil.copy(built, program)
    built.unlink()
    if kept.exists():
        shutil.copy2(kept, built)
    return str(program)


class Site:
    """Nodes whose program can be exchanged: each is started from one place, as installed."""

    def __init__(self, cluster, postgres):
        self.cluster, self.postgres = cluster, postgres
        self.place = cluster.directory / "installed"
        shutil.copy(binary(), self.place)
        self.database = postgres.create_database("tenantry")
        options = ("--drain-delay-s", DRAIN_S)
        self.nodes = [cluster.node(f"node{index}", self.database, *options, "--migrate", "off" if index else "on")
                      for index in range(3)]
        for node in self.nodes:
            node.program = str(self.place)
            node.start()
        self.balancer = cluster.haproxy(self.nodes)
        self.tenants = tenants(cluster.command_line(self.database), self.balancer.base)
        self.codes = []

    def restart_each(self, load, writes):
        for node in self.nodes:
            load.wait_for_writes(writes)
            self.codes.append(node.stop())
            node.start()

    def install(self, program):
        """As `mv` does: running nodes keep what they run."""
        shutil.copy(program, self.cluster.directory / "new")
        os.replace(self.cluster.directory / "new", self.place)


def upgrade(site, load, new, writes):
    """Follows the document: what is wrong, and how long the migration took."""
    wrong = refuses_older(site.cluster, site.database, new)
    site.install(new)
    load.wait_for_writes(writes)
    begun = time.monotonic()
    done = run(str(site.place), "migrate", "--database", site.database, "--secret-key-file", site.cluster.key)
    took = round(time.monotonic() - begun, 2)
    if done.returncode != 0:
        wrong.append(f"migrate: {done.stderr[-300:]}")
    load.wait_for_writes(writes)
    site.restart_each(load, writes)
    wrong += refuses_newer(site.cluster, site.database, binary())
    if not site.postgres.sql("SELECT 1 FROM pg_class WHERE relname = 'of_a_later_version'", "tenantry"):
        wrong.append("the schema is not the newer one")
    return wrong, took


def by_hand(site, load, writes):
    begun = time.monotonic()
    site.postgres.sql(BY_HAND, "tenantry")
    took = round(time.monotonic() - begun, 2)
    load.wait_for_writes(writes)
    return refuses_newer(site.cluster, site.database, binary()), took


def front_faults(balancer):
    """What the balancer lets anybody do that is not to be."""
    connection = Connection(balancer.base)
    told = {path: connection.send("GET", path).status for path in ("/readyz", "/readyz/", "/readyz?now", "/healthz")}
    connection.close()
    found = [] if list(told.values()) == [403, 403, 403, 200] else [f"{told}"]
    return found + balancer.slow_head_faults()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--writes", type=int, default=60, help="writes between two restarts")
    parser.add_argument("--next", help="a program whose schema is newer")
    parser.add_argument("--build-next", action="store_true", help="build one; takes minutes")
    options = parser.parse_args()
    with Cluster() as cluster:
        site = Site(cluster, cluster.postgres().create().start())
        new = next_program(cluster.directory) if options.build_next else options.next
        with ThreadPoolExecutor() as pool, Load(site.balancer.base, site.tenants) as load:
            book, front = load.book, pool.submit(front_faults, site.balancer)
            for _ in range(options.rounds):
                site.restart_each(load, options.writes)
            load.wait_for_writes(options.writes)
            without_citus = says_what_is_missing(site.database)
            wrong, took = (upgrade(site, load, new, options.writes) if new else by_hand(site, load, options.writes))
            load.wait_for_writes(options.writes)
            front = front.result(60)
        figures = {"restarts": len(site.codes), "upgrade": "to a built program" if new else "of the schema, by hand",
                   "seconds of the migration": took, **book.figures(),
                   "longest silence between two writes, seconds": round(load.longest_silence, 2)}
        return report("rolling", [
            ("no request failed", [str(failure) for failure in book.failures]),
            ("every node ended in order", [f"exit {code}" for code in site.codes if code != 0]),
            ("the newer schema is made, and refused by what knows the older", wrong),
            ("the balancer cuts a slow head, and asks alone who is ready", front),
            ("a database without Citus says what is missing", without_citus),
            ("no write is lost or doubled",
             faults(site.balancer.base, site.tenants, book, rows_of(site.postgres))),
        ], figures)


if __name__ == "__main__":
    sys.exit(main())
