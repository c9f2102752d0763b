"""A Citus cluster for one test: a coordinator and workers, each a PostgreSQL server of its own."""
import subprocess
from pathlib import Path

from harness import eventually
from postgres import program

MISSING = "skipped: the installed PostgreSQL does not have the extension Citus"
# Each session of the coordinator has a connection to each worker, and a prepared transaction needs a slot there.
SETTINGS = {"shared_preload_libraries": "citus", "citus.shard_count": "8", "citus.node_conninfo": "sslmode=prefer",
            "max_prepared_transactions": "200", "max_worker_processes": "40"}


def is_installed():
    """Whether the PostgreSQL that the tests use has the extension."""
    libraries = subprocess.run([str(Path(program("postgres")).with_name("pg_config")), "--pkglibdir"],
                               capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    return (Path(libraries or Path(program("postgres")).parent.parent / "lib") / "citus.so").exists()


class Citus:
    """`coordinator` and `workers` are running servers that `create_server(name, **settings)` made."""

    def __init__(self, create_server, workers=2):
        names = ["coordinator", *(f"worker{index}" for index in range(workers))]
        self.coordinator, *self.workers = [create_server(name, **SETTINGS).create().start() for name in names]

    def create_database(self, name):
        """Creates a database on every server, joins the workers to the coordinator, and returns the coordinator's URL."""
        for server in [*self.workers, self.coordinator]:
            server.create_database(name)
            server.sql("CREATE EXTENSION citus", name)
        self.coordinator.sql(f"SELECT citus_set_coordinator_host('127.0.0.1', {self.coordinator.port})", name)
        for worker in self.workers:
            self.coordinator.sql(f"SELECT citus_add_node('127.0.0.1', {worker.port})", name)
        return self.coordinator.url(name)

    def worker_of(self, organization, database):
        """Returns the worker that has the rows of an organization."""
        port = self.coordinator.sql(
            "SELECT nodeport FROM pg_dist_placement JOIN pg_dist_node USING (groupid) WHERE shardid ="
            f" get_shard_id_for_distribution_column('organizations', '{organization}')", database)
        return next(worker for worker in self.workers if port == [str(worker.port)])

    def wait_until_recovered(self, database):
        """Waits until no worker has a transaction that is prepared and neither committed nor rolled back."""
        def pending():
            self.coordinator.sql("SELECT recover_prepared_transactions()", database)
            return sum(int(worker.sql("SELECT count(*) FROM pg_prepared_xacts")[0]) for worker in self.workers)
        eventually(lambda: pending() == 0, 60, "no transaction is left prepared")
