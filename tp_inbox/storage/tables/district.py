"""The district and its schools. One database serves one district."""

from __future__ import annotations

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from tp_inbox.storage.base import key


class District(SQLModel, table=True):
    """One row. A database marked ``demonstration`` talks to no carrier but a simulator on loopback."""

    id: int = key()
    name: str
    demonstration: bool = Field(default=False)
    time_zone: str = Field(default="America/Chicago")


class School(SQLModel, table=True):
    __table_args__ = (Index("uq_school_lower_name", text("lower(name)"), unique=True),)

    id: int = key()
    name: str
    area_code: str = Field(description="three digits, where the school's numbers are bought")
    time_zone: str = Field(default="America/Chicago")
    office_phone: str = Field(default="", description="E.164; a family that calls is put through to it")
