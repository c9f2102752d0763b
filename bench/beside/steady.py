"""`bench/run --steady`: one load for ten minutes, at 70 % of what the server does at most for a minute.

A shorter measurement tells of a burst: until then, hardly any of the log has been written back.
"""
import machine
from contenders import started
from paced import UNREACHABLE, Verdicts, keep_pace, lines_of, named, sampled
from tenantries import TENANTRIES

CONNECTIONS = 64
PART = 0.7
# The p99 of the last minute relative to that of the second.
GROWTH = 1.3
MEMORY_MIB = 250
# SQLite's log: the bound of the writer, and what one transaction adds.
LOG_MIB = 320


def steady(around, running, quick, save):
    windows, seconds = (3, 15) if quick else (10, 60)
    verdicts, minutes = Verdicts(), {}
    for kind in TENANTRIES:
        with started(kind, around) as server:
            minutes[server.name] = one(server, windows, seconds, verdicts)
    return verdicts.finish(save, "steady", machine=machine.description(), windows=minutes)


def one(server, windows, seconds, verdicts):
    lines = lines_of(server.plans["mixed"])
    [most] = keep_pace(server.around, lines, UNREACHABLE, CONNECTIONS, 1, seconds)
    rate = PART * most["per_second"]
    lines = named(lines, "mixed-", "steady-")
    log = server.folder / "tenantry.db-wal"

    def used():
        return machine.memory_mib(server.process.pid), log.stat().st_size / 2**20 if log.exists() else 0

    with sampled(used) as uses:
        figures = keep_pace(server.around, lines, rate, CONNECTIONS, windows, seconds)
    print(f"{server.name}: {most['per_second']:,.0f} requests/s at most, {rate:,.0f} for {windows} x {seconds} s")
    for number, window in enumerate(figures, 1):
        print(f"  {number:>3}: {window['per_second']:>9,.0f}/s  p50 {window['p50_ms']:.2f}  p99 {window['p99_ms']:.2f}"
              f"  p99.9 {window['p999_ms']:.2f} ms  {window['failures']} failures {window['first_failure'] or ''}")
    growth = figures[-1]["p99_ms"] / figures[1]["p99_ms"]
    verdicts.add(f"{server.name}: p99 of the last minute to that of the second", growth, GROWTH, "")
    verdicts.add(f"{server.name}: failures", sum(window["failures"] for window in figures), 0, "")
    verdicts.add(f"{server.name}: memory", max(memory for memory, _ in uses), MEMORY_MIB, "MiB")
    if log.exists():
        verdicts.add(f"{server.name}: write-ahead log", max(size for _, size in uses), LOG_MIB, "MiB")
    return figures
