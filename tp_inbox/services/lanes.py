"""What is stopped because of our own configuration, and how it goes on again: a number, a campaign, the account.

A text that meets such a trouble stops what it concerns and tells the admins, once. The others stay queued, and none of
them is burned on it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sqlalchemy import ColumnElement, exists, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.delivery import FailureReason, explain
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.domain.operating import AlertKind
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import actors, alerts, audit
from tp_inbox.services.numbers import record_change
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce_all
from tp_inbox.storage.tables import Alert, Campaign, Inbox, Message, Number, School
from tp_inbox.storage.tables.messages import NumberState

log = logging.getLogger(__name__)

STOPS: Mapping[FailureReason, AlertKind] = {
    FailureReason.SENDER_NOT_READY: AlertKind.NUMBER_STOPPED,
    FailureReason.NOT_PERMITTED: AlertKind.NUMBER_STOPPED,
    FailureReason.NOT_REGISTERED: AlertKind.CAMPAIGN_STOPPED,
    FailureReason.ACCOUNT_PROBLEM: AlertKind.ACCOUNT_STOPPED,
}
"""How far each trouble of our own reaches."""

NOT_STOPPED = "This number is not stopped."
CAMPAIGN_NOT_STOPPED = "These texts are not stopped."
ACCOUNT_NOT_STOPPED = "The account is not stopped."
WAIT = "What is queued waits. When it is mended, let the texts go on here."
NOT_READY_SENTENCE = (
    "The carrier takes no texts from {number}. Look in the carrier’s console whether the number is there, can send "
    f"texts, and is in its school’s service. {WAIT}"
)
NOT_PERMITTED_SENTENCE = (
    "The account may not send from {number} to where a text was to go. Allow that region in the carrier’s console, or "
    f"leave the trial behind if this is a trial account. {WAIT}"
)
NOT_REGISTERED_SENTENCE = (
    "Texts of {name} are blocked, because its numbers are not registered with the phone companies. Register them in "
    f"the carrier’s console; a review may take weeks. {WAIT}"
)
ACCOUNT_SENTENCE = (
    "The carrier refuses the district’s account, so no text leaves at all. Look whether the account is active and "
    f"paid, and whether its SID and token are set right here. {WAIT}"
)
DISTRICT = "people who work at several schools"


class Lanes:
    """Letting go on what was stopped, by who manages numbers; the alert is settled with it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def resume_number(self, actor: Actor, number_id: int) -> None:
        """Raises Invalid when it is not stopped."""
        async with self._db.transaction() as session:
            actor = await _require_manager_now(session, actor)
            number = await session.get(Number, number_id, with_for_update=True)
            if number is None:
                raise NotFound
            await let_go_on(session, actor, number)
            await _record_number(session, actor, number)

    async def resume_campaign(self, actor: Actor, campaign_id: int) -> None:
        """Raises Invalid when it is not stopped, and while the whole account is."""
        async with self._db.transaction() as session:
            actor = await _require_manager_now(session, actor)
            campaign = await session.get(Campaign, campaign_id, with_for_update=True)
            if campaign is None:
                raise NotFound
            if not await alerts.settle(session, AlertKind.CAMPAIGN_STOPPED, campaign_id, actor.staff_id):
                raise Invalid(CAMPAIGN_NOT_STOPPED)
            if not await _account_is_stopped(session):
                campaign.stopped_at = None
            await _record(session, actor, AlertKind.CAMPAIGN_STOPPED, campaign_id)
            await _open_and_close_composers(session, campaign_id)

    async def resume_account(self, actor: Actor) -> None:
        """Campaigns that were stopped for themselves stay so. Raises Invalid when the account is not stopped."""
        async with self._db.transaction() as session:
            actor = await _require_manager_now(session, actor)
            if not await alerts.settle(session, AlertKind.ACCOUNT_STOPPED, staff_id=actor.staff_id):
                raise Invalid(ACCOUNT_NOT_STOPPED)
            await session.execute(update(Campaign).where(~_stopped_for_itself()).values(stopped_at=None))
            await _record(session, actor, AlertKind.ACCOUNT_STOPPED)
            await _open_and_close_composers(session)


async def let_go_on(session: AsyncSession, actor: Actor, number: Number) -> None:
    """A stopped number, locked, is used again, or bought if it was never got. Raises Invalid when it is not stopped."""
    if number.state is not NumberState.STOPPED:
        raise Invalid(NOT_STOPPED)
    left = number.quarantined_until is not None
    used = NumberState.QUARANTINED if left else NumberState.ACTIVE
    number.state = used if number.sid else NumberState.WANTED
    number.problem, number.next_attempt_at = "", utc_now()
    for kind in (AlertKind.NUMBER_STOPPED, AlertKind.NUMBER_NOT_BOUGHT):
        await alerts.settle(session, kind, number.id, actor.staff_id)
    await session.flush()
    await _announce(session, _owned(col(Number.id) == number.id))


async def stop_for(session: AsyncSession, message: Message) -> None:
    """A text has met a trouble of our own configuration: whatever else would meet it waits from now on.

    Unless it left before that was mended: many are on their way when the first one meets it.
    """
    reason = message.reason
    if reason is None or await is_stopped_for(session, message, reason) or await _was_mended(session, message, reason):
        return
    match STOPS.get(reason):
        case AlertKind.NUMBER_STOPPED:
            await _stop_number(session, message, reason)
        case AlertKind.CAMPAIGN_STOPPED:
            await _stop_campaign(session, message)
        case AlertKind.ACCOUNT_STOPPED:
            await _stop_account(session, message)


async def is_stopped_for(session: AsyncSession, message: Message, reason: FailureReason) -> bool:
    """Whether this trouble has stopped what it concerns already; locks it, so that of two texts one stops it."""
    match STOPS.get(reason):
        case AlertKind.NUMBER_STOPPED:
            number = await session.get_one(Number, message.number_id, with_for_update={"key_share": True})
            return number.state is NumberState.STOPPED
        case AlertKind.CAMPAIGN_STOPPED:
            return (await _campaign_of(session, message)).stopped_at is not None
        case AlertKind.ACCOUNT_STOPPED:
            return await _account_is_stopped(session)
    return False


async def _was_mended(session: AsyncSession, message: Message, reason: FailureReason) -> bool:
    """Since the text was handed over."""
    if (kind := STOPS.get(reason)) is None:
        return False
    number = await session.get_one(Number, message.number_id)
    abouts = {AlertKind.NUMBER_STOPPED: number.id, AlertKind.CAMPAIGN_STOPPED: number.campaign_id}
    mended = exists().where(
        col(Alert.kind) == kind,
        col(Alert.about) == str(abouts.get(kind, "")),
        col(Alert.settled_at) > (message.handed_over_at or utc_now()),
    )
    return bool(await session.scalar(select(mended)))


async def _stop_number(session: AsyncSession, message: Message, reason: FailureReason) -> None:
    number = await session.get_one(Number, message.number_id)
    if number.state is not NumberState.ACTIVE:
        return  # one in quarantine stays there, and sends automatic replies alone
    number.state, number.problem = NumberState.STOPPED, explain(reason).sentence
    await record_change(session, number, "stopped", problem=number.problem)
    sentence = NOT_PERMITTED_SENTENCE if reason is FailureReason.NOT_PERMITTED else NOT_READY_SENTENCE
    await alerts.alert(
        session,
        AlertKind.NUMBER_STOPPED,
        sentence.format(number=display_phone(number.e164 or "")),
        number.id,
        number_id=number.id,
        campaign_id=number.campaign_id,
        message_id=message.id,
    )
    log.error("lanes: number %s is stopped (code %s)", number.id, message.code)
    await _announce(session, _owned(col(Number.id) == number.id))


async def _stop_campaign(session: AsyncSession, message: Message) -> None:
    campaign = await _campaign_of(session, message)
    campaign.stopped_at = utc_now()
    name = await session.scalar(select(col(School.name)).where(col(School.id) == campaign.school_id))
    await alerts.alert(
        session,
        AlertKind.CAMPAIGN_STOPPED,
        NOT_REGISTERED_SENTENCE.format(name=name or DISTRICT),
        campaign.id,
        campaign_id=campaign.id,
        message_id=message.id,
    )
    log.error("lanes: campaign %s is stopped (code %s)", campaign.id, message.code)
    await _open_and_close_composers(session, campaign.id)


async def _stop_account(session: AsyncSession, message: Message) -> None:
    await session.execute(update(Campaign).where(col(Campaign.stopped_at).is_(None)).values(stopped_at=utc_now()))
    await alerts.alert(session, AlertKind.ACCOUNT_STOPPED, ACCOUNT_SENTENCE, message_id=message.id)
    log.error("lanes: all campaigns are stopped (code %s)", message.code)
    await _open_and_close_composers(session)


async def _campaign_of(session: AsyncSession, message: Message) -> Campaign:
    number = await session.get_one(Number, message.number_id)
    return await session.get_one(Campaign, number.campaign_id, with_for_update={"key_share": True})


async def _account_is_stopped(session: AsyncSession) -> bool:
    standing = exists().where(col(Alert.kind) == AlertKind.ACCOUNT_STOPPED, col(Alert.settled_at).is_(None))
    return bool(await session.scalar(select(standing)))


def _stopped_for_itself() -> ColumnElement[bool]:
    return exists().where(
        col(Alert.kind) == AlertKind.CAMPAIGN_STOPPED,
        col(Alert.campaign_id) == col(Campaign.id),
        col(Alert.settled_at).is_(None),
    )


async def _open_and_close_composers(session: AsyncSession, campaign_id: int | None = None) -> None:
    """Of all whose number is in the campaign, or of all."""
    await session.flush()
    await _announce(session, _owned(true() if campaign_id is None else col(Number.campaign_id) == campaign_id))


def _owned(numbers: ColumnElement[bool]) -> ColumnElement[bool]:
    """Inboxes whose own number is among these; who shares a number of a pool is told when they send."""
    owner = or_(col(Number.staff_id) == col(Inbox.staff_id), col(Number.school_id) == col(Inbox.school_id))
    return exists().where(numbers, owner)


async def _announce(session: AsyncSession, inboxes: ColumnElement[bool]) -> None:
    ids = await session.scalars(select(col(Inbox.id)).where(inboxes))
    await announce_all(session, [Change(ChangeKind.CONSENT, inbox=inbox_id) for inbox_id in ids])


async def _require_manager_now(session: AsyncSession, actor: Actor) -> Actor:
    actor = await actors.as_of_now(session, actor)
    access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
    return actor


async def _record_number(session: AsyncSession, actor: Actor, number: Number) -> None:
    await audit.record(
        session,
        AuditKind.NUMBER_CHANGED,
        actor,
        subject=number.staff_id,
        schools=[number.school_id] if number.school_id else None,
        facts={"number": number.id} | ({"school": number.school_id} if number.school_id else {}),
        before={"state": NumberState.STOPPED.value},
        after={"state": number.state.value},
        names={"number": number.e164} if number.e164 else {},
    )


async def _record(session: AsyncSession, actor: Actor, kind: AlertKind, campaign_id: int | None = None) -> None:
    """What was stopped by an alert goes on by its end."""
    sentence = await session.scalar(
        select(col(Alert.sentence))
        .where(col(Alert.kind) == kind, col(Alert.about) == str(campaign_id or ""))
        .order_by(func.coalesce(col(Alert.settled_at), func.now()).desc())
        .limit(1)
    )
    facts = {"alert_kind": kind.value} | ({"campaign": campaign_id} if campaign_id else {})
    await audit.record(
        session, AuditKind.ALERT_SETTLED, actor, schools=[], facts=facts, names={"alert": sentence or ""}
    )
