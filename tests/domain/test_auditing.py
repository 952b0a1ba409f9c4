"""The arithmetic of the audit log: one canonical form, and digests that a change of anything changes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tp_inbox.domain import auditing
from tp_inbox.domain.auditing import FIRST, AuditKind, Sealable

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
LASTING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | WORDS,
    lambda held: st.lists(held, max_size=4) | st.dictionaries(WORDS, held, max_size=4),
    max_leaves=12,
)
CONTENT = st.dictionaries(WORDS, LASTING, max_size=5)
ENTRY = Sealable(
    id=7,
    at=datetime(2026, 3, 8, 7, 59, 59, 1, tzinfo=UTC),
    kind=AuditKind.ROLE_GIVEN,
    actor_id=1,
    subject_id=2,
    schools=(3, 4),
    address="192.0.2.1",
    facts={"role_id": 5},
    before={},
    after={"permissions": ["export"]},
    names_digest=auditing.names_digest({"actor": "Diana Drew", "salt": "00"}),
)
CHANGES: dict[str, Any] = {
    "id": 8,
    "at": ENTRY.at + timedelta(microseconds=1),
    "kind": AuditKind.ROLE_TAKEN,
    "actor_id": None,
    "subject_id": 1,
    "schools": (3,),
    "address": "192.0.2.2",
    "facts": {"role_id": "5"},
    "before": {"permissions": []},
    "after": {"permissions": ["export", "announce"]},
    "names_digest": bytes(32),
}


@given(CONTENT)
def test_the_order_of_keys_makes_no_difference(content: dict) -> None:
    turned = dict(reversed(content.items()))
    assert auditing.canonical(content) == auditing.canonical(turned)
    assert json.loads(auditing.canonical(content)) == content


@pytest.mark.parametrize(
    "bad", [1.5, float("nan"), b"x", {1}, {1: "a"}, object(), "a\0b", "\ud800", {"\0": 1}, [[0.0]], {"a": {"b": 1.0}}]
)
def test_what_would_come_back_otherwise_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError):
        auditing.canonical({"value": bad})


def test_every_field_changes_the_digest() -> None:
    assert CHANGES.keys() == set(Sealable.__slots__)
    digests = {auditing.entry_digest(replace(ENTRY, **{field: value})) for field, value in CHANGES.items()}
    assert len(digests | {auditing.entry_digest(ENTRY)}) == len(CHANGES) + 1


def test_a_moment_is_the_same_in_every_zone() -> None:
    elsewhere = replace(ENTRY, at=ENTRY.at.astimezone(timezone(timedelta(hours=-5))))
    assert auditing.entry_digest(elsewhere) == auditing.entry_digest(ENTRY)


def test_a_seal_depends_on_the_one_before_and_on_the_order() -> None:
    one, other = bytes([1]) * 32, bytes([2]) * 32
    digests = {
        auditing.seal_digest(FIRST, [one, other]),
        auditing.seal_digest(FIRST, [other, one]),
        auditing.seal_digest(one, [one, other]),
        auditing.seal_digest(FIRST, [one]),
    }
    assert len(digests) == 4


@given(st.dictionaries(st.integers(-(2**63), 2**63 - 1), st.binary(min_size=32, max_size=32), max_size=5))
def test_leaves_are_read_as_they_were_written_in_the_order_of_ids(digests: dict[int, bytes]) -> None:
    read = auditing.read_leaves(auditing.leaves(digests))
    assert read == digests
    assert list(read) == sorted(digests)


def test_leaves_that_were_cut_are_told() -> None:
    with pytest.raises(ValueError, match="x"):
        auditing.read_leaves(b"x" * 41)
