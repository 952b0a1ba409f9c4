"""What the services need from the outside, in our own words.

``SmsGateway`` is the only door to the carrier. Its adapter stands in ``tp_inbox.twilio``; the same
contract tests run on the adapter (against the simulator) and on the fake that the tests use.
All times are timezone-aware UTC; all numbers are E.164.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tp_inbox.domain.consent import Verdict
from tp_inbox.domain.delivery import DeliveryState, FailureReason


@dataclass(frozen=True, slots=True)
class OutgoingText:
    """A text as it is handed over: sender, recipient and body were frozen when it was queued."""

    message_id: int
    sender: str
    recipient: str
    body: str


@dataclass(frozen=True, slots=True)
class CarrierText:
    """A text as the carrier's ledger tells it, in either direction."""

    sid: str
    inbound: bool
    sender: str
    recipient: str
    body: str
    state: DeliveryState
    reason: FailureReason | None
    code: str | None
    media: int
    sent_at: datetime | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier has it: it gave a SID."""

    text: CarrierText


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """The carrier surely does not have it, and sending again cannot double it.

    ``retry`` says whether trying again later is right; ``retry_after`` are seconds that the carrier
    asked for. ``stop_sender`` marks our own configuration: the sender waits for an admin.
    """

    reason: FailureReason
    code: str | None
    retry: bool
    retry_after: float | None = None
    stop_sender: bool = False


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The carrier may have it (a timeout, a reset, a 5xx): look before sending again."""

    code: str | None


Handover = Accepted | NotAccepted | Ambiguous


@dataclass(frozen=True, slots=True)
class BoughtNumber:
    sid: str
    e164: str


class NumberRefused(Exception):
    """The carrier sells us no number. ``reason`` is a plain sentence for an admin; ``retry`` whether later may help."""

    def __init__(self, reason: str, *, retry: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry


class CarrierAway(Exception):
    """A question (a list, a fetch, a search) got no usable answer; asking again later is safe."""


class SmsGateway(Protocol):
    async def send(self, text: OutgoingText) -> Handover:
        """Hand one text over, once. Never retries, never raises for what the network or the carrier does."""
        ...

    async def find(self, text: OutgoingText, since: datetime, known: Collection[str]) -> CarrierText | None:
        """The text we may have handed over: same sender, recipient and body since that time, SID not in ``known``."""
        ...

    def texts_since(self, since: datetime) -> AsyncIterator[CarrierText]:
        """Everything sent or received since then, both directions, newest first, in pages of 1,000."""
        ...

    async def fetch(self, sid: str) -> CarrierText | None:
        """One text by its SID; None when the carrier has none."""
        ...

    async def available_number(self, area_code: str | None) -> str:
        """A number for sale, in the area code if one is left there, else anywhere in the country."""
        ...

    async def buy_number(self, e164: str, label: str) -> BoughtNumber:
        """Buy that very number, set its webhooks; buying one that is already ours answers with it."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class InboundText:
    """A family's text as the carrier's webhook brought it; the same one may come again, and again.

    ``media`` are (address, content type). ``opt_out_type`` is what the carrier took the text for and has acted
    upon, if it says so: STOP_CERTAIN, START or HELP. ``raw`` is the whole form, without NULs; in ``body`` base64
    is also undone. ``received_at`` is our own clock.
    """

    sid: str
    sender: str
    recipient: str
    body: str
    media: tuple[tuple[str, str], ...]
    opt_out_type: Verdict | None
    raw: Mapping[str, str]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What the carrier reports about a text of ours; late, doubled, out of order.

    ``message_id`` is our own, from the address that was called. ``state`` is None for a word that is not known:
    the report is kept and changes nothing.
    """

    message_id: int | None
    sid: str
    sender: str
    recipient: str
    state: DeliveryState | None
    reason: FailureReason | None
    code: str | None
    raw: Mapping[str, str]
