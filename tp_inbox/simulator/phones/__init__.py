"""The Phones page and its API: family phones in the browser, for people, scripts and tests."""

from __future__ import annotations

from pathlib import Path

from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from . import api, trouble

STATIC = Path(__file__).parent.parent / "static"

ROUTES = [
    Route("/", api.page, methods=["GET"]),
    Route("/simulator/events", api.events, methods=["GET"]),
    Route("/simulator/numbers", api.our_numbers, methods=["GET"]),
    Route("/simulator/samples", api.samples, methods=["GET"]),
    Route("/simulator/phones", api.phones, methods=["GET"]),
    Route("/simulator/phones", api.label, methods=["PUT"]),
    Route("/simulator/phones/{number}/texts", api.texts, methods=["GET"]),
    Route("/simulator/phones/{number}/read", api.read, methods=["POST"]),
    Route("/simulator/inbound", api.inbound, methods=["POST"]),
    Route("/simulator/calls", trouble.call, methods=["POST"]),
    Route("/simulator/faults", trouble.faults, methods=["GET"]),
    Route("/simulator/faults", trouble.switch_faults, methods=["PUT"]),
    Route("/simulator/faults", trouble.calm, methods=["DELETE"]),
    Route("/simulator/numbers/{number}", trouble.take_number, methods=["DELETE"]),
    Route("/simulator/services/{service}/campaign", trouble.register, methods=["PUT"]),
    Mount("/static", StaticFiles(directory=STATIC)),
]
