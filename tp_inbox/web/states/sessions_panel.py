"""Where a person is signed in: on their own Settings, and on their page for those who manage the account."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from tp_inbox.domain.errors import NotAllowed, NotFound
from tp_inbox.services.registry import services
from tp_inbox.services.sessions import SessionView
from tp_inbox.web.acting import actor, signed_in


@dataclass(frozen=True, slots=True)
class SessionLine:
    """``here``: the session through which this very screen is open."""

    id: int
    browser: str
    address: str
    used: str
    here: bool


class SessionsState(rx.State):
    lines: list[SessionLine] = []
    shown: bool = False
    """Whether the reader manages this account at all."""
    own: bool = False
    asking: bool = False
    _staff_id: int = 0

    @rx.event
    async def end(self, session_id: int) -> None:
        """Of one of the browsers that are shown."""
        if session_id not in {line.id for line in self.lines}:
            raise NotFound
        await services().sessions.end_session(actor(), session_id)
        await self._show(self._staff_id)

    @rx.event
    def ask(self) -> None:
        self.asking = bool(self.lines)

    @rx.event
    def leave(self) -> None:
        self.asking = False

    @rx.event
    async def end_all(self) -> None:
        """Everywhere; for one's own, everywhere but here."""
        if not self._staff_id:
            raise NotFound
        self.asking = False
        await services().sessions.end_all_of_person(actor(), self._staff_id, but=_here())
        await self._show(self._staff_id)

    async def _show(self, staff_id: int) -> None:
        try:
            views = await services().sessions.of_person(actor(), staff_id)
        except (NotAllowed, NotFound):
            return self._clear()
        self.lines = [_line(view) for view in views]
        self.shown, self.own, self._staff_id = True, staff_id == actor().staff_id, staff_id
        return None

    def _clear(self) -> None:
        self.lines, self.shown, self.own, self.asking, self._staff_id = [], False, False, False, 0


def _here() -> int:
    return signed_in().session_id


def _line(view: SessionView) -> SessionLine:
    return SessionLine(view.id, view.browser, view.address, view.used, view.id == _here())
