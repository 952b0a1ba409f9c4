"""Numbers and alerts under Admin, as a browser meets them."""

from __future__ import annotations

import pytest
from sqlmodel import col

from tests.services.steps import revoke, rows, the
from tests.web.harness import Stage, Tab
from tp_inbox.domain import access
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services import alerts
from tp_inbox.services.alert_views import ENDS_WHEN_MENDED
from tp_inbox.services.changes import Change, ChangeKind
from tp_inbox.storage.feed import announce
from tp_inbox.storage.tables import Alert
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
