"""What comparisons with the carrier's ledger have found, for the people who look after the district's numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.operating import DifferenceKind
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Difference, Message, Reconciliation

MOST_DIFFERENCES = 100
"""Of one comparison on one screen; the others are counted."""


@dataclass(frozen=True)
class DifferenceView:
    """``mended``: it was put right by itself. The ids are 0 where no text of ours is meant."""

    id: int
    kind: str
    sentence: str
    mended: bool
    at: str
    sid: str
    message_id: int
    thread_id: int


@dataclass(frozen=True)
class ReconciliationView:
    """``compared``: texts. ``ended_at`` is empty while it runs, and for ever on one that was cut short. Of the
    differences, those that remain stand first.
    """

    id: int
    since: str
    until: str
    began_at: str
    ended_at: str
    compared: int
    found: int
    remaining: int
    differences: list[DifferenceView]


class Reconciliations:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def latest(self, actor: Actor, limit: int = 14) -> list[ReconciliationView]:
        """The newest first, each with what it found."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        newest = select(Reconciliation).order_by(col(Reconciliation.id).desc()).limit(limit)
        async with self._db.reading() as session:
            comparisons = (await session.scalars(newest)).all()
            ids = [comparison.id for comparison in comparisons]
            counts, differences = await _counts(session, ids), await _differences(session, ids)
        return [_view(each, counts.get(each.id, (0, 0)), differences[each.id]) for each in comparisons]


def sentence_of(kind: DifferenceKind, *, mended: bool) -> str:
    return _MENDED[kind] if mended else _REMAINING[kind]


_MENDED = {
    DifferenceKind.INBOUND_MISSING: "A family’s text had never come here. It now stands in its conversation.",
    DifferenceKind.OUTBOUND_MISSING: "A text left from our number without our knowing. It now stands in its "
    "conversation.",
    DifferenceKind.STATE: "What became of a text had not come here. It is up to date now.",
    DifferenceKind.MISSING_THERE: "The carrier did not list a text of ours at first, and has it after all.",
    DifferenceKind.SENDER: "A text left from another number than its inbox’s.",
    DifferenceKind.COPY: "The carrier has a text of ours twice.",
}
_REMAINING = {
    **_MENDED,
    DifferenceKind.INBOUND_MISSING: "A family’s text had never come here, and could not be put into a conversation.",
    DifferenceKind.OUTBOUND_MISSING: "A text left from our number without our knowing, and could not be put into a "
    "conversation.",
    DifferenceKind.STATE: "The carrier tells of a text otherwise than we do.",
    DifferenceKind.MISSING_THERE: "The carrier does not have a text that it had taken. Ask the family whether it "
    "arrived.",
}


async def _counts(session: AsyncSession, ids: Collection[int]) -> dict[int, tuple[int, int]]:
    """By comparison: all differences, and those that remain."""
    counted = (
        select(
            col(Difference.reconciliation_id).label("id"),
            func.count().label("found"),
            func.count().filter(~col(Difference.mended)).label("remaining"),
        )
        .where(col(Difference.reconciliation_id).in_(ids))
        .group_by(col(Difference.reconciliation_id))
    )
    return {row.id: (row.found, row.remaining) for row in await session.execute(counted)}


async def _differences(session: AsyncSession, ids: Collection[int]) -> dict[int, list[DifferenceView]]:
    """By comparison: the first of each."""
    first = func.row_number().over(
        partition_by=col(Difference.reconciliation_id), order_by=(col(Difference.mended), col(Difference.id))
    )
    ranked = select(col(Difference.id), first.label("place")).where(col(Difference.reconciliation_id).in_(ids))
    places = ranked.subquery()
    shown = (
        select(Difference, col(Message.thread_id))
        .join(places, places.c.id == col(Difference.id))
        .outerjoin(Message, col(Message.id) == col(Difference.message_id))
        .where(places.c.place <= MOST_DIFFERENCES)
        .order_by(places.c.place)
    )
    found: dict[int, list[DifferenceView]] = defaultdict(list)
    for row in await session.execute(shown):
        found[row.Difference.reconciliation_id].append(_difference(row))
    return found


def _difference(row: Row) -> DifferenceView:
    found: Difference = row.Difference
    return DifferenceView(
        id=found.id,
        kind=found.kind.value,
        sentence=sentence_of(found.kind, mended=found.mended),
        mended=found.mended,
        at=found.at.isoformat(),
        sid=found.sid,
        message_id=found.message_id or 0,
        thread_id=row.thread_id or 0,
    )


def _view(comparison: Reconciliation, counts: tuple[int, int], differences: list[DifferenceView]) -> ReconciliationView:
    found, remaining = counts
    return ReconciliationView(
        id=comparison.id,
        since=comparison.since.isoformat(),
        until=comparison.until.isoformat(),
        began_at=comparison.began_at.isoformat(),
        ended_at=comparison.ended_at.isoformat() if comparison.ended_at else "",
        compared=comparison.compared,
        found=found,
        remaining=remaining,
        differences=differences,
    )
