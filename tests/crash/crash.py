#!/usr/bin/env python3
"""Kills the server while it is written to; what it had answered must still be there.

Each round: some threads create members as fast as they can and note every 201; the
server is killed at a random moment and started again on the same database; every
noted member is then read back, and the customer has exactly one owner.
"""
import argparse
import random
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from harness import Server, eventually  # noqa: E402

WRITERS = 8
READERS = 8


class Writer(threading.Thread):
    """Creates members until the connection breaks; `answered` maps each id to its e-mail."""

    def __init__(self, server, token, customer, name):
        super().__init__(daemon=True)
        self._connection = server.connect(token)
        self._customer, self._name = customer, name
        self.answered = {}
        self.refusal = None

    def run(self):
        number = 0
        while self.refusal is None:
            number += 1
            email = f"{self._name}.{number}@example.com"
            try:
                answer = self._connection.call("POST", "/v1/members/", {"customer_id": self._customer, "email": email})
                if answer.status == 201:
                    self.answered[answer.json()["id"]] = email
                else:
                    self.refusal = f"creating {email}: {answer.status} {answer.text[:200]}"
            except (OSError, HTTPException):
                return  # the server is gone: what this thread waits for


def faults_after_restart(server, token, customer, answered):
    """What of the answered members is not as it was answered."""
    def faults_of(part):
        connection = server.connect(token)
        try:
            for member_id, email in part:
                answer = connection.call("GET", f"/v1/members/{member_id}")
                if answer.status != 200 or answer.json()["email"] != email:
                    yield f"{email} was answered and is lost: {answer.status} {answer.text[:120]}"
        finally:
            connection.close()

    everyone = list(answered.items())
    with ThreadPoolExecutor(READERS) as pool:
        found = [fault for part in pool.map(lambda start: list(faults_of(everyone[start::READERS])), range(READERS))
                 for fault in part]
    connection = server.connect(token)
    owners = connection.call("GET", f"/v1/members/?customer_id={customer}&role=owner").json()["pagination"]["total_count"]
    total = connection.call("GET", f"/v1/members/?customer_id={customer}&limit=1").json()["pagination"]["total_count"]
    connection.close()
    if owners != 1:
        found.append(f"the customer has {owners} owners")
    # One request of each writer may have been done without being answered.
    unanswered = total - 1 - len(answered)
    if not 0 <= unanswered <= WRITERS:
        found.append(f"{len(answered)} members were answered, {total} are there")
    return found


def play(server, token, number, dice):
    """One round on a running server; it runs again afterwards. What went wrong, and the count of answers."""
    connection = server.connect(token)
    made = connection.call("POST", "/v1/customers/",
                           {"type": "team", "name": f"Round {number}", "email": f"round.{number}@example.com"})
    connection.close()
    if made.status != 201:
        return [f"creating the customer: {made.status} {made.text[:200]}"], 0
    customer = made.json()["id"]
    writers = [Writer(server, token, customer, f"r{number}w{index}") for index in range(WRITERS)]
    for writer in writers:
        writer.start()
    eventually(lambda: any(writer.answered or writer.refusal for writer in writers), 15, "a member is created")
    threading.Event().wait(dice.uniform(0.05, 1.0))  # the random moment: the subject, not a synchronisation
    server.kill()
    for writer in writers:
        writer.join(60)
    refusals = [writer.refusal for writer in writers if writer.refusal]
    answered = {member: email for writer in writers for member, email in writer.answered.items()}
    server.start()
    return refusals + faults_after_restart(server, token, customer, answered), len(answered)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    dice, passed = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory(prefix="tenantry-crash-") as directory:
        server = Server(directory).start()
        try:
            organization = server.cli.create_organization("crash", owner_email="owner@example.com")
            token = server.cli.create_token(organization["id"])["token"]
            for number in range(1, options.rounds + 1):
                faults, count = play(server, token, number, dice)
                passed += not faults
                print(f"round {number}: {count} members answered before the kill, {len(faults)} faults")
                print("".join(f"    {fault}\n" for fault in faults[:10]), end="")
        finally:
            server.kill()
            server.drop()
    failed = options.rounds - passed
    print(f"crash: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
