"""Commands of `bench/run` that measure more than the speed of one binary: see bench/README.md."""
import argparse
import os
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from contenders import Surroundings
from servers import Failed, Postgres, end_commands, run

ROOT = Path(__file__).resolve().parent.parent.parent
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    command = parser.add_mutually_exclusive_group(required=True)
    command.add_argument("--rivals", action="store_true", help="Tenantry beside other servers, in under 20 minutes")
    command.add_argument("--steady", action="store_true", help="ten minutes at 70 %% of the highest speed")
    command.add_argument("--neighbours", action="store_true", help="999 quiet organizations beside one that floods")
    command.add_argument("--small", action="store_true", help="memory, size of the program, and time to start")
    parser.add_argument("--quick", action="store_true", help="less of everything, in under 4 minutes")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="write the figures here")
    return parser.parse_args()


def surroundings(target, running):
    """Builds what is missing, and starts PostgreSQL in a new folder."""
    # In the root, whose .cargo/config.toml says how SQLite is built.
    run("cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", ROOT / "bench/Cargo.toml",
        "--target-dir", target, cwd=ROOT, seconds=1800)
    tenantry = Path(os.environ.get("TENANTRY_BIN", ROOT / "target/release/tenantry")).resolve()
    if not tenantry.exists():
        raise Failed(f"no program at {tenantry}: build it, or name it with TENANTRY_BIN")
    # In the target directory and not in /tmp: /tmp may be in memory, where a durable write costs nothing.
    work = Path(tempfile.mkdtemp(prefix="run.", dir=target))
    running.callback(shutil.rmtree, work, ignore_errors=True)
    work.chmod(0o755)  # PostgreSQL runs as another user where this runs as root
    postgres = Postgres(work / "postgres")
    running.callback(postgres.stop)
    return Surroundings(work, target / "rivals", tenantry, target / "release/reference", postgres)


def end(*_):
    """Ends the run. Another signal does not disturb the end of the servers."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    end_commands()
    sys.exit(130)


def main():
    options = arguments()
    for number in ENDING:
        signal.signal(number, end)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target/bench")).resolve()
    target.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        around = surroundings(target, running)
        if options.rivals:
            from rivals import compare as command
        elif options.steady:
            from steady import steady as command
        elif options.neighbours:
            from neighbours import neighbours as command
        else:
            from small import small as command
        return 0 if command(around, running, options.quick, options.save) else 1


try:
    sys.exit(main())
except Failed as failure:
    sys.exit(f"bench/run: {failure}")
