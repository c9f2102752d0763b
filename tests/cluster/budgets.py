#!/usr/bin/env python3
"""Checks that a caller that uses every node gets the rate limit of one node once the nodes share their counts.

Without peer broadcast (behind a pooler in transaction mode) the nodes do not share: the caller then gets the rate from
each of them. That is measured too, and bounded by what each node allows.
"""
import argparse
import itertools
import sys
import time
from collections import Counter

from cluster import BROADCAST_MODES, Cluster, prepare, report

RATE, BURST, NODES = 10, 20, 3
SETTLE_S = 4  # until the bursts are spent and their excess is taken off again
TOLERANCE = 0.15  # of the rate, either way


def send_without_pause(nodes, token, seconds):
    """Sends requests to the nodes in turn, without a pause.

    Returns (answers by status, seconds) of two phases: the first SETTLE_S, and `seconds` after that.
    """
    connections = [node.connect(token) for node in nodes]
    phases = []
    for length in (SETTLE_S, seconds):
        answers, begun = Counter(), time.monotonic()
        for connection in itertools.cycle(connections):
            answers[connection.call("GET", "/v2/ping").status] += 1
            if time.monotonic() - begun > length:
                break
        phases.append((answers, time.monotonic() - begun))
    for connection in connections:
        connection.close()
    return phases


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=10, help="length of the measurement")
    options = parser.parse_args()
    checks, figures = [], {}
    limits = ("--rate-limit", "on", "--rate-per-second", str(RATE), "--rate-burst", str(BURST))
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        for mode, parameters in BROADCAST_MODES.items():
            database = postgres.create_database(mode) + parameters
            _, token = prepare(cluster, database)
            nodes = [cluster.node(f"{mode}{index}", database, *limits).start() for index in range(NODES)]
            faults, shares = [], 1 if mode == "broadcast" else NODES
            (first, first_s), (answers, seconds) = send_without_pause(nodes, token, options.seconds)
            expected, most = shares * RATE * seconds, NODES * BURST + shares * RATE * first_s * (1 + TOLERANCE)
            figures[f"{mode}: requests allowed in {seconds:.1f} s, and expected"] = [answers[200], round(expected)]
            figures[f"{mode}: requests allowed in the first {first_s:.1f} s"] = first[200]
            if abs(answers[200] - expected) > TOLERANCE * expected:
                faults.append(f"{answers[200]} requests were allowed, expected {expected:.0f}")
            if not BURST <= first[200] <= most:
                faults.append(f"{first[200]} requests were allowed at first, expected {BURST} to {most:.0f}")
            faults += [f"{count} answers with status {status}" for status, count in (first + answers).items()
                       if status not in (200, 429)]
            if not answers[429]:
                faults.append("no request was refused")
            checks.append((f"rate limit, {mode}", faults))
            for node in nodes:
                node.stop()
    return report("budgets", checks, figures)


if __name__ == "__main__":
    sys.exit(main())
