"""Figures for Prometheus: to whom they open, and what they tell."""

from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from tests.web.test_doors import settings
from tp_inbox.settings import Settings
from tp_inbox.web.routes import metrics

HERE, ELSEWHERE = "127.0.0.1", "10.1.2.3"
TOKEN = "a token for those who watch"
WITH_TOKEN = {"authorization": f"Bearer {TOKEN}"}


async def asked(chosen: Settings, client: str = HERE, name: str = "127.0.0.1:3000", **headers: str | bytes) -> int:
    async def figures() -> bytes:
        return b"tp_inbox_database_up 1.0\n"

    transport = httpx.ASGITransport(Starlette(routes=metrics.routes(chosen, figures)), client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{name}") as browser:
        answer = await browser.get("/metrics", headers={k.replace("_", "-"): v for k, v in headers.items()})
    assert (answer.status_code == 200) == ("tp_inbox_database_up" in answer.text)
    return answer.status_code


async def test_a_program_on_this_machine_reads_them() -> None:
    assert await asked(settings()) == 200
    assert await asked(settings(), name="localhost:3000") == 200


async def test_for_anybody_else_there_is_no_such_page() -> None:
    assert await asked(settings(), client=ELSEWHERE) == 404


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "x_real_ip", "via"])
async def test_who_comes_by_a_proxy_that_nobody_told_us_of_is_not_on_this_machine(header: str) -> None:
    assert await asked(settings(), **{header: "1.2.3.4"}) == 404


async def test_a_page_elsewhere_whose_name_leads_here_reads_nothing() -> None:
    assert await asked(settings(), name="evil.example") == 404


async def test_behind_a_proxy_nobody_is_on_this_machine() -> None:
    assert await asked(settings(public_url="https://x.example")) == 404


async def test_the_token_opens_them_from_anywhere() -> None:
    chosen = settings(public_url="https://x.example", metrics_token=SecretStr(TOKEN))
    assert await asked(chosen, client=ELSEWHERE, name="x.example", **WITH_TOKEN) == 200


@pytest.mark.parametrize(
    "brought", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", "Bearer wrong", "Bearer \u00e9".encode()]
)
async def test_another_token_does_not(brought: str | bytes) -> None:
    chosen = settings(public_url="https://x.example", metrics_token=SecretStr(TOKEN))
    assert await asked(chosen, authorization=brought) == 404


@pytest.mark.parametrize("brought", ["Bearer ", "Bearer"])
async def test_no_token_is_not_an_empty_one(brought: str) -> None:
    assert await asked(settings(public_url="https://x.example"), authorization=brought) == 404
