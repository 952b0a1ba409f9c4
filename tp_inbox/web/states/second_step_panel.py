"""How the person on the page signs in, for those who manage the account."""

from __future__ import annotations

from urllib.parse import urlsplit

import reflex as rx

from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor

NAMES = {"accounts.google.com": "Google", "login.microsoftonline.com": "Microsoft"}


class SecondStepPanel(rx.State):
    """``_show`` fills it, ``_clear`` forgets everything."""

    shown: bool = False
    on: bool = False
    demanded: bool = False
    codes_left: int = 0
    providers: list[str] = []
    may_reset: bool = False
    asking: bool = False
    _staff_id: int = 0

    @rx.event
    def ask(self) -> None:
        self.asking = self.may_reset

    @rx.event
    def leave(self) -> None:
        self.asking = False

    @rx.event
    async def reset_it(self) -> rx.event.EventSpec:
        self.asking = False
        try:
            await services().second_steps.reset(actor(), self._staff_id)
        except Invalid as refusal:
            await self._show(self._staff_id)
            return rx.toast.error(refusal.sentence)
        await self._show(self._staff_id)
        return rx.toast.success("The second step is reset.")

    async def _show(self, staff_id: int) -> None:
        try:
            ways = await services().second_steps.ways_of(actor(), staff_id)
        except (NotAllowed, NotFound):
            return self._clear()
        self.shown, self._staff_id = True, staff_id
        self.on, self.demanded, self.codes_left = ways.on, ways.demanded, ways.codes_left
        self.providers = list(dict.fromkeys(map(_named, ways.identities)))
        self.may_reset = ways.on and not ways.refusal
        return None

    def _clear(self) -> None:
        self.shown = self.on = self.demanded = self.may_reset = self.asking = False
        self.codes_left = self._staff_id = 0
        self.providers = []


def _named(issuer: str) -> str:
    host = urlsplit(issuer).hostname or issuer
    return NAMES.get(host, host)
