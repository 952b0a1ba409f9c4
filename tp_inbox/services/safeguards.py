"""What every change of roles and people leaves standing: a role for everyone, and an admin for the district.

Whoever changes roles takes the locks in this order: people by id, roles, groups, then the admins' one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import exists, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import Place, PlaceKind
from tp_inbox.domain.errors import NotAllowed
from tp_inbox.domain.permissions import DISTRICT_ADMIN
from tp_inbox.storage.queries.ids import among
from tp_inbox.storage.tables import Assignment, ExternalIdentity, Role, SchoolGroup, Staff

NO_ADMIN = (
    "The district keeps at least one District Admin who can sign in, and this is the last one. "
    "Give the role to somebody else first."
)
NO_ROLE = "Everyone keeps at least one role, and {names} would have none. Give another role first."
_ADMINS_LOCK = 7_100_002
_CAN_SIGN_IN = or_(
    col(Staff.password_hash).is_not(None), exists().where(col(ExternalIdentity.staff_id) == col(Staff.id))
)
ADMINS = (
    select(col(Assignment.id))
    .join(Staff, col(Staff.id) == col(Assignment.staff_id))
    .join(Role, col(Role.id) == col(Assignment.role_id))
    .where(col(Role.base_key) == DISTRICT_ADMIN, col(Staff.active), _CAN_SIGN_IN)
)


async def require_a_role_stays(session: AsyncSession, staff_ids: Collection[int]) -> None:
    """Raises NotAllowed when one of them holds nothing any more. Ask after the change, in its transaction: whoever
    changes the roles of the same people at the same moment waits, and is refused.
    """
    await hold_people(session, staff_ids)
    without = select(col(Staff.name)).where(
        among(col(Staff.id), staff_ids), ~exists().where(col(Assignment.staff_id) == col(Staff.id))
    )
    names = list(await session.scalars(without.order_by(col(Staff.name)).limit(4)))
    if names:
        shown = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
        raise NotAllowed(NO_ROLE.format(names=shown))


async def require_a_district_admin_stays(session: AsyncSession, without: Collection[int] = ()) -> None:
    """Raises NotAllowed unless an active person who can sign in holds the base role District Admin; ``without``:
    people who do not count. Ask after the change, in its transaction: two admins who remove each other at the same
    moment come here one after the other.
    """
    await hold_admins(session)
    stays = await session.scalar(ADMINS.where(~among(col(Staff.id), without)).limit(1))
    if stays is None:
        raise NotAllowed(NO_ADMIN)


async def hold_people(session: AsyncSession, staff_ids: Collection[int]) -> None:
    """Until the transaction ends nobody else changes what these people hold; in one order, so that none waits in
    a ring.
    """
    people = select(col(Staff.id)).where(among(col(Staff.id), staff_ids)).order_by(col(Staff.id))
    await session.execute(people.with_for_update(key_share=True))


async def hold_admins(session: AsyncSession) -> None:
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADMINS_LOCK})


async def hold_groups(session: AsyncSession, places: Iterable[Place]) -> None:
    """Until the transaction ends none of these groups goes; after the roles, so that none waits in a ring."""
    ids = [place.id for place in places if place.kind is PlaceKind.GROUP]
    if ids:
        groups = select(col(SchoolGroup.id)).where(among(col(SchoolGroup.id), ids)).order_by(col(SchoolGroup.id))
        await session.execute(groups.with_for_update(read=True, key_share=True))
