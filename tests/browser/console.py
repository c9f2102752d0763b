"""The console of a server under test: its mails, organizations with people, and what is wrong in a browser's pages."""
import email
import email.policy
import http.client
import os
import re
import shutil
import uuid
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from harness import TESTS, eventually

AXE = TESTS / "browser/node_modules/axe-core/axe.min.js"
WAIT_SECONDS = 60
WAIT_MS = WAIT_SECONDS * 1000
# Pages that refuse something have one of these statuses. Chromium writes an error to the console for each.
REFUSALS = {"403", "404", "409", "422"}
# A host name that is this machine, and for browsers no safer than any other.
PLAIN_HOST = "tenantry.example"


def launch_options():
    """Returns how Chromium is started. Ends the program when there is none."""
    program = os.environ.get("TENANTRY_CHROMIUM") or shutil.which("chromium")
    if not program:
        raise SystemExit("no chromium: install Debian's package, or set TENANTRY_CHROMIUM")
    arguments = [f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1"]
    if os.geteuid() == 0:
        # A browser in a container has no namespace of its own for its sandbox when it runs as root.
        arguments.append("--no-sandbox")
    return {"executable_path": program, "args": arguments}


class Mails:
    """The mails that a server has written to its folder (`--mail dir:PATH`)."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._parsed = {}  # file name -> mail
        self._taken = set()

    def _to(self, address):
        for file in self._folder.glob("*.eml"):
            if file.name not in self._parsed:
                self._parsed[file.name] = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        return sorted(name for name, mail in self._parsed.items() if address in str(mail["to"]))

    def next(self, address):
        """Waits for a mail to an address that no call returned before, and returns its plain text."""
        def fresh():
            return [name for name in self._to(address) if name not in self._taken]

        name = eventually(fresh, WAIT_SECONDS, f"a mail to {address}")[0]
        self._taken.add(name)
        return self._parsed[name].get_body(("plain",)).get_content()

    def code(self, address):
        """Waits for a mail with a code to an address, after others such as the news of a team, and returns the code."""
        while not (found := re.search(r"\b\d{4} ?\d{4}\b", self.next(address))):
            pass
        return found.group().replace(" ", "")

    def portal_code(self, address):
        """Waits for a mail with a code of the portal to an address, after others, and returns the code."""
        while not (found := re.search(r"^\s*([A-Z0-9]{6}|[A-Z0-9]{3}[ -][A-Z0-9]{3})\s*$", self.next(address), re.MULTILINE)):
            pass
        return re.sub("[ -]", "", found.group(1))

    def count(self, address):
        """Returns how many mails to an address were written until now."""
        return len(self._to(address))


class Console:
    """A server, and its console under the host name for which browsers have passkeys."""

    def __init__(self, server, mails):
        self.server = server
        self.mails = Mails(mails)

    @property
    def port(self):
        return urlsplit(self.server.base).port

    @property
    def url(self):
        return f"http://localhost:{self.port}"

    @property
    def origins(self):
        return {self.url, self.server.base}

    def entry(self, person):
        """Returns the path by which the operator lets a person in, with its secret."""
        printed = self.server.cli.run("user", "recover", person)
        return re.search(r"/console/recover#\S+", printed).group()

    def let_in(self, context, person, language):
        """Signs a person in by an address of the operator, without a page: the browser gets the cookies."""
        agent = f"Mozilla/5.0 (X11; Linux x86_64) Chrome/{context.browser.version}"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin",
                   "Accept-Language": language, "User-Agent": agent}
        form = urlencode({"token": self.entry(person).partition("#")[2]})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        connection.request("POST", "/console/recover", form, headers)
        answer = connection.getresponse()
        assert answer.status == 303, answer.read()
        cookies = [value for name, value in answer.getheaders() if name.lower() == "set-cookie"]
        connection.close()
        pairs = [cookie.partition(";")[0].partition("=") for cookie in cookies if "Max-Age=0" not in cookie]
        context.add_cookies([{"name": name, "value": value, "domain": "localhost", "path": "/", "secure": True,
                              "httpOnly": True, "sameSite": "Lax"} for name, _, value in pairs])

    def ask(self, token, method, path, payload=None):
        """Sends a request of the API with a token, on a connection of its own, and returns the answer."""
        connection = self.server.connect(token)
        try:
            return connection.call(method, path, payload)
        finally:
            connection.close()

    def organization(self, name="Acme", **options):
        return Organization(self, name, **options)


class Organization:
    """A new organization, with a token of all scopes and an owner with an address of their own."""

    def __init__(self, console, name, slug=None, owner=None):
        self.console = console
        self.name = name
        self.slug = slug or f"{re.sub('[^a-z]+', '-', name.lower()).strip('-') or 'org'}-{uuid.uuid4().hex[:8]}"
        self.owner = owner or f"owner@{self.slug}.example"
        cli = console.server.cli
        self.id = cli.create_organization(self.slug, name, owner_email=self.owner)["id"]
        self.token = cli.create_token(self.id)["token"]
        self.path = f"/console/organizations/{self.slug}"

    def call(self, method, path, payload=None, status=None):
        """Sends a request with the organization's token and returns the answer's JSON, if it has one."""
        answer = self.console.ask(self.token, method, path, payload)
        expected = {status} if status else {200, 201, 202, 204}
        assert answer.status in expected, f"{method} {path}: {answer.status} {answer.text}"
        return answer.json() if answer.text else None

    def add(self, role, name=None):
        """Adds a person with a role to the team and returns the address."""
        address = f"{role.split()[0].lower()}-{uuid.uuid4().hex[:6]}@{self.slug}.example"
        self.call("POST", f"/v2/accounts/{self.id}/members", {"email": address, "name": name or f"The {role}",
                                                             "role": role})
        return address

    def customer(self, name, **fields):
        """Creates a customer and returns its id."""
        fields = {"type": "individual", "email": f"c-{uuid.uuid4().hex[:8]}@example.com", **fields}
        return self.call("POST", "/v1/customers/", {"name": name, **fields})["id"]

    def invite(self, address, role="member", **fields):
        """Invites a person without a mail. Returns the invitation's id and its token."""
        made = self.call("POST", f"/v1/organizations/{self.id}/invitations",
                         {"email": address, "role": role, "send_email": False, **fields})
        return made["id"], made["accept_url"].partition("#")[2]


class Watch:
    """Collects what must not happen in the pages of a browser context.

    `expected` is a pattern of what may happen all the same.
    """

    def __init__(self, context, origins, expected=None):
        self.faults = []
        self._expected = expected
        self._origins = set(origins)
        self._context = context
        self._listeners = {"request": self._requested, "requestfailed": self._failed, "console": self._logged,
                           "weberror": self._thrown}
        for event, listener in self._listeners.items():
            context.on(event, listener)

    def end(self):
        for event, listener in self._listeners.items():
            self._context.remove_listener(event, listener)

    def _note(self, fault):
        if not (self._expected and re.search(self._expected, fault)):
            self.faults.append(fault)

    def _requested(self, request):
        address = urlsplit(request.url)
        if address.scheme in ("http", "https") and f"{address.scheme}://{address.netloc}" not in self._origins:
            self._note(f"a request to another origin: {request.url}")

    def _failed(self, request):
        # A request is aborted when the page is left, and when it becomes a download.
        if request.failure != "net::ERR_ABORTED":
            self._note(f"a request failed: {request.method} {request.url}: {request.failure}")

    def _thrown(self, error):
        self._note(f"a script failed: {error.error}")

    def _logged(self, message):
        if message.type not in ("error", "warning"):
            return
        refused = re.search(r"the server responded with a status of (\d+)", message.text)
        if not (refused and refused.group(1) in REFUSALS):
            self._note(f"{message.type} in the console: {message.text}")


class Browsers:
    """Browsers, each with cookies of its own, that are watched until the end.

    `with Browsers(chromium, console) as browse` fails at the end when something happened that must not.

    To start a browser takes longer than to show ten pages. `idle` therefore keeps the browsers at the console, by their
    options, for the next `Browsers`: without pages, cookies and rights. What they have in common is the cache of files.
    """

    def __init__(self, chromium, console, idle=None):
        self._chromium = chromium
        self._console = console
        self._idle = idle
        self._opened = []

    def __enter__(self):
        return self

    def __call__(self, person=None, to=None, *, at=None, script=True, scheme="light", language="en-GB", width=1280,
                 height=900, others=(), expected=None):
        """Opens a browser and returns its page. `person` is signed in.

        `at` is another console, `others` are origins that the browser may ask besides that of the console, and
        `expected` is a pattern of the faults that do not count.
        """
        at = at or self._console
        options = (at.url, script, scheme, language, width, height)
        kept = self._idle.setdefault(options, []) if self._idle is not None and at is self._console else None
        context = kept.pop() if kept else self._context(*options)
        self._opened.append((context, Watch(context, {*at.origins, *others}, expected), kept))
        page = context.new_page()
        if person:
            at.let_in(context, person, language)
            page.goto(to or "/console/organizations")
        elif to:
            page.goto(to)
        return page

    def _context(self, url, script, scheme, language, width, height):
        context = self._chromium.new_context(
            base_url=url, java_script_enabled=script, color_scheme=scheme, locale=language,
            viewport={"width": width, "height": height})
        context.set_default_timeout(WAIT_MS)
        return context

    def __exit__(self, kind, error, trace):
        faults = [fault for _, watch, _ in self._opened for fault in watch.faults]
        for context, watch, kept in self._opened:
            if kept is None or faults or error is not None:
                context.close()
                continue
            for page in context.pages:
                page.close()
            watch.end()
            context.clear_cookies()
            context.clear_permissions()
            kept.append(context)
        assert error is not None or not faults, "\n".join(faults)


def press(page, name, **options):
    page.get_by_role("button", name=name, exact=True, **options).first.click()


def follow(page, name, **options):
    page.get_by_role("link", name=name, exact=True, **options).first.click()


def fill(page, **values):
    """Fills fields by their names."""
    for name, value in values.items():
        page.locator(f"[name={name}]:visible").first.fill(value)


def says(page, text):
    """Waits until the page shows a text."""
    page.get_by_text(text).filter(visible=True).first.wait_for()


def titled(page, text):
    """Waits until the page has this title."""
    page.get_by_role("heading", level=1, name=text, exact=True).wait_for()


def barriers(page):
    """Returns what axe finds on a page that runs scripts: barriers for people with disabilities."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {preload: false, resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {node['html'][:160]}: {node['failureSummary'][:200]}"
            for one in found for node in one["nodes"][:3]]


def enter(page, console, person):
    """Signs a person in by an address of the operator, as the person would."""
    path = console.entry(person)
    page.goto(f"{console.url}{path}")
    secret = path.partition("#")[2]
    if page.locator("[name=token]").is_visible():
        page.locator("[name=token]").fill(secret)  # without script
    page.locator("form[action$='/recover'] button").click()
    page.wait_for_url(re.compile(r"/console/organizations"))
