"""A text can be held back until it is handed over."""

from __future__ import annotations

import asyncio

import pytest
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import (
    change,
    give_number,
    listening,
    message,
    queued,
    revoke,
    send,
    state_of,
    until_waiting,
)
from tp_inbox.domain.access import CANNOT_CANCEL
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.sending import CANCELED_ALREADY, GONE_OUT
from tp_inbox.services.views import StatusView
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Message


async def cancel(town: Town, who: str, message_id: int) -> StatusView:
    return await town.wired.services.sending.cancel(await town.actor(who), message_id)


async def test_what_is_canceled_does_not_leave(town: Town) -> None:
    text_id = await queued(town)
    shown = await cancel(town, "alice", text_id)
    assert (shown.state, shown.may_cancel, shown.may_retry) == ("canceled", False, True)
    assert await town.wired.dispatching.hand_over_due() == 0
    assert await state_of(town, text_id) == (S.CANCELED, R.CANCELED)


async def test_its_words_can_be_sent_again(town: Town) -> None:
    text_id = await queued(town)
    await cancel(town, "alice", text_id)
    again = await town.wired.services.sending.retry(await town.actor("alice"), text_id)
    assert await town.wired.dispatching.hand_over_due() == 1
    assert (await message(town, again.id)).state is S.ACCEPTED


async def test_the_next_text_of_the_thread_does_not_wait_for_it(town: Town) -> None:
    first, second = await queued(town, "one"), await queued(town, "two")
    await cancel(town, "alice", first)
    assert await town.wired.dispatching.hand_over_due() == 1
    assert (await message(town, second)).state is S.ACCEPTED


async def test_the_family_is_introduced_to_the_number_by_the_next_one(town: Town) -> None:
    await cancel(town, "alice", await queued(town))
    assert "Reply STOP" in (await message(town, await queued(town))).body


async def test_whoever_writes_for_the_school_may_cancel_a_colleagues(town: Town) -> None:
    text_id = await queued(town)
    await cancel(town, "dora", text_id)
    assert (await message(town, text_id)).state is S.CANCELED


async def test_who_only_reads_the_school_inbox_may_not(town: Town) -> None:
    text_id = await queued(town)
    with pytest.raises(NotAllowed, match=CANNOT_CANCEL):
        await cancel(town, "vera", text_id)
    assert (await message(town, text_id)).state is S.QUEUED


@pytest.mark.parametrize("who", ["charlie", "bob", "diana"])
async def test_who_cannot_read_the_thread_finds_nothing_to_cancel(town: Town, who: str) -> None:
    text_id = await queued(town)
    with pytest.raises(NotFound):
        await cancel(town, who, text_id)


async def test_a_personal_text_is_its_authors_alone(town: Town) -> None:
    await give_number(town, "alice", "+13125550111")
    row = await send(town, "alice", await town.personal("alice"))
    for who in ("dora", "bob"):
        with pytest.raises(NotFound):
            await cancel(town, who, row.id)
    await cancel(town, "alice", row.id)


async def test_who_has_lost_the_permission_may_not(town: Town) -> None:
    text_id, alice = await queued(town), await town.actor("alice")
    await revoke(town, "alice")
    with pytest.raises(NotFound):
        await town.wired.services.sending.cancel(alice, text_id)


@pytest.mark.parametrize("state", [S.SUBMITTING, S.UNKNOWN, S.ACCEPTED, S.SENT, S.DELIVERED])
async def test_once_it_is_handed_over_it_is_too_late(town: Town, state: S) -> None:
    text_id = await queued(town)
    await change(town, Message, col(Message.id) == text_id, state=state)
    with pytest.raises(Invalid, match=GONE_OUT):
        await cancel(town, "alice", text_id)
    assert (await message(town, text_id)).state is state


async def test_a_second_click_says_that_it_is_canceled(town: Town) -> None:
    text_id = await queued(town)
    await cancel(town, "alice", text_id)
    with pytest.raises(Invalid, match=CANCELED_ALREADY):
        await cancel(town, "alice", text_id)


async def test_what_is_not_there_cannot_be_canceled(town: Town) -> None:
    with pytest.raises(NotFound):
        await cancel(town, "alice", 999_999)


async def test_the_claim_that_was_first_wins(town: Town) -> None:
    text_id = await queued(town)
    async with town.wired.db.transaction() as session:
        claimed = await session.get_one(Message, text_id, with_for_update=True)
        canceling = asyncio.create_task(cancel(town, "alice", text_id))
        await until_waiting(town, 1)
        claimed.state = S.SUBMITTING
    with pytest.raises(Invalid, match=GONE_OUT):
        await canceling
    assert (await message(town, text_id)).state is S.SUBMITTING


async def test_of_a_click_and_a_claim_at_one_time_one_wins(town: Town) -> None:
    for _ in range(10):
        text_id = await queued(town)
        sent_before = len(town.gateway.sent)
        _, canceled = await asyncio.gather(
            town.wired.dispatching.hand_over_due(), cancel(town, "alice", text_id), return_exceptions=True
        )
        went = len(town.gateway.sent) - sent_before
        assert went == isinstance(canceled, Invalid)
        assert (await message(town, text_id)).state is (S.ACCEPTED if went else S.CANCELED)


async def test_every_screen_hears_of_it(town: Town) -> None:
    text_id = await queued(town)
    async with listening(town) as heard:
        await cancel(town, "alice", text_id)
        changes = await heard.all()
    assert [(c.kind, c.message) for c in changes] == [(ChangeKind.STATUS, text_id)]


async def test_a_bubble_knows_whether_it_can_be_canceled(town: Town) -> None:
    text_id = await queued(town)
    rows, _ = await town.wired.services.inboxes.messages(await town.actor("alice"), await town.school())
    assert rows[0].may_cancel
    await town.wired.dispatching.hand_over_due()
    rows, _ = await town.wired.services.inboxes.messages(await town.actor("alice"), await town.school())
    assert (rows[0].id, rows[0].may_cancel) == (text_id, False)
