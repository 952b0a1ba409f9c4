"""Frozen shapes made for the screen. They hold words and ids, and never a row.

Times are ISO 8601 in UTC; the browser shows them in the reader's zone.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class InboxTabs:
    """Which of the two tabs a person has, and how many threads with unread texts are in each."""

    personal: bool = False
    school: bool = False
    personal_unread: int = 0
    school_unread: int = 0


@dataclass(frozen=True)
class ThreadRow:
    """A line of the list. ``through``: by which of several schools one meets the family; empty for who has one."""

    id: int
    box: str
    title: str
    about: str
    initials: str
    hue: int
    preview: str
    at: str
    outbound: bool
    author_id: int
    author: str
    unread: int
    draft: bool = False
    inbox_name: str = ""
    through: str = ""
    asks_stop: bool = False
    """Whether a text of the family may mean STOP, and nobody has said yet."""


@dataclass(frozen=True)
class MessageRow:
    """A bubble. ``before`` is the time of the message above it, ``joined`` whether both make one group.

    ``owner``: the colleague in whose conversation it was written, before it was handed over; empty in one's own.
    ``turn``: "theirs" or "own" where another conversation begins above it.
    """

    id: int
    key: str
    outbound: bool
    author_id: int
    author: str
    text: str
    sent_as: str
    media: int
    at: str
    state: str
    reason: str
    advice: str
    may_retry: bool
    before: str = ""
    joined: bool = False
    owner: str = ""
    turn: str = ""
    again_at: str = ""
    doubled: str = ""
    may_cancel: bool = False


@dataclass(frozen=True)
class StatusView:
    """What became of a message that is on the screen already.

    ``again_at``: it has not arrived, and is sent again by itself at that time. ``doubled``: "possible" or "certain"
    when the family may have, or has, a text twice.
    """

    state: str
    reason: str
    advice: str
    may_retry: bool
    again_at: str = ""
    doubled: str = ""
    may_cancel: bool = False


@dataclass(frozen=True)
class PersonView:
    name: str
    about: str
    is_student: bool


@dataclass(frozen=True)
class SenderChoice:
    """An entry of From: who sends, and in words who sees the answer. ``stopped``: the family wants no texts there."""

    inbox_id: int
    label: str
    audience: str
    chosen: bool
    stopped: bool = False


@dataclass(frozen=True)
class Reading:
    """That somebody has read a conversation which is not theirs, when, and why; to be shown to whose it is."""

    id: int
    reader: str
    at: str
    reason: str
    family: str


NEVER_READ = Reading(0, "", "", "", "")


@dataclass(frozen=True)
class StopAsked:
    """A family's text that may mean STOP, in its words. ``id`` is 0 when nothing is asked."""

    id: int = 0
    words: str = ""
    may_answer: bool = False


@dataclass(frozen=True)
class ConsentEntry:
    """A line of a family's history with being texted."""

    id: int
    words: str
    at: str


@dataclass(frozen=True)
class StopPlace:
    """From where texts can be stopped by hand: a school, or with the id 0 the whole district."""

    id: int
    name: str


@dataclass(frozen=True)
class ConsentView:
    """Whether the family may be texted here. ``stopped``: what is stopped and whom that covers; empty while open.

    ``places``: what the reader may stop by hand. ``may_take_back``: whether they may undo what staff have recorded.
    """

    stopped: list[str] = field(default_factory=list)
    history: list[ConsentEntry] = field(default_factory=list)
    places: list[StopPlace] = field(default_factory=list)
    may_take_back: bool = False


UNKNOWN_CONSENT = ConsentView()
NOTHING_ASKED = StopAsked()


@dataclass(frozen=True)
class TiedHere:
    """Whom the reader may remove from this number, and in a sentence what becomes of them; no name: nobody."""

    name: str = ""
    then: str = ""


NOT_TIED = TiedHere()


@dataclass(frozen=True)
class ThreadHead:
    """All about an open thread but its messages. ``closed`` is why nothing can be sent, empty when it can."""

    id: int
    box: str
    inbox_id: int
    title: str
    about: str
    initials: str
    hue: int
    phone: str
    language: str
    people: list[PersonView]
    schools: list[str]
    closed: str
    senders: list[SenderChoice] = field(default_factory=list)
    audience: str = ""
    introduces: bool = False
    through: str = ""
    read_by: Reading = NEVER_READ
    times_read: int = 0
    may_tie: bool = False
    tied: TiedHere = NOT_TIED
    asked: StopAsked = NOTHING_ASKED
    consent: ConsentView = UNKNOWN_CONSENT


@dataclass(frozen=True)
class DraftView:
    key: str
    written: str


@dataclass(frozen=True)
class LengthView:
    """What the composer says about length: units left in the last segment, segments, and what makes it dear."""

    segments: int
    left: int
    costly: str
    too_long: str


@dataclass(frozen=True)
class RecipientView:
    """A person whom one may write to, or may not and why; ``instead`` are then the family's adults who can be.

    ``unsubscribed``: the family has stopped the texts of everybody for whom one could write.
    """

    key: str
    name: str
    about: str
    phone: str
    phone_id: int
    initials: str
    hue: int
    is_student: bool
    unreachable: str
    instead: list[str] = field(default_factory=list)
    through: str = ""
    unsubscribed: bool = False
