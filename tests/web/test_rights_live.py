"""A change of rights acts in open tabs, both ways; and tabs that it does not concern hear nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col

from tests.cast import MIA, OMAR
from tests.services.steps import LINCOLN, ROOSEVELT, add, rows, the
from tests.web.harness import Answer, Stage, Tab
from tp_inbox.domain.access import DISTRICT, Place, PlaceKind
from tp_inbox.services.leaving import Plan
from tp_inbox.services.regrouping import GroupFields
from tp_inbox.services.roles import Wanted
from tp_inbox.storage.tables import Assignment, GroupSchool, Message, Role, SchoolGroup
from tp_inbox.web.states.account import AccountState
from tp_inbox.web.states.assigning import AssigningState
from tp_inbox.web.states.composer import ComposerState
from tp_inbox.web.states.new_message import NewMessageState
from tp_inbox.web.states.push import ACCESS_CHANGED
from tp_inbox.web.states.roles_page import RolesPage
from tp_inbox.web.states.sessions_panel import SessionsState
from tp_inbox.web.states.settings_page import SettingsPage
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.staff_pages import PersonPage, StaffListPage
from tp_inbox.web.states.thread import NO_ACCESS, ThreadState
from tp_inbox.web.states.why import WhyState

LATEST = 10**9
"""Named as seen, so that no send is refused for what was missed."""


class Admin:
    """What Diana does, through the services that her pages call."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.town, self.services = stage, stage.town, stage.town.wired.services

    async def role_id(self, name: str) -> int:
        return (await the(self.town, Role, col(Role.name) == name)).id

    async def gives(self, who: str, role: str, school: str = LINCOLN) -> None:
        place = Place(PlaceKind.SCHOOL, self.town.schools[school])
        await self.gives_at(who, role, place)

    async def gives_at(self, who: str, role: str, place: Place) -> None:
        diana = await self.town.actor("diana")
        await self.services.assignments.give(diana, [self.town.staff[who]], await self.role_id(role), [place])
        await self.stage.hears()

    async def takes(self, who: str, role: str) -> None:
        held = await rows(self.town, Assignment, col(Assignment.staff_id) == self.town.staff[who])
        role_id = await self.role_id(role)
        gone = [a.id for a in held if a.role_id == role_id]
        await self.services.assignments.take(await self.town.actor("diana"), gone)
        await self.stage.hears()

    async def exchanges(self, who: str, old: str, new: str) -> None:
        """Everyone keeps a role, so that another comes first."""
        await self.gives(who, new)
        await self.takes(who, old)

    async def redefines(self, role: str, *permissions: str) -> None:
        diana, role_id = await self.town.actor("diana"), await self.role_id(role)
        wanted = Wanted(role, permissions)
        seen = await self.services.roles.review(diana, role_id, wanted)
        await self.services.roles.change(diana, role_id, wanted, seen.seen)
        await self.stage.hears()

    async def regroups(self, group: int, *schools: str) -> None:
        diana = await self.town.actor("diana")
        found = await rows(self.town, GroupSchool, col(GroupSchool.group_id) == group)
        name = (await the(self.town, SchoolGroup, col(SchoolGroup.id) == group)).name
        seen = GroupFields(name, frozenset(g.school_id for g in found))
        wanted = GroupFields(name, frozenset(self.town.schools[s] for s in schools))
        await self.services.groups.change(diana, group, wanted, seen)
        await self.stage.hears()


@pytest.fixture
def admin(stage: Stage) -> Admin:
    return Admin(stage)


def tabs_of(tab: Tab) -> tuple[bool, bool]:
    shown = tab.var(ShellState, "tabs")
    return shown["personal"], shown["school"]


def senders(tab: Tab) -> list[str]:
    return [s["label"] for s in tab.var(ThreadState, "head")["senders"]]


def hears_nothing(*tabs: Tab) -> Callable[[], None]:
    """From now on; to be asked at the end."""
    for tab in tabs:
        tab.answer = Answer()

    def check() -> None:
        assert [tab.answer for tab in tabs] == [Answer() for _ in tabs]

    return check


async def texts(stage: Stage) -> int:
    return len(await rows(stage.town, Message))


class TestTabsAndFrom:
    async def test_the_first_personal_messages_bring_a_tab_and_a_second_sender(
        self, stage: Stage, admin: Admin
    ) -> None:
        vera = await stage.tab("vera", "/messages/school")
        assert tabs_of(vera) == (False, True)
        await admin.gives("vera", "Nurse")
        assert tabs_of(vera) == (True, True)
        assert vera.answer.says(ACCESS_CHANGED)
        assert vera.answer.says("New for you: Personal messages.")
        assert vera.answer.redirects == []

    async def test_a_tab_goes_and_one_stays_where_one_is(self, stage: Stage, admin: Admin) -> None:
        alice = await stage.tab("alice", "/messages/personal")
        await admin.exchanges("alice", "Counselor", "Nurse")
        assert tabs_of(alice) == (True, False)
        assert alice.answer.says("Gone: School messages.")
        assert alice.answer.redirects == []

    async def test_from_appears_in_an_open_thread_and_disappears_again(self, stage: Stage, admin: Admin) -> None:
        bob = await stage.tab("bob", f"/messages/personal/{await stage.town.personal('bob')}")
        assert senders(bob) == []
        await admin.gives("bob", "Counselor")
        assert len(senders(bob)) == 2
        await admin.takes("bob", "Counselor")
        assert senders(bob) == []
        assert bob.var(ThreadState, "head")["id"]

    async def test_a_role_that_is_edited_acts_in_every_tab_of_its_holders(self, stage: Stage, admin: Admin) -> None:
        alice, charlie = await stage.tab("alice", "/messages/school"), await stage.tab("charlie", "/messages/school")
        dora = await stage.tab("dora", "/messages/school")
        quiet = hears_nothing(dora)
        await admin.redefines("Counselor", "personal_messages")
        for tab in (alice, charlie):
            assert tabs_of(tab) == (True, False)
            assert tab.answer.redirects == ["/messages/personal"]
        quiet()
        await admin.redefines("Counselor", "personal_messages", "message_on_behalf")
        assert tabs_of(alice) == tabs_of(charlie) == (True, True)

    async def test_a_school_that_joins_a_group_brings_its_inbox(self, stage: Stage, admin: Admin) -> None:
        group = await add(stage.town, SchoolGroup(name="West"))
        await add(stage.town, GroupSchool(group_id=group.id, school_id=stage.town.schools[LINCOLN]))
        await admin.gives_at("bob", "School Viewer", Place(PlaceKind.GROUP, group.id))
        await stage.town.school(ROOSEVELT, OMAR)
        bob, alice = await stage.tab("bob", "/messages/school"), await stage.tab("alice", "/messages/school")
        quiet = hears_nothing(alice)
        await admin.regroups(group.id, LINCOLN, ROOSEVELT)
        assert bob.var(ShellState, "several_schools") is True
        await admin.regroups(group.id)
        assert tabs_of(bob) == (True, False)
        assert bob.answer.redirects == ["/messages/personal"]
        quiet()

    async def test_one_who_saw_nothing_is_led_to_what_came(self, stage: Stage, admin: Admin) -> None:
        diana = await stage.tab("diana", "/messages")
        assert diana.var(ShellState, "sees_messages") is False
        await stage.town.wired.services.assignments.give(
            await _deputy(stage, "vera"),
            [stage.town.staff["diana"]],
            await admin.role_id("Nurse"),
            [Place(PlaceKind.SCHOOL, stage.town.schools[LINCOLN])],
        )
        await stage.hears()
        assert diana.answer.redirects == ["/messages/personal"]


class TestAnOpenThread:
    async def test_it_closes_with_a_sentence_and_the_next_click_is_refused(self, stage: Stage, admin: Admin) -> None:
        """A person who was revoked while the socket stays open: the next event and the next click."""
        school = await stage.town.school()
        bob = await stage.tab("bob", "/messages")
        await admin.gives("bob", "Counselor")
        await bob.goes_to(f"/messages/school/{school}")
        await admin.takes("bob", "Counselor")
        assert bob.var(ThreadState, "missing") == NO_ACCESS
        assert bob.var(ThreadState, "head")["id"] == 0
        before = await texts(stage)
        await bob.call(ComposerState.send, school, str(uuid4()), "after", LATEST)
        assert "do not have access" in bob.var(ComposerState, "refused")
        for handler, *arguments in (
            (ThreadState.show_older,),
            (ThreadState.mark_read,),
            (ComposerState.type, school, str(uuid4()), "x"),
            (ComposerState.retry, 1),
            (ComposerState.cancel, 1),
        ):
            await bob.call(handler, *arguments)
        assert await texts(stage) == before

    async def test_what_happens_there_afterwards_reaches_the_tab_no_more(self, stage: Stage, admin: Admin) -> None:
        school = await stage.town.school()
        alice = await stage.tab("alice", f"/messages/school/{school}")
        await admin.exchanges("alice", "Counselor", "Nurse")
        sending = stage.town.wired.services.sending
        await sending.send(await stage.town.actor("dora"), school, "a secret", uuid4(), LATEST)
        await stage.hears()
        assert "a secret" not in alice.seen
        await alice.goes_to(f"/messages/school/{school}")
        assert "a secret" not in alice.seen

    async def test_a_push_that_was_on_its_way_is_asked_again(
        self, stage: Stage, admin: Admin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The revocation commits, and its own push is lost: the text that comes next is not shown all the same."""
        school = await stage.town.school()
        alice = await stage.tab("alice", f"/messages/school/{school}")
        monkeypatch.setattr("tp_inbox.services.assignments.announce", _announces_nothing)
        await admin.exchanges("alice", "Counselor", "Nurse")
        assert alice.var(ThreadState, "head")["id"] == school
        sending = stage.town.wired.services.sending
        await sending.send(await stage.town.actor("dora"), school, "a secret", uuid4(), LATEST)
        await stage.hears()
        assert "a secret" not in alice.seen
        await alice.call(ThreadState.show_newest)
        assert "a secret" not in alice.seen

    async def test_it_stays_open_to_read_when_only_writing_goes(self, stage: Stage, admin: Admin) -> None:
        school = await stage.town.school()
        alice = await stage.tab("alice", f"/messages/school/{school}")
        await admin.redefines("Counselor", "personal_messages", "view_school_inbox")
        assert alice.var(ThreadState, "head")["id"] == school
        assert "do not have permission to write on behalf" in alice.var(ThreadState, "head")["closed"]
        await admin.redefines("Counselor", "personal_messages", "message_on_behalf")
        assert alice.var(ThreadState, "head")["closed"] == ""

    async def test_a_personal_thread_closes_when_the_family_is_of_another_school(
        self, stage: Stage, admin: Admin
    ) -> None:
        own = await stage.town.personal("bob")
        bob = await stage.tab("bob", f"/messages/personal/{own}")
        await admin.gives("bob", "Nurse", ROOSEVELT)
        role_id, lincoln = await admin.role_id("Nurse"), stage.town.schools[LINCOLN]
        at_lincoln = await the(
            stage.town,
            Assignment,
            col(Assignment.staff_id) == stage.town.staff["bob"],
            col(Assignment.role_id) == role_id,
            col(Assignment.school_id) == lincoln,
        )
        await stage.town.wired.services.assignments.take(await stage.town.actor("diana"), [at_lincoln.id])
        await stage.hears()
        assert bob.var(ThreadState, "head")["id"] == own
        assert "no student at a school where you can write" in bob.var(ThreadState, "head")["closed"]


class TestADraft:
    async def test_it_is_there_again_when_access_comes_back(self, stage: Stage, admin: Admin) -> None:
        school = await stage.town.school()
        alice = await stage.tab("alice", f"/messages/school/{school}")
        await alice.call(ComposerState.type, school, str(uuid4()), "half written")
        await admin.exchanges("alice", "Counselor", "School Admin")
        assert alice.var(ComposerState, "written") == "half written"
        await admin.exchanges("alice", "School Admin", "Nurse")
        assert alice.var(ThreadState, "head")["id"] == 0
        await admin.gives("alice", "Counselor")
        await alice.goes_to(f"/messages/school/{school}")
        assert alice.var(ComposerState, "written") == "half written"

    async def test_the_last_letters_come_too_late_without_a_second_notice(self, stage: Stage, admin: Admin) -> None:
        school = await stage.town.school()
        alice = await stage.tab("alice", f"/messages/school/{school}")
        await alice.call(ComposerState.type, school, str(uuid4()), "half")
        await admin.exchanges("alice", "Counselor", "Nurse")
        answer = await alice.call(ComposerState.type, school, str(uuid4()), "half written")
        assert answer.events == []
        await admin.gives("alice", "Counselor")
        await alice.goes_to(f"/messages/school/{school}")
        assert alice.var(ComposerState, "written") == "half"

    async def test_what_is_typed_into_a_strangers_thread_is_kept_nowhere(self, stage: Stage) -> None:
        theirs = await stage.town.personal("alice", MIA)
        charlie = await stage.tab("charlie", "/messages/personal")
        before = await stage.counts()
        await charlie.call(ComposerState.type, theirs, str(uuid4()), "mine?")
        assert await stage.counts() == before


class TestOtherPages:
    async def test_the_signature_comes_and_goes_with_personal_messages(self, stage: Stage, admin: Admin) -> None:
        vera = await stage.tab("vera", "/settings")
        await admin.gives("vera", "Nurse")
        assert vera.var(ShellState, "tabs")["personal"]
        await vera.call(SettingsPage.type, "Ms. V")
        await admin.gives("vera", "Counselor", ROOSEVELT)
        assert vera.var(SettingsPage, "typed") == "Ms. V"
        assert vera.var(SessionsState, "own") is True
        assert vera.answer.redirects == []

    async def test_sections_of_admin_appear_and_the_open_one_closes(self, stage: Stage, admin: Admin) -> None:
        dora = await stage.tab("dora", f"/admin/staff/{stage.town.staff['vera']}")
        bob = await stage.tab("bob", "/messages/personal")
        await admin.gives("bob", "Technical School Admin")
        assert bob.var(ShellState, "admin") == ["staff"]
        assert bob.answer.says("Admin")
        await admin.exchanges("dora", "School Admin", "Nurse")
        assert dora.var(PersonPage, "refused")
        assert dora.var(PersonPage, "person") is None
        assert "Vera" not in dora.seen
        assert dora.var(ShellState, "admin") == []

    async def test_panels_of_a_page_that_one_has_left_forget_it_too(self, stage: Stage, admin: Admin) -> None:
        dora = await stage.tab("dora", f"/admin/staff/{stage.town.staff['vera']}")
        await dora.goes_to("/messages/school")
        assert dora.var(AssigningState, "held")
        await admin.exchanges("dora", "School Admin", "Nurse")
        assert dora.var(AssigningState, "held") == []
        assert dora.var(AccountState, "staff_id") == 0
        assert dora.var(WhyState, "found") == []
        assert dora.var(SessionsState, "shown") is False

    async def test_who_was_being_chosen_for_a_role_is_forgotten_with_its_page(self, stage: Stage, admin: Admin) -> None:
        await admin.services.assignments.give(
            await stage.town.actor("diana"),
            [stage.town.staff["vera"]],
            await admin.role_id("District Admin"),
            [DISTRICT],
        )
        nurse = await admin.role_id("Nurse")
        vera = await stage.tab("vera", f"/admin/roles/{nurse}")
        await vera.call(AssigningState.start_for_role, nurse)
        await vera.call(AssigningState.find_person, "Charlie")
        assert vera.var(AssigningState, "found")
        await admin.takes("vera", "District Admin")
        assert vera.var(RolesPage, "refused")
        assert (vera.var(AssigningState, "found"), vera.var(AssigningState, "giving")) == ([], False)

    async def test_the_list_of_staff_follows_the_schools_that_one_manages(self, stage: Stage, admin: Admin) -> None:
        dora = await stage.tab("dora", "/admin/staff")
        assert "Charlie" not in dora.seen
        await admin.gives("dora", "Technical School Admin", ROOSEVELT)
        assert "Charlie" in str(dora.var(StaffListPage, "rows"))
        await admin.takes("dora", "Technical School Admin")
        assert "Charlie" not in str(dora.var(StaffListPage, "rows"))

    async def test_whom_one_may_write_to_now_is_found(self, stage: Stage, admin: Admin) -> None:
        bob = await stage.tab("bob", "/messages/personal/new")
        await bob.call(NewMessageState.search, "Haddad")
        assert bob.var(NewMessageState, "found") == []
        await admin.gives("bob", "Nurse", ROOSEVELT)
        await bob.call(NewMessageState.search, "Haddad")
        assert "Omar Haddad" in bob.seen


class TestWhoLeaves:
    async def test_a_person_who_is_deactivated_is_shown_out_and_nobody_else(self, stage: Stage, admin: Admin) -> None:
        school = await stage.town.school()
        alice = [await stage.tab("alice", path) for path in (f"/messages/school/{school}", "/settings")]
        dora = await stage.tab("dora", f"/messages/school/{school}")
        quiet = hears_nothing(dora)
        await admin.services.leaving.deactivate(await stage.town.actor("diana"), stage.town.staff["alice"], Plan())
        await stage.hears()
        assert all(tab.answer.shows_out for tab in alice)
        quiet()
        answer = await alice[0].call(ComposerState.send, school, str(uuid4()), "after", LATEST)
        assert answer.shows_out
        assert await texts(stage) == 0


class TestTheOthers:
    async def test_tabs_of_the_unaffected_hear_nothing_of_any_of_it(self, stage: Stage, admin: Admin) -> None:
        school = await stage.town.school()
        others = [
            await stage.tab("dora", f"/messages/school/{school}"),
            await stage.tab("vera", "/messages/school"),
            await stage.tab("charlie", "/messages/personal"),
            await stage.tab("diana", "/admin/staff"),
        ]
        quiet = hears_nothing(*others)
        await admin.gives("bob", "Counselor")
        await admin.takes("bob", "Counselor")
        await admin.redefines("Nurse", "personal_messages")
        await admin.redefines("Nurse", "personal_messages", "see_directory")
        quiet()

    async def test_a_change_that_gives_nothing_new_is_not_spoken_of(self, stage: Stage, admin: Admin) -> None:
        """Alice's other role allows all of that already."""
        alice = await stage.tab("alice", "/messages/school")
        quiet = hears_nothing(alice)
        await admin.gives("alice", "Nurse")
        quiet()

    async def test_a_hundred_people_are_asked_about_in_one_query(self, stage: Stage, admin: Admin) -> None:
        """More people than are told one by one: all tabs are compared at once."""
        everybody = [who for who in stage.town.staff if who != "diana"]
        tabs = {who: await stage.tab(who, "/messages/personal") for who in ("vera", "alice", "bob")}
        monkey = pytest.MonkeyPatch()
        monkey.setattr("tp_inbox.services.assignments.MOST_TOLD_APART", 1)
        quiet = hears_nothing(tabs["alice"], tabs["bob"])
        with monkey.context():
            await stage.town.wired.services.assignments.give(
                await stage.town.actor("diana"),
                [stage.town.staff[who] for who in everybody],
                await admin.role_id("Nurse"),
                [Place(PlaceKind.SCHOOL, stage.town.schools[LINCOLN])],
            )
        monkey.undo()
        await stage.hears()
        assert tabs_of(tabs["vera"]) == (True, True)
        quiet()


async def _announces_nothing(*_: Any) -> None:
    """As if the notification were lost."""


async def _deputy(stage: Stage, who: str) -> Any:
    """Somebody else who may do all that a District Admin may."""
    admin = await the(stage.town, Role, col(Role.name) == "District Admin")
    role = await add(stage.town, Role(name="Deputy", level=admin.level, permissions=admin.permissions))
    await add(stage.town, Assignment(staff_id=stage.town.staff[who], role_id=role.id))
    return await stage.town.actor(who)
