"""Staff before a screen: finding somebody, asking why they see something, and signing them out."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.people import Person

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]


def test_somebody_is_found_narrowed_and_opened_with_the_keyboard_alone(at_work: AtWork) -> None:
    priya = at_work("district", "/admin/staff")
    page, keys = priya.page, priya.page.keyboard
    priya.tabs_to(page.get_by_label("Search by name, e-mail or title"))
    keys.type("tomas")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row", name=re.compile("Tomás Rivera"))).to_be_visible()
    for _ in "tomas":
        keys.press("Backspace")
    expect(page.get_by_role("status").filter(has_text=re.compile(r"of \d+"))).to_be_visible()
    page.get_by_label("School", exact=True).select_option(label="Roosevelt High School")
    chip = page.get_by_role("button", name="Roosevelt High School, take this filter away")
    expect(chip).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Elena Ortiz"))).to_have_count(0)
    priya.tabs_to(chip)
    keys.press("Enter")
    expect(page.get_by_role("row", name=re.compile("Elena Ortiz"))).to_be_visible()
    by_name = page.get_by_role("button", name=re.compile("^Name.*sorted ascending"))
    priya.tabs_to(by_name)
    keys.press("Enter")
    expect(page.locator("tr:has-text('Tomás Rivera') ~ tr:has-text('Elena Ortiz')")).to_be_visible()
    priya.tabs_to(page.get_by_role("link", name="Tomás Rivera"))
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Tomás Rivera", exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name=re.compile("^Name.*sorted descending"))).to_be_visible()


def test_the_list_is_taken_away_as_a_file(at_work: AtWork) -> None:
    priya = at_work("district", "/admin/staff")
    with priya.page.expect_download() as download:
        priya.page.get_by_role("button", name="Export").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("\ufeffName,E-mail,Title")
    assert any(line.startswith("Tomás Rivera,therapist@maplevalley.example") for line in lines)


def test_why_somebody_sees_something_is_told_in_sentences(at_work: AtWork) -> None:
    priya = at_work("district", "/admin/staff")
    page = priya.page
    page.get_by_role("link", name="Joyce Lindgren").click()
    page.get_by_role("button", name="Lincoln Middle School’s inbox").click()
    expect(page.get_by_text("No. Joyce Lindgren does not see this school’s inbox.")).to_be_visible()
    expect(page.get_by_text("Missing: “View the school inbox”.")).to_be_visible()
    page.get_by_role("button", name="Ask about something else").click()
    page.get_by_role("button", name="Joyce Lindgren’s inbox").click()
    expect(page.get_by_text("Yes. It is their own inbox.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Nurse at Lincoln Middle School").first).to_be_visible()
    expect(page.get_by_text("Nobody oversees their own conversations.")).to_be_visible()


def test_an_admin_signs_somebody_out_and_their_browser_shows_it(at_work: AtWork) -> None:
    helen = at_work("assistant.principal", "/settings")
    expect(helen.page.get_by_role("heading", name="Where you are signed in")).to_be_visible()
    expect(helen.page.get_by_text("This browser, now")).to_be_visible()
    priya = at_work("district", "/admin/staff")
    priya.page.get_by_role("link", name="Helen Vang").click()
    priya.page.get_by_role("button", name="Sign out everywhere").click()
    dialog = priya.page.get_by_role("dialog", name="Sign out everywhere")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_visible()
    dialog.get_by_role("button", name="Sign out everywhere").click()
    expect(priya.page.get_by_text("Signed in nowhere at the moment.")).to_be_visible()
    expect(helen.page.get_by_label("Password")).to_be_visible()
