"""HAProxy with the configuration of deploy/haproxy, in which only the addresses are replaced."""
import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from postgres import free_port

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
HEAD_TIMEOUT_S, SLACK_S = 10, 5  # `timeout http-request` in the configuration
# A line of `option httplog`: the server, the status, the termination state, and the captured X-Attempt header.
LINE = re.compile(r" \S+ (?P<backend>\S+)/(?P<server>\S+) \S+ (?P<status>-?\d+) \d+ \S+ \S+ (?P<state>\S{4}) \S+ \S+"
                  r" \{(?P<attempt>[^}]*)\} \"")


def replace(lines, pattern, new):
    """Replaces the lines that match by the lines `new`. At least one line must match."""
    found = [number for number, line in enumerate(lines) if re.match(pattern, line)]
    if not found:
        raise RuntimeError(f"{CONFIGURATION} has no line like {pattern}")
    kept = [line for number, line in enumerate(lines) if number not in found]
    return kept[:found[0]] + new + kept[found[0]:]


def configuration(nodes, port):
    lines = CONFIGURATION.read_text("utf-8").splitlines()
    # Each attempt carries a name in X-Attempt, which the log then has, so that a test can tell where it was sent.
    lines = replace(lines, r"\s*bind ", [f"  bind 127.0.0.1:{port}", "  capture request header X-Attempt len 64"])
    servers = [line.split() for line in lines if line.split() and line.split()[0] == "server"]
    options = " ".join(servers[0][3:])
    lines = replace(lines, r"\s*server ", [f"  server node{index} {node.listen} {options}".rstrip()
                                           for index, node in enumerate(nodes)])
    # Debian's `global` section, except that it logs to standard output and has no control socket.
    section = ["global", "  maxconn 2000", "  log stdout format raw local0"]
    if os.geteuid() == 0 and any(user.pw_name == "haproxy" for user in pwd.getpwall()):
        section += ["  chroot /var/lib/haproxy", "  user haproxy", "  group haproxy"]
    return "\n".join(section + lines) + "\n"


class Balancer:
    """One HAProxy in front of some nodes."""

    def __init__(self, directory, nodes):
        self._log = Path(directory) / "haproxy.log"
        self._path = Path(directory) / "haproxy.cfg"
        self._port = free_port()
        self._path.write_text(configuration(nodes, self._port), "utf-8")
        self.base = f"http://127.0.0.1:{self._port}"
        self._process = None

    def start(self):
        program = shutil.which("haproxy") or "/usr/sbin/haproxy"  # /usr/sbin is not in every user's PATH
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen([program, "-db", "-f", str(self._path)], stdout=log, stderr=log)
        return self

    def stop(self):
        self._process.kill()
        self._process.wait(30)

    def slow_head_faults(self):
        """Sends a request head at one line a second; the balancer must end it after HEAD_TIMEOUT_S."""
        begun, lines = time.monotonic(), 0
        with socket.create_connection(("127.0.0.1", self._port), timeout=1) as client:
            try:
                client.sendall(b"GET /healthz HTTP/1.1\r\n")
                while time.monotonic() - begun < HEAD_TIMEOUT_S + SLACK_S:
                    try:
                        answer = client.recv(1024)
                    except socket.timeout:
                        client.sendall(b"X-Slow: head\r\n")
                        lines += 1
                        continue
                    if not lines:
                        return ["the connection ended before a second line was sent"]
                    if answer and not answer.startswith(b"HTTP/1.1 408 "):
                        return [f"a slow head is answered with {answer[:100]}, not 408"]
                    return []
            except ConnectionError:
                return [] if lines else ["the connection ended before a second line was sent"]
        return [f"an unfinished head was read for more than {HEAD_TIMEOUT_S + SLACK_S} s"]

    def attempts(self):
        """Returns {name of an attempt: (server that it was sent to, termination state)} from the log."""
        found = {}
        for line in self._log.read_text("utf-8", "replace").splitlines():
            match = LINE.search(line)
            if match:
                found[match["attempt"]] = (match["server"], match["state"])
        return found
