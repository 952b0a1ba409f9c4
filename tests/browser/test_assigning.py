"""A role that is given and taken acts in the browser of whom it concerns, without a reload."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.behind import Behind
from tests.browser.people import Person
from tp_inbox.storage.feed import Change, ChangeKind

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]
ROLE = "Visiting nurse"
LINCOLN = "Lincoln Middle School"
NO_SLOW_SAVING = """() => {
    const really = window.setTimeout;
    window.setTimeout = (work, wait, ...more) => wait === 250 ? 0 : really(work, wait, ...more);
}"""
"""The moment between the last key and the draft's way to the server lasts for ever."""


def stays(page: Page) -> Callable[[], None]:
    """From now on the page is not loaded again; to be asked at the end."""
    page.evaluate("window.stays = true")

    def check() -> None:
        assert page.evaluate("window.stays") is True

    return check


@pytest.fixture
def without_the_role(behind: Behind) -> Iterator[None]:
    """Leaves the demonstration as it was, also when the test fails."""
    yield
    behind.rows("delete from assignment where role_id in (select id from role where name = :name)", name=ROLE)
    behind.rows("delete from role where name = :name", name=ROLE)


@pytest.mark.usefixtures("without_the_role")
def test_a_nurse_role_with_personal_messages_only_comes_and_goes_in_an_open_browser(
    at_work: AtWork, behind: Behind
) -> None:
    office = at_work("office", "/messages")
    expect(office.tab("School messages")).to_be_visible()
    expect(office.tab("Personal messages")).to_have_count(0)
    unbroken = stays(office.page)

    admin = at_work("district", "/admin/roles/new")
    page = admin.page
    page.get_by_label("Name", exact=True).fill(ROLE)
    page.get_by_role("checkbox", name=re.compile("^Send and receive personal messages")).check()
    page.get_by_role("button", name="Create role").click()
    expect(page.get_by_role("heading", name=ROLE, level=1)).to_be_visible()
    assert behind.value("select permissions from role where name = :name", name=ROLE) == ["personal_messages"]

    name = behind.value("select name from staff where email like 'office@%'")
    page.get_by_role("button", name="Give to people").click()
    dialog = page.get_by_role("dialog", name=re.compile(ROLE))
    dialog.get_by_role("searchbox", name=re.compile("Find people")).fill(name)
    dialog.get_by_role("button", name=name).click()
    dialog.get_by_role("checkbox", name=LINCOLN, exact=True).check()
    dialog.get_by_role("button", name="Give role").click()
    expect(dialog).to_be_hidden()

    expect(office.tab("Personal messages")).to_be_visible()
    expect(office.page.get_by_text("New for you: Personal messages.")).to_be_visible()
    office.tab("Personal messages").click()
    expect(office.page).to_have_url(re.compile("/messages/personal$"))

    page.get_by_role("button", name=re.compile(f"^Take away.*{name}")).click()
    page.get_by_role("dialog").get_by_role("button", name="Take away").click()

    expect(office.tab("Personal messages")).to_have_count(0)
    expect(office.tab("School messages")).to_be_visible()
    expect(office.page.get_by_text("Gone: Personal messages.")).to_be_visible()
    expect(office.page).to_have_url(re.compile("/messages/school$"))
    unbroken()


@pytest.fixture
def back_in_office(behind: Behind) -> Iterator[Callable[[str], None]]:
    """Makes the counselor another role's holder, and a Counselor again in the end."""

    def becomes(role: str) -> None:
        counselor = behind.value("select id from staff where email like 'counselor@%'")
        behind.rows(
            "update assignment set role_id = (select id from role where name = :role) where staff_id = :staff",
            role=role,
            staff=counselor,
        )
        behind.announce(Change(ChangeKind.ACCESS, staff=counselor))

    yield becomes
    becomes("Counselor")


def test_letters_typed_in_the_moment_before_a_thread_closes_are_there_when_it_opens_again(
    at_work: AtWork, back_in_office: Callable[[str], None]
) -> None:
    counselor = at_work("counselor", "/messages/school")
    counselor.list.get_by_role("listitem").get_by_role("link").first.click()
    expect(counselor.composer).to_be_editable()
    words = counselor.composer.input_value()
    unbroken = stays(counselor.page)
    counselor.page.evaluate(NO_SLOW_SAVING)
    counselor.composer.press_sequentially("The permission slip is")
    path = counselor.path
    back_in_office("Nurse")
    expect(counselor.page.get_by_text("What you had written is kept.")).to_be_visible()
    expect(counselor.tab("School messages")).to_have_count(0)
    back_in_office("Counselor")
    expect(counselor.tab("School messages")).to_be_visible()
    counselor.follows(path)
    expect(counselor.composer).to_have_value(words + "The permission slip is")
    unbroken()
    counselor.composer.fill(words)
