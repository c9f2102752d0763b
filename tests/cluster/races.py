#!/usr/bin/env python3
"""Sends conflicting requests to eight nodes at the same moment; the rules must hold as on one node.

Runs the races of crash/race.py with the requests distributed over the nodes, and races for limits and uniqueness that
cover the whole installation.
"""
import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "crash"))
import race  # noqa: E402
from cluster import Cluster, report  # noqa: E402

REQUESTS = 32  # of one race
MAX_SUB_ACCOUNTS = 1000  # of one account
FREE_SLOTS = 5  # sub-accounts below the limit when the race begins


class Arena(race.Arena):
    """Also has the database and a user token, which may create organizations."""

    def __init__(self, postgres, nodes):
        super().__init__(*nodes)
        self.postgres = postgres
        self.founder_token = nodes[0].cli.create_user_token("founder@example.com")["token"]

    def rows(self, sql):
        return self.postgres.sql(sql, "tenantry")

    def id_text(self, column):
        return f"replace(CAST({column} AS TEXT), '-', '')"


def one_key_with_two_payloads(arena, dice):
    """Two bodies compete for one idempotency key: the first wins, and the other is refused without an effect."""
    customer, _, _ = arena.team(0)
    emails = [arena.unique("this"), arena.unique("that")]
    headers = {"Idempotency-Key": f"race-{dice.getrandbits(64):x}"}
    requests = [("POST", "/v1/members/", {"customer_id": customer, "email": dice.choice(emails)}, headers)
                for _ in range(REQUESTS)]
    answers = arena.at_once(requests)
    faults = race.unexpected(answers, {201, 409, 422})
    created = {answer.json()["id"] for answer in answers if answer.status == 201}
    listed = {row["id"] for row in arena.members(customer) if row["role"] != "owner"}
    if len(created) != 1 or listed != created:
        faults.append(f"{len(created)} ids answered, {len(listed)} members listed")
    effects = sum(answer.status == 201 and answer.headers.get("idempotent-replayed") != "true" for answer in answers)
    if effects != 1:
        faults.append(f"{effects} answers are not marked as replays, expected 1")
    accepted = {request[2]["email"] for request, answer in zip(requests, answers) if answer.status == 201}
    statuses = {answer.status for request, answer in zip(requests, answers) if request[2]["email"] not in accepted}
    if statuses - {409, 422}:
        faults.append(f"the other body was answered with {statuses}")
    return faults


def one_slug_is_one_organization(arena, dice):
    slug = f"slug-{dice.getrandbits(48):x}"
    spellings = [slug, slug.upper()]
    answers = arena.at_once([("POST", "/v1/organizations/", {"name": "Same slug", "slug": dice.choice(spellings)}, None,
                              arena.founder_token) for _ in range(REQUESTS)])
    faults = race.unexpected(answers, {201, 422})
    created = [answer.json()["id"] for answer in answers if answer.status == 201]
    if len(created) != 1 or arena.rows(f"SELECT id FROM organizations WHERE slug = '{slug}'") != created:
        faults.append(f"{len(created)} organizations were created with one slug")
    return faults


def one_email_is_one_team_member(arena, dice):
    path, email = f"/v2/accounts/{arena.organization}/members", arena.unique("Team.Mate")
    answers = arena.at_once([("POST", path, {"email": dice.choice([email, email.upper()]), "role": "Developer"})
                             for _ in range(REQUESTS)])
    faults = race.unexpected(answers, {201, 409})
    created = sum(answer.status == 201 for answer in answers)
    rows = arena.rows(f"SELECT 1 FROM users u JOIN team_members t ON t.user_id = u.id WHERE t.organization_id ="
                      f" '{arena.organization}' AND lower(u.email) = '{email.lower()}'")
    if created != 1 or len(rows) != 1:
        faults.append(f"{created} team members created, {len(rows)} stored")
    return faults


def the_limit_of_sub_accounts_holds(arena, dice):
    path = f"/v2/accounts/{arena.organization}/sub-accounts"
    count = f"SELECT count(*) FROM organizations WHERE parent_id = '{arena.organization}' AND deleted_at IS NULL"
    before = int(arena.rows(count)[0])
    # Pretend that the account is FREE_SLOTS below the limit.
    arena.rows(f"UPDATE organizations SET sub_account_count = {MAX_SUB_ACCOUNTS - FREE_SLOTS} WHERE id = '{arena.organization}'")
    answers = arena.at_once([("POST", path, {"name": f"Child {dice.getrandbits(32)}", "website": "child.example.com"})
                             for _ in range(REQUESTS)])
    faults = race.unexpected(answers, {201, 400, 403, 409, 422})
    created, stored = sum(answer.status == 201 for answer in answers), int(arena.rows(count)[0]) - before
    counted = int(arena.rows(f"SELECT sub_account_count FROM organizations WHERE id = '{arena.organization}'")[0])
    if (created, stored, counted) != (FREE_SLOTS, FREE_SLOTS, MAX_SUB_ACCOUNTS):
        faults.append(f"{created} created, {stored} stored, the counter is {counted}; there were {FREE_SLOTS} free slots")
    arena.rows(f"UPDATE organizations SET sub_account_count = {before + stored} WHERE id = '{arena.organization}'")
    return faults


def scenarios(rounds):
    yield from race.scenarios(rounds)
    yield "one idempotency key is one body", one_key_with_two_payloads, rounds
    yield "one slug is one organization", one_slug_is_one_organization, rounds
    yield "one e-mail is one team member", one_email_is_one_team_member, rounds
    yield "the limit of sub-accounts holds", the_limit_of_sub_accounts_holds, rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2, help="of each race")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    dice, checks, total = random.Random(options.seed), [], 0
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        database = postgres.create_database("tenantry")
        nodes = [cluster.node(f"node{index}", database).start() for index in range(options.nodes)]
        arena = Arena(postgres, nodes)
        for title, run, rounds in scenarios(options.rounds):
            faults = [f"round {number}: {fault}" for number in range(1, rounds + 1) for fault in run(arena, dice)]
            total += rounds
            checks.append((title, faults))
        figures = {"seed": options.seed, "nodes": len(nodes), "rounds": total}
        return report("races", checks, figures)


if __name__ == "__main__":
    sys.exit(main())
