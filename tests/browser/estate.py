"""An organization with something of everything, so that each screen has something to show."""
import uuid

from harness import eventually

from console import WAIT_SECONDS

PEOPLE = [("Administrator", "Jordan Lee"), ("Developer", "Amina Diallo"), ("Analyst", "Tomás Rivera"),
          ("Billing Manager", "Priya Nair")]
CUSTOMERS = ["Birchwood Bikes", "Harbour Light Cinema", "Kestrel Optics", "Marigold Bakery", "Oakline Furniture",
             "Pebble & Pine", "Quartz Climbing", "Riverbend Clinic", "Saffron Street Food", "Tidewater Tours"]
# The path of the endpoint that fails, so that this is shown as well.
FAILING = "/failing"


def status_for(request, earlier):
    """The answers of the receiver of an estate's webhooks."""
    return 503 if request.path.startswith(FAILING) else 200


class Estate:
    """An organization, the addresses of its people by role, and the ids of some of its rows."""

    def __init__(self, console, receiver, slug=None, name="Juniper Works"):
        self.console = console
        self.organization = organization = console.organization(name, slug=slug)
        domain = f"{organization.slug}.example"
        organization.call("PATCH", f"/v1/organizations/{organization.id}", {
            "website": f"https://{domain}", "email": f"hello@{domain}"})
        self.people = {"Owner": organization.owner}
        for role, person in PEOPLE:
            self.people[role] = organization.add(role, person)
        self.customers = self._customers(domain)
        self.token = organization.call("POST", "/v1/organization-access-tokens/", {
            "comment": "billing", "scopes": ["customers:read", "customers:write"], "expires_in": "P10D"})
        self.token = self.token["organization_access_token"]["id"]
        organization.call("POST", "/v1/organization-access-tokens/", {
            "comment": "reports", "scopes": ["customers:read"], "expires_in": "P365D"})
        self.webhook, self.quiet_webhook = self._webhooks(receiver)
        self._invitations(domain)
        self._operator()

    def _operator(self):
        """An operator, and organizations of each state."""
        cli, mark = self.console.server.cli, uuid.uuid4().hex[:6]
        self.operator = self.elsewhere.owner
        cli.run("user", "operator", self.operator, "on")
        self.suspended = self.console.organization("Old Mill Theatre", slug=f"old-mill-{mark}")
        cli.run("organization", "suspend", self.suspended.slug, "--reason", "Three unpaid invoices")
        self.deleted = self.console.organization("Paper Lantern", slug=f"paper-lantern-{mark}")
        cli.run("organization", "delete", self.deleted.slug)

    def operator_pages(self):
        """Returns the name and path of each page of the operator."""
        organizations = "/console/operator/organizations"
        return {
            "operator-organizations": organizations,
            "operator-organization": f"{organizations}/{self.organization.slug}",
            "operator-suspend": f"{organizations}/{self.organization.slug}/suspend",
            "operator-reopen": f"{organizations}/{self.suspended.slug}/reopen",
            "operator-restore": f"{organizations}/{self.deleted.slug}/restore",
            "operator-new": "/console/operator/new-organization",
            "operator-health": "/console/operator/health",
        }

    def _customers(self, domain):
        organization = self.organization
        ids = [organization.customer(name, type="team", external_id=f"crm-{100 + number}",
                                     email=f"{name.split()[0].lower()}@{domain}", metadata={"plan": "pro", "seats": 12})
               for number, name in enumerate(CUSTOMERS)]
        ids.append(organization.customer("Ada Lovelace", email=f"ada@{domain}"))
        for role, person in (("member", "Kim Berg"), ("billing_manager", "Noor Haddad")):
            organization.call("POST", f"/v1/customers/{ids[-2]}/members", {
                "email": f"{person.split()[0].lower()}@{domain}", "name": person, "role": role})
        return ids

    def _webhooks(self, receiver):
        organization = self.organization
        made = []
        for path, name in ((f"/{organization.slug}", "Shop"), (f"{FAILING}/{organization.slug}", "Warehouse")):
            endpoint = organization.call("POST", "/v1/webhooks/endpoints", {
                "url": f"http://{receiver.host}{path}", "name": name, "format": "raw",
                "events": ["customer.created", "customer.updated"]})
            made.append(endpoint["id"])
        organization.call("PATCH", f"/v1/customers/{self.customers[0]}", {"name": CUSTOMERS[0]})
        organization.customer("Wren Studio", type="team", email=f"wren@{organization.slug}.example")
        for endpoint in made:
            path = f"/v1/webhooks/deliveries?endpoint_id={endpoint}"
            eventually(lambda: organization.call("GET", path)["items"], WAIT_SECONDS, "a delivery")
        organization.call("PATCH", f"/v1/webhooks/endpoints/{made[1]}", {"enabled": False})
        return made

    def _invitations(self, domain):
        organization = self.organization
        self.invitations = {state: organization.invite(f"{state}@{domain}") for state in
                            ("pending", "declined", "revoked")}
        self.invitations["expired"] = organization.invite(f"expired@{domain}", expires_in="PT1S")
        organization.call("POST", "/v1/invitations/decline", {"token": self.invitations["declined"][1]})
        revoked, _ = self.invitations["revoked"]
        organization.call("DELETE", f"/v1/organizations/{organization.id}/invitations/{revoked}")
        # The owner waits for nobody, the others are invited elsewhere.
        mara = f"mara-{uuid.uuid4().hex[:6]}@example.com"
        self.elsewhere = self.console.organization("Northlight Studio", owner=mara)
        self.elsewhere.invite(organization.owner)
        self.elsewhere.call("PATCH", f"/v1/organizations/{self.elsewhere.id}", {"name": "Northlight Studio"})
        expired, _ = self.invitations["expired"]
        path = f"/v1/organizations/{organization.id}/invitations/{expired}"
        eventually(lambda: organization.call("GET", path)["status"] == "expired", WAIT_SECONDS,
                   "the invitation expires")
