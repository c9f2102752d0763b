"""Checks that the replay finds each kind of difference, and reports no others."""
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from replay import Bindings, answer_differences, judge, load, replay  # noqa: E402
from harness import Answer  # noqa: E402

JSON = {"content-type": "application/json"}
ID_A, ID_B = "11111111-1111-4111-8111-11111111111a", "22222222-2222-4222-8222-22222222222b"


def exchange(body, status=200, **more):
    text = body if isinstance(body, str) else json.dumps(body)
    return {"n": 1, "name": "org: get", "method": "GET", "path": "/", "request_headers": {},
            "request_body": None, "status": status, "response_body": text, **more}


def differences(recorded, live, status=200, headers=JSON, **more):
    text = live if isinstance(live, str) else json.dumps(live)
    return answer_differences(exchange(recorded, **more), Answer(status, headers, text), Bindings())


@pytest.mark.parametrize("recorded, live, difference", [
    ({"a": 1}, {"b": 1}, "body.a: missing"),
    ({"a": 1}, {"a": 2}, "body.a: expected 1, got 2"),
    ({"a": 1}, {"a": "1"}, 'body.a: expected 1, got "1"'),
    ({"a": True}, {"a": 1}, "body.a: expected true, got 1"),
    ({"a": 1}, {"a": 1.0}, "body.a: expected 1, got 1.0"),
    ({"a": None}, {"a": ""}, 'body.a: expected null, got ""'),
    ({"a": {"b": 1}}, {"a": {"b": 2}}, "body.a.b: expected 1, got 2"),
    ({"a": {}}, {"a": None}, "body.a: expected an object, got null"),
    ({"a": []}, {"a": {}}, "body.a: expected a list, got {}"),
    ({"a": [1]}, {"a": [1, 2]}, "body.a: expected 1 items, got 2"),
    ({"a": [1, 2]}, {"a": [2, 1]}, "body.a[0]: expected 1, got 2"),
    ({"at": "2026-01-02T03:04:05Z"}, {"at": "soon"}, 'body.at: expected a timestamp, got "soon"'),
    ({"at": "2026-01-02T03:04:05Z"}, {"at": None}, "body.at: expected a timestamp, got null"),
    ({"token": "x"}, {}, "body.token: missing"),
    ({"a": 1}, "oops", "body: expected JSON, got 'oops'"),
])
def test_a_different_body_is_found(recorded, live, difference):
    assert difference in differences(recorded, live)


@pytest.mark.parametrize("recorded, live", [
    ({"a": 1}, {"a": 1, "more": 2}),
    ({"at": "2026-01-02T03:04:05Z"}, {"at": "2027-12-31T23:59:59.123456Z"}),
    ({"token": "x", "avatar_url": None}, {"token": "y", "avatar_url": "z"}),
    ("", "anything"),
    ("OK", ""),
])
def test_an_equivalent_body_passes(recorded, live):
    assert differences(recorded, live) == []


def test_a_different_status_is_found():
    assert differences({}, {}, status=201)[0].startswith("status: expected 200, got 201")


def test_a_different_media_type_is_found():
    assert differences({}, {}, headers={"content-type": "text/plain"}) == ["media type: expected JSON, got 'text/plain'"]


def test_expect_overrides_status_and_body():
    expect = {"status": [200, 204], "body": False}
    assert differences({"a": 1}, "", status=204, expect=expect) == []
    assert differences({"a": 1}, {"a": 2}, expect=expect) == []
    assert differences({}, {}, status=500, expect=expect)[0].startswith("status: expected 200 or 204")


def validation(*items, error="RequestValidationError"):
    return {"error": error, "detail": [{"type": kind, "loc": loc, "msg": "any"} for kind, loc in items]}


MISSING, SHORT = ("missing", ["body", "name"]), ("string_too_short", ["body", "slug"])


@pytest.mark.parametrize("live, found", [
    (validation(SHORT, MISSING), []),
    (validation(MISSING), ["detail: missing string_too_short at body.slug"]),
    (validation(MISSING, SHORT, ("missing", ["body", 0])), ["detail: unexpected missing at body.0"]),
    (validation(MISSING, SHORT, MISSING), ["detail: unexpected missing at body.name"]),
    (validation(MISSING, SHORT, error="Other"), ['error: expected "RequestValidationError", got "Other"']),
])
def test_a_validation_error_is_compared_by_type_and_location(live, found):
    answer = Answer(422, JSON, json.dumps(live))
    assert answer_differences(exchange(validation(MISSING, SHORT), 422), answer, Bindings()) == found


def replayed(exchanges, answers):
    sent = []

    def send(method, path, headers, body):
        sent.append((path, headers, body))
        answer = answers[len(sent) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer
    return list(replay(exchanges, Bindings({"{{token}}": "secret"}), send)), sent


def test_ids_of_successful_answers_are_translated_in_every_spelling():
    create = exchange({"id": ID_A}, 201)
    use = exchange({"id": ID_A}, path=f"/{ID_A}/{ID_A.upper()}/{ID_A.replace('-', '')}",
                   request_headers={"Authorization": "{{token}}"}, request_body=f'"{ID_A}"')
    created = Answer(201, JSON, json.dumps({"id": ID_B}))
    outcomes, sent = replayed([create, use], [created, Answer(200, JSON, created.text)])
    assert [found for _, found in outcomes] == [[], []]
    assert sent[1] == (f"/{ID_B}/{ID_B.upper()}/{ID_B.replace('-', '')}",
                       {"Authorization": "secret"}, f'"{ID_B}"'.encode())


def test_secrets_are_learned_from_successful_answers_only():
    create = exchange({"token": "polar_cst_recorded", "id": ID_A}, 201)
    use = exchange({}, path=f"/polar_cst_recorded/{ID_A}")
    _, sent = replayed([create, use], [Answer(201, JSON, '{"token": "live"}'), Answer(200, JSON, "{}")])
    assert sent[1][0] == f"/live/{ID_A}"
    _, sent = replayed([create, use], [Answer(500, JSON, '{"token": "live"}'), Answer(200, JSON, "{}")])
    assert sent[1][0] == f"/polar_cst_recorded/{ID_A}"


def test_unsendable_exchanges_are_skipped_and_a_lost_connection_is_a_difference():
    outcomes, sent = replayed([exchange({}, send=False), exchange({})], [ConnectionResetError("reset")])
    assert len(sent) == 1
    assert [found for _, found in outcomes] == [["no answer: reset"]]


OUTCOMES = [({"n": 1, "name": "org: get"}, []), ({"n": 2, "name": "member: list"}, ["status"])]
KNOWN = {"n": 2, "name": "member: list", "reason": "not built yet"}


@pytest.mark.parametrize("known, counts, text", [
    ([], (1, 0, 1), "#2 member: list: status"),
    ([KNOWN], (1, 1, 0), None),
    ([KNOWN, {"n": 1, "name": "org: get", "reason": "old"}], (0, 1, 1), "agrees now"),
    ([{**KNOWN, "reason": " "}], (1, 1, 1), "without a reason"),
    ([KNOWN, {"n": 9, "name": "org: removed", "reason": "old"}], (1, 1, 1), "no such exchange"),
])
def test_the_list_of_known_differences_only_shrinks(known, counts, text):
    verdict = judge(OUTCOMES, known)
    assert (verdict.passed, verdict.skipped, len(verdict.failures)) == counts
    assert text is None or text in verdict.failures[0][0]


def test_names_select_the_exchanges_that_count():
    verdict = judge(OUTCOMES, [], lambda name: name.startswith("org"))
    assert (verdict.passed, len(verdict.failures)) == (1, 0)


def test_the_committed_list_is_well_formed():
    for entry in load("differences.json"):
        assert set(entry) == {"n", "name", "reason"} and entry["reason"].strip()
