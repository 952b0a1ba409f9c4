"""The gate: every event of every tab passes here first, pushes included. No handler runs without a person.

A tab shows one session's screen. When another person's cookie, or none, stands behind the tab's
socket, the state is emptied before anything else happens, and the emptiness is sent.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import reflex as rx
from reflex.middleware.middleware import Middleware
from reflex.state import BaseState, StateUpdate
from reflex_base.event import Event, EventSpec

from tp_inbox.domain.errors import Invalid, Unavailable
from tp_inbox.services.registry import services
from tp_inbox.services.sessions import SignedIn
from tp_inbox.web import live, reflex_internals as internals
from tp_inbox.web.acting import act_as
from tp_inbox.web.arguments import require_fit
from tp_inbox.web.cookies import SESSION_COOKIE

TO_SIGN_IN = "location.replace('/sign-in?"
"""Loads the page anew, so that nothing of the last person's stays in the browser's memory."""


def show_out(*, ended: bool = False) -> EventSpec:
    """To the sign-in page, which leads back to where one was. ``ended``: the tab had a person, and it says so."""
    why = "problem=ended&" if ended else ""
    return rx.call_script(f"{TO_SIGN_IN}{why}next='+encodeURIComponent(location.pathname))")


class OwnerState(rx.State):
    """Whose screen this tab holds; never sent to the browser."""

    _session_id: int = 0


class Gate(Middleware):
    """``by_themselves``: handlers that a page calls while nobody touches it; they do not keep a session awake."""

    def __init__(self, by_themselves: Collection[Any] = ()) -> None:
        self._by_themselves = frozenset(map(internals.name_of, by_themselves))

    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> StateUpdate | None:
        """Lets the event through, or answers in its place."""
        act_as(None)
        token = internals.event_token()
        socket = internals.socket_of(app, token)
        internals.answer_only(socket)
        pushed = live.current().is_push(event)
        if pushed and internals.is_purged(state):
            return _answer(rx.call_script("location.reload()"))
        if internals.is_ours(event.name) and (misfit := _misfit(event)):
            return _answer(rx.toast.error(misfit.sentence))
        who = await self._who(app, token, socket, event)
        had_somebody = await _empty_if_anothers(state, who, event)
        if who is None and event.name not in internals.OPEN_TO_ANYONE | internals.CHAINED:
            return _answer(show_out(ended=had_somebody), await internals.unsent(state))
        act_as(who)
        return None

    async def _who(self, app: rx.App, token: str, socket: str | None, event: Event) -> SignedIn | None:
        here = live.current()
        if here.is_push(event) and (known := here.resolved(token, socket, event)):
            return known
        cookie = internals.cookie_of(app, socket, SESSION_COOKIE)
        if not cookie:
            return None
        try:
            return await services().sessions.look_up(cookie, own_act=self._is_own_act(token, socket, event))
        except Unavailable:
            here.await_database(token)
            raise

    def _is_own_act(self, token: str, socket: str | None, event: Event) -> bool:
        """Whether a person did something, rather than a page that loads again when its connection is back."""
        here = live.current()
        by_itself = here.is_push(event) or event.name in self._by_themselves
        return internals.is_ours(event.name) and not by_itself and here.is_subscribed(token, socket)


def _misfit(event: Event) -> Invalid | None:
    try:
        require_fit(event.payload, internals.hints_of(internals.handler_of(event)))
    except Invalid as refusal:
        return refusal
    return None


async def _empty_if_anothers(state: BaseState, who: SignedIn | None, event: Event) -> bool:
    """Also when a document has just loaded: its screen is empty, and what this person may see can have changed.
    Whether the tab showed somebody's screen.
    """
    owner = await state.get_state(OwnerState)
    before, session_id = owner._session_id, who.session_id if who else 0
    if before and (before != session_id or internals.begins_a_page(event)):
        internals.reset(state)
    owner._session_id = session_id
    return before != 0


def _answer(event: EventSpec, delta: dict[str, Any] | None = None) -> StateUpdate:
    return StateUpdate(delta=delta or {}, events=Event.from_event_type([event]))
