"""Commands, their arguments, and what wrong settings look like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tp_inbox import cli
from tp_inbox.settings import Settings, settings


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(os, "environ", {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": ""})
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize("command", ["demo", "build", "serve", "worker", "simulator", "migrate", "bench"])
def test_each_command_is_known(command: str) -> None:
    assert cli._parser().parse_args([command]).run


def test_seeding_says_with_what() -> None:
    with pytest.raises(SystemExit):
        cli._parser().parse_args(["seed"])


def test_staff_are_added_with_a_name_and_a_role() -> None:
    options = cli._parser().parse_args(["staff", "add", "ana@example.test", "--name", "Ana", "--role", "School Admin"])
    assert (options.action, options.email, options.school) == ("add", "ana@example.test", None)


def test_a_school_is_added_in_the_districts_time_zone_unless_another_is_named() -> None:
    options = cli._parser().parse_args(["school", "add", "Lincoln Middle School", "--area-code", "612"])
    assert (options.name, options.area_code, options.time_zone) == ("Lincoln Middle School", "612", "")
    options = cli._parser().parse_args(["district", "My District", "--time-zone", "America/Denver"])
    assert (options.name, options.time_zone) == ("My District", "America/Denver")


def test_wrong_settings_are_a_line_each_and_exit_2(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setitem(os.environ, "PORT", "many")
    monkeypatch.setitem(os.environ, "TWILIO_BASE_URL", "ftp://x")
    assert cli.main(["demo"]) == 2
    said = capsys.readouterr().err
    assert "PORT: " in said
    assert "TWILIO_BASE_URL: " in said
    assert "Traceback" not in said


def test_a_running_demonstrations_database_is_found(tmp_path: Path) -> None:
    (tmp_path / "running.env").write_text("DATABASE_URL='postgresql://x@/y?host=/a b&port=1'\nTWILIO_ACCOUNT_SID=AC1\n")
    found = cli._settings_beside_a_demonstration()
    assert found.database_url == "postgresql://x@/y?host=/a b&port=1"
    assert found.twilio_account_sid == "AC1"


def test_a_given_database_comes_before_a_running_demonstrations(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(os.environ, "DATABASE_URL", "postgresql://mine")
    (tmp_path / "running.env").write_text("DATABASE_URL=postgresql://theirs\n")
    assert cli._settings_beside_a_demonstration().database_url == "postgresql://mine"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["add", "ana@example.test", "--name", "Ana", "--role", "District Admin"], ("add", "Ana", "District Admin")),
        (["disable", "ana@example.test"], ("disable", "", "")),
        (["reset-password", "ana@example.test"], ("reset-password", "", "")),
    ],
)
def test_each_staff_command_tells_what_was_typed_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], told: tuple[str, ...]
) -> None:
    async def run(_: Settings, action: str, email: str, name: str = "", role: str = "", **more: str | None) -> str:
        assert not any(more.values())
        return f"{email}: {(action, name, role)}"

    monkeypatch.setattr("tp_inbox.wiring.run_staff_command", run)
    assert cli.main(["staff", *arguments]) == 0
    assert capsys.readouterr().out.strip() == f"ana@example.test: {told}"
