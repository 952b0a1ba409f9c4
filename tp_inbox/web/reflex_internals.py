"""The private names of Reflex that we rest on, all of them here. A test fails when an upgrade moves them.

Who a tab is never comes from ``state.router_data``, which can be another tab's: it comes from the
socket that the event's own token is bound to, and the cookie with which that socket connected.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

import reflex as rx
from reflex.state import BaseState
from reflex_base.event import Event
from reflex_base.event.context import EventContext


def event_token() -> str:
    """The token of the tab whose event runs now."""
    return EventContext.get().token


def socket_of(app: rx.App, token: str) -> str | None:
    """The socket that this process has open for the tab; None when there is none."""
    record = _tokens(app).token_to_socket.get(token)
    return record.sid if record and record.instance_id == _tokens(app).instance_id else None


def cookie_of(app: rx.App, token: str, name: str) -> str:
    """A cookie that the tab's socket connected with; empty when there is none."""
    sid = socket_of(app, token)
    headers = _namespace(app)._static_router_data.get(sid or "", {}).get("headers", {})
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


async def enqueue(app: rx.App, token: str, spec: rx.event.EventSpec) -> None:
    """Runs an event in a tab, as that tab. Only to be called from a lifespan task, which has no tab of its own."""
    processor = app.event_processor
    root = processor._root_context
    assert root is not None
    for event in Event.from_event_type(spec):
        await processor.enqueue(token, event, ev_ctx=root.fork(token=token))


def is_ours(event: Event) -> bool:
    """Whether an event calls a handler of this product; the rest are Reflex's own."""
    return ".tp_inbox___" in f".{event.name}"


async def emptied(state: BaseState) -> dict:
    """Puts every variable of a tab back to its default; what to send so that the screen is empty, too."""
    root = state._get_root_state()
    root.reset()
    delta = await root._get_resolved_delta()
    root._clean()
    return delta


def is_purged(state: BaseState) -> bool:
    """Whether Reflex has forgotten this tab's state while its socket was open."""
    return not state._get_root_state().router_data


def _namespace(app: rx.App):
    namespace = app.event_namespace
    assert namespace is not None
    return namespace


def _tokens(app: rx.App):
    return _namespace(app)._token_manager
