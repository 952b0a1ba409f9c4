"""Whether a family wants to be texted, in open tabs: the question, its answers, and composers that close and open."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.cast import LINCOLN_NUMBER, ROSA
from tests.services.steps import LINCOLN, change
from tests.web.harness import Stage, Tab
from tp_inbox.services.inboxes import AUTOMATIC
from tp_inbox.services.opened import NOT_OPENED, OPEN_FOR
from tp_inbox.services.ports import InboundText
from tp_inbox.services.unsubscribing import CLOSED_ALREADY
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import OversightReading
from tp_inbox.web.arguments import OUT_OF_DATE
from tp_inbox.web.states.composer import ComposerState
from tp_inbox.web.states.consent import ALLOWED_AGAIN, ConsentState
from tp_inbox.web.states.inbox import InboxState
from tp_inbox.web.states.oversight_page import OversightPage
from tp_inbox.web.states.thread import ThreadState

LIKELY = "Please stop texting me"


async def rosa_texts(stage: Stage, body: str) -> None:
    inbound = InboundText("SM" + uuid4().hex, ROSA, LINCOLN_NUMBER, body, (), None, {"Body": body}, utc_now())
    await stage.town.wired.receiving.receive(inbound)
    await stage.hears()


def head(tab: Tab) -> dict[str, Any]:
    return tab.var(ThreadState, "head")


def marks(tab: Tab) -> list[bool]:
    rows = [*(tab.var(InboxState, "moved") or []), *(tab.var(InboxState, "rows") or [])]
    return [row["asks_stop"] for row in {row["id"]: row for row in reversed(rows)}.values()]


@pytest.fixture
async def tabs(stage: Stage) -> tuple[Tab, Tab]:
    """Alice, who writes for the school, and Dora, its admin, before the same conversation."""
    path = f"/messages/school/{await stage.town.school()}"
    await rosa_texts(stage, "Hello")
    return await stage.tab("alice", path), await stage.tab("dora", path)


async def test_the_question_comes_to_every_open_tab_and_goes_with_one_answer(
    stage: Stage, tabs: tuple[Tab, Tab]
) -> None:
    await rosa_texts(stage, LIKELY)
    for tab in tabs:
        assert (head(tab)["asked"]["words"], marks(tab)) == (LIKELY, [True])
    alice, dora = tabs
    await alice.call(ConsentState.keep_texting, head(alice)["asked"]["id"])
    await stage.hears()
    for tab in tabs:
        assert (head(tab)["asked"]["id"], marks(tab)) == (0, [False])
    assert head(dora)["closed"] == ""


async def test_yes_closes_the_composer_in_every_tab(stage: Stage, tabs: tuple[Tab, Tab]) -> None:
    await rosa_texts(stage, LIKELY)
    alice, dora = tabs
    await alice.call(ConsentState.stop_texts, head(alice)["asked"]["id"])
    await stage.hears()
    for tab in tabs:
        assert "asked for no more texts" in head(tab)["closed"]
    assert head(dora)["consent"]["may_take_back"]


async def test_a_stop_to_the_school_closes_a_persons_composer_and_a_start_opens_it_with_the_draft(
    stage: Stage,
) -> None:
    thread = await stage.town.personal("alice")
    alice = await stage.tab("alice", f"/messages/personal/{thread}")
    await alice.call(ComposerState.type, thread, alice.var(ComposerState, "key"), "See you on Friday")
    await rosa_texts(stage, "STOP")
    assert LINCOLN in head(alice)["closed"]
    await rosa_texts(stage, "START")
    assert (head(alice)["closed"], alice.var(ComposerState, "written")) == ("", "See you on Friday")


async def test_an_admin_stops_texts_by_hand_and_takes_it_back(stage: Stage, tabs: tuple[Tab, Tab]) -> None:
    alice, dora = tabs
    await dora.call(ConsentState.ask, head(dora)["id"])
    assert dora.var(ConsentState, "stopping") == head(dora)["id"]
    form = {"place": str(stage.town.schools[LINCOLN]), "note": "She called."}
    await dora.call(ConsentState.record, form)
    await stage.hears()
    assert (dora.var(ConsentState, "stopping"), "asked for no more" in head(alice)["closed"]) == (0, True)
    await dora.call(ConsentState.ask, head(dora)["id"])
    await dora.call(ConsentState.record, form)
    assert dora.var(ConsentState, "problem") == CLOSED_ALREADY
    assert ALLOWED_AGAIN in (await dora.call(ConsentState.take_back, head(dora)["id"])).text
    await stage.hears()
    assert head(alice)["closed"] == ""


@pytest.mark.parametrize("place", ["", "x", "-1", "9" * 40])
async def test_a_place_that_is_none_is_answered_with_a_sentence(
    stage: Stage, tabs: tuple[Tab, Tab], place: str
) -> None:
    dora = tabs[1]
    await dora.call(ConsentState.ask, head(dora)["id"])
    await dora.call(ConsentState.record, {"place": place})
    assert dora.var(ConsentState, "problem") == OUT_OF_DATE


async def test_a_district_admin_does_both_in_a_conversation_that_is_open_in_oversight(
    stage: Stage, tabs: tuple[Tab, Tab]
) -> None:
    alice, _ = tabs
    thread = head(alice)["id"]
    diana = await stage.tab("diana", f"/oversight/{thread}")
    assert overseen(diana)["manages"]
    await diana.call(OversightPage.toggle_family)
    await diana.call(ConsentState.ask, thread)
    await diana.call(ConsentState.record, {"place": str(stage.town.schools[LINCOLN]), "tell": "on"})
    await stage.hears()
    assert "Diana Drew recorded on" in overseen(diana)["consent"]["stopped"][0]
    assert diana.var(OversightPage, "bubbles")[-1]["author"] == AUTOMATIC
    assert diana.var(OversightPage, "family_shown")
    assert "asked for no more" in head(alice)["closed"]
    assert ALLOWED_AGAIN in (await diana.call(ConsentState.take_back, thread)).text
    await stage.hears()
    assert (overseen(diana)["consent"]["stopped"], head(alice)["closed"]) == ([], "")


async def test_after_the_hour_oversight_answers_with_a_sentence_and_stops_nothing(
    stage: Stage, tabs: tuple[Tab, Tab]
) -> None:
    thread = head(tabs[0])["id"]
    diana = await stage.tab("diana", f"/oversight/{thread}")
    await change(stage.town, OversightReading, at=utc_now() - OPEN_FOR)
    await diana.call(ConsentState.ask, thread)
    await diana.call(ConsentState.record, {"place": str(stage.town.schools[LINCOLN])})
    await stage.hears()
    assert (diana.var(ConsentState, "problem"), head(tabs[0])["closed"]) == (NOT_OPENED, "")


def overseen(tab: Tab) -> dict[str, Any]:
    return tab.var(OversightPage, "head")
