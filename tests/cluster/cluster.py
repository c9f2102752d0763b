"""Several nodes on one PostgreSQL, what stands before and between them, and load.

Everything runs on the loopback, on free ports, and ends with the block that started it.
"""
import json
import random
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from harness import CommandLine, Connection, Server, eventually  # noqa: E402
from postgres import Postgres, free_port  # noqa: E402

ATTEMPT_SECONDS = 60  # after which a request that is sent again and again counts as lost


class Cluster:
    """`with Cluster() as cluster:` a folder, and everything that is started in it."""

    def __enter__(self):
        self._stack = ExitStack()
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="tenantry-cluster-")))
        self.key = self.directory / "tenantry.key"
        return self

    def __exit__(self, kind, error, trace):
        return self._stack.__exit__(kind, error, trace)

    def folder(self, name):
        path = self.directory / name
        path.mkdir()
        return path

    def postgres(self, name="postgres", **settings):
        server = Postgres(self.folder(name), **settings)
        self._stack.callback(server.stop)
        return server

    def node(self, name, database, *options):
        """A node that is not started yet; it keeps its port when it starts again."""
        node = Server(self.folder(name), "--secret-key-file", str(self.key), *options,
                      database=database, listen=f"127.0.0.1:{free_port()}")
        self._stack.callback(lambda: node.is_running and node.kill())
        return node

    def command_line(self, database):
        return CommandLine(database, "--secret-key-file", str(self.key))

    def haproxy(self, nodes):
        """A balancer before the nodes, as docs/OPERATIONS.md describes it; its URL."""
        port = free_port()
        servers = "\n".join(f"  server node{index} {node.listen} check" for index, node in enumerate(nodes))
        path = self.folder("haproxy") / "haproxy.cfg"
        path.write_text(f"""global
  maxconn 4000
defaults
  mode http
  timeout connect 1s
  timeout check 5s
  timeout client 60s
  timeout server 60s
  retries 3
  option redispatch 1
listen tenantry
  bind 127.0.0.1:{port}
  balance roundrobin
  option httpchk GET /readyz
  default-server inter 200ms fall 2 rise 1
{servers}
""")
        haproxy = shutil.which("haproxy") or "/usr/sbin/haproxy"  # outside of the PATH of who is not root
        process = subprocess.Popen([haproxy, "-db", "-f", str(path)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self._stack.callback(lambda: (process.kill(), process.wait(30)))
        base = f"http://127.0.0.1:{port}"
        eventually(lambda: answers(base, "/readyz"), 30, "the balancer finds a node")
        return base


def answers(base, path):
    """Whether a GET is answered with 200."""
    connection = Connection(base)
    try:
        return connection.send("GET", path).status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


class Stall:
    """A proxy for TCP that can stop to pass bytes on without closing anything."""

    def __init__(self, target_port):
        self._target = target_port
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._flowing.clear()

    def flow(self):
        self._flowing.set()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client):
        try:
            self._flowing.wait()
            with client, socket.create_connection(("127.0.0.1", self._target), timeout=30) as server:
                other = {client: server, server: client}
                while True:
                    for ready in select.select([client, server], [], [])[0]:
                        self._flowing.wait()
                        data = ready.recv(65536)
                        if not data:
                            return
                        other[ready].sendall(data)
        except OSError:
            return


class Load:
    """Threads that write and read until they are stopped, and what became of each request.

    A write has a key of its own and is sent until it is answered; so it must have one effect,
    whatever happened in between.
    """

    def __init__(self, base, token, customer, writers=8, readers=4):
        self._base, self._token, self._customer = base, token, customer
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.answered = {}  # e-mail by the id that was answered
        self.errors = []  # (when, what) of each attempt that was not answered as hoped
        self.unanswered = []  # what never was
        self.reads = 0
        self.last_write = time.monotonic()
        self.longest_silence = 0.0  # seconds between two answered writes
        self._threads = [threading.Thread(target=self._write, args=(index,), daemon=True) for index in range(writers)]
        self._threads += [threading.Thread(target=self._read, daemon=True) for _ in range(readers)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * ATTEMPT_SECONDS)

    def wait_for_writes(self, more, seconds=60):
        """Until so many more writes are answered."""
        wanted = len(self.answered) + more
        eventually(lambda: len(self.answered) >= wanted, seconds, f"{more} writes are answered")

    def _failed(self, what):
        with self._lock:
            self.errors.append((time.monotonic(), what))

    def _send(self, connection, *call):
        """The answer; nothing, and an error noted, when there is none or it is a failure of the server."""
        try:
            answer = connection.call(*call)
        except (OSError, HTTPException) as error:
            self._failed(f"{call[0]} {call[1]}: {error!r}")
            return None
        if answer.status >= 500:
            self._failed(f"{call[0]} {call[1]}: {answer.status} {answer.text[:120]}")
            return None
        return answer

    def _write(self, index):
        connection, number = Connection(self._base, self._token), 0
        while not self._stop.is_set():
            number += 1
            email = f"writer{index}.{number}.{random.getrandbits(32):08x}@example.com"
            payload = {"customer_id": self._customer, "email": email}
            deadline = time.monotonic() + ATTEMPT_SECONDS
            while True:
                answer = self._send(connection, "POST", "/v1/members/", payload, {"Idempotency-Key": email})
                if answer is not None and answer.status == 201:
                    self._note(answer.json()["id"], email)
                    break
                if answer is not None and answer.status != 409:
                    self.unanswered.append(f"{email}: {answer.status} {answer.text[:200]}")
                    break
                if time.monotonic() > deadline:
                    self.unanswered.append(f"{email}: nothing within {ATTEMPT_SECONDS} s")
                    break
                self._stop.wait(0.05)  # as any client waits before it tries again
        connection.close()

    def _note(self, member, email):
        with self._lock:
            now = time.monotonic()
            self.longest_silence = max(self.longest_silence, now - self.last_write)
            self.last_write = now
            self.answered[member] = email

    def _read(self):
        connection = Connection(self._base, self._token)
        while not self._stop.is_set():
            with self._lock:
                member = next(reversed(self.answered), None)
            path = f"/v1/members/{member}" if member else f"/v1/customers/{self._customer}"
            answer = self._send(connection, "GET", path)
            if answer is None:
                self._stop.wait(0.05)
            elif answer.status != 200:
                self.unanswered.append(f"GET {path}: {answer.status} {answer.text[:200]}")
            else:
                self.reads += 1
        connection.close()


def prepare(cluster, database, slug="cluster"):
    """An organization with a team customer; a token, and the customer's id."""
    commands = cluster.command_line(database)
    commands.run("migrate")
    organization = commands.create_organization(slug, owner_email="owner@example.com")
    token = commands.create_token(organization["id"])["token"]
    return organization["id"], token


def team(base, token, name="Team"):
    connection = Connection(base, token)
    try:
        answer = connection.call("POST", "/v1/customers/",
                                 {"type": "team", "name": name, "email": f"{name.lower()}@example.com"})
    finally:
        connection.close()
    if answer.status != 201:
        raise RuntimeError(f"creating the customer: {answer.status} {answer.text[:200]}")
    return answer.json()["id"]


def faults(base, token, customer, load):
    """What is not as it was answered: a write lost, doubled, or never answered."""
    connection = Connection(base, token)
    stored, page = {}, 1
    while True:
        answer = connection.call("GET", f"/v1/members/?customer_id={customer}&limit=100&page={page}")
        if answer.status != 200:
            return [f"listing members: {answer.status} {answer.text[:200]}"]
        listed = answer.json()
        stored.update({item["id"]: item["email"] for item in listed["items"] if item["role"] != "owner"})
        if page >= listed["pagination"]["max_page"]:
            break
        page += 1
    connection.close()
    found = list(load.unanswered)
    found += [f"{email} was answered and is lost" for id, email in load.answered.items() if stored.get(id) != email]
    found += [f"{email} is there without having been answered" for id, email in stored.items() if id not in load.answered]
    if len(set(stored.values())) != len(stored):
        found.append("an address is there twice")
    return found


def report(name, checks, figures):
    """Prints what was found, and the closing line; the exit code."""
    print(f"{name}: " + json.dumps(figures))
    failed = 0
    for what, found in checks:
        failed += bool(found)
        print(f"  {'FAILED' if found else 'ok'}: {what}")
        print("".join(f"      {fault}\n" for fault in found[:10]), end="")
    print(f"{name}: {len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0
