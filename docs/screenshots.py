"""Makes the pictures of the README anew, from the running product: .venv/bin/python -m docs.screenshots

Each is a scene of the demonstration district, played in Chromium on a product of its own.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.people import Person, Phones
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


def main() -> None:
    with (
        temporary_folder(Owner.for_this_process()) as folder,
        running_product(folder) as product,
        sync_playwright() as playwright,
    ):
        found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
        browser = playwright.chromium.launch(executable_path=next(filter(None, found)), args=["--no-sandbox"])
        for scene in (_a_counselor_and_a_family, _the_school_inbox_at_night, _on_a_phone):
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
