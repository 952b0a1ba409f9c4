"""Shared numbers: who gets one, that families keep knowing people by theirs, and that no two are mixed up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import col

from tests.cast import MIA, OMAR, ROSA, Town
from tests.services.steps import LINCOLN, change, give_number, message, receive, rows, the
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services.number_limits import Limits
from tp_inbox.services.numbers import Numbers
from tp_inbox.services.sending import Sending
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import Contact, FamilyPhone, Guardianship, Message, Number, Pair, Student
from tp_inbox.storage.tables.messages import NumberState

POOL_ONLY = Limits(personal=0, per_campaign=49, pool=2, price=1.15)
NOTHING_MORE = replace(POOL_ONLY, spending=2.30)
"""Both schools' numbers are paid for."""


async def send(
    town: Town, who: str, phone: str = ROSA, limits: Limits = POOL_ONLY, words: str = "Mia did well today."
) -> Message:
    sending, thread = Sending(town.wired.db, limits), await town.personal(who, phone)
    row = await sending.send(await town.actor(who), thread, words, uuid4(), 2**62)
    return await message(town, row.id)


async def bought(town: Town, who: str, phone: str = ROSA, limits: Limits = POOL_ONLY) -> Message:
    """A text, after the worker has bought whatever it needs."""
    text = await send(town, who, phone, limits)
    await town.wired.numbers.buy_wanted()
    return await message(town, text.id)


async def pool(town: Town) -> list[Number]:
    return await rows(town, Number, col(Number.pooled))


async def test_beyond_the_cap_a_person_texts_from_a_shared_number(town: Town) -> None:
    text = await bought(town, "alice")
    (shared,) = await pool(town)
    assert (text.number_id, text.sender) == (shared.id, shared.e164)
    assert town.gateway.labels[shared.e164 or ""] == f"tp-inbox {shared.id}: shared"


async def test_two_people_write_to_one_family_from_two_numbers(town: Town) -> None:
    texts = [await bought(town, who) for who in ("alice", "bob")]
    assert len({text.sender for text in texts}) == 2


async def test_two_people_write_to_two_families_from_one_number(town: Town) -> None:
    texts = [await bought(town, "alice", ROSA), await bought(town, "bob", MIA)]
    assert len({text.sender for text in texts}) == 1 == len(await pool(town))


async def test_two_people_who_write_to_a_family_at_once_never_get_the_same_number(town: Town) -> None:
    await asyncio.gather(send(town, "alice"), send(town, "bob"))
    assert len({pair.number_id for pair in await rows(town, Pair)}) == 2


async def test_the_answer_comes_to_whom_the_family_knows_by_that_number(town: Town) -> None:
    texts = {who: await bought(town, who) for who in ("alice", "bob")}
    for who, text in texts.items():
        await receive(town, f"Hello {who}", to=text.sender or "")
        answer = await the(town, Message, col(Message.body) == f"Hello {who}")
        assert answer.thread_id == text.thread_id


async def test_a_family_keeps_knowing_a_person_by_the_same_number(town: Town) -> None:
    first = await bought(town, "alice")
    await bought(town, "bob")
    await change(town, Pair, used_at=utc_now() - timedelta(days=400))
    again = await send(town, "alice")
    assert again.sender == first.sender
    pair = await the(town, Pair, col(Pair.thread_id) == again.thread_id)
    assert pair.used_at > utc_now() - timedelta(minutes=1)


async def test_who_gets_a_number_of_their_own_later_keeps_the_pairs_that_are_there(town: Town) -> None:
    first = await bought(town, "alice", ROSA)
    own = await give_number(town, "alice", "+13125550111")
    assert (await send(town, "alice", ROSA)).sender == first.sender
    assert (await send(town, "alice", MIA)).sender == own.e164


@pytest.mark.parametrize(("days", "reused"), [(179, False), (181, True)])
async def test_a_pair_is_another_persons_only_after_180_days(town: Town, days: int, reused: bool) -> None:
    one = replace(POOL_ONLY, pool=1)
    first = await bought(town, "alice", limits=one)
    await change(town, Pair, used_at=datetime.now(UTC) - timedelta(days=days))
    if reused:
        assert (await send(town, "bob", limits=one)).sender == first.sender
        assert [p.thread_id for p in await rows(town, Pair)] == [await town.personal("bob")]
    else:
        with pytest.raises(Unavailable, match="no shared number is free for this family"):
            await send(town, "bob", limits=one)


async def test_shared_numbers_are_used_evenly(town: Town) -> None:
    for who in ("alice", "bob"):
        await bought(town, who)
    families = [await _family(town, f"+1312555{line:04d}") for line in range(170, 178)]
    for phone in families:
        await send(town, "alice", phone)
    counted = [len(await rows(town, Pair, col(Pair.number_id) == number.id)) for number in await pool(town)]
    assert sorted(counted) == [5, 5]


async def test_a_full_campaign_shares(town: Town) -> None:
    """Lincoln's own number and one of a person fill what is left beside two shared ones."""
    limits = Limits(personal=99, per_campaign=4, pool=2, price=1.15)
    await bought(town, "alice", limits=limits)
    await bought(town, "bob", limits=limits)
    owners = [(n.staff_id, n.pooled) for n in await rows(town, Number, col(Number.school_id).is_(None))]
    assert owners == [(town.staff["alice"], False), (None, True)]


async def test_when_nothing_can_be_paid_for_the_sender_reads_why(town: Town) -> None:
    with pytest.raises(Unavailable, match="limit of numbers"):
        await send(town, "alice", limits=NOTHING_MORE)
    assert await pool(town) == []


async def test_two_who_write_at_once_do_not_share_the_last_that_can_be_paid_for(town: Town) -> None:
    """Omar's family and Rosa's are written to from two campaigns."""
    limits = Limits(personal=9, per_campaign=49, pool=5, price=1.0, spending=3.0)
    results = await asyncio.gather(
        *(send(town, who, phone, limits) for who, phone in (("alice", ROSA), ("bob", MIA), ("charlie", OMAR))),
        return_exceptions=True,
    )
    assert len(await rows(town, Number)) == 3
    assert [type(r) for r in results].count(Unavailable) == 2


async def test_a_school_never_shares(town: Town) -> None:
    for number in await rows(town, Number):
        await change(town, Number, col(Number.id) == number.id, state=NumberState.RELEASED)
    sending, dora = Sending(town.wired.db, replace(POOL_ONLY, spending=0.0)), await town.actor("dora")
    with pytest.raises(Unavailable, match="The school has no number"):
        await sending.send(dora, await town.school(), "Hello", uuid4(), 0)
    await Sending(town.wired.db, POOL_ONLY).send(dora, await town.school(), "Hello", uuid4(), 0)
    wanted = await the(town, Number, col(Number.state) == NumberState.WANTED)
    assert (wanted.school_id, wanted.pooled) == (town.schools[LINCOLN], False)


async def _family(town: Town, e164: str) -> str:
    """Another family of Lincoln's."""
    async with town.wired.db.transaction() as session:
        phone = FamilyPhone(e164=e164)
        session.add(phone)
        await session.flush()
        contact = Contact(name=f"Contact {e164}", phone_id=phone.id)
        student = Student(name=f"Student {e164}", school_id=town.schools[LINCOLN])
        session.add_all([contact, student])
        await session.flush()
        session.add(Guardianship(student_id=student.id, contact_id=contact.id))
    town.phones[e164] = phone.id
    return e164


async def test_a_limit_that_was_lowered_stops_what_was_wanted_before(town: Town) -> None:
    text = await send(town, "alice", limits=replace(POOL_ONLY, personal=9))
    numbers = Numbers(town.wired.db, town.gateway, NOTHING_MORE)
    assert await numbers.buy_wanted() == 0
    waiting = await the(town, Number, col(Number.id) == text.number_id)
    assert (waiting.state, waiting.problem) == (NumberState.WANTED, "The monthly limit for numbers is reached.")
    await change(town, Number, next_attempt_at=utc_now())
    assert await town.wired.numbers.buy_wanted() == 1
