"""The carrier between the district and the family phones: moves texts along and brings answers back."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .announcer import Announcer
from .background import Background
from .config import Seconds, SimulatorConfig
from .courier import Outcome
from .errors import ENDS
from .faults import Trouble
from .fiction import fate_of
from .hub import Hub
from .keywords import ANSWERS, Keyword, keyword_in
from .messages import Message, MessageLog
from .numbers import Number, Numbers, OptOuts
from .segments import count_segments
from .webhooks import inbound_form, inbound_webhook

log = logging.getLogger("simulator.carrier")

EXPIRED, UNREGISTERED = 30036, 30034
FINAL = ("delivered", "undelivered", "failed")


@dataclass(frozen=True)
class Step:
    """One change of status and what it takes to get there."""

    status: str
    wait: Seconds
    error_code: int | None = None

    @property
    def is_last(self) -> bool:
        return self.status in FINAL


class Carrier:
    """Works from start() to stop(); what it was doing when it stopped goes on at the next start."""

    def __init__(
        self,
        config: SimulatorConfig,
        messages: MessageLog,
        numbers: Numbers,
        opt_outs: OptOuts,
        announcer: Announcer,
        trouble: Trouble,
        background: Background,
        hub: Hub,
    ) -> None:
        self._config = config
        self._messages = messages
        self._numbers = numbers
        self._opt_outs = opt_outs
        self._announcer = announcer
        self._trouble = trouble
        self._background = background
        self._hub = hub
        self._chance = random.Random()
        self._last: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def start(self) -> None:
        await self._announcer.start()
        for message in self._messages.on_the_way():
            self.take(message)

    async def stop(self) -> None:
        await self._background.stop()
        await self._announcer.stop()

    def take(self, message: Message) -> None:
        """Carries an outbound text to its family phone, in the background.

        Texts from one sender to one phone appear there in the order in which they were taken.
        """
        way = (message.sender or message.service_sid or "", message.recipient)
        carrying = self._last[way] = self._background.start(self._carry(message, self._last.get(way)))
        carrying.add_done_callback(lambda _: self._last.pop(way) if self._last.get(way) is carrying else None)

    async def bring(
        self, sender: str, to: Number, body: str, pictures: Sequence[tuple[str, bytes]]
    ) -> tuple[str, Outcome]:
        """Brings a family's text to our number; returns its SID and what the webhook came to.

        The text is on the phone, and a keyword has taken effect, before the webhook is called.
        """
        service = self._numbers.service(to.service_sid) if to.service_sid else None
        webhook = inbound_webhook(to, service)
        message = self._messages.add_inbound(
            sender=sender,
            to=to.phone_number,
            body=body,
            pictures=pictures,
            service_sid=to.service_sid,
            listed=webhook is not None,
        )
        self._show(message)
        keyword = self._obey(message, to)
        if webhook is None:
            log.warning(
                "%s went nowhere: its Messaging Service has no inbound address, or its number an application",
                message.sid,
            )
            return message.sid, Outcome(None, "no webhook", tries=0)
        form = inbound_form(self._config, message, self._messages.media_of(message.sid), keyword)
        return message.sid, await self._announcer.announce(message, form, webhook)

    async def _carry(self, message: Message, before: asyncio.Task[None] | None) -> None:
        reports = self._announcer.reports()
        for step in self._route(message):
            await self._wait(step.wait)
            if step.status == "delivered" and before:
                await asyncio.wait([before])
            changed = self._advance(message, step)
            if changed is None:
                break
            message = changed
            reports.tell(message, is_last=step.is_last)
        reports.release()

    def _route(self, message: Message) -> Iterator[Step]:
        """The steps that a text still has before it."""
        delays = self._config.delays
        if message.status == "accepted":
            yield Step("queued", delays.queued)
        if message.validity and message.validity < delays.sending[0] + delays.sent[0]:
            yield Step("failed", (message.validity, message.validity), EXPIRED)
            return
        if message.status in ("accepted", "queued"):
            yield Step("sending", delays.sending)
        if message.status != "sent":
            yield Step("sent", delays.sent)
        yield self._end(message)

    def _end(self, message: Message) -> Step:
        # A Messaging Service has chosen the sender on the way.
        sender = message.sender or (self._messages.get(message.sid) or message).sender
        trouble, fate = self._trouble.end(sender, message.recipient, message.body), fate_of(message.recipient)
        delay = self._config.delays.delivered
        if trouble:
            status, code = trouble
            return Step(status, delay, code)
        if not self._numbers.is_registered(sender):
            return Step("undelivered", delay, UNREGISTERED)
        if fate and fate.status:
            return Step(fate.status, delay, fate.code)
        return Step("delivered", delay)

    def _advance(self, message: Message, step: Step) -> Message | None:
        """The text after the step; None for one that was cancelled or deleted meanwhile."""
        changes: dict[str, object] = {"status": step.status}
        if step.error_code:
            changes |= {
                "error_code": step.error_code,
                "error_message": ENDS.get(step.error_code, f"Error {step.error_code}"),
            }
        if step.status == "queued":
            changes |= {
                "sender": message.sender or self._choose_sender(message),
                "num_segments": count_segments(message.body),
            }
        if step.status == "sent":
            changes["sent"] = int(time.time())
        if step.status == "delivered":
            changes["shown_at"] = time.time()
        changed = self._messages.move(message.sid, **changes)
        if changed and step.status == "delivered":
            self._show(changed)
        return changed

    def _choose_sender(self, message: Message) -> str:
        """The sticky sender of the service, else its first number; empty when it has none any more."""
        pool = [member.phone_number for member in self._numbers.members(message.service_sid or "")]
        if not pool:
            return ""
        return self._messages.last_sender(message.recipient, pool) or pool[0]

    def _obey(self, message: Message, number: Number) -> Keyword | None:
        """Blocks or unblocks, and answers where that was news: a Yes in a conversation is only a Yes."""
        keyword, ours = keyword_in(message.body), self._numbers.siblings(number)
        news = {
            None: lambda: False,
            Keyword.STOP: lambda: self._opt_outs.block(ours, message.sender),
            Keyword.START: lambda: self._opt_outs.unblock(ours, message.sender),
            Keyword.HELP: lambda: True,
        }[keyword]()
        if keyword and news:
            self._background.start(self._answer(number.phone_number, message.sender, ANSWERS[keyword]))
        return keyword

    async def _answer(self, sender: str, to: str, body: str) -> None:
        await self._wait(self._config.delays.confirmation)
        self._show(self._messages.add_answer(sender=sender, to=to, body=body))

    def _show(self, message: Message) -> None:
        self._hub.publish("text", phone=message.family, sid=message.sid, own=message.is_inbound)

    async def _wait(self, seconds: Seconds) -> None:
        await asyncio.sleep(self._chance.uniform(*seconds))
