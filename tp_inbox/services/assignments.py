"""Giving and taking roles: to one person or to thousands, all of it or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product

from sqlalchemy import ARRAY, BigInteger, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, Place, PlaceKind
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.domain.permissions import DISTRICT_ADMIN, Level, in_order
from tp_inbox.services import actors, audit
from tp_inbox.services.holdings import (
    KnownPerson,
    KnownRole,
    Wanted,
    as_wanted,
    assignments_of,
    grants,
    is_seen,
    key_of,
    known,
    known_people,
    known_places,
    known_roles,
    place_held,
    require_visible,
    schools_in_words,
    schools_of_groups,
)
from tp_inbox.services.numbers import personal_inboxes
from tp_inbox.services.safeguards import ADMINS, hold_admins, hold_groups, hold_people
from tp_inbox.services.second_step import enforce
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.ids import among
from tp_inbox.storage.tables import (
    Assignment,
    AuditEntry,
    Role,
)

MOST_AT_ONCE = 20_000
"""Roles given or taken in one go."""
ENTRIES_AT_ONCE = 250
MOST_TOLD_APART = 20
"""So many people are told of a change one by one; beyond, everybody's rights are looked at once."""
NOBODY_CHOSEN = "Please choose at least one person."
NOWHERE_CHOSEN = "Please choose where the role is held."
TOO_MANY = f"That is more than {MOST_AT_ONCE:,} roles at once. Please do it in parts."
HAS_IT = "{name} has this role there already."
HAS_IT_NOT = "{name} does not have this role there."
DEACTIVATED = "{name}’s account is deactivated. Reactivate it first."
LAST_ROLE = "Everyone keeps at least one role, and {name} would have none. Give another role first."
LAST_ADMIN = "The district keeps at least one District Admin who can sign in, and {name} is the last one."


class Outcome(StrEnum):
    GIVEN = "given"
    TAKEN = "taken"
    HAS_IT = "has_it"
    HAS_IT_NOT = "has_it_not"
    REFUSED = "refused"
    DEACTIVATED = "deactivated"
    UNKNOWN_PERSON = "unknown_person"
    NO_ADDRESS = "no_address"
    UNKNOWN_ROLE = "unknown_role"
    UNKNOWN_PLACE = "unknown_place"
    TWICE = "twice"


DONE = frozenset({Outcome.GIVEN, Outcome.TAKEN})
STANDS = frozenset({Outcome.HAS_IT, Outcome.HAS_IT_NOT, Outcome.TWICE})
"""There is nothing to do, which is no error."""


@dataclass(frozen=True, slots=True)
class Told:
    """What becomes of one thing that was wanted, with the sentence of a refusal, or of what stands already."""

    wanted: Wanted
    person: str
    role: str
    place: str
    outcome: Outcome
    sentence: str = ""

    @property
    def is_refused(self) -> bool:
        return self.outcome not in DONE | STANDS


class NotAll(NotAllowed):
    """Something of it is refused, so nothing was done. ``lines``: what would have become of each."""

    def __init__(self, lines: Sequence[Told]) -> None:
        refused = [line for line in lines if line.is_refused]
        more = len({line.sentence for line in refused}) - 1
        others = f" There are {more} more reasons." if more > 1 else " There is one more reason." if more else ""
        super().__init__(("Nothing was changed. " if len(lines) > 1 else "") + refused[0].sentence + others)
        self.lines = tuple(lines)


@dataclass(frozen=True, slots=True)
class HeldRole:
    """An assignment on the page of its holder. ``kept``: why the reader cannot take it; empty when they can."""

    id: int
    role_id: int
    role: str
    place: str
    kind: PlaceKind
    schools: str
    """Those of a group, by name."""
    since: str
    kept: str


@dataclass(frozen=True, slots=True)
class HeldRoles:
    """What a person holds where the reader manages staff. ``elsewhere``: they hold more, which is not told."""

    roles: list[HeldRole]
    elsewhere: bool
    refusal: str
    """Why the reader gives this person nothing at all; empty when they may."""


@dataclass(frozen=True, slots=True)
class RoleChoice:
    """``allows``: in a line what its holders may do."""

    id: int
    name: str
    level: Level
    allows: str


@dataclass(frozen=True, slots=True)
class PlaceChoice:
    """``key``: as a form carries it, school:7 or district:0."""

    key: str
    name: str
    kind: PlaceKind
    about: str


@dataclass(frozen=True, slots=True)
class Register:
    """What the database says about the people, roles and places of one call."""

    people: Mapping[int, KnownPerson]
    roles: Mapping[int, KnownRole]
    places: Mapping[Place, str]
    members: Mapping[Place, tuple[int, ...]]
    """The schools of each group."""
    held: Mapping[Wanted, int]
    admins: frozenset[int]
    """Ids of assignments that make a District Admin who can sign in; read only when one is to be taken."""


class Assignments:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def give(
        self, actor: Actor, staff_ids: Collection[int], role_id: int, places: Collection[Place]
    ) -> list[Told]:
        """Gives each person the role at each place. Raises NotAll with the whole report when any of it is refused."""
        if not staff_ids or not places:
            raise Invalid(NOWHERE_CHOSEN if staff_ids else NOBODY_CHOSEN)
        wanted = [Wanted(person, role_id, place) for person, place in product(staff_ids, places)]
        async with self._db.transaction() as session:
            return await give(session, await actors.as_of_now(session, actor), wanted)

    async def take(self, actor: Actor, assignment_ids: Collection[int]) -> list[Told]:
        """Takes these assignments. Raises NotFound for one that is not there or not the actor's to see, and NotAll
        with the whole report when any of it is refused.
        """
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            access.require(access.manages_staff(actor), access.STAFF_ONLY)
            wanted = await _named(session, actor, assignment_ids)
            return await take(session, actor, wanted)

    async def of_person(self, actor: Actor, staff_id: int) -> HeldRoles:
        """Raises NotFound for somebody who is not in the actor's list of staff."""
        access.require(access.manages_staff(actor), access.STAFF_ONLY)
        async with self._db.reading() as session:
            await require_visible(session, actor, [staff_id])
            rows = (await session.execute(_HELD_ROLES.where(col(Assignment.staff_id) == staff_id))).all()
            people = await known_people(session, [staff_id])
            places, members = await known_places(session), await schools_of_groups(session)
        mine = [(held, role) for held, role in rows if is_seen(actor, place_held(held), members)]
        roles = [_held_role(actor, held, known(role), places, members) for held, role in mine]
        return HeldRoles(roles, len(mine) < len(rows), _refusal_to_give(actor, staff_id, people[staff_id]))

    async def roles_to_give(self, actor: Actor) -> list[RoleChoice]:
        """Roles that the actor may give somewhere."""
        async with self._db.reading() as session:
            roles, places = await known_roles(session), await known_places(session)
        given = [r for r in roles.values() if any(grants(actor, r, place) for place in places)]
        return [RoleChoice(r.id, r.name, r.level, r.allows) for r in given]

    async def places_for(self, actor: Actor, role_id: int) -> list[PlaceChoice]:
        """Where the actor may give this role: the district, or schools and then groups, by name."""
        async with self._db.reading() as session:
            roles, places = await known_roles(session), await known_places(session)
            members = await schools_of_groups(session)
        role = roles.get(role_id)
        given = [p for p in places if role and grants(actor, role, p)]
        return [PlaceChoice(key_of(p), places[p], p.kind, schools_in_words(p, places, members)) for p in given]


def summary(lines: Sequence[Told]) -> str:
    """What was done, in a sentence or two."""
    done = [line for line in lines if line.outcome in DONE]
    if not done:
        return lines[0].sentence if len(lines) == 1 else "Nothing had to be changed."
    role, taken = done[0].role, done[0].outcome is Outcome.TAKEN
    whom = _counted([line.person for line in done], "people")
    where = _counted([line.place for line in done], "places")
    stood = len(lines) - len(done)
    rest = f" {stood} {'was' if stood == 1 else 'were'} so already." if stood else ""
    return f"“{role}” {'taken from' if taken else 'given to'} {whom}: {where}.{rest}"


def _counted(names: Sequence[str], many: str) -> str:
    different = list(dict.fromkeys(names))
    return different[0] if len(different) == 1 else f"{len(different)} {many}"


# Inside another transaction ---------------------------------------------------------------------------------


async def give(session: AsyncSession, actor: Actor, wanted: Sequence[Wanted]) -> list[Told]:
    """``Assignments.give`` as a part of more. ``actor``: with the permissions of this very transaction."""
    register, lines = await _look(session, actor, wanted, taking=False, write=True)
    _require_no_refusal(lines)
    made = await _insert(session, list({line.wanted: line for line in lines if line.outcome is Outcome.GIVEN}))
    await personal_inboxes(session, {w.staff_id for w in made if register.roles[w.role_id].brings_an_inbox})
    await _write_down(session, AuditKind.ROLE_GIVEN, actor, register, made)
    await enforce(session, {w.staff_id for w in made})
    await _announce(session, {w.staff_id for w in made})
    return lines


async def take(session: AsyncSession, actor: Actor, wanted: Sequence[Wanted]) -> list[Told]:
    """``Assignments.take`` as a part of more. ``actor``: with the permissions of this very transaction."""
    register, lines = await _look(session, actor, wanted, taking=True, write=True)
    _require_no_refusal(lines)
    gone = {wanted: register.held[wanted] for wanted in _taken(lines)}
    await session.execute(delete(Assignment).where(among(col(Assignment.id), gone.values())))
    await _write_down(session, AuditKind.ROLE_TAKEN, actor, register, gone)
    await _announce(session, {w.staff_id for w in gone})
    return lines


async def look_at(session: AsyncSession, actor: Actor, wanted: Sequence[Wanted], *, taking: bool) -> list[Told]:
    """What would become of each, in their order, without doing it. Raises NotFound for people, roles and places
    that are not there, or not the actor's to see.
    """
    return (await _look(session, actor, wanted, taking=taking, write=False))[1]


async def _look(
    session: AsyncSession, actor: Actor, wanted: Sequence[Wanted], *, taking: bool, write: bool
) -> tuple[Register, list[Told]]:
    """``write``: the same transaction goes on to do it, so nobody else may change these people's roles meanwhile."""
    access.require(access.manages_staff(actor), access.STAFF_ONLY)
    if len(wanted) > MOST_AT_ONCE:
        raise Invalid(TOO_MANY)
    staff_ids = {w.staff_id for w in wanted}
    if write:
        await hold_people(session, staff_ids)
    await require_visible(session, actor, staff_ids)
    register = await _register(session, wanted, taking=taking, write=write)
    if taking:
        return register, _keeping_the_last(register, [_taking(register, actor, w) for w in wanted])
    return register, [_giving(register, actor, w) for w in wanted]


# What becomes of one thing that is wanted --------------------------------------------------------------------


def _giving(register: Register, actor: Actor, wanted: Wanted) -> Told:
    if refused := _refused(register, actor, wanted):
        return refused
    if wanted.place not in register.places:
        raise NotFound
    held = wanted in register.held
    return _told(register, wanted, Outcome.HAS_IT if held else Outcome.GIVEN, HAS_IT if held else "")


def _taking(register: Register, actor: Actor, wanted: Wanted) -> Told:
    if refused := _refused(register, actor, wanted):
        return refused
    held = wanted in register.held
    return _told(register, wanted, Outcome.TAKEN if held else Outcome.HAS_IT_NOT, "" if held else HAS_IT_NOT)


def _refused(register: Register, actor: Actor, wanted: Wanted) -> Told | None:
    role, person = register.roles[wanted.role_id], register.people[wanted.staff_id]
    refusal = access.refusal_to_assign(actor, wanted.staff_id, role.permissions, role.level, wanted.place)
    if refusal:
        return _told(register, wanted, Outcome.REFUSED, refusal.sentence)
    return None if person.active else _told(register, wanted, Outcome.DEACTIVATED, DEACTIVATED)


def _told(register: Register, wanted: Wanted, outcome: Outcome, sentence: str) -> Told:
    person, role = register.people[wanted.staff_id], register.roles[wanted.role_id]
    place = register.places.get(wanted.place, "")
    return Told(wanted, person.name, role.name, place, outcome, sentence.replace("{name}", person.name))


def _keeping_the_last(register: Register, lines: list[Told]) -> list[Told]:
    """Nobody is left without a role, nor the district without an admin: whatever would do that is refused."""
    if register.admins and register.admins <= {register.held[w] for w in _taken(lines)}:
        lines = [_unless(line, register.held.get(line.wanted) in register.admins, LAST_ADMIN) for line in lines]
    stay = Counter(w.staff_id for w in register.held.keys() - _taken(lines))
    return [_unless(line, stay[line.wanted.staff_id] == 0, LAST_ROLE) for line in lines]


def _taken(lines: Iterable[Told]) -> set[Wanted]:
    return {line.wanted for line in lines if line.outcome is Outcome.TAKEN}


def _unless(line: Told, refused: bool, sentence: str) -> Told:
    if line.outcome is not Outcome.TAKEN or not refused:
        return line
    return replace(line, outcome=Outcome.REFUSED, sentence=sentence.format(name=line.person))


def _require_no_refusal(lines: Sequence[Told]) -> None:
    if any(line.is_refused for line in lines):
        raise NotAll(lines)


# Reading -----------------------------------------------------------------------------------------------------

_HELD_ROLES = (
    select(Assignment, Role)
    .join(Role, col(Role.id) == col(Assignment.role_id))
    .order_by(col(Role.level), func.lower(col(Role.name)), col(Assignment.id))
)


async def _register(session: AsyncSession, wanted: Sequence[Wanted], *, taking: bool, write: bool) -> Register:
    role_ids, staff_ids = {w.role_id for w in wanted}, {w.staff_id for w in wanted}
    roles = select(Role).where(among(col(Role.id), role_ids))
    found = {r.id: known(r) for r in await session.scalars(roles.with_for_update(read=True) if write else roles)}
    if found.keys() != role_ids:
        raise NotFound
    if write:
        await hold_groups(session, {w.place for w in wanted})
    admins = taking and any(r.base_key == DISTRICT_ADMIN for r in found.values())
    if admins and write:
        await hold_admins(session)
    return Register(
        people=await known_people(session, staff_ids),
        roles=found,
        places=await known_places(session),
        members=await schools_of_groups(session),
        held=await assignments_of(session, staff_ids),
        admins=frozenset(await session.scalars(ADMINS)) if admins else frozenset(),
    )


async def _named(session: AsyncSession, actor: Actor, assignment_ids: Collection[int]) -> list[Wanted]:
    """Raises NotFound unless all of them are there, and the actor's to see."""
    query = select(Assignment).where(among(col(Assignment.id), assignment_ids)).order_by(col(Assignment.id))
    wanted, members = [as_wanted(a) for a in await session.scalars(query)], await schools_of_groups(session)
    if not wanted or len(wanted) != len(set(assignment_ids)):
        raise NotFound
    if not all(is_seen(actor, w.place, members) for w in wanted):
        raise NotFound
    return wanted


def _refusal_to_give(actor: Actor, staff_id: int, person: KnownPerson) -> str:
    if staff_id == actor.staff_id:
        return access.OWN_ROLES
    return "" if person.active else DEACTIVATED.format(name=person.name)


def _held_role(
    actor: Actor,
    held: Assignment,
    role: KnownRole,
    places: Mapping[Place, str],
    members: Mapping[Place, tuple[int, ...]],
) -> HeldRole:
    place = place_held(held)
    refusal = access.refusal_to_assign(actor, held.staff_id, role.permissions, role.level, place)
    kept = refusal.sentence if refusal else ""
    schools, since = schools_in_words(place, places, members), held.created_at.isoformat()
    return HeldRole(held.id, role.id, role.name, places[place], place.kind, schools, since, kept)


# Writing -----------------------------------------------------------------------------------------------------


async def _insert(session: AsyncSession, new: Sequence[Wanted]) -> dict[Wanted, int]:
    """Ids of those that were not there yet."""
    if not new:
        return {}
    columns = {
        "staff_id": [w.staff_id for w in new],
        "role_id": [w.role_id for w in new],
        "school_id": [w.place.id if w.place.kind is PlaceKind.SCHOOL else None for w in new],
        "group_id": [w.place.id if w.place.kind is PlaceKind.GROUP else None for w in new],
    }
    lists = (
        func.unnest(*[literal(ids, ARRAY(BigInteger)) for ids in columns.values()])
        .table_valued(*columns)
        .render_derived()
    )
    rows = select(*lists.c, literal(utc_now()))
    statement = insert(Assignment).from_select([*columns, "created_at"], rows).on_conflict_do_nothing()
    return {as_wanted(a): a.id for a in await session.scalars(statement.returning(Assignment))}


async def _write_down(
    session: AsyncSession, kind: AuditKind, actor: Actor, register: Register, changed: Mapping[Wanted, int]
) -> None:
    """In portions, so that thousands of entries keep nobody else in this process waiting."""
    lines = sorted(changed.items(), key=_by_id)
    for first in range(0, len(lines), ENTRIES_AT_ONCE):
        portion = lines[first : first + ENTRIES_AT_ONCE]
        session.add_all(_entry(kind, actor, register, wanted, held) for wanted, held in portion)
        await session.flush()


def _by_id(item: tuple[Wanted, int]) -> int:
    return item[1]


def _entry(kind: AuditKind, actor: Actor, register: Register, wanted: Wanted, assignment_id: int) -> AuditEntry:
    role, place = register.roles[wanted.role_id], wanted.place
    allows = {"permissions": [p.value for p in in_order(role.permissions)]}
    return audit.entry(
        kind,
        actor,
        subject=wanted.staff_id,
        schools=[place.id] if place.kind is PlaceKind.SCHOOL else register.members.get(place, ()),
        facts={"assignment": assignment_id, "role": role.id, "place": place.kind.value, "place_id": place.id},
        before=allows if kind is AuditKind.ROLE_TAKEN else {},
        after=allows if kind is AuditKind.ROLE_GIVEN else {},
        names={
            "subject": register.people[wanted.staff_id].name,
            "role": role.name,
            "place": register.places[place],
        },
    )


async def _announce(session: AsyncSession, staff_ids: Collection[int]) -> None:
    people: Iterable[int | None] = staff_ids if len(staff_ids) <= MOST_TOLD_APART else [None]
    for staff_id in people:
        await announce(session, Change(ChangeKind.ACCESS, staff=staff_id))
