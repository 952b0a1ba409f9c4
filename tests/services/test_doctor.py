"""What ``tp-inbox doctor`` finds, and what it says to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, rows
from tp_inbox.domain.operating import AlertKind, ProcessKind
from tp_inbox.services import doctor
from tp_inbox.services.alerts import alert
from tp_inbox.services.checkups import Checkup
from tp_inbox.services.doctor import (
    Account,
    CarrierRefuses,
    Finding,
    Knock,
    OwnNumber,
    OwnService,
    Registration,
    Verdict,
)
from tp_inbox.services.polling import POLLED
from tp_inbox.services.ports import CarrierAway
from tp_inbox.services.processes import Beat
from tp_inbox.settings import Settings
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.spool import Spool
from tp_inbox.storage.tables import Campaign, Number, Process, Watermark
from tp_inbox.storage.tables.messages import NumberState

Found = list[tuple[str, Finding]]


@dataclass
class FakeDesk:
    """A carrier with which everything is in order, until a test says otherwise."""

    theirs: dict[str, OwnNumber] = field(default_factory=dict)
    services: dict[str, OwnService] = field(default_factory=dict)
    state: Account = field(default_factory=lambda: Account(active=True, trial=False))
    apart: float = 0.0
    ours_answers: bool = True
    knocked: Knock = Knock.HEARD
    refuses: Exception | None = None

    async def account(self) -> Account:
        if self.refuses:
            raise self.refuses
        return self.state

    async def clock_seconds(self) -> float:
        return self.apart

    async def numbers(self) -> Sequence[OwnNumber]:
        return list(self.theirs.values())

    async def service(self, sid: str) -> OwnService | None:
        return self.services.get(sid)

    async def answers(self) -> bool:
        return self.ours_answers

    async def knock(self) -> Knock:
        return self.knocked

    async def aclose(self) -> None:
        return


@dataclass
class Clinic:
    town: Town
    desk: FakeDesk
    settings: Settings

    async def examined(self) -> Found:
        checkup = Checkup(self.settings, self.town.wired.db, Spool(self.settings.spool), self.desk)
        return [found async for found in doctor.examine(checkup.steps())]

    async def problems(self) -> list[str]:
        """The steps at which something is wrong; each comes with what to do."""
        found = await self.examined()
        assert all(finding.advice for _, finding in found if finding.verdict in (Verdict.PROBLEM, Verdict.HINT))
        return [step for step, finding in found if finding.verdict is Verdict.PROBLEM]

    async def says(self, step: str) -> str:
        return " ".join(f"{finding.sentence} {finding.advice}" for at, finding in await self.examined() if at == step)


@pytest.fixture
async def clinic(town: Town, settings: Settings, tmp_path: Path) -> Clinic:
    """A district in good health: services made, numbers in them, a worker that turns, a poller that has polled."""
    desk = FakeDesk()
    for school in (LINCOLN, ROOSEVELT):
        sid = f"MG{town.schools[school]:0>32}"
        await register(town, school, sid)
        numbers = await rows(town, Number, Number.school_id == town.schools[school])
        theirs = {n.sid: OwnNumber(n.sid, n.e164, takes_texts=True, leads_here=True) for n in numbers}
        desk.theirs |= theirs
        desk.services[sid] = OwnService(frozenset(theirs), keeps_webhooks=True, registration=Registration.APPROVED)
    worker = Beat(Database(town.wired.db.url, pool_size=1), ProcessKind.WORKER)
    worker.turned()
    await worker.beat()
    await worker.db.close()
    await add(town, Watermark(name=POLLED, at=utc_now()))
    real = {"twilio_base_url": "", "public_url": "https://texts.lincoln.example", "spool_dir": tmp_path / "spool"}
    return Clinic(town, desk, settings.model_copy(update=real))


async def register(town: Town, school: str, sid: str) -> None:
    async with town.wired.db.transaction() as session:
        made = update(Campaign).where(col(Campaign.school_id) == town.schools[school]).values(sid=sid)
        await session.execute(made)


def lincolns(clinic: Clinic) -> str:
    return next(sid for sid, number in clinic.desk.theirs.items() if number.e164 == LINCOLN_NUMBER)


async def test_in_a_healthy_district_every_step_is_ok(clinic: Clinic) -> None:
    assert {finding.verdict for _, finding in await clinic.examined()} == {Verdict.OK}


async def test_no_finding_carries_a_secret(clinic: Clinic) -> None:
    clinic.desk.knocked = Knock.NOT_SIGNED
    said = str(await clinic.examined())
    for secret in (clinic.settings.twilio_auth_token, clinic.settings.secret_key):
        assert secret.get_secret_value() not in said


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:3000", "http://texts.lincoln.example"])
async def test_an_address_that_twilio_cannot_call_safely_is_a_problem(clinic: Clinic, address: str) -> None:
    clinic.settings = clinic.settings.model_copy(update={"public_url": address})
    assert "Settings" in await clinic.problems()


async def test_without_an_account_nothing_is_asked_of_the_carrier(clinic: Clinic) -> None:
    clinic.settings = clinic.settings.model_copy(update={"twilio_account_sid": "AC"})
    found = await clinic.examined()
    assert "TWILIO_ACCOUNT_SID" in await clinic.says("Settings")
    skipped = [step for step, finding in found if finding.verdict is Verdict.SKIPPED]
    assert skipped == ["Account", "Clock", "Numbers", "Campaigns"]


async def test_a_spool_that_cannot_be_written_is_a_problem(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    clinic.settings = clinic.settings.model_copy(update={"spool_dir": tmp_path / "file"})
    assert await clinic.problems() == ["Spool"]


async def test_somebody_else_at_our_address_is_a_problem_and_no_webhook_is_tried(clinic: Clinic) -> None:
    clinic.desk.ours_answers = False
    assert await clinic.problems() == ["Public address"]
    assert "Not looked at" in await clinic.says("Webhooks")


@pytest.mark.parametrize(("knock", "advice"), [(Knock.NOT_SIGNED, "to the letter"), (Knock.ELSEWHERE, "proxy")])
async def test_a_webhook_that_is_not_heard_is_a_problem(clinic: Clinic, knock: Knock, advice: str) -> None:
    clinic.desk.knocked = knock
    assert await clinic.problems() == ["Webhooks"]
    assert advice in await clinic.says("Webhooks")


@pytest.mark.parametrize(
    ("state", "said"),
    [(Account(active=False, trial=False), "suspended"), (Account(active=True, trial=True), "21608")],
)
async def test_an_account_that_cannot_send_is_a_problem(clinic: Clinic, state: Account, said: str) -> None:
    clinic.desk.state = state
    assert await clinic.problems() == ["Account"]
    assert said in await clinic.says("Account")


@pytest.mark.parametrize("wrong", [CarrierRefuses("Twilio does not take this.", "Copy it anew."), CarrierAway("gone")])
async def test_a_carrier_that_does_not_answer_is_a_problem_and_no_crash(clinic: Clinic, wrong: Exception) -> None:
    clinic.desk.refuses = wrong
    assert await clinic.problems() == ["Account"]


@pytest.mark.parametrize("apart", [-90.0, 90.0])
async def test_a_wrong_clock_is_a_problem(clinic: Clinic, apart: float) -> None:
    clinic.desk.apart = apart
    assert await clinic.problems() == ["Clock"]


async def test_a_number_that_the_carrier_does_not_have_is_named(clinic: Clinic) -> None:
    del clinic.desk.theirs[lincolns(clinic)]
    assert "Numbers" in await clinic.problems()
    assert LINCOLN_NUMBER in await clinic.says("Numbers")


@pytest.mark.parametrize("wrong", ["leads_here", "takes_texts"])
async def test_a_number_from_which_no_text_comes_is_named(clinic: Clinic, wrong: str) -> None:
    sid = lincolns(clinic)
    clinic.desk.theirs[sid] = replace(clinic.desk.theirs[sid], **{wrong: False})
    assert await clinic.problems() == ["Numbers"]
    assert LINCOLN_NUMBER in await clinic.says("Numbers")


async def test_a_stopped_number_is_told_with_its_reason(clinic: Clinic) -> None:
    async with clinic.town.wired.db.transaction() as session:
        stopped = update(Number).where(col(Number.e164) == LINCOLN_NUMBER)
        await session.execute(stopped.values(state=NumberState.STOPPED, problem="It is not registered."))
    assert await clinic.problems() == ["Numbers"]
    assert "It is not registered." in await clinic.says("Numbers")


async def test_a_number_that_nobody_here_uses_is_a_hint(clinic: Clinic) -> None:
    clinic.desk.theirs["PNx"] = OwnNumber("PNx", "+12025550177", takes_texts=True, leads_here=False)
    assert await clinic.problems() == []
    assert "+12025550177" in await clinic.says("Numbers")


async def test_a_school_without_its_service_is_a_problem(clinic: Clinic) -> None:
    await register(clinic.town, LINCOLN, "MG" + "f" * 32)
    assert await clinic.problems() == ["Campaigns"]
    assert LINCOLN in await clinic.says("Campaigns")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"numbers": frozenset()}, LINCOLN_NUMBER),
        ({"keeps_webhooks": False}, "Defer to sender's webhook"),
        ({"registration": Registration.MISSING}, "30034"),
        ({"registration": Registration.REFUSED}, "refused"),
    ],
)
async def test_a_service_that_blocks_texts_is_a_problem(clinic: Clinic, changes: dict, said: str) -> None:
    sid = f"MG{clinic.town.schools[LINCOLN]:0>32}"
    clinic.desk.services[sid] = replace(clinic.desk.services[sid], **changes)
    assert await clinic.problems() == ["Campaigns"]
    assert said in await clinic.says("Campaigns")


async def test_a_registration_that_is_looked_at_is_waited_for(clinic: Clinic) -> None:
    sid = f"MG{clinic.town.schools[LINCOLN]:0>32}"
    clinic.desk.services[sid] = replace(clinic.desk.services[sid], registration=Registration.WAITING)
    assert await clinic.problems() == []
    assert "wait" in await clinic.says("Campaigns")


async def test_outside_of_the_us_nothing_has_to_be_registered(clinic: Clinic) -> None:
    clinic.settings = clinic.settings.model_copy(update={"country": "CA"})
    sid = f"MG{clinic.town.schools[LINCOLN]:0>32}"
    clinic.desk.services[sid] = replace(clinic.desk.services[sid], registration=Registration.MISSING)
    assert await clinic.problems() == []


async def test_without_a_worker_no_text_leaves(clinic: Clinic) -> None:
    async with clinic.town.wired.db.transaction() as session:
        await session.execute(delete(Process))
    assert await clinic.problems() == ["Processes"]


async def test_a_worker_that_hangs_is_a_problem(clinic: Clinic) -> None:
    async with clinic.town.wired.db.transaction() as session:
        await session.execute(update(Process).values(turned_at=utc_now() - timedelta(hours=1)))
    assert "hangs" in await clinic.says("Processes")


async def test_a_poller_that_is_late_is_a_problem(clinic: Clinic) -> None:
    async with clinic.town.wired.db.transaction() as session:
        await session.execute(update(Watermark).values(at=utc_now() - timedelta(hours=1)))
    assert await clinic.problems() == ["Processes"]


async def test_alerts_that_stand_are_told_in_their_own_words(clinic: Clinic) -> None:
    async with clinic.town.wired.db.transaction() as session:
        await alert(session, AlertKind.SPENDING_CAP, "The monthly cap for numbers is met.")
    assert await clinic.problems() == []
    assert "The monthly cap for numbers is met." in await clinic.says("Alerts")
