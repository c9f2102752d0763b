"""Load by wrk: plans of requests, and their measurement."""
import http.client
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from servers import Failed, run

SCRIPT = Path(__file__).with_name("requests.lua")
# Fewer answers than this say nothing about one in a thousand.
ENOUGH_FOR_P999 = 2000
# What can be wrong, by the name that requests.lua has for it.
WRONG = {
    "above_399": "answers above 399", "not_2xx": "answers other than 2xx", "broken": "broken connections",
    "late": "answers later than 10 s",
}


@dataclass
class Request:
    """A request to send repeatedly. requests.lua explains the placeholders."""
    method: str
    path: str
    body: str = ""
    headers: dict = field(default_factory=dict)
    values: list = field(default_factory=lambda: [""])

    def all_headers(self):
        return ({"Content-Type": "application/json"} if self.body else {}) | self.headers

    def lua(self):
        pairs = ", ".join(f"[{quoted(name)}] = {quoted(value)}" for name, value in self.all_headers().items())
        everything = self.path + self.body + "".join(self.headers.values())
        counted = "true" if re.search(r"\{[in]\}", everything) else "false"
        body = quoted(self.body) if self.body else "nil"
        values = ", ".join(map(quoted, self.values))
        return (
            f"{{ method = {quoted(self.method)}, path = {quoted(self.path)}, headers = {{ {pairs} }}, "
            f"body = {body}, values = {{ {values} }}, counted = {counted} }}"
        )


def quoted(text):
    """A Lua string. JSON's escapes of printable text are Lua's as well."""
    return json.dumps(text, ensure_ascii=False)


@dataclass
class Plan:
    """Requests to the server on `port`, sent in the order of `turns` (their indexes from 0)."""
    port: int
    requests: list
    turns: list = field(default_factory=lambda: [0])
    number: int = 0  # the last number that was sent

    def measure(self, folder, connections, seconds, check=False):
        """Loads the server. Returns the figures of requests.lua with `failures`, which is a text or None."""
        file = folder / "plan.lua"
        requests = ",\n".join(request.lua() for request in self.requests)
        file.write_text(
            f"return {{ number = {self.number}, check = {str(check).lower()},\n"
            f"turns = {{ {', '.join(str(turn + 1) for turn in self.turns)} }},\nrequests = {{\n{requests}\n}} }}\n"
        )
        url = f"http://127.0.0.1:{self.port}/"
        load = ["wrk", "--threads", 1, "--connections", connections, "--duration", f"{seconds}s", "--timeout", "10s"]
        output = run(*load, "--latency", "--script", SCRIPT, url, "--", file, seconds=seconds + 60)
        figures = json.loads(re.search(r"^result (.*)$", output, re.MULTILINE)[1])
        self.number = int(figures.pop("number"))
        figures["per_second"] = figures["answers"] / figures["seconds"]
        if figures["answers"] < ENOUGH_FOR_P999:
            figures["p999_ms"] = None
        wrong = [f"{count} {text}" for name, text in WRONG.items() if (count := figures.pop(name))]
        if not figures["answers"]:
            wrong.append("no answer")
            figures |= {"p50_ms": None, "p99_ms": None}
        figures["failures"] = ", ".join(wrong) or None
        return figures


def exchange(connection, request):
    """Sends one request without placeholders and returns the text of the answer, which has to be a 2xx."""
    connection.request(request.method, request.path, request.body or None, request.all_headers())
    answer = connection.getresponse()
    text = answer.read().decode()
    if not 200 <= answer.status < 300:
        raise Failed(f"{request.method} {request.path} was answered with {answer.status}: {text[:1000]}")
    return text


def ask_json(port, request):
    """The JSON of a 2xx answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        text = exchange(connection, request)
    return json.loads(text) if text else None


def send_all(port, requests, connections=16):
    """Sends each request once. wrk cannot do it: it always takes its whole time."""
    ended = threading.Event()

    def send(some):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            for request in some:
                if ended.is_set():
                    break
                exchange(connection, request)

    with ThreadPoolExecutor(connections) as senders:
        try:
            for _ in senders.map(send, [requests[first::connections] for first in range(connections)]):
                pass
        finally:
            ended.set()
