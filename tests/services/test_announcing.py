"""One text to many families of a school."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, MIA, OMAR, ROSA, STRANGER, Town
from tests.services.steps import LINCOLN, ROOSEVELT, change, listening, message, receive, rows, send, the
from tp_inbox.domain.access import NO_ANNOUNCE, NOT_AT_SCHOOL, InboxKind
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, Unavailable
from tp_inbox.domain.pacing import Rates
from tp_inbox.services.announcing import OPTED_OUT, Announcing, QueuedMany
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Contact, Guardianship, Inbox, Message, Number, Staff, Student, Thread
from tp_inbox.storage.tables.messages import NumberState
from tp_inbox.wiring import limits_of

WORDS = "School is closed tomorrow."
HOUR = 3_600
"""Seconds."""


async def school_inbox(town: Town, school: str = LINCOLN) -> int:
    return (await the(town, Inbox, col(Inbox.school_id) == town.schools[school])).id


async def announce(
    town: Town, *phones: str, who: str = "dora", school: str = LINCOLN, words: str = WORDS, key: UUID | None = None
) -> QueuedMany:
    ids = [town.phones[phone] for phone in phones]
    inbox = await school_inbox(town, school)
    return await town.wired.services.announcing.queue(await town.actor(who), inbox, ids, words, key or uuid4())


async def test_each_family_gets_a_text_of_its_own_from_the_schools_number(town: Town) -> None:
    assert await announce(town, ROSA, MIA) == QueuedMany(2, [])
    texts = await rows(town, Message)
    assert [(t.sender, t.recipient, t.written, t.bulk, t.state) for t in texts] == [
        (LINCOLN_NUMBER, ROSA, WORDS, True, S.QUEUED),
        (LINCOLN_NUMBER, MIA, WORDS, True, S.QUEUED),
    ]
    while await town.wired.dispatching.hand_over_due():
        pass
    assert {t.recipient for t in town.gateway.sent} == {ROSA, MIA}


async def test_whom_the_number_is_new_to_it_is_introduced_to(town: Town) -> None:
    await send(town, "alice", await town.school(phone=MIA), "Hello Mia")
    await announce(town, ROSA, MIA)
    bodies = {t.recipient: t.body for t in await rows(town, Message, col(Message.bulk))}
    assert bodies[ROSA] == f"This is {LINCOLN}. Reply STOP to end texts.\n{WORDS}"
    assert bodies[MIA] == WORDS
    assert (await rows(town, Message, col(Message.recipient) == ROSA))[0].segments == 1


async def test_it_stands_in_each_thread_and_at_its_head(town: Town) -> None:
    await announce(town, ROSA, MIA)
    threads = await rows(town, Thread, col(Thread.inbox_id) == await school_inbox(town))
    texts = {t.thread_id: t for t in await rows(town, Message)}
    for thread in threads:
        text = texts[thread.id]
        assert (thread.last_message_id, thread.last_at, thread.preview) == (text.id, text.created_at, WORDS)
        assert thread.last_author_id == town.staff["dora"] and thread.introduced_at is not None
    (row, _), _ = await town.wired.services.inboxes.threads(await town.actor("vera"), InboxKind.SCHOOL)
    assert row.preview == WORDS


async def test_a_double_click_queues_it_once(town: Town) -> None:
    key = uuid4()
    answers = await asyncio.gather(*(announce(town, ROSA, MIA, OMAR, key=key) for _ in range(3)))
    assert answers == [QueuedMany(2, [(town.phones[OMAR], NOT_AT_SCHOOL)])] * 3
    assert len(await rows(town, Message)) == 2


async def test_the_same_words_with_another_key_are_another_announcement(town: Town) -> None:
    await announce(town, ROSA)
    await announce(town, ROSA)
    assert len(await rows(town, Message)) == 2


async def test_who_may_not_announce_is_refused(town: Town) -> None:
    """Alice may write on behalf of the school, Dora may announce, too."""
    with pytest.raises(NotAllowed, match=NO_ANNOUNCE):
        await announce(town, ROSA, who="alice")
    assert await rows(town, Message) == []


@pytest.mark.parametrize("who", ["charlie", "diana", "bob"])
async def test_an_inbox_that_one_cannot_read_is_not_there(town: Town, who: str) -> None:
    with pytest.raises(NotFound):
        await announce(town, ROSA, who=who)


async def test_a_family_of_another_school_gets_nothing_and_the_others_do(town: Town) -> None:
    done = await announce(town, ROSA, OMAR, STRANGER)
    refused = sorted((town.phones[phone], NOT_AT_SCHOOL) for phone in (OMAR, STRANGER))
    assert done == QueuedMany(1, refused)


async def test_a_phone_that_is_not_there_gets_nothing(town: Town) -> None:
    inbox = await school_inbox(town)
    done = await town.wired.services.announcing.queue(
        await town.actor("dora"), inbox, [town.phones[ROSA], 999_999], WORDS, uuid4()
    )
    assert (done.queued, [phone for phone, _ in done.refused]) == (1, [999_999])


async def test_a_student_under_13_gets_nothing_on_a_phone_of_their_own(town: Town) -> None:
    await change(town, Student, col(Student.name) == "Mia Lopez", birth_date=datetime.now(UTC).date())
    done = await announce(town, MIA, ROSA)
    assert (done.queued, done.refused[0][0]) == (1, town.phones[MIA])
    assert "under 13" in done.refused[0][1]


async def test_a_phone_that_an_adult_reads_too_gets_it(town: Town) -> None:
    await change(town, Student, col(Student.name) == "Mia Lopez", birth_date=datetime.now(UTC).date())
    await change(town, Contact, col(Contact.name) == "Rosa Lopez", phone_id=town.phones[MIA])
    assert (await announce(town, MIA)).queued == 1
    assert await rows(town, Guardianship)


async def test_a_family_that_said_stop_gets_nothing(town: Town) -> None:
    await announce(town, ROSA)
    await receive(town, "STOP")
    assert await announce(town, ROSA, MIA) == QueuedMany(1, [(town.phones[ROSA], OPTED_OUT)])


async def test_a_stop_that_comes_while_it_waits_holds_it_back(town: Town) -> None:
    await announce(town, ROSA, MIA)
    await receive(town, "STOP")
    while await town.wired.dispatching.hand_over_due():
        pass
    texts = {t.recipient: t for t in await rows(town, Message, col(Message.bulk))}
    assert (texts[ROSA].state, texts[ROSA].reason) == (S.FAILED, R.OPTED_OUT)
    assert texts[MIA].state is S.ACCEPTED


async def test_nothing_is_queued_from_a_number_that_is_stopped(town: Town) -> None:
    await change(town, Number, state=NumberState.STOPPED, problem="It broke.")
    with pytest.raises(Unavailable):
        await announce(town, ROSA)


@pytest.mark.parametrize("words", ["", "  ", "a" * 1_590])
async def test_words_that_cannot_be_sent_are_refused_for_all(town: Town, words: str) -> None:
    """Too long with its introduction is too long."""
    with pytest.raises(Invalid):
        await announce(town, ROSA, words=words)
    assert await rows(town, Message) == []


async def test_nobody_is_no_announcement(town: Town) -> None:
    with pytest.raises(Invalid):
        await announce(town)


async def test_however_many_it_is_announced_once(town: Town) -> None:
    async with listening(town) as heard:
        await announce(town, ROSA, MIA)
        changes = await heard.all()
    assert [(c.kind, c.inbox) for c in changes] == [(ChangeKind.INBOX, await school_inbox(town))]


async def test_what_somebody_queued_who_is_gone_does_not_leave(town: Town) -> None:
    await announce(town, ROSA, MIA)
    await change(town, Staff, col(Staff.id) == town.staff["dora"], active=False)
    assert await town.wired.dispatching.hand_over_due() == 0
    assert {t.reason for t in await rows(town, Message)} == {R.CANCELED}


async def test_failure_14_to_is_frozen_when_it_is_queued(town: Town) -> None:
    await announce(town, ROSA)
    await change(town, Contact, col(Contact.name) == "Rosa Lopez", phone_id=town.phones[STRANGER])
    await town.wired.dispatching.hand_over_due()
    assert [t.recipient for t in town.gateway.sent] == [ROSA]


async def test_failure_7_one_bad_number_among_many_stops_nobody(town: Town) -> None:
    town.gateway.refuse(ROSA, R.INVALID_NUMBER)
    await announce(town, ROSA, MIA)
    elsewhere = await send(town, "charlie", await town.school(ROOSEVELT, OMAR))
    while await town.wired.dispatching.hand_over_due():
        pass
    texts = {t.recipient: t.state for t in await rows(town, Message)}
    assert texts == {ROSA: S.FAILED, MIA: S.ACCEPTED, OMAR: S.ACCEPTED}
    assert (await message(town, elsewhere.id)).state is S.ACCEPTED


async def test_an_answer_does_not_wait_for_the_announcement_in_its_own_thread(town: Town) -> None:
    await announce(town, ROSA)
    await change(town, Message, next_attempt_at=datetime(2999, 1, 1, tzinfo=UTC))
    row = await send(town, "alice", await town.school(), "Yes, of course.")
    await town.wired.dispatching.hand_over_due()
    assert (await message(town, row.id)).state is S.ACCEPTED


async def announce_slowly(town: Town, segments_per_second: float, key: UUID | None = None) -> QueuedMany:
    rates = Rates(sender=segments_per_second, campaign=10, account=10)
    ids = [town.phones[phone] for phone in (ROSA, MIA)]
    announcing = Announcing(town.wired.db, limits_of(town.wired.settings), rates)
    return await announcing.queue(await town.actor("dora"), await school_inbox(town), ids, WORDS, key or uuid4())


async def test_it_tells_when_the_last_text_will_have_left(town: Town) -> None:
    first = await announce_slowly(town, 1 / HOUR)
    assert first.done_at is not None and first.too_old == 0
    assert first.done_at - datetime.now(UTC) == pytest.approx(timedelta(hours=2), abs=timedelta(minutes=5))
    second = await announce_slowly(town, 1 / HOUR)
    assert second.done_at is not None
    assert second.done_at - first.done_at == pytest.approx(timedelta(hours=2), abs=timedelta(minutes=5))


async def test_it_tells_how_many_will_be_held_back_before_their_turn_comes(town: Town) -> None:
    assert (await announce_slowly(town, 1 / (5 * HOUR))).too_old == 1
    assert (await announce_slowly(town, 1 / (5 * HOUR))).too_old == 2


async def test_a_double_click_tells_of_the_same_texts(town: Town) -> None:
    key = uuid4()
    assert [(await announce_slowly(town, 1 / (5 * HOUR), key)).too_old for _ in range(2)] == [1, 1]


async def test_when_all_have_left_nothing_is_told_of_the_end(town: Town) -> None:
    key = uuid4()
    await announce_slowly(town, 1, key)
    while await town.wired.dispatching.hand_over_due():
        pass
    again = await announce_slowly(town, 1, key)
    assert (again.queued, again.done_at, again.too_old) == (2, None, 0)


async def test_nobody_can_say_when_a_number_sends_that_is_not_bought_yet(town: Town) -> None:
    await change(town, Number, state=NumberState.WANTED)
    assert (await announce_slowly(town, 1)).done_at is None
