"""A text that did not arrive is sent again by itself: put back into the queue, and taken out of it when news comes."""

from __future__ import annotations

import random
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.delivery import NOT_ARRIVED, TOO_OLD, Delivery, DeliveryState, FailureReason
from tp_inbox.domain.redelivery import outcome, wait_before_again
from tp_inbox.services import figures
from tp_inbox.services.handovers import mark_doubled, sids_of, standings
from tp_inbox.services.outbox import advance_message, announce_status
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import EarlierHandover, Message
from tp_inbox.storage.tables.messages import Purpose


async def take(session: AsyncSession, message: Message, sid: str, told: Delivery) -> None:
    """What a report about one SID of a text means for the text. Its event is kept, and the text's row is locked."""
    only_one = sid == message.sid and not message.redelivered and not message.doubled
    if only_one and told.state not in NOT_ARRIVED:
        await advance_message(session, message, told)
        return
    handovers = await standings(session, message)
    if message.sid is None:
        await _take_while_waiting(session, message, handovers)
    elif wait := _wait_before_again(message, handovers):
        await _put_back(session, message, handovers[-1], wait)
    else:
        await advance_message(session, message, outcome(handovers))
    await mark_doubled(session, message, handovers)


def _wait_before_again(message: Message, handovers: list[Delivery]) -> timedelta | None:
    """None, too, when a person has sent it again, when it is not from here, or when it would be too old by then."""
    wait = wait_before_again(handovers, message.redelivered, random.random())  # noqa: S311 - no secret
    not_ours = message.retried or message.purpose is Purpose.FOUND
    if wait is None or not_ours or utc_now() + wait > message.created_at + TOO_OLD:
        return None
    return wait


async def _put_back(session: AsyncSession, message: Message, failed: Delivery, wait: timedelta) -> None:
    """The reason is kept, for support. The tries of the new hand-over count from nothing."""
    session.add(EarlierHandover(sid=message.sid or "", message_id=message.id))
    message.sid, message.state, message.settled_at = None, DeliveryState.QUEUED, None
    message.reason, message.code = failed.reason, failed.code
    message.redelivered, message.attempts = message.redelivered + 1, 0
    message.next_attempt_at = utc_now() + wait
    figures.redelivered(failed.reason or FailureReason.UNKNOWN)
    await announce_status(session, message)


async def _take_while_waiting(session: AsyncSession, message: Message, handovers: list[Delivery]) -> None:
    """It waits, is being handed over just now, or was ended by ourselves; and there is news of an earlier SID."""
    found = outcome(handovers)
    if message.state is not DeliveryState.QUEUED:
        if found.state not in NOT_ARRIVED:
            await advance_message(session, message, found)
    elif wait_before_again(handovers, message.redelivered - 1, chance=0) is None:
        await _take_back(session, message)
        await advance_message(session, message, found)
    else:
        message.reason, message.code = handovers[-1].reason, handovers[-1].code


async def _take_back(session: AsyncSession, message: Message) -> None:
    """It is not sent again after all: as if it had never been put back."""
    latest = (await sids_of(session, message))[-1]
    await session.execute(delete(EarlierHandover).where(col(EarlierHandover.sid) == latest))
    message.sid, message.redelivered = latest, message.redelivered - 1
