"""Whether the process is alive, and whether it can do its work: for whoever restarts it, and for load balancers.

A process is ready by what it needs itself. A worker or a poller that is down is shown beside, and takes no web process
out of service. Everybody may ask, so the answers are names and yes or no.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tp_inbox.domain.errors import Unavailable

DATABASE, SPOOL, FEED, DISPATCHER, POLLER = "database", "spool", "feed", "dispatcher", "poller"
NEEDED_FOR_PAGES = frozenset({DATABASE, SPOOL, FEED})
LONGEST_SECONDS = 2.0
KEPT_SECONDS = 1.0
"""However many ask, the parts are looked at so seldom."""

Check = Callable[[], Awaitable[bool]]


def routes(checks: Mapping[str, Check]) -> list[Route]:
    """``checks``: by name, what answers True when that part works."""
    parts = Parts(checks)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(request: Request) -> Response:
        """Ready for pages; with ``?webhooks`` for Twilio's requests, with ``?all`` for nobody to be alarmed."""
        found = await parts.found()
        return JSONResponse(found, 200 if _enough(found, request.query_params) else 503)

    return [Route("/health", health), Route("/ready", ready)]


def _enough(found: Mapping[str, bool], asked: Mapping[str, str]) -> bool:
    if "all" in asked:
        return all(found.values())
    if "webhooks" in asked:
        return found[DATABASE] or found[SPOOL]  # either keeps a family's text
    return all(works for name, works in found.items() if name in NEEDED_FOR_PAGES)


class Parts:
    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._one_looks = asyncio.Lock()
        self._found: dict[str, bool] = {}
        self._until = 0.0

    async def found(self) -> dict[str, bool]:
        async with self._one_looks:
            if time.monotonic() >= self._until:
                works = await asyncio.gather(*map(_in_time, self._checks.values()))
                self._found = dict(zip(self._checks, works, strict=True))
                self._until = time.monotonic() + KEPT_SECONDS
            return self._found


async def _in_time(check: Check) -> bool:
    """A part that hangs does not work."""
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            return await check()
    except (TimeoutError, Unavailable):
        return False
