"""A Twilio of one's own: REST API, carrier and family phones on this machine, for demonstrations and tests.

It imports nothing of the product and nothing of Twilio's library, so that it can be wrong only on its own account.
"""

from .app import create_app
from .config import Delays, SimulatorConfig
from .serve import run

__all__ = ["Delays", "SimulatorConfig", "create_app", "run"]
