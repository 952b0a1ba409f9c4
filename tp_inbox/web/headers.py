"""What every answer tells the browser: what it may load, and what it may keep."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

IMMUTABLE = "public, max-age=31536000, immutable"
SOON = "public, max-age=3600"
FOUND = {200, 206, 304}
BEGINNINGS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self' {sockets}; frame-src 'none'; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'none'; object-src 'none'"
)
"""Reflex needs inline scripts and eval; nothing comes from anywhere else."""


def with_headers(sockets: str, *, behind_tls: bool) -> Callable[[ASGIApp], ASGIApp]:
    """``sockets``: where the page's socket goes, for browsers whose 'self' does not cover it."""
    fixed = {
        "content-security-policy": POLICY.format(sockets=sockets),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    if behind_tls:
        fixed["strict-transport-security"] = "max-age=31536000"

    def wrap(app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def add(message: Message) -> None:
                if message["type"] in BEGINNINGS:
                    message.setdefault("headers", [])
                    headers = MutableHeaders(scope=message)
                    for name, value in fixed.items():
                        headers.setdefault(name, value)
                    headers.setdefault("cache-control", _keep(scope["path"], message.get("status", 101)))
                await send(message)

            await app(scope, receive, send if scope["type"] == "lifespan" else add)

        return answer

    return wrap


def _keep(path: str, status: int) -> str:
    """Files whose name changes with their content are kept; pages never, so that Back shows nothing after sign-out."""
    if status not in FOUND:
        return "no-store"
    if path.startswith("/assets/"):
        return IMMUTABLE
    return SOON if path.endswith((".svg", ".png", ".ico", ".woff2", ".webmanifest")) else "no-store"
