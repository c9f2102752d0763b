"""A PostgreSQL server for one test, with its data in a temporary directory and on a free port.

Debian installs the server programs outside of PATH. When the tests run as root, the server runs as the user
`postgres`, because PostgreSQL refuses to run as root.
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
    """Returns the path of the newest installed version of a PostgreSQL program."""
    paths = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [shutil.which(name)]
    if paths[-1] is None:
        raise SystemExit(f"no {name}: install the PostgreSQL server")
    return str(paths[-1])


def free_port():
    """Returns a free port below the range of ephemeral ports.

    The kernel never gives such a port to an outgoing connection, so a server finds it free when it starts again.
    """
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    for _ in range(1000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", random.randrange(max(first_ephemeral // 2, 1024), first_ephemeral)))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise OSError("no free port found")


def unprivileged():
    """Returns the arguments of `subprocess` that run a program as the user postgres when the tests run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def give_to_postgres(path):
    """Makes the user postgres the owner of a file or directory when the tests run as root."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(path, user.pw_uid, user.pw_gid)


class Postgres:
    """One server. `directory` must exist and outlive it; `settings` are settings of postgresql.conf."""

    def __init__(self, directory, **settings):
        self.directory = Path(directory)
        self.data = self.directory / "data"
        self.port = free_port()
        self.settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "",
                         "max_connections": "200", **settings}
        self._process = None
        self._is_frozen = False
        give_to_postgres(self.directory)
        if os.geteuid() == 0:
            os.chmod(self.directory.parent, 0o755)

    def _run(self, *command):
        result = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=120, check=False,
                                **unprivileged())
        if result.returncode != 0:
            raise RuntimeError(f"{command[0]}: exit status {result.returncode}: {result.stderr.strip()}")
        return result.stdout

    def create(self):
        """Creates an empty data directory (initdb)."""
        self._run(program("initdb"), "-D", str(self.data), "-U", "tenantry", "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8", "--no-sync", "--no-instructions")
        return self

    def create_standby(self, primary, name):
        """Creates a standby of a running primary, which lists it under this name."""
        self._run(program("pg_basebackup"), "-D", str(self.data), "-R", "-X", "stream", "--checkpoint=fast",
                  "--no-sync", "-d", f"host=127.0.0.1 port={primary.port} user=tenantry application_name={name}")
        return self

    def start(self):
        """Starts the server and returns it once it accepts connections."""
        command = [program("postgres"), "-D", str(self.data), "-p", str(self.port)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        path = self.directory / "postgres.log"
        path.touch()
        with open(path, "ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **unprivileged())
        eventually(self._is_ready, READY_SECONDS, f"PostgreSQL accepts connections\n{self.log()}")
        return self

    def _is_ready(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended before it was ready\n{self.log()}")
        result = subprocess.run([program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                                timeout=30, check=False)
        return result.returncode == 0

    def log(self, lines=20):
        """Returns the last lines of the server's log."""
        path = self.directory / "postgres.log"
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:]) if path.exists() else ""

    def psql(self, database):
        """Returns a psql command that runs the SQL on its standard input."""
        return [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1",
                f"host=127.0.0.1 port={self.port} user=tenantry dbname={database}"]

    def sql(self, text, database="postgres"):
        """Runs SQL and returns the rows as lines, with columns separated by |."""
        result = subprocess.run([*self.psql(database), "-A", "-t", "-c", text],
                                capture_output=True, text=True, timeout=120, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"{text}: {result.stderr.strip()}")
        return result.stdout.splitlines()

    def create_database(self, name):
        """Creates a database and returns its URL."""
        self.sql(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def url(self, database, port=None):
        """Returns the URL of a database; `port` names another one in front of it, such as a pooler's."""
        return f"postgres://tenantry@127.0.0.1:{port or self.port}/{database}"

    def promote(self):
        """Promotes a standby to a primary."""
        self.sql("SELECT pg_promote(true, 60)")

    def wait_for_standby(self, name):
        """Waits until the standby of that name is synchronous: each commit then waits for it."""
        state = f"SELECT sync_state FROM pg_stat_replication WHERE application_name = '{name}'"
        eventually(lambda: self.sql(state) == ["sync"], READY_SECONDS, f"{name} is synchronous")

    def connections(self, database="tenantry"):
        """Returns the number of client sessions in a database, including those whose client disappeared."""
        return int(self.sql("SELECT count(*) FROM pg_stat_activity"
                            f" WHERE backend_type = 'client backend' AND datname = '{database}'")[0])

    def stop(self):
        """Shuts the server down (fast shutdown: open sessions are ended)."""
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
        """Suspends the server and its processes: connections stay open, and nothing is answered or refused."""
        self._is_frozen = True
        self._process.send_signal(signal.SIGSTOP)
        self._signal_children(signal.SIGSTOP)

    def thaw(self):
        """Lets a suspended server go on."""
        self._is_frozen = False
        self._signal_children(signal.SIGCONT)
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        """Kills the server and its processes at once. Without this the processes would end by themselves, later."""
        self._process.send_signal(signal.SIGSTOP)  # it must not start another process meanwhile
        self._signal_children(signal.SIGKILL)
        self._process.kill()
        self._process.wait(STOP_SECONDS)
