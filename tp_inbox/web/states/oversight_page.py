"""Oversight: the list of what may be overseen, and one conversation of it, which is opened before it is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import reflex as rx

from tp_inbox.domain import access
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.inboxes import in_groups
from tp_inbox.services.oversight import OverseenHead, OverseenRow, Question, SchoolChoice
from tp_inbox.services.registry import services
from tp_inbox.services.views import MessageRow
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable
from tp_inbox.web.reflex_internals import event_socket
from tp_inbox.web.states.page import Page
from tp_inbox.web.states.thread import MOST_IN_WINDOW, NO_ACCESS

MOST_DIGITS = 15
TITLE, REASON = "overseen-title", "reason"
"""Elements that take the focus: what was opened, and what is asked for."""
NOBODY = OverseenHead(0, "", "", "", 0, "", "", False, "", "", 0, "", False, "", False, False, False)


class OversightPage(Page, rx.State):
    family: str = ""
    person: str = ""
    school: int = 0
    schools: list[SchoolChoice] = []
    rows: list[OverseenRow] = []
    older_rows: bool = False

    head: OverseenHead = NOBODY
    asking: bool = False
    """The reason is asked for, and nothing of the conversation is here."""
    suggested: str = ""
    problem: str = ""
    missing: str = ""
    """A sentence in place of the conversation."""
    bubbles: list[MessageRow] = []
    older: bool = False
    family_shown: bool = False
    newer: bool = False
    """Reading far above, the newest bubbles have left the window."""
    first_id: int = 0
    last_id: int = 0
    last_out_id: int = 0
    _filled_over: str = ""
    """The connection over which the list was read."""

    @rx.event
    async def find_family(self, words: str) -> None:
        self.family = storable(words)
        await self._fill_list()

    @rx.event
    async def find_person(self, words: str) -> None:
        self.person = storable(words)
        await self._fill_list()

    @rx.event
    async def choose_school(self, school: int) -> None:
        self.school = school
        await self._fill_list()

    @rx.event
    async def show_older_rows(self) -> None:
        if not self.rows or not self.older_rows:
            return
        last = self.rows[-1]
        found, self.older_rows = await services().oversight.threads(
            actor(), self._question(), (datetime.fromisoformat(last.at), last.id)
        )
        there = {row.id for row in self.rows}
        self.rows = self.rows + [row for row in found if row.id not in there]

    @rx.event
    def suggest(self, words: str) -> rx.event.EventSpec:
        """One of the usual reasons, to be sent as it is or to be written on."""
        self.suggested, self.problem = storable(words), ""
        return rx.set_focus(REASON)

    @rx.event
    async def give_reason(self, form: dict) -> rx.event.EventSpec | None:
        """``form``: the reason, and the thread for which it was written, which another click may have replaced."""
        if not self.asking or form.get("thread") != str(self.head.id):
            return None
        try:
            await services().oversight.open(actor(), self.head.id, storable(form.get("reason", "")))
        except Invalid as refusal:
            self.problem = refusal.sentence
            return None
        except NotFound:
            self._close(NO_ACCESS)
            return None
        await self._show(self.head.id)
        return rx.set_focus(TITLE)

    @rx.event
    async def show_older(self) -> None:
        if not self.bubbles or not self.older:
            return
        try:
            found, self.older = await services().oversight.messages(actor(), self.head.id, before=self.bubbles[0].id)
        except (NotAllowed, NotFound):
            await self._show(self.head.id)
            return
        window = [*found, *self.bubbles]
        self.newer = self.newer or len(window) > MOST_IN_WINDOW
        self._put(window[:MOST_IN_WINDOW])

    @rx.event
    def toggle_family(self) -> None:
        self.family_shown = not self.family_shown

    @rx.event
    async def show_newest(self) -> None:
        """What has been written meanwhile, too; when the hour is over, the reason is asked for again."""
        if self.head.id:
            await self._show(self.head.id)

    async def _load(self, rest: list[str], *, again: bool) -> None:
        access.require(access.oversees(actor()), access.OVERSIGHT_ONLY)
        if again or not rest or self._filled_over != event_socket():
            self.schools = await services().oversight.schools(actor())
            await self._fill_list()
            self._filled_over = event_socket() or ""
        await self._open(rest, again=again)

    async def _fill_list(self) -> None:
        self.rows, self.older_rows = await services().oversight.threads(actor(), self._question())

    def _question(self) -> Question:
        return Question(self.family, self.person, self.school)

    async def _open(self, rest: list[str], *, again: bool) -> None:
        """The conversation that the address names. One that is on the screen already stays as it is, as far as it
        may still be read.
        """
        asked = rest[0] if rest else ""
        thread_id = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) <= MOST_DIGITS else 0
        before = self.head.id
        if again and thread_id and thread_id == before:
            await self._look_again()
        elif thread_id:
            await self._show(thread_id)
        else:
            self._close(NotFound().sentence if asked else "")

    async def _look_again(self) -> None:
        """What this person may do has changed: the head anew, or a sentence in place of the conversation."""
        try:
            self.head = await services().oversight.head(actor(), self.head.id)
        except NotFound:
            self._close(NO_ACCESS)

    async def _show(self, thread_id: int) -> None:
        """The conversation when it is open, else what has to be known before; a school's is opened by looking."""
        try:
            head = await services().oversight.head(actor(), thread_id)
            if not (head.opened or head.needs_reason or head.own):
                await services().oversight.open(actor(), thread_id)
                head = await services().oversight.head(actor(), thread_id)
            found, older = await services().oversight.messages(actor(), thread_id) if head.opened else ([], False)
        except (NotFound, NotAllowed) as refusal:
            self._close(refusal.sentence)
            return
        if head.id != self.head.id or head.opened:
            self.suggested = self.problem = ""
        self.family_shown = self.family_shown and head.manages and head.id == self.head.id
        self.head, self.missing, self.asking = head, "", head.needs_reason and not head.opened
        self.older, self.newer = older, False
        self._put(found)

    def _close(self, sentence: str) -> None:
        self.head, self.asking, self.missing = NOBODY, False, sentence
        self.suggested = self.problem = ""
        self.older = self.newer = self.family_shown = False
        self._put([])

    def _put(self, window: Sequence[MessageRow]) -> None:
        self.bubbles = in_groups(window)
        self.first_id = window[0].id if window else 0
        self.last_id = max((row.id for row in window), default=0)
        self.last_out_id = next((row.id for row in reversed(window) if row.outbound), 0)

    def _empty(self) -> None:
        self.rows, self.schools, self.older_rows, self._filled_over = [], [], False, ""
        self.family, self.person, self.school = "", "", 0
        self._close("")
