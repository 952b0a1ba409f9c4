"""Whose screen a tab shows: each way in which somebody else's could come to stand there."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from reflex_base.event import Event
from sqlalchemy import select
from sqlmodel import col

from tests.cast import ROSA
from tests.web.harness import Stage, Tab, app
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services.changes import Change, ChangeKind
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import Session
from tp_inbox.web import acting, reflex_internals as internals
from tp_inbox.web.gate import OwnerState
from tp_inbox.web.states.composer import ComposerState
from tp_inbox.web.states.inbox import InboxState
from tp_inbox.web.states.push import PushState
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.thread import ThreadState

SECRET = "a secret about Mia"
HERS = ("Alice", "Lopez", SECRET)


@pytest.fixture
async def hers(stage: Stage) -> Tab:
    """Alice's tab, with a text of hers in an open thread."""
    thread = await stage.town.personal("alice")
    alice = await stage.tab("alice", f"/messages/personal/{thread}")
    await alice.call(ComposerState.send, thread, str(uuid4()), SECRET, 0)
    await stage.hears()
    assert all(word in alice.seen for word in HERS)
    return alice


async def writes(stage: Stage, text: str = "Another text") -> None:
    """Alice writes once more, from nowhere in particular."""
    alice = await stage.town.actor("alice")
    await stage.town.wired.services.sending.send(alice, await stage.town.personal("alice"), text, uuid4(), 10**6)
    await stage.hears()


def nothing_of_hers(tab: Tab) -> bool:
    return not any(word in tab.seen for word in HERS)


async def test_the_token_of_a_closed_tab_shows_its_finder_nothing(stage: Stage, hers: Tab) -> None:
    await hers.disconnect()
    finder = Tab(stage, await stage.signs_in("charlie"), hers.token)
    await finder.load(hers.path)
    assert nothing_of_hers(finder)
    assert finder.var(ShellState, "name") == "Charlie Clark"


async def test_the_token_of_a_closed_tab_shows_a_stranger_nothing(stage: Stage, hers: Tab) -> None:
    await hers.disconnect()
    finder = Tab(stage, "", hers.token)
    answer = await finder.load(hers.path)
    assert answer.shows_out
    assert nothing_of_hers(finder)


@pytest.mark.parametrize("cookie", ["", "charlie"])
async def test_whoever_holds_a_closed_tabs_token_and_only_listens_hears_nothing(
    stage: Stage, hers: Tab, cookie: str
) -> None:
    await hers.disconnect()
    finder = Tab(stage, await stage.signs_in(cookie) if cookie else "", hers.token)
    await finder.connect()
    await writes(stage, SECRET)
    await stage.live.reload_all(app)
    await stage.settle()
    assert nothing_of_hers(finder)


async def test_the_token_of_an_open_tab_is_not_given_to_another(stage: Stage, hers: Tab) -> None:
    finder = Tab(stage, await stage.signs_in("charlie"), hers.token)
    await finder.load(hers.path)
    await writes(stage)
    assert nothing_of_hers(finder)
    assert "Another text" in hers.seen


async def test_an_answer_that_comes_late_does_not_reach_who_has_the_token_now(
    stage: Stage, hers: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()
    inboxes = type(stage.town.wired.services.inboxes)
    really = inboxes.messages

    async def slowly(*args, **kwargs):
        arrived.set()
        await go_on.wait()
        return await really(*args, **kwargs)

    monkeypatch.setattr(inboxes, "messages", slowly)
    clicking = asyncio.create_task(hers.goes_to(hers.path))
    await asyncio.wait_for(arrived.wait(), 5)
    stage.tabs.pop(hers.socket)
    stage.namespace._token_manager.token_to_socket.pop(hers.token)
    finder = Tab(stage, "", hers.token)
    await finder.connect({"name": internals.HYDRATE, "payload": {"hashes": None}, "router_data": {}})
    go_on.set()
    await clicking
    await stage.settle()
    assert nothing_of_hers(finder)
    assert finder.var(ThreadState, "head") == {} or finder.var(ThreadState, "head")["id"] == 0


async def test_another_person_in_the_same_tab_sees_their_own_alone(stage: Stage, hers: Tab) -> None:
    hers.cookie = await stage.signs_in("charlie")
    await hers.load("/messages")
    assert nothing_of_hers(hers)
    assert hers.var(ShellState, "name") == "Charlie Clark"


async def test_another_person_over_a_new_connection_of_the_same_page_sees_their_own_alone(
    stage: Stage, hers: Tab
) -> None:
    hers.cookie = await stage.signs_in("charlie")
    await hers.reconnect()
    assert nothing_of_hers(hers)


async def test_another_person_is_told_of_the_emptiness_by_whatever_event_comes_first(stage: Stage, hers: Tab) -> None:
    await hers.disconnect()
    hers.cookie = await stage.signs_in("charlie")
    await hers.connect()
    await hers.call(ThreadState.toggle_family)
    assert nothing_of_hers(hers)


async def test_signing_out_elsewhere_empties_the_screen_at_once(stage: Stage, hers: Tab) -> None:
    await stage.town.wired.services.sessions.sign_out(hers.cookie)
    await stage.hears()
    assert hers.answer.shows_out
    assert any("problem=ended" in script for script in hers.answer.scripts)
    assert nothing_of_hers(hers)


async def test_signing_out_everywhere_reaches_every_tab_of_every_browser(stage: Stage, hers: Tab) -> None:
    second, bystander = await stage.tab("alice", hers.path), await stage.tab("dora", "/messages/school")
    await stage.town.wired.services.sessions.sign_out_everywhere(await stage.town.actor("alice"))
    await stage.hears()
    assert nothing_of_hers(hers)
    assert nothing_of_hers(second)
    assert bystander.var(ShellState, "name") == "Dora Diaz"


async def test_the_next_click_after_signing_out_is_refused(stage: Stage, hers: Tab) -> None:
    await stage.changes(ended_at=utc_now())
    answer = await hers.call(ComposerState.send, 1, str(uuid4()), "More", 10**6)
    assert answer.shows_out
    assert nothing_of_hers(hers)


async def test_the_next_push_after_a_session_has_ended_shows_out_and_tells_nothing(stage: Stage, hers: Tab) -> None:
    await stage.changes(ended_at=utc_now())
    await writes(stage)
    assert hers.answer.shows_out
    assert "Another text" not in hers.seen
    assert nothing_of_hers(hers)


async def test_a_tab_is_shown_out_once(stage: Stage, hers: Tab) -> None:
    await stage.changes(ended_at=utc_now())
    await writes(stage)
    hers.answer.events.clear()
    await writes(stage, "Yet another")
    assert hers.answer.events == []
    assert not stage.live.is_subscribed(hers.token, hers.socket)


@pytest.mark.parametrize("old", [{"expires_at": utc_now()}, {"used_at": utc_now() - timedelta(days=2)}])
async def test_a_session_that_grows_too_old_is_refused_and_swept_out(stage: Stage, hers: Tab, old: dict) -> None:
    await stage.changes(**old)
    await stage.live.sweep(app)
    await stage.settle()
    assert hers.answer.shows_out
    assert nothing_of_hers(hers)


async def test_a_disabled_person_sees_nothing_more(stage: Stage, hers: Tab) -> None:
    await stage.town.wired.services.staff.disable(stage.town.email("alice"))
    await stage.hears()
    assert hers.answer.shows_out
    assert nothing_of_hers(hers)


async def test_a_session_that_ends_between_being_heard_and_being_pushed_is_asked_again(stage: Stage, hers: Tab) -> None:
    change = Change(ChangeKind.SESSION, staff=stage.town.staff["alice"], id="one")
    await stage.live._pass_on(app, change)
    await stage.settle()
    await stage.changes(ended_at=utc_now())
    await stage.live._pass_on(app, Change(ChangeKind.SESSION, staff=stage.town.staff["alice"], id="two"))
    await stage.settle()
    assert hers.answer.shows_out
    assert stage.live.resolved(hers.token, hers.socket, push("one")) is None


async def test_nobody_stays_known_past_a_change_of_their_rights(stage: Stage, hers: Tab) -> None:
    await stage.live._pass_on(app, Change(ChangeKind.READ, staff=stage.town.staff["alice"], id="one"))
    assert stage.live.resolved(hers.token, hers.socket, push("one"))
    stage.live._forget_people(Change(ChangeKind.ACCESS, staff=stage.town.staff["alice"]))
    assert stage.live.resolved(hers.token, hers.socket, push("one")) is None
    await stage.settle()


async def test_who_knows_a_changes_id_is_not_taken_for_the_tabs_former_owner(stage: Stage, hers: Tab) -> None:
    await stage.live._pass_on(app, Change(ChangeKind.READ, staff=stage.town.staff["alice"], id="one"))
    assert stage.live.resolved(hers.token, "another socket", push("one")) is None
    assert stage.live.resolved("another token", hers.socket, push("one")) is None
    await stage.settle()


async def test_a_push_runs_as_the_person_of_its_tab_though_another_has_just_sent(stage: Stage, hers: Tab) -> None:
    """``enqueue`` takes over the caller's context, token and cookie included, when it is called from a handler."""
    school = await stage.town.school()
    dora = await stage.tab("dora", f"/messages/school/{school}")
    alice = await stage.tab("alice", f"/messages/school/{school}")
    for _ in range(3):
        await alice.call(ComposerState.send, school, str(uuid4()), "For the school", 10**6)
        await stage.hears()
        assert dora.var(ShellState, "name") == "Dora Diaz"
        assert dora.var(ShellState, "staff_id") == stage.town.staff["dora"]
    assert [row["text"] for row in dora.var(ThreadState, "tail")] == ["For the school"] * 3
    assert len(dora.var(InboxState, "moved")) == 1


async def test_a_push_begins_at_the_root_whoever_calls(
    stage: Stage, hers: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even from inside another person's handler."""
    seen: list[str] = []
    charlie = await stage.tab("charlie", "/settings")

    async def from_a_handler(*_):
        await internals.enqueue(app, hers.token, PushState.reload())
        seen.append(acting.actor().name)
        return ""

    monkeypatch.setattr(type(stage.town.wired.services.staff), "signature", from_a_handler)
    await charlie.goes_to("/settings")
    assert seen == ["Charlie Clark"]
    assert hers.var(ShellState, "name") == "Alice Adams"
    assert nothing_of_hers(charlie)


async def test_a_quiet_tab_whose_state_was_forgotten_loads_again(stage: Stage, hers: Tab) -> None:
    states = app.state_manager
    for _, kept in list(states._token_expires_at.values()):
        states._purge_token(kept)
    hers.answer.deltas.clear()
    await writes(stage)
    assert hers.answer.reloads
    assert not hers.answer.shows_out
    assert all(not any(changes.values()) for changes in hers.answer.deltas)
    await hers.load(hers.path)
    assert "Another text" in hers.seen


async def test_a_click_in_a_tab_whose_state_was_forgotten_brings_it_back(stage: Stage, hers: Tab) -> None:
    states = app.state_manager
    for _, kept in list(states._token_expires_at.values()):
        states._purge_token(kept)
    await hers.call(ThreadState.toggle_family)
    assert hers.var(ShellState, "name") == "Alice Adams"
    assert SECRET in hers.seen


async def test_a_page_that_loads_again_begins_with_nothing_of_what_was_open(stage: Stage, hers: Tab) -> None:
    """Rights can have changed meanwhile, and nobody shows a thread before they have asked for it."""
    await stage.town.wired.services.sessions.sign_out("nobody")
    await hers.load("/settings")
    assert SECRET not in hers.seen
    assert hers.var(ThreadState, "head")["id"] == 0


async def test_a_connection_that_comes_back_keeps_what_stands_on_the_screen(stage: Stage, hers: Tab) -> None:
    answer = await hers.reconnect()
    heads = [d[ThreadState.get_full_name()] for d in answer.deltas if ThreadState.get_full_name() in d]
    assert all(changes.get("head_rx_state_", {"id": 1})["id"] for changes in heads)
    assert SECRET in hers.seen


async def test_forging_the_owner_is_not_possible(stage: Stage, hers: Tab) -> None:
    assert OwnerState.get_full_name() not in hers.screen or hers.screen[OwnerState.get_full_name()] == {}


async def test_the_cookie_is_in_no_frame_and_in_nothing_that_reflex_keeps(stage: Stage, hers: Tab) -> None:
    await writes(stage)
    state = next(state for key, state in app.state_manager.states.items() if hers.token in key)
    assert hers.cookie not in hers.seen + hers.answer.text
    assert hers.cookie not in str(state.router_data)
    assert hers.cookie not in str(stage.namespace._static_router_data)


async def test_only_a_persons_own_acts_keep_a_session_awake(stage: Stage, hers: Tab) -> None:
    before = utc_now() - timedelta(hours=2)
    await stage.changes(used_at=before)
    for act in (hers.reconnect(), hers.load(hers.path), hers.call(ThreadState.mark_read), writes(stage)):
        await act
    await stage.live.reload_all(app)
    await stage.settle()
    assert await used_at(stage) == before
    await hers.call(ThreadState.toggle_family)
    assert await used_at(stage) > before


async def test_a_page_that_opens_while_the_database_is_away_loads_when_it_is_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = Tab(stage, await stage.signs_in("alice"))
    with monkeypatch.context() as patch:
        patch.setattr(type(stage.town.wired.services.sessions), "look_up", away)
        answer = await alice.load("/messages")
        assert answer.says("cannot be reached")
        assert not answer.shows_out
    await stage.live.reload_all(app)
    await stage.settle()
    assert alice.var(ShellState, "name") == "Alice Adams"


async def test_the_states_of_closed_tabs_are_forgotten_after_a_while(stage: Stage, hers: Tab) -> None:
    closed = await stage.tab("dora", "/messages/school")
    await closed.disconnect()
    assert internals.forget_closed_tabs(app, 60) == 0
    assert internals.forget_closed_tabs(app, -1) == 1
    assert len(app.state_manager.states) == 1
    await hers.call(ThreadState.toggle_family)
    assert SECRET in hers.seen


async def test_closed_tabs_are_no_longer_told(stage: Stage, hers: Tab) -> None:
    socket = hers.socket
    assert stage.live.is_subscribed(hers.token, socket)
    await hers.disconnect()
    await writes(stage)
    await stage.live.sweep(app)
    assert not stage.live.is_subscribed(hers.token, socket)


async def test_two_people_who_read_the_same_inbox_each_answer_as_themselves(stage: Stage) -> None:
    school = await stage.town.school(phone=ROSA)
    people = {who: await stage.tab(who, f"/messages/school/{school}") for who in ("alice", "dora")}
    for tab in people.values():
        await tab.call(ComposerState.send, school, str(uuid4()), "Hello", 10**6)
    await stage.hears()
    shown = [tab.var(ThreadState, "rows") + tab.var(ThreadState, "tail") for tab in people.values()]
    authors = [[row["author"] for row in rows] for rows in shown]
    assert authors == [["Alice Adams", "Dora Diaz"]] * 2


async def away(*_: object, **__: object) -> None:
    raise Unavailable("The database cannot be reached at the moment.")


def push(change_id: str) -> Event:
    return Event(name=internals.name_of(PushState.changed), payload={"change_id": change_id})


async def used_at(stage: Stage):
    async with stage.town.wired.db.reading() as session:
        return await session.scalar(select(col(Session.used_at)))
