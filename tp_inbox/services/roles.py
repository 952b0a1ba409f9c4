"""Roles: what each allows, who holds it, and what changes for whom when a district admin changes one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from sqlalchemy import BigInteger, ColumnElement, delete, exists, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access, roles as rules
from tp_inbox.domain.access import DISTRICT, Actor, Place, PlaceKind
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.domain.permissions import BASE_ROLES, Level, Permission
from tp_inbox.services import actors, audit
from tp_inbox.services.holdings import known_places
from tp_inbox.services.numbers import personal_inboxes
from tp_inbox.services.role_effects import Effect, Holders, counted, demand, effect_of, holders_of
from tp_inbox.services.role_views import (
    Comparison,
    Holder,
    HolderView,
    Named,
    PermissionGroup,
    RoleView,
    allowed_by,
    compared,
    groups_of,
    holder_view,
    holders_query,
    made_up_holder,
    ordered,
    views_of,
)
from tp_inbox.services.second_step import SecondSteps, enforce
from tp_inbox.services.sessions import HAS_SECOND_STEP
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.ids import among
from tp_inbox.storage.tables import Assignment, AuditEntry, GroupSchool, Role, School, SecondStep, Staff

HOLDERS_A_PAGE = 50
UNIQUE_NAME = "uq_role_lower_name"

GONE = "This role is not there any more. Somebody may have deleted it."
BASE_STAYS = "This is a base role: it cannot be changed, renamed or deleted. You can make a copy and change that."
MEANWHILE = "Something about this role or its holders has changed in the meantime. Please look at it again."
CHOOSE_ANOTHER = "Please choose another role of the same level for its holders."
LEFT_WITHOUT = (
    "{people} would be left without any role, and everybody keeps at least one. "
    "Choose a role that they get in its place."
)
BASE_ORDER = [role.key for role in BASE_ROLES]


class Outdated(Invalid):
    """What somebody agreed to is not what would happen now."""

    def __init__(self) -> None:
        super().__init__(MEANWHILE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A role as somebody typed and ticked it: nothing of it is believed yet."""

    name: str
    permissions: Collection[str]
    level: str = ""
    """Of a new role; that of an existing one stays."""


@dataclass(frozen=True)
class Deletion:
    """What stands between a role and its end. ``left``: in words who would be left without any role, if anybody."""

    holders: int = 0
    left: str = ""
    successors: list[Named] = field(default_factory=list)
    effect: Effect = field(default_factory=Effect)


class Roles:
    def __init__(self, db: Database, second_steps: SecondSteps) -> None:
        self._db = db
        self._second_steps = second_steps

    # Reading ------------------------------------------------------------------------------------------------

    async def all(self, actor: Actor) -> list[RoleView]:
        """Base roles in their own order, then custom ones by name."""
        _require(actor)
        async with self._db.reading() as session:
            roles = list(await session.scalars(select(Role).order_by(func.lower(col(Role.name)))))
            roles.sort(key=lambda role: BASE_ORDER.index(role.base_key) if role.base_key else len(BASE_ORDER))
            return await views_of(session, roles)

    async def compare(self, actor: Actor) -> list[Comparison]:
        """All roles side by side, those of each level by themselves."""
        roles = await self.all(actor)
        return [compared(roles, level) for level in Level]

    async def show(self, actor: Actor, role_id: int) -> RoleView:
        """Raises NotFound."""
        _require(actor)
        async with self._db.reading() as session:
            role = await _find(session, role_id)
            refusal = await _refusal_to_touch(session, actor, role)
            (view,) = await views_of(session, [role], refusal.sentence if refusal else "")
        return view

    async def holders(
        self, actor: Actor, role_id: int, search: str = "", after: int = 0
    ) -> tuple[list[HolderView], bool]:
        """A page of assignments by name, those after the assignment ``after``; and whether there are more."""
        _require(actor)
        async with self._db.reading() as session:
            query = holders_query(role_id, search, after).limit(HOLDERS_A_PAGE + 1)
            rows = (await session.execute(query)).all()
        return [holder_view(row, actor) for row in rows[:HOLDERS_A_PAGE]], len(rows) > HOLDERS_A_PAGE

    async def offered(self, actor: Actor, level: str) -> list[PermissionGroup]:
        """What a role of this level can allow, in groups."""
        _require(actor)
        return groups_of(actor, rules.read_level(level))

    async def schools(self, actor: Actor) -> list[Named]:
        _require(actor)
        async with self._db.reading() as session:
            rows = await session.execute(select(col(School.id), col(School.name)).order_by(col(School.name)))
        return [Named(school_id, name) for school_id, name in rows]

    async def as_holder(self, actor: Actor, level: str, permissions: Collection[str], school_id: int) -> Holder:
        """Who would hold such a role at that school, or at the district if the role is of that level."""
        _require(actor)
        at = rules.read_level(level)
        given = rules.read_permissions(permissions)
        if at is Level.DISTRICT:
            return made_up_holder(given, at, None)
        async with self._db.reading() as session:
            school = await session.get(School, school_id)
        if school is None:
            raise NotFound
        return made_up_holder(given, at, school)

    # Making and changing ------------------------------------------------------------------------------------

    async def create(self, actor: Actor, wanted: Wanted) -> int:
        """The new role's id."""
        _require(actor)
        name, level = rules.clean_name(wanted.name), rules.read_level(wanted.level)
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            _require(actor)
            allowed = rules.complete(rules.read_permissions(wanted.permissions), level)
            _allow(access.refusal_to_define(actor, allowed, level, holds_it=False))
            await _require_free(session, name, 0)
            role = Role(name=name, level=level, permissions=ordered(allowed))
            session.add(role)
            await _flush(session)
            await audit.record(
                session,
                AuditKind.ROLE_CREATED,
                actor,
                facts={"role": role.id, "level": level.value},
                after={"permissions": role.permissions},
                names={"role": name},
            )
            return role.id

    async def review(self, actor: Actor, role_id: int, wanted: Wanted) -> Effect:
        """What would change for whom. Raises Invalid or NotAllowed for what ``change`` would refuse."""
        _require(actor)
        async with self._db.reading() as session:
            role = await _find(session, role_id)
            name, allowed = await _checked(session, actor, role, wanted)
            effect = await effect_of(session, await holders_of(session, role), ordered(allowed))
            return replace(effect, called=name if name != role.name else "")

    async def change(self, actor: Actor, role_id: int, wanted: Wanted, seen: str) -> None:
        """Applies what was reviewed, and raises Outdated when that is not what would happen now.

        ``seen``: of the review's effect.
        """
        _require(actor)
        async with self._db.transaction() as session:
            role = await _lock(session, role_id)
            actor = await actors.as_of_now(session, actor)
            name, allowed = await _checked(session, actor, role, wanted)
            holders = await holders_of(session, role)
            _require_seen(holders, ordered(allowed), seen)
            before, was = allowed_by(role), role.name
            role.name, role.permissions = name, ordered(allowed)
            await _flush(session)
            if role.permissions != before:
                await _give_inboxes(session, role.permissions, holders.people)
                await announce(session, Change(ChangeKind.ACCESS))
            if (role.permissions, role.name) == (before, was):
                return
            await audit.record(
                session,
                AuditKind.ROLE_CHANGED,
                actor,
                schools=_schools(holders),
                facts={"role": role.id, "holders": len(holders.people)},
                before={"permissions": before},
                after={"permissions": role.permissions},
                names={"role": name} | ({"role_before": was} if was != name else {}),
            )

    async def review_second_step(self, actor: Actor, role_id: int) -> str:
        """In words whom it concerns when holders have to sign in with a second step."""
        _require(actor)
        self._second_steps.require_ready()
        async with self._db.reading() as session:
            role = await _find(session, role_id)
            holders = {i for i, person in (await holders_of(session, role)).now().items() if person.active}
            ready = set(await session.scalars(HAS_SECOND_STEP.where(among(col(SecondStep.staff_id), holders))))
        return demand(len(holders), len(holders - ready), includes_oneself=actor.staff_id in holders - ready)

    async def require_second_step(self, actor: Actor, role_id: int, required: bool) -> None:
        """Whether holders of this role, a base role too, sign in with a second step. Who has none and is signed in is
        led to set it up at once.
        """
        if required:
            self._second_steps.require_ready()
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            _require(actor)
            role = await _lock(session, role_id)
            before, role.two_step_required = role.two_step_required, required
            if before == required:
                return
            await enforce(session, (await holders_of(session, role)).people)
            await audit.record(
                session,
                AuditKind.ROLE_CHANGED,
                actor,
                schools=_schools(await holders_of(session, role)),
                facts={"role": role.id},
                before={"two_step_required": before},
                after={"two_step_required": required},
                names={"role": role.name},
            )

    # Deleting -----------------------------------------------------------------------------------------------

    async def review_deletion(self, actor: Actor, role_id: int, successor_id: int = 0) -> Deletion:
        """What would happen if all holders got the successor in its place, or, for 0, nothing."""
        _require(actor)
        async with self._db.reading() as session:
            role = await _find(session, role_id)
            _allow(await _refusal_to_touch(session, actor, role))
            places = await _places_of(session, role_id)
            successor = await _successor(session, actor, role, successor_id, places)
            holders = await holders_of(session, role)
            effect = await effect_of(session, holders, successor.permissions if successor else None)
            choices = await _successors(session, actor, role, places)
        return Deletion(len(holders.people), _left(holders), choices, effect)

    async def delete(self, actor: Actor, role_id: int, successor_id: int, seen: str) -> None:
        """Moves everybody to the successor at the same places, or takes the role from them when it is 0.

        Raises Invalid when somebody would be left without a role, Outdated when ``seen``, of the review's effect,
        is not what would happen now.
        """
        _require(actor)
        async with self._db.transaction() as session:
            role = await _lock(session, role_id)
            actor = await actors.as_of_now(session, actor)
            _require(actor)
            _allow(await _refusal_to_touch(session, actor, role))
            places = await _places_of(session, role_id)
            successor = await _successor(session, actor, role, successor_id, places)
            holders = await holders_of(session, role)
            _require_seen(holders, successor.permissions if successor else None, seen)
            if successor is None and (left := _left(holders)):
                raise Invalid(LEFT_WITHOUT.format(people=left))
            await _empty_of_holders(session, actor, role, successor)
            await session.delete(role)
            await audit.record(
                session,
                AuditKind.ROLE_DELETED,
                actor,
                schools=_schools(holders),
                facts={"role": role_id, "level": role.level.value, "holders": len(holders.people)}
                | ({"successor": successor.id} if successor else {}),
                before={"permissions": allowed_by(role)},
                names={"role": role.name} | ({"successor": successor.name} if successor else {}),
            )
            await announce(session, Change(ChangeKind.ACCESS))


# What is asked before anything else --------------------------------------------------------------------------


def _require(actor: Actor) -> None:
    access.require(access.manages_roles(actor), access.ROLES_ONLY)


def _allow(refusal: NotAllowed | None) -> None:
    if refusal:
        raise refusal


async def _find(session: AsyncSession, role_id: int, *, lock: bool = False) -> Role:
    role = await session.get(Role, role_id, with_for_update=lock or None)
    if role is None:
        raise NotFound(GONE)
    return role


async def _lock(session: AsyncSession, role_id: int) -> Role:
    """The role, and before it its holders: whoever gives or takes roles locks people first, too."""
    ids = select(col(Assignment.staff_id)).where(col(Assignment.role_id) == role_id)
    people_first = select(col(Staff.id)).where(col(Staff.id).in_(ids)).order_by(col(Staff.id))
    await session.execute(people_first.with_for_update(key_share=True))
    return await _find(session, role_id, lock=True)


async def _refusal_to_touch(
    session: AsyncSession, actor: Actor, role: Role, also: Iterable[Permission] = ()
) -> NotAllowed | None:
    """Why the actor cannot change or delete this role; ``also``: what it shall allow."""
    if role.base_key is not None:
        return NotAllowed(BASE_STAYS)
    mine = exists().where(col(Assignment.role_id) == role.id, col(Assignment.staff_id) == actor.staff_id)
    holds_it = bool(await session.scalar(select(mine)))
    both = rules.read_permissions(role.permissions).union(also)
    return access.refusal_to_define(actor, both, role.level, holds_it=holds_it)


async def _checked(
    session: AsyncSession, actor: Actor, role: Role, wanted: Wanted
) -> tuple[str, frozenset[Permission]]:
    """The name and the permissions that the role shall have. Raises a Refusal for what cannot be."""
    _require(actor)
    _allow(await _refusal_to_touch(session, actor, role))
    name = rules.clean_name(wanted.name)
    allowed = rules.complete(rules.read_permissions(wanted.permissions), role.level)
    _allow(await _refusal_to_touch(session, actor, role, allowed))
    await _require_free(session, name, role.id)
    return name, allowed


async def _require_free(session: AsyncSession, name: str, role_id: int) -> None:
    same = select(col(Role.id)).where(func.lower(col(Role.name)) == func.lower(name), col(Role.id) != role_id)
    if await session.scalar(same):
        raise rules.UnusableName(rules.TAKEN)


async def _flush(session: AsyncSession) -> None:
    """The index has the last word about a name: two people can choose the same one at once."""
    try:
        await session.flush()
    except IntegrityError as error:
        if UNIQUE_NAME in str(error.orig):
            raise rules.UnusableName(rules.TAKEN) from None
        raise


def _require_seen(holders: Holders, permissions: Collection[str] | None, seen: str) -> None:
    if holders.fingerprint(permissions) != seen:
        raise Outdated


# Deleting ----------------------------------------------------------------------------------------------------


def _left(holders: Holders) -> str:
    left = holders.with_nothing_else
    return counted(len(left), "person", "people") if left else ""


async def _places_of(session: AsyncSession, role_id: int) -> list[Place]:
    """Where anybody holds the role."""
    rows = await session.execute(
        select(col(Assignment.school_id), col(Assignment.group_id)).where(col(Assignment.role_id) == role_id).distinct()
    )
    return [_place(school_id, group_id) for school_id, group_id in rows]


def _place(school_id: int | None, group_id: int | None) -> Place:
    if group_id is not None:
        return Place(PlaceKind.GROUP, group_id)
    return Place(PlaceKind.SCHOOL, school_id) if school_id is not None else DISTRICT


def _refusal_to_move(actor: Actor, role: Role, places: Iterable[Place]) -> NotAllowed | None:
    """Why the actor cannot give or take this role at one of these places."""
    allowed = rules.read_permissions(role.permissions)
    refusals = (access.refusal_to_grant(actor, allowed, role.level, place) for place in places)
    return next(filter(None, refusals), None)


async def _successors(session: AsyncSession, actor: Actor, role: Role, places: Collection[Place]) -> list[Named]:
    """The roles that the actor may give in its place."""
    same_level = select(Role).where(col(Role.level) == role.level, col(Role.id) != role.id)
    found = await session.scalars(same_level.order_by(func.lower(col(Role.name))))
    return [Named(other.id, other.name) for other in found if not _refusal_to_move(actor, other, places)]


async def _successor(
    session: AsyncSession, actor: Actor, role: Role, successor_id: int, places: Collection[Place]
) -> Role | None:
    """Raises a Refusal unless the actor may take the one and give the other wherever it is held."""
    _allow(_refusal_to_move(actor, role, places))
    if not successor_id:
        return None
    successor = await session.get(Role, successor_id)
    if successor is None or successor.id == role.id or successor.level is not role.level:
        raise Invalid(CHOOSE_ANOTHER)
    _allow(_refusal_to_move(actor, successor, places))
    return successor


async def _empty_of_holders(session: AsyncSession, actor: Actor, role: Role, successor: Role | None) -> None:
    """Takes the role from everybody. Whoever holds the successor there already keeps what they have."""
    given = await _give_instead(session, role, successor) if successor else []
    taken = list(await session.scalars(delete(Assignment).where(_of(role)).returning(Assignment)))
    register = await _register(session, taken)
    entries = [_entry(AuditKind.ROLE_TAKEN, actor, role, held, register) for held in taken]
    if successor:
        entries += [_entry(AuditKind.ROLE_GIVEN, actor, successor, held, register) for held in given]
    session.add_all(entries)
    await session.flush()


async def _give_instead(session: AsyncSession, role: Role, successor: Role) -> list[Assignment]:
    """At the same places; what was made, without what stood there already."""
    same = select(
        col(Assignment.staff_id),
        literal(successor.id, BigInteger),
        col(Assignment.school_id),
        col(Assignment.group_id),
        literal(utc_now()),
    ).where(_of(role))
    columns = ["staff_id", "role_id", "school_id", "group_id", "created_at"]
    statement = insert(Assignment).from_select(columns, same).on_conflict_do_nothing()
    given = list(await session.scalars(statement.returning(Assignment)))
    people = {held.staff_id for held in given}
    await _give_inboxes(session, successor.permissions, people)
    await enforce(session, people)
    return given


async def _give_inboxes(session: AsyncSession, permissions: Collection[str], staff_ids: Collection[int]) -> None:
    """Whoever may write personal messages has an inbox to write from."""
    if Permission.PERSONAL_MESSAGES in permissions:
        await personal_inboxes(session, staff_ids)


def _of(role: Role) -> ColumnElement[bool]:
    return col(Assignment.role_id) == role.id


@dataclass(frozen=True, slots=True)
class Register:
    """Names of people and places, and the schools of groups, for the log."""

    people: dict[int, str]
    places: dict[Place, str]
    groups: dict[int, list[int]]


async def _register(session: AsyncSession, held: Collection[Assignment]) -> Register:
    ids = {each.staff_id for each in held}
    names = await session.execute(select(col(Staff.id), col(Staff.name)).where(among(col(Staff.id), ids)))
    groups: dict[int, list[int]] = {}
    for group, school in await session.execute(select(col(GroupSchool.group_id), col(GroupSchool.school_id))):
        groups.setdefault(group, []).append(school)
    return Register({staff_id: name for staff_id, name in names}, await known_places(session), groups)  # noqa: C416


def _entry(kind: AuditKind, actor: Actor, role: Role, held: Assignment, register: Register) -> AuditEntry:
    place = _place(held.school_id, held.group_id)
    allows = {"permissions": allowed_by(role)}
    return audit.entry(
        kind,
        actor,
        subject=held.staff_id,
        schools=[place.id] if place.kind is PlaceKind.SCHOOL else register.groups.get(held.group_id or 0, []),
        facts={"assignment": held.id, "role": role.id, "place": place.kind.value, "place_id": place.id},
        before=allows if kind is AuditKind.ROLE_TAKEN else {},
        after=allows if kind is AuditKind.ROLE_GIVEN else {},
        names={"subject": register.people[held.staff_id], "role": role.name, "place": register.places[place]},
    )


def _schools(holders: Holders) -> set[int]:
    """Where the role is held: the admins of these schools may read what happened to it."""
    return {row.school_id for row in holders.rows if row.role_id == holders.role.id and row.school_id}
