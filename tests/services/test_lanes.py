"""A trouble of our own configuration stops what it concerns and burns nothing that waits, until it is mended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete
from sqlmodel import col

from tests.cast import MIA, OMAR, ROSA, Town
from tests.services.steps import (
    LINCOLN,
    ROOSEVELT,
    change,
    due_now,
    give_number,
    listening,
    message,
    queued,
    report_on,
    rows,
    send,
    state_of,
    the,
)
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, Unavailable
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services.lanes import ACCOUNT_NOT_STOPPED, CAMPAIGN_NOT_STOPPED, NOT_STOPPED, STOPS
from tp_inbox.services.numbers import CAMPAIGN_STOPPED
from tp_inbox.services.ports import NotAccepted
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Alert, AuditEntry, Campaign, Message, Number
from tp_inbox.storage.tables.messages import NumberState

OF_THE_NUMBER = [R.SENDER_NOT_READY, R.NOT_PERMITTED]


def refusal(reason: R) -> NotAccepted:
    return NotAccepted(reason, "30000", retry=False, stop_sender=True)


async def meets(town: Town, reason: R) -> int:
    """A text that meets the trouble."""
    text_id = await queued(town, "first")
    town.gateway.refuse(ROSA, reason)
    await town.wired.dispatching.hand_over_due()
    assert await state_of(town, text_id) == (S.FAILED, reason)
    town.gateway._refused.clear()
    return text_id


async def later(town: Town, text_id: int) -> int:
    """Its turn has not come when the trouble is met."""
    await change(town, Message, col(Message.id) == text_id, next_attempt_at=datetime.now(UTC) + timedelta(hours=1))
    return text_id


async def mend(town: Town, reason: R) -> None:
    lanes, diana, number = town.wired.services.lanes, await town.actor("diana"), await lincolns_number(town)
    if reason in OF_THE_NUMBER:
        await lanes.resume_number(diana, number.id)
    elif reason is R.NOT_REGISTERED:
        await lanes.resume_campaign(diana, number.campaign_id)
    else:
        await lanes.resume_account(diana)


async def lincolns_number(town: Town) -> Number:
    return await the(town, Number, col(Number.school_id) == town.schools[LINCOLN])


async def standing(town: Town) -> list[Alert]:
    return await rows(town, Alert, col(Alert.settled_at).is_(None))


async def goes(town: Town, text_id: int) -> bool:
    await due_now(town)
    await town.wired.dispatching.hand_over_due()
    return (await message(town, text_id)).state is S.ACCEPTED


class TestStopping:
    @pytest.mark.parametrize("reason", sorted(STOPS))
    async def test_what_waits_behind_it_stays_queued_and_is_not_burned(self, town: Town, reason: R) -> None:
        second = await queued(town, "second", phone=MIA)
        town.gateway.refuse(ROSA, reason)
        first = await queued(town, "first")
        town.gateway.refuse(MIA, reason)
        for _ in range(3):
            await due_now(town)
            await town.wired.dispatching.hand_over_due()
        states = sorted([await state_of(town, first), await state_of(town, second)])
        assert states == [(S.FAILED, reason), (S.QUEUED, None)]
        assert {t.attempts for t in await rows(town, Message, col(Message.state) == S.QUEUED)} == {0}
        assert len(town.gateway.sent) == 2

    @pytest.mark.parametrize("reason", sorted(STOPS))
    async def test_the_admins_are_told_once_and_what_to_do(self, town: Town, reason: R) -> None:
        for phone in (ROSA, MIA):
            town.gateway.refuse(phone, reason)
            await queued(town, "at the same time", phone=phone)
        await town.wired.dispatching.hand_over_due()
        (alert,) = await standing(town)
        assert (alert.kind, alert.times) == (STOPS[reason], 1)
        assert "let the texts go on" in alert.sentence

    @pytest.mark.parametrize("reason", OF_THE_NUMBER)
    async def test_a_number_alone_is_stopped_by_what_is_wrong_with_it(self, town: Town, reason: R) -> None:
        await meets(town, reason)
        assert (await lincolns_number(town)).state is NumberState.STOPPED
        await give_number(town, "alice", "+13125550111")
        personal = await send(town, "alice", await town.personal("alice"))
        assert await goes(town, personal.id)

    async def test_all_numbers_of_a_campaign_wait_until_it_is_registered(self, town: Town) -> None:
        """Bob works at Lincoln only, so his number travels with the school's."""
        await give_number(town, "bob", "+13125550112")
        personal = await later(town, (await send(town, "bob", await town.personal("bob"))).id)
        elsewhere = await later(town, (await send(town, "charlie", await town.school(ROOSEVELT, OMAR))).id)
        await meets(town, R.NOT_REGISTERED)
        number = await lincolns_number(town)
        assert number.state is NumberState.ACTIVE
        assert (await the(town, Campaign, col(Campaign.id) == number.campaign_id)).stopped_at is not None
        assert await goes(town, elsewhere)
        assert (await message(town, personal)).state is S.QUEUED

    async def test_nothing_leaves_at_all_from_an_account_that_is_refused(self, town: Town) -> None:
        await meets(town, R.ACCOUNT_PROBLEM)
        assert all(campaign.stopped_at for campaign in await rows(town, Campaign))

    @pytest.mark.parametrize("reason", [R.NOT_REGISTERED, R.ACCOUNT_PROBLEM])
    async def test_who_writes_then_reads_why_nothing_can_be_sent(self, town: Town, reason: R) -> None:
        await meets(town, reason)
        head = await town.wired.services.threads.head(await town.actor("alice"), await town.school())
        assert head.closed == CAMPAIGN_STOPPED
        with pytest.raises(Unavailable, match=CAMPAIGN_STOPPED):
            await queued(town, "one more")

    async def test_a_callback_stops_as_an_answer_does(self, town: Town) -> None:
        text_id = await queued(town)
        await town.wired.dispatching.hand_over_due()
        report = report_on(await message(town, text_id), S.UNDELIVERED, R.NOT_REGISTERED, "30034")
        await town.wired.reporting.report(report)
        (alert,) = await standing(town)
        assert alert.kind is AlertKind.CAMPAIGN_STOPPED

    async def test_what_waits_too_long_behind_it_is_held_back_and_says_so(self, town: Town) -> None:
        waiting = await later(town, await queued(town, "waits", phone=MIA))
        fresh = await later(town, (await send(town, "charlie", await town.school(ROOSEVELT, OMAR))).id)
        await meets(town, R.NOT_REGISTERED)
        assert await town.wired.dispatching.hold_back_old() == 0
        await change(town, Message, col(Message.id) == waiting, created_at=datetime.now(UTC) - timedelta(hours=4))
        assert await town.wired.dispatching.hold_back_old() == 1
        assert await state_of(town, waiting) == (S.FAILED, R.EXPIRED)
        assert await state_of(town, fresh) == (S.QUEUED, None)

    async def test_a_number_in_quarantine_stays_there(self, town: Town) -> None:
        text_id = await queued(town)
        await change(town, Number, state=NumberState.QUARANTINED)
        town.gateway.refuse(ROSA, R.SENDER_NOT_READY)
        await town.wired.dispatching.hand_over_due()
        assert await state_of(town, text_id) == (S.FAILED, R.SENDER_NOT_READY)
        assert (await lincolns_number(town)).state is NumberState.QUARANTINED
        assert await standing(town) == []

    async def test_composers_close_at_once(self, town: Town) -> None:
        text_id = await queued(town)
        town.gateway.script(refusal(R.NOT_REGISTERED))
        async with listening(town) as heard:
            await town.wired.dispatching.hand_over_due()
            changes = await heard.all()
        inbox = (await message(town, text_id)).inbox_id
        assert inbox in {c.inbox for c in changes if c.kind is ChangeKind.CONSENT}


class TestGoingOn:
    @pytest.mark.parametrize("reason", OF_THE_NUMBER)
    async def test_a_number_that_is_mended_sends_what_waited(self, town: Town, reason: R) -> None:
        waiting = await later(town, await queued(town, "waits", phone=MIA))
        await meets(town, reason)
        await town.wired.services.lanes.resume_number(await town.actor("diana"), (await lincolns_number(town)).id)
        assert await standing(town) == []
        assert await goes(town, waiting)

    @pytest.mark.parametrize("reason", [*OF_THE_NUMBER, R.NOT_REGISTERED, R.ACCOUNT_PROBLEM])
    async def test_a_late_report_from_before_it_was_mended_stops_nothing(self, town: Town, reason: R) -> None:
        early = await queued(town, "early", phone=MIA)
        await town.wired.dispatching.hand_over_due()
        await meets(town, reason)
        await mend(town, reason)
        await town.wired.reporting.report(report_on(await message(town, early), S.UNDELIVERED, reason, "30034"))
        assert await state_of(town, early) == (S.UNDELIVERED, reason)
        assert await standing(town) == []
        fresh = await queued(town, "fresh", phone=MIA)
        await town.wired.dispatching.hand_over_due()
        await town.wired.reporting.report(report_on(await message(town, fresh), S.UNDELIVERED, reason, "30034"))
        assert len(await standing(town)) == 1

    async def test_the_page_of_the_school_mends_it_as_well(self, town: Town) -> None:
        await meets(town, R.SENDER_NOT_READY)
        await town.wired.services.schools.mend_number(await town.actor("diana"), town.schools[LINCOLN])
        assert await standing(town) == []
        assert (await lincolns_number(town)).state is NumberState.ACTIVE

    async def test_a_campaign_that_is_registered_sends_what_waited(self, town: Town) -> None:
        waiting = await later(town, await queued(town, "waits", phone=MIA))
        await meets(town, R.NOT_REGISTERED)
        campaign = (await lincolns_number(town)).campaign_id
        await town.wired.services.lanes.resume_campaign(await town.actor("diana"), campaign)
        (settled,) = await rows(town, Alert)
        assert settled.settled_by == town.staff["diana"]
        assert await goes(town, waiting)

    async def test_an_account_that_is_paid_sends_everywhere(self, town: Town) -> None:
        elsewhere = await later(town, (await send(town, "charlie", await town.school(ROOSEVELT, OMAR))).id)
        await meets(town, R.ACCOUNT_PROBLEM)
        await town.wired.services.lanes.resume_account(await town.actor("diana"))
        assert await standing(town) == []
        assert await goes(town, elsewhere)

    async def test_a_campaign_made_while_the_account_is_refused_sends_nothing_before_it_is_mended(
        self, town: Town
    ) -> None:
        """Nora works nowhere in particular, so hers is the first number of the district's campaign."""
        async with town.wired.db.transaction() as session:
            await session.execute(delete(Campaign).where(col(Campaign.school_id).is_(None)))
        await meets(town, R.ACCOUNT_PROBLEM)
        noras = await give_number(town, "nora", "+13125550119")
        made = await the(town, Campaign, col(Campaign.id) == noras.campaign_id)
        assert made.school_id is None and made.stopped_at is not None
        await mend(town, R.ACCOUNT_PROBLEM)
        assert (await the(town, Campaign, col(Campaign.id) == noras.campaign_id)).stopped_at is None

    async def test_a_campaign_that_was_stopped_for_itself_stays_so(self, town: Town) -> None:
        await meets(town, R.NOT_REGISTERED)
        await send(town, "charlie", await town.school(ROOSEVELT, OMAR))
        town.gateway.refuse(OMAR, R.ACCOUNT_PROBLEM)
        await town.wired.dispatching.hand_over_due()
        await town.wired.services.lanes.resume_account(await town.actor("diana"))
        stopped = await rows(town, Campaign, col(Campaign.stopped_at).is_not(None))
        assert [campaign.id for campaign in stopped] == [(await lincolns_number(town)).campaign_id]

    @pytest.mark.parametrize("who", ["dora", "alice", "charlie"])
    async def test_only_who_manages_schools_lets_it_go_on(self, town: Town, who: str) -> None:
        await meets(town, R.SENDER_NOT_READY)
        number, lanes, actor = await lincolns_number(town), town.wired.services.lanes, await town.actor(who)
        for attempt in (
            lanes.resume_number(actor, number.id),
            lanes.resume_campaign(actor, number.campaign_id),
            lanes.resume_account(actor),
        ):
            with pytest.raises(NotAllowed):
                await attempt
        assert (await lincolns_number(town)).state is NumberState.STOPPED

    async def test_what_is_not_stopped_cannot_go_on(self, town: Town) -> None:
        lanes, diana, number = town.wired.services.lanes, await town.actor("diana"), await lincolns_number(town)
        with pytest.raises(Invalid, match=NOT_STOPPED):
            await lanes.resume_number(diana, number.id)
        with pytest.raises(Invalid, match=CAMPAIGN_NOT_STOPPED):
            await lanes.resume_campaign(diana, number.campaign_id)
        with pytest.raises(Invalid, match=ACCOUNT_NOT_STOPPED):
            await lanes.resume_account(diana)
        for attempt in (lanes.resume_number(diana, 999_999), lanes.resume_campaign(diana, 999_999)):
            with pytest.raises(NotFound):
                await attempt

    async def test_who_let_it_go_on_stands_in_the_audit_log(self, town: Town) -> None:
        await meets(town, R.ACCOUNT_PROBLEM)
        await town.wired.services.lanes.resume_account(await town.actor("diana"))
        entries = await rows(town, AuditEntry, col(AuditEntry.actor_id) == town.staff["diana"])
        assert [entry.facts["alert_kind"] for entry in entries] == ["account_stopped"]
