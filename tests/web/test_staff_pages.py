"""The list of staff and a person's page, as browsers drive them."""

from __future__ import annotations

from base64 import b64decode

import pytest
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import LINCOLN, change, rows, the
from tests.services.test_staff_directory import crowd, role_id
from tests.web.harness import Answer, Stage, Tab
from tp_inbox.domain.access import OWN_ACCOUNT, STAFF_ONLY
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.services.staff import assign
from tp_inbox.services.staff_directory import NO_SUCH_CHOICE, PEOPLE_A_PAGE
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.tables import Assignment, AuditEntry, Session
from tp_inbox.web.states.sessions_panel import SessionsState
from tp_inbox.web.states.staff_pages import PersonPage, StaffListPage
from tp_inbox.web.states.why import WhyState

NOT_THERE = "This page does not exist, or you do not have access to it."


def names(tab: Tab) -> list[str]:
    return [row["name"] for row in tab.var(StaffListPage, "rows")]


def person(tab: Tab) -> str:
    shown = tab.var(PersonPage, "person")
    return shown["name"] if shown else ""


def downloaded(answer: Answer) -> str:
    found = [event["payload"]["url"] for event in answer.events if event["name"] == "_download"]
    return b64decode(found[0].partition("base64,")[2]).decode() if found else ""


async def announced(stage: Stage, who: str) -> None:
    async with stage.town.wired.db.transaction() as session:
        await announce(session, Change(ChangeKind.ACCESS, staff=stage.town.staff[who]))
    await stage.hears()


class TestTheList:
    async def test_each_manager_sees_their_own_people(self, stage: Stage) -> None:
        assert len(names(await stage.tab("diana", "/admin/staff"))) == 7
        dora = await stage.tab("dora", "/admin/staff")
        assert len(names(dora)) == 5
        assert "Charlie" not in dora.seen

    async def test_others_read_a_sentence_and_nothing_else(self, stage: Stage) -> None:
        for who in ("alice", "vera"):
            tab = await stage.tab(who, "/admin/staff")
            assert tab.var(StaffListPage, "refused") == STAFF_ONLY
            assert names(tab) == []
            for handler, *given in ((StaffListPage.search, "a"), (StaffListPage.clear,), (StaffListPage.export,)):
                answer = await tab.call(handler, *given)
                assert "Brown" not in answer.text

    async def test_what_is_asked_for_is_shown_and_taken_away_again(self, stage: Stage) -> None:
        town, tab = stage.town, await stage.tab("diana", "/admin/staff")
        await tab.call(StaffListPage.narrow, "school", str(town.schools[LINCOLN]))
        await tab.call(StaffListPage.narrow, "role", str(await role_id(town, "Nurse")))
        assert names(tab) == ["Bob Brown"]
        assert [chip["label"] for chip in tab.var(StaffListPage, "chips")] == [LINCOLN, "Nurse"]
        await tab.call(StaffListPage.narrow, "role", "")
        assert len(names(tab)) == 5
        await tab.call(StaffListPage.search, "nora")
        assert names(tab) == ["Nora Nash"]
        await tab.call(StaffListPage.clear)
        assert len(names(tab)) == 7
        assert tab.var(StaffListPage, "chips") == []

    async def test_the_menus_are_unfolded_by_a_filter_and_not_by_taking_it_away(self, stage: Stage) -> None:
        tab = await stage.tab("diana", "/admin/staff")
        await tab.call(StaffListPage.narrow, "state", "")
        assert not tab.var(StaffListPage, "unfolded")
        await tab.call(StaffListPage.narrow, "state", "active")
        assert tab.var(StaffListPage, "unfolded")
        await tab.call(StaffListPage.fold)
        assert not tab.var(StaffListPage, "unfolded")

    async def test_what_is_asked_for_stays_while_one_looks_at_a_person(self, stage: Stage) -> None:
        tab = await stage.tab("diana", "/admin/staff")
        await tab.call(StaffListPage.narrow, "state", "active")
        await tab.goes_to(f"/admin/staff/{stage.town.staff['bob']}")
        await tab.goes_to("/admin/staff")
        assert [chip["label"] for chip in tab.var(StaffListPage, "chips")] == ["Active"]

    @pytest.mark.parametrize(
        ("what", "value"),
        [("state", "odd"), ("two_step", "x"), ("school", "one"), ("role", "9" * 400), ("password_hash", "x")],
    )
    async def test_what_is_no_choice_changes_nothing(self, stage: Stage, what: str, value: str) -> None:
        tab = await stage.tab("diana", "/admin/staff")
        assert (await tab.call(StaffListPage.narrow, what, value)).says(NO_SUCH_CHOICE)
        assert (await tab.call(StaffListPage.sort, "email")).says(NO_SUCH_CHOICE)
        assert len(names(tab)) == 7
        await tab.call(StaffListPage.search, "bob")
        assert names(tab) == ["Bob Brown"]

    async def test_the_same_column_again_turns_the_order_round(self, stage: Stage) -> None:
        tab = await stage.tab("diana", "/admin/staff")
        await tab.call(StaffListPage.sort, "name")
        assert names(tab)[0] == "Vera Vance"
        await tab.call(StaffListPage.sort, "name")
        assert names(tab)[0] == "Alice Adams"
        await tab.call(StaffListPage.sort, "seen")
        assert names(tab)[0] == "Diana Drew"

    async def test_pages_go_forth_and_back(self, stage: Stage) -> None:
        await crowd(stage.town, 120)
        tab = await stage.tab("diana", "/admin/staff")
        pages = [names(tab)]
        for first in (51, 101):
            await tab.call(StaffListPage.next_page)
            assert tab.var(StaffListPage, "first") == first
            pages.append(names(tab))
        await tab.call(StaffListPage.next_page)
        assert names(tab) == pages[2]
        assert [len(page) for page in pages] == [PEOPLE_A_PAGE, PEOPLE_A_PAGE, 27]
        await tab.call(StaffListPage.previous_page)
        assert names(tab) == pages[1]
        for _ in range(3):
            await tab.call(StaffListPage.previous_page)
        assert (names(tab), tab.var(StaffListPage, "first")) == (pages[0], 1)

    async def test_a_file_is_only_for_those_who_may_export(self, stage: Stage) -> None:
        dora = await stage.tab("dora", "/admin/staff")
        assert dora.var(StaffListPage, "exports")
        assert "Alice Adams" in downloaded(await dora.call(StaffListPage.export))
        await change(
            stage.town, Assignment, col(Assignment.staff_id) == stage.town.staff["dora"],
            role_id=await role_id(stage.town, "Technical School Admin"),
        )  # fmt: skip
        await announced(stage, "dora")
        assert not dora.var(StaffListPage, "exports")
        assert downloaded(await dora.call(StaffListPage.export)) == ""
        assert len(await rows(stage.town, AuditEntry, col(AuditEntry.kind) == AuditKind.EXPORTED)) == 1

    async def test_a_right_that_is_taken_away_takes_the_list_away(self, stage: Stage) -> None:
        dora = await stage.tab("dora", "/admin/staff")
        await change(
            stage.town, Assignment, col(Assignment.staff_id) == stage.town.staff["dora"],
            role_id=await role_id(stage.town, "School Viewer"),
        )  # fmt: skip
        await announced(stage, "dora")
        assert names(dora) == []
        assert dora.var(StaffListPage, "refused") == STAFF_ONLY

    async def test_a_right_that_is_given_brings_it(self, stage: Stage) -> None:
        alice = await stage.tab("alice", "/admin/staff")
        async with stage.town.wired.db.transaction() as session:
            await assign(session, stage.town.staff["alice"], "School Admin", LINCOLN)
        await stage.hears()
        assert len(names(alice)) == 5


class TestAPerson:
    async def test_is_shown_to_those_who_manage_them(self, stage: Stage) -> None:
        town = stage.town
        dora = await stage.tab("dora", f"/admin/staff/{town.staff['alice']}")
        assert person(dora) == "Alice Adams"
        for path in (f"/admin/staff/{town.staff['charlie']}", "/admin/staff/999", "/admin/staff/x", "/admin/staff/1/2"):
            await dora.goes_to(path)
            assert person(dora) == ""
            assert dora.var(PersonPage, "refused") == NOT_THERE
            assert "Alice" not in str(dora.screen[PersonPage.get_full_name()])
            assert dora.var(SessionsState, "shown") is False

    async def test_is_renamed_by_those_who_manage_the_account(self, stage: Stage) -> None:
        town = stage.town
        dora = await stage.tab("dora", f"/admin/staff/{town.staff['alice']}")
        await dora.call(PersonPage.rename)
        await dora.call(PersonPage.save_name, {"name": " ", "title": "counselor"})
        assert dora.var(PersonPage, "problem") == "Please write a name."
        await dora.call(PersonPage.save_name, {"name": "Alice Ames", "title": "lead counselor"})
        assert (person(dora), dora.var(PersonPage, "renaming")) == ("Alice Ames", False)
        await dora.goes_to(f"/admin/staff/{town.staff['dora']}")
        await dora.call(PersonPage.save_name, {"name": "Boss", "title": ""})
        assert dora.var(PersonPage, "problem") == OWN_ACCOUNT

    async def test_loses_the_page_with_the_right(self, stage: Stage) -> None:
        dora = await stage.tab("dora", f"/admin/staff/{stage.town.staff['alice']}")
        await change(
            stage.town, Assignment, col(Assignment.staff_id) == stage.town.staff["dora"],
            role_id=await role_id(stage.town, "School Viewer"),
        )  # fmt: skip
        await announced(stage, "dora")
        assert person(dora) == ""
        assert dora.var(WhyState, "found") == []


class TestSessions:
    async def test_an_admin_signs_somebody_out_of_one_browser(self, stage: Stage) -> None:
        alice = await stage.tab("alice")
        dora = await stage.tab("dora", f"/admin/staff/{stage.town.staff['alice']}")
        (line,) = dora.var(SessionsState, "lines")
        await dora.call(SessionsState.end, line["id"])
        assert dora.var(SessionsState, "lines") == []
        await stage.hears()
        assert alice.answer.shows_out

    async def test_nobody_ends_a_session_that_is_not_theirs_to_end(self, stage: Stage) -> None:
        await stage.tab("charlie")
        alice, dora = await stage.tab("alice"), await stage.tab("dora")
        for session in await rows(stage.town, Session):
            if session.staff_id not in (stage.town.staff["alice"], stage.town.staff["dora"]):
                for tab in (alice, dora):
                    assert (await tab.call(SessionsState.end, session.id)).says(NOT_THERE)
        for tab in (alice, dora):
            await tab.call(SessionsState.end_all)
        assert await rows(stage.town, Session, col(Session.ended_at).is_not(None)) == []

    async def test_ones_own_stand_under_settings(self, stage: Stage) -> None:
        elsewhere = await stage.tab("bob")
        here = await stage.tab("bob", "/settings")
        assert [line["here"] for line in here.var(SessionsState, "lines")] == [True, False]
        await here.call(SessionsState.ask)
        await here.call(SessionsState.end_all)
        assert [line["here"] for line in here.var(SessionsState, "lines")] == [True]
        await stage.hears()
        assert elsewhere.answer.shows_out
        assert not here.answer.shows_out


class TestWhy:
    async def test_is_answered_and_asked_anew(self, stage: Stage) -> None:
        town = stage.town
        tab = await stage.tab("diana", f"/admin/staff/{town.staff['bob']}")
        await tab.call(WhyState.search, "lincoln")
        (school,) = tab.var(WhyState, "found")
        await tab.call(WhyState.ask, school["kind"], school["id"])
        read, *_ = tab.var(WhyState, "answers")
        assert (read["allowed"], read["missing"]) == (False, "View the school inbox")
        async with town.wired.db.transaction() as session:
            await assign(session, town.staff["bob"], "School Viewer", LINCOLN)
        await tab.call(PersonPage.look_again)
        read, *_ = tab.var(WhyState, "answers")
        assert [b["role"] for b in read["because"]] == ["School Viewer"]
        await tab.call(WhyState.choose_again)
        assert tab.var(WhyState, "answers") == []

    async def test_another_persons_page_begins_anew(self, stage: Stage) -> None:
        town = stage.town
        tab = await stage.tab("diana", f"/admin/staff/{town.staff['bob']}")
        await tab.call(WhyState.ask, "school", town.schools[LINCOLN])
        await tab.goes_to(f"/admin/staff/{town.staff['alice']}")
        assert tab.var(WhyState, "about") == ""
        assert tab.var(WhyState, "found")[0]["name"] == "Alice Adams’s inbox"

    async def test_who_has_no_page_open_asks_nothing(self, stage: Stage) -> None:
        for who in ("alice", "dora"):
            tab = await stage.tab(who)
            answer = await tab.call(WhyState.ask, "school", stage.town.schools[LINCOLN])
            assert answer.says(NOT_THERE)
            assert not tab.var(WhyState, "found")

    @pytest.mark.parametrize("kind", ["inbox", "", "Kind.SCHOOL"])
    async def test_what_is_nothing_to_ask_about_is_not_there(self, stage: Stage, kind: str) -> None:
        tab = await stage.tab("diana", f"/admin/staff/{stage.town.staff['bob']}")
        assert (await tab.call(WhyState.ask, kind, 1)).says(NOT_THERE)


async def test_renaming_is_noted_where_it_was_done_from(stage: Stage, town: Town) -> None:
    diana = await stage.tab("diana", f"/admin/staff/{town.staff['bob']}")
    await diana.call(PersonPage.save_name, {"name": "Bob Baker", "title": "nurse"})
    entry = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.PERSON_CHANGED)
    assert (entry.actor_id, entry.subject_id) == (town.staff["diana"], town.staff["bob"])
