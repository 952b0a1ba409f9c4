"""Routes what a web process has stored, beside answering: a family's text is on its way to the screens at once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque

from tp_inbox.domain.errors import Unavailable
from tp_inbox.services.ports import InboundText
from tp_inbox.services.receiving import Receiving

log = logging.getLogger(__name__)

LANES = 3
"""So many texts are routed at once, so that one whose family is just being written to holds up nobody else's."""
POURING, POURING_SECONDS = 10, 0.25
"""When so many come in so short a time, storing goes first: a lane routes one in that time, the worker the rest."""
LOOK_SECONDS = 5.0


class Router:
    def __init__(self, receiving: Receiving) -> None:
        self._receiving = receiving
        self._lanes: set[asyncio.Task[None]] = set()
        self._running = 0
        self._more = False
        self._arrivals: deque[float] = deque(maxlen=POURING)

    async def keep(self, text: InboundText, source: str) -> None:
        """Stores the text, and returns; it is routed right afterwards. Raises Unavailable when it was not stored."""
        if await self._receiving.keep(text, source) is not None:
            self._arrivals.append(time.monotonic())
            self.wake()

    def wake(self) -> None:
        """Something waits to be routed."""
        self._more = True
        if self._running < (1 if self._is_pouring() else LANES):
            self._running += 1
            lane = asyncio.create_task(self._route())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)

    async def run(self) -> None:
        """Looks for what waits from before, or was put off; until it is cancelled. What is not routed then waits for
        another process.
        """
        try:
            while True:
                self.wake()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self.rest()

    async def rest(self) -> None:
        """Routes no more; a text that is half routed is not."""
        for lane in tuple(self._lanes):
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)

    async def _route(self) -> None:
        try:
            while self._more:
                self._more = False
                await self._route_all()
        except Unavailable:
            log.warning("router: texts wait to be routed, the database is away")
        except Exception:
            log.exception("router: texts wait to be routed")
        finally:
            self._running -= 1

    async def _route_all(self) -> None:
        while True:
            if self._is_pouring():
                await asyncio.sleep(POURING_SECONDS)
            if await self._receiving.route_next() is None:
                return

    def _is_pouring(self) -> bool:
        full = len(self._arrivals) == POURING
        return full and time.monotonic() - self._arrivals[0] < POURING_SECONDS
