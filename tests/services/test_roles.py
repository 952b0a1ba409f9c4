"""Roles: made, copied, changed, deleted; what a change means for whom; and every way in which it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy import event, update
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, listening, rows, the
from tp_inbox.domain import access, roles as rules
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, Refusal
from tp_inbox.domain.permissions import MEANINGS, PERMISSIONS_OF, Level
from tp_inbox.services import role_effects
from tp_inbox.services.roles import (
    BASE_STAYS,
    CHOOSE_ANOTHER,
    GONE,
    MEANWHILE,
    Outdated,
    Roles,
    Wanted,
)
from tp_inbox.services.staff import assign
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Assignment, AuditEntry, GroupSchool, Inbox, Role, SchoolGroup, SecondStep, Staff

NURSE = Wanted("School nurse", ["personal_messages", "see_directory"], "school")
ACCOUNTABLE = Wanted("Data officer", ["export", "view_audit_log"], "district")


@pytest.fixture
def roles(town: Town) -> Roles:
    return town.wired.services.roles


@pytest.fixture
async def diana(town: Town) -> Actor:
    return await town.actor("diana")


async def role(town: Town, name: str) -> Role:
    return await the(town, Role, col(Role.name) == name)


async def id_of(town: Town, name: str) -> int:
    return (await role(town, name)).id


async def gives(town: Town, who: str, name: str, at: str | None) -> None:
    async with town.wired.db.transaction() as session:
        await assign(session, town.staff[who], name, at)


async def entries(town: Town, *kinds: AuditKind) -> list[AuditEntry]:
    return await rows(town, AuditEntry, col(AuditEntry.kind).in_(kinds))


async def saves(roles: Roles, actor: Actor, role_id: int, wanted: Wanted) -> None:
    """Looks at what would change, and agrees."""
    effect = await roles.review(actor, role_id, wanted)
    await roles.change(actor, role_id, wanted, effect.seen)


async def everybody(town: Town) -> dict[str, Actor]:
    return {who: await town.actor(who) for who in town.staff}


async def state(town: Town) -> tuple[list[str], int, int]:
    """All that a refusal has to leave as it was."""
    kept = [*await rows(town, Role), *await rows(town, Assignment)]
    return [repr(row) for row in kept], len(await rows(town, AuditEntry)), len(await rows(town, Inbox))


class TestList:
    async def test_base_roles_come_first_and_each_says_who_holds_it_and_where(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        found = await roles.all(diana)
        assert [r.name for r in found][:2] == ["District Admin", "District Viewer"]
        assert [r.name for r in found if not r.base] == ["Counselor", "Nurse"]
        lines = {r.name: (r.holders, r.where) for r in found}
        assert lines["District Admin"] == (1, "The district")
        assert lines["Counselor"] == (2, f"{LINCOLN} and {ROOSEVELT}")
        assert lines["District Viewer"] == (0, "")

    async def test_who_has_left_is_not_counted(self, town: Town, roles: Roles, diana: Actor) -> None:
        await town.wired.services.staff.disable(town.email("bob"))
        (nurse,) = [r for r in await roles.all(diana) if r.name == "Nurse"]
        assert (nurse.holders, nurse.where) == (0, "")

    async def test_many_places_are_counted(self, town: Town, roles: Roles, diana: Actor) -> None:
        await gives(town, "dora", "Nurse", ROOSEVELT)
        group = await add(town, SchoolGroup(name="North"))
        nurse = await id_of(town, "Nurse")
        await add(town, Assignment(staff_id=town.staff["vera"], role_id=nurse, group_id=group.id))
        assert (await roles.show(diana, nurse)).where == "1 group and 2 schools"

    async def test_holders_come_by_name_a_page_at_a_time(
        self, town: Town, roles: Roles, diana: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tp_inbox.services.roles.HOLDERS_A_PAGE", 1)
        counselor = await id_of(town, "Counselor")
        first, more = await roles.holders(diana, counselor)
        second, no_more = await roles.holders(diana, counselor, after=first[-1].id)
        assert [(h.name, h.where) for h in first + second] == [("Alice Adams", LINCOLN), ("Charlie Clark", ROOSEVELT)]
        assert (more, no_more) == (True, False)

    async def test_holders_are_found_by_a_part_of_their_name(self, town: Town, roles: Roles, diana: Actor) -> None:
        found, _ = await roles.holders(diana, await id_of(town, "Counselor"), search="clark ch")
        assert [h.name for h in found] == ["Charlie Clark"]

    async def test_ones_own_holding_is_marked_because_nobody_takes_it_from_oneself(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        await gives(town, "alice", "District Admin", None)
        found, _ = await roles.holders(diana, await id_of(town, "District Admin"))
        assert {h.name: h.own for h in found} == {"Diana Drew": True, "Alice Adams": False}


class TestMaking:
    async def test_a_new_role_is_there_with_what_its_permissions_bring(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        new = await roles.create(diana, Wanted("  Front   desk ", ["message_on_behalf"], "school"))
        made = await the(town, Role, col(Role.id) == new)
        assert (made.name, made.level, made.base_key) == ("Front desk", Level.SCHOOL, None)
        assert made.permissions == ["view_school_inbox", "message_on_behalf"]
        (entry,) = await entries(town, AuditKind.ROLE_CREATED)
        assert entry.facts == {"role": new, "level": "school"}
        assert entry.after == {"permissions": ["view_school_inbox", "message_on_behalf"]}
        assert entry.names["role"] == "Front desk"

    @pytest.mark.parametrize(
        ("wanted", "why"),
        [
            (replace(NURSE, name=" "), rules.NO_NAME),
            (replace(NURSE, name="n" * 61), rules.TOO_LONG),
            (replace(NURSE, name="nurse"), rules.TAKEN),
            (replace(NURSE, name="DISTRICT ADMIN"), rules.TAKEN),
            (replace(NURSE, permissions=[]), rules.NOTHING_ALLOWED),
            (replace(NURSE, permissions=["fly"]), rules.NO_SUCH_PERMISSION),
            (replace(NURSE, level="town"), rules.NO_LEVEL),
            (replace(NURSE, permissions=["manage_roles"]), "“Manage roles” cannot be part of a school role."),
            (
                replace(ACCOUNTABLE, permissions=["export", "personal_messages"]),
                "“Send and receive personal messages” cannot be part of a district role.",
            ),
        ],
    )
    async def test_what_cannot_be_is_refused_with_the_reason_and_nothing_is_left_of_it(
        self, town: Town, roles: Roles, diana: Actor, wanted: Wanted, why: str
    ) -> None:
        before = await state(town)
        with pytest.raises(Invalid) as refused:
            await roles.create(diana, wanted)
        assert refused.value.sentence == why
        assert await state(town) == before

    async def test_of_two_who_choose_the_same_name_at_once_one_is_told(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        upper = replace(NURSE, name="SCHOOL NURSE")
        done = await asyncio.gather(roles.create(diana, NURSE), roles.create(diana, upper), return_exceptions=True)
        (refused,) = [each for each in done if isinstance(each, Exception)]
        assert isinstance(refused, Invalid) and refused.sentence == rules.TAKEN
        assert len(await rows(town, Role, col(Role.name).ilike("school nurse"))) == 1

    async def test_the_index_has_the_last_word_about_a_name(
        self, town: Town, roles: Roles, diana: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def seems_free(*_: object) -> None:
            return None

        monkeypatch.setattr("tp_inbox.services.roles._require_free", seems_free)
        with pytest.raises(Invalid, match="There is a role of this name"):
            await roles.create(diana, replace(NURSE, name="nurse"))

    async def test_nobody_puts_into_a_role_what_they_lack(self, town: Town, roles: Roles, diana: Actor) -> None:
        await roles.create(diana, Wanted("Role keeper", ["manage_roles"], "district"))
        await gives(town, "vera", "Role keeper", None)
        vera = await town.actor("vera")
        with pytest.raises(NotAllowed, match="more than you may do yourself: “View the audit log” and “Export”"):
            await roles.create(vera, ACCOUNTABLE)
        texting = replace(NURSE, permissions=["personal_messages"])
        assert await roles.create(vera, texting), "what exists only at schools is hers to define"

    async def test_only_permissions_of_the_level_are_offered_and_those_one_lacks_are_marked(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        at_school = {p.word for group in await roles.offered(diana, "school") for p in group.permissions}
        at_district = {p.word for group in await roles.offered(diana, "district") for p in group.permissions}
        assert "personal_messages" in at_school - at_district
        assert "manage_roles" in at_district - at_school
        await roles.create(diana, Wanted("Role keeper", ["manage_roles"], "district"))
        await gives(town, "vera", "Role keeper", None)
        offered = await roles.offered(await town.actor("vera"), "district")
        assert [p.word for group in offered for p in group.permissions if not p.refused] == ["manage_roles"]

    @pytest.mark.parametrize(("level", "where"), [("school", "of the school"), ("district", "of all schools")])
    async def test_a_permission_says_what_it_means_at_the_level_of_the_role(
        self, roles: Roles, diana: Actor, level: str, where: str
    ) -> None:
        offered = {p.word: p.sentence for group in await roles.offered(diana, level) for p in group.permissions}
        compared = {
            c.level: {p.label: p.sentence for g in c.groups for p in g.permissions} for c in await roles.compare(diana)
        }
        assert where in offered["see_directory"]
        assert compared[level]["See the directory"] == offered["see_directory"]

    def test_no_sentence_of_a_district_role_speaks_of_one_school(self) -> None:
        said = [MEANINGS[permission].at(Level.DISTRICT) for permission in PERMISSIONS_OF[Level.DISTRICT]]
        assert [sentence for sentence in said if "the school" in sentence] == []


class TestChanging:
    async def test_it_says_what_changes_for_whom_and_exactly_that_happens(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        counselor = await id_of(town, "Counselor")
        await gives(town, "charlie", "School Viewer", ROOSEVELT)
        before = await everybody(town)
        wanted = Wanted("Counselor", ["personal_messages", "export"])
        effect = await roles.review(diana, counselor, wanted)
        await roles.change(diana, counselor, wanted, effect.seen)
        after = await everybody(town)
        changed = {who: rules.shifts(before[who], after[who]) for who in before if before[who] != after[who]}
        assert (
            {p.id for p in effect.people}
            == {town.staff[who] for who in changed}
            == {
                town.staff["alice"],
                town.staff["charlie"],
            }
        )
        for person in effect.people:
            (who,) = [w for w in changed if town.staff[w] == person.id]
            said = {(line.gains, line.loses) for line in person.lines}
            assert said == {
                (", ".join(role_effects.labels(s.gains)), ", ".join(role_effects.labels(s.loses))) for s in changed[who]
            }
        assert effect.headline == f"This changes what 2 people may do, at {LINCOLN} and {ROOSEVELT}."
        assert effect.gains == ["Export"]
        assert "View the school inbox" in effect.people[0].lines[0].loses, "Alice had it by message on behalf alone"
        assert "View the school inbox" not in effect.people[1].lines[0].loses, "Charlie keeps it as School Viewer"

    async def test_who_has_it_by_another_role_gains_and_loses_nothing(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        await gives(town, "bob", "Non-Rostered Staff", LINCOLN)
        effect = await roles.review(diana, await id_of(town, "Nurse"), Wanted("Nurse", ["personal_messages"]))
        assert effect.people == []
        assert effect.headline == "Nothing changes in what 1 holder of this role may do."
        assert effect.loses == ["See the directory"]

    async def test_a_role_that_nobody_holds_changes_nothing_for_anybody(self, roles: Roles, diana: Actor) -> None:
        new = await roles.create(diana, NURSE)
        assert (await roles.review(diana, new, replace(NURSE, permissions=["export"]))).headline == role_effects.NOBODY

    async def test_beyond_the_first_people_are_counted(
        self, town: Town, roles: Roles, diana: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tp_inbox.services.role_effects.MOST_LISTED", 1)
        effect = await roles.review(diana, await id_of(town, "Counselor"), Wanted("Counselor", ["export"]))
        assert ([p.name for p in effect.people], effect.more) == (["Alice Adams"], 1)

    async def test_who_has_left_is_told_apart(self, town: Town, roles: Roles, diana: Actor) -> None:
        await town.wired.services.staff.disable(town.email("charlie"))
        effect = await roles.review(diana, await id_of(town, "Counselor"), Wanted("Counselor", ["export"]))
        assert [p.name for p in effect.people] == ["Alice Adams"]
        assert effect.about == ["1 holder has left; their accounts are closed."]

    async def test_an_assignment_at_a_group_counts_at_each_of_its_schools(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        group = await add(town, SchoolGroup(name="All"))
        for school in town.schools.values():
            await add(town, GroupSchool(group_id=group.id, school_id=school))
        nurse = await id_of(town, "Nurse")
        await add(town, Assignment(staff_id=town.staff["bob"], role_id=nurse, group_id=group.id))
        effect = await roles.review(diana, nurse, Wanted("Nurse", ["personal_messages"]))
        assert effect.people[0].lines[0].where == f"{LINCOLN} and {ROOSEVELT}"

    async def test_it_is_announced_to_everybody_and_written_down_with_before_and_after(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        nurse = await id_of(town, "Nurse")
        async with listening(town) as heard:
            await saves(roles, diana, nurse, Wanted("School nurse", ["personal_messages"]))
            changes = await heard.all()
        assert [(c.kind, c.staff) for c in changes] == [(ChangeKind.ACCESS, None)]
        (entry,) = await entries(town, AuditKind.ROLE_CHANGED)
        assert entry.before == {"permissions": ["personal_messages", "see_directory"]}
        assert entry.after == {"permissions": ["personal_messages"]}
        assert (entry.names["role"], entry.names["role_before"]) == ("School nurse", "Nurse")
        assert entry.schools == [town.schools[LINCOLN]]

    async def test_a_new_name_is_said_before_and_an_old_one_is_not(self, roles: Roles, diana: Actor) -> None:
        new = await roles.create(diana, NURSE)
        renamed = replace(NURSE, name=" Head  nurse")
        assert (await roles.review(diana, new, renamed)).called == "Head nurse"
        assert (await roles.review(diana, new, NURSE)).called == ""

    async def test_a_new_name_alone_moves_no_screen(self, town: Town, roles: Roles, diana: Actor) -> None:
        nurse = await role(town, "Nurse")
        async with listening(town) as heard:
            await saves(roles, diana, nurse.id, Wanted("School nurse", nurse.permissions))
            assert await heard.all() == []
        assert len(await entries(town, AuditKind.ROLE_CHANGED)) == 1

    async def test_saving_what_is_there_already_is_no_change(self, town: Town, roles: Roles, diana: Actor) -> None:
        nurse = await role(town, "Nurse")
        before = await state(town)
        await saves(roles, diana, nurse.id, Wanted("Nurse", nurse.permissions))
        assert await state(town) == before

    async def test_who_may_now_write_personal_messages_has_an_inbox_for_them(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        new = await roles.create(diana, Wanted("Helper", ["see_directory"], "school"))
        ana = await add(town, Staff(email="ana@district.example", name="Ana Ames"))
        await add(town, Assignment(staff_id=ana.id, role_id=new, school_id=town.schools[LINCOLN]))
        await saves(roles, diana, new, Wanted("Helper", ["personal_messages"]))
        assert await rows(town, Inbox, col(Inbox.staff_id) == ana.id)

    @pytest.mark.parametrize("meanwhile", ["somebody got it", "the role changed", "a holder got more"])
    async def test_when_something_changed_since_the_review_nothing_is_saved(
        self, town: Town, roles: Roles, diana: Actor, meanwhile: str
    ) -> None:
        nurse = await id_of(town, "Nurse")
        wanted = Wanted("Nurse", ["personal_messages"])
        seen = (await roles.review(diana, nurse, wanted)).seen
        if meanwhile == "somebody got it":
            await gives(town, "vera", "Nurse", LINCOLN)
        elif meanwhile == "the role changed":
            await saves(roles, diana, nurse, Wanted("Nurse", ["personal_messages", "export"]))
        else:
            await gives(town, "bob", "School Viewer", LINCOLN)
        before = await state(town)
        with pytest.raises(Outdated) as refused:
            await roles.change(diana, nurse, wanted, seen)
        assert refused.value.sentence == MEANWHILE
        assert await state(town) == before

    async def test_what_was_reviewed_is_not_exchanged_for_something_else(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        nurse = await id_of(town, "Nurse")
        seen = (await roles.review(diana, nurse, Wanted("Nurse", ["personal_messages"]))).seen
        with pytest.raises(Outdated):
            await roles.change(diana, nurse, Wanted("Nurse", ["export"]), seen)

    @pytest.mark.parametrize(
        ("wanted", "why"),
        [
            (Wanted("Nurse", []), rules.NOTHING_ALLOWED),
            (Wanted("counselor", ["export"]), rules.TAKEN),
            (Wanted("Nurse", ["manage_schools"]), "cannot be part of a school role"),
            (Wanted("", ["export"]), rules.NO_NAME),
        ],
    )
    async def test_what_cannot_be_is_refused_before_and_when_it_is_saved(
        self, town: Town, roles: Roles, diana: Actor, wanted: Wanted, why: str
    ) -> None:
        nurse = await id_of(town, "Nurse")
        before = await state(town)
        for ask in (roles.review(diana, nurse, wanted), roles.change(diana, nurse, wanted, "")):
            with pytest.raises(Invalid) as refused:
                await ask
            assert why in refused.value.sentence
        assert await state(town) == before

    async def test_a_base_role_is_neither_changed_nor_deleted(self, town: Town, roles: Roles, diana: Actor) -> None:
        viewer = await role(town, "School Viewer")
        await refuses_all_writing(town, roles, diana, viewer, BASE_STAYS)
        assert (await roles.show(diana, viewer.id)).locked == BASE_STAYS

    async def test_nobody_changes_a_role_of_their_own(self, town: Town, roles: Roles, diana: Actor) -> None:
        await roles.create(diana, ACCOUNTABLE)
        await gives(town, "diana", "Data officer", None)
        officer = await role(town, "Data officer")
        await refuses_all_writing(town, roles, diana, officer, access.OWN_ROLE)
        assert (await roles.show(diana, officer.id)).locked == access.OWN_ROLE

    async def test_a_role_that_is_gone_is_named_so(self, town: Town, roles: Roles, diana: Actor) -> None:
        nurse = await role(town, "Nurse")
        await roles.delete(diana, nurse.id, await id_of(town, "Counselor"), await agreed(town, roles, nurse.id))
        for ask in (roles.show(diana, nurse.id), roles.review(diana, nurse.id, NURSE)):
            with pytest.raises(NotFound) as refused:
                await ask
            assert refused.value.sentence == GONE


class TestSecondStep:
    @pytest.mark.parametrize("name", ["District Admin", "Nurse"])
    async def test_it_is_switched_on_and_off_for_every_role_and_written_down(
        self, town: Town, roles: Roles, diana: Actor, name: str
    ) -> None:
        role_id = await id_of(town, name)
        for required in (True, True, False):
            await roles.require_second_step(diana, role_id, required)
            assert (await roles.show(diana, role_id)).two_step is required
        on, off = await entries(town, AuditKind.ROLE_CHANGED)
        assert (on.before, on.after) == ({"two_step_required": False}, {"two_step_required": True})
        assert off.after == {"two_step_required": False}

    async def test_it_says_before_whom_it_concerns(self, town: Town, roles: Roles, diana: Actor) -> None:
        await gives(town, "alice", "Nurse", LINCOLN)
        await gives(town, "diana", "Nurse", LINCOLN)
        await add(town, SecondStep(staff_id=town.staff["alice"], secret=b"", confirmed_at=utc_now()))
        await add(town, SecondStep(staff_id=town.staff["bob"], secret=b""))
        assert await roles.review_second_step(diana, await id_of(town, "Nurse")) == (
            "3 people hold this role, 2 of them without a second step yet. "
            "They set it up when they next act; you among them."
        )
        assert not (await role(town, "Nurse")).two_step_required

    async def test_of_who_has_left_and_of_who_has_one_nothing_is_asked(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        nurse = await id_of(town, "Nurse")
        await add(town, SecondStep(staff_id=town.staff["bob"], secret=b"", confirmed_at=utc_now()))
        assert "1 person holds" in (said := await roles.review_second_step(diana, nurse)) and "already" in said
        async with town.wired.db.transaction() as session:
            await session.execute(update(Staff).where(col(Staff.id) == town.staff["bob"]).values(active=False))
        assert (await roles.review_second_step(diana, nurse)).startswith("Nobody holds this role yet.")


class TestDeleting:
    async def test_a_role_that_nobody_holds_just_goes(self, town: Town, roles: Roles, diana: Actor) -> None:
        new = await roles.create(diana, NURSE)
        found = await roles.review_deletion(diana, new)
        assert (found.holders, found.left) == (0, "")
        await roles.delete(diana, new, 0, found.effect.seen)
        assert not await rows(town, Role, col(Role.id) == new)
        (entry,) = await entries(town, AuditKind.ROLE_DELETED)
        assert entry.names["role"] == "School nurse"

    async def test_nobody_is_left_without_a_role(self, town: Town, roles: Roles, diana: Actor) -> None:
        counselor = await id_of(town, "Counselor")
        await gives(town, "charlie", "School Viewer", ROOSEVELT)
        found = await roles.review_deletion(diana, counselor)
        assert found.left == "1 person", "Alice; Charlie has another role"
        before = await state(town)
        with pytest.raises(Invalid, match="1 person would be left without any role"):
            await roles.delete(diana, counselor, 0, found.effect.seen)
        assert await state(town) == before

    async def test_who_has_another_role_just_loses_it(self, town: Town, roles: Roles, diana: Actor) -> None:
        nurse = await id_of(town, "Nurse")
        await gives(town, "bob", "School Viewer", LINCOLN)
        found = await roles.review_deletion(diana, nurse)
        assert found.effect.people[0].lines[0].loses == "Send and receive personal messages"
        await roles.delete(diana, nurse, 0, found.effect.seen)
        assert not access.has_personal_inbox(await town.actor("bob"))
        (taken,) = await entries(town, AuditKind.ROLE_TAKEN)
        assert (taken.subject_id, taken.facts["place_id"]) == (town.staff["bob"], town.schools[LINCOLN])

    async def test_holders_move_to_another_role_at_the_same_places(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        counselor, nurse = await id_of(town, "Counselor"), await id_of(town, "Nurse")
        group = await add(town, SchoolGroup(name="Both"))
        for school in town.schools.values():
            await add(town, GroupSchool(group_id=group.id, school_id=school))
        await add(town, Assignment(staff_id=town.staff["bob"], role_id=counselor, group_id=group.id))
        await gives(town, "alice", "Nurse", LINCOLN)
        await town.wired.services.staff.disable(town.email("charlie"))
        before = await everybody(town)
        found = await roles.review_deletion(diana, counselor, nurse)
        assert {c.name for c in found.successors} >= {"Nurse", "School Admin"}
        assert "District Viewer" not in {c.name for c in found.successors}
        async with listening(town) as heard:
            await roles.delete(diana, counselor, nurse, found.effect.seen)
            assert [(c.kind, c.staff) for c in await heard.all()] == [(ChangeKind.ACCESS, None)]
        after = await everybody(town)
        changed = {town.staff[who] for who in before if rules.shifts(before[who], after[who])}
        assert {p.id for p in found.effect.people} == changed == {town.staff["alice"], town.staff["bob"]}
        held = [
            (a.staff_id, a.school_id, a.group_id)
            for a in await rows(town, Assignment, col(Assignment.role_id) == nurse)
        ]
        assert sorted(held, key=repr) == sorted(
            [
                (town.staff["alice"], town.schools[LINCOLN], None),
                (town.staff["bob"], town.schools[LINCOLN], None),
                (town.staff["bob"], None, group.id),
                (town.staff["charlie"], town.schools[ROOSEVELT], None),
            ],
            key=repr,
        )
        taken, given = await entries(town, AuditKind.ROLE_TAKEN), await entries(town, AuditKind.ROLE_GIVEN)
        assert [e.subject_id for e in taken].count(town.staff["alice"]) == 1
        given = [e for e in given if e.actor_id == town.staff["diana"]]
        assert {e.subject_id for e in given} == {town.staff["bob"], town.staff["charlie"]}, "Alice was a nurse already"
        assert {e.names["role"] for e in given} == {"Nurse"}

    @pytest.mark.parametrize("other", ["Counselor", "District Viewer", "nobody’s"])
    async def test_only_another_role_of_the_same_level_takes_its_place(
        self, town: Town, roles: Roles, diana: Actor, other: str
    ) -> None:
        counselor = await id_of(town, "Counselor")
        successor = 999_999 if other == "nobody’s" else await id_of(town, other)
        before = await state(town)
        for ask in (
            roles.review_deletion(diana, counselor, successor),
            roles.delete(diana, counselor, successor, ""),
        ):
            with pytest.raises(Invalid) as refused:
                await ask
            assert refused.value.sentence == CHOOSE_ANOTHER
        assert await state(town) == before

    async def test_who_does_not_manage_staff_deletes_only_what_nobody_holds(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        await roles.create(diana, Wanted("Role keeper", ["manage_roles"], "district"))
        await gives(town, "vera", "Role keeper", None)
        vera = await town.actor("vera")
        with pytest.raises(NotAllowed):
            await roles.review_deletion(vera, await id_of(town, "Counselor"))
        with pytest.raises(NotAllowed):
            await roles.delete(vera, await id_of(town, "Counselor"), await id_of(town, "Nurse"), "")
        new = await roles.create(vera, replace(NURSE, permissions=["personal_messages"]))
        await roles.delete(vera, new, 0, (await roles.review_deletion(vera, new)).effect.seen)

    async def test_a_new_holder_since_the_review_stops_it(self, town: Town, roles: Roles, diana: Actor) -> None:
        nurse, counselor = await id_of(town, "Nurse"), await id_of(town, "Counselor")
        seen = (await roles.review_deletion(diana, nurse, counselor)).effect.seen
        await gives(town, "vera", "Nurse", ROOSEVELT)
        before = await state(town)
        with pytest.raises(Outdated):
            await roles.delete(diana, nurse, counselor, seen)
        assert await state(town) == before

    async def test_two_roles_of_one_person_do_not_go_at_the_same_moment(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        first, second = await id_of(town, "Nurse"), await roles.create(diana, NURSE)
        await gives(town, "bob", "School nurse", ROOSEVELT)
        seen = {role_id: (await roles.review_deletion(diana, role_id)).effect.seen for role_id in (first, second)}
        done = await asyncio.gather(
            *(roles.delete(diana, role_id, 0, seen[role_id]) for role_id in seen), return_exceptions=True
        )
        assert sum(isinstance(each, Refusal) for each in done) == 1
        assert await rows(town, Assignment, col(Assignment.staff_id) == town.staff["bob"])


class TestAsItsHolder:
    async def test_a_counselor_chooses_with_from_and_a_nurse_does_not(
        self, town: Town, roles: Roles, diana: Actor
    ) -> None:
        lincoln = town.schools[LINCOLN]
        counselor = await roles.as_holder(diana, "school", (await role(town, "Counselor")).permissions, lincoln)
        nurse = await roles.as_holder(diana, "school", (await role(town, "Nurse")).permissions, lincoln)
        assert (counselor.place, counselor.senders) == (LINCOLN, ("Personal number", LINCOLN))
        assert nurse.senders == ("Personal number",)

    @pytest.mark.parametrize(
        ("who", "name", "level"),
        [
            ("alice", "Counselor", "school"),
            ("vera", "School Viewer", "school"),
            ("dora", "School Admin", "school"),
            ("diana", "District Admin", "district"),
        ],
    )
    async def test_it_is_what_somebody_who_really_holds_it_has(
        self, town: Town, roles: Roles, diana: Actor, who: str, name: str, level: str
    ) -> None:
        real = await town.actor(who)
        held = await roles.as_holder(diana, level, (await role(town, name)).permissions, town.schools[LINCOLN])
        assert (held.actor.schools, held.actor.district) == (real.schools, real.district)

    async def test_at_the_district_there_is_no_school_to_write_from(self, roles: Roles, diana: Actor) -> None:
        held = await roles.as_holder(diana, "district", ["export"], 0)
        assert (held.place, held.senders) == ("the district", ())

    async def test_a_school_that_is_not_there_is_not_found(self, roles: Roles, diana: Actor) -> None:
        with pytest.raises(NotFound):
            await roles.as_holder(diana, "school", ["export"], 999_999)


Ask = Callable[[Roles, Actor, int], Awaitable[object]]
EVERYTHING: dict[str, Ask] = {
    "list": lambda roles, actor, _: roles.all(actor),
    "role": lambda roles, actor, role_id: roles.show(actor, role_id),
    "holders": lambda roles, actor, role_id: roles.holders(actor, role_id),
    "schools": lambda roles, actor, _: roles.schools(actor),
    "offered": lambda roles, actor, _: roles.offered(actor, "school"),
    "as holder": lambda roles, actor, _: roles.as_holder(actor, "school", ["export"], 1),
    "create": lambda roles, actor, _: roles.create(actor, NURSE),
    "review": lambda roles, actor, role_id: roles.review(actor, role_id, NURSE),
    "change": lambda roles, actor, role_id: roles.change(actor, role_id, NURSE, ""),
    "second step": lambda roles, actor, role_id: roles.require_second_step(actor, role_id, True),
    "review second step": lambda roles, actor, role_id: roles.review_second_step(actor, role_id),
    "review deletion": lambda roles, actor, role_id: roles.review_deletion(actor, role_id),
    "delete": lambda roles, actor, role_id: roles.delete(actor, role_id, 0, ""),
}


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize("who", ["alice", "dora", "vera"])
async def test_who_does_not_manage_roles_does_nothing_of_this(town: Town, roles: Roles, who: str, what: str) -> None:
    """A School Admin manages staff, and yet no roles."""
    before = await state(town)
    with pytest.raises(NotAllowed) as refused:
        await EVERYTHING[what](roles, await town.actor(who), await id_of(town, "Counselor"))
    assert refused.value.sentence == access.ROLES_ONLY
    assert await state(town) == before


@pytest.mark.parametrize("what", ["create", "change", "second step", "delete"])
async def test_who_has_just_lost_the_permission_writes_nothing(town: Town, roles: Roles, what: str) -> None:
    diana = await town.actor("diana")
    async with town.wired.db.transaction() as session:
        viewer = await id_of(town, "District Viewer")
        held = col(Assignment.staff_id) == town.staff["diana"]
        await session.execute(update(Assignment).where(held).values(role_id=viewer))
    before = await state(town)
    with pytest.raises(NotAllowed) as refused:
        await EVERYTHING[what](roles, diana, await id_of(town, "Counselor"))
    assert refused.value.sentence == access.ROLES_ONLY
    assert await state(town) == before


async def test_the_list_asks_as_little_however_many_roles_there_are(town: Town, roles: Roles, diana: Actor) -> None:
    for number in range(5):
        await roles.create(diana, replace(NURSE, name=f"Nurse {number}"))
    asked: list[str] = []
    event.listen(town.wired.db.engine.sync_engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    await roles.all(diana)
    assert len([each for each in asked if each.startswith("SELECT")]) <= 3


async def agreed(town: Town, roles: Roles, role_id: int) -> str:
    found = await roles.review_deletion(await town.actor("diana"), role_id, await id_of(town, "Counselor"))
    return found.effect.seen


async def refuses_all_writing(town: Town, roles: Roles, actor: Actor, role: Role, why: str) -> None:
    before = await state(town)
    wanted = Wanted("Another", ["export"])
    for ask in (
        roles.review(actor, role.id, wanted),
        roles.change(actor, role.id, wanted, ""),
        roles.review_deletion(actor, role.id),
        roles.delete(actor, role.id, 0, ""),
    ):
        with pytest.raises(NotAllowed) as refused:
            await ask
        assert refused.value.sentence == why
    assert await state(town) == before
