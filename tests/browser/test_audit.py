"""The audit log before a person: read, narrowed, opened with the keyboard, and taken away as a file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import DESKTOP
from tests.browser.people import Person
from tests.browser.test_accessible import violations

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
AtWork = Callable[..., Person]


def entries(page: Page) -> Locator:
    return page.get_by_role("list", name="Entries, newest first").get_by_role("listitem")


def test_an_admin_finds_who_signed_in_and_takes_it_away(at_work: AtWork) -> None:
    at_work("therapist", "/settings")
    priya = at_work("district", "/")
    page = priya.page
    priya.goes_to("/admin/audit")
    expect(entries(page).filter(has_text="Tomás Rivera signed in").first).to_be_visible()

    page.get_by_role("searchbox", name="Search by a name").fill("rivera signed")
    expect(entries(page).filter(has_text="Priya Raman")).to_have_count(0)
    page.get_by_label("About", exact=True).select_option("Sign-ins")
    page.get_by_role("searchbox", name="Show only one person").fill("riv")
    page.get_by_role("group", name="People of this name").get_by_role("button", name="Tomás Rivera").click()
    expect(page.get_by_role("button", name=re.compile("^Tomás Rivera ?, take this filter away"))).to_be_visible()

    with page.expect_download() as started:
        page.get_by_role("link", name="Export").click()
    file = Path(started.value.path()).read_text(encoding="utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(file)))
    assert re.fullmatch(r"audit-log-\d{4}-\d\d-\d\d\.csv", started.value.suggested_filename)
    assert {line["Who"] for line in lines} <= {"Tomás Rivera", "Somebody"}
    assert {line["Kind"] for line in lines} == {"Sign-ins"}

    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_role("searchbox", name="Search by a name")).to_have_value("")
    expect(entries(page).filter(has_text="Priya Raman downloaded the audit log").first).to_be_visible()


def test_an_entry_is_opened_with_the_keyboard(at_work: AtWork) -> None:
    priya = at_work("district", "/admin/audit")
    first = entries(priya.page).first
    expect(first).to_be_visible()
    priya.tabs_to(first.locator("summary"))
    priya.page.keyboard.press("Enter")
    expect(first.get_by_text("From where")).to_be_visible()
    expect(first.get_by_role("button", name="All entries about Priya Raman")).to_be_visible()
    priya.page.keyboard.press("Tab")
    priya.page.keyboard.press("Enter")
    expect(priya.page.get_by_role("button", name=re.compile("^Priya Raman ?, take this filter away"))).to_be_visible()


def test_a_counselor_has_no_log(at_work: AtWork) -> None:
    elena = at_work("counselor", "/admin/audit")
    expect(elena.page.get_by_text("Only people who may view the audit log can do this.")).to_be_visible()
    answer = elena.page.request.get(f"{elena.product.url}/exports/audit.csv")
    assert answer.status == 403


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious_and_nothing_is_cut(at_work: AtWork, viewport) -> None:
    page = at_work("district", "/admin/audit", viewport=viewport).page
    entries(page).first.locator("summary").click()
    page.get_by_role("searchbox", name="Show only one person").fill("a")
    expect(page.get_by_role("group", name="People of this name").get_by_role("button").first).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
