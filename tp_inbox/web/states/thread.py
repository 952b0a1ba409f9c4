"""The open thread: its head, a window of bubbles, and the tail that grows while one looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import reflex as rx

from tp_inbox.domain.errors import NotFound
from tp_inbox.services.changes import Changed
from tp_inbox.services.inboxes import in_groups
from tp_inbox.services.registry import services
from tp_inbox.services.views import MessageRow, StatusView, ThreadHead
from tp_inbox.web.acting import actor

MOST_IN_TAIL = 10
MOST_PARKED = 40
MOST_IN_WINDOW = 150
NO_ACCESS = "You no longer have access to this conversation."

NO_HEAD = ThreadHead(0, "", 0, "", "", "", 0, "", "", [], [], "")


@dataclass(frozen=True, slots=True)
class Opened:
    """What is to be shown in a thread's place: its head and newest bubbles, or a sentence why not."""

    head: ThreadHead = NO_HEAD
    rows: tuple[MessageRow, ...] = ()
    older: bool = False
    missing: str = ""


class ThreadState(rx.State):
    head: ThreadHead = NO_HEAD
    rows: list[MessageRow] = []
    parked: list[MessageRow] = []
    tail: list[MessageRow] = []
    """What came since the rows were sent. A new bubble sends these few alone; a full tail is parked."""
    statuses: dict[str, StatusView] = {}
    """By message id, what became of bubbles after they were sent to the screen."""
    older: bool = False
    newer: bool = False
    """Reading far above, the newest bubbles have left the window; ``show_newest`` brings them back."""
    missing: str = ""
    """A sentence in place of the thread."""
    family_shown: bool = False

    last_id: int = 0
    """The newest bubble on the screen, which a send names as seen."""
    last_out_id: int = 0
    """The newest text of ours; "delivered" is said under it alone."""
    first_id: int = 0
    sent_keys: list[str] = []
    """Keys of the newest texts of ours: the composer lets go of what is among them."""
    _shown: frozenset[int] = frozenset()
    _end: MessageRow | None = None

    @rx.event
    async def show_older(self) -> None:
        if not self.rows or not self.older:
            return
        found, self.older = await services().inboxes.messages(actor(), self.head.id, before=self.rows[0].id)
        window = [*found, *self._window()]
        self.newer = self.newer or len(window) > MOST_IN_WINDOW
        self._put(window[:MOST_IN_WINDOW])

    @rx.event
    async def show_newest(self) -> None:
        """Back from far above to where the thread ends."""
        await self._to_the_end()

    @rx.event
    async def mark_read(self) -> None:
        """The end of the thread is on a visible screen."""
        if self.head.id and not self.newer:
            await services().inboxes.mark_read(actor(), self.head.id)

    @rx.event
    def toggle_family(self) -> None:
        self.family_shown = not self.family_shown

    async def _find(self, thread_id: int, box: str) -> Opened:
        """Reads and changes nothing, so that a click that overtakes another leaves no half of it."""
        try:
            head = await services().threads.head(actor(), thread_id)
            rows, older = await services().inboxes.messages(actor(), thread_id)
        except NotFound as refusal:
            return Opened(missing=refusal.sentence)
        return Opened(head, tuple(rows), older) if head.box == box else Opened(missing=NotFound().sentence)

    def _show(self, opened: Opened) -> None:
        if opened.head.id != self.head.id:
            self.family_shown = False
        self.head, self.older = opened.head, opened.older
        self.statuses, self.newer, self.missing = {}, False, opened.missing
        self._put(opened.rows)

    def _put(self, window: Sequence[MessageRow]) -> None:
        """These bubbles and no others, with what the screen has to know of them."""
        self.rows, self.parked, self.tail = in_groups(window), [], []
        ours = [row for row in window if row.outbound]
        self._shown = frozenset(row.id for row in window)
        self._end = window[-1] if window else None
        self.first_id, self.last_id = (window[0].id if window else 0), max(self._shown, default=0)
        self.last_out_id, self.sent_keys = (ours[-1].id if ours else 0), [row.key for row in ours[-MOST_IN_TAIL:]]

    def _window(self) -> list[MessageRow]:
        return [*self.rows, *self.parked, *self.tail]

    async def _to_the_end(self) -> None:
        """The newest page again; somebody who lost access meanwhile gets the sentence."""
        if self.head.id and self.newer:
            self._show(await self._find(self.head.id, self.head.box))

    async def _take(self, changed: Changed) -> None:
        if changed.change.thread == self.head.id and changed.message:
            self._append(changed.message)
            if self.head.introduces and changed.message.outbound:
                self.head = await services().threads.head(actor(), self.head.id)

    def _append(self, message: MessageRow) -> None:
        """Once, whichever way it came: from one's own click, or from the feed."""
        if message.id in self._shown or self.newer:
            return
        if self._end and _place(message) < _place(self._end):
            self._fold(sorted([*self._window(), message], key=_place))
            return
        (message,) = in_groups([message], above=self._end)
        self.tail = [*self.tail, message]
        self._count_in(message)
        if len(self.tail) > MOST_IN_TAIL:
            self._park()

    def _count_in(self, message: MessageRow) -> None:
        self._shown, self._end, self.last_id = self._shown | {message.id}, message, max(self.last_id, message.id)
        if message.outbound:
            self.last_out_id, self.sent_keys = message.id, [*self.sent_keys, message.key][-MOST_IN_TAIL:]

    def _park(self) -> None:
        """A full tail is parked, and many parked ones become part of the rows: what is sent again stays small."""
        self.parked, self.tail = [*self.parked, *self.tail], []
        if len(self.parked) > MOST_PARKED:
            self._fold(self._window())

    def _fold(self, window: list[MessageRow]) -> None:
        """What leaves the window above can be asked for again."""
        self.older = self.older or len(window) > MOST_IN_WINDOW
        self._put(window[-MOST_IN_WINDOW:])

    def _take_status(self, changed: Changed) -> None:
        if changed.status and (changed.change.message or 0) in self._shown:
            self._overlay(changed.change.message or 0, changed.status)

    def _overlay(self, message_id: int, status: StatusView) -> None:
        self.statuses = {**self.statuses, str(message_id): status}

    async def _look_again(self) -> None:
        """Consent or permissions changed: the head anew, or a sentence where it may not be read any more."""
        if not self.head.id:
            return
        try:
            self.head = await services().threads.head(actor(), self.head.id)
        except NotFound:
            self._show(Opened(missing=NO_ACCESS))


def _place(row: MessageRow) -> tuple[datetime, int]:
    return datetime.fromisoformat(row.at), row.id
