"""What the screen says of a family's wish: the question above the composer, its mark in the list, and the panel."""

from __future__ import annotations

import pytest

from tests.cast import LINCOLN_NUMBER, OMAR, ROSA, Town
from tests.services.steps import ALICES_NUMBER, LINCOLN, ROOSEVELT, give_number, receive
from tp_inbox.domain.access import InboxKind
from tp_inbox.services.unsubscribing import WHOLE_DISTRICT
from tp_inbox.services.views import ConsentView, StopAsked, ThreadHead

LIKELY = "Please stop texting me"


async def head(town: Town, who: str, thread: int) -> ThreadHead:
    return await town.wired.services.threads.head(await town.actor(who), thread)


async def consent(town: Town, who: str, thread: int) -> ConsentView:
    return (await head(town, who, thread)).consent


async def marked(town: Town, who: str) -> list[bool]:
    rows, _ = await town.wired.services.inboxes.threads(await town.actor(who), InboxKind.SCHOOL)
    return [row.asks_stop for row in rows]


class TestTheQuestion:
    async def test_it_is_shown_in_the_familys_words_to_all_who_read_and_asked_of_those_who_write(
        self, town: Town
    ) -> None:
        await receive(town, LIKELY)
        thread = await town.school()
        for who, may_answer in (("alice", True), ("dora", True), ("vera", False)):
            asked = (await head(town, who, thread)).asked
            assert (asked.words, asked.may_answer) == (LIKELY, may_answer)

    async def test_the_newest_of_several_is_shown_and_a_long_one_is_cut(self, town: Town) -> None:
        for body in (LIKELY, LIKELY + " at work, I told you " * 20):
            await receive(town, body)
        words = (await head(town, "alice", await town.school())).asked.words
        assert (len(words) <= 201, words[-1]) == (True, "…")

    async def test_the_list_marks_it_until_it_is_answered(self, town: Town) -> None:
        await receive(town, LIKELY)
        assert await marked(town, "vera") == [True]
        asked = (await head(town, "alice", await town.school())).asked
        acts = town.wired.services.unsubscribing
        await acts.answer(await town.actor("alice"), await town.school(), asked.id, stop=False)
        assert await marked(town, "vera") == [False]
        assert (await head(town, "vera", await town.school())).asked == StopAsked()


class TestThePanel:
    async def test_it_is_open_without_a_history_as_long_as_nothing_was_said(self, town: Town) -> None:
        assert await consent(town, "alice", await town.school()) == ConsentView()

    async def test_a_stop_to_a_person_says_what_it_means_for_the_others(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await receive(town, "STOP", to=ALICES_NUMBER)
        for who, thread in (("alice", await town.school()), ("bob", await town.personal("bob"))):
            (said,) = (await consent(town, who, thread)).stopped
            assert said.startswith("Texts from Lincoln Middle School are stopped: the family texted STOP on ")
            assert said.endswith(
                "This covers the school’s number and the personal numbers of everyone who works only there. "
                "Other schools and people of several schools are not covered."
            )

    async def test_of_what_is_stopped_elsewhere_nothing_is_told(self, town: Town) -> None:
        await receive(town, "STOP", OMAR, to=LINCOLN_NUMBER)
        assert await consent(town, "charlie", await town.school(ROOSEVELT, OMAR)) == ConsentView()

    async def test_the_history_is_told_newest_first(self, town: Town) -> None:
        for body in ("STOP", "START"):
            await receive(town, body)
        acts, dora = town.wired.services.unsubscribing, await town.actor("dora")
        await acts.unsubscribe(dora, await town.school(), town.schools[LINCOLN], "", tell=False)
        await acts.take_back(dora, await town.school())
        seen = await consent(town, "alice", await town.school())
        assert (seen.stopped, [entry.words for entry in seen.history]) == (
            [],
            [
                "Dora Diaz allowed texts again",
                "Dora Diaz stopped texts",
                "The family asked for texts again",
                "The family asked for no more texts",
            ],
        )

    async def test_who_recorded_it_is_named(self, town: Town) -> None:
        acts = town.wired.services.unsubscribing
        await acts.unsubscribe(await town.actor("dora"), await town.school(), town.schools[LINCOLN], "", tell=False)
        seen = await consent(town, "alice", await town.school())
        assert "Dora Diaz recorded on " in seen.stopped[0]
        assert not seen.may_take_back

    @pytest.mark.parametrize(("who", "offered"), [("dora", [LINCOLN]), ("alice", []), ("vera", [])])
    async def test_who_manages_the_directory_may_stop_texts_there(
        self, town: Town, who: str, offered: list[str]
    ) -> None:
        places = (await consent(town, who, await town.school())).places
        assert [place.name for place in places] == offered
        assert WHOLE_DISTRICT not in [place.id for place in places]

    async def test_what_is_recorded_is_offered_no_more_and_may_be_taken_back(self, town: Town) -> None:
        acts = town.wired.services.unsubscribing
        await acts.unsubscribe(await town.actor("dora"), await town.school(), town.schools[LINCOLN], "", tell=False)
        seen = await consent(town, "dora", await town.school())
        assert (seen.places, seen.may_take_back) == ([], True)
        await receive(town, "STOP", ROSA)
        assert not (await consent(town, "dora", await town.school())).may_take_back
