"""Where a family's text belongs: one rule, in every world of numbers, pairs and families."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, MIA, OMAR, ROSA, STRANGER, Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change, receive, rows, text_from, the
from tests.services.test_leaving import GONE, leave
from tp_inbox.services.campaigns import campaign_at
from tp_inbox.services.inboxes import AUTOMATIC
from tp_inbox.services.numbers import personal_inbox
from tp_inbox.services.routing import routed
from tp_inbox.services.threads import thread_between
from tp_inbox.storage.tables import FamilyPhone, Inbox, Message, Number, Pair, School, Staff, Student, Thread
from tp_inbox.storage.tables.messages import Direction, NumberState

POOLED = "+13125550131"
POOL = "the pool"
NUMBERS = [f"+1312555012{n}" for n in range(2)]
AREAS = {LINCOLN: "312", ROOSEVELT: "630"}
FAMILIES = {ROSA: [LINCOLN], OMAR: [ROOSEVELT], MIA: [LINCOLN, ROOSEVELT], STRANGER: [], "+12025550123": []}
STATES = [state for state in NumberState if state is not NumberState.WANTED]


@dataclass(frozen=True)
class Ours:
    """A number of ours: its owner is a person, a school, or the pool; its campaign a school's, or the district's."""

    e164: str
    owner: str
    state: NumberState
    campaign: str | None
    area: str


@dataclass
class World:
    """``pairs``: by family and number of a pool, whose thread it is."""

    numbers: list[Ours] = field(default_factory=list)
    pairs: dict[tuple[str, Ours], str] = field(default_factory=dict)


def rule(world: World, family: str, e164: str) -> str | None:
    """Into whose inbox a text goes; None when it came to no number of ours."""
    number = next((n for n in world.numbers if n.e164 == e164 and n.state != "released"), None)
    if number is None:
        return None
    if (family, number) in world.pairs:
        return world.pairs[family, number]
    if number.owner != POOL:
        return number.owner
    nearby = [school for school, area in AREAS.items() if area == number.area]
    return number.campaign or min(FAMILIES[family] or nearby or AREAS)


@st.composite
def worlds(draw: Callable) -> World:
    """No two that are ours at a time have one owner or one number, and no two pairs one thread."""
    world, threads = World(), set()
    ours = st.builds(
        Ours,
        e164=st.sampled_from(NUMBERS),
        owner=st.sampled_from(["alice", "bob", "nora", LINCOLN, ROOSEVELT, POOL, POOL]),
        state=st.sampled_from(STATES),
        campaign=st.sampled_from([LINCOLN, ROOSEVELT, None, None]),
        area=st.sampled_from(["312", "630", "999"]),
    )
    for one in draw(st.lists(ours, max_size=5)):
        others = [n for n in world.numbers if n.state != "released"] if one.state != "released" else []
        if not any(n.e164 == one.e164 or n.owner == one.owner != POOL for n in others) and one not in world.numbers:
            world.numbers.append(one)
    for family in FAMILIES:
        for number in [n for n in world.numbers if n.owner == POOL]:
            person = draw(st.sampled_from([None, "alice", "bob", "charlie"]))
            if person and (family, person) not in threads:
                threads.add((family, person))
                world.pairs[family, number] = person
    return world


class Undone(Exception):
    """Nothing of this world shall stay."""


class TestTheRule:
    @given(world=worlds(), family=st.sampled_from([*FAMILIES]), e164=st.sampled_from(NUMBERS))
    @hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    async def test_in_every_world_a_text_goes_where_the_rule_says(
        self, town: Town, world: World, family: str, e164: str
    ) -> None:
        with suppress(Undone):
            async with town.wired.db.transaction() as session:
                await build(session, town, world)
                message = await routed(session, text_from(family, to=e164))
                assert await owner_of(session, message) == rule(world, family, e164)
                raise Undone


async def build(session: AsyncSession, town: Town, world: World) -> None:
    await session.execute(delete(Number))
    session.add(Student(name="Mia’s brother", school_id=town.schools[ROOSEVELT], phone_id=town.phones[MIA]))
    for n, ours in enumerate(world.numbers):
        number = Number(
            e164=ours.e164,
            sid=f"PN{n:032}",
            staff_id=town.staff.get(ours.owner),
            school_id=town.schools.get(ours.owner),
            pooled=ours.owner == POOL,
            campaign_id=await campaign_at(session, town.schools.get(ours.campaign or "")),
            area_code=ours.area,
            state=ours.state,
        )
        session.add(number)
        await session.flush()
        for (family, shared), person in world.pairs.items():
            if shared == ours:
                await pair(session, town, family, number.id, person)


async def pair(session: AsyncSession, town: Town, family: str, number_id: int, who: str) -> int:
    """The thread in which they meet over a number of the pool."""
    phone = await session.scalar(select(FamilyPhone).where(col(FamilyPhone.e164) == family))
    if phone is None:
        phone = FamilyPhone(e164=family)
        session.add(phone)
        await session.flush()
    inbox = await personal_inbox(session, town.staff[who])
    thread_id = await thread_between(session, inbox.id, phone.id)
    session.add(Pair(phone_id=phone.id, number_id=number_id, thread_id=thread_id))
    await session.flush()
    return thread_id


async def owner_of(session: AsyncSession, message: Message | None) -> str | None:
    if message is None:
        return None
    inbox = await session.get_one(Inbox, message.inbox_id)
    person = select(col(Staff.email)).where(col(Staff.id) == inbox.staff_id)
    email = await session.scalar(person)
    return email.partition("@")[0] if email else (await session.get_one(School, inbox.school_id)).name


@pytest.fixture
async def number(town: Town) -> Number:
    """A number of Lincoln's pool, which Bob and Rosa share."""
    async with town.wired.db.transaction() as session:
        campaign_id = await campaign_at(session, town.schools[LINCOLN])
        number = Number(e164=POOLED, sid="PN" + "7" * 32, pooled=True, campaign_id=campaign_id, state="active")
        session.add(number)
        await session.flush()
        await pair(session, town, ROSA, number.id, "bob")
    return number


class TestASharedNumber:
    async def test_it_leads_each_family_to_the_person_who_writes_to_them(self, town: Town, number: Number) -> None:
        async with town.wired.db.transaction() as session:
            charlies = await pair(session, town, OMAR, number.id, "charlie")
        await receive(town, sender=ROSA, to=POOLED)
        await receive(town, sender=OMAR, to=POOLED)
        assert [m.thread_id for m in await rows(town, Message)] == [await town.personal("bob"), charlies]

    async def test_who_got_nothing_from_it_comes_before_the_school_as_unknown(self, town: Town, number: Number) -> None:
        await receive(town, sender="+12025550123", to=POOLED)
        assert (await the(town, Message)).thread_id == (await the(town, Thread, col(Thread.last_at).is_not(None))).id
        lincoln = await the(town, Inbox, col(Inbox.school_id) == town.schools[LINCOLN])
        assert (await the(town, Message)).inbox_id == lincoln.id

    async def test_a_text_keeps_the_pair_for_another_while(self, town: Town, number: Number) -> None:
        long_ago = datetime.now(UTC) - timedelta(days=170)
        await change(town, Pair, used_at=long_ago)
        await receive(town, to=POOLED)
        assert (await the(town, Pair)).used_at > long_ago

    async def test_where_its_person_has_left_the_successor_gets_it_and_the_family_is_answered(
        self, town: Town, number: Number
    ) -> None:
        await leave(town, "bob", successor="alice", reply=GONE)
        await receive(town, "She has a fever.", to=POOLED)
        arrived, reply = await rows(town, Message)
        own = await town.personal("alice")
        assert (arrived.thread_id, arrived.direction) == (own, Direction.IN)
        assert (reply.thread_id, reply.sender, reply.recipient) == (own, POOLED, ROSA)
        shown, _ = await town.wired.services.inboxes.messages(await town.actor("alice"), own)
        assert [m.author for m in shown] == ["", AUTOMATIC]
        await town.wired.dispatching.hand_over_due()
        assert [(t.sender, t.body) for t in town.gateway.sent] == [(POOLED, reply.body)]

    async def test_of_other_people_on_the_same_number_nothing_changes_when_one_leaves(
        self, town: Town, number: Number
    ) -> None:
        async with town.wired.db.transaction() as session:
            noras = await pair(session, town, OMAR, number.id, "nora")
        await leave(town, "bob", successor="alice", reply=GONE)
        await receive(town, sender=OMAR, to=POOLED)
        assert [m.thread_id for m in await rows(town, Message)] == [noras]


class TestStates:
    @pytest.mark.parametrize("state", [s for s in STATES if s is not NumberState.RELEASED])
    async def test_a_number_that_we_may_not_send_from_still_receives(self, town: Town, state: NumberState) -> None:
        await change(town, Number, col(Number.e164) == LINCOLN_NUMBER, state=state)
        await receive(town)
        assert (await the(town, Message)).recipient == LINCOLN_NUMBER

    async def test_a_number_that_was_given_back_is_somebody_elses(self, town: Town) -> None:
        await change(town, Number, col(Number.e164) == LINCOLN_NUMBER, state=NumberState.RELEASED)
        await receive(town)
        assert await rows(town, Message) == []

    async def test_a_number_that_came_back_to_us_leads_to_its_owner_of_today(self, town: Town) -> None:
        old = await the(town, Number, col(Number.e164) == LINCOLN_NUMBER)
        await change(town, Number, col(Number.e164) == LINCOLN_NUMBER, state=NumberState.RELEASED)
        bobs = Number(
            e164=LINCOLN_NUMBER,
            sid="PN" + "8" * 32,
            staff_id=town.staff["bob"],
            campaign_id=old.campaign_id,
            state=NumberState.ACTIVE,
        )
        await add(town, bobs)
        await receive(town)
        assert (await the(town, Message)).thread_id == await town.personal("bob")
