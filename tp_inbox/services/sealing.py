"""Sealing the audit log: entries are chained in batches after they are written, so that no writer waits for another.

A seal covers the digests of a batch and the seal before it. Whoever changes, removes or inserts an entry has to
make every later seal anew, and then the newest digest differs from the one that was noted elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Row, Select, Text, exists, func, select, text, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import auditing
from tp_inbox.domain.auditing import FIRST, AuditKind, Sealable
from tp_inbox.domain.errors import Invalid
from tp_inbox.services import audit
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import AuditEntry, AuditSeal

T = TypeVar("T")
BATCH = 1_000
SEALED_BY = timedelta(minutes=10)
"""An entry that has waited for longer shows that the job does not run, or that somebody took a seal away."""
MOST_PROBLEMS = 100
_CHAIN_LOCK = 7_100_002
_ONE_MOMENT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

CHANGED = "Entry {entry} has been changed since it was sealed (seal {seal})."
REMOVED = "Entry {entry} has been removed: seal {seal} had {sealed} entries, and {there} are there."
INSERTED = "Entry {entry} has been put into seal {seal} after it was made."
RENAMED = "The names in entry {entry} have been changed. Removing them is allowed, changing them is not."
SEAL_CHANGED = "Seal {seal} has been changed: its digest does not fit what it covers."
BROKEN = (
    "The chain is broken at seal {seal}: it does not follow the seal before it. A seal is missing, or was replaced."
)
NO_SEAL = "{count} entries name a seal that is not there (the first is entry {entry}). Seals have been removed."
HEAD_MISSING = "The digest {head} that was noted earlier is not in the chain. The log was cut off, or written anew."
IN_THE_FUTURE = "Names are removed from old entries only. Please give a day in the past."
OVERDUE = (
    "{count} entries have waited for a seal for more than 10 minutes (the first is entry {entry}). "
    "Is the worker running?"
)
NAMES_LOST = (
    "{lost} entries are without names, but the log tells of {told} whose names were removed. "
    "Names have been taken away without a trace."
)


@dataclass(slots=True)
class Report:
    """What a verification found. ``head``: the digest of the newest seal, to be kept elsewhere; empty without one."""

    entries: int = 0
    sealed: int = 0
    seals: int = 0
    nameless: int = 0
    head: str = ""
    problems: list[str] = field(default_factory=list)
    more_problems: int = 0

    @property
    def holds(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        kept = f"The newest digest, to keep elsewhere: {self.head}" if self.head else "Nothing is sealed yet."
        counted = f"Entries: {self.entries:,}, of them sealed: {self.sealed:,}. Seals: {self.seals:,}"
        nameless = f". Without names, which were removed: {self.nameless:,}" if self.nameless else ""
        more = [f"And {self.more_problems:,} more problems."] if self.more_problems else []
        outcome = ["The audit log is as it was written."] if self.holds else ["The audit log is NOT as it was written:"]
        return "\n".join([*outcome, *self.problems, *more, f"{counted}{nameless}.", kept])

    def add(self, problem: str) -> None:
        """Keeps the first hundred in words and counts the rest."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.more_problems += 1


# Kinds as they stand there: one that nobody knows was written by somebody else, and must not stop a verification.
_ENTRIES = select(
    col(AuditEntry.id),
    col(AuditEntry.at),
    type_coerce(col(AuditEntry.kind), Text).label("kind"),
    col(AuditEntry.actor_id),
    col(AuditEntry.subject_id),
    col(AuditEntry.schools),
    col(AuditEntry.address),
    col(AuditEntry.facts),
    col(AuditEntry.before),
    col(AuditEntry.after),
    col(AuditEntry.names),
    col(AuditEntry.names_digest),
    col(AuditEntry.seal_id),
).order_by(col(AuditEntry.id))
_UNSEALED = _ENTRIES.where(col(AuditEntry.seal_id).is_(None))


class Sealing:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def seal(self) -> int:
        """Seals every entry that has been committed and is not sealed yet; how many."""
        sealed = 0
        while batch := await self._seal_batch():
            sealed += batch
        return sealed

    async def verify(self, head: str = "") -> Report:
        """Computes the whole chain again. ``head``: a digest that was noted earlier and has to be in it."""
        report = Report()
        async with self._db.transaction() as session:
            await session.execute(_ONE_MOMENT)
            heads = await _verify_chain(session, report)
            await _verify_unsealed(session, report)
            await _verify_no_seal_is_missing(session, report)
            await _verify_removed_names(session, report)
        if head and head.strip().lower() not in heads:
            report.add(HEAD_MISSING.format(head=head))
        return report

    async def remove_names(self, before: datetime) -> int:
        """Takes the names out of all older entries, for retention; how many lost theirs. The seals still hold.

        Raises Invalid for a moment that is still to come.
        """
        if before > utc_now():
            raise Invalid(IN_THE_FUTURE)
        async with self._db.transaction() as session:
            await _lock_chain(session)
            removed, last = 0, 0
            while ids := list(await session.scalars(_named_before(before, last))):
                await session.execute(update(AuditEntry).where(col(AuditEntry.id).in_(ids)).values(names={}))
                removed, last = removed + len(ids), ids[-1]
            if removed:
                facts = {"entries": removed, "before": before.isoformat()}
                await audit.record(session, AuditKind.NAMES_REMOVED, None, facts=facts)
        return removed

    async def _seal_batch(self) -> int:
        async with self._db.transaction() as session:
            await _lock_chain(session)
            rows = (await session.execute(_UNSEALED.limit(BATCH))).all()
            if rows:
                await _seal(session, rows)
        return len(rows)


async def _lock_chain(session: AsyncSession) -> None:
    """One sealer at a time. Writers of entries do not ask for it."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CHAIN_LOCK})


async def _seal(session: AsyncSession, rows: Sequence[Row]) -> None:
    last = await session.scalar(select(col(AuditSeal.digest)).order_by(col(AuditSeal.id).desc()).limit(1))
    previous = last or FIRST
    digests = {row.id: auditing.entry_digest(_sealable(row)) for row in rows}
    seal = AuditSeal(
        leaves=auditing.leaves(digests),
        previous=previous,
        digest=auditing.seal_digest(previous, digests.values()),
    )
    session.add(seal)
    await session.flush()
    await session.execute(update(AuditEntry).where(col(AuditEntry.id).in_(digests)).values(seal_id=seal.id))


def _sealable(row: Row) -> Sealable:
    return Sealable(
        id=row.id,
        at=row.at,
        kind=row.kind,
        actor_id=row.actor_id,
        subject_id=row.subject_id,
        schools=tuple(row.schools),
        address=row.address,
        facts=row.facts,
        before=row.before,
        after=row.after,
        names_digest=row.names_digest,
    )


async def _verify_chain(session: AsyncSession, report: Report) -> set[str]:
    """Walks from the first seal to the last; the digests of all seals."""
    previous, heads = FIRST, set()
    async for seal in _seals(session):
        if seal.previous != previous:
            report.add(BROKEN.format(seal=seal.id))
        rows = (await session.execute(_ENTRIES.where(col(AuditEntry.seal_id) == seal.id))).all()
        _verify_seal(seal, rows, report)
        session.expunge(seal)
        previous = seal.digest
        report.head = seal.digest.hex()
        heads.add(report.head)
    return heads


async def _seals(session: AsyncSession) -> AsyncIterator[AuditSeal]:
    last = 0
    while True:
        after = select(AuditSeal).where(col(AuditSeal.id) > last).order_by(col(AuditSeal.id)).limit(1)
        seal = await session.scalar(after)
        if seal is None:
            return
        yield seal
        last = seal.id


def _verify_seal(seal: AuditSeal, rows: Sequence[Row], report: Report) -> None:
    report.seals += 1
    report.sealed += len(rows)
    try:
        kept = auditing.read_leaves(seal.leaves)
    except ValueError:
        kept = {}
    if auditing.seal_digest(seal.previous, kept.values()) != seal.digest:
        report.add(SEAL_CHANGED.format(seal=seal.id))
    for entry in sorted(kept.keys() - {row.id for row in rows}):
        report.add(REMOVED.format(entry=entry, seal=seal.id, sealed=len(kept), there=len(rows)))
    for row in rows:
        _verify_entry(row, kept.get(row.id), report)


def _verify_entry(row: Row, kept: bytes | None, report: Report) -> None:
    """``kept``: the entry's digest in its seal; None when the seal knows no such entry."""
    if kept is None:
        report.add(INSERTED.format(entry=row.id, seal=row.seal_id))
    elif _attempt(auditing.entry_digest, _sealable(row)) != kept:
        report.add(CHANGED.format(entry=row.id, seal=row.seal_id))
    _verify_names(row, report)


def _verify_names(row: Row, report: Report) -> None:
    report.entries += 1
    if not row.names:
        report.nameless += 1
    elif _attempt(auditing.names_digest, row.names) != row.names_digest:
        report.add(RENAMED.format(entry=row.id))


def _attempt(digest: Callable[[T], bytes], of: T) -> bytes | None:
    """None for what the product never wrote like this."""
    try:
        return digest(of)
    except TypeError:
        return None


async def _verify_unsealed(session: AsyncSession, report: Report) -> None:
    overdue: list[int] = []
    last = 0
    while rows := (await session.execute(_UNSEALED.where(col(AuditEntry.id) > last).limit(BATCH))).all():
        for row in rows:
            _verify_names(row, report)
        overdue += [row.id for row in rows if row.at < utc_now() - SEALED_BY]
        last = rows[-1].id
    if overdue:
        report.add(OVERDUE.format(count=f"{len(overdue):,}", entry=overdue[0]))


async def _verify_no_seal_is_missing(session: AsyncSession, report: Report) -> None:
    there = exists().where(col(AuditSeal.id) == col(AuditEntry.seal_id))
    lost = select(func.count(), func.min(col(AuditEntry.id))).where(col(AuditEntry.seal_id).is_not(None), ~there)
    count, first = (await session.execute(lost)).one()
    if count:
        report.entries += count
        report.add(NO_SEAL.format(count=f"{count:,}", entry=first))


async def _verify_removed_names(session: AsyncSession, report: Report) -> None:
    """Names that retention removed left an entry that says how many."""
    removals = select(col(AuditEntry.facts)).where(col(AuditEntry.kind) == AuditKind.NAMES_REMOVED)
    told = sum(_count_in(facts.get("entries")) for facts in await session.scalars(removals))
    if report.nameless > told:
        report.add(NAMES_LOST.format(lost=report.nameless, told=told))


def _count_in(told: object) -> int:
    return told if isinstance(told, int) else 0


def _named_before(before: datetime, last: int) -> Select[int]:
    older = col(AuditEntry.at) < before, col(AuditEntry.id) > last
    return (
        select(col(AuditEntry.id)).where(col(AuditEntry.names) != {}, *older).order_by(col(AuditEntry.id)).limit(BATCH)
    )
