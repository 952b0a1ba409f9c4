"""The router of a web process: beside answering, at once, in order, and lost with nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.cast import OMAR, ROSA, Town
from tests.services.steps import listening, rows, text_from, the, until_waiting
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services import receiving as receiving_module, router as module
from tp_inbox.services.router import Router
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import FamilyPhone, InboundRequest, Message, Thread


@pytest.fixture
async def router(town: Town):
    router = Router(town.wired.receiving)
    yield router
    await router.rest()


async def until_routed(town: Town, count: int) -> list[Message]:
    async with asyncio.timeout(20):
        while len(found := await rows(town, Message)) < count:  # noqa: ASYNC110 - a table has no event
            await asyncio.sleep(0.01)
    return found


async def test_a_text_is_routed_at_once_and_nobody_waits_for_it(town: Town, router: Router) -> None:
    async with listening(town) as heard:
        await router.keep(text_from(), "webhook")
        assert [m.body for m in await until_routed(town, 1)] == ["Thank you"]
        assert await heard.kinds() == [ChangeKind.MESSAGE]


async def test_fifty_repetitions_at_once_are_one_text_and_one_push(town: Town, router: Router) -> None:
    text = text_from()
    async with listening(town) as heard:
        await asyncio.gather(*(router.keep(text, "webhook") for _ in range(50)))
        await until_routed(town, 1)
        await router.keep(text, "webhook")
        assert await heard.kinds() == [ChangeKind.MESSAGE]
    assert (await the(town, Thread)).inbound_count == 1


async def test_what_one_family_sends_stays_in_order_however_many_texts_pour_in(
    town: Town, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POURING_SECONDS", 0.001)
    for n in range(30):
        await router.keep(text_from((ROSA, OMAR)[n % 2], str(n)), "webhook")
    found = await until_routed(town, 30)
    for family in (ROSA, OMAR):
        written = [int(m.body) for m in found if m.sender == family]
        assert written == sorted(written)


async def test_a_family_whose_row_is_locked_holds_up_nobody_else(town: Town, router: Router) -> None:
    async with town.wired.db.transaction() as session:
        await session.get_one(FamilyPhone, town.phones[ROSA], with_for_update=True)
        await router.keep(text_from(ROSA, "held up"), "webhook")
        await until_waiting(town, 1)
        await router.keep(text_from(OMAR, "not held up"), "webhook")
        assert [m.body for m in await until_routed(town, 1)] == ["not held up"]
    assert [m.body for m in await until_routed(town, 2)] == ["not held up", "held up"]


async def test_while_texts_pour_in_storing_goes_first_and_afterwards_all_are_routed(
    town: Town, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POURING_SECONDS", 0.3)
    await asyncio.gather(*(router.keep(text_from(body=str(n)), "webhook") for n in range(40)))
    stored = len(await rows(town, InboundRequest))
    assert (stored, len(await rows(town, Message)) < 40) == (40, True)
    await until_routed(town, 40)


async def test_a_process_that_stops_while_it_routes_leaves_the_text_to_the_next_one(town: Town, router: Router) -> None:
    async with town.wired.db.transaction() as session:
        await session.get_one(FamilyPhone, town.phones[ROSA], with_for_update=True)
        await router.keep(text_from(), "webhook")
        await until_waiting(town, 1)
        await router.rest()
    assert (await rows(town, Message), (await the(town, InboundRequest)).routed_at) == ([], None)
    running = asyncio.create_task(Router(town.wired.receiving).run())
    assert len(await until_routed(town, 1)) == 1
    running.cancel()


async def test_a_database_that_goes_away_while_it_routes_loses_nothing(
    town: Town, router: Router, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patched:

        async def away(*_: object) -> None:
            raise Unavailable("gone")

        patched.setattr(receiving_module, "_settle", away)
        await router.keep(text_from(), "webhook")
        async with asyncio.timeout(10):
            while "the database is away" not in caplog.text:  # noqa: ASYNC110 - a log has no event
                await asyncio.sleep(0.01)
    router.wake()
    assert len(await until_routed(town, 1)) == 1
