"""Fills an empty database with the demonstration district, once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit
from uuid import NAMESPACE_DNS, uuid5

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.demo.district import PASSWORD, SCHOOLS, STAFF, ZONE
from tp_inbox.demo.history import write_history
from tp_inbox.demo.personal_conversations import PERSONAL
from tp_inbox.demo.school_conversations import AT_SCHOOLS
from tp_inbox.demo.town import Town, settle
from tp_inbox.services import people
from tp_inbox.services.passwords import hash_password
from tp_inbox.services.ports import BoughtNumber, NumberRefused, SmsGateway
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.families import people_at
from tp_inbox.storage.tables import District

LABEL_SECONDS = 5
STRANGER = "Somebody the school does not know"

log = logging.getLogger(__name__)

Label = dict[str, str]


async def seed(
    db: Database, gateway: SmsGateway | None, simulator_url: str | None, *, now: datetime | None = None
) -> None:
    """Makes the demonstration district, unless there is a district already: all of it, or nothing.

    The numbers are bought from ``gateway`` before anything is written; the very same ones each time where they
    are for sale, so that a start that was cut short wastes none. Without a gateway they are only written down,
    and cannot send. The phones of the simulator at ``simulator_url`` are named afterwards, if it is there.

    Raises CarrierAway, NumberRefused or Unavailable, and then nothing was written.
    """
    if await _has_district(db):
        return
    passwords = {member.key: await hash_password(PASSWORD) for member in STAFF}
    numbers = await _numbers(gateway)
    now = now or utc_now()
    async with db.transaction() as session:
        town = await settle(session, passwords, numbers, now.astimezone(ZONE).date())
        await write_history(session, town, (*PERSONAL, *AT_SCHOOLS), now)
        labels = await _labels(session, town)
    if simulator_url:
        await _name_phones(simulator_url, labels)


async def _has_district(db: Database) -> bool:
    async with db.reading() as session:
        return await session.scalar(select(col(District.id)).limit(1)) is not None


async def _numbers(gateway: SmsGateway | None) -> dict[str, BoughtNumber]:
    """By the school's name or the key of the staff: those who have texted already."""
    wanted = {school.name: (school.number, school.name) for school in SCHOOLS}
    wanted |= {member.key: (member.number, f"{member.name}, {member.title}") for member in STAFF if member.number}
    return {owner: await _number(gateway, number, label) for owner, (number, label) in wanted.items()}


async def _number(gateway: SmsGateway | None, number: str, label: str) -> BoughtNumber:
    if gateway is None:
        return BoughtNumber(f"PN{uuid5(NAMESPACE_DNS, number).hex}", number)
    try:
        return await gateway.buy_number(number, label)
    except NumberRefused:
        return await gateway.buy_number(await gateway.available_number(number[2:5]), label)


async def _labels(session: AsyncSession, town: Town) -> list[Label]:
    """What the simulator's Phones page calls each phone: everybody reached there, and whose family they are."""
    known = await people_at(session, [phone.id for phone in town.phones.values()])
    labels = []
    for phone in town.phones.values():
        reached = known.get(phone.id)
        name = f"{people.title_of(reached, phone.e164)} · {people.about(reached)}" if reached else STRANGER
        labels.append({"number": phone.e164, "label": name, "language": phone.language})
    return labels


async def _name_phones(simulator_url: str, labels: Sequence[Label]) -> None:
    try:
        await asyncio.to_thread(_put, simulator_url, labels)
    except (OSError, HTTPException) as error:
        log.warning("seed: the simulator's phones stay without names (%s)", type(error).__name__)


def _put(simulator_url: str, labels: Sequence[Label]) -> None:
    """Straight to this machine, past any proxy. Raises OSError or HTTPException."""
    address = urlsplit(simulator_url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=LABEL_SECONDS)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("PUT", "/simulator/phones", json.dumps(labels).encode(), headers)
        if (answer := connection.getresponse()).status >= 400:
            raise HTTPException(f"{answer.status} {answer.reason}")
    finally:
        connection.close()
