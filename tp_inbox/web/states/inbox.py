"""The list of threads in one tab, a page of 50 at a time, newest first."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import reflex as rx

from tp_inbox.domain.access import InboxKind
from tp_inbox.domain.composing import preview_of
from tp_inbox.domain.errors import NotFound
from tp_inbox.services.changes import Changed
from tp_inbox.services.registry import services
from tp_inbox.services.views import MessageRow, ThreadRow
from tp_inbox.web.acting import actor
from tp_inbox.web.reflex_internals import event_socket
from tp_inbox.web.states.shell import ShellState

MOST_MOVED = 10
"""Rows that moved to the top are sent alone; when there are more of them, the list is sent again."""


class InboxState(rx.State):
    box: str = ""
    rows: list[ThreadRow] = []
    moved: list[ThreadRow] = []
    """Shown above the rows; a row that is here is hidden there."""
    older: bool = False
    loading: bool = True
    _filled_over: str = ""
    """The connection over which the list was read; while it lasts, the feed keeps the list true."""

    @rx.var
    def moved_ids(self) -> list[int]:
        return [row.id for row in self.moved]

    @rx.event
    async def show_older(self) -> None:
        if not self.rows or not self.older:
            return
        last = self.rows[-1]
        found, self.older = await services().inboxes.threads(
            actor(), InboxKind(self.box), (datetime.fromisoformat(last.at), last.id)
        )
        there = {row.id for row in self.rows}
        self.rows = self.rows + [row for row in found if row.id not in there]

    def _is_filled(self, box: str) -> bool:
        return self.box == box and self._filled_over == event_socket()

    async def _fill(self, box: str) -> None:
        rows, older = await services().inboxes.threads(actor(), InboxKind(box))
        self.box, self.rows, self.older, self.moved = box, rows, older, []
        self.loading, self._filled_over = False, event_socket() or ""

    def _clear(self) -> None:
        self.box, self.rows, self.moved, self.older, self._filled_over = "", [], [], False, ""

    async def _take(self, changed: Changed) -> None:
        """A new text: its thread moves to the top, and the counts follow when it has become unread. An automatic reply
        moves nothing.
        """
        message, thread_id = changed.message, changed.change.thread or 0
        if message and message.outbound and not message.author_id:
            return
        known = self._row(thread_id)
        if known and message:
            row = _renewed(known, message, changed.unread.get(actor().staff_id, 0), actor().staff_id)
        else:
            row = await self._row_in_this_tab(changed)
        shell = await self.get_state(ShellState)
        if known is None or row is None:
            await shell._count()
        else:
            shell._shift(row.box, bool(row.unread) - bool(known.unread))
        if row:
            self._to_the_top(row)

    async def _take_read(self, changed: Changed) -> None:
        """Read in one of this person's tabs: the line and the counts follow in all of them."""
        known, unread = self._row(changed.change.thread or 0), changed.unread.get(actor().staff_id, 0)
        shell = await self.get_state(ShellState)
        if known is None:
            await shell._count()
            return
        shell._shift(known.box, bool(unread) - bool(known.unread))
        self._put_in_place(replace(known, unread=unread))

    async def _update(self, thread_id: int) -> None:
        """One row anew, where it stands: a draft began or ended."""
        if self._row(thread_id) is None:
            return
        try:
            self._put_in_place(await services().inboxes.thread_row(actor(), thread_id))
        except NotFound:
            return

    def _put_in_place(self, row: ThreadRow) -> None:
        if row.id in self.moved_ids:
            self.moved = [row if r.id == row.id else r for r in self.moved]
        else:
            self.rows = [row if r.id == row.id else r for r in self.rows]

    async def _row_in_this_tab(self, changed: Changed) -> ThreadRow | None:
        """The line of a thread that is not in the list yet; None when it belongs to the other tab."""
        inbox = await services().inboxes.inbox_ref(changed.change.inbox or 0)
        if inbox.kind.value != self.box:
            return None
        return await services().inboxes.thread_row(actor(), changed.change.thread or 0)

    def _to_the_top(self, row: ThreadRow) -> None:
        self.moved = [row] + [r for r in self.moved if r.id != row.id]
        if len(self.moved) > MOST_MOVED:
            moved = {r.id for r in self.moved}
            self.rows = self.moved + [r for r in self.rows if r.id not in moved]
            self.moved = []

    def _row(self, thread_id: int) -> ThreadRow | None:
        return next((r for r in self.moved + self.rows if r.id == thread_id), None)


def _renewed(row: ThreadRow, message: MessageRow, unread: int, reader: int) -> ThreadRow:
    """What one has sent oneself was the draft."""
    draft = row.draft and message.author_id != reader
    return replace(
        row,
        preview=row.preview if draft else preview_of(message.text, message.media),
        draft=draft,
        at=message.at,
        outbound=message.outbound,
        author_id=message.author_id,
        author=message.author,
        unread=unread,
    )
