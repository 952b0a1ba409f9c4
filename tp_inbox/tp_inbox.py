"""The Reflex app: pages, gate, routes and lifespan. Importing it touches no database, because a build imports it."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NoReturn

import reflex as rx
import reflex.model  # Reflex imports it at the first event with a form, which would wait 1.4 s
from starlette.applications import Starlette

from tp_inbox import logs, wiring
from tp_inbox.domain.calling import Called
from tp_inbox.domain.errors import FAULT, Refusal, SignedOut, Unavailable
from tp_inbox.services import figures, registry
from tp_inbox.services.changes import Changes
from tp_inbox.services.ports import SignedRequest
from tp_inbox.settings import BadSettings, settings
from tp_inbox.storage.feed import Feed
from tp_inbox.twilio import voice, webhooks
from tp_inbox.web import live, pages, reflex_internals as internals
from tp_inbox.web.addresses import sockets
from tp_inbox.web.components.shell import first_paint, toasts
from tp_inbox.web.gate import Gate, show_out
from tp_inbox.web.headers import with_headers
from tp_inbox.web.routes import exports, health, metrics, second_step, sign_in, sso, welcome
from tp_inbox.web.routes.front_door import front_door
from tp_inbox.web.routes.origin import with_origin
from tp_inbox.web.states.push import PushState
from tp_inbox.web.states.thread import ThreadState

log = logging.getLogger(__name__)

POLL_TAKES = 60.0
"""Seconds, when much has happened since the last one."""


class Process:
    """What one web process holds while it runs; nothing while the app is only imported."""

    wired: wiring.Wired | None = None
    feed: Feed | None = None

    @property
    def running(self) -> wiring.Wired:
        if self.wired is None:
            raise Unavailable("The app is starting. Please try again in a moment.")
        return self.wired

    async def keep(self, request: SignedRequest) -> None:
        await self.running.intake.take(request)

    async def figures(self) -> bytes:
        return await self.running.watching.figures()

    async def database_answers(self) -> bool:
        await self.running.db.ping()
        return True

    async def called(self, number: str, caller: str) -> Called | None:
        return await self.running.calls.called(number, caller)

    async def spool_takes_webhooks(self) -> bool:
        return await asyncio.to_thread(self.running.intake.spool.writable)

    async def feed_listens(self) -> bool:
        return self.feed is not None and self.feed.listening.is_set()

    async def dispatcher_turns(self) -> bool:
        return await self.running.processes.dispatching()

    async def poller_is_on_time(self) -> bool:
        seconds = await self.running.watching.poller_seconds()
        return seconds is not None and seconds < settings().poll_seconds * 3 + POLL_TAKES


process = Process()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Fills the registry, then listens to the feed until the process ends."""
    logs.configure(settings().log_level, settings().log_format)
    process.wired = wired = wiring.wire(settings())
    registry.fill(wired.services)
    tabs = live.Live(Changes(wired.db), PushState.changed, PushState.reload())
    live.install(tabs)
    figures.watch_tabs(tabs.count)
    figures.watch_spool(wired.intake.spool.waiting)
    internals.only_the_server_sends(app, tabs.push_names)
    process.feed = Feed(wired.db.url, lambda change: tabs.hear(app, change), lambda: tabs.reload_all(app))
    beside = (wired.beat.run(), wired.router.run(), wired.intake.run())
    works = (_check_start(wired), process.feed.run(), _sweep(tabs), *beside)
    running = [asyncio.create_task(work) for work in works]
    _settle_memory()
    yield
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await wired.close()


async def _check_start(wired: wiring.Wired) -> None:
    """Beside the rest: with the database away the process answers, says so, and can be stopped."""
    try:
        wired.require_spool()
        await wiring.until_safe(wired)
    except BadSettings as wrong:
        _end_with(wrong)


def _end_with(wrong: BadSettings) -> NoReturn:
    """Only its sentence: raised through the server, it would stand under a page of places."""
    sys.stderr.write(f"{wrong}\n")
    sys.stderr.flush()
    os._exit(2)


async def _sweep(tabs: live.Live) -> None:
    while True:
        await asyncio.sleep(live.SWEEP_SECONDS)
        try:
            await tabs.sweep(app)
        except Exception:
            log.exception("live: a sweep failed")


def show_fault(exception: Exception) -> rx.event.EventSpec | None:
    """A refusal shows its sentence; anything else is logged with where it happened, and shown as a plain sentence."""
    if isinstance(exception, SignedOut):
        return show_out()
    if isinstance(exception, Refusal):
        return rx.toast.error(exception.sentence)
    staff = live.current().staff_of(internals.event_token())
    log.error("an event failed: %s, staff %s", internals.failed_event(), staff, exc_info=exception)
    return rx.toast.error(FAULT)


def note_page_fault(exception: Exception) -> None:
    """A page reports an error in the browser. Anybody can report anything, so its words are not kept."""
    log.warning("a page reported an error of %s characters", len(str(exception)))


def _settle_memory() -> None:
    """What is loaded now stays: collecting over it again and again would make each push wait."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _routes() -> Starlette:
    checks = {
        health.DATABASE: process.database_answers,
        health.SPOOL: process.spool_takes_webhooks,
        health.FEED: process.feed_listens,
        health.DISPATCHER: process.dispatcher_turns,
        health.POLLER: process.poller_is_on_time,
    }
    return Starlette(
        routes=[
            *webhooks.routes(settings(), process.keep),
            *voice.routes(settings(), process.called),
            *sign_in.routes(settings()),
            *second_step.routes(settings()),
            *welcome.routes(settings()),
            *sso.routes(settings()),
            *exports.routes(),
            *health.routes(checks),
            *metrics.routes(settings(), process.figures),
        ]
    )


app = rx.App(
    stylesheets=["/tp-inbox.css", "/pages.css"],
    head_components=pages.HEAD,
    html_lang="en",
    hydrate_fallback=first_paint,
    toaster=toasts(),
    backend_exception_handler=show_fault,
    frontend_exception_handler=note_page_fault,
    api_transformer=[
        _routes(),
        front_door,
        with_origin(settings().proxy_hops),
        with_headers(sockets(settings()), behind_tls=settings().behind_tls),
    ],
)
internals.guard_sockets(app)
del app.app_wraps[5, "Overlay"]  # Reflex's own notices of a lost connection; ours stands in the shell
app.add_middleware(Gate(by_themselves=[ThreadState.mark_read]), index=0)
app.register_lifespan_task(lifespan)
pages.add_to(app)
