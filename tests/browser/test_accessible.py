"""axe finds nothing serious on any page in any state, and everything can be done with the keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, Windows
from tests.browser.people import Person
from tests.browser.test_small_screen import PHONE
from tests.product import PASSWORD, Product

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

SETTLED = """async () => {
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const ending = document.getAnimations().filter(each => each.effect.getTiming().iterations < 9);
    await Promise.allSettled(ending.map(each => each.finished));
}"""
"""Colours have changed from one scheme to the other."""
SERIOUS = {"serious", "critical"}
FIND = "Find a family, a student, or a phone number"


def violations(page: Page) -> list[str]:
    """What axe finds, in light and in dark."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(SETTLED)
        for each in Axe().run(page).response["violations"]:
            if each["impact"] in SERIOUS:
                found += [f"{scheme}: {each['id']}: {node['html']} {node['failureSummary']}" for node in each["nodes"]]
    return found


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious_on_any_page(at_work: AtWork, windows: Windows, product: Product, viewport) -> None:
    found = {}
    for state, page in states(at_work, windows, product, viewport):
        found[state] = violations(page)
    assert [f"{state}: {problem}" for state, each in found.items() for problem in each] == []


def states(at_work: AtWork, windows: Windows, product: Product, viewport) -> Iterator[tuple[str, Page]]:
    stranger = Person(windows.open(viewport=viewport), product, "nobody")
    stranger.goes_to("/sign-in?problem=wrong")
    expect(stranger.page.get_by_role("alert")).to_be_visible()
    yield "sign-in", stranger.page

    elena = at_work("counselor", "/messages/personal", viewport=viewport)
    page = elena.page
    expect(elena.row("Dorothy Robinson")).to_be_visible()
    yield "list", page
    elena.opens("Dorothy Robinson")
    elena.writes("It costs nothing – really, and they’ll be back at three. " * 3)
    expect(elena.thread.get_by_text(re.compile(r"\d texts · "))).to_be_visible()
    yield "thread with draft and From", page
    elena.thread.get_by_role("button", name="About this family").click()
    expect(page.get_by_role("complementary", name="About this family")).to_be_visible()
    yield "family", page
    elena.goes_to("/messages/school")
    elena.opens("Greg Peterson")
    expect(elena.thread.get_by_text("This family texted STOP")).to_be_visible()
    yield "closed thread", page
    elena.goes_to("/messages/school")
    elena.opens("Carol Peterson")
    expect(elena.bubbles.get_by_text("Not delivered.").first).to_be_visible()
    yield "failed text", page
    elena.goes_to("/messages/school/999999")
    expect(page.get_by_text("Not available")).to_be_visible()
    yield "not available", page
    elena.goes_to("/messages/personal/new")
    expect(page.get_by_text("Whom do you want to write to?")).to_be_visible()
    yield "new message", page
    page.get_by_label(FIND).fill("schmidt")
    expect(page.get_by_text("This student is under 13")).to_be_visible()
    yield "people found", page
    page.get_by_role("button", name=re.compile("Mother of Ben Schmidt")).click()
    expect(page.get_by_role("heading", name="From")).to_be_visible()
    yield "sender chosen", page
    elena.goes_to("/settings")
    expect(page.get_by_label("Signature")).to_be_visible()
    yield "settings", page
    elena.goes_to("/admin/staff")
    expect(page.get_by_text("Only people who manage staff can do this.")).to_be_visible()
    yield "staff refused", page

    priya = at_work("district", "/admin/staff", viewport=viewport)
    expect(priya.page.get_by_role("table")).to_be_visible()
    if viewport == PHONE:
        priya.page.get_by_role("button", name="Filters").click()
    priya.page.get_by_label("Role", exact=True).select_option(label="Counselor")
    expect(priya.page.get_by_role("button", name="Counselor, take this filter away")).to_be_visible()
    yield "staff", priya.page
    priya.page.get_by_role("link", name="Elena Ortiz").click()
    expect(priya.page.get_by_role("heading", name="Why can Elena Ortiz see this?")).to_be_visible()
    yield "person", priya.page
    priya.page.get_by_role("button", name="Roosevelt High School’s inbox").click()
    expect(priya.page.get_by_text("does not see this school’s inbox")).to_be_visible()
    yield "why", priya.page
    priya.page.get_by_role("button", name="Edit Elena Ortiz").click()
    expect(priya.page.get_by_role("dialog", name="Change name and title")).to_be_visible()
    yield "change name", priya.page


def test_everything_can_be_done_with_the_keyboard_alone(windows: Windows, product: Product) -> None:
    samuel = Person(windows.open(), product, "counselor.roosevelt")
    page, keys = samuel.page, samuel.page.keyboard
    samuel.goes_to("/sign-in")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    keys.type(samuel.email)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(samuel.row("Patricia Mendoza")).to_be_visible()

    samuel.tabs_to(samuel.tab("School messages"))
    keys.press("Enter")
    expect(samuel.row("Janet Kowalski")).to_be_visible()
    samuel.tabs_to(samuel.row("Janet Kowalski"))
    keys.press("Enter")
    samuel.sees_thread_of("Janet Kowalski")
    samuel.tabs_to(samuel.composer)
    keys.type("The bus is on time today.")
    keys.press("Enter")
    expect(samuel.bubble("The bus is on time today.")).to_have_count(1)
    samuel.tabs_to(samuel.sender, backwards=True)
    keys.press("ArrowUp")
    expect(page).to_have_url(re.compile("/messages/personal/"))

    samuel.tabs_to(page.get_by_role("link", name="New message"), backwards=True)
    keys.press("Enter")
    expect(page.get_by_label(FIND)).to_be_focused()
    keys.type("kouassi")
    choice = page.get_by_role("button", name=re.compile("^Marc Kouassi Father"))
    expect(choice).to_be_visible()
    samuel.tabs_to(choice)
    keys.press("Enter")
    sender = page.get_by_role("button", name=re.compile("^Roosevelt High School"))
    expect(sender).to_be_visible()
    samuel.tabs_to(sender)
    keys.press("Enter")
    samuel.sees_thread_of("Marc Kouassi")
    samuel.tabs_to(samuel.composer)
    keys.type("Grace left her computer here.")
    keys.press("Enter")
    expect(samuel.bubble("Grace left her computer here.")).to_have_count(1)
    expect(samuel.bubbles.get_by_text("Delivered")).to_be_visible()
