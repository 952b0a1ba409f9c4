"""The worker's side of sending: claim, hand over, write the outcome.

A message is `submitting` in the database before it goes over the network, and no transaction is open
while it does. What may have arrived is looked up before it is sent again. Nothing waits for the slowest: as soon as
there is room and the pace allows it, the next text is claimed.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.delivery import CLOCK_SKEW, SURELY_KNOWN, TOO_OLD, Delivery, DeliveryState, FailureReason
from tp_inbox.domain.pacing import Pace, Rates
from tp_inbox.services import consent, figures, lanes, succession
from tp_inbox.services.handovers import known_sids
from tp_inbox.services.leasing import NOTHING_HELD, RENEWED_EVERY, Holding, Leasing, note_slowed
from tp_inbox.services.outbox import adopt, adopt_all, advance_message, doubt, locked, outgoing, requeue
from tp_inbox.services.ports import (
    Accepted,
    Ambiguous,
    CarrierAway,
    Handover,
    NotAccepted,
    OutgoingText,
    SmsGateway,
)
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.ids import among
from tp_inbox.storage.queries.lanes import Due, Lane, due_lanes, segments_at_carrier, take_up
from tp_inbox.storage.tables import Message, Staff
from tp_inbox.storage.tables.messages import Doubled, Purpose

log = logging.getLogger(__name__)

LATER = frozenset(
    {FailureReason.TOO_BUSY, FailureReason.UNREACHABLE, FailureReason.CARRIER_PROBLEM, FailureReason.EXPIRED}
)
ONCE_MORE = frozenset({FailureReason.UNKNOWN})

IN_HAND = 64
"""Texts on their way to the carrier at one time."""
BULK_IN_HAND = 48
"""Of them, what is one of many: an answer finds room."""
LOOKED_UP_AT_ONCE = 8
HELD_BACK_AT_ONCE = 100
LANES_KEPT = 0.2
"""Seconds for which it is remembered where something waits, while there is something left to take from there and
nothing new is heard of."""
BREATH = 0.02
"""Seconds between two claims, so that under load each takes several texts."""
IDLE = 1.0
"""Seconds until a text whose next try is due is found, when nothing wakes us."""
LEASE = timedelta(seconds=90)
"""Longer than a hand-over can take; a claim that is older belongs to a worker that died."""
BEGUN_WITHIN = timedelta(seconds=30)
"""Of its claim, so that a hand-over has ended when its lease has: a process may have been put to sleep meanwhile."""
MOST_ATTEMPTS = 8
"""Of a text whose hand-over never gets an answer; one that was surely refused is tried until it is too old."""
LONGEST_VALIDITY = 14_400
"""Seconds; what the carrier keeps longer than that is too old."""
LONGEST_CLOSURE = 900.0
"""Seconds for which the carrier may close the whole account by one answer, and put off the text that it refused."""


class InHand(NamedTuple):
    """A text on its way, and where it came from."""

    text: OutgoingText
    campaign_id: int
    number_id: int
    bulk: bool
    written_at: datetime
    claimed_at: datetime


Outcome = tuple[InHand, Handover, asyncio.Future[None]]
"""What came of a text, and who waits for it to be written."""


class Dispatching:
    """Of one worker process. ``look_after``: how long the carrier's list may lag behind what it has accepted."""

    def __init__(
        self,
        db: Database,
        gateway: SmsGateway,
        leasing: Leasing,
        rates: Rates,
        look_after: timedelta = timedelta(seconds=60),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._gateway = gateway
        self._leasing = leasing
        self._look_after = look_after
        self._clock = clock
        self._pace = Pace(rates, clock())
        self._holding: Holding = NOTHING_HELD
        self._renewed_at = self._lanes_at = self._claimed_at = float("-inf")
        self._lanes: list[Lane] = []
        self._on_their_way: dict[asyncio.Task[None], InHand] = {}
        self._unwritten: list[Outcome] = []
        self._writing: asyncio.Task[None] | None = None
        self.on_room: Callable[[], None] = lambda: None
        """Called when a text is out of hand, so that the next one can be claimed."""

    def look_again(self) -> None:
        """Something has been written that may leave at once."""
        self._lanes_at = float("-inf")

    async def start_due(self) -> float:
        """Starts to hand over what may leave now; after how many seconds to look again, if nothing wakes us."""
        await self._breathe()
        await self._keep_leases()
        await self._start()
        return min(self._wait(), IDLE)

    async def hand_over_due(self) -> int:
        """Hands over what may leave now and waits until it is written down; how many texts were handed over."""
        await self._renew()
        self._lanes = []
        started = await self._start()
        outcomes = await asyncio.gather(*started, return_exceptions=True)
        for failure in filter(None, outcomes):
            raise failure  # the others are written down all the same
        return len(started)

    async def stop(self) -> None:
        """Waits for what is on its way, and leaves the campaigns to other workers at once."""
        await asyncio.gather(*self._on_their_way, return_exceptions=True)
        await self._leasing.let_go()

    async def look_up_doubtful(self) -> int:
        """Settles what may have reached the carrier: adopts what it has, queues again what it has not."""
        looked_up = 0
        while doubtful := await self._claim_doubtful():
            await asyncio.gather(*(self._look_up(text, since) for text, since in doubtful))
            looked_up += len(doubtful)
        return looked_up

    async def hold_back_old(self) -> int:
        """What waits too long where nothing leaves fails with that reason; how many texts."""
        held = 0
        while some := await self._hold_back_some_old():
            held += some
        return held

    async def _hold_back_some_old(self) -> int:
        async with self._db.transaction() as session:
            old = (await session.scalars(_too_old())).all()
            for message in old:
                await advance_message(session, message, Delivery(DeliveryState.FAILED, FailureReason.EXPIRED))
        return len(old)

    async def _breathe(self) -> None:
        await asyncio.sleep(max(0.0, self._claimed_at + BREATH - self._clock()))

    async def _keep_leases(self) -> None:
        if self._clock() - self._renewed_at >= RENEWED_EVERY:
            await self._renew()

    async def _renew(self) -> None:
        """Whether or not a lease is news, what lies at the carrier is counted again."""
        self._renewed_at = self._clock()
        self._holding = await self._leasing.renew()
        async with self._db.reading() as session:
            there = await segments_at_carrier(session, list(self._holding.campaigns))
        now = self._clock()
        self._pace.share(self._holding.workers, now)
        self._pace.keep(self._holding.campaigns)
        self._pace.lies_at_carrier(there)
        for campaign_id, ago in self._holding.slowed.items():
            self._pace.slow(campaign_id, None, now, since=now - ago)

    async def _start(self) -> list[asyncio.Task[None]]:
        self._claimed_at = self._clock()
        await self._look_for_lanes()
        return [self._begin(text) for text in await self._claim()]

    async def _look_for_lanes(self) -> None:
        """Where something waits in our campaigns. One that waits where nobody paces is reason to take leases now."""
        if self._lanes and self._clock() - self._lanes_at < LANES_KEPT:
            return
        self._lanes_at = self._clock()
        async with self._db.reading() as session:
            found = await due_lanes(session)
        self._lanes = [lane for lane in found if lane.campaign_id in self._holding.campaigns]
        if any(lane.held_by is None for lane in found) and self._clock() - self._renewed_at >= IDLE:
            await self._renew()
            self._lanes = [lane for lane in found if lane.campaign_id in self._holding.campaigns]

    async def _claim(self) -> list[InHand]:
        asked = self._open_lanes()
        if not asked:
            return []
        async with self._db.transaction() as session:
            found = await take_up(session, asked)
            # The texts are locked already: whoever waits for them with a family's lock must not be waited for.
            free = await consent.lock_free_phones(session, {due.phone_id for due in found})
            chosen = self._admitted([due for due in found if due.phone_id in free])
            leaving = await _claimed(session, chosen)
        self._give_back(chosen, leaving)
        self._forget_emptied(asked, found)
        return [_in_hand(due) for due in leaving]

    def _open_lanes(self) -> dict[Lane, int]:
        """Those from which something may leave now, and how many texts of each to ask for."""
        now = self._clock()
        open_lanes = [lane for lane in self._lanes if self._room(bulk=lane.bulk) > 0 and self._wait_of(lane, now) <= 0]
        open_lanes = open_lanes[: self._room(bulk=False)]
        return {lane: max(1, min(self._part_of_room(lane, open_lanes), self._most(lane, now))) for lane in open_lanes}

    def _part_of_room(self, lane: Lane, open_lanes: Collection[Lane]) -> int:
        alike = sum(other.bulk == lane.bulk for other in open_lanes)
        return math.ceil(self._room(bulk=lane.bulk) / alike)

    def _most(self, lane: Lane, now: float) -> int:
        return self._pace.most(lane.campaign_id, lane.number_id, now, bulk=lane.bulk)

    def _room(self, *, bulk: bool) -> int:
        if not bulk:
            return IN_HAND - len(self._on_their_way)
        of_many = sum(text.bulk for text in self._on_their_way.values())
        return min(BULK_IN_HAND - of_many, IN_HAND - len(self._on_their_way))

    def _wait_of(self, lane: Lane, now: float) -> float:
        return self._pace.wait(lane.campaign_id, lane.number_id, now, bulk=lane.bulk)

    def _wait(self) -> float:
        """0 while a lane is open."""
        now = self._clock()
        return min((self._wait_of(lane, now) for lane in self._lanes if self._room(bulk=lane.bulk) > 0), default=IDLE)

    def _admitted(self, found: Sequence[Due]) -> list[Due]:
        """What the pace lets go now; the others stay as they are."""
        now, left = self._clock(), {bulk: self._room(bulk=bulk) for bulk in (False, True)}
        chosen: list[Due] = []
        for due in found:
            message = due.message
            if min(left[message.bulk], left[False]) > 0 and self._pace.admit(
                due.campaign_id, message.number_id, message.segments, now, bulk=message.bulk
            ):
                chosen.append(due)
                for kind in {message.bulk, False}:
                    left[kind] -= 1
        return chosen

    def _give_back(self, chosen: Sequence[Due], leaving: Sequence[Due]) -> None:
        """What is held back takes nothing from the pace of the others."""
        now, gone = self._clock(), {due.message.id for due in leaving}
        for due in chosen:
            message = due.message
            if message.id not in gone:
                self._pace.give_back(due.campaign_id, message.number_id, message.segments, now, bulk=message.bulk)

    def _forget_emptied(self, asked: Mapping[Lane, int], found: Sequence[Due]) -> None:
        """Where less was found than asked for, nothing is left for now."""
        counts = Counter((due.message.number_id, due.message.bulk) for due in found)
        emptied = {lane for lane, most in asked.items() if counts[lane.number_id, lane.bulk] < most}
        self._lanes = [lane for lane in self._lanes if lane not in emptied]

    def _begin(self, text: InHand) -> asyncio.Task[None]:
        task = asyncio.create_task(self._hand_over(text))
        self._on_their_way[task] = text
        task.add_done_callback(self._out_of_hand)
        return task

    def _out_of_hand(self, task: asyncio.Task[None]) -> None:
        text = self._on_their_way.pop(task).text
        if not task.cancelled() and (trouble := task.exception()):
            log.error("dispatching: what came of text %s is not written: %s", text.message_id, type(trouble).__name__)
        self.on_room()

    async def _hand_over(self, text: InHand) -> None:
        if utc_now() - text.claimed_at > BEGUN_WITHIN:
            log.warning("dispatching: message %s was claimed too long ago, and is looked up", text.text.message_id)
            return
        began = self._clock()
        outcome: Handover = await self._gateway.send(text.text)
        figures.handed_over(outcome, self._clock() - began)
        if isinstance(outcome, Accepted):
            figures.waited((utc_now() - text.written_at).total_seconds(), bulk=text.bulk)
        await self._write(text, outcome)

    async def _write(self, text: InHand, outcome: Handover) -> None:
        """Together with all that came while the last ones were being written."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unwritten.append((text, outcome, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        while self._unwritten:
            batch, self._unwritten = self._unwritten, []
            if await self._write_together(batch) is not None and len(batch) > 1:
                for outcome in batch:  # what is wrong with one keeps no other from being written
                    await self._write_together([outcome])

    async def _write_together(self, batch: Sequence[Outcome]) -> Exception | None:
        """What was wrong; whoever waits for a single outcome is told of it."""
        trouble = None
        try:
            await self._record([(text, outcome) for text, outcome, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is raised where the outcome is waited for
            trouble = error
        for _, _, written in batch if trouble is None or len(batch) == 1 else ():
            _end(written, trouble)
        return trouble

    async def _record(self, batch: Sequence[tuple[InHand, Handover]]) -> None:
        taken = [(text.text, outcome.text) for text, outcome in batch if isinstance(outcome, Accepted)]
        async with self._db.transaction() as session:
            settled = await adopt_all(session, taken, "handover")
            for text, outcome in sorted(batch, key=lambda pair: pair[0].text.message_id):
                if text.text.message_id not in settled:
                    message = (await session.scalars(locked(text.text.message_id))).one()
                    await self._write_outcome(session, message, text, outcome)

    async def _write_outcome(self, session: AsyncSession, message: Message, text: InHand, outcome: Handover) -> None:
        """Unless a callback was faster and told us that the carrier has it, or it has been claimed again since."""
        if isinstance(outcome, Accepted):
            await adopt(session, message, outcome.text, "handover")
        elif message.state is not DeliveryState.SUBMITTING or message.handed_over_at != text.claimed_at:
            log.warning("dispatching: message %s was settled before its answer came", message.id)
        elif isinstance(outcome, Ambiguous):
            await doubt(session, message, self._look_after)
        else:
            await self._write_refusal(session, message, text, outcome)

    async def _write_refusal(self, session: AsyncSession, message: Message, text: InHand, refusal: NotAccepted) -> None:
        if refusal.reason is FailureReason.TOO_BUSY:
            await self._slow_down(session, text, refusal.retry_after)
        if _is_worth_another_try(message, refusal):
            await _put_back(session, message, refusal)
        elif await lanes.is_stopped_for(session, message, refusal.reason):
            await _wait_for_an_admin(session, message)
        else:
            await advance_message(session, message, Delivery(DeliveryState.FAILED, refusal.reason, refusal.code))

    async def _slow_down(self, session: AsyncSession, text: InHand, retry_after: float | None) -> None:
        """The wait that the carrier asks for is everybody's, and not only this text's."""
        now = self._clock()
        if self._pace.slow(text.campaign_id, text.number_id, now):
            await note_slowed(session, text.campaign_id)
            log.warning("dispatching: the carrier is busy, campaign %s goes slower", text.campaign_id)
        if retry_after:
            self._pace.close(now + min(retry_after, LONGEST_CLOSURE))

    async def _claim_doubtful(self) -> list[tuple[OutgoingText, datetime]]:
        async with self._db.transaction() as session:
            messages = (await session.scalars(_doubtful())).all()
            for message in messages:
                message.state = DeliveryState.UNKNOWN
                message.next_attempt_at = utc_now() + LEASE
            return [(outgoing(m), _handed_over_since(m)) for m in messages]

    async def _look_up(self, text: OutgoingText, since: datetime) -> None:
        try:
            found = await self._gateway.find(text, since, await self._known_sids(text, since))
        except CarrierAway:
            return
        async with self._db.transaction() as session:
            message = (await session.scalars(locked(text.message_id))).one()
            if message.sid or message.state is not DeliveryState.UNKNOWN or _handed_over_since(message) != since:
                return
            if found is not None:
                await adopt(session, message, found, "poll")
            elif message.doubled is not None and message.attempts >= MOST_ATTEMPTS:
                await advance_message(session, message, Delivery(DeliveryState.FAILED, FailureReason.UNCERTAIN))
            else:
                await _send_again(session, message)

    async def _known_sids(self, text: OutgoingText, since: datetime) -> set[str]:
        async with self._db.reading() as session:
            return await known_sids(session, text.sender, text.recipient, since - SURELY_KNOWN)


def _handed_over_since(message: Message) -> datetime:
    """Nothing that the carrier took before comes of the last hand-over of this text."""
    return (message.handed_over_at or message.created_at) - CLOCK_SKEW


def _end(written: asyncio.Future[None], trouble: Exception | None) -> None:
    if written.done():
        return  # whoever waited has been canceled
    if trouble is None:
        written.set_result(None)
    else:
        written.set_exception(trouble)


async def _claimed(session: AsyncSession, chosen: Sequence[Due]) -> list[Due]:
    """What still may leave, written down as being handed over; under the family phones' locks, as a STOP is."""
    if not chosen:
        return []
    phones = {due.phone_id for due in chosen}
    told, here = await consent.ledgers_of(session, phones), await _still_here(session, chosen)
    leaving = [due for due in chosen if await _is_open(session, due, due.phone_id in told, here)]
    await _mark_submitting(session, leaving)
    return leaving


async def _still_here(session: AsyncSession, chosen: Sequence[Due]) -> set[int]:
    """Which of the authors."""
    authors = {due.message.author_id for due in chosen if due.message.author_id is not None}
    return set(await session.scalars(select(col(Staff.id)).where(among(col(Staff.id), authors), col(Staff.active))))


async def _is_open(session: AsyncSession, due: Due, told: bool, here: Collection[int]) -> bool:
    """Asks once more before it leaves: for consent, under the same lock as STOP; for its age; and for its author.

    ``told``: the family has ever said anything about being texted. ``here``: authors who still are.
    """
    message, reason = due.message, None
    if told and await consent.holds_back(session, message, due.phone_id):
        reason = FailureReason.OPTED_OUT
    elif message.created_at < utc_now() - TOO_OLD:
        reason = FailureReason.EXPIRED
    elif not await _still_stands(session, message, here):
        reason = FailureReason.CANCELED
    if reason:
        await advance_message(session, message, Delivery(DeliveryState.FAILED, reason))
    return reason is None


async def _still_stands(session: AsyncSession, message: Message, here: Collection[int]) -> bool:
    """Whether its author is still here; an automatic reply, whether the owner of its number is still away."""
    if message.author_id is not None:
        return message.author_id in here
    if message.purpose is not Purpose.AUTOMATIC:
        return True
    return await succession.still_answered(session, message)


async def _mark_submitting(session: AsyncSession, leaving: Sequence[Due]) -> None:
    now = utc_now()
    for due in leaving:
        due.message.state = DeliveryState.SUBMITTING
        due.message.attempts += 1
        due.message.handed_over_at = now
        due.message.next_attempt_at = now + LEASE
    await session.flush()


def _in_hand(due: Due) -> InHand:
    message = due.message
    return InHand(
        outgoing(message, _valid_seconds(message)),
        due.campaign_id,
        message.number_id,
        message.bulk,
        message.created_at,
        message.handed_over_at or message.created_at,
    )


def _valid_seconds(message: Message) -> int:
    """What the carrier has not sent by then is too old."""
    left = (message.created_at + TOO_OLD - utc_now()).total_seconds()
    return max(1, min(int(left), LONGEST_VALIDITY))


async def hold_back(session: AsyncSession, staff_id: int) -> int:
    """What this person has queued and nobody hands over at this moment fails, with the reason; how many texts."""
    waiting = (
        select(Message)
        .where(col(Message.author_id) == staff_id, col(Message.state) == DeliveryState.QUEUED)
        .with_for_update(skip_locked=True)
    )
    held = (await session.scalars(waiting)).all()
    for message in held:
        await advance_message(session, message, Delivery(DeliveryState.FAILED, FailureReason.CANCELED))
    return len(held)


def _too_old() -> Select[Message]:
    waiting = select(Message).where(
        col(Message.state) == DeliveryState.QUEUED, col(Message.created_at) < utc_now() - TOO_OLD
    )
    return waiting.order_by(col(Message.id)).limit(HELD_BACK_AT_ONCE).with_for_update(skip_locked=True)


def _doubtful() -> Select[Message]:
    return (
        select(Message)
        .where(
            col(Message.state).in_([DeliveryState.SUBMITTING, DeliveryState.UNKNOWN]),
            col(Message.next_attempt_at) <= utc_now(),
        )
        .order_by(col(Message.next_attempt_at))
        .limit(LOOKED_UP_AT_ONCE)
        .with_for_update(skip_locked=True)
    )


def _is_worth_another_try(message: Message, outcome: NotAccepted) -> bool:
    if outcome.reason in ONCE_MORE:
        return message.reason is not outcome.reason
    return outcome.reason in LATER


async def _put_back(session: AsyncSession, message: Message, outcome: NotAccepted) -> None:
    """The reason is kept for the next try, and for support."""
    message.reason, message.code = outcome.reason, outcome.code
    await requeue(session, message, min(outcome.retry_after or 0.0, LONGEST_CLOSURE))


async def _wait_for_an_admin(session: AsyncSession, message: Message) -> None:
    """Another text of this lane has met the same trouble and said so; this one is not burned for it."""
    message.attempts -= 1
    await requeue(session, message)


async def _send_again(session: AsyncSession, message: Message) -> None:
    """The carrier does not list it. Should it have it all the same, the family gets it twice: that is marked first."""
    if message.doubled is None:
        message.doubled, message.attempts = Doubled.POSSIBLE, 1  # the tries before were surely refused
        figures.doubled(certain=False)
    await requeue(session, message)
