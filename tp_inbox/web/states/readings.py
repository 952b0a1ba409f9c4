"""Who has read one's own conversations without being a part of them."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.registry import services
from tp_inbox.services.views import Reading
from tp_inbox.web.acting import actor


class ReadingsState(rx.State):
    readings: list[Reading] = []
    older: bool = False

    @rx.event
    async def show_older(self) -> None:
        if not self.readings or not self.older:
            return
        found, self.older = await services().oversight.readings(actor(), self.readings[-1].id)
        self.readings = self.readings + found

    async def _fill(self) -> None:
        self.readings, self.older = await services().oversight.readings(actor())
