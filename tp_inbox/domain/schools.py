"""What a school is described by: its name, its time zone, its area code and its office's phone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from zoneinfo import available_timezones

from tp_inbox.domain.errors import Invalid
from tp_inbox.domain.phone import parse_phone

MOST_CHARACTERS = 80
US_ZONES: Mapping[str, str] = {
    "America/New_York": "Eastern time",
    "America/Chicago": "Central time",
    "America/Denver": "Mountain time",
    "America/Phoenix": "Arizona, without daylight saving",
    "America/Los_Angeles": "Pacific time",
    "America/Anchorage": "Alaska time",
    "Pacific/Honolulu": "Hawaii time",
    "America/Puerto_Rico": "Atlantic time, Puerto Rico",
    "Pacific/Guam": "Chamorro time, Guam",
    "Pacific/Pago_Pago": "Samoa time",
}
"""Zones of the United States as people there call them, from east to west."""

_REGIONS = frozenset(
    {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)
_AREA_CODE = re.compile(r"(?!.11|8(?:00|22|33|44|55|66|77|88)|[579]00)[2-9][0-8]\d", re.ASCII)
"""Not N11, not the numbers that the called pay for, and not those of services and persons."""


@cache
def other_zones() -> tuple[str, ...]:
    """Every other zone that has a place for its name, in the order of the alphabet."""
    named = {zone for zone in available_timezones() if zone.partition("/")[0] in _REGIONS}
    return tuple(sorted(named - US_ZONES.keys()))


def zone_label(zone: str) -> str:
    """Central time; for a zone elsewhere its place: Berlin (Europe)."""
    region, _, place = zone.partition("/")
    return US_ZONES.get(zone) or (f"{place.replace('_', ' ')} ({region})" if place else zone)


def clean_name(text: str, what: str) -> str:
    """In one line, with composed letters. ``what``: "school" or "group". Raises Invalid with a sentence."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if any(unicodedata.category(character)[0] == "C" for character in name):
        raise Invalid(f"The name of the {what} contains characters that cannot be shown. Please type it again.")
    if not any(character.isalnum() for character in name):
        raise Invalid(f"Please give the {what} a name.")
    if len(name) > MOST_CHARACTERS:
        raise Invalid(f"The name of the {what} may have {MOST_CHARACTERS} characters. This one has {len(name)}.")
    return name


def clean_zone(text: str) -> str:
    """Raises Invalid for what is no time zone."""
    zone = text.strip()
    if zone not in US_ZONES and zone not in available_timezones():
        raise Invalid("Please choose a time zone from the list, like America/Chicago.")
    return zone


def clean_area_code(text: str) -> str:
    """Three digits of the North American plan. Raises Invalid for those that belong to no place, like 800."""
    code = re.sub(r"[\s()]", "", text)
    if not _AREA_CODE.fullmatch(code):
        raise Invalid("An area code has three digits, like 312. Numbers of other kinds, like 800, have no place.")
    return code


def clean_office_phone(text: str) -> str:
    """E.164, or nothing: a school may have none. Raises Invalid for what is no phone number."""
    return parse_phone(text) if text.strip() else ""
