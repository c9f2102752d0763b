"""Every screen: with script and without, for each role, in German, in both colour schemes, by keyboard, and narrow."""
import re

import pytest

from console import Browsers, barriers, enter, press
from estate import CUSTOMERS, PEOPLE, Estate, status_for
from screens import SIGNED_OUT, crawl, is_of, passkeys, steps

ROLES = ["Owner", "Administrator", "Developer", "Analyst", "Billing Manager"]
NARROW = 320
# Words that are the same in both languages, and words that are no language's.
SAME = {
    "Administrator", "Analyst", "API tokens", "API-Tokens", "Deutsch", "Discord", "Email", "English", "Format", "ID",
    "JSON", "Logo", "Name", "Passkeys", "Person", "Slack", "Slug", "Team", "Tenantry", "Token", "URL", "Version",
    "Webhooks", "Website",
}


TEXTS = """() => {
    const found = [];
    const keep = text => { const plain = text.replaceAll(/\\s+/g, ' ').trim(); if (plain) found.push(plain); };
    const skipped = 'code, pre, .mono, script, style, .sprite, textarea, time, .mark, .face';
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) if (!walker.currentNode.parentElement.closest(skipped)) keep(walker.currentNode.data);
    for (const name of ['placeholder', 'aria-label', 'title', 'alt'])
        for (const one of document.querySelectorAll(`[${name}]:not(time)`)) keep(one.getAttribute(name));
    keep(document.title.replace(/ · [^·]*$/, ''));
    return found;
}"""


# Every control that can be used now, or those of the content alone. Of radio buttons with one name, a keyboard reaches one.
CONTROLS = """ofContent => {
    const begin = ofContent ? document.querySelector('main') : document.body;
    const all = [...begin.querySelectorAll(
        'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')];
    const usable = all.filter(one => !one.disabled && one.checkVisibility({visibilityProperty: true}));
    const groups = new Set();
    const reached = usable.filter(one => {
        if (one.type !== 'radio') return true;
        const isFirst = !groups.has(one.name);
        groups.add(one.name);
        return isFirst;
    });
    window.reached = [];
    document.activeElement?.blur();
    if (ofContent) begin.focus();
    else getSelection().collapse(begin, 0);
    document.addEventListener('focusin', ({target}) => {
        const style = getComputedStyle(target);
        const key = target.type === 'radio' ? `radio ${target.name}` : all.indexOf(target);
        window.reached.push([key, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]);
    });
    return reached.map(one => [one.type === 'radio' ? `radio ${one.name}` : all.indexOf(one),
                               one.outerHTML.slice(0, 120)]);
}"""


# The links of the navigation, which many pages share.
RAIL = "() => [...document.querySelectorAll('.rail a')].map(one => one.getAttribute('href')).join(' ')"


# The elements that make a page wider than the window, and the lists that cover what is beside them.
TOO_WIDE = """() => {
    const width = innerWidth;
    const size = one => one.getBoundingClientRect().width;
    const covering = [...document.querySelectorAll('main .list')].filter(one => !one.closest('.scroll'))
        .filter(one => size(one) > size(one.parentElement) + 1).map(one => `${width}: ${one.outerHTML.slice(0, 120)}`);
    if (document.documentElement.scrollWidth <= width) return covering;
    const all = [...document.querySelectorAll('main *, header *')];
    return all.filter(one => one.getBoundingClientRect().right > width + 1).slice(0, 3)
        .map(one => one.outerHTML.slice(0, 120));
}"""


@pytest.fixture(scope="module")
def estate(console, receiver):
    before = receiver.status_for
    receiver.status_for = status_for
    yield Estate(console, receiver)
    receiver.status_for = before


@pytest.fixture(scope="module")
def paths(chromium, console, estate):
    """The path of each screen that links lead the owner to."""
    context = chromium.new_context(base_url=console.url, java_script_enabled=False)
    page = context.new_page()
    enter(page, console, estate.organization.owner)
    found = crawl(page, [estate.organization.path, "/console/organizations", "/console/deleted-organization"])
    context.close()
    return [path for path in found if is_of(path, estate.organization)]


def every_screen(browse, estate, paths, **options):
    """Opens each screen in turn, in browsers with these options. Gives its name and page."""
    def signed_in(person):
        # A sign-in brings the language that the person used first, so the browser's own is chosen again.
        page = browse(person, **options)
        page.goto(f"/console/profile?lang={options['language'][:2]}")
        return page

    page, signed_out = signed_in(estate.organization.owner), browse(**options)
    for path in paths:
        page.goto(path)
        yield path, page
    for path in SIGNED_OUT:
        signed_out.goto(path)
        yield path, signed_out
    for step in steps(estate):
        step.open(page if step.signed_in else signed_out)
        yield step.name, page if step.signed_in else signed_out
    operator = signed_in(estate.operator)
    for name, path in estate.operator_pages().items():
        operator.goto(path)
        yield name, operator
    with_passkey = signed_in(estate.people["Analyst"])
    for name in passkeys(with_passkey):
        yield name, with_passkey


class Survey:
    """What was seen on every screen, each by the name of the screen. `keyboard` says whether each is gone through by it."""

    def __init__(self, screens, keyboard):
        self.barriers, self.texts, self.languages, self.keyboard, self.too_wide = {}, {}, {}, {}, {}
        rails = set()
        for name, page in screens:
            self.texts[name] = set(page.evaluate(TEXTS))
            self.languages[name] = page.locator("html").get_attribute("lang")
            self.barriers[name] = barriers(page)
            rail = page.evaluate(RAIL)
            self.keyboard[name] = unreached(page, rail in rails) if keyboard else []
            # A page without a navigation is gone through whole.
            rails.update({rail} - {""})
            self.too_wide[name] = []
            # The narrowest windows of each form of the style sheet.
            for width in (1241, 961, NARROW):
                page.set_viewport_size({"width": width, "height": 640})
                self.too_wide[name] += page.evaluate(TOO_WIDE)
            page.set_viewport_size({"width": 1280, "height": 900})


def unreached(page, of_content=False):
    """Goes through a page, or its content alone, by the Tab key. Returns the controls that it does not reach, or whose
    focus is not seen.
    """
    controls = page.evaluate(CONTROLS, of_content)
    # A field for a date has several stops: day, month, year, calendar.
    dates = page.locator("input[type=date]").count()
    for _ in range(len(controls) + 2 + 3 * dates):
        page.keyboard.press("Tab")
    reached = dict(page.evaluate("window.reached"))
    return ([f"not reached: {html}" for key, html in controls if key not in reached]
            + [f"no focus is seen: {html}" for key, html in controls if reached.get(key) is False])


def expect_nothing(by_screen):
    """Fails with everything that was found, and the names of the screens."""
    found = [f"{name}: {one}" for name, all_found in by_screen.items() for one in all_found]
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def light(chromium, console, estate, paths):
    with Browsers(chromium, console) as browse:
        return Survey(every_screen(browse, estate, paths, scheme="light", language="en-GB"), keyboard=True)


@pytest.fixture(scope="module")
def dark(chromium, console, estate, paths):
    """The screens in the other scheme, and in German: its words are longer. The keyboard reaches the same controls."""
    with Browsers(chromium, console) as browse:
        return Survey(every_screen(browse, estate, paths, scheme="dark", language="de-DE"), keyboard=False)


@pytest.fixture(params=["light", "dark"])
def survey(request):
    return request.getfixturevalue(request.param)


def test_no_screen_has_a_barrier(survey):
    expect_nothing(survey.barriers)


def test_no_screen_is_wider_than_a_small_telephone(survey):
    expect_nothing(survey.too_wide)


def test_a_keyboard_reaches_every_control_and_shows_where_it_is(light):
    expect_nothing(light.keyboard)


def test_no_screen_has_an_english_word_in_german(light, dark, estate):
    """A text that a screen shows in both languages is either data or not translated."""
    assert set(dark.languages.values()) == {"de"} and set(light.languages.values()) == {"en"}
    assert set(light.texts) == set(dark.texts)
    data = data_of(estate)
    both = {name: sorted(texts & dark.texts[name] - SAME) for name, texts in light.texts.items()}
    expect_nothing({name: [text for text in texts if not is_data(text, data)] for name, texts in both.items()})


def data_of(estate):
    """Names that somebody entered, in lower case. The operator's lists have the organizations of other tests as well."""
    others = estate.organization.console.server.own_database.rows("SELECT name FROM organizations")
    names = [
        "Ada Lovelace", "Kim Berg", "Noor Haddad", "Wren Studio", "Shop", "Warehouse", "billing", "reports", "nobody",
        "Three unpaid invoices", *(name for name, in others if len(name) > 3), *CUSTOMERS, *(name for _, name in PEOPLE),
    ]
    return {name.lower() for name in names}


def is_data(text, names):
    """Whether a text is data: a name, an address, an id, a number, or the name of something in the API."""
    plain = text.lower().strip(" ·()")
    if plain in names or re.fullmatch(r"[\W\d_]*", plain):
        return True
    kinds = (
        r"\S+@\S+",  # an address
        r"https?://\S+",
        r"[a-z0-9_]+([.:_-][a-z0-9_*]+)+",  # an event, a scope, a slug, a host
        r"[a-z]{3,10} [/\w{}.?=&-]+",  # a call
        r"(chrome|firefox|headlesschrome) · \w+", r"mozilla/.*", r"[\d.:]+", r"[\d.,]+ [kmgt]?b",
        r"\w+ = \w+", r"\{.*\}",  # metadata, and objects in the audit log
        r".{0,40} · (\d+|\w{3} \d+)",
    )
    return any(re.fullmatch(kind, plain) for kind in kinds) or any(name in plain for name in names)


@pytest.mark.parametrize("role", ROLES)
def test_every_link_of_a_role_leads_to_a_screen_without_script(browse, estate, role):
    organization = estate.organization
    page = browse(estate.people[role], script=False)
    found = crawl(page, [organization.path, "/console/organizations"])
    assert len([path for path in found if path.startswith(organization.path)]) >= (20 if role == "Owner" else 3)


def test_a_screen_shows_the_same_without_script(browse, estate, paths):
    """What a script adds is comfort: no text of a page needs it."""
    def texts(page):
        shown = page.locator("main").evaluate("""main => {
            const copy = main.cloneNode(true);
            for (const one of copy.querySelectorAll('.needs-script, .no-script, time')) one.remove();
            return copy.textContent.replaceAll(/\\s+/g, ' ').trim();
        }""")
        return shown

    with_script, without = browse(estate.organization.owner), browse(estate.organization.owner, script=False)
    for path in paths:
        if "sessions" in path:
            continue  # each browser is "this browser" for itself
        with_script.goto(path)
        without.goto(path)
        assert texts(with_script) == texts(without), path


def test_menus_work_by_keyboard(browse, estate):
    page = browse(estate.organization.owner, f"{estate.organization.path}/team")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    summary = page.locator("td summary").last
    summary.focus()
    page.keyboard.press("Enter")
    menu = page.locator("details[open] .pop")
    menu.wait_for()
    page.keyboard.press("Tab")
    assert menu.evaluate("menu => menu.contains(document.activeElement)")
    page.keyboard.press("Escape")
    menu.wait_for(state="hidden")
    assert summary.evaluate("summary => summary === document.activeElement")


def test_the_menu_of_a_small_telephone_opens_and_closes(browse, estate, script):
    page = browse(estate.organization.owner, estate.organization.path, width=NARROW, height=640, script=script)
    rail = page.get_by_role("navigation", name="Sections")
    assert not rail.is_visible()
    button = page.get_by_role("button", name="Open the menu")
    button.focus()
    page.keyboard.press("Enter")
    rail.wait_for()
    page.keyboard.press("Escape")
    rail.wait_for(state="hidden")
    button.click()
    rail.get_by_role("link", name="Customers").click()
    page.get_by_role("heading", level=1, name="Customers").wait_for()


def test_a_list_follows_while_somebody_types(browse, estate):
    """Nothing but the list changes: the field keeps the focus and the text."""
    page = browse(estate.organization.owner, f"{estate.organization.path}/customers")
    page.locator("[name=query]").press_sequentially("kestrel")
    page.get_by_text("1 customer", exact=True).wait_for()
    assert page.evaluate("document.activeElement.value") == "kestrel"
    page.wait_for_url("**query=kestrel*")
    page.go_back()


def test_nothing_moves_for_people_who_do_not_want_it(browse, estate):
    page = browse(estate.organization.owner, estate.organization.path)
    page.emulate_media(reduced_motion="reduce")
    moving = page.evaluate("""() => [...document.querySelectorAll('*')].filter(one => {
        const style = getComputedStyle(one);
        return style.animationName !== 'none' || parseFloat(style.transitionDuration) > 0;
    }).length""")
    assert moving == 0


def test_a_faulty_form_leads_to_its_fields(browse, estate):
    page = browse(estate.organization.owner, f"{estate.organization.path}/tokens/new")
    press(page, "Create token")
    summary = page.get_by_role("alert")
    summary.get_by_role("link").first.click()
    # A field or a group of choices is the target.
    assert page.evaluate("document.querySelector(':target').closest('.field, fieldset') !== null")
