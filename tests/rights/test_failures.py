"""Three failures of products like this one, each for every role that the product brings along.

Search ignored roles. Live updates, previews, counts, exports and direct links ignored roles. A revoked user went
on receiving over an open socket.
"""

from __future__ import annotations

import random

import pytest
from sqlalchemy import delete
from sqlmodel import col

from tests.cast import Town
from tests.fakes import FakeGateway
from tests.rights import test_administration as administration, test_services as messages
from tests.rights.inspection import Inspection
from tests.rights.world import World, assignment, build_world
from tests.web.harness import Tab, on_stage
from tp_inbox.domain.access import DISTRICT, Place, PlaceKind
from tp_inbox.domain.permissions import BASE_ROLES, BaseRole, Level
from tp_inbox.services.changes import Change, ChangeKind
from tp_inbox.storage.feed import announce
from tp_inbox.storage.tables import Assignment
from tp_inbox.web.states.shell import ShellState
from tp_inbox.wiring import Wired

pytestmark = pytest.mark.slow

EVERY_BASE_ROLE = pytest.mark.parametrize("role", BASE_ROLES, ids=[role.key for role in BASE_ROLES])


@pytest.fixture
async def holder(wired: Wired, gateway: FakeGateway, role: BaseRole) -> Inspection:
    """Somebody who holds this role and no other, in a district of chance."""
    world = await build_world(wired, gateway, random.Random(11))
    person = next(p for p in world.people if p.active)
    place = DISTRICT if role.level is Level.DISTRICT else Place(PlaceKind.SCHOOL, world.schools[0])
    held = next(r for r in world.roles if r.permissions == role.permissions and r.level is role.level)
    async with wired.db.transaction() as session:
        await session.execute(delete(Assignment).where(col(Assignment.staff_id) == person.id))
        session.add(assignment(person.id, held.id, place))
    person.held[:] = [(held, place)]
    return Inspection(wired.services, world, person, world.actor(person))


@EVERY_BASE_ROLE
async def test_what_search_finds_is_a_subset_of_what_the_person_may_see(holder: Inspection) -> None:
    await messages.finding(holder)
    await administration.sees_of_others(holder)
    await administration.sees_of_staff(holder)
    assert "\n".join(holder.wrong) == ""


@EVERY_BASE_ROLE
async def test_previews_counts_exports_and_links_ask_for_the_role(holder: Inspection) -> None:
    await messages.looks(holder)
    await administration.opens_pages(holder)
    await messages.acts(holder)
    assert "\n".join(holder.wrong) == ""


@EVERY_BASE_ROLE
async def test_who_is_revoked_receives_nothing_over_the_open_socket(wired: Wired, holder: Inspection) -> None:
    person, world = holder.person, holder.world
    async with on_stage(Town(wired, FakeGateway(), {person.name: person.id})) as stage:
        tab = await stage.tab(person.name)
        async with wired.db.transaction() as session:
            await session.execute(delete(Assignment).where(col(Assignment.staff_id) == person.id))
            await announce(session, Change(ChangeKind.ACCESS, staff=person.id))
        await stage.hears()
        assert tab.var(ShellState, "admin") == []
        assert not tab.var(ShellState, "sees_messages") and not tab.var(ShellState, "sees_oversight")
        assert not any(talk.secret in tab.seen for talk in world.talks)
        await _finds_every_door_closed(tab, world)


async def _finds_every_door_closed(tab: Tab, world: World) -> None:
    for talk in world.talks[:6]:
        for path in (
            f"/messages/{talk.inbox.kind.value}/{talk.id}",
            f"/oversight/{talk.id}",
            f"/admin/staff/{talk.id}",
        ):
            await tab.goes_to(path)
            assert talk.secret not in tab.seen and talk.family.name not in tab.seen
