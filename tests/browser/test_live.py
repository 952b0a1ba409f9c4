"""Several screens at once: each shows what is new once, and knows what has been read elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.behind import Behind
from tests.browser.people import Person
from tests.product import Product

pytestmark = pytest.mark.browser

AtWork = Callable[..., Person]

LINCOLN_NUMBER, RIVERAS_NUMBER = "+16125550112", "+16125550119"


def test_ten_tabs_of_two_people_show_a_text_once_and_know_what_was_read(at_work: AtWork, product: Product) -> None:
    elena, marcus = at_work("counselor", "/messages/school"), at_work("principal", "/messages/school")
    elena.opens("Patrick Murphy")
    thread = elena.path
    elenas = [elena, *(elena.in_another_tab("/messages/school") for _ in range(4))]
    marcuss = [marcus, *(marcus.in_another_tab(thread) for _ in range(4))]
    elena.goes_to("/messages/school")
    for tab in (*elenas, *marcuss[1:]):
        expect(tab.row("Patrick Murphy")).not_to_contain_text("unread")
    before = elena.unread_in_title
    product.text_from_family("+17635550130", LINCOLN_NUMBER, "He has the jacket now. Thanks again!")
    for tab in marcuss[1:]:
        expect(tab.bubble("He has the jacket now.")).to_have_count(1)
        expect(tab.row("Patrick Murphy")).not_to_contain_text("unread")
    for tab in elenas:
        expect(tab.row("Patrick Murphy")).to_have_count(1)
        expect(tab.row("Patrick Murphy")).to_contain_text("He has the jacket now.")
        expect(tab.row("Patrick Murphy")).to_contain_text("1 unread")
        tab.expect_unread_in_title(before + 1)
    elenas[2].opens("Patrick Murphy")
    for tab in elenas:
        expect(tab.row("Patrick Murphy")).not_to_contain_text("unread")
        tab.expect_unread_in_title(before)


def test_older_messages_and_conversations_come_a_page_at_a_time(
    at_work: AtWork, behind: Behind, product: Product
) -> None:
    fill_inbox_of_the_therapist(behind)
    rivera = at_work("therapist")
    lines = rivera.list.get_by_role("listitem")
    expect(lines).to_have_count(50)
    rivera.list.get_by_role("button", name="Show older conversations").click()
    expect(lines.nth(60)).to_be_visible()
    expect(rivera.list.get_by_role("button", name="Show older conversations")).to_have_count(0)
    titles = lines.get_by_role("link").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(titles) == len(set(titles))

    rivera.opens("Thuy Pham")
    bubbles = rivera.bubbles.get_by_role("article")
    expect(bubbles).to_have_count(50)
    expect(rivera.bubble("Exercise 120")).to_be_in_viewport()
    rivera.page.wait_for_function("document.querySelector('[role=log]').scrollTop > 0")
    rivera.bubble("Exercise 71").scroll_into_view_if_needed()
    top = rivera.bubble("Exercise 73").bounding_box()
    rivera.bubbles.get_by_role("button", name="Show older messages").click()
    expect(bubbles).to_have_count(100)
    now = rivera.bubble("Exercise 73").bounding_box()
    assert top and now and abs(now["y"] - top["y"]) <= 2

    product.text_from_family("+19525550137", RIVERAS_NUMBER, "Khoa asks for more exercises.")
    pill = rivera.thread.get_by_role("button", name=re.compile("New message"))
    expect(pill).to_be_visible()
    expect(rivera.bubble("Khoa asks for more exercises.")).not_to_be_in_viewport()
    expect(rivera.row("Thuy Pham")).to_contain_text("1 unread")
    pill.click()
    expect(rivera.bubble("Khoa asks for more exercises.")).to_be_in_viewport()
    expect(pill).to_have_count(0)
    expect(rivera.row("Thuy Pham")).not_to_contain_text("unread")
    product.text_from_family("+19525550137", RIVERAS_NUMBER, "And thank you!")
    expect(rivera.bubble("And thank you!")).to_be_in_viewport()
    expect(pill).to_have_count(0)


def fill_inbox_of_the_therapist(behind: Behind) -> None:
    """A thread with every phone, long ago, and 120 texts to one family."""
    of_rivera = "(select i.id from inbox i join staff s on s.id = i.staff_id where s.email like 'therapist@%')"
    number = "(select n.id from number n join staff s on s.id = n.staff_id where s.email like 'therapist@%')"
    behind.rows(
        "insert into thread (inbox_id, phone_id, last_at, preview, inbound_count)"
        f" select {of_rivera}, id, now() - interval '1 year' - id * interval '1 hour', 'Long ago', 0 from family_phone"
        " on conflict do nothing"
    )
    behind.rows(
        "insert into message (thread_id, inbox_id, direction, author_id, number_id, sender, recipient, written, body,"
        "  media, segments, retried, purpose, bulk, redelivered, sid, state, attempts, created_at, next_attempt_at)"
        f" select t.id, t.inbox_id, 'out', i.staff_id, {number}, '+16125550119', '+19525550137', 'Exercise ' || n, 'x',"
        "  0, 1, false, 'written', false, 0, 'SMold' || n, 'delivered', 1,"
        "  now() - interval '300 minutes' + n * interval '1 minute', now()"
        " from generate_series(1, 120) n, thread t join inbox i on i.id = t.inbox_id"
        " join family_phone p on p.id = t.phone_id"
        f" where t.inbox_id = {of_rivera} and p.e164 = '+19525550137'"
    )
