"""Reading: every way of it, for everybody; pages, counts, and what has been read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import col

from tests.cast import MIA, OMAR, ROSA, STRANGER, Town
from tests.services.steps import (
    LINCOLN,
    ROOSEVELT,
    add,
    change,
    inbox_id,
    listening,
    receive,
    rows,
    send,
    the,
)
from tp_inbox.domain.access import InboxKind
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.domain.errors import NotFound
from tp_inbox.services.changes import Change, Changes
from tp_inbox.services.inboxes import MESSAGES_A_PAGE, THREADS_A_PAGE, in_groups
from tp_inbox.services.views import ThreadRow
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import FamilyPhone, Inbox, Message, Number, ReadMarker, Student, Thread
from tp_inbox.storage.tables.messages import Direction

NOW = datetime.now(UTC)

READERS = {"alice": {"alice", LINCOLN}, "bob": {"bob"}, "charlie": {"charlie", ROOSEVELT}, "dora": {"dora", LINCOLN}}
READERS |= {"vera": {LINCOLN}, "nora": {"nora"}, "diana": set()}
"""Whose inboxes each of the cast may read."""


async def busy_town(town: Town) -> dict[str, int]:
    """A thread with one text in every inbox: by its owner, the thread's id."""
    threads = {who: await town.personal(who) for who in town.staff} | {s: await town.school(s) for s in town.schools}
    for owner, thread_id in threads.items():
        thread = await the(town, Thread, col(Thread.id) == thread_id)
        number = (await rows(town, Number))[0]
        await add(town, _text(thread, number, f"for {owner}", NOW))
        await change(town, Thread, col(Thread.id) == thread_id, last_at=NOW, inbound_count=1, preview=f"for {owner}")
    return threads


def _text(thread: Thread, number: Number, body: str, at: datetime) -> Message:
    return Message(
        thread_id=thread.id,
        inbox_id=thread.inbox_id,
        direction=Direction.IN,
        number_id=number.id,
        sender=ROSA,
        recipient=number.e164 or "",
        written=body,
        body=body,
        state=DeliveryState.RECEIVED,
        created_at=at,
    )


WAYS: dict[str, Callable[[Town, str, int], Awaitable[object]]] = {
    "row": lambda town, who, thread: _as(town, who, lambda a: town.wired.services.inboxes.thread_row(a, thread)),
    "messages": lambda town, who, thread: _as(town, who, lambda a: town.wired.services.inboxes.messages(a, thread)),
    "head": lambda town, who, thread: _as(town, who, lambda a: town.wired.services.threads.head(a, thread)),
    "draft": lambda town, who, thread: _as(town, who, lambda a: town.wired.services.threads.draft(a, thread)),
    "measure": lambda town, who, thread: _as(
        town, who, lambda a: town.wired.services.sending.measure(a, thread, "Hello")
    ),
    "mark as read": lambda town, who, thread: _as(
        town, who, lambda a: town.wired.services.inboxes.mark_read(a, thread)
    ),
    "save a draft": lambda town, who, thread: _as(
        town, who, lambda a: town.wired.services.threads.save_draft(a, thread, uuid4(), "Hello")
    ),
}


async def _as(town: Town, who: str, ask: Callable) -> object:
    return await ask(await town.actor(who))


@pytest.mark.parametrize("who", READERS)
async def test_every_way_of_reading_shows_a_person_their_own_inboxes_alone(town: Town, who: str) -> None:
    threads = await busy_town(town)
    for owner, thread in threads.items():
        for name, way in WAYS.items():
            try:
                await way(town, who, thread)
                allowed = True
            except NotFound:
                allowed = False
            assert allowed is (owner in READERS[who]), f"{name} of {owner} by {who}"


@pytest.mark.parametrize("who", READERS)
async def test_list_and_counts_show_a_person_their_own_inboxes_alone(town: Town, who: str) -> None:
    await busy_town(town)
    actor, inboxes = await town.actor(who), town.wired.services.inboxes
    personal, _ = await inboxes.threads(actor, InboxKind.PERSONAL)
    school, _ = await inboxes.threads(actor, InboxKind.SCHOOL)
    assert {row.preview.removeprefix("for ") for row in personal + school} == READERS[who]
    tabs = await inboxes.tabs(actor)
    assert (tabs.personal, tabs.school) == (who in READERS[who], bool(READERS[who] & set(town.schools)))
    assert (tabs.personal_unread, tabs.school_unread) == (len(personal), len(school))


async def test_an_address_that_was_never_given_is_the_same_answer(town: Town) -> None:
    with pytest.raises(NotFound):
        await town.wired.services.inboxes.thread_row(await town.actor("alice"), 999_999)


class TestTheList:
    async def _threads(self, town: Town, count: int, at: Callable[[int], datetime]) -> None:
        inbox = (await the(town, Inbox, col(Inbox.school_id) == town.schools[LINCOLN])).id
        async with town.wired.db.transaction() as session:
            phones = [FamilyPhone(e164=f"+1202555{number:04}") for number in range(count)]
            session.add_all(phones)
            await session.flush()
            session.add_all(
                Thread(inbox_id=inbox, phone_id=phone.id, last_at=at(n), preview=str(n))
                for n, phone in enumerate(phones)
            )

    async def _pages(self, town: Town) -> list[list[ThreadRow]]:
        alice, pages, before = await town.actor("alice"), [], None
        while True:
            page, more = await town.wired.services.inboxes.threads(alice, InboxKind.SCHOOL, before)
            pages.append(page)
            if not more:
                return pages
            before = (datetime.fromisoformat(page[-1].at), page[-1].id)

    @pytest.mark.parametrize("ties", [True, False])
    async def test_pages_of_fifty_show_every_thread_once_newest_first(self, town: Town, ties: bool) -> None:
        count = 2 * THREADS_A_PAGE + 20
        await self._threads(town, count, lambda n: NOW - timedelta(minutes=0 if ties else n))
        pages = await self._pages(town)
        assert [len(page) for page in pages] == [50, 50, 20]
        shown = [row.preview for page in pages for row in page]
        assert shown == [str(n) for n in (range(count)[::-1] if ties else range(count))]

    async def test_exactly_fifty_have_nothing_older(self, town: Town) -> None:
        await self._threads(town, THREADS_A_PAGE, lambda n: NOW)
        assert [len(page) for page in await self._pages(town)] == [50]

    async def test_a_thread_without_a_text_is_not_in_the_list(self, town: Town) -> None:
        await town.school()
        assert await self._pages(town) == [[]]

    async def test_a_row_names_everyone_at_the_phone(self, town: Town) -> None:
        await change(town, Student, col(Student.name) == "Mia Lopez", phone_id=town.phones[ROSA])
        await receive(town)
        ((row,),) = await self._pages(town)
        assert (row.title, row.about) == ("Rosa Lopez & Mia Lopez", "Family of Leo (grade 3) and Mia (grade 8)")
        assert (row.initials, row.inbox_name, row.box) == ("RL", LINCOLN, "school")

    async def test_a_stranger_is_shown_by_number(self, town: Town) -> None:
        await receive(town, sender=STRANGER)
        ((row,),) = await self._pages(town)
        assert (row.title, row.about, row.initials) == ("(773) 555-0190", "Unknown sender", "#")

    async def test_a_students_own_phone_says_so(self, town: Town) -> None:
        await receive(town, sender=MIA)
        ((row,),) = await self._pages(town)
        assert (row.title, row.about) == ("Mia Lopez", "Student, grade 8")

    async def test_a_name_without_letters_and_a_grade_that_is_missing_break_nothing(self, town: Town) -> None:
        await change(town, Student, name=" ", grade="")
        await receive(town)
        await receive(town, sender=MIA)
        assert {row.about for (row) in (await self._pages(town))[0]} == {"Family of  (student)", "Student"}

    async def test_ones_own_draft_is_shown_and_a_colleagues_is_not(self, town: Town) -> None:
        await receive(town)
        dora, thread = await town.actor("dora"), await town.school()
        await town.wired.services.threads.save_draft(dora, thread, uuid4(), "Dear Rosa")
        inboxes = town.wired.services.inboxes
        assert ((row := await inboxes.thread_row(dora, thread)).draft, row.preview) == (True, "Dear Rosa")
        assert ((row := await inboxes.thread_row(await town.actor("alice"), thread)).draft, row.preview) == (
            False,
            "Thank you",
        )

    async def test_who_wrote_last_is_named(self, town: Town) -> None:
        await send(town, "dora", await town.school())
        ((row,),) = await self._pages(town)
        assert (row.outbound, row.author, row.author_id) == (True, "Dora Diaz", town.staff["dora"])


class TestTheThread:
    async def _texts(self, town: Town, count: int, at: Callable[[int], datetime]) -> int:
        thread = await the(town, Thread, col(Thread.id) == await town.school())
        number = (await rows(town, Number))[0]
        async with town.wired.db.transaction() as session:
            session.add_all(_text(thread, number, str(n), at(n)) for n in range(count))
        return thread.id

    @pytest.mark.parametrize("ties", [True, False])
    async def test_pages_show_every_text_once_in_reading_order(self, town: Town, ties: bool) -> None:
        count = MESSAGES_A_PAGE + 12
        thread = await self._texts(town, count, lambda n: NOW if ties else NOW + timedelta(minutes=n))
        alice, inboxes = await town.actor("alice"), town.wired.services.inboxes
        newest, more = await inboxes.messages(alice, thread)
        oldest, none = await inboxes.messages(alice, thread, before=newest[0].id)
        assert (more, none) == (True, False)
        assert [row.text for row in oldest + newest] == [str(n) for n in range(count)]
        assert newest[0].before == oldest[-1].at

    async def test_a_message_of_another_thread_is_no_place_to_begin(self, town: Town) -> None:
        thread = await self._texts(town, 2, lambda n: NOW)
        await receive(town, sender=MIA)
        other = (await rows(town, Message))[-1].id
        assert await town.wired.services.inboxes.messages(await town.actor("alice"), thread, before=other) == (
            [],
            False,
        )

    async def test_bubbles_of_one_author_within_five_minutes_are_one_group(self, town: Town) -> None:
        minutes = [0, 1, 7]
        thread = await self._texts(town, 3, lambda n: NOW - timedelta(minutes=10 - minutes[n]))
        await send(town, "alice", thread)
        await send(town, "dora", thread)
        shown, _ = await town.wired.services.inboxes.messages(await town.actor("alice"), thread)
        assert [row.joined for row in shown] == [False, True, False, False, False]
        assert [row.before for row in shown] == ["", *(row.at for row in shown[:-1])]

    async def test_grouping_anew_keeps_what_stands_above_the_first(self, town: Town) -> None:
        thread = await self._texts(town, 3, lambda n: NOW + timedelta(seconds=n))
        shown, _ = await town.wired.services.inboxes.messages(await town.actor("alice"), thread)
        assert in_groups(shown[1:]) == shown[1:]
        assert in_groups(shown[2:], above=shown[0])[0].before == shown[0].at

    async def test_a_bubble_says_who_of_the_school_sent_it_and_how(self, town: Town) -> None:
        await send(town, "alice", await town.school(), "Hello")
        shown, _ = await town.wired.services.inboxes.messages(await town.actor("vera"), await town.school())
        assert (shown[0].author, shown[0].text, shown[0].outbound) == ("Alice Adams", "Hello", True)
        assert shown[0].sent_as.endswith("\nHello")

    async def test_a_failure_without_a_reason_says_so_all_the_same(self, town: Town) -> None:
        await send(town, "alice", thread := await town.school())
        await change(town, Message, state=DeliveryState.FAILED)
        (shown,), _ = await town.wired.services.inboxes.messages(await town.actor("alice"), thread)
        assert (shown.reason != "", shown.advice != "", shown.may_retry) == (True, True, True)

    async def test_a_text_that_waits_for_another_try_shows_no_failure(self, town: Town) -> None:
        await send(town, "alice", thread := await town.school())
        await change(town, Message, state=DeliveryState.QUEUED, reason=FailureReason.TOO_BUSY)
        (shown,), _ = await town.wired.services.inboxes.messages(await town.actor("alice"), thread)
        assert (shown.state, shown.reason, shown.may_retry) == ("queued", "", False)


class TestReading:
    async def _unread(self, town: Town, who: str) -> tuple[int, int]:
        actor = await town.actor(who)
        row = await town.wired.services.inboxes.thread_row(actor, await town.school())
        return row.unread, (await town.wired.services.inboxes.tabs(actor)).school_unread

    async def test_unread_is_each_persons_own(self, town: Town) -> None:
        await receive(town)
        await receive(town)
        await town.wired.services.inboxes.mark_read(await town.actor("alice"), await town.school())
        assert await self._unread(town, "alice") == (0, 0)
        assert await self._unread(town, "vera") == (2, 1)
        await receive(town)
        assert await self._unread(town, "alice") == (1, 1)

    async def test_ones_own_and_a_colleagues_text_are_not_unread(self, town: Town) -> None:
        await send(town, "dora", await town.school())
        assert await self._unread(town, "alice") == (0, 0)

    async def test_reading_is_announced_once_and_names_the_reader(self, town: Town) -> None:
        await receive(town)
        alice, thread = await town.actor("alice"), await town.school()
        async with listening(town) as heard:
            for _ in range(3):
                await town.wired.services.inboxes.mark_read(alice, thread)
            changes = await heard.all()
        assert [(c.kind, c.staff, c.thread) for c in changes] == [(ChangeKind.READ, town.staff["alice"], thread)]

    async def test_a_thread_without_texts_of_the_family_is_read_quietly(self, town: Town) -> None:
        thread = await town.school()
        async with listening(town) as heard:
            await town.wired.services.inboxes.mark_read(await town.actor("alice"), thread)
            assert await heard.all() == []

    async def test_the_marker_never_goes_back(self, town: Town) -> None:
        for _ in range(3):
            await receive(town)
        alice, thread = await town.actor("alice"), await town.school()
        await town.wired.services.inboxes.mark_read(alice, thread)
        await change(town, Thread, inbound_count=1)
        await town.wired.services.inboxes.mark_read(alice, thread)
        assert (await the(town, ReadMarker)).seen == 3

    async def test_ten_tabs_at_once_are_one_marker(self, town: Town) -> None:
        await receive(town)
        alice, thread = await town.actor("alice"), await town.school()
        await asyncio.gather(*(town.wired.services.inboxes.mark_read(alice, thread) for _ in range(10)))
        assert (await the(town, ReadMarker)).seen == 1


class TestChanges:
    """What is read once for all screens."""

    async def test_a_text_comes_with_everybodys_unread_count(self, town: Town) -> None:
        await receive(town)
        await town.wired.services.inboxes.mark_read(await town.actor("alice"), await town.school())
        await receive(town, "Gracias")
        text, staff = (await rows(town, Message))[-1], town.staff
        change_ = Change(ChangeKind.MESSAGE, text.inbox_id, text.thread_id, text.id, id="x")
        read = await Changes(town.wired.db).read(change_, [staff["alice"], staff["vera"]])
        assert read.unread == {staff["alice"]: 1, staff["vera"]: 2}
        assert read.message is not None
        assert read.message.text == "Gracias"

    async def test_a_status_comes_alone(self, town: Town) -> None:
        row = await send(town, "alice", await town.school())
        read = await Changes(town.wired.db).read(Change(ChangeKind.STATUS, message=row.id, id="x"), [1])
        assert (read.message, read.status is not None and read.status.state) == (None, "queued")

    async def test_whose_inbox_it_is_never_changes(self, town: Town) -> None:
        inbox = await inbox_id(town, "alice")
        ref = await town.wired.services.inboxes.inbox_ref(inbox)
        assert (ref.kind, ref.staff_id) == (InboxKind.PERSONAL, town.staff["alice"])
        assert await town.wired.services.inboxes.inbox_ref(inbox) is ref
        with pytest.raises(NotFound):
            await town.wired.services.inboxes.inbox_ref(999_999)


async def test_a_family_of_two_schools_shows_each_school_its_own_thread(town: Town) -> None:
    await send(town, "nora", await town.personal("nora", OMAR))
    for who in ("charlie", "alice"):
        assert await town.wired.services.inboxes.threads(await town.actor(who), InboxKind.SCHOOL) == ([], False)
