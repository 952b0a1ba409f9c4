"""What makes a role usable, what falls away at the other level, and what a changed role means for its holders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tp_inbox.domain.access import Actor
from tp_inbox.domain.errors import Invalid
from tp_inbox.domain.permissions import PERMISSIONS_OF, Level, Permission, effective, named

LONGEST_NAME = 60
"""Characters."""

NO_NAME = "Please give the role a name."
TOO_LONG = f"A role’s name has at most {LONGEST_NAME} characters."
ODD_NAME = "This name has a character in it that cannot be shown. Please type it again."
TAKEN = "There is a role of this name already. Please choose another name."
NO_LEVEL = "Please choose where the role is held: at schools, or at the district."
NOTHING_ALLOWED = "A role has to allow something. Please choose at least one permission."
NO_SUCH_PERMISSION = "One of the chosen permissions does not exist any more. Please reload the page."
OTHER_LEVEL = "{permissions} cannot be part of a {level} role."


class UnusableName(Invalid):
    """A role cannot be called this."""


def clean_name(typed: str) -> str:
    """Without spaces around it and with single ones in it. Raises UnusableName for a name that nobody could read."""
    name = " ".join(typed.split())
    if not name:
        raise UnusableName(NO_NAME)
    if len(name) > LONGEST_NAME:
        raise UnusableName(TOO_LONG)
    if not name.isprintable():
        raise UnusableName(ODD_NAME)
    return name


def name_of_copy(name: str) -> str:
    """What the copy of a role is called until somebody names it."""
    return f"Copy of {name}"[:LONGEST_NAME].strip()


def read_level(word: str) -> Level:
    """Raises Invalid for anything but the two levels."""
    if word not in set(Level):
        raise Invalid(NO_LEVEL)
    return Level(word)


def read_permissions(words: Iterable[str]) -> frozenset[Permission]:
    """Raises Invalid for a word that is no permission."""
    given = frozenset(words)
    if not given <= set(Permission):
        raise Invalid(NO_SUCH_PERMISSION)
    return frozenset(map(Permission, given))


def complete(permissions: frozenset[Permission], level: Level) -> frozenset[Permission]:
    """With those that they bring. Raises Invalid when there are none, or some that the level cannot hold."""
    if strangers := falling_away(permissions, level):
        raise Invalid(OTHER_LEVEL.format(permissions=named(strangers), level=level.value))
    if not permissions:
        raise Invalid(NOTHING_ALLOWED)
    return effective(permissions, level)


def falling_away(permissions: frozenset[Permission], level: Level) -> frozenset[Permission]:
    """What a copy at this level would not have."""
    return permissions - PERMISSIONS_OF[level]


# What changes for whom --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shift:
    """What somebody gains and loses at these schools; at the district when there are none."""

    schools: tuple[int, ...]
    gains: frozenset[Permission]
    loses: frozenset[Permission]


def shifts(before: Actor, after: Actor) -> tuple[Shift, ...]:
    """The difference between the sums of two sets of assignments, one entry for the schools where it is the same.

    Empty for somebody who has left: they may do nothing, before and after.
    """
    if not after.active:
        return ()
    district = _shift((), before.district, after.district)
    return (*((district,) if district else ()), *_at_schools(before.schools, after.schools))


def _at_schools(
    before: Mapping[int, frozenset[Permission]], after: Mapping[int, frozenset[Permission]]
) -> tuple[Shift, ...]:
    nothing: frozenset[Permission] = frozenset()
    alike: dict[tuple[frozenset[Permission], frozenset[Permission]], list[int]] = {}
    for school in sorted(before.keys() | after.keys()):
        if found := _shift((school,), before.get(school, nothing), after.get(school, nothing)):
            alike.setdefault((found.gains, found.loses), []).append(school)
    return tuple(Shift(tuple(schools), gains, loses) for (gains, loses), schools in alike.items())


def _shift(schools: tuple[int, ...], before: frozenset[Permission], after: frozenset[Permission]) -> Shift | None:
    return Shift(schools, after - before, before - after) if before != after else None
