"""The least that a webhook can be: a bare Starlette handler that puts the form into the same table.

One does so by the driver alone, the other by the product's own way to the database. `python -m bench.bare PORT` serves
them with the server and the options of `tp-inbox serve`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

import asyncpg
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tp_inbox.storage.database import Database, libpq_address

POOL = 10
BY_DRIVER, BY_DATABASE = "/by-driver", "/by-database"
INSERT = """
INSERT INTO inbound_request (sid, sender, form, source, received_at, problem, attempts, next_attempt_at)
VALUES ({values}, 'webhook', now(), '', 0, now()) ON CONFLICT (sid) DO NOTHING RETURNING id
"""
ONE_BY_ONE, BY_NAME = INSERT.format(values="$1, $2, $3"), text(INSERT.format(values=":sid, :sender, :form"))


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    address = os.environ["DATABASE_URL"]
    app.state.db = Database(address, pool_size=POOL)
    async with asyncpg.create_pool(libpq_address(address), min_size=POOL, max_size=POOL) as app.state.pool:
        yield
    await app.state.db.close()


async def _by_driver(request: Request) -> Response:
    await request.app.state.pool.fetchval(ONE_BY_ONE, *await _columns(request))
    return Response("<Response/>", media_type="text/xml")


async def _by_database(request: Request) -> Response:
    columns = dict(zip(("sid", "sender", "form"), await _columns(request), strict=True))
    async with request.app.state.db.reading() as session:
        await session.execute(BY_NAME, columns)
    return Response("<Response/>", media_type="text/xml")


async def _columns(request: Request) -> tuple[str, str, str]:
    form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    return form["MessageSid"], form["From"], json.dumps(form)


app = Starlette(
    routes=[
        Route(f"{kind}/twilio/inbound", answer, methods=["POST"])
        for kind, answer in ((BY_DRIVER, _by_driver), (BY_DATABASE, _by_database))
    ],
    lifespan=_lifespan,
)


def main(port: str) -> None:
    server = ["granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", *server, "--no-access-log", "bench.bare:app"])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1])
