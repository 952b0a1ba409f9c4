"""Alerts: told to those who manage schools, once while they last, and ended by whoever has seen to them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import ALICES_NUMBER, LINCOLN, change, give_number, listening, rows, send, the
from tp_inbox.domain import access
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, SignedOut
from tp_inbox.domain.operating import REMEDIES, AlertKind, Remedy
from tp_inbox.services import alerts, audit_log
from tp_inbox.services.alert_views import ENDS_WHEN_MENDED, MOST, Alerts, AlertView
from tp_inbox.services.audit_sentences import Group
from tp_inbox.services.campaigns import campaign_at
from tp_inbox.services.staff import assign
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Alert, AuditEntry, Message, Role, Staff

SAID = "A text left from another number than its inbox’s. Look into the carrier’s console."


def of(town: Town) -> Alerts:
    return town.wired.services.alerts


async def told(town: Town, kind: AlertKind = AlertKind.WRONG_SENDER, about: object = "", **concerns: int) -> int:
    async with town.wired.db.transaction() as session:
        await alerts.alert(session, kind, SAID, about, **concerns)
    return (await rows(town, Alert, col(Alert.kind) == kind, col(Alert.about) == str(about)))[-1].id


async def only(town: Town, who: str = "diana") -> AlertView:
    (line,) = (await of(town).open(await town.actor(who))).lines
    return line


async def test_every_kind_says_what_ends_it() -> None:
    assert REMEDIES.keys() == set(AlertKind)


async def test_one_that_lasts_is_counted_and_told_once(town: Town) -> None:
    await told(town)
    await told(town)
    line = await only(town)
    assert (line.sentence, line.times, line.remedy) == (SAID, 2, "noted")
    assert line.since < line.last
    assert await of(town).count(await town.actor("diana")) == 1


async def test_the_newest_stands_first_and_the_rest_is_counted(town: Town) -> None:
    for about in range(MOST + 2):
        await told(town, about=about)
    await change(town, Alert, col(Alert.about) == "7", first_at=utc_now() + timedelta(minutes=1))
    found = await of(town).open(await town.actor("diana"))
    assert (len(found.lines), found.more) == (MOST, 2)
    assert found.lines[0].id == (await the(town, Alert, col(Alert.about) == "7")).id


@pytest.mark.parametrize("who", ["alice", "bob", "charlie", "dora", "vera", "nora"])
async def test_nobody_else_gets_even_their_number(town: Town, who: str) -> None:
    alert_id, actor, asked = await told(town), await town.actor(who), of(town)
    for call in (asked.open(actor), asked.count(actor), asked.settle(actor, alert_id), asked.settle(actor, 10**9)):
        with pytest.raises(NotAllowed, match=access.SCHOOLS_ONLY):
            await call
    assert (await the(town, Alert)).settled_at is None


async def test_whoever_has_seen_to_it_ends_it_and_that_is_written_down(town: Town) -> None:
    alert_id, diana = await told(town), await town.actor("diana")
    async with listening(town) as heard:
        await of(town).settle(diana, alert_id)
        await of(town).settle(diana, alert_id)
        assert await heard.kinds() == [ChangeKind.ALERT]
    assert (await the(town, Alert)).settled_by == town.staff["diana"]
    assert (await of(town).open(diana)).lines == []
    (entry,) = await rows(town, AuditEntry, col(AuditEntry.kind) == AuditKind.ALERT_SETTLED)
    assert entry.facts == {"alert": alert_id, "alert_kind": "wrong_sender", "times": 1}
    page = await town.wired.services.audit_log.page(diana, audit_log.Asked(group=Group.NUMBERS))
    assert [(line.sentence, line.details[0].now) for line in page.lines] == [("marked an alert as done", SAID)]


async def test_what_happens_again_is_told_again(town: Town) -> None:
    first, diana = await told(town), await town.actor("diana")
    await of(town).settle(diana, first)
    second = await told(town)
    assert (await only(town)).id == second != first


@pytest.mark.parametrize("kind", [k for k, remedy in REMEDIES.items() if remedy is not Remedy.NOTED])
async def test_what_stands_while_its_cause_does_is_ended_by_mending_it(town: Town, kind: AlertKind) -> None:
    alert_id = await told(town, kind)
    with pytest.raises(Invalid) as refused:
        await of(town).settle(await town.actor("diana"), alert_id)
    assert refused.value.sentence == ENDS_WHEN_MENDED
    assert await of(town).count(await town.actor("diana")) == 1


async def test_one_that_does_not_exist_is_not_found(town: Town) -> None:
    with pytest.raises(NotFound):
        await of(town).settle(await town.actor("diana"), 10**9)


async def test_who_was_deactivated_meanwhile_ends_nothing(town: Town) -> None:
    alert_id, diana = await told(town), await town.actor("diana")
    await change(town, Staff, col(Staff.id) == diana.staff_id, active=False)
    with pytest.raises(SignedOut):
        await of(town).settle(diana, alert_id)


class TestWhomItConcerns:
    async def test_a_persons_number_leads_to_the_person(self, town: Town) -> None:
        number = await give_number(town, "alice", ALICES_NUMBER)
        await told(town, AlertKind.NUMBER_STOPPED, number.id, number_id=number.id)
        line = await only(town)
        assert (line.owner, line.number) == ("Alice Adams", "(312) 555-0111")
        assert line.address == f"/admin/staff/{town.staff['alice']}"
        assert (line.number_id, line.remedy) == (number.id, "resume")

    async def test_without_the_list_of_staff_there_is_no_link_to_a_person(self, town: Town) -> None:
        number = await give_number(town, "alice", ALICES_NUMBER)
        await told(town, AlertKind.NUMBER_STOPPED, number.id, number_id=number.id)
        async with town.wired.db.transaction() as session:
            session.add(Role(name="Telephones", level="district", permissions=["manage_schools"]))
            await session.flush()
            await assign(session, town.staff["vera"], "Telephones", None)
        line = await only(town, "vera")
        assert (line.owner, line.address) == ("Alice Adams", "")

    async def test_a_campaign_leads_to_its_school_and_the_districts_to_nowhere(self, town: Town) -> None:
        lincoln = town.schools[LINCOLN]
        async with town.wired.db.transaction() as session:
            schools, districts = await campaign_at(session, lincoln), await campaign_at(session, None)
        await told(town, AlertKind.CAMPAIGN_STOPPED, 1, campaign_id=schools)
        await told(town, AlertKind.CAMPAIGN_STOPPED, 2, campaign_id=districts)
        newest, older = (await of(town).open(await town.actor("diana"))).lines
        assert (newest.owner, newest.address) == ("The district", "")
        assert (older.owner, older.address) == (LINCOLN, f"/admin/schools/{lincoln}")

    async def test_a_stopped_account_is_not_told_of_the_one_whose_text_showed_it(self, town: Town) -> None:
        thread = await town.personal("alice")
        await give_number(town, "alice", ALICES_NUMBER)
        text = await send(town, "alice", thread)
        await told(town, AlertKind.ACCOUNT_STOPPED, message_id=text.id)
        line = await only(town)
        assert (line.owner, line.address) == ("", "")

    async def test_a_text_leads_to_its_conversation_those_who_may_open_it_in_oversight(self, town: Town) -> None:
        thread = await town.personal("alice")
        await give_number(town, "alice", ALICES_NUMBER)
        text = await send(town, "alice", thread)
        await told(town, AlertKind.DOUBLED, text.id, message_id=text.id)
        line = await only(town)
        assert (line.owner, line.conversation) == ("Alice Adams", f"/oversight/{thread}")
        assert (await the(town, Message)).written not in str(line)

    async def test_what_concerns_nobody_names_nobody(self, town: Town) -> None:
        await told(town, AlertKind.ACCOUNT_STOPPED)
        line = await only(town)
        assert (line.owner, line.address, line.conversation, line.number) == ("", "", "", "")
