"""Schools: made with their inbox, changed by those who manage them, and what the screen says about each."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import event, select
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change, revoke, rows, the
from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, InboxKind
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.domain.permissions import Level, Permission
from tp_inbox.services.number_limits import Limits
from tp_inbox.services.numbers import number_for, personal_inbox
from tp_inbox.services.schools import CHANGED_MEANWHILE, NOT_STOPPED, TAKEN, SchoolFields, Schools
from tp_inbox.services.staff import assign
from tp_inbox.storage.queries.scope import inbox_ref
from tp_inbox.storage.tables import (
    Assignment,
    AuditEntry,
    District,
    GroupSchool,
    Inbox,
    Number,
    Role,
    School,
    SchoolGroup,
)
from tp_inbox.storage.tables.messages import NumberState
from tp_inbox.wiring import Wired, run_district_command, run_school_command, run_staff_command

WASHINGTON = SchoolFields("Washington Elementary", "America/Denver", "303")
AS_IT_IS = SchoolFields(LINCOLN, "America/Chicago", "312")


def schools(town: Town) -> Schools:
    return town.wired.services.schools


async def diana(town: Town) -> Actor:
    return await town.actor("diana")


async def entries(town: Town, kind: AuditKind) -> list[AuditEntry]:
    return await rows(town, AuditEntry, col(AuditEntry.kind) == kind)


async def test_a_new_school_comes_with_its_inbox_and_is_written_down(town: Town) -> None:
    made = await schools(town).create(
        await diana(town), SchoolFields("  Washington   Elementary", "America/Denver", "303")
    )
    assert (await the(town, School, col(School.id) == made)).name == "Washington Elementary"
    assert (await the(town, Inbox, col(Inbox.school_id) == made)).kind is InboxKind.SCHOOL
    (entry,) = await entries(town, AuditKind.SCHOOL_CREATED)
    assert (entry.actor_id, entry.schools) == (town.staff["diana"], [made])
    assert entry.after == {"time_zone": "America/Denver", "area_code": "303", "office_phone": ""}
    assert entry.names["school"] == "Washington Elementary"


async def test_whoever_runs_the_server_makes_the_first_school(town: Town) -> None:
    await schools(town).create(None, WASHINGTON)
    (entry,) = await entries(town, AuditKind.SCHOOL_CREATED)
    assert (entry.actor_id, entry.address) == (None, "the server")


@pytest.mark.parametrize("name", [LINCOLN, "LINCOLN middle SCHOOL", " Lincoln  Middle School "])
async def test_two_schools_never_have_one_name(town: Town, name: str) -> None:
    before = await rows(town, School)
    with pytest.raises(Invalid, match=TAKEN):
        await schools(town).create(await diana(town), SchoolFields(name, "America/Denver", "303"))
    with pytest.raises(Invalid, match=TAKEN):
        await schools(town).change(
            await diana(town),
            town.schools[ROOSEVELT],
            SchoolFields(name, "America/Chicago", "630"),
            SchoolFields(ROOSEVELT, "America/Chicago", "630"),
        )
    assert await rows(town, School) == before
    assert await rows(town, AuditEntry) == []


@pytest.mark.parametrize(
    "wrong", [{"name": " "}, {"time_zone": "Chicago"}, {"area_code": "800"}, {"office_phone": "555"}]
)
async def test_what_cannot_be_used_is_refused_with_a_sentence(town: Town, wrong: dict[str, str]) -> None:
    fields = {"name": "Washington", "time_zone": "America/Denver", "area_code": "303"} | wrong
    with pytest.raises(Invalid):
        await schools(town).create(await diana(town), SchoolFields(**fields))


async def test_a_change_says_what_was_and_what_is(town: Town) -> None:
    wanted = SchoolFields("Lincoln Academy", "America/New_York", "212", "(212) 555-0100")
    await schools(town).change(await diana(town), town.schools[LINCOLN], wanted, AS_IT_IS)
    (entry,) = await entries(town, AuditKind.SCHOOL_CHANGED)
    assert entry.before == {"time_zone": "America/Chicago", "area_code": "312", "office_phone": ""}
    assert entry.after == {"time_zone": "America/New_York", "area_code": "212", "office_phone": "+12125550100"}
    assert (entry.names["school"], entry.names["previous_name"]) == ("Lincoln Academy", LINCOLN)


async def test_saving_what_is_there_already_writes_nothing(town: Town) -> None:
    await schools(town).change(await diana(town), town.schools[LINCOLN], AS_IT_IS, AS_IT_IS)
    assert await rows(town, AuditEntry) == []


async def test_of_two_edits_at_once_the_second_is_told(town: Town) -> None:
    actor, lincoln = await diana(town), town.schools[LINCOLN]
    one = schools(town).change(actor, lincoln, SchoolFields("One", "America/Chicago", "312"), AS_IT_IS)
    two = schools(town).change(actor, lincoln, SchoolFields("Two", "America/Chicago", "312"), AS_IT_IS)
    outcomes = await asyncio.gather(one, two, return_exceptions=True)
    (refused,) = [o for o in outcomes if o is not None]
    assert isinstance(refused, Invalid)
    assert refused.sentence == CHANGED_MEANWHILE
    assert len(await entries(town, AuditKind.SCHOOL_CHANGED)) == 1


async def test_of_two_schools_with_one_name_made_at_once_there_is_one(town: Town) -> None:
    actor = await diana(town)
    outcomes = await asyncio.gather(
        *(schools(town).create(actor, WASHINGTON) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Invalid", "int"]
    assert len(await rows(town, Inbox, col(Inbox.kind) == InboxKind.SCHOOL)) == 3


@pytest.mark.parametrize("who", ["alice", "dora", "vera"])
async def test_who_does_not_manage_schools_reads_and_changes_none(town: Town, who: str) -> None:
    actor, lincoln, service = await town.actor(who), town.schools[LINCOLN], schools(town)
    for attempt in (
        service.all(actor),
        service.school(actor, lincoln),
        service.school(actor, 0),
        service.create(actor, WASHINGTON),
        service.change(actor, lincoln, WASHINGTON, AS_IT_IS),
        service.want_number(actor, lincoln),
        service.mend_number(actor, lincoln),
    ):
        with pytest.raises(NotAllowed, match=access.SCHOOLS_ONLY):
            await attempt


async def test_a_permission_that_was_just_taken_counts_in_the_writing_transaction(town: Town) -> None:
    actor = await diana(town)
    await revoke(town, "diana")
    for attempt in (
        schools(town).create(actor, WASHINGTON),
        schools(town).change(actor, town.schools[LINCOLN], WASHINGTON, AS_IT_IS),
        schools(town).want_number(actor, town.schools[LINCOLN]),
    ):
        with pytest.raises(NotAllowed):
            await attempt


async def test_a_school_that_is_not_there_is_not_found(town: Town) -> None:
    for attempt in (
        schools(town).school(await diana(town), 10**9),
        schools(town).change(await diana(town), 10**9, WASHINGTON, AS_IT_IS),
        schools(town).want_number(await diana(town), 10**9),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_the_list_tells_of_each_school_what_belongs_to_it(town: Town) -> None:
    group = await add(town, SchoolGroup(name="Both schools"))
    for school_id in town.schools.values():
        await add(town, GroupSchool(group_id=group.id, school_id=school_id))
    await change(
        town, Number, col(Number.school_id) == town.schools[ROOSEVELT], state=NumberState.STOPPED, problem="Why."
    )
    lincoln, roosevelt = await schools(town).all(await diana(town))
    assert (lincoln.name, lincoln.students, lincoln.staff, lincoln.groups) == (LINCOLN, 2, 5, ["Both schools"])
    assert (lincoln.number.number, lincoln.number.said) == ("(312) 555-0100", "In use")
    assert (roosevelt.staff, roosevelt.number.kind, roosevelt.number.advice) == (2, "bad", "Why.")


async def test_the_list_asks_as_little_for_many_schools_as_for_two(town: Town) -> None:
    await schools(town).all(await diana(town))
    few = await asked(town)
    for number in range(20):
        await add(town, School(name=f"School {number}", area_code="312"))
    assert await asked(town) == few


async def asked(town: Town) -> int:
    """How many statements one reading of the list takes."""
    actor, said = await diana(town), list[str]()

    def note(*args: object) -> None:
        said.append(str(args[2]))

    event.listen(town.wired.db.engine.sync_engine, "before_cursor_execute", note)
    await schools(town).all(actor)
    event.remove(town.wired.db.engine.sync_engine, "before_cursor_execute", note)
    return len(said)


async def test_who_reads_the_inbox_is_who_may_read_it(town: Town) -> None:
    view = await schools(town).school(await diana(town), town.schools[LINCOLN])
    assert [(r.name, r.writes) for r in view.readers] == [
        ("Alice Adams", True),
        ("Dora Diaz", True),
        ("Vera Vance", False),
    ]
    assert view.readers[0].address == f"/admin/staff/{town.staff['alice']}"


async def test_who_manages_schools_but_no_staff_sees_names_without_links(town: Town) -> None:
    role = await add(town, Role(name="Facilities", level=Level.DISTRICT, permissions=[Permission.MANAGE_SCHOOLS.value]))
    await add(town, Assignment(staff_id=town.staff["vera"], role_id=role.id))
    view = await schools(town).school(await town.actor("vera"), town.schools[ROOSEVELT])
    assert [(r.name, r.address) for r in view.readers] == [("Charlie Clark", "")]


async def test_a_school_without_a_number_gets_one_once(town: Town) -> None:
    actor = await diana(town)
    made = await schools(town).create(actor, WASHINGTON)
    assert (await schools(town).school(actor, made)).number.said == "No number yet"
    await asyncio.gather(*(schools(town).want_number(actor, made) for _ in range(3)))
    number = await the(town, Number, col(Number.school_id) == made)
    assert (number.state, number.area_code) == (NumberState.WANTED, "303")
    (entry,) = await entries(town, AuditKind.NUMBER_CHANGED)
    assert entry.after == {"state": "wanted", "area_code": "303"}
    assert await town.wired.numbers.buy_wanted() == 1
    assert (await schools(town).school(actor, made)).number.said == "In use"


async def test_a_stopped_number_is_used_again_when_an_admin_says_so(town: Town) -> None:
    lincoln = town.schools[LINCOLN]
    await change(town, Number, col(Number.school_id) == lincoln, state=NumberState.STOPPED, problem="Not registered.")
    await schools(town).mend_number(await diana(town), lincoln)
    number = await the(town, Number, col(Number.school_id) == lincoln)
    assert (number.e164, number.state, number.problem) == (LINCOLN_NUMBER, NumberState.ACTIVE, "")
    with pytest.raises(Invalid, match=NOT_STOPPED):
        await schools(town).mend_number(await diana(town), lincoln)


async def test_a_number_that_could_not_be_bought_is_tried_again(town: Town) -> None:
    made = await schools(town).create(await diana(town), WASHINGTON)
    await schools(town).want_number(await diana(town), made)
    await change(town, Number, col(Number.school_id) == made, state=NumberState.STOPPED, problem="No money.")
    await schools(town).mend_number(await diana(town), made)
    assert await town.wired.numbers.buy_wanted() == 1


async def test_the_district_is_named_by_whoever_runs_the_server(town: Town) -> None:
    assert await schools(town).found_district("My  District", "America/Denver") is False
    district = await the(town, District)
    assert (district.name, district.time_zone) == ("My District", "America/Denver")
    with pytest.raises(Invalid):
        await schools(town).found_district("My District", "Denver")


class TestOnePersonAtSeveralSchools:
    """One personal inbox with one number, however many schools and groups are added."""

    async def number_now(self, town: Town, who: str) -> Number:
        async with town.wired.db.transaction() as session:
            inbox = inbox_ref(await personal_inbox(session, town.staff[who]))
            return await number_for(session, inbox, 0, 0, Limits(100, 49, 5, 1.15))

    async def test_a_second_school_or_a_group_brings_no_second_inbox_or_number(self, town: Town) -> None:
        first = await self.number_now(town, "charlie")
        async with town.wired.db.transaction() as session:
            await assign(session, town.staff["charlie"], "Counselor", LINCOLN)
        group = await add(town, SchoolGroup(name="Both"))
        for school_id in town.schools.values():
            await add(town, GroupSchool(group_id=group.id, school_id=school_id))
        async with town.wired.db.transaction() as session:
            role = await session.scalar(select(col(Role.id)).where(col(Role.name) == "Nurse"))
            session.add(Assignment(staff_id=town.staff["charlie"], role_id=role or 0, group_id=group.id))
        again = await self.number_now(town, "charlie")
        assert (again.id, again.area_code) == (first.id, "630")
        assert len(await rows(town, Inbox, col(Inbox.staff_id) == town.staff["charlie"])) == 1
        assert len(await rows(town, Number, col(Number.staff_id) == town.staff["charlie"])) == 1

    async def test_the_first_of_the_schools_by_name_decides_where_the_number_is_bought(self, town: Town) -> None:
        assert (await self.number_now(town, "nora")).area_code == "312"

    async def test_a_school_of_a_group_counts_too(self, town: Town) -> None:
        await revoke(town, "nora")
        group = await add(town, SchoolGroup(name="High schools"))
        await add(town, GroupSchool(group_id=group.id, school_id=town.schools[ROOSEVELT]))
        async with town.wired.db.transaction() as session:
            role = await session.scalar(select(col(Role.id)).where(col(Role.name) == "Non-Rostered Staff"))
            session.add(Assignment(staff_id=town.staff["nora"], role_id=role or 0, group_id=group.id))
        assert (await self.number_now(town, "nora")).area_code == "630"

    async def test_a_school_that_moves_to_another_area_code_keeps_the_numbers_that_are_there(self, town: Town) -> None:
        first = await self.number_now(town, "bob")
        wanted = SchoolFields(LINCOLN, "America/Chicago", "773")
        await schools(town).change(await diana(town), town.schools[LINCOLN], wanted, AS_IT_IS)
        assert (await self.number_now(town, "bob")).area_code == first.area_code == "312"


class TestAFreshDistrict:
    """From an empty database to the first account, without a line of SQL."""

    async def test_a_school_waits_for_its_district(self, wired: Wired) -> None:
        with pytest.raises(Invalid, match="tp-inbox district"):
            await run_school_command(wired.settings, LINCOLN, "612", "")

    async def test_district_school_and_first_account(self, wired: Wired) -> None:
        said = await run_district_command(wired.settings, "My District", "America/Denver")
        assert said == "My District is there."
        assert "is there, with its shared inbox" in await run_school_command(wired.settings, LINCOLN, "612", "")
        told = await run_staff_command(
            wired.settings, "add", "ida@x.example", "Ida Turner", "principal", "School Admin", LINCOLN
        )
        assert told.startswith("ida@x.example can sign in")
        async with wired.db.reading() as session:
            school = await session.scalar(select(School))
            assert await session.scalar(select(col(Inbox.school_id)).where(col(Inbox.school_id).is_not(None)))
        assert school is not None
        assert (school.name, school.time_zone) == (LINCOLN, "America/Denver")
        with pytest.raises(Invalid, match=TAKEN):
            await run_school_command(wired.settings, LINCOLN.upper(), "612", "")
        renamed = await run_district_command(wired.settings, "Our District", "America/Denver")
        assert renamed == "The district is now called Our District, in the time zone America/Denver."
