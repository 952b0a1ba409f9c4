"""How many webhooks a second one web process stores, against a bare handler that makes the same insert.

Same database, same server, same client, in turns.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import cycle, islice

import aiohttp
from sqlalchemy import func, select, text
from sqlmodel import col
from twilio.request_validator import RequestValidator

from bench.bare import BY_DATABASE, BY_DRIVER
from bench.carrier import inbound_form
from bench.plant import Plant, plant, prime, until
from bench.report import Row
from bench.size import Size
from tests.product import free_port
from tp_inbox.storage.tables import FamilyPhone, InboundRequest, Number

PATH = "/twilio/inbound"
AT_ONCE = 32
ROUNDS = 3
WARM = 100
SHARE = 80
"""Percent of what the bare handler stores."""

Knock = tuple[dict[str, str], dict[str, str]]
"""Form and headers of one webhook."""


async def measure(size: Size) -> list[Row]:
    async with plant(schools=1, families=200) as made:
        await made.start_simulator()
        worker = made.start("worker")
        await prime(made)
        worker.stop()
        await made.start_web()
        async with _bare(made) as bare:
            targets = (bare + BY_DRIVER, bare + BY_DATABASE, made.settings.address)
            for target in targets:
                await _per_second(made, target, WARM)
            rounds = [[await _per_second(made, target, size.webhooks) for target in targets] for _ in range(ROUNDS)]
    driver, database, ours = (round(statistics.median(rates)) for rates in zip(*rounds, strict=True))
    of_driver, of_database = (statistics.median(r[-1] / r[which] for r in rounds) for which in (0, 1))
    return [
        Row("webhooks stored, a bare handler, by the driver alone", driver, "/s"),
        Row("webhooks stored, a bare handler, by the product's way to the database", database, "/s"),
        Row("webhooks stored, one web process", ours, "/s"),
        Row("webhooks stored, share of the driver alone", round(100 * of_driver), "%"),
        Row("webhooks stored, share of the bare handler's", round(100 * of_database), "%", SHARE, at_least=True),
    ]


@asynccontextmanager
async def _bare(made: Plant) -> AsyncIterator[str]:
    port = free_port()
    process = made.run("bare", ["bench.bare", str(port)], {"PYTHONPATH": os.pathsep.join(sys.path)})
    try:
        await until(lambda: _listens(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()


async def _listens(port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False


async def _per_second(made: Plant, url: str, count: int) -> float:
    """Every one of them is on record afterwards."""
    knocks, before = await _knocks(made, count), await _stored(made)
    began = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as http:
        waiting = iter(knocks)
        await asyncio.gather(*(_knock_on(http, url + PATH, waiting) for _ in range(AT_ONCE)))
    seconds = time.perf_counter() - began
    if (stored := await _stored(made) - before) != count:
        raise RuntimeError(f"{stored} of {count} webhooks were stored")
    await _forget(made)
    return count / seconds


async def _knock_on(http: aiohttp.ClientSession, url: str, waiting: Iterator[Knock]) -> None:
    for form, headers in waiting:
        async with http.post(url, data=form, headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()


async def _knocks(made: Plant, count: int) -> Sequence[Knock]:
    """Signed beforehand, for our public address, whoever they go to."""
    settings = made.settings
    signer, url = RequestValidator(settings.twilio_auth_token.get_secret_value()), settings.address + PATH
    async with made.wired.db.reading() as session:
        ours = (await session.scalars(select(col(Number.e164)))).first() or ""
        families = (await session.scalars(select(col(FamilyPhone.e164)))).all()
    forms = [
        inbound_form(settings.twilio_account_sid, family, ours, "Thank you!")
        for family in islice(cycle(families), count)
    ]
    return [(form, {"X-Twilio-Signature": signer.compute_signature(url, form)}) for form in forms]


async def _stored(made: Plant) -> int:
    async with made.wired.db.reading() as session:
        return await session.scalar(select(func.count()).select_from(InboundRequest)) or 0


async def _forget(made: Plant) -> None:
    """Neither of the two is to find more rows than the other, nor to route what the other has stored."""
    async with made.wired.db.transaction() as session:
        await session.execute(text("UPDATE inbound_request SET routed_at = now() WHERE routed_at IS NULL"))
