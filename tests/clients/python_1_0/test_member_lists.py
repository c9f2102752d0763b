"""SDK 1.0 has no `GET /v1/members/`: it lists the members below their customer."""
from uuid import uuid4

import pytest
from polar import PolarClientError


@pytest.fixture
def added(polar, team, address):
    return [polar.customers.members.create(team.id, email=address()) for _ in range(4)]


@pytest.mark.parametrize("by", ["id", "external_id"])
def test_list(api, polar, team, added, by):
    members = polar.customers.members
    list_, iterate = ((members.list, members.iter_list) if by == "id"
                      else (members.list_external, members.iter_list_external))
    target = getattr(team, by)
    page = list_(target, limit=2)
    assert isinstance(page, api.outputs.ListResourceMember)
    assert page.items == [added[3], added[2]]
    assert (page.pagination.total_count, page.pagination.max_page) == (5, 3)
    newest_first = list(iterate(target, limit=2))
    assert newest_first[:4] == added[::-1] and newest_first[4].role == "owner"
    assert list_(target, sorting=["created_at"]).items == newest_first[::-1]
    assert [member.role for member in list_(target, role="owner").items] == ["owner"]


def test_list_of_nobody_is_not_found(api, polar, other_polar, team):
    with pytest.raises(api.errors.ResourceNotFound):
        polar.customers.members.list(str(uuid4()))
    with pytest.raises(api.errors.ResourceNotFound):
        polar.customers.members.list_external("nobody")
    with pytest.raises(api.errors.ResourceNotFound):
        other_polar.customers.members.list(team.id)


def test_list_refuses_a_bad_question(api, polar, team, violations):
    for question, wrong in (({"role": "boss"}, ("enum", "query", "role")),
                            ({"page": 0}, ("greater_than", "query", "page")),
                            ({"sorting": ["email"]}, ("enum", "query", "sorting", 0))):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            polar.customers.members.list(team.id, **question)
        assert violations(caught) == [wrong]


def test_list_needs_a_scope(client_with, team):
    with pytest.raises(PolarClientError) as caught:
        client_with("customers:read").customers.members.list(team.id)
    assert caught.value.status_code == 403
