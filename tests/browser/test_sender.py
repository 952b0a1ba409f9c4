"""From: there when there is a choice, and only then; it decides who sees the answer."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.people import Person

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

ELENA, LINCOLN = "Elena Ortiz (personal)", "Lincoln Middle School"
ONLY_YOU = "The answer comes to you alone."
EVERYONE = "Everyone with access to Lincoln Middle School’s inbox sees the answer."


def test_choosing_the_other_sender_moves_to_that_inbox_with_the_draft(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.opens("Rosa Hernández")
    personal = elena.path
    expect(elena.sender.get_by_role("option")).to_have_text([ELENA, LINCOLN])
    expect(elena.thread).to_contain_text(ONLY_YOU)
    elena.writes("Su esposo puede venir también.")
    elena.chooses_sender(LINCOLN)
    expect(elena.page).to_have_url(re.compile("/messages/school/"))
    expect(elena.thread).to_contain_text(EVERYONE)
    expect(elena.bubble("Picture day is tomorrow")).to_be_visible()
    expect(elena.composer).to_have_value("Su esposo puede venir también.")
    expect(elena.tab("School messages")).to_have_attribute("aria-current", "page")
    elena.follows(personal)
    expect(elena.thread).to_contain_text(ONLY_YOU)
    expect(elena.composer).to_have_value("")
    elena.chooses_sender(LINCOLN)
    expect(elena.composer).to_have_value("Su esposo puede venir también.")
    elena.writes("")
    elena.chooses_sender(ELENA)
    expect(elena.composer).to_have_value("")


def test_a_text_sent_right_after_choosing_leaves_from_what_was_chosen(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.opens("Fadumo Ali")
    elena.writes("The council meets on Monday.")
    elena.sender.select_option(label=LINCOLN)
    elena.composer.press("Enter")
    expect(elena.page).to_have_url(re.compile("/messages/school/"))
    expect(elena.thread).to_contain_text(EVERYONE)
    if elena.composer.input_value():
        elena.sends()
    expect(elena.bubble("The council meets on Monday.")).to_have_count(1)
    elena.chooses_sender(ELENA)
    expect(elena.thread).to_contain_text(ONLY_YOU)
    expect(elena.bubble("Ayaan was chosen for the student council.")).to_be_visible()
    expect(elena.bubble("The council meets on Monday.")).to_have_count(0)


def test_there_is_no_from_where_there_is_no_choice(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/school")
    elena.opens("(773) 555-0164")
    expect(elena.thread).to_contain_text(EVERYONE)
    expect(elena.composer).to_be_editable()
    expect(elena.sender).to_have_count(0)
    rivera = at_work("therapist")
    rivera.opens("Ken Nakamura")
    expect(rivera.thread).to_contain_text(ONLY_YOU)
    expect(rivera.sender).to_have_count(0)
