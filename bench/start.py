"""How long one waits after `make run`, once the data is there."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.report import Row
from tests.product import Product, free_port, running_product
from tp_inbox.demo.supervisor import running_note

GOAL = 10  # seconds
PATIENCE = 60  # seconds


def measure(data: Path) -> list[Row]:
    """``data`` is the folder of a product that has run before and is stopped."""
    before = time.perf_counter()
    with running_product(data) as product:
        ready = time.perf_counter() - before
        return [
            Row("second start of everything → /ready", round(ready, 1), "s", GOAL),
            Row("serve alone → /health", round(_serve_alone(product), 1), "s"),
        ]


def _serve_alone(product: Product) -> float:
    before = time.perf_counter()
    with _another_web_process(product) as url:
        while not _healthy(url):
            if time.perf_counter() - before > PATIENCE:
                raise TimeoutError("the web process did not answer")
            time.sleep(0.02)
        return time.perf_counter() - before


@contextmanager
def _another_web_process(product: Product) -> Iterator[str]:
    port = free_port()
    note = dict(line.split("=", 1) for line in shlex.split(running_note(product.data).read_text()))
    environment = os.environ | note | {"PORT": str(port), "DATA_DIR": str(product.data)}
    command = [sys.executable, "-m", "tp_inbox.cli", "serve"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _healthy(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310 - our own
        return answer.status == 200
    return False
