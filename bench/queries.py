"""The server's share of looking at things, asked of the services directly, in the demonstration's small district."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from bench.report import Row, spread
from bench.size import Size
from bench.stage import Stage
from tp_inbox.domain.access import InboxKind


async def measure(stage: Stage, size: Size) -> list[Row]:
    person = await stage.member("counselor")
    thread = await stage.open_thread(person)
    actor, inboxes = person.actor, stage.services.inboxes
    asked: dict[str, Callable[[], Awaitable[object]]] = {
        "list of threads": lambda: inboxes.threads(actor, InboxKind.SCHOOL),
        "head of a thread": lambda: stage.services.threads.head(actor, thread.id),
        "messages of a thread": lambda: inboxes.messages(actor, thread.id),
        "unread counts": lambda: inboxes.tabs(actor),
    }
    return [row for what, ask in asked.items() for row in spread(f"server, {what}", await times_of(ask, size.queries))]


async def times_of(ask: Callable[[], Awaitable[object]], tries: int) -> list[float]:
    """Seconds, after one try that warms up."""
    await ask()
    return [await _time(ask) for _ in range(tries)]


async def _time(ask: Callable[[], Awaitable[object]]) -> float:
    before = time.perf_counter()
    await ask()
    return time.perf_counter() - before
