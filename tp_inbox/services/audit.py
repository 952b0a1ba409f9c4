"""The audit log: who did what, on whom, when, from where, before and after."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind, canonical, names_digest
from tp_inbox.storage.queries.places import schools_of_staff
from tp_inbox.storage.tables import AuditEntry, Staff

ON_THE_SERVER = "the server"
origin: ContextVar[str] = ContextVar("origin", default=ON_THE_SERVER)
"""Where the request that runs now came from; the gate and the routes set it."""


@contextmanager
def coming_from(address: str) -> Iterator[None]:
    """What is recorded in this block came from there."""
    before = origin.set(address)
    try:
        yield
    finally:
        origin.reset(before)


async def record(
    session: AsyncSession,
    kind: AuditKind,
    actor: Actor | None,
    *,
    subject: int | None = None,
    schools: Collection[int] | None = None,
    facts: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> AuditEntry:
    """Writes an entry in the transaction of what it tells, so that neither is there without the other.

    ``actor``: None when the server itself acts. ``subject``: on which member of staff. ``schools``: whose admins
    may read it; left out, those where the subject works. ``facts``, ``before`` and ``after`` hold ids, permissions
    and other words of ours, and stay for ever. Everything that names a person, or that a person has typed, belongs
    into ``names``, which retention may remove; "actor" and "subject" are added. The words that a sentence of the
    log is made of stand in ``audit_sentences``. Raises TypeError for a fraction, and for what is no JSON.
    """
    if schools is None:
        schools = (await schools_of_staff(session, [subject])).get(subject, frozenset()) if subject else ()
    named = await _name_of(session, subject) | dict(names or {})
    made = entry(kind, actor, subject=subject, schools=schools, facts=facts, before=before, after=after, names=named)
    session.add(made)
    await session.flush()
    return made


async def record_own(session: AsyncSession, kind: AuditKind, staff_id: int, **facts: Any) -> AuditEntry:
    """What a person did to their own account while nobody was signed in yet, or any more."""
    person = await session.get_one(Staff, staff_id)
    actor = Actor(person.id, person.name, person.active)
    return await record(session, kind, actor, subject=staff_id, facts=facts)


def entry(
    kind: AuditKind,
    actor: Actor | None,
    *,
    subject: int | None = None,
    schools: Collection[int] = (),
    facts: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> AuditEntry:
    """What ``record`` writes, for thousands that are added to the session at once; it looks nothing up."""
    kept = dict(names or {}) | ({"actor": actor.name} if actor else {}) | {"salt": secrets.token_hex(8)}
    return AuditEntry(
        kind=kind,
        actor_id=actor.staff_id if actor else None,
        subject_id=subject,
        schools=sorted(schools),
        address=origin.get(),
        facts=_lasting(facts),
        before=_lasting(before),
        after=_lasting(after),
        names=kept,
        names_digest=names_digest(kept),
    )


async def _name_of(session: AsyncSession, subject: int | None) -> dict[str, str]:
    if subject is None:
        return {}
    name = await session.scalar(select(col(Staff.name)).where(col(Staff.id) == subject))
    return {"subject": name} if name else {}


def _lasting(content: Mapping[str, Any] | None) -> dict[str, Any]:
    """Refused now rather than when it is sealed, because nobody could mend it then."""
    kept = dict(content or {})
    canonical(kept)
    return kept
