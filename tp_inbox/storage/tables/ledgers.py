"""Append-only records: what was reported of a text, what families said about being texted, what webhooks brought."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from tp_inbox.domain.consent import ConsentKind, ConsentScope, ConsentSource
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.storage.base import key, link, maybe, moment, now, words


class DeliveryEvent(SQLModel, table=True):
    """One report about one text, kept even when it changes nothing. A repeated report is one row."""

    __tablename__ = "delivery_event"
    __table_args__ = (
        Index("uq_delivery_event_report", "sid", "state", "code", unique=True, postgresql_nulls_not_distinct=True),
        Index(None, "message_id"),
    )

    id: int = key()
    message_id: int | None = maybe("message.id")
    sid: str | None = None
    state: DeliveryState = words(DeliveryState)
    reason: FailureReason | None = words(FailureReason, default=None, nullable=True)
    code: str | None = None
    source: str = Field(description="handover, webhook, or poll")
    at: datetime = now()


class ConsentEvent(SQLModel, table=True):
    """A family's STOP or START, for one number of ours, one school, or all."""

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
    """A webhook as it came, stored before anything is made of it. One row a SID."""

    __tablename__ = "inbound_request"
    __table_args__ = (Index(None, "received_at", postgresql_where="routed_at IS NULL"),)

    id: int = key()
    sid: str = Field(unique=True)
    form: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    received_at: datetime = now()
    routed_at: datetime | None = moment()
    message_id: int | None = maybe("message.id")
    problem: str = Field(default="")
