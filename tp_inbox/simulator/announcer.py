"""Tells the district what happens: status callbacks and inbound webhooks, as far as the trouble lets them through."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress

from .background import Background
from .config import SimulatorConfig
from .courier import Courier, Outcome
from .faults import Trouble
from .messages import Message
from .webhooks import status_form

log = logging.getLogger("simulator.webhooks")

Webhook = tuple[str, str, str, str]


class Announcer:
    """Works from start() to stop()."""

    def __init__(self, config: SimulatorConfig, courier: Courier, trouble: Trouble, background: Background) -> None:
        self._config = config
        self._courier = courier
        self._trouble = trouble
        self._background = background
        self._overtaking: dict[tuple[str, str], asyncio.Event] = {}

    async def start(self) -> None:
        await self._courier.start()

    async def stop(self) -> None:
        await self._courier.stop()

    def reports(self) -> Reports:
        """The status callbacks of one text."""
        return Reports(self._config, self._courier, self._trouble, self._background)

    async def announce(self, message: Message, form: Mapping[str, str], webhook: Webhook) -> Outcome:
        """The webhook of a family's text, and what it came to; one that the trouble holds back comes to nothing yet."""
        fault = self._trouble.strike("inbound", message.sender, message.recipient, message.body)
        if fault == "late":
            self._background.start(self._late(message, form, webhook))
        if fault == "reordered":
            self._background.start(self._overtaken(message, form, webhook))
        if fault in ("lost", "late", "reordered"):
            return Outcome(None, fault, tries=0)
        outcome = await self._call(message, form, webhook)
        self._pass(message)
        return await self._call(message, form, webhook) if fault == "doubled" else outcome

    async def _late(self, message: Message, form: Mapping[str, str], webhook: Webhook) -> None:
        await asyncio.sleep(self._trouble.faults.late_seconds)
        await self._call(message, form, webhook)

    async def _overtaken(self, message: Message, form: Mapping[str, str], webhook: Webhook) -> None:
        """Waits for the next one between the two numbers, but not for ever: there may be none."""
        passed = self._overtaking.setdefault((message.sender, message.recipient), asyncio.Event())
        with suppress(TimeoutError):
            await asyncio.wait_for(passed.wait(), self._trouble.faults.late_seconds)
        await self._call(message, form, webhook)

    def _pass(self, message: Message) -> None:
        passed = self._overtaking.pop((message.sender, message.recipient), None)
        if passed:
            passed.set()

    async def _call(self, message: Message, form: Mapping[str, str], webhook: Webhook) -> Outcome:
        url, method, fallback_url, fallback_method = webhook
        if not url:
            log.warning("%s went nowhere: its number has no SmsUrl", message.sid)
            return Outcome(None, "no webhook", tries=0)
        outcome = await self._courier.deliver("inbound webhook", message.sid, url, form, method)
        if outcome.ok or not fallback_url:
            return outcome
        excuse = {**form, "ErrorCode": "11200", "ErrorUrl": url}
        return await self._courier.deliver("inbound fallback", message.sid, fallback_url, excuse, fallback_method)


class Reports:
    """The status callbacks of one text: each after the one before it, unless the trouble will have it otherwise."""

    def __init__(self, config: SimulatorConfig, courier: Courier, trouble: Trouble, background: Background) -> None:
        self._config = config
        self._courier = courier
        self._trouble = trouble
        self._background = background
        self._before: asyncio.Task[None] | None = None
        self._held: list[Message] = []

    def tell(self, message: Message, *, is_last: bool) -> None:
        """The text as it is after a change of status."""
        if not message.callback:
            return
        about = (message.sender, message.recipient, message.body, message.status)
        fault = self._trouble.strike("callbacks", *about, sparing="reordered" if is_last else "")
        if fault == "reordered":
            self._held.append(message)
            return
        if fault == "late":
            self._background.start(self._late(message))
        elif fault != "lost":
            self._queue(message, times=2 if fault == "doubled" else 1)
        self.release()

    def release(self) -> None:
        """Sends what was held back to be overtaken, the latest first."""
        while self._held:
            self._queue(self._held.pop())

    def _queue(self, message: Message, times: int = 1) -> None:
        self._before = self._background.start(self._after(self._before, message, times))

    async def _after(self, before: asyncio.Task[None] | None, message: Message, times: int) -> None:
        if before:
            await asyncio.wait([before])
        for _ in range(times):
            await self._deliver(message)

    async def _late(self, message: Message) -> None:
        await asyncio.sleep(self._trouble.faults.late_seconds)
        await self._deliver(message)

    async def _deliver(self, message: Message) -> None:
        form = status_form(self._config, message)
        await self._courier.deliver(f"status callback {message.status}", message.sid, message.callback, form)
