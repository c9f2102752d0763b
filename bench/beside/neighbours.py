"""`bench/run --neighbours`: 999 quiet organizations, alone and beside one that floods. Limits are the default ones."""
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median

import machine
from contenders import started
from paced import Verdicts, keep_pace, line, named
from tenantries import TENANTRIES
from wrk import Request, ask_json

QUIET = 999
# Requests per second of each quiet organization, and of the one that floods: 30 times the default limit.
QUIET_RATE, FLOOD_RATE = 1, 3_000
# The p99 of the quiet ones beside the flood, relative to that alone.
GROWTH = 2


class Receiver(BaseHTTPRequestHandler):
    """Accepts the webhooks of the organization that floods."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):  # noqa: N802
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def neighbours(around, running, quick, save):
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    running.callback(receiver.shutdown)
    verdicts, rounds = Verdicts(), {}
    for kind in TENANTRIES:
        with started(kind, around) as server:
            rounds[server.name] = one(server, receiver.server_port, quick, verdicts)
    return verdicts.finish(save, "neighbours", machine=machine.description(), rounds=rounds)


def one(server, receiver, quick, verdicts):
    organizations = QUIET // 9 if quick else QUIET
    slugs = [f"quiet-{number}" for number in range(organizations)]
    with ThreadPoolExecutor(2) as makers:
        callers = [headers for _, headers in makers.map(server.make_organization, slugs)]
    url = f"http://127.0.0.1:{receiver}/"
    server.process.stop()
    server.serve("--webhook-http-host", f"127.0.0.1:{receiver}")
    hook = {"url": url, "format": "raw", "events": ["member.created", "organization.updated"]}
    server.ask("POST", "/v1/webhooks/endpoints", json.dumps(hook))
    lines = quiet_lines(server, callers)
    flood = flood_lines(server)
    rounds = []
    for number in range(1 if quick else 3):
        def quiet(when):
            requests = named(lines, "quiet-", f"{when}-{number}-")
            return keep_pace(server.around, requests, organizations * QUIET_RATE, 64, 1, 10)[0]

        alone = quiet("alone")
        with ThreadPoolExecutor(1) as beside:
            requests = named(flood, "new-", f"flood-{number}-")
            flooding = beside.submit(keep_pace, server.around, requests, FLOOD_RATE, 64, 1, 12)
            flooded = quiet("flooded")
            answered = flooding.result()[0]
        rounds.append({"alone": alone, "flooded": flooded, "flood": answered})
        print(f"{server.name}: the flood: {answered['per_second']:,.0f} of {FLOOD_RATE:,} a second got a 2xx")
        for name, figures in (("alone", alone), ("beside the flood", flooded)):
            print(f"{server.name}: {name}: p50 {figures['p50_ms']:.2f}, p99 {figures['p99_ms']:.2f} ms, "
                  f"{figures['failures']} failures {figures['first_failure'] or ''}")
    p99 = [median(one[name]["p99_ms"] for one in rounds) for name in ("alone", "flooded")]
    verdicts.add(f"{server.name}: p99 of the quiet beside the flood, to that alone", p99[1] / p99[0], GROWTH, "")
    failures = sum(one[name]["failures"] for one in rounds for name in ("alone", "flooded"))
    verdicts.add(f"{server.name}: failures of the quiet", failures, 0, "")
    return rounds


def quiet_lines(server, callers):
    """Ten requests of each organization, of which one writes."""
    prepared = []
    for headers in callers:
        team = Request("POST", "/v1/customers/", '{"type":"team","email":"team@example.com"}', headers)
        customer = ask_json(server.port, team)["id"]
        body = f'{{"customer_id":"{customer}","email":"quiet-{{n}}@example.com"}}'
        first = Request("POST", "/v1/members/", body.replace("{n}", "first"), headers)
        member = ask_json(server.port, first)["id"]
        prepared.append((headers, customer, member, body))
    lines = []
    for turn in range(10):
        for headers, customer, member, body in prepared:
            get = Request("GET", f"/v1/members/{member}", headers=headers)
            page = Request("GET", f"/v1/members/?customer_id={customer}&limit=10", headers=headers)
            create = Request("POST", "/v1/members/", body, headers)
            lines.append(line(server.port, create if turn == 9 else page if turn % 3 == 2 else get))
    return lines


def flood_lines(server):
    """Creates with webhooks, changes, searches, lists and exports."""
    export = Request("GET", "/v1/customers/export", headers=server.headers)
    names = ("create", "search", "create", "patch_organization", "list", "get_by_id")
    requests = [server.plans[name].requests[0] for name in names]
    return [line(server.port, one, one.values[0]) for one in [*requests * 3, export]]
