"""Many tabs in one process: they speak as a browser's do, and note when each frame came.

`python -m bench.clients` reads a line of JSON (an ``Order``), connects all tabs, prints "ready", and at the next
line, which lists texts, prints when each tab had which of them, and ends.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from bench.screen import Frame, sightings
from tp_inbox.web.cookies import SESSION_COOKIE

OPEN, PING, PONG = "0", "2", "3"
HYDRATED = '"is_hydrated_rx_state_":true'
NEW_TEXT = '"tail_rx_state_":[{'
CONNECTING_AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class Order:
    """``greeting`` opens the thread; ``answer``, if any, is said to each new text, as a visible tab marks it read."""

    url: str
    cookies: Sequence[str]
    greeting: str
    answer: str = ""


@dataclass(slots=True)
class Tab:
    socket: aiohttp.ClientWebSocketResponse
    answer: str
    frames: list[Frame] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await self._take(time.time(), message.data)

    async def _take(self, at: float, frame: str) -> None:
        if frame == PING:
            return await self.socket.send_str(PONG)
        self.frames.append((at, frame))
        if not self.ready.is_set() and HYDRATED in frame:
            self.ready.set()
        elif self.answer and NEW_TEXT in frame:
            await self.socket.send_str(self.answer)
        return None


async def main(lines: asyncio.StreamReader) -> None:
    order = Order(**json.loads(await lines.readline()))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http, asyncio.TaskGroup() as group:
        tabs = await _connected(http, order, group)
        gc.freeze()
        print("ready", flush=True)
        texts = json.loads(await lines.readline())
        await asyncio.gather(*(tab.socket.close() for tab in tabs))
    print(json.dumps([sightings(tab.frames, texts) for tab in tabs]), flush=True)


async def _connected(http: aiohttp.ClientSession, order: Order, group: asyncio.TaskGroup) -> list[Tab]:
    slots = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def tab(cookie: str) -> Tab:
        async with slots:
            opened = Tab(await _socket(http, order, cookie), order.answer)
            group.create_task(opened.listen())
            await opened.ready.wait()
            return opened

    return await asyncio.gather(*(tab(cookie) for cookie in order.cookies))


async def _socket(http: aiohttp.ClientSession, order: Order, cookie: str) -> aiohttp.ClientWebSocketResponse:
    address = f"{order.url.replace('http', 'ws', 1)}/_event/?token={uuid4()}&EIO=4&transport=websocket"
    headers = {"Cookie": f"{SESSION_COOKIE}={cookie}", "Origin": order.url}
    socket = await http.ws_connect(address, headers=headers, max_msg_size=0, autoping=True)
    first = await socket.receive_str()
    assert first.startswith(OPEN), first
    await socket.send_str(order.greeting)
    return socket


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 24)
    protocol: Any = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


async def _run() -> None:
    await main(await _standard_input())


if __name__ == "__main__":
    asyncio.run(_run())
