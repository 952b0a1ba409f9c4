"""Open tabs and fan-out: what changes in the database reaches every screen that may show it.

One query resolves sessions and permissions of all watching tabs; what changed is read once and kept for
some seconds; each tab that may see it is sent an event with the change's id alone, and its handler asks
again. The listener is a lifespan task, the only caller of ``enqueue``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import reflex as rx
from reflex_base.event import Event

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.services.changes import Change, Changed, ChangeKind, Changes
from tp_inbox.services.registry import services
from tp_inbox.services.sessions import SignedIn
from tp_inbox.web import reflex_internals as internals

log = logging.getLogger(__name__)

KEPT_SECONDS = 5.0
"""How long a change and who may see it are remembered: longer than a push waits in a tab's queue."""
SWEEP_SECONDS = 60.0
"""How soon a tab whose session has grown too old is shown out, when nothing else happens."""
CLOSED_SECONDS = 900.0
"""How long the state of a tab without a connection is kept: a walk between two buildings."""
AGAIN_SECONDS = 1.0
PERSONS_OWN = frozenset({ChangeKind.ACCESS, ChangeKind.SESSION, ChangeKind.READ})


@dataclass(frozen=True, slots=True)
class Tab:
    """An open tab: the session that subscribed, the socket through which it did, and what its person may do on
    the screen that the tab shows.
    """

    session_id: int
    actor: Actor
    socket: str

    @property
    def staff_id(self) -> int:
        return self.actor.staff_id


@dataclass(slots=True)
class Heard:
    """A change, with all that its pushes need, so that 200 tabs ask the database once."""

    changed: Changed
    people: dict[int, Actor]
    until: float = field(default_factory=lambda: time.monotonic() + KEPT_SECONDS)

    @property
    def is_fresh(self) -> bool:
        return self.until >= time.monotonic()


class Live:
    """Of one web process. ``push`` makes the event that is sent to a tab, from a change's id."""

    def __init__(self, changes: Changes, push: Callable[[str], Any], reload: Any) -> None:
        self._changes = changes
        self._push = push
        self._reload = reload
        self._tabs: dict[str, Tab] = {}
        self._heard: dict[str, Heard] = {}
        self._waiting: set[str] = set()
        self.push_names = frozenset(e.name for spec in (push(""), reload) for e in Event.from_event_type(spec))

    def subscribe(self, token: str, socket: str | None, who: SignedIn) -> None:
        """From now on the tab hears of changes; subscribe first, then load, so that none falls between."""
        self._waiting.discard(token)
        if socket is not None:
            self._tabs[token] = Tab(who.session_id, who.actor, socket)

    def await_database(self, token: str) -> None:
        """Nobody could say who this tab is; it loads again as soon as the database is back."""
        self._waiting.add(token)

    def is_subscribed(self, token: str, socket: str | None) -> bool:
        tab = self._tabs.get(token)
        return tab is not None and tab.socket == socket

    def staff_of(self, token: str) -> int | None:
        """Whose tab this is, for the log."""
        tab = self._tabs.get(token)
        return tab.staff_id if tab else None

    def count(self) -> int:
        """Tabs that hear of changes; one that was just closed may be among them."""
        return len(self._tabs)

    def is_push(self, event: Event) -> bool:
        return event.name in self.push_names

    def resolved(self, token: str, socket: str | None, event: Event) -> SignedIn | None:
        """Who a pushed event's tab is, as it was asked for all tabs a moment ago; None means: ask."""
        heard = self._heard.get(str(event.payload.get("change_id", "")))
        if heard is None or not heard.is_fresh or not self.is_subscribed(token, socket):
            return None
        session_id = self._tabs[token].session_id
        actor = heard.people.get(session_id)
        return SignedIn(session_id, actor) if actor else None

    def changed(self, change_id: str) -> Changed | None:
        """What a push is about; None when it is too old, or nobody sent it."""
        heard = self._heard.get(change_id)
        return heard.changed if heard and heard.is_fresh else None

    async def hear(self, app: rx.App, change: Change) -> None:
        """Passes one change on to the tabs that it concerns. When that fails, every tab loads again instead."""
        try:
            await self._pass_on(app, change)
        except Exception:
            log.exception("live: a change of kind %s could not be passed on, so every tab loads again", change.kind)
            await asyncio.sleep(AGAIN_SECONDS)
            await self.reload_all(app)

    async def reload_all(self, app: rx.App) -> None:
        """Changes may have been missed, so every tab loads again."""
        self._heard.clear()
        waiting, self._waiting = self._waiting, set()
        for token in self._connected(app).keys() | {t for t in waiting if internals.socket_of(app, t)}:
            await internals.enqueue(app, token, self._reload)

    async def sweep(self, app: rx.App) -> None:
        """Shows out the tabs whose session has ended quietly, loads those again that missed a change of rights, and
        forgets those that are closed.
        """
        tabs = self._connected(app)
        people = await services().sessions.resolve({t.session_id for t in tabs.values()}) if tabs else {}
        for token in self._ended(tabs, people) + _with_other_rights(tabs, people):
            await internals.enqueue(app, token, self._reload)
        self._forget_old()
        internals.forget_closed_tabs(app, CLOSED_SECONDS)

    async def _pass_on(self, app: rx.App, change: Change) -> None:
        self._forget_old()
        self._forget_people(change)
        tabs = _of_one_person(change, self._connected(app))
        if not tabs:
            return
        people = await services().sessions.resolve({t.session_id for t in tabs.values()})
        concerned = self._ended(tabs, people) + await _that_may_see(change, tabs, people)
        if not concerned:
            return
        watching = {tabs[token].staff_id for token in concerned}
        self._heard[change.id] = Heard(await self._changes.read(change, watching), people)
        for token in concerned:
            await internals.enqueue(app, token, self._push(change.id))

    def _ended(self, tabs: dict[str, Tab], people: dict[int, Actor]) -> list[str]:
        """Tabs whose session has ended: told of once, to be shown out."""
        ended = [token for token, tab in tabs.items() if tab.session_id not in people]
        self._drop(ended)
        return ended

    def _connected(self, app: rx.App) -> dict[str, Tab]:
        """Only a tab that still has the very socket through which it subscribed; another may be another person's."""
        self._drop([token for token, tab in self._tabs.items() if internals.socket_of(app, token) != tab.socket])
        return dict(self._tabs)

    def _drop(self, tokens: Iterable[str]) -> None:
        for token in tokens:
            self._tabs.pop(token, None)

    def _forget_old(self) -> None:
        self._heard = {i: heard for i, heard in self._heard.items() if heard.is_fresh}

    def _forget_people(self, change: Change) -> None:
        """What was known about a person whose rights or sessions have just changed."""
        if change.kind in (ChangeKind.ACCESS, ChangeKind.SESSION):
            for heard in self._heard.values():
                heard.people = {s: a for s, a in heard.people.items() if change.staff not in (None, a.staff_id)}


def _of_one_person(change: Change, tabs: dict[str, Tab]) -> dict[str, Tab]:
    """A change of one person's own concerns their tabs alone, wherever it happened."""
    if change.kind not in PERSONS_OWN or change.staff is None:
        return tabs
    return {token: tab for token, tab in tabs.items() if tab.staff_id == change.staff}


async def _that_may_see(change: Change, tabs: dict[str, Tab], people: dict[int, Actor]) -> list[str]:
    if change.kind is ChangeKind.ACCESS:
        return _with_other_rights(tabs, people)
    if change.kind in PERSONS_OWN:
        return [t for t, tab in tabs.items() if tab.session_id in people]
    if change.kind is ChangeKind.ALERT:
        return [t for t, tab in tabs.items() if (a := people.get(tab.session_id)) and access.manages_schools(a)]
    inbox = await services().inboxes.inbox_ref(change.inbox or 0)
    return [t for t, tab in tabs.items() if (a := people.get(tab.session_id)) and access.may_read(a, inbox)]


def _with_other_rights(tabs: dict[str, Tab], people: dict[int, Actor]) -> list[str]:
    """Tabs that show what their person may do no more, or do not show what they may do now."""
    return [t for t, tab in tabs.items() if (now := people.get(tab.session_id)) and now != tab.actor]


_current: list[Live] = []


def install(live: Live) -> None:
    """The one of this process; states find it through ``current``."""
    _current[:] = [live]


def current() -> Live:
    return _current[-1]
