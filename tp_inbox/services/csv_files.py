"""Tables as text: what people paste or export from a spreadsheet, and what they download into one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tp_inbox.domain.errors import Invalid

MOST_LINES = 20_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins with one of these is run by a spreadsheet, so an apostrophe goes before it (CWE-1236)."""
BYTE_ORDER_MARK = "\ufeff"
"""Tells Excel that a file is UTF-8."""


@dataclass(frozen=True, slots=True)
class Line:
    """``number``: as a person counts the lines of the file, from 1. ``values``: by column; empty when not given."""

    number: int
    values: Mapping[str, str]


def read_table(text: str, required: Mapping[str, Sequence[str]], optional: Mapping[str, Sequence[str]]) -> list[Line]:
    """Lines of a table whose first line names its columns, separated by commas, semicolons or tabs.

    ``required`` and ``optional``: by the name of a column, the heads under which people write it, in small letters.
    Other columns and empty lines are passed over. Raises Invalid when it is no such table.
    """
    rows = [(n, row) for n, row in _rows(text) if any(cell.strip() for cell in row)]
    if not rows:
        raise Invalid("This list is empty.")
    if len(rows) > MOST_LINES:
        raise Invalid(f"This list has more than {MOST_LINES:,} lines. Please split it.")
    places = _places(rows[0][1], {**required, **optional})
    if missing := [name for name in required if name not in places]:
        raise Invalid(f"The first line must name the columns. Missing: {', '.join(missing)}.")
    return [Line(n, {name: _at(row, place) for name, place in places.items()}) for n, row in rows[1:]]


def write_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV that spreadsheets show as it is: no cell of it is run as a formula."""
    return BYTE_ORDER_MARK + write_rows([heads]) + write_rows(rows)


def write_rows(rows: Iterable[Sequence[object]]) -> str:
    """Lines of such a table, for one that is too long to be written at once."""
    out = io.StringIO()
    csv.writer(out).writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def _harmless(cell: object) -> str:
    words = str(cell)
    return f"'{words}" if words.startswith(FORMULA) else words


def _rows(text: str) -> list[tuple[int, list[str]]]:
    text = text.removeprefix(BYTE_ORDER_MARK)
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    try:
        return [(reader.line_num, row) for row in reader]
    except csv.Error:
        raise Invalid(f"Line {reader.line_num} of this list cannot be read.") from None


def _places(heads: Sequence[str], columns: Mapping[str, Sequence[str]]) -> dict[str, int]:
    said = [head.strip().lower() for head in heads]
    return {name: said.index(word) for name, words in columns.items() for word in words if word in said}


def _at(row: Sequence[str], place: int) -> str:
    """Without the apostrophe that a table of ours carries before what looks like a formula."""
    cell = row[place].strip() if place < len(row) else ""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell
