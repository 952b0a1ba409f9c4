"""What numbers need by themselves: sharing, giving back, and the comparison with the carrier."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, ROSA, Town
from tests.services.steps import (
    ALICES_NUMBER,
    BOBS_NUMBER,
    LINCOLN,
    add,
    change,
    give_number,
    handed_over,
    message,
    queued,
    receive,
    revoke,
    rows,
    send,
    state_of,
    the,
    until_waiting,
)
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.domain.errors import Invalid, NotAllowed, Unavailable
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services.leaving import Plan
from tp_inbox.services.number_admin import IN_USE
from tp_inbox.services.ports import BoughtNumber, CarrierAway, NumberRefused
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import Alert, Assignment, AuditEntry, Message, Number, Pair, Thread
from tp_inbox.storage.tables.messages import NumberState as N

NINETY_DAYS_AGO = timedelta(days=90)


async def number(town: Town, e164: str = LINCOLN_NUMBER) -> Number:
    return await the(town, Number, col(Number.e164) == e164)


async def alerts(town: Town, kind: AlertKind = AlertKind.NUMBER_GONE) -> list[str]:
    return [a.sentence for a in await rows(town, Alert, col(Alert.kind) == kind, col(Alert.settled_at).is_(None))]


async def alice_leaves(town: Town) -> Number:
    await town.wired.services.leaving.deactivate(await town.actor("diana"), town.staff["alice"], Plan())
    return await number(town, ALICES_NUMBER)


async def quarantine_ends(town: Town) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    await change(town, Number, col(Number.quarantined_until).is_not(None), quarantined_until=past)


class TestNobodyReads:
    """Texts of families to somebody who has an account and no personal messages any more."""

    async def told(self, town: Town) -> list[str]:
        await town.wired.number_care.watch_unread()
        return await alerts(town, AlertKind.NOBODY_READS)

    async def _write_to_bob(self, town: Town) -> None:
        await give_number(town, "bob", BOBS_NUMBER)
        await receive(town, "Leo has a fever", to=BOBS_NUMBER)

    async def test_an_admin_is_told_once_whom_families_write_to_and_what_to_do(self, town: Town) -> None:
        await self._write_to_bob(town)
        await revoke(town, "bob")
        await town.wired.number_care.watch_unread()
        (sentence,) = await self.told(town)
        assert sentence.startswith("Families write to Bob Brown") and "choose who takes over" in sentence
        told = await the(town, Alert)
        assert (told.times, told.number_id) == (1, (await number(town, BOBS_NUMBER)).id)

    async def test_while_the_owner_may_read_nothing_is_told(self, town: Town) -> None:
        await self._write_to_bob(town)
        assert await self.told(town) == []

    async def test_without_any_text_that_waits_nothing_is_told(self, town: Town) -> None:
        await give_number(town, "bob", BOBS_NUMBER)
        await revoke(town, "bob")
        assert await self.told(town) == []

    async def test_a_text_through_a_shared_number_is_told_too(self, town: Town) -> None:
        await self._write_to_bob(town)
        thread = await town.personal("bob")
        mine = await number(town, BOBS_NUMBER)
        await change(town, Number, col(Number.id) == mine.id, staff_id=None, pooled=True)
        await add(town, Pair(phone_id=town.phones[ROSA], number_id=mine.id, thread_id=thread))
        await revoke(town, "bob")
        assert len(await self.told(town)) == 1

    async def test_it_ends_by_itself_when_the_permission_is_back(self, town: Town) -> None:
        await self._write_to_bob(town)
        held = await the(town, Assignment, col(Assignment.staff_id) == town.staff["bob"])
        await revoke(town, "bob")
        assert await self.told(town)
        await add(town, Assignment(staff_id=held.staff_id, role_id=held.role_id, school_id=held.school_id))
        assert await self.told(town) == []

    async def test_it_ends_by_itself_when_the_account_is_deactivated(self, town: Town) -> None:
        await self._write_to_bob(town)
        await revoke(town, "bob")
        assert await self.told(town)
        await town.wired.services.leaving.deactivate(await town.actor("diana"), town.staff["bob"], Plan())
        assert await self.told(town) == []


class TestWaiting:
    async def test_a_text_whose_number_is_not_sold_leaves_from_a_shared_one(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = await send(town, "alice", await town.personal("alice"))
        town.gateway.sells_nothing("Not this one.")
        await town.wired.numbers.buy_wanted()
        town.gateway.sells = None
        assert await town.wired.number_care.help_waiting() == 1
        await town.wired.numbers.buy_wanted()
        await town.wired.dispatching.hand_over_due()
        pair = await the(town, Pair)
        shared = await the(town, Number, col(Number.id) == pair.number_id)
        assert shared.pooled
        assert (await message(town, text.id)).sender == shared.e164 == town.gateway.sent[-1].sender

    async def test_an_admin_is_told_and_no_more_once_it_is_bought(self, town: Town) -> None:
        await send(town, "alice", await town.personal("alice"))
        town.gateway.sells_nothing("The account may not buy.")
        await town.wired.numbers.buy_wanted()
        (sentence,) = await alerts(town, AlertKind.NUMBER_NOT_BOUGHT)
        assert sentence == "A number could not be bought: The account may not buy. Mend that, then press Buy again."
        town.gateway.sells = None
        bought = await the(town, Number, col(Number.staff_id) == town.staff["alice"])
        await change(town, Number, col(Number.id) == bought.id, state=N.WANTED, next_attempt_at=utc_now())
        await town.wired.numbers.buy_wanted()
        assert await alerts(town, AlertKind.NUMBER_NOT_BOUGHT) == []

    async def test_what_waits_for_a_number_for_too_long_is_held_back(self, town: Town) -> None:
        late = await send(town, "alice", await town.personal("alice"))
        fresh = await send(town, "bob", await town.personal("bob"))
        await change(town, Message, col(Message.id) == late.id, created_at=utc_now() - timedelta(hours=5))
        await town.wired.dispatching.hold_back_old()
        assert await state_of(town, late.id) == (S.FAILED, R.EXPIRED)
        assert await state_of(town, fresh.id) == (S.QUEUED, None)


class TestGivingBack:
    async def test_after_90_days_in_quarantine_a_number_is_given_back(self, town: Town) -> None:
        alices = await give_number(town, "alice", ALICES_NUMBER)
        assert (await alice_leaves(town)).state is N.QUARANTINED
        assert await town.wired.number_care.give_back_due() == 0
        await quarantine_ends(town)
        assert await town.wired.number_care.give_back_due() == 1
        assert town.gateway.released == [alices.sid]
        given_back = await number(town, ALICES_NUMBER)
        assert (given_back.state, given_back.released_at is not None) == (N.RELEASED, True)

    async def test_until_then_it_receives_and_afterwards_no_more(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await alice_leaves(town)
        await receive(town, "Still there?", to=ALICES_NUMBER)
        assert await rows(town, Message, col(Message.body) == "Still there?")
        await quarantine_ends(town)
        await town.wired.number_care.give_back_due()
        await receive(town, "And now?", to=ALICES_NUMBER)
        assert await rows(town, Message, col(Message.body) == "And now?") == []

    async def test_a_crash_before_the_carrier_was_asked_or_after_it_rents_nothing_for_ever(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await alice_leaves(town)
        await quarantine_ends(town)
        real = town.gateway.release_number

        async def died_before(_: str) -> None:
            raise asyncio.CancelledError

        async def died_after(sid: str) -> None:
            await real(sid)
            raise asyncio.CancelledError

        for death in (died_before, died_after):
            with monkeypatch.context() as patched:
                patched.setattr(town.gateway, "release_number", death)
                with pytest.raises(asyncio.CancelledError):
                    await town.wired.number_care.give_back_due()
            assert (await number(town, ALICES_NUMBER)).state is N.RELEASING
        assert await town.wired.number_care.give_back_due() == 1
        assert (await number(town, ALICES_NUMBER)).state is N.RELEASED

    async def test_who_comes_back_while_it_is_given_back_gets_another(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await alice_leaves(town)
        await change(town, Number, col(Number.e164) == ALICES_NUMBER, state=N.RELEASING)
        await town.wired.services.leaving.reactivate(await town.actor("diana"), town.staff["alice"])
        with pytest.raises(Unavailable, match="being given back"):
            await send(town, "alice", await town.personal("alice"))
        await town.wired.number_care.give_back_due()
        row = await send(town, "alice", await town.personal("alice"))
        await town.wired.numbers.buy_wanted()
        assert (await message(town, row.id)).sender not in (None, ALICES_NUMBER)
        assert "This is Alice Adams" in row.sent_as

    async def test_the_same_number_can_be_bought_again(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await alice_leaves(town)
        await quarantine_ends(town)
        await town.wired.number_care.give_back_due()
        bobs = await give_number(town, "bob", ALICES_NUMBER)
        await receive(town, "For Bob", to=ALICES_NUMBER)
        assert (await the(town, Message, col(Message.body) == "For Bob")).number_id == bobs.id

    async def test_a_number_from_which_something_is_on_its_way_waits(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        text = await send(town, "alice", await town.personal("alice"))
        await change(town, Message, col(Message.id) == text.id, state=S.UNKNOWN)
        await alice_leaves(town)
        await quarantine_ends(town)
        assert await town.wired.number_care.give_back_due() == 0

    async def test_a_refusal_is_told_until_it_is_given_back(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await alice_leaves(town)
        await quarantine_ends(town)

        async def refused(_: str) -> None:
            raise NumberRefused("Twilio refused.", retry=False)

        with monkeypatch.context() as patched:
            patched.setattr(town.gateway, "release_number", refused)
            assert await town.wired.number_care.give_back_due() == 0
        assert "could not be given back: Twilio refused." in (await alerts(town, AlertKind.NUMBER_MISPLACED))[0]
        await change(town, Number, next_attempt_at=utc_now())
        assert await town.wired.number_care.give_back_due() == 1
        assert await alerts(town, AlertKind.NUMBER_MISPLACED) == []

    async def test_an_admin_gives_a_number_in_quarantine_back_early(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        alices = await alice_leaves(town)
        with pytest.raises(NotAllowed):
            await town.wired.services.number_admin.release(await town.actor("dora"), alices.id)
        await town.wired.services.number_admin.release(await town.actor("diana"), alices.id)
        assert await town.wired.number_care.give_back_due() == 1
        entries = await rows(town, AuditEntry, col(AuditEntry.actor_id) == town.staff["diana"])
        assert entries[-1].facts["change"] == "released"

    async def test_a_stopped_number_of_somebody_who_left_goes_on_in_quarantine(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await change(town, Number, col(Number.e164) == ALICES_NUMBER, state=N.STOPPED, problem="Not ready.")
        alices = await alice_leaves(town)
        await town.wired.services.lanes.resume_number(await town.actor("diana"), alices.id)
        assert (await number(town, ALICES_NUMBER)).state is N.QUARANTINED

    async def test_a_number_in_use_is_not_given_back(self, town: Town) -> None:
        with pytest.raises(Invalid, match=IN_USE[:30]):
            await town.wired.services.number_admin.release(await town.actor("diana"), (await number(town)).id)


class TestTheCarriersList:
    async def test_a_number_that_the_carrier_has_no_more_is_gone_and_said_so(self, town: Town) -> None:
        waiting = await queued(town)
        del town.gateway.bought[LINCOLN_NUMBER]
        await town.wired.number_care.compare_with_carrier()
        assert (await number(town)).state is N.GONE
        assert "Twilio does not have (312) 555-0100 any more" in (await alerts(town))[0]
        assert await state_of(town, waiting) == (S.FAILED, R.SENDER_NOT_READY)
        with pytest.raises(Unavailable, match="does not have this number any more"):
            await queued(town)

    async def test_one_that_was_stopped_because_it_is_gone_is_replaced_and_not_resumed(self, town: Town) -> None:
        del town.gateway.bought[LINCOLN_NUMBER]
        town.gateway.refuse(ROSA, R.SENDER_NOT_READY, stop_sender=True)
        await handed_over(town)
        assert (await number(town)).state is N.STOPPED
        await town.wired.number_care.compare_where_stopped()
        assert (await number(town)).state is N.GONE
        (said,) = await alerts(town)
        assert "does not have (312) 555-0100 any more" in said

    async def test_it_is_replaced_and_families_are_told_who_writes(self, town: Town) -> None:
        await queued(town)
        del town.gateway.bought[LINCOLN_NUMBER]
        await town.wired.number_care.compare_with_carrier()
        lost = await number(town)
        await town.wired.services.number_admin.replace(await town.actor("diana"), lost.id)
        await town.wired.numbers.buy_wanted()
        text = await message(town, await queued(town))
        new = await the(town, Number, col(Number.id) == text.number_id)
        assert (new.school_id, new.state, text.sender) == (town.schools[LINCOLN], N.ACTIVE, new.e164)
        assert "Lincoln Middle School" in text.body
        assert await alerts(town) == []

    async def lost_shared_number(self, town: Town, thread: int) -> Number:
        """By which Rosa knows Alice."""
        shared = await give_number(town, "alice", ALICES_NUMBER)
        await change(town, Number, col(Number.id) == shared.id, staff_id=None, pooled=True, state=N.GONE)
        await add(town, Pair(phone_id=town.phones[ROSA], number_id=shared.id, thread_id=thread))
        return shared

    async def test_a_familys_text_that_comes_at_the_same_moment_and_the_new_number_do_not_wait_in_a_circle(
        self, town: Town
    ) -> None:
        thread, diana = await town.personal("alice"), await town.actor("diana")
        shared = await self.lost_shared_number(town, thread)
        async with town.wired.db.transaction() as coming:
            await coming.execute(update(Pair).values(used_at=utc_now()))
            replacing = asyncio.create_task(town.wired.services.number_admin.replace(diana, shared.id))
            await until_waiting(town, 1)
            await coming.execute(update(Thread).where(col(Thread.id) == thread).values(preview="It has come"))
        await replacing
        assert (await the(town, Thread, col(Thread.id) == thread)).preview == "It has come"

    async def test_a_shared_number_that_is_replaced_keeps_its_families(self, town: Town) -> None:
        await give_number(town, "bob", "+13125550112")
        shared = await self.lost_shared_number(town, await town.personal("alice"))
        await town.wired.services.number_admin.replace(await town.actor("diana"), shared.id)
        await town.wired.numbers.buy_wanted()
        new = await the(town, Number, col(Number.pooled), col(Number.state) == N.ACTIVE)
        assert (await the(town, Pair)).number_id == new.id

    async def test_one_that_is_there_again_is_used_again(self, town: Town) -> None:
        there = town.gateway.bought.pop(LINCOLN_NUMBER)
        await town.wired.number_care.compare_with_carrier()
        town.gateway.bought[LINCOLN_NUMBER] = there
        await town.wired.number_care.compare_with_carrier()
        assert (await number(town)).state is N.ACTIVE
        assert await alerts(town) == []
        await queued(town)

    async def test_when_none_is_there_it_is_another_account_and_nothing_is_changed(self, town: Town) -> None:
        ours = dict(town.gateway.bought)
        town.gateway.bought.clear()
        await town.wired.number_care.compare_with_carrier()
        assert {n.state for n in await rows(town, Number)} == {N.ACTIVE}
        assert "Look whether TWILIO_ACCOUNT_SID" in (await alerts(town))[0]
        town.gateway.bought |= ours
        await town.wired.number_care.compare_with_carrier()
        assert await alerts(town) == []

    async def test_a_number_that_was_bought_a_moment_ago_may_not_be_listed_yet(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await change(town, Number, col(Number.e164) == ALICES_NUMBER, bought_at=utc_now())
        del town.gateway.bought[ALICES_NUMBER]
        await town.wired.number_care.compare_with_carrier()
        assert (await number(town, ALICES_NUMBER)).state is N.ACTIVE

    async def test_webhooks_that_lead_elsewhere_are_set_again(self, town: Town) -> None:
        town.gateway.elsewhere.add((await number(town)).sid or "")
        await town.wired.number_care.compare_with_carrier()
        assert town.gateway.elsewhere == set()
        assert await alerts(town, AlertKind.NUMBER_MISPLACED) == []

    async def test_when_they_cannot_be_set_an_admin_is_told(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        town.gateway.elsewhere.add((await number(town)).sid or "")

        async def refused(_: str) -> None:
            raise NumberRefused("Twilio refused.", retry=False)

        with monkeypatch.context() as patched:
            patched.setattr(town.gateway, "lead_here", refused)
            await town.wired.number_care.compare_with_carrier()
        assert "(312) 555-0100 are led somewhere else" in (await alerts(town, AlertKind.NUMBER_MISPLACED))[0]
        await town.wired.number_care.compare_with_carrier()
        assert await alerts(town, AlertKind.NUMBER_MISPLACED) == []

    async def test_a_number_that_nobody_knows_here_is_listed_because_it_costs_money(self, town: Town) -> None:
        town.gateway.bought["+12025550177"] = BoughtNumber("PN" + "7" * 32, "+12025550177")
        town.gateway.labels["+12025550177"] = "Attendance calls"
        admin, diana = town.wired.services.number_admin, await town.actor("diana")
        for _ in range(2):
            await town.wired.number_care.compare_with_carrier()
        assert [(row.number, row.label) for row in await admin.unknown(diana)] == [
            ("(202) 555-0177", "Attendance calls")
        ]
        del town.gateway.bought["+12025550177"]
        await town.wired.number_care.compare_with_carrier()
        assert await admin.unknown(diana) == []

    async def test_while_the_carrier_is_away_nothing_is_changed(self, town: Town) -> None:
        town.gateway.away = True
        with pytest.raises(CarrierAway):
            await town.wired.number_care.compare_with_carrier()
        assert {n.state for n in await rows(town, Number)} == {N.ACTIVE}
