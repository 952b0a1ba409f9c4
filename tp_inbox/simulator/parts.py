"""The parts of a running simulator, as its routes reach them."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from .calls import Switchboard
from .carrier import Carrier
from .config import SimulatorConfig
from .faults import Trouble
from .hub import Hub
from .messages import MessageLog
from .numbers import Numbers, OptOuts
from .phonebook import Phonebook


@dataclass(frozen=True)
class Simulator:
    """Everything a route may need; made once by create_app."""

    config: SimulatorConfig
    messages: MessageLog
    numbers: Numbers
    opt_outs: OptOuts
    phonebook: Phonebook
    carrier: Carrier
    switchboard: Switchboard
    trouble: Trouble
    hub: Hub

    async def close(self) -> None:
        """Stops carrying, and ends the pages' streams and slow answers; twice is harmless."""
        self.hub.close()
        self.trouble.close()
        await self.carrier.stop()


def simulator(request: Request) -> Simulator:
    """The simulator that the request came to."""
    return request.app.state.simulator
