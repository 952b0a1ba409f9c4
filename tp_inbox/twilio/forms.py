"""Twilio's webhook forms, read into our own words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict

from tp_inbox.domain.errors import Invalid
from tp_inbox.services.ports import InboundText, StatusReport
from tp_inbox.twilio.bodies import readable, without_nul
from tp_inbox.twilio.codes import opt_out_of, reason_of, state_of

FIELDS = 500
MEDIA = 10
HIGHEST_ID = 2**63 - 1
TEXT_NEEDS, REPORT_NEEDS = ("MessageSid", "From", "To"), ("MessageSid",)

Form = ImmutableMultiDict[str, str]


class Unreadable(Invalid):
    """No form of Twilio's."""


def parsed(body: bytes) -> Form:
    """Every field, blank ones and repetitions too: the signature counts them."""
    try:
        return Form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError as error:
        raise Unreadable("not a form") from error


def require(form: Form, names: Collection[str]) -> None:
    """Raises Unreadable unless each of these fields says something."""
    for name in names:
        if not without_nul(form.get(name, "")):
            raise Unreadable(f"not a message of Twilio's: no {name}")


def inbound_text(form: Form, received_at: datetime) -> InboundText:
    """Raises Unreadable for what is no text."""
    require(form, TEXT_NEEDS)
    raw = _clean(form)
    return InboundText(
        sid=raw["MessageSid"],
        sender=raw["From"],
        recipient=raw["To"],
        body=readable(form.get("Body", "")),
        media=_media(raw),
        opt_out_type=opt_out_of(raw.get("OptOutType")),
        raw=raw,
        received_at=received_at,
    )


def status_report(form: Form, message: str | None) -> StatusReport:
    """``message`` is our own id as it stands in the address, or whatever stands there instead. Raises Unreadable."""
    require(form, REPORT_NEEDS)
    raw = _clean(form)
    code = raw.get("ErrorCode") or None
    return StatusReport(
        message_id=_id(message),
        sid=raw["MessageSid"],
        sender=raw.get("From", ""),
        recipient=raw.get("To", ""),
        state=state_of(raw.get("MessageStatus") or raw.get("SmsStatus")),
        reason=reason_of(code),
        code=code,
        raw=raw,
    )


def _clean(form: Form) -> dict[str, str]:
    return {without_nul(name): without_nul(value) for name, value in form.multi_items()}


def _media(raw: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    urls = ((raw.get(f"MediaUrl{n}"), raw.get(f"MediaContentType{n}", "")) for n in range(MEDIA))
    return tuple((url, kind) for url, kind in urls if url)


def _id(message: str | None) -> int | None:
    """A whole number that a database key can hold; anything else is no id."""
    if not message or not (message.isascii() and message.isdigit()):
        return None
    return int(message) if len(message) < 20 and int(message) <= HIGHEST_ID else None
