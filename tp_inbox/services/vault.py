"""What the server's own key closes and opens: secrets in the database, and what a browser carries for us."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tp_inbox.domain.errors import Refusal, Unavailable

NO_KEY = (
    "This server is not ready for two-step sign-in. Whoever runs it has to give it a secret key first "
    "(the setting SECRET_KEY)."
)


class Purpose(StrEnum):
    """Each has keys of its own, so that nothing that is closed for one opens as another."""

    SECOND_STEP = "second step"
    SET_UP = "set up"
    SIGN_IN_FLOW = "sign-in flow"


class CannotOpen(Refusal):
    """Not closed with any of our keys, changed since, or too old."""

    def __init__(self) -> None:
        super().__init__("This cannot be used any more. Please start again.")


class Vault:
    """``keys``: the server's secrets, of which the first closes and all open; none, and nothing can be closed."""

    def __init__(self, keys: Sequence[str], purpose: Purpose) -> None:
        boxes = [Fernet(_derived(key, purpose)) for key in keys]
        self._all = MultiFernet(boxes) if boxes else None
        self._newest = boxes[0] if boxes else None

    @property
    def has_key(self) -> bool:
        return self._all is not None

    def require_key(self) -> None:
        """Raises Unavailable with what has to be done when the server has no key."""
        if self._all is None:
            raise Unavailable(NO_KEY)

    def close(self, words: str) -> bytes:
        self.require_key()
        assert self._all is not None
        return self._all.encrypt(words.encode())

    def open(self, closed: bytes, within: timedelta | None = None) -> str:
        """Raises CannotOpen. ``within``: how old it may be."""
        seconds = None if within is None else round(within.total_seconds())
        try:
            return self._all.decrypt(closed, ttl=seconds).decode() if self._all else _refuse()
        except InvalidToken:
            raise CannotOpen from None

    def is_by_the_newest_key(self, closed: bytes) -> bool:
        try:
            return self._newest is not None and bool(self._newest.decrypt(closed))
        except InvalidToken:
            return False


def _refuse() -> str:
    raise CannotOpen


def _derived(key: str, purpose: Purpose) -> bytes:
    """A Fernet key of its own for each purpose (RFC 5869)."""
    return base64.urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(key.encode()))
