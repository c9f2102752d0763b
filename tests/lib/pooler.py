"""A PgBouncer in transaction mode in front of a PostgreSQL server, on a free port, never run as root."""
import shutil
import socket
import subprocess
from pathlib import Path

from harness import eventually
from postgres import free_port, give_to_postgres, unprivileged

READY_SECONDS = 30


class Pooler:
    """One PgBouncer; `connections` is the most it opens to the server for one database."""

    def __init__(self, directory, postgres, connections=20):
        self._directory = Path(directory)
        self.connections = connections
        self.port = free_port()
        self._process = None
        path = self._directory / "pgbouncer.ini"
        path.write_text(f"""[databases]
* = host=127.0.0.1 port={postgres.port} user=tenantry
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 500
""", "utf-8")
        give_to_postgres(self._directory)

    def start(self):
        """Starts PgBouncer and returns it once it accepts connections."""
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"  # /usr/sbin is not in every user's PATH
        with open(self._directory / "pgbouncer.log", "ab") as log:
            self._process = subprocess.Popen([program, str(self._directory / "pgbouncer.ini")], stdout=log, stderr=log,
                                             cwd="/", **unprivileged())
        eventually(self._is_ready, READY_SECONDS, "PgBouncer accepts connections")
        return self

    def _is_ready(self):
        if self._process.poll() is not None:
            raise RuntimeError((self._directory / "pgbouncer.log").read_text("utf-8", "replace")[-2000:])
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(30)
