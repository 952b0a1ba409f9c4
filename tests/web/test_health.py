"""What a load balancer and an alarm are told: ready by what the process itself needs, the rest beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from unittest.mock import AsyncMock

import httpx
import pytest
from starlette.applications import Starlette

from tp_inbox.domain.errors import Unavailable
from tp_inbox.web.routes import health

PARTS = (health.DATABASE, health.SPOOL, health.FEED, health.DISPATCHER, health.POLLER)


class Machine:
    """Its parts work unless they are said not to."""

    def __init__(self) -> None:
        self.parts = {name: AsyncMock(return_value=True) for name in PARTS}
        transport = httpx.ASGITransport(Starlette(routes=health.routes(self.parts)))
        self._browser = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000")

    async def asked(self, path: str) -> tuple[int, dict[str, bool]]:
        answer = await self._browser.get(path)
        return answer.status_code, answer.json()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    return Machine()


async def test_with_everything_in_order_every_question_is_answered_yes(machine: Machine) -> None:
    for path in ("/ready", "/ready?webhooks", "/ready?all"):
        assert await machine.asked(path) == (200, dict.fromkeys(PARTS, True))


@pytest.mark.parametrize("part", [health.DATABASE, health.SPOOL, health.FEED])
async def test_without_what_it_needs_it_is_not_ready_and_says_which(machine: Machine, part: str) -> None:
    machine.parts[part].return_value = False
    status, told = await machine.asked("/ready")
    assert (status, [name for name, works in told.items() if not works]) == (503, [part])


@pytest.mark.parametrize("part", [health.DISPATCHER, health.POLLER])
async def test_a_dead_worker_takes_no_web_process_out_of_service_but_is_seen(machine: Machine, part: str) -> None:
    machine.parts[part].return_value = False
    status, told = await machine.asked("/ready")
    assert (status, told[part]) == (200, False)
    assert (await machine.asked("/ready?all"))[0] == 503


async def test_with_the_database_away_webhooks_still_come_to_the_spool(machine: Machine) -> None:
    machine.parts[health.DATABASE].side_effect = Unavailable("away")
    assert (await machine.asked("/ready"))[0] == 503
    assert (await machine.asked("/ready?webhooks"))[0] == 200
    machine.parts[health.SPOOL].return_value = False
    assert (await machine.asked("/ready?webhooks"))[0] == 503


async def test_a_part_that_hangs_does_not_work(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LONGEST_SECONDS", 0.01)
    machine.parts[health.FEED].side_effect = asyncio.Event().wait
    assert (await machine.asked("/ready"))[0] == 503


async def test_however_many_ask_the_parts_are_looked_at_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "KEPT_SECONDS", 60.0)
    await asyncio.gather(*(machine.asked("/ready") for _ in range(20)))
    assert machine.parts[health.DATABASE].await_count == 1


async def test_it_is_alive_whatever_is_away(machine: Machine) -> None:
    machine.parts[health.DATABASE].side_effect = Unavailable("away")
    assert (await machine.asked("/health"))[0] == 200
