#!/usr/bin/env python3
"""Restarts every node in turn and upgrades the schema, under load. No request may fail.

First each node is restarted with the same program. Then comes the upgrade, in one of two ways:
- With `--next PROGRAM`, or with `--build-next`, which builds these sources with one more migration, it follows
  docs/OPERATIONS.md: install the new program, run `migrate` on one node, restart one node after the other.
- Otherwise SQL applies a migration such as a later version would have, under the running nodes.

A program that knows only the older schema must refuse to start on the newer one.
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
from load import Load, create_tenants, faults

ROOT = Path(__file__).resolve().parents[2]
# A migration of a later version. It only adds, so it neither waits nor blocks for long.
LATER_MIGRATION = """ALTER TABLE members ADD COLUMN added_by_a_later_version {{text}};
CREATE INDEX members_of_a_later_version ON members (organization_id, added_by_a_later_version)
    WHERE added_by_a_later_version IS NOT NULL;
CREATE TABLE of_a_later_version (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    CONSTRAINT of_a_later_version_pkey PRIMARY KEY (organization_id, id)
) {{table}};
"""
LATER_MIGRATION_ON_POSTGRES = f"""BEGIN;
{LATER_MIGRATION.replace("{{id}}", "uuid").replace("{{text}}", "text").replace("{{table}}", "")}
INSERT INTO schema_migrations (number, name, applied_at) SELECT max(number) + 1, 'later', 0 FROM schema_migrations;
COMMIT;"""
DRAIN_DELAY_S = "5"  # as in docs/OPERATIONS.md


def run(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)


def refuses_newer(cluster, database, program):
    """Starts a program on a schema newer than its own; it must refuse."""
    result = run(program, "serve", "--listen", "127.0.0.1:0", "--database", database, "--secret-key-file", cluster.key)
    if result.returncode == 0 or "this program knows" not in result.stderr:
        return [f"the old program on the newer schema: exit status {result.returncode}: {result.stderr[-300:]}"]
    return []


def refuses_older(cluster, database, program):
    """Starts a program with `--migrate off` on a schema older than its own; it must refuse."""
    result = run(program, "serve", "--listen", "127.0.0.1:0", "--database", database, "--secret-key-file", cluster.key,
                 "--migrate", "off")
    if result.returncode == 0 or "schema" not in result.stderr:
        return [f"the new program on the older schema: exit status {result.returncode}: {result.stderr[-300:]}"]
    return []


def distribute_fails_without_citus(database):
    """Runs `migrate --distribute` on a database without Citus; it must fail and name the missing extension."""
    result = run(binary(), "migrate", "--distribute", "--database", database)
    if result.returncode == 0 or "CREATE EXTENSION citus" not in result.stderr:
        return [f"exit status {result.returncode}: {result.stderr[-300:]}"]
    return []


def last_migration(folder):
    """Finds the last entry in the list of migrations below a source folder; returns its file and the match."""
    entry = r'Migration \{ number: (?P<number>\d+), name: "\w+", text: include_str!\("(?P<folder>[^"]*/)\w+\.sql"\) \}'
    for path in folder.rglob("*.rs"):
        entries = list(re.finditer(entry, path.read_text("utf-8")))
        if entries:
            return path, max(entries, key=lambda match: int(match["number"]))
    raise RuntimeError(f"{folder} has no list of migrations")


def build_next(directory):
    """Builds these sources with one more migration and returns the path of the program."""
    sources = directory / "next"
    sources.mkdir()
    for name in ("Cargo.toml", "Cargo.lock", "clippy.toml"):
        shutil.copy(ROOT / name, sources / name)
    for name in ("crates", "xtask"):
        shutil.copytree(ROOT / name, sources / name)
    store = sources / "crates" / "store"
    path, last = last_migration(store / "src")
    number = 1 + int(last["number"])
    file = f"{number:04}_later.sql"
    (store / "migrations" / file).write_text(LATER_MIGRATION, "utf-8")
    step = f', Migration {{ number: {number}, name: "later", text: include_str!("{last["folder"]}{file}") }}'
    path.write_text(last.string[:last.end()] + step + last.string[last.end():], "utf-8")
    # This target directory already has the dependencies. Its own program may be under test, so it is put back.
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built, program, saved = target / "debug" / "tenantry", directory / "tenantry-next", directory / "tenantry-saved"
    if built.exists():
        shutil.copy2(built, saved)
    subprocess.run(["cargo", "build", "--locked", "--workspace", "--bin", "tenantry", "--target-dir", str(target)],
                   cwd=sources, check=True, timeout=1500, stdout=sys.stderr)
    shutil.copy(built, program)
    built.unlink()
    if saved.exists():
        shutil.copy2(saved, built)
    return str(program)


class Deployment:
    """Three nodes and a balancer. All nodes run one installed program, which can be replaced."""

    def __init__(self, cluster, postgres):
        self.cluster, self.postgres = cluster, postgres
        self.program = cluster.directory / "installed"
        shutil.copy(binary(), self.program)
        self.database = postgres.create_database("tenantry")
        options = ("--drain-delay-s", DRAIN_DELAY_S)
        self.nodes = [cluster.node(f"node{index}", self.database, *options, "--migrate", "off" if index else "on")
                      for index in range(3)]
        for node in self.nodes:
            node.program = str(self.program)
            node.start()
        self.balancer = cluster.haproxy(self.nodes)
        self.tenants = create_tenants(cluster.command_line(self.database), self.balancer.base)
        self.exit_statuses = []

    def restart_each(self, load, writes):
        for node in self.nodes:
            load.wait_for_writes(writes)
            self.exit_statuses.append(node.stop())
            node.start()

    def install(self, program):
        """Replaces the program as `mv` does: running nodes keep the old file."""
        shutil.copy(program, self.cluster.directory / "new")
        os.replace(self.cluster.directory / "new", self.program)


def upgrade(deployment, load, new, writes):
    """Upgrades to another program as docs/OPERATIONS.md says. Returns faults and the seconds of the migration."""
    found = refuses_older(deployment.cluster, deployment.database, new)
    deployment.install(new)
    load.wait_for_writes(writes)
    begun = time.monotonic()
    result = run(str(deployment.program), "migrate", "--database", deployment.database, "--secret-key-file", deployment.cluster.key)
    took = round(time.monotonic() - begun, 2)
    if result.returncode != 0:
        found.append(f"migrate: {result.stderr[-300:]}")
    load.wait_for_writes(writes)
    deployment.restart_each(load, writes)
    found += refuses_newer(deployment.cluster, deployment.database, binary())
    if not deployment.postgres.sql("SELECT 1 FROM pg_class WHERE relname = 'of_a_later_version'", "tenantry"):
        found.append("the schema is still the older one")
    return found, took


def migrate_with_sql(deployment, load, writes):
    """Applies a later migration with SQL. Returns faults and the seconds it took."""
    begun = time.monotonic()
    deployment.postgres.sql(LATER_MIGRATION_ON_POSTGRES, "tenantry")
    took = round(time.monotonic() - begun, 2)
    load.wait_for_writes(writes)
    return refuses_newer(deployment.cluster, deployment.database, binary()), took


def balancer_faults(balancer):
    """Checks that the balancer does not forward /readyz, and limits the time for a request head."""
    expected = {"/readyz": 403, "/readyz/": 403, "/readyz?now": 403, "/healthz": 200}
    connection = Connection(balancer.base)
    statuses = {path: connection.send("GET", path).status for path in expected}
    connection.close()
    return ([] if statuses == expected else [f"statuses: {statuses}"]) + balancer.slow_head_faults()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1, help="how often each node is restarted")
    parser.add_argument("--writes", type=int, default=60, help="writes between two restarts")
    parser.add_argument("--next", help="a program whose schema has one more migration")
    parser.add_argument("--build-next", action="store_true", help="build such a program; takes minutes")
    options = parser.parse_args()
    with Cluster() as cluster:
        deployment = Deployment(cluster, cluster.postgres().create().start())
        new = build_next(cluster.directory) if options.build_next else options.next
        with ThreadPoolExecutor() as pool, Load(deployment.balancer.base, deployment.tenants) as load:
            journal, balancer = load.journal, pool.submit(balancer_faults, deployment.balancer)
            for _ in range(options.rounds):
                deployment.restart_each(load, options.writes)
            load.wait_for_writes(options.writes)
            without_citus = distribute_fails_without_citus(deployment.database)
            found, took = (upgrade(deployment, load, new, options.writes) if new else migrate_with_sql(deployment, load, options.writes))
            load.wait_for_writes(options.writes)
            balancer = balancer.result(60)
        figures = {"restarts": len(deployment.exit_statuses), "upgrade": "to another program" if new else "of the schema, with SQL",
                   "seconds of the migration": took, **journal.figures(),
                   "longest gap between two answered writes, seconds": round(load.longest_gap, 2)}
        return report("rolling", [
            ("no request failed", [str(failure) for failure in journal.failures]),
            ("every node stopped with exit status 0", [f"exit status {status}" for status in deployment.exit_statuses if status != 0]),
            ("the schema is upgraded, and the older program refuses it", found),
            ("the balancer ends a slow request head and hides /readyz", balancer),
            ("--distribute without Citus names the missing extension", without_citus),
            ("no write is lost or done twice",
             faults(deployment.balancer.base, deployment.tenants, journal, rows_of(deployment.postgres))),
        ], figures)


if __name__ == "__main__":
    sys.exit(main())
