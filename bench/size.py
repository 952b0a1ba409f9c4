"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """``tabs`` watch one thread in turn; ``families`` are written to at once, ``dispatched`` texts go over a sound
    carrier and ``faulty`` ones over a bad one while a worker is killed ``kills`` times, and statuses of ``in_flight``
    texts are asked for. The rest are how often each thing is tried.
    """

    tabs: tuple[int, ...]
    texts: int
    sends: int
    loads: int
    openings: int
    queries: int
    families: int
    replies: int
    dispatched: int
    faulty: int
    kills: int
    webhooks: int
    in_flight: int


FULL = Size(
    tabs=(1, 10, 50, 200),
    texts=40,
    sends=30,
    loads=5,
    openings=30,
    queries=200,
    families=10_000,
    replies=40,
    dispatched=6_000,
    faulty=4_000,
    kills=20,
    webhooks=4_000,
    in_flight=20_000,
)
QUICK = Size(
    tabs=(1, 10),
    texts=8,
    sends=5,
    loads=2,
    openings=6,
    queries=20,
    families=1_000,
    replies=8,
    dispatched=1_000,
    faulty=400,
    kills=3,
    webhooks=600,
    in_flight=2_000,
)
