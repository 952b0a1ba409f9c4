"""Which texts are sent again by themselves after they did not arrive, how often, and when.

A text that is handed over again gets another SID, and reports about each SID add up by themselves
(``delivery.advance``). What they come to together does not depend on the order in which they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import reduce

from tp_inbox.domain.delivery import NOT_ARRIVED, Delivery, DeliveryState, FailureReason, advance

WAITS = (timedelta(minutes=2), timedelta(minutes=15), timedelta(minutes=60))
"""Before each time that a text is sent again. A phone that is off comes on within the hour, or not today."""
JITTER = 0.2
"""Of a wait: so that a thousand texts that one outage held up do not come back in one second."""

MOST_TIMES = {
    FailureReason.UNREACHABLE: 3,
    FailureReason.TOO_BUSY: 3,
    FailureReason.CARRIER_PROBLEM: 2,
    FailureReason.EXPIRED: 2,
    FailureReason.UNCERTAIN: 1,
    FailureReason.UNKNOWN: 1,
}
"""How often a text is sent again when a report says that it did not arrive. For every other reason it never is: the
number, the words or our own configuration would have to change first."""

MAY_HAVE_ARRIVED = frozenset({FailureReason.CARRIER_PROBLEM, FailureReason.UNCERTAIN})
"""A carrier that says so has lost sight of the text, and a family may have it all the same."""

_ARRIVED = frozenset({DeliveryState.DELIVERED, DeliveryState.READ})
_WORTH_ANOTHER_TRY = NOT_ARRIVED - {DeliveryState.CANCELED}


def wait_before_again(handovers: Sequence[Delivery], times: int, chance: float) -> timedelta | None:
    """How long a text waits before it is sent again; None when it is not.

    ``handovers``: what each of its SIDs has come to, the latest last. ``times``: how often it was sent again already.
    ``chance``: between 0 and 1, spreads the waits.
    """
    if not handovers or not all(map(_failed_for_now, handovers)) or times >= MOST_TIMES[_reason(handovers[-1])]:
        return None
    return WAITS[min(times, len(WAITS) - 1)] * (1 + JITTER * (2 * chance - 1))


def outcome(handovers: Sequence[Delivery]) -> Delivery:
    """What they come to together: how far the furthest has got; when all have failed, for the reason that will last, or
    else the best known one.
    """
    alive = [each for each in handovers if each.state not in NOT_ARRIVED]
    lasting = [each for each in handovers if not _failed_for_now(each)]
    return reduce(advance, alive or lasting or handovers)


def arrivals(handovers: Sequence[Delivery]) -> int:
    """Under how many SIDs the text is reported as arrived."""
    return sum(each.state in _ARRIVED for each in handovers)


def possible_arrivals(handovers: Sequence[Delivery]) -> int:
    """Under how many SIDs the text has arrived, may have, or still may."""
    return sum(each.state not in NOT_ARRIVED or _reason(each) in MAY_HAVE_ARRIVED for each in handovers)


def _failed_for_now(handover: Delivery) -> bool:
    """One that was canceled, or that still may arrive, or for which another try would change nothing, is none."""
    return handover.state in _WORTH_ANOTHER_TRY and _reason(handover) in MOST_TIMES


def _reason(handover: Delivery) -> FailureReason:
    return handover.reason or FailureReason.UNKNOWN
