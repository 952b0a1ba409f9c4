"""Roles and who holds them, where."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, Column, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from tp_inbox.domain.access import Level
from tp_inbox.storage.base import key, link, maybe, now, words


class Role(SQLModel, table=True):
    """``base_key`` marks the base roles, which a migration seeds and nobody edits."""

    id: int = key()
    name: str = Field(unique=True)
    level: Level = words(Level)
    base_key: str | None = Field(default=None, unique=True)
    permissions: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))


class Assignment(SQLModel, table=True):
    """A role held by a person at a school, or at the district when no school is named."""

    __table_args__ = (UniqueConstraint("staff_id", "role_id", "school_id", postgresql_nulls_not_distinct=True),)

    id: int = key()
    staff_id: int = link("staff.id")
    role_id: int = link("role.id", index=True)
    school_id: int | None = maybe("school.id", index=True)
    created_at: datetime = now()
