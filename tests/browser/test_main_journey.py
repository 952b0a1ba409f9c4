"""The main job, end to end: two browsers and a phone, from sign-in to the answer arriving."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Windows
from tests.browser.people import Person, Phones
from tests.product import Product

pytestmark = pytest.mark.browser

LINCOLN, LINCOLN_NUMBER = "Lincoln Middle School", "(612) 555-0112"
ELENA = "Elena Ortiz (personal)"


def test_a_counselor_texts_a_family_and_reads_the_answer_live(
    windows: Windows, product: Product, phones: Phones
) -> None:
    elena = Person(windows.open(), product, "counselor")
    elena.goes_to("/")
    elena.signs_in()
    expect(elena.tab("Personal messages")).to_have_text(re.compile(r"Personal messages\s*\d+ unread"))
    expect(elena.tab("School messages")).to_have_text(re.compile(r"School messages\s*\d+ unread"))

    elena.opens("Keisha Johnson")
    expect(elena.bubble("He's been every day this week.")).to_be_visible()
    elena.writes("The breakfast club starts at 7:30 tomorrow.")
    elena.chooses_sender(LINCOLN)
    expect(elena.page).to_have_url(re.compile(r"/messages/school/\d+$"))
    expect(elena.composer).to_have_value("The breakfast club starts at 7:30 tomorrow.")
    elena.watches_statuses()
    elena.sends()
    expect(elena.bubble("The breakfast club starts at 7:30 tomorrow.")).to_have_count(1)
    expect(elena.bubbles.get_by_text("Delivered")).to_be_visible()
    assert elena.statuses[0] in ("Sending…", "Sending", "Queued")
    assert elena.statuses[-2:] == ["Sent", "Delivered"]

    expect(phones.row("Keisha Johnson")).to_contain_text("1 new text")
    phones.picks_up("Keisha Johnson")
    chip = phones.page.get_by_role("button", name=LINCOLN, pressed=True)
    expect(chip).to_have_attribute("title", LINCOLN_NUMBER)
    expect(phones.texts).to_contain_text(f"This is {LINCOLN}. Reply STOP to end texts.")
    expect(phones.texts).to_contain_text("The breakfast club starts at 7:30 tomorrow.")
    before = elena.unread_in_title
    phones.answers("Thank you, he will be there.")

    expect(elena.bubble("Thank you, he will be there.")).to_have_count(1)
    expect(elena.row("Keisha Johnson")).to_contain_text("Thank you, he will be there.")
    expect(elena.row("Keisha Johnson")).not_to_contain_text("unread")
    elena.expect_unread_in_title(before)

    elena.chooses_sender(ELENA)
    expect(elena.page).to_have_url(re.compile(r"/messages/personal/\d+$"))
    elena.sends("And how is the new bus?")
    expect(phones.page.get_by_role("button", name="New: Elena Ortiz")).to_be_visible()
    phones.talks_to("Elena Ortiz")
    expect(phones.texts).to_contain_text(f"And how is the new bus?\nMs. Ortiz, Counselor, {LINCOLN}")
    elena.opens("Jaylen Johnson")
    phones.answers("Much better, thanks!")

    expect(elena.row("Keisha Johnson")).to_contain_text("1 unread")
    expect(elena.row("Keisha Johnson")).to_contain_text("Much better, thanks!")
    elena.expect_unread_in_title(before + 1)
    expect(elena.bubble("Much better, thanks!")).to_have_count(0)
    elena.opens("Keisha Johnson")
    expect(elena.bubble("Much better, thanks!")).to_be_visible()
    expect(elena.row("Keisha Johnson")).not_to_contain_text("unread")
    elena.expect_unread_in_title(before)
