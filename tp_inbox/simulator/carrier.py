"""The carrier between the district and the family phones: moves texts along and brings answers back."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .config import Seconds, SimulatorConfig
from .courier import Courier, Outcome
from .fiction import fate_of
from .hub import Hub
from .keywords import ANSWERS, Keyword, keyword_in
from .messages import Message, MessageLog
from .numbers import Number, Numbers, OptOuts
from .segments import count_segments
from .webhooks import inbound_form, inbound_webhook, status_form

log = logging.getLogger("simulator.carrier")

EXPIRED = (30036, "Validity Period Expired")


@dataclass(frozen=True)
class Step:
    """One change of status and what it takes to get there."""

    status: str
    wait: Seconds
    error_code: int | None = None
    error_message: str | None = None


class Carrier:
    """Works from start() to stop(); what it was doing when it stopped goes on at the next start."""

    def __init__(
        self,
        config: SimulatorConfig,
        messages: MessageLog,
        numbers: Numbers,
        opt_outs: OptOuts,
        courier: Courier,
        hub: Hub,
    ) -> None:
        self._config = config
        self._messages = messages
        self._numbers = numbers
        self._opt_outs = opt_outs
        self._courier = courier
        self._hub = hub
        self._chance = random.Random()
        self._work: set[asyncio.Task[Any]] = set()
        self._last: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def start(self) -> None:
        await self._courier.start()
        for message in self._messages.on_the_way():
            self.take(message)

    async def stop(self) -> None:
        for task in list(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._courier.stop()

    def take(self, message: Message) -> None:
        """Carries an outbound text to its family phone, in the background.

        Texts from one sender to one phone appear there in the order in which they were taken.
        """
        way = (message.sender or message.service_sid or "", message.recipient)
        carrying = self._last[way] = self._spawn(self._carry(message, self._last.get(way)))
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
            log.warning("%s went nowhere: its Messaging Service has no inbound address", message.sid)
            return message.sid, Outcome(None, "no webhook", tries=0)
        form = inbound_form(self._config, message, self._messages.media_of(message.sid), keyword)
        return message.sid, await self._call(message, form, webhook)

    async def _carry(self, message: Message, before: asyncio.Task[None] | None) -> None:
        told: asyncio.Task[None] | None = None
        for step in self._route(message):
            await self._wait(step.wait)
            if step.status == "delivered" and before:
                await asyncio.wait([before])
            current = self._messages.get(message.sid)
            if current is None or current.status == "canceled":
                return
            message = self._advance(current, step)
            told = self._spawn(self._tell(message, told)) if message.callback else None

    def _route(self, message: Message) -> Iterator[Step]:
        """The steps that a text still has before it."""
        delays = self._config.delays
        if message.status == "accepted":
            yield Step("queued", delays.queued)
        if message.validity and message.validity < delays.sending[0] + delays.sent[0]:
            yield Step("failed", (message.validity, message.validity), *EXPIRED)
            return
        if message.status in ("accepted", "queued"):
            yield Step("sending", delays.sending)
        if message.status != "sent":
            yield Step("sent", delays.sent)
        fate = fate_of(message.recipient)
        if fate and fate.status:
            yield Step(fate.status, delays.delivered, fate.code, fate.message)
        else:
            yield Step("delivered", delays.delivered)

    def _advance(self, message: Message, step: Step) -> Message:
        changes: dict[str, object] = {
            "status": step.status,
            "error_code": step.error_code,
            "error_message": step.error_message,
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
        changed = self._messages.change(message.sid, **changes)
        assert changed, "nothing else ran since the message was read"
        if step.status == "delivered":
            self._show(changed)
        return changed

    def _choose_sender(self, message: Message) -> str:
        """The sticky sender of the service, else its first number; empty when it has none any more."""
        pool = [member.phone_number for member in self._numbers.members(message.service_sid or "")]
        if not pool:
            return ""
        return self._messages.last_sender(message.recipient, pool) or pool[0]

    async def _tell(self, message: Message, before: asyncio.Task[None] | None) -> None:
        """The status callback, after the one before it. The message is as it was when the status changed."""
        if before:
            await asyncio.wait([before])
        form = status_form(self._config, message)
        await self._courier.deliver(f"status callback {message.status}", message.sid, message.callback, form)

    async def _call(self, message: Message, form: dict[str, str], webhook: tuple[str, str, str, str]) -> Outcome:
        url, method, fallback_url, fallback_method = webhook
        if not url:
            log.warning("%s went nowhere: its number has no SmsUrl", message.sid)
            return Outcome(None, "no webhook", tries=0)
        outcome = await self._courier.deliver("inbound webhook", message.sid, url, form, method)
        if outcome.ok or not fallback_url:
            return outcome
        excuse = form | {"ErrorCode": "11200", "ErrorUrl": url}
        return await self._courier.deliver("inbound fallback", message.sid, fallback_url, excuse, fallback_method)

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
            self._spawn(self._answer(number.phone_number, message.sender, ANSWERS[keyword]))
        return keyword

    async def _answer(self, sender: str, to: str, body: str) -> None:
        await self._wait(self._config.delays.confirmation)
        self._show(self._messages.add_answer(sender=sender, to=to, body=body))

    def _show(self, message: Message) -> None:
        self._hub.publish("text", phone=message.family, sid=message.sid, own=message.is_inbound)

    async def _wait(self, seconds: Seconds) -> None:
        await asyncio.sleep(self._chance.uniform(*seconds))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        if not task.cancelled() and task.exception():
            log.error("the carrier stumbled", exc_info=task.exception())
