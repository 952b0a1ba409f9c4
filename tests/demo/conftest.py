"""Data folders that the server's user can reach, also when the tests run as root."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tp_inbox.demo.homes import Homes, Owner, temporary_folder
from tp_inbox.demo.postgres import Cluster


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder(Owner.for_this_process()) as folder:
        yield folder


@pytest.fixture
def homes(folder: Path) -> Homes:
    """Homes that leave the machine's own /var/lib alone."""
    return Homes(Owner.for_this_process(), places=folder / "places")


@pytest.fixture
def cluster(folder: Path, homes: Homes) -> Cluster:
    return Cluster(folder / "data", durable=False, homes=homes, patience=5)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z"


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
