"""The record of who did what: append-only, sealed in batches; and who read what was not their own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Column, Index, literal_column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from tp_inbox.domain.auditing import AuditKind
from tp_inbox.storage.base import key, link, maybe, now, words


class AuditEntry(SQLModel, table=True):
    """One thing that somebody did. The database refuses to change or delete it.

    What may be read again for ever (ids, words of our own, times) is part of its digest. ``names`` are not: they
    may be removed once, when retention asks for it. ``names_digest`` proves them while they are there.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_newest", text("at DESC"), text("id DESC")),
        Index(None, "kind", "at"),
        Index(None, "actor_id", "id"),
        Index(None, "subject_id", "id"),
        Index("ix_audit_entry_schools", "schools", postgresql_using="gin"),
        Index("ix_audit_entry_unsealed", "id", postgresql_where=text("seal_id IS NULL")),
        Index(
            "ix_audit_entry_names_trgm",
            literal_column("plain_names(names)").label("plain_names"),
            postgresql_using="gin",
            postgresql_ops={"plain_names": "gin_trgm_ops"},
        ),
    )

    id: int = key()
    at: datetime = now()
    kind: AuditKind = words(AuditKind)
    actor_id: int | None = maybe("staff.id")
    subject_id: int | None = maybe("staff.id")
    schools: list[int] = Field(
        sa_column=Column(ARRAY(BigInteger), nullable=False), description="whose admins may read it, too"
    )
    address: str = Field(default="", description="where the request came from")
    facts: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    before: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    after: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    names: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    names_digest: bytes
    seal_id: int | None = maybe("audit_seal.id", index=True)


class AuditSeal(SQLModel, table=True):
    """A batch of entries and the digest over them and the seal before. No two follow the same one: it is a chain."""

    __tablename__ = "audit_seal"

    id: int = key()
    leaves: bytes = Field(description="of each entry its id and its digest, as ``auditing.leaves`` writes them")
    previous: bytes = Field(unique=True)
    digest: bytes = Field(unique=True)
    at: datetime = now()


class OversightReading(SQLModel, table=True):
    """Somebody opened a conversation that was not their own; its owner is shown this."""

    __tablename__ = "oversight_reading"
    __table_args__ = (Index(None, "reader_id", "thread_id", "at"), Index(None, "owner_id", "id"))

    id: int = key()
    reader_id: int = link("staff.id")
    thread_id: int = link("thread.id")
    owner_id: int | None = maybe("staff.id")
    reason: str = Field(default="")
    at: datetime = now()
