"""Naming the people at a phone: what a thread is called and who reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tp_inbox.domain.phone import display_phone
from tp_inbox.services.views import PersonView
from tp_inbox.storage.queries.families import Pupil, Reached

HUES = 12


def title_of(people: Sequence[Reached], e164: str) -> str:
    """The names reached there, adults before students; the number when nobody is known."""
    names = [p.name for p in people]
    if not names:
        return display_phone(e164)
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " & " + names[-1]


def about(people: Sequence[Reached]) -> str:
    """In one line what these people are to the school."""
    if not people:
        return "Unknown sender"
    pupils = list({p.name: p for person in people if not person.is_student for p in person.pupils}.values())
    if not pupils:
        return _role(people[0])
    return "Family of " + _and([f"{_given(p.name)} ({_grade(p)})" for p in pupils])


def through(met: Collection[int], theirs: Collection[int], names: Mapping[int, str]) -> str:
    """By which of several schools one meets a family: through Lincoln and Roosevelt. Empty for who meets families
    of one school only. ``met`` and ``theirs``: ids of one's own schools and the family's; ``names``: by id, in order.
    """
    shared = [name for i, name in names.items() if i in met and i in theirs]
    return "through " + _and(shared) if shared and len(met) > 1 else ""


def schools_of(people: Sequence[Reached]) -> frozenset[int]:
    """Where the students are to whom these people belong."""
    return frozenset(pupil.school_id for person in people for pupil in person.pupils)


def views_of(people: Sequence[Reached]) -> list[PersonView]:
    return [PersonView(p.name, _role(p), p.is_student) for p in people]


def initials(name: str) -> str:
    """Of the first person named; # for a number."""
    first = name.partition("&")[0].partition(",")[0]
    parts = [word for word in first.split() if word[0].isalpha()]
    return "".join(w[0] for w in (parts[:1] + parts[-1:] if len(parts) > 1 else parts)).upper() or "#"


def hue_of(phone_id: int) -> int:
    """One of the avatar colours, the same for a family wherever it is shown."""
    return phone_id % HUES


def _role(person: Reached) -> str:
    if person.is_student:
        return student_of(person.pupils[0].grade)
    if not person.pupils:
        return "Family contact"
    relation = (person.pupils[0].relation or "family").capitalize()
    return f"{relation} of " + _and([_given(p.name) for p in person.pupils])


def student_of(grade: str) -> str:
    return f"Student, grade {grade}" if grade else "Student"


def _given(name: str) -> str:
    return name.partition(" ")[0]


def _grade(pupil: Pupil) -> str:
    return f"grade {pupil.grade}" if pupil.grade else "student"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
