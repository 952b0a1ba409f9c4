"""`make run` around a stand-in for `tp-inbox`: order, sentences, restarts, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo.conftest import gone, within
from tp_inbox.demo import supervisor
from tp_inbox.demo.trouble import Trouble
from tp_inbox.settings import Settings

SERVICES = ("simulator", "serve", "worker")
STANDIN = Path(__file__).with_name("standin.py")
DRIVER = f"""
import sys
from pathlib import Path
from tp_inbox import demo
from tp_inbox.demo import supervisor
from tp_inbox.demo.trouble import Trouble
from tp_inbox.settings import settings
supervisor.PROGRAM = (sys.executable, {str(STANDIN)!r})
demo.accounts = lambda: [demo.Account("Ana", "ana@example.test", "a password", "everything")]
try:
    sys.exit(supervisor.run(settings(), "--stop-with-parent" in sys.argv))
except Trouble as trouble:
    sys.exit(str(trouble))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Demonstration:
    """One run of the supervisor in a process of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.data = folder / "data"
        self.data.mkdir(exist_ok=True, mode=0o711)
        self.port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TWILIO_")},
            "PORT": str(self.port),
            "SIMULATOR_PORT": str(free_port()),
            "DATA_DIR": str(self.data),
            "DATABASE_URL": "postgresql://nowhere/at_all",
            **environment,
        }
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self.process

    def welcome(self) -> str:
        """What it says until everything is up."""
        assert self.process is not None
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if "Ctrl-C stops everything" in line:
                break
        return "".join(lines)

    def said(self) -> str:
        assert self.process is not None
        return self.process.communicate(timeout=30)[0]

    def starts(self, command: str) -> list[int]:
        notes = self.data / "starts"
        lines = notes.read_text().splitlines() if notes.exists() else []
        return [int(line.split()[1]) for line in lines if line.split()[0] == command]

    def all_pids(self) -> list[int]:
        return [pid for command in SERVICES for pid in self.starts(command)]

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def up(self) -> bool:
        return self.healthy() and all(self.starts(command) for command in SERVICES)


@pytest.fixture
def demonstration(folder: Path) -> Iterator[Demonstration]:
    demonstration = Demonstration(folder)
    yield demonstration
    if demonstration.process:
        with demonstration.process as process:
            process.kill()


def test_it_comes_up_says_where_and_stops_everything_on_ctrl_c(demonstration: Demonstration) -> None:
    process = demonstration.start()
    said = demonstration.welcome()
    process.send_signal(signal.SIGINT)
    demonstration.said()
    assert f"http://127.0.0.1:{demonstration.port}" in said
    assert "ana@example.test" in said
    assert process.returncode == 0
    assert all(gone(pid) for pid in demonstration.all_pids())


def test_the_database_is_seeded_on_the_first_start_alone(demonstration: Demonstration) -> None:
    for _ in range(2):
        process = demonstration.start()
        assert within(20, demonstration.healthy)
        process.terminate()
        demonstration.said()
    assert len(demonstration.starts("migrate")) == 2
    assert len(demonstration.starts("seed")) == 1


def test_kill_9_leaves_nothing_behind(demonstration: Demonstration) -> None:
    process = demonstration.start()
    assert within(20, demonstration.up)
    process.kill()
    assert within(10, lambda: all(gone(pid) for pid in demonstration.all_pids()))


def test_it_can_end_with_the_process_that_started_it(demonstration: Demonstration) -> None:
    starter = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DRIVER!r}, '--stop-with-parent'])"
    with subprocess.Popen(
        [sys.executable, "-c", starter], env=demonstration.environment, stderr=subprocess.DEVNULL
    ) as process:
        assert within(20, demonstration.up)
        process.kill()
    assert within(10, lambda: all(gone(pid) for pid in demonstration.all_pids()))


def test_a_service_that_dies_is_started_again_aloud(demonstration: Demonstration) -> None:
    process = demonstration.start()
    assert within(20, demonstration.up)
    os.kill(demonstration.starts("worker")[0], signal.SIGKILL)
    assert within(10, lambda: len(demonstration.starts("worker")) == 2)
    process.terminate()
    assert "worker stopped by itself (exit code 137); starting it again in 1 s" in demonstration.said()


def test_a_step_that_fails_stops_the_rest_and_says_which(folder: Path) -> None:
    demonstration = Demonstration(folder, STANDIN_FAILS="migrate")
    process = demonstration.start()
    said = demonstration.said()
    assert "migrate | migrate cannot" in said
    assert "`tp-inbox migrate` failed; what it said is above." in said
    assert process.returncode == 1
    assert all(gone(pid) for pid in demonstration.all_pids())
    assert not demonstration.starts("serve")


def test_the_simulator_is_up_before_numbers_are_bought_from_it(folder: Path) -> None:
    demonstration = Demonstration(folder, STANDIN_FAILS="seed")
    demonstration.start()
    demonstration.said()
    assert demonstration.starts("simulator")
    assert demonstration.starts("seed")


def test_what_it_writes_down_is_ours_alone_and_gone_afterwards(demonstration: Demonstration) -> None:
    process = demonstration.start()
    assert within(20, demonstration.up)
    note = supervisor.running_note(demonstration.data)
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert "DATABASE_URL=postgresql://nowhere/at_all" in note.read_text()
    process.terminate()
    demonstration.said()
    assert not note.exists()


@pytest.mark.parametrize("variable", ["PORT", "SIMULATOR_PORT"])
async def test_a_taken_port_is_a_sentence_that_names_the_variable(folder: Path, variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = {"port", "simulator_port"} - {variable.lower()}
        settings = Settings(**{variable.lower(): port, other.pop(): free_port(), "data_dir": folder / "data"})
        with pytest.raises(
            Trouble, match=f"Port {port} is taken: set {variable} to a free one, for example {variable}="
        ):
            await supervisor._run(settings)
    assert not (folder / "data").exists()


def test_another_database_is_seeded_too(folder: Path) -> None:
    given = [Settings(data_dir=folder, database_url=f"postgresql://x/{name}") for name in ("one", "two", "")]
    assert len({supervisor._note_of_seeding(settings) for settings in [*given, Settings(data_dir=folder)]}) == 4


def test_sid_and_token_are_made_up_once(folder: Path) -> None:
    first = supervisor._carrier_account(Settings(data_dir=folder))
    assert supervisor._carrier_account(Settings(data_dir=folder)) == first
    assert stat.S_IMODE((folder / "twilio.json").stat().st_mode) == 0o600


def test_sid_and_token_are_kept_where_given(folder: Path) -> None:
    settings = Settings(data_dir=folder, twilio_account_sid="AC1", twilio_auth_token="secret")
    assert supervisor._carrier_account(settings) == ("AC1", "secret")


def test_a_key_for_secrets_is_made_once_kept_from_others_and_gives_way_to_one_that_is_set(folder: Path) -> None:
    first = supervisor._secret_key(Settings(data_dir=folder))
    assert len(first) >= 32
    assert supervisor._secret_key(Settings(data_dir=folder)) == first
    assert (folder / "secret.key").stat().st_mode & 0o777 == 0o600
    given = "a key that is long enough for the tests"
    assert supervisor._secret_key(Settings(data_dir=folder, secret_key=given)) == given


def test_the_carrier_is_always_the_simulator(folder: Path) -> None:
    settings = Settings(data_dir=folder, simulator_port=3999, twilio_base_url="https://api.twilio.com")
    assert supervisor._environment(settings, "postgresql://x")["TWILIO_BASE_URL"] == "http://127.0.0.1:3999"


async def test_our_own_cluster_is_migrated_only_by_migrations_it_has_not_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran = []

    async def once(command: str, *_: object) -> None:
        ran.append(command)

    monkeypatch.setattr(supervisor, "_once", once)
    (tmp_path / "postgres").mkdir()
    for _ in range(2):
        await supervisor._migrate(Settings(data_dir=tmp_path, database_url=""), {})
    assert ran == ["migrate"]
    (tmp_path / "postgres" / "migrated").write_text("older ones")
    await supervisor._migrate(Settings(data_dir=tmp_path, database_url=""), {})
    assert ran == ["migrate", "migrate"]
