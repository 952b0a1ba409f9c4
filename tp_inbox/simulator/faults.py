"""What can be made to go wrong, and the decision when it does.

Nothing goes wrong unless somebody switches it on; a restart switches everything off. Whether an event is struck comes
from the seed, from what the event is about (sender, recipient, body, status; never a SID or a time) and from how often
the same has come before: the same events are struck the same way in every run, in whatever order they arrive.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any

REQUEST_FAULTS: dict[str, str] = {
    "lost_before": "the connection is reset, and nothing was done",
    "lost_after": "it was done, and the connection is reset",
    "cut_off": "it was done, and the connection ends in the middle of the answer",
    "failed_after": "it was done, and the answer is 500",
    "too_many": "429 with Retry-After, and nothing was done",
    "unavailable": "503, and nothing was done",
    "slow": "it was done, and the answer takes slow_seconds",
}
SEND_FAULTS = REQUEST_FAULTS | {"queue_full": "the sender's queue is full: 21611"}
WEBHOOK_FAULTS: dict[str, str] = {
    "lost": "it never leaves",
    "doubled": "it comes twice",
    "late": "it leaves after late_seconds, and others overtake it",
    "reordered": "it leaves after the next one of the same text, or of the same two numbers",
}
GROUPS: dict[str, dict[str, str]] = {
    "sends": SEND_FAULTS,
    "messages": REQUEST_FAULTS,
    "numbers": REQUEST_FAULTS,
    "services": REQUEST_FAULTS,
    "callbacks": WEBHOOK_FAULTS,
    "inbound": WEBHOOK_FAULTS,
}

SUSPENDED, UNVERIFIED, ONE_NUMBER = 30002, 21608, 21404


class Account(StrEnum):
    """How Twilio stands to the account."""

    ACTIVE = "active"
    REFUSED = "refused"
    """Its password is wrong: every request is answered 401 and 20003."""
    SUSPENDED = "suspended"
    """What it sends is taken and ends as failed with 30002."""
    TRIAL = "trial"
    """It has verified no family's number: every text is refused with 21608, and every purchase with 21404."""


class End(StrEnum):
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    REFUSED = "refused"
    """Not taken at all."""


@dataclass(frozen=True)
class Ailment:
    """Texts to a family's number, or from one of ours, that end badly: the number, or its last digits.

    times: so many texts to (or from) each number end so, and then no more; 0 for all of them.
    """

    number: str
    is_sender: bool
    code: int
    end: End
    times: int = 0

    def hits(self, sender: str, recipient: str) -> bool:
        return (sender if self.is_sender else recipient).endswith(self.number)

    def as_json(self) -> dict[str, object]:
        side = "from" if self.is_sender else "to"
        return {side: self.number, "code": self.code, "end": self.end, "times": self.times}


@dataclass(frozen=True)
class Faults:
    """Shares are between 0 and 1, and those of one group add up to 1 at most: an event is struck once.

    carrier: Twilio's code → share of the texts that end as undelivered with it.
    buying: the code with which every purchase is refused; 0 for none.
    """

    seed: int = 1
    sends: Mapping[str, float] = field(default_factory=dict)
    messages: Mapping[str, float] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    services: Mapping[str, float] = field(default_factory=dict)
    callbacks: Mapping[str, float] = field(default_factory=dict)
    inbound: Mapping[str, float] = field(default_factory=dict)
    carrier: Mapping[str, float] = field(default_factory=dict)
    ailments: Sequence[Ailment] = ()
    account: Account = Account.ACTIVE
    buying: int = 0
    retry_after: int = 1
    slow_seconds: float = 5.0
    late_seconds: float = 5.0

    def as_json(self) -> dict[str, Any]:
        shares = {name: dict.fromkeys(kinds, 0.0) | dict(getattr(self, name)) for name, kinds in GROUPS.items()}
        return asdict(self) | shares | {"ailments": [ailment.as_json() for ailment in self.ailments]}

    @property
    def is_calm(self) -> bool:
        """Nothing is switched on."""
        shares = [share for group in (*GROUPS, "carrier") for share in getattr(self, group).values()]
        return not any(shares) and not self.ailments and self.account is Account.ACTIVE and not self.buying


class Trouble:
    """What goes wrong at present, and how often it has since it was switched on."""

    def __init__(self) -> None:
        self._is_over = asyncio.Event()
        self.switch(Faults())

    def close(self) -> None:
        """The simulator stops: nothing is slow any more."""
        self._is_over.set()

    async def dawdle(self) -> None:
        """As long as a slow answer takes."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_over.wait(), self.faults.slow_seconds)

    def switch(self, faults: Faults) -> None:
        """From now on these, counted from nothing: the same events are struck again as they were the first time."""
        self.faults = faults
        self.struck: dict[str, Counter[str]] = {}
        self._seen: Counter[tuple[str, bytes]] = Counter()

    def threatens(self, group: str) -> bool:
        return any(getattr(self.faults, group).values())

    def strike(self, group: str, *about: str, sparing: str = "") -> str | None:
        """The fault that strikes this event, counted; None for none. sparing: one that cannot befall it."""
        if not self.threatens(group):
            return None
        kind = _drawn(getattr(self.faults, group), self._chance(group, *about))
        if not kind or kind == sparing:
            return None
        self._count(group, kind)
        return kind

    def refusal(self, sender: str, recipient: str) -> int | None:
        """The code with which a text between the two is refused at once."""
        if self.faults.account is Account.TRIAL:
            self._count("account", Account.TRIAL)
            return UNVERIFIED
        ailment = self._ailment(sender, recipient, refused=True)
        return ailment.code if ailment else None

    def end(self, sender: str, recipient: str, body: str) -> tuple[End, int] | None:
        """How a text that was taken ends, when it does not arrive. Asked once for each text."""
        if self.faults.account is Account.SUSPENDED:
            self._count("account", Account.SUSPENDED)
            return End.FAILED, SUSPENDED
        ailment = self._ailment(sender, recipient, refused=False)
        if ailment:
            return ailment.end, ailment.code
        code = self.strike("carrier", sender, recipient, body)
        return (End.UNDELIVERED, int(code)) if code else None

    def locks_out(self) -> bool:
        """Whether the account's password is refused just now; counted."""
        if self.faults.account is not Account.REFUSED:
            return False
        self._count("account", Account.REFUSED)
        return True

    def purchase_refusal(self) -> int | None:
        code = ONE_NUMBER if self.faults.account is Account.TRIAL else self.faults.buying
        if code:
            self._count("buying", str(code))
        return code or None

    def _ailment(self, sender: str, recipient: str, *, refused: bool) -> Ailment | None:
        for ailment in self.faults.ailments:
            if (ailment.end is End.REFUSED) is refused and ailment.hits(sender, recipient):
                number = sender if ailment.is_sender else recipient
                if not ailment.times or self._nth("ailments", ailment.number, number) <= ailment.times:
                    self._count("ailments", ailment.number)
                    return ailment
        return None

    def _chance(self, *about: str) -> float:
        """A number from 0 to below 1 that the seed, the event and its repetition decide."""
        words = "\x1f".join([str(self.faults.seed), *about, str(self._nth(*about))])
        digest = blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64

    def _nth(self, *about: str) -> int:
        """How often exactly this has come, this time included."""
        digest = blake2b("\x1f".join(about).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self._seen[about[0], digest] += 1
        return self._seen[about[0], digest]

    def _count(self, group: str, kind: str) -> None:
        self.struck.setdefault(group, Counter())[str(kind)] += 1


def _drawn(shares: Mapping[str, float], chance: float) -> str | None:
    # In the order of the names, so that it does not matter how they were given.
    for kind in sorted(shares):
        if chance < shares[kind]:
            return kind
        chance -= shares[kind]
    return None
