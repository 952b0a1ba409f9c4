"""Trouble that is switched on: what the real clients see of it, what was done all the same, and that it repeats."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import requests
from hypothesis import given, strategies as st

from tests.twilio.cast import settings_for
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.services.ports import Accepted, Ambiguous, CarrierAway, NotAccepted, NumberRefused, OutgoingText
from tp_inbox.simulator.connections import hang_up
from tp_inbox.simulator.faults import Account, Faults, Trouble
from tp_inbox.twilio.client import Timeouts
from tp_inbox.twilio.gateway import TwilioGateway

from .conftest import AMINA, BRUNO, TOKEN, District, Simulate, Simulation, until

SCHOOL, SALLY = "+12125550100", "+12125550101"
CALM = Faults().as_json()


def trouble(simulation: Simulation, **faults: object) -> dict:
    answer = simulation.web.put("/simulator/faults", json=faults)
    assert answer.status_code == 200, answer.text
    return answer.json()


def struck(simulation: Simulation) -> dict:
    return simulation.web.get("/simulator/faults").json()["struck"]


@pytest_asyncio.fixture
async def gateway(simulation: Simulation) -> AsyncIterator[TwilioGateway]:
    """The product's own client; the simulation has the school's number."""
    simulation.buy(SCHOOL)
    settings = settings_for(simulation.config.base_url, twilio_auth_token=TOKEN)
    gateway = TwilioGateway(settings, Timeouts(connect=5, read=3, deadline=15))
    yield gateway
    await gateway.aclose()


def text(recipient: str = AMINA, body: str = "The bus is late.") -> OutgoingText:
    return OutgoingText(41, SCHOOL, recipient, body)


def taken(simulation: Simulation) -> int:
    return len(simulation.twilio.messages.list(to=AMINA))


@pytest.mark.parametrize(
    ("fault", "done"),
    [("lost_before", 0), ("lost_after", 1), ("cut_off", 1), ("failed_after", 1), ("unavailable", 0), ("slow", 1)],
)
async def test_an_answer_that_does_not_come_tells_the_client_nothing(
    simulation: Simulation, gateway: TwilioGateway, fault: str, done: int
) -> None:
    trouble(simulation, sends={fault: 1}, slow_seconds=5)
    assert isinstance(await gateway.send(text()), Ambiguous)
    assert taken(simulation) == done
    assert struck(simulation) == {"sends": {fault: 1}}


@pytest.mark.parametrize("fault", ["lost_before", "lost_after"])
def test_a_lost_connection_is_reset_under_the_client(simulation: Simulation, fault: str) -> None:
    trouble(simulation, messages={fault: 1})
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        simulation.twilio.messages.list()


def test_an_answer_that_is_cut_off_is_incomplete(simulation: Simulation) -> None:
    trouble(simulation, messages={"cut_off": 1})
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        simulation.twilio.messages.list()


async def test_too_many_requests_says_when_to_come_again_and_takes_nothing(
    simulation: Simulation, gateway: TwilioGateway
) -> None:
    trouble(simulation, sends={"too_many": 1}, retry_after=7)
    assert await gateway.send(text()) == NotAccepted(FailureReason.TOO_BUSY, "20429", retry=True, retry_after=7)
    assert taken(simulation) == 0


async def test_a_full_queue_is_refused_and_tried_later(simulation: Simulation, gateway: TwilioGateway) -> None:
    trouble(simulation, sends={"queue_full": 1})
    refused = await gateway.send(text())
    assert isinstance(refused, NotAccepted) and refused.retry
    assert (refused.reason, refused.code, taken(simulation)) == (FailureReason.TOO_BUSY, "21611", 0)


async def test_sends_alone_have_trouble_when_only_they_were_given_some(
    simulation: Simulation, gateway: TwilioGateway
) -> None:
    trouble(simulation, sends={"lost_before": 1})
    assert await gateway.available_number("212")
    trouble(simulation, numbers={"unavailable": 1})
    with pytest.raises(CarrierAway):
        await gateway.available_number("212")
    trouble(simulation, services={"too_many": 1})
    assert isinstance(await gateway.send(text()), Accepted)
    assert simulation.rest("GET", "/v1/Services").status_code == 429


async def test_a_refused_account_stops_every_request_until_it_is_mended(
    simulation: Simulation, gateway: TwilioGateway
) -> None:
    trouble(simulation, account="refused")
    refused = await gateway.send(text())
    assert isinstance(refused, NotAccepted) and refused.stop_sender
    assert (refused.reason, refused.code) == (FailureReason.ACCOUNT_PROBLEM, "20003")
    assert (
        simulation.web.delete("/simulator/faults", headers={"Content-Type": "application/json"}).json()["on"] is False
    )
    assert isinstance(await gateway.send(text()), Accepted)


async def test_what_a_suspended_account_sends_fails(simulation: Simulation, gateway: TwilioGateway) -> None:
    trouble(simulation, account="suspended")
    sent = await gateway.send(text())
    assert isinstance(sent, Accepted)
    ended = await settled(gateway, sent.text.sid)
    assert (ended.state, ended.reason, ended.code) == (DeliveryState.FAILED, FailureReason.ACCOUNT_PROBLEM, "30002")
    assert simulation.twilio.api.accounts(simulation.config.account_sid).fetch().status == "suspended"


async def test_a_trial_account_reaches_no_family_and_buys_no_second_number(
    simulation: Simulation, gateway: TwilioGateway
) -> None:
    trouble(simulation, account="trial")
    refused = await gateway.send(text())
    assert isinstance(refused, NotAccepted) and (refused.code, refused.stop_sender) == ("21608", True)
    with pytest.raises(NumberRefused, match="trial account"):
        await gateway.buy_number(SALLY, "Sally")
    assert simulation.twilio.api.accounts(simulation.config.account_sid).fetch().type == "Trial"


async def test_a_number_ails_so_often_as_was_said(simulation: Simulation, gateway: TwilioGateway) -> None:
    trouble(simulation, ailments=[{"to": "0141", "code": 30003, "end": "undelivered", "times": 2}])
    ends = []
    for _ in range(3):
        sent = await gateway.send(text())
        ends.append((await settled(gateway, sent.text.sid)).code)
    other = await gateway.send(text(BRUNO))
    assert ends == ["30003", "30003", None]
    assert (await settled(gateway, other.text.sid)).state is DeliveryState.DELIVERED
    assert struck(simulation) == {"ailments": {"0141": 2}}


async def test_a_number_of_ours_can_ail_as_well(simulation: Simulation, gateway: TwilioGateway) -> None:
    trouble(simulation, ailments=[{"from": SCHOOL, "code": 30034, "end": "failed"}])
    sent = await gateway.send(text())
    assert (await settled(gateway, sent.text.sid)).reason is FailureReason.NOT_REGISTERED


@pytest.mark.parametrize("code", [21614, 21610, 29999])
async def test_a_number_can_be_refused_at_once(simulation: Simulation, gateway: TwilioGateway, code: int) -> None:
    trouble(simulation, ailments=[{"to": AMINA, "code": code, "end": "refused"}])
    refused = await gateway.send(text())
    assert isinstance(refused, NotAccepted) and refused.code == str(code)
    assert taken(simulation) == 0


async def test_a_share_of_the_texts_ends_with_a_code_of_the_carriers(
    simulation: Simulation, gateway: TwilioGateway
) -> None:
    trouble(simulation, carrier={"30001": 0.5, "30022": 0.5})
    sids = [(await gateway.send(text(body=f"Text {place}"))).text.sid for place in range(20)]
    codes = Counter([(await settled(gateway, sid)).code for sid in sids])
    assert set(codes) == {"30001", "30022"}
    assert struck(simulation)["carrier"] == dict(codes)


async def test_nobody_sells_while_buying_is_refused(simulation: Simulation, gateway: TwilioGateway) -> None:
    trouble(simulation, buying=22300)
    with pytest.raises(NumberRefused, match="not allowed to buy"):
        await gateway.buy_number(SALLY, "Sally")


async def settled(gateway: TwilioGateway, sid: str):
    """The text when its end is known."""
    ends = (DeliveryState.DELIVERED, DeliveryState.UNDELIVERED, DeliveryState.FAILED)
    for _ in range(500):
        found = await gateway.fetch(sid)
        if found and found.state in ends:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("it never ended")


def reported(simulation: Simulation, district: District, **faults: object) -> None:
    """One text, its callbacks under these faults."""
    simulation.buy(SCHOOL)
    trouble(simulation, **faults)
    simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Hi", status_callback=f"{district.url}/status")


def test_doubled_callbacks_come_twice(simulation: Simulation, district: District) -> None:
    reported(simulation, district, callbacks={"doubled": 1})
    until(lambda: len(district.webhooks) == 6)
    assert district.statuses() == ["sending", "sending", "sent", "sent", "delivered", "delivered"]


def test_reordered_callbacks_come_last_first(simulation: Simulation, district: District) -> None:
    reported(simulation, district, callbacks={"reordered": 1})
    until(lambda: len(district.webhooks) == 3)
    assert district.statuses() == ["delivered", "sent", "sending"]
    assert struck(simulation) == {"callbacks": {"reordered": 2}}


def test_late_callbacks_come_all_the_same(simulation: Simulation, district: District) -> None:
    reported(simulation, district, callbacks={"late": 1}, late_seconds=0.2)
    until(lambda: len(district.webhooks) == 3)
    assert sorted(district.statuses()) == ["delivered", "sending", "sent"]


def test_lost_callbacks_leave_the_text_where_it_got(simulation: Simulation, district: District) -> None:
    reported(simulation, district, callbacks={"lost": 1})
    until(lambda: struck(simulation) == {"callbacks": {"lost": 3}})
    assert district.webhooks == []
    assert simulation.twilio.messages.list()[0].status == "delivered"


@pytest.fixture
def lincoln(simulation: Simulation, district: District) -> Simulation:
    simulation.buy(SCHOOL, sms_url=f"{district.url}/in", voice_url=f"{district.url}/voice")
    return simulation


def test_a_familys_text_is_lost_doubled_late_or_overtaken(lincoln: Simulation, district: District) -> None:
    def bodies() -> list[str]:
        return [webhook.form["Body"] for webhook in district.webhooks]

    trouble(lincoln, inbound={"lost": 1})
    assert lincoln.text_from(AMINA, SCHOOL, "Lost")["webhook"]["problem"] == "lost"
    trouble(lincoln, inbound={"doubled": 1})
    assert lincoln.text_from(AMINA, SCHOOL, "Twice")["webhook"]["ok"]
    assert bodies() == ["Twice", "Twice"]
    trouble(lincoln, inbound={"late": 1}, late_seconds=0.1)
    assert lincoln.text_from(AMINA, SCHOOL, "Late")["webhook"]["problem"] == "late"
    until(lambda: bodies()[2:] == ["Late"])
    trouble(lincoln, inbound={"reordered": 1}, late_seconds=60)
    lincoln.text_from(AMINA, SCHOOL, "First")
    trouble(lincoln, late_seconds=60)
    lincoln.text_from(AMINA, SCHOOL, "Second")
    until(lambda: bodies()[3:] == ["Second", "First"])
    assert len(lincoln.twilio.messages.list(from_=AMINA)) == 5


FAMILIES = [f"+1212555{line:04d}" for line in range(130, 190)]


def form(family: str) -> dict[str, str]:
    return {"To": family, "From": SCHOOL, "Body": "The bus is late."}


def test_the_same_seed_strikes_the_same_texts_in_whatever_order_they_come(simulate: Simulate) -> None:
    simulation = simulate()
    simulation.buy(SCHOOL)
    without_resets = {"failed_after": 0.2, "too_many": 0.2, "unavailable": 0.2}

    def run(families: list[str], seed: int) -> dict[str, int]:
        trouble(simulation, seed=seed, sends=without_resets)
        return {to: simulation.rest("POST", "Messages.json", data=form(to)).status_code for to in families}

    first = run(FAMILIES, seed=7)
    assert run(FAMILIES[::-1], seed=7) == first
    assert run(FAMILIES, seed=8) != first
    assert set(first.values()) == {201, 500, 429, 503}


EVERY_SEND_FAULT = {"lost_before", "lost_after", "cut_off", "failed_after", "too_many", "unavailable", "queue_full"}


async def test_a_run_with_every_fault_repeats_whatever_the_threads_do(simulate: Simulate, tmp_path: Path) -> None:
    runs = [await hurried_run(simulate(data_path=tmp_path / name)) for name in ("one", "two")]
    assert runs[0] == runs[1]
    outcomes, on_the_phones = runs[0]
    done = {to for to, outcome in outcomes.items() if outcome == "Accepted"}
    assert done < on_the_phones, "some were taken without an answer"


async def hurried_run(simulation: Simulation) -> tuple[dict[str, str], set[str]]:
    """Sixty families are written to at once: what the client makes of each answer, and for whom a text was taken."""
    simulation.buy(SCHOOL)
    trouble(simulation, seed=11, sends=dict.fromkeys(EVERY_SEND_FAULT, 0.09))
    gateway = TwilioGateway(settings_for(simulation.config.base_url, twilio_auth_token=TOKEN))
    outcomes = await asyncio.gather(*[gateway.send(text(family)) for family in FAMILIES])
    await gateway.aclose()
    assert struck(simulation)["sends"].keys() == EVERY_SEND_FAULT
    taken = {message.to for message in simulation.twilio.messages.list()}
    return {to: type(outcome).__name__ for to, outcome in zip(FAMILIES, outcomes, strict=True)}, taken


def test_the_second_try_of_a_text_has_its_own_chance() -> None:
    trouble = Trouble()
    trouble.switch(Faults(sends={"lost_before": 0.5}))
    struck = [trouble.strike("sends", SCHOOL, AMINA, "Hi") for _ in range(60)]
    assert 10 < struck.count(None) < 50


@given(st.integers(0, 2**31 - 1), st.floats(0.02, 0.98))
def test_shares_are_kept(seed: int, share: float) -> None:
    trouble = Trouble()
    trouble.switch(Faults(seed=seed, callbacks={"lost": share / 2, "late": share / 2}))
    struck = Counter(trouble.strike("callbacks", AMINA, str(place)) for place in range(1_000))
    assert abs(1 - struck[None] / 1_000 - share) < 0.1


def test_what_is_switched_on_is_told_back(simulation: Simulation) -> None:
    ailment = {"to": "0187", "code": 30005, "end": "undelivered", "times": 0}
    state = trouble(simulation, seed=3, sends={"slow": 0.25}, ailments=[ailment], late_seconds=1.5)
    assert state["on"] is True and state["struck"] == {}
    assert state["faults"] == CALM | {
        "seed": 3,
        "sends": CALM["sends"] | {"slow": 0.25},
        "ailments": [ailment],
        "late_seconds": 1.5,
    }
    assert trouble(simulation, **state["faults"]) == state
    assert trouble(simulation) == {"on": False, "faults": CALM, "struck": {}}


def test_a_restart_ends_all_trouble(simulate: Simulate) -> None:
    trouble(simulate(), account="refused")
    simulate.stop_last()
    assert simulate().web.get("/simulator/faults").json()["on"] is False


@pytest.mark.parametrize(
    ("faults", "sentence"),
    [
        ({"send": {}}, "There is no fault called send."),
        ({"sends": {"lost": 0.1}}, "sends knows no fault called lost; it knows lost_before"),
        ({"sends": {"slow": 1.1}}, "sends.slow must be a share between 0 and 1."),
        ({"sends": {"slow": True}}, "sends.slow must be a share between 0 and 1."),
        ({"sends": {"slow": "0.1"}}, "sends.slow must be a share between 0 and 1."),
        ({"sends": 0.1}, "sends must be an object of faults and their shares."),
        (
            {"inbound": {"lost": 0.6, "late": 0.6}},
            "The shares of inbound add up to 1.2; together they can be 1 at most.",
        ),
        ({"carrier": {"often": 0.1}}, "carrier.often must be one of Twilio's error codes, five digits."),
        ({"ailments": {}}, "ailments must be a list"),
        ({"ailments": [{"code": 30003}]}, "An ailment has to or from, code, end and times."),
        ({"ailments": [{"to": "x", "code": 30003}]}, "to and from must be a phone number or its last digits"),
        ({"ailments": [{"to": "0187", "code": 1}]}, "code must be one of Twilio's error codes"),
        (
            {"ailments": [{"to": "0187", "code": 30003, "end": "lost"}]},
            "end must be one of undelivered, failed, refused",
        ),
        ({"ailments": [{"to": "0187", "code": 30003, "times": 0.5}]}, "times must be a whole number"),
        ({"account": "closed"}, "account must be one of active, refused, suspended, trial."),
        ({"account": ["active"]}, "account must be one of active, refused, suspended, trial."),
        ({"buying": 1}, "buying must be 0 or one of 21404, 21422, 21452, 22300."),
        ({"buying": False}, "buying must be 0 or one of 21404, 21422, 21452, 22300."),
        ({"seed": -1}, "seed must be a whole number of at least 0."),
        ({"retry_after": 1.5}, "retry_after must be a whole number of at least 0."),
        ({"slow_seconds": 601}, "slow_seconds must be between 0 and 600 seconds."),
    ],
)
def test_faults_that_make_no_sense_are_refused_in_words_and_change_nothing(
    simulation: Simulation, faults: dict, sentence: str
) -> None:
    before = trouble(simulation, account=Account.SUSPENDED)
    answer = simulation.web.put("/simulator/faults", json=faults)
    assert answer.status_code == 400 and answer.json()["error"].startswith(sentence)
    assert simulation.web.get("/simulator/faults").json()["faults"] == before["faults"]


def test_another_sites_page_switches_nothing(simulation: Simulation) -> None:
    for origin in ("https://evil.example", "null"):
        answer = simulation.web.put("/simulator/faults", json={"account": "refused"}, headers={"Origin": origin})
        assert answer.status_code == 403


OWN_FILES = Path("/dev/fd")


def test_hanging_up_leaves_nothing_open_and_touches_no_other_connection() -> None:
    """Whoever waits for the end of a pipe of ours, as a child process does, would wait for ever."""
    ours, theirs = socket.socketpair()
    told, hears = os.pipe()
    with ours, theirs, open(told, "rb") as end:  # noqa: PTH123 - a descriptor has no path
        before = len(list(OWN_FILES.iterdir()))
        for _ in range(20):
            assert not hang_up("127.0.0.1", 9)
        assert len(list(OWN_FILES.iterdir())) == before
        os.close(hears)
        assert end.read() == b""
        theirs.sendall(b"still there")
        assert ours.recv(64) == b"still there"
