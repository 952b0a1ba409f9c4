"""What every table shares: names of constraints, column types, and the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import BigInteger, DateTime, MetaData, Text, TypeDecorator
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata
E = TypeVar("E", bound=StrEnum)
IN_UTC: Any = DateTime(timezone=True)  # SQLModel takes an instance, too; its annotation names the class alone


class Words(TypeDecorator[E], Generic[E]):
    """A StrEnum kept as text: a new word needs no migration, an unknown one in the database is an error."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[E]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:  # noqa: ARG002 - SQLAlchemy hands it in
        return None if value is None else self.words(value).value

    def process_result_value(self, value: Any, dialect: Any) -> E | None:  # noqa: ARG002 - as above
        return None if value is None else self.words(value)


def utc_now() -> datetime:
    return datetime.now(UTC)


def key() -> Any:
    return Field(default=None, primary_key=True, sa_type=BigInteger)


def link(target: str, *, index: bool = False, unique: bool = False) -> Any:
    """A reference that must be there."""
    return Field(foreign_key=target, sa_type=BigInteger, index=index, unique=unique)


def part_of_key(target: str, *, index: bool = False) -> Any:
    """A reference that is half of the table's own key."""
    return Field(primary_key=True, foreign_key=target, sa_type=BigInteger, index=index)


def maybe(target: str, *, index: bool = False, unique: bool = False) -> Any:
    """A reference that may be missing."""
    return Field(default=None, foreign_key=target, sa_type=BigInteger, index=index, unique=unique)


def words(of: type[StrEnum], **options: Any) -> Any:
    kept_as: Any = Words(of)  # an instance, as above
    return Field(sa_type=kept_as, **options)


def moment(**options: Any) -> Any:
    """A time: timezone-aware UTC; without a default it may be missing."""
    options.setdefault("default", None)
    return Field(sa_type=IN_UTC, **options)


def now() -> Any:
    """A time that is set when the row is made."""
    return Field(default_factory=utc_now, sa_type=IN_UTC, nullable=False)
