"""Finding a family to write to, and from which inbox."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.registry import services
from tp_inbox.services.views import RecipientView, SenderChoice
from tp_inbox.web.acting import actor


class NewMessageState(rx.State):
    words: str = ""
    found: list[RecipientView] = []
    searched: bool = False
    chosen: RecipientView | None = None
    senders: list[SenderChoice] = []

    @rx.event
    async def search(self, words: str) -> None:
        self.words = words
        self.found = await services().finding.recipients(actor(), words)
        self.searched = bool(words.strip())

    @rx.event
    async def choose(self, phone_id: int) -> rx.event.EventSpec | None:
        """Opens the thread, or asks From first where there is more than one."""
        self.senders = await services().threads.senders(actor(), phone_id)
        self.chosen = next((r for r in self.found if r.phone_id == phone_id), None)
        return None if len(self.senders) > 1 else await self._open(phone_id, None)

    @rx.event
    async def choose_sender(self, inbox_id: int) -> rx.event.EventSpec | None:
        return await self._open(self.chosen.phone_id, inbox_id) if self.chosen else None

    @rx.event
    def back(self) -> None:
        self.chosen, self.senders = None, []

    async def _open(self, phone_id: int, inbox_id: int | None) -> rx.event.EventSpec:
        thread_id, box = await services().threads.open(actor(), phone_id, inbox_id)
        return rx.redirect(f"/messages/{box}/{thread_id}")

    def _clear(self) -> None:
        self.words, self.found, self.searched, self.chosen, self.senders = "", [], False, None, []
