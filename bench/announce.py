"""Writing to ten thousand families at once, and answering one while they are written to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from sqlalchemy import text

from bench.plant import Plant, plant, prime, until
from bench.report import Row, p95, spread
from bench.sink import sink
from bench.size import Size
from tp_inbox.domain.delivery import WITH_CARRIER, DeliveryState
from tp_inbox.services.threads import thread_between

QUEUED_SECONDS, WAIT_MS = 2, 1000
BETWEEN = 1.5
"""Seconds between two replies: as fast as one number may send."""
SEEN_ALL = 2**62
FAST = {
    "sender_segments_per_second": 225,
    "campaign_segments_per_second": 225,
    "account_segments_per_second": 225,
}


async def measure(size: Size) -> list[Row]:
    async with _school(size) as usual:
        rows = [Row(f"{size.families:,} recipients queued", await _queue(usual), "s", QUEUED_SECONDS)]
        rows += await _replies(usual, size, "at the usual rates")
    async with _school(size, **FAST) as fast:
        await _queue(fast)
        rows += await _replies(fast, size, "at 225 segments/s")
    return rows


@asynccontextmanager
async def _school(size: Size, **rates: int) -> AsyncIterator[Plant]:
    """One that has its number, and a worker."""
    async with plant(schools=1, families=size.families, **rates) as made, sink(made.settings.port):
        await made.start_simulator()
        made.start("worker")
        await prime(made)
        yield made


async def _queue(made: Plant) -> float:
    (school_id,) = made.schools
    phones = await made.phones_of(school_id)
    before = time.perf_counter()
    await made.announce(school_id, phones, "School is closed tomorrow.")
    return round(time.perf_counter() - before, 2)


async def _replies(made: Plant, size: Size, how: str) -> list[Row]:
    """From the click until the carrier has it, while the announcement leaves from the same number."""

    async def leaving() -> bool:
        return await made.count(*WITH_CARRIER) > 1

    await until(leaving)
    threads = await _threads(made, size.replies)
    ids = [await _reply(made, thread) for thread in threads]
    left, waits = await made.count(DeliveryState.QUEUED), await _waits(made, ids)
    name = f"a reply behind a {size.families:,}-family announcement, {how}"
    return [
        *spread(f"{name} → it leaves", [leaves for leaves, _ in waits], WAIT_MS),
        p95(f"{name} → the carrier has said so", [taken for _, taken in waits]),
        Row(f"{name}: texts that waited still", left, "texts"),
    ]


async def _threads(made: Plant, count: int) -> list[int]:
    """Conversations with the families whose turn in the announcement comes last."""
    inbox = await made.inbox_of(made.schools[0])
    phones = (await made.phones_of(made.schools[0]))[-count:]
    async with made.wired.db.transaction() as session:
        return [await thread_between(session, inbox, phone) for phone in phones]


async def _reply(made: Plant, thread: int) -> int:
    sent = await made.wired.services.sending.send(await made.admin(), thread, "She is fine.", uuid4(), SEEN_ALL)
    await asyncio.sleep(BETWEEN)
    return sent.id


async def _waits(made: Plant, ids: list[int]) -> list[tuple[float, float]]:
    """Seconds from when each was written until it left, and until the carrier had answered."""

    async def handed_over() -> bool:
        return len(await _seconds(made, ids)) == len(ids)

    await until(handed_over)
    return await _seconds(made, ids)


async def _seconds(made: Plant, ids: list[int]) -> list[tuple[float, float]]:
    async with made.wired.db.reading() as session:
        return [(float(leaves), float(taken)) for leaves, taken in await session.execute(_WAITED, {"ids": ids})]


_WAITED = text("""
SELECT extract(epoch FROM message.handed_over_at - message.created_at),
    extract(epoch FROM min(delivery_event.at) - message.created_at)
FROM message
JOIN delivery_event ON delivery_event.message_id = message.id
WHERE message.id = ANY(CAST(:ids AS bigint[])) GROUP BY message.id
""")
