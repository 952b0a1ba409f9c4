"""Every way of reading and writing, held against the rules in districts of chance: what is allowed works, what is
not is refused, and what is found, counted or listed is exactly what may be seen.
"""

from __future__ import annotations

import random
from uuid import uuid4

import pytest

from tests.fakes import FakeGateway
from tests.rights.inspection import Inspection
from tests.rights.world import Talk, build_world
from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, InboxKind
from tp_inbox.wiring import Wired

pytestmark = pytest.mark.slow

DISTRICTS = 4
AT_LEAST = 10_000
"""Cases over all districts; a part of them is missing when a way of reading has lost its test."""

held: dict[int, int] = {}
"""By district, how many cases were held against the rules."""


@pytest.mark.parametrize("seed", range(DISTRICTS))
async def test_every_way_in_a_district_of_chance(wired: Wired, gateway: FakeGateway, seed: int) -> None:
    chance = random.Random(seed)
    world = await build_world(wired, gateway, chance)
    people = [Inspection(wired.services, world, person, world.actor(person)) for person in world.people]
    for look in (looks, acts):  # what somebody writes changes what others see
        for inspection in people:
            await look(inspection)
    assert "\n".join(wrong for inspection in people for wrong in inspection.wrong) == ""
    held[seed] = sum(inspection.cases for inspection in people)


def test_there_were_enough_cases() -> None:
    if len(held) < DISTRICTS:
        pytest.skip("only a part of the districts was looked at")
    assert sum(held.values()) >= AT_LEAST


async def looks(i: Inspection) -> None:
    await _lists(i)
    await finding(i)
    for talk in i.world.talks:
        await _reading(i, talk)


async def acts(i: Inspection) -> None:
    for talk in i.world.talks:
        await _writing(i, talk)


async def _lists(i: Inspection) -> None:
    """Lists, counts and previews hold what may be read and nothing else."""
    for kind in InboxKind:
        may = {t.id for t in i.world.talks if t.inbox.kind is kind and access.may_read(i.actor, t.inbox)}
        rows, _ = await i.services.inboxes.threads(i.actor, kind)
        i.same(f"the list of {kind}", {row.id for row in rows}, may, len(i.world.talks))
        i.same("previews", {row.preview for row in rows}, {t.secret for t in i.world.talks if t.id in may})
    tabs = await i.services.inboxes.tabs(i.actor)
    unread = [t for t in i.world.talks if access.may_read(i.actor, t.inbox)]
    counted = {kind: sum(t.inbox.kind is kind for t in unread) for kind in InboxKind}
    i.same(
        "counts", (tabs.personal_unread, tabs.school_unread), (counted[InboxKind.PERSONAL], counted[InboxKind.SCHOOL])
    )
    i.same("tabs", (tabs.personal, tabs.school), (access.has_personal_inbox(i.actor), bool(_school_inboxes(i.actor))))


async def finding(i: Inspection) -> None:
    may = {f.name for f in i.world.families if f.schools & access.writable_schools(i.actor)}
    found = await i.services.finding.recipients(i.actor, "Family")
    i.same("who is found", {r.name for r in found if not r.is_student}, may, len(i.world.families))
    for family in i.world.families:
        senders = await i.services.threads.senders(i.actor, family.phone_id)
        i.same(f"From to {family.name}", {s.inbox_id for s in senders}, i.world.senders(i.person, family))


async def _reading(i: Inspection, talk: Talk) -> None:
    allowed = access.may_read(i.actor, talk.inbox)
    s, actor = i.services, i.actor
    rows = await i.holds("messages", allowed, lambda: s.inboxes.messages(actor, talk.id))
    if rows:
        i.same("the text", [row.text for row in rows[0]], [talk.secret])
    await i.holds("older messages", allowed, lambda: s.inboxes.messages(actor, talk.id, before=talk.message_id))
    await i.holds("a line", allowed, lambda: s.inboxes.thread_row(actor, talk.id))
    await i.holds("the head", allowed, lambda: s.threads.head(actor, talk.id))
    await i.holds("the draft", allowed, lambda: s.threads.draft(actor, talk.id))
    await i.holds("measuring", allowed, lambda: s.sending.measure(actor, talk.id, "Hello"))


async def _writing(i: Inspection, talk: Talk) -> None:
    may_read = i.person.active and access.may_read(i.actor, talk.inbox)
    s, actor = i.services, i.actor
    await i.holds("marking read", may_read, lambda: s.inboxes.mark_read(actor, talk.id))
    await i.holds("keeping a draft", may_read, lambda: s.threads.save_draft(actor, talk.id, uuid4(), "Begun"))
    may_send = may_read and access.may_send(actor, talk.inbox, talk.family.schools)
    await i.holds("sending", may_send, lambda: s.sending.send(actor, talk.id, "Hello", uuid4(), 2**53))
    senders = i.world.senders(i.person, talk.family)
    for other in i.world.inboxes:
        may_choose = may_read and other.id in senders
        await i.holds("choosing From", may_choose, lambda o=other: s.threads.choose_sender(actor, talk.id, o.id))


def _school_inboxes(actor: Actor) -> frozenset[int]:
    return access.readable_school_inboxes(actor)
