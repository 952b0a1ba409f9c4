"""Bringing a database to the newest shape, with the migrations in ``alembic/``."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from alembic import command
from tp_inbox.storage.database import Database, trouble_is_a_refusal

SCRIPTS = Path(__file__).resolve().parents[2] / "alembic"


def upgrade(url: str, revision: str = "head") -> None:
    """Raises Unavailable when no database answers at this address."""
    with trouble_is_a_refusal():
        command.upgrade(config(url), revision)


def downgrade(url: str, revision: str) -> None:
    command.downgrade(config(url), revision)


def check(url: str) -> None:
    """Raises when the tables in code and in the database differ."""
    command.check(config(url))


async def is_current(db: Database) -> bool:
    """Whether the database has the shape that this version of the code needs."""
    async with db.reading() as session:
        if await session.scalar(text("SELECT to_regclass('alembic_version')")) is None:
            return False
        found = await session.scalar(text("SELECT version_num FROM alembic_version"))
    return found == ScriptDirectory(str(SCRIPTS)).get_current_head()


def config(url: str) -> Config:
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    made.attributes["url"] = url
    return made
