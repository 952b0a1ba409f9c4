"""Hashing of passwords with argon2id, never on the event loop."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from passlib.context import CryptContext

from tp_inbox.domain.errors import Invalid

MIN_CHARACTERS = 12
MAX_CHARACTERS = 200
AT_ONCE = 2
"""Each hash takes 64 MiB and a core for tens of milliseconds."""

_context = CryptContext(schemes=["argon2"], argon2__type="ID")
_slots = asyncio.Semaphore(AT_ONCE)


def require_strong(password: str) -> None:
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise Invalid(f"A password has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters. Several words make a good one.")


async def hash_password(password: str) -> str:
    async with _slots:
        return await asyncio.to_thread(_context.hash, password)


async def verify(password: str, hashed: str | None) -> bool:
    """Takes as long for an account that does not exist, so that time tells nothing."""
    async with _slots:
        right = await asyncio.to_thread(_verify_quietly, password[:MAX_CHARACTERS], hashed or _nobodys_hash())
    return right and hashed is not None


def is_outdated(hashed: str) -> bool:
    return _context.needs_update(hashed)


def _verify_quietly(password: str, hashed: str) -> bool:
    try:
        return _context.verify(password, hashed)
    except (ValueError, TypeError):
        return False


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _context.hash("nobody signs in with this")
