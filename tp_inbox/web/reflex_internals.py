"""The private names of Reflex that we rest on, all of them here. A test fails when an upgrade moves them.

Who a tab is never comes from ``state.router_data``, which can be another tab's: it comes from the
socket that the event's own token is bound to, and the cookie with which that socket connected.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextvars import ContextVar
from typing import Any

import reflex as rx
from reflex.app import EventNamespace
from reflex.state import BaseState, FrontendEventExceptionState, OnLoadInternalState, State, StateUpdate
from reflex_base.event import Event, EventHandler
from reflex_base.event.context import EventContext
from reflex_base.registry import RegistrationContext
from reflex_base.utils.format import format_event_handler
from socketio.exceptions import ConnectionRefusedError as Refused
from starlette.requests import cookie_parser

from tp_inbox.web.arguments import is_token, is_well_formed

log = logging.getLogger(__name__)

_socket: ContextVar[str | None] = ContextVar("socket", default=None)


def name_of(handler: Any) -> str:
    """By which name an event calls this handler."""
    return format_event_handler(handler)


HYDRATE = name_of(State.event_handlers["hydrate_and_load"])
"""What a browser sends first on every new connection."""
OPEN_TO_ANYONE = frozenset(
    (
        HYDRATE,
        name_of(State.event_handlers["hydrate"]),
        name_of(OnLoadInternalState.event_handlers["on_load_internal"]),
        name_of(FrontendEventExceptionState.event_handlers["handle_frontend_exception"]),
    )
)
"""The handlers of Reflex's own that a browser has a reason to call. They show nothing but what the state holds, and
for somebody who is not signed in that is nothing."""
CHAINED = frozenset(name_of(state.event_handlers["set_is_hydrated"]) for state in (State, OnLoadInternalState))
"""Handlers that Reflex calls itself when a page has loaded."""
SETTER = ".setvar"
"""Every state has a handler of this name, which sets variables; nothing here uses it."""


class Sockets(EventNamespace):
    """The door to the states. It takes the cookie out of what Reflex keeps and logs, lets in only calls of what
    there is, and sends an event's answers to the socket that it was checked for, or to nobody.
    """

    def __init__(self, namespace: str, app: rx.App) -> None:
        super().__init__(namespace, app)
        self.cookies: dict[str, str] = {}
        self.pushed: frozenset[str] = frozenset()
        """Names of events that only the server may send."""

    async def on_connect(self, sid: str, environ: dict, auth: Any = None) -> None:
        query = environ.get("QUERY_STRING", "")
        if not is_token(query):
            raise Refused("no tab")
        if isinstance(auth, dict) and "event" in auth and not self._may_pass(auth["event"]):
            raise Refused("no such event")
        try:
            await super().on_connect(sid, environ, auth)
        except BaseException:
            self.cookies.pop(sid, None)
            raise

    async def on_event(self, sid: str, data: Any) -> None:
        if sid in self.sid_to_token and self._may_pass(data):
            await super().on_event(sid, data)
        else:
            log.warning("a browser called something that it cannot call")

    def on_disconnect(self, sid: str) -> asyncio.Task | None:
        self.cookies.pop(sid, None)
        return super().on_disconnect(sid)

    async def emit_update(self, update: StateUpdate, token: str) -> None:
        there, checked = _socket_in(self, token), _socket.get()
        if there is not None and checked in (None, there):
            await super().emit_update(update, token)

    def _build_static_router_data(self, sid: str, environ: dict) -> dict[str, Any]:
        kept = super()._build_static_router_data(sid, environ)
        headers = kept["headers"]
        self.cookies[sid] = headers.pop("cookie", "")
        headers.pop("authorization", None)
        return kept

    def _may_pass(self, data: Any) -> bool:
        if not is_well_formed(data) or data["name"] in self.pushed:
            return False
        name = data["name"]
        return name in OPEN_TO_ANYONE or (
            is_ours(name) and not name.endswith(SETTER) and name in RegistrationContext.get().event_handlers
        )


def guard_sockets(app: rx.App) -> None:
    """Puts our own door in the place of Reflex's, before the app runs."""
    before = app.event_namespace
    assert before is not None and app.sio is not None
    guarded = Sockets(before.namespace, app)
    app._event_namespace = guarded
    app.sio.register_namespace(guarded)


def only_the_server_sends(app: rx.App, names: frozenset[str]) -> None:
    namespace = app.event_namespace
    assert isinstance(namespace, Sockets)
    namespace.pushed = names


def event_token() -> str:
    """The token of the tab whose event runs now."""
    return EventContext.get().token


def event_socket() -> str | None:
    """The socket for which the event that runs now was checked."""
    return _socket.get()


def answer_only(socket: str | None) -> None:
    """From now on this event's answers reach this socket, or nobody; a token can change hands while it runs."""
    _socket.set(socket)


def socket_of(app: rx.App, token: str) -> str | None:
    """The socket that this process has open for the tab; None when there is none."""
    return _socket_in(_namespace(app), token)


def cookie_of(app: rx.App, socket: str | None, name: str) -> str:
    """A cookie that the socket connected with; empty when there is none."""
    return cookie_parser(_namespace(app).cookies.get(socket or "", "")).get(name, "")


async def enqueue(app: rx.App, token: str, spec: Any) -> None:
    """Runs an event in a tab, as that tab. Only to be called from a lifespan task, which has no tab of its own."""
    processor = app.event_processor
    root = processor._root_context
    assert root is not None
    for event in Event.from_event_type(spec):
        await processor.enqueue(token, event, ev_ctx=root.fork(token=token))


def is_ours(name: str) -> bool:
    """Whether an event calls a handler of this product; the rest are Reflex's own."""
    return ".tp_inbox___" in f".{name}"


def begins_a_page(event: Event) -> bool:
    """Whether a document has just loaded, whose screen is empty; a connection that came back says no hashes."""
    return event.name == HYDRATE and bool(event.payload.get("hashes"))


def handler_of(event: Event) -> EventHandler:
    return RegistrationContext.get().event_handlers[event.name].handler


def hints_of(handler: EventHandler) -> dict[str, Any]:
    """The annotations of a handler's arguments."""
    return {name: hint for name, hint in (handler._type_hints or {}).items() if name != "return"}


def reset(state: BaseState) -> None:
    """Puts every variable of a tab back to its default; the next answer of the event tells the browser."""
    state._get_root_state().reset()


async def unsent(state: BaseState) -> dict:
    """What the browser has not been told yet, for an answer in an event's place."""
    root = state._get_root_state()
    delta = await root._get_resolved_delta()
    root._clean()
    return delta


def is_purged(state: BaseState) -> bool:
    """Whether Reflex has forgotten this tab's state while its socket was open."""
    return not state._get_root_state().router_data


def path_of(state: BaseState) -> str:
    """The address of the page that the tab shows, as the browser says."""
    return state.router.url.path


def failed_event() -> str:
    """The last part of the name of the event that has just failed; for the log."""
    task = asyncio.current_task()
    parts = (task.get_name() if task else "").split("|")
    return parts[2].rpartition("____")[2] if len(parts) > 2 else "unknown"


def forget_closed_tabs(app: rx.App, older_than: float) -> int:
    """Drops the states of tabs without a socket whose last event is this many seconds ago; how many went.

    Reflex keeps them as long as those of open tabs, for days, and each is some hundred kilobytes.
    """
    states: Any = app.state_manager
    before = time.time() + states.token_expiration - older_than
    old = [
        tab
        for until, tab in list(states._token_expires_at.values())
        if until < before and socket_of(app, tab.ident) is None and not _is_busy(states, tab)
    ]
    for tab in old:
        states._purge_token(tab)
    return len(old)


def _is_busy(states: Any, tab: Any) -> bool:
    lock = states._states_locks.get(tab.lock_key)
    return lock is not None and lock.locked()


def _namespace(app: rx.App) -> Sockets:
    namespace = app.event_namespace
    assert isinstance(namespace, Sockets)
    return namespace


def _socket_in(namespace: EventNamespace, token: str) -> str | None:
    tokens = namespace._token_manager
    record = tokens.token_to_socket.get(token)
    return record.sid if record and record.instance_id == tokens.instance_id else None
