"""Looking for texts at the carrier: find, list, fetch."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from tests.twilio.cast import FAMILY, HELLO, MESSAGES, NOON, SCHOOL, SID, error, page, row, settings_for
from tests.twilio.scripted_server import RESET, Reply, closed_port
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.services.ports import CarrierAway
from tp_inbox.twilio.gateway import TwilioGateway

OTHER = "SM" + "b" * 32


async def test_find_adopts_the_text_that_has_no_row_of_ours(gateway, server) -> None:
    server.script = [page(row(OTHER, minutes=2), row(SID, minutes=1))]
    found = await gateway.find(HELLO, NOON, {OTHER})
    assert found is not None and found.sid == SID
    assert server.asked[0].query == {"To": [FAMILY], "From": [SCHOOL], "PageSize": ["1000"]}


async def test_find_sees_a_text_that_still_waits_in_the_carriers_queue(gateway, server) -> None:
    server.script = [page(row(SID, sent=False, status="queued"))]
    found = await gateway.find(HELLO, NOON, set())
    assert found is not None and found.sent_at is None


@pytest.mark.parametrize(
    "changes",
    [{"body": "Another text."}, {"direction": "inbound"}, {"to": "+12025550143"}, {"minutes": -2}],
    ids=lambda changes: next(iter(changes)),
)
async def test_find_adopts_nothing_that_differs_in_one_fact(gateway, server, changes) -> None:
    server.script = [page(row(SID, **changes))]
    assert await gateway.find(HELLO, NOON, set()) is None


async def test_find_gives_the_oldest_of_two_copies(gateway, server) -> None:
    server.script = [page(row(OTHER, minutes=5), row(SID, minutes=1))]
    found = await gateway.find(HELLO, NOON, set())
    assert found is not None and found.sid == SID


async def test_texts_since_reads_page_after_page_and_both_directions(gateway, server) -> None:
    reply = row(OTHER, direction="inbound", status="received", body="Gracias", **{"from": FAMILY, "to": SCHOOL})
    server.script = [page(row(), following=f"{MESSAGES}?Page=1&PageToken=x"), page(reply)]
    texts = [text async for text in gateway.texts_since(NOON)]
    assert [(t.sid, t.inbound, t.state) for t in texts] == [
        (SID, False, DeliveryState.ACCEPTED),
        (OTHER, True, DeliveryState.RECEIVED),
    ]
    assert server.asked[1].query["PageToken"] == ["x"]


async def test_texts_since_converts_an_offset_instead_of_dropping_it(gateway, server) -> None:
    server.script = [page()]
    noon_in_washington = NOON.astimezone(timezone(timedelta(hours=-5)))
    assert [text async for text in gateway.texts_since(noon_in_washington)] == []
    assert server.asked[0].query == {"DateSent>": ["2026-03-03T17:00:00Z"], "PageSize": ["1000"]}


async def test_a_text_that_is_still_coming_in_is_left_for_the_next_time(gateway, server) -> None:
    server.script = [page(row(direction="inbound", status="receiving"))]
    assert [text async for text in gateway.texts_since(NOON)] == []


@pytest.mark.parametrize(
    "broken",
    [
        row(OTHER, num_media="many"),
        row(OTHER, status=["sent"]),
        row(OTHER, date_sent="Tue, 99 Mar 2026 17:00:00 +0000"),
        {**row(OTHER), "sid": None},
        "no row at all",
    ],
    ids=repr,
)
async def test_a_row_that_cannot_be_read_is_left_out_and_keeps_nobody_elses(gateway, server, caplog, broken) -> None:
    after = f"{MESSAGES}?Page=1&PageToken=x"
    server.script = [page(row(SID), broken, row(SID + "1"), following=after), page(row(SID + "2"))]
    assert [text.sid async for text in gateway.texts_since(NOON)] == [SID, SID + "1", SID + "2"]
    assert [record.levelname for record in caplog.records if record.name == "tp_inbox.twilio.gateway"] == ["ERROR"]
    assert not any(secret in caplog.text for secret in (FAMILY, SCHOOL, HELLO.body))


async def test_the_log_names_the_row_that_cannot_be_read(gateway, server, caplog) -> None:
    server.script = [page(row(OTHER, num_media="many"))]
    assert [text async for text in gateway.texts_since(NOON)] == []
    assert OTHER in caplog.text


async def test_a_search_that_cannot_read_a_row_finds_nothing_out(gateway, server) -> None:
    """It may be the very text: to say that it is not there would send it twice."""
    server.otherwise = lambda _: page(row(OTHER, num_media="many"))
    with pytest.raises(CarrierAway):
        await gateway.find(HELLO, NOON, set())


async def test_a_failure_is_told_with_its_reason(gateway, server) -> None:
    server.script = [Reply(200, row(status="undelivered", error_code=30006, num_media="1"))]
    text = await gateway.fetch(SID)
    assert text is not None
    assert (text.state, text.reason, text.code) == (DeliveryState.UNDELIVERED, FailureReason.LANDLINE, "30006")
    assert (text.media, text.sent_at, text.created_at) == (1, NOON, NOON)


async def test_fetch_of_what_the_carrier_does_not_know_is_none(gateway, server) -> None:
    server.script = [error(404, 20404)]
    assert await gateway.fetch(SID) is None


async def test_a_question_is_asked_again_after_a_5xx_and_a_reset(gateway, server) -> None:
    server.script = [error(503), RESET, Reply(200, row())]
    assert await gateway.fetch(SID) is not None
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "reply",
    [
        error(401, 20003),
        error(404),
        error(429, 20429),
        error(500, 20500),
        Reply(200, "<html>"),
        Reply(200, {"a": 1, "b": 2}),
    ],
)
async def test_a_question_without_a_usable_answer_says_so(gateway, server, reply) -> None:
    server.otherwise = lambda _: reply
    with pytest.raises(CarrierAway):
        await gateway.fetch(SID)
    with pytest.raises(CarrierAway):
        await gateway.find(HELLO, NOON, set())
    with pytest.raises(CarrierAway):
        [text async for text in gateway.texts_since(NOON)]


async def test_a_carrier_that_is_away_says_so() -> None:
    gateway = TwilioGateway(settings_for(closed_port()))
    with pytest.raises(CarrierAway):
        await gateway.fetch(SID)
    await gateway.aclose()


async def test_a_base_url_may_stand_below_a_path(server) -> None:
    server.script = [Reply(200, row())]
    gateway = TwilioGateway(settings_for(f"{server.url}/carrier"))
    await gateway.fetch(SID)
    assert server.asked[0].path == f"/carrier{MESSAGES.removesuffix('.json')}/{SID}.json"
    await gateway.aclose()
