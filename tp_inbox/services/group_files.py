"""Groups of schools as files: what each line of a list does, and what becomes of each group that it names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum

from tp_inbox.domain.auditing import canonical
from tp_inbox.domain.errors import Invalid
from tp_inbox.domain.schools import clean_name
from tp_inbox.services.csv_files import Line
from tp_inbox.services.regrouping import Group, Move, Preview, names_of

COLUMNS = {"group": ("group", "group name", "district group"), "school": ("school", "school name", "campus")}
MOST_LINES_SHOWN = 200
MOST_GUESSES = 50
"""Looking for names that are alike takes its time, so that only the first unknown ones get it."""
NOTHING = Preview()


class Mode(StrEnum):
    """What happens to a group's schools that a file does not name. Groups that it does not name stay as they are."""

    REPLACE = "replace"
    APPEND = "append"


@dataclass(frozen=True)
class LineReport:
    """What a line of a file does. ``kind``: "does", "same" or "bad"."""

    number: int
    group: str
    school: str
    said: str
    kind: str


@dataclass(frozen=True)
class PlannedGroup:
    """What becomes of a group, in the words of the screen."""

    name: str
    fresh: bool
    added: list[str]
    removed: list[str]


@dataclass(frozen=True)
class ImportReport:
    """What a file would do. ``more``: lines beyond those shown. ``plan``: stands for all of it, to apply just this."""

    lines: list[LineReport] = field(default_factory=list)
    more: int = 0
    read: int = 0
    problems: int = 0
    unchanged: int = 0
    groups: list[PlannedGroup] = field(default_factory=list)
    fresh: int = 0
    """How many of these groups are new."""
    preview: Preview = NOTHING
    plan: str = ""


class Reading:
    """A file being read: what each line says, and what becomes of each group that it names."""

    def __init__(self, groups: Mapping[int, Group], names: Mapping[int, str]) -> None:
        self.names = names
        self._schools = {_plain(name): i for i, name in names.items()}
        self._groups = {_plain(group.name): group for group in groups.values()}
        self._named: dict[str, tuple[Group, set[int]]] = {}
        self._first: dict[tuple[str, str], int] = {}
        self._guesses = MOST_GUESSES

    def read(self, lines: Iterable[Line]) -> list[LineReport]:
        return [self._line(line.number, line.values["group"], line.values["school"]) for line in lines]

    def moves(self, mode: Mode) -> list[Move]:
        """Of the groups that change, in the order of the file."""
        kept = {key: g.schools if mode is Mode.APPEND else frozenset() for key, (g, _) in self._named.items()}
        moves = [Move(group, frozenset(schools) | kept[key]) for key, (group, schools) in self._named.items()]
        return [move for move in moves if move.changes]

    @property
    def unchanged(self) -> int:
        """How many groups the file does not name."""
        return len(self._groups.keys() - self._named.keys())

    def _line(self, number: int, group: str, school: str) -> LineReport:
        try:
            said, kind = self._take(number, clean_name(group, "group"), " ".join(school.split()))
        except Invalid as refusal:
            said, kind = refusal.sentence, "bad"
        return LineReport(number, group, school, said, kind)

    def _take(self, number: int, group: str, school: str) -> tuple[str, str]:
        school_id = self._schools.get(_plain(school)) if school else None
        if school and school_id is None:
            raise Invalid(self._unknown(school))
        first = self._first.setdefault((_plain(group), _plain(school)), number)
        if first != number:
            return f"The same as line {first}.", "same"
        known, schools = self._named.setdefault(
            _plain(group), (self._groups.get(_plain(group), Group(0, group)), set())
        )
        if school_id is None:
            return ("Names the group, without a school.", "same") if known.id else ("Makes the group.", "does")
        schools.add(school_id)
        return self._said(known, school_id)

    def _said(self, group: Group, school_id: int) -> tuple[str, str]:
        if not group.id:
            return "Adds the school to the new group.", "does"
        return ("Is in the group already.", "same") if school_id in group.schools else ("Adds the school.", "does")

    def _unknown(self, school: str) -> str:
        alike = self._alike(school)
        hint = f" Did you mean {' or '.join(alike)}?" if alike else ""
        return f"There is no school of this name.{hint}"

    def _alike(self, school: str) -> list[str]:
        if not self._guesses:
            return []
        self._guesses -= 1
        found = get_close_matches(_plain(school[:100]), self._schools, n=2, cutoff=0.5)
        return [self.names[self._schools[name]] for name in found]


def _plain(name: str) -> str:
    """By which two names are the same: whatever the case and the spaces."""
    return " ".join(name.split()).lower()


def fingerprint(moves: Sequence[Move]) -> str:
    plan = [[m.group.id, m.group.name, sorted(m.group.schools), sorted(m.schools)] for m in moves]
    return hashlib.sha256(canonical({"plan": plan})).hexdigest()


def report_of(reports: Sequence[LineReport], reading: Reading, moves: Sequence[Move], preview: Preview) -> ImportReport:
    problems = sum(report.kind == "bad" for report in reports)
    shown = sorted(reports, key=lambda report: (report.kind != "bad", report.number))[:MOST_LINES_SHOWN]
    return ImportReport(
        lines=shown,
        more=len(reports) - len(shown),
        read=len(reports),
        problems=problems,
        unchanged=reading.unchanged,
        groups=[_planned(move, reading.names) for move in moves],
        fresh=sum(not move.group.id for move in moves),
        preview=preview,
        plan=fingerprint(moves),
    )


def _planned(move: Move, names: Mapping[int, str]) -> PlannedGroup:
    added, removed = names_of(names, move.added), names_of(names, move.removed)
    return PlannedGroup(move.group.name, not move.group.id, added, removed)
