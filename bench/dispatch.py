"""How fast one worker hands texts over to a carrier that answers at once, and what it costs."""

from __future__ import annotations

import time

from bench.plant import BEFORE_CARRIER, Plant, plant, prime, until
from bench.report import Row
from bench.sink import sink
from bench.size import Size

SCHOOLS = 20
SEGMENTS_PER_SECOND = 225
UNBOUND = {
    "sender_segments_per_second": 10_000,
    "campaign_segments_per_second": 10_000,
    "account_segments_per_second": 100_000,
    "poll_seconds": 3_600,
}


async def measure(size: Size) -> list[Row]:
    families = size.dispatched // SCHOOLS
    async with plant(SCHOOLS, families, **UNBOUND) as made, sink(made.settings.port):
        await made.start_simulator()
        worker = made.start("worker")
        await prime(made)
        primed = await made.segments_sent()
        cpu, before = worker.cpu_seconds, time.perf_counter()
        await _announce(made)
        await until(lambda: _all_left(made))
        seconds, used = time.perf_counter() - before, worker.cpu_seconds - cpu
        segments = await made.segments_sent() - primed
    return [
        Row(
            "dispatcher, segments for a second of its core",
            round(segments / used),
            "seg/s",
            SEGMENTS_PER_SECOND,
            at_least=True,
        ),
        Row("dispatcher beside simulator and database, by the clock", round(segments / seconds), "seg/s"),
        Row("dispatcher, share of a core meanwhile", round(100 * used / seconds), "%"),
    ]


async def _announce(made: Plant) -> None:
    for school_id in made.schools:
        await made.announce(school_id, await made.phones_of(school_id), "School is closed tomorrow.")


async def _all_left(made: Plant) -> bool:
    return await made.count(*BEFORE_CARRIER) == 0
