"""Signing in and out, as it looks in the browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Windows
from tests.browser.people import Person
from tests.product import Product

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

WRONG = "The e-mail address or the password is not right."
SIGN_IN = re.compile(r"/sign-in")


def test_a_wrong_password_and_an_unknown_address_say_the_same(windows: Windows, product: Product) -> None:
    for key in ("office", "nobody-of-this-name"):
        person = Person(windows.open(), product, key)
        person.goes_to("/messages/school/1")
        expect(person.page).to_have_url(SIGN_IN)
        person.signs_in("not-the-password")
        expect(person.page.get_by_role("alert")).to_have_text(WRONG)
        expect(person.page.get_by_label("E-mail address")).to_have_value(person.email)
        expect(person.page.get_by_label("Password")).to_be_focused()
        assert key not in person.page.url
        expect(person.page.get_by_text("Denise Walker")).to_have_count(0)


def test_too_many_tries_have_to_wait(windows: Windows, product: Product) -> None:
    person = Person(windows.open(), product, "somebody-who-guesses")
    person.goes_to("/sign-in")
    problem = person.page.get_by_role("alert")
    for _ in range(5):
        with person.page.expect_navigation():
            person.signs_in("a guess")
        expect(problem).to_have_text(WRONG)
    while WRONG in (problem.text_content() or WRONG):
        with person.page.expect_navigation():
            person.signs_in("a guess")
        expect(problem).not_to_be_empty()
    expect(problem).to_have_text(re.compile("^Too many tries. Please wait .*(second|minute)s? and try again.$"))


def test_after_signing_out_back_shows_nothing(at_work: AtWork) -> None:
    dana = at_work("office", "/messages/school")
    dana.opens("Denise Walker")
    expect(dana.bubble("Bus 12 is running")).to_be_visible()
    dana.rail.get_by_role("link", name="Settings").click()
    dana.page.get_by_role("button", name="Sign out", exact=True).click()
    expect(dana.page).to_have_url(SIGN_IN)
    for _ in range(2):
        dana.page.go_back()
        expect(dana.page).to_have_url(SIGN_IN)
        expect(dana.page.get_by_label("Password")).to_be_visible()
        assert "Bus 12" not in dana.page.content()
        assert "Denise" not in dana.page.content()


def test_signing_out_in_one_tab_empties_the_other(at_work: AtWork) -> None:
    dana = at_work("office", "/messages/school")
    dana.opens("Denise Walker")
    other = dana.in_another_tab("/settings")
    other.page.get_by_role("button", name="Sign out", exact=True).click()
    expect(dana.page).to_have_url(SIGN_IN)
    expect(dana.page.get_by_label("Password")).to_be_visible()
    assert "Bus 12" not in dana.page.content()


def test_signing_out_everywhere_reaches_another_browser(at_work: AtWork) -> None:
    here, there = at_work("assistant.principal", "/settings"), at_work("assistant.principal", "/messages/school")
    there.opens("Keisha Johnson")
    here.page.get_by_role("button", name="Sign out everywhere").click()
    for person in (here, there):
        expect(person.page).to_have_url(SIGN_IN)
    expect(there.page.get_by_text("band concert")).to_have_count(0)
    there.goes_to("/messages/school")
    expect(there.page).to_have_url(SIGN_IN)
    there.signs_in()
    expect(there.tab("School messages")).to_be_visible()
