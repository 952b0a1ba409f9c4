"""Who is let in because a provider vouches for them, and who stays outside."""

from __future__ import annotations

import asyncio

import pytest
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import LINCOLN, change, rows, the
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import NotAllowed, NotFound
from tp_inbox.services.identities import ConnectedElsewhere, NoAccount, NoAddress, NotActive, VouchedFor
from tp_inbox.services.sessions import NewSession
from tp_inbox.storage.tables import AuditEntry, ExternalIdentity, Session, Staff

ISSUER, HERE = "https://id.district.example", "192.0.2.1"


def vouched(email: str = "", subject: str = "7", issuer: str = ISSUER) -> VouchedFor:
    return VouchedFor(issuer, subject, email, second_step_done=False)


async def comes(town: Town, who: VouchedFor) -> NewSession:
    return await town.wired.services.identities.sign_in(who, HERE, "Firefox")


async def test_a_confirmed_address_links_and_the_log_names_no_address(town: Town) -> None:
    await comes(town, vouched(town.email("alice")))
    assert (await the(town, ExternalIdentity)).staff_id == town.staff["alice"]
    linked = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.IDENTITY_LINKED)
    assert (linked.subject_id, linked.facts) == (town.staff["alice"], {"issuer": ISSUER})
    assert (linked.names["identity"], linked.names["subject"]) == ("7", "Alice Adams")


async def test_who_is_known_needs_no_address(town: Town) -> None:
    await comes(town, vouched(town.email("alice")))
    await comes(town, vouched())
    assert [row.staff_id for row in await rows(town, Session)] == [town.staff["alice"]] * 2


async def test_the_same_name_at_another_issuer_is_somebody_else(town: Town) -> None:
    await comes(town, vouched(town.email("alice")))
    await comes(town, vouched(town.email("bob"), issuer="https://another.example"))
    assert [row.staff_id for row in await rows(town, Session)] == [town.staff["alice"], town.staff["bob"]]


@pytest.mark.parametrize(
    ("email", "refusal"),
    [("", NoAddress), ("stranger@district.example", NoAccount), ("alice@district.example.evil", NoAccount)],
)
async def test_nobody_else_comes_in(town: Town, email: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        await comes(town, vouched(email))
    assert [*await rows(town, ExternalIdentity), *await rows(town, Session)] == []
    failed = await the(town, AuditEntry)
    assert (failed.kind, failed.subject_id, failed.facts) == (AuditKind.SIGN_IN_FAILED, None, {"issuer": ISSUER})
    assert "@" not in str(failed.names)


async def test_who_has_left_does_not_and_the_log_says_who_tried(town: Town) -> None:
    await change(town, Staff, col(Staff.id) == town.staff["alice"], active=False)
    with pytest.raises(NotActive):
        await comes(town, vouched(town.email("alice")))
    assert await rows(town, ExternalIdentity) == []
    failed = await the(town, AuditEntry)
    assert (failed.kind, failed.subject_id) == (AuditKind.SIGN_IN_FAILED, town.staff["alice"])
    assert failed.schools == [town.schools[LINCOLN]]


async def test_ten_sign_ins_at_once_link_once(town: Town) -> None:
    opened = await asyncio.gather(*(comes(town, vouched(town.email("alice"))) for _ in range(10)))
    assert len({session.token for session in opened}) == 10
    assert len(await rows(town, ExternalIdentity)) == 1


async def test_an_address_that_is_given_to_somebody_else_takes_over_no_account(town: Town) -> None:
    await comes(town, vouched(town.email("alice")))
    with pytest.raises(ConnectedElsewhere):
        await comes(town, vouched(town.email("alice"), subject="8"))
    assert [row.subject for row in await rows(town, ExternalIdentity)] == ["7"]
    assert len(await rows(town, Session)) == 1
    failed = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.SIGN_IN_FAILED)
    assert (failed.subject_id, failed.facts) == (town.staff["alice"], {"issuer": ISSUER})


class TestDisconnecting:
    async def linked(self, town: Town) -> int:
        await comes(town, vouched(town.email("alice")))
        return (await the(town, ExternalIdentity)).id

    async def disconnects(self, town: Town, who: str, identity: int, whose: str = "alice") -> None:
        await town.wired.services.identities.disconnect(await town.actor(who), town.staff[whose], identity)

    async def test_an_admin_disconnects_and_the_person_is_signed_out(self, town: Town) -> None:
        await self.disconnects(town, "diana", await self.linked(town))
        assert await rows(town, ExternalIdentity) == []
        assert (await the(town, Session)).ended_at is not None
        entry = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.IDENTITY_UNLINKED)
        assert (entry.actor_id, entry.subject_id) == (town.staff["diana"], town.staff["alice"])
        assert (entry.facts, entry.names["subject"]) == ({"issuer": ISSUER}, "Alice Adams")

    async def test_then_another_sign_in_there_may_be_connected(self, town: Town) -> None:
        await self.disconnects(town, "diana", await self.linked(town))
        await comes(town, vouched(town.email("alice"), subject="8"))
        assert (await the(town, ExternalIdentity)).subject == "8"

    @pytest.mark.parametrize("who", ["bob", "alice"])
    async def test_nobody_else_does(self, town: Town, who: str) -> None:
        identity = await self.linked(town)
        with pytest.raises(NotAllowed):
            await self.disconnects(town, who, identity)
        assert len(await rows(town, ExternalIdentity)) == 1

    async def test_an_admin_does_not_disconnect_themself(self, town: Town) -> None:
        await comes(town, vouched(town.email("diana")))
        with pytest.raises(NotAllowed):
            await self.disconnects(town, "diana", (await the(town, ExternalIdentity)).id, whose="diana")

    async def test_what_is_another_persons_is_not_found(self, town: Town) -> None:
        identity = await self.linked(town)
        with pytest.raises(NotFound):
            await self.disconnects(town, "diana", identity, whose="bob")
        assert len(await rows(town, ExternalIdentity)) == 1
