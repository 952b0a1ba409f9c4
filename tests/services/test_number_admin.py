"""What those who manage schools see of the district's numbers."""

from __future__ import annotations

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, Town
from tests.services.steps import ALICES_NUMBER, LINCOLN, change, give_number, handed_over
from tp_inbox.domain.errors import NotAllowed
from tp_inbox.services.number_admin import NumberAdmin, NumberFilters, NumberPage
from tp_inbox.storage.tables import Number
from tp_inbox.storage.tables.messages import NumberState


def numbers(town: Town) -> NumberAdmin:
    return town.wired.services.number_admin


EVERYTHING = NumberFilters()


async def seen(town: Town, filters: NumberFilters = EVERYTHING) -> NumberPage:
    return await numbers(town).list(await town.actor("diana"), filters)


async def test_a_district_admin_sees_whose_each_number_is_and_what_it_costs(town: Town) -> None:
    await give_number(town, "alice", ALICES_NUMBER)
    page = await seen(town)
    alice = next(row for row in page.rows if row.owner == "Alice Adams")
    assert (alice.number, alice.owner_kind, alice.campaign, alice.said) == (
        "(312) 555-0111",
        "person",
        LINCOLN,
        "In use",
    )
    assert [row.owner for row in page.rows] == ["Alice Adams", LINCOLN, "Roosevelt High School"]
    assert (page.summary.count, round(page.summary.cost, 2)) == (3, 3.45)


async def test_a_school_admin_does_not(town: Town) -> None:
    with pytest.raises(NotAllowed):
        await numbers(town).list(await town.actor("dora"))


async def test_what_is_wrong_comes_first_and_says_what_can_be_done(town: Town) -> None:
    await change(
        town,
        Number,
        col(Number.e164) == LINCOLN_NUMBER,
        state=NumberState.STOPPED,
        problem="The carrier refuses this number.",
    )
    first = (await seen(town)).rows[0]
    assert (first.owner, first.kind, first.said, first.actions) == (LINCOLN, "bad", "Stopped", ["resume"])
    assert first.problem == "The carrier refuses this number."
    assert [row.owner for row in (await seen(town, NumberFilters(trouble=True))).rows] == [LINCOLN]


async def test_the_texts_of_this_month_are_counted_in_segments(town: Town) -> None:
    text = await handed_over(town, "Mia did well today. " * 12)
    row = next(row for row in (await seen(town)).rows if row.owner == LINCOLN)
    assert row.segments == text.segments > 1
    assert row.segments_cost == pytest.approx(text.segments * 0.0083)
    summary = (await seen(town)).summary
    assert (summary.segments, summary.segments_cost) == (row.segments, row.segments_cost)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (NumberFilters(words="adams"), ["Alice Adams"]),
        (NumberFilters(words="0111"), ["Alice Adams"]),
        (NumberFilters(owner="school"), [LINCOLN, "Roosevelt High School"]),
        (NumberFilters(words="nobody"), []),
    ],
    ids=repr,
)
async def test_it_is_found_by_name_number_and_kind(town: Town, filters: NumberFilters, found: list[str]) -> None:
    await give_number(town, "alice", ALICES_NUMBER)
    assert [row.owner for row in (await seen(town, filters)).rows] == found


async def test_the_list_goes_on_after_its_last_row(town: Town) -> None:
    first = (await seen(town)).rows[0]
    rest = await numbers(town).list(await town.actor("diana"), after=first.id)
    assert [row.owner for row in rest.rows] == ["Roosevelt High School"]
