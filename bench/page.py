"""Loading the messages page with an empty cache: what comes over the wire, and when one can begin."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from playwright.async_api import Browser, Page, Request

from bench.chromium import LINE, chromium, context_of, seen
from bench.report import Row
from bench.size import Size
from bench.stage import Person, Stage

PATH = "/messages/school"
USABLE = "usable"
AWAIT_USABLE = f"bench.await('{USABLE}', '{LINE}', '')"
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
SETTLED = 500  # ms after the first row, for what is still on its way

KINDS = {"script": "JavaScript", "stylesheet": "CSS", "font": "fonts"}
GOALS = {"JavaScript": 300}  # KB
FIRST_PAINT_GOAL, USABLE_GOAL = 400, 1000  # ms


@dataclass(frozen=True, slots=True)
class Load:
    """``painted`` and ``usable`` in ms after the start of the navigation; ``kilobytes`` by kind, as transferred."""

    painted: float
    usable: float
    requests: int
    kilobytes: dict[str, float]


async def measure(stage: Stage, size: Size) -> list[Row]:
    person = await stage.member("counselor")
    async with chromium() as browser:
        await _load(browser, stage.url, person)  # the browser's own first page is slow
        loads = [await _load(browser, stage.url, person) for _ in range(size.loads)]
    return [
        Row("messages page, first paint, cold", _median(load.painted for load in loads), "ms", FIRST_PAINT_GOAL),
        Row("messages page, first thread row, cold", _median(load.usable for load in loads), "ms", USABLE_GOAL),
        *_bytes(loads),
        Row("messages page, requests", _median(load.requests for load in loads), "requests"),
    ]


async def _load(browser: Browser, url: str, person: Person) -> Load:
    async with context_of(browser, url, person) as context:
        await context.add_init_script(AWAIT_USABLE)
        page = await context.new_page()
        finished = _finished_requests(page)
        await page.goto(url + PATH)
        usable = await seen(page, USABLE) - await page.evaluate("performance.timeOrigin / 1000")
        await page.wait_for_timeout(SETTLED)
        return Load(await _painted(page), usable * 1000, len(finished), await _kilobytes(finished))


def _finished_requests(page: Page) -> list[Request]:
    """Grows while the page loads."""
    finished: list[Request] = []

    def note(request: Request) -> None:
        finished.append(request)

    page.on("requestfinished", note)
    return finished


async def _painted(page: Page) -> float:
    painted = await page.evaluate(PAINTED)
    assert painted is not None, "the browser painted nothing"
    return painted


async def _kilobytes(finished: Sequence[Request]) -> dict[str, float]:
    bodies = await asyncio.gather(*(_body(request) for request in finished))
    return {
        name: sum(body for request, body in zip(finished, bodies, strict=True) if _kind(request) == kind) / 1000
        for kind, name in KINDS.items()
    }


async def _body(request: Request) -> int:
    """As transferred; of what came from the page's own memory the browser says less than nothing."""
    return max(0, (await request.sizes())["responseBodySize"])


def _kind(request: Request) -> str:
    """A preloaded module is a script, whatever the browser calls its request."""
    ending = request.url.partition("?")[0].rpartition(".")[2]
    return {"js": "script", "css": "stylesheet", "woff2": "font"}.get(ending, request.resource_type)


def _bytes(loads: Sequence[Load]) -> list[Row]:
    transferred = {name: _median(load.kilobytes[name] for load in loads) for name in KINDS.values()}
    return [
        Row(f"messages page, {name} transferred", size, "KB", GOALS.get(name)) for name, size in transferred.items()
    ]


def _median(values: Iterable[float]) -> float:
    return round(median(values), 1)
