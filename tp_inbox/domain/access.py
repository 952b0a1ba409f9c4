"""Who may do what: permissions, base roles, and every question about access. The only such place.

The menu that hides a choice and the service that refuses it call the same function. The matrix of
base roles and the meaning of each permission follow the product's rules (docs/access.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tp_inbox.domain.errors import NotAllowed


class Level(StrEnum):
    SCHOOL = "school"
    DISTRICT = "district"


class Permission(StrEnum):
    PERSONAL_MESSAGES = "personal_messages"
    VIEW_SCHOOL_INBOX = "view_school_inbox"
    MESSAGE_ON_BEHALF = "message_on_behalf"
    ANNOUNCE = "announce"
    VIEW_ALL_MESSAGES = "view_all_messages"
    SEE_DIRECTORY = "see_directory"
    MANAGE_DIRECTORY = "manage_directory"
    MANAGE_STAFF = "manage_staff"
    MANAGE_ROLES = "manage_roles"
    MANAGE_SCHOOLS = "manage_schools"
    EXPORT = "export"
    VIEW_AUDIT_LOG = "view_audit_log"
    OVERRIDE_QUIET_HOURS = "override_quiet_hours"


P = Permission

BRINGS: Mapping[Permission, frozenset[Permission]] = {P.MESSAGE_ON_BEHALF: frozenset({P.VIEW_SCHOOL_INBOX})}
"""Permissions that come with another one."""

SCHOOL_ONLY = frozenset({P.PERSONAL_MESSAGES, P.VIEW_SCHOOL_INBOX, P.MESSAGE_ON_BEHALF, P.ANNOUNCE})
DISTRICT_ONLY = frozenset({P.MANAGE_ROLES, P.MANAGE_SCHOOLS, P.OVERRIDE_QUIET_HOURS})
PERMISSIONS_OF: Mapping[Level, frozenset[Permission]] = {
    Level.SCHOOL: frozenset(P) - DISTRICT_ONLY,
    Level.DISTRICT: frozenset(P) - SCHOOL_ONLY,
}


@dataclass(frozen=True, slots=True)
class BaseRole:
    key: str
    name: str
    level: Level
    permissions: frozenset[Permission]


BASE_ROLES: tuple[BaseRole, ...] = (
    BaseRole(
        "district_admin",
        "District Admin",
        Level.DISTRICT,
        frozenset(
            {
                P.VIEW_ALL_MESSAGES,
                P.SEE_DIRECTORY,
                P.MANAGE_DIRECTORY,
                P.MANAGE_STAFF,
                P.MANAGE_ROLES,
                P.MANAGE_SCHOOLS,
                P.EXPORT,
                P.VIEW_AUDIT_LOG,
                P.OVERRIDE_QUIET_HOURS,
            }
        ),
    ),
    BaseRole("district_viewer", "District Viewer", Level.DISTRICT, frozenset({P.VIEW_ALL_MESSAGES, P.SEE_DIRECTORY})),
    BaseRole("school_admin", "School Admin", Level.SCHOOL, PERMISSIONS_OF[Level.SCHOOL]),
    BaseRole(
        "school_viewer",
        "School Viewer",
        Level.SCHOOL,
        frozenset({P.VIEW_SCHOOL_INBOX, P.VIEW_ALL_MESSAGES, P.SEE_DIRECTORY}),
    ),
    BaseRole(
        "technical_school_admin",
        "Technical School Admin",
        Level.SCHOOL,
        frozenset({P.SEE_DIRECTORY, P.MANAGE_DIRECTORY, P.MANAGE_STAFF}),
    ),
    BaseRole(
        "non_rostered_staff",
        "Non-Rostered Staff",
        Level.SCHOOL,
        frozenset({P.PERSONAL_MESSAGES, P.SEE_DIRECTORY}),
    ),
)


class InboxKind(StrEnum):
    PERSONAL = "personal"
    SCHOOL = "school"


@dataclass(frozen=True, slots=True)
class InboxRef:
    """An inbox as access sees it: a personal one has an owner, a school's has a school."""

    id: int
    kind: InboxKind
    staff_id: int | None
    school_id: int | None


@dataclass(frozen=True, slots=True)
class Grant:
    """One assignment: a role's permissions at one school, or at the district when ``school_id`` is None."""

    permissions: frozenset[Permission]
    school_id: int | None


@dataclass(frozen=True, slots=True)
class Actor:
    """A person as access sees them: active or not, and their permissions by school and at the district."""

    staff_id: int
    name: str
    active: bool
    schools: Mapping[int, frozenset[Permission]] = field(default_factory=dict)
    district: frozenset[Permission] = frozenset()

    def schools_with(self, permission: Permission) -> frozenset[int]:
        return frozenset(s for s, held in self.schools.items() if self.active and permission in held)

    def anywhere(self, permission: Permission) -> bool:
        return self.active and (permission in self.district or any(permission in p for p in self.schools.values()))


def actor_from(staff_id: int, name: str, active: bool, grants: Iterable[Grant]) -> Actor:
    """The sum of a person's assignments."""
    schools: dict[int, frozenset[Permission]] = {}
    district: frozenset[Permission] = frozenset()
    for grant in grants:
        if grant.school_id is None:
            district |= effective(grant.permissions, Level.DISTRICT)
        else:
            held = effective(grant.permissions, Level.SCHOOL)
            schools[grant.school_id] = schools.get(grant.school_id, frozenset()) | held
    return Actor(staff_id, name, active, schools, district)


def effective(permissions: Iterable[Permission], level: Level) -> frozenset[Permission]:
    """The permissions of a role, with those they bring, without those that its level cannot hold."""
    given = frozenset(permissions)
    brought = frozenset(b for p in given for b in BRINGS.get(p, ()))
    return (given | brought) & PERMISSIONS_OF[level]


def has_personal_inbox(actor: Actor) -> bool:
    return bool(actor.schools_with(P.PERSONAL_MESSAGES))


def readable_school_inboxes(actor: Actor) -> frozenset[int]:
    """Schools whose shared inbox the actor may read."""
    return actor.schools_with(P.VIEW_SCHOOL_INBOX)


def may_read(actor: Actor, inbox: InboxRef) -> bool:
    """Reading one's own work. Oversight of other people's is another question, with a reason and a log."""
    if inbox.kind is InboxKind.PERSONAL:
        return inbox.staff_id == actor.staff_id and has_personal_inbox(actor)
    return inbox.school_id in readable_school_inboxes(actor)


def may_send(actor: Actor, inbox: InboxRef, family_schools: frozenset[int]) -> bool:
    """``family_schools``: where the students of the family are enrolled; empty for an unknown sender."""
    return refusal_to_send(actor, inbox, family_schools) is None


def refusal_to_send(actor: Actor, inbox: InboxRef, family_schools: frozenset[int]) -> NotAllowed | None:
    """Why the actor cannot write from this inbox to a family of these schools; None when it is allowed."""
    if inbox.kind is InboxKind.PERSONAL:
        return _refusal_from_personal(actor, inbox, family_schools)
    return _refusal_from_school(actor, inbox, family_schools)


def sender_options(actor: Actor, inboxes: Iterable[InboxRef], family_schools: frozenset[int]) -> tuple[InboxRef, ...]:
    """The inboxes from which the actor may write to that family: what From shows, and what sending allows."""
    return tuple(i for i in inboxes if may_send(actor, i, family_schools))


def writable_schools(actor: Actor) -> frozenset[int]:
    """Schools to whose families the actor may write from any inbox."""
    return actor.schools_with(P.PERSONAL_MESSAGES) | actor.schools_with(P.MESSAGE_ON_BEHALF)


def may_see_district(actor: Actor) -> bool:
    """The overview of schools, staff and who holds which role."""
    return actor.active and P.MANAGE_STAFF in actor.district


def require_district_overview(actor: Actor) -> None:
    if not may_see_district(actor):
        raise NotAllowed("Only district admins can see this page.")


NO_PERSONAL = "You do not have permission to send personal messages to families of this school."
NO_ON_BEHALF = "You can read these messages, but you do not have permission to write on behalf of this school."
NOT_ATTACHED = "This family has no student at a school where you can write to families."
NOT_AT_SCHOOL = "This family has no student at this school any more, so the school cannot write to it."


def _refusal_from_personal(actor: Actor, inbox: InboxRef, family_schools: frozenset[int]) -> NotAllowed | None:
    mine = actor.schools_with(P.PERSONAL_MESSAGES)
    if inbox.staff_id != actor.staff_id or not mine:
        return NotAllowed(NO_PERSONAL)
    return None if mine & family_schools else NotAllowed(NOT_ATTACHED)


def _refusal_from_school(actor: Actor, inbox: InboxRef, family_schools: frozenset[int]) -> NotAllowed | None:
    if inbox.school_id not in actor.schools_with(P.MESSAGE_ON_BEHALF):
        return NotAllowed(NO_ON_BEHALF)
    unknown_sender = not family_schools
    return None if unknown_sender or inbox.school_id in family_schools else NotAllowed(NOT_AT_SCHOOL)
