"""The answers to made-up requests stay within the published contract.

For every operation `schemathesis` makes requests from the contract document, good and bad.
None may be answered with 5xx, a status that is not declared, or a body outside its schema.
A made-up id exists nowhere, so every second request goes to something that does exist.
"""
import itertools
import json
import os
import sys
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance, response_schema_conformance, status_code_conformance)
from schemathesis.checks import not_a_server_error

from conftest import answers
from operations import EXCLUDED, UNDECLARED, UNDECLARED_OF_ONE

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "lib"))
from harness import TemporaryServer  # noqa: E402

EXAMPLES = int(os.environ.get("EXAMPLES", "25"))  # Made up per operation, besides the systematic ones.
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
FEATURES = ("member_model_enabled", "seat_based_pricing_enabled")


def allow(operation, status, why, shape):
    """Declares an answer, or one more shape of it."""
    declared = operation["responses"].get(status)
    if declared is not None and "content" in declared:
        shape = {"anyOf": [declared["content"]["application/json"]["schema"], shape]}
    operation["responses"][status] = {"description": why, "content": {"application/json": {"schema": shape}}}


def contract():
    """The contract document, with the answers that it leaves undeclared."""
    document = json.loads((TESTS / "contracts/facts/polar-2026-04.openapi.json").read_text("utf-8"))
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, (why, shape) in UNDECLARED.items() if "{" in path else ():
                allow(operation, status, why, shape)
            for (name, status), (why, shape) in UNDECLARED_OF_ONE.items():
                if name == operation["operationId"]:
                    allow(operation, status, why, shape)
    return document


def make_schema():
    config = SchemathesisConfig.from_dict({
        "seed": 2026,
        "generation": {"max-examples": EXAMPLES, "deterministic": True, "mode": "all"},
        "phases": {"coverage": {"enabled": True, "unexpected-methods": []}, "stateful": {"enabled": False}},
    })
    made = schemathesis.openapi.from_dict(contract(), config=config)
    names = sorted(EXCLUDED)
    return made.exclude(operation_id=names)


schema = make_schema()


class World:
    """Things that exist on the server, for requests to reach."""

    def __init__(self, server):
        cli = server.cli
        self.base = server.base
        self.organization = cli.create_organization("contract", "Contract", "founder@example.com", FEATURES)
        self.token = cli.create_token(self.organization["id"])["token"]
        self.user_token = cli.create_user_token("founder@example.com")["token"]
        self._connect = server.connect
        self._numbers = itertools.count(1)

    def _make(self, path, payload):
        connection = self._connect(self.token)
        try:
            answer = connection.call("POST", path, payload)
        finally:
            connection.close()
        assert answer.status == 201, (path, payload, answer.text)
        return answer.json()

    def _customer(self):
        word = f"made-{next(self._numbers)}"
        return self._make("/v1/customers/", {
            "type": "team", "name": "Made", "email": f"{word}@example.com", "external_id": word})

    def _member(self, customer, role="member"):
        word = f"made-{next(self._numbers)}"
        return self._make(f"/v1/customers/{customer['id']}/members", {
            "email": f"{word}@example.com", "external_id": word, "role": role})

    def _endpoint(self):
        return self._make("/v1/webhooks/endpoints", {
            "url": "https://hooks.invalid/", "format": "raw", "events": []})

    def _session(self):
        """A session of a billing manager, and the customer it belongs to."""
        customer = self._customer()
        manager = self._member(customer, "billing_manager")
        session = self._make("/v1/customer-sessions/", {"customer_id": customer["id"], "member_id": manager["id"]})
        return session["token"], customer

    def prepare(self, case, existing):
        """Gives a request its caller and, if `existing`, the ids of things that exist."""
        name, path = case.operation.definition.raw["operationId"], case.operation.path
        token, target = self.token, {}
        if name == "organizations:create":
            token = self.user_token
        if path.startswith("/v1/organizations/{id}"):
            target = {"id": self.organization["id"]}
        elif path.startswith("/v1/customer-portal/organizations"):
            target = {"slug": "contract"}
        elif path.startswith("/v1/customer-portal/"):
            token, customer = self._session()
            if "{id}" in path:
                target = {"id": self._member(customer)["id"]}
        elif path.startswith("/v1/webhooks/endpoints/{id}"):
            target = {"id": self._endpoint()["id"]} if existing else {}
        elif path.startswith("/v1/customers/") and "{" in path and existing:
            customer = self._customer()
            target = {"id": customer["id"], "external_id": customer["external_id"]}
            if "{member" in path:
                member = self._member(customer)
                target |= {"member_id": member["id"], "member_external_id": member["external_id"]}
        if existing and isinstance(case.path_parameters, dict):
            for parameter in case.path_parameters:
                if parameter in target:
                    case.path_parameters[parameter] = target[parameter]
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="session")
def world():
    with TemporaryServer() as server:
        yield World(server)


turns = itertools.count()


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
          phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
def test_answers_stay_within_the_contract(case, world):
    headers = world.prepare(case, existing=next(turns) % 2 == 0)
    answer = case.call(base_url=world.base, headers=headers)
    answers[case.operation.definition.raw["operationId"], answer.status_code] += 1
    case.validate_response(answer, checks=CHECKS)
