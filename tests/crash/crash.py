#!/usr/bin/env python3
"""Kills the server while members are created; no member whose creation was answered may be lost. Then kills it while it
carries out an import; each row must be carried out once.

Each round creates members in several threads and records every 201. The server is killed with SIGKILL at a random
moment and started again on the same database. Then every recorded member must be readable, the member count must
match, and the customer must have exactly one owner.
"""
import argparse
import random
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from harness import Server, eventually  # noqa: E402
from writers import MemberWriter  # noqa: E402

WRITERS = 8
READERS = 8
IMPORTED = 2_000  # rows of an import
KILL_IMPORT_AFTER_S = (0.02, 0.4)  # after its answer, and after the next start
KILL_AFTER_S = (0.05, 1.0)  # after the first answered creation: the least and the most


def faults_after_restart(server, token, customer, created):
    """Returns every way in which the restarted server differs from what it had answered."""
    def missing(members):
        connection = server.connect(token)
        try:
            for member_id, email in members:
                answer = connection.call("GET", f"/v1/members/{member_id}")
                if answer.status != 200 or answer.json()["email"] != email:
                    yield f"{email} was created and is lost: {answer.status} {answer.text[:120]}"
        finally:
            connection.close()

    members = list(created.items())
    with ThreadPoolExecutor(READERS) as pool:
        shares = pool.map(lambda start: list(missing(members[start::READERS])), range(READERS))
        found = [fault for share in shares for fault in share]
    connection = server.connect(token)
    owners = connection.call("GET", f"/v1/members/?customer_id={customer}&role=owner").json()["pagination"]["total_count"]
    total = connection.call("GET", f"/v1/members/?customer_id={customer}&limit=1").json()["pagination"]["total_count"]
    connection.close()
    if owners != 1:
        found.append(f"the customer has {owners} owners")
    # The kill may have interrupted one request of each writer after its commit and before its answer.
    unanswered = total - 1 - len(created)
    if not 0 <= unanswered <= WRITERS:
        found.append(f"{len(created)} creations were answered, but there are {total} members with the owner")
    return found


def run_round(server, token, number, dice):
    """Runs one round and leaves the server running. Returns the faults and the number of answered creations."""
    connection = server.connect(token)
    answer = connection.call("POST", "/v1/customers/",
                             {"type": "team", "name": f"Round {number}", "email": f"round.{number}@example.com"})
    connection.close()
    if answer.status != 201:
        return [f"creating the customer: {answer.status} {answer.text[:200]}"], 0
    customer = answer.json()["id"]
    writers = [MemberWriter(server, token, customer, f"r{number}w{index}", expects_disconnect=True)
               for index in range(WRITERS)]
    for writer in writers:
        writer.start()
    eventually(lambda: any(writer.created or writer.failure for writer in writers), 15, "a member is created")
    # The kill comes at a random moment. This wait is the thing under test, not a synchronization.
    threading.Event().wait(dice.uniform(*KILL_AFTER_S))
    server.kill()
    for writer in writers:
        writer.join(60)
    faults = [writer.failure for writer in writers if writer.failure]
    faults += [f"{writer.name} still runs" for writer in writers if writer.is_alive()]
    created = {member: email for writer in writers for member, email in writer.created.items()}
    server.start()
    return faults + faults_after_restart(server, token, customer, created), len(created)


def import_round(server, token, number, dice):
    """Kills the server twice in an import of customers. Returns the faults."""
    rows = "".join(f'{{"email":"r{number}c{index}@import.example","external_id":"r{number}c{index}"}}\n'
                   for index in range(IMPORTED))
    connection = server.connect(token)
    before = connection.call("GET", "/v1/customers/?limit=1").json()["pagination"]["total_count"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/jsonl"}
    answer = connection.send("POST", "/v1/customers/import", headers, rows.encode())
    connection.close()
    if answer.status != 202:
        return [f"the import: {answer.status} {answer.text[:200]}"]
    path = f"/v1/customers/import/{answer.json()['id']}"
    for _ in range(2):
        threading.Event().wait(dice.uniform(*KILL_IMPORT_AFTER_S))
        server.kill()
        server.start()
    connection = server.connect(token)
    progress = eventually(lambda: finished(connection.call("GET", path).json()), 120, "the import is completed")
    after = connection.call("GET", "/v1/customers/?limit=1").json()["pagination"]["total_count"]
    connection.close()
    found = []
    if (progress["created"], progress["failed"]) != (IMPORTED, 0):
        found.append(f"of {IMPORTED} rows {progress['created']} were created and {progress['failed']} failed")
    if after - before != IMPORTED:
        found.append(f"{IMPORTED} rows made {after - before} customers")
    return found


def finished(progress):
    return progress if progress["state"] == "completed" else None


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
                faults, count = run_round(server, token, number, dice)
                passed += not faults
                print(f"round {number}: {count} members created before the kill, {len(faults)} faults")
                print("".join(f"    {fault}\n" for fault in faults[:10]), end="")
            for number in range(1, options.rounds + 1):
                faults = import_round(server, token, number, dice)
                passed += not faults
                print(f"import {number}: {IMPORTED} rows, two kills, {len(faults)} faults")
                print("".join(f"    {fault}\n" for fault in faults), end="")
        finally:
            server.kill()
            server.drop()
    failed = 2 * options.rounds - passed
    print(f"crash: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
