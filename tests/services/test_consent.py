"""How far a STOP reaches: as far as the carrier blocks, for one family and for ten thousand."""

from __future__ import annotations

from typing import Any

from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, MIA, OMAR, ROOSEVELT_NUMBER, ROSA, STRANGER, Town
from tests.services.steps import (
    ALICES_NUMBER,
    LINCOLN,
    ROOSEVELT,
    add,
    change,
    give_number,
    handed_over,
    listening,
    receive,
    report_on,
    rows,
    the,
)
from tp_inbox.domain.consent import ConsentKind, ConsentScope, ConsentSource
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.services import consent
from tp_inbox.services.campaigns import campaign_at
from tp_inbox.services.ports import NotAccepted
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import ConsentEvent, Inbox, Number

NORAS_NUMBER = "+13125550114"


async def closed(town: Town, who: str, thread: int) -> str:
    return (await town.wired.services.threads.head(await town.actor(who), thread)).closed


async def recorded(town: Town, scope: ConsentScope, **about: Any) -> None:
    """As an admin does by hand."""
    await add(
        town,
        ConsentEvent(
            phone_id=town.phones[ROSA],
            kind=ConsentKind.OPTED_OUT,
            scope=scope,
            source=ConsentSource.STAFF,
            **about,
        ),
    )


class TestScope:
    async def test_a_stop_to_a_persons_number_closes_the_schools_and_not_that_of_people_of_several_schools(
        self, town: Town
    ) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await receive(town, "STOP", to=ALICES_NUMBER)
        event = await the(town, ConsentEvent)
        assert (event.scope, event.school_id) == (ConsentScope.SCHOOL, town.schools[LINCOLN])
        for who, thread in (("alice", await town.school()), ("bob", await town.personal("bob"))):
            assert LINCOLN in await closed(town, who, thread)
        assert await closed(town, "nora", await town.personal("nora")) == ""

    async def test_a_stop_to_a_person_of_several_schools_closes_theirs_and_no_schools(self, town: Town) -> None:
        await give_number(town, "nora", NORAS_NUMBER)
        await receive(town, "STOP", to=NORAS_NUMBER)
        event = await the(town, ConsentEvent)
        assert (event.scope, event.school_id) == (ConsentScope.SHARED, None)
        assert "several schools" in await closed(town, "nora", await town.personal("nora"))
        assert await closed(town, "alice", await town.school()) == ""

    async def test_a_number_that_moves_to_another_campaign_stays_closed(self, town: Town) -> None:
        number = await give_number(town, "alice", ALICES_NUMBER)
        await receive(town, "STOP", to=ALICES_NUMBER)
        async with town.wired.db.transaction() as session:
            elsewhere = await campaign_at(session, None)
        await change(town, Number, col(Number.id) == number.id, campaign_id=elsewhere)
        assert "STOP" in await closed(town, "alice", await town.personal("alice"))

    async def test_an_old_stop_to_one_number_stays_valid(self, town: Town) -> None:
        number = await the(town, Number, col(Number.e164) == LINCOLN_NUMBER)
        await recorded(town, ConsentScope.NUMBER, number_id=number.id)
        assert "this number" in await closed(town, "alice", await town.school())
        assert await closed(town, "alice", await town.personal("alice")) == ""

    async def test_what_an_admin_recorded_for_a_school_closes_everybody_who_works_there(self, town: Town) -> None:
        await recorded(town, ConsentScope.SCHOOL, school_id=town.schools[LINCOLN])
        for who in ("alice", "bob", "nora"):
            assert LINCOLN in await closed(town, who, await town.personal(who))

    async def test_a_start_to_any_number_of_the_school_opens_all_of_them(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        await receive(town, "STOP", to=ALICES_NUMBER)
        await receive(town, "START", to=LINCOLN_NUMBER)
        assert await closed(town, "alice", await town.personal("alice")) == ""

    async def test_a_start_to_one_school_leaves_the_other_closed(self, town: Town) -> None:
        for number in (LINCOLN_NUMBER, ROOSEVELT_NUMBER):
            await receive(town, "STOP", OMAR, to=number)
        await receive(town, "START", OMAR, to=LINCOLN_NUMBER)
        assert "STOP" in await closed(town, "charlie", await town.school(ROOSEVELT, OMAR))

    async def test_every_open_thread_with_the_family_hears_of_it(self, town: Town) -> None:
        threads = {await town.school(), await town.personal("alice"), await town.personal("bob")}
        async with listening(town) as heard:
            await receive(town, "STOP")
            told = {c.thread for c in await heard.all() if c.kind is ChangeKind.CONSENT}
        assert told == threads


class TestTheCarriersWord:
    async def test_an_opt_out_in_its_answer_reaches_as_far_as_a_stop(self, town: Town) -> None:
        town.gateway.script(NotAccepted(FailureReason.OPTED_OUT, "21610", retry=False))
        await handed_over(town)
        event = await the(town, ConsentEvent)
        assert (event.source, event.scope) == (ConsentSource.CARRIER, ConsentScope.SCHOOL)
        assert LINCOLN in await closed(town, "bob", await town.personal("bob"))

    async def test_an_opt_out_in_a_report_does_too_and_a_start_since_then_stays(self, town: Town) -> None:
        text = await handed_over(town)
        await receive(town, "STOP")
        await receive(town, "START")
        report = report_on(text, DeliveryState.FAILED, FailureReason.OPTED_OUT, "21610")
        await town.wired.reporting.report(report)
        assert {e.source for e in await rows(town, ConsentEvent)} == {ConsentSource.FAMILY, ConsentSource.CARRIER}
        assert await closed(town, "alice", await town.school()) == ""

    async def test_an_opt_out_that_the_poller_finds_is_written_down(self, town: Town) -> None:
        text = await handed_over(town)
        town.gateway.reports(text.sid or "", DeliveryState.UNDELIVERED, FailureReason.OPTED_OUT)
        found = town.gateway.ledger[text.sid or ""]
        await town.wired.reporting.report(
            report_on(text, found.state, FailureReason.OPTED_OUT, "21610"),
            "poll",
        )
        assert (await the(town, ConsentEvent)).source is ConsentSource.CARRIER


class TestManyAtOnce:
    async def test_of_many_families_those_that_are_closed_are_found_in_one_go(self, town: Town) -> None:
        await receive(town, "STOP", ROSA)
        await receive(town, "STOP", OMAR, to=ROOSEVELT_NUMBER)
        for word in ("STOP", "START"):
            await receive(town, word, MIA)
        phones = [town.phones[e164] for e164 in (ROSA, OMAR, MIA, STRANGER)]
        inbox = await the(town, Inbox, col(Inbox.school_id) == town.schools[LINCOLN])
        number = await the(town, Number, col(Number.e164) == LINCOLN_NUMBER)
        async with town.wired.db.reading() as session:
            found = await consent.opt_outs_of(session, phones, inbox.id, number.id)
        assert list(found) == [town.phones[ROSA]]
