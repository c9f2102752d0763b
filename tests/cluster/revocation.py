#!/usr/bin/env python3
"""What takes a right away on one node counts on the others: at once there, and soon here.

A token is revoked, a sub-account suspended, a key's scopes and networks narrowed, while every node is asked
all the time; once with nodes that hear each other, once behind a pooler, where they do not.
"""
import argparse
import sys
import threading
import time

from cluster import Cluster, eventually, prepare, report

# For which another node still lets in: where nodes hear each other, and where each only forgets what it knew. To
# that comes what a request took there within that time, by the clock: a busy machine is not the program's fault.
BOUND_S = {"hearing": 0.5, "deaf": 1.0}


class Asker:
    """Asks one node the same thing again and again."""

    def __init__(self, node, token, path):
        self._connection, self._path = node.connect(token), path
        self._stop = threading.Event()
        self.answers = []  # (when it was asked, when it answered, status)
        self.fault = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._stop.is_set():
                asked = time.monotonic()
                status = self._connection.call("GET", self._path).status
                self.answers.append((asked, time.monotonic(), status))
        except BaseException as error:  # noqa: BLE001: a thread that dies would look like one that is refused
            self.fault = f"the asker died: {error!r}"

    def is_let_in(self):
        return bool(self.answers) and self.answers[-1][-1] == 200

    def is_refused(self):
        """Several times in a row."""
        return len(self.answers) > 20 and all(status in (401, 403) for _, _, status in self.answers[-20:])

    def let_in_until(self, done):
        """Seconds after `done` at which it last asked and was let in."""
        return max([asked - done for asked, _, status in self.answers if status == 200] + [0.0])

    def slowest(self, begin, end):
        """Seconds that the slowest request took of those that were under way then."""
        return max([answered - asked for asked, answered, _ in self.answers if answered > begin and asked < end] + [0.0])

    def end(self):
        self._stop.set()
        self._thread.join(60)
        if self._thread.is_alive():
            self.fault = "the asker hangs"
        self._connection.close()


class Stage:
    """An account, who administers it, and the ways to take a right away: each the path that is then refused,
    the token that is refused, and what to send."""

    def __init__(self, cluster, database, node):
        self.account, self.token = prepare(cluster, database)
        self.connection = node.connect(self.token)
        self._path = f"/v2/accounts/{self.account}"

    def made(self, path, payload):
        answer = self.connection.call("POST", f"{self._path}{path}", payload)
        if answer.status != 201:
            raise RuntimeError(f"POST {path}: {answer.status} {answer.text[:200]}")
        return answer.json()

    def _key(self, path=""):
        return self.made(f"{path}/api-keys", {"label": "key", "scopes": ["accounts:read", "accounts:members:read"]})

    def revoke(self):
        key = self._key()
        return self._path, key["secret_key"], ("DELETE", f"{self._path}/api-keys/{key['id']}")

    def suspend(self):
        child = self.made("/sub-accounts", {"name": "Child", "website": "child.example.com"})["id"]
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


def play(stage, nodes, action, bound):
    """Takes a right away on the first node: for how long each other node still let in, in seconds, and what
    is wrong."""
    path, token, request = action()
    done = time.monotonic()
    askers, found = [Asker(node, token, path) for node in nodes[1:]], []
    here = nodes[0].connect(token)
    try:
        eventually(lambda: all(asker.is_let_in() for asker in askers) and here.call("GET", path).status == 200, 30,
                   "every node lets in")
        answer = stage.connection.call(*request)
        done = time.monotonic()
        if answer.status not in (200, 204):
            return [], [f"{request}: {answer.status} {answer.text[:200]}"]
        status = here.call("GET", path).status
        if status not in (401, 403):
            found.append(f"the node that was told answers {status}")
        eventually(lambda: all(asker.is_refused() for asker in askers), 30, "every node refuses")
    except TimeoutError as error:
        found.append(str(error))
    finally:
        for asker in askers:
            asker.end()
        here.close()
    late = [asker.let_in_until(done) for asker in askers]
    slow = [asker.slowest(done, done + bound) for asker in askers]
    found += [f"let in {seconds:.2f} s later; the slowest request until then took {took:.2f} s"
              for seconds, took in zip(late, slow) if seconds > bound + took]
    found += [asker.fault for asker in askers if asker.fault]
    return late, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="of each action")
    options = parser.parse_args()
    checks, figures = [], {}
    with Cluster() as cluster:
        postgres = cluster.postgres().create().start()
        for title, parameters in (("hearing", ""), ("deaf", "?pooler=transaction")):
            database = postgres.create_database(title) + parameters
            nodes = [cluster.node(f"{title}{index}", database).start() for index in range(3)]
            stage = Stage(cluster, database, nodes[0])
            for action in (stage.revoke, stage.suspend, stage.narrow_scopes, stage.narrow_networks):
                name, found, late = f"{action.__name__}, {title}", [], []
                for _ in range(options.rounds):
                    seconds, faults = play(stage, nodes, action, BOUND_S[title])
                    late += seconds
                    found += faults
                figures[f"{name}, ms"] = [round(1000 * seconds) for seconds in sorted(late)]
                checks.append((f"{name}: refused at once there, soon elsewhere", found))
            for node in nodes:
                node.stop()
    return report("revocation", checks, figures)


if __name__ == "__main__":
    sys.exit(main())
