#!/usr/bin/env python3
"""Takes rights away on one node and measures how long the other nodes still accept them.

A token is revoked, a sub-account suspended, and the scopes and networks of an API key are narrowed while requests go to
every node without a pause. The node that made the change must refuse at once, the others within a bound. This runs with
peer broadcast between the nodes, and without it behind a pooler in transaction mode.
"""
import argparse
import sys
import threading
import time

from cluster import BROADCAST_MODES, Cluster, eventually, prepare, report

# For how many seconds another node may still accept a revoked right. Without broadcast it is the lifetime of a cached
# token. The duration of the slowest request in that time is added, because a busy machine delays requests too.
BOUND_S = {"broadcast": 0.5, "no-broadcast": 1.0}
REFUSALS = 20  # in a row after which a node counts as refusing


class Prober:
    """Sends the same GET to one node without a pause, in a thread, and records the answers."""

    def __init__(self, node, token, path):
        self._connection, self._path = node.connect(token), path
        self._stop = threading.Event()
        self.answers = []  # (when it was sent, when it was answered, status)
        self.fault = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._stop.is_set():
                sent = time.monotonic()
                status = self._connection.call("GET", self._path).status
                self.answers.append((sent, time.monotonic(), status))
        except BaseException as error:  # noqa: BLE001: without this, a dead thread would look like a refused one
            self.fault = f"the prober died: {error!r}"

    def is_accepted(self):
        return bool(self.answers) and self.answers[-1][-1] == 200

    def is_refused(self):
        """Whether the last REFUSALS answers are refusals."""
        latest = self.answers[-REFUSALS:]
        return len(latest) == REFUSALS and all(status in (401, 403) for _, _, status in latest)

    def accepted_until(self, changed):
        """Returns how many seconds after the change the last accepted request was sent; 0 when none was."""
        return max([sent - changed for sent, _, status in self.answers if status == 200] + [0.0])

    def slowest(self, begin, end):
        """Returns the duration in seconds of the slowest request that was in flight between two times."""
        return max([answered - sent for sent, answered, _ in self.answers if answered > begin and sent < end] + [0.0])

    def stop(self):
        self._stop.set()
        self._thread.join(60)
        if self._thread.is_alive():
            self.fault = "the prober hangs"
        self._connection.close()


class Account:
    """An account and the ways to take a right away.

    Each returns the path of a GET, the token that the GET uses, and the request after which the GET is refused.
    """

    def __init__(self, cluster, database, node):
        self.account, self.token = prepare(cluster, database)
        self.connection = node.connect(self.token)
        self._path = f"/v2/accounts/{self.account}"

    def _create(self, path, payload):
        answer = self.connection.call("POST", f"{self._path}{path}", payload)
        if answer.status != 201:
            raise RuntimeError(f"POST {path}: {answer.status} {answer.text[:200]}")
        return answer.json()

    def _key(self, path=""):
        return self._create(f"{path}/api-keys", {"label": "key", "scopes": ["accounts:read", "accounts:members:read"]})

    def revoke(self):
        key = self._key()
        return self._path, key["secret_key"], ("DELETE", f"{self._path}/api-keys/{key['id']}")

    def suspend(self):
        child = self._create("/sub-accounts", {"name": "Child", "website": "child.example.com"})["id"]
        key = self._key(f"/sub-accounts/{child}")
        suspend = ("POST", f"{self._path}/sub-accounts/{child}/suspend", {"reason": "unpaid"})
        return f"/v2/accounts/{child}", key["secret_key"], suspend

    def narrow_scopes(self):
        key = self._key()
        change = ("PUT", f"{self._path}/api-keys/{key['id']}", {"scopes": ["accounts:read"]})
        return f"{self._path}/members", key["secret_key"], change

    def narrow_networks(self):
        key = self._key()
        change = ("PUT", f"{self._path}/api-keys/{key['id']}", {"ip_allow_list": ["203.0.113.0/24"]})
        return self._path, key["secret_key"], change


def measure(account, nodes, action, bound):
    """Takes a right away on the first node. Returns for how many seconds each other node still accepted it, and
    faults."""
    path, token, request = action()
    changed = time.monotonic()
    probers, faults = [Prober(node, token, path) for node in nodes[1:]], []
    first = nodes[0].connect(token)
    try:
        eventually(lambda: all(prober.is_accepted() for prober in probers) and first.call("GET", path).status == 200, 30,
                   "every node accepts the token")
        answer = account.connection.call(*request)
        changed = time.monotonic()
        if answer.status not in (200, 204):
            return [], [f"{request}: {answer.status} {answer.text[:200]}"]
        status = first.call("GET", path).status
        if status not in (401, 403):
            faults.append(f"the node that made the change still answers with {status}")
        eventually(lambda: all(prober.is_refused() for prober in probers), 30, "every node refuses the token")
    except TimeoutError as error:
        faults.append(str(error))
    finally:
        for prober in probers:
            prober.stop()
        first.close()
    delays = [prober.accepted_until(changed) for prober in probers]
    slowest = [prober.slowest(changed, changed + bound) for prober in probers]
    faults += [f"accepted for {delay:.2f} s; the slowest request in that time took {duration:.2f} s"
               for delay, duration in zip(delays, slowest) if delay > bound + duration]
    faults += [prober.fault for prober in probers if prober.fault]
    return delays, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="of each action")
    options = parser.parse_args()
    checks, figures = [], {}
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        for mode, parameters in BROADCAST_MODES.items():
            database = postgres.create_database(mode) + parameters
            nodes = [cluster.node(f"{mode}{index}", database).start() for index in range(3)]
            account = Account(cluster, database, nodes[0])
            for action in (account.revoke, account.suspend, account.narrow_scopes, account.narrow_networks):
                name, faults, delays = f"{action.__name__}, {mode}", [], []
                for _ in range(options.rounds):
                    seconds, found = measure(account, nodes, action, BOUND_S[mode])
                    delays += seconds
                    faults += found
                figures[f"{name}, ms until refused"] = [round(1000 * delay) for delay in sorted(delays)]
                checks.append((f"{name}: refused at once on the node itself, and in time on the others", faults))
            for node in nodes:
                node.stop()
    return report("revocation", checks, figures)


if __name__ == "__main__":
    sys.exit(main())
