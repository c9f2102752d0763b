"""Checks of administrative commands that are killed or stopped halfway, and of commands that must not write."""
import os
import pty
import signal
import sqlite3
import subprocess
from contextlib import closing

from harness import binary, eventually

# A restore or copy that has begun and not finished leaves this row.
UNFINISHED_MARK = "SELECT count(*) FROM installation WHERE name = 'unfinished_load'"
# The advice in the error of a command that finds an older schema.
OLDER_SCHEMA_ADVICE = "run `tenantry migrate`"
COMMAND_SECONDS = 120

# Triggers that make every insert of a member wait until the client is killed.
SLOW_SQLITE = """CREATE TRIGGER slow BEFORE INSERT ON members BEGIN SELECT count(*) FROM (
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n); END"""
SLOW_POSTGRES = """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
    CREATE TRIGGER slow BEFORE INSERT ON members FOR EACH ROW EXECUTE FUNCTION slow()"""


class Sql:
    """Runs SQL directly on a database of either engine and returns its rows as lines, with columns separated by |."""

    def __init__(self, postgres, database):
        self._postgres, self._database = postgres, database

    def __call__(self, sql):
        if self._postgres:
            return self._postgres.sql(sql, self._database.rpartition("/")[2])
        with closing(sqlite3.connect(self._database.removeprefix("sqlite:"), timeout=60)) as connection, connection:
            return ["|".join(map(str, row)) for row in connection.execute(sql)]

    def block_member_inserts(self):
        self(SLOW_POSTGRES if self._postgres else SLOW_SQLITE)


def start(*arguments, **options):
    return subprocess.Popen([binary(), *map(str, arguments)], stderr=subprocess.PIPE, text=True, **options)


def killed_faults(tenantry, targets, file, source):
    """Kills a restore and a copy halfway, and checks that every command then refuses the database."""
    faults = []
    for name, command in [("restore", lambda options, _: ("restore", file, *options)),
                          ("copy", lambda _, target: ("copy", "--from", source, "--to", target))]:
        _, options, database = targets.create(f"killed-{name}")
        sql = Sql(targets.postgres, database)
        tenantry("migrate", *options)
        sql.block_member_inserts()
        process = start(*command(options, database))
        try:
            eventually(lambda sql=sql, process=process: process.poll() is not None or sql(UNFINISHED_MARK) == ["1"]
                       and sql("SELECT count(*) FROM users") != ["0"], 60, f"the {name} has begun and written rows")
            if process.poll() is not None:
                faults.append(f"{name}: it ended before it could be killed: {process.stderr.read()[:300]}")
        finally:
            process.kill()
            process.communicate(timeout=COMMAND_SECONDS)
        for refused, arguments in [("serve", ("serve", "--listen", "127.0.0.1:0", *options)), ("doctor", ("doctor", *options)),
                                   ("backup", ("backup", "-", *options)), ("restore", ("restore", file, *options)),
                                   ("organization", ("organization", "list", *options)),
                                   ("copy", ("copy", "--from", source, "--to", database))]:
            result = tenantry(*arguments)
            if result.returncode != 1 or "new, empty database" not in result.stderr:
                faults.append(f"{refused} after a killed {name}: exit status {result.returncode} {result.stderr[:300]}")
    return faults


def read_only_faults(tenantry, targets, file):
    """Checks that commands that only read change neither an empty database, nor an older schema, nor create a file."""
    faults = []
    folder, options, database = targets.create("empty")
    tenantry("migrate", *options)
    (folder / "secret.key").unlink()
    result = tenantry("doctor", *options)
    if result.returncode != 0:
        faults.append(f"doctor on an empty database: exit status {result.returncode} {result.stderr[:300]}")
    if (folder / "secret.key").exists():
        faults.append("doctor created a secret key")
    if database.startswith("sqlite:"):
        mode = oct((folder / "empty.db").stat().st_mode & 0o777)
        faults += [] if mode == "0o600" else [f"the database file has mode {mode}"]
    (folder / "secret.key").write_bytes(targets.key.read_bytes())
    (folder / "secret.key").chmod(0o600)  # no other user may read a key
    result = tenantry("restore", file, *options)
    if result.returncode != 0:
        faults.append(f"a restore after the doctor: {result.stderr[:300]}")
    sql = Sql(targets.postgres, database)
    sql("DELETE FROM schema_migrations WHERE number = (SELECT max(number) FROM schema_migrations)")
    before = sql("SELECT number FROM schema_migrations ORDER BY number")
    _, _, target = targets.create("of-older")
    commands = [("doctor", *options), ("backup", folder / "older.jsonl", *options), ("copy", "--from", database, "--to", target),
                ("organization", "list", *options)]
    if targets.postgres:
        # A command that writes migrates a SQLite file, but not a PostgreSQL database: older nodes may use it.
        commands += [("user-token", "create", "--create-user", "--email", "a@b.example", *options),
                     ("token", "revoke", "01a20011-44c7-4f64-8000-21a102c19d44", *options)]
    for arguments in commands:
        result = tenantry(*arguments)
        if result.returncode == 0 or OLDER_SCHEMA_ADVICE not in result.stderr:
            faults.append(f"{arguments[0]} on an older schema: exit status {result.returncode} {result.stderr[:300]}")
    if sql("SELECT number FROM schema_migrations ORDER BY number") != before:
        faults.append("a command that only reads changed the schema")
    if list(folder.glob("*.jsonl")):
        faults.append("a refused backup wrote a file")
    mistyped = f"sqlite:{folder}/mistyped.db"
    for arguments in [("doctor",), ("backup", folder / "mistyped.jsonl"), ("organization", "list")]:
        result = tenantry(*arguments, "--database", mistyped)
        if result.returncode != 1 or "does not exist" not in result.stderr:
            faults.append(f"{arguments[0]} on a missing database: exit status {result.returncode} {result.stderr[:300]}")
        if list(folder.glob("mistyped*")):
            faults.append(f"{arguments[0]} on a missing database created a file")
    return faults


def overwrite_faults(tenantry, folder, source):
    """Checks that a backup replaces an older backup, but no other file, link, directory or pipe."""
    faults = []
    folder = folder / "replaced"
    folder.mkdir()
    older = '{"format":"tenantry-backup","version":1}\n'
    (folder / "file").write_text(older)
    (folder / "other").write_text("no backup")
    (folder / "link").symlink_to(folder / "file")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    for name in ("link", "folder", "pipe", "other"):
        kind = (folder / name).lstat().st_mode
        result = tenantry("backup", folder / name, "--database", source)
        if result.returncode != 1 or name not in result.stderr:
            faults.append(f"a backup to a {name}: exit status {result.returncode} {result.stderr[:300]}")
        if (folder / name).lstat().st_mode != kind:
            faults.append(f"a backup replaced a {name}")
    if (folder / "file").read_text() != older or (folder / "other").read_text() != "no backup":
        faults.append("a backup replaced the target of a link, or a file that is no backup")
    result = tenantry("backup", folder / "file", "--database", source)
    if result.returncode != 0 or (folder / "file").read_text() == older:
        faults.append(f"an older backup was not replaced: exit status {result.returncode} {result.stderr[:300]}")
    others = {path.name for path in folder.iterdir()} - {"file", "link", "folder", "pipe", "other"}
    return faults + [f"a backup left the file {name}" for name in others]


def doctor_status_faults(tenantry, targets, file):
    """Checks the exit status of the doctor: 3 when it finds something wrong, 1 when it cannot do its checks."""
    folder, options, database = targets.create("broken")
    result = tenantry("restore", file, *options)
    if result.returncode != 0:
        return [f"restore: {result.stderr[:300]}"]
    Sql(targets.postgres, database)("UPDATE row_counters SET row_count = row_count + 1")
    faults = []
    result = tenantry("doctor", *options)
    if result.returncode != 3 or "exact counters" not in result.stdout:
        faults.append(f"with a finding: exit status {result.returncode} {result.stdout[:300]}{result.stderr[:300]}")
    (folder / "secret.key").unlink()
    result = tenantry("doctor", *options)
    if result.returncode != 1 or result.stdout:
        faults.append(f"without the key: exit status {result.returncode} {result.stdout[:300]}{result.stderr[:300]}")
    return faults


def interrupted_backup_faults(tenantry, postgres, source, folder):
    """Stops a backup of a PostgreSQL database with SIGTERM while it waits for a lock; it must leave no file."""
    name = source.rpartition("/")[2]
    holder = subprocess.Popen([*postgres.psql(name)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        holder.stdin.write("BEGIN; LOCK TABLE mails IN ACCESS EXCLUSIVE MODE;\n")
        holder.stdin.flush()
        process = start("backup", folder / "stopped.jsonl", "--database", source)
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%mails%'"
        eventually(lambda: postgres.sql(waiting, name), 60, "the backup waits for the lock")
        drafts = list(folder.glob(".stopped.jsonl.*"))
        process.send_signal(signal.SIGTERM)
        errors = process.communicate(timeout=COMMAND_SECONDS)[1]
    finally:
        holder.kill()
        holder.wait(60)
    remaining = list(folder.glob("*stopped.jsonl*")) + list(folder.glob(".stopped.jsonl*"))
    faults = [f"the stopped backup left {path.name}" for path in remaining]
    if len(drafts) != 1 or process.returncode == 0:
        faults.append(f"{len(drafts)} unfinished files, exit status {process.returncode}: {errors[:300]}")
    # An unfinished file that a killed backup left must not disturb the next backup.
    (folder / ".stopped.jsonl.1").write_text("")
    result = tenantry("backup", folder / "stopped.jsonl", "--database", source)
    return faults + ([] if result.returncode == 0 else [f"the next backup failed: {result.stderr[:300]}"])


def run_on_terminal(*arguments):
    """Runs a command with a terminal as its standard error; returns the exit status and the output there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([binary(), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # the command has closed its end
        pass
    finally:
        os.close(ours)
    return process.wait(COMMAND_SECONDS), shown.decode("utf-8", "replace")


def progress_faults(targets, source):
    """Checks the progress that a copy shows: a progress bar on a terminal, and a few lines in a log."""
    faults = []
    _, _, target = targets.create("terminal")
    status, shown = run_on_terminal("copy", "--from", source, "--to", target)
    bar, _, rest = shown.rpartition("\x1b[?7h")
    if status != 0 or "100%" not in bar or "[####" not in bar or "\n" in bar or " of " not in bar:
        faults.append(f"on a terminal: exit status {status}, {shown[:300]!r}")
    if "copied and verified" not in rest:
        faults.append(f"after the progress bar: {rest[:300]!r}")
    _, _, target = targets.create("log")
    process = start("copy", "--from", source, "--to", target)
    errors = process.communicate(timeout=COMMAND_SECONDS)[1]
    if process.returncode != 0 or "\x1b" in errors or "copying: 100%" not in errors or not 3 <= errors.count("\n") <= 30:
        faults.append(f"in a log: exit status {process.returncode}, {errors[:300]!r}")
    return faults
