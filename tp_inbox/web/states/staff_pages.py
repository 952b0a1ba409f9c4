"""The list of staff, and the page of one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import reflex as rx

from tp_inbox.domain import access
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.registry import services
from tp_inbox.services.staff_directory import (
    NO_SUCH_CHOICE,
    PEOPLE_A_PAGE,
    STATE_LABELS,
    Asked,
    Choice,
    Key,
    SortBy,
    StaffMember,
    StaffRow,
    StaffState,
)
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable
from tp_inbox.web.states.account import AccountState
from tp_inbox.web.states.assigning import AssigningState
from tp_inbox.web.states.page import Page
from tp_inbox.web.states.second_step_panel import SecondStepPanel
from tp_inbox.web.states.sessions_panel import SessionsState
from tp_inbox.web.states.why import WhyState

NEWEST_FIRST = {SortBy.SEEN, SortBy.ADDED}
NUMBERED = {"school", "group", "role"}
WORDED = {"state", "two_step"}
PANELS = (AssigningState, WhyState, SecondStepPanel, SessionsState)
"""Parts of a person's page with a state of their own: ``_show`` takes the person's id, ``_clear`` forgets them."""
MOST_DIGITS = 15
"""Of an id: more fit into no browser's number."""
TWO_STEP = {"on": "Two-step on", "off": "Two-step off"}


@dataclass(frozen=True, slots=True)
class Chip:
    """One way in which the list is narrowed, to be taken away again."""

    what: str
    label: str


class StaffListPage(Page, rx.State):
    asked: Asked = Asked()
    rows: list[StaffRow] = []
    total: int = 0
    schools: list[Choice] = []
    groups: list[Choice] = []
    roles: list[Choice] = []
    chips: list[Chip] = []
    first: int = 0
    """Which of all these people stands in the first line, counted from 1."""
    more: bool = False
    exports: bool = False
    unfolded: bool = False
    """Whether a small screen shows the menus that narrow the list."""
    _starts: list[Key] = []
    """Where each page after the first begins, as far as one has gone."""
    _next: Key | None = None

    @rx.event
    async def search(self, words: str) -> None:
        await self._ask(replace(self.asked, words=storable(words)))

    @rx.event
    def fold(self) -> None:
        """Folds the menus away, or shows them again."""
        self.unfolded = not self.unfolded

    @rx.event
    async def narrow(self, what: str, value: str) -> None:
        """``what``: school, group, role, state or two_step. An empty value asks for all again."""
        self.unfolded = self.unfolded or bool(value)
        await self._ask(replace(self.asked, **{_field(what): _value(what, value)}))

    @rx.event
    async def clear(self) -> None:
        """Shows everybody again, sorted as before."""
        await self._ask(Asked(sort=self.asked.sort, descending=self.asked.descending))

    @rx.event
    async def sort(self, column: str) -> None:
        """By another column; by the same one the other way round."""
        again = column == (self.asked.sort or SortBy.NAME)
        descending = not self.asked.descending if again else column in NEWEST_FIRST
        await self._ask(replace(self.asked, sort=column, descending=descending))

    @rx.event
    async def next_page(self) -> None:
        if self._next is not None:
            self._starts = [*self._starts, self._next]
            await self._read()

    @rx.event
    async def previous_page(self) -> None:
        self._starts = self._starts[:-1]
        await self._read()

    @rx.event
    async def export(self) -> rx.event.EventSpec:
        table = await services().staff_directory.as_file(actor(), self.asked)
        return rx.download(data=table, filename=f"staff-{datetime.now(UTC):%Y-%m-%d}.csv")

    async def _load(self, rest: list[str], *, again: bool) -> None:  # noqa: ARG002 - what is asked stays
        choices = await services().staff_directory.choices(actor())
        self.schools, self.groups, self.roles = choices.schools, choices.groups, choices.roles
        self.exports = access.exports_staff(actor())
        await self._read()

    async def _ask(self, asked: Asked) -> None:
        before, self.asked, self._starts = self.asked, asked, []
        try:
            await self._read()
        except Invalid:
            self.asked = before
            raise

    async def _read(self) -> None:
        after = self._starts[-1] if self._starts else None
        page = await services().staff_directory.page(actor(), self.asked, after)
        self.rows, self.total, self._next = page.rows, page.total, page.next
        self.first = len(self._starts) * PEOPLE_A_PAGE + 1 if page.rows else 0
        self.more = page.next is not None
        self.chips = self._chips()

    def _chips(self) -> list[Chip]:
        asked = self.asked
        said = {
            "school": _name(self.schools, asked.school),
            "group": _name(self.groups, asked.group),
            "role": _name(self.roles, asked.role),
            "state": STATE_LABELS[StaffState(asked.state)] if asked.state else "",
            "two_step": TWO_STEP.get(asked.two_step, ""),
        }
        return [Chip(what, label) for what, label in said.items() if label]

    def _empty(self) -> None:
        self.asked, self.rows, self.total, self.chips = Asked(), [], 0, []
        self.schools, self.groups, self.roles = [], [], []
        self.first, self.more, self.exports, self._starts, self._next = 0, False, False, [], None
        self.unfolded = False


class PersonPage(Page, rx.State):
    person: StaffMember | None = None
    renaming: bool = False
    problem: str = ""

    @rx.event
    def rename(self) -> None:
        self.renaming, self.problem = self.person is not None, ""

    @rx.event
    def keep_name(self) -> None:
        self.renaming = False

    @rx.event
    async def save_name(self, form: dict) -> None:
        if self.person is None:
            raise NotFound
        name, title = storable(form.get("name", "")), storable(form.get("title", ""))
        try:
            await services().staff_directory.rename(actor(), self.person.id, name, title)
        except (Invalid, NotAllowed) as refusal:
            self.problem = refusal.sentence
            return
        self.renaming, self.problem = False, ""
        self.person = await services().staff_directory.person(actor(), self.person.id)

    @rx.event
    async def look_again(self) -> None:
        """After something on the page has changed what the rest of it shows."""
        if self.person is not None:
            await self._fill(again=True)

    async def _load(self, rest: list[str], *, again: bool) -> None:
        try:
            self.person = await services().staff_directory.person(actor(), _id_of(rest))
        except (NotAllowed, NotFound):
            for state in (AccountState, *PANELS):
                (await self.get_state(state))._clear()
            raise
        self.renaming = self.renaming and again
        await (await self.get_state(AccountState))._show(self.person)
        for state in PANELS:
            await (await self.get_state(state))._show(self.person.id)

    def _empty(self) -> None:
        self.person, self.renaming, self.problem = None, False, ""


def _field(what: str) -> str:
    if what not in NUMBERED | WORDED:
        raise Invalid(NO_SUCH_CHOICE)
    return what


def _value(what: str, value: str) -> Any:
    if what in WORDED:
        return value
    return _number(value) if value else 0


def _number(digits: str) -> int:
    if not digits.isdecimal() or len(digits) > MOST_DIGITS:
        raise Invalid(NO_SUCH_CHOICE)
    return int(digits)


def _name(choices: list[Choice], chosen: int) -> str:
    """What is asked for and is no choice any more is still said, so that it can be taken away."""
    return next((c.name for c in choices if c.id == chosen), "Not there any more") if chosen else ""


def _id_of(rest: list[str]) -> int:
    """Raises NotFound for an address that names nobody."""
    if len(rest) != 1 or not rest[0].isdecimal() or len(rest[0]) > MOST_DIGITS:
        raise NotFound
    return int(rest[0])
