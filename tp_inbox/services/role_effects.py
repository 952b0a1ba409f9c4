"""What changes for whom when a role changes or goes: everybody's sum of assignments, before and after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import Actor
from tp_inbox.domain.permissions import Permission, effective, in_order, label
from tp_inbox.domain.roles import Shift, shifts
from tp_inbox.services import actors
from tp_inbox.storage.queries.places import HELD
from tp_inbox.storage.tables import Assignment, Role, School

MOST_LISTED = 50
MOST_NAMED = 3

HELD_BY_HOLDERS = actors.GRANTS.add_columns(HELD.c.role_id, HELD.c.assignment_id)
NOBODY = "Nobody holds this role, so nothing changes for anybody."


@dataclass(frozen=True)
class EffectLine:
    """What one person gains and loses somewhere, in words; either may be empty."""

    where: str
    gains: str
    loses: str


@dataclass(frozen=True)
class PersonEffect:
    id: int
    name: str
    lines: list[EffectLine]


@dataclass(frozen=True)
class Effect:
    """What would change for whom. ``gains`` and ``loses`` are labels of the role's own permissions.

    ``called``: the name that the role shall have, when it is a new one.
    ``seen`` stands for the role and its holders as they were when this was reckoned.
    """

    headline: str = ""
    called: str = ""
    about: list[str] = field(default_factory=list)
    gains: list[str] = field(default_factory=list)
    loses: list[str] = field(default_factory=list)
    people: list[PersonEffect] = field(default_factory=list)
    more: int = 0
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Holders:
    """Everybody who holds a role, with a line for each of their assignments and schools."""

    role: Role
    rows: Sequence[Row]

    @property
    def people(self) -> frozenset[int]:
        return frozenset(row.id for row in self.rows)

    @property
    def with_nothing_else(self) -> frozenset[int]:
        """Who would be left without any assignment if the role went."""
        return self.people - {row.id for row in self.rows if row.role_id != self.role.id}

    def fingerprint(self, permissions: Collection[str] | None) -> str:
        """Another one as soon as the role, what it shall allow, or anything that its holders hold is another."""
        held = sorted(
            [row.id, row.active, row.assignment_id, row.school_id or 0, *row.permissions] for row in self.rows
        )
        role = [self.role.name, sorted(self.role.permissions), None if permissions is None else sorted(permissions)]
        return hashlib.sha256(json.dumps([role, held]).encode()).hexdigest()

    def now(self) -> dict[int, Actor]:
        return actors.group(row[: actors.COLUMNS] for row in self.rows)

    def with_role_allowing(self, permissions: Collection[str] | None) -> dict[int, Actor]:
        """The same people if the role allowed these instead; None when they do not hold it any more."""
        return actors.group(self._allowing(row, permissions) for row in self.rows)

    def _allowing(self, row: Row, permissions: Collection[str] | None) -> tuple[Any, ...]:
        who, active_and_name, place = row[0], row[1:3], row[4 : actors.COLUMNS]
        changed = row.role_id == self.role.id
        return (who, *active_and_name, permissions if changed else row.permissions, *place)


async def holders_of(session: AsyncSession, role: Role) -> Holders:
    ids = select(col(Assignment.staff_id)).where(col(Assignment.role_id) == role.id)
    found = await session.execute(HELD_BY_HOLDERS.where(HELD.c.staff_id.in_(ids)))
    return Holders(role, found.all())


async def effect_of(session: AsyncSession, holders: Holders, permissions: Collection[str] | None) -> Effect:
    """``permissions``: what the role shall allow, or its successor; None when it goes without one."""
    before, after = holders.now(), holders.with_role_allowing(permissions)
    changed = {i: found for i in after if (found := shifts(before[i], after[i]))}
    names = await _school_names(session, changed.values())
    people = [_person(after[i], changed[i], names) for i in changed]
    people.sort(key=lambda person: (person.name.casefold(), person.id))
    level = holders.role.level
    was, will = (effective(map(Permission, each or ()), level) for each in (holders.role.permissions, permissions))
    return Effect(
        headline=_headline(holders, changed, names),
        about=_about(after, changed),
        gains=labels(will - was),
        loses=labels(was - will),
        people=people[:MOST_LISTED],
        more=max(0, len(people) - MOST_LISTED),
        seen=holders.fingerprint(permissions),
    )


def demand(holders: int, without: int, *, includes_oneself: bool) -> str:
    """What it means when a role begins to ask for a second step. ``without``: who of its holders has none yet."""
    if not holders:
        return "Nobody holds this role yet. Whoever gets it signs in with a second step."
    people = counted(holders, "person holds", "people hold") + " this role"
    if not without:
        return f"{people}, and nobody has to set up a second step: all have one already."
    yourself = "; you among them." if includes_oneself else "."
    return f"{people}, {without:,} of them without a second step yet. They set it up when they next act{yourself}"


def labels(permissions: Iterable[str]) -> list[str]:
    return [label(p) for p in in_order(map(Permission, permissions))]


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def listed(names: Sequence[str]) -> str:
    """Lincoln, Roosevelt and Washington."""
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


async def _school_names(session: AsyncSession, changed: Iterable[Sequence[Shift]]) -> dict[int, str]:
    ids = {school for found in changed for shift in found for school in shift.schools}
    rows = await session.execute(
        select(col(School.id), col(School.name)).where(col(School.id).in_(ids)).order_by(col(School.name))
    )
    return {school_id: name for school_id, name in rows}  # noqa: C416 - rows are no pairs to a checker


def _person(person: Actor, found: Sequence[Shift], names: Mapping[int, str]) -> PersonEffect:
    lines = [
        EffectLine(_where(shift.schools, names), ", ".join(labels(shift.gains)), ", ".join(labels(shift.loses)))
        for shift in found
    ]
    return PersonEffect(person.staff_id, person.name, lines)


def _where(schools: Collection[int], names: Mapping[int, str]) -> str:
    if not schools:
        return "the district"
    if len(schools) > MOST_NAMED:
        return counted(len(schools), "school", "schools")
    return listed([name for school, name in names.items() if school in schools])


def _headline(holders: Holders, changed: Mapping[int, Sequence[Shift]], names: Mapping[int, str]) -> str:
    if not holders.people:
        return NOBODY
    if not changed:
        return f"Nothing changes in what {counted(len(holders.people), 'holder', 'holders')} of this role may do."
    at_district = any(not shift.schools for found in changed.values() for shift in found)
    places = (["the district"] if at_district else []) + ([_where(names.keys(), names)] if names else [])
    return f"This changes what {counted(len(changed), 'person', 'people')} may do, at {' and '.join(places)}."


def _about(after: Mapping[int, Actor], changed: Collection[int]) -> list[str]:
    gone = sum(not person.active for person in after.values())
    same = len(after) - len(changed) - gone
    said = []
    if same and changed:
        said.append(
            f"{counted(same, 'more person holds', 'more people hold')} it and neither gain nor lose anything, "
            "because of their other roles."
        )
    if gone:
        said.append(f"{counted(gone, 'holder has', 'holders have')} left; their accounts are closed.")
    return said
