"""Messages: sending, listing, cancelling, redacting."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..courier import is_webhook_url
from ..errors import Refusal
from ..fiction import fate_of, is_sold_here, normalize
from ..messages import ON_THE_WAY, Filter, Message
from ..numbers import Number
from ..parts import Simulator, simulator
from .dates import rfc2822, sent_between
from .forms import Form, read_form
from .paging import Page, Wanted, classic

MAX_BODY, MAX_MEDIA, MAX_VALIDITY_SECONDS = 1_600, 10, 36_000
CANCELABLE = ("accepted", "queued", "scheduled")


async def create(request: Request) -> JSONResponse:
    """Takes a text, or refuses it with the code that Twilio would use."""
    sim, form = simulator(request), await read_form(request)
    to = _recipient(form)
    body, media_urls = _content(form)
    number, service_sid = _sender(sim, form)
    _check_pair(sim, number, service_sid, to)
    _check_trouble(sim, number, to)
    message = sim.messages.add_outbound(
        sender=number.phone_number if number else "",
        to=to,
        body=body,
        media_urls=media_urls,
        service_sid=service_sid,
        callback=_callback(sim, form, service_sid),
        validity=_validity(form),
    )
    sim.carrier.take(message)
    return JSONResponse(_shape(sim, message), status_code=201)


async def browse(request: Request) -> JSONResponse:
    sim, wanted = simulator(request), Wanted.of(request)
    first, last = sent_between(request)
    query = request.query_params
    narrowed = Filter(query.get("To", ""), query.get("From", ""), first, last)
    neighbour = sim.messages.get_listed(wanted.sid) if wanted.sid else None
    if wanted.sid and not neighbour:
        raise Refusal(21481)
    rows = sim.messages.page(narrowed, wanted.size + 1, neighbour, wanted.backwards)
    more = wanted.backwards or len(rows) > wanted.size
    kept = rows[-wanted.size :] if wanted.backwards else rows[: wanted.size]
    page = Page.of(request, wanted, kept, more)
    return JSONResponse(classic(page, "messages", lambda message: _shape(sim, message)))


async def fetch(request: Request) -> JSONResponse:
    sim = simulator(request)
    return JSONResponse(_shape(sim, _found(request)))


async def update(request: Request) -> JSONResponse:
    """Status=canceled stops a text that has not left; an empty Body redacts one that has finished."""
    sim, message, form = simulator(request), _found(request), await read_form(request)
    if ("Status" in form) == ("Body" in form):
        raise Refusal(30400, "give either Status or Body")
    changed = _canceled(sim, message, form) if "Status" in form else _redacted(sim, message, form)
    return JSONResponse(_shape(sim, changed))


async def delete(request: Request) -> Response:
    message = _found(request)
    if message.status in ON_THE_WAY:
        raise Refusal(20009)
    simulator(request).messages.delete(message.sid)
    return Response(status_code=204)


def _recipient(form: Form) -> str:
    given = form.one("To")
    if not given:
        raise Refusal(21604)
    to = normalize(given)
    fate = fate_of(to) if to else None
    if not to or (fate and fate.status is None):
        raise Refusal(21211, given)
    if not to.startswith("+1"):
        raise Refusal(21408, to)
    return to


def _content(form: Form) -> tuple[str, list[str]]:
    body, media_urls = form.one("Body"), form.all("MediaUrl")
    if not body and not media_urls:
        raise Refusal(21602)
    if len(body) > MAX_BODY:
        raise Refusal(21617)
    if len(media_urls) > MAX_MEDIA:
        raise Refusal(21623)
    for url in media_urls:
        if not is_webhook_url(url):
            raise Refusal(21620, url)
    return body, media_urls


def _sender(sim: Simulator, form: Form) -> tuple[Number | None, str | None]:
    """The number, or None where a Messaging Service is to choose; and the service."""
    given, service_sid = form.one("From"), form.one("MessagingServiceSid") or None
    if not given and not service_sid:
        raise Refusal(21603)
    number = _own_number(sim, given) if given else None
    if service_sid:
        _check_service(sim, service_sid, number)
    return number, service_sid


def _own_number(sim: Simulator, given: str) -> Number:
    wanted = normalize(given)
    if not wanted:
        raise Refusal(21212, given)
    number = sim.numbers.by_number(wanted)
    if not number:
        raise Refusal(21606 if is_sold_here(wanted) else 21659, wanted)
    return number


def _check_service(sim: Simulator, service_sid: str, number: Number | None) -> None:
    try:
        sim.numbers.service(service_sid)
    except KeyError:
        raise Refusal(21701, service_sid) from None
    if not sim.numbers.members(service_sid):
        raise Refusal(21704)
    if number and number.service_sid != service_sid:
        raise Refusal(21711, number.phone_number)


def _check_pair(sim: Simulator, number: Number | None, service_sid: str | None, to: str) -> None:
    if number and number.phone_number == to:
        raise Refusal(21266, to)
    members = sim.numbers.members(service_sid) if service_sid else []
    ours = sim.numbers.siblings(number) if number else [member.phone_number for member in members]
    if sim.opt_outs.is_blocked(ours, to):
        raise Refusal(21610)


def _check_trouble(sim: Simulator, number: Number | None, to: str) -> None:
    code = sim.trouble.refusal(number.phone_number if number else "", to)
    if code:
        raise Refusal(code, to)


def _callback(sim: Simulator, form: Form, service_sid: str | None) -> str:
    """Where the statuses go: the message's own address, else its service's."""
    given = form.one("StatusCallback")
    if given and not is_webhook_url(given):
        raise Refusal(21609, given)
    if given or not service_sid:
        return given
    return str(sim.numbers.service(service_sid).settings.get("status_callback") or "")


def _validity(form: Form) -> int:
    given = form.one("ValidityPeriod") or str(MAX_VALIDITY_SECONDS)
    if not given.isdecimal() or not 1 <= int(given[:9]) <= MAX_VALIDITY_SECONDS:
        raise Refusal(21624, given)
    return int(given)


def _canceled(sim: Simulator, message: Message, form: Form) -> Message:
    if form.one("Status") != "canceled":
        raise Refusal(30400, "Status can only become canceled")
    if message.status not in CANCELABLE:
        raise Refusal(30409)
    return _still(sim.messages.change(message.sid, status="canceled"))


def _redacted(sim: Simulator, message: Message, form: Form) -> Message:
    if form.one("Body"):
        raise Refusal(30400, "Body can only become empty")
    if message.status in ON_THE_WAY:
        raise Refusal(20009)
    return _still(sim.messages.change(message.sid, body=""))


def _found(request: Request) -> Message:
    message = simulator(request).messages.get_listed(request.path_params["message"])
    if not message:
        raise Refusal(20404, request.url.path)
    return message


def _still(message: Message | None) -> Message:
    assert message, "nothing else ran since the message was found"
    return message


def _shape(sim: Simulator, message: Message) -> dict[str, object]:
    uri = f"/2010-04-01/Accounts/{sim.config.account_sid}/Messages/{message.sid}"
    return {
        "sid": message.sid,
        "account_sid": sim.config.account_sid,
        "messaging_service_sid": message.service_sid,
        "direction": message.direction,
        "from": message.sender or None,
        "to": message.recipient,
        "body": message.body,
        "status": message.status,
        "error_code": message.error_code,
        "error_message": message.error_message,
        "num_segments": str(message.num_segments),
        "num_media": str(message.num_media),
        "price": None,
        "price_unit": "USD",
        "api_version": "2010-04-01",
        "date_created": rfc2822(message.created),
        "date_updated": rfc2822(message.updated),
        "date_sent": rfc2822(message.sent),
        "uri": f"{uri}.json",
        "subresource_uris": {"media": f"{uri}/Media.json"},
    }
