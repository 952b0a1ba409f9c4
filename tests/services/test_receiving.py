"""A family's text: stored before anything is made of it, routed once and in order, and heard."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, OMAR, ROOSEVELT_NUMBER, ROSA, STRANGER, Town
from tests.services.steps import (
    ALICES_NUMBER,
    LINCOLN,
    add,
    campaign_of_person,
    change,
    give_number,
    listening,
    receive,
    rows,
    send,
    text_from,
    the,
    until_waiting,
)
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.consent import ConsentKind, ConsentScope, ConsentSource, Verdict
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.errors import NotAllowed, NotFound, Unavailable
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services import audit_log, receiving as module
from tp_inbox.services.audit_sentences import Group
from tp_inbox.services.ports import InboundText
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import (
    Alert,
    AuditEntry,
    ConsentEvent,
    FamilyPhone,
    InboundRequest,
    Inbox,
    Message,
    Number,
    Thread,
)
from tp_inbox.storage.tables.messages import Direction, NumberState


async def threads(town: Town) -> list[tuple[int, int]]:
    return [(t.inbox_id, t.phone_id) for t in await rows(town, Thread)]


async def school_inbox(town: Town, school: str = LINCOLN) -> int:
    return (await the(town, Inbox, col(Inbox.school_id) == town.schools[school])).id


class TestOnce:
    async def test_fifty_repetitions_at_once_are_one_text_and_one_push(self, town: Town) -> None:
        text = text_from()
        async with listening(town) as heard:
            await asyncio.gather(*(town.wired.receiving.receive(text) for _ in range(50)))
            assert await heard.kinds() == [ChangeKind.MESSAGE]
        assert (await the(town, Message)).sid == text.sid
        assert (await the(town, Thread)).inbound_count == 1

    async def test_a_repetition_after_another_text_is_nothing_new(self, town: Town) -> None:
        first = await receive(town, "first")
        await receive(town, "second")
        await town.wired.receiving.receive(first)
        assert [m.body for m in await rows(town, Message)] == ["first", "second"]

    async def test_two_texts_alike_with_two_sids_are_two(self, town: Town) -> None:
        await receive(town, "OK")
        await receive(town, "OK")
        assert (await the(town, Thread)).inbound_count == 2


class TestRouting:
    async def test_a_text_to_the_school_goes_to_its_inbox(self, town: Town) -> None:
        await receive(town)
        assert await threads(town) == [(await school_inbox(town), town.phones[ROSA])]
        message = await the(town, Message)
        assert (message.direction, message.state) == (Direction.IN, DeliveryState.RECEIVED)
        assert (message.sender, message.recipient, message.author_id) == (ROSA, LINCOLN_NUMBER, None)

    async def test_a_text_to_a_persons_number_goes_to_their_own_inbox(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await receive(town, to=ALICES_NUMBER)
        inbox = await the(town, Inbox, col(Inbox.staff_id) == town.staff["alice"])
        assert await threads(town) == [(inbox.id, town.phones[ROSA])]

    async def test_an_answer_comes_back_to_the_thread_it_answers(self, town: Town) -> None:
        thread = await town.school()
        await send(town, "alice", thread)
        await receive(town)
        assert {m.thread_id for m in await rows(town, Message)} == {thread}

    async def test_somebody_unknown_is_put_before_the_school(self, town: Town) -> None:
        await receive(town, sender="+12025550123")
        phone = await the(town, FamilyPhone, col(FamilyPhone.e164) == "+12025550123")
        assert await threads(town) == [(await school_inbox(town), phone.id)]

    async def test_two_first_texts_of_somebody_unknown_at_once_are_one_thread(self, town: Town) -> None:
        await asyncio.gather(*(receive(town, sender="+12025550123") for _ in range(4)))
        await town.wired.receiving.route_waiting()
        assert (await the(town, Thread)).inbound_count == 4

    async def test_what_a_family_sends_while_its_first_text_is_routed_does_not_wait_for_the_job(
        self, town: Town
    ) -> None:
        async with town.wired.db.transaction() as session:
            await session.get_one(FamilyPhone, town.phones[ROSA], with_for_update=True)
            first = asyncio.create_task(receive(town, "one"))
            await until_waiting(town, 1)
            await asyncio.gather(receive(town, "two"), receive(town, "three"))
        await first
        assert sorted(m.body for m in await rows(town, Message)) == ["one", "three", "two"]

    async def test_a_school_without_an_inbox_gets_one(self, town: Town) -> None:
        async with town.wired.db.transaction() as session:
            inbox = await session.get(Inbox, await school_inbox(town))
            await session.delete(inbox)
        await receive(town)
        assert (await the(town, Message)).inbox_id == await school_inbox(town)

    async def test_a_text_to_a_number_that_is_not_ours_is_kept_and_shown_to_nobody(
        self, town: Town, caplog: pytest.LogCaptureFixture
    ) -> None:
        await receive(town, to="+12025550199")
        request = await the(town, InboundRequest)
        assert (request.problem, request.routed_at is not None) == ("not a number of ours", True)
        assert await rows(town, Message) == []
        assert "not ours" in caplog.text

    async def test_a_text_to_a_number_that_is_just_being_bought_arrives(self, town: Town) -> None:
        campaign_id = await campaign_of_person(town, "bob")
        bob = town.staff["bob"]
        number = Number(e164="+12025550199", staff_id=bob, campaign_id=campaign_id, state=NumberState.BUYING)
        await add(town, number)
        await receive(town, to="+12025550199")
        assert (await the(town, Message)).number_id == number.id

    async def test_the_same_family_at_two_schools_has_two_threads(self, town: Town) -> None:
        await receive(town)
        await receive(town, to=ROOSEVELT_NUMBER)
        assert len(await threads(town)) == 2


class TestStoring:
    async def test_the_text_is_stored_whole_before_it_is_routed(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def crash(*_: object) -> None:
            raise Unavailable("gone")

        monkeypatch.setattr(module, "_settle", crash)
        text = replace(text_from(body="Señora, 👋"), media=(("https://a.example/1", "image/png"),))
        await town.wired.receiving.receive(text)
        request = await the(town, InboundRequest)
        assert request.routed_at is None
        assert module._text(request.form) == text

    async def test_after_a_crash_the_job_routes_what_waits_once_and_in_order(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:

            async def crash(*_: object) -> None:
                raise Unavailable("gone")

            patched.setattr(module, "_settle", crash)
            for body in ("one", "two", "three"):
                await receive(town, body)
        await asyncio.gather(*(town.wired.receiving.route_waiting() for _ in range(4)))
        assert [m.body for m in await rows(town, Message)] == ["one", "two", "three"]
        assert (await the(town, Thread)).preview == "three"

    async def test_half_a_surrogate_pair_is_stored_as_a_question_mark(self, town: Town) -> None:
        await receive(town, "a\ud800b")
        assert (await the(town, Message)).body == "a?b"

    async def test_which_texts_have_come_already_is_known(self, town: Town) -> None:
        text = await receive(town)
        assert await town.wired.receiving.stored([text.sid, "SM" + "f" * 32]) == {text.sid}


class TestPoison:
    """A text that cannot be routed, whatever is tried."""

    @pytest.fixture
    def poison(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = module.routed

        async def routed(session: object, text: InboundText) -> Message | None:
            if text.body == "poison":
                raise ValueError("a body that no log may hold")
            return await real(session, text)

        monkeypatch.setattr(module, "routed", routed)

    async def _time_passes(self, town: Town) -> None:
        await change(town, InboundRequest, next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))

    @pytest.mark.usefixtures("poison")
    async def test_it_holds_up_no_other_family(self, town: Town) -> None:
        await receive(town, "poison")
        await receive(town, "Thank you", sender=OMAR)
        assert [m.body for m in await rows(town, Message)] == ["Thank you"]

    @pytest.mark.usefixtures("poison")
    async def test_after_some_tries_it_is_left_aside_with_its_problem(
        self, town: Town, caplog: pytest.LogCaptureFixture
    ) -> None:
        await receive(town, "poison")
        for _ in range(10):
            await self._time_passes(town)
            await town.wired.receiving.route_waiting()
        request = await the(town, InboundRequest)
        assert (request.attempts, request.problem, request.routed_at) == (module.MOST_TRIES, "ValueError", None)
        assert "left aside" in caplog.text

    @pytest.mark.usefixtures("poison")
    async def test_the_same_familys_next_text_waits_for_it_and_then_comes(self, town: Town) -> None:
        await receive(town, "poison")
        await receive(town, "Thank you")
        assert await rows(town, Message) == []
        for _ in range(module.MOST_TRIES):
            await self._time_passes(town)
            await town.wired.receiving.route_waiting()
        assert (await the(town, Message)).body == "Thank you"

    @pytest.mark.usefixtures("poison")
    async def test_it_is_not_tried_again_at_once(self, town: Town) -> None:
        await receive(town, "poison")
        await town.wired.receiving.route_waiting()
        assert (await the(town, InboundRequest)).attempts == 1

    async def test_what_was_mended_is_routed_at_the_next_try(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:

            async def broken(*_: object) -> None:
                raise ValueError

            patched.setattr(module, "routed", broken)
            await receive(town)
        await self._time_passes(town)
        await town.wired.receiving.route_waiting()
        assert (await the(town, InboundRequest)).problem == ""
        assert (await the(town, Message)).body == "Thank you"


class TestConsent:
    @pytest.mark.parametrize("body", ["STOP", "stop", "Stop. Thank you", "ALTO", "Unsubscribe!", "REVOKE", "стоп"])
    async def test_a_certain_stop_closes_the_number(self, town: Town, body: str) -> None:
        async with listening(town) as heard:
            await receive(town, body)
            assert set(await heard.kinds()) == {ChangeKind.CONSENT, ChangeKind.MESSAGE}
        event = await the(town, ConsentEvent)
        assert (event.kind, event.scope, event.source) == (
            ConsentKind.OPTED_OUT,
            ConsentScope.SCHOOL,
            ConsentSource.FAMILY,
        )
        assert event.message_id == (await the(town, Message, col(Message.direction) == Direction.IN)).id

    @pytest.mark.parametrize(
        "body", ["we have got to STOP this bill", "bus stop?", "Please stop texting me", "YES", ""]
    )
    async def test_what_is_no_certain_stop_closes_nothing(self, town: Town, body: str) -> None:
        await receive(town, body)
        assert await rows(town, ConsentEvent) == []

    @pytest.mark.parametrize("body", ["START", "unstop", "YES", "yes!", "comenzar"])
    async def test_a_start_opens_what_a_stop_closed(self, town: Town, body: str) -> None:
        await receive(town, "STOP")
        await receive(town, body)
        assert [e.kind for e in await rows(town, ConsentEvent)] == [ConsentKind.OPTED_OUT, ConsentKind.OPTED_IN]
        assert (await send(town, "alice", await town.school())).state == "queued"

    async def test_what_the_carrier_took_it_for_is_believed_before_the_words(self, town: Town) -> None:
        await town.wired.receiving.receive(replace(text_from(body="Nope"), opt_out_type=Verdict.STOP_CERTAIN))
        await town.wired.receiving.receive(replace(text_from(body="STOP"), opt_out_type=Verdict.HELP))
        assert len(await rows(town, ConsentEvent)) == 1

    async def test_every_stop_is_written_down(self, town: Town) -> None:
        await receive(town, "STOP")
        await receive(town, "STOP")
        assert len(await rows(town, ConsentEvent)) == 2

    async def test_a_stop_to_one_school_closes_no_other(self, town: Town) -> None:
        await receive(town, "STOP", to=ROOSEVELT_NUMBER)
        assert (await send(town, "alice", await town.school())).state == "queued"

    async def test_a_districts_opt_out_closes_every_number_and_a_start_opens_it(self, town: Town) -> None:
        event = ConsentEvent(
            phone_id=town.phones[ROSA],
            kind=ConsentKind.OPTED_OUT,
            scope=ConsentScope.ALL,
            source=ConsentSource.STAFF,
        )
        await add(town, event)
        with pytest.raises(NotAllowed, match="the district"):
            await send(town, "alice", await town.school())
        await receive(town, "START")
        assert (await send(town, "alice", await town.school())).state == "queued"

    @pytest.mark.parametrize("school", ["Lincoln Middle School", "Roosevelt High School"])
    async def test_a_schools_opt_out_closes_that_schools_numbers_alone(self, town: Town, school: str) -> None:
        event = ConsentEvent(
            phone_id=town.phones[ROSA],
            kind=ConsentKind.OPTED_OUT,
            scope=ConsentScope.SCHOOL,
            school_id=town.schools[school],
            source=ConsentSource.STAFF,
        )
        await add(town, event)
        alice, head = await town.actor("alice"), town.wired.services.threads.head
        for thread in (await town.school(), await town.personal("alice")):
            assert (LINCOLN in (await head(alice, thread)).closed) is (school == LINCOLN)

    async def test_a_start_that_is_found_late_does_not_undo_a_later_stop(self, town: Town) -> None:
        now = datetime.now(UTC)
        for body, at in (("STOP", now), ("START", now - timedelta(minutes=5))):
            await town.wired.receiving.receive(text_from(body=body, at=at))
        with pytest.raises(NotAllowed):
            await send(town, "alice", await town.school())


class TestInTheThread:
    async def test_a_picture_says_so(self, town: Town) -> None:
        await town.wired.receiving.receive(replace(text_from(body=""), media=(("https://a.example/1", "image/png"),)))
        assert ((await the(town, Message)).media, (await the(town, Thread)).preview) == (1, "Picture")

    async def test_a_text_without_words_says_so(self, town: Town) -> None:
        await receive(town, "")
        assert (await the(town, Thread)).preview == "(no words)"

    async def test_a_text_that_is_found_late_stands_where_it_belongs(self, town: Town) -> None:
        now = datetime.now(UTC)
        for body, minutes in (("second", 5), ("first", 10), ("third", 0)):
            await town.wired.receiving.receive(text_from(body=body, at=now - timedelta(minutes=minutes)))
        shown, _ = await town.wired.services.inboxes.messages(await town.actor("alice"), await town.school())
        assert [row.text for row in shown] == ["first", "second", "third"]

    async def test_a_text_that_is_found_late_counts_as_unread_and_lowers_nothing(self, town: Town) -> None:
        now = datetime.now(UTC)
        await town.wired.receiving.receive(text_from(body="newest", at=now))
        await town.wired.receiving.receive(text_from(body="late", at=now - timedelta(hours=1)))
        thread = await the(town, Thread)
        assert (thread.last_at, thread.preview, thread.inbound_count) == (now, "newest", 2)

    async def test_the_familys_text_is_now_the_last_one(self, town: Town) -> None:
        await send(town, "alice", await town.school())
        await receive(town, "Gracias")
        thread = await the(town, Thread)
        assert (thread.last_direction, thread.last_author_id, thread.preview) == (Direction.IN, None, "Gracias")

    async def test_a_strangers_text_is_unread_for_everyone_who_reads_the_school(self, town: Town) -> None:
        await receive(town, sender=STRANGER)
        unread = {
            who: (await town.wired.services.inboxes.tabs(await town.actor(who))).school_unread for who in town.staff
        }
        assert unread == {"alice": 1, "dora": 1, "vera": 1, "bob": 0, "charlie": 0, "nora": 0, "diana": 0}


class TestLeftAside:
    """Texts that could be put into no conversation."""

    async def _lost(self, town: Town) -> int:
        await receive(town, "A secret", to="+12025550199")
        return (await the(town, InboundRequest)).id

    async def test_an_admin_is_told_once_and_sees_where_it_came_to_and_not_what_it_says(self, town: Town) -> None:
        await self._lost(town)
        await receive(town, "Another", to="+12025550199")
        told = await the(town, Alert)
        assert (told.kind, told.times, told.settled_at) == (AlertKind.LEFT_ASIDE, 2, None)
        newest, first = await town.wired.services.receiving.left_aside(await town.actor("diana"))
        assert (first.sender, first.recipient) == ("(312) 555-0142", "(202) 555-0199")
        assert first.problem.startswith("It came to a number that is not one of ours")
        assert newest.id > first.id
        assert "secret" not in str(first)

    async def test_one_that_failed_each_time_says_so(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        async def broken(*_: object) -> None:
            raise ValueError

        monkeypatch.setattr(module, "routed", broken)
        await receive(town)
        await change(town, InboundRequest, attempts=module.MOST_TRIES - 1, next_attempt_at=datetime.now(UTC))
        await town.wired.receiving.route_waiting()
        (aside,) = await town.wired.services.receiving.left_aside(await town.actor("diana"))
        assert aside.problem == module.FAILED
        assert (await the(town, Alert)).kind is AlertKind.LEFT_ASIDE

    async def test_tried_again_it_is_in_its_conversation_and_the_alert_ends(self, town: Town) -> None:
        lost = await self._lost(town)
        diana = await town.actor("diana")
        assert not await town.wired.services.receiving.try_again(diana, lost)
        assert (await the(town, Alert)).settled_at is None
        await give_number(town, "bob", "+12025550199")
        assert await town.wired.services.receiving.try_again(diana, lost)
        assert (await the(town, Message)).thread_id == await town.personal("bob")
        assert (await the(town, Alert)).settled_at is not None
        assert await town.wired.services.receiving.left_aside(diana) == []

    async def test_the_audit_log_tells_who_tried_it_again_and_not_whose_text_it_was(self, town: Town) -> None:
        lost, diana = await self._lost(town), await town.actor("diana")
        await town.wired.services.receiving.try_again(diana, lost)
        entry = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.TEXT_TRIED_AGAIN)
        assert (entry.actor_id, entry.facts, sorted(entry.names)) == (
            diana.staff_id,
            {"request": lost},
            ["actor", "salt"],
        )
        page = await town.wired.services.audit_log.page(diana, audit_log.Asked(group=Group.NUMBERS))
        assert [line.sentence for line in page.lines] == ["tried a family’s text again that was in no conversation"]

    async def test_what_is_in_its_conversation_is_not_tried_again(self, town: Town) -> None:
        await receive(town)
        with pytest.raises(NotFound, match="already"):
            await town.wired.services.receiving.try_again(
                await town.actor("diana"), (await the(town, InboundRequest)).id
            )

    @pytest.mark.parametrize("who", ["alice", "dora", "vera"])
    async def test_who_manages_no_numbers_sees_and_tries_nothing(self, town: Town, who: str) -> None:
        lost, actor = await self._lost(town), await town.actor(who)
        with pytest.raises(NotAllowed):
            await town.wired.services.receiving.left_aside(actor)
        with pytest.raises(NotAllowed):
            await town.wired.services.receiving.try_again(actor, lost)
