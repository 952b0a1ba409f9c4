"""The composer: drafts that stay where they belong, keys, and what a text costs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.people import Person, number_of_texts
from tests.product import Product

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]


def test_a_draft_stays_with_its_family(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.opens("Lan Nguyen")
    elena.writes("Hẹn gặp lại")
    elena.opens("Aminata Diallo")
    expect(elena.composer).to_have_value("")
    expect(elena.row("Lan Nguyen")).to_have_accessible_name(re.compile("Draft: Hẹn gặp lại"))
    elena.writes("Fatou a")
    elena.opens("Lan Nguyen")
    expect(elena.composer).to_have_value("Hẹn gặp lại")
    elena.opens("Aminata Diallo")
    expect(elena.composer).to_have_value("Fatou a")
    elena.page.reload()
    expect(elena.composer).to_have_value("Fatou a")
    expect(elena.composer).to_be_focused()
    elena.page.keyboard.type("lso")
    expect(elena.composer).to_have_value("Fatou also")
    elena.page.go_back()
    elena.sees_thread_of("Lan Nguyen")
    expect(elena.composer).to_have_value("Hẹn gặp lại")
    elena.writes("")
    elena.opens("Aminata Diallo")
    expect(elena.row("Lan Nguyen")).not_to_contain_text("Draft")
    elena.writes("")


def test_a_draft_that_somebody_else_may_not_see_is_not_seen(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/school")
    marcus = at_work("principal", "/messages/school")
    elena.opens("Amina Hassan")
    marcus.opens("Amina Hassan")
    elena.writes("Only mine so far")
    elena.opens("Linda Carter")
    expect(elena.row("Amina Hassan")).to_have_accessible_name(re.compile("Draft: Only mine so far"))
    marcus.page.reload()
    marcus.sees_thread_of("Amina Hassan")
    expect(marcus.composer).to_have_value("")
    expect(marcus.row("Amina Hassan")).not_to_contain_text("Draft")
    elena.opens("Amina Hassan")
    elena.writes("")


def test_enter_sends_once_and_shift_enter_breaks_the_line(at_work: AtWork, product: Product) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.opens("Rania Al-Khatib")
    elena.composer.press_sequentially("Shukran,")
    elena.composer.press("Shift+Enter")
    elena.composer.press_sequentially("that is all I need.")
    expect(elena.composer).to_have_value("Shukran,\nthat is all I need.")
    elena.composer.press("Enter")
    elena.composer.press("Enter")
    expect(elena.composer).to_have_value("")
    expect(elena.bubble("that is all I need.")).to_have_count(1)
    expect(elena.bubbles.get_by_text("Delivered")).to_be_visible()
    elena.writes("And have a good day.")
    elena.thread.get_by_role("button", name="Send", exact=True).dblclick()
    expect(elena.bubble("And have a good day.")).to_have_count(1)
    expect(elena.bubbles.get_by_role("article").last).to_contain_text("Delivered")
    elena.page.reload()
    expect(elena.bubble("that is all I need.")).to_have_count(1)
    expect(elena.bubble("And have a good day.")).to_have_count(1)
    assert number_of_texts(product, "+19525550138", "that is all I need.") == 1
    assert number_of_texts(product, "+19525550138", "And have a good day.") == 1


def test_the_box_keeps_the_focus_when_send_is_clicked(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.opens("Rania Al-Khatib")
    elena.composer.press_sequentially("The form is at the desk.")
    elena.sends()
    expect(elena.composer).to_have_value("")
    expect(elena.composer).to_be_focused()
    expect(elena.bubble("The form is at the desk.")).to_have_count(1)


def test_the_last_letters_before_a_reload_are_kept(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.opens("Rania Al-Khatib")
    elena.page.evaluate("""() => {
        const box = document.querySelector('#composer');
        const set = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set;
        set.call(box, 'Half a wo');
        box.dispatchEvent(new Event('input', {bubbles: true}));
        WebSocket.prototype.send = () => {};
        location.reload();
    }""")
    expect(elena.composer).to_have_value("Half a wo")
    elena.writes("")


def test_what_was_typed_is_not_shown_to_the_next_person_in_the_same_tab(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/school")
    elena.opens("Amina Hassan")
    thread = elena.path
    elena.page.evaluate("WebSocket.prototype.send = () => {}")
    elena.writes("Only for me")
    elena.page.context.clear_cookies()
    elena.goes_to("/sign-in")
    expect(elena.page.get_by_label("Password")).to_be_visible()
    marcus = Person(elena.page, elena.product, "principal")
    marcus.has_signed_in()
    marcus.goes_to(thread)
    marcus.sees_thread_of("Amina Hassan")
    expect(marcus.composer).to_have_value("")


def test_a_draft_that_was_sent_from_another_window_becomes_another_text(at_work: AtWork, product: Product) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.opens("Rania Al-Khatib")
    elena.writes("See you at nine.")
    elena.composer.blur()
    there = elena.in_another_tab(elena.path)
    expect(there.composer).to_have_value("See you at nine.")
    elena.sends()
    expect(there.bubble("See you at nine.")).to_have_count(1)
    there.sends("Or at ten.")
    expect(there.bubbles.get_by_role("article").filter(has_text="Or at ten.")).to_contain_text("Delivered")
    assert number_of_texts(product, "+19525550138", "Or at ten.") == 1


def test_the_counter_counts_the_signature_and_names_costly_characters(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.opens("Dorothy Robinson")
    length = elena.thread.get_by_title("With everything that is added: introduction and signature")
    elena.writes("a" * 100)
    expect(length).to_have_text(re.compile(r"^1 text · \d+ left$"))
    elena.writes("a" * 130)
    expect(length).to_have_text(re.compile(r"^2 texts · \d+ left$"))
    elena.writes("a" * 99 + "’")
    expect(elena.thread.get_by_text("This text costs 3 instead of 1. To save, use ' instead of ’.")).to_be_visible()
    expect(length).to_have_text(re.compile(r"^3 texts"))
    elena.writes("short")
    expect(elena.thread.get_by_text("This text costs")).to_have_count(0)
