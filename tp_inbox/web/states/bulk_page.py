"""Giving a role to many people, or taking it from them, by a list that is looked at first."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from tp_inbox.domain import access
from tp_inbox.domain.errors import Invalid
from tp_inbox.services.assignment_lists import Chosen, Plan, PlanLine
from tp_inbox.services.assignments import DONE, STANDS, Outcome, PlaceChoice, RoleChoice
from tp_inbox.services.holdings import place_of
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import Pasted, storable
from tp_inbox.web.states.page import Page

LINES_A_PAGE = 100
SHORT_LIST = 8
"""So many places are shown without a box to search them."""
TAKING = "take"
RESULT = "result"
TO_RESULT = (
    "requestAnimationFrame(()=>requestAnimationFrame(()=>{"
    f"const r=document.getElementById('{RESULT}');r?.scrollIntoView();r?.focus({{preventScroll:true}})"
    "}))"
)
"""Once it has been drawn, the eyes and the keyboard go to what was found."""
LABELS = {
    Outcome.GIVEN: "Will be given",
    Outcome.TAKEN: "Will be taken away",
    Outcome.HAS_IT: "Has it already",
    Outcome.HAS_IT_NOT: "Does not have it",
    Outcome.TWICE: "Listed twice",
    Outcome.REFUSED: "Not allowed",
    Outcome.DEACTIVATED: "Deactivated",
    Outcome.UNKNOWN_PERSON: "Unknown address",
    Outcome.NO_ADDRESS: "Not an address",
    Outcome.UNKNOWN_ROLE: "Unknown role",
    Outcome.UNKNOWN_PLACE: "Unknown school",
}
SAID_BY_THE_TAG = {Outcome.HAS_IT, Outcome.HAS_IT_NOT}
AFTERWARDS = {Outcome.GIVEN: "Given", Outcome.TAKEN: "Taken away"}


@dataclass(frozen=True, slots=True)
class LineView:
    key: str
    number: int
    email: str
    person: str
    role: str
    place: str
    label: str
    kind: str
    """Of the tag: "" for what is done, "quiet" for what stands already, "bad" for a problem."""
    sentence: str
    nearest: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Count:
    outcome: str
    label: str
    kind: str
    lines: int


class BulkPage(Page, rx.State):
    taking: bool = False
    roles: list[RoleChoice] = []
    role_id: int = 0
    allows: str = ""
    places: list[PlaceChoice] = []
    place_words: str = ""
    chosen: list[str] = []
    from_file: str = ""
    """What a file has put into the box; typing does not change it."""
    files: int = 0
    problem: str = ""

    checked: bool = False
    done: bool = False
    changed: bool = False
    counts: list[Count] = []
    only: str = ""
    lines: list[LineView] = []
    page: int = 0
    pages: int = 0
    to_do: int = 0
    problems: int = 0
    _text: str = ""
    _plan: Plan = Plan(())

    @rx.var
    def shown_places(self) -> list[PlaceChoice]:
        words = self.place_words.casefold().split()
        return [p for p in self.places if all(word in p.name.casefold() for word in words)]

    @rx.var
    def has_many_places(self) -> bool:
        return len(self.places) > SHORT_LIST

    @rx.event
    def choose_mode(self, mode: str) -> None:
        self.taking = mode == TAKING
        self._forget_plan()

    @rx.event
    async def choose_role(self, role_id: int) -> None:
        await self._choose(role_id)
        self._forget_plan()

    @rx.event
    def find_place(self, words: str) -> None:
        self.place_words = storable(words)

    @rx.event
    def choose_place(self, key: str, on: int) -> None:
        """``on``: 1 for a tick, 0 for none. The browser shows it at once, whatever the line is like."""
        there = {p.key for p in self.places}
        ticked = [k for k in self.chosen if k != key]
        self.chosen = [*ticked, key] if on and key in there else ticked
        self._forget_plan()

    @rx.event
    def write(self, text: Pasted) -> None:
        if storable(text) != self._text:
            self._text = storable(text)
            self._forget_plan()

    @rx.event
    async def read_file(self, text: Pasted) -> rx.event.EventSpec | None:
        """Puts a file into the box, and looks at it at once."""
        self._text = self.from_file = storable(text)
        self.files += 1
        return await self.check()

    @rx.event
    async def check(self) -> rx.event.EventSpec | None:
        await self._look()
        return rx.call_script(TO_RESULT) if self.checked else None

    @rx.event
    async def apply(self) -> None:
        """Does what is shown. When something has changed meanwhile, shows what instead."""
        if not self.checked or self.done:
            return
        plan = await services().assignment_lists.apply(actor(), self._text, self._wanted(), self._plan)
        self._take(plan)

    @rx.event
    def show_only(self, outcome: str) -> None:
        self.only = "" if outcome == self.only or outcome not in set(Outcome) else outcome
        self._turn_to(0)

    @rx.event
    def turn(self, pages: int) -> None:
        self._turn_to(self.page + pages)

    @rx.event
    def download_problems(self) -> rx.event.EventSpec:
        return rx.download(data=self._plan.problems, filename="not-done.csv")

    @rx.event
    def start_again(self) -> None:
        self._text = self.from_file = ""
        self.files += 1
        self._forget_plan()

    async def _load(self, rest: list[str], *, again: bool) -> None:  # noqa: ARG002 - the page has one address
        access.require(access.manages_staff(actor()), access.STAFF_ONLY)
        if not again:
            self._empty()
        self.roles = await services().assignments.roles_to_give(actor())
        kept = self.chosen
        await self._choose(self.role_id)
        self.chosen = [k for k in kept if k in {p.key for p in self.places}]
        if self.checked and not self.done:
            await self._look()

    async def _choose(self, role_id: int) -> None:
        role = next((r for r in self.roles if r.id == role_id), None)
        self.role_id, self.allows, self.chosen, self.place_words = (
            (role.id, role.allows, [], "") if role else (0, "", [], "")
        )
        self.places = await services().assignments.places_for(actor(), role.id) if role else []
        if len(self.places) == 1:
            self.chosen = [self.places[0].key]

    def _wanted(self) -> Chosen:
        places = tuple(place for key in self.chosen if (place := place_of(key)))
        return Chosen(self.role_id, places, taking=self.taking)

    async def _look(self) -> None:
        try:
            plan = await services().assignment_lists.look(actor(), self._text, self._wanted())
        except Invalid as refusal:
            self._forget_plan()
            self.problem = refusal.sentence
            return
        self._take(plan)

    def _take(self, plan: Plan) -> None:
        self._plan, self.problem, self.checked, self.done = plan, "", True, plan.done
        self.changed = any(line.changed for line in plan.lines)
        self.to_do = len(plan.to_do)
        self.problems = sum(line.is_problem for line in plan.lines)
        found = plan.counts
        self.counts = [Count(o.value, self._label(o), _kind(o), found[o]) for o in LABELS if o in found]
        self.only = ""
        self._turn_to(0)

    def _turn_to(self, page: int) -> None:
        wanted = [(n, line) for n, line in enumerate(self._plan.lines) if self.only in ("", line.outcome)]
        wanted.sort(key=lambda pair: not pair[1].changed)
        self.pages = -(-len(wanted) // LINES_A_PAGE)
        self.page = min(max(page, 0), max(self.pages - 1, 0))
        first = self.page * LINES_A_PAGE
        self.lines = [self._view(n, line) for n, line in wanted[first : first + LINES_A_PAGE]]

    def _view(self, n: int, line: PlanLine) -> LineView:
        return LineView(
            f"{n}-{line.outcome}",
            line.number,
            line.email,
            line.person,
            line.role,
            line.place,
            self._label(line.outcome),
            _kind(line.outcome),
            "" if line.outcome in SAID_BY_THE_TAG else line.sentence,
            line.nearest,
            line.changed and not self.done,
        )

    def _label(self, outcome: Outcome) -> str:
        return AFTERWARDS.get(outcome, LABELS[outcome]) if self.done else LABELS[outcome]

    def _forget_plan(self) -> None:
        self._plan, self.problem, self.checked, self.done, self.changed = Plan(()), "", False, False, False
        self.counts, self.only, self.lines, self.page, self.pages, self.to_do, self.problems = [], "", [], 0, 0, 0, 0

    def _empty(self) -> None:
        self.taking, self.roles, self.role_id, self.allows, self.places = False, [], 0, "", []
        self.place_words, self.chosen, self.from_file, self._text = "", [], "", ""
        self.files += 1
        self._forget_plan()


def _kind(outcome: Outcome) -> str:
    return "" if outcome in DONE else "quiet" if outcome in STANDS else "bad"
