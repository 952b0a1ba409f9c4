"""The SmsGateway port over Twilio."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast

from twilio.base import values
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageInstance, MessagePage

from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.services.ports import (
    Accepted,
    Ambiguous,
    BoughtNumber,
    CarrierNumber,
    CarrierText,
    Handover,
    NotAccepted,
    OutgoingText,
)
from tp_inbox.settings import Settings
from tp_inbox.twilio import numbers, services
from tp_inbox.twilio.addresses import status_callback
from tp_inbox.twilio.bodies import readable
from tp_inbox.twilio.client import UNREADABLE, Carrier, NotSent, Refused, Timeouts, Unanswered
from tp_inbox.twilio.codes import Treatment, meaning_of_answer, reason_of, state_of

log = logging.getLogger(__name__)

PAGE = 1_000
CLOCKS_APART = timedelta(minutes=1)
"""How far Twilio's clock may be behind ours."""


class TwilioGateway:
    """An SmsGateway. Of the settings it needs the account, its token, the address, the country and the base URL."""

    def __init__(self, settings: Settings, timeouts: Timeouts | None = None) -> None:
        self._carrier = Carrier(settings, timeouts or Timeouts())
        self._settings = settings

    async def send(self, text: OutgoingText) -> Handover:
        outcome = await self._hand_over(text)
        if not isinstance(outcome, Accepted):
            log.warning("Text %s: %s, code %s", text.message_id, type(outcome).__name__, outcome.code)
        return outcome

    async def find(self, text: OutgoingText, since: datetime, known: Collection[str]) -> CarrierText | None:
        # Asked without a date: a text in Twilio's queue has no DateSent yet, and a filter by it would hide it.
        texts = await self._carrier.ask(lambda client: _between(client, text.sender, text.recipient))
        earliest = since - CLOCKS_APART
        mine = [t for t in texts if t.sid not in known and _is_copy(t, text) and _created(t, earliest) >= earliest]
        return min(mine, key=lambda t: _created(t, earliest), default=None)

    async def texts_since(self, since: datetime, until: datetime | None = None) -> AsyncIterator[CarrierText]:
        page = await self._carrier.ask(lambda client: _first_page(client, since, until))
        while page is not None:
            for text in page.texts:
                yield text
            page = await self._carrier.ask(page.following())

    async def fetch(self, sid: str) -> CarrierText | None:
        return await self._carrier.ask(lambda client: _fetched(client, sid))

    async def available_number(self, area_code: str | None) -> str:
        return await numbers.available(self._carrier, self._settings.country, area_code)

    async def buy_number(self, e164: str, label: str) -> BoughtNumber:
        return await numbers.buy(self._carrier, self._settings.address, e164, label)

    async def our_numbers(self) -> list[CarrierNumber]:
        return await numbers.ours(self._carrier, self._settings.address)

    async def lead_here(self, number_sid: str) -> None:
        await numbers.lead_here(self._carrier, self._settings.address, number_sid)

    async def release_number(self, number_sid: str) -> None:
        await numbers.release(self._carrier, number_sid)

    async def make_service(self, label: str) -> str:
        return await services.make(self._carrier, label)

    async def put_into_service(self, service_sid: str, number_sid: str, ours: Collection[str]) -> None:
        await services.put(self._carrier, service_sid, number_sid, ours)

    async def numbers_in(self, service_sid: str) -> frozenset[str]:
        return await services.members(self._carrier, service_sid)

    async def aclose(self) -> None:
        await self._carrier.aclose()

    async def _hand_over(self, text: OutgoingText) -> Handover:
        callback = status_callback(self._settings.address, text.message_id)
        try:
            theirs = await self._carrier.call(lambda client: _created_text(client, text, callback))
        except NotSent:
            return NotAccepted(FailureReason.CARRIER_PROBLEM, None, retry=True)
        except Unanswered:
            return Ambiguous(None)
        except Refused as refused:
            return _refusal(refused)
        return Accepted(theirs)


class _Page(NamedTuple):
    texts: list[CarrierText]
    page: MessagePage

    def following(self) -> Callable[[Client], _Page | None]:
        return lambda _: _read(cast(MessagePage | None, self.page.next_page()))


def _created_text(client: Client, text: OutgoingText, callback: str) -> CarrierText:
    return _text(
        client.messages.create(
            to=text.recipient,
            from_=text.sender,
            body=text.body,
            status_callback=callback,
            validity_period=text.valid_seconds or values.unset,
        )
    )


def _refusal(refused: Refused) -> Handover:
    reason, treatment = meaning_of_answer(refused.status, refused.code)
    code = refused.code or f"HTTP {refused.status}"
    if treatment is Treatment.LOOK_FIRST:
        return Ambiguous(code)
    return NotAccepted(
        reason,
        code,
        retry=treatment in (Treatment.RETRY_LATER, Treatment.ONCE_MORE),
        retry_after=refused.retry_after,
        stop_sender=treatment is Treatment.OUR_CONFIGURATION,
    )


def _between(client: Client, sender: str, recipient: str) -> list[CarrierText]:
    return [_text(row) for row in client.messages.list(from_=sender, to=recipient, page_size=PAGE)]


def _is_copy(theirs: CarrierText, text: OutgoingText) -> bool:
    return not theirs.inbound and theirs.recipient == text.recipient and theirs.body.strip() == text.body.strip()


def _created(theirs: CarrierText, otherwise: datetime) -> datetime:
    return theirs.created_at or theirs.sent_at or otherwise


def _first_page(client: Client, since: datetime, until: datetime | None) -> _Page | None:
    # The library drops an offset without converting it.
    before = until.astimezone(UTC) if until else values.unset
    return _read(client.messages.page(date_sent_after=since.astimezone(UTC), date_sent_before=before, page_size=PAGE))


def _read(page: MessagePage | None) -> _Page | None:
    return _Page(list(_readable(page)), page) if page else None


def _readable(page: MessagePage) -> Iterator[CarrierText]:
    """What is wrong with one row keeps nobody from hearing of the others."""
    while True:
        row = None
        try:
            row = next(page)
            if _is_told(row):
                yield _text(row)
        except StopIteration:
            return
        except UNREADABLE as error:
            # Without the error's own words, which may quote the row.
            log.error("Row %.40r of Twilio's list cannot be read: %s", row and row.sid, type(error).__name__)  # noqa: TRY400


def _is_told(row: MessageInstance) -> bool:
    """Not what has not come in yet, nor what Twilio answered to a STOP by itself."""
    return row.status != "receiving" and row.direction != "outbound-reply"


def _fetched(client: Client, sid: str) -> CarrierText | None:
    try:
        return _text(client.messages(sid).fetch())
    except Refused as refused:
        if refused.not_there:
            return None
        raise


def _text(row: MessageInstance) -> CarrierText:
    if not row.sid:
        raise ValueError("a message without a SID is none")
    inbound = row.direction == "inbound"
    code = str(row.error_code) if row.error_code else None
    return CarrierText(
        sid=row.sid,
        inbound=inbound,
        sender=row.from_ or "",
        recipient=row.to or "",
        body=readable(row.body or "") if inbound else row.body or "",
        # What has a SID is with the carrier, whatever word it uses for it.
        state=DeliveryState.RECEIVED if inbound else state_of(cast(str | None, row.status)) or DeliveryState.ACCEPTED,
        reason=reason_of(code),
        code=code,
        media=int(row.num_media or 0),
        sent_at=row.date_sent,
        created_at=row.date_created,
    )
