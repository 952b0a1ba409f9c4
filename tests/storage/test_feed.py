"""The change feed: heard after the commit, in order, by everyone, and never silently missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from sqlalchemy import text

from tests.cast import Town
from tests.services.steps import listening
from tp_inbox.domain.errors import Unavailable
from tp_inbox.storage import feed as module
from tp_inbox.storage.feed import Change, ChangeKind, Feed, announce, read_change


async def say(town: Town, thread: int) -> None:
    async with town.wired.db.transaction() as session:
        await announce(session, Change(ChangeKind.MESSAGE, inbox=1, thread=thread))


async def test_nothing_is_heard_before_the_commit(town: Town) -> None:
    async with listening(town) as heard:
        async with town.wired.db.transaction() as session:
            await announce(session, Change(ChangeKind.READ, thread=7))
            assert await heard.all() == []
        assert [c.thread for c in await heard.all()] == [7]


async def test_what_is_undone_is_never_heard(town: Town) -> None:
    async with listening(town) as heard:
        with suppress(ZeroDivisionError):
            async with town.wired.db.transaction() as session:
                await announce(session, Change(ChangeKind.READ, thread=7))
                raise ZeroDivisionError
        assert await heard.all() == []


async def test_changes_come_in_the_order_of_their_commits_with_ids_of_their_own(town: Town) -> None:
    async with listening(town) as heard:
        for thread in range(30):
            await say(town, thread)
        changes = await heard.all()
    assert [c.thread for c in changes] == list(range(30))
    assert len({c.id for c in changes}) == 30


async def test_two_like_changes_in_one_transaction_are_both_heard(town: Town) -> None:
    async with listening(town) as heard:
        async with town.wired.db.transaction() as session:
            for _ in range(2):
                await announce(session, Change(ChangeKind.READ, thread=7))
        assert len(await heard.all()) == 2


async def test_every_listener_hears(town: Town) -> None:
    async with listening(town) as one, listening(town) as other:
        await say(town, 7)
        assert len(await one.all()) == len(await other.all()) == 1


async def test_a_listener_that_fails_hears_the_next_change(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    heard, done = [], asyncio.Event()

    async def take(change: Change) -> None:
        heard.append(change.thread)
        if change.thread == 1:
            raise ZeroDivisionError
        done.set()

    async with _running(town, take):
        await say(town, 1)
        await say(town, 2)
        await asyncio.wait_for(done.wait(), 5)
    assert heard == [1, 2]
    assert "could not be passed on" in caplog.text


async def test_after_the_connection_was_lost_everybody_is_told_at_once(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECONNECT_SECONDS", 0.01)
    lost = asyncio.Event()

    async def told() -> None:
        lost.set()
        raise Unavailable("a screen that cannot be loaded must not end the feed")

    heard = asyncio.Queue[Change]()
    async with _running(town, heard.put, told) as feed:
        await _cut(town)
        await asyncio.wait_for(lost.wait(), 5)
        assert feed.listening.is_set()
        await say(town, 7)
        assert (await asyncio.wait_for(heard.get(), 5)).thread == 7


async def test_the_first_connection_tells_nobody_to_load_again(town: Town) -> None:
    async def told() -> None:
        raise AssertionError

    async with _running(town, asyncio.Queue[Change]().put, told) as feed:
        assert feed.listening.is_set()


async def test_while_there_is_no_database_the_feed_goes_on_trying(caplog: pytest.LogCaptureFixture) -> None:
    async def nothing(*_: object) -> None: ...

    feed = Feed("postgresql://nobody@127.0.0.1:1/none", nothing, nothing)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(feed.run(), 0.2)
    assert "connection lost" in caplog.text
    assert not feed.listening.is_set()


def test_what_does_not_apply_is_not_sent() -> None:
    assert read_change('{"kind": "read", "thread": 7, "id": "x"}') == Change(ChangeKind.READ, thread=7, id="x")


@asynccontextmanager
async def _running(
    town: Town, heard: Callable[[Change], Awaitable[None]], lost: Callable[[], Awaitable[None]] | None = None
) -> AsyncIterator[Feed]:
    async def told() -> None: ...

    feed = Feed(town.wired.db.url, heard, lost or told)
    task = asyncio.create_task(feed.run())
    await asyncio.wait_for(feed.listening.wait(), 5)
    yield feed
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _cut(town: Town) -> None:
    listener = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    async with town.wired.db.reading() as session:
        await session.execute(text(listener))


@pytest.mark.parametrize("ticks", range(6))
async def test_a_feed_that_is_ended_while_a_change_comes_in_ends(ticks: int) -> None:
    async def nothing(*_: object) -> None: ...

    changes = asyncio.Queue[str | None]()
    task = asyncio.create_task(Feed("", nothing, nothing)._pass_on(object(), changes))
    await asyncio.sleep(0.01)
    changes.put_nowait('{"kind": "read"}')
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=1)
    assert done
