"""Schools and groups under Admin, as a browser meets them."""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlmodel import col

from tests.services.steps import LINCOLN, ROOSEVELT, add, change, revoke, rows, the
from tests.web.harness import Stage, Tab
from tp_inbox.domain import access
from tp_inbox.services.changes import Change, ChangeKind
from tp_inbox.services.groups import CHANGED_MEANWHILE, CHECK_AGAIN
from tp_inbox.services.regrouping import GroupFields
from tp_inbox.services.schools import CHANGED_MEANWHILE as SCHOOL_CHANGED, TAKEN
from tp_inbox.services.staff import assign
from tp_inbox.storage.feed import announce
from tp_inbox.storage.tables import Assignment, AuditEntry, GroupSchool, Role, School, SchoolGroup
from tp_inbox.web.arguments import FORM
from tp_inbox.web.states.groups_page import GroupFileState, GroupState
from tp_inbox.web.states.inbox import InboxState
from tp_inbox.web.states.push import ACCESS_CHANGED
from tp_inbox.web.states.schools_page import SchoolsPage, SchoolState
from tp_inbox.web.states.shell import ShellState

SCHOOLS, GROUPS = "/admin/schools", "/admin/schools/groups"


def form(**fields: str) -> dict[str, Any]:
    return {FORM: [[name, value] for name, value in fields.items()]}


async def a_group(stage: Stage, *schools: str, name: str = "West side") -> int:
    ids = frozenset(stage.town.schools[s] for s in schools)
    return await stage.town.wired.services.groups.create(await stage.town.actor("diana"), GroupFields(name, ids))


async def holds(stage: Stage, who: str, group_id: int, role: str = "Non-Rostered Staff") -> None:
    async with stage.town.wired.db.transaction() as session:
        role_id = await session.scalar(select(col(Role.id)).where(col(Role.name) == role))
        session.add(Assignment(staff_id=stage.town.staff[who], role_id=role_id or 0, group_id=group_id))


def view(tab: Tab) -> str:
    return tab.var(SchoolsPage, "view")


class TestAddresses:
    @pytest.mark.parametrize("path", [SCHOOLS, f"{SCHOOLS}/new", GROUPS, f"{GROUPS}/new", f"{GROUPS}/import"])
    async def test_who_does_not_manage_schools_reads_a_sentence(self, stage: Stage, path: str) -> None:
        for who in ("alice", "dora"):
            tab = await stage.tab(who, path)
            assert tab.var(SchoolsPage, "refused") == access.SCHOOLS_ONLY
            assert LINCOLN not in str(tab.screen.get(SchoolState.get_full_name(), ""))
            assert tab.var(SchoolsPage, "schools") in (None, [])

    @pytest.mark.parametrize("path", ["0", "-1", "x", "9" * 40, "²", "groups/0", "groups/x", "groups/1/2", "1/2"])
    async def test_an_address_that_leads_nowhere_says_so(self, stage: Stage, path: str) -> None:
        tab = await stage.tab("diana", f"{SCHOOLS}/{path}")
        assert "does not exist" in tab.var(SchoolsPage, "refused")

    async def test_each_address_shows_its_own_part(self, stage: Stage) -> None:
        lincoln, group = stage.town.schools[LINCOLN], await a_group(stage)
        tab = await stage.tab("diana", SCHOOLS)
        assert [s["name"] for s in tab.var(SchoolsPage, "schools")] == [LINCOLN, ROOSEVELT]
        for path, shown in (
            (f"{SCHOOLS}/{lincoln}", "school"),
            (f"{SCHOOLS}/new", "school"),
            (GROUPS, "groups"),
            (f"{GROUPS}/{group}", "group"),
            (f"{GROUPS}/new", "group"),
            (f"{GROUPS}/import", "file"),
        ):
            await tab.goes_to(path)
            assert (view(tab), tab.var(SchoolsPage, "refused")) == (shown, "")


class TestOneSchool:
    async def test_a_school_is_added_and_opened(self, stage: Stage) -> None:
        diana = await stage.tab("diana", f"{SCHOOLS}/new")
        assert diana.var(SchoolState, "zone") == "America/Chicago"
        wanted = form(name="Washington", time_zone="America/Denver", area_code="303")
        answer = await diana.call(SchoolState.save, wanted)
        made = await the(stage.town, School, col(School.name) == "Washington")
        assert answer.redirects == [f"{SCHOOLS}/{made.id}"]

    async def test_the_offices_phone_is_kept_as_it_is_and_changed_as_people_write_it(self, stage: Stage) -> None:
        lincoln = stage.town.schools[LINCOLN]
        diana = await stage.tab("diana", f"{SCHOOLS}/{lincoln}")
        there = {"name": LINCOLN, "time_zone": "America/Chicago", "area_code": "312"}
        await diana.call(SchoolState.save, form(**there, office_phone="312 555 0199"))
        assert diana.var(SchoolState, "office") == "(312) 555-0199"
        await diana.call(SchoolState.save, form(**there | {"area_code": "630"}, office_phone="(312) 555-0199"))
        assert (await the(stage.town, School, col(School.id) == lincoln)).office_phone == "+13125550199"
        await diana.call(SchoolState.save, form(**there, office_phone="call us"))
        assert "not a phone number" in diana.var(SchoolState, "problem")

    async def test_what_is_wrong_stands_beside_what_was_typed(self, stage: Stage) -> None:
        diana = await stage.tab("diana", f"{SCHOOLS}/{stage.town.schools[LINCOLN]}")
        version = diana.var(SchoolState, "version")
        await diana.call(SchoolState.save, form(name=ROOSEVELT, time_zone="America/Chicago", area_code="312"))
        assert diana.var(SchoolState, "problem") == TAKEN
        await diana.call(SchoolState.save, form(name="Lincoln", time_zone="America/Chicago", area_code="800"))
        assert "three digits" in diana.var(SchoolState, "problem")
        assert diana.var(SchoolState, "version") == version

    async def test_who_was_slower_sees_what_is_there_now(self, stage: Stage) -> None:
        lincoln = stage.town.schools[LINCOLN]
        diana = await stage.tab("diana", f"{SCHOOLS}/{lincoln}")
        await change(stage.town, School, col(School.id) == lincoln, name="Lincoln Academy")
        await diana.call(SchoolState.save, form(name="Mine", time_zone="America/Chicago", area_code="312"))
        assert diana.var(SchoolState, "problem") == SCHOOL_CHANGED
        assert diana.var(SchoolState, "school")["fields"]["name"] == "Lincoln Academy"

    async def test_nobody_saves_or_buys_without_the_permission(self, stage: Stage) -> None:
        dora = await stage.tab("dora")
        for handler, arguments in (
            (SchoolState.save, [form(name="Mine", time_zone="America/Chicago", area_code="312")]),
            (SchoolState.get_number, []),
            (SchoolState.mend_number, []),
            (GroupState.save, [form(name="Mine")]),
            (GroupState.save_now, []),
            (GroupState.delete, []),
            (GroupFileState.apply, []),
            (SchoolsPage.download, []),
        ):
            answer = await dora.call(handler, *arguments)
            assert answer.redirects == [] and "_download" not in answer.text
        assert len(await rows(stage.town, School)) == 2
        assert await rows(stage.town, SchoolGroup) == []
        assert await rows(stage.town, AuditEntry) == []

    async def test_a_school_gets_its_number(self, stage: Stage) -> None:
        made = await add(stage.town, School(name="Washington", area_code="303"))
        diana = await stage.tab("diana", f"{SCHOOLS}/{made.id}")
        await diana.call(SchoolState.get_number)
        assert "does not exist" in diana.answer.text  # it has no inbox, so it is no school of this product
        await diana.goes_to(f"{SCHOOLS}/{stage.town.schools[LINCOLN]}")
        assert diana.var(SchoolState, "school")["number"]["kind"] == "ok"
        await diana.call(SchoolState.mend_number)
        assert diana.var(SchoolState, "number_problem") == "This number is not stopped."


class TestOneGroup:
    async def test_a_group_is_added_with_the_schools_that_were_chosen(self, stage: Stage) -> None:
        diana = await stage.tab("diana", f"{GROUPS}/new")
        await diana.call(GroupState.toggle, stage.town.schools[ROOSEVELT])
        await diana.call(GroupState.toggle, 10**9)
        answer = await diana.call(GroupState.save, form(name="West side"))
        made = await the(stage.town, SchoolGroup)
        assert answer.redirects == [f"{GROUPS}/{made.id}"]
        assert [m.school_id for m in await rows(stage.town, GroupSchool)] == [stage.town.schools[ROOSEVELT]]

    async def test_all_that_the_search_shows_are_chosen_at_once(self, stage: Stage) -> None:
        diana = await stage.tab("diana", f"{GROUPS}/new")
        await diana.call(GroupState.search, "  MIDDLE ")
        await diana.call(GroupState.choose_shown)
        assert diana.var(GroupState, "chosen") == [stage.town.schools[LINCOLN]]
        await diana.call(GroupState.choose_none_shown)
        assert diana.var(GroupState, "chosen") == []

    async def test_before_it_is_saved_it_says_what_changes_for_whom(self, stage: Stage) -> None:
        made = await a_group(stage, LINCOLN)
        await holds(stage, "vera", made)
        diana = await stage.tab("diana", f"{GROUPS}/{made}")
        await diana.call(GroupState.toggle, stage.town.schools[ROOSEVELT])
        await diana.call(GroupState.save, form(name="West side"))
        assert diana.var(GroupState, "asking") == "save"
        (vera,) = diana.var(GroupState, "preview")["effects"]
        assert vera["gains"] == [f"{ROOSEVELT}: Send and receive personal messages, See the directory"]
        assert len(await rows(stage.town, GroupSchool)) == 1
        await diana.call(GroupState.save_now)
        assert len(await rows(stage.town, GroupSchool)) == 2
        assert diana.var(GroupState, "asking") == ""

    async def test_where_nobody_holds_a_role_it_is_saved_at_once(self, stage: Stage) -> None:
        made = await a_group(stage, LINCOLN)
        diana = await stage.tab("diana", f"{GROUPS}/{made}")
        await diana.call(GroupState.toggle, stage.town.schools[ROOSEVELT])
        await diana.call(GroupState.save, form(name="West side"))
        assert len(await rows(stage.town, GroupSchool)) == 2

    async def test_ones_own_group_is_refused_before_and_when_saving(self, stage: Stage) -> None:
        made = await a_group(stage, LINCOLN)
        await holds(stage, "diana", made)
        diana = await stage.tab("diana", f"{GROUPS}/{made}")
        await diana.call(GroupState.toggle, stage.town.schools[ROOSEVELT])
        await diana.call(GroupState.save, form(name="West side"))
        assert diana.var(GroupState, "preview")["refusal"] == access.OWN_GROUP
        await diana.call(GroupState.save_now)
        assert diana.var(GroupState, "problem") == access.OWN_GROUP
        assert len(await rows(stage.town, GroupSchool)) == 1

    async def test_who_was_slower_sees_what_is_there_now(self, stage: Stage) -> None:
        made = await a_group(stage, LINCOLN)
        diana = await stage.tab("diana", f"{GROUPS}/{made}")
        await change(stage.town, SchoolGroup, col(SchoolGroup.id) == made, name="South side")
        await diana.call(GroupState.toggle, stage.town.schools[ROOSEVELT])
        await diana.call(GroupState.save, form(name="Mine"))
        assert diana.var(GroupState, "problem") == CHANGED_MEANWHILE
        assert diana.var(GroupState, "group")["name"] == "South side"
        assert diana.var(GroupState, "chosen") == [stage.town.schools[LINCOLN]]

    async def test_a_group_that_somebody_holds_a_role_at_is_not_deleted(self, stage: Stage) -> None:
        made = await a_group(stage, LINCOLN)
        await holds(stage, "bob", made)
        diana = await stage.tab("diana", f"{GROUPS}/{made}")
        await diana.call(GroupState.delete)
        assert "Bob Brown" in diana.var(GroupState, "problem")
        assert len(await rows(stage.town, SchoolGroup)) == 1

    async def test_an_empty_group_is_deleted_and_one_is_led_back(self, stage: Stage) -> None:
        made = await a_group(stage, LINCOLN)
        diana = await stage.tab("diana", f"{GROUPS}/{made}")
        await diana.call(GroupState.ask_to_delete)
        assert (await diana.call(GroupState.delete)).redirects == [GROUPS]
        assert await rows(stage.town, SchoolGroup) == []


class TestAtOnce:
    async def test_an_open_browser_follows_the_schools_of_a_group(self, stage: Stage) -> None:
        made = await a_group(stage)
        await holds(stage, "vera", made)
        vera, bob = await stage.tab("vera"), await stage.tab("bob")
        assert vera.var(ShellState, "tabs")["personal"] is False
        diana = await stage.tab("diana", f"{GROUPS}/{made}")
        quiet = bob.answer
        await diana.call(GroupState.toggle, stage.town.schools[LINCOLN])
        await diana.call(GroupState.save, form(name="West side"))
        await diana.call(GroupState.save_now)
        await stage.hears()
        assert vera.var(ShellState, "tabs")["personal"] is True
        assert vera.answer.says(ACCESS_CHANGED)
        assert bob.answer is quiet
        assert not quiet.says(ACCESS_CHANGED)
        await diana.call(GroupState.toggle, stage.town.schools[LINCOLN])
        await diana.call(GroupState.save, form(name="West side"))
        await diana.call(GroupState.save_now)
        await stage.hears()
        assert vera.var(ShellState, "tabs")["personal"] is False

    async def test_who_loses_the_permission_loses_the_page(self, stage: Stage) -> None:

        diana = await stage.tab("diana", f"{SCHOOLS}/{stage.town.schools[LINCOLN]}")
        assert LINCOLN in diana.seen
        await revoke(stage.town, "diana")
        async with stage.town.wired.db.transaction() as session:
            await announce(session, Change(ChangeKind.ACCESS, staff=stage.town.staff["diana"]))
        await stage.hears()
        assert diana.var(SchoolsPage, "refused") == access.SCHOOLS_ONLY
        assert LINCOLN not in diana.seen

    async def test_what_was_chosen_stays_when_ones_own_rights_change(self, stage: Stage) -> None:

        diana = await stage.tab("diana", f"{GROUPS}/{await a_group(stage)}")
        await diana.call(GroupState.toggle, stage.town.schools[ROOSEVELT])
        async with stage.town.wired.db.transaction() as session:
            await assign(session, stage.town.staff["diana"], "Nurse", LINCOLN)
            await announce(session, Change(ChangeKind.ACCESS, staff=stage.town.staff["diana"]))
        await stage.hears()
        assert diana.var(ShellState, "tabs")["personal"] is True
        assert diana.var(GroupState, "chosen") == [stage.town.schools[ROOSEVELT]]


class TestFiles:
    FILE = f"group,school\nWest side,{LINCOLN}\nWest side,{ROOSEVELT}"

    async def test_a_list_is_looked_at_and_then_applied(self, stage: Stage) -> None:
        diana = await stage.tab("diana", f"{GROUPS}/import")
        await diana.call(GroupFileState.read_file, self.FILE)
        assert diana.var(GroupFileState, "from_file") == self.FILE
        assert diana.var(GroupFileState, "checked") is True
        assert [g["name"] for g in diana.var(GroupFileState, "report")["groups"]] == ["West side"]
        assert await rows(stage.town, SchoolGroup) == []
        assert (await diana.call(GroupFileState.apply)).redirects == [GROUPS]
        assert len(await rows(stage.town, GroupSchool)) == 2

    async def test_another_mode_or_another_word_is_looked_at_again_first(self, stage: Stage) -> None:
        diana = await stage.tab("diana", f"{GROUPS}/import")
        for act in (
            lambda: diana.call(GroupFileState.choose_mode, "replace"),
            lambda: diana.call(GroupFileState.write, self.FILE + " "),
        ):
            await diana.call(GroupFileState.read_file, self.FILE)
            await act()
            assert diana.var(GroupFileState, "checked") is False

    async def test_what_is_no_list_is_refused_in_its_place(self, stage: Stage) -> None:
        diana = await stage.tab("diana", f"{GROUPS}/import")
        await diana.call(GroupFileState.read_file, "name\nWest side")
        assert "Missing: group, school" in diana.var(GroupFileState, "problem")
        await diana.call(GroupFileState.choose_mode, "nonsense")
        assert diana.var(GroupFileState, "mode") == "append"

    async def test_what_changed_meanwhile_is_shown_before_it_is_applied(self, stage: Stage) -> None:
        diana = await stage.tab("diana", f"{GROUPS}/import")
        await diana.call(GroupFileState.read_file, self.FILE)
        await a_group(stage, LINCOLN)
        await diana.call(GroupFileState.apply)
        assert diana.var(GroupFileState, "problem") == CHECK_AGAIN
        assert [g["added"] for g in diana.var(GroupFileState, "report")["groups"]] == [[ROOSEVELT]]
        assert (await diana.call(GroupFileState.apply)).redirects == [GROUPS]

    async def test_the_groups_are_downloaded_as_the_import_reads_them(self, stage: Stage) -> None:
        await a_group(stage, LINCOLN)
        diana = await stage.tab("diana", GROUPS)
        await diana.call(SchoolsPage.download)
        (sent,) = [event["payload"] for event in diana.answer.events if event["name"] == "_download"]
        assert sent["filename"] == "groups.csv"
        assert (
            b64decode(sent["url"].partition("base64,")[2]).decode("utf-8-sig")
            == f"group,school\r\nWest side,{LINCOLN}\r\n"
        )


async def test_the_list_of_a_person_at_two_schools_says_through_which(stage: Stage) -> None:
    thread = await stage.town.personal("nora")
    sending = stage.town.wired.services.sending
    await sending.send(await stage.town.actor("nora"), thread, "Hello", uuid4(), 0)
    nora = await stage.tab("nora", f"/messages/personal/{thread}")
    assert [row["through"] for row in nora.var(InboxState, "rows")] == [f"through {LINCOLN}"]
