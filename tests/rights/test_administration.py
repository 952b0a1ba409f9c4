"""Oversight and administration held against the rules in districts of chance, both ways."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import delete, select
from sqlmodel import col

from tests.fakes import FakeGateway
from tests.rights.inspection import Inspection
from tests.rights.world import MadeUpRole, Person, Talk, assignment, build_world
from tp_inbox.domain import access
from tp_inbox.domain.access import Place
from tp_inbox.services import audit_log, oversight, staff_directory
from tp_inbox.storage.tables import Assignment, AuditEntry
from tp_inbox.wiring import Wired

pytestmark = pytest.mark.slow

DISTRICTS = 3
REASON = "A question of the office."
TRIES_TO_GIVE = 12


@pytest.mark.parametrize("seed", range(200, 200 + DISTRICTS))
async def test_oversight_and_administration_in_a_district_of_chance(
    wired: Wired, gateway: FakeGateway, seed: int
) -> None:
    chance = random.Random(seed)
    world = await build_world(wired, gateway, chance)
    people = [Inspection(wired.services, world, person, world.actor(person)) for person in world.people]
    for look in (sees_of_others, sees_of_staff, opens_pages):
        for inspection in people:
            await look(inspection)
    for inspection in people:
        await _gives_and_takes(inspection, wired, chance)
        await _manages_accounts(inspection)
    for inspection in people:
        await _reads_the_log(inspection, wired)
    assert "\n".join(wrong for inspection in people for wrong in inspection.wrong) == ""


async def sees_of_others(i: Inspection) -> None:
    """What is listed and found is exactly what may be overseen; nothing is read before it was opened."""
    may = {t.id for t in i.world.talks if _oversees(i, t)}
    listed = await i.holds("the list of oversight", access.oversees(i.actor), lambda: _all_overseen(i, ""))
    i.same("what is overseen", listed or set(), may, len(i.world.talks))
    for family in i.world.families if access.oversees(i.actor) else ():
        theirs = {t.id for t in i.world.talks if t.family is family and t.id in may and family.schools}
        i.same(f"what is found of {family.name}", await _all_overseen(i, family.name), theirs)
    for talk in i.world.talks:
        await _opens(i, talk)


async def _opens(i: Inspection, talk: Talk) -> None:
    s, actor, may = i.services.oversight, i.actor, _oversees(i, talk)
    await i.holds("the head in oversight", may, lambda: s.head(actor, talk.id))
    await i.holds("messages that were not opened", False, lambda: s.messages(actor, talk.id))
    needs_reason = access.oversight_needs_reason(actor, talk.inbox)
    await i.holds("opening without a reason", may and not needs_reason and actor.active, lambda: s.open(actor, talk.id))
    await i.holds("opening with a reason", may and actor.active, lambda: s.open(actor, talk.id, REASON))
    rows = await i.holds("messages in oversight", may, lambda: s.messages(actor, talk.id))
    i.same("the overseen text", [row.text for row in rows[0]] if rows else [], [talk.secret] if may else [])


async def _all_overseen(i: Inspection, family: str) -> set[int]:
    found, before = set(), None
    while True:
        rows, more = await i.services.oversight.threads(i.actor, oversight.Question(family=family), before)
        found |= {row.id for row in rows}
        if not more:
            return found
        before = (datetime.fromisoformat(rows[-1].at), rows[-1].id)


async def sees_of_staff(i: Inspection) -> None:
    s, actor = i.services, i.actor
    may = {p.id for p in i.world.people if _sees(i, p)}
    asked = staff_directory.Asked()
    page = await i.holds("the list of staff", access.manages_staff(actor), lambda: s.staff_directory.page(actor, asked))
    i.same("who is in the list of staff", {row.id for row in page.rows} if page else set(), may, len(i.world.people))
    i.same("how many there are", page.total if page else 0, len(may))
    for person in i.world.people:
        sees = person.id in may
        await i.holds("a person", sees, lambda p=person: s.staff_directory.person(actor, p.id))
        await i.holds("a person's roles", sees, lambda p=person: s.assignments.of_person(actor, p.id))
        await i.holds("ways to sign in", sees, lambda p=person: s.second_steps.ways_of(actor, p.id))
        await i.holds("an absence", sees, lambda p=person: s.leaving.absence(actor, p.id))


async def opens_pages(i: Inspection) -> None:
    s, actor = i.services, i.actor
    log = audit_log.Asked()
    pages: dict[str, tuple[bool, Callable[[], Awaitable[object]]]] = {
        "roles": (access.manages_roles(actor), lambda: s.roles.all(actor)),
        "a role": (access.manages_roles(actor), lambda: s.roles.show(actor, i.world.roles[0].id)),
        "schools": (access.manages_schools(actor), lambda: s.schools.all(actor)),
        "a school": (access.manages_schools(actor), lambda: s.schools.school(actor, i.world.schools[0])),
        "groups": (access.manages_schools(actor), lambda: s.groups.all(actor)),
        "numbers": (access.manages_schools(actor), lambda: s.number_admin.list(actor)),
        "queues": (access.manages_schools(actor), lambda: s.queues.shown_to(actor)),
        "texts left aside": (access.manages_schools(actor), lambda: s.receiving.left_aside(actor)),
        "comparisons": (access.manages_schools(actor), lambda: s.reconciliations.latest(actor)),
        "numbers nobody uses": (access.manages_schools(actor), lambda: s.number_admin.unknown(actor)),
        "alerts": (access.manages_schools(actor), lambda: s.alerts.open(actor)),
        "how many alerts": (access.manages_schools(actor), lambda: s.alerts.count(actor)),
        "groups as a file": (access.manages_schools(actor), lambda: s.groups.as_csv(actor)),
        "the log": (access.views_audit_log(actor), lambda: s.audit_log.page(actor, log)),
        "staff as a file": (
            access.exports_staff(actor),
            lambda: s.staff_directory.as_file(actor, staff_directory.Asked()),
        ),
        "the log as a file": (access.exports_log(actor), lambda: s.audit_log.as_file(actor, log)),
    }
    for what, (allowed, call) in pages.items():
        await i.holds(what, allowed, call)


async def _gives_and_takes(i: Inspection, wired: Wired, chance: random.Random) -> None:
    """Whatever was given is put back, so that everybody holds what the rules are asked about."""
    for _ in range(TRIES_TO_GIVE):
        person, role, place = chance.choice(i.world.people), chance.choice(i.world.roles), chance.choice(i.world.places)
        if (role, place) in person.held:
            continue
        allowed = _may_assign(i, person, role, place)
        await i.holds("giving", allowed, lambda p=person, r=role, w=place: _give(i, p, r, w))
        async with wired.db.transaction() as session:
            held = assignment(person.id, role.id, place)
            await session.execute(delete(Assignment).where(*_same(held)))
            session.add(held)
            await session.flush()
            given = held.id
        there = _may_assign(i, replace(person, held=[*person.held, (role, place)]), role, place)
        await i.holds("taking", there, lambda g=given: i.services.assignments.take(i.actor, [g]))
        async with wired.db.transaction() as session:
            await session.execute(delete(Assignment).where(*_same(held)))


async def _give(i: Inspection, person: Person, role: MadeUpRole, place: Place) -> object:
    return await i.services.assignments.give(i.actor, [person.id], role.id, [place])


def _same(held: Assignment) -> list:
    return [
        col(Assignment.staff_id) == held.staff_id,
        col(Assignment.role_id) == held.role_id,
        col(Assignment.school_id).is_not_distinct_from(held.school_id),
        col(Assignment.group_id).is_not_distinct_from(held.group_id),
    ]


async def _manages_accounts(i: Inspection) -> None:
    s, actor = i.services, i.actor
    for person in i.world.people:
        own = person is i.person
        refusal = access.refusal_to_manage_account(actor, i.world.actor(person))
        manages = actor.active and _sees(i, person) and refusal is None
        await i.holds("preparing a leave", manages, lambda p=person: s.leaving.departure(actor, p.id))
        await i.holds("sessions", own or manages, lambda p=person: s.sessions.of_person(actor, p.id))
        await i.holds(
            "signing out", manages or (own and actor.active), lambda p=person: s.sessions.end_all_of_person(actor, p.id)
        )


async def _reads_the_log(i: Inspection, wired: Wired) -> None:
    if not access.views_audit_log(i.actor):
        return
    reach = access.schools_of_read_log(i.actor)
    async with wired.db.reading() as session:
        entries = list(await session.scalars(select(AuditEntry).order_by(col(AuditEntry.at), col(AuditEntry.id))))
    may = {entry.id for entry in entries if reach is None or reach & set(entry.schools)}
    found, after = set(), None
    while True:
        page = await i.services.audit_log.page(i.actor, audit_log.Asked(), after)
        found |= {line.id for line in page.lines}
        if page.last is None:
            break
        after = page.last
    i.same("entries of the log", found, may, len(entries))


def _oversees(i: Inspection, talk: Talk) -> bool:
    return access.may_oversee(i.actor, i.world.overseen(talk))


def _sees(i: Inspection, person: Person) -> bool:
    return access.manages_staff(i.actor) and access.may_see_person(i.actor, i.world.works_at(person))


def _may_assign(i: Inspection, person: Person, role: MadeUpRole, place: Place) -> bool:
    refusal = access.refusal_to_assign(i.actor, person.id, role.permissions, role.level, place)
    return i.actor.active and person.active and _sees(i, person) and refusal is None
