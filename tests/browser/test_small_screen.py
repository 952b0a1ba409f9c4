"""On a phone one thing fills the screen at a time; nowhere does a page scroll sideways."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP
from tests.browser.people import Person

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

PHONE = {"width": 390, "height": 844}


def test_a_phone_shows_the_list_then_the_thread_then_the_list_again(at_work: AtWork) -> None:
    samuel = at_work("counselor.roosevelt", "/messages/personal", viewport=PHONE, has_touch=True, is_mobile=True)
    expect(samuel.row("Patricia Mendoza")).to_be_visible()
    expect(samuel.thread).to_be_hidden()
    bar = samuel.rail.bounding_box()
    assert bar and bar["y"] + bar["height"] == PHONE["height"] and bar["width"] == PHONE["width"]
    samuel.row("Patricia Mendoza").tap()
    samuel.sees_thread_of("Patricia Mendoza")
    expect(samuel.row("Patricia Mendoza")).to_be_hidden()
    samuel.writes("The visit is on the 14th.")
    expect(samuel.composer).to_be_in_viewport(ratio=1)
    samuel.sends()
    expect(samuel.bubble("The visit is on the 14th.")).to_be_in_viewport()
    expect(samuel.bubbles.get_by_text("Delivered")).to_be_visible()
    samuel.thread.get_by_role("button", name="About this family").tap()
    expect(samuel.page.get_by_role("complementary", name="About this family")).to_be_in_viewport()
    samuel.page.get_by_role("button", name="Close").tap()
    samuel.thread.get_by_role("link", name="Back to the list").tap()
    expect(samuel.row("Patricia Mendoza")).to_have_accessible_name(re.compile("You: The visit is on the 14th."))
    expect(samuel.thread).to_be_hidden()
    samuel.tab("School messages").tap()
    expect(samuel.row("Natalia Petrova")).to_be_visible()
    samuel.page.get_by_role("link", name="New message").tap()
    expect(samuel.page.get_by_label("Find a family, a student, or a phone number")).to_be_in_viewport()
    samuel.page.get_by_role("link", name="Back to the list").tap()
    expect(samuel.row("Natalia Petrova")).to_be_visible()


def test_on_a_phone_the_staff_are_cards_and_nothing_is_cut(at_work: AtWork) -> None:
    priya = at_work("district", "/admin/staff", viewport=PHONE)
    row = priya.page.get_by_role("row", name=re.compile("Elena Ortiz"))
    expect(row.get_by_role("cell", name="(612) 555-0124")).to_be_visible()
    box = row.bounding_box()
    assert box and box["width"] <= PHONE["width"]
    row.get_by_role("link").click()
    expect(priya.page.get_by_role("heading", name="Elena Ortiz", exact=True)).to_be_in_viewport()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_page_scrolls_sideways(at_work: AtWork, viewport: dict) -> None:
    samuel = at_work("counselor.roosevelt", "/messages/school", viewport=viewport)
    sideways = "document.scrollingElement.scrollWidth > document.scrollingElement.clientWidth"

    def stays(what: str) -> None:
        assert not samuel.page.evaluate(sideways), what

    expect(samuel.row("Natalia Petrova")).to_be_visible()
    stays("list")
    samuel.opens("Natalia Petrova")
    samuel.writes("https://example.org/" + "a-very-long-address-" * 20)
    expect(samuel.thread.get_by_text(re.compile("texts · "))).to_be_visible()
    stays("thread")
    samuel.writes("")
    samuel.thread.get_by_role("button", name="About this family").click()
    expect(samuel.page.get_by_role("complementary", name="About this family")).to_be_visible()
    stays("family panel")
    samuel.goes_to("/messages/school/new")
    samuel.page.get_by_label("Find a family, a student, or a phone number").fill("k")
    expect(samuel.page.get_by_role("button", name=re.compile("Mother of Adam Kowalski"))).to_be_visible()
    stays("new message")
    samuel.goes_to("/settings")
    expect(samuel.page.get_by_label("Signature")).to_be_visible()
    stays("settings")
    samuel.goes_to("/messages/school/999999")
    expect(samuel.page.get_by_text("Not available")).to_be_visible()
    stays("not available")
    priya = at_work("district", "/admin/staff", viewport=viewport)
    expect(priya.page.get_by_role("row", name=re.compile("Elena Ortiz"))).to_be_visible()
    assert not priya.page.evaluate(sideways)
    priya.page.get_by_role("link", name="Elena Ortiz").click()
    expect(priya.page.get_by_role("heading", name="Why can Elena Ortiz see this?")).to_be_visible()
    assert not priya.page.evaluate(sideways)
    priya.page.context.clear_cookies()
    priya.goes_to("/sign-in")
    expect(priya.page.get_by_label("Password")).to_be_visible()
    assert not priya.page.evaluate(sideways)
