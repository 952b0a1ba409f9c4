"""Tells the open Phones pages what happens, as it happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

KEEPALIVE_SECONDS = 15.0
BACKLOG = 1_000
CLOSE = None  # the end of a page's queue


class Hub:
    """Fans events out to Server-Sent Event streams. A page that falls behind is cut off, and reloads."""

    def __init__(self) -> None:
        self._pages: set[asyncio.Queue[str | None]] = set()
        self._is_open = True

    def publish(self, kind: str, **facts: object) -> None:
        """Hands an event to every open page, without waiting for any."""
        event = f"event: {kind}\ndata: {json.dumps(facts)}\n\n"
        for page in list(self._pages):
            if page.qsize() >= BACKLOG:
                self._pages.discard(page)
                page.put_nowait(CLOSE)
            else:
                page.put_nowait(event)

    async def stream(self) -> AsyncIterator[str]:
        """One page's events, until it leaves or the simulator stops."""
        page: asyncio.Queue[str | None] = asyncio.Queue()
        if not self._is_open:
            return
        self._pages.add(page)
        try:
            yield "retry: 1000\nevent: hello\ndata: {}\n\n"
            while (event := await self._next(page)) is not None:
                yield event
        finally:
            self._pages.discard(page)

    def close(self) -> None:
        """Ends every stream, also those to come: a server waits for open answers before it stops."""
        self._is_open = False
        for page in list(self._pages):
            page.put_nowait(CLOSE)

    @staticmethod
    async def _next(page: asyncio.Queue[str | None]) -> str | None:
        try:
            return await asyncio.wait_for(page.get(), KEEPALIVE_SECONDS)
        except TimeoutError:
            return ": still here\n\n"
