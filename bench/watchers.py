"""The other tabs: a process of websocket clients beside this one."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from bench.clients import Order
from bench.screen import Sighting

CONNECT_SECONDS = 60
REPORT_SECONDS = 60

Seen = dict[str, Sighting]


@dataclass(frozen=True, slots=True)
class Watchers:
    """Tabs that are connected and show the thread."""

    process: asyncio.subprocess.Process

    async def saw(self, texts: Sequence[str]) -> list[Seen]:
        """By tab, when it had which text and how often; the tabs are closed then."""
        _say(self.process, texts)
        answer, _ = await asyncio.wait_for(self.process.communicate(), REPORT_SECONDS)
        return [{text: (at, copies) for text, (at, copies) in tab.items()} for tab in json.loads(answer)]


@asynccontextmanager
async def watchers(order: Order) -> AsyncIterator[Watchers]:
    command = [sys.executable, "-m", "bench.clients"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        _say(process, asdict(order))
        await asyncio.wait_for(_ready(process), CONNECT_SECONDS)
        yield Watchers(process)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def _say(process: asyncio.subprocess.Process, content: object) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(content).encode() + b"\n")


async def _ready(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    if await process.stdout.readline() != b"ready\n":
        raise ConnectionError("the websocket clients could not connect; what they said is above")
