"""Clients of the running product that speak over the socket as a browser's tab does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import socketio

from tp_inbox.web import reflex_internals as internals
from tp_inbox.web.cookies import SESSION_COOKIE


@dataclass
class Wire:
    """One tab's socket, and all that came over it."""

    client: socketio.AsyncClient
    token: str
    updates: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return json.dumps(self.updates)

    async def rests(self) -> None:
        """Waits until nothing has come for half a second: the page has loaded."""
        said = -1
        while said != len(self.updates):
            said = len(self.updates)
            await asyncio.sleep(0.5)

    async def shows(self, words: str) -> bool:
        """Waits some seconds for words in what came."""
        deadline = time.monotonic() + 10
        while words not in self.text and time.monotonic() < deadline:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0.05)
        return words in self.text


@asynccontextmanager
async def wire(
    url: str, cookie: str = "", path: str = "/messages", token: str = "", **headers: str
) -> AsyncIterator[Wire]:
    client = socketio.AsyncClient(reconnection=False)
    opened = Wire(client, token or str(uuid4()))
    client.on("event", opened.updates.append, namespace="/_event")
    where = {"pathname": path, "asPath": path, "query": {}}
    boot = {"name": internals.HYDRATE, "payload": {"vars": {}, "hashes": None}, "router_data": where}
    try:
        await client.connect(
            f"{url}/?token={opened.token}",
            headers={"origin": url, "cookie": f"{SESSION_COOKIE}={cookie}"} | headers,
            auth={"event": boot},
            transports=["websocket"],
            namespaces=["/_event"],
            socketio_path="/_event",
        )
        yield opened
    finally:
        await client.disconnect()
