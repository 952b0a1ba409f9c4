"""The second step: set up, asked for, taken once, guessed at, demanded by a role, and reset."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from pyotp import TOTP
from sqlalchemy import select, update
from sqlmodel import col

from tests.cast import PASSWORD, Town
from tests.services.steps import change, listening, rows, the
from tp_inbox.domain.access import Place, PlaceKind
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, SignedOut, Unavailable
from tp_inbox.domain.second_step import RECOVERY_ALPHABET, RECOVERY_CHARACTERS, recovery_digest, step_of
from tp_inbox.services import second_step as module, sessions as signing_in
from tp_inbox.services.roles import Roles
from tp_inbox.services.second_step import KeyIsLost, SecondSteps, enforce
from tp_inbox.services.sessions import SessionStage, TooMany
from tp_inbox.services.vault import CannotOpen, Purpose, Vault
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import (
    Assignment,
    AuditEntry,
    RecoveryCode,
    Role,
    SecondStep,
    Session,
    SignInFailure,
    Staff,
)

HERE = "192.0.2.1"
KEY, OLD_KEY = "a key that is long enough for the tests", "an older key, as long as the newer one"
NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
NO_VAULTS = (Vault((), Purpose.SECOND_STEP), Vault((), Purpose.SET_UP))
ALICE, BOB = "alice", "bob"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self, seconds: float = 30) -> None:
        self.now += timedelta(seconds=seconds)


class App:
    """An authenticator app on somebody's phone."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self.totp, self.clock = TOTP(secret.replace(" ", "")), clock

    def code(self, seconds: float = 0) -> str:
        return self.totp.at(self.clock.now + timedelta(seconds=seconds))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def steps(town: Town, clock: Clock) -> SecondSteps:
    return made(town, clock)


def made(town: Town, clock: Clock, *keys: str) -> SecondSteps:
    keys = keys or (KEY,)
    vaults = (Vault(keys, purpose) for purpose in (Purpose.SECOND_STEP, Purpose.SET_UP))
    return SecondSteps(town.wired.db, town.wired.services.sessions, *vaults, clock)


async def sets_up(steps: SecondSteps, town: Town, clock: Clock, who: str = ALICE) -> tuple[App, tuple[str, ...]]:
    begun = await steps.begin_set_up(town.staff[who])
    app = App(begun.secret, clock)
    codes = await steps.confirm(town.staff[who], begun.ticket, app.code())
    clock.goes_on()
    return app, codes


async def sign_in(town: Town, who: str = ALICE) -> signing_in.NewSession:
    return await town.wired.services.sessions.sign_in(town.email(who), PASSWORD, HERE, "Firefox")


async def is_in(town: Town, token: str) -> bool:
    return await town.wired.services.sessions.look_up(token, own_act=False) is not None


async def kinds(town: Town) -> list[AuditKind]:
    own = {AuditKind.SIGNED_IN, AuditKind.SIGN_IN_FAILED, AuditKind.SIGNED_OUT}
    return [entry.kind for entry in await rows(town, AuditEntry) if entry.kind not in own]


async def demand(town: Town, role: str = "Counselor", *, enforced: bool = True) -> None:
    async with town.wired.db.transaction() as session:
        await session.execute(update(Role).where(col(Role.name) == role).values(two_step_required=True))
        if enforced:
            await enforce(session)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where guesses need not wait."""
    monkeypatch.setattr(signing_in, "FAILURES_FOR_FREE", 1000)


class TestSettingUp:
    async def test_the_first_right_code_turns_it_on_and_brings_ten_recovery_codes(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        _, codes = await sets_up(steps, town, clock)
        standing = await steps.standing(town.staff[ALICE])
        assert (standing.on, standing.codes_left, standing.few_codes) == (True, 10, False)
        assert len(set(codes)) == 10
        assert await kinds(town) == [AuditKind.TWO_STEP_ON]

    async def test_the_link_names_issuer_account_and_secret(self, town: Town, steps: SecondSteps) -> None:
        begun = await steps.begin_set_up(town.staff[ALICE])
        link = urlsplit(begun.uri)
        assert (link.scheme, link.netloc, link.path) == ("otpauth", "totp", "/tp-inbox:alice%40district.example")
        asked = parse_qs(link.query)
        assert asked["issuer"] == ["tp-inbox"]
        assert asked["secret"] == [begun.secret.replace(" ", "")]
        assert re.fullmatch(r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", begun.secret)

    async def test_a_wrong_code_turns_nothing_on(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        begun = await steps.begin_set_up(town.staff[ALICE])
        with pytest.raises(Invalid, match="not right"):
            await steps.confirm(town.staff[ALICE], begun.ticket, App(begun.secret, clock).code(300))
        assert await rows(town, SecondStep) == []

    async def test_what_was_begun_by_one_person_is_of_no_use_to_another(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        begun = await steps.begin_set_up(town.staff[ALICE])
        with pytest.raises(CannotOpen):
            await steps.confirm(town.staff[BOB], begun.ticket, App(begun.secret, clock).code())

    @pytest.mark.parametrize("ticket", ["", "x", "é\udcff", "gAAAAA" + "A" * 100])
    async def test_a_ticket_that_we_did_not_give_is_none(self, town: Town, steps: SecondSteps, ticket: str) -> None:
        with pytest.raises(CannotOpen):
            await steps.confirm(town.staff[ALICE], ticket, "000000")

    async def test_a_ticket_from_before_cannot_replace_what_was_set_up_since(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        earlier = await steps.begin_set_up(town.staff[ALICE])
        await sets_up(steps, town, clock)
        with pytest.raises(CannotOpen):
            await steps.confirm(town.staff[ALICE], earlier.ticket, App(earlier.secret, clock).code())

    async def test_another_phone_is_set_up_with_a_code_of_the_first_alone(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        old, _ = await sets_up(steps, town, clock)
        with pytest.raises(Invalid):
            await steps.begin_set_up(town.staff[ALICE])
        begun = await steps.begin_set_up(town.staff[ALICE], old.code(), HERE)
        new = App(begun.secret, clock)
        await steps.confirm(town.staff[ALICE], begun.ticket, new.code())
        clock.goes_on()
        half = await sign_in(town)
        with pytest.raises(Invalid):
            await steps.finish_sign_in(half.token, old.code(), HERE, "")
        assert await is_in(town, (await steps.finish_sign_in(half.token, new.code(), HERE, "")).token)

    async def test_neither_secret_nor_recovery_codes_can_be_read_in_the_database(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        app, codes = await sets_up(steps, town, clock)
        assert app.totp.secret.encode() not in (await the(town, SecondStep)).secret
        kept = b"".join(code.digest for code in await rows(town, RecoveryCode))
        assert not any(code.replace("-", "").encode() in kept for code in codes)

    async def test_without_a_key_it_says_what_the_operator_has_to_do(self, town: Town, clock: Clock) -> None:
        keyless = SecondSteps(town.wired.db, town.wired.services.sessions, *NO_VAULTS)
        with pytest.raises(Unavailable, match="SECRET_KEY"):
            await keyless.begin_set_up(town.staff[ALICE])
        assert not (await keyless.standing(town.staff[ALICE])).ready


class TestSigningIn:
    async def test_without_a_second_step_the_password_is_enough(self, town: Town) -> None:
        assert await is_in(town, (await sign_in(town)).token)

    async def test_with_one_the_password_opens_nothing(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        await sets_up(steps, town, clock)
        half = await sign_in(town)
        assert half.stage is SessionStage.CODE
        assert not await is_in(town, half.token)
        assert await town.wired.services.sessions.resolve([(await the(town, Session)).id]) == {}

    async def test_the_right_code_opens_another_session_and_ends_the_one_that_waited(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        app, _ = await sets_up(steps, town, clock)
        half = await sign_in(town)
        opened = await steps.finish_sign_in(half.token, app.code(), HERE, "Firefox")
        assert opened.token != half.token
        assert await is_in(town, opened.token)
        assert not await is_in(town, half.token)
        with pytest.raises(SignedOut):
            await steps.finish_sign_in(half.token, app.code(30), HERE, "")

    @pytest.mark.parametrize("seconds", [-30, 0, 30])
    async def test_a_clock_that_is_half_a_minute_off_will_do(
        self, town: Town, steps: SecondSteps, clock: Clock, seconds: int
    ) -> None:
        app, _ = await sets_up(steps, town, clock)
        clock.goes_on(60)
        assert await steps.finish_sign_in((await sign_in(town)).token, app.code(seconds), HERE, "")

    @pytest.mark.parametrize("seconds", [-60, 60])
    async def test_a_code_of_another_minute_will_not(
        self, town: Town, steps: SecondSteps, clock: Clock, seconds: int
    ) -> None:
        app, _ = await sets_up(steps, town, clock)
        clock.goes_on(60)
        with pytest.raises(Invalid):
            await steps.finish_sign_in((await sign_in(town)).token, app.code(seconds), HERE, "")

    async def test_a_code_is_taken_once(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        app, _ = await sets_up(steps, town, clock)
        code = app.code()
        await steps.finish_sign_in((await sign_in(town)).token, code, HERE, "")
        with pytest.raises(Invalid):
            await steps.finish_sign_in((await sign_in(town)).token, code, HERE, "")

    async def test_the_code_that_set_it_up_is_taken_too(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        app, _ = await sets_up(steps, town, clock)
        with pytest.raises(Invalid):
            await steps.finish_sign_in((await sign_in(town)).token, app.code(-30), HERE, "")

    @pytest.mark.usefixtures("patient")
    async def test_of_the_same_code_twenty_times_at_once_one_is_taken(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        app, _ = await sets_up(steps, town, clock)
        halves = [await sign_in(town) for _ in range(20)]
        tries = (steps.finish_sign_in(half.token, app.code(), HERE, "") for half in halves)
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(not isinstance(answer, Exception) for answer in answers) == 1

    @pytest.mark.usefixtures("patient")
    async def test_of_the_same_recovery_code_ten_times_at_once_one_is_taken(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        _, codes = await sets_up(steps, town, clock)
        halves = [await sign_in(town) for _ in range(10)]
        tries = (steps.finish_sign_in(half.token, codes[0], HERE, "") for half in halves)
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(not isinstance(answer, Exception) for answer in answers) == 1

    @pytest.mark.parametrize("written", [str.upper, lambda c: c.replace("-", ""), lambda c: f"  {c} "])
    async def test_a_recovery_code_works_however_it_is_written(
        self, town: Town, steps: SecondSteps, clock: Clock, written: Callable[[str], str]
    ) -> None:
        _, codes = await sets_up(steps, town, clock)
        await steps.finish_sign_in((await sign_in(town)).token, written(codes[3]), HERE, "")
        assert (await steps.standing(town.staff[ALICE])).codes_left == 9
        assert AuditKind.RECOVERY_CODE_USED in await kinds(town)

    async def test_somebody_elses_codes_are_wrong(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        await sets_up(steps, town, clock)
        app, codes = await sets_up(steps, town, clock, BOB)
        half = await sign_in(town)
        for code in (app.code(), codes[0]):
            with pytest.raises(Invalid):
                await steps.finish_sign_in(half.token, code, HERE, "")

    @pytest.mark.parametrize("code", ["", "0", "²²²²²²", "\0", "é" * 10, "1" * 5000, "------------"])
    async def test_what_is_no_code_is_wrong(self, town: Town, steps: SecondSteps, clock: Clock, code: str) -> None:
        await sets_up(steps, town, clock)
        with pytest.raises(Invalid):
            await steps.finish_sign_in((await sign_in(town)).token, code, HERE, "")
        assert (await kinds(town))[-1] is AuditKind.TWO_STEP_FAILED

    async def test_who_has_left_meanwhile_does_not_come_in(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        app, _ = await sets_up(steps, town, clock)
        half = await sign_in(town)
        await change(town, Staff, col(Staff.id) == town.staff[ALICE], active=False)
        with pytest.raises(SignedOut):
            await steps.finish_sign_in(half.token, app.code(), HERE, "")

    async def test_a_password_that_is_reset_meanwhile_ends_the_sign_in(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        app, _ = await sets_up(steps, town, clock)
        half = await sign_in(town)
        await town.wired.services.staff.reset_password(town.email(ALICE))
        with pytest.raises(SignedOut):
            await steps.finish_sign_in(half.token, app.code(), HERE, "")

    async def test_a_sign_in_waits_ten_minutes_for_its_code(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        app, _ = await sets_up(steps, town, clock)
        half = await sign_in(town)
        waits = (await the(town, Session)).expires_at - datetime.now(UTC)
        assert timedelta(minutes=9) < waits < timedelta(minutes=10)
        await change(town, Session, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        with pytest.raises(SignedOut):
            await steps.finish_sign_in(half.token, app.code(), HERE, "")

    async def test_a_complete_session_is_no_sign_in_that_waits(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        opened = await sign_in(town)
        app, _ = await sets_up(steps, town, clock)
        with pytest.raises(SignedOut):
            await steps.finish_sign_in(opened.token, app.code(), HERE, "")


class TestGuessing:
    async def _guess(self, steps: SecondSteps, token: str) -> Exception:
        with pytest.raises((Invalid, SignedOut)) as caught:
            await steps.finish_sign_in(token, "not a code", HERE, "")
        return caught.value

    async def test_five_wrong_codes_are_free_and_then_even_the_right_one_waits(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        app, _ = await sets_up(steps, town, clock)
        half = await sign_in(town)
        assert [type(await self._guess(steps, half.token)) for _ in range(6)] == [Invalid] * 5 + [TooMany]
        with pytest.raises(TooMany):
            await steps.finish_sign_in(half.token, app.code(), HERE, "")

    async def test_signing_in_again_with_the_password_gives_no_new_guesses(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        await sets_up(steps, town, clock)
        for _ in range(5):
            await self._guess(steps, (await sign_in(town)).token)
        assert isinstance(await self._guess(steps, (await sign_in(town)).token), TooMany)

    async def test_wrong_codes_of_this_morning_still_count(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        await sets_up(steps, town, clock)
        half = await sign_in(town)
        for _ in range(5):
            await self._guess(steps, half.token)
        hours = timedelta(hours=5)
        for failure in await rows(town, SignInFailure):
            await change(town, SignInFailure, col(SignInFailure.id) == failure.id, at=failure.at - hours)
        await self._guess(steps, half.token)
        assert isinstance(await self._guess(steps, half.token), TooMany)

    @pytest.mark.usefixtures("patient")
    async def test_a_sign_in_ends_after_ten_wrong_codes(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        await sets_up(steps, town, clock)
        half = await sign_in(town)
        assert [type(await self._guess(steps, half.token)) for _ in range(11)] == [Invalid] * 10 + [SignedOut]

    async def test_a_right_code_forgives(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        app, _ = await sets_up(steps, town, clock)
        half = await sign_in(town)
        await self._guess(steps, half.token)
        await steps.finish_sign_in(half.token, app.code(), HERE, "")
        assert await rows(town, SignInFailure) == []


class TestDemanded:
    async def test_whose_role_demands_it_sets_it_up_before_anything_opens(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        await demand(town)
        half = await sign_in(town)
        assert half.stage is SessionStage.ENROL
        assert not await is_in(town, half.token)
        begun = await steps.begin_set_up(town.staff[ALICE])
        enrolled = await steps.enrol(half.token, begun.ticket, App(begun.secret, clock).code(), HERE, "")
        assert len(enrolled.codes) == 10
        assert await is_in(town, enrolled.session.token)
        assert not await is_in(town, half.token)

    async def test_another_role_is_asked_for_nothing(self, town: Town) -> None:
        await demand(town)
        assert (await sign_in(town, BOB)).stage is SessionStage.COMPLETE

    async def test_a_wrong_code_leaves_the_sign_in_waiting(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        await demand(town)
        half = await sign_in(town)
        begun = await steps.begin_set_up(town.staff[ALICE])
        app = App(begun.secret, clock)
        with pytest.raises(Invalid):
            await steps.enrol(half.token, begun.ticket, app.code(300), HERE, "")
        assert (await steps.enrol(half.token, begun.ticket, app.code(), HERE, "")).codes

    async def test_who_has_to_set_it_up_cannot_answer_with_a_code(self, town: Town, steps: SecondSteps) -> None:
        await demand(town)
        with pytest.raises(SignedOut):
            await steps.finish_sign_in((await sign_in(town)).token, "000000", HERE, "")

    async def test_it_cannot_be_turned_off_while_a_role_demands_it(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        app, _ = await sets_up(steps, town, clock)
        await demand(town)
        with pytest.raises(NotAllowed, match="One of your roles"):
            await steps.turn_off(town.staff[ALICE], app.code(), HERE)
        assert (await steps.standing(town.staff[ALICE])).on
        assert await rows(town, SignInFailure) == []

    async def test_open_sessions_are_led_to_set_it_up_at_once(self, town: Town) -> None:
        hers, his = await sign_in(town), await sign_in(town, BOB)
        async with listening(town) as heard:
            await demand(town)
            changes = await heard.all()
        assert [(c.kind, c.staff) for c in changes] == [(ChangeKind.SESSION, town.staff[ALICE])]
        assert [await is_in(town, opened.token) for opened in (hers, his)] == [False, True]
        half = await town.wired.services.sessions.half_way(hers.token)
        assert half is not None
        assert half.stage is SessionStage.ENROL

    async def test_a_session_that_nobody_has_used_for_long_is_not_woken_by_it(self, town: Town) -> None:
        opened = await sign_in(town)
        await change(town, Session, used_at=datetime.now(UTC) - timedelta(hours=13))
        await demand(town)
        assert await town.wired.services.sessions.half_way(opened.token) is None

    async def test_an_open_session_waits_half_an_hour_at_most(self, town: Town) -> None:
        await sign_in(town)
        await demand(town)
        assert (await the(town, Session)).expires_at - datetime.now(UTC) < timedelta(minutes=30)

    async def test_switching_it_on_for_a_role_leads_its_holders_to_it(self, town: Town) -> None:
        hers, his = await sign_in(town), await sign_in(town, BOB)
        async with town.wired.db.reading() as session:
            counselor = await session.scalar(select(col(Role.id)).where(col(Role.name) == "Counselor"))
        await town.wired.services.roles.require_second_step(await town.actor("diana"), counselor or 0, True)
        assert [await is_in(town, opened.token) for opened in (hers, his)] == [False, True]

    async def test_giving_a_role_that_demands_it_leads_to_it(self, town: Town) -> None:
        await demand(town)
        his = await sign_in(town, BOB)
        async with town.wired.db.reading() as session:
            counselor = await session.scalar(select(col(Role.id)).where(col(Role.name) == "Counselor"))
        lincoln = Place(PlaceKind.SCHOOL, town.schools["Lincoln Middle School"])
        giving = town.wired.services.assignments.give
        await giving(await town.actor("diana"), [town.staff[BOB]], counselor or 0, [lincoln])
        assert not await is_in(town, his.token)

    async def test_it_is_not_switched_on_where_nobody_could_set_it_up(self, town: Town) -> None:
        keyless = Roles(town.wired.db, SecondSteps(town.wired.db, town.wired.services.sessions, *NO_VAULTS))
        async with town.wired.db.reading() as session:
            counselor = await session.scalar(select(col(Role.id)).where(col(Role.name) == "Counselor"))
        with pytest.raises(Unavailable, match="SECRET_KEY"):
            await keyless.require_second_step(await town.actor("diana"), counselor or 0, True)

    async def test_who_has_one_goes_on_undisturbed(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        await sets_up(steps, town, clock)
        app, _ = await sets_up(steps, town, clock, "charlie")
        opened = await steps.finish_sign_in((await sign_in(town, "charlie")).token, app.code(), HERE, "")
        await demand(town)
        assert await is_in(town, opened.token)

    async def test_a_role_that_is_given_concerns_who_is_given_it(self, town: Town) -> None:
        hers, his = await sign_in(town), await sign_in(town, BOB)
        await demand(town, "Counselor", enforced=False)
        async with town.wired.db.transaction() as session:
            counselor = await session.scalar(select(col(Role.id)).where(col(Role.name) == "Counselor"))
            school = town.schools["Lincoln Middle School"]
            session.add(Assignment(staff_id=town.staff[BOB], role_id=counselor or 0, school_id=school))
            await enforce(session, [town.staff[BOB]])
        assert [await is_in(town, opened.token) for opened in (hers, his)] == [True, False]

    async def test_whom_a_role_no_longer_asks_signs_in_without(self, town: Town) -> None:
        waiting = await sign_in(town)
        await demand(town)
        async with town.wired.db.reading() as session:
            counselor = await session.scalar(select(col(Role.id)).where(col(Role.name) == "Counselor"))
        await town.wired.services.roles.require_second_step(await town.actor("diana"), counselor or 0, False)
        assert await town.wired.services.sessions.half_way(waiting.token) is None
        assert (await sign_in(town)).stage is SessionStage.COMPLETE

    async def test_setting_it_up_in_one_browser_ends_the_waiting_in_the_other(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        here, there = await sign_in(town), await sign_in(town)
        await demand(town)
        begun = await steps.begin_set_up(town.staff[ALICE])
        await steps.enrol(here.token, begun.ticket, App(begun.secret, clock).code(), HERE, "")
        assert await town.wired.services.sessions.half_way(there.token) is None
        assert (await sign_in(town)).stage is SessionStage.CODE

    async def test_a_sign_in_at_the_moment_of_the_demand_does_not_slip_through(self, town: Town) -> None:
        for _ in range(5):
            await change(town, Role, two_step_required=False)
            opened, _ = await asyncio.gather(sign_in(town), demand(town))
            assert not await is_in(town, opened.token)


class TestOnesOwn:
    async def test_it_is_turned_off_with_a_code(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        app, _ = await sets_up(steps, town, clock)
        with pytest.raises(Invalid):
            await steps.turn_off(town.staff[ALICE], "000000", HERE)
        await steps.turn_off(town.staff[ALICE], app.code(), HERE)
        assert await rows(town, RecoveryCode) == []
        assert (await sign_in(town)).stage is SessionStage.COMPLETE
        assert await kinds(town) == [AuditKind.TWO_STEP_ON, AuditKind.TWO_STEP_FAILED, AuditKind.TWO_STEP_OFF]

    async def test_new_recovery_codes_end_the_old_ones(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        _, old = await sets_up(steps, town, clock)
        new = await steps.new_recovery_codes(town.staff[ALICE], old[0], HERE)
        assert (await steps.standing(town.staff[ALICE])).codes_left == 10
        half = await sign_in(town)
        with pytest.raises(Invalid):
            await steps.finish_sign_in(half.token, old[1], HERE, "")
        assert await steps.finish_sign_in(half.token, new[1], HERE, "")
        assert AuditKind.RECOVERY_CODES_MADE in await kinds(town)

    async def test_few_codes_are_told_of(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        _, codes = await sets_up(steps, town, clock)
        for code in codes[:7]:
            await steps.finish_sign_in((await sign_in(town)).token, code, HERE, "")
        assert (await steps.standing(town.staff[ALICE])).few_codes

    async def test_without_one_there_is_nothing_to_turn_off(self, town: Town, steps: SecondSteps) -> None:
        with pytest.raises(Invalid, match="not set up"):
            await steps.turn_off(town.staff[ALICE], "000000", HERE)


class TestReset:
    async def test_an_admin_resets_it_and_the_person_is_signed_out(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        app, _ = await sets_up(steps, town, clock)
        opened = await steps.finish_sign_in((await sign_in(town)).token, app.code(), HERE, "")
        await steps.reset(await town.actor("diana"), town.staff[ALICE])
        assert not await is_in(town, opened.token)
        assert not (await steps.ways_of(await town.actor("diana"), town.staff[ALICE])).on
        assert (await sign_in(town)).stage is SessionStage.COMPLETE
        last = (await rows(town, AuditEntry, col(AuditEntry.kind) == AuditKind.TWO_STEP_OFF))[-1]
        assert (last.actor_id, last.subject_id, last.facts["reset"]) == (town.staff["diana"], town.staff[ALICE], True)

    async def test_a_school_admin_resets_it_at_the_own_school_alone(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        await sets_up(steps, town, clock, BOB)
        await sets_up(steps, town, clock, "charlie")
        dora = await town.actor("dora")
        await steps.reset(dora, town.staff[BOB])
        with pytest.raises(NotFound):
            await steps.reset(dora, town.staff["charlie"])

    @pytest.mark.parametrize(("who", "refusal"), [("bob", NotFound), ("alice", NotFound), ("vera", NotFound)])
    async def test_nobody_else_does(
        self, town: Town, steps: SecondSteps, clock: Clock, who: str, refusal: type[Exception]
    ) -> None:
        await sets_up(steps, town, clock)
        with pytest.raises(refusal):
            await steps.reset(await town.actor(who), town.staff[ALICE])
        with pytest.raises(refusal):
            await steps.ways_of(await town.actor(who), town.staff[ALICE])
        assert (await steps.standing(town.staff[ALICE])).on

    async def test_nobody_resets_their_own(self, town: Town, steps: SecondSteps, clock: Clock) -> None:
        await sets_up(steps, town, clock, "diana")
        with pytest.raises(NotAllowed):
            await steps.reset(await town.actor("diana"), town.staff["diana"])

    async def test_after_it_a_role_that_demands_it_has_it_set_up_anew(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        await sets_up(steps, town, clock)
        await demand(town)
        await steps.reset(await town.actor("diana"), town.staff[ALICE])
        assert (await sign_in(town)).stage is SessionStage.ENROL

    async def test_the_last_district_admin_is_helped_by_the_server(
        self, town: Town, steps: SecondSteps, clock: Clock
    ) -> None:
        await sets_up(steps, town, clock, "diana")
        await steps.reset_by_the_server(town.email("diana").upper())
        assert (await sign_in(town, "diana")).stage is SessionStage.COMPLETE
        last = (await rows(town, AuditEntry, col(AuditEntry.kind) == AuditKind.TWO_STEP_OFF))[-1]
        assert last.actor_id is None
        for email in ("nobody@district.example", town.email("diana")):
            with pytest.raises(Invalid):
                await steps.reset_by_the_server(email)


class TestTheServersKey:
    async def test_a_lost_key_skips_nothing_and_recovery_codes_still_work(
        self, town: Town, steps: SecondSteps, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        app, codes = await sets_up(steps, town, clock)
        other = made(town, clock, OLD_KEY)
        half = await sign_in(town)
        assert half.stage is SessionStage.CODE
        with pytest.raises(KeyIsLost):
            await other.finish_sign_in(half.token, app.code(), HERE, "")
        assert await is_in(town, (await other.finish_sign_in(half.token, codes[0], HERE, "")).token)
        with caplog.at_level(logging.ERROR):
            await other.renew_secrets()
        assert "1 of 1" in caplog.text

    async def test_a_new_key_takes_over_what_the_old_one_has_closed(self, town: Town, clock: Clock) -> None:
        app, _ = await sets_up(made(town, clock, OLD_KEY), town, clock)
        await made(town, clock, KEY, OLD_KEY).renew_secrets()
        assert await made(town, clock, KEY).finish_sign_in((await sign_in(town)).token, app.code(), HERE, "")

    def test_what_is_closed_for_one_purpose_does_not_open_for_another(self) -> None:
        closed = Vault([KEY], Purpose.SET_UP).close("words")
        with pytest.raises(CannotOpen):
            Vault([KEY], Purpose.SECOND_STEP).open(closed)

    def test_what_is_too_old_does_not_open(self) -> None:
        closed = Vault([KEY], Purpose.SET_UP).close("words")
        with pytest.raises(CannotOpen):
            Vault([KEY], Purpose.SET_UP).open(closed, timedelta(seconds=-1))


def test_a_recovery_code_has_sixty_bits_and_no_letters_that_are_read_as_others() -> None:
    assert (len(RECOVERY_ALPHABET), RECOVERY_CHARACTERS) == (32, 12)
    assert not set("oilu") & set(RECOVERY_ALPHABET)
    assert recovery_digest(1, "0l1o-O1Il") == recovery_digest(1, "01100111")
    assert recovery_digest(1, "abcd") != recovery_digest(2, "abcd")


def test_the_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, cut to six digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        assert step_of(secret, code, datetime.fromtimestamp(seconds, UTC)) == seconds // 30
    assert step_of(secret, "287 082", datetime.fromtimestamp(59, UTC), after=1) is None
    assert module.FEW_CODES < 10
