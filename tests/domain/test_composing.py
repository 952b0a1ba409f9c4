"""What a person writes, made ready or refused with one clear sentence."""

import pytest
from hypothesis import given, strategies as st

from tp_inbox.domain.composing import (
    MAX_BODY,
    clean_body,
    clean_signature,
    compose,
    excess,
    introduction_for,
    introduction_for_school,
    preview,
    preview_of,
)
from tp_inbox.domain.errors import Invalid
from tp_inbox.domain.segments import Encoding, count


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\u2028", "\u2029"])
def test_every_line_end_becomes_one_kind(line_end: str) -> None:
    assert clean_body(f"Hello{line_end}Ana") == "Hello\nAna"


def test_space_around_a_text_and_at_the_ends_of_lines_is_dropped() -> None:
    assert clean_body("\n  Hello \n\n Ana\t\n") == "Hello\n\n Ana"


def test_letters_are_composed() -> None:
    assert clean_body("sen\u0303ora") == "se\u00f1ora"


@pytest.mark.parametrize("empty", ["", "   ", "\n\t\n", "\u200b", "\u202e \u2066", "\u00a0"])
def test_a_text_that_shows_nothing_is_refused_as_empty(empty: str) -> None:
    with pytest.raises(Invalid, match="Your text is empty"):
        clean_body(empty)


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x0b", "\x1b", "\x1f", "\x7f", "\x85", "\ud800"])
@pytest.mark.parametrize("place", ["a{}b", "{}a", "a{}"])
def test_a_control_character_anywhere_is_refused(control: str, place: str) -> None:
    with pytest.raises(Invalid, match="control characters"):
        clean_body(place.format(control))


def test_a_tab_and_a_line_break_are_kept() -> None:
    assert clean_body("Mon\t8:00\nTue\t9:00") == "Mon\t8:00\nTue\t9:00"


def test_a_number_copied_with_invisible_direction_marks_loses_only_those() -> None:
    assert clean_body("Call \u202a312 555 0142\u202c") == "Call 312 555 0142"


def test_an_override_cannot_make_a_text_read_backwards() -> None:
    assert clean_body("pay \u202e001$") == "pay 001$"


def test_arabic_and_emoji_are_left_alone() -> None:
    assert clean_body("مرحبا \u200f👩\u200d🏫") == "مرحبا \u200f👩\u200d🏫"


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    try:
        once = clean_body(text)
    except Invalid:
        return
    assert clean_body(once) == once
    once.encode()


def test_the_signature_follows_on_a_line_of_its_own() -> None:
    assert compose("See you at 8.", signature="Ms. Lopez") == "See you at 8.\nMs. Lopez"


def test_a_first_text_begins_with_the_introduction() -> None:
    introduction = introduction_for("Maria Lopez", "counselor", "Lincoln Middle School")
    assert compose("See you at 8.", signature="Ms. Lopez", introduction=introduction) == (
        "This is Maria Lopez, counselor at Lincoln Middle School. Reply STOP to end texts.\nSee you at 8.\nMs. Lopez"
    )


def test_without_signature_and_introduction_the_body_is_what_was_written() -> None:
    assert compose("See you at 8.", signature="", introduction=None) == "See you at 8."


def test_an_introduction_without_a_title_names_the_person_alone() -> None:
    assert introduction_for("Sam Reed", None, "Lincoln Middle School").startswith("This is Sam Reed at Lincoln")


@pytest.mark.parametrize(
    "introduction",
    [introduction_for("Maria Lopez", "counselor", "Lincoln"), introduction_for_school("Lincoln Middle School")],
)
def test_an_introduction_says_how_to_stop_and_costs_no_more_than_its_length(introduction: str) -> None:
    assert "STOP" in introduction
    assert count(introduction).encoding is Encoding.GSM7


def test_a_text_of_exactly_the_limit_with_its_signature_is_sent() -> None:
    assert len(compose("a" * (MAX_BODY - 10), signature="Ms. Lopez")) == MAX_BODY


def test_one_character_more_is_refused_with_how_much_to_cut() -> None:
    with pytest.raises(Invalid) as refused:
        compose("a" * (MAX_BODY - 9), signature="Ms. Lopez")
    assert refused.value.sentence == "Your text is 1 character too long (it may have 1,600 with signature)."


def test_a_long_first_text_is_told_what_else_counts() -> None:
    with pytest.raises(
        Invalid, match=r"1,402 characters too long \(it may have 1,600 with introduction and signature\)"
    ):
        compose("a" * 2990, signature="Ms. L", introduction="Hello")


def test_an_emoji_counts_two_as_at_the_carrier() -> None:
    assert excess("😀" * 800) == 0
    assert excess("😀" * 801) == 2


def test_a_signature_of_two_lines_is_kept_without_blank_ones() -> None:
    assert clean_signature(" Ms. Lopez \r\n\r\n Counselor, Lincoln ") == "Ms. Lopez\nCounselor, Lincoln"


def test_no_signature_is_a_signature_too() -> None:
    assert clean_signature("  \n ") == ""


def test_a_signature_of_three_lines_is_refused() -> None:
    with pytest.raises(Invalid, match="one or two lines"):
        clean_signature("a\nb\nc")


def test_a_signature_that_is_too_long_is_refused_with_how_much() -> None:
    assert clean_signature("a" * 100) == "a" * 100
    with pytest.raises(Invalid, match="1 character too long"):
        clean_signature("a" * 101)


def test_a_signature_with_control_characters_is_refused() -> None:
    with pytest.raises(Invalid, match="control characters"):
        clean_signature("Ms.\x00Lopez")


def test_a_preview_is_one_line_cut_between_words() -> None:
    assert preview("Hello\n\n  Ana") == "Hello Ana"
    assert preview("The bus leaves at eight", limit=16) == "The bus leaves…"
    assert preview("The bus leaves at eight", limit=15) == "The bus leaves…"


def test_a_preview_of_one_long_word_is_cut_within_it() -> None:
    assert preview("a" * 50, limit=10) == "a" * 9 + "…"


@pytest.mark.parametrize(
    ("body", "media", "shown"),
    [("Hello", 1, "Hello"), ("", 1, "Picture"), (" \n", 2, "Picture"), ("", 0, "(no words)")],
)
def test_a_text_without_words_is_named_by_what_came(body: str, media: int, shown: str) -> None:
    assert preview_of(body, media) == shown


@given(st.text(), st.integers(2, 100))
def test_a_preview_is_never_longer_than_its_limit(body: str, limit: int) -> None:
    assert len(preview(body, limit)) <= limit
