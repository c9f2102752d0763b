#!/usr/bin/env python3
"""A caller that asks every node all the time gets the rate of one, once nodes have heard of each other.

With nodes that do not hear each other it gets it from each; that is shown, and only bounded by what each gives.
"""
import argparse
import itertools
import sys
import time
from collections import Counter

from cluster import Cluster, prepare, report

RATE, BURST, NODES = 10, 20, 3
SLACK = 1.5  # for a busy machine, on which nodes hear each other late; nodes that do not would give the threefold


def asked_all_the_time(nodes, token, seconds):
    """How many requests were answered in how many seconds, by status."""
    connections = [node.connect(token) for node in nodes]
    answers, begun = Counter(), time.monotonic()
    for connection in itertools.cycle(connections):
        answers[connection.call("GET", "/v2/ping").status] += 1
        if time.monotonic() - begun > seconds:
            break
    for connection in connections:
        connection.close()
    return answers, time.monotonic() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=10, help="of asking")
    options = parser.parse_args()
    checks, figures = [], {}
    limits = ("--rate-limit", "on", "--rate-per-second", str(RATE), "--rate-burst", str(BURST))
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        for title, parameters in (("hearing", ""), ("deaf", "?pooler=transaction")):
            database = postgres.create_database(title) + parameters
            _, token = prepare(cluster, database)
            nodes = [cluster.node(f"{title}{index}", database, *limits).start() for index in range(NODES)]
            answers, seconds = asked_all_the_time(nodes, token, options.seconds)
            given, once = answers[200], BURST + RATE * seconds
            most = NODES * BURST + SLACK * RATE * seconds if title == "hearing" else SLACK * NODES * once
            figures[f"{title}: given in {seconds:.1f} s, and by one node alone"] = [given, round(once)]
            found = [] if once / SLACK - BURST <= given <= most else [f"{given} were given, {once:.0f} by one node"]
            found += [f"{count} answers {status}" for status, count in answers.items() if status not in (200, 429)]
            if not answers[429]:
                found.append("nothing was refused")
            checks.append((f"nodes that are {title}", found))
            for node in nodes:
                node.stop()
    return report("budgets", checks, figures)


if __name__ == "__main__":
    sys.exit(main())
