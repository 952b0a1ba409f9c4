"""What ``tp-inbox doctor`` looks at, in the order in which one thing rests on another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import func, select, text
from sqlmodel import col

from tp_inbox.domain.operating import ProcessKind
from tp_inbox.services.doctor import (
    Desk,
    Finding,
    Knock,
    OwnNumber,
    OwnService,
    Registration,
    Step,
    hint,
    ok,
    problem,
)
from tp_inbox.services.processes import Processes
from tp_inbox.services.watching import seconds_since_poll
from tp_inbox.settings import LOOPBACK, MINUTE, BadSettings, Settings
from tp_inbox.storage import migrate
from tp_inbox.storage.database import Database
from tp_inbox.storage.spool import Spool
from tp_inbox.storage.tables import Alert, Campaign, Number, School
from tp_inbox.storage.tables.messages import NumberState

OLDEST_POSTGRESQL = 150_000
"""As ``server_version_num`` has it."""
CLOCK_SECONDS = 60.0
"""Apart: a look at the carrier's list for what has just been sent could pass it by."""
LATE_POLLS = 3
MOST_NAMED = 5
BOUGHT = (NumberState.ACTIVE, NumberState.STOPPED, NumberState.QUARANTINED)
THE_DISTRICT = "the district"
SETTINGS, DATABASE, ACCOUNT, NUMBERS = "Settings", "Database", "Account", "Numbers"
ADDRESS = "Public address"


@dataclass(frozen=True, slots=True)
class Checkup:
    settings: Settings
    db: Database
    spool: Spool
    desk: Desk

    def steps(self) -> Sequence[Step]:
        database, account = frozenset({DATABASE}), frozenset({ACCOUNT})
        return (
            Step(SETTINGS, self._settings),
            Step(DATABASE, self._database),
            Step("Spool", self._spool),
            Step(ADDRESS, self._address),
            Step("Webhooks", self._webhooks, frozenset({ADDRESS})),
            Step(ACCOUNT, self._account, frozenset({SETTINGS})),
            Step("Clock", self._clock, account),
            Step(NUMBERS, self._numbers, database | account),
            Step("Campaigns", self._campaigns, database | account),
            Step("Processes", self._processes, database),
            Step("Alerts", self._alerts, database),
        )

    async def _settings(self) -> Sequence[Finding]:
        try:
            self.settings.require_account()
            self.settings.require_key_for_providers()
        except BadSettings as wrong:
            return [problem(str(wrong), "Set it for every process, and start them again.")]
        found = [*self._address_is_plausible()]
        if not self.settings.secret_keys:
            found.append(
                hint("SECRET_KEY is not set, so nobody can use two-step sign-in.", "Make one: openssl rand -hex 32")
            )
        if self.settings.twilio_base_url:
            found.append(hint("TWILIO_BASE_URL is set: this is not Twilio itself.", "Leave it out for a real account."))
        return found or [ok("What has to be set is set.")]

    def _address_is_plausible(self) -> Iterable[Finding]:
        at = urlsplit(self.settings.address)
        if self.settings.carrier_is_loopback:
            return
        if not self.settings.public_url or at.hostname in LOOPBACK:
            yield problem(
                "PUBLIC_URL does not name an address that Twilio can call.",
                "Set it to the address in the browser, for example https://texts.district.org",
            )
        elif at.scheme != "https":
            yield problem(
                "PUBLIC_URL does not begin with https://, so families' texts would travel in the open.",
                "Put a proxy with a certificate in front, and name its address.",
            )

    async def _database(self) -> Sequence[Finding]:
        async with self.db.reading() as session:
            version = int(await session.scalar(text("SHOW server_version_num")) or 0)
        if version < OLDEST_POSTGRESQL:
            return [problem(f"This PostgreSQL is too old ({version // 10_000}).", "Use version 15 or newer.")]
        if not await migrate.is_current(self.db):
            return [problem("The database does not have the shape that this version needs.", "Run: tp-inbox migrate")]
        return [ok(f"PostgreSQL {version // 10_000} answers, and has the shape that this version needs.")]

    async def _spool(self) -> Sequence[Finding]:
        folder = self.spool.folder
        try:
            await asyncio.to_thread(self.spool.require_writable)
        except OSError as error:
            return [
                problem(
                    f"The spool {folder} cannot be written: {error.strerror}.",
                    "Let the user of the service write there, or name another folder in SPOOL_DIR.",
                )
            ]
        if waiting := self.spool.waiting():
            return [hint(f"{waiting:,} webhooks wait in {folder}.", "They go in as soon as a web process runs.")]
        return [ok(f"Webhooks can wait in {folder} while the database is away.")]

    async def _address(self) -> Sequence[Finding]:
        if await self.desk.answers():
            return [ok(f"{self.settings.address} answers.")]
        return [
            problem(
                f"Something answers at {self.settings.address}, but not tp-inbox.",
                "Compare PUBLIC_URL with the address in the browser, and look where the proxy leads.",
            )
        ]

    async def _webhooks(self) -> Sequence[Finding]:
        match await self.desk.knock():
            case Knock.HEARD:
                return [ok("A signed webhook to our own address is accepted.")]
            case Knock.NOT_SIGNED:
                return [
                    problem(
                        "A signed webhook to our own address is taken for forged.",
                        "PUBLIC_URL has to be the address as Twilio calls it, to the letter; the proxy has to leave"
                        " path, query and body as they come; and every web process needs the same TWILIO_AUTH_TOKEN.",
                    )
                ]
            case Knock.ELSEWHERE:
                return [
                    problem(
                        "Webhooks to our own address do not come to tp-inbox.",
                        "Let the proxy pass on POST /twilio/inbound and /twilio/status, without a sign-in of its own.",
                    )
                ]

    async def _account(self) -> Sequence[Finding]:
        account = await self.desk.account()
        if not account.active:
            return [problem("The account at Twilio is suspended or closed.", "See Twilio's console for the reason.")]
        if account.trial:
            return [
                problem(
                    "This is a trial account: it reaches verified numbers only (code 21608), and holds one number.",
                    "Upgrade the account in Twilio's console.",
                )
            ]
        return [ok("Twilio takes our SID and token, and the account is active.")]

    async def _clock(self) -> Sequence[Finding]:
        apart = await self.desk.clock_seconds()
        if abs(apart) > CLOCK_SECONDS:
            said = f"This machine's clock and Twilio's are {abs(apart):.0f} seconds apart."
            return [problem(said, "Let the machine keep its time by NTP (timedatectl set-ntp true).")]
        return [ok("This machine's clock is right.")]

    async def _numbers(self) -> Sequence[Finding]:
        ours, theirs = await self._our_numbers(), {number.sid: number for number in await self.desk.numbers()}
        found = [*_missing(ours, theirs), *_astray(ours, theirs), *_unable(ours), *_unknown(ours, theirs)]
        return found or [ok(f"{_so_many(len(ours), 'number')}: Twilio has each, and texts to them come to us.")]

    async def _campaigns(self) -> Sequence[Finding]:
        ours, found = await self._our_numbers(), []
        for campaign, name in await self._our_campaigns():
            if numbers := [number for number in ours if number.campaign_id == campaign.id]:
                found += await self._campaign(campaign, name, numbers)
        return found or [ok("No number has been bought yet, so there is no campaign to look at.")]

    async def _campaign(self, campaign: Campaign, name: str, numbers: Sequence[Number]) -> Sequence[Finding]:
        if campaign.sid is None:
            advice = campaign.problem or "The worker makes it. If it does not, look for an alert under Admin."
            return [problem(f"The Messaging Service of {name} is not made yet.", advice)]
        service = await self.desk.service(campaign.sid)
        if service is None:
            said = f"Twilio does not have the Messaging Service of {name} ({campaign.sid})."
            return [problem(said, "It was deleted in the console. Ask for help before any text is sent from there.")]
        found = [*_outside(service, name, numbers), *_turned_away(service, name, campaign.sid)]
        if self.settings.country == "US":
            found += _unregistered(service.registration, name)
        return found or [ok(f"The Messaging Service of {name} holds its {_so_many(len(numbers), 'number')}.")]

    async def _processes(self) -> Sequence[Finding]:
        running = await Processes(self.db).alive()
        workers = [process for process in running if process.kind is ProcessKind.WORKER]
        if not workers:
            return [problem("No worker is running: no text leaves.", "Start one: tp-inbox worker")]
        if not any(worker.turning for worker in workers):
            return [problem("The worker hangs: no text leaves.", "Start it again, and look into its log.")]
        late = await self._poller_is_late()
        web = len(running) - len(workers)
        return late or [ok(f"Running: {_so_many(len(workers), 'worker')}, {_so_many(web, 'web process')}.")]

    async def _poller_is_late(self) -> Sequence[Finding]:
        async with self.db.reading() as session:
            seconds = await seconds_since_poll(session)
        if seconds is not None and seconds < self.settings.poll_seconds * LATE_POLLS + MINUTE:
            return []
        said = (
            "Twilio has never been asked for news" if seconds is None else f"Twilio was last asked {seconds:.0f} s ago"
        )
        return [problem(f"{said}: reports that got lost are not found.", "Look into the worker's log.")]

    async def _alerts(self) -> Sequence[Finding]:
        standing = select(col(Alert.sentence)).where(col(Alert.settled_at).is_(None)).order_by(col(Alert.first_at))
        async with self.db.reading() as session:
            found = [hint(sentence, "It stands under Admin, Alerts.") for sentence in await session.scalars(standing)]
        return found or [ok("No alert stands.")]

    async def _our_numbers(self) -> Sequence[Number]:
        bought = col(Number.sid).is_not(None), col(Number.state).in_(BOUGHT)
        async with self.db.reading() as session:
            return (await session.scalars(select(Number).where(*bought).order_by(col(Number.id)))).all()

    async def _our_campaigns(self) -> Sequence[tuple[Campaign, str]]:
        name = func.coalesce(col(School.name), THE_DISTRICT)
        query = select(Campaign, name).outerjoin(School, col(School.id) == col(Campaign.school_id))
        async with self.db.reading() as session:
            return [(campaign, name) for campaign, name in await session.execute(query.order_by(col(Campaign.id)))]


def _missing(ours: Sequence[Number], theirs: dict[str, OwnNumber]) -> Iterable[Finding]:
    if gone := [number.e164 for number in ours if number.sid not in theirs]:
        yield problem(
            f"Twilio does not have {_named(gone)}.",
            "They were given back in the console, or belong to another account. Look under Admin, Numbers.",
        )


def _astray(ours: Sequence[Number], theirs: dict[str, OwnNumber]) -> Iterable[Finding]:
    there = [(number.e164, theirs[number.sid]) for number in ours if number.sid in theirs]
    if astray := [e164 for e164, found in there if not found.leads_here]:
        yield problem(
            f"Texts to {_named(astray)} do not come to us: their webhook leads elsewhere.",
            "Set it in the console to the address of PUBLIC_URL with /twilio/inbound; the worker mends what it finds.",
        )
    if mute := [e164 for e164, found in there if not found.takes_texts]:
        yield problem(f"{_named(mute)} cannot carry texts.", "Give them back and let the app buy others.")


def _unable(ours: Sequence[Number]) -> Iterable[Finding]:
    for number in ours:
        if number.state is NumberState.STOPPED:
            yield problem(f"{number.e164} is stopped: {number.problem}", "Mend it, then use it again under Admin.")


def _unknown(ours: Sequence[Number], theirs: dict[str, OwnNumber]) -> Iterable[Finding]:
    known = {number.sid for number in ours}
    if strange := [number.e164 for sid, number in theirs.items() if sid not in known]:
        yield hint(
            f"Twilio has {_named(strange)} on this account, which tp-inbox does not use.",
            "If nobody else does, give them back in the console: each costs something every month.",
        )


def _outside(service: OwnService, name: str, numbers: Sequence[Number]) -> Iterable[Finding]:
    if outside := [number.e164 for number in numbers if number.sid not in service.numbers]:
        yield problem(
            f"{_named(outside)} are not in the Messaging Service of {name}: texts from there may be blocked.",
            "The worker puts them in. If it does not, look for an alert under Admin.",
        )


def _turned_away(service: OwnService, name: str, sid: str) -> Iterable[Finding]:
    if not service.keeps_webhooks:
        yield problem(
            f"The Messaging Service of {name} ({sid}) keeps incoming texts from us.",
            "In the console, under Integration, choose: Defer to sender's webhook.",
        )


def _unregistered(registration: Registration, name: str) -> Iterable[Finding]:
    match registration:
        case Registration.MISSING:
            yield problem(
                f"The Messaging Service of {name} is not registered (A2P 10DLC): US carriers block its texts (30034).",
                "Register a campaign for it in the console, under Messaging, Regulatory compliance. It takes weeks.",
            )
        case Registration.REFUSED:
            yield problem(
                f"The registration of {name} (A2P 10DLC) was refused: US carriers block its texts.",
                "The console tells why. Mend the campaign there and hand it in again.",
            )
        case Registration.WAITING:
            yield hint(
                f"The registration of {name} (A2P 10DLC) is being looked at.",
                "Until it is approved, texts to US phones may be blocked (30034). Nothing to do but wait.",
            )
        case Registration.APPROVED:
            return


def _named(numbers: Sequence[str | None]) -> str:
    """The first of them; numbers of ours are no secret to whoever runs the server."""
    named = ", ".join(str(number) for number in numbers[:MOST_NAMED])
    return f"{named} and {len(numbers) - MOST_NAMED:,} more" if len(numbers) > MOST_NAMED else named


def _so_many(count: int, what: str) -> str:
    plural = "es" if what.endswith("s") else "s"
    return f"{count:,} {what}{'' if count == 1 else plural}"
