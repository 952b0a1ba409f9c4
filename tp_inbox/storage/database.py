"""Sessions and commits. The commit happens here, at the edge of a service call, and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from tp_inbox.domain.errors import Invalid, Refusal, Unavailable

AWAY = "The database cannot be reached at the moment. Please try again in a minute."
BUSY = "The database is very busy at the moment. Please try again in a minute."
UNUSABLE = "This cannot be used as it is. Please reload the page and try again."
CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 15_000
ANSWER_SECONDS = 20
"""Our own limit, for a server that hangs and cannot keep to its own."""
IDLE_MILLISECONDS = 60_000
"""A transaction that does nothing for so long belongs to a process that hangs; its locks are let go."""

_GONE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TooManyConnectionsError,
)
_OVERRUN = (asyncpg.QueryCanceledError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)

log = logging.getLogger(__name__)


class Database:
    """One engine for a process. ``transaction`` commits when its block ends well, and undoes it when it does not.

    Every block raises Unavailable when the database is away or does not keep up, and Invalid for a value that
    no column can hold, like an id beyond 64 bits.
    """

    def __init__(self, url: str, pool_size: int = 10, statement_milliseconds: int = STATEMENT_MILLISECONDS) -> None:
        self.url = libpq_address(url)
        limits = {
            "statement_timeout": str(statement_milliseconds),
            "idle_in_transaction_session_timeout": str(IDLE_MILLISECONDS),
            "timezone": "UTC",
        }
        self.engine: AsyncEngine = engine_for(
            self.url,
            limits,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=CONNECT_SECONDS,
            hide_parameters=True,  # an error's text reaches the log, and parameters are names and bodies
        )
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        with trouble_is_a_refusal():
            async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """For a few statements that need no common snapshot, a small write among them: saves two round trips.

        Each is committed by itself.
        """
        with trouble_is_a_refusal():
            async with AsyncSession(self._reading, expire_on_commit=False) as session:
                yield session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """One connection without a transaction, for what lasts longer than one."""
        with trouble_is_a_refusal():
            async with self._reading.connect() as connection:
                yield connection

    async def ping(self) -> None:
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


def engine_for(
    url: str,
    server_settings: dict[str, str] | None = None,
    answer_seconds: float | None = ANSWER_SECONDS,
    **options: Any,
) -> AsyncEngine:
    """Asyncpg reads the address itself, as it does for the feed, so that sslmode means the same everywhere."""

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(
            libpq_address(url),
            timeout=CONNECT_SECONDS,
            command_timeout=answer_seconds,
            server_settings=server_settings,
        )

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, **options)


def libpq_address(url: str) -> str:
    """Without the driver that SQLAlchemy would want named."""
    return url.replace("postgresql+asyncpg://", "postgresql://", 1)


@contextmanager
def trouble_is_a_refusal() -> Iterator[None]:
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _unquote(error)
        if refusal := _refusal(error):
            raise refusal from error
        raise


def _unquote(error: Exception) -> None:
    """PostgreSQL's DETAIL quotes the row: names, numbers and bodies that no log may hold."""
    layers = (error, error.orig) if isinstance(error, exc.DBAPIError) else ()
    for layer in filter(None, layers):
        layer.args = tuple(str(part).partition("\nDETAIL:")[0] for part in layer.args)
    cause = _driver_error(error)
    if isinstance(cause, asyncpg.PostgresError):
        vars(cause)["detail"] = None


def _refusal(error: Exception) -> Refusal | None:
    cause = _driver_error(error)
    if isinstance(cause, _OVERRUN) or isinstance(error, exc.TimeoutError):
        return Unavailable(BUSY)
    if isinstance(cause, asyncpg.DataError):
        log.warning("database: a value that no column can hold (%s)", type(cause).__name__)
        return Invalid(UNUSABLE)
    return Unavailable(AWAY) if isinstance(cause, _GONE) or _invalidated(error) else None


def _invalidated(error: Exception) -> bool:
    return isinstance(error, exc.DBAPIError) and error.connection_invalidated


def _driver_error(error: BaseException) -> BaseException:
    """What asyncpg or the system raised, below SQLAlchemy's own two layers."""
    orig = error.orig if isinstance(error, exc.DBAPIError) else None
    return (orig.__cause__ or orig) if orig is not None else error
