"""Looking at and ending sessions: one's own, and those of people whose accounts one manages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import add, change, listening, rows, the
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import NotAllowed, NotFound, SignedOut
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import AuditEntry, Session, Staff
from tp_inbox.storage.tables.staff import SessionStage

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def a_session(town: Town, who: str, **more) -> int:
    digest, expires = f"{who} {len(await rows(town, Session))}".encode(), utc_now() + timedelta(days=1)
    opened = {"browser": FIREFOX, "address": "192.0.2.1", "expires_at": expires} | more
    return (await add(town, Session(token_digest=digest, staff_id=town.staff[who], **opened))).id


async def seen(town: Town, who: str, whose: str) -> list[int]:
    return [view.id for view in await town.wired.services.sessions.of_person(await town.actor(who), town.staff[whose])]


async def ended(town: Town) -> list[int]:
    return [session.id for session in await rows(town, Session, col(Session.ended_at).is_not(None))]


async def test_an_admin_sees_the_living_sessions_of_their_own_staff(town: Town) -> None:
    now = utc_now()
    older = await a_session(town, "alice", used_at=now - timedelta(hours=1))
    newer = await a_session(town, "alice")
    await a_session(town, "alice", ended_at=now)
    await a_session(town, "alice", expires_at=now)
    await a_session(town, "alice", used_at=now - timedelta(days=2))
    await a_session(town, "alice", stage=SessionStage.CODE)
    await a_session(town, "bob")
    for who in ("dora", "diana", "alice"):
        assert await seen(town, who, "alice") == [newer, older]
    (view, _) = await town.wired.services.sessions.of_person(await town.actor("dora"), town.staff["alice"])
    assert (view.browser, view.address) == ("Firefox on Linux", "192.0.2.1")


@pytest.mark.parametrize(
    ("who", "whose", "why"),
    [
        ("alice", "bob", NotAllowed),
        ("vera", "alice", NotAllowed),
        ("dora", "nora", NotAllowed),
        ("dora", "charlie", NotFound),
        ("dora", "diana", NotFound),
    ],
)
async def test_nobody_else_sees_or_ends_them(town: Town, who: str, whose: str, why: type[Exception]) -> None:
    session_id = await a_session(town, whose)
    sessions, actor = town.wired.services.sessions, await town.actor(who)
    with pytest.raises(why):
        await sessions.of_person(actor, town.staff[whose])
    with pytest.raises(why):
        await sessions.end_all_of_person(actor, town.staff[whose])
    for unknown in (session_id, session_id + 1000):
        with pytest.raises(NotFound):
            await sessions.end_session(actor, unknown)
    assert await ended(town) == []
    assert await rows(town, AuditEntry) == []


async def test_one_session_is_ended_announced_and_noted(town: Town) -> None:
    here, there = await a_session(town, "alice"), await a_session(town, "alice")
    async with listening(town) as heard:
        for _ in range(2):
            await town.wired.services.sessions.end_session(await town.actor("dora"), there)
        assert await heard.kinds() == [ChangeKind.SESSION]
    assert await ended(town) == [there]
    assert await seen(town, "alice", "alice") == [here]
    entry = await the(town, AuditEntry)
    assert (entry.kind, entry.actor_id, entry.subject_id) == (
        AuditKind.SESSION_ENDED,
        town.staff["dora"],
        town.staff["alice"],
    )
    assert entry.facts == {"sessions": 1}


async def test_everywhere_means_everywhere_but_here_when_it_is_ones_own(town: Town) -> None:
    here, *others = [await a_session(town, "alice") for _ in range(3)]
    bobs = await a_session(town, "bob")
    sessions = town.wired.services.sessions
    await sessions.end_all_of_person(await town.actor("alice"), town.staff["alice"], but=here)
    assert await ended(town) == others
    await sessions.end_all_of_person(await town.actor("dora"), town.staff["alice"])
    assert set(await ended(town)) == {here, *others}
    assert await seen(town, "bob", "bob") == [bobs]
    assert [entry.facts for entry in await rows(town, AuditEntry)] == [{"sessions": 2}, {"sessions": 1}]


async def test_a_manager_who_has_just_been_closed_ends_nothing(town: Town) -> None:
    dora, session_id = await town.actor("dora"), await a_session(town, "alice")
    await change(town, Staff, col(Staff.id) == dora.staff_id, active=False)
    with pytest.raises(SignedOut):
        await town.wired.services.sessions.end_session(dora, session_id)
    with pytest.raises(SignedOut):
        await town.wired.services.sessions.end_all_of_person(dora, town.staff["alice"])
    assert await ended(town) == []
