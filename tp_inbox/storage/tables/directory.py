"""Students, their families, and the phones at which they are reached.

Names are looked for by ``plain(name)``, a function that the first migration makes: small letters without accents.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Index, literal_column
from sqlmodel import Field, SQLModel

from tp_inbox.storage.base import key, link, maybe, now, part_of_key


def _by_plain_name(index: str) -> Index:
    plain = literal_column("plain(name)").label("plain_name")
    return Index(index, plain, postgresql_using="gin", postgresql_ops={"plain_name": "gin_trgm_ops"})


class FamilyPhone(SQLModel, table=True):
    """A number that families read. Consent is checked and written under this row's lock."""

    __tablename__ = "family_phone"
    __table_args__ = (
        Index("ix_family_phone_e164_trgm", "e164", postgresql_using="gin", postgresql_ops={"e164": "gin_trgm_ops"}),
    )

    id: int = key()
    e164: str = Field(unique=True)
    language: str = Field(default="en")


class Student(SQLModel, table=True):
    __table_args__ = (_by_plain_name("ix_student_name_trgm"),)

    id: int = key()
    name: str
    birth_date: date | None = Field(default=None, description="without one the student is not texted")
    grade: str = Field(default="")
    school_id: int = link("school.id", index=True)
    phone_id: int | None = maybe("family_phone.id", index=True)
    source: str = Field(default="roster", description="roster, or hand")


class Contact(SQLModel, table=True):
    """An adult of one or more students. Without a phone the contact is shown, and cannot be texted."""

    __table_args__ = (_by_plain_name("ix_contact_name_trgm"),)

    id: int = key()
    name: str
    language: str = Field(default="en")
    phone_id: int | None = maybe("family_phone.id", index=True)
    source: str = Field(default="roster", description="roster, or hand")


class Guardianship(SQLModel, table=True):
    student_id: int = part_of_key("student.id")
    contact_id: int = part_of_key("contact.id", index=True)
    relation: str = Field(default="", description="mother, grandfather, guardian")


class Tie(SQLModel, table=True):
    """The newest person whom staff have named as an unknown sender at a phone, and what it takes to undo that.

    It holds while that person has this phone. ``contact_id`` is empty for a student's own phone.
    """

    phone_id: int = part_of_key("family_phone.id")
    student_id: int = link("student.id")
    contact_id: int | None = maybe("contact.id")
    fresh: bool = Field(default=False, description="the contact was not on file before")
    before_id: int | None = maybe("family_phone.id")
    language: str = Field(description="of the phone, before")
    at: datetime = now()
