"""The same account, school and family in every test of this folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from pydantic import SecretStr

from tests.twilio.scripted_server import Reply
from tp_inbox.services.ports import OutgoingText
from tp_inbox.settings import Settings

ACCOUNT = "AC" + "5" * 32
TOKEN = "0123456789abcdef0123456789abcdef"
PUBLIC = "https://inbox.lincoln.example"
SCHOOL = "+12025550101"
FAMILY = "+12025550142"
SID = "SM" + "a" * 32
NOON = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)

HELLO = OutgoingText(message_id=41, sender=SCHOOL, recipient=FAMILY, body="Buenos días: the bus is late.")

MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
NUMBERS = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json"
FOR_SALE = f"/2010-04-01/Accounts/{ACCOUNT}/AvailablePhoneNumbers/US/Local.json"


def settings_for(base_url: str = "", **changes: Any) -> Settings:
    given = {
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": SecretStr(TOKEN),
        "twilio_base_url": base_url,
        "public_url": PUBLIC,
    }
    return Settings(**{**given, **changes})


def row(sid: str = SID, *, minutes: int = 0, sent: bool = True, **changes: Any) -> dict[str, Any]:
    """A message as Twilio's API tells it, ``minutes`` after noon."""
    moment = format_datetime(NOON + timedelta(minutes=minutes))
    told = {
        "sid": sid,
        "account_sid": ACCOUNT,
        "direction": "outbound-api",
        "from": SCHOOL,
        "to": FAMILY,
        "body": HELLO.body,
        "status": "queued",
        "num_segments": "1",
        "num_media": "0",
        "price": None,
        "error_code": None,
        "error_message": None,
        "date_created": moment,
        "date_updated": moment,
        "date_sent": moment if sent else None,
    }
    return {**told, **changes}


def created(**changes: Any) -> Reply:
    return Reply(201, row(sent=False, **changes))


def page(*rows: dict[str, Any], following: str | None = None) -> Reply:
    return Reply(200, {"messages": list(rows), "next_page_uri": following, "page_size": 1000})


def error(status: int, code: int | None = None, **headers: str) -> Reply:
    body = {"code": code, "message": "?", "more_info": "?", "status": status} if code else "<html>no</html>"
    return Reply(status, body, headers)
