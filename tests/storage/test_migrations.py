"""The way of a database to the newest shape, and back."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from tp_inbox.demo.postgres import Server
from tp_inbox.storage import migrate

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
ROLES = "SELECT name FROM role"


def answer(url: str, question: str) -> set[str]:
    async def asked() -> set[str]:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return {row[0] for row in await connection.fetch(question)}
        finally:
            await connection.close()

    return asyncio.run(asked())


@pytest.fixture
def empty(postgres: Server) -> str:
    postgres.create_database("migrated")
    return postgres.url("migrated")


def test_up_down_and_up_again(empty: str) -> None:
    migrate.upgrade(empty)
    migrate.upgrade(empty)
    assert {"staff", "thread", "message", "consent_event"} <= answer(empty, TABLES)
    assert len(answer(empty, ROLES)) == 6
    migrate.check(empty)
    migrate.downgrade(empty, "base")
    assert answer(empty, TABLES) == {"alembic_version"}
    migrate.upgrade(empty)
    migrate.check(empty)
