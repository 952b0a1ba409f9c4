"""A real browser, in which the page itself notes when something is on the screen."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, WebSocket, async_playwright

from bench.stage import Person
from tp_inbox.web.cookies import SESSION_COOKIE

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 30  # seconds
WINDOW: ViewportSize = {"width": 1280, "height": 800}

BUBBLE = ".timeline .message:not(.pending)"
PENDING = ".timeline .message.pending"
LINE = ".threads li"

NOTEBOOK = """
(() => {
  const epoch = () => performance.timeOrigin + performance.now();
  const awaited = new Map();
  const isThere = ({ selector, text }) => [...document.querySelectorAll(selector)].some(
    (element) => element.textContent.includes(text) && element.getClientRects().length > 0);
  const look = () => {
    for (const one of awaited.values()) if (!one.at && isThere(one)) one.tell((one.at = epoch()));
  };
  window.bench = {
    await(name, selector, text) {
      const one = { selector, text };
      one.seen = new Promise((tell) => { one.tell = tell; });
      awaited.set(name, one);
      look();
    },
    async seen(name) {
      const at = await awaited.get(name).seen;
      awaited.delete(name);
      return at / 1000;
    },
  };
  addEventListener("click", () => { window.bench.clicked = epoch() / 1000; }, true);
  new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
})();
"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def context_of(browser: Browser, url: str, person: Person) -> AsyncIterator[BrowserContext]:
    """A profile of its own with an empty cache, in which the person is signed in."""
    context = await browser.new_context(viewport=WINDOW)
    context.set_default_timeout(PATIENCE * 1000)
    await context.add_cookies([{"name": SESSION_COOKIE, "value": person.cookie, "url": url}])
    await context.add_init_script(NOTEBOOK)
    try:
        yield context
    finally:
        await context.close()


@asynccontextmanager
async def thread_page(browser: Browser, url: str, path: str, person: Person) -> AsyncIterator[Page]:
    """The page of a thread, once its bubbles are there."""
    async with context_of(browser, url, person) as context:
        page = await context.new_page()
        await page.goto(url + path)
        await page.locator(BUBBLE).first.wait_for()
        yield page


async def expect(page: Page, name: str, selector: str, text: str = "") -> None:
    """From now on the page notes when an element with this text is first on the screen."""
    await page.evaluate("([name, selector, text]) => bench.await(name, selector, text)", [name, selector, text])


async def seen(page: Page, name: str) -> float:
    """When that was, in seconds since the epoch. Raises TimeoutError when it does not come."""
    return await asyncio.wait_for(page.evaluate("(name) => bench.seen(name)", name), PATIENCE)


async def clicked(page: Page) -> float:
    """When the page's last click was, in seconds since the epoch."""
    return await page.evaluate("bench.clicked")


async def said_at_first(browser: Browser, url: str, path: str, person: Person) -> tuple[str, str]:
    """What a tab says to the server when it opens a thread: its greeting, and that the thread was read."""
    said: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: said.append(str(frame)))

    async with context_of(browser, url, person) as context:
        page = await context.new_page()
        page.on("websocket", listen)
        await page.goto(url + path)
        await page.locator(BUBBLE).first.wait_for()
        await page.wait_for_timeout(1000)
    return _first(said, "40/"), _first(said, "42/", "mark_read")


def _first(frames: list[str], start: str, part: str = "") -> str:
    return next(frame for frame in frames if frame.startswith(start) and part in frame)
