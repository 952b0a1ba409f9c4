"""The doors of an invitation, and the screens on which people are invited, leave and come back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from sqlmodel import col
from starlette.applications import Starlette

from tests.cast import ROSA, Town
from tests.services.steps import BOBS_NUMBER, LINCOLN, change, give_number, receive, rows, the
from tests.web.harness import Stage, Tab
from tests.web.test_doors import ELSEWHERE, HERE, browser
from tp_inbox.domain.access import Place, PlaceKind
from tp_inbox.services.account_links import EXPIRED, TAKEN, USED, Newcomer
from tp_inbox.services.leaving import Plan
from tp_inbox.services.sessions import FAILURES_FOR_FREE
from tp_inbox.settings import Settings
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import AccountLink, Role, Session, Staff
from tp_inbox.storage.tables.staff import SessionStage
from tp_inbox.web.cookies import SESSION_COOKIE
from tp_inbox.web.routes import welcome
from tp_inbox.web.states.account import AccountState
from tp_inbox.web.states.inbox import InboxState
from tp_inbox.web.states.invite_page import InvitePage
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.thread import ThreadState

FRESH = "seven quiet herons"


@pytest.fixture
async def visitor(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    routes = welcome.routes(Settings(twilio_auth_token=SecretStr("x")))
    async with browser(Starlette(routes=routes)) as client:
        yield client


async def invitation(town: Town) -> str:
    """The token of Ana's."""
    role = await the(town, Role, col(Role.name) == "Nurse")
    place = Place(PlaceKind.SCHOOL, town.schools[LINCOLN])
    people = [Newcomer("Ana Ames", "ana@district.example")]
    (link,) = await town.wired.services.account_links.invite(await town.actor("diana"), people, role.id, place)
    return link.url.partition("#")[2]


async def accept(client: httpx.AsyncClient, token: str, password: str = FRESH, **more) -> httpx.Response:
    return await client.post("/auth/welcome/accept", data={"token": token, "password": password}, **more)


class TestDoors:
    async def test_the_page_learns_whose_account_it_is_and_nothing_more(
        self, visitor: httpx.AsyncClient, town: Town
    ) -> None:
        answer = await visitor.post("/auth/welcome", data={"token": await invitation(town)})
        assert answer.json() == {
            "name": "Ana Ames",
            "email": "ana@district.example",
            "schools": [LINCOLN],
            "invites": True,
        }

    async def test_with_a_password_one_has_a_session_that_no_script_reads(
        self, visitor: httpx.AsyncClient, town: Town
    ) -> None:
        answer = await accept(visitor, await invitation(town))
        assert (answer.status_code, answer.json()) == (200, {"to": "/"})
        assert "httponly" in answer.headers["set-cookie"].lower()
        token = answer.cookies[SESSION_COOKIE]
        found = await town.wired.services.sessions.look_up(token, own_act=False)
        assert found is not None
        assert found.actor.name == "Ana Ames"

    async def test_whose_role_demands_a_second_step_is_led_to_it(self, visitor: httpx.AsyncClient, town: Town) -> None:
        await change(town, Role, col(Role.name) == "Nurse", two_step_required=True)
        answer = await accept(visitor, await invitation(town))
        assert answer.json()["to"].startswith("/sign-in/set-up")
        assert (await the(town, Session)).stage is SessionStage.ENROL

    async def test_a_session_that_this_browser_had_ends(self, visitor: httpx.AsyncClient, town: Town) -> None:
        sessions = town.wired.services.sessions
        before = await sessions.sign_in(town.email("alice"), "correct horse battery", "192.0.2.1", "")
        visitor.cookies.set(SESSION_COOKIE, before.token)
        await accept(visitor, await invitation(town))
        assert await sessions.look_up(before.token, own_act=False) is None

    @pytest.mark.parametrize("origin", [ELSEWHERE, "null", "", HERE + ".evil.example"])
    async def test_another_site_learns_and_does_nothing(
        self, visitor: httpx.AsyncClient, town: Town, origin: str
    ) -> None:
        token = await invitation(town)
        for path in ("/auth/welcome", "/auth/welcome/accept"):
            form = {"token": token, "password": FRESH}
            answer = await visitor.post(path, data=form, headers={"origin": origin})
            assert (answer.status_code, "Ana" in answer.text) == (403, False)
        assert (await the(town, AccountLink)).used_at is None

    async def test_what_does_not_work_says_why(self, visitor: httpx.AsyncClient, town: Town) -> None:
        token = await invitation(town)
        weak = await accept(visitor, token, "short")
        assert (weak.status_code, weak.json()["over"]) == (422, False)
        await accept(visitor, token)
        used = await accept(visitor, token)
        assert (used.status_code, used.json()) == (410, {"problem": USED, "over": True})
        await change(town, AccountLink, used_at=None, expires_at=utc_now())
        assert (await accept(visitor, token)).json()["problem"] == EXPIRED

    @pytest.mark.parametrize(
        "form", [{}, {"token": ""}, {"token": "\x00\ud800x"}, {"token": "x" * 50_000}, {"password": FRESH}]
    )
    async def test_garbage_is_no_link(self, visitor: httpx.AsyncClient, form: dict[str, str]) -> None:
        body = "&".join(f"{k}={v}" for k, v in form.items()).encode(errors="replace")
        kind = {"content-type": "application/x-www-form-urlencoded"}
        for path in ("/auth/welcome", "/auth/welcome/accept"):
            answer = await visitor.post(path, content=body, headers=kind)
            assert answer.status_code in (410, 422)

    async def test_guessing_has_to_wait(self, visitor: httpx.AsyncClient) -> None:
        answers = [await visitor.post("/auth/welcome", data={"token": "guess"}) for _ in range(FAILURES_FOR_FREE + 1)]
        assert [a.status_code for a in answers] == [410] * FAILURES_FOR_FREE + [422]
        assert "wait" in answers[-1].json()["problem"]

    async def test_reading_a_link_by_its_address_alone_answers_nothing(self, visitor: httpx.AsyncClient) -> None:
        assert (await visitor.get("/auth/welcome")).status_code == 405


class TestInviting:
    async def choose(self, tab: Tab, role: str = "Nurse") -> None:
        roles = tab.var(InvitePage, "roles")
        await tab.call(InvitePage.choose_role, next(r["id"] for r in roles if r["name"] == role))
        await tab.call(InvitePage.choose_place, f"school:{tab.stage.town.schools[LINCOLN]}")

    async def test_an_admin_gets_the_link_and_the_person_is_in_the_list(self, stage: Stage) -> None:
        tab = await stage.tab("diana", "/admin/staff/new")
        await self.choose(tab)
        await tab.call(InvitePage.invite, {"name": "Ana Ames", "email": "ana@district.example", "title": ""})
        (link,) = tab.var(InvitePage, "links")
        assert "/welcome#" in link["url"]
        assert (await the(stage.town, Staff, col(Staff.name) == "Ana Ames")).email == "ana@district.example"

    async def test_without_a_role_nobody_is_invited(self, stage: Stage) -> None:
        tab = await stage.tab("diana", "/admin/staff/new")
        await tab.call(InvitePage.invite, {"name": "Ana Ames", "email": "ana@district.example"})
        assert "choose a role" in tab.var(InvitePage, "problem")
        assert len(await rows(stage.town, Staff)) == len(stage.town.staff)

    async def test_a_principal_has_her_school_chosen_already_and_learns_of_no_other(self, stage: Stage) -> None:
        tab = await stage.tab("dora", "/admin/staff/new")
        await self.choose(tab)
        assert [p["name"] for p in tab.var(InvitePage, "places")] == [LINCOLN]
        assert "District Admin" not in [r["name"] for r in tab.var(InvitePage, "roles")]
        await tab.call(InvitePage.invite, {"name": "X", "email": "charlie@district.example"})
        assert (tab.var(InvitePage, "problem"), tab.var(InvitePage, "taken_id") or 0) == (TAKEN, 0)
        assert "Charlie" not in tab.seen

    async def test_several_are_looked_at_and_the_good_ones_invited(self, stage: Stage) -> None:
        tab = await stage.tab("diana", "/admin/staff/new")
        await self.choose(tab)
        await tab.call(InvitePage.look, "Ana Ames, ana@district.example\nBob, bob@district.example")
        assert [bool(line["problem"]) for line in tab.var(InvitePage, "lines")] == [False, True]
        await tab.call(InvitePage.invite_several)
        assert [link["name"] for link in tab.var(InvitePage, "links")] == ["Ana Ames"]

    async def test_who_manages_nobody_sees_a_sentence_and_gets_nothing(self, stage: Stage) -> None:
        tab = await stage.tab("alice", "/admin/staff/new")
        assert "manage staff" in tab.var(InvitePage, "refused")
        await tab.call(InvitePage.look, "Bob, bob@district.example")
        assert "Bob Brown" not in tab.seen


class TestLeaving:
    async def on_page_of(self, stage: Stage, who: str, whom: str = "bob") -> Tab:
        return await stage.tab(who, f"/admin/staff/{stage.town.staff[whom]}")

    async def test_the_successors_open_browser_shows_the_conversation(self, stage: Stage) -> None:
        town = stage.town
        await give_number(town, "bob", BOBS_NUMBER)
        await receive(town, "Hello Bob", to=BOBS_NUMBER)
        alice = await stage.tab("alice", "/messages/personal")
        assert not alice.var(InboxState, "rows")
        diana = await self.on_page_of(stage, "diana")
        await diana.call(AccountState.ask_to_deactivate)
        assert diana.var(AccountState, "departure")["open"] == 1
        await diana.call(AccountState.find_successor, "alice")
        await diana.call(AccountState.choose_successor, town.staff["alice"])
        await diana.call(AccountState.deactivate, {"reply": ""})
        await stage.hears()
        assert [row["title"] for row in alice.var(InboxState, "rows")] == ["Rosa Lopez"]
        assert alice.var(ShellState, "tabs")["personal_unread"] == 1
        await alice.goes_to(f"/messages/personal/{await town.personal('alice', ROSA)}")
        assert [(m["text"], m["owner"]) for m in alice.var(ThreadState, "rows")] == [("Hello Bob", "Bob Brown")]
        assert diana.var(AccountState, "absence")["successor"] == "Alice Adams"

    async def test_an_automatic_reply_shows_in_the_thread_and_not_in_the_list(self, stage: Stage) -> None:
        town = stage.town
        await give_number(town, "bob", BOBS_NUMBER)
        await receive(town, "Hello Bob", to=BOBS_NUMBER)
        plan = Plan(town.staff["alice"], auto_reply="Bob is no longer here.")
        await town.wired.services.leaving.deactivate(await town.actor("diana"), town.staff["bob"], plan)
        alice = await stage.tab("alice", f"/messages/personal/{await town.personal('alice', ROSA)}")
        await receive(town, "Are you there?", to=BOBS_NUMBER)
        await stage.hears()
        assert [row["preview"] for row in alice.var(InboxState, "moved")] == ["Are you there?"]
        tail = alice.var(ThreadState, "tail")
        assert [(m["text"], m["author"]) for m in tail] == [
            ("Are you there?", ""),
            ("Bob is no longer here.", "Automatic reply"),
        ]
        assert [m["turn"] for m in tail] == ["own", ""]

    async def test_the_browser_of_whoever_leaves_is_shown_out(self, stage: Stage) -> None:
        bob = await stage.tab("bob", "/messages/personal")
        diana = await self.on_page_of(stage, "diana")
        await diana.call(AccountState.ask_to_deactivate)
        await diana.call(AccountState.deactivate, {"reply": ""})
        await stage.hears()
        assert bob.answer.shows_out

    async def test_a_reset_link_is_shown_once_and_not_after_coming_back_to_another_page(self, stage: Stage) -> None:
        diana = await self.on_page_of(stage, "diana")
        await diana.call(AccountState.ask_for_link)
        assert (diana.var(AccountState, "asking"), diana.var(AccountState, "fresh")) == (True, None)
        await diana.call(AccountState.make_link)
        assert not diana.var(AccountState, "asking")
        assert "/welcome#" in diana.var(AccountState, "fresh")["url"]
        await diana.goes_to(f"/admin/staff/{stage.town.staff['alice']}")
        assert diana.var(AccountState, "fresh") is None

    @pytest.mark.parametrize("who", ["alice", "charlie", "vera"])
    async def test_who_manages_nobody_does_nothing_to_anybody(self, stage: Stage, who: str) -> None:
        tab = await self.on_page_of(stage, who)
        before = await stage.counts()
        for handler, *arguments in (
            (AccountState.make_link,),
            (AccountState.ask_to_deactivate,),
            (AccountState.find_successor, "a"),
            (AccountState.choose_successor, stage.town.staff["alice"]),
            (AccountState.deactivate, {"reply": str(uuid4())}),
            (AccountState.reactivate,),
        ):
            await tab.call(handler, *arguments)
        assert await stage.counts() == before
        assert "Rosa" not in tab.seen
