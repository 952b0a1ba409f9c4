"""Codes of the second step: those of an authenticator app (TOTP, RFC 6238), and recovery codes on paper."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from pyotp.totp import TOTP

ISSUER = "tp-inbox"
"""Under which name an authenticator app lists the code."""
STEP_SECONDS = 30
STEPS_AROUND = 1
"""A phone's clock may be half a minute off, and people type slowly."""
APP_DIGITS = 6
RECOVERY_CODES = 10
RECOVERY_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
RECOVERY_CHARACTERS = 12
"""60 bits: too many to try, even for who has the digests."""


def app_link(secret: str, email: str) -> str:
    """What a QR code tells an authenticator app."""
    return TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=email, issuer_name=ISSUER)


def step_of(secret: str, typed: str, now: datetime, after: int = 0) -> int | None:
    """The 30 s step whose code this is, near enough to now and later than ``after``; None when there is none."""
    app = TOTP(secret, digits=APP_DIGITS, interval=STEP_SECONDS)
    current = int(now.timestamp()) // STEP_SECONDS
    near = range(current - STEPS_AROUND, current + STEPS_AROUND + 1)
    given = _without_gaps(typed).encode()
    right = [step for step in near if hmac.compare_digest(app.generate_otp(step).encode(), given)]
    return max((step for step in right if step > after), default=None)


def is_from_an_app(typed: str) -> bool:
    """Whether it looks like a code of an app, right or wrong; everything else is taken for a recovery code."""
    given = _without_gaps(typed)
    return len(given) <= APP_DIGITS and given.isdigit()


def new_recovery_code() -> str:
    return "".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(RECOVERY_CHARACTERS))


def recovery_digest(staff_id: int, typed: str) -> bytes:
    """What is kept of a recovery code. Letters that are read as a figure count as it, however they are written."""
    code = _without_gaps(typed).lower().translate(str.maketrans("oil", "011"))
    return hashlib.sha256(f"{staff_id}:{code}".encode()).digest()


def in_groups(words: str, between: str) -> str:
    """Four by four, as one reads them off."""
    return between.join(words[i : i + 4] for i in range(0, len(words), 4))


def _without_gaps(typed: str) -> str:
    return "".join(character for character in typed if character.isalnum())
