"""Holding what the product does against what the rules say, and counting how often."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.rights.world import Person, World
from tp_inbox.domain.access import Actor
from tp_inbox.domain.errors import Refusal
from tp_inbox.services.registry import Services


@dataclass
class Inspection:
    """One person at work in a district, with what the rules say about them."""

    services: Services
    world: World
    person: Person
    actor: Actor
    cases: int = 0
    wrong: list[str] = field(default_factory=list)

    async def holds(self, what: str, allowed: bool, call: Callable[[], Awaitable[object]]) -> object:
        """The call works exactly when the rules allow it."""
        self.cases += 1
        try:
            answer = await call()
        except Refusal as refusal:
            if allowed:
                self.wrong.append(f"{self.person.name}: {what} was refused: {refusal.sentence}")
            return None
        if not allowed:
            self.wrong.append(f"{self.person.name}: {what} was allowed")
        return answer

    def same(self, what: str, found: object, expected: object, cases: int = 1) -> None:
        self.cases += cases
        if found != expected:
            self.wrong.append(f"{self.person.name}: {what}: {found} instead of {expected}")
