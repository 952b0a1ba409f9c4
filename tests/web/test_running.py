"""The doors of the running product, met by clients that speak as browsers do, and as browsers do not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import psutil
import pytest
from socketio.exceptions import ConnectionError as Refused

from tests.product import PASSWORD, Product
from tests.wires import Wire, wire
from tp_inbox.web import reflex_internals as internals
from tp_inbox.web.cookies import SESSION_COOKIE
from tp_inbox.web.gate import TO_SIGN_IN
from tp_inbox.web.states.shell import ShellState

pytestmark = pytest.mark.slow

COUNSELOR, NURSE = "counselor@maplevalley.example", "nurse@maplevalley.example"
MARK = "mark-" + uuid4().hex
"""Stands in all that these tests send, and so in no line of the log."""


async def signed_in(product: Product, email: str) -> str:
    async with httpx.AsyncClient(base_url=product.url, headers={"origin": product.url}) as client:
        answer = await client.post("/auth/sign-in", data={"email": email, "password": PASSWORD})
        assert answer.status_code == 303, answer.headers
        return answer.cookies[SESSION_COOKIE]


@pytest.fixture
async def visitor(product: Product) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=product.url, headers={"origin": product.url}) as client:
        yield client


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1"])
async def test_a_socket_from_elsewhere_is_refused(product: Product, origin: str) -> None:
    with pytest.raises(Refused):
        async with wire(product.url, origin=origin):
            pass


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_a_socket_of_our_own_pages_comes_in_by_both_names(product: Product, name: str) -> None:
    url = product.url.replace("127.0.0.1", name)
    async with wire(product.url, origin=url) as anonymous:
        assert await anonymous.shows(TO_SIGN_IN)


@pytest.mark.parametrize("token", ["../../x", "short", "x" * 100, "with space-12345"])
async def test_a_socket_that_names_no_tab_is_refused(product: Product, token: str) -> None:
    with pytest.raises(Refused):
        async with wire(product.url, token=token):
            pass


async def test_somebody_who_has_signed_in_sees_their_own(product: Product) -> None:
    cookie = await signed_in(product, COUNSELOR)
    async with wire(product.url, cookie, "/messages/personal") as tab:
        assert await tab.shows("rows_rx_state_")
        assert cookie not in tab.text


async def test_a_frame_too_large_ends_its_own_connection_alone(product: Product, visitor: httpx.AsyncClient) -> None:
    async with wire(product.url) as large, wire(product.url) as other:
        await large.client.emit("event", {"name": "x", "payload": {"x": MARK + "x" * 1_500_000}}, namespace="/_event")
        await asyncio.wait_for(large.client.wait(), 10)
        assert other.client.connected
    assert (await visitor.get("/ready")).status_code == 200


async def test_nonsense_changes_nothing_and_says_nothing(product: Product) -> None:
    cookie = await signed_in(product, COUNSELOR)
    async with wire(product.url, cookie, "/settings") as tab:
        assert await tab.shows('"ready_rx_state_": true')
        await tab.rests()
        for frame in (
            MARK,
            [MARK],
            {"name": MARK},
            {"name": [MARK]},
            {"name": internals.name_of(ShellState.go_home), "payload": MARK},
        ):
            await tab.client.emit("event", frame, namespace="/_event")
        await tab.client.emit("client_error", {"message": MARK, "error_type": MARK}, namespace="/_event")
        await tab.client.emit(MARK, MARK, namespace="/_event")
        before = len(tab.updates)
        await asyncio.sleep(0.5)
        assert len(tab.updates) == before
        assert tab.client.connected


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/messages",
        "/messages/personal/12",
        "/messages/school/new",
        "/settings",
        "/settings/",
        "/admin",
        "/admin/",
        "/admin/staff",
        "/admin/staff/",
        "/admin/staff/7",
        "/admin/staff/new",
        "/admin/staff/bulk",
        "/admin/roles",
        "/admin/roles/new",
        "/admin/schools",
        "/admin/schools/groups/5",
        "/admin/audit",
        "/oversight",
        "/oversight/5/",
        "/sign-in",
        "/sign-in/",
    ],
)
async def test_every_page_is_there_at_once_by_its_own_address(visitor: httpx.AsyncClient, path: str) -> None:
    answer = await visitor.get(path)
    assert answer.status_code == 200
    assert "<html" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/assets/nothing.js",
        "/_upload",
        "/ping",
        "/_health",
        "/_all_routes",
        "/../etc/passwd",
        "/.env",
        "/messages%2f..%2f..",
        "/_event/x",
    ],
)
async def test_what_is_not_there_is_not_there(visitor: httpx.AsyncClient, path: str) -> None:
    answer = await visitor.get(path)
    assert answer.status_code in {400, 404}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_no_page_holds_anything_of_the_district(visitor: httpx.AsyncClient, product: Product) -> None:
    visitor.cookies.set(SESSION_COOKIE, await signed_in(product, COUNSELOR))
    for path in ("/", "/messages/personal/1", "/admin/staff", "/settings"):
        text = (await visitor.get(path)).text
        assert "Maple Valley" not in text
        assert "maplevalley" not in text


async def test_a_web_process_that_dies_is_followed_by_one_that_knows_everybody(product: Product) -> None:
    hers, his = await signed_in(product, COUNSELOR), await signed_in(product, NURSE)
    async with wire(product.url, hers, "/messages/school") as tab:
        name, token = await shown_name(tab), tab.token
        for process in serving(product):
            process.kill()
        await asyncio.wait_for(tab.client.wait(), 15)
    await until(product.ready)
    async with wire(product.url, hers, "/messages/school", token) as again:
        assert await shown_name(again) == name
    async with wire(product.url, his, "/messages/school", token) as other:
        assert await other.shows("initials_rx_state_")
        assert name not in other.text


async def test_nothing_that_identifies_anybody_is_in_the_log(product: Product) -> None:
    """Runs last here: everything above has been sent by then."""
    cookie = await signed_in(product, COUNSELOR)
    async with wire(product.url, cookie, "/messages/personal") as tab:
        await tab.shows("rows_rx_state_")
        token = tab.token
        await tab.client.emit("event", {"name": "no.such.event", "payload": {"body": MARK}}, namespace="/_event")
        await asyncio.sleep(0.5)
    said = product.log.read_text()
    served = "\n".join(line for line in said.splitlines() if line.lstrip().startswith(("serve", "worker")))
    assert "a browser called something that it cannot call" in served
    for secret in (MARK, cookie, token, "token=", SESSION_COOKIE, PASSWORD, COUNSELOR):
        assert secret not in served, secret


async def shown_name(tab: Wire) -> str:
    """Of the person whose page it is; a page that loads shows nobody at first."""
    await until(lambda: names(tab))
    return names(tab)[-1]


def names(tab: Wire) -> list[str]:
    shells = [update.get("delta", {}).get(ShellState.get_full_name(), {}) for update in tab.updates]
    return [name for shell in shells if (name := shell.get("name_rx_state_"))]


def serving(product: Product) -> list[psutil.Process]:
    """The workers of the web app that this product runs."""
    port = int(product.url.rpartition(":")[2])
    family = psutil.Process().children(recursive=True)
    listening = [
        p for p in family if any(c.laddr.port == port for c in p.net_connections(kind="inet") if c.status == "LISTEN")
    ]
    return [p for p in listening if not p.children()] or listening


async def until(condition) -> None:
    deadline = time.monotonic() + 30
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
