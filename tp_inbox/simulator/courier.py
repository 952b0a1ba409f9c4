"""Carries webhooks to the district: signed, on time, tried again where the address asks for it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from yarl import URL

from .signature import sign

log = logging.getLogger("simulator.webhooks")

FORM = "application/x-www-form-urlencoded; charset=UTF-8"
AT_ONCE = 200
READ_BYTES = 65_536
MAX_RETRIES = 5


@dataclass(frozen=True)
class Outcome:
    """What a webhook came to: its HTTP status, or None and why there is none. tries counts every request.

    body: the beginning of the answer.
    """

    status: int | None
    problem: str = ""
    tries: int = 1
    body: bytes = field(default=b"", repr=False)

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class RetryRule:
    """Twilio's connection overrides, from the fragment of a webhook's address: #rc=3&rp=5xx,rt"""

    retries: int
    policies: frozenset[str]

    @classmethod
    def of(cls, url: str) -> RetryRule:
        return _rule_of(url.partition("#")[2])

    @classmethod
    def read(cls, fragment: str) -> RetryRule:
        given = parse_qs(fragment)
        count = given.get("rc", ["0"])[0]
        policies = frozenset(given.get("rp", ["ct"])[0].split(","))
        return cls(min(int(count), MAX_RETRIES) if count.isdigit() else 0, policies)

    def covers(self, outcome: Outcome) -> bool:
        """Whether the outcome is of a kind that is tried again."""
        kind = {4: "4xx", 5: "5xx"}.get((outcome.status or 0) // 100, "") or outcome.problem
        return not outcome.ok and ("all" in self.policies or kind in self.policies)


@lru_cache
def _rule_of(fragment: str) -> RetryRule:
    return RetryRule.read(fragment)


class Courier:
    """One HTTP client for all webhooks. Works from start() to stop()."""

    def __init__(self, auth_token: str, seconds: float) -> None:
        self._token = auth_token
        self._timeout = aiohttp.ClientTimeout(total=seconds, connect=seconds)
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        connector = aiohttp.TCPConnector(limit=AT_ONCE)
        self._http = aiohttp.ClientSession(connector=connector, timeout=self._timeout, trust_env=False)

    async def stop(self) -> None:
        if self._http:
            await self._http.close()

    async def deliver(self, what: str, sid: str, url: str, form: Mapping[str, str], method: str = "POST") -> Outcome:
        """Sends one webhook, again as its address asks; never raises. The log names neither people nor texts."""
        rule, token, tries = _rule_of(url.partition("#")[2]), secrets.token_hex(16), 0
        while True:
            tries += 1
            outcome = await self._try(url, form, method, token)
            if tries > rule.retries or not rule.covers(outcome):
                break
        if not outcome.ok:
            log.warning("%s of %s failed: %s", what, sid, outcome.status or outcome.problem)
        return replace(outcome, tries=tries)

    async def _try(self, url: str, form: Mapping[str, str], method: str, token: str) -> Outcome:
        assert self._http, "the courier has not started"
        url = url.partition("#")[0]
        if method == "GET":
            url, form = f"{url}{'&' if '?' in url else '?'}{urlencode(form)}", {}
        try:
            async with self._http.request(
                method,
                URL(url, encoded=True),
                data=urlencode(form) or None,
                allow_redirects=False,
                headers=self._headers(url, form, token),
            ) as answer:
                return Outcome(answer.status, body=await _beginning(answer))
        except (aiohttp.ServerTimeoutError, TimeoutError):
            return Outcome(None, "rt")
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL):
            return Outcome(None, "ct")
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError):
            return Outcome(None, "rt")

    def _headers(self, url: str, form: Mapping[str, str], token: str) -> dict[str, str]:
        return {
            "X-Twilio-Signature": sign(self._token, url, form),
            "I-Twilio-Idempotency-Token": token,
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            **({"Content-Type": FORM} if form else {}),
        }


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """Also of an answer that comes in pieces."""
    read = bytearray()
    while len(read) < READ_BYTES and (piece := await answer.content.read(READ_BYTES)):
        read += piece
    return bytes(read)


def is_webhook_url(url: str) -> bool:
    """Whether Twilio would take the address for a callback: http(s), with a hostname and without underscores in it."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    host = parts.hostname or ""
    printable = url.isascii() and url.isprintable() and " " not in url
    return parts.scheme in {"http", "https"} and bool(host) and "_" not in host and printable and port_is_fine
