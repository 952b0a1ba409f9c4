"""Which pages may talk to us: our own, by every name that a browser on this machine may use for it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tp_inbox.settings import LOOPBACK, Settings

EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - recognised, not listened on
OWN_PORT = {"http": 80, "https": 443}
HOME = "/"

_PAGE = re.compile(r"/(?:(?:messages|settings|oversight)(?:/[a-z0-9]{1,20}){0,2}|admin(?:/[a-z0-9]{1,20}){0,3})")


def allowed_origins(settings: Settings) -> list[str]:
    """Origins that a socket or a form may come from. A trial is reached by both names of the loopback."""
    own = [origin(settings.address)]
    if not settings.public_url and settings.host in LOOPBACK | EVERYWHERE:
        own += [f"http://{name}:{settings.port}" for name in ("localhost", "127.0.0.1")]
    return list(dict.fromkeys(own))


def origin(address: str) -> str:
    """As a browser says it: in small letters, without a path, and without the port that the scheme has anyway."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = parts.port
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != OWN_PORT[parts.scheme] else "")


def sockets(settings: Settings) -> str:
    """Where a page's socket may go, as a source list: some browsers' 'self' does not cover it."""
    return " ".join(own.replace("http", "ws", 1) for own in allowed_origins(settings))


def page_or_home(asked: str) -> str:
    """The page that was asked for before signing in, when it is one of ours; no other address leads anywhere."""
    return asked if is_page(asked) else HOME


def is_page(path: str) -> bool:
    """Whether this is the address of a page for people who have signed in, if there is such a page."""
    return _PAGE.fullmatch(path) is not None
