"""Starts, queries and stops a real tenantry server. Every suite in tests/ uses it.

There are no fixed sleeps: a server is ready when it prints its address, and `eventually` polls a condition until
a deadline. Needs Python 3.11 or later and the standard library alone.
"""
import fcntl
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
# When set, the tables of PostgreSQL databases are distributed: over these Citus workers (HOST:PORT, separated by
# commas), or with partitions in place of shards when the value is `stand-in` (see citus.sh).
CITUS = os.environ.get("TENANTRY_TEST_CITUS", "")
STAND_IN = TESTS.parent / "crates/testkit/src/stand_in.sql"
READY_PREFIX = "listening on "
READY_SECONDS = 30
STOP_SECONDS = 30
REQUEST_SECONDS = 30


def binary():
    """Returns the path of the program under test: $TENANTRY_BIN, or the release build."""
    path = Path(os.environ.get("TENANTRY_BIN", TESTS.parent / "target/release/tenantry")).resolve()
    if not path.is_file():
        raise SystemExit(f"no program to test at {path}: build it, or set TENANTRY_BIN")
    return str(path)


def eventually(condition, seconds, description):
    """Polls `condition()` until it is true and returns its value. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {description}")
        time.sleep(0.05)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict  # names in lower case
    text: str

    def json(self):
        return json.loads(self.text)


class Connection:
    """One HTTP connection that is kept open between requests. Not for use by several threads at once.

    The authorities of HTTPS are those of the system, or in the file that $SSL_CERT_FILE names.
    """

    def __init__(self, base, token=None, seconds=REQUEST_SECONDS):
        address = urlsplit(base)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(address.hostname, address.port, timeout=seconds)
        self._token = token

    def send(self, method, path, headers=None, body=None):
        """Sends exactly these headers and this body, without the token."""
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
    """A new, empty database on the engine that $TENANTRY_TEST_ENGINE names.

    `sqlite` (the default) is a file in `directory`. `postgres` is a database on the server of
    $TENANTRY_TEST_POSTGRES, a URL without a database (see postgres.sh).
    """

    def __init__(self, directory):
        engine = os.environ.get("TENANTRY_TEST_ENGINE") or "sqlite"
        self._name = None  # of the PostgreSQL database
        self.is_distributed = False  # the tables must be distributed before the first use
        if engine == "sqlite":
            self.url = f"sqlite:{Path(directory) / 'tenantry.db'}"
            return
        if engine != "postgres":
            raise SystemExit(f"TENANTRY_TEST_ENGINE must be sqlite or postgres, not {engine}")
        base, _, self._query = os.environ["TENANTRY_TEST_POSTGRES"].partition("?")
        self._server = base.rstrip("/")
        name = f"test_{uuid.uuid4().hex}"
        self._psql(f"CREATE DATABASE {name}")
        self._name = name
        self.is_distributed = bool(CITUS)
        if CITUS == "stand-in":
            self._psql("-f", str(STAND_IN), database=name)
        elif CITUS:
            self._create_citus_cluster()
        # The server under test connects through the pooler, if there is one (see pgbouncer.sh).
        base, _, query = os.environ.get("TENANTRY_TEST_POOLER", os.environ["TENANTRY_TEST_POSTGRES"]).partition("?")
        self.url = f"{base.rstrip('/')}/{name}?{query}"

    def _psql(self, *sql, database="postgres", server=None):
        """Runs SQL: either one text, or `-f` and a file."""
        sql = sql if len(sql) > 1 else ("-c", *sql)
        url = f"{server}/{database}" if server else f"{self._server}/{database}?{self._query}"
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", *sql, url], check=True, timeout=60,
                       capture_output=True)

    def _workers(self):
        return [] if CITUS in ("", "stand-in") else [worker.strip() for worker in CITUS.split(",")]

    def _create_citus_cluster(self):
        """Creates the database on each worker, and adds the workers to the coordinator."""
        for worker in self._workers():
            server = f"postgres://tenantry@{worker}"
            self._psql(f"CREATE DATABASE {self._name}", server=server)
            self._psql("CREATE EXTENSION citus", database=self._name, server=server)
        self._psql("CREATE EXTENSION citus", database=self._name)
        port = "current_setting('port')::int"
        # Adding a node writes the roles of the worker, which all databases share: one at a time.
        with open(os.environ["TENANTRY_TEST_CITUS_LOCK"], "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._psql(f"SELECT citus_set_coordinator_host('127.0.0.1', {port})", database=self._name)
            for host, _, port in (worker.rpartition(":") for worker in self._workers()):
                self._psql(f"SELECT citus_add_node('{host}', {port})", database=self._name)

    def rows(self, sql):
        """Runs a query directly on the database and returns its rows, each value as text."""
        if self._name is None:
            with closing(sqlite3.connect(f"file:{self.url.removeprefix('sqlite:')}?mode=ro", uri=True)) as file:
                return [tuple(str(value) for value in row) for row in file.execute(sql)]
        url = f"{self._server}/{self._name}?{self._query}"
        output = subprocess.run(["psql", "-qXAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", sql, url], check=True,
                                timeout=60, capture_output=True, text=True).stdout
        return [tuple(line.split("\t")) for line in output.splitlines()]

    def change(self, sql):
        """Runs a statement directly on the database of a stopped server."""
        if self._name is None:
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:"))) as file, file:
                file.execute(sql)
        else:
            self._psql(sql, database=self._name)

    def contents(self):
        """Returns everything that is stored, as bytes. Binary values are raw (SQLite) or hexadecimal (PostgreSQL)."""
        if self._name is None:
            file = Path(self.url.removeprefix("sqlite:"))
            return b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*") if path.suffix != ".key")
        url = f"{self._server}/{self._name}?{self._query}"
        return subprocess.run(["pg_dump", "--data-only", url], check=True, timeout=60, capture_output=True).stdout

    def drop(self):
        """Drops a PostgreSQL database; a SQLite file goes with its directory."""
        if self._name:
            for server in [None, *(f"postgres://tenantry@{worker}" for worker in self._workers())]:
                self._psql(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)", server=server)
            self._name = None


class CommandLine:
    """The administrative commands, on one database."""

    def __init__(self, database, *options):
        self._database = database
        self._options = options  # added to every command

    def run(self, *arguments, seconds=60):
        """Runs a command and returns its standard output. Raises RuntimeError when the command fails."""
        command = [binary(), *arguments, "--database", self._database, *self._options]
        result = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)}: exit status {result.returncode}: {result.stderr.strip()}")
        return result.stdout

    def create_organization(self, slug, name=None, owner_email=None, features=("member_model_enabled",)):
        arguments = ["organization", "create", "--name", name or slug, "--slug", slug]
        if owner_email:
            arguments += ["--owner-email", owner_email]
        for feature in features:
            arguments += ["--feature", feature]
        return json.loads(self.run(*arguments, "--json"))

    def create_token(self, organization, scopes=None, expires_in=None):
        """Creates a token with these scopes, or with every scope when `scopes` is None."""
        arguments = ["token", "create", "--organization", organization]
        if scopes is None:
            arguments.append("--all-scopes")
        for scope in scopes or ():
            arguments += ["--scope", scope]
        if expires_in:
            arguments += ["--expires-in", expires_in]
        return json.loads(self.run(*arguments, "--json"))

    def revoke_token(self, token_id):
        self.run("token", "revoke", token_id)

    def create_user_token(self, email):
        return json.loads(self.run("user-token", "create", "--create-user", "--email", email, "--json"))


class Server:
    """A server on a free port. Its database stays after `stop` and `kill`, so it can be started again.

    `options` are options of `tenantry serve`. `database` is the URL of an existing database; without one, the
    server gets a new database, `own_database`.
    """

    def __init__(self, directory, *options, database=None, listen="127.0.0.1:0"):
        self.directory = Path(directory)
        self.listen = listen
        self.own_database = None if database else Database(self.directory)
        self.database = database or self.own_database.url
        if "--secret-key-file" in options:
            self.key = options[options.index("--secret-key-file") + 1]
            self._options = options
            self.cli = CommandLine(self.database, "--secret-key-file", self.key)
        elif database and database.startswith("sqlite:"):
            # The default secret key file is in the directory of the SQLite file.
            self.key = str(self.directory / "tenantry.key")
            self._options = options
            self.cli = CommandLine(self.database)
        else:
            self.key = str(self.directory / "tenantry.key")
            self._options = ("--secret-key-file", self.key, *options)
            self.cli = CommandLine(self.database, "--secret-key-file", self.key)
        if self.own_database and self.own_database.is_distributed:
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
        """Starts the server and returns it once it is ready."""
        command = [self.program, "serve", "--listen", self.listen, "--database", self.database, *self._options]
        if "--bootstrap" not in self._options:
            command += ["--bootstrap", "false"]
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
        """Returns the last lines of the server's log."""
        path = self.directory / "server.log"
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:]) if path.exists() else ""

    def connect(self, token=None):
        return Connection(self.base, token)

    def stop(self):
        """Stops the server with SIGTERM and returns its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"the server did not end within {STOP_SECONDS} s of SIGTERM\n{self.log()}") from None

    def drop(self):
        """Drops the server's own database."""
        if self.own_database:
            self.own_database.drop()

    def kill(self):
        """Kills the server with SIGKILL, so that it cannot finish or clean up."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)


class TemporaryServer:
    """`with TemporaryServer() as server:` gives a started server whose directory and database are removed at the end."""

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
                raise RuntimeError(f"the server ended with exit status {code}\n{self._server.log()}")
        finally:
            self._server.drop()
            self._directory.cleanup()
