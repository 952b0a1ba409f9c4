"""`make run`: the database, the simulator, the app and the worker, brought up in order and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tp_inbox import demo
from tp_inbox.demo import ports
from tp_inbox.demo.build import CHECKOUT, Frontend
from tp_inbox.demo.children import Child, show
from tp_inbox.demo.postgres import Cluster
from tp_inbox.demo.trouble import Trouble
from tp_inbox.settings import LOOPBACK, Settings

PROGRAM = (sys.executable, "-m", "tp_inbox.cli")
DATABASE = "tp_inbox"
READY_SECONDS = 60
RETRIES = 5  # starts of one service within RETRY_WINDOW seconds, after which it is given up
RETRY_WINDOW = 60
PARENT_SECONDS = 0.5

Environment = Mapping[str, str]


def run(settings: Settings, stop_with_parent: bool = False) -> int:
    """Run the demonstration until Ctrl-C or SIGTERM; the exit code.

    `stop_with_parent` also ends it when the process that started it (make) is gone.

    Raises: Trouble with the sentence to show.
    """
    return asyncio.run(_until_told(settings, stop_with_parent))


async def _until_told(settings: Settings, stop_with_parent: bool) -> int:
    running = asyncio.create_task(_run(settings))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    watching = asyncio.create_task(_watch_parent(running)) if stop_with_parent else None
    try:
        await running
    except asyncio.CancelledError:
        show("demo", "Stopped.")
    finally:
        if watching:
            watching.cancel()
    return 0


async def _watch_parent(running: asyncio.Task[None]) -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells a process of this
        await asyncio.sleep(PARENT_SECONDS)
    running.cancel()


async def _run(settings: Settings) -> None:
    ports.require_free(settings.host, settings.port, "PORT")
    ports.require_free(settings.host, settings.simulator_port, "SIMULATOR_PORT")
    _require_folder(settings.data_dir)
    with _database(settings) as url:
        environment = os.environ | _environment(settings, url)
        with _written_down(settings.data_dir, environment):
            await _side_by_side(
                _keep("simulator", _for_simulator(settings, environment)), _bring_up(settings, environment)
            )


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The address of the database: the one given, or one of our own for as long as we run."""
    if settings.database_url:
        yield settings.database_url
        return
    with Cluster(settings.data_dir).running() as server:
        server.create_database(DATABASE)
        yield server.url(DATABASE)
        show("demo", "Stopping.")


def _environment(settings: Settings, url: str) -> dict[str, str]:
    """What the children are told: this demonstration's database, and the simulator in place of Twilio."""
    sid, token = _carrier_account(settings)
    return {
        "DATABASE_URL": url,
        "DATA_DIR": str(settings.data_dir.resolve()),
        "HOST": settings.host,
        "PORT": str(settings.port),
        "SIMULATOR_PORT": str(settings.simulator_port),
        "SECRET_KEY": _secret_key(settings),
        "TWILIO_ACCOUNT_SID": sid,
        "TWILIO_AUTH_TOKEN": token,
        "TWILIO_BASE_URL": f"http://127.0.0.1:{settings.simulator_port}",
        "PYTHONUNBUFFERED": "1",
    }


def _carrier_account(settings: Settings) -> tuple[str, str]:
    """SID and token: each as given, or else made up once and kept."""
    kept = settings.data_dir / "twilio.json"
    if not kept.exists():
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        _write_private(kept, json.dumps({"sid": f"AC{secrets.token_hex(16)}", "token": secrets.token_hex(16)}))
    made_up = json.loads(kept.read_text())
    token = settings.twilio_auth_token.get_secret_value()
    return settings.twilio_account_sid or made_up["sid"], token or made_up["token"]


def _secret_key(settings: Settings) -> str:
    """As given, or else made up once and kept: without it nobody could set up two-step sign-in in a trial."""
    kept = settings.data_dir / "secret.key"
    if not kept.exists():
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        _write_private(kept, secrets.token_hex(32))
    return settings.secret_key.get_secret_value() or kept.read_text()


@contextmanager
def _written_down(data: Path, environment: Environment) -> Iterator[None]:
    """Leave the environment in a file while we run, so that `tp-inbox staff` beside us finds the same database."""
    names = ("DATABASE_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_BASE_URL")
    note = running_note(data)
    _write_private(note, "".join(f"{name}={shlex.quote(environment[name])}\n" for name in names))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _require_folder(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Trouble(f"DATA_DIR: {data} cannot be made: {error.strerror}") from error


def running_note(data: Path) -> Path:
    """Where a running demonstration of this data folder writes how to reach it: NAME=value lines, as a shell reads."""
    return data / "running.env"


async def _bring_up(settings: Settings, environment: Environment) -> None:
    await _side_by_side(_prepare_database(settings, environment), _prepare_frontend(environment))
    await _side_by_side(_keep("serve", environment), _keep("worker", environment), _welcome_when_ready(settings))


async def _prepare_database(settings: Settings, environment: Environment) -> None:
    await _migrate(settings, environment)
    seeded = _note_of_seeding(settings)
    if not seeded.exists():
        await _until(lambda: _listens(settings, settings.simulator_port))  # it sells the numbers that the district has
        await _once("seed", environment, "--demo")
        seeded.touch()


async def _migrate(settings: Settings, environment: Environment) -> None:
    """Our own cluster is left alone when these very migrations were its last; a given database is always asked."""
    note = settings.data_dir / "postgres" / "migrated"
    newest = _fingerprint_of_migrations()
    if settings.database_url or not note.exists() or note.read_text() != newest:
        await _once("migrate", environment, "--demo")
        if not settings.database_url:
            note.write_text(newest)


def _fingerprint_of_migrations() -> str:
    digest = hashlib.sha256()
    for file in sorted((CHECKOUT / "alembic" / "versions").glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _note_of_seeding(settings: Settings) -> Path:
    """Beside our own cluster, so that it goes when the cluster goes; for a given database, under that one's name."""
    if not settings.database_url:
        return settings.data_dir / "postgres" / "seeded"
    return settings.data_dir / f"seeded-{hashlib.sha256(settings.database_url.encode()).hexdigest()[:12]}"


async def _prepare_frontend(environment: Environment) -> None:
    if Frontend().built() is None:
        show("demo", "Building the frontend; that is needed once.")
        await _once("build", environment)


async def _side_by_side(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run all; the first to fail ends the others, and its trouble is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def _once(command: str, environment: Environment, *arguments: str) -> None:
    child = _child(command, environment, *arguments)
    started = time.monotonic()
    await child.start()
    try:
        code = await child.ended()
    finally:
        await child.stop()
    if code:
        raise Trouble(f"`tp-inbox {command}` failed; what it said is above.")
    show("demo", f"{command} done in {time.monotonic() - started:.1f} s")


def _child(command: str, environment: Environment, *arguments: str) -> Child:
    return Child(command, [*PROGRAM, command, *arguments], environment)


def _for_simulator(settings: Settings, environment: Environment) -> Environment:
    """The app must find the simulator on the loopback, so with a HOST that leaves it out the simulator takes all."""
    if settings.host in LOOPBACK:
        return environment
    return {**environment, "HOST": "0.0.0.0"}  # noqa: S104 - HOST has opened this machine to others already


async def _keep(name: str, environment: Environment) -> None:
    """Start the service again, aloud, when it ends by itself; give up when that happens over and over."""
    starts: list[float] = []
    while True:
        starts = [*(s for s in starts if s > time.monotonic() - RETRY_WINDOW), time.monotonic()]
        code = await _life(_child(name, environment))
        if len(starts) >= RETRIES:
            raise Trouble(f"{name} stopped {RETRIES} times within {RETRY_WINDOW} s; what it said is above.")
        wait = 2 ** (len(starts) - 1)
        show("demo", f"{name} stopped by itself (exit code {code}); starting it again in {wait} s")
        await asyncio.sleep(wait)


async def _life(child: Child) -> int:
    await child.start()
    try:
        return await child.ended()
    finally:
        await asyncio.shield(child.stop())


async def _welcome_when_ready(settings: Settings) -> None:
    await _until(lambda: _healthy(settings))
    await _until(lambda: _listens(settings, settings.simulator_port))
    _welcome(settings)


async def _until(answers: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not await answers():
        if time.monotonic() > deadline:
            raise Trouble(f"No answer within {READY_SECONDS} s; what was said is above.")
        await asyncio.sleep(0.1)


async def _listens(settings: Settings, port: int) -> bool:
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection(ports.reachable(settings.host), port)
        writer.close()
        return True
    return False


async def _healthy(settings: Settings) -> bool:
    host, port = ports.reachable(settings.host), settings.port
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"GET /health HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        status = await reader.readline()
        writer.close()
        return b" 200 " in status
    return False


def _welcome(settings: Settings) -> None:
    app = settings.public_url or ports.url(settings.host, settings.port)
    phones = ports.url(settings.host, settings.simulator_port)
    lines = ["", f"  The inbox             {app}", f"  The families' phones  {phones}", "", "  Sign in as"]
    people = demo.accounts()
    widest = max(len(who.email) for who in people)
    lines += [f"    {who.email:<{widest}}  {who.password}  {who.name}: {who.sees}" for who in people]
    print("\n".join([*lines, "", "  Ctrl-C stops everything; the data stays.", ""]), flush=True)


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
