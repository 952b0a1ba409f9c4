"""How the person on the page signs in, for those who manage the account."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import reflex as rx

from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.registry import services
from tp_inbox.services.second_step import Connected
from tp_inbox.web.acting import actor

NAMES = {"accounts.google.com": "Google", "login.microsoftonline.com": "Microsoft"}
NONE = Connected(0, "")


class SecondStepPanel(rx.State):
    """``_show`` fills it, ``_clear`` forgets everything."""

    shown: bool = False
    on: bool = False
    demanded: bool = False
    codes_left: int = 0
    identities: list[Connected] = []
    """With the provider's name in the place of its address."""
    may_reset: bool = False
    may_disconnect: bool = False
    asking: bool = False
    parting: Connected = NONE
    """What shall be disconnected, while one is asked whether it shall."""
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

    @rx.event
    def ask_to_disconnect(self, identity_id: int) -> None:
        mine = (each for each in self.identities if self.may_disconnect and each.id == identity_id)
        self.parting = next(mine, NONE)

    @rx.event
    def keep(self) -> None:
        self.parting = NONE

    @rx.event
    async def disconnect(self) -> rx.event.EventSpec:
        identity_id, self.parting = self.parting.id, NONE
        try:
            await services().identities.disconnect(actor(), self._staff_id, identity_id)
        except (Invalid, NotAllowed) as refusal:
            await self._show(self._staff_id)
            return rx.toast.error(refusal.sentence)
        await self._show(self._staff_id)
        return rx.toast.success("Single sign-on is disconnected.")

    async def _show(self, staff_id: int) -> None:
        try:
            ways = await services().second_steps.ways_of(actor(), staff_id)
        except (NotAllowed, NotFound):
            return self._clear()
        self.shown, self._staff_id = True, staff_id
        self.on, self.demanded, self.codes_left = ways.on, ways.demanded, ways.codes_left
        self.identities = [replace(each, issuer=_named(each.issuer)) for each in ways.identities]
        self.may_reset, self.may_disconnect = ways.on and not ways.refusal, not ways.refusal
        return None

    def _clear(self) -> None:
        self.shown = self.on = self.demanded = self.may_reset = self.may_disconnect = self.asking = False
        self.codes_left = self._staff_id = 0
        self.identities, self.parting = [], NONE


def _named(issuer: str) -> str:
    host = urlsplit(issuer).hostname or issuer
    return NAMES.get(host, host)
