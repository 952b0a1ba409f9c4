"""Numbers and alerts under Admin, as a browser meets them."""

from __future__ import annotations

import pytest
from sqlmodel import col

from tests.cast import STRANGER
from tests.services.steps import (
    ALICES_NUMBER,
    BOBS_NUMBER,
    LINCOLN,
    add,
    change,
    give_number,
    queued,
    receive,
    revoke,
    rows,
    the,
)
from tests.web.harness import Stage, Tab
from tp_inbox.domain import access
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services import alerts
from tp_inbox.services.alert_views import ENDS_WHEN_MENDED
from tp_inbox.services.campaigns import campaign_at
from tp_inbox.services.changes import Change, ChangeKind
from tp_inbox.storage.feed import announce
from tp_inbox.storage.tables import Alert, Campaign, InboundRequest, Number, UnknownNumber
from tp_inbox.storage.tables.messages import NumberState
from tp_inbox.web.states.number_sections import STILL_ASIDE, NumberSections
from tp_inbox.web.states.numbers_page import NumbersPage
from tp_inbox.web.states.shell import ShellState

NUMBERS = "/admin/numbers"
SAID = "The carrier has a text of ours twice."


async def told(stage: Stage, kind: AlertKind = AlertKind.DOUBLED, about: object = "", **concerns: int) -> int:
    async with stage.town.wired.db.transaction() as session:
        await alerts.alert(session, kind, SAID, about, **concerns)
    await stage.hears()
    return (await rows(stage.town, Alert, col(Alert.kind) == kind, col(Alert.about) == str(about)))[-1].id


def sentences(tab: Tab) -> list[str]:
    return [alert["sentence"] for alert in tab.var(NumbersPage, "alerts") or []]


class TestWhoSeesIt:
    @pytest.mark.parametrize("who", ["alice", "bob", "dora", "vera", "nora"])
    async def test_who_does_not_manage_numbers_reads_a_sentence(self, stage: Stage, who: str) -> None:
        await told(stage)
        tab = await stage.tab(who, NUMBERS)
        assert tab.var(NumbersPage, "refused") == access.SCHOOLS_ONLY
        assert sentences(tab) == []
        assert tab.var(ShellState, "alerts") == 0
        assert "numbers" not in tab.var(ShellState, "admin")

    async def test_who_loses_the_permission_loses_page_and_count(self, stage: Stage) -> None:
        await told(stage)
        diana = await stage.tab("diana", NUMBERS)
        assert sentences(diana) == [SAID]
        await revoke(stage.town, "diana")
        async with stage.town.wired.db.transaction() as session:
            await announce(session, Change(ChangeKind.ACCESS, staff=stage.town.staff["diana"]))
        await stage.hears()
        assert diana.var(NumbersPage, "refused") == access.SCHOOLS_ONLY
        assert diana.var(ShellState, "alerts") == 0
        assert SAID not in diana.seen


class TestAlerts:
    async def test_one_comes_and_goes_on_the_open_page_by_itself(self, stage: Stage) -> None:
        diana = await stage.tab("diana", NUMBERS)
        assert (sentences(diana), diana.var(ShellState, "alerts")) == ([], 0)
        await told(stage)
        assert (sentences(diana), diana.var(ShellState, "alerts")) == ([SAID], 1)
        async with stage.town.wired.db.transaction() as session:
            await alerts.settle(session, AlertKind.DOUBLED)
        await stage.hears()
        assert (sentences(diana), diana.var(ShellState, "alerts")) == ([], 0)

    async def test_the_count_stands_beside_admin_on_every_page_of_hers_and_on_nobody_elses(self, stage: Stage) -> None:
        diana, dora = await stage.tab("diana", "/admin/staff"), await stage.tab("dora", "/admin/staff")
        before = dora.answer
        await told(stage)
        assert diana.var(ShellState, "alerts") == 1
        assert dora.var(ShellState, "alerts") == 0
        assert dora.answer is before
        assert SAID not in diana.seen

    async def test_done_ends_it_on_every_screen(self, stage: Stage) -> None:
        alert_id = await told(stage)
        here, there = await stage.tab("diana", NUMBERS), await stage.tab("diana", "/settings")
        await here.call(NumbersPage.settle, alert_id)
        assert sentences(here) == []
        await stage.hears()
        assert there.var(ShellState, "alerts") == 0

    async def test_what_is_not_mended_cannot_be_ended(self, stage: Stage) -> None:
        alert_id = await told(stage, AlertKind.NUMBER_STOPPED)
        diana = await stage.tab("diana", NUMBERS)
        answer = await diana.call(NumbersPage.settle, alert_id)
        assert answer.says(ENDS_WHEN_MENDED)
        assert sentences(diana) == [SAID]

    async def test_nobody_else_ends_one(self, stage: Stage) -> None:
        alert_id = await told(stage)
        for who in ("alice", "dora"):
            tab = await stage.tab(who, NUMBERS)
            await tab.call(NumbersPage.settle, alert_id)
            assert SAID not in tab.seen
        assert (await the(stage.town, Alert)).settled_at is None


def owners(tab: Tab) -> list[str]:
    return [row["owner"] for row in tab.var(NumbersPage, "rows") or []]


async def alices(stage: Stage, state: NumberState = NumberState.ACTIVE, **more: object) -> Number:
    number = await give_number(stage.town, "alice", ALICES_NUMBER)
    await change(stage.town, Number, col(Number.id) == number.id, state=state, **more)
    return number


async def state_of(stage: Stage, number: Number) -> NumberState:
    return (await the(stage.town, Number, col(Number.id) == number.id)).state


class TestNumbers:
    async def test_they_are_searched_and_narrowed(self, stage: Stage) -> None:
        await alices(stage, NumberState.STOPPED, problem="Nobody knows it.")
        diana = await stage.tab("diana", NUMBERS)
        assert owners(diana) == ["Alice Adams", LINCOLN, "Roosevelt High School"]
        assert diana.var(NumbersPage, "summary")["trouble"] == 1
        for narrowing, argument, found in (
            (NumbersPage.search, "adams", ["Alice Adams"]),
            (NumbersPage.search, "0100", [LINCOLN, "Roosevelt High School"]),
            (NumbersPage.choose_school, str(stage.town.schools[LINCOLN]), [LINCOLN]),
            (NumbersPage.search, "", ["Alice Adams", LINCOLN]),
            (NumbersPage.choose_owner, "school", [LINCOLN]),
            (NumbersPage.choose_trouble, "trouble", []),
            (NumbersPage.choose_owner, "", ["Alice Adams"]),
        ):
            await diana.call(narrowing, argument)
            assert owners(diana) == found, argument

    async def test_a_stopped_number_is_used_again_and_its_alert_ends(self, stage: Stage) -> None:
        number = await alices(stage, NumberState.STOPPED)
        await told(stage, AlertKind.NUMBER_STOPPED, number.id, number_id=number.id)
        diana = await stage.tab("diana", NUMBERS)
        await diana.call(NumbersPage.resume_number, number.id)
        assert await state_of(stage, number) is NumberState.ACTIVE
        assert (sentences(diana), diana.var(ShellState, "alerts")) == ([], 0)

    async def test_a_stopped_school_and_a_stopped_account_go_on(self, stage: Stage) -> None:
        async with stage.town.wired.db.transaction() as session:
            campaign = await campaign_at(session, stage.town.schools[LINCOLN])
        await told(stage, AlertKind.CAMPAIGN_STOPPED, campaign, campaign_id=campaign)
        await told(stage, AlertKind.ACCOUNT_STOPPED)
        diana = await stage.tab("diana", NUMBERS)
        await diana.call(NumbersPage.resume_account)
        await diana.call(NumbersPage.resume_campaign, campaign)
        assert sentences(diana) == []
        assert (await the(stage.town, Campaign, col(Campaign.id) == campaign)).stopped_at is None

    async def test_a_lost_number_is_replaced(self, stage: Stage) -> None:
        number = await alices(stage, NumberState.GONE)
        diana = await stage.tab("diana", NUMBERS)
        await diana.call(NumbersPage.replace_number, number.id)
        assert await state_of(stage, number) is NumberState.RELEASED
        assert NumberState.WANTED in [n.state for n in await rows(stage.town, Number)]

    async def test_a_number_is_given_back_after_a_question(self, stage: Stage) -> None:
        number = await alices(stage, NumberState.QUARANTINED)
        diana = await stage.tab("diana", NUMBERS)
        await diana.call(NumbersPage.ask_to_release, number.id)
        assert diana.var(NumbersPage, "asked_about") == "(312) 555-0111"
        assert await state_of(stage, number) is NumberState.QUARANTINED
        await diana.call(NumbersPage.release)
        assert await state_of(stage, number) is NumberState.RELEASING
        assert diana.var(NumbersPage, "asking") == 0

    async def test_nobody_else_changes_a_number(self, stage: Stage) -> None:
        number = await alices(stage, NumberState.STOPPED)
        for who in ("alice", "dora"):
            tab = await stage.tab(who, NUMBERS)
            for handler in (NumbersPage.resume_number, NumbersPage.replace_number, NumbersPage.ask_to_release):
                await tab.call(handler, number.id)
            await tab.call(NumbersPage.search, "a")
            assert "555-0111" not in tab.seen
        assert await state_of(stage, number) is NumberState.STOPPED


class TestWhatIsFolded:
    async def test_what_waits_is_counted_by_school(self, stage: Stage) -> None:
        await queued(stage.town)
        diana = await stage.tab("diana", NUMBERS)
        (queue,) = diana.var(NumberSections, "queues")
        assert (queue["name"], queue["waiting"], queue["stopped"]) == (LINCOLN, 1, False)
        assert diana.var(NumberSections, "waiting") == 1
        assert diana.var(NumberSections, "done") == queue["done"] != ""

    async def _lost(self, stage: Stage) -> int:
        await receive(stage.town, "A secret", sender=STRANGER, to=BOBS_NUMBER)
        await stage.hears()
        return (await the(stage.town, InboundRequest)).id

    async def test_nobody_else_sees_or_tries_what_was_left_aside(self, stage: Stage) -> None:
        request = await self._lost(stage)
        diana, dora = await stage.tab("diana", NUMBERS), await stage.tab("dora", NUMBERS)
        (shown,) = diana.var(NumberSections, "aside")
        assert (shown["sender"], shown["recipient"]) == ("(773) 555-0190", "(312) 555-0112")
        assert "A secret" not in diana.seen
        assert not dora.var(NumberSections, "aside")
        answer = await dora.call(NumberSections.try_again, request)
        assert answer.says(access.SCHOOLS_ONLY)
        assert "555-0190" not in dora.seen

    async def test_what_is_paid_for_and_not_used_is_told(self, stage: Stage) -> None:
        await add(stage.town, UnknownNumber(sid="PN" + "7" * 32, e164="+12025550177", label="Bus line"))
        diana, dora = await stage.tab("diana", NUMBERS), await stage.tab("dora", NUMBERS)
        assert diana.var(NumberSections, "unused") == [{"number": "(202) 555-0177", "label": "Bus line"}]
        assert "555-0177" not in dora.seen

    async def test_a_text_is_tried_again(self, stage: Stage) -> None:
        request = await self._lost(stage)
        diana = await stage.tab("diana", NUMBERS)
        assert (await diana.call(NumberSections.try_again, request)).says(STILL_ASIDE)
        assert diana.var(ShellState, "alerts") == 1
        await give_number(stage.town, "bob", BOBS_NUMBER)
        assert (await diana.call(NumberSections.try_again, request)).says("It is in its conversation now.")
        await stage.hears()
        assert diana.var(NumberSections, "aside") == []
        assert diana.var(ShellState, "alerts") == 0
