"""A conversation of somebody who has left goes on in their successor's thread with that family."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, InboxKind, InboxRef
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.services import audit
from tp_inbox.services.threads import thread_between
from tp_inbox.storage.tables import OversightReading, ReadMarker, Thread

OPEN_FOR = timedelta(days=90)
"""A conversation with a text within this time is an open one."""
REASON = "Took over this conversation while your account was closed."
NOT_THEIRS = "{name} cannot write to this family: none of its students is at a school where {name} may."


@dataclass(frozen=True, slots=True)
class Handed:
    """Ids of conversations: by that of the successor's thread which goes on with it, and those that stayed."""

    gone: dict[int, int] = field(default_factory=dict)
    stayed: tuple[int, ...] = ()


def why_it_stays(successor: Actor, family_schools: frozenset[int]) -> str:
    """Why this conversation cannot go to the successor; empty when it can."""
    own = InboxRef(0, InboxKind.PERSONAL, successor.staff_id, None)
    allowed = access.may_send(successor, own, family_schools)
    return "" if allowed else NOT_THEIRS.format(name=successor.name)


async def go_on(session: AsyncSession, person: Actor, old: Thread, successor: Actor, inbox: int) -> int:
    """The successor's thread with that family, in which the old one goes on; what was not read there is unread here.
    Under the family phone's lock. Who comes back is shown who has read it. ``inbox``: the successor's.
    """
    new = await session.get_one(Thread, await thread_between(session, inbox, old.phone_id))
    new.inbound_count += await _unread(session, person, old)
    old.continued_in_id = new.id
    if old.last_at and (new.last_at is None or new.last_at < old.last_at):
        new.last_at, new.last_message_id = old.last_at, old.last_message_id
        new.last_direction, new.last_author_id, new.preview = old.last_direction, old.last_author_id, old.preview
    reader, owner = successor.staff_id, person.staff_id
    session.add(OversightReading(reader_id=reader, thread_id=old.id, owner_id=owner, reason=REASON))
    await session.flush()
    return new.id


async def _unread(session: AsyncSession, person: Actor, thread: Thread) -> int:
    marker = (col(ReadMarker.staff_id) == person.staff_id, col(ReadMarker.thread_id) == thread.id)
    seen = await session.scalar(select(col(ReadMarker.seen)).where(*marker))
    return max(0, thread.inbound_count - (seen or 0))


async def record(session: AsyncSession, actor: Actor | None, person: Actor, successor: Actor, handed: Handed) -> None:
    await audit.record(
        session,
        AuditKind.HANDED_OVER,
        actor,
        subject=person.staff_id,
        facts={"successor": successor.staff_id, "threads": sorted(handed.gone), "stayed": sorted(handed.stayed)},
        names={"subject": person.name, "successor": successor.name},
    )
