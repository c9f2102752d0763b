#!/usr/bin/env python3
"""Kills the server in the purge of an organization, in an import that is stopped and while it deletes or anonymizes
customers, and commands that change a person or import customers; none leaves halves.

An organization with many rows is deleted, and made old in the database. Servers purge it and are killed again and again,
each at a random moment, until nothing of it is left. Customers with many members, deleted long ago, are anonymized in the
same way. A user whom many audit entries name is deleted by a command that is killed, and so is a command that gives another
user of many teams a new address; the server's sweep finishes the work. A request deletes a customer with many members, and
the server is killed meanwhile. An organization is brought back around the begin of its purge: it is whole, or it goes. An import is stopped by a request, and the server
killed at a random moment around it: the rows that are done stay, and the file goes. The command that imports customers is
killed and goes on with `--resume`. After each kill the doctor has no
findings, the neighbour's rows are there, and at the end nothing names the organization, the customers or the user.
"""
import argparse
import http.client
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from harness import Server, binary, eventually  # noqa: E402

CUSTOMERS = 1200
ENTRIES = 1500
TEAMS = 150
FIRST_SWEEP_S = 2
KILL_AFTER_PART_S = (0.0, 0.01)  # after a part of the purge
KILL_AFTER_S = (0.02, 0.3)  # after the server is ready: the least and the most at first
MOST_KILLS = 40
MEMBERS = 200  # of each of these customers
OLD_CUSTOMERS = 4
STOPS = 4
LARGE = 2_000  # members of a customer that a request deletes
KILL_DELETION_AFTER_S = (0.0, 0.6)  # after the request is sent
UNDELETED = 300  # customers of an organization that comes back or is purged
UNDELETE_AFTER_S = (0.0, 0.3)  # after the server is ready
IMPORTED = 3_000  # rows of an import
STOP_AFTER_S = (0.0, 0.3)  # after the answer to the import
KILL_STOP_AFTER_S = (0.0, 0.05)  # after the answer to the stop
KILL_COMMAND_AFTER_S = (0.05, 0.8)  # after the start of the command


def make(server, slug, customers):
    """Makes an organization with customers. Returns its id and a token."""
    organization = server.cli.create_organization(slug, owner_email=f"owner@{slug}.example.com")
    token = server.cli.create_token(organization["id"])["token"]
    connection = server.connect(token)
    for number in range(customers):
        answer = connection.call("POST", "/v1/customers/", {"type": "individual", "email": f"c{number}@example.com"})
        assert answer.status == 201, answer
    connection.close()
    return organization["id"], token


def count(server, table, organization):
    """The number of rows of an organization in a table."""
    bare = organization.replace("-", "")
    is_file = server.database.startswith("sqlite:")
    same = f"lower(hex(organization_id)) = '{bare}'" if is_file else f"organization_id = '{organization}'"
    return int(server.own_database.rows(f"SELECT count(*) FROM {table} WHERE {same}")[0][0])


def rows_left(server, organization):
    """The number of rows of an organization in its large tables."""
    return sum(count(server, table, organization) for table in ("members", "customers", "audit_entries"))


def faults_of(server, token, customers):
    """What is wrong with the stopped or running server's data."""
    faults = []
    try:
        server.cli.run("doctor")
    except RuntimeError as error:
        faults.append(str(error))
    if server.is_running:
        connection = server.connect(token)
        total = connection.call("GET", "/v1/customers/?limit=1").json()["pagination"]["total_count"]
        connection.close()
        if total != customers:
            faults.append(f"the neighbour has {total} customers")
    return faults


def purge(server, dice):
    """Deletes an organization, and kills the servers that purge it. Returns the faults and the number of kills."""
    organization, _ = make(server, "gone", CUSTOMERS)
    _, token = make(server, "neighbour", 5)
    server.cli.run("organization", "delete", "gone")
    server.kill()
    server.own_database.change("UPDATE organizations SET deleted_at = 1 WHERE slug = 'gone'")
    faults, kills, parts = [], 0, set()
    left = rows_left(server, organization)
    while kills < MOST_KILLS and left and not faults:
        server.start()
        # The kill comes at a random moment after a part, or when the first sweep of the server has ended.
        deadline = time.monotonic() + FIRST_SWEEP_S
        while rows_left(server, organization) == left and time.monotonic() < deadline:
            pass
        threading.Event().wait(dice.uniform(*KILL_AFTER_PART_S))
        server.kill()
        kills += 1
        left = rows_left(server, organization)
        parts.add(left)
        faults += faults_of(server, token, 5)
    server.start()
    gone = "SELECT slug FROM organizations WHERE slug = 'gone'"
    eventually(lambda: not server.own_database.rows(gone), 60, "the organization is purged")
    faults += faults_of(server, token, 5)
    for table in ("customers", "members", "audit_entries", "access_tokens", "credentials", "row_counters"):
        if count(server, table, organization):
            faults.append(f"{table} has rows of the purged organization")
    if len(parts) < 2:
        faults.append(f"no kill was in the middle of the purge: {parts}")
    return faults, kills


def killed(server, table, *arguments):
    """Runs a command about a user, and kills it once its first transaction is committed. Returns the faults."""
    command = [binary(), "user", *arguments, "--database", server.database, "--secret-key-file", server.key]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # The other transactions follow at once.
    while process.poll() is None and not server.own_database.rows(f"SELECT 1 FROM {table}"):
        pass
    process.kill()
    process.communicate()
    if not server.own_database.rows(f"SELECT 1 FROM {table}"):
        print(f"user {arguments[0]} was not killed in the middle of its work")
    try:
        server.cli.run("doctor")
    except RuntimeError as error:
        return [str(error)]
    return []


def user_email_change(server):
    """Gives a user of many teams a new address, and kills the command. Returns the faults."""
    old, new = "grace@people.example", "hopper@people.example"
    for number in range(TEAMS):
        server.cli.create_organization(f"grace-{number}", owner_email=old)
    server.stop()
    faults = killed(server, "user_email_changes", "set-email", old, new)
    server.start()
    eventually(lambda: not server.own_database.rows("SELECT 1 FROM user_email_changes"), 60, "the change is finished")
    if server.own_database.rows(f"SELECT 1 FROM team_members WHERE email = '{old}'"):
        faults.append("a team has the old address")
    if len(server.own_database.rows(f"SELECT 1 FROM team_members WHERE email = '{new}'")) != TEAMS:
        faults.append("not every team has the new address")
    server.cli.run("doctor")
    return faults


def anonymization(server, dice):
    """Kills the servers that anonymize customers which were deleted long ago. Returns the faults."""
    _, token = make(server, "old", 0)
    connection = server.connect(token)
    for number in range(OLD_CUSTOMERS):
        answer = connection.call("POST", "/v1/customers/", {"type": "team", "email": f"o{number}@old-people.example"})
        customer = answer.json()["id"]
        for member in range(MEMBERS):
            body = {"customer_id": customer, "email": f"m{number}.{member}@old-people.example", "name": "Old Person"}
            assert connection.call("POST", "/v1/members/", body).status == 201
        assert connection.call("DELETE", f"/v1/customers/{customer}").status == 204
    connection.close()
    server.kill()
    server.own_database.change("UPDATE customers SET deleted_at = 1 WHERE deleted_at IS NOT NULL")
    left = "SELECT count(*) FROM customers WHERE deleted_at IS NOT NULL AND anonymized_at IS NULL"
    faults, kills = [], 0
    while kills < MOST_KILLS and not faults and int(server.own_database.rows(left)[0][0]):
        server.start()
        threading.Event().wait(dice.uniform(*KILL_AFTER_S))
        server.kill()
        kills += 1
        faults += faults_of(server, token, 0)
    server.start()
    eventually(lambda: not int(server.own_database.rows(left)[0][0]), 60, "the customers are anonymized")
    for table, column in (("members", "email"), ("audit_entries", "before"), ("audit_entries", "after"),
                          ("customers", "email")):
        if server.own_database.rows(f"SELECT 1 FROM {table} WHERE {column} LIKE '%old-people.example%'"):
            faults.append(f"{table}.{column} names a person of an anonymized customer")
    print(f"anonymization: {kills} kills, {len(faults)} faults")
    return faults + faults_of(server, token, 0)


def customer_deletion(server, dice, number):
    """Kills the server while a request deletes a customer with many members, and anonymizes it. Returns the faults."""
    _, token = make(server, f"large{number}", 0)
    people = f"large{number}-people.example"
    rows = [{"email": f"m{index}@{people}", "name": "Large Person"} for index in range(LARGE)]
    rows = [json.dumps({"type": "team", "email": f"team@{people}", "external_id": "large", "members": rows[at:at + 20],
                        "name": "Team"}) for at in range(0, LARGE, 20)]
    connection = server.connect(token)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/jsonl"}
    answer = connection.send("POST", "/v1/customers/import?on_match=update", headers, "\n".join(rows).encode())
    path = f"/v1/customers/import/{answer.json()['id']}"
    eventually(lambda: connection.call("GET", path).json()["state"] == "completed", 60, "the members are there")

    def delete():
        try:
            connection.call("DELETE", "/v1/customers/external/large?anonymize=true")
        except (OSError, http.client.HTTPException):
            pass  # the server was killed
    request = threading.Thread(target=delete)
    request.start()
    threading.Event().wait(dice.uniform(*KILL_DELETION_AFTER_S))
    server.kill()
    request.join()
    connection.close()
    pending = server.own_database.rows("SELECT step FROM customer_deletions")
    live = server.own_database.rows("SELECT 1 FROM customers WHERE external_id = 'large' AND deleted_at IS NULL")
    print(f"    killed {f'in step {pending[0][0]}' if pending else 'before it' if live else 'after it'}")
    faults = faults_of(server, token, 0)
    server.start()
    eventually(lambda: not server.own_database.rows("SELECT 1 FROM customer_deletions"), 60, "the deletion is finished")
    names = [f"{table}.{column}" for table, column in (("members", "email"), ("audit_entries", "before"), ("audit_entries", "after"))
             if server.own_database.rows(f"SELECT 1 FROM {table} WHERE {column} LIKE '%{people}%'")]
    left = server.own_database.rows(f"SELECT count(*) FROM members WHERE email LIKE '%@{people}' AND deleted_at IS NULL")
    if live and int(left[0][0]) != LARGE + 1:
        faults.append(f"{left[0][0]} of {LARGE + 1} members are left, and the customer is there")
    if not live and names:
        faults.append(f"{names} name people of the deleted customer")
    connection = server.connect(token)
    connection.call("DELETE", "/v1/customers/external/large?anonymize=true")
    connection.close()
    return faults + faults_of(server, token, 0)


def undeletion(server, dice, number):
    """Brings an organization back at a random moment around the begin of its purge. Returns the faults."""
    slug = f"back{number}"
    organization, token = make(server, slug, UNDELETED)
    owner = server.cli.create_user_token(f"owner@{slug}.example.com")["token"]
    server.cli.run("organization", "delete", slug)
    server.kill()
    server.own_database.change(f"UPDATE organizations SET deleted_at = 1 WHERE slug = '{slug}'")
    server.start()
    threading.Event().wait(dice.uniform(*UNDELETE_AFTER_S))
    connection = server.connect(owner)
    answer = connection.call("POST", f"/v1/organizations/{organization}/undelete", {})
    connection.close()
    print(f"    undelete: {answer.status}")
    if answer.status == 200:
        return faults_of(server, token, UNDELETED)
    gone = f"SELECT slug FROM organizations WHERE slug = '{slug}'"
    eventually(lambda: not server.own_database.rows(gone), 60, "the organization is purged")
    faults = [] if answer.status in (404, 409) else [f"undelete: {answer.status} {answer.text[:200]}"]
    left = [table for table in ("customers", "members", "audit_entries", "access_tokens") if count(server, table, organization)]
    server.cli.run("doctor")
    return faults + [f"{table} has rows of the purged organization" for table in left]


def stopped_import(server, dice, number):
    """Stops an import, and kills the server at a random moment after that. Returns the faults."""
    organization, token = make(server, f"stop{number}", 0)
    rows = "".join(f'{{"email":"c{index}@import.example"}}\n' for index in range(IMPORTED))
    connection = server.connect(token)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/jsonl"}
    answer = connection.send("POST", "/v1/customers/import", headers, rows.encode())
    if answer.status != 202:
        return [f"the import: {answer.status} {answer.text[:200]}"]
    path = f"/v1/customers/import/{answer.json()['id']}"
    threading.Event().wait(dice.uniform(*STOP_AFTER_S))
    status = connection.call("DELETE", path).status
    connection.close()
    threading.Event().wait(dice.uniform(*KILL_STOP_AFTER_S))
    server.kill()
    server.start()
    connection = server.connect(token)
    done = connection.call("GET", path).json()
    total = connection.call("GET", "/v1/customers/?limit=1").json()["pagination"]["total_count"]
    connection.close()
    found = [] if status == 204 else [f"the stop: {status}"]
    if done["state"] not in ("stopped", "completed"):
        found.append(f"the import is {done['state']} after it was stopped")
    if total != done["created"]:
        found.append(f"the import created {done['created']} customers, and there are {total}")
    eventually(lambda: not count(server, "customer_import_chunks", organization), 60, "the file is deleted")
    return found + faults_of(server, token, total)


def killed_import_command(server, dice, number, folder):
    """Kills the command that imports customers, and goes on with its import. Returns the faults."""
    _, token = make(server, f"command{number}", 0)
    file = folder / f"command{number}.csv"
    file.write_text("email,external_id\n" + "".join(f"c{index}@command.example,c{index}\n" for index in range(IMPORTED)))
    server.stop()
    options = ["--organization", f"command{number}", "--database", server.database, "--secret-key-file", server.key]
    process = subprocess.Popen([binary(), "import", "customers", file, *options], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    threading.Event().wait(dice.uniform(*KILL_COMMAND_AFTER_S))
    process.kill()
    begun = re.search("import ([0-9a-f-]{36}):", process.communicate()[1])
    found = faults_of(server, token, 0)
    if begun:
        # Its lease ends after 20 s; here at once.
        server.own_database.change("UPDATE customer_imports SET due_at = 1 WHERE state = 'running'")
        resume = [binary(), "import", "customers", "--resume", begun[1], "--json", *options]
        done = subprocess.run(resume, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0 or json.loads(done.stdout)["created"] != IMPORTED:
            found.append(f"the resumed import: {done.returncode} {done.stdout[:300]} {done.stderr[-300:]}")
    print(f"    killed {'in' if begun else 'before'} its work")
    server.start()
    # A file that did not arrive completely makes no customer.
    return found + faults_of(server, token, IMPORTED if begun else 0)


def user_deletion(server, dice):
    """Deletes a user with many audit entries, and kills the command and the servers that go on. Returns the faults."""
    organization, token = make(server, "team", 0)
    connection = server.connect(token)
    email = "ada.lovelace@people.example"
    body = {"email": email, "role": "Developer", "name": "Ada"}
    user = connection.call("POST", f"/v2/accounts/{organization}/members", body).json()["user_id"]
    for number in range(ENTRIES):
        role = "admin" if number % 2 else "finance"
        path = f"/v1/organizations/{organization}/members/{user}"
        assert connection.call("PATCH", path, {"role": role}).status == 200
    connection.close()
    server.stop()
    faults, kills = killed(server, "user_deletions", "delete", email), 0
    while kills < MOST_KILLS and not faults and server.own_database.rows("SELECT 1 FROM user_deletions"):
        server.start()
        threading.Event().wait(dice.uniform(*KILL_AFTER_S))
        server.kill()
        kills += 1
        faults += faults_of(server, token, 0)
    print(f"    the deletion went on in {kills} servers that were killed")
    server.start()
    if server.own_database.rows(f"SELECT 1 FROM users WHERE email = '{email}'"):
        faults.append("the user is there")
    eventually(lambda: not server.own_database.rows("SELECT 1 FROM user_deletions"), 60, "the deletion is finished")
    for table, column in (("audit_entries", "before"), ("audit_entries", "after"), ("users", "email"),
                          ("mails", "recipient"), ("team_members", "email")):
        if server.own_database.rows(f"SELECT 1 FROM {table} WHERE {column} LIKE '%{email}%'"):
            faults.append(f"{table}.{column} names the deleted person")
    server.cli.run("doctor")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    dice, failed = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory(prefix="tenantry-ends-") as directory:
        server = Server(directory).start()
        try:
            faults, kills = purge(server, dice)
            print(f"purge: {kills} kills, {len(faults)} faults")
            faults += (more := user_deletion(server, dice))
            print(f"deletion of a user: {len(more)} faults")
            faults += (more := user_email_change(server))
            print(f"change of an address: {len(more)} faults")
            faults += anonymization(server, dice)
            for number in range(STOPS):
                faults += (more := customer_deletion(server, dice, number))
                print(f"deletion of a large customer {number}: {len(more)} faults")
            for number in range(STOPS):
                faults += (more := undeletion(server, dice, number))
                print(f"undeletion {number}: {len(more)} faults")
            for number in range(STOPS):
                faults += (more := stopped_import(server, dice, number))
                print(f"stopped import {number}: {len(more)} faults")
            for number in range(STOPS):
                faults += (more := killed_import_command(server, dice, number, Path(directory)))
                print(f"killed import command {number}: {len(more)} faults")
            print("".join(f"    {fault}\n" for fault in faults[:10]), end="")
            failed = len(faults)
        finally:
            if server.is_running:
                server.kill()
            server.drop()
    print(f"ends: {'failed' if failed else 'passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
