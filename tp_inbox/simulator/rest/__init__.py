"""The parts of Twilio's REST API that a district uses, at Twilio's own paths."""

from __future__ import annotations

from starlette.routing import Route

from . import accounts, available, campaigns, incoming, media, messages, services

ACCOUNT = "/2010-04-01/Accounts/{account}"
SERVICES = "/v1/Services"

ROUTES = [
    Route(f"{ACCOUNT}/Messages.json", messages.create, methods=["POST"]),
    Route(f"{ACCOUNT}/Messages.json", messages.browse, methods=["GET"]),
    Route(f"{ACCOUNT}/Messages/{{message}}/Media.json", media.browse, methods=["GET"]),
    Route(f"{ACCOUNT}/Messages/{{message}}/Media/{{medium}}.json", media.fetch, methods=["GET"]),
    Route(f"{ACCOUNT}/Messages/{{message}}/Media/{{medium}}.json", media.delete, methods=["DELETE"]),
    Route(f"{ACCOUNT}/Messages/{{message}}/Media/{{medium}}", media.redirect, methods=["GET"]),
    Route(f"{ACCOUNT}/Messages/{{message}}.json", messages.fetch, methods=["GET"]),
    Route(f"{ACCOUNT}/Messages/{{message}}.json", messages.update, methods=["POST"]),
    Route(f"{ACCOUNT}/Messages/{{message}}.json", messages.delete, methods=["DELETE"]),
    Route(f"{ACCOUNT}/AvailablePhoneNumbers/{{country}}/Local.json", available.browse, methods=["GET"]),
    Route(f"{ACCOUNT}/IncomingPhoneNumbers.json", incoming.create, methods=["POST"]),
    Route(f"{ACCOUNT}/IncomingPhoneNumbers.json", incoming.browse, methods=["GET"]),
    Route(f"{ACCOUNT}/IncomingPhoneNumbers/{{number}}.json", incoming.fetch, methods=["GET"]),
    Route(f"{ACCOUNT}/IncomingPhoneNumbers/{{number}}.json", incoming.update, methods=["POST"]),
    Route(f"{ACCOUNT}/IncomingPhoneNumbers/{{number}}.json", incoming.delete, methods=["DELETE"]),
    Route(f"{ACCOUNT}/Balance.json", accounts.balance, methods=["GET"]),
    Route(f"{ACCOUNT}.json", accounts.fetch, methods=["GET"]),
    Route(SERVICES, services.create, methods=["POST"]),
    Route(SERVICES, services.browse, methods=["GET"]),
    Route(f"{SERVICES}/{{service}}/Compliance/Usa2p", campaigns.browse, methods=["GET"]),
    Route(f"{SERVICES}/{{service}}/PhoneNumbers", services.join, methods=["POST"]),
    Route(f"{SERVICES}/{{service}}/PhoneNumbers", services.browse_numbers, methods=["GET"]),
    Route(f"{SERVICES}/{{service}}/PhoneNumbers/{{number}}", services.fetch_number, methods=["GET"]),
    Route(f"{SERVICES}/{{service}}/PhoneNumbers/{{number}}", services.leave, methods=["DELETE"]),
    Route(f"{SERVICES}/{{service}}", services.fetch, methods=["GET"]),
    Route(f"{SERVICES}/{{service}}", services.update, methods=["POST"]),
    Route(f"{SERVICES}/{{service}}", services.delete, methods=["DELETE"]),
]
