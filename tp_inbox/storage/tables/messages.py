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
    GONE = "gone"
    """The carrier does not have it any more, and we did not give it back."""
    RELEASING = "releasing"
    """Being given back: nobody uses it again, and the carrier may have it still."""
    RELEASED = "released"
    """Given back. Its row stays for what was written from it; whoever has the number now is somebody else."""


class Direction(StrEnum):
    IN = "in"
    OUT = "out"


class Purpose(StrEnum):
    """Why a text of ours was written. What answers a STOP is sent although the family has just opted out."""

    WRITTEN = "written"
    """By a person."""
    AUTOMATIC = "automatic"
    """For somebody who has left."""
    STOP_CONFIRMED = "stop_confirmed"
    START_CONFIRMED = "start_confirmed"
    HELP = "help"
    FOUND = "found"
    """Not from here: the carrier's ledger says that it left from our number."""


class Doubled(StrEnum):
    """Whether a family may have a text twice."""

    POSSIBLE = "possible"
    """It was sent again after an attempt whose answer never came, and which the carrier did not list."""
    CERTAIN = "certain"
    """The carrier has it under two SIDs."""


class StopQuestion(StrEnum):
    """A family's text that sounds like STOP without saying so, and what the staff made of it."""

    OPEN = "open"
    YES = "yes"
    NO = "no"


class Campaign(SQLModel, table=True):
    """Numbers that travel together: one Messaging Service at the carrier, one rate, one worker at a time.

    A school's campaign holds its shared number and those of the people who work only there; ``school_id`` is missing on
    the district's, where people of several schools are. ``sid`` is the service's, once it is made.
    """

    __table_args__ = (UniqueConstraint("school_id", postgresql_nulls_not_distinct=True),)

    id: int = key()
    school_id: int | None = maybe("school.id")
    sid: str | None = Field(default=None, unique=True)
    problem: str = Field(default="", description="for an admin; why there is no service yet")
    full_at: datetime | None = moment(description="when its service took no more numbers")
    stopped_at: datetime | None = moment()
    next_attempt_at: datetime = now()
    attempts: int = Field(default=0)
    slowed_at: datetime | None = moment()
    held_by: UUID | None = Field(default=None, description="the process that paces and hands over, until")
    held_until: datetime | None = moment()


class Number(SQLModel, table=True):
    """A number of ours: one for a person, one for a school, or one of a campaign's pool, which several people share.

    The row is written before the number is bought: ``wanted`` → ``buying`` with the very number we try
    to buy, so that a crash buys no second one → ``active``. ``stopped`` waits for an admin. ``quarantined``: its
    owner has left; families still reach us there, and nobody else gets it until it is ``released``. ``campaign_id`` is
    where it belongs, ``joined_id`` the campaign whose service the carrier has it in.
    """

    __table_args__ = (
        CheckConstraint("num_nonnulls(staff_id, school_id) + pooled::int = 1", name="one_owner"),
        CheckConstraint("state <> 'active' or (e164 is not null and sid is not null)", name="active_is_bought"),
        *(
            Index(f"uq_number_{column}", column, unique=True, postgresql_where=text("state <> 'released'"))
            for column in ("e164", "sid", "staff_id", "school_id")
        ),
    )

    id: int = key()
    e164: str | None = Field(default=None)
    sid: str | None = Field(default=None)
    staff_id: int | None = maybe("staff.id")
    school_id: int | None = maybe("school.id")
    pooled: bool = Field(default=False)
    campaign_id: int = link("campaign.id", index=True)
    joined_id: int | None = maybe("campaign.id")
    join_at: datetime = now()
    join_attempts: int = Field(default=0)
    area_code: str = Field(default="")
    state: NumberState = words(NumberState, default=NumberState.WANTED)
    problem: str = Field(default="", description="for an admin, when it is stopped or waits")
    next_attempt_at: datetime = now()
    attempts: int = Field(default=0)
    quarantined_until: datetime | None = moment()
    bought_at: datetime | None = moment()
    released_at: datetime | None = moment()


class Pair(SQLModel, table=True):
    """A family phone and a number of a pool: the thread in which they meet.

    Whoever shares the number, the pair is this thread's alone until 180 days after its last text.
    """

    __table_args__ = (UniqueConstraint("phone_id", "number_id"), UniqueConstraint("thread_id"))

    id: int = key()
    phone_id: int = link("family_phone.id")
    number_id: int = link("number.id", index=True)
    thread_id: int = link("thread.id")
    used_at: datetime = now()


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
            "ix_message_queued", "number_id", "bulk", "next_attempt_at", "id", postgresql_where=text("state = 'queued'")
        ),
        Index(
            "ix_message_doubtful",
            "next_attempt_at",
            "id",
            postgresql_where=text("state IN ('submitting', 'unknown')"),
        ),
        Index(
            "ix_message_waiting",
            "thread_id",
            "id",
            postgresql_where=text("state IN ('queued', 'submitting', 'unknown')"),
        ),
        Index("ix_message_stop_question", "thread_id", "id", postgresql_where=text("stop_question = 'open'")),
        Index("ix_message_in_flight", "created_at", postgresql_where=text("state IN ('accepted', 'sending', 'sent')")),
        Index(
            "ix_message_at_carrier",
            "number_id",
            "handed_over_at",
            postgresql_include=["segments"],
            postgresql_where=text("state IN ('accepted', 'sending')"),
        ),
        Index("ix_message_hand_over", "recipient", "sender", "handed_over_at"),
        Index("ix_message_written", "created_at", postgresql_using="brin"),
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
    purpose: Purpose = words(Purpose, default=Purpose.WRITTEN)
    bulk: bool = Field(default=False, description="one of many; conversations go before it")
    doubled: Doubled | None = words(Doubled, default=None, nullable=True)
    redelivered: int = Field(default=0, description="how often it was sent again by itself after it did not arrive")
    stop_question: StopQuestion | None = words(StopQuestion, default=None, nullable=True)
    stop_answered_by: int | None = maybe("staff.id")
    sid: str | None = Field(default=None, unique=True)
    state: DeliveryState = words(DeliveryState)
    reason: FailureReason | None = words(FailureReason, default=None, nullable=True)
    code: str | None = Field(default=None, description="the carrier's, for support")
    attempts: int = Field(default=0)
    created_at: datetime = now()
    next_attempt_at: datetime = now()
    handed_over_at: datetime | None = moment()
    settled_at: datetime | None = moment()


class EarlierHandover(SQLModel, table=True):
    """The SID under which a text had been handed over before it was sent again: a late report still finds its text."""

    __tablename__ = "earlier_handover"

    sid: str = Field(primary_key=True)
    message_id: int = link("message.id", index=True)
    at: datetime = now()


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
