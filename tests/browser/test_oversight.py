"""Oversight in the browser: a reason first, then the words and nothing to do; and whose they are sees it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.behind import Behind
from tests.browser.conftest import DESKTOP
from tests.browser.people import Person
from tests.browser.test_accessible import violations
from tests.browser.test_small_screen import PHONE
from tp_inbox.storage.feed import Change, ChangeKind

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

FAMILY, NURSE = "Layla Haddad", "Joyce Lindgren"
ADD = """
with viewer as (
    insert into staff (email, name, title, password_hash, signature, active, created_at)
    select :email, 'Olga Overman', 'auditor', password_hash, '', true, now()
    from staff where email = 'district@maplevalley.example' returning id
)
insert into assignment (staff_id, role_id, created_at)
select viewer.id, role.id, now() from viewer, role where base_key = 'district_viewer' returning staff_id
"""


def gives_reason(person: Person, words: str) -> None:
    person.page.get_by_role("textbox", name="Reason").fill(words)
    person.thread.get_by_role("button", name="Open conversation").click()


def test_a_conversation_is_opened_with_a_reason_and_whose_it_is_sees_it(at_work: AtWork, behind: Behind) -> None:
    markers = behind.rows("select staff_id, thread_id, seen from read_marker order by 1, 2")
    priya = at_work("district", "/")
    page, keys = priya.page, priya.page.keyboard
    priya.rail.get_by_role("link", name="Oversight").click()
    expect(priya.row(FAMILY).first).to_be_visible()
    priya.tabs_to(page.get_by_role("searchbox", name="Family or number"))
    keys.type("haddad")
    priya.tabs_to(page.get_by_role("searchbox", name="Staff member"))
    keys.type("joyce")
    expect(priya.list.get_by_role("listitem")).to_have_count(1)
    line = priya.row(FAMILY)
    expect(line).to_contain_text(NURSE)
    expect(line).to_contain_text("Lincoln Middle School")
    priya.tabs_to(line)
    keys.press("Enter")

    expect(page.get_by_role("textbox", name="Reason")).to_be_focused()
    expect(priya.thread).to_contain_text(f"{NURSE} will see that you read this, when, and why.")
    expect(priya.bubbles).to_have_count(0)
    keys.type("short")
    keys.press("Tab")
    keys.press("Enter")
    expect(priya.bubbles).to_have_count(0)
    priya.thread.get_by_role("button", name="Records request").click()
    expect(page.get_by_role("textbox", name="Reason")).to_be_focused()
    keys.press("End")
    keys.type(" of the family’s lawyer")
    keys.press("Tab")
    keys.press("Enter")
    expect(priya.bubbles.get_by_role("article").first).to_be_visible()
    expect(priya.thread.get_by_role("heading", name=FAMILY)).to_be_focused()
    expect(priya.thread.get_by_role("textbox")).to_have_count(0)
    expect(priya.thread.get_by_role("button", name=re.compile("Send|Try again"))).to_have_count(0)
    expect(priya.thread).to_contain_text("nothing can be written from here")
    assert behind.rows("select staff_id, thread_id, seen from read_marker order by 1, 2") == markers

    joyce = at_work("nurse", "/messages/personal")
    joyce.opens(FAMILY)
    expect(joyce.thread).to_contain_text(re.compile("Read by Priya Raman, .*: Records request of the family’s lawyer"))
    joyce.thread.get_by_role("link", name="See all").click()
    mine = joyce.page.get_by_role("listitem").filter(has_text="Records request of the family’s lawyer")
    expect(mine).to_contain_text(f"Priya Raman read your conversation with {FAMILY}")
    expect(joyce.rail.get_by_role("link", name="Oversight")).to_have_count(0)
    joyce.follows("/oversight")
    expect(joyce.page.get_by_text("Only people who may view all messages can do this.")).to_be_visible()


def test_a_schools_inbox_needs_no_reason_and_a_phone_shows_one_thing_at_a_time(at_work: AtWork) -> None:
    priya = at_work("district", "/oversight", viewport=PHONE, has_touch=True, is_mobile=True)
    line = priya.list.get_by_role("link", name=re.compile("Roosevelt High School inbox")).first
    expect(line).to_be_visible()
    expect(priya.thread).to_be_hidden()
    line.tap()
    expect(priya.bubbles.get_by_role("article").first).to_be_visible()
    expect(priya.list).to_be_hidden()
    assert priya.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    priya.thread.get_by_role("link", name="Back to the list").tap()
    expect(line).to_be_visible()


def test_when_the_permission_is_taken_the_open_conversation_closes_with_a_sentence(
    at_work: AtWork, behind: Behind
) -> None:
    olga_id = behind.value(ADD, email="auditor@maplevalley.example")
    olga = at_work("auditor", "/oversight")
    olga.row(FAMILY).filter(has_text=NURSE).click()
    gives_reason(olga, "The yearly look at everything")
    expect(olga.bubbles.get_by_role("article").first).to_be_visible()
    behind.rows("delete from assignment where staff_id = :id", id=olga_id)
    behind.announce(Change(ChangeKind.ACCESS, staff=olga_id))
    expect(olga.page.get_by_text("Only people who may view all messages can do this.")).to_be_visible()
    expect(olga.page.get_by_role("article")).to_have_count(0)
    expect(olga.rail.get_by_role("link", name="Oversight")).to_have_count(0)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_who_manages_families_stops_texts_in_an_open_conversation_and_takes_it_back(
    at_work: AtWork, behind: Behind, viewport: dict
) -> None:
    behind.rows("update oversight_reading set at = at - interval '1 hour'")
    priya = at_work("district", "/oversight", viewport=viewport)
    page = priya.page
    priya.row(FAMILY).filter(has_text=NURSE).click()
    expect(page.get_by_role("textbox", name="Reason")).to_be_visible()
    expect(page.get_by_role("button", name="About this family")).to_have_count(0)
    gives_reason(priya, "The family has called the office")
    page.get_by_role("button", name="About this family").click()
    panel = page.get_by_role("complementary", name="About this family")
    panel.get_by_role("button", name="Stop texts to this family…").click()
    dialog = page.get_by_role("dialog", name=f"Stop texts to {FAMILY}?")
    dialog.get_by_role("radio", name="The whole district").check()
    assert violations(page) == []
    dialog.get_by_role("button", name="Stop texts").click()
    expect(dialog).to_have_count(0)
    expect(panel).to_contain_text("All texts from the district are stopped: Priya Raman recorded on ")
    assert violations(page) == []
    panel.get_by_role("button", name="Allow texts again").click()
    expect(panel.get_by_text("Open", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(page.get_by_role("button", name="About this family")).to_be_focused()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious_in_oversight(at_work: AtWork, behind: Behind, viewport: dict) -> None:
    behind.rows("update oversight_reading set at = at - interval '1 hour'")
    priya = at_work("district", "/oversight", viewport=viewport)
    page, found = priya.page, {}
    expect(priya.row(FAMILY).first).to_be_visible()
    found["list"] = violations(page)
    priya.row(FAMILY).filter(has_text=NURSE).click()
    expect(priya.thread.get_by_role("heading", name=FAMILY)).to_be_visible()
    expect(page.get_by_role("textbox", name="Reason")).to_be_visible()
    found["reason"] = violations(page)
    gives_reason(priya, "Safety concern")
    expect(priya.bubbles.get_by_role("article").first).to_be_visible()
    found["conversation"] = violations(page)
    priya.goes_to("/oversight/999999")
    expect(page.get_by_text("Not available")).to_be_visible()
    found["not there"] = violations(page)
    joyce = at_work("nurse", "/messages/personal", viewport=viewport)
    joyce.opens(FAMILY)
    expect(joyce.thread).to_contain_text("Read by")
    found["one's own, read by another"] = violations(joyce.page)
    joyce.goes_to("/settings")
    expect(joyce.page.get_by_text("Who has read my conversations")).to_be_visible()
    found["settings"] = violations(joyce.page)
    assert [f"{state}: {problem}" for state, each in found.items() for problem in each] == []
