"""Texts over a bad carrier, while one of two workers is killed again and again: lost, doubled, unknown.

It is judged by the carrier's own log, against what our table says.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text
from sqlmodel import col

from bench.plant import BEFORE_CARRIER, LOOK_SECONDS, Part, Plant, plant, prime, until
from bench.report import Row
from bench.size import Size
from tp_inbox.domain.delivery import NOT_ARRIVED, WITH_CARRIER, DeliveryState
from tp_inbox.storage.tables import Message
from tp_inbox.storage.tables.messages import Direction

SCHOOLS = 8
FAULTS = {
    "seed": 7,
    "retry_after": 1,
    "sends": dict.fromkeys(("lost_before", "lost_after", "failed_after", "too_many", "unavailable"), 0.05),
    "callbacks": {"lost": 0.1},
}
SOONER = {"look_after_seconds": 15, "poll_seconds": 5, "sender_segments_per_second": 12}
WORDS = "School is closed tomorrow."
IN_HAND_SECONDS = 60.0
"""How long one waits for a worker to have something in hand; when there is nothing left, it is not killed again."""
SETTLED_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class Verdict:
    lost: int
    doubled: int
    unknown: int
    strange: int
    failed: int
    marked: int


async def measure(size: Size) -> list[Row]:
    async with plant(SCHOOLS, size.faulty // SCHOOLS, **SOONER) as made:
        await made.start_simulator()
        await made.start_web()
        unlucky, _ = made.start("worker"), made.start("worker")
        await prime(made)
        await made.switch_faults(FAULTS)
        began = time.monotonic()
        for school_id in made.schools:
            await made.announce(school_id, await made.phones_of(school_id), WORDS)
        kills = await _kill_again_and_again(made, unlucky, size.kills)
        killing = time.monotonic() - began
        await until(lambda: _none(made, *BEFORE_CARRIER), SETTLED_SECONDS)
        settled = time.monotonic() - began
        await until(lambda: _none(made, *WITH_CARRIER), SETTLED_SECONDS)
        ended = time.monotonic() - began
        struck = await made.struck()
        await made.switch_faults({})
        verdict = await _judged(made)
    what = f"{size.faulty:,} sends over a bad carrier"
    return [
        Row(f"{what}: lost", verdict.lost, "texts", 0),
        Row(f"{what}: doubled", verdict.doubled, "texts", 0),
        Row(f"{what}: unknown", verdict.unknown, "texts", 0),
        Row(f"{what}: at the carrier and not ours, or elsewhere", verdict.strange, "texts", 0),
        Row(f"{what}: told as failed", verdict.failed, "texts", 0),
        Row(f"{what}: marked as possibly doubled", verdict.marked, "texts"),
        Row(f"{what}: requests and reports that were struck", struck, "times"),
        Row(f"{what}: a worker killed with texts in hand", kills, "times"),
        Row(f"{what}: until the last kill", round(killing), "s"),
        Row(f"{what}: until the carrier had all", round(settled), "s"),
        Row(f"{what}: until every end was known", round(ended), "s"),
    ]


async def _kill_again_and_again(made: Plant, worker: Part, times: int) -> int:
    """Each time in the middle of handing something over; how often it came to that."""
    for done in range(times):
        if not await _has_something_in_hand(made, worker):
            return done
        worker.kill()
        worker = made.start("worker")
    return times


async def _has_something_in_hand(made: Plant, worker: Part) -> bool:
    """Waits for it; False when there is nothing left to hand over."""
    deadline = time.monotonic() + IN_HAND_SECONDS
    while time.monotonic() < deadline:
        async with made.wired.db.reading() as session:
            if await session.scalar(_IN_HAND, {"place": f"%:{worker.process.pid}"}):
                return True
        if await _none(made, *BEFORE_CARRIER):
            return False
        await asyncio.sleep(LOOK_SECONDS / 5)
    return False


async def _none(made: Plant, *states: DeliveryState) -> bool:
    return await made.count(*states) == 0


async def _judged(made: Plant) -> Verdict:
    """Each family was to get these words once, from its school's number."""
    async with made.wired.db.reading() as session:
        ours = (await session.scalars(select(Message).where(col(Message.direction) == Direction.OUT))).all()
    since = datetime.now(UTC) - timedelta(hours=4)
    there = Counter(
        [(t.sender, t.recipient, t.body) async for t in made.wired.gateway.texts_since(since) if not t.inbound]
    )
    wanted = {(message.sender or "", message.recipient, message.body) for message in ours}
    return Verdict(
        lost=sum(there[text] == 0 for text in wanted),
        doubled=sum(there[text] - 1 for text in wanted if there[text] > 1),
        unknown=sum(message.sid is None or message.state in BEFORE_CARRIER for message in ours),
        strange=sum(count for text, count in there.items() if text not in wanted) + len(ours) - len(wanted),
        failed=sum(message.state in NOT_ARRIVED for message in ours),
        marked=sum(message.doubled is not None for message in ours),
    )


_IN_HAND = text("""
SELECT EXISTS (
    SELECT FROM message JOIN number ON number.id = message.number_id JOIN campaign ON campaign.id = number.campaign_id
    JOIN process ON process.id = campaign.held_by
    WHERE message.state = 'submitting' AND message.handed_over_at > process.started_at AND process.place LIKE :place
)
""")
