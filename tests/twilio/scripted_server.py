"""A server on loopback that answers what a test says, faults of the network included."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Reply:
    status: int = 200
    body: str | dict[str, Any] = ""
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0
    """Seconds of silence before it."""


RESET = Reply(status=0)
"""The request is read, and the connection dies."""


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, list[str]]
    form: dict[str, list[str]]
    headers: dict[str, str]


class ScriptedServer:
    """Answers its script in order, then ``otherwise`` for ever; ``asked`` is all that came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.script: list[Reply] = []
        self.otherwise: Callable[[Asked], Reply] = lambda _: Reply(404, {"code": 20404, "message": "?", "status": 404})

    def next_reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        return self.script.pop(0) if self.script else self.otherwise(asked)


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    http = _Http(("127.0.0.1", 0), _Handler)
    http.scripted = server = ScriptedServer(f"http://127.0.0.1:{http.server_address[1]}")
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def closed_port() -> str:
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    scripted: ScriptedServer


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        reply = self.server.scripted.next_reply(self._asked())
        time.sleep(reply.after)
        if reply is RESET:
            self._die()
        else:
            self._write(reply)

    do_GET = do_POST = do_DELETE = _answer

    def _write(self, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(body.encode())), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def _asked(self) -> Asked:
        url = urlsplit(self.path)
        form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        return Asked(self.command, url.path, parse_qs(url.query), parse_qs(form), dict(self.headers))

    def _die(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        return None

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):
            return
