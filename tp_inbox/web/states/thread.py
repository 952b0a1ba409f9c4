"""The open thread: its head, a window of bubbles, and the tail that grows while one looks."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.errors import NotFound
from tp_inbox.services.changes import Changed
from tp_inbox.services.inboxes import in_groups
from tp_inbox.services.registry import services
from tp_inbox.services.views import MessageRow, StatusView, ThreadHead
from tp_inbox.web.acting import actor

MOST_IN_TAIL = 10
MOST_IN_WINDOW = 150

NO_HEAD = ThreadHead(0, "", 0, "", "", "", "", 0, "", "", [], [], "")


class ThreadState(rx.State):
    head: ThreadHead = NO_HEAD
    rows: list[MessageRow] = []
    tail: list[MessageRow] = []
    """What came since the rows were sent; a new bubble sends these few alone."""
    statuses: dict[str, StatusView] = {}
    """By message id, what became of bubbles after they were sent to the screen."""
    older: bool = False
    loading: bool = False
    missing: str = ""
    """A sentence in place of the thread."""
    family_shown: bool = False

    @rx.var
    def last_id(self) -> int:
        """The newest bubble on the screen, which a send names as seen."""
        return max((row.id for row in self.tail or self.rows), default=0)

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
        self.rows = in_groups([*found, *self.rows][:MOST_IN_WINDOW])

    @rx.event
    async def mark_read(self) -> None:
        """The person looks at the end of the thread."""
        if not self.head.id:
            return
        await services().inboxes.mark_read(actor(), self.head.id)

    @rx.event
    def toggle_family(self) -> None:
        self.family_shown = not self.family_shown

    async def _fill(self, thread_id: int, box: str) -> None:
        """Raises nothing for a thread that is not there, or not this person's: the screen says so."""
        try:
            head = await services().threads.head(actor(), thread_id)
            if head.box != box:
                raise NotFound
            self.rows, self.older = await services().inboxes.messages(actor(), thread_id)
        except NotFound as refusal:
            self._close(refusal.sentence)
            return
        if head.id != self.head.id:
            self.family_shown = False
        self.head, self.tail, self.statuses, self.missing = head, [], {}, ""
        self.loading = False

    def _close(self, sentence: str = "") -> None:
        self.head, self.rows, self.tail, self.statuses = NO_HEAD, [], [], {}
        self.older, self.loading, self.missing = False, False, sentence

    async def _take(self, changed: Changed) -> None:
        if changed.change.thread == self.head.id and changed.message:
            self._append(changed.message)
            if self.head.introduces and changed.message.outbound:
                self.head = await services().threads.head(actor(), self.head.id)

    def _append(self, message: MessageRow) -> None:
        """Once, whichever way it came: from one's own click, or from the feed."""
        window = [*self.rows, *self.tail]
        if any(row.id == message.id for row in window):
            return
        (message,) = in_groups([message], above=window[-1] if window else None)
        self.tail = [*self.tail, message]
        if len(self.tail) > MOST_IN_TAIL:
            self.rows, self.tail = window[-MOST_IN_WINDOW:] + [message], []

    def _take_status(self, changed: Changed) -> None:
        if changed.change.thread == self.head.id and changed.status:
            self.statuses = {**self.statuses, str(changed.change.message): changed.status}

    async def _look_again(self) -> None:
        """Consent or permissions changed: the head anew, or a sentence where it may not be read any more."""
        if not self.head.id:
            return
        try:
            self.head = await services().threads.head(actor(), self.head.id)
        except NotFound:
            self._close("You no longer have access to this conversation.")


