#!/usr/bin/env python3
"""Runs the server over HTTPS: the recorded exchanges by both versions of HTTP, certificates that are replaced under
load, a page's form, versions of TLS, and certificates that the server refuses at start.
"""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "lib"), str(TESTS / "golden")]
import replay as golden  # noqa: E402
from certificates import authority, certify  # noqa: E402
from harness import Connection, Server, TemporaryServer, binary, eventually  # noqa: E402
from http2 import Http2Connection  # noqa: E402

HOSTS = "DNS:localhost,IP:127.0.0.1"
CHANGE_SECONDS = 30
LOAD_THREADS = 3  # for each way to connect
REPLACED = "certificate replaced"
KEPT = "certificate not replaced, the one before stays in use"


class Files:
    """A certificate authority, and the files that a server reads its certificate from."""

    def __init__(self, directory):
        self._directory = directory
        self._root = authority(directory, "root")
        os.environ["SSL_CERT_FILE"] = str(self._root)
        self.certificate, self.key = directory / "server.pem", directory / "server.key"
        self.options = ("--tls-cert", str(self.certificate), "--tls-key", str(self.key))
        self._made = 0

    def make(self):
        """Makes a certificate that the server does not know yet; returns the paths of it and of its key."""
        self._made += 1
        certificate, key = certify(self._directory, self._root, f"made-{self._made}", HOSTS)
        key.chmod(0o600)
        return certificate, key

    def put(self, certificate, key):
        """Puts both in place, each at once, one after the other."""
        for source, target in ((certificate, self.certificate), (key, self.key)):
            draft = target.with_suffix(".new")
            shutil.copy(source, draft)
            draft.replace(target)


def same_answers(server, name, send):
    """The faults of the recorded exchanges, sent by `send`."""
    lines = (golden.HERE / "recording.jsonl").read_text("utf-8").splitlines()
    exchanges = [json.loads(line) for line in lines if line.strip()]
    bindings = golden.Bindings(golden.build_fixture(server, golden.load("fixture.json")))
    verdict = golden.judge(golden.replay(exchanges, bindings, send), golden.load("differences.json"))
    print(f"  {name}: {verdict.passed} passed, {len(verdict.failures)} failed, {verdict.skipped} skipped")
    faults = [line for failure in verdict.failures for line in failure]
    return faults if verdict.passed else [*faults, "no exchange passed"]


def by_http2(base):
    def send(method, path, headers, body):
        connection = Http2Connection(base)
        try:
            return connection.send(method, path, headers, body)
        finally:
            connection.close()
    return send


class Load(threading.Thread):
    """Sends requests until it is stopped, over one connection or over a new one for each."""

    def __init__(self, base, connect, is_kept):
        super().__init__()
        self._base, self._connect, self._is_kept = base, connect, is_kept
        self._is_over = threading.Event()
        self.answered, self.failure = 0, None

    def run(self):
        connection = None
        try:
            while not self._is_over.is_set():
                connection = connection or self._connect(self._base)
                answer = connection.send("GET", "/healthz")
                if answer.status != 200 or "strict-transport-security" not in answer.headers:
                    self.failure = f"{answer.status} {answer.headers}"
                    return
                self.answered += 1
                if not self._is_kept:
                    connection.close()
                    connection = None
        except OSError as error:
            self.failure = f"{type(error).__name__}: {error}"
        finally:
            if connection:
                connection.close()

    def end(self):
        self._is_over.set()
        self.join(60)
        kept = "one connection" if self._is_kept else "new connections"
        name = f"{self._connect.__name__}, {kept}"
        if self.is_alive() or self.failure or not self.answered:
            return [f"{name}: {self.failure or 'it sent nothing, or did not end'}"]
        return []


def serial_number(base):
    with closing(Http2Connection(base)) as connection:
        return connection.serial_number


def replaced_under_load(server, files):
    """Replaces the certificate in each way; the faults are those of requests that went on meanwhile."""
    load = [Load(server.base, connect, is_kept) for connect in (Connection, Http2Connection)
            for is_kept in (True, False) for _ in range(LOAD_THREADS)]
    for thread in load:
        thread.start()
    faults = []
    try:
        for has_signal in (True, False):
            before = serial_number(server.base)
            files.put(*files.make())
            if has_signal:
                os.kill(server.pid, signal.SIGHUP)
            eventually(lambda: serial_number(server.base) != before, CHANGE_SECONDS, "the new certificate is served")
        before, kept = serial_number(server.base), server.log(100_000).count(KEPT)
        files.put(files.make()[0], files.make()[1])
        eventually(lambda: server.log(100_000).count(KEPT) > kept, CHANGE_SECONDS, "the faulty certificate is logged")
        if serial_number(server.base) != before:
            faults.append("a certificate with the key of another is served")
        files.put(*files.make())
        eventually(lambda: serial_number(server.base) != before, CHANGE_SECONDS, "the mended certificate is served")
        if server.log(100_000).count(REPLACED) < 3:
            faults.append(f"the log does not have each replacement:\n{server.log()}")
    finally:
        faults += [fault for thread in load for fault in thread.end()]
    print(f"  {sum(thread.answered for thread in load)} requests went on meanwhile")
    return faults


def own_form(server):
    """A form is accepted from a page of the server alone, also where the host is no header."""
    faults = []
    for origin, is_own in ((server.base, True), ("https://evil.example", False)):
        with closing(Http2Connection(server.base)) as connection:
            answer = connection.send("POST", "/console/sign-in", {
                "origin": origin, "content-type": "application/x-www-form-urlencoded"}, b"email=ada%40example.com")
        if (answer.status == 403) == is_own:
            faults.append(f"a form from {origin} is answered {answer.status}")
    return faults


def versions(server):
    """TLS 1.2 and 1.3 are spoken, older versions are not."""
    address, faults = urlsplit(server.base), []
    for version, is_spoken in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                               (ssl.TLSVersion.TLSv1_3, True)):
        context = ssl.create_default_context()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        try:
            with socket.create_connection((address.hostname, address.port), timeout=30) as plain, \
                    context.wrap_socket(plain, server_hostname="localhost"):
                spoken = True
        except ssl.SSLError:
            spoken = False
        if spoken != is_spoken:
            faults.append(f"{version.name} is {'spoken' if spoken else 'refused'}")
    return faults


def refused_at_start(directory, files):
    """Each faulty pair of files is an error that names the file."""
    certificate, key = files.make()
    other = files.make()[1]
    readable = directory / "readable.key"
    shutil.copy(key, readable)
    readable.chmod(0o644)
    text = directory / "text.pem"
    text.write_text("no certificate\n")
    faults = []
    for options, expected in (
        ((certificate, None), "--tls-key"),
        ((None, key), "--tls-cert"),
        ((directory / "none.pem", key), "none.pem"),
        ((text, key), "text.pem: the file contains no certificate in PEM form"),
        ((certificate, text), "text.pem"),
        ((certificate, other), "the key is not that of the certificate"),
        ((certificate, readable), "readable.key: other users can read or change the key (mode 0644)"),
    ):
        arguments = [word for name, path in zip(("--tls-cert", "--tls-key"), options) if path
                     for word in (name, str(path))]
        result = subprocess.run([binary(), "serve", "--listen", "127.0.0.1:0", "--database",
                                 f"sqlite:{directory / 'refused.db'}", *arguments],
                                capture_output=True, text=True, timeout=60, check=False)
        if result.returncode != 2 or expected not in result.stderr:
            faults.append(f"{arguments}: exit status {result.returncode}: {result.stderr[-300:]}")
    return faults


def warnings(files):
    """Plain HTTP beyond this machine is a warning, unless a proxy is named."""
    faults = []
    for options, is_warned in (((), True), (("--trusted-proxy", "10.0.0.1"), False), (files.options, False)):
        with tempfile.TemporaryDirectory(prefix="tenantry-test-") as directory:
            server = Server(directory, *options, listen="0.0.0.0:0").start()
            server.stop()
            server.drop()
            if ("plain HTTP is served beyond this machine" in server.log(1_000)) != is_warned:
                faults.append(f"{options}: {'no warning' if is_warned else 'a warning'}\n{server.log()}")
    return faults


def main():
    faults = []

    def check(name, found):
        print(f"{name}: {'failed' if found else 'passed'}")
        faults.extend(f"{name}: {fault}" for fault in found)

    with tempfile.TemporaryDirectory(prefix="tenantry-test-tls-") as directory:
        files = Files(Path(directory))
        files.put(*files.make())
        for name, send_to in (("HTTP/1.1", golden.send_to), ("HTTP/2", by_http2)):
            with TemporaryServer(*files.options) as server:
                check(f"recorded exchanges by {name}", same_answers(server, name, send_to(server.base)))
        with TemporaryServer(*files.options) as server:
            check("certificates are replaced under load", replaced_under_load(server, files))
            check("forms of the server's own pages", own_form(server))
            check("versions of TLS", versions(server))
        check("faulty certificates are refused at start", refused_at_start(Path(directory), files))
        check("warnings of plain HTTP", warnings(files))
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
