"""Several nodes on one PostgreSQL, with a balancer, a pooler or a proxy in front of or between them.

Everything listens on loopback addresses and free ports, and stops at the end of the `with` block that started it.
"""
import json
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
from citus import Citus  # noqa: E402
from harness import CommandLine, Connection, Server, eventually  # noqa: E402
from pooler import Pooler  # noqa: E402
from postgres import Postgres, free_port  # noqa: E402

BEGUN = time.monotonic()
# The most connections that one node opens to the database, as docs/OPERATIONS.md states under "Connections".
MAX_CONNECTIONS_PER_NODE = 19
# The parameters of a database URL with which nodes have, or do not have, the peer broadcast (LISTEN/NOTIFY).
BROADCAST_MODES = {"broadcast": "", "no-broadcast": "?pooler=transaction"}


class Cluster:
    """`with Cluster() as cluster:` gives a temporary directory, and starts servers that stop with the block."""

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
        """Returns a server that has no data directory yet."""
        server = Postgres(self.folder(name), **settings)
        self._stack.callback(server.stop)
        return server

    def citus(self, workers=2):
        """Starts a coordinator and workers."""
        return Citus(self.postgres, workers)

    def synchronous_standby(self, primary):
        """Starts a standby of a running primary; from then on every commit waits for it."""
        standby = self.postgres("standby").create_standby(primary, "standby").start()
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        primary.sql("SELECT pg_reload_conf()")
        primary.wait_for_standby("standby")
        return standby

    def pooler(self, postgres, name="pooler", **settings):
        """Starts a PgBouncer in transaction mode in front of a server."""
        pooler = Pooler(self.folder(name), postgres, **settings).start()
        self._stack.callback(pooler.stop)
        return pooler

    def node(self, name, database, *options):
        """Returns a node that is not started yet. It keeps its port when it is started again."""
        node = Server(self.folder(name), "--secret-key-file", str(self.key), *options,
                      database=database, listen=f"127.0.0.1:{free_port()}")
        self._stack.callback(lambda: node.is_running and node.kill())
        return node

    def command_line(self, database):
        return CommandLine(database, "--secret-key-file", str(self.key))

    def haproxy(self, nodes):
        """Starts a balancer in front of the nodes, and returns it once it can reach one."""
        balancer = Balancer(self.folder("haproxy"), nodes).start()
        self._stack.callback(balancer.stop)
        eventually(lambda: answers(balancer.base, "/healthz"), 30, "the balancer reaches a node")
        return balancer


def get(base, path):
    """Returns the answer to a GET without a token, or None when there is none."""
    connection = Connection(base)
    try:
        return connection.send("GET", path)
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def takes_writes(base):
    """Whether /readyz says that the node is ready and not degraded, that is, that it can write."""
    answer = get(base, "/readyz")
    return answer is not None and answer.status == 200 and "degraded" not in answer.text


def answers(base, path):
    """Whether a GET is answered with 200."""
    answer = get(base, path)
    return answer is not None and answer.status == 200


class StallableProxy:
    """A TCP proxy that can stop forwarding bytes without closing a connection.

    `pause` stops all forwarding. `resume` forwards again, in one of two ways:
    - everything arrives late, as after a cable was pulled and put back
    - with `drop_open`, the connections that are open then are dead: nothing on them arrives ever again, and neither
      side gets an error. New connections work. This is what a firewall that lost its state does.

    The server keeps its end of a dead connection until `close_dead` closes it, as TCP keepalive would in time.
    """

    def __init__(self, target_port):
        self._target = target_port
        self._forwarding, self._closed = threading.Event(), False
        self._forwarding.set()
        self._lock = threading.Lock()
        self._generation = 0  # connections of an earlier generation are dead
        self._clients = set()  # the client sides that are open
        self.most_open = 0
        self._dead = []  # the server sides of dead connections whose client has closed
        self._closed_generation = 0  # the server sides of earlier generations are closed
        self.faults = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def pause(self):
        self._forwarding.clear()

    def resume(self, drop_open=False):
        if drop_open:
            with self._lock:
                self._generation += 1
        self._forwarding.set()

    def close_dead(self):
        """Closes the server sides of dead connections, and returns how many there were."""
        with self._lock:
            dead, self._dead, self._closed_generation = self._dead, [], self._generation
        for server in dead:
            server.close()
        return len(dead)

    def close(self):
        self._closed = True
        self._listener.close()
        self.close_dead()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._clients.add(client)
                self.most_open = max(self.most_open, len(self._clients))
                generation = self._generation
            threading.Thread(target=self._serve, args=(client, generation), daemon=True).start()

    def _serve(self, client, generation):
        try:
            with client:
                self._forward(client, generation)
        except OSError:
            pass
        except BaseException as error:  # noqa: BLE001: without this, a fault here would look like a network error
            self.faults.append(f"the proxy: {error!r}")
        finally:
            self._client_closed(client)

    def _client_closed(self, client):
        with self._lock:
            self._clients.discard(client)

    def _forward(self, client, generation):
        self._wait_while_paused(client)
        if self._is_over(client, generation):
            return
        server = socket.create_connection(("127.0.0.1", self._target), timeout=30)
        try:
            directions = {client.fileno(): (client, server), server.fileno(): (server, client)}
            poll = select.poll()
            for file in directions:
                poll.register(file, select.POLLIN)
            while not self._is_over(client, generation):
                for file, _ in poll.poll(100):
                    self._wait_while_paused(client)
                    if self._is_over(client, generation):
                        break
                    source, sink = directions[file]
                    data = source.recv(65536)
                    if not data:
                        return
                    sink.sendall(data)
            with self._lock:
                if generation >= self._closed_generation:
                    self._dead.append(server)
                    server = None
        finally:
            if server:
                server.close()

    def _is_over(self, client, generation):
        """Whether the connection is dead. Returns True only once the client has closed its side."""
        if generation == self._generation and not self._closed:
            return False
        while not self._closed and not self._has_closed(client):
            pass  # _has_closed waits
        return True

    def _wait_while_paused(self, client):
        while not self._forwarding.wait(0.1) and not self._closed:
            if self._has_closed(client, 0):
                self._client_closed(client)  # the server learns of it after the pause

    @staticmethod
    def _has_closed(client, timeout_ms=100):
        poll = select.poll()
        poll.register(client, select.POLLRDHUP)
        return bool(poll.poll(timeout_ms))


def prepare(cluster, database, slug="cluster"):
    """Migrates a database and creates an organization; returns its id and a token with every scope."""
    commands = cluster.command_line(database)
    commands.run("migrate")
    organization = commands.create_organization(slug, owner_email="owner@example.com")
    token = commands.create_token(organization["id"])["token"]
    return organization["id"], token


def rows_of(postgres, database="tenantry"):
    """Returns a function that runs a query on a database and returns each row as a tuple of texts."""
    return lambda sql: [tuple(line.split("|")) for line in postgres.sql(sql, database)]


def report(name, checks, figures):
    """Prints the figures as JSON, then each check with its faults, and returns the exit status. long.py reads this."""
    figures = {**figures, "seconds in all": round(time.monotonic() - BEGUN, 1)}
    print(f"{name}: " + json.dumps(figures))
    failed = 0
    for title, faults in checks:
        failed += bool(faults)
        print(f"  {'FAILED' if faults else 'ok'}: {title}")
        print("".join(f"      {fault}\n" for fault in faults[:10]), end="")
    print(f"{name}: {len(checks) - failed} passed, {failed} failed")
    return 1 if failed or not checks else 0
