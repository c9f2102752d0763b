"""Every screen of the console: the pages that links lead to, and those that are the answer to a form."""
import re
from collections import deque
from urllib.parse import urlsplit

from authenticator import add_authenticator

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# These links are no screens.
FILES = re.compile(r"\.(csv|jsonl)$")
# Pages of people who have not signed in.
SIGNED_OUT = ["/console/sign-in", "/console/sign-in?after=sign-out", "/console/sign-in/code", "/console/claim",
              "/console/recover", "/console/invitation", "/console/sign-in/recovery-code", "/console/nothing"]


def shape(path):
    """Returns a path without the ids in it: pages of one shape are one screen."""
    return ID.sub("{id}", urlsplit(path).path)


def crawl(page, begin, look=lambda path: None):
    """Follows the links from some pages, and looks at each screen. Returns a path for each.

    Fails when a link leads to no page.
    """
    seen, waiting, found = set(), deque(begin), []
    while waiting:
        path = waiting.popleft()
        if shape(path) in seen or FILES.search(urlsplit(path).path):
            continue
        seen.add(shape(path))
        answer = page.goto(path)
        assert answer.status == 200, f"{path}: {answer.status}"
        assert not urlsplit(page.url).path.startswith(("/console/step-up", "/console/sign-in")), page.url
        found.append(path)
        look(path)
        links = page.locator("a[href^='/console'], form[method=get]").evaluate_all(
            "all => all.map(one => one.getAttribute('href') ?? one.getAttribute('action'))")
        waiting.extend(links)
    return found


def is_of(path, organization):
    """Whether a page is one of the organization, or of the person."""
    return path.startswith(organization.path) or not path.startswith("/console/organizations/")


class Step:
    """A screen that is the answer to a form: its name, the page of the form, and what is entered there."""

    def __init__(self, name, path, send, signed_in=True):
        self.name = name
        self.path = path
        self.send = send
        self.signed_in = signed_in

    def open(self, page):
        page.goto(self.path)
        with page.expect_navigation():
            self.send(page)


def submit(page, action):
    """Sends the form with this action."""
    page.locator(f"form[method=post][action$='{action}'] button").first.click()


def steps(estate):
    """Returns the screens of an estate that are answers to forms."""
    organization, path = estate.organization, estate.organization.path
    customer = f"{path}/customers/{estate.customers[-2]}"

    def fill_token(page):
        page.locator("[name=label]").fill("shop")
        page.locator("[name=scope]").nth(3).check()
        submit(page, "tokens/new")

    def invite(page):
        page.locator("[name=addresses]").fill(
            f"rowan@{organization.slug}.example\nnobody\n{organization.owner}\npending@{organization.slug}.example")
        submit(page, "team/invite")

    def look_at(state):
        def send(page):
            # A page with script has hidden the field.
            page.evaluate("document.querySelector('[data-from-fragment]').hidden = false")
            page.locator("[name=token]").fill(estate.invitations[state][1])
            submit(page, "/console/invitation")
        return send

    def ask_code(page):
        page.locator("[name=email]").fill("nobody")
        submit(page, "/console/sign-in")

    def sends(action):
        return lambda page: submit(page, action)

    return [
        Step("token-secret", f"{path}/tokens/new", fill_token),
        Step("token-faults", f"{path}/tokens/new", sends("tokens/new")),
        Step("invited", f"{path}/team/invite", invite),
        Step("invite-faults", f"{path}/team/invite", sends("team/invite")),
        Step("customer-session", customer, sends("/session")),
        Step("customer-faults", f"{path}/customers/new", sends("customers/new")),
        Step("customer-delete-faults", f"{customer}/delete", sends("/delete")),
        Step("webhook-faults", f"{path}/webhooks/new", sends("webhooks/new")),
        Step("webhook-test", f"{path}/webhooks/{estate.webhook}", sends("/test")),
        Step("team-add-faults", f"{path}/team/add", sends("team/add")),
        Step("transfer-faults", f"{path}/team/transfer", sends("team/transfer")),
        Step("new-organization-faults", "/console/new-organization", sends("new-organization")),
        Step("invitation-other-address", "/console/invitation", look_at("pending")),
        Step("invitation", "/console/invitation", look_at("pending"), signed_in=False),
        Step("invitation-expired", "/console/invitation", look_at("expired"), signed_in=False),
        Step("invitation-revoked", "/console/invitation", look_at("revoked"), signed_in=False),
        Step("invitation-unknown", "/console/invitation", sends("/console/invitation"), signed_in=False),
        Step("sign-in-faults", "/console/sign-in", ask_code, signed_in=False),
        Step("claim-faults", "/console/claim", sends("/console/claim"), signed_in=False),
    ]


def passkeys(page):
    """Shows the screens of passkeys in a browser that gets one, and names each."""
    page.goto("/console/passkeys")
    add_authenticator(page)
    with page.expect_navigation():
        page.locator("form[data-passkey=create] button").click()
    page.goto("/console/passkeys")
    yield "passkeys"
    path = page.locator("ul.rows a").first.get_attribute("href")
    for ending in ("", "/remove"):
        page.goto(f"{path}{ending}")
        yield f"passkey{ending}"
    page.goto("/console/passkeys")
    with page.expect_navigation():
        submit(page, "/passkeys/recovery-codes")
    yield "recovery-codes"
    page.goto("/console/step-up/recovery-code?next=/console/profile")
    yield "step-up/recovery-code"
