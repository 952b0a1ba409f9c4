"""Open tabs and fan-out: what changes in the database reaches every screen that may show it.

One query resolves sessions and permissions of all watching tabs; what changed is read once and kept for
some seconds; each tab that may see it is sent an event with the change's id alone, and its handler asks
again. The listener is a lifespan task, the only caller of ``enqueue``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import reflex as rx
from reflex_base.event import Event

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.services.changes import Change, ChangeKind, Changed, Changes
from tp_inbox.services.registry import services
from tp_inbox.services.sessions import SignedIn
from tp_inbox.web import reflex_internals as internals

log = logging.getLogger(__name__)

KEPT_SECONDS = 5.0
"""How long a change and who may see it are remembered: longer than a push waits in a tab's queue."""


@dataclass(frozen=True, slots=True)
class Tab:
    session_id: int
    staff_id: int


@dataclass(slots=True)
class Heard:
    """A change, with all that its pushes need, so that 200 tabs ask the database once."""

    changed: Changed
    people: dict[int, Actor]
    until: float = field(default_factory=lambda: time.monotonic() + KEPT_SECONDS)


class Live:
    """Of one web process. ``push`` makes the event that is sent to a tab, from a change's id."""

    def __init__(self, changes: Changes, push: Callable[[str], rx.event.EventSpec], reload: rx.event.EventSpec) -> None:
        self._changes = changes
        self._push = push
        self._reload = reload
        self._tabs: dict[str, Tab] = {}
        self._heard: dict[str, Heard] = {}
        self._push_names = {e.name for spec in (push(""), reload) for e in Event.from_event_type(spec)}

    @property
    def open_tabs(self) -> int:
        return len(self._tabs)

    def subscribe(self, token: str, who: SignedIn) -> None:
        """From now on the tab hears of changes; subscribe first, then load, so that none falls between."""
        self._tabs[token] = Tab(who.session_id, who.actor.staff_id)

    def is_push(self, event: Event) -> bool:
        return event.name in self._push_names

    def resolved(self, token: str, event: Event) -> SignedIn | None:
        """Who a pushed event's tab is, as it was asked for all tabs a moment ago; None means: ask."""
        heard = self._heard.get(str(event.payload.get("change_id", "")))
        tab = self._tabs.get(token)
        if heard is None or tab is None or heard.until < time.monotonic():
            return None
        actor = heard.people.get(tab.session_id)
        return SignedIn(tab.session_id, actor) if actor else None

    def changed(self, change_id: str) -> Changed | None:
        """What a push is about; None when it is too old, or nobody sent it."""
        heard = self._heard.get(change_id)
        return heard.changed if heard else None

    async def hear(self, app: rx.App, change: Change) -> None:
        """Passes one change on to the tabs that it concerns."""
        self._forget(change)
        tabs = self._connected(app)
        people = await services().sessions.resolve({t.session_id for t in tabs.values()}) if tabs else {}
        concerned = await self._concerned(change, tabs, people)
        if not concerned:
            return
        watching = {tabs[token].staff_id for token in concerned}
        self._heard[change.id] = Heard(await self._changes.read(change, watching), people)
        for token in concerned:
            await internals.enqueue(app, token, self._push(change.id))

    async def reload_all(self, app: rx.App) -> None:
        """Changes may have been missed, so every tab loads again."""
        for token in self._connected(app):
            await internals.enqueue(app, token, self._reload)

    async def _concerned(self, change: Change, tabs: dict[str, Tab], people: dict[int, Actor]) -> list[str]:
        """Tabs that may see the change; and once each those whose session has ended, to be shown out."""
        ended = [token for token, tab in tabs.items() if tab.session_id not in people]
        for token in ended:
            del self._tabs[token]
        if change.kind in (ChangeKind.ACCESS, ChangeKind.SESSION, ChangeKind.READ):
            return ended + [t for t, tab in tabs.items() if tab.staff_id == change.staff and t not in ended]
        inbox = await services().inboxes.inbox_ref(change.inbox or 0)
        allowed = [
            t for t, tab in tabs.items() if (a := people.get(tab.session_id)) and access.may_read(a, inbox)
        ]
        return ended + allowed

    def _connected(self, app: rx.App) -> dict[str, Tab]:
        gone = [token for token in self._tabs if internals.socket_of(app, token) is None]
        for token in gone:
            del self._tabs[token]
        return dict(self._tabs)

    def _forget(self, change: Change) -> None:
        """What is old, and everything about a person whose rights or sessions have just changed."""
        now = time.monotonic()
        self._heard = {i: heard for i, heard in self._heard.items() if heard.until >= now}
        if change.kind in (ChangeKind.ACCESS, ChangeKind.SESSION):
            for heard in self._heard.values():
                heard.people = {s: a for s, a in heard.people.items() if a.staff_id != change.staff}


_current: list[Live] = []


def install(live: Live) -> None:
    """The one of this process; states find it through ``current``."""
    _current[:] = [live]


def current() -> Live:
    return _current[-1]
