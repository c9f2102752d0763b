from uuid import uuid4

import pytest
from polar_sdk import models


def update(polar, organization, **changes):
    return polar.organizations.update(
        id=organization["id"], organization_update=models.OrganizationUpdate(**changes))


def without_modified_at(organization):
    return organization.model_dump(exclude={"modified_at"})


@pytest.fixture
def restored(polar, organization):
    """The organization as it is before the test; its changes are undone afterwards."""
    before = polar.organizations.get(id=organization["id"])
    yield before
    update(polar, organization, name=before.name, email=before.email, website=before.website,
           socials=before.socials, country=before.country, avatar_url=before.avatar_url)


def test_get_organization(polar, organization):
    found = polar.organizations.get(id=organization["id"])
    assert isinstance(found, models.Organization)
    assert (found.id, found.name, found.slug) == (organization["id"], "Python SDK", "python-sdk")
    assert found.feature_settings.member_model_enabled is True


def test_list_shows_the_organization_of_the_token(polar, organization):
    page = polar.organizations.list_organizations()
    assert [found.id for found in page.result.items] == [organization["id"]]
    assert page.result.pagination.total_count == 1
    assert page.next() is None
    assert polar.organizations.list_organizations(slug="python-other").result.items == []


def test_update_organization(polar, organization, restored):
    social = models.OrganizationSocialLink(platform=models.OrganizationSocialPlatforms.GITHUB,
                                           url="https://github.com/example")
    updated = update(polar, organization, name="Renamed", email="support@example.com",
                     website="https://example.com/", socials=[social], country="FR")
    assert (updated.name, updated.email, updated.website) == ("Renamed", "support@example.com", "https://example.com/")
    assert (updated.socials, updated.country, updated.slug) == ([social], "FR", "python-sdk")
    assert updated.modified_at is not None
    assert polar.organizations.get(id=organization["id"]) == updated


def test_update_without_fields_changes_nothing(polar, organization, restored):
    assert without_modified_at(update(polar, organization)) == without_modified_at(restored)


@pytest.mark.parametrize("field, value", [
    ("email", "support@example.com"), ("website", "https://example.com/"), ("country", "FR"),
    ("avatar_url", "https://example.com/logo.png"),
])
def test_null_clears_optional_fields(polar, organization, restored, field, value):
    assert getattr(update(polar, organization, **{field: value}), field) == value
    assert getattr(update(polar, organization, **{field: None}), field) is None


@pytest.mark.parametrize("field", [
    "name", "socials", "details", "feature_settings", "subscription_settings", "customer_email_settings",
    "customer_portal_settings", "default_presentment_currency", "default_tax_behavior",
])
def test_null_leaves_required_fields_unchanged(polar, organization, restored, field):
    assert without_modified_at(update(polar, organization, **{field: None})) == without_modified_at(restored)


def test_a_short_name_is_refused(polar, organization):
    with pytest.raises(models.HTTPValidationError) as caught:
        update(polar, organization, name="ab")
    assert [(item.type, item.loc) for item in caught.value.data.detail] == [("string_too_short", ["body", "name"])]


@pytest.mark.parametrize("target", ["unknown", "other"])
def test_another_organization_is_not_found(polar, other_organization, target):
    organization_id = str(uuid4()) if target == "unknown" else other_organization["id"]
    with pytest.raises(models.ResourceNotFound):
        polar.organizations.get(id=organization_id)
    with pytest.raises(models.ResourceNotFound):
        update(polar, {"id": organization_id}, name="Taken over")


def test_a_missing_scope_is_forbidden(client_with, organization):
    reader = client_with("organizations:read")
    assert reader.organizations.get(id=organization["id"]).id == organization["id"]
    # The SDK expects `NotPermitted` in a 403 here and cannot parse the body of the scope error.
    with pytest.raises(models.PolarError) as caught:
        update(reader, organization, name="Refused")
    assert caught.value.status_code == 403


def test_an_organization_token_cannot_create_organizations(polar):
    with pytest.raises(models.SDKError) as caught:
        polar.organizations.create(request=models.OrganizationCreate(name="Another", slug="another-one"))
    assert caught.value.status_code == 401


def test_a_user_token_creates_an_organization_and_sees_it(user_polar):
    created = user_polar.organizations.create(request=models.OrganizationCreate(name="By hand", slug="by-hand"))
    assert created.feature_settings.member_model_enabled is True
    assert created.id in [found.id for found in user_polar.organizations.list_organizations().result.items]
