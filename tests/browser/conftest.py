"""A real server and a real Chromium: what people look at is proved by a browser, not by a status code.

Chromium is Debian's (`chromium`), or the program that $TENANTRY_CHROMIUM names. Every browser that a test opens
records what must not happen: errors in the console, scripts that throw, violations of the Content-Security-Policy, and
requests to another origin. A test that ends with one of these fails.
"""
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from harness import Server, TemporaryServer, eventually  # noqa: E402
from receiver import Receiver  # noqa: E402

from console import WAIT_SECONDS, Browsers, Console, launch_options  # noqa: E402

HOUR_AGO = "proved_at - 3600000000"


@pytest.fixture(scope="session")
def receiver():
    """The server that gets the webhooks."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def console(tmp_path_factory, receiver):
    """The server of most tests. Each test makes organizations of its own."""
    mails = tmp_path_factory.mktemp("mails")
    with TemporaryServer("--mail", f"dir:{mails}", "--webhook-http-host", receiver.host) as server:
        yield Console(server, mails)


@pytest.fixture(scope="session")
def server(console):
    return console.server


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def idle():
    """The browsers that no test uses now."""
    return {}


@pytest.fixture
def browse(chromium, console, idle):
    with Browsers(chromium, console, idle) as browsers:
        yield browsers


@pytest.fixture
def organization(console):
    return console.organization()


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def script(request):
    """Whether the browsers of a test run scripts."""
    return request.param


@pytest.fixture
def old_proof(tmp_path):
    """Makes the proof of every session on a server of its own an hour old, or something else by another change."""
    mails = tmp_path / "mails"
    server = Server(tmp_path, "--mail", f"dir:{mails}").start()
    console = Console(server, mails)

    def age(change=f"UPDATE user_tokens SET proved_at = {HOUR_AGO} WHERE proved_at IS NOT NULL"):
        address = server.base.removeprefix("http://")
        assert server.stop() == 0
        server.own_database.change(change)
        server.listen = address
        eventually(lambda: server.start(), WAIT_SECONDS, "the server starts again")

    console.age = age
    yield console
    server.stop()
    server.drop()
