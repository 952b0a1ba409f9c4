"""A role from its first letter to its end, with the keyboard, on a desktop and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.behind import Behind
from tests.browser.conftest import DESKTOP
from tests.browser.people import Person
from tests.browser.test_accessible import violations
from tests.browser.test_small_screen import PHONE

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]
NAMES = ("Reading coach", "Lead reading coach")


@pytest.fixture
def willa(behind: Behind) -> Iterator[int]:
    """Somebody of this test's own at Lincoln, with a role beside the one that is made here."""
    staff = (
        "INSERT INTO staff (email, name, title, signature, active, created_at) "
        "VALUES ('willa@maplevalley.example', 'Willa Woods', 'coach', '', true, now()) RETURNING id"
    )
    held = (
        "INSERT INTO assignment (staff_id, role_id, school_id, created_at) SELECT :who, role.id, school.id, now() "
        "FROM role, school WHERE role.name = :role AND school.name LIKE 'Lincoln%'"
    )
    who = behind.value(staff)
    behind.rows(held, who=who, role="School Viewer")
    yield who
    behind.rows("DELETE FROM assignment WHERE staff_id = :who", who=who)
    behind.rows("DELETE FROM role WHERE name = ANY(:names)", names=list(NAMES))
    behind.rows("UPDATE staff SET active = false, email = 'willa-' || id WHERE id = :who", who=who)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_role_is_made_given_changed_and_deleted(at_work: AtWork, behind: Behind, willa: int, viewport) -> None:
    priya = at_work("district", "/admin/roles", viewport=viewport)
    page, keys = priya.page, priya.page.keyboard
    expect(page.get_by_role("heading", name="Custom roles")).to_be_visible()
    found = {"list": violations(page)}

    priya.tabs_to(page.get_by_role("link", name="New role"))
    keys.press("Enter")
    expect(page.get_by_role("heading", name="New role")).to_be_visible()
    priya.tabs_to(page.get_by_label("Name"))
    keys.type(NAMES[0])
    presses(priya, page.get_by_role("checkbox", name="Message on behalf of the school"))
    inbox = page.get_by_role("checkbox", name="View the school inbox")
    expect(inbox).to_be_checked()
    expect(inbox).to_be_disabled()
    messages = page.get_by_role("checkbox", name="Messages", exact=True)
    expect(messages).to_be_checked(indeterminate=True)
    expect(page.get_by_text("No choice: texts leave from Lincoln Middle School")).to_be_visible()
    presses(priya, messages)
    expect(messages).to_be_checked()
    presses(priya, page.get_by_role("checkbox", name="Announce to the school"))
    expect(messages).to_be_checked(indeterminate=True)
    found["new"] = violations(page)
    priya.tabs_to(page.get_by_role("button", name="Create role"))
    keys.press("Enter")
    expect(page.get_by_role("heading", name=NAMES[0], level=1)).to_be_visible()
    expect(page.get_by_text("Nobody holds this role yet.")).to_be_visible()
    expect(page.get_by_role("heading", name=NAMES[0], level=1)).to_be_in_viewport()

    behind.rows(
        "INSERT INTO assignment (staff_id, role_id, school_id, created_at) SELECT :who, role.id, school.id, now() "
        "FROM role, school WHERE role.name = :role AND school.name LIKE 'Lincoln%'",
        who=willa,
        role=NAMES[0],
    )
    page.reload()
    expect(page.get_by_role("link", name="Willa Woods")).to_be_visible()
    found["role"] = violations(page)
    save = page.get_by_role("button", name="Review changes")
    expect(save).to_be_disabled()
    page.get_by_label("Name", exact=True).fill("Nurse")
    save.click()
    expect(page.get_by_role("alert").filter(has_text="There is a role of this name already")).to_be_in_viewport()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.get_by_label("Name", exact=True).fill(NAMES[1])
    page.get_by_role("navigation", name="Admin").get_by_role("link", name="Staff").click()
    leaving = page.get_by_role("dialog", name="Leave without saving?")
    found["leaving"] = violations(page)
    priya.tabs_to(leaving.get_by_role("button", name="Stay"))
    keys.press("Enter")
    expect(leaving).to_have_count(0)
    expect(page.get_by_label("Name", exact=True)).to_have_value(NAMES[1])
    presses(priya, page.get_by_role("checkbox", name="Message on behalf of the school"))
    presses(priya, inbox)
    presses(priya, page.get_by_role("checkbox", name="Export"))
    priya.tabs_to(page.get_by_role("button", name="Review changes"))
    keys.press("Enter")
    review = page.get_by_role("dialog", name="What changes for whom")
    expect(review.get_by_text(f"Will be called “{NAMES[1]}”.")).to_be_visible()
    expect(review.get_by_text("This changes what 1 person may do, at Lincoln Middle School.")).to_be_visible()
    willas = review.get_by_role("listitem").filter(has_text="Willa Woods")
    expect(willas).to_contain_text("Gains: Export")
    expect(willas).to_contain_text("Loses: Message on behalf of the school")
    expect(willas).not_to_contain_text("View the school inbox")
    found["review"] = violations(page)
    priya.tabs_to(review.get_by_role("button", name="Save changes"))
    keys.press("Enter")
    expect(review).to_have_count(0)
    expect(page.get_by_role("heading", name=NAMES[1], level=1)).to_be_visible()
    expect(save).to_be_disabled()

    page.get_by_role("button", name="Delete").click()
    deletion = page.get_by_role("dialog", name=re.compile("^Delete"))
    deletion.get_by_role("combobox").select_option(label="Nurse")
    expect(deletion).to_contain_text("Loses: Export")
    found["deletion"] = violations(page)
    deletion.get_by_role("button", name="Move holders and delete").click()
    expect(page.get_by_role("heading", name="Custom roles")).to_be_visible()
    expect(page.get_by_role("link", name=NAMES[1], exact=True)).to_have_count(0)

    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="District roles")).to_be_visible()
    found["compare"] = violations(page)
    assert [f"{state}: {problem}" for state, each in found.items() for problem in each] == []


def presses(person: Person, box: Locator) -> None:
    """Space on a box that Tab reaches, from wherever the focus is."""
    person.page.get_by_label("Name", exact=True).focus()
    person.tabs_to(box)
    person.page.keyboard.press("Space")
