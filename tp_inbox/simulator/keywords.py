"""The words Twilio answers by itself, and what it answers."""

from __future__ import annotations

from enum import StrEnum


class Keyword(StrEnum):
    """The value is what OptOutType carries."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


WORDS: dict[str, Keyword] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), Keyword.STOP),
    **dict.fromkeys(("START", "UNSTOP", "YES"), Keyword.START),
    **dict.fromkeys(("HELP", "INFO"), Keyword.HELP),
}

ANSWERS: dict[Keyword, str] = {
    Keyword.STOP: "You have successfully been unsubscribed. You will not receive any more messages from this number."
    " Reply START to resubscribe.",
    Keyword.START: "You have successfully been re-subscribed to messages from this number. Reply HELP for help."
    " Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
    Keyword.HELP: "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}


def keyword_in(body: str) -> Keyword | None:
    """The keyword a text consists of: alone, in any case, blanks around it ignored."""
    return WORDS.get(body.strip().upper())
