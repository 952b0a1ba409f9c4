"""How the demonstration's texts are told: who said what, on which school day, at what time of the school's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time

from tp_inbox.domain.delivery import FailureReason


@dataclass(frozen=True, slots=True)
class Said:
    """One text, ``days_ago`` school days before the newest one. ``by`` is a member of staff; "" is the family."""

    days_ago: int
    at: time
    text: str
    by: str = ""
    failed: FailureReason | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """The texts between an inbox (a member's key, or a school's name) and a family phone.

    ``family`` is somebody reached at that phone, or the number of nobody we know. For ``unread_by`` what the
    family said last is unread; everybody else who may read it has. ``draft`` is what the inbox's owner has begun.
    """

    inbox: str
    family: str
    texts: tuple[Said, ...]
    unread_by: tuple[str, ...] = ()
    draft: str = ""


def school(by: str, days_ago: int, at: str, text: str, failed: FailureReason | None = None) -> Said:
    return Said(days_ago, time.fromisoformat(at), text, by, failed)


def home(days_ago: int, at: str, text: str) -> Said:
    return Said(days_ago, time.fromisoformat(at), text)
