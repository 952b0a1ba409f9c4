"""A real Chromium before the running product: a window of its own for each person, and nothing may go wrong in any."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.behind import Behind
from tests.browser.people import Person, Phones
from tests.product import Product

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOOPBACK = {"127.0.0.1", "localhost", ""}
DESKTOP = {"width": 1440, "height": 900}
PATIENCE = 10_000  # milliseconds that a screen may take on a busy machine


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Ends with this package: Playwright's loop would be in the way of asynchronous tests."""
    expect.set_options(timeout=PATIENCE)
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=next(filter(None, found)), args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Windows:
    """Opens windows that share nothing with each other, and notes what goes wrong in them."""

    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def open(self, **options) -> Page:
        context = self.browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce"} | options)
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        context.on("page", self._watch)
        return context.new_page()

    def expect_problems(self, *patterns: str) -> None:
        """What the test itself brings about: a line that is cut, a server that is stopped."""
        self.expected += patterns

    def unexpected(self) -> list[str]:
        return [problem for problem in self.problems if not any(re.search(p, problem) for p in self.expected)]

    def close(self) -> None:
        for context in self.contexts:
            context.close()

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("console", lambda line: self._note(line.type, line.text))
        page.on("request", lambda request: self._stays_here(request.url))

    def _note(self, kind: str, text: str) -> None:
        if kind == "error":
            self.problems.append(f"console: {text}")

    def _stays_here(self, url: str) -> None:
        if (urlsplit(url).hostname or "") not in LOOPBACK:
            self.problems.append(f"left this machine: {url}")


@pytest.fixture
def windows(chromium: Browser) -> Iterator[Windows]:
    opened = Windows(chromium)
    yield opened
    opened.close()
    assert opened.unexpected() == []


@pytest.fixture
def at_work(windows: Windows, product: Product) -> Callable[..., Person]:
    """Somebody with a window of their own, signed in, on the page of messages."""

    def come(key: str, path: str = "/messages", **options) -> Person:
        person = Person(windows.open(**options), product, key)
        person.has_signed_in()
        person.goes_to(path)
        return person

    return come


@pytest.fixture
def phones(windows: Windows, product: Product) -> Phones:
    """The simulator's page of family phones in a window of its own."""
    return Phones(windows.open(), product)


@pytest.fixture
def behind(product: Product) -> Behind:
    return Behind(product)
