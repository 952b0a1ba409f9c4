"""Keep one command alive exactly as long as the process that asked for it.

Run as a script of its own, on the standard library alone: `python -I -S keeper.py SIGNAL GRACE COMMAND...`. Its
standard input is a pipe from the parent. When that pipe closes, which the system does even for a parent killed with -9,
the command gets SIGNAL (to end in order), and after GRACE seconds its whole process group gets SIGKILL.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

PR_SET_PDEATHSIG = 1  # prctl(2)
TICK = 0.5  # seconds; only a safety net, the pipe and the child's end wake us at once


def keep(stop_signal: int, grace: float, command: Sequence[str], user: tuple[int, int] | None = None) -> int:
    """Run `command` until it ends or our standard input closes; return its exit code (128 + n for signal n).

    `user` is the (uid, gid) to run it as, for a keeper started by root.
    """
    woken = _wake_on_signals()
    uid, gid = user or (None, None)
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        process_group=0,
        user=uid,
        group=gid,
        extra_groups=[] if user else None,
        preexec_fn=_die_with_parent(stop_signal, os.getpid()),  # noqa: PLW1509 - the keeper has one thread
    )
    try:
        _watch(child, woken)
        return _end(child, stop_signal, grace)
    finally:
        _kill_group(child.pid)


def _wake_on_signals() -> int:
    """A descriptor that becomes readable on each SIGCHLD, SIGTERM, SIGINT and SIGHUP."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return readable


def _die_with_parent(number: int, parent: int) -> Callable[[], None] | None:
    """Linux: the command hears of the keeper's own sudden death too. Set after the change of user, which clears it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # the keeper died between fork and here
            os._exit(1)

    return ask


def _watch(child: subprocess.Popen[bytes], woken: int) -> None:
    """Return when the child has ended, our parent has closed the pipe, or somebody has sent us a signal to end."""
    while child.poll() is None:
        ready, _, _ = select.select([0, woken], [], [], TICK)
        if 0 in ready and not os.read(0, 1024):
            return
        if woken in ready and set(os.read(woken, 64)) - {signal.SIGCHLD}:
            return


def _end(child: subprocess.Popen[bytes], stop_signal: int, grace: float) -> int:
    if child.poll() is None:
        child.send_signal(stop_signal)
    try:
        code = child.wait(grace)
    except subprocess.TimeoutExpired:
        child.kill()
        code = child.wait()
    return code if code >= 0 else 128 - code


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def main(arguments: Sequence[str]) -> int:
    """`[--user UID:GID] SIGNAL GRACE COMMAND...`."""
    user = None
    if arguments[0] == "--user":
        uid, gid = arguments[1].split(":")
        user, arguments = (int(uid), int(gid)), arguments[2:]
    return keep(signal.Signals[arguments[0]], float(arguments[1]), arguments[2:], user)


def command_line(
    command: Sequence[str], stop_signal: str = "SIGTERM", grace: float = 10, user: tuple[int, int] | None = None
) -> list[str]:
    """The command that keeps `command`; start it with a pipe as standard input and in a session of its own."""
    as_user = ["--user", f"{user[0]}:{user[1]}"] if user else []
    return [sys.executable, "-I", "-S", __file__, *as_user, stop_signal, str(grace), *command]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
