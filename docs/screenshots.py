"""Makes the pictures of these pages anew, from the running product: .venv/bin/python -m docs.screenshots

Each is a scene of the demonstration district, played in Chromium on a product of its own.
"""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.people import DOMAIN, Person, Phones
from tests.product import Product, running_product
from tp_inbox.demo.homes import Owner, temporary_folder

IMAGES = Path(__file__).parent / "images"
QUALITY = 82
LARGEST = 200_000  # bytes
SHARPNESS = 1.5  # pixels of the picture for one of the page
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

KEISHA, ROSA, PATRICK = "Keisha Johnson", "Rosa Hernández", "Patrick Murphy"
QUESTION = "Breakfast club is at 7:30 tomorrow instead of 7:15, because of the assembly."
ANSWER = "Thanks for telling me. He'll be there, he never misses it now!"

ELENA, JOYCE, TOMAS = "Elena Ortiz", "Joyce Lindgren", "Tomás Rivera"
LINCOLN, ROOSEVELT = "Lincoln Middle School", "Roosevelt High School"
PASTED = ("nurse", "office", "counsellor", "therapist", "counselor.roosevelt")


def main() -> None:
    with (
        temporary_folder(Owner.for_this_process()) as folder,
        running_product(folder) as product,
        sync_playwright() as playwright,
    ):
        found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
        browser = playwright.chromium.launch(executable_path=next(filter(None, found)), args=["--no-sandbox"])
        for scene in SCENES:
            scene(browser, product)
        browser.close()


def _a_counselor_and_a_family(browser: Browser, product: Product) -> None:
    elena = _person(browser, product, "counselor", **DESKTOP)
    phones = Phones(_window(browser, **DESKTOP), product)
    elena.opens(KEISHA)
    elena.sends(QUESTION)
    expect(phones.row(KEISHA)).to_contain_text("1 new text")
    phones.picks_up(KEISHA)
    phones.answers(ANSWER)
    expect(elena.bubble(ANSWER)).to_be_visible()
    elena.writes("Wonderful, see him then!")
    _take(elena.page, "inbox")
    _take(phones.page, "phones")


def _the_school_inbox_at_night(browser: Browser, product: Product) -> None:
    principal = _person(browser, product, "principal", path="/messages/school", color_scheme="dark", **DESKTOP)
    principal.opens(PATRICK)
    principal.page.get_by_role("button", name="About this family").click()
    _take(principal.page, "school-inbox-dark")


def _on_a_phone(browser: Browser, product: Product) -> None:
    elena = _person(browser, product, "counselor", **PHONE)
    expect(elena.row(ROSA)).to_be_visible()
    _take(elena.page, "phone-list")
    elena.opens(ROSA)
    _take(elena.page, "phone-thread")


def _a_second_step_on_a_phone(browser: Browser, product: Product) -> None:
    page = _person(browser, product, "nurse", "/settings", **PHONE).page
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("img", name="QR code for your authenticator app").locator("svg")).to_be_visible()
    _take(page, "phone-second-step")


def _a_district_admin(browser: Browser, product: Product) -> None:
    """Signs in once, so that the audit log tells more than sign-ins."""
    priya = _person(browser, product, "district", "/admin/staff", **DESKTOP)
    for task in (
        _makes_a_role,
        _gives_it,
        _changes_a_role,
        _gives_roles_to_many,
        _asks_why,
        _looks_at_numbers,
        _reads,
        _lets_go,
        _looks_back,
    ):
        task(priya)


def _makes_a_role(priya: Person) -> None:
    page = priya.page
    priya.goes_to("/admin/roles/new")
    page.get_by_label("Name", exact=True).fill("Visiting nurse")
    page.get_by_role("checkbox", name="See the directory").check()
    page.get_by_role("checkbox", name=re.compile("^Send and receive personal messages")).check()
    expect(page.get_by_text("No choice: texts leave from")).to_be_visible()
    page.get_by_label("Name", exact=True).evaluate("field => field.scrollIntoView({block: 'center'})")
    _take(page, "role-new")
    page.get_by_role("button", name="Create role").click()
    expect(page.get_by_text("Nobody holds this role yet.")).to_be_visible()


def _gives_it(priya: Person) -> None:
    page = priya.page
    page.get_by_role("button", name="Give to people").click()
    dialog = page.get_by_role("dialog", name=re.compile("Visiting nurse"))
    dialog.get_by_role("searchbox", name=re.compile("Find people")).fill(JOYCE)
    dialog.get_by_role("button", name=JOYCE).click()
    dialog.get_by_role("checkbox", name=ROOSEVELT, exact=True).check()
    dialog.get_by_role("button", name="Give role").click()
    expect(dialog).to_be_hidden()


def _changes_a_role(priya: Person) -> None:
    page = priya.page
    priya.goes_to("/admin/roles")
    page.get_by_role("link", name="Counselor", exact=True).first.click()
    page.get_by_role("checkbox", name="Message on behalf of the school").uncheck()
    page.get_by_role("checkbox", name="Export").check()
    page.get_by_role("button", name="Review changes").click()
    review = page.get_by_role("dialog", name="What changes for whom")
    expect(review.get_by_text(ELENA)).to_be_visible()
    _take(page, "role-change")
    review.get_by_role("button", name="Back").click()


def _gives_roles_to_many(priya: Person) -> None:
    page = priya.page
    priya.goes_to("/admin/staff/bulk")
    page.get_by_role("combobox", name=re.compile("^Role")).select_option(label="School Viewer")
    page.get_by_role("checkbox", name=LINCOLN, exact=True).check()
    page.get_by_label("E-mail addresses").fill("\n".join(f"{key}@{DOMAIN}" for key in PASTED))
    page.get_by_role("button", name="Check the list").click()
    expect(page.get_by_role("heading", name="What would happen")).to_be_visible()
    _take(page, "many-people")
    page.get_by_role("button", name=re.compile("^Give . roles")).click()
    expect(page.get_by_role("heading", name="What was done")).to_be_visible()


def _asks_why(priya: Person) -> None:
    page = priya.page
    priya.goes_to("/admin/staff")
    _take(page, "staff")
    page.get_by_role("link", name=JOYCE).click()
    page.get_by_role("heading", name="Roles", exact=True).wait_for()
    _take(page, "person")
    page.get_by_role("button", name=f"{ROOSEVELT}’s inbox").click()
    expect(page.get_by_text("Missing: “View the school inbox”.")).to_be_visible()
    _take(page, "why")


def _looks_at_numbers(priya: Person) -> None:
    priya.goes_to("/admin/numbers")
    expect(priya.page.get_by_role("row").filter(has_text=ELENA)).to_be_visible()
    _take(priya.page, "numbers")


def _reads(priya: Person) -> None:
    priya.goes_to("/oversight")
    priya.row("Layla Haddad").filter(has_text=JOYCE).click()
    reason = priya.page.get_by_role("textbox", name="Reason")
    reason.fill("Safety concern: the counselor asked for help")
    _take(priya.page, "oversight-reason")
    priya.thread.get_by_role("button", name="Open conversation").click()
    expect(priya.bubbles.get_by_role("article").first).to_be_visible()


def _lets_go(priya: Person) -> None:
    page = priya.page
    priya.goes_to("/admin/staff")
    page.get_by_role("link", name=TOMAS).click()
    page.get_by_role("button", name="Deactivate…").click()
    dialog = page.get_by_role("dialog", name=f"Deactivate {TOMAS}?")
    dialog.get_by_role("searchbox").fill("Elena")
    dialog.get_by_role("button", name=ELENA).click()
    expect(dialog.get_by_text("chosen")).to_be_visible()
    _take(page, "leaving")
    dialog.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_text("The account is deactivated.")).to_be_visible()


def _looks_back(priya: Person) -> None:
    page = priya.page
    page.emulate_media(color_scheme="dark")
    priya.goes_to("/admin/audit")
    entries = page.get_by_role("list", name="Entries, newest first").get_by_role("listitem")
    expect(entries.first).to_be_visible()
    reading = entries.filter(has_text="in Oversight").first
    reading.locator("summary").click()
    expect(reading.get_by_text("From where")).to_be_visible()
    _take(page, "audit-log-dark")


SCENES = (
    _a_counselor_and_a_family,
    _the_school_inbox_at_night,
    _on_a_phone,
    _a_second_step_on_a_phone,
    _a_district_admin,
)


def _person(browser: Browser, product: Product, key: str, path: str = "/messages", **options: object) -> Person:
    person = Person(_window(browser, **options), product, key)
    person.has_signed_in()
    person.goes_to(path)
    return person


def _window(browser: Browser, **options: object) -> Page:
    new_page: Callable[..., Page] = browser.new_page
    page = new_page(reduced_motion="reduce", locale="en-US", timezone_id="America/Chicago", **options)
    page.set_default_timeout(20_000)
    return page


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(800)  # fonts and the last transition
    size = page.viewport_size
    assert size is not None
    shot = {"format": "webp", "quality": QUALITY, "clip": {"x": 0, "y": 0, **size, "scale": SHARPNESS}}
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", shot)
    picture = base64.b64decode(taken["data"])
    assert len(picture) <= LARGEST, f"{name} has {len(picture):,} bytes"
    (IMAGES / f"{name}.webp").write_bytes(picture)


if __name__ == "__main__":
    main()
