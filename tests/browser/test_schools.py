"""Schools and groups, at the screen of a district admin and of somebody who works at two schools."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Person

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]
LINCOLN, ROOSEVELT = "Lincoln Middle School", "Roosevelt High School"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def new_group(page: Page, *schools: str) -> str:
    """Made at the screen; its name."""
    name = f"Group {uuid4().hex[:6]}"
    page.get_by_role("link", name="Add a group").first.click()
    expect(page.get_by_role("heading", name="A new group")).to_be_visible()
    page.get_by_label("Name").fill(name)
    for school in schools:
        choose(page, school)
    page.get_by_role("button", name="Add the group").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return name


def choose(page: Page, school: str) -> None:
    box = page.get_by_role("checkbox", name=school)
    before = box.is_checked()
    box.click()
    expect(box).to_be_checked(checked=not before)


def deletes(page: Page) -> None:
    page.get_by_role("button", name="Delete this group").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Groups", exact=True)).to_be_visible()


@pytest.mark.parametrize("screen", [{}, PHONE], ids=["desktop", "phone"])
def test_a_group_is_made_changed_and_deleted(at_work: AtWork, screen: dict) -> None:
    priya = at_work("district", "/admin/schools", **screen)
    page = priya.page
    page.get_by_role("navigation", name="Schools and groups").get_by_role("link", name="Groups").click()
    expect(page.get_by_role("heading", name="Groups", exact=True)).to_be_visible()
    name = new_group(page, ROOSEVELT)
    choose(page, LINCOLN)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("checkbox", name=LINCOLN)).to_be_checked()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    deletes(page)
    expect(page.get_by_role("link", name=name)).to_have_count(0)


def test_a_list_is_looked_at_line_by_line_before_it_is_applied(at_work: AtWork) -> None:
    page = at_work("district", "/admin/schools/groups/import").page
    name = f"Group {uuid4().hex[:6]}"
    page.get_by_label("Groups and schools").fill(f"group,school\n{name},{ROOSEVELT}\n{name},Lincoln Midle School")
    page.get_by_role("button", name="Check the list").click()
    expect(page.get_by_text(f"There is no school of this name. Did you mean {LINCOLN}")).to_be_visible()
    expect(page.get_by_role("button", name="Apply")).to_have_count(0)
    page.get_by_label("Groups and schools").fill(f"group,school\n{name},{ROOSEVELT}")
    page.get_by_role("button", name="Check the list").click()
    expect(page.get_by_text("Changes one group")).to_be_visible()
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("checkbox", name=ROOSEVELT)).to_be_checked()
    deletes(page)


def test_a_school_says_its_clock_and_what_is_wrong_with_a_change(at_work: AtWork) -> None:
    page = at_work("district", "/admin/schools").page
    page.get_by_role("link", name=LINCOLN).click()
    expect(page.get_by_text("there now.")).to_contain_text("It is ")
    page.get_by_label("Time zone").select_option("Pacific/Honolulu")
    expect(page.get_by_label("Time zone")).to_have_value("Pacific/Honolulu")
    page.get_by_label("Area code").fill("800")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="three digits")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Time zone")).to_have_value("America/Chicago")
    expect(page.get_by_role("link", name="Elena Ortiz")).to_be_visible()


def test_who_works_at_two_schools_sees_through_which(at_work: AtWork) -> None:
    rivera = at_work("therapist")
    expect(rivera.row("Ken Nakamura")).to_contain_text(f"through {ROOSEVELT}")
    expect(rivera.row("Heather Larson")).to_contain_text(f"through {LINCOLN} and {ROOSEVELT}")
    rivera.opens("Akossiwa Mensah")
    expect(rivera.thread.get_by_text(f"through {LINCOLN}")).to_be_visible()
    elena = at_work("counselor")
    expect(elena.list.get_by_role("link").first).to_be_visible()
    expect(elena.list.get_by_text("through ")).to_have_count(0)
