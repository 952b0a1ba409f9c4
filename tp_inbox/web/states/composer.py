"""Writing in the open thread: the draft, its length, From, and sending."""

from __future__ import annotations

from uuid import UUID, uuid4

import reflex as rx

from tp_inbox.domain.errors import Invalid, Refusal
from tp_inbox.services.registry import services
from tp_inbox.services.views import LengthView
from tp_inbox.web.acting import actor
from tp_inbox.web.states.thread import ThreadState

NO_LENGTH = LengthView(0, 0, 0, "", "")
LEFT = "You have just changed From. Look at it, and send again."


class ComposerState(rx.State):
    key: str = ""
    """Of the draft; it becomes the text's, so that one click is one text."""
    written: str = ""
    """What the composer begins with; from then on the browser holds what is typed."""
    length: LengthView = NO_LENGTH
    refused: str = ""
    refused_key: str = ""
    _left: int = 0
    """The thread that From has moved away from: nothing more leaves from there until it is opened again."""

    @rx.event
    async def type(self, thread_id: int, key: str, written: str) -> None:
        """Keeps the draft and measures it; comes some milliseconds after the last key."""
        await services().threads.save_draft(actor(), thread_id, _uuid(key), written)
        if thread_id == await self._open_thread():
            self.length = await self._measured(thread_id, written)
            self.refused = ""

    @rx.event
    async def send(self, thread_id: int, key: str, written: str, seen: int) -> None:
        """Sends once, however often the same key comes; a refusal gives the words back to the composer."""
        thread = await self.get_state(ThreadState)
        try:
            if thread_id == self._left:
                raise Invalid(LEFT)
            message = await services().sending.send(actor(), thread_id, written, _uuid(key), seen)
        except Refusal as refusal:
            self.refused, self.refused_key = refusal.sentence, key
            return
        self.refused, self.refused_key, self.length = "", "", NO_LENGTH
        if thread_id == thread.head.id:
            thread._append(message)

    @rx.event
    async def retry(self, message_id: int) -> None:
        """Sends a failed text again, as a new one."""
        message = await services().sending.retry(actor(), message_id)
        (await self.get_state(ThreadState))._append(message)

    @rx.event
    async def choose_sender(self, inbox_id: int) -> rx.event.EventSpec:
        """Moves to the same family's thread in the other inbox, with the draft."""
        thread_id = await self._open_thread()
        target, box = await services().threads.choose_sender(actor(), thread_id, inbox_id)
        self._left = thread_id if target != thread_id else 0
        return rx.redirect(f"/messages/{box}/{target}")

    async def _fill(self, thread_id: int) -> None:
        if thread_id == self._left:
            self._left = 0
        draft = await services().threads.draft(actor(), thread_id)
        self.key, self.written = draft.key, draft.written
        self.refused, self.refused_key = "", ""
        self.length = await self._measured(thread_id, draft.written)

    def _clear(self) -> None:
        self.key, self.written, self.length, self.refused, self.refused_key = str(uuid4()), "", NO_LENGTH, "", ""

    async def _measured(self, thread_id: int, written: str) -> LengthView:
        return await services().sending.measure(actor(), thread_id, written) if written.strip() else NO_LENGTH

    async def _open_thread(self) -> int:
        return (await self.get_state(ThreadState)).head.id


def _uuid(key: str) -> UUID:
    try:
        return UUID(key)
    except (ValueError, AttributeError, TypeError):
        raise Invalid("This page is out of date. Please reload it.") from None


