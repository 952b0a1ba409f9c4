"""People who sign in, their sessions, and sign-ins that failed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from tp_inbox.storage.base import key, link, moment, now


class Staff(SQLModel, table=True):
    id: int = key()
    email: str = Field(unique=True, description="in small letters")
    name: str
    title: str = Field(default="", description="as families read it: counselor, nurse")
    password_hash: str | None = Field(default=None, description="argon2id; without one nobody can sign in")
    signature: str = Field(default="", description="goes under each personal message")
    active: bool = Field(default=True)
    created_at: datetime = now()


class Session(SQLModel, table=True):
    """A sign-in. The cookie holds the token, the table only its SHA-256, so a leaked table signs nobody in."""

    id: int = key()
    token_digest: bytes = Field(unique=True)
    staff_id: int = link("staff.id", index=True)
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
