"""Which processes are up: each writes a beat of its own, and any of them can read those of all.

A worker is told by its beat that it lives and by its turns that it works: one that beats and does not turn hangs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Interval, cast, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from tp_inbox.domain.errors import Unavailable
from tp_inbox.domain.operating import ProcessKind
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Process

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
ALIVE = timedelta(seconds=15)
"""Two beats may be late."""
TURNING = timedelta(seconds=60)
"""Longer than any hand-over that gets an answer; a dispatcher that has not gone round for so long hangs."""
FORGOTTEN = timedelta(minutes=10)
"""How long the last figures of a process that died can still be read."""


def _nothing() -> dict[str, Any]:
    return {}


@dataclass
class Beat:
    """Of one process. ``run`` writes it until it is cancelled; a worker's dispatcher calls ``turned`` as it goes round.

    ``db`` should be a pool of its own: a process that is busy beats all the same. All times are the database's, because
    the clocks of two hosts differ.
    """

    db: Database
    kind: ProcessKind
    figures: Callable[[], dict[str, Any]] = _nothing
    id: UUID = field(default_factory=uuid4)
    place: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    _started: datetime = field(default_factory=utc_now)
    _turned: float | None = None
    _away: bool = False

    def turned(self) -> None:
        """The dispatcher has gone round once more, whether there was something to do or not."""
        self._turned = time.monotonic()

    async def run(self) -> None:
        """Until it is cancelled; then the process is gone at once for all others."""
        try:
            while True:
                await self._try()
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            await self._leave()

    async def beat(self) -> None:
        """Raises Unavailable."""
        row = insert(Process).values(
            id=self.id,
            kind=self.kind,
            place=self.place,
            started_at=self._started,
            beat_at=func.now(),
            turned_at=self._turned_at(),
            figures=self.figures(),
        )
        again = {name: row.excluded[name] for name in ("beat_at", "turned_at", "figures")}
        async with self.db.reading() as session:
            await session.execute(row.on_conflict_do_update(index_elements=["id"], set_=again))
            await session.execute(delete(Process).where(col(Process.beat_at) < func.now() - FORGOTTEN))

    async def _try(self) -> None:
        try:
            await self.beat()
            self._away = False
        except Unavailable:
            if not self._away:
                log.warning("processes: no beat, the database is away")
            self._away = True
        except Exception:
            log.exception("processes: no beat")

    async def _leave(self) -> None:
        try:
            async with self.db.reading() as session:
                await session.execute(delete(Process).where(col(Process.id) == self.id))
        except Unavailable:
            log.warning("processes: the end could not be written, the database is away")

    def _turned_at(self) -> ColumnElement[datetime] | None:
        if self._turned is None:
            return None
        ago = timedelta(seconds=time.monotonic() - self._turned)
        return func.now() - cast(literal(ago), Interval)


@dataclass(frozen=True, slots=True)
class Running:
    """A process that is alive. ``turning``: its dispatcher goes round; a web process has none."""

    id: UUID
    kind: ProcessKind
    place: str
    started_at: datetime
    beat_seconds: float
    turning: bool
    figures: dict[str, Any]

    @property
    def is_worker(self) -> bool:
        return self.kind is ProcessKind.WORKER


class Processes:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def alive(self, kind: ProcessKind | None = None) -> Sequence[Running]:
        """Whose beat is fresh, the oldest first; of every kind unless one is named."""
        age = func.extract("epoch", func.now() - col(Process.beat_at))
        turning = col(Process.turned_at) > func.now() - TURNING
        query = select(Process, age, turning).where(is_alive()).order_by(col(Process.started_at), col(Process.id))
        if kind is not None:
            query = query.where(col(Process.kind) == kind)
        async with self._db.reading() as session:
            return [_running(*row) for row in await session.execute(query)]

    async def dispatching(self) -> bool:
        """Whether some worker's dispatcher goes round."""
        return any(worker.turning for worker in await self.alive(ProcessKind.WORKER))


def is_alive() -> ColumnElement[bool]:
    """For a query over ``Process``: its beat is fresh, by the database's clock."""
    return col(Process.beat_at) > func.now() - ALIVE


def _running(row: Process, age: Any, turning: bool | None) -> Running:
    return Running(row.id, row.kind, row.place, row.started_at, float(age), bool(turning), row.figures)
