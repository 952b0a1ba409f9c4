"""Every text that went through the carrier."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

from .database import new_sid, now
from .segments import count_segments

ON_THE_WAY = ("accepted", "queued", "sending", "sent")
SORT_DATE = "coalesce(sent, created)"


@dataclass(frozen=True)
class Message:
    """One text. created, updated and sent are whole seconds, shown_at the moment its family phone shows it.

    listed is false for what Twilio keeps out of its log: its own answers to STOP, START and HELP.
    """

    seq: int
    sid: str
    direction: str
    sender: str
    recipient: str
    body: str
    status: str
    error_code: int | None
    error_message: str | None
    num_segments: int
    num_media: int
    service_sid: str | None
    callback: str
    validity: int
    created: int
    updated: int
    sent: int | None
    listed: int
    shown_at: float | None

    @property
    def is_inbound(self) -> bool:
        return self.direction == "inbound"

    @property
    def family(self) -> str:
        """The family phone at one end."""
        return self.sender if self.is_inbound else self.recipient

    @property
    def ours(self) -> str:
        """The number of this account at the other end; empty until a Messaging Service has chosen one."""
        return self.recipient if self.is_inbound else self.sender


@dataclass(frozen=True)
class Medium:
    """A picture. Inbound ones have content, outbound ones the address they are fetched from."""

    sid: str
    message_sid: str
    content_type: str
    url: str
    content: bytes | None
    created: int


@dataclass(frozen=True)
class Filter:
    """What a list of messages is narrowed to; the dates are inclusive."""

    to: str = ""
    sender: str = ""
    sent_from: int | None = None
    sent_until: int | None = None

    def conditions(self) -> tuple[list[str], list[object]]:
        wanted: list[tuple[str, object]] = [
            ("recipient = ?", self.to or None),
            ("sender = ?", self.sender or None),
            (f"sent is not null and {SORT_DATE} >= ?", self.sent_from),
            (f"sent is not null and {SORT_DATE} <= ?", self.sent_until),
        ]
        used = [(sql, value) for sql, value in wanted if value is not None]
        return [sql for sql, _ in used], [value for _, value in used]


COLUMNS = [field.name for field in fields(Message)]


class MessageLog:
    """Writes texts down, moves them along, finds them again."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def add_outbound(
        self,
        *,
        sender: str,
        to: str,
        body: str,
        media_urls: Sequence[str],
        service_sid: str | None,
        callback: str,
        validity: int,
    ) -> Message:
        """A text just taken from the district: accepted for a Messaging Service, else queued."""
        message = self._insert(
            sid=new_sid("MM" if media_urls else "SM"),
            direction="outbound-api",
            sender=sender,
            recipient=to,
            body=body,
            status="accepted" if service_sid else "queued",
            num_segments=0 if service_sid else count_segments(body),
            num_media=len(media_urls),
            service_sid=service_sid,
            callback=callback,
            validity=validity,
        )
        for url in media_urls:
            self._add_medium(message.sid, "image/jpeg", url, None)
        return message

    def add_inbound(
        self,
        *,
        sender: str,
        to: str,
        body: str,
        pictures: Sequence[tuple[str, bytes]],
        service_sid: str | None,
        listed: bool = True,
    ) -> Message:
        """A text that a family wrote; pictures are (content type, bytes)."""
        message = self._insert(
            sid=new_sid("MM" if pictures else "SM"),
            direction="inbound",
            sender=sender,
            recipient=to,
            body=body,
            status="received",
            num_segments=count_segments(body),
            num_media=len(pictures),
            service_sid=service_sid,
            sent=now(),
            shown_at=time.time(),
            listed=listed,
        )
        for content_type, content in pictures:
            self._add_medium(message.sid, content_type, "", content)
        return message

    def add_answer(self, *, sender: str, to: str, body: str) -> Message:
        """Twilio's own answer to a keyword: on the phone at once, in no list."""
        return self._insert(
            sid=new_sid("SM"),
            direction="outbound-reply",
            sender=sender,
            recipient=to,
            body=body,
            status="delivered",
            num_segments=count_segments(body),
            sent=now(),
            shown_at=time.time(),
            listed=False,
        )

    def get(self, sid: str) -> Message | None:
        row = self._db.execute("select * from message where sid = ?", [sid]).fetchone()
        return Message(*row) if row else None

    def get_listed(self, sid: str) -> Message | None:
        """As get, for those outside, who do not see what is not listed."""
        message = self.get(sid)
        return message if message and message.listed else None

    def change(self, sid: str, **changes: object) -> Message | None:
        """The message after the change; None when it was deleted meanwhile."""
        return self._update("sid = ?", sid, changes)

    def move(self, sid: str, **changes: object) -> Message | None:
        """As change, but None also for a text that was cancelled."""
        return self._update("sid = ? and status <> 'canceled'", sid, changes)

    def delete(self, sid: str) -> None:
        self._db.execute("delete from media where message_sid = ?", [sid])
        self._db.execute("delete from message where sid = ?", [sid])

    def page(self, wanted: Filter, size: int, after: Message | None = None, backwards: bool = False) -> list[Message]:
        """Up to size messages, newest first, from behind (or, backwards, before) a given one."""
        conditions, values = wanted.conditions()
        if after:
            conditions.append(f"({SORT_DATE}, seq) {'>' if backwards else '<'} (?, ?)")
            values += [after.sent or after.created, after.seq]
        order = "asc" if backwards else "desc"
        rows = self._db.execute(
            f"select * from message where {' and '.join(['listed', *conditions])}"
            f" order by {SORT_DATE} {order}, seq {order} limit ?",
            [*values, size],
        ).fetchall()
        return [Message(*row) for row in (reversed(rows) if backwards else rows)]

    def on_the_way(self) -> list[Message]:
        """Outbound texts that a stopped simulator left unfinished, oldest first."""
        marks = ", ".join("?" * len(ON_THE_WAY))
        rows = self._db.execute(f"select * from message where status in ({marks}) order by seq", ON_THE_WAY)
        return [Message(*row) for row in rows]

    def on_phone(self, family: str, limit: int) -> list[Message]:
        """The last texts that a family phone shows, oldest first."""
        rows = self._db.execute(
            "select * from (select * from message where recipient = :family and direction <> 'inbound'"
            " union all select * from message where sender = :family and direction = 'inbound')"
            " where shown_at is not null order by shown_at desc, seq desc limit :limit",
            {"family": family, "limit": limit},
        ).fetchall()
        return [Message(*row) for row in reversed(rows)]

    def last_sender(self, family: str, senders: Sequence[str]) -> str | None:
        """Which of these numbers wrote to the family last (Twilio's sticky sender)."""
        marks = ", ".join("?" * len(senders))
        row = self._db.execute(
            f"select sender from message where recipient = ? and sender in ({marks}) order by seq desc limit 1",
            [family, *senders],
        ).fetchone()
        return row["sender"] if row else None

    def media_of(self, message_sid: str) -> list[Medium]:
        rows = self._db.execute("select * from media where message_sid = ? order by rowid", [message_sid])
        return [Medium(*row) for row in rows]

    def medium(self, sid: str) -> Medium | None:
        row = self._db.execute("select * from media where sid = ?", [sid]).fetchone()
        return Medium(*row) if row else None

    def delete_medium(self, sid: str) -> None:
        self._db.execute("delete from media where sid = ?", [sid])

    def _update(self, which: str, sid: str, changes: dict[str, object]) -> Message | None:
        changes["updated"] = now()
        assignments = ", ".join(f"{column} = ?" for column in changes)
        row = self._db.execute(
            f"update message set {assignments} where {which} returning *", [*changes.values(), sid]
        ).fetchone()
        return Message(*row) if row else None

    def _insert(self, **given: object) -> Message:
        at = now()
        values = (
            dict.fromkeys(COLUMNS)
            | {
                "num_media": 0,
                "callback": "",
                "validity": 0,
                "created": at,
                "updated": at,
                "listed": True,
            }
            | given
        )
        del values["seq"]
        marks = ", ".join("?" * len(values))
        row = self._db.execute(
            f"insert into message ({', '.join(values)}) values ({marks}) returning *", list(values.values())
        ).fetchone()
        return Message(*row)

    def _add_medium(self, message_sid: str, content_type: str, url: str, content: bytes | None) -> None:
        medium = (new_sid("ME"), message_sid, content_type, url, content, now())
        self._db.execute("insert into media values (?, ?, ?, ?, ?, ?)", medium)
