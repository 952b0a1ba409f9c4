"""Whether an address is ours to listen on."""

from __future__ import annotations

import errno
import socket

from tp_inbox.demo.trouble import Trouble

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - told from others, not listened on


def require_free(host: str, port: int, variable: str) -> None:
    """Raises: Trouble naming the variable to change, if nothing can listen on `port` of `host`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # an earlier server's last connections do no harm
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise Trouble(_sentence(host, port, variable, error)) from None


def _sentence(host: str, port: int, variable: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken: set {variable} to a free one, for example {variable}={_free_after(host, port)}."
    if error.errno == errno.EACCES:
        return f"Port {port} needs root: set {variable} to one from 1024 up."
    return f"HOST={host} is no address of this machine ({error.strerror or error})."


def _free_after(host: str, port: int) -> int:
    """A port that is free now, near the one wished for."""
    for candidate in range(port + 1, min(port + 100, 65535)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            if probe.connect_ex((reachable(host), candidate)):
                return candidate
    return port + 100


def reachable(host: str) -> str:
    """The address at which this machine itself finds what listens on `host`."""
    return WILDCARDS.get(host, host)


def url(host: str, port: int) -> str:
    name = reachable(host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
