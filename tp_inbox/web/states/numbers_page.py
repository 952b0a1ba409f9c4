"""Numbers under Admin: what needs somebody, and the numbers themselves. Sections stand in ``number_sections``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import reflex as rx

from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.services.alert_views import AlertView
from tp_inbox.services.number_admin import NumberFilters, NumberRow, NumberSummary
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable
from tp_inbox.web.states.number_sections import NumberSections
from tp_inbox.web.states.page import Page

NO_SUCH_FILTER = "This page is out of date. Please reload it."
MOST_DIGITS = 15
NO_SUMMARY = NumberSummary(0, 0.0, None, 0, 0.0, 0, 0.0)


@dataclass(frozen=True)
class SchoolChoice:
    id: int
    name: str


class NumbersPage(Page, rx.State):
    summary: NumberSummary = NO_SUMMARY
    alerts: list[AlertView] = []
    more_alerts: int = 0
    """So many stand besides those that are shown."""
    rows: list[NumberRow] = []
    more: bool = False
    """Whether other numbers follow."""
    page_number: int = 0
    schools: list[SchoolChoice] = []
    words: str = ""
    owner: str = ""
    school: int = 0
    trouble: bool = False
    asking: int = 0
    """The number that is about to be given back."""
    asked_about: str = ""
    _starts: list[int] = []

    @rx.event
    async def settle(self, alert_id: int) -> None:
        """Somebody has seen to it."""
        await services().alerts.settle(actor(), alert_id)
        await self._fill(again=True)

    @rx.event
    async def resume_number(self, number_id: int) -> rx.event.EventSpec:
        """What had stopped it is mended, so it is used, or bought, again."""
        await services().lanes.resume_number(actor(), number_id)
        return await self._done("It is tried again.")

    @rx.event
    async def resume_campaign(self, campaign_id: int) -> rx.event.EventSpec:
        await services().lanes.resume_campaign(actor(), campaign_id)
        return await self._done("The texts go on.")

    @rx.event
    async def resume_account(self) -> rx.event.EventSpec:
        await services().lanes.resume_account(actor())
        return await self._done("The texts go on.")

    @rx.event
    async def replace_number(self, number_id: int) -> rx.event.EventSpec:
        """One that the carrier has no more."""
        await services().number_admin.replace(actor(), number_id)
        return await self._done("Another number is being bought.")

    @rx.event
    async def ask_to_release(self, number_id: int) -> None:
        number = await services().number_admin.number(actor(), number_id)
        if number is None:
            raise NotFound
        self.asking, self.asked_about = number_id, number.number

    @rx.event
    def keep(self) -> None:
        self.asking, self.asked_about = 0, ""

    @rx.event
    async def release(self) -> rx.event.EventSpec:
        number_id = self.asking
        self.asking, self.asked_about = 0, ""
        await services().number_admin.release(actor(), number_id)
        return await self._done("It is being given back.")

    @rx.event
    async def search(self, words: str) -> None:
        self.words = storable(words)
        await self._list_anew()

    @rx.event
    async def choose_owner(self, owner: str) -> None:
        """``owner``: person, school or pool; an empty one means all."""
        self.owner = storable(owner)
        await self._list_anew()

    @rx.event
    async def choose_school(self, school: str) -> None:
        if school and (not school.isdecimal() or len(school) > MOST_DIGITS):
            raise Invalid(NO_SUCH_FILTER)
        self.school = int(school or 0)
        await self._list_anew()

    @rx.event
    async def choose_trouble(self, which: str) -> None:
        """``which``: "trouble" for what needs somebody; an empty one means all."""
        self.trouble = which == "trouble"
        await self._list_anew()

    @rx.event
    async def next(self) -> None:
        if self.more and self.rows:
            self._starts = [*self._starts, self.rows[-1].id]
            await self._list()

    @rx.event
    async def previous(self) -> None:
        self._starts = self._starts[:-1]
        await self._list()

    async def _load(self, rest: list[str], *, again: bool) -> None:  # noqa: ARG002 - there is one address
        if not again:
            self.words, self.owner, self.school, self.trouble, self._starts = "", "", 0, False, []
            schools = await services().schools.all(actor())
            self.schools = [SchoolChoice(school.id, school.name) for school in schools]
        found = await services().alerts.open(actor())
        self.alerts, self.more_alerts = found.lines, found.more
        await self._list()
        await (await self.get_state(NumberSections))._show()

    async def _done(self, words: str) -> rx.event.EventSpec:
        await self._fill(again=True)
        return rx.toast.success(words)

    async def _list_anew(self) -> None:
        self._starts = []
        await self._list()

    async def _list(self) -> None:
        asked = NumberFilters(self.words, self.owner, self.school, self.trouble)
        after = self._starts[-1] if self._starts else 0
        page = await services().number_admin.list(actor(), asked, after)
        self.rows, self.more, self.page_number = page.rows, page.more, len(self._starts) + 1
        self.summary = page.summary

    async def _fill(self, *, again: bool = False) -> Any:
        onwards = await super()._fill(again=again)
        if self.refused:
            (await self.get_state(NumberSections))._clear()
        return onwards

    def _empty(self) -> None:
        self.summary, self.alerts, self.more_alerts = NO_SUMMARY, [], 0
        self.rows, self.more, self.page_number, self.schools = [], False, 0, []
        self.asking, self.asked_about = 0, ""
        self.words, self.owner, self.school, self.trouble, self._starts = "", "", 0, False, []
