"""Servers that are started for a measurement and ended with it. They listen on 127.0.0.1 alone."""
import http.client
import os
import pwd
import signal
import socket
import subprocess
import time
from pathlib import Path

START_SECONDS = 300
STOP_SECONDS = 30


# The commands that run now, by process id.
running_commands = set()


class Failed(Exception):
    """A command or a server did not do what it should."""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def run(*command, seconds=600, input=None, **options):
    """Runs a command and returns what it prints. Fails with its output, or after so many seconds."""
    command = [str(part) for part in command]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    name = " ".join(command[:4])
    try:
        with subprocess.Popen(command, text=True, start_new_session=True, **pipes, **options) as child:
            running_commands.add(child.pid)
            try:
                output, errors = child.communicate(input, timeout=seconds)
            except BaseException:
                os.killpg(child.pid, signal.SIGKILL)  # with its children
                raise
            finally:
                running_commands.discard(child.pid)
    except subprocess.TimeoutExpired:
        raise Failed(f"{name} ... took more than {seconds} s") from None
    except FileNotFoundError as error:
        raise Failed(f"{error.filename} was not found") from None
    if child.returncode:
        raise Failed(f"{name} ... failed:\n{output[-2000:]}{errors[-2000:]}")
    return output


def end_commands():
    """Ends the commands that threads wait for."""
    for pid in list(running_commands):
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Process:
    """A server process with its descendants, and a log of its output."""

    def __init__(self, log, *command, **options):
        self.log = Path(log)
        self.started_at = time.monotonic()
        with self.log.open("w") as out:
            self.child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, **options,
            )
        self.pid = self.child.pid
        self.stopped = False

    def wait_until(self, ready):
        """Polls `ready()` until it is true, and returns its value."""
        while not (value := ready()):
            if self.child.poll() is not None:
                raise Failed(f"the server ended at its start: {self.log.read_text()[-2000:]}")
            if time.monotonic() > self.started_at + START_SECONDS:
                raise Failed(f"the server was not ready within {START_SECONDS} s: {self.log.read_text()[-2000:]}")
            time.sleep(0.005)
        return value

    def wait_for(self, port, path):
        """Waits until a GET is answered with any status below 500."""
        self.wait_until(lambda: answers(port, path))

    def stop(self, by=signal.SIGTERM):
        """Ends the process and its descendants. A process that was stopped before is left alone."""
        if self.stopped:
            return
        self.stopped = True
        if self.child.poll() is None:
            self.child.send_signal(by)
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()


def answers(port, path):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False


class Postgres:
    """A PostgreSQL server that waits for the disk, with settings for a machine that other servers share."""

    USER = "bench"
    SETTINGS = {
        "listen_addresses": "127.0.0.1",
        "max_connections": 400,
        "shared_buffers": "2GB",
        "effective_cache_size": "8GB",
        "maintenance_work_mem": "512MB",
        "max_wal_size": "8GB",
        "checkpoint_timeout": "15min",
        "random_page_cost": 1.1,
    }

    def __init__(self, folder):
        self.programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.port = free_port()
        folder.mkdir()
        account = {}
        if os.getuid() == 0:  # the server refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            account = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        data = folder / "data"
        initialize = [self.programs / "initdb", "-D", data, "-U", self.USER, "-A", "trust", "-E", "UTF8"]
        run(*initialize, "--locale=C.UTF-8", cwd=folder, **account)
        settings = [part for pair in self.SETTINGS.items() for part in ("-c", "{}={}".format(*pair))]
        command = [self.programs / "postgres", "-D", data, "-p", self.port, "-k", folder, *settings]
        self.process = Process(folder.parent / "postgres.log", *command, cwd=folder, **account)
        self.pid = self.process.pid
        ready = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        try:
            self.process.wait_until(lambda: subprocess.run(ready).returncode == 0)
        except BaseException:
            self.stop()
            raise

    def database(self, name):
        """Creates a database and returns its URL."""
        self.sql("postgres", f'CREATE DATABASE "{name}"')
        return f"postgres://{self.USER}@127.0.0.1:{self.port}/{name}"

    def sql(self, database, *statements):
        """Runs statements, each in its own transaction, and returns the rows that they print."""
        at = [self.programs / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port]
        commands = (part for one in statements for part in ("-c", one))
        return run(*at, "-U", self.USER, "-d", database, *commands, seconds=1800)

    def stop(self):
        self.process.stop(signal.SIGINT)  # which ends open sessions
