"""Giving and taking roles: whose business it is, what nobody is left without, and what is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest
from sqlalchemy import delete, insert, select, text
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change, listening, rows, the, until_waiting
from tp_inbox.domain import access
from tp_inbox.domain.access import DISTRICT, Place, PlaceKind
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, SignedOut
from tp_inbox.domain.permissions import Permission
from tp_inbox.services import actors
from tp_inbox.services.assignments import (
    MOST_TOLD_APART,
    NotAll,
    Outcome,
    Told,
)
from tp_inbox.services.holdings import place_of
from tp_inbox.services.safeguards import require_a_district_admin_stays, require_a_role_stays
from tp_inbox.storage.feed import Change, ChangeKind
from tp_inbox.storage.tables import Assignment, AuditEntry, GroupSchool, Inbox, Role, SchoolGroup, Staff


def at(town: Town, school: str = LINCOLN) -> Place:
    return Place(PlaceKind.SCHOOL, town.schools[school])


async def role_id(town: Town, name: str) -> int:
    return (await the(town, Role, col(Role.name) == name)).id


async def gives(town: Town, who: str, to: str | Collection[str], role: str, *places: Place) -> list[Told]:
    people = [town.staff[name] for name in ([to] if isinstance(to, str) else to)]
    return await town.wired.services.assignments.give(await town.actor(who), people, await role_id(town, role), places)


async def held(town: Town, who: str, role: str = "") -> list[Assignment]:
    found = await rows(town, Assignment, col(Assignment.staff_id) == town.staff[who])
    return [a for a in found if not role or a.role_id == await role_id(town, role)]


async def takes(town: Town, who: str, *assignments: Assignment) -> list[Told]:
    return await town.wired.services.assignments.take(await town.actor(who), [a.id for a in assignments])


async def refusal(town: Town, who: str, to: str, role: str, *places: Place) -> str:
    with pytest.raises(NotAllowed) as refused:
        await gives(town, who, to, role, *places)
    return refused.value.sentence


async def west(town: Town, *schools: str) -> Place:
    group = await add(town, SchoolGroup(name="West"))
    for school in schools:
        await add(town, GroupSchool(group_id=group.id, school_id=town.schools[school]))
    return Place(PlaceKind.GROUP, group.id)


async def second_admin(town: Town, **values: object) -> int:
    """Eve, a District Admin beside Diana."""
    eve = await add(town, Staff(email="eve@district.example", name="Eve Ellis", **({"password_hash": "x"} | values)))
    town.staff["eve"] = eve.id
    await add(town, Assignment(staff_id=eve.id, role_id=await role_id(town, "District Admin")))
    return eve.id


async def only_manages_staff(town: Town, who: str) -> None:
    """A district role of the district's own, with all that a District Admin may."""
    admin = await the(town, Role, col(Role.name) == "District Admin")
    role = await add(town, Role(name="Deputy", level=admin.level, permissions=admin.permissions))
    await add(town, Assignment(staff_id=town.staff[who], role_id=role.id))


class TestGiving:
    async def test_a_group_that_goes_at_the_same_moment_is_not_there(self, town: Town) -> None:
        place = await west(town, LINCOLN)
        async with town.wired.db.transaction() as session:
            await session.get_one(SchoolGroup, place.id, with_for_update=True)
            giving = asyncio.create_task(gives(town, "diana", "vera", "Nurse", place))
            await until_waiting(town, 1)
            await session.execute(delete(GroupSchool))
            await session.execute(delete(SchoolGroup))
        with pytest.raises(NotFound):
            await giving

    async def test_a_role_at_two_schools_gives_what_it_allows_at_both(self, town: Town) -> None:
        lines = await gives(town, "diana", "vera", "Nurse", at(town), at(town, ROOSEVELT))
        assert [(line.person, line.place, line.outcome) for line in lines] == [
            ("Vera Vance", LINCOLN, Outcome.GIVEN),
            ("Vera Vance", ROOSEVELT, Outcome.GIVEN),
        ]
        vera = await town.actor("vera")
        assert vera.schools_with(Permission.PERSONAL_MESSAGES) == set(town.schools.values())

    async def test_a_role_at_a_group_is_held_at_each_of_its_schools(self, town: Town) -> None:
        await gives(town, "diana", "bob", "Nurse", await west(town, LINCOLN, ROOSEVELT))
        bob = await town.actor("bob")
        assert bob.schools_with(Permission.PERSONAL_MESSAGES) == set(town.schools.values())

    async def test_a_district_role_is_held_at_the_district(self, town: Town) -> None:
        await gives(town, "diana", "vera", "District Viewer", DISTRICT)
        assert (await town.actor("vera")).at_district(Permission.VIEW_ALL_MESSAGES)

    async def test_what_is_held_already_is_no_error_and_says_so(self, town: Town) -> None:
        async with listening(town) as heard:
            lines = await gives(town, "diana", ["bob", "vera"], "Nurse", at(town))
            assert [line.outcome for line in lines] == [Outcome.HAS_IT, Outcome.GIVEN]
            assert lines[0].sentence == "Bob Brown has this role there already."
            assert [c.staff for c in await heard.all()] == [town.staff["vera"]]
        assert len(await held(town, "bob")) == 1

    async def test_nothing_is_announced_when_nothing_has_changed(self, town: Town) -> None:
        async with listening(town) as heard:
            await gives(town, "diana", "bob", "Nurse", at(town))
            assert await heard.all() == []
        assert await rows(town, AuditEntry) == []

    async def test_one_refusal_and_nobody_gets_anything(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["vera"], active=False)
        before = len(await rows(town, Assignment))
        with pytest.raises(NotAll) as refused:
            await gives(town, "diana", ["alice", "vera", "bob"], "Nurse", at(town))
        assert [line.outcome for line in refused.value.lines] == [
            Outcome.GIVEN,
            Outcome.DEACTIVATED,
            Outcome.HAS_IT,
        ]
        assert refused.value.sentence == (
            "Nothing was changed. Vera Vance’s account is deactivated. Reactivate it first."
        )
        assert len(await rows(town, Assignment)) == before

    async def test_the_first_personal_messages_bring_an_inbox(self, town: Town) -> None:
        eve = await second_admin(town)
        await gives(town, "diana", "eve", "School Viewer", at(town))
        assert await rows(town, Inbox, col(Inbox.staff_id) == eve) == []
        await gives(town, "diana", "eve", "Nurse", at(town))
        await gives(town, "diana", "eve", "Nurse", at(town, ROOSEVELT))
        assert len(await rows(town, Inbox, col(Inbox.staff_id) == eve)) == 1

    async def test_nobody_gives_themselves_anything(self, town: Town) -> None:
        assert await refusal(town, "diana", "diana", "Nurse", at(town)) == access.OWN_ROLES

    @pytest.mark.parametrize(("role", "district"), [("Nurse", True), ("District Viewer", False)])
    async def test_a_role_is_held_at_its_own_level(self, town: Town, role: str, district: bool) -> None:
        place = DISTRICT if district else at(town)
        assert "cannot be held there" in await refusal(town, "diana", "bob", role, place)

    async def test_a_school_admin_gives_at_the_own_school_only(self, town: Town) -> None:
        await gives(town, "dora", "vera", "Nurse", at(town))
        assert await refusal(town, "dora", "vera", "Nurse", at(town, ROOSEVELT)) == access.NOT_THIS_PLACE
        assert await refusal(town, "dora", "vera", "Nurse", Place(PlaceKind.SCHOOL, 999)) == access.NOT_THIS_PLACE

    async def test_a_school_admin_gives_at_no_group_even_one_with_the_own_school_alone(self, town: Town) -> None:
        group = await west(town, LINCOLN)
        assert await refusal(town, "dora", "vera", "Nurse", group) == access.NOT_THIS_PLACE

    async def test_a_school_admin_does_not_find_the_staff_of_another_school(self, town: Town) -> None:
        with pytest.raises(NotFound):
            await gives(town, "dora", "charlie", "Nurse", at(town))
        with pytest.raises(NotFound):
            await town.wired.services.assignments.give(
                await town.actor("dora"), [999], await role_id(town, "Nurse"), [at(town)]
            )

    async def test_nobody_gives_a_permission_that_they_lack(self, town: Town) -> None:
        await gives(town, "diana", "bob", "Technical School Admin", at(town))
        assert "“Send and receive personal messages”" not in await refusal(
            town, "bob", "vera", "School Viewer", at(town)
        )
        assert "allows more than you may do yourself" in await refusal(town, "bob", "vera", "School Admin", at(town))

    async def test_who_manages_no_staff_gives_nothing(self, town: Town) -> None:
        assert await refusal(town, "alice", "vera", "Nurse", at(town)) == access.STAFF_ONLY

    async def test_permissions_are_asked_again_in_the_transaction_that_gives(self, town: Town) -> None:
        dora = await town.actor("dora")
        nurse = await role_id(town, "Nurse")
        await gives(town, "diana", "dora", "School Viewer", at(town))
        await takes(town, "diana", *await held(town, "dora", "School Admin"))
        with pytest.raises(NotAllowed):
            await town.wired.services.assignments.give(dora, [town.staff["vera"]], nurse, [at(town)])
        await change(town, Staff, col(Staff.id) == town.staff["dora"], active=False)
        with pytest.raises(SignedOut):
            await town.wired.services.assignments.give(dora, [town.staff["vera"]], nurse, [at(town)])

    @pytest.mark.parametrize("missing", ["person", "role", "school", "group"])
    async def test_what_is_not_there_is_not_found(self, town: Town, missing: str) -> None:
        person = 999 if missing == "person" else town.staff["vera"]
        role = 999 if missing == "role" else await role_id(town, "Nurse")
        place = {"school": Place(PlaceKind.SCHOOL, 999), "group": Place(PlaceKind.GROUP, 999)}.get(missing, at(town))
        with pytest.raises(NotFound):
            await town.wired.services.assignments.give(await town.actor("diana"), [person], role, [place])

    async def test_something_has_to_be_chosen(self, town: Town) -> None:
        with pytest.raises(Invalid, match="where"):
            await gives(town, "diana", "vera", "Nurse")
        with pytest.raises(Invalid, match="person"):
            await gives(town, "diana", [], "Nurse", at(town))


class TestTaking:
    async def test_what_it_allowed_is_gone(self, town: Town) -> None:
        await gives(town, "diana", "bob", "Counselor", at(town))
        lines = await takes(town, "diana", *await held(town, "bob", "Counselor"))
        assert [line.outcome for line in lines] == [Outcome.TAKEN]
        assert not (await town.actor("bob")).schools_with(Permission.MESSAGE_ON_BEHALF)

    async def test_everyone_keeps_a_role(self, town: Town) -> None:
        with pytest.raises(NotAll, match="Bob Brown would have none"):
            await takes(town, "diana", *await held(town, "bob"))
        assert len(await held(town, "bob")) == 1

    async def test_everyone_keeps_a_role_also_when_several_are_taken_at_once(self, town: Town) -> None:
        both = await held(town, "nora")
        with pytest.raises(NotAll, match="Nora Nash would have none"):
            await takes(town, "diana", *both)
        await takes(town, "diana", both[0])
        assert await held(town, "nora") == both[1:]

    async def test_two_admins_who_take_one_role_each_at_once_leave_one(self, town: Town) -> None:
        await second_admin(town)
        first, second = await held(town, "nora")
        answers = await asyncio.gather(takes(town, "diana", first), takes(town, "eve", second), return_exceptions=True)
        assert sum(isinstance(answer, NotAll) for answer in answers) == 1
        assert len(await held(town, "nora")) == 1

    async def test_nobody_takes_a_role_of_their_own(self, town: Town) -> None:
        await second_admin(town)
        with pytest.raises(NotAll, match="Nobody changes their own roles"):
            await takes(town, "diana", *await held(town, "diana"))

    async def test_the_last_district_admin_stays(self, town: Town) -> None:
        await only_manages_staff(town, "vera")
        await gives(town, "vera", "diana", "District Viewer", DISTRICT)
        with pytest.raises(NotAll, match="Diana Drew is the last one"):
            await takes(town, "vera", *await held(town, "diana", "District Admin"))

    @pytest.mark.parametrize("values", [{"active": False}, {"password_hash": None}])
    async def test_who_cannot_sign_in_does_not_count_as_a_district_admin(self, town: Town, values: dict) -> None:
        await second_admin(town, **values)
        await only_manages_staff(town, "vera")
        with pytest.raises(NotAll, match="last one"):
            await takes(town, "vera", *await held(town, "diana", "District Admin"))

    async def test_one_of_two_district_admins_may_go(self, town: Town) -> None:
        await second_admin(town)
        await gives(town, "diana", "eve", "District Viewer", DISTRICT)
        await takes(town, "diana", *await held(town, "eve", "District Admin"))
        assert len(await held(town, "eve")) == 1

    async def test_two_district_admins_who_remove_each_other_leave_one(self, town: Town) -> None:
        await second_admin(town)
        await only_manages_staff(town, "vera")
        for who in ("diana", "eve"):
            await gives(town, "vera", who, "District Viewer", DISTRICT)
        hers, eves = await held(town, "diana", "District Admin"), await held(town, "eve", "District Admin")
        answers = await asyncio.gather(takes(town, "eve", *hers), takes(town, "diana", *eves), return_exceptions=True)
        assert sum(isinstance(answer, NotAllowed) for answer in answers) == 1
        assert len(await held(town, "diana", "District Admin") + await held(town, "eve", "District Admin")) == 1

    async def test_a_school_admin_takes_at_the_own_school_only(self, town: Town) -> None:
        at_lincoln, at_roosevelt = await held(town, "nora")
        with pytest.raises(NotFound):
            await takes(town, "dora", at_roosevelt)
        await takes(town, "dora", at_lincoln)

    async def test_nobody_takes_a_permission_that_they_lack(self, town: Town) -> None:
        await gives(town, "diana", "bob", "Technical School Admin", at(town))
        await gives(town, "diana", "vera", "School Admin", at(town))
        with pytest.raises(NotAll, match="allows more than you may do yourself"):
            await takes(town, "bob", *await held(town, "vera", "School Admin"))

    async def test_an_assignment_of_a_stranger_is_as_if_it_were_not_there(self, town: Town) -> None:
        with pytest.raises(NotFound):
            await takes(town, "dora", *await held(town, "charlie"))
        with pytest.raises(NotFound):
            await town.wired.services.assignments.take(await town.actor("dora"), [9999])
        with pytest.raises(NotFound):
            await town.wired.services.assignments.take(await town.actor("dora"), [])

    async def test_a_deactivated_person_keeps_what_they_had_as_a_record(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["nora"], active=False)
        with pytest.raises(NotAll, match="deactivated"):
            await takes(town, "diana", (await held(town, "nora"))[0])


class TestInsideOtherTransactions:
    async def test_a_role_stays_or_the_names_are_said(self, town: Town) -> None:
        async with town.wired.db.transaction() as session:
            await require_a_role_stays(session, town.staff.values())
            for assignment in await session.scalars(select(Assignment)):
                await session.delete(assignment)
            await session.flush()
            with pytest.raises(NotAllowed, match="Bob Brown, Nora Nash would have none"):
                await require_a_role_stays(session, [town.staff["bob"], town.staff["nora"]])
            await session.rollback()

    async def test_two_admins_deactivated_at_once_leave_one(self, town: Town) -> None:
        await second_admin(town)

        async def leaves(who: str) -> None:
            async with town.wired.db.transaction() as session:
                (await session.get_one(Staff, town.staff[who])).active = False
                await session.flush()
                await require_a_district_admin_stays(session)

        answers = await asyncio.gather(leaves("diana"), leaves("eve"), return_exceptions=True)
        assert sum(isinstance(answer, NotAllowed) for answer in answers) == 1
        assert sum(a.active for a in await rows(town, Staff, col(Staff.name).in_(["Diana Drew", "Eve Ellis"]))) == 1

    async def test_the_last_admin_is_not_counted_when_left_out(self, town: Town) -> None:
        async with town.wired.db.transaction() as session:
            await require_a_district_admin_stays(session)
            with pytest.raises(NotAllowed):
                await require_a_district_admin_stays(session, [town.staff["diana"]])


class TestTheRecord:
    async def test_each_role_given_or_taken_is_written_down_where_it_is_held(self, town: Town) -> None:
        await gives(town, "dora", ["vera", "alice"], "Nurse", at(town))
        await takes(town, "dora", *await held(town, "vera", "Nurse"))
        given, also, taken = await rows(town, AuditEntry)
        assert [e.kind for e in (given, also, taken)] == [AuditKind.ROLE_GIVEN] * 2 + [AuditKind.ROLE_TAKEN]
        assert {given.subject_id, also.subject_id} == {town.staff["vera"], town.staff["alice"]}
        assert (taken.actor_id, taken.subject_id) == (town.staff["dora"], town.staff["vera"])
        assert taken.schools == given.schools == [town.schools[LINCOLN]]
        assert given.after == taken.before == {"permissions": ["personal_messages", "see_directory"]}
        assert taken.names["role"] == "Nurse"

    async def test_a_group_is_the_business_of_all_its_schools_and_the_district_of_none(self, town: Town) -> None:
        group = await west(town, LINCOLN, ROOSEVELT)
        await gives(town, "diana", "bob", "Nurse", group)
        await gives(town, "diana", "bob", "District Viewer", DISTRICT)
        entries = await rows(town, AuditEntry)
        assert [e.schools for e in entries] == [sorted(town.schools.values()), []]


class TestManyAtOnce:
    async def test_thousands_take_few_statements_and_one_announcement(self, town: Town) -> None:
        count = 2_000
        viewer = await role_id(town, "School Viewer")
        async with town.wired.db.transaction() as session:
            people = [{"email": f"p{n}@district.example", "name": f"P {n}"} for n in range(count)]
            made = await session.execute(insert(Staff).returning(col(Staff.id)), people)
            ids = list(made.scalars())
            home = [{"staff_id": i, "role_id": viewer, "school_id": town.schools[LINCOLN]} for i in ids]
            await session.execute(insert(Assignment), home)
            await session.execute(text("ANALYZE staff, assignment"))
        nurse = await role_id(town, "Nurse")
        async with listening(town) as heard:
            lines = await town.wired.services.assignments.give(
                await town.actor("diana"), ids, nurse, [at(town), at(town, ROOSEVELT)]
            )
            assert await heard.all() == [Change(ChangeKind.ACCESS, id=heard.changes[0].id)]
        assert len(lines) == len(await rows(town, AuditEntry)) == 2 * count
        async with town.wired.db.reading() as session:
            found = await actors.actors_of(session, ids[:1])
        assert len(found[ids[0]].schools_with(Permission.PERSONAL_MESSAGES)) == 2

    async def test_some_are_told_one_by_one(self, town: Town) -> None:
        people = [who for who in town.staff if who not in ("bob", "diana")]
        assert len(people) <= MOST_TOLD_APART
        async with listening(town) as heard:
            await gives(town, "diana", people, "Nurse", at(town))
            assert {c.staff for c in await heard.all()} == {town.staff[who] for who in people}

    async def test_nobody_does_more_than_is_reasonable(self, town: Town) -> None:
        with pytest.raises(Invalid, match="in parts"):
            await town.wired.services.assignments.give(
                await town.actor("diana"), range(20_001), await role_id(town, "Nurse"), [at(town)]
            )


class TestReading:
    async def test_a_persons_roles_with_places_and_what_may_be_taken(self, town: Town) -> None:
        await gives(town, "diana", "nora", "Nurse", await west(town, LINCOLN, ROOSEVELT))
        found = await town.wired.services.assignments.of_person(await town.actor("dora"), town.staff["nora"])
        assert [(h.role, h.place, h.schools, bool(h.kept)) for h in found.roles] == [
            ("Non-Rostered Staff", LINCOLN, "", False),
            ("Nurse", "West", f"{LINCOLN}, {ROOSEVELT}", True),
        ]
        assert found.elsewhere
        with pytest.raises(NotAll, match="your own school only"):
            await takes(town, "dora", *await held(town, "nora", "Nurse"))

    async def test_who_gets_nothing_is_said_before_one_tries(self, town: Town) -> None:
        reading, diana = town.wired.services.assignments, await town.actor("diana")
        assert (await reading.of_person(diana, diana.staff_id)).refusal == access.OWN_ROLES
        assert (await reading.of_person(diana, town.staff["nora"])).refusal == ""
        await change(town, Staff, col(Staff.id) == town.staff["nora"], active=False)
        assert "deactivated" in (await reading.of_person(diana, town.staff["nora"])).refusal

    async def test_who_manages_no_staff_reads_nothing(self, town: Town) -> None:
        with pytest.raises(NotAllowed):
            await town.wired.services.assignments.of_person(await town.actor("alice"), town.staff["bob"])

    async def test_a_person_of_another_school_is_not_found(self, town: Town) -> None:
        reading = town.wired.services.assignments
        with pytest.raises(NotFound):
            await reading.of_person(await town.actor("dora"), town.staff["charlie"])
        assert await reading.of_person(await town.actor("diana"), town.staff["charlie"])

    async def test_the_choices_are_what_giving_allows(self, town: Town) -> None:
        await west(town, LINCOLN)
        reading = town.wired.services.assignments
        for who in ("dora", "diana", "alice"):
            actor = await town.actor(who)
            offered = {
                (role.id, place_of(place.key))
                for role in await reading.roles_to_give(actor)
                for place in await reading.places_for(actor, role.id)
            }
            places = [DISTRICT, at(town), at(town, ROOSEVELT), Place(PlaceKind.GROUP, 1)]
            allowed = {(r.id, p) for r in await rows(town, Role) for p in places if may_give(actor, r, p)}
            assert offered == allowed, who

    async def test_a_school_admin_is_offered_the_own_school_alone(self, town: Town) -> None:
        reading, dora = town.wired.services.assignments, await town.actor("dora")
        assert "District Admin" not in [r.name for r in await reading.roles_to_give(dora)]
        places = await reading.places_for(dora, await role_id(town, "Nurse"))
        assert [p.name for p in places] == [LINCOLN]

    @pytest.mark.parametrize("key", ["", "school", "school:", "school:x", "moon:1", "school:-1", "school:1:2"])
    def test_a_key_that_names_no_place_is_none(self, key: str) -> None:
        assert place_of(key) is None


def may_give(actor: access.Actor, role: Role, place: Place) -> bool:
    return access.refusal_to_assign(actor, 0, map(Permission, role.permissions), role.level, place) is None
