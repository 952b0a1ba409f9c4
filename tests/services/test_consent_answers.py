"""What a family is answered to STOP, START and HELP: once, in its language, and nothing else passes its own STOP."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, MIA, OMAR, ROOSEVELT_NUMBER, ROSA, STRANGER, Town
from tests.services.steps import (
    ALICES_NUMBER,
    LINCOLN,
    change,
    due_now,
    give_number,
    queued,
    receive,
    rows,
    send,
    text_from,
    the,
)
from tp_inbox.domain.consent import Verdict
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.domain.errors import NotAllowed
from tp_inbox.services.inboxes import AUTOMATIC
from tp_inbox.services.ports import NotAccepted
from tp_inbox.storage.tables import ConsentEvent, Message, School, Thread
from tp_inbox.storage.tables.messages import Direction, Purpose, StopQuestion

NORAS_NUMBER = "+13125550114"


async def answers(town: Town) -> list[Message]:
    return await rows(town, Message, col(Message.direction) == Direction.OUT, col(Message.author_id).is_(None))


async def purposes(town: Town) -> list[Purpose]:
    return [m.purpose for m in await answers(town)]


class TestConfirmingAStop:
    @pytest.mark.parametrize("body", ["STOP", "stop", " Unsubscribe ", "QUIT"])
    async def test_the_carrier_confirms_its_own_words_itself(self, town: Town, body: str) -> None:
        await receive(town, body)
        assert await answers(town) == []

    async def test_a_stop_that_the_carrier_reports_is_confirmed_by_it(self, town: Town) -> None:
        await town.wired.receiving.receive(replace(text_from(body="Alto"), opt_out_type=Verdict.STOP_CERTAIN))
        assert await answers(town) == []

    @pytest.mark.parametrize("body", ["ALTO", "Stop please", "Stop. Thank you", "стоп"])
    async def test_other_words_are_confirmed_in_the_familys_language(self, town: Town, body: str) -> None:
        await receive(town, body)
        (answer,) = await answers(town)
        assert (answer.purpose, answer.sender, answer.recipient) == (Purpose.STOP_CONFIRMED, LINCOLN_NUMBER, ROSA)
        assert answer.body == (
            "Lincoln Middle School: Ya no le enviaremos más mensajes. Para recibirlos de nuevo, envíe START."
        )

    async def test_the_confirmation_leaves_although_the_family_has_just_opted_out_and_nothing_else_does(
        self, town: Town
    ) -> None:
        before = await queued(town)
        await receive(town, "alto")
        for _ in range(3):
            await due_now(town)
            await town.wired.dispatching.hand_over_due()
        assert [t.body[:23] for t in town.gateway.sent] == ["Lincoln Middle School: "]
        waiting = await the(town, Message, col(Message.id) == before)
        assert (waiting.state, waiting.reason) == (S.FAILED, R.OPTED_OUT)

    async def test_a_stop_that_is_repeated_is_not_confirmed_again(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        for body, to in (("alto", LINCOLN_NUMBER), ("Stop please", LINCOLN_NUMBER), ("alto", ALICES_NUMBER)):
            await receive(town, body, to=to)
        assert await purposes(town) == [Purpose.STOP_CONFIRMED]

    async def test_after_a_start_the_next_stop_is_confirmed(self, town: Town) -> None:
        for body in ("alto", "START", "alto"):
            await receive(town, body)
        assert await purposes(town) == [Purpose.STOP_CONFIRMED, Purpose.START_CONFIRMED, Purpose.STOP_CONFIRMED]

    async def test_a_stop_that_is_found_after_the_start_that_followed_it_is_not_confirmed(self, town: Town) -> None:
        now = datetime.now(UTC)
        for body, at in (("STOP", now - timedelta(minutes=9)), ("START", now), ("alto", now - timedelta(minutes=5))):
            await town.wired.receiving.receive(text_from(body=body, at=at))
        assert await answers(town) == []

    async def test_a_confirmation_that_the_carrier_refuses_is_not_tried_again(self, town: Town) -> None:
        town.gateway.script(NotAccepted(R.OPTED_OUT, "21610", retry=False))
        await receive(town, "alto")
        for _ in range(3):
            await due_now(town)
            await town.wired.dispatching.hand_over_due()
        (answer,) = await answers(town)
        assert (answer.state, len(town.gateway.sent)) == (S.FAILED, 1)

    async def test_of_people_of_several_schools_it_names_the_person(self, town: Town) -> None:
        await give_number(town, "nora", NORAS_NUMBER)
        await receive(town, "stop please", MIA, to=NORAS_NUMBER)
        assert [m.body for m in await answers(town)] == [
            "Nora Nash, Lincoln Middle School: You will get no more texts from us. Text START to get them again."
        ]

    async def test_it_is_shown_as_automatic_moves_nothing_and_introduces_nobody(self, town: Town) -> None:
        await receive(town, "alto")
        thread = await the(town, Thread)
        assert (thread.preview, thread.introduced_at) == ("alto", None)
        shown, _ = await town.wired.services.inboxes.messages(await town.actor("alice"), thread.id)
        assert [(row.text[:6], row.author) for row in shown] == [("alto", ""), ("Lincol", AUTOMATIC)]


class TestConfirmingAStart:
    @pytest.mark.parametrize(("body", "confirmed"), [("START", 0), ("yes", 0), ("comenzar", 1), ("Start!", 1)])
    async def test_a_start_in_words_that_the_carrier_does_not_know_is_confirmed_once(
        self, town: Town, body: str, confirmed: int
    ) -> None:
        await receive(town, "STOP")
        for _ in range(2):
            await receive(town, body)
        assert await purposes(town) == [Purpose.START_CONFIRMED] * confirmed

    @pytest.mark.parametrize("body", ["START", "unstop", "YES"])
    async def test_of_a_stop_that_the_carrier_never_heard_it_knows_nothing_so_we_confirm_once(
        self, town: Town, body: str
    ) -> None:
        await receive(town, "alto")
        for _ in range(2):
            await receive(town, body)
        assert await purposes(town) == [Purpose.STOP_CONFIRMED, Purpose.START_CONFIRMED]

    async def test_what_staff_have_taken_for_a_stop_the_carrier_never_heard(self, town: Town) -> None:
        await receive(town, "Please stop texting me")
        question = await the(town, Message, col(Message.stop_question) == StopQuestion.OPEN)
        acts, alice = town.wired.services.unsubscribing, await town.actor("alice")
        await acts.answer(alice, question.thread_id, question.id, stop=True)
        await receive(town, "START")
        assert await purposes(town) == [Purpose.STOP_CONFIRMED, Purpose.START_CONFIRMED]

    async def test_what_an_admin_has_recorded_the_carrier_never_heard(self, town: Town) -> None:
        acts, dora = town.wired.services.unsubscribing, await town.actor("dora")
        await acts.unsubscribe(dora, await town.school(), town.schools[LINCOLN], "", tell=False)
        await receive(town, "START")
        assert await purposes(town) == [Purpose.START_CONFIRMED]

    @pytest.mark.parametrize("reported", [None, Verdict.START])
    async def test_a_plain_yes_to_whatever_was_asked_takes_back_nothing_that_an_admin_has_recorded(
        self, town: Town, reported: Verdict | None
    ) -> None:
        acts, thread = town.wired.services.unsubscribing, await town.school()
        await acts.unsubscribe(await town.actor("dora"), thread, town.schools[LINCOLN], "", tell=False)
        await town.wired.receiving.receive(replace(text_from(body="Yes"), opt_out_type=reported))
        with pytest.raises(NotAllowed):
            await send(town, "alice", thread)

    @pytest.mark.parametrize("words", [("alto", "STOP"), ("STOP", "alto")])
    async def test_where_the_carrier_has_heard_one_of_several_its_own_answer_is_enough(
        self, town: Town, words: tuple[str, str]
    ) -> None:
        for body in (*words, "START"):
            await receive(town, body)
        assert Purpose.START_CONFIRMED not in await purposes(town)

    async def test_a_stop_that_the_carrier_reported_with_the_text_it_has_heard(self, town: Town) -> None:
        await town.wired.receiving.receive(replace(text_from(body="Alto"), opt_out_type=Verdict.STOP_CERTAIN))
        await receive(town, "START")
        assert await answers(town) == []

    async def test_a_stop_of_long_ago_that_a_start_has_ended_does_not_count(self, town: Town) -> None:
        for body in ("STOP", "START", "alto", "START"):
            await receive(town, body)
        assert await purposes(town) == [Purpose.STOP_CONFIRMED, Purpose.START_CONFIRMED]

    async def test_what_the_carrier_has_refused_it_has_blocked_and_answers_itself(self, town: Town) -> None:
        town.gateway.script(NotAccepted(R.OPTED_OUT, "21610", retry=False))
        await receive(town, "alto")
        await town.wired.dispatching.hand_over_due()
        await receive(town, "START")
        assert await purposes(town) == [Purpose.STOP_CONFIRMED]

    async def test_it_leaves(self, town: Town) -> None:
        await receive(town, "STOP")
        await receive(town, "comenzar")
        await town.wired.dispatching.hand_over_due()
        assert [t.body for t in town.gateway.sent] == [
            "Lincoln Middle School: Volverá a recibir nuestros mensajes. Para dejar de recibirlos, envíe STOP."
        ]

    async def test_on_an_open_line_it_is_a_text_like_any_other(self, town: Town) -> None:
        await receive(town, "comenzar")
        assert (await answers(town), await rows(town, ConsentEvent)) == ([], [])


class TestHelp:
    @pytest.mark.parametrize("body", ["HELP", "info", "Ayuda"])
    async def test_it_is_answered_with_who_and_how(self, town: Town, body: str) -> None:
        await change(town, School, col(School.name) == LINCOLN, office_phone="+13125550199")
        await receive(town, body)
        (answer,) = await answers(town)
        assert answer.body == (
            "Este número es de Lincoln Middle School. Oficina de la escuela: (312) 555-0199. "
            "Responda STOP para no recibir más mensajes."
        )
        await town.wired.dispatching.hand_over_due()
        assert len(town.gateway.sent) == 1

    async def test_a_persons_number_names_the_person(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await receive(town, "HELP", MIA, to=ALICES_NUMBER)
        assert [m.body for m in await answers(town)] == [
            "This number belongs to Alice Adams, Lincoln Middle School. Reply STOP to end texts."
        ]

    @pytest.mark.parametrize("sender", [STRANGER, OMAR, "+12065550133"])
    async def test_a_stranger_at_a_persons_number_learns_the_school_and_no_name(self, town: Town, sender: str) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await receive(town, "HELP", sender, to=ALICES_NUMBER)
        assert [m.body for m in await answers(town)] == [
            "This number belongs to Lincoln Middle School. Reply STOP to end texts."
        ]

    async def test_once_a_day_for_each_number(self, town: Town) -> None:
        for to in (LINCOLN_NUMBER, LINCOLN_NUMBER, ROOSEVELT_NUMBER):
            await receive(town, "help", OMAR, to=to)
        assert len(await answers(town)) == 2
        await change(town, Message, created_at=datetime.now(UTC) - timedelta(days=1))
        await receive(town, "help", OMAR)
        assert len(await answers(town)) == 3

    async def test_a_closed_line_stays_silent(self, town: Town) -> None:
        await receive(town, "STOP")
        await receive(town, "HELP")
        assert await answers(town) == []

    async def test_one_that_is_found_hours_later_is_not_answered(self, town: Town) -> None:
        await town.wired.receiving.receive(text_from(body="HELP", at=datetime.now(UTC) - timedelta(hours=2)))
        assert await answers(town) == []


class TestAskingTheStaff:
    async def question(self, town: Town) -> StopQuestion | None:
        texts = await rows(town, Message, col(Message.direction) == Direction.IN)
        return texts[0].stop_question

    async def test_what_may_mean_stop_closes_nothing_and_waits_for_an_answer(self, town: Town) -> None:
        await receive(town, "Please stop texting me")
        assert await self.question(town) is StopQuestion.OPEN
        assert (await send(town, "alice", await town.school())).state == "queued"

    async def test_ordinary_talk_asks_nobody(self, town: Town) -> None:
        await receive(town, "we have got to STOP this bill")
        assert await self.question(town) is None

    async def test_on_a_closed_line_there_is_nothing_to_ask(self, town: Town) -> None:
        await receive(town, "STOP")
        await receive(town, "Please stop texting me")
        assert {m.stop_question for m in await rows(town, Message)} == {None}

    @pytest.mark.parametrize(("word", "answer"), [("STOP", StopQuestion.YES), ("START", StopQuestion.NO)])
    async def test_the_family_itself_answers_it_by_a_clear_word(
        self, town: Town, word: str, answer: StopQuestion
    ) -> None:
        await receive(town, "Please stop texting me")
        await receive(town, word)
        assert await self.question(town) is answer

    @pytest.mark.parametrize("reported", [None, Verdict.START])
    async def test_a_plain_yes_answers_nothing(self, town: Town, reported: Verdict | None) -> None:
        await receive(town, "Please stop texting me")
        await town.wired.receiving.receive(replace(text_from(body="Yes"), opt_out_type=reported))
        assert await self.question(town) is StopQuestion.OPEN
