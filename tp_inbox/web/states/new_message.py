"""Finding a family to write to, and from which inbox."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.errors import NotFound
from tp_inbox.services.registry import services
from tp_inbox.services.views import RecipientView, SenderChoice
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable


class NewMessageState(rx.State):
    words: str = ""
    found: list[RecipientView] = []
    searched: bool = False
    chosen: RecipientView | None = None
    senders: list[SenderChoice] = []

    @rx.event
    async def search(self, words: str) -> None:
        self.words = storable(words)
        self.found = await services().finding.recipients(actor(), self.words)
        self.searched = bool(self.words.strip())

    @rx.event
    async def choose(self, phone_id: int) -> rx.event.EventSpec | None:
        """Opens the thread, or asks From first where there is more than one."""
        chosen = next((r for r in self.found if r.phone_id == phone_id), None)
        if chosen is None:
            raise NotFound
        senders = await services().threads.senders(actor(), phone_id)
        if len(senders) > 1:
            self.chosen, self.senders = chosen, senders
            return None
        return await self._open(phone_id, None)

    @rx.event
    async def choose_sender(self, inbox_id: int) -> rx.event.EventSpec | None:
        return await self._open(self.chosen.phone_id, inbox_id) if self.chosen else None

    @rx.event
    def back(self) -> None:
        self.chosen, self.senders = None, []

    async def _open(self, phone_id: int, inbox_id: int | None) -> rx.event.EventSpec:
        thread_id, box = await services().threads.open(actor(), phone_id, inbox_id)
        return rx.redirect(f"/messages/{box}/{thread_id}")

    async def _look_again(self) -> None:
        """Permissions changed: nobody stays on the screen who would not be found now."""
        if self.found or self.chosen:
            self.chosen, self.senders = None, []
            self.found = await services().finding.recipients(actor(), self.words)

    def _clear(self) -> None:
        self.words, self.found, self.searched, self.chosen, self.senders = "", [], False, None, []
