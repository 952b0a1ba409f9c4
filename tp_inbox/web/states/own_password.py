"""Changing one's own password, in Settings."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.errors import Invalid
from tp_inbox.services.registry import services
from tp_inbox.web.acting import signed_in


class OwnPasswordState(rx.State):
    problem: str = ""
    changed: int = 0
    """How often; the form begins anew each time."""

    @rx.event
    async def change(self, form: dict) -> None:
        present, new, again = (str(form.get(name, "")) for name in ("present", "new", "again"))
        try:
            await services().own_password.change(signed_in(), present, new, again)
        except Invalid as refusal:
            self.problem = refusal.sentence
            return
        self.problem, self.changed = "", self.changed + 1

    def _clear(self) -> None:
        self.problem, self.changed = "", 0
