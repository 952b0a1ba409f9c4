"""What a school is described by."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from tp_inbox.domain.errors import Invalid
from tp_inbox.domain.schools import US_ZONES, clean_area_code, clean_name, clean_zone, other_zones, zone_label


@pytest.mark.parametrize(("typed", "kept"), [("312", "312"), (" (630) ", "630"), ("9 16", "916")])
def test_an_area_code_has_three_digits(typed: str, kept: str) -> None:
    assert clean_area_code(typed) == kept


@pytest.mark.parametrize("typed", ["", "31", "3124", "112", "411", "800", "888", "900", "500", "299", "٣١٢", "abc"])
def test_what_belongs_to_no_place_is_no_area_code(typed: str) -> None:
    with pytest.raises(Invalid, match="three digits"):
        clean_area_code(typed)


def test_every_zone_that_is_offered_is_one() -> None:
    assert len(other_zones()) > 300
    assert not set(US_ZONES) & set(other_zones())
    for zone in (*US_ZONES, *other_zones()):
        assert ZoneInfo(clean_zone(f" {zone} ")).key == zone


@pytest.mark.parametrize("typed", ["", "Chicago", "America/Nowhere", "../../etc/passwd", "CST"])
def test_what_is_no_zone_is_refused(typed: str) -> None:
    with pytest.raises(Invalid, match="time zone"):
        clean_zone(typed)


def test_a_zone_is_called_what_people_call_it() -> None:
    assert zone_label("America/Chicago") == "Central time"
    assert zone_label("America/Argentina/Buenos_Aires") == "Argentina/Buenos Aires (America)"
    assert zone_label("UTC") == "UTC"


def test_a_name_is_one_line_with_composed_letters() -> None:
    assert clean_name("  École \n Jean   Moulin ", "school") == "École Jean Moulin"


@pytest.mark.parametrize("typed", ["", "   ", "---", "a\0b", "x" * 81, "Lincoln\u202e"])
def test_a_name_that_cannot_be_read_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        clean_name(typed, "school")
