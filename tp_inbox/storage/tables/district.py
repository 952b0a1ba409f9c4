"""The district and its schools. One database serves one district."""

from __future__ import annotations

from sqlmodel import Field, SQLModel

from tp_inbox.storage.base import key


class District(SQLModel, table=True):
    """One row. A database marked ``demonstration`` talks to no carrier but a simulator on loopback."""

    id: int = key()
    name: str
    demonstration: bool = Field(default=False)
    time_zone: str = Field(default="America/Chicago")


class School(SQLModel, table=True):
    id: int = key()
    name: str = Field(unique=True)
    area_code: str = Field(description="three digits, where the school's numbers are bought")
    time_zone: str = Field(default="America/Chicago")
