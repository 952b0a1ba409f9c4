"""What is done about families held against the rules, both ways: saying who an unknown sender is, what a family's words
meant, stopping texts by hand and taking that back, in one's own conversations and in those opened in oversight.
"""

from __future__ import annotations

import random

import pytest
from sqlalchemy import delete, update
from sqlmodel import col

from tests.fakes import FakeGateway
from tests.rights.inspection import Inspection
from tests.rights.test_failures import EVERY_BASE_ROLE, holder
from tests.rights.world import Family, Talk, build_world
from tp_inbox.domain import access
from tp_inbox.domain.access import InboxKind
from tp_inbox.domain.consent import ConsentKind, ConsentScope, ConsentSource
from tp_inbox.services.unsubscribing import WHOLE_DISTRICT
from tp_inbox.services.views import ConsentView
from tp_inbox.storage.tables import ConsentEvent, Contact, Guardianship, Message, OversightReading, Student, Tie
from tp_inbox.storage.tables.messages import Purpose, StopQuestion
from tp_inbox.wiring import Wired

__all__ = ["holder"]

pytestmark = pytest.mark.slow

DISTRICTS = 2
TALKS, FAMILIES_TIED = 10, 3
REASON = "The family has called the office."


@pytest.mark.parametrize("seed", range(300, 300 + DISTRICTS))
async def test_families_in_a_district_of_chance(wired: Wired, gateway: FakeGateway, seed: int) -> None:
    chance = random.Random(seed)
    world = await build_world(wired, gateway, chance)
    people = [Inspection(wired.services, world, person, world.actor(person)) for person in world.people]
    for inspection in people:
        await _does_all(inspection, wired, chance)
    assert "\n".join(wrong for inspection in people for wrong in inspection.wrong) == ""


@EVERY_BASE_ROLE
async def test_families_for_every_base_role(wired: Wired, holder: Inspection) -> None:
    await _does_all(holder, wired, random.Random(11))
    assert "\n".join(holder.wrong) == ""


async def _does_all(i: Inspection, wired: Wired, chance: random.Random) -> None:
    """Whatever was done is undone, so that everybody finds the district as the rules are asked about it."""
    await _finds_students(i)
    unknown = [talk for talk in i.world.talks if not talk.family.schools]
    for talk in [*unknown, *chance.sample(i.world.talks, 2)]:
        await _ties(i, wired, talk, chance)
    own = [talk for talk in i.world.talks if access.may_read(i.actor, talk.inbox)]
    for talk in {t.id: t for t in [*chance.sample(i.world.talks, TALKS), *own[:2]]}.values():
        await _answers(i, wired, talk, stop=chance.random() < 0.5)
        await _stops(i, wired, talk, reads=access.may_read(i.actor, talk.inbox))
        await _stops_in_oversight(i, wired, talk)


# Saying who it is ------------------------------------------------------------------------------------------


async def _finds_students(i: Inspection) -> None:
    pupils = [pupil for family in i.world.families for pupil in family.pupils]
    found = await i.services.tying.students(i.actor, "Pupil")
    may = {student for student, school in pupils if access.may_manage_family(i.actor, school)}
    i.same("students to whom a number can be tied", {choice.id for choice in found}, may, len(pupils))
    movable = {f.contact_id for f in i.world.families if all(access.may_manage_family(i.actor, s) for s in f.schools)}
    offered = {contact.id: not contact.refused for choice in found for contact in choice.contacts}
    i.same("adults who can get a number", offered, {contact: contact in movable for contact in offered}, len(offered))


async def _ties(i: Inspection, wired: Wired, talk: Talk, chance: random.Random) -> None:
    s, actor = i.services.tying, i.actor
    reads = access.may_read(actor, talk.inbox)
    if reads:
        head = await i.services.threads.head(actor, talk.id)
        i.same("tying is offered", head.may_tie, not talk.family.schools and access.manages_families(actor))
    known = [family for family in i.world.families if family.pupils and family is not talk.family]
    for family in chance.sample(known, min(FAMILIES_TIED, len(known))):
        for student, school in family.pupils:
            may = reads and not talk.family.schools and access.may_manage_family(actor, school)
            everywhere = may and all(access.may_manage_family(actor, at) for at in family.schools)
            ways = {
                "a new number": (
                    everywhere,
                    lambda f=family, p=student: s.to_contact(actor, talk.id, p, f.contact_id or 0),
                ),
                "somebody new": (may, lambda p=student: s.to_somebody_new(actor, talk.id, p, "Somebody", "aunt")),
                "a student": (may, lambda p=student: s.to_student(actor, talk.id, p)),
            }
            for what, (allowed, tie) in ways.items():
                await i.holds(f"tying {what}", allowed, tie)
                await _untie(wired, family)


async def _untie(wired: Wired, family: Family) -> None:
    new = col(Contact.name) == "Somebody"
    async with wired.db.transaction() as session:
        of_new = col(Guardianship.relation) == "aunt"
        await session.execute(delete(Tie))
        await session.execute(delete(Guardianship).where(of_new))
        await session.execute(delete(Contact).where(new))
        back = update(Contact).where(col(Contact.id) == family.contact_id)
        await session.execute(back.values(phone_id=family.phone_id))
        await session.execute(update(Student).values(phone_id=None))


# Whether they want texts -----------------------------------------------------------------------------------


async def _answers(i: Inspection, wired: Wired, talk: Talk, *, stop: bool) -> None:
    asked = update(Message).where(col(Message.id) == talk.message_id)
    async with wired.db.transaction() as session:
        await session.execute(asked.values(stop_question=StopQuestion.OPEN))
    may = access.may_read(i.actor, talk.inbox) and access.may_answer_stop(i.actor, talk.inbox)
    if access.may_read(i.actor, talk.inbox):
        i.same("an answer is asked for", (await i.services.threads.head(i.actor, talk.id)).asked.may_answer, may)
    answer = i.services.unsubscribing.answer
    await i.holds("answering", may, lambda: answer(i.actor, talk.id, talk.message_id, stop=stop))
    await _forget(wired)


async def _stops_in_oversight(i: Inspection, wired: Wired, talk: Talk) -> None:
    """Where one may read as one's own as well, oversight takes nothing away."""
    if not access.may_oversee(i.actor, i.world.overseen(talk)):
        return
    await i.services.oversight.open(i.actor, talk.id, REASON)
    head = await i.services.oversight.head(i.actor, talk.id)
    may = _places(i, talk)
    i.same("texts can be stopped in oversight", head.manages, bool(may))
    i.same("places in oversight", _offered(head.consent), may, len(i.world.schools) + 1)
    await _stops(i, wired, talk, reads=True)
    async with wired.db.transaction() as session:
        await session.execute(delete(OversightReading))


async def _stops(i: Inspection, wired: Wired, talk: Talk, *, reads: bool) -> None:
    s, may = i.services.unsubscribing, _places(i, talk) if reads else set()
    if access.may_read(i.actor, talk.inbox):
        told = (await i.services.threads.head(i.actor, talk.id)).consent
        i.same("places", _offered(told), may, len(i.world.schools) + 1)
    for place in [*i.world.schools, WHOLE_DISTRICT]:
        await i.holds("stopping", place in may, lambda p=place: s.unsubscribe(i.actor, talk.id, p, "", tell=False))
        await _forget(wired)
        for source in (ConsentSource.STAFF, ConsentSource.FAMILY):
            await _takes_back(i, wired, talk, place, source, reads=reads)


async def _takes_back(
    i: Inspection, wired: Wired, talk: Talk, place: int, source: ConsentSource, *, reads: bool
) -> None:
    """The entry concerns the conversation, staff have recorded it, and the actor could have done so."""
    await _record(wired, talk, place, source)
    concerned = place == WHOLE_DISTRICT or place in _writes_for(i, talk)
    undoable = source is ConsentSource.STAFF and access.may_unsubscribe(i.actor, place or None)
    may = reads and concerned and undoable
    if access.may_read(i.actor, talk.inbox):
        i.same("offered back", (await i.services.threads.head(i.actor, talk.id)).consent.may_take_back, may)
    await i.holds("taking back", may, lambda: i.services.unsubscribing.take_back(i.actor, talk.id))
    await _forget(wired)


def _places(i: Inspection, talk: Talk) -> set[int]:
    concerned = talk.family.schools | ({talk.inbox.school_id} if talk.inbox.school_id else set())
    schools = {school for school in concerned if access.may_unsubscribe(i.actor, school)}
    return schools | ({WHOLE_DISTRICT} if access.may_unsubscribe(i.actor, None) else set())


def _offered(consent: ConsentView) -> set[int]:
    return {place.id for place in consent.places}


def _writes_for(i: Inspection, talk: Talk) -> frozenset[int]:
    if talk.inbox.kind is InboxKind.SCHOOL:
        return frozenset([talk.inbox.school_id or 0])
    return next(i.world.works_at(person) for person in i.world.people if person.id == talk.inbox.staff_id)


async def _record(wired: Wired, talk: Talk, place: int, source: ConsentSource) -> None:
    scope = ConsentScope.SCHOOL if place else ConsentScope.ALL
    written = {"kind": ConsentKind.OPTED_OUT, "scope": scope, "source": source, "school_id": place or None}
    async with wired.db.transaction() as session:
        session.add(ConsentEvent(phone_id=talk.family.phone_id, **written))


async def _forget(wired: Wired) -> None:
    async with wired.db.transaction() as session:
        await session.execute(delete(ConsentEvent))
        await session.execute(delete(Message).where(col(Message.purpose) == Purpose.STOP_CONFIRMED))
        await session.execute(update(Message).values(stop_question=None, stop_answered_by=None))
