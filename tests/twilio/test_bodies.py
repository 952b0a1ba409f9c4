from __future__ import annotations

import base64

import pytest

from tp_inbox.twilio.bodies import readable

LONG = "Good morning, my son has a fever and will stay at home today. Thank you!"


def packed(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize(
    "text", [LONG, "Моя дочь сегодня болеет и не придёт в школу, извините.", "ابني مريض اليوم ولن يأتي " * 3]
)
def test_base64_of_a_long_text_is_undone(text: str) -> None:
    assert readable(packed(text)) == text


def test_base64_broken_into_lines_is_undone() -> None:
    assert readable(base64.encodebytes(LONG.encode()).decode()) == LONG


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abcd",
        LONG,
        packed("Short, yes."),
        packed("x" * 80),
        packed(b"\x89PNG\r\n\x1a\n" + b"\x00" * 80),
        packed(bytes(range(200))),
        "a" * 64,
        "https" * 16,
        packed(LONG)[:-1],
        packed(LONG) + " ok",
    ],
)
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert readable(text) == text
