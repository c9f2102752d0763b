#!/usr/bin/env python3
"""Three nodes that deliver webhooks; one is killed while requests of its are on their way, and starts again.

Every event is delivered, first attempts come in order, what is refused comes again, the dead node's lanes are taken
over, and nothing is delivered twice except what was on its way from the dead node.
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
from load import Load, Tenant, team
from receiver import Receiver

LEASE_SECONDS = 20
TAKEN_OVER_SECONDS = 30  # with the whole lease
TAKEN_SECONDS = 20  # once a lane is free: the other nodes look every 5 s
DRAINED_SECONDS, DRAINED_A_SECOND = 60, 10  # what is left when the load ends: at least so many events a second
ENDPOINTS = 3  # of each organization
REFUSED = 10  # one event of so many is refused when it first comes
ARRIVED_S = 1  # until what a node had sent before it died is read


def judge(request, earlier):
    """Some events are refused when they first come."""
    return 503 if not earlier and zlib.crc32(request.id.encode()) % REFUSED == 0 else 200


def ports_of(pid):
    """The local ports of a process's TCP connections."""
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


def endpoints(node, token, host, organization):
    """Makes endpoints: their ids, by the path at which they are reached."""
    made, connection = {}, node.connect(token)
    for number in range(ENDPOINTS):
        path = f"/{organization}/{number}"
        answer = connection.call("POST", "/v1/webhooks/endpoints", {
            "url": f"http://{host}{path}", "format": "raw", "events": ["member.created"]})
        if answer.status != 201:
            raise RuntimeError(f"creating an endpoint: {answer.status} {answer.text[:200]}")
        made[path] = answer.json()["id"]
    connection.close()
    return made


@dataclass
class Kill:
    """A node that died while it delivered."""
    at: float
    others: set  # the ports of the living nodes
    flying: list  # the requests that were on their way
    lease: float = 0.0  # the longest that was left
    taken: list = field(default_factory=list)  # seconds until another node sent each of them again
    wrong: list = field(default_factory=list)

    def may_have_cut(self, request):
        """Whether the request was on its way from the dead node: then nobody may have written its answer down."""
        return request.port not in self.others and request.came < self.at + ARRIVED_S and request.answered > self.at


def lane(receiver, request):
    """Which of its endpoint's lanes a request is on."""
    earlier, _ = receiver.around(request)
    return "again" if any(other.status != 200 for other in earlier) else "first"


def kill_while_delivering(postgres, receiver, nodes, paths, whole_lease):
    """Kills the node with the most requests on their way: the node, and what became of them."""
    receiver.hold()

    def is_held():
        """Whether each endpoint waits for the answer to a first attempt, and all that was answered is written down."""
        leased = postgres.sql("SELECT endpoint_id || '|' || lane FROM webhook_lanes"
                              f" WHERE leased_until > {int(time.time() * 1e6)}", "tenantry")
        held = {f"{paths[request.path]}|{lane(receiver, request)}" for request in receiver.waiting()}
        return held >= {f"{endpoint}|first" for endpoint in paths.values()} and held >= set(leased)
    eventually(is_held, 30, "every endpoint is sent a request, and what was answered is written down")
    ports = {node: ports_of(node.pid) for node in nodes}
    node = max(nodes, key=lambda node: sum(request.port in ports[node] for request in receiver.waiting()))
    node.kill()
    at, waiting = time.monotonic(), receiver.waiting()
    others = set().union(*(ports_of(other.pid) for other in nodes if other is not node))
    killed = Kill(at, others, [request for request in waiting if request.port not in others])
    receiver.flow()
    now, left = int(time.time() * 1e6), []
    for request in killed.flying:
        where = f"lane = '{lane(receiver, request)}' AND endpoint_id = '{paths[request.path]}'"
        left += postgres.sql(f"SELECT leased_until FROM webhook_lanes WHERE leased_until IS NOT NULL AND {where}", "tenantry")
        if not whole_lease:
            # One by one: who holds a row and waits for another can meet a node that does so in another order.
            postgres.sql(f"UPDATE webhook_lanes SET leased_until = {now} WHERE {where}", "tenantry")
    left = [(int(until) - now) / 1e6 for until in left]
    killed.lease = max(left, default=0.0)
    killed.wrong = [f"a lane of the dead node is held for {seconds:.1f} s" for seconds in left
                    if not 0 < seconds <= LEASE_SECONDS]
    if len(left) != len(killed.flying):
        killed.wrong.append(f"{len(left)} lanes are held of {len(killed.flying)}")

    def taken_over():
        for _ in range(len(killed.taken), sum(bool(receiver.around(request)[1]) for request in killed.flying)):
            killed.taken.append(round(time.monotonic() - killed.at, 2))
        return len(killed.taken) == len(killed.flying)
    try:
        eventually(taken_over, TAKEN_OVER_SECONDS if whole_lease else TAKEN_SECONDS, "other nodes take over")
    except TimeoutError as error:
        killed.wrong.append(f"{error}: {len(killed.taken)} of {len(killed.flying)}")
    if not killed.flying:
        killed.wrong.append("no request was on its way")
    return node, killed


def delivery_faults(postgres, receiver, paths, written, kills):
    """What is not delivered, comes out of order, is not repeated, or comes twice."""
    lost, disordered, unrepeated, twice = [], [], [], []
    for path, endpoint in paths.items():
        rows = postgres.sql(f"SELECT id FROM webhook_events WHERE endpoint_id = '{endpoint}' ORDER BY sequence",
                            "tenantry")
        came = receiver.by_event(path)
        told = {json.loads(same[0].body)["data"]["id"] for same in came.values()}
        lost += [f"{path}: {member} was made and not told of" for member in written[path] - told]
        lost += [f"{path}: event {event} never came" for event in set(rows) - set(came)]
        if list(came) != rows:
            at = next((at for at, (a, b) in enumerate(zip(came, rows)) if a != b), min(len(came), len(rows)))
            disordered.append(f"{path}: {len(came)} events came, {len(rows)} are stored; they differ from {at} on")
        unrepeated += [f"{path}: {event} was refused and did not come again" for event, same in came.items()
                       if same[-1].status != 200]
        for event, same in came.items():
            # After one that was taken, and whose answer was heard, there is none.
            taken = [request for request in same if request.status == 200]
            heard = [request for request in taken if not any(kill.may_have_cut(request) for kill in kills)]
            if len(heard) > 1 or any(request.came > heard[0].answered for request in same if heard):
                twice.append(f"{path}: {event} came {len(same)} times, and was answered {[request.status for request in same]}")
    return lost, disordered, unrepeated, twice


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1, help="how often a node is killed")
    parser.add_argument("--writes", type=int, default=60, help="of each organization, before and after a kill")
    parser.add_argument("--whole-lease", action="store_true",
                        help="wait until leases end by themselves; else they are shortened in the database")
    options = parser.parse_args()
    receiver = Receiver(judge)
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
        stage = [Tenant(id, token, team(base, token)) for id, token in zip(ids, tokens)]
        hooks = [endpoints(nodes[0], token, receiver.host, slug) for slug, token in zip(slugs, tokens)]
        paths = {path: id for made in hooks for path, id in made.items()}
        loads = [Load(base, [tenant], writers=2, readers=0, mix=("member",)) for tenant in stage]
        kills = []

        def more():
            for load in loads:
                load.wait_for_writes(options.writes)
        with loads[0], loads[1]:
            for _ in range(options.rounds):
                more()
                node, killed = kill_while_delivering(postgres, receiver, nodes, paths, options.whole_lease)
                kills.append(killed)
                more()
                node.start()
                more()
        begun = time.monotonic()

        def pending():
            return int(postgres.sql("SELECT count(*) FROM webhook_events WHERE state = 'pending'", "tenantry")[0])
        eventually(lambda: pending() == 0, DRAINED_SECONDS + pending() / DRAINED_A_SECOND, "every event is delivered")
        drained = time.monotonic() - begun
        written = {path: {made.id for made in load.book.made.values()} for load, paths_of in zip(loads, hooks)
                   for path in paths_of}
        lost, disordered, unrepeated, twice = delivery_faults(postgres, receiver, paths, written, kills)
        refused = sum(request.status != 200 for request in receiver.requests)
        if not refused:
            unrepeated.append("nothing was refused")
        unfit = postgres.sql("SELECT state, count(*) FROM webhook_events WHERE state <> 'succeeded' GROUP BY 1",
                             "tenantry")
        receiver.close()
        figures = {"writes": sum(load.book.writes for load in loads), "endpoints": len(paths),
                   "deliveries": len(receiver.requests), "refused": refused,
                   "on their way at a kill, by lane": [dict(Counter(lane(receiver, request) for request in killed.flying))
                                                       for killed in kills],
                   "seconds that leases were left": [round(killed.lease, 1) for killed in kills],
                   "seconds until taken over": [killed.taken for killed in kills],
                   "whole leases": options.whole_lease, "seconds until drained": round(drained, 1)}
        unanswered = list(itertools.chain.from_iterable(load.book.faults for load in loads))
        return report("webhooks", [
            ("every event is delivered", lost + unfit + unanswered),
            ("first attempts are in order", disordered),
            ("what is refused comes again", unrepeated),
            ("the dead node's lanes are taken over", [fault for killed in kills for fault in killed.wrong]),
            ("nothing comes twice but what was on its way", twice),
        ], figures)


if __name__ == "__main__":
    sys.exit(main())
