"""Append-only records: what was reported of a text, what families said about being texted, what webhooks brought."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from tp_inbox.domain.consent import ConsentKind, ConsentScope, ConsentSource
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.storage.base import key, link, maybe, moment, now, words


class DeliveryEvent(SQLModel, table=True):
    """One report about one text, kept even when it changes nothing. A repeated report is one row.

    ``state`` is missing when the carrier used a word that we do not know.
    """

    __tablename__ = "delivery_event"
    __table_args__ = (
        Index("uq_delivery_event_report", "sid", "state", "code", unique=True, postgresql_nulls_not_distinct=True),
        Index(None, "message_id"),
    )

    id: int = key()
    message_id: int | None = maybe("message.id")
    sid: str | None = None
    state: DeliveryState | None = words(DeliveryState, default=None, nullable=True)
    reason: FailureReason | None = words(FailureReason, default=None, nullable=True)
    code: str | None = None
    source: str = Field(description="handover, webhook, poll, or reconciliation")
    at: datetime = now()


class ConsentEvent(SQLModel, table=True):
    """A family's STOP or START, for one number of ours, one school, those who work at several, or all."""

    __tablename__ = "consent_event"
    __table_args__ = (Index(None, "phone_id", "id"),)

    id: int = key()
    phone_id: int = link("family_phone.id")
    kind: ConsentKind = words(ConsentKind)
    scope: ConsentScope = words(ConsentScope)
    number_id: int | None = maybe("number.id")
    school_id: int | None = maybe("school.id")
    message_id: int | None = maybe("message.id")
    staff_id: int | None = maybe("staff.id")
    source: ConsentSource = words(ConsentSource)
    at: datetime = now()


class InboundRequest(SQLModel, table=True):
    """A webhook as it came, stored before anything is made of it. One row a SID.

    ``routed_at`` is missing while it waits, and for ever on one that could not be routed however often it was
    tried: ``problem`` then says why.
    """

    __tablename__ = "inbound_request"
    __table_args__ = (
        Index("ix_inbound_request_waiting", "id", postgresql_where=text("routed_at IS NULL")),
        Index("ix_inbound_request_family", "sender", "id", postgresql_where=text("routed_at IS NULL")),
        Index("ix_inbound_request_aside", "id", postgresql_where=text("problem <> ''")),
    )

    id: int = key()
    sid: str = Field(unique=True)
    sender: str = Field(description="the family's phone; their texts are routed one after the other")
    form: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    source: str = Field(default="webhook", description="webhook, spool, poll, or reconciliation")
    received_at: datetime = now()
    routed_at: datetime | None = moment()
    message_id: int | None = maybe("message.id")
    problem: str = Field(default="")
    attempts: int = Field(default=0)
    next_attempt_at: datetime = now()


class Watermark(SQLModel, table=True):
    """How far a job has come, so that one that was away for hours goes on where it was."""

    name: str = Field(primary_key=True)
    at: datetime = now()
