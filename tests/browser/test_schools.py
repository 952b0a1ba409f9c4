"""Schools and groups, at the screen of a district admin and of somebody who works at two schools."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.behind import Behind
from tests.browser.conftest import DESKTOP
from tests.browser.people import Person
from tests.browser.test_accessible import violations
from tp_inbox.storage.feed import Change, ChangeKind

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]
LINCOLN, ROOSEVELT = "Lincoln Middle School", "Roosevelt High School"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
HOLD = """
INSERT INTO assignment (staff_id, role_id, group_id, created_at)
SELECT staff.id, role.id, school_group.id, now() FROM staff, role, school_group
WHERE staff.email = :email AND role.name = :role AND school_group.name = :group RETURNING staff_id
"""
LET_GO = "DELETE FROM assignment USING school_group WHERE group_id = school_group.id AND school_group.name = :group"


def new_group(page: Page, *schools: str) -> str:
    """Made at the screen; its name."""
    name = f"Group {uuid4().hex[:6]}"
    page.get_by_role("link", name="New group").first.click()
    expect(page.get_by_role("heading", name="New group")).to_be_visible()
    page.get_by_label("Name").fill(name)
    for school in schools:
        choose(page, school)
    page.get_by_role("button", name="Create group").click()
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


def test_what_changes_for_whom_is_said_before_and_is_there_at_once(at_work: AtWork, behind: Behind) -> None:
    page = at_work("district", "/admin/schools/groups").page
    name, dana = new_group(page), at_work("office")
    expect(dana.list.get_by_role("link").first).to_be_visible()
    staff_id = behind.value(HOLD, email=dana.email, role="Nurse", group=name)
    try:
        page.reload()
        expect(page.get_by_role("link", name="Dana Whitfield")).to_be_visible()
        choose(page, LINCOLN)
        page.get_by_role("button", name="Save").click()
        dialog = page.get_by_role("dialog", name="What changes for whom")
        expect(dialog).to_contain_text(f"Gains at {LINCOLN}: Send and receive personal messages")
        assert violations(page) == []
        expect(dana.tab("Personal messages")).to_have_count(0)
        dialog.get_by_role("button", name="Save").click()
        expect(dana.tab("Personal messages")).to_be_visible()
    finally:
        behind.rows(LET_GO, group=name)
        behind.announce(Change(ChangeKind.ACCESS, staff=staff_id))
    expect(dana.tab("Personal messages")).to_have_count(0)
    page.reload()
    deletes(page)


def test_a_list_is_looked_at_line_by_line_before_it_is_applied(at_work: AtWork) -> None:
    page = at_work("district", "/admin/schools/groups/import").page
    name = f"Group {uuid4().hex[:6]}"
    page.get_by_label("Groups and schools").fill(f"group,school\n{name},{ROOSEVELT}\n{name},Lincoln Midle School")
    page.get_by_role("button", name="Check the list").click()
    expect(page.get_by_text(f"There is no school of this name. Did you mean {LINCOLN}")).to_be_visible()
    expect(page.get_by_role("button", name="Apply")).to_have_count(0)
    page.get_by_label("Groups and schools").fill(f"group,school\n{name},{ROOSEVELT}")
    page.get_by_role("button", name="Check the list").click()
    expect(page.get_by_text("One new group")).to_be_visible()
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


@pytest.mark.parametrize("screen", [{"viewport": DESKTOP}, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious_and_nothing_is_cut(at_work: AtWork, screen: dict) -> None:
    priya = at_work("district", "/admin/schools", **screen)
    page, found = priya.page, {}
    for path, shown in (
        ("", page.get_by_role("link", name=LINCOLN)),
        ("/new", page.get_by_label("Area code")),
        ("/groups", page.get_by_role("link", name="All schools")),
        ("/groups/new", page.get_by_role("checkbox", name=LINCOLN)),
        ("/groups/import", page.get_by_role("button", name="Check the list")),
    ):
        priya.goes_to(f"/admin/schools{path}")
        expect(shown.first).to_be_visible()
        found[path] = violations(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.get_by_label("Groups and schools").fill(f"group,school\nWest side,{LINCOLN}\nWest side,Nowhere")
    page.get_by_role("button", name="Check the list").click()
    expect(page.get_by_text("One line to correct first")).to_be_visible()
    found["report"] = violations(page)
    priya.goes_to("/admin/schools")
    page.get_by_role("link", name=LINCOLN).click()
    expect(page.get_by_role("heading", name="Who may see the inbox")).to_be_visible()
    found["school"] = violations(page)
    assert {path: problems for path, problems in found.items() if problems} == {}
