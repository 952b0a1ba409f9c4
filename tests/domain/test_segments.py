"""Segments: known vectors, and a simple model that sends a text unit by unit."""

import pytest
from hypothesis import given, strategies as st

from tp_inbox.domain.segments import GSM_BASIC, GSM_EXTENSION, Encoding, count, hint
from tp_inbox.simulator.segments import count_segments

GSM7, UCS2 = Encoding.GSM7, Encoding.UCS2
GSM_TEXT = st.text(st.sampled_from(sorted(GSM_BASIC | GSM_EXTENSION)), max_size=700)
ANY_TEXT = st.text(st.sampled_from("aé€ệ😀\n"), max_size=400)


@pytest.mark.parametrize(
    ("body", "encoding", "units", "segments", "left"),
    [
        ("", GSM7, 0, 0, 160),
        ("a", GSM7, 1, 1, 159),
        ("a" * 160, GSM7, 160, 1, 0),
        ("a" * 161, GSM7, 161, 2, 145),
        ("a" * 306, GSM7, 306, 2, 0),
        ("a" * 307, GSM7, 307, 3, 152),
        ("€" * 80, GSM7, 160, 1, 0),
        ("€" * 81, GSM7, 162, 2, 143),
        ("a" * 152 + "€" + "a" * 7, GSM7, 161, 2, 144),
        ("ệ" * 70, UCS2, 70, 1, 0),
        ("ệ" * 71, UCS2, 71, 2, 63),
        ("😀" * 35, UCS2, 70, 1, 0),
        ("😀" * 36, UCS2, 72, 2, 61),
        ("a" * 66 + "😀" + "a" * 3, UCS2, 71, 2, 62),
        ("a" * 159 + "ç", UCS2, 160, 3, 41),
        # The borders of both encodings, alone and joined.
        ("a" * 459, GSM7, 459, 3, 0),
        ("a" * 460, GSM7, 460, 4, 152),
        ("a" * 1530, GSM7, 1530, 10, 0),
        ("a" * 1531, GSM7, 1531, 11, 152),
        ("ệ" * 134, UCS2, 134, 2, 0),
        ("ệ" * 135, UCS2, 135, 3, 66),
        ("ệ" * 670, UCS2, 670, 10, 0),
        ("ệ" * 671, UCS2, 671, 11, 66),
        # Every extension character counts two, and none is torn apart.
        ("^{}\\[~]|€\f", GSM7, 20, 1, 140),
        ("a" * 158 + "€", GSM7, 160, 1, 0),
        ("a" * 159 + "€", GSM7, 161, 2, 145),
        ("a" * 151 + "€" + "a" * 153, GSM7, 306, 2, 0),
        ("a" * 152 + "€" + "a" * 152, GSM7, 306, 3, 152),
        ("€" * 152, GSM7, 304, 2, 1),
        ("€" * 153, GSM7, 306, 3, 151),
        # What looks like the alphabet and is not in it.
        ("a`", UCS2, 2, 1, 68),
        ("a\t", UCS2, 2, 1, 68),
        ("à", GSM7, 1, 1, 159),
        ("á", UCS2, 1, 1, 69),
        ("a\u0300", UCS2, 2, 1, 68),
        # A surrogate pair is not torn apart.
        ("a" * 68 + "😀", UCS2, 70, 1, 0),
        ("a" * 69 + "😀", UCS2, 71, 2, 63),
        ("a" * 65 + "😀" + "a" * 67, UCS2, 134, 2, 0),
        ("a" * 66 + "😀" + "a" * 66, UCS2, 134, 3, 66),
        # An emoji made of several is as long as these; between them it may be torn apart.
        ("👨\u200d👩\u200d👧", UCS2, 8, 1, 62),
        ("👍🏽", UCS2, 4, 1, 66),
        ("🇺🇸", UCS2, 4, 1, 66),
        ("❤\ufe0f", UCS2, 2, 1, 68),
        ("👨\u200d👩\u200d👧" * 8, UCS2, 64, 1, 6),
        ("👨\u200d👩\u200d👧" * 9, UCS2, 72, 2, 62),
        ("a" * 64 + "👨\u200d👩\u200d👧", UCS2, 72, 2, 62),
        ("a" * 65 + "👍🏽" + "a" * 3, UCS2, 72, 2, 62),
    ],
)
def test_known_texts_cost_what_the_standard_says(
    body: str, encoding: Encoding, units: int, segments: int, left: int
) -> None:
    counted = count(body)
    assert (counted.encoding, counted.units, counted.segments, counted.left) == (encoding, units, segments, left)


def test_the_alphabet_has_the_size_that_the_standard_gives_it() -> None:
    assert len(GSM_BASIC) == 127  # 128 places, one of which is the escape
    assert len(GSM_EXTENSION) == 10
    assert not GSM_BASIC & GSM_EXTENSION


def sent_one_by_one(pieces: list[bytes], alone: int, joined: int) -> list[bytes]:
    """A model of the handset: pieces go into the last segment while they fit whole."""
    if sum(map(len, pieces)) <= alone:
        return [b"".join(pieces)] if pieces else []
    segments = [b""]
    for piece in pieces:
        if len(segments[-1]) + len(piece) > joined:
            segments.append(b"")
        segments[-1] += piece
    return segments


@given(GSM_TEXT)
def test_seven_bit_texts_split_as_in_the_model(body: str) -> None:
    model = sent_one_by_one([b"\x1bx" if one in GSM_EXTENSION else b"x" for one in body], 160, 153)
    counted = count(body)
    assert (counted.encoding, counted.segments) == (GSM7, len(model))
    assert counted.left == counted.per_segment - len(model[-1] if model else b"")


@given(ANY_TEXT.filter(lambda body: "ệ" in body or "😀" in body))
def test_wide_texts_split_as_in_the_model(body: str) -> None:
    model = sent_one_by_one([one.encode("utf-16-be") for one in body], 140, 134)
    counted = count(body)
    assert (counted.encoding, counted.segments) == (UCS2, len(model))
    assert counted.units == len(body.encode("utf-16-be")) // 2
    assert counted.left == counted.per_segment - len(model[-1]) // 2


ANY_CHARACTER = st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(sorted(GSM_EXTENSION)))


@given(st.one_of(GSM_TEXT, ANY_TEXT, st.text(ANY_CHARACTER, max_size=400)))
def test_the_simulator_counts_as_we_do(body: str) -> None:
    """The two know nothing of each other. A text without words is a picture, which is one segment."""
    assert count_segments(body) == max(1, count(body).segments)


def test_the_characters_that_cost_are_named_once_in_their_order() -> None:
    assert count("“Hi” – “you”").costly == ("“", "”", "–")
    assert count("[5€] [6€]").doubles == ("[", "€", "]")
    assert count("[5€] ệ").doubles == ()


@pytest.mark.parametrize(
    ("typographic", "advice"),
    [
        ("’", "use ' instead of ’"),
        ("“", 'use " instead of “'),
        ("–", "use - instead of –"),
        ("…", "use ... instead of …"),
        ("\t", "use a space instead of tab"),
        ("\u200b", "remove the zero width space"),
    ],
)
def test_typographic_characters_have_a_plain_spelling(typographic: str, advice: str) -> None:
    assert hint(typographic + "a" * 80) == f"This text costs 2 instead of 1. To save, {advice}."


def test_a_curly_quote_that_adds_a_segment_is_pointed_out() -> None:
    assert hint("It’s " + "a" * 80) == "This text costs 2 instead of 1. To save, use ' instead of ’."


def test_a_character_that_shows_nothing_is_pointed_out_by_its_name() -> None:
    assert (
        hint("a\u00a0" + "a" * 80) == "This text costs 2 instead of 1. To save, use a space instead of no-break space."
    )


def test_a_curly_quote_that_costs_nothing_is_left_alone() -> None:
    assert hint("It’s time") is None


def test_a_letter_that_makes_a_text_longer_is_explained() -> None:
    assert hint("Tiếng Việt’ " * 10) == "With ế in it, each part of a text holds 67 characters instead of 153."


def test_a_character_that_counts_twice_is_pointed_out_where_it_adds_a_segment() -> None:
    assert hint("a" * 159 + "€") == "This text costs 2 instead of 1, because € counts as two characters."
    assert hint("[" + "a" * 158 + "]") == "This text costs 2 instead of 1, because [ ] each count as two characters."


def test_a_character_that_counts_twice_and_costs_nothing_is_left_alone() -> None:
    assert hint("a" * 158 + "€") is None


def test_a_character_that_counts_twice_costs_nothing_where_all_are_wide() -> None:
    assert hint("ệ€" + "a" * 60) is None


def test_a_plain_text_of_many_segments_needs_no_hint() -> None:
    assert hint("a" * 1000) is None
