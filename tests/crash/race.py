#!/usr/bin/env python3
"""Asks for conflicting things at once; the rules must hold as if it were one after another.

A team customer has exactly one owner, whoever asked for what; one e-mail address is one
member; one idempotency key is one effect.
"""
import argparse
import itertools
import random
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from harness import TemporaryServer  # noqa: E402

CREATES = TRANSFERS = 64
ADDS = 32
ACTION_COPIES = 3


class Stage:
    """An organization on running servers of one database, and the ways to ask them things at once, in turn."""

    def __init__(self, server, *others):
        self._servers = itertools.cycle([server, *others])
        self.organization = server.cli.create_organization("race", owner_email="owner@example.com")["id"]
        self._token = server.cli.create_token(self.organization)["token"]
        self._numbers = itertools.count(1)

    def ask(self, method, path, payload=None, headers=None, token=None):
        connection = next(self._servers).connect(token or self._token)
        try:
            return connection.call(method, path, payload, headers)
        finally:
            connection.close()

    def at_once(self, requests):
        """Sends all requests at the same moment; their answers in order."""
        gate = threading.Barrier(len(requests))

        def send(request):
            gate.wait(30)
            return self.ask(*request)
        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(send, requests))

    def unique(self, word):
        return f"{word}.{next(self._numbers)}@example.com"

    def made(self, path, payload):
        answer = self.ask("POST", path, payload)
        if answer.status != 201:
            raise RuntimeError(f"POST {path}: {answer.status} {answer.text[:200]}")
        return answer.json()["id"]

    def team(self, members):
        """A new team customer: its id, its owner's, and those of so many members."""
        customer = self.made("/v1/customers/", {"type": "team", "name": "Team", "email": self.unique("team")})
        owner = self.members(customer)[0]["id"]
        return customer, owner, [
            self.made("/v1/members/", {"customer_id": customer, "email": self.unique("member")}) for _ in range(members)]

    def members(self, customer):
        return self.ask("GET", f"/v1/members/?customer_id={customer}&limit=100").json()["items"]


def unexpected(answers, allowed):
    """The answers whose status is none of the allowed ones."""
    strange = [answer for answer in answers if answer.status not in allowed]
    return [f"{len(strange)} strange answers, such as {strange[0].status} {strange[0].text[:160]}"] if strange else []


def owner_faults(members):
    owners = sum(member["role"] == "owner" for member in members)
    return [] if owners == 1 else [f"{owners} owners among {len(members)} members"]


def one_email_is_one_member(stage, dice):
    customer, _, _ = stage.team(0)
    email = stage.unique("Same.Person")
    spellings = [email, email.upper(), email.lower(), email.swapcase()]
    requests = [("POST", "/v1/members/", {"customer_id": customer, "email": dice.choice(spellings)})
                for _ in range(CREATES)]
    answers = stage.at_once(requests)
    faults = unexpected(answers, {201})
    ids = {answer.json()["id"] for answer in answers if answer.status == 201}
    rows = [row for row in stage.members(customer) if row["email"].lower() == email.lower()]
    if len(ids) != 1 or {row["id"] for row in rows} != ids or len(rows) != 1:
        faults.append(f"{len(ids)} ids answered, {len(rows)} rows listed")
    return faults


def transfers_leave_one_owner(stage, dice):
    customer, owner, members = stage.team(7)
    heirs = [dice.choice([owner, *members]) for _ in range(TRANSFERS)]
    answers = stage.at_once([("PATCH", f"/v1/members/{heir}", {"role": "owner"}) for heir in heirs])
    listed = stage.members(customer)
    faults = unexpected(answers, {200}) + owner_faults(listed)
    if len(listed) != 8:
        faults.append(f"{len(listed)} of 8 members are left")
    return faults


ACTIONS = {
    "transfer": lambda customer, owner, heir, target: ("PATCH", f"/v1/members/{heir}", {"role": "owner"}),
    "demote": lambda customer, owner, heir, target: ("PATCH", f"/v1/members/{target}", {"role": "member"}),
    "remove": lambda customer, owner, heir, target: ("DELETE", f"/v1/members/{target}"),
    "delete customer": lambda customer, owner, heir, target: ("DELETE", f"/v1/customers/{customer}"),
}


def mixed_actions_leave_one_owner(names):
    def play(stage, dice):
        customer, owner, (heir, other) = stage.team(2)
        requests = []
        for name in names:
            for _ in range(ACTION_COPIES):
                chosen_heir, target = dice.choice([heir, heir, other]), dice.choice([owner, heir])
                requests.append(ACTIONS[name](customer, owner, chosen_heir, target))
        dice.shuffle(requests)
        faults = unexpected(stage.at_once(requests), {200, 204, 404, 422})
        status, listed = stage.ask("GET", f"/v1/customers/{customer}").status, stage.members(customer)
        if status == 200:
            return faults + owner_faults(listed)
        if status != 404 or "delete customer" not in names:
            faults.append(f"the customer answers {status}")
        return faults + ([f"{len(listed)} members of no customer"] if listed else [])
    return play


def one_key_is_one_effect(stage, dice):
    path = f"/v2/accounts/{stage.organization}/members"
    before = {row["user_id"] for row in stage.ask("GET", path).json()["data"]}
    payload = {"email": stage.unique("teammate"), "name": "Jordan Lee", "role": "Developer"}
    headers = {"Idempotency-Key": f"race-{dice.getrandbits(64):x}"}
    answers = stage.at_once([("POST", path, payload, headers)] * ADDS)
    faults = unexpected(answers, {201, 409})
    added = [answer for answer in answers if answer.status == 201]
    replayed = Counter(answer.headers.get("idempotent-replayed") for answer in added)
    if replayed[None] != 1 or set(replayed) - {None, "true"}:
        faults.append(f"expected one original and replays, got {dict(replayed)}")
    if len({(answer.text, answer.headers.get("content-type")) for answer in added}) > 1:
        faults.append("the replays differ from the original")
    for answer in answers:
        if answer.status == 409:
            retry_after = answer.headers.get("retry-after", "")
            if answer.headers.get("idempotent-replayed") != "false" or not retry_after.isdigit() or int(retry_after) < 1:
                faults.append(f"a 409 with headers {answer.headers}")
                break
    new = [row["user_id"] for row in stage.ask("GET", path).json()["data"] if row["user_id"] not in before]
    if new != [added[0].json()["user_id"]] if added else new:
        faults.append(f"{len(new)} members were added")
    return faults


def scenarios(rounds):
    yield "one e-mail is one member", one_email_is_one_member, max(1, rounds // 4)
    yield "transfers leave one owner", transfers_leave_one_owner, max(1, rounds // 4)
    for names in itertools.combinations_with_replacement(ACTIONS, 2):
        yield f"{' and '.join(names)} leave one owner or no customer", mixed_actions_leave_one_owner(names), rounds
    yield "one key is one effect", one_key_is_one_effect, max(1, rounds // 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="of each mix of actions")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    dice, passed, failed = random.Random(options.seed), 0, 0
    with TemporaryServer() as server:
        stage = Stage(server)
        for title, play, rounds in scenarios(options.rounds):
            for number in range(1, rounds + 1):
                faults = play(stage, dice)
                passed, failed = passed + (not faults), failed + bool(faults)
                print("".join(f"{title}, round {number}: {fault}\n" for fault in faults), end="")
    print(f"race: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
