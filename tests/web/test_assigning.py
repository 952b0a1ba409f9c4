"""Giving and taking roles at the screen: on a person's page, on a role's, and by a list."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import LINCOLN, ROOSEVELT, change, rows, the
from tests.web.harness import Stage, Tab
from tp_inbox.domain.access import OWN_ROLES
from tp_inbox.domain.permissions import Permission
from tp_inbox.storage.tables import Assignment, Role, Staff
from tp_inbox.web.states.assigning import AssigningState as Panel
from tp_inbox.web.states.bulk_page import BulkPage
from tp_inbox.web.states.shell import ShellState

BULK = "/admin/staff/bulk"


async def role_id(town: Town, name: str) -> int:
    return (await the(town, Role, col(Role.name) == name)).id


async def at_person(stage: Stage, who: str, person: str) -> Tab:
    return await stage.tab(who, f"/admin/staff/{stage.town.staff[person]}")


def says(tab: Tab, words: str) -> bool:
    """In a script a curly quotation mark is written as a number."""
    return tab.answer.says(json.dumps(words).strip('"'))


async def held(town: Town, who: str) -> list[str]:
    roles = {r.id: r.name for r in await rows(town, Role)}
    return [roles[a.role_id] for a in await rows(town, Assignment, col(Assignment.staff_id) == town.staff[who])]


async def gives(stage: Stage, tab: Tab, role: str, *schools: str) -> None:
    """Opens the dialog, chooses, and confirms."""
    await tab.call(Panel.start)
    await tab.call(Panel.choose_role, await role_id(stage.town, role))
    for school in schools:
        key = f"school:{stage.town.schools[school]}"
        if key not in tab.var(Panel, "chosen"):
            await tab.call(Panel.choose_place, key, 1)
    await tab.call(Panel.give)


def shown(tab: Tab) -> list[tuple[str, str]]:
    return [(h["role"], h["place"]) for h in tab.var(Panel, "held")]


class TestOnAPersonsPage:
    async def test_it_says_what_the_person_holds_and_where(self, stage: Stage) -> None:
        tab = await at_person(stage, "diana", "nora")
        assert shown(tab) == [("Non-Rostered Staff", LINCOLN), ("Non-Rostered Staff", ROOSEVELT)]

    async def test_a_role_is_given_at_several_schools_and_the_panel_follows(self, stage: Stage) -> None:
        tab = await at_person(stage, "diana", "vera")
        await gives(stage, tab, "Nurse", LINCOLN, ROOSEVELT)
        assert ("Nurse", ROOSEVELT) in shown(tab)
        assert tab.var(Panel, "giving") is False
        assert says(tab, "“Nurse” given to Vera Vance: 2 places.")

    async def test_a_role_is_taken_after_one_was_asked(self, stage: Stage) -> None:
        tab = await at_person(stage, "diana", "nora")
        first = tab.var(Panel, "held")[0]["id"]
        await tab.call(Panel.ask_to_take, first)
        assert len(shown(tab)) == 2
        await tab.call(Panel.take)
        assert shown(tab) == [("Non-Rostered Staff", ROOSEVELT)]
        assert says(tab, "taken from Nora Nash")

    async def test_the_only_role_stays_and_the_dialog_says_why(self, stage: Stage) -> None:
        tab = await at_person(stage, "diana", "bob")
        await tab.call(Panel.ask_to_take, tab.var(Panel, "held")[0]["id"])
        await tab.call(Panel.take)
        assert "Bob Brown would have none" in tab.var(Panel, "problem")
        await tab.call(Panel.keep)
        assert tab.var(Panel, "taking") is None
        assert await held(stage.town, "bob") == ["Nurse"]

    async def test_one_sees_ones_own_roles_and_changes_none(self, stage: Stage) -> None:
        tab = await at_person(stage, "diana", "diana")
        assert tab.var(Panel, "refusal") == OWN_ROLES
        await tab.call(Panel.ask_to_take, tab.var(Panel, "held")[0]["id"])
        assert tab.var(Panel, "taking") is None
        await gives(stage, tab, "District Viewer")
        assert tab.var(Panel, "problem") == OWN_ROLES
        assert await held(stage.town, "diana") == ["District Admin"]

    async def test_a_school_admin_is_offered_what_may_be_given(self, stage: Stage) -> None:
        tab = await at_person(stage, "dora", "vera")
        await tab.call(Panel.start)
        assert "District Admin" not in {r["name"] for r in tab.var(Panel, "roles")}
        await tab.call(Panel.choose_role, await role_id(stage.town, "Nurse"))
        assert [p["name"] for p in tab.var(Panel, "places")] == [LINCOLN]
        await tab.call(Panel.choose_place, f"school:{stage.town.schools[ROOSEVELT]}", 1)
        assert tab.var(Panel, "chosen") == [f"school:{stage.town.schools[LINCOLN]}"]

    async def test_something_has_to_be_chosen(self, stage: Stage) -> None:
        tab = await at_person(stage, "diana", "vera")
        await tab.call(Panel.start)
        await tab.call(Panel.give)
        assert "choose a role" in tab.var(Panel, "problem")
        await tab.call(Panel.choose_role, await role_id(stage.town, "Nurse"))
        await tab.call(Panel.give)
        assert "where" in tab.var(Panel, "problem")

    async def test_the_places_of_a_long_list_are_searched(self, stage: Stage) -> None:
        tab = await at_person(stage, "diana", "vera")
        await tab.call(Panel.start)
        await tab.call(Panel.choose_role, await role_id(stage.town, "Nurse"))
        await tab.call(Panel.find_place, "roose")
        assert [p["name"] for p in tab.var(Panel, "shown_places")] == [ROOSEVELT]

    async def test_whoever_manages_nobody_is_refused_at_every_button(self, stage: Stage) -> None:
        tab = await at_person(stage, "alice", "bob")
        for handler, *arguments in ((Panel.start,), (Panel.start_for_role, 1), (Panel.find_person, "a"), (Panel.give,)):
            await tab.call(handler, *arguments)
        assert not tab.var(Panel, "giving")
        assert "Vera" not in tab.seen


class TestOnARolesPage:
    async def test_people_are_found_chosen_and_given_the_role(self, stage: Stage) -> None:
        tab = await stage.tab("diana", "/admin/staff")
        await tab.call(Panel.start_for_role, await role_id(stage.town, "Nurse"))
        for name in ("Vera", "alice@"):
            await tab.call(Panel.find_person, name)
            await tab.call(Panel.add_person, tab.var(Panel, "found")[0]["id"])
        await tab.call(Panel.choose_place, f"school:{stage.town.schools[LINCOLN]}", 1)
        await tab.call(Panel.give)
        assert says(tab, "“Nurse” given to 2 people")
        assert "Nurse" in await held(stage.town, "vera")
        assert "Nurse" in await held(stage.town, "alice")

    async def test_one_refusal_and_the_dialog_says_whose(self, stage: Stage) -> None:
        tab = await stage.tab("diana", "/admin/staff")
        await tab.call(Panel.start_for_role, await role_id(stage.town, "Nurse"))
        for name in ("Vera", "Alice"):
            await tab.call(Panel.find_person, name)
            await tab.call(Panel.add_person, tab.var(Panel, "found")[0]["id"])
        for who in ("vera", "alice"):
            await change(stage.town, Staff, col(Staff.id) == stage.town.staff[who], active=False)
        await tab.call(Panel.choose_place, f"school:{stage.town.schools[LINCOLN]}", 1)
        await tab.call(Panel.give)
        assert "Nothing was changed" in tab.var(Panel, "problem")
        assert len(tab.var(Panel, "reasons")) == 2
        assert tab.var(Panel, "giving")

    async def test_oneself_and_people_who_left_are_not_found(self, stage: Stage) -> None:
        await change(stage.town, Staff, col(Staff.id) == stage.town.staff["vera"], active=False)
        tab = await stage.tab("diana", "/admin/staff")
        await tab.call(Panel.start_for_role, await role_id(stage.town, "Nurse"))
        for name in ("Vera", "Diana"):
            await tab.call(Panel.find_person, name)
            assert tab.var(Panel, "found") == []

    async def test_a_role_that_one_may_not_give_opens_nothing(self, stage: Stage) -> None:
        tab = await stage.tab("dora", "/admin/staff")
        await tab.call(Panel.start_for_role, await role_id(stage.town, "District Admin"))
        assert not tab.var(Panel, "giving")


@pytest.fixture
async def bulk(stage: Stage) -> Tab:
    """Diana has chosen Nurse at Lincoln."""
    tab = await stage.tab("diana", BULK)
    await tab.call(BulkPage.choose_role, await role_id(stage.town, "Nurse"))
    await tab.call(BulkPage.choose_place, f"school:{stage.town.schools[LINCOLN]}", 1)
    return tab


def results(tab: Tab) -> list[tuple[str, str]]:
    return [(line["email"].partition("@")[0], line["label"]) for line in tab.var(BulkPage, "lines")]


class TestByAList:
    async def test_a_list_is_shown_line_by_line_and_then_done(self, stage: Stage, bulk: Tab) -> None:
        await bulk.call(BulkPage.write, "vera@district.example, bob@district.example\nxyz@district.example\njunk")
        await bulk.call(BulkPage.check)
        assert results(bulk) == [
            ("vera", "Will be given"),
            ("bob", "Has it already"),
            ("xyz", "Unknown address"),
            ("junk", "Not an address"),
        ]
        assert "Nurse" not in await held(stage.town, "vera")
        await bulk.call(BulkPage.apply)
        assert results(bulk)[0] == ("vera", "Given")
        assert "Nurse" in await held(stage.town, "vera")
        assert bulk.var(BulkPage, "done")

    async def test_the_counts_narrow_the_lines(self, stage: Stage, bulk: Tab) -> None:
        await bulk.call(BulkPage.write, "vera@district.example\nbob@district.example")
        await bulk.call(BulkPage.check)
        assert [(c["label"], c["lines"]) for c in bulk.var(BulkPage, "counts")] == [
            ("Will be given", 1),
            ("Has it already", 1),
        ]
        await bulk.call(BulkPage.show_only, "has_it")
        assert [name for name, _ in results(bulk)] == ["bob"]
        await bulk.call(BulkPage.show_only, "has_it")
        assert len(results(bulk)) == 2

    async def test_what_has_changed_since_is_marked_and_nothing_done(self, stage: Stage, bulk: Tab) -> None:
        await bulk.call(BulkPage.write, "alice@district.example\nvera@district.example")
        await bulk.call(BulkPage.check)
        await change(stage.town, Staff, col(Staff.id) == stage.town.staff["vera"], active=False)
        await bulk.call(BulkPage.apply)
        assert bulk.var(BulkPage, "changed")
        assert [(line["person"], line["changed"]) for line in bulk.var(BulkPage, "lines")] == [
            ("Vera Vance", True),
            ("Alice Adams", False),
        ]
        assert "Nurse" not in await held(stage.town, "alice")

    async def test_another_choice_needs_another_look(self, stage: Stage, bulk: Tab) -> None:
        await bulk.call(BulkPage.write, "vera@district.example")
        await bulk.call(BulkPage.check)
        await bulk.call(BulkPage.choose_place, f"school:{stage.town.schools[ROOSEVELT]}", 1)
        assert not bulk.var(BulkPage, "checked")
        await bulk.call(BulkPage.apply)
        assert "Nurse" not in await held(stage.town, "vera")

    async def test_a_file_is_looked_at_at_once(self, stage: Stage, bulk: Tab) -> None:
        await bulk.call(
            BulkPage.read_file, "\ufeffemail;role;school\r\nvera@district.example;Counselor;Roosevelt High School"
        )
        assert [(x["role"], x["place"]) for x in bulk.var(BulkPage, "lines")] == [("Counselor", ROOSEVELT)]

    async def test_roles_are_taken_by_a_list(self, stage: Stage, bulk: Tab) -> None:
        await bulk.call(BulkPage.write, "bob@district.example")
        await bulk.call(BulkPage.choose_mode, "take")
        await bulk.call(BulkPage.check)
        assert results(bulk) == [("bob", "Not allowed")]

    async def test_the_problems_come_as_a_file(self, stage: Stage, bulk: Tab) -> None:
        await bulk.call(BulkPage.write, "=1+1@district.example")
        await bulk.call(BulkPage.check)
        await bulk.call(BulkPage.download_problems)
        encoded = bulk.answer.events[0]["payload"]["url"].partition("base64,")[2]
        assert "1,'=1+1@district.example," in b64decode(encoded).decode()

    async def test_an_empty_list_is_said_to_be_one(self, stage: Stage, bulk: Tab) -> None:
        await bulk.call(BulkPage.check)
        assert "paste a list" in bulk.var(BulkPage, "problem")

    async def test_a_long_list_is_shown_in_pages(self, stage: Stage, bulk: Tab) -> None:
        await bulk.call(BulkPage.write, "\n".join(f"p{n}@x.org" for n in range(250)))
        await bulk.call(BulkPage.check)
        await bulk.call(BulkPage.turn, 2)
        assert (bulk.var(BulkPage, "page"), len(results(bulk))) == (2, 50)
        await bulk.call(BulkPage.turn, 10**9)
        assert bulk.var(BulkPage, "page") == 2

    async def test_who_manages_no_staff_sees_no_page(self, stage: Stage) -> None:
        alice = await stage.tab("alice", BULK)
        assert alice.var(BulkPage, "refused")
        await alice.call(BulkPage.write, "bob@district.example")
        await alice.call(BulkPage.check)
        assert "Bob" not in alice.seen

    async def test_a_list_that_was_typed_stays_when_rights_change(self, stage: Stage) -> None:
        dora = await stage.tab("dora", BULK)
        await dora.call(BulkPage.choose_role, await role_id(stage.town, "Nurse"))
        await dora.call(BulkPage.write, "vera@district.example")
        await dora.call(BulkPage.check)
        diana = await at_person(stage, "diana", "dora")
        await gives(stage, diana, "Counselor", ROOSEVELT)
        await stage.hears()
        assert results(dora) == [("vera", "Will be given")]
        assert dora.var(ShellState, "writes")

    async def test_the_page_closes_when_the_right_goes(self, stage: Stage) -> None:
        dora = await stage.tab("dora", BULK)
        await dora.call(BulkPage.choose_role, await role_id(stage.town, "Nurse"))
        await dora.call(BulkPage.write, "vera@district.example")
        await dora.call(BulkPage.check)
        viewer = await role_id(stage.town, "School Viewer")
        diana = await at_person(stage, "diana", "dora")
        await gives(stage, diana, "School Viewer", LINCOLN)
        admin = next(h for h in diana.var(Panel, "held") if h["role_id"] != viewer)
        await diana.call(Panel.ask_to_take, admin["id"])
        await diana.call(Panel.take)
        await stage.hears()
        assert dora.var(BulkPage, "refused")
        assert "Vera" not in dora.seen
        assert not (await stage.town.actor("dora")).anywhere(Permission.MANAGE_STAFF)
