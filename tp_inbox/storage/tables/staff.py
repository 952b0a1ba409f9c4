"""People who sign in: how they came, how they prove who they are, their sessions, and how they left."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Column, Computed, Index, Text, UniqueConstraint, literal_column, text
from sqlmodel import Field, SQLModel

from tp_inbox.storage.base import key, link, maybe, moment, now, part_of_key, words


class Staff(SQLModel, table=True):
    """``active`` is False once somebody has left; their assignments stay, as a record, and give nothing."""

    __table_args__ = (
        Index(
            "ix_staff_words_trgm",
            "found_by",
            postgresql_using="gin",
            postgresql_ops={"found_by": "gin_trgm_ops"},
        ),
        Index("ix_staff_by_name", literal_column("plain(name)").label("plain_name"), "id"),
        Index(None, "created_at", "id"),
    )

    id: int = key()
    email: str = Field(unique=True, description="in small letters")
    name: str
    title: str = Field(default="", description="as families read it: counselor, nurse")
    password_hash: str | None = Field(default=None, description="argon2id; without one there is no password sign-in")
    signature: str = Field(default="", description="goes under each personal message")
    active: bool = Field(default=True)
    created_at: datetime = now()
    found_by: str | None = Field(
        default=None,
        sa_column=Column(Text, Computed("plain_words(name, email, title)", persisted=True)),
        description="the database's own: name, address and title in small letters without accents",
    )


class SessionStage(StrEnum):
    """How far a sign-in has come. Only a complete session opens anything."""

    COMPLETE = "complete"
    CODE = "code"
    """The password was right; the code of the second step is awaited."""
    ENROL = "enrol"
    """The password was right; a role asks for a second step, which has to be set up first."""


class Session(SQLModel, table=True):
    """A sign-in. The cookie holds the token, the table only its SHA-256, so a leaked table signs nobody in."""

    __table_args__ = (Index(None, "staff_id", "used_at"),)

    id: int = key()
    token_digest: bytes = Field(unique=True)
    staff_id: int = link("staff.id")
    stage: SessionStage = words(
        SessionStage, default=SessionStage.COMPLETE, sa_column_kwargs={"server_default": SessionStage.COMPLETE.value}
    )
    created_at: datetime = now()
    used_at: datetime = now()
    expires_at: datetime = moment(default=..., nullable=False)
    ended_at: datetime | None = moment()
    address: str = Field(default="")
    browser: str = Field(default="")


class SignInFailure(SQLModel, table=True):
    """Kept for a day, to slow guessing. ``account`` is a digest: mistyped addresses are nobody's business."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (
        Index(None, "account", "at"),
        Index(None, "address", "at"),
    )

    id: int = key()
    account: bytes
    address: str
    at: datetime = now()


class LinkPurpose(StrEnum):
    INVITATION = "invitation"
    PASSWORD = "password"  # noqa: S105 - a word


class AccountLink(SQLModel, table=True):
    """A single-use link with which a person sets a password: an invitation, or a reset. A newer one ends it."""

    __tablename__ = "account_link"

    id: int = key()
    staff_id: int = link("staff.id", index=True)
    purpose: LinkPurpose = words(LinkPurpose)
    token_digest: bytes = Field(unique=True)
    made_by_id: int | None = maybe("staff.id")
    created_at: datetime = now()
    expires_at: datetime = moment(default=..., nullable=False)
    used_at: datetime | None = moment()
    ended_at: datetime | None = moment()


class SecondStep(SQLModel, table=True):
    """A person's authenticator app. Without ``confirmed_at`` it is being set up, and asked for by nobody."""

    __tablename__ = "second_step"

    staff_id: int = part_of_key("staff.id")
    secret: bytes = Field(description="encrypted with the server's key")
    confirmed_at: datetime | None = moment()
    last_step: int = Field(default=0, description="the 30 s step of the last code taken; none is taken twice")
    created_at: datetime = now()


class RecoveryCode(SQLModel, table=True):
    """Each is taken once; only its SHA-256 is kept."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("staff_id", "digest"),)

    id: int = key()
    staff_id: int = link("staff.id")
    digest: bytes
    used_at: datetime | None = moment()


class ExternalIdentity(SQLModel, table=True):
    """Who a person is at an OpenID provider; the pair is the provider's name for them and never changes."""

    __tablename__ = "external_identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: int = key()
    staff_id: int = link("staff.id", index=True)
    issuer: str
    subject: str
    created_at: datetime = now()


class HandOver(SQLModel, table=True):
    """What happens to a person's conversations after they left; over once they are back."""

    __tablename__ = "hand_over"
    __table_args__ = (
        Index("uq_hand_over_standing", "staff_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    )

    id: int = key()
    staff_id: int = link("staff.id")
    successor_id: int | None = maybe("staff.id", index=True)
    auto_reply: str = Field(default="", description="for families who write afterwards; none when empty")
    made_by_id: int | None = maybe("staff.id")
    at: datetime = now()
    ended_at: datetime | None = moment()
