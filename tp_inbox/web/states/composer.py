"""Writing in the open thread: the draft, its length, From, and sending."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import reflex as rx

from tp_inbox.domain.errors import FAULT, Invalid, NotFound, Refusal, SignedOut
from tp_inbox.services.registry import services
from tp_inbox.services.views import LengthView
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import OUT_OF_DATE, storable
from tp_inbox.web.states.thread import ThreadState

NO_LENGTH = LengthView(0, 0, "", "")
LEFT = "You have just changed From. Look at it, and send again."


@dataclass(frozen=True, slots=True)
class Begun:
    """What the composer of a thread begins with."""

    thread_id: int
    key: str
    written: str
    length: LengthView = NO_LENGTH


class ComposerState(rx.State):
    key: str = ""
    """Of the draft; it becomes the text's, so that one click is one text."""
    written: str = ""
    """What the composer begins with; from then on the browser holds what is typed."""
    length: LengthView = NO_LENGTH
    refused: str = ""
    refused_key: str = ""
    refusals: int = 0
    """Counted, so that the same text refused twice for the same reason comes back twice."""
    _left: int = 0
    """The thread that From has moved away from: nothing more leaves from there until it is opened again."""
    _touched: int = 0
    """The thread whose draft is another than its line in the list says."""

    @rx.event
    async def type(self, thread_id: int, key: str, written: str) -> None:
        """Keeps the draft and measures it; comes some milliseconds after the last key."""
        written = storable(written)
        if not await self._kept(thread_id, key, written):
            return
        self._touched = thread_id
        if thread_id == await self._open_thread():
            self.length = await self._measured(thread_id, written)
            self.refused = ""

    @rx.event
    async def send(self, thread_id: int, key: str, written: str, seen: int) -> AsyncIterator[None]:
        """Sends once, however often the same key comes; a refusal, or a fault, gives the words back to the composer."""
        try:
            await self._send(thread_id, key, written, seen)
        except SignedOut:
            raise
        except Refusal as refusal:
            self._refuse(refusal.sentence, key)
        except Exception:
            self._refuse(FAULT, key)
            yield
            raise

    @rx.event
    async def retry(self, message_id: int) -> None:
        """Sends a failed text of the open thread again, as a new one."""
        thread = await self.get_state(ThreadState)
        if message_id not in thread._shown:
            raise NotFound
        message = await services().sending.retry(actor(), message_id)
        await thread._to_the_end()
        thread._append(message)

    @rx.event
    async def cancel(self, message_id: int) -> None:
        """Holds back a text of the open thread that has not gone out yet."""
        thread = await self.get_state(ThreadState)
        if message_id not in thread._shown:
            raise NotFound
        thread._overlay(message_id, await services().sending.cancel(actor(), message_id))

    @rx.event
    async def choose_sender(self, inbox_id: int) -> rx.event.EventSpec:
        """Moves to the same family's thread in the other inbox, with the draft."""
        thread_id = await self._open_thread()
        target, box = await services().threads.choose_sender(actor(), thread_id, inbox_id)
        self._left = thread_id if target != thread_id else 0
        self._touched = thread_id
        return rx.redirect(f"/messages/{box}/{target}")

    async def _kept(self, thread_id: int, key: str, written: str) -> bool:
        """The last letters before a thread closed come after it. The screen has said so already, and the tab holds
        them until the thread is open to this person again.
        """
        try:
            await services().threads.save_draft(actor(), thread_id, _uuid(key), written)
        except NotFound:
            if thread_id == await self._open_thread():
                raise
            return False
        return True

    def _refuse(self, sentence: str, key: str) -> None:
        self.refused, self.refused_key = sentence, key
        self.refusals += 1

    async def _send(self, thread_id: int, key: str, written: str, seen: int) -> None:
        if thread_id == self._left:
            raise Invalid(LEFT)
        message = await services().sending.send(actor(), thread_id, written, _uuid(key), seen)
        self.refused, self.refused_key, self.length = "", "", NO_LENGTH
        thread = await self.get_state(ThreadState)
        if thread_id == thread.head.id:
            await thread._to_the_end()
            thread._append(message)

    async def _look_again(self) -> None:
        """Consent or permissions changed: the thread's head anew. Where that opens the composer again, it goes on where
        the draft has come to.
        """
        thread = await self.get_state(ThreadState)
        was_closed = thread.head.closed
        await thread._look_again()
        if was_closed and thread.head.id and not thread.head.closed:
            self._show(await self._find(thread.head.id))

    async def _find(self, thread_id: int) -> Begun:
        """Reads and changes nothing, as the thread's ``_find``."""
        draft = await services().threads.draft(actor(), thread_id)
        return Begun(thread_id, draft.key, draft.written, await self._measured(thread_id, draft.written))

    def _show(self, begun: Begun) -> None:
        if begun.thread_id == self._left:
            self._left = 0
        self.key, self.written, self.length = begun.key, begun.written, begun.length
        self.refused, self.refused_key = "", ""

    def _touched_elsewhere(self, thread_id: int) -> int:
        """The thread whose line in the list is to be renewed, now that another is opened; 0 for none."""
        touched, self._touched = self._touched, 0
        return touched if touched != thread_id else 0

    async def _measured(self, thread_id: int, written: str) -> LengthView:
        return await services().sending.measure(actor(), thread_id, written) if written.strip() else NO_LENGTH

    async def _open_thread(self) -> int:
        return (await self.get_state(ThreadState)).head.id


def _uuid(key: str) -> UUID:
    try:
        return UUID(key)
    except ValueError:
        raise Invalid(OUT_OF_DATE) from None
