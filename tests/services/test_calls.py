"""A family calls a number of ours: whose it is, and what a stranger is not told."""

from __future__ import annotations

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, OMAR, ROSA, STRANGER, Town
from tests.services.steps import ALICES_NUMBER, LINCOLN, ROOSEVELT, add, change, give_number
from tp_inbox.domain.calling import Called
from tp_inbox.storage.tables import Number, Pair, School, Staff
from tp_inbox.storage.tables.messages import NumberState

OFFICE = "+13125550199"
UNKNOWN = "+12065550133"


async def called(town: Town, number: str = ALICES_NUMBER, caller: str = ROSA) -> Called | None:
    return await town.wired.calls.called(number, caller)


@pytest.fixture
async def alices(town: Town) -> Number:
    await change(town, School, col(School.name) == LINCOLN, office_phone=OFFICE)
    return await give_number(town, "alice", ALICES_NUMBER)


async def test_a_family_of_the_school_hears_whose_number_it_is_in_its_language(town: Town, alices: Number) -> None:
    assert await called(town) == Called(LINCOLN, "Alice Adams", OFFICE, "es")


@pytest.mark.parametrize("caller", [STRANGER, UNKNOWN, OMAR, "anonymous", ""])
async def test_a_stranger_hears_the_school_and_no_name(town: Town, alices: Number, caller: str) -> None:
    heard = await called(town, caller=caller)
    assert heard is not None
    assert (heard.school, heard.person, heard.office) == (LINCOLN, "", OFFICE)


async def test_a_schools_number_is_the_schools(town: Town, alices: Number) -> None:
    assert await called(town, LINCOLN_NUMBER) == Called(LINCOLN, "", OFFICE, "es")


async def test_a_number_that_is_not_ours_is_nobodys(town: Town) -> None:
    assert await called(town, UNKNOWN) is None


async def test_a_number_that_was_given_back_is_nobodys(town: Town, alices: Number) -> None:
    await change(town, Number, col(Number.id) == alices.id, state=NumberState.RELEASED)
    assert await called(town) is None


async def test_nobody_is_named_who_has_left(town: Town, alices: Number) -> None:
    await change(town, Staff, col(Staff.id) == town.staff["alice"], active=False)
    heard = await called(town)
    assert heard is not None and (heard.school, heard.person) == (LINCOLN, "")


async def test_who_works_at_several_schools_is_heard_as_of_the_familys(town: Town) -> None:
    await give_number(town, "nora", "+13125550119")
    for caller, school in ((ROSA, LINCOLN), (OMAR, ROOSEVELT)):
        heard = await called(town, "+13125550119", caller)
        assert heard is not None and (heard.school, heard.person) == (school, "Nora Nash")


async def test_a_shared_number_is_of_whom_the_family_knows_by_it(town: Town, alices: Number) -> None:
    await change(town, Number, col(Number.id) == alices.id, staff_id=None, pooled=True)
    await add(town, Pair(phone_id=town.phones[ROSA], number_id=alices.id, thread_id=await town.personal("bob")))
    heard, stranger = await called(town), await called(town, caller=STRANGER)
    assert heard is not None and heard.person == "Bob Brown"
    assert stranger is not None and (stranger.school, stranger.person) == (LINCOLN, "")


async def test_a_call_is_never_put_through_to_a_number_of_ours(town: Town, alices: Number) -> None:
    await change(town, School, col(School.name) == LINCOLN, office_phone=LINCOLN_NUMBER)
    heard = await called(town)
    assert heard is not None and heard.office == ""
