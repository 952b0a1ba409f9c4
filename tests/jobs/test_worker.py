"""The worker: at once when something is due, on and on when a job fails, and once however many there are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from sqlmodel import col

from tests.cast import MIA, ROSA, Town
from tests.services.steps import add, change, message, queued, rows, send, text_from
from tp_inbox import wiring
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.errors import Unavailable
from tp_inbox.domain.pacing import Rates
from tp_inbox.jobs import worker as module
from tp_inbox.jobs.worker import Worker
from tp_inbox.services import dispatching as dispatching_module, leasing, receiving
from tp_inbox.services.dispatching import Dispatching
from tp_inbox.services.leasing import Leasing
from tp_inbox.services.ports import Handover, OutgoingText
from tp_inbox.settings import BadSettings, Settings
from tp_inbox.storage import locks
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import Feed
from tp_inbox.storage.tables import Campaign, District, InboundRequest, Message


def worker_of(town: Town, poll_seconds: int = 3600) -> Worker:
    return Worker(wiring.crew_of(town.wired), partial(locks.held, town.wired.db), poll_seconds)


@asynccontextmanager
async def running(town: Town, count: int = 1, **options: int) -> AsyncIterator[list[Worker]]:
    """Workers that hear the feed, as in production."""
    workers = [worker_of(town, **options) for _ in range(count)]
    feeds = [Feed(town.wired.db.url, partial(wiring._wake_for, w), partial(wiring._wake, w)) for w in workers]
    tasks = [asyncio.create_task(part.run()) for part in (*workers, *feeds)]
    for feed in feeds:
        await asyncio.wait_for(feed.listening.wait(), 5)
    try:
        yield workers
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def until(there: Callable[[], Awaitable[bool]], seconds: float = 8) -> float:
    began = time.monotonic()
    while not await there():
        assert time.monotonic() - began < seconds, "it never came"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def is_in(town: Town, text_id: int, state: DeliveryState) -> bool:
    return (await message(town, text_id)).state is state


async def test_a_text_leaves_at_once_and_does_not_wait_for_an_interval(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 60.0)
    async with running(town):
        row = await send(town, "alice", await town.school())
        await until(lambda: is_in(town, row.id, DeliveryState.ACCEPTED))


async def test_a_first_personal_text_gets_its_number_and_leaves(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.1)
    async with running(town):
        row = await send(town, "alice", await town.personal("alice"))
        await until(lambda: is_in(town, row.id, DeliveryState.ACCEPTED))


async def test_two_workers_hand_each_text_over_once(town: Town) -> None:
    thread = await town.school()
    async with running(town, count=2):
        sent = [(await send(town, "alice", thread, str(n))).id for n in range(15)]
        await until(lambda: is_in(town, sent[-1], DeliveryState.ACCEPTED))
    assert [text.message_id for text in town.gateway.sent] == sent


class Killed(Exception):
    """What a process that is killed has no time to do."""


def process(town: Town) -> tuple[Worker, Dispatching]:
    """A worker with leases of its own, as another process has."""
    rates = Rates(sender=1e5, campaign=1e5, account=1e5)
    dispatching = Dispatching(town.wired.db, town.gateway, Leasing(town.wired.db, uuid4()), rates)
    crew = replace(wiring.crew_of(town.wired), dispatching=dispatching)
    return Worker(crew, partial(locks.held, town.wired.db), 3600), dispatching


async def kill(task: asyncio.Task[None], dispatching: Dispatching, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is finished, and no lease is let go."""

    async def never() -> None:
        raise Killed

    monkeypatch.setattr(dispatching, "stop", never)
    for in_hand in list(dispatching._on_their_way):
        in_hand.cancel()
    if dispatching._writing:
        dispatching._writing.cancel()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("answered", [0, 1, 7, 19])
async def test_failure_8_a_worker_is_killed_and_each_family_gets_its_text_once(
    town: Town, monkeypatch: pytest.MonkeyPatch, answered: int
) -> None:
    """Some texts have been handed over, some have an answer that nobody wrote down, some never left."""
    monkeypatch.setattr(leasing, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(leasing, "OTHERS_FIRST", timedelta(0))
    monkeypatch.setattr(dispatching_module, "RENEWED_EVERY", 0.2)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.1)
    sent = [await queued(town, f"{n}", phone=phone) for n in range(10) for phone in (ROSA, MIA)]
    (one, first), (other, second) = process(town), process(town)
    hanging, real = asyncio.Event(), town.gateway.send

    async def hangs(text: OutgoingText) -> Handover:
        outcome = await real(text)
        if len(town.gateway.sent) > answered:
            hanging.set()
            await asyncio.Event().wait()
        return outcome

    monkeypatch.setattr(town.gateway, "send", hangs)
    running_one = asyncio.create_task(one.run())
    await asyncio.wait_for(hanging.wait(), 8)
    monkeypatch.setattr(town.gateway, "send", real)
    await kill(running_one, first, monkeypatch)
    taking_over = asyncio.create_task(other.run())

    async def all_out() -> bool:
        await change(town, Message, col(Message.state) != DeliveryState.ACCEPTED, next_attempt_at=utc_now())
        await second.look_up_doubtful()
        return {m.state for m in await rows(town, Message)} == {DeliveryState.ACCEPTED}

    await until(all_out)
    taking_over.cancel()
    with suppress(asyncio.CancelledError):
        await taking_over
    assert len(town.gateway.ledger) == len(sent)
    assert sorted({t.message_id for t in town.gateway.sent}) == sent


async def test_a_worker_that_stops_leaves_its_campaigns_to_the_others_at_once(town: Town) -> None:
    worker, _ = process(town)
    task = asyncio.create_task(worker.run())

    async def held() -> bool:
        return any(campaign.held_by for campaign in await rows(town, Campaign))

    await until(held)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert not await held()


async def test_a_dispatcher_that_fails_goes_on(
    town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, failures = Dispatching.start_due, [ValueError("a bug"), Unavailable("the database is away")]

    async def sometimes(self: Dispatching) -> float:
        if failures:
            raise failures.pop()
        return await real(self)

    monkeypatch.setattr(Dispatching, "start_due", sometimes)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    row = await send(town, "alice", await town.school())
    async with running(town):
        await until(lambda: is_in(town, row.id, DeliveryState.ACCEPTED))
    assert "dispatch failed" in caplog.text
    assert "dispatch: the database is away" in caplog.text


async def test_a_scheduled_job_that_fails_has_its_next_turn(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    turns = 0

    async def job() -> None:
        nonlocal turns
        turns += 1
        raise ValueError

    worker = worker_of(town)
    for _ in range(2):
        await worker._once("a job", job)
    assert turns == 2
    assert "a job failed" in caplog.text


async def test_of_two_workers_one_runs_a_scheduled_job(town: Town) -> None:
    entered, may_end, turns = asyncio.Event(), asyncio.Event(), 0

    async def job() -> None:
        nonlocal turns
        turns += 1
        entered.set()
        await may_end.wait()

    one, other = worker_of(town), worker_of(town)
    first = asyncio.create_task(one._once("a job", job))
    await entered.wait()
    await other._once("a job", job)
    assert turns == 1
    may_end.set()
    await first
    await other._once("a job", job)
    assert turns == 2


async def test_a_job_while_the_database_is_away_is_only_a_line_in_the_log(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    @asynccontextmanager
    async def away(_: str) -> AsyncIterator[bool]:
        raise Unavailable("away")
        yield True

    worker = worker_of(town)
    worker._only_one = away
    await worker._once("a job", town.wired.receiving.route_waiting)
    assert "a job: the database is away" in caplog.text


async def test_every_job_stands_on_one_screen_with_its_interval(town: Town) -> None:
    jobs = {name: seconds for name, seconds, _ in worker_of(town, poll_seconds=20)._jobs}
    assert jobs == {
        "poll delivery status": 20,
        "reconcile with the carrier": module.EVERY_HOUR,
        "look up doubtful texts": 10,
        "hold back what is too old": 60,
        "route waiting webhooks": 5,
        "forget old sign-in failures": 3600,
        "seal the audit log": 60,
        "help texts that wait for a number": 5,
        "put numbers into their services": 5,
        "let numbers follow their owners": 60,
        "watch the limits of numbers": 60,
        "watch for texts that nobody reads": 60,
        "give numbers back": 60,
        "compare numbers that were stopped": 30,
        "compare our numbers with the carrier's": 3600,
        "take a week's silence about a STOP as yes": 3600,
    }


async def test_the_scheduler_calls_them(town: Town) -> None:
    text = text_from()
    await add(town, InboundRequest(sid=text.sid, sender=text.sender, form=receiving._form(text)))
    worker = worker_of(town)
    worker._jobs = [("route", 1, town.wired.receiving.route_waiting)]
    task = asyncio.create_task(worker.run())

    async def routed() -> bool:
        return (await rows(town, InboundRequest))[0].routed_at is not None

    await until(routed)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("ticks", range(6))
async def test_a_worker_that_is_ended_while_it_wakes_ends(town: Town, ticks: int) -> None:
    worker = worker_of(town)
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(0.1)
    worker.wake()
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done


async def test_a_demonstrations_worker_refuses_the_real_carrier(town: Town, settings: Settings) -> None:
    real = settings.model_copy(update={"twilio_base_url": ""})
    wired = wiring.wire(real, town.gateway)
    await wiring.until_safe(wired)
    await add(town, District(name="Demonstration", demonstration=True))
    async with wired.db.transaction() as session:
        for district in await rows(town, District):
            if not district.demonstration:
                await session.delete(await session.get_one(District, district.id))
    with pytest.raises(BadSettings, match="demonstration"):
        await wiring.until_safe(wired)
    await wired.db.close()
