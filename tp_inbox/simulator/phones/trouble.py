"""What scripts and the page's Trouble panel do to the account and the carrier."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..calls import Call, Heard
from ..fault_reading import read_faults
from ..faults import Faults
from ..numbers import CAMPAIGN, CAMPAIGN_STATUSES
from ..parts import Simulator, simulator
from .requests import BadRequest, path_number, read_call, read_object


async def faults(request: Request) -> JSONResponse:
    """What is switched on, and how often each has struck since."""
    return JSONResponse(_state(simulator(request)))


async def switch_faults(request: Request) -> JSONResponse:
    """Exactly these from now on: what is left out is off. Counting begins anew."""
    given = await read_object(request)
    try:
        wanted = read_faults(given)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    return _switched(simulator(request), wanted)


async def calm(request: Request) -> JSONResponse:
    """Everything off."""
    return _switched(simulator(request), Faults())


async def call(request: Request) -> JSONResponse:
    """A family phone calls one of the district's numbers; answers when the number's webhook has."""
    sim, (caller, to) = simulator(request), await read_call(request)
    number = sim.numbers.by_number(to)
    if not number:
        raise BadRequest(f"{to} is not a number of this account.")
    return JSONResponse(_call_json(await sim.switchboard.call(caller, number)), status_code=201)


async def take_number(request: Request) -> Response:
    """The number is gone, as when somebody releases it in Twilio's console."""
    sim, wanted = simulator(request), path_number(request)
    number = sim.numbers.by_number(wanted)
    if not number:
        raise BadRequest(f"{wanted} is not a number of this account.")
    sim.numbers.release(number.sid)
    return Response(status_code=204)


async def register(request: Request) -> JSONResponse:
    """How the carriers see a Messaging Service: {"status": ...}."""
    sim, status = simulator(request), (await read_object(request)).get("status")
    if status not in CAMPAIGN_STATUSES:
        raise BadRequest(f"status must be one of {', '.join(CAMPAIGN_STATUSES)}.")
    try:
        service = sim.numbers.set_service(request.path_params["service"], {CAMPAIGN: status})
    except KeyError:
        raise BadRequest("There is no such Messaging Service.") from None
    return JSONResponse({"service": service.sid, "status": status})


def _switched(sim: Simulator, wanted: Faults) -> JSONResponse:
    sim.trouble.switch(wanted)
    sim.hub.publish("trouble")
    return JSONResponse(_state(sim))


def _state(sim: Simulator) -> dict[str, object]:
    trouble = sim.trouble
    struck = {group: dict(counts) for group, counts in trouble.struck.items()}
    return {"on": not trouble.faults.is_calm, "faults": trouble.faults.as_json(), "struck": struck}


def _call_json(call: Call) -> dict[str, Any]:
    outcome = call.outcome
    return {
        "call_sid": call.sid,
        "webhook": {"status": outcome.status, "ok": outcome.ok, "problem": outcome.problem, "tries": outcome.tries},
        "heard": [_heard_json(each) for each in call.heard],
        "put_through_to": next((each.number for each in call.heard if each.number), None),
        "problem": call.problem,
    }


def _heard_json(heard: Heard) -> dict[str, object]:
    facts: dict[str, object] = {
        "words": heard.words,
        "language": heard.language,
        "seconds": heard.seconds,
        "number": heard.number,
    }
    return {"kind": heard.kind} | {name: fact for name, fact in facts.items() if fact}
