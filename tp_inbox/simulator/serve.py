"""Runs the simulator until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket

from granian.constants import Interfaces
from granian.server.embed import Server

from .app import create_app
from .config import SimulatorConfig

CONNECTIONS = 1_024


class Running:
    """One simulator in the running event loop: serve() until stop()."""

    def __init__(self, config: SimulatorConfig) -> None:
        """Raises OSError for a taken port: granian would share it with whoever is there."""
        _require_free(config.host, config.port)
        self._app = create_app(config)
        self._server = Server(
            self._app,
            address=config.host,
            port=config.port,
            interface=Interfaces.ASGI,
            websockets=False,
            backlog=CONNECTIONS,
            backpressure=CONNECTIONS,
            log_enabled=False,
        )

    async def serve(self) -> None:
        await self._server.serve()

    async def stop(self) -> None:
        """Ends what would keep the server waiting, then the server."""
        await self._app.state.simulator.close()
        self._server.stop()


def run(config: SimulatorConfig) -> None:
    """Serves on the config's host and port; returns after SIGINT or SIGTERM. Raises OSError for a taken port."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    asyncio.run(_run(config))


async def _run(config: SimulatorConfig) -> None:
    running, told = Running(config), asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, told.set)
    serving = asyncio.create_task(running.serve())
    ordered = asyncio.create_task(told.wait())
    await asyncio.wait({serving, ordered}, return_when=asyncio.FIRST_COMPLETED)
    ordered.cancel()
    if not serving.done():
        await running.stop()
    await serving


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
