"""A database that is put back to how it was before each test: much faster than a new one."""

from __future__ import annotations

import asyncio

import asyncpg
from sqlalchemy import BigInteger, Table
from sqlmodel import SQLModel

OTHERS_ARE_ENDED = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"""
COUNT_ON = """
    SELECT setval(pg_get_serial_sequence('"{table}"', 'id'), coalesce(max(id), 0) + 1, false) FROM "{table}" """


class Restored:
    """Keeps what is in the database now, and brings it back whenever asked, whatever a test left behind."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._tables = [f'"{table.name}"' for table in SQLModel.metadata.sorted_tables]
        self._loop = asyncio.new_event_loop()
        self._connection = self._loop.run_until_complete(asyncpg.connect(url.replace("+asyncpg", "")))
        self._run("CREATE SCHEMA kept; " + "".join(f"CREATE TABLE kept.{t} AS TABLE {t};" for t in self._tables))
        self._filled = [t for t in self._tables if self._run(f"SELECT 1 FROM {t} LIMIT 1") != "SELECT 0"]
        self._script = self._restoring()

    def restore(self) -> None:
        self._run(self._script)

    def close(self) -> None:
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()

    def _restoring(self) -> str:
        """Statements that the server runs as one transaction, references unchecked."""
        return ";".join(
            [
                OTHERS_ARE_ENDED,
                "SET LOCAL session_replication_role = replica",
                *(f"DELETE FROM {table}" for table in self._tables),
                *(_put_back(t) for t in SQLModel.metadata.sorted_tables if f'"{t.name}"' in self._filled),
                *(COUNT_ON.format(table=t.name) for t in SQLModel.metadata.sorted_tables if _is_counted(t)),
            ]
        )

    def _run(self, script: str) -> str:
        return self._loop.run_until_complete(self._connection.execute(script))


def _is_counted(table: Table) -> bool:
    return "id" in table.c and isinstance(table.c.id.type, BigInteger)


def _put_back(table: Table) -> str:
    """Without the columns that the database works out itself."""
    columns = ", ".join(f'"{column.name}"' for column in table.c if column.computed is None)
    return f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM kept."{table.name}"'
