"""The open thread: its head, a window of bubbles, and the tail that grows while one looks."""

from __future__ import annotations

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
MOST_IN_WINDOW = 150
NO_ACCESS = "You no longer have access to this conversation."

NO_HEAD = ThreadHead(0, "", 0, "", "", "", "", 0, "", "", [], [], "")


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
    tail: list[MessageRow] = []
    """What came since the rows were sent; a new bubble sends these few alone."""
    statuses: dict[str, StatusView] = {}
    """By message id, what became of bubbles after they were sent to the screen."""
    older: bool = False
    newer: bool = False
    """Reading far above, the newest bubbles have left the window; ``show_newest`` brings them back."""
    missing: str = ""
    """A sentence in place of the thread."""
    family_shown: bool = False

    @rx.var
    def last_id(self) -> int:
        """The newest bubble on the screen, which a send names as seen."""
        return max((row.id for row in [*self.rows, *self.tail]), default=0)

    @rx.var
    def last_out_id(self) -> int:
        """The newest text of ours; "delivered" is said under it alone."""
        return next((row.id for row in reversed([*self.rows, *self.tail]) if row.outbound), 0)

    @rx.var
    def first_id(self) -> int:
        return self.rows[0].id if self.rows else 0

    @rx.var
    def sent_keys(self) -> list[str]:
        """Keys of the newest texts of ours: the composer lets go of what is among them."""
        return [row.key for row in [*self.rows, *self.tail][-12:] if row.outbound]

    @rx.event
    async def show_older(self) -> None:
        if not self.rows or not self.older:
            return
        found, self.older = await services().inboxes.messages(actor(), self.head.id, before=self.rows[0].id)
        window = [*found, *self.rows, *self.tail]
        self.newer = self.newer or len(window) > MOST_IN_WINDOW
        self.rows, self.tail = in_groups(window[:MOST_IN_WINDOW]), []

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
        self.head, self.rows, self.older = opened.head, list(opened.rows), opened.older
        self.tail, self.statuses, self.newer, self.missing = [], {}, False, opened.missing

    def _shows(self, message_id: int) -> bool:
        return any(row.id == message_id for row in [*self.rows, *self.tail])

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
        if self._shows(message.id) or self.newer:
            return
        window = [*self.rows, *self.tail]
        if window and _place(message) < _place(window[-1]):
            self._fold(sorted([*window, message], key=_place))
            return
        (message,) = in_groups([message], above=window[-1] if window else None)
        self.tail = [*self.tail, message]
        if len(self.tail) > MOST_IN_TAIL:
            self._fold([*window, message])

    def _fold(self, window: list[MessageRow]) -> None:
        """The tail becomes part of the rows; what leaves the window above can be asked for again."""
        self.older = self.older or len(window) > MOST_IN_WINDOW
        self.rows, self.tail = in_groups(window[-MOST_IN_WINDOW:]), []

    def _take_status(self, changed: Changed) -> None:
        if changed.status and self._shows(changed.change.message or 0):
            self.statuses = {**self.statuses, str(changed.change.message): changed.status}

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
