"""The spool: on the disk before anybody is answered, in the order of arrival, and emptied by one process."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from pathlib import Path

import pytest

from tp_inbox.storage.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


async def test_what_is_put_there_is_read_again_in_the_order_of_arrival(spool: Spool) -> None:
    await asyncio.gather(*(spool.put({"n": n}) for n in range(30)))
    assert [spool.read(name)["n"] for name in spool.names()] == list(range(30))
    assert spool.waiting() == 30


async def test_two_processes_of_one_machine_share_one_order(spool: Spool) -> None:
    other = Spool(spool.folder)
    for n in range(6):
        await (spool, other)[n % 2].put({"n": n})
    assert [other.read(name)["n"] for name in spool.names()] == list(range(6))


async def test_a_clock_that_is_set_back_changes_no_order(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([2_000, 1_000, 1_500])
    monkeypatch.setattr("time.time_ns", lambda: next(times))
    for n in range(3):
        await spool.put({"n": n})
    assert [spool.read(name)["n"] for name in spool.names()] == [0, 1, 2]


async def test_it_holds_something_from_the_moment_it_is_written_until_it_is_done(spool: Spool) -> None:
    assert not spool.holds_any()
    writing = asyncio.create_task(spool.put({}))
    await asyncio.sleep(0)
    assert spool.holds_any()
    await writing
    assert spool.holds_any()
    spool.done(*spool.names())
    assert not spool.holds_any()


async def test_file_and_folder_are_on_the_disk_before_it_returns(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[str] = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (kinds.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"), real(fd))
    )
    await spool.put({})
    assert kinds == ["file", "folder"]


async def test_nobody_else_on_the_machine_reads_it(spool: Spool) -> None:
    await spool.put({})
    (waiting,) = (spool.folder / "waiting").iterdir()
    assert stat.S_IMODE(waiting.stat().st_mode) == 0o600
    assert stat.S_IMODE(waiting.parent.stat().st_mode) == 0o700


async def test_what_a_crash_left_half_written_is_not_there(spool: Spool) -> None:
    await spool.put({})
    (spool.folder / "writing" / "0.json").write_text('{"n"')
    assert spool.waiting() == 1


async def test_what_a_crash_left_half_written_does_not_stay_for_ever(spool: Spool) -> None:
    await spool.put({})
    left, fresh = (spool.folder / "writing" / name for name in ("0.json", "1.json"))
    for path in (left, fresh):
        path.write_text('{"n"')
    os.utime(left, (0, 0))
    spool.require_writable()
    assert (left.exists(), fresh.exists(), spool.waiting()) == (False, True, 1)


async def test_a_disk_that_is_full_keeps_no_part_of_a_request(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.require_writable()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        await spool.put({"body": "words of a family"})
    assert [path for path in spool.folder.rglob("*") if path.is_file()] == []


async def test_one_process_empties_it_and_the_other_lets_it(spool: Spool) -> None:
    with spool.alone() as ours, Spool(spool.folder).alone() as theirs:
        assert (ours, theirs) == (True, False)
    with Spool(spool.folder).alone() as theirs:
        assert theirs


async def test_what_cannot_be_read_is_said_and_can_be_put_aside(spool: Spool) -> None:
    await spool.put({})
    (name,) = spool.names()
    (spool.folder / "waiting" / name).write_text("{")
    with pytest.raises(ValueError, match=r".+"):
        spool.read(name)
    spool.put_aside(name)
    assert (spool.waiting(), spool.count_aside()) == (0, 1)


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    spool = Spool(tmp_path / "a file" / "spool")
    assert not spool.writable()
    with pytest.raises(OSError, match=r".+"):
        await spool.put({})
    assert spool.names() == []


def test_a_folder_that_can_be_written_says_so_and_keeps_nothing(spool: Spool) -> None:
    assert spool.writable()
    assert not spool.holds_any()
