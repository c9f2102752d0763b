#!/usr/bin/env python3
"""Moves an organization between servers of each engine, while threads write on both sides.

- `organization export --suspend` runs while threads create members. Every member whose creation was answered is in the
  target, and the token works there.
- Exports and imports are killed with SIGKILL at random moments. Nothing of them is seen, and they can be repeated. One
  that has suspended the organization leaves the suspension, which the operator ends.
- The organization is moved on, through a pipe, to a third server on the engine of the first, which gives the same answers.
- Of two imports of one file and a new organization with its slug, at once, one succeeds and the others leave nothing.
- `tenantry doctor` finds nothing on any side.
"""
import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from harness import Server, binary, eventually  # noqa: E402
from interrupted import Sql  # noqa: E402
from postgres import Postgres  # noqa: E402
from writers import MemberWriter  # noqa: E402

ENGINES = ("sqlite", "postgres")
WRITERS = 3
MEMBERS_BEFORE = 300  # created before the export begins
KILLS = 4
COMMAND_SECONDS = 180


class Site:
    """A server in a directory of its own, with a copy of the key."""

    def __init__(self, directory, name, postgres, key=None):
        self.folder = directory / name
        self.folder.mkdir()
        self._key = self.folder / "secret.key"
        if key:
            self._key.write_bytes(key.read_bytes())
            self._key.chmod(0o600)  # no other user may read a key
        database = postgres.create_database(f"{directory.name}-{name}") if postgres else None
        self.server = Server(self.folder, "--secret-key-file", str(self._key), database=database).start()
        self.sql = Sql(postgres, self.server.database)
        self.options = ["--database", self.server.database, "--secret-key-file", str(self._key)]

    @property
    def key(self):
        return self._key

    def command(self, *arguments):
        return [binary(), *map(str, arguments), *self.options]

    def run(self, *arguments):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)

    def doctor_faults(self, name):
        result = self.run("doctor")
        return [] if result.returncode == 0 else [f"doctor of {name}: {result.stdout[:500]}{result.stderr[:300]}"]

    def slugs(self):
        return sorted(item["slug"] for item in json.loads(self.run("organization", "list", "--json").stdout)["items"])

    def answers(self, token, account):
        """Returns the answers of the API about an organization."""
        connection, found = self.server.connect(token), []
        paths = ["/v1/customers/?limit=100&sorting=created_at", f"/v1/organizations/{account}", f"/v1/organizations/{account}/members",
                 f"/v2/accounts/{account}/members", f"/v2/accounts/{account}/sub-accounts", "/v1/webhooks/endpoints"]
        pages = 1
        while pages:
            path = f"/v1/members/?limit=100&page={pages}"
            answer = connection.call("GET", path)
            found.append((path, answer.status, answer.text))
            pages = pages + 1 if answer.status == 200 and pages < answer.json()["pagination"]["max_page"] else 0
        for path in paths:
            answer = connection.call("GET", path)
            found.append((path, answer.status, answer.text))
        connection.close()
        return found


def prepare(site):
    """Creates an organization with a sub-account and a team customer. Returns its id, a token and the customer's id."""
    account = site.server.cli.create_organization("moved", owner_email="owner@example.com")["id"]
    token = site.server.cli.create_token(account)["token"]
    connection = site.server.connect(token)
    for path, payload in [
            (f"/v2/accounts/{account}/members", {"email": "ada@example.com", "name": "Ada", "role": "Developer"}),
            (f"/v2/accounts/{account}/sub-accounts", {"name": "Child", "website": "child.example.com", "monthly_credit": 0}),
            ("/v1/webhooks/endpoints", {"url": "https://hooks.example.com/", "format": "raw", "events": ["customer.created"]}),
            ("/v1/customers/", {"type": "team", "name": "Crew", "email": "crew@example.com", "metadata": {"plan": "gold"}})]:
        answer = connection.call("POST", path, payload)
        if answer.status not in (200, 201):
            raise RuntimeError(f"POST {path}: {answer.status} {answer.text[:200]}")
    connection.close()
    return account, token, answer.json()["id"]


def kill_at_random(process, dice, most):
    # The kill comes at a random moment. This wait is the thing under test, not a synchronization.
    threading.Event().wait(dice.uniform(0.0, most))
    process.kill()
    process.communicate(timeout=COMMAND_SECONDS)
    return process.returncode


def killed_export_faults(source, directory, dice):
    """Kills exports. None may leave a file, and the next one works."""
    faults, file = [], directory / "killed.jsonl"
    for _ in range(KILLS):
        process = subprocess.Popen(source.command("organization", "export", "moved", file), stderr=subprocess.PIPE)
        if kill_at_random(process, dice, 0.5) == 0:
            file.unlink()  # it was faster
            continue
        if file.exists():
            faults.append("a killed export left the file")
    return faults


def killed_suspension_faults(source, token, directory):
    """Kills an export that has suspended the organization. It leaves no file, and the operator ends the suspension."""
    faults, file = [], directory / "suspended.jsonl"
    suspended = "SELECT count(*) FROM organizations WHERE suspended_at IS NOT NULL"
    command = source.command("organization", "export", "moved", file, "--sub-accounts", "--suspend")
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    # Then it waits for some seconds until no earlier request can change anything.
    eventually(lambda: source.sql(suspended) == ["1"] or process.poll() is not None, 60, "the organization is suspended")
    process.kill()
    process.communicate(timeout=COMMAND_SECONDS)
    if file.exists():
        faults.append("a killed export left the file")
    faults += source.doctor_faults("the suspended source")
    ended = source.run("organization", "unsuspend", "moved")
    if ended.returncode != 0:
        faults.append(f"unsuspend: {ended.stderr[-300:]}")
    connection = source.server.connect(token)
    status = connection.call("GET", "/v1/customers/").status
    connection.close()
    return faults if status == 200 else [*faults, f"the token after the suspension: {status}"]


def export_under_load(source, token, customer, file):
    """Exports with a suspension while members are created. Returns {id: e-mail} of the answered ones, and faults."""
    writers = [MemberWriter(source.server, token, customer, f"w{index}") for index in range(WRITERS)]
    for writer in writers:
        writer.start()
    eventually(lambda: sum(len(writer.created) for writer in writers) >= MEMBERS_BEFORE or
               any(writer.failure for writer in writers), 120, "members are created")
    before = sum(len(writer.created) for writer in writers)
    result = source.run("organization", "export", "moved", file, "--sub-accounts", "--suspend")
    for writer in writers:
        writer.join(60)
    faults = [] if result.returncode == 0 else [f"export: {result.stderr[-500:]}"]
    faults += [f"a writer was not suspended: {writer.failure}" for writer in writers if ": 401 " not in (writer.failure or "")]
    created = {member: email for writer in writers for member, email in writer.created.items()}
    if len(created) <= before:
        faults.append("no member was created during the export: it was not under load")
    print(f"    {before} members before the export, {len(created)} in all")
    return created, faults


def killed_import_faults(target, token, file, dice):
    """Kills imports. Nothing of them may be seen, and the last one, which is not killed, succeeds."""
    faults, killed = [], 0
    for _ in range(KILLS):
        process = subprocess.Popen(target.command("organization", "import", file), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # The first one so early that it cannot be faster.
        if kill_at_random(process, dice, 0.4 if killed else 0.05) == 0:
            # It was faster. At least one must be killed.
            faults += ["no import was killed: it needs more rows"] if killed == 0 else []
            break
        killed += 1
        if target.slugs() != ["noise"]:
            faults.append(f"a killed import is seen: {target.slugs()}")
        connection = target.server.connect(token)
        answer = connection.call("GET", "/v1/customers/")
        connection.close()
        if answer.status != 401:
            faults.append(f"the token of a killed import: {answer.status}")
        # The lease ends after a minute; here at once.
        target.sql("UPDATE organization_imports SET leased_until = 1 WHERE leased_until IS NOT NULL")
    print(f"    {killed} imports killed")
    result = target.run("organization", "import", file, "--json")
    if result.returncode != 0:
        return [*faults, f"import: {result.stderr[-500:]}"]
    again = target.run("organization", "import", file)
    if again.returncode != 0 or "imported before" not in again.stdout:
        faults.append(f"a second import: {again.stdout}{again.stderr[-300:]}")
    if target.sql("SELECT count(*) FROM organization_imports") != ["0"]:
        faults.append("an import left its mark")
    return faults


def damaged_faults(target, file, directory, dice):
    faults, data = [], file.read_bytes()
    flipped = bytearray(data)
    flipped[dice.randrange(len(data))] ^= 4
    for name, content in {"flipped": bytes(flipped), "cut": data[:dice.randrange(len(data))]}.items():
        bad = directory / f"{name}.jsonl"
        bad.write_bytes(content)
        for arguments, options in [((bad,), {}), (("-",), {"stdin": bad.open("rb")})]:
            result = subprocess.run(target.command("organization", "import", *arguments), capture_output=True, text=True,
                                    timeout=COMMAND_SECONDS, check=False, **options)
            if result.returncode == 0 or target.slugs() != ["noise"]:
                faults.append(f"{name}, {arguments[0]}: exit status {result.returncode}, {target.slugs()}")
            if target.sql("SELECT count(*) FROM organization_imports") != ["0"]:
                faults.append(f"{name}: the refused import left its mark")
    return faults


def piped_faults(source, target, token, account):
    """Moves the organization on through a pipe, and compares the answers of both servers."""
    before = source.answers(token, account)
    export = subprocess.Popen(source.command("organization", "export", "moved", "-", "--sub-accounts"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    result = subprocess.run(target.command("organization", "import", "-"), stdin=export.stdout, capture_output=True,
                            text=True, timeout=COMMAND_SECONDS, check=False)
    errors = export.communicate(timeout=COMMAND_SECONDS)[1]
    if export.returncode != 0 or result.returncode != 0:
        return [f"pipe: {errors.decode()[-300:]} {result.stderr[-300:]}"]
    after = target.answers(token, account)
    return [f"{one[0]} is {other[1:]}, it was {one[1:]}"[:500] for one, other in zip(before, after) if one != other]


def rival_faults(site, file, dice):
    """Imports one file twice at once, while somebody creates an organization with its slug. One of the three succeeds."""
    def start(*command):
        return subprocess.Popen(site.command(*command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    processes = [start("organization", "import", file) for _ in range(2)]
    # At a random moment, because the imports check the file before they take the slug.
    threading.Event().wait(dice.uniform(0.0, 0.4))
    processes.append(start("organization", "create", "--name", "Rival", "--slug", "moved"))
    ended = [(*process.communicate(timeout=COMMAND_SECONDS), process.returncode) for process in processes]
    # The second import may begin when the first has ended, and then changes nothing.
    done = [status == 0 and "imported before" not in output for output, _, status in ended]
    print(f"    {'the new organization' if done[-1] else 'an import'} was first")
    # An import brings the sub-account as well.
    expected = 1 if done[-1] else 2
    faults = [] if sum(done) == 1 and len(site.slugs()) == expected else [f"{done} succeeded, {site.slugs()}: {ended}"[:500]]
    if site.sql("SELECT count(*) FROM organization_imports") != ["0"]:
        faults.append("an import left its mark")
    return faults + site.doctor_faults("the rivals")


def run_pair(directory, source_postgres, target_postgres, dice):
    """Runs every check for one pair of engines. Returns (name of the check, faults) for each."""
    source = Site(directory, "source", source_postgres)
    sites = [source]
    try:
        account, token, customer = prepare(source)
        target = Site(directory, "target", target_postgres, source.key)
        sites.append(target)
        noise = target.server.cli.create_organization("noise", owner_email="ada@example.com")["id"]
        noise_token = target.server.cli.create_token(noise)["token"]
        connection = target.server.connect(noise_token)
        noise_customer = connection.call("POST", "/v1/customers/", {"type": "team", "email": "noise@example.com"}).json()["id"]
        connection.close()
        file = directory / "moved.jsonl"
        checks = [("killed exports", killed_export_faults(source, directory, dice)),
                  ("a killed export with a suspension", killed_suspension_faults(source, token, directory))]
        created, faults = export_under_load(source, token, customer, file)
        checks.append(("writes continue until the suspension", faults))
        checks.append(("damaged files are refused", damaged_faults(target, file, directory, dice)))
        other = MemberWriter(target.server, noise_token, noise_customer, "noise")
        other.start()
        checks.append(("killed imports", killed_import_faults(target, token, file, dice)))
        other.stop()
        other.join(60)
        checks.append(("others write during imports", [other.failure] if other.failure else []))
        found = {}
        for path, status, text in target.answers(token, account):
            if path.startswith("/v1/members/") and status == 200:
                found.update({item["id"]: item["email"] for item in json.loads(text)["items"]})
        lost = [email for member, email in created.items() if found.get(member) != email]
        checks.append(("every answered write has moved", [f"{email} is lost" for email in lost[:5]]))
        third = Site(directory, "third", source_postgres, source.key)
        sites.append(third)
        checks.append(("a pipe, and the same answers", piped_faults(target, third, token, account)))
        rivals = Site(directory, "rivals", target_postgres, source.key)
        sites.append(rivals)
        checks.append(("rival imports", rival_faults(rivals, file, dice)))
        checks.append(("the doctor", source.doctor_faults("the source") + target.doctor_faults("the target")
                       + third.doctor_faults("the third")))
        return checks
    finally:
        for site in sites:
            site.server.kill()
            site.server.drop()


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
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenantry-moving-")))
        postgres = None
        if "postgres" in (*sources, *targets):
            (directory / "server").mkdir()
            postgres = Postgres(directory / "server", fsync="off").create()
            stack.callback(postgres.stop)
            postgres.start()
        for source, target in [(source, target) for source in sources for target in targets]:
            print(f"from {source} to {target}", flush=True)
            folder = directory / f"{source}-{target}"
            folder.mkdir()
            for name, faults in run_pair(folder, postgres if source == "postgres" else None,
                                         postgres if target == "postgres" else None, dice):
                passed, failed = passed + (not faults), failed + bool(faults)
                print(f"  {name}: {len(faults)} faults")
                print("".join(f"      {fault}\n" for fault in faults[:10]), end="", flush=True)
    print(f"moving: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
