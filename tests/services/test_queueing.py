"""What waits, as an admin and the server's figures see it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.cast import LINCOLN_NUMBER, MIA, OMAR, Town
from tests.services.steps import LINCOLN, ROOSEVELT, change, due_now, handed_over, queued, report_on, send
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.domain.errors import NotAllowed
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import Campaign, Message, Number
from tp_inbox.storage.tables.messages import NumberState


async def test_where_nothing_waits_nothing_is_said(town: Town) -> None:
    assert await town.wired.services.queues.standing() == []


async def test_each_campaign_tells_how_much_waits_and_since_when(town: Town) -> None:
    await queued(town, "one")
    await queued(town, "two", phone=MIA)
    await send(town, "charlie", await town.school(ROOSEVELT, OMAR))
    await change(town, Message, segments=3)
    lincoln, roosevelt = await town.wired.services.queues.standing()
    assert (lincoln.name, lincoln.waiting, lincoln.segments) == (LINCOLN, 2, 6)
    assert [(n.e164, n.waiting, n.bulk) for n in lincoln.numbers] == [(LINCOLN_NUMBER, 2, 0)]
    assert lincoln.oldest_at <= utc_now() < lincoln.done_at
    assert (roosevelt.name, roosevelt.segments) == (ROOSEVELT, 3)


async def test_what_waits_for_another_try_is_in_no_queue_until_it_is_due(town: Town) -> None:
    text = await handed_over(town)
    await change(town, Message, created_at=utc_now() - timedelta(hours=1))
    await town.wired.reporting.report(report_on(text, DeliveryState.UNDELIVERED, FailureReason.UNREACHABLE, "30003"))
    assert await town.wired.services.queues.standing() == []
    await due_now(town)
    (queue,) = await town.wired.services.queues.standing()
    assert utc_now() - queue.oldest_at < timedelta(minutes=1)


async def test_twice_as_much_takes_twice_as_long(town: Town) -> None:
    await queued(town)
    ends = []
    for segments in (1_000_000, 2_000_000):
        await change(town, Message, segments=segments)
        (queue,) = await town.wired.services.queues.standing()
        ends.append((queue.done_at - utc_now()).total_seconds())
    assert ends[1] == pytest.approx(2 * ends[0], rel=0.01)


async def test_nobody_can_say_when_a_stopped_number_or_campaign_is_done(town: Town) -> None:
    await queued(town)
    await change(town, Number, state=NumberState.STOPPED)
    (queue,) = await town.wired.services.queues.standing()
    assert (queue.done_at, queue.stopped, queue.numbers[0].stopped) == (None, False, True)
    await change(town, Number, state=NumberState.ACTIVE)
    await change(town, Campaign, stopped_at=utc_now())
    (queue,) = await town.wired.services.queues.standing()
    assert (queue.done_at, queue.stopped) == (None, True)


async def test_it_is_shown_to_whoever_manages_numbers(town: Town) -> None:
    await queued(town)
    assert await town.wired.services.queues.shown_to(await town.actor("diana"))
    with pytest.raises(NotAllowed):
        await town.wired.services.queues.shown_to(await town.actor("dora"))
