"""Every event handler of every state, found in Reflex's own registry, so that a new one is held to this at once."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from reflex.state import State

import tp_inbox.web
from tests.web.harness import Answer, Stage, Tab, app
from tp_inbox.domain.errors import Refusal, SignedOut
from tp_inbox.services.numbers import personal_inbox
from tp_inbox.web import reflex_internals as internals
from tp_inbox.web.arguments import OUT_OF_DATE, Pasted

SECRET = "a secret about Mia"
HERS = (SECRET, "Lopez", "555-0142", "555-0163", "Alice", "Lincoln")
"""What Charlie may find on no screen of his."""
NO_NUMBERS = (True, 1.5, float("nan"), float("inf"), 2**70, -(2**70))
GARBAGE = (None, *NO_NUMBERS, [], [1], {"a": 1}, {"a": {"b": []}}, "x" * 30_000)
EXAMPLES: dict[Any, Any] = {int: 1, str: "words", Pasted: "a,b", dict: {"signature": "words"}}


def handlers() -> dict[str, dict[str, Any]]:
    """Each handler of ours that a browser can name, with the types of its arguments."""
    registered = app._registration_context.event_handlers
    return {
        name: internals.hints_of(found.handler)
        for name, found in registered.items()
        if internals.is_ours(name) and not name.endswith(internals.SETTER)
    }


def callable_by_browsers(stage: Stage) -> dict[str, dict[str, Any]]:
    return {name: hints for name, hints in handlers().items() if name not in stage.live.push_names}


def assert_no_faults(stage: Stage) -> None:
    assert [f for f in stage.failures if not isinstance(f, Refusal)] == []


@pytest.fixture
async def hers(stage: Stage) -> dict[type, list[Any]]:
    """Ids of all that is Alice's, and words that would find her families."""
    town = stage.town
    own, school = await town.personal("alice"), await town.school()
    sending = town.wired.services.sending
    first = await sending.send(await town.actor("alice"), own, SECRET, uuid4(), 0)
    second = await sending.send(await town.actor("alice"), school, SECRET, uuid4(), 0)
    await town.wired.services.threads.save_draft(await town.actor("alice"), own, uuid4(), SECRET)
    async with town.wired.db.transaction() as session:
        inbox = await personal_inbox(session, town.staff["alice"])
    ids = {
        own,
        school,
        first.id,
        second.id,
        inbox.id,
        town.staff["alice"],
        *town.phones.values(),
        *town.schools.values(),
    }
    words = [str(uuid4()), first.key, "Ros", "0142", SECRET[2:8]]
    return {int: sorted(ids), str: words, Pasted: words, dict: [{"signature": "Charlie"}]}


def test_there_are_handlers_to_hold_to_this() -> None:
    assert len(handlers()) > 15
    assert all(hint in EXAMPLES for hints in handlers().values() for hint in hints.values())


async def test_nobody_calls_anything_without_having_signed_in(stage: Stage) -> None:
    before = await stage.counts()
    for name, hints in callable_by_browsers(stage).items():
        stranger = stage.stranger()
        await stranger.connect()
        answer = await stranger.forge(name, {arg: EXAMPLES[hint] for arg, hint in hints.items()})
        assert answer.shows_out, name
        assert "Alice" not in answer.text
    assert await stage.counts() == before
    assert_no_faults(stage)


async def test_a_cookie_that_is_no_session_is_nobody(stage: Stage) -> None:
    for cookie in ("wrong", "", "x" * 5000, "%00", '"; DROP'):
        stranger = Tab(stage, cookie)
        assert (await stranger.load("/messages/personal/1")).shows_out
    assert_no_faults(stage)


async def test_the_wrong_person_gets_nothing_of_somebody_elses_by_any_handler(stage: Stage, hers: dict) -> None:
    charlie = await stage.tab("charlie")
    before = await stage.counts()
    for name, hints in callable_by_browsers(stage).items():
        for values in itertools.islice(itertools.product(*(hers[hint] for hint in hints.values())), 60):
            answer = await charlie.forge(name, dict(zip(hints, values, strict=True)))
            assert_nothing_of_hers(answer, name)
    assert_nothing_of_hers(charlie.seen, "the screen")
    assert await stage.counts() == before
    assert_no_faults(stage)


async def test_no_address_shows_the_wrong_person_anything(stage: Stage, hers: dict) -> None:
    charlie = await stage.tab("charlie")
    paths = [f"/messages/{box}/{i}" for box in ("personal", "school", "x") for i in hers[int]]
    paths += [f"/oversight/{i}" for i in hers[int]]
    odd = ["/messages/personal/-1", "/messages/school/²", "/messages//", "/messages/personal/" + "9" * 40]
    for path in [*paths, *odd, "/admin/staff", "/settings"]:
        assert_nothing_of_hers(await charlie.goes_to(path), path)
    assert_nothing_of_hers(charlie.seen, "the screen")
    assert_no_faults(stage)


async def test_arguments_that_do_not_fit_end_in_a_sentence(stage: Stage) -> None:
    alice = await stage.tab("alice", f"/messages/personal/{await stage.town.personal('alice')}")
    before = await stage.counts()
    for name, hints in callable_by_browsers(stage).items():
        right = {arg: EXAMPLES[hint] for arg, hint in hints.items()}
        wrong = [right | {arg: bad} for arg in hints for bad in GARBAGE]
        for payload in [*wrong, right | {"more": 1}, *([{}] if hints else [])]:
            answer = await alice.forge(name, payload)
            if payload.keys() != right.keys():
                assert answer.says(OUT_OF_DATE), (name, payload)
    assert_no_faults(stage)
    assert await stage.counts() == before


async def test_an_argument_that_no_column_can_hold_is_refused_or_cleaned(stage: Stage) -> None:
    alice = await stage.tab("alice", f"/messages/personal/{await stage.town.personal('alice')}")
    for name, hints in callable_by_browsers(stage).items():
        for odd in ("\0", "a\0b", "\ud800", "\u202e", "' OR 1=1 --", "%", "_" * 100, "\\"):
            await alice.forge(name, {arg: odd if hint is str else EXAMPLES[hint] for arg, hint in hints.items()})
    assert_no_faults(stage)


@pytest.mark.parametrize("payload", [None, [], "text", 7, {"change_id": {}}, {1: 2}])
async def test_a_frame_that_is_no_event_ends_at_the_door(stage: Stage, payload: Any) -> None:
    alice = await stage.tab("alice")
    for name in (next(iter(handlers())), "nothing.like.this", None, 7, [], {}, "a.setvar"):
        await alice.forge(name, payload)
    with app.set_contexts():
        for frame in (None, "text", '{"name": "x"}', [], 1, {"name": "x", "router_data": []}):
            await stage.namespace.on_event(alice.socket, frame)
    await stage.settle()
    assert_no_faults(stage)


async def test_where_a_page_says_it_is_may_be_anything(stage: Stage) -> None:
    alice = await stage.tab("alice")
    name = next(n for n in internals.OPEN_TO_ANYONE if n.endswith("on_load_internal"))
    forged = {"token": "t", "headers": {"cookie": "c"}, "sid": "s", "ip": "i"}
    long = {"pathname": "x" * 9000}
    for where in ({"pathname": {}}, {"asPath": 1}, {"query": "x"}, {"query": {"a": {}}}, long, forged):
        await alice.forge(name, {}, router_data=where)
    assert_no_faults(stage)


@pytest.mark.parametrize("name", ["setvar", "set_is_hydrated"])
async def test_reflex_brings_no_other_way_to_change_a_variable(stage: Stage, name: str) -> None:
    alice = await stage.tab("alice")
    before = alice.seen
    for full, found in app._registration_context.event_handlers.items():
        if full.endswith(f".{name}"):
            hints = internals.hints_of(found.handler)
            answer = await alice.forge(full, {arg: "is_hydrated" if arg == "var_name" else True for arg in hints})
            assert answer.deltas == [], full
    assert alice.seen == before


async def test_the_variables_that_a_browser_may_bring_along_are_none(stage: Stage) -> None:
    stranger = stage.stranger()
    names = [f"{state.get_full_name()}.{var}" for state in states() for var in state.base_vars]
    payload = {"vars": dict.fromkeys(names, "forged"), "hashes": None}
    await stranger.connect({"name": internals.HYDRATE, "payload": payload, "router_data": {}})
    await stage.settle()
    assert "forged" not in stranger.seen
    assert_no_faults(stage)


async def test_only_the_server_pushes(stage: Stage) -> None:
    alice = await stage.tab("alice")
    for name in stage.live.push_names:
        answer = await alice.forge(name, {"change_id": "anything"} if name.endswith("changed") else {})
        assert answer == Answer()


def test_a_state_has_no_public_method_that_is_no_handler() -> None:
    """Reflex makes a handler of every one, decorated or not; so each says that it is meant."""
    for path in Path(tp_inbox.web.__file__).parent.rglob("*.py"):
        for kind in (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ClassDef)):
            if not any(ast.unparse(base) in {"rx.State", "State"} for base in kind.bases):
                continue
            for method in (m for m in kind.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)):
                said = {ast.unparse(d).partition("(")[0] for d in method.decorator_list}
                assert method.name.startswith("_") or said & {"rx.event", "rx.var"}, f"{path.name}: {method.name}"


def test_what_a_page_is_made_with_holds_no_data() -> None:
    """Defaults stand in the pages' files, which anybody may load."""
    blank = State(_reflex_internal_init=True).dict()
    ours = {name: values for name, values in blank.items() if internals.is_ours(name)}
    assert {leaf for leaf in leaves(ours) if leaf} <= {True}


async def test_a_session_that_ends_in_the_middle_of_a_handler_shows_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await stage.tab("alice", "/settings")
    name = next(n for n in handlers() if n.endswith("settings_page.save"))

    async def ended_meanwhile(*_: Any) -> None:
        raise SignedOut

    monkeypatch.setattr("tp_inbox.services.staff.actors.as_of_now", ended_meanwhile)
    assert (await alice.forge(name, {"form": {"signature": "A"}})).shows_out


def assert_nothing_of_hers(shown: Answer | str, where: str) -> None:
    text = shown if isinstance(shown, str) else shown.text
    assert [word for word in HERS if word in text] == [], where


def states() -> list[type[State]]:
    return [s for n, s in app._registration_context.base_states.items() if internals.is_ours(n)]


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in leaves(part)]
    if hasattr(value, "__dataclass_fields__"):
        return [leaf for name in value.__dataclass_fields__ for leaf in leaves(getattr(value, name))]
    return [value]
