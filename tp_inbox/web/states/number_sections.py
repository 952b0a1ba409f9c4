"""What is folded below the numbers: queues, texts that were left aside, and comparisons with the carrier."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import reflex as rx

from tp_inbox.services.number_admin import UnknownRow
from tp_inbox.services.queueing import CampaignQueue
from tp_inbox.services.receiving import AsideView
from tp_inbox.services.reconciliations import ReconciliationView
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor

NIGHTS = 7
STILL_ASIDE = "It still cannot be put into a conversation. The list says why."


@dataclass(frozen=True)
class Queue:
    """What waits at one school; ``done`` is empty while nobody can say when it will be gone. ``stuck``: how many of its
    numbers are stopped.
    """

    id: int
    name: str
    waiting: int
    oldest: str
    done: str
    stopped: bool
    stuck: int


class NumberSections(rx.State):
    """Of the page of numbers, which shows and forgets it."""

    queues: list[Queue] = []
    waiting: int = 0
    done: str = ""
    """When the last of what leaves will be gone."""
    aside: list[AsideView] = []
    unused: list[UnknownRow] = []
    """What the account pays for, and nobody here uses."""
    nights: list[ReconciliationView] = []

    @rx.event
    async def try_again(self, request_id: int) -> rx.event.EventSpec:
        """To put a text that was left aside into its conversation."""
        arrived = await services().receiving.try_again(actor(), request_id)
        await self._show()
        if arrived:
            return rx.toast.success("It is in its conversation now.")
        return rx.toast.info(STILL_ASIDE)

    async def _show(self) -> None:
        found = await services().queues.shown_to(actor())
        self.queues = [_queue(campaign) for campaign in found]
        self.waiting = sum(campaign.waiting for campaign in found)
        self.done = _iso(max(filter(None, (campaign.done_at for campaign in found)), default=None))
        self.aside = await services().receiving.left_aside(actor())
        self.unused = await services().number_admin.unknown(actor())
        self.nights = await services().reconciliations.latest(actor(), NIGHTS)

    def _clear(self) -> None:
        self.queues, self.waiting, self.done = [], 0, ""
        self.aside, self.unused, self.nights = [], [], []


def _queue(campaign: CampaignQueue) -> Queue:
    return Queue(
        id=campaign.campaign_id,
        name=campaign.name,
        waiting=campaign.waiting,
        oldest=campaign.oldest_at.isoformat(),
        done=_iso(campaign.done_at),
        stopped=campaign.stopped,
        stuck=sum(number.stopped for number in campaign.numbers),
    )


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
