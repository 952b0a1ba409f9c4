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

    Raises Refusal 20001 for what is neither a day nor a moment.
    """
    query = request.query_params
    exact, after, before = (query.get(name, "") for name in ("DateSent", "DateSent>", "DateSent<"))
    firsts = [_read(text)[0] for text in (exact, after) if text]
    lasts = [_read(text)[1] for text in (exact, before) if text]
    return max(firsts, default=None), min(lasts, default=None)


def _read(text: str) -> tuple[int, int]:
    try:
        if DAY.fullmatch(text):
            first = _seconds(text)
            return first, first + DAY_SECONDS - 1
        if MOMENT.fullmatch(text):
            return (_seconds(text.rstrip("Z")),) * 2
    except ValueError:
        pass
    raise Refusal(20001, f"{text} is not a date; use YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ")


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
