"""The composition root: builds engine, gateway and services from the settings, and introduces them to each other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from sqlalchemy import select, text
from sqlmodel import col

from tp_inbox.domain.errors import Unavailable
from tp_inbox.domain.operating import ProcessKind
from tp_inbox.domain.pacing import Rates
from tp_inbox.jobs.worker import Crew, Worker
from tp_inbox.services import doctor, figures, registry
from tp_inbox.services.account_links import AccountLinks
from tp_inbox.services.alert_views import Alerts
from tp_inbox.services.announcing import Announcing
from tp_inbox.services.assignment_lists import AssignmentLists
from tp_inbox.services.assignments import Assignments
from tp_inbox.services.audit_log import AuditLog
from tp_inbox.services.calls import Calls
from tp_inbox.services.checkups import Checkup
from tp_inbox.services.dispatching import Dispatching
from tp_inbox.services.explaining import Explaining
from tp_inbox.services.finding import Finding
from tp_inbox.services.groups import Groups
from tp_inbox.services.identities import Identities
from tp_inbox.services.inboxes import Inboxes
from tp_inbox.services.intake import Intake
from tp_inbox.services.joining import Joining
from tp_inbox.services.lanes import Lanes
from tp_inbox.services.leasing import Leasing
from tp_inbox.services.leaving import Leaving
from tp_inbox.services.number_admin import NumberAdmin
from tp_inbox.services.number_care import NumberCare
from tp_inbox.services.number_limits import Limits
from tp_inbox.services.numbers import Numbers
from tp_inbox.services.oversight import Oversight
from tp_inbox.services.own_password import OwnPassword
from tp_inbox.services.polling import Polling
from tp_inbox.services.ports import CarrierAway, SmsGateway
from tp_inbox.services.processes import Beat, Processes
from tp_inbox.services.queueing import Queues
from tp_inbox.services.receiving import Receiving
from tp_inbox.services.reconciliations import Reconciliations
from tp_inbox.services.reconciling import RECONCILED, Reconciling
from tp_inbox.services.reporting import Reporting
from tp_inbox.services.roles import Roles
from tp_inbox.services.router import Router
from tp_inbox.services.schools import SchoolFields, Schools
from tp_inbox.services.sealing import Report, Sealing
from tp_inbox.services.second_step import SecondSteps
from tp_inbox.services.sending import Sending
from tp_inbox.services.sessions import Sessions
from tp_inbox.services.staff import StaffAccounts
from tp_inbox.services.staff_directory import StaffDirectory
from tp_inbox.services.threads import Threads
from tp_inbox.services.tying import Tying
from tp_inbox.services.unsubscribing import Unsubscribing
from tp_inbox.services.vault import Purpose, Vault
from tp_inbox.services.watching import Watching
from tp_inbox.settings import BadSettings, Settings
from tp_inbox.storage import locks, migrate as migrations
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, Feed
from tp_inbox.storage.spool import Spool
from tp_inbox.storage.tables import District
from tp_inbox.twilio import webhooks
from tp_inbox.twilio.doctor import TwilioDesk
from tp_inbox.twilio.gateway import TwilioGateway

log = logging.getLogger(__name__)

NOT_MIGRATED = "DATABASE_URL: this database does not have the shape that this version needs. Run: tp-inbox migrate"
NOT_LOOPBACK = (
    "TWILIO_BASE_URL: this database is a demonstration, so it talks only to a simulator on this machine. "
    "Set TWILIO_BASE_URL to its address on 127.0.0.1, or use another database."
)


REAL_DISTRICT = (
    "DATABASE_URL: this database holds a real district, and a demonstration must not touch it. "
    "Leave DATABASE_URL out, or name an empty database."
)
NO_SPOOL = (
    "SPOOL_DIR: what families write while the database is away is kept in {folder}, and nothing can be written there"
    " ({why}). Give another folder, or let the user of this process write to it."
)


@dataclass(frozen=True, slots=True)
class Wired:
    """Everything of one process. Close it when the process ends."""

    settings: Settings
    db: Database
    gateway: SmsGateway
    services: registry.Services
    receiving: Receiving
    router: Router
    intake: Intake
    dispatching: Dispatching
    reporting: Reporting
    polling: Polling
    reconciling: Reconciling
    calls: Calls
    numbers: Numbers
    joining: Joining
    number_care: NumberCare
    beat: Beat
    processes: Processes
    watching: Watching

    async def require_safe_start(self) -> None:
        """Raises BadSettings for a carrier without an account, for a database of another version, and for a
        demonstration with a real carrier.

        A demonstration's families are invented, and nobody real may be texted from it.
        """
        self.settings.require_account()
        self.settings.require_key_for_providers()
        if not await migrations.is_current(self.db):
            raise BadSettings(NOT_MIGRATED)
        async with self.db.reading() as session:
            demonstration = await session.scalar(select(col(District.demonstration)))
        if demonstration and not self.settings.carrier_is_loopback:
            raise BadSettings(NOT_LOOPBACK)
        await self.services.second_steps.renew_secrets()

    def require_spool(self) -> None:
        """Raises BadSettings when a web process could keep nothing while the database is away."""
        try:
            self.intake.spool.require_writable()
        except OSError as error:
            raise BadSettings(NO_SPOOL.format(folder=self.intake.spool.folder, why=error.strerror)) from None

    async def close(self) -> None:
        await self.router.rest()
        await self.gateway.aclose()
        await self.beat.db.close()
        await self.db.close()


def wire(settings: Settings, gateway: SmsGateway | None = None, kind: ProcessKind = ProcessKind.WEB) -> Wired:
    db = Database(settings.database)
    gateway = gateway or TwilioGateway(settings)
    receiving, reporting = Receiving(db), Reporting(db)
    router = Router(receiving)
    services, processes = build_services(db, settings), Processes(db)
    beat = Beat(Database(settings.database, pool_size=1), kind, figures.taken)
    return Wired(
        settings=settings,
        db=db,
        gateway=gateway,
        services=services,
        receiving=receiving,
        router=router,
        intake=Intake(db, Spool(settings.spool), webhooks.read_for(router.keep, reporting.report)),
        dispatching=Dispatching(
            db, gateway, Leasing(db, beat.id), rates_of(settings), timedelta(seconds=settings.look_after_seconds)
        ),
        reporting=reporting,
        polling=Polling(db, gateway, reporting, receiving),
        reconciling=Reconciling(db, gateway, reporting, receiving),
        calls=Calls(db),
        numbers=Numbers(db, gateway, limits_of(settings)),
        joining=Joining(db, gateway),
        number_care=NumberCare(db, gateway, limits_of(settings)),
        beat=beat,
        processes=processes,
        watching=Watching(db, processes, services.queues, beat),
    )


def build_services(db: Database, settings: Settings) -> registry.Services:
    idle = timedelta(seconds=settings.session_idle_seconds)
    absolute = timedelta(seconds=settings.session_absolute_seconds)
    sessions = Sessions(db, idle, absolute)
    links, leaving = AccountLinks(db, sessions, settings.address), Leaving(db)
    secrets, tickets = (Vault(settings.secret_keys, purpose) for purpose in (Purpose.SECOND_STEP, Purpose.SET_UP))
    second_steps = SecondSteps(db, sessions, secrets, tickets)
    return registry.Services(
        sessions=sessions,
        second_steps=second_steps,
        identities=Identities(db, sessions),
        own_password=OwnPassword(db),
        inboxes=Inboxes(db),
        threads=Threads(db),
        unsubscribing=Unsubscribing(db),
        sending=Sending(db, limits_of(settings)),
        receiving=Receiving(db),
        tying=Tying(db),
        finding=Finding(db),
        audit_log=AuditLog(db),
        staff=StaffAccounts(db, links, leaving),
        account_links=links,
        leaving=leaving,
        roles=Roles(db, second_steps),
        schools=Schools(db, limits_of(settings)),
        groups=Groups(db),
        number_admin=NumberAdmin(db, limits_of(settings), settings.segment_price),
        alerts=Alerts(db),
        reconciliations=Reconciliations(db),
        staff_directory=StaffDirectory(db),
        explaining=Explaining(db, Oversight(db)),
        assignments=Assignments(db),
        assignment_lists=AssignmentLists(db),
        oversight=Oversight(db),
        queues=Queues(db, rates_of(settings)),
        lanes=Lanes(db),
        announcing=Announcing(db, limits_of(settings), rates_of(settings)),
    )


def rates_of(settings: Settings) -> Rates:
    return Rates(
        settings.sender_segments_per_second,
        settings.campaign_segments_per_second,
        settings.account_segments_per_second,
    )


def limits_of(settings: Settings) -> Limits:
    """How many numbers the district rents."""
    return Limits(
        personal=settings.personal_number_cap,
        per_campaign=settings.numbers_per_campaign,
        pool=settings.pool_per_campaign,
        price=settings.number_price,
        spending=settings.monthly_spending_cap,
    )


def crew_of(wired: Wired) -> Crew:
    """What a worker works with."""
    return Crew(
        dispatching=wired.dispatching,
        polling=wired.polling,
        reconciling=wired.reconciling,
        receiving=wired.receiving,
        numbers=wired.numbers,
        joining=wired.joining,
        number_care=wired.number_care,
        sessions=wired.services.sessions,
        sealing=Sealing(wired.db),
        unsubscribing=wired.services.unsubscribing,
        turned=wired.beat.turned,
    )


async def run_worker(settings: Settings) -> None:
    """Until it is cancelled."""
    wired = wire(settings, kind=ProcessKind.WORKER)
    await until_safe(wired)
    worker = Worker(crew_of(wired), partial(locks.held, wired.db), settings.poll_seconds)
    feed = Feed(wired.db.url, partial(_wake_for, worker, wired.router), partial(_wake, worker))
    beside = [asyncio.create_task(work) for work in (feed.run(), wired.beat.run())]
    try:
        await worker.run()
    finally:
        for task in beside:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await wired.close()


async def until_safe(wired: Wired) -> None:
    """Waits for the database. Raises BadSettings when this process must not work with it."""
    while True:
        try:
            return await wired.require_safe_start()
        except Unavailable:
            log.warning("start: the database is away, trying again")
            await asyncio.sleep(1)


async def _wake_for(worker: Worker, router: Router, change: Change) -> None:
    """Where one text has come, others may wait that a web process has no time for."""
    if change.kind in WAKING:
        worker.hear()
    elif change.kind is ChangeKind.STATUS:
        worker.wake()
    if change.kind is ChangeKind.MESSAGE:
        router.wake()


async def _wake(worker: Worker) -> None:
    worker.wake()


def migrate(settings: Settings) -> None:
    """Brings the database to the newest shape."""
    migrations.upgrade(settings.database)


async def require_demonstration(settings: Settings) -> None:
    """Raises BadSettings unless the database is empty or a demonstration, and the carrier a simulator here.

    A demonstration's worker would hand a real district's texts to the simulator, which delivers them to nobody.
    """
    if not settings.carrier_is_loopback:
        raise BadSettings(NOT_LOOPBACK)
    db = Database(settings.database)
    try:
        async with db.reading() as session:
            if await session.scalar(text("SELECT to_regclass('district')")) is None:
                return
            if await session.scalar(select(col(District.id)).where(~col(District.demonstration)).limit(1)):
                raise BadSettings(REAL_DISTRICT)
    finally:
        await db.close()


async def examine(settings: Settings) -> AsyncIterator[tuple[str, doctor.Finding]]:
    """``tp-inbox doctor``: one finding after the other, each with the name of its step."""
    db, desk = Database(settings.database), TwilioDesk(settings)
    try:
        async for found in doctor.examine(Checkup(settings, db, Spool(settings.spool), desk).steps()):
            yield found
    finally:
        await desk.aclose()
        await db.close()


RUNS_ALREADY = "A comparison is running already. What it finds is shown under Admin, Numbers."
CARRIER_AWAY = "The carrier does not answer. Please try again in some minutes; what was mended stays so."


async def run_reconciliation(settings: Settings, since: date | None = None) -> str:
    """``tp-inbox reconcile``: compares both ledgers from that day on, and says what was found. Raises a Refusal."""
    wired = wire(settings)
    try:
        await wired.require_safe_start()
        async with locks.held(wired.db, RECONCILED) as ours:
            if not ours:
                return RUNS_ALREADY
            start = await wired.reconciling.start_of(since) if since else None
            return str(await wired.reconciling.reconcile(start))
    except CarrierAway:
        raise Unavailable(CARRIER_AWAY) from None
    finally:
        await wired.close()


async def verify_audit_log(settings: Settings, head: str) -> Report:
    """``tp-inbox audit verify``."""
    db = Database(settings.database)
    try:
        return await Sealing(db).verify(head)
    finally:
        await db.close()


async def run_audit_command(settings: Settings, before: date | None = None) -> str:
    """``tp-inbox audit seal`` and, with a day, ``forget-names``: does it, and says in a sentence what was done."""
    db = Database(settings.database)
    try:
        if before is None:
            return f"Entries that were sealed: {await Sealing(db).seal():,}"
        moment = datetime.combine(before, time.min, UTC)
        return f"Entries from before {before} whose names were removed: {await Sealing(db).remove_names(moment):,}"
    finally:
        await db.close()


WAKING = frozenset({ChangeKind.MESSAGE, ChangeKind.INBOX, ChangeKind.ALERT})
"""After these something new may be due: one text, many texts, or a lane that goes on."""

CAN_SIGN_IN = "{email} can sign in with this password: {password}"


SECOND_STEP_GONE = "is signed out everywhere; the old app and the old recovery codes are of no use any more."


async def run_district_command(settings: Settings, name: str, time_zone: str) -> str:
    """``tp-inbox district``: names the district, and says in a sentence what was done. Raises a Refusal."""
    db = Database(settings.database)
    try:
        fresh = await build_services(db, settings).schools.found_district(name, time_zone)
        return f"{name} is there." if fresh else f"The district is now called {name}, in the time zone {time_zone}."
    finally:
        await db.close()


async def run_school_command(
    settings: Settings, name: str, area_code: str, time_zone: str, office_phone: str = ""
) -> str:
    """``tp-inbox school add``: makes a school, and says in a sentence what was done. Raises a Refusal."""
    db = Database(settings.database)
    schools = build_services(db, settings).schools
    try:
        await schools.create(None, SchoolFields(name, time_zone or await schools.usual_zone(), area_code, office_phone))
        return f"{name} is there, with its shared inbox."
    finally:
        await db.close()


async def run_staff_command(
    settings: Settings,
    action: str,
    email: str,
    name: str = "",
    title: str = "",
    role: str = "",
    school: str | None = None,
) -> str:
    """``tp-inbox staff``: does it, and says in a sentence what was done. Raises a Refusal."""
    db = Database(settings.database)
    services = build_services(db, settings)
    accounts = services.staff
    try:
        match action:
            case "add":
                return CAN_SIGN_IN.format(email=email, password=await accounts.add(email, name, title, role, school))
            case "reset-password":
                return CAN_SIGN_IN.format(email=email, password=await accounts.reset_password(email))
            case "link":
                return f"{email} chooses a password here, once: {(await accounts.link(email)).url}"
            case "give":
                await accounts.give(email, role, school)
                return f"{email} is now {role} at {school or 'the district'}, too."
        acts = {
            "disable": (accounts.disable, "is signed out everywhere and cannot sign in."),
            "enable": (accounts.enable, "can sign in again."),
            "reset-second-step": (services.second_steps.reset_by_the_server, SECOND_STEP_GONE),
        }
        act, told = acts[action]
        await act(email)
        return f"{email} {told}"
    finally:
        await db.close()
