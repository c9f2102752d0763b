#!/usr/bin/env python3
"""Every node is restarted in turn, and the schema is migrated, while they are written to and read.

No request may fail. A node refuses to start on a schema that is newer than it knows.
"""
import argparse
import subprocess
import sys

from cluster import Cluster, Load, faults, prepare, report, team
from harness import binary

# What a later version's first step looks like to the nodes that run: something is added.
EXPAND = """BEGIN;
ALTER TABLE members ADD COLUMN added_by_a_later_version text;
CREATE TABLE of_a_later_version (organization_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (organization_id, id));
INSERT INTO schema_migrations (number, name, applied_at) SELECT max(number) + 1, 'later', 0 FROM schema_migrations;
COMMIT;"""


def refuses_newer(cluster, database):
    """What is wrong with how this version starts on a newer schema."""
    done = subprocess.run([binary(), "serve", "--listen", "127.0.0.1:0", "--database", database,
                           "--secret-key-file", str(cluster.key)], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 0 or "this program knows" not in done.stderr:
        return [f"exit {done.returncode}: {done.stderr[-300:]}"]
    return []


def says_what_is_missing(cluster, database):
    """What is wrong with how tenants are spread over shards that are not there."""
    done = subprocess.run([binary(), "migrate", "--distribute", "--database", database], capture_output=True,
                          text=True, timeout=60, check=False)
    if done.returncode == 0 or "CREATE EXTENSION citus" not in done.stderr:
        return [f"exit {done.returncode}: {done.stderr[-300:]}"]
    return []


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--writes", type=int, default=100, help="writes between two restarts")
    options = parser.parse_args()
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        database = postgres.create_database("tenantry")
        _, token = prepare(cluster, database)
        nodes = [cluster.node(f"node{index}", database, "--drain-delay-s", "2").start() for index in range(3)]
        base = cluster.haproxy(nodes)
        customer = team(base, token)
        codes = []
        with Load(base, token, customer) as load:
            for node in nodes * options.rounds:
                load.wait_for_writes(options.writes)
                codes.append(node.stop())
                load.wait_for_writes(options.writes)
                node.start()
            load.wait_for_writes(options.writes)
            without_citus = says_what_is_missing(cluster, database)
            postgres.sql(EXPAND, "tenantry")
            load.wait_for_writes(options.writes)
            refused = refuses_newer(cluster, database)
            load.wait_for_writes(options.writes)
        figures = {"restarts": len(codes), "writes": len(load.answered), "reads": load.reads, "errors": len(load.errors)}
        return report("rolling", [
            ("no request failed", [what for _, what in load.errors]),
            ("every node ended in order", [f"exit {code}" for code in codes if code != 0]),
            ("a newer schema is refused", refused),
            ("a database without Citus says what is missing", without_citus),
            ("no write is lost or doubled", faults(base, token, customer, load)),
        ], figures)


if __name__ == "__main__":
    sys.exit(main())
