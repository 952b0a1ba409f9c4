"""The numbers of a district as those see them who manage its schools: whose each is, what it costs, what ails it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.domain.phone import digits, display_phone
from tp_inbox.services import actors, audit
from tp_inbox.services.number_care import is_unused, released
from tp_inbox.services.number_limits import Limits, is_rented
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.words import named
from tp_inbox.storage.tables import Campaign, Message, Number, Pair, School, Staff, UnknownNumber
from tp_inbox.storage.tables.messages import Direction, NumberState

ROWS_A_PAGE = 50
DISTRICT = "The district"
IN_USE = (
    "This number is in use. Only those of people who have left are given back, and shared ones that no family knows."
)
NOT_LOST = "The phone company has this number, so there is nothing to replace."
RELEASE_WARNING = "Families who text this number afterwards reach nobody, and somebody else may get it."
"""What an admin confirms."""
SHARED = "Shared number"


class NumberAction(StrEnum):
    """What an admin can do about a number, where it is allowed."""

    RESUME = "resume"
    BUY_AGAIN = "buy_again"
    REPLACE = "replace"
    RELEASE = "release"


class OwnerKind(StrEnum):
    PERSON = "person"
    SCHOOL = "school"
    POOL = "pool"


@dataclass(frozen=True, slots=True)
class NumberFilters:
    """What the list is narrowed to; empty where nothing is asked. ``words``: of an owner's name, or digits.
    ``owner``: an OwnerKind. ``trouble``: only what needs somebody. ``school_id``: a campaign's school.
    """

    words: str = ""
    owner: str = ""
    school_id: int = 0
    trouble: bool = False


@dataclass(frozen=True)
class NumberRow:
    """A line of the list. ``kind``: "ok", "wait" or "bad". ``owner``: a name; ``address``: of the owner's page.
    ``campaign``: the school with whose numbers it travels, or the district. ``since``: when it was bought, ISO, UTC.
    ``segments``: sent from it this month, and in dollars with the number's own ``cost``. ``families``: who share a
    pooled one. ``actions``: NumberActions.
    """

    id: int
    number: str
    owner: str
    owner_kind: str
    address: str
    campaign: str
    kind: str
    said: str
    problem: str
    since: str
    cost: float
    segments: int
    segments_cost: float
    families: int
    actions: list[str]


@dataclass(frozen=True)
class NumberSummary:
    """Of all rented numbers. ``cap``: dollars a month for them, or None without one. ``segments``: sent from
    all of them this month, and in dollars by the district's own price.
    """

    count: int
    cost: float
    cap: float | None
    trouble: int
    price: float
    segments: int
    segments_cost: float


@dataclass(frozen=True)
class UnknownRow:
    """A number that the account pays for and this inbox does not use. ``label``: its name in the carrier's console."""

    number: str
    label: str


@dataclass(frozen=True)
class NumberPage:
    """``more``: whether others follow; the last row's id asks for them."""

    rows: list[NumberRow]
    more: bool
    summary: NumberSummary


class NumberAdmin:
    def __init__(self, db: Database, limits: Limits, segment_price: float) -> None:
        self._db = db
        self._limits = limits
        self._segment_price = segment_price

    async def list(self, actor: Actor, filters: NumberFilters = NumberFilters(), after: int = 0) -> NumberPage:
        """What is in trouble first, then by the owner's name; after that number's row."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            found = (await session.execute(_list(filters, after))).all()
            ids = [row.Number.id for row in found[:ROWS_A_PAGE]]
            segments, families = await _segments_of(session, ids), await _families_of(session, ids)
            summary = await self._summary(session)
        rows = [self._row(row, segments, families) for row in found[:ROWS_A_PAGE]]
        return NumberPage(rows, len(found) > ROWS_A_PAGE, summary)

    async def number(self, actor: Actor, number_id: int) -> NumberRow | None:
        """One line of the list; None when it is not there any more."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            row = (await session.execute(_rows().where(col(Number.id) == number_id))).one_or_none()
            segments, families = await _segments_of(session, [number_id]), await _families_of(session, [number_id])
        return self._row(row, segments, families) if row else None

    async def unknown(self, actor: Actor) -> list[UnknownRow]:
        """What the account pays for besides, as of the last comparison: of another product, or left over."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            found = await session.scalars(select(UnknownNumber).order_by(col(UnknownNumber.e164)))
            return [UnknownRow(display_phone(number.e164), number.label) for number in found]

    async def release(self, actor: Actor, number_id: int) -> None:
        """Gives it back for good: one in quarantine, or a shared one that no family knows. Who texts it afterwards
        reaches nobody here. Raises Invalid for any other.
        """
        async with self._db.transaction() as session:
            actor = await _manager_now(session, actor)
            number = await _locked(session, number_id)
            unused = await session.scalar(select(is_unused()).where(col(Number.id) == number_id))
            if number.state is not NumberState.QUARANTINED and not (unused and number.state is NumberState.ACTIVE):
                raise Invalid(IN_USE)
            number.state, number.next_attempt_at = NumberState.RELEASING, utc_now()
            await _record(session, actor, number, "released")

    async def replace(self, actor: Actor, number_id: int) -> None:
        """Buys another in place of one that the carrier has no more; families are told by whom it is with its first
        text. Raises Invalid for a number that is not lost.
        """
        async with self._db.transaction() as session:
            actor = await _manager_now(session, actor)
            number = await _locked(session, number_id)
            if number.state is not NumberState.GONE:
                raise Invalid(NOT_LOST)
            await _record(session, actor, number, "replaced")
            await released(session, number)
            await _take_its_place(session, number)

    async def _summary(self, session: AsyncSession) -> NumberSummary:
        counted = select(
            func.count().filter(is_rented()).label("rented"), func.count().filter(_is_in_trouble()).label("trouble")
        ).select_from(Number)
        row = (await session.execute(counted.where(col(Number.state) != NumberState.RELEASED))).one()
        limits = self._limits
        sent = await session.scalar(select(func.sum(col(Message.segments))).where(_sent_this_month())) or 0
        money = row.rented * limits.price, limits.spending
        return NumberSummary(row.rented, *money, row.trouble, limits.price, int(sent), int(sent) * self._segment_price)

    def _row(self, row: Row, segments: dict[int, int], families: dict[int, int]) -> NumberRow:
        number: Number = row.Number
        kind, said = _state_of(number)
        sent = segments.get(number.id, 0)
        return NumberRow(
            id=number.id,
            number=display_phone(number.e164) if number.e164 and number.sid else "",
            owner=row.owner,
            owner_kind=_owner_kind(number).value,
            address=_address(number),
            campaign=row.campaign,
            kind=kind,
            said=said,
            problem=number.problem,
            since=number.bought_at.isoformat() if number.bought_at else "",
            cost=self._limits.price if _is_paid_for(number) else 0.0,
            segments=sent,
            segments_cost=sent * self._segment_price,
            families=families.get(number.id, 0),
            actions=[action.value for action in actions_on(number, families.get(number.id, 0))],
        )


async def _manager_now(session: AsyncSession, actor: Actor) -> Actor:
    actor = await actors.as_of_now(session, actor)
    access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
    return actor


async def _locked(session: AsyncSession, number_id: int) -> Number:
    number = await session.get(Number, number_id, with_for_update={"key_share": True})
    if number is None:
        raise NotFound
    return number


async def _take_its_place(session: AsyncSession, lost: Number) -> None:
    """For the same owner, or for the same families."""
    await session.flush()
    place = {"staff_id": lost.staff_id, "school_id": lost.school_id, "pooled": lost.pooled}
    left = lost.quarantined_until
    new = Number(**place, campaign_id=lost.campaign_id, area_code=lost.area_code, quarantined_until=left)
    session.add(new)
    await session.flush()
    await session.execute(update(Pair).where(col(Pair.number_id) == lost.id).values(number_id=new.id))


async def _record(session: AsyncSession, actor: Actor, number: Number, change: str) -> None:
    await audit.record(
        session,
        AuditKind.NUMBER_CHANGED,
        actor,
        subject=number.staff_id,
        schools=[number.school_id] if number.school_id else None,
        facts={"number": number.id, "change": change} | ({"school": number.school_id} if number.school_id else {}),
        names={"number": number.e164} if number.e164 else {},
    )


def actions_on(number: Number, families: int) -> list[NumberAction]:
    """What can be done about it now. ``families``: how many have a pooled number."""
    match number.state:
        case NumberState.STOPPED:
            return [NumberAction.RESUME if number.sid else NumberAction.BUY_AGAIN]
        case NumberState.GONE:
            return [NumberAction.REPLACE]
        case NumberState.QUARANTINED:
            return [NumberAction.RELEASE]
        case NumberState.ACTIVE if number.pooled and not families:
            return [NumberAction.RELEASE]
    return []


def _is_paid_for(number: Number) -> bool:
    return number.sid is not None and number.state not in (NumberState.GONE, NumberState.RELEASED)


def _owner_kind(number: Number) -> OwnerKind:
    if number.pooled:
        return OwnerKind.POOL
    return OwnerKind.PERSON if number.staff_id else OwnerKind.SCHOOL


def _address(number: Number) -> str:
    if number.staff_id:
        return f"/admin/staff/{number.staff_id}"
    return f"/admin/schools/{number.school_id}" if number.school_id else ""


def _state_of(number: Number) -> tuple[str, str]:
    """How it is doing, as a kind and in words."""
    match number.state:
        case NumberState.STOPPED if number.sid is None:
            return NOT_BOUGHT
        case NumberState.ACTIVE if number.problem:
            return AILING
        case NumberState.QUARANTINED if number.quarantined_until:
            return "wait", f"Kept until {number.quarantined_until:%B %-d, %Y}"
    return STATES[number.state]


STATES = {
    NumberState.WANTED: ("wait", "Being bought"),
    NumberState.BUYING: ("wait", "Being bought"),
    NumberState.ACTIVE: ("ok", "In use"),
    NumberState.STOPPED: ("bad", "Stopped"),
    NumberState.QUARANTINED: ("wait", "Kept, after the person has left"),
    NumberState.GONE: ("bad", "Lost at the phone company"),
    NumberState.RELEASING: ("wait", "Being given back"),
    NumberState.RELEASED: ("wait", "Given back"),
}
NOT_BOUGHT, AILING = ("bad", "Not bought"), ("wait", "In use, with a problem")


def _is_in_trouble() -> ColumnElement[bool]:
    return or_(col(Number.state).in_([NumberState.STOPPED, NumberState.GONE]), col(Number.problem) != "")


_OWNER = func.coalesce(col(Staff.name), col(School.name), SHARED)
_HOME = aliased(School)
_ORDER = (case((_is_in_trouble(), 0), else_=1), func.lower(_OWNER), col(Number.id))


def _rows() -> Select:
    return (
        select(Number, _OWNER.label("owner"), func.coalesce(col(_HOME.name), DISTRICT).label("campaign"))
        .outerjoin(Staff, col(Staff.id) == col(Number.staff_id))
        .outerjoin(School, col(School.id) == col(Number.school_id))
        .join(Campaign, col(Campaign.id) == col(Number.campaign_id))
        .outerjoin(_HOME, col(_HOME.id) == col(Campaign.school_id))
    )


def _list(filters: NumberFilters, after: int) -> Select:
    query = _rows().where(col(Number.state) != NumberState.RELEASED, *_asked(filters))
    if after:
        last = _rows().where(col(Number.id) == after).with_only_columns(*_ORDER).subquery("last")
        query = query.join(last, tuple_(*_ORDER) > tuple_(*last.c))
    return query.order_by(*_ORDER).limit(ROWS_A_PAGE + 1)


def _asked(filters: NumberFilters) -> list[ColumnElement[bool]]:
    owners = {
        OwnerKind.PERSON: col(Number.staff_id).is_not(None),
        OwnerKind.SCHOOL: col(Number.school_id).is_not(None),
        OwnerKind.POOL: col(Number.pooled),
    }
    asked = []
    if filters.words.strip():
        asked.append(_called(filters.words))
    if filters.owner in list(OwnerKind):
        asked.append(owners[OwnerKind(filters.owner)])
    if filters.school_id:
        asked.append(col(Campaign.school_id) == filters.school_id)
    if filters.trouble:
        asked.append(_is_in_trouble())
    return asked


def _called(words: str) -> ColumnElement[bool]:
    by_name, figures = named(func.plain(_OWNER), words), digits(words)
    return or_(by_name, col(Number.e164).contains(figures)) if figures else by_name


def _sent_this_month() -> ColumnElement[bool]:
    """What has left since the month began, in UTC as the carrier bills it."""
    now = utc_now()
    begins = datetime(now.year, now.month, 1, tzinfo=UTC)
    return and_(
        col(Message.direction) == Direction.OUT, col(Message.created_at) >= begins, col(Message.sid).is_not(None)
    )


async def _segments_of(session: AsyncSession, ids: Collection[int]) -> dict[int, int]:
    """By number, what left from it this month."""
    sent = select(col(Message.number_id), func.sum(col(Message.segments))).where(
        col(Message.number_id).in_(ids), _sent_this_month()
    )
    return {row[0]: int(row[1]) for row in await session.execute(sent.group_by(col(Message.number_id)))}


async def _families_of(session: AsyncSession, ids: Collection[int]) -> dict[int, int]:
    query = select(col(Pair.number_id), func.count(col(Pair.phone_id).distinct())).where(col(Pair.number_id).in_(ids))
    return {row[0]: row[1] for row in await session.execute(query.group_by(col(Pair.number_id)))}
