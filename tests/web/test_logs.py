"""The log says what happened and where, and nothing of what people wrote, who they are, or how they signed in."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from granian.log import LogLevels, configure_logging

from tests.web.harness import Stage, app
from tp_inbox import logs
from tp_inbox.logs import LINE, Discreet, DiscreetJson
from tp_inbox.tp_inbox import note_page_fault
from tp_inbox.web import reflex_internals as internals
from tp_inbox.web.states.composer import ComposerState
from tp_inbox.web.states.thread import ThreadState

SECRET = "a secret about Mia"


@pytest.fixture(params=["text", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is written, in either form; both hold back the same."""
    yield from _written_by(Discreet(LINE) if request.param == "text" else DiscreetJson())


@pytest.fixture
def text_log() -> Iterator[io.StringIO]:
    yield from _written_by(Discreet(LINE))


@pytest.fixture
def json_log() -> Iterator[io.StringIO]:
    yield from _written_by(DiscreetJson())


def _written_by(formatter: logging.Formatter) -> Iterator[io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers[:] = [handler]
    yield written
    root.handlers[:] = before


def test_an_error_is_written_without_its_words(log: io.StringIO) -> None:
    try:
        fail()
    except KeyError:
        logging.getLogger("tp_inbox.web").exception("something failed")
    assert SECRET not in log.getvalue()
    assert "builtins.ValueError" in log.getvalue()
    assert "builtins.KeyError" in log.getvalue()
    assert "test_logs.py:" in log.getvalue()


def fail() -> None:
    try:
        int(SECRET)
    except ValueError as error:
        raise KeyError(SECRET) from error


def test_of_a_librarys_line_only_its_place_is_written(log: io.StringIO) -> None:
    logging.getLogger("reflex.app").warning("Received event %s", SECRET)
    assert SECRET not in log.getvalue()
    assert "a line of test_logs." in log.getvalue()


def test_our_own_line_is_written_as_it_is(text_log: io.StringIO) -> None:
    logging.getLogger("tp_inbox.live").warning("kind %s", "message", extra={"message_id": 7})
    assert text_log.getvalue() == "WARNING tp_inbox.live: kind message\n"


def test_as_json_a_line_is_one_object_with_our_ids(json_log: io.StringIO) -> None:
    ids = {"message_id": 7, "campaign_id": 3, "outcome": "refused", "code": "21614"}
    logging.getLogger("tp_inbox.dispatching").warning("handed over\nand %s", "refused", extra=ids)
    line = json.loads(json_log.getvalue())
    assert json_log.getvalue().count("\n") == 1
    assert line.pop("time").endswith("+00:00")
    said = {"level": "WARNING", "logger": "tp_inbox.dispatching", "message": "handed over\nand refused"}
    assert line == said | ids


def test_as_json_an_error_is_its_type_and_its_places(json_log: io.StringIO) -> None:
    try:
        fail()
    except KeyError:
        logging.getLogger("tp_inbox.web").exception("something failed")
    line = json.loads(json_log.getvalue())
    assert line["error"] == "builtins.KeyError"
    assert line["places"][0] == "builtins.ValueError"
    assert any("test_logs.py:" in place for place in line["places"])


def test_as_json_nothing_is_kept_that_has_no_field(json_log: io.StringIO) -> None:
    logging.getLogger("tp_inbox.web").warning("a text", extra={"body": SECRET, "phone": SECRET})
    logging.getLogger("some.library").warning("a line", extra={"message_id": SECRET, "reason": SECRET})
    assert SECRET not in json_log.getvalue()
    assert json_log.getvalue().count("\n") == 2


@pytest.fixture
def server_log() -> Iterator[logging.Logger]:
    log = logging.getLogger("_granian")
    before = log.handlers[:], log.propagate, log.level
    yield log
    log.handlers[:], log.propagate, log.level = before


def test_the_servers_own_lines_are_held_back_as_ours(
    server_log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of ours that reaches granian is written by granian."""
    given = json.loads((Path(logs.__file__).parent / "granian_logs.json").read_text())
    configure_logging(LogLevels.info, given)
    try:
        fail()
    except KeyError:
        server_log.exception("Application callable raised an exception")
    said = capsys.readouterr().out
    assert "Application callable raised an exception" in said
    assert "builtins.KeyError" in said
    assert SECRET not in said


async def test_whatever_a_browser_sends_no_cookie_token_or_text_is_logged(stage: Stage, log: io.StringIO) -> None:
    alice = await stage.tab("alice", f"/messages/personal/{await stage.town.personal('alice')}")
    payloads = (
        {"written": SECRET},
        {SECRET: 1},
        SECRET,
        [SECRET],
        {"thread_id": SECRET, "key": "x", "written": SECRET, "seen": SECRET},
    )
    for name in (
        internals.name_of(ComposerState.send),
        "unknown." + SECRET,
        "a.setvar",
        [SECRET],
        None,
        *internals.OPEN_TO_ANYONE,
    ):
        for payload in payloads:
            await alice.forge(name, payload)
    with app.set_contexts():
        await stage.namespace.on_event(alice.socket, SECRET)
        await stage.namespace.on_event("unknown socket", {"name": SECRET})
        await stage.namespace.on_client_error(alice.socket, {"message": SECRET, "error_type": SECRET})
    await alice.disconnect()
    await internals.enqueue(app, alice.token, ThreadState.toggle_family())
    await stage.settle()
    for secret in (SECRET, alice.cookie, alice.token, "Alice"):
        assert secret not in log.getvalue()


async def test_a_fault_is_logged_with_its_handler_and_person_and_shown_as_a_sentence(
    stage: Stage, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError(SECRET)

    alice = await stage.tab("alice", f"/messages/personal/{await stage.town.personal('alice')}")
    monkeypatch.setattr(type(stage.town.wired.services.inboxes), "mark_read", broken)
    answer = await alice.call(ThreadState.mark_read)
    assert answer.says("Something went wrong on our side.")
    assert f"an event failed: thread_state.mark_read, staff {stage.town.staff['alice']}" in log.getvalue()
    assert "builtins.RuntimeError" in log.getvalue()
    assert SECRET not in log.getvalue()


async def test_a_fault_while_sending_gives_the_words_back(
    stage: Stage, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError

    thread = await stage.town.personal("alice")
    alice = await stage.tab("alice", f"/messages/personal/{thread}")
    monkeypatch.setattr(type(stage.town.wired.services.sending), "send", broken)
    await alice.call(ComposerState.send, thread, "6b1b3f5c-0000-4000-8000-000000000000", "Hello", 0)
    assert alice.var(ComposerState, "refused_key") == "6b1b3f5c-0000-4000-8000-000000000000"
    assert "composer_state.send" in log.getvalue()


def test_what_a_page_reports_is_counted_and_not_quoted(log: io.StringIO) -> None:
    note_page_fault(Exception(SECRET))
    assert SECRET not in log.getvalue()
    assert "a page reported an error" in log.getvalue()
