#!/usr/bin/env python3
"""Replays recorded exchanges against a real server and compares the answers.

    replay.py                                   starts a server and creates what fixture.json lists
    replay.py --base URL --bindings FILE        uses a running server; FILE maps recorded strings
                                                (tokens, ids) to those of that server

Every exchange is sent, in order, because later ones use what earlier ones created. `--names` selects the exchanges
whose answers count. differences.json lists the exchanges whose answer may differ, each with a reason. The list can
only shrink: an entry whose exchange agrees is a failure too.
"""
import argparse
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
from harness import Connection, TemporaryServer, eventually  # noqa: E402

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
SECRET = re.compile(r"(?:polar_[a-z]+_|whsec_)\w+")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")

# Fields that must be present, with any value: it depends on the server.
SERVER_SPECIFIC = frozenset({
    "avatar_url", "customer_portal_url", "secret", "token", "expires_at", "msg", "input", "ctx",
    "pledge_minimum_amount", "pledge_badge_show_amount",
})


class Bindings:
    """Maps recorded ids and secrets to those of the server under test."""

    def __init__(self, known=()):
        self._live = {}  # by the recorded string
        self._pattern = None  # compiled lazily from the keys of _live
        for recorded, live in dict(known).items():
            self._bind(recorded, live)

    def _bind(self, recorded, live):
        if recorded in self._live:
            return
        self._live[recorded] = live
        if UUID.fullmatch(recorded):
            self._live.setdefault(recorded.upper(), live.upper())
            self._live.setdefault(recorded.replace("-", ""), live.replace("-", ""))
        self._pattern = None

    def learn(self, recorded, live):
        """Binds the ids and secrets that are in the same place of a recorded and a live answer."""
        if isinstance(recorded, dict) and isinstance(live, dict):
            for name in recorded.keys() & live.keys():
                self.learn(recorded[name], live[name])
        elif isinstance(recorded, list) and isinstance(live, list):
            for pair in zip(recorded, live):
                self.learn(*pair)
        elif isinstance(recorded, str) and isinstance(live, str) and recorded != live:
            both_ids = UUID.fullmatch(recorded) and UUID.fullmatch(live)
            if both_ids or SECRET.fullmatch(recorded):
                self._bind(recorded, live)

    def translate(self, text):
        """Replaces every bound recorded string in a text."""
        if not self._live:
            return text
        if self._pattern is None:
            longest_first = sorted(self._live, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        return self._pattern.sub(lambda match: self._live[match.group()], text)


def excerpt(value):
    return json.dumps(value, ensure_ascii=False)[:80]


def body_differences(recorded, live, where="body"):
    """Returns how `live` differs from `recorded`. Additional fields in `live` are allowed."""
    if isinstance(recorded, dict):
        if not isinstance(live, dict):
            return [f"{where}: expected an object, got {excerpt(live)}"]
        found = []
        for name, value in recorded.items():
            if name not in live:
                found.append(f"{where}.{name}: missing")
            elif name not in SERVER_SPECIFIC:
                found += body_differences(value, live[name], f"{where}.{name}")
        return found
    if isinstance(recorded, list):
        if not isinstance(live, list):
            return [f"{where}: expected a list, got {excerpt(live)}"]
        if len(recorded) != len(live):
            return [f"{where}: expected {len(recorded)} items, got {len(live)}"]
        pairs = enumerate(zip(recorded, live))
        return [line for index, pair in pairs for line in body_differences(*pair, f"{where}[{index}]")]
    if isinstance(recorded, str) and TIMESTAMP.fullmatch(recorded):
        is_alike = isinstance(live, str) and TIMESTAMP.fullmatch(live)
        return [] if is_alike else [f"{where}: expected a timestamp, got {excerpt(live)}"]
    if type(recorded) is type(live) and recorded == live:
        return []
    return [f"{where}: expected {excerpt(recorded)}, got {excerpt(live)}"]


def violations(body):
    """Counts the (type, loc) of the items of a validation error; None for any other body."""
    detail = body.get("detail") if isinstance(body, dict) else None
    if not isinstance(detail, list):
        return None
    return Counter((str(item.get("type")), ".".join(map(str, item.get("loc", []))))
                   for item in detail if isinstance(item, dict))


def validation_differences(recorded, live):
    found = []
    error = live.get("error") if isinstance(live, dict) else None
    if error != recorded.get("error"):
        found.append(f"error: expected {excerpt(recorded.get('error'))}, got {excerpt(error)}")
    expected, actual = violations(recorded), violations(live) or Counter()
    found += [f"detail: missing {kind} at {loc}" for kind, loc in expected - actual]
    found += [f"detail: unexpected {kind} at {loc}" for kind, loc in actual - expected]
    return found


def parsed(text):
    """Returns the value of a JSON text and True, or None and False when it is not JSON."""
    try:
        return json.loads(text), True
    except ValueError:
        return None, False


def answer_differences(exchange, answer, bindings):
    """Returns how an answer differs from the recorded one. `expect` of the exchange overrides what is compared."""
    expect = exchange.get("expect", {})
    accepted = expect.get("status", [exchange["status"]])
    if answer.status not in accepted:
        return [f"status: expected {' or '.join(map(str, accepted))}, got {answer.status} {answer.text[:160]}"]
    if answer.status != exchange["status"] or not expect.get("body", True):
        return []
    recorded, has_json = parsed(bindings.translate(exchange["response_body"]))
    if not has_json:
        return []
    live, is_json = parsed(answer.text)
    if not is_json:
        return [f"body: expected JSON, got {answer.text[:80]!r}"]
    media_type = answer.headers.get("content-type", "")
    if "json" not in media_type:
        return [f"media type: expected JSON, got {media_type!r}"]
    if answer.status == 422 and violations(recorded) is not None:
        return validation_differences(recorded, live)
    return body_differences(recorded, live)


def replay(exchanges, bindings, send):
    """Sends each exchange with `send(method, path, headers, body)` and yields it with its differences."""
    for exchange in exchanges:
        if not exchange.get("send", True):
            continue
        body = exchange["request_body"]
        headers = {name: bindings.translate(value) for name, value in exchange["request_headers"].items()}
        try:
            answer = send(exchange["method"], bindings.translate(exchange["path"]), headers,
                          None if body is None else bindings.translate(body).encode())
        except OSError as error:
            yield exchange, [f"no answer: {error}"]
            continue
        if 200 <= answer.status < 300:
            bindings.learn(parsed(exchange["response_body"])[0], parsed(answer.text)[0])
        yield exchange, answer_differences(exchange, answer, bindings)


@dataclass
class Verdict:
    passed: int
    skipped: int
    failures: list


def judge(outcomes, known, is_selected=lambda name: True):
    """Compares (exchange, differences) with the entries of differences.json and returns the verdict."""
    verdict = Verdict(0, 0, [])
    listed = {(entry.get("n"), entry.get("name")): entry for entry in known}
    seen = set()
    for exchange, differences in outcomes:
        key = (exchange["n"], exchange["name"])
        seen.add(key)
        if not is_selected(exchange["name"]):
            continue
        title = f"#{key[0]} {key[1]}"
        if differences and key in listed:
            verdict.skipped += 1
        elif differences:
            verdict.failures.append([f"{title}: {difference}" for difference in differences])
        elif key in listed:
            verdict.failures.append([f"{title}: agrees now, remove it from differences.json"])
        else:
            verdict.passed += 1
    for entry in known:
        key = (entry.get("n"), entry.get("name"))
        if not str(entry.get("reason") or "").strip():
            verdict.failures.append([f"#{key[0]} {key[1]}: listed in differences.json without a reason"])
        if key not in seen:
            verdict.failures.append([f"#{key[0]} {key[1]}: listed in differences.json, but no such exchange is sent"])
    return verdict


def build_fixture(server, fixture):
    """Creates the organizations and tokens that the recording needs; returns {recorded string: live string}."""
    names = {}
    for organization in fixture["organizations"]:
        features = [name for name, is_on in organization["feature_settings"].items() if is_on]
        created = server.cli.create_organization(organization["slug"], organization["name"],
                                                 organization["owner_email"], features)
        names[organization["recorded"]] = created["id"]
    expired = []
    for token in fixture["tokens"]:
        scopes = None if token["scopes"] == "all" else token["scopes"]
        expires_in = "1s" if token.get("expired") else None
        secret = server.cli.create_token(token["organization"], scopes, expires_in)["token"]
        names[token["recorded"]] = secret
        if expires_in:
            expired.append(secret)
    for token in fixture["user_tokens"]:
        names[token["recorded"]] = server.cli.create_user_token(token["user"])["token"]
    for token in expired:
        eventually(lambda: server.connect(token).call("GET", "/v1/organizations/").status == 401, 15,
                   "a token that lives one second expires")
    return names


def send_to(base):
    def send(method, path, headers, body):
        connection = Connection(base)
        try:
            return connection.send(method, path, headers, body)
        finally:
            connection.close()
    return send


def load(name):
    return json.loads((HERE / name).read_text("utf-8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--names", default="all",
                        help="check only exchanges whose name begins with one of these, such as auth,member,org")
    parser.add_argument("--base", help="URL of a running server; needs --bindings")
    parser.add_argument("--bindings", help="JSON file that maps recorded strings to those of the running server")
    options = parser.parse_args()
    if bool(options.base) != bool(options.bindings):
        parser.error("--base and --bindings must be given together")
    prefixes = () if options.names == "all" else tuple(filter(None, options.names.split(",")))
    lines = (HERE / "recording.jsonl").read_text("utf-8").splitlines()
    exchanges = [json.loads(line) for line in lines if line.strip()]

    def run(base, names):
        return judge(replay(exchanges, Bindings(names), send_to(base)), load("differences.json"),
                     lambda name: not prefixes or name.startswith(prefixes))

    if options.base:
        verdict = run(options.base, json.loads(Path(options.bindings).read_text("utf-8")))
    else:
        with TemporaryServer() as server:
            verdict = run(server.base, build_fixture(server, load("fixture.json")))
    for failure in verdict.failures:
        print("\n".join(failure))
    print(f"golden: {verdict.passed} passed, {len(verdict.failures)} failed, {verdict.skipped} skipped")
    return 1 if verdict.failures or not verdict.passed + verdict.skipped else 0


if __name__ == "__main__":
    sys.exit(main())
