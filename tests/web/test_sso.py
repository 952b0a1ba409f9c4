"""Single sign-on against a real OpenID provider on the loopback, obedient and not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from sqlmodel import col
from starlette.applications import Starlette

from tests.cast import Town
from tests.oidc import CLIENT_ID, CLIENT_SECRET, OpenIdServer, Person, another_key, running_provider
from tests.product import free_port
from tests.services.steps import add, change, rows, the
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.settings import BadSettings, IdentityProvider, Settings
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import (
    AccountLink,
    AuditEntry,
    ExternalIdentity,
    Role,
    SecondStep,
    Session,
    Staff,
)
from tp_inbox.storage.tables.staff import LinkPurpose, SessionStage
from tp_inbox.web import sso as client
from tp_inbox.web.cookies import SESSION_COOKIE
from tp_inbox.web.routes import sso
from tp_inbox.web.routes.sso import FLOW_COOKIE
from tp_inbox.web.sso import Failed, Provider, vouched_address

HERE = "http://127.0.0.1:3000"
KEY = "a key that is long enough for the tests"


@pytest.fixture(scope="module")
def server() -> Iterator[OpenIdServer]:
    with running_provider() as running:
        yield running


@pytest.fixture
def provider(server: OpenIdServer) -> OpenIdServer:
    server.behaves()
    return server


def settings(issuer: str, **given: Any) -> Settings:
    return Settings(
        oidc_name="District ID",
        oidc_issuer=issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=SecretStr(CLIENT_SECRET),
        secret_key=SecretStr(KEY),
        **given,
    )


def browser(issuer: str, **given: Any) -> httpx.AsyncClient:
    app = Starlette(routes=sso.routes(settings(issuer, **given)))
    base = given.get("public_url", HERE)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)


@pytest.fixture
async def visitor(town: Town, provider: OpenIdServer) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(provider.issuer) as opened:
        yield opened


async def goes_out(visitor: httpx.AsyncClient, asked: str = "/settings") -> str:
    """The address at which the provider sends the browser back."""
    out = await visitor.get("/auth/sso/oidc", params={"next": asked})
    assert out.status_code == 303
    async with httpx.AsyncClient() as elsewhere:
        return (await elsewhere.get(out.headers["location"])).headers["location"]


async def signs_in(visitor: httpx.AsyncClient, asked: str = "/settings") -> httpx.Response:
    return await visitor.get(await goes_out(visitor, asked))


def problem(answer: httpx.Response) -> str:
    return httpx.URL(answer.headers["location"]).params.get("problem", "")


async def written(town: Town) -> list[Any]:
    return [*await rows(town, ExternalIdentity), *await rows(town, Session), *await rows(town, AuditEntry)]


async def failed_alone(town: Town) -> bool:
    """Nothing is written but that somebody tried."""
    return [getattr(row, "kind", None) for row in await written(town)] == [AuditKind.SIGN_IN_FAILED]


class TestWhoComesIn:
    async def test_who_has_an_account_comes_in_and_is_known_from_then_on(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        answer = await signs_in(visitor)
        assert answer.headers["location"] == "/settings"
        assert "httponly" in answer.headers["set-cookie"].lower()
        found = await town.wired.services.sessions.look_up(visitor.cookies[SESSION_COOKIE], own_act=False)
        assert found is not None
        assert found.actor.name == "Alice Adams"
        linked = await the(town, ExternalIdentity)
        assert (linked.staff_id, linked.issuer) == (town.staff["alice"], provider.issuer)
        kinds = {entry.kind for entry in await rows(town, AuditEntry)}
        assert AuditKind.IDENTITY_LINKED in kinds

    async def test_the_second_time_links_nothing_new(self, town: Town, visitor: httpx.AsyncClient) -> None:
        await signs_in(visitor)
        await signs_in(visitor)
        assert len(await rows(town, ExternalIdentity)) == 1
        ended = [row.ended_at is not None for row in await rows(town, Session)]
        assert ended == [True, False]

    async def test_nobody_else_comes_in(self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer) -> None:
        provider.person = Person("stranger", "stranger@district.example")
        assert problem(await signs_in(visitor)) == "no-account"
        assert await failed_alone(town)

    async def test_somebody_who_has_left_does_not(self, town: Town, visitor: httpx.AsyncClient) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["alice"], active=False)
        assert problem(await signs_in(visitor)) == "not-active"
        assert await failed_alone(town)

    async def test_somebody_known_who_has_left_does_not(self, town: Town, visitor: httpx.AsyncClient) -> None:
        await signs_in(visitor)
        await change(town, Staff, col(Staff.id) == town.staff["alice"], active=False)
        assert problem(await signs_in(visitor)) == "not-active"

    @pytest.mark.parametrize("verified", [False, None, "false", 0, "yes"])
    async def test_an_address_that_the_provider_does_not_answer_for_is_none(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer, verified: Any
    ) -> None:
        provider.person = Person(verified=verified)
        assert problem(await signs_in(visitor)) == "no-address"
        assert await failed_alone(town)

    async def test_an_identity_stays_with_its_person_whatever_their_addresses_become(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        await signs_in(visitor)
        provider.person = Person(email=town.email("bob"))
        await change(town, Staff, col(Staff.id) == town.staff["alice"], email="new@district.example")
        await signs_in(visitor)
        assert {row.staff_id for row in await rows(town, Session)} == {town.staff["alice"]}
        assert [row.staff_id for row in await rows(town, ExternalIdentity)] == [town.staff["alice"]]

    async def test_another_identity_there_with_the_same_address_does_not_come_in(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        provider.person = Person("one", town.email("alice").upper())
        assert problem(await signs_in(visitor)) == ""
        provider.person = Person("two", town.email("alice").upper())
        assert problem(await signs_in(visitor)) == "connected-elsewhere"
        assert [row.subject for row in await rows(town, ExternalIdentity)] == ["one"]

    async def test_a_person_may_come_by_two_providers(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        elsewhere = ExternalIdentity(
            staff_id=town.staff["alice"], issuer="https://accounts.google.com", subject="another"
        )
        await add(town, elsewhere)
        assert problem(await signs_in(visitor)) == ""
        assert [row.staff_id for row in await rows(town, ExternalIdentity)] == [town.staff["alice"]] * 2

    async def test_an_invitation_is_accepted_by_it_and_its_link_ends(
        self, town: Town, visitor: httpx.AsyncClient
    ) -> None:
        invitation = AccountLink(
            staff_id=town.staff["alice"], purpose=LinkPurpose.INVITATION, token_digest=b"x", expires_at=utc_now()
        )
        await add(town, invitation)
        await signs_in(visitor)
        assert (await the(town, AccountLink)).ended_at is not None
        assert AuditKind.INVITATION_ACCEPTED in {entry.kind for entry in await rows(town, AuditEntry)}

    async def test_an_address_that_only_the_user_info_tells_will_do(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        provider.wrong.claims = {"email": None, "email_verified": None}
        await signs_in(visitor)
        assert "/userinfo" in provider.asked
        assert (await the(town, ExternalIdentity)).staff_id == town.staff["alice"]

    async def test_the_second_step_is_asked_for_afterwards(self, town: Town, visitor: httpx.AsyncClient) -> None:
        await add(town, SecondStep(staff_id=town.staff["alice"], secret=b"x", confirmed_at=utc_now()))
        assert (await signs_in(visitor)).headers["location"] == "/sign-in/code?next=%2Fsettings"
        assert (await the(town, Session)).stage is SessionStage.CODE

    async def test_it_is_set_up_where_a_role_demands_it(self, town: Town, visitor: httpx.AsyncClient) -> None:
        await change(town, Role, two_step_required=True)
        assert (await signs_in(visitor)).headers["location"] == "/sign-in/set-up?next=%2Fsettings"

    async def test_unless_the_provider_has_asked_for_one(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        await change(town, Role, two_step_required=True)
        provider.person = Person(more={"amr": ["pwd", "mfa"]})
        assert (await signs_in(visitor)).headers["location"] == "/settings"

    @pytest.mark.parametrize("amr", ["mfa", ["pwd"], [["mfa"]], {"mfa": True}, None])
    async def test_and_says_so_in_the_form_of_the_standard(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer, amr: Any
    ) -> None:
        await change(town, Role, two_step_required=True)
        provider.person = Person(more={"amr": amr})
        assert (await signs_in(visitor)).headers["location"].startswith("/sign-in/set-up")


OLD = {"iat": int(time.time()) - 3600}
WRONG_CLAIMS = {
    "the nonce of another sign-in": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "made for somebody else": {"aud": "another-client"},
    "made for nobody": {"aud": None},
    "made for several, and not said for whom": {"aud": [CLIENT_ID, "another"]},
    "made for another party": {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "asked for by another party": {"azp": "another"},
    "expired": {"exp": int(time.time()) - 3600},
    "without an end": {"exp": None},
    "an end that is none": {"exp": "tomorrow"},
    "issued tomorrow": {"iat": int(time.time()) + 86_400, "exp": int(time.time()) + 90_000},
    "issued long ago": OLD,
    "not said when": {"iat": None},
    "of another issuer": {"iss": "https://accounts.google.com"},
    "of no issuer": {"iss": None},
    "about nobody": {"sub": None},
    "about an empty name": {"sub": ""},
    "about a number": {"sub": 7},
}


class TestMisbehaving:
    @pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
    async def test_a_token_that_is_wrong_is_refused(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer, claims: dict[str, Any]
    ) -> None:
        provider.wrong.claims = claims
        assert problem(await signs_in(visitor)) == "provider"
        assert await written(town) == []

    async def test_a_token_that_nobody_signed_is_refused(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        provider.wrong.unsigned = True
        assert problem(await signs_in(visitor)) == "provider"
        assert await written(town) == []

    async def test_a_token_that_somebody_else_signed_is_refused(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        provider.wrong.signed_by = another_key()
        assert problem(await signs_in(visitor)) == "provider"
        assert await written(town) == []

    async def test_a_key_that_is_replaced_is_asked_for(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        await signs_in(visitor)
        provider.rotates_its_key()
        assert problem(await signs_in(visitor)) == ""
        assert provider.asked.count("/keys") == 2
        provider.rotates_its_key()
        assert problem(await signs_in(visitor)) == "provider"
        assert provider.asked.count("/keys") == 2

    @pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys"])
    async def test_a_provider_that_is_down_ends_in_a_sentence(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer, path: str
    ) -> None:
        provider.wrong.answers = {path: 503}
        out = await visitor.get("/auth/sso/oidc")
        if path.startswith("/."):
            assert problem(out) == "down"
            return
        async with httpx.AsyncClient() as elsewhere:
            back = (await elsewhere.get(out.headers["location"])).headers["location"]
        assert problem(await visitor.get(back)) == "down"
        assert await written(town) == []

    async def test_a_provider_that_is_not_there_ends_in_a_sentence(self, town: Town) -> None:
        async with browser(f"http://127.0.0.1:{free_port()}") as visitor:
            assert problem(await visitor.get("/auth/sso/oidc")) == "down"

    @pytest.mark.parametrize(
        "described",
        [
            {"issuer": "https://accounts.google.com"},
            {"token_endpoint": "http://10.0.0.1/token"},
            {"jwks_uri": "file:///etc/passwd"},
            {"authorization_endpoint": None},
            {"userinfo_endpoint": "http://169.254.169.254/latest"},
        ],
    )
    async def test_a_provider_that_leads_elsewhere_is_not_followed(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer, described: dict[str, Any]
    ) -> None:
        provider.wrong.described = described
        assert problem(await visitor.get("/auth/sso/oidc")) == "provider"

    async def test_user_info_about_somebody_else_is_refused(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        provider.wrong.claims = {"email": None, "sub": "another"}
        assert problem(await signs_in(visitor)) == "provider"
        assert await written(town) == []


class TestComingBack:
    async def test_who_cancels_is_back_on_the_sign_in_page(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        provider.wrong.error = "access_denied"
        answer = await signs_in(visitor)
        assert answer.headers["location"] == "/sign-in?problem=cancelled&next=%2Fsettings"
        provider.wrong.error = "server_error"
        assert problem(await signs_in(visitor)) == "provider"

    async def test_another_state_is_refused(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        for state in ("another", "é"):
            provider.wrong.state = state
            assert problem(await signs_in(visitor)) == "expired"
        assert await written(town) == []

    async def test_the_same_answer_again_is_refused(self, town: Town, visitor: httpx.AsyncClient) -> None:
        back = await goes_out(visitor)
        await visitor.get(back)
        assert FLOW_COOKIE not in visitor.cookies
        assert problem(await visitor.get(back)) == "expired"
        assert len(await rows(town, Session)) == 1

    async def test_the_same_code_again_is_refused_by_the_provider(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        back = await goes_out(visitor)
        flow = visitor.cookies[FLOW_COOKIE]
        await visitor.get(back)
        visitor.cookies.set(FLOW_COOKIE, flow, domain="127.0.0.1", path="/auth/sso")
        assert problem(await visitor.get(back)) == "provider"
        assert len(await rows(town, Session)) == 1

    async def test_another_browser_cannot_go_on_with_it(
        self, town: Town, visitor: httpx.AsyncClient, provider: OpenIdServer
    ) -> None:
        back = await goes_out(visitor)
        async with browser(provider.issuer) as other:
            assert problem(await other.get(back)) == "expired"
            await goes_out(other)
            assert problem(await other.get(back)) == "expired"
        assert await written(town) == []

    async def test_a_flow_that_took_too_long_is_over(
        self, town: Town, visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        back = await goes_out(visitor)
        monkeypatch.setattr(sso, "WITHIN", -sso.WITHIN)
        assert problem(await visitor.get(back)) == "expired"

    async def test_an_answer_in_the_name_of_another_issuer_is_refused(
        self, town: Town, visitor: httpx.AsyncClient
    ) -> None:
        back = await goes_out(visitor)
        assert problem(await visitor.get(back + "&iss=https://evil.example")) == "provider"

    async def test_what_the_browser_carries_tells_it_nothing(self, town: Town, visitor: httpx.AsyncClient) -> None:
        out = await visitor.get("/auth/sso/oidc")
        carried = visitor.cookies[FLOW_COOKIE]
        assert httpx.URL(out.headers["location"]).params["state"] not in carried
        said = out.headers["set-cookie"].lower()
        assert "httponly" in said and "samesite=lax" in said and "max-age=600" in said and "path=/auth/sso" in said

    async def test_behind_tls_both_cookies_are_secure(self, town: Town, provider: OpenIdServer) -> None:
        async with browser(provider.issuer, public_url="https://texts.district.example") as visitor:
            out = await visitor.get("/auth/sso/oidc")
            assert "secure" in out.headers["set-cookie"].lower()
            back = httpx.URL(out.headers["location"]).params["redirect_uri"]
        assert back == "https://texts.district.example/auth/sso/oidc/callback"

    @pytest.mark.parametrize("asked", ["https://evil.example", "//evil.example", "/auth/sign-out", ""])
    async def test_it_leads_to_pages_of_ours_alone(self, town: Town, visitor: httpx.AsyncClient, asked: str) -> None:
        assert (await signs_in(visitor, asked)).headers["location"] == "/"

    async def test_a_provider_that_is_not_set_up_is_none(self, town: Town, visitor: httpx.AsyncClient) -> None:
        for path in ("/auth/sso/google", "/auth/sso/x", "/auth/sso/google/callback?code=1&state=2"):
            assert problem(await visitor.get(path)) in {"provider", "expired"}


class TestProviders:
    async def test_only_those_that_are_set_up_have_a_button(self, visitor: httpx.AsyncClient) -> None:
        assert (await visitor.get("/auth/providers")).json() == [{"key": "oidc", "name": "District ID"}]

    async def test_without_any_there_is_none(self) -> None:
        app = Starlette(routes=sso.routes(Settings()))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as visitor:
            assert (await visitor.get("/auth/providers")).json() == []

    @pytest.mark.parametrize(
        ("claims", "address"),
        [
            ({"email": "a@district.org", "email_verified": True, "hd": "district.org"}, "a@district.org"),
            ({"email": "a@gmail.com", "email_verified": True}, "a@gmail.com"),
            ({"email": "a@district.org", "email_verified": True}, ""),
            ({"email": "a@district.org", "email_verified": False, "hd": "district.org"}, ""),
        ],
    )
    def test_google_answers_for_its_own_addresses(self, claims: dict[str, Any], address: str) -> None:
        assert vouched_address("google", claims) == address

    @pytest.mark.parametrize(
        ("claims", "address"),
        [
            ({"preferred_username": "a@district.org", "email": "b@district.org"}, "a@district.org"),
            ({"email": "b@district.org", "email_verified": True}, ""),
            ({"preferred_username": "a@district.org", "idp": "https://sts.windows.net/another/"}, ""),
            ({"preferred_username": ["a@district.org"]}, ""),
        ],
    )
    def test_microsoft_answers_for_the_names_of_the_tenant(self, claims: dict[str, Any], address: str) -> None:
        assert vouched_address("microsoft", claims) == address

    def test_both_have_their_own_issuer(self) -> None:
        tenant = "11111111-2222-3333-4444-555555555555"
        secret = SecretStr("s")
        both = Settings(
            google_client_id="g",
            google_client_secret=secret,
            microsoft_tenant=tenant.upper(),
            microsoft_client_id="m",
            microsoft_client_secret=secret,
            secret_key=SecretStr(KEY),
        ).identity_providers
        assert [(each.key, each.issuer) for each in both] == [
            ("google", "https://accounts.google.com"),
            ("microsoft", f"https://login.microsoftonline.com/{tenant}/v2.0"),
        ]

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ({"google_client_id": "g"}, "GOOGLE_CLIENT_SECRET"),
            ({"oidc_client_id": "o", "oidc_client_secret": "s"}, "OIDC_ISSUER"),
            ({"oidc_issuer": "http://id.example"}, "https://"),
            ({"oidc_issuer": "ftp://127.0.0.1"}, "https://"),
            ({"microsoft_tenant": "common"}, "microsoft_tenant"),
            ({"secret_key": "short"}, "32 characters"),
            ({"secret_key": f"{KEY},short"}, "32 characters"),
        ],
    )
    def test_settings_that_cannot_work_are_refused_at_the_start(self, given: dict[str, str], sentence: str) -> None:
        with pytest.raises(ValidationError, match=sentence):
            Settings(**given)

    def test_a_provider_needs_the_servers_key(self) -> None:
        without = Settings(google_client_id="g", google_client_secret=SecretStr("s"))
        with pytest.raises(BadSettings, match="SECRET_KEY"):
            without.require_key_for_providers()

    async def test_a_provider_that_never_answers_is_given_up(
        self, provider: OpenIdServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client, "ANSWER_SECONDS", 0.0)
        with pytest.raises(Failed) as caught:
            await Provider(IdentityProvider("oidc", "X", provider.issuer, "c", "s"), HERE).begin("/")
        assert caught.value.problem == "down"
