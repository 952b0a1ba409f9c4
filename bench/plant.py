"""A district of the bench's own, every part a process of its own: PostgreSQL, simulator, web process, workers.

It is made as big as a measurement needs it, with the rates that it needs, and a part of it can be killed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
from sqlalchemy import func, select, text
from sqlmodel import col

from tests.product import free_port
from tp_inbox.demo.homes import Owner, temporary_folder
from tp_inbox.demo.postgres import Cluster
from tp_inbox.domain.access import Actor
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.services.actors import actors_of
from tp_inbox.services.schools import SchoolFields
from tp_inbox.settings import Settings
from tp_inbox.simulator.fiction import REGION_OF
from tp_inbox.storage import migrate
from tp_inbox.storage.tables import Inbox, Message, Number, Staff
from tp_inbox.wiring import Wired, wire

PATIENCE = 120.0
LOOK_SECONDS = 0.1
ADMIN = "bench@district.example"
ZONE = "America/Chicago"
FAMILY_PHONES = range(130, 196)
"""Of each area code, as the simulator has them."""
DATABASE = "bench"
BEFORE_CARRIER = (DeliveryState.QUEUED, DeliveryState.SUBMITTING, DeliveryState.UNKNOWN)
"""Of a text that the carrier is not known to have."""


@dataclass
class Part:
    """A process of the product; ``kill`` is the power cut."""

    name: str
    process: subprocess.Popen[bytes]

    @property
    def cpu_seconds(self) -> float:
        used = psutil.Process(self.process.pid).cpu_times()
        return used.user + used.system

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()


@dataclass
class Plant:
    """``environment`` is what its processes are told; ``wired`` are the services over the same database."""

    folder: Path
    environment: dict[str, str]
    wired: Wired
    http: httpx.AsyncClient
    schools: list[int] = field(default_factory=list)
    _parts: list[Part] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.wired.settings

    def start(self, command: str, **settings: object) -> Part:
        """``tp-inbox`` with that command."""
        told = {name.upper(): str(value) for name, value in settings.items()}
        return self.run(command, ["tp_inbox.cli", command], told)

    def run(self, name: str, module: Sequence[str], told: Mapping[str, str]) -> Part:
        """Any module, with its arguments, in the same surroundings."""
        with (self.folder / f"{name}.log").open("ab") as log:
            started = [sys.executable, "-m", *module]
            process = subprocess.Popen(started, env={**self.environment, **told}, stdout=log, stderr=subprocess.STDOUT)
        self._parts.append(part := Part(name, process))
        return part

    def stop(self) -> None:
        for part in reversed(self._parts):
            part.stop()

    async def start_simulator(self) -> None:
        self.start("simulator")
        await until(lambda: self._answers(f"{self.settings.twilio_base_url}/health"))

    async def start_web(self) -> Part:
        part = self.start("serve")
        await until(lambda: self._answers(f"{self.settings.address}/ready"))
        return part

    async def switch_faults(self, faults: dict[str, Any]) -> None:
        answer = await self.http.put(f"{self.settings.twilio_base_url}/simulator/faults", json=faults)
        answer.raise_for_status()

    async def struck(self) -> int:
        """How often a fault has struck."""
        answer = await self.http.get(f"{self.settings.twilio_base_url}/simulator/faults")
        return sum(sum(counts.values()) for counts in answer.json()["struck"].values())

    async def admin(self) -> Actor:
        """Somebody who may write to every family of every school."""
        async with self.wired.db.reading() as session:
            staff_id = (await session.scalars(select(col(Staff.id)).where(col(Staff.email) == ADMIN))).one()
            return (await actors_of(session, [staff_id]))[staff_id]

    async def inbox_of(self, school_id: int) -> int:
        async with self.wired.db.reading() as session:
            return (await session.scalars(select(col(Inbox.id)).where(col(Inbox.school_id) == school_id))).one()

    async def phones_of(self, school_id: int) -> list[int]:
        """The ids of the family phones that this school may write to."""
        async with self.wired.db.reading() as session:
            return list(await session.scalars(_PHONES, {"school": school_id}))

    async def announce(self, school_id: int, phone_ids: list[int], words: str) -> None:
        inbox = await self.inbox_of(school_id)
        told = await self.wired.services.announcing.queue(await self.admin(), inbox, phone_ids, words, uuid4())
        if told.refused or told.queued != len(phone_ids):
            raise RuntimeError(f"{len(told.refused)} families may not be written to")

    async def joined(self) -> int:
        """How many numbers are in their services."""
        async with self.wired.db.reading() as session:
            there = select(func.count()).select_from(Number).where(col(Number.joined_id) == col(Number.campaign_id))
            return await session.scalar(there) or 0

    async def segments_sent(self) -> int:
        async with self.wired.db.reading() as session:
            sent = select(func.sum(col(Message.segments))).where(col(Message.sid).is_not(None))
            return await session.scalar(sent) or 0

    async def count(self, *states: DeliveryState) -> int:
        async with self.wired.db.reading() as session:
            those = select(func.count()).select_from(Message).where(col(Message.state).in_(states))
            return await session.scalar(those) or 0

    async def _answers(self, url: str) -> bool:
        with suppress(httpx.TransportError):
            return (await self.http.get(url)).status_code == 200
        return False


@asynccontextmanager
async def plant(schools: int = 1, families: int = 100, **settings: object) -> AsyncIterator[Plant]:
    """A district with so many schools, and so many families at each; nothing of it is left afterwards."""
    with temporary_folder(Owner.for_this_process()) as folder, Cluster(folder / "postgres").running() as server:
        server.create_database(DATABASE)
        environment = _environment(folder, server.url(DATABASE)) | {n.upper(): str(v) for n, v in settings.items()}
        await asyncio.to_thread(migrate.upgrade, server.url(DATABASE))
        chosen = Settings.model_validate({name.lower(): value for name, value in environment.items()})
        async with httpx.AsyncClient(trust_env=False) as http:
            made = Plant(folder, os.environ | environment, wire(chosen), http)
            try:
                await _settle(made, schools, families)
                yield made
            finally:
                made.stop()
                await made.wired.close()


async def until(there: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> float:
    """Seconds until it was there."""
    began = time.monotonic()
    while not await there():
        if time.monotonic() - began > patience:
            raise TimeoutError("it never came")
        await asyncio.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def _environment(folder: Path, database: str) -> dict[str, str]:
    simulator = free_port()
    return {
        "DATABASE_URL": database,
        "DATA_DIR": str(folder / "data"),
        "PORT": str(free_port()),
        "SIMULATOR_PORT": str(simulator),
        "TWILIO_ACCOUNT_SID": f"AC{secrets.token_hex(16)}",
        "TWILIO_AUTH_TOKEN": secrets.token_hex(16),
        "TWILIO_BASE_URL": f"http://127.0.0.1:{simulator}",
        "LOG_LEVEL": "warning",
    }


async def _settle(made: Plant, schools: int, families: int) -> None:
    services, phones = made.wired.services, _family_phones()
    await services.schools.found_district("Bench", ZONE)
    codes = sorted(REGION_OF)
    for number in range(schools):
        fields = SchoolFields(f"School {number + 1}", ZONE, codes[number])
        school_id = await services.schools.create(None, fields)
        made.schools.append(school_id)
        await _add_families(made, school_id, list(islice(phones, families)))
        if number == 0:
            await services.staff.add(ADMIN, "Bench Admin", "", "School Admin", fields.name)
        else:
            await services.staff.give(ADMIN, "School Admin", fields.name)


def _family_phones() -> Iterator[str]:
    for code in sorted(REGION_OF):
        for last in FAMILY_PHONES:
            yield f"+1{code}555{last:04d}"


async def _add_families(made: Plant, school_id: int, phones: list[str]) -> None:
    async with made.wired.db.transaction() as session:
        await session.execute(_FAMILIES, {"school": school_id, "phones": phones})


async def prime(made: Plant) -> None:
    """Each school has its number, in a Messaging Service of its own: it has written to one family. A worker runs."""
    for school_id in made.schools:
        await made.announce(school_id, (await made.phones_of(school_id))[:1], "The school year begins.")

    async def ready() -> bool:
        return await made.joined() == len(made.schools) and not await made.count(*BEFORE_CARRIER)

    await until(ready)


_PHONES = text("""
SELECT DISTINCT contact.phone_id FROM contact
JOIN guardianship ON guardianship.contact_id = contact.id
JOIN student ON student.id = guardianship.student_id
WHERE student.school_id = :school ORDER BY 1
""")
_FAMILIES = text("""
WITH phone AS (
    INSERT INTO family_phone (e164, language) SELECT e164, 'en' FROM unnest(CAST(:phones AS text[])) AS e164
    RETURNING id, e164
), adult AS (
    INSERT INTO contact (name, language, phone_id, source) SELECT 'Parent', 'en', id, 'roster' FROM phone
    RETURNING id, phone_id
), child AS (
    INSERT INTO student (name, birth_date, grade, school_id, source)
    SELECT 'Child ' || id, date '2013-05-02', '7', :school, 'roster' FROM phone
    RETURNING id, name
)
INSERT INTO guardianship (student_id, contact_id, relation)
SELECT child.id, adult.id, 'mother' FROM adult JOIN child ON child.name = 'Child ' || adult.phone_id
""")
