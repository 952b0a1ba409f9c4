"""Reads the JSON that switches faults on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from .faults import GROUPS, Account, Ailment, End, Faults
from .fiction import normalize

PURCHASE_REFUSALS = (21404, 21422, 21452, 22300)
LONGEST_SECONDS = 600.0
ROUNDING = 1e-9


def read_faults(given: Mapping[str, Any]) -> Faults:
    """Reads what Faults.as_json writes; what is left out is off. Raises ValueError with a sentence."""
    unknown = given.keys() - GROUPS.keys() - READERS.keys()
    if unknown:
        raise ValueError(f"There is no fault called {min(unknown)}.")
    shares = {name: _shares(name, given[name], GROUPS[name]) for name in GROUPS if name in given}
    return Faults(**shares, **{name: read(name, given[name]) for name, read in READERS.items() if name in given})


def _shares(group: str, given: object, kinds: Mapping[str, str] | None) -> dict[str, float]:
    if not isinstance(given, dict):
        raise ValueError(f"{group} must be an object of faults and their shares.")  # noqa: TRY004 - a sentence
    for kind, share in given.items():
        if kinds is not None and kind not in kinds:
            raise ValueError(f"{group} knows no fault called {kind}; it knows {', '.join(kinds)}.")
        if not _is_number(share) or not 0 <= share <= 1:
            raise ValueError(f"{group}.{kind} must be a share between 0 and 1.")
    if sum(given.values()) > 1 + ROUNDING:
        raise ValueError(f"The shares of {group} add up to {sum(given.values()):g}; together they can be 1 at most.")
    return {kind: float(share) for kind, share in given.items()}


def _carrier(name: str, given: object) -> dict[str, float]:
    shares = _shares(name, given, None)
    for code in shares:
        if not _is_code(int(code) if code.isascii() and code.isdecimal() else None):
            raise ValueError(f"{name}.{code} must be one of Twilio's error codes, five digits.")
    return shares


def _ailments(name: str, given: object) -> tuple[Ailment, ...]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise ValueError(f"{name} must be a list of objects with to or from, code, end and times.")
    return tuple(_ailment(each) for each in given)


def _ailment(given: Mapping[str, Any]) -> Ailment:
    if given.keys() - {"to", "from", "code", "end", "times"} or ("to" in given) == ("from" in given):
        raise ValueError("An ailment has to or from, code, end and times.")
    end, code, times = given.get("end", End.UNDELIVERED), given.get("code"), given.get("times", 0)
    if end not in list(End):
        raise ValueError(f"end must be one of {', '.join(End)}.")
    if not _is_code(code):
        raise ValueError("code must be one of Twilio's error codes, five digits.")
    number = _ailing_number(given.get("to", given.get("from")))
    return Ailment(number, "from" in given, code, End(end), _whole("times", times))


def _ailing_number(given: object) -> str:
    digits = given.strip() if isinstance(given, str) else ""
    if digits.isascii() and digits.isdecimal() and len(digits) <= 7:
        return digits
    number = normalize(digits)
    if not number:
        raise ValueError("to and from must be a phone number or its last digits, such as 0187.")
    return number


def _account(name: str, given: object) -> Account:
    if given not in list(Account):
        raise ValueError(f"{name} must be one of {', '.join(Account)}.")
    return Account(str(given))


def _buying(name: str, given: object) -> int:
    if given not in (0, *PURCHASE_REFUSALS) or isinstance(given, bool):
        raise ValueError(f"{name} must be 0 or one of {', '.join(map(str, PURCHASE_REFUSALS))}.")
    return int(str(given))


def _whole(name: str, given: Any) -> int:
    if not _is_number(given) or given != int(given) or not 0 <= given < 2**31:
        raise ValueError(f"{name} must be a whole number of at least 0.")
    return int(given)


def _seconds(name: str, given: Any) -> float:
    if not _is_number(given) or not 0 <= given <= LONGEST_SECONDS:
        raise ValueError(f"{name} must be between 0 and {LONGEST_SECONDS:g} seconds.")
    return float(given)


def _is_number(given: object) -> TypeGuard[float]:
    # A bool is an int to Python; NaN and infinity come through JSON.
    return isinstance(given, int | float) and not isinstance(given, bool) and abs(given) < float("inf")


def _is_code(given: object) -> TypeGuard[int]:
    return isinstance(given, int) and not isinstance(given, bool) and 10_000 <= given <= 99_999


READERS = {
    "seed": _whole,
    "carrier": _carrier,
    "ailments": _ailments,
    "account": _account,
    "buying": _buying,
    "retry_after": _whole,
    "slow_seconds": _seconds,
    "late_seconds": _seconds,
}
