"""Hashing of passwords with argon2id, never on the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from passlib.context import CryptContext

from tp_inbox.domain.errors import Invalid

MIN_CHARACTERS = 12
MAX_CHARACTERS = 200
AT_ONCE = 2
"""Each hash takes 64 MiB and a core for tens of milliseconds."""

_context = CryptContext(schemes=["argon2"], argon2__type="ID")
_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")


def require_strong(password: str) -> None:
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise Invalid(f"A password has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters. Several words make a good one.")
    if not password.isprintable():
        raise Invalid("A password cannot contain characters that cannot be seen.")


async def hash_password(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_threads, _context.hash, password)


async def verify(password: str, hashed: str | None) -> bool:
    """Takes as long for an account that does not exist, so that time tells nothing."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _matches, password[:MAX_CHARACTERS], hashed)


def is_outdated(hashed: str) -> bool:
    return _context.needs_update(hashed)


def _matches(password: str, hashed: str | None) -> bool:
    try:
        return _context.verify(password, hashed or _nobodys_hash()) and hashed is not None
    except (ValueError, TypeError):
        return False


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _context.hash("nobody signs in with this")
