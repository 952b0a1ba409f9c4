"""One PostgreSQL for the whole run, one migrated template, and a database of its own for each test that asks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.cast import Town, build_town
from tests.fakes import FakeGateway
from tests.product import Product, running_product
from tests.restored import Restored
from tp_inbox.demo.homes import Owner, temporary_folder
from tp_inbox.demo.postgres import Server, temporary_server
from tp_inbox.services import registry
from tp_inbox.settings import Settings
from tp_inbox.storage import migrate
from tp_inbox.storage.database import Database
from tp_inbox.wiring import Wired, wire

TEMPLATE, TOWN = "template_of_tests", "template_of_the_town"
AS_FAST_AS_IT_GOES = 100_000.0
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with temporary_server() as server:
        server.create_database(TEMPLATE)
        migrate.upgrade(server.url(TEMPLATE))
        yield server


@dataclass(frozen=True)
class Settled:
    """The cast in a database that is restored for each test that asks for ``town``."""

    town: Town
    database: Restored


@pytest.fixture(scope="session")
def settled(postgres: Server) -> Iterator[Settled]:
    postgres.create_database(TOWN, template=TEMPLATE)
    town = asyncio.run(_settle(postgres.url(TOWN)))
    database = Restored(postgres.url(TOWN))
    yield Settled(town, database)
    database.close()


async def _settle(url: str) -> Town:
    wired = wire(Settings(database_url=url), FakeGateway())
    town = await build_town(wired, FakeGateway())
    await wired.close()
    return town


@pytest.fixture
def database_url(postgres: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database: an empty one of the test's own, or the cast's where they are asked for."""
    if "town" in request.fixturenames:
        settled: Settled = request.getfixturevalue("settled")
        settled.database.restore()
        yield settled.database.url
        return
    name = f"test_{next(_numbers)}"
    postgres.create_database(name, template=TEMPLATE)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database_url=database_url,
        twilio_account_sid="AC" + "0" * 32,
        twilio_auth_token=SecretStr("a token for tests"),
        twilio_base_url="http://127.0.0.1:1",
        secret_key=SecretStr("a key that is long enough for the tests"),
        spool_dir=tmp_path / "spool",
        sender_segments_per_second=AS_FAST_AS_IT_GOES,
        campaign_segments_per_second=AS_FAST_AS_IT_GOES,
        account_segments_per_second=AS_FAST_AS_IT_GOES,
    )


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
async def wired(settings: Settings, gateway: FakeGateway) -> AsyncIterator[Wired]:
    wired = wire(settings, gateway)
    _keep_statements(wired.db)
    registry.fill(wired.services)
    yield wired
    await wired.close()


_engines: dict[str, tuple[AsyncEngine, AsyncEngine]] = {}


def _keep_statements(db: Database) -> None:
    """An engine compiles a statement once, which takes longer than most tests; its connections end with each."""
    db.engine, db._reading = _engines.setdefault(db.url, (db.engine, db._reading))


@pytest.fixture
def town(wired: Wired, gateway: FakeGateway, settled: Settled) -> Town:
    return settled.town.again(wired, gateway)


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """The running product with the demonstration district; tests that share it leave each other's families alone."""
    with temporary_folder(Owner.for_this_process()) as folder, running_product(folder) as running:
        yield running
