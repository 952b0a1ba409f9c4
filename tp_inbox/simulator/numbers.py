"""The numbers of the account, the Messaging Services they belong to, and what is for sale."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .database import new_sid, now
from .errors import Refusal
from .fiction import matches, stock

MAX_SERVICE_NUMBERS = 400
CAMPAIGN = "campaign"
VERIFIED = "VERIFIED"
UNREGISTERED = "UNREGISTERED"
CAMPAIGN_STATUSES = (VERIFIED, "IN_PROGRESS", "PENDING", "FAILED", "SUSPENDED", "EXPIRED", UNREGISTERED)
"""The last is none of Twilio's: a service that was never registered has no campaign at all."""


@dataclass(frozen=True)
class Number:
    """A number that was bought. settings holds what Twilio lets one set, by its JSON name."""

    seq: int
    sid: str
    phone_number: str
    service_sid: str | None
    joined: int | None
    settings: dict[str, str]
    created: int
    updated: int


@dataclass(frozen=True)
class Service:
    """A Messaging Service. settings holds what Twilio lets one set, by its JSON name."""

    seq: int
    sid: str
    settings: dict[str, object]
    created: int
    updated: int


@dataclass(frozen=True)
class Campaign:
    """A service's registration with the carriers of the US. id: the carriers' own, once they have verified it."""

    sid: str
    status: str
    id: str | None


class Numbers:
    """Buys, finds, sets and releases numbers, and puts them into Messaging Services."""

    def __init__(self, database: sqlite3.Connection, service_size: int = MAX_SERVICE_NUMBERS) -> None:
        self._db = database
        self._service_size = service_size

    def for_sale(self, area_code: str = "", pattern: str = "") -> Iterator[str]:
        """Numbers that nobody has, as bought number or as family phone."""
        taken = {row[0] for row in self._db.execute("select phone_number from number union select number from phone")}
        return (number for number in stock(area_code) if number not in taken and matches(number, pattern))

    def buy(self, phone_number: str, settings: Mapping[str, str]) -> Number:
        """The number, ours from now on; one that is ours already is only given the settings.

        Raises Refusal 21422 when it is not for sale.
        """
        owned = self.by_number(phone_number)
        if owned:
            return self.set(owned.sid, settings)
        if phone_number not in self.for_sale(phone_number[2:5]):
            raise Refusal(21422, phone_number)
        sid, at = new_sid("PN"), now()
        self._db.execute(
            "insert into number (sid, phone_number, settings, created, updated) values (?, ?, ?, ?, ?)",
            [sid, phone_number, json.dumps(dict(settings)), at, at],
        )
        return self.get(sid)

    def get(self, sid: str) -> Number:
        """Raises KeyError."""
        return self._one("select * from number where sid = ?", sid)

    def by_number(self, phone_number: str) -> Number | None:
        return next(self._numbers("select * from number where phone_number = ?", phone_number), None)

    def all(self) -> list[Number]:
        """Every number, newest first."""
        return list(self._numbers("select * from number order by seq desc"))

    def set(self, sid: str, settings: Mapping[str, str]) -> Number:
        number = self.get(sid)
        self._db.execute(
            "update number set settings = ?, updated = ? where sid = ?",
            [json.dumps(number.settings | dict(settings)), now(), sid],
        )
        return self.get(sid)

    def release(self, sid: str) -> None:
        """Given back, with its opt-outs: whoever buys it next starts afresh."""
        self._db.execute("delete from block where ours = ?", [self.get(sid).phone_number])
        self._db.execute("delete from number where sid = ?", [sid])

    def add_service(self, settings: Mapping[str, object]) -> Service:
        sid, at = new_sid("MG"), now()
        self._db.execute(
            "insert into service (sid, settings, created, updated) values (?, ?, ?, ?)",
            [sid, json.dumps(dict(settings)), at, at],
        )
        return self.service(sid)

    def service(self, sid: str) -> Service:
        """Raises KeyError."""
        row = self._db.execute("select * from service where sid = ?", [sid]).fetchone()
        if not row:
            raise KeyError(sid)
        return Service(row["seq"], row["sid"], json.loads(row["settings"]), row["created"], row["updated"])

    def services(self) -> list[Service]:
        """Every Messaging Service, newest first."""
        return [self.service(row["sid"]) for row in self._db.execute("select sid from service order by seq desc")]

    def set_service(self, sid: str, settings: Mapping[str, object]) -> Service:
        service = self.service(sid)
        self._db.execute(
            "update service set settings = ?, updated = ? where sid = ?",
            [json.dumps(service.settings | dict(settings)), now(), sid],
        )
        return self.service(sid)

    def delete_service(self, sid: str) -> None:
        self._db.execute("update number set service_sid = null, joined = null where service_sid = ?", [sid])
        self._db.execute("delete from service where sid = ?", [sid])

    def campaign(self, service: Service) -> Campaign | None:
        """Every service is registered here unless register said otherwise."""
        status = str(service.settings.get(CAMPAIGN, VERIFIED))
        if status == UNREGISTERED:
            return None
        digits = service.sid.removeprefix("MG")
        return Campaign(f"QE{digits}", status, f"C{digits[:6].upper()}" if status == VERIFIED else None)

    def is_registered(self, phone_number: str) -> bool:
        """False for a number whose service's campaign is not verified; a number of no service is left alone."""
        number = self.by_number(phone_number)
        if not number or not number.service_sid:
            return True
        campaign = self.campaign(self.service(number.service_sid))
        return campaign is not None and campaign.status == VERIFIED

    def members(self, service_sid: str) -> list[Number]:
        """The numbers of a Messaging Service, first added first."""
        return list(self._numbers("select * from number where service_sid = ? order by joined, seq", service_sid))

    def join(self, service_sid: str, number_sid: str) -> Number:
        """Raises Refusal 21710, 21712 and 21714 as Twilio does: a number is in one service, a service has a limit."""
        number = self.get(number_sid)
        if number.service_sid == service_sid:
            raise Refusal(21710)
        if number.service_sid:
            raise Refusal(21712)
        if len(self.members(service_sid)) >= self._service_size:
            raise Refusal(21714)
        joined = [service_sid, now(), number_sid]
        self._db.execute("update number set service_sid = ?, joined = ? where sid = ?", joined)
        return self.get(number_sid)

    def leave(self, number_sid: str) -> None:
        self._db.execute("update number set service_sid = null, joined = null where sid = ?", [number_sid])

    def siblings(self, number: Number) -> list[str]:
        """The numbers that one STOP silences: all of its Messaging Service, or itself alone."""
        if not number.service_sid:
            return [number.phone_number]
        return [member.phone_number for member in self.members(number.service_sid)]

    def _one(self, sql: str, sid: str) -> Number:
        found = next(self._numbers(sql, sid), None)
        if found is None:
            raise KeyError(sid)
        return found

    def _numbers(self, sql: str, *values: str) -> Iterator[Number]:
        for row in self._db.execute(sql, values).fetchall():
            yield Number(**{**dict(row), "settings": json.loads(row["settings"])})


class OptOuts:
    """Which family blocked which of our numbers."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def block(self, ours: list[str], family: str) -> bool:
        """True when that was news for at least one of the numbers."""
        pairs = [(number, family) for number in ours]
        return self._db.executemany("insert or ignore into block values (?, ?)", pairs).rowcount > 0

    def unblock(self, ours: list[str], family: str) -> bool:
        """True when at least one of the numbers was blocked."""
        pairs = [(number, family) for number in ours]
        return self._db.executemany("delete from block where ours = ? and family = ?", pairs).rowcount > 0

    def is_blocked(self, ours: list[str], family: str) -> bool:
        """Whether any of the numbers is blocked by the family."""
        marks = ", ".join("?" * len(ours))
        return bool(
            self._db.execute(f"select 1 from block where family = ? and ours in ({marks})", [family, *ours]).fetchone()
        )
