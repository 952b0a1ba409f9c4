"""A real OpenID provider on the loopback, small and obedient, unless a test tells it to misbehave.

It signs in whoever ``person`` describes, without asking. What it answers wrongly is set on ``wrong``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from granian.constants import Interfaces
from granian.server.embed import Server
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.product import free_port

CLIENT_ID, CLIENT_SECRET = "the-inbox", "a secret of the inbox"
STARTS_WITHIN = 20


@dataclass
class Person:
    """Who stands before the provider."""

    subject: str = "alice-at-the-provider"
    email: str = "alice@district.example"
    verified: Any = True
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Wrong:
    """``claims`` replace right ones in ID tokens, and None leaves a claim out; ``described`` does so in the discovery
    document; ``answers`` gives a path another status; ``error`` comes back in place of a code.
    """

    claims: dict[str, Any] = field(default_factory=dict)
    described: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    error: str = ""
    signed_by: RSAKey | None = None
    unsigned: bool = False
    state: str = ""


class OpenIdServer:
    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.port = port
        self.person = Person()
        self.wrong = Wrong()
        self.asked: list[str] = []
        self._keys = [_new_key()]
        self._codes: dict[str, dict[str, str]] = {}

    def behaves(self, person: Person | None = None) -> None:
        self.person, self.wrong = person or Person(), Wrong()
        self.asked.clear()

    def rotates_its_key(self) -> None:
        self._keys = [_new_key()]

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
                Route("/keys", self._jwks),
            ]
        )

    async def _discovery(self, request: Request) -> Response:
        described = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return self._answer(request, described | self.wrong.described)

    async def _jwks(self, request: Request) -> Response:
        return self._answer(request, KeySet(self._keys).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        """Answers at once, as for somebody who has signed in here already."""
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        state = self.wrong.state or asked["state"]
        if self.wrong.error:
            return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'error': self.wrong.error, 'state': state})}")
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': state})}")

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        asked = self._codes.pop(str(form.get("code")), None)
        if asked is None or not self._is_theirs(request, form, asked):
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 300}
        return self._answer(request, token | {"id_token": self._id_token(asked["nonce"])})

    async def _userinfo(self, request: Request) -> Response:
        told = {"sub": self.person.subject, "email": self.person.email, "email_verified": self.person.verified}
        return self._answer(request, told)

    def _is_theirs(self, request: Request, form: Any, asked: dict[str, str]) -> bool:
        """PKCE, the redirect address, and the client's secret."""
        digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        proved = urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        knows = request.headers.get("authorization", "").startswith("Basic ")
        return proved and knows and form.get("redirect_uri") == asked["redirect_uri"]

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": self.person.subject,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "email": self.person.email,
            "email_verified": self.person.verified,
        }
        claims = {k: v for k, v in (claims | self.person.more | self.wrong.claims).items() if v is not None}
        if self.wrong.unsigned:
            return f"{_part({'alg': 'none', 'kid': self._keys[0].kid})}.{_part(claims)}."
        key = self.wrong.signed_by or self._keys[0]
        return jwt.encode({"alg": "RS256", "kid": self._keys[0].kid}, claims, key)

    def _answer(self, request: Request, content: dict[str, Any]) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse(content, self.wrong.answers.get(request.url.path, 200))


def _part(content: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def another_key() -> RSAKey:
    """One that the provider does not have."""
    return _new_key()


def _new_key() -> RSAKey:
    key = RSAKey.generate_key(2048)
    key.ensure_kid()
    return key


@contextmanager
def running_provider() -> Iterator[OpenIdServer]:
    provider = OpenIdServer(free_port())
    server = Server(provider.app, address="127.0.0.1", port=provider.port, interface=Interfaces.ASGI, log_enabled=False)
    thread = threading.Thread(target=asyncio.run, args=[server.serve()], daemon=True)
    thread.start()
    _wait_until_it_answers(provider)
    yield provider
    server.stop()
    thread.join(STARTS_WITHIN)


def _wait_until_it_answers(provider: OpenIdServer) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            urlopen(f"{provider.issuer}/keys", timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
