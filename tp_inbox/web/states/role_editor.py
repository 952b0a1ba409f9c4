"""Making and changing one role: its form, what a change would mean, its end, and what its holder would have."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import reflex as rx

from tp_inbox.domain import roles as rules
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, Refusal
from tp_inbox.domain.permissions import Level, Permission
from tp_inbox.services.registry import services
from tp_inbox.services.role_effects import Effect, labels
from tp_inbox.services.role_views import Named, PermissionGroup, RoleView
from tp_inbox.services.roles import Deletion, Outdated, Wanted
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable
from tp_inbox.web.states.shell import Rail, rail_of

REFUSALS = (Invalid, NotAllowed, NotFound)
MADE = "The role is created. Nobody holds it yet."
SAVED = "Saved. It holds from now on, in open windows too."
DELETED = "“{name}” is deleted."
NAME = "role-name"
"""The id of the field."""
TO_TOP = "document.getElementById('content').scrollTo(0, 0)"
SECOND_STEP_ON = "Holders of this role sign in with a second step from now on."
SECOND_STEP_OFF = "This role asks for no second step any more."


class RolePreview(rx.State, mixin=True):
    """The shell as somebody would see it who holds the role as it is ticked now, and nothing else."""

    schools: list[Named] = []
    school_id: int = 0
    place: str = ""
    rail: Rail = Rail()
    sees_messages: bool = False
    senders: list[str] = []
    _held_level: str = ""
    _held: tuple[str, ...] = ()

    @rx.event
    async def choose_school(self, school_id: int) -> None:
        self.school_id = school_id
        await self._look()

    async def _preview(self, level: str, permissions: Collection[str]) -> None:
        self._held_level, self._held = level, tuple(permissions)
        self.schools = await services().roles.schools(actor())
        if self.school_id not in {school.id for school in self.schools}:
            self.school_id = self.schools[0].id if self.schools else 0
        await self._look()

    async def _look(self) -> None:
        if not self.schools and self._held_level == Level.SCHOOL:
            self.place, self.rail, self.sees_messages, self.senders = "", Rail(), False, []
            return
        held = await services().roles.as_holder(actor(), self._held_level, self._held, self.school_id)
        self.place, self.rail, self.senders = held.place, rail_of(held.actor), list(held.senders)
        self.sees_messages = self.rail.messages

    def _empty_preview(self) -> None:
        self.schools, self.school_id, self.place, self.rail = [], 0, "", Rail()
        self.sees_messages, self.senders, self._held_level, self._held = False, [], "", ()


class RoleEditor(RolePreview, mixin=True):
    role: RoleView = RoleView()
    """Without an id while a new one is made."""
    level: str = ""
    name: str = ""
    sources: list[RoleView] = []
    source_id: int = 0
    groups: list[PermissionGroup] = []
    chosen: list[str] = []
    """What the tree begins with; from then on the browser holds what is ticked."""
    begun_with: list[str] = []
    """Permissions of the role that is shown, or copied."""
    fallen: list[str] = []
    """Labels of what the source allows and a role of this level cannot."""
    version: int = 0
    """Of what the tree and the name begin with."""
    name_problem: str = ""
    problem: str = ""
    """Of anything but the name."""
    reviewing: bool = False
    effect: Effect = Effect()
    outdated: str = ""
    second_step: str = ""
    """In words whom a second step concerns, while it is about to be asked for."""
    _ticked: frozenset[Permission] = frozenset()
    """Also what was ticked at the other level, so that it is back with that level."""
    _wanted: Wanted | None = None

    @rx.event
    async def choose_level(self, level: str) -> None:
        """Of a new role: school or district."""
        await self._put(rules.read_level(level))

    @rx.event
    async def choose_source(self, role_id: int) -> None:
        """Begins again with what that role allows; with nothing for 0."""
        await self._copy(role_id)
        await self._put(rules.read_level(self.level))

    @rx.event
    async def tick(self, permissions: str) -> None:
        """What is ticked now, with commas between."""
        level = rules.read_level(self.level)
        self._ticked = rules.read_permissions(_words(permissions)) | rules.falling_away(self._ticked, level)
        self.problem = ""
        await self._preview_ticked()

    @rx.event
    async def review(self, form: dict) -> Any:
        """Makes a new role; of one that is there it shows first what would change for whom."""
        wanted = Wanted(storable(form.get("name", "")), _words(form.get("permissions", "")), self.level)
        self.name_problem = self.problem = ""
        try:
            return await self._make(wanted) if not self.role.id else await self._review(wanted)
        except REFUSALS as refusal:
            return self._say(refusal)

    @rx.event
    async def save(self) -> Any:
        """Applies what was shown; when it would be something else by now, that is shown instead."""
        if self._wanted is None:
            return None
        try:
            return await self._save(self._wanted)
        except REFUSALS as refusal:
            self._close_review()
            return self._say(refusal)

    @rx.event
    def close_review(self) -> None:
        self._close_review()

    @rx.event
    async def switch_second_step(self) -> Any:
        """Off at once. On only after it was said whom that concerns."""
        if self.role.two_step:
            return await self._require_second_step(False)
        self.second_step = await services().roles.review_second_step(actor(), self.role.id)
        return None

    @rx.event
    def close_second_step(self) -> None:
        self.second_step = ""

    @rx.event
    async def require_second_step(self) -> Any:
        return await self._require_second_step(True)

    async def _require_second_step(self, required: bool) -> Any:
        self.second_step = ""
        await services().roles.require_second_step(actor(), self.role.id, required)
        self.role = await services().roles.show(actor(), self.role.id)
        return rx.toast.success(SECOND_STEP_ON if self.role.two_step else SECOND_STEP_OFF)

    def _say(self, refusal: Refusal) -> Any:
        """Beside what it is about."""
        if isinstance(refusal, rules.UnusableName):
            self.name_problem = refusal.sentence
            return rx.set_focus(NAME)
        self.problem = refusal.sentence
        return None

    async def _make(self, wanted: Wanted) -> Any:
        role_id = await services().roles.create(actor(), wanted)
        opened = rx.redirect(f"/admin/roles/{role_id}", replace=True)
        return [rx.toast.success(MADE), opened, rx.call_script(TO_TOP)]

    async def _review(self, wanted: Wanted) -> None:
        self.effect = await services().roles.review(actor(), self.role.id, wanted)
        self._wanted, self.reviewing, self.outdated = wanted, True, ""

    async def _save(self, wanted: Wanted) -> Any:
        try:
            await services().roles.change(actor(), self.role.id, wanted, self.effect.seen)
        except Outdated as refusal:
            await self._review(wanted)
            self.outdated = refusal.sentence
            return None
        await self._show_role(self.role.id, again=False)
        return rx.toast.success(SAVED)

    async def _show_role(self, role_id: int, *, again: bool) -> None:
        """``again``: what is being typed and ticked stays."""
        role = await services().roles.show(actor(), role_id)
        self.groups = await services().roles.offered(actor(), role.level)
        again, self.role = again and role_id == self.role.id, role
        if not again:
            self.name, self.source_id, self.second_step = role.name, 0, ""
            self.name_problem = self.problem = ""
            self._ticked, self.begun_with = rules.read_permissions(role.permissions), role.permissions
            self._close_review()
            await self._put(Level(role.level))

    async def _begin(self, source_id: int, *, again: bool) -> None:
        self.sources = await services().roles.all(actor())
        if again and not self.role.id and self.level:
            return
        self.role, self.name_problem, self.problem = RoleView(), "", ""
        self._close_review()
        source = await self._copy(source_id)
        self.name = rules.name_of_copy(source.name) if source.id else ""
        await self._put(Level(source.level) if source.id else Level.SCHOOL)

    async def _copy(self, role_id: int) -> RoleView:
        source = await services().roles.show(actor(), role_id) if role_id else RoleView()
        self.source_id, self.begun_with = source.id, source.permissions
        self._ticked = rules.read_permissions(source.permissions)
        return source

    async def _put(self, level: Level) -> None:
        """The tree begins anew with what is ticked and can be held at this level."""
        fallen = rules.falling_away(self._ticked, level)
        self.groups = await services().roles.offered(actor(), level)
        self.level, self.fallen = level.value, labels(fallen)
        self.chosen = sorted(self._ticked - fallen)
        self.version += 1
        await self._preview_ticked()

    async def _preview_ticked(self) -> None:
        await self._preview(self.level, sorted(self._ticked - rules.falling_away(self._ticked, Level(self.level))))

    def _close_review(self) -> None:
        self.reviewing, self.effect, self.outdated, self._wanted = False, Effect(), "", None

    def _empty_role(self) -> None:
        self.role, self.level, self.name, self.second_step = RoleView(), "", "", ""
        self.name_problem = self.problem = ""
        self.sources, self.source_id, self.groups, self.chosen, self.fallen = [], 0, [], [], []
        self._ticked, self.begun_with = frozenset(), []
        self._close_review()
        self._empty_preview()


class RoleEnd(RoleEditor, mixin=True):
    """Deleting the role that is shown, and who gets which role in its place."""

    deleting: bool = False
    deletion: Deletion = Deletion()
    successor_id: int = 0
    delete_problem: str = ""

    @rx.event
    async def ask_deletion(self) -> Any:
        try:
            await self._review_deletion(0)
        except REFUSALS as refusal:
            return rx.toast.error(refusal.sentence)
        self.deleting, self.delete_problem = True, ""
        return None

    @rx.event
    async def choose_successor(self, role_id: int) -> None:
        """The role that all holders get in its place; none for 0."""
        self.delete_problem = ""
        try:
            await self._review_deletion(role_id)
        except REFUSALS as refusal:
            self.delete_problem = refusal.sentence

    @rx.event
    async def delete(self) -> Any:
        """Does what was shown; when it would be something else by now, that is shown instead."""
        try:
            await services().roles.delete(actor(), self.role.id, self.successor_id, self.deletion.effect.seen)
        except Outdated as refusal:
            await self._review_deletion(self.successor_id)
            self.delete_problem = refusal.sentence
        except REFUSALS as refusal:
            self.delete_problem = refusal.sentence
        else:
            self._empty_deletion()
            return [rx.toast.success(DELETED.format(name=self.role.name)), rx.redirect("/admin/roles", replace=True)]
        return None

    @rx.event
    def close_deletion(self) -> None:
        self._empty_deletion()

    async def _review_deletion(self, successor_id: int) -> None:
        self.deletion = await services().roles.review_deletion(actor(), self.role.id, successor_id)
        self.successor_id = successor_id

    def _empty_deletion(self) -> None:
        self.deleting, self.deletion, self.successor_id, self.delete_problem = False, Deletion(), 0, ""


def _words(joined: str) -> list[str]:
    return [word for word in joined.split(",") if word]
