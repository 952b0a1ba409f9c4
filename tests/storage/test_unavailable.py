"""A database that is away, busy, or handed what it cannot hold: a sentence, and never a raw exception."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from tests.cast import Town
from tests.fakes import FakeGateway
from tests.services.steps import add, send, text_from, until_waiting
from tp_inbox.demo.homes import Owner, temporary_folder
from tp_inbox.demo.postgres import Cluster
from tp_inbox.domain.errors import Invalid, Refusal, Unavailable
from tp_inbox.services.ports import RequestKind, SignedRequest
from tp_inbox.settings import Settings
from tp_inbox.storage import database, locks, migrate
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import FamilyPhone, InboundRequest, Staff
from tp_inbox.wiring import wire


@pytest.mark.parametrize(
    "address",
    [
        "nobody:x@127.0.0.1:1/none",
        "nobody:x@/none?host=/nowhere/at/all",
        "nobody:x@no-such-host.invalid/none",
    ],
)
async def test_nobody_listens_there(address: str) -> None:
    db = Database(f"postgresql+asyncpg://{address}")
    for way in (db.reading, db.transaction, db.connection):
        with pytest.raises(Unavailable, match="cannot be reached"):
            async with way() as session:
                await session.execute(text("SELECT 1"))
    with pytest.raises(Unavailable):
        await db.ping()
    with pytest.raises(Unavailable):
        async with locks.held(db, "a job"):
            pytest.fail("nothing holds a lock there")
    await db.close()


@pytest.mark.parametrize("wrong", [r"//\w+:", r"/test_\d+"])
async def test_a_wrong_user_or_database_is_the_same_answer(database_url: str, wrong: str) -> None:
    db = Database(re.sub(wrong, lambda found: found[0][:-1] + "x" + found[0][-1], database_url))
    with pytest.raises(Unavailable):
        await db.ping()
    await db.close()


async def test_a_statement_that_takes_too_long_is_ended(town: Town) -> None:
    db = Database(town.wired.db.url, statement_milliseconds=50)
    with pytest.raises(Unavailable, match="very busy"):
        async with db.reading() as session:
            await session.execute(text("SELECT pg_sleep(5)"))
    await db.ping()
    await db.close()


async def test_who_waits_too_long_for_a_lock_is_told(town: Town) -> None:
    db = Database(town.wired.db.url, statement_milliseconds=50)
    async with town.wired.db.transaction() as session:
        await session.scalars(select(FamilyPhone).with_for_update())
        with pytest.raises(Unavailable, match="very busy"):
            async with db.transaction() as other:
                await other.scalars(select(FamilyPhone).with_for_update())
    await db.close()


async def test_when_every_connection_is_taken_one_is_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "CONNECT_SECONDS", 0.05)
    db = Database(town.wired.db.url, pool_size=1)
    async with db.connection() as one, db.connection() as other:
        await asyncio.gather(one.execute(text("SELECT 1")), other.execute(text("SELECT 1")))
        with pytest.raises(Unavailable, match="very busy"):
            await db.ping()
    await db.close()


async def test_two_who_wait_in_a_circle_are_untangled(town: Town) -> None:
    phones = sorted(town.phones.values())[:2]
    entered = asyncio.Barrier(2)

    async def lock(order: list[int]) -> None:
        async with town.wired.db.transaction() as session:
            await session.get_one(FamilyPhone, order[0], with_for_update=True)
            await entered.wait()
            await session.get_one(FamilyPhone, order[1], with_for_update=True)

    results = await asyncio.gather(lock(phones), lock(phones[::-1]), return_exceptions=True)
    assert sorted(type(r).__name__ for r in results) == ["NoneType", "Unavailable"]


async def test_a_connection_that_was_cut_is_a_sentence_and_the_next_one_works(town: Town) -> None:
    db = Database(town.wired.db.url)
    await db.ping()
    with pytest.raises(Unavailable, match="cannot be reached"):
        async with db.transaction() as session:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    await db.ping()
    await db.close()


@pytest.mark.parametrize("value", [2**70, -(2**70)])
async def test_an_id_that_no_column_holds_is_refused(town: Town, value: int) -> None:
    with pytest.raises(Invalid):
        async with town.wired.db.reading() as session:
            await session.get(Staff, value)


@pytest.mark.parametrize("value", ["a\x00b", "a\ud800b"])
async def test_words_that_no_column_holds_are_refused(town: Town, value: str) -> None:
    with pytest.raises(Invalid):
        async with town.wired.db.reading() as session:
            await session.execute(select(Staff).where(col(Staff.name) == value))


async def test_an_error_of_ours_keeps_its_kind_and_quotes_no_row(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    email, name = town.email("alice"), "Alice " + "Adams"
    with pytest.raises(IntegrityError) as caught:
        await add(town, Staff(email=email, name=name, signature=""))
    logging.getLogger("x").error("failed", exc_info=caught.value)
    assert "uq_staff_email" in caplog.text
    assert email not in caplog.text
    assert name not in caplog.text


async def test_what_fails_in_the_block_passes_through(town: Town) -> None:
    with pytest.raises(ZeroDivisionError):
        async with town.wired.db.transaction():
            raise ZeroDivisionError


async def test_of_two_workers_one_holds_the_lock_and_the_other_gets_it_afterwards(town: Town) -> None:
    other = Database(town.wired.db.url)
    held = locks.held
    async with (
        held(town.wired.db, "a job") as ours,
        held(other, "a job") as theirs,
        held(other, "another job") as free,
    ):
        assert (ours, theirs, free) == (True, False, True)
    async with locks.held(other, "a job") as theirs:
        assert theirs
    await other.close()


class TestStopped:
    """A server that stops in the middle of things, and comes back."""

    @pytest.fixture
    async def folder(self) -> AsyncIterator[Path]:
        with temporary_folder(Owner.for_this_process()) as folder:
            yield folder

    async def test_every_service_says_so_and_goes_on_when_it_is_back(self, folder: Path) -> None:
        cluster = Cluster(folder / "data", durable=False)
        with cluster.running() as server:
            server.create_database("app")
            await asyncio.to_thread(migrate.upgrade, server.url("app"))
            settings = Settings(database_url=server.url("app"), twilio_auth_token=SecretStr("x"))
            wired = wire(settings, FakeGateway())
            await wired.db.ping()
        for attempt in (
            wired.services.sessions.sign_in("a@b.example", "a long enough password", "127.0.0.1", ""),
            wired.services.sessions.look_up("token", own_act=True),
            wired.receiving.receive(text_from()),
            wired.dispatching.hand_over_due(),
            wired.polling.poll(),
            wired.numbers.buy_wanted(),
        ):
            with pytest.raises(Refusal):
                await attempt
        with cluster.running():
            await wired.db.ping()
            await wired.receiving.receive(text_from())
        await wired.close()

    async def test_what_the_carrier_brings_meanwhile_waits_on_the_spool_and_arrives_afterwards(
        self, folder: Path
    ) -> None:
        cluster = Cluster(folder / "data", durable=False)
        with cluster.running() as server:
            server.create_database("app")
            await asyncio.to_thread(migrate.upgrade, server.url("app"))
            settings = Settings(database_url=server.url("app"), spool_dir=folder / "spool")
            wired = wire(settings, FakeGateway())
            await wired.db.ping()
        for n in range(3):
            form = (("MessageSid", f"SM{n}"), ("From", "+12025550142"), ("To", "+12025550101"), ("Body", str(n)))
            await wired.intake.take(SignedRequest(RequestKind.INBOUND, form, "", datetime.now(UTC)))
        with pytest.raises(Unavailable):
            await wired.db.ping()
        assert wired.intake.spool.waiting() == 3
        with cluster.running():
            await wired.intake.replay()
            await wired.intake.replay()
            assert not wired.intake.spool.holds_any()
            async with wired.db.reading() as session:
                stored = await session.scalars(select(InboundRequest).order_by(col(InboundRequest.id)))
                assert [(row.sid, row.source) for row in stored] == [(f"SM{n}", "spool") for n in range(3)]
            await wired.close()


async def test_a_send_that_loses_its_database_says_so_and_the_same_key_repeats_it_safely(town: Town) -> None:
    thread, key = await town.personal("alice"), uuid4()
    async with town.wired.db.transaction() as session:
        await session.scalars(select(FamilyPhone).with_for_update())
        sending = asyncio.create_task(send(town, "alice", thread, key=key))
        await until_waiting(town, 1)
        waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        await session.execute(text(waiting))
        with pytest.raises(Unavailable):
            await sending
    first = await send(town, "alice", thread, key=key)
    assert (await send(town, "alice", thread, key=key)).id == first.id
