"""What a change of groups does, and for whom: a role held at a group is held at each of its schools."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, Grant, actor_from
from tp_inbox.domain.errors import NotAllowed
from tp_inbox.domain.permissions import Permission, in_order, label
from tp_inbox.services import people
from tp_inbox.storage.tables import Assignment, GroupSchool, Role, Staff

EMPTY_GROUP = (
    "Without a school, the roles held at this group allow nothing. The people keep them, and they count again as "
    "soon as the group has a school."
)
MOST_SHOWN = 50
MOST_NAMED = 3


@dataclass(frozen=True)
class GroupFields:
    """What an admin decides about a group. ``schools``: ids."""

    name: str = ""
    schools: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Group:
    """``id`` is 0 for one that is not there yet."""

    id: int
    name: str
    schools: frozenset[int] = frozenset()

    @property
    def fields(self) -> GroupFields:
        return GroupFields(self.name, self.schools)


@dataclass(frozen=True, slots=True)
class Move:
    """A group and the schools that it shall have."""

    group: Group
    schools: frozenset[int]

    @property
    def added(self) -> frozenset[int]:
        return self.schools - self.group.schools

    @property
    def removed(self) -> frozenset[int]:
        return self.group.schools - self.schools

    @property
    def changes(self) -> bool:
        return not self.group.id or self.schools != self.group.schools


@dataclass(frozen=True)
class Effect:
    """What changes for one person. ``others``: how many more roles they hold, elsewhere."""

    id: int
    name: str
    initials: str
    hue: int
    gains: list[str]
    loses: list[str]
    others: int
    nothing_left: bool


@dataclass(frozen=True)
class Preview:
    """What a change of groups does, before it is made. ``more``: how many people beyond those shown."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    holders: int = 0
    changed: int = 0
    effects: list[Effect] = field(default_factory=list)
    more: int = 0
    warning: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Holding:
    """A role that somebody holds somewhere."""

    grant: Grant
    group_id: int | None


@dataclass(frozen=True, slots=True)
class Shift:
    """By school, what a person may do more, and what no more."""

    gained: Mapping[int, frozenset[Permission]]
    lost: Mapping[int, frozenset[Permission]]
    nothing_left: bool


async def preview(session: AsyncSession, actor: Actor, moves: Sequence[Move], names: Mapping[int, str]) -> Preview:
    moves = [move for move in moves if move.changes]
    holdings = await _holdings(session, [move.group.id for move in moves])
    before = await members_of(session, {h.group_id for _, held in holdings.values() for h in held if h.group_id})
    after = before | {move.group.id: move.schools for move in moves}
    effects = [
        _effect(staff_id, name, held, _shift(held, before, after), moves, names)
        for staff_id, (name, held) in holdings.items()
    ]
    effects.sort(key=lambda effect: (not effect.loses, not effect.gains, effect.name))
    emptied = any(not move.schools for move in moves)
    return Preview(
        added=names_of(names, frozenset().union(*(move.added for move in moves))),
        removed=names_of(names, frozenset().union(*(move.removed for move in moves))),
        holders=len(effects),
        changed=sum(bool(effect.gains or effect.loses) for effect in effects),
        effects=effects[:MOST_SHOWN],
        more=max(0, len(effects) - MOST_SHOWN),
        warning=EMPTY_GROUP if emptied and effects else "",
        refusal=await _first_refusal(session, actor, moves),
    )


async def _first_refusal(session: AsyncSession, actor: Actor, moves: Sequence[Move]) -> str:
    for move in moves:
        if refusal := await refusal_to_move(session, actor, move.group):
            return refusal.sentence if len(moves) == 1 else f"{move.group.name}: {refusal.sentence}"
    return ""


async def _holdings(session: AsyncSession, group_ids: Collection[int]) -> dict[int, tuple[str, list[Holding]]]:
    """By staff id the name, and all that is held by those who work here and hold a role at one of these groups."""
    concerned = select(col(Assignment.staff_id)).where(col(Assignment.group_id).in_(group_ids))
    query = (
        select(Assignment, col(Staff.name), col(Role.permissions), col(Role.level))
        .join(Staff, col(Staff.id) == col(Assignment.staff_id))
        .join(Role, col(Role.id) == col(Assignment.role_id))
        .where(col(Assignment.staff_id).in_(concerned), col(Staff.active))
        .order_by(col(Staff.name), col(Assignment.id))
    )
    found: dict[int, tuple[str, list[Holding]]] = {}
    for assignment, name, permissions, level in await session.execute(query):
        grant = Grant(frozenset(map(Permission, permissions)), level, assignment.school_id)
        found.setdefault(assignment.staff_id, (name, []))[1].append(Holding(grant, assignment.group_id))
    return found


def _shift(held: Sequence[Holding], before: Mapping[int, frozenset[int]], after: Mapping[int, frozenset[int]]) -> Shift:
    was, becomes = _spread(held, before), _spread(held, after)
    schools = was.schools.keys() | becomes.schools.keys()
    none = frozenset[Permission]()
    gained = {i: becomes.schools.get(i, none) - was.schools.get(i, none) for i in schools}
    lost = {i: was.schools.get(i, none) - becomes.schools.get(i, none) for i in schools}
    return Shift(gained, lost, nothing_left=not (becomes.district or any(becomes.schools.values())))


def _spread(held: Sequence[Holding], members: Mapping[int, frozenset[int]]) -> Actor:
    """A person's permissions, were these the schools of the groups."""
    grants = [h.grant for h in held if h.group_id is None]
    grants += [replace(h.grant, school_id=i) for h in held if h.group_id for i in members[h.group_id]]
    return actor_from(0, "", True, grants)


def _effect(
    staff_id: int, name: str, held: Sequence[Holding], shift: Shift, moves: Sequence[Move], names: Mapping[int, str]
) -> Effect:
    moved = {move.group.id for move in moves}
    return Effect(
        id=staff_id,
        name=name,
        initials=people.initials(name),
        hue=people.hue_of(staff_id),
        gains=_at_schools(shift.gained, names),
        loses=_at_schools(shift.lost, names),
        others=sum(h.group_id not in moved for h in held),
        nothing_left=shift.nothing_left,
    )


def _at_schools(shifted: Mapping[int, frozenset[Permission]], names: Mapping[int, str]) -> list[str]:
    """Lincoln and Roosevelt: See the directory, Export. One line for the schools of which the same is true."""
    alike: dict[frozenset[Permission], list[str]] = defaultdict(list)
    for school_id, name in names.items():
        if permissions := shifted.get(school_id):
            alike[permissions].append(name)
    return [f"{some(schools)}: {', '.join(map(label, in_order(p)))}" for p, schools in alike.items()]


async def members_of(session: AsyncSession, group_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """By group id, the ids of its schools; a group without any is there, too."""
    members: dict[int, set[int]] = {i: set() for i in group_ids}
    for member in await session.scalars(select(GroupSchool).where(col(GroupSchool.group_id).in_(group_ids))):
        members[member.group_id].add(member.school_id)
    return {i: frozenset(schools) for i, schools in members.items()}


async def refusal_to_move(session: AsyncSession, actor: Actor, group: Group) -> NotAllowed | None:
    held = (
        select(col(Assignment.staff_id), col(Role.permissions))
        .join(Role, col(Role.id) == col(Assignment.role_id))
        .where(col(Assignment.group_id) == group.id)
    )
    found = (await session.execute(held)).all()
    return access.refusal_to_regroup(actor, [(i, frozenset(map(Permission, held))) for i, held in found])


def names_of(names: Mapping[int, str], ids: Collection[int]) -> list[str]:
    return [name for i, name in names.items() if i in ids]


def some(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    if len(names) <= MOST_NAMED + 1:
        return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
    return ", ".join(names[:MOST_NAMED]) + f" and {len(names) - MOST_NAMED} more"
