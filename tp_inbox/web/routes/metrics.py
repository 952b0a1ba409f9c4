"""Figures for Prometheus. To a stranger there is no such page.

It opens to whoever brings METRICS_TOKEN, and to a program on this very machine. Behind a proxy everybody seems to come
from this machine, so there the token alone counts.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tp_inbox.settings import LOOPBACK, Settings

FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")
"""What a proxy adds, also one that the settings do not know of."""


def routes(settings: Settings, figures: Callable[[], Awaitable[bytes]]) -> list[Route]:
    """``figures``: all of them, in Prometheus's text format."""

    async def metrics(request: Request) -> Response:
        if not _may_read(request, settings):
            return PlainTextResponse("Not Found", 404)
        return Response(await figures(), media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"cache-control": "no-store"})

    return [Route("/metrics", metrics, methods=["GET"])]


def _may_read(request: Request, settings: Settings) -> bool:
    token = settings.metrics_token.get_secret_value()
    return (bool(token) and _brings(token, request)) or (settings.proxy_hops == 0 and _is_on_this_machine(request))


def _brings(token: str, request: Request) -> bool:
    scheme, _, brought = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(brought.strip().encode(), token.encode())


def _is_on_this_machine(request: Request) -> bool:
    """By where it comes from and by what it calls us: a page elsewhere whose name leads here calls us by that name."""
    came_by = any(name in request.headers for name in FORWARDED)
    client = request.client.host if request.client else ""
    return not came_by and client in LOOPBACK and (request.url.hostname or "") in LOOPBACK
