"""Looks a district's server over, step by step: what is in order, what is not, and what to do about it.

What has to be asked of the carrier, and of our own public address, comes in by ``Desk``, whose adapter stands in
``tp_inbox.twilio``. Nothing is changed and nothing is sent; no secret stands in a finding.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from tp_inbox.domain.errors import Unavailable
from tp_inbox.services.ports import CarrierAway

NOT_LOOKED_AT = "Not looked at, because of: {steps}."
NO_ANSWER = "Nobody answered ({why})."
TRY_AGAIN = "Look whether this machine reaches the internet, and run this again."


class Verdict(StrEnum):
    OK = "ok"
    HINT = "hint"
    """Nothing is broken; somebody should know."""
    PROBLEM = "problem"
    SKIPPED = "skipped"


class Finding(NamedTuple):
    """``advice``: what to do about it; empty where nothing has to be done."""

    verdict: Verdict
    sentence: str
    advice: str = ""


class Step(NamedTuple):
    """``look`` may raise Unavailable, CarrierAway or CarrierRefuses. It is skipped when one of ``needs`` has failed."""

    name: str
    look: Callable[[], Awaitable[Sequence[Finding]]]
    needs: frozenset[str] = frozenset()


class CarrierRefuses(Exception):
    """The carrier answered a question with no. ``sentence`` and ``advice`` are for whoever runs the server."""

    def __init__(self, sentence: str, advice: str) -> None:
        super().__init__(sentence)
        self.sentence, self.advice = sentence, advice


class Registration(StrEnum):
    """What US carriers make of a campaign."""

    APPROVED = "approved"
    WAITING = "waiting"
    REFUSED = "refused"
    MISSING = "missing"


class Knock(StrEnum):
    """What a signed webhook of our own came to at our public address."""

    HEARD = "heard"
    NOT_SIGNED = "not_signed"
    """It arrived changed: the signature is over the address as it was called, and over the form."""
    ELSEWHERE = "elsewhere"
    """Whoever answers there is not this product."""


@dataclass(frozen=True, slots=True)
class Account:
    active: bool
    trial: bool


@dataclass(frozen=True, slots=True)
class OwnNumber:
    """A number of ours as the carrier has it. ``leads_here``: families' texts to it come to our webhook."""

    sid: str
    e164: str
    takes_texts: bool
    leads_here: bool


@dataclass(frozen=True, slots=True)
class OwnService:
    """``numbers``: the SIDs of those in it. ``keeps_webhooks``: a text goes where its number says."""

    numbers: frozenset[str]
    keeps_webhooks: bool
    registration: Registration


class Desk(Protocol):
    """Questions that change nothing. Each may raise CarrierAway, and those to the carrier CarrierRefuses."""

    async def account(self) -> Account: ...

    async def clock_seconds(self) -> float:
        """How far the carrier's clock is ahead of ours."""
        ...

    async def numbers(self) -> Sequence[OwnNumber]: ...

    async def service(self, sid: str) -> OwnService | None:
        """None when there is none."""
        ...

    async def answers(self) -> bool:
        """Whether this product answers at our public address."""
        ...

    async def knock(self) -> Knock:
        """Calls our own webhook at its public address, signed, in a way that stores nothing."""
        ...

    async def aclose(self) -> None: ...


async def examine(steps: Sequence[Step]) -> AsyncIterator[tuple[str, Finding]]:
    """One finding after the other, each with the name of its step."""
    failed: set[str] = set()
    for step in steps:
        found = await _found(step, failed & step.needs)
        if any(finding.verdict in (Verdict.PROBLEM, Verdict.SKIPPED) for finding in found):
            failed.add(step.name)
        for finding in found:
            yield step.name, finding


async def _found(step: Step, missing: set[str]) -> Sequence[Finding]:
    if missing:
        return [Finding(Verdict.SKIPPED, NOT_LOOKED_AT.format(steps=", ".join(sorted(missing))))]
    try:
        return await step.look()
    except CarrierRefuses as refusal:
        return [problem(refusal.sentence, refusal.advice)]
    except CarrierAway as away:
        return [problem(NO_ANSWER.format(why=away), TRY_AGAIN)]
    except Unavailable as away:
        return [problem(away.sentence, TRY_AGAIN)]


def ok(sentence: str) -> Finding:
    return Finding(Verdict.OK, sentence)


def hint(sentence: str, advice: str) -> Finding:
    return Finding(Verdict.HINT, sentence, advice)


def problem(sentence: str, advice: str) -> Finding:
    return Finding(Verdict.PROBLEM, sentence, advice)
