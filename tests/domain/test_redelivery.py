"""What is sent again by itself: each reason has its treatment, and no order of the reports changes it."""

import random
from datetime import timedelta
from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given, strategies as st

from tp_inbox.domain.delivery import NOT_ARRIVED, WITH_CARRIER, Delivery, DeliveryState, FailureReason, advance
from tp_inbox.domain.redelivery import arrivals, outcome, possible_arrivals, wait_before_again

S, R = DeliveryState, FailureReason
TREATMENTS = {
    R.UNREACHABLE: 3,
    R.TOO_BUSY: 3,
    R.CARRIER_PROBLEM: 2,
    R.EXPIRED: 2,
    R.UNCERTAIN: 1,
    R.UNKNOWN: 1,
    None: 1,
}
alive = st.builds(Delivery, st.sampled_from([*sorted(WITH_CARRIER), S.DELIVERED, S.READ]))
ends = alive | st.builds(Delivery, st.sampled_from(sorted(NOT_ARRIVED)), st.none() | st.sampled_from(FailureReason))


def failed(reason: FailureReason | None, state: DeliveryState = S.UNDELIVERED) -> Delivery:
    return Delivery(state, reason)


def tries(reason: FailureReason | None) -> int:
    return sum(wait_before_again([failed(reason)], times, 0.5) is not None for times in range(10))


@pytest.mark.parametrize("reason", [None, *FailureReason])
def test_each_reason_is_worth_so_many_tries(reason: FailureReason | None) -> None:
    assert tries(reason) == TREATMENTS.get(reason, 0)


def test_the_waits_grow() -> None:
    waits = [wait_before_again([failed(R.UNREACHABLE)], times, 0.5) for times in range(3)]
    assert waits == [timedelta(minutes=2), timedelta(minutes=15), timedelta(minutes=60)]


@given(st.floats(0, 1))
def test_chance_spreads_a_wait_and_no_more(chance: float) -> None:
    wait = wait_before_again([failed(R.UNREACHABLE)], 0, chance)
    assert wait is not None
    assert timedelta(seconds=96) <= wait <= timedelta(seconds=144)


@pytest.mark.parametrize("state", sorted(WITH_CARRIER | {S.DELIVERED, S.READ, S.CANCELED}))
def test_what_arrived_or_still_may_or_was_canceled_is_not_sent_again(state: DeliveryState) -> None:
    assert wait_before_again([Delivery(state), failed(R.UNREACHABLE)], 0, 0.5) is None


def test_a_reason_that_lasts_on_an_earlier_hand_over_ends_the_tries() -> None:
    assert wait_before_again([failed(R.LANDLINE), failed(R.UNREACHABLE)], 1, 0.5) is None
    assert outcome([failed(R.NOT_REGISTERED), failed(R.UNREACHABLE)]).reason is R.NOT_REGISTERED


@given(st.lists(ends, min_size=1, max_size=4))
def test_what_hand_overs_come_to_does_not_depend_on_their_order(handovers: list[Delivery]) -> None:
    assert len({outcome(order) for order in permutations(handovers)}) == 1
    assert (outcome(handovers).state in NOT_ARRIVED) is all(each.state in NOT_ARRIVED for each in handovers)


@given(st.lists(ends, max_size=4))
def test_what_has_arrived_is_among_what_may_have(handovers: list[Delivery]) -> None:
    assert arrivals(handovers) <= possible_arrivals(handovers)


@given(st.lists(st.tuples(st.sampled_from("AB"), ends), max_size=6), st.randoms(use_true_random=False))
def test_every_order_of_reports_about_two_sids_ends_in_the_same_place(
    told: list[tuple[str, Delivery]], chance: random.Random
) -> None:
    again = [*told, *(report for report in told if chance.random() < 0.5)]
    chance.shuffle(again)
    assert come_to(again) == come_to(told)


def come_to(told: list[tuple[str, Delivery]]) -> tuple[Delivery, bool, int]:
    handovers = [
        reduce(advance, [report for sid, report in told if sid == mine], Delivery(S.ACCEPTED)) for mine in "AB"
    ]
    return outcome(handovers), wait_before_again(handovers, 1, 0.5) is None, arrivals(handovers)
