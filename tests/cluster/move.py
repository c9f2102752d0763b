#!/usr/bin/env python3
"""From one node on SQLite to three on a PostgreSQL with a synchronous standby, as docs/OPERATIONS.md says.

The doctor finds nothing before and after; what the one node answered is on the three; then a node goes, and then
the primary, and nothing that was answered is lost.
"""
import argparse
import shutil
import subprocess
import sys

from cluster import Cluster, report, rows_of
from harness import binary
from load import Load, faults, tenants


def tenantry(*arguments):
    """Runs a command; what is wrong with how it ended."""
    done = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    return [] if done.returncode == 0 else [f"{arguments[0]}: {done.stdout[-500:]}{done.stderr[-500:]}"]


def replicated(cluster):
    """A primary with its synchronous standby, and the application's role, let in by its password alone."""
    primary = cluster.postgres("primary").create()
    rules = primary.data / "pg_hba.conf"
    rules.write_text("host tenantry app 127.0.0.1/32 scram-sha-256\n" + rules.read_text("utf-8"), "utf-8")
    primary.start()
    primary.sql("CREATE ROLE app LOGIN PASSWORD 'secret'")
    primary.sql("CREATE DATABASE tenantry OWNER app TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")
    standby = cluster.postgres("standby").create_standby(primary, "standby").start()
    primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    primary.sql("SELECT pg_reload_conf()")
    primary.wait_for_standby("standby")
    return primary, standby


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--writes", type=int, default=100, help="writes before, between and after")
    options = parser.parse_args()
    with Cluster() as cluster:
        checks = []
        old = f"sqlite:{cluster.folder('old') / 'tenantry.db'}"
        node = cluster.node("one", old).start()
        stage = tenants(node.cli, node.base)
        with Load(node.base, stage) as load:
            load.wait_for_writes(options.writes)
        book = load.book
        checks.append(("the node ends in order", [] if node.stop() == 0 else [node.log()]))
        key = ("--secret-key-file", cluster.key)
        checks.append(("the doctor before", tenantry("doctor", "--database", old, *key)))
        primary, standby = replicated(cluster)
        new = (f"postgres://app:secret@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/tenantry"
               "?target_session_attrs=read-write")
        checks.append(("the copy", tenantry("copy", "--from", old, "--to", new)))
        checks.append(("the doctor of the copy", tenantry("doctor", "--database", new, *key)))
        nodes = [cluster.node(f"node{index}", new, "--migrate", "off", "--drain-delay-s", "5").start() for index in range(3)]
        base = cluster.haproxy(nodes).base
        with Load(base, stage, book) as load:
            load.wait_for_writes(options.writes)
            nodes[0].stop()
            load.wait_for_writes(options.writes)
            nodes[0].start()
            restarts = [str(failure) for failure in book.failures]
            primary.kill()
            standby.promote()
            load.wait_for_writes(options.writes)
            file = cluster.directory / "backup.jsonl"
            checks.append(("a backup meanwhile", tenantry("backup", file, "--database", new)))
        checks.append(("no request fails when a node is restarted", restarts))
        checks.append(("no write is lost or doubled", faults(base, stage, book, rows_of(standby))))
        checks.append(("the doctor after the fail-over", tenantry("doctor", "--database", new, *key)))
        back = f"sqlite:{cluster.folder('try') / 'try.db'}"
        shutil.copy(cluster.key, cluster.directory / "try" / "secret.key")
        key = ("--secret-key-file", cluster.directory / "try" / "secret.key")
        checks.append(("the backup restored to a file", tenantry("restore", file, "--database", back, *key)
                       or tenantry("doctor", "--database", back, *key)))
        return report("move", checks, {**book.figures(),
                                       "longest silence between two writes, seconds": round(load.longest_silence, 2)})


if __name__ == "__main__":
    sys.exit(main())
