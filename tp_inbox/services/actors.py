"""People as access sees them, read from the database in one query for any number of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import Actor, Grant, actor_from
from tp_inbox.domain.errors import SignedOut
from tp_inbox.domain.permissions import Permission
from tp_inbox.storage.queries.places import HELD
from tp_inbox.storage.tables import Role, Staff

GRANTS = (
    select(col(Staff.id), col(Staff.name), col(Staff.active), col(Role.permissions), col(Role.level), HELD.c.school_id)
    .outerjoin(HELD, HELD.c.staff_id == col(Staff.id))
    .outerjoin(Role, col(Role.id) == HELD.c.role_id)
)
COLUMNS = len(GRANTS.selected_columns)


async def actors_of(session: AsyncSession, staff_ids: Collection[int]) -> dict[int, Actor]:
    """By staff id; ids of nobody are left out."""
    return group((await session.execute(GRANTS.where(col(Staff.id).in_(staff_ids)))).all())


async def as_of_now(session: AsyncSession, actor: Actor) -> Actor:
    """The same person with the permissions of this very transaction, for a check and the write it allows."""
    current = (await actors_of(session, [actor.staff_id])).get(actor.staff_id)
    if current is None or not current.active:
        raise SignedOut
    return current


def group(rows: Iterable[Sequence[Any]]) -> dict[int, Actor]:
    """Rows of (staff id, name, active, permissions of one role, its level, the school) → one Actor a person."""
    people: dict[int, tuple[str, bool]] = {}
    grants: dict[int, list[Grant]] = defaultdict(list)
    for staff_id, name, active, permissions, level, school_id in rows:
        people[staff_id] = (name, active)
        if permissions is not None:
            grants[staff_id].append(Grant(_known(tuple(permissions)), level, school_id))
    return {i: actor_from(i, name, active, grants[i]) for i, (name, active) in people.items()}


@lru_cache(maxsize=4096)
def _known(permissions: tuple[str, ...]) -> frozenset[Permission]:
    """Made once for each role there is, and not for each of its holders."""
    return frozenset(map(Permission, permissions))
