"""Signing in and out: what a stranger learns, how guessing is slowed, and when a session ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from passlib.context import CryptContext
from sqlalchemy import event
from sqlmodel import col

from tests.cast import PASSWORD, Town
from tests.services.steps import change, listening, rows, the
from tp_inbox.domain.errors import Invalid
from tp_inbox.services import passwords, sessions as module
from tp_inbox.services.sessions import Sessions, TooMany
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Session, SignInFailure, Staff

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


async def sign_in(town: Town, who: str = "alice", password: str = PASSWORD, address: str = HERE) -> str:
    email = town.email(who) if "@" not in who else who
    return (await town.wired.services.sessions.sign_in(email, password, address, "Firefox")).token


async def look_up(town: Town, token: str, *, own_act: bool = False) -> str | None:
    found = await town.wired.services.sessions.look_up(token, own_act=own_act)
    return found.actor.name if found else None


async def refused(town: Town, who: str = "alice", password: str = "wrong", address: str = HERE) -> Invalid:
    with pytest.raises(Invalid) as caught:
        await sign_in(town, who, password, address)
    return caught.value


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many guesses are made and the hash is not what is tested."""

    async def verify(password: str, hashed: str | None) -> bool:
        return password == PASSWORD and hashed is not None

    monkeypatch.setattr(passwords, "verify", verify)


class TestSigningIn:
    async def test_the_right_password_opens_a_session_with_the_permissions_of_this_moment(self, town: Town) -> None:
        found = await town.wired.services.sessions.look_up(await sign_in(town), own_act=False)
        assert found is not None
        assert found.actor == await town.actor("alice")

    async def test_case_and_spaces_of_the_address_do_not_matter(self, town: Town) -> None:
        assert await look_up(town, await sign_in(town, f"  {town.email('alice').upper()} ")) == "Alice Adams"

    async def test_wrong_unknown_disabled_and_without_a_password_read_the_same(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["bob"], active=False)
        await change(town, Staff, col(Staff.id) == town.staff["dora"], password_hash=None)
        answers = [
            await refused(town),
            await refused(town, "nobody@district.example", PASSWORD),
            await refused(town, "bob", PASSWORD),
            await refused(town, "dora", PASSWORD),
            await refused(town, "", ""),
            await refused(town, "a\x00\ud800b@district.example", "\x00\ud800"),
        ]
        assert {answer.sentence for answer in answers} == {module.WRONG}

    async def test_an_unknown_account_costs_as_many_hashes_as_a_known_one(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checked = []

        def counted(check: Callable[[str, str], bool], password: str, hashed: str) -> bool:
            checked.append(hashed)
            return check(password, hashed)

        real = passwords._context.verify
        monkeypatch.setattr(passwords._context, "verify", lambda p, h: counted(real, p, h))
        for who in ("alice", "nobody@district.example"):
            await refused(town, who)
        assert len(checked) == 2
        assert all(hashed.split("$")[1:4] == checked[0].split("$")[1:4] for hashed in checked)

    async def test_a_password_that_only_begins_right_is_wrong(self, town: Town) -> None:
        await refused(town, password=PASSWORD + "x" * 300)

    async def test_the_event_loop_goes_on_while_passwords_are_checked(self, town: Town) -> None:
        longest, ticking = 0.0, True

        async def tick() -> None:
            nonlocal longest
            while ticking:
                before = time.perf_counter()
                await asyncio.sleep(0.001)
                longest = max(longest, time.perf_counter() - before)

        hashes_of = [passwords.verify("a guess of somebody", None) for _ in range(4)]
        ticker = asyncio.create_task(tick())
        began = time.perf_counter()
        await asyncio.gather(*hashes_of)
        took, ticking = time.perf_counter() - began, False
        await ticker
        assert longest < took / 2

    async def test_the_token_is_not_in_the_table(self, town: Town) -> None:
        token = await sign_in(town)
        kept = await the(town, Session)
        assert token.encode() not in kept.token_digest
        assert len(kept.token_digest) == 32
        assert len(token) >= 43

    async def test_an_outdated_hash_is_renewed_at_the_next_sign_in(self, town: Town) -> None:
        old = CryptContext(["argon2"], argon2__rounds=1, argon2__memory_cost=1024).hash(PASSWORD)
        alice = col(Staff.id) == town.staff["alice"]
        await change(town, Staff, alice, password_hash=old)
        await sign_in(town)
        renewed = (await the(town, Staff, alice)).password_hash
        assert renewed
        assert renewed != old
        assert not passwords.is_outdated(renewed)
        await sign_in(town)

    async def test_a_password_that_is_reset_while_the_old_one_is_checked_opens_nothing(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = passwords.verify

        async def slow(password: str, hashed: str | None) -> bool:
            right = await real(password, hashed)
            await town.wired.services.staff.reset_password(town.email("alice"))
            return right

        monkeypatch.setattr(passwords, "verify", slow)
        await refused(town, password=PASSWORD)
        assert await rows(town, Session) == []


@pytest.mark.usefixtures("quick")
class TestGuessing:
    async def test_five_failures_are_free_and_the_sixth_waits(self, town: Town) -> None:
        kinds = [type(await refused(town)) for _ in range(6)]
        assert kinds == [Invalid] * 5 + [TooMany]

    async def test_even_the_right_password_waits_then(self, town: Town) -> None:
        for _ in range(5):
            await refused(town)
        assert isinstance(await refused(town, password=PASSWORD), TooMany)

    async def test_the_wait_doubles_up_to_five_minutes(self, town: Town) -> None:
        waits = []
        for _ in range(16):
            answer = await refused(town)
            if isinstance(answer, TooMany):
                waits.append(answer.seconds)
                await self._pass(town, answer.seconds)
                await refused(town)
        assert waits[:4] == [1, 2, 4, 8]
        assert await self._longest(town) == 300

    async def _pass(self, town: Town, seconds: float) -> None:
        back = timedelta(seconds=seconds + 0.01)
        for failure in await rows(town, SignInFailure):
            await change(town, SignInFailure, col(SignInFailure.id) == failure.id, at=failure.at - back)

    async def _longest(self, town: Town) -> float:
        last = datetime.now(UTC)
        return round((module._wait(99, last) - (last - datetime.now(UTC))).total_seconds())

    async def test_of_fifty_guesses_at_once_five_are_looked_at(self, town: Town) -> None:
        answers = await asyncio.gather(*(refused(town) for _ in range(50)))
        assert [type(answer) for answer in answers].count(Invalid) == 5

    async def test_an_unknown_account_is_slowed_as_a_known_one(self, town: Town) -> None:
        kinds = [type(await refused(town, "nobody@district.example")) for _ in range(6)]
        assert kinds == [Invalid] * 5 + [TooMany]

    async def test_another_account_from_the_same_school_is_not_slowed(self, town: Town) -> None:
        for _ in range(6):
            await refused(town)
        assert await look_up(town, await sign_in(town, "bob")) == "Bob Brown"

    async def test_another_address_does_not_help(self, town: Town) -> None:
        for _ in range(5):
            await refused(town)
        assert isinstance(await refused(town, address=ELSEWHERE), TooMany)

    async def test_success_resets_the_count(self, town: Town) -> None:
        for _ in range(4):
            await refused(town)
        await sign_in(town)
        assert await rows(town, SignInFailure) == []
        kinds = [type(await refused(town)) for _ in range(5)]
        assert kinds == [Invalid] * 5

    async def test_failures_are_forgiven_after_a_while(self, town: Town) -> None:
        for _ in range(5):
            await refused(town)
        await self._pass(town, module.WINDOW.total_seconds())
        await sign_in(town)

    async def test_a_flood_from_one_address_is_stopped_and_other_addresses_are_not(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "FAILURES_OF_AN_ADDRESS", 3)
        for number in range(3):
            await refused(town, f"{number}@district.example")
        assert isinstance(await refused(town, "bob", PASSWORD), TooMany)
        assert await look_up(town, await sign_in(town, "bob", address=ELSEWHERE)) == "Bob Brown"

    async def test_a_whole_school_that_signs_in_rightly_is_no_flood(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "FAILURES_OF_AN_ADDRESS", 3)
        for _ in range(2):
            for who in town.staff:
                await sign_in(town, who)

    async def test_failures_are_forgotten_after_a_day(self, town: Town) -> None:
        await refused(town)
        await self._pass(town, 25 * 3600)
        await refused(town)
        await town.wired.services.sessions.forget_old_failures()
        assert len(await rows(town, SignInFailure)) == 1

    async def test_a_mistyped_address_is_not_kept(self, town: Town) -> None:
        await refused(town, "alice.password@district.example")
        assert b"alice" not in (await the(town, SignInFailure)).account


class TestEnding:
    async def test_an_unknown_token_is_nobody(self, town: Town) -> None:
        await sign_in(town)
        for token in ("", "x" * 43, "\udcff"):
            assert await look_up(town, token) is None

    @pytest.mark.parametrize(("hours", "living"), [(11.9, True), (12.1, False)])
    async def test_an_idle_session_ends_after_twelve_hours(self, town: Town, hours: float, living: bool) -> None:
        token = await sign_in(town)
        await change(town, Session, used_at=datetime.now(UTC) - timedelta(hours=hours))
        assert (await look_up(town, token) is not None) is living
        assert bool(await town.wired.services.sessions.resolve([(await the(town, Session)).id])) is living

    async def test_however_busy_a_session_ends_after_its_absolute_life(self, town: Town) -> None:
        sessions = Sessions(town.wired.db, timedelta(hours=1), timedelta(seconds=-1))
        opened = await sessions.sign_in(town.email("alice"), PASSWORD, HERE, "")
        assert await sessions.look_up(opened.token, own_act=True) is None

    async def test_a_disabled_person_has_no_session(self, town: Town) -> None:
        token = await sign_in(town)
        await change(town, Staff, col(Staff.id) == town.staff["alice"], active=False)
        assert await look_up(town, token) is None

    async def test_signing_out_ends_this_session_alone_and_is_announced(self, town: Town) -> None:
        here, there = await sign_in(town), await sign_in(town)
        async with listening(town) as heard:
            await town.wired.services.sessions.sign_out(here)
            await town.wired.services.sessions.sign_out(here)
            changes = await heard.all()
        assert [(c.kind, c.staff) for c in changes] == [(ChangeKind.SESSION, town.staff["alice"])]
        assert [await look_up(town, t) for t in (here, there)] == [None, "Alice Adams"]

    async def test_signing_out_everywhere_ends_all_of_this_person_and_nobody_elses(self, town: Town) -> None:
        tokens = [await sign_in(town), await sign_in(town), await sign_in(town, "bob")]
        async with listening(town) as heard:
            await town.wired.services.sessions.sign_out_everywhere(await town.actor("alice"))
            assert await heard.kinds() == [ChangeKind.SESSION]
        assert [await look_up(town, t) for t in tokens] == [None, None, "Bob Brown"]

    async def test_signing_out_with_a_token_of_nobody_does_nothing(self, town: Town) -> None:
        await town.wired.services.sessions.sign_out("nothing")


class TestUse:
    async def _used(self, town: Town) -> datetime:
        return (await the(town, Session)).used_at

    async def test_an_own_act_extends_a_session_once_a_minute(self, town: Town) -> None:
        token, earlier = await sign_in(town), datetime.now(UTC) - timedelta(minutes=2)
        await change(town, Session, used_at=earlier)
        await look_up(town, token, own_act=True)
        touched = await self._used(town)
        assert touched > earlier
        await look_up(town, token, own_act=True)
        assert await self._used(town) == touched

    async def test_a_push_extends_nothing(self, town: Town) -> None:
        token, earlier = await sign_in(town), datetime.now(UTC) - timedelta(minutes=2)
        await change(town, Session, used_at=earlier)
        await look_up(town, token, own_act=False)
        assert await self._used(town) == earlier

    async def test_any_number_of_sessions_is_resolved_in_one_query(self, town: Town) -> None:
        for who in ("alice", "alice", "bob", "diana"):
            await sign_in(town, who)
        ids = [session.id for session in await rows(town, Session)]
        asked: list[str] = []
        engine = town.wired.db.engine.sync_engine
        event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
        people = await town.wired.services.sessions.resolve([*ids, 999_999])
        assert [people[i].name for i in ids] == ["Alice Adams", "Alice Adams", "Bob Brown", "Diana Drew"]
        assert len(people) == 4
        assert len(asked) == 1
