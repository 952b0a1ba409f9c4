"""What is written into the audit log, and with it: who, on whom, from where, and at whose schools it is read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlmodel import col

from tests.cast import PASSWORD, Town
from tests.services.steps import LINCOLN, ROOSEVELT, change, message, report_on, rows, send, the
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.domain.errors import Invalid
from tp_inbox.services import audit, passwords
from tp_inbox.services.sessions import FAILURES_FOR_FREE
from tp_inbox.storage.tables import AuditEntry, Number, Staff

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


async def told(town: Town) -> list[tuple[AuditKind, int | None, int | None]]:
    return [(row.kind, row.actor_id, row.subject_id) for row in await rows(town, AuditEntry)]


async def record(town: Town, **more: Any) -> AuditEntry:
    async with town.wired.db.transaction() as session:
        return await audit.record(session, AuditKind.PERSON_CHANGED, await town.actor("diana"), **more)


async def sign_in(town: Town, email: str, password: str = PASSWORD, address: str = HERE) -> str:
    with audit.coming_from(address):
        return (await town.wired.services.sessions.sign_in(email, password, address, "Firefox")).token


async def guess(town: Town, email: str, address: str = HERE) -> None:
    with pytest.raises(Invalid):
        await sign_in(town, email, "wrong", address)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def verify(password: str, hashed: str | None) -> bool:
        return password == PASSWORD and hashed is not None

    monkeypatch.setattr(passwords, "verify", verify)


class TestRecording:
    async def test_an_entry_names_who_on_whom_and_where_that_person_works(self, town: Town) -> None:
        with audit.coming_from(HERE):
            await record(town, subject=town.staff["nora"], names={"title": "nurse"})
        kept = await the(town, AuditEntry)
        assert (kept.actor_id, kept.subject_id, kept.address) == (town.staff["diana"], town.staff["nora"], HERE)
        assert kept.schools == sorted(town.schools.values())
        assert kept.names.keys() == {"actor", "subject", "title", "salt"}
        assert (kept.names["actor"], kept.names["subject"]) == ("Diana Drew", "Nora Nash")

    async def test_schools_that_are_named_are_the_ones_that_read_it(self, town: Town) -> None:
        await record(town, subject=town.staff["nora"], schools=[town.schools[LINCOLN]])
        assert (await the(town, AuditEntry)).schools == [town.schools[LINCOLN]]

    async def test_what_the_server_does_has_nobodys_address(self, town: Town) -> None:
        await record(town)
        assert (await the(town, AuditEntry)).address == audit.ON_THE_SERVER

    async def test_the_address_of_one_request_is_not_that_of_the_next(self) -> None:
        with audit.coming_from(HERE), audit.coming_from(ELSEWHERE):
            assert audit.origin.get() == ELSEWHERE
        assert audit.origin.get() == audit.ON_THE_SERVER

    async def test_it_is_undone_with_what_it_tells(self, town: Town) -> None:
        async def fails() -> None:
            async with town.wired.db.transaction() as session:
                await audit.record(session, AuditKind.EXPORTED, None)
                raise Invalid("no")

        with pytest.raises(Invalid):
            await fails()
        assert await told(town) == []

    @pytest.mark.parametrize("where", ["facts", "before", "after"])
    async def test_a_fraction_is_refused_before_it_is_written(self, town: Town, where: str) -> None:
        with pytest.raises(TypeError):
            await record(town, **{where: {"share": 0.5}})
        assert await told(town) == []


class TestSigningIn:
    async def test_signing_in_and_out_is_told_with_the_address(self, town: Town) -> None:
        token = await sign_in(town, town.email("alice"))
        await town.wired.services.sessions.sign_out(token)
        await town.wired.services.sessions.sign_out(token)
        alice = town.staff["alice"]
        assert await told(town) == [(AuditKind.SIGNED_IN, alice, alice), (AuditKind.SIGNED_OUT, alice, alice)]
        first, _ = await rows(town, AuditEntry)
        assert (first.address, first.schools) == (HERE, [town.schools[LINCOLN]])

    async def test_signing_out_everywhere_says_how_many_sessions_ended(self, town: Town) -> None:
        for _ in range(2):
            await sign_in(town, town.email("alice"))
        await town.wired.services.sessions.sign_out_everywhere(await town.actor("alice"))
        last = (await rows(town, AuditEntry))[-1]
        assert (last.kind, last.facts) == (AuditKind.SIGNED_OUT, {"everywhere": True, "sessions": 2})

    async def test_a_failure_at_an_account_is_told_on_that_account(self, town: Town, quick: None) -> None:
        await guess(town, town.email("charlie"))
        kept = await the(town, AuditEntry)
        assert (kept.kind, kept.actor_id, kept.subject_id) == (
            AuditKind.SIGN_IN_FAILED,
            None,
            town.staff["charlie"],
        )
        assert (kept.schools, kept.address) == ([town.schools[ROOSEVELT]], HERE)

    async def test_a_deactivated_account_is_told_too(self, town: Town, quick: None) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["bob"], active=False)
        with pytest.raises(Invalid):
            await sign_in(town, town.email("bob"))
        assert await told(town) == [(AuditKind.SIGN_IN_FAILED, None, town.staff["bob"])]

    async def test_what_was_typed_for_an_unknown_account_is_kept_nowhere(self, town: Town, quick: None) -> None:
        await guess(town, "my-secret-password@district.example")
        kept = await the(town, AuditEntry)
        assert (kept.subject_id, kept.schools, kept.facts) == (None, [], {})
        assert "secret" not in str(kept)
        assert kept.names.keys() == {"salt"}

    async def test_a_flood_at_one_account_is_one_more_entry(self, town: Town, quick: None) -> None:
        for _ in range(FAILURES_FOR_FREE):
            await guess(town, town.email("alice"))
        await asyncio.gather(*(guess(town, town.email("alice"), f"198.51.100.{n}") for n in range(8)))
        kept = await rows(town, AuditEntry)
        assert len(kept) == FAILURES_FOR_FREE + 1
        assert kept[-1].facts == {"too_many": True}
        assert kept[-1].subject_id == town.staff["alice"]

    async def test_a_flood_from_one_address_at_unknown_accounts_is_one_more_entry(
        self, town: Town, quick: None
    ) -> None:
        for _ in range(FAILURES_FOR_FREE + 6):
            await guess(town, "nobody@district.example")
        assert len(await rows(town, AuditEntry)) == FAILURES_FOR_FREE + 1
        await guess(town, "nobody@district.example", ELSEWHERE)
        assert len(await rows(town, AuditEntry)) == FAILURES_FOR_FREE + 2


class TestNumbers:
    async def test_a_number_that_is_bought_is_told_on_its_owner(self, town: Town) -> None:
        await send(town, "bob", await town.personal("bob"))
        await town.wired.numbers.buy_wanted()
        kept = await the(town, AuditEntry)
        number = await the(town, Number, col(Number.staff_id) == town.staff["bob"])
        assert (kept.kind, kept.actor_id, kept.subject_id) == (AuditKind.NUMBER_CHANGED, None, town.staff["bob"])
        assert (kept.facts, kept.names["number"]) == ({"number": number.id, "change": "bought"}, number.e164)

    async def test_a_number_that_nobody_sells_is_told_once(self, town: Town) -> None:
        town.gateway.sells_nothing("The account is closed.")
        await send(town, "bob", await town.personal("bob"))
        await town.wired.numbers.buy_wanted()
        kept = await the(town, AuditEntry)
        assert (kept.facts["change"], kept.names["problem"]) == ("not_bought", "The account is closed.")

    async def test_a_number_of_a_school_that_is_stopped_is_told_at_that_school(self, town: Town) -> None:
        text = await message(town, (await send(town, "alice", await town.school())).id)
        await town.wired.dispatching.hand_over_due()
        text = await message(town, text.id)
        report = report_on(text, DeliveryState.UNDELIVERED, FailureReason.SENDER_NOT_READY, "21606")
        for _ in range(2):
            await town.wired.reporting.report(report)
        kept = await the(town, AuditEntry)
        assert (kept.facts["change"], kept.facts["school"], kept.schools) == (
            "stopped",
            town.schools[LINCOLN],
            [town.schools[LINCOLN]],
        )
