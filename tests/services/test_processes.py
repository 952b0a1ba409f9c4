"""Who is up: processes that beat, dispatchers that turn, and those that do neither."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import rows
from tp_inbox.domain.operating import ProcessKind
from tp_inbox.services.processes import ALIVE, FORGOTTEN, TURNING, Beat
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Process


@pytest.fixture
async def worker(town: Town) -> AsyncIterator[Beat]:
    beat = Beat(Database(town.wired.db.url, pool_size=1), ProcessKind.WORKER)
    yield beat
    await beat.db.close()


async def silent_for(town: Town, beat: Beat, long: timedelta) -> None:
    async with town.wired.db.transaction() as session:
        older = update(Process).where(col(Process.id) == beat.id).values(beat_at=utc_now() - long)
        await session.execute(older)


async def test_a_process_that_beats_is_alive(town: Town, worker: Beat) -> None:
    await worker.beat()
    (found,) = await town.wired.processes.alive()
    assert (found.id, found.kind, found.place) == (worker.id, ProcessKind.WORKER, worker.place)
    assert [p.id for p in await town.wired.processes.alive(ProcessKind.WORKER)] == [worker.id]
    assert await town.wired.processes.alive(ProcessKind.WEB) == []


async def test_one_whose_beat_is_missed_is_dead_until_it_comes(town: Town, worker: Beat) -> None:
    await worker.beat()
    await silent_for(town, worker, ALIVE)
    assert await town.wired.processes.alive() == []
    await worker.beat()
    assert [p.id for p in await town.wired.processes.alive()] == [worker.id]


async def test_a_worker_works_when_its_dispatcher_turns(town: Town, worker: Beat) -> None:
    await worker.beat()
    assert not await town.wired.processes.dispatching()
    worker.turned()
    await worker.beat()
    assert await town.wired.processes.dispatching()


async def test_a_worker_that_beats_and_does_not_turn_hangs(town: Town, worker: Beat) -> None:
    worker.turned()
    worker._turned = (worker._turned or 0) - TURNING.total_seconds()
    await worker.beat()
    assert [p.turning for p in await town.wired.processes.alive()] == [False]
    assert not await town.wired.processes.dispatching()


async def test_whoever_beats_forgets_those_that_are_long_dead(town: Town, worker: Beat) -> None:
    await worker.beat()
    await silent_for(town, worker, FORGOTTEN)
    await town.wired.beat.beat()
    assert [p.id for p in await rows(town, Process)] == [town.wired.beat.id]


async def test_a_process_that_is_ended_is_gone_at_once(
    town: Town, worker: Beat, monkeypatch: pytest.MonkeyPatch
) -> None:
    beaten = asyncio.Event()
    monkeypatch.setattr(worker, "_try", lambda: _then(worker.beat(), beaten))
    running = asyncio.create_task(worker.run())
    await beaten.wait()
    assert len(await town.wired.processes.alive()) == 1
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert await rows(town, Process) == []


async def _then(beating: Awaitable[None], beaten: asyncio.Event) -> None:
    await beating
    beaten.set()


async def test_beats_go_on_when_the_database_was_away(
    worker: Beat, town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    there, away = worker.db, Database("postgresql://nobody@127.0.0.1:1/none")
    worker.db = away
    for _ in range(2):
        await worker._try()
    worker.db = there
    await worker._try()
    assert [p.id for p in await town.wired.processes.alive()] == [worker.id]
    assert caplog.text.count("the database is away") == 1
    await away.close()
