"""Numbers and the services they belong to: a school's own, and the district's for people of several schools."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, ROOSEVELT_NUMBER, Town
from tests.services.steps import ALICES_NUMBER, LINCOLN, ROOSEVELT, change, give_number, rows, the
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services.alerts import alert
from tp_inbox.services.number_care import NumberCare
from tp_inbox.services.number_limits import Limits
from tp_inbox.services.ports import CarrierAway
from tp_inbox.services.staff import assign
from tp_inbox.storage.tables import Alert, Campaign, Number
from tp_inbox.storage.tables.messages import NumberState


async def service_of(town: Town, school: str | None) -> set[str]:
    """SIDs of the numbers in a campaign's service, at the carrier."""
    school_id = town.schools[school] if school else None
    campaign = await the(town, Campaign, col(Campaign.school_id).is_not_distinct_from(school_id))
    return town.gateway.services[campaign.sid or ""]


async def number(town: Town, e164: str = LINCOLN_NUMBER) -> Number:
    return await the(town, Number, col(Number.e164) == e164)


async def time_passes(town: Town) -> None:
    await change(town, Number, join_at=datetime.now(UTC) - timedelta(seconds=1))


async def alerts(town: Town, kind: AlertKind = AlertKind.NUMBER_MISPLACED) -> list[str]:
    return [a.sentence for a in await rows(town, Alert, col(Alert.kind) == kind, col(Alert.settled_at).is_(None))]


async def move_alice(town: Town, school: str) -> None:
    async with town.wired.db.transaction() as session:
        await assign(session, town.staff["alice"], "Counselor", school)


async def test_each_school_has_a_service_with_its_number_and_its_people(town: Town) -> None:
    alices = await give_number(town, "alice", ALICES_NUMBER)
    noras = await give_number(town, "nora", "+13125550119")
    assert await town.wired.joining.join_due() == 4
    assert await service_of(town, LINCOLN) == {(await number(town)).sid, alices.sid}
    assert await service_of(town, ROOSEVELT) == {(await number(town, ROOSEVELT_NUMBER)).sid}
    assert await service_of(town, None) == {noras.sid}
    assert await town.wired.joining.join_due() == 0


async def test_who_works_at_a_second_school_moves_to_the_districts(town: Town) -> None:
    alices = await give_number(town, "alice", ALICES_NUMBER)
    await town.wired.joining.join_due()
    assert await town.wired.joining.place() == 0
    await move_alice(town, ROOSEVELT)
    assert await town.wired.joining.place() == 1
    assert await town.wired.joining.join_due() == 1
    assert await service_of(town, None) == {alices.sid}
    assert alices.sid not in await service_of(town, LINCOLN)


async def test_a_campaign_made_for_who_moves_is_stopped_while_the_account_is(town: Town) -> None:
    await give_number(town, "alice", ALICES_NUMBER)
    async with town.wired.db.transaction() as session:
        await session.execute(delete(Campaign).where(col(Campaign.school_id).is_(None)))
        await alert(session, AlertKind.ACCOUNT_STOPPED, "It is refused.")
    await move_alice(town, ROOSEVELT)
    await town.wired.joining.place()
    districts = col(Campaign.school_id).is_(None)
    assert (await the(town, Campaign, districts)).stopped_at is not None
    await town.wired.services.lanes.resume_account(await town.actor("diana"))
    assert (await the(town, Campaign, districts)).stopped_at is None


async def test_the_number_of_somebody_who_left_stays_where_families_know_it(town: Town) -> None:
    await give_number(town, "alice", ALICES_NUMBER)
    await change(
        town, Number, col(Number.e164) == ALICES_NUMBER, quarantined_until=datetime.now(UTC) + timedelta(days=90)
    )
    await move_alice(town, ROOSEVELT)
    assert await town.wired.joining.place() == 0


async def test_a_crash_after_a_service_was_made_makes_no_second_one(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = town.gateway.make_service

    async def lost(label: str) -> str:
        await real(label)
        raise CarrierAway("timeout")

    with monkeypatch.context() as patched:
        patched.setattr(town.gateway, "make_service", lost)
        assert await town.wired.joining.join_due() == 0
    await time_passes(town)
    assert await town.wired.joining.join_due() == 2
    assert len(town.gateway.services) == 2


async def test_while_the_carrier_is_away_it_is_tried_less_and_less_often_and_then_told(town: Town) -> None:
    town.gateway.away = True
    waits = []
    for _ in range(6):
        await time_passes(town)
        await town.wired.joining.join_due()
        waits.append((await number(town)).join_at - datetime.now(UTC))
    assert waits == sorted(waits)
    assert len(await alerts(town)) == 2
    town.gateway.away = False
    await time_passes(town)
    assert await town.wired.joining.join_due() == 2
    assert await alerts(town) == []


async def test_a_number_in_a_service_that_is_not_ours_is_told_and_tried_again(town: Town) -> None:
    theirs = await town.gateway.make_service("somebody else's")
    await town.gateway.put_into_service(theirs, (await number(town)).sid or "", [theirs])
    await town.wired.joining.join_due()
    (sentence,) = await alerts(town)
    assert "(312) 555-0100 is not in the Messaging Service of Lincoln Middle School" in sentence
    town.gateway.services[theirs].clear()
    await time_passes(town)
    await town.wired.joining.join_due()
    assert await alerts(town) == []


async def test_a_full_service_means_no_more_numbers_of_ones_own_there(town: Town) -> None:
    town.gateway.service_size = 1
    await give_number(town, "alice", ALICES_NUMBER)
    await town.wired.joining.join_due()
    campaign = await the(town, Campaign, col(Campaign.school_id) == town.schools[LINCOLN])
    assert campaign.full_at is not None
    await town.wired.number_care.watch_limits()
    assert "Lincoln Middle School has as many numbers" in (await alerts(town, AlertKind.NUMBER_CAP))[0]
    town.gateway.service_size = 400
    await time_passes(town)
    await town.wired.joining.join_due()
    await town.wired.number_care.watch_limits()
    assert await alerts(town, AlertKind.NUMBER_CAP) == []


async def test_a_service_that_somebody_deleted_is_made_again(town: Town) -> None:
    await town.wired.joining.join_due()
    town.gateway.forget_services()
    await town.wired.number_care.compare_with_carrier()
    for _ in range(2):
        await time_passes(town)
        await town.wired.joining.join_due()
    assert await service_of(town, LINCOLN) == {(await number(town)).sid}


async def test_a_number_that_somebody_took_out_of_its_service_joins_it_again(town: Town) -> None:
    await town.wired.joining.join_due()
    (await service_of(town, LINCOLN)).clear()
    await town.wired.number_care.compare_with_carrier()
    assert await town.wired.joining.join_due() == 1
    assert await service_of(town, LINCOLN) == {(await number(town)).sid}


async def test_a_number_that_is_not_bought_yet_joins_nothing(town: Town) -> None:
    await change(town, Number, col(Number.e164) == LINCOLN_NUMBER, state=NumberState.WANTED, sid=None, e164=None)
    assert await town.wired.joining.join_due() == 1


@pytest.mark.parametrize(("spending", "told"), [(2.29, True), (3.44, True), (3.45, False), (None, False)])
async def test_a_spending_limit_that_is_reached_is_told_and_settles_by_itself(
    town: Town, spending: float | None, told: bool
) -> None:
    """Both schools' numbers cost 2.30 dollars a month."""
    care = NumberCare(town.wired.db, town.gateway, Limits(9, 49, 5, 1.15, spending))
    await care.watch_limits()
    assert bool(await alerts(town, AlertKind.SPENDING_CAP)) is told
    await town.wired.number_care.watch_limits()
    assert await alerts(town, AlertKind.SPENDING_CAP) == []
