"""How fast texts may leave, in segments: a bucket for each sender, each campaign, and the account.

Nothing here reads a clock: ``now`` is in seconds of any clock that only goes forward.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

A_SEGMENT = 1.0
NEARLY = 1e-6
"""Sums of fractions may fall short of a whole segment by so much."""
SPARE_SECONDS = 1.0
"""Of work that may leave at once after a pause, one of many or not."""
RESERVE = 10.0
"""Segments, at least, that are kept for conversations: an answer leaves at once, whatever waits."""
SLOWER, SLOWEST = 0.5, 0.1
"""What a slowing does to a rate, and the part of it that is always left."""
SLOWED_AT_MOST_EVERY = 5.0
"""Seconds: one burst of complaints is one slowing."""
RECOVERY = 300.0
"""Seconds from a standstill back to the whole rate."""
AT_CARRIER = 900.0
"""Seconds of work that may lie at the carrier: what is there can be canceled no more."""
BULK_AT_CARRIER = 600.0
"""Of them, what is one of many may fill: an answer finds room."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Segments per second: of one number, of a campaign, of the whole account."""

    sender: float
    campaign: float
    account: float

    def shared_by(self, campaigns: int) -> Rates:
        """What a campaign has when so many of them have work, and the account is the narrowest place."""
        return replace(self, campaign=min(self.campaign, self.account / max(campaigns, 1)))


class Bucket:
    """Fills at its rate, emptied by what leaves. A text leaves when a whole segment is in it, and may leave a debt.

    It has two parts. Conversations take from the reserve and from the spare part, so that what is one of many waits
    for them; one of many takes from the spare part alone, so that it never keeps a conversation waiting.
    """

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._at = now
        self._spare = self._most_spare
        self._reserve = self._most_reserve
        self._part = 1.0
        self._slowed_at = float("-inf")
        self._closed_until = float("-inf")

    def admits(self, now: float, *, bulk: bool) -> bool:
        self._fill(now)
        return now >= self._closed_until and self._missing(bulk=bulk) <= 0

    def take(self, segments: int, now: float, *, bulk: bool) -> None:
        self._fill(now)
        self._spare -= segments
        if not bulk:
            self._reserve -= segments

    def most(self, now: float, *, bulk: bool) -> int:
        """How many texts it would admit now if each of them were of one segment."""
        self._fill(now)
        return max(0, math.floor(A_SEGMENT - self._missing(bulk=bulk)))

    def wait(self, now: float, *, bulk: bool) -> float:
        """Seconds until it admits something, if nothing else leaves."""
        self._fill(now)
        return max(self._missing(bulk=bulk) / self._rate_now(now), self._closed_until - now, 0.0)

    def slow(self, now: float, since: float | None = None) -> bool:
        """The carrier is busy. ``since``: when it was noticed, if that was not now. Whether anything changed."""
        noticed = now if since is None else since
        if noticed - self._slowed_at < SLOWED_AT_MOST_EVERY:
            return False
        self._fill(now)
        self._part = max(self.part(noticed) * SLOWER, SLOWEST)
        self._slowed_at = noticed
        return True

    def close(self, until: float) -> None:
        """The carrier has said when to come back."""
        self._closed_until = max(self._closed_until, until)

    def part(self, now: float) -> float:
        """Of its rate, that is in use: it comes back by itself."""
        return min(1.0, self._part + max(0.0, now - self._slowed_at) / RECOVERY)

    def change_rate(self, rate: float, now: float) -> None:
        self._fill(now)
        self.rate = rate

    @property
    def _most_spare(self) -> float:
        return max(A_SEGMENT, self.rate * SPARE_SECONDS)

    @property
    def _most_reserve(self) -> float:
        return max(RESERVE, self.rate * SPARE_SECONDS)

    def _rate_now(self, now: float) -> float:
        return self.rate * self.part(now)

    def _missing(self, *, bulk: bool) -> float:
        """Segments until the next text may leave."""
        return A_SEGMENT - NEARLY - (self._spare if bulk else self._reserve)

    def _fill(self, now: float) -> None:
        more = max(0.0, now - self._at) * self._rate_now(now)
        self._at = max(now, self._at)
        self._spare = min(self._spare + more, self._most_spare)
        self._reserve = min(self._reserve + more, self._most_reserve)


def admit(buckets: Iterable[Bucket], segments: int, now: float, *, bulk: bool) -> bool:
    """Takes from all of them when each of them admits it, else from none."""
    all_of_them = list(buckets)
    if not all(bucket.admits(now, bulk=bulk) for bucket in all_of_them):
        return False
    for bucket in all_of_them:
        bucket.take(segments, now, bulk=bulk)
    return True


class Pace:
    """All the buckets of one worker, and what lies at the carrier. Campaigns and numbers go by their ids."""

    def __init__(self, rates: Rates, now: float) -> None:
        self._rates = rates
        self._account = Bucket(rates.account, now)
        self._campaigns: dict[int, Bucket] = {}
        self._senders: dict[tuple[int, int], Bucket] = {}
        self._at_carrier: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def share(self, workers: int, now: float) -> None:
        """So many workers have the account in common."""
        self._account.change_rate(self._rates.account / max(workers, 1), now)

    def keep(self, campaigns: Collection[int]) -> None:
        """Forgets those that another worker paces now."""
        self._campaigns = {i: bucket for i, bucket in self._campaigns.items() if i in campaigns}
        self._senders = {key: bucket for key, bucket in self._senders.items() if key[0] in campaigns}

    def lies_at_carrier(self, segments: Mapping[tuple[int, int], int]) -> None:
        """By (campaign, number), as it was counted just now; what is handed over is added until the next count."""
        self._at_carrier.clear()
        for (campaign, number), waiting in segments.items():
            self._at_carrier[campaign][number] = waiting

    def admit(self, campaign: int, number: int, segments: int, now: float, *, bulk: bool) -> bool:
        """Whether such a text may leave now; if so it counts as gone."""
        if not self._has_room(campaign, number, bulk=bulk):
            return False
        if not admit(self._buckets(campaign, number, now), segments, now, bulk=bulk):
            return False
        self._at_carrier[campaign][number] += segments
        return True

    def give_back(self, campaign: int, number: int, segments: int, now: float, *, bulk: bool) -> None:
        """A text that was admitted does not leave after all."""
        for bucket in self._buckets(campaign, number, now):
            bucket.take(-segments, now, bulk=bulk)
        self._at_carrier[campaign][number] -= segments

    def wait(self, campaign: int, number: int, now: float, *, bulk: bool) -> float:
        """Seconds until something may leave there; 0 when it may now, and for ever while too much lies at the carrier,
        until it is counted again.
        """
        if not self._has_room(campaign, number, bulk=bulk):
            return float("inf")
        return max(bucket.wait(now, bulk=bulk) for bucket in self._buckets(campaign, number, now))

    def most(self, campaign: int, number: int, now: float, *, bulk: bool) -> int:
        """How many texts may leave there now at best."""
        return min(bucket.most(now, bulk=bulk) for bucket in self._buckets(campaign, number, now))

    def slow(self, campaign: int, number: int | None, now: float, since: float | None = None) -> bool:
        """The carrier is busy there. ``since``: when that was noticed. Whether it is news."""
        if number is not None:
            self._sender(campaign, number, now).slow(now, since)
        return self._campaign(campaign, now).slow(now, since)

    def close(self, until: float) -> None:
        """The carrier takes nothing from this account before that."""
        self._account.close(until)

    def _has_room(self, campaign: int, number: int, *, bulk: bool) -> bool:
        seconds = BULK_AT_CARRIER if bulk else AT_CARRIER
        there = self._at_carrier[campaign]
        of_campaign, of_sender = seconds * self._rates.campaign, seconds * self._rates.sender
        return there[number] < of_sender and sum(there.values()) < of_campaign

    def _buckets(self, campaign: int, number: int, now: float) -> tuple[Bucket, ...]:
        return self._account, self._campaign(campaign, now), self._sender(campaign, number, now)

    def _campaign(self, campaign: int, now: float) -> Bucket:
        if campaign not in self._campaigns:
            self._campaigns[campaign] = Bucket(self._rates.campaign, now)
        return self._campaigns[campaign]

    def _sender(self, campaign: int, number: int, now: float) -> Bucket:
        if (campaign, number) not in self._senders:
            self._senders[campaign, number] = Bucket(self._rates.sender, now)
        return self._senders[campaign, number]
