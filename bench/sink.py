"""Stands where our web process would: it takes what the carrier reports, and does nothing with it.

So a measurement of the worker has the cores that reports would have cost.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
THANKS = b"HTTP/1.1 204 No Content\r\n\r\n"


@asynccontextmanager
async def sink(port: int) -> AsyncIterator[None]:
    server = await asyncio.start_server(_take, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            writer.write(THANKS)
    writer.close()
