#!/usr/bin/env python3
"""Sends conflicting requests at the same moment; the result must be one that some order of them could give.

A team customer always has exactly one owner, and so has an organization. An e-mail address belongs to at most one
member of a customer. An idempotency key has at most one effect. An invitation is settled once. A token and an endpoint
have two secrets at most, and a row of an import is one customer.
"""
import argparse
import functools
import itertools
import json
import random
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import invitations  # noqa: E402
from harness import TemporaryServer, eventually  # noqa: E402

CREATES = TRANSFERS = 64
ADDS = 32
ACTION_COPIES = 3
COMMAND_STARTS_S = (0.0, 0.08)


class Arena:
    """An organization on one or more servers of one database; requests go to the servers in turn."""

    def __init__(self, server, *others):
        self._server, self._servers = server, itertools.cycle([server, *others])
        self.organization = server.cli.create_organization("race", owner_email="owner@example.com")["id"]
        self._token = server.cli.create_token(self.organization)["token"]
        self._cli = server.cli
        self._numbers = itertools.count(1)

    def call(self, method, path, payload=None, headers=None, token=None):
        connection = next(self._servers).connect(token or self._token)
        try:
            return connection.call(method, path, payload, headers)
        finally:
            connection.close()

    def call_after(self, seconds, request):
        threading.Event().wait(seconds)
        return self.call(*request)

    def upload(self, path, kind, file):
        """Sends a file with the token of the organization."""
        connection = next(self._servers).connect(self._token)
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
            return connection.send("POST", path, headers, file.encode())
        finally:
            connection.close()

    def at_once(self, requests):
        """Sends all requests at the same moment and returns their answers in order. A function among them is called."""
        barrier = threading.Barrier(len(requests))

        def send(request):
            barrier.wait(30)
            return request() if callable(request) else self.call(*request)
        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(send, requests))

    def unique(self, word):
        """Returns an e-mail address that is not in use."""
        return f"{word}.{next(self._numbers)}@example.com"

    def create(self, path, payload):
        """Sends a POST that must be answered with 201, and returns the new id."""
        answer = self.call("POST", path, payload)
        if answer.status != 201:
            raise RuntimeError(f"POST {path}: {answer.status} {answer.text[:200]}")
        return answer.json()["id"]

    def team(self, member_count):
        """Creates a team customer; returns its id, its owner's id, and the ids of its `member_count` other members."""
        customer = self.create("/v1/customers/", {"type": "team", "name": "Team", "email": self.unique("team")})
        owner = self.members(customer)[0]["id"]
        return customer, owner, [
            self.create("/v1/members/", {"customer_id": customer, "email": self.unique("member")})
            for _ in range(member_count)]

    def person(self, email, role="Administrator"):
        """Adds a person to the team of the organization; returns their id and a token of theirs."""
        path, token = f"/v2/accounts/{self.organization}/members", self._cli.create_user_token(email)
        answer = self.call("POST", path, {"email": email, "role": role})
        if answer.status not in (201, 409):
            raise RuntimeError(f"POST {path}: {answer.status} {answer.text[:200]}")
        return token["user_id"], token["token"]

    def command(self, *arguments):
        """Runs a command on the same database. Returns whether it succeeded."""
        try:
            self._cli.run(*arguments)
        except RuntimeError:
            return False
        return True

    def user_token(self, email):
        return self._cli.create_user_token(email)["token"]

    def proved_person(self, email):
        """Returns a token of a person who has proved the address."""
        token, server = self.user_token(email), next(self._servers)
        connection = server.connect(token)
        try:
            invitations.recover(self._cli, connection, email)
        finally:
            connection.close()
        return token

    def rows(self, sql):
        """Runs a query directly on the database and returns its rows, each value as text."""
        return self._server.own_database.rows(sql)

    def id_text(self, column):
        """The expression for an id as `id_key` writes it."""
        is_file = self._server.own_database.url.startswith("sqlite:")
        return f"lower(hex({column}))" if is_file else f"replace(CAST({column} AS TEXT), '-', '')"

    @staticmethod
    def id_key(text):
        return text.replace("-", "").lower()

    def members(self, customer):
        return self.call("GET", f"/v1/members/?customer_id={customer}&limit=100").json()["items"]


def unexpected(answers, allowed):
    """Returns a fault when the status of an answer is not one of the allowed ones."""
    others = [answer for answer in answers if answer.status not in allowed]
    return [f"{len(others)} unexpected answers, such as {others[0].status} {others[0].text[:160]}"] if others else []


def owner_faults(members):
    owners = sum(member["role"] == "owner" for member in members)
    return [] if owners == 1 else [f"{owners} owners among {len(members)} members"]


def one_email_is_one_member(arena, dice):
    customer, _, _ = arena.team(0)
    email = arena.unique("Same.Person")
    spellings = [email, email.upper(), email.lower(), email.swapcase()]
    requests = [("POST", "/v1/members/", {"customer_id": customer, "email": dice.choice(spellings)})
                for _ in range(CREATES)]
    answers = arena.at_once(requests)
    faults = unexpected(answers, {201})
    ids = {answer.json()["id"] for answer in answers if answer.status == 201}
    rows = [row for row in arena.members(customer) if row["email"].lower() == email.lower()]
    if len(ids) != 1 or {row["id"] for row in rows} != ids or len(rows) != 1:
        faults.append(f"{len(ids)} ids answered, {len(rows)} rows listed")
    return faults


def transfers_leave_one_owner(arena, dice):
    customer, owner, members = arena.team(7)
    new_owners = [dice.choice([owner, *members]) for _ in range(TRANSFERS)]
    answers = arena.at_once([("PATCH", f"/v1/members/{member}", {"role": "owner"}) for member in new_owners])
    listed = arena.members(customer)
    faults = unexpected(answers, {200}) + owner_faults(listed)
    if len(listed) != 8:
        faults.append(f"{len(listed)} members are listed, there are 8")
    return faults


# The request of each action, for a customer, the member that becomes the owner, and the member that is changed.
ACTIONS = {
    "transfer": lambda customer, new_owner, target: ("PATCH", f"/v1/members/{new_owner}", {"role": "owner"}),
    "demote": lambda customer, new_owner, target: ("PATCH", f"/v1/members/{target}", {"role": "member"}),
    "remove": lambda customer, new_owner, target: ("DELETE", f"/v1/members/{target}"),
    "delete customer": lambda customer, new_owner, target: ("DELETE", f"/v1/customers/{customer}"),
}


def mixed_actions_leave_one_owner(names):
    def run(arena, dice):
        customer, owner, (first, second) = arena.team(2)
        requests = []
        for name in names:
            for _ in range(ACTION_COPIES):
                # Mostly the first member, so that actions often meet on the same one.
                new_owner, target = dice.choice([first, first, second]), dice.choice([owner, first])
                requests.append(ACTIONS[name](customer, new_owner, target))
        dice.shuffle(requests)
        faults = unexpected(arena.at_once(requests), {200, 204, 404, 422})
        status, listed = arena.call("GET", f"/v1/customers/{customer}").status, arena.members(customer)
        if status == 200:
            return faults + owner_faults(listed)
        if status != 404 or "delete customer" not in names:
            faults.append(f"GET of the customer is answered with {status}")
        return faults + ([f"{len(listed)} members of a deleted customer"] if listed else [])
    return run


def team_requests(arena, people, dice):
    """Returns requests of persons in the team: half of them offer or accept the ownership of the organization."""
    path, requests = f"/v1/organizations/{arena.organization}", []
    for number in range(TRANSFERS):
        (target, _), (_, token) = dice.choice(people), dice.choice(people)
        requests.append([
            ("POST", f"{path}/transfer", {"user_id": target}, None, token),
            ("POST", f"{path}/transfer/accept", {}, None, token),
            ("PATCH", f"{path}/members/{target}", {"role": dice.choice(["admin", "member"])}, None, token),
            ("DELETE", f"{path}/members/{target}", None, None, token),
        ][number % 4])
    dice.shuffle(requests)
    return requests


def an_organization_has_one_owner(arena, dice):
    people = [arena.person(f"owner{number or ''}@example.com") for number in range(8)]
    # A person who was removed is not found. Only the owner offers, and only administrators change the team.
    faults = []
    for _ in range(2):
        faults += unexpected(arena.at_once(team_requests(arena, people, dice)), {200, 202, 204, 403, 404, 409})
    listed = arena.call("GET", f"/v1/organizations/{arena.organization}/members").json()["items"]
    owners = [person["user_id"] for person in listed if person["role"] == "owner"]
    account = arena.call("GET", f"/v2/accounts/{arena.organization}").json()
    if owners != [account["owner_id"]]:
        faults.append(f"the owners are {owners}, the account's owner is {account['owner_id']}")
    return faults


def one_key_is_one_effect(arena, dice):
    path = f"/v2/accounts/{arena.organization}/members"
    before = {row["user_id"] for row in arena.call("GET", path).json()["data"]}
    payload = {"email": arena.unique("teammate"), "name": "Jordan Lee", "role": "Developer"}
    headers = {"Idempotency-Key": f"race-{dice.getrandbits(64):x}"}
    answers = arena.at_once([("POST", path, payload, headers)] * ADDS)
    faults = unexpected(answers, {201, 409})
    added = [answer for answer in answers if answer.status == 201]
    replayed = Counter(answer.headers.get("idempotent-replayed") for answer in added)
    if replayed[None] != 1 or set(replayed) - {None, "true"}:
        faults.append(f"expected one original and replays, got {dict(replayed)}")
    if len({(answer.text, answer.headers.get("content-type")) for answer in added}) > 1:
        faults.append("a replay differs from the original answer")
    for answer in answers:
        if answer.status == 409:
            retry_after = answer.headers.get("retry-after", "")
            if answer.headers.get("idempotent-replayed") != "false" or not retry_after.isdigit() or int(retry_after) < 1:
                faults.append(f"a 409 with headers {answer.headers}")
                break
    new = [row["user_id"] for row in arena.call("GET", path).json()["data"] if row["user_id"] not in before]
    if new != [added[0].json()["user_id"]] if added else new:
        faults.append(f"{len(new)} members were added")
    return faults


def an_organization_ends_and_returns(arena, dice):
    """Deletions and undeletions of an organization race with what changes it. At the end it has what was answered."""
    word = f"ends-{dice.getrandbits(48):x}"
    owner = arena.user_token(f"{word}@example.com")
    made = arena.call("POST", "/v1/organizations/", {"name": "Ends", "slug": word}, None, owner)
    organization, path = made.json()["id"], f"/v1/organizations/{made.json()['id']}"
    requests = []
    for number in range(ADDS):
        email = f"p{number}.{word}@example.com"
        requests.append([
            ("DELETE", path, None, None, owner),
            ("POST", f"{path}/undelete", {}, None, owner),
            ("POST", f"{path}/members", {"email": email}, None, owner),
            ("POST", "/v1/customers/", {"email": email, "organization_id": organization}, None, owner),
        ][number % 4])
    dice.shuffle(requests)
    answers = arena.at_once(requests)
    # While it is deleted it is unknown. A request that waits meanwhile may lose its right, and says so with 403.
    faults = unexpected(answers, {200, 201, 403, 404, 422})
    back = arena.call("POST", f"{path}/undelete", {}, None, owner)
    if back.status != 200 or back.json()["slug"] != word:
        faults.append(f"undelete: {back.status} {back.text[:120]}")
        return faults
    made = [request[1] for request, answer in zip(requests, answers) if answer.status == 201]
    team = arena.call("GET", f"{path}/members", None, None, owner).json()["pagination"]["total_count"] - 1
    listed = arena.call("GET", f"/v1/customers/?organization_id={organization}", None, None, owner).json()
    customers = listed["pagination"]["total_count"]
    expected = (made.count(f"{path}/members"), made.count("/v1/customers/"))
    if (team, customers) != expected:
        faults.append(f"{team} people and {customers} customers, but {expected} were created")
    return faults


def a_customer_returns_once(arena, dice):
    """Restorations of two customers with one external id race with deletions. At most one of them is there."""
    name = f"one-{dice.getrandbits(48):x}"
    new = {"type": "team", "email": arena.unique("returns"), "external_id": name}
    first = arena.create("/v1/customers/", new)
    arena.call("DELETE", f"/v1/customers/{first}")
    both = [first, arena.create("/v1/customers/", new)]
    requests = [("DELETE", f"/v1/customers/{both[number % 2]}") if number % 4 < 2 else
                ("POST", f"/v1/customers/{both[number % 2]}/restore", {}) for number in range(ADDS)]
    dice.shuffle(requests)
    faults = unexpected(arena.at_once(requests), {200, 204, 404, 409})
    there = [one for one in both if arena.call("GET", f"/v1/customers/{one}").status == 200]
    found = arena.call("GET", f"/v1/customers/external/{name}")
    if len(there) > 1 or (found.status == 200) != bool(there):
        faults.append(f"{there} are there, the external id is {found.status}")
    for customer in there:
        faults += owner_faults(arena.members(customer))
    return faults


def a_token_has_two_secrets(arena, dice):
    """Rotations of a token race. Afterwards the last secret and the one before it work, whichever they are."""
    made = arena.call("POST", "/v1/organization-access-tokens/", {"comment": "rotated", "scopes": ["customers:read"]}).json()
    token = made["organization_access_token"]["id"]
    path = f"/v1/organization-access-tokens/{token}"
    answers = arena.at_once([("POST", f"{path}/rotate", {"overlap_seconds": dice.choice([600, 3600])})] * ADDS)
    faults = unexpected(answers, {200, 503})
    secrets = [made["token"], *(answer.json()["token"] for answer in answers if answer.status == 200)]
    works = [secret for secret in secrets if arena.call("GET", "/v1/customers/", token=secret).status == 200]
    if len(works) != min(2, len(secrets)):
        faults.append(f"{len(works)} of {len(secrets)} secrets work")
    ended = arena.at_once([("POST", "/v1/tokens/revoke", {"token": secret}) for secret in works]
                          + [("DELETE", path)] * 2)
    faults += unexpected(ended, {200, 204, 404})
    if any(arena.call("GET", "/v1/customers/", token=secret).status != 401 for secret in secrets):
        faults.append("a secret works after the revocation")
    return faults


def an_endpoint_has_two_secrets(arena, dice):
    """Rotations of an endpoint's secret race with resets. Each makes a secret of its own, and the last one ends the others."""
    endpoint = {"url": "https://hooks.example.com", "format": "raw", "events": ["customer.created"]}
    path = f"/v1/webhooks/endpoints/{arena.call('POST', '/v1/webhooks/endpoints', endpoint).json()['id']}"
    requests = [("POST", f"{path}/rotate", {"overlap_seconds": 600})] * ADDS + [("PATCH", f"{path}/secret")] * ACTION_COPIES
    answers = arena.at_once(dice.sample(requests, len(requests)))
    faults = unexpected(answers, {200, 503})
    secrets = [answer.json()["secret"] for answer in answers if answer.status == 200]
    if len(set(secrets)) != len(secrets):
        faults.append("two answers have one secret")
    last = arena.call("POST", f"{path}/rotate", {"overlap_seconds": 0}).json()
    if last["secret"] in secrets or last.get("previous_secret"):
        faults.append(f"after the last rotation: {last}")
    faults += unexpected(arena.at_once([("DELETE", path)] * 2), {204, 404})
    return faults


def an_imported_row_is_one_customer(arena, dice):
    """Two imports of the same rows race with each other and with single requests for the same customers."""
    word = f"row-{dice.getrandbits(48):x}"
    rows = [{"email": f"{number}@{word}.example", "external_id": f"{word}-{number}"} for number in range(ADDS)]
    file = "".join(f"{json.dumps(row)}\n" for row in dice.sample(rows, len(rows)))
    upload = functools.partial(arena.upload, "/v1/customers/import?on_match=skip", "application/jsonl", file)
    single = [("POST", "/v1/customers/", {"type": "individual", **row}) for row in dice.sample(rows, ADDS // 2)]
    answers = arena.at_once([upload, *single, upload])
    faults = unexpected(answers, {201, 202, 422})
    imports = [answer.json()["id"] for answer in answers if answer.status == 202]
    created = sum(answer.status == 201 for answer in answers)
    for one in imports:
        progress = eventually(lambda one=one: (done := arena.call("GET", f"/v1/customers/import/{one}").json())
                              ["state"] != "running" and done, 60, "the import ends")
        if progress["state"] != "completed" or progress["failed"]:
            faults.append(f"the import is {progress}"[:200])
        created += progress["created"]
    there = sum(arena.call("GET", f"/v1/customers/external/{row['external_id']}").status == 200 for row in rows)
    if len(imports) != 2 or created != len(rows) or there != len(rows):
        faults.append(f"{len(imports)} imports, {created} created, {there} there, of {len(rows)} rows")
    return faults


def a_deleted_person_owns_nothing(arena, dice):
    """The deletion of a person races with what makes the person an owner or a member of a team."""
    email, word = arena.unique("ends"), f"left-{dice.getrandbits(48):x}"
    owner = arena.user_token(f"{word}@example.com")
    made = arena.call("POST", "/v1/organizations/", {"name": "Left", "slug": word}, None, owner).json()
    path, person = f"/v1/organizations/{made['id']}", arena.user_token(email)
    arena.call("POST", f"{path}/members", {"email": email}, None, owner)
    listed = arena.call("GET", f"{path}/members", None, None, owner).json()["items"]
    target, = [one["user_id"] for one in listed if one["email"] == email]
    arena.call("POST", f"{path}/transfer", {"user_id": target}, None, owner)
    requests = [functools.partial(arena.command, "user", "delete", email)]
    requests += [("POST", f"{path}/transfer/accept", {}, None, person)] * 2
    requests += [("PATCH", f"{path}/members/{target}", {"role": "admin"}, None, owner)] * 2
    requests += [("DELETE", f"{path}/members/{target}", None, None, owner), ("POST", f"{path}/members", {"email": email}, None, owner)]
    # The command takes a moment to start. So the requests come at random moments around its work.
    requests = [request if callable(request) else functools.partial(arena.call_after, dice.uniform(*COMMAND_STARTS_S), request)
                for request in requests]
    answers = arena.at_once(requests)
    is_deleted = True in answers
    faults = unexpected([answer for answer in answers if not isinstance(answer, bool)], {200, 201, 204, 401, 403, 404, 409})
    token = next((token for token in (owner, person) if arena.call("GET", path, token=token).status == 200), None)
    if token is None:
        return [*faults, "nobody reads the organization"]
    team = {one["user_id"]: one["role"] for one in arena.call("GET", f"{path}/members", token=token).json()["items"]}
    if list(team.values()).count("owner") != 1 or (is_deleted and target in team):
        faults.append(f"the team is {team}, {target} is {'deleted' if is_deleted else 'there'}")
    return faults


def scenarios(rounds):
    """Yields each race: its title, its function, and how often it is run."""
    yield "one e-mail is one member", one_email_is_one_member, max(1, rounds // 4)
    yield "transfers leave one owner", transfers_leave_one_owner, max(1, rounds // 4)
    yield "an organization has one owner", an_organization_has_one_owner, max(1, rounds // 4)
    for names in itertools.combinations_with_replacement(ACTIONS, 2):
        yield f"{' and '.join(names)} leave one owner or no customer", mixed_actions_leave_one_owner(names), rounds
    yield "an organization ends and returns", an_organization_ends_and_returns, max(1, rounds // 4)
    yield "a customer returns once", a_customer_returns_once, max(1, rounds // 4)
    yield "a token has two secrets", a_token_has_two_secrets, max(1, rounds // 4)
    yield "an endpoint has two secrets", an_endpoint_has_two_secrets, max(1, rounds // 4)
    yield "an imported row is one customer", an_imported_row_is_one_customer, max(1, rounds // 4)
    yield "a deleted person owns nothing", a_deleted_person_owns_nothing, max(1, rounds // 4)
    yield "one key is one effect", one_key_is_one_effect, max(1, rounds // 2)
    yield from invitations.scenarios(rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="of each mix of actions")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    dice, passed, failed = random.Random(options.seed), 0, 0
    with TemporaryServer() as server:
        arena = Arena(server)
        for title, run, rounds in scenarios(options.rounds):
            for number in range(1, rounds + 1):
                faults = run(arena, dice)
                passed, failed = passed + (not faults), failed + bool(faults)
                print("".join(f"{title}, round {number}: {fault}\n" for fault in faults), end="")
        server.cli.run("doctor")
    print(f"race: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
