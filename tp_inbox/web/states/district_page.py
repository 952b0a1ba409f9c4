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
        await self._fill()

    async def _fill(self, *, again: bool = False) -> None:  # noqa: ARG002 - the same on every page
        shell = await self.get_state(ShellState)
        shell._fill()
        try:
            seen = await services().district.overview(actor())
            self.name, self.schools, self.staff, self.refused = seen.name, seen.schools, seen.staff, ""
        except NotAllowed as refusal:
            self.name, self.schools, self.staff, self.refused = "", [], [], refusal.sentence
        self.loading = False
        await shell._count()
        shell.ready = True
