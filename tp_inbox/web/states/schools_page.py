"""Schools and groups under Admin: the two lists, and one school. What belongs to groups stands in ``groups_page``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import reflex as rx

from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.domain.phone import display_phone
from tp_inbox.services.groups import GroupLine
from tp_inbox.services.registry import services
from tp_inbox.services.schools import CHANGED_MEANWHILE, SchoolFields, SchoolLine, SchoolView
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable
from tp_inbox.web.states.groups_page import GroupFileState, GroupState
from tp_inbox.web.states.page import Page

FIELDS = ("name", "time_zone", "area_code", "office_phone")
MOST_DIGITS = 15
"""Of an id: more fit into no browser's number."""


class SchoolsPage(Page, rx.State):
    """Every address below /admin/schools. ``view``: schools, school, groups, group or file."""

    view: str = ""
    schools: list[SchoolLine] = []
    groups: list[GroupLine] = []
    words: str = ""

    @rx.var
    def nothing_found(self) -> bool:
        return not any(self.words in school.name.lower() for school in self.schools)

    @rx.event
    def search(self, words: str) -> None:
        self.words = " ".join(storable(words).lower().split())

    @rx.event
    async def download(self) -> rx.event.EventSpec:
        """The groups as a file that the import reads."""
        return rx.download(data=await services().groups.as_csv(actor()), filename="groups.csv")

    async def _fill(self, *, again: bool = False) -> Any:
        onwards = await super()._fill(again=again)
        if self.refused:
            for part in (SchoolState, GroupState, GroupFileState):
                (await self.get_state(part))._clear()
        return onwards

    async def _load(self, rest: list[str], *, again: bool) -> None:
        if not again:
            self.words = ""
        match rest:
            case []:
                self.schools = await services().schools.all(actor())
                self.view = "schools"
            case ["groups"]:
                self.groups = await services().groups.all(actor())
                self.view = "groups"
            case ["groups", "import"]:
                await (await self.get_state(GroupFileState))._show(again=again)
                self.view = "file"
            case ["groups", name]:
                await (await self.get_state(GroupState))._show(_id(name), again=again)
                self.view = "group"
            case [name]:
                await (await self.get_state(SchoolState))._show(_id(name), again=again)
                self.view = "school"
            case _:
                raise NotFound

    def _empty(self) -> None:
        self.view, self.schools, self.groups, self.words = "", [], [], ""


class SchoolState(rx.State):
    """One school, or a new one, whose id is 0."""

    school: SchoolView = SchoolView()
    zone: str = ""
    """The one that is chosen on the screen."""
    office: str = ""
    """The office's phone, as people write it."""
    problem: str = ""
    number_problem: str = ""
    version: int = 0
    """Counts how often the form was filled anew."""

    @rx.event
    def pick_zone(self, zone: str) -> None:
        self.zone = zone

    @rx.event
    async def save(self, form: dict) -> list[rx.event.EventSpec] | None:
        wanted = _fields(form)
        self.problem = ""
        try:
            if not self.school.id:
                return await self._create(wanted)
            await services().schools.change(actor(), self.school.id, wanted, self.school.fields)
        except Invalid as refusal:
            if refusal.sentence == CHANGED_MEANWHILE:
                await self._show(self.school.id, again=False)
            self.problem = refusal.sentence
            return None
        await self._show(self.school.id, again=False)
        return [rx.toast.success("Saved.")]

    @rx.event
    async def get_number(self) -> None:
        await self._about_the_number(services().schools.want_number)

    @rx.event
    async def mend_number(self) -> None:
        await self._about_the_number(services().schools.mend_number)

    async def _about_the_number(self, act: Any) -> None:
        self.number_problem = ""
        try:
            await act(actor(), self.school.id)
        except Invalid as refusal:
            self.number_problem = refusal.sentence
        await self._show(self.school.id, again=True)

    async def _create(self, wanted: SchoolFields) -> list[rx.event.EventSpec]:
        made = await services().schools.create(actor(), wanted)
        return [rx.redirect(f"/admin/schools/{made}"), rx.toast.success(f"{wanted.name.strip()} is created.")]

    async def _show(self, school_id: int, *, again: bool) -> None:
        """Once more, what is being typed stays, and what was seen when one began."""
        seen = self.school.fields
        schools = services().schools
        self.school = await (schools.school(actor(), school_id) if school_id else schools.none_yet(actor()))
        if again:
            self.school = replace(self.school, fields=seen)
            return
        self.zone, self.office = self.school.fields.time_zone, display_phone(self.school.fields.office_phone)
        self.problem = self.number_problem = ""
        self.version += 1

    def _clear(self) -> None:
        self.school, self.zone, self.office, self.problem, self.number_problem = SchoolView(), "", "", "", ""


def _id(name: str) -> int:
    """Of an address: 0 for a new one."""
    if name == "new":
        return 0
    if not name.isascii() or not name.isdigit() or len(name) > MOST_DIGITS or int(name) == 0:
        raise NotFound
    return int(name)


def _fields(form: dict) -> SchoolFields:
    return SchoolFields(*(storable(str(form.get(name, ""))) for name in FIELDS))
