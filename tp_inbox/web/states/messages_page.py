"""The page of messages: which tab and which thread its address names."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.access import InboxKind
from tp_inbox.domain.errors import NotFound
from tp_inbox.web.reflex_internals import path_of
from tp_inbox.web.states.composer import Begun, ComposerState
from tp_inbox.web.states.inbox import InboxState
from tp_inbox.web.states.new_message import NewMessageState
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.thread import Opened, ThreadState

MESSAGES = "/messages"
NEW = "new"
MOST_DIGITS = 15


class MessagesPage(rx.State):
    @rx.event
    async def open(self) -> rx.event.EventSpec | None:
        """Fills the page for its address; an address without a tab goes to the first tab there is."""
        return await self._fill()

    async def _fill(self, *, again: bool = False) -> rx.event.EventSpec | None:
        """``again``: also what the feed would have kept true, had it been there."""
        shell, inbox = await self.get_state(ShellState), await self.get_state(InboxState)
        shell._fill()
        box, rest = _parts(path_of(self))
        if box not in _boxes(shell):
            return await self._elsewhere(shell, inbox)
        if again or not inbox._is_filled(box):
            await inbox._fill(box)
            await shell._count()
        await self._open(box, rest)
        shell.ready = True
        return None

    async def _open(self, box: str, rest: str) -> None:
        """Reads everything first and shows it in one step: no head of one thread above another one's draft."""
        thread, composer = await self.get_state(ThreadState), await self.get_state(ComposerState)
        inbox = await self.get_state(InboxState)
        thread_id = int(rest) if rest.isascii() and rest.isdecimal() and len(rest) <= MOST_DIGITS else 0
        nowhere = Opened(missing="" if rest in ("", NEW) else NotFound().sentence)
        opened = await thread._find(thread_id, box) if thread_id else nowhere
        begun = await composer._find(thread_id) if opened.head.id else Begun(0, "", "")
        await inbox._update(composer._touched_elsewhere(thread_id))
        if rest == NEW:
            (await self.get_state(NewMessageState))._clear()
        thread._show(opened)
        composer._show(begun)

    async def _elsewhere(self, shell: ShellState, inbox: InboxState) -> rx.event.EventSpec | None:
        """This address names no tab of this person's: to their first, or nothing at all."""
        inbox._clear()
        (await self.get_state(ThreadState))._show(Opened())
        await shell._count()
        shell.ready = True
        return rx.redirect(_first_address(shell), replace=True) if shell.sees_messages else None


def _parts(path: str) -> tuple[str, str]:
    """The tab and what follows it: a thread's id, `new`, or nothing."""
    _, box, rest, *_ = [*(part for part in path.split("/") if part), "", "", ""]
    return box, rest


def _boxes(shell: ShellState) -> list[str]:
    held = {InboxKind.PERSONAL: shell.tabs.personal, InboxKind.SCHOOL: shell.tabs.school}
    return [kind.value for kind, there in held.items() if there]


def _first_address(shell: ShellState) -> str:
    return f"{MESSAGES}/{_boxes(shell)[0]}"
