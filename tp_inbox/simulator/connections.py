"""Ends a connection as a network does, which no server offers."""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

OWN_FILES = (Path("/proc/self/fd"), Path("/dev/fd"))
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def hang_up(host: str, port: int) -> bool:
    """Makes the connection with that client end in a reset; false where it cannot be found on this system.

    The server keeps its socket, finds nothing more to read, and closes it: that is when the client sees the reset.
    """
    for connection in _open_sockets():
        with connection:
            if _peer(connection) == (host, port):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                connection.shutdown(socket.SHUT_RD)
                return True
    return False


def _open_sockets() -> Iterator[socket.socket]:
    """A duplicate of every open socket of this process, to be closed by whoever takes it."""
    folder = next((folder for folder in OWN_FILES if folder.is_dir()), None)
    for name in os.listdir(folder) if folder else []:  # noqa: PTH208 - names are all that is needed
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                # Told what it is, Python does not ask the kernel again.
                yield socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, os.dup(int(name)))


def _peer(connection: socket.socket) -> tuple[str, int] | None:
    with suppress(OSError, ValueError):
        return connection.getpeername()[:2]
    return None
