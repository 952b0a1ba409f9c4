"""Inviting people: one by a form, several by lines that were copied from somewhere."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain import access
from tp_inbox.domain.access import Place
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.account_links import NO_ROLE, FreshLink, Newcomer, NewcomerLine, Taken
from tp_inbox.services.assignments import PlaceChoice, RoleChoice
from tp_inbox.services.holdings import place_of
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import Pasted, storable
from tp_inbox.web.states.page import Page


class InvitePage(Page, rx.State):
    roles: list[RoleChoice] = []
    role_id: int = 0
    places: list[PlaceChoice] = []
    place: str = ""
    several: bool = False
    lines: list[NewcomerLine] = []
    """Of several people, as they were understood."""
    problem: str = ""
    taken_id: int = 0
    """Who has the address already."""
    links: list[FreshLink] = []
    """For those who have just been invited. They are shown this once."""

    @rx.var
    def invitable(self) -> int:
        """How many of the lines can be invited."""
        return sum(not line.problem for line in self.lines)

    @rx.event
    async def choose_role(self, role_id: int) -> None:
        await self._choose(role_id)
        self._forgive()

    @rx.event
    def choose_place(self, key: str) -> None:
        self.place = key if key in {p.key for p in self.places} else ""
        self._forgive()

    @rx.event
    def for_one(self) -> None:
        self.several, self.lines = False, []
        self._forgive()

    @rx.event
    def for_several(self) -> None:
        self.several = True
        self._forgive()

    @rx.event
    async def look(self, pasted: Pasted) -> None:
        """What was pasted, line by line."""
        self._forgive()
        try:
            self.lines = await services().account_links.look_at(actor(), storable(pasted))
        except Invalid as refusal:
            self.problem = refusal.sentence

    @rx.event
    async def invite(self, form: dict) -> None:
        name, email, title = (storable(form.get(field, "")) for field in ("name", "email", "title"))
        await self._invite([Newcomer(name, email, title)])

    @rx.event
    async def invite_several(self) -> None:
        """Those whose line has no problem."""
        await self._invite([Newcomer(li.name, li.email, li.title) for li in self.lines if not li.problem])

    @rx.event
    def start_again(self) -> None:
        self.links, self.lines = [], []
        self._forgive()

    async def _invite(self, people: list[Newcomer]) -> None:
        self._forgive()
        try:
            self.links = await services().account_links.invite(actor(), people, self.role_id, self._place())
        except Taken as refusal:
            self.problem, self.taken_id = refusal.sentence, refusal.staff_id
        except (Invalid, NotAllowed) as refusal:
            self.problem = refusal.sentence
        except NotFound:
            self.problem = NO_ROLE

    def _place(self) -> Place:
        place = place_of(self.place)
        if place is None or not self.role_id:
            raise Invalid(NO_ROLE)
        return place

    async def _choose(self, role_id: int) -> None:
        """The place stays when the other role can be held there, too; the only place there is chooses itself."""
        self.role_id = role_id if role_id in {r.id for r in self.roles} else 0
        self.places = await services().assignments.places_for(actor(), self.role_id) if self.role_id else []
        keys = [p.key for p in self.places]
        self.place = self.place if self.place in keys else keys[0] if len(keys) == 1 else ""

    def _forgive(self) -> None:
        self.problem, self.taken_id = "", 0

    async def _load(self, rest: list[str], *, again: bool) -> None:  # noqa: ARG002 - the page has one address
        access.require(access.manages_staff(actor()), access.STAFF_ONLY)
        if not again:
            self._empty()
        self.roles = await services().assignments.roles_to_give(actor())
        await self._choose(self.role_id if len(self.roles) != 1 else self.roles[0].id)

    def _empty(self) -> None:
        self.roles, self.role_id, self.places, self.place = [], 0, [], ""
        self.several, self.lines, self.links = False, [], []
        self._forgive()
