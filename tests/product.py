"""The whole product, running as `make run` starts it, on ports and a data folder of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_SECONDS = 120
PASSWORD = "maple-valley-demo"


@dataclass(frozen=True)
class Product:
    """Where the app and the simulator listen; ``log`` is what they have said so far."""

    url: str
    simulator: str
    data: Path
    log: Path

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def text_from_family(self, phone: str, to: str, body: str) -> dict[str, Any]:
        """A family's phone sends a text; the simulator's answer."""
        return self._post("/simulator/inbound", {"from": phone, "to": to, "body": body})

    def phones(self) -> Any:
        """Every family phone there is, with its number and a label of whom it belongs to."""
        with urllib.request.urlopen(f"{self.simulator}/simulator/phones", timeout=10) as answer:
            return json.load(answer)

    def texts_on_phone(self, phone: str) -> Any:
        with urllib.request.urlopen(f"{self.simulator}/simulator/phones/{phone}/texts", timeout=10) as answer:
            return json.load(answer)

    def _post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self.simulator + path, json.dumps(content).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def running_product(data: Path, **settings: str) -> Iterator[Product]:
    """Everything up and seeded; nothing is left when the block ends."""
    port, simulator_port = free_port(), free_port()
    product = Product(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{simulator_port}", data, data / "product.log")
    own = {"PORT": str(port), "SIMULATOR_PORT": str(simulator_port), "DATA_DIR": str(data)}
    environment = _clean() | own | settings
    with product.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tp_inbox.cli", "demo", "--stop-with-parent"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(product, process)
            yield product
        finally:
            process.terminate()
            process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _clean() -> dict[str, str]:
    """Nothing of the surroundings may lead a test to a real account or database."""
    named = ("TWILIO_", "DATABASE_URL", "PUBLIC_URL", "HOST")
    return {name: value for name, value in os.environ.items() if not name.startswith(named)}


def _wait_until_ready(product: Product, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not product.ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError("the product did not start:\n" + product.log.read_text()[-4000:])
        time.sleep(0.1)
