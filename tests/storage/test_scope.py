"""Access as SQL: the database finds for a person exactly what the rules say."""

from __future__ import annotations

import asyncio
import random

import pytest
from sqlalchemy import select
from sqlmodel import col

from tests.cast import ROSA, Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change
from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, Grant, InboxKind, InboxRef, actor_from
from tp_inbox.domain.errors import NotFound
from tp_inbox.domain.permissions import Level, Permission
from tp_inbox.services.actors import actors_of
from tp_inbox.storage.queries.scope import inbox_ref, own_thread, readable_inboxes
from tp_inbox.storage.tables import Assignment, Inbox, Role, Staff


async def test_the_database_and_the_rules_agree_about_every_inbox(town: Town) -> None:
    chance = random.Random(13)
    async with town.wired.db.reading() as session:
        inboxes = [inbox_ref(inbox) for inbox in await session.scalars(select(Inbox))]
        for _ in range(150):
            actor = _somebody(chance, town)
            for kind in (None, *InboxKind):
                found = await session.scalars(select(col(Inbox.id)).where(readable_inboxes(actor, kind)))
                assert set(found) == _by_the_rules(actor, inboxes, kind)


def _somebody(chance: random.Random, town: Town) -> Actor:
    def permissions() -> frozenset[Permission]:
        return frozenset(chance.sample(list(Permission), chance.randint(0, 4)))

    places = [*town.schools.values(), None]
    grants = [
        Grant(permissions(), chance.choice(list(Level)), chance.choice(places)) for _ in range(chance.randint(0, 4))
    ]
    return actor_from(chance.choice(list(town.staff.values())), "Somebody", chance.random() < 0.8, grants)


def _by_the_rules(actor: Actor, inboxes: list[InboxRef], kind: InboxKind | None) -> set[int]:
    return {i.id for i in inboxes if access.may_read(actor, i) and kind in (None, i.kind)}


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("alice", {"alice", LINCOLN}),
        ("bob", {"bob"}),
        ("charlie", {"charlie", ROOSEVELT}),
        ("dora", {"dora", LINCOLN}),
        ("vera", {LINCOLN}),
        ("nora", {"nora"}),
        ("diana", set()),
    ],
)
async def test_what_each_of_the_cast_may_read(town: Town, who: str, sees: set[str]) -> None:
    threads = {name: await town.personal(name) for name in town.staff} | {s: await town.school(s) for s in town.schools}
    actor, found = await town.actor(who), set()
    async with town.wired.db.reading() as session:
        for name, thread in threads.items():
            try:
                await own_thread(session, actor, thread)
                found.add(name)
            except NotFound:
                continue
    assert found == sees


async def test_a_districts_role_at_a_school_gives_nothing(town: Town) -> None:
    """Nothing writes such a row; if one stands there, it gives no more than none."""
    charlie = town.staff["charlie"]
    async with town.wired.db.reading() as session:
        admin = await session.scalar(select(col(Role.id)).where(col(Role.base_key) == "district_admin"))
    await add(town, Assignment(staff_id=charlie, role_id=admin or 0, school_id=town.schools[LINCOLN]))
    assert town.schools[LINCOLN] not in (await town.actor("charlie")).schools


async def test_a_schools_role_at_the_district_gives_nothing(town: Town) -> None:
    charlie = town.staff["charlie"]
    async with town.wired.db.reading() as session:
        admin = await session.scalar(select(col(Role.id)).where(col(Role.base_key) == "school_admin"))
    await add(town, Assignment(staff_id=charlie, role_id=admin or 0, school_id=None))
    assert (await town.actor("charlie")).district == frozenset()


async def test_one_query_finds_any_number_of_people(town: Town) -> None:
    async with town.wired.db.reading() as session:
        found = await actors_of(session, [*town.staff.values(), 999_999])
    assert set(found) == set(town.staff.values())


async def test_who_holds_nothing_is_a_person_without_permissions(town: Town) -> None:
    nobody = await add(town, Staff(email="new@district.example", name="New", signature=""))
    async with town.wired.db.reading() as session:
        found = (await actors_of(session, [nobody.id]))[nobody.id]
    assert (found.schools, found.district, found.active) == ({}, frozenset(), True)


async def test_a_custom_role_holds_what_its_row_says(town: Town) -> None:
    await change(town, Role, col(Role.name) == "Nurse", permissions=["message_on_behalf", "manage_roles"])
    held = (await town.actor("bob")).schools[town.schools[LINCOLN]]
    assert held == {Permission.MESSAGE_ON_BEHALF, Permission.VIEW_SCHOOL_INBOX}
    assert Level.SCHOOL is (await _level(town, "Nurse"))


async def _level(town: Town, name: str) -> Level:
    async with town.wired.db.reading() as session:
        return (await session.scalars(select(Role).where(col(Role.name) == name))).one().level


async def test_rosas_thread_is_one_however_often_it_is_asked_for(town: Town) -> None:
    assert len(set(await asyncio.gather(*(town.personal("alice", ROSA) for _ in range(20))))) == 1
