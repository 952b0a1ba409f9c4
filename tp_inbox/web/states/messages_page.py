"""The page of messages: which tab and which thread its address names, and what the feed brings."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain import access
from tp_inbox.domain.access import InboxKind
from tp_inbox.services.changes import Changed, ChangeKind
from tp_inbox.services.registry import services
from tp_inbox.web import live
from tp_inbox.web.acting import actor
from tp_inbox.web.states.composer import ComposerState
from tp_inbox.web.states.inbox import InboxState
from tp_inbox.web.states.new_message import NewMessageState
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.thread import ThreadState

MESSAGES = "/messages"


class MessagesPage(rx.State):
    composing_new: bool = False
    """The panel for a new message is open in place of a thread."""

    @rx.event
    async def open(self) -> rx.event.EventSpec | None:
        """Fills the page for its address; an address without a tab goes to the first tab there is."""
        await (shell := await self.get_state(ShellState))._fill()
        box, rest = _parts(self.router.url.path)
        if box not in _boxes(shell):
            return rx.redirect(_first_address(shell), replace=True) if shell.sees_messages else None
        await (await self.get_state(InboxState))._fill(box)
        await self._open_rest(box, rest)
        return None

    async def _open_rest(self, box: str, rest: str) -> None:
        thread = await self.get_state(ThreadState)
        self.composing_new = rest == "new"
        if self.composing_new:
            (await self.get_state(NewMessageState))._clear()
        if rest.isdecimal() and len(rest) < 19:
            await thread._fill(int(rest), box)
        else:
            thread._close()
        if thread.head.id:
            await (await self.get_state(ComposerState))._fill(thread.head.id)


class PushState(rx.State):
    """What the feed calls in an open tab. Any browser can call it too, so it carries an id and asks again."""

    @rx.event
    async def changed(self, change_id: str) -> rx.event.EventSpec | None:
        changed = live.current().changed(change_id)
        if changed is None:
            return None
        if changed.change.kind is ChangeKind.ACCESS:
            return await self._look_again()
        if await self._may_see(changed):
            await self._show(changed)
        return None

    @rx.event
    async def reload(self) -> rx.event.EventSpec:
        """Changes may have been missed while the feed was away."""
        return MessagesPage.open

    async def _may_see(self, changed: Changed) -> bool:
        change = changed.change
        if change.inbox is None:
            return change.staff == actor().staff_id
        return access.may_read(actor(), await services().inboxes.inbox_ref(change.inbox))

    async def _show(self, changed: Changed) -> None:
        inbox, thread = await self.get_state(InboxState), await self.get_state(ThreadState)
        match changed.change.kind:
            case ChangeKind.MESSAGE:
                await thread._take(changed)
                await inbox._take(changed)
            case ChangeKind.STATUS:
                thread._take_status(changed)
            case ChangeKind.CONSENT if changed.change.thread == thread.head.id:
                await thread._look_again()
            case ChangeKind.READ:
                await inbox._update(changed.change.thread or 0)
                await (await self.get_state(ShellState))._count()

    async def _look_again(self) -> rx.event.EventSpec | None:
        """What this person may do has changed: tabs, list and thread follow, and nothing typed is lost."""
        shell, inbox = await self.get_state(ShellState), await self.get_state(InboxState)
        await shell._fill()
        await (await self.get_state(ThreadState))._look_again()
        if inbox.box in _boxes(shell):
            await inbox._fill(inbox.box)
        elif inbox.box:
            inbox.rows, inbox.moved, inbox.older, inbox.box = [], [], False, ""
            return rx.redirect(_first_address(shell)) if shell.sees_messages else None
        return None


def _parts(path: str) -> tuple[str, str]:
    """The tab and what follows it: a thread's id, `new`, or nothing."""
    parts = [p for p in path.split("/") if p][1:]
    return (parts + ["", ""])[0], (parts + ["", ""])[1]


def _boxes(shell: ShellState) -> list[str]:
    held = {InboxKind.PERSONAL: shell.tabs.personal, InboxKind.SCHOOL: shell.tabs.school}
    return [kind.value for kind, there in held.items() if there]


def _first_address(shell: ShellState) -> str:
    return f"{MESSAGES}/{_boxes(shell)[0]}"
