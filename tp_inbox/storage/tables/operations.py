"""What runs, what is wrong, and what a comparison with the carrier's ledger has found."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from tp_inbox.domain.operating import AlertKind, DifferenceKind, ProcessKind
from tp_inbox.storage.base import key, link, maybe, moment, now, words


class Process(SQLModel, table=True):
    """A web process or a worker that is up, as of its last beat. ``turned_at``: when a worker's dispatcher last went
    round. ``figures`` are what it counted since its start.
    """

    id: UUID = Field(primary_key=True)
    kind: ProcessKind = words(ProcessKind)
    place: str = Field(description="host:pid")
    started_at: datetime = now()
    beat_at: datetime = now()
    turned_at: datetime | None = moment()
    figures: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))


class Alert(SQLModel, table=True):
    """Something an admin has to know or to mend. One row stands while it lasts; ``settled_at`` ends it.

    ``about`` tells alerts of one kind apart: an id, a SID, or nothing.
    """

    __table_args__ = (
        Index("uq_alert_standing", "kind", "about", unique=True, postgresql_where=text("settled_at IS NULL")),
    )

    id: int = key()
    kind: AlertKind = words(AlertKind)
    about: str = Field(default="")
    sentence: str = Field(description="what is wrong and what to do")
    number_id: int | None = maybe("number.id")
    campaign_id: int | None = maybe("campaign.id")
    message_id: int | None = maybe("message.id")
    first_at: datetime = now()
    last_at: datetime = now()
    times: int = Field(default=1)
    settled_at: datetime | None = moment()
    settled_by: int | None = maybe("staff.id")


class Reconciliation(SQLModel, table=True):
    """One comparison of our ledger with the carrier's, over the time from ``since`` until ``until``."""

    id: int = key()
    since: datetime = moment(nullable=False)
    until: datetime = moment(nullable=False)
    began_at: datetime = now()
    ended_at: datetime | None = moment()
    compared: int = Field(default=0, description="texts")


class Difference(SQLModel, table=True):
    """One thing in which the ledgers differed. The same one is found once, however often it is looked for."""

    __table_args__ = (Index("uq_difference_found", "kind", "sid", unique=True),)

    id: int = key()
    reconciliation_id: int = link("reconciliation.id", index=True)
    kind: DifferenceKind = words(DifferenceKind)
    sid: str
    message_id: int | None = maybe("message.id")
    mended: bool = Field(default=False, description="it was put right by itself")
    at: datetime = now()


class UnknownNumber(SQLModel, table=True):
    """A number that the carrier rents to the account and that this inbox does not use, as of the last comparison."""

    __tablename__ = "unknown_number"

    sid: str = Field(primary_key=True)
    e164: str
    label: str = Field(default="", description="as it is called in the carrier's console")
    found_at: datetime = now()
