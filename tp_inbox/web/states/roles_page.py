"""The pages about roles: the list, all of them side by side, one of them, and a new one."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain import access
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.registry import services
from tp_inbox.services.role_views import Comparison, HolderView, RoleView
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable
from tp_inbox.web.states.page import Page
from tp_inbox.web.states.role_editor import RoleEnd

MOST_DIGITS = 15
TAKEN = "{name} does not hold it there any more."


class RoleHolders(rx.State, mixin=True):
    """Who holds the role that is shown, and where."""

    holders: list[HolderView] = []
    more_holders: bool = False
    holder_words: str = ""
    gives_roles: bool = False
    """Whether the reader gives roles to people, and takes them."""
    taking: HolderView | None = None
    """The assignment that is about to be taken."""
    take_problem: str = ""
    _held_role: int = 0

    @rx.event
    async def find_holder(self, words: str) -> None:
        self.holder_words = storable(words)
        await self._read_holders()

    @rx.event
    async def show_more_holders(self) -> None:
        if not self.holders or not self.more_holders:
            return
        further, self.more_holders = await services().roles.holders(
            actor(), self._held_role, self.holder_words, self.holders[-1].id
        )
        self.holders = [*self.holders, *further]

    @rx.event
    async def holders_changed(self) -> None:
        """The role has just been given from this page."""
        await self._read_holders()

    @rx.event
    def ask_to_take(self, assignment_id: int) -> None:
        self.taking = next((held for held in self.holders if held.id == assignment_id), None)
        self.take_problem = ""

    @rx.event
    def keep(self) -> None:
        self.taking, self.take_problem = None, ""

    @rx.event
    async def take(self) -> rx.event.EventSpec | None:
        if self.taking is None:
            return None
        try:
            await services().assignments.take(actor(), [self.taking.id])
        except (Invalid, NotAllowed, NotFound) as refusal:
            self.take_problem = refusal.sentence
            return None
        said = TAKEN.format(name=self.taking.name)
        self.taking = None
        await self._read_holders()
        return rx.toast.success(said)

    async def _show_holders(self, role_id: int, *, again: bool) -> None:
        if not again:
            self.holder_words, self.taking, self.take_problem = "", None, ""
        self._held_role = role_id
        await self._read_holders()

    async def _read_holders(self) -> None:
        self.holders, self.more_holders = await services().roles.holders(actor(), self._held_role, self.holder_words)
        self.gives_roles = access.manages_all_staff(actor())

    def _empty_holders(self) -> None:
        self.holders, self.more_holders, self.holder_words, self._held_role = [], False, "", 0
        self.gives_roles, self.taking, self.take_problem = False, None, ""


class RolesPage(Page, RoleEnd, RoleHolders, rx.State):
    view: str = ""
    """list, compare, role or new."""
    base: list[RoleView] = []
    custom: list[RoleView] = []
    compared: list[Comparison] = []

    async def _load(self, rest: list[str], *, again: bool) -> None:
        match rest:
            case []:
                found = await services().roles.all(actor())
                self.base, self.custom = [r for r in found if r.base], [r for r in found if not r.base]
                self.view = "list"
            case ["compare"]:
                self.compared = await services().roles.compare(actor())
                self.view = "compare"
            case ["new"]:
                await self._begin(0, again=again)
                self.view = "new"
            case ["new", source]:
                await self._begin(_id(source), again=again)
                self.view = "new"
            case [role]:
                await self._show(_id(role), again=again)
            case _:
                raise NotFound

    async def _show(self, role_id: int, *, again: bool) -> None:
        await self._show_role(role_id, again=again)
        await self._show_holders(role_id, again=again)
        if not again:
            self._empty_deletion()
        self.view = "role"

    def _empty(self) -> None:
        self.view, self.base, self.custom, self.compared = "", [], [], []
        self._empty_role()
        self._empty_deletion()
        self._empty_holders()


def _id(part: str) -> int:
    """Of an address. Raises NotFound for what is no number."""
    if not (part.isascii() and part.isdecimal()) or len(part) > MOST_DIGITS:
        raise NotFound
    return int(part)
