"""Writes pictures of the console's screens, light and dark, wide and narrow: screenshots.py [--out FOLDER] [NAME]...

The pictures are those of docs/CONSOLE.md, whose last section is written as well, and of README.md. They are made again
when a screen has changed.
"""
import argparse
import base64
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from harness import TESTS, TemporaryServer  # noqa: E402
from receiver import Receiver  # noqa: E402

from console import WAIT_MS, Console, enter, launch_options, press, titled  # noqa: E402
from estate import Estate, status_for  # noqa: E402
from screens import passkeys, steps  # noqa: E402

SIZES = {"wide": (1120, 700), "narrow": (320, 600)}
QUALITY = {"wide": 22, "narrow": 26}
IMAGES = TESTS.parent / "docs/images"
DOCUMENT = TESTS.parent / "docs/CONSOLE.md"
HEADING = "\n## Screens\n"
MOST_BYTES = 9 << 18


def pages(estate):
    """Returns the name and path of each page."""
    path = estate.organization.path
    customer = f"{path}/customers/{estate.customers[-2]}"
    organization = estate.organization
    people = organization.call("GET", f"/v1/organizations/{organization.id}/members")["items"]
    analyst, = [one["user_id"] for one in people if one["email"] == estate.people["Analyst"]]
    return {
        "overview": path,
        "team": f"{path}/team",
        "roles": f"{path}/team/roles",
        "invitations": f"{path}/team/invitations",
        "invite": f"{path}/team/invite",
        "team-add": f"{path}/team/add",
        "person": f"{path}/team/people/{analyst}",
        "transfer": f"{path}/team/transfer",
        "customers": f"{path}/customers",
        "customer": customer,
        "customer-edit": f"{customer}/edit",
        "customer-delete": f"{customer}/delete",
        "tokens": f"{path}/tokens",
        "token-new": f"{path}/tokens/new",
        "token": f"{path}/tokens/{estate.token}",
        "webhooks": f"{path}/webhooks",
        "webhook-new": f"{path}/webhooks/new",
        "webhook": f"{path}/webhooks/{estate.quiet_webhook}",
        "audit-log": f"{path}/audit-log",
        "settings": f"{path}/settings",
        "sign-in-rule": f"{path}/sign-in",
        "organizations": "/console/organizations",
        "new-organization": "/console/new-organization",
        "waiting": "/console/invitations",
        "profile": "/console/profile",
        "sessions": "/console/sessions",
        "notices": "/console/notices",
    }


SIGNED_OUT = {"sign-in": "/console/sign-in", "claim": "/console/claim"}
# Of the answers to forms, these are shown.
STEPS = {"token-secret", "token-faults", "invited", "invitation", "invitation-expired"}


class Camera:
    def __init__(self, folder, names):
        self._folder = folder
        self._names = names
        self.taken = []

    def wants(self, *names):
        """Whether one of these pictures is asked for."""
        return not self._names or not self._names.isdisjoint(names)

    def take(self, page, name, kind, scheme):
        """Writes the picture of a page, if it is asked for."""
        if not self.wants(name):
            return
        tools = page.context.new_cdp_session(page)
        picture = tools.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY[kind]})
        tools.detach()
        file = self._folder / f"{name}-{kind}-{scheme}.webp"
        file.write_bytes(base64.b64decode(picture["data"]))
        self.taken.append(file)


def shoot(browser, console, estate, camera):
    """Takes pictures of all screens in each size and scheme."""
    paths = pages(estate)
    for kind, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            options = {"base_url": console.url, "color_scheme": scheme, "locale": "en-GB",
                       "viewport": {"width": width, "height": height}}
            page, signed_out, analyst, operator = (browser.new_context(**options).new_page() for _ in range(4))
            for one in (page, signed_out, analyst, operator):
                one.set_default_timeout(WAIT_MS)
            enter(page, console, estate.organization.owner)
            page.goto("/console/profile")
            page.locator("[name=name]").fill("Jane Doe")
            press(page, "Save")
            for name, path in paths.items():
                if camera.wants(name):
                    page.goto(path)
                    camera.take(page, name, kind, scheme)
            for name, listed_in in (("audit-entry", "audit-log"), ("delivery", "webhook")):
                if camera.wants(name):
                    page.goto(paths[listed_in])
                    page.locator("#list td.main a").first.click()
                    page.wait_for_load_state()
                    camera.take(page, name, kind, scheme)
            if kind == "narrow" and camera.wants("menu"):
                page.goto(estate.organization.path)
                page.locator("[popovertarget]").click()
                camera.take(page, "menu", kind, scheme)
            for name, path in SIGNED_OUT.items():
                if camera.wants(name):
                    signed_out.goto(path)
                    camera.take(signed_out, name, kind, scheme)
            if camera.wants("code"):
                signed_out.goto("/console/sign-in")
                signed_out.locator("[name=email]").fill(estate.organization.owner)
                press(signed_out, "Send me a code")
                titled(signed_out, "Enter the code")
                camera.take(signed_out, "code", kind, scheme)
            for step in steps(estate):
                if step.name in STEPS and camera.wants(step.name):
                    one = page if step.signed_in else signed_out
                    step.open(one)
                    camera.take(one, step.name, kind, scheme)
            if camera.wants("passkeys", "passkey", "recovery-codes"):
                enter(analyst, console, estate.people["Analyst"])
                for name in passkeys(analyst):
                    if "/" not in name:
                        camera.take(analyst, name, kind, scheme)
            if camera.wants(*estate.operator_pages()):
                enter(operator, console, estate.operator)
                for name, path in estate.operator_pages().items():
                    operator.goto(path)
                    camera.take(operator, name, kind, scheme)
            for one in (page, signed_out, analyst, operator):
                one.context.close()


def picture(folder, name, kind, width):
    """Returns the HTML of a picture that follows the reader's colour scheme, with a path from docs/."""
    def path(scheme):
        return f"{folder.name}/{name}-{kind}-{scheme}.webp"

    what = f"{name.replace('-', ' ')}, {kind}"
    return (f'<picture><source media="(prefers-color-scheme: dark)" srcset="{path("dark")}">'
            f'<img src="{path("light")}" alt="{what}" width="{width}"></picture>')


def write_section(folder, text):
    """Returns the text of docs/CONSOLE.md with its last section made anew from the pictures of a folder."""
    names = sorted({file.name.rsplit("-", 2)[0] for file in folder.glob("*-light.webp")})
    parts = []
    for name in names:
        shown = [picture(folder, name, kind, width) for kind, width in (("wide", 560), ("narrow", 160))
                 if (folder / f"{name}-{kind}-light.webp").exists()]
        parts.append(f"{name.replace('-', ' ').capitalize()}:\n\n" + "\n".join(shown) + "\n")
    made = "`tests/browser/screenshots.py` makes these pictures and this list.\n\n"
    return text.partition(HEADING)[0] + HEADING + "\n" + made + "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("names", nargs="*", metavar="NAME", help="screens; without one, all")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    receiver = Receiver(status_for)
    with tempfile.TemporaryDirectory() as mails, sync_playwright() as playwright:
        with TemporaryServer("--mail", f"dir:{mails}", "--webhook-http-host", receiver.host) as server:
            console = Console(server, mails)
            estate = Estate(console, receiver, slug="juniper-works")
            browser = playwright.chromium.launch(**launch_options())
            camera = Camera(options.out, set(options.names))
            shoot(browser, console, estate, camera)
            browser.close()
    receiver.close()
    size = sum(file.stat().st_size for file in camera.taken)
    print(f"{len(camera.taken)} pictures, {size:,} bytes")
    if not options.names and options.out == IMAGES:
        DOCUMENT.write_text(write_section(options.out, DOCUMENT.read_text("utf-8")), "utf-8")
    if size > MOST_BYTES:
        raise SystemExit(f"the pictures have more than {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main()
