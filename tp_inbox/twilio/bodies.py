"""What a family wrote, as far as it can be read."""

from __future__ import annotations

import base64
import re
from typing import Final

ENCODED_FROM: Final = 60
"""Characters. Only long texts of several segments have been seen to arrive in base64."""

_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def readable(body: str) -> str:
    """The body without NULs, which PostgreSQL cannot hold, and out of base64 where it certainly is."""
    return without_nul(_decoded(body) or body)


def without_nul(text: str) -> str:
    return text.replace("\x00", "")


def _decoded(body: str) -> str | None:
    """The text inside, if this is base64 and what comes out reads like writing: printable, with spaces."""
    packed = re.sub(r"[\r\n]", "", body)
    if len(packed) < ENCODED_FROM or not _BASE64.fullmatch(packed):
        return None
    try:
        text = base64.b64decode(packed).decode()
    except ValueError:
        return None
    return text if re.search(r"\s", text) and all(c.isprintable() or c.isspace() for c in text) else None
