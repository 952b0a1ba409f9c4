"""What was measured: a row for each figure, a table for people, and a file for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("report.json")


@dataclass(frozen=True, slots=True)
class Row:
    """``goal`` is the most that is still good, or the least with ``at_least``; without one the figure only informs."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False

    @property
    def ok(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def as_json(self) -> dict[str, Any]:
        told = {"name": self.name, "value": self.value, "unit": self.unit, "goal": self.goal, "ok": self.ok}
        return told | ({"at_least": True} if self.at_least else {})


def spread(name: str, seconds: Sequence[float], goal: float | None = None) -> list[Row]:
    """Median and 95th percentile in milliseconds; ``goal``, in milliseconds too, is the percentile's."""
    return [Row(f"{name}, p50", _ms(seconds, 0.5), "ms"), Row(f"{name}, p95", _ms(seconds, 0.95), "ms", goal)]


def p95(name: str, seconds: Sequence[float], goal: float | None = None) -> Row:
    return spread(name, seconds, goal)[1]


def _ms(seconds: Sequence[float], share: float) -> float:
    """The smallest of the times that ``share`` of them do not exceed."""
    return round(sorted(seconds)[math.ceil(share * len(seconds)) - 1] * 1000, 1)


def write(machine: dict[str, Any], rows: Iterable[Row]) -> None:
    content = {"machine": machine, "rows": [row.as_json() for row in rows]}
    FILE.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def table(rows: Sequence[Row]) -> str:
    widest = max((len(row.name) for row in rows), default=0)
    return "\n".join(_line(row, widest) for row in rows)


def _line(row: Row, width: int) -> str:
    goal = "" if row.goal is None else f"goal {'≥' if row.at_least else '≤'} {row.goal:g}"
    met = {True: "ok", False: "MISSED", None: ""}[row.ok]
    return f"  {row.name:<{width}}  {row.value:>8g} {row.unit:<9}  {goal:<12} {met}".rstrip()
