"""What became of a text, in our own words, and how reports about it add up.

Reports from the carrier come late, doubled, out of order or not at all. ``advance`` joins them so
that any order of the same reports ends in the same place.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple


class DeliveryState(StrEnum):
    """Where a text is. The order of the members is the order in which a text gets further."""

    QUEUED = "queued"
    """Written down and waiting for us to hand it over."""
    SUBMITTING = "submitting"
    """Being handed over; the answer is not written yet."""
    UNKNOWN = "unknown"
    """The carrier may have it: look before sending again."""
    ACCEPTED = "accepted"
    """The carrier has it."""
    SENDING = "sending"
    SENT = "sent"
    CANCELED = "canceled"
    FAILED = "failed"
    """It never left."""
    UNDELIVERED = "undelivered"
    """It left, and was reported as not arrived."""
    DELIVERED = "delivered"
    READ = "read"
    RECEIVED = "received"
    """A family's text to us: it has no way left to go."""


class FailureReason(StrEnum):
    """Why a text did not arrive. Of two different reasons for one text, the earlier member is kept."""

    OPTED_OUT = "opted_out"
    LANDLINE = "landline"
    INVALID_NUMBER = "invalid_number"
    BLOCKED_CONTENT = "blocked_content"
    UNREACHABLE = "unreachable"
    MEDIA_PROBLEM = "media_problem"
    NOT_REGISTERED = "not_registered"
    SENDER_NOT_READY = "sender_not_ready"
    NOT_PERMITTED = "not_permitted"
    ACCOUNT_PROBLEM = "account_problem"
    TOO_BUSY = "too_busy"
    EXPIRED = "expired"
    CANCELED = "canceled"
    UNCERTAIN = "uncertain"
    CARRIER_PROBLEM = "carrier_problem"
    UNKNOWN = "unknown"


TOO_OLD = timedelta(hours=4)
"""A text that could not leave for so long is held back: it would come at a strange hour, about what is over."""
CLOCK_SKEW = timedelta(minutes=5)
"""How far the carrier's clock and ours may be apart."""
SURELY_KNOWN = timedelta(hours=1)
"""How much further back than the texts in question the SIDs are gathered that are some text's already."""

NOT_ARRIVED = frozenset({DeliveryState.CANCELED, DeliveryState.FAILED, DeliveryState.UNDELIVERED})
FINAL = NOT_ARRIVED | {DeliveryState.DELIVERED, DeliveryState.READ, DeliveryState.RECEIVED}
WITH_CARRIER = frozenset({DeliveryState.ACCEPTED, DeliveryState.SENDING, DeliveryState.SENT})

_RANKS = {state: rank for rank, state in enumerate(DeliveryState)}
_WEIGHTS = {reason: -place for place, reason in enumerate(FailureReason)}


def rank(state: DeliveryState) -> int:
    """How far along a text is; a report changes a text only when it ranks higher."""
    return _RANKS[state]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The standing of one text. ``code`` is the carrier's own, for the log and for support only."""

    state: DeliveryState
    reason: FailureReason | None = None
    code: str | None = None


def advance(current: Delivery, reported: Delivery) -> Delivery:
    """The standing after a report; pure, only forward, and the same for any order of the same reports.

    A late or repeated report changes nothing. "Delivered" overrules a failure and clears its reason.
    Two failures keep the better known reason, so a repetition without its code erases nothing and one
    with a code fills a gap. An outgoing text never becomes a received one, nor the other way round.

    A text that goes back to the queue is our own decision, not a report: it does not pass through here.
    """
    if DeliveryState.RECEIVED in (current.state, reported.state):
        return current
    if current.state in NOT_ARRIVED and reported.state in NOT_ARRIVED:
        return _join_failures(current, reported)
    if rank(reported.state) <= rank(current.state):
        return current
    return reported if reported.state in NOT_ARRIVED else Delivery(reported.state)


def _join_failures(one: Delivery, other: Delivery) -> Delivery:
    further = max(one.state, other.state, key=rank)
    telling = max(one, other, key=_tells)
    return Delivery(further, telling.reason, telling.code)


def _tells(failure: Delivery) -> tuple[bool, bool, int, str, bool]:
    """Sorts failures by how much they say: a real reason, then a code, then the order of the reasons."""
    reason = failure.reason or FailureReason.UNKNOWN
    known = reason is not FailureReason.UNKNOWN
    return known, failure.code is not None, _WEIGHTS[reason], failure.code or "", failure.reason is not None


class Explanation(NamedTuple):
    """What a member of staff reads under a text that did not arrive, and whether sending it again can help."""

    sentence: str
    advice: str
    may_retry: bool


def explain(reason: FailureReason | None) -> Explanation:
    return _EXPLANATIONS[reason or FailureReason.UNKNOWN]


_EXPLANATIONS = {
    FailureReason.OPTED_OUT: Explanation(
        "This family has asked not to be texted.", "Call instead. They can text START to allow texts again.", False
    ),
    FailureReason.LANDLINE: Explanation(
        "This is a landline and cannot receive texts.", "Call, or ask the family for a mobile number.", False
    ),
    FailureReason.INVALID_NUMBER: Explanation(
        "This number cannot receive texts.", "Call, or ask the family for another number.", False
    ),
    FailureReason.BLOCKED_CONTENT: Explanation(
        "The phone company blocked this text.",
        "Do not send the same text again. Use other words, leave out links, or call.",
        False,
    ),
    FailureReason.UNREACHABLE: Explanation(
        "The phone could not be reached. It may be switched off or out of range.",
        "Try again later, or call.",
        True,
    ),
    FailureReason.MEDIA_PROBLEM: Explanation(
        "The picture or file could not be sent.", "Send the text without it, or use a smaller one.", False
    ),
    FailureReason.NOT_REGISTERED: Explanation(
        "The school's numbers are not yet registered with the phone companies.",
        "Tell your district administrator. Call if it is urgent.",
        True,
    ),
    FailureReason.SENDER_NOT_READY: Explanation(
        "The texting number is not ready to send.",
        "Tell your district administrator. Call if it is urgent.",
        True,
    ),
    FailureReason.NOT_PERMITTED: Explanation(
        "The district's texting account may not send to this number.",
        "Tell your district administrator. Call if it is urgent.",
        True,
    ),
    FailureReason.ACCOUNT_PROBLEM: Explanation(
        "The district's texting account has a problem.",
        "Tell your district administrator. Call if it is urgent.",
        True,
    ),
    FailureReason.TOO_BUSY: Explanation(
        "Too many texts were waiting to go out.", "Try again in a few minutes, or call if it is urgent.", True
    ),
    FailureReason.EXPIRED: Explanation(
        "This text could not be sent in time, so it was held back.", "Send it again if it still matters.", True
    ),
    FailureReason.CANCELED: Explanation(
        "This text was canceled before it went out.", "Send it again if it still matters.", True
    ),
    FailureReason.UNCERTAIN: Explanation(
        "We could not find out whether this text went out.",
        "Ask the family whether it arrived before you write it again.",
        False,
    ),
    FailureReason.CARRIER_PROBLEM: Explanation(
        "The phone company had a problem with this text and did not confirm it.",
        "Ask the family whether it arrived, or try again later.",
        True,
    ),
    FailureReason.UNKNOWN: Explanation(
        "This text did not arrive, and the phone company did not say why.", "Try again once, or call.", True
    ),
}
