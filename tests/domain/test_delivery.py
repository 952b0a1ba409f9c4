"""What became of a text: reports in any order end in the same place."""

from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given, strategies as st

from tp_inbox.domain.delivery import (
    NOT_ARRIVED,
    Delivery,
    DeliveryState,
    FailureReason,
    advance,
    explain,
    rank,
)

S, R = DeliveryState, FailureReason
reports = st.builds(
    Delivery,
    st.sampled_from(DeliveryState),
    st.none() | st.sampled_from(FailureReason),
    st.none() | st.sampled_from(["30003", "30005", "39999"]),
)


def after(*told: Delivery, start: Delivery | None = None) -> Delivery:
    return reduce(advance, told, start or Delivery(S.QUEUED))


@given(reports, st.lists(reports, max_size=5))
def test_every_order_of_the_same_reports_ends_in_the_same_place(start: Delivery, told: list[Delivery]) -> None:
    assert len({after(*order, start=start) for order in permutations(told)}) == 1


@given(reports, st.lists(reports))
def test_a_report_told_twice_says_no_more_than_told_once(start: Delivery, told: list[Delivery]) -> None:
    once = after(*told, start=start)
    assert after(*told, start=once) == once


@given(reports, reports)
def test_a_text_never_goes_back(current: Delivery, reported: Delivery) -> None:
    assert rank(advance(current, reported).state) >= rank(current.state)


def test_a_late_sent_does_not_overwrite_delivered() -> None:
    assert after(Delivery(S.DELIVERED), Delivery(S.SENT)) == Delivery(S.DELIVERED)


@pytest.mark.parametrize("failure", sorted(NOT_ARRIVED))
def test_delivered_overrules_a_failure_and_clears_its_reason(failure: DeliveryState) -> None:
    assert after(Delivery(failure, R.UNREACHABLE, "30003"), Delivery(S.DELIVERED)) == Delivery(S.DELIVERED)


@pytest.mark.parametrize("failure", sorted(NOT_ARRIVED))
def test_a_failure_after_delivered_changes_nothing(failure: DeliveryState) -> None:
    assert after(Delivery(S.DELIVERED), Delivery(failure, R.UNREACHABLE, "30003")) == Delivery(S.DELIVERED)


def test_a_repeated_failure_without_its_code_keeps_the_reason() -> None:
    known = Delivery(S.UNDELIVERED, R.LANDLINE, "30006")
    assert after(known, Delivery(S.UNDELIVERED), Delivery(S.UNDELIVERED, R.UNKNOWN)) == known


def test_a_repeated_failure_with_a_code_fills_a_missing_reason() -> None:
    known = Delivery(S.UNDELIVERED, R.LANDLINE, "30006")
    assert after(Delivery(S.UNDELIVERED), known) == known


def test_a_known_reason_is_not_replaced_by_a_code_that_nobody_knows() -> None:
    ours = Delivery(S.FAILED, R.EXPIRED)
    assert after(ours, Delivery(S.FAILED, R.UNKNOWN, "39999")) == ours


def test_a_reason_for_waiting_is_gone_once_the_carrier_has_the_text() -> None:
    assert after(Delivery(S.ACCEPTED), start=Delivery(S.QUEUED, R.TOO_BUSY, "429")) == Delivery(S.ACCEPTED)


def test_a_report_before_our_own_write_is_not_undone_by_it() -> None:
    assert after(Delivery(S.DELIVERED), Delivery(S.ACCEPTED)) == Delivery(S.DELIVERED)


def test_an_incoming_text_stays_received() -> None:
    received = Delivery(S.RECEIVED)
    assert after(Delivery(S.FAILED, R.UNKNOWN), start=received) == received
    assert after(received) == Delivery(S.QUEUED)


@pytest.mark.parametrize("reason", FailureReason)
def test_every_reason_is_explained_in_whole_sentences(reason: FailureReason) -> None:
    told = explain(reason)
    assert told.sentence.endswith(".") and told.advice.endswith(".")
    assert not any(character.isdigit() for character in told.sentence + told.advice)


def test_a_missing_reason_is_explained_as_unknown() -> None:
    assert explain(None) == explain(R.UNKNOWN)


@pytest.mark.parametrize("reason", [R.OPTED_OUT, R.LANDLINE, R.INVALID_NUMBER, R.BLOCKED_CONTENT])
def test_what_cannot_work_offers_no_retry(reason: FailureReason) -> None:
    assert not explain(reason).may_retry
