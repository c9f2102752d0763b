#!/usr/bin/env python3
"""Backs a server up while it is written to, restores the file elsewhere, and looks whether all is there.

The server runs under writers; the backup is taken meanwhile. On the restored server every member that was
answered before the backup began is there, tokens work, nothing that waited is sent a second time, and the
doctor finds nothing. A database with rows and a damaged file are refused, and so is a database in which a restore
or a copy was killed. Then the source stands still and is
copied. All of that from each engine to each, unless `--from` and `--to` name them.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from contents import moment_faults  # noqa: E402
from harness import Server, binary, eventually  # noqa: E402
from interrupted import (Sql, finding_faults, killed_faults, progress_faults, reading_faults, replacing_faults,  # noqa: E402
                         stopped_faults)
from postgres import Postgres  # noqa: E402
from receiver import Receiver  # noqa: E402

ENGINES = ("sqlite", "postgres")

WRITERS = 4
BEFORE = 1_000  # members answered before the backup begins
COMMAND_SECONDS = 120
PASSWORD = "no-command-shows-it"  # in every URL of a server, which lets anybody in

# What a command said although it had the password in it.
indiscreet = []


def tenantry(*arguments, environment=None):
    """Runs a command; how it ended."""
    done = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=COMMAND_SECONDS,
                          check=False, env={**os.environ, **(environment or {})})
    # A backup in the standard output holds no URL, and is long.
    if PASSWORD in done.stderr + done.stdout[:10_000]:
        indiscreet.append(f"{arguments[0]}: {done.stderr[-200:]}")
    return done


class Writer(threading.Thread):
    """Creates members until told to stop; `answered` maps each id to its e-mail, `times` says when."""

    def __init__(self, server, token, customer, name):
        super().__init__(daemon=True)
        self._connection = server.connect(token)
        self._customer, self._name = customer, name
        self.answered, self.times, self.refusal, self.stop = {}, [], None, threading.Event()

    def run(self):
        number = 0
        while not self.stop.is_set() and self.refusal is None:
            number += 1
            email = f"{self._name}.{number}@example.com"
            try:
                answer = self._connection.call("POST", "/v1/members/", {"customer_id": self._customer, "email": email})
                if answer.status == 201:
                    self.times.append(time.monotonic())
                    self.answered[answer.json()["id"]] = email
                else:
                    self.refusal = f"creating {email}: {answer.status} {answer.text[:200]}"
            except (OSError, HTTPException) as error:
                self.refusal = f"creating {email}: {error}"


class Places:
    """Databases on one engine, each with a folder that has a copy of the source's key."""

    def __init__(self, directory, postgres, key):
        self._directory, self.postgres, self.key = Path(directory), postgres, key

    def __call__(self, name):
        folder = self._directory / name
        folder.mkdir()
        if self.postgres:
            database = url_of(self.postgres, f"{self._directory.name}-{name}")
        else:
            database = f"sqlite:{folder}/{name}.db"
        (folder / "secret.key").write_bytes(self.key.read_bytes())
        return folder, ["--database", database, "--secret-key-file", folder / "secret.key"], database


def url_of(postgres, name):
    """A new database; its URL, with a password."""
    return postgres.create_database(name).replace("tenantry@", f"tenantry:{PASSWORD}@")


def everybody(server, token, customer):
    """The ids and addresses of a customer's members."""
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
    connection = server.connect(token)
    answer = connection.call("GET", "/v1/webhooks/deliveries?limit=100")
    connection.close()
    return answer.json()["items"]


def prepare(server, receiver):
    """An organization with an endpoint and a team; its id, its token and the team's id."""
    organization = server.cli.create_organization("backup", owner_email="owner@example.com")["id"]
    token = server.cli.create_token(organization)["token"]
    connection = server.connect(token)
    for path, payload in [
            ("/v1/webhooks/endpoints", {"url": f"http://{receiver.host}/hook", "format": "raw", "events": ["customer.created"]}),
            ("/v1/customers/", {"type": "team", "name": "Crew", "email": "crew@example.com",
                                "metadata": {"plan": "gold", "seats": 3}})]:
        made = connection.call("POST", path, payload)
        if made.status != 201:
            raise RuntimeError(f"POST {path}: {made.status} {made.text[:200]}")
    connection.close()
    return organization, token, made.json()["id"]


def add_teammate(server, organization, token, name):
    """Adds somebody to the organization's team, who is told by mail; the answer."""
    connection = server.connect(token)
    answer = connection.call("POST", f"/v2/accounts/{organization}/members",
                             {"email": f"{name}@example.com", "name": name, "role": "Developer"},
                             {"Idempotency-Key": f"add-{name}"})
    connection.close()
    if answer.status not in (200, 201):
        raise RuntimeError(f"adding {name}: {answer.status} {answer.text[:200]}")
    return answer


def leave_pending(server, receiver, organization, token):
    """Has events and a mail wait: the receiver takes nothing, and there is no mail server. The mail's answer."""
    receiver.judge = lambda request, earlier: 503
    connection = server.connect(token)
    for number in range(5):
        made = connection.call("POST", "/v1/customers/", {"name": "Waits", "email": f"waits.{number}@example.com"})
        if made.status != 201:
            raise RuntimeError(f"creating a customer: {made.status} {made.text[:200]}")
    connection.close()
    answer = add_teammate(server, organization, token, "before")
    eventually(lambda: len({request.id for request in receiver.requests}) >= 2, 20, "the receiver is tried")
    return answer


def waiting(sql):
    """How many there are of what waits to be sent, by what it is."""
    counted = {"events": "webhook_events WHERE state = 'pending' OR due_at IS NOT NULL",
               "lanes": "webhook_lanes WHERE due_at IS NOT NULL", "mails": "mails"}
    return {name: int(sql(f"SELECT count(*) FROM {rows}")[0]) for name, rows in counted.items()}


def restored_faults(folder, database, sql, options, organization, token, customer, before, mailed, receiver):
    """What of the restored server is not as it must be."""
    faults = []
    doctor = tenantry("doctor", *options)
    if doctor.returncode != 0:
        faults.append(f"doctor: {doctor.stdout[:500]}{doctor.stderr[:500]}")
    receiver.judge = lambda request, earlier: 200
    sent_before, mails = len(receiver.requests), folder / "mails"
    left = waiting(sql)
    if any(left.values()):
        faults.append(f"left to be sent: {left}")
    # Whatever waits all the same, for however long: it is sent now.
    for table in ("webhook_events", "webhook_lanes", "mails"):
        sql(f"UPDATE {table} SET due_at = 1 WHERE due_at IS NOT NULL")
    server = Server(folder, "--secret-key-file", str(folder / "secret.key"), "--webhook-http-host", receiver.host,
                    "--mail", f"dir:{mails}", database=database).start()
    try:
        found = everybody(server, token, customer)
        lost = [email for member, email in before.items() if found.get(member) != email]
        faults += [f"{email} was answered before the backup and is lost" for email in lost[:5]]
        shown = deliveries(server, token)
        unsent = {item["webhook_event"]["id"] for item in shown if (item["response"] or "").startswith("not sent")}
        if not unsent:
            faults.append("no event is shown as not sent")
        if any(item["webhook_event"]["succeeded"] is not False for item in shown
               if item["webhook_event"]["id"] in unsent):
            faults.append("an event that was not sent is not shown as failed")
        # A new event shows that the worker is at work. Once no lane has anything to do it has sent all that it will.
        connection = server.connect(token)
        made = connection.call("POST", "/v1/customers/", {"name": "New", "email": "after.the.restore@example.com"})
        assert made.status == 201, made.text
        eventually(lambda: len(receiver.requests) > sent_before, 20, "the new event is sent")
        eventually(lambda: not waiting(sql)["lanes"], 20, "no lane has anything to do")
        sent = [request.id for request in receiver.requests[sent_before:]]
        faults += [] if len(sent) == 1 else [f"{len(sent)} events were sent"]
        twice = unsent & set(sent)
        faults += [f"event {event} was sent again" for event in twice]
        # The same for mail: a new one arrives, alone. An answer is still known by its key.
        again = add_teammate(server, organization, token, "before")
        if again.text != mailed.text:
            faults.append(f"a key is answered anew: {again.text[:200]}")
        add_teammate(server, organization, token, "after")
        eventually(lambda: mails.is_dir() and any(mails.iterdir()) and not waiting(sql)["mails"], 20, "the new mail is sent")
        twice = [path.name for path in mails.iterdir() if "before@example.com" in path.read_text("utf-8", "replace")]
        faults += [f"mail {name} was sent again" for name in twice]
        # By hand it can be.
        for event in sorted(unsent)[:1]:
            again = connection.call("POST", f"/v1/webhooks/events/{event}/redeliver")
            if again.status not in (200, 202):
                faults.append(f"redelivery: {again.status} {again.text[:200]}")
                continue
            eventually(lambda: any(request.id == event for request in receiver.requests[sent_before:]), 20,
                       "the event is redelivered")
        connection.close()
    finally:
        server.stop()
    doctor = tenantry("doctor", *options)
    if doctor.returncode != 0:
        faults.append(f"doctor, after use: {doctor.stdout[:500]}")
    return faults


def refusals(place, file, directory, dice):
    """What should have been refused and was not, or left rows behind."""
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
        _, options, _ = place(name)
        done = tenantry("restore", bad, *options)
        if done.returncode == 0:
            faults.append(f"{name}: a damaged file was restored (byte {at})")
        # The database is as empty as before: the whole file goes in.
        done = tenantry("restore", file, *options)
        if done.returncode != 0:
            faults.append(f"{name}: then the whole file was refused: {done.stderr[:300]}")
    done = tenantry("restore", file, *options)
    if done.returncode == 0 or "not empty" not in done.stderr:
        faults.append(f"a database with rows was filled: {done.stderr[:300]}")
    folder, options, _ = place("other-key")
    (folder / "secret.key").write_text("ab" * 32 + "\n")
    done = tenantry("restore", file, *options)
    if done.returncode == 0 or "key" not in done.stderr:
        faults.append(f"another key was taken: {done.stderr[:300]}")
    return faults


def copied_faults(source, place):
    """Copies a database that stands still; what is not the same afterwards."""
    faults = []
    _, options, target = place("copy")
    done = tenantry("copy", "--from", source, "--to", target)
    if done.returncode != 0:
        return [f"copy: {done.stderr[:500]}"]
    texts = [tenantry("backup", "-", "--database", database).stdout.splitlines() for database in (source, target)]
    # The first line has the time, the last a digest over it; an engine sorts text as it likes.
    if sorted(texts[0][1:-1]) != sorted(texts[1][1:-1]):
        faults.append("the copy is not the same")
    if len(texts[0]) < BEFORE:
        faults.append(f"the copy has {len(texts[0])} lines")
    if tenantry("copy", "--from", source, "--to", target).returncode == 0:
        faults.append("a database with rows was copied into")
    doctor = tenantry("doctor", *options)
    if doctor.returncode != 0:
        faults.append(f"doctor of the copy: {doctor.stdout[:500]}{doctor.stderr[:300]}")
    return faults


def shown_faults(server):
    """Where a password was shown: by what ran until now, by its failures, by its help."""
    url = f"postgres://tenantry:{PASSWORD}@127.0.0.1:1/nothing"
    verbose = {"TENANTRY_LOG_LEVEL": "trace"}
    for arguments in [("doctor", "--database", url), ("backup", "-", "--database", url), ("copy", "--from", url, "--to", url),
                      ("doctor", "--database", url + "?sslmode=nonsense"), ("copy", "--from", "x" + url, "--to", url)]:
        if tenantry(*arguments, "--secret-key-file", server.key, environment=verbose).returncode == 0:
            indiscreet.append(f"{arguments}: it succeeded")
    for command in ("serve", "backup", "copy"):
        names = ("TENANTRY_DATABASE", "TENANTRY_FROM", "TENANTRY_TO", "TENANTRY_MAIL")
        tenantry(command, "--help", environment={name: url for name in names})
    if PASSWORD in server.log(100_000):
        indiscreet.append("the server's log has it")
    return indiscreet


def play(directory, from_postgres, to_postgres, dice):
    """Everything, once: pairs of what was looked at and what was wrong with it."""
    receiver = Receiver()
    source_folder = directory / "source"
    source_folder.mkdir()
    key = source_folder / "secret.key"
    # Nobody takes mail there, so it waits.
    server = Server(source_folder, "--secret-key-file", str(key), "--webhook-http-host", receiver.host,
                    "--mail", "smtp://127.0.0.1:1", "--mail-from", "tenantry@example.com",
                    database=url_of(from_postgres, f"{directory.name}-source") if from_postgres else None)
    server.cli = type(server.cli)(server.database, "--secret-key-file", str(key))
    server.start()
    place = Places(directory, to_postgres, key)
    file = directory / "backup.jsonl"
    try:
        organization, token, customer = prepare(server, receiver)
        eventually(lambda: receiver.requests, 20, "the first event is sent")
        mailed = leave_pending(server, receiver, organization, token)
        writers = [Writer(server, token, customer, f"w{index}") for index in range(WRITERS)]
        for writer in writers:
            writer.start()
        eventually(lambda: sum(len(writer.answered) for writer in writers) >= BEFORE or
                   any(writer.refusal for writer in writers), 120, "members are created")
        before = {member: email for writer in writers for member, email in list(writer.answered.items())}
        began = time.monotonic()
        backup = tenantry("backup", file, "--database", server.database)
        took = time.monotonic() - began
        meanwhile = [sum(began < at < began + took for at in list(writer.times)) for writer in writers]
        for writer in writers:
            writer.stop.set()
        for writer in writers:
            writer.join(60)
        refused = [writer.refusal for writer in writers if writer.refusal]
        answered = {member: email for writer in writers for member, email in writer.answered.items()}
        server.stop()
        if backup.returncode != 0:
            return [("backup", [f"backup: {backup.stderr[:500]}"])]
        doctor = tenantry("doctor", "--database", server.database, "--secret-key-file", key)
        mode = oct(file.stat().st_mode & 0o777)
        print(f"{len(before)} members before the backup, {len(answered)} after it; {file.stat().st_size} bytes in {took:.1f} s")
        folder, restore_options, database = place("restored")
        restored = tenantry("restore", file, *restore_options)
        if restored.returncode != 0:
            return [("restore", [f"restore: {restored.stderr[:500]}"])]
        return [
            ("writes go on meanwhile", refused + ([] if all(meanwhile) else [f"answered meanwhile: {meanwhile}"])),
            ("the backup is of one moment", moment_faults(file, before, answered)),
            ("the file is its owner's alone", [] if mode == "0o600" else [f"mode {mode}"]),
            ("what waited is counted", [] if "0 webhook events" not in restored.stderr
             and "and 1 mails" in restored.stderr else [restored.stderr[-300:]]),
            ("the restored server", restored_faults(folder, database, Sql(place.postgres, database), restore_options, organization,
                                                    token, customer, before, mailed, receiver)),
            ("what is refused", refusals(place, file, directory, dice)),
            ("who is killed", killed_faults(tenantry, place, file, server.database)),
            ("who only reads", reading_faults(tenantry, place, file)),
            ("what a backup replaces", replacing_faults(tenantry, directory, server.database)),
            ("who finds something", finding_faults(tenantry, place, file)),
            ("a copy", copied_faults(server.database, place)),
            ("what a copy shows", progress_faults(place, server.database)),
            ("who is stopped", stopped_faults(tenantry, from_postgres, server.database, directory)
             if from_postgres else []),
            ("the source, by the doctor", [] if doctor.returncode == 0 else [doctor.stdout[:500] + doctor.stderr[:500]]),
            ("passwords", shown_faults(server)),
        ]
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
            for name, faults in play(folder, postgres if source == "postgres" else None,
                                     postgres if target == "postgres" else None, dice):
                passed, failed = passed + (not faults), failed + bool(faults)
                print(f"  {name}: {len(faults)} faults")
                print("".join(f"      {fault}\n" for fault in faults[:10]), end="", flush=True)
    print(f"backup: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
