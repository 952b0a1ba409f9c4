"""What a test does behind the screen: the database, the processes, and the line between browser and server."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import psutil
from playwright.sync_api import BrowserContext, WebSocketRoute
from sqlalchemy import text

from tests.product import Product
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, announce

GONE_SECONDS = 10


@dataclass(frozen=True)
class Behind:
    """The product's own database, reached as a program beside it would."""

    product: Product

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Runs one statement and commits it; what it returns, if it returns something."""

        async def run(db: Database) -> list[tuple[Any, ...]]:
            async with db.transaction() as session:
                result = await session.execute(text(statement), values)
                return [tuple(row) for row in result.all()] if result.returns_rows else []

        return self._run(run)

    def value(self, statement: str, **values: Any) -> Any:
        ((value,),) = self.rows(statement, **values)
        return value

    def announce(self, change: Change) -> None:
        async def run(db: Database) -> None:
            async with db.transaction() as session:
                await announce(session, change)

        self._run(run)

    def _run(self, work: Callable[[Database], Coroutine[Any, Any, Any]]) -> Any:
        """In a thread, because Playwright's own loop runs in this one."""
        results: list[Any] = []

        async def once() -> None:
            db = Database(self._url())
            try:
                results.append(await work(db))
            finally:
                await db.close()

        thread = threading.Thread(target=lambda: asyncio.run(once()))
        thread.start()
        thread.join()
        (result,) = results
        return result

    def _url(self) -> str:
        note = (self.product.data / "running.env").read_text()
        return dict(line.split("=", 1) for line in shlex.split(note))["DATABASE_URL"]


def kill(product: Product, command: str) -> None:
    """Ends one of this product's own processes as a crash would: serve or worker, whichever is meant."""
    victims = [p for p in psutil.process_iter() if _is(p, product, command)]
    assert victims, f"no {command} of this product is running"
    for victim in victims:
        victim.kill()
    deadline = time.monotonic() + GONE_SECONDS
    while any(victim.is_running() and victim.status() != psutil.STATUS_ZOMBIE for victim in victims):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is(process: psutil.Process, product: Product, command: str) -> bool:
    words = {"worker": r"tp_inbox\.cli worker$", "serve": r"granian .*tp_inbox\.tp_inbox:app$"}[command]
    try:
        line = " ".join(process.cmdline())
        if "keeper.py" in line or not re.search(words, line):
            return False
        return process.environ().get("DATA_DIR") == os.fspath(product.data.resolve())
    except psutil.Error:
        return False


@dataclass
class Line:
    """The line between a browser and the server, which a test can cut."""

    context: BrowserContext
    _open: list[tuple[WebSocketRoute, WebSocketRoute]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.route_web_socket(re.compile("/_event"), self._connect)

    def _connect(self, browser: WebSocketRoute) -> None:
        self._open.append((browser, browser.connect_to_server()))

    def cut(self) -> None:
        """What is open ends, which being offline alone does not do, and nothing new begins."""
        self.context.set_offline(True)
        for browser, server in self._open:
            server.close()
            browser.close()
        self._open.clear()

    def restore(self) -> None:
        self.context.set_offline(False)
