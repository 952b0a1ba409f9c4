"""The change feed: what changed is announced inside the transaction that changes it, and heard only if it commits.

A change carries ids and nothing else. Whoever hears it reads again through their own permissions.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from uuid import uuid4

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tp_inbox.domain.errors import Unavailable
from tp_inbox.storage.database import libpq_address

CHANNEL = "tp_inbox_changes"
RECONNECT_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
CONNECT_SECONDS = 5

log = logging.getLogger(__name__)


class ChangeKind(StrEnum):
    MESSAGE = "message"
    STATUS = "status"
    CONSENT = "consent"
    READ = "read"
    ACCESS = "access"
    SESSION = "session"
    INBOX = "inbox"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Change:
    """``staff`` names whom a session or read change is about, and an access change, unless it is about many:
    then it is None, and everybody's rights are looked at again. The ids that do not apply are None.

    ``consent`` says that a composer may have to close or to open: in one thread, or in all of an inbox. ``inbox``
    says that threads have come into one, or have left it. ``alert`` says that what admins are told of has changed.
    """

    kind: ChangeKind
    inbox: int | None = None
    thread: int | None = None
    message: int | None = None
    staff: int | None = None
    id: str = ""


async def announce(session: AsyncSession, change: Change) -> None:
    await announce_all(session, [change])


async def announce_all(session: AsyncSession, changes: Iterable[Change]) -> None:
    """Several, in their order, by one statement."""
    if payloads := [_payload(change) for change in changes]:
        await session.execute(_NOTIFY, {"channel": CHANNEL, "payloads": payloads})


def _payload(change: Change) -> str:
    return json.dumps({k: v for k, v in asdict(change).items() if v is not None} | {"id": uuid4().hex})


_NOTIFY = text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) AS payload")


def read_change(payload: str) -> Change:
    fields = json.loads(payload)
    return Change(**fields | {"kind": ChangeKind(fields["kind"])})


class Feed:
    """Listens on a connection of its own until it is cancelled.

    ``heard`` is called for each change, in order. ``lost`` is called when the connection was gone for a
    while and is back: changes may be missing, so every screen must load again.
    """

    def __init__(
        self, url: str, heard: Callable[[Change], Awaitable[None]], lost: Callable[[], Awaitable[None]]
    ) -> None:
        self._url = libpq_address(url)
        self._heard = heard
        self._lost = lost
        self.listening = asyncio.Event()

    async def run(self) -> None:
        interrupted = False
        while True:
            try:
                await self._listen(interrupted)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                log.warning("feed: connection lost (%s), trying again", type(error).__name__)
            finally:
                self.listening.clear()
            interrupted = True
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self, interrupted: bool) -> None:
        connection = await asyncpg.connect(self._url, timeout=CONNECT_SECONDS)
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        try:
            connection.add_termination_listener(lambda _: queue.put_nowait(None))
            await connection.add_listener(CHANNEL, lambda *args: queue.put_nowait(str(args[3])))
            self.listening.set()
            if interrupted:
                await _unharmed(self._lost())
            await self._pass_on(connection, queue)
        finally:
            connection.terminate()

    async def _pass_on(self, connection: asyncpg.Connection, queue: asyncio.Queue[str | None]) -> None:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):  # wait_for loses a cancellation on Python 3.11
                    payload = await queue.get()
            except TimeoutError:
                await connection.execute("SELECT 1", timeout=CONNECT_SECONDS)
                continue
            if payload is None:
                raise ConnectionResetError
            await _unharmed(self._hear(payload))

    async def _hear(self, payload: str) -> None:
        await self._heard(read_change(payload))


async def _unharmed(passing_on: Awaitable[None]) -> None:
    """What goes wrong with one change ends neither the feed nor the next change."""
    try:
        await passing_on
    except Unavailable:
        log.warning("feed: a change could not be passed on, the database is away")
    except Exception:
        log.exception("feed: a change could not be passed on")
