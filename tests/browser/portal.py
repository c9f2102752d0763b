"""The portal of an organization under test: its customers, their members, and how browsers come in."""
import uuid

from console import fill, press

# Every page for each kind of visitor. `{member}` is the plain member of the team.
PAGES = {
    "owner": ["", "/billing", "/team", "/team/add", "/team/{member}", "/team/{member}/remove", "/team/{member}/owner",
              "/sessions"],
    "billing_manager": ["", "/billing", "/team", "/team/add", "/team/{member}", "/team/{member}/remove", "/sessions"],
    "member": ["", "/sessions"],
    "single": ["", "/billing", "/email", "/sessions"],
}
CLOSED = {
    "owner": ["/email"],
    "billing_manager": ["/email", "/team/{member}/owner"],
    "member": ["/billing", "/email", "/team", "/team/add", "/team/{member}", "/team/{member}/owner"],
    "single": ["/team", "/team/add"],
}
SIGNED_OUT = ["/sign-in", "/sign-in?after=session", "/sign-in?after=no-cookie", "/session", "/email-update", "/nothing"]
SECTIONS = {"billing_details": "/billing", "team": "/team", "sessions": "/sessions"}


class Portal:
    """An organization with a team, `owner`, `billing_manager` and `member`, and a customer of one person, `single`."""

    def __init__(self, console, name="Juniper Works", **settings):
        self.console = console
        self.organization = organization = console.organization(name)
        self.home = f"/{organization.slug}/portal"
        self.change({"customer_portal_settings": portal_settings(True), "email": f"help@{organization.slug}.example"})
        self.settings(**settings)
        domain = f"{organization.slug}.example"
        self.addresses = {role: f"{role}@{domain}" for role in ("owner", "billing_manager", "member", "single")}
        self.team = organization.customer("Birchwood Bikes", type="team", email=self.addresses["owner"])
        self.single = organization.customer("Ada Lovelace", email=self.addresses["single"])
        members = f"/v1/customers/{self.team}/members"
        self.members = {"owner": organization.call("GET", f"/v1/members/?customer_id={self.team}")["items"][0]["id"]}
        for role, name in (("billing_manager", "Noor Haddad"), ("member", "Kim Berg")):
            made = organization.call("POST", members, {"email": self.addresses[role], "name": name, "role": role})
            self.members[role] = made["id"]

    def change(self, change):
        """Changes the organization."""
        self.organization.call("PATCH", f"/v1/organizations/{self.organization.id}", change)

    def settings(self, **change):
        """Changes colour, sender's name or `sections`."""
        if change:
            self.organization.call("PATCH", f"/v1/organizations/{self.organization.id}/portal-settings", change)

    def path(self, page):
        return f"{self.home}{page.replace('{member}', self.members['member'])}"

    def session(self, who, **fields):
        """Makes a session as the organization's product does, and returns the answer."""
        named = {"customer_id": self.single} if who == "single" else {
            "customer_id": self.team, "member_id": self.members[who]}
        return self.organization.call("POST", "/v1/customer-sessions", {**named, **fields})

    def link(self, who, **fields):
        """Returns the address that opens the portal, at the host name under which browsers test."""
        url = self.session(who, **fields)["customer_portal_url"]
        assert url.startswith(f"{self.console.url}{self.home}?customer_session_token="), url
        return url

    def open(self, browse, who, **options):
        """Opens the portal by a link in a new browser, and returns its page."""
        page = browse(**options)
        page.goto(self.link(who))
        if not options.get("script", True):
            press(page, "Continue")
        page.wait_for_url(f"**{self.home}?began=1")
        return page

    def sign_in(self, page, address):
        """Signs in by a mailed code, up to the answer to the code."""
        page.goto(f"{self.home}/sign-in?lang=en")
        fill(page, email=address)
        press(page, "Send me a code")
        fill(page, code=self.code(address))
        press(page, "Sign in")

    def code(self, address):
        """Waits for a mail with a code to an address, and returns the code."""
        return self.console.mails.portal_code(address)

    def new_address(self):
        return f"new-{uuid.uuid4().hex[:8]}@{self.organization.slug}.example"


def portal_settings(allows_email_change):
    return {"usage": {"show": True}, "subscription": {"update_seats": True, "update_plan": True},
            "customer": {"allow_email_change": allows_email_change}}
