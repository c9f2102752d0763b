"""Commands that are killed or stopped on their way, and commands that must change nothing."""
import os
import pty
import signal
import sqlite3
import subprocess
from contextlib import closing

from harness import binary, eventually

MARK = "SELECT count(*) FROM installation WHERE name = 'unfinished_load'"
OLDER = "run `tenantry migrate`"
COMMAND_SECONDS = 120

# Has whoever stores a member wait until he is killed.
SLOW_SQLITE = """CREATE TRIGGER slow BEFORE INSERT ON members BEGIN SELECT count(*) FROM (
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n); END"""
SLOW_POSTGRES = """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
    CREATE TRIGGER slow BEFORE INSERT ON members FOR EACH ROW EXECUTE FUNCTION slow()"""


class Sql:
    """A database, past the program."""

    def __init__(self, postgres, database):
        self._postgres, self._database = postgres, database

    def __call__(self, sql):
        if self._postgres:
            return self._postgres.sql(sql, self._database.rpartition("/")[2])
        with closing(sqlite3.connect(self._database.removeprefix("sqlite:"), timeout=60)) as connection, connection:
            return ["|".join(map(str, row)) for row in connection.execute(sql)]

    def slow_down(self):
        self(SLOW_POSTGRES if self._postgres else SLOW_SQLITE)


def started(*arguments, **options):
    return subprocess.Popen([binary(), *map(str, arguments)], stderr=subprocess.PIPE, text=True, **options)


def killed_faults(tenantry, places, file, source):
    """Kills a restore and a copy in the middle; what may be done with such a database then."""
    faults = []
    for name, command in [("restore", lambda options, _: ("restore", file, *options)),
                          ("copy", lambda _, target: ("copy", "--from", source, "--to", target))]:
        _, options, database = places(f"killed-{name}")
        sql = Sql(places.postgres, database)
        tenantry("migrate", *options)
        sql.slow_down()
        process = started(*command(options, database))
        try:
            eventually(lambda sql=sql, process=process: process.poll() is not None or sql(MARK) == ["1"]
                       and sql("SELECT count(*) FROM users") != ["0"], 60, "the mark is there, and rows are")
            if process.poll() is not None:
                faults.append(f"{name}: it was over before it could be killed: {process.stderr.read()[:300]}")
        finally:
            process.kill()
            process.communicate(timeout=COMMAND_SECONDS)
        for refused, arguments in [("serve", ("serve", "--listen", "127.0.0.1:0", *options)), ("doctor", ("doctor", *options)),
                                   ("backup", ("backup", "-", *options)), ("restore", ("restore", file, *options)),
                                   ("organization", ("organization", "list", *options)),
                                   ("copy", ("copy", "--from", source, "--to", database))]:
            done = tenantry(*arguments)
            if done.returncode != 1 or "new, empty database" not in done.stderr:
                faults.append(f"{refused} after a killed {name}: {done.returncode} {done.stderr[:300]}")
    return faults


def reading_faults(tenantry, places, file):
    """What the commands that only read do to a database without rows, and to one of an older schema."""
    faults = []
    folder, options, database = places("empty")
    tenantry("migrate", *options)
    (folder / "secret.key").unlink()
    done = tenantry("doctor", *options)
    if done.returncode != 0 or (folder / "secret.key").exists():
        faults.append(f"doctor of an empty database: {done.returncode} {done.stderr[:300]}, or it made a key")
    if database.startswith("sqlite:"):
        mode = oct((folder / "empty.db").stat().st_mode & 0o777)
        faults += [] if mode == "0o600" else [f"the database's file has mode {mode}"]
    (folder / "secret.key").write_bytes(places.key.read_bytes())
    done = tenantry("restore", file, *options)
    if done.returncode != 0:
        faults.append(f"a restore after the doctor: {done.stderr[:300]}")
    sql = Sql(places.postgres, database)
    sql("DELETE FROM schema_migrations WHERE number = (SELECT max(number) FROM schema_migrations)")
    before = sql("SELECT number FROM schema_migrations ORDER BY number")
    _, _, target = places("of-older")
    commands = [("doctor", *options), ("backup", folder / "older.jsonl", *options), ("copy", "--from", database, "--to", target),
                ("organization", "list", *options)]
    if places.postgres:
        # A file is brought up to date by what writes to it; nodes may run on a server.
        commands += [("user-token", "create", "--email", "a@b.example", *options),
                     ("token", "revoke", "01a20011-44c7-4f64-8000-21a102c19d44", *options)]
    for arguments in commands:
        done = tenantry(*arguments)
        if done.returncode == 0 or OLDER not in done.stderr:
            faults.append(f"{arguments[0]} of an older schema: {done.returncode} {done.stderr[:300]}")
    if sql("SELECT number FROM schema_migrations ORDER BY number") != before or list(folder.glob("*.jsonl")):
        faults.append("who only reads changed the schema, or wrote a backup")
    mistyped = f"sqlite:{folder}/mistyped.db"
    for arguments in [("doctor",), ("backup", folder / "mistyped.jsonl"), ("organization", "list")]:
        done = tenantry(*arguments, "--database", mistyped)
        if done.returncode != 1 or "no such database" not in done.stderr or list(folder.glob("mistyped*")):
            faults.append(f"{arguments[0]} of no database: {done.returncode} {done.stderr[:300]}, or it made a file")
    return faults


def replacing_faults(tenantry, folder, source):
    """What a backup takes the place of: an older one alone."""
    faults = []
    folder = folder / "replaced"
    folder.mkdir()
    (folder / "file").write_text("an older one")
    (folder / "link").symlink_to(folder / "file")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    for name in ("link", "folder", "pipe"):
        kind = (folder / name).lstat().st_mode
        done = tenantry("backup", folder / name, "--database", source)
        if done.returncode != 1 or name not in done.stderr or (folder / name).lstat().st_mode != kind:
            faults.append(f"a {name}: {done.returncode} {done.stderr[:300]}, or it was replaced")
    if (folder / "file").read_text() != "an older one":
        faults.append("what a link leads to was replaced")
    done = tenantry("backup", folder / "file", "--database", source)
    if done.returncode != 0 or "tenantry-backup" not in (folder / "file").read_text().partition("\n")[0]:
        faults.append(f"an older one: {done.returncode} {done.stderr[:300]}")
    left = {path.name for path in folder.iterdir()} - {"file", "link", "folder", "pipe"}
    return faults + [f"it left {name}" for name in left]


def finding_faults(tenantry, places, file):
    """What the doctor ends with when it finds something, which is not what it ends with when it cannot look."""
    folder, options, database = places("broken")
    done = tenantry("restore", file, *options)
    if done.returncode != 0:
        return [f"restore: {done.stderr[:300]}"]
    Sql(places.postgres, database)("UPDATE tallies SET total = total + 1")
    faults = []
    done = tenantry("doctor", *options)
    if done.returncode != 3 or "counts are kept" not in done.stdout:
        faults.append(f"with a finding: {done.returncode} {done.stdout[:300]}{done.stderr[:300]}")
    (folder / "secret.key").unlink()
    done = tenantry("doctor", *options)
    if done.returncode != 1 or done.stdout:
        faults.append(f"without the key: {done.returncode} {done.stdout[:300]}{done.stderr[:300]}")
    return faults


def stopped_faults(tenantry, postgres, source, folder):
    """Stops a backup of a server's database while it waits for a table; what it leaves."""
    name = source.rpartition("/")[2]
    holder = subprocess.Popen([*postgres.psql(name)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        holder.stdin.write("BEGIN; LOCK TABLE mails IN ACCESS EXCLUSIVE MODE;\n")
        holder.stdin.flush()
        process = started("backup", folder / "stopped.jsonl", "--database", source)
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%mails%'"
        eventually(lambda: postgres.sql(waiting, name), 60, "the backup waits")
        drafts = list(folder.glob(".stopped.jsonl.*"))
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=COMMAND_SECONDS)[1]
    finally:
        holder.kill()
        holder.wait(60)
    left = list(folder.glob("*stopped.jsonl*")) + list(folder.glob(".stopped.jsonl*"))
    faults = [f"it left {path.name}" for path in left]
    if len(drafts) != 1 or process.returncode == 0:
        faults.append(f"{len(drafts)} drafts, status {process.returncode}: {told[:300]}")
    # What a killed one left is in nobody's way.
    (folder / ".stopped.jsonl.1").write_text("")
    done = tenantry("backup", folder / "stopped.jsonl", "--database", source)
    return faults + ([] if done.returncode == 0 else [f"then: {done.stderr[:300]}"])


def shown_on_a_terminal(*arguments):
    """What a command shows there on standard error, and its status."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([binary(), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    return process.wait(COMMAND_SECONDS), shown.decode("utf-8", "replace")


def progress_faults(places, source):
    """What a copy shows on its way: one line that changes on a terminal, else lines now and then."""
    faults = []
    _, _, target = places("shown")
    status, shown = shown_on_a_terminal("copy", "--from", source, "--to", target)
    bar, _, rest = shown.rpartition("\x1b[?7h")
    if status != 0 or "100%" not in bar or "[####" not in bar or "\n" in bar or " of " not in bar:
        faults.append(f"on a terminal: {status} {shown[:300]!r}")
    if "rows copied" not in rest:
        faults.append(f"after the bar: {rest[:300]!r}")
    _, _, target = places("logged")
    process = started("copy", "--from", source, "--to", target)
    told = process.communicate(timeout=COMMAND_SECONDS)[1]
    if process.returncode != 0 or "\x1b" in told or "copying: 100%" not in told or not 3 <= told.count("\n") <= 30:
        faults.append(f"in a log: {process.returncode} {told[:300]!r}")
    return faults
