"""`make bench`: runs what is asked for, prints a table and writes bench/report.json."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from bench import (
    announce,
    dispatch,
    faults,
    live,
    opening,
    page,
    poll,
    queries,
    report,
    rights,
    send,
    start,
    webhooks,
)
from bench.machine import machine
from bench.report import Row
from bench.size import FULL, QUICK, Size
from bench.stage import Stage, stage
from tests.product import Product, running_product
from tp_inbox.demo.build import Frontend
from tp_inbox.demo.homes import Owner, temporary_folder

Part = Callable[[Stage, Size], Awaitable[list[Row]]]

START = "start"
ALONE: dict[str, Callable[[Size], Coroutine[Any, Any, list[Row]]]] = {
    "faults": faults.measure,
    "dispatch": dispatch.measure,
    "announce": announce.measure,
    "webhooks": webhooks.measure,
    "poll": poll.measure,
}
"""Each in a district of its own, with nothing beside it."""
PARTS: dict[str, Part] = {
    "live": live.measure,
    "send": send.measure,
    "open": opening.measure,
    "page": page.measure,
    "server": queries.measure,
    "rights": rights.measure,
}


def main() -> None:
    chosen = _options()
    told, rows = machine(), list[Row]()
    Frontend().build()
    try:
        if {*chosen.parts} & {*PARTS, START}:
            with temporary_folder(Owner.for_this_process()) as data:
                _measure(data, chosen, told, rows)
        for name in (name for name in ALONE if name in chosen.parts):
            _add(rows, asyncio.run(ALONE[name](QUICK if chosen.quick else FULL)))
    finally:
        report.write(told, rows)
    print(f"\n{report.table(rows)}\n\n{told['cpu']}, {told['cores']} cores; {report.FILE.name} tells the rest.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the product from outside.")
    every = [*PARTS, START, *ALONE]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(every)}; all unless given")
    parser.add_argument("--quick", action="store_true", help="few tries, to see that it works")
    chosen = parser.parse_args()
    chosen.parts = chosen.parts or every
    if unknown := set(chosen.parts) - set(every):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return chosen


def _measure(data: Path, chosen: argparse.Namespace, told: dict[str, Any], rows: list[Row]) -> None:
    before = time.perf_counter()
    with running_product(data) as product:
        _add(rows, [Row("first start of everything, with the demonstration's data → /ready", _since(before), "s")])
        asyncio.run(_measure_running(product, chosen, told, rows))
    if START in chosen.parts:
        _add(rows, start.measure(data))


async def _measure_running(product: Product, chosen: argparse.Namespace, told: dict[str, Any], rows: list[Row]) -> None:
    async with stage(product) as running:
        told["postgres"] = await running.postgres()
        for name in (name for name in PARTS if name in chosen.parts):
            _add(rows, await PARTS[name](running, QUICK if chosen.quick else FULL))


def _add(rows: list[Row], new: Sequence[Row]) -> None:
    rows += new
    print(report.table(new), file=sys.stderr, flush=True)


def _since(before: float) -> float:
    return round(time.perf_counter() - before, 1)


if __name__ == "__main__":
    main()
