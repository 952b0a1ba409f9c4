"""One's own settings: the signature under personal messages, and signing out everywhere."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.errors import Invalid
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable
from tp_inbox.web.states.own_password import OwnPasswordState
from tp_inbox.web.states.page import Page
from tp_inbox.web.states.readings import ReadingsState
from tp_inbox.web.states.sessions_panel import SessionsState


class SettingsPage(Page, rx.State):
    signature: str = ""
    typed: str = ""
    problem: str = ""
    saved: bool = False

    @rx.event
    def type(self, text: str) -> None:
        self.typed, self.saved = text, False

    @rx.event
    async def save(self, form: dict) -> None:
        try:
            self.signature = self.typed = await services().staff.save_signature(
                actor(), storable(form.get("signature", ""))
            )
        except Invalid as refusal:
            self.problem, self.saved = refusal.sentence, False
            return
        self.problem, self.saved = "", True

    async def _load(self, rest: list[str], *, again: bool) -> None:  # noqa: ARG002 - the page has one address
        if not again:
            self.signature = self.typed = await services().staff.signature(actor())
            self.problem, self.saved = "", False
            (await self.get_state(OwnPasswordState))._clear()
        await (await self.get_state(ReadingsState))._fill()
        await (await self.get_state(SessionsState))._show(actor().staff_id)

    def _empty(self) -> None:
        self.signature = self.typed = ""
