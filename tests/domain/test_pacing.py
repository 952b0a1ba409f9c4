"""The pace of what leaves, on a clock that the tests turn."""

from __future__ import annotations

import pytest

from tp_inbox.domain.pacing import RECOVERY, RESERVE, SLOWEST, Bucket, Pace, Rates, admit


def leave(bucket: Bucket, seconds: float, segments: int = 1, *, bulk: bool, since: float = 0.0) -> int:
    """How many segments leave when there is always something that waits."""
    left, now = 0, since
    while now < since + seconds:
        while admit([bucket], segments, now, bulk=bulk):
            left += segments
        now += 0.05
    return left


@pytest.mark.parametrize("rate", [1.0, 12.0, 225.0])
@pytest.mark.parametrize("segments", [1, 3, 24])
def test_one_of_many_leaves_at_the_rate_whatever_its_length(rate: float, segments: int) -> None:
    left = leave(Bucket(rate, 0.0), 600.0, segments, bulk=True)
    assert 599 * rate - segments <= left <= 601 * rate + 1 + segments


def test_an_answer_leaves_at_once_though_many_wait() -> None:
    bucket = Bucket(1.0, 0.0)
    leave(bucket, 60.0, 3, bulk=True)
    assert not bucket.admits(60.0, bulk=True)
    assert bucket.admits(60.0, bulk=False)


def test_what_is_one_of_many_makes_up_for_the_answers_that_went_before_it() -> None:
    bucket = Bucket(1.0, 0.0)
    for _ in range(5):
        assert admit([bucket], 2, 0.0, bulk=False)
    assert bucket.wait(0.0, bulk=True) == pytest.approx(10.0, abs=0.01)


def test_answers_alone_keep_to_the_rate_too() -> None:
    assert leave(Bucket(1.0, 0.0), 600.0, bulk=False) <= 600 + RESERVE + 1


def test_it_says_how_long_to_wait() -> None:
    bucket = Bucket(2.0, 0.0)
    leave(bucket, 0.01, 5, bulk=True)
    wait = bucket.wait(0.0, bulk=True)
    assert wait == pytest.approx(2.0, abs=0.01)
    assert not bucket.admits(wait - 0.01, bulk=True)
    assert bucket.admits(wait + 0.01, bulk=True)


def test_of_several_buckets_the_narrowest_decides_and_a_refusal_takes_from_none() -> None:
    wide, narrow = Bucket(100.0, 0.0), Bucket(1.0, 0.0)
    assert admit([wide, narrow], 3, 0.0, bulk=True)
    assert not admit([wide, narrow], 3, 0.5, bulk=True)
    assert wide.admits(0.5, bulk=True)


def test_a_busy_carrier_halves_the_pace_and_it_comes_back_by_itself() -> None:
    bucket = Bucket(10.0, 0.0)
    assert bucket.slow(100.0)
    assert bucket.part(100.0) == pytest.approx(0.5)
    assert bucket.part(100.0 + RECOVERY / 4) == pytest.approx(0.75)
    assert bucket.part(100.0 + RECOVERY) == 1.0


def test_many_complaints_at_one_time_are_one() -> None:
    bucket = Bucket(10.0, 0.0)
    assert [bucket.slow(100.0 + second) for second in range(4)] == [True, False, False, False]
    assert bucket.part(100.0) == pytest.approx(0.5)


def test_it_never_stands_still() -> None:
    bucket = Bucket(10.0, 0.0)
    for n in range(50):
        bucket.slow(n * 5.0)
    assert bucket.part(245.0) >= SLOWEST


def test_who_takes_over_goes_on_as_slowly_as_it_has_recovered() -> None:
    bucket = Bucket(10.0, 0.0)
    assert bucket.slow(1_000.0, since=1_000.0 - RECOVERY / 4)
    assert bucket.part(1_000.0) == pytest.approx(0.75)


def test_nothing_leaves_before_the_carrier_wants_to_hear_from_us_again() -> None:
    bucket = Bucket(10.0, 0.0)
    bucket.close(30.0)
    bucket.close(10.0)
    assert not bucket.admits(29.9, bulk=False)
    assert bucket.wait(20.0, bulk=False) == pytest.approx(10.0)
    assert bucket.admits(30.0, bulk=False)


def test_campaigns_share_what_the_account_may() -> None:
    rates = Rates(sender=1.0, campaign=12.0, account=60.0)
    assert (rates.shared_by(3).campaign, rates.shared_by(10).campaign) == (12.0, 6.0)


def test_what_it_would_admit_at_best_is_admitted() -> None:
    bucket = Bucket(12.0, 0.0)
    for now in (0.0, 0.3, 5.0, 5.1):
        most = bucket.most(now, bulk=True)
        assert [admit([bucket], 1, now, bulk=True) for _ in range(most + 1)] == [True] * most + [False]
        assert bucket.wait(now, bulk=True) > 0


def test_what_is_held_back_takes_nothing_from_the_others() -> None:
    pace = Pace(Rates(sender=1.0, campaign=12.0, account=60.0), 0.0)
    assert pace.admit(1, 2, 5, 0.0, bulk=True)
    assert not pace.admit(1, 2, 1, 0.0, bulk=True)
    pace.give_back(1, 2, 5, 0.0, bulk=True)
    assert pace.admit(1, 2, 1, 0.0, bulk=True)


def test_too_much_at_the_carrier_holds_many_back_and_leaves_room_for_answers() -> None:
    pace = Pace(Rates(sender=1.0, campaign=12.0, account=60.0), 0.0)
    pace.lies_at_carrier({(1, 2): 600})
    assert pace.wait(1, 2, 0.0, bulk=True) == float("inf")
    assert pace.admit(1, 2, 1, 0.0, bulk=False)
    pace.lies_at_carrier({(1, 2): 900})
    assert not pace.admit(1, 2, 1, 0.0, bulk=False)
    assert pace.admit(1, 3, 1, 0.0, bulk=True)


def test_workers_share_the_account() -> None:
    pace = Pace(Rates(sender=1_000.0, campaign=1_000.0, account=10.0), 0.0)
    pace.share(5, 0.0)
    left = sum(pace.admit(1, 2, 1, second / 10, bulk=True) for second in range(1_000))
    assert left == pytest.approx(200, abs=15)
