"""A line that drops, and processes that die: nothing missing, nothing doubled, and no reload."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.behind import Line, kill
from tests.browser.conftest import Windows
from tests.browser.people import Person, number_of_texts
from tests.product import Product

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

NURSES_NUMBER, KIRSTEN, GUADALUPE, OLGA = "+16125550127", "+16515550130", "+16515550136", "+19525550139"
NOTICE = "No connection. What you send is kept here and goes out when it is back."
BACK = 30_000  # milliseconds until a page has found its way back


@pytest.fixture
def line(windows: Windows, at_work: AtWork) -> tuple[Person, Line]:
    """The nurse, and the line that her browser hangs on."""
    nurse = at_work("nurse", "/settings")
    line = Line(nurse.page.context)
    nurse.goes_to("/messages/personal")
    windows.expect_problems("WebSocket", "ERR_")
    return nurse, line


def test_what_happened_while_the_line_was_cut_is_there_when_it_is_back(
    line: tuple[Person, Line], product: Product
) -> None:
    nurse, wire = line
    nurse.opens("Kirsten Andersen")
    wire.cut()
    expect(nurse.page.get_by_text(NOTICE)).to_be_visible()
    notice = nurse.page.locator(".notice").bounding_box()
    thread = nurse.thread.bounding_box()
    assert notice and thread and notice["x"] + notice["width"] <= thread["x"]
    product.text_from_family(KIRSTEN, NURSES_NUMBER, "Does she need a second one?")
    nurse.sends("One inhaler is enough.")
    expect(nurse.bubble("One inhaler is enough.")).to_have_count(1)
    expect(nurse.bubbles.get_by_text("Waiting for the connection…")).to_be_visible()
    expect(nurse.bubble("Does she need a second one?")).to_have_count(0)
    nurse.writes("Have a")
    wire.restore()
    expect(nurse.bubble("Does she need a second one?")).to_have_count(1, timeout=BACK)
    expect(nurse.page.get_by_text(NOTICE)).to_have_count(0)
    expect(nurse.bubbles.get_by_role("article").filter(has_text="One inhaler is enough.")).to_contain_text("Delivered")
    expect(nurse.composer).to_have_value("Have a")
    expect(nurse.bubble("One inhaler is enough.")).to_have_count(1)
    nurse.sends("Have a good day.")
    expect(nurse.bubble("Have a good day.")).to_have_count(1)
    nurse.page.reload()
    expect(nurse.bubble("One inhaler is enough.")).to_have_count(1)
    assert number_of_texts(product, KIRSTEN, "One inhaler is enough.") == 1


def test_a_line_that_drops_while_a_text_is_sent_sends_it_once(line: tuple[Person, Line], product: Product) -> None:
    nurse, wire = line
    nurse.opens("Guadalupe García")
    nurse.sends("Puede mandarla con Luis.")
    wire.cut()
    expect(nurse.page.get_by_text(NOTICE)).to_be_visible()
    wire.restore()
    sent = nurse.bubbles.get_by_role("article").filter(has_text="Puede mandarla con Luis.")
    expect(sent).to_contain_text("Delivered", timeout=BACK)
    expect(sent).to_have_count(1)
    assert number_of_texts(product, GUADALUPE, "Puede mandarla con Luis.") == 1


def test_a_page_outlives_the_processes_behind_it(at_work: AtWork, windows: Windows, product: Product) -> None:
    nurse = at_work("nurse", "/messages/personal")
    windows.expect_problems("WebSocket", "ERR_", "Failed to load resource")
    nurse.opens("Olga Ivanova")
    kill(product, "worker")
    nurse.sends("How is her ankle?")
    sent = nurse.bubbles.get_by_role("article").filter(has_text="How is her ankle?")
    expect(sent).to_have_count(1)
    expect(sent).to_contain_text("Delivered", timeout=BACK)
    kill(product, "serve")
    product.text_from_family(OLGA, NURSES_NUMBER, "Much better, she can walk.")
    expect(nurse.page.get_by_text(NOTICE)).to_be_visible()
    nurse.sends("I am glad to hear that.")
    expect(nurse.page.get_by_text(NOTICE)).to_have_count(0, timeout=BACK)
    answer = nurse.bubbles.get_by_role("article").filter(has_text="I am glad to hear that.")
    expect(answer).to_contain_text("Delivered", timeout=BACK)
    expect(nurse.bubble("Much better, she can walk.")).to_have_count(1, timeout=2 * BACK)
    for words in ("How is her ankle?", "I am glad to hear that."):
        expect(nurse.bubble(words)).to_have_count(1)
        assert number_of_texts(product, OLGA, words) == 1
