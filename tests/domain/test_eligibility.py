"""The 13+ rule, on the days around a birthday."""

from datetime import date

import pytest

from tp_inbox.domain.eligibility import Ineligible, age_on, may_text_student

BORN = date(2013, 5, 4)


def test_a_student_may_be_texted_on_the_13th_birthday() -> None:
    assert may_text_student(BORN, date(2026, 5, 4)) is None


def test_a_student_may_not_be_texted_on_the_day_before() -> None:
    assert may_text_student(BORN, date(2026, 5, 3)) is Ineligible.UNDER_13


def test_a_student_without_a_birth_date_may_not_be_texted() -> None:
    assert may_text_student(None, date(2026, 5, 4)) is Ineligible.NO_BIRTH_DATE


def test_a_birth_date_in_the_future_is_under_13() -> None:
    assert may_text_student(date(2027, 1, 1), date(2026, 5, 4)) is Ineligible.UNDER_13


@pytest.mark.parametrize(
    ("day", "age"),
    [(date(2025, 2, 28), 12), (date(2025, 3, 1), 13), (date(2028, 2, 28), 15), (date(2028, 2, 29), 16)],
)
def test_a_child_of_29_february_is_older_on_1_march_when_there_is_no_29th(day: date, age: int) -> None:
    assert age_on(date(2012, 2, 29), day) == age


@pytest.mark.parametrize("reason", Ineligible)
def test_a_refusal_offers_the_family_instead(reason: Ineligible) -> None:
    assert "Text a family contact instead" in reason.sentence
