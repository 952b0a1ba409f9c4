"""Reading the audit log: pages of it, what is searched and filtered, and the same as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Row, Select, cast, false, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.services import actors, audit, audit_sentences as sentences
from tp_inbox.services.audit_sentences import GROUPS, KINDS, Detail, Group, Told
from tp_inbox.services.csv_files import BYTE_ORDER_MARK, write_rows
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.places import HELD
from tp_inbox.storage.queries.words import asked as cleaned, begun, named
from tp_inbox.storage.tables import AuditEntry, District, Role, School, SchoolGroup, Staff

ENTRIES_A_PAGE = 50
LINES_AT_ONCE = 1_000
"""Of a file: so many are in memory, and the reader's permissions are asked again before each."""
PEOPLE_OFFERED = 8
PEOPLE_MEANT = 200
"""A word that is in more people's names than this means none of them."""
LEAST_LETTERS = 3
"""Of a word that is looked for in the middle of names; no index helps to find a shorter one there."""
MOST_WORDS = 6
YEARS = range(2000, 3000)
NO_DAY = "Please give a day like 2026-03-08."
HEADS = ("When (UTC)", "Who", "What", "About", "From where", "Details", "Kind", "Number")

Entry = Row


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader looks for. Days are the district's, both included; ``person`` did it, or it was done to them."""

    words: str = ""
    group: Group | None = None
    person: int = 0
    school: int = 0
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """Where a page ends."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class LogLine:
    id: int
    at: str
    icon: str
    who: str
    sentence: str
    address: str
    about: str
    """The name of the person to whom it was done, and ``subject`` their id; empty and 0 for none."""
    actor: int
    subject: int
    details: list[Detail]
    above: str = ""
    """When the entry was that stands above it on the page."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Newest first. ``last``: the key after which the next page begins; None at the end of the log."""

    lines: list[LogLine]
    last: Key | None


@dataclass(frozen=True, slots=True)
class Choice:
    id: int
    name: str


def group_of(word: str) -> Group | None:
    """Raises Invalid for a word that is no group; an empty one means all."""
    if word and word not in GROUPS:
        raise Invalid("There are no such entries.")
    return Group(word) if word else None


def day_of(text: str) -> date | None:
    """Raises Invalid for what is no day; an empty one means any."""
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid(NO_DAY) from None
    if day and day.year not in YEARS:
        raise Invalid(NO_DAY)
    return day


class AuditLog:
    """Of a district's log everybody sees the entries of the schools where they may view it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(self, actor: Actor, asked: Asked, after: Key | None = None) -> LogPage:
        access.require(access.views_audit_log(actor), access.LOG_ONLY)
        reach = access.schools_of_read_log(actor)
        async with self._db.reading() as session:
            found = await _entries(session, asked, reach, after, ENTRIES_A_PAGE + 1)
            rows = found[:ENTRIES_A_PAGE]
            lines = _below_each_other(await _lines(session, rows))
        return LogPage(lines, _key(rows[-1]) if len(found) > ENTRIES_A_PAGE else None)

    async def schools(self, actor: Actor) -> list[Choice]:
        """By which the actor may narrow the log."""
        access.require(access.views_audit_log(actor), access.LOG_ONLY)
        reach = access.schools_of_read_log(actor)
        within = [] if reach is None else [col(School.id).in_(reach)]
        choices = select(col(School.id), col(School.name)).where(*within).order_by(func.plain(col(School.name)))
        async with self._db.reading() as session:
            return [Choice(*row) for row in await session.execute(choices)]

    async def people(self, actor: Actor, words: str) -> list[Choice]:
        """The first few members of staff of that name, for narrowing the log to one of them."""
        access.require(access.views_audit_log(actor), access.LOG_ONLY)
        words = cleaned(words)
        if not words:
            return []
        offered = _people(access.schools_of_read_log(actor)).where(named(_PERSON, words))
        async with self._db.reading() as session:
            found = await session.execute(offered.order_by(col(Staff.name), col(Staff.id)).limit(PEOPLE_OFFERED))
            return [Choice(*row) for row in found]

    async def person(self, actor: Actor, staff_id: int) -> str:
        """The name of a person by whom the actor may narrow the log. Raises NotFound for anybody else."""
        access.require(access.views_audit_log(actor), access.LOG_ONLY)
        whose = _people(access.schools_of_read_log(actor)).where(col(Staff.id) == staff_id)
        async with self._db.reading() as session:
            found = (await session.execute(whose)).one_or_none()
        if found is None:
            raise NotFound
        return found.name

    async def as_file(self, actor: Actor, asked: Asked) -> AsyncIterator[str]:
        """The log as a CSV, part by part; that somebody took it away is written into it first."""
        async with self._db.transaction() as session:
            actor = await _exporter(session, actor)
            schools = access.schools_of_exported_log(actor) or ()
            facts, names = _as_facts(asked)
            await audit.record(session, AuditKind.EXPORTED, actor, schools=schools, facts=facts, names=names)
        return self._parts(actor, asked)

    async def _parts(self, actor: Actor, asked: Asked) -> AsyncIterator[str]:
        yield BYTE_ORDER_MARK + write_rows([HEADS])
        after: Key | None = None
        while True:
            async with self._db.reading() as session:
                actor = await _exporter(session, actor)
                reach = access.schools_of_exported_log(actor)
                rows = await _entries(session, asked, reach, after, LINES_AT_ONCE)
                lines = await _lines(session, rows)
            if not rows:
                return
            yield write_rows(_cells(line, row) for line, row in zip(lines, rows, strict=True))
            after = _key(rows[-1])


async def _exporter(session: AsyncSession, actor: Actor) -> Actor:
    actor = await actors.as_of_now(session, actor)
    access.require(access.exports_log(actor), access.LOG_EXPORT_ONLY)
    return actor


def _as_facts(asked: Asked) -> tuple[dict[str, Any], dict[str, str]]:
    """What was filtered by, for the entry about the file; what was typed is apart, among the names."""
    days = {"since": asked.since, "until": asked.until}
    facts = {"what": "audit_log", "group": asked.group, "person": asked.person, "school": asked.school}
    facts |= {name: day.isoformat() for name, day in days.items() if day}
    return {name: value for name, value in facts.items() if value}, {"search": asked.words} if asked.words else {}


# Finding -----------------------------------------------------------------------------------------------------

_NAMES: ColumnElement[Any] = func.plain_names(col(AuditEntry.names))
_PERSON: Any = col(Staff.found_by)
_COLUMNS = select(
    col(AuditEntry.id),
    col(AuditEntry.at),
    col(AuditEntry.kind),
    col(AuditEntry.actor_id),
    col(AuditEntry.subject_id),
    col(AuditEntry.address),
    col(AuditEntry.facts),
    col(AuditEntry.before),
    col(AuditEntry.after),
    col(AuditEntry.names),
).order_by(col(AuditEntry.at).desc(), col(AuditEntry.id).desc())


async def _entries(
    session: AsyncSession, asked: Asked, reach: Collection[int] | None, after: Key | None, limit: int
) -> Sequence[Entry]:
    narrowed = [*_within(reach), *_filtered(asked), *await _searched(session, asked.words)]
    if asked.since or asked.until:
        narrowed += _days(asked, await _zone(session))
    if after:
        narrowed.append(tuple_(col(AuditEntry.at), col(AuditEntry.id)) < tuple_(after.at, after.id))
    return (await session.execute(_COLUMNS.where(*narrowed).limit(limit))).all()


def _within(reach: Collection[int] | None) -> list[ColumnElement[bool]]:
    return [] if reach is None else [_at_any(reach)]


def _filtered(asked: Asked) -> Iterable[ColumnElement[bool]]:
    if asked.group:
        yield col(AuditEntry.kind).in_(sentences.kinds_of(asked.group))
    if asked.person:
        yield _concerns([asked.person])
    if asked.school:
        yield _at_any([asked.school])


def _at_any(schools: Collection[int]) -> ColumnElement[bool]:
    overlap = col(AuditEntry.schools).op("&&", is_comparison=True)
    return overlap(cast(sorted(schools), ARRAY(BigInteger)))


def _concerns(people: Collection[int]) -> ColumnElement[bool]:
    return or_(col(AuditEntry.actor_id).in_(people), col(AuditEntry.subject_id).in_(people))


async def _searched(session: AsyncSession, words: str) -> list[ColumnElement[bool]]:
    """Each word is in a name that was written down, in the name of a person today, or in what was done."""
    return [await _has_word(session, word) for word in cleaned(words).split()[:MOST_WORDS]]


async def _has_word(session: AsyncSession, word: str) -> ColumnElement[bool]:
    people = await _meant(session, word) if len(word) >= LEAST_LETTERS else []
    kinds = _kinds_called(word.lower())
    return or_(
        named(_NAMES, word) if len(word) >= LEAST_LETTERS else begun(_NAMES, word),
        _concerns(people) if people else false(),
        col(AuditEntry.kind).in_(kinds) if kinds else false(),
    )


async def _meant(session: AsyncSession, word: str) -> list[int]:
    """Also those who were called otherwise when it was written, or whose name was removed since."""
    found = select(col(Staff.id)).where(named(_PERSON, word), named(func.plain(col(Staff.name)), word))
    ids = list(await session.scalars(found.limit(PEOPLE_MEANT + 1)))
    return ids if len(ids) <= PEOPLE_MEANT else []


def _kinds_called(word: str) -> list[AuditKind]:
    """ "deactivated" and "sign" mean what was done; shorter words would mean too much."""
    if len(word) < LEAST_LETTERS:
        return []
    return [kind for kind in KINDS if any(part.startswith(word) for part in kind.value.split("_"))]


def _days(asked: Asked, zone: ZoneInfo) -> list[ColumnElement[bool]]:
    since = [col(AuditEntry.at) >= _midnight(asked.since, zone)] if asked.since else []
    until = [col(AuditEntry.at) < _midnight(asked.until + timedelta(days=1), zone)] if asked.until else []
    return since + until


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone)


async def _zone(session: AsyncSession) -> ZoneInfo:
    return ZoneInfo(await session.scalar(select(col(District.time_zone)).limit(1)) or "UTC")


def _people(reach: Collection[int] | None) -> Select[int, str]:
    people = select(col(Staff.id), col(Staff.name))
    if reach is None:
        return people
    return people.where(col(Staff.id).in_(select(HELD.c.staff_id).where(HELD.c.school_id.in_(reach))))


def _below_each_other(lines: Sequence[LogLine]) -> list[LogLine]:
    return [replace(line, above=lines[n - 1].at if n else "") for n, line in enumerate(lines)]


def _key(row: Entry) -> Key:
    return Key(row.at, row.id)


# Telling -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Today:
    """What people, roles, schools and groups are called now, by id: for entries that have lost their names."""

    staff: Mapping[int, str]
    roles: Mapping[int, str]
    schools: Mapping[int, str]
    groups: Mapping[int, str]


async def _lines(session: AsyncSession, rows: Sequence[Entry]) -> list[LogLine]:
    today = await _today(session, rows)
    return [_line(row, today) for row in rows]


async def _today(session: AsyncSession, rows: Sequence[Entry]) -> _Today:
    people = {i for row in rows for i in (row.actor_id, row.subject_id, row.facts.get("successor"))}
    roles = {row.facts.get(key) for row in rows for key in ("role", "successor")}
    schools = {i for row in rows for i in _schools_in(row)} | {row.facts.get("school") for row in rows}
    places = {row.facts.get("place_id") for row in rows}
    groups = {row.facts.get("group") for row in rows}
    return _Today(
        await _called(session, Staff, people),
        await _called(session, Role, roles),
        await _called(session, School, schools | places),
        await _called(session, SchoolGroup, groups | places),
    )


def _schools_in(row: Entry) -> list[Any]:
    return [i for side in (row.before, row.after) if isinstance(side.get("schools"), list) for i in side["schools"]]


async def _called(session: AsyncSession, table: type[SQLModel], ids: Iterable[Any]) -> dict[int, str]:
    asked = [i for i in ids if isinstance(i, int) and not isinstance(i, bool)]
    if not asked:
        return {}
    columns = table.__table__.c  # type: ignore[attr-defined]
    rows = await session.execute(select(columns.id, columns.name).where(columns.id.in_(asked)))
    return {row.id: row.name for row in rows}


def _line(row: Entry, today: _Today) -> LogLine:
    told = _told(row, today)
    about = told.words.get("subject", "") if row.subject_id and not told.by_itself else ""
    return LogLine(
        id=row.id,
        at=row.at.isoformat(),
        icon=KINDS[row.kind].icon,
        who=sentences.who(told),
        sentence=sentences.sentence(told),
        address=row.address,
        about=about,
        actor=row.actor_id or 0,
        subject=row.subject_id or 0,
        details=sentences.details(told),
    )


def _told(row: Entry, today: _Today) -> Told:
    return Told(
        kind=row.kind,
        words=_names_of_today(row, today) | row.names,
        by_itself=row.actor_id is not None and row.actor_id == row.subject_id,
        facts=row.facts,
        before=row.before,
        after=row.after,
        schools=today.schools,
    )


def _names_of_today(row: Entry, today: _Today) -> dict[str, str]:
    facts = row.facts
    at_group = facts.get("place") == "group"
    found = {
        "actor": today.staff.get(row.actor_id),
        "subject": today.staff.get(row.subject_id),
        "role": today.roles.get(facts.get("role")),
        "school": today.schools.get(facts.get("school")),
        "group": today.groups.get(facts.get("group")),
        "place": (today.groups if at_group else today.schools).get(facts.get("place_id")),
        "successor": (today.roles if "role" in facts else today.staff).get(facts.get("successor")),
    }
    return {name: words for name, words in found.items() if words}


def _cells(line: LogLine, row: Entry) -> Sequence[object]:
    details = "; ".join(f"{d.label}: {d.was} → {d.now}" if d.was else f"{d.label}: {d.now}" for d in line.details)
    when = row.at.strftime("%Y-%m-%d %H:%M:%S")
    kind = GROUPS[KINDS[row.kind].group]
    return (when, line.who, line.sentence, line.about, line.address, details, kind, line.id)
