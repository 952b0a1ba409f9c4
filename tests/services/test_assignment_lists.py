"""Lists of people who get a role: what is understood, what is shown first, and that nothing else is done."""

from __future__ import annotations

import pytest
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change, rows, the
from tp_inbox.domain.access import DISTRICT, Place, PlaceKind
from tp_inbox.domain.errors import Invalid, NotAllowed
from tp_inbox.services.assignment_lists import Chosen, Plan, read_list
from tp_inbox.services.assignments import Outcome
from tp_inbox.storage.tables import Assignment, AuditEntry, Role, SchoolGroup, Staff

O = Outcome  # noqa: E741 - as short as the tables below


async def chosen(town: Town, role: str = "Nurse", *schools: str, taking: bool = False) -> Chosen:
    places = tuple(Place(PlaceKind.SCHOOL, town.schools[s]) for s in schools or (LINCOLN,))
    return Chosen((await the(town, Role, col(Role.name) == role)).id, places, taking)


async def look(town: Town, who: str, text: str, how: Chosen | None = None) -> Plan:
    lists = town.wired.services.assignment_lists
    return await lists.look(await town.actor(who), text, how or await chosen(town))


def outcomes(plan: Plan) -> list[Outcome]:
    return [line.outcome for line in plan.lines]


class TestReadingAList:
    @pytest.mark.parametrize(
        "text",
        [
            "a@x.org, b@x.org",
            "a@x.org;b@x.org",
            "a@x.org\nb@x.org\n",
            "a@x.org\r\n\r\nb@x.org",
            "a@x.org\tb@x.org",
            "A@X.org , B@x.ORG.",
            "Ann Ames <a@x.org>, Bo <b@x.org>",
            '"Ames, Ann" <a@x.org>; "Bee, Bo" <b@x.org>',
            "Ames, Ann <a@x.org>\nBee, Bo <b@x.org>",
            "<a@x.org> <b@x.org>",
            "E-mail\na@x.org\nb@x.org",
            "\ufeffemail;name\r\na@x.org;Ann\r\nb@x.org;Bo\r\n",
            'name\tE-mail address\n"Ames, Ann"\ta@x.org\nBo\tBo <b@x.org>\n',
        ],
    )
    def test_the_ways_in_which_people_write_two_addresses(self, text: str) -> None:
        assert [n.email for n in read_list(text)] == ["a@x.org", "b@x.org"]

    def test_what_is_no_address_is_told_as_it_stands(self) -> None:
        assert [(n.number, n.email) for n in read_list("a@x.org, bob\n\nCarol Clark")] == [
            (1, "a@x.org"),
            (1, "bob"),
            (3, "carol clark"),
        ]

    def test_a_table_names_roles_and_places(self) -> None:
        named = read_list('email,role,school,group\na@x.org,Nurse,"Lincoln, East",\nb@x.org,,,West\n')
        assert [(n.number, n.role, n.place) for n in named] == [(2, "Nurse", "Lincoln, East"), (3, "", "West")]

    @pytest.mark.parametrize("text", ["", " \n\t", "email\n"])
    def test_an_empty_list_is_said_to_be_one(self, text: str) -> None:
        with pytest.raises(Invalid):
            read_list(text)


class TestLooking:
    async def test_each_line_says_what_becomes_of_it(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["charlie"], active=False)
        plan = await look(
            town,
            "diana",
            "vera@district.example, bob@district.example\nberta@district.example\ncharlie@district.example"
            "\ndiana@district.example\nVera Vance <vera@district.example>\nnot an address",
        )
        assert outcomes(plan) == [
            O.GIVEN,
            O.HAS_IT,
            O.UNKNOWN_PERSON,
            O.DEACTIVATED,
            O.REFUSED,
            O.TWICE,
            O.NO_ADDRESS,
        ]
        assert plan.lines[2].sentence == "Nobody in your list of staff has this address."
        assert plan.lines[5].sentence == "The same stands on line 1."
        assert plan.lines[6].sentence == "This is not an e-mail address."
        assert plan.counts[O.UNKNOWN_PERSON] == 1

    async def test_nothing_is_written_before_it_is_confirmed(self, town: Town) -> None:
        before = len(await rows(town, Assignment))
        await look(town, "diana", "vera@district.example")
        assert len(await rows(town, Assignment)) == before

    async def test_the_nearest_address_role_and_school_are_named(self, town: Town) -> None:
        plan = await look(
            town,
            "diana",
            "email,role,school\nvera@distrct.example,Nurse,Lincoln Middle School\n"
            "vera@district.example,Nurs,Lincoln Middle School\nvera@district.example,nurse,Lincon Middle\n",
        )
        assert outcomes(plan) == [O.UNKNOWN_PERSON, O.UNKNOWN_ROLE, O.UNKNOWN_PLACE]
        assert [line.nearest for line in plan.lines] == ["vera@district.example", "Nurse", LINCOLN]

    async def test_a_table_may_mix_roles_schools_groups_and_the_district(self, town: Town) -> None:
        await add(town, SchoolGroup(name="West"))
        plan = await look(
            town,
            "diana",
            "email;role;school or group\nvera@district.example;Nurse;west\nbob@district.example;counselor;\n"
            "alice@district.example;District Viewer;\nnora@district.example;District Viewer;District\n"
            "dora@district.example;District Viewer;Lincoln Middle School\n",
        )
        assert [(line.place, line.outcome) for line in plan.lines] == [
            ("West", O.GIVEN),
            (LINCOLN, O.GIVEN),
            ("The whole district", O.GIVEN),
            ("The whole district", O.GIVEN),
            (LINCOLN, O.REFUSED),
        ]

    async def test_a_role_or_a_place_that_nobody_names_is_asked_for(self, town: Town) -> None:
        plan = await look(town, "diana", "email\nvera@district.example", Chosen())
        assert "No role is named" in plan.lines[0].sentence
        nurse = await chosen(town)
        plan = await look(town, "diana", "vera@district.example", Chosen(nurse.role_id))
        assert "No school is named" in plan.lines[0].sentence

    async def test_a_name_of_a_school_and_of_a_group_is_no_guess(self, town: Town) -> None:
        await add(town, SchoolGroup(name=LINCOLN.upper()))
        plan = await look(town, "diana", f"email,role,school\nvera@district.example,Nurse,{LINCOLN}")
        assert outcomes(plan) == [O.UNKNOWN_PLACE]

    async def test_a_school_admin_sees_the_own_staff_roles_and_school_only(self, town: Town) -> None:
        plan = await look(
            town,
            "dora",
            "email,role,school\ncharlie@district.example,Nurse,Lincoln Middle School\n"
            "charlie@distrct.example,Nurse,Lincoln Middle School\nvera@district.example,Nurse,Roosevelt High School\n"
            "vera@district.example,Nurse,Rosevelt\nvera@district.example,District Admn,\n"
            "vera@district.example,District Admin,\nvera@district.example,Nurse,Lincoln Middle School\n",
        )
        assert outcomes(plan) == [
            O.UNKNOWN_PERSON,
            O.UNKNOWN_PERSON,
            O.REFUSED,
            O.UNKNOWN_PLACE,
            O.UNKNOWN_ROLE,
            O.REFUSED,
            O.GIVEN,
        ]
        assert not {"charlie@district.example", ROOSEVELT, "District Admin"} & {x.nearest for x in plan.lines}

    async def test_who_manages_no_staff_learns_nothing(self, town: Town) -> None:
        with pytest.raises(NotAllowed):
            await look(town, "alice", "vera@district.example")


class TestApplying:
    async def test_what_was_shown_is_done_and_problems_are_left_out(self, town: Town) -> None:
        lists, diana = town.wired.services.assignment_lists, await town.actor("diana")
        text, how = "vera@district.example\nnobody@district.example\nbob@district.example", await chosen(town)
        shown = await look(town, "diana", text, how)
        plan = await lists.apply(diana, text, how, shown)
        assert plan.done
        assert outcomes(plan) == [O.GIVEN, O.UNKNOWN_PERSON, O.HAS_IT]
        assert [e.subject_id for e in await rows(town, AuditEntry)] == [town.staff["vera"]]
        assert "nobody@district.example" in plan.problems
        assert "vera@" not in plan.problems

    async def test_the_problems_can_be_put_right_and_brought_again(self, town: Town) -> None:
        plan = await look(town, "diana", "email,role,school\nvera@district.example,Nurs,Lincoln Middle School")
        mended = plan.problems.replace("Nurs,", "Nurse,")
        assert outcomes(await look(town, "diana", mended)) == [O.GIVEN]

    async def test_what_has_changed_meanwhile_is_marked_and_nothing_done(self, town: Town) -> None:
        lists, diana = town.wired.services.assignment_lists, await town.actor("diana")
        text, how = "vera@district.example\nalice@district.example", await chosen(town)
        shown = await look(town, "diana", text, how)
        await change(town, Staff, col(Staff.id) == town.staff["vera"], active=False)
        before = len(await rows(town, Assignment))
        plan = await lists.apply(diana, text, how, shown)
        assert not plan.done
        assert [(line.outcome, line.changed) for line in plan.lines] == [(O.DEACTIVATED, True), (O.GIVEN, False)]
        assert len(await rows(town, Assignment)) == before
        again = await lists.apply(diana, text, how, plan)
        assert again.done
        assert len(await rows(town, Assignment)) == before + 1

    async def test_a_right_that_was_lost_meanwhile_ends_it(self, town: Town) -> None:
        lists, dora = town.wired.services.assignment_lists, await town.actor("dora")
        how = await chosen(town)
        shown = await look(town, "dora", "vera@district.example", how)
        viewer = await the(town, Role, col(Role.name) == "School Viewer")
        await change(town, Assignment, col(Assignment.staff_id) == town.staff["dora"], role_id=viewer.id)
        with pytest.raises(NotAllowed):
            await lists.apply(dora, "vera@district.example", how, shown)

    async def test_a_list_takes_roles_too_and_leaves_everyone_one(self, town: Town) -> None:
        lists, diana = town.wired.services.assignment_lists, await town.actor("diana")
        text = "nora@district.example\nbob@district.example\nvera@district.example"
        gives = await chosen(town, "Nurse", ROOSEVELT)
        await lists.apply(
            diana, "bob@district.example", gives, await look(town, "diana", "bob@district.example", gives)
        )
        how = await chosen(town, "Nurse", LINCOLN, ROOSEVELT, taking=True)
        shown = await look(town, "diana", text, how)
        assert outcomes(shown) == [O.HAS_IT_NOT, O.HAS_IT_NOT, O.REFUSED, O.REFUSED, O.HAS_IT_NOT, O.HAS_IT_NOT]
        one = await chosen(town, "Nurse", LINCOLN, taking=True)
        plan = await lists.apply(diana, text, one, await look(town, "diana", text, one))
        assert outcomes(plan) == [O.HAS_IT_NOT, O.TAKEN, O.HAS_IT_NOT]

    async def test_nothing_to_do_is_done_without_a_word_in_the_record(self, town: Town) -> None:
        lists, diana, how = town.wired.services.assignment_lists, await town.actor("diana"), await chosen(town)
        plan = await lists.apply(diana, "x@x.org", how, await look(town, "diana", "x@x.org", how))
        assert plan.done
        assert await rows(town, AuditEntry) == []

    async def test_a_district_role_is_given_by_list(self, town: Town) -> None:
        viewer = await the(town, Role, col(Role.name) == "District Viewer")
        plan = await look(town, "diana", "vera@district.example", Chosen(viewer.id, (DISTRICT,)))
        assert outcomes(plan) == [O.GIVEN]
