"""How the district's server fares, in figures for Prometheus: what the database knows, and what processes counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.delivery import WITH_CARRIER, DeliveryState
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services import figures
from tp_inbox.services.polling import POLLED
from tp_inbox.services.processes import Beat, Processes, Running
from tp_inbox.services.queueing import CampaignQueue, NumberQueue, Queues
from tp_inbox.services.receiving import IS_ASIDE, WAITS
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Alert, Message, Number, Watermark

DOUBTFUL = (DeliveryState.SUBMITTING, DeliveryState.UNKNOWN)
STILL_REPORTED = timedelta(hours=12)
"""A text that has been with the carrier for longer is asked for no more."""
OF_NUMBER = ("campaign", "school", "number")
OF_CAMPAIGN = ("campaign", "school")


class Watching:
    """``beat`` is this process's own: with the database away, it is all that can be told."""

    def __init__(self, db: Database, processes: Processes, queues: Queues, beat: Beat) -> None:
        self._db = db
        self._processes = processes
        self._queues = queues
        self._beat = beat

    async def poller_seconds(self) -> float | None:
        """Since the carrier was last asked to the end; None when it never was. Raises Unavailable."""
        async with self._db.reading() as session:
            return await seconds_since_poll(session)

    async def figures(self) -> bytes:
        """In Prometheus's text format. Does not fail when the database is away, but says so."""
        try:
            found = [*await self._kept(), *await self._counted(), _database(up=True)]
        except Unavailable:
            found = [*figures.families({self._beat.place: figures.taken()}), _database(up=False)]
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Found(found))
        return generate_latest(registry)

    async def _kept(self) -> list[Metric]:
        """What stands in the database."""
        queues = await self._queues.standing()
        async with self._db.reading() as session:
            return [*_queue(queues), await _poller(session), *await _texts(session), *await _troubles(session)]

    async def _counted(self) -> list[Metric]:
        running = await self._processes.alive()
        return [*figures.families({one.place: one.figures for one in running}), *_processes(running)]


class _Found:
    """A collector of what has been collected."""

    def __init__(self, found: Sequence[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def _queue(queues: Sequence[CampaignQueue]) -> Iterator[Metric]:
    texts = _gauge("queue_texts", "Texts that wait to leave.", [*OF_NUMBER, "bulk"])
    segments = _gauge("queue_segments", "Segments that wait to leave.", OF_NUMBER)
    oldest = _gauge("queue_oldest_seconds", "How long the oldest of them has waited.", OF_NUMBER)
    finish = _gauge("queue_finish_seconds", "Until all have left, as the rates allow.", OF_CAMPAIGN)
    stopped = _gauge("queue_stopped", "1 when nothing leaves until somebody mends it.", OF_NUMBER)
    for campaign in queues:
        if campaign.done_at:
            finish.add_metric(_labels(campaign), _seconds_between(utc_now(), campaign.done_at))
        for number in campaign.numbers:
            here = _labels(campaign, number)
            texts.add_metric([*here, "true"], number.bulk)
            texts.add_metric([*here, "false"], number.waiting - number.bulk)
            segments.add_metric(here, number.segments)
            oldest.add_metric(here, _seconds_since(number.oldest_at))
            stopped.add_metric(here, number.stopped)
    yield from (texts, segments, oldest, finish, stopped)


async def _poller(session: AsyncSession) -> Metric:
    age = _gauge("poller_age_seconds", "Since the carrier was last asked for everything; missing when it never was.")
    seconds = await seconds_since_poll(session)
    if seconds is not None:
        age.add_metric([], seconds)
    return age


async def _texts(session: AsyncSession) -> list[Metric]:
    state = Message.state
    doubtful = col(state).in_(DOUBTFUL)
    with_carrier = col(state).in_(WITH_CARRIER), col(Message.created_at) > utc_now() - STILL_REPORTED
    return [
        await _counts(session, "texts_doubtful", "Handed over, and not known to have come.", state, doubtful),
        await _counts(session, "texts_with_carrier", "Whose end is not known yet.", state, *with_carrier),
    ]


async def _troubles(session: AsyncSession) -> list[Metric]:
    stands = col(Alert.settled_at).is_(None)
    return [
        await _counts(session, "alerts", "Alerts that stand.", Alert.kind, stands),
        await _counts(session, "numbers", "Numbers of ours.", Number.state),
        await _count(session, "inbound_waiting", "Families' texts that wait for a conversation.", WAITS),
        await _count(session, "inbound_aside", "Families' texts that could be put into none.", IS_ASIDE),
    ]


def _processes(running: Sequence[Running]) -> Iterator[Metric]:
    beat = _gauge("process_beat_age_seconds", "Since a process was last heard of.", ["process", "kind"])
    began = _gauge("process_start_time_seconds", "When it started.", ["process", "kind"])
    turning = _gauge("dispatcher_turning", "1 when a worker's dispatcher goes round.", ["process"])
    for one in running:
        beat.add_metric([one.place, one.kind.value], one.beat_seconds)
        began.add_metric([one.place, one.kind.value], one.started_at.timestamp())
        if one.is_worker:
            turning.add_metric([one.place], one.turning)
    yield from (beat, began, turning)


def _database(*, up: bool) -> Metric:
    metric = _gauge("database_up", "1 when the database answers.")
    metric.add_metric([], up)
    return metric


async def _counts(session: AsyncSession, name: str, what: str, by: Any, *conditions: Any) -> Metric:
    label = by.key
    metric = _gauge(name, what, [label])
    for word, count in await session.execute(select(by, func.count()).where(*conditions).group_by(by)):
        metric.add_metric([word.value], count)
    return metric


async def _count(session: AsyncSession, name: str, what: str, *conditions: Any) -> Metric:
    metric = _gauge(name, what)
    metric.add_metric([], await session.scalar(select(func.count()).where(*conditions)) or 0)
    return metric


async def seconds_since_poll(session: AsyncSession) -> float | None:
    """Since the carrier was last asked to the end; None when it never was."""
    polled = await session.scalar(select(col(Watermark.at)).where(col(Watermark.name) == POLLED))
    return None if polled is None else _seconds_since(polled)


def _gauge(name: str, what: str, labels: Sequence[str] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tp_inbox_{name}", what, labels=labels)


def _labels(campaign: CampaignQueue, number: NumberQueue | None = None) -> list[str]:
    """A number by its id: an E.164 has no place in a system that watches."""
    return [str(campaign.campaign_id), campaign.name, *([str(number.number_id)] if number else [])]


def _seconds_since(moment: datetime) -> float:
    return _seconds_between(moment, utc_now())


def _seconds_between(earlier: datetime, later: datetime) -> float:
    return max(0.0, (later - earlier).total_seconds())
