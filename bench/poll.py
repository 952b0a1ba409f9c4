"""Asking the carrier for the statuses of many texts in flight: how many list calls, and how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import text

from bench.plant import Plant, plant
from bench.report import Row
from bench.size import Size
from tp_inbox.domain.delivery import WITH_CARRIER
from tp_inbox.simulator.database import now, open_database
from tp_inbox.simulator.messages import MessageLog
from tp_inbox.twilio.client import Transport

A_PAGE = 1_000
NUMBER = "+12015550100"


async def measure(size: Size) -> list[Row]:
    async with plant(schools=1, families=size.in_flight) as made:
        await _put_in_flight(made)
        await made.start_simulator()
        calls, seconds = await _polled(made)
        if left := await made.count(*WITH_CARRIER):
            raise RuntimeError(f"{left} texts are in flight still")
        again, seconds_again = await _polled(made)
    most, what = size.in_flight // A_PAGE + 1, f"statuses of {size.in_flight:,} texts"
    return [
        Row(f"{what}, all of them news: list calls", calls, "calls", most),
        Row(f"{what}, all of them news: a cycle", seconds, "s"),
        Row(f"{what}, none of them news: list calls", again, "calls", most),
        Row(f"{what}, none of them news: a cycle", seconds_again, "s"),
    ]


async def _put_in_flight(made: Plant) -> None:
    """The carrier has delivered them all, and every report of it was lost."""
    (school_id,) = made.schools
    await made.announce(school_id, await made.phones_of(school_id), "School is closed tomorrow.")
    async with made.wired.db.transaction() as session:
        queued = (await session.execute(text("SELECT id, recipient, body FROM message ORDER BY id"))).all()
        sids = _delivered_there(made, [(recipient, body) for _, recipient, body in queued])
        await session.execute(_HANDED_OVER, {"ids": [row.id for row in queued], "sids": sids, "sender": NUMBER})


def _delivered_there(made: Plant, texts: list[tuple[str, str]]) -> list[str]:
    database = open_database(made.settings.data_dir / "simulator", is_durable=False)
    log = MessageLog(database)
    database.execute("begin")
    sids = [_delivered(log, recipient, body) for recipient, body in texts]
    database.execute("commit")
    database.close()
    return sids


def _delivered(log: MessageLog, recipient: str, body: str) -> str:
    facts: dict[str, Any] = {"media_urls": [], "service_sid": None, "callback": "", "validity": 0}
    sid = log.add_outbound(sender=NUMBER, to=recipient, body=body, **facts).sid
    log.change(sid, status="delivered", sent=now(), shown_at=time.time())
    return sid


async def _polled(made: Plant) -> tuple[int, float]:
    with _counted() as asked:
        before = time.perf_counter()
        await made.wired.polling.poll()
        return len(asked), round(time.perf_counter() - before, 1)


@contextmanager
def _counted() -> Iterator[list[str]]:
    asked: list[str] = []
    request = Transport.request

    def noted(transport: Transport, method: str, uri: str, *more: Any, **options: Any) -> Any:
        asked.append(uri)
        return request(transport, method, uri, *more, **options)

    with patch.object(Transport, "request", noted):
        yield asked


_HANDED_OVER = text("""
UPDATE message SET sid = carrier.sid, sender = :sender, state = 'sent', handed_over_at = now(), attempts = 1
FROM unnest(CAST(:ids AS bigint[]), CAST(:sids AS text[])) AS carrier(id, sid) WHERE message.id = carrier.id
""")
