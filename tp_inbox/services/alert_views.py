"""What needs an admin: the alerts that stand, what each concerns, and what ends it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, Overseen
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.domain.operating import REMEDIES, AlertKind, Remedy
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import actors, alerts, audit
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.places import schools_of_staff
from tp_inbox.storage.queries.scope import inbox_ref
from tp_inbox.storage.tables import Alert, Campaign, Inbox, Message, Number, School, Staff

MOST = 100
"""Alerts on one screen; while the first of them are mended, the others move up."""
ENDS_WHEN_MENDED = "This goes away once its cause is mended."
DISTRICT = "The district"


@dataclass(frozen=True)
class AlertView:
    """``owner``: whom it concerns, with the ``address`` of their page for those who may open it. ``conversation``: the
    address of the one in oversight. ``remedy``: a word of ``domain.operating.Remedy``.
    """

    id: int
    kind: str
    remedy: str
    sentence: str
    since: str
    last: str
    times: int
    owner: str
    number: str
    address: str
    conversation: str
    number_id: int
    campaign_id: int


@dataclass(frozen=True)
class OpenAlerts:
    """The newest first; ``more`` are not among the lines."""

    lines: list[AlertView]
    more: int


class Alerts:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def open(self, actor: Actor) -> OpenAlerts:
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            rows = (await session.execute(_STANDING)).all()
            works_at = await schools_of_staff(session, [row.Staff.id for row in rows if row.Staff])
            count = await _count(session)
        return OpenAlerts([_view(actor, row, works_at) for row in rows], count - len(rows))

    async def count(self, actor: Actor) -> int:
        """How many stand."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            return await _count(session)

    async def settle(self, actor: Actor, alert_id: int) -> None:
        """Somebody has seen to it; when somebody else was quicker, nothing changes. Raises Invalid for an alert that
        stands while its cause does.
        """
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
            alert = await session.get(Alert, alert_id)
            if alert is None:
                raise NotFound
            if REMEDIES[alert.kind] is not Remedy.NOTED:
                raise Invalid(ENDS_WHEN_MENDED)
            if alert.settled_at is None and await alerts.settle(session, alert.kind, alert.about, actor.staff_id):
                await _record(session, actor, alert)


async def _count(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).where(col(Alert.settled_at).is_(None))) or 0


async def _record(session: AsyncSession, actor: Actor, alert: Alert) -> None:
    facts = {"alert": alert.id, "alert_kind": alert.kind.value, "times": alert.times}
    await audit.record(
        session, AuditKind.ALERT_SETTLED, actor, schools=[], facts=facts, names={"alert": alert.sentence}
    )


def _view(actor: Actor, row: Row, works_at: Mapping[int, Collection[int]]) -> AlertView:
    alert, number = row.Alert, row.Number
    owner, address = _owner(actor, row, works_at)
    return AlertView(
        id=alert.id,
        kind=alert.kind.value,
        remedy=REMEDIES[alert.kind].value,
        sentence=alert.sentence,
        since=alert.first_at.isoformat(),
        last=alert.last_at.isoformat(),
        times=alert.times,
        owner=owner,
        number=display_phone(number.e164) if number and number.e164 else "",
        address=address,
        conversation=_conversation(actor, row),
        number_id=alert.number_id or 0,
        campaign_id=alert.campaign_id or 0,
    )


def _owner(actor: Actor, row: Row, works_at: Mapping[int, Collection[int]]) -> tuple[str, str]:
    """Whom it concerns, and the address of their page; an account that is stopped concerns everybody."""
    if row.Alert.kind is AlertKind.ACCOUNT_STOPPED:
        return "", ""
    if row.Staff:
        opens = access.may_see_person(actor, works_at.get(row.Staff.id, ()))
        return row.Staff.name, f"/admin/staff/{row.Staff.id}" if opens else ""
    if row.School:
        return row.School.name, f"/admin/schools/{row.School.id}"
    return DISTRICT if row.Alert.campaign_id or row.Number else "", ""


def _conversation(actor: Actor, row: Row) -> str:
    """In oversight, for those who oversee the whole district."""
    if row.Inbox is None:
        return ""
    thread = Overseen(inbox_ref(row.Inbox), frozenset(), frozenset())
    return f"/oversight/{row.thread_id}" if access.may_oversee(actor, thread) else ""


_PERSON = func.coalesce(col(Number.staff_id), col(Inbox.staff_id))
_SCHOOL = func.coalesce(col(Number.school_id), col(Inbox.school_id), col(Campaign.school_id))
_STANDING: Select = (
    select(Alert, Number, Inbox, Staff, School, col(Message.thread_id))
    .outerjoin(Number, col(Number.id) == col(Alert.number_id))
    .outerjoin(Message, col(Message.id) == col(Alert.message_id))
    .outerjoin(Inbox, col(Inbox.id) == col(Message.inbox_id))
    .outerjoin(Campaign, col(Campaign.id) == func.coalesce(col(Alert.campaign_id), col(Number.campaign_id)))
    .outerjoin(Staff, col(Staff.id) == _PERSON)
    .outerjoin(School, col(School.id) == _SCHOOL)
    .where(col(Alert.settled_at).is_(None))
    .order_by(col(Alert.first_at).desc(), col(Alert.id).desc())
    .limit(MOST)
)
"""Each with the number, the text and the campaign that it names, and with the person or the school that they belong
to: a shared number belongs to its campaign's school."""
