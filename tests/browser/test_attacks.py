"""What others try with the browser of a person who is signed in, or with links to the console."""
import statistics
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

import pytest

from authenticator import add_authenticator
from console import PLAIN_HOST, fill, press, says, titled
from screens import crawl

SESSION = "__Host-tenantry_session"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class ForeignSite:
    """A web server of somebody else, on this machine. `pages` are the HTML texts by path."""

    def __init__(self):
        self.pages = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                text = site.pages.get(self.path, "<!doctype html><link rel=icon href='data:,'>").encode()
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        # Another site than the console, and another origin of the same host.
        self.url = f"http://127.0.0.1:{self.port}"
        self.same_host = f"http://localhost:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def foreign():
    site = ForeignSite()
    yield site
    site.close()


def session_of(page):
    return [one for one in page.context.cookies() if one["name"] == SESSION][0]


def form_page(action, fields, enctype="application/x-www-form-urlencoded"):
    """A page that sends a form by itself."""
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    return (f'<!doctype html><link rel="icon" href="data:,"><form method="post" action="{action}" enctype="{enctype}">'
            f"{inputs}</form><script>document.forms[0].submit()</script>")


@pytest.mark.parametrize("enctype", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
@pytest.mark.parametrize("origin", ["url", "same_host"])
def test_a_form_of_another_site_changes_nothing(console, organization, browse, foreign, enctype, origin):
    page = browse(organization.owner, others=(foreign.url, foreign.same_host))
    fields = {"email": f"mallory@{organization.slug}.example", "name": "M", "role": "Administrator"}
    foreign.pages["/form"] = form_page(f"{console.url}{organization.path}/team/add", fields, enctype)
    page.goto(f"{getattr(foreign, origin)}/form")
    titled(page, "Please try again from the console")
    foreign.pages["/out"] = form_page(f"{console.url}/console/sign-out", {})
    page.goto(f"{getattr(foreign, origin)}/out")
    titled(page, "Please try again from the console")
    page.goto(f"{organization.path}/team")
    titled(page, "Team")
    assert page.locator("tbody tr").count() == 1


def test_a_script_of_another_site_reads_and_changes_nothing(console, organization, browse, foreign):
    page = browse(organization.owner, others=(foreign.url, foreign.same_host))
    target = f"{console.url}{organization.path}/settings"
    page.goto(target)
    whole = "[...new FormData(document.querySelector(`form[action$='/settings']`))]"
    form = [[name, "Renamed" if name == "name" else value] for name, value in page.evaluate(whole)]
    send = """async ([address, form, mode]) => {
        const body = new URLSearchParams(form);
        await fetch(address, {method: 'POST', mode, credentials: 'include', body});
        return (await fetch(address, {mode, credentials: 'include'})).type;
    }"""

    def name():
        page.goto(target)
        return page.locator("[name=name]").input_value()

    # Both sites: the cookie goes along from another port of the same host.
    for origin in (foreign.url, foreign.same_host):
        page.goto(origin)
        assert page.evaluate(send, [target, form, "no-cors"]) == "opaque"
        assert name() == organization.name
    # The same request from the console's own page is what the others pretend to be.
    assert page.evaluate(send, [target, form, "same-origin"]) == "basic"
    assert name() == "Renamed"


@pytest.mark.parametrize(("headers", "status"), [
    ({}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "https://evil.example"}, 403),
    # A proxy that passes on another Host: the address that is the server's own counts.
    ({"Host": "internal:80", "Origin": "{url}"}, 303),
    ({"Host": "internal:80", "Origin": "https://evil.example"}, 403),
    ({"Origin": "{url}.evil.example"}, 403),
    ({"Sec-Fetch-Site": "same-origin"}, 303),
])
def test_a_form_says_where_it_comes_from(console, organization, headers, status):
    sent = {name: value.replace("{url}", console.url) for name, value in headers.items()}
    body = urlencode({"email": organization.owner}).encode()
    answer = console.server.connect().send("POST", "/console/sign-in", {**FORM, **sent}, body)
    assert answer.status == status, answer.text


def test_a_planted_session_is_not_the_one_that_a_person_gets(console, organization, browse):
    """An attacker who signs somebody in as themselves, or plants a secret, does not get the session of the victim."""
    other = console.organization("Mallory")
    attacker = browse(other.owner)
    planted = session_of(attacker)
    page = browse()
    page.context.add_cookies([planted])
    page.goto("/console/sign-in")
    fill(page, email=organization.owner)
    press(page, "Send me a code")
    fill(page, code=console.mails.code(organization.owner))
    press(page, "Sign in")
    titled(page, organization.name)
    assert session_of(page)["value"] != planted["value"]
    attacker.goto(organization.path)
    assert attacker.get_by_role("heading", level=1).inner_text() != organization.name
    # What nobody was given is no session either.
    invented = browse()
    invented.context.add_cookies([{**planted, "value": "tenantry_ses_" + "a" * 43}])
    invented.goto(organization.path)
    titled(invented, "Sign in")


def test_a_planted_sign_in_does_not_catch_a_code(console, organization, browse):
    """The secret of the browser that asks is new for each request, so knowing an older one is of no use."""
    attacker, page = browse(), browse()
    for one in (attacker, page):
        one.goto("/console/sign-in")
    fill(attacker, email=f"nobody@{organization.slug}.example")
    press(attacker, "Send me a code")
    titled(attacker, "Enter the code")
    planted = [one for one in attacker.context.cookies() if one["name"] == "__Host-tenantry_sign_in"]
    page.context.add_cookies(planted)
    fill(page, email=organization.owner)
    press(page, "Send me a code")
    code = console.mails.code(organization.owner)
    fill(attacker, code=code)
    press(attacker, "Sign in")
    says(attacker, "This code")
    fill(page, code=code)
    press(page, "Sign in")
    titled(page, organization.name)


@pytest.mark.parametrize("to", [
    "https://evil.example/", "//evil.example", "/\\evil.example", "/console/../../evil", "javascript:alert(1)",
    "/console//evil.example", "/v1/customers", "/console%2F..%2Fv1", "/console/\n//evil.example", "data:text/html,x",
])
def test_a_sign_in_leads_nowhere_else(console, organization, browse, to):
    path = console.entry(organization.owner)
    page = browse()
    # Two ways in take the next page: the form of the address, and the fresh proof.
    page.goto(f"/console/sign-in?{urlencode({'next': to})}")
    assert page.locator("[name=next]").first.input_value() == "/console"
    page.locator("[name=next]").last.evaluate("(field, to) => { field.value = to }", to)
    fill(page, email=f"nobody@{organization.slug}.example")
    press(page, "Send me a code")
    titled(page, "Enter the code")
    assert page.locator("[name=next]").input_value() == "/console"
    page.goto(path)
    press(page, "Sign in")
    titled(page, organization.name)
    page.goto(f"/console/sign-in?{urlencode({'next': to})}")
    page.goto(f"/console/step-up?{urlencode({'next': to})}")
    assert page.url.startswith(f"{console.url}/console")


def test_an_unknown_address_takes_as_long_as_a_known_one(console, organization):
    """The answers are the same (test_sign_in.py). Their time tells nothing either: a mail is sent later."""
    known = [organization.add("Analyst") for _ in range(30)]
    unknown = [f"nobody-{number}@{organization.slug}.example" for number in range(30)]
    connection = console.server.connect()

    def took_ms(address):
        begun = time.monotonic()
        headers = {**FORM, "Sec-Fetch-Site": "same-origin"}
        answer = connection.send("POST", "/console/sign-in", headers, urlencode({"email": address}).encode())
        assert answer.status == 303, answer.text
        return 1000 * (time.monotonic() - begun)

    # In turn, so that other work of the machine slows both down.
    pairs = [(took_ms(one), took_ms(other)) for one, other in zip(known, unknown)]
    known_ms, unknown_ms = (statistics.median(times) for times in zip(*pairs))
    assert abs(known_ms - unknown_ms) < max(5, 0.5 * known_ms), (known_ms, unknown_ms)


EVIL = "<x-probe onfocus=alert(1) autofocus tabindex=1>\"'&{{7*7}}"


def test_names_are_text_on_every_screen(console, browse):
    organization = console.organization("Acme")
    organization.call("PATCH", f"/v1/organizations/{organization.id}", {"name": EVIL})
    organization.add("Administrator", EVIL)
    customer = organization.customer(EVIL, type="team", external_id=EVIL, metadata={EVIL[:40]: EVIL})
    organization.call("POST", f"/v1/customers/{customer}/members", {"email": "m@example.com", "name": EVIL})
    organization.call("POST", "/v1/organization-access-tokens/", {"comment": EVIL, "scopes": ["customers:read"]})
    organization.call("POST", "/v1/webhooks/endpoints", {
        "url": "https://example.com/<x-probe>", "name": EVIL, "format": "raw", "events": ["customer.created"]})
    _, token = organization.invite(f"guest@{organization.slug}.example", name=EVIL)
    page = browse(organization.owner)
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    shown = []

    def look(path):
        assert page.locator("x-probe").count() == 0, path
        shown.extend(path for _ in range(page.get_by_text(EVIL).count()))

    crawl(page, [organization.path], look)
    assert len(shown) > 20
    guest = browse()
    guest.goto(f"/console/invitation#{token}")
    press(guest, "Show the invitation")
    says(guest, EVIL)
    assert guest.locator("x-probe").count() == 0
    query = urlencode({name: EVIL for name in ("query", "sorting", "done", "lang")})
    page.goto(f"{organization.path}/customers?{query}")
    assert page.locator("x-probe").count() == 0
    assert dialogs == []


def test_the_secret_of_an_invitation_leaves_the_browser_in_the_form_alone(console, organization, browse):
    _, token = organization.invite(f"guest@{organization.slug}.example")
    page = browse()
    seen = []
    page.on("request", lambda request: seen.append((request.url, request.headers.get("referer", ""))))
    page.goto(f"/console/invitation#{token}")
    assert token not in page.url
    press(page, "Show the invitation")
    titled(page, f"Join {organization.name}")
    page.get_by_role("link", name="Sign in to accept").click()
    titled(page, "Sign in")
    assert len(seen) > 4
    assert [one for one in seen if token in "".join(one).partition("#")[0]] == []
    assert [referrer for _, referrer in seen if referrer] == []


def test_no_page_is_framed(console, organization, browse, foreign):
    page = browse(organization.owner, others=(foreign.url, foreign.same_host),
                  expected="frame-ancestors|ERR_BLOCKED_BY_RESPONSE")
    for origin in (foreign.url, foreign.same_host):
        for path in ("/console/sign-in", organization.path, f"{organization.path}/delete"):
            foreign.pages["/frame"] = (f"<!doctype html><link rel='icon' href='data:,'>"
                                       f"<iframe src='{console.url}{path}'></iframe>")
            with page.expect_event("requestfailed") as failed:
                page.goto(f"{origin}/frame")
            assert failed.value.failure == "net::ERR_BLOCKED_BY_RESPONSE", path
            assert all(console.url not in frame.url for frame in page.frames), path


def test_plain_http_keeps_no_cookie(console, organization, browse):
    """Over plain HTTP, browsers take no cookie of the console, except on this machine."""
    plain = f"http://{PLAIN_HOST}:{console.port}"
    page = browse(others=(plain,), expected="Cross-Origin-Opener-Policy")
    page.goto(f"{plain}/console/sign-in?lang=de")
    titled(page, "Anmelden")
    assert page.context.cookies() == []
    page.goto(f"{plain}{console.entry(organization.owner)}")
    page.locator("form[action$='/recover'] button").click()
    page.wait_for_load_state()
    assert page.context.cookies() == []
    page.goto(f"{plain}{organization.path}")
    titled(page, "Sign in")
    here = browse(organization.owner)
    for cookie in here.context.cookies():
        assert cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Lax", cookie


ASSERTION = """async options => {
    const plain = text => atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = text => Uint8Array.from(plain(text), one => one.charCodeAt(0));
    const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer)))
        .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
    const {publicKey} = options;
    publicKey.challenge = bytes(publicKey.challenge);
    for (const one of publicKey.allowCredentials ?? []) one.id = bytes(one.id);
    const got = await navigator.credentials.get({publicKey});
    const {clientDataJSON, authenticatorData, signature, userHandle} = got.response;
    const response = {clientDataJSON: text(clientDataJSON), authenticatorData: text(authenticatorData),
                      signature: text(signature), userHandle: userHandle ? text(userHandle) : null};
    return JSON.stringify({id: got.id, rawId: text(got.rawId), type: got.type, response, extensions: {}});
}"""


def test_a_passkey_that_another_origin_asked_for_signs_nobody_in(console, organization, browse, foreign):
    """A page of another port may use the passkeys of the host: the server looks at the origin."""
    page = browse(organization.owner, "/console/passkeys", others=(foreign.same_host,))
    add_authenticator(page)
    press(page, "Add a passkey")
    titled(page, "Your recovery codes")
    page.context.clear_cookies()

    def answered_at(origin):
        """The options of the server, answered in a page of an origin, and sent to the server."""
        connection = console.server.connect()
        own = {"Sec-Fetch-Site": "same-origin"}
        options = connection.send("POST", "/console/sign-in/passkey/options", own)
        assert options.status == 200
        page.goto(origin)
        answer = page.evaluate(ASSERTION, options.json())
        cookie = options.headers["set-cookie"].partition(";")[0]
        body = urlencode({"answer": answer, "next": "/console"}).encode()
        return connection.send("POST", "/console/sign-in/passkey", {**FORM, **own, "Cookie": cookie}, body)

    relayed = answered_at(foreign.same_host)
    assert relayed.status == 422 and SESSION not in relayed.headers.get("set-cookie", "")
    assert answered_at(f"{console.url}/console/sign-in").status == 303
