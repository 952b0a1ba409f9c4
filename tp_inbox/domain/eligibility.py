"""Which students may be texted: from the 13th birthday on, and never without a birth date on file."""

from datetime import date
from enum import StrEnum

MINIMUM_AGE = 13
"""COPPA protects children under 13, and a mobile number is personal information (16 CFR 312.2)."""


class Ineligible(StrEnum):
    """Why a student may not be texted."""

    UNDER_13 = "under_13"
    NO_BIRTH_DATE = "no_birth_date"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Ineligible.UNDER_13: "This student is under 13 and cannot be texted. Text a family contact instead.",
    Ineligible.NO_BIRTH_DATE: "This student has no birth date on file and cannot be texted. "
    "Text a family contact instead, or have the birth date added.",
}


def may_text_student(birth_date: date | None, today: date) -> Ineligible | None:
    """None when the student may be texted; ``today`` is the day in the school's zone. The 13th birthday counts."""
    if birth_date is None:
        return Ineligible.NO_BIRTH_DATE
    return Ineligible.UNDER_13 if age_on(birth_date, today) < MINIMUM_AGE else None


def age_on(birth_date: date, day: date) -> int:
    """Completed years. Who was born on 29 February is a year older on 1 March when there is no 29th.

    That is the later of the two days that states use, so nobody is texted too early. Negative before birth.
    """
    before_birthday = (day.month, day.day) < (birth_date.month, birth_date.day)
    return day.year - birth_date.year - before_birthday
