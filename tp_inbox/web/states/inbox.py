"""The list of threads in one tab, a page of 50 at a time, newest first."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import reflex as rx

from tp_inbox.domain.access import InboxKind
from tp_inbox.domain.composing import preview
from tp_inbox.services.changes import Changed
from tp_inbox.services.registry import services
from tp_inbox.services.views import MessageRow, ThreadRow
from tp_inbox.web.acting import actor
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
        self.rows = self.rows + found

    async def _fill(self, box: str) -> None:
        self.box = box
        self.rows, self.older = await services().inboxes.threads(actor(), InboxKind(box))
        self.moved = []
        self.loading = False

    async def _take(self, changed: Changed) -> None:
        """A new text: its thread moves to the top, and the counts follow."""
        message, thread_id = changed.message, changed.change.thread or 0
        known = self._row(thread_id)
        row = _renewed(known, message, changed.unread.get(actor().staff_id, 0)) if known and message else None
        row = row or await services().inboxes.thread_row(actor(), thread_id)
        if (known.unread if known else 0) != row.unread or known is None:
            await (await self.get_state(ShellState))._count()
        if row.box == self.box:
            await self._to_the_top(row)

    async def _update(self, thread_id: int) -> None:
        """One row anew, where it stands: it was read, or a draft began or ended."""
        if self._row(thread_id) is None:
            return
        row = await services().inboxes.thread_row(actor(), thread_id)
        self.moved = [row if r.id == thread_id else r for r in self.moved]
        if thread_id not in self.moved_ids:
            self.rows = [row if r.id == thread_id else r for r in self.rows]

    async def _to_the_top(self, row: ThreadRow) -> None:
        self.moved = [row] + [r for r in self.moved if r.id != row.id]
        if len(self.moved) > MOST_MOVED:
            moved = {r.id for r in self.moved}
            self.rows = self.moved + [r for r in self.rows if r.id not in moved]
            self.moved = []

    def _row(self, thread_id: int) -> ThreadRow | None:
        return next((r for r in self.moved + self.rows if r.id == thread_id), None)


def _renewed(row: ThreadRow, message: MessageRow, unread: int) -> ThreadRow:
    return replace(
        row,
        preview=row.preview if row.draft else preview(message.text) or "Picture",
        at=message.at,
        outbound=message.outbound,
        author_id=message.author_id,
        author=message.author,
        unread=unread,
    )
