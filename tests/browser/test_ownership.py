"""The transfer of an organization from its owner to another person of the team."""
from console import fill, follow, press, says, titled


def offer(page, organization, name):
    page.goto(f"{organization.path}/team")
    follow(page, "Hand over…")
    titled(page, "Hand the organization over")
    page.get_by_label(name).check()
    fill(page, confirm=organization.slug)
    press(page, "Offer")
    says(page, "Offered.")


def role_of(page, organization, address):
    page.goto(f"{organization.path}/team")
    return page.locator("tr", has_text=address).locator(".tag").inner_text()


def test_the_ownership_is_offered_and_accepted(organization, browse, script):
    deputy = organization.add("Administrator", "Jordan Lee")
    page = browse(organization.owner, script=script)
    offer(page, organization, "Jordan Lee")
    theirs = browse(deputy, organization.path, script=script)
    says(theirs, "You can become the owner")
    assert role_of(page, organization, deputy) == "Administrator"
    theirs.goto(organization.path)
    press(theirs, "Accept")
    says(theirs, "Accepted.")
    assert role_of(theirs, organization, deputy) == "Owner"
    assert role_of(page, organization, organization.owner) == "Administrator"
    assert page.get_by_role("link", name="Hand over…").count() == 0


def test_an_offer_is_declined_and_withdrawn(organization, browse, script):
    deputy = organization.add("Administrator", "Jordan Lee")
    page = browse(organization.owner, script=script)
    theirs = browse(deputy, script=script)
    for actor, button in ((theirs, "Decline"), (page, "Withdraw")):
        offer(page, organization, "Jordan Lee")
        actor.goto(organization.path)
        press(actor, button)
        says(actor, "The offer has ended.")
        theirs.goto(organization.path)
        assert theirs.get_by_text("You can become the owner").count() == 0


def test_the_wrong_word_offers_nothing(organization, browse, script):
    organization.add("Administrator", "Jordan Lee")
    page = browse(organization.owner, f"{organization.path}/team/transfer", script=script)
    page.get_by_label("Jordan Lee").check()
    fill(page, confirm="another")
    press(page, "Offer")
    says(page, "This is not the name above.")
    # The choice is kept.
    assert page.get_by_label("Jordan Lee").is_checked()
