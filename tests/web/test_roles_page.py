"""The pages about roles as a district admin sees them, and as nobody else does."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import col

from tests.services.steps import LINCOLN, rows, the
from tests.web.harness import Stage, Tab, app
from tp_inbox.domain import access, roles as rules
from tp_inbox.domain.permissions import BASE_ROLES, Permission
from tp_inbox.services.roles import BASE_STAYS, GONE, MEANWHILE, Wanted
from tp_inbox.services.staff import assign
from tp_inbox.storage.tables import Assignment, Role
from tp_inbox.web.states.assigning import AssigningState
from tp_inbox.web.states.push import ACCESS_CHANGED
from tp_inbox.web.states.role_editor import SAVED
from tp_inbox.web.states.roles_page import RolesPage
from tp_inbox.web.states.shell import SECTIONS, Rail, ShellState, rail_of

HANDLERS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "choose_school": (RolesPage.choose_school, (1,)),
    "choose_level": (RolesPage.choose_level, ("school",)),
    "choose_source": (RolesPage.choose_source, (1,)),
    "tick": (RolesPage.tick, ("export",)),
    "review": (RolesPage.review, ({"name": "Mine", "permissions": "export"},)),
    "save": (RolesPage.save, ()),
    "close_review": (RolesPage.close_review, ()),
    "switch_second_step": (RolesPage.switch_second_step, ()),
    "close_second_step": (RolesPage.close_second_step, ()),
    "require_second_step": (RolesPage.require_second_step, ()),
    "ask_deletion": (RolesPage.ask_deletion, ()),
    "choose_successor": (RolesPage.choose_successor, (1,)),
    "delete": (RolesPage.delete, ()),
    "close_deletion": (RolesPage.close_deletion, ()),
    "find_holder": (RolesPage.find_holder, ("a",)),
    "show_more_holders": (RolesPage.show_more_holders, ()),
    "holders_changed": (RolesPage.holders_changed, ()),
    "ask_to_take": (RolesPage.ask_to_take, (1,)),
    "keep": (RolesPage.keep, ()),
    "take": (RolesPage.take, ()),
    "open": (RolesPage.open, ()),
}


def var(tab: Tab, name: str) -> Any:
    return tab.var(RolesPage, name)


async def role(stage: Stage, name: str) -> Role:
    return await the(stage.town, Role, col(Role.name) == name)


async def at_role(stage: Stage, name: str, who: str = "diana") -> Tab:
    return await stage.tab(who, f"/admin/roles/{(await role(stage, name)).id}")


async def reviews(tab: Tab, name: str, *permissions: str) -> None:
    await tab.call(RolesPage.review, {"name": name, "permissions": ",".join(permissions)})


class TestLooking:
    async def test_the_list_shows_base_and_custom_roles_apart(self, stage: Stage) -> None:
        diana = await stage.tab("diana", "/admin/roles")
        assert [r["name"] for r in var(diana, "custom")] == ["Counselor", "Nurse"]
        assert len(var(diana, "base")) == len(BASE_ROLES)
        assert (var(diana, "view"), var(diana, "refused")) == ("list", "")

    async def test_the_comparison_has_a_mark_for_each_role_and_permission_of_a_level(self, stage: Stage) -> None:
        diana = await stage.tab("diana", "/admin/roles/compare")
        school, district = var(diana, "compared")
        assert [r["name"] for r in district["roles"]] == ["District Admin", "District Viewer"]
        marks = {p["label"]: p["allowed"] for g in district["groups"] for p in g["permissions"]}
        assert marks["Manage roles"] == [True, False]
        assert "Send and receive personal messages" not in marks
        assert len(school["roles"]) == 6

    async def test_one_role_shows_what_it_allows_and_who_holds_it(self, stage: Stage) -> None:
        diana = await at_role(stage, "Nurse")
        assert sorted(var(diana, "chosen")) == ["personal_messages", "see_directory"]
        assert [(h["name"], h["where"]) for h in var(diana, "holders")] == [("Bob Brown", LINCOLN)]
        await diana.call(RolesPage.find_holder, "nobody")
        assert var(diana, "holders") == []

    async def test_a_base_role_is_locked(self, stage: Stage) -> None:
        diana = await at_role(stage, "School Admin")
        assert var(diana, "role")["locked"] == BASE_STAYS
        await reviews(diana, "Mine", "export")
        assert var(diana, "problem") == BASE_STAYS
        assert not var(diana, "reviewing")

    @pytest.mark.parametrize("path", ["999999", "x", "1/2", "new/x", "new/999999", "-1", "9" * 40])
    async def test_an_address_that_is_no_role_is_not_available(self, stage: Stage, path: str) -> None:
        diana = await stage.tab("diana", f"/admin/roles/{path}")
        assert var(diana, "refused")
        assert not var(diana, "role") or not var(diana, "role")["id"]


class TestMaking:
    async def test_a_role_is_made_from_nothing(self, stage: Stage) -> None:
        diana = await stage.tab("diana", "/admin/roles/new")
        await diana.call(RolesPage.tick, "message_on_behalf")
        answer = await diana.call(RolesPage.review, {"name": "Front desk", "permissions": "message_on_behalf"})
        made = await role(stage, "Front desk")
        assert answer.redirects == [f"/admin/roles/{made.id}"]
        assert made.permissions == ["view_school_inbox", "message_on_behalf"]

    async def test_a_copy_at_the_other_level_says_what_falls_away_and_has_it_again_back_there(
        self, stage: Stage
    ) -> None:
        counselor = await role(stage, "Counselor")
        diana = await stage.tab("diana", f"/admin/roles/new/{counselor.id}")
        assert (var(diana, "name"), var(diana, "level")) == ("Copy of Counselor", "school")
        await diana.call(RolesPage.choose_level, "district")
        assert var(diana, "fallen") == [
            "Send and receive personal messages",
            "View the school inbox",
            "Message on behalf of the school",
        ]
        assert var(diana, "chosen") == ["see_directory"]
        offered = {p["word"] for g in var(diana, "groups") for p in g["permissions"]}
        assert "personal_messages" not in offered
        await diana.call(RolesPage.choose_level, "school")
        assert "personal_messages" in var(diana, "chosen")
        assert var(diana, "fallen") == []

    async def test_any_role_is_copied_a_base_role_too(self, stage: Stage) -> None:
        diana = await stage.tab("diana", "/admin/roles/new")
        await diana.call(RolesPage.choose_source, (await role(stage, "School Viewer")).id)
        assert sorted(var(diana, "chosen")) == ["see_directory", "view_all_messages", "view_school_inbox"]
        await diana.call(RolesPage.choose_source, 0)
        assert var(diana, "chosen") == []

    @pytest.mark.parametrize(
        ("name", "permissions", "beside_the_name", "beside_the_button"),
        [
            ("", "export", rules.NO_NAME, ""),
            ("NURSE", "export", rules.TAKEN, ""),
            ("A", "", "", rules.NOTHING_ALLOWED),
        ],
    )
    async def test_what_cannot_be_made_is_said_beside_what_it_is_about(
        self, stage: Stage, name: str, permissions: str, beside_the_name: str, beside_the_button: str
    ) -> None:
        diana = await stage.tab("diana", "/admin/roles/new")
        await diana.call(RolesPage.review, {"name": name, "permissions": permissions})
        assert (var(diana, "name_problem"), var(diana, "problem")) == (beside_the_name, beside_the_button)
        assert len(await rows(stage.town, Role)) == len(BASE_ROLES) + 2


class TestChanging:
    async def test_it_shows_what_changes_and_saves_only_then(self, stage: Stage) -> None:
        diana = await at_role(stage, "Nurse")
        await reviews(diana, "Nurse", "see_directory")
        assert var(diana, "reviewing")
        assert [p["name"] for p in var(diana, "effect")["people"]] == ["Bob Brown"]
        assert (await role(stage, "Nurse")).permissions == ["personal_messages", "see_directory"]
        assert (await diana.call(RolesPage.save)).says(SAVED)
        assert (await role(stage, "Nurse")).permissions == ["see_directory"]
        assert not var(diana, "reviewing")

    async def test_the_holders_browser_follows_at_once_and_nobody_elses(self, stage: Stage) -> None:
        bob, alice = await stage.tab("bob"), await stage.tab("alice")
        assert bob.var(ShellState, "sees_messages")
        diana = await at_role(stage, "Nurse")
        await reviews(diana, "Nurse", "see_directory")
        await diana.call(RolesPage.save)
        alice.answer.deltas.clear()
        await stage.hears()
        assert not bob.var(ShellState, "sees_messages")
        assert bob.answer.says(ACCESS_CHANGED)
        assert alice.answer.deltas == []

    async def test_when_somebody_got_it_meanwhile_the_new_preview_is_shown(self, stage: Stage) -> None:
        diana = await at_role(stage, "Nurse")
        await reviews(diana, "Nurse", "see_directory")
        async with stage.town.wired.db.transaction() as session:
            await assign(session, stage.town.staff["vera"], "Nurse", LINCOLN)
        await diana.call(RolesPage.save)
        assert var(diana, "outdated") == MEANWHILE
        assert [p["name"] for p in var(diana, "effect")["people"]] == ["Bob Brown", "Vera Vance"]
        assert len((await role(stage, "Nurse")).permissions) == 2
        await diana.call(RolesPage.save)
        assert (await role(stage, "Nurse")).permissions == ["see_directory"]

    async def test_a_role_that_went_meanwhile_is_said_to_be_gone(self, stage: Stage) -> None:
        roles, admin = stage.town.wired.services.roles, await stage.town.actor("diana")
        new = await roles.create(admin, Wanted("Helper", ["export"], "school"))
        diana = await at_role(stage, "Helper")
        await reviews(diana, "Helper", "see_directory")
        await roles.delete(admin, new, 0, (await roles.review_deletion(admin, new)).effect.seen)
        await diana.call(RolesPage.save)
        assert (var(diana, "problem"), var(diana, "reviewing")) == (GONE, False)

    async def test_what_is_ticked_stays_when_the_page_loads_again(self, stage: Stage) -> None:
        diana = await at_role(stage, "Nurse")
        version = var(diana, "version")
        await diana.call(RolesPage.tick, "export")
        async with stage.town.wired.db.transaction() as session:
            await assign(session, stage.town.staff["diana"], "District Viewer", None)
        await stage.live.reload_all(app)
        await stage.settle()
        assert var(diana, "version") == version, "the tree has not begun anew"

    async def test_the_second_step_is_a_switch_of_every_role(self, stage: Stage) -> None:
        diana = await at_role(stage, "School Viewer")
        await diana.call(RolesPage.switch_second_step)
        assert var(diana, "second_step").startswith("1 person holds this role")
        assert not (await role(stage, "School Viewer")).two_step_required, "it has only been asked"
        await diana.call(RolesPage.require_second_step)
        assert var(diana, "second_step") == ""
        assert var(diana, "role")["two_step"] is True
        await diana.call(RolesPage.switch_second_step)
        assert var(diana, "role")["two_step"] is False


class TestDeleting:
    async def test_the_holders_move_and_the_list_is_shown(self, stage: Stage) -> None:
        diana = await at_role(stage, "Nurse")
        await diana.call(RolesPage.ask_deletion)
        assert var(diana, "deletion")["left"] == "1 person"
        await diana.call(RolesPage.delete)
        assert "would be left without any role" in var(diana, "delete_problem")
        await diana.call(RolesPage.choose_successor, (await role(stage, "Counselor")).id)
        assert [p["name"] for p in var(diana, "deletion")["effect"]["people"]] == ["Bob Brown"]
        assert (await diana.call(RolesPage.delete)).redirects == ["/admin/roles"]
        assert not await rows(stage.town, Role, col(Role.name) == "Nurse")
        assert (await stage.town.actor("bob")).schools_with(Permission.MESSAGE_ON_BEHALF)

    async def test_a_base_role_is_not_offered_for_it(self, stage: Stage) -> None:
        diana = await at_role(stage, "School Viewer")
        assert (await diana.call(RolesPage.ask_deletion)).says(BASE_STAYS)
        assert not var(diana, "deleting")


class TestGivingAndTaking:
    async def test_it_is_given_from_its_page(self, stage: Stage) -> None:
        diana = await at_role(stage, "Nurse")
        await diana.call(AssigningState.start_for_role, (await role(stage, "Nurse")).id)
        await diana.call(AssigningState.find_person, "vera")
        await diana.call(AssigningState.add_person, stage.town.staff["vera"])
        await diana.call(AssigningState.choose_place, f"school:{stage.town.schools[LINCOLN]}", 1)
        await diana.call(AssigningState.give)
        await diana.call(RolesPage.holders_changed)
        assert [h["name"] for h in var(diana, "holders")] == ["Bob Brown", "Vera Vance"]

    async def test_it_is_taken_from_its_page_but_not_the_last_one(self, stage: Stage) -> None:
        async with stage.town.wired.db.transaction() as session:
            await assign(session, stage.town.staff["vera"], "Nurse", LINCOLN)
        diana = await at_role(stage, "Nurse")
        bob, vera = var(diana, "holders")
        await diana.call(RolesPage.ask_to_take, vera["id"])
        await diana.call(RolesPage.take)
        assert [h["name"] for h in var(diana, "holders")] == ["Bob Brown"]
        await diana.call(RolesPage.ask_to_take, bob["id"])
        await diana.call(RolesPage.take)
        assert "Everyone keeps at least one role" in var(diana, "take_problem")
        assert access.has_personal_inbox(await stage.town.actor("bob"))

    async def test_an_assignment_that_is_not_on_the_page_is_not_taken(self, stage: Stage) -> None:
        diana = await at_role(stage, "Nurse")
        (held,) = await rows(stage.town, Assignment, col(Assignment.staff_id) == stage.town.staff["dora"])
        await diana.call(RolesPage.ask_to_take, held.id)
        await diana.call(RolesPage.take)
        assert await rows(stage.town, Assignment, col(Assignment.id) == held.id)


class TestAsItsHolder:
    @pytest.mark.parametrize(("name", "who"), [("Counselor", "alice"), ("School Viewer", "vera"), ("Nurse", "bob")])
    async def test_it_shows_what_the_shell_of_a_real_holder_shows(self, stage: Stage, name: str, who: str) -> None:
        holder, diana = await stage.tab(who), await at_role(stage, name)
        rail, tabs = var(diana, "rail"), holder.var(ShellState, "tabs")
        assert (rail["personal"], rail["school"]) == (tabs["personal"], tabs["school"])
        for ours, theirs in (("oversight", "sees_oversight"), ("admin", "admin"), ("writes", "writes")):
            assert rail[ours] == (holder.var(ShellState, theirs) or type(rail[ours])()), ours

    async def test_it_follows_what_is_ticked_before_it_is_saved(self, stage: Stage) -> None:
        diana = await at_role(stage, "Nurse")
        assert var(diana, "senders") == ["Personal number"]
        await diana.call(RolesPage.tick, "personal_messages,message_on_behalf,manage_staff")
        assert var(diana, "senders") == ["Personal number", LINCOLN]
        assert var(diana, "rail")["admin"] == ["staff"]
        await diana.call(RolesPage.tick, "")
        assert (var(diana, "senders"), var(diana, "sees_messages")) == ([], False)

    async def test_another_school_is_chosen(self, stage: Stage) -> None:
        diana = await at_role(stage, "Counselor")
        await diana.call(RolesPage.choose_school, stage.town.schools["Roosevelt High School"])
        assert var(diana, "senders")[1] == "Roosevelt High School"

    async def test_a_school_that_is_not_there_is_refused(self, stage: Stage) -> None:
        diana = await at_role(stage, "Counselor")
        assert (await diana.call(RolesPage.choose_school, 999_999)).says("does not exist")

    async def test_nobody_acts_as_anybody(self, stage: Stage) -> None:
        diana = await at_role(stage, "Counselor")
        assert "Rosa" not in diana.seen
        assert not diana.var(ShellState, "sees_messages")

    def test_the_rail_of_nobody_is_empty(self) -> None:
        assert rail_of(access.Actor(1, "", True)) == Rail()
        assert set(SECTIONS) == {"staff", "roles", "schools", "numbers", "audit"}


@pytest.mark.parametrize("who", ["alice", "dora"])
async def test_no_page_about_roles_is_for_others(stage: Stage, who: str) -> None:
    for path in ("", "/new", "/compare", f"/{(await role(stage, 'Nurse')).id}"):
        tab = await stage.tab(who, f"/admin/roles{path}")
        assert var(tab, "refused") == access.ROLES_ONLY
        assert "Bob Brown" not in tab.seen
        assert "Counselor" not in tab.seen


@pytest.mark.parametrize("name", HANDLERS)
@pytest.mark.parametrize("who", ["alice", "dora"])
async def test_no_handler_does_or_shows_anything_to_others(stage: Stage, who: str, name: str) -> None:
    tab = await at_role(stage, "Nurse", who)
    before = [repr(r) for r in [*await rows(stage.town, Role), *await rows(stage.town, Assignment)]]
    handler, arguments = HANDLERS[name]
    answer = await tab.call(handler, *arguments)
    assert [repr(r) for r in [*await rows(stage.town, Role), *await rows(stage.town, Assignment)]] == before
    assert "Bob Brown" not in answer.text + tab.seen
    assert not answer.redirects


def test_every_handler_of_the_page_is_held_to_this() -> None:
    own = {name for name in RolesPage.event_handlers if name != "setvar" and not name.startswith("set_")}
    assert own == set(HANDLERS)


async def test_whoever_loses_the_permission_keeps_nothing_on_the_screen(stage: Stage) -> None:
    async with stage.town.wired.db.transaction() as session:
        await assign(session, stage.town.staff["vera"], "District Admin", None)
    vera = await at_role(stage, "Nurse", "vera")
    await reviews(vera, "Nurse", "see_directory")
    assert "Bob Brown" in vera.seen
    town = stage.town
    held = await the(
        town, Assignment, col(Assignment.staff_id) == town.staff["vera"], col(Assignment.school_id).is_(None)
    )
    await town.wired.services.assignments.take(await town.actor("diana"), [held.id])
    await stage.hears()
    assert var(vera, "refused") == access.ROLES_ONLY
    assert "Bob Brown" not in vera.seen
    await vera.call(RolesPage.save)
    assert len((await role(stage, "Nurse")).permissions) == 2
