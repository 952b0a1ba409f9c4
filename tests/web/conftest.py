"""A web process without a server, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.cast import Town
from tests.web.harness import Stage, on_stage


@pytest.fixture
async def stage(town: Town) -> AsyncIterator[Stage]:
    async with on_stage(town) as set_up:
        yield set_up
