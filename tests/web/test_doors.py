"""The doors that browsers come through: forms, addresses, headers, origins, arguments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, update
from sqlmodel import col
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.cast import PASSWORD, Town
from tp_inbox.domain.errors import Invalid, Unavailable
from tp_inbox.services.sessions import FAILURES_FOR_FREE
from tp_inbox.settings import Settings
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import Session, SignInFailure
from tp_inbox.web.addresses import allowed_origins, origin, page_or_home, sockets
from tp_inbox.web.arguments import is_token, require_fit, storable
from tp_inbox.web.cookies import SESSION_COOKIE
from tp_inbox.web.headers import IMMUTABLE, with_headers
from tp_inbox.web.routes import sign_in
from tp_inbox.web.routes.front_door import CLOSED, front_door

HERE = "http://127.0.0.1:3000"
ELSEWHERE = "https://evil.example"


def settings(**given) -> Settings:
    return Settings(twilio_auth_token=SecretStr("x"), **given)


def site(settings: Settings):
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path, 404 if "missing" in request.url.path else 200)

    async def broken(_: Request) -> PlainTextResponse:
        raise RuntimeError

    inner = Starlette(routes=[*sign_in.routes(settings), Route("/broken", broken), Route("/{rest:path}", page)])
    wrapped = with_headers(sockets(settings), behind_tls=settings.behind_tls)
    return wrapped(front_door(inner))


def browser(app, base: str = HERE, client: tuple[str, int] = ("10.0.0.1", 1)) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=client)
    return httpx.AsyncClient(transport=transport, base_url=base, headers={"origin": base})


@pytest.fixture
async def visitor(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(site(settings())) as client:
        yield client


@pytest.fixture
async def passer_by() -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who signs in nowhere, so that no database is asked."""
    async with browser(site(settings())) as client:
        yield client


async def signs_in(client: httpx.AsyncClient, password: str = PASSWORD, email: str = "alice@district.example", **more):
    return await client.post("/auth/sign-in", data={"email": email, "password": password}, **more)


async def living(town: Town) -> int:
    async with town.wired.db.reading() as session:
        return await session.scalar(select(func.count()).where(col(Session.ended_at).is_(None))) or 0


async def test_signing_in_sets_a_cookie_that_no_script_reads(visitor: httpx.AsyncClient) -> None:
    answer = await signs_in(visitor)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=lax" in said
    assert "path=/" in said
    assert answer.headers["cache-control"] == "no-store"


async def test_behind_tls_the_cookie_is_secure_and_browsers_come_back_by_tls_alone(town: Town) -> None:
    public = "https://inbox.district.example"
    async with browser(site(settings(public_url=public)), public) as client:
        answer = await signs_in(client)
    assert "secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert "wss://inbox.district.example" in answer.headers["content-security-policy"]


async def test_a_form_from_elsewhere_is_refused(visitor: httpx.AsyncClient, town: Town) -> None:
    await signs_in(visitor)
    for origin_said in (ELSEWHERE, "null", "", HERE + ".evil.example"):
        for form in ("sign-in", "sign-out", "sign-out-everywhere"):
            typed = {"email": town.email("alice"), "password": PASSWORD}
            answer = await visitor.post(f"/auth/{form}", data=typed, headers={"origin": origin_said})
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers
    assert await living(town) == 1


async def test_a_form_that_does_not_say_where_it_comes_from_is_refused(passer_by: httpx.AsyncClient) -> None:
    del passer_by.headers["origin"]
    assert (await signs_in(passer_by)).status_code == 403


async def test_nothing_says_whether_an_account_exists(visitor: httpx.AsyncClient) -> None:
    known, unknown = await signs_in(visitor, "wrong"), await signs_in(visitor, "wrong", "nobody@district.example")
    assert known.headers["location"] == unknown.headers["location"]
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)


async def test_signing_in_leads_back_to_the_page_that_was_asked_for(visitor: httpx.AsyncClient) -> None:
    referer = f"{HERE}/sign-in?next=%2Fmessages%2Fpersonal%2F12"
    wrong = await signs_in(visitor, "wrong", headers={"referer": referer})
    assert wrong.headers["location"] == "/sign-in?problem=wrong&next=%2Fmessages%2Fpersonal%2F12"
    answer = await signs_in(visitor, headers={"referer": HERE + wrong.headers["location"]})
    assert answer.headers["location"] == "/messages/personal/12"


@pytest.mark.parametrize(
    "asked", ["/messages/personal/12", "/settings", "/admin", "/admin/schools/groups/5", "/oversight", "/oversight/5"]
)
def test_signing_in_leads_back_to_every_kind_of_page(asked: str) -> None:
    assert page_or_home(asked) == asked


@pytest.mark.parametrize(
    "asked",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/messages/../x",
        "/messages\r\nx: y",
        "/messages\n",
        "javascript:alert(1)",
        "/auth/sign-out",
        "",
        "/messages/a/b/c",
        "/admin/a/b/c/d",
        "/district",
    ],
)
def test_signing_in_leads_nowhere_else(asked: str) -> None:
    assert page_or_home(asked) == "/"


async def test_another_sites_address_in_next_leads_home(visitor: httpx.AsyncClient) -> None:
    referer = str(httpx.URL(f"{HERE}/sign-in", params={"next": "//evil.example"}))
    assert (await signs_in(visitor, headers={"referer": referer})).headers["location"] == "/"


async def test_who_is_signed_in_is_led_on_from_the_sign_in_page(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.get("/sign-in")).status_code == 200
    await signs_in(visitor)
    assert (await visitor.get("/sign-in")).headers["location"] == "/"
    assert (await visitor.get("/sign-in/?next=/settings")).headers["location"] == "/settings"
    await visitor.post("/auth/sign-out")
    assert (await visitor.get("/sign-in")).status_code == 200


async def test_signing_in_again_ends_the_session_before(visitor: httpx.AsyncClient, town: Town) -> None:
    await signs_in(visitor)
    await signs_in(visitor)
    assert await living(town) == 1


async def test_signing_out_ends_the_session_and_the_cookie(visitor: httpx.AsyncClient, town: Town) -> None:
    await signs_in(visitor)
    answer = await visitor.post("/auth/sign-out")
    assert answer.headers["location"] == "/sign-in"
    assert visitor.cookies.get(SESSION_COOKIE) is None
    assert await living(town) == 0


async def test_signing_out_everywhere_ends_every_session(visitor: httpx.AsyncClient, town: Town) -> None:
    async with browser(site(settings())) as second:
        await signs_in(second)
        await signs_in(visitor)
        await visitor.post("/auth/sign-out-everywhere")
        assert await living(town) == 0


async def test_without_the_database_signing_in_and_out_end_in_a_sentence(
    visitor: httpx.AsyncClient, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signs_in(visitor)
    kind = type(town.wired.services.sessions)

    async def away(*_, **__):
        raise Unavailable("away")

    for name in ("sign_in", "sign_out", "look_up"):
        monkeypatch.setattr(kind, name, away)
    assert (await signs_in(visitor)).headers["location"].startswith("/sign-in?problem=away")
    assert (await visitor.get("/sign-in")).status_code == 200
    everywhere = await visitor.post("/auth/sign-out-everywhere")
    assert (everywhere.status_code, "still signed in" in everywhere.text) == (503, True)
    assert visitor.cookies.get(SESSION_COOKIE)
    await visitor.post("/auth/sign-out")
    assert visitor.cookies.get(SESSION_COOKIE) is None


async def test_a_form_that_is_none_is_a_wrong_password(visitor: httpx.AsyncClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"\xff\xfe", b"email=%00&password=%00", b"email=%ed%a0%80&password=x", b"x" * 100_000, b"a=1&" * 500):
        answer = await visitor.post("/auth/sign-in", content=body, headers=form)
        assert answer.headers["location"].startswith("/sign-in?problem=w"), body


async def test_a_form_without_an_end_is_not_read_to_it(visitor: httpx.AsyncClient) -> None:
    read = 0

    async def endless():
        nonlocal read
        while read < 5_000_000:
            read += 4096
            yield b"x" * 4096

    assert (await visitor.post("/auth/sign-in", content=endless())).status_code == 303
    assert read < 100_000


async def test_a_lone_content_length_that_is_no_number_is_harmless(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/auth/sign-in", content=b"a=b", headers={"content-length": "many"})
    assert answer.status_code == 303


async def test_failures_make_the_account_wait(visitor: httpx.AsyncClient) -> None:
    for _ in range(FAILURES_FOR_FREE):
        await signs_in(visitor, "wrong")
    assert "problem=wait" in (await signs_in(visitor)).headers["location"]


@pytest.mark.parametrize(
    ("hops", "forwarded", "seen"),
    [
        (0, "1.2.3.4", "10.0.0.1"),
        (1, "1.2.3.4", "1.2.3.4"),
        (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (2, "6.6.6.6, 1.2.3.4, 5.5.5.5", "1.2.3.4"),
        (2, "1.2.3.4", "10.0.0.1"),
        (1, "", "10.0.0.1"),
    ],
)
def test_a_request_comes_from_where_our_own_proxies_saw_it(hops: int, forwarded: str, seen: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())]
    request = Request({"type": "http", "headers": headers, "client": ("10.0.0.1", 1)})
    assert sign_in.client_address(request, hops) == seen


async def test_failures_are_counted_where_they_come_from(town: Town) -> None:
    async with browser(site(settings(trusted_proxy_hops=1))) as client:
        await signs_in(client, "wrong", headers={"x-forwarded-for": "6.6.6.6, 1.2.3.4"})
    async with town.wired.db.reading() as session:
        assert await session.scalar(select(col(SignInFailure.address))) == "1.2.3.4"


def test_an_address_by_tls_means_one_proxy_unless_told_otherwise() -> None:
    assert settings().proxy_hops == 0
    assert settings(public_url="https://x.example").proxy_hops == 1
    assert settings(public_url="https://x.example", trusted_proxy_hops=0).proxy_hops == 0


async def test_the_address_of_a_form_loaded_again_leads_to_the_page(passer_by: httpx.AsyncClient) -> None:
    assert (await passer_by.get("/auth/sign-in")).headers["location"] == "/sign-in"


@pytest.mark.parametrize("path", ["/", "/missing", "/broken", "/sign-in", "/auth/sign-in", "/assets/x.js", "/_upload"])
async def test_every_answer_carries_the_security_headers(passer_by: httpx.AsyncClient, path: str) -> None:
    headers = (await passer_by.get(path)).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/", "no-store"),
        ("/messages/personal/12", "no-store"),
        ("/assets/page-1a2b.js", IMMUTABLE),
        ("/assets/missing.js", "no-store"),
        ("/tp-inbox.css", "no-store"),
        ("/logo.svg", "public, max-age=3600"),
    ],
)
async def test_pages_are_never_kept_and_files_named_by_content_always(
    passer_by: httpx.AsyncClient, path: str, kept: str
) -> None:
    assert (await passer_by.get(path)).headers["cache-control"] == kept


@pytest.mark.parametrize("path", sorted(CLOSED))
async def test_what_reflex_brings_along_and_nobody_needs_is_closed(passer_by: httpx.AsyncClient, path: str) -> None:
    for method in ("GET", "POST"):
        assert (await passer_by.request(method, path)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/settings",
        "/settings/",
        "/sign-in",
        "/admin",
        "/admin/staff",
        "/admin/staff/7",
        "/admin/roles/new/",
        "/admin/schools/groups/5",
        "/oversight/5",
    ],
)
async def test_a_page_is_there_with_a_slash_and_without(passer_by: httpx.AsyncClient, path: str) -> None:
    answer = await passer_by.get(path)
    assert (answer.status_code, answer.text) == (200, path.rstrip("/") + "/")


def test_a_trial_is_reached_by_both_names_of_the_loopback() -> None:
    assert allowed_origins(settings()) == ["http://127.0.0.1:3000", "http://localhost:3000"]
    assert "http://localhost:3000" in allowed_origins(settings(host="0.0.0.0"))
    assert "http://[::1]:3000" in allowed_origins(settings(host="::1"))


def test_a_public_address_allows_itself_alone() -> None:
    assert allowed_origins(settings(host="10.1.2.3", public_url="https://x.example/inbox")) == ["https://x.example"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://X.example:443/inbox", "https://x.example"),
        ("http://x.example:80", "http://x.example"),
        ("https://x.example:8443", "https://x.example:8443"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_origin_is_said_as_browsers_say_it(address: str, said: str) -> None:
    assert origin(address) == said


@pytest.mark.parametrize(
    "query", ["", "token=", "token=a&token=b", "token=" + "x" * 65, "token=a%00b-12345", "token=../../etc", "other=1"]
)
def test_a_socket_names_one_tab_in_our_form(query: str) -> None:
    assert not is_token(query)
    assert is_token("token=449c4914-3d3c-476f-dcab-3ac1fd620b96&EIO=4")


@pytest.mark.parametrize("value", ["1", 1, 0, 2**53 - 1, "-5"])
def test_a_number_comes_as_a_number_or_as_its_digits(value: object) -> None:
    require_fit({"n": value}, {"n": int})


@pytest.mark.parametrize("value", ["", "1.0", "1e3", "٣", " 1", True, None, 2**53, "9" * 16, 1.0])
def test_nothing_else_is_a_number(value: object) -> None:
    with pytest.raises(Invalid):
        require_fit({"n": value}, {"n": int})


def test_an_annotation_that_is_not_known_is_refused_until_somebody_says_what_fits() -> None:
    with pytest.raises(Invalid):
        require_fit({"n": [1]}, {"n": list[int]})


def test_what_no_database_holds_is_left_out() -> None:
    assert storable("a\0b\ud800c é 😀") == "abc é 😀"


async def test_a_session_of_yesterday_is_not_led_on(visitor: httpx.AsyncClient, town: Town) -> None:
    await signs_in(visitor)
    async with town.wired.db.transaction() as session:
        await session.execute(update(Session).values(used_at=utc_now() - timedelta(days=2)))
    assert (await visitor.get("/sign-in")).status_code == 200
