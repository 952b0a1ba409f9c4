"""Who may do what: every question about access. The only such place.

The menu that hides a choice and the service that refuses it call the same function. What the words mean
stands in ``permissions``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tp_inbox.domain.errors import NotAllowed
from tp_inbox.domain.permissions import SCHOOL_ONLY, Level, P, Permission, effective, named


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
    """A role's permissions where they are held: at the district, or at one school.

    An assignment at a group is a grant at each of its schools, and none while the group is empty.
    """

    permissions: frozenset[Permission]
    level: Level
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

    def at_district(self, permission: Permission) -> bool:
        return self.active and permission in self.district

    def anywhere(self, permission: Permission) -> bool:
        return self.at_district(permission) or bool(self.schools_with(permission))


def actor_from(staff_id: int, name: str, active: bool, grants: Iterable[Grant]) -> Actor:
    """The sum of a person's assignments. A role that is held at the other level gives nothing."""
    schools: dict[int, frozenset[Permission]] = {}
    district: frozenset[Permission] = frozenset()
    for grant in grants:
        held = effective(grant.permissions, grant.level)
        if grant.level is Level.DISTRICT and grant.school_id is None:
            district |= held
        elif grant.level is Level.SCHOOL and grant.school_id is not None:
            schools[grant.school_id] = schools.get(grant.school_id, frozenset()) | held
    return Actor(staff_id, name, active, schools, district)


# Reading one's own work, and writing -----------------------------------------------------------------------


def has_personal_inbox(actor: Actor) -> bool:
    return bool(actor.schools_with(P.PERSONAL_MESSAGES))


def readable_school_inboxes(actor: Actor) -> frozenset[int]:
    """Schools whose shared inbox the actor may read."""
    return actor.schools_with(P.VIEW_SCHOOL_INBOX)


def schools_met(actor: Actor, kind: InboxKind) -> frozenset[int]:
    """Schools whose families the actor meets in inboxes of this kind."""
    return actor.schools_with(P.PERSONAL_MESSAGES) if kind is InboxKind.PERSONAL else readable_school_inboxes(actor)


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


def may_cancel(actor: Actor, inbox: InboxRef, author_id: int | None) -> bool:
    """Whether the actor may hold back what waits to leave: who wrote it, and at a school whoever writes for it."""
    by_school = inbox.kind is InboxKind.SCHOOL and inbox.school_id in actor.schools_with(P.MESSAGE_ON_BEHALF)
    return author_id == actor.staff_id or by_school


def refusal_to_announce(actor: Actor, inbox: InboxRef) -> NotAllowed | None:
    """Why the actor cannot write to many families of the school at once; None when it is allowed."""
    if inbox.kind is InboxKind.SCHOOL and inbox.school_id in actor.schools_with(P.ANNOUNCE):
        return None
    return NotAllowed(NO_ANNOUNCE)


CANNOT_CANCEL = "Only the person who wrote this text, or somebody who writes for the school, can cancel it."
NO_ANNOUNCE = "You do not have permission to write to many families of this school at once."
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


# Whether families want to be texted ------------------------------------------------------------------------

CANNOT_ANSWER_STOP = "Only people who write to families from here can answer this."
CANNOT_UNSUBSCRIBE = "Only people who manage students and contacts there can do this."


def may_answer_stop(actor: Actor, inbox: InboxRef) -> bool:
    """Whether the actor may say that a family's words meant STOP: whoever writes from this inbox, to whomever."""
    if inbox.kind is InboxKind.PERSONAL:
        return inbox.staff_id == actor.staff_id and has_personal_inbox(actor)
    return inbox.school_id in actor.schools_with(P.MESSAGE_ON_BEHALF)


def unsubscribes(actor: Actor) -> bool:
    return actor.anywhere(P.MANAGE_DIRECTORY)


def may_unsubscribe(actor: Actor, school_id: int | None) -> bool:
    """Whether the actor may record, and take back, that a family wants no texts: from a school; None for more."""
    return actor.at_district(P.MANAGE_DIRECTORY) or school_id in actor.schools_with(P.MANAGE_DIRECTORY)


# Students and families --------------------------------------------------------------------------------------

FAMILIES_ONLY = "Only people who manage students and contacts can do this."
ALSO_ELSEWHERE = (
    "This person also has a student at a school where you do not manage students and contacts. "
    "Please ask a district admin."
)


def manages_families(actor: Actor) -> bool:
    return actor.anywhere(P.MANAGE_DIRECTORY)


def schools_of_managed_families(actor: Actor) -> frozenset[int] | None:
    """Schools whose students and contacts the actor may add and change; None for all."""
    return None if actor.at_district(P.MANAGE_DIRECTORY) else actor.schools_with(P.MANAGE_DIRECTORY)


def may_manage_family(actor: Actor, school_id: int) -> bool:
    """Whether the actor may change the family of a student at this school."""
    schools = schools_of_managed_families(actor)
    return schools is None or school_id in schools


def refusal_to_move_contact(actor: Actor, schools: Iterable[int]) -> NotAllowed | None:
    """Why the actor cannot give an adult another number; None when it is allowed.

    The number holds for everybody who writes to this adult. ``schools``: of all the adult's students.
    """
    return None if all(may_manage_family(actor, school) for school in schools) else NotAllowed(ALSO_ELSEWHERE)


# Oversight -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Overseen:
    """A thread as oversight sees it. ``owner_schools``: where the owner of a personal inbox works."""

    inbox: InboxRef
    owner_schools: frozenset[int]
    family_schools: frozenset[int]

    @property
    def schools(self) -> frozenset[int]:
        """Whose conversation it is: the shared inbox's school, or those where the owner works and the family is. A
        family of no school follows the person.
        """
        if self.inbox.school_id is not None:
            return frozenset([self.inbox.school_id])
        return self.owner_schools & (self.family_schools or self.owner_schools)


def oversees(actor: Actor) -> bool:
    """Whether there is anything that the actor may read in oversight."""
    return actor.anywhere(P.VIEW_ALL_MESSAGES)


def may_oversee(actor: Actor, thread: Overseen) -> bool:
    """At the district every thread that is not one's own. At a school its shared inbox, and what the people who
    work there write to families of that school.
    """
    if thread.inbox.staff_id == actor.staff_id:
        return False
    if actor.at_district(P.VIEW_ALL_MESSAGES):
        return True
    return bool(actor.schools_with(P.VIEW_ALL_MESSAGES) & thread.schools)


def oversight_needs_reason(actor: Actor, inbox: InboxRef) -> bool:
    """Another person's personal thread is opened with a reason, which that person sees."""
    return inbox.kind is InboxKind.PERSONAL and inbox.staff_id != actor.staff_id


# Staff, roles, schools and the log -------------------------------------------------------------------------


class PlaceKind(StrEnum):
    DISTRICT = "district"
    SCHOOL = "school"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a role is held: the district, a school, or a district group. ``id`` is 0 for the district."""

    kind: PlaceKind
    id: int = 0

    @property
    def level(self) -> Level:
        return Level.DISTRICT if self.kind is PlaceKind.DISTRICT else Level.SCHOOL


DISTRICT = Place(PlaceKind.DISTRICT)

ROLES_ONLY = "Only people who manage roles can do this."
SCHOOLS_ONLY = "Only people who manage schools can do this."
STAFF_ONLY = "Only people who manage staff can do this."
STAFF_EXPORT_ONLY = "Only people who manage staff and may export can do this."
LOG_ONLY = "Only people who may view the audit log can do this."
LOG_EXPORT_ONLY = "Only people who may view the audit log and export from it can do this."
OVERSIGHT_ONLY = "Only people who may view all messages can do this."
OWN_ROLES = "Nobody changes their own roles. Please ask another admin."
OWN_ROLE = "You hold this role yourself, and nobody changes their own permissions. Please ask another admin."
OWN_ACCOUNT = "This is your own account. You find what you can change about it under Settings."
OWN_GROUP = (
    "You hold a role at this group yourself, and nobody changes their own permissions. Please ask another admin."
)
GROUP_OF_STAFF = (
    "People hold roles at this group, so its schools decide what they may do. "
    "Only people who manage the district’s staff can change them."
)
NO_SUCCESSOR = "A successor sends personal messages at a school where this person did."
OWN_SUCCESSION = (
    "Whoever takes over a conversation reads what was written before, so nobody hands it to themselves. "
    "Please ask another admin."
)
NOT_THIS_PLACE = "You manage the staff of your own school only."
NOT_THIS_LEVEL = "This role cannot be held there: {level} roles are held at {where}."
TOO_MUCH = "This role allows more than you may do yourself: {permissions}. Please ask a district admin."
READS_MESSAGES = (
    "This person reads messages that you may not see, and whoever can reset an account can open it. "
    "Please ask somebody who may view all messages."
)
NOT_THIS_PERSON = (
    "This person also works, or has permissions, where you do not manage staff. Please ask a district admin."
)


def manages_staff(actor: Actor) -> bool:
    return actor.anywhere(P.MANAGE_STAFF)


def manages_all_staff(actor: Actor) -> bool:
    return actor.at_district(P.MANAGE_STAFF)


def manages_roles(actor: Actor) -> bool:
    return actor.at_district(P.MANAGE_ROLES)


def manages_schools(actor: Actor) -> bool:
    return actor.at_district(P.MANAGE_SCHOOLS)


def views_audit_log(actor: Actor) -> bool:
    return actor.anywhere(P.VIEW_AUDIT_LOG)


def administers(actor: Actor) -> bool:
    """Whether there is anything for the actor under Admin."""
    return manages_staff(actor) or manages_roles(actor) or manages_schools(actor) or views_audit_log(actor)


def require(allowed: bool, sentence: str) -> None:
    """Raises NotAllowed with the sentence."""
    if not allowed:
        raise NotAllowed(sentence)


def refusal_to_assign(
    actor: Actor, staff_id: int, permissions: Iterable[Permission], level: Level, place: Place
) -> NotAllowed | None:
    """Why the actor cannot give this role to that person there, or take it away; None when it is allowed."""
    if staff_id == actor.staff_id:
        return NotAllowed(OWN_ROLES)
    if place.level is not level:
        where = "the district" if level is Level.DISTRICT else "schools and groups of schools"
        return NotAllowed(NOT_THIS_LEVEL.format(level=level.value, where=where))
    return refusal_to_grant(actor, permissions, level, place)


def refusal_to_grant(actor: Actor, permissions: Iterable[Permission], level: Level, place: Place) -> NotAllowed | None:
    """Why the actor has nothing to say about this role there, whoever holds it.

    Nobody gives or takes a permission that they lack themselves; what exists only at schools is the district
    managers' to give, though none of them can hold it.
    """
    asked = effective(permissions, level)
    if manages_all_staff(actor):
        lacking = asked - SCHOOL_ONLY - actor.district
    elif place.kind is PlaceKind.SCHOOL and place.id in actor.schools_with(P.MANAGE_STAFF):
        lacking = asked - actor.schools[place.id]
    else:
        return NotAllowed(NOT_THIS_PLACE if manages_staff(actor) else STAFF_ONLY)
    return NotAllowed(TOO_MUCH.format(permissions=named(lacking))) if lacking else None


def refusal_to_define(
    actor: Actor, permissions: Iterable[Permission], level: Level, *, holds_it: bool
) -> NotAllowed | None:
    """Why the actor cannot decide that a role allows this; None when it is allowed.

    Who changes a role changes what its holders may do: nobody does it to a role of their own, nor puts into one
    what they lack. ``permissions``: of the role as it is and as it shall be, together.
    """
    if not manages_roles(actor):
        return NotAllowed(ROLES_ONLY)
    if holds_it:
        return NotAllowed(OWN_ROLE)
    lacking = effective(permissions, level) - SCHOOL_ONLY - actor.district
    return NotAllowed(TOO_MUCH.format(permissions=named(lacking))) if lacking else None


def refusal_to_regroup(actor: Actor, held: Iterable[tuple[int, frozenset[Permission]]]) -> NotAllowed | None:
    """Why the actor cannot add schools to a group or take some out; None when it is allowed.

    Whoever does it gives and takes, at those schools, every role that is held at the group: nobody to themselves,
    and nobody what they lack. ``held``: staff ids, each with the permissions of a role held there.
    """
    if not manages_schools(actor):
        return NotAllowed(SCHOOLS_ONLY)
    holders = tuple(held)
    if any(staff_id == actor.staff_id for staff_id, _ in holders):
        return NotAllowed(OWN_GROUP)
    if holders and not manages_all_staff(actor):
        return NotAllowed(GROUP_OF_STAFF)
    given = frozenset[Permission]().union(*(permissions for _, permissions in holders))
    return refusal_to_grant(actor, given, Level.SCHOOL, Place(PlaceKind.GROUP)) if holders else None


def refusal_to_manage_account(actor: Actor, person: Actor) -> NotAllowed | None:
    """Why the actor cannot reset, sign out, deactivate or reactivate that person; None when it is allowed.

    Whoever can reset an account can become it, so nobody does it to a person with more permissions than they
    have, nor to one with assignments where they manage nobody. What exists only at schools no district manager
    holds: to one who reads messages there, it takes the right to view all messages. ``person``: as ``actor_from``
    sums it up.
    """
    if person.staff_id == actor.staff_id:
        return NotAllowed(OWN_ACCOUNT)
    if manages_all_staff(actor):
        return _refusal_at_district(actor, person.district.union(*person.schools.values()))
    mine = actor.schools_with(P.MANAGE_STAFF)
    if not mine:
        return NotAllowed(STAFF_ONLY)
    there = all(s in mine and held <= actor.schools[s] for s, held in person.schools.items())
    return None if there and person.schools and not person.district else NotAllowed(NOT_THIS_PERSON)


def _refusal_at_district(actor: Actor, everything: frozenset[Permission]) -> NotAllowed | None:
    if everything - SCHOOL_ONLY - actor.district:
        return NotAllowed(NOT_THIS_PERSON)
    reads = everything & {P.PERSONAL_MESSAGES, P.VIEW_SCHOOL_INBOX}
    return NotAllowed(READS_MESSAGES) if reads and not actor.at_district(P.VIEW_ALL_MESSAGES) else None


def schools_of_seen_staff(actor: Actor) -> frozenset[int] | None:
    """The schools whose people are in the actor's list of staff; None when everybody is, with or without a school."""
    return None if manages_all_staff(actor) else actor.schools_with(P.MANAGE_STAFF)


def schools_of_exported_staff(actor: Actor) -> frozenset[int] | None:
    """The schools whose people the actor may take away as a file, a part of those they see; None for everybody."""
    return _taken_away(actor, schools_of_seen_staff(actor))


def exports_staff(actor: Actor) -> bool:
    reach = schools_of_exported_staff(actor)
    return reach is None or bool(reach)


def schools_of_read_log(actor: Actor) -> frozenset[int] | None:
    """The schools whose entries of the audit log the actor reads; None for the whole log."""
    return None if actor.at_district(P.VIEW_AUDIT_LOG) else actor.schools_with(P.VIEW_AUDIT_LOG)


def schools_of_exported_log(actor: Actor) -> frozenset[int] | None:
    """The schools whose entries the actor may take away as a file, a part of those they read; None for all."""
    return _taken_away(actor, schools_of_read_log(actor))


def exports_log(actor: Actor) -> bool:
    reach = schools_of_exported_log(actor)
    return reach is None or bool(reach)


def _taken_away(actor: Actor, seen: frozenset[int] | None) -> frozenset[int] | None:
    """What may be exported, of what is seen; None is everything."""
    if actor.at_district(P.EXPORT):
        return seen
    return actor.schools_with(P.EXPORT) if seen is None else seen & actor.schools_with(P.EXPORT)


def may_succeed(person: Actor, colleague: Actor) -> bool:
    """Whether conversations of a person who leaves may go to this colleague: both write personal messages at one
    school. ``person``: active or not any more.
    """
    theirs = replace(person, active=True).schools_with(P.PERSONAL_MESSAGES)
    return colleague.staff_id != person.staff_id and bool(theirs & colleague.schools_with(P.PERSONAL_MESSAGES))


def refusal_to_appoint(actor: Actor, person: Actor, successor: Actor) -> NotAllowed | None:
    """Why the actor cannot hand that person's conversations to this colleague; None when it is allowed.

    A successor reads what was written before, without giving a reason. So nobody appoints themselves: whoever may
    oversee it reads it there, and whoever shall go on with it is chosen by somebody else.
    """
    if not may_succeed(person, successor):
        return NotAllowed(NO_SUCCESSOR)
    return NotAllowed(OWN_SUCCESSION) if successor.staff_id == actor.staff_id else None


def may_name_family(actor: Actor, family_schools: frozenset[int]) -> bool:
    """Whether the actor is shown who the family of somebody else's conversation is."""
    district = actor.at_district(P.SEE_DIRECTORY) or actor.at_district(P.VIEW_ALL_MESSAGES)
    schools = actor.schools_with(P.SEE_DIRECTORY) | actor.schools_with(P.VIEW_ALL_MESSAGES)
    return district or bool(schools & family_schools)


def may_be_named(works_at: frozenset[int], family_schools: frozenset[int]) -> bool:
    """Whether a number of ours tells who calls or asks for help there whose it is: only a family with a student where
    that person works. A stranger who tries numbers learns of schools, and no names.
    """
    return bool(works_at & family_schools)


def may_see_person(actor: Actor, schools: Iterable[int]) -> bool:
    """Whether a person who works at these schools is in the actor's list of staff."""
    seen = schools_of_seen_staff(actor)
    return seen is None or bool(seen.intersection(schools))
