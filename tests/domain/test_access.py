"""Who may do what: the base roles as the product has them, and how assignments add up."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from tp_inbox.domain import access, permissions
from tp_inbox.domain.access import (
    Actor,
    Grant,
    InboxKind,
    InboxRef,
    Place,
    PlaceKind,
    actor_from,
    may_read,
    may_send,
    sender_options,
)
from tp_inbox.domain.permissions import BASE_ROLES, Level, Permission, effective

P = Permission
LINCOLN, ROOSEVELT, WASHINGTON = 1, 2, 3
ALICE, BOB = 10, 11
DISTRICT_ADMIN_ROLE = BASE_ROLES[0]

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
    return actor_from(
        ALICE,
        "Alice",
        active,
        [Grant(frozenset(held), Level.DISTRICT if school is None else Level.SCHOOL, school) for school, held in grants],
    )


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


@pytest.mark.parametrize("permission", sorted(permissions.SCHOOL_ONLY))
def test_at_the_district_a_schools_permission_is_none(permission: Permission) -> None:
    assert somebody((None, {permission})).district == frozenset()


@pytest.mark.parametrize("permission", sorted(permissions.DISTRICT_ONLY))
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
    assert not access.administers(gone)
    assert not access.oversees(gone)


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


class TestOversight:
    ALICES = access.Overseen(own(), frozenset({LINCOLN, ROOSEVELT}), frozenset({LINCOLN}))

    def bob(self, *grants: tuple[int | None, set[Permission]]) -> Actor:
        return replace(somebody(*grants), staff_id=BOB)

    def test_at_the_district_every_thread_of_others_is_read(self) -> None:
        bob = self.bob((None, {P.VIEW_ALL_MESSAGES}))
        assert access.may_oversee(bob, self.ALICES)
        assert access.may_oversee(bob, access.Overseen(shared(), frozenset(), frozenset()))

    def test_at_a_school_what_its_people_write_to_its_families(self) -> None:
        bob = self.bob((LINCOLN, {P.VIEW_ALL_MESSAGES}))
        assert access.may_oversee(bob, self.ALICES)
        assert not access.may_oversee(bob, replace(self.ALICES, family_schools=frozenset({ROOSEVELT})))
        assert not access.may_oversee(bob, replace(self.ALICES, owner_schools=frozenset({ROOSEVELT})))

    def test_a_family_of_no_school_follows_the_person(self) -> None:
        unknown = replace(self.ALICES, family_schools=frozenset())
        assert access.may_oversee(self.bob((ROOSEVELT, {P.VIEW_ALL_MESSAGES})), unknown)
        assert not access.may_oversee(self.bob((WASHINGTON, {P.VIEW_ALL_MESSAGES})), unknown)

    def test_it_concerns_the_schools_where_the_owner_and_the_family_are(self) -> None:
        assert self.ALICES.schools == {LINCOLN}
        assert replace(self.ALICES, family_schools=frozenset()).schools == {LINCOLN, ROOSEVELT}
        assert replace(self.ALICES, family_schools=frozenset({WASHINGTON})).schools == frozenset()
        assert access.Overseen(shared(), frozenset(), frozenset({ROOSEVELT})).schools == {LINCOLN}

    def test_ones_own_conversation_is_no_oversight(self) -> None:
        assert not access.may_oversee(somebody((None, {P.VIEW_ALL_MESSAGES})), self.ALICES)

    def test_a_role_of_personal_messages_sees_none_of_it(self) -> None:
        bob = self.bob((LINCOLN, {P.PERSONAL_MESSAGES}))
        assert not access.oversees(bob)
        assert not access.may_oversee(bob, self.ALICES)


class TestGivingRoles:
    AT_LINCOLN, AT_ROOSEVELT = Place(PlaceKind.SCHOOL, LINCOLN), Place(PlaceKind.SCHOOL, ROOSEVELT)
    DISTRICTS = (None, set(DISTRICT_ADMIN_ROLE.permissions))
    ADMINS = (LINCOLN, set(permissions.PERMISSIONS_OF[Level.SCHOOL]))

    def refusal(self, giver: Actor, role: set[Permission], place: Place, to: int = BOB) -> str:
        refusal = access.refusal_to_assign(giver, to, role, place.level, place)
        return refusal.sentence if refusal else ""

    def test_a_district_admin_gives_any_role_anywhere(self) -> None:
        giver = somebody(self.DISTRICTS)
        everything = set(permissions.PERMISSIONS_OF[Level.SCHOOL])
        assert not self.refusal(giver, everything, self.AT_LINCOLN)
        assert not self.refusal(giver, everything, Place(PlaceKind.GROUP, 1))
        assert not self.refusal(giver, set(DISTRICT_ADMIN_ROLE.permissions), access.DISTRICT)

    def test_nobody_changes_their_own(self) -> None:
        assert self.refusal(somebody(self.DISTRICTS), {P.SEE_DIRECTORY}, self.AT_LINCOLN, to=ALICE) == access.OWN_ROLES

    def test_a_school_admin_gives_roles_at_the_own_school_only(self) -> None:
        giver = somebody(self.ADMINS)
        assert not self.refusal(giver, {P.PERSONAL_MESSAGES}, self.AT_LINCOLN)
        for place in (self.AT_ROOSEVELT, Place(PlaceKind.GROUP, 1), access.DISTRICT):
            assert self.refusal(giver, {P.SEE_DIRECTORY}, place) == access.NOT_THIS_PLACE

    def test_nobody_gives_or_takes_what_they_lack(self) -> None:
        technician = somebody((LINCOLN, {P.MANAGE_STAFF, P.SEE_DIRECTORY}))
        assert not self.refusal(technician, {P.SEE_DIRECTORY}, self.AT_LINCOLN)
        assert "“View all messages”" in self.refusal(technician, {P.VIEW_ALL_MESSAGES}, self.AT_LINCOLN)
        personnel = somebody((None, {P.MANAGE_STAFF, P.SEE_DIRECTORY}))
        assert not self.refusal(personnel, {P.PERSONAL_MESSAGES}, self.AT_LINCOLN)
        assert self.refusal(personnel, {P.VIEW_ALL_MESSAGES}, self.AT_LINCOLN)
        assert self.refusal(personnel, set(DISTRICT_ADMIN_ROLE.permissions), access.DISTRICT)

    def test_a_role_is_held_at_its_own_level(self) -> None:
        giver = somebody(self.DISTRICTS)
        assert access.refusal_to_assign(giver, BOB, {P.EXPORT}, Level.DISTRICT, self.AT_LINCOLN)
        assert access.refusal_to_assign(giver, BOB, {P.EXPORT}, Level.SCHOOL, access.DISTRICT)

    def test_who_has_left_gives_nothing(self) -> None:
        assert self.refusal(somebody(self.DISTRICTS, active=False), {P.SEE_DIRECTORY}, self.AT_LINCOLN)

    def test_nobody_changes_a_role_of_their_own_or_puts_into_one_what_they_lack(self) -> None:
        admin = somebody(self.DISTRICTS)
        assert access.refusal_to_define(admin, {P.EXPORT}, Level.SCHOOL, holds_it=False) is None
        assert access.refusal_to_define(admin, {P.EXPORT}, Level.SCHOOL, holds_it=True)
        keeper = somebody((None, {P.MANAGE_ROLES}))
        assert access.refusal_to_define(keeper, {P.PERSONAL_MESSAGES}, Level.SCHOOL, holds_it=False) is None
        assert access.refusal_to_define(keeper, {P.MANAGE_STAFF}, Level.DISTRICT, holds_it=False)


class TestGroups:
    """Whoever changes the schools of a group gives and takes the roles that are held there."""

    MANAGER = (None, {P.MANAGE_SCHOOLS, P.MANAGE_STAFF, P.SEE_DIRECTORY})

    def refusal(self, actor: Actor, *held: tuple[int, set[Permission]]) -> str:
        found = access.refusal_to_regroup(actor, [(who, frozenset(permissions)) for who, permissions in held])
        return found.sentence if found else ""

    def test_a_group_where_nobody_holds_a_role_is_changed_by_who_manages_schools(self) -> None:
        assert not self.refusal(somebody((None, {P.MANAGE_SCHOOLS})))
        assert self.refusal(somebody((None, {P.MANAGE_STAFF}))) == access.SCHOOLS_ONLY
        assert self.refusal(somebody((None, {P.MANAGE_SCHOOLS}), active=False)) == access.SCHOOLS_ONLY

    def test_a_group_where_people_hold_roles_is_changed_by_who_manages_all_staff_too(self) -> None:
        nurse = (BOB, {P.PERSONAL_MESSAGES, P.SEE_DIRECTORY})
        assert not self.refusal(somebody(self.MANAGER), nurse)
        assert self.refusal(somebody((None, {P.MANAGE_SCHOOLS})), nurse) == access.GROUP_OF_STAFF
        assert self.refusal(somebody((None, {P.MANAGE_SCHOOLS}), (LINCOLN, {P.MANAGE_STAFF})), nurse)

    def test_nobody_gives_through_a_group_what_they_lack(self) -> None:
        viewer = (BOB, {P.VIEW_ALL_MESSAGES})
        assert "“View all messages”" in self.refusal(somebody(self.MANAGER), viewer)
        assert not self.refusal(somebody(self.MANAGER, (None, {P.VIEW_ALL_MESSAGES})), viewer)

    def test_nobody_changes_a_group_of_their_own(self) -> None:
        assert self.refusal(somebody(self.MANAGER), (ALICE, {P.SEE_DIRECTORY})) == access.OWN_GROUP


class TestAccounts:
    def bob(self, *grants: tuple[int | None, set[Permission]]) -> Actor:
        return replace(somebody(*grants), staff_id=BOB)

    ADMIN = (LINCOLN, set(permissions.PERMISSIONS_OF[Level.SCHOOL]))

    def test_a_school_admin_looks_after_people_who_work_there_alone(self) -> None:
        dora = somebody(self.ADMIN)
        nurse = (LINCOLN, {P.PERSONAL_MESSAGES})
        assert access.refusal_to_manage_account(dora, self.bob(nurse)) is None
        assert access.refusal_to_manage_account(dora, self.bob(nurse, (ROOSEVELT, {P.PERSONAL_MESSAGES})))
        assert access.refusal_to_manage_account(dora, self.bob(nurse, (None, {P.SEE_DIRECTORY})))
        assert access.refusal_to_manage_account(dora, self.bob())

    def test_nobody_takes_over_an_account_with_more_permissions(self) -> None:
        technician = somebody((LINCOLN, {P.MANAGE_STAFF, P.SEE_DIRECTORY}))
        assert access.refusal_to_manage_account(technician, self.bob((LINCOLN, {P.SEE_DIRECTORY}))) is None
        assert access.refusal_to_manage_account(technician, self.bob(self.ADMIN))
        personnel = somebody((None, {P.MANAGE_STAFF, P.SEE_DIRECTORY}))
        assert access.refusal_to_manage_account(personnel, self.bob((LINCOLN, {P.SEE_DIRECTORY}))) is None
        assert access.refusal_to_manage_account(personnel, self.bob((None, set(DISTRICT_ADMIN_ROLE.permissions))))

    @pytest.mark.parametrize("reading", [P.PERSONAL_MESSAGES, P.VIEW_SCHOOL_INBOX, P.MESSAGE_ON_BEHALF])
    def test_who_reads_messages_is_looked_after_by_who_may_view_them_all(self, reading: Permission) -> None:
        bob = self.bob((LINCOLN, {reading}))
        personnel = somebody((None, {P.MANAGE_STAFF}), (LINCOLN, {P.VIEW_ALL_MESSAGES}))
        refusal = access.refusal_to_manage_account(personnel, bob)
        assert refusal and refusal.sentence == access.READS_MESSAGES
        overseer = somebody((None, {P.MANAGE_STAFF, P.VIEW_ALL_MESSAGES}))
        assert access.refusal_to_manage_account(overseer, bob) is None

    def test_a_district_admin_looks_after_everybody(self) -> None:
        admin = somebody((None, set(DISTRICT_ADMIN_ROLE.permissions)))
        assert access.refusal_to_manage_account(admin, self.bob(self.ADMIN)) is None

    def test_ones_own_account_is_ones_own_business(self) -> None:
        refusal = access.refusal_to_manage_account(somebody((None, {P.MANAGE_STAFF})), somebody())
        assert refusal and refusal.sentence == access.OWN_ACCOUNT


@pytest.mark.parametrize(
    ("district", "lincoln", "roosevelt", "read", "exported"),
    [
        ({P.VIEW_AUDIT_LOG, P.EXPORT}, set(), set(), None, None),
        ({P.VIEW_AUDIT_LOG}, set(), set(), None, frozenset()),
        ({P.VIEW_AUDIT_LOG}, {P.EXPORT}, set(), None, {LINCOLN}),
        ({P.EXPORT}, {P.VIEW_AUDIT_LOG}, set(), {LINCOLN}, {LINCOLN}),
        (set(), {P.VIEW_AUDIT_LOG, P.EXPORT}, {P.VIEW_AUDIT_LOG}, {LINCOLN, ROOSEVELT}, {LINCOLN}),
        (set(), {P.VIEW_AUDIT_LOG}, {P.EXPORT}, {LINCOLN}, frozenset()),
        (set(), set(), set(), frozenset(), frozenset()),
    ],
)
def test_the_log_is_read_and_taken_away_where_one_may_do_both(
    district: set[P], lincoln: set[P], roosevelt: set[P], read: set[int] | None, exported: set[int] | None
) -> None:
    actor = Actor(
        ALICE, "Alice", True, {LINCOLN: frozenset(lincoln), ROOSEVELT: frozenset(roosevelt)}, frozenset(district)
    )
    assert access.schools_of_read_log(actor) == read
    assert access.schools_of_exported_log(actor) == exported
    assert access.exports_log(actor) is (exported is None or bool(exported))
    assert access.views_audit_log(actor) is (read is None or bool(read))


@pytest.mark.parametrize(
    ("district", "lincoln", "roosevelt", "seen", "exported"),
    [
        ({P.MANAGE_STAFF, P.EXPORT}, set(), set(), None, None),
        ({P.MANAGE_STAFF}, set(), set(), None, frozenset()),
        ({P.MANAGE_STAFF}, {P.EXPORT}, set(), None, {LINCOLN}),
        ({P.EXPORT}, {P.MANAGE_STAFF}, set(), {LINCOLN}, {LINCOLN}),
        (set(), {P.MANAGE_STAFF, P.EXPORT}, {P.MANAGE_STAFF}, {LINCOLN, ROOSEVELT}, {LINCOLN}),
        (set(), {P.MANAGE_STAFF}, {P.EXPORT}, {LINCOLN}, frozenset()),
        ({P.EXPORT}, {P.EXPORT}, set(), frozenset(), frozenset()),
    ],
)
def test_staff_are_seen_where_one_manages_them_and_taken_away_where_one_may_export_too(
    district: set[P], lincoln: set[P], roosevelt: set[P], seen: set[int] | None, exported: set[int] | None
) -> None:
    actor = somebody((None, district), (LINCOLN, lincoln), (ROOSEVELT, roosevelt))
    assert access.schools_of_seen_staff(actor) == seen
    assert access.schools_of_exported_staff(actor) == exported
    assert access.exports_staff(actor) is (exported is None or bool(exported))
    for school in (LINCOLN, ROOSEVELT):
        assert access.may_see_person(actor, [school]) is (seen is None or school in seen)
    assert access.may_see_person(actor, []) is (seen is None)


class TestSuccession:
    def at(self, staff_id: int, school: int, *permissions: Permission, active: bool = True) -> Actor:
        return actor_from(staff_id, "X", active, [Grant(frozenset(permissions), Level.SCHOOL, school)])

    def test_who_writes_personal_messages_at_the_same_school_may_succeed_even_somebody_gone(self) -> None:
        gone = self.at(BOB, LINCOLN, P.PERSONAL_MESSAGES, active=False)
        assert access.may_succeed(gone, self.at(ALICE, LINCOLN, P.PERSONAL_MESSAGES))
        assert not access.may_succeed(gone, self.at(ALICE, ROOSEVELT, P.PERSONAL_MESSAGES))
        assert not access.may_succeed(gone, self.at(ALICE, LINCOLN, P.SEE_DIRECTORY))
        assert not access.may_succeed(gone, self.at(ALICE, LINCOLN, P.PERSONAL_MESSAGES, active=False))
        assert not access.may_succeed(gone, replace(gone, active=True))

    def test_nobody_appoints_themselves_whether_or_not_they_oversee(self) -> None:
        person = self.at(BOB, LINCOLN, P.PERSONAL_MESSAGES)
        herself = self.at(ALICE, LINCOLN, P.PERSONAL_MESSAGES, P.MANAGE_STAFF)
        overseeing = self.at(ALICE, LINCOLN, P.PERSONAL_MESSAGES, P.MANAGE_STAFF, P.VIEW_ALL_MESSAGES)
        assert access.refusal_to_appoint(herself, person, herself) is not None
        assert access.refusal_to_appoint(overseeing, person, overseeing) is not None
        assert access.refusal_to_appoint(herself, person, self.at(12, LINCOLN, P.PERSONAL_MESSAGES)) is None

    def test_a_family_is_named_to_who_sees_the_directory_of_its_school_or_oversees_it(self) -> None:
        at_lincoln, of_nobody = frozenset({LINCOLN}), frozenset[int]()
        for permission in (P.SEE_DIRECTORY, P.VIEW_ALL_MESSAGES):
            assert access.may_name_family(self.at(ALICE, LINCOLN, permission), at_lincoln)
            assert not access.may_name_family(self.at(ALICE, ROOSEVELT, permission), at_lincoln)
            assert not access.may_name_family(self.at(ALICE, LINCOLN, permission), of_nobody)
            district = actor_from(ALICE, "X", True, [Grant(frozenset({permission}), Level.DISTRICT, None)])
            assert access.may_name_family(district, of_nobody)
        assert not access.may_name_family(self.at(ALICE, LINCOLN, P.MANAGE_STAFF), at_lincoln)


class TestFamilies:
    @pytest.mark.parametrize(
        ("grants", "managed"),
        [
            ([(LINCOLN, {P.MANAGE_DIRECTORY})], {LINCOLN}),
            ([(LINCOLN, {P.MANAGE_DIRECTORY}), (ROOSEVELT, {P.SEE_DIRECTORY})], {LINCOLN}),
            ([(None, {P.MANAGE_DIRECTORY})], {LINCOLN, ROOSEVELT}),
            ([(LINCOLN, {P.SEE_DIRECTORY, P.MESSAGE_ON_BEHALF}), (None, {P.SEE_DIRECTORY})], set()),
        ],
    )
    def test_they_are_changed_by_who_manages_contacts_there(
        self, grants: list[tuple[int | None, set[P]]], managed: set[int]
    ) -> None:
        actor = somebody(*grants)
        assert access.manages_families(actor) is bool(managed)
        assert {s for s in (LINCOLN, ROOSEVELT) if access.may_manage_family(actor, s)} == managed
        assert not access.manages_families(replace(actor, active=False))
