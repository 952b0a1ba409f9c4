"""Which pages may talk to us: our own, by every name that a browser on this machine may use for it."""

from __future__ import annotations

from tp_inbox.settings import LOOPBACK, Settings


def allowed_origins(settings: Settings) -> list[str]:
    """Origins that a socket or a form may come from. A trial is reached by both names of the loopback."""
    own = [settings.address]
    if settings.host in LOOPBACK:
        own += [f"http://{name}:{settings.port}" for name in ("localhost", "127.0.0.1")]
    return list(dict.fromkeys(own))


def sockets(settings: Settings) -> str:
    """Where a page's socket may go, as a source list: some browsers' 'self' does not cover it."""
    return " ".join(origin.replace("http", "ws", 1) for origin in allowed_origins(settings))
