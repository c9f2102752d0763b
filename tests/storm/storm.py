#!/usr/bin/env python3
"""Sends every request several times at once under one idempotency key while the server is killed repeatedly.

Clients of both dialects create customers, members, team members and access tokens; one request in 21 is invalid. A
client whose connection breaks, or whose request is still in progress (409), sends the request again until it is
answered. At the end each request must have had one effect and one answer.
"""
import argparse
import json
import queue
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from compare import differences  # noqa: E402
from harness import Server  # noqa: E402

STORM_SECONDS = 180  # the storm fails when it is not over by then
MAX_COPIES = 5  # how often one request is sent at the most, besides the repeats after a failure

OWNER = "owner@example.com"


@dataclass
class Request:
    """One request with its idempotency key, however often it is sent."""
    kind: str
    key: str
    path: str
    payload: dict
    status: int  # the expected one
    answers: list = field(default_factory=list)  # (status, text, whether it is a replay)


class Storm:
    """Clients that send requests from a queue until each has been answered once for each of its copies."""

    def __init__(self, server, token):
        self._server, self._token = server, token
        self._up, self._lock = threading.Event(), threading.Condition()
        self._queue = queue.Queue()
        self._deadline = time.monotonic() + STORM_SECONDS
        self.sent = self.answered = 0
        self.counts = Counter()
        self.faults = []

    def run(self, sends, clients, kills):
        """Sends everything in `clients` threads. Kills and restarts the server at each number of answers in `kills`."""
        for request in sends:
            self._queue.put(request)
        self._up.set()
        threads = [threading.Thread(target=self._client, args=(len(sends),), daemon=True) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for kill in kills:
            self._wait_for(kill)
            if self.faults:
                return
            self._up.clear()
            self._server.kill()
            self.counts["kills"] += 1
            self._server.start()
            self._up.set()
        self._wait_for(len(sends))
        for thread in threads:
            thread.join(30)

    def _wait_for(self, answers):
        with self._lock:
            left = max(0.0, self._deadline - time.monotonic())
            if not self._lock.wait_for(lambda: self.answered >= answers or self.faults, left):
                raise TimeoutError(f"{self.answered} answers within {STORM_SECONDS} s, expected {answers}")

    def _client(self, total):
        connection = None
        while self.answered < total and not self.faults and time.monotonic() < self._deadline:
            try:
                request = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue  # another client may put its request back
            try:
                connection = connection or self._server.connect(self._token)
                answer = connection.call("POST", request.path, request.payload, {"Idempotency-Key": request.key})
            except (OSError, HTTPException):
                connection = None
                self._put_back(request, "lost connections")
                self._up.wait(max(0.0, self._deadline - time.monotonic()))
                continue
            flag = answer.headers.get("idempotent-replayed")
            if answer.status == 409 and flag == "false":
                if int(answer.headers.get("retry-after", "0")) < 1:
                    self.faults.append(f"{request.key}: 409 without a positive Retry-After")
                self._put_back(request, "in progress")
            else:
                self._record(request, answer, flag)
        if connection:
            connection.close()

    def _put_back(self, request, reason):
        with self._lock:
            self.sent += 1
            self.counts[reason] += 1
        self._queue.put(request)

    def _record(self, request, answer, flag):
        with self._lock:
            self.sent += 1
            self.answered += 1
            self.counts["replays"] += flag == "true"
            request.answers.append((answer.status, answer.text, flag == "true"))
            if answer.status != request.status or flag not in (None, "true"):
                self.faults.append(f"{request.kind} {request.key}: {answer.status} {flag} {answer.text[:160]}")
            self._lock.notify_all()


def make_requests(count, organization, customer):
    """Yields `count` different requests. Each creates an object whose name tells which request created it."""
    def request_of(number, kind):
        name = f"{kind}.{number}"
        email = f"{name}@example.com"
        if kind == "customer":
            return "/v1/customers/", {"type": "team", "name": name, "owner": {"email": email}}, 201
        if kind == "member":
            return "/v1/members/", {"customer_id": customer, "email": email, "external_id": name}, 201
        if kind == "team_member":
            return f"/v2/accounts/{organization}/members", {"email": email, "role": "Developer"}, 201
        if kind == "token":
            return "/v1/organization-access-tokens/", {"comment": name, "scopes": ["customers:read"]}, 201
        # Refused by a rule about the data, so that the refusal is stored: the owner is a member already. The name makes
        # each request another one.
        return f"/v2/accounts/{organization}/members", {"email": OWNER, "role": "Developer", "name": name}, 409

    kinds = ["customer", "member", "team_member", "token"] * 5 + ["refused"]
    for number in range(count):
        kind = kinds[number % len(kinds)]
        path, payload, status = request_of(number, kind)
        yield Request(kind, f"{kind}-{number}", path, payload, status)


def of_kind(requests, kind):
    return [request for request in requests if request.kind == kind]


def all_items(connection, path):
    """Returns the items of all pages of a /v1 list; `path` ends with ? or &."""
    items, page = [], 1
    while True:
        answer = connection.call("GET", f"{path}page={page}&limit=100").json()
        items += answer["items"]
        if page >= answer["pagination"]["max_page"]:
            return items
        page += 1


def answer_faults(requests):
    """Checks that all answers to a request have the same text, and at most one is not a replay."""
    for request in requests:
        texts = {text for _, text, _ in request.answers}
        if len(texts) != 1:
            yield f"{request.key}: {len(texts)} different answers"
        if sum(not is_replay for _, _, is_replay in request.answers) > 1:
            yield f"{request.key}: more than one answer is not a replay"


def list_faults(requests, connection, organization, customer):
    """Checks that the lists show each object that was created exactly once, and nothing else."""
    def created(kind, id_of):
        return [id_of(json.loads(request.answers[0][1])) for request in of_kind(requests, kind)]

    ids = [item["id"] for item in all_items(connection, "/v1/customers/?")]
    yield from differences("customers", created("customer", lambda answer: answer["id"]) + [customer], ids)
    members = [item["id"] for item in all_items(connection, f"/v1/members/?customer_id={customer}&role=member&")]
    yield from differences("members", created("member", lambda answer: answer["id"]), members)
    team = connection.call("GET", f"/v2/accounts/{organization}/members").json()["data"]
    team = [member["user_id"] for member in team if member["role"] != "Administrator"]
    yield from differences("team members", created("team_member", lambda answer: answer["user_id"]), team)
    tokens = [item["id"] for item in all_items(connection, "/v1/organization-access-tokens/?") if "." in item["comment"]]
    yield from differences("tokens", created("token", lambda answer: answer["organization_access_token"]["id"]), tokens)


def secret_replay_faults(requests, connection):
    """Checks that a replayed creation of a token shows the same secret."""
    for request in of_kind(requests, "token"):
        answer = connection.call("POST", request.path, request.payload, {"Idempotency-Key": request.key})
        if (answer.text, answer.headers.get("idempotent-replayed")) != (request.answers[0][1], "true"):
            yield f"{request.key}: {answer.status} {answer.text[:160]}"


def row_faults(requests, rows):
    """Checks that the database has one row and one audit entry for each object that was created."""
    for kind, sql in (
        ("customer", "SELECT name FROM customers WHERE name LIKE 'customer.%'"),
        ("member", "SELECT external_id FROM members WHERE external_id LIKE 'member.%'"),
        ("team_member", "SELECT replace(email, '@example.com', '') FROM users WHERE email LIKE 'team_member.%'"),
        ("token", "SELECT label FROM access_tokens WHERE label LIKE 'token.%'"),
        ("refused", "SELECT email FROM users WHERE email LIKE 'refused.%'"),
    ):
        expected = [request.key.replace("-", ".") for request in of_kind(requests, kind) if request.status == 201]
        yield from differences(f"rows of {kind}", expected, [name for name, in rows(sql)])
    duplicates = "SELECT action, count(*) FROM audit_entries GROUP BY action, subject_id HAVING count(*) > 1"
    for action, count in rows(f"{duplicates} AND action LIKE '%.created' LIMIT 3"):
        yield f"{count} audit entries {action} for one row"


def idempotency_record_faults(requests, rows):
    """Checks that the database has a completed idempotency record for each request."""
    found = rows("SELECT idempotency_key, status, length(body) FROM idempotency_records")
    yield from differences("idempotency keys", [request.key for request in requests], [key for key, _, _ in found])
    expected = {request.key: str(request.status) for request in requests}
    for key, status, size in found:
        if size == "0" or status != expected.get(key):
            yield f"the record of {key} has no answer, or another one: status {status}"


def secret_faults(requests, contents):
    """Checks that the stored bytes contain no secret, neither as text nor in hexadecimal."""
    if b"customer.0" not in contents:
        yield "the stored bytes do not contain a name that is stored as plain text: the check would find nothing"
    for request in of_kind(requests, "token"):
        secret = json.loads(request.answers[0][1])["token"].encode()
        if secret in contents or secret.hex().encode() in contents:
            yield f"{request.key}: the database contains the secret"


def integrity_faults(server):
    if not server.database.startswith("sqlite:"):
        return []  # PostgreSQL has no integrity check in SQL
    lines = [line for line, in server.own_database.rows("PRAGMA integrity_check")]
    return [] if lines == ["ok"] else lines


def checks(requests, storm, server, token, organization, customer):
    """Yields the name and the faults of each check."""
    yield "every answer has the expected status", storm.faults
    if storm.faults:
        return
    yield "all answers to a request are the same, and at most one is not a replay", answer_faults(requests)
    with closing(server.connect(token)) as connection:
        yield "the lists show each effect once", list_faults(requests, connection, organization, customer)
        yield "a replayed creation of a token shows its secret", secret_replay_faults(requests, connection)
    yield "the server stops", [] if server.stop() == 0 else [server.log()]
    yield "the database has each effect once", row_faults(requests, server.own_database.rows)
    yield "each idempotency key has its answer", idempotency_record_faults(requests, server.own_database.rows)
    yield "the database passes its integrity check", integrity_faults(server)
    yield "the database contains no secret", secret_faults(requests, server.own_database.contents())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    dice, passed, failed, begun = random.Random(options.seed), 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tenantry-storm-") as directory:
        server = Server(directory).start()
        try:
            organization = server.cli.create_organization("storm", owner_email=OWNER)["id"]
            token = server.cli.create_token(organization)["token"]
            with closing(server.connect(token)) as connection:
                team = {"type": "team", "name": "Storm", "email": "storm@example.com"}
                customer = connection.call("POST", "/v1/customers/", team).json()["id"]
            requests = list(make_requests(options.requests, organization, customer))
            sends = [request for request in requests for _ in range(dice.randint(1, MAX_COPIES))]
            kills = sorted(dice.sample(range(len(sends) // 20, len(sends) * 9 // 10), options.kills))
            storm = Storm(server, token)
            storm.run(sends, options.clients, kills)
            storm_seconds = time.monotonic() - begun
            for name, faults in checks(requests, storm, server, token, organization, customer):
                faults = list(faults)
                passed, failed = passed + (not faults), failed + bool(faults)
                print(f"{'ok' if not faults else 'FAILED':6} {name}")
                print("".join(f"    {fault}\n" for fault in faults[:10]), end="")
        finally:
            server.kill()
            server.drop()
    counts = storm.counts
    lost = sum({is_replay for _, _, is_replay in request.answers} == {True} for request in requests)
    print(f"{len(requests)} requests sent {storm.sent} times by {options.clients} clients in {storm_seconds:.1f} s, "
          f"{time.monotonic() - begun:.1f} s in all: {counts['kills']} kills, {counts['lost connections']} lost "
          f"connections, {counts['replays']} replays, {counts['in progress']} in progress, {lost} original answers lost")
    print(f"storm: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
