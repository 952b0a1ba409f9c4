"""The private names of Reflex that we rest on. When one fails, Reflex has moved something: look before mending."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import reflex.app
from reflex.istate.manager.memory import StateManagerMemory
from reflex.state import BaseState, OnLoadInternalState, State
from reflex.utils.token_manager import LocalTokenManager, SocketRecord
from reflex_base.event import Event
from reflex_base.event.context import EventContext
from reflex_base.event.processor.base_state_processor import BaseStateEventProcessor

from tests.web.harness import Stage, app
from tp_inbox.web import reflex_internals as internals
from tp_inbox.web.states.thread import ThreadState


def test_this_is_the_reflex_that_was_looked_at() -> None:
    assert version("reflex") == "0.10.1", (
        "read tp_inbox/web/reflex_internals.py against the new sources, then say so here"
    )


def test_a_token_finds_its_socket_where_we_look() -> None:
    tokens = LocalTokenManager()
    tokens.token_to_socket["t"] = SocketRecord(instance_id=tokens.instance_id, sid="s")
    assert isinstance(tokens.instance_id, str)
    assert isinstance(tokens.sid_to_token, dict)


def test_the_door_stands_where_reflex_calls_it() -> None:
    inherited = reflex.app.EventNamespace
    for name in ("on_connect", "on_event", "on_disconnect", "emit_update", "_build_static_router_data"):
        ours, theirs = (list(inspect.signature(getattr(c, name)).parameters) for c in (internals.Sockets, inherited))
        assert ours == theirs, name
    assert "self._build_static_router_data(sid, environ)" in inspect.getsource(inherited.on_connect)
    assert "await self.on_event(sid, boot_event)" in inspect.getsource(inherited.on_connect)
    assert "event_namespace.emit_update(" in inspect.getsource(BaseStateEventProcessor.configure)


def test_the_app_runs_with_our_door() -> None:
    assert isinstance(app.event_namespace, internals.Sockets)
    assert app.sio.namespace_handlers[app.event_namespace.namespace] is app.event_namespace


def test_the_gate_stands_before_everything_else() -> None:
    assert type(app._middlewares[0]).__name__ == "Gate"
    source = inspect.getsource(BaseStateEventProcessor._execute_event)
    assert source.index("self.middleware._preprocess") < source.index("process_event(")


def test_an_event_begins_at_the_root_when_it_is_told_to() -> None:
    parameters = inspect.signature(BaseStateEventProcessor.enqueue).parameters
    assert list(parameters) == ["self", "token", "event", "ev_ctx"]
    assert list(inspect.signature(EventContext.fork).parameters) == ["self", "token", "router_data"]
    assert "_root_context" in BaseStateEventProcessor.__dataclass_fields__


def test_a_state_is_emptied_and_told_by_the_names_we_use() -> None:
    for name in ("reset", "_get_root_state", "_get_resolved_delta", "_clean", "get_state"):
        assert callable(getattr(BaseState, name)), name


def test_states_are_kept_and_forgotten_by_the_names_we_use() -> None:
    kept = StateManagerMemory(token_expiration=1)
    assert kept._token_expires_at == {}
    assert kept._states_locks == {}
    assert callable(kept._purge_token)


def test_reflexs_own_handlers_are_those_we_know() -> None:
    """A new one would be closed to browsers; decide whether it may be opened."""
    theirs = {
        name.rpartition("____")[2]
        for name in app._registration_context.event_handlers
        if not internals.is_ours(name) and not name.endswith(internals.SETTER)
    }
    assert theirs == {
        "state.hydrate",
        "state.set_is_hydrated",
        "state.hydrate_and_load",
        "frontend_event_exception_state.handle_frontend_exception",
        "update_vars_internal_state.update_vars_internal",
        "on_load_internal_state.on_load_internal",
        "on_load_internal_state.set_is_hydrated",
    }
    assert len(internals.OPEN_TO_ANYONE) == 4


def test_a_page_that_begins_says_so() -> None:
    assert "hashes" in inspect.signature(State.event_handlers["hydrate_and_load"].fn).parameters
    assert internals.begins_a_page(Event(name=internals.HYDRATE, payload={"hashes": ["x"]}))
    assert not internals.begins_a_page(Event(name=internals.HYDRATE, payload={"hashes": None}))


def test_names_and_annotations_of_handlers_are_read() -> None:
    name = internals.name_of(ThreadState.toggle_family)
    assert name.endswith("thread_state.toggle_family")
    assert internals.is_ours(name)
    assert not internals.is_ours(internals.name_of(OnLoadInternalState.event_handlers["on_load_internal"]))


async def test_token_socket_and_cookie_of_a_tab_are_found(stage: Stage) -> None:
    alice = await stage.tab("alice", "/settings")
    assert internals.socket_of(app, alice.token) == alice.socket
    assert internals.cookie_of(app, alice.socket, "tp_inbox_session") == alice.cookie
    await alice.disconnect()
    assert internals.socket_of(app, alice.token) is None
    assert internals.cookie_of(app, alice.socket, "tp_inbox_session") == ""


async def test_a_strange_cookie_beside_ours_hides_it_not(stage: Stage) -> None:
    stage.namespace.cookies["s"] = 'odd[name]={"a": 1}; tp_inbox_session=token; other'
    assert internals.cookie_of(app, "s", "tp_inbox_session") == "token"
