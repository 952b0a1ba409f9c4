"""Changing one's own password."""

from __future__ import annotations

import pytest
from sqlmodel import col

from tests.cast import PASSWORD, Town
from tests.services.steps import change, rows, the
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, SignedOut
from tp_inbox.services import own_password
from tp_inbox.services.sessions import SignedIn, TooMany
from tp_inbox.storage.tables import AuditEntry, SignInFailure, Staff

NEW, HERE = "seven small brown owls", "192.0.2.1"


async def sign_in(town: Town, password: str = PASSWORD) -> tuple[str, SignedIn]:
    opened = await town.wired.services.sessions.sign_in(town.email("alice"), password, HERE, "")
    found = await town.wired.services.sessions.look_up(opened.token, own_act=False)
    assert found is not None
    return opened.token, found


async def changes(town: Town, who: SignedIn, present: str = PASSWORD, new: str = NEW, again: str = "") -> None:
    await town.wired.services.own_password.change(who, present, new, again or new)


async def test_the_new_password_signs_in_and_only_this_session_goes_on(town: Town) -> None:
    there, _ = await sign_in(town)
    here, who = await sign_in(town)
    await changes(town, who)
    sessions = town.wired.services.sessions
    assert await sessions.look_up(here, own_act=False) is not None
    assert await sessions.look_up(there, own_act=False) is None
    await sign_in(town, NEW)
    with pytest.raises(Invalid):
        await sign_in(town)
    changed = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.PASSWORD_CHANGED)
    assert (changed.actor_id, changed.subject_id) == (town.staff["alice"], town.staff["alice"])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"present": "wrong"}, own_password.WRONG),
        ({"present": ""}, own_password.WRONG),
        ({"again": "another one altogether"}, own_password.DIFFERENT),
        ({"new": PASSWORD}, own_password.SAME),
        ({"new": "short"}, "12 to 200"),
        ({"new": "with a \0 in the middle"}, "cannot be seen"),
        ({"new": "with a \ud800 in the middle"}, "cannot be seen"),
    ],
)
async def test_what_is_not_right_changes_nothing(town: Town, given: dict[str, str], sentence: str) -> None:
    _, who = await sign_in(town)
    with pytest.raises(Invalid, match=sentence):
        await changes(town, who, **given)
    await sign_in(town)


async def test_a_wrong_present_one_is_in_the_log(town: Town) -> None:
    _, who = await sign_in(town)
    with pytest.raises(Invalid, match=own_password.WRONG):
        await changes(town, who, present="wrong")
    failed = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.SIGN_IN_FAILED)
    assert (failed.actor_id, failed.subject_id) == (town.staff["alice"], town.staff["alice"])
    assert failed.facts == {"present_password": True}


async def test_guesses_at_the_present_one_are_slowed_as_sign_ins_are(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, who = await sign_in(town)

    async def quick(*_: object) -> bool:
        return False

    monkeypatch.setattr(own_password.passwords, "verify", quick)
    for _ in range(5):
        with pytest.raises(Invalid):
            await changes(town, who, "wrong")
    with pytest.raises(TooMany):
        await changes(town, who)


async def test_a_right_one_forgives(town: Town) -> None:
    _, who = await sign_in(town)
    with pytest.raises(Invalid):
        await changes(town, who, "wrong")
    await changes(town, who)
    assert await rows(town, SignInFailure) == []


async def test_who_signs_in_through_the_district_alone_is_told_so(town: Town) -> None:
    _, who = await sign_in(town)
    await change(town, Staff, col(Staff.id) == town.staff["alice"], password_hash=None)
    with pytest.raises(Invalid, match="through your district"):
        await changes(town, who)


async def test_a_password_that_is_reset_meanwhile_is_not_overwritten(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, who = await sign_in(town)
    real = own_password.passwords.hash_password

    async def slow(password: str) -> str:
        await change(town, Staff, col(Staff.id) == town.staff["alice"], password_hash="reset")
        return await real(password)

    monkeypatch.setattr(own_password.passwords, "hash_password", slow)
    with pytest.raises(SignedOut):
        await changes(town, who)
    assert (await the(town, Staff, col(Staff.id) == town.staff["alice"])).password_hash == "reset"
