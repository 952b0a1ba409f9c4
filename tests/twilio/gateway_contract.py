"""What every SmsGateway does, whatever stands behind it: run on the fake and on the real one."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol

import pytest

from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.services.ports import (
    Accepted,
    CarrierText,
    NotAccepted,
    NumberRefused,
    OutgoingText,
    ServiceGone,
    ServiceRefused,
    SmsGateway,
)

INVALID = "+12025550199"
"""A number that the carrier of each variant refuses."""
PATIENCE = 10.0

_families = (f"+1{area}555{line:04d}" for area in ("206", "312", "415") for line in range(130, 190))
_ids = itertools.count(1)


class World(Protocol):
    """A gateway and the carrier behind it, as far as a test must reach it."""

    gateway: SmsGateway

    async def family_texts(self, sender: str, recipient: str, body: str) -> None: ...

    async def deliver(self, sid: str) -> None:
        """Returns when the text is on the family's phone, as far as the carrier's ledger tells."""
        ...

    async def lead_astray(self, number_sid: str) -> None:
        """Somebody changes the number's webhooks in the carrier's console."""
        ...


@pytest.fixture
def family() -> str:
    """A family phone that no other test has."""
    return next(_families)


class GatewayContract:
    """Subclasses bring a fixture ``world``."""

    @pytest.fixture
    async def school(self, world: World) -> str:
        number = await world.gateway.available_number("202")
        return (await world.gateway.buy_number(number, "Lincoln High")).e164

    async def test_an_accepted_text_is_told_back_as_it_was_handed_over(self, world, school, family):
        text = await _accepted(world, school, family, "The bus is late.")
        assert text.sid and not text.inbound
        assert (text.sender, text.recipient, text.body) == (school, family, "The bus is late.")
        assert text.state is DeliveryState.ACCEPTED

    async def test_the_same_text_handed_over_twice_is_two_texts(self, world, school, family):
        first, second = [await _accepted(world, school, family, "Twice") for _ in range(2)]
        assert first.sid != second.sid

    async def test_a_text_is_fetched_by_its_sid(self, world, school, family):
        text = await _accepted(world, school, family, "¿Recibió el mensaje? 👍🏽")
        await world.deliver(text.sid)
        fetched = await world.gateway.fetch(text.sid)
        assert fetched is not None and fetched.body == "¿Recibió el mensaje? 👍🏽"
        assert fetched.state is DeliveryState.DELIVERED and fetched.reason is None
        assert fetched.sent_at is not None and fetched.sent_at.tzinfo is not None

    async def test_what_the_carrier_does_not_have_is_none(self, world, school):
        assert await world.gateway.fetch("SM" + "0" * 32) is None

    async def test_find_finds_what_was_handed_over_and_not_what_is_known(self, world, school, family):
        since = datetime.now(UTC) - timedelta(seconds=1)
        text = await _accepted(world, school, family, "Lost answer")
        again = _text(school, family, "Lost answer")
        found = await world.gateway.find(again, since, set())
        assert found is not None and found.sid == text.sid
        assert await world.gateway.find(again, since, {text.sid}) is None

    async def test_find_finds_nothing_that_differs(self, world, school, family):
        since = datetime.now(UTC) - timedelta(seconds=1)
        await _accepted(world, school, family, "Lost answer")
        assert await world.gateway.find(_text(school, family, "Other words"), since, set()) is None
        assert await world.gateway.find(_text(school, "+12065550195", "Lost answer"), since, set()) is None
        later = datetime.now(UTC) + timedelta(hours=1)
        assert await world.gateway.find(_text(school, family, "Lost answer"), later, set()) is None

    async def test_texts_since_tells_both_directions_newest_first(self, world, school, family):
        since = datetime.now(UTC) - timedelta(seconds=1)
        text = await _accepted(world, school, family, "How is Ana?")
        await world.deliver(text.sid)
        await asyncio.sleep(1.1)  # the carrier's times are whole seconds
        await world.family_texts(family, school, "Better, thank you")
        answer, ours = [t async for t in world.gateway.texts_since(since) if family in (t.sender, t.recipient)]
        assert (answer.inbound, answer.state, answer.body) == (True, DeliveryState.RECEIVED, "Better, thank you")
        assert (answer.sender, answer.recipient) == (family, school)
        assert (ours.sid, ours.state) == (text.sid, DeliveryState.DELIVERED)

    async def test_texts_since_takes_any_offset_for_what_it_is(self, world, school, family):
        text = await _accepted(world, school, family, "Zones")
        await world.deliver(text.sid)
        washington = timezone(timedelta(hours=-5))
        for hours, seen in ((-1, True), (1, False)):
            since = (datetime.now(UTC) + timedelta(hours=hours)).astimezone(washington)
            assert (text.sid in [t.sid async for t in world.gateway.texts_since(since)]) is seen

    async def test_texts_since_ends_where_it_is_told_to(self, world, school, family):
        text = await _accepted(world, school, family, "Until when?")
        await world.deliver(text.sid)
        now = datetime.now(UTC)
        for until, seen in ((now + timedelta(hours=1), True), (now - timedelta(hours=1), False)):
            told = [t.sid async for t in world.gateway.texts_since(now - timedelta(hours=2), until)]
            assert (text.sid in told) is seen

    async def test_texts_since_does_not_tell_what_the_carrier_answers_by_itself(self, world, school, family):
        since = datetime.now(UTC) - timedelta(seconds=1)
        await world.family_texts(family, school, "STOP")
        told = [t async for t in world.gateway.texts_since(since) if family in (t.sender, t.recipient)]
        assert [t.body for t in told] == ["STOP"]

    async def test_a_number_that_is_none_is_refused_for_good(self, world, school):
        outcome = await world.gateway.send(_text(school, INVALID, "Hello?"))
        assert isinstance(outcome, NotAccepted)
        assert (outcome.reason, outcome.retry, outcome.stop_sender) == (FailureReason.INVALID_NUMBER, False, False)

    async def test_a_sender_that_is_not_ours_is_stopped(self, world, family):
        outcome = await world.gateway.send(_text("+13035550129", family, "From nowhere"))
        assert isinstance(outcome, NotAccepted)
        assert (outcome.reason, outcome.retry, outcome.stop_sender) == (FailureReason.SENDER_NOT_READY, False, True)

    async def test_after_stop_nothing_goes_to_that_family_until_start(self, world, school, family):
        await world.family_texts(family, school, "Stop")
        outcome = await world.gateway.send(_text(school, family, "Hello?"))
        assert isinstance(outcome, NotAccepted)
        assert (outcome.reason, outcome.retry, outcome.stop_sender) == (FailureReason.OPTED_OUT, False, False)
        await world.family_texts(family, school, "START")
        await _accepted(world, school, family, "Welcome back")

    async def test_a_number_is_found_in_the_area_or_else_anywhere(self, world):
        assert (await world.gateway.available_number("303")).startswith("+1303")
        for elsewhere in ("999", None):
            assert (await world.gateway.available_number(elsewhere)).startswith("+1")

    async def test_buying_the_same_number_twice_is_one_number(self, world):
        number = await world.gateway.available_number("202")
        first, second = [await world.gateway.buy_number(number, label) for label in ("Ms. Rivera", "Mr. Cole")]
        assert first == second and first.e164 == number and first.sid.startswith("PN")
        assert await world.gateway.available_number("202") != number

    async def test_a_number_that_is_not_for_sale_is_refused_with_a_sentence(self, world, family):
        with pytest.raises(NumberRefused) as refused:
            await world.gateway.buy_number(family, "Not ours to buy")
        assert refused.value.reason.endswith(".")

    async def test_a_bought_number_is_among_ours_and_leads_here_until_it_is_released(self, world, school):
        ours = {number.e164: number for number in await world.gateway.our_numbers()}
        assert ours[school].leads_here and ours[school].label == "Lincoln High"
        await world.gateway.release_number(ours[school].sid)
        assert school not in {number.e164 for number in await world.gateway.our_numbers()}
        await world.gateway.release_number(ours[school].sid)

    async def test_a_number_that_leads_elsewhere_is_led_here_again(self, world, school):
        sid = await _sid(world, school)
        await world.lead_astray(sid)
        assert not next(n for n in await world.gateway.our_numbers() if n.sid == sid).leads_here
        await world.gateway.lead_here(sid)
        assert next(n for n in await world.gateway.our_numbers() if n.sid == sid).leads_here

    async def test_a_service_is_made_once_for_each_label(self, world):
        label = f"service {next(_ids)}"
        first, second = [await world.gateway.make_service(label) for _ in range(2)]
        assert first == second != await world.gateway.make_service(f"service {next(_ids)}")

    async def test_a_number_is_put_into_a_service_however_often_it_is_asked(self, world, school):
        service, sid = await world.gateway.make_service(f"service {next(_ids)}"), await _sid(world, school)
        for _ in range(2):
            await world.gateway.put_into_service(service, sid, [service])
        assert await world.gateway.numbers_in(service) == {sid}

    async def test_a_number_moves_from_one_service_of_ours_to_another(self, world, school):
        old, new = [await world.gateway.make_service(f"service {next(_ids)}") for _ in range(2)]
        sid = await _sid(world, school)
        await world.gateway.put_into_service(old, sid, [old, new])
        await world.gateway.put_into_service(new, sid, [old, new])
        assert (await world.gateway.numbers_in(old), await world.gateway.numbers_in(new)) == (set(), {sid})

    async def test_a_number_in_a_service_that_is_not_ours_stays_there_with_a_sentence(self, world, school):
        theirs, ours = [await world.gateway.make_service(f"service {next(_ids)}") for _ in range(2)]
        sid = await _sid(world, school)
        await world.gateway.put_into_service(theirs, sid, [theirs])
        with pytest.raises(ServiceRefused) as refused:
            await world.gateway.put_into_service(ours, sid, [ours])
        assert refused.value.reason.endswith(".")
        assert await world.gateway.numbers_in(theirs) == {sid}

    async def test_a_service_that_is_gone_is_told_apart(self, world, school):
        with pytest.raises(ServiceGone):
            await world.gateway.put_into_service("MG" + "0" * 32, await _sid(world, school), [])

    async def test_a_number_in_a_service_goes_on_receiving(self, world, school, family):
        service = await world.gateway.make_service(f"service {next(_ids)}")
        await world.gateway.put_into_service(service, await _sid(world, school), [service])
        since = datetime.now(UTC) - timedelta(seconds=1)
        await world.family_texts(family, school, "Still there?")
        assert [t.body async for t in world.gateway.texts_since(since) if t.sender == family] == ["Still there?"]


async def _sid(world: World, e164: str) -> str:
    return next(number.sid for number in await world.gateway.our_numbers() if number.e164 == e164)


def _text(sender: str, recipient: str, body: str) -> OutgoingText:
    return OutgoingText(next(_ids), sender, recipient, body)


async def _accepted(world: World, sender: str, recipient: str, body: str) -> CarrierText:
    outcome = await world.gateway.send(_text(sender, recipient, body))
    assert isinstance(outcome, Accepted), outcome
    return outcome.text
