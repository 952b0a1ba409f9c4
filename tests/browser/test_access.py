"""Each person sees what is theirs, and nothing else by any address."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.behind import Behind
from tests.browser.people import Person
from tests.product import Product
from tp_inbox.storage.feed import Change, ChangeKind

pytestmark = pytest.mark.browser

LINCOLN, LINCOLN_NUMBER = "Lincoln Middle School", "+16125550112"
WORDS_OF_OTHERS = ("breakfast club", "Bus 12 is running", "winter jacket", "permission slip", "Jaylen", "Caleb")
READS_ONLY = "You can read these messages, but you do not have permission to write on behalf of this school."

AtWork = Callable[..., Person]


def test_the_nurse_sees_no_from_no_school_tab_and_none_of_their_threads_by_any_address(
    at_work: AtWork, behind: Behind
) -> None:
    nurse = at_work("nurse", "/settings")
    heard: list[str] = []
    nurse.page.on("websocket", lambda line: line.on("framereceived", lambda frame: heard.append(str(frame))))
    nurse.goes_to("/messages")
    nurse.opens("Sahra Abdullahi")
    expect(nurse.tab("Personal messages")).to_be_visible()
    expect(nurse.tab("School messages")).to_have_count(0)
    expect(nurse.composer).to_be_editable()
    expect(nurse.sender).to_have_count(0)
    expect(nurse.thread).to_contain_text("The answer comes to you alone.")

    home = nurse.path
    mine = {link.get_attribute("href") for link in nurse.list.get_by_role("listitem").get_by_role("link").all()}
    not_mine = [
        thread_id
        for (thread_id,) in behind.rows(
            "select t.id from thread t join inbox i on i.id = t.inbox_id join staff s on s.email like 'nurse@%'"
            " where i.staff_id is distinct from s.id order by t.id"
        )
    ]
    assert len(not_mine) > 20
    for thread_id in not_mine:
        assert f"/messages/personal/{thread_id}" not in mine
        nurse.follows(f"/messages/personal/{thread_id}")
        expect(nurse.page.get_by_text("This page does not exist, or you do not have access to it.")).to_be_visible()
        nurse.follows(home)
        nurse.sees_thread_of("Sahra Abdullahi")
    for path in (f"/messages/school/{not_mine[0]}", "/messages/school", "/messages/school/new"):
        nurse.goes_to(path)
        expect(nurse.page).to_have_url(re.compile("/messages/personal$"))
        expect(nurse.page.get_by_text("Choose a conversation")).to_be_visible()
    assert len(heard) > len(not_mine)
    assert [word for word in WORDS_OF_OTHERS if any(word in frame for frame in heard)] == []


def test_the_school_admin_sees_what_was_sent_for_the_school_and_every_answer_live(
    at_work: AtWork, product: Product
) -> None:
    elena, marcus, dana = (at_work(who, "/messages/school") for who in ("counselor", "principal", "office"))
    for person in (elena, marcus, dana):
        person.opens("Denise Walker")
    elena.sends("Caleb's lunch card is at the front office.")
    for person, author in ((elena, "You"), (marcus, "Elena Ortiz"), (dana, "Elena Ortiz")):
        bubble = person.bubbles.get_by_role("article").filter(has_text="Caleb's lunch card")
        expect(bubble).to_have_count(1)
        expect(bubble).to_contain_text(author)
        expect(bubble).to_contain_text("Delivered")
    product.text_from_family("+16125550134", LINCOLN_NUMBER, "He will pick it up at noon.")
    for person in (elena, marcus, dana):
        expect(person.bubble("He will pick it up at noon.")).to_have_count(1)
        expect(person.row("Denise Walker")).to_contain_text("He will pick it up at noon.")


def test_the_school_viewer_reads_and_can_write_nothing(at_work: AtWork) -> None:
    dana = at_work("office")
    expect(dana.tab("School messages")).to_be_visible()
    expect(dana.tab("Personal messages")).to_have_count(0)
    dana.opens("Amina Hassan")
    expect(dana.bubble("We have it now. Mahadsanid!")).to_be_visible()
    expect(dana.thread.get_by_text(READS_ONLY)).to_be_visible()
    expect(dana.thread.get_by_role("textbox")).to_have_count(0)
    expect(dana.sender).to_have_count(0)
    expect(dana.page.get_by_role("link", name="New message")).to_have_count(0)
    expect(dana.page.get_by_role("button", name="Try again")).to_have_count(0)
    dana.goes_to("/messages/school/new")
    find = dana.page.get_by_label("Find a family, a student, or a phone number")
    if find.count():
        find.fill("Hassan")
        expect(dana.page.get_by_text("Nobody found")).to_be_visible()


def test_admin_leads_to_the_staff_and_shows_each_admin_their_own(at_work: AtWork) -> None:
    priya = at_work("district", "/")
    expect(priya.page).to_have_url(re.compile("/admin/staff$"))
    expect(priya.page.get_by_role("heading", name="Staff")).to_be_visible()
    row = priya.page.get_by_role("row", name=re.compile("Elena Ortiz"))
    expect(row).to_contain_text("Counselor")
    expect(row).to_contain_text(LINCOLN)
    expect(row).to_contain_text("(612) 555-0124")
    expect(priya.page.get_by_role("row", name=re.compile("Samuel Okafor"))).to_contain_text("Roosevelt High School")
    expect(priya.rail.get_by_role("link", name="Messages")).to_have_count(0)
    sections = priya.page.get_by_role("navigation", name="Admin").get_by_role("link")
    expect(sections).to_have_text(["Staff", "Roles", "Schools", "Numbers", "Audit log"])

    marcus = at_work("principal", "/admin")
    expect(marcus.page).to_have_url(re.compile("/admin/staff$"))
    expect(marcus.page.get_by_role("row", name=re.compile("Elena Ortiz"))).to_be_visible()
    expect(marcus.page.get_by_text("Samuel Okafor")).to_have_count(0)
    expect(marcus.page.get_by_role("navigation", name="Admin").get_by_role("link")).to_have_text(["Staff", "Audit log"])

    for key in ("counselor", "nurse", "office"):
        other = at_work(key, "/admin/staff")
        expect(other.page.get_by_text("Only people who manage staff can do this.")).to_be_visible()
        expect(other.page.get_by_role("table")).to_have_count(0)
        expect(other.rail.get_by_role("link", name="Admin")).to_have_count(0)


def test_a_permission_that_ends_in_mid_session_ends_on_the_screen(at_work: AtWork, behind: Behind) -> None:
    samuel = at_work("counselor.roosevelt", "/messages/school")
    samuel.opens("Estelle Kouassi")
    samuel.writes("Grace can keep the computer until Friday.")
    (staff_id,) = behind.rows("select id from staff where email like 'counselor.roosevelt@%'")[0]
    change = "update assignment set role_id = (select id from role where name = :role) where staff_id = :staff_id"
    behind.rows(change, role="Nurse", staff_id=staff_id)
    try:
        samuel.sends()
        expect(samuel.page.get_by_text(re.compile("do not have (access|permission)")).first).to_be_visible()
        expect(samuel.bubble("Grace can keep the computer")).to_have_count(0)
        behind.announce(Change(ChangeKind.ACCESS, staff=staff_id))
        expect(samuel.tab("School messages")).to_have_count(0)
        expect(samuel.page).to_have_url(re.compile("/messages/personal"))
        expect(samuel.page.get_by_text("Estelle Kouassi")).to_have_count(0)
        expect(samuel.tab("Personal messages")).to_be_visible()
    finally:
        behind.rows(change, role="Counselor", staff_id=staff_id)
        behind.announce(Change(ChangeKind.ACCESS, staff=staff_id))
    expect(samuel.tab("School messages")).to_be_visible()
    assert behind.value("select count(*) from message where written like 'Grace can keep the computer%'") == 0
