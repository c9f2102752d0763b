"""Load at a fixed rate by bench/src/pace.rs, and what a server uses meanwhile."""
import json
import threading
from contextlib import contextmanager

from contenders import SAMPLE
from servers import Failed, run

# A rate that no server reaches, so that it answers as fast as it can.
UNREACHABLE = 1_000_000


def keep_pace(around, lines, rate, connections, windows, seconds):
    """Sends the requests of the lines in turn. Returns the figures of each window of so many seconds."""
    command = [around.reference.with_name("load"), "pace", round(rate), connections, windows, seconds]
    output = run(*command, input="".join(lines), seconds=windows * seconds + 120)
    figures = [json.loads(text) for text in output.splitlines()]
    if None in (window["p99_ms"] for window in figures):
        raise Failed(f"no request succeeded in a window: {figures}")
    return figures


def lines_of(plan):
    """A plan of wrk as lines for bench/src/main.rs, in the same proportions."""
    requests = [plan.requests[turn] for turn in plan.turns]
    return [line(plan.port, one, one.values[at % len(one.values)]) for at in range(SAMPLE) for one in requests]


def line(port, request, value=""):
    headers = [f"{name}: {text}" for name, text in request.headers.items()]
    url = f"http://127.0.0.1:{port}{request.path.replace('{v}', value)}"
    return "\t".join(["paced", "server", request.method, url, request.body, *headers]) + "\n"


def named(lines, prefix, other):
    """The lines with another prefix of the new names, because the numbers after it begin anew with each load."""
    return [text.replace(prefix, other) for text in lines]


@contextmanager
def sampled(measure, seconds=0.5):
    """Calls `measure()` at intervals during the block. Yields a list of what it returned."""
    values, ended = [measure()], threading.Event()

    def watch():
        while not ended.wait(seconds):
            values.append(measure())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield values
    finally:
        ended.set()
        watching.join()


class Verdicts:
    """The targets of a command and whether they were met."""

    def __init__(self):
        self.met = True
        self.figures = {}

    def add(self, name, value, limit, unit):
        met = value <= limit
        self.met = self.met and met
        self.figures[name] = {"measured": round(value, 3), "target": limit, "unit": unit, "met": met}
        print(f"{name:<68}{value:>10.2f} {unit:<6} at most {limit:g}: {'met' if met else 'MISSED'}", flush=True)

    def finish(self, save, name, **further):
        """Saves the figures where a folder was given, and returns whether all targets were met."""
        if save:
            save.mkdir(parents=True, exist_ok=True)
            (save / f"{name}.json").write_text(json.dumps({"targets": self.figures, **further}, indent=2) + "\n")
        return self.met
