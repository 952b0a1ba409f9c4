"""What the feed calls in an open tab. It carries an id alone; what is shown is asked for as this person."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain import access
from tp_inbox.domain.errors import NotFound
from tp_inbox.services.changes import Changed, ChangeKind
from tp_inbox.services.registry import services
from tp_inbox.web import live
from tp_inbox.web.acting import actor
from tp_inbox.web.reflex_internals import path_of
from tp_inbox.web.states.account import AccountState
from tp_inbox.web.states.assigning import AssigningState
from tp_inbox.web.states.audit_page import AuditPage
from tp_inbox.web.states.bulk_page import BulkPage
from tp_inbox.web.states.composer import ComposerState
from tp_inbox.web.states.groups_page import GroupFileState, GroupState
from tp_inbox.web.states.inbox import InboxState
from tp_inbox.web.states.invite_page import InvitePage
from tp_inbox.web.states.messages_page import MessagesPage
from tp_inbox.web.states.new_message import NewMessageState
from tp_inbox.web.states.number_sections import NumberSections
from tp_inbox.web.states.numbers_page import NumbersPage
from tp_inbox.web.states.oversight_page import OversightPage
from tp_inbox.web.states.roles_page import RolesPage
from tp_inbox.web.states.schools_page import SchoolsPage, SchoolState
from tp_inbox.web.states.sessions_panel import SessionsState
from tp_inbox.web.states.settings_page import SettingsPage
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.staff_pages import PANELS, PersonPage, StaffListPage
from tp_inbox.web.states.thread import NO_ACCESS, ThreadState
from tp_inbox.web.states.tying import TyingState

ACCESS_CHANGED = "What you may see or do here has just been changed."
CONVERSATION_CLOSED = "The conversation that was open has closed. What you had written is kept."
PAGES = {
    "messages": MessagesPage,
    "oversight": OversightPage,
    "settings": SettingsPage,
    "admin/roles": RolesPage,
    "admin/audit": AuditPage,
    "admin/schools": SchoolsPage,
    "admin/numbers": NumbersPage,
    "admin/staff": StaffListPage,
    "admin/staff/*": PersonPage,
    "admin/staff/bulk": BulkPage,
    "admin/staff/new": InvitePage,
}
"""By the beginning of the address, the page that loads again when it has to; * stands for any third part."""
PARTS = {
    PersonPage: (AccountState, *PANELS),
    RolesPage: (AssigningState,),
    SchoolsPage: (SchoolState, GroupState, GroupFileState),
    NumbersPage: (NumberSections,),
    SettingsPage: (SessionsState,),
}
"""What these pages show through states of their own; ``_clear`` forgets it."""


class PushState(rx.State):
    @rx.event
    async def changed(self, change_id: str) -> list[rx.event.EventSpec] | None:
        changed = live.current().changed(change_id)
        if changed is None:
            return None
        if changed.change.kind is ChangeKind.ACCESS:
            return await self._look_again()
        if changed.change.kind is ChangeKind.ALERT:
            return await self._hear_alert()
        try:
            if await self._may_see(changed):
                await self._show(changed)
        except NotFound:
            return None
        return None

    @rx.event
    async def reload(self) -> rx.event.EventSpec | None:
        """Changes may have been missed; whatever page the tab shows loads again."""
        return await self._load_again()

    async def _hear_alert(self) -> None:
        """The count beside Admin follows, and the page of alerts where it is open."""
        if not access.manages_schools(actor()):
            return
        if _page_at(path_of(self)) is NumbersPage:
            await self._load_again()
        else:
            await (await self.get_state(ShellState))._count_alerts()

    async def _may_see(self, changed: Changed) -> bool:
        change = changed.change
        if change.staff is not None and change.staff != actor().staff_id:
            return False
        if change.inbox is None:
            return change.staff is not None
        return access.may_read(actor(), await services().inboxes.inbox_ref(change.inbox))

    async def _show(self, changed: Changed) -> None:
        inbox, thread = await self.get_state(InboxState), await self.get_state(ThreadState)
        match changed.change.kind:
            case ChangeKind.MESSAGE:
                await thread._take(changed)
                await inbox._take(changed)
            case ChangeKind.STATUS:
                thread._take_status(changed)
            case ChangeKind.CONSENT:
                await inbox._update(changed.change.thread or 0)
                if _is_about(changed, thread):
                    await (await self.get_state(ComposerState))._look_again()
            case ChangeKind.READ:
                await inbox._take_read(changed)
            case ChangeKind.INBOX:
                await self._load_again()

    async def _load_again(self) -> rx.event.EventSpec | None:
        page = _page_at(path_of(self))
        if page is None:
            (await self.get_state(ShellState))._fill()
            return None
        return await (await self.get_state(page))._fill(again=True)

    async def _look_again(self) -> list[rx.event.EventSpec]:
        """What this person may do has changed: page, tabs, list and thread follow, and the screen says so."""
        thread, inbox = await self.get_state(ThreadState), await self.get_state(InboxState)
        shell = await self.get_state(ShellState)
        opened, before = thread.head.id, shell._places()
        inbox._clear()
        await thread._look_again()
        await (await self.get_state(NewMessageState))._look_again()
        (await self.get_state(TyingState))._clear()
        onwards = await self._load_again()
        await self._forget_elsewhere()
        closed = bool(opened and not thread.head.id)
        if closed:
            thread.missing = NO_ACCESS
        said = rx.toast.info(ACCESS_CHANGED, description=_change(before, shell._places(), closed=closed))
        return [said, onwards] if onwards else [said]

    async def _forget_elsewhere(self) -> None:
        """What pages hold that are not on the screen; they read it again when they are opened."""
        here = _page_at(path_of(self))
        for page in set(PAGES.values()) - {MessagesPage, here}:
            state = await self.get_state(page)
            state._empty()
            state.loading = True
        shown = PARTS.get(here, ()) if here else ()
        kept = shown if here and shown and not (await self.get_state(here)).refused else ()
        for part in {part for parts in PARTS.values() for part in parts} - set(kept):
            (await self.get_state(part))._clear()


def _change(before: list[str], after: list[str], *, closed: bool) -> str:
    """What has come and what has gone, by the names under which the screen shows it."""
    gained, lost = [p for p in after if p not in before], [p for p in before if p not in after]
    parts = [f"New for you: {', '.join(gained)}." if gained else "", f"Gone: {', '.join(lost)}." if lost else ""]
    return " ".join(filter(None, [*parts, CONVERSATION_CLOSED if closed else ""]))


def _page_at(path: str) -> type | None:
    """A section of Admin has two parts in its address, a page below it three, every other page one."""
    parts = [part for part in path.split("/") if part]
    third = ["/".join(parts[:3]), "/".join([*parts[:2], "*"])] if len(parts) > 2 else []
    names = [*third, "/".join(parts[:2]), parts[0] if parts else ""]
    return next((PAGES[name] for name in names if name in PAGES), None)


def _is_about(changed: Changed, thread: ThreadState) -> bool:
    """Without a thread it is about every one of the inbox: its number has been stopped."""
    change = changed.change
    return thread.head.id == change.thread if change.thread else thread.head.inbox_id == change.inbox
