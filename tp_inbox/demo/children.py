"""A command that runs beside us, shows what it says, and ends when we do."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence

from tp_inbox.demo import keeper

GRACE = 10.0  # seconds between the word to stop and SIGKILL
LONGEST_LINE = 1 << 20  # bytes
NAME_WIDTH = 9


class Child:
    """One command. It gets SIGTERM from `stop`, and also when this process dies in whatever way."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._showing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *keeper.command_line(self._command, grace=GRACE),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(self._environment),
            limit=LONGEST_LINE,
            start_new_session=True,  # the terminal's Ctrl-C is for us alone: we decide the order
        )
        assert self._process.stdout is not None
        self._showing = asyncio.create_task(self._show(self._process.stdout))

    async def ended(self) -> int:
        """The exit code, once there is one and everything said has been shown."""
        assert self._process is not None
        assert self._showing is not None
        code = await self._process.wait()
        await self._showing
        return code

    async def stop(self) -> None:
        """Return when the command is no more."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self.ended(), GRACE + 5)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _show(self, output: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await output.readline()
            except ValueError:  # longer than the limit, and dropped
                continue
            if not line:
                return
            show(self.name, line.decode(errors="replace").rstrip())


def show(name: str, line: str) -> None:
    """One line on the terminal, under the name of who says it."""
    with contextlib.suppress(OSError):  # the terminal may be gone; we stop in order all the same
        print(f"{name:>{NAME_WIDTH}} | {line}", file=sys.stderr, flush=True)
