"""A mixed load of both dialects over several organizations, the book of what was answered, and what of that
is not so afterwards.

Each write is sent until it is answered; a POST under a key of its own, so that it must have one effect. A book
holds what was answered, never what was only sent.
"""
import itertools
import json
import random
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPException

from harness import Connection, eventually

ATTEMPT_SECONDS = 90  # after which a request that is sent again and again counts as lost
PATIENCE_SECONDS = 45  # for one answer: longer than a node, or the balancer, lets a request last
AGAIN_SECONDS, AGAIN_MOST_SECONDS = 0.05, 0.5  # what a client waits before it sends again, the longer the oftener
REPEATED = 0.1  # the part of answered POSTs that is sent once more, as if nobody had heard the answer
READ_BACK = 0.25  # the part of answered creations that is asked for at once: the balancer takes another node


@dataclass(frozen=True)
class Tenant:
    """An organization, a token with all its scopes, and a customer that is a team."""
    id: str
    token: str
    team: str


@dataclass(frozen=True)
class Kind:
    """What can be made, and where it is found again. `{a}` is the organization, `{team}` its team, `{label}`
    what names the one that is made, `{id}` its id."""
    name: str
    path: str
    payload: str  # JSON, with <<label>> and <<team>>
    id: tuple  # where the answer has the id
    one: str  # its path
    removed: int  # what a DELETE is answered
    subject: str  # what the audit log calls it
    live: str  # SQL: organization, id, label of each that is there
    gone: str = ""  # SQL: the same of what was deleted, where a row stays
    has_page: bool = True  # whether one can be asked for


def _rows(table, label, prefix, condition):
    return f"SELECT organization_id, id, {label} FROM {table} WHERE {label} LIKE '{prefix}.%' AND {condition}"


def _kind(name, path, payload, id, one, removed, subject, table, label):
    there, gone = (_rows(table, label, name, f"deleted_at IS {word}") for word in ("NULL", "NOT NULL"))
    return Kind(name, path, json.dumps(payload), id, one, removed, subject, there, gone)


KINDS = {kind.name: kind for kind in (
    _kind("member", "/v1/members/", {"customer_id": "<<team>>", "email": "<<label>>@example.com"}, ("id",),
          "/v1/members/{id}", 204, "member", "members", "email"),
    # Without an address of its own nothing but the key keeps it from being made twice.
    _kind("customer", "/v1/customers/", {"type": "team", "name": "<<label>>", "owner": {"email": "o-<<label>>@example.com"}},
          ("id",), "/v1/customers/{id}", 204, "customer", "customers", "name"),
    _kind("token", "/v1/organization-access-tokens/", {"comment": "<<label>>", "scopes": ["customers:read"]},
          ("organization_access_token", "id"), "/v1/organization-access-tokens/{id}", 204, "access_token",
          "access_tokens", "label"),
    _kind("key", "/v2/accounts/{a}/api-keys", {"label": "<<label>>", "scopes": ["accounts:read"]}, ("id",),
          "/v2/accounts/{a}/api-keys/{id}", 200, "access_token", "access_tokens", "label"),
    Kind("person", "/v2/accounts/{a}/members", json.dumps({"email": "<<label>>@example.com", "role": "Developer"}),
         ("user_id",), "/v2/accounts/{a}/members/{id}", 200, "team_member",
         "SELECT t.organization_id, u.id, u.email FROM users u JOIN team_members t ON t.user_id = u.id"
         " WHERE u.email LIKE 'person.%'", has_page=False),
)}
KINDS["token"] = Kind(**{**vars(KINDS["token"]), "has_page": False})  # there is no operation that shows one
MIX = ("member", "member", "member", "customer", "customer", "token", "key", "person", "count", "count", "count",
       "delete", "delete")
LISTS = ("/v1/customers/?limit=20", "/v1/members/?customer_id={team}&limit=20", "/v1/organization-access-tokens/?limit=20",
         "/v2/accounts/{a}/members", "/v2/accounts/{a}/api-keys?limit=20", "/v2/accounts/{a}", "/v1/organizations/{a}")


@dataclass
class Made:
    """Something that was answered as made."""
    kind: Kind
    tenant: Tenant
    id: str
    label: str
    condemned: bool = False  # somebody began to delete it
    gone: bool = False  # that was answered
    count: int = 0  # the number that was last answered as stored in it

    @property
    def path(self):
        return self.kind.one.format(a=self.tenant.id, id=self.id)


@dataclass(frozen=True)
class Failure:
    """An attempt that was answered with 5xx, or not at all."""
    begun: float
    ended: float
    attempt: str  # its name, which a balancer notes
    what: str
    status: int  # 0 when there was none
    by_node: bool  # a node answered, not the balancer
    was_kept: bool  # the connection had been used before

    def __str__(self):
        return f"{self.what} ({self.ended - self.begun:.2f} s, {'by a node' if self.by_node else 'by no node'})"


@dataclass
class Book:
    """What was answered, over one load or several that follow each other."""
    made: dict = field(default_factory=dict)  # by label
    counted: list = field(default_factory=list)  # each a Made whose number goes up
    faults: list = field(default_factory=list)  # answers that must not be
    failures: list = field(default_factory=list)
    writes: int = 0
    reads: int = 0
    # Of each write: when it was sent for the last time, and answered; and whether that was a refusal which shows that
    # an attempt before, which failed, had done it.
    answered: list = field(default_factory=list)
    replays: int = 0
    in_progress: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def of_kind(self, name):
        return [made for made in list(self.made.values()) if made.kind.name == name]

    def figures(self):
        """What a report shows of it."""
        kinds = Counter(made.kind.name for made in self.made.values())
        return {"writes": self.writes, "reads": self.reads, "made": dict(kinds),
                "deleted": sum(made.gone for made in self.made.values()),
                "numbers changed": sum(made.count for made in self.counted),
                "replays": self.replays, "errors": len(self.failures)}


class Client:
    """One client of the load: sends, and notes what fails. It keeps its connection, or opens one for each request."""
    _names = itertools.count(1)

    def __init__(self, base, tenant, book, keeps=True):
        self._headers = {} if keeps else {"Connection": "close"}
        self.tenant, self._book = tenant, book
        self.failed = 0
        self.begun = 0.0  # the last attempt
        self._connection = Connection(base, tenant.token, PATIENCE_SECONDS)

    def send(self, method, path, payload=None, headers=None):
        """The answer; nothing, and a failure noted, when there is none or it is one of the server's."""
        attempt, begun = f"attempt-{next(Client._names)}", time.monotonic()
        self.begun = begun
        try:
            answer = self._connection.call(method, path, payload,
                                           {"X-Attempt": attempt, **self._headers, **(headers or {})})
            if answer.status < 500:
                return answer
            what, status, by_node = f"{answer.status} {answer.text[:120]!r}", answer.status, "x-request-id" in answer.headers
        except (OSError, HTTPException) as error:
            what, status, by_node = repr(error), 0, False
        failure = Failure(begun, time.monotonic(), attempt, f"{method} {path}: {what}", status, by_node,
                          not self._headers)
        self.failed += 1
        with self._book.lock:
            self._book.failures.append(failure)
        return None

    def close(self):
        self._connection.close()


class Load:
    """`with Load(base, tenants, book):` threads that write and read until the block ends."""

    def __init__(self, base, tenants, book=None, writers=8, readers=4, mix=MIX):
        self.book = book or Book()
        self._base, self._tenants, self._mix = base, tenants, mix
        self._stop = threading.Event()
        self.last_write = None
        self.longest_silence = 0.0  # seconds between two answered writes
        self._threads = [self._thread(self._write, index) for index in range(writers)]
        self._threads += [self._thread(self._read, index) for index in range(readers)]

    def __enter__(self):
        self.last_write = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * ATTEMPT_SECONDS)
            if thread.is_alive():
                self._fault(f"{thread.name} hangs")

    def _thread(self, work, index):
        def run():
            tenant = self._tenants[index % len(self._tenants)]
            with closing(Client(self._base, tenant, self.book, keeps=index % 2 == 0)) as client:
                try:
                    work(client, index)
                except BaseException as error:  # noqa: BLE001: a thread that dies would only look idle
                    self._fault(f"{threading.current_thread().name} died: {error!r}")
        return threading.Thread(target=run, name=f"{work.__name__.strip('_')}r {index}", daemon=True)

    def _fault(self, what):
        with self.book.lock:
            self.book.faults.append(what)

    def wait_for_writes(self, more, seconds=90):
        """Until so many more writes are answered, or something was answered that must not be."""
        wanted = self.book.writes + more
        eventually(lambda: self.book.writes >= wanted or self.book.faults, seconds, f"{more} writes are answered")

    # What writers do.

    def _write(self, client, index):
        dice = random.Random()
        counted = [self._make(client, kind, f"{kind}.counted.{index}.{dice.getrandbits(32):08x}")
                   for kind in ("customer", "key") if "count" in self._mix]
        with self.book.lock:
            self.book.counted += [made for made in counted if made]
        number = 0
        while not self._stop.is_set():
            number += 1
            kind = dice.choice(self._mix)
            if kind == "count":
                self._count(client, dice.choice(counted))
            elif kind == "delete":
                self._delete(client, dice)
            else:
                made = self._make(client, kind, f"{kind}.{index}.{number}.{dice.getrandbits(32):08x}",
                                  is_repeated=dice.random() < REPEATED)
                if made and dice.random() < READ_BACK:
                    self._look(client, made)

    def _until_answered(self, client, method, path, payload=None, key=None):
        """The answer, and how often it had failed before; nothing when it was given up."""
        deadline, failed, headers = time.monotonic() + ATTEMPT_SECONDS, 0, {"Idempotency-Key": key} if key else {}
        while True:
            answer = client.send(method, path, payload, headers)
            if answer is None:
                failed += 1
            elif answer.status == 409 and answer.headers.get("idempotent-replayed") == "false" and failed:
                with self.book.lock:
                    self.book.in_progress += 1
            else:
                return answer, failed
            if time.monotonic() > deadline:
                self._fault(f"{method} {path} {key or ''}: not answered within {ATTEMPT_SECONDS} s")
                return None, failed
            self._stop.wait(min(AGAIN_SECONDS * 1.5 ** min(failed, 10), AGAIN_MOST_SECONDS))

    def _answered(self, client, was_done=False):
        with self.book.lock:
            now = time.monotonic()
            self.book.answered.append((client.begun, now, was_done))
            self.longest_silence = max(self.longest_silence, now - self.last_write)
            self.last_write = now
            self.book.writes += 1

    def _make(self, client, name, label, is_repeated=False):
        kind, tenant = KINDS[name], client.tenant
        path = kind.path.format(a=tenant.id)
        payload = json.loads(kind.payload.replace("<<label>>", label).replace("<<team>>", tenant.team))
        answer, failed = self._until_answered(client, "POST", path, payload, label)
        if answer is None:
            return None
        if answer.status != 201 or answer.headers.get("idempotent-replayed", "true") != "true":
            self._fault(f"{label}: {answer.status} {answer.text[:200]}")
            return None
        if "idempotent-replayed" in answer.headers:
            self.book.replays += 1
            if not failed:
                self._fault(f"{label}: a replay of what was sent once")
        id = answer.json()
        for part in kind.id:
            id = id[part]
        made = Made(kind, tenant, id, label)
        with self.book.lock:
            self.book.made[label] = made
        self._answered(client)
        if is_repeated:
            again, _ = self._until_answered(client, "POST", path, payload, label)
            if again is not None and (again.status, again.text, again.headers.get("idempotent-replayed")) != (
                    201, answer.text, "true"):
                self._fault(f"{label}, sent again: {again.status} {again.text[:200]}")
            self.book.replays += 1
        return made

    def _count(self, client, made):
        if made is None:
            return
        value = made.count + 1
        if made.kind.name == "customer":
            call = ("PATCH", made.path, {"metadata": {"count": value}})
        else:
            call = ("PUT", made.path, {"label": f"{made.label}.{value}"})
        answer, failed = self._until_answered(client, *call)
        if answer is None:
            return
        if failed and answer.status == 400 and "nothing of what is given differs" in answer.text:
            pass  # an attempt that failed had done it
        elif answer.status != 200 or number_in(made, answer.json()) != value:
            self._fault(f"{made.label}, {value}: {answer.status} {answer.text[:200]}")
            return
        made.count = value
        self._answered(client, was_done=answer.status != 200)

    def _delete(self, client, dice):
        with self.book.lock:
            mine = [made for made in self.book.made.values() if made.tenant == client.tenant and not made.condemned
                    and ".counted." not in made.label]
            if not mine:
                return
            made = dice.choice(mine)
            made.condemned = True
        answer, failed = self._until_answered(client, "DELETE", made.path)
        if answer is None:
            return
        if answer.status == made.kind.removed or (answer.status == 404 and failed):
            made.gone = True
            self._answered(client, was_done=answer.status == 404)
        else:
            self._fault(f"DELETE {made.label}: {answer.status} {answer.text[:200]}")

    # What readers do.

    def _read(self, client, index):
        dice = random.Random()
        while not self._stop.is_set():
            with self.book.lock:
                known = [made for made in self.book.made.values() if made.tenant == client.tenant and made.kind.has_page]
            if known and dice.random() < 0.7:
                self._look(client, dice.choice(known[-20:] if dice.random() < 0.5 else known))
                continue
            path = dice.choice(LISTS).format(a=client.tenant.id, team=client.tenant.team)
            answer = client.send("GET", path)
            self._heard(answer, f"GET {path}", 200)

    def _look(self, client, made):
        """Asks for what was made: it is there, with the number that was answered last, until it is deleted."""
        if not made.kind.has_page:
            return
        count, was_gone = made.count, made.gone
        answer = client.send("GET", made.path)
        wanted = 404 if was_gone else 200
        if answer is not None and answer.status == 404 and made.condemned:
            wanted = 404
        if self._heard(answer, f"GET {made.label}", wanted) and wanted == 200 and number_in(made, answer.json()) < count:
            self._fault(f"{made.label}: {count} was answered, {number_in(made, answer.json())} is shown")

    def _heard(self, answer, what, wanted):
        if answer is None:
            self._stop.wait(AGAIN_SECONDS)
            return False
        with self.book.lock:
            self.book.reads += 1
        if answer.status != wanted:
            self._fault(f"{what}: {answer.status} in place of {wanted}: {answer.text[:200]}")
        return answer.status == wanted


def write_through(node, tenant, book):
    """Writes by one node, past any balancer: what is wrong with how it answers."""
    load = Load(node.base, [tenant], book, writers=0, readers=0)
    load.last_write = time.monotonic()
    with closing(Client(node.base, tenant, book)) as client:
        load._make(client, "customer", f"customer.direct.{random.getrandbits(48):x}")
        return [f"{node.base}: failed {client.failed} times: {book.failures[-1]}"] if client.failed else []


def number_in(made, shown):
    """The number that is stored in what counts, as an answer shows it; 0 in others."""
    if made.kind.name == "customer":
        return shown["metadata"].get("count", 0)
    if made.kind.name == "key" and shown["label"].startswith(f"{made.label}."):
        return int(shown["label"].rpartition(".")[2])
    return 0


def tenants(commands, base, count=3):
    """So many organizations, each with a token and a team."""
    found = []
    for number in range(count):
        slug = f"tenant-{number}-{random.getrandbits(24):06x}"
        organization = commands.create_organization(slug, owner_email=f"{slug}@example.com")["id"]
        token = commands.create_token(organization)["token"]
        found.append(Tenant(organization, token, team(base, token)))
    return found


def team(base, token, name="Team"):
    """Makes a customer that is a team; its id."""
    with closing(Connection(base, token)) as connection:
        answer = connection.call("POST", "/v1/customers/", {"type": "team", "name": name,
                                                            "email": f"{name.lower()}@example.com"})
    if answer.status != 201:
        raise RuntimeError(f"creating the customer: {answer.status} {answer.text[:200]}")
    return answer.json()["id"]


def faults(base, tenants, book, rows):
    """What is not as it was answered: lost, doubled, come back, or never answered. `rows(sql)` looks into the
    database, past the program."""
    found = list(book.faults)
    for kind in KINDS.values():
        found += _in_database(kind, book, rows)
    found += _written_down(tenants, book, rows)
    found += _keys(book, rows)
    try:
        found += _numbers(base, book)
        for tenant in tenants:
            with closing(Connection(base, tenant.token)) as connection:
                found += _in_lists(connection, tenant, book)
    except (OSError, HTTPException, RuntimeError) as error:
        found.append(f"it is not shown what is there: {error!r}")
    return found


def same(what, wanted, found):
    """How two lists differ, each element counted."""
    wanted, found = Counter(wanted), Counter(found)
    for word, difference in (("lost", wanted - found), ("too many", found - wanted)):
        if difference:
            yield f"{what}: {difference.total()} {word}, such as {next(iter(difference))}"


def _stored(made):
    """What stands in the database of it, as `rows` shows it."""
    label = f"{made.label}.{made.count}" if made.kind.name == "key" and made.count else made.label
    return made.tenant.id, made.id, label


def _in_database(kind, book, rows):
    made = book.of_kind(kind.name)
    for is_gone, sql in ((False, kind.live), (True, kind.gone)):
        if sql:
            found = [(organization, id, label.removesuffix("@example.com")) for organization, id, label in rows(sql)]
            yield from same(f"rows of {kind.name}{', deleted' if is_gone else ''}",
                            [_stored(one) for one in made if one.gone == is_gone], found)


def asked(connection, path):
    """What is answered to a GET."""
    answer = connection.call("GET", path)
    if answer.status != 200:
        raise RuntimeError(f"GET {path}: {answer.status} {answer.text[:200]}")
    return answer.json()


def all_pages(connection, path):
    """The items of a list of either dialect."""
    items, page, joint = [], 1, "&" if "?" in path else "?"
    if path.startswith("/v2"):
        after = ""
        while True:
            answer = asked(connection, f"{path}{joint}limit=100{after}")
            items += answer["data"]
            if not answer["pagination"]["has_more"]:
                return items
            after = f"&after={answer['pagination']['next_cursor']}"
    while True:
        answer = asked(connection, f"{path}{joint}limit=100&page={page}")
        items += answer["items"]
        if page >= answer["pagination"]["max_page"]:
            return items
        page += 1


def _in_lists(connection, tenant, book):
    """Lists show what was answered as made and not as deleted, each once."""
    def ids(*names):
        return [made.id for name in names for made in book.of_kind(name) if made.tenant == tenant and not made.gone]

    shown = [item["id"] for item in all_pages(connection, "/v1/customers/")]
    yield from same("the list of customers", [*ids("customer"), tenant.team], shown)
    shown = [item["id"] for item in all_pages(connection, f"/v1/members/?customer_id={tenant.team}&role=member")]
    yield from same("the list of members", ids("member"), shown)
    shown = [item["id"] for item in all_pages(connection, f"/v2/accounts/{tenant.id}/api-keys")]
    names = {made.id for made in book.made.values()}
    yield from same("the list of keys", ids("key", "token"), [id for id in shown if id in names])
    people = asked(connection, f"/v2/accounts/{tenant.id}/members")["data"]
    yield from same("the team", ids("person"), [one["user_id"] for one in people if one["role"] == "Developer"])


def _numbers(base, book):
    """The number that was answered last is there; each was written down once."""
    for made in book.counted:
        with closing(Connection(base, made.tenant.token)) as connection:
            answer = connection.call("GET", made.path)
            if answer.status != 200 or number_in(made, answer.json()) != made.count:
                yield f"{made.label}: {made.count} was answered, {answer.status} {answer.text[:200]}"


def _written_down(tenants, book, rows):
    """The audit log has each effect once, and no effect that was not answered."""
    entries = {}
    for organization, action, subject, count in rows(
            "SELECT organization_id, action, subject_id, count(*) FROM audit_entries GROUP BY 1, 2, 3"):
        entries[organization, action, subject] = int(count)
    for (_, action, subject), count in entries.items():
        if action.endswith((".created", ".deleted")) and count != 1:
            yield f"{action} is written down {count} times for {subject}"
    for made in book.made.values():
        for word, wanted in (("created", 1), ("deleted", int(made.gone)), ("updated", made.count)):
            count = entries.get((made.tenant.id, f"{made.kind.subject}.{word}", made.id), 0)
            if count != wanted:
                yield f"{made.label}: {made.kind.subject}.{word} is written down {count} times, not {wanted}"
    known = {(made.tenant.id, made.kind.subject, made.id) for made in book.made.values()}
    unknown = Counter()
    for organization, action, subject in entries:
        if action in ("customer.created", "team_member.created", "access_token.created"):
            unknown[organization, action] += (organization, action.removesuffix(".created"), subject) not in known
    for tenant in tenants:
        # Each organization began with a team, an owner, and a token.
        for action in ("customer.created", "team_member.created", "access_token.created"):
            if unknown[tenant.id, action] != 1:
                yield f"{action}: {unknown[tenant.id, action] - 1} that nobody was answered"


def _keys(book, rows):
    """Each answered key stands there with its answer."""
    found = rows("SELECT organization_id, idempotency_key, status FROM idempotency_records")
    wanted = [(made.tenant.id, made.label, "201") for made in book.made.values()]
    yield from same("idempotency keys", wanted, [row for row in found if row[1].split(".")[0] in KINDS])
