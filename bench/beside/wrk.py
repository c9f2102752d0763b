"""Load by wrk: plans of requests, and their measurement."""
import http.client
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from servers import run

SCRIPT = Path(__file__).with_name("requests.lua")
# Fewer answers than this say nothing about one in a thousand.
ENOUGH_FOR_P999 = 2000


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

    def measure(self, folder, connections, seconds, limit=None, check=False):
        """Loads the server. Returns the figures of requests.lua with `failures`, which is a text or None."""
        file = folder / "plan.lua"
        requests = ",\n".join(request.lua() for request in self.requests)
        file.write_text(
            f"return {{ number = {self.number}, limit = {limit or 'nil'}, check = {str(check).lower()},\n"
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
        wrong = {name: figures.pop(name) for name in ("above_399", "not_2xx", "broken", "late")}
        wrong = [f"{count} {name}" for name, count in wrong.items() if count]
        if not figures["answers"]:
            wrong.append("no answer")
        figures["failures"] = ", ".join(wrong) or None
        return figures


def ask(port, request):
    """Sends one request without placeholders and returns its status and its text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(request.method, request.path, request.body or None, request.all_headers())
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def ask_json(port, request):
    """The JSON of a 2xx answer."""
    status, text = ask(port, request)
    if not 200 <= status < 300:
        raise SystemExit(f"{request.method} {request.path} was answered with {status}: {text[:1000]}")
    return json.loads(text) if text else None
