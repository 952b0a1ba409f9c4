"""The two webhooks: who is let in, what is handed on, and what is answered."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette

from tests.twilio.cast import ACCOUNT, FAMILY, PUBLIC, SCHOOL, SID, TOKEN, settings_for
from tests.twilio.desk import STATUS, TEXT, Desk, call
from tp_inbox.domain.consent import Verdict
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services import figures
from tp_inbox.services.ports import StatusReport
from tp_inbox.twilio import webhooks


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def text(desk: Desk, **fields: str) -> httpx.Response:
    return await call(desk, "/twilio/inbound", {**TEXT, **fields})


async def status(desk: Desk, query: str = "?message=41", **fields: str) -> httpx.Response:
    return await call(desk, f"/twilio/status{query}", {**STATUS, **fields})


async def test_a_familys_text_is_handed_on_and_answered_without_a_text(desk) -> None:
    answer = await text(desk)
    assert (answer.status_code, answer.text) == (200, "<Response/>")
    assert answer.headers["content-type"].startswith("text/xml")
    [got] = desk.texts
    assert (got.sid, got.sender, got.recipient, got.body) == (SID, FAMILY, SCHOOL, TEXT["Body"])
    assert (got.media, got.opt_out_type, got.raw) == ((), None, TEXT)
    assert abs((datetime.now(UTC) - got.received_at).total_seconds()) < 5


async def test_the_proxy_in_between_does_not_break_the_signature(desk) -> None:
    answer = await call(
        desk,
        "/twilio/inbound",
        TEXT,
        headers={"Host": "internal:3000", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "signed_url", ["https://inbox.lincoln.example:443/twilio/inbound", f"{PUBLIC}/twilio/inbound#rc=5&rp=all"]
)
async def test_a_port_or_a_fragment_in_the_signed_address_is_no_reason_to_lose_a_text(desk, signed_url) -> None:
    assert (await call(desk, "/twilio/inbound", TEXT, signed_url=signed_url)).status_code == 200


async def test_numbers_of_a_messaging_service_and_new_parameters_are_let_in(desk) -> None:
    answer = await text(desk, MessagingServiceSid="MG" + "d" * 32, To="+12025550177", Novelty="", FromZip="")
    assert answer.status_code == 200
    assert desk.texts[0].recipient == "+12025550177"


async def test_without_a_signature_nobody_is_let_in(desk) -> None:
    app = Starlette(routes=webhooks.routes(settings_for(), desk.keep))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as client:
        answers = [await client.post(path, data=TEXT) for path in ("/twilio/inbound", "/twilio/status")]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert not desk.texts and not desk.reports


@pytest.mark.parametrize("token", ["f" * 32, ""])
async def test_with_another_token_nobody_is_let_in(desk, token) -> None:
    assert (await call(desk, "/twilio/inbound", TEXT, token=token)).status_code == 403
    assert not desk.texts


async def test_where_no_token_is_set_nobody_is_let_in(desk) -> None:
    settings = settings_for(twilio_auth_token="")
    assert (await call(desk, "/twilio/inbound", TEXT, token="", settings=settings)).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b"NumMedia=0", b"NumMedia=1"),
        lambda body: body.replace(b"&FromCity=", b""),
        lambda body: body + b"&Body=forged",
        lambda body: body + b"&Extra=",
    ],
)
async def test_a_body_changed_in_one_field_is_refused(desk, change) -> None:
    assert (await call(desk, "/twilio/inbound", TEXT, sends=change)).status_code == 403
    assert not desk.texts


async def test_a_name_that_comes_twice_is_signed_with_each_of_its_values(desk) -> None:
    fields = {**TEXT, "Tag": ["b", "a"]}
    url = f"{PUBLIC}/twilio/inbound"
    signed = url + "".join(
        name + value
        for name in sorted(fields)
        for value in (sorted(fields[name]) if isinstance(fields[name], list) else [fields[name]])
    )
    signature = base64.b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha1")).decode()
    pairs = [*TEXT.items(), ("Tag", "b"), ("Tag", "a")]
    answer = await call(desk, "/twilio/inbound", pairs, headers={"X-Twilio-Signature": signature})
    assert answer.status_code == 200


async def test_a_signature_for_another_message_id_is_refused(desk) -> None:
    answer = await call(desk, "/twilio/status?message=42", STATUS, signed_url=f"{PUBLIC}/twilio/status?message=41")
    assert answer.status_code == 403
    assert not desk.reports


async def test_a_signed_text_of_another_account_is_refused(desk) -> None:
    assert (await text(desk, AccountSid="AC" + "6" * 32)).status_code == 403
    assert not desk.texts


async def test_a_refusal_is_logged_without_content(desk, caplog) -> None:
    await call(desk, "/twilio/inbound", TEXT, token="f" * 32)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("tp_inbox")] == [
        "Webhook /twilio/inbound refused: not signed by Twilio for this address"
    ]


async def test_a_repeated_webhook_is_handed_on_each_time(desk) -> None:
    assert [(await text(desk)).status_code for _ in range(3)] == [200] * 3
    assert len(desk.texts) == 3


@pytest.mark.parametrize("body", ["", " ", "👍🏽", "a&b=c+d%20e", "Línea 1\r\nLínea 2"])
async def test_every_body_arrives_as_it_was_written(desk, body) -> None:
    assert (await text(desk, Body=body)).status_code == 200
    assert desk.texts[0].body == body


async def test_nuls_are_taken_out_after_the_signature_was_checked(desk) -> None:
    assert (await text(desk, Body="Mañana\x00 no", FromCity="\x00")).status_code == 200
    assert (desk.texts[0].body, desk.texts[0].raw["FromCity"]) == ("Mañana no", "")


async def test_a_long_text_in_base64_becomes_readable_and_stays_raw(desk) -> None:
    written = "Nuestra hija está enferma y hoy no irá a la escuela. " * 4
    packed = base64.b64encode(written.encode()).decode()
    await text(desk, Body=packed)
    assert (desk.texts[0].body, desk.texts[0].raw["Body"]) == (written, packed)


async def test_pictures_are_told_with_their_kind(desk) -> None:
    url = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}/Media/ME1"
    await text(desk, NumMedia="2", MediaUrl0=url, MediaContentType0="image/jpeg", MediaUrl1=url + "2")
    assert desk.texts[0].media == ((url, "image/jpeg"), (url + "2", ""))


async def test_what_the_carrier_took_for_an_opt_out_is_told(desk) -> None:
    await text(desk, Body="Stop", OptOutType="STOP")
    assert desk.texts[0].opt_out_type is Verdict.STOP_CERTAIN


async def test_a_delivery_report_names_our_own_message(desk) -> None:
    answer = await status(desk)
    assert (answer.status_code, answer.text) == (204, "")
    assert desk.reports == [StatusReport(41, SID, SCHOOL, FAMILY, DeliveryState.DELIVERED, None, None, STATUS)]


async def test_a_failure_comes_with_its_reason(desk) -> None:
    await status(desk, MessageStatus="undelivered", ErrorCode="30003", ErrorMessage="")
    [got] = desk.reports
    assert (got.state, got.reason, got.code) == (DeliveryState.UNDELIVERED, FailureReason.UNREACHABLE, "30003")


@pytest.mark.parametrize("query", ["", "?message=", "?message=-1", "?message=x", "?message=" + "9" * 30, "?message=٤١"])
async def test_a_report_without_an_id_of_ours_is_handed_on_by_its_sid(desk, query) -> None:
    url = httpx.URL(PUBLIC + "/twilio/status" + query)
    answer = await call(desk, "/twilio/status" + query, STATUS, signed_url=str(url))
    assert answer.status_code == 204
    assert (desk.reports[0].message_id, desk.reports[0].sid) == (None, SID)


async def test_a_status_without_message_status_is_read_from_sms_status(desk) -> None:
    await status(desk, MessageStatus="", SmsStatus="sent")
    assert desk.reports[0].state is DeliveryState.SENT


async def test_an_unknown_status_word_is_logged_taken_and_means_nothing(desk, caplog) -> None:
    assert (await status(desk, MessageStatus="teleported")).status_code == 204
    assert desk.reports[0].state is None and desk.reports[0].raw["MessageStatus"] == "teleported"
    assert "teleported" in caplog.text


@pytest.mark.parametrize("failure", [Unavailable("The database is away."), OSError(TEXT["Body"]), KeyError(FAMILY)])
async def test_what_cannot_be_taken_now_comes_again(desk, failure, caplog) -> None:
    desk.fails = failure
    assert (await text(desk)).status_code == 503
    assert (await status(desk)).status_code == 503
    assert type(failure).__name__ in caplog.text
    assert TEXT["Body"] not in caplog.text and FAMILY not in caplog.text


async def test_a_service_that_hangs_is_given_up_while_twilio_still_waits(desk, monkeypatch) -> None:
    monkeypatch.setattr(webhooks, "ANSWER_WITHIN", 0.05)
    desk.takes = 5
    assert (await text(desk)).status_code == 503


async def test_a_signed_form_without_a_sid_is_refused(desk) -> None:
    assert (await text(desk, MessageSid="")).status_code == 400
    assert (await status(desk, MessageSid="")).status_code == 400
    assert not desk.texts and not desk.reports


async def test_what_is_no_form_is_refused(desk) -> None:
    garbage: list[Callable[[bytes], bytes]] = [lambda _: b"\xff\xfe", lambda _: b"a=1&" * 600, lambda _: b"{}"]
    answers = [await call(desk, "/twilio/inbound", TEXT, sends=sends) for sends in garbage]
    assert [answer.status_code for answer in answers] == [400, 400, 403]


async def test_a_body_over_the_limit_is_not_read_to_its_end(desk) -> None:
    assert (await text(desk, Body="x" * 70_000)).status_code == 413
    assert not desk.texts


async def test_only_posts_are_taken(desk) -> None:
    app = Starlette(routes=webhooks.routes(settings_for(), desk.keep))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as client:
        assert (await client.get("/twilio/inbound")).status_code == 405


async def test_every_answer_is_counted_by_its_kind_and_what_came_of_it(desk) -> None:
    def count(kind: str, result: str) -> float:
        return figures.COUNTED.get_sample_value("tp_inbox_webhooks_total", {"kind": kind, "result": result}) or 0.0

    wanted = [("inbound", "kept"), ("status", "refused"), ("status", "away")]
    before = [count(*one) for one in wanted]
    await text(desk)
    await status(desk, AccountSid="AC" + "9" * 32)
    desk.fails = Unavailable("away")
    await status(desk)
    assert [count(*one) for one in wanted] == [one + 1 for one in before]
