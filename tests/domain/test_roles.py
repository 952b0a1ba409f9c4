"""What makes a role usable, and what a changed role means for somebody who holds it."""

from __future__ import annotations

import pytest

from tp_inbox.domain import roles
from tp_inbox.domain.access import Actor, Grant, actor_from
from tp_inbox.domain.errors import Invalid
from tp_inbox.domain.permissions import Level, P
from tp_inbox.domain.roles import Shift, shifts

LINCOLN, ROOSEVELT = 1, 2


def holding(*grants: Grant, active: bool = True) -> Actor:
    return actor_from(7, "Alice", active, grants)


def at(school: int | None, *permissions: P) -> Grant:
    return Grant(frozenset(permissions), Level.SCHOOL if school else Level.DISTRICT, school)


class TestNames:
    def test_spaces_around_and_between_are_put_right(self) -> None:
        assert roles.clean_name("  School   nurse ") == "School nurse"

    @pytest.mark.parametrize("name", ["n", "n" * 60, "Éducatrice", "护士"])
    def test_any_language_and_length_up_to_sixty_will_do(self, name: str) -> None:
        assert roles.clean_name(name) == name

    @pytest.mark.parametrize(
        ("name", "why"),
        [("", roles.NO_NAME), (" \t\n", roles.NO_NAME), ("n" * 61, roles.TOO_LONG), ("a\u202eb", roles.ODD_NAME)],
    )
    def test_a_name_that_nobody_could_read_is_refused(self, name: str, why: str) -> None:
        with pytest.raises(Invalid) as refused:
            roles.clean_name(name)
        assert refused.value.sentence == why


class TestPermissions:
    def test_message_on_behalf_brings_the_school_inbox(self) -> None:
        allowed = roles.complete(frozenset({P.MESSAGE_ON_BEHALF}), Level.SCHOOL)
        assert allowed == {P.MESSAGE_ON_BEHALF, P.VIEW_SCHOOL_INBOX}

    def test_a_role_without_permissions_is_refused(self) -> None:
        with pytest.raises(Invalid, match="at least one permission"):
            roles.complete(frozenset(), Level.SCHOOL)

    @pytest.mark.parametrize(
        ("permission", "level"), [(P.PERSONAL_MESSAGES, Level.DISTRICT), (P.MANAGE_ROLES, Level.SCHOOL)]
    )
    def test_a_permission_of_the_other_level_is_refused_by_its_name(self, permission: P, level: Level) -> None:
        with pytest.raises(Invalid, match=rf"cannot be part of a {level.value} role"):
            roles.complete(frozenset({permission, P.SEE_DIRECTORY}), level)

    @pytest.mark.parametrize("word", ["fly", "", "PERSONAL_MESSAGES"])
    def test_an_unknown_permission_is_refused(self, word: str) -> None:
        with pytest.raises(Invalid, match="does not exist"):
            roles.read_permissions(["see_directory", word])

    @pytest.mark.parametrize("word", ["", "town", "SCHOOL"])
    def test_there_are_two_levels(self, word: str) -> None:
        with pytest.raises(Invalid, match="at schools, or at the district"):
            roles.read_level(word)

    def test_a_copy_at_the_other_level_lets_some_fall_away(self) -> None:
        admin = frozenset({P.MANAGE_ROLES, P.MANAGE_STAFF, P.OVERRIDE_QUIET_HOURS})
        assert roles.falling_away(admin, Level.SCHOOL) == {P.MANAGE_ROLES, P.OVERRIDE_QUIET_HOURS}
        assert not roles.falling_away(admin, Level.DISTRICT)


class TestWhatChanges:
    def test_nothing_changes_for_somebody_who_has_the_permission_by_another_role(self) -> None:
        other = at(LINCOLN, P.EXPORT)
        assert (
            shifts(holding(at(LINCOLN, P.EXPORT, P.SEE_DIRECTORY), other), holding(at(LINCOLN, P.SEE_DIRECTORY), other))
            == ()
        )

    def test_but_it_does_where_the_other_role_is_held_at_another_school(self) -> None:
        other = at(ROOSEVELT, P.EXPORT)
        after = holding(at(LINCOLN, P.SEE_DIRECTORY), other)
        (lost,) = shifts(holding(at(LINCOLN, P.EXPORT, P.SEE_DIRECTORY), other), after)
        assert lost == Shift((LINCOLN,), frozenset(), frozenset({P.EXPORT}))

    def test_what_is_brought_along_is_lost_with_what_brought_it(self) -> None:
        (lost,) = shifts(holding(at(LINCOLN, P.MESSAGE_ON_BEHALF)), holding(at(LINCOLN, P.PERSONAL_MESSAGES)))
        assert lost.loses == {P.MESSAGE_ON_BEHALF, P.VIEW_SCHOOL_INBOX}
        assert lost.gains == {P.PERSONAL_MESSAGES}

    def test_schools_with_the_same_difference_stand_together_and_the_district_apart(self) -> None:
        before = holding(at(LINCOLN, P.EXPORT), at(ROOSEVELT, P.EXPORT), at(None, P.EXPORT))
        assert [shift.schools for shift in shifts(before, holding())] == [(), (LINCOLN, ROOSEVELT)]

    def test_nothing_changes_for_somebody_who_has_left(self) -> None:
        before, after = holding(at(LINCOLN, P.EXPORT), active=False), holding(active=False)
        assert shifts(before, after) == ()
