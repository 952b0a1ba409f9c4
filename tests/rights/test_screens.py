"""What stands on the screens of a district of chance: pages by their address, live texts, and rights that change."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

import pytest
from sqlalchemy import delete
from sqlmodel import col

from tests.cast import Town
from tests.fakes import FakeGateway
from tests.rights.world import Person, Talk, World, assignment, build_world
from tests.web.harness import Stage, Tab, on_stage
from tp_inbox.domain import access
from tp_inbox.services import registry
from tp_inbox.services.changes import Change, ChangeKind
from tp_inbox.services.ports import InboundText
from tp_inbox.storage.feed import announce
from tp_inbox.storage.tables import Assignment
from tp_inbox.wiring import Wired

pytestmark = pytest.mark.slow

DISTRICTS = 2
_sids = count(1)


@dataclass
class ChanceTown(Town):
    """A district of chance in the place of the cast."""

    world: World = field(default_factory=World)
    chance: random.Random = field(default_factory=random.Random)


@pytest.fixture(params=range(DISTRICTS))
async def district(wired: Wired, gateway: FakeGateway, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    registry.fill(wired.services)
    chance = random.Random(100 + request.param)
    world = await build_world(wired, gateway, chance)
    staff = {person.name: person.id for person in world.people}
    async with on_stage(ChanceTown(wired, gateway, staff, world=world, chance=chance)) as stage:
        yield stage


async def at_work(stage: Stage) -> dict[str, Tab]:
    return {p.name: await stage.tab(p.name) for p in stage.town.world.people if p.active}


async def test_an_address_shows_what_the_rules_allow_and_nothing_else(district: Stage) -> None:
    world: World = district.town.world
    wrong = []
    for person in filter(lambda p: p.active, world.people):
        tab = await district.tab(person.name)
        for talk in world.talks:
            await tab.goes_to(f"/messages/{talk.inbox.kind.value}/{talk.id}")
            if (talk.secret in tab.seen) != _may_read(world, person, talk):
                wrong.append((person.name, talk))
    assert wrong == []


async def test_a_text_reaches_the_screens_of_those_who_may_read_it(district: Stage) -> None:
    world: World = district.town.world
    tabs = await at_work(district)
    assert await _misplaced(district, tabs, world.talks) == []


async def test_rights_that_change_act_on_the_next_text(district: Stage) -> None:
    """Roles are taken and given at random while everybody's tab is open."""
    town: ChanceTown = district.town
    tabs = await at_work(district)
    for _ in range(12):
        await _change_somebodys_roles(district, town.chance)
        some = town.chance.sample(town.world.talks, 6)
        assert await _misplaced(district, tabs, some) == []


async def _misplaced(stage: Stage, tabs: dict[str, Tab], talks: list[Talk]) -> list[tuple[str, Talk]]:
    wrong = []
    people = [p for p in stage.town.world.people if p.active]
    for talk in talks:
        for person in people:
            await tabs[person.name].goes_to(f"/messages/{talk.inbox.kind.value}")
        words = await _text(stage, talk)
        await stage.hears()
        wrong += [
            (p.name, talk) for p in people if (words in tabs[p.name].seen) != _may_read(stage.town.world, p, talk)
        ]
    return wrong


async def _text(stage: Stage, talk: Talk) -> str:
    words = f"live {uuid4().hex}"
    sid = f"SM{next(_sids):032x}"
    text = InboundText(sid, talk.family.e164, talk.ours, words, (), None, {"Body": words}, datetime.now(UTC))
    await stage.town.wired.receiving.receive(text)
    return words


async def _change_somebodys_roles(stage: Stage, chance: random.Random) -> None:
    world: World = stage.town.world
    person = chance.choice(world.people)
    role = chance.choice(world.roles)
    place = chance.choice([p for p in world.places if p.level is role.level])
    async with stage.town.wired.db.transaction() as session:
        await session.execute(delete(Assignment).where(col(Assignment.staff_id) == person.id))
        session.add(assignment(person.id, role.id, place))
        await announce(session, Change(ChangeKind.ACCESS, staff=chance.choice([person.id, None])))
    person.held[:] = [(role, place)]
    await stage.hears()


def _may_read(world: World, person: Person, talk: Talk) -> bool:
    return access.may_read(world.actor(person), talk.inbox)
