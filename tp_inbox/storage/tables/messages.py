"""Numbers, inboxes, threads and messages."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from tp_inbox.domain.access import InboxKind
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.storage.base import key, link, maybe, moment, now, part_of_key, words


class NumberState(StrEnum):
    WANTED = "wanted"
    BUYING = "buying"
    ACTIVE = "active"
    STOPPED = "stopped"
    QUARANTINED = "quarantined"


class Direction(StrEnum):
    IN = "in"
    OUT = "out"


class Number(SQLModel, table=True):
    """A number of ours; exactly one for a person and one for a school.

    The row is written before the number is bought: ``wanted`` → ``buying`` with the very number we try
    to buy, so that a crash buys no second one → ``active``. ``stopped`` waits for an admin. ``quarantined``: its
    owner has left; families still reach us there, and nobody else gets it.
    """

    __table_args__ = (
        CheckConstraint("num_nonnulls(staff_id, school_id) = 1", name="one_owner"),
        CheckConstraint("state <> 'active' or (e164 is not null and sid is not null)", name="active_is_bought"),
    )

    id: int = key()
    e164: str | None = Field(default=None, unique=True)
    sid: str | None = Field(default=None, unique=True)
    staff_id: int | None = maybe("staff.id", unique=True)
    school_id: int | None = maybe("school.id", unique=True)
    area_code: str = Field(default="")
    state: NumberState = words(NumberState, default=NumberState.WANTED)
    problem: str = Field(default="", description="for an admin, when it is stopped or waits")
    next_attempt_at: datetime = now()
    attempts: int = Field(default=0)
    quarantined_until: datetime | None = moment()


class Inbox(SQLModel, table=True):
    __table_args__ = (CheckConstraint("num_nonnulls(staff_id, school_id) = 1", name="one_owner"),)

    id: int = key()
    kind: InboxKind = words(InboxKind)
    staff_id: int | None = maybe("staff.id", unique=True)
    school_id: int | None = maybe("school.id", unique=True)


class Thread(SQLModel, table=True):
    """An inbox and a family phone. What the list shows is kept on the row, so that a list reads one index."""

    __table_args__ = (
        UniqueConstraint("inbox_id", "phone_id"),
        Index(
            "ix_thread_newest",
            "inbox_id",
            text("last_at DESC"),
            text("id DESC"),
            postgresql_where=text("last_at IS NOT NULL"),
        ),
        Index(
            "ix_thread_newest_of_all",
            text("last_at DESC"),
            text("id DESC"),
            postgresql_where=text("last_at IS NOT NULL"),
        ),
    )

    id: int = key()
    inbox_id: int = link("inbox.id")
    phone_id: int = link("family_phone.id", index=True)
    last_at: datetime | None = moment()
    last_message_id: int | None = Field(default=None, sa_type=BigInteger)
    last_direction: Direction | None = words(Direction, default=None, nullable=True)
    last_author_id: int | None = maybe("staff.id")
    preview: str = Field(default="")
    inbound_count: int = Field(default=0, description="texts of the family; unread is this less what was seen")
    introduced_at: datetime | None = moment()
    continued_in_id: int | None = Field(
        default=None,
        foreign_key="thread.id",
        sa_type=BigInteger,
        index=True,
        description="its owner has left: the successor's thread, in which this one is shown and goes on",
    )


class Message(SQLModel, table=True):
    """A text. From, To and body are frozen when it is queued: a contact who changes later changes no queued text."""

    __table_args__ = (
        UniqueConstraint("author_id", "client_key"),
        Index("ix_message_thread", "thread_id", "created_at", "id"),
        Index(
            "ix_message_due",
            "next_attempt_at",
            "id",
            postgresql_where=text("state IN ('queued', 'submitting', 'unknown')"),
        ),
        Index("ix_message_in_flight", "created_at", postgresql_where=text("state IN ('accepted', 'sending', 'sent')")),
        Index("ix_message_hand_over", "recipient", "sender", "handed_over_at"),
    )

    id: int = key()
    thread_id: int = link("thread.id")
    inbox_id: int = link("inbox.id")
    direction: Direction = words(Direction)
    author_id: int | None = maybe("staff.id")
    number_id: int = link("number.id")
    sender: str | None = Field(default=None, description="E.164; missing only while our number is being bought")
    recipient: str = Field(description="E.164")
    written: str = Field(description="as the person wrote it")
    body: str = Field(description="as sent: with introduction and signature")
    media: int = Field(default=0, description="pictures that came with it")
    segments: int = Field(default=1)
    client_key: UUID | None = Field(default=None, description="the draft's; one click is one text")
    retried: bool = Field(default=False, description="a failed text that was sent once more, as a new message")
    sid: str | None = Field(default=None, unique=True)
    state: DeliveryState = words(DeliveryState)
    reason: FailureReason | None = words(FailureReason, default=None, nullable=True)
    code: str | None = Field(default=None, description="the carrier's, for support")
    attempts: int = Field(default=0)
    created_at: datetime = now()
    next_attempt_at: datetime = now()
    handed_over_at: datetime | None = moment()
    settled_at: datetime | None = moment()


class ReadMarker(SQLModel, table=True):
    __tablename__ = "read_marker"

    staff_id: int = part_of_key("staff.id")
    thread_id: int = part_of_key("thread.id")
    seen: int = Field(default=0, description="of the thread's inbound_count")
    at: datetime = now()


class Draft(SQLModel, table=True):
    """What a person has begun to write in a thread. Its key becomes the message's."""

    staff_id: int = part_of_key("staff.id")
    thread_id: int = part_of_key("thread.id")
    client_key: UUID
    written: str
    at: datetime = now()
