"""Who may do what: the base roles as the product has them, and how assignments add up."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tp_inbox.domain import access
from tp_inbox.domain.access import (
    BASE_ROLES,
    Actor,
    Grant,
    InboxKind,
    InboxRef,
    Level,
    Permission,
    actor_from,
    effective,
    may_read,
    may_send,
    sender_options,
)
from tp_inbox.domain.errors import NotAllowed

P = Permission
LINCOLN, ROOSEVELT, WASHINGTON = 1, 2, 3
ALICE, BOB = 10, 11

# In the order of the product's own table, a column each.
COLUMNS = "district_admin district_viewer school_admin school_viewer technical_school_admin non_rostered_staff".split()
MATRIX = {
    P.PERSONAL_MESSAGES: "..x..x",
    P.VIEW_SCHOOL_INBOX: "..xx..",
    P.MESSAGE_ON_BEHALF: "..x...",
    P.ANNOUNCE: "..x...",
    P.VIEW_ALL_MESSAGES: "xxxx..",
    P.SEE_DIRECTORY: "xxxxxx",
    P.MANAGE_DIRECTORY: "x.x.x.",
    P.MANAGE_STAFF: "x.x.x.",
    P.MANAGE_ROLES: "x.....",
    P.MANAGE_SCHOOLS: "x.....",
    P.EXPORT: "x.x...",
    P.VIEW_AUDIT_LOG: "x.x...",
    P.OVERRIDE_QUIET_HOURS: "x.....",
}


@pytest.mark.parametrize("place", range(len(COLUMNS)), ids=COLUMNS)
def test_a_base_role_has_what_the_product_gives_it(place: int) -> None:
    role = next(role for role in BASE_ROLES if role.key == COLUMNS[place])
    assert role.permissions == {p for p, marks in MATRIX.items() if marks[place] == "x"}


def test_every_permission_and_every_base_role_stands_in_the_table() -> None:
    assert set(MATRIX) == set(Permission)
    assert [role.key for role in BASE_ROLES] == COLUMNS


def test_the_levels_of_the_base_roles() -> None:
    assert {role.key for role in BASE_ROLES if role.level is Level.DISTRICT} == {"district_admin", "district_viewer"}


def test_no_base_role_holds_what_its_level_cannot() -> None:
    assert all(effective(role.permissions, role.level) == role.permissions for role in BASE_ROLES)


def test_the_migration_seeds_these_very_roles() -> None:
    path = Path(__file__).parents[2] / "alembic/versions/0002_base_roles.py"
    spec = importlib.util.spec_from_file_location("base_roles", path)
    assert spec and spec.loader
    spec.loader.exec_module(migration := importlib.util.module_from_spec(spec))
    assert [(r.key, r.name, r.level.value, sorted(r.permissions)) for r in BASE_ROLES] == migration.ROLES


def somebody(*grants: tuple[int | None, set[Permission]], active: bool = True) -> Actor:
    return actor_from(ALICE, "Alice", active, [Grant(frozenset(held), school) for school, held in grants])


def own(owner: int = ALICE) -> InboxRef:
    return InboxRef(1, InboxKind.PERSONAL, owner, None)


def shared(school: int = LINCOLN) -> InboxRef:
    return InboxRef(100 + school, InboxKind.SCHOOL, None, school)


def test_on_behalf_brings_the_view_of_the_inbox() -> None:
    assert may_read(somebody((LINCOLN, {P.MESSAGE_ON_BEHALF})), shared())


def test_the_view_of_the_inbox_does_not_bring_on_behalf() -> None:
    viewer = somebody((LINCOLN, {P.VIEW_SCHOOL_INBOX}))
    assert may_read(viewer, shared())
    assert not may_send(viewer, shared(), frozenset({LINCOLN}))


def test_announcing_and_writing_on_behalf_are_apart() -> None:
    announcer = somebody((LINCOLN, {P.ANNOUNCE}))
    assert not may_read(announcer, shared())
    assert not may_send(announcer, shared(), frozenset({LINCOLN}))


@pytest.mark.parametrize("permission", sorted(access.SCHOOL_ONLY))
def test_at_the_district_a_schools_permission_is_none(permission: Permission) -> None:
    assert somebody((None, {permission})).district == frozenset()


@pytest.mark.parametrize("permission", sorted(access.DISTRICT_ONLY))
def test_at_a_school_the_districts_permission_is_none(permission: Permission) -> None:
    assert not somebody((LINCOLN, {permission})).anywhere(permission)


def test_assignments_at_one_school_add_up() -> None:
    both = somebody((LINCOLN, {P.PERSONAL_MESSAGES}), (LINCOLN, {P.VIEW_SCHOOL_INBOX}))
    assert both.schools == {LINCOLN: {P.PERSONAL_MESSAGES, P.VIEW_SCHOOL_INBOX}}


def test_assignments_at_two_schools_stay_apart() -> None:
    apart = somebody((LINCOLN, {P.MESSAGE_ON_BEHALF}), (ROOSEVELT, {P.PERSONAL_MESSAGES}))
    assert [may_read(apart, shared(s)) for s in (LINCOLN, ROOSEVELT, WASHINGTON)] == [True, False, False]
    assert may_send(apart, own(), frozenset({ROOSEVELT}))
    assert not may_send(apart, own(), frozenset({LINCOLN}))


def test_a_custom_role_of_personal_messages_alone_sees_no_school_inbox() -> None:
    nurse = somebody((LINCOLN, {P.PERSONAL_MESSAGES}))
    assert may_read(nurse, own())
    assert not may_read(nurse, shared())
    assert not may_read(nurse, own(BOB))


def test_without_the_personal_permission_even_the_own_inbox_is_closed() -> None:
    assert not may_read(somebody((LINCOLN, {P.MESSAGE_ON_BEHALF})), own())


def test_oversight_is_no_way_to_read() -> None:
    overseer = somebody((LINCOLN, {P.VIEW_ALL_MESSAGES}), (None, {P.VIEW_ALL_MESSAGES}))
    assert not may_read(overseer, own(BOB))
    assert not may_read(overseer, shared())


EVERYTHING = (LINCOLN, set(Permission)), (None, set(Permission))


def test_who_is_not_active_may_nothing() -> None:
    gone = somebody(*EVERYTHING, active=False)
    here = somebody(*EVERYTHING)
    for inbox in (own(), shared()):
        assert (may_read(here, inbox), may_read(gone, inbox)) == (True, False)
        assert not may_send(gone, inbox, frozenset({LINCOLN}))
    assert access.writable_schools(gone) == frozenset()
    assert not any(gone.anywhere(p) for p in Permission)
    assert not access.may_see_district(gone)


class TestFrom:
    ALL = (own(), own(BOB), shared(LINCOLN), shared(ROOSEVELT))

    def test_who_holds_both_chooses_between_the_two(self) -> None:
        counselor = somebody((LINCOLN, {P.PERSONAL_MESSAGES, P.MESSAGE_ON_BEHALF}))
        assert sender_options(counselor, self.ALL, frozenset({LINCOLN})) == (own(), shared(LINCOLN))

    def test_the_nurse_has_no_choice(self) -> None:
        nurse = somebody((LINCOLN, {P.PERSONAL_MESSAGES}))
        assert sender_options(nurse, self.ALL, frozenset({LINCOLN})) == (own(),)

    def test_a_family_of_another_school_is_out_of_reach(self) -> None:
        counselor = somebody((LINCOLN, {P.PERSONAL_MESSAGES, P.MESSAGE_ON_BEHALF}))
        assert sender_options(counselor, self.ALL, frozenset({ROOSEVELT})) == ()

    def test_a_family_of_two_schools_is_reached_by_each(self) -> None:
        counselor = somebody((ROOSEVELT, {P.MESSAGE_ON_BEHALF}))
        assert sender_options(counselor, self.ALL, frozenset({LINCOLN, ROOSEVELT})) == (shared(ROOSEVELT),)

    def test_an_unknown_sender_is_answered_by_the_school_alone(self) -> None:
        counselor = somebody((LINCOLN, {P.PERSONAL_MESSAGES, P.MESSAGE_ON_BEHALF}))
        assert sender_options(counselor, self.ALL, frozenset()) == (shared(LINCOLN),)

    def test_what_from_does_not_show_has_a_sentence(self) -> None:
        nurse = somebody((LINCOLN, {P.PERSONAL_MESSAGES}))
        for inbox in self.ALL:
            refusal = access.refusal_to_send(nurse, inbox, frozenset({LINCOLN}))
            assert (refusal is None) == (inbox in sender_options(nurse, self.ALL, frozenset({LINCOLN})))
            assert refusal is None or refusal.sentence.endswith(".")


class TestWriting:
    def test_to_see_is_not_to_write(self) -> None:
        assert access.writable_schools(somebody((LINCOLN, {P.SEE_DIRECTORY}))) == frozenset()
        assert access.writable_schools(somebody((LINCOLN, {P.MESSAGE_ON_BEHALF}))) == {LINCOLN}


def test_only_who_manages_staff_at_the_district_sees_its_overview() -> None:
    access.require_district_overview(somebody((None, {P.MANAGE_STAFF})))
    for nobody in (somebody((LINCOLN, {P.MANAGE_STAFF})), somebody((None, {P.SEE_DIRECTORY}))):
        with pytest.raises(NotAllowed):
            access.require_district_overview(nobody)
