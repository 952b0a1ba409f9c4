"""Giving and taking roles, on the page of a person and on that of a role."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.assignments import HeldRole, NotAll, PlaceChoice, RoleChoice, summary
from tp_inbox.services.holdings import place_of
from tp_inbox.services.registry import services
from tp_inbox.services.staff_directory import Asked, StaffState
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable

NO_ROLE = "Please choose a role."
MOST_FOUND = 8
MOST_REASONS = 20
SHORT_LIST = 8
"""So many places are shown without a box to search them."""


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody who can be chosen."""

    id: int
    name: str
    email: str
    initials: str
    hue: int


class AssigningState(rx.State):
    """A panel that belongs to the page which shows it: ``_show`` fills it, ``_clear`` forgets everything."""

    staff_id: int = 0
    held: list[HeldRole] = []
    elsewhere: bool = False
    refusal: str = ""
    """Why this person is given nothing at all."""
    taking: HeldRole | None = None

    giving: bool = False
    fixed_role: str = ""
    """The name of the role that the dialog is for; empty when it is for a person, and the role is chosen."""
    roles: list[RoleChoice] = []
    role_id: int = 0
    allows: str = ""
    places: list[PlaceChoice] = []
    place_words: str = ""
    chosen: list[str] = []
    found: list[Found] = []
    searched: bool = False
    people: list[Found] = []
    problem: str = ""
    reasons: list[str] = []

    @rx.var
    def shown_places(self) -> list[PlaceChoice]:
        words = self.place_words.casefold().split()
        return [p for p in self.places if all(word in p.name.casefold() for word in words)]

    @rx.var
    def has_many_places(self) -> bool:
        return len(self.places) > SHORT_LIST

    @rx.event
    async def start(self) -> None:
        """Giving a role to the person of this page."""
        self._clear_dialog()
        self.roles = await services().assignments.roles_to_give(actor())
        self.giving = self.staff_id != 0

    @rx.event
    async def start_for_role(self, role_id: int) -> None:
        """Giving this role to people who are still to be chosen."""
        self._clear_dialog()
        roles = await services().assignments.roles_to_give(actor())
        role = next((r for r in roles if r.id == role_id), None)
        if role is None:
            raise NotAllowed("You cannot give this role to anybody. Please ask another admin.")
        self.fixed_role = role.name
        await self._choose(role)
        self.giving = True

    @rx.event
    def close(self) -> None:
        self._clear_dialog()

    @rx.event
    async def choose_role(self, role_id: int) -> None:
        await self._choose(next((r for r in self.roles if r.id == role_id), None))

    @rx.event
    def find_place(self, words: str) -> None:
        self.place_words = storable(words)

    @rx.event
    def choose_place(self, key: str, on: int) -> None:
        """``on``: 1 for a tick, 0 for none. The browser shows it at once, whatever the line is like."""
        there = {p.key for p in self.places}
        ticked = [k for k in self.chosen if k != key]
        self.chosen = [*ticked, key] if on and key in there else ticked
        self.problem, self.reasons = "", []

    @rx.event
    async def find_person(self, words: str) -> None:
        page = await services().staff_directory.page(actor(), Asked(words=storable(words)))
        rows = [r for r in page.rows if r.state != StaffState.DEACTIVATED and r.id != actor().staff_id]
        self.found = (
            [Found(r.id, r.name, r.email, r.initials, r.hue) for r in rows[:MOST_FOUND]] if words.strip() else []
        )
        self.searched = bool(words.strip())

    @rx.event
    def add_person(self, staff_id: int) -> None:
        chosen = next((p for p in self.found if p.id == staff_id), None)
        if chosen is None:
            raise NotFound
        self.people = [*(p for p in self.people if p.id != staff_id), chosen]
        self.found, self.searched, self.problem, self.reasons = [], False, "", []

    @rx.event
    def remove_person(self, staff_id: int) -> None:
        self.people = [p for p in self.people if p.id != staff_id]

    @rx.event
    async def give(self) -> rx.event.EventSpec | None:
        if not self.role_id:
            self.problem = NO_ROLE
            return None
        people = [p.id for p in self.people] if self.fixed_role else [self.staff_id]
        places = [place for key in self.chosen if (place := place_of(key))]
        try:
            lines = await services().assignments.give(actor(), people, self.role_id, places)
        except (Invalid, NotAllowed) as refusal:
            return self._refuse(refusal)
        self._clear_dialog()
        await self._show(self.staff_id)
        return rx.toast.success(summary(lines))

    @rx.event
    def ask_to_take(self, assignment_id: int) -> None:
        self.problem, self.reasons = "", []
        self.taking = next((h for h in self.held if h.id == assignment_id and not h.kept), None)

    @rx.event
    def keep(self) -> None:
        self.taking, self.problem = None, ""

    @rx.event
    async def take(self) -> rx.event.EventSpec | None:
        if self.taking is None:
            return None
        try:
            lines = await services().assignments.take(actor(), [self.taking.id])
        except NotAllowed as refusal:
            return self._refuse(refusal)
        self.taking = None
        await self._show(self.staff_id)
        return rx.toast.success(summary(lines))

    async def _choose(self, role: RoleChoice | None) -> None:
        self.problem, self.reasons, self.chosen, self.place_words = "", [], [], ""
        self.role_id, self.allows = (role.id, role.allows) if role else (0, "")
        self.places = await services().assignments.places_for(actor(), role.id) if role else []
        if len(self.places) == 1:
            self.chosen = [self.places[0].key]

    def _refuse(self, refusal: Invalid | NotAllowed) -> None:
        self.problem = refusal.sentence
        lines = refusal.lines if isinstance(refusal, NotAll) else ()
        refused = list(dict.fromkeys(line.sentence for line in lines if line.is_refused))
        self.reasons = refused[:MOST_REASONS] if len(refused) > 1 else []

    async def _show(self, staff_id: int) -> None:
        """Reads what the person holds. Raises NotFound for somebody who is not in the reader's list of staff."""
        if staff_id != self.staff_id:
            self._clear()
        if not staff_id:
            return
        found = await services().assignments.of_person(actor(), staff_id)
        self.staff_id = staff_id
        self.held, self.elsewhere, self.refusal = found.roles, found.elsewhere, found.refusal

    def _clear(self) -> None:
        """Forgets the person, and what was being chosen."""
        self.staff_id, self.held, self.elsewhere, self.refusal, self.taking = 0, [], False, "", None
        self._clear_dialog()

    def _clear_dialog(self) -> None:
        self.giving, self.fixed_role, self.roles, self.role_id, self.allows = False, "", [], 0, ""
        self.places, self.place_words, self.chosen = [], "", []
        self.found, self.searched, self.people, self.problem, self.reasons = [], False, [], "", []
