"""From the click on Send to one's own bubble, the server's, and another person's screen."""

from __future__ import annotations

from playwright.async_api import Page

from bench.chromium import BUBBLE, PENDING, chromium, clicked, expect, seen, thread_page
from bench.report import Row, spread
from bench.size import Size
from bench.stage import Stage

DRAFT_SAVED = 400  # ms after the last key
OWN, QUEUED, OTHERS = "own bubble", "bubble from the server, queued", "another person's screen"


async def measure(stage: Stage, size: Size) -> list[Row]:
    writer, other = await stage.member("counselor"), await stage.member("principal")
    path = (await stage.open_thread(writer)).path
    async with (
        chromium() as browser,
        thread_page(browser, stage.url, path, writer) as own,
        thread_page(browser, stage.url, path, other) as others,
    ):
        sends = [await _send(own, others, f"Answer {number} of many.") for number in range(size.sends + 2)][2:]
    return [row for what in (OWN, QUEUED, OTHERS) for row in spread(f"send click → {what}", [s[what] for s in sends])]


async def _send(own: Page, others: Page, text: str) -> dict[str, float]:
    """By what appeared, how many seconds after the click."""
    await own.locator("#composer").fill(text)
    await own.wait_for_timeout(DRAFT_SAVED)
    await expect(own, OWN, PENDING, text)
    await expect(own, QUEUED, BUBBLE, text)
    await expect(others, OTHERS, BUBBLE, text)
    await own.locator(".send").click()
    start = await clicked(own)
    places = {OWN: own, QUEUED: own, OTHERS: others}
    return {what: await seen(page, what) - start for what, page in places.items()}
