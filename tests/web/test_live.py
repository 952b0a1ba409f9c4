"""What the feed brings to open screens: nothing missing, nothing twice, and little asked of the database for it."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, event, text
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, MIA, OMAR, ROSA, STRANGER
from tests.web.harness import Stage, Tab, app
from tp_inbox.services.changes import Change, ChangeKind
from tp_inbox.services.ports import InboundText
from tp_inbox.services.staff import assign
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import announce
from tp_inbox.storage.tables import Assignment
from tp_inbox.web import reflex_internals as internals
from tp_inbox.web.states.composer import ComposerState
from tp_inbox.web.states.inbox import InboxState
from tp_inbox.web.states.new_message import NewMessageState
from tp_inbox.web.states.push import ACCESS_CHANGED, PushState
from tp_inbox.web.states.settings_page import SettingsPage
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.thread import MOST_IN_TAIL, MOST_PARKED, NO_ACCESS, ThreadState

LATEST = 10**9
"""Named as seen, so that no send is refused for what was missed."""


async def family_writes(stage: Stage, body: str, sender: str = ROSA) -> None:
    """A text to Lincoln's shared number."""
    inbound = InboundText("SM" + uuid4().hex, sender, LINCOLN_NUMBER, body, (), None, {"Body": body}, utc_now())
    await stage.town.wired.receiving.receive(inbound)
    await stage.town.wired.receiving.route_waiting()
    await stage.hears()


async def school_writes(stage: Stage, body: str, who: str = "alice", thread: int = 0) -> Any:
    thread = thread or await stage.town.school()
    actor = await stage.town.actor(who)
    return await stage.town.wired.services.sending.send(actor, thread, body, uuid4(), LATEST)


async def loses(stage: Stage, who: str) -> None:
    """All that the person's roles allow is taken away."""
    async with stage.town.wired.db.transaction() as session:
        await session.execute(delete(Assignment).where(col(Assignment.staff_id) == stage.town.staff[who]))
        await announce(session, Change(ChangeKind.ACCESS, staff=stage.town.staff[who]))
    await stage.hears()


def bubbles(tab: Tab) -> list[str]:
    return [row["text"] for part in ("rows", "parked", "tail") for row in tab.var(ThreadState, part) or []]


def lines(tab: Tab) -> list[dict[str, Any]]:
    moved = tab.var(InboxState, "moved") or []
    return moved + [row for row in tab.var(InboxState, "rows") or [] if row["id"] not in {m["id"] for m in moved}]


def unread(tab: Tab) -> int:
    return tab.var(ShellState, "unread")


@pytest.fixture
def small_window(monkeypatch: pytest.MonkeyPatch) -> int:
    """So that a test need not write hundreds of texts."""
    monkeypatch.setattr("tp_inbox.services.inboxes.MESSAGES_A_PAGE", 10)
    monkeypatch.setattr("tp_inbox.web.states.thread.MOST_IN_WINDOW", 20)
    monkeypatch.setattr("tp_inbox.web.states.thread.MOST_PARKED", 0)
    return 20


@pytest.fixture
async def open_thread(stage: Stage) -> tuple[Tab, int]:
    school = await stage.town.school()
    return await stage.tab("alice", f"/messages/school/{school}"), school


async def test_ten_tabs_of_two_people_show_every_text_once(stage: Stage) -> None:
    school = await stage.town.school()
    tabs = [await stage.tab(who, f"/messages/school/{school}") for who in ("alice", "dora") for _ in range(5)]
    sent = []
    for number in range(25):
        tab = tabs[number % len(tabs)]
        sent.append(f"text {number}")
        await tab.call(ComposerState.send, school, str(uuid4()), sent[-1], LATEST)
    await stage.hears()
    assert [bubbles(tab) for tab in tabs] == [sent] * 10
    assert all(len(lines(tab)) == 1 for tab in tabs)


async def test_texts_sent_at_once_stand_in_one_order_everywhere(stage: Stage) -> None:
    school = await stage.town.school()
    tabs = [await stage.tab(who, f"/messages/school/{school}") for who in ("alice", "dora", "vera")]
    await asyncio.gather(*(school_writes(stage, f"text {n}", who) for n in range(6) for who in ("alice", "dora")))
    await stage.hears()
    fresh = await stage.tab("dora", f"/messages/school/{school}")
    assert [bubbles(tab) for tab in tabs] == [bubbles(fresh)] * 3
    assert len(bubbles(fresh)) == 12


async def test_ones_own_click_and_the_feed_bring_one_bubble(stage: Stage, open_thread: tuple[Tab, int]) -> None:
    alice, school = open_thread
    await alice.call(ComposerState.send, school, str(uuid4()), "Once", 0)
    await stage.hears()
    await alice.call(ThreadState.toggle_family)
    assert bubbles(alice) == ["Once"]


async def test_a_double_click_is_one_bubble(stage: Stage, open_thread: tuple[Tab, int]) -> None:
    alice, school = open_thread
    key = str(uuid4())
    for _ in range(2):
        await alice.call(ComposerState.send, school, key, "Once", 0)
    await stage.hears()
    assert bubbles(alice) == ["Once"]


async def test_nothing_is_missing_after_a_dropped_connection(stage: Stage, open_thread: tuple[Tab, int]) -> None:
    alice, _ = open_thread
    await school_writes(stage, "before", "dora")
    await stage.hears()
    await alice.disconnect()
    await school_writes(stage, "meanwhile", "dora")
    await stage.hears()
    await alice.reconnect()
    await school_writes(stage, "after", "dora")
    await stage.hears()
    assert bubbles(alice) == ["before", "meanwhile", "after"]
    assert lines(alice)[0]["preview"] == "after"


async def test_what_arrives_while_a_page_loads_is_shown_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, open_thread: tuple[Tab, int]
) -> None:
    """The tab subscribes first and loads then; a text committed in between comes both ways."""
    inboxes = type(stage.town.wired.services.inboxes)
    really = inboxes.threads

    async def with_a_text_in_between(*args, **kwargs):
        monkeypatch.setattr(inboxes, "threads", really)
        await school_writes(stage, "in between", "dora")
        return await really(*args, **kwargs)

    monkeypatch.setattr(inboxes, "threads", with_a_text_in_between)
    alice, _ = open_thread
    await alice.load(alice.path)
    await stage.hears()
    assert bubbles(alice) == ["in between"]


async def test_every_tab_loads_again_when_the_feed_was_away(stage: Stage, open_thread: tuple[Tab, int]) -> None:
    alice, _ = open_thread
    async with stage.town.wired.db.transaction() as session:
        await session.execute(text("SELECT pg_notify('x', 'y')"))
        listeners = "FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        assert (await session.execute(text(f"SELECT pg_terminate_backend(pid) {listeners}"))).all()
    await school_writes(stage, "unheard", "dora")
    async with asyncio.timeout(10):
        while bubbles(alice) != ["unheard"]:  # noqa: ASYNC110 - the feed comes back by itself
            await asyncio.sleep(0.05)
    await stage.hears()
    assert bubbles(alice) == ["unheard"]
    assert lines(alice)[0]["preview"] == "unheard"


async def test_every_tab_loads_again_when_a_change_could_not_be_passed_on(
    stage: Stage, open_thread: tuple[Tab, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _ = open_thread
    really = stage.live._changes.read

    async def once_not(*args):
        stage.live._changes.read = really
        raise RuntimeError

    monkeypatch.setattr("tp_inbox.web.live.AGAIN_SECONDS", 0.01)
    stage.live._changes.read = once_not
    await school_writes(stage, "not lost", "dora")
    await stage.hears()
    assert bubbles(alice) == ["not lost"]


async def test_lines_name_their_school_only_for_whoever_reads_several(stage: Stage) -> None:
    async with stage.town.wired.db.transaction() as session:
        await assign(session, stage.town.staff["charlie"], "School Viewer", "Lincoln Middle School")
    for who, several in (("alice", False), ("charlie", True)):
        tab = await stage.tab(who, "/messages/school")
        assert tab.var(ShellState, "several_schools") is several


async def test_a_push_asks_the_database_as_much_for_thirteen_tabs_as_for_one(stage: Stage) -> None:
    school = await stage.town.school()
    await school_writes(stage, "the first", "dora")
    asked, tabs = [], []
    for number in (1, 12):
        tabs += [await stage.tab("alice", f"/messages/school/{school}") for _ in range(number)]
        asked.append(await counted(stage, lambda: school_writes(stage, "again", "dora")))
    one, thirteen = asked
    assert all(stage.live.is_subscribed(tab.token, tab.socket) for tab in tabs)
    assert len(thirteen) <= len(one)
    assert sum("JOIN session" in statement for statement in thirteen) == 1


async def test_a_change_that_concerns_nobody_reads_nothing(stage: Stage) -> None:
    charlie = await stage.tab("charlie", "/messages/school")
    await school_writes(stage, "for Lincoln", "dora")
    await stage.hears()
    assert stage.live._heard == {} or all(h.changed.message is None for h in stage.live._heard.values())
    assert "for Lincoln" not in charlie.seen


async def test_a_change_of_an_inbox_that_one_may_not_read_shows_nothing_by_its_id(stage: Stage) -> None:
    dora, charlie = await stage.tab("dora", "/messages/school"), await stage.tab("charlie", "/messages/school")
    await school_writes(stage, "for Lincoln", "dora")
    await stage.hears()
    for change_id in [*stage.live._heard, "unknown", ""]:
        await internals.enqueue(app, charlie.token, PushState.changed(change_id))
    await stage.settle()
    assert "for Lincoln" in dora.seen
    assert "for Lincoln" not in charlie.seen
    assert stage.failures == []


async def test_an_old_change_is_forgotten(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.tab("dora", "/messages/school")
    monkeypatch.setattr("tp_inbox.web.live.KEPT_SECONDS", -1)
    await school_writes(stage, "for Lincoln", "dora")
    await stage.hears()
    for heard in stage.live._heard.values():
        heard.until = 0
    assert all(stage.live.changed(i) is None for i in stage.live._heard)
    await stage.live.sweep(app)
    assert stage.live._heard == {}


async def test_a_family_writes_and_list_counts_and_thread_follow(stage: Stage, open_thread: tuple[Tab, int]) -> None:
    alice, _ = open_thread
    dora = await stage.tab("dora", "/messages/school")
    await family_writes(stage, "Is Mia there?")
    assert bubbles(alice) == ["Is Mia there?"]
    assert [(row["preview"], row["unread"]) for row in lines(dora)] == [("Is Mia there?", 1)]
    assert (unread(alice), unread(dora)) == (1, 1)
    await family_writes(stage, "Please answer")
    assert (lines(dora)[0]["unread"], unread(dora)) == (2, 1)
    await alice.call(ThreadState.mark_read)
    await stage.hears()
    assert (unread(alice), lines(alice)[0]["unread"]) == (0, 0)
    assert unread(dora) == 1


async def test_reading_in_one_tab_counts_in_all_of_that_person(stage: Stage, open_thread: tuple[Tab, int]) -> None:
    alice, _ = open_thread
    others = [await stage.tab("alice", path) for path in ("/messages/school", "/messages/personal", "/settings")]
    await family_writes(stage, "Hello?")
    assert [unread(tab) for tab in others] == [1, 1, 1]
    await alice.call(ThreadState.mark_read)
    await stage.hears()
    assert [unread(tab) for tab in others] == [0, 0, 0]


async def test_a_text_in_the_other_tab_is_counted_and_not_listed(stage: Stage) -> None:
    alice = await stage.tab("alice", "/messages/personal")
    await family_writes(stage, "For the school")
    assert unread(alice) == 1
    assert lines(alice) == []
    await alice.goes_to("/messages/school")
    assert [row["preview"] for row in lines(alice)] == ["For the school"]


async def test_an_unknown_sender_appears_in_the_list_at_once(stage: Stage) -> None:
    vera = await stage.tab("vera", "/messages/school")
    await family_writes(stage, "Who is this?", STRANGER)
    assert [row["preview"] for row in lines(vera)] == ["Who is this?"]
    assert unread(vera) == 1


async def test_a_click_on_a_thread_does_not_read_the_list_again(stage: Stage) -> None:
    first, second = await stage.town.school(), await stage.town.school(phone=MIA)
    alice = await stage.tab("alice", f"/messages/school/{first}")
    answer = await alice.goes_to(f"/messages/school/{second}")
    assert not any("rows_rx_state_" in d.get(InboxState.get_full_name(), {}) for d in answer.deltas)
    assert alice.var(ThreadState, "head")["id"] == second
    await alice.reconnect()
    assert any("rows_rx_state_" in d.get(InboxState.get_full_name(), {}) for d in alice.answer.deltas)


async def test_a_thread_opens_in_one_step(stage: Stage) -> None:
    """Head, bubbles and draft of one family arrive together, so that none stands beside another family's."""
    first, second = await stage.town.school(), await stage.town.school(phone=MIA)
    await school_writes(stage, "For Rosa", thread=first)
    alice = await stage.tab("alice", f"/messages/school/{first}")
    answer = await alice.goes_to(f"/messages/school/{second}")
    heads = [d for d in answer.deltas if "head_rx_state_" in d.get(ThreadState.get_full_name(), {})]
    assert len(heads) == 1
    assert heads[0][ThreadState.get_full_name()]["rows_rx_state_"] == []
    assert "key_rx_state_" in heads[0][ComposerState.get_full_name()]


async def test_a_click_that_overtakes_another_leaves_no_half_of_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await stage.town.school(), await stage.town.school(phone=MIA)
    alice = await stage.tab("alice", f"/messages/school/{first}")
    threads = type(stage.town.wired.services.threads)
    really, waits = threads.draft, asyncio.Event()

    async def slowly(self, actor, thread_id):
        if thread_id == second:
            waits.set()
            await asyncio.sleep(5)
        return await really(self, actor, thread_id)

    monkeypatch.setattr(threads, "draft", slowly)
    overtaken = asyncio.create_task(alice.goes_to(f"/messages/school/{second}"))
    await waits.wait()
    await alice.goes_to(f"/messages/school/{first}")
    await overtaken
    assert alice.var(ThreadState, "head")["id"] == first


async def test_a_permission_taken_away_closes_thread_and_tab_and_says_so(
    stage: Stage, open_thread: tuple[Tab, int]
) -> None:
    alice, school = open_thread
    await school_writes(stage, "seen", "dora")
    await stage.hears()
    await alice.call(ComposerState.type, school, str(uuid4()), "half written")
    await loses(stage, "alice")
    assert alice.answer.says(ACCESS_CHANGED)
    assert alice.var(ThreadState, "missing") == NO_ACCESS
    assert alice.var(ShellState, "sees_messages") is False
    assert "seen" not in bubbles(alice)
    assert lines(alice) == []
    await school_writes(stage, "unseen", "dora")
    await stage.hears()
    assert "unseen" not in alice.seen
    await alice.call(ComposerState.send, school, str(uuid4()), "after", LATEST)
    assert "do not have access" in alice.var(ComposerState, "refused")


async def test_the_draft_of_a_thread_that_closed_is_there_when_access_is_back(
    stage: Stage, open_thread: tuple[Tab, int]
) -> None:
    alice, school = open_thread
    await alice.call(ComposerState.type, school, str(uuid4()), "half written")
    await loses(stage, "alice")
    async with stage.town.wired.db.transaction() as session:
        await assign(session, stage.town.staff["alice"], "Counselor", "Lincoln Middle School")
    await stage.hears()
    await alice.goes_to(f"/messages/school/{school}")
    assert alice.var(ComposerState, "written") == "half written"


async def test_losing_one_tab_leads_to_the_other(stage: Stage, open_thread: tuple[Tab, int]) -> None:
    alice, _ = open_thread
    async with stage.town.wired.db.transaction() as session:
        await session.execute(delete(Assignment).where(col(Assignment.staff_id) == stage.town.staff["alice"]))
        await assign(session, stage.town.staff["alice"], "Nurse", "Lincoln Middle School")
    await stage.hears()
    assert alice.var(ShellState, "tabs") == {
        "personal": True,
        "school": False,
        "personal_unread": 0,
        "school_unread": 0,
    }
    assert alice.answer.redirects == ["/messages/personal"]


async def test_whom_one_may_no_longer_write_to_leaves_the_search(stage: Stage) -> None:
    alice = await stage.tab("alice", "/messages/personal/new")
    await alice.call(NewMessageState.search, "Lopez")
    assert "Rosa Lopez" in alice.seen
    await loses(stage, "alice")
    assert "Rosa" not in alice.seen


async def test_what_is_open_behind_another_page_goes_too(stage: Stage, open_thread: tuple[Tab, int]) -> None:
    alice, _ = open_thread
    await school_writes(stage, "seen", "dora")
    await stage.hears()
    await alice.goes_to("/settings")
    await loses(stage, "alice")
    assert "seen" not in bubbles(alice)
    assert lines(alice) == []
    assert alice.answer.redirects == []


async def test_a_tab_on_another_page_stays_there_when_all_load_again(stage: Stage) -> None:
    alice = await stage.tab("alice", "/settings")
    await alice.call(SettingsPage.type, "Ms. A")
    await stage.live.reload_all(app)
    await stage.settle()
    assert alice.answer.redirects == []
    assert alice.var(SettingsPage, "typed") == "Ms. A"


async def test_the_line_of_a_thread_says_draft_once_one_has_left_it(stage: Stage) -> None:
    first, second = await stage.town.school(), await stage.town.school(phone=MIA)
    await school_writes(stage, "one", thread=first)
    alice = await stage.tab("alice", f"/messages/school/{first}")
    await alice.call(ComposerState.type, first, str(uuid4()), "half written")
    await alice.goes_to(f"/messages/school/{second}")
    assert [(row["preview"], row["draft"]) for row in lines(alice)] == [("half written", True)]
    await alice.goes_to(f"/messages/school/{first}")
    await alice.call(ComposerState.send, first, str(uuid4()), "whole", LATEST)
    await stage.hears()
    assert [(row["preview"], row["draft"]) for row in lines(alice)] == [("whole", False)]


async def test_a_long_conversation_stays_a_window(
    stage: Stage, open_thread: tuple[Tab, int], small_window: int
) -> None:
    alice, _ = open_thread
    sent = [f"text {n}" for n in range(small_window + 2 * MOST_IN_TAIL)]
    for body in sent:
        await school_writes(stage, body, "dora")
    await stage.hears()
    rows, tail = alice.var(ThreadState, "rows"), alice.var(ThreadState, "tail")
    assert len(rows) <= small_window
    assert len(tail) <= MOST_IN_TAIL
    assert bubbles(alice) == sent[-len(rows + tail) :]
    assert alice.var(ThreadState, "older") is True


async def test_a_full_tail_is_parked_and_the_rows_are_not_sent_again(
    stage: Stage, open_thread: tuple[Tab, int]
) -> None:
    alice, _ = open_thread
    sent = [f"text {n}" for n in range(MOST_PARKED + MOST_IN_TAIL)]
    for body in sent[: MOST_IN_TAIL + 1]:
        await school_writes(stage, body, "dora")
    await stage.hears()
    assert (alice.var(ThreadState, "rows"), len(alice.var(ThreadState, "parked"))) == ([], MOST_IN_TAIL + 1)
    for body in sent[MOST_IN_TAIL + 1 :]:
        await school_writes(stage, body, "dora")
    await stage.hears()
    assert bubbles(alice) == sent
    assert len(alice.var(ThreadState, "rows")) > MOST_PARKED


async def test_reading_far_above_leaves_no_hole_and_leads_back(
    stage: Stage, open_thread: tuple[Tab, int], small_window: int
) -> None:
    alice, _ = open_thread
    sent = [f"text {n}" for n in range(small_window + 2 * MOST_IN_TAIL)]
    for body in sent:
        await school_writes(stage, body, "dora")
    await stage.hears()
    for _ in range(4):
        await alice.call(ThreadState.show_older)
    assert (alice.var(ThreadState, "older"), alice.var(ThreadState, "newer")) == (False, True)
    await school_writes(stage, "at the end", "dora")
    await stage.hears()
    assert bubbles(alice) == sent[:small_window]
    await alice.call(ThreadState.show_newest)
    assert bubbles(alice) == [*sent, "at the end"][-10:]
    assert alice.var(ThreadState, "last_id") == alice.var(ThreadState, "rows")[-1]["id"]


async def test_sending_from_far_above_leads_back_to_the_end(
    stage: Stage, open_thread: tuple[Tab, int], small_window: int
) -> None:
    alice, school = open_thread
    for number in range(small_window + 5):
        await school_writes(stage, f"text {number}")
    await alice.reconnect()
    for _ in range(3):
        await alice.call(ThreadState.show_older)
    assert alice.var(ThreadState, "newer") is True
    await alice.call(ComposerState.send, school, str(uuid4()), "from above", LATEST)
    await stage.hears()
    assert bubbles(alice)[-1] == "from above"
    assert alice.var(ThreadState, "newer") is False


async def test_a_text_is_retried_only_where_it_stands(stage: Stage) -> None:
    own, school = await stage.town.personal("alice"), await stage.town.school()
    message = await school_writes(stage, "elsewhere", thread=school)
    alice = await stage.tab("alice", f"/messages/personal/{own}")
    answer = await alice.call(ComposerState.retry, message.id)
    assert answer.says("does not exist")
    assert bubbles(alice) == []


async def test_an_address_without_a_tab_leads_to_the_first(stage: Stage) -> None:
    assert (await Tab(stage, await stage.signs_in("alice")).load("/messages")).redirects == ["/messages/personal"]
    assert (await Tab(stage, await stage.signs_in("vera")).load("/messages/personal/1")).redirects == [
        "/messages/school"
    ]
    assert (await Tab(stage, await stage.signs_in("diana")).load("/")).redirects == ["/admin/staff"]


async def test_a_thread_is_found_in_its_own_tab_alone(stage: Stage) -> None:
    own = await stage.town.personal("alice", OMAR)
    alice = await stage.tab("alice", f"/messages/school/{own}")
    assert alice.var(ThreadState, "head") in (None, {}) or alice.var(ThreadState, "head")["id"] == 0
    assert "do not have access" in alice.var(ThreadState, "missing")


async def counted(stage: Stage, act: Any) -> list[str]:
    """The statements that the database is asked while something happens and is heard of."""
    said: list[str] = []
    engine = stage.town.wired.db.engine.sync_engine

    def note(_conn, _cursor, statement, *_):
        said.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        await act()
        await stage.hears()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return said
