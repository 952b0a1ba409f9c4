"""What the carrier sends is on record before it is answered, whatever becomes of the database meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import col

from tests.cast import Town
from tests.fakes import FakeGateway
from tests.services.steps import rows, the
from tp_inbox.domain.errors import Invalid, Unavailable
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services import intake as module
from tp_inbox.services.intake import Intake
from tp_inbox.services.ports import RequestKind, SignedRequest
from tp_inbox.settings import BadSettings, Settings
from tp_inbox.storage.spool import Spool
from tp_inbox.storage.tables import Alert
from tp_inbox.wiring import wire

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


def request(name: str, kind: RequestKind = RequestKind.INBOUND, minute: int = 0) -> SignedRequest:
    form = (("MessageSid", name), ("Body", "¿Llega el autobús? 👋"), ("Tag", ""), ("Tag", "twice"))
    return SignedRequest(kind, form, "message=41", NOON + timedelta(minutes=minute))


class Books:
    """Where requests are stored, with the word that says where they came from; away or angry as it is told."""

    def __init__(self) -> None:
        self.stored: list[tuple[SignedRequest, str]] = []
        self.away = False
        self.takes = 0.0
        self.refuses: dict[str, Exception] = {}

    async def take(self, taken: SignedRequest, source: str) -> None:
        await asyncio.sleep(self.takes)
        name = taken.form[0][1]
        if self.away:
            raise Unavailable("away")
        if name in self.refuses:
            raise self.refuses[name]
        self.stored.append((taken, source))

    @property
    def names(self) -> list[str]:
        return [taken.form[0][1] for taken, _ in self.stored]


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def intake(town: Town, books: Books, tmp_path: Path) -> Intake:
    return Intake(town.wired.db, Spool(tmp_path / "spool"), books.take)


async def outage(intake: Intake, books: Books, *names: str) -> None:
    """They come while the database is away, which answers afterwards."""
    books.away = True
    for minute, name in enumerate(names):
        await intake.take(request(name, minute=minute))
    books.away = False


async def test_with_the_database_there_nothing_goes_to_the_spool(intake: Intake, books: Books) -> None:
    await intake.take(request("one"))
    assert books.stored == [(request("one"), "webhook")]
    assert intake.spool.waiting() == 0


async def test_with_the_database_away_requests_wait_and_are_stored_once_in_order_as_they_came(
    intake: Intake, books: Books
) -> None:
    await outage(intake, books, "one", "two", "three")
    assert (books.stored, intake.spool.waiting()) == ([], 3)
    await intake.replay()
    await intake.replay()
    assert books.stored == [(request(name, minute=n), "spool") for n, name in enumerate(["one", "two", "three"])]
    assert not intake.spool.holds_any()


async def test_a_database_that_is_slow_keeps_nobody_waiting(
    intake: Intake, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STORED_WITHIN", 0.01)
    books.takes = 30
    await intake.take(request("one"))
    assert intake.spool.waiting() == 1


async def test_while_something_waits_what_comes_later_queues_behind_it(intake: Intake, books: Books) -> None:
    await outage(intake, books, "STOP")
    await intake.take(request("START"))
    assert books.stored == []
    await intake.replay()
    assert books.names == ["STOP", "START"]


async def test_reports_wait_like_texts(intake: Intake, books: Books) -> None:
    books.away = True
    await intake.take(request("sent", RequestKind.STATUS))
    books.away = False
    await intake.replay()
    assert books.stored == [(request("sent", RequestKind.STATUS), "spool")]


async def test_what_another_process_left_behind_is_replayed_by_this_one(
    town: Town, intake: Intake, books: Books
) -> None:
    await outage(intake, books, "one")
    await Intake(town.wired.db, Spool(intake.spool.folder), books.take).replay()
    assert books.names == ["one"]


async def test_only_one_process_of_a_machine_replays(town: Town, intake: Intake, books: Books) -> None:
    await outage(intake, books, *map(str, range(20)))
    second = Intake(town.wired.db, Spool(intake.spool.folder), books.take)
    await asyncio.gather(intake.replay(), second.replay())
    assert books.names == [str(n) for n in range(20)]


async def test_an_outage_in_the_middle_of_the_replay_loses_and_doubles_nothing(intake: Intake, books: Books) -> None:
    await outage(intake, books, "one", "two", "three")
    books.refuses["two"] = Unavailable("away again")
    await intake.replay()
    assert (books.names, intake.spool.waiting()) == (["one"], 2)
    books.refuses.clear()
    await intake.replay()
    assert books.names == ["one", "two", "three"]


async def test_a_file_that_cannot_be_read_is_put_aside_and_holds_up_nobody(
    town: Town, intake: Intake, books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    await outage(intake, books, "one", "two")
    first = intake.spool.names()[0]
    (intake.spool.folder / "waiting" / first).write_text("half a requ")
    await intake.replay()
    assert books.names == ["two"]
    assert [path.name for path in intake.spool.aside.iterdir()] == [first]
    assert "put aside" in caplog.text
    told = next(a for a in await rows(town, Alert) if a.about == module.ASIDE)
    assert told.sentence.startswith("1 requests") and str(intake.spool.aside) in told.sentence


@pytest.mark.parametrize("error", [Invalid("no"), ValueError("a body that no log may hold")])
async def test_a_request_that_nobody_can_store_is_put_aside_once_a_later_one_goes(
    intake: Intake, books: Books, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    await outage(intake, books, "poison", "two")
    books.refuses["poison"] = error
    await intake.replay()
    assert (books.names, intake.spool.waiting(), intake.spool.count_aside()) == (["two"], 0, 1)
    assert "no log may hold" not in caplog.text


async def test_while_nothing_can_be_stored_at_all_nothing_is_put_aside(intake: Intake, books: Books) -> None:
    await outage(intake, books, "one", "two", "three")
    books.refuses = dict.fromkeys(("one", "two", "three"), OSError("No space left on device"))
    await intake.replay()
    assert (intake.spool.waiting(), intake.spool.count_aside()) == (3, 0)
    books.refuses = {}
    await intake.replay()
    assert books.names == ["one", "two", "three"]


async def test_admins_hear_once_that_many_in_a_row_hold_up_the_others_until_nothing_waits(
    town: Town, intake: Intake, books: Books
) -> None:
    names = [str(n) for n in range(module.MOST_FAILED + 1)]
    await outage(intake, books, *names, "behind")
    books.refuses = dict.fromkeys(names, OSError("No space left on device"))
    await intake.replay()
    await intake.replay()
    told = await the(town, Alert)
    assert (told.kind, told.about, told.times, told.settled_at) == (AlertKind.SPOOLED, module.STUCK, 1, None)
    assert str(intake.spool.folder) in told.sentence
    assert books.names == []
    books.refuses = {}
    await intake.replay()
    assert books.names == [*names, "behind"]
    assert (await the(town, Alert, col(Alert.about) == module.STUCK)).settled_at is not None


async def test_with_fewer_that_fail_those_behind_them_go_and_nobody_is_told_of_a_jam(
    town: Town, intake: Intake, books: Books
) -> None:
    names = [str(n) for n in range(module.MOST_FAILED)]
    await outage(intake, books, *names, "behind")
    books.refuses = dict.fromkeys(names, OSError("No space left on device"))
    await intake.replay()
    assert books.names == ["behind"]
    assert module.STUCK not in [a.about for a in await rows(town, Alert)]


async def test_whatever_goes_wrong_while_storing_the_spool_takes_the_request(
    intake: Intake, books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    books.refuses["one"] = RuntimeError("a body that no log may hold")
    await intake.take(request("one"))
    assert intake.spool.waiting() == 1
    assert "RuntimeError" in caplog.text and "no log may hold" not in caplog.text


async def test_when_the_spool_fails_too_the_carrier_has_to_come_again(town: Town, books: Books, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("")
    intake = Intake(town.wired.db, Spool(tmp_path / "full" / "spool"), books.take)
    books.away = True
    with pytest.raises(OSError, match=r".+"):
        await intake.take(request("one"))


async def test_an_admin_is_told_afterwards_how_many_came_that_way_and_when(
    town: Town, intake: Intake, books: Books
) -> None:
    await outage(intake, books, "one", "two", "three")
    await intake.replay()
    told = await the(town, Alert)
    assert (told.kind, told.settled_at) == (AlertKind.SPOOLED, None)
    assert told.sentence.startswith("3 texts and delivery reports came")
    assert "between March 3, 12:00 and March 3, 12:02 UTC" in told.sentence


async def test_the_alert_of_what_lies_aside_ends_when_somebody_has_seen_to_it(
    town: Town, intake: Intake, books: Books
) -> None:
    await outage(intake, books, "poison")
    books.refuses["poison"] = Invalid("no")
    await intake.replay()
    assert (await the(town, Alert)).settled_at is None
    books.refuses.clear()
    (aside,) = intake.spool.aside.iterdir()
    aside.rename(intake.spool.folder / "waiting" / aside.name)
    await intake.replay()
    assert books.names == ["poison"]
    (of_aside,) = [a for a in await rows(town, Alert) if a.about == module.ASIDE]
    assert of_aside.settled_at is not None


async def test_it_empties_itself_as_soon_as_the_database_answers(intake: Intake, books: Books) -> None:
    await outage(intake, books, "one")
    running = asyncio.create_task(intake.run())
    async with asyncio.timeout(10):
        while intake.spool.holds_any():  # noqa: ASYNC110 - a folder has no event
            await asyncio.sleep(0.01)
    running.cancel()
    assert books.names == ["one"]


def test_a_web_process_starts_where_it_can_keep_something_and_keeps_nothing_yet(town: Town) -> None:
    town.wired.require_spool()
    assert not town.wired.intake.spool.holds_any()


def test_where_it_cannot_it_does_not_start_and_says_why(settings: Settings) -> None:
    settings.spool.parent.mkdir(parents=True, exist_ok=True)
    settings.spool.write_text("no folder")
    with pytest.raises(BadSettings, match=rf"^SPOOL_DIR: .*{settings.spool}.* \(Not a directory\)"):
        wire(settings, FakeGateway()).require_spool()
