"""What the carrier sends is on record before it is answered: in the database or, while that is away, on the spool."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from enum import Enum, auto
from traceback import extract_tb
from typing import Any

from tp_inbox.domain.errors import Invalid, Unavailable
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services import figures
from tp_inbox.services.alerts import alert, settle
from tp_inbox.services.ports import RequestKind, SignedRequest
from tp_inbox.storage.database import Database
from tp_inbox.storage.spool import Spool

log = logging.getLogger(__name__)

STORED_WITHIN = 1.0
"""Seconds. What takes longer goes to the spool: the carrier waits for its answer."""
LOOK_SECONDS = 1.0
MOST_FAILED = 20
"""So many in a row that could not be stored: it is not they that are wrong."""
WEBHOOK, SPOOL = "webhook", "spool"
CAME = (
    "{count} texts and delivery reports came while the database could not take them, between {first:%B %-d, %H:%M} and"
    " {last:%B %-d, %H:%M} UTC. They waited on the server and are all in their places now. Nothing has to be done."
)
LIES_ASIDE = (
    "{count} requests of the carrier’s could not be read or stored again after the database was away. They lie on the"
    " server in {folder}. Move them to the folder “waiting” beside it to have them tried once more."
)
HELD_UP = (
    "Requests of the carrier’s wait on the server in {folder}: so many in a row could not be stored that those behind"
    " them wait, too. Families’ texts among them are in no conversation yet. Tell whoever runs the server; the log says"
    " what is wrong. They are tried again by themselves."
)
ASIDE = "aside"
STUCK = "stuck"

Take = Callable[[SignedRequest, str], Awaitable[object]]


class Fate(Enum):
    """What became of one request that had waited."""

    STORED = auto()
    UNUSABLE = auto()
    FAILED = auto()
    AWAY = auto()


class Intake:
    """``take`` puts one request into the database, once however often it is called; a word says where from. It raises
    Invalid for what will never be stored.
    """

    def __init__(self, db: Database, spool: Spool, take: Take) -> None:
        self._db = db
        self.spool = spool
        self._take = take
        self._wake = asyncio.Event()
        self._storing: set[asyncio.Task[bool]] = set()
        self._came: list[datetime] = []
        self._told_aside = 0
        self._told_stuck = False

    async def take(self, request: SignedRequest) -> None:
        """It is on record when this returns. Raises OSError when the spool fails, too."""
        if not self.spool.holds_any() and await self._stored(request):
            return
        await self.spool.put(_kept(request))
        figures.spooled()
        self._wake.set()

    async def run(self) -> None:
        """Empties the spool whenever the database answers, until it is cancelled."""
        while True:
            try:
                await self.replay()
            except Unavailable:
                log.warning("intake: requests wait on the spool, the database is away")
            except Exception:
                log.exception("intake: the spool could not be emptied")
            await self._rest()

    async def replay(self) -> None:
        """Brings into the database what waits, in the order in which it came. One process of a machine at a time."""
        if not self.spool.holds_any() and self.spool.count_aside() == self._told_aside and not self._came:
            self._told_stuck = False  # whichever process emptied it
            return
        with self.spool.alone() as ours:
            while ours and (names := self.spool.names()):
                if not await self._replay(names):
                    return
            if ours:
                await self._tell()

    async def _stored(self, request: SignedRequest) -> bool:
        """Whether it was stored in time. What takes longer goes on by itself: stored twice it is stored once."""
        task = asyncio.create_task(self._store(request))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        done, _ = await asyncio.wait({task}, timeout=STORED_WITHIN)
        if not done:
            log.warning("intake: the database is slow, a request goes to the spool")
        return bool(done) and await task

    async def _store(self, request: SignedRequest) -> bool:
        try:
            await self._take(request, WEBHOOK)
        except Exception as error:  # noqa: BLE001 - whatever it was, the spool takes the request
            log.warning("intake: a request goes to the spool: %s", kind_and_place(error))
            return False
        return True

    async def _replay(self, names: list[str]) -> bool:
        """Whether the database took whatever could be taken. One that fails is put aside when a later one goes."""
        failed: list[str] = []
        for name in names:
            fate = await self._replay_one(name)
            if fate is Fate.AWAY:
                return False
            if fate is Fate.FAILED:
                failed.append(name)
                if len(failed) > MOST_FAILED:
                    await self._tell_stuck()
                    return False
            elif fate is Fate.UNUSABLE:
                self._put_aside([name])
            else:
                self._put_aside(failed)
                failed = []
        return not failed

    async def _tell_stuck(self) -> None:
        """Once, until the spool is empty: this is met again every second."""
        if self._told_stuck:
            return
        async with self._db.transaction() as session:
            await alert(session, AlertKind.SPOOLED, HELD_UP.format(folder=self.spool.folder), STUCK)
        self._told_stuck = True

    async def _replay_one(self, name: str) -> Fate:
        try:
            request = _request(self.spool.read(name))
        except (ValueError, TypeError, KeyError):
            return Fate.UNUSABLE
        try:
            await self._take(request, SPOOL)
        except Unavailable:
            return Fate.AWAY
        except Invalid:
            return Fate.UNUSABLE
        except Exception as error:  # noqa: BLE001 - it stays on the spool
            log.error("intake: a request from the spool failed: %s", kind_and_place(error))  # noqa: TRY400 - see there
            return Fate.FAILED
        self.spool.done(name)
        self._came.append(request.received_at)
        return Fate.STORED

    def _put_aside(self, names: list[str]) -> None:
        for name in names:
            self.spool.put_aside(name)
            log.error("intake: %s cannot be used and is put aside", name)

    async def _tell(self) -> None:
        """The spool is empty: the admins hear what came that way, and as long as something lies aside."""
        aside = self.spool.count_aside()
        async with self._db.transaction() as session:
            await settle(session, AlertKind.SPOOLED, STUCK)
            if self._came:
                said = CAME.format(count=len(self._came), first=min(self._came), last=max(self._came))
                await alert(session, AlertKind.SPOOLED, said, min(self._came).date())
            if aside > self._told_aside:
                said = LIES_ASIDE.format(count=aside, folder=self.spool.aside)
                await alert(session, AlertKind.SPOOLED, said, ASIDE)
            elif aside == 0:
                await settle(session, AlertKind.SPOOLED, ASIDE)
        self._came, self._told_aside, self._told_stuck = [], aside, False

    async def _rest(self) -> None:
        """Until something is put on the spool; a while in any case, so that a database that is away is not pressed."""
        await asyncio.sleep(LOOK_SECONDS / 4)
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):  # wait_for loses a cancellation on Python 3.11
                await self._wake.wait()
        self._wake.clear()


def kind_and_place(error: Exception) -> str:
    """All that the log may know: the error's own sentence may quote the text."""
    place = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {place.filename}:{place.lineno}"


def _kept(request: SignedRequest) -> dict[str, Any]:
    return asdict(request) | {"received_at": request.received_at.isoformat()}


def _request(kept: Mapping[str, Any]) -> SignedRequest:
    """Raises ValueError, TypeError or KeyError for what was never written by ``_kept``."""
    return SignedRequest(
        kind=RequestKind(kept["kind"]),
        form=tuple((str(name), str(value)) for name, value in kept["form"]),
        query=str(kept["query"]),
        received_at=datetime.fromisoformat(kept["received_at"]),
    )
