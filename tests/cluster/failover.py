#!/usr/bin/env python3
"""A primary with a synchronous standby; the primary is killed and the standby promoted under load.

The nodes find the new primary by themselves, and no answered write is lost.
"""
import argparse
import sys
import time

from cluster import Cluster, Load, faults, prepare, report, team


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--writes", type=int, default=300, help="writes before and after")
    options = parser.parse_args()
    with Cluster() as cluster:
        primary = cluster.postgres("primary").create().start()
        primary.create_database("tenantry")
        standby = cluster.postgres("standby").create_standby(primary, "standby").start()
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        primary.sql("SELECT pg_reload_conf()")
        database = (f"postgres://tenantry@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/tenantry"
                    "?target_session_attrs=read-write")
        _, token = prepare(cluster, database)
        nodes = [cluster.node(f"node{index}", database).start() for index in range(2)]
        base = cluster.haproxy(nodes)
        customer = team(base, token)
        with Load(base, token, customer) as load:
            load.wait_for_writes(options.writes)
            killed = time.monotonic()
            primary.kill()
            standby.promote()
            promoted = time.monotonic()
            load.wait_for_writes(1)
            again = time.monotonic()
            load.wait_for_writes(options.writes)
        figures = {"writes": len(load.answered), "errors": len(load.errors),
                   "seconds until promoted": round(promoted - killed, 2),
                   "seconds without service": round(again - killed, 2),
                   "longest silence between two writes, seconds": round(load.longest_silence, 2)}
        return report("failover", [("no write is lost or doubled", faults(base, token, customer, load))], figures)


if __name__ == "__main__":
    sys.exit(main())
