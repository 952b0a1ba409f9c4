"""Failure 15: an opted-out family could still be texted from an open thread, and its confirmation was blocked by its
own opt-out. Every way of sending is tried in every state in which the family wants no texts, and refused with the
reason; the same way is open while the family has said nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, OMAR, ROSA, Town
from tests.services.steps import (
    ALICES_NUMBER,
    BOBS_NUMBER,
    LINCOLN,
    add,
    change,
    due_now,
    give_number,
    receive,
    report_on,
    rows,
    send,
    the,
)
from tp_inbox.domain.consent import ConsentKind, ConsentScope, ConsentSource
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.domain.errors import NotAllowed
from tp_inbox.services.announcing import OPTED_OUT
from tp_inbox.services.leaving import Plan
from tp_inbox.services.ports import NotAccepted
from tp_inbox.storage.tables import ConsentEvent, Inbox, Message, Number
from tp_inbox.storage.tables.messages import Purpose, StopQuestion

# The states: how it came that Lincoln may not text Rosa ---------------------------------------------------------


async def stopped_the_school(town: Town) -> None:
    await receive(town, "STOP")


async def stopped_in_her_language(town: Town) -> None:
    await receive(town, "Alto, gracias")


async def stopped_a_colleague(town: Town) -> None:
    await receive(town, "STOP", to=BOBS_NUMBER)


async def the_carrier_says_so(town: Town) -> None:
    town.gateway.script(NotAccepted(R.OPTED_OUT, "21610", retry=False))
    await send(town, "bob", await town.personal("bob"))
    while await town.wired.dispatching.hand_over_due():
        pass


async def a_colleague_took_it_for_a_stop(town: Town) -> None:
    await receive(town, "Please stop texting me")
    asked = await the(town, Message, col(Message.stop_question) == StopQuestion.OPEN)
    acts = town.wired.services.unsubscribing
    await acts.answer(await town.actor("dora"), asked.thread_id, asked.id, stop=True)


async def an_admin_recorded_it(town: Town) -> None:
    acts = town.wired.services.unsubscribing
    await acts.unsubscribe(await town.actor("dora"), await town.school(), town.schools[LINCOLN], "", tell=False)


async def the_district_is_closed(town: Town) -> None:
    await add(
        town,
        ConsentEvent(
            phone_id=town.phones[ROSA],
            kind=ConsentKind.OPTED_OUT,
            scope=ConsentScope.ALL,
            source=ConsentSource.STAFF,
        ),
    )


async def an_old_stop_to_these_numbers(town: Town) -> None:
    """From before a STOP reached a whole school."""
    for number in await rows(town, Number, col(Number.e164).in_([LINCOLN_NUMBER, ALICES_NUMBER, BOBS_NUMBER])):
        await add(
            town,
            ConsentEvent(
                phone_id=town.phones[ROSA],
                kind=ConsentKind.OPTED_OUT,
                scope=ConsentScope.NUMBER,
                number_id=number.id,
                source=ConsentSource.FAMILY,
            ),
        )


State = Callable[[Town], Awaitable[None]]
STATES: list[State] = [
    stopped_the_school,
    stopped_in_her_language,
    stopped_a_colleague,
    the_carrier_says_so,
    a_colleague_took_it_for_a_stop,
    an_admin_recorded_it,
    the_district_is_closed,
    an_old_stop_to_these_numbers,
]

# The ways: each prepares itself, lets the state come about, and says with which reason it was refused -------------


async def refusal_of(sending: Awaitable[object]) -> str:
    try:
        await sending
    except NotAllowed as refusal:
        return refusal.sentence
    return ""


async def fate_of(town: Town, text_id: int) -> str:
    """Everything that may go out goes; the reason of this one, if it has one."""
    for _ in range(4):
        await due_now(town)
        await town.wired.dispatching.hand_over_due()
    text = await the(town, Message, col(Message.id) == text_id)
    return "no more texts" if (text.state, text.reason) == (S.FAILED, R.OPTED_OUT) else ""


async def sending_for_the_school(town: Town, comes_about: State | None) -> str:
    thread = await town.school()
    if comes_about:
        await comes_about(town)
    return await refusal_of(send(town, "alice", thread))


async def sending_in_person(town: Town, comes_about: State | None) -> str:
    thread = await town.personal("alice")
    if comes_about:
        await comes_about(town)
    return await refusal_of(send(town, "alice", thread))


async def trying_again(town: Town, comes_about: State | None) -> str:
    failed = await send(town, "alice", await town.school())
    await change(town, Message, col(Message.id) == failed.id, state=S.FAILED, reason=R.TOO_BUSY)
    if comes_about:
        await comes_about(town)
    return await refusal_of(town.wired.services.sending.retry(await town.actor("alice"), failed.id))


async def a_new_message(town: Town, comes_about: State | None) -> str:
    """The finder says so, every entry of From says so, and the conversation that opens is closed."""
    if comes_about:
        await comes_about(town)
    alice, services = await town.actor("alice"), town.wired.services
    found = next(r for r in await services.finding.recipients(alice, "Rosa") if r.phone_id == town.phones[ROSA])
    senders = await services.threads.senders(alice, town.phones[ROSA])
    assert {sender.stopped for sender in senders} == {found.unsubscribed}
    thread, _ = await services.threads.open(alice, town.phones[ROSA])
    closed = (await services.threads.head(alice, thread)).closed
    assert bool(closed) is found.unsubscribed
    return closed


async def another_from(town: Town, comes_about: State | None) -> str:
    thread = await town.personal("alice")
    if comes_about:
        await comes_about(town)
    alice, threads = await town.actor("alice"), town.wired.services.threads
    school = await the(town, Inbox, col(Inbox.school_id) == town.schools[LINCOLN])
    target, _ = await threads.choose_sender(alice, thread, school.id)
    return await refusal_of(send(town, "alice", target))


async def an_announcement(town: Town, comes_about: State | None) -> str:
    if comes_about:
        await comes_about(town)
    school = await the(town, Inbox, col(Inbox.school_id) == town.schools[LINCOLN])
    done = await town.wired.services.announcing.queue(
        await town.actor("dora"), school.id, [town.phones[ROSA]], "Picture day is on Friday.", uuid4()
    )
    return {OPTED_OUT: "no more texts"}[done.refused[0][1]] if done.refused else ""


async def what_is_queued_already(town: Town, comes_about: State | None) -> str:
    queued = await send(town, "alice", await town.school())
    await change(town, Message, col(Message.id) == queued.id, sender=None)  # it waits while the state comes about
    if comes_about:
        await comes_about(town)
    await change(town, Message, col(Message.id) == queued.id, sender=LINCOLN_NUMBER)
    return await fate_of(town, queued.id)


async def what_is_sent_again_by_itself(town: Town, comes_about: State | None) -> str:
    sent = await send(town, "alice", await town.school())
    await fate_of(town, sent.id)
    text = await the(town, Message, col(Message.id) == sent.id)
    await town.wired.reporting.report(report_on(text, S.UNDELIVERED, R.UNREACHABLE, "30003"))
    assert (await the(town, Message, col(Message.id) == sent.id)).state is S.QUEUED
    if comes_about:
        await comes_about(town)
    return await fate_of(town, sent.id)


async def an_automatic_reply(town: Town, comes_about: State | None) -> str:
    """Alice has left, and families who write to her number are answered."""
    await send(town, "alice", await town.personal("alice"))
    if comes_about:
        await comes_about(town)
    plan = Plan(auto_reply="Alice is no longer here.")
    await town.wired.services.leaving.deactivate(await town.actor("diana"), town.staff["alice"], plan)
    await receive(town, "Are you there?", to=ALICES_NUMBER)
    replies = await rows(town, Message, col(Message.purpose) == Purpose.AUTOMATIC)
    return "" if replies else "no more texts"


async def an_answer_to_help(town: Town, comes_about: State | None) -> str:
    if comes_about:
        await comes_about(town)
    await receive(town, "HELP")
    return "" if await rows(town, Message, col(Message.purpose) == Purpose.HELP) else "no more texts"


Way = Callable[[Town, State | None], Awaitable[str]]
WAYS: list[Way] = [
    sending_for_the_school,
    sending_in_person,
    trying_again,
    a_new_message,
    another_from,
    an_announcement,
    what_is_queued_already,
    what_is_sent_again_by_itself,
    an_automatic_reply,
    an_answer_to_help,
]


@pytest.fixture
async def district(town: Town) -> Town:
    await give_number(town, "alice", ALICES_NUMBER)
    await give_number(town, "bob", BOBS_NUMBER)
    return town


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_family_that_has_said_nothing_is_texted(district: Town, way: Way) -> None:
    assert await way(district, None) == ""


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_every_way_of_sending_in_every_state_is_refused_with_the_reason(
    district: Town, way: Way, state: State
) -> None:
    reason = await way(district, state)
    assert "no more texts" in reason or "texted STOP to" in reason


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_a_start_opens_every_state_again(district: Town, state: State) -> None:
    await state(district)
    await receive(district, "START")
    assert (await send(district, "alice", await district.school())).state == "queued"


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_after_the_family_has_said_so_nothing_leaves_but_one_confirmation(district: Town, state: State) -> None:
    await state(district)
    district.gateway.sent.clear()
    for _ in range(3):
        await receive(district, "alto")
        await due_now(district)
        await district.wired.dispatching.hand_over_due()
    said_in_other_words = state in (stopped_in_her_language, a_colleague_took_it_for_a_stop)
    assert len(district.gateway.sent) == said_in_other_words


async def test_another_family_is_texted_all_the_while(district: Town) -> None:
    await receive(district, "STOP")
    roosevelt = await district.school("Roosevelt High School", OMAR)
    assert (await send(district, "charlie", roosevelt)).state == "queued"
