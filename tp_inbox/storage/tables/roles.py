"""Roles, who holds them, and where."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, Column, Index, Text, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from tp_inbox.domain.permissions import Level
from tp_inbox.storage.base import key, link, maybe, now, part_of_key, words


class Role(SQLModel, table=True):
    """``base_key`` marks the base roles, which a migration seeds and nobody edits."""

    __table_args__ = (Index("uq_role_lower_name", text("lower(name)"), unique=True),)

    id: int = key()
    name: str
    level: Level = words(Level)
    base_key: str | None = Field(default=None, unique=True)
    permissions: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    two_step_required: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": false()},
        description="its holders sign in with a code, too",
    )


class SchoolGroup(SQLModel, table=True):
    """A district group: a named set of schools."""

    __tablename__ = "school_group"
    __table_args__ = (Index("uq_school_group_lower_name", text("lower(name)"), unique=True),)

    id: int = key()
    name: str


class GroupSchool(SQLModel, table=True):
    __tablename__ = "group_school"

    group_id: int = part_of_key("school_group.id")
    school_id: int = part_of_key("school.id", index=True)


class Assignment(SQLModel, table=True):
    """A role held by a person at a school, at a group of schools, or, when neither is named, at the district."""

    __table_args__ = (
        UniqueConstraint("staff_id", "role_id", "school_id", "group_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("num_nonnulls(school_id, group_id) <= 1", name="one_place"),
    )

    id: int = key()
    staff_id: int = link("staff.id")
    role_id: int = link("role.id", index=True)
    school_id: int | None = maybe("school.id", index=True)
    group_id: int | None = maybe("school_group.id", index=True)
    created_at: datetime = now()
