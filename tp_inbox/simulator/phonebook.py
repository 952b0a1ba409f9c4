"""The family phones: who they belong to, what is unread on them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from .fiction import fate_of


@dataclass(frozen=True)
class Phone:
    """A family phone as the list shows it. last_at is None for a phone that never got or sent a text."""

    number: str
    label: str
    language: str
    unread: int
    last_body: str
    last_media: int
    last_own: bool
    last_at: float | None

    def as_json(self) -> dict[str, object]:
        fate = fate_of(self.number)
        return {
            "number": self.number,
            "label": self.label,
            "language": self.language,
            "unread": self.unread,
            "last_body": self.last_body,
            "last_media": self.last_media,
            "last_own": self.last_own,
            "last_at": self.last_at,
            "fate": fate.sentence if fate else "",
        }


# One row a phone: its newest shown text, and how many of the district's are newer than the last look at it.
SUMMARY = """
with shown as (
  select iif(direction = 'inbound', sender, recipient) as number, direction = 'inbound' as own, body, num_media,
         shown_at, seq
  from message where shown_at is not null
), newest as (
  select *, row_number() over (partition by number order by shown_at desc, seq desc) as place from shown
), everyone as (
  select number from phone union select number from shown
)
select everyone.number, coalesce(phone.label, '') as label, coalesce(phone.language, '') as language,
       (select count(*) from message where recipient = everyone.number and direction <> 'inbound'
          and shown_at > coalesce(phone.read_at, 0)) as unread,
       coalesce(newest.body, '') as last_body, coalesce(newest.num_media, 0) as last_media,
       coalesce(newest.own, 0) as last_own, newest.shown_at as last_at
from everyone
left join phone on phone.number = everyone.number
left join newest on newest.number = everyone.number and newest.place = 1
"""


class Phonebook:
    """Labels phones, counts what is unread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def label(self, phones: Iterable[tuple[str, str, str]]) -> None:
        """Takes (number, label, language) of each; a known phone is renamed."""
        self._db.executemany(
            "insert into phone (number, label, language) values (?, ?, ?)"
            " on conflict do update set label = excluded.label, language = excluded.language",
            list(phones),
        )

    def phones(self) -> list[Phone]:
        """Every phone: those with texts first, newest text first, then by label."""
        order = " order by last_at is null, last_at desc, label collate nocase, everyone.number"
        return [self._phone(row) for row in self._db.execute(SUMMARY + order)]

    def phone(self, number: str) -> Phone | None:
        row = self._db.execute(SUMMARY + " where everyone.number = ?", [number]).fetchone()
        return self._phone(row) if row else None

    def read(self, number: str) -> None:
        """Somebody looked at the phone: nothing on it is unread."""
        self._db.execute(
            "insert into phone (number, read_at) values (:number, :at) on conflict do update set read_at = :at",
            {"number": number, "at": time.time()},
        )

    @staticmethod
    def _phone(row: sqlite3.Row) -> Phone:
        return Phone(**{**dict(row), "last_own": bool(row["last_own"])})
