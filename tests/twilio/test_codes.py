from __future__ import annotations

import logging
from collections import defaultdict

import pytest

from tp_inbox.domain.consent import Verdict
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.twilio import codes
from tp_inbox.twilio.codes import Treatment, meaning_of, meaning_of_answer, opt_out_of, reason_of, state_of

# The classes of Twilio's documentation, as they are told in the reference of this project.
CLASSES = {
    Treatment.RETRY_LATER: "20429 21611 30001 30003 30008 30022 30023 30036 30500 63017 63038",
    Treatment.LOOK_FIRST: "20500",
    Treatment.PERMANENT: "21211 21604 21614 21635 30005 30006",
    Treatment.OPTED_OUT: "21610",
    Treatment.OUR_CONFIGURATION: "20003 21408 21606 21601 21212 21659 21608 30002 30032 30034",
    Treatment.NOT_THIS_TEXT: "30004 30007",
}


@pytest.mark.parametrize(("treatment", "code"), [(t, code) for t, line in CLASSES.items() for code in line.split()])
def test_every_code_of_a_class_gets_its_treatment(treatment: Treatment, code: str) -> None:
    assert meaning_of(code).treatment is treatment


def test_a_reason_alone_tells_the_treatment() -> None:
    treatments = defaultdict(set)
    for meaning in codes._MEANINGS.values():
        treatments[meaning.reason].add(meaning.treatment)
    assert all(len(found) == 1 for found in treatments.values())


def test_an_unknown_code_is_logged_and_tried_once_more(caplog: pytest.LogCaptureFixture) -> None:
    assert meaning_of("39999") == (FailureReason.UNKNOWN, Treatment.ONCE_MORE)
    assert "39999" in caplog.text


def test_no_code_gives_no_reason_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    assert reason_of(None) is None
    assert not caplog.records


@pytest.mark.parametrize("status", [301, 500, 502, 503, 504, 408])
def test_an_answer_that_settles_nothing_is_looked_up_whatever_its_code(status: int) -> None:
    assert meaning_of_answer(status, "21211").treatment is Treatment.LOOK_FIRST


@pytest.mark.parametrize("status", [400, 401, 403, 404, 407])
def test_a_refusal_without_a_code_is_not_twilios_and_passes(status: int) -> None:
    assert meaning_of_answer(status, None) == (FailureReason.CARRIER_PROBLEM, Treatment.RETRY_LATER)


@pytest.mark.parametrize(("status", "code"), [(401, "20003"), (401, "20006"), (404, "20404")])
def test_an_account_that_twilio_itself_refuses_is_ours_to_mend(status: int, code: str) -> None:
    assert meaning_of_answer(status, code) == (FailureReason.ACCOUNT_PROBLEM, Treatment.OUR_CONFIGURATION)


def test_a_429_was_never_processed() -> None:
    assert meaning_of_answer(429, None) == (FailureReason.TOO_BUSY, Treatment.RETRY_LATER)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("accepted", DeliveryState.ACCEPTED),
        ("queued", DeliveryState.ACCEPTED),
        ("sending", DeliveryState.SENDING),
        ("sent", DeliveryState.SENT),
        ("delivered", DeliveryState.DELIVERED),
        ("undelivered", DeliveryState.UNDELIVERED),
        ("failed", DeliveryState.FAILED),
        ("canceled", DeliveryState.CANCELED),
        ("read", DeliveryState.READ),
        ("received", DeliveryState.RECEIVED),
    ],
)
def test_each_word_of_twilios_is_one_of_ours(word: str, state: DeliveryState) -> None:
    assert state_of(word) is state


@pytest.mark.parametrize("word", ["teleported", "DELIVERED", "", None, "partially_delivered"])
def test_an_unknown_word_is_logged_and_never_guessed(word: str | None, caplog: pytest.LogCaptureFixture) -> None:
    assert state_of(word) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_what_advanced_opt_out_decided_is_believed() -> None:
    words = [opt_out_of(word) for word in ("STOP", "START", "HELP", None, "", "PAUSE")]
    assert words == [Verdict.STOP_CERTAIN, Verdict.START, Verdict.HELP, None, None, None]
