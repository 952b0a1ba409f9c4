"""A family's text on every screen that shows its thread: how soon, and exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.async_api import Browser, Page

from bench.chromium import BUBBLE, chromium, expect, said_at_first, seen, thread_page
from bench.clients import Order
from bench.report import Row, p95, spread
from bench.screen import Sighting
from bench.size import Size
from bench.stage import OpenThread, Person, Stage
from bench.watchers import Seen, watchers

GOALS = {10: 20, 50: 40, 200: 100}  # ms, by tabs
THERE_BEFORE = 50  # texts in the thread, so that its window is full from the first figure on
WARM_UP = 5  # texts a round, which count only as delivered or not
PAUSE = 0.15  # seconds between texts
READING_TABS = 50
READING_PAUSE = 1.0  # as much as it takes until every reader has marked the text
NEVER: Sighting = (0, 0)


@dataclass(frozen=True, slots=True)
class Sent:
    """A text, and when: the webhook left, was answered, and Chromium showed the text."""

    text: str
    left: float
    answered: float
    shown: float


@dataclass(frozen=True, slots=True)
class Round:
    """Texts that were sent while tabs watched, what each of the other tabs saw, and how often Chromium was wrong."""

    sent: Sequence[Sent]
    screens: Sequence[Seen]
    wrong_in_chromium: int

    def answering(self) -> list[float]:
        return [text.answered - text.left for text in self._counted]

    def in_chromium(self) -> list[float]:
        return [text.shown - text.left for text in self._counted]

    def at_the_others(self) -> list[float]:
        return [screen[s.text][0] - s.left for screen in self.screens for s in self._counted if s.text in screen]

    def wrong(self) -> int:
        """How many texts were not exactly once on a screen, each screen counted."""
        others = sum(screen.get(s.text, NEVER)[1] != 1 for screen in self.screens for s in self.sent)
        return self.wrong_in_chromium + others

    @property
    def _counted(self) -> Sequence[Sent]:
        return self.sent[WARM_UP:]


@dataclass(frozen=True, slots=True)
class Hall:
    """One thread, a browser, everybody who may look at it, and what a tab says."""

    stage: Stage
    thread: OpenThread
    browser: Browser
    person: Person
    readers: Sequence[Person]
    greeting: str
    answer: str


async def measure(stage: Stage, size: Size) -> list[Row]:
    async with chromium() as browser:
        hall = await _hall(stage, browser, max(size.tabs) - 1)
        rows = [row for tabs in size.tabs for row in await _watching(hall, tabs, size.texts)]
        return rows + await _reading(hall, min(READING_TABS, max(size.tabs)), size.texts // 2)


async def _hall(stage: Stage, browser: Browser, readers: int) -> Hall:
    person = await stage.member("principal")
    thread = await stage.open_thread(person)
    for number in range(THERE_BEFORE):
        await stage.carrier.text(thread.family, thread.ours, f"From before, {number}.")
    greeting, answer = await said_at_first(browser, stage.url, thread.path, person)
    return Hall(stage, thread, browser, person, await stage.readers(readers), greeting, answer)


async def _watching(hall: Hall, tabs: int, texts: int) -> list[Row]:
    """The others' tabs are in the background, and mark nothing as read."""
    label = "1 tab" if tabs == 1 else f"{tabs} tabs"
    done = await _round(hall, tabs, label, texts, PAUSE)
    others = [p95(f"webhook → {tabs - 1} websocket clients", done.at_the_others())] if tabs > 1 else []
    return [
        *spread(f"webhook → another browser's screen, {label}", done.in_chromium(), GOALS.get(tabs)),
        *others,
        p95(f"webhook → answered, {label}", done.answering()),
        Row(f"texts missing or doubled, {label}", done.wrong(), "texts", 0),
    ]


async def _reading(hall: Hall, tabs: int, texts: int) -> list[Row]:
    """Every tab is looked at, so each marks each text as read, and hears that it did."""
    label = f"{tabs} tabs that mark it read"
    done = await _round(hall, tabs, label, texts, READING_PAUSE, hall.answer)
    return [
        *spread(f"webhook → another browser's screen, {label}", done.in_chromium()),
        Row(f"texts missing or doubled, {label}", done.wrong(), "texts", 0),
    ]


async def _round(hall: Hall, tabs: int, label: str, texts: int, pause: float, answer: str = "") -> Round:
    cookies = [reader.cookie for reader in hall.readers[: tabs - 1]]
    async with (
        watchers(Order(hall.stage.url, cookies, hall.greeting, answer)) as others,
        thread_page(hall.browser, hall.stage.url, hall.thread.path, hall.person) as page,
    ):
        bodies = [f"Text {number} to {label}." for number in range(WARM_UP + texts)]
        sent = [await _sent(hall, page, body, pause) for body in bodies]
        return Round(sent, await others.saw(bodies), await _not_once(page, bodies))


async def _sent(hall: Hall, page: Page, body: str, pause: float) -> Sent:
    await asyncio.sleep(pause)
    await expect(page, body, BUBBLE, body)
    left, answered = await hall.stage.carrier.text(hall.thread.family, hall.thread.ours, body)
    return Sent(body, left, answered, await seen(page, body))


async def _not_once(page: Page, bodies: Sequence[str]) -> int:
    bubbles = await page.locator(f"{BUBBLE} .text").all_inner_texts()
    return sum(bubbles.count(body) != 1 for body in bodies)
