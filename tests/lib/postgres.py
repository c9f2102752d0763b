"""A PostgreSQL of a test's own: its data in a temporary folder, on a free port, never as root.

Debian's server lies outside of PATH; as root, it runs as the user `postgres`.
"""
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from harness import eventually

READY_SECONDS = 60
STOP_SECONDS = 60


def program(name):
    """The newest server program of that name."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [shutil.which(name)]
    if found[-1] is None:
        raise SystemExit(f"no {name}: install PostgreSQL's server")
    return str(found[-1])


def free_port():
    """A port that nobody has, and that no client is given by chance while a server that keeps it is away."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", random.randrange(max(first // 2, 1024), first)))
            except OSError:
                continue
            return probe.getsockname()[1]


def unprivileged():
    """What makes a subprocess run as somebody who is not root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Postgres:
    """One server; `directory` must exist and outlive it."""

    def __init__(self, directory, **settings):
        self.directory = Path(directory)
        self.data = self.directory / "data"
        self.port = free_port()
        self.settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "",
                         "max_connections": "200", **settings}
        self._process = None
        self._is_frozen = False
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            os.chmod(self.directory.parent, 0o755)

    def _run(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=120, check=False,
                              **unprivileged())
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def create(self):
        """Makes an empty cluster."""
        self._run(program("initdb"), "-D", str(self.data), "-U", "tenantry", "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8", "--no-sync", "--no-instructions")
        return self

    def create_standby(self, primary, name):
        """Makes a copy of a running primary that follows it under this name."""
        self._run(program("pg_basebackup"), "-D", str(self.data), "-R", "-X", "stream", "--checkpoint=fast",
                  "--no-sync", "-d", f"host=127.0.0.1 port={primary.port} user=tenantry application_name={name}")
        return self

    def start(self):
        command = [program("postgres"), "-D", str(self.data), "-p", str(self.port)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        path = self.directory / "postgres.log"
        path.touch()
        with open(path, "ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **unprivileged())
        eventually(self._is_ready, READY_SECONDS, f"PostgreSQL answers\n{self.log()}")
        return self

    def _is_ready(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended before it was ready\n{self.log()}")
        done = subprocess.run([program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                              timeout=30, check=False)
        return done.returncode == 0

    def log(self, lines=20):
        path = self.directory / "postgres.log"
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:]) if path.exists() else ""

    def psql(self, database):
        """The command that asks in a database, what it is given on its standard input."""
        return [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1",
                f"host=127.0.0.1 port={self.port} user=tenantry dbname={database}"]

    def sql(self, text, database="postgres"):
        """Runs SQL; its rows as lines, columns split by |."""
        done = subprocess.run([program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text,
                               f"host=127.0.0.1 port={self.port} user=tenantry dbname={database}"],
                              capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{text}: {done.stderr.strip()}")
        return done.stdout.splitlines()

    def create_database(self, name):
        """A new database; its URL."""
        self.sql(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def url(self, database, port=None):
        return f"postgres://tenantry@127.0.0.1:{port or self.port}/{database}"

    def promote(self):
        """Makes a standby a primary."""
        self.sql("SELECT pg_promote(true, 60)")

    def wait_for_standby(self, name):
        """Until a commit is answered when the standby of that name has it."""
        state = f"SELECT sync_state FROM pg_stat_replication WHERE application_name = '{name}'"
        eventually(lambda: self.sql(state) == ["sync"], READY_SECONDS, f"{name} is synchronous")

    def connections(self, database="tenantry"):
        """How many sessions of clients the server itself has in a database, whoever holds the other end."""
        return int(self.sql("SELECT count(*) FROM pg_stat_activity"
                            f" WHERE backend_type = 'client backend' AND datname = '{database}'")[0])

    def stop(self):
        """Ends it in order; open connections are cut."""
        if self._process is None or self._process.poll() is not None:
            return
        if self._is_frozen:
            self.kill()
            return
        self._process.send_signal(signal.SIGINT)
        self._process.wait(STOP_SECONDS)

    def _children(self):
        return [int(child) for child in subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self._process.pid)], capture_output=True, text=True, timeout=30,
            check=False).stdout.split()]

    def _signal_children(self, number):
        for child in self._children():
            try:
                os.kill(child, number)
            except ProcessLookupError:
                pass

    def freeze(self):
        """Has the server, and what it started, do nothing more; nothing is closed or refused."""
        self._is_frozen = True
        self._process.send_signal(signal.SIGSTOP)
        self._signal_children(signal.SIGSTOP)

    def kill(self):
        """Ends the server and what it started, at once. Its children would go by themselves, but later."""
        self._process.send_signal(signal.SIGSTOP)  # so that it starts no more of them
        self._signal_children(signal.SIGKILL)
        self._process.kill()
        self._process.wait(STOP_SECONDS)
