"""Taking back who an unknown sender was said to be: the newest tie of a phone, while it is as it was made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import actors, audit
from tp_inbox.services.consent import lock_phones
from tp_inbox.services.views import NOT_TIED, TiedHere
from tp_inbox.storage.queries.families import schools_of_contacts
from tp_inbox.storage.queries.scope import own_thread
from tp_inbox.storage.tables import Contact, FamilyPhone, Guardianship, Student, Tie

NOT_BY_HAND = "Nobody can be removed here: this was not said in the product, or it has been changed since."


@dataclass(frozen=True, slots=True)
class Standing:
    """A tie that holds; ``person`` is whom it put at the phone, ``schools`` those of all their students."""

    tie: Tie
    student: Student
    person: Contact | Student
    schools: frozenset[int]


async def tied_here(session: AsyncSession, actor: Actor, phone_id: int) -> TiedHere:
    """Whom the actor may remove from this phone, and what becomes of them."""
    standing = await _standing(session, phone_id) if access.manages_families(actor) else None
    if standing is None or _refusal(actor, standing):
        return NOT_TIED
    if standing.tie.fresh:
        return TiedHere(standing.person.name, "They are no longer on file.")
    before = await session.get(FamilyPhone, await _phone_before(session, standing.tie) or 0)
    back = f"They get back the number {display_phone(before.e164)}." if before else "They have no number on file then."
    return TiedHere(standing.person.name, back)


async def undo(session: AsyncSession, actor: Actor, thread_id: int) -> list[int]:
    """Whom the tie put at the thread's phone is no longer there; ids of the phones whose people are others now.

    Texts that are queued keep their number. Raises NotFound, NotAllowed, and Invalid when there is nothing to undo.
    """
    actor = await actors.as_of_now(session, actor)
    thread, _ = await own_thread(session, actor, thread_id)
    old = await session.scalar(select(col(Tie.before_id)).where(col(Tie.phone_id) == thread.phone_id))
    phones = await lock_phones(session, {thread.phone_id, old or thread.phone_id})
    access.require(access.manages_families(actor), access.FAMILIES_ONLY)
    standing = await _standing(session, thread.phone_id, lock=True)
    if standing is None or standing.tie.before_id != old:
        raise Invalid(NOT_BY_HAND)
    if refusal := _refusal(actor, standing):
        raise refusal
    next(phone for phone in phones if phone.id == thread.phone_id).language = standing.tie.language
    back = await _take_back(session, standing)
    await _record(session, actor, thread_id, standing, back)
    return [thread.phone_id, *([back] if back else [])]


async def _standing(session: AsyncSession, phone_id: int, *, lock: bool = False) -> Standing | None:
    """None when the person has another number by now, or was never tied by hand."""
    tie = await session.get(Tie, phone_id)
    if tie is None:
        return None
    student = await session.get_one(Student, tie.student_id)
    person = await session.get_one(Contact, tie.contact_id) if tie.contact_id else student
    if lock:
        await session.refresh(person, with_for_update=True)
    theirs = (await schools_of_contacts(session, [person.id])).get(person.id) if tie.contact_id else None
    schools = frozenset(theirs or ()) | {student.school_id}
    return Standing(tie, student, person, schools) if person.phone_id == phone_id else None


def _refusal(actor: Actor, standing: Standing) -> NotAllowed | None:
    if not access.may_manage_family(actor, standing.student.school_id):
        return NotAllowed(access.FAMILIES_ONLY)
    return access.refusal_to_move_contact(actor, standing.schools)


async def _take_back(session: AsyncSession, standing: Standing) -> int | None:
    """Where the person is reached from now on."""
    tie, person = standing.tie, standing.person
    back = await _phone_before(session, tie)
    person.phone_id = back
    await session.delete(tie)
    await session.flush()
    if tie.fresh:
        await _forget(session, tie.student_id, person.id)
    return back


async def _phone_before(session: AsyncSession, tie: Tie) -> int | None:
    """Unless somebody else has been named there since: two families would read there."""
    later = exists().where(col(Tie.phone_id) == tie.before_id, col(Tie.at) > tie.at)
    return None if await session.scalar(select(later)) else tie.before_id


async def _forget(session: AsyncSession, student_id: int, contact_id: int) -> None:
    """A contact who was made with the tie; one who has got another student since stays, without a number."""
    bond = (col(Guardianship.student_id) == student_id, col(Guardianship.contact_id) == contact_id)
    await session.execute(delete(Guardianship).where(*bond))
    others = select(func.count()).where(col(Guardianship.contact_id) == contact_id)
    if not await session.scalar(others):
        await session.execute(delete(Tie).where(col(Tie.contact_id) == contact_id))
        await session.execute(delete(Contact).where(col(Contact.id) == contact_id))


async def _record(session: AsyncSession, actor: Actor, thread_id: int, standing: Standing, back: int | None) -> None:
    tie = standing.tie
    facts = {"thread": thread_id, "phone": tie.phone_id, "student": tie.student_id}
    facts |= {"contact": tie.contact_id, "new": tie.fresh} if tie.contact_id else {}
    facts |= {"phone_back": back} if back else {}
    schools: Collection[int] = [standing.student.school_id]
    await audit.record(session, AuditKind.SENDER_UNNAMED, actor, schools=schools, facts=facts)
