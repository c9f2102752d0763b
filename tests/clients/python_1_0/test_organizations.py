from uuid import uuid4

import pytest
from polar import PolarClientError


def without_modified_at(organization):
    return {name: getattr(organization, name) for name in organization.__slots__ if name != "modified_at"}


@pytest.fixture
def restored(polar, organization):
    """The organization as it is before the test; its changes are undone afterwards."""
    before = polar.organizations.get(organization["id"])
    yield before
    polar.organizations.update(
        organization["id"], name=before.name, email=before.email, website=before.website, country=before.country,
        socials=[{"platform": social.platform, "url": social.url} for social in before.socials])


def test_get(api, polar, organization):
    found = polar.organizations.get(organization["id"])
    assert isinstance(found, api.outputs.Organization)
    assert (found.id, found.slug) == (organization["id"], "python-sdk")
    assert found.feature_settings.member_model_enabled is True
    assert found.capabilities.api_access is True


def test_list(polar, organization):
    page = polar.organizations.list()
    assert [found.id for found in page.items] == [organization["id"]]
    assert (page.pagination.total_count, page.pagination.max_page) == (1, 1)
    assert [found.id for found in polar.organizations.iter_list(slug="PYTHON-SDK")] == [organization["id"]]
    assert polar.organizations.list(slug="python-other").items == []


def test_list_refuses_an_unknown_sorting(api, polar, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.organizations.list(sorting=["age"])
    assert violations(caught) == [("enum", "query", "sorting", 0)]


@pytest.mark.parametrize("page", [{"page": 0}, {"limit": 0}])
def test_list_refuses_an_invalid_page(api, polar, page, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.organizations.list(**page)
    assert violations(caught) == [("greater_than", "query", *page)]


def test_update(polar, organization, restored):
    updated = polar.organizations.update(
        organization["id"], name="Renamed", email="support@example.com", website="https://example.com/",
        socials=[{"platform": "github", "url": "https://github.com/example"}], country="FR")
    assert (updated.name, updated.email, updated.country) == ("Renamed", "support@example.com", "FR")
    assert [(social.platform, social.url) for social in updated.socials] == [("github", "https://github.com/example")]
    assert updated.slug == "python-sdk" and updated.modified_at
    assert polar.organizations.get(organization["id"]) == updated


def test_update_without_fields_changes_nothing(polar, organization, restored):
    assert without_modified_at(polar.organizations.update(organization["id"])) == without_modified_at(restored)


def test_update_refuses_a_short_name(api, polar, organization, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.organizations.update(organization["id"], name="ab")
    assert violations(caught) == [("string_too_short", "body", "name")]


@pytest.mark.parametrize("which", ["unknown", "other"])
def test_other_and_unknown_organizations_are_not_found(api, polar, other_organization, which):
    target = str(uuid4()) if which == "unknown" else other_organization["id"]
    with pytest.raises(api.errors.ResourceNotFound):
        polar.organizations.get(target)
    with pytest.raises(api.errors.ResourceNotFound):
        polar.organizations.update(target, name="Taken over")


def test_a_malformed_id_is_refused(api, polar, violations):
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        polar.organizations.get("python-sdk")
    assert violations(caught) == [("uuid_parsing", "path", "id")]


def test_create(user_polar, unique):
    slug = unique("created")
    created = user_polar.organizations.create(
        name="By hand", slug=slug, country="FR", default_presentment_currency="eur")
    assert (created.slug, created.country, created.default_presentment_currency) == (slug, "FR", "eur")
    assert created.feature_settings.member_model_enabled is True
    assert user_polar.organizations.get(created.id) == created
    assert created.id in [found.id for found in user_polar.organizations.iter_list(limit=1)]


def test_create_refuses_invalid_slugs_and_missing_fields(api, user_polar, violations):
    for slug in ("python-sdk", "PYTHON-SDK", "legal", "no_good"):
        with pytest.raises(api.errors.HTTPValidationError) as caught:
            user_polar.organizations.create(name="By hand", slug=slug)
        assert violations(caught) == [("value_error", "body", "slug")]
    with pytest.raises(api.errors.HTTPValidationError) as caught:
        user_polar.organizations.create()
    assert violations(caught) == [("missing", "body", "name"), ("missing", "body", "slug")]


def test_an_organization_token_cannot_create_organizations(polar):
    with pytest.raises(PolarClientError) as caught:
        polar.organizations.create(name="Another", slug="another-one")
    assert caught.value.status_code == 401


def test_a_bad_token_is_unauthorized(connect):
    with pytest.raises(PolarClientError) as caught:
        connect("polar_oat_" + "x" * 43).organizations.list()
    assert caught.value.status_code == 401
    assert '"invalid_token"' in caught.value.error.replace(" ", "")
