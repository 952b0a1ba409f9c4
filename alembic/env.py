"""Runs migrations over the address that ``tp_inbox.storage.migrate`` hands in, or DATABASE_URL."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, pool
from sqlmodel import SQLModel

import tp_inbox.storage.tables  # noqa: F401 - fills the metadata
from alembic import context
from tp_inbox.settings import settings
from tp_inbox.storage.base import Words
from tp_inbox.storage.database import engine_for


def render_item(kind: str, item: object, _autogen: object) -> str | bool:
    return "sa.Text()" if kind == "type" and isinstance(item, Words) else False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        compare_type=True,
        compare_server_default=True,
        render_item=render_item,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def online() -> None:
    url = context.config.attributes.get("url") or settings().database
    engine = engine_for(url, answer_seconds=None, poolclass=pool.NullPool)  # a migration takes what it takes
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


asyncio.run(online())
