"""A mixed load of both dialects on several organizations, and the check that nothing of it is lost or done twice.

Writers repeat each write until it is answered. Every POST has its own idempotency key, so that the repeats must have
one effect. A journal records the answers, never what was only sent. Afterwards `faults` compares the journal with the
lists of the API, the rows of the database, the audit log, the counts and the idempotency records.
"""
import itertools
import json
import random
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from http.client import HTTPException

from compare import differences
from harness import Connection, eventually

ATTEMPT_SECONDS = 90  # a write that is repeated for longer counts as lost
ANSWER_SECONDS = 45  # the client's timeout for one answer; longer than the request timeout of nodes and balancer
RETRY_SECONDS, MAX_RETRY_SECONDS = 0.05, 0.5  # the first and the longest pause before a write is repeated
REPEATED = 0.1  # share of the answered POSTs that are sent once more, as if the answer had been lost
READ_BACK = 0.25  # share of the created objects that are read at once; the balancer chooses another node for that


@dataclass(frozen=True)
class Tenant:
    """An organization, a token with every scope, and the id of a team customer."""
    id: str
    token: str
    team: str


@dataclass(frozen=True)
class Kind:
    """A kind of object that the load creates.

    In paths, `{a}` is the organization's id, `{team}` the team customer's id, and `{id}` the object's id. A label is a
    name that occurs once; it is also the idempotency key.
    """
    name: str
    path: str  # of the POST
    payload: str  # JSON with <<label>> and <<team>>
    id: tuple  # the keys that lead to the id in the answer
    object_path: str
    delete_status: int  # of a successful DELETE
    subject: str  # in the actions of the audit log
    live_sql: str  # selects organization, id and label of the objects that are not deleted
    deleted_sql: str = ""  # the same of deleted objects whose rows are kept
    is_readable: bool = True  # the API has a GET for one object


def _rows(table, label, prefix, condition):
    return f"SELECT organization_id, id, {label} FROM {table} WHERE {label} LIKE '{prefix}.%' AND {condition}"


def _kind(name, path, payload, id, object_path, delete_status, subject, table, label):
    live, deleted = (_rows(table, label, name, f"deleted_at IS {value}") for value in ("NULL", "NOT NULL"))
    return Kind(name, path, json.dumps(payload), id, object_path, delete_status, subject, live, deleted)


KINDS = {kind.name: kind for kind in (
    _kind("member", "/v1/members/", {"customer_id": "<<team>>", "email": "<<label>>@example.com"}, ("id",),
          "/v1/members/{id}", 204, "member", "members", "email"),
    # The customer has no e-mail address of its own, so that only the idempotency key prevents a second one.
    _kind("customer", "/v1/customers/", {"type": "team", "name": "<<label>>", "owner": {"email": "o-<<label>>@example.com"}},
          ("id",), "/v1/customers/{id}", 204, "customer", "customers", "name"),
    replace(_kind("token", "/v1/organization-access-tokens/", {"comment": "<<label>>", "scopes": ["customers:read"]},
                  ("organization_access_token", "id"), "/v1/organization-access-tokens/{id}", 204, "access_token",
                  "access_tokens", "label"), is_readable=False),
    _kind("key", "/v2/accounts/{a}/api-keys", {"label": "<<label>>", "scopes": ["accounts:read"]}, ("id",),
          "/v2/accounts/{a}/api-keys/{id}", 200, "access_token", "access_tokens", "label"),
    Kind("team_member", "/v2/accounts/{a}/members", json.dumps({"email": "<<label>>@example.com", "role": "Developer"}),
         ("user_id",), "/v2/accounts/{a}/members/{id}", 200, "team_member",
         "SELECT t.organization_id, u.id, u.email FROM users u JOIN team_members t ON t.user_id = u.id"
         " WHERE u.email LIKE 'team_member.%'", is_readable=False),
)}
# What writers do, chosen at random: create an object of a kind, change the count in an object, or delete an object.
MIX = ("member", "member", "member", "customer", "customer", "token", "key", "team_member", "count", "count", "count",
       "delete", "delete")
LISTS = ("/v1/customers/?limit=20", "/v1/members/?customer_id={team}&limit=20", "/v1/organization-access-tokens/?limit=20",
         "/v2/accounts/{a}/members", "/v2/accounts/{a}/api-keys?limit=20", "/v2/accounts/{a}", "/v1/organizations/{a}")


@dataclass
class Created:
    """An object whose creation was answered."""
    kind: Kind
    tenant: Tenant
    id: str
    label: str
    is_being_deleted: bool = False  # a DELETE was sent
    is_deleted: bool = False  # the DELETE was answered
    count: int = 0  # the last value whose write was answered

    @property
    def path(self):
        return self.kind.object_path.format(a=self.tenant.id, id=self.id)


@dataclass(frozen=True)
class Failure:
    """An attempt that was answered with 5xx, or not at all. Times are those of time.monotonic(), in seconds."""
    begun: float
    ended: float
    attempt: str  # its X-Attempt header, which the balancer logs
    description: str
    status: int  # 0 when there was no answer
    is_by_node: bool  # a node answered, not the balancer
    was_reused: bool  # the connection had been used before

    def __str__(self):
        source = "by a node" if self.is_by_node else "by no node"
        return f"{self.description} ({self.ended - self.begun:.2f} s, {source})"


@dataclass
class Write:
    """An answered write: when its last attempt was sent, and when it was answered."""
    sent: float
    answered: float
    was_done_before: bool  # the answer was an error which shows that an earlier, failed attempt had the effect


@dataclass
class Journal:
    """What was answered, during one load or several that follow each other."""
    created: dict = field(default_factory=dict)  # by label
    counted: list = field(default_factory=list)  # the Created objects that hold a count
    faults: list = field(default_factory=list)  # answers that must not occur
    failures: list = field(default_factory=list)
    writes: list = field(default_factory=list)
    reads: int = 0
    replays: int = 0
    in_progress: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def of_kind(self, name):
        return [created for created in list(self.created.values()) if created.kind.name == name]

    def figures(self):
        """Returns the figures for a report."""
        kinds = Counter(created.kind.name for created in self.created.values())
        return {"writes": len(self.writes), "reads": self.reads, "created": dict(kinds),
                "deleted": sum(created.is_deleted for created in self.created.values()),
                "counts changed": sum(created.count for created in self.counted),
                "replays": self.replays, "failed attempts": len(self.failures)}


class Client:
    """One client of the load. It keeps its connection open, or opens one for each request."""
    _names = itertools.count(1)

    def __init__(self, base, tenant, journal, keeps_connection=True):
        self._headers = {} if keeps_connection else {"Connection": "close"}
        self.tenant, self._journal = tenant, journal
        self.failures = []
        self.last_sent = 0.0
        self._connection = Connection(base, tenant.token, ANSWER_SECONDS)

    def send(self, method, path, payload=None, headers=None):
        """Sends a request once. Returns the answer, or records a failure and returns None on 5xx or no answer."""
        attempt, begun = f"attempt-{next(Client._names)}", time.monotonic()
        self.last_sent = begun
        try:
            answer = self._connection.call(method, path, payload,
                                           {"X-Attempt": attempt, **self._headers, **(headers or {})})
            if answer.status < 500:
                return answer
            result = f"{answer.status} {answer.text[:120]!r}"
            status, is_by_node = answer.status, "x-request-id" in answer.headers
        except (OSError, HTTPException) as error:
            result, status, is_by_node = repr(error), 0, False
        failure = Failure(begun, time.monotonic(), attempt, f"{method} {path}: {result}", status, is_by_node,
                          not self._headers)
        self.failures.append(failure)
        with self._journal.lock:
            self._journal.failures.append(failure)
        return None

    def close(self):
        self._connection.close()


class Load:
    """`with Load(base, tenants, journal):` runs threads that write and read until the block ends."""

    def __init__(self, base, tenants, journal=None, writers=8, readers=4, mix=MIX):
        self.journal = journal or Journal()
        self._base, self._tenants, self._mix = base, tenants, mix
        self._stop = threading.Event()
        self._last_answer = time.monotonic()
        self.longest_gap = 0.0  # seconds between two answered writes
        self._threads = [self._thread(self._write, index) for index in range(writers)]
        self._threads += [self._thread(self._read, index) for index in range(readers)]

    def __enter__(self):
        self._last_answer = time.monotonic()
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
            with closing(Client(self._base, tenant, self.journal, keeps_connection=index % 2 == 0)) as client:
                try:
                    work(client, index)
                except BaseException as error:  # noqa: BLE001: without this, a dead thread would look idle
                    self._fault(f"{threading.current_thread().name} died: {error!r}")
        return threading.Thread(target=run, name=f"{work.__name__.strip('_')}r {index}", daemon=True)

    def _fault(self, text):
        with self.journal.lock:
            self.journal.faults.append(text)

    def wait_for_writes(self, count, seconds=90):
        """Waits until `count` more writes are answered, or an answer is a fault."""
        total = len(self.journal.writes) + count
        eventually(lambda: len(self.journal.writes) >= total or self.journal.faults, seconds,
                   f"{count} writes are answered")

    # Writers

    def _write(self, client, index):
        dice = random.Random()
        counted = [self.create(client, kind, f"{kind}.counted.{index}.{dice.getrandbits(32):08x}")
                   for kind in ("customer", "key") if "count" in self._mix]
        with self.journal.lock:
            self.journal.counted += [created for created in counted if created]
        number = 0
        while not self._stop.is_set():
            number += 1
            kind = dice.choice(self._mix)
            if kind == "count":
                self._count(client, dice.choice(counted))
            elif kind == "delete":
                self._delete(client, dice)
            else:
                created = self.create(client, kind, f"{kind}.{index}.{number}.{dice.getrandbits(32):08x}",
                                      is_repeated=dice.random() < REPEATED)
                if created and dice.random() < READ_BACK:
                    self._read_back(client, created)

    def _until_answered(self, client, method, path, payload=None, key=None):
        """Repeats a request until it is answered. Returns the answer, or None after ATTEMPT_SECONDS, and the number of
        failed attempts."""
        deadline, failed, headers = time.monotonic() + ATTEMPT_SECONDS, 0, {"Idempotency-Key": key} if key else {}
        while True:
            answer = client.send(method, path, payload, headers)
            if answer is None:
                failed += 1
            elif answer.status == 409 and answer.headers.get("idempotent-replayed") == "false" and failed:
                with self.journal.lock:
                    self.journal.in_progress += 1
            else:
                return answer, failed
            if time.monotonic() > deadline:
                self._fault(f"{method} {path} {key or ''}: not answered within {ATTEMPT_SECONDS} s")
                return None, failed
            self._stop.wait(min(RETRY_SECONDS * 1.5 ** min(failed, 10), MAX_RETRY_SECONDS))

    def _record_write(self, client, was_done_before=False):
        with self.journal.lock:
            now = time.monotonic()
            self.journal.writes.append(Write(client.last_sent, now, was_done_before))
            self.longest_gap = max(self.longest_gap, now - self._last_answer)
            self._last_answer = now

    def _count_replay(self):
        with self.journal.lock:
            self.journal.replays += 1

    def create(self, client, name, label, is_repeated=False):
        """Creates an object of a kind and returns it; None when it was not answered, or answered with a fault."""
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
            self._count_replay()
            if not failed:
                self._fault(f"{label}: a replay of a request that was sent once")
        id = answer.json()
        for name_in_answer in kind.id:
            id = id[name_in_answer]
        created = Created(kind, tenant, id, label)
        with self.journal.lock:
            self.journal.created[label] = created
        self._record_write(client)
        if is_repeated:
            repeat, _ = self._until_answered(client, "POST", path, payload, label)
            if repeat is not None and (repeat.status, repeat.text, repeat.headers.get("idempotent-replayed")) != (
                    201, answer.text, "true"):
                self._fault(f"{label}, sent again: {repeat.status} {repeat.text[:200]}")
            self._count_replay()
        return created

    def _count(self, client, created):
        if created is None:
            return
        value = created.count + 1
        if created.kind.name == "customer":
            request = ("PATCH", created.path, {"metadata": {"count": value}})
        else:
            request = ("PUT", created.path, {"label": f"{created.label}.{value}"})
        answer, failed = self._until_answered(client, *request)
        if answer is None:
            return
        # A failed attempt may have made the change; the repeat then has nothing to change, which is a 400.
        was_done_before = bool(failed) and answer.status == 400 and "at least one value must differ" in answer.text
        if not was_done_before and (answer.status != 200 or count_in(created, answer.json()) != value):
            self._fault(f"{created.label}, {value}: {answer.status} {answer.text[:200]}")
            return
        created.count = value
        self._record_write(client, was_done_before)

    def _delete(self, client, dice):
        with self.journal.lock:
            candidates = [created for created in self.journal.created.values() if created.tenant == client.tenant
                          and not created.is_being_deleted and ".counted." not in created.label]
            if not candidates:
                return
            created = dice.choice(candidates)
            created.is_being_deleted = True
        answer, failed = self._until_answered(client, "DELETE", created.path)
        if answer is None:
            return
        was_done_before = answer.status == 404 and failed
        if answer.status == created.kind.delete_status or was_done_before:
            created.is_deleted = True
            self._record_write(client, bool(was_done_before))
        else:
            self._fault(f"DELETE {created.label}: {answer.status} {answer.text[:200]}")

    # Readers

    def _read(self, client, index):
        dice = random.Random()
        while not self._stop.is_set():
            with self.journal.lock:
                known = [created for created in self.journal.created.values()
                         if created.tenant == client.tenant and created.kind.is_readable]
            if known and dice.random() < 0.7:
                self._read_back(client, dice.choice(known[-20:] if dice.random() < 0.5 else known))
                continue
            path = dice.choice(LISTS).format(a=client.tenant.id, team=client.tenant.team)
            answer = client.send("GET", path)
            self._check_read(answer, f"GET {path}", 200)

    def _read_back(self, client, created):
        """Reads a created object: it must exist until it is deleted, with at least the last answered count."""
        if not created.kind.is_readable:
            return
        count, was_deleted = created.count, created.is_deleted
        answer = client.send("GET", created.path)
        expected = 404 if was_deleted else 200
        if answer is not None and answer.status == 404 and created.is_being_deleted:
            expected = 404
        if self._check_read(answer, f"GET {created.label}", expected) and expected == 200 \
                and count_in(created, answer.json()) < count:
            self._fault(f"{created.label}: the count {count} was answered, {count_in(created, answer.json())} is shown")

    def _check_read(self, answer, request, expected):
        if answer is None:
            self._stop.wait(RETRY_SECONDS)
            return False
        with self.journal.lock:
            self.journal.reads += 1
        if answer.status != expected:
            self._fault(f"{request}: {answer.status}, expected {expected}: {answer.text[:200]}")
        return answer.status == expected


def write_directly(node, tenant, journal):
    """Creates a customer on a node, without a balancer. Returns a fault when an attempt fails."""
    load = Load(node.base, [tenant], journal, writers=0, readers=0)
    with closing(Client(node.base, tenant, journal)) as client:
        load.create(client, "customer", f"customer.direct.{random.getrandbits(48):x}")
        if client.failures:
            return [f"{node.base}: {len(client.failures)} attempts failed, the last: {client.failures[-1]}"]
    return []


def count_in(created, shown):
    """Returns the count that an answer shows for an object, or 0 when the object holds none."""
    if created.kind.name == "customer":
        return shown["metadata"].get("count", 0)
    if created.kind.name == "key" and shown["label"].startswith(f"{created.label}."):
        return int(shown["label"].rpartition(".")[2])
    return 0


def create_tenants(commands, base, count=3):
    """Creates organizations, each with a token and a team customer."""
    tenants = []
    for number in range(count):
        slug = f"tenant-{number}-{random.getrandbits(24):06x}"
        organization = commands.create_organization(slug, owner_email=f"{slug}@example.com")["id"]
        token = commands.create_token(organization)["token"]
        tenants.append(Tenant(organization, token, create_team(base, token)))
    return tenants


def create_team(base, token, name="Team"):
    """Creates a team customer and returns its id."""
    with closing(Connection(base, token)) as connection:
        answer = connection.call("POST", "/v1/customers/", {"type": "team", "name": name,
                                                            "email": f"{name.lower()}@example.com"})
    if answer.status != 201:
        raise RuntimeError(f"creating the customer: {answer.status} {answer.text[:200]}")
    return answer.json()["id"]


def faults(base, tenants, journal, rows):
    """Returns every write that was lost, done twice or undone, and every answer that was a fault.

    `rows(sql)` runs a query directly on the database.
    """
    found = list(journal.faults)
    for kind in KINDS.values():
        found += _row_faults(kind, journal, rows)
    found += _audit_faults(tenants, journal, rows)
    found += _idempotency_faults(journal, rows)
    try:
        found += _count_faults(base, journal)
        for tenant in tenants:
            with closing(Connection(base, tenant.token)) as connection:
                found += _list_faults(connection, tenant, journal)
    except (OSError, HTTPException, RuntimeError) as error:
        found.append(f"the API does not answer after the load: {error!r}")
    return found


def _expected_row(created):
    """Returns organization, id and label as `rows` must show them."""
    label = f"{created.label}.{created.count}" if created.kind.name == "key" and created.count else created.label
    return created.tenant.id, created.id, label


def _row_faults(kind, journal, rows):
    """Checks that the database has each object once, as live or as deleted."""
    for is_deleted, sql in ((False, kind.live_sql), (True, kind.deleted_sql)):
        if sql:
            found = [(organization, id, label.removesuffix("@example.com")) for organization, id, label in rows(sql)]
            expected = [_expected_row(created) for created in journal.of_kind(kind.name)
                        if created.is_deleted == is_deleted]
            yield from differences(f"rows of {kind.name}{', deleted' if is_deleted else ''}", expected, found)


def get(connection, path):
    """Returns the JSON of a GET that must be answered with 200."""
    answer = connection.call("GET", path)
    if answer.status != 200:
        raise RuntimeError(f"GET {path}: {answer.status} {answer.text[:200]}")
    return answer.json()


def all_pages(connection, path):
    """Returns the items of all pages of a list, in either dialect."""
    items, separator = [], "&" if "?" in path else "?"
    if path.startswith("/v2"):
        cursor = ""
        while True:
            answer = get(connection, f"{path}{separator}limit=100{cursor}")
            items += answer["data"]
            if not answer["pagination"]["has_more"]:
                return items
            if not answer["data"]:
                raise RuntimeError(f"GET {path}: an empty page says that there are more")
            cursor = f"&after={answer['pagination']['next_cursor']}"
    for page in itertools.count(1):
        answer = get(connection, f"{path}{separator}limit=100&page={page}")
        items += answer["items"]
        if page >= answer["pagination"]["max_page"]:
            return items


def _list_faults(connection, tenant, journal):
    """Checks that the lists show each object that is not deleted exactly once."""
    def ids(*names):
        return [created.id for name in names for created in journal.of_kind(name)
                if created.tenant == tenant and not created.is_deleted]

    shown = [item["id"] for item in all_pages(connection, "/v1/customers/")]
    yield from differences("the list of customers", [*ids("customer"), tenant.team], shown)
    shown = [item["id"] for item in all_pages(connection, f"/v1/members/?customer_id={tenant.team}&role=member")]
    yield from differences("the list of members", ids("member"), shown)
    shown = [item["id"] for item in all_pages(connection, f"/v2/accounts/{tenant.id}/api-keys")]
    known = {created.id for created in journal.created.values()}
    yield from differences("the list of API keys", ids("key", "token"), [id for id in shown if id in known])
    team = get(connection, f"/v2/accounts/{tenant.id}/members")["data"]
    yield from differences("the list of team members", ids("team_member"),
                           [member["user_id"] for member in team if member["role"] == "Developer"])


def _count_faults(base, journal):
    """Checks that each count is shown with the last value that was answered."""
    for created in journal.counted:
        with closing(Connection(base, created.tenant.token)) as connection:
            answer = connection.call("GET", created.path)
            if answer.status != 200 or count_in(created, answer.json()) != created.count:
                yield f"{created.label}: the count {created.count} was answered, {answer.status} {answer.text[:200]}"


def _audit_faults(tenants, journal, rows):
    """Checks that the audit log has one entry for each effect, and none for an effect that was not answered."""
    entries = {}
    for organization, action, subject, count in rows(
            "SELECT organization_id, action, subject_id, count(*) FROM audit_entries GROUP BY 1, 2, 3"):
        entries[organization, action, subject] = int(count)
    for (_, action, subject), count in entries.items():
        if action.endswith((".created", ".deleted")) and count != 1:
            yield f"{count} audit entries {action} for {subject}"
    for created in journal.created.values():
        for word, expected in (("created", 1), ("deleted", int(created.is_deleted)), ("updated", created.count)):
            count = entries.get((created.tenant.id, f"{created.kind.subject}.{word}", created.id), 0)
            if count != expected:
                yield f"{created.label}: {count} audit entries {created.kind.subject}.{word}, expected {expected}"
    known = {(created.tenant.id, created.kind.subject, created.id) for created in journal.created.values()}
    unknown = Counter()
    for organization, action, subject in entries:
        if action in ("customer.created", "team_member.created", "access_token.created"):
            unknown[organization, action] += (organization, action.removesuffix(".created"), subject) not in known
    for tenant in tenants:
        # `create_tenants` gave each organization one team customer, one owner and one token.
        for action in ("customer.created", "team_member.created", "access_token.created"):
            if unknown[tenant.id, action] != 1:
                yield f"{action}: {unknown[tenant.id, action] - 1} effects that were not answered"


def _idempotency_faults(journal, rows):
    """Checks that each answered POST has its idempotency record, with its answer."""
    found = rows("SELECT organization_id, idempotency_key, status FROM idempotency_records")
    expected = [(created.tenant.id, created.label, "201") for created in journal.created.values()]
    yield from differences("idempotency keys", expected, [row for row in found if row[1].split(".")[0] in KINDS])
