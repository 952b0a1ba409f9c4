"""Oversight on the screen: nothing before the reason, nothing afterwards, and nothing for anybody else."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, update
from sqlmodel import col

from tests.cast import OMAR
from tests.services.steps import LINCOLN, ROOSEVELT, rows
from tests.web.harness import Stage, Tab
from tp_inbox.domain import access
from tp_inbox.domain.errors import NotFound
from tp_inbox.domain.permissions import Permission
from tp_inbox.services.changes import Change, ChangeKind
from tp_inbox.services.opened import OPEN_FOR
from tp_inbox.services.oversight import NO_REASON
from tp_inbox.services.staff import assign
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import announce
from tp_inbox.storage.tables import Assignment, AuditEntry, Message, OversightReading, ReadMarker, Role, Staff
from tp_inbox.web import reflex_internals as internals
from tp_inbox.web.states.composer import ComposerState
from tp_inbox.web.states.oversight_page import OversightPage
from tp_inbox.web.states.push import ACCESS_CHANGED
from tp_inbox.web.states.readings import ReadingsState
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.thread import NO_ACCESS, ThreadState

SECRET = "a secret about Mia"
REASON = "A parent has complained."
NOT_THERE = NotFound().sentence


def shows(tab: Tab, name: str) -> Any:
    return tab.var(OversightPage, name)


def words(tab: Tab) -> list[str]:
    return [row["text"] for row in shows(tab, "bubbles")]


async def writes(stage: Stage, who: str, thread: int, text: str = SECRET) -> None:
    actor = await stage.town.actor(who)
    await stage.town.wired.services.sending.send(actor, thread, text, uuid4(), 2**53)
    await stage.hears()


async def reason(tab: Tab, thread: int, text: str = REASON) -> None:
    await tab.call(OversightPage.give_reason, {"thread": str(thread), "reason": text})


async def announces(stage: Stage, who: str) -> None:
    async with stage.town.wired.db.transaction() as session:
        await announce(session, Change(ChangeKind.ACCESS, staff=stage.town.staff[who]))
    await stage.hears()


async def loses_everything(stage: Stage, who: str) -> None:
    async with stage.town.wired.db.transaction() as session:
        await session.execute(delete(Assignment).where(col(Assignment.staff_id) == stage.town.staff[who]))
    await announces(stage, who)


@pytest.fixture
async def alices(stage: Stage) -> int:
    thread = await stage.town.personal("alice")
    await writes(stage, "alice", thread)
    return thread


@pytest.fixture
async def opened(stage: Stage, alices: int) -> tuple[Tab, int]:
    """Diana reads Alice's conversation."""
    diana = await stage.tab("diana", f"/oversight/{alices}")
    await reason(diana, alices)
    return diana, alices


async def test_the_list_tells_whose_and_when_and_nothing_of_what(stage: Stage, alices: int) -> None:
    diana = await stage.tab("diana", "/oversight")
    (row,) = shows(diana, "rows")
    assert (row["id"], row["title"], row["whose"], row["through"]) == (alices, "Rosa Lopez", "Alice Adams", LINCOLN)
    assert [school["name"] for school in shows(diana, "schools")] == [LINCOLN, ROOSEVELT]
    assert SECRET not in diana.seen


async def test_no_word_reaches_the_browser_before_the_reason(stage: Stage, alices: int) -> None:
    diana = await stage.tab("diana", f"/oversight/{alices}")
    assert (shows(diana, "asking"), shows(diana, "head")["whose"]) == (True, "Alice Adams")
    for handler in (OversightPage.show_older, OversightPage.show_newest):
        await diana.call(handler)
    assert SECRET not in diana.seen
    assert "555-0142" not in diana.seen
    await reason(diana, alices)
    assert (words(diana), shows(diana, "asking")) == ([SECRET], False)


async def test_a_reason_that_is_none_is_asked_for_again_and_what_was_typed_stays(stage: Stage, alices: int) -> None:
    diana = await stage.tab("diana", f"/oversight/{alices}")
    for text in ("", "short", "x" * 501, " " * 40):
        await reason(diana, alices, text)
        assert shows(diana, "asking")
        assert shows(diana, "problem")
    assert SECRET not in diana.seen
    await diana.call(OversightPage.suggest, "Safety concern")
    assert (shows(diana, "suggested"), shows(diana, "problem")) == ("Safety concern", "")
    assert NO_REASON not in diana.answer.text


async def test_a_reason_for_one_conversation_opens_no_other(stage: Stage, alices: int) -> None:
    """It was sent from a form that another click has replaced."""
    bobs = await stage.town.personal("bob")
    diana = await stage.tab("diana", f"/oversight/{alices}")
    await diana.goes_to(f"/oversight/{bobs}")
    await reason(diana, alices)
    assert await rows(stage.town, OversightReading) == []
    assert shows(diana, "asking")


async def test_within_the_hour_it_is_not_asked_again_and_after_it_it_is(stage: Stage, opened: tuple[Tab, int]) -> None:
    diana, alices = opened
    await diana.goes_to("/oversight")
    await diana.goes_to(f"/oversight/{alices}")
    assert words(diana) == [SECRET]
    async with stage.town.wired.db.transaction() as session:
        await session.execute(update(OversightReading).values(at=utc_now() - OPEN_FOR - timedelta(seconds=1)))
    await diana.call(OversightPage.show_newest)
    assert (words(diana), shows(diana, "asking")) == ([], True)


async def test_paging_after_the_hour_asks_again(stage: Stage, alices: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tp_inbox.services.inboxes.MESSAGES_A_PAGE", 1)
    await writes(stage, "alice", alices, "The last one.")
    diana = await stage.tab("diana", f"/oversight/{alices}")
    await reason(diana, alices)
    assert (words(diana), shows(diana, "older")) == (["The last one."], True)
    async with stage.town.wired.db.transaction() as session:
        await session.execute(update(OversightReading).values(at=utc_now() - OPEN_FOR))
    await diana.call(OversightPage.show_older)
    assert (words(diana), shows(diana, "asking")) == ([], True)
    await reason(diana, alices)
    await diana.call(OversightPage.show_older)
    assert words(diana) == [SECRET, "The last one."]


async def test_a_long_conversation_is_read_through_a_window(
    stage: Stage, alices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tp_inbox.services.inboxes.MESSAGES_A_PAGE", 2)
    monkeypatch.setattr("tp_inbox.web.states.oversight_page.MOST_IN_WINDOW", 3)
    for number in range(4):
        await writes(stage, "alice", alices, f"no. {number}")
    diana = await stage.tab("diana", f"/oversight/{alices}")
    await reason(diana, alices)
    await diana.call(OversightPage.show_older)
    assert (words(diana), shows(diana, "newer")) == (["no. 0", "no. 1", "no. 2"], True)
    await diana.call(OversightPage.show_newest)
    assert (words(diana), shows(diana, "newer")) == (["no. 2", "no. 3"], False)


async def test_what_is_written_meanwhile_comes_when_it_is_asked_for(stage: Stage, opened: tuple[Tab, int]) -> None:
    """Nothing is pushed to those who oversee: the feed knows one's own inboxes alone."""
    diana, alices = opened
    await writes(stage, "alice", alices, "And another one.")
    assert "And another one." not in diana.seen
    await diana.call(OversightPage.show_newest)
    assert words(diana) == [SECRET, "And another one."]


async def test_a_schools_inbox_is_logged_once_for_each_opening(stage: Stage) -> None:
    school = await stage.town.school()
    await writes(stage, "alice", school, "The bus is late.")
    diana = await stage.tab("diana", f"/oversight/{school}")
    assert (words(diana), shows(diana, "asking")) == (["The bus is late."], False)
    await diana.call(OversightPage.show_newest)
    await diana.goes_to(f"/oversight/{school}")
    assert len(await rows(stage.town, AuditEntry)) == len(await rows(stage.town, OversightReading)) == 1


async def test_who_has_the_inbox_anyway_is_led_there_and_nothing_is_logged(stage: Stage) -> None:
    school = await stage.town.school()
    await writes(stage, "alice", school, "The bus is late.")
    dora = await stage.tab("dora", f"/oversight/{school}")
    assert shows(dora, "head")["own"]
    assert words(dora) == []
    assert await rows(stage.town, OversightReading) == []


async def test_the_list_is_narrowed_by_family_person_and_school(stage: Stage, alices: int) -> None:
    omars = await stage.town.personal("charlie", OMAR)
    await writes(stage, "charlie", omars)
    diana = await stage.tab("diana", "/oversight")

    async def found(handler: Any, asked: Any) -> list[int]:
        await diana.call(handler, asked)
        return [row["id"] for row in shows(diana, "rows")]

    assert await found(OversightPage.find_family, "rosa") == [alices]
    assert await found(OversightPage.find_person, "charlie") == []
    assert await found(OversightPage.find_family, "") == [omars]
    assert await found(OversightPage.find_person, "") == [omars, alices]
    assert await found(OversightPage.choose_school, stage.town.schools[LINCOLN]) == [alices]
    assert await found(OversightPage.choose_school, 0) == [omars, alices]


async def test_the_list_goes_on_where_it_ended(stage: Stage, alices: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tp_inbox.services.oversight.THREADS_A_PAGE", 1)
    bobs = await stage.town.personal("bob")
    await writes(stage, "bob", bobs)
    diana = await stage.tab("diana", "/oversight")
    assert [row["id"] for row in shows(diana, "rows")] == [bobs]
    await diana.call(OversightPage.show_older_rows)
    assert ([row["id"] for row in shows(diana, "rows")], shows(diana, "older_rows")) == ([bobs, alices], False)


@pytest.mark.parametrize("who", ["alice", "bob", "charlie", "nora"])
async def test_who_only_writes_sees_none_of_it(stage: Stage, alices: int, who: str) -> None:
    """Alice, too, whose conversation it is: not in the rail, not by an address, not by any event."""
    for path in ("/oversight", f"/oversight/{alices}", "/oversight/999999"):
        tab = await stage.tab(who, path)
        assert not tab.var(ShellState, "sees_oversight")
        assert shows(tab, "refused") == access.OVERSIGHT_ONLY
        assert (shows(tab, "rows"), shows(tab, "head")["id"], words(tab)) == ([], 0, [])
        for handler, arguments in (
            (OversightPage.find_family, ["rosa"]),
            (OversightPage.find_person, ["alice"]),
            (OversightPage.choose_school, [stage.town.schools[LINCOLN]]),
            (OversightPage.show_older, []),
            (OversightPage.show_newest, []),
            (OversightPage.show_older_rows, []),
            (OversightPage.give_reason, [{"thread": str(alices), "reason": REASON}]),
        ):
            await tab.call(handler, *arguments)
        assert (shows(tab, "rows"), words(tab)) == ([], [])
        assert SECRET not in json.dumps(tab.screen[OversightPage.get_full_name()])
    assert await rows(stage.town, OversightReading) == []


async def test_with_the_permission_the_nurse_does(stage: Stage, alices: int) -> None:
    async with stage.town.wired.db.transaction() as session:
        permissions = [Permission.PERSONAL_MESSAGES.value, Permission.VIEW_ALL_MESSAGES.value]
        await session.execute(update(Role).where(col(Role.name) == "Nurse").values(permissions=permissions))
    bob = await stage.tab("bob", f"/oversight/{alices}")
    assert (bob.var(ShellState, "sees_oversight"), shows(bob, "asking")) == (True, True)


@pytest.mark.parametrize("odd", ["999999", "x", "-1", "²", "9" * 40, "0"])
async def test_not_there_and_not_yours_are_the_same_answer(stage: Stage, odd: str) -> None:
    charlies = await stage.town.personal("charlie", OMAR)
    dora = await stage.tab("dora", f"/oversight/{charlies}")
    assert (shows(dora, "missing"), shows(dora, "head")["id"]) == (NOT_THERE, 0)
    await dora.goes_to(f"/oversight/{odd}")
    assert (shows(dora, "missing"), shows(dora, "head")["id"]) == (NOT_THERE, 0)
    await dora.goes_to(f"/oversight/{await stage.town.personal('dora')}")
    assert shows(dora, "missing") == NOT_THERE


async def test_when_the_permission_goes_the_open_view_closes_with_a_sentence(
    stage: Stage, opened: tuple[Tab, int]
) -> None:
    diana, _ = opened
    await loses_everything(stage, "diana")
    assert diana.answer.says(ACCESS_CHANGED)
    assert shows(diana, "refused") == access.OVERSIGHT_ONLY
    assert (shows(diana, "rows"), shows(diana, "head")["id"], words(diana)) == ([], 0, [])
    assert not diana.var(ShellState, "sees_oversight")


async def test_when_the_school_goes_the_open_conversation_closes_with_a_sentence(stage: Stage, alices: int) -> None:
    dora, town = await stage.tab("dora", f"/oversight/{alices}"), stage.town
    await reason(dora, alices)
    assert words(dora) == [SECRET]
    async with town.wired.db.transaction() as session:
        hers = col(Assignment.staff_id) == town.staff["dora"]
        await session.execute(update(Assignment).where(hers).values(school_id=town.schools[ROOSEVELT]))
    await announces(stage, "dora")
    assert (shows(dora, "refused"), shows(dora, "missing"), words(dora)) == ("", NO_ACCESS, [])
    assert shows(dora, "rows") == []


async def test_what_stays_allowed_stays_on_the_screen(stage: Stage, opened: tuple[Tab, int]) -> None:
    """Diana is no district admin any more, but still Lincoln's viewer."""
    diana, _ = opened
    town = stage.town
    async with town.wired.db.transaction() as session:
        hers = col(Assignment.staff_id) == town.staff["diana"]
        await session.execute(delete(Assignment).where(hers))
        await assign(session, town.staff["diana"], "School Viewer", LINCOLN)
    await stage.hears()
    assert (words(diana), shows(diana, "refused")) == ([SECRET], "")
    assert [school["name"] for school in shows(diana, "schools")] == [LINCOLN]


async def test_what_was_overseen_is_forgotten_on_every_other_page_too(stage: Stage, opened: tuple[Tab, int]) -> None:
    diana, _ = opened
    await diana.goes_to("/settings")
    await loses_everything(stage, "diana")
    assert SECRET not in diana.seen


async def test_nothing_can_be_done_in_an_overseen_conversation(stage: Stage, opened: tuple[Tab, int]) -> None:
    diana, alices = opened
    (text,) = await rows(stage.town, Message)
    before = await stage.counts()
    for handler, arguments in (
        (ThreadState.mark_read, []),
        (ComposerState.type, [alices, str(uuid4()), "words"]),
        (ComposerState.send, [alices, str(uuid4()), "words", 2**50]),
        (ComposerState.retry, [text.id]),
        (ComposerState.cancel, [text.id]),
        (ComposerState.choose_sender, [1]),
    ):
        await diana.call(handler, *arguments)
    assert await stage.counts() == before
    assert await rows(stage.town, ReadMarker) == []
    names = {internals.name_of(handler).rpartition(".")[2] for handler in OversightPage.event_handlers.values()}
    assert not names & {"send", "retry", "cancel", "type", "mark_read", "save_draft"}


async def test_whose_it_is_reads_it_in_the_conversation_and_under_settings(
    stage: Stage, opened: tuple[Tab, int]
) -> None:
    _, alices = opened
    alice = await stage.tab("alice", f"/messages/personal/{alices}")
    head = alice.var(ThreadState, "head")
    assert (head["times_read"], head["read_by"]["reader"], head["read_by"]["reason"]) == (1, "Diana Drew", REASON)
    await alice.goes_to("/settings")
    (reading,) = alice.var(ReadingsState, "readings")
    assert (reading["reader"], reading["reason"], reading["family"]) == ("Diana Drew", REASON, "Rosa Lopez")
    bob = await stage.tab("bob", "/settings")
    assert bob.var(ReadingsState, "readings") == []
    assert "Rosa" not in bob.seen


async def test_older_readings_are_shown_when_asked_for(
    stage: Stage, opened: tuple[Tab, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, alices = opened
    monkeypatch.setattr("tp_inbox.services.oversight.READINGS_A_PAGE", 1)
    await stage.town.wired.services.oversight.open(await stage.town.actor("vera"), alices, "Records request")
    alice = await stage.tab("alice", "/settings")
    assert [r["reader"] for r in alice.var(ReadingsState, "readings")] == ["Vera Vance"]
    await alice.call(ReadingsState.show_older)
    assert [r["reader"] for r in alice.var(ReadingsState, "readings")] == ["Vera Vance", "Diana Drew"]
    assert not alice.var(ReadingsState, "older")


async def test_what_people_wrote_who_have_left_is_still_read(stage: Stage, alices: int) -> None:
    async with stage.town.wired.db.transaction() as session:
        await session.execute(update(Staff).where(col(Staff.name) == "Alice Adams").values(active=False))
    diana = await stage.tab("diana", f"/oversight/{alices}")
    await reason(diana, alices)
    assert (words(diana), shows(diana, "head")["has_left"]) == ([SECRET], True)
