"""The database is away: each click ends in a sentence, nothing is lost, and everything comes back by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette

from tests.web.harness import Stage, Tab
from tp_inbox import tp_inbox
from tp_inbox.domain.errors import Refusal, Unavailable
from tp_inbox.web.routes import health
from tp_inbox.web.states.composer import ComposerState
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.thread import ThreadState

AWAY = "The database cannot be reached at the moment"


@asynccontextmanager
async def no_database(stage: Stage) -> AsyncIterator[None]:
    """Connections are gone, and new ones are refused."""

    async def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg, "connect", refuse)
        await stage.town.wired.db.engine.dispose()
        yield


@pytest.fixture
async def alice(stage: Stage) -> Tab:
    return await stage.tab("alice", f"/messages/personal/{await stage.town.personal('alice')}")


async def test_a_click_ends_in_a_sentence_and_the_screen_stays(stage: Stage, alice: Tab) -> None:
    async with no_database(stage):
        answer = await alice.call(ThreadState.toggle_family)
        assert answer.says(AWAY)
        assert not answer.shows_out
        assert alice.var(ShellState, "name") == "Alice Adams"
    assert all(isinstance(failure, Refusal) for failure in stage.failures)
    answer = await alice.call(ThreadState.toggle_family)
    assert not answer.says(AWAY)


async def test_a_text_sent_meanwhile_gets_its_words_back_and_goes_out_once_later(stage: Stage, alice: Tab) -> None:
    thread, key = await stage.town.personal("alice"), str(uuid4())
    before = await stage.counts()
    looked_up = await stage.town.wired.services.sessions.look_up(alice.cookie, own_act=False)
    assert looked_up

    async def known(*_: object, **__: object):
        return looked_up

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(stage.town.wired.services.sessions), "look_up", known)
        async with no_database(stage):
            await alice.call(ComposerState.send, thread, key, "Hello", 0)
    assert AWAY in alice.var(ComposerState, "refused")
    assert alice.var(ComposerState, "refused_key") == key
    assert await stage.counts() == before
    await alice.call(ComposerState.send, thread, key, "Hello", 0)
    await alice.call(ComposerState.send, thread, key, "Hello", 0)
    assert (await stage.counts())["message"] == before["message"] + 1


async def test_a_page_loaded_meanwhile_fills_when_the_database_is_back(stage: Stage, alice: Tab) -> None:
    async with no_database(stage):
        assert (await alice.load(alice.path)).says(AWAY)
        assert alice.var(ShellState, "name") in (None, "")
    await stage.live.reload_all(tp_inbox.app)
    await stage.settle()
    assert alice.var(ShellState, "name") == "Alice Adams"


@pytest.mark.parametrize("works", [True, False])
async def test_ready_says_what_does_not_work(works: bool) -> None:
    async def check() -> bool:
        return works

    site = Starlette(routes=health.routes({"database": check}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://here") as client:
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()) == (200 if works else 503, {"database": works})
        assert (await client.get("/health")).status_code == 200


async def test_a_process_knows_that_its_database_is_away(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tp_inbox.process, "wired", stage.town.wired)
    assert await tp_inbox.process.database_answers()
    async with no_database(stage):
        with pytest.raises(Unavailable):
            await tp_inbox.process.database_answers()
    assert await tp_inbox.process.database_answers()
