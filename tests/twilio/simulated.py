"""The simulator and our own webhooks, both on random ports of loopback, in a thread of their own."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette

from tests.twilio.cast import ACCOUNT, TOKEN, settings_for
from tp_inbox.services.ports import InboundText, StatusReport
from tp_inbox.settings import Settings
from tp_inbox.simulator import Delays, SimulatorConfig
from tp_inbox.simulator.serve import Running
from tp_inbox.twilio import webhooks
from tp_inbox.web.routes import health

PATIENCE = 10.0


@dataclass
class Simulated:
    settings: Settings
    texts: list[InboundText] = field(default_factory=list)
    reports: list[StatusReport] = field(default_factory=list)

    async def receive(self, text: InboundText, source: str) -> None:
        self.texts.append(text)

    async def report(self, report: StatusReport, source: str) -> None:
        self.reports.append(report)

    async def family_texts(self, sender: str, recipient: str, body: str) -> dict[str, object]:
        """A family phone writes; what its webhook came to."""
        async with httpx.AsyncClient(base_url=self.settings.twilio_base_url, trust_env=False) as phone:
            written = {"from": sender, "to": recipient, "body": body}
            answer = await phone.post("/simulator/inbound", json=written)
        return answer.raise_for_status().json()


@contextmanager
def simulated(folder: Path) -> Iterator[Simulated]:
    simulator_port, our_port = _free_port(), _free_port()
    settings = settings_for(f"http://127.0.0.1:{simulator_port}", public_url=f"http://127.0.0.1:{our_port}")
    simulated = Simulated(settings)
    config = SimulatorConfig(ACCOUNT, TOKEN, folder, port=simulator_port, delays=Delays.none())
    take = webhooks.read_for(simulated.receive, simulated.report)
    kept = webhooks.routes(settings, partial(take, source="webhook"))
    ours = Starlette(routes=[*kept, *health.routes({})])
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(config, ours, our_port, stop),))
    thread.start()
    _wait_for(f"{settings.twilio_base_url}/health")
    yield simulated
    loop.call_soon_threadsafe(stop.set)
    thread.join(PATIENCE)
    loop.close()


async def _serve(config: SimulatorConfig, ours: Starlette, our_port: int, stop: asyncio.Event) -> None:
    simulator = Running(config)
    webhooks = Server(ours, address="127.0.0.1", port=our_port, interface=Interfaces.ASGI, log_enabled=False)
    serving = [asyncio.create_task(server.serve()) for server in (simulator, webhooks)]
    await stop.wait()
    await simulator.stop()
    webhooks.stop()
    await asyncio.gather(*serving)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            return _ask(url)
        except httpx.TransportError:
            time.sleep(0.02)
    raise TimeoutError(url)


def _ask(url: str) -> None:
    httpx.get(url, trust_env=False).raise_for_status()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
