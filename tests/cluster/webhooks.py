#!/usr/bin/env python3
"""Kills one of three nodes while its webhook requests are in flight, and starts it again.

Every event must be delivered. First attempts must arrive in order, and refused events must be retried. Other nodes must
take over the leases of the killed node. Only requests that were in flight on the killed node may arrive twice.
"""
import argparse
import itertools
import json
import sys
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cluster import Cluster, eventually, report
from load import Load, Tenant, create_team
from receiver import Receiver

FIRST_ATTEMPTS, RETRIES = "first_attempts", "retries"  # names of the delivery queues in the database
LEASE_SECONDS = 20
TAKEOVER_WITH_LEASE_S = 30  # until another node takes over, when it waits for the lease to end
TAKEOVER_S = 20  # the same when the lease is shortened; nodes look for free queues every 5 s
DRAIN_SECONDS, DRAINED_PER_SECOND = 60, 10  # time for the events that are pending when the load ends
ENDPOINTS = 3  # of each organization
REFUSED_ONE_IN = 10  # share of events whose first attempt is answered with 503
ARRIVAL_S = 1  # until the receiver has read what a node sent before it was killed


def status_for(request, earlier):
    """Refuses the first attempt of some events, chosen by their id."""
    return 503 if not earlier and zlib.crc32(request.id.encode()) % REFUSED_ONE_IN == 0 else 200


def ports_of(pid):
    """Returns the local ports of a process's TCP connections."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = str(file.readlink())
        except OSError:
            continue
        if name.startswith("socket:["):
            inodes.add(name[8:-1])
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[9] in inodes}


def create_endpoints(node, token, host, organization):
    """Creates the endpoints of an organization and returns {path of the URL: endpoint id}."""
    endpoints, connection = {}, node.connect(token)
    for number in range(ENDPOINTS):
        path = f"/{organization}/{number}"
        answer = connection.call("POST", "/v1/webhooks/endpoints", {
            "url": f"http://{host}{path}", "format": "raw", "events": ["member.created"]})
        if answer.status != 201:
            raise RuntimeError(f"creating an endpoint: {answer.status} {answer.text[:200]}")
        endpoints[path] = answer.json()["id"]
    connection.close()
    return endpoints


@dataclass
class Kill:
    """A node that was killed while it delivered webhooks."""
    at: float
    other_ports: set  # the ports of the nodes that were not killed
    in_flight: list  # the requests of the killed node that were not answered
    lease: float = 0.0  # the longest remaining lease of the killed node, in seconds
    takeovers: list = field(default_factory=list)  # seconds until another node sent each request in flight again
    faults: list = field(default_factory=list)

    def may_have_interrupted(self, request):
        """Whether the request was in flight on the killed node, so that its answer may not be recorded."""
        return (request.port not in self.other_ports and request.received_at < self.at + ARRIVAL_S
                and request.answered_at > self.at)


def queue_of(receiver, request):
    """Returns the name of the delivery queue that a request comes from."""
    earlier, _ = receiver.other_attempts(request)
    return RETRIES if any(attempt.status != 200 for attempt in earlier) else FIRST_ATTEMPTS


def kill_while_delivering(postgres, receiver, nodes, paths, whole_lease):
    """Kills the node with the most requests in flight. Returns the node, and a Kill."""
    receiver.pause()

    def is_saturated():
        """Whether each endpoint has a first attempt in flight, and every answered attempt is recorded."""
        leased = postgres.sql("SELECT endpoint_id || '|' || queue FROM webhook_queues"
                              f" WHERE leased_until > {int(time.time() * 1e6)}", "tenantry")
        in_flight = {f"{paths[request.path]}|{queue_of(receiver, request)}" for request in receiver.unanswered()}
        return (in_flight >= {f"{endpoint}|{FIRST_ATTEMPTS}" for endpoint in paths.values()}
                and in_flight >= set(leased))
    eventually(is_saturated, 30, "each endpoint has a request in flight, and answered attempts are recorded")
    ports = {node: ports_of(node.pid) for node in nodes}
    node = max(nodes, key=lambda node: sum(request.port in ports[node] for request in receiver.unanswered()))
    node.kill()
    at, unanswered = time.monotonic(), receiver.unanswered()
    other_ports = set().union(*(ports_of(other.pid) for other in nodes if other is not node))
    kill = Kill(at, other_ports, [request for request in unanswered if request.port not in other_ports])
    receiver.resume()
    now, leases = int(time.time() * 1e6), []
    for request in kill.in_flight:
        where = f"queue = '{queue_of(receiver, request)}' AND endpoint_id = '{paths[request.path]}'"
        leases += postgres.sql(f"SELECT leased_until FROM webhook_queues WHERE leased_until IS NOT NULL AND {where}",
                               "tenantry")
        if not whole_lease:
            # One row in each statement: a node may lock several rows in another order, which would be a deadlock.
            postgres.sql(f"UPDATE webhook_queues SET leased_until = {now} WHERE {where}", "tenantry")
    leases = [(int(until) - now) / 1e6 for until in leases]
    kill.lease = max(leases, default=0.0)
    kill.faults = [f"a lease of the killed node lasts {seconds:.1f} s more" for seconds in leases
                   if not 0 < seconds <= LEASE_SECONDS]
    if len(leases) != len(kill.in_flight):
        kill.faults.append(f"{len(leases)} queues are leased, {len(kill.in_flight)} requests were in flight")

    def is_taken_over():
        resent = sum(bool(receiver.other_attempts(request)[1]) for request in kill.in_flight)
        while len(kill.takeovers) < resent:
            kill.takeovers.append(round(time.monotonic() - kill.at, 2))
        return resent == len(kill.in_flight)
    try:
        eventually(is_taken_over, TAKEOVER_WITH_LEASE_S if whole_lease else TAKEOVER_S, "other nodes take over")
    except TimeoutError as error:
        kill.faults.append(f"{error}: {len(kill.takeovers)} of {len(kill.in_flight)}")
    if not kill.in_flight:
        kill.faults.append("no request was in flight on the killed node")
    return node, kill


def delivery_faults(postgres, receiver, paths, members, kills):
    """Returns four lists: events that are missing, out of order, refused and not retried, and delivered twice."""
    missing, disordered, not_retried, twice = [], [], [], []
    for path, endpoint in paths.items():
        stored = postgres.sql(f"SELECT id FROM webhook_events WHERE endpoint_id = '{endpoint}' ORDER BY sequence",
                              "tenantry")
        received = receiver.by_event(path)
        announced = {json.loads(attempts[0].body)["data"]["id"] for attempts in received.values()}
        missing += [f"{path}: no event for the member {member}" for member in members[path] - announced]
        missing += [f"{path}: event {event} did not arrive" for event in set(stored) - set(received)]
        if list(received) != stored:
            pairs = enumerate(zip(received, stored))
            first = next((index for index, (a, b) in pairs if a != b), min(len(received), len(stored)))
            disordered.append(f"{path}: {len(received)} events arrived, {len(stored)} are stored; the first"
                              f" difference is at {first}")
        not_retried += [f"{path}: {event} was refused and not retried until it succeeded"
                        for event, attempts in received.items() if attempts[-1].status != 200]
        for event, attempts in received.items():
            # Once a node has received a 200, there must be no other attempt.
            recorded = [request for request in attempts if request.status == 200
                        and not any(kill.may_have_interrupted(request) for kill in kills)]
            if len(recorded) > 1 or any(request.received_at > recorded[0].answered_at for request in attempts if recorded):
                twice.append(f"{path}: {event} arrived {len(attempts)} times and was answered with"
                             f" {[request.status for request in attempts]}")
    return missing, disordered, not_retried, twice


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1, help="how often a node is killed")
    parser.add_argument("--writes", type=int, default=60, help="writes of each organization before and after a kill")
    parser.add_argument("--whole-lease", action="store_true",
                        help="wait for the end of the leases instead of shortening them in the database")
    options = parser.parse_args()
    receiver = Receiver(status_for)
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        database = postgres.create_database("tenantry")
        commands = cluster.command_line(database)
        commands.run("migrate")
        slugs = ["one", "two"]
        ids = [commands.create_organization(slug, owner_email=f"{slug}@example.com")["id"] for slug in slugs]
        tokens = [commands.create_token(id)["token"] for id in ids]
        nodes = [cluster.node(f"node{index}", database, "--webhook-http-host", receiver.host).start()
                 for index in range(3)]
        base = cluster.haproxy(nodes).base
        tenants = [Tenant(id, token, create_team(base, token)) for id, token in zip(ids, tokens)]
        endpoints = [create_endpoints(nodes[0], token, receiver.host, slug) for slug, token in zip(slugs, tokens)]
        paths = {path: id for of_organization in endpoints for path, id in of_organization.items()}
        loads = [Load(base, [tenant], writers=2, readers=0, mix=("member",)) for tenant in tenants]
        kills = []

        def wait_for_writes():
            for load in loads:
                load.wait_for_writes(options.writes)
        with loads[0], loads[1]:
            for _ in range(options.rounds):
                wait_for_writes()
                node, kill = kill_while_delivering(postgres, receiver, nodes, paths, options.whole_lease)
                kills.append(kill)
                wait_for_writes()
                node.start()
                wait_for_writes()
        begun = time.monotonic()

        def pending():
            return int(postgres.sql("SELECT count(*) FROM webhook_events WHERE state = 'pending'", "tenantry")[0])
        eventually(lambda: pending() == 0, DRAIN_SECONDS + pending() / DRAINED_PER_SECOND, "every event is delivered")
        drained = time.monotonic() - begun
        members = {path: {created.id for created in load.journal.created.values()}
                   for load, of_organization in zip(loads, endpoints) for path in of_organization}
        missing, disordered, not_retried, twice = delivery_faults(postgres, receiver, paths, members, kills)
        refused = sum(request.status != 200 for request in receiver.requests)
        if not refused:
            not_retried.append("no attempt was refused")
        not_succeeded = postgres.sql(
            "SELECT state, count(*) FROM webhook_events WHERE state <> 'succeeded' GROUP BY 1", "tenantry")
        receiver.close()
        in_flight = [dict(Counter(queue_of(receiver, request) for request in kill.in_flight)) for kill in kills]
        figures = {"writes": sum(len(load.journal.writes) for load in loads), "endpoints": len(paths),
                   "deliveries": len(receiver.requests), "refused": refused,
                   "requests in flight at each kill, by queue": in_flight,
                   "seconds that leases had left at each kill": [round(kill.lease, 1) for kill in kills],
                   "seconds until taken over": [kill.takeovers for kill in kills],
                   "whole leases": options.whole_lease, "seconds until drained": round(drained, 1)}
        load_faults = list(itertools.chain.from_iterable(load.journal.faults for load in loads))
        return report("webhooks", [
            ("every event is delivered", missing + not_succeeded + load_faults),
            ("first attempts arrive in order", disordered),
            ("refused events are retried", not_retried),
            ("the leases of the killed node are taken over", [fault for kill in kills for fault in kill.faults]),
            ("only requests in flight on the killed node arrive twice", twice),
        ], figures)


if __name__ == "__main__":
    sys.exit(main())
