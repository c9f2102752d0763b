"""The published SDK 1.0 as a client of a real server.

Every test runs once for each API version that both the server and the SDK know.
"""
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
from sdk_fixtures import (address, client_with, organization, other_organization, other_polar, polar,  # noqa: E402, F401
                          server, unique, user_polar)


@pytest.fixture(scope="session", params=["v2026_04", "v2026_10"])
def api(request):
    """The modules of the SDK for one API version."""
    def module(name):
        return importlib.import_module(f"polar.{request.param}{name}")
    return SimpleNamespace(Polar=module("").Polar, errors=module(".errors"), outputs=module(".outputs"),
                           webhooks=module(".webhooks"), version=module("").Polar.version)


@pytest.fixture(scope="session")
def connect(server, api):  # noqa: F811
    """Makes an SDK client for a token."""
    return lambda token, **options: api.Polar(token, base_url=server.base, timeout=30, **options)


@pytest.fixture
def team(polar, unique, address):  # noqa: F811
    """A team customer, whose owner is its only member."""
    return polar.customers.create(type="team", name="A team", email=address("team"), external_id=unique("team"))


@pytest.fixture
def individual(polar, unique, address):  # noqa: F811
    return polar.customers.create(name="Someone", email=address("single"), external_id=unique("single"))


@pytest.fixture(scope="session")
def members_of(server, organization):  # noqa: F811
    """Returns the members of a customer by role. Does not use the SDK, which lists members only below a customer."""
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
    """Returns the (type, *location) of each item of a caught validation error, sorted."""
    return lambda caught: sorted((item.type, *item.loc) for item in caught.value.error.detail)
