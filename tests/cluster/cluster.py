"""Several nodes on one PostgreSQL, what stands before and between them, and load.

Everything runs on the loopback, on free ports, and ends with the block that started it.
"""
import json
import re
import select
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from balancer import Balancer  # noqa: E402
from harness import CommandLine, Connection, Server, eventually  # noqa: E402
from pooler import Pooler  # noqa: E402
from postgres import Postgres, free_port  # noqa: E402

BEGUN = time.monotonic()
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "OPERATIONS.md"


def documented_connections():
    """How many connections to the database a node has at the most, as the document says."""
    return int(re.search(r"A node has (\d+) at the most", DOCUMENT.read_text("utf-8"))[1])


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

    def pooler(self, postgres, name="pooler", **settings):
        """A PgBouncer in transaction mode before a server."""
        pooler = Pooler(self.folder(name), postgres, **settings).start()
        self._stack.callback(pooler.stop)
        return pooler

    def node(self, name, database, *options):
        """A node that is not started yet; it keeps its port when it starts again."""
        node = Server(self.folder(name), "--secret-key-file", str(self.key), *options,
                      database=database, listen=f"127.0.0.1:{free_port()}")
        self._stack.callback(lambda: node.is_running and node.kill())
        return node

    def command_line(self, database):
        return CommandLine(database, "--secret-key-file", str(self.key))

    def haproxy(self, nodes):
        """A balancer before the nodes, as docs/OPERATIONS.md describes it, once it finds one."""
        balancer = Balancer(self.folder("haproxy"), nodes).start()
        self._stack.callback(balancer.stop)
        eventually(lambda: answers(balancer.base, "/healthz"), 30, "the balancer finds a node")
        return balancer


def takes_writes(base):
    """Whether a node, or the one that a balancer takes, says that it is ready and that writes come back."""
    connection = Connection(base)
    try:
        answer = connection.send("GET", "/readyz")
        return answer.status == 200 and "degraded" not in answer.text
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


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
    """A proxy for TCP that can stop to pass bytes on without closing anything.

    When they flow again it is as after a cable was pulled and put back: all arrives late. Or what was open is
    forgotten, as by a firewall or by a machine that is no more: nothing of it arrives ever, and neither side is told.
    """

    def __init__(self, target_port):
        self._target = target_port
        self._flowing, self._closed = threading.Event(), False
        self._flowing.set()
        self._lock = threading.Lock()
        self._age = 0  # connections that are older are forgotten
        self._clients = set()  # those that have not closed
        self.most_open = 0
        self._forgotten = []  # their ends at the server, once their clients have closed
        self._noticed = 0  # the server does not keep what is older
        self.faults = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._flowing.clear()

    def flow(self, forget=False):
        if forget:
            with self._lock:
                self._age += 1
        self._flowing.set()

    def notice(self):
        """Has the server notice what is forgotten, as its keepalives would in time; how many there were."""
        with self._lock:
            forgotten, self._forgotten, self._noticed = self._forgotten, [], self._age
        for server in forgotten:
            server.close()
        return len(forgotten)

    def close(self):
        self._closed = True
        self._listener.close()
        self.notice()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._clients.add(client)
                self.most_open = max(self.most_open, len(self._clients))
                age = self._age
            threading.Thread(target=self._serve, args=(client, age), daemon=True).start()

    def _serve(self, client, age):
        try:
            with client:
                self._carry(client, age)
        except OSError:
            pass
        except BaseException as error:  # noqa: BLE001: a thread that dies would look like the network
            self.faults.append(f"the proxy: {error!r}")
        finally:
            self._gone(client)

    def _gone(self, client):
        with self._lock:
            self._clients.discard(client)

    def _carry(self, client, age):
        self._wait_until_it_flows(client)
        if self._is_over(client, age):
            return
        server = socket.create_connection(("127.0.0.1", self._target), timeout=30)
        try:
            other = {client.fileno(): (client, server), server.fileno(): (server, client)}
            poll = select.poll()
            for file in other:
                poll.register(file, select.POLLIN)
            while not self._is_over(client, age):
                for file, _ in poll.poll(100):
                    self._wait_until_it_flows(client)
                    if self._is_over(client, age):
                        break
                    source, sink = other[file]
                    data = source.recv(65536)
                    if not data:
                        return
                    sink.sendall(data)
            with self._lock:
                if age >= self._noticed:
                    self._forgotten.append(server)
                    server = None
        finally:
            if server:
                server.close()

    def _is_over(self, client, age):
        """Whether nothing passes any more; once the client of what is forgotten has closed."""
        if age == self._age and not self._closed:
            return False
        while not self._closed and not self._has_closed(client):
            pass
        return True

    def _wait_until_it_flows(self, client):
        while not self._flowing.wait(0.1) and not self._closed:
            if self._has_closed(client, 0):
                self._gone(client)  # the server hears of it later

    @staticmethod
    def _has_closed(client, patience=100):
        poll = select.poll()
        poll.register(client, select.POLLRDHUP)
        return bool(poll.poll(patience))


def prepare(cluster, database, slug="cluster"):
    """An organization: its id, and a token with all its scopes."""
    commands = cluster.command_line(database)
    commands.run("migrate")
    organization = commands.create_organization(slug, owner_email="owner@example.com")
    token = commands.create_token(organization["id"])["token"]
    return organization["id"], token


def rows_of(postgres, database="tenantry"):
    """What looks into a database: each row as a tuple of texts."""
    return lambda sql: [tuple(line.split("|")) for line in postgres.sql(sql, database)]


def report(name, checks, figures):
    """Prints what was found, and the closing line; the exit code."""
    figures = {**figures, "seconds in all": round(time.monotonic() - BEGUN, 1)}
    print(f"{name}: " + json.dumps(figures))
    failed = 0
    for what, found in checks:
        failed += bool(found)
        print(f"  {'FAILED' if found else 'ok'}: {what}")
        print("".join(f"      {fault}\n" for fault in found[:10]), end="")
    print(f"{name}: {len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0
