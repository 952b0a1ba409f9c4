"""The words and the arithmetic of the audit log: kinds of entries, their canonical form, and their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class AuditKind(StrEnum):
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    SESSION_ENDED = "session_ended"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a word
    TWO_STEP_ON = "two_step_on"
    TWO_STEP_OFF = "two_step_off"
    TWO_STEP_FAILED = "two_step_failed"
    RECOVERY_CODE_USED = "recovery_code_used"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    IDENTITY_LINKED = "identity_linked"
    INVITED = "invited"
    INVITATION_ACCEPTED = "invitation_accepted"
    RESET_LINK_MADE = "reset_link_made"
    PERSON_CHANGED = "person_changed"
    DEACTIVATED = "deactivated"
    REACTIVATED = "reactivated"
    HANDED_OVER = "handed_over"
    ROLE_CREATED = "role_created"
    ROLE_CHANGED = "role_changed"
    ROLE_DELETED = "role_deleted"
    ROLE_GIVEN = "role_given"
    ROLE_TAKEN = "role_taken"
    SCHOOL_CREATED = "school_created"
    SCHOOL_CHANGED = "school_changed"
    GROUP_CREATED = "group_created"
    GROUP_CHANGED = "group_changed"
    GROUP_DELETED = "group_deleted"
    NUMBER_CHANGED = "number_changed"
    OVERSIGHT_OPENED = "oversight_opened"
    EXPORTED = "exported"
    NAMES_REMOVED = "names_removed"


FIRST = bytes(32)
"""What stands for the seal before the first one."""


@dataclass(frozen=True, slots=True)
class Sealable:
    """An entry as its digest sees it."""

    id: int
    at: datetime
    kind: str
    actor_id: int | None
    subject_id: int | None
    schools: tuple[int, ...]
    address: str
    facts: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    names_digest: bytes


def names_digest(names: Mapping[str, Any]) -> bytes:
    """Names are few and easily guessed, so a random ``salt`` has to be among them."""
    return hashlib.sha256(canonical(names)).digest()


def entry_digest(entry: Sealable) -> bytes:
    return hashlib.sha256(
        canonical(
            {
                "id": entry.id,
                "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
                "kind": entry.kind,
                "actor": entry.actor_id,
                "subject": entry.subject_id,
                "schools": list(entry.schools),
                "address": entry.address,
                "facts": entry.facts,
                "before": entry.before,
                "after": entry.after,
                "names": entry.names_digest.hex(),
            }
        )
    ).digest()


def seal_digest(previous: bytes, entries: Iterable[bytes]) -> bytes:
    """Over the seal before and the digests of a batch, in the order of their ids."""
    sealed = hashlib.sha256(previous)
    for digest in entries:
        sealed.update(digest)
    return sealed.digest()


def canonical(value: Mapping[str, Any]) -> bytes:
    """The same bytes for the same content, however a database keeps it. Whole numbers, words, lists and maps only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
