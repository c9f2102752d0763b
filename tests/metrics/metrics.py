#!/usr/bin/env python3
"""Scrapes a live server, and asks a live Prometheus every question of the dashboard and of the rules.

- `promtool check metrics` accepts the scrape, and docs/OPERATIONS.md lists its metrics with their types.
- `promtool` accepts the rules of deploy/prometheus, and each alert fires where it should (alerts_test.yml).
- Prometheus scrapes the server in the format that it asks for. Every expression of deploy/grafana/tenantry.json and of
  the rules is valid and names metrics that the scrape has. Each expression of a panel has a result, unless it is about
  the other engine.
- A scrape is quick while clients write, and while another one never ends.

Runs on the engine of $TENANTRY_TEST_ENGINE. Needs `promtool` and `prometheus`.
"""
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/lib"))
from harness import TemporaryServer, eventually  # noqa: E402
from postgres import free_port  # noqa: E402

RULES = ROOT / "deploy/prometheus/alerts.yml"
DASHBOARD = ROOT / "deploy/grafana/tenantry.json"
ALERTS_TEST = Path(__file__).with_name("alerts_test.yml")
NAME = re.compile(r"\b(?:tenantry|process)_\w+\b")
SUFFIXES = ("_bucket", "_count", "_sum")
SQLITE_ALONE = ("tenantry_writer_", "tenantry_wal_")
POSTGRES_ALONE = ("tenantry_pool_", "tenantry_write_retries_")
SCRAPE_SECONDS = 1.0  # the longest that a scrape of a busy server may take


def fetch(url, accept=None):
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def promtool(*arguments, text=None):
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60,
                          check=False)
    if done.returncode != 0 or (text is not None and (done.stdout + done.stderr).strip()):
        raise AssertionError(f"promtool {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}")


def families(scrape):
    """Returns the types of the families in a scrape, by name."""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", scrape, re.MULTILINE))


def documented():
    """Returns the types of the metrics in the table of docs/OPERATIONS.md, by name."""
    text = (ROOT / "docs/OPERATIONS.md").read_text("utf-8").split("\n## Metrics\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`(?:tenantry|process)_[^|]*) \| (\w+) \|", text, re.MULTILINE)
    return {name: kind for names, kind in rows for name in re.findall(r"`([^`]+)`", names)}


def is_of_other_engine(text, engine):
    others = POSTGRES_ALONE if engine == "sqlite" else SQLITE_ALONE
    return any(prefix in text for prefix in others)


def check_documents(found, engine):
    expected = {name: kind for name, kind in documented().items() if not is_of_other_engine(name, engine)}
    if expected != found:
        raise AssertionError(f"docs/OPERATIONS.md and the scrape differ: {set(expected.items()) ^ set(found.items())}")


def panels():
    """Returns the title and the expressions of each panel, with the variables of Grafana replaced."""
    def concrete(expression):
        return expression.replace("$__rate_interval", "1m").replace("$instance", ".*")
    board = json.loads(DASHBOARD.read_text("utf-8"))
    return [(panel["title"], [concrete(target["expr"]) for target in panel["targets"]])
            for panel in board["panels"] if panel["type"] != "row"]


def check_names(text, found, what):
    """Fails when an expression names a metric that no scrape has."""
    for name in set(NAME.findall(re.sub(r"\b\w+:\w+(?::\w+)?", "", text))):
        base = next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)
        known = name in found or found.get(base) == "histogram"
        if not known:
            raise AssertionError(f"{what} names {name}, which no scrape has")


class Prometheus:
    """A Prometheus that scrapes one target every second."""

    def __init__(self, directory, target):
        self._directory = Path(directory)
        self._base = f"http://127.0.0.1:{free_port()}"
        shutil.copy(RULES, self._directory / "rules.yml")
        (self._directory / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "tenantry", "static_configs": [{"targets": [target]}]}],
        }))

    def __enter__(self):
        promtool("check", "config", str(self._directory / "prometheus.yml"))
        with open(self._directory / "log", "wb") as log:
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={self._directory}/prometheus.yml",
                 f"--storage.tsdb.path={self._directory}/data",
                 f"--web.listen-address={self._base.removeprefix('http://')}"], stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)

    def query(self, expression):
        """Returns the samples of an instant query. Fails when the expression is not valid."""
        url = f"{self._base}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        try:
            return json.loads(fetch(url))["data"]["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from None

    def get(self, path):
        return json.loads(fetch(self._base + path))["data"]

    def wait_for_samples(self, number):
        def has_samples():
            try:
                found = self.query('count_over_time(up{job="tenantry"}[1m])')
                return found and int(found[0]["value"][1]) >= number
            except (OSError, AssertionError):
                return False
        eventually(has_samples, 60, f"Prometheus has {number} samples; {(self._directory / 'log').read_text()[-2000:]}")


class Load(threading.Thread):
    """Requests of several kinds, until it is stopped."""

    def __init__(self, server):
        super().__init__(daemon=True)
        organization = server.cli.create_organization("metrics")["id"]
        self._connection = server.connect(server.cli.create_token(organization)["token"])
        self._stranger = server.connect("tenantry_nothing")
        self._stopped = threading.Event()
        self.customer = self._call("POST", "/v1/customers", {"type": "team", "email": "t@example.com"}).json()["id"]
        self._call("POST", "/v1/webhooks/endpoints", {
            "url": "https://hooks.example.com/", "format": "raw", "events": ["member.created"]})

    def _call(self, method, path, payload=None):
        answer = self._connection.call(method, path, payload)
        if answer.status >= 500:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.text}")
        return answer

    def run(self):
        number = 0
        while not self._stopped.wait(0.02):
            number += 1
            member = {"customer_id": self.customer, "email": f"m{number}@example.com", "name": "M"}
            self._call("POST", "/v1/members", member)
            self._call("GET", f"/v1/members?customer_id={self.customer}")
            self._call("GET", "/v1/nothing")
            self._stranger.call("GET", "/v2/ping")

    def stop(self):
        self._stopped.set()
        self.join(30)


def metrics_url(server):
    found = eventually(lambda: re.search(r"metrics listening.*?url=\"?(http://[^\s\"]+)", server.log(1000)), 10,
                       "the log has the address of the metrics")
    return found[1]


def check_quick(url):
    """Scrapes while a client that sends half a head holds a connection."""
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as silent:
        silent.sendall(b"GET /metrics HTTP/1.1\r\nHo")
        times = []
        for _ in range(20):
            begun = time.monotonic()
            fetch(url)
            times.append(time.monotonic() - begun)
    slowest = max(times)
    if slowest > SCRAPE_SECONDS:
        raise AssertionError(f"a scrape took {slowest:.2f} s")
    return slowest


def check_rules(directory):
    shutil.copy(RULES, directory)
    shutil.copy(ALERTS_TEST, directory)
    promtool("check", "rules", f"{directory}/{RULES.name}")
    promtool("test", "rules", f"{directory}/{ALERTS_TEST.name}")


def check_queries(prometheus, found, engine):
    """Asks every question of the dashboard and the rules. Returns the number of expressions."""
    known = dict(found)
    # What the other engine alone has is known by the table of the documents.
    known.update((name, kind) for name, kind in documented().items() if is_of_other_engine(name, engine))
    number = 0
    for title, expressions in panels():
        for expression in expressions:
            check_names(expression, known, f"the panel {title}")
            result = prometheus.query(expression)
            number += 1
            if not result and not is_of_other_engine(expression, engine):
                raise AssertionError(f"the panel {title} has no data: {expression}")
    recorded = set(re.findall(r"record: (\S+)", RULES.read_text("utf-8")))
    for group in prometheus.get("/api/v1/rules")["groups"]:
        for rule in group["rules"]:
            check_names(rule["query"], known, f"the rule {rule['name']}")
            prometheus.query(rule["query"])
            number += 1
            if rule["health"] != "ok":
                raise AssertionError(f"the rule {rule['name']}: {rule.get('lastError')}")
            if rule["name"] in recorded and not prometheus.query(rule["name"]):
                raise AssertionError(f"the rule {rule['name']} records nothing")
            if rule.get("state") == "firing":
                raise AssertionError(f"the alert {rule['name']} fires for a healthy server")
    return number


def main():
    for tool in ("promtool", "prometheus"):
        if not shutil.which(tool):
            raise SystemExit(f"no {tool}: install Debian's package prometheus")
    with tempfile.TemporaryDirectory(prefix="tenantry-metrics-") as directory:
        check_rules(directory)
        with TemporaryServer("--metrics-listen", "127.0.0.1:0") as server:
            url = metrics_url(server)
            engine = "sqlite" if server.database.startswith("sqlite") else "postgres"
            load = Load(server)
            load.start()
            with Prometheus(directory, urllib.parse.urlsplit(url).netloc) as prometheus:
                prometheus.wait_for_samples(5)
                scrape = fetch(url)
                promtool("check", "metrics", text=scrape)
                found = families(scrape)
                check_documents(found, engine)
                if not fetch(url, "application/openmetrics-text").endswith("# EOF\n"):
                    raise AssertionError("the scrape in the format of OpenMetrics has no end")
                slowest = check_quick(url)
                target = prometheus.get("/api/v1/targets")["activeTargets"][0]
                if target["health"] != "up":
                    raise AssertionError(f"Prometheus does not accept the scrape: {target['lastError']}")
                number = check_queries(prometheus, found, engine)
            load.stop()
    print(f"{engine}: {len(found)} metrics, {number} expressions, slowest scrape {slowest * 1000:.0f} ms")


if __name__ == "__main__":
    main()
