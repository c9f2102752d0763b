#!/usr/bin/env python3
"""Moves from one node on SQLite to three on PostgreSQL with a synchronous standby, as docs/OPERATIONS.md says.

`tenantry doctor` must find nothing before and after the copy. Then a node is restarted under load, and the primary is
killed. No write that the one node or the three nodes answered may be lost.
"""
import argparse
import shutil
import subprocess
import sys

from cluster import Cluster, report, rows_of
from harness import binary
from load import Load, create_tenants, faults


def tenantry(*arguments):
    """Runs a command and returns a fault when it fails."""
    result = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    return [] if result.returncode == 0 else [f"{arguments[0]}: {result.stdout[-500:]}{result.stderr[-500:]}"]


def replicated(cluster):
    """Starts a primary with a synchronous standby, and creates the application's role, which needs its password."""
    primary = cluster.postgres("primary").create()
    rules = primary.data / "pg_hba.conf"
    rules.write_text("host tenantry app 127.0.0.1/32 scram-sha-256\n" + rules.read_text("utf-8"), "utf-8")
    primary.start()
    primary.sql("CREATE ROLE app LOGIN PASSWORD 'secret'")
    primary.sql("CREATE DATABASE tenantry OWNER app TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")
    return primary, cluster.synchronous_standby(primary)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--writes", type=int, default=100, help="writes before, between and after the steps")
    options = parser.parse_args()
    with Cluster() as cluster:
        checks = []
        old = f"sqlite:{cluster.folder('old') / 'tenantry.db'}"
        node = cluster.node("one", old).start()
        tenants = create_tenants(node.cli, node.base)
        with Load(node.base, tenants) as load:
            load.wait_for_writes(options.writes)
        journal = load.journal
        checks.append(("the SQLite node stops with exit status 0", [] if node.stop() == 0 else [node.log()]))
        key = ("--secret-key-file", cluster.key)
        checks.append(("the doctor before the copy", tenantry("doctor", "--database", old, *key)))
        primary, standby = replicated(cluster)
        new = (f"postgres://app:secret@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/tenantry"
               "?target_session_attrs=read-write")
        checks.append(("the copy", tenantry("copy", "--from", old, "--to", new)))
        checks.append(("the doctor on the copy", tenantry("doctor", "--database", new, *key)))
        nodes = [cluster.node(f"node{index}", new, "--migrate", "off", "--drain-delay-s", "5").start() for index in range(3)]
        base = cluster.haproxy(nodes).base
        with Load(base, tenants, journal) as load:
            load.wait_for_writes(options.writes)
            nodes[0].stop()
            load.wait_for_writes(options.writes)
            nodes[0].start()
            restart_failures = [str(failure) for failure in journal.failures]
            primary.kill()
            standby.promote()
            load.wait_for_writes(options.writes)
            file = cluster.directory / "backup.jsonl"
            checks.append(("a backup under load", tenantry("backup", file, "--database", new)))
        checks.append(("no request fails while a node is restarted", restart_failures))
        checks.append(("no write is lost or done twice", faults(base, tenants, journal, rows_of(standby))))
        checks.append(("the doctor after the failover", tenantry("doctor", "--database", new, *key)))
        back = f"sqlite:{cluster.folder('try') / 'try.db'}"
        shutil.copy(cluster.key, cluster.directory / "try" / "secret.key")
        key = ("--secret-key-file", cluster.directory / "try" / "secret.key")
        checks.append(("the backup restores into SQLite", tenantry("restore", file, "--database", back, *key)
                       or tenantry("doctor", "--database", back, *key)))
        return report("move", checks, {**journal.figures(),
                                       "longest gap between two answered writes, seconds": round(load.longest_gap, 2)})


if __name__ == "__main__":
    sys.exit(main())
