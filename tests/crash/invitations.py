"""Races of invitations: each is settled once, with one membership, one audit entry and one event.

race.py and cluster/races.py run them, on one server and on several.
"""
import json
from urllib.parse import urlsplit

ACCEPTS = 64
FORM = "application/x-www-form-urlencoded"
EVENTS = ["team_member.created", "invitation.accepted", "invitation.declined", "invitation.revoked"]


class Team:
    """A new organization with an endpoint that listens to invitations, and persons with proved addresses."""

    def __init__(self, arena, dice):
        self._arena, self._word = arena, f"inv-{dice.getrandbits(48):x}"
        self.owner = arena.user_token(f"owner.{self._word}@example.com")
        made = self._call("POST", "/v1/organizations/", {"name": "Invites", "slug": self._word})
        self.id = made.json()["id"]
        self.path = f"/v1/organizations/{self.id}"
        endpoint = {"url": "https://hooks.invalid/", "format": "raw", "events": EVENTS, "organization_id": self.id}
        self._call("POST", "/v1/webhooks/endpoints", endpoint)

    def _call(self, method, path, payload=None):
        answer = self._arena.call(method, path, payload, None, self.owner)
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.text[:200]}")
        return answer

    def invited(self, name="ada"):
        """Invites a person with a proved address. Returns the address, a token of the person, the invitation's id and its
        secret."""
        email = f"{name}.{self._word}@example.com"
        token = self._arena.proved_person(email)
        made = self._call("POST", f"{self.path}/invitations", {"email": email, "send_email": False}).json()
        return email, token, made["id"], made["accept_url"].split("#")[1]

    def members(self, email):
        listed = self._call("GET", f"{self.path}/members").json()["items"]
        return [person for person in listed if person["email"].lower() == email.lower()]

    def status(self, invitation):
        return self._call("GET", f"{self.path}/invitations/{invitation}").json()["status"]

    def stored(self, invitation):
        """The actions of the audit log and the events about an invitation, without its creation."""
        actions = self._arena.rows(
            "SELECT action FROM audit_entries WHERE action LIKE 'invitation.%' AND action <> 'invitation.created'"
            f" AND {self._arena.id_text('subject_id')} = '{self._arena.id_key(invitation)}'")
        events = self._arena.rows(
            f"SELECT type FROM webhook_events WHERE {self._arena.id_text('subject_id')}"
            f" = '{self._arena.id_key(invitation)}' AND type LIKE 'invitation.%'")
        first = lambda rows: sorted(row if isinstance(row, str) else row[0] for row in rows)  # noqa: E731
        return first(actions), first(events)


def outcome_faults(team, email, invitation, expected):
    """Faults of a settled invitation, whose status is one of the expected ones."""
    status, members = team.status(invitation), team.members(email)
    faults = [] if status in expected else [f"the invitation is {status}"]
    if len(members) != (status == "accepted"):
        faults.append(f"{len(members)} memberships, and the invitation is {status}")
    once = [f"invitation.{status}"] if status in ("accepted", "declined", "revoked") else []
    actions, events = team.stored(invitation)
    if actions != once or events != once:
        faults.append(f"the invitation is {status}, with the entries {actions} and the events {events}")
    return faults


def statuses(answers, allowed):
    others = [answer for answer in answers if answer.status not in allowed]
    return [f"{len(others)} unexpected answers, such as {others[0].status} {others[0].text[:160]}"] if others else []


def accept_requests(token, secret, count):
    return [("POST", "/v1/invitations/accept", {"token": secret}, None, token)] * count


def many_accept_at_once(arena, dice):
    team = Team(arena, dice)
    email, token, invitation, secret = team.invited()
    answers = arena.at_once(accept_requests(token, secret, ACCEPTS))
    faults = statuses(answers, {200})
    if len({json.dumps(answer.json(), sort_keys=True) for answer in answers if answer.status == 200}) != 1:
        faults.append("the answers differ")
    return faults + outcome_faults(team, email, invitation, {"accepted"})


def against(make, allowed, expected):
    """A race of accepting against another request, of which `make` returns several for a team and an invitation."""
    def run(arena, dice):
        team = Team(arena, dice)
        email, token, invitation, secret = team.invited()
        requests = accept_requests(token, secret, 16) + make(team, email, invitation, secret)
        dice.shuffle(requests)
        return statuses(arena.at_once(requests), allowed) + outcome_faults(team, email, invitation, expected)
    return run


def revocations(team, _, invitation, __):
    return [("DELETE", f"{team.path}/invitations/{invitation}", None, None, team.owner)] * 8


def declines(_, __, ___, secret):
    return [("POST", "/v1/invitations/decline", {"token": secret})] * 8


def additions(team, email, _, __):
    return [("POST", f"{team.path}/members", {"email": email, "role": "admin"}, None, team.owner)] * 8


def resends(team, _, invitation, __):
    return [("POST", f"{team.path}/invitations/{invitation}/resend", {"send_email": False}, None, team.owner)] * 4


def creations_make_one(arena, dice):
    """Many invitations of one address, in several spellings: one is pending."""
    team = Team(arena, dice)
    email = f"Same.{dice.getrandbits(48):x}@example.com"
    requests = [("POST", f"{team.path}/invitations", {"email": dice.choice([email, email.upper()]), "send_email": False},
                 None, team.owner) for _ in range(ACCEPTS // 2)]
    answers = arena.at_once(requests)
    faults = statuses(answers, {200, 201})
    made = [answer for answer in answers if answer.status == 201]
    if len(made) != 1 or len({answer.json()["id"] for answer in answers}) != 1:
        faults.append(f"{len(made)} invitations were made")
    return faults


def accepting_an_expiring_one(arena, dice):
    """The time of the invitation ends while the person accepts. Each request is in time or late."""
    team = Team(arena, dice)
    email = f"late.{dice.getrandbits(48):x}@example.com"
    token = arena.proved_person(email)
    body = {"email": email, "send_email": False, "expires_in": 1}
    made = arena.call("POST", f"{team.path}/invitations", body, None, team.owner).json()
    answers = arena.at_once(accept_requests(token, made["accept_url"].split("#")[1], 32))
    return statuses(answers, {200, 409}) + outcome_faults(team, email, made["id"], {"accepted", "pending", "expired"})


def accepting_in_a_deleted_organization(arena, dice):
    team = Team(arena, dice)
    email, token, invitation, secret = team.invited()
    requests = accept_requests(token, secret, 16) + [("DELETE", team.path, None, None, team.owner)] * 4
    dice.shuffle(requests)
    faults = statuses(arena.at_once(requests), {200, 403, 404})
    back = arena.call("POST", f"{team.path}/undelete", {}, None, team.owner)
    if back.status != 200:
        return faults + [f"undelete: {back.status} {back.text[:120]}"]
    return faults + outcome_faults(team, email, invitation, {"accepted", "pending"})


def scenarios(rounds):
    """Yields each race: its title, its function, and how often it is run."""
    rounds = max(1, rounds // 4)
    yield "64 acceptances are one", many_accept_at_once, rounds
    yield "accept or revoke", against(revocations, {200, 204, 409}, {"accepted", "revoked"}), rounds
    yield "accept or decline", against(declines, {200, 409}, {"accepted", "declined"}), rounds
    yield "accept or add directly", against(additions, {200, 201}, {"accepted"}), rounds
    yield "accept or send again", against(resends, {200, 404, 409, 429}, {"accepted", "pending"}), rounds
    yield "accept or delete the organization", accepting_in_a_deleted_organization, rounds
    yield "accept or expire", accepting_an_expiring_one, rounds
    yield "many invitations of one address are one", creations_make_one, rounds


def recover(server_cli, connection, email):
    """Proves an address through the console, without a mail."""
    url = json.loads(server_cli.run("user", "recover", email, "--json"))["url"]
    headers = {"Content-Type": FORM, "Sec-Fetch-Site": "same-origin"}
    answer = connection.send("POST", urlsplit(url).path, headers, f"token={urlsplit(url).fragment}".encode())
    if answer.status != 303:
        raise RuntimeError(f"recover {email}: {answer.status} {answer.text[:200]}")
