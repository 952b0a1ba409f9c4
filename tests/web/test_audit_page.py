"""The audit log on the screen, and as a file from its address."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlmodel import col
from starlette.applications import Starlette

from tests.cast import PASSWORD, Town
from tests.services.steps import LINCOLN, revoke, rows, the
from tests.services.test_audit_log import aged, entry, given, holds_only
from tests.web.harness import Stage, Tab
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.services import audit_log
from tp_inbox.services.audit_log import NO_DAY
from tp_inbox.services.changes import Change, ChangeKind
from tp_inbox.settings import Settings
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import announce
from tp_inbox.storage.tables import AuditEntry
from tp_inbox.web.cookies import SESSION_COOKIE
from tp_inbox.web.routes import exports, sign_in
from tp_inbox.web.routes.origin import with_origin
from tp_inbox.web.states.audit_page import BACKWARDS, AuditPage

HERE = "http://127.0.0.1:3000"
FILE = "/exports/audit.csv"


def shown(tab: Tab) -> list[str]:
    return [f"{line['who']} {line['sentence']}" for line in tab.var(AuditPage, "lines")]


class TestThePage:
    async def test_a_district_admin_reads_sentences(self, stage: Stage) -> None:
        await given(stage.town)
        diana = await stage.tab("diana", "/admin/audit")
        assert "Diana Drew gave Bob Brown the role Nurse at Lincoln Middle School" in shown(diana)
        assert diana.var(AuditPage, "file") == f"{FILE}?"

    @pytest.mark.parametrize("who", ["bob", "vera"])
    async def test_without_the_permission_there_is_a_sentence_and_nothing_else(self, stage: Stage, who: str) -> None:
        await given(stage.town)
        tab = await stage.tab(who, "/admin/audit")
        assert "may view the audit log" in tab.var(AuditPage, "refused")
        for handler, arguments in (
            (AuditPage.search, ["Bob"]),
            (AuditPage.narrow, ["group", "roles"]),
            (AuditPage.begin, ["2021-03-01"]),
            (AuditPage.end, ["2021-04-09"]),
            (AuditPage.look_for, ["Diaz"]),
            (AuditPage.older, []),
            (AuditPage.refresh, []),
        ):
            await tab.call(handler, *arguments)
        assert shown(tab) == []
        assert not {"Dora", "Diaz", "Nurse"} & set(tab.seen.replace('"', " ").split())

    async def test_it_is_narrowed_and_widened_with_chips(self, stage: Stage) -> None:
        await given(stage.town)
        await entry(stage.town, AuditKind.SIGNED_OUT, "alice", "alice")
        diana = await stage.tab("diana", "/admin/audit")
        everything = shown(diana)
        await diana.call(AuditPage.narrow, "group", "roles")
        await diana.call(AuditPage.narrow, "person", str(stage.town.staff["bob"]))
        await diana.call(AuditPage.narrow, "school", str(stage.town.schools[LINCOLN]))
        assert [chip["label"] for chip in diana.var(AuditPage, "chips")] == ["Roles", "Bob Brown", LINCOLN]
        assert shown(diana) == ["Diana Drew gave Bob Brown the role Nurse at Lincoln Middle School"]
        assert f"person={stage.town.staff['bob']}" in diana.var(AuditPage, "file")
        await diana.call(AuditPage.widen, "group")
        assert [chip["what"] for chip in diana.var(AuditPage, "chips")] == ["person", "school"]
        await diana.call(AuditPage.clear)
        assert shown(diana) == everything

    async def test_a_period_has_two_ends_and_its_chips_say_them(self, stage: Stage) -> None:
        await given(stage.town)
        diana = await stage.tab("diana", "/admin/audit")
        await diana.call(AuditPage.begin, "2021-03-01")
        await diana.call(AuditPage.end, "2021-04-09")
        assert [chip["label"] for chip in diana.var(AuditPage, "chips")] == ["From Mar 1, 2021", "To Apr 9, 2021"]
        assert shown(diana) == []

    async def test_a_period_that_ends_before_it_begins_is_told(self, stage: Stage) -> None:
        await given(stage.town)
        diana = await stage.tab("diana", "/admin/audit")
        await diana.call(AuditPage.begin, "2021-04-09")
        await diana.call(AuditPage.end, "2021-04-09")
        assert diana.var(AuditPage, "period_problem") == ""
        await diana.call(AuditPage.end, "2021-04-08")
        assert diana.var(AuditPage, "period_problem") == BACKWARDS
        await diana.call(AuditPage.widen, "until")
        assert diana.var(AuditPage, "period_problem") == ""

    async def test_words_are_searched_and_people_offered(self, stage: Stage) -> None:
        await given(stage.town)
        diana = await stage.tab("diana", "/admin/audit")
        await diana.call(AuditPage.search, "nurse bob")
        assert len(shown(diana)) == 1
        await diana.call(AuditPage.look_for, "cha")
        assert [p["name"] for p in diana.var(AuditPage, "people")] == ["Charlie Clark"]

    @pytest.mark.parametrize(
        ("what", "value", "said"),
        [
            ("since", "yesterday", NO_DAY),
            ("until", "9999-12-31", NO_DAY),
            ("group", "x", "no such"),
            ("person", "999", ""),
        ],
    )
    async def test_what_cannot_be_asked_changes_nothing(self, stage: Stage, what: str, value: str, said: str) -> None:
        diana = await stage.tab("diana", "/admin/audit")
        before = shown(diana)
        answer = await diana.call(AuditPage.narrow, what, value)
        assert answer.says(said)
        assert diana.var(AuditPage, "chips") == []
        await diana.call(AuditPage.refresh)
        assert shown(diana) == before

    async def test_pages_go_back_in_time_and_forth(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(audit_log, "ENTRIES_A_PAGE", 2)
        ids = [await entry(stage.town, AuditKind.EXPORTED) for _ in range(5)]
        diana = await stage.tab("diana", "/admin/audit")
        await diana.call(AuditPage.narrow, "group", "exports")
        seen = [[line["id"] for line in diana.var(AuditPage, "lines")]]
        for _ in range(2):
            await diana.call(AuditPage.older)
            seen.append([line["id"] for line in diana.var(AuditPage, "lines")])
        assert seen == [ids[:2:-1], ids[2:0:-1], ids[:1]]
        assert not diana.var(AuditPage, "more")
        await diana.call(AuditPage.newer)
        assert [line["id"] for line in diana.var(AuditPage, "lines")] == seen[1]

    async def test_an_address_leads_to_what_concerns_one_person(self, stage: Stage) -> None:
        await given(stage.town)
        diana = await stage.tab("diana", f"/admin/audit/person/{stage.town.staff['bob']}")
        assert [chip["label"] for chip in diana.var(AuditPage, "chips")] == ["Bob Brown"]
        assert shown(diana)[0].startswith("Diana Drew gave Bob Brown")

    @pytest.mark.parametrize("rest", ["person", "person/x", "person/999", "person/1/2", "role/1", "person/²"])
    async def test_an_address_that_leads_nowhere_says_so(self, stage: Stage, rest: str) -> None:
        diana = await stage.tab("diana", f"/admin/audit/{rest}")
        assert diana.var(AuditPage, "refused")
        assert not diana.var(AuditPage, "lines")

    async def test_somebody_from_another_school_is_not_there(self, stage: Stage) -> None:
        dora = await stage.tab("dora", f"/admin/audit/person/{stage.town.staff['charlie']}")
        assert "does not exist" in dora.var(AuditPage, "refused")

    async def test_without_export_there_is_no_file(self, stage: Stage) -> None:
        await holds_only(stage.town, "alice", "view_audit_log")
        alice = await stage.tab("alice", "/admin/audit")
        assert alice.var(AuditPage, "file") in ("", None)

    async def test_an_open_log_closes_with_the_permission(self, stage: Stage) -> None:
        await given(stage.town)
        dora = await stage.tab("dora", "/admin/audit")
        assert shown(dora)
        await revoke(stage.town, "dora")
        async with stage.town.wired.db.transaction() as session:
            await announce(session, Change(ChangeKind.ACCESS, staff=stage.town.staff["dora"]))
        await stage.hears()
        assert shown(dora) == []
        assert "may view the audit log" in dora.var(AuditPage, "refused")

    async def test_each_line_knows_when_the_one_above_it_was(self, stage: Stage) -> None:
        older, newer = await entry(stage.town), await entry(stage.town)
        await aged(stage.town, older, utc_now().replace(year=2025))
        diana = await stage.tab("diana", "/admin/audit")
        first, *_, last = diana.var(AuditPage, "lines")
        assert (first["id"], first["above"], last["id"]) == (newer, "", older)
        assert last["above"] > last["at"]


@pytest.fixture
async def browser(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(trusted_proxy_hops=0)
    site = with_origin(0)(Starlette(routes=[*exports.routes(), *sign_in.routes(settings)]))
    transport = httpx.ASGITransport(site, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url=HERE, headers={"origin": HERE}) as client:
        yield client


async def signs_in(browser: httpx.AsyncClient, town: Town, who: str) -> None:
    form = {"email": town.email(who), "password": PASSWORD}
    await browser.post("/auth/sign-in", data=form)
    assert browser.cookies.get(SESSION_COOKIE)


class TestTheFile:
    async def test_it_is_a_download_that_nothing_keeps(self, town: Town, browser: httpx.AsyncClient) -> None:
        await given(town)
        await signs_in(browser, town, "diana")
        answer = await browser.get(f"{FILE}?group=roles&person={town.staff['bob']}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-disposition"].startswith('attachment; filename="audit-log-2')
        lines = answer.text.splitlines()
        assert len(lines) == 2
        assert "gave Bob Brown the role Nurse at Lincoln Middle School" in lines[1]

    async def test_the_log_tells_of_it_with_the_address(self, town: Town, browser: httpx.AsyncClient) -> None:
        await signs_in(browser, town, "diana")
        await browser.get(FILE)
        told = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.EXPORTED)
        assert (told.actor_id, told.address) == (town.staff["diana"], "192.0.2.7")
        signed_in = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.SIGNED_IN)
        assert signed_in.address == "192.0.2.7"

    async def test_nobody_gets_it_without_having_signed_in(self, town: Town, browser: httpx.AsyncClient) -> None:
        for cookie in ("", "wrong"):
            browser.cookies.set(SESSION_COOKIE, cookie)
            answer = await browser.get(FILE)
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/admin/audit")
        assert await rows(town, AuditEntry) == []

    async def test_nobody_gets_it_after_signing_out(self, town: Town, browser: httpx.AsyncClient) -> None:
        await signs_in(browser, town, "diana")
        token = browser.cookies[SESSION_COOKIE]
        await browser.post("/auth/sign-out")
        browser.cookies.set(SESSION_COOKIE, token)
        assert (await browser.get(FILE)).status_code == 303

    @pytest.mark.parametrize("who", ["bob", "vera"])
    async def test_without_the_permissions_there_is_a_sentence(
        self, town: Town, browser: httpx.AsyncClient, who: str
    ) -> None:
        await signs_in(browser, town, who)
        answer = await browser.get(FILE)
        assert (answer.status_code, answer.text) == (
            403,
            "Only people who may view the audit log and export from it can do this.",
        )

    async def test_another_site_cannot_start_it(self, town: Town, browser: httpx.AsyncClient) -> None:
        await signs_in(browser, town, "diana")
        answer = await browser.get(FILE, headers={"sec-fetch-site": "cross-site"})
        assert answer.status_code == 403
        assert await rows(town, AuditEntry, col(AuditEntry.kind) == AuditKind.EXPORTED) == []

    @pytest.mark.parametrize(
        "query", ["person=x", "person=²", "school=-1", "person=" + "9" * 40, "group=x", "since=x", "until=9999-12-31"]
    )
    async def test_an_odd_question_is_refused(self, town: Town, browser: httpx.AsyncClient, query: str) -> None:
        await signs_in(browser, town, "diana")
        assert (await browser.get(f"{FILE}?{query}")).status_code == 400

    async def test_odd_words_find_nothing(self, town: Town, browser: httpx.AsyncClient) -> None:
        await signs_in(browser, town, "diana")
        for words in ("%00", "%F0%9F", "%25", "' OR 1=1 --"):
            assert (await browser.get(f"{FILE}?words=zzz{words}")).status_code == 200
