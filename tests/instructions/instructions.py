#!/usr/bin/env python3
"""Counts the instructions that a request costs, and compares them with those of `counts.json`.

The server runs on SQLite under valgrind's tool callgrind, with one worker thread. The requests of one kind are sent on
one connection, several at a time; those before the measurement fill the caches. Counts do not depend on the speed of the
machine. They include everything that the process does meanwhile: log, commit, and the threads in the background. On a
machine with much other load these threads do more during one request, so the least of several measurements counts.
"""
import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from harness import REQUEST_SECONDS, Server, binary  # noqa: E402

COUNTS = Path(__file__).with_name("counts.json")
GROWTH = 0.05  # the largest that passes
WARM_UP = 100  # requests before the measurement
ROUNDS = 3  # measurements, of which the least counts
REQUESTS = 200  # requests of a measurement
AT_A_TIME = 50  # requests that are sent before their answers are read
MEMBERS = 50  # members of the customer whose members are listed


class Pipeline:
    """A connection on which requests are sent without waiting for the answers to earlier ones."""

    def __init__(self, base, token):
        address = urlsplit(base)
        self._socket = socket.create_connection((address.hostname, address.port), timeout=REQUEST_SECONDS)
        self._answers = self._socket.makefile("rb")
        self._head = f"Host: {address.netloc}\r\nAuthorization: Bearer {token}\r\n"

    def send(self, requests):
        """Sends requests, each a method, a path, and a body or None. Fails unless each answer is a 2xx."""
        for first in range(0, len(requests), AT_A_TIME):
            some = requests[first:first + AT_A_TIME]
            self._socket.sendall("".join(self._text(*request) for request in some).encode())
            for request in some:
                status = self._read_answer()
                if not 200 <= status < 300:
                    raise RuntimeError(f"{request}: {status}")

    def _text(self, method, path, payload):
        body = "" if payload is None else json.dumps(payload)
        fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        return f"{method} {path} HTTP/1.1\r\n{self._head}{fields}\r\n{body}"

    def _read_answer(self):
        status, length = int(self._answers.readline().split()[1]), 0
        while (line := self._answers.readline().strip()):
            name, value = line.split(b":", 1)
            if name.lower() == b"content-length":
                length = int(value)
        self._answers.read(length)
        return status

    def close(self):
        self._answers.close()
        self._socket.close()


class Callgrind:
    """A server under callgrind."""

    def __init__(self, directory):
        self._directory = Path(directory)
        wrapper = self._directory / "tenantry-callgrind"
        wrapper.write_text(
            "#!/bin/sh\nexec valgrind --quiet --tool=callgrind --instr-atstart=no"
            f" --callgrind-out-file='{self._directory}/out' '{binary()}' \"$@\"\n")
        wrapper.chmod(0o700)
        os.environ["TOKIO_WORKER_THREADS"] = "1"
        self.server = Server(directory)
        self.server.program = str(wrapper)
        self._dumps = 0

    def command(self, *words):
        """Sends a command to callgrind."""
        subprocess.run(["vgdb", f"--pid={self.server.pid}", *words], check=True, timeout=120, capture_output=True)

    def count(self, pipeline, request):
        """Returns the instructions for each `request(number)`, and the file with the profile."""
        pipeline.send([request(number) for number in range(WARM_UP)])
        first = WARM_UP
        measured = []
        for _ in range(ROUNDS):
            self.command("zero")
            pipeline.send([request(number) for number in range(first, first + REQUESTS)])
            self.command("dump")
            first += REQUESTS
            self._dumps += 1
            profile = self._directory / f"out.{self._dumps}"
            total = next(line for line in profile.read_text().splitlines() if line.startswith("totals:"))
            measured.append((round(int(total.split()[1]) / REQUESTS), profile))
        return min(measured)


def new_member(customer, number):
    # In scattered order, as e-mail addresses are.
    email = f"person-{number * 618033988749 % 10 ** 12:012}@example.com"
    return {"customer_id": customer, "email": email, "name": "A person"}


def requests(connection, organization):
    """Returns the measured requests by name, each as a function of a number from 0."""
    customer = connection.call("POST", "/v1/customers", {"type": "team", "email": "team@example.com"}).json()["id"]
    created = [connection.call("POST", "/v1/members", new_member(customer, -number)) for number in range(1, MEMBERS)]
    member = created[0].json()["id"]
    return {
        "ping": lambda _: ("GET", "/v2/ping", None),
        "get_member": lambda _: ("GET", f"/v1/members/{member}", None),
        "list_members": lambda _: ("GET", f"/v1/members?customer_id={customer}&limit=10", None),
        "create_member": lambda number: ("POST", "/v1/members", new_member(customer, number)),
        "update_organization": lambda number: (
            "PATCH", f"/v1/organizations/{organization}", {"name": f"Name {number:06}"}),
    }


def measure(dumps):
    """Returns the counts by name. Copies the profiles into the directory `dumps`, if it is given."""
    counts = {}
    with tempfile.TemporaryDirectory(prefix="tenantry-instructions-") as directory:
        callgrind = Callgrind(directory)
        server = callgrind.server
        organization = server.cli.create_organization("counted")["id"]
        token = server.cli.create_token(organization)["token"]
        server.start()
        try:
            with closing(server.connect(token)) as connection:
                measured = requests(connection, organization)
            callgrind.command("instrumentation", "on")
            with closing(Pipeline(server.base, token)) as pipeline:
                for name, request in measured.items():
                    counts[name], profile = callgrind.count(pipeline, request)
                    if dumps:
                        shutil.copy(profile, Path(dumps) / f"{name}.callgrind")
        finally:
            server.stop()
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true", help="write counts.json instead of comparing with it")
    parser.add_argument("--dumps", metavar="DIRECTORY", help="keep the profiles, which callgrind_annotate shows")
    options = parser.parse_args()
    counts = measure(options.dumps)
    if options.save:
        COUNTS.write_text(json.dumps(counts, indent=2) + "\n")
    expected = json.loads(COUNTS.read_text())
    has_grown = False
    for name, count in counts.items():
        change = count / expected[name] - 1
        has_grown |= change > GROWTH
        print(f"{name:20} {count:9} instructions, {change:+7.1%} of {expected[name]}")
    if has_grown:
        sys.exit(f"more than {GROWTH:.0%} growth: find the cause, or accept it with --save in the same commit")


if __name__ == "__main__":
    main()
