#!/usr/bin/env python3
"""Starts the proxies of `deploy/` in front of a server, and has systemd check the unit.

In the configurations only addresses, ports and files are replaced. What is not installed is skipped, and said so; `ci`
installs it.
"""
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "lib"), str(TESTS / "cluster")]
from cluster import report  # noqa: E402
from harness import Server, binary, eventually  # noqa: E402
from postgres import free_port  # noqa: E402

DEPLOY = TESTS.parent / "deploy"
NAME = "api.example.com"
EXPOSURE = 20  # in tenths, of 100: the highest that `systemd-analyze security` may find
ALLOWED, OTHER = "127.0.0.2", "127.0.0.3"  # addresses of clients


def program(name):
    """The path of a program. /usr/sbin is not in every user's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def replaced(text, *replacements):
    """Replaces patterns, each of which must occur."""
    for pattern, new in replacements:
        text, count = re.subn(pattern, new, text, flags=re.MULTILINE)
        if not count:
            raise RuntimeError(f"the configuration has nothing like {pattern}")
    return text


def certificate(directory):
    """Creates a certificate for NAME, which clients trust as it is. Returns the files of certificate, key, and both."""
    cert, key, both = (directory / name for name in ("cert.pem", "key.pem", "both.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "1", "-subj", f"/CN={NAME}",
                    "-addext", f"subjectAltName=DNS:{NAME}"], check=True, capture_output=True)
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    return cert, key, both


class Client:
    """HTTPS requests to NAME on a port of this machine, from one address."""

    def __init__(self, port, cert):
        self._port, self._context = port, ssl.create_default_context(cafile=str(cert))

    def ask(self, path, token=None, source=ALLOWED, method="GET", body=None, headers=None):
        """Returns status and text of the answer."""
        connection = http.client.HTTPSConnection(NAME, self._port, timeout=30, context=self._context)
        connection.sock = self._context.wrap_socket(
            socket.create_connection(("127.0.0.1", self._port), 30, (source, 0)), server_hostname=NAME)
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            connection.request(method, path, body=body, headers={**sent, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def is_served(self):
        try:
            return self.ask("/healthz")[0] == 200
        except OSError:
            return False


def proxy_checks(name, client, server):
    """What must hold behind each proxy."""
    organization = server.cli.create_organization(f"{name}-proxy", owner_email=f"{name}@example.com")["id"]
    token = server.cli.create_token(organization)["token"]
    connection = server.connect(token)
    created = connection.call("POST", f"/v2/accounts/{organization}/api-keys",
                              {"label": "behind the proxy", "scopes": ["accounts:read"], "ip_allow_list": [ALLOWED]})
    connection.close()
    if created.status != 201:
        raise RuntimeError(f"{created.status} {created.text}")
    key, account = created.json()["secret_key"], f"/v2/accounts/{organization}"
    faults = {"requests arrive, by HTTPS": [], "the client's address is the one that the proxy sees": [],
              "/readyz is for the proxy alone": [], "large bodies are left to the server": []}

    def expect(title, status, found):
        if found[0] != status:
            faults[title].append(f"{found[0]} {found[1][:200]}, not {status}")

    first, address, ready, large = faults
    eventually(client.is_served, 30, f"{name} serves")
    expect(first, 200, client.ask("/v1/organizations/", token))
    expect(first, 401, client.ask("/v1/organizations/", "unknown"))
    expect(address, 200, client.ask(account, key))
    expect(address, 403, client.ask(account, key, OTHER))
    # An address that the client claims does not count.
    expect(address, 403, client.ask(account, key, OTHER, headers={"X-Forwarded-For": ALLOWED}))
    for path in ("/readyz", "/readyz/", "//readyz", "/%72eadyz"):
        found = client.ask(path)
        if found[0] == 200 or "ok" in found[1][:40]:
            faults[ready].append(f"{path}: {found[0]} {found[1][:100]}")
    found = client.ask("/v1/customers/", token, method="POST", body=b"x" * (2 << 20),
                       headers={"Content-Type": "application/json"})
    expect(large, 413, found)
    if not found[1].startswith("{"):
        faults[large].append(f"not the server's own answer: {found[1][:100]}")
    return [(f"{name}: {title}", found) for title, found in faults.items()]


def nginx_configuration(directory, port, server, cert, key):
    text = replaced((DEPLOY / "nginx" / "tenantry.conf").read_text("utf-8"), (r"listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
                    (r"/etc/ssl/\S+\.pem", str(cert)), (r"/etc/ssl/\S+\.key", str(key)),
                    (r"http://127\.0\.0\.1:8080", server.base))
    user = "user root;\n" if os.geteuid() == 0 else ""
    paths = "".join(f"  {kind}_temp_path {directory}/{kind};\n" for kind in
                    ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    path = directory / "nginx.conf"
    path.write_text(f"{user}daemon off;\npid {directory}/nginx.pid;\nerror_log {directory}/nginx.log;\nevents {{}}\n"
                    f"http {{\n  access_log off;\n{paths}{text}}}\n", "utf-8")
    return ["-p", str(directory), "-c", str(path)]


def haproxy_configuration(directory, port, server, both):
    text = replaced((DEPLOY / "haproxy" / "haproxy.cfg").read_text("utf-8"), (r"bind :443", f"bind 127.0.0.1:{port}"),
                    (r"/etc/haproxy/certificate\.pem", str(both)),
                    (r"server app1 \S+", f"server app1 {server.base.removeprefix('http://')}"),
                    (r"^  server app[23] .*\n?", ""))
    path = directory / "haproxy.cfg"
    path.write_text(f"global\n  log stdout format raw local0\n{text}", "utf-8")
    return ["-db", "-f", str(path)]


def check_proxy(name, directory):
    """Starts a server and the proxy in front of it, and returns the checks."""
    with ExitStack() as stack:
        server = Server(directory, "--trusted-proxy", "127.0.0.1")
        stack.callback(server.drop)
        server.start()
        stack.callback(server.stop)
        cert, key, both = certificate(directory)
        port = free_port()
        if name == "nginx":
            options = nginx_configuration(directory, port, server, cert, key)
        else:
            options = haproxy_configuration(directory, port, server, both)
        with open(directory / "proxy.log", "ab") as log:
            proxy = subprocess.Popen([program(name), *options], stdout=log, stderr=log)
        stack.callback(proxy.wait, 30)
        stack.callback(proxy.terminate)
        try:
            return proxy_checks(name, Client(port, cert), server)
        except (OSError, RuntimeError, TimeoutError) as error:
            return [(f"{name}: it ran to its end", [repr(error), (directory / "proxy.log").read_text("utf-8")[-1000:]])]


def check_unit(directory):
    """systemd's own checks of the unit, with the built program in place of the installed one."""
    unit = directory / "tenantry.service"
    unit.write_text(replaced((DEPLOY / "systemd" / "tenantry.service").read_text("utf-8"),
                             (r"^ExecStart=/usr/local/bin/tenantry", f"ExecStart={binary()}"),
                             (r"^User=tenantry", "User=daemon")), "utf-8")
    verified = subprocess.run(["systemd-analyze", "--no-pager", "verify", unit], capture_output=True, text=True, check=False)
    text = (verified.stdout + verified.stderr).strip()
    security = subprocess.run(["systemd-analyze", "--no-pager", "security", "--offline=true", f"--threshold={EXPOSURE}", unit],
                              capture_output=True, text=True, check=False)
    return [("systemd: the unit is valid", [text] if verified.returncode or text else []),
            (f"systemd: the exposure is at most {EXPOSURE / 10}",
             [security.stdout[-300:] + security.stderr] if security.returncode else [])]


def main():
    checks = []
    for name, check in (("systemd-analyze", check_unit), ("nginx", None), ("haproxy", None)):
        if not program(name):
            print(f"deploy: skipped: {name} is not installed")
            continue
        with tempfile.TemporaryDirectory(prefix="tenantry-deploy-") as directory:
            checks += check(Path(directory)) if check else check_proxy(name, Path(directory))
    return report("deploy", checks, {})


if __name__ == "__main__":
    sys.exit(main())
