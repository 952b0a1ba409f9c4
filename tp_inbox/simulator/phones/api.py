"""What the Phones page asks for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from ..fiction import fate_of
from ..messages import Message
from ..parts import Simulator, simulator
from ..phonebook import Phone
from ..pictures import SAMPLES, SAMPLES_FOLDER, public_path
from .requests import BadRequest, path_number, read_inbound, read_labels

TEXTS_SHOWN = 300


async def page(_request: Request) -> FileResponse:
    return FileResponse(SAMPLES_FOLDER.parent / "index.html")


async def events(request: Request) -> StreamingResponse:
    """Server-Sent Events: hello when connected, text {phone, sid, own}, phones {}, read {phone}."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(simulator(request).hub.stream(), media_type="text/event-stream", headers=headers)


async def our_numbers(request: Request) -> JSONResponse:
    """The district's numbers: whom a family could text."""
    numbers = simulator(request).numbers.all()
    return JSONResponse([{"number": each.phone_number, "name": _name(each.settings)} for each in reversed(numbers)])


async def samples(_request: Request) -> JSONResponse:
    """The pictures that can be attached by name."""
    return JSONResponse(
        [{"name": name, "title": title, "url": f"/static/samples/{name}.jpg"} for name, title in SAMPLES.items()]
    )


async def phones(request: Request) -> JSONResponse:
    return JSONResponse([phone.as_json() for phone in simulator(request).phonebook.phones()])


async def label(request: Request) -> JSONResponse:
    """Names phones, so that the list shows people and not only numbers."""
    sim, labels = simulator(request), await read_labels(request)
    sim.phonebook.label(labels)
    sim.hub.publish("phones")
    return JSONResponse({"labelled": len(labels)})


async def texts(request: Request) -> JSONResponse:
    """The phone and its last texts, oldest first."""
    sim, number = simulator(request), path_number(request)
    fate = fate_of(number)
    phone = sim.phonebook.phone(number) or Phone(number, "", "", 0, "", 0, False, None)
    shown = [_text_json(sim, message) for message in sim.messages.on_phone(number, TEXTS_SHOWN)]
    return JSONResponse({"phone": phone.as_json() | {"fate": fate.sentence if fate else ""}, "texts": shown})


async def read(request: Request) -> Response:
    """Somebody is looking at the phone: nothing on it is unread any more."""
    sim, number = simulator(request), path_number(request)
    sim.phonebook.read(number)
    sim.hub.publish("read", phone=number)
    return Response(status_code=204)


async def inbound(request: Request) -> JSONResponse:
    """Sends a text as a family phone; answers when the district's webhook has."""
    sim, text = simulator(request), await read_inbound(request)
    number = sim.numbers.by_number(text.to)
    if not number:
        raise BadRequest(f"{text.to} is not a number of this account.")
    if text.sender == text.to:
        raise BadRequest("A phone does not text itself.")
    sid, outcome = await sim.carrier.bring(text.sender, number, text.body, text.pictures)
    webhook = {"status": outcome.status, "ok": outcome.ok, "problem": outcome.problem, "tries": outcome.tries}
    return JSONResponse({"message_sid": sid, "webhook": webhook}, status_code=201)


async def on_bad_request(_request: Request, error: Exception) -> JSONResponse:
    """Starlette's exception handler for BadRequest."""
    return JSONResponse({"error": str(error)}, status_code=400)


def _text_json(sim: Simulator, message: Message) -> dict[str, object]:
    number = sim.numbers.by_number(message.ours)
    pictures = (
        [
            {
                "content_type": medium.content_type,
                "url": public_path(sim.config, medium) if medium.content else None,
                "link": medium.url,
            }
            for medium in sim.messages.media_of(message.sid)
        ]
        if message.num_media
        else []
    )
    return {
        "sid": message.sid,
        "ours": message.ours,
        "name": _name(number.settings) if number else "",
        "own": message.is_inbound,
        "body": message.body,
        "at": message.shown_at,
        "pictures": pictures,
        "automatic": message.direction == "outbound-reply",
    }


def _name(settings: dict[str, str]) -> str:
    """What the district calls its number; nothing where that is only the number again."""
    name = settings.get("friendly_name", "")
    return name if any(character.isalpha() for character in name) else ""
