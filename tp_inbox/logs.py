"""What is written to the log, and what never is: names, numbers, texts, passwords, cookies, tokens.

Our own lines are written without them. Libraries put the values at hand into their lines and their errors (a
statement's parameters, an event with its headers), so of theirs only where they come from is kept.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from tp_inbox.settings import settings

OURS = ("tp_inbox", "alembic", "apscheduler", "granian", "_granian")
"""Loggers whose words are kept."""
LINE = "%(levelname)s %(name)s: %(message)s"
FIELDS = (
    "message_id",
    "thread_id",
    "number_id",
    "campaign_id",
    "school_id",
    "staff_id",
    "request_id",
    "sid",
    "outcome",
    "reason",
    "code",
    "kind",
    "seconds",
    "count",
)
"""What a line of ours may tell beside its words, by ``extra``; of anything else that it is given nothing is kept."""

_ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Discreet(logging.Formatter):
    """Errors by type and place, without their words; other people's lines by place alone."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record if _is_ours(record) else _by_place(record))

    def formatException(self, ei: _ErrorInfo) -> str:  # noqa: N802 - logging's name
        return "\n".join(_in_places(ei[1])) if ei[1] else ""


class DiscreetJson(logging.Formatter):
    """The same as one JSON object a line, with our ids as fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        ours = _is_ours(record)
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": (record if ours else _by_place(record)).getMessage(),
        }
        told = {name: vars(record)[name] for name in FIELDS if ours and vars(record).get(name) is not None}
        return json.dumps(line | told | _error_of(record), default=str, ensure_ascii=False)


FORMATTERS = {"text": Discreet(LINE), "json": DiscreetJson()}


def for_the_server() -> logging.Formatter:
    """For the lines of the server that our web processes run in: granian asks for it by ``granian_logs.json``."""
    return FORMATTERS[settings().log_format]


def configure(level: str, form: Literal["text", "json"] = "text") -> None:
    """For a whole process, in place of whatever was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FORMATTERS[form])
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("reflex", "reflex_base", "socketio", "engineio", "sqlalchemy", "apscheduler"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in OURS


def _by_place(record: logging.LogRecord) -> logging.LogRecord:
    kept = logging.makeLogRecord(record.__dict__ | {"args": None, "exc_text": None, "stack_info": None})
    kept.msg = f"a line of {record.module}.{record.funcName}:{record.lineno}"
    return kept


def _error_of(record: logging.LogRecord) -> dict[str, Any]:
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return {}
    return {"error": _name_of(error), "places": [place.strip() for place in _in_places(error)]}


def _name_of(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _in_places(error: BaseException) -> list[str]:
    """The error and what it came from, innermost first, each as its type and the lines it passed."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    frames = [f"  {f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    return [*(_in_places(cause) if cause else []), _name_of(error), *frames]
