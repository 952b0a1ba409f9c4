"""What every page but that of messages shares: it begins with the shell, loads, and shows a refusal in its place."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.domain.errors import NotAllowed, NotFound
from tp_inbox.web.reflex_internals import path_of
from tp_inbox.web.states.shell import ShellState


class Page(rx.State, mixin=True):
    """A state with ``_load``, which reads the page's content for its address, and ``_empty``, which forgets it.

    ``open`` comes with the page's address; ``_fill`` also when the feed was lost or the person's rights changed,
    and then ``again`` is true: what is being typed stays.
    """

    refused: str = ""
    """A sentence in place of the page."""
    loading: bool = True

    @rx.event
    async def open(self) -> Any:
        return await self._fill()

    async def _fill(self, *, again: bool = False) -> Any:
        shell = await self.get_state(ShellState)
        shell._fill()
        onwards = None
        try:
            onwards = await self._load(_rest(path_of(self)), again=again)
            self.refused = ""
        except (NotAllowed, NotFound) as refusal:
            self._empty()
            self.refused = refusal.sentence
        self.loading = False
        await shell._count()
        shell.ready = True
        return onwards

    async def _load(self, rest: list[str], *, again: bool) -> Any:
        """``rest``: the parts of the address, without those of the page itself. What comes back is done next."""
        raise NotImplementedError

    def _empty(self) -> None:
        """Forgets all that a person without access must not see."""
        raise NotImplementedError


def _rest(path: str) -> list[str]:
    """/admin/staff/7 → ["7"]; /oversight/5 → ["5"]."""
    parts = [part for part in path.split("/") if part]
    return parts[2:] if parts[:1] == ["admin"] else parts[1:]
