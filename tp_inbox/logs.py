"""What is written to the log, and what never is: names, numbers, texts, passwords, cookies, tokens.

Our own lines are written without them. Libraries put the values at hand into their lines and their errors (a
statement's parameters, an event with its headers), so of theirs only where they come from is kept.
"""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType

OURS = ("tp_inbox", "alembic", "apscheduler", "granian", "_granian")
"""Loggers whose words are kept."""
LINE = "%(levelname)s %(name)s: %(message)s"

_ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Discreet(logging.Formatter):
    """Errors by type and place, without their words; other people's lines by place alone."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name.partition(".")[0] in OURS:
            return super().format(record)
        kept = logging.makeLogRecord(record.__dict__ | {"args": None, "exc_text": None, "stack_info": None})
        kept.msg = f"a line of {record.module}.{record.funcName}:{record.lineno}"
        return super().format(kept)

    def formatException(self, ei: _ErrorInfo) -> str:  # noqa: N802 - logging's name
        return "\n".join(_in_places(ei[1])) if ei[1] else ""


def configure(level: str) -> None:
    """For a whole process, in place of whatever was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Discreet(LINE))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("reflex", "reflex_base", "socketio", "engineio", "sqlalchemy", "apscheduler"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _in_places(error: BaseException) -> list[str]:
    """The error and what it came from, innermost first, each as its type and the lines it passed."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    frames = [f"  {f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    return [*(_in_places(cause) if cause else []), f"{type(error).__module__}.{type(error).__qualname__}", *frames]
