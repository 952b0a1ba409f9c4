"""The audit log on the screen: pages of it, searched and narrowed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import reflex as rx

from tp_inbox.domain import access
from tp_inbox.domain.errors import Invalid, NotFound, Refusal
from tp_inbox.services.audit_log import Asked, Choice, Key, LogLine, day_of, group_of
from tp_inbox.services.audit_sentences import GROUPS
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable
from tp_inbox.web.states.page import Page

FILE = "/exports/audit.csv"
NO_SUCH_FILTER = "This page is out of date. Please reload it."
BACKWARDS = "The first day is after the last."
NUMBERED, WORDED = {"school", "person"}, {"group", "since", "until"}
MOST_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Filters:
    """As menus and fields hold them; an empty one means all."""

    words: str = ""
    group: str = ""
    school: int = 0
    person: int = 0
    since: str = ""
    until: str = ""

    def asked(self) -> Asked:
        """Raises Invalid for what can be chosen on no page."""
        days = day_of(self.since), day_of(self.until)
        return Asked(self.words, group_of(self.group), self.person, self.school, *days)

    @property
    def backwards(self) -> bool:
        """Whether the period ends before it begins. Raises Invalid for what is no day."""
        first, last = day_of(self.since), day_of(self.until)
        return first is not None and last is not None and first > last

    def query(self) -> str:
        """For an address that asks the same."""
        given = {name: getattr(self, name) for name in self.__slots__}
        return urlencode({name: value for name, value in given.items() if value})


@dataclass(frozen=True, slots=True)
class Chip:
    """One way in which the log is narrowed, to be taken away again."""

    what: str
    label: str


class AuditPage(Page, rx.State):
    filters: Filters = Filters()
    lines: list[LogLine] = []
    chips: list[Chip] = []
    schools: list[Choice] = []
    people: list[Choice] = []
    """Whom a typed name may mean."""
    looked_for: str = ""
    period_problem: str = ""
    more: bool = False
    """Whether there are older entries."""
    page_number: int = 0
    file: str = ""
    """The address of the same entries as a file; empty for those who may not take them away."""
    cleared: int = 0
    """Counts up when the page empties fields that somebody has typed into."""
    _person_name: str = ""
    _starts: list[Key] = []
    _last: Key | None = None

    @rx.event
    async def search(self, words: str) -> None:
        await self._ask(replace(self.filters, words=storable(words)))

    @rx.event
    async def narrow(self, what: str, value: str) -> None:
        """``what``: group, school, person, since or until. An empty value asks for all again."""
        await self._ask(replace(self.filters, **{_field(what): _value(what, value)}))

    @rx.event
    async def begin(self, day: str) -> None:
        """Narrows from this day on."""
        await self._ask(replace(self.filters, since=storable(day)))

    @rx.event
    async def end(self, day: str) -> None:
        """Narrows up to this day."""
        await self._ask(replace(self.filters, until=storable(day)))

    @rx.event
    async def widen(self, what: str) -> None:
        """Takes a filter away, and empties its field."""
        self.cleared += 1
        await self._ask(replace(self.filters, **{_field(what): _value(what, "")}))

    @rx.event
    async def clear(self) -> None:
        self.cleared += 1
        await self._ask(Filters())

    @rx.event
    async def look_for(self, name: str) -> None:
        """Offers the people of that name."""
        name = storable(name).strip()
        self.people = await services().audit_log.people(actor(), name)
        self.looked_for = name

    @rx.event
    async def older(self) -> None:
        if self._last is not None:
            self._starts = [*self._starts, self._last]
            await self._read()

    @rx.event
    async def newer(self) -> None:
        self._starts = self._starts[:-1]
        await self._read()

    @rx.event
    async def refresh(self) -> None:
        """To the newest page, as the log is now."""
        self._starts = []
        await self._read()

    async def _load(self, rest: list[str], *, again: bool) -> None:
        self.schools = await services().audit_log.schools(actor())
        if not again:
            self.filters, self._starts = Filters(person=_person_in(rest)), []
        await self._read()

    async def _ask(self, filters: Filters) -> None:
        before, self.filters, self._starts = self.filters, filters, []
        try:
            await self._read()
        except Refusal:
            self.filters = before
            raise

    async def _read(self) -> None:
        person = self.filters.person
        name = await services().audit_log.person(actor(), person) if person else ""
        after = self._starts[-1] if self._starts else None
        page = await services().audit_log.page(actor(), self.filters.asked(), after)
        self.lines, self._last, self._person_name = page.lines, page.last, name
        self.more, self.page_number = page.last is not None, len(self._starts) + 1
        self.people, self.looked_for = [], ""
        self.period_problem = BACKWARDS if self.filters.backwards else ""
        self.file = f"{FILE}?{self.filters.query()}" if access.exports_log(actor()) else ""
        self.chips = self._chips()

    def _chips(self) -> list[Chip]:
        asked = self.filters
        said = {
            "group": GROUPS[group] if (group := group_of(asked.group)) else "",
            "person": self._person_name,
            "school": next((s.name for s in self.schools if s.id == asked.school), "Another school"),
            "since": f"From {_said(asked.since)}",
            "until": f"To {_said(asked.until)}",
        }
        return [Chip(what, label) for what, label in said.items() if getattr(asked, what)]

    def _empty(self) -> None:
        self.filters, self.lines, self.chips, self.schools, self.people = Filters(), [], [], [], []
        self.more, self.page_number, self.file, self.looked_for = False, 0, "", ""
        self._person_name, self._starts, self._last, self.period_problem = "", [], None, ""


def _said(day: str) -> str:
    at = day_of(day)
    return f"{at:%b} {at.day}, {at.year}" if at else ""


def _field(what: str) -> str:
    if what not in NUMBERED | WORDED:
        raise Invalid(NO_SUCH_FILTER)
    return what


def _value(what: str, value: str) -> Any:
    if what in WORDED:
        return value
    if value and (not value.isdecimal() or len(value) > MOST_DIGITS):
        raise Invalid(NO_SUCH_FILTER)
    return int(value or 0)


def _person_in(rest: list[str]) -> int:
    """/admin/audit/person/7 is about one person. Raises NotFound for any other longer address."""
    if not rest:
        return 0
    if len(rest) != 2 or rest[0] != "person" or not rest[1].isdecimal() or len(rest[1]) > MOST_DIGITS:
        raise NotFound
    return int(rest[1])
