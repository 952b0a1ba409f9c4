"""Phone numbers: what people type becomes E.164, and nonsense a clear sentence."""

import pytest
from hypothesis import given, strategies as st

from tp_inbox.domain.errors import Invalid
from tp_inbox.domain.phone import digits, display_phone, parse_phone

MARIAS_PHONE = "+13125550142"


@pytest.mark.parametrize(
    "typed",
    [
        "(312) 555-0142",
        "312-555-0142",
        "312.555.0142",
        " 3125550142 ",
        "1 312 555 0142",
        "+1 (312) 555-0142",
        "\u202a+1 312 555 0142\u202c",
        "３１２ 555 0142",
        "٣١٢٥٥٥٠١٤٢",
    ],
)
def test_a_number_in_any_spelling_is_the_same_number(typed: str) -> None:
    assert parse_phone(typed) == MARIAS_PHONE


@given(st.integers(200, 999).filter(lambda code: code % 100 != 11), st.integers(100, 199))
def test_a_number_reserved_for_fiction_passes_in_every_area_code(code: int, line: int) -> None:
    assert parse_phone(f"{code}-555-0{line}") == f"+1{code}5550{line}"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "call mom",
        "555-0142",
        "312-555-014",
        "312-555-01422",
        "112-555-0142",
        "312-155-0142",
        "911-555-0100",
        "312-911-0100",
        "000-000-0000",
        "1-800-FLOWERS",
        "312-555-0142 mom",
        "+999 123 4567",
        "+52 1",
        "1" * 300,
        "\x00",
    ],
)
def test_nonsense_is_refused_with_an_example_of_what_to_write(typed: str) -> None:
    with pytest.raises(Invalid, match="area code, like"):
        parse_phone(typed)


def test_an_extension_is_refused_because_no_text_can_reach_it() -> None:
    with pytest.raises(Invalid, match="extension"):
        parse_phone("312-555-0142 ext. 5")


@given(st.text())
def test_whatever_is_typed_gives_a_number_or_a_refusal(typed: str) -> None:
    try:
        said = parse_phone(typed)
    except Invalid as refusal:
        said = refusal.sentence
    assert said.startswith("+") or said.endswith(".")


def test_a_family_abroad_keeps_its_country() -> None:
    assert parse_phone("+52 55 1234 5678") == "+525512345678"
    assert display_phone("+525512345678") == "+52 55 1234 5678"


def test_a_number_at_home_is_shown_without_its_country() -> None:
    assert display_phone(MARIAS_PHONE) == "(312) 555-0142"
    assert display_phone(MARIAS_PHONE, "MX") == "+1 312-555-0142"


@pytest.mark.parametrize("sender", ["12345", "SCHOOL", "", "+", "+abc"])
def test_what_is_no_number_is_shown_as_it_is(sender: str) -> None:
    assert display_phone(sender) == sender


def test_a_search_finds_the_digits_in_any_spelling() -> None:
    assert digits("(312) 555-01") == digits("٣١٢ 55501") == "31255501"
    assert digits("maria ²") == ""
