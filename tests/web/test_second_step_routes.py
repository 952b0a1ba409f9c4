"""The second step at the doors: forms, what its pages ask for, and what a sign-in opens before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from pyotp import TOTP
from sqlalchemy import update
from sqlmodel import col
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.cast import PASSWORD, Town
from tests.services.steps import change, rows
from tests.web.harness import Stage, Tab
from tp_inbox.services.second_step import SecondSteps, enforce
from tp_inbox.settings import Settings
from tp_inbox.storage.tables import Role, SecondStep, Session
from tp_inbox.web.cookies import SESSION_COOKIE
from tp_inbox.web.routes import second_step, sign_in
from tp_inbox.web.routes.front_door import front_door

HERE = "http://127.0.0.1:3000"
PATH = "/auth/second-step"


def browser() -> httpx.AsyncClient:
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    plain = Settings()
    inner = Starlette(
        routes=[*sign_in.routes(plain), *second_step.routes(plain), Route("/{rest:path}", page)],
    )
    transport = httpx.ASGITransport(front_door(inner))
    return httpx.AsyncClient(transport=transport, base_url=HERE, headers={"origin": HERE})


@pytest.fixture
async def visitor(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    async with browser() as opened:
        yield opened


async def signs_in(visitor: httpx.AsyncClient, who: str = "alice", asked: str = "/settings") -> str:
    form = {"email": f"{who}@district.example", "password": PASSWORD}
    answer = await visitor.post("/auth/sign-in", data=form, headers={"referer": f"{HERE}/sign-in?next={asked}"})
    return answer.headers["location"]


async def sets_up(town: Town, visitor: httpx.AsyncClient) -> tuple[TOTP, list[str]]:
    begun = (await visitor.post(f"{PATH}/begin")).json()
    app = TOTP(begun["secret"].replace(" ", ""))
    told = await visitor.post(f"{PATH}/confirm", data={"ticket": begun["ticket"], "code": app.now()})
    await change(town, SecondStep, last_step=0)
    return app, told.json()["codes"]


async def demand(town: Town, role: str = "Counselor") -> None:
    async with town.wired.db.transaction() as session:
        await session.execute(update(Role).where(col(Role.name) == role).values(two_step_required=True))
        await enforce(session)


async def test_set_up_in_settings_and_asked_for_at_the_next_sign_in(visitor: httpx.AsyncClient, town: Town) -> None:
    assert await signs_in(visitor) == "/settings"
    app, codes = await sets_up(town, visitor)
    assert len(codes) == 10
    assert (await visitor.get(PATH)).json()["on"]
    await visitor.post("/auth/sign-out")
    assert await signs_in(visitor) == "/sign-in/code?next=%2Fsettings"
    waiting = visitor.cookies[SESSION_COOKIE]
    answer = await visitor.post(
        "/auth/code", data={"code": app.now()}, headers={"referer": f"{HERE}/sign-in/code?next=/settings"}
    )
    assert answer.headers["location"] == "/settings"
    assert visitor.cookies[SESSION_COOKIE] != waiting
    assert "httponly" in answer.headers["set-cookie"].lower()


async def test_a_sign_in_that_waits_for_its_code_opens_no_door_of_the_second_step(
    visitor: httpx.AsyncClient, town: Town
) -> None:
    await signs_in(visitor)
    app, _ = await sets_up(town, visitor)
    await visitor.post("/auth/sign-out")
    await signs_in(visitor)
    for name in ("begin", "confirm", "off", "codes"):
        answer = await visitor.post(f"{PATH}/{name}", data={"code": app.now(), "ticket": "x"})
        assert answer.status_code == 401
    assert (await visitor.get(PATH)).status_code == 401


async def test_a_wrong_code_leads_back_with_a_reason_and_ten_to_the_beginning(
    visitor: httpx.AsyncClient, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signs_in(visitor)
    await sets_up(town, visitor)
    await visitor.post("/auth/sign-out")
    await signs_in(visitor)

    async def guess() -> str:
        return (await visitor.post("/auth/code", data={"code": "000 000 000"})).headers["location"]

    assert await guess() == "/sign-in/code?problem=code&next=%2F"
    for _ in range(4):
        await guess()
    assert (await guess()).startswith("/sign-in/code?problem=wait&seconds=")
    monkeypatch.setattr("tp_inbox.services.sessions.FAILURES_FOR_FREE", 1000)
    places = [await guess() for _ in range(6)]
    assert places[-1] == "/sign-in?problem=over&next=%2F"


async def test_a_role_that_demands_it_leads_to_setting_it_up_and_on(visitor: httpx.AsyncClient, town: Town) -> None:
    await demand(town)
    assert await signs_in(visitor) == "/sign-in/set-up?next=%2Fsettings"
    waiting = visitor.cookies[SESSION_COOKIE]
    assert (await visitor.get(PATH)).json()["demanded"]
    for name in ("off", "codes"):
        assert (await visitor.post(f"{PATH}/{name}", data={"code": "1"})).status_code == 401
    _, codes = await sets_up(town, visitor)
    assert len(codes) == 10
    assert visitor.cookies[SESSION_COOKIE] != waiting
    assert (await visitor.get("/sign-in?next=/settings")).headers["location"] == "/settings"
    refused = await visitor.post(f"{PATH}/off", data={"code": codes[0]})
    assert (refused.status_code, "One of your roles" in refused.json()["problem"]) == (422, True)


async def test_the_pages_of_signing_in_lead_to_where_one_is(visitor: httpx.AsyncClient, town: Town) -> None:
    async def leads(path: str) -> str:
        return (await visitor.get(path)).headers.get("location", "here")

    assert await leads("/sign-in/code?next=/settings") == "/sign-in?next=%2Fsettings"
    assert await leads("/sign-in/set-up") == "/sign-in?next=%2F"
    await demand(town)
    await signs_in(visitor)
    assert await leads("/sign-in?next=/settings") == "/sign-in/set-up?next=%2Fsettings"
    assert await leads("/sign-in/code") == "/sign-in/set-up?next=%2F"
    assert await leads("/sign-in/set-up") == "here"
    assert await leads("/sign-in?problem=expired") == "here"
    assert await leads("/sign-in?problem=ended&next=/settings") == "/sign-in/set-up?next=%2Fsettings"
    await sets_up(town, visitor)
    assert await leads("/sign-in/set-up?next=//evil.example") == "/"
    assert await leads("/sign-in?problem=expired") == "/"


async def test_nothing_is_taken_from_elsewhere(visitor: httpx.AsyncClient, town: Town) -> None:
    await signs_in(visitor)
    for path in ("/auth/code", *(f"{PATH}/{name}" for name in ("begin", "confirm", "off", "codes"))):
        answer = await visitor.post(path, data={"code": "1"}, headers={"origin": "https://evil.example"})
        assert answer.status_code == 403
    assert await rows(town, SecondStep) == []


async def test_what_is_no_form_ends_in_a_sentence(visitor: httpx.AsyncClient, town: Town) -> None:
    await signs_in(visitor)
    form = {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"\xff\xfe", b"code=%00&ticket=%00", b"ticket=%ed%a0%80", b"x" * 100_000, b"a=1&" * 500, b""):
        for name in ("confirm", "off", "codes"):
            answer = await visitor.post(f"{PATH}/{name}", content=body, headers=form)
            assert answer.status_code == 422
            assert answer.json()["problem"].endswith((".", "again."))


async def test_the_picture_is_dark_on_white_with_a_quiet_zone(visitor: httpx.AsyncClient) -> None:
    await signs_in(visitor)
    picture = (await visitor.post(f"{PATH}/begin")).json()["picture"]
    assert picture.startswith("<svg")
    assert 'fill="#fff"' in picture
    assert "<script" not in picture


class TestOpenTabs:
    async def _half(self, stage: Stage, steps: SecondSteps) -> str:
        begun = await steps.begin_set_up(stage.town.staff["alice"])
        earlier = TOTP(begun.secret.replace(" ", "")).at(datetime.now(UTC))
        await steps.confirm(stage.town.staff["alice"], begun.ticket, earlier)
        sessions = stage.town.wired.services.sessions
        return (await sessions.sign_in(stage.town.email("alice"), PASSWORD, "192.0.2.1", "")).token

    async def test_a_sign_in_that_waits_opens_no_page(self, stage: Stage) -> None:
        half = await self._half(stage, stage.town.wired.services.second_steps)
        tab = Tab(stage, half)
        assert (await tab.load("/messages/personal")).shows_out
        assert "Alice" not in tab.seen

    async def test_a_tab_is_led_out_at_the_moment_a_role_demands_it(self, stage: Stage) -> None:
        alice, bob = await stage.tab("alice", "/settings"), await stage.tab("bob", "/settings")
        for tab in (alice, bob):
            tab.answer.events.clear()
        await demand(stage.town)
        await stage.hears()
        assert alice.answer.shows_out
        assert not bob.answer.shows_out
        assert "Alice" not in alice.seen
        assert {row.stage.value for row in await rows(stage.town, Session)} == {"enrol", "complete"}
