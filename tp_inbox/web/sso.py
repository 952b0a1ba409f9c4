"""OpenID Connect: sends a browser to a provider, and believes what comes back only as far as it is proved.

Authorization code with PKCE, state and nonce. The provider's addresses come from its own discovery document; only TLS
is spoken, unless the provider is on this machine.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.common.errors import AuthlibBaseError
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from tp_inbox.domain.errors import Refusal
from tp_inbox.services.identities import VouchedFor
from tp_inbox.settings import LOOPBACK, IdentityProvider

with warnings.catch_warnings(record=True):  # it would rather have a successor of httpx that we do not use
    from authlib.integrations.httpx_client import AsyncOAuth2Client

ANSWER_SECONDS = 5.0
KEPT_SECONDS = 3600.0
"""How long a provider's addresses and keys are remembered."""
LOOK_AGAIN_SECONDS = 30.0
"""A token whose key we do not know makes us ask for the keys again, but not more often."""
LEEWAY_SECONDS = 60
OLDEST_SECONDS = 600
"""A token that was issued longer ago was not made for this sign-in."""
ALGORITHMS = ("RS256", "PS256", "ES256")
CHOOSE_ACCOUNT = {"google", "microsoft"}
"""They understand the wish to be asked who one is: several people share a computer in a school."""

log = logging.getLogger(__name__)


class Failed(Refusal):
    """``problem`` chooses the sentence on the sign-in page; ``why`` goes to the log."""

    def __init__(self, problem: str, why: str) -> None:
        super().__init__("Signing in did not work. Please try again.")
        self.problem = problem
        self.why = why


@dataclass(frozen=True, slots=True)
class Flow:
    """What has to come back unchanged. It travels in a closed cookie."""

    provider: str
    state: str
    nonce: str
    verifier: str
    asked: str
    """The page to which signing in leads."""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


class Provider:
    """One that is set up. ``address``: where the world reaches us."""

    def __init__(self, about: IdentityProvider, address: str) -> None:
        self.key, self.name = about.key, about.name
        self._about = about
        self._back = f"{address}/auth/sso/{about.key}/callback"
        self._described = Kept(self._describe)
        self._keys = Kept(self._fetch_keys)

    async def begin(self, asked: str) -> tuple[str, Flow]:
        """Where the browser goes, and what it carries. Raises Failed."""
        described = await self._described.get()
        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        flow = Flow(self.key, state, nonce, verifier, asked)
        more = {"prompt": "select_account"} if self.key in CHOOSE_ACCOUNT else {}
        async with self._client(described) as client:
            there, _ = client.create_authorization_url(
                described["authorization_endpoint"], flow.state, flow.verifier, nonce=flow.nonce, **more
            )
        return there, flow

    async def finish(self, flow: Flow, came_back: Mapping[str, str]) -> VouchedFor:
        """Who the provider says this is. ``came_back``: the query with which the browser came back. Raises Failed."""
        if flow.provider != self.key or not _same(flow.state, came_back.get("state", "")):
            raise Failed("expired", "another state came back")
        described = await self._described.get()
        if came_back.get("iss", described["issuer"]) != described["issuer"]:
            raise Failed("provider", "another issuer answered")
        if "code" not in came_back:
            raise Failed("cancelled" if came_back.get("error") == "access_denied" else "provider", "no code came back")
        claims = await self._redeem(described, came_back["code"], flow)
        return VouchedFor(
            issuer=described["issuer"],
            subject=claims["sub"],
            email=vouched_address(self.key, claims),
            second_step_done="mfa" in _words(claims.get("amr")),
        )

    async def _redeem(self, described: Mapping[str, Any], code: str, flow: Flow) -> dict[str, Any]:
        try:
            async with asyncio.timeout(2 * ANSWER_SECONDS), self._client(described) as client:
                token = await client.fetch_token(
                    described["token_endpoint"], code=code, code_verifier=flow.verifier, grant_type="authorization_code"
                )
                claims = await self._proved(described, str(token.get("id_token", "")), flow.nonce)
                return claims | await self._asked_for(client, described, claims)
        except (httpx.HTTPError, TimeoutError) as error:
            raise Failed("down", type(error).__name__) from error
        except (AuthlibBaseError, ValueError) as error:
            raise Failed("provider", type(error).__name__) from error

    async def _proved(self, described: Mapping[str, Any], id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that this provider has just made for this very sign-in (OpenID Connect 3.1.3.7)."""
        try:
            claims = await self._signed(id_token)
            _rules(described["issuer"], self._about.client_id, nonce).validate(claims)
        except JoseError as error:
            raise Failed("provider", f"ID token: {error.error} {getattr(error, 'claim', '')}".strip()) from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._about.client_id) != self._about.client_id:
            raise Failed("provider", "ID token: made for another party")
        if claims["iat"] < time.time() - OLDEST_SECONDS:
            raise Failed("provider", "ID token: too old")
        return claims

    async def _signed(self, id_token: str) -> dict[str, Any]:
        try:
            return jwt.decode(id_token, await self._keys.get(), algorithms=ALGORITHMS).claims
        except InvalidKeyIdError:
            return jwt.decode(id_token, await self._keys.get(anew=True), algorithms=ALGORITHMS).claims

    async def _asked_for(self, client: Any, described: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
        """The address, from a provider that leaves it out of its tokens (OpenID Connect 5.3)."""
        if "email" in claims or self.key == "microsoft" or not described.get("userinfo_endpoint"):
            return {}
        answer = await client.get(described["userinfo_endpoint"])
        told = answer.raise_for_status().json()
        if not isinstance(told, dict) or told.get("sub") != claims["sub"]:
            raise Failed("provider", "user info: about somebody else")
        return {name: told[name] for name in ("email", "email_verified") if name in told}

    def _client(self, described: Mapping[str, Any]) -> Any:
        ways = described.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        way = "client_secret_basic" if "client_secret_basic" in ways else "client_secret_post"
        return AsyncOAuth2Client(
            self._about.client_id,
            self._about.client_secret,
            token_endpoint_auth_method=way,
            scope="openid email profile",
            redirect_uri=self._back,
            code_challenge_method="S256",
            timeout=ANSWER_SECONDS,
            follow_redirects=False,
        )

    async def _describe(self) -> dict[str, Any]:
        described = await self._fetch(f"{self._about.issuer.rstrip('/')}/.well-known/openid-configuration")
        if str(described.get("issuer", "")).rstrip("/") != self._about.issuer.rstrip("/"):
            raise Failed("provider", "discovery: another issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            self._require_safe(described.get(name))
        if "userinfo_endpoint" in described:
            self._require_safe(described["userinfo_endpoint"])
        return described

    async def _fetch_keys(self) -> KeySet:
        found: Any = await self._fetch((await self._described.get())["jwks_uri"])
        try:
            return KeySet.import_key_set(found)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Failed("provider", "keys that cannot be read") from error

    async def _fetch(self, url: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS), httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
                found = (await client.get(url)).raise_for_status().json()
        except (httpx.HTTPError, TimeoutError) as error:
            raise Failed("down", type(error).__name__) from error
        except ValueError as error:
            raise Failed("provider", "an answer that is no JSON") from error
        if not isinstance(found, dict):
            raise Failed("provider", "an answer of another form")
        return found

    def _require_safe(self, url: Any) -> None:
        parts = urlsplit(url if isinstance(url, str) else "")
        at_home = urlsplit(self._about.issuer).hostname in LOOPBACK and parts.hostname in LOOPBACK
        if parts.scheme != "https" and not at_home:
            raise Failed("provider", "discovery: an address without TLS")


class Kept:
    """Something that is fetched, and remembered for a while; one fetch at a time."""

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self._fetch = fetch
        self._found: Any = None
        self._until = self._again_at = 0.0
        self._turn = asyncio.Lock()

    async def get(self, *, anew: bool = False) -> Any:
        """``anew``: what is remembered did not do."""
        async with self._turn:
            now = time.monotonic()
            due = now >= self._again_at if anew else now >= self._until
            if due:
                self._found = await self._fetch()
                self._until = now + KEPT_SECONDS
                self._again_at = now + LOOK_AGAIN_SECONDS if anew else self._again_at
            return self._found


def vouched_address(provider: str, claims: Mapping[str, Any]) -> str:
    """The e-mail address that a provider knows to be this person's; empty when it only repeats what it was told.

    Google answers for its own addresses and for those of a Workspace (``hd``). Microsoft's ``email`` is whatever an
    administrator typed somewhere; the name one signs in with is the tenant's own, except for guests (``idp``).
    """
    if provider == "microsoft":
        return "" if "idp" in claims else _word(claims.get("preferred_username"))
    address = _word(claims.get("email"))
    verified = claims.get("email_verified") in (True, "true")
    googles = provider != "google" or "hd" in claims or address.lower().endswith("@gmail.com")
    return address if verified and googles else ""


def _rules(issuer: str, client_id: str, nonce: str) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        nonce={"essential": True, "value": nonce},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode(errors="replace"))


def _word(claim: Any) -> str:
    return claim if isinstance(claim, str) else ""


def _words(claim: Any) -> list[str]:
    return [word for word in claim if isinstance(word, str)] if isinstance(claim, list) else []
