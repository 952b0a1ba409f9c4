"""Who confirms a family's START: the carrier, where it has blocked the family itself, and we where it has not."""

from __future__ import annotations

import asyncio

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, ROSA, Town
from tests.services.steps import receive, rows
from tests.simulator.conftest import Simulation, simulate, simulation, until
from tp_inbox.simulator.keywords import ANSWERS, Keyword
from tp_inbox.storage.tables import Message
from tp_inbox.storage.tables.messages import Purpose

__all__ = ["simulate", "simulation"]


async def confirmed_by_us(town: Town) -> int:
    return len(await rows(town, Message, col(Message.purpose) == Purpose.START_CONFIRMED))


def answered_by_the_carrier(simulation: Simulation, keyword: Keyword) -> int:
    return [text["body"] for text in simulation.texts_on(ROSA)].count(ANSWERS[keyword])


@pytest.mark.parametrize(
    "said",
    [
        ["STOP", "START"],
        ["alto", "START"],
        ["Stop please", "yes"],
        ["alto", "STOP", "START"],
        ["STOP", "alto", "START"],
        ["STOP", "START", "alto", "START"],
        ["alto", "START", "STOP", "START"],
    ],
    ids=" ".join,
)
async def test_every_start_is_confirmed_by_exactly_one(town: Town, simulation: Simulation, said: list[str]) -> None:
    simulation.buy(LINCOLN_NUMBER)
    for body in [*said, "HELP"]:
        await asyncio.to_thread(simulation.text_from, ROSA, LINCOLN_NUMBER, body)
        await receive(town, body)
    await asyncio.to_thread(until, lambda: answered_by_the_carrier(simulation, Keyword.HELP))
    by_carrier = answered_by_the_carrier(simulation, Keyword.START)
    assert await confirmed_by_us(town) + by_carrier == len([body for body in said if body in {"START", "yes"}])
