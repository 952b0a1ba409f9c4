"""What becomes of one text handed over, over a real socket to a server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from urllib3.connectionpool import HTTPConnectionPool

from tests.twilio.cast import ACCOUNT, FAMILY, HELLO, MESSAGES, PUBLIC, SCHOOL, SID, created, error, settings_for
from tests.twilio.scripted_server import RESET, Reply, ScriptedServer, closed_port
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.services.ports import Accepted, Ambiguous, NotAccepted
from tp_inbox.twilio.client import Timeouts
from tp_inbox.twilio.gateway import TwilioGateway


async def test_an_accepted_text_has_its_sid_and_the_number_it_leaves_from(gateway, server) -> None:
    server.script = [created()]
    outcome = await gateway.send(HELLO)
    assert isinstance(outcome, Accepted)
    assert (outcome.text.sid, outcome.text.sender, outcome.text.recipient) == (SID, SCHOOL, FAMILY)
    assert outcome.text.state is DeliveryState.ACCEPTED
    assert outcome.text.sent_at is None and outcome.text.created_at is not None


async def test_the_request_is_what_twilio_documents(gateway, server) -> None:
    server.script = [created()]
    await gateway.send(HELLO)
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", MESSAGES)
    assert asked.form == {
        "To": [FAMILY],
        "From": [SCHOOL],
        "Body": [HELLO.body],
        "StatusCallback": [f"{PUBLIC}/twilio/status?message=41#rc=5&rp=all"],
    }


@pytest.mark.parametrize(("seconds", "asked_for"), [(None, None), (1, ["1"]), (14_400, ["14400"])])
async def test_what_would_be_too_old_by_then_must_not_be_sent(gateway, server, seconds, asked_for) -> None:
    server.script = [created()]
    await gateway.send(replace(HELLO, valid_seconds=seconds))
    assert server.asked[0].form.get("ValidityPeriod") == asked_for


async def test_the_host_that_was_meant_is_named_to_the_one_that_answers(gateway, server) -> None:
    server.script = [created()]
    await gateway.send(HELLO)
    assert server.asked[0].headers["Host"] == "api.twilio.com"
    assert server.asked[0].headers["Authorization"].startswith("Basic ")


async def test_the_number_in_the_answer_is_told_even_when_it_is_not_the_one_asked_for(gateway, server) -> None:
    server.script = [created(**{"from": "+12025550199"})]
    outcome = await gateway.send(HELLO)
    assert isinstance(outcome, Accepted) and outcome.text.sender == "+12025550199"


async def test_an_unknown_status_word_in_the_answer_is_still_accepted(gateway, server) -> None:
    server.script = [created(status="pondering")]
    outcome = await gateway.send(HELLO)
    assert isinstance(outcome, Accepted) and outcome.text.state is DeliveryState.ACCEPTED


@pytest.mark.parametrize(
    "reply",
    [
        Reply(201, "<html>Welcome to the school Wi-Fi</html>"),
        Reply(201, ""),
        Reply(201, "[]"),
        Reply(201, '"queued"'),
        Reply(201, {"status": "queued"}),
        Reply(200, {"sid": None}),
        Reply(302, "", {"Location": "http://127.0.0.1:1/"}),
        error(500, 20500),
        error(502),
        error(503, 20503),
        error(408),
        RESET,
        Reply(201, "{", {"Content-Length": "500"}),
    ],
    ids=repr,
)
async def test_an_answer_that_says_nothing_is_ambiguous_and_is_not_asked_for_again(gateway, server, reply) -> None:
    server.script = [reply]
    assert isinstance(await gateway.send(HELLO), Ambiguous)
    assert len(server.asked) == 1


async def test_an_answer_that_tls_cannot_read_is_ambiguous_and_is_not_asked_for_again(
    gateway, server, monkeypatch
) -> None:
    real = HTTPConnectionPool._make_request

    def broken(self, *args, **kwargs):
        real(self, *args, **kwargs)
        raise ssl.SSLError("decryption failed or bad record mac")

    monkeypatch.setattr(HTTPConnectionPool, "_make_request", broken)
    assert isinstance(await gateway.send(HELLO), Ambiguous)
    assert len(server.asked) == 1


async def test_a_read_timeout_is_ambiguous_and_is_not_sent_again(gateway, server) -> None:
    server.script = [Reply(201, "", after=1.0)]
    assert await gateway.send(HELLO) == Ambiguous(None)
    assert len(server.asked) == 1


async def test_a_deadline_ends_a_call_that_takes_too_long(server) -> None:
    server.script = [Reply(201, "", after=0.6)]
    gateway = TwilioGateway(settings_for(server.url), Timeouts(read=5, deadline=0.2))
    assert await gateway.send(HELLO) == Ambiguous(None)
    await gateway.aclose()


async def test_refused_connections_are_surely_not_sent() -> None:
    gateway = TwilioGateway(settings_for(closed_port()))
    assert await gateway.send(HELLO) == NotAccepted(FailureReason.CARRIER_PROBLEM, None, retry=True)
    await gateway.aclose()


async def test_a_name_that_does_not_resolve_is_surely_not_sent(monkeypatch) -> None:
    def unknown(*asked: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    gateway = TwilioGateway(settings_for("http://nobody.invalid"))
    assert await gateway.send(HELLO) == NotAccepted(FailureReason.CARRIER_PROBLEM, None, retry=True)
    await gateway.aclose()


async def test_what_waits_for_a_thread_at_the_deadline_is_surely_not_sent(server, monkeypatch) -> None:
    monkeypatch.setattr("tp_inbox.twilio.client.WORKERS", 1)
    server.otherwise = lambda _: Reply(201, "", after=0.5)
    gateway = TwilioGateway(settings_for(server.url), Timeouts(read=5, deadline=0.2))
    first, second = await asyncio.gather(gateway.send(HELLO), gateway.send(HELLO))
    await asyncio.sleep(0.6)
    assert isinstance(first, Ambiguous) and isinstance(second, NotAccepted) and second.retry
    assert len(server.asked) == 1
    await gateway.aclose()


async def test_a_closed_gateway_sends_nothing_and_raises_nothing(gateway, server) -> None:
    await gateway.aclose()
    outcome = await gateway.send(HELLO)
    assert isinstance(outcome, NotAccepted) and outcome.retry
    assert not server.asked


async def test_a_429_is_retried_after_what_the_carrier_asked_for(gateway, server) -> None:
    server.script = [error(429, 20429, **{"Retry-After": "7"})]
    assert await gateway.send(HELLO) == NotAccepted(FailureReason.TOO_BUSY, "20429", retry=True, retry_after=7.0)
    assert len(server.asked) == 1


async def test_retry_after_may_be_a_date(gateway, server) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=False)
    server.script = [error(429, 20429, **{"Retry-After": soon})]
    outcome = await gateway.send(HELLO)
    assert isinstance(outcome, NotAccepted) and outcome.retry_after is not None
    assert 25 < outcome.retry_after <= 30


async def test_a_senseless_retry_after_is_none(gateway, server) -> None:
    server.script = [error(429, **{"Retry-After": "soon"})]
    assert await gateway.send(HELLO) == NotAccepted(FailureReason.TOO_BUSY, "HTTP 429", retry=True)


@pytest.mark.parametrize(
    ("status", "code", "reason", "retry", "stop_sender"),
    [
        (400, 21211, FailureReason.INVALID_NUMBER, False, False),
        (400, 21635, FailureReason.LANDLINE, False, False),
        (400, 21610, FailureReason.OPTED_OUT, False, False),
        (400, 21611, FailureReason.TOO_BUSY, True, False),
        (400, 30007, FailureReason.BLOCKED_CONTENT, False, False),
        (400, 21606, FailureReason.SENDER_NOT_READY, False, True),
        (400, 21608, FailureReason.NOT_PERMITTED, False, True),
        (401, 20003, FailureReason.ACCOUNT_PROBLEM, False, True),
        (400, 30034, FailureReason.NOT_REGISTERED, False, True),
        (400, 39999, FailureReason.UNKNOWN, True, False),
    ],
)
async def test_each_class_of_error_has_its_treatment(gateway, server, status, code, reason, retry, stop_sender) -> None:
    server.script = [error(status, code)]
    assert await gateway.send(HELLO) == NotAccepted(reason, str(code), retry=retry, stop_sender=stop_sender)


async def test_a_problem_of_rfc_9457_is_read_too(gateway, server) -> None:
    problem = {"type": "https://twilio.com/docs/errors/21610", "title": "Unsubscribed", "status": 400, "code": 21610}
    server.script = [Reply(400, problem, {"Content-Type": "application/problem+json"})]
    assert await gateway.send(HELLO) == NotAccepted(FailureReason.OPTED_OUT, "21610", retry=False)


@pytest.mark.parametrize(
    "reply",
    [error(401), error(404), Reply(404, {"code": 404, "message": "no route"}), Reply(401, {"code": "UNAUTHORIZED"})],
    ids=repr,
)
async def test_a_refusal_by_something_on_the_way_stops_nobody_and_is_tried_again(gateway, server, reply) -> None:
    server.script = [reply]
    outcome = await gateway.send(HELLO)
    assert outcome == NotAccepted(FailureReason.CARRIER_PROBLEM, f"HTTP {reply.status}", retry=True)


async def test_logs_name_no_number_and_quote_no_body(gateway, server, caplog) -> None:
    caplog.set_level("DEBUG", "tp_inbox")
    server.script = [error(400, 21211), RESET, Reply(201, "<html>"), created()]
    for _ in range(4):
        await gateway.send(HELLO)
    assert "Text 41: NotAccepted, code 21211" in caplog.text
    ours = " ".join(record.getMessage() for record in caplog.records if record.name.startswith(("tp_inbox", "twilio")))
    assert not any(secret in ours for secret in (FAMILY, SCHOOL, "bus is late", ACCOUNT))


async def test_many_at_once_each_get_their_own_answer(gateway, server: ScriptedServer) -> None:
    server.otherwise = lambda asked: created(sid="SM" + asked.form["Body"][0])
    texts = [type(HELLO)(n, SCHOOL, FAMILY, f"{n:032x}") for n in range(200)]
    outcomes = await asyncio.gather(*(gateway.send(text) for text in texts))
    assert all(isinstance(o, Accepted) and o.text.sid == f"SM{n:032x}" for n, o in enumerate(outcomes))


async def test_without_a_base_url_the_address_is_twilios(monkeypatch) -> None:
    aimed = []

    def request(self, method: str, url: str, **sent: object) -> None:
        aimed.append((method, url, dict(sent["headers"]).get("Host")))
        raise ConnectionError

    monkeypatch.setattr("requests.Session.request", request)
    monkeypatch.setenv("TWILIO_REGION", "au1")
    gateway = TwilioGateway(settings_for())
    assert isinstance(await gateway.send(HELLO), Ambiguous)
    assert aimed == [("POST", f"https://api.twilio.com{MESSAGES}", None)]
    await gateway.aclose()


async def test_a_proxy_of_the_environment_is_not_asked_for_a_simulator_on_this_machine(server, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", closed_port())
    server.script = [created()]
    gateway = TwilioGateway(settings_for(server.url))
    assert isinstance(await gateway.send(HELLO), Accepted)
    await gateway.aclose()
