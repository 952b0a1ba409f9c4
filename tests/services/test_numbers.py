"""Buying numbers: one for each owner, whatever crashes, refuses, or is away."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, Town
from tests.fakes import FOR_SALE
from tests.services.steps import LINCOLN, change, listening, message, rows, send, the
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services.ports import BoughtNumber, CarrierAway, NumberRefused
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Message, Number, School
from tp_inbox.storage.tables.messages import NumberState


async def wanted(town: Town, who: str = "alice") -> int:
    """A person's first text; its message id."""
    return (await send(town, who, await town.personal(who))).id


async def number_of(town: Town, who: str = "alice") -> Number:
    return await the(town, Number, col(Number.staff_id) == town.staff[who])


async def time_passes(town: Town) -> None:
    await change(town, Number, next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))


def bought(town: Town) -> set[str]:
    return set(town.gateway.bought) & set(FOR_SALE)


async def test_a_number_is_bought_and_labelled_for_an_admin(town: Town) -> None:
    await wanted(town)
    assert await town.wired.numbers.buy_wanted() == 1
    number = await number_of(town)
    assert (number.state, {number.e164}) == (NumberState.ACTIVE, bought(town))
    assert town.gateway.labels[number.e164 or ""] == f"tp-inbox {number.id}: Alice Adams"
    assert await town.wired.numbers.buy_wanted() == 0


async def test_it_is_bought_where_the_school_is(town: Town) -> None:
    await change(town, School, col(School.name) == LINCOLN, area_code="303")
    await wanted(town)
    await town.wired.numbers.buy_wanted()
    assert (await number_of(town)).e164 in {n for n in FOR_SALE if n.startswith("+1303")}


async def test_what_waited_is_let_go_and_announced(town: Town) -> None:
    text_id = await wanted(town)
    async with listening(town) as heard:
        await town.wired.numbers.buy_wanted()
        assert [(c.kind, c.message) for c in await heard.all()] == [(ChangeKind.STATUS, text_id)]
    assert (await message(town, text_id)).sender == (await number_of(town)).e164


async def test_two_people_get_two_numbers_from_two_workers(town: Town) -> None:
    for who in ("alice", "bob", "dora", "nora"):
        await wanted(town, who)
    while sum(await asyncio.gather(*(town.wired.numbers.buy_wanted() for _ in range(3)))):
        await time_passes(town)
    await time_passes(town)
    await town.wired.numbers.buy_wanted()
    ours = [n.e164 for n in await rows(town, Number, col(Number.staff_id).is_not(None))]
    assert len(set(ours)) == 4
    assert set(ours) == bought(town)


async def test_a_crash_between_choosing_and_buying_buys_no_second_number(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wanted(town)
    real = town.gateway.buy_number

    async def bought_and_died(e164: str, label: str) -> BoughtNumber:
        await real(e164, label)
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(town.gateway, "buy_number", bought_and_died)
        with pytest.raises(asyncio.CancelledError):
            await town.wired.numbers.buy_wanted()
    assert (await number_of(town)).state is NumberState.BUYING
    assert await town.wired.numbers.buy_wanted() == 0
    await time_passes(town)
    assert await town.wired.numbers.buy_wanted() == 1
    assert {(await number_of(town)).e164} == bought(town)


async def test_an_answer_that_was_lost_may_have_bought_it_so_the_same_number_is_tried_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wanted(town)
    real = town.gateway.buy_number

    async def lost(e164: str, label: str) -> BoughtNumber:
        await real(e164, label)
        raise CarrierAway("timeout")

    with monkeypatch.context() as patched:
        patched.setattr(town.gateway, "buy_number", lost)
        assert await town.wired.numbers.buy_wanted() == 0
    await time_passes(town)
    assert await town.wired.numbers.buy_wanted() == 1
    assert {(await number_of(town)).e164} == bought(town)


async def test_a_number_that_another_of_ours_has_just_chosen_is_left_to_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wanted(town)
    with monkeypatch.context() as patched:

        async def same(_: str | None) -> str:
            return LINCOLN_NUMBER

        patched.setattr(town.gateway, "available_number", same)
        assert await town.wired.numbers.buy_wanted() == 0
    number = await number_of(town)
    assert (number.state, number.e164) == (NumberState.WANTED, None)
    assert number.next_attempt_at > datetime.now(UTC)
    await time_passes(town)
    assert await town.wired.numbers.buy_wanted() == 1


async def test_a_number_that_somebody_else_bought_is_given_up_for_another(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wanted(town)

    async def gone(e164: str, label: str) -> BoughtNumber:
        raise NumberRefused("Somebody else has just bought that number.", retry=True)

    with monkeypatch.context() as patched:
        patched.setattr(town.gateway, "buy_number", gone)
        await town.wired.numbers.buy_wanted()
    number = await number_of(town)
    assert (number.state, number.e164) == (NumberState.WANTED, None)
    assert number.problem == "Somebody else has just bought that number."
    await time_passes(town)
    assert await town.wired.numbers.buy_wanted() == 1
    assert (await number_of(town)).problem == ""


async def test_an_account_that_may_not_buy_stops_the_number_and_the_sender_is_told(town: Town) -> None:
    text_id = await wanted(town)
    town.gateway.sells_nothing("The account is not allowed to buy numbers.")
    await town.wired.numbers.buy_wanted()
    assert (await number_of(town)).state is NumberState.STOPPED
    assert await town.wired.number_care.help_waiting() == 1
    await town.wired.numbers.buy_wanted()
    with pytest.raises(Unavailable, match="not allowed to buy numbers"):
        await wanted(town)
    alice, thread = await town.actor("alice"), await town.personal("alice")
    assert "not allowed to buy" in (await town.wired.services.threads.head(alice, thread)).closed
    await time_passes(town)
    assert await town.wired.numbers.buy_wanted() == 0
    assert (await message(town, text_id)).sender is None


async def test_when_nothing_is_for_sale_it_is_tried_again_less_and_less_often(town: Town) -> None:
    await wanted(town)
    town.gateway.sells_nothing(retry=True)
    waits = []
    for _ in range(4):
        await time_passes(town)
        await town.wired.numbers.buy_wanted()
        waits.append((await number_of(town)).next_attempt_at - datetime.now(UTC))
    assert waits == sorted(waits)
    assert waits[-1] > 3 * waits[0]
    town.gateway.sells = None
    await time_passes(town)
    assert await town.wired.numbers.buy_wanted() == 1


async def test_while_the_carrier_is_away_nothing_is_lost(town: Town) -> None:
    await wanted(town)
    town.gateway.away = True
    assert await town.wired.numbers.buy_wanted() == 0
    assert (await number_of(town)).state is NumberState.WANTED
    town.gateway.away = False
    await time_passes(town)
    assert await town.wired.numbers.buy_wanted() == 1


async def test_a_school_that_has_no_number_gets_one_at_its_first_text(town: Town) -> None:
    async with town.wired.db.transaction() as session:
        number = await session.get(Number, (await the(town, Number, col(Number.e164) == LINCOLN_NUMBER)).id)
        await session.delete(number)
    row = await send(town, "dora", await town.school())
    await town.wired.numbers.buy_wanted()
    await town.wired.dispatching.hand_over_due()
    text = await message(town, row.id)
    assert (text.sender in bought(town), text.sid is not None) == (True, True)
    number = await the(town, Number, col(Number.id) == text.number_id)
    assert number.school_id == town.schools[LINCOLN]


async def test_nothing_leaves_before_its_number_is_bought(town: Town) -> None:
    text_id = await wanted(town)
    await change(town, Message, col(Message.id) == text_id, next_attempt_at=datetime.now(UTC) - timedelta(hours=1))
    assert await town.wired.dispatching.hand_over_due() == 0
    assert town.gateway.sent == []
