"""Starts, asks and stops a real tenantry server. Used by every suite in tests/.

Nothing here waits for a fixed time: a server is ready when it says so, and a
condition is polled until a deadline. Python 3.9 or later, standard library only.
"""
import http.client
import json
import os
import queue
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

TESTS = Path(__file__).resolve().parent.parent
# Databases on a server have their tables spread: over the workers named here, or by a stand-in (see citus.sh).
CITUS = os.environ.get("TENANTRY_TEST_CITUS", "")
STAND_IN = TESTS.parent / "crates/testkit/src/stand_in.sql"
READY_PREFIX = "listening on "
READY_SECONDS = 30
STOP_SECONDS = 30
REQUEST_SECONDS = 30


def binary():
    """The program under test: $TENANTRY_BIN, or the release build."""
    path = Path(os.environ.get("TENANTRY_BIN", TESTS.parent / "target/release/tenantry")).resolve()
    if not path.is_file():
        raise SystemExit(f"no program to test at {path}: build it, or set TENANTRY_BIN")
    return str(path)


def eventually(condition, seconds, what):
    """Polls until `condition()` is true; its value. Raises once `seconds` are over."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict  # names in lower case
    text: str

    def json(self):
        return json.loads(self.text)


class Connection:
    """One kept-alive connection; not for use by several threads at once."""

    def __init__(self, base, token=None, seconds=REQUEST_SECONDS):
        where = urlsplit(base)
        self._connection = http.client.HTTPConnection(where.hostname, where.port, timeout=seconds)
        self._token = token

    def send(self, method, path, headers=None, body=None):
        """Sends exactly these headers and this body."""
        try:
            self._connection.request(method, path, body=body, headers=headers or {})
            answer = self._connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except BaseException:
            self._connection.close()
            raise
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)

    def call(self, method, path, payload=None, headers=None):
        """Sends `payload` as JSON, with this connection's token."""
        sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        body = None
        if payload is not None:
            sent["Content-Type"] = "application/json"
            body = json.dumps(payload).encode()
        return self.send(method, path, sent, body)

    def close(self):
        self._connection.close()


class Database:
    """A database of its own, on the engine that $TENANTRY_TEST_ENGINE names: sqlite (the default) or
    postgres, on the server of $TENANTRY_TEST_POSTGRES, a URL without a database (see postgres.sh)."""

    def __init__(self, directory):
        engine = os.environ.get("TENANTRY_TEST_ENGINE") or "sqlite"
        self._name = None
        self.is_spread = False  # whether its tables are to be spread before it is used
        if engine == "sqlite":
            self.url = f"sqlite:{Path(directory) / 'tenantry.db'}"
            return
        if engine != "postgres":
            raise SystemExit(f"TENANTRY_TEST_ENGINE is sqlite or postgres, not {engine}")
        base, _, self._query = os.environ["TENANTRY_TEST_POSTGRES"].partition("?")
        self._server = base.rstrip("/")
        name = f"test_{uuid.uuid4().hex}"
        self._psql(f"CREATE DATABASE {name}")
        self._name = name
        self.is_spread = bool(CITUS)
        if CITUS == "stand-in":
            self._psql("-f", str(STAND_IN), database=name)
        elif CITUS:
            self._join()
        # Through a pooler where there is one (see pgbouncer.sh).
        base, _, query = os.environ.get("TENANTRY_TEST_POOLER", os.environ["TENANTRY_TEST_POSTGRES"]).partition("?")
        self.url = f"{base.rstrip('/')}/{name}?{query}"

    def _psql(self, *sql, database="postgres", server=None):
        """Runs SQL: a text, or `-f` and a file."""
        sql = sql if len(sql) > 1 else ("-c", *sql)
        url = f"{server}/{database}" if server else f"{self._server}/{database}?{self._query}"
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", *sql, url], check=True, timeout=60,
                       capture_output=True)

    def _workers(self):
        return [] if CITUS in ("", "stand-in") else [worker.strip() for worker in CITUS.split(",")]

    def _join(self):
        """Makes the database on each worker, and the cluster of all."""
        for worker in self._workers():
            server = f"postgres://tenantry@{worker}"
            self._psql(f"CREATE DATABASE {self._name}", server=server)
            self._psql("CREATE EXTENSION citus", database=self._name, server=server)
        self._psql("CREATE EXTENSION citus", database=self._name)
        port = "current_setting('port')::int"
        self._psql(f"SELECT citus_set_coordinator_host('127.0.0.1', {port})", database=self._name)
        for host, _, port in (worker.rpartition(":") for worker in self._workers()):
            self._psql(f"SELECT citus_add_node('{host}', {port})", database=self._name)

    def rows(self, sql):
        """What a query finds, each value as text; past the server, on either engine."""
        if self._name is None:
            with closing(sqlite3.connect(f"file:{self.url.removeprefix('sqlite:')}?mode=ro", uri=True)) as file:
                return [tuple(str(value) for value in row) for row in file.execute(sql)]
        url = f"{self._server}/{self._name}?{self._query}"
        found = subprocess.run(["psql", "-qXAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", sql, url], check=True,
                               timeout=60, capture_output=True, text=True).stdout
        return [tuple(line.split("\t")) for line in found.splitlines()]

    def contents(self):
        """All that is stored, as bytes: what is binary is so, or in hexadecimal."""
        if self._name is None:
            file = Path(self.url.removeprefix("sqlite:"))
            return b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*") if path.suffix != ".key")
        url = f"{self._server}/{self._name}?{self._query}"
        return subprocess.run(["pg_dump", "--data-only", url], check=True, timeout=60, capture_output=True).stdout

    def drop(self):
        if self._name:
            for server in [None, *(f"postgres://tenantry@{worker}" for worker in self._workers())]:
                self._psql(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)", server=server)
            self._name = None


class CommandLine:
    """The administrative commands, on one database."""

    def __init__(self, database, *options):
        self._database = database
        self._options = options  # of every command

    def run(self, *arguments):
        command = [binary(), *arguments, "--database", self._database, *self._options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def create_organization(self, slug, name=None, owner_email=None, features=("member_model_enabled",)):
        arguments = ["organization", "create", "--name", name or slug, "--slug", slug]
        if owner_email:
            arguments += ["--owner-email", owner_email]
        for feature in features:
            arguments += ["--feature", feature]
        return json.loads(self.run(*arguments, "--json"))

    def create_token(self, organization, scopes=None, expires_in=None):
        """`scopes`: a list of names, or None for all of them."""
        arguments = ["token", "create", "--organization", organization]
        arguments += ["--all-scopes"] if scopes is None else [part for scope in scopes for part in ("--scope", scope)]
        if expires_in:
            arguments += ["--expires-in", expires_in]
        return json.loads(self.run(*arguments, "--json"))

    def revoke_token(self, token_id):
        self.run("token", "revoke", token_id)

    def create_user_token(self, email):
        return json.loads(self.run("user-token", "create", "--email", email, "--json"))


class Server:
    """A server of its own on a free port. The database outlives `stop` and `kill`."""

    def __init__(self, directory, *options, database=None, listen="127.0.0.1:0"):
        self.directory = Path(directory)
        self._options = options  # of `tenantry serve`, beside those that every suite needs
        self.listen = listen
        self.stored = None if database else Database(self.directory)
        self.database = database or self.stored.url
        self.key = str(self.directory / "tenantry.key")
        # Nodes that share a database share its key, which lies beside a file and is given for a server.
        keyed = () if "--secret-key-file" in options else ("--secret-key-file", self.key)
        if database and database.startswith("sqlite:"):
            keyed = ()
        self._options = (*keyed, *options)
        if "--secret-key-file" in options:
            self.key = options[options.index("--secret-key-file") + 1]
            keyed = ("--secret-key-file", self.key)
        self.cli = CommandLine(self.database, *keyed)
        if self.stored and self.stored.is_spread:
            self.cli.run("migrate", "--distribute")
        self.base = None
        self.program = binary()
        self._process = None

    @property
    def pid(self):
        return self._process.pid

    @property
    def is_running(self):
        return self._process is not None and self._process.poll() is None

    def start(self):
        command = [self.program, "serve", "--listen", self.listen, "--database", self.database,
                   "--bootstrap", "false", *self._options]
        if "--rate-limit" not in self._options:
            command += ["--rate-limit", "off"]
        with open(self.directory / "server.log", "ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        lines = queue.Queue()
        threading.Thread(target=self._drain, args=(self._process.stdout, lines), daemon=True).start()
        try:
            self.base = self._ready_address(lines)
        except BaseException:
            self.kill()
            raise
        return self

    @staticmethod
    def _drain(stream, lines):
        for line in stream:
            lines.put(line.strip())
        lines.put(None)

    def _ready_address(self, lines):
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"the server was not ready within {READY_SECONDS} s\n{self.log()}") from None
            if line is None:
                raise RuntimeError(f"the server ended before it was ready\n{self.log()}")
            if line.startswith(READY_PREFIX):
                return line[len(READY_PREFIX):]

    def log(self, lines=20):
        path = self.directory / "server.log"
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:]) if path.exists() else ""

    def connect(self, token=None):
        return Connection(self.base, token)

    def stop(self):
        """Asks the server to end (SIGTERM); its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"the server did not end within {STOP_SECONDS} s of SIGTERM\n{self.log()}") from None

    def drop(self):
        """Takes the database away, where it is not a file of the server's folder."""
        if self.stored:
            self.stored.drop()

    def kill(self):
        """Ends the server at once (SIGKILL), with no chance to tidy up."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)


class TemporaryServer:
    """`with TemporaryServer() as server:` a started server in a folder that goes with it."""

    def __init__(self, *options):
        self._options = options

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="tenantry-test-")
        try:
            self._server = Server(self._directory.name, *self._options).start()
        except BaseException:
            self._directory.cleanup()
            raise
        return self._server

    def __exit__(self, kind, error, trace):
        try:
            code = self._server.stop()
            if code != 0 and error is None:
                raise RuntimeError(f"the server ended with {code}\n{self._server.log()}")
        finally:
            self._server.drop()
            self._directory.cleanup()
