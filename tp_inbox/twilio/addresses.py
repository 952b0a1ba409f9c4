"""Where Twilio reaches us: the addresses that are given to it, from the configured public one."""

from __future__ import annotations

INBOUND = "/twilio/inbound"
STATUS = "/twilio/status"
VOICE = "/twilio/voice"
MESSAGE = "message"
"""The query parameter that carries our own message id, so that a report finds its text before the SID is known."""

INSIST = "#rc=5&rp=all"
"""Asks Twilio to retry five times whatever goes wrong; by default it does so after a failed connection only."""


def inbound_webhook(address: str) -> str:
    return f"{address}{INBOUND}{INSIST}"


def voice_webhook(address: str) -> str:
    return f"{address}{VOICE}{INSIST}"


def status_callback(address: str, message_id: int) -> str:
    return f"{address}{STATUS}?{MESSAGE}={message_id}{INSIST}"
