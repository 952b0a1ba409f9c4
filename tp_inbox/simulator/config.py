"""What a simulator is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

Seconds = tuple[float, float]


@dataclass(frozen=True)
class Delays:
    """How long each step takes: seconds, as (shortest, longest); each text draws its own."""

    queued: Seconds = (0.05, 0.15)
    sending: Seconds = (0.1, 0.25)
    sent: Seconds = (0.45, 0.8)
    delivered: Seconds = (1.0, 2.0)
    confirmation: Seconds = (0.5, 0.9)

    @classmethod
    def none(cls) -> Delays:
        """Everything at once, for tests."""
        return cls(*[(0.0, 0.0)] * 5)


@dataclass(frozen=True)
class SimulatorConfig:
    """The account the simulator plays, where it listens and where it remembers.

    data_path: a folder, made when missing; a restart with the same folder goes on where the last one stopped.
    own_url: how others reach the simulator, when that differs from host and port; media addresses are built from it.
    webhook_seconds: how long a webhook may take to answer; Twilio waits 15 s.
    service_size: how many numbers one Messaging Service may hold.
    advanced_opt_out: whether webhooks of a Messaging Service's numbers carry OptOutType.
    is_durable: whether what was answered survives a crash of the machine; without it the disk is never waited for.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    data_path: Path
    host: str = "127.0.0.1"
    port: int = 3010
    delays: Delays = field(default_factory=Delays)
    own_url: str = ""
    webhook_seconds: float = 15.0
    service_size: int = 400
    advanced_opt_out: bool = False
    is_durable: bool = True

    @property
    def base_url(self) -> str:
        """The simulator's own address, without a slash at the end."""
        return (self.own_url or f"http://{self.host}:{self.port}").rstrip("/")
