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
    IDENTITY_UNLINKED = "identity_unlinked"
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
    ALERT_SETTLED = "alert_settled"
    TEXT_TRIED_AGAIN = "text_tried_again"
    STOP_ANSWERED = "stop_answered"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"
    SENDER_NAMED = "sender_named"
    SENDER_UNNAMED = "sender_unnamed"
    OVERSIGHT_OPENED = "oversight_opened"
    EXPORTED = "exported"
    NAMES_REMOVED = "names_removed"


FIRST = bytes(32)
"""What stands for the seal before the first one."""
ID_BYTES = 8
LEAF_BYTES = ID_BYTES + hashlib.sha256().digest_size


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


def leaves(digests: Mapping[int, bytes]) -> bytes:
    """What a seal keeps of its batch, so that one can tell which entry is not as it was: ids and digests."""
    return b"".join(
        entry_id.to_bytes(ID_BYTES, "big", signed=True) + digest for entry_id, digest in sorted(digests.items())
    )


def read_leaves(kept: bytes) -> dict[int, bytes]:
    """By entry id, its digest; in the order in which they were sealed. Raises ValueError when nobody wrote this."""
    if len(kept) % LEAF_BYTES:
        raise ValueError(kept)
    parts = [kept[at : at + LEAF_BYTES] for at in range(0, len(kept), LEAF_BYTES)]
    return {int.from_bytes(part[:ID_BYTES], "big", signed=True): part[ID_BYTES:] for part in parts}


def canonical(value: Mapping[str, Any]) -> bytes:
    """The same bytes for the same content, before and after a database has kept it.

    Raises TypeError for what would not come back as it went: anything but words, whole numbers, yes and no,
    nothing, lists, and maps by words. A fraction does not, because databases write it in ways of their own.
    """
    _require_lasting(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _require_lasting(value: Any) -> None:
    if isinstance(value, Mapping):
        for key, held in value.items():
            _require_words(key)
            _require_lasting(held)
    elif isinstance(value, list | tuple):
        for held in value:
            _require_lasting(held)
    elif isinstance(value, str):
        _require_words(value)
    elif not (value is None or isinstance(value, int)):
        raise TypeError(f"{type(value).__name__} cannot stand in the audit log")


def _require_words(value: Any) -> None:
    """No database keeps the character zero, or half of a surrogate pair."""
    if not isinstance(value, str) or "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise TypeError("a key or a word that cannot stand in the audit log")
