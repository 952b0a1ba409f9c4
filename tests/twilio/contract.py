"""What the product relies on in Twilio: each endpoint, parameter, field, word and code, with its type.

Written by hand from Twilio's documentation, and the whole of it: a request that asks for more, an answer or a webhook
that lacks something, and a code that is treated but not listed here fail test_contract.py. Whoever makes the product
rely on something new writes it down here first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

JSON_TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict}


class Kind(NamedTuple):
    """A JSON type and what its text looks like; words: the only ones there are."""

    json: str
    pattern: str = r"(?s).*"
    is_nullable: bool = False
    words: tuple[str, ...] = ()

    def allows(self, value: object) -> bool:
        if value is None:
            return self.is_nullable
        if not isinstance(value, JSON_TYPES[self.json]) or (isinstance(value, bool) and self.json != "boolean"):
            return False
        return self._reads(str(value)) if self.json in ("string", "integer") else True

    def allows_on_the_wire(self, value: str) -> bool:
        """In a query or a form everything is text."""
        return self._reads(value)

    def _reads(self, text: str) -> bool:
        return text in self.words if self.words else bool(re.fullmatch(self.pattern, text))


def sid(*prefixes: str) -> Kind:
    return Kind("string", f"({'|'.join(prefixes)})[0-9a-f]{{32}}")


def words(*known: str) -> Kind:
    return Kind("string", words=known)


def or_null(kind: Kind) -> Kind:
    return kind._replace(is_nullable=True)


TEXT = Kind("string")
SOMETHING = Kind("string", r"(?s).+")
E164 = Kind("string", r"\+[1-9]\d{6,14}")
DIGITS = Kind("string", r"\d+")
WHOLE = Kind("integer", r"\d+")
FLAG = Kind("boolean", "true|false")
OBJECT = Kind("object")
URL = Kind("string", r"https?://\S+")
PATH = Kind("string", r"/\S+")
MOMENT = Kind("string", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
RFC2822 = Kind("string", r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000")
NOTHING = words("")

# The words of a message's status, in the order of a life; the last three end it, read and received stand apart.
STATUSES = (
    "accepted",
    "scheduled",
    "queued",
    "sending",
    "sent",
    "delivered",
    "undelivered",
    "failed",
    "canceled",
    "read",
    "receiving",
    "received",
)
OPT_OUT_TYPES = ("STOP", "START", "HELP")
DIRECTIONS = ("inbound", "outbound-api", "outbound-call", "outbound-reply")
CAMPAIGN_STATUSES = ("VERIFIED", "IN_PROGRESS", "PENDING", "FAILED", "SUSPENDED", "EXPIRED")

# Code → the treatment that it gets, by its name in codes.Treatment.
CODES: dict[str, str] = {
    code: treatment
    for treatment, codes in {
        "RETRY_LATER": "20429 21611 30001 30003 30008 30022 30023 30036 30500 63017 63038",
        "LOOK_FIRST": "20500",
        "PERMANENT": "21211 21266 21604 21614 21635 30005 30006",
        "OPTED_OUT": "21610",
        "OUR_CONFIGURATION": "20003 21212 21408 21502 21601 21606 21608 21609 21659 30002 30032 30034",
        "NOT_THIS_TEXT": "21620 21623 30004 30007 30019",
    }.items()
    for code in codes.split()
}


@dataclass(frozen=True)
class Endpoint:
    """path: as in Twilio's documents. takes: parameters that are always sent; may_take: those that can be.

    gives: fields of the answer, or of each row of a list, whose key is rows.
    """

    method: str
    path: str
    takes: Mapping[str, Kind] = field(default_factory=dict)
    may_take: Mapping[str, Kind] = field(default_factory=dict)
    answer: int = 200
    gives: Mapping[str, Kind] = field(default_factory=dict)
    rows: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def is_at(self, method: str, path: str) -> bool:
        return method == self.method and bool(re.fullmatch(re.sub(r"\{\w+\}", r"[^/.]+", self.path), path))

    def wrong_request(self, given: Mapping[str, str]) -> list[str]:
        known = {**self.takes, **self.may_take}
        return [
            *(f"{self.name} lacks {name}" for name in self.takes.keys() - given.keys()),
            *(f"{self.name} knows no {name}" for name in given.keys() - known.keys()),
            *(
                f"{self.name}: {name}={value!r} is no {known[name]}"
                for name, value in given.items()
                if name in known and not known[name].allows_on_the_wire(value)
            ),
        ]

    def wrong_answer(self, answer: Mapping[str, Any] | None) -> list[str]:
        """What is wrong with the body of a success; None for an empty one."""
        if answer is None or not self.gives:
            return [] if answer is None and not self.gives else [f"{self.name}: a body where none belongs, or none"]
        if not self.rows:
            return _wrong(self.name, self.gives, answer)
        paging = MODERN_PAGING if self.path.startswith("/v1/") else CLASSIC_PAGING
        if "AvailablePhoneNumbers" in self.path:
            paging = {}  # Twilio's own example of this list has none
        rows = [_wrong(self.name, self.gives, row) for row in answer[self.rows]]
        return [*(one for row in rows for one in row), *_wrong(self.name, paging, answer.get("meta", answer))]


def _wrong(where: str, kinds: Mapping[str, Kind], given: Mapping[str, Any]) -> list[str]:
    missing = [f"{where} lacks {name}" for name in kinds if name not in given]
    return missing + [
        f"{where}: {name}={given[name]!r} is no {kind}"
        for name, kind in kinds.items()
        if name in given and not kind.allows(given[name])
    ]


# An error answer without such a code is not Twilio's: something on the way gave it.
CODE = Kind("integer", r"\d{5,6}")
ERROR: dict[str, Kind] = {"code": CODE, "message": TEXT, "more_info": URL, "status": WHOLE}
CLASSIC_PAGING: dict[str, Kind] = {"next_page_uri": or_null(PATH)}
MODERN_PAGING: dict[str, Kind] = {"key": TEXT, "next_page_url": or_null(URL)}
PAGES = {"PageSize": WHOLE, "Page": WHOLE, "PageToken": SOMETHING}

MESSAGE: dict[str, Kind] = {
    "sid": sid("SM", "MM"),
    "direction": words(*DIRECTIONS),
    "from": or_null(E164),
    "to": or_null(E164),
    "body": or_null(TEXT),
    "status": words(*STATUSES),
    "error_code": or_null(WHOLE),
    "num_media": DIGITS,
    "date_created": or_null(RFC2822),
    "date_sent": or_null(RFC2822),
}
NUMBER: dict[str, Kind] = {
    "sid": sid("PN"),
    "phone_number": E164,
    "friendly_name": or_null(TEXT),
    "sms_url": or_null(TEXT),
    "sms_fallback_url": or_null(TEXT),
    "voice_url": or_null(TEXT),
    "sms_application_sid": or_null(TEXT),
    "voice_application_sid": or_null(TEXT),
    "capabilities": OBJECT,
}
WEBHOOKS_OF_A_NUMBER = {"SmsUrl": URL, "SmsFallbackUrl": URL, "VoiceUrl": URL}
SERVICE: dict[str, Kind] = {
    "sid": sid("MG"),
    "friendly_name": or_null(TEXT),
    "use_inbound_webhook_on_number": FLAG,
}
ACCOUNT = "/2010-04-01/Accounts/{AccountSid}"

ENDPOINTS = (
    Endpoint(
        "POST",
        f"{ACCOUNT}/Messages.json",
        takes={"To": E164, "From": E164, "Body": SOMETHING, "StatusCallback": URL},
        may_take={"ValidityPeriod": WHOLE},
        answer=201,
        gives=MESSAGE,
    ),
    Endpoint(
        "GET",
        f"{ACCOUNT}/Messages.json",
        may_take={**PAGES, "To": E164, "From": E164, "DateSent>": MOMENT},
        gives=MESSAGE,
        rows="messages",
    ),
    Endpoint("GET", f"{ACCOUNT}/Messages/{{Sid}}.json", gives=MESSAGE),
    Endpoint(
        "GET",
        f"{ACCOUNT}/AvailablePhoneNumbers/{{CountryCode}}/Local.json",
        takes={"SmsEnabled": FLAG},
        may_take={**PAGES, "AreaCode": WHOLE},
        gives={"phone_number": E164},
        rows="available_phone_numbers",
    ),
    Endpoint(
        "POST",
        f"{ACCOUNT}/IncomingPhoneNumbers.json",
        takes={**WEBHOOKS_OF_A_NUMBER, "PhoneNumber": E164, "FriendlyName": TEXT},
        answer=201,
        gives=NUMBER,
    ),
    Endpoint(
        "GET",
        f"{ACCOUNT}/IncomingPhoneNumbers.json",
        may_take={**PAGES, "PhoneNumber": E164},
        gives=NUMBER,
        rows="incoming_phone_numbers",
    ),
    Endpoint(
        "POST",
        f"{ACCOUNT}/IncomingPhoneNumbers/{{Sid}}.json",
        takes=WEBHOOKS_OF_A_NUMBER,
        may_take={"FriendlyName": TEXT, "SmsApplicationSid": NOTHING, "VoiceApplicationSid": NOTHING},
        gives=NUMBER,
    ),
    Endpoint("DELETE", f"{ACCOUNT}/IncomingPhoneNumbers/{{Sid}}.json", answer=204),
    Endpoint(
        "GET",
        "/2010-04-01/Accounts/{Sid}.json",
        gives={"status": words("active", "suspended", "closed"), "type": words("Trial", "Full")},
    ),
    Endpoint(
        "POST",
        "/v1/Services",
        takes={"FriendlyName": SOMETHING, "UseInboundWebhookOnNumber": FLAG},
        answer=201,
        gives=SERVICE,
    ),
    Endpoint("GET", "/v1/Services", may_take=PAGES, gives=SERVICE, rows="services"),
    Endpoint("GET", "/v1/Services/{Sid}", gives=SERVICE),
    Endpoint("POST", "/v1/Services/{Sid}", takes={"UseInboundWebhookOnNumber": FLAG}, gives=SERVICE),
    Endpoint(
        "POST",
        "/v1/Services/{ServiceSid}/PhoneNumbers",
        takes={"PhoneNumberSid": sid("PN")},
        answer=201,
        gives={"sid": sid("PN")},
    ),
    Endpoint(
        "GET",
        "/v1/Services/{ServiceSid}/PhoneNumbers",
        may_take=PAGES,
        gives={"sid": sid("PN")},
        rows="phone_numbers",
    ),
    Endpoint("DELETE", "/v1/Services/{ServiceSid}/PhoneNumbers/{Sid}", answer=204),
    Endpoint(
        "GET",
        "/v1/Services/{MessagingServiceSid}/Compliance/Usa2p",
        may_take=PAGES,
        gives={"campaign_status": words(*CAMPAIGN_STATUSES)},
        rows="compliance",
    ),
)


@dataclass(frozen=True)
class Webhook:
    """A form that Twilio sends. More fields come without notice, and are let be."""

    name: str
    always: Mapping[str, Kind]
    sometimes: Mapping[str, Kind] = field(default_factory=dict)

    def wrong(self, form: Mapping[str, str]) -> list[str]:
        given = {name: kind for name, kind in self.sometimes.items() if name in form}
        return _wrong(self.name, {**self.always, **given}, form)


INBOUND = Webhook(
    "inbound text",
    {
        "MessageSid": sid("SM", "MM"),
        "AccountSid": sid("AC"),
        "From": E164,
        "To": E164,
        "Body": TEXT,
        "NumMedia": DIGITS,
    },
    {
        "OptOutType": words(*OPT_OUT_TYPES),
        "MediaUrl0": URL,
        "MediaContentType0": SOMETHING,
        "MessagingServiceSid": sid("MG"),
    },
)
STATUS = Webhook(
    "status callback",
    {
        "MessageSid": sid("SM", "MM"),
        "AccountSid": sid("AC"),
        "From": E164,
        "To": E164,
        "MessageStatus": words(*STATUSES),
        "SmsStatus": words(*STATUSES),
    },
    {"ErrorCode": DIGITS, "MessagingServiceSid": sid("MG")},
)
CALL = Webhook("call", {"CallSid": sid("CA"), "AccountSid": sid("AC"), "From": E164, "To": E164})
