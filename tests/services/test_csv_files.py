"""Tables as text, in and out."""

from __future__ import annotations

import pytest

from tp_inbox.domain.errors import Invalid
from tp_inbox.services.csv_files import MOST_LINES, read_table, write_table

EMAIL = {"email": ("email", "e-mail", "e-mail address")}
SCHOOL = {"school": ("school",)}


def emails(text: str) -> list[tuple[int, str]]:
    return [(line.number, line.values["email"]) for line in read_table(text, EMAIL, SCHOOL)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_list_is_read_as_spreadsheets_write_it(separator: str) -> None:
    text = separator.join(["School", "E-mail"]) + "\r\n" + separator.join(["Lincoln", "bob@x.example"]) + "\r\n"
    assert emails("\ufeff" + text) == [(2, "bob@x.example")]


def test_lines_keep_the_number_that_a_person_counts() -> None:
    assert emails('email,school\na@x.example,"Lincoln\nMiddle"\n\n  ,\nb@x.example') == [
        (3, "a@x.example"),
        (6, "b@x.example"),
    ]


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(Invalid, match="Missing: email"):
        emails("name\nBob")


@pytest.mark.parametrize("text", ["", "\n\n", " , \n"])
def test_an_empty_list_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="empty"):
        emails(text)


def test_a_list_without_end_is_refused() -> None:
    with pytest.raises(Invalid, match="split"):
        emails("email\n" + "a@x.example\n" * (MOST_LINES + 1))


def test_short_lines_have_empty_cells() -> None:
    assert [dict(line.values) for line in read_table("email,school\na@x.example", EMAIL, SCHOOL)] == [
        {"email": "a@x.example", "school": ""}
    ]


@pytest.mark.parametrize("dangerous", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_cell_is_run_as_a_formula(dangerous: str) -> None:
    assert f"'{dangerous}" in write_table(["email"], [[dangerous]])


@pytest.mark.parametrize("words", ["=1+1", "+1 312 555 0142", "-", "@x", "'quoted'", "plain"])
def test_what_was_written_is_read_as_it_was(words: str) -> None:
    assert emails(write_table(["email"], [[words]])) == [(2, words)]
