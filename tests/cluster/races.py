#!/usr/bin/env python3
"""Eight nodes are asked for conflicting things at once; the rules hold as on one.

The races of crash/race.py, their requests dealt out to the nodes, and those for what is counted or unique
in the whole installation.
"""
import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "crash"))
import race  # noqa: E402
from cluster import Cluster, report  # noqa: E402

AT_ONCE = 32
SUB_ACCOUNTS = 1000  # that an account may have
PLACES = 5  # that are left when the race for them begins


class Stage(race.Stage):
    """With the database, and somebody who may make organizations."""

    def __init__(self, postgres, nodes):
        super().__init__(*nodes)
        self.postgres = postgres
        self.person = nodes[0].cli.create_user_token("founder@example.com")["token"]

    def rows(self, sql):
        return self.postgres.sql(sql, "tenantry")


def one_key_with_two_payloads(stage, dice):
    """Whoever comes second with something else is told so; nothing of it happens."""
    customer, _, _ = stage.team(0)
    emails = [stage.unique("this"), stage.unique("that")]
    headers = {"Idempotency-Key": f"race-{dice.getrandbits(64):x}"}
    requests = [("POST", "/v1/members/", {"customer_id": customer, "email": dice.choice(emails)}, headers)
                for _ in range(AT_ONCE)]
    answers = stage.at_once(requests)
    faults = race.unexpected(answers, {201, 409, 422})
    made = {answer.json()["id"] for answer in answers if answer.status == 201}
    rows = {row["id"] for row in stage.members(customer) if row["role"] != "owner"}
    if len(made) != 1 or rows != made:
        faults.append(f"{len(made)} ids answered, {len(rows)} rows listed")
    effects = sum(answer.status == 201 and answer.headers.get("idempotent-replayed") != "true" for answer in answers)
    if effects != 1:
        faults.append(f"{effects} answers that are no replay")
    winners = {request[2]["email"] for request, answer in zip(requests, answers) if answer.status == 201}
    others = {answer.status for request, answer in zip(requests, answers) if request[2]["email"] not in winners}
    if others - {409, 422}:
        faults.append(f"another payload was answered {others}")
    return faults


def one_slug_is_one_organization(stage, dice):
    slug = f"slug-{dice.getrandbits(48):x}"
    spellings = [slug, slug.upper()]
    answers = stage.at_once([("POST", "/v1/organizations/", {"name": "Same slug", "slug": dice.choice(spellings)}, None,
                              stage.person) for _ in range(AT_ONCE)])
    faults = race.unexpected(answers, {201, 422})
    made = [answer.json()["id"] for answer in answers if answer.status == 201]
    if len(made) != 1 or stage.rows(f"SELECT id FROM organizations WHERE slug = '{slug}'") != made:
        faults.append(f"{len(made)} organizations have one slug")
    return faults


def one_address_is_one_teammate(stage, dice):
    path, email = f"/v2/accounts/{stage.organization}/members", stage.unique("Team.Mate")
    answers = stage.at_once([("POST", path, {"email": dice.choice([email, email.upper()]), "role": "Developer"})
                             for _ in range(AT_ONCE)])
    faults = race.unexpected(answers, {201, 409})
    made = sum(answer.status == 201 for answer in answers)
    rows = stage.rows(f"SELECT 1 FROM users u JOIN team_members t ON t.user_id = u.id WHERE t.organization_id ="
                      f" '{stage.organization}' AND lower(u.email) = '{email.lower()}'")
    if made != 1 or len(rows) != 1:
        faults.append(f"{made} memberships answered, {len(rows)} stored")
    return faults


def no_account_has_too_many_children(stage, dice):
    path = f"/v2/accounts/{stage.organization}/sub-accounts"
    count = f"SELECT count(*) FROM organizations WHERE parent_id = '{stage.organization}' AND deleted_at IS NULL"
    before = int(stage.rows(count)[0])
    # As if there were as many as that.
    stage.rows(f"UPDATE organizations SET sub_account_count = {SUB_ACCOUNTS - PLACES} WHERE id = '{stage.organization}'")
    answers = stage.at_once([("POST", path, {"name": f"Child {dice.getrandbits(32)}", "website": "child.example.com"})
                             for _ in range(AT_ONCE)])
    faults = race.unexpected(answers, {201, 400, 403, 409, 422})
    made, stored = sum(answer.status == 201 for answer in answers), int(stage.rows(count)[0]) - before
    counted = int(stage.rows(f"SELECT sub_account_count FROM organizations WHERE id = '{stage.organization}'")[0])
    if (made, stored, counted) != (PLACES, PLACES, SUB_ACCOUNTS):
        faults.append(f"{made} answered, {stored} stored, {counted} counted; there were {PLACES} places")
    stage.rows(f"UPDATE organizations SET sub_account_count = {before + stored} WHERE id = '{stage.organization}'")
    return faults


def scenarios(rounds):
    yield from race.scenarios(rounds)
    yield "one key is one payload", one_key_with_two_payloads, rounds
    yield "one slug is one organization", one_slug_is_one_organization, rounds
    yield "one address is one teammate", one_address_is_one_teammate, rounds
    yield "no account has too many children", no_account_has_too_many_children, rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2, help="of each race")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    dice, checks, played = random.Random(options.seed), [], 0
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        database = postgres.create_database("tenantry")
        nodes = [cluster.node(f"node{index}", database).start() for index in range(options.nodes)]
        stage = Stage(postgres, nodes)
        for title, play, rounds in scenarios(options.rounds):
            faults = [f"round {number}: {fault}" for number in range(1, rounds + 1) for fault in play(stage, dice)]
            played += rounds
            checks.append((title, faults))
        figures = {"seed": options.seed, "nodes": len(nodes), "rounds": played}
        return report("races", checks, figures)


if __name__ == "__main__":
    sys.exit(main())
