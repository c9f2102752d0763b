#!/usr/bin/env python3
"""Backs up a server under load, restores the file into another database, and checks the restored server.

Threads create members while the backup is taken. On the restored server:
- every member that was created before the backup began exists, and tokens work
- pending webhooks and mail are not sent a second time
- `tenantry doctor` finds nothing

A restore is refused into a database with rows, from a damaged file, and into a database where an earlier restore or
copy was killed. Then the source is stopped and copied with `tenantry copy`. All of this runs from each engine to each
engine, unless `--from` and `--to` name them.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from contents import moment_faults  # noqa: E402
from harness import Server, binary, eventually  # noqa: E402
from interrupted import (Sql, doctor_status_faults, interrupted_backup_faults, killed_faults, overwrite_faults,  # noqa: E402
                         progress_faults, read_only_faults)
from postgres import Postgres  # noqa: E402
from receiver import Receiver  # noqa: E402
from writers import MemberWriter  # noqa: E402

ENGINES = ("sqlite", "postgres")

WRITERS = 4
MEMBERS_BEFORE = 1_000  # created before the backup begins
COMMAND_SECONDS = 120
PASSWORD = "no-command-shows-it"  # in every PostgreSQL URL; the server itself asks for no password

# The commands whose output contained the password.
password_leaks = []


def tenantry(*arguments, environment=None):
    """Runs a command, checks that its output has no password, and returns the completed process."""
    result = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=COMMAND_SECONDS,
                            check=False, env={**os.environ, **(environment or {})})
    # The start of the output is enough: a backup on standard output is long, and has no URL in it.
    if PASSWORD in result.stderr + result.stdout[:10_000]:
        password_leaks.append(f"{arguments[0]}: {result.stderr[-200:]}")
    return result


class Targets:
    """Creates empty databases on one engine, each with a directory that has a copy of the source's secret key."""

    def __init__(self, directory, postgres, key):
        self._directory, self.postgres, self.key = Path(directory), postgres, key

    def create(self, name):
        """Returns the directory, the options that name database and key, and the URL of a new database."""
        folder = self._directory / name
        folder.mkdir()
        if self.postgres:
            database = url_of(self.postgres, f"{self._directory.name}-{name}")
        else:
            database = f"sqlite:{folder}/{name}.db"
        (folder / "secret.key").write_bytes(self.key.read_bytes())
        (folder / "secret.key").chmod(0o600)  # no other user may read a key
        return folder, ["--database", database, "--secret-key-file", folder / "secret.key"], database


def url_of(postgres, name):
    """Creates a PostgreSQL database and returns its URL, with a password in it."""
    return postgres.create_database(name).replace("tenantry@", f"tenantry:{PASSWORD}@")


def all_members(server, token, customer):
    """Returns the members of a customer as {id: e-mail}."""
    connection, found, page = server.connect(token), {}, 1
    while True:
        answer = connection.call("GET", f"/v1/members/?customer_id={customer}&limit=100&page={page}")
        if answer.status != 200:
            raise RuntimeError(f"listing members: {answer.status} {answer.text[:200]}")
        body = answer.json()
        found.update({item["id"]: item["email"] for item in body["items"]})
        if page >= body["pagination"]["max_page"]:
            connection.close()
            return found
        page += 1


def deliveries(server, token):
    """Returns the latest webhook deliveries, as the API lists them."""
    connection = server.connect(token)
    answer = connection.call("GET", "/v1/webhooks/deliveries?limit=100")
    connection.close()
    return answer.json()["items"]


def prepare(server, receiver):
    """Creates an organization with a webhook endpoint and a team. Returns its id, its token and the team's id."""
    organization = server.cli.create_organization("backup", owner_email="owner@example.com")["id"]
    token = server.cli.create_token(organization)["token"]
    connection = server.connect(token)
    for path, payload in [
            ("/v1/webhooks/endpoints", {"url": f"http://{receiver.host}/hook", "format": "raw", "events": ["customer.created"]}),
            ("/v1/customers/", {"type": "team", "name": "Crew", "email": "crew@example.com",
                                "metadata": {"plan": "gold", "seats": 3}})]:
        answer = connection.call("POST", path, payload)
        if answer.status != 201:
            raise RuntimeError(f"POST {path}: {answer.status} {answer.text[:200]}")
    connection.close()
    return organization, token, answer.json()["id"]


def add_team_member(server, organization, token, name):
    """Adds a team member, which sends a mail, under the idempotency key `add-NAME`. Returns the answer."""
    connection = server.connect(token)
    answer = connection.call("POST", f"/v2/accounts/{organization}/members",
                             {"email": f"{name}@example.com", "name": name, "role": "Developer"},
                             {"Idempotency-Key": f"add-{name}"})
    connection.close()
    if answer.status not in (200, 201):
        raise RuntimeError(f"adding {name}: {answer.status} {answer.text[:200]}")
    return answer


def leave_pending(server, receiver, organization, token):
    """Creates webhook events and a mail that stay pending: the receiver answers 503, and there is no mail server.

    Returns the answer to the request that caused the mail.
    """
    receiver.status_for = lambda request, earlier: 503
    connection = server.connect(token)
    for number in range(5):
        answer = connection.call("POST", "/v1/customers/", {"name": "Waits", "email": f"waits.{number}@example.com"})
        if answer.status != 201:
            raise RuntimeError(f"creating a customer: {answer.status} {answer.text[:200]}")
    connection.close()
    answer = add_team_member(server, organization, token, "before")
    eventually(lambda: len({request.id for request in receiver.requests}) >= 2, 20, "a delivery is attempted")
    return answer


def pending_counts(sql):
    """Returns the number of webhook events, delivery queues and mails that are still to be sent."""
    counted = {"events": "webhook_events WHERE state = 'pending' OR due_at IS NOT NULL",
               "queues": "webhook_queues WHERE due_at IS NOT NULL", "mails": "mails"}
    return {name: int(sql(f"SELECT count(*) FROM {rows}")[0]) for name, rows in counted.items()}


def restored_faults(folder, database, sql, options, source, receiver):
    """Returns every fault of the restored server; `source` has what the source server knew and answered."""
    faults = []
    doctor = tenantry("doctor", *options)
    if doctor.returncode != 0:
        faults.append(f"doctor: {doctor.stdout[:500]}{doctor.stderr[:500]}")
    receiver.status_for = lambda request, earlier: 200
    received_before, mails = len(receiver.requests), folder / "mails"
    pending = pending_counts(sql)
    if any(pending.values()):
        faults.append(f"still to be sent after the restore: {pending}")
    # Make everything that is pending due now, so that a second delivery shows below.
    for table in ("webhook_events", "webhook_queues", "mails"):
        sql(f"UPDATE {table} SET due_at = 1 WHERE due_at IS NOT NULL")
    server = Server(folder, "--secret-key-file", str(folder / "secret.key"), "--webhook-http-host", receiver.host,
                    "--mail", f"dir:{mails}", database=database).start()
    try:
        found = all_members(server, source.token, source.customer)
        lost = [email for member, email in source.members_before.items() if found.get(member) != email]
        faults += [f"{email} was created before the backup and is lost" for email in lost[:5]]
        faults += not_sent_twice_faults(server, sql, source, receiver, received_before, mails)
    finally:
        server.stop()
    doctor = tenantry("doctor", *options)
    if doctor.returncode != 0:
        faults.append(f"doctor, after the restored server ran: {doctor.stdout[:500]}")
    return faults


def not_sent_twice_faults(server, sql, source, receiver, received_before, mails):
    """Checks that events and mail that were pending at the backup are sent only when the operator asks for it."""
    faults = []
    shown = deliveries(server, source.token)
    not_sent = {item["webhook_event"]["id"] for item in shown if (item["response"] or "").startswith("not sent")}
    if not not_sent:
        faults.append("no event is shown as not sent")
    if any(item["webhook_event"]["succeeded"] is not False for item in shown
           if item["webhook_event"]["id"] in not_sent):
        faults.append("an event that was not sent is not shown as failed")
    # A new event proves that the worker runs. Once no queue has an event left, the worker has sent all that it will.
    connection = server.connect(source.token)
    answer = connection.call("POST", "/v1/customers/", {"name": "New", "email": "after.the.restore@example.com"})
    assert answer.status == 201, answer.text
    eventually(lambda: len(receiver.requests) > received_before, 20, "the new event is sent")
    eventually(lambda: not pending_counts(sql)["queues"], 20, "no delivery queue has an event left")
    sent = [request.id for request in receiver.requests[received_before:]]
    faults += [] if len(sent) == 1 else [f"{len(sent)} events were sent, expected the new one alone"]
    faults += [f"event {event} was sent again" for event in not_sent & set(sent)]
    # Only the new mail may arrive. The answer to the request that caused the old one is replayed.
    replay = add_team_member(server, source.organization, source.token, "before")
    if replay.text != source.mail_answer.text:
        faults.append(f"the idempotency key gets another answer: {replay.text[:200]}")
    add_team_member(server, source.organization, source.token, "after")
    eventually(lambda: mails.is_dir() and any(mails.iterdir()) and not pending_counts(sql)["mails"], 20,
               "the new mail is sent")
    again = [path.name for path in mails.iterdir() if "before@example.com" in path.read_text("utf-8", "replace")]
    faults += [f"mail {name} was sent again" for name in again]
    # An event that was not sent can be redelivered by hand.
    for event in sorted(not_sent)[:1]:
        answer = connection.call("POST", f"/v1/webhooks/events/{event}/redeliver")
        if answer.status not in (200, 202):
            faults.append(f"redelivery: {answer.status} {answer.text[:200]}")
            continue
        eventually(lambda: any(request.id == event for request in receiver.requests[received_before:]), 20,
                   "the event is redelivered")
    connection.close()
    return faults


def refused_restore_faults(targets, file, directory, dice):
    """Checks that a restore is refused where it must be, and then leaves the database empty."""
    faults = []
    data = file.read_bytes()
    flipped = bytearray(data)
    at = dice.randrange(len(data))
    flipped[at] ^= 1 << dice.randrange(8)
    damaged = {"flipped": bytes(flipped), "cut": data[:dice.randrange(len(data))],
               "no-last-line": data[:data.rstrip(b"\n").rfind(b"\n") + 1]}
    for name, content in damaged.items():
        bad = directory / f"{name}.jsonl"
        bad.write_bytes(content)
        _, options, _ = targets.create(name)
        result = tenantry("restore", bad, *options)
        if result.returncode == 0:
            faults.append(f"{name}: a damaged file was restored (byte {at})")
        # The refused restore must leave the database empty, so the undamaged file can be restored into it.
        result = tenantry("restore", file, *options)
        if result.returncode != 0:
            faults.append(f"{name}: the undamaged file was refused afterwards: {result.stderr[:300]}")
    result = tenantry("restore", file, *options)
    if result.returncode == 0 or "not empty" not in result.stderr:
        faults.append(f"a restore into a database with rows was not refused: {result.stderr[:300]}")
    folder, options, _ = targets.create("other-key")
    (folder / "secret.key").write_text("ab" * 32 + "\n")
    (folder / "secret.key").chmod(0o600)  # no other user may read a key
    result = tenantry("restore", file, *options)
    if result.returncode == 0 or "key" not in result.stderr:
        faults.append(f"a restore with another secret key was not refused: {result.stderr[:300]}")
    return faults


def copy_faults(source, targets):
    """Copies a database that no server uses, and compares the two."""
    faults = []
    _, options, target = targets.create("copy")
    result = tenantry("copy", "--from", source, "--to", target)
    if result.returncode != 0:
        return [f"copy: {result.stderr[:500]}"]
    texts = [tenantry("backup", "-", "--database", database).stdout.splitlines() for database in (source, target)]
    # The first line has the time and the last line a digest that covers it. The engines sort text differently.
    if sorted(texts[0][1:-1]) != sorted(texts[1][1:-1]):
        faults.append("the copy differs from the source")
    if len(texts[0]) < MEMBERS_BEFORE:
        faults.append(f"the source has {len(texts[0])} lines only")
    if tenantry("copy", "--from", source, "--to", target).returncode == 0:
        faults.append("a copy into a database with rows was not refused")
    doctor = tenantry("doctor", *options)
    if doctor.returncode != 0:
        faults.append(f"doctor of the copy: {doctor.stdout[:500]}{doctor.stderr[:300]}")
    return faults


def password_faults(server):
    """Returns where the password was shown: by the commands so far, by failing commands, by --help, in the log."""
    url = f"postgres://tenantry:{PASSWORD}@127.0.0.1:1/nothing"
    verbose = {"TENANTRY_LOG_LEVEL": "trace"}
    for arguments in [("doctor", "--database", url), ("backup", "-", "--database", url), ("copy", "--from", url, "--to", url),
                      ("doctor", "--database", url + "?sslmode=nonsense"), ("copy", "--from", "x" + url, "--to", url)]:
        if tenantry(*arguments, "--secret-key-file", server.key, environment=verbose).returncode == 0:
            password_leaks.append(f"{arguments}: the command succeeded, expected a failure")
    for command in ("serve", "backup", "copy"):
        names = ("TENANTRY_DATABASE", "TENANTRY_FROM", "TENANTRY_TO", "TENANTRY_MAIL")
        tenantry(command, "--help", environment={name: url for name in names})
    if PASSWORD in server.log(100_000):
        password_leaks.append("the server's log contains the password")
    return password_leaks


@dataclass
class Source:
    """The content of the source server, as it was answered."""
    organization: str
    token: str
    customer: str
    mail_answer: object  # the answer to the request whose mail is pending
    members_before: dict  # {id: e-mail} of the members created before the backup began
    members: dict  # the same of all members


def backup_under_load(server, source_of, file):
    """Takes a backup while members are created. Returns the result, the source's content, and the faults of writers."""
    organization, token, customer, mail_answer = source_of
    writers = [MemberWriter(server, token, customer, f"w{index}") for index in range(WRITERS)]
    for writer in writers:
        writer.start()
    eventually(lambda: sum(len(writer.created) for writer in writers) >= MEMBERS_BEFORE or
               any(writer.failure for writer in writers), 120, "members are created")
    before = {member: email for writer in writers for member, email in list(writer.created.items())}
    begin = time.monotonic()
    result = tenantry("backup", file, "--database", server.database)
    end = time.monotonic()
    during_backup = [sum(begin < at < end for at in list(writer.answered_at)) for writer in writers]
    for writer in writers:
        writer.stop()
    for writer in writers:
        writer.join(60)
    faults = [writer.failure for writer in writers if writer.failure]
    if not all(during_backup):
        faults.append(f"members that each thread created during the backup: {during_backup}")
    members = {member: email for writer in writers for member, email in writer.created.items()}
    if result.returncode == 0:
        print(f"{len(before)} members before the backup, {len(members)} after it; "
              f"{file.stat().st_size} bytes in {end - begin:.1f} s")
    return result, Source(organization, token, customer, mail_answer, before, members), faults


def run_pair(directory, from_postgres, to_postgres, dice):
    """Runs every check for one pair of engines. Returns (name of the check, faults) for each."""
    receiver = Receiver()
    source_folder = directory / "source"
    source_folder.mkdir()
    key = source_folder / "secret.key"
    # No mail server listens on that port, so mail stays pending.
    server = Server(source_folder, "--secret-key-file", str(key), "--webhook-http-host", receiver.host,
                    "--mail", "smtp://127.0.0.1:1", "--mail-from", "tenantry@example.com",
                    database=url_of(from_postgres, f"{directory.name}-source") if from_postgres else None)
    server.start()
    targets = Targets(directory, to_postgres, key)
    file = directory / "backup.jsonl"
    try:
        organization, token, customer = prepare(server, receiver)
        eventually(lambda: receiver.requests, 20, "the first event is sent")
        mail_answer = leave_pending(server, receiver, organization, token)
        backup, source, write_faults = backup_under_load(server, (organization, token, customer, mail_answer), file)
        server.stop()
        if backup.returncode != 0:
            return [("backup", [f"backup: {backup.stderr[:500]}"])]
        doctor = tenantry("doctor", "--database", server.database, "--secret-key-file", key)
        mode = oct(file.stat().st_mode & 0o777)
        folder, restore_options, database = targets.create("restored")
        restore = tenantry("restore", file, *restore_options)
        if restore.returncode != 0:
            return [("restore", [f"restore: {restore.stderr[:500]}"])]
        sql = Sql(targets.postgres, database)
        checks = [
            ("writes continue during the backup", write_faults),
            ("the backup shows one moment", moment_faults(file, source.members_before, source.members)),
            ("only its owner can read the file", [] if mode == "0o600" else [f"mode {mode}"]),
            ("the restore tells how much was pending", [] if "not sent: 0 pending" not in restore.stderr
             and "and 1 pending mails" in restore.stderr else [restore.stderr[-300:]]),
            ("the restored server", restored_faults(folder, database, sql, restore_options, source, receiver)),
            ("restores that must be refused", refused_restore_faults(targets, file, directory, dice)),
            ("a killed restore and a killed copy", killed_faults(tenantry, targets, file, server.database)),
            ("commands that must not write", read_only_faults(tenantry, targets, file)),
            ("files that a backup replaces", overwrite_faults(tenantry, directory, server.database)),
            ("the exit status of the doctor", doctor_status_faults(tenantry, targets, file)),
            ("a copy", copy_faults(server.database, targets)),
            ("the progress that a copy shows", progress_faults(targets, server.database)),
            ("the doctor on the source", [] if doctor.returncode == 0 else [doctor.stdout[:500] + doctor.stderr[:500]]),
        ]
        if from_postgres:
            checks.append(("a stopped backup",
                           interrupted_backup_faults(tenantry, from_postgres, server.database, directory)))
        return [*checks, ("passwords", password_faults(server))]
    finally:
        if server.is_running:
            server.kill()
        receiver.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--from", dest="sources", choices=ENGINES, action="append", help="only from this engine")
    parser.add_argument("--to", dest="targets", choices=ENGINES, action="append", help="only to this engine")
    options = parser.parse_args()
    sources, targets = options.sources or ENGINES, options.targets or ENGINES
    print(f"seed {options.seed}")
    dice, passed, failed = random.Random(options.seed), 0, 0
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenantry-backup-")))
        postgres = None
        if "postgres" in (*sources, *targets):
            (directory / "server").mkdir()
            postgres = Postgres(directory / "server", fsync="off").create()
            stack.callback(postgres.stop)
            postgres.start()
        for source, target in [(source, target) for source in sources for target in targets]:
            print(f"from {source} to {target}")
            folder = directory / f"{source}-{target}"
            folder.mkdir()
            for name, faults in run_pair(folder, postgres if source == "postgres" else None,
                                         postgres if target == "postgres" else None, dice):
                passed, failed = passed + (not faults), failed + bool(faults)
                print(f"  {name}: {len(faults)} faults")
                print("".join(f"      {fault}\n" for fault in faults[:10]), end="", flush=True)
    print(f"backup: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
