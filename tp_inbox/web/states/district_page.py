"""The district at a glance: schools, staff, and who holds which role."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.errors import NotAllowed
from tp_inbox.services.district import SchoolView, StaffView
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor
from tp_inbox.web.states.shell import ShellState


class DistrictPage(rx.State):
    name: str = ""
    schools: list[SchoolView] = []
    staff: list[StaffView] = []
    refused: str = ""
    loading: bool = True

    @rx.event
    async def open(self) -> None:
        await (await self.get_state(ShellState))._fill()
        self.loading = False
        try:
            seen = await services().district.overview(actor())
        except NotAllowed as refusal:
            self.name, self.schools, self.staff, self.refused = "", [], [], refusal.sentence
            return
        self.name, self.schools, self.staff, self.refused = seen.name, seen.schools, seen.staff, ""
