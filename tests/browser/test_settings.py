"""One's own settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.people import Person, Phones

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]


def test_a_new_signature_is_shown_saved_and_goes_with_the_next_text(at_work: AtWork, phones: Phones) -> None:
    rivera = at_work("therapist", "/settings")
    signature = rivera.page.get_by_label("Signature")
    expect(signature).to_have_value("Mr. Rivera, Speech Therapist")
    signature.fill("one\ntwo\nthree")
    rivera.page.get_by_role("button", name="Save").click()
    expect(rivera.page.get_by_role("alert")).to_have_text("A signature has one or two lines.")
    signature.fill("Tomás Rivera\nSpeech and hearing")
    expect(rivera.page.get_by_text("Mia did very well today.\nTomás Rivera\nSpeech and hearing")).to_be_visible()
    rivera.page.get_by_role("button", name="Save").click()
    expect(rivera.page.get_by_text("Saved.")).to_be_visible()
    rivera.page.reload()
    expect(signature).to_have_value("Tomás Rivera\nSpeech and hearing")
    rivera.rail.get_by_role("link", name="Messages").click()
    rivera.opens("Akossiwa Mensah")
    rivera.sends("À demain !")
    expect(phones.row("Akossiwa Mensah")).to_contain_text("1 new text")
    phones.picks_up("Akossiwa Mensah")
    expect(phones.texts.get_by_text("À demain !\nTomás Rivera\nSpeech and hearing")).to_be_visible()


def test_who_has_no_personal_messages_has_no_signature(at_work: AtWork) -> None:
    dana = at_work("office", "/settings")
    expect(dana.page.get_by_text("Signed in as Dana Whitfield.")).to_be_visible()
    expect(dana.page.get_by_label("Signature")).to_have_count(0)
