"""What closes a conversation, and what becomes of texts that do not arrive."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.people import Person
from tests.product import Product

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

ELENAS_NUMBER = "+16125550124"
STOPPED = re.compile(r"This family texted STOP to Lincoln Middle School on \w+ \d+\. Nobody can text them from the")


def test_stop_closes_the_open_composer_and_start_opens_it(at_work: AtWork, product: Product) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.opens("Andre Washington")
    elena.writes("Zoe can pick up her glasses")
    product.text_from_family("+16125550136", ELENAS_NUMBER, "STOP")
    expect(elena.thread.get_by_text(STOPPED)).to_be_visible()
    expect(elena.composer).to_have_count(0)
    expect(elena.bubble(re.compile("^STOP"))).to_be_visible()
    elena.page.reload()
    expect(elena.thread.get_by_text(STOPPED)).to_be_visible()
    product.text_from_family("+16125550136", ELENAS_NUMBER, "START")
    expect(elena.composer).to_have_value("Zoe can pick up her glasses")
    expect(elena.thread.get_by_text(STOPPED)).to_have_count(0)
    elena.sends("Zoe can pick up her glasses any time.")
    expect(elena.bubbles.get_by_text("Delivered")).to_be_visible()


def test_a_text_that_can_be_tried_again_says_why_it_failed_and_is_tried_again(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/personal")
    elena.opens("Monique Washington")
    failed = elena.bubbles.get_by_role("article").filter(has_text="Not delivered.")
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text("The phone could not be reached. It may be switched off or out of range.")
    expect(failed).to_contain_text("Try again later, or call.")
    failed.get_by_role("button", name="Try again").click()
    expect(elena.bubbles.get_by_text(re.compile(r"Not reached yet\. We try again at \d+:\d\d"))).to_be_visible()
    expect(failed).to_have_count(1)
    expect(elena.bubbles.get_by_role("button", name="Try again")).to_have_count(0)
    expect(elena.bubbles.get_by_text("Zoe left her glasses in my office")).to_have_count(2)


def test_a_text_that_cannot_help_a_second_time_offers_no_second_try(at_work: AtWork) -> None:
    elena = at_work("counselor", "/messages/school")
    elena.opens("Carol Peterson")
    failed = elena.bubbles.get_by_role("article").filter(has_text="Not delivered.")
    expect(failed).to_contain_text("This is a landline and cannot receive texts.")
    expect(failed).to_contain_text("Call, or ask the family for a mobile number.")
    elena.sends("Sophie's books are here.")
    expect(failed).to_have_count(2)
    expect(elena.bubbles.get_by_role("button", name="Try again")).to_have_count(0)


@pytest.fixture
def busy_carrier(product: Product) -> Iterator[None]:
    """It takes no text while the test lasts."""
    faults = f"{product.simulator}/simulator/faults"
    httpx.put(faults, json={"sends": {"too_many": 1}, "retry_after": 2}).raise_for_status()
    yield
    httpx.put(faults, json={}).raise_for_status()


@pytest.mark.usefixtures("busy_carrier")
def test_a_text_that_waits_can_be_canceled_and_is_then_no_failure(at_work: AtWork) -> None:
    samuel = at_work("counselor.roosevelt", "/messages/school")
    samuel.opens("Natalia Petrova")
    samuel.sends("The rehearsal is in room 12.")
    samuel.bubbles.get_by_role("button", name="Cancel").click()
    canceled = samuel.bubbles.get_by_role("article").filter(has_text="The rehearsal is in room 12.")
    expect(canceled).to_contain_text("This text was canceled before it went out.")
    expect(canceled).not_to_contain_text("Not delivered.")
    expect(canceled.get_by_role("button", name="Try again")).to_be_visible()
    expect(samuel.bubbles.get_by_role("button", name="Cancel")).to_have_count(0)


def test_a_text_that_is_too_long_stays_where_it_was_written(at_work: AtWork) -> None:
    rivera = at_work("therapist")
    rivera.opens("Ken Nakamura")
    rivera.writes("school " * 240)
    expect(rivera.thread.get_by_text("characters too long")).to_be_visible()
    rivera.sends()
    expect(rivera.thread.get_by_role("alert")).to_contain_text("too long")
    expect(rivera.composer).to_have_value(re.compile("^school school"))
    expect(rivera.bubble(re.compile("^school school"))).to_have_count(0)
