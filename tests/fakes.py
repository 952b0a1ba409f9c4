"""Hand-written stand-ins for what lies outside, at the narrow ports where it is met."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum, auto

from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.services.ports import (
    Accepted,
    Ambiguous,
    BoughtNumber,
    CarrierAway,
    CarrierNumber,
    CarrierText,
    Handover,
    NotAccepted,
    NumberRefused,
    OutgoingText,
    ServiceFull,
    ServiceGone,
    ServiceRefused,
)

FOR_SALE = tuple(f"+1{area}5550{line}" for area in ("202", "303") for line in range(100, 200))


class Loss(Enum):
    """A send whose answer never comes."""

    BEFORE = auto()
    """The carrier never saw the text."""
    AFTER = auto()
    """The carrier has it."""


class FakeGateway:
    """An SmsGateway in memory. It takes every text until ``script`` or ``refuse`` say otherwise.

    ``sent`` are the texts as they were handed over, in order, refused ones too; ``ledger`` is what the carrier has.
    With ``any_sender=False`` only bought numbers may send, as at the real one.
    """

    def __init__(
        self,
        for_sale: Iterable[str] = FOR_SALE,
        *,
        any_sender: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.sent: list[OutgoingText] = []
        self.ledger: dict[str, CarrierText] = {}
        self.bought: dict[str, BoughtNumber] = {}
        self.labels: dict[str, str] = {}
        self.services: dict[str, set[str]] = {}
        self.released: list[str] = []
        self.elsewhere: set[str] = set()
        """SIDs of numbers whose webhooks lead somewhere else."""
        self.service_size = 400
        self.away = False
        self.page_size, self.pages = 1_000, 0
        """Of its list, and how many were asked for."""
        self.sells: NumberRefused | None = None
        self._for_sale = list(for_sale)
        self._service_sids: dict[str, str] = {}
        self._any_sender = any_sender
        self._script: deque[Handover | Loss] = deque()
        self._refused: dict[str, NotAccepted] = {}
        self._opted_out: set[tuple[str, str]] = set()
        self._count = itertools.count(1)
        self._now = now

    def script(self, *outcomes: Handover | Loss) -> None:
        """What the next sends come to, in this order; afterwards everything is taken again."""
        self._script.extend(outcomes)

    def refuse(self, recipient: str, reason: FailureReason, *, retry: bool = False, stop_sender: bool = False) -> None:
        """Every text to this number is refused from now on."""
        self._refused[recipient] = NotAccepted(reason, "refused", retry=retry, stop_sender=stop_sender)

    def sells_nothing(self, reason: str = "No numbers today.", *, retry: bool = False) -> None:
        self.sells = NumberRefused(reason, retry=retry)

    def reports(self, sid: str, state: DeliveryState, reason: FailureReason | None = None) -> CarrierText:
        """Moves a text on in the carrier's ledger."""
        self.ledger[sid] = replace(self.ledger[sid], state=state, reason=reason, sent_at=self._now())
        return self.ledger[sid]

    def family_texts(self, sender: str, recipient: str, body: str) -> CarrierText:
        """A family writes to one of our numbers; STOP and START are honoured as the carrier does."""
        if body.strip().casefold() in {"stop", "start"}:
            change = self._opted_out.add if body.strip().casefold() == "stop" else self._opted_out.discard
            change((recipient, sender))
        return self._recorded(sender, recipient, body, DeliveryState.RECEIVED)

    async def send(self, text: OutgoingText) -> Handover:
        self.sent.append(text)
        outcome = self._script.popleft() if self._script else self._refusal(text)
        if outcome is Loss.BEFORE:
            return Ambiguous(None)
        if isinstance(outcome, (NotAccepted, Ambiguous, Accepted)):
            return outcome
        taken = self._recorded(text.sender, text.recipient, text.body, DeliveryState.ACCEPTED)
        return Ambiguous(None) if outcome is Loss.AFTER else Accepted(taken)

    async def find(self, text: OutgoingText, since: datetime, known: Collection[str]) -> CarrierText | None:
        self._must_be_there()
        for theirs in self.ledger.values():
            same = (theirs.sender, theirs.recipient, theirs.body) == (text.sender, text.recipient, text.body)
            if same and not theirs.inbound and theirs.sid not in known and (theirs.created_at or since) >= since:
                return theirs
        return None

    async def texts_since(self, since: datetime, until: datetime | None = None) -> AsyncIterator[CarrierText]:
        self._must_be_there()
        dated = [(t.sent_at, t) for t in self.ledger.values() if t.sent_at]
        told = [(at, t) for at, t in dated if since <= at and (until is None or at <= until)]
        self.pages += 1
        for place, (_, text) in enumerate(sorted(told, key=lambda pair: pair[0], reverse=True), start=1):
            yield text
            self.pages += place % self.page_size == 0  # like the real one, which says only then that there is no more

    async def fetch(self, sid: str) -> CarrierText | None:
        self._must_be_there()
        return self.ledger.get(sid)

    async def available_number(self, area_code: str | None) -> str:
        self._must_be_there()
        left = [number for number in self._for_sale if number not in self.bought]
        if self.sells or not left:
            raise self.sells or NumberRefused("No number is left.", retry=True)
        return next((number for number in left if area_code and number.startswith(f"+1{area_code}")), left[0])

    async def buy_number(self, e164: str, label: str) -> BoughtNumber:
        self._must_be_there()
        if e164 not in self.bought and (self.sells or e164 not in self._for_sale):
            raise self.sells or NumberRefused("That number is not for sale.", retry=True)
        self.labels[e164] = label
        return self.bought.setdefault(e164, BoughtNumber(f"PN{next(self._count):032x}", e164))

    async def our_numbers(self) -> list[CarrierNumber]:
        self._must_be_there()
        return [
            CarrierNumber(n.sid, n.e164, self.labels.get(n.e164, ""), "", "", leads_here=n.sid not in self.elsewhere)
            for n in self.bought.values()
        ]

    async def lead_here(self, number_sid: str) -> None:
        self._must_be_there()
        self.elsewhere.discard(number_sid)

    async def release_number(self, number_sid: str) -> None:
        self._must_be_there()
        self.released.append(number_sid)
        self.bought = {e164: number for e164, number in self.bought.items() if number.sid != number_sid}
        for members in self.services.values():
            members.discard(number_sid)

    async def make_service(self, label: str) -> str:
        self._must_be_there()
        sid = self._service_sids.setdefault(label, f"MG{len(self._service_sids) + 1:032x}")
        self.services.setdefault(sid, set())
        return sid

    async def put_into_service(self, service_sid: str, number_sid: str, ours: Collection[str]) -> None:
        members = await self._members(service_sid)
        if number_sid in members:
            return
        before = next((sid for sid, there in self.services.items() if number_sid in there), None)
        if before and before not in ours:
            raise ServiceRefused("This number is in a service that is not ours.")
        if len(members) >= self.service_size:
            raise ServiceFull("The service is full.")
        if before:
            self.services[before].discard(number_sid)
        members.add(number_sid)

    async def numbers_in(self, service_sid: str) -> frozenset[str]:
        return frozenset(await self._members(service_sid))

    def forget_services(self) -> None:
        """Somebody deletes them all in the carrier's console."""
        self.services.clear()
        self._service_sids = {f"deleted {label}": sid for label, sid in self._service_sids.items()}

    async def _members(self, service_sid: str) -> set[str]:
        self._must_be_there()
        if service_sid not in self.services:
            raise ServiceGone("There is no such service.")
        return self.services[service_sid]

    async def aclose(self) -> None:
        return None

    def _refusal(self, text: OutgoingText) -> NotAccepted | None:
        if not self._any_sender and text.sender not in self.bought:
            return NotAccepted(FailureReason.SENDER_NOT_READY, "not ours", retry=False, stop_sender=True)
        if (text.sender, text.recipient) in self._opted_out:
            return NotAccepted(FailureReason.OPTED_OUT, "opted out", retry=False)
        return self._refused.get(text.recipient)

    def _recorded(self, sender: str, recipient: str, body: str, state: DeliveryState) -> CarrierText:
        inbound, now = state is DeliveryState.RECEIVED, self._now()
        sid = f"SM{next(self._count):032x}"
        # Like the real one: what waits in the carrier's queue has no time of sending yet.
        sent_at = now if inbound else None
        self.ledger[sid] = CarrierText(
            sid, inbound, sender, recipient, body, state, None, None, 0, sent_at, created_at=now
        )
        return self.ledger[sid]

    def _must_be_there(self) -> None:
        if self.away:
            raise CarrierAway("scripted")
