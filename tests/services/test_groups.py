"""District groups: who may change them, what that does to people, and groups as files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import select
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import LINCOLN, ROOSEVELT, Heard, add, change, listening, revoke, rows, the
from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.domain.permissions import Level, P, Permission
from tp_inbox.services.group_files import MOST_LINES_SHOWN, ImportReport, Mode
from tp_inbox.services.groups import CHANGED_MEANWHILE, CHECK_AGAIN, HAS_PROBLEMS, TAKEN, Groups
from tp_inbox.services.regrouping import EMPTY_GROUP, MOST_SHOWN, GroupFields
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Assignment, AuditEntry, GroupSchool, Role, School, SchoolGroup, Staff

WASHINGTON = "Washington Elementary"


def groups(town: Town) -> Groups:
    return town.wired.services.groups


async def diana(town: Town) -> Actor:
    return await town.actor("diana")


async def hold(town: Town, who: str, group_id: int, role: str = "Nurse") -> None:
    """Gives a role at the group."""
    async with town.wired.db.transaction() as session:
        role_id = await session.scalar(select(col(Role.id)).where(col(Role.name) == role))
        session.add(Assignment(staff_id=town.staff[who], role_id=role_id or 0, group_id=group_id))


async def become(town: Town, who: str, *permissions: Permission) -> None:
    """Takes every role and gives one of the district with just these."""
    await revoke(town, who)
    role = await add(
        town, Role(name=f"Role of {who}", level=Level.DISTRICT, permissions=[p.value for p in permissions])
    )
    await add(town, Assignment(staff_id=town.staff[who], role_id=role.id))


async def make(town: Town, name: str = "West side", *schools: str) -> int:
    return await groups(town).create(await diana(town), fields(town, name, *schools))


def fields(town: Town, name: str, *schools: str) -> GroupFields:
    return GroupFields(name, frozenset(town.schools[s] for s in schools))


async def members(town: Town, group_id: int) -> set[int]:
    return {m.school_id for m in await rows(town, GroupSchool, col(GroupSchool.group_id) == group_id)}


async def entries(town: Town, kind: AuditKind) -> list[AuditEntry]:
    return await rows(town, AuditEntry, col(AuditEntry.kind) == kind)


class TestOneGroup:
    async def test_a_new_group_is_there_with_its_schools_and_written_down(self, town: Town) -> None:
        made = await make(town, "  West   side ", LINCOLN, ROOSEVELT)
        view = await groups(town).group(await diana(town), made)
        assert (view.name, view.members) == ("West side", [town.schools[LINCOLN], town.schools[ROOSEVELT]])
        (entry,) = await entries(town, AuditKind.GROUP_CREATED)
        assert entry.after == {"schools": sorted(town.schools.values())}
        assert (entry.facts, entry.names["group"]) == ({"group": made}, "West side")

    @pytest.mark.parametrize("name", ["West side", "WEST SIDE", " west  side"])
    async def test_two_groups_never_have_one_name(self, town: Town, name: str) -> None:
        await make(town)
        other = await make(town, "East side")
        with pytest.raises(Invalid, match=TAKEN):
            await make(town, name)
        with pytest.raises(Invalid, match=TAKEN):
            await groups(town).change(await diana(town), other, GroupFields(name), GroupFields("East side"))
        assert [g.name for g in await groups(town).all(await diana(town))] == ["East side", "West side"]

    async def test_its_schools_decide_where_those_who_hold_a_role_there_may_work(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        await revoke(town, "bob")
        await hold(town, "bob", made)
        assert (await town.actor("bob")).schools_with(P.PERSONAL_MESSAGES) == {town.schools[LINCOLN]}
        wanted = fields(town, "West side", ROOSEVELT)
        await groups(town).change(await diana(town), made, wanted, fields(town, "West side", LINCOLN))
        assert (await town.actor("bob")).schools_with(P.PERSONAL_MESSAGES) == {town.schools[ROOSEVELT]}
        (entry,) = await entries(town, AuditKind.GROUP_CHANGED)
        assert entry.before == {"schools": [town.schools[LINCOLN]]}
        assert entry.after == {"schools": [town.schools[ROOSEVELT]]}
        assert entry.schools == sorted(town.schools.values())

    async def test_every_open_screen_is_told_in_the_same_transaction(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        await hold(town, "bob", made)
        async with listening(town) as heard:
            await groups(town).change(
                await diana(town), made, fields(town, "West side", ROOSEVELT), fields(town, "West side", LINCOLN)
            )
            await groups(town).change(
                await diana(town), made, fields(town, "South side", ROOSEVELT), fields(town, "West side", ROOSEVELT)
            )
            assert await of_access(heard) == [None]

    async def test_a_new_name_alone_takes_nothing_from_anybody(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        await hold(town, "diana", made, "Nurse")
        before = await town.actor("diana")
        await groups(town).change(
            await diana(town), made, fields(town, "South side", LINCOLN), fields(town, "West side", LINCOLN)
        )
        assert await town.actor("diana") == before
        (entry,) = await entries(town, AuditKind.GROUP_CHANGED)
        assert entry.names["previous_name"] == "West side"

    async def test_of_two_edits_at_once_the_second_is_told(self, town: Town) -> None:
        made, actor = await make(town), await diana(town)
        seen = GroupFields("West side")
        outcomes = await asyncio.gather(
            groups(town).change(actor, made, fields(town, "West side", LINCOLN), seen),
            groups(town).change(actor, made, fields(town, "West side", ROOSEVELT), seen),
            return_exceptions=True,
        )
        (refused,) = [o for o in outcomes if o is not None]
        assert isinstance(refused, Invalid)
        assert refused.sentence == CHANGED_MEANWHILE
        assert len(await members(town, made)) == 1

    async def test_a_school_that_is_not_there_is_refused(self, town: Town) -> None:
        with pytest.raises(Invalid):
            await groups(town).create(await diana(town), GroupFields("West side", frozenset({10**9})))
        assert await rows(town, SchoolGroup) == []

    async def test_a_group_goes_when_nobody_holds_a_role_there(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        await groups(town).delete(await diana(town), made)
        assert await rows(town, SchoolGroup) == await rows(town, GroupSchool) == []
        (entry,) = await entries(town, AuditKind.GROUP_DELETED)
        assert entry.before == {"schools": [town.schools[LINCOLN]]}

    @pytest.mark.parametrize("active", [True, False])
    async def test_a_group_stays_while_somebody_holds_a_role_there(self, town: Town, active: bool) -> None:
        made = await make(town, "West side", LINCOLN)
        await hold(town, "bob", made)
        await change(town, Staff, col(Staff.id) == town.staff["bob"], active=active)
        with pytest.raises(Invalid, match="One person holds a role at this group: Bob Brown"):
            await groups(town).delete(await diana(town), made)
        assert await members(town, made) == {town.schools[LINCOLN]}
        (holder,) = (await groups(town).group(await diana(town), made)).holders
        assert (holder.name, holder.role, holder.active) == ("Bob Brown", "Nurse", active)
        assert holder.address == f"/admin/staff/{town.staff['bob']}"

    async def test_a_group_that_is_not_there_is_not_found(self, town: Town) -> None:
        actor = await diana(town)
        for attempt in (
            groups(town).group(actor, 10**9),
            groups(town).preview(actor, 10**9, frozenset()),
            groups(town).change(actor, 10**9, GroupFields("x"), GroupFields("x")),
            groups(town).delete(actor, 10**9),
        ):
            with pytest.raises(NotFound):
                await attempt


class TestWhoMay:
    @pytest.mark.parametrize("who", ["alice", "dora", "vera"])
    async def test_who_does_not_manage_schools_sees_and_changes_no_group(self, town: Town, who: str) -> None:
        made = await make(town, "West side", LINCOLN)
        actor, seen = await town.actor(who), fields(town, "West side", LINCOLN)
        for attempt in (
            groups(town).all(actor),
            groups(town).group(actor, made),
            groups(town).group(actor, 10**9),
            groups(town).none_yet(actor),
            groups(town).create(actor, GroupFields("Mine")),
            groups(town).preview(actor, made, frozenset()),
            groups(town).change(actor, made, GroupFields("Mine"), seen),
            groups(town).delete(actor, made),
            groups(town).as_csv(actor),
            groups(town).dry_run(actor, "group,school\n", Mode.APPEND),
            groups(town).apply(actor, "group,school\n", Mode.APPEND, ""),
        ):
            with pytest.raises(NotAllowed, match=access.SCHOOLS_ONLY):
                await attempt

    async def test_nobody_widens_their_own_rights_through_a_group(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        await hold(town, "diana", made, "School Admin")
        seen = fields(town, "West side", LINCOLN)
        for wanted in (fields(town, "West side", LINCOLN, ROOSEVELT), fields(town, "West side")):
            assert (await groups(town).preview(await diana(town), made, wanted.schools)).refusal == access.OWN_GROUP
            with pytest.raises(NotAllowed, match=access.OWN_GROUP):
                await groups(town).change(await diana(town), made, wanted, seen)
        assert await members(town, made) == {town.schools[LINCOLN]}

    async def test_nobody_widens_their_own_rights_by_a_file(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        await hold(town, "diana", made, "School Admin")
        file = f"group,school\nWest side,{ROOSEVELT}"
        report = await groups(town).dry_run(await diana(town), file, Mode.APPEND)
        assert access.OWN_GROUP in report.preview.refusal
        with pytest.raises(NotAllowed, match=access.OWN_GROUP):
            await groups(town).apply(await diana(town), file, Mode.APPEND, report.plan)
        assert await members(town, made) == {town.schools[LINCOLN]}

    async def test_who_manages_schools_but_no_staff_changes_groups_that_nobody_holds_a_role_at(
        self, town: Town
    ) -> None:
        made = await make(town, "West side", LINCOLN)
        await become(town, "vera", P.MANAGE_SCHOOLS)
        seen, wanted = fields(town, "West side", LINCOLN), fields(town, "West side", ROOSEVELT)
        await groups(town).change(await town.actor("vera"), made, wanted, seen)
        await hold(town, "bob", made)
        with pytest.raises(NotAllowed, match=access.GROUP_OF_STAFF):
            await groups(town).change(await town.actor("vera"), made, seen, wanted)
        assert await members(town, made) == {town.schools[ROOSEVELT]}

    @pytest.mark.parametrize(("role", "allowed"), [("Nurse", True), ("School Viewer", False)])
    async def test_nobody_gives_or_takes_what_they_lack(self, town: Town, role: str, allowed: bool) -> None:
        made = await make(town, "West side", LINCOLN)
        await become(town, "vera", P.MANAGE_SCHOOLS, P.MANAGE_STAFF, P.SEE_DIRECTORY)
        await hold(town, "bob", made, role)
        preview = await groups(town).preview(await town.actor("vera"), made, frozenset(town.schools.values()))
        assert ("“View all messages”" in preview.refusal) is not allowed
        changing = groups(town).change(
            await town.actor("vera"),
            made,
            fields(town, "West side", LINCOLN, ROOSEVELT),
            fields(town, "West side", LINCOLN),
        )
        if allowed:
            await changing
        else:
            with pytest.raises(NotAllowed):
                await changing
        assert len(await members(town, made)) == (2 if allowed else 1)

    async def test_a_role_that_was_given_a_moment_ago_counts(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        seen, wanted = fields(town, "West side", LINCOLN), fields(town, "West side", ROOSEVELT)
        assert (await groups(town).preview(await diana(town), made, wanted.schools)).refusal == ""
        await hold(town, "diana", made, "School Admin")
        with pytest.raises(NotAllowed):
            await groups(town).change(await diana(town), made, wanted, seen)


class TestBeforeItIsSaved:
    async def test_it_says_who_gains_and_who_loses_what(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        await revoke(town, "bob")
        await hold(town, "bob", made)
        preview = await groups(town).preview(await diana(town), made, frozenset({town.schools[ROOSEVELT]}))
        assert (preview.added, preview.removed, preview.holders, preview.changed) == ([ROOSEVELT], [LINCOLN], 1, 1)
        (bob,) = preview.effects
        assert bob.gains == [f"{ROOSEVELT}: Send and receive personal messages, See the directory"]
        assert bob.loses == [f"{LINCOLN}: Send and receive personal messages, See the directory"]
        assert (bob.others, bob.nothing_left, preview.refusal) == (0, False, "")

    async def test_what_another_role_gives_anyway_is_no_change(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN, ROOSEVELT)
        await hold(town, "nora", made, "Non-Rostered Staff")
        preview = await groups(town).preview(await diana(town), made, frozenset({town.schools[LINCOLN]}))
        (nora,) = preview.effects
        assert (nora.gains, nora.loses, nora.others, preview.changed) == ([], [], 2, 0)

    async def test_a_group_that_is_emptied_warns_and_takes_no_role(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        await revoke(town, "bob")
        await hold(town, "bob", made)
        preview = await groups(town).preview(await diana(town), made, frozenset())
        assert preview.warning == EMPTY_GROUP
        assert preview.effects[0].nothing_left
        await groups(town).change(await diana(town), made, GroupFields("West side"), fields(town, "West side", LINCOLN))
        assert len(await rows(town, Assignment, col(Assignment.staff_id) == town.staff["bob"])) == 1
        assert not (await town.actor("bob")).schools

    async def test_it_is_what_happens_then(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        for who, role in (("bob", "Counselor"), ("charlie", "Nurse"), ("vera", "School Admin")):
            await hold(town, who, made, role)
        before = {who: await town.actor(who) for who in town.staff}
        preview = await groups(town).preview(await diana(town), made, frozenset({town.schools[ROOSEVELT]}))
        await groups(town).change(
            await diana(town), made, fields(town, "West side", ROOSEVELT), fields(town, "West side", LINCOLN)
        )
        changed = {before[who].name for who in town.staff if await town.actor(who) != before[who]}
        assert {e.name for e in preview.effects if e.gains or e.loses} == changed

    async def test_who_has_left_is_not_among_those_for_whom_something_changes(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        await hold(town, "bob", made)
        await change(town, Staff, col(Staff.id) == town.staff["bob"], active=False)
        assert (await groups(town).preview(await diana(town), made, frozenset())).holders == 0

    async def test_of_many_people_the_first_are_named_and_the_others_counted(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        async with town.wired.db.transaction() as session:
            role_id = await session.scalar(select(col(Role.id)).where(col(Role.name) == "Nurse")) or 0
            crowd = [Staff(email=f"p{n}@x.example", name=f"Person {n:04}") for n in range(300)]
            session.add_all(crowd)
            await session.flush()
            session.add_all(Assignment(staff_id=p.id, role_id=role_id, group_id=made) for p in crowd)
        preview = await groups(town).preview(await diana(town), made, frozenset({town.schools[ROOSEVELT]}))
        assert (preview.changed, len(preview.effects), preview.more) == (300, MOST_SHOWN, 250)


class TestFiles:
    async def dry_run(self, town: Town, file: str, mode: Mode = Mode.APPEND) -> ImportReport:
        return await groups(town).dry_run(await diana(town), file, mode)

    async def run(self, town: Town, file: str, mode: Mode) -> int:
        report = await self.dry_run(town, file, mode)
        return await groups(town).apply(await diana(town), file, mode, report.plan)

    async def test_a_dry_run_says_what_each_line_does_and_changes_nothing(self, town: Town) -> None:
        await make(town, "West side", LINCOLN)
        before = await rows(town, AuditEntry)
        report = await self.dry_run(
            town,
            "Group;School\n"
            f"West side;{LINCOLN}\n"
            f"west side;{ROOSEVELT.upper()}\n"
            f"West  Side;{ROOSEVELT}\n"
            f"East side;{LINCOLN}\n"
            "Later;\n",
        )
        assert [(line.number, line.said, line.kind) for line in report.lines] == [
            (2, "Is in the group already.", "same"),
            (3, "Adds the school.", "does"),
            (4, "The same as line 3.", "same"),
            (5, "Adds the school to the new group.", "does"),
            (6, "Makes the group.", "does"),
        ]
        assert report.fresh == sum(g.fresh for g in report.groups)
        assert [(g.name, g.fresh, g.added) for g in report.groups] == [
            ("West side", False, [ROOSEVELT]),
            ("East side", True, [LINCOLN]),
            ("Later", True, []),
        ]
        assert await rows(town, AuditEntry) == before
        assert len(await rows(town, SchoolGroup)) == 1

    async def test_an_unknown_school_is_told_with_the_nearest_names_and_nothing_is_applied(self, town: Town) -> None:
        file = f"group,school\nWest side,Linkoln Midle School\nWest side,{ROOSEVELT}\n,{ROOSEVELT}"
        report = await self.dry_run(town, file)
        assert report.problems == 2
        assert report.lines[0].said.startswith(f"There is no school of this name. Did you mean {LINCOLN}")
        assert report.lines[1].said == "Please give the group a name."
        with pytest.raises(Invalid, match=HAS_PROBLEMS):
            await groups(town).apply(await diana(town), file, Mode.APPEND, report.plan)
        assert await rows(town, SchoolGroup) == []

    @pytest.mark.parametrize(("mode", "kept"), [(Mode.APPEND, [LINCOLN, ROOSEVELT]), (Mode.REPLACE, [ROOSEVELT])])
    async def test_replacing_takes_out_what_the_file_does_not_name(
        self, town: Town, mode: Mode, kept: Sequence[str]
    ) -> None:
        west, east = await make(town, "West side", LINCOLN), await make(town, "East side", LINCOLN)
        assert await self.run(town, f"group,school\nWest side,{ROOSEVELT}", mode) == 1
        assert await members(town, west) == {town.schools[s] for s in kept}
        assert await members(town, east) == {town.schools[LINCOLN]}

    async def test_a_group_without_a_school_is_emptied_by_replacing_alone(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        assert await self.run(town, "group,school\nWest side,", Mode.APPEND) == 0
        assert await self.run(town, "group,school\nWest side,", Mode.REPLACE) == 1
        assert await members(town, made) == set()

    async def test_what_was_downloaded_changes_nothing_when_it_is_read_again(self, town: Town) -> None:
        await make(town, "=West, “side”", LINCOLN, ROOSEVELT)
        await make(town, "Empty")
        file = await groups(town).as_csv(await diana(town))
        assert (
            file == f'\ufeffgroup,school\r\n"\'=West, “side”",{LINCOLN}\r\n"\'=West, “side”",{ROOSEVELT}\r\nEmpty,\r\n'
        )
        report = await self.dry_run(town, file, Mode.REPLACE)
        assert (report.groups, report.problems, report.unchanged) == ([], 0, 0)

    async def test_a_file_tells_for_whom_something_changes(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        await revoke(town, "bob")
        await hold(town, "bob", made)
        report = await self.dry_run(town, f"group,school\nWest side,{ROOSEVELT}", Mode.REPLACE)
        assert [(e.name, len(e.gains), len(e.loses)) for e in report.preview.effects] == [("Bob Brown", 1, 1)]
        await groups(town).apply(await diana(town), f"group,school\nWest side,{ROOSEVELT}", Mode.REPLACE, report.plan)
        assert (await town.actor("bob")).schools_with(P.PERSONAL_MESSAGES) == {town.schools[ROOSEVELT]}

    async def test_what_changed_since_the_dry_run_is_checked_again_first(self, town: Town) -> None:
        made = await make(town, "West side", LINCOLN)
        file = f"group,school\nWest side,{ROOSEVELT}"
        report = await self.dry_run(town, file, Mode.REPLACE)
        await groups(town).change(await diana(town), made, GroupFields("West side"), fields(town, "West side", LINCOLN))
        with pytest.raises(Invalid, match=CHECK_AGAIN):
            await groups(town).apply(await diana(town), file, Mode.REPLACE, report.plan)
        assert await members(town, made) == set()

    async def test_a_school_that_got_another_name_meanwhile_stops_the_file(self, town: Town) -> None:
        file = f"group,school\nWest side,{ROOSEVELT}"
        report = await self.dry_run(town, file)
        await change(town, School, col(School.name) == ROOSEVELT, name="Elsewhere")
        with pytest.raises(Invalid, match=HAS_PROBLEMS):
            await groups(town).apply(await diana(town), file, Mode.APPEND, report.plan)

    async def test_of_the_same_file_twice_at_once_it_is_done_once(self, town: Town) -> None:
        file = f"group,school\nWest side,{ROOSEVELT}"
        report, actor = await self.dry_run(town, file), await diana(town)
        outcomes = await asyncio.gather(
            *(groups(town).apply(actor, file, Mode.APPEND, report.plan) for _ in range(2)), return_exceptions=True
        )
        assert sorted(type(o).__name__ for o in outcomes) == ["Invalid", "int"]
        assert await members(town, (await the(town, SchoolGroup)).id) == {town.schools[ROOSEVELT]}

    async def test_of_a_large_file_the_problems_come_first(self, town: Town) -> None:
        lines = [f"Group {n},{LINCOLN}" for n in range(5_000)] + ["West side,Nowhere at all"]
        report = await self.dry_run(town, "group,school\n" + "\n".join(lines))
        assert (report.read, report.problems, len(report.lines)) == (5_001, 1, MOST_LINES_SHOWN)
        assert (report.lines[0].number, report.more) == (5_002, 5_001 - MOST_LINES_SHOWN)


async def of_access(heard: Heard) -> list[int | None]:
    return [c.staff for c in await heard.all() if c.kind is ChangeKind.ACCESS]
