"""The Reflex app: pages, gate, routes and lifespan. Importing it touches no database, because a build imports it."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import reflex as rx
import reflex.model  # noqa: F401  # Reflex imports it at the first event with a form, which would wait 1.4 s
from starlette.applications import Starlette

from tp_inbox import wiring
from tp_inbox.domain.errors import Refusal, SignedOut, Unavailable
from tp_inbox.services import registry
from tp_inbox.services.changes import Changes
from tp_inbox.services.ports import InboundText, StatusReport
from tp_inbox.settings import settings
from tp_inbox.storage.feed import Feed
from tp_inbox.twilio import webhooks
from tp_inbox.web import live, pages
from tp_inbox.web.addresses import sockets
from tp_inbox.web.gate import SIGN_IN, Gate
from tp_inbox.web.headers import with_headers
from tp_inbox.web.routes import health, sign_in
from tp_inbox.web.states.messages_page import PushState

log = logging.getLogger(__name__)

FAULT = "Something went wrong on our side. Nothing was lost; please try again."


class Process:
    """What one web process holds while it runs; nothing while the app is only imported."""

    wired: wiring.Wired | None = None
    feed: Feed | None = None

    @property
    def running(self) -> wiring.Wired:
        if self.wired is None:
            raise Unavailable("The app is starting. Please try again in a moment.")
        return self.wired

    async def receive(self, text: InboundText) -> None:
        await self.running.receiving.receive(text)

    async def report(self, report: StatusReport) -> None:
        await self.running.delivering.report(report)

    async def database_answers(self) -> bool:
        try:
            await self.running.db.ping()
        except Unavailable:
            return False
        return True

    async def feed_listens(self) -> bool:
        return self.feed is not None and self.feed.listening.is_set()


process = Process()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Fills the registry, then listens to the feed until the process ends."""
    process.wired = wired = wiring.wire(settings())
    await wiring.until_safe(wired)
    registry.fill(wired.services)
    tabs = live.Live(Changes(wired.db), PushState.changed, PushState.reload())
    live.install(tabs)
    process.feed = Feed(wired.db.url, lambda change: tabs.hear(app, change), lambda: tabs.reload_all(app))
    listening = asyncio.create_task(process.feed.run())
    _settle_memory()
    yield
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    await wired.close()


def show_fault(exception: Exception) -> rx.event.EventSpec | None:
    """A refusal shows its sentence; anything else is logged with where it happened, and shown as a plain sentence."""
    if isinstance(exception, SignedOut):
        return rx.redirect(SIGN_IN, replace=True)
    if isinstance(exception, Refusal):
        return rx.toast.error(exception.sentence)
    log.error("an event failed", exc_info=exception)
    return rx.toast.error(FAULT)


def _settle_memory() -> None:
    """What is loaded now stays: collecting over it again and again would make each push wait."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _routes() -> Starlette:
    checks = {"database": process.database_answers, "feed": process.feed_listens}
    return Starlette(
        routes=[
            *webhooks.routes(settings(), process.receive, process.report),
            *sign_in.routes(settings()),
            *health.routes(checks),
        ]
    )


app = rx.App(
    stylesheets=["/tp-inbox.css"],
    head_components=pages.HEAD,
    html_lang="en",
    backend_exception_handler=show_fault,
    api_transformer=[
        _routes(),
        with_headers(sockets(settings()), behind_tls=settings().behind_tls),
    ],
)
app.add_middleware(Gate(), index=0)
app.register_lifespan_task(lifespan)
pages.add_to(app)
