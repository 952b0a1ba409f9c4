"""A folder of this machine in which requests wait while the database cannot take them: a file each, in order.

``waiting`` holds them, ``writing`` what is not whole yet, ``aside`` what nobody could make anything of. The web
processes of a machine share the folder.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

OURS_ALONE = 0o700
READ_BY_US_ALONE = 0o600
"""What families write lies in these files."""
GIVEN_UP_SECONDS = 3_600
"""Longer than any request is being written."""


class Spool:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting, self._writing, self.aside = folder / "waiting", folder / "writing", folder / "aside"
        self._in_turn = ThreadPoolExecutor(1, "spool")
        self._under_way = 0
        self._last = 0

    async def put(self, content: Mapping[str, Any]) -> None:
        """It is on the disk when this returns. Names sort as the requests came. Raises OSError."""
        name, written = self._next_name(), json.dumps(content).encode()
        self._under_way += 1
        try:
            await asyncio.get_running_loop().run_in_executor(self._in_turn, self._write, name, written)
        finally:
            self._under_way -= 1

    def holds_any(self) -> bool:
        """Whether something waits, or is being written."""
        return self._under_way > 0 or bool(_some_of(self._waiting))

    def waiting(self) -> int:
        """How many wait."""
        return len(self.names())

    def writable(self) -> bool:
        """Whether requests can be kept here now."""
        try:
            self.require_writable()
        except OSError:
            return False
        return True

    def require_writable(self) -> None:
        """Raises OSError with the reason."""
        self._make_folders()
        self._forget_half_written()
        probe = self._writing / f"probe-{os.getpid()}"
        _write_through(probe, b"?")
        probe.unlink()

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether we are the only process of this machine that empties it, until the block ends."""
        self._make_folders()
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def names(self) -> list[str]:
        """Of what waits, in the order in which it came."""
        try:
            return sorted(path.name for path in self._waiting.iterdir())
        except OSError:  # a spool that is broken says so when it is asked to be writable
            return []

    def read(self, name: str) -> dict[str, Any]:
        """Raises ValueError or TypeError for what is not whole."""
        return dict(json.loads((self._waiting / name).read_bytes()))

    def done(self, name: str) -> None:
        (self._waiting / name).unlink()

    def put_aside(self, name: str) -> None:
        """It waits for a person, and holds up nobody."""
        (self._waiting / name).rename(self.aside / name)

    def count_aside(self) -> int:
        try:
            return sum(1 for _ in self.aside.iterdir())
        except OSError:
            return 0

    def _next_name(self) -> str:
        """By the clock that the processes share, and in one process never the same or an earlier one."""
        self._last = max(self._last + 1, time.time_ns())
        return f"{self._last:020d}-{os.getpid()}.json"

    def _write(self, name: str, content: bytes) -> None:
        self._make_folders()
        _write_through(self._writing / name, content)
        (self._writing / name).rename(self._waiting / name)
        _sync_folder(self._waiting)

    def _forget_half_written(self) -> None:
        """What a process was writing when it ended: nobody was told that it is kept."""
        for path in self._writing.iterdir():
            with suppress(FileNotFoundError):  # whole by now
                if path.stat().st_mtime < time.time() - GIVEN_UP_SECONDS:
                    path.unlink()

    def _make_folders(self) -> None:
        for folder in (self._waiting, self._writing, self.aside):
            folder.mkdir(OURS_ALONE, parents=True, exist_ok=True)


def _write_through(path: Path, content: bytes) -> None:
    """Raises OSError, and then no part of it takes room on a disk that is full."""
    try:
        _write_and_sync(path, content)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _write_and_sync(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, READ_BY_US_ALONE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _some_of(folder: Path) -> list[str]:
    """One name, or none; however many there are. A folder that cannot be read keeps nobody from the database."""
    try:
        with os.scandir(folder) as found:
            return [next(found).name]
    except (OSError, StopIteration):
        return []
