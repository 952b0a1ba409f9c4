"""Advisory locks: a job runs in one worker at a time, however many there are."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from tp_inbox.storage.database import Database


@asynccontextmanager
async def held(db: Database, name: str) -> AsyncIterator[bool]:
    """Whether we hold the lock of that name; until the block ends. It is let go when the connection dies, too."""
    key = {"key": zlib.crc32(name.encode())}
    async with db.connection() as connection:
        got = bool(await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), key))
        try:
            yield got
        finally:
            if got:
                await connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
