"""A real server and a real Chromium: what people look at is proved by a browser, not by a status code.

Chromium is Debian's (`chromium`), or the program that $TENANTRY_CHROMIUM names. Every page records what must not
happen: errors in the console, scripts that throw, violations of the Content-Security-Policy, and requests to
another origin. A test that ends with one of these fails.
"""
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from harness import TemporaryServer  # noqa: E402

WAIT_MS = 60_000


@pytest.fixture(scope="session")
def server():
    with TemporaryServer() as running:
        yield running


@pytest.fixture(scope="session")
def chromium():
    program = os.environ.get("TENANTRY_CHROMIUM") or shutil.which("chromium")
    if not program:
        pytest.fail("no chromium: install Debian's package, or set TENANTRY_CHROMIUM")
    # A browser in a container has no namespace of its own for its sandbox when it runs as root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def page(chromium, server, request):
    """A page in each colour scheme, with everything that must not happen collected in `page.faults`."""
    context = chromium.new_context(base_url=server.base, color_scheme=request.param)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.faults = []
    own = urlsplit(server.base).netloc

    def requested(sent):
        if sent.url.startswith(("http:", "https:")) and urlsplit(sent.url).netloc != own:
            page.faults.append(f"a request to another origin: {sent.url}")

    def logged(message):
        if message.type in ("error", "warning"):
            page.faults.append(f"{message.type} in the console: {message.text}")

    page.on("request", requested)
    page.on("console", logged)
    page.on("pageerror", lambda error: page.faults.append(f"a script failed: {error}"))
    page.on("requestfailed", lambda sent: page.faults.append(f"a request failed: {sent.url}"))
    yield page
    faults = list(page.faults)
    context.close()
    assert faults == []
