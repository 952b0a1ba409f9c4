"""A person's second step on their page in Admin, and one's own password in Settings."""

from __future__ import annotations

from sqlmodel import col

from tests.cast import PASSWORD
from tests.services.steps import add, rows, the
from tests.web.harness import Stage
from tp_inbox.services import passwords
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import ExternalIdentity, RecoveryCode, SecondStep, Session, Staff
from tp_inbox.web.states.own_password import OwnPasswordState
from tp_inbox.web.states.second_step_panel import SecondStepPanel

NEW = "seven small brown owls"


async def has_one(stage: Stage, who: str = "alice") -> None:
    await add(stage.town, SecondStep(staff_id=stage.town.staff[who], secret=b"x", confirmed_at=utc_now()))
    await add(stage.town, RecoveryCode(staff_id=stage.town.staff[who], digest=b"y"))


async def test_an_admin_sees_how_somebody_signs_in_and_resets_it(stage: Stage) -> None:
    await has_one(stage)
    await add(
        stage.town,
        ExternalIdentity(staff_id=stage.town.staff["alice"], issuer="https://accounts.google.com", subject="7"),
    )
    alice = await stage.tab("alice", "/settings")
    diana = await stage.tab("diana", f"/admin/staff/{stage.town.staff['alice']}")
    shown = {name: diana.var(SecondStepPanel, name) for name in ("shown", "on", "codes_left", "may_reset")}
    assert shown == {"shown": True, "on": True, "codes_left": 1, "may_reset": True}
    await diana.call(SecondStepPanel.ask)
    assert diana.var(SecondStepPanel, "asking")
    await diana.call(SecondStepPanel.reset_it)
    assert not diana.var(SecondStepPanel, "on")
    assert await rows(stage.town, SecondStep) == []
    await stage.hears()
    assert alice.answer.shows_out


async def test_an_admin_disconnects_a_single_sign_on_after_being_asked(stage: Stage) -> None:
    alice_id = stage.town.staff["alice"]
    connected = ExternalIdentity(staff_id=alice_id, issuer="https://accounts.google.com", subject="7")
    identity = (await add(stage.town, connected)).id
    alice = await stage.tab("alice", "/settings")
    diana = await stage.tab("diana", f"/admin/staff/{alice_id}")
    assert [each["issuer"] for each in diana.var(SecondStepPanel, "identities")] == ["Google"]
    await diana.call(SecondStepPanel.ask_to_disconnect, identity)
    await diana.call(SecondStepPanel.disconnect)
    assert (diana.var(SecondStepPanel, "identities"), await rows(stage.town, ExternalIdentity)) == ([], [])
    await stage.hears()
    assert alice.answer.shows_out


async def test_who_manages_nobody_resets_nothing(stage: Stage) -> None:
    await has_one(stage)
    bob = await stage.tab("bob", f"/admin/staff/{stage.town.staff['alice']}")
    assert not bob.var(SecondStepPanel, "shown")
    await bob.call(SecondStepPanel.reset_it)
    assert len(await rows(stage.town, SecondStep)) == 1


async def test_one_sees_ones_own_on_that_page_and_does_not_reset_it(stage: Stage) -> None:
    await has_one(stage, "diana")
    diana = await stage.tab("diana", f"/admin/staff/{stage.town.staff['diana']}")
    assert (diana.var(SecondStepPanel, "on"), diana.var(SecondStepPanel, "may_reset")) == (True, False)
    await diana.call(SecondStepPanel.reset_it)
    assert len(await rows(stage.town, SecondStep)) == 1


async def test_a_password_is_changed_and_the_other_browser_shown_out(stage: Stage) -> None:
    here, there = await stage.tab("alice", "/settings"), await stage.tab("alice", "/messages/personal")
    await here.call(OwnPasswordState.change, {"present": PASSWORD, "new": NEW, "again": "another"})
    assert here.var(OwnPasswordState, "problem") == "The two new passwords are not the same."
    await here.call(OwnPasswordState.change, {"present": PASSWORD, "new": NEW, "again": NEW})
    assert (here.var(OwnPasswordState, "problem"), here.var(OwnPasswordState, "changed")) == ("", 1)
    await stage.hears()
    assert there.answer.shows_out
    kept = (await the(stage.town, Staff, col(Staff.id) == stage.town.staff["alice"])).password_hash
    assert await passwords.verify(NEW, kept)
    assert NEW not in here.seen
    assert [row.ended_at is None for row in await rows(stage.town, Session)].count(True) == 1


async def test_a_form_with_other_things_in_it_ends_in_a_sentence(stage: Stage) -> None:
    alice = await stage.tab("alice", "/settings")
    for form in ({}, {"present": 7, "new": [], "again": None}, {"present": "x" * 9000, "new": "y" * 9000}):
        await alice.call(OwnPasswordState.change, form)
        assert alice.var(OwnPasswordState, "problem")
