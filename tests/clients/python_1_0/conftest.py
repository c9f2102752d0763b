"""A real server, an organization on it, and the published SDK 1.0 pointed at both.

Every test runs once for each API version that the server speaks and the SDK has.
"""
import importlib
import tempfile
import itertools
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
from harness import TemporaryServer  # noqa: E402

FEATURES = ("member_model_enabled", "seat_based_pricing_enabled")


@pytest.fixture(scope="session", params=["v2026_04", "v2026_10"])
def api(request):
    """The SDK's modules for one API version."""
    part = lambda name: importlib.import_module(f"polar.{request.param}{name}")
    return SimpleNamespace(Polar=part("").Polar, errors=part(".errors"), outputs=part(".outputs"),
                           webhooks=part(".webhooks"), version=part("").Polar.version)


@pytest.fixture(scope="session")
def server():
    with tempfile.TemporaryDirectory(prefix="tenantry-mail-") as mail:
        with TemporaryServer("--mail", f"dir:{mail}", "--portal-url", "https://portal.example.com") as running:
            running.mail = Path(mail)
            yield running


@pytest.fixture(scope="session")
def organization(server):
    return server.cli.create_organization("python-ten", "Python Ten", "founder@example.com", FEATURES)


@pytest.fixture(scope="session")
def other_organization(server):
    return server.cli.create_organization("python-ten-other", "Python Other", "other@example.com", FEATURES)


@pytest.fixture(scope="session")
def connect(server, api):
    """Makes an SDK client for a token."""
    return lambda token, **options: api.Polar(token, base_url=server.base, timeout=30, **options)


@pytest.fixture(scope="session")
def client_with(server, organization, connect):
    """Makes an SDK client that holds just these scopes."""
    return lambda *scopes: connect(server.cli.create_token(organization["id"], list(scopes))["token"])


@pytest.fixture(scope="session")
def polar(server, organization, connect):
    return connect(server.cli.create_token(organization["id"])["token"])


@pytest.fixture(scope="session")
def other_polar(server, other_organization, connect):
    return connect(server.cli.create_token(other_organization["id"])["token"])


@pytest.fixture(scope="session")
def user_polar(server, organization, connect):
    """A client of the person who owns the organization."""
    return connect(server.cli.create_user_token("founder@example.com")["token"])


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def unique():
    """Makes a word nobody used yet."""
    return lambda word="word": f"{word}-{next(_numbers)}"


@pytest.fixture(scope="session")
def address(unique):
    """Makes an e-mail address nobody used yet."""
    return lambda word="person": f"{unique(word)}@example.com"


@pytest.fixture
def team(polar, unique, address):
    """A team customer; its owner is its only member."""
    return polar.customers.create(type="team", name="A team", email=address("team"), external_id=unique("team"))


@pytest.fixture
def individual(polar, unique, address):
    return polar.customers.create(name="Someone", email=address("single"), external_id=unique("single"))


@pytest.fixture(scope="session")
def members_of(server, organization):
    """The members of a customer by role, asked without the SDK."""
    token = server.cli.create_token(organization["id"])["token"]

    def find(customer):
        connection = server.connect(token)
        try:
            found = connection.call("GET", f"/v1/members/?customer_id={customer.id}&limit=100").json()["items"]
        finally:
            connection.close()
        return {member["role"]: SimpleNamespace(**member) for member in found}

    return find


@pytest.fixture
def violations():
    """The places and kinds of a validation error."""
    return lambda caught: sorted((item.type, *item.loc) for item in caught.value.error.detail)
