"""The worker: every job and its interval on one screen, and the dispatcher that does not wait for an interval."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from tp_inbox.domain.errors import Unavailable
from tp_inbox.services.dispatching import Dispatching
from tp_inbox.services.joining import Joining
from tp_inbox.services.number_care import NumberCare
from tp_inbox.services.numbers import Numbers
from tp_inbox.services.polling import Polling
from tp_inbox.services.ports import CarrierAway
from tp_inbox.services.receiving import Receiving
from tp_inbox.services.reconciling import RECONCILED, Reconciling
from tp_inbox.services.sealing import Sealing
from tp_inbox.services.sessions import Sessions
from tp_inbox.services.unsubscribing import Unsubscribing

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[object]]
OnlyOne = Callable[[str], AbstractAsyncContextManager[bool]]

SOON = 60
"""Seconds after the start of a worker."""
IDLE_SECONDS = 1.0
"""How long the dispatcher sleeps when nothing wakes it: the wait of a text whose retry is due."""
ONE_AT_A_TIME = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
"""A turn that comes late is taken late, once."""
EVERY_HOUR = CronTrigger(minute=17, timezone="UTC")
"""For what is done at an hour on somebody's clock: the service knows whose, and whether it is time."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The services that have work of their own to do. ``turned`` is told whenever the dispatcher has gone round."""

    dispatching: Dispatching
    polling: Polling
    reconciling: Reconciling
    receiving: Receiving
    numbers: Numbers
    joining: Joining
    number_care: NumberCare
    sessions: Sessions
    sealing: Sealing
    unsubscribing: Unsubscribing
    turned: Callable[[], None]


class Worker:
    def __init__(self, crew: Crew, only_one: OnlyOne, poll_seconds: int) -> None:
        self._crew = crew
        self._only_one = only_one
        self._wake = asyncio.Event()
        self._turns: set[asyncio.Task[object]] = set()
        self._jobs: list[tuple[str, int | CronTrigger, Job]] = [
            ("poll delivery status", poll_seconds, crew.polling.poll),
            (RECONCILED, EVERY_HOUR, crew.reconciling.reconcile_at_night),
            ("look up doubtful texts", 10, crew.dispatching.look_up_doubtful),
            ("hold back what is too old", 60, crew.dispatching.hold_back_old),
            ("route waiting webhooks", 5, crew.receiving.route_waiting),
            ("forget old sign-in failures", 3600, crew.sessions.forget_old_failures),
            ("seal the audit log", 60, crew.sealing.seal),
            ("help texts that wait for a number", 5, crew.number_care.help_waiting),
            ("put numbers into their services", 5, crew.joining.join_due),
            ("let numbers follow their owners", 60, crew.joining.place),
            ("watch the limits of numbers", 60, crew.number_care.watch_limits),
            ("watch for texts that nobody reads", 60, crew.number_care.watch_unread),
            ("give numbers back", 60, crew.number_care.give_back_due),
            ("compare numbers that were stopped", 30, crew.number_care.compare_where_stopped),
            ("compare our numbers with the carrier's", 3600, crew.number_care.compare_with_carrier),
            ("take a week's silence about a STOP as yes", 3600, crew.unsubscribing.take_silence_as_yes),
        ]

    async def run(self) -> None:
        """Until it is cancelled."""
        self._crew.dispatching.on_room = self.wake
        scheduler = AsyncIOScheduler()
        for name, when, job in self._jobs:
            scheduler.add_job(self._turn, _trigger(when), (name, job), id=name, **ONE_AT_A_TIME)
        scheduler.start()
        try:
            await asyncio.gather(self._dispatch(), self._buy_numbers())
        finally:
            scheduler.shutdown(wait=False)
            await asyncio.gather(*self._turns, return_exceptions=True)
            await self._safely("stop dispatching", self._crew.dispatching.stop)

    def wake(self) -> None:
        """Something may be due now."""
        self._wake.set()

    def hear(self) -> None:
        """Something new may be due now."""
        self._crew.dispatching.look_again()
        self.wake()

    async def _dispatch(self) -> None:
        while True:
            self._crew.turned()
            seconds = await self._unbroken(self._safely("dispatch", self._crew.dispatching.start_due))
            await self._rest(min(seconds, IDLE_SECONDS) if isinstance(seconds, float) else IDLE_SECONDS)

    async def _buy_numbers(self) -> None:
        while True:
            await self._safely("buy numbers", self._crew.numbers.buy_wanted)
            await asyncio.sleep(IDLE_SECONDS / 2)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # wait_for loses a cancellation on Python 3.11
                await self._wake.wait()
        self._wake.clear()

    async def _turn(self, name: str, job: Job) -> None:
        await self._unbroken(self._once(name, job))

    async def _unbroken(self, work: Coroutine[Any, Any, object]) -> object:
        """Goes on to its end when the worker is told to stop; ``run`` waits for it."""
        task = asyncio.create_task(work)
        self._turns.add(task)
        task.add_done_callback(self._turns.discard)
        return await asyncio.shield(task)

    async def _once(self, name: str, job: Job) -> None:
        async def alone() -> None:
            async with self._only_one(name) as ours:
                if ours:
                    await job()

        await self._safely(name, alone)

    async def _safely(self, name: str, job: Job) -> object:
        """A job that fails is logged and tried at its next turn; the worker goes on."""
        try:
            return await job()
        except Unavailable:
            log.warning("%s: the database is away", name)
        except CarrierAway:
            log.warning("%s: the carrier is away", name)
        except Exception:
            log.exception("%s failed", name)
        return None


def _trigger(when: int | CronTrigger) -> IntervalTrigger | CronTrigger:
    """What is seldom done is done soon after a start, too: a worker that starts again every hour leaves nothing out."""
    if not isinstance(when, int):
        return when
    return IntervalTrigger(seconds=when, start_date=datetime.now(UTC) + timedelta(seconds=min(when, SOON)))
