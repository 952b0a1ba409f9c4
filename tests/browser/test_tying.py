"""An unknown sender gets a name: who is asked, what they choose, and what a colleague's screen shows at once."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.people import Person
from tests.product import Product

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

LINCOLN_NUMBER = "+16125550112"
UNKNOWN = itertools.count(6125550170)
PHONE = {"viewport": {"width": 390, "height": 844}}


@pytest.fixture
def number(product: Product) -> str:
    """Of somebody whom nobody knows, who has just written to Lincoln; as a screen shows it."""
    digits = str(next(UNKNOWN))
    product.text_from_family(f"+1{digits}", LINCOLN_NUMBER, "Hello, this is my new number.")
    return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"


def asks_who(person: Person, number: str) -> None:
    person.row(number).click()
    person.page.get_by_role("button", name="About this family").click()
    person.page.get_by_role("button", name="Who is this?").click()


def finds(person: Person, student: str) -> None:
    dialog = person.page.get_by_role("dialog")
    dialog.get_by_label("Search a student’s name").fill(student)
    dialog.get_by_role("list", name="Students").get_by_role("button", name=re.compile(student)).click()


def test_a_mother_with_a_new_number_is_named_on_every_screen_at_once(at_work: AtWork, number: str) -> None:
    marcus, elena = at_work("principal", "/messages/school"), at_work("counselor", "/messages/school")
    elena.row(number).click()
    expect(elena.thread.get_by_role("heading", name=number)).to_be_visible()
    asks_who(marcus, number)
    finds(marcus, "Ben Schmidt")
    dialog = marcus.page.get_by_role("dialog")
    expect(dialog.get_by_role("radio", name=re.compile("Ben Schmidt"))).to_be_disabled()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_have_text("Please choose who it is.")
    dialog.get_by_role("radio", name=re.compile("Laura Schmidt, mother")).check()
    dialog.get_by_role("button", name="Save").click()
    for person in (marcus, elena):
        expect(person.thread.get_by_role("heading", name="Laura Schmidt")).to_be_visible()
        expect(person.row("Laura Schmidt").first).to_contain_text("Hello, this is my new number.")
    expect(marcus.page.get_by_role("button", name="Who is this?")).to_have_count(0)
    expect(marcus.page.get_by_role("complementary", name="About this family")).to_contain_text("Mother of Ben")


def test_on_a_phone_somebody_new_is_written_down(at_work: AtWork, number: str) -> None:
    marcus = at_work("principal", "/messages/school", **PHONE)
    asks_who(marcus, number)
    finds(marcus, "Ben Schmidt")
    dialog = marcus.page.get_by_role("dialog")
    dialog.get_by_role("radio", name=re.compile("Somebody new")).check()
    dialog.get_by_label("Name").fill("Greta Schmidt")
    dialog.get_by_label("Relation to the student").fill("Grandmother")
    dialog.get_by_role("button", name="Save").click()
    panel = marcus.page.get_by_role("complementary", name="About this family")
    expect(panel).to_contain_text("Greta Schmidt")
    expect(panel).to_contain_text("Grandmother of Ben")


def test_who_was_named_by_mistake_is_removed_again_on_every_screen(at_work: AtWork, number: str) -> None:
    marcus, elena = at_work("principal", "/messages/school"), at_work("counselor", "/messages/school")
    elena.row(number).click()
    asks_who(marcus, number)
    finds(marcus, "Ben Schmidt")
    dialog = marcus.page.get_by_role("dialog")
    dialog.get_by_role("radio", name=re.compile("Somebody new")).check()
    dialog.get_by_label("Name").fill("Klara Schmidt")
    dialog.get_by_role("button", name="Save").click()
    expect(elena.thread.get_by_role("heading", name="Klara Schmidt")).to_be_visible()
    elena.page.get_by_role("button", name="About this family").click()
    expect(elena.page.get_by_role("button", name="Not this family…")).to_have_count(0)
    marcus.page.get_by_role("button", name="Not this family…").click()
    dialog = marcus.page.get_by_role("dialog", name=f"Remove Klara Schmidt from {number}?")
    expect(dialog).to_contain_text("They are no longer on file.")
    dialog.get_by_role("button", name="Remove").click()
    for person in (marcus, elena):
        expect(person.thread.get_by_role("heading", name=number)).to_be_visible()
    expect(marcus.page.get_by_role("button", name="Who is this?")).to_be_visible()


def test_who_does_not_manage_contacts_is_not_asked(at_work: AtWork, number: str) -> None:
    elena = at_work("counselor", "/messages/school")
    elena.row(number).click()
    elena.page.get_by_role("button", name="About this family").click()
    expect(elena.page.get_by_text("Nobody is on file with this number.")).to_be_visible()
    expect(elena.page.get_by_role("button", name="Who is this?")).to_have_count(0)
