"""Checks that the answers to generated requests conform to the published contract.

For every operation `schemathesis` generates valid and invalid requests from the contract document. No answer may be a
5xx, have an undeclared status, or have a body that does not match its schema. Generated ids do not exist, so every
second request gets the id of an object that does.
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

EXAMPLES = int(os.environ.get("EXAMPLES", "25"))  # random requests for each operation, beside the systematic ones
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
FEATURES = ("member_model_enabled", "seat_based_pricing_enabled")


def allow(operation, status, reason, shape):
    """Declares an answer of an operation, or one more schema of a declared answer."""
    declared = operation["responses"].get(status)
    if declared is not None and "content" in declared:
        shape = {"anyOf": [declared["content"]["application/json"]["schema"], shape]}
    operation["responses"][status] = {"description": reason, "content": {"application/json": {"schema": shape}}}


def contract():
    """Returns the contract document with the allowed answers that it does not declare."""
    document = json.loads((TESTS / "contracts/facts/polar-2026-04.openapi.json").read_text("utf-8"))
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, (reason, shape) in UNDECLARED.items() if "{" in path else ():
                allow(operation, status, reason, shape)
            for (name, status), (reason, shape) in UNDECLARED_OF_ONE.items():
                if name == operation["operationId"]:
                    allow(operation, status, reason, shape)
    return document


def make_schema():
    config = SchemathesisConfig.from_dict({
        "seed": 2026,
        "generation": {"max-examples": EXAMPLES, "deterministic": True, "mode": "all"},
        "phases": {"coverage": {"enabled": True, "unexpected-methods": []}, "stateful": {"enabled": False}},
    })
    return schemathesis.openapi.from_dict(contract(), config=config).exclude(operation_id=sorted(EXCLUDED))


schema = make_schema()


class Fixtures:
    """Creates the objects that requests refer to."""

    def __init__(self, server):
        cli = server.cli
        self.base = server.base
        self.organization = cli.create_organization("contract", "Contract", "founder@example.com", FEATURES)
        self.token = cli.create_token(self.organization["id"])["token"]
        self.user_token = cli.create_user_token("founder@example.com")["token"]
        self._connect = server.connect
        self._numbers = itertools.count(1)

    def _create(self, path, payload, method="POST", status=201):
        connection = self._connect(self.token)
        try:
            answer = connection.call(method, path, payload)
        finally:
            connection.close()
        assert answer.status == status, (path, payload, answer.text)
        return answer.json()

    def _word(self):
        return f"word-{next(self._numbers)}"

    def _customer(self):
        word = self._word()
        return self._create("/v1/customers/", {
            "type": "team", "name": "Customer", "email": f"{word}@example.com", "external_id": word})

    def _member(self, customer, role="member"):
        word = self._word()
        return self._create(f"/v1/customers/{customer['id']}/members", {
            "email": f"{word}@example.com", "external_id": word, "role": role})

    def _endpoint(self):
        """Creates an endpoint. Deletes the others first, because their number is limited."""
        connection = self._connect(self.token)
        try:
            listed = connection.call("GET", "/v1/webhooks/endpoints?limit=100").json()["items"]
            for endpoint in listed if len(listed) > 20 else []:
                connection.call("DELETE", f"/v1/webhooks/endpoints/{endpoint['id']}")
        finally:
            connection.close()
        return self._create("/v1/webhooks/endpoints", {
            "url": "https://hooks.invalid/", "format": "raw", "events": []})

    def _session(self):
        """Creates a session of a billing manager; returns its token and the customer."""
        # An earlier generated request may have disabled sessions of members.
        self._create(f"/v1/organizations/{self.organization['id']}",
                   {"feature_settings": {"member_model_enabled": True}}, "PATCH", 200)
        customer = self._customer()
        manager = self._member(customer, "billing_manager")
        session = self._create("/v1/customer-sessions/", {"customer_id": customer["id"], "member_id": manager["id"]})
        return session["token"], customer

    def prepare(self, case, existing):
        """Returns the Authorization header for a request, and sets the ids of existing objects if `existing`."""
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
def fixtures():
    with TemporaryServer() as server:
        yield Fixtures(server)


request_numbers = itertools.count()


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
          phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
def test_answers_conform_to_the_contract(case, fixtures):
    headers = fixtures.prepare(case, existing=next(request_numbers) % 2 == 0)
    answer = case.call(base_url=fixtures.base, headers=headers)
    answers[case.operation.definition.raw["operationId"], answer.status_code] += 1
    case.validate_response(answer, checks=CHECKS)
