"""Sessions and commits. The commit happens here, at the edge of a service call, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from tp_inbox.domain.errors import Unavailable

AWAY = "The database cannot be reached at the moment, so nothing was changed. Please try again in a minute."
CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 15_000


class Database:
    """One engine for a process. ``transaction`` commits when its block ends well, and undoes it when it does not."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=CONNECT_SECONDS,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "server_settings": {"statement_timeout": str(STATEMENT_MILLISECONDS), "timezone": "UTC"},
            },
        )
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Raises Unavailable when the database is away; nothing was written then."""
        with _away_is_a_refusal():
            async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """For a few selects that need no common snapshot: saves two round trips."""
        with _away_is_a_refusal():
            async with AsyncSession(self._reading, expire_on_commit=False) as session:
                yield session

    async def ping(self) -> None:
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


@contextmanager
def _away_is_a_refusal() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, (OSError, asyncpg.PostgresConnectionError)):
            raise Unavailable(AWAY) from error
        raise
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        raise Unavailable(AWAY) from error
