"""Who may come in: Twilio's clients with the account's password, this machine's browser, nobody else's page."""

from __future__ import annotations

import base64
import binascii
import hmac
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .config import SimulatorConfig
from .errors import Refusal, refusal_response

MAX_BODY_BYTES = 7_500_000
REST_PREFIXES = ("/2010-04-01/", "/v1/")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Turns away foreign hosts and pages, wrong passwords and oversized bodies before a route sees them."""

    def __init__(self, app: ASGIApp, config: SimulatorConfig) -> None:
        self._app = app
        self._config = config
        self._own_host = (urlsplit(config.base_url).hostname or "").lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, is_rest = Headers(scope=scope), scope["path"].startswith(REST_PREFIXES)
        refused = self._refuse_rest(scope, headers) if is_rest else self._refuse_page(scope, headers)
        if refused:
            await refused(scope, receive, send)
            return
        limited = _Limited(receive, headers)
        if limited.is_announced_too_large:
            await _problem(413, f"The request is larger than {MAX_BODY_BYTES:,} bytes.")(scope, receive, send)
            return
        await self._app(scope, limited, send if is_rest else _with_headers(send))

    def _refuse_rest(self, scope: Scope, headers: Headers) -> Response | None:
        if not self._is_known_host(headers) and not _hostname(headers).endswith(".twilio.com"):
            return _problem(421, "This simulator does not answer to that Host.")
        if not self._knows_password(headers.get("authorization", "")):
            return refusal_response(Refusal(20003))
        account = scope["path"].split("/")[3:4] if scope["path"].startswith("/2010-04-01/Accounts/") else []
        if account and account[0].removesuffix(".json") != self._config.account_sid:
            return refusal_response(Refusal(20404, scope["path"]))
        return None

    def _refuse_page(self, scope: Scope, headers: Headers) -> Response | None:
        """A name that resolves to this machine is not enough (DNS rebinding), nor is a page of another origin."""
        if not self._is_known_host(headers):
            return _problem(421, "This simulator does not answer to that Host.")
        if scope["method"] in SAFE_METHODS:
            return None
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
            return _problem(403, "Only the simulator's own page may do that.")
        if not headers.get("content-type", "").lower().startswith("application/json"):
            return _problem(415, "Send JSON, with Content-Type: application/json.")
        return None

    def _is_known_host(self, headers: Headers) -> bool:
        """Loopback and our own address; any address in figures where we listen to the world: those cannot rebind."""
        name = _hostname(headers)
        if name in ("localhost", self._own_host, self._config.host.lower()):
            return bool(name)
        address, here = _address(name), _address(self._config.host)
        return bool(address and (address.is_loopback or (here and here.is_unspecified)))

    def _knows_password(self, authorization: str) -> bool:
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return False
        wanted = f"{self._config.account_sid}:{self._config.auth_token}".encode()
        return scheme.lower() == "basic" and hmac.compare_digest(given, wanted)


class TooLarge(Exception):
    """More bytes came than the guard lets in."""


class _Limited:
    """A receive that stops counting at the limit, for bodies that do not announce their length."""

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive = receive
        self._left = MAX_BODY_BYTES
        announced = headers.get("content-length", "0")
        self.is_announced_too_large = not announced.isdecimal() or int(announced[:12]) > MAX_BODY_BYTES

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TooLarge
        return message


async def on_too_large(_request: object, _error: Exception) -> Response:
    """Starlette's exception handler for TooLarge."""
    return _problem(413, f"The request is larger than {MAX_BODY_BYTES:,} bytes.")


def _hostname(headers: Headers) -> str:
    try:
        return (urlsplit(f"//{headers.get('host', '')}").hostname or "").lower()
    except ValueError:
        return ""


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _problem(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status_code=status)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in PAGE_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
