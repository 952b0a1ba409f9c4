"""Numbers under Admin: what needs somebody, and the numbers themselves."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.alert_views import AlertView
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor
from tp_inbox.web.states.page import Page


class NumbersPage(Page, rx.State):
    alerts: list[AlertView] = []
    more_alerts: int = 0
    """So many stand besides those that are shown."""

    @rx.event
    async def settle(self, alert_id: int) -> None:
        """Somebody has seen to it."""
        await services().alerts.settle(actor(), alert_id)
        await self._fill(again=True)

    async def _load(self, rest: list[str], *, again: bool) -> None:  # noqa: ARG002 - there is one address
        await self._read_alerts()

    async def _read_alerts(self) -> None:
        found = await services().alerts.open(actor())
        self.alerts, self.more_alerts = found.lines, found.more

    def _empty(self) -> None:
        self.alerts, self.more_alerts = [], 0
