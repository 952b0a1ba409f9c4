"""The chain over the audit log: what it covers, what it finds, and what it lets retention do."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings
from sqlalchemy import exc, text
from sqlmodel import col

from tests.cast import Town
from tests.domain.test_auditing import CONTENT
from tests.services.steps import add, rows, the
from tp_inbox import cli
from tp_inbox.domain import auditing
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid
from tp_inbox.services import audit, sealing
from tp_inbox.services.sealing import Report, Sealing
from tp_inbox.settings import settings
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import AuditEntry, AuditSeal


async def entry(town: Town, who: str = "diana", on: str = "bob", **more) -> AuditEntry:
    async with town.wired.db.transaction() as session:
        return await audit.record(session, AuditKind.ROLE_GIVEN, await town.actor(who), subject=town.staff[on], **more)


async def entries(town: Town, count: int) -> list[int]:
    return [(await entry(town, facts={"number": n})).id for n in range(count)]


async def sealed(town: Town, count: int) -> list[int]:
    """Entries under one seal."""
    ids = await entries(town, count)
    assert await Sealing(town.wired.db).seal() == count
    return ids


async def verify(town: Town, head: str = "") -> Report:
    return await Sealing(town.wired.db).verify(head)


async def tamper(town: Town, *statements: str) -> None:
    """As somebody does who owns the database: without its triggers."""
    async with town.wired.db.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await session.execute(text(statement))


async def problems(town: Town, *statements: str, head: str = "") -> list[str]:
    await tamper(town, *statements)
    return (await verify(town, head)).problems


class TestTheDatabase:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_entry SET address = 'elsewhere'",
            "UPDATE audit_entry SET kind = 'exported'",
            "UPDATE audit_entry SET actor_id = NULL",
            "UPDATE audit_entry SET facts = '{}'",
            'UPDATE audit_entry SET names = \'{"actor": "Bob Brown"}\'',
            "UPDATE audit_entry SET names = '{}', address = ''",
            "UPDATE audit_entry SET seal_id = NULL",
            "UPDATE audit_entry SET seal_id = seal_id + 1",
            "DELETE FROM audit_entry",
            "TRUNCATE audit_entry",
            "TRUNCATE audit_seal CASCADE",
            "DELETE FROM audit_seal",
            "UPDATE audit_seal SET digest = ''",
        ],
    )
    async def test_refuses_to_change_what_was_written(self, town: Town, statement: str) -> None:
        await sealed(town, 1)
        before = await rows(town, AuditEntry)
        with pytest.raises(exc.DBAPIError, match="append-only"):
            async with town.wired.db.transaction() as session:
                await session.execute(text(statement))
        assert await rows(town, AuditEntry) == before

    async def test_lets_an_entry_be_sealed_and_its_names_be_removed(self, town: Town) -> None:
        await sealed(town, 1)
        async with town.wired.db.transaction() as session:
            await session.execute(text("UPDATE audit_entry SET names = '{}'"))
        kept = await the(town, AuditEntry)
        assert (kept.names, kept.seal_id is not None, kept.actor_id) == ({}, True, town.staff["diana"])

    async def test_lets_no_two_seals_follow_the_same_one(self, town: Town) -> None:
        await sealed(town, 1)
        with pytest.raises(exc.IntegrityError, match="previous"):
            await add(town, AuditSeal(leaves=b"", previous=auditing.FIRST, digest=bytes(32)))

    @hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(content=CONTENT)
    def test_gives_back_what_it_was_given(self, database_url: str, content: dict) -> None:
        kept = asyncio.run(_through_jsonb(database_url, auditing.canonical(content).decode()))
        assert auditing.canonical(kept) == auditing.canonical(content)


async def _through_jsonb(url: str, content: str) -> dict:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.set_type_codec("jsonb", encoder=str, decoder=json.loads, schema="pg_catalog")
    try:
        return await connection.fetchval("SELECT $1::jsonb", content)
    finally:
        await connection.close()


class TestSealing:
    async def test_every_entry_is_under_one_seal(self, town: Town) -> None:
        ids = await sealed(town, 3)
        seal = await the(town, AuditSeal)
        assert {row.seal_id for row in await rows(town, AuditEntry)} == {seal.id}
        assert list(auditing.read_leaves(seal.leaves)) == ids
        assert seal.previous == auditing.FIRST
        assert await Sealing(town.wired.db).seal() == 0

    async def test_many_are_sealed_in_batches_that_follow_each_other(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sealing, "BATCH", 2)
        await sealed(town, 5)
        first, second, third = await rows(town, AuditSeal)
        assert (second.previous, third.previous) == (first.digest, second.digest)
        assert (await verify(town)).holds

    async def test_an_entry_that_is_committed_late_comes_under_a_later_seal(self, town: Town) -> None:
        async with town.wired.db.transaction() as session:
            late = await audit.record(session, AuditKind.EXPORTED, await town.actor("diana"))
            early = await entry(town)
            assert late.id < early.id
            assert await Sealing(town.wired.db).seal() == 1
        assert await Sealing(town.wired.db).seal() == 1
        assert (await the(town, AuditEntry, col(AuditEntry.id) == late.id)).seal_id == 2
        assert (await verify(town)).holds

    async def test_a_writer_does_not_wait_for_a_sealer_nor_for_another_writer(self, town: Town) -> None:
        await entries(town, 2)
        async with town.wired.db.transaction() as sealer, town.wired.db.transaction() as writer:
            await sealing._lock_chain(sealer)
            await sealer.execute(text("UPDATE audit_entry SET names = '{}'"))
            await audit.record(writer, AuditKind.EXPORTED, await town.actor("diana"))
            async with asyncio.timeout(10):
                await entry(town)

    async def test_two_sealers_at_once_make_one_chain(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealing, "BATCH", 3)
        await entries(town, 20)
        counts = await asyncio.gather(*(Sealing(town.wired.db).seal() for _ in range(4)))
        assert sum(counts) == 20
        report = await verify(town)
        assert (report.holds, report.entries, report.sealed, report.seals) == (True, 20, 20, 7)


class TestVerification:
    async def test_an_empty_log_holds(self, town: Town) -> None:
        assert await verify(town) == Report()

    async def test_it_counts_and_gives_the_digest_to_keep(self, town: Town) -> None:
        await sealed(town, 2)
        await entries(town, 1)
        report = await verify(town)
        digest = (await the(town, AuditSeal)).digest.hex()
        assert report == Report(entries=3, sealed=2, seals=1, head=digest)
        await Sealing(town.wired.db).seal()
        assert (await verify(town, digest)).holds
        assert (await verify(town, f" {digest.upper()}\n")).holds

    @pytest.mark.parametrize(
        "change",
        [
            "at = at + interval '1 microsecond'",
            "kind = 'role_taken'",
            "kind = 'no such kind'",
            "actor_id = subject_id",
            "subject_id = NULL",
            "schools = '{}'",
            "address = 'elsewhere'",
            "facts = '{\"number\": 2}'",
            "facts = '{\"number\": 1.0}'",
            "facts = '[]'",
            "before = '{\"a\": 1}'",
            "after = '{\"a\": 1}'",
            "names_digest = ''",
        ],
    )
    async def test_a_changed_entry_is_named(self, town: Town, change: str) -> None:
        _, second, _ = await sealed(town, 3)
        found = await problems(town, f"UPDATE audit_entry SET {change} WHERE id = {second}")
        assert found[0] == sealing.CHANGED.format(entry=second, seal=1)

    async def test_a_removed_entry_is_named(self, town: Town) -> None:
        _, second, _ = await sealed(town, 3)
        removed = sealing.REMOVED.format(entry=second, seal=1, sealed=3, there=2)
        assert await problems(town, f"DELETE FROM audit_entry WHERE id = {second}") == [removed]

    async def test_an_entry_that_was_put_into_an_old_seal_is_named(self, town: Town) -> None:
        await sealed(town, 2)
        (third,) = await entries(town, 1)
        inserted = sealing.INSERTED.format(entry=third, seal=1)
        assert await problems(town, f"UPDATE audit_entry SET seal_id = 1 WHERE id = {third}") == [inserted]

    async def test_an_entry_that_was_taken_out_of_its_seal_is_named(self, town: Town) -> None:
        first, _ = await sealed(town, 2)
        found = await problems(town, f"UPDATE audit_entry SET seal_id = NULL WHERE id = {first}")
        assert found == [sealing.REMOVED.format(entry=first, seal=1, sealed=2, there=1)]

    @pytest.mark.parametrize("names", ['{"actor": "Bob Brown"}', '{"actor": 1.5}'])
    async def test_changed_names_are_told_under_a_seal_and_before(self, town: Town, names: str) -> None:
        (first,) = await sealed(town, 1)
        (second,) = await entries(town, 1)
        found = await problems(town, f"UPDATE audit_entry SET names = '{names}'".replace(":", "\\:"))
        assert found == [sealing.RENAMED.format(entry=n) for n in (first, second)]

    async def test_names_that_vanished_without_a_trace_are_told(self, town: Town) -> None:
        await sealed(town, 2)
        found = await problems(town, "UPDATE audit_entry SET names = '{}'")
        assert found == [sealing.NAMES_LOST.format(lost=2, told=0)]

    @pytest.mark.parametrize("column", ["digest", "leaves"])
    async def test_a_changed_seal_is_told(self, town: Town, column: str) -> None:
        await sealed(town, 1)
        found = await problems(town, f"UPDATE audit_seal SET {column} = sha256({column})")
        assert found[0] == sealing.SEAL_CHANGED.format(seal=1)

    async def test_a_seal_that_was_taken_out_of_the_middle_breaks_the_chain(self, town: Town) -> None:
        for _ in range(3):
            await sealed(town, 1)
        found = await problems(town, "DELETE FROM audit_entry WHERE seal_id = 2", "DELETE FROM audit_seal WHERE id = 2")
        assert found == [sealing.BROKEN.format(seal=3)]

    async def test_a_seal_that_is_gone_is_told_by_its_entries(self, town: Town) -> None:
        await sealed(town, 1)
        _, last = await sealed(town, 1), (await sealed(town, 2))[0]
        found = await problems(town, "DELETE FROM audit_seal WHERE id = 3")
        assert found == [sealing.NO_SEAL.format(count=2, entry=last)]

    async def test_a_log_that_was_cut_at_its_end_lacks_the_digest_that_was_noted(self, town: Town) -> None:
        await sealed(town, 1)
        earlier = (await verify(town)).head
        await sealed(town, 1)
        noted = (await verify(town)).head
        cut = ("DELETE FROM audit_entry WHERE seal_id = 2", "DELETE FROM audit_seal WHERE id = 2")
        assert await problems(town, *cut) == []
        assert await problems(town, head=noted) == [sealing.HEAD_MISSING.format(head=noted)]
        assert await problems(town, head=earlier) == []

    async def test_a_log_that_was_written_anew_lacks_it_too(self, town: Town) -> None:
        await sealed(town, 2)
        noted = (await verify(town)).head
        await tamper(town, "DELETE FROM audit_seal", "UPDATE audit_entry SET seal_id = NULL, address = 'elsewhere'")
        await Sealing(town.wired.db).seal()
        assert (await verify(town)).holds
        assert await problems(town, head=noted) == [sealing.HEAD_MISSING.format(head=noted)]

    async def test_an_entry_that_waits_for_long_is_told(self, town: Town) -> None:
        waiting, _ = await entries(town, 2)
        assert (await verify(town)).holds
        found = await problems(town, f"UPDATE audit_entry SET at = at - interval '11 minutes' WHERE id = {waiting}")
        assert found == [sealing.OVERDUE.format(count=1, entry=waiting)]

    async def test_a_flood_of_problems_is_counted(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealing, "MOST_PROBLEMS", 2)
        await sealed(town, 5)
        await tamper(town, "UPDATE audit_entry SET address = 'elsewhere'")
        report = await verify(town)
        assert (len(report.problems), report.more_problems, report.holds) == (2, 3, False)


class TestRemovingNames:
    async def test_names_of_old_entries_go_and_the_chain_holds(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sealing, "BATCH", 2)
        await sealed(town, 3)
        moment = utc_now()
        (young,) = await sealed(town, 1)
        assert await Sealing(town.wired.db).remove_names(moment) == 3
        *old, last, told = await rows(town, AuditEntry)
        assert [row.names for row in old] == [{}, {}, {}]
        assert (last.id, last.names["subject"]) == (young, "Bob Brown")
        assert (told.kind, told.actor_id, told.facts["entries"]) == (AuditKind.NAMES_REMOVED, None, 3)
        await Sealing(town.wired.db).seal()
        report = await verify(town)
        assert (report.holds, report.nameless, report.entries) == (True, 3, 5)

    async def test_nothing_to_remove_leaves_no_entry(self, town: Town) -> None:
        await sealed(town, 1)
        assert await Sealing(town.wired.db).remove_names(utc_now() - timedelta(days=1)) == 0
        assert len(await rows(town, AuditEntry)) == 1

    async def test_a_day_to_come_is_refused(self, town: Town) -> None:
        await sealed(town, 1)
        with pytest.raises(Invalid, match="past"):
            await Sealing(town.wired.db).remove_names(utc_now() + timedelta(hours=1))


class TestTheCommand:
    @pytest.fixture(autouse=True)
    def _here(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Iterator[None]:
        monkeypatch.setattr(os, "environ", {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": database_url})
        settings.cache_clear()
        yield
        settings.cache_clear()

    async def run(self, *arguments: str) -> int:
        return await asyncio.to_thread(cli.main, ["audit", *arguments])

    async def test_it_proves_seals_and_gives_the_digest_to_keep(self, town: Town, capsys) -> None:
        await entries(town, 2)
        assert await self.run("seal") == 0
        assert await self.run("verify") == 0
        digest = (await the(town, AuditSeal)).digest.hex()
        said = capsys.readouterr().out
        assert "Entries that were sealed: 2" in said
        assert "The audit log is as it was written.\nEntries: 2, of them sealed: 2. Seals: 1." in said
        assert f"to keep elsewhere: {digest}" in said
        assert await self.run("verify", "--head", digest) == 0
        assert await self.run("verify", "--head", "00") == 1

    async def test_what_is_wrong_is_told_and_the_exit_code_is_1(self, town: Town, capsys) -> None:
        (first,) = await sealed(town, 1)
        await tamper(town, "UPDATE audit_entry SET address = 'elsewhere'")
        assert await self.run("verify") == 1
        problem = sealing.CHANGED.format(entry=first, seal=1)
        assert f"The audit log is NOT as it was written:\n{problem}" in capsys.readouterr().out
        assert await self.run("verify", "--json") == 1
        told = json.loads(capsys.readouterr().out)
        assert (told["holds"], told["problems"], told["entries"]) == (False, [problem], 1)

    async def test_names_are_forgotten_before_a_day_that_is_past(self, town: Town, capsys) -> None:
        (first,) = await sealed(town, 1)
        await tamper(town, f"UPDATE audit_entry SET at = '2020-01-01', seal_id = NULL WHERE id = {first}")
        await tamper(town, "DELETE FROM audit_seal")
        assert await self.run("forget-names", "--before", "2021-01-01") == 0
        assert "Entries from before 2021-01-01 whose names were removed: 1" in capsys.readouterr().out
        assert await self.run("forget-names", "--before", "2999-01-01") == 1
        assert "a day in the past" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            await self.run("forget-names", "--before", "soon")
