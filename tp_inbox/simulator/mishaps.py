"""What happens to requests of Twilio's API on their way: between the client and the routes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .connections import hang_up
from .errors import Refusal, refusal_response
from .faults import Trouble
from .guards import REST_PREFIXES

Answer = list[Message]
NOTICED_WITHIN = 2.0
SENT_WITH = ("From", "MessagingServiceSid", "To", "Body")


class Mishaps:
    """Stands behind the guard, so that only those with the password have trouble."""

    def __init__(self, app: ASGIApp, trouble: Trouble) -> None:
        self._app = app
        self._trouble = trouble

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(REST_PREFIXES):
            await self._app(scope, receive, send)
        elif self._trouble.locks_out():
            await refusal_response(Refusal(20003))(scope, receive, send)
        elif self._trouble.threatens(group := group_of(scope)):
            await self._risk(group, _Exchange(self._app, scope, receive, send))
        else:
            await self._app(scope, receive, send)

    async def _risk(self, group: str, exchange: _Exchange) -> None:
        fault = self._trouble.strike(group, *await exchange.about(group))
        ways: dict[str | None, Callable[[], Awaitable[None]]] = {
            None: exchange.go_on,
            "lost_before": exchange.hang_up,
            "lost_after": exchange.do_and_hang_up,
            "cut_off": exchange.do_and_cut_off,
            "failed_after": exchange.do_and_fail,
            "too_many": lambda: exchange.refuse(20429, {"Retry-After": str(self._trouble.faults.retry_after)}),
            "unavailable": lambda: exchange.refuse(20503),
            "queue_full": lambda: exchange.refuse(21611),
            "slow": lambda: exchange.do_slowly(self._trouble.dawdle()),
        }
        await ways[fault]()


def group_of(scope: Scope) -> str:
    """The group of faults that a request belongs to."""
    path: str = scope["path"]
    if path.startswith("/v1/"):
        return "services"
    if path.endswith("/Messages.json") and scope["method"] == "POST":
        return "sends"
    return "numbers" if "PhoneNumbers" in path else "messages"


class _Exchange:
    """One request and its answer, and the ways in which they can go."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._scope, self._receive, self._send = app, scope, receive, send
        self._request: list[Message] = []

    async def about(self, group: str) -> list[str]:
        """What makes this request the same as one of another run."""
        while not self._request or self._request[-1].get("more_body"):
            self._request.append(await self._receive())
        if group != "sends":
            return [self._scope["method"]]
        body = b"".join(part.get("body", b"") for part in self._request)
        form = parse_qs(body.decode("utf-8", "replace"))
        return [form.get(name, [""])[0] for name in SENT_WITH]

    async def go_on(self) -> None:
        await self._app(self._scope, self._again, self._send)

    async def hang_up(self) -> None:
        host, port = self._scope.get("client") or ("", 0)
        if hang_up(host, int(port)):
            await self._noticed()
        else:
            await self._break_off(await _answer_of(PlainTextResponse("lost"), self._scope))

    async def do_and_hang_up(self) -> None:
        await self._done()
        await self.hang_up()

    async def do_and_cut_off(self) -> None:
        await self._break_off(await self._done())

    async def do_and_fail(self) -> None:
        await self._done()
        await self.refuse(20500)

    async def do_slowly(self, wait: Awaitable[None]) -> None:
        answer = await self._done()
        await wait
        for part in answer:
            await self._send(part)

    async def refuse(self, code: int, headers: dict[str, str] | None = None) -> None:
        response = refusal_response(Refusal(code))
        response.headers.update(headers or {})
        await response(self._scope, self._again, self._send)

    async def _done(self) -> Answer:
        """The answer that the client does not get as it should."""
        answer: Answer = []

        async def keep(part: Message) -> None:
            answer.append(part)

        await self._app(self._scope, self._again, keep)
        return answer

    async def _break_off(self, answer: Answer) -> None:
        """Half of an answer whose length was announced; the server closes a connection that owes the rest."""
        start, whole = answer[0], b"".join(part.get("body", b"") for part in answer[1:])
        await self._send(start)
        await self._send({"type": "http.response.body", "body": whole[: len(whole) // 2], "more_body": True})

    async def _again(self) -> Message:
        return self._request.pop(0) if self._request else await self._receive()

    async def _noticed(self) -> None:
        """Until the server has found the connection dead; before that it would answer for us."""
        with suppress(TimeoutError):
            async with asyncio.timeout(NOTICED_WITHIN):
                while (await self._receive())["type"] != "http.disconnect":
                    pass


async def _answer_of(response: Response, scope: Scope) -> Answer:
    answer: Answer = []

    async def keep(part: Message) -> None:
        answer.append(part)

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    await response(scope, nothing, keep)
    return answer
