"""Opening a thread: from the click on its line until its newest bubble is there."""

from __future__ import annotations

from itertools import cycle, islice

from playwright.async_api import Page

from bench.chromium import BUBBLE, LINE, chromium, clicked, context_of, expect, seen
from bench.report import Row, spread
from bench.size import Size
from bench.stage import Person, Stage

THREADS = 6
PAUSE = 150  # ms between two openings


async def measure(stage: Stage, size: Size) -> list[Row]:
    person = await stage.member("counselor")
    newest = await _newest_texts(stage, person)
    async with chromium() as browser, context_of(browser, stage.url, person) as context:
        page = await context.new_page()
        await page.goto(f"{stage.url}/messages/school")
        await page.locator(LINE).first.wait_for()
        tries = islice(cycle(newest.items()), size.openings + len(newest))
        times = [await _open(page, thread_id, text) for thread_id, text in tries][len(newest) :]
    return spread("thread click → its messages", times)


async def _newest_texts(stage: Stage, person: Person) -> dict[int, str]:
    """By thread; no two begin alike, so that one text tells which thread is on the screen."""
    newest = {}
    for row in await stage.school_threads(person):
        messages, _ = await stage.services.inboxes.messages(person.actor, row.id)
        newest[messages[-1].text] = row.id
    return {thread_id: text for text, thread_id in islice(newest.items(), THREADS)}


async def _open(page: Page, thread_id: int, text: str) -> float:
    await page.wait_for_timeout(PAUSE)
    await expect(page, text, BUBBLE, text)
    await page.locator(f'{LINE} a[href$="/messages/school/{thread_id}"]').first.click()
    return await seen(page, text) - await clicked(page)
