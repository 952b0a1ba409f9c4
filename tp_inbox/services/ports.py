"""What the services need from the outside, in our own words.

``SmsGateway`` is the only door to the carrier. Its adapter stands in ``tp_inbox.twilio``; the same
contract tests run on the adapter (against the simulator) and on the fake that the tests use.
All times are timezone-aware UTC; all numbers are E.164.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from tp_inbox.domain.consent import Verdict
from tp_inbox.domain.delivery import DeliveryState, FailureReason


@dataclass(frozen=True, slots=True)
class OutgoingText:
    """A text as it is handed over: sender, recipient and body were frozen when it was queued.

    ``valid_seconds``: what the carrier has not sent on by then it must not send at all.
    """

    message_id: int
    sender: str
    recipient: str
    body: str
    valid_seconds: int | None = None


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


@dataclass(frozen=True, slots=True)
class CarrierNumber:
    """A number that the carrier rents to us, whether we know it or not. ``leads_here``: a text or a call to it comes
    to this server.
    """

    sid: str
    e164: str
    label: str
    sms_url: str
    voice_url: str
    leads_here: bool


class NumberRefused(Exception):
    """The carrier sells us no number. ``reason`` is a plain sentence for an admin; ``retry`` whether later may help."""

    def __init__(self, reason: str, *, retry: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry


class ServiceRefused(Exception):
    """A number cannot be put into a service. ``reason`` is a plain sentence for an admin."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ServiceFull(ServiceRefused):
    """The service takes no more numbers."""


class ServiceGone(ServiceRefused):
    """The carrier has no such service."""


class CarrierAway(Exception):
    """A question (a list, a fetch, a search) got no usable answer; asking again later is safe."""


class SmsGateway(Protocol):
    async def send(self, text: OutgoingText) -> Handover:
        """Hand one text over, once. Never retries, never raises for what the network or the carrier does."""
        ...

    async def find(self, text: OutgoingText, since: datetime, known: Collection[str]) -> CarrierText | None:
        """The text we may have handed over: same sender, recipient and body since that time, SID not in ``known``."""
        ...

    def texts_since(self, since: datetime, until: datetime | None = None) -> AsyncIterator[CarrierText]:
        """Everything sent or received since then, up to that time if one is given: both directions, newest first, in
        pages of 1,000. The carrier's own answers to STOP, START and HELP are left out.
        """
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

    async def our_numbers(self) -> list[CarrierNumber]:
        """Every number of the account."""
        ...

    async def lead_here(self, number_sid: str) -> None:
        """Set the number's webhooks again. Raises NumberRefused or CarrierAway."""
        ...

    async def release_number(self, number_sid: str) -> None:
        """Give it back for good; one that is gone already is fine. Raises NumberRefused or CarrierAway."""
        ...

    async def make_service(self, label: str) -> str:
        """The SID of the service of that label, made if there is none; its numbers go on receiving by themselves.

        Raises ServiceRefused or CarrierAway.
        """
        ...

    async def put_into_service(self, service_sid: str, number_sid: str, ours: Collection[str]) -> None:
        """Puts the number there, out of another of ``ours`` if it is in one; fine when it is there already.

        Raises ServiceFull, ServiceGone, another ServiceRefused, or CarrierAway.
        """
        ...

    async def numbers_in(self, service_sid: str) -> frozenset[str]:
        """SIDs of the numbers in a service. Raises ServiceGone or CarrierAway."""
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


class RequestKind(StrEnum):
    INBOUND = "inbound"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request of the carrier's, in its own words, after its signature was checked: every field of the form in its
    order, and the query of the address that was called. ``received_at`` is our own clock.
    """

    kind: RequestKind
    form: tuple[tuple[str, str], ...]
    query: str
    received_at: datetime
