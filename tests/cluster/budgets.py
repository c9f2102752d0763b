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
SETTLED_S = 4  # until bursts are used up and paid back
NEAR = 0.15  # how far from the rate a caller may be that asks all the time, either way


def asked_all_the_time(nodes, token, seconds):
    """How many requests were answered by status, and in how many seconds: until it has settled, and after that."""
    connections = [node.connect(token) for node in nodes]
    found = []
    for length in (SETTLED_S, seconds):
        answers, begun = Counter(), time.monotonic()
        for connection in itertools.cycle(connections):
            answers[connection.call("GET", "/v2/ping").status] += 1
            if time.monotonic() - begun > length:
                break
        found.append((answers, time.monotonic() - begun))
    for connection in connections:
        connection.close()
    return found


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
            found, shares = [], NODES if title == "deaf" else 1
            (first, begun_s), (answers, seconds) = asked_all_the_time(nodes, token, options.seconds)
            wanted, most = shares * RATE * seconds, NODES * BURST + shares * RATE * begun_s * (1 + NEAR)
            figures[f"{title}: given in {seconds:.1f} s, and by the rate"] = [answers[200], round(wanted)]
            figures[f"{title}: given in the first {begun_s:.1f} s"] = first[200]
            if abs(answers[200] - wanted) > NEAR * wanted:
                found.append(f"{answers[200]} were given, {wanted:.0f} by the rate")
            if not BURST <= first[200] <= most:
                found.append(f"{first[200]} were given at first, {most:.0f} at the most")
            found += [f"{count} answers {status}" for status, count in (first + answers).items()
                      if status not in (200, 429)]
            if not answers[429]:
                found.append("nothing was refused")
            checks.append((f"nodes that are {title}", found))
            for node in nodes:
                node.stop()
    return report("budgets", checks, figures)


if __name__ == "__main__":
    sys.exit(main())
