"""Dates as Twilio writes and reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache

from starlette.requests import Request

from ..errors import Refusal

DAY = re.compile(r"\d{4}-\d\d-\d\d")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?")
DAY_SECONDS = int(timedelta(days=1).total_seconds())


@lru_cache(maxsize=4_096)
def rfc2822(seconds: int | None) -> str | None:
    """Fri, 24 May 2019 17:44:46 +0000"""
    return None if seconds is None else format_datetime(datetime.fromtimestamp(seconds, UTC))


def iso(seconds: int) -> str:
    """2015-07-30T20:12:31Z"""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sent_between(request: Request) -> tuple[int | None, int | None]:
    """The seconds (first, last) that DateSent, DateSent> and DateSent< leave; both ends count, a day is a whole day.

    DateSent alone is always a day: the client sends midnight for one. Raises Refusal 20001 for what is neither a day
    nor a moment.
    """
    query = request.query_params
    after, before = query.get("DateSent>", ""), query.get("DateSent<", "")
    spans = [_read(query["DateSent"], whole_day=True)] if query.get("DateSent") else []
    firsts = [first for first, _ in spans] + ([_read(after)[0]] if after else [])
    lasts = [last for _, last in spans] + ([_read(before)[1]] if before else [])
    return max(firsts, default=None), min(lasts, default=None)


def _read(text: str, whole_day: bool = False) -> tuple[int, int]:
    is_day = bool(DAY.fullmatch(text))
    if not is_day and not MOMENT.fullmatch(text):
        raise _no_date(text)
    first = _seconds(text[:10] if whole_day else text.rstrip("Z"))
    return first, first + DAY_SECONDS - 1 if is_day or whole_day else first


def _seconds(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise _no_date(text) from None


def _no_date(text: str) -> Refusal:
    return Refusal(20001, f"{text} is not a date; use YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ")
