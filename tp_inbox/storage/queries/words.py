"""What people type into a search, as SQL: names whatever the case and the accents, and numbers by their digits."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, false, func
from sqlalchemy.orm import Mapped
from sqlmodel import col

from tp_inbox.domain.phone import digits
from tp_inbox.storage.tables import FamilyPhone

LEAST_DIGITS = 3
LONGEST_QUESTION = 80


def asked(words: str) -> str:
    """A question as it is looked for: without odd spaces, and no longer than a name can be."""
    return " ".join(words.replace("\x00", " ").split())[:LONGEST_QUESTION]


def named(plain: ColumnElement[Any] | Mapped[Any], words: str) -> ColumnElement[bool]:
    """Each word is somewhere in the name: "sofia" finds Sofía. ``plain``: the name in small letters without accents,
    in the form for which there is an index.
    """
    return and_(*(plain.like(func.plain(f"%{_literal(word)}%")) for word in words.split()))


def begun(plain: ColumnElement[Any] | Mapped[Any], word: str) -> ColumnElement[bool]:
    """A part of the name begins so: what a word is looked for by that is too short to be found in the middle of one.
    ``plain``: as above, with a blank before each part.
    """
    return plain.like(func.plain(f"% {_literal(word)}%"))


def numbered(words: str) -> ColumnElement[bool]:
    """A family's number that has these digits; nothing when letters were typed, or too few digits."""
    wanted = digits(words)
    typed_a_number = len(wanted) >= LEAST_DIGITS and not any(c.isalpha() for c in words)
    return col(FamilyPhone.e164).like(f"%{wanted}%") if typed_a_number else false()


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
