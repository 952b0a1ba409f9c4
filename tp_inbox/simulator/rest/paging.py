"""Lists in pages: the 2010 API's *_uri fields and the newer APIs' meta."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote, urlencode

from starlette.requests import Request

from ..errors import Refusal

DEFAULT_SIZE, MAX_SIZE = 50, 1_000
NEXT, BACK = "PA", "PB"
PAGING = {"Page", "PageSize", "PageToken"}


class HasSid(Protocol):
    @property
    def sid(self) -> str: ...


Row = TypeVar("Row", bound=HasSid)


@dataclass(frozen=True)
class Wanted:
    """Which page a client asks for: its size, its number (for the client's own use) and the neighbour's SID."""

    size: int
    number: int
    sid: str = ""
    backwards: bool = False

    @classmethod
    def of(cls, request: Request) -> Wanted:
        """Raises Refusal 20001 for numbers that are none and 21481 for a token that no list gave out."""
        query = request.query_params
        size = min(_whole(query.get("PageSize", str(DEFAULT_SIZE)), "PageSize", least=1), MAX_SIZE)
        number = _whole(query.get("Page", "0"), "Page", least=0)
        token = query.get("PageToken", "")
        if (token and token[:2] not in (NEXT, BACK)) or (number and not token):
            raise Refusal(21481)
        return cls(size, number, token[2:], token.startswith(BACK))


@dataclass(frozen=True)
class Page(Generic[Row]):
    """The rows of one page and the paths of its neighbours."""

    wanted: Wanted
    rows: Sequence[Row]
    path: str
    first: str
    previous: str | None
    next: str | None

    @classmethod
    def of(cls, request: Request, wanted: Wanted, rows: Sequence[Row], more: bool) -> Page[Row]:
        def at(number: int, token: str = "") -> str:
            kept = [(key, value) for key, value in request.query_params.multi_items() if key not in PAGING]
            paging = [("PageSize", str(wanted.size)), ("Page", str(number))] + ([("PageToken", token)] if token else [])
            return f"{request.url.path}?{urlencode(kept + paging, quote_via=quote)}"

        token = (BACK if wanted.backwards else NEXT) + wanted.sid if wanted.sid else ""
        return cls(
            wanted,
            rows,
            at(wanted.number, token),
            at(0),
            at(wanted.number - 1, BACK + rows[0].sid) if wanted.number and rows else None,
            at(wanted.number + 1, NEXT + rows[-1].sid) if more and rows else None,
        )


def cut(request: Request, everything: Sequence[Row]) -> Page[Row]:
    """One page of a list that is short enough to be read whole."""
    wanted, start = Wanted.of(request), 0
    if wanted.sid:
        place = next((place for place, row in enumerate(everything) if row.sid == wanted.sid), None)
        if place is None:
            raise Refusal(21481)
        start = max(0, place - wanted.size) if wanted.backwards else place + 1
    end = start + wanted.size
    return Page.of(request, wanted, everything[start:end], more=end < len(everything))


def classic(page: Page[Row], key: str, shape: Callable[[Row], dict[str, object]]) -> dict[str, object]:
    """The answer of the 2010 API."""
    start = page.wanted.number * page.wanted.size
    return {
        key: [shape(row) for row in page.rows],
        "page": page.wanted.number,
        "page_size": page.wanted.size,
        "start": start,
        "end": start + max(0, len(page.rows) - 1),
        "uri": page.path,
        "first_page_uri": page.first,
        "previous_page_uri": page.previous,
        "next_page_uri": page.next,
    }


def modern(page: Page[Row], host: str, key: str, shape: Callable[[Row], dict[str, object]]) -> dict[str, object]:
    """The answer of the newer APIs, whose addresses are absolute and name Twilio's own host."""
    return {
        key: [shape(row) for row in page.rows],
        "meta": {
            "page": page.wanted.number,
            "page_size": page.wanted.size,
            "key": key,
            "url": host + page.path,
            "first_page_url": host + page.first,
            "previous_page_url": page.previous and host + page.previous,
            "next_page_url": page.next and host + page.next,
        },
    }


def _whole(text: str, name: str, least: int) -> int:
    if not text.isdecimal() or int(text[:9]) < least:
        raise Refusal(20001, f"{name} must be a whole number of at least {least}")
    return int(text[:9])
