"""Lists of people who get a role or lose one, pasted or from a spreadsheet: looked at first, done as it was shown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from sqlalchemy import ARRAY, Text, any_, func, literal, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import DISTRICT, Actor, Place
from tp_inbox.domain.errors import Invalid
from tp_inbox.domain.permissions import Level
from tp_inbox.services import actors, assignments, holdings
from tp_inbox.services.assignments import DONE, STANDS, Outcome
from tp_inbox.services.csv_files import read_table, write_table
from tp_inbox.services.holdings import DISTRICT_NAME, KnownRole, Wanted
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Staff

ADDRESS = re.compile(r"[^\s@,;<>\"'()]+@[^\s@,;<>\"'()]+")
PIECES = re.compile(r"[,;\t]")
EMAIL_HEADS = ("email", "e-mail", "e-mail address", "email address", "mail")
ROLE_HEADS = ("role",)
SCHOOL_HEADS = ("school or group", "where", "school", "place")
GROUP_HEADS = ("group", "district group")
DISTRICT_WORDS = frozenset({"district", "the district", DISTRICT_NAME.lower()})
MOST_GUESSES = 50
"""Addresses for which the nearest one is looked up; whoever has more mistyped has another list."""
LEAST_ALIKE = 0.5

EMPTY = "Please paste a list of e-mail addresses, or choose a file."
NOT_AN_ADDRESS = "This is not an e-mail address."
NOBODY = "Nobody in your list of staff has this address."
NO_SUCH_ROLE = "There is no role of this name."
NO_ROLE_NAMED = "No role is named. Choose one above, or add a column “role”."
NO_SUCH_PLACE = "There is no school or group of this name."
NO_PLACE_NAMED = "No school is named. Choose one above, or add a column “school”."
TWO_SUCH_PLACES = "A school and a group have this name. Please choose it above instead."
STANDS_ABOVE = "The same stands on line {number}."


@dataclass(frozen=True, slots=True)
class Chosen:
    """What holds for every line that names no role, or no place, itself."""

    role_id: int = 0
    places: tuple[Place, ...] = ()
    taking: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A line as it was written. ``number``: as one counts the lines, from 1. ``places``: empty for those chosen."""

    number: int
    email: str
    role: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class PlanLine:
    """What becomes of a line at one place. ``nearest``: what may have been meant. ``changed``: since it was shown."""

    number: int
    email: str
    person: str
    role: str
    place: str
    outcome: Outcome
    sentence: str = ""
    nearest: str = ""
    wanted: Wanted | None = None
    changed: bool = False

    @property
    def is_problem(self) -> bool:
        return self.outcome not in DONE | STANDS


@dataclass(frozen=True, slots=True)
class Plan:
    lines: tuple[PlanLine, ...]
    done: bool = False

    @property
    def counts(self) -> Mapping[Outcome, int]:
        return Counter(line.outcome for line in self.lines)

    @property
    def to_do(self) -> list[Wanted]:
        return [line.wanted for line in self.lines if line.wanted and line.outcome in DONE]

    def against(self, shown: Plan) -> Plan:
        """The same with those lines marked that were shown otherwise."""
        before = Counter(_essence(line) for line in shown.lines)
        return replace(self, lines=tuple(replace(x, changed=_essence(x) not in before) for x in self.lines))

    @property
    def problems(self) -> str:
        """As a CSV: what was not done, and why. It can be put right and brought again."""
        rows = [
            (x.number, x.email, x.role, x.place, " ".join(filter(None, (x.sentence, _meant(x.nearest)))))
            for x in self.lines
            if x.is_problem
        ]
        return write_table(("Line", "E-mail", "Role", "Where", "Problem"), rows)


class AssignmentLists:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def look(self, actor: Actor, text: str, chosen: Chosen) -> Plan:
        """What would become of each line. Changes nothing."""
        access.require(access.manages_staff(actor), access.STAFF_ONLY)
        async with self._db.reading() as session:
            return await _plan(session, actor, text, chosen)

    async def apply(self, actor: Actor, text: str, chosen: Chosen, shown: Plan) -> Plan:
        """Does what was shown, all of it; what comes back is ``done``. When something has changed meanwhile nothing
        is done, and what comes back is the new plan with the changes marked.
        """
        try:
            async with self._db.transaction() as session:
                actor = await actors.as_of_now(session, actor)
                access.require(access.manages_staff(actor), access.STAFF_ONLY)
                plan = (await _plan(session, actor, text, chosen)).against(shown)
                if _differs(plan, shown):
                    return plan
                change = assignments.take if chosen.taking else assignments.give
                if plan.to_do:
                    await change(session, actor, plan.to_do)
                return replace(plan, done=True)
        except assignments.NotAll:
            return (await self.look(actor, text, chosen)).against(shown)


def _differs(plan: Plan, shown: Plan) -> bool:
    return Counter(map(_essence, plan.lines)) != Counter(map(_essence, shown.lines))


def _essence(line: PlanLine) -> tuple[int, str, str, Outcome, Wanted | None]:
    return line.number, line.email, line.place, line.outcome, line.wanted


def _meant(nearest: str) -> str:
    return f"Did you mean {nearest}?" if nearest else ""


# Reading what was pasted -------------------------------------------------------------------------------------


def read_list(text: str) -> list[Named]:
    """Addresses between commas, semicolons and line ends, also as “Name <address>”; or a table with a column for
    e-mail addresses and, where it likes, for roles, schools and groups.
    """
    found = (
        _table(text) if _is_table(text) else [n for i, line in enumerate(text.splitlines(), 1) for n in _loose(i, line)]
    )
    if not found:
        raise Invalid(EMPTY)
    if len(found) > assignments.MOST_AT_ONCE:
        raise Invalid(assignments.TOO_MANY)
    return found


def _is_table(text: str) -> bool:
    first = next((line for line in text.removeprefix("\ufeff").splitlines() if line.strip()), "")
    heads = {head.strip(' "').lower() for head in PIECES.split(first)}
    return "@" not in first and not heads.isdisjoint(EMAIL_HEADS)


def _table(text: str) -> list[Named]:
    optional = {"role": ROLE_HEADS, "school": SCHOOL_HEADS, "group": GROUP_HEADS}
    found: list[Named] = []
    for line in read_table(text.lstrip("\ufeff\r\n"), {"email": EMAIL_HEADS}, optional):
        said = line.values
        places = list(filter(None, (said.get("school", ""), said.get("group", "")))) or [""]
        email = (ADDRESS.search(said["email"]) or [said["email"]])[0]
        found += [Named(line.number, _normal(email), said.get("role", ""), place) for place in places]
    return found


def _loose(number: int, line: str) -> list[Named]:
    """One or many addresses. What is no address and no name before one is told as it stands."""
    pieces = [piece.strip() for piece in PIECES.split(line)]
    found: list[Named] = []
    for place, piece in enumerate(pieces):
        addresses = ADDRESS.findall(piece)
        before_an_address = any("<" in later for later in pieces[place + 1 : place + 2])
        if not addresses and piece and not before_an_address:
            addresses = [piece]
        found += [Named(number, _normal(address)) for address in addresses]
    return found


def _normal(email: str) -> str:
    return email.strip().strip(".").lower()[:254]


# What becomes of each line -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """People by address, roles and places by name, all in small letters."""

    people: Mapping[str, tuple[int, str]]
    roles: Mapping[str, KnownRole]
    places: Mapping[str, list[Place]]
    roles_by_id: Mapping[int, KnownRole]
    names: Mapping[Place, str]
    offered_roles: Sequence[str]
    offered_places: Sequence[str]
    nearest: Mapping[str, str]


async def _plan(session: AsyncSession, actor: Actor, text: str, chosen: Chosen) -> Plan:
    named = read_list(text)
    known = await _known(session, actor, {n.email for n in named})
    lines = [line for n in named for line in _resolved(known, chosen, n)]
    if len(lines) > assignments.MOST_AT_ONCE:
        raise Invalid(assignments.TOO_MANY)
    lines = _once(lines)
    wanted = [line.wanted for line in lines if line.wanted]
    told = await assignments.look_at(session, actor, wanted, taking=chosen.taking)
    said = {t.wanted: t for t in told}
    return Plan(tuple(_judged(line, said[line.wanted]) if line.wanted else line for line in lines))


def _judged(line: PlanLine, told: assignments.Told) -> PlanLine:
    return replace(line, outcome=told.outcome, sentence=told.sentence)


def _resolved(known: Known, chosen: Chosen, named: Named) -> list[PlanLine]:
    """A line for each place."""
    person = known.people.get(named.email)
    role = known.roles.get(named.role.casefold()) if named.role else known.roles_by_id.get(chosen.role_id)
    line = PlanLine(
        named.number,
        named.email,
        person[1] if person else "",
        role.name if role else named.role,
        named.place,
        Outcome.REFUSED,
    )
    if person is None:
        return [_unknown_person(known, line)]
    if role is None:
        return [_unknown_role(known, line)]
    places = _places(known, chosen, named, role)
    if not places or (named.place and len(places) > 1):
        return [_unknown_place(known, line, places)]
    return [replace(line, place=known.names[p], wanted=Wanted(person[0], role.id, p)) for p in places]


def _places(known: Known, chosen: Chosen, named: Named, role: KnownRole) -> Sequence[Place]:
    """Those that the line names, or those chosen; a district role is held at the district anyway."""
    if named.place:
        return known.places.get(named.place.casefold(), [])
    return [DISTRICT] if role.level is Level.DISTRICT else [p for p in chosen.places if p in known.names]


def _unknown_person(known: Known, line: PlanLine) -> PlanLine:
    nearest = known.nearest.get(line.email, "")
    if not ADDRESS.fullmatch(line.email):
        return replace(line, outcome=Outcome.NO_ADDRESS, sentence=NOT_AN_ADDRESS, nearest=nearest)
    return replace(line, outcome=Outcome.UNKNOWN_PERSON, sentence=NOBODY, nearest=nearest)


def _unknown_role(known: Known, line: PlanLine) -> PlanLine:
    nearest = _alike(line.role, known.offered_roles)
    sentence = NO_SUCH_ROLE if line.role else NO_ROLE_NAMED
    return replace(line, outcome=Outcome.UNKNOWN_ROLE, sentence=sentence, nearest=nearest)


def _unknown_place(known: Known, line: PlanLine, places: Sequence[Place]) -> PlanLine:
    nearest = "" if places else _alike(line.place, known.offered_places)
    sentence = TWO_SUCH_PLACES if places else NO_SUCH_PLACE if line.place else NO_PLACE_NAMED
    return replace(line, outcome=Outcome.UNKNOWN_PLACE, sentence=sentence, nearest=nearest)


def _alike(word: str, names: Sequence[str]) -> str:
    by_small = {name.casefold(): name for name in names}
    return next((by_small[found] for found in get_close_matches(word.casefold(), by_small, 1, LEAST_ALIKE)), "")


def _once(lines: Iterable[PlanLine]) -> list[PlanLine]:
    """What stands there twice is done once."""
    first: dict[Wanted, PlanLine] = {}
    return [_unless_above(line, first.setdefault(line.wanted, line)) if line.wanted else line for line in lines]


def _unless_above(line: PlanLine, first: PlanLine) -> PlanLine:
    if line is first:
        return line
    return replace(line, outcome=Outcome.TWICE, sentence=STANDS_ABOVE.format(number=first.number), wanted=None)


async def _known(session: AsyncSession, actor: Actor, emails: Collection[str]) -> Known:
    roles, names = await holdings.known_roles(session), await holdings.known_places(session)
    people = await _people(session, actor, emails)
    given = [(r, p) for r in roles.values() for p in names if holdings.grants(actor, r, p)]
    places: dict[str, list[Place]] = {word: [DISTRICT] for word in DISTRICT_WORDS}
    for place, name in names.items():
        if place != DISTRICT:
            places.setdefault(name.casefold(), []).append(place)
    return Known(
        people=people,
        roles={r.name.casefold(): r for r in roles.values()},
        places=places,
        roles_by_id=roles,
        names=names,
        offered_roles=list(dict.fromkeys(r.name for r, _ in given)),
        offered_places=list(dict.fromkeys(names[p] for _, p in given)),
        nearest=await _nearest(session, actor, sorted(emails - people.keys())[:MOST_GUESSES]),
    )


async def _people(session: AsyncSession, actor: Actor, emails: Collection[str]) -> dict[str, tuple[int, str]]:
    """Those among the actor's staff who have one of these addresses."""
    query = select(col(Staff.id), col(Staff.email), col(Staff.name))
    rows = (await session.execute(query.where(col(Staff.email) == any_(literal(list(emails), ARRAY(Text)))))).all()
    seen = await holdings.visible(session, actor, [row.id for row in rows])
    return {email: (staff_id, name) for staff_id, email, name in rows if staff_id in seen}


async def _nearest(session: AsyncSession, actor: Actor, emails: Sequence[str]) -> dict[str, str]:
    """For each the most similar address of the actor's staff, if any is similar."""
    asked = func.unnest(literal(list(emails), ARRAY(Text))).table_valued("email").render_derived()
    alike = func.similarity(col(Staff.email), asked.c.email)
    best = select(col(Staff.id), col(Staff.email)).where(alike > LEAST_ALIKE, col(Staff.active))
    best = best.order_by(alike.desc()).limit(1).lateral()
    rows = (await session.execute(select(asked.c.email, best.c.id, best.c.email).join(best, true()))).all()
    seen = await holdings.visible(session, actor, [staff_id for _, staff_id, _ in rows])
    return {email: found for email, staff_id, found in rows if staff_id in seen}
