"""The balancer of docs/OPERATIONS.md: its own text, with the addresses of a test."""
import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from postgres import free_port

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "OPERATIONS.md"
TITLE = "### 4. The balancer"
HEAD_S, SLACK_S = 10, 5  # for a head, as the document has it
# Of option httplog: where it went, how it ended, and what is captured.
LINE = re.compile(r" \S+ (?P<backend>\S+)/(?P<server>\S+) \S+ (?P<status>-?\d+) \d+ \S+ \S+ (?P<state>\S{4}) \S+ \S+"
                  r" \{(?P<attempt>[^}]*)\} \"")


def documented():
    """The lines of the configuration in the document, without its indentation."""
    text = DOCUMENT.read_text("utf-8")
    part = text[text.index(TITLE):]
    part = part[:part.index("\n### ", 1)]
    block = re.search(r"(?:^    .*\n|^\n)*^    backend .*\n(?:^    .*\n)*", part, re.MULTILINE)
    return [line[4:] for line in block.group().splitlines() if line.startswith("    ")]


def replaced(lines, pattern, new):
    """The lines with those that match in place of which `new` stands; there must be some."""
    found = [number for number, line in enumerate(lines) if re.match(pattern, line)]
    if not found:
        raise RuntimeError(f"{DOCUMENT} has no line like {pattern}")
    kept = [line for number, line in enumerate(lines) if number not in found]
    return kept[:found[0]] + new + kept[found[0]:]


def configuration(nodes, port):
    lines = documented()
    # A name of each attempt, to find in the log which node it was sent to.
    lines = replaced(lines, r"\s*bind ", [f"  bind 127.0.0.1:{port}", "  capture request header X-Attempt len 64"])
    servers = [line.split() for line in lines if line.split()[0] == "server"]
    options = " ".join(servers[0][3:])
    lines = replaced(lines, r"\s*server ", [f"  server node{index} {node.listen} {options}".rstrip()
                                            for index, node in enumerate(nodes)])
    # Debian's section, as far as a test can have it: what it logs is read here, and it has no control socket.
    section = ["global", "  maxconn 2000", "  log stdout format raw local0"]
    if os.geteuid() == 0 and any(user.pw_name == "haproxy" for user in pwd.getpwall()):
        section += ["  chroot /var/lib/haproxy", "  user haproxy", "  group haproxy"]
    return "\n".join(section + lines) + "\n"


class Balancer:
    """HAProxy before some nodes."""

    def __init__(self, directory, nodes):
        self._log = Path(directory) / "haproxy.log"
        self._path = Path(directory) / "haproxy.cfg"
        self._port = free_port()
        self._path.write_text(configuration(nodes, self._port), "utf-8")
        self.base = f"http://127.0.0.1:{self._port}"
        self._process = None

    def start(self):
        program = shutil.which("haproxy") or "/usr/sbin/haproxy"  # outside of the PATH of who is not root
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen([program, "-db", "-f", str(self._path)], stdout=log, stderr=log)
        return self

    def stop(self):
        self._process.kill()
        self._process.wait(30)

    def slow_head_faults(self):
        """What is wrong with how long the balancer reads a head of which a line comes every second."""
        begun, lines = time.monotonic(), 0
        with socket.create_connection(("127.0.0.1", self._port), timeout=1) as client:
            try:
                client.sendall(b"GET /healthz HTTP/1.1\r\n")
                while time.monotonic() - begun < HEAD_S + SLACK_S:
                    try:
                        answer = client.recv(1024)
                    except socket.timeout:
                        client.sendall(b"X-Slow: head\r\n")
                        lines += 1
                        continue
                    if not lines:
                        return ["no slow head is read at all"]
                    return [] if answer.startswith(b"HTTP/1.1 408 ") or not answer else [f"a slow head is answered {answer[:100]}"]
            except ConnectionError:
                return [] if lines else ["no slow head is read at all"]
        return [f"a head is read for more than {HEAD_S + SLACK_S} s"]

    def servers(self):
        """The number of the node that each attempt was sent to, by the attempt's name; and how it ended."""
        found = {}
        for line in self._log.read_text("utf-8", "replace").splitlines():
            match = LINE.search(line)
            if match:
                found[match["attempt"]] = (match["server"], match["state"])
        return found
