"""Twilio's client as we use it: one code path for the simulator and the real service.

The library is synchronous and runs in threads of its own. What went wrong is decided here, where it
is seen: ``Refused`` (an answer that says no), ``NotSent`` (nothing reached Twilio) or ``Unanswered``
(it may have). Nothing else is raised, and no error carries numbers or bodies.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import ssl
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from twilio.base.exceptions import TwilioException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util.retry import Retry

from tp_inbox.services.ports import CarrierAway
from tp_inbox.settings import DAY, LOOPBACK, Settings

log = logging.getLogger(__name__)

WORKERS = 64
"""At 200 ms an answer, enough for 320 texts a second."""
TWILIO_CODE = re.compile(r"\d{5,6}")

UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)
"""What the library raises over an answer that is not what it expects."""

Answer = TypeVar("Answer")


class Timeouts(NamedTuple):
    """Seconds. ``read`` is for each wait on the socket; ``deadline`` is for the whole call."""

    connect: float = 5
    read: float = 15
    deadline: float = 45


class Refused(Exception):
    """Twilio, or something on the way, answered with an error status. ``code`` is Twilio's own, if it gave one."""

    def __init__(self, status: int, code: str | None, retry_after: float | None) -> None:
        super().__init__(f"HTTP {status}, code {code or 'none'}")
        self.status, self.code, self.retry_after = status, code, retry_after

    @property
    def not_there(self) -> bool:
        """Twilio itself says that it has no such thing."""
        return self.status == 404 and self.code is not None


class NotSent(Exception):
    """Nothing reached Twilio."""


class Unanswered(Exception):
    """Twilio may have done what was asked; there is no answer that says so."""


class Carrier:
    """Runs calls of Twilio's client off the event loop, each with a deadline."""

    def __init__(self, settings: Settings, timeouts: Timeouts) -> None:
        self._transport = Transport(settings.twilio_base_url, timeouts)
        self._client = _client(settings, self._transport)
        self._deadline = timeouts.deadline
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="twilio")

    async def ask(self, question: Callable[[Client], Answer]) -> Answer:
        """The answer to something that changes nothing. Raises CarrierAway, and nothing else."""
        try:
            return await self.call(question)
        except (Refused, NotSent, Unanswered) as error:
            raise CarrierAway(str(error)) from error

    async def call(self, action: Callable[[Client], Answer]) -> Answer:
        """What came of an action. Raises Refused, NotSent or Unanswered, and nothing else."""
        try:
            running = self._threads.submit(_understood, action, self._client)
        except RuntimeError as error:
            raise NotSent("closed") from error
        return await self._in_time(running)

    async def _in_time(self, running: Future[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.wrap_future(running)
        except TimeoutError:
            # Cancelling succeeds only while no thread has taken it up: then nothing was sent, nor will be.
            raise (NotSent if running.cancelled() else Unanswered)("deadline") from None

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False)
        self._transport.close()


class Transport(HttpClient):
    """Sends the library's requests, to ``base_url`` in place of twilio.com when one is given.

    The name that was asked for stays in ``Host``. A POST is sent once; a GET again after a lost
    connection or a 5xx. Logs nothing: addresses carry families' numbers.
    """

    def __init__(self, base_url: str, timeouts: Timeouts) -> None:
        super().__init__(log, is_async=False)
        self._base = base_url
        self._timeout = (timeouts.connect, timeouts.read)
        self._session = _session(base_url)

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the library's signature; ours are the Timeouts
        allow_redirects: bool = False,  # noqa: ARG002 - never
    ) -> Response:
        url, host = self._aimed(uri)
        sent: dict[str, Any] = {"params": params, "data": data, "headers": {**(headers or {}), **host}, "auth": auth}
        try:
            answer = self._session.request(method, url, timeout=self._timeout, allow_redirects=False, **sent)
        except (OSError, HTTPError) as error:
            raise _lost(error) from error
        return _accepted(answer)

    def close(self) -> None:
        self._session.close()

    def _aimed(self, uri: str) -> tuple[str, dict[str, str]]:
        asked = urlsplit(uri)
        if not self._base or not f".{asked.hostname}".endswith(".twilio.com"):
            return uri, {}
        base = urlsplit(self._base)
        aimed = asked._replace(scheme=base.scheme, netloc=base.netloc, path=base.path + asked.path)
        return aimed.geturl(), {"Host": asked.netloc}


def _client(settings: Settings, transport: Transport) -> Client:
    # Without an environment of its own the library reads TWILIO_* by itself.
    nothing = {"TWILIO_EDGE": ""}
    token = settings.twilio_auth_token.get_secret_value()
    return Client(settings.twilio_account_sid, token, http_client=transport, environment=nothing)


def _session(base_url: str) -> requests.Session:
    session = requests.Session()
    # A proxy of the environment is right for Twilio and wrong for a simulator on this machine.
    session.trust_env = urlsplit(base_url).hostname not in LOOPBACK
    again = Retry(
        2,
        connect=0,
        other=0,  # what breaks below HTTP, in TLS, is tried again whatever the method
        allowed_methods=["GET"],
        status_forcelist=[500, 502, 503, 504],
        backoff_factor=0.2,
        respect_retry_after_header=False,
        raise_on_status=False,
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=WORKERS, max_retries=again))
    return session


def _understood(action: Callable[[Client], Answer], client: Client) -> Answer:
    """Turns an answer that cannot be understood (an HTML 201, a page without records) into Unanswered."""
    try:
        return action(client)
    except (TwilioException, *UNREADABLE) as error:
        log.warning("Twilio's answer cannot be understood: %s", type(error).__name__)
        raise Unanswered("not understood") from error


def _accepted(answer: requests.Response) -> Response:
    if not 200 <= answer.status_code < 300:
        raise Refused(answer.status_code, _code(answer), _seconds(answer.headers.get("Retry-After")))
    return Response(answer.status_code, answer.text, answer.headers)


def _code(answer: requests.Response) -> str | None:
    """Twilio's code, in its own error format and in that of RFC 9457; an HTML page or a proxy's JSON has none."""
    try:
        code = str(json.loads(answer.text).get("code"))
    except (ValueError, AttributeError):
        return None
    return code if TWILIO_CODE.fullmatch(code) else None


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After as seconds from now; it comes as a number or as a date."""
    if not retry_after:
        return None
    try:
        return _within_a_day(float(retry_after))
    except ValueError:
        return _seconds_until(retry_after)


def _seconds_until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return _within_a_day((moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _within_a_day(seconds: float) -> float:
    return min(max(0.0, seconds), float(DAY))


def _lost(error: Exception) -> NotSent | Unanswered:
    """NotSent only where the connection surely never stood; any other loss may have come after the request."""
    surely = isinstance(error, requests.ConnectTimeout) or any(isinstance(e, _UNCONNECTED) for e in _causes(error))
    return (NotSent if surely else Unanswered)(type(error).__name__)


_UNCONNECTED = (NewConnectionError, ssl.SSLCertVerificationError, requests.exceptions.InvalidURL)


def _causes(error: object) -> list[object]:
    """The error and what it wraps: requests keeps urllib3's in ``args``, urllib3 its own in ``reason``."""
    found: list[object] = []
    while isinstance(error, BaseException) and error not in found:
        found.append(error)
        error = getattr(error, "reason", None) or next(iter(error.args), None)
    return found
