"""Puts the simulator together."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import phones, rest
from .announcer import Announcer
from .background import Background
from .calls import Switchboard
from .carrier import Carrier
from .config import SimulatorConfig
from .courier import Courier
from .database import open_database
from .errors import Refusal, on_refusal, refusal_response
from .faults import Trouble
from .guards import REST_PREFIXES, Guard, TooLarge, on_too_large
from .hub import Hub
from .messages import MessageLog
from .mishaps import Mishaps
from .numbers import Numbers, OptOuts
from .parts import Simulator
from .phonebook import Phonebook
from .phones.api import on_bad_request
from .phones.requests import BadRequest
from .pictures import show_picture


def create_app(config: SimulatorConfig) -> Starlette:
    """The simulator as an ASGI application; it carries texts while its lifespan runs. One process a data_path."""
    database = open_database(config.data_path, config.is_durable)
    sim = _assemble(config, database)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await sim.carrier.start()
        yield
        await sim.close()
        database.close()

    app = Starlette(
        routes=[*rest.ROUTES, *phones.ROUTES, Route("/mms/{medium}/{token}", show_picture), Route("/health", _health)],
        middleware=[Middleware(Guard, config=config), Middleware(Mishaps, trouble=sim.trouble)],
        exception_handlers={
            Refusal: on_refusal,
            BadRequest: on_bad_request,
            TooLarge: on_too_large,
            HTTPException: _on_http_error,
        },
        lifespan=lifespan,
    )
    app.state.simulator = sim
    return app


def _assemble(config: SimulatorConfig, database: sqlite3.Connection) -> Simulator:
    messages, numbers, opt_outs = MessageLog(database), Numbers(database, config.service_size), OptOuts(database)
    courier, hub = Courier(config.auth_token, config.webhook_seconds), Hub()
    trouble, background = Trouble(), Background()
    announcer = Announcer(config, courier, trouble, background)
    carrier = Carrier(config, messages, numbers, opt_outs, announcer, trouble, background, hub)
    switchboard = Switchboard(config, courier)
    return Simulator(config, messages, numbers, opt_outs, Phonebook(database), carrier, switchboard, trouble, hub)


async def _health(_request: Request) -> Response:
    return JSONResponse({"ok": True})


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Twilio's body for a wrong path or method of its API, a sentence elsewhere."""
    assert isinstance(error, HTTPException)
    if request.url.path.startswith(REST_PREFIXES):
        return refusal_response(Refusal(20004) if error.status_code == 405 else Refusal(20404, request.url.path))
    return JSONResponse({"error": error.detail}, status_code=error.status_code)
