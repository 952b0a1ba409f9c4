"""Segments, signatures, numbers and retries, without a server."""

from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator

from tp_inbox.simulator.courier import Outcome, RetryRule, is_webhook_url
from tp_inbox.simulator.fiction import fate_of, is_sold_here, normalize
from tp_inbox.simulator.segments import count_segments
from tp_inbox.simulator.signature import sign


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("á" * 70, 1),
        ("á" * 71, 2),
        ("á" * 134, 2),
        ("á" * 135, 3),
        ("🙂" * 35, 1),
        ("🙂" * 36, 2),
        ("🙂" * 66, 2),
        ("🙂" * 67, 3),
        ("ñ" * 160, 1),
        ("“" + "a" * 70, 2),
    ],
)
def test_segments_are_counted_as_the_air_counts_them(body: str, segments: int) -> None:
    assert count_segments(body) == segments


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://example.org/in", {"To": "+1", "Body": "ä 🙂", "Blank": ""}),
        ("http://127.0.0.1:3000/twilio/status?message=7&x=a%20b", {"b": "2", "a": "1"}),
        ("https://example.org/in?a=1", {}),
    ],
)
def test_a_signature_is_one_that_twilios_library_accepts(url: str, form: dict) -> None:
    assert RequestValidator("token").validate(url, form, sign("token", f"{url}#rc=2", form))
    assert not RequestValidator("other").validate(url, form, sign("token", url, form))


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+12125550142", "+12125550142"),
        ("(212) 555-0142", "+12125550142"),
        ("1 212 555 0142", "+12125550142"),
        ("+442079460123", "+442079460123"),
        ("+1212555014", None),
        ("+11125550142", None),
        ("911", None),
        ("", None),
        ("+1 212 555 0142 x5", None),
        ("+1212555٠١٤٢", None),
    ],
)
def test_a_number_is_read_as_people_write_it(written: str, number: str | None) -> None:
    assert normalize(written) == number


def test_fate_is_for_fictional_numbers_only() -> None:
    assert fate_of("+12125550197") and not fate_of("+12125550142")
    assert not fate_of("+12125560197")
    assert is_sold_here("+12125550129") and not is_sold_here("+12125550130")


def test_a_retry_rule_is_read_from_the_address() -> None:
    rule = RetryRule.of("https://example.org/in#rc=9&rp=5xx,ct")
    assert rule.retries == 5
    assert rule.covers(Outcome(503)) and rule.covers(Outcome(None, "ct"))
    assert not rule.covers(Outcome(404)) and not rule.covers(Outcome(None, "rt")) and not rule.covers(Outcome(200))
    assert RetryRule.of("https://example.org/in").retries == 0


NO_ADDRESSES = ["", "example.org", "ftp://a.org/", "http://", "http://a_b.org/", "http://a.org/ä", "http://a:99999/"]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_webhook_address_is_known(url: str) -> None:
    assert not is_webhook_url(url)
