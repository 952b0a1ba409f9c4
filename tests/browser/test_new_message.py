"""A new message: whom one finds, who cannot be reached and why, and the first text from a number."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.people import Person, Phones
from tests.product import Product

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

LINCOLN = "Lincoln Middle School"
UNDER_13 = "This student is under 13 and cannot be texted."
NO_BIRTH_DATE = "This student has no birth date on file and cannot be texted."


def search(person: Person, words: str) -> None:
    person.page.get_by_label("Find a family, a student, or a phone number").fill(words)


def found(person: Person, name: str) -> Locator:
    panel = person.page.get_by_role("region", name="New message")
    return panel.get_by_role("listitem").filter(has_text=re.compile(rf"^\w*{name}"))


def test_a_family_is_found_by_its_name_a_student_or_a_number(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.page.get_by_role("link", name="New message").click()
    search(elena, "patel")
    expect(found(elena, "Anita Patel")).to_contain_text("Mother of Rohan Patel")
    expect(found(elena, "Rohan Patel")).to_contain_text("(952) 555-0134")
    search(elena, "micah")
    expect(found(elena, "Jessica Miller")).to_contain_text("Mother of Micah Brooks")
    search(elena, "952 555 0137")
    expect(elena.page.get_by_text("Nobody found")).to_be_visible()
    search(elena, "(952) 555-0136")
    expect(found(elena, "Emiliano Flores")).to_have_count(1)
    search(elena, "nobody of this name")
    expect(elena.page.get_by_text("Nobody found")).to_be_visible()


def test_students_who_cannot_be_texted_say_why_and_offer_their_family(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/personal/new")
    search(elena, "Ben Schmidt")
    ben = found(elena, "Ben Schmidt")
    expect(ben).to_contain_text(UNDER_13)
    expect(ben.get_by_role("button", name=re.compile("Ben Schmidt"))).to_have_count(0)
    ben.get_by_role("button", name="Laura Schmidt").click()
    expect(found(elena, "Laura Schmidt").get_by_role("button")).to_be_visible()
    search(elena, "Junior Mbarga")
    expect(found(elena, "Junior Mbarga")).to_contain_text(NO_BIRTH_DATE)
    search(elena, "Ray Walker")
    expect(found(elena, "Ray Walker")).to_contain_text("No phone number on file.")


def test_one_chooses_a_family_then_the_sender_and_writes(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/personal/new")
    search(elena, "Flores")
    found(elena, "Lucía Flores").get_by_role("button").click()
    panel = elena.page.get_by_role("region", name="New message")
    own = panel.get_by_role("button", name=re.compile("Elena Ortiz"))
    expect(own).to_contain_text("The answer comes to you alone.")
    panel.get_by_role("button", name=re.compile(LINCOLN)).click()
    expect(elena.page).to_have_url(re.compile(r"/messages/school/\d+$"))
    elena.sees_thread_of("Lucía Flores")
    elena.sends("Emiliano's project is ready to be picked up.")
    expect(elena.bubbles.get_by_text("Delivered")).to_be_visible()
    expect(elena.row("Lucía Flores")).to_have_accessible_name(re.compile("You: Emiliano's project is ready"))


def test_the_first_personal_text_buys_one_number_and_introduces_itself(
    at_work: AtWork, phones: Phones, product: Product
) -> None:
    def numbers_of_marcus() -> list[str]:
        with urllib.request.urlopen(f"{product.simulator}/simulator/numbers", timeout=10) as answer:
            return [number["number"] for number in json.load(answer) if "Marcus Bell" in number["name"]]

    assert numbers_of_marcus() == []
    marcus = at_work("principal", "/messages/personal/new")
    search(marcus, "Laura Schmidt")
    found(marcus, "Laura Schmidt").get_by_role("button").click()
    marcus.page.get_by_role("button", name=re.compile("Marcus Bell")).click()
    marcus.sees_thread_of("Laura Schmidt")
    marcus.sends("Ben was a great help today.")
    marcus.sends("Thank you for raising him so well.")
    expect(marcus.bubbles.get_by_role("article")).to_have_text(
        [re.compile("Ben was a great help today."), re.compile("Thank you for raising him so well.*Delivered")]
    )
    expect(phones.row("Laura Schmidt")).to_contain_text("2 new texts")
    phones.picks_up("Laura Schmidt")
    signed = f"Mr. Bell, Principal, {LINCOLN}"
    first = (
        f"This is Marcus Bell, principal at {LINCOLN}. Reply STOP to end texts.\nBen was a great help today.\n{signed}"
    )
    expect(phones.texts.get_by_text(first)).to_have_count(1)
    expect(phones.texts.get_by_text("Thank you for raising him")).to_have_text(
        f"Thank you for raising him so well.\n{signed}"
    )
    expect(phones.texts.get_by_text("Reply STOP to end texts.")).to_have_count(1)
    assert len(numbers_of_marcus()) == 1
    phones.answers("What a nice surprise.")
    expect(marcus.bubble("What a nice surprise.")).to_have_count(1)
