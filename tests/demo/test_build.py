"""One build for the sources at hand, which serves wherever it is opened."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from tp_inbox.demo.build import Frontend, serving_environment, use_own_origin
from tp_inbox.demo.trouble import Trouble


@pytest.fixture
def frontend(tmp_path: Path) -> Frontend:
    for name in ("tp_inbox/web", "tp_inbox/storage", "assets"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "rxconfig.py").write_text("config = 1")
    (tmp_path / "tp_inbox" / "web" / "pages.py").write_text("a = 1")
    return Frontend(tmp_path)


@pytest.mark.parametrize("changed", ["rxconfig.py", "tp_inbox/web/pages.py", "tp_inbox/web/new.py", "assets/logo.svg"])
def test_a_changed_source_asks_for_a_new_build(frontend: Frontend, changed: str) -> None:
    before = frontend.fingerprint()
    (frontend.checkout / changed).write_text("something else")
    assert frontend.fingerprint() != before


@pytest.mark.parametrize("changed", ["tp_inbox/storage/tables.py", "tp_inbox/web/__pycache__", "README.md"])
def test_what_no_page_shows_does_not(frontend: Frontend, changed: str) -> None:
    before = frontend.fingerprint()
    path = frontend.checkout / changed
    path.mkdir() if path.name == "__pycache__" else path.write_text("something else")
    assert frontend.fingerprint() == before


def test_a_moved_checkout_needs_no_new_build(frontend: Frontend, tmp_path: Path) -> None:
    before = frontend.fingerprint()
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert Frontend(moved).fingerprint() == before


def test_only_the_build_of_these_sources_counts(frontend: Frontend) -> None:
    assert frontend.built() is None
    (frontend.folder / frontend.fingerprint()).mkdir(parents=True)
    assert frontend.built() is not None
    (frontend.checkout / "rxconfig.py").write_text("config = 2")
    assert frontend.built() is None


def test_a_copied_checkout_builds_its_own_sources(frontend: Frontend, tmp_path: Path) -> None:
    frontend.folder.mkdir(parents=True)
    frontend._link_sources()
    copy = Frontend(tmp_path.with_name("copy"))
    shutil.copytree(tmp_path, copy.checkout, symlinks=True)
    (copy.checkout / "rxconfig.py").write_text("config = 'the copy'")
    copy._link_sources()
    assert (copy._work / "rxconfig.py").read_text() == "config = 'the copy'"


def test_an_older_build_is_kept_for_who_still_serves_it(frontend: Frontend) -> None:
    (frontend.folder / "work" / ".web" / "build" / "client").mkdir(parents=True)
    names = [f"{number:016x}" for number in range(4)]
    for name in names:
        frontend._publish(name)
    assert sorted(build.name for build in frontend.folder.glob("0*")) == names[1:]


def test_the_browser_speaks_to_where_the_page_came_from(tmp_path: Path) -> None:
    script = tmp_path / "env.js"
    script.write_text('var e={PING:`http://same-origin.invalid/ping`,EVENT:"ws://same-origin.invalid/_event"};')
    (tmp_path / "env.js.gz").write_bytes(b"old")
    use_own_origin(tmp_path)
    changed = script.read_text()
    assert changed == 'var e={PING:(location.origin+"/ping"),EVENT:(location.origin.replace(/^http/,"ws")+"/_event")};'
    assert gzip.decompress((tmp_path / "env.js.gz").read_bytes()).decode() == changed


@pytest.mark.parametrize("code", ["var e={}", "`http://same-origin.invalid/ping`+x('same-origin.invalid')"])
def test_a_reflex_that_bakes_addresses_otherwise_stops_the_build(tmp_path: Path, code: str) -> None:
    (tmp_path / "env.js").write_text(code)
    with pytest.raises(Trouble, match="bakes its address in a way we do not know"):
        use_own_origin(tmp_path)


def test_serving_compiles_nothing(tmp_path: Path) -> None:
    environment = serving_environment(tmp_path, "https://inbox.example.test")
    assert environment["__REFLEX_SKIP_COMPILE"] == "true"
    assert environment["REFLEX_WEB_WORKDIR"] == str(tmp_path)
