"""Whether the process is alive, and whether it can do its work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LONGEST_SECONDS = 2.0


def routes(checks: Mapping[str, Callable[[], Awaitable[bool]]]) -> list[Route]:
    """``checks``: by name, what answers True when that part works."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        found = {name: await _in_time(check) for name, check in checks.items()}
        return JSONResponse(found, 200 if all(found.values()) else 503)

    return [Route("/health", health), Route("/ready", ready)]


async def _in_time(check: Callable[[], Awaitable[bool]]) -> bool:
    """A part that hangs does not work."""
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            return await check()
    except TimeoutError:
        return False
