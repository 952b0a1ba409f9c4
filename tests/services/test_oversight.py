"""Oversight: who finds and reads what is not their own, never without a trace, and nothing else can be done there."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlmodel import col

from tests.cast import MIA, OMAR, ROSA, STRANGER, Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change, inbox_id, message, receive, revoke, rows, send, the
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, Refusal
from tp_inbox.domain.permissions import Permission
from tp_inbox.services.opened import NOT_OPENED, OPEN_FOR
from tp_inbox.services.oversight import (
    LEAST_REASON,
    LONG_REASON,
    MOST_REASON,
    NO_REASON,
    READINGS_A_PAGE,
    OverseenRow,
    Oversight,
    Question,
)
from tp_inbox.services.views import NEVER_READ
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import (
    Assignment,
    AuditEntry,
    Contact,
    Message,
    OversightReading,
    ReadMarker,
    Role,
    Staff,
    Thread,
)

REASON = "A parent has complained to the district."


def service(town: Town) -> Oversight:
    return town.wired.services.oversight


async def find(town: Town, who: str, **question: Any) -> list[OverseenRow]:
    found, _ = await service(town).threads(await town.actor(who), Question(**question))
    return found


async def whose(town: Town, who: str, **question: Any) -> list[tuple[str, str]]:
    return [(row.title, row.whose) for row in await find(town, who, **question)]


async def opens(town: Town, who: str, thread: int, reason: str = REASON) -> None:
    await service(town).open(await town.actor(who), thread, reason)


async def reads(town: Town, who: str, thread: int) -> list[str]:
    found, _ = await service(town).messages(await town.actor(who), thread)
    return [row.text for row in found]


async def may_watch(town: Town, role: str) -> None:
    """Adds *view all messages* to a custom role."""
    held = (await the(town, Role, col(Role.name) == role)).permissions
    await change(town, Role, col(Role.name) == role, permissions=[*held, Permission.VIEW_ALL_MESSAGES.value])


@pytest.fixture
async def alices(town: Town) -> int:
    """Alice has written to Rosa from her own number."""
    thread = await town.personal("alice")
    await send(town, "alice", thread, "Mia was sad today.")
    return thread


@pytest.fixture
async def lincolns(town: Town) -> int:
    """Lincoln has written to Rosa."""
    thread = await town.school()
    await send(town, "alice", thread, "The bus is late.")
    return thread


@pytest.fixture
async def everybodys(town: Town, alices: int, lincolns: int) -> None:
    """And others have written to others, one after the other."""
    await send(town, "bob", await town.personal("bob", MIA))
    await send(town, "dora", await town.personal("dora"))
    await send(town, "nora", await town.personal("nora"))
    await send(town, "nora", await town.personal("nora", OMAR))
    await send(town, "charlie", await town.personal("charlie", OMAR))
    await send(town, "charlie", await town.school(ROOSEVELT, OMAR))


class TestFinding:
    @pytest.mark.usefixtures("everybodys")
    async def test_the_district_admin_finds_everything_newest_first(self, town: Town) -> None:
        assert await whose(town, "diana") == [
            ("Omar Haddad", ROOSEVELT),
            ("Omar Haddad", "Charlie Clark"),
            ("Omar Haddad", "Nora Nash"),
            ("Rosa Lopez", "Nora Nash"),
            ("Rosa Lopez", "Dora Diaz"),
            ("Mia Lopez", "Bob Brown"),
            ("Rosa Lopez", LINCOLN),
            ("Rosa Lopez", "Alice Adams"),
        ]

    @pytest.mark.usefixtures("everybodys")
    async def test_the_school_admin_finds_the_own_schools_and_nothing_of_their_own(self, town: Town) -> None:
        assert await whose(town, "dora") == [
            ("Rosa Lopez", "Nora Nash"),
            ("Mia Lopez", "Bob Brown"),
            ("Rosa Lopez", LINCOLN),
            ("Rosa Lopez", "Alice Adams"),
        ]

    @pytest.mark.usefixtures("everybodys")
    @pytest.mark.parametrize("who", ["alice", "bob", "charlie", "nora"])
    async def test_who_does_not_oversee_is_refused_every_search(self, town: Town, who: str) -> None:
        for asked in (Question(), Question(family="rosa"), Question(person="alice")):
            with pytest.raises(NotAllowed):
                await service(town).threads(await town.actor(who), asked)
        with pytest.raises(NotAllowed):
            await service(town).schools(await town.actor(who))

    @pytest.mark.usefixtures("everybodys")
    @pytest.mark.parametrize(
        ("question", "found"),
        [
            ({"family": "omar"}, 3),
            ({"family": "HADDAD om"}, 3),
            ({"family": "sami"}, 3),
            ({"family": "mia"}, 5),
            ({"family": "555-0163"}, 1),
            ({"family": "omar", "person": "nora"}, 1),
            ({"person": "nash"}, 2),
            ({"person": "speech"}, 2),
            ({"person": "bob@"}, 1),
            ({"family": "%"}, 0),
            ({"person": "_"}, 0),
            ({"family": "\x00 "}, 8),
            ({"family": "x" * 5000}, 0),
            ({"school": 999_999}, 0),
        ],
    )
    async def test_by_family_number_and_person(self, town: Town, question: dict, found: int) -> None:
        assert len(await find(town, "diana", **question)) == found

    @pytest.mark.usefixtures("everybodys")
    async def test_by_school(self, town: Town) -> None:
        lincoln, roosevelt = town.schools[LINCOLN], town.schools[ROOSEVELT]
        assert len(await find(town, "diana", school=lincoln)) == 5
        assert len(await find(town, "diana", school=roosevelt)) == 3
        assert await find(town, "dora", school=roosevelt) == []

    @pytest.mark.usefixtures("alices")
    async def test_accents_need_not_be_typed(self, town: Town) -> None:
        await change(town, Contact, col(Contact.name) == "Rosa Lopez", name="Rosa López")
        await change(town, Staff, col(Staff.name) == "Alice Adams", name="Alícia Adams")
        assert await whose(town, "diana", family="lopez", person="alicia") == [("Rosa López", "Alícia Adams")]

    @pytest.mark.usefixtures("everybodys")
    async def test_each_line_says_through_which_of_ones_own_schools(self, town: Town) -> None:
        through = {(row.whose, row.title): row.through for row in await find(town, "diana")}
        assert through["Nora Nash", "Omar Haddad"] == ROOSEVELT
        assert through["Nora Nash", "Rosa Lopez"] == LINCOLN
        unknown = await town.personal("nora", STRANGER)
        await change(town, Thread, col(Thread.id) == unknown, last_at=utc_now())
        assert (await find(town, "diana"))[0].through == f"{LINCOLN}, {ROOSEVELT}"
        assert (await find(town, "dora"))[0].through == LINCOLN

    @pytest.mark.usefixtures("alices", "lincolns")
    async def test_a_line_holds_nothing_of_what_was_written(self, town: Town) -> None:
        for row in await find(town, "diana"):
            assert "sad" not in str(row)
            assert "bus" not in str(row)
            assert row.at

    async def test_a_conversation_in_which_nothing_was_written_is_in_no_list(self, town: Town) -> None:
        await town.personal("alice")
        assert await find(town, "diana") == []

    async def test_the_schools_to_choose_from_are_those_that_one_oversees(self, town: Town) -> None:
        async def names(who: str) -> list[str]:
            return [school.name for school in await service(town).schools(await town.actor(who))]

        assert await names("diana") == [LINCOLN, ROOSEVELT]
        assert await names("dora") == await names("vera") == [LINCOLN]

    async def test_pages_follow_each_other_though_new_texts_come_between(
        self, town: Town, alices: int, lincolns: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tp_inbox.services.oversight.THREADS_A_PAGE", 1)
        diana = await town.actor("diana")
        at = utc_now()
        await change(town, Thread, last_at=at)
        newest, more = await service(town).threads(diana, Question())
        await send(town, "bob", await town.personal("bob"))
        rest, end = await service(town).threads(diana, Question(), (at, newest[0].id))
        assert ([newest[0].id, rest[0].id], more, end) == ([lincolns, alices], True, False)

    @pytest.mark.usefixtures("everybodys")
    async def test_what_any_search_finds_is_a_part_of_what_one_may_oversee(self, town: Town) -> None:
        """Diana, who may oversee everything here, finds all that the words say; others their own part of it."""
        chance = random.Random(9)
        families, people = ["", "rosa", "omar", "lopez", "o", "sami", "0142"], ["", "nora", "a", "charlie", "nurse"]
        await may_watch(town, "Nurse")
        for who in ("dora", "vera", "bob"):
            mine = {row.id for row in await find(town, who)}
            assert mine
            for _ in range(25):
                school = chance.choice([0, *town.schools.values()])
                question = {"family": chance.choice(families), "person": chance.choice(people), "school": school}
                everything = {row.id for row in await find(town, "diana", **question)}
                assert {row.id for row in await find(town, who, **question)} == everything & mine


class TestOpening:
    async def test_a_reason_comes_before_any_word(self, town: Town, alices: int) -> None:
        with pytest.raises(NotAllowed, match=NOT_OPENED):
            await reads(town, "diana", alices)
        await opens(town, "diana", alices)
        assert await reads(town, "diana", alices) == ["Mia was sad today."]

    @pytest.mark.parametrize(
        ("reason", "sentence"),
        [
            ("", NO_REASON),
            ("x" * (LEAST_REASON - 1), NO_REASON),
            ("x" + " " * 30, NO_REASON),
            ("\0" * 30, NO_REASON),
            ("x" * (MOST_REASON + 1), LONG_REASON),
        ],
    )
    async def test_what_is_no_reason_opens_nothing(self, town: Town, alices: int, reason: str, sentence: str) -> None:
        with pytest.raises(Invalid, match=sentence[:30]):
            await opens(town, "diana", alices, reason)
        assert await rows(town, OversightReading) == []
        assert await rows(town, AuditEntry) == []

    @pytest.mark.parametrize("reason", ["x" * LEAST_REASON, "x" * MOST_REASON, "Segurança \ud800 da criança"])
    async def test_what_is_one_is_kept(self, town: Town, alices: int, reason: str) -> None:
        await opens(town, "diana", alices, reason)
        (reading,) = await rows(town, OversightReading)
        assert reading.reason == reason.replace("\ud800 ", "")
        assert (reading.reader_id, reading.thread_id) == (town.staff["diana"], alices)
        assert reading.owner_id == town.staff["alice"]

    async def test_the_log_says_who_on_whom_where_and_why(self, town: Town, alices: int) -> None:
        await opens(town, "diana", alices)
        (entry,) = await rows(town, AuditEntry)
        assert (entry.kind, entry.actor_id) == (AuditKind.OVERSIGHT_OPENED, town.staff["diana"])
        assert (entry.subject_id, entry.schools) == (town.staff["alice"], [town.schools[LINCOLN]])
        assert entry.facts == {"thread": alices, "inbox": "personal"}
        told = {"actor": "Diana Drew", "subject": "Alice Adams", "reason": REASON}
        assert told.items() <= entry.names.items()

    async def test_the_log_does_not_say_which_family(self, town: Town, alices: int) -> None:
        await opens(town, "diana", alices)
        (entry,) = await rows(town, AuditEntry)
        assert "family" not in entry.names
        assert not any(word in str(entry.names) for word in ("Rosa", "Lopez", ROSA))

    async def test_the_schools_of_the_entry_are_those_of_the_conversation(self, town: Town) -> None:
        await opens(town, "diana", await town.personal("nora", OMAR))
        (entry,) = await rows(town, AuditEntry)
        assert entry.schools == [town.schools[ROOSEVELT]]

    async def test_without_the_entry_there_is_no_opening(
        self, town: Town, alices: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fails(*_: Any, **__: Any) -> None:
            raise RuntimeError

        monkeypatch.setattr("tp_inbox.services.oversight.audit.record", fails)
        with pytest.raises(RuntimeError):
            await opens(town, "diana", alices)
        assert await rows(town, OversightReading) == []

    async def test_an_hour_later_a_reason_is_asked_again(self, town: Town, alices: int) -> None:
        await opens(town, "diana", alices)
        await change(town, OversightReading, at=utc_now() - OPEN_FOR + timedelta(minutes=1))
        assert await reads(town, "diana", alices)
        await change(town, OversightReading, at=utc_now() - OPEN_FOR)
        with pytest.raises(NotAllowed, match=NOT_OPENED):
            await reads(town, "diana", alices)
        with pytest.raises(NotAllowed, match=NOT_OPENED):
            await service(town).messages(await town.actor("diana"), alices, before=1)
        assert not (await service(town).head(await town.actor("diana"), alices)).opened

    async def test_what_one_opened_is_open_to_nobody_else_and_nowhere_else(
        self, town: Town, alices: int, lincolns: int
    ) -> None:
        await opens(town, "diana", alices)
        for who, thread in (("dora", alices), ("diana", lincolns)):
            with pytest.raises(NotAllowed, match=NOT_OPENED):
                await reads(town, who, thread)

    async def test_a_schools_inbox_asks_no_reason_and_is_logged(self, town: Town, lincolns: int) -> None:
        with pytest.raises(NotAllowed, match=NOT_OPENED):
            await reads(town, "diana", lincolns)
        await opens(town, "diana", lincolns, "")
        assert await reads(town, "diana", lincolns) == ["The bus is late."]
        (entry,) = await rows(town, AuditEntry)
        assert (entry.subject_id, entry.schools) == (None, [town.schools[LINCOLN]])
        assert entry.names["school"] == LINCOLN
        assert "family" not in entry.names
        assert "reason" not in entry.names

    async def test_the_school_admin_reads_what_a_nurse_writes_at_the_own_school_alone(self, town: Town) -> None:
        bobs, charlies = await town.personal("bob"), await town.personal("charlie", OMAR)
        await send(town, "bob", bobs, "A plaster was enough.")
        await opens(town, "dora", bobs)
        assert await reads(town, "dora", bobs) == ["A plaster was enough."]
        with pytest.raises(NotFound):
            await opens(town, "dora", charlies)

    async def test_of_a_colleague_at_two_schools_she_sees_the_own_schools_families(self, town: Town) -> None:
        await opens(town, "dora", await town.personal("nora", ROSA))
        with pytest.raises(NotFound):
            await opens(town, "dora", await town.personal("nora", OMAR))

    @pytest.mark.parametrize("who", ["alice", "bob", "charlie", "nora"])
    async def test_not_yours_and_not_there_are_the_same(self, town: Town, alices: int, who: str) -> None:
        actor = await town.actor(who)
        for thread in (alices, 999_999, 2**53, -1):
            said = set()
            for call in (
                service(town).head(actor, thread),
                service(town).messages(actor, thread),
                service(town).open(actor, thread, REASON),
            ):
                with pytest.raises(NotFound) as refused:
                    await call
                said.add(refused.value.sentence)
            assert said == {NotFound().sentence}
        assert await rows(town, OversightReading) == []

    @pytest.mark.parametrize("who", ["diana", "dora"])
    async def test_nobody_oversees_themselves(self, town: Town, who: str) -> None:
        own = await town.personal(who)
        with pytest.raises(NotFound):
            await opens(town, who, own)

    async def test_who_lost_the_permission_reads_no_further(self, town: Town, alices: int) -> None:
        await opens(town, "diana", alices)
        diana = await town.actor("diana")
        await revoke(town, "diana")
        with pytest.raises(NotFound):
            await service(town).open(diana, alices, REASON)
        with pytest.raises(NotFound):
            await reads(town, "diana", alices)

    async def test_who_moved_to_another_school_is_overseen_there(self, town: Town, alices: int) -> None:
        await opens(town, "dora", alices)
        alice, roosevelt = town.staff["alice"], town.schools[ROOSEVELT]
        await change(town, Assignment, col(Assignment.staff_id) == alice, school_id=roosevelt)
        with pytest.raises(NotFound):
            await reads(town, "dora", alices)

    async def test_what_people_wrote_who_have_left_can_still_be_read(self, town: Town, alices: int) -> None:
        await change(town, Staff, col(Staff.name) == "Alice Adams", active=False)
        await opens(town, "dora", alices)
        assert await reads(town, "dora", alices) == ["Mia was sad today."]
        assert (await service(town).head(await town.actor("dora"), alices)).has_left

    async def test_older_messages_come_page_by_page(
        self, town: Town, alices: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tp_inbox.services.inboxes.MESSAGES_A_PAGE", 2)
        for words in ("two", "three"):
            await send(town, "alice", alices, words)
        await opens(town, "diana", alices)
        diana = await town.actor("diana")
        page, older = await service(town).messages(diana, alices)
        above, oldest = await service(town).messages(diana, alices, before=page[0].id)
        assert [row.text for row in [*above, *page]] == ["Mia was sad today.", "two", "three"]
        assert (older, oldest) == (True, False)
        assert len(await rows(town, AuditEntry)) == 1

    async def test_the_number_is_shown_with_the_words(self, town: Town, alices: int) -> None:
        before = await service(town).head(await town.actor("diana"), alices)
        await opens(town, "diana", alices)
        after = await service(town).head(await town.actor("diana"), alices)
        assert (before.opened, before.phone, before.needs_reason) == (False, "", True)
        assert (after.opened, after.phone) == (True, "(312) 555-0142")

    async def test_who_has_the_inbox_anyway_is_led_there(self, town: Town, lincolns: int) -> None:
        assert (await service(town).head(await town.actor("dora"), lincolns)).own
        assert not (await service(town).head(await town.actor("diana"), lincolns)).own


class TestNothingElse:
    async def test_nothing_is_marked_read_and_no_count_changes(self, town: Town, alices: int, lincolns: int) -> None:
        await receive(town, "When does it come?")
        await town.wired.receiving.route_waiting()
        before = [await town.wired.services.inboxes.tabs(await town.actor(who)) for who in ("alice", "dora")]
        for thread in (alices, lincolns):
            await opens(town, "diana", thread)
            await reads(town, "diana", thread)
        assert [await town.wired.services.inboxes.tabs(await town.actor(who)) for who in ("alice", "dora")] == before
        assert await rows(town, ReadMarker) == []

    async def test_every_ordinary_way_still_refuses(self, town: Town, alices: int) -> None:
        await opens(town, "diana", alices)
        await opens(town, "dora", alices)
        texts = await rows(town, Message)
        services = town.wired.services
        for who in ("diana", "dora"):
            actor = await town.actor(who)
            for call in (
                services.threads.head(actor, alices),
                services.threads.draft(actor, alices),
                services.threads.save_draft(actor, alices, uuid4(), "words"),
                services.threads.choose_sender(actor, alices, await inbox_id(town, "alice")),
                services.inboxes.messages(actor, alices),
                services.inboxes.thread_row(actor, alices),
                services.inboxes.mark_read(actor, alices),
                services.sending.send(actor, alices, "words", uuid4(), 2**53),
                services.sending.retry(actor, texts[0].id),
            ):
                with pytest.raises(Refusal):
                    await call
        assert await rows(town, Message) == texts

    async def test_a_failed_text_cannot_be_tried_again_from_here(self, town: Town, alices: int) -> None:
        (text,) = await rows(town, Message)
        await change(town, Message, state=DeliveryState.FAILED, reason=FailureReason.UNREACHABLE)
        assert (await town.wired.services.inboxes.messages(await town.actor("alice"), alices))[0][0].may_retry
        await opens(town, "diana", alices)
        (row,), _ = await service(town).messages(await town.actor("diana"), alices)
        assert (row.id, row.state, row.may_retry) == (text.id, "failed", False)
        assert (await message(town, text.id)).retried is False

    def test_the_service_has_no_way_to_write(self) -> None:
        ways = {name for name in vars(Oversight) if not name.startswith("_")}
        assert ways == {"threads", "schools", "head", "open", "messages", "readings"}


class TestBeingRead:
    async def test_whose_it_is_sees_who_read_it_when_and_why(self, town: Town, alices: int) -> None:
        await opens(town, "diana", alices)
        (reading,), older = await service(town).readings(await town.actor("alice"))
        assert (reading.reader, reading.reason, reading.family, older) == ("Diana Drew", REASON, "Rosa Lopez", False)
        assert reading.at == (await the(town, OversightReading)).at.isoformat()

    async def test_in_the_conversation_itself_the_last_one_is_named(self, town: Town, alices: int) -> None:
        head = town.wired.services.threads.head
        assert (await head(await town.actor("alice"), alices)).read_by == NEVER_READ
        await opens(town, "diana", alices)
        await opens(town, "vera", alices, "Records request by the family")
        found = await head(await town.actor("alice"), alices)
        assert (found.read_by.reader, found.read_by.reason) == ("Vera Vance", "Records request by the family")
        assert found.times_read == 2

    async def test_nobody_is_told_of_anothers(self, town: Town, alices: int, lincolns: int) -> None:
        await opens(town, "diana", alices)
        await opens(town, "diana", lincolns, "")
        for who in ("bob", "dora", "diana"):
            assert await service(town).readings(await town.actor(who)) == ([], False)
        for who in ("alice", "dora"):
            seen = await town.wired.services.threads.head(await town.actor(who), lincolns)
            assert (seen.read_by, seen.times_read) == (NEVER_READ, 0)

    async def test_who_lost_the_inbox_still_learns_who_read_but_no_families_name(self, town: Town, alices: int) -> None:
        await opens(town, "diana", alices)
        await revoke(town, "alice")
        (reading,), _ = await service(town).readings(await town.actor("alice"))
        assert (reading.reader, reading.family) == ("Diana Drew", "")

    async def test_page_by_page(self, town: Town, alices: int) -> None:
        for number in range(READINGS_A_PAGE + 3):
            await add(
                town,
                OversightReading(
                    reader_id=town.staff["diana"],
                    thread_id=alices,
                    owner_id=town.staff["alice"],
                    reason=f"no. {number}",
                ),
            )
        alice = await town.actor("alice")
        page, older = await service(town).readings(alice)
        rest, end = await service(town).readings(alice, page[-1].id)
        assert [r.reason for r in [*page, *rest]] == [f"no. {n}" for n in reversed(range(READINGS_A_PAGE + 3))]
        assert (len(page), older, end) == (READINGS_A_PAGE, True, False)


async def test_a_person_who_only_has_personal_messages_sees_none_of_this(town: Town, alices: int) -> None:
    """Bob is a nurse. With one more permission he would."""
    bob = await town.actor("bob")
    with pytest.raises(NotAllowed):
        await service(town).threads(bob, Question())
    with pytest.raises(NotFound):
        await service(town).head(bob, alices)
    await may_watch(town, "Nurse")
    assert (await service(town).head(await town.actor("bob"), alices)).whose == "Alice Adams"


async def test_a_conversation_that_was_handed_over_is_opened_on_its_own(town: Town, alices: int) -> None:
    """Bob goes on with Alice's conversation: whoever opens his has not opened hers."""
    bobs = await town.personal("bob")
    await send(town, "bob", bobs, "I am the nurse.")
    await change(town, Thread, col(Thread.id) == alices, continued_in_id=bobs)
    await opens(town, "diana", bobs)
    assert await reads(town, "diana", bobs) == ["I am the nurse."]
    with pytest.raises(NotAllowed, match=NOT_OPENED):
        await reads(town, "diana", alices)


async def test_a_list_of_any_length_asks_the_database_as_often(town: Town) -> None:
    asked: list[str] = []
    engine = town.wired.db._reading.sync_engine

    def count(*arguments: Any) -> None:
        asked.append(arguments[2])

    event.listen(engine, "before_cursor_execute", count)
    for phone in (ROSA, MIA, STRANGER):
        await change(town, Thread, col(Thread.id) == await town.personal("bob", phone), last_at=utc_now())
        await find(town, "diana")
        asked.append("|")
    event.remove(engine, "before_cursor_execute", count)
    lists = "".join("." if one != "|" else "|" for one in asked).split("|")[:3]
    assert len(set(lists)) == 1
