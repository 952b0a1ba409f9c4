"""One district group, and lists of groups from a file."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.errors import Invalid, NotAllowed
from tp_inbox.services.group_files import ImportReport, Mode
from tp_inbox.services.groups import CHANGED_MEANWHILE, CHECK_AGAIN, GroupView
from tp_inbox.services.registry import services
from tp_inbox.services.regrouping import GroupFields, Preview
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import Pasted, storable

TO_GROUPS = "/admin/schools/groups"


class GroupState(rx.State):
    """One group, or a new one, whose id is 0. ``asking``: which dialog is open, "save" or "delete"."""

    group: GroupView = GroupView()
    chosen: list[int] = []
    words: str = ""
    preview: Preview = Preview()
    asking: str = ""
    problem: str = ""
    version: int = 0
    """Counts how often the form was filled anew."""
    _name: str = ""
    _seen: GroupFields = GroupFields()

    @rx.event
    def search(self, words: str) -> None:
        self.words = " ".join(storable(words).lower().split())

    @rx.event
    def toggle(self, school_id: int) -> None:
        here = set(self.chosen)
        self._choose(here ^ {school_id})

    @rx.event
    def choose_shown(self) -> None:
        self._choose({*self.chosen, *self._shown()})

    @rx.event
    def choose_none_shown(self) -> None:
        self._choose(set(self.chosen) - self._shown())

    @rx.event
    async def save(self, form: dict) -> list[rx.event.EventSpec] | None:
        """Asks first when the people who hold a role there gain or lose something."""
        self._name, self.problem = storable(str(form.get("name", ""))), ""
        if self.group.holders and self._wanted().schools != self._seen.schools:
            self.preview = await services().groups.preview(actor(), self.group.id, self._wanted().schools)
            self.asking = "save"
            return None
        return await self.save_now()

    @rx.event
    async def save_now(self) -> list[rx.event.EventSpec] | None:
        self.asking = ""
        try:
            if not self.group.id:
                return await self._create()
            await services().groups.change(actor(), self.group.id, self._wanted(), self._seen)
        except (Invalid, NotAllowed) as refusal:
            if refusal.sentence == CHANGED_MEANWHILE:
                await self._show(self.group.id, again=False)
            self.problem = refusal.sentence
            return None
        await self._show(self.group.id, again=False)
        return [rx.toast.success("Saved.")]

    @rx.event
    def ask_to_delete(self) -> None:
        self.asking, self.problem = "delete", ""

    @rx.event
    def cancel(self) -> None:
        self.asking = ""

    @rx.event
    async def delete(self) -> list[rx.event.EventSpec] | None:
        self.asking = ""
        try:
            await services().groups.delete(actor(), self.group.id)
        except Invalid as refusal:
            await self._show(self.group.id, again=False)
            self.problem = refusal.sentence
            return None
        return [rx.redirect(TO_GROUPS, replace=True), rx.toast.success(f"{self.group.name} is deleted.")]

    async def _create(self) -> list[rx.event.EventSpec]:
        made = await services().groups.create(actor(), self._wanted())
        return [rx.redirect(f"{TO_GROUPS}/{made}", replace=True), rx.toast.success("The group is created.")]

    def _wanted(self) -> GroupFields:
        return GroupFields(self._name, frozenset(self.chosen))

    def _choose(self, ids: set[int]) -> None:
        self.chosen = [school.id for school in self.group.schools if school.id in ids]

    def _shown(self) -> set[int]:
        return {school.id for school in self.group.schools if self.words in school.name.lower()}

    async def _show(self, group_id: int, *, again: bool) -> None:
        """Once more, what is being chosen stays, and what was seen when one began."""
        groups = services().groups
        self.group = await (groups.group(actor(), group_id) if group_id else groups.none_yet(actor()))
        if again:
            return
        self._seen = GroupFields(self.group.name, frozenset(self.group.members))
        self._name, self.chosen = self.group.name, self.group.members
        self.words = self.asking = self.problem = ""
        self.version += 1

    def _clear(self) -> None:
        self.group, self.chosen, self.preview = GroupView(), [], Preview()
        self.words = self.asking = self.problem = self._name = ""
        self._seen = GroupFields()


class GroupFileState(rx.State):
    """A list of groups and schools: pasted or from a file, looked at first, then applied."""

    mode: str = ""
    checked: bool = False
    report: ImportReport = ImportReport()
    problem: str = ""
    from_file: str = ""
    """What a file has put into the box; typing does not change it."""
    files: int = 0
    _text: str = ""

    @rx.event
    def choose_mode(self, mode: str) -> None:
        """What was looked at was for the other one."""
        self.mode, self.checked = Mode(mode).value if mode in list(Mode) else Mode.APPEND.value, False

    @rx.event
    def write(self, text: Pasted) -> None:
        written = storable(text)
        if written != self._text:
            self._text, self.checked = written, False

    @rx.event
    async def read_file(self, text: Pasted) -> None:
        self._text = self.from_file = storable(text)
        self.files += 1
        await self.check()

    @rx.event
    async def check(self) -> None:
        """Says what the list would do, and changes nothing."""
        self.checked, self.problem = False, ""
        try:
            self.report = await services().groups.dry_run(actor(), self._text, self._chosen_mode())
        except Invalid as refusal:
            self.problem = refusal.sentence
            return
        self.checked = True

    @rx.event
    async def apply(self) -> list[rx.event.EventSpec] | None:
        self.problem = ""
        try:
            changed = await services().groups.apply(actor(), self._text, self._chosen_mode(), self.report.plan)
        except (Invalid, NotAllowed) as refusal:
            if refusal.sentence == CHECK_AGAIN:
                await self.check()
            self.problem = refusal.sentence
            return None
        self._clear()
        said = "One group is changed." if changed == 1 else f"{changed} groups are changed."
        return [rx.redirect(TO_GROUPS), rx.toast.success(said)]

    def _chosen_mode(self) -> Mode:
        return Mode(self.mode or Mode.APPEND)

    async def _show(self, *, again: bool) -> None:
        """Once more, what was looked at is looked at again: what one may do has changed."""
        await services().groups.none_yet(actor())
        if not again:
            self._clear()
        elif self.checked:
            await self.check()

    def _clear(self) -> None:
        self.mode, self.report, self.checked = Mode.APPEND.value, ImportReport(), False
        self.problem = self.from_file = self._text = ""
        self.files += 1
