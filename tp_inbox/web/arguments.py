"""What a browser sends, looked at before anything believes it. Reflex passes arguments through as they come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NewType
from urllib.parse import parse_qs

from tp_inbox.domain.errors import Invalid

OUT_OF_DATE = "This page is out of date. Please reload it."
MOST_CHARACTERS = 20_000
"""Of one argument: some times the longest text that anybody can send."""
Pasted = NewType("Pasted", str)
"""A handler's argument that may be a whole list: pasted, or read from a file."""
MOST_PASTED = 500_000
MOST_IN_ADDRESS = 2_000
LARGEST_ID = 2**53 - 1
"""The largest whole number that a browser can hold; the database's ids hold more."""
FORM = "__reflex_form_data__"
"""Under this name a page of Reflex sends a form's fields, as pairs in their order."""

_TOKEN = re.compile(r"[0-9A-Za-z-]{8,64}")
_WHOLE = re.compile(r"-?[0-9]{1,16}")
_ADDRESS = ("pathname", "asPath", "origin")


def is_token(query: str) -> bool:
    """Whether a socket's address names one tab, in the form in which browsers of this product do."""
    tokens = parse_qs(query).get("token", [])
    return len(tokens) == 1 and _TOKEN.fullmatch(tokens[0]) is not None


def is_well_formed(event: Any) -> bool:
    """Whether this is an event at all: a name, arguments by name, and an address of reasonable length."""
    if not isinstance(event, dict) or not isinstance(event.get("name"), str):
        return False
    where = event.get("router_data", {})
    return (
        isinstance(event.get("payload", {}), dict)
        and isinstance(where, dict)
        and all(_is_short(where.get(part, "")) for part in _ADDRESS)
        and _is_query(where.get("query", {}))
    )


def require_fit(payload: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    """Raises Invalid unless there is one argument of the right type for each annotation, and no other."""
    if payload.keys() != hints.keys() or not all(_fits(payload[name], hint) for name, hint in hints.items()):
        raise Invalid(OUT_OF_DATE)


def storable(text: str) -> str:
    """Without what no database holds: the character zero, and halves of a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


def _fits(value: Any, hint: Any) -> bool:
    if hint is int:
        return _is_id(value)
    if hint is str:
        return isinstance(value, str) and len(value) <= MOST_CHARACTERS
    if hint is Pasted:
        return isinstance(value, str) and len(value) <= MOST_PASTED
    if hint is dict:
        return isinstance(value, dict) and _are_fields(value[FORM] if value.keys() == {FORM} else list(value.items()))
    return False


def _are_fields(pairs: Any) -> bool:
    return isinstance(pairs, list) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(_fits(part, str) for part in pair) for pair in pairs
    )


def _is_id(value: Any) -> bool:
    """A menu's choice comes as the digits of a number, which Reflex reads."""
    if isinstance(value, str):
        return _WHOLE.fullmatch(value) is not None and abs(int(value)) <= LARGEST_ID
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_ID


def _is_short(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= MOST_IN_ADDRESS


def _is_query(query: Any) -> bool:
    return isinstance(query, dict) and all(
        isinstance(name, str) and isinstance(value, str | list) and len(str(value)) <= MOST_IN_ADDRESS
        for name, value in query.items()
    )
