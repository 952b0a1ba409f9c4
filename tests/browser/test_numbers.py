"""Numbers and alerts, at the screen of a district admin."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.behind import Behind
from tests.browser.conftest import DESKTOP
from tests.browser.people import Person
from tests.browser.test_accessible import violations
from tests.browser.test_looks import WATCH_SHIFTS
from tp_inbox.storage.feed import Change, ChangeKind

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]
LINCOLN = "Lincoln Middle School"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
NUMBERS = "/admin/numbers"
SAID = "A family may have a text twice. Ask them which one they read."
TELL = """
INSERT INTO alert (kind, about, sentence, first_at, last_at, times)
VALUES ('doubled', 'a test', :said, now(), now(), 1)
"""


@pytest.fixture
def told(behind: Behind) -> Iterator[Callable[[], None]]:
    """Tells the admins of something, and takes it back when the test ends."""

    def tell() -> None:
        behind.rows(TELL, said=SAID)
        behind.announce(Change(ChangeKind.ALERT))

    yield tell
    behind.rows("DELETE FROM alert WHERE about = 'a test'")


def test_an_alert_appears_by_itself_and_is_done_with_one_click(at_work: AtWork, told: Callable[[], None]) -> None:
    priya, elena = at_work("district", NUMBERS), at_work("principal", "/admin/staff")
    page, admin = priya.page, priya.rail.get_by_role("link", name="Admin")
    expect(page.get_by_role("heading", name="What needs you")).to_be_visible()
    expect(page.get_by_text(SAID)).to_have_count(0)
    told()
    alert = page.get_by_role("list", name="Alerts, newest first").get_by_role("listitem").filter(has_text=SAID)
    expect(alert).to_be_visible()
    expect(admin).to_contain_text("alert")
    expect(elena.rail.get_by_role("link", name="Admin")).not_to_contain_text("alert")
    alert.get_by_role("button", name="Done").click()
    expect(alert).to_have_count(0)


def test_a_number_is_found_by_its_owner_and_leads_there(at_work: AtWork) -> None:
    page = at_work("district", NUMBERS).page
    expect(page.get_by_role("row").filter(has_text="Joyce Lindgren")).to_be_visible()
    page.get_by_role("searchbox", name="Search by name or number").fill("ortiz")
    expect(page.get_by_role("row").filter(has_text="Joyce Lindgren")).to_have_count(0)
    page.get_by_role("link", name="Elena Ortiz").click()
    expect(page.get_by_role("heading", name="Elena Ortiz", exact=True)).to_be_visible()


@pytest.mark.parametrize("screen", [{"viewport": DESKTOP}, PHONE], ids=["desktop", "phone"])
def test_nothing_jumps_is_cut_or_hard_to_read(at_work: AtWork, told: Callable[[], None], screen: dict) -> None:
    told()
    priya = at_work("district", "/settings", **screen)
    page = priya.page
    page.context.add_init_script(WATCH_SHIFTS)
    priya.goes_to(NUMBERS)
    expect(page.get_by_text(SAID)).to_be_visible()
    assert page.evaluate("window.shifts") == []
    for title in ("Queues", "Texts that could not be put into a conversation", "Comparison with Twilio"):
        page.get_by_role("heading", name=title).click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_offices_phone_is_asked_for_with_the_school(at_work: AtWork) -> None:
    page = at_work("district", "/admin/schools").page
    page.get_by_role("link", name=LINCOLN).click()
    expect(page.get_by_label("Office phone")).to_be_visible()
    expect(page.get_by_text("Families who call a texting number are put through to it.")).to_be_visible()
