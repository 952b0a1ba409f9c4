"""The screen holds still: nothing jumps while a page loads, while one types, or when the server takes over a bubble."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.behind import Line
from tests.browser.conftest import DESKTOP, Windows
from tests.browser.people import Person
from tests.browser.test_small_screen import PHONE

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

WATCH_SHIFTS = """
    window.shifts = [];
    const nameOf = ({node}) => node && (node.className || node.nodeName);
    const note = entry => window.shifts.push(...entry.sources.map(nameOf));
    new PerformanceObserver(list => list.getEntries().forEach(note)).observe({type: 'layout-shift', buffered: true});
"""
FROM_THE_END = "log => log.scrollHeight - log.scrollTop - log.clientHeight"


def colour_of(place: Locator) -> str:
    return place.evaluate("element => getComputedStyle(element).backgroundColor")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_jumps_while_a_page_loads(at_work: AtWork, viewport: dict) -> None:
    samuel = at_work("counselor.roosevelt", "/settings", viewport=viewport)
    samuel.page.context.add_init_script(WATCH_SHIFTS)
    for path, there in {
        "/messages/personal": samuel.row("Patricia Mendoza"),
        "/settings": samuel.page.get_by_label("Signature"),
    }.items():
        samuel.goes_to(path)
        expect(there).to_be_visible()
        assert samuel.page.evaluate("window.shifts") == [], path


def test_the_line_of_a_thread_is_marked_at_the_click(at_work: AtWork, windows: Windows) -> None:
    """Also when the server cannot answer: its thread is on its way, and no other family's words stand there."""
    samuel = at_work("counselor.roosevelt", "/settings")
    line = Line(samuel.page.context)
    windows.expect_problems("WebSocket", "ERR_")
    samuel.goes_to("/messages/school")
    samuel.opens("Janet Kowalski")
    line.cut()
    samuel.row("Natalia Petrova").click()
    expect(samuel.row("Natalia Petrova")).to_have_attribute("aria-current", "page")
    expect(samuel.row("Janet Kowalski")).to_have_attribute("aria-current", "false")
    cover = samuel.thread.locator(".cover")
    expect(cover).to_be_visible()
    covered, whole = cover.bounding_box(), samuel.thread.bounding_box()
    assert covered == whole


def test_a_bubble_stays_where_it_is_when_the_server_takes_it_over(at_work: AtWork) -> None:
    samuel = at_work("counselor.roosevelt", "/messages/school")
    samuel.opens("Natalia Petrova")
    bubble = samuel.bubbles.get_by_role("article").filter(has_text="The play begins at six.").locator(".bubble")
    samuel.page.evaluate("""() => {
        window.places = new Set();
        const look = () => {
            const all = [...document.querySelectorAll('.bubble')];
            const there = all.filter(bubble => bubble.innerText.includes('The play begins'));
            if (there.length > 1) window.places.add('twice');
            there.forEach(b => window.places.add(JSON.stringify(b.getBoundingClientRect())));
            requestAnimationFrame(look);
        };
        look();
    }""")
    samuel.sends("The play begins at six.")
    expect(samuel.bubbles.get_by_text("Delivered")).to_be_visible()
    expect(bubble).to_have_count(1)
    assert len(samuel.page.evaluate("[...window.places]")) == 1


def test_the_thread_stays_at_its_end_while_one_writes_a_long_text(at_work: AtWork) -> None:
    samuel = at_work("counselor.roosevelt", "/messages/school", viewport={"width": 390, "height": 560})
    samuel.opens("Natalia Petrova")
    for _ in range(4):
        samuel.composer.press_sequentially("One more line of it")
        samuel.composer.press("Shift+Enter")
    assert abs(samuel.bubbles.evaluate(FROM_THE_END)) <= 1
    expect(samuel.bubbles.get_by_role("article").last).to_be_in_viewport(ratio=0.9)
    samuel.writes("")


def test_what_was_added_to_a_text_is_one_click_away(at_work: AtWork) -> None:
    samuel = at_work("counselor.roosevelt", "/messages/personal")
    samuel.opens("Patricia Mendoza")
    samuel.sends("She may come at ten.")
    bubble = samuel.bubbles.get_by_role("article").filter(has_text="She may come at ten.")
    button = bubble.get_by_role("button", name="Sent with signature")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(bubble).not_to_contain_text("Roosevelt High School")
    button.focus()
    samuel.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(bubble).to_contain_text("Roosevelt High School")


def test_what_is_written_for_the_school_has_another_colour(at_work: AtWork) -> None:
    samuel = at_work("counselor.roosevelt", "/messages/personal")
    new = samuel.page.get_by_role("link", name="New message")
    personal = colour_of(new)
    samuel.tab("School messages").click()
    expect(samuel.row("Natalia Petrova")).to_be_visible()
    assert colour_of(new) != personal


def test_light_and_dark_follow_the_device_and_the_typeface_is_our_own(at_work: AtWork) -> None:
    samuel = at_work("counselor.roosevelt", "/messages/personal")
    page, shell = samuel.page, samuel.page.locator(".shell")
    expect(samuel.row("Patricia Mendoza")).to_be_visible()
    page.emulate_media(color_scheme="light")
    light = colour_of(shell)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html.dark")).to_be_attached()
    assert colour_of(shell) != light
    assert page.evaluate("document.fonts.check('16px \"Hanken Grotesk\"')")
