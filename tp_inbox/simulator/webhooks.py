"""What Twilio's webhooks carry, and where an inbound one goes."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .config import SimulatorConfig
from .fiction import REGION_OF
from .keywords import Keyword
from .messages import Medium, Message
from .numbers import Number, Service

API_VERSION = "2010-04-01"
FINISHED_BY_CARRIER = ("delivered", "undelivered")


def status_form(config: SimulatorConfig, message: Message) -> dict[str, str]:
    """The status callback of a message in its present status."""
    form = {
        "SmsSid": message.sid,
        "SmsStatus": message.status,
        "MessageStatus": message.status,
        "To": message.recipient,
        "MessageSid": message.sid,
        "AccountSid": config.account_sid,
        "From": message.sender,
        "ApiVersion": API_VERSION,
    }
    if message.service_sid:
        form["MessagingServiceSid"] = message.service_sid
    if message.error_code:
        form |= {"ErrorCode": str(message.error_code), "ErrorMessage": message.error_message or ""}
    if message.status in FINISHED_BY_CARRIER:
        form["RawDlrDoneDate"] = time.strftime("%y%m%d%H%M", time.gmtime(message.updated))
    return form


def inbound_form(
    config: SimulatorConfig, message: Message, media: Sequence[Medium], keyword: Keyword | None
) -> dict[str, str]:
    """The webhook of a family's text."""
    form = {
        "ToCountry": "US",
        "ToState": _state(message.recipient),
        "ToCity": "",
        "ToZip": "",
        "FromCountry": "US",
        "FromState": _state(message.sender),
        "FromCity": "",
        "FromZip": "",
        "SmsMessageSid": message.sid,
        "SmsSid": message.sid,
        "MessageSid": message.sid,
        "SmsStatus": "received",
        "AccountSid": config.account_sid,
        "From": message.sender,
        "To": message.recipient,
        "Body": message.body,
        "NumMedia": str(len(media)),
        "NumSegments": str(message.num_segments),
        "ApiVersion": API_VERSION,
    }
    if message.service_sid:
        form["MessagingServiceSid"] = message.service_sid
        if keyword and config.advanced_opt_out:
            form["OptOutType"] = keyword.value
    for place, medium in enumerate(media):
        form[f"MediaUrl{place}"] = config.base_url + media_path(config, medium)
        form[f"MediaContentType{place}"] = medium.content_type
    return form


def media_path(config: SimulatorConfig, medium: Medium) -> str:
    """Where the picture itself is, behind Twilio's authentication."""
    return f"/{API_VERSION}/Accounts/{config.account_sid}/Messages/{medium.message_sid}/Media/{medium.sid}"


def inbound_webhook(number: Number, service: Service | None) -> tuple[str, str, str, str] | None:
    """(url, method, fallback url, fallback method) for texts to the number; None when receiving is switched off.

    A number in a Messaging Service uses the service's address, unless the service defers to its numbers; a service
    with neither does not receive at all. An application, of which there are none here, takes a number's place.
    """
    if number.settings.get("sms_application_sid"):
        return None
    if service is None or service.settings.get("use_inbound_webhook_on_number"):
        names = ("sms_url", "sms_method", "sms_fallback_url", "sms_fallback_method")
        settings: dict[str, object] = dict(number.settings)
    elif service.settings.get("inbound_request_url"):
        names = ("inbound_request_url", "inbound_method", "fallback_url", "fallback_method")
        settings = service.settings
    else:
        return None
    url, method, fallback, fallback_method = (str(settings.get(name) or "") for name in names)
    return url, method or "POST", fallback, fallback_method or "POST"


def _state(number: str) -> str:
    return REGION_OF.get(number[2:5], "")
