"""Reading what a client sent: forms as Twilio takes them, and settings copied from them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request

from ..courier import is_webhook_url
from ..errors import Refusal

MAX_FIELDS = 200


class Form:
    """A form of Twilio's API: every name may come several times; a missing one reads as ''."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def one(self, name: str) -> str:
        return self._fields.get(name, [""])[-1]

    def all(self, name: str) -> list[str]:
        return [value for value in self._fields.get(name, []) if value]


async def read_form(request: Request) -> Form:
    """The request's form. Raises Refusal 20001 for bytes that are no UTF-8 form."""
    try:
        text = (await request.body()).decode("utf-8")
        return Form(parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"))
    except ValueError:
        raise Refusal(20001, "the body is not a form in UTF-8") from None


def settings_from(form: Form, names: Mapping[str, str]) -> dict[str, str]:
    """The settings that a form changes, by their JSON names; names maps parameter to JSON name.

    Raises Refusal 21502 for an address that is none and 20001 for a method that is neither GET nor POST.
    """
    given = {json_name: form.one(parameter) for parameter, json_name in names.items() if parameter in form}
    for name, value in given.items():
        if name.endswith(("_url", "callback")) and value and not is_webhook_url(value):
            raise Refusal(21502, value)
        if name.endswith("_method") and value not in ("GET", "POST"):
            raise Refusal(20001, f"{value} is not a method of webhooks")
    return given
