"""Pytest fixtures that the suites of both Python SDKs share: a server, two organizations, and clients with tokens.

A suite's conftest.py imports these names and defines `connect`, which makes an SDK client for a token.
"""
import itertools
import tempfile
from pathlib import Path

import pytest

from harness import TemporaryServer

FEATURES = ("member_model_enabled", "seat_based_pricing_enabled")


@pytest.fixture(scope="session")
def server():
    """A server that writes its mail to the directory `server.mail`."""
    with tempfile.TemporaryDirectory(prefix="tenantry-mail-") as mail:
        with TemporaryServer("--mail", f"dir:{mail}", "--portal-url", "https://portal.example.com") as running:
            running.mail = Path(mail)
            yield running


@pytest.fixture(scope="session")
def organization(server):
    return server.cli.create_organization("python-sdk", "Python SDK", "founder@example.com", FEATURES)


@pytest.fixture(scope="session")
def other_organization(server):
    return server.cli.create_organization("python-other", "Python Other", "other@example.com", FEATURES)


@pytest.fixture(scope="session")
def client_with(server, organization, connect):
    """Makes an SDK client whose token has only these scopes."""
    return lambda *scopes: connect(server.cli.create_token(organization["id"], list(scopes))["token"])


@pytest.fixture(scope="session")
def polar(server, organization, connect):
    """An SDK client of the organization, with every scope."""
    return connect(server.cli.create_token(organization["id"])["token"])


@pytest.fixture(scope="session")
def other_polar(server, other_organization, connect):
    """An SDK client of the other organization, with every scope."""
    return connect(server.cli.create_token(other_organization["id"])["token"])


@pytest.fixture(scope="session")
def user_polar(server, organization, connect):
    """An SDK client of the user who owns the organization."""
    return connect(server.cli.create_user_token("founder@example.com")["token"])


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def unique():
    """Makes a word that is not in use."""
    return lambda word="word": f"{word}-{next(_numbers)}"


@pytest.fixture(scope="session")
def address(unique):
    """Makes an e-mail address that is not in use."""
    return lambda word="person": f"{unique(word)}@example.com"
