"""A simulator in a thread, a district that listens, and the real Twilio client between them."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx
import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tp_inbox.simulator import Delays, SimulatorConfig
from tp_inbox.simulator.serve import Running

ACCOUNT, TOKEN = "AC" + "5" * 32, "a-token-of-the-tests"
T = TypeVar("T")

AMINA, BRUNO, CHEN = "+12125550141", "+12125550142", "+12125550143"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(look: Callable[[], T], seconds: float = 10) -> T:
    """What look() finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
    return found


class SimulatorClient(TwilioHttpClient):
    """Sends what is meant for *.twilio.com to the simulator, and says in Host where it was meant to go."""

    def __init__(self, base_url: str) -> None:
        super().__init__(timeout=10)
        self._base = urlsplit(base_url)

    def request(self, method, url, params=None, data=None, headers=None, *more, **others):
        parts = urlsplit(url)
        assert parts.hostname.endswith(".twilio.com")
        there = urlunsplit(parts._replace(scheme=self._base.scheme, netloc=self._base.netloc))
        headers = {**(headers or {}), "Host": parts.hostname}
        return super().request(method, there, params, data, headers, *more, **others)


@dataclass
class Webhook:
    """One request as the district got it."""

    path: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class District:
    """Receives webhooks. For a path that begins so: answers are the next statuses, then 204; bodies come with 200."""

    url: str = ""
    webhooks: list[Webhook] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    bodies: dict[str, str] = field(default_factory=dict)

    def at(self, prefix: str) -> list[Webhook]:
        return [webhook for webhook in self.webhooks if webhook.path.startswith(prefix)]

    def statuses(self, prefix: str = "/status") -> list[str]:
        return [webhook.form["MessageStatus"] for webhook in self.at(prefix)]

    def is_signed(self, webhook: Webhook) -> bool:
        signature = webhook.headers["x-twilio-signature"]
        return RequestValidator(TOKEN).validate(self.url + webhook.path, webhook.form, signature)


@pytest.fixture
def district() -> Iterator[District]:
    district = District()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            district.webhooks.append(Webhook(self.path, headers, dict(parse_qsl(body, keep_blank_values=True))))
            queued = next((codes for prefix, codes in district.answers.items() if self.path.startswith(prefix)), [])
            answer = next((text for prefix, text in district.bodies.items() if self.path.startswith(prefix)), "")
            self.send_response(queued.pop(0) if queued else 200 if answer else 204)
            self.send_header("Content-Length", str(len(answer.encode())))
            self.end_headers()
            self.wfile.write(answer.encode())

        do_GET = do_POST

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    district.url = f"http://127.0.0.1:{server.server_port}"
    yield district
    server.shutdown()
    server.server_close()


@dataclass
class Simulation:
    """A running simulator, and the ways to talk to it."""

    config: SimulatorConfig
    twilio: Client
    web: httpx.Client

    def buy(self, number: str, **settings: str):
        return self.twilio.incoming_phone_numbers.create(phone_number=number, **settings)

    def text_from(self, family: str, to: str, body: str, **more: object) -> dict:
        answer = self.web.post("/simulator/inbound", json={"from": family, "to": to, "body": body, **more})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def texts_on(self, family: str) -> list[dict]:
        return self.web.get(f"/simulator/phones/{family}/texts").json()["texts"]

    def rest(self, method: str, path: str, **kwargs) -> httpx.Response:
        """The API without the client: path is relative to the account."""
        path = path if path.startswith("/") else f"/2010-04-01/Accounts/{ACCOUNT}/{path}"
        return self.web.request(method, path, auth=(ACCOUNT, TOKEN), **kwargs)


class Thread:
    """Runs one simulator in a thread of its own, and stops it in good order."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._config = config
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        assert self._started.wait(10)
        until(self._is_up)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._told.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    async def _main(self) -> None:
        self._loop, self._told, running = asyncio.get_running_loop(), asyncio.Event(), Running(self._config)
        serving = asyncio.create_task(running.serve())
        self._started.set()
        await self._told.wait()
        await running.stop()
        await serving

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self._config.base_url}/health").status_code == 200
        except httpx.TransportError:
            return False


Simulate = Callable[..., Simulation]


@pytest.fixture
def simulate(tmp_path: Path) -> Iterator[Simulate]:
    """Starts simulators: simulate(), simulate(delays=..., advanced_opt_out=True), simulate(data_path=...)."""
    threads: list[Thread] = []
    clients: list[httpx.Client] = []

    def start(**settings) -> Simulation:
        config = SimulatorConfig(
            **{
                "account_sid": ACCOUNT,
                "auth_token": TOKEN,
                "data_path": tmp_path / "simulator",
                "port": free_port(),
                "delays": Delays.none(),
                **settings,
            }
        )
        threads.append(Thread(config))
        clients.append(httpx.Client(base_url=config.base_url, trust_env=False, timeout=20))
        client = Client(ACCOUNT, TOKEN, http_client=SimulatorClient(config.base_url))
        return Simulation(config, client, clients[-1])

    start.stop_last = lambda: threads.pop().stop()
    yield start
    for client in clients:
        client.close()
    for thread in threads:
        thread.stop()


@pytest.fixture
def simulation(simulate: Simulate) -> Simulation:
    return simulate()
