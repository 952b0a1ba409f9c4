"""People come and go: an invitation opened elsewhere, and a colleague's conversations handed on to an open screen."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, Windows
from tests.browser.people import DOMAIN, Person, Phones
from tests.browser.test_accessible import violations
from tests.browser.test_small_screen import PHONE
from tests.product import Product

pytestmark = pytest.mark.browser

FRESH = "seven quiet herons"
FAMILY = "Rosa Hernández"


def invites(admin: Person, name: str, role: str = "Nurse", school: str = "Lincoln Middle School") -> tuple[str, str]:
    """The address of the new person, and their link."""
    page, email = admin.page, f"{uuid4().hex[:12]}@{DOMAIN}"
    admin.goes_to("/admin/staff/new")
    page.get_by_label("Name").fill(name)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("First role").select_option(label=role)
    page.get_by_label("Where").select_option(label=school)
    page.get_by_role("button", name="Invite", exact=True).click()
    link = page.get_by_label(f"Link for {name}")
    expect(link).to_be_visible()
    return email, link.input_value()


def comes(windows: Windows, product: Product, name: str, link: str) -> Person:
    """In a browser of their own, with a password that they choose."""
    page: Page = windows.open()
    page.goto(link)
    given = name.partition(" ")[0]
    expect(page.get_by_role("heading", name=f"Welcome, {given}")).to_be_visible()
    assert "#" not in page.url
    page.get_by_label("Password", exact=True).fill(FRESH)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("navigation", name="Inboxes")).to_be_visible()
    return Person(page, product, name)


def opens_page_of(admin: Person, email: str) -> None:
    admin.goes_to("/admin/staff")
    admin.page.get_by_role("searchbox", name="Search").fill(email)
    rows = admin.page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(2)
    rows.nth(1).get_by_role("link").click()
    expect(admin.page.get_by_role("heading", name="Access")).to_be_visible()


def test_an_invited_nurse_opens_her_link_and_sees_her_own_tab_alone(
    at_work: Callable[..., Person], windows: Windows, product: Product
) -> None:
    admin = at_work("district", "/admin/staff/new")
    _, link = invites(admin, "Ana Ames")
    ana = comes(windows, product, "Ana Ames", link)
    expect(ana.tab("Personal messages")).to_be_visible()
    expect(ana.tab("School messages")).to_have_count(0)
    expect(ana.rail.get_by_role("link", name="Admin")).to_have_count(0)
    used = windows.open()
    windows.expect_problems("410")
    used.goto(link)
    expect(used.get_by_text("This link was used already")).to_be_visible()


def test_what_a_colleague_leaves_behind_appears_on_the_successors_open_screen(
    at_work: Callable[..., Person], windows: Windows, product: Product, phones: Phones
) -> None:
    admin = at_work("district", "/admin/staff/new")
    leaver_email, leaver_link = invites(admin, "Lea Long")
    successor_email, successor_link = invites(admin, "Sue Short")
    leaver = comes(windows, product, "Lea Long", leaver_link)
    successor = comes(windows, product, "Sue Short", successor_link)
    expect(successor.list.get_by_role("link", name=FAMILY)).to_have_count(0)

    leaver.page.get_by_role("link", name="New message").click()
    leaver.page.get_by_role("searchbox").fill(FAMILY)
    leaver.page.get_by_role("button", name=FAMILY).first.click()
    leaver.sees_thread_of(FAMILY)
    words = f"Please bring the inhaler {uuid4().hex[:6]}."
    leaver.sends(words)
    expect(leaver.thread.get_by_text("Delivered")).to_be_visible()

    opens_page_of(admin, leaver_email)
    admin.page.get_by_role("button", name="Deactivate…").click()
    dialog = admin.page.get_by_role("dialog", name="Deactivate Lea Long?")
    dialog.get_by_role("searchbox").fill(successor_email)
    dialog.get_by_role("button", name="Sue Short").click()
    expect(dialog.get_by_text("1 of 1 chosen")).to_be_visible()
    dialog.get_by_role("button", name="Deactivate").click()
    expect(admin.page.get_by_text("Conversations handed over: 1")).to_be_visible()

    expect(leaver.page.get_by_role("heading", name="Sign in")).to_be_visible()
    successor.opens(FAMILY)
    expect(successor.bubble("Lea Long’s conversation, handed over to you")).to_be_visible()
    expect(successor.bubble(words)).to_be_visible()

    phones.picks_up(FAMILY)
    phones.talks_to("Lea Long")
    phones.answers("She has it with her.")
    expect(successor.bubble("She has it with her.")).to_be_visible()
    expect(successor.bubble("Automatic reply")).to_be_visible()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious_where_people_come_and_go(
    at_work: Callable[..., Person], windows: Windows, product: Product, viewport: dict[str, int]
) -> None:
    admin = at_work("district", "/admin/staff/new", viewport=viewport)
    email, link = invites(admin, "Ina Inn")
    found = {"invited": violations(admin.page)}
    admin.page.get_by_role("button", name="Invite more people").click()
    admin.page.get_by_role("button", name="Several people").click()
    admin.page.get_by_role("textbox", name="People").fill(f"Ben Bell, {uuid4().hex}@{DOMAIN}\nIna Inn, {email}")
    expect(admin.page.get_by_text("Left out")).to_be_visible()
    found["several"] = violations(admin.page)
    welcome = windows.open(viewport=viewport)
    welcome.goto(link)
    expect(welcome.get_by_label("Password", exact=True)).to_be_focused()
    found["welcome"] = violations(welcome)
    opens_page_of(admin, email)
    found["person"] = violations(admin.page)
    admin.page.get_by_role("button", name="Invite again…").click()
    admin.page.get_by_role("dialog", name="Invite again?").get_by_role("button", name="Make link").click()
    expect(admin.page.get_by_label("Link for Ina Inn")).to_be_visible()
    found["link"] = violations(admin.page)
    admin.page.get_by_role("button", name="Done").click()
    admin.goes_to("/admin/staff")
    opens_page_of(admin, f"therapist@{DOMAIN}")
    admin.page.get_by_role("button", name="Deactivate…").click()
    dialog = admin.page.get_by_role("dialog")
    dialog.get_by_role("searchbox").fill("counselor@")
    dialog.get_by_role("button", name="Elena Ortiz").click()
    expect(dialog.get_by_text("chosen")).to_be_visible()
    found["leaving"] = violations(admin.page)
    dialog.get_by_role("button", name="Cancel").click()
    assert [f"{state}: {problem}" for state, each in found.items() for problem in each] == []
