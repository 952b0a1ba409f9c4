"""Which worker paces which campaign, also when one of them is killed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import col

from tests.cast import MIA, OMAR, Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change, queued, rows, send
from tp_inbox.domain.operating import ProcessKind
from tp_inbox.domain.pacing import Rates
from tp_inbox.services.dispatching import Dispatching
from tp_inbox.services.leasing import LEASE, OTHERS_FIRST, Leasing
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import Campaign, Message, Process

FAST = Rates(sender=1e5, campaign=1e5, account=1e5)


async def worker(town: Town, *, beats: bool = True) -> tuple[UUID, Leasing]:
    process_id = uuid4()
    if beats:
        await add(town, Process(id=process_id, kind=ProcessKind.WORKER, place="here:1"))
    return process_id, Leasing(town.wired.db, process_id)


async def campaigns(town: Town) -> dict[str, Campaign]:
    names = {school_id: name for name, school_id in town.schools.items()}
    return {names[c.school_id]: c for c in await rows(town, Campaign) if c.school_id}


async def holders(town: Town) -> set[UUID | None]:
    return {campaign.held_by for campaign in (await campaigns(town)).values()}


async def dies(town: Town, process_id: UUID) -> None:
    """Its process is gone and its leases have run out."""
    await change(town, Process, col(Process.id) == process_id, beat_at=utc_now() - timedelta(minutes=1))
    await change(town, Campaign, col(Campaign.held_by) == process_id, held_until=utc_now() - timedelta(seconds=1))


async def test_the_only_worker_paces_every_campaign_that_has_a_number(town: Town) -> None:
    one, leasing = await worker(town)
    held = await leasing.renew()
    assert held.campaigns == {c.id for c in (await campaigns(town)).values()}
    assert (held.workers, await holders(town)) == (1, {one})


async def test_a_second_worker_gets_its_share(town: Town) -> None:
    (one, first), (other, second) = await worker(town), await worker(town)
    assert len((await first.renew()).campaigns) == 1
    assert len((await second.renew()).campaigns) == 1
    assert await holders(town) == {one, other}


async def test_who_has_too_many_leaves_some_to_a_worker_that_comes(town: Town) -> None:
    _, first = await worker(town)
    assert len((await first.renew()).campaigns) == 2
    _, second = await worker(town)
    assert len((await second.renew()).campaigns) == 0
    assert len((await first.renew()).campaigns) == 1
    assert len((await second.renew()).campaigns) == 1


async def test_a_lease_that_holds_is_taken_by_nobody(town: Town) -> None:
    one, first = await worker(town)
    await first.renew()
    _, second = await worker(town, beats=False)
    await queued(town)
    assert (await second.renew()).campaigns == frozenset()
    assert await holders(town) == {one}


async def test_what_a_killed_worker_held_is_taken_over(town: Town) -> None:
    one, first = await worker(town)
    await first.renew()
    await dies(town, one)
    other, second = await worker(town)
    assert len((await second.renew()).campaigns) == 2
    assert await holders(town) == {other}


async def test_it_is_taken_over_while_the_dead_one_still_seems_to_live(town: Town) -> None:
    """Its beat is a moment old, so its share is kept for it; what has something to send waits only some seconds."""
    one, first = await worker(town)
    other, second = await worker(town)
    await first.renew()
    await second.renew()
    theirs = (await rows(town, Campaign, col(Campaign.held_by) == one))[0]
    where = (await campaigns(town))[LINCOLN]
    await (queued(town) if theirs.id == where.id else send(town, "charlie", await town.school(ROOSEVELT, OMAR)))
    lapsed = utc_now() - OTHERS_FIRST - timedelta(seconds=1)
    await change(town, Campaign, col(Campaign.held_by) == one, held_until=lapsed)
    assert len((await second.renew()).campaigns) == 2
    assert await holders(town) == {other}


async def test_what_nobody_has_ever_taken_waits_only_some_seconds_for_a_worker_that_hangs(town: Town) -> None:
    await worker(town)  # it beats, and its dispatcher hangs
    one, leasing = await worker(town)
    await queued(town)
    await send(town, "charlie", await town.school(ROOSEVELT, OMAR))
    assert len((await leasing.renew()).campaigns) == 1
    await change(town, Message, next_attempt_at=utc_now() - OTHERS_FIRST - timedelta(seconds=1))
    assert len((await leasing.renew()).campaigns) == 2
    assert await holders(town) == {one}


async def test_who_stops_leaves_its_campaigns_at_once(town: Town) -> None:
    one, first = await worker(town)
    await first.renew()
    await first.let_go()
    await dies(town, one)
    other, second = await worker(town)
    await second.renew()
    assert await holders(town) == {other}


async def test_it_takes_less_than_half_a_minute_until_another_one_paces(town: Town) -> None:
    assert timedelta(seconds=30) > LEASE + OTHERS_FIRST


async def test_renewing_at_one_time_gives_each_campaign_to_one(town: Town) -> None:
    workers = [await worker(town) for _ in range(4)]
    for _ in range(3):
        held = await asyncio.gather(*(leasing.renew() for _, leasing in workers))
        each = [campaign for holding in held for campaign in holding.campaigns]
        assert len(each) == len(set(each))


async def test_who_takes_over_hears_that_the_carrier_was_busy(town: Town) -> None:
    where = (await campaigns(town))[LINCOLN]
    await change(town, Campaign, col(Campaign.id) == where.id, slowed_at=utc_now() - timedelta(seconds=30))
    _, leasing = await worker(town)
    held = await leasing.renew()
    assert held.slowed[where.id] == pytest.approx(30, abs=3)
    assert held.slowed[(await campaigns(town))[ROOSEVELT].id] == float("inf")


async def test_failure_8_two_that_both_believe_to_pace_it_double_nothing(town: Town) -> None:
    for words in range(5):
        for phone in ("+13125550142", MIA):
            await queued(town, str(words), phone=phone)
    dispatchers = [
        Dispatching(town.wired.db, town.gateway, leasing, FAST) for _, leasing in [await worker(town) for _ in range(2)]
    ]
    await dispatchers[0]._renew()
    for dispatcher in dispatchers:
        dispatcher._renew = _never  # a process that stood still and does not know that its leases have run out
        dispatcher._holding = dispatchers[0]._holding
    while sum(await asyncio.gather(*(d.hand_over_due() for d in dispatchers for _ in range(2)))):
        pass
    assert sorted(t.message_id for t in town.gateway.sent) == sorted(m.id for m in await rows(town, Message))


async def _never() -> None:
    return None
