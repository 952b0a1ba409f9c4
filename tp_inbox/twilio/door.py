"""The door at which Twilio knocks: only what it has signed for our address, about our account, comes in."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request

from tp_inbox.settings import Settings
from tp_inbox.twilio import forms
from tp_inbox.twilio.signature import is_signed

BODY_BYTES = 64 * 1024
NOT_SIGNED, NOT_OURS = "not signed by Twilio for this address", "not our account"


class Closed(Exception):
    """The door stays shut: with which HTTP status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Door:
    def __init__(self, settings: Settings) -> None:
        self._address = settings.address
        self._account = settings.twilio_account_sid
        self._token = settings.twilio_auth_token.get_secret_value()

    async def checked(self, request: Request) -> forms.Form:
        """The form of a request that is Twilio's and about our account. Raises Closed."""
        form = _parsed(await _body(request))
        signature = request.headers.get("X-Twilio-Signature")
        if not is_signed(self._token, self._address + _called(request), form, signature):
            raise Closed(403, NOT_SIGNED)
        if form.get("AccountSid") != self._account:
            raise Closed(403, NOT_OURS)
        return form


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise Closed(413, "too large")
    return bytes(body)


def _parsed(body: bytes) -> forms.Form:
    try:
        return forms.parsed(body)
    except forms.Unreadable:
        raise Closed(400, "not a form") from None


def _called(request: Request) -> str:
    """Path and query as they came over the wire; where the server keeps no raw path it is encoded again."""
    path: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    query: bytes = request.scope["query_string"]
    return (path.split(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")
