"""Browsers without a server: the real app, its gate and its door to the sockets; only the wire between is left out.

A ``Tab`` is one tab of a browser. What it is sent is kept as the screen that a person would see.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from reflex.istate.manager.memory import StateManagerMemory
from reflex_base.event.processor.base_state_processor import BaseStateEventProcessor
from reflex_base.utils.format import json_dumps
from reflex_base.vars.base import FIELD_MARKER
from sqlalchemy import func, select, update
from sqlmodel import SQLModel

from tests.cast import Town
from tp_inbox.services.changes import Change, ChangeKind, Changes
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import Feed, announce
from tp_inbox.storage.tables import Session
from tp_inbox.tp_inbox import app, show_fault
from tp_inbox.web import live, reflex_internals as internals
from tp_inbox.web.cookies import SESSION_COOKIE
from tp_inbox.web.gate import TO_SIGN_IN
from tp_inbox.web.states.push import PushState

PATIENCE = 10.0
_numbers = itertools.count(1)


@dataclass
class Answer:
    """What one call brought: changed variables by state, and what the browser was told to do."""

    deltas: list[dict[str, dict[str, Any]]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return json.dumps([self.deltas, self.events], ensure_ascii=False)

    @property
    def scripts(self) -> list[str]:
        return [script for event in self.events for script in _scripts(event)]

    @property
    def redirects(self) -> list[str]:
        return [event["payload"]["path"] for event in self.events if event["name"] == "_redirect"]

    @property
    def shows_out(self) -> bool:
        return any(TO_SIGN_IN in script for script in self.scripts)

    @property
    def reloads(self) -> bool:
        return any("location.reload()" in script for script in self.scripts)

    def says(self, sentence: str) -> bool:
        return any(sentence in script for script in self.scripts)


class Tab:
    """One tab: its token, the connection that it has, and what stands on its screen."""

    def __init__(self, stage: Stage, cookie: str, token: str = "") -> None:
        self.stage = stage
        self.cookie = cookie
        self.token = token or str(uuid4())
        self.socket = ""
        self.path = "/"
        self.screen: dict[str, dict[str, Any]] = {}
        self.answer = Answer()

    async def connect(self, boot: dict | None = None) -> None:
        """A connection as a browser opens it, with the cookie that it has now."""
        self.socket = f"socket-{next(_numbers)}"
        self.stage.tabs[self.socket] = self
        headers = [(b"host", b"127.0.0.1"), (b"cookie", f"{SESSION_COOKIE}={self.cookie}".encode())]
        environ = {
            "QUERY_STRING": f"token={self.token}",
            "asgi.scope": {"headers": headers, "client": ("127.0.0.1", 1)},
        }
        with app.set_contexts():
            await self.stage.namespace.on_connect(self.socket, environ, {"event": boot} if boot else None)

    async def disconnect(self) -> None:
        with app.set_contexts():
            if task := self.stage.namespace.on_disconnect(self.socket):
                await task
        self.stage.tabs.pop(self.socket, None)

    async def load(self, path: str) -> Answer:
        """The page is loaded: a new document, a new connection, an empty screen."""
        if self.socket in self.stage.tabs:
            await self.disconnect()
        self.screen, self.path = {}, path
        return await self._hydrate(["a hash"])

    async def reconnect(self) -> Answer:
        """The connection comes back; what stood on the screen stands there still."""
        if self.socket in self.stage.tabs:
            await self.disconnect()
        return await self._hydrate(None)

    async def goes_to(self, path: str) -> Answer:
        """A click on a link."""
        self.path = path
        return await self.forge(ON_LOAD, {})

    async def call(self, handler: Any, *arguments: Any) -> Answer:
        names = list(internals.hints_of(handler.event_handler if hasattr(handler, "event_handler") else handler))
        return await self.forge(internals.name_of(handler), dict(zip(names, arguments, strict=True)))

    async def forge(self, name: Any, payload: Any, **more: Any) -> Answer:
        """Whatever a browser may send, through the door that all of it passes."""
        self.answer = Answer()
        with app.set_contexts():
            await self.stage.namespace.on_event(
                self.socket, {"name": name, "payload": payload, **self._where(), **more}
            )
        await self.stage.settle()
        return self.answer

    def var(self, state: type, name: str) -> Any:
        return self.screen.get(state.get_full_name(), {}).get(name)

    @property
    def seen(self) -> str:
        """All that stands on the screen or in the browser's memory."""
        return json.dumps(self.screen, ensure_ascii=False)

    def take(self, delta: dict, events: list) -> None:
        self.answer.deltas.append(delta)
        self.answer.events += events
        for state, changes in delta.items():
            self.screen.setdefault(state, {}).update({k.removesuffix(FIELD_MARKER): v for k, v in changes.items()})

    async def _hydrate(self, hashes: list[str] | None) -> Answer:
        self.answer = Answer()
        await self.connect({"name": internals.HYDRATE, "payload": {"vars": {}, "hashes": hashes}, **self._where()})
        await self.stage.settle()
        return self.answer

    def _where(self) -> dict[str, Any]:
        return {"router_data": {"pathname": self.path, "asPath": self.path, "query": {}}}


class Stage:
    """A web process of one test, on the town's database."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.tabs: dict[str, Tab] = {}
        self.namespace = app.event_namespace
        self.live = live.current()
        self.failures: list[Exception] = []
        self.heard: asyncio.Queue[Change] = asyncio.Queue()

    async def signs_in(self, who: str) -> str:
        """A new session of this person's; the token that the cookie holds."""
        token = f"{who}-{uuid4().hex}"
        async with self.town.wired.db.transaction() as session:
            digest = hashlib.sha256(token.encode()).digest()
            expires = utc_now() + timedelta(days=1)
            session.add(Session(token_digest=digest, staff_id=self.town.staff[who], expires_at=expires))
        return token

    async def tab(self, who: str, path: str = "/messages") -> Tab:
        """A tab in which this person has signed in and opened a page."""
        tab = Tab(self, await self.signs_in(who))
        await tab.load(path)
        return tab

    def stranger(self) -> Tab:
        return Tab(self, "")

    async def changes(self, **values: Any) -> None:
        """Sets columns of every session, to make time pass."""
        async with self.town.wired.db.transaction() as session:
            await session.execute(update(Session).values(**values))

    async def settle(self) -> None:
        """Until every event has run."""
        processor = app.event_processor
        async with asyncio.timeout(PATIENCE):
            while processor._tasks or processor._token_queues or processor._queue.qsize():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)

    async def hears(self) -> None:
        """Until every change that has been committed is on every screen."""
        marker = Change(ChangeKind.SESSION, staff=-next(_numbers))
        async with self.town.wired.db.transaction() as session:
            await announce(session, marker)
        async with asyncio.timeout(PATIENCE):
            while (await self.heard.get()).staff != marker.staff:
                pass
        await self.settle()

    async def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        found = {}
        async with self.town.wired.db.reading() as session:
            for name, table in SQLModel.metadata.tables.items():
                found[name] = await session.scalar(select(func.count()).select_from(table))
        return found

    async def emit(self, _: str, update: Any, to: str) -> None:
        """In the place of the wire."""
        tab = self.tabs.get(to)
        if tab is not None and hasattr(update, "delta"):
            frame = json.loads(json_dumps({"delta": update.delta, "events": update.events}))
            tab.take(frame["delta"] or {}, frame["events"] or [])


@asynccontextmanager
async def on_stage(town: Town) -> AsyncIterator[Stage]:
    """Installs the process and takes it down again."""
    tabs = live.Live(Changes(town.wired.db), PushState.changed, PushState.reload())
    live.install(tabs)
    internals.guard_sockets(app)
    internals.only_the_server_sends(app, tabs.push_names)
    stage = Stage(town)
    app.event_namespace.emit = stage.emit
    app._state_manager = StateManagerMemory()
    processor = BaseStateEventProcessor(middleware=app, backend_exception_handler=_noting(stage))
    app._event_processor = processor.configure(state_manager=app.state_manager, event_namespace=app.event_namespace)
    feed = Feed(town.wired.db.url, _hearing(stage), lambda: tabs.reload_all(app))
    with app.set_contexts():
        async with processor:
            listening = contextvars.Context().run(asyncio.create_task, feed.run())
            async with asyncio.timeout(PATIENCE):
                await feed.listening.wait()
            yield stage
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    await app.state_manager.close()


def _hearing(stage: Stage):
    async def heard(change: Change) -> None:
        with app.set_contexts():
            await stage.live.hear(app, change)
        stage.heard.put_nowait(change)

    return heard


def _noting(stage: Stage):
    def handle(exception: Exception):
        stage.failures.append(exception)
        return show_fault(exception)

    return handle


def _scripts(event: dict[str, Any]) -> list[str]:
    return [str(value) for value in event["payload"].values()]


ON_LOAD = next(name for name in internals.OPEN_TO_ANYONE if name.endswith("on_load_internal"))
