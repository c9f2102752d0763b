"""Writes pictures of the portal, light and dark, wide and narrow, into docs/images/portal: portal_screenshots.py [FOLDER]

The last section of docs/PORTAL.md shows them, and is written as well.
"""
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from harness import TESTS, TemporaryServer  # noqa: E402

from console import Browsers, Console, fill, launch_options, press, titled  # noqa: E402
from portal import Portal  # noqa: E402
from screenshots import HEADING, SIZES, Camera, picture  # noqa: E402

IMAGES = TESTS.parent / "docs/images/portal"
DOCUMENT = TESTS.parent / "docs/PORTAL.md"
PAGES = {"overview": "", "billing": "/billing", "team": "/team", "hand-over": "/team/{member}/owner",
         "sessions": "/sessions"}


def shoot(browse, portal, camera, kind, scheme):
    """Takes the pictures of one size and colour scheme."""
    width, height = SIZES[kind]
    options = {"width": width, "height": height, "scheme": scheme}
    page = browse(to=f"{portal.home}/sign-in", **options)
    camera.take(page, "sign-in", kind, scheme)
    fill(page, email=portal.addresses["single"])
    press(page, "Send me a code")
    titled(page, "Enter the code")
    camera.take(page, "code", kind, scheme)
    fill(page, code=portal.code(portal.addresses["single"]))
    press(page, "Sign in")
    titled(page, "For whom?")
    camera.take(page, "choose", kind, scheme)
    page = portal.open(browse, "owner", **options)
    for name, path in PAGES.items():
        page.goto(portal.path(path))
        camera.take(page, name, kind, scheme)
    page = portal.open(browse, "single", **options)
    page.goto(portal.path("/email"))
    camera.take(page, "email", kind, scheme)
    page = browse(portal.organization.owner, f"{portal.organization.path}/portal", **options)
    camera.take(page, "set-up", kind, scheme)


def write_section(folder):
    """Writes the last section of the document from the pictures."""
    parts = []
    for file in sorted(folder.glob("*-wide-light.webp")):
        name = file.name.removesuffix("-wide-light.webp")
        shown = [picture(folder, name, kind, size).replace('"portal/', '"images/portal/')
                 for kind, size in (("wide", 560), ("narrow", 160))]
        parts.append(f"{name.replace('-', ' ').capitalize()}:\n\n" + "\n".join(shown) + "\n")
    made = "`tests/browser/portal_screenshots.py` makes these pictures and this list.\n\n"
    text = DOCUMENT.read_text("utf-8").partition(HEADING)[0] + HEADING + "\n" + made + "\n".join(parts)
    DOCUMENT.write_text(text, "utf-8")


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    camera = Camera(folder, set())
    with tempfile.TemporaryDirectory() as mails, sync_playwright() as playwright:
        with TemporaryServer("--mail", f"dir:{mails}") as server:
            console = Console(server, mails)
            portal = Portal(console, color="#0b7a55")
            portal.organization.call("POST", f"/v1/customers/{portal.team}/members",
                                     {"email": portal.addresses["single"], "name": "Ada Lovelace"})
            browser = playwright.chromium.launch(**launch_options())
            for kind in SIZES:
                for scheme in ("light", "dark"):
                    with Browsers(browser, console) as browse:
                        shoot(browse, portal, camera, kind, scheme)
            browser.close()
    size = sum(file.stat().st_size for file in camera.taken)
    print(f"{len(camera.taken)} pictures, {size:,} bytes")
    if folder == IMAGES:
        write_section(folder)


if __name__ == "__main__":
    main()
