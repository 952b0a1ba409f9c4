"""Where a database of ours may live and who owns it, when the server must not run as root.

PostgreSQL refuses to run as root. Root therefore lends it the user `nobody`, who gets one folder and nothing else: no
parent folder is opened. Where `nobody` cannot reach the data folder, its home is made below /var/lib, which only root
can write, and the data folder holds a link to it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tp_inbox.demo.trouble import Trouble

UNPRIVILEGED = "nobody"
REACHABLE = Path("/var/lib/tp-inbox")
LONGEST_SOCKET = 100  # bytes of a Unix socket's path; the system's limit is 104 on macOS, 108 on Linux
SOCKET_NAME = "/.s.PGSQL.5432"


@dataclass(frozen=True)
class Owner:
    """Who runs the server: ourselves, or, for root, an existing unprivileged user."""

    ids: tuple[int, int] | None = None

    @classmethod
    def for_this_process(cls) -> Owner:
        if os.geteuid() != 0:
            return cls()
        entry = pwd.getpwnam(UNPRIVILEGED)
        return cls((entry.pw_uid, entry.pw_gid))

    @property
    def foreign(self) -> bool:
        return self.ids is not None

    def as_user(self) -> dict[str, Any]:
        """Arguments for `subprocess` to run something as the owner."""
        return {"user": self.ids[0], "group": self.ids[1], "extra_groups": []} if self.ids else {}

    def can_reach(self, folder: Path) -> bool:
        """Asked by trying, so that modes, groups and access lists all count."""
        return subprocess.run(["test", "-x", folder], cwd="/", check=False, **self.as_user()).returncode == 0

    def private(self, folder: Path) -> Path:
        """Make `folder` the owner's alone."""
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        if self.ids:
            os.chown(folder, *self.ids)
        return folder


@dataclass(frozen=True)
class Homes:
    """Finds or makes the home of one data folder's database."""

    owner: Owner
    places: Path = REACHABLE

    def home(self, data: Path) -> Path:
        """The folder that holds the cluster, its password, its socket and its log: `data/postgres`, or linked there."""
        link = data / "postgres"
        if link.is_symlink():
            return self._linked(link) or self._make_elsewhere(link)
        if not data.exists():
            data.mkdir(parents=True, mode=0o711 if self.owner.foreign else 0o700)
        if link.exists() or self.owner.can_reach(data):
            link.mkdir(mode=0o711 if self.owner.foreign else 0o700, exist_ok=True)
            return link.resolve()
        return self._make_elsewhere(link)

    def reachable(self) -> Path:
        """The place for what the owner must reach: root's, and closed to every other writer.

        Raises: Trouble where it cannot be made or belongs to somebody else.
        """
        try:
            self.places.mkdir(mode=0o711, parents=True, exist_ok=True)
        except OSError as error:
            raise Trouble(_ASK.format(places=self.places, why=error.strerror)) from None
        about = self.places.stat()
        if about.st_uid != os.geteuid() or about.st_mode & 0o022:
            raise Trouble(_ASK.format(places=self.places, why="it belongs to somebody else"))
        if not self.owner.can_reach(self.places):
            raise Trouble(_ASK.format(places=self.places, why=f"{UNPRIVILEGED} cannot reach it"))
        return self.places

    def _linked(self, link: Path) -> Path | None:
        """The linked home, unless the folder was copied from another checkout, whose database it then is."""
        home = link.resolve()
        if not (home / "made-for").is_file():
            return None
        made_for = Path((home / "made-for").read_text())
        if made_for != link and made_for.is_symlink() and made_for.resolve() == home:
            return None
        (home / "made-for").write_text(str(link))
        return home

    def _make_elsewhere(self, link: Path) -> Path:
        self._forget_earlier(link)
        home = Path(tempfile.mkdtemp(prefix="data-", dir=self.reachable()))
        home.chmod(0o711)
        (home / "made-for").write_text(str(link))
        link.unlink(missing_ok=True)
        link.symlink_to(home)
        return home

    def _forget_earlier(self, link: Path) -> None:
        """Whoever deletes the data folder wants to begin anew: drop the home it led to, if no server runs there."""
        for note in self.reachable().glob("data-*/made-for"):
            gone = not (note.parent / "cluster" / "postmaster.pid").exists()
            if gone and Path(note.read_text()) == link and not link.is_symlink():
                shutil.rmtree(note.parent)


_ASK = "The database needs a folder that PostgreSQL's user can reach, and {places} is none: {why}. Set DATA_DIR to one."


@contextmanager
def socket_folder(home: Path, owner: Owner) -> Iterator[Path]:
    """A folder for the server's socket: in its home, or in a short-lived private one where that path is too long."""
    usual = home / "socket"
    shutil.rmtree(usual, ignore_errors=True)  # a killed server's lock file names a process that may be another's by now
    if len(f"{usual}{SOCKET_NAME}".encode()) <= LONGEST_SOCKET and not set(str(usual)) & set(',"\\'):
        yield owner.private(usual)
        return
    with temporary_folder(owner) as folder:
        yield owner.private(folder / "socket")


@contextmanager
def temporary_folder(owner: Owner) -> Iterator[Path]:
    """A new folder with a short name that `owner` can reach, gone afterwards."""
    candidates = (tempfile.gettempdir(), "/tmp", "/var/tmp")  # noqa: S108 - mkdtemp makes a private folder there
    base = next((base for base in candidates if len(base) < 50 and owner.can_reach(Path(base))), None)
    if base is None:
        raise Trouble("No temporary folder has a short enough path; set TMPDIR to one, for example /tmp.")
    folder = Path(tempfile.mkdtemp(prefix="tp-inbox-", dir=base))
    try:
        folder.chmod(0o711 if owner.foreign else 0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
