"""Reading the JSON that the page and scripts send."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request

from ..fiction import normalize
from ..pictures import MAX_PICTURES, read_picture

MAX_TEXT = 1_600
MAX_LABEL = 120
MAX_LANGUAGE = 35
LINE_BREAKS_AND_TABS = "\n\r\t"

Kind = TypeVar("Kind", dict[str, Any], list[Any])


class BadRequest(Exception):
    """The sentence that says what is wrong with the request."""


@dataclass(frozen=True)
class Inbound:
    """A text that a family phone is to send. pictures: (content type, bytes)."""

    sender: str
    to: str
    body: str
    pictures: list[tuple[str, bytes]]


async def read_inbound(request: Request) -> Inbound:
    """{"from", "to", "body", "media": [sample name or {"content_type", "data"}]}. Raises BadRequest."""
    given = await _read_json(request, dict)
    body, media = given.get("body", ""), given.get("media") or []
    if not isinstance(media, list) or len(media) > MAX_PICTURES:
        raise BadRequest(f"media is a list of at most {MAX_PICTURES} pictures.")
    text = _text(body, "body", MAX_TEXT)
    if not text.strip() and not media:
        raise BadRequest("Write something, or attach a picture.")
    try:
        pictures = [read_picture(picture) for picture in media]
    except ValueError as error:
        raise BadRequest(f"{error}.") from None
    return Inbound(_number(given.get("from"), "from"), _number(given.get("to"), "to"), text, pictures)


async def read_labels(request: Request) -> list[tuple[str, str, str]]:
    """[{"number", "label", "language"}] as (number, label, language). Raises BadRequest."""
    given = await _read_json(request, list)
    if not all(isinstance(phone, dict) for phone in given):
        raise BadRequest("Each phone is an object with number, label and language.")
    return [
        (
            _number(phone.get("number"), "number"),
            _text(phone.get("label") or "", "label", MAX_LABEL),
            _text(phone.get("language") or "", "language", MAX_LANGUAGE),
        )
        for phone in given
    ]


async def read_call(request: Request) -> tuple[str, str]:
    """{"from", "to"} as numbers. Raises BadRequest."""
    given = await _read_json(request, dict)
    return _number(given.get("from"), "from"), _number(given.get("to"), "to")


async def read_object(request: Request) -> dict[str, Any]:
    """Whatever JSON object came. Raises BadRequest."""
    return await _read_json(request, dict)


def path_number(request: Request) -> str:
    """The number in the path. Raises BadRequest."""
    return _number(request.path_params["number"], "number")


async def _read_json(request: Request, kind: type[Kind]) -> Kind:
    try:
        given = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise BadRequest("The request is not valid JSON.") from None
    if not isinstance(given, kind):
        raise BadRequest(f"The request must be a JSON {'object' if kind is dict else 'list'}.")
    return given


def _number(given: object, name: str) -> str:
    number = normalize(given) if isinstance(given, str) else None
    if not number:
        raise BadRequest(f"{name} must be a phone number such as +12125550142.")
    return number


def _text(given: object, name: str, longest: int) -> str:
    if not isinstance(given, str):
        raise BadRequest(f"{name} must be text.")
    if len(given) > longest:
        raise BadRequest(f"{name} is longer than {longest:,} characters.")
    if any(_is_unsendable(character) for character in given):
        raise BadRequest(f"{name} holds control characters, which a phone cannot send.")
    return given


def _is_unsendable(character: str) -> bool:
    is_control = (character < " " or character == "\x7f") and character not in LINE_BREAKS_AND_TABS
    return is_control or "\ud800" <= character <= "\udfff"
