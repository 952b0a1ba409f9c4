"""Files that are too long for a page's socket: written part by part, to whoever's session the browser has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tp_inbox.domain.errors import Invalid, Refusal, SignedOut, Unavailable
from tp_inbox.services.audit_log import Asked, day_of, group_of
from tp_inbox.services.registry import services
from tp_inbox.web.arguments import LARGEST_ID, storable
from tp_inbox.web.cookies import SESSION_COOKIE

PAGE = "/admin/audit"
NOT_FROM_HERE = "Please download this file from the app."
NO_SUCH_ENTRIES = "There are no such entries. Please download this file from the app."


def routes() -> list[Route]:
    return [Route("/exports/audit.csv", audit_log, methods=["GET"])]


async def audit_log(request: Request) -> Response:
    """The part of the log that the query names, with the permissions of whoever is signed in."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        return PlainTextResponse(NOT_FROM_HERE, 403)
    try:
        who = await services().sessions.look_up(request.cookies.get(SESSION_COOKIE, ""), own_act=True)
        if who is None:
            return RedirectResponse(f"/sign-in?next={PAGE}", 303)
        parts = await services().audit_log.as_file(who.actor, _asked(request.query_params))
    except SignedOut:
        return RedirectResponse(f"/sign-in?next={PAGE}", 303)
    except Refusal as refusal:
        return PlainTextResponse(refusal.sentence, _status(refusal))
    headers = {
        "content-disposition": f'attachment; filename="audit-log-{datetime.now(UTC):%Y-%m-%d}.csv"',
        "cache-control": "no-store",
    }
    return StreamingResponse(parts, media_type="text/csv; charset=utf-8", headers=headers)


def _status(refusal: Refusal) -> int:
    if isinstance(refusal, Unavailable):
        return 503
    return 400 if isinstance(refusal, Invalid) else 403


def _asked(query: Mapping[str, str]) -> Asked:
    words = storable(query.get("words", ""))
    days = day_of(query.get("since", "")), day_of(query.get("until", ""))
    return Asked(words, group_of(query.get("group", "")), _id(query, "person"), _id(query, "school"), *days)


def _id(query: Mapping[str, str], name: str) -> int:
    """0 when it is not asked for. Raises Invalid for what is no id."""
    digits = query.get(name, "0")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(LARGEST_ID))):
        raise Invalid(NO_SUCH_ENTRIES)
    return int(digits)
