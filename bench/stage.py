"""The running product with what every measurement needs: people who are signed in, a thread, and Twilio."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import phonenumbers
from sqlalchemy import text

from bench.carrier import Carrier
from tests.product import Product
from tp_inbox.demo.district import PASSWORD, SCHOOLS, STAFF
from tp_inbox.demo.supervisor import running_note
from tp_inbox.domain.access import Actor, InboxKind
from tp_inbox.services.registry import Services
from tp_inbox.services.views import ThreadRow
from tp_inbox.settings import Settings
from tp_inbox.web.cookies import SESSION_COOKIE
from tp_inbox.wiring import Wired, wire

SCHOOL = SCHOOLS[0]
READER = "School Viewer"
SIGN_IN_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in."""

    cookie: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class OpenThread:
    """A conversation in the school's inbox, whose family may be written to."""

    id: int
    family: str
    ours: str

    @property
    def path(self) -> str:
        return f"/messages/school/{self.id}"


@dataclass(frozen=True, slots=True)
class Stage:
    product: Product
    http: aiohttp.ClientSession
    wired: Wired
    carrier: Carrier

    @property
    def url(self) -> str:
        return self.product.url

    @property
    def services(self) -> Services:
        return self.wired.services

    async def member(self, key: str) -> Person:
        """One of the demonstration's staff."""
        email = next(member.email for member in STAFF if member.key == key)
        return await self._signed_in(email, PASSWORD)

    async def readers(self, count: int) -> list[Person]:
        """So many new people who read the school's inbox."""
        slots = asyncio.Semaphore(SIGN_IN_AT_ONCE)

        async def reader(number: int) -> Person:
            email, name = f"reader.{number}@bench.example", f"Reader {number}"
            async with slots:
                password = await self.services.staff.add(email, name, "", READER, SCHOOL.name)
                return await self._signed_in(email, password)

        return await asyncio.gather(*(reader(number) for number in range(count)))

    async def school_threads(self, person: Person) -> Sequence[ThreadRow]:
        rows, _ = await self.services.inboxes.threads(person.actor, InboxKind.SCHOOL)
        return rows

    async def open_thread(self, person: Person) -> OpenThread:
        for row in await self.school_threads(person):
            head = await self.services.threads.head(person.actor, row.id)
            if head.people and not head.closed:
                return OpenThread(head.id, _e164(head.phone), SCHOOL.number)
        raise LookupError("the demonstration has no school thread to write in")

    async def postgres(self) -> str:
        async with self.wired.db.reading() as session:
            return str(await session.scalar(text("SHOW server_version")))

    async def _signed_in(self, email: str, password: str) -> Person:
        form, headers = {"email": email, "password": password}, {"Origin": self.url}
        async with self.http.post(
            f"{self.url}/auth/sign-in", data=form, headers=headers, allow_redirects=False
        ) as answer:
            cookie = answer.cookies[SESSION_COOKIE].value
        who = await self.services.sessions.look_up(cookie, own_act=False)
        assert who is not None
        return Person(cookie, who.actor)


@asynccontextmanager
async def stage(product: Product) -> AsyncIterator[Stage]:
    note = dict(line.split("=", 1) for line in shlex.split(running_note(product.data).read_text()))
    sid, token = note["TWILIO_ACCOUNT_SID"], note["TWILIO_AUTH_TOKEN"]
    wired = wire(_settings(note))
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        try:
            yield Stage(product, http, wired, Carrier(http, product.url, sid, token))
        finally:
            await wired.close()


def _settings(note: dict[str, str]) -> Settings:
    return Settings.model_validate({name.lower(): value for name, value in note.items()})


def _e164(shown: str) -> str:
    return phonenumbers.format_number(phonenumbers.parse(shown, "US"), phonenumbers.PhoneNumberFormat.E164)
