"""Signing in by two steps, and through a provider, as it looks in the browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect
from pyotp import TOTP

from tests.browser.conftest import DESKTOP, Windows
from tests.browser.people import Person
from tests.browser.test_accessible import violations
from tests.browser.test_small_screen import PHONE
from tests.oidc import CLIENT_ID, CLIENT_SECRET, OpenIdServer, Person as AtTheProvider, running_provider
from tests.product import Product, running_product
from tp_inbox.demo.homes import Owner, temporary_folder

pytestmark = pytest.mark.browser

CODE, SET_UP, MESSAGES = re.compile("/sign-in/code"), re.compile("/sign-in/set-up"), re.compile("/messages")


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdServer]:
    with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
def product(provider: OpenIdServer) -> Iterator[Product]:
    """A product of these tests' own: what they switch on would keep everybody else out."""
    settings = {
        "OIDC_NAME": "Maple Valley ID",
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
    }
    with temporary_folder(Owner.for_this_process()) as folder, running_product(folder, **settings) as running:
        yield running


class Enrolling:
    """Somebody with the page or the dialog of setting up before them."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def scans(self) -> TOTP:
        expect(self.page.get_by_role("img", name="QR code for your authenticator app").locator("svg")).to_be_visible()
        self.page.get_by_text("It does not scan").click()
        return TOTP(self.page.locator(".secret-key").inner_text().replace(" ", ""))

    def types(self, code: str) -> None:
        self.page.get_by_label("Type the six digits that the app shows").fill(code)
        self.page.get_by_role("button", name="Turn on").click()

    @property
    def codes(self) -> list[str]:
        shown = self.page.get_by_role("list", name="Recovery codes").locator("code")
        expect(shown).to_have_count(10)
        return shown.all_inner_texts()


def next_code(app: TOTP) -> str:
    """Of the step that comes: the present one has been taken."""
    return app.at(datetime.now(UTC), counter_offset=1)


def test_set_up_in_settings_asked_for_at_sign_in_and_reset_by_an_admin(windows: Windows, product: Product) -> None:
    nurse = Person(windows.open(), product, "nurse")
    nurse.has_signed_in()
    nurse.goes_to("/settings")
    nurse.page.get_by_role("button", name="Set up").click()
    enrolling = Enrolling(nurse.page)
    app = enrolling.scans()
    windows.expect_problems("status of 422")
    enrolling.types("000000")
    expect(nurse.page.get_by_role("dialog").get_by_role("alert")).to_contain_text("This code is not right")
    enrolling.types(app.now())
    codes = enrolling.codes
    nurse.page.get_by_role("button", name="Done").click()
    expect(nurse.page.get_by_text("10 of your recovery codes are left.")).to_be_visible()

    again = Person(windows.open(), product, "nurse")
    again.goes_to("/messages/personal")
    again.signs_in()
    expect(again.page).to_have_url(CODE)
    expect(again.page.get_by_label("Code from your app")).to_be_focused()
    again.goes_to("/messages/personal")
    expect(again.page).to_have_url(CODE)
    again.page.get_by_label("Code from your app").fill("000000")
    again.page.keyboard.press("Enter")
    expect(again.page.get_by_role("alert")).to_contain_text("This code is not right")
    again.page.get_by_label("Code from your app").fill(next_code(app))
    again.page.keyboard.press("Enter")
    expect(again.page).to_have_url(re.compile("/messages/personal"))

    third = Person(windows.open(), product, "nurse")
    third.goes_to("/sign-in")
    third.signs_in()
    third.page.get_by_role("button", name="Use a recovery code").click()
    third.page.get_by_label("Recovery code").fill(codes[0].upper())
    third.page.get_by_role("button", name="Continue").click()
    expect(third.page).to_have_url(MESSAGES)

    admin = Person(windows.open(), product, "district")
    admin.has_signed_in()
    admin.goes_to("/admin/staff")
    admin.page.get_by_label("Search by name, e-mail or title").fill(nurse.email)
    admin.page.get_by_role("cell").get_by_role("link", name="Joyce Lindgren").first.click()
    expect(admin.page.get_by_text("9 recovery codes left")).to_be_visible()
    admin.page.get_by_role("button", name="Reset two-step sign-in").click()
    admin.page.get_by_role("button", name="Reset", exact=True).click()
    expect(admin.page.get_by_text("The second step is reset.")).to_be_visible()
    expect(third.page).to_have_url(re.compile("/sign-in"))
    third.signs_in()
    expect(third.page).to_have_url(MESSAGES)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious_where_one_signs_in(windows: Windows, product: Product, viewport) -> None:
    page = windows.open(viewport=viewport)
    rivera = Person(page, product, "therapist")
    rivera.goes_to("/sign-in?problem=no-account")
    expect(page.get_by_role("link", name="Sign in with Maple Valley ID")).to_be_visible()
    assert violations(page) == []
    rivera.signs_in()
    rivera.goes_to("/settings")
    page.get_by_role("button", name="Set up").click()
    Enrolling(page).scans()
    assert violations(page) == []


def test_a_provider_signs_in_who_is_here_and_nobody_else(
    windows: Windows, product: Product, provider: OpenIdServer
) -> None:
    provider.behaves(AtTheProvider("stranger", "stranger@elsewhere.example"))
    page = windows.open()
    bell = Person(page, product, "principal")
    bell.goes_to("/messages/school")
    page.get_by_role("link", name="Sign in with Maple Valley ID").click()
    expect(page.get_by_role("alert")).to_have_text(
        "There is no account for this e-mail address here. Ask your admin to invite you."
    )
    provider.behaves(AtTheProvider("bell", bell.email))
    page.get_by_role("link", name="Sign in with Maple Valley ID").click()
    expect(page).to_have_url(re.compile("/messages/school"))
    provider.behaves()


def test_a_role_begins_to_demand_it_and_an_open_tab_is_led_to_set_it_up(windows: Windows, product: Product) -> None:
    elena = Person(windows.open(), product, "counselor")
    elena.has_signed_in()
    elena.goes_to("/messages/personal")
    elena.opens("Dorothy Robinson")
    elena.writes("Half a sentence that is not")

    admin = Person(windows.open(), product, "district")
    admin.has_signed_in()
    admin.goes_to("/admin/roles")
    admin.page.get_by_role("link", name="Counselor", exact=True).first.click()
    admin.page.get_by_role("switch", name=re.compile("second step")).click()
    asked = admin.page.get_by_role("dialog", name="Ask holders for a second step?")
    expect(asked).to_contain_text("without a second step yet. They set it up when they next act.")
    asked.get_by_role("button", name="Ask for a second step").click()

    page = elena.page
    expect(page).to_have_url(SET_UP)
    enrolling = Enrolling(page)
    app = enrolling.scans()
    assert violations(page) == []
    enrolling.types(app.now())
    assert len(enrolling.codes) == 10
    assert violations(page) == []
    page.get_by_role("button", name="Continue to the inbox").click()
    elena.sees_thread_of("Dorothy Robinson")
    expect(elena.composer).to_have_value("Half a sentence that is not")
    elena.goes_to("/settings")
    expect(page.get_by_text("One of your roles asks for it, so it stays on.")).to_be_visible()
    expect(page.get_by_role("button", name="Turn off")).to_have_count(0)
