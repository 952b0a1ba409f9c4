"""The rules at the doors of the running product: pages, live texts, and files, for people of chance."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shlex
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from tests.fakes import FakeGateway
from tests.product import PASSWORD, Product, running_product
from tests.rights.world import Person, Talk, World, build_world
from tests.wires import Wire, wire
from tp_inbox.demo.homes import Owner, temporary_folder
from tp_inbox.demo.supervisor import running_note
from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, InboxKind
from tp_inbox.services.ports import InboundText
from tp_inbox.settings import Settings
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import Session
from tp_inbox.web.cookies import SESSION_COOKIE
from tp_inbox.wiring import Wired, wire as wire_up

pytestmark = pytest.mark.slow

AT_LEAST = 200
FILLED = '"ready_rx_state_": true'
"""Comes when a page has been filled."""


@dataclass
class Running:
    """A product of its own, whose district is joined by one of chance."""

    product: Product
    wired: Wired
    world: World

    @property
    def people(self) -> list[Person]:
        return [p for p in self.world.people if p.active]

    async def cookie(self, person: Person) -> str:
        token = uuid4().hex
        digest, expires = hashlib.sha256(token.encode()).digest(), utc_now() + timedelta(days=1)
        async with self.wired.db.transaction() as session:
            session.add(Session(token_digest=digest, staff_id=person.id, expires_at=expires))
        return token


@pytest.fixture(scope="module")
def joined() -> Iterator[tuple[Product, World]]:
    with temporary_folder(Owner.for_this_process()) as folder, running_product(folder) as product:
        yield product, asyncio.run(_join(product))


@pytest.fixture
async def running(joined: tuple[Product, World]) -> AsyncIterator[Running]:
    product, world = joined
    wired = _wired(product)
    yield Running(product, wired, world)
    await wired.close()


async def _join(product: Product) -> World:
    wired = _wired(product)
    world = await build_world(wired, FakeGateway(), random.Random(7))
    await wired.close()
    return world


def _wired(product: Product) -> Wired:
    note = dict(line.split("=", 1) for line in shlex.split(running_note(product.data).read_text()))
    return wire_up(Settings.model_validate({name.lower(): value for name, value in note.items()}), FakeGateway())


async def test_what_a_person_may_not_read_never_comes_over_the_wire(running: Running) -> None:
    cases, wrong = 0, []
    for person in running.people:
        cookie = await running.cookie(person)
        for talk in running.world.talks:
            shown = await _shows(running.product, cookie, talk)
            cases += 1
            if shown != access.may_read(running.world.actor(person), talk.inbox):
                wrong.append((person.name, talk))
    assert wrong == []
    assert cases >= AT_LEAST


async def _shows(product: Product, cookie: str, talk: Talk) -> bool:
    """Whether opening a conversation by its address brings its text."""
    path = f"/messages/{talk.inbox.kind.value}/{talk.id}"
    async with wire(product.url, cookie, path) as tab:
        assert await tab.shows(FILLED)
        return talk.secret in tab.text


async def test_a_live_text_goes_to_those_who_may_read_it_and_to_nobody_else(running: Running) -> None:
    async with AsyncExitStack() as open_tabs:
        tabs = {}
        for person in running.people:
            tabs[person.name] = [await open_tabs.enter_async_context(tab) for tab in await _tabs(running, person)]
        for tab in (tab for both in tabs.values() for tab in both):
            assert await tab.shows(FILLED)
        words = {talk.id: await _text(running.wired, talk) for talk in running.world.talks}
        wrong, cases = [], 0
        for person in running.people:
            actor = running.world.actor(person)
            for talk in running.world.talks:
                cases += 1
                if access.may_read(actor, talk.inbox) != await _reached(tabs[person.name], words[talk.id], actor, talk):
                    wrong.append((person.name, talk))
    assert wrong == []
    assert cases >= AT_LEAST


async def test_a_file_is_handed_out_to_those_who_may_take_it_and_holds_only_what_they_may(running: Running) -> None:
    url = running.product.url
    async with httpx.AsyncClient(base_url=url, headers={"origin": url}) as browser:
        await browser.post("/auth/sign-in", data={"email": "district@maplevalley.example", "password": PASSWORD})
        for person in running.people:
            browser.cookies.clear()
            actor = running.world.actor(person)
            browser.cookies.set(SESSION_COOKIE, await running.cookie(person))
            answer = await browser.get("/exports/audit.csv")
            assert answer.status_code == (200 if access.exports_log(actor) else 403), person.name
            everything = access.exports_log(actor) and access.schools_of_exported_log(actor) is None
            assert ("Priya Raman,signed in" in answer.text) == everything, person.name


async def _tabs(running: Running, person: Person) -> list[AbstractAsyncContextManager[Wire]]:
    """One on each of the two lists."""
    cookie = await running.cookie(person)
    return [wire(running.product.url, cookie, f"/messages/{kind.value}") for kind in InboxKind]


async def _reached(tabs: list[Wire], words: str, actor: Actor, talk: Talk) -> bool:
    """Waits for a text that should come, on the list where it belongs; others have had the time of all before."""
    if access.may_read(actor, talk.inbox):
        return await tabs[list(InboxKind).index(talk.inbox.kind)].shows(words)
    return any(words in tab.text for tab in tabs)


async def _text(wired: Wired, talk: Talk) -> str:
    words = f"live {uuid4().hex}"
    sid = f"SM{uuid4().hex}"
    await wired.receiving.receive(
        InboundText(sid, talk.family.e164, talk.ours, words, (), None, {"Body": words}, utc_now())
    )
    return words
