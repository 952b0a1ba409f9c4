"""The least that a webhook can be: a bare Starlette handler that puts the form into the same table.

`python -m bench.bare PORT` serves it with the server and the options of `tp-inbox serve`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tp_inbox.storage.database import libpq_address

POOL = 10
INSERT = """
INSERT INTO inbound_request (sid, sender, form, source, received_at, problem, attempts, next_attempt_at)
VALUES ($1, $2, $3, 'webhook', now(), '', 0, now()) ON CONFLICT (sid) DO NOTHING RETURNING id
"""


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    address = libpq_address(os.environ["DATABASE_URL"])
    async with asyncpg.create_pool(address, min_size=POOL, max_size=POOL) as app.state.pool:
        yield


async def _inbound(request: Request) -> Response:
    form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    await request.app.state.pool.fetchval(INSERT, form["MessageSid"], form["From"], json.dumps(form))
    return Response("<Response/>", media_type="text/xml")


app = Starlette(routes=[Route("/twilio/inbound", _inbound, methods=["POST"])], lifespan=_lifespan)


def main(port: str) -> None:
    server = ["granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", *server, "--no-access-log", "bench.bare:app"])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1])
