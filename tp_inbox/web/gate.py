"""The gate: every event of every tab passes here first, pushes included. No handler runs without a person.

A tab shows one session's screen. When another person's cookie, or none, stands behind the tab's
socket, the state is emptied before anything else happens, and the emptiness is sent.
"""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.middleware import Middleware
from reflex.state import BaseState, StateUpdate
from reflex_base.event import Event

from tp_inbox.services.registry import services
from tp_inbox.services.sessions import SignedIn
from tp_inbox.web import live
from tp_inbox.web import reflex_internals as internals
from tp_inbox.web.acting import act_as
from tp_inbox.web.cookies import SESSION_COOKIE

SIGN_IN = "/sign-in"


class OwnerState(rx.State):
    """Whose screen this tab holds; never sent to the browser."""

    _session_id: int = 0


class Gate(Middleware):
    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> StateUpdate | None:
        """Lets the event through, or answers in its place."""
        pushed = live.current().is_push(event)
        if pushed and internals.is_purged(state):
            return _answer([rx.call_script("location.reload()")])
        who = await self._who(app, event, pushed)
        act_as(who)
        emptied = await _emptied_if_anothers(state, who)
        if who is None and internals.is_ours(event):
            return _answer([rx.redirect(SIGN_IN, replace=True)], emptied)
        return None

    async def _who(self, app: rx.App, event: Event, pushed: bool) -> SignedIn | None:
        token = internals.event_token()
        if pushed and (known := live.current().resolved(token, event)):
            return known
        cookie = internals.cookie_of(app, token, SESSION_COOKIE)
        if not cookie:
            return None
        own_act = internals.is_ours(event) and not pushed
        return await services().sessions.look_up(cookie, own_act=own_act)


async def _emptied_if_anothers(state: BaseState, who: SignedIn | None) -> dict[str, Any]:
    """What to send when the tab held somebody else's screen; nothing when it held this person's."""
    owner = await state.get_state(OwnerState)
    session_id = who.session_id if who else 0
    if owner._session_id == session_id:
        return {}
    delta = await internals.emptied(state) if owner._session_id else {}
    owner._session_id = session_id
    return delta


def _answer(events: list, delta: dict[str, Any] | None = None) -> StateUpdate:
    return StateUpdate(delta=delta or {}, events=Event.from_event_type(events))
