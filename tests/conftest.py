"""One PostgreSQL for the whole run, one migrated template, and a database of its own for each test that asks."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr

from tests.cast import Town, build_town
from tests.fakes import FakeGateway
from tests.product import Product, running_product
from tp_inbox.demo.homes import Owner, temporary_folder
from tp_inbox.demo.postgres import Server, temporary_server
from tp_inbox.services import registry
from tp_inbox.settings import Settings
from tp_inbox.storage import migrate
from tp_inbox.wiring import Wired, wire

TEMPLATE = "template_of_tests"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with temporary_server() as server:
        server.create_database(TEMPLATE)
        migrate.upgrade(server.url(TEMPLATE))
        yield server


@pytest.fixture
def database_url(postgres: Server) -> Iterator[str]:
    """An empty, migrated database of this test's own."""
    name = f"test_{next(_numbers)}"
    postgres.create_database(name, template=TEMPLATE)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        twilio_account_sid="AC" + "0" * 32,
        twilio_auth_token=SecretStr("a token for tests"),
        twilio_base_url="http://127.0.0.1:1",
    )


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
async def wired(settings: Settings, gateway: FakeGateway) -> AsyncIterator[Wired]:
    wired = wire(settings, gateway)
    registry.fill(wired.services)
    yield wired
    await wired.close()


@pytest.fixture
async def town(wired: Wired, gateway: FakeGateway) -> Town:
    return await build_town(wired, gateway)


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """The running product with the demonstration district; tests that share it leave each other's families alone."""
    with temporary_folder(Owner.for_this_process()) as folder, running_product(folder) as running:
        yield running
