"""Whether a family wants to be texted, on everybody's screen: the question, the answers, and a STOP to a colleague."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.people import Person, number_of_texts
from tests.product import Product

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

LINCOLN_NUMBER = "+16125550112"
LINDA, SAMIRA, RANIA, JOSE = "Linda Carter", "Samira Mansour", "Rania Al-Khatib", "José Ramírez"
QUESTION = "Question about a text of this family"


def number_of(product: Product, name: str) -> str:
    return next(p["number"] for p in product.phones() if p["label"].startswith(name))


def test_everybody_who_reads_sees_the_question_and_one_answer_ends_it(at_work: AtWork, product: Product) -> None:
    elena, marcus, dana = (at_work(who, "/messages/school") for who in ("counselor", "principal", "office"))
    for person in (elena, marcus, dana):
        person.opens(LINDA)
    linda = number_of(product, LINDA)
    product.text_from_family(linda, LINCOLN_NUMBER, "Please stop texting me at work")
    for person in (elena, marcus, dana):
        banner = person.thread.get_by_label(QUESTION)
        expect(banner).to_contain_text("This may mean: no more texts.")
        expect(banner).to_contain_text("Please stop texting me at work")
        expect(person.row(LINDA)).to_contain_text("May mean: no more texts")
    expect(dana.thread.get_by_role("button", name="No, keep texting")).to_have_count(0)
    marcus.thread.get_by_role("button", name="No, keep texting").click()
    for person in (elena, marcus, dana):
        expect(person.thread.get_by_label(QUESTION)).to_have_count(0)
        expect(person.row(LINDA)).not_to_contain_text("May mean: no more texts")
    expect(elena.composer).to_be_visible()


def test_yes_closes_every_composer_of_the_school_and_the_family_hears_it_once(
    at_work: AtWork, product: Product
) -> None:
    elena, marcus = at_work("counselor", "/messages/school"), at_work("principal", "/messages/school")
    for person in (elena, marcus):
        person.opens(SAMIRA)
    samira = number_of(product, SAMIRA)
    product.text_from_family(samira, LINCOLN_NUMBER, "take me off this list")
    elena.thread.get_by_role("button", name="Stop texting this family").click()
    for person in (elena, marcus):
        expect(person.thread.get_by_text("asked for no more texts from Lincoln Middle School")).to_be_visible()
        expect(person.composer).to_have_count(0)
        expect(person.thread.get_by_text("Automatic reply")).to_have_count(1)
    elena.page.get_by_role("button", name="About this family").click()
    panel = elena.page.get_by_role("complementary", name="About this family")
    expect(panel).to_contain_text("Texts from Lincoln Middle School are stopped: Elena Ortiz recorded on ")
    expect(panel).to_contain_text("people of several schools are not covered")
    expect(elena.bubbles.get_by_text("Delivered")).to_be_visible()
    assert number_of_texts(product, samira, "START") == 1


def test_a_stop_to_the_school_closes_a_colleagues_open_composer(at_work: AtWork, product: Product) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.opens(RANIA)
    elena.writes("See you on Friday")
    product.text_from_family(number_of(product, RANIA), LINCOLN_NUMBER, "STOP")
    closed = elena.thread.get_by_text(re.compile("This family texted STOP to Lincoln Middle School"))
    expect(closed).to_be_visible()
    expect(elena.composer).to_have_count(0)
    product.text_from_family(number_of(product, RANIA), LINCOLN_NUMBER, "START")
    expect(elena.composer).to_have_value("See you on Friday")
    elena.sends()
    expect(elena.bubble("See you on Friday")).to_have_count(1)


def test_an_admin_stops_texts_by_hand_and_takes_it_back(at_work: AtWork) -> None:
    marcus = at_work("principal", "/messages/school")
    marcus.opens(JOSE)
    marcus.page.get_by_role("button", name="About this family").click()
    panel = marcus.page.get_by_role("complementary", name="About this family")
    panel.get_by_role("button", name="Stop texts to this family…").click()
    dialog = marcus.page.get_by_role("dialog", name="Stop texts to José Ramírez & María Ramírez?")
    expect(dialog.get_by_role("radio", name="Lincoln Middle School")).to_be_checked()
    dialog.get_by_label("Note for the audit log (optional)").fill("He called the office.")
    dialog.get_by_role("button", name="Stop texts").click()
    expect(dialog).to_have_count(0)
    expect(panel).to_contain_text("Marcus Bell recorded on ")
    expect(marcus.composer).to_have_count(0)
    panel.get_by_role("button", name="Allow texts again").click()
    expect(panel).to_contain_text("Open")
    expect(marcus.composer).to_be_visible()
