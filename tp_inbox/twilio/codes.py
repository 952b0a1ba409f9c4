"""Twilio's words and error codes, and what each means in ours.

The one table of statuses and the one of codes. A word that is not here is logged and means nothing;
it is never guessed.
"""

from __future__ import annotations

import logging
from enum import Enum, auto
from typing import NamedTuple

from tp_inbox.domain.consent import Verdict
from tp_inbox.domain.delivery import DeliveryState, FailureReason

log = logging.getLogger(__name__)


class Treatment(Enum):
    """What to do about an error. Each failure reason has one treatment, so above this package the reason is enough."""

    RETRY_LATER = auto()
    LOOK_FIRST = auto()
    """The carrier may have the text all the same."""
    PERMANENT = auto()
    OPTED_OUT = auto()
    OUR_CONFIGURATION = auto()
    """Nothing will leave from this sender until an admin has mended it."""
    NOT_THIS_TEXT = auto()
    ONCE_MORE = auto()
    """A code we do not know: transient once, then permanent."""


class Meaning(NamedTuple):
    reason: FailureReason
    treatment: Treatment


def state_of(word: str | None) -> DeliveryState | None:
    """Twilio's message status in our words; None for a word we do not know, which is logged."""
    state = _STATES.get(word or "")
    if state is None:
        log.warning("Twilio used an unknown message status: %.40r", word)
    return state


def meaning_of(code: str | None) -> Meaning:
    """What a Twilio error code means. An unknown code is logged; none at all is simply not known."""
    if code and code not in _MEANINGS:
        log.warning("Twilio used an unknown error code: %.20r", code)
    return _MEANINGS.get(code or "", _UNKNOWN)


def meaning_of_answer(status: int, code: str | None) -> Meaning:
    """What an error answer to a request means: its HTTP status first, since a 5xx settles nothing whatever it says.

    A refusal without a code is not Twilio's own: something on the way stopped the request, and tells nothing of us.
    """
    if not 400 <= status < 500:
        return _LOOK
    if known := _BY_STATUS.get(status):
        return known
    if not code:
        return _STOPPED_ON_THE_WAY
    return _BY_STATUS_WITH_CODE.get(status) or meaning_of(code)


def reason_of(code: str | None) -> FailureReason | None:
    """Why a text did not arrive, when Twilio gave a code for it."""
    return meaning_of(code).reason if code else None


def opt_out_of(word: str | None) -> Verdict | None:
    """What Advanced Opt-Out made of an incoming text, and has acted upon; None when it took it for an ordinary one."""
    if word and word not in _OPT_OUTS:
        log.warning("Twilio used an unknown OptOutType: %.20r", word)
    return _OPT_OUTS.get(word or "")


_STATES = {
    "accepted": DeliveryState.ACCEPTED,
    "scheduled": DeliveryState.ACCEPTED,
    "queued": DeliveryState.ACCEPTED,
    "sending": DeliveryState.SENDING,
    "sent": DeliveryState.SENT,
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.READ,
    "undelivered": DeliveryState.UNDELIVERED,
    "failed": DeliveryState.FAILED,
    "canceled": DeliveryState.CANCELED,
    "receiving": DeliveryState.RECEIVED,
    "received": DeliveryState.RECEIVED,
}

_OPT_OUTS = {"STOP": Verdict.STOP_CERTAIN, "START": Verdict.START, "HELP": Verdict.HELP}

_UNKNOWN = Meaning(FailureReason.UNKNOWN, Treatment.ONCE_MORE)

_LOOK = Meaning(FailureReason.UNCERTAIN, Treatment.LOOK_FIRST)

_STOPPED_ON_THE_WAY = Meaning(FailureReason.CARRIER_PROBLEM, Treatment.RETRY_LATER)

_BY_STATUS = {
    408: _LOOK,
    429: Meaning(FailureReason.TOO_BUSY, Treatment.RETRY_LATER),
}

_BY_STATUS_WITH_CODE = {
    401: Meaning(FailureReason.ACCOUNT_PROBLEM, Treatment.OUR_CONFIGURATION),
    404: Meaning(FailureReason.ACCOUNT_PROBLEM, Treatment.OUR_CONFIGURATION),
}

_BY_REASON = {
    (FailureReason.TOO_BUSY, Treatment.RETRY_LATER): "20429 21611 30001 30022 30023 63017 63038",
    (FailureReason.CARRIER_PROBLEM, Treatment.RETRY_LATER): "30008 30500",
    (FailureReason.EXPIRED, Treatment.RETRY_LATER): "30036",
    (FailureReason.UNREACHABLE, Treatment.RETRY_LATER): "30003",
    (FailureReason.UNCERTAIN, Treatment.LOOK_FIRST): "20500",
    (FailureReason.INVALID_NUMBER, Treatment.PERMANENT): "21211 21266 21604 21614 30005",
    (FailureReason.LANDLINE, Treatment.PERMANENT): "21635 30006",
    (FailureReason.OPTED_OUT, Treatment.OPTED_OUT): "21610",
    (FailureReason.ACCOUNT_PROBLEM, Treatment.OUR_CONFIGURATION): "20003 21502 21609 30002",
    (FailureReason.NOT_PERMITTED, Treatment.OUR_CONFIGURATION): "21408 21608",
    (FailureReason.SENDER_NOT_READY, Treatment.OUR_CONFIGURATION): "21212 21601 21606 21659",
    (FailureReason.NOT_REGISTERED, Treatment.OUR_CONFIGURATION): "30032 30034",
    (FailureReason.MEDIA_PROBLEM, Treatment.NOT_THIS_TEXT): "21620 21623 30019",
    (FailureReason.BLOCKED_CONTENT, Treatment.NOT_THIS_TEXT): "30004 30007",
}

_MEANINGS = {code: Meaning(*meaning) for meaning, codes in _BY_REASON.items() for code in codes.split()}
