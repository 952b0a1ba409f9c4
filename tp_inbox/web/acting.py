"""Who acts in the event that runs now. The gate sets it, every handler reads it, nothing else does."""

from __future__ import annotations

from contextvars import ContextVar

from tp_inbox.domain.access import Actor
from tp_inbox.domain.errors import SignedOut
from tp_inbox.services import audit
from tp_inbox.services.sessions import SignedIn

_signed_in: ContextVar[SignedIn | None] = ContextVar("signed_in", default=None)


def act_as(signed_in: SignedIn | None) -> None:
    _signed_in.set(signed_in)
    audit.origin.set(signed_in.address if signed_in else "")


def signed_in() -> SignedIn:
    """Raises SignedOut outside of an event that passed the gate."""
    found = _signed_in.get()
    if found is None:
        raise SignedOut
    return found


def actor() -> Actor:
    return signed_in().actor
