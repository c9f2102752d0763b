#!/usr/bin/env python3
"""Sends every request several times at once under one key, and kills the server meanwhile.

Clients of both dialects make customers, members, people of the team and access tokens,
and are refused now and then. Whoever loses the connection, or is told that the request
is in progress, sends it again until it is answered. In the end each request has had one
effect and one answer, however often it was sent and however often the server died.
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
from harness import Server  # noqa: E402

SECONDS = 180  # the storm is over by then, or has failed
COPIES = 5


@dataclass
class Request:
    """One request, whatever the number of times it is sent."""
    kind: str
    key: str
    path: str
    payload: dict
    status: int
    answers: list = field(default_factory=list)  # (status, text, whether it is a replay)


class Storm:
    """The requests, who sends them, and what came back."""

    def __init__(self, server, token):
        self._server, self._token = server, token
        self._up, self._lock = threading.Event(), threading.Condition()
        self._waiting = queue.Queue()
        self._deadline = time.monotonic() + SECONDS
        self.sent = self.answered = 0
        self.counts = Counter()
        self.faults = []

    def rage(self, sends, clients, kills):
        """Has so many clients send everything, and kills the server after so many answers each time."""
        for request in sends:
            self._waiting.put(request)
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
                raise TimeoutError(f"{self.answered} answers within {SECONDS} s, {answers} were waited for")

    def _client(self, total):
        connection = None
        while self.answered < total and not self.faults and time.monotonic() < self._deadline:
            try:
                request = self._waiting.get(timeout=0.2)
            except queue.Empty:
                continue  # what is under way may yet have to be sent again
            try:
                connection = connection or self._server.connect(self._token)
                answer = connection.call("POST", request.path, request.payload, {"Idempotency-Key": request.key})
            except (OSError, HTTPException):
                connection = None
                self._again(request, "lost connections")
                self._up.wait(max(0.0, self._deadline - time.monotonic()))
                continue
            flag = answer.headers.get("idempotent-replayed")
            if answer.status == 409 and flag == "false":
                if int(answer.headers.get("retry-after", "0")) < 1:
                    self.faults.append(f"{request.key}: in progress, with no time to wait")
                self._again(request, "in progress")
            else:
                self._note(request, answer, flag)
        if connection:
            connection.close()

    def _again(self, request, why):
        with self._lock:
            self.sent += 1
            self.counts[why] += 1
        self._waiting.put(request)

    def _note(self, request, answer, flag):
        with self._lock:
            self.sent += 1
            self.answered += 1
            self.counts["replays"] += flag == "true"
            request.answers.append((answer.status, answer.text, flag == "true"))
            if answer.status != request.status or flag not in (None, "true"):
                self.faults.append(f"{request.kind} {request.key}: {answer.status} {flag} {answer.text[:160]}")
            self._lock.notify_all()


def made_up(count, organization, customer):
    """So many different requests; each names itself in what it makes."""
    def of(number, kind):
        name = f"{kind}.{number}"
        email = f"{name}@example.com"
        if kind == "customer":
            return "/v1/customers/", {"type": "team", "name": name, "owner": {"email": email}}, 201
        if kind == "member":
            return "/v1/members/", {"customer_id": customer, "email": email, "external_id": name}, 201
        if kind == "person":
            return f"/v2/accounts/{organization}/members", {"email": email, "role": "Developer"}, 201
        if kind == "token":
            return "/v1/organization-access-tokens/", {"comment": name, "scopes": ["customers:read"]}, 201
        return f"/v2/accounts/{organization}/members", {"email": email, "role": "Emperor"}, 400

    kinds = ["customer", "member", "person", "token"] * 5 + ["refused"]
    for number in range(count):
        kind = kinds[number % len(kinds)]
        path, payload, status = of(number, kind)
        yield Request(kind, f"{kind}-{number}", path, payload, status)


def of_kind(requests, kind):
    return [request for request in requests if request.kind == kind]


def all_items(connection, path):
    """Every item of a list of /v1."""
    items, page = [], 1
    while True:
        answer = connection.call("GET", f"{path}page={page}&limit=100").json()
        items += answer["items"]
        if page >= answer["pagination"]["max_page"]:
            return items
        page += 1


def answers_alike(requests):
    for request in requests:
        texts = {text for _, text, _ in request.answers}
        if len(texts) != 1:
            yield f"{request.key}: {len(texts)} different answers"
        if sum(not is_replay for _, _, is_replay in request.answers) > 1:
            yield f"{request.key}: more than one answer is not a replay"


def same(what, wanted, found):
    """How two lists of names differ, each name counted."""
    wanted, found = Counter(wanted), Counter(found)
    for word, difference in (("missing", wanted - found), ("too many", found - wanted)):
        if difference:
            yield f"{what}: {difference.total()} {word}, such as {next(iter(difference))}"


def effects_in_lists(requests, connection, organization, customer):
    """What the lists show is what was answered, each once."""
    def answered(kind, read):
        return [read(json.loads(request.answers[0][1])) for request in of_kind(requests, kind)]

    ids = [item["id"] for item in all_items(connection, "/v1/customers/?")]
    yield from same("customers", answered("customer", lambda made: made["id"]) + [customer], ids)
    members = [item["id"] for item in all_items(connection, f"/v1/members/?customer_id={customer}&role=member&")]
    yield from same("members", answered("member", lambda made: made["id"]), members)
    people = connection.call("GET", f"/v2/accounts/{organization}/members").json()["data"]
    people = [person["user_id"] for person in people if person["role"] != "Administrator"]
    yield from same("people", answered("person", lambda made: made["user_id"]), people)
    tokens = [item["id"] for item in all_items(connection, "/v1/organization-access-tokens/?") if "." in item["comment"]]
    yield from same("tokens", answered("token", lambda made: made["organization_access_token"]["id"]), tokens)


def secrets_again(requests, connection):
    """The secret is the same once more, and works."""
    for request in of_kind(requests, "token"):
        answer = connection.call("POST", request.path, request.payload, {"Idempotency-Key": request.key})
        if (answer.text, answer.headers.get("idempotent-replayed")) != (request.answers[0][1], "true"):
            yield f"{request.key}: {answer.status} {answer.text[:160]}"


def effects_in_database(requests, rows):
    for kind, sql in (
        ("customer", "SELECT name FROM customers WHERE name LIKE 'customer.%'"),
        ("member", "SELECT external_id FROM members WHERE external_id LIKE 'member.%'"),
        ("person", "SELECT replace(email, '@example.com', '') FROM users WHERE email LIKE 'person.%'"),
        ("token", "SELECT label FROM access_tokens WHERE label LIKE 'token.%'"),
        ("refused", "SELECT email FROM users WHERE email LIKE 'refused.%'"),
    ):
        wanted = [request.key.replace("-", ".") for request in of_kind(requests, kind) if request.status == 201]
        yield from same(f"rows of {kind}", wanted, [name for name, in rows(sql)])
    twice = "SELECT action, count(*) FROM audit_entries GROUP BY action, subject_id HAVING count(*) > 1"
    for action, count in rows(f"{twice} AND action LIKE '%.created' LIMIT 3"):
        yield f"{action} is written down {count} times for one row"


def keys_in_database(requests, rows):
    found = rows("SELECT idempotency_key, status, length(body) FROM idempotency_records")
    yield from same("keys", [request.key for request in requests], [key for key, _, _ in found])
    wanted = {request.key: str(request.status) for request in requests}
    for key, status, size in found:
        if size == "0" or status != wanted.get(key):
            yield f"{key} is claimed and has no answer: {status}"


def no_secret(requests, contents):
    if b"customer.0" not in contents:
        yield "not even what is no secret is found"
    for request in of_kind(requests, "token"):
        secret = json.loads(request.answers[0][1])["token"].encode()
        if secret in contents or secret.hex().encode() in contents:
            yield f"{request.key}: the secret stands in the database"


def integrity(server):
    if not server.database.startswith("sqlite:"):
        return []  # PostgreSQL has no such question
    verdict = [line for line, in server.stored.rows("PRAGMA integrity_check")]
    return [] if verdict == ["ok"] else verdict


def checks(requests, storm, server, token, organization, customer):
    yield "every answer is one that was wanted", storm.faults
    if storm.faults:
        return
    yield "all answers to a request are alike, and one at the most is no replay", answers_alike(requests)
    with closing(server.connect(token)) as connection:
        yield "the lists show each effect once", effects_in_lists(requests, connection, organization, customer)
        yield "a secret is answered again", secrets_again(requests, connection)
    yield "the server stops", [] if server.stop() == 0 else [server.log()]
    yield "the database holds each effect once", effects_in_database(requests, server.stored.rows)
    yield "each key has its answer", keys_in_database(requests, server.stored.rows)
    yield "the database is whole", integrity(server)
    yield "no secret stands in the database", no_secret(requests, server.stored.contents())


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
            organization = server.cli.create_organization("storm", owner_email="owner@example.com")["id"]
            token = server.cli.create_token(organization)["token"]
            with closing(server.connect(token)) as connection:
                team = {"type": "team", "name": "Storm", "email": "storm@example.com"}
                customer = connection.call("POST", "/v1/customers/", team).json()["id"]
            requests = list(made_up(options.requests, organization, customer))
            sends = [request for request in requests for _ in range(dice.randint(1, COPIES))]
            kills = sorted(dice.sample(range(len(sends) // 20, len(sends) * 9 // 10), options.kills))
            storm = Storm(server, token)
            storm.rage(sends, options.clients, kills)
            raged = time.monotonic() - begun
            for name, faults in checks(requests, storm, server, token, organization, customer):
                faults = list(faults)
                passed, failed = passed + (not faults), failed + bool(faults)
                print(f"{'ok' if not faults else 'FAILED':6} {name}")
                print("".join(f"    {fault}\n" for fault in faults[:10]), end="")
        finally:
            server.kill()
            server.drop()
    counts = storm.counts
    unheard = sum({is_replay for _, _, is_replay in request.answers} == {True} for request in requests)
    print(f"{len(requests)} requests sent {storm.sent} times by {options.clients} clients in {raged:.1f} s, "
          f"{time.monotonic() - begun:.1f} s in all: {counts['kills']} kills, {counts['lost connections']} lost "
          f"connections, {counts['replays']} replays, {counts['in progress']} in progress, {unheard} first answers that nobody heard")
    print(f"storm: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
