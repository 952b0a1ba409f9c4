"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """``tabs`` watch one thread in turn; the rest are how often each thing is tried."""

    tabs: tuple[int, ...]
    texts: int
    sends: int
    loads: int
    openings: int
    queries: int


FULL = Size(tabs=(1, 10, 50, 200), texts=40, sends=30, loads=5, openings=30, queries=200)
QUICK = Size(tabs=(1, 10), texts=8, sends=5, loads=2, openings=6, queries=20)
